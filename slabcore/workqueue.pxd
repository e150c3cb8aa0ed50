"""Workqueues over pools of kworkers with concurrency management. kernel/workqueue.c"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from slabcore.arena cimport NIL, arena, arena_at, arena_give, arena_take
from slabcore.clock cimport FOREVER
from slabcore.sched cimport (
    GONE,
    SLEEPING,
    pool_wake_worker,
    sched,
    sched_wake,
    task,
    work,
    work_list,
    worker_pool,
)

cdef enum:
    MAX_ACTIVE = 256        # WQ_DFL_ACTIVE
    QUEUES = 4

cdef extern from *:
    """
    #define SLABCORE_IDLE_WORKER_NS INT64_C(300000000000)
    """
    const int64_t IDLE_WORKER_NS "SLABCORE_IDLE_WORKER_NS"


cdef struct pool_queue:
    int32_t pool
    uint32_t active
    uint32_t max_active
    work_list delayed


cdef struct workqueues:
    arena works
    pool_queue *queues[QUEUES]   # each: one entry a CPU
    int32_t one_pool[QUEUES]     # an ordered queue: entry 0 serves every CPU
    int64_t queued[QUEUES]
    int64_t run[QUEUES]
    int64_t longest_pending_ns[QUEUES]
    int64_t number               # of the item made last
    int64_t in_flight[QUEUES]    # queued, held back or running
    int64_t flushes_begun[QUEUES]
    task *flushes[QUEUES]        # who waits in flush_workqueue(), the first first
    int64_t worked_at       # when a work item last ended
    int64_t outstanding
    int64_t kworkers
    int64_t kworkers_peak


cdef inline work *work_at(workqueues *q, uint32_t i) noexcept nogil:
    return <work *>arena_at(&q.works, i)


cdef inline void work_append(workqueues *q, work_list *l, uint32_t i) noexcept nogil:
    work_at(q, i).next = NIL
    if l.last == NIL:
        l.first = i
    else:
        work_at(q, l.last).next = i
    l.last = i
    l.length += 1


cdef inline uint32_t work_popleft(workqueues *q, work_list *l) noexcept nogil:
    cdef uint32_t i = l.first
    l.first = work_at(q, i).next
    if l.first == NIL:
        l.last = NIL
    l.length -= 1
    return i


cdef inline pool_queue *queue_of(
    workqueues *q, int32_t queue, int32_t cpu
) noexcept nogil:
    return &q.queues[queue][0 if q.one_pool[queue] else cpu]


cdef inline void queue_count_in(
    workqueues *q, int32_t queue, work *item
) noexcept nogil:
    q.in_flight[queue] += 1
    item.before_flush = q.flushes_begun[queue]


cdef inline void queue_count_out(
    sched *s, workqueues *q, int32_t queue, int64_t before_flush
) noexcept nogil:
    """An item has run: wake the flushes that waited for it alone."""
    cdef task **place = &q.flushes[queue]
    cdef task *t
    q.in_flight[queue] -= 1
    while place[0] != NULL:
        t = place[0]
        if t.flush_number > before_flush:
            t.flush_left -= 1
        if t.flush_left:
            place = &t.flush_next
        else:
            place[0] = t.flush_next
            sched_wake(s, t)


cdef inline bint queue_flush(workqueues *q, int32_t queue, task *t) noexcept nogil:
    """Put a task in line for the items there are; tell whether it has to wait."""
    cdef task **place = &q.flushes[queue]
    q.flushes_begun[queue] += 1
    if not q.in_flight[queue]:
        return False
    t.flush_number = q.flushes_begun[queue]
    t.flush_left = q.in_flight[queue]
    t.flush_next = NULL
    while place[0] != NULL:
        place = &place[0].flush_next
    place[0] = t
    return True


cdef inline void queue_work(
    sched *s, workqueues *q, int32_t cpu, uint32_t i
) noexcept nogil:
    """Queue item *i* on a CPU's pool, or hold it back at max_active."""
    cdef work *w = work_at(q, i)
    cdef pool_queue *p = queue_of(q, w.queue, cpu)
    q.outstanding += 1
    q.queued[w.queue] += 1
    w.queued_at = s.now
    queue_count_in(q, w.queue, w)
    if p.active < p.max_active:
        p.active += 1
        work_append(q, &s.pools[p.pool].worklist, i)
        pool_wake_worker(s, &s.pools[p.pool])
    else:
        work_append(q, &p.delayed, i)


cdef inline int new_work(
    workqueues *q, int32_t queue, int32_t kind, uint32_t a, uint32_t b, uint32_t *index
) except -1 nogil:
    cdef work *w
    arena_take(&q.works, index)
    w = work_at(q, index[0])
    q.number += 1
    w.number = q.number
    w.queue, w.kind, w.a, w.b = queue, kind, a, b
    w.pending = w.running = w.again = 0
    return 0


cdef inline void queue_finish(
    sched *s, workqueues *q, int32_t queue, int32_t cpu
) noexcept nogil:
    """An item has run: let one that was held back follow."""
    cdef pool_queue *p = queue_of(q, queue, cpu)
    p.active -= 1
    if p.delayed.length and p.active < p.max_active:
        p.active += 1
        work_append(q, &s.pools[p.pool].worklist, work_popleft(q, &p.delayed))


cdef inline bint pool_too_many(const worker_pool *p) noexcept nogil:
    """Tell what too_many_workers() does."""
    return p.idle > 2 and (p.idle - 2) * 4 >= p.workers - p.idle


cdef inline void pool_enter_idle(sched *s, worker_pool *p, task *t) noexcept nogil:
    t.idle_next = NULL
    t.idle_prev = p.idle_last
    if p.idle_last == NULL:
        p.idle_first = t
    else:
        p.idle_last.idle_next = t
    p.idle_last = t
    p.idle += 1
    t.idle_since = s.now
    if p.cull_at == FOREVER and pool_too_many(p):
        p.cull_at = s.now + IDLE_WORKER_NS
        s.cull_at = min(s.cull_at, p.cull_at)


cdef inline void pool_leave_idle(worker_pool *p, task *t) noexcept nogil:
    if t.idle_prev == NULL:
        p.idle_first = t.idle_next
    else:
        t.idle_prev.idle_next = t.idle_next
    if t.idle_next == NULL:
        p.idle_last = t.idle_prev
    else:
        t.idle_next.idle_prev = t.idle_prev
    t.idle_next = NULL
    t.idle_prev = NULL
    p.idle -= 1


cdef inline void pool_cull(sched *s, workqueues *q, worker_pool *p) noexcept nogil:
    """Let workers go that were idle for 300 s, while there are too many."""
    cdef task *oldest
    cdef int64_t expires
    p.cull_at = FOREVER
    while pool_too_many(p):
        oldest = p.idle_first
        expires = oldest.idle_since + IDLE_WORKER_NS
        if oldest.state != SLEEPING:
            expires = s.now + IDLE_WORKER_NS
        if expires > s.now:
            p.cull_at = expires
            s.cull_at = min(s.cull_at, expires)
            return
        pool_leave_idle(p, oldest)
        oldest.state = GONE
        oldest.next = s.spare_tasks
        s.spare_tasks = oldest
        p.workers -= 1
        q.kworkers -= 1

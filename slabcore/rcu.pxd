"""RCU: callbacks of each CPU in four segments, and grace periods.

A CPU's callbacks stand in one ring of records in the order of call_rcu; the segments
are half-open intervals of it: [head, done) may be invoked, [done, wait) waits for
wait_gp, [wait, ready) for ready_gp, [ready, tail) has no number yet. kernel/rcu/tree.c
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport arena_resize
from slabcore.clock cimport FOREVER
from slabcore.sched cimport cpu, cpu_idle, sched

cdef enum:
    BLIMIT = 10
    QHIMARK = 10000
    QLOWMARK = 100
    MAX_CALLBACKS = 1 << 30


cdef struct rcu_head:
    uint32_t kind
    uint32_t arg


cdef struct rcu_stamp:
    int64_t at              # when the callback was queued
    int64_t ahead           # behind how many others of its CPU


cdef struct rcu_data:
    rcu_head *ring
    rcu_stamp *stamps       # beside the ring; NULL where nobody asks
    uint32_t capacity       # a power of two
    int64_t head
    int64_t done
    int64_t wait
    int64_t ready
    int64_t tail
    int64_t wait_gp
    int64_t ready_gp
    int64_t blimit
    int64_t known_gp
    int64_t known_completed
    uint8_t qs_pending
    uint8_t gp_pending      # the running grace period still waits for this CPU


cdef struct rcu_state:
    rcu_data *data          # one a CPU
    uint8_t stamped         # callbacks have stamps
    int64_t blimit          # callbacks a batch, while a CPU has no more than qhimark
    int64_t qhimark
    int64_t qlowmark        # at which a batch has its limit again
    int64_t gpnum
    int64_t completed
    int64_t requested
    int64_t scan_ns
    int64_t scan_at
    int32_t waits_for       # CPUs with gp_pending
    uint8_t first_scan
    uint8_t kicked          # the grace-period kthread has something to do now
    int64_t callbacks
    int64_t queued
    int64_t invoked
    int64_t longest


cdef inline int64_t rcu_qlen(const rcu_data *d) noexcept nogil:
    return d.tail - d.head


cdef inline rcu_head *rcu_at(
    const rcu_data *d, int64_t position, size_t *count
) noexcept nogil:
    """Return a record, and how many of *count* lie there without a break."""
    cdef size_t at = position & (d.capacity - 1)
    count[0] = min(count[0], d.capacity - at)
    return &d.ring[at]


cdef inline void rcu_copy(
    const rcu_data *d, int64_t position, rcu_head *to, size_t count
) noexcept nogil:
    cdef size_t whole
    cdef const rcu_head *at
    while count:
        whole = count
        at = rcu_at(d, position, &whole)
        memcpy(to, at, whole * sizeof(rcu_head))
        position += whole
        to += whole
        count -= whole


cdef inline int rcu_reserve(rcu_data *d, bint stamped, uint64_t count) except -1 nogil:
    """Make room for *count* records in all; records keep their positions."""
    cdef uint64_t capacity = d.capacity if d.capacity else 64
    cdef rcu_data new = d[0]
    cdef rcu_head *at
    cdef size_t whole
    cdef int64_t i = d.head
    if count <= d.capacity:
        return 0
    if count > <uint64_t>MAX_CALLBACKS:
        with gil:
            raise MemoryError("a CPU has at most 1073741824 callbacks")
    while capacity < count:
        capacity *= 2
    new.capacity = <uint32_t>capacity
    new.ring = <rcu_head *>arena_resize(NULL, capacity * sizeof(rcu_head))
    while i < d.tail:
        whole = d.tail - i
        at = rcu_at(&new, i, &whole)
        rcu_copy(d, i, at, whole)
        i += whole
    if stamped:
        new.stamps = <rcu_stamp *>arena_resize(NULL, capacity * sizeof(rcu_stamp))
        for i in range(d.head, d.tail):
            new.stamps[i & (capacity - 1)] = d.stamps[i & (d.capacity - 1)]
        PyMem_RawFree(d.stamps)
    PyMem_RawFree(d.ring)
    d[0] = new
    return 0


cdef inline void rcu_stamp_last(
    rcu_state *r, int32_t cpu_number, int64_t now
) noexcept nogil:
    """Note when the CPU's last callback was queued and behind how many."""
    cdef rcu_data *d = &r.data[cpu_number]
    if r.stamped:
        d.stamps[(d.tail - 1) & (d.capacity - 1)].at = now
        d.stamps[(d.tail - 1) & (d.capacity - 1)].ahead = d.tail - 1 - d.head


cdef inline int rcu_append(
    rcu_state *r, int32_t cpu_number, uint32_t kind, uint32_t arg
) except -1 nogil:
    cdef rcu_data *d = &r.data[cpu_number]
    if rcu_qlen(d) == d.capacity:
        rcu_reserve(d, r.stamped, rcu_qlen(d) + 1)
    d.ring[d.tail & (d.capacity - 1)].kind = kind
    d.ring[d.tail & (d.capacity - 1)].arg = arg
    d.tail += 1
    r.callbacks += 1
    r.queued += 1
    r.longest = max(r.longest, rcu_qlen(d))
    return 0


cdef inline int call_rcu(
    rcu_state *r, int32_t cpu_number, uint32_t kind, uint32_t arg
) except -1 nogil:
    """Queue a callback on a CPU."""
    cdef rcu_data *d = &r.data[cpu_number]
    rcu_append(r, cpu_number, kind, arg)
    if rcu_qlen(d) > r.qhimark:
        d.blimit = FOREVER
    return 0


cdef inline int call_rcu_many(
    rcu_state *r, int32_t cpu_number, const rcu_head *heads, size_t count
) except -1 nogil:
    """Queue callbacks that are not stamped, as call_rcu() one by one would."""
    cdef rcu_data *d = &r.data[cpu_number]
    cdef size_t whole
    cdef rcu_head *at
    rcu_reserve(d, False, rcu_qlen(d) + count)
    r.callbacks += count
    r.queued += count
    while count:
        whole = count
        at = rcu_at(d, d.tail, &whole)
        memcpy(at, heads, whole * sizeof(rcu_head))
        d.tail += whole
        heads += whole
        count -= whole
    r.longest = max(r.longest, rcu_qlen(d))
    if rcu_qlen(d) > r.qhimark:
        d.blimit = FOREVER
    return 0


cdef inline bint rcu_entrain(
    rcu_state *r, int32_t cpu_number, uint32_t kind
) except -1 nogil:
    """Put a callback behind the CPU's last, into that one's segment."""
    cdef rcu_data *d = &r.data[cpu_number]
    cdef int64_t tail = d.tail
    if tail == d.head:
        return False
    rcu_append(r, cpu_number, kind, 0)
    if d.ready == tail:
        d.ready = d.tail
        if d.wait == tail:
            d.wait = d.tail
            if d.done == tail:
                d.done = d.tail
    return True


cdef inline void rcu_advance(rcu_state *r, rcu_data *d) noexcept nogil:
    if d.wait > d.done and d.wait_gp <= r.completed:
        d.done = d.wait
    if d.ready > d.wait and d.ready_gp <= r.completed:
        # Both move, so the segments stay in order.
        if d.wait > d.done:
            return
        d.done = d.wait = d.ready
    if d.wait == d.done and d.ready > d.wait:
        d.wait = d.ready
        d.wait_gp = d.ready_gp


cdef inline void rcu_accelerate(rcu_state *r, rcu_data *d) noexcept nogil:
    """Number the callbacks that have none and ask for their grace period."""
    cdef int64_t number
    if d.tail == d.ready:
        return
    # A running grace period does not cover callbacks queued after it began.
    number = r.completed + (1 if r.gpnum == r.completed else 2)
    if d.ready > d.wait and d.ready_gp < number:
        return
    if d.wait > d.done and d.wait_gp < number:
        d.ready = d.tail
        d.ready_gp = number
    else:
        d.wait = d.ready = d.tail
        d.wait_gp = number
    r.requested = max(r.requested, number)


cdef inline bint rcu_report_qs(rcu_state *r, rcu_data *d) noexcept nogil:
    """Let a CPU out of the grace period; tell whether that waits for no other."""
    if not d.gp_pending:
        return False
    d.gp_pending = 0
    r.waits_for -= 1
    return not r.waits_for


cdef inline void rcu_gp_init(rcu_state *r, int32_t cpus) noexcept nogil:
    """Start a grace period, which waits for every CPU."""
    cdef int32_t i
    r.gpnum += 1
    for i in range(cpus):
        r.data[i].gp_pending = 1
    r.waits_for = cpus


cdef inline void rcu_gp_cleanup(rcu_state *r) noexcept nogil:
    r.completed = r.gpnum


# A batch (rcu_do_batch()): so many of those that are due, each taken, then invoked.


cdef inline int64_t rcu_batch(const rcu_data *d) noexcept nogil:
    return min(d.done - d.head, d.blimit)


cdef inline rcu_head rcu_take(rcu_state *r, rcu_data *d) noexcept nogil:
    cdef rcu_head head = d.ring[d.head & (d.capacity - 1)]
    d.head += 1
    r.callbacks -= 1
    r.invoked += 1
    return head


cdef inline void rcu_take_many(
    rcu_state *r, rcu_data *d, rcu_head *to, int64_t count
) noexcept nogil:
    rcu_copy(d, d.head, to, count)
    d.head += count
    r.callbacks -= count
    r.invoked += count


cdef inline void rcu_batch_end(const rcu_state *r, rcu_data *d) noexcept nogil:
    if d.blimit != r.blimit and rcu_qlen(d) <= r.qlowmark:
        d.blimit = r.blimit


cdef inline void rcu_core(rcu_state *r, sched *s, int32_t cpu_number) noexcept nogil:
    """Do what a tick's softirq does for RCU, short of invoking callbacks."""
    cdef rcu_data *d = &r.data[cpu_number]
    cdef cpu *c = &s.cpus[cpu_number]
    if d.known_completed != r.completed:
        d.known_completed = r.completed
        rcu_advance(r, d)
    rcu_accelerate(r, d)
    if d.known_gp != r.gpnum:
        d.known_gp = r.gpnum
        c.qs = 0
        d.qs_pending = 1
    elif d.qs_pending and c.qs:
        d.qs_pending = 0
        if rcu_report_qs(r, d):
            r.kicked = 1
    if r.gpnum == r.completed and r.requested > r.completed:
        r.kicked = 1


cdef inline void rcu_grace_period(rcu_state *r, sched *s) noexcept nogil:
    """Be the grace-period kthread: scan, clean up, start."""
    cdef int32_t i
    r.kicked = 0
    if r.gpnum != r.completed:
        if r.waits_for and s.now >= r.scan_at:
            for i in range(s.ncpus):
                if cpu_idle(&s.cpus[i]) or (s.cpus[i].was_idle and not r.first_scan):
                    rcu_report_qs(r, &r.data[i])
                s.cpus[i].was_idle = 0
            r.first_scan = 0
            if r.waits_for:
                r.scan_at = s.now + r.scan_ns
        if not r.waits_for:
            rcu_gp_cleanup(r)
    if r.gpnum == r.completed and r.requested > r.completed:
        rcu_gp_init(r, s.ncpus)
        r.first_scan = 1
        r.scan_at = s.now + r.scan_ns


cdef inline int64_t rcu_next(const rcu_state *r, int64_t now) noexcept nogil:
    """Return when the grace-period kthread has something to do."""
    if r.kicked:
        return now
    return r.scan_at if r.gpnum != r.completed else FOREVER


cdef inline bint rcu_needs_tick(
    const rcu_state *r, const cpu *c, int32_t cpu_number
) noexcept nogil:
    """Tell whether RCU has use for this CPU's next tick."""
    cdef const rcu_data *d = &r.data[cpu_number]
    if rcu_qlen(d):
        return True
    return d.gp_pending and r.gpnum != r.completed and not cpu_idle(c)


cdef inline const char *rcu_broken(
    const rcu_state *r, int32_t cpus, int64_t *where, int64_t *which
) noexcept nogil:
    """Return what is wrong, NULL if nothing; two numbers belong into the text."""
    cdef const rcu_data *d
    cdef int32_t i
    cdef int64_t callbacks = 0
    where[0] = which[0] = -1
    for i in range(cpus):
        d = &r.data[i]
        where[0] = i
        if not d.head <= d.done <= d.wait <= d.ready <= d.tail:
            return "CPU {where}: callbacks stand in no order"
        if d.ready > d.wait and d.wait > d.done and d.ready_gp <= d.wait_gp:
            which[0] = d.ready_gp
            return "CPU {where}: later callbacks wait for grace period {which}"
        callbacks += rcu_qlen(d)
    if callbacks != r.callbacks or r.queued - r.invoked != callbacks:
        where[0], which[0] = r.callbacks, callbacks
        return "{where} callbacks are counted, {which} are queued"
    where[0], which[0] = r.gpnum, r.completed
    if not r.completed <= r.gpnum <= r.completed + 1:
        return "grace period {where} runs and {which} was the last"
    return NULL

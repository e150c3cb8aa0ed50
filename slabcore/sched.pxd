"""CPUs and tasks: who runs, who waits to run, who sleeps.

A task is a stack of frames, each a function and the place where it stopped; floor 3
runs them. Here are the queues: a woken kworker comes before all others and displaces a
program in user mode (check_preempt_wakeup(), kernel/sched/fair.c), the rest take turns
at ticks. Sleeping and waking tell the worker pool (wq_worker_sleeping(),
kernel/workqueue.c) and end the spinning for mutexes whose owner leaves its CPU.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t

from slabcore.arena cimport NIL, prefetch
from slabcore.clock cimport FOREVER, clock_queue

cdef enum:
    FRAMES = 8              # deepest: worker, free, destroy, shutdown, release_cache
    TASKS_A_CHUNK = 256
    MUTEXES = 3
    LOCKS = 4

cdef enum:  # task_state
    RUNNING
    QUEUED
    SLEEPING                # interruptibly
    UNINTERRUPTIBLE
    GONE

cdef enum:
    CGROUP_MUTEX = 0
    SLAB_MUTEX = 1
    BARRIER_MUTEX = 2
    HOTPLUG_LOCK = 3        # between cgroup_mutex and slab_mutex; its owner is a writer


cdef struct frame:
    int32_t function
    int32_t pc
    uint32_t a
    uint32_t b
    uint32_t c
    uint32_t d
    int64_t i
    int64_t n
    int64_t v


cdef struct task:           # what waking and running touch, then its frames, the rest
    task *next              # in a CPU's queue, or among the spare tasks
    int64_t left            # ns of the current step still to run
    task *line_next         # in a mutex's line
    int64_t wants_since
    int32_t depth
    int32_t cpu
    int32_t pool            # of a kworker; -1 otherwise
    uint32_t result         # of the frame that ended last
    uint8_t state
    uint8_t bound
    uint8_t user
    uint8_t interrupted     # displaced by the softirq, not switched out
    uint8_t spins           # 1 + the mutex
    uint8_t counted         # a kworker that its pool counts as running
    uint8_t waiting         # for its children
    uint8_t is_softirq
    uint8_t wants_write     # the write side of the hotplug lock
    uint8_t in_hotplug      # it holds either side
    uint8_t background      # runs for ever; nobody waits for its end
    uint8_t while_parent    # repeats until its parent ends, who does not wait
    frame frames[FRAMES]
    uint32_t memcg          # the cgroup it is in
    uint32_t made           # the cgroup its program holds, and which one of that index
    uint32_t made_generation
    uint32_t cache          # number of the root cache its program holds
    uint32_t index
    uint32_t children
    int64_t number          # by order of creation
    int64_t idle_since      # of a kworker
    task *spin_next         # of those in that line that spin
    task *idle_next         # in its pool's idle list, towards the latest
    task *idle_prev
    task *parent
    int64_t parent_number
    task *flush_next        # in a workqueue's line of flushes
    int64_t flush_number
    int64_t flush_left      # items that it still waits for
    int64_t ticket          # under which its end is told; 0: nobody asked


cdef struct task_queue:
    task *first
    task *last


cdef struct cpu:
    task *current
    task_queue urgent       # woken kworkers; the softirq and whom it interrupted first
    task_queue queue
    int64_t ends            # when the current step ends; FOREVER: none or spinning
    task *softirq
    uint8_t softirq_active
    uint8_t qs              # passed a quiescent state since it noticed the grace period
    uint8_t was_idle        # since the last scan
    int64_t reap_at         # when SLAB's reaper begins its next pass; FOREVER: none
    int64_t left_at         # when a task last left it, or an IPI woke it up
    int32_t number


cdef struct mutex:
    task *owner
    task *first
    task *last
    task *spinner           # the first in line that spins, at most one a CPU do
    uint32_t length
    int64_t since
    int64_t holds
    int64_t held_ns
    int64_t waited_ns
    int64_t longest_wait_ns
    int64_t longest_queue


cdef struct work:
    int64_t queued_at
    int64_t number          # by order of making; 0: slab_caches_to_rcu_destroy's
    int64_t before_flush    # flushes of its queue that began later wait for it
    uint32_t next
    uint32_t a
    uint32_t b
    int32_t queue
    int32_t kind
    uint8_t pending
    uint8_t running
    uint8_t again


cdef struct work_list:
    uint32_t first
    uint32_t last
    uint32_t length


cdef struct worker_pool:
    int32_t cpu             # -1: unbound
    work_list worklist
    task *idle_first        # the longest idle
    task *idle_last
    uint32_t idle
    uint32_t workers
    uint32_t running        # kworkers on a CPU or queued for one, inside a work item
    uint8_t managing
    int64_t cull_at         # FOREVER: not armed


cdef struct sched:
    int64_t now
    int32_t ncpus
    cpu *cpus
    uint64_t *unsettled     # bit n: CPU n may be idle although a task waits for it
    bint disturbed          # a CPU's end or queue changed, not the running task's alone
    int64_t horizon         # unless disturbed, all but that task's steps come later
    worker_pool *pools      # one a CPU, then the unbound one
    int64_t cull_at         # no pool's is earlier
    int64_t reap_at         # no CPU's is earlier
    mutex mutexes[LOCKS]
    uint32_t hotplug_readers
    int64_t context_switch
    clock_queue timers
    int64_t task_number
    task **chunks
    uint32_t nchunks
    task *spare_tasks
    int64_t uninterruptible
    int64_t uninterruptible_peak


cdef inline void task_prefetch(const task *t) noexcept nogil:
    """Ask for what it takes to wake and run a task that comes next, or NULL."""
    prefetch(t)
    prefetch(<const char *>t + 64)
    prefetch(<const char *>t + 128)


cdef inline void queue_append(task_queue *q, task *t) noexcept nogil:
    t.next = NULL
    if q.last == NULL:
        q.first = t
    else:
        q.last.next = t
    q.last = t


cdef inline void queue_appendleft(task_queue *q, task *t) noexcept nogil:
    t.next = q.first
    if q.first == NULL:
        q.last = t
    q.first = t


cdef inline task *queue_popleft(task_queue *q) noexcept nogil:
    cdef task *t = q.first
    q.first = t.next
    if q.first == NULL:
        q.last = NULL
    task_prefetch(q.first)
    t.next = NULL
    return t


cdef inline bint cpu_crowded(const cpu *c) noexcept nogil:
    """Somebody waits for this CPU."""
    return c.urgent.first != NULL or c.queue.first != NULL


cdef inline bint cpu_idle(const cpu *c) noexcept nogil:
    return c.current == NULL and not cpu_crowded(c)


cdef inline bint cpu_takes_wakeups(const cpu *c) noexcept nogil:
    """Nothing but the softirq is on it."""
    return (c.current == NULL or c.current == c.softirq) and not cpu_crowded(c)


cdef inline int64_t sched_runnable(const sched *s) noexcept nogil:
    """Count the tasks that are on a CPU or wait for one."""
    cdef int64_t count = 0
    cdef const task *t
    cdef const cpu *c
    cdef int32_t i
    for i in range(s.ncpus):
        c = &s.cpus[i]
        count += c.current != NULL and not c.current.is_softirq
        t = c.urgent.first
        while t != NULL:
            count += not t.is_softirq
            t = t.next
        t = c.queue.first
        while t != NULL:
            count += not t.is_softirq
            t = t.next
    return count


cdef inline void cpu_unsettle(sched *s, const cpu *c) noexcept nogil:
    """Let the next settle() look at a CPU: it lost its task, or a task came to it."""
    s.unsettled[c.number >> 6] |= <uint64_t>1 << (c.number & 63)
    s.disturbed = True


cdef inline void cpu_leave(sched *s, cpu *c) noexcept nogil:
    c.current = NULL
    c.left_at = s.now
    c.ends = FOREVER
    cpu_unsettle(s, c)


cdef inline void cpu_begin(sched *s, cpu *c) noexcept nogil:
    """Start the current task's step; a spinner's has no end of its own."""
    c.ends = FOREVER if c.current.left == FOREVER else s.now + c.current.left
    s.disturbed = True


cdef inline void cpu_displace(sched *s, cpu *c) noexcept nogil:
    """Put the current program back to where it waits first."""
    cdef task *t = c.current
    t.left += s.context_switch
    t.state = QUEUED
    cpu_leave(s, c)
    queue_appendleft(&c.queue, t)


cdef inline void sched_wake(sched *s, task *t) noexcept nogil:
    """Make a sleeping task wait for a CPU: its last, the lowest idle one, its last."""
    cdef int32_t i, chosen = t.cpu
    cdef cpu *c
    if t.state == UNINTERRUPTIBLE:
        s.uninterruptible -= 1
    if t.counted:
        s.pools[t.pool].running += 1
    if not t.bound and not cpu_takes_wakeups(&s.cpus[chosen]):
        for i in range(s.ncpus):
            if cpu_takes_wakeups(&s.cpus[i]):
                chosen = i
                break
    c = &s.cpus[chosen]
    t.cpu = chosen
    t.state = QUEUED
    t.left = s.context_switch
    cpu_unsettle(s, c)
    if t.pool < 0:
        queue_append(&c.queue, t)
        return
    queue_append(&c.urgent, t)
    if c.current == NULL:
        return
    if c.current.user:
        c.current.left = c.ends - s.now
        cpu_displace(s, c)
    elif c.current.spins:
        sched_stop_spinning(s, c.current)


cdef inline void pool_wake_worker(sched *s, worker_pool *pool) noexcept nogil:
    """Wake the latest idle worker if there is work and nobody runs."""
    if pool.worklist.length and not pool.running and pool.idle_last != NULL:
        if pool.idle_last.state == SLEEPING:
            sched_wake(s, pool.idle_last)


cdef inline void sched_sleep(sched *s, task *t, uint8_t state) noexcept nogil:
    """Take the current task *t* off its CPU."""
    cdef cpu *c = &s.cpus[t.cpu]
    t.state = state
    sched_stop_spinners(s, t)
    if state == UNINTERRUPTIBLE:
        s.uninterruptible += 1
        s.uninterruptible_peak = max(s.uninterruptible_peak, s.uninterruptible)
    if t.counted:
        s.pools[t.pool].running -= 1
        pool_wake_worker(s, &s.pools[t.pool])
    cpu_leave(s, c)
    c.was_idle |= cpu_idle(c)


cdef inline void spin_begin(sched *s, int number, task *t) noexcept nogil:
    """Let the last in line of a mutex spin."""
    cdef task **end = &s.mutexes[number].spinner
    while end[0] != NULL:
        end = &end[0].spin_next
    end[0] = t
    t.spin_next = NULL
    t.spins = 1 + number
    t.left = FOREVER


cdef inline void spin_end(sched *s, task *t) noexcept nogil:
    cdef task **link = &s.mutexes[t.spins - 1].spinner
    while link[0] != t:
        link = &link[0].spin_next
    link[0] = t.spin_next
    t.spins = 0


cdef inline void sched_stop_spinning(sched *s, task *t) noexcept nogil:
    """Send a spinner to sleep; one that the softirq interrupted goes on resuming."""
    t.left = 0
    if t.state == RUNNING:
        spin_end(s, t)
        sched_sleep(s, t, UNINTERRUPTIBLE)


cdef inline void sched_stop_spinners(sched *s, task *owner) noexcept nogil:
    """The owner leaves its CPU: who spins for its mutexes goes to sleep."""
    cdef int i
    cdef task *t
    cdef task *next
    for i in range(MUTEXES):
        if s.mutexes[i].owner == owner:
            t = s.mutexes[i].spinner
            while t != NULL:
                next = t.spin_next
                sched_stop_spinning(s, t)
                t = next


cdef inline frame *task_push(task *t, int32_t function) noexcept nogil:
    """Call a function: the frame that the task runs next."""
    cdef frame *f = &t.frames[t.depth]
    t.depth += 1
    f.function = function
    f.pc = 0
    f.a = f.b = f.c = f.d = NIL
    f.i = f.n = f.v = 0
    return f

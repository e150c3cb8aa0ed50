"""The event loop: the earliest event first, those of one instant by what they are.

Kinds in the order in which they run at one instant: tick, grace-period kthread, end of
a CPU's step, timer, worker cull, SLAB's reaper, load sample, timeline sample; within a
kind by number.
Ticks that would do nothing are skipped, which changes nothing else.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from slabcore.arena cimport NIL, arena, arena_take
from slabcore.clock cimport FOREVER, clock_next, clock_pop, lowest_bit
from slabcore.loadavg cimport EXP_1, EXP_5, EXP_15, load_step
from slabcore.paths cimport step
from slabcore.rcu cimport rcu_core, rcu_grace_period, rcu_needs_tick, rcu_next
from slabcore.sched cimport (
    GONE,
    QUEUED,
    RUNNING,
    SLEEPING,
    UNINTERRUPTIBLE,
    cpu,
    cpu_begin,
    cpu_crowded,
    cpu_displace,
    cpu_idle,
    cpu_leave,
    cpu_unsettle,
    queue_append,
    queue_appendleft,
    queue_popleft,
    sched_runnable,
    sched_sleep,
    sched_stop_spinners,
    sched_stop_spinning,
    spin_end,
    sched_wake,
    task,
)
from slabcore.workqueue cimport pool_cull
from slabcore.world cimport (
    DONE,
    EVENTS,
    IN_LINE,
    RUN,
    RUN_USER,
    SLEEP_D,
    W_REAP,
    YIELD,
    busy,
    end_beside,
    passes,
    queue_new_work,
    task_at,
    world,
)

cdef enum:  # event_kind
    TICK
    GRACE_PERIOD
    SEGMENT
    TIMER
    CULL
    REAP
    LOAD
    SAMPLE


cdef struct sample:
    int64_t t_ns
    int64_t caches
    int64_t caches_dying
    int64_t cgroups
    int64_t cgroups_dying
    int64_t kernfs_nodes
    int64_t slab_bytes
    int64_t kworkers
    int64_t uninterruptible
    double load1
    int64_t creations_pending
    int64_t callbacks


cdef struct engine:
    world w
    int64_t tick_ns
    int64_t tick_at         # the first tick after the time it was last looked at
    int64_t until           # a call runs no event that is later
    int64_t load_ns
    int64_t load_at
    int64_t sample_ns
    int64_t sample_at
    int64_t load_peak
    int64_t drained_at
    arena samples


cdef inline void note_drained(engine *e) noexcept nogil:
    cdef bint now_busy = busy(&e.w)
    if e.w.was_busy and not now_busy:
        e.drained_at = e.w.s.now
    e.w.was_busy = now_busy


cdef inline int resume(engine *e, cpu *c) except -1 nogil:
    """Run the current task up to its next step that takes time."""
    cdef task *t = c.current
    cdef int outcome
    t.left = 0
    t.user = 0
    c.ends = FOREVER
    if t.spins:
        # The softirq kept it from seeing that the owner left its CPU.
        spin_end(&e.w.s, t)
        sched_sleep(&e.w.s, t, UNINTERRUPTIBLE)
        return 0
    while True:
        outcome = step(&e.w, t)
        if outcome == DONE:
            t.state = GONE
            e.w.n.threads -= 1
            cpu_leave(&e.w.s, c)
            c.was_idle |= cpu_idle(c)
            if t == e.w.main:
                e.w.main = NULL
                e.w.main_result = t.result
                e.w.main_cpu = t.cpu
            if t.ticket:
                end_beside(&e.w, t)
            t.next = e.w.s.spare_tasks
            e.w.s.spare_tasks = t
            return 0
        if outcome == RUN or outcome == RUN_USER:
            if not t.left:
                continue
            t.user = outcome == RUN_USER
            if t.user and c.urgent.first != NULL:
                cpu_displace(&e.w.s, c)
            elif passes(&e.w, t, t.left):
                t.left = 0
                t.user = 0
                continue
            else:
                cpu_begin(&e.w.s, c)
        elif outcome == IN_LINE:
            if t.spins:
                cpu_begin(&e.w.s, c)
            else:
                sched_sleep(&e.w.s, t, UNINTERRUPTIBLE)
        elif outcome == YIELD:
            t.state = QUEUED
            cpu_leave(&e.w.s, c)
            queue_append(&c.queue, t)
        else:
            sched_sleep(
                &e.w.s, t, UNINTERRUPTIBLE if outcome == SLEEP_D else SLEEPING
            )
        return 0


cdef inline int dispatch(engine *e, cpu *c, int32_t number) except -1 nogil:
    cdef task *t
    t = queue_popleft(&c.urgent if c.urgent.first != NULL else &c.queue)
    if t.interrupted and t.user and c.urgent.first != NULL:
        t.interrupted = 0
        t.left += e.w.s.context_switch
        queue_appendleft(&c.queue, t)
        t = queue_popleft(&c.urgent)
    c.current = t
    t.cpu = number
    t.state = RUNNING
    if t.interrupted:
        t.interrupted = 0
    elif not t.is_softirq:
        c.qs = 1
    if t.left:
        cpu_begin(&e.w.s, c)
        return 0
    return resume(e, c)


cdef inline int settle(engine *e) except -1 nogil:
    """Put waiting tasks on idle CPUs, the lowest CPU first."""
    cdef int32_t word = 0, i
    cdef cpu *c
    while 64 * word < e.w.s.ncpus:
        if not e.w.s.unsettled[word]:
            word += 1
            continue
        i = 64 * word + lowest_bit(e.w.s.unsettled[word])
        e.w.s.unsettled[word] &= e.w.s.unsettled[word] - 1
        c = &e.w.s.cpus[i]
        if c.current == NULL and cpu_crowded(c):
            dispatch(e, c, i)
            word = 0
    note_drained(e)
    return 0


cdef inline void tick(engine *e, int32_t number) noexcept nogil:
    cdef cpu *c = &e.w.s.cpus[number]
    cdef task *t = c.current
    cdef bint idle = cpu_idle(c)
    if idle and e.w.r.data[number].tail == e.w.r.data[number].head:
        return                  # dynticks: an idle CPU without callbacks does not tick
    if idle or (t != NULL and t.user):
        c.qs = 1
    if t != NULL and t.spins and cpu_crowded(c):
        sched_stop_spinning(&e.w.s, t)
    elif t != NULL and not t.is_softirq and cpu_crowded(c):
        sched_stop_spinners(&e.w.s, t)
        t.left = c.ends - e.w.s.now + e.w.s.context_switch
        t.state = QUEUED
        cpu_leave(&e.w.s, c)
        queue_append(&c.queue, t)
    rcu_core(&e.w.r, &e.w.s, number)
    if e.w.r.data[number].done > e.w.r.data[number].head and not c.softirq_active:
        c.softirq_active = 1
        if c.current != NULL:
            t = c.current
            if not t.spins:
                t.left = c.ends - e.w.s.now
            t.interrupted = 1
            t.state = QUEUED
            cpu_leave(&e.w.s, c)
            queue_appendleft(&c.urgent, t)
        queue_appendleft(&c.urgent, c.softirq)
        cpu_unsettle(&e.w.s, c)


cdef inline bint needs_tick(const engine *e) noexcept nogil:
    cdef int32_t i
    cdef const cpu *c
    for i in range(e.w.s.ncpus):
        c = &e.w.s.cpus[i]
        if c.current != NULL and cpu_crowded(c):
            return True
        if rcu_needs_tick(&e.w.r, c, i):
            return True
    return False


cdef inline bint nothing_runs(engine *e) noexcept nogil:
    """Tell whether no task runs or will, but for SLAB's reapers."""
    cdef int32_t i
    for i in range(e.w.s.ncpus):
        if not cpu_idle(&e.w.s.cpus[i]):
            return False
    return (
        clock_next(&e.w.s.timers) == FOREVER
        and not e.w.r.callbacks
        and e.w.r.gpnum == e.w.r.completed
    )


cdef inline int32_t first_cull(engine *e) noexcept nogil:
    """Return the pool that culls first."""
    cdef int32_t i, first = 0
    for i in range(1, e.w.s.ncpus + 1):
        if e.w.s.pools[i].cull_at < e.w.s.pools[first].cull_at:
            first = i
    e.w.s.cull_at = e.w.s.pools[first].cull_at
    return first


cdef inline int32_t first_reap(engine *e) noexcept nogil:
    """Return the CPU whose reaper passes first."""
    cdef int32_t i, first = 0
    for i in range(1, e.w.s.ncpus):
        if e.w.s.cpus[i].reap_at < e.w.s.cpus[first].reap_at:
            first = i
    e.w.s.reap_at = e.w.s.cpus[first].reap_at
    return first


cdef inline int64_t next_event(engine *e, int *kind, int32_t *number) noexcept nogil:
    """Return when the next event is, of what kind, and of which CPU or pool."""
    cdef int64_t now = e.w.s.now
    cdef int64_t segment = FOREVER, second = FOREVER, when, at
    cdef int32_t i, first = 0, cpu_number = 0
    # The end of a step that comes first, and when the next one of another CPU is.
    for i in range(e.w.s.ncpus):
        at = e.w.s.cpus[i].ends
        second = min(second, max(segment, at))
        cpu_number = i if at < segment else cpu_number
        segment = min(segment, at)
    # Of all else, what comes first: kinds from the last of an instant to the first.
    when, kind[0] = e.sample_at, SAMPLE
    if e.load_at <= when:
        when, kind[0] = e.load_at, LOAD
    if e.w.s.reap_at <= when:
        i = first_reap(e)
        if e.w.s.reap_at <= when:
            when, kind[0], first = e.w.s.reap_at, REAP, i
    if e.w.s.cull_at <= when:
        i = first_cull(e)
        if e.w.s.cull_at <= when:
            when, kind[0], first = e.w.s.cull_at, CULL, i
    at = clock_next(&e.w.s.timers)
    if at <= when:
        when, kind[0] = at, TIMER
    at = rcu_next(&e.w.r, now)
    if at <= when:
        when, kind[0] = at, GRACE_PERIOD
    if now >= e.tick_at:
        e.tick_at = (now // e.tick_ns + 1) * e.tick_ns
    # Whether the tick is needed may change until then.
    e.w.s.horizon = min(second, when, e.tick_at)
    if e.until < e.w.s.horizon:
        e.w.s.horizon = e.until + 1
    number[0] = first
    e.w.s.disturbed = True
    if segment < when or (segment == when and kind[0] != GRACE_PERIOD):
        when, kind[0], number[0] = segment, SEGMENT, cpu_number
        e.w.s.disturbed = False
    if e.tick_at <= when and needs_tick(e):
        e.w.s.disturbed = True
        kind[0] = TICK
        return e.tick_at
    return when


cdef inline void sample_load(engine *e) noexcept nogil:
    cdef int64_t active = e.w.s.uninterruptible + sched_runnable(&e.w.s)
    e.w.load[0] = load_step(e.w.load[0], EXP_1, active)
    e.w.load[1] = load_step(e.w.load[1], EXP_5, active)
    e.w.load[2] = load_step(e.w.load[2], EXP_15, active)
    e.load_peak = max(e.load_peak, e.w.load[0])


cdef inline int take_sample(engine *e) except -1 nogil:
    cdef uint32_t i
    cdef sample *row
    arena_take(&e.samples, &i)
    row = &(<sample *>e.samples.entries)[i]
    row.t_ns = e.w.s.now
    row.caches = e.w.n.caches
    row.caches_dying = e.w.n.caches_dying
    row.cgroups = e.w.n.cgroups
    row.cgroups_dying = e.w.n.cgroups_dying
    row.kernfs_nodes = e.w.n.nodes
    row.slab_bytes = e.w.n.slab_bytes
    row.kworkers = e.w.q.kworkers
    row.uninterruptible = e.w.s.uninterruptible
    row.load1 = e.w.load[0] / 2048.0
    row.creations_pending = e.w.n.creations_pending
    row.callbacks = e.w.r.callbacks
    return 0


cdef inline int run_event(
    engine *e, int64_t when, int kind, int32_t number
) except -1 nogil:
    cdef int32_t i
    e.w.s.now = when
    e.w.steps += 1
    if kind == TICK:
        for i in range(e.w.s.ncpus):
            tick(e, i)
    elif kind == GRACE_PERIOD:
        rcu_grace_period(&e.w.r, &e.w.s)
    elif kind == SEGMENT:
        resume(e, &e.w.s.cpus[number])
    elif kind == TIMER:
        sched_wake(&e.w.s, task_at(&e.w, clock_pop(&e.w.s.timers)))
    elif kind == CULL:
        pool_cull(&e.w.s, &e.w.q, &e.w.s.pools[number])
    elif kind == REAP:
        e.w.s.cpus[number].reap_at = FOREVER
        e.w.reaps += 1
        queue_new_work(&e.w, number, EVENTS, W_REAP, NIL, NIL)
    elif kind == LOAD:
        sample_load(e)
        e.load_at += e.load_ns
    else:
        take_sample(e)
        e.sample_at += e.sample_ns
    return settle(e)

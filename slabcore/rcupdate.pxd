"""Waiting for RCU, and what its callbacks do. kernel/rcu/tree.c, update.c, sync.c"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from slabcore.arena cimport NIL, arena_extend
from slabcore.memcontrol cimport mem_cgroup, memcg_at, objcg_at
from slabcore.rcu cimport (
    call_rcu,
    rcu_batch,
    rcu_batch_end,
    rcu_data,
    rcu_entrain,
    rcu_head,
    rcu_qlen,
    rcu_stamp,
    rcu_take,
)
from slabcore.sched cimport (
    BARRIER_MUTEX,
    CGROUP_MUTEX,
    SLAB_MUTEX,
    cpu_crowded,
    frame,
    sched_wake,
    task,
)
from slabcore.slab cimport LIVE, cache_at, kmem_cache, queued_at
from slabcore.workqueue cimport queue_flush
from slabcore.world cimport (
    BARRIER_UNDER_CGROUP,
    BARRIER_UNDER_SLAB,
    CB_BARRIER,
    CB_CACHE_FREE,
    CB_CACHE_KILLED,
    CB_CGROUP_FREE,
    CB_CSS_FREE,
    CB_CSS_KILLED,
    CB_DEACTIVATE,
    CB_OBJCG_KILLED,
    CB_RCU_SYNC,
    CB_SLAB,
    CB_WAKE,
    CGROUP_DESTROY,
    DONE,
    EV_CSS_KILLED_REF,
    EV_RCU_BARRIER,
    EV_SYNCHRONIZE_SCHED,
    GP_UNDER_CGROUP,
    GP_UNDER_SLAB,
    PAGE_FREE_QUEUED,
    PAGE_FREE_RAN,
    RUN,
    SLEEP,
    SLEEP_D,
    SYNC_IDLE,
    SYNC_PENDING,
    SYNC_REPLAY,
    T_BARRIERS,
    T_CALLBACKS,
    T_GRACE_PERIODS,
    T_IPIS,
    W_CGROUP_FREE,
    W_DEACTIVATE,
    W_FREE,
    W_OFFLINE,
    WORK_ON_DESTROYED,
    YIELD,
    cache_put,
    find,
    give_cache,
    lock,
    note,
    note_schedule,
    objcg_put,
    passes,
    put_kobject,
    queue_new_work,
    run,
    spend,
    task_at,
    uncharge,
    unlock,
    world,
)


cdef inline int rcu_sync_exit(world *w, int32_t cpu) except -1 nogil:
    w.rss_count -= 1
    if w.rss_callback == SYNC_IDLE:
        w.rss_callback = SYNC_PENDING
        call_rcu(&w.r, cpu, CB_RCU_SYNC, 0)
    elif w.rss_callback == SYNC_PENDING:
        w.rss_callback = SYNC_REPLAY
    return 0


cdef inline int rcu_sync_callback(world *w, int32_t cpu) except -1 nogil:
    if w.rss_count:
        w.rss_callback = SYNC_IDLE
    elif w.rss_callback == SYNC_REPLAY:
        w.rss_callback = SYNC_PENDING
        call_rcu(&w.r, cpu, CB_RCU_SYNC, 0)
    else:
        w.rss_callback = w.rss_state = SYNC_IDLE
    return 0


cdef inline int invoke(
    world *w, int32_t cpu, uint32_t kind, uint32_t arg
) except -1 nogil:
    """Run a callback: the one before the CPU's first."""
    cdef const rcu_data *d = &w.r.data[cpu]
    cdef const rcu_stamp *stamp
    cdef kmem_cache *c
    cdef task *t
    cdef mem_cgroup *m
    if kind == CB_WAKE:
        sched_wake(&w.s, task_at(w, arg))
    elif kind == CB_BARRIER:
        w.barrier_count -= 1
        if not w.barrier_count and w.barrier_waiter != NULL:
            t = w.barrier_waiter
            w.barrier_waiter = NULL
            sched_wake(&w.s, t)
    elif kind == CB_RCU_SYNC:
        rcu_sync_callback(w, cpu)
    elif kind == CB_CSS_KILLED:
        note(w, EV_CSS_KILLED_REF, cpu, arg, NIL)
        m = memcg_at(&w.m, arg)
        m.online_children -= 1
        if not m.online_children:
            queue_new_work(w, cpu, CGROUP_DESTROY, W_OFFLINE, arg, NIL)
    elif kind == CB_CSS_FREE:
        queue_new_work(w, cpu, CGROUP_DESTROY, W_FREE, arg, NIL)
    elif kind == CB_CGROUP_FREE:
        queue_new_work(w, cpu, CGROUP_DESTROY, W_CGROUP_FREE, arg, NIL)
    elif kind == CB_DEACTIVATE:
        queue_new_work(w, cpu, w.k.deactivate_queue, W_DEACTIVATE, arg, NIL)
    elif kind == CB_SLAB:
        if (
            w.scheduled == PAGE_FREE_RAN
            and w.schedule[PAGE_FREE_QUEUED].cpu == cpu
            and w.too_late == d.head - 1
        ):
            note_schedule(w, PAGE_FREE_RAN, w.s.now, cpu, 0)
        cache_at(&w.c, arg).page_frees -= 1
        uncharge(w, cpu, arg, 1)
        give_cache(w, arg)
    elif kind == CB_CACHE_KILLED:
        c = cache_at(&w.c, arg)
        c.works -= 1
        if c.life == LIVE:
            c.killed = 1
            cache_put(w, cpu, arg, 1)
        else:
            find(w, WORK_ON_DESTROYED)
        give_cache(w, arg)
    elif kind == CB_OBJCG_KILLED:
        objcg_at(&w.m, arg).killed = 1
        objcg_put(w, cpu, arg, 1)
    elif kind == CB_CACHE_FREE:
        arena_extend(&w.c.queued, w.c.caches.used)
        stamp = &d.stamps[(d.head - 1) & (d.capacity - 1)]
        queued_at(&w.c, arg).at = stamp.at
        queued_at(&w.c, arg).ahead = stamp.ahead
        queued_at(&w.c, arg).cpus = cpu + 1
        put_kobject(w, cpu, arg)
    return 0


cdef inline int softirq(world *w, task *t, frame *f) except -1 nogil:
    """Invoke callbacks whose grace period is over, in batches (rcu_do_batch())."""
    cdef rcu_data *d = &w.r.data[t.cpu]
    cdef int64_t _i
    cdef rcu_head head
    while True:
        if f.pc == 0:
            f.n = rcu_batch(d)
            if not f.n:
                w.s.cpus[t.cpu].softirq_active = 0
                return SLEEP
            f.pc = 1
            if passes(w, t, spend(w, T_CALLBACKS, f.n * w.cost.rcu_callback)):
                continue
            return RUN
        for _i in range(f.n):
            head = rcu_take(&w.r, d)
            invoke(w, t.cpu, head.kind, head.arg)
        rcu_batch_end(&w.r, d)
        f.pc = 0
        if d.done > d.head and cpu_crowded(&w.s.cpus[t.cpu]):
            return YIELD


cdef inline int synchronize(world *w, task *t, frame *f) except -1 nogil:
    """Wait for a grace period, as synchronize_sched() does."""
    if f.pc == 2:
        return DONE
    if f.pc:
        spend(w, T_GRACE_PERIODS, w.s.now - f.v)
        return DONE
    note(w, EV_SYNCHRONIZE_SCHED, t.cpu, NIL, NIL)
    if w.expedited:
        # The other CPUs are interrupted instead (kernel/rcu/tree_exp.h).
        w.n.expedited_waits += 1
        f.pc = 2
        return run(t, spend(w, T_IPIS, w.cost.ipi * (w.s.ncpus - 1)))
    if w.s.mutexes[SLAB_MUTEX].owner == t:
        w.n.sync_under_slab += 1
        if w.s.ncpus > 1:
            find(w, GP_UNDER_SLAB)
    if w.s.mutexes[CGROUP_MUTEX].owner == t:
        w.n.sync_under_cgroup += 1
        if w.s.ncpus > 1:
            find(w, GP_UNDER_CGROUP)
    w.n.sync_under_hotplug += t.in_hotplug
    w.n.sync_waits += 1
    if w.s.ncpus == 1:
        return DONE             # rcu_blocking_is_gp()
    call_rcu(&w.r, t.cpu, CB_WAKE, t.index)
    f.v = w.s.now
    f.pc = 1
    return SLEEP_D


cdef inline int barrier(world *w, task *t, frame *f) except -1 nogil:
    """Wait until all callbacks queued so far were invoked, as rcu_barrier() does."""
    while True:
        if f.pc == 0:
            note(w, EV_RCU_BARRIER, t.cpu, NIL, NIL)
            w.n.barriers += 1
            if w.s.mutexes[SLAB_MUTEX].owner == t:
                find(w, BARRIER_UNDER_SLAB)
            if w.s.mutexes[CGROUP_MUTEX].owner == t:
                find(w, BARRIER_UNDER_CGROUP)
            f.v = (w.barrier_sequence + 3) & ~<int64_t>1
            f.n = w.s.now
            f.pc = 1
            return lock(w, t, BARRIER_MUTEX)
        elif f.pc == 1:
            spend(w, T_BARRIERS, w.s.now - f.n)
            if w.barrier_sequence >= f.v:
                unlock(w, BARRIER_MUTEX)
                return DONE
            w.barrier_sequence += 1
            f.i = 0
            f.pc = 2
        elif f.pc == 2:
            while f.i < w.s.ncpus and not rcu_qlen(&w.r.data[f.i]):
                f.i += 1
            if f.i < w.s.ncpus:
                w.n.ipis += 1
                f.pc = 3
                if passes(w, t, spend(w, T_IPIS, w.cost.ipi)):
                    continue
                return RUN
            f.pc = 4
            f.n = w.s.now
            if w.barrier_count:
                w.barrier_waiter = t
                return SLEEP_D
        elif f.pc == 3:
            if not w.k.entrained:
                w.barrier_count += 1
                call_rcu(&w.r, <int32_t>f.i, CB_BARRIER, 0)
            elif rcu_entrain(&w.r, <int32_t>f.i, CB_BARRIER):
                w.barrier_count += 1
            f.i += 1
            f.pc = 2
        else:
            spend(w, T_BARRIERS, w.s.now - f.n)
            w.barrier_sequence += 1
            unlock(w, BARRIER_MUTEX)
            return DONE


cdef inline int flush_workqueue(world *w, task *t, frame *f) noexcept nogil:
    """Wait for the creations, then the deactivations, that are queued or run now."""
    if f.pc == 0:
        f.pc = 1
        if queue_flush(&w.q, w.k.create_queue, t):
            return SLEEP_D
    if f.pc == 1:
        f.pc = 2
        if w.k.deactivate_queue != w.k.create_queue and (
            queue_flush(&w.q, w.k.deactivate_queue, t)
        ):
            return SLEEP_D
    return DONE

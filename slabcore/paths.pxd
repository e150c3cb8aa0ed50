"""The step of a task: which function stands on top of its stack."""

from libc.stdint cimport int32_t

from slabcore.arena cimport NIL, arena_give_back, prefetch
from slabcore.memcontrol cimport memcg_prefetch
from slabcore.sched cimport (
    frame,
    pool_wake_worker,
    task,
    work,
    work_list,
    worker_pool,
)
from slabcore.slab cimport cache_prefetch
from slabcore.workqueue cimport (
    pool_enter_idle,
    pool_leave_idle,
    queue_count_out,
    queue_finish,
    work_at,
    work_popleft,
)
from slabcore.world cimport (
    CALL,
    CB_CGROUP_FREE,
    CB_CSS_FREE,
    DONE,
    EV_EXECUTE_END,
    EV_EXECUTE_START,
    F_ALLOC,
    F_ATTACH,
    F_BARRIER,
    F_BARRIER_WORK,
    F_BURST,
    F_CONFIGURE,
    F_CGROUP_FREE_WORK,
    F_CREATE_ROOT,
    F_CREATE_WORK,
    F_DEACTIVATE,
    F_DEACTIVATE_WORK,
    F_DELETE_DIRECTORY,
    F_DESTROY,
    F_DESTROY_ROOT,
    F_DROP_CACHES,
    F_FLUSH_WORKQUEUE,
    F_FREE_OBJECTS,
    F_FREE_WORK,
    F_GROW,
    F_HOLD_MUTEX,
    F_HOTPLUG,
    F_MISS,
    F_MKDIR,
    F_OFFLINE_WORK,
    F_PROGRAM,
    F_READ_FILE,
    F_REAP_WORK,
    F_RELEASE_LATER,
    F_RELEASE_WORK,
    F_REMOVE_DIRECTORY_WORK,
    F_RMDIR,
    F_SHUTDOWN,
    F_SHUTDOWN_WORK,
    F_SLABINFO,
    F_SOFTIRQ,
    F_SYNCHRONIZE,
    F_UNPIN,
    F_UNPIN_ALL,
    F_WORKER,
    RUN,
    SLEEP,
    T_WORKERS,
    W_BARRIER,
    W_CGROUP_FREE,
    W_CGROUP_RELEASE,
    W_CREATE,
    W_DEACTIVATE,
    W_FREE,
    W_OFFLINE,
    W_REAP,
    W_RELEASE,
    W_REMOVE_DIRECTORY,
    W_SHUTDOWN,
    call,
    new_worker,
    note_work,
    passes,
    run,
    spend,
    world,
)
from slabcore.rcupdate cimport barrier, flush_workqueue, softirq, synchronize
from slabcore.slab_common cimport (
    barrier_work,
    configure,
    create_root,
    create_work,
    deactivate,
    deactivate_work,
    delete_directory,
    destroy,
    destroy_root,
    hotplug,
    miss,
    reap_work,
    release_cache,
    release_later,
    remove_directory_work,
    shutdown_cache,
    shutdown_work,
)
from slabcore.cgroup cimport (
    attach,
    cgroup_free_work,
    free_work,
    grow,
    mkdir,
    offline_work,
    release_work,
    rmdir,
)
from slabcore.procfs cimport read_file
from slabcore.programs cimport (
    alloc,
    burst,
    drop_caches,
    free_objects,
    hold_mutex,
    run_program,
    slabinfo,
    unpin,
    unpin_all,
)


cdef inline void look_ahead(world *w, const work_list *worklist) noexcept nogil:
    """Ask for what the next work item is about, and for the item that follows it."""
    cdef const work *item
    if worklist.first == NIL:
        return
    item = work_at(&w.q, worklist.first)
    if item.next != NIL:
        prefetch(work_at(&w.q, item.next))
    if item.kind in (W_DEACTIVATE, W_SHUTDOWN, W_REMOVE_DIRECTORY):
        cache_prefetch(&w.c, item.a)
    elif item.kind == W_CREATE:
        memcg_prefetch(&w.m, item.b)
    elif item.kind != W_BARRIER and item.kind != W_REAP:
        memcg_prefetch(&w.m, item.a)


cdef inline int worker(world *w, task *t, frame *f) except -1 nogil:
    """Be worker_thread(): run the list until it is empty or another worker runs."""
    cdef worker_pool *p = &w.s.pools[t.pool]
    cdef work *item
    cdef int32_t queue
    while True:
        if f.pc == 0:
            pool_leave_idle(p, t)
            f.pc = 1
        elif f.pc == 1:
            if not p.worklist.length or p.running:
                pool_enter_idle(&w.s, p, t)
                f.pc = 0
                return SLEEP
            if not p.idle and not p.managing:
                p.managing = 1
                f.pc = 2
                if passes(w, t, spend(w, T_WORKERS, w.cost.worker_create)):
                    continue
                return RUN
            if p.cpu >= 0:
                t.counted = 1
                p.running += 1
            f.pc = 3
        elif f.pc == 2:
            p.managing = 0
            new_worker(w, t.pool)
            f.pc = 1
        elif f.pc == 3:
            if p.worklist.length and p.running <= 1:
                f.a = work_popleft(&w.q, &p.worklist)
                look_ahead(w, &p.worklist)
                if p.cpu < 0:
                    pool_wake_worker(&w.s, p)
                f.pc = 4
            else:
                if p.cpu >= 0:
                    t.counted = 0
                    p.running -= 1
                f.pc = 1
        elif f.pc == 4:
            note_work(w, EV_EXECUTE_START, t.cpu, f.a)
            item = work_at(&w.q, f.a)
            queue = item.queue
            w.q.run[queue] += 1
            w.q.longest_pending_ns[queue] = max(
                w.q.longest_pending_ns[queue], w.s.now - item.queued_at
            )
            item.pending = item.again = 0
            item.running = 1
            f.v = item.before_flush
            f.pc = 5
            return call_work(w, t, item)
        else:
            note_work(w, EV_EXECUTE_END, t.cpu, f.a)
            item = work_at(&w.q, f.a)
            item.running = 0
            w.q.outstanding -= 1
            w.q.worked_at = w.s.now
            queue_count_out(&w.s, &w.q, item.queue, f.v)
            f.pc = 4
            if not item.again:
                queue_finish(&w.s, &w.q, item.queue, t.cpu)
                if f.a != w.destroy_work:
                    arena_give_back(&w.q.works, f.a, w.destroy_work + 1)
                f.pc = 3


cdef inline int call_work(world *w, task *t, work *item) noexcept nogil:
    if item.kind == W_CREATE:
        return call(t, F_CREATE_WORK, item.a, item.b)
    if item.kind == W_OFFLINE:
        return call(t, F_OFFLINE_WORK, item.a, NIL)
    if item.kind == W_RELEASE:
        return call(t, F_RELEASE_WORK, item.a, CB_CSS_FREE)
    if item.kind == W_FREE:
        return call(t, F_FREE_WORK, item.a, NIL)
    if item.kind == W_CGROUP_RELEASE:
        return call(t, F_RELEASE_WORK, item.a, CB_CGROUP_FREE)
    if item.kind == W_CGROUP_FREE:
        return call(t, F_CGROUP_FREE_WORK, item.a, NIL)
    if item.kind == W_DEACTIVATE:
        return call(t, F_DEACTIVATE_WORK, item.a, NIL)
    if item.kind == W_REAP:
        return call(t, F_REAP_WORK, NIL, NIL)
    if item.kind == W_SHUTDOWN:
        return call(t, F_SHUTDOWN_WORK, item.a, NIL)
    if item.kind == W_REMOVE_DIRECTORY:
        return call(t, F_REMOVE_DIRECTORY_WORK, item.a, NIL)
    return call(t, F_BARRIER_WORK, NIL, NIL)


cdef inline int step(world *w, task *t) except -1 nogil:
    """Run the task's innermost functions up to where one of them stops."""
    cdef frame *f
    cdef int32_t function
    cdef int outcome
    while True:
        f = &t.frames[t.depth - 1]
        function = f.function
        if function == F_SOFTIRQ:
            outcome = softirq(w, t, f)
        elif function == F_WORKER:
            outcome = worker(w, t, f)
        elif function == F_PROGRAM:
            outcome = run_program(w, t, f)
        elif function == F_BURST:
            outcome = burst(w, t, f)
        elif function == F_ALLOC:
            outcome = alloc(w, t, f)
        elif function == F_MISS:
            outcome = miss(w, t, f)
        elif function == F_CREATE_WORK:
            outcome = create_work(w, t, f)
        elif function == F_MKDIR:
            outcome = mkdir(w, t, f)
        elif function == F_GROW:
            outcome = grow(w, t, f)
        elif function == F_RMDIR:
            outcome = rmdir(w, t, f)
        elif function == F_ATTACH:
            outcome = attach(w, t, f)
        elif function == F_FREE_OBJECTS:
            outcome = free_objects(w, t, f)
        elif function == F_DROP_CACHES:
            outcome = drop_caches(w, t, f)
        elif function == F_UNPIN:
            outcome = unpin(w, t, f)
        elif function == F_UNPIN_ALL:
            outcome = unpin_all(w, t, f)
        elif function == F_SLABINFO:
            outcome = slabinfo(w, t, f)
        elif function == F_READ_FILE:
            outcome = read_file(w, t, f)
        elif function == F_CREATE_ROOT:
            outcome = create_root(w, t, f)
        elif function == F_SYNCHRONIZE:
            outcome = synchronize(w, t, f)
        elif function == F_BARRIER:
            outcome = barrier(w, t, f)
        elif function == F_OFFLINE_WORK:
            outcome = offline_work(w, t, f)
        elif function == F_RELEASE_WORK:
            outcome = release_work(w, t, f)
        elif function == F_FREE_WORK:
            outcome = free_work(w, t, f)
        elif function == F_CGROUP_FREE_WORK:
            outcome = cgroup_free_work(w, t, f)
        elif function == F_DEACTIVATE_WORK:
            outcome = deactivate_work(w, t, f)
        elif function == F_BARRIER_WORK:
            outcome = barrier_work(w, t, f)
        elif function == F_DEACTIVATE:
            outcome = deactivate(w, t, f)
        elif function == F_DESTROY:
            outcome = destroy(w, t, f)
        elif function == F_HOTPLUG:
            outcome = hotplug(w, t, f)
        elif function == F_CONFIGURE:
            outcome = configure(w, t, f)
        elif function == F_REAP_WORK:
            outcome = reap_work(w, t, f)
        elif function == F_SHUTDOWN_WORK:
            outcome = shutdown_work(w, t, f)
        elif function == F_DESTROY_ROOT:
            outcome = destroy_root(w, t, f)
        elif function == F_SHUTDOWN:
            outcome = shutdown_cache(w, t, f)
        elif function == F_RELEASE_LATER:
            outcome = release_later(w, t, f)
        elif function == F_FLUSH_WORKQUEUE:
            outcome = flush_workqueue(w, t, f)
        elif function == F_DELETE_DIRECTORY:
            outcome = delete_directory(w, t, f)
        elif function == F_REMOVE_DIRECTORY_WORK:
            outcome = remove_directory_work(w, t, f)
        elif function == F_HOLD_MUTEX:
            outcome = hold_mutex(w, t, f)
        else:
            outcome = release_cache(w, t, f)
        if outcome == DONE:
            t.depth -= 1
            if not t.depth:
                return DONE
        elif outcome != CALL:
            return outcome

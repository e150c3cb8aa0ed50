"""A world as bytes and back: sections of records, each with the layout that it has.

A record is the fields of a struct one behind the other, without gaps, little-endian. A
pointer to a task is the task's index; lists are the indices that link them. What can be
made again is left out: the knobs and costs, which come from the design and the machine,
calendars, rings and capacities.

What is read is looked at first: that the sections are those of this world, that their
bytes are there, and that each figure is one its field can have. Then the world is
filled in. Whether its parts fit each other is for admission.pxd to say.
"""

from libc.stdint cimport (
    int8_t,
    int16_t,
    int32_t,
    int64_t,
    uint8_t,
    uint16_t,
    uint32_t,
    uint64_t,
)
from libc.stdio cimport snprintf
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memset, strlen

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport (
    MAX_ENTRIES,
    NIL,
    arena,
    arena_extend,
    arena_init,
    arena_reserve_spares,
    arena_resize,
    arena_zeroed,
)
from slabcore.clock cimport (
    FOREVER,
    clock_push,
    clock_queue,
    dated_timer,
    lowest_bit,
    timer,
)
from slabcore.engine cimport engine, sample
from slabcore.list cimport list_cursor_open, list_head
from slabcore.log cimport SOFTIRQ_TASK, record
from slabcore.memcontrol cimport (
    ID_WORDS,
    holding,
    mem_cgroup,
    memcg_at,
    obj_cgroup,
)
from slabcore.procfs cimport file_list, file_set_up
from slabcore.rcu cimport rcu_at, rcu_data, rcu_head, rcu_qlen, rcu_reserve, rcu_stamp
from slabcore.sched cimport (
    FRAMES,
    GONE,
    LOCKS,
    TASKS_A_CHUNK,
    cpu,
    frame,
    mutex,
    task,
    work,
    work_list,
    worker_pool,
)
from slabcore.seq_file cimport SEQ_PAGE
from slabcore.slab cimport (
    FREED,
    cache_links,
    kmem_cache,
    moved_cache,
    plugged_cache,
    queued_cache,
    root_at,
    root_cache,
)
from slabcore.workqueue cimport QUEUES, pool_queue
from slabcore.world cimport (
    CAUSES,
    CB_CACHE_FREE,
    CB_SLAB,
    EVENT_KINDS,
    FILE_CGROUP_STAT,
    FILE_KINDS,
    FILE_MEMCG_SLABINFO,
    FINDINGS,
    F_HOLD_MUTEX,
    HOP_KINDS,
    LIST_NONE,
    SCHEDULE_EVENTS,
    STEPS_A_LOOK,
    SYNC_REPLAY,
    WATCH_KINDS,
    W_REMOVE_DIRECTORY,
    file_at,
    finished,
    hold,
    kept_memcg,
    mark,
    open_file,
    program,
    schedule_event,
    slabinfo_read,
    tally,
    task_at,
    task_chunk,
    watch,
    world,
)

cdef extern from *:
    """
    #define SLABCORE_FARTHEST_FIGURE ((int64_t)1 << 62)
    """
    const int64_t FAR "SLABCORE_FARTHEST_FIGURE"

cdef enum:
    FIELDS = 160            # of a layout, at most
    LAYOUT_ROOM = 8192      # for its text
    LARGEST_TEXT = 1 << 16  # buffer of an open file: a record of ours is under 1 KiB
    BLOCK = 256             # records that are looked at in a row

cdef enum:
    LAST_FUNCTION = F_HOLD_MUTEX

cdef enum:  # kind of a field
    K_U1
    K_U2
    K_U4
    K_U8
    K_I1
    K_I2
    K_I4
    K_I8
    K_F8
    K_TASK                  # a task's index instead of its address; NIL: NULL
    KINDS

cdef enum:  # section
    S_WORLD
    S_MUTEXES
    S_CPUS
    S_RCU
    S_POOLS
    S_QUEUES
    S_STOCK
    S_KMEMCG_IDS
    S_IDS
    S_TASKS
    S_FRAMES
    S_TIMERS
    S_CALLBACKS
    S_STAMPS
    S_WORKS
    S_SPARE_WORKS
    S_LINKS
    S_CACHES
    S_SPARE_CACHES
    S_MOVED
    S_PLUGGED
    S_QUEUED
    S_MISSED
    S_SPARE_MISSED
    S_ROOTS
    S_SLOTS
    S_ACCOUNTED
    S_GROUPS
    S_SPARE_GROUPS
    S_OBJCGS
    S_SPARE_OBJCGS
    S_HOLDINGS
    S_SPARE_HOLDINGS
    S_PROGRAMS
    S_STEPS
    S_DELAYS
    S_LOG
    S_KEPT
    S_MARKS
    S_NAMES
    S_SPARE_FILES
    S_FILES
    S_TEXT
    S_DELIVERED
    S_SLABINFO_READS
    S_FINISHED
    S_WATCHES
    S_HOLDS
    S_SAMPLES
    SECTIONS


cdef struct field:
    const char *name
    uint32_t offset         # in the struct
    uint32_t times          # an array of so many
    int kind
    bint nil                # all bits set is nobody
    int64_t low
    int64_t high


cdef struct stretch:        # of a struct that is copied at once
    uint32_t offset
    uint32_t bytes
    bint is_task            # or the index of a task in place of its address


cdef struct layout:
    const char *section
    field fields[FIELDS]
    int count
    stretch stretches[FIELDS]
    int nstretches
    char *base              # a struct, while it is described
    size_t stride           # bytes from one struct to the next
    size_t packed           # bytes of a record


cdef struct flaw:           # of what was read
    const char *section     # NULL: there is none
    const char *what        # NULL: the figure of a field
    const char *name        # of the field
    int64_t where           # the record
    int64_t value
    int64_t low
    int64_t high


cdef struct part:           # where a section's records are
    const char *at
    int64_t count


cdef struct image:
    char *to                # where the next byte goes; NULL: they are counted only
    size_t size             # so far
    part parts[SECTIONS]
    timer *timers           # in the order in which they are due
    flaw wrong


# --- layouts ------------------------------------------------------------------------


cdef inline size_t kind_size(int kind) noexcept nogil:
    if kind == K_U1 or kind == K_I1:
        return 1
    if kind == K_U2 or kind == K_I2:
        return 2
    if kind == K_U4 or kind == K_I4 or kind == K_TASK:
        return 4
    return 8


cdef inline size_t own_size(int kind) noexcept nogil:
    """Return what a field takes in its struct."""
    return sizeof(task *) if kind == K_TASK else kind_size(kind)


cdef inline const char *kind_name(int kind) noexcept nogil:
    if kind == K_U1:
        return "u1"
    if kind == K_U2:
        return "u2"
    if kind == K_U4 or kind == K_TASK:
        return "u4"
    if kind == K_U8:
        return "u8"
    if kind == K_I1:
        return "i1"
    if kind == K_I2:
        return "i2"
    if kind == K_I4:
        return "i4"
    return "f8" if kind == K_F8 else "i8"


cdef inline field *add(
    layout *l, const char *name, void *at, int kind, int64_t low, int64_t high
) noexcept nogil:
    """Describe a field, the address of which in a struct is *at*."""
    cdef field *f = &l.fields[l.count]
    f.name = name
    f.offset = <uint32_t>(<char *>at - l.base)
    f.times = 1
    f.kind = kind
    f.nil = False
    f.low = low
    f.high = high
    l.count += l.count < FIELDS - 1
    return f


cdef inline void flag(layout *l, const char *name, uint8_t *at) noexcept nogil:
    add(l, name, at, K_U1, 0, 1)


cdef inline void truth(layout *l, const char *name, void *at) noexcept nogil:
    add(l, name, at, K_I4, 0, 1)


cdef inline void few(
    layout *l, const char *name, uint8_t *at, int64_t high
) noexcept nogil:
    add(l, name, at, K_U1, 0, high)


cdef inline void count32(layout *l, const char *name, uint32_t *at) noexcept nogil:
    add(l, name, at, K_U4, 0, <int64_t>0xFFFFFFFF)


cdef inline void amount(layout *l, const char *name, int64_t *at) noexcept nogil:
    add(l, name, at, K_I8, 0, FAR)


cdef inline void figure(layout *l, const char *name, int64_t *at) noexcept nogil:
    add(l, name, at, K_I8, -FAR, FAR)


cdef inline void index(
    layout *l, const char *name, uint32_t *at, uint32_t end
) noexcept nogil:
    add(l, name, at, K_U4, 0, <int64_t>end - 1)


cdef inline void link(
    layout *l, const char *name, uint32_t *at, uint32_t end
) noexcept nogil:
    """Describe an index that may be NIL."""
    add(l, name, at, K_U4, 0, <int64_t>end - 1).nil = True


cdef inline void who(layout *l, const char *name, task **at) noexcept nogil:
    add(l, name, at, K_TASK, 0, 0)


cdef inline void amounts(
    layout *l, const char *name, int64_t *at, uint32_t times
) noexcept nogil:
    add(l, name, at, K_I8, 0, FAR).times = times


cdef inline void figures_of(
    layout *l, const char *name, int64_t *at, uint32_t times
) noexcept nogil:
    add(l, name, at, K_I8, -FAR, FAR).times = times


cdef inline void describe_tally(layout *l, tally *n) noexcept nogil:
    amount(l, "iterations", &n.iterations)
    amount(l, "mkdir_failures", &n.mkdir_failures)
    amount(l, "mkdir_failed_at", &n.mkdir_failed_at)
    amount(l, "user_tasks", &n.user_tasks)
    amount(l, "threads", &n.threads)
    amount(l, "settling", &n.settling)
    amount(l, "ended_at", &n.ended_at)
    amount(l, "barriers", &n.barriers)
    amount(l, "ipis", &n.ipis)
    amount(l, "sync_waits", &n.sync_waits)
    amount(l, "sync_under_cgroup", &n.sync_under_cgroup)
    amount(l, "sync_under_slab", &n.sync_under_slab)
    amount(l, "sync_under_hotplug", &n.sync_under_hotplug)
    amount(l, "async_waits", &n.async_waits)
    amount(l, "expedited_waits", &n.expedited_waits)
    amounts(l, "hops", &n.hops[0], HOP_KINDS)
    amount(l, "caches_created", &n.caches_created)
    amount(l, "caches", &n.caches)
    amount(l, "caches_dying", &n.caches_dying)
    amount(l, "caches_peak", &n.caches_peak)
    amount(l, "caches_dying_peak", &n.caches_dying_peak)
    amount(l, "cgroups_created", &n.cgroups_created)
    amount(l, "cgroups", &n.cgroups)
    amount(l, "cgroups_dying", &n.cgroups_dying)
    amount(l, "cgroups_peak", &n.cgroups_peak)
    amount(l, "cgroups_dying_peak", &n.cgroups_dying_peak)
    amount(l, "objcgs", &n.objcgs)
    amount(l, "objcgs_peak", &n.objcgs_peak)
    amount(l, "objcgs_reparented", &n.objcgs_reparented)
    amount(l, "shrinks", &n.shrinks)
    amount(l, "stalls", &n.stalls)
    amount(l, "offlined", &n.offlined)
    amount(l, "offlined_at", &n.offlined_at)
    amount(l, "freed_at", &n.freed_at)
    amount(l, "nodes", &n.nodes)
    amount(l, "nodes_peak", &n.nodes_peak)
    amount(l, "slab_bytes", &n.slab_bytes)
    amount(l, "slab_bytes_peak", &n.slab_bytes_peak)
    amount(l, "caches_leaked", &n.caches_leaked)
    amount(l, "roots_created", &n.roots_created)
    amount(l, "aliases", &n.aliases)
    amount(l, "roots_destroyed", &n.roots_destroyed)
    amount(l, "destroys_failed", &n.destroys_failed)
    amount(l, "misses", &n.misses)
    amount(l, "pairs_missed", &n.pairs_missed)
    amount(l, "creations_pending", &n.creations_pending)
    amount(l, "creations_run", &n.creations_run)
    amount(l, "creations_unmissed", &n.creations_unmissed)
    amount(l, "reaper_passes", &n.reaper_passes)
    amount(l, "reaper_skipped", &n.reaper_skipped)
    amounts(l, "time_ns", &n.time_ns[0], CAUSES)
    # at and count of each
    amounts(l, "findings", &n.findings[0].at, 2 * FINDINGS)


cdef inline void describe_list(
    layout *l, const char *first, const char *last, const char *length,
    list_head *head, uint32_t end,
) noexcept nogil:
    link(l, first, &head.first, end)
    link(l, last, &head.last, end)
    count32(l, length, &head.length)


cdef inline void describe_works(
    layout *l, work_list *works, uint32_t end
) noexcept nogil:
    link(l, "first", &works.first, end)
    link(l, "last", &works.last, end)
    count32(l, "length", &works.length)


cdef inline void describe_world(layout *l, engine *e) noexcept nogil:
    cdef world *w = &e.w
    cdef int i
    l.base = <char *>e
    amount(l, "tick_at", &e.tick_at)
    figure(l, "until", &e.until)
    amount(l, "load_at", &e.load_at)
    amount(l, "sample_at", &e.sample_at)
    amount(l, "load_peak", &e.load_peak)
    amount(l, "drained_at", &e.drained_at)
    amount(l, "now", &w.s.now)
    truth(l, "disturbed", &w.s.disturbed)
    figure(l, "horizon", &w.s.horizon)
    amount(l, "cull_at", &w.s.cull_at)
    amount(l, "reap_at", &w.s.reap_at)
    count32(l, "hotplug_readers", &w.s.hotplug_readers)
    amount(l, "task_number", &w.s.task_number)
    who(l, "spare_tasks", &w.s.spare_tasks)
    amount(l, "uninterruptible", &w.s.uninterruptible)
    amount(l, "uninterruptible_peak", &w.s.uninterruptible_peak)
    amounts(l, "queued", &w.q.queued[0], QUEUES)
    amounts(l, "run", &w.q.run[0], QUEUES)
    amounts(l, "longest_pending_ns", &w.q.longest_pending_ns[0], QUEUES)
    amount(l, "work_number", &w.q.number)
    amounts(l, "in_flight", &w.q.in_flight[0], QUEUES)
    amounts(l, "flushes_begun", &w.q.flushes_begun[0], QUEUES)
    add(l, "flushes", &w.q.flushes[0], K_TASK, 0, 0).times = QUEUES
    amount(l, "worked_at", &w.q.worked_at)
    amount(l, "outstanding", &w.q.outstanding)
    amount(l, "kworkers", &w.q.kworkers)
    amount(l, "kworkers_peak", &w.q.kworkers_peak)
    amount(l, "gpnum", &w.r.gpnum)
    amount(l, "completed", &w.r.completed)
    amount(l, "requested", &w.r.requested)
    amount(l, "scan_at", &w.r.scan_at)
    add(l, "waits_for", &w.r.waits_for, K_I4, 0, w.s.ncpus)
    flag(l, "first_scan", &w.r.first_scan)
    flag(l, "kicked", &w.r.kicked)
    amount(l, "callbacks", &w.r.callbacks)
    amount(l, "callbacks_queued", &w.r.queued)
    amount(l, "callbacks_invoked", &w.r.invoked)
    amount(l, "callbacks_longest", &w.r.longest)
    describe_list(
        l, "slab_caches.first", "slab_caches.last", "slab_caches.length",
        &w.c.all, w.c.caches.used,
    )
    describe_list(
        l, "slab_root_caches.first", "slab_root_caches.last",
        "slab_root_caches.length", &w.c.root_list, w.c.roots.used,
    )
    describe_list(
        l, "rcu_destroy.first", "rcu_destroy.last", "rcu_destroy.length",
        &w.c.rcu_destroy, w.c.caches.used,
    )
    amount(l, "cache_serial", &w.c.serial)
    add(l, "memory_nodes", &w.c.memory_nodes, K_U4, 1, 1 << 30)
    add(l, "hotplugs", &w.c.hotplugs, K_U4, 0, 1 << 30)
    add(l, "nr_ids", &w.c.nr_ids, K_U4, 0, 65536)
    describe_list(
        l, "memcgs.first", "memcgs.last", "memcgs.length", &w.m.all, w.m.groups.used
    )
    amount(l, "memcg_serial", &w.m.serial)
    index(l, "kmemcg_ids.first_word", &w.m.kmemcg_ids.first_word, ID_WORDS)
    index(l, "ids.first_word", &w.m.ids.first_word, ID_WORDS)
    add(l, "ids_left", &w.m.ids_left, K_U4, 0, 65535)
    describe_tally(l, &w.n)
    amount(l, "ndelays", &w.ndelays)
    figure(l, "last_delay", &w.last_delay)
    amount(l, "tickets", &w.tickets)
    add(l, "kept_head", &w.kept_head, K_U4, 0, w.kept.used)
    add(l, "load", &w.load[0], K_I8, 0, <int64_t>1 << 40).times = 3
    amount(l, "reaps", &w.reaps)
    amount(l, "free_slabs_at", &w.free_slabs_at)
    flag(l, "expedited", &w.expedited)
    amount(l, "barrier_sequence", &w.barrier_sequence)
    amount(l, "barrier_count", &w.barrier_count)
    who(l, "barrier_waiter", &w.barrier_waiter)
    few(l, "rss_state", &w.rss_state, SYNC_REPLAY)
    few(l, "rss_callback", &w.rss_callback, SYNC_REPLAY)
    amount(l, "rss_count", &w.rss_count)
    for i in range(SCHEDULE_EVENTS):
        figure(l, "schedule.at", &w.schedule[i].at)
        figure(l, "schedule.ahead", &w.schedule[i].ahead)
        add(l, "schedule.cpu", &w.schedule[i].cpu, K_I4, 0, w.s.ncpus - 1)
    add(l, "scheduled", &w.scheduled, K_I4, 0, SCHEDULE_EVENTS)
    figure(l, "too_late", &w.too_late)
    add(l, "steps", &w.steps, K_I8, 0, 2 * STEPS_A_LOOK)
    flag(l, "was_busy", &w.was_busy)
    count32(l, "main_result", &w.main_result)
    add(l, "main_cpu", &w.main_cpu, K_I4, 0, w.s.ncpus - 1)


cdef inline void describe_mutex(layout *l, mutex *m) noexcept nogil:
    """Describe what is counted of a mutex."""
    amount(l, "holds", &m.holds)
    amount(l, "held_ns", &m.held_ns)
    amount(l, "waited_ns", &m.waited_ns)
    amount(l, "longest_wait_ns", &m.longest_wait_ns)
    amount(l, "longest_queue", &m.longest_queue)


cdef inline void describe_cpu(layout *l, engine *e, cpu *c) noexcept nogil:
    l.base = <char *>c
    who(l, "current", &c.current)
    who(l, "urgent.first", &c.urgent.first)
    who(l, "urgent.last", &c.urgent.last)
    who(l, "queue.first", &c.queue.first)
    who(l, "queue.last", &c.queue.last)
    amount(l, "ends", &c.ends)
    who(l, "softirq", &c.softirq)
    flag(l, "softirq_active", &c.softirq_active)
    flag(l, "qs", &c.qs)
    flag(l, "was_idle", &c.was_idle)
    amount(l, "reap_at", &c.reap_at)
    amount(l, "left_at", &c.left_at)


cdef inline void describe_rcu(layout *l, rcu_data *d) noexcept nogil:
    l.base = <char *>d
    amount(l, "head", &d.head)
    amount(l, "done", &d.done)
    amount(l, "wait", &d.wait)
    amount(l, "ready", &d.ready)
    amount(l, "tail", &d.tail)
    amount(l, "wait_gp", &d.wait_gp)
    amount(l, "ready_gp", &d.ready_gp)
    add(l, "blimit", &d.blimit, K_I8, 1, FAR)
    amount(l, "known_gp", &d.known_gp)
    amount(l, "known_completed", &d.known_completed)
    flag(l, "qs_pending", &d.qs_pending)
    flag(l, "gp_pending", &d.gp_pending)


cdef inline void describe_pool(layout *l, engine *e, worker_pool *p) noexcept nogil:
    l.base = <char *>p
    describe_works(l, &p.worklist, e.w.q.works.used)
    who(l, "idle_first", &p.idle_first)
    who(l, "idle_last", &p.idle_last)
    count32(l, "idle", &p.idle)
    count32(l, "workers", &p.workers)
    count32(l, "running", &p.running)
    flag(l, "managing", &p.managing)
    amount(l, "cull_at", &p.cull_at)


cdef inline void describe_task(layout *l, engine *e, task *t) noexcept nogil:
    cdef uint32_t groups = e.w.m.groups.used
    l.base = <char *>t
    who(l, "next", &t.next)
    amount(l, "left", &t.left)
    who(l, "line_next", &t.line_next)
    amount(l, "wants_since", &t.wants_since)
    add(l, "depth", &t.depth, K_I4, 0, FRAMES)
    add(l, "cpu", &t.cpu, K_I4, 0, e.w.s.ncpus - 1)
    add(l, "pool", &t.pool, K_I4, -1, e.w.s.ncpus)
    count32(l, "result", &t.result)
    few(l, "state", &t.state, GONE)
    flag(l, "bound", &t.bound)
    flag(l, "user", &t.user)
    flag(l, "interrupted", &t.interrupted)
    few(l, "spins", &t.spins, LOCKS - 1)
    flag(l, "counted", &t.counted)
    flag(l, "waiting", &t.waiting)
    flag(l, "is_softirq", &t.is_softirq)
    flag(l, "wants_write", &t.wants_write)
    flag(l, "in_hotplug", &t.in_hotplug)
    flag(l, "background", &t.background)
    flag(l, "while_parent", &t.while_parent)
    link(l, "memcg", &t.memcg, groups)
    link(l, "made", &t.made, groups)
    count32(l, "made_generation", &t.made_generation)
    link(l, "cache", &t.cache, e.w.c.roots.used)
    count32(l, "children", &t.children)
    amount(l, "number", &t.number)
    amount(l, "idle_since", &t.idle_since)
    who(l, "spin_next", &t.spin_next)
    who(l, "idle_next", &t.idle_next)
    who(l, "idle_prev", &t.idle_prev)
    who(l, "parent", &t.parent)
    amount(l, "parent_number", &t.parent_number)
    who(l, "flush_next", &t.flush_next)
    amount(l, "flush_number", &t.flush_number)
    amount(l, "flush_left", &t.flush_left)
    amount(l, "ticket", &t.ticket)


cdef inline void describe_frame(layout *l, frame *f) noexcept nogil:
    l.base = <char *>f
    add(l, "function", &f.function, K_I4, 0, LAST_FUNCTION)
    add(l, "pc", &f.pc, K_I4, 0, 20)
    count32(l, "a", &f.a)
    count32(l, "b", &f.b)
    count32(l, "c", &f.c)
    count32(l, "d", &f.d)
    figure(l, "i", &f.i)
    figure(l, "n", &f.n)
    figure(l, "v", &f.v)


cdef inline void describe_work(layout *l, engine *e, work *item) noexcept nogil:
    l.base = <char *>item
    amount(l, "queued_at", &item.queued_at)
    amount(l, "number", &item.number)
    amount(l, "before_flush", &item.before_flush)
    link(l, "next", &item.next, e.w.q.works.used)
    count32(l, "a", &item.a)
    count32(l, "b", &item.b)
    add(l, "queue", &item.queue, K_I4, 0, QUEUES - 1)
    add(l, "kind", &item.kind, K_I4, 0, W_REMOVE_DIRECTORY)
    flag(l, "pending", &item.pending)
    flag(l, "running", &item.running)
    flag(l, "again", &item.again)


cdef inline void describe_links(layout *l, engine *e, cache_links *c) noexcept nogil:
    cdef uint32_t end = e.w.c.caches.used
    l.base = <char *>c
    link(l, "slab_caches.next", &c.caches.next, end)
    link(l, "slab_caches.prev", &c.caches.prev, end)
    link(l, "children.next", &c.children.next, end)
    link(l, "children.prev", &c.children.prev, end)
    link(l, "memcg.next", &c.memcg.next, end)
    link(l, "memcg.prev", &c.memcg.prev, end)
    index(l, "root", &c.root, e.w.c.roots.used)
    link(l, "memcg_index", &c.memcg_index, e.w.m.groups.used)


cdef inline void describe_cache(layout *l, engine *e, kmem_cache *c) noexcept nogil:
    cdef int64_t all_cpus = (
        FAR - 1 + FAR if e.w.s.ncpus > 62 else (<int64_t>1 << e.w.s.ncpus) - 1
    )
    l.base = <char *>c
    amount(l, "serial", &c.serial)
    # Of the first 64 CPUs one bit each; where there are so many, any bits will do.
    add(l, "cpus", &c.cpus, K_U8, -all_cpus - 1 if e.w.s.ncpus > 62 else 0, all_cpus)
    add(l, "inuse", &c.inuse, K_U4, 0, 0x7FFFFFFF)
    add(l, "slabs", &c.slabs, K_U4, 0, 0x7FFFFFFF)
    add(l, "pinned", &c.pinned, K_U4, 0, 0x7FFFFFFF)
    count32(l, "nodes", &c.nodes)
    add(l, "in_flight", &c.in_flight, K_U4, 0, 0x7FFFFFFF)
    count32(l, "refs", &c.refs)
    count32(l, "page_frees", &c.page_frees)
    add(l, "works", &c.works, K_U2, 0, 0xFFFF)
    few(l, "kobject", &c.kobject, 255)
    few(l, "lost", &c.lost, 255)
    flag(l, "killed", &c.killed)
    flag(l, "deactivated", &c.deactivated)
    few(l, "life", &c.life, FREED)
    flag(l, "released", &c.released)
    flag(l, "removal", &c.removal)
    flag(l, "unslotted", &c.unslotted)


cdef inline void describe_root(layout *l, engine *e, root_cache *r) noexcept nogil:
    cdef uint32_t caches = e.w.c.caches.used, roots = e.w.c.roots.used
    l.base = <char *>r
    amount(l, "serial", &r.serial)
    index(l, "cache", &r.cache, caches)
    link(l, "name", &r.name, e.w.names.used)
    link(l, "roots.next", &r.roots.next, roots)
    link(l, "roots.prev", &r.roots.prev, roots)
    describe_list(
        l, "children.first", "children.last", "children.length", &r.children, caches
    )
    describe_list(l, "parked.first", "parked.last", "parked.length", &r.parked, caches)
    add(l, "per_slab", &r.per_slab, K_U4, 1, 0x7FFFFFFF)
    add(l, "keep", &r.keep, K_U4, 1, 11)
    add(l, "order", &r.order, K_I4, 0, 30)
    add(l, "size", &r.size, K_U4, 1, 1 << 30)
    add(l, "charged", &r.charged, K_U4, 0, 0x7FFFFFFF)
    add(l, "charged_pinned", &r.charged_pinned, K_U4, 0, 0x7FFFFFFF)
    add(l, "refcount", &r.refcount, K_I4, 0, 0x7FFFFFF)
    add(l, "leaving", &r.leaving, K_I4, 0, 0x7FFFFFF)
    flag(l, "accounted", &r.accounted)
    flag(l, "typesafe", &r.typesafe)
    flag(l, "reclaimable", &r.reclaimable)
    flag(l, "shareable", &r.shareable)
    flag(l, "dying", &r.dying)
    flag(l, "shut", &r.shut)
    flag(l, "leaked", &r.leaked)
    flag(l, "respliced", &r.respliced)


cdef inline void describe_group(layout *l, engine *e, mem_cgroup *m) noexcept nogil:
    cdef uint32_t groups = e.w.m.groups.used
    l.base = <char *>m
    amount(l, "serial", &m.serial)
    amount(l, "refs", &m.refs)
    link(l, "siblings.next", &m.siblings.next, groups)
    link(l, "siblings.prev", &m.siblings.prev, groups)
    describe_list(
        l, "kmem_caches.first", "kmem_caches.last", "kmem_caches.length",
        &m.kmem_caches, e.w.c.caches.used,
    )
    describe_list(
        l, "objcg_list.first", "objcg_list.last", "objcg_list.length",
        &m.objcg_list, e.w.m.objcgs.used,
    )
    link(l, "objcg", &m.objcg, e.w.m.objcgs.used)
    link(l, "parent", &m.parent, groups)
    add(l, "generation", &m.generation, K_U4, 0, 0x7FFFFFFF)
    add(l, "kmemcg_id", &m.kmemcg_id, K_I4, -1, <int64_t>e.w.c.nr_ids - 1)
    add(l, "id", &m.id, K_I4, 0, 64 * ID_WORDS - 1)
    count32(l, "online_children", &m.online_children)
    count32(l, "child_cgroups", &m.child_cgroups)
    count32(l, "tasks", &m.tasks)
    count32(l, "filled", &m.filled)
    flag(l, "online", &m.online)
    flag(l, "kmem_online", &m.kmem_online)
    flag(l, "dead", &m.dead)
    flag(l, "released", &m.released)
    flag(l, "id_held", &m.id_held)


cdef inline void describe_objcg(layout *l, engine *e, obj_cgroup *o) noexcept nogil:
    l.base = <char *>o
    amount(l, "serial", &o.serial)
    amount(l, "refs", &o.refs)
    link(l, "list.next", &o.list.next, e.w.m.objcgs.used)
    link(l, "list.prev", &o.list.prev, e.w.m.objcgs.used)
    link(l, "memcg", &o.memcg, e.w.m.groups.used)
    link(l, "first", &o.first, e.w.m.holdings.used)
    add(l, "in_flight", &o.in_flight, K_U4, 0, 0x7FFFFFFF)
    flag(l, "killed", &o.killed)


cdef inline void describe_holding(layout *l, engine *e, holding *h) noexcept nogil:
    l.base = <char *>h
    index(l, "root", &h.root, e.w.c.roots.used)
    add(l, "held", &h.held, K_U4, 0, 0x7FFFFFFF)
    add(l, "pinned", &h.pinned, K_U4, 0, 0x7FFFFFFF)
    link(l, "next", &h.next, e.w.m.holdings.used)


cdef inline void describe_record(layout *l, engine *e, record *r) noexcept nogil:
    l.base = <char *>r
    amount(l, "at", &r.at)
    figure(l, "task", &r.task)
    figure(l, "item", &r.item)
    figure(l, "memcg", &r.memcg)
    figure(l, "cache", &r.cache)
    add(l, "cpu", &r.cpu, K_I4, 0, e.w.s.ncpus - 1)
    add(l, "pool", &r.pool, K_I4, -1, e.w.s.ncpus)
    add(l, "event", &r.event, K_I2, 0, EVENT_KINDS - 1)
    add(l, "function", &r.function, K_I2, -1, EVENT_KINDS - 1)
    add(l, "task_kind", &r.task_kind, K_I1, 0, SOFTIRQ_TASK)
    add(l, "queue", &r.queue, K_I1, -1, QUEUES - 1)
    add(l, "mutex", &r.mutex, K_I1, -1, LOCKS - 2)


cdef inline void describe_mark(layout *l, mark *m) noexcept nogil:
    cdef int i
    l.base = <char *>m
    figure(l, "number", &m.number)
    amount(l, "at", &m.at)
    amount(l, "completed", &m.completed)
    describe_tally(l, &m.n)
    for i in range(LOCKS):
        describe_mutex(l, &m.mutexes[i])


cdef inline void describe_file(layout *l, engine *e, open_file *o) noexcept nogil:
    """Describe an open file; its era, list and hooks follow from what it is of."""
    l.base = <char *>o
    add(l, "kind", &o.kind, K_I4, 0, FILE_KINDS - 1)
    link(l, "memcg", &o.memcg, e.w.m.groups.used)
    count32(l, "generation", &o.generation)
    truth(l, "by_program", &o.by_program)
    truth(l, "by_cursor", &o.by_cursor)
    link(l, "cursor.entry", &o.cursor.entry, max(e.w.c.caches.used, e.w.c.roots.used))
    truth(l, "cursor.moved", &o.cursor.moved)
    amount(l, "cursor_at", &o.cursor_at)
    amount(l, "f_pos", &o.f_pos)
    figure(l, "offset", &o.offset)
    truth(l, "next", &o.next)
    figure(l, "result", &o.result)
    amount(l, "at", &o.at)
    amount(l, "length", &o.length)
    amount(l, "start_hops", &o.start_hops)
    amount(l, "next_hops", &o.next_hops)
    amount(l, "children", &o.children)
    amount(l, "rows", &o.rows)
    amount(l, "all_start_hops", &o.all_start_hops)
    amount(l, "all_next_hops", &o.all_next_hops)
    amount(l, "all_children", &o.all_children)
    amount(l, "held_ns", &o.held_ns)
    figure(l, "since", &o.since)
    figure(l, "latest", &o.latest)
    figure(l, "latest_at", &o.latest_at)
    amount(l, "delivered_rows", &o.delivered_rows)
    amount(l, "repeated", &o.repeated)
    count32(l, "delivered", &o.delivered.used)
    add(l, "buffer", &o.seq.size, K_U8, 0, LARGEST_TEXT)
    add(l, "from", &o.seq.from_, K_U8, 0, LARGEST_TEXT)
    add(l, "count", &o.seq.count, K_U8, 0, LARGEST_TEXT)
    amount(l, "index", &o.seq.index)
    amount(l, "read_pos", &o.seq.read_pos)
    figure(l, "target", &o.seq.target)
    truth(l, "traverses", &o.seq.traverses)
    truth(l, "seeks_only", &o.seq.seeks_only)
    add(l, "left", &o.seq.left, K_U8, 0, FAR)
    add(l, "copied", &o.seq.copied, K_U8, 0, FAR)
    figure(l, "error", &o.seq.error)
    amount(l, "starts", &o.seq.starts)
    amount(l, "nexts", &o.seq.nexts)
    amount(l, "shows", &o.seq.shows)
    amount(l, "stops", &o.seq.stops)
    amount(l, "allocs", &o.seq.allocs)
    amount(l, "visits", &o.seq.visits)


cdef inline void describe_slabinfo_read(layout *l, slabinfo_read *r) noexcept nogil:
    l.base = <char *>r
    amount(l, "began", &r.began)
    amount(l, "took", &r.took)
    amount(l, "calls", &r.calls)
    amount(l, "rows", &r.rows)
    amount(l, "missing", &r.missing)
    amount(l, "repeated", &r.repeated)
    amount(l, "start_hops", &r.start_hops)
    amount(l, "next_hops", &r.next_hops)
    amount(l, "children", &r.children)
    amount(l, "held_ns", &r.held_ns)
    truth(l, "by_cursor", &r.by_cursor)


cdef inline void describe_sample(layout *l, sample *s) noexcept nogil:
    l.base = <char *>s
    amount(l, "t_ns", &s.t_ns)
    amount(l, "caches", &s.caches)
    amount(l, "caches_dying", &s.caches_dying)
    amount(l, "cgroups", &s.cgroups)
    amount(l, "cgroups_dying", &s.cgroups_dying)
    amount(l, "kernfs_nodes", &s.kernfs_nodes)
    amount(l, "slab_bytes", &s.slab_bytes)
    amount(l, "kworkers", &s.kworkers)
    amount(l, "uninterruptible", &s.uninterruptible)
    add(l, "load1", &s.load1, K_F8, 0, 0)
    amount(l, "creations_pending", &s.creations_pending)
    amount(l, "callbacks", &s.callbacks)


cdef inline void spares(
    layout *l, const char *section, arena *a, uint32_t *word
) noexcept nogil:
    """Describe the indices given back of an arena, the latest last."""
    l.section = section
    l.base = <char *>word
    l.stride = sizeof(uint32_t)
    index(l, "index", word, a.used)


cdef inline void describe_data(layout *l, engine *e, int section) noexcept nogil:
    """Describe a section of the data plane."""
    cdef world *w = &e.w
    cdef cache_links links
    cdef kmem_cache cache
    cdef moved_cache moved
    cdef plugged_cache plugged
    cdef queued_cache queued
    cdef root_cache root
    cdef mem_cgroup group
    cdef obj_cgroup objcg
    cdef holding held
    cdef uint32_t word
    cdef int64_t number
    if section == S_LINKS:
        l.section, l.stride = "links", sizeof(links)
        describe_links(l, e, &links)
    elif section == S_CACHES:
        l.section, l.stride = "caches", sizeof(cache)
        describe_cache(l, e, &cache)
    elif section == S_SPARE_CACHES:
        spares(l, "caches.spare", &w.c.caches, &word)
    elif section == S_MOVED:
        l.section, l.stride = "moved", sizeof(moved)
        l.base = <char *>&moved
        amount(l, "named_after", &moved.named_after)
        amounts(l, "number", &moved.number, 1)
        l.fields[0].high = l.fields[1].high = 0x7FFFFFFFFFFFFFFF
    elif section == S_PLUGGED:
        l.section, l.stride = "plugged", sizeof(plugged)
        l.base = <char *>&plugged
        add(l, "memory_nodes", &plugged.memory_nodes, K_U4, 0, 1 << 30)
        count32(l, "reached", &plugged.reached)
    elif section == S_QUEUED:
        l.section, l.stride = "queued", sizeof(queued)
        l.base = <char *>&queued
        amount(l, "at", &queued.at)
        amount(l, "ahead", &queued.ahead)
        add(l, "cpus", &queued.cpus, K_I4, 0, w.s.ncpus)
    elif section == S_MISSED:
        l.section, l.stride = "missed", sizeof(number)
        l.base = <char *>&number
        amount(l, "at", &number)
    elif section == S_SPARE_MISSED:
        spares(l, "missed.spare", &w.c.missed, &word)
    elif section == S_ROOTS:
        l.section, l.stride = "roots", sizeof(root)
        describe_root(l, e, &root)
    elif section == S_SLOTS:
        l.section, l.stride = "slots", sizeof(word)
        l.base = <char *>&word
        count32(l, "slot", &word)
    elif section == S_ACCOUNTED:
        l.section, l.stride = "accounted", sizeof(word)
        l.base = <char *>&word
        index(l, "root", &word, w.c.roots.used)
    elif section == S_GROUPS:
        l.section, l.stride = "memcgs", sizeof(group)
        describe_group(l, e, &group)
    elif section == S_SPARE_GROUPS:
        spares(l, "memcgs.spare", &w.m.groups, &word)
    elif section == S_OBJCGS:
        l.section, l.stride = "objcgs", sizeof(objcg)
        describe_objcg(l, e, &objcg)
    elif section == S_SPARE_OBJCGS:
        spares(l, "objcgs.spare", &w.m.objcgs, &word)
    elif section == S_HOLDINGS:
        l.section, l.stride = "holdings", sizeof(held)
        describe_holding(l, e, &held)
    else:
        spares(l, "holdings.spare", &w.m.holdings, &word)


cdef inline void describe_time(layout *l, engine *e, int section) noexcept nogil:
    """Describe a section of the time plane."""
    cdef world *w = &e.w
    cdef mutex m
    cdef cpu c
    cdef rcu_data data
    cdef worker_pool pool
    cdef pool_queue queue
    cdef task t
    cdef frame f
    cdef timer due
    cdef rcu_head head
    cdef rcu_stamp stamp
    cdef work item
    cdef uint32_t word
    cdef uint64_t bits
    if section == S_WORLD:
        l.section, l.stride = "world", sizeof(engine)
        describe_world(l, e)
    elif section == S_MUTEXES:
        l.section, l.stride = "mutexes", sizeof(m)
        l.base = <char *>&m
        who(l, "owner", &m.owner)
        who(l, "first", &m.first)
        who(l, "last", &m.last)
        who(l, "spinner", &m.spinner)
        count32(l, "length", &m.length)
        amount(l, "since", &m.since)
        describe_mutex(l, &m)
    elif section == S_CPUS:
        l.section, l.stride = "cpus", sizeof(c)
        describe_cpu(l, e, &c)
    elif section == S_RCU:
        l.section, l.stride = "rcu", sizeof(data)
        describe_rcu(l, &data)
    elif section == S_POOLS:
        l.section, l.stride = "pools", sizeof(pool)
        describe_pool(l, e, &pool)
    elif section == S_QUEUES:
        l.section, l.stride = "workqueues", sizeof(queue)
        l.base = <char *>&queue
        count32(l, "active", &queue.active)
        describe_works(l, &queue.delayed, w.q.works.used)
    elif section == S_STOCK:
        l.section, l.stride = "stock", sizeof(word)
        l.base = <char *>&word
        link(l, "memcg", &word, w.m.groups.used)
    elif section == S_KMEMCG_IDS or section == S_IDS:
        l.section = "kmemcg_ids" if section == S_KMEMCG_IDS else "ids"
        l.stride = sizeof(bits)
        l.base = <char *>&bits
        add(l, "bits", &bits, K_U8, -FAR - FAR, FAR - 1 + FAR)
    elif section == S_TASKS:
        l.section, l.stride = "tasks", sizeof(t)
        describe_task(l, e, &t)
    elif section == S_FRAMES:
        l.section, l.stride = "frames", sizeof(f)
        describe_frame(l, &f)
    elif section == S_TIMERS:
        l.section, l.stride = "timers", sizeof(due)
        l.base = <char *>&due
        add(l, "when", &due.when, K_I8, 0, FAR - 1 + FAR)
        amount(l, "number", &due.number)
        index(l, "task", &due.task, w.s.nchunks * TASKS_A_CHUNK)
    elif section == S_CALLBACKS:
        l.section, l.stride = "callbacks", sizeof(head)
        l.base = <char *>&head
        add(l, "kind", &head.kind, K_U4, 0, CB_CACHE_FREE)
        count32(l, "arg", &head.arg)
    elif section == S_STAMPS:
        l.section, l.stride = "stamps", sizeof(stamp)
        l.base = <char *>&stamp
        amount(l, "at", &stamp.at)
        amount(l, "ahead", &stamp.ahead)
    elif section == S_WORKS:
        l.section, l.stride = "works", sizeof(item)
        describe_work(l, e, &item)
    else:
        spares(l, "works.spare", &w.q.works, &word)


cdef inline void describe_rest(layout *l, engine *e, int section) noexcept nogil:
    """Describe a section of what programs and readers have, and of what is kept."""
    cdef world *w = &e.w
    cdef program p
    cdef record r
    cdef kept_memcg kept
    cdef mark phase
    cdef open_file file
    cdef slabinfo_read read
    cdef finished end
    cdef watch watched
    cdef hold held
    cdef sample row
    cdef uint32_t word
    cdef uint8_t byte
    cdef int64_t step[5]
    if section == S_PROGRAMS:
        l.section, l.stride = "programs", sizeof(p)
        l.base = <char *>&p
        amount(l, "steps", &p.nsteps)
    elif section == S_STEPS:
        l.section, l.stride = "steps", sizeof(step)
        l.base = <char *>&step[0]
        amounts(l, "step", &step[0], 5)
    elif section == S_LOG:
        l.section, l.stride = "log", sizeof(r)
        describe_record(l, e, &r)
    elif section == S_KEPT:
        l.section, l.stride = "kept", sizeof(kept)
        l.base = <char *>&kept
        index(l, "memcg", &kept.memcg, w.m.groups.used)
        count32(l, "generation", &kept.generation)
    elif section == S_MARKS:
        l.section, l.stride = "marks", sizeof(phase)
        describe_mark(l, &phase)
    elif section == S_FILES:
        l.section, l.stride = "files", sizeof(file)
        describe_file(l, e, &file)
    elif section == S_SPARE_FILES:
        spares(l, "files.spare", &w.files, &word)
    elif section == S_DELIVERED:
        l.section, l.stride = "delivered", sizeof(word)
        l.base = <char *>&word
        count32(l, "times", &word)
    elif section == S_SLABINFO_READS:
        l.section, l.stride = "slabinfo_reads", sizeof(read)
        describe_slabinfo_read(l, &read)
    elif section == S_FINISHED:
        l.section, l.stride = "finished", sizeof(end)
        l.base = <char *>&end
        amount(l, "ticket", &end.ticket)
        amount(l, "at", &end.at)
        figure(l, "result", &end.result)
        add(l, "function", &end.function, K_I4, -1, LAST_FUNCTION)
    elif section == S_WATCHES:
        l.section, l.stride = "watches", sizeof(watched)
        l.base = <char *>&watched
        amount(l, "ticket", &watched.ticket)
        add(l, "kind", &watched.kind, K_U4, 0, WATCH_KINDS - 1)
        link(l, "root", &watched.root, w.c.roots.used)
        index(l, "memcg", &watched.memcg, w.m.groups.used)
    elif section == S_HOLDS:
        l.section, l.stride = "holds", sizeof(held)
        l.base = <char *>&held
        amount(l, "ticket", &held.ticket)
        index(l, "task", &held.task, w.s.nchunks * TASKS_A_CHUNK)
    elif section == S_SAMPLES:
        l.section, l.stride = "samples", sizeof(row)
        describe_sample(l, &row)
    else:
        l.section = "delays"
        if section != S_DELAYS:
            l.section = "names" if section == S_NAMES else "text"
        l.stride = sizeof(byte)
        l.base = <char *>&byte
        few(l, "byte", &byte, 255)


cdef inline void describe(layout *l, engine *e, int section) noexcept nogil:
    """Describe the records of a section, with the limits that this world has."""
    cdef const field *f
    cdef stretch *s
    cdef uint32_t j
    cdef int i
    l.count = 0
    if section < S_LINKS:
        describe_time(l, e, section)
    elif section < S_PROGRAMS:
        describe_data(l, e, section)
    else:
        describe_rest(l, e, section)
    l.packed = 0
    l.nstretches = 0
    for i in range(l.count):
        f = &l.fields[i]
        l.packed += f.times * kind_size(f.kind)
        for j in range(f.times if f.kind == K_TASK else 1):
            s = &l.stretches[l.nstretches]
            s.offset = f.offset + j * <uint32_t>sizeof(task *)
            s.bytes = <uint32_t>sizeof(uint32_t)
            s.is_task = f.kind == K_TASK
            if not s.is_task:
                s.bytes = f.times * <uint32_t>kind_size(f.kind)
                if i and s[-1].offset + s[-1].bytes == s.offset and not s[-1].is_task:
                    s[-1].bytes += s.bytes
                    continue
            l.nstretches += 1


cdef inline int layout_text(const layout *l, char *out) noexcept nogil:
    """Write a layout as `name:kind name:kind[times]`; return its length."""
    cdef const field *f
    cdef const char *space = ""
    cdef int i, length = 0
    for i in range(l.count):
        f = &l.fields[i]
        length += snprintf(
            out + length, <size_t>(LAYOUT_ROOM - length), "%s%s:%s",
            space, f.name, kind_name(f.kind),
        )
        space = " "
        if f.times > 1:
            length += snprintf(
                out + length, <size_t>(LAYOUT_ROOM - length), "[%u]",
                <unsigned int>f.times,
            )
    return length


# --- where the structs are ----------------------------------------------------------


cdef inline arena *arena_of(world *w, int section) noexcept nogil:
    """Return the arena whose entries are a section's structs, or NULL."""
    if section == S_WORKS:
        return &w.q.works
    if section == S_LINKS:
        return &w.c.links
    if section == S_CACHES:
        return &w.c.caches
    if section == S_MOVED:
        return &w.c.moved
    if section == S_PLUGGED:
        return &w.c.plugged
    if section == S_QUEUED:
        return &w.c.queued
    if section == S_MISSED:
        return &w.c.missed
    if section == S_ROOTS:
        return &w.c.roots
    if section == S_ACCOUNTED:
        return &w.c.accounted
    if section == S_GROUPS:
        return &w.m.groups
    if section == S_OBJCGS:
        return &w.m.objcgs
    if section == S_HOLDINGS:
        return &w.m.holdings
    if section == S_PROGRAMS:
        return &w.programs
    if section == S_DELAYS:
        return &w.delays
    if section == S_LOG:
        return &w.log.records
    if section == S_KEPT:
        return &w.kept
    if section == S_MARKS:
        return &w.marks
    if section == S_NAMES:
        return &w.names
    if section == S_SLABINFO_READS:
        return &w.slabinfo_reads
    if section == S_FINISHED:
        return &w.finished
    if section == S_WATCHES:
        return &w.watches
    if section == S_HOLDS:
        return &w.holds
    return NULL


cdef inline arena *spares_of(world *w, int section) noexcept nogil:
    """Return the arena whose spare indices are a section's, or NULL."""
    if section == S_SPARE_WORKS:
        return &w.q.works
    if section == S_SPARE_CACHES:
        return &w.c.caches
    if section == S_SPARE_MISSED:
        return &w.c.missed
    if section == S_SPARE_GROUPS:
        return &w.m.groups
    if section == S_SPARE_OBJCGS:
        return &w.m.objcgs
    if section == S_SPARE_HOLDINGS:
        return &w.m.holdings
    if section == S_SPARE_FILES:
        return &w.files
    return NULL


cdef inline bint found(
    char **at, int64_t *count, void *where, int64_t many
) noexcept nogil:
    at[0] = <char *>where
    count[0] = many
    return True


cdef inline bint block_of_cpu(
    world *w, int section, uint32_t i, char **at, int64_t *count
) noexcept nogil:
    """Find the i-th block of what each CPU has a ring of: there are two a CPU."""
    cdef rcu_data *d
    cdef int64_t first
    cdef size_t whole
    if i >= 2 * <uint32_t>w.s.ncpus or (section == S_STAMPS and not w.r.stamped):
        return False
    d = &w.r.data[i >> 1]
    whole = rcu_qlen(d)
    if not whole:
        return found(at, count, NULL, 0)
    rcu_at(d, d.head, &whole)
    first = d.head
    if i & 1:
        first += whole
        whole = rcu_qlen(d) - whole
    first &= d.capacity - 1
    if section == S_STAMPS:
        return found(at, count, &d.stamps[first], whole)
    return found(at, count, &d.ring[first], whole)


cdef inline bint block(
    engine *e, image *m, int section, uint32_t i, char **at, int64_t *count
) noexcept nogil:
    """Find the i-th block of structs of a section; False if there are no more."""
    cdef world *w = &e.w
    cdef arena *a = arena_of(w, section)
    cdef open_file *o
    cdef task *t
    if section == S_CALLBACKS or section == S_STAMPS:
        return block_of_cpu(w, section, i, at, count)
    if section == S_QUEUES:
        if i >= QUEUES:
            return False
        return found(
            at, count, w.q.queues[i], 0 if w.q.queues[i] == NULL else w.s.ncpus
        )
    if section == S_TASKS:
        return i < w.s.nchunks and found(at, count, w.s.chunks[i], TASKS_A_CHUNK)
    if section == S_FRAMES:
        if i >= w.s.nchunks * TASKS_A_CHUNK:
            return False
        t = task_at(w, i)
        return found(at, count, &t.frames[0], t.depth)
    if section == S_SLOTS:
        if i >= w.c.roots.used:
            return False
        return found(
            at, count, root_at(&w.c, i).slots,
            0 if root_at(&w.c, i).slots == NULL else w.c.nr_ids,
        )
    if section == S_STEPS:
        if i >= w.programs.used:
            return False
        return found(
            at, count, (<program *>w.programs.entries)[i].steps,
            (<program *>w.programs.entries)[i].nsteps,
        )
    if section in (S_FILES, S_TEXT, S_DELIVERED):
        if i >= w.files.used:
            return False
        o = file_at(w, i)
        if o == NULL:
            return found(at, count, NULL, 0)
        if section == S_FILES:
            return found(at, count, o, 1)
        if section == S_DELIVERED:
            return found(at, count, o.delivered.entries, o.delivered.used)
        if o.seq.buf == NULL:
            return found(at, count, NULL, 0)
        return found(at, count, o.seq.buf + o.seq.from_, o.seq.count)
    if i:
        return False
    if a != NULL:
        return found(at, count, a.entries, a.used)
    a = spares_of(w, section)
    if a != NULL:
        return found(at, count, a.spare, a.spares)
    if section == S_WORLD:
        return found(at, count, e, 1)
    if section == S_MUTEXES:
        return found(at, count, &w.s.mutexes[0], LOCKS)
    if section == S_CPUS:
        return found(at, count, w.s.cpus, w.s.ncpus)
    if section == S_RCU:
        return found(at, count, w.r.data, w.s.ncpus)
    if section == S_POOLS:
        return found(at, count, w.s.pools, w.s.ncpus + 1)
    if section == S_STOCK:
        return found(at, count, w.stock, w.s.ncpus)
    if section == S_KMEMCG_IDS:
        return found(at, count, &w.m.kmemcg_ids.words[0], ID_WORDS)
    if section == S_IDS:
        return found(at, count, &w.m.ids.words[0], ID_WORDS)
    if section == S_TIMERS:
        return found(at, count, m.timers, w.s.timers.used)
    return found(at, count, e.samples.entries, e.samples.used)


# --- writing ------------------------------------------------------------------------


cdef inline void tidy(engine *e) noexcept nogil:
    """Forget what nobody reads: of tasks that are gone, and unused stamps."""
    cdef world *w = &e.w
    cdef task *t
    cdef task old
    cdef rcu_data *d
    cdef uint32_t i, kind
    cdef int64_t j
    for i in range(w.s.nchunks * TASKS_A_CHUNK):
        t = task_at(w, i)
        if t.state == GONE:
            old = t[0]
            memset(t, 0, sizeof(task))
            t.next, t.number, t.index, t.state = old.next, old.number, i, GONE
            t.memcg = t.made = t.cache = NIL
    for i in range(<uint32_t>w.s.ncpus if w.r.stamped else 0):
        d = &w.r.data[i]
        for j in range(d.head, d.tail):
            kind = d.ring[j & (d.capacity - 1)].kind
            if kind != CB_SLAB and kind != CB_CACHE_FREE:
                memset(&d.stamps[j & (d.capacity - 1)], 0, sizeof(rcu_stamp))


cdef inline int timer_order(const void *a, const void *b) noexcept nogil:
    cdef const timer *one = <const timer *>a
    cdef const timer *other = <const timer *>b
    if one.when != other.when:
        return 1 if one.when > other.when else -1
    return (one.number > other.number) - (one.number < other.number)


cdef inline int collect_timers(const clock_queue *q, image *m) except -1 nogil:
    """Put all timers in the order in which they are due."""
    cdef uint32_t n = q.heaped, week, i
    cdef uint64_t bits
    cdef const dated_timer *entry
    m.timers = <timer *>arena_zeroed(<size_t>q.used + 1, sizeof(timer))
    for i in range(n):
        m.timers[i].when = q.heap[i].when
        m.timers[i].number = q.heap[i].number
        m.timers[i].task = q.heap[i].task
    for week in range(q.year >> 6):
        bits = q.busy[week]
        while bits:
            i = q.days[(week << 6) + lowest_bit(bits)] & <uint32_t>0x7FFFFFFF
            bits &= bits - 1
            while i:
                entry = &q.entries[i]
                m.timers[n].when = entry.when
                m.timers[n].number = q.numbers[i]
                m.timers[n].task = entry.task
                n += 1
                i = entry.next
    qsort(m.timers, n, sizeof(timer), timer_order)
    return 0


cdef inline void put(image *m, const void *bytes, size_t count) noexcept nogil:
    if m.to != NULL and count:
        memcpy(m.to + m.size, bytes, count)
    m.size += count


cdef inline void pack(
    image *m, const layout *l, const char *at, int64_t count
) noexcept nogil:
    """Write records of structs."""
    cdef const stretch *s
    cdef task *t
    cdef uint32_t number
    cdef int64_t _i
    cdef int j
    if m.to == NULL:
        m.size += count * l.packed
        return
    if l.packed == l.stride and l.nstretches == 1:
        put(m, at, count * l.packed)
        return
    for _i in range(count):
        for j in range(l.nstretches):
            s = &l.stretches[j]
            if s.is_task:
                t = (<task **>(at + s.offset))[0]
                number = NIL if t == NULL else t.index
                put(m, &number, sizeof(number))
            else:
                put(m, at + s.offset, s.bytes)
        at += l.stride


cdef inline void write_section(engine *e, image *m, int section) noexcept nogil:
    cdef layout l
    cdef char text[LAYOUT_ROOM]
    cdef char *at
    cdef int64_t count, all = 0
    cdef uint32_t i = 0
    cdef uint32_t length
    describe(&l, e, section)
    while block(e, m, section, i, &at, &count):
        all += count
        i += 1
    length = <uint32_t>strlen(l.section)
    put(m, &length, sizeof(length))
    put(m, l.section, length)
    length = <uint32_t>layout_text(&l, text)
    put(m, &length, sizeof(length))
    put(m, text, length)
    put(m, &all, sizeof(all))
    i = 0
    while block(e, m, section, i, &at, &count):
        pack(m, &l, at, count)
        i += 1


cdef inline void write_world(engine *e, image *m, char *to) noexcept nogil:
    """Write all sections, or with nowhere to put them find how long they are."""
    cdef int section
    m.to = to
    m.size = 0
    for section in range(SECTIONS):
        write_section(e, m, section)


# --- reading ------------------------------------------------------------------------


cdef inline bint wrong(
    image *m, const char *section, const char *what, int64_t where
) noexcept nogil:
    """Note what is wrong with a section as a whole, or with one of its records."""
    m.wrong.section = section
    m.wrong.what = what
    m.wrong.where = where
    return True


cdef inline bint take(
    const char **at, const char *end, void *to, size_t count
) noexcept nogil:
    if <size_t>(end - at[0]) < count:
        return False
    memcpy(to, at[0], count)
    at[0] += count
    return True


cdef inline bint same(
    const char **at, const char *end, const char *text, size_t length
) noexcept nogil:
    """Read a text with its length before it; tell whether it is this one."""
    cdef uint32_t given
    if not take(at, end, &given, sizeof(given)) or given != length:
        return False
    if <size_t>(end - at[0]) < length or memcmp(at[0], text, length):
        return False
    at[0] += length
    return True


cdef inline bint skim(
    engine *e, image *m, const char *at, size_t size
) noexcept nogil:
    """Find where each section's records are; tell whether one is not there."""
    cdef const char *end = at + size
    cdef layout l
    cdef char text[LAYOUT_ROOM]
    cdef part *p
    cdef int section
    for section in range(SECTIONS):
        p = &m.parts[section]
        describe(&l, e, section)
        if not same(&at, end, l.section, strlen(l.section)):
            return wrong(m, l.section, "the section is not there", -1)
        if not same(&at, end, text, <size_t>layout_text(&l, text)):
            return wrong(m, l.section, "the records have another layout", -1)
        if not take(&at, end, &p.count, sizeof(p.count)):
            return wrong(m, l.section, "the section is cut short", -1)
        if not 0 <= p.count <= MAX_ENTRIES or (
            <size_t>(end - at) < p.count * l.packed
        ):
            return wrong(m, l.section, "the section is cut short", -1)
        p.at = at
        at += p.count * l.packed
    return at != end and wrong(m, "world", "something follows it", -1)


cdef inline int make_room(engine *e, image *m) except -1 nogil:
    """Have all entries that the sections tell of, or note why not."""
    cdef world *w = &e.w
    cdef layout l
    cdef arena *a
    cdef int64_t count
    cdef int section
    for section in range(SECTIONS):
        a = arena_of(w, section)
        if section == S_SAMPLES:
            a = &e.samples
        if a != NULL:
            if m.parts[section].count < a.used:
                describe(&l, e, section)
                wrong(m, l.section, "a new world has more", -1)
                return 0
            arena_extend(a, <uint32_t>m.parts[section].count)
    count = m.parts[S_FILES].count + m.parts[S_SPARE_FILES].count
    if count > MAX_ENTRIES:
        wrong(m, "files", "the section is cut short", -1)
        return 0
    arena_extend(&w.files, <uint32_t>count)
    for section in range(SECTIONS):
        a = spares_of(w, section)
        if a != NULL:
            if m.parts[section].count > a.used:
                describe(&l, e, section)
                wrong(m, l.section, "there are fewer entries", -1)
                return 0
            arena_reserve_spares(a, 0)
            a.spares = <uint32_t>m.parts[section].count
    count = m.parts[S_TASKS].count
    if count % TASKS_A_CHUNK or count < w.s.nchunks * TASKS_A_CHUNK:
        wrong(m, "tasks", "tasks come in chunks of 256, and not so few", -1)
        return 0
    while w.s.nchunks * <int64_t>TASKS_A_CHUNK < count:
        task_chunk(w)
    return 0


cdef inline int64_t read_figure(const char *at, int kind) noexcept nogil:
    cdef uint16_t u2
    cdef uint32_t u4
    cdef int16_t i2
    cdef int32_t i4
    cdef int64_t i8
    if kind == K_U1:
        return (<const uint8_t *>at)[0]
    if kind == K_I1:
        return (<const int8_t *>at)[0]
    if kind == K_U2:
        memcpy(&u2, at, sizeof(u2))
        return u2
    if kind == K_I2:
        memcpy(&i2, at, sizeof(i2))
        return i2
    if kind == K_U4 or kind == K_TASK:
        memcpy(&u4, at, sizeof(u4))
        return u4
    if kind == K_I4:
        memcpy(&i4, at, sizeof(i4))
        return i4
    memcpy(&i8, at, sizeof(i8))
    return i8


cdef inline bint figures_wrong(
    image *m, const layout *l, const char *at, int64_t count, int64_t tasks
) noexcept nogil:
    """Look at each figure of some records: one that its field cannot have is noted.

    A field at a time of as many records as stay in the cache.
    """
    cdef const field *f
    cdef const char *place
    cdef int64_t first = 0, i, value, low, high
    cdef size_t size, column
    cdef bint nil
    cdef uint32_t k
    cdef int j
    while first < count:
        column = 0
        for j in range(l.count):
            f = &l.fields[j]
            size = kind_size(f.kind)
            low, high, nil = f.low, f.high, f.nil
            if f.kind == K_TASK:
                low, high, nil = 0, tasks - 1, True
            for k in range(f.times if f.kind != K_F8 else 0):
                place = at + first * l.packed + column + k * size
                for i in range(first, min(first + BLOCK, count)):
                    value = read_figure(place, f.kind)
                    if not low <= value <= high and not (nil and value == NIL):
                        m.wrong.section = l.section
                        m.wrong.name = f.name
                        m.wrong.where = i
                        m.wrong.value = value
                        m.wrong.low, m.wrong.high = low, high
                        return True
                    place += l.packed
            column += f.times * size
        first += BLOCK
    return False


cdef inline void unpack(
    world *w, const layout *l, const char *from_, char *at, int64_t count
) noexcept nogil:
    """Fill in structs from records that were looked at."""
    cdef const stretch *s
    cdef uint32_t number
    cdef int64_t _i
    cdef int j
    if l.packed == l.stride and l.nstretches == 1:
        if count:
            memcpy(at, from_, count * l.packed)
        return
    for _i in range(count):
        for j in range(l.nstretches):
            s = &l.stretches[j]
            if s.is_task:
                memcpy(&number, from_, sizeof(number))
                (<task **>(at + s.offset))[0] = (
                    NULL if number == NIL else task_at(w, number)
                )
            else:
                memcpy(at + s.offset, from_, s.bytes)
            from_ += s.bytes
        at += l.stride


cdef inline bint spares_twice(image *m, arena *a, const char *section) except -1 nogil:
    """Tell whether an index is given back twice."""
    cdef uint8_t *seen
    cdef uint32_t i
    cdef bint twice = False
    if not a.spares:
        return False
    seen = <uint8_t *>arena_zeroed(a.used, 1)
    for i in range(a.spares):
        if seen[a.spare[i]]:
            twice = wrong(m, section, "an index is given back twice", i)
        seen[a.spare[i]] = 1
    PyMem_RawFree(seen)
    return twice


cdef inline int prepare_rings(world *w, image *m) except -1 nogil:
    """Have rings for the callbacks that the CPUs' records tell of."""
    cdef rcu_data *d
    cdef int64_t head, tail, all = 0
    cdef int32_t i
    for i in range(w.s.ncpus):
        d = &w.r.data[i]
        if not d.head <= d.done <= d.wait <= d.ready <= d.tail:
            wrong(m, "rcu", "callbacks stand in no order", i)
            d.head = d.tail = 0
            return 0
        all += min(rcu_qlen(d), MAX_ENTRIES)
    if all != m.parts[S_CALLBACKS].count:
        wrong(m, "callbacks", "the CPUs have not so many", -1)
        return 0
    for i in range(w.s.ncpus):
        d = &w.r.data[i]
        head, tail = d.head, d.tail
        d.head = d.tail = 0
        rcu_reserve(d, w.r.stamped, tail - head)
        d.head, d.tail = head, tail
    return 0


cdef inline bint has_slots(const world *w, const root_cache *r) noexcept nogil:
    return w.k.children and r.accounted and not r.shut


cdef inline int prepare_slots(world *w, image *m) except -1 nogil:
    """Have an array of children for each root that can have some."""
    cdef root_cache *r
    cdef int64_t all = 0
    cdef uint32_t i
    for i in range(w.c.roots.used):
        if has_slots(w, root_at(&w.c, i)):
            all += w.c.nr_ids
    if all != m.parts[S_SLOTS].count:
        wrong(m, "slots", "the roots have not so many", -1)
        return 0
    for i in range(w.c.roots.used):
        r = root_at(&w.c, i)
        if has_slots(w, r):
            r.slots = <uint32_t *>arena_resize(NULL, w.c.nr_ids * sizeof(uint32_t))
    return 0


cdef inline int prepare_steps(world *w, image *m) except -1 nogil:
    cdef program *p = <program *>w.programs.entries
    cdef int64_t left = m.parts[S_STEPS].count, count
    cdef uint32_t i
    for i in range(w.programs.used):
        count = p[i].nsteps
        if count > left:
            p[i].nsteps = 0
            wrong(m, "steps", "the programs have not so many", -1)
            return 0
        left -= count
        p[i].steps = <int64_t *>arena_zeroed(<size_t>count + 1, 5 * sizeof(int64_t))
    return 0


cdef inline int prepare_files(world *w, image *m) except -1 nogil:
    """Have a file for each number that is not given back."""
    cdef uint8_t *closed = <uint8_t *>arena_zeroed(<size_t>w.files.used + 1, 1)
    cdef open_file *o
    cdef uint32_t i
    try:
        for i in range(w.files.spares):
            closed[w.files.spare[i]] = 1
        for i in range(w.files.used):
            if not closed[i]:
                o = <open_file *>arena_zeroed(1, sizeof(open_file))
                o.w = w
                arena_init(&o.delivered, sizeof(uint32_t))
                (<open_file **>w.files.entries)[i] = o
    finally:
        PyMem_RawFree(closed)
    return 0


cdef inline int prepare_text(world *w, image *m) except -1 nogil:
    """Have the buffers of files, and room for what each delivered."""
    cdef open_file *o
    cdef uint32_t i
    cdef int64_t text = 0, delivered = 0
    for i in range(w.files.used):
        o = file_at(w, i)
        if o == NULL:
            continue
        delivered += o.delivered.used
        text += <int64_t>o.seq.count
        if (o.kind in (FILE_MEMCG_SLABINFO, FILE_CGROUP_STAT)) != (o.memcg != NIL):
            wrong(m, "files", "it is of a cgroup, or of none", i)
            return 0
        if o.seq.size & (o.seq.size - 1) or 0 < o.seq.size < SEQ_PAGE or (
            o.seq.from_ + o.seq.count > o.seq.size
        ):
            wrong(m, "files", "more is printed than the buffer holds", i)
            return 0
    if text != m.parts[S_TEXT].count or delivered != m.parts[S_DELIVERED].count:
        wrong(m, "text", "the files have not so much", -1)
        return 0
    for i in range(w.files.used):
        o = file_at(w, i)
        if o == NULL:
            continue
        delivered, o.delivered.used = o.delivered.used, 0
        arena_extend(&o.delivered, <uint32_t>delivered)
        if o.seq.size:
            o.seq.buf = <char *>arena_zeroed(o.seq.size, 1)
    return 0


cdef inline int prepare(engine *e, image *m, int section) except -1 nogil:
    """Have the structs of a section, of which those before it have told."""
    cdef world *w = &e.w
    if section == S_TIMERS:
        m.timers = <timer *>arena_zeroed(
            <size_t>m.parts[S_TIMERS].count + 1, sizeof(timer)
        )
        w.s.timers.used = <uint32_t>m.parts[S_TIMERS].count
    elif section == S_CALLBACKS:
        prepare_rings(w, m)
    elif section == S_SLOTS:
        prepare_slots(w, m)
    elif section == S_STEPS:
        prepare_steps(w, m)
    elif section == S_FILES:
        prepare_files(w, m)
    elif section == S_TEXT:
        prepare_text(w, m)
    return 0


cdef inline int read_section(engine *e, image *m, int section) except -1 nogil:
    cdef layout l
    cdef const char *from_ = m.parts[section].at
    cdef arena *a = spares_of(&e.w, section)
    cdef char *at
    cdef int64_t count, left = m.parts[section].count
    cdef uint32_t i = 0
    prepare(e, m, section)
    if m.wrong.section != NULL:
        return 0
    describe(&l, e, section)
    if figures_wrong(m, &l, from_, left, e.w.s.nchunks * <int64_t>TASKS_A_CHUNK):
        return 0
    while block(e, m, section, i, &at, &count):
        if count > left:
            break
        unpack(&e.w, &l, from_, at, count)
        from_ += count * l.packed
        left -= count
        i += 1
    else:
        if not left:
            if a != NULL:
                spares_twice(m, a, l.section)
            return 0
    wrong(m, l.section, "not as many records as the rest tells of", -1)
    return 0


cdef inline int start_clock(world *w, image *m) except -1 nogil:
    """Arm the timers; they stand in the order in which they are due."""
    cdef int64_t count = m.parts[S_TIMERS].count, i
    w.s.timers.used = 0
    for i in range(count):
        if i and timer_order(&m.timers[i - 1], &m.timers[i]) >= 0:
            wrong(m, "timers", "it is not due later than the one before", i)
            return 0
        clock_push(
            &w.s.timers, m.timers[i].when, m.timers[i].number, m.timers[i].task
        )
    return 0


cdef inline void set_up_files(world *w) noexcept nogil:
    """Give the files what follows from what they are of; go on with their cursors."""
    cdef open_file *o
    cdef uint32_t i, entry
    cdef bint moved
    for i in range(w.files.used):
        o = file_at(w, i)
        if o == NULL:
            continue
        file_set_up(o)
        o.seq.ppos = &o.f_pos
        # Of a cgroup that is freed the list may be another's by now.
        if o.by_cursor and o.list != LIST_NONE and (
            o.memcg == NIL or memcg_at(&w.m, o.memcg).generation == o.generation
        ):
            entry, moved = o.cursor.entry, o.cursor.moved
            list_cursor_open(file_list(o), &o.cursor, entry)
            o.cursor.moved = moved


cdef inline int read_world(
    engine *e, image *m, const char *at, size_t size
) except -1 nogil:
    """Fill a new world in; what is wrong is noted, and then it is of no use."""
    cdef int section
    if skim(e, m, at, size):
        return 0
    make_room(e, m)
    for section in range(SECTIONS):
        if m.wrong.section != NULL:
            return 0
        read_section(e, m, section)
    if m.wrong.section == NULL:
        start_clock(&e.w, m)
    if m.wrong.section == NULL:
        set_up_files(&e.w)
    return 0

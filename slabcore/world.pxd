"""A world: its two planes, its knobs and costs, and what is counted.

The steps below change both planes at once and take no time; the functions that tasks
run (slab_common, cgroup, programs) are made of them. Here and above alone the planes
meet.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport (
    NIL,
    arena,
    arena_extend,
    arena_give,
    arena_reserve,
    arena_resize,
    arena_take,
    arena_zeroed,
)
from slabcore.clock cimport lowest_bit
from slabcore.list cimport (
    list_add,
    list_add_tail,
    list_cursor,
    list_del,
    list_init,
    list_walk,
)
from slabcore.log cimport event_log, log_append, record
from slabcore.memcontrol cimport (
    mem_cgroup,
    memcg_at,
    memcgs,
    obj_cgroup,
    objcg_at,
    objcg_free,
    objcg_new,
)
from slabcore.mutex cimport hotplug_lock, hotplug_unlock, mutex_lock, mutex_unlock
from slabcore.rcu cimport (
    call_rcu,
    rcu_data,
    rcu_qlen,
    rcu_stamp,
    rcu_stamp_last,
    rcu_state,
)
from slabcore.sched cimport (
    GONE,
    LOCKS,
    SLAB_MUTEX,
    SLEEPING,
    TASKS_A_CHUNK,
    cpu_idle,
    frame,
    mutex,
    sched,
    task,
    task_push,
    work,
    worker_pool,
)
from slabcore.seq_file cimport seq_file, seq_operations
from slabcore.slab cimport (
    FREED,
    LIVE,
    SHUT,
    cache_at,
    cache_links,
    kmem_cache,
    links_at,
    moved_at,
    plugged_at,
    queued_at,
    queued_cache,
    root_at,
    root_cache,
    root_layout,
    root_of,
    slab_caches,
    slabs_for,
    slot_forget_miss,
    slot_missed_at,
)
from slabcore.workqueue cimport (
    new_work,
    pool_enter_idle,
    queue_work,
    work_at,
    workqueues,
)

cdef enum:  # outcome
    DONE
    CALL                    # another function is to run first
    RUN                     # takes task.left ns in the kernel
    RUN_USER                # the same in user mode
    SLEEP                   # until woken
    SLEEP_D                 # the same, uninterruptibly
    IN_LINE                 # for a mutex: spins or sleeps
    YIELD                   # to the others of this CPU

cdef enum:  # function
    F_SOFTIRQ
    F_WORKER
    F_PROGRAM
    F_BURST
    F_MKDIR
    F_GROW
    F_RMDIR
    F_ATTACH
    F_ALLOC
    F_MISS
    F_FREE_OBJECTS
    F_DROP_CACHES
    F_UNPIN
    F_UNPIN_ALL
    F_CREATE_ROOT
    F_SYNCHRONIZE
    F_BARRIER
    F_CREATE_WORK
    F_OFFLINE_WORK
    F_RELEASE_WORK
    F_FREE_WORK
    F_CGROUP_FREE_WORK
    F_DEACTIVATE_WORK
    F_BARRIER_WORK
    F_DEACTIVATE
    F_DESTROY
    F_SHUTDOWN
    F_SHUTDOWN_WORK
    F_RELEASE_CACHE
    F_DESTROY_ROOT
    F_RELEASE_LATER
    F_FLUSH_WORKQUEUE
    F_DELETE_DIRECTORY
    F_REMOVE_DIRECTORY_WORK
    F_HOTPLUG
    F_CONFIGURE
    F_REAP_WORK
    F_SLABINFO
    F_READ_FILE
    F_HOLD_MUTEX

cdef enum:  # work_kind
    W_CREATE
    W_OFFLINE
    W_RELEASE
    W_FREE
    W_CGROUP_RELEASE
    W_CGROUP_FREE
    W_DEACTIVATE
    W_SHUTDOWN
    W_BARRIER
    W_REAP
    W_REMOVE_DIRECTORY

cdef enum:  # callback_kind
    CB_PLAIN
    CB_WAKE
    CB_BARRIER
    CB_RCU_SYNC
    CB_CSS_KILLED
    CB_CSS_FREE
    CB_CGROUP_FREE
    CB_DEACTIVATE
    CB_SLAB
    CB_CACHE_KILLED
    CB_OBJCG_KILLED
    CB_CACHE_FREE

cdef enum:  # queue_number
    EVENTS
    CGROUP_DESTROY
    KMEM_CACHE              # memcg_kmem_cache
    KMEM_CACHE_CREATE

cdef enum:  # deactivation
    DEACT_NONE
    DEACT_IPI
    DEACT_GP_PER_CACHE
    DEACT_GP_PER_MEMCG
    DEACT_RCU_PER_CACHE

cdef enum:  # typesafe_free
    FREE_BARRIER_BATCH
    FREE_BARRIER_ASYNC
    FREE_CALL_RCU
    FREE_BARRIER_PER_CACHE

cdef enum:  # root_destroy
    ROOT_AT_ONCE
    ROOT_FLUSH_FIRST
    ROOT_FLUSH_TWICE
    ROOT_FLUSH_AT_ZERO
    ROOT_UNLINK_FIRST

cdef enum:  # sysfs_removal
    SYSFS_RELEASE
    SYSFS_DEACTIVATION
    SYSFS_WORK_LEAKS
    SYSFS_WORK
    SYSFS_SHUTDOWN
    SYSFS_UNLOCKED

cdef enum:  # what shutdown() answers
    SHUTDOWN_BUSY
    SHUTDOWN_DONE
    SHUTDOWN_LATER          # the caller is to release it, once slab_mutex is free

cdef enum:  # schedule_event
    PAGE_FREE_QUEUED
    CACHE_FREE_QUEUED
    CACHE_FREED
    PAGE_FREE_RAN
    SCHEDULE_EVENTS

cdef enum:  # hop_kind
    HOPS_CREATE
    HOPS_GROW
    HOPS_OFFLINE
    HOPS_FREE
    HOPS_DESTROY
    HOPS_HOTPLUG
    HOPS_REAP
    HOPS_REPARENT
    HOPS_SLABINFO
    HOP_KINDS

cdef enum:  # finding_kind
    GP_UNDER_CGROUP
    GP_UNDER_SLAB
    BARRIER_UNDER_CGROUP
    BARRIER_UNDER_SLAB
    KOBJECT_UNDER_SLAB
    CHILDREN_MISSED
    CACHE_USE_AFTER_FREE
    CACHE_LEAKED
    ALIAS_MARKED_DYING
    BUSY_CHILD_UNUSABLE
    WORK_ON_DESTROYED
    RECORD_REPEATED
    FINDINGS

cdef enum:  # event; core/world.pxi has the names
    EV_QUEUE_WORK
    EV_EXECUTE_START
    EV_EXECUTE_END
    EV_MUTEX_SLOWPATH
    EV_SYNCHRONIZE_SCHED
    EV_RCU_BARRIER
    EV_SYS_MKDIR
    EV_CGROUP_MKDIR
    EV_ATTACH_TASK
    EV_SYS_RMDIR
    EV_CGROUP_RMDIR
    EV_CGROUP_RELEASE
    EV_CSS_KILLED_REF
    EV_CSS_KILLED_WORK
    EV_CSS_RELEASE_WORK
    EV_CSS_FREE_WORK
    EV_CSS_OFFLINE
    EV_CSS_FREE
    EV_CREATE_FUNC
    EV_CREATE_CACHE
    EV_SYSFS_ADD
    EV_DEACTIVATE_CACHES
    EV_SHRINK
    EV_DEACTIVATE_WORK
    EV_DEACT_AFTER_RCU
    EV_KMEMCG_WORK
    EV_CACHE_SHUTDOWN_FN
    EV_DESTROY_CACHES
    EV_SHUTDOWN_CACHE
    EV_SHUTDOWN
    EV_RCU_DESTROY_WORK
    EV_SYSFS_REMOVE
    EV_CACHE_RELEASE
    EV_CACHE_REAP
    EV_SYSFS_REMOVE_WORK
    EVENT_KINDS

cdef enum:  # cause: what time goes into
    T_LIST_WALKS
    T_GRACE_PERIODS         # from falling asleep to running again
    T_BARRIERS              # the same
    T_SYSFS_ADD
    T_SYSFS_REMOVE
    T_IPIS
    T_SHRINK
    T_CREATE
    T_RELEASE
    T_CGROUPS
    T_OBJECTS
    T_CALLBACKS
    T_WORKERS
    T_PROGRAMS
    CAUSES

cdef enum:  # op
    OP_MKDIR = 1
    OP_RMDIR
    OP_FORK
    OP_JOIN
    OP_ALLOC
    OP_PIN
    OP_SLEEP
    OP_RUN
    OP_CALLBACKS
    OP_EXIT
    OP_WAIT
    OP_AT
    OP_DROP_CACHES
    OP_HOLD
    OP_FREE
    OP_CREATE_CACHE
    OP_DESTROY_CACHE
    OP_HOTPLUG = 30
    OP_KEEP = 40
    OP_RMDIR_KEPT
    OP_SETTLE
    OP_EXPEDITE
    OP_SLABINFO
    OP_PROBE
    OP_TAKE
    OP_MARK = 50

cdef enum:  # file_kind
    FILE_SLABINFO           # /proc/slabinfo
    FILE_MEMCG_SLABINFO     # memory.kmem.slabinfo of a cgroup
    FILE_CGROUP_STAT        # its cgroup.stat
    FILE_CGROUPS            # /proc/cgroups
    FILE_LOADAVG            # /proc/loadavg
    FILE_KINDS

cdef enum:  # watch_kind
    WATCH_CACHE             # a cgroup's cache of a root is there
    WATCH_OFFLINE
    WATCH_FREED
    WATCH_KINDS

cdef enum:  # file_list
    LIST_NONE               # one record, at position 0
    LIST_ALL                # slab_caches
    LIST_ROOTS              # slab_root_caches; its entries are numbers of roots
    LIST_MEMCG              # of the caches of a cgroup

cdef enum:  # results of calls that ran beside others
    MISSED_ID = -1          # there was none left
    TOO_LATE = -2           # the cgroup was removed meanwhile
    FEWER = -3              # and below: less so many, which is all that can be freed

cdef enum:
    STEPS_A_LOOK = 1 << 16  # steps and events between two looks for Ctrl-C

cdef enum:
    NAME_ROOM = 128         # for the name of a cache, a NUL included

cdef enum:  # hotplug_event
    CPU_DEAD
    MEMORY_ONLINE
    MEMORY_OFFLINE

cdef enum:  # rcu_sync_state
    SYNC_IDLE
    SYNC_PENDING
    SYNC_PASSED
    SYNC_REPLAY


cdef struct knobs:
    uint8_t root_list
    uint8_t memcg_list
    uint8_t typesafe_free
    uint8_t root_destroy
    uint8_t single_pass     # a destroyed root's children are passed but once
    uint8_t deactivation
    uint8_t reparenting
    uint8_t inherits        # what an offline cgroup allocated is its parent's
    uint8_t by_object       # objects are charged, not caches' pages
    uint8_t child_sysfs
    uint8_t sysfs_removal
    uint8_t removal_work    # a work item has to do with the end of a directory
    uint8_t entrained
    uint8_t join_waits
    uint8_t create_queue
    uint8_t deactivate_queue
    uint8_t kmem            # kernel memory accounting is on
    uint8_t children        # and cgroups get caches of their own
    uint8_t child_caches    # they would, if it is
    uint8_t literal         # walks touch every entry
    uint8_t roots_only      # children are not on slab_caches
    uint8_t slab            # the allocator is SLAB
    uint8_t create_waits
    uint8_t css_ids         # a cgroup's id is its css's, held until that is freed
    uint8_t named_by_id
    uint32_t kernfs_per_cache
    uint32_t kernfs_per_cgroup
    uint8_t charge_caches
    uint8_t seq_file        # an era


cdef struct hop_point:
    int64_t length
    int64_t picoseconds


cdef struct costs:
    int64_t cgroup_mkdir
    int64_t cgroup_rmdir
    int64_t cgroup_attach
    int64_t fork
    int64_t exit
    int64_t css_offline
    int64_t deactivate
    int64_t css_release
    int64_t css_free
    int64_t cgroup_free
    int64_t alloc
    int64_t alloc_miss
    int64_t create_check
    int64_t cache_create
    int64_t kernfs_add
    int64_t kernfs_remove
    int64_t shrink
    int64_t shutdown
    int64_t release
    int64_t ipi
    int64_t rcu_callback
    int64_t worker_create
    int64_t page_alloc
    int64_t page_free
    int64_t slabinfo_row
    int64_t slabinfo_child
    int64_t *ipi_halted
    int32_t nipi_halted
    hop_point *hops
    int32_t nhops


cdef struct program:
    int64_t *steps          # five numbers each
    int64_t nsteps


cdef struct kept_memcg:     # waits for rmdir_kept
    uint32_t memcg
    uint32_t generation


cdef struct finding:
    int64_t at
    int64_t count


cdef struct schedule_event:
    int64_t at
    int64_t ahead           # callbacks of its CPU before it
    int32_t cpu


cdef struct tally:
    int64_t iterations
    int64_t mkdir_failures
    int64_t mkdir_failed_at     # the first time
    int64_t user_tasks      # those in the background not counted
    int64_t threads         # of programs and of the face
    int64_t settling        # programs that wait until nothing but them is left
    int64_t ended_at
    int64_t barriers
    int64_t ipis
    int64_t sync_waits
    int64_t sync_under_cgroup
    int64_t sync_under_slab
    int64_t sync_under_hotplug
    int64_t async_waits
    int64_t expedited_waits
    int64_t hops[HOP_KINDS]
    int64_t caches_created
    int64_t caches
    int64_t caches_dying
    int64_t caches_peak
    int64_t caches_dying_peak
    int64_t cgroups_created
    int64_t cgroups
    int64_t cgroups_dying
    int64_t cgroups_peak
    int64_t cgroups_dying_peak
    int64_t objcgs
    int64_t objcgs_peak
    int64_t objcgs_reparented
    int64_t shrinks
    int64_t stalls          # of those who interrupted halted CPUs
    int64_t offlined
    int64_t offlined_at     # the last cgroup
    int64_t freed_at        # the last cache or cgroup
    int64_t nodes
    int64_t nodes_peak
    int64_t slab_bytes
    int64_t slab_bytes_peak
    int64_t caches_leaked
    int64_t roots_created
    int64_t aliases
    int64_t roots_destroyed
    int64_t destroys_failed
    int64_t misses
    int64_t pairs_missed
    int64_t creations_pending
    int64_t creations_run
    int64_t creations_unmissed
    int64_t reaper_passes
    int64_t reaper_skipped
    int64_t time_ns[CAUSES]     # summed over tasks
    finding findings[FINDINGS]


cdef struct mark:
    int64_t number
    int64_t at
    int64_t completed       # grace periods
    tally n
    mutex mutexes[LOCKS]


cdef struct world


cdef struct open_file:
    world *w
    seq_file seq
    seq_operations op
    int kind
    int era
    int list
    uint32_t memcg          # whose file it is, NIL for none
    uint32_t generation
    bint by_program         # it counts what it delivers
    bint by_cursor          # it goes on at the entry that comes next
    list_cursor cursor
    int64_t cursor_at       # position of that entry; 0 is always the head
    int64_t f_pos
    int64_t offset          # of a pread
    int next                # what the call under way needs: SEQ_DONE, SEQ_SECTION
    int64_t result          # and what it answered
    # The latest section: position of the entry, length of the list, what it took.
    int64_t at
    int64_t length
    int64_t start_hops
    int64_t next_hops
    int64_t children
    int64_t rows
    # All of them.
    int64_t all_start_hops
    int64_t all_next_hops
    int64_t all_children
    int64_t held_ns
    int64_t since           # serial of the first cache made after the first; -1: none
    int64_t latest          # entry whose record came last, without a seek since; -1
    int64_t latest_at
    arena delivered         # uint32_t of each root: how often its row came
    int64_t delivered_rows
    int64_t repeated


cdef struct slabinfo_read:  # a whole read of /proc/slabinfo by a program
    int64_t began
    int64_t took
    int64_t calls
    int64_t rows
    int64_t missing
    int64_t repeated
    int64_t start_hops
    int64_t next_hops
    int64_t children
    int64_t held_ns
    bint by_cursor


cdef struct finished:       # a call that ran beside others, a program, or a watch
    int64_t ticket
    int64_t at
    int64_t result          # a verdict, or of F_MKDIR the handle; MISSED_ID to FEWER
    int32_t function        # of the task; -1: it was a watch


cdef struct watch:
    int64_t ticket
    uint32_t kind
    uint32_t root
    uint32_t memcg


cdef struct hold:           # of a mutex, or a place in its line
    int64_t ticket
    uint32_t task           # index


cdef struct world:
    sched s
    workqueues q
    rcu_state r
    slab_caches c
    memcgs m
    knobs k
    costs cost
    tally n
    event_log log
    arena programs
    arena delays            # first miss to slot filled, as note_delay() writes them
    int64_t ndelays
    int64_t last_delay
    arena kept              # kept_memcg; those before kept_head were removed
    uint32_t kept_head
    arena marks
    arena names             # of root caches: the length of each before its bytes
    arena files             # open_file *; NULL: closed
    arena slabinfo_reads
    int64_t tickets         # given out
    arena finished          # since somebody last asked
    arena watches
    arena holds
    int64_t load[3]
    uint32_t max_memcgs
    int64_t hz
    int64_t tick_ns
    int64_t reaps           # queued or running: they keep nobody from resting
    int64_t free_slabs_at   # when the reaper may free empty slabs again
    uint8_t expedited       # /sys/kernel/rcu_expedited
    int64_t barrier_sequence
    int64_t barrier_count
    task *barrier_waiter
    uint8_t rss_state
    uint8_t rss_callback
    int64_t rss_count
    uint32_t destroy_work
    uint32_t *stock         # of each CPU: the cgroup that charged there last, or NIL
    # Of the first cache that was freed under a page-free callback: what led to it.
    schedule_event schedule[SCHEDULE_EVENTS]
    int32_t scheduled
    int64_t too_late        # that callback's place in the ring of its CPU
    int64_t steps           # since somebody last looked for Ctrl-C
    uint8_t was_busy
    task *main
    uint8_t main_done
    uint32_t main_result
    int32_t main_cpu


cdef inline int task_chunk(world *w) except -1 nogil:
    """Make tasks that are gone; tasks keep their address for life."""
    cdef task *t
    cdef uint32_t i
    w.s.chunks = <task **>arena_resize(
        w.s.chunks, (w.s.nchunks + 1) * sizeof(task *)
    )
    t = <task *>arena_zeroed(TASKS_A_CHUNK, sizeof(task))
    w.s.chunks[w.s.nchunks] = t
    for i in range(<uint32_t>TASKS_A_CHUNK):
        t[i].index = w.s.nchunks * TASKS_A_CHUNK + i
        t[i].state = GONE
        t[i].next = w.s.spare_tasks
        w.s.spare_tasks = &t[i]
    w.s.nchunks += 1
    return 0


cdef inline int task_new(
    world *w, int32_t cpu, bint bound, task **new
) except -1 nogil:
    """Make a sleeping task."""
    cdef task *t
    if w.s.spare_tasks == NULL:
        task_chunk(w)
    t = w.s.spare_tasks
    w.s.spare_tasks = t.next
    w.s.task_number += 1
    t.number = w.s.task_number
    t.left = t.wants_since = t.idle_since = 0
    t.next = t.line_next = t.idle_next = t.idle_prev = t.parent = NULL
    t.parent_number = 0
    t.cpu = cpu
    t.pool = -1
    t.children = 0
    t.memcg = t.made = t.cache = t.result = NIL
    t.made_generation = 0
    t.state = SLEEPING
    t.bound = bound
    t.user = t.interrupted = t.spins = t.counted = t.waiting = t.is_softirq = 0
    t.wants_write = t.in_hotplug = 0
    t.background = t.while_parent = 0
    t.ticket = 0
    t.depth = 0
    new[0] = t
    return 0


cdef inline task *task_at(world *w, uint32_t index) noexcept nogil:
    return &w.s.chunks[index // TASKS_A_CHUNK][index % TASKS_A_CHUNK]


cdef inline int run(task *t, int64_t ns) noexcept nogil:
    t.left = ns
    return RUN


cdef inline bint busy(const world *w) noexcept nogil:
    """Tell whether a program, a work item or a callback is left."""
    return (
        w.n.user_tasks != 0
        or w.q.outstanding > w.reaps
        or w.r.callbacks != 0
    )


cdef inline bint passes(world *w, task *t, int64_t ns) noexcept nogil:
    """Let a step of the running task pass, or begin it: its function is to return RUN.

    It passes if the event loop would choose its end next: it disturbed no other CPU,
    and all else comes later.
    """
    cdef int64_t ends = w.s.now + ns
    if not ns:
        return True
    if w.s.disturbed or ends >= w.s.horizon or not busy(w):
        t.left = ns
        return False
    w.steps += 1
    if w.steps >= STEPS_A_LOOK:
        t.left = ns
        return False
    w.was_busy = True
    w.s.now = ends
    return True


cdef inline bint passes_user(world *w, task *t, int64_t ns) noexcept nogil:
    """Do the same in user mode, or the function is to return RUN_USER."""
    if w.s.cpus[t.cpu].urgent.first != NULL:
        t.left = ns
        return False
    return passes(w, t, ns)


cdef inline int64_t spend(world *w, int cause, int64_t ns) noexcept nogil:
    """Note what a step's time goes into; return it."""
    w.n.time_ns[cause] += ns
    return ns


cdef inline int64_t kernfs_add(world *w, int64_t nodes) noexcept nogil:
    """Return what adding kernfs nodes takes."""
    return spend(w, T_SYSFS_ADD, nodes * w.cost.kernfs_add)


cdef inline int64_t kernfs_remove(world *w, int64_t nodes) noexcept nogil:
    return spend(w, T_SYSFS_REMOVE, nodes * w.cost.kernfs_remove)


cdef inline int run_user(task *t, int64_t ns) noexcept nogil:
    t.left = ns
    return RUN_USER


cdef inline int lock(world *w, task *t, int number) except -1 nogil:
    """Take a mutex: the next step runs when it is owned."""
    if mutex_lock(&w.s, &w.s.mutexes[number], t):
        return CALL
    if w.log.on:
        log_append(&w.log, &w.s, EV_MUTEX_SLOWPATH, t.cpu).mutex = <int8_t>number
    return IN_LINE


cdef inline void unlock(world *w, int number) noexcept nogil:
    mutex_unlock(&w.s, &w.s.mutexes[number])


cdef inline int lock_caches(world *w, task *t, frame *f) noexcept nogil:
    """Keep hotplug out, then take slab_mutex; a function's first step, made until held.

    The next step, at the pc that follows, runs when both are.
    """
    if not t.in_hotplug and not hotplug_lock(&w.s, t, False):
        return SLEEP_D
    f.pc += 1
    return lock(w, t, SLAB_MUTEX)


cdef inline void unlock_caches(world *w, task *t) noexcept nogil:
    mutex_unlock(&w.s, &w.s.mutexes[SLAB_MUTEX])
    hotplug_unlock(&w.s, t)


cdef inline int call(
    task *t, int32_t function, uint32_t a, uint32_t b
) noexcept nogil:
    cdef frame *f = task_push(t, function)
    f.a = a
    f.b = b
    return CALL


cdef inline int note(
    world *w, int event, int32_t cpu, uint32_t memcg, uint32_t cache
) except -1 nogil:
    """Log an event of the task on a CPU, about a cgroup and a cache (NIL: none)."""
    cdef record *r
    if w.log.on:
        r = log_append(&w.log, &w.s, event, cpu)
        if cache != NIL:
            r.cache = cache_at(&w.c, cache).serial
        if memcg != NIL:
            r.memcg = memcg_at(&w.m, memcg).serial
    return 0


cdef inline int note_mkdir(world *w, int32_t cpu, uint32_t memcg) except -1 nogil:
    cdef mem_cgroup *m = memcg_at(&w.m, memcg)
    cdef record *r
    if w.log.on:
        r = log_append(&w.log, &w.s, EV_CGROUP_MKDIR, cpu)
        r.memcg = m.serial
        r.item = memcg_at(&w.m, m.parent).serial
    return 0


cdef inline int note_work(
    world *w, int event, int32_t cpu, uint32_t i
) except -1 nogil:
    """Log what happens to a work item."""
    cdef work *item
    cdef record *r
    if w.log.on:
        item = work_at(&w.q, i)
        r = log_append(&w.log, &w.s, event, cpu)
        r.item = item.number
        r.function = <int16_t>function_of(w, item.kind)
        r.queue = <int8_t>item.queue
        # Once it has run, what it was about may be gone.
        if event == EV_EXECUTE_END:
            return 0
        if item.kind == W_DEACTIVATE or item.kind == W_SHUTDOWN:
            r.cache = cache_at(&w.c, item.a).serial
            # A root may have been destroyed with it, and its cgroup be gone.
            if cache_at(&w.c, item.a).life == LIVE:
                r.memcg = memcg_at(&w.m, links_at(&w.c, item.a).memcg_index).serial
        elif item.kind == W_CREATE:
            r.memcg = memcg_at(&w.m, item.b).serial
        elif item.kind == W_REMOVE_DIRECTORY:
            # Its cgroup may be gone by now.
            r.cache = cache_at(&w.c, item.a).serial
        elif item.kind != W_BARRIER and item.kind != W_REAP:
            r.memcg = memcg_at(&w.m, item.a).serial
    return 0


cdef inline int function_of(world *w, int kind) noexcept nogil:
    """Return the event that is named as a work item's function."""
    if kind == W_CREATE:
        return EV_CREATE_FUNC
    if kind == W_REMOVE_DIRECTORY:
        return EV_SYSFS_REMOVE_WORK
    if kind == W_OFFLINE:
        return EV_CSS_KILLED_WORK
    if kind == W_RELEASE or kind == W_CGROUP_RELEASE:
        return EV_CSS_RELEASE_WORK
    if kind == W_FREE or kind == W_CGROUP_FREE:
        return EV_CSS_FREE_WORK
    if kind == W_SHUTDOWN or (kind == W_DEACTIVATE and w.k.reparenting):
        return EV_KMEMCG_WORK
    if kind == W_DEACTIVATE:
        return EV_DEACTIVATE_WORK
    if kind == W_REAP:
        return EV_CACHE_REAP
    return EV_RCU_DESTROY_WORK


cdef inline int queue_new_work(
    world *w, int32_t cpu, int32_t queue, int32_t kind, uint32_t a, uint32_t b
) except -1 nogil:
    """Queue an item; a is the cgroup or cache it is about (W_CREATE: root, cgroup)."""
    cdef uint32_t i
    new_work(&w.q, queue, kind, a, b, &i)
    note_work(w, EV_QUEUE_WORK, cpu, i)
    queue_work(&w.s, &w.q, cpu, i)
    return 0


cdef inline int begin_phase(world *w, int64_t number) except -1 nogil:
    """Keep what is counted so far; the first task that comes begins the phase."""
    cdef uint32_t i
    cdef int j
    cdef mark *m
    for i in range(w.marks.used):
        if (<mark *>w.marks.entries)[i].number == number:
            return 0
    arena_take(&w.marks, &i)
    m = &(<mark *>w.marks.entries)[i]
    m.number = number
    m.at = w.s.now
    m.completed = w.r.completed
    m.n = w.n
    for j in range(LOCKS):
        m.mutexes[j] = w.s.mutexes[j]
    return 0


cdef inline int new_worker(world *w, int32_t number) except -1 nogil:
    cdef worker_pool *p = &w.s.pools[number]
    cdef task *t
    task_new(w, p.cpu if p.cpu >= 0 else 0, p.cpu >= 0, &t)
    t.pool = number
    task_push(t, F_WORKER)
    p.workers += 1
    w.q.kworkers += 1
    w.q.kworkers_peak = max(w.q.kworkers_peak, w.q.kworkers)
    pool_enter_idle(&w.s, p, t)
    return 0


cdef inline void find(world *w, int kind) noexcept nogil:
    """Note that the design did what it should not."""
    if not w.n.findings[kind].count:
        w.n.findings[kind].at = w.s.now
    w.n.findings[kind].count += 1


cdef inline int64_t hop_ns(world *w, int64_t hops, int64_t length) noexcept nogil:
    """Return what *hops* hops cost on a list of *length* entries; charge it."""
    cdef hop_point *p = w.cost.hops
    cdef hop_point low = p[0]
    cdef hop_point high = p[0]
    cdef int64_t cost, step
    cdef int32_t i
    for i in range(w.cost.nhops):
        high = p[i]
        if length <= high.length:
            break
        low = high
    if length >= high.length:
        cost = high.picoseconds
    elif high.length == low.length:
        cost = low.picoseconds
    else:
        step = high.length - low.length
        cost = (high.picoseconds - low.picoseconds) * (length - low.length)
        # Floor division, also where a longer list is cheaper.
        if cost < 0:
            cost = -((-cost + step - 1) // step)
        else:
            cost = cost // step
        cost += low.picoseconds
    return spend(w, T_LIST_WALKS, hops * cost // 1000)


cdef inline int64_t walk(world *w, bint roots) noexcept nogil:
    """Really walk slab_caches or slab_root_caches; return the hops."""
    if roots:
        return list_walk(&w.c.root_list, &root_at(&w.c, 0).roots, sizeof(root_cache))
    return list_walk(&w.c.all, &links_at(&w.c, 0).caches, sizeof(cache_links))


cdef inline int64_t walked(world *w, int kind, bint roots) noexcept nogil:
    """Walk slab_caches or slab_root_caches; count and return the hops."""
    cdef int64_t hops = w.c.root_list.length if roots else w.c.all.length
    if w.k.literal:
        hops = walk(w, roots)
    w.n.hops[kind] += hops
    return hops


cdef inline int64_t walk_length(world *w, bint roots) noexcept nogil:
    return w.c.root_list.length if roots else w.c.all.length


cdef inline void set_nodes(world *w, uint32_t cache, uint32_t count) noexcept nogil:
    """Give a cache's directory *count* kernfs nodes."""
    cdef kmem_cache *c = cache_at(&w.c, cache)
    w.n.nodes += <int64_t>count - c.nodes
    c.nodes = count
    w.n.nodes_peak = max(w.n.nodes_peak, w.n.nodes)


cdef inline int css_put(
    world *w, int32_t cpu, uint32_t memcg, int64_t count
) except -1 nogil:
    cdef mem_cgroup *m = memcg_at(&w.m, memcg)
    m.refs -= count
    if m.refs < 0:
        with gil:
            raise RuntimeError("a css has fewer than no references")
    if not m.refs:
        queue_new_work(w, cpu, CGROUP_DESTROY, W_RELEASE, memcg, NIL)
    return 0


cdef inline int refill_stock(
    world *w, int32_t cpu, uint32_t memcg
) except -1 nogil:
    """Keep what was charged too much for the next page."""
    cdef uint32_t before = w.stock[cpu]
    if not w.k.charge_caches or before == memcg:
        return 0
    w.stock[cpu] = memcg
    memcg_at(&w.m, memcg).refs += 1
    if before != NIL:
        css_put(w, cpu, before, 1)
    return 0


cdef inline void cache_get(world *w, uint32_t cache, int64_t count) noexcept nogil:
    """Take references of a child that counts its own."""
    if w.k.reparenting and links_at(&w.c, cache).memcg_index != NIL:
        cache_at(&w.c, cache).refs += <uint32_t>count


cdef inline int cache_put(
    world *w, int32_t cpu, uint32_t cache, int64_t count
) except -1 nogil:
    """Drop such references; with the last one the cache is shut down."""
    cdef kmem_cache *c = cache_at(&w.c, cache)
    if not w.k.reparenting or links_at(&w.c, cache).memcg_index == NIL:
        return 0
    if c.refs < count:
        with gil:
            raise RuntimeError("a cache has fewer than no references")
    c.refs -= <uint32_t>count
    if not c.refs and c.life == LIVE and not root_of(&w.c, cache).dying:
        c.works += 1
        queue_new_work(w, cpu, w.k.deactivate_queue, W_SHUTDOWN, cache, NIL)
    return 0


cdef inline int uncharge(
    world *w, int32_t cpu, uint32_t cache, int64_t count
) except -1 nogil:
    """Return *count* slabs' pages."""
    cdef root_cache *r = root_of(&w.c, cache)
    cdef uint32_t memcg = links_at(&w.c, cache).memcg_index
    w.n.slab_bytes -= count * (w.c.page_size << r.order)
    if w.k.reparenting:
        cache_put(w, cpu, cache, count << r.order)
    elif memcg != NIL:
        css_put(w, cpu, memcg, count << r.order)
    return 0


cdef inline int discard(
    world *w, int32_t cpu, uint32_t cache, int64_t count, int64_t *discarded
) except -1 nogil:
    cdef int64_t _i
    discarded[0] = 0
    if count <= 0:
        return 0
    discarded[0] = count
    cache_at(&w.c, cache).slabs -= <uint32_t>count
    if root_of(&w.c, cache).typesafe:
        cache_at(&w.c, cache).page_frees += <uint32_t>count
        for _i in range(count):
            call_rcu(&w.r, cpu, CB_SLAB, cache)
            rcu_stamp_last(&w.r, cpu, w.s.now)
    else:
        uncharge(w, cpu, cache, count)
    return 0


cdef inline int64_t take_objects(
    world *w, int32_t cpu, uint32_t cache, int64_t count
) noexcept nogil:
    """Allocate from a cache; return the slabs that had to be added."""
    cdef kmem_cache *c = cache_at(&w.c, cache)
    cdef root_cache *r = root_of(&w.c, cache)
    cdef uint32_t memcg = links_at(&w.c, cache).memcg_index
    cdef int64_t lacking = count - (<int64_t>c.slabs * r.per_slab - c.inuse)
    cdef int64_t added = slabs_for(r, lacking) if lacking > 0 else 0
    c.inuse += <uint32_t>count
    c.slabs += <uint32_t>added
    if cpu < 64:
        c.cpus |= <uint64_t>1 << cpu
    if added:
        if w.k.reparenting:
            cache_get(w, cache, added << r.order)
        elif memcg != NIL:
            memcg_at(&w.m, memcg).refs += added << r.order
        w.n.slab_bytes += added * (w.c.page_size << r.order)
        w.n.slab_bytes_peak = max(w.n.slab_bytes_peak, w.n.slab_bytes)
    return added


cdef inline int64_t empty_slabs(world *w, uint32_t cache) noexcept nogil:
    cdef kmem_cache *c = cache_at(&w.c, cache)
    return c.slabs - slabs_for(root_of(&w.c, cache), c.inuse)


cdef inline int64_t kept(world *w, uint32_t cache) noexcept nogil:
    """Return how many empty slabs a free leaves; SLAB does not know of offline."""
    if cache_at(&w.c, cache).deactivated and not w.k.slab:
        return 0
    return root_of(&w.c, cache).keep


cdef inline int put_objects(
    world *w, int32_t cpu, uint32_t cache, int64_t count, int64_t *discarded
) except -1 nogil:
    """Free to a cache; what it need not keep is discarded."""
    cache_at(&w.c, cache).inuse -= <uint32_t>count
    return discard(
        w, cpu, cache, empty_slabs(w, cache) - kept(w, cache), discarded
    )


cdef inline int shrink(
    world *w, int32_t cpu, uint32_t cache, int64_t *discarded
) except -1 nogil:
    return discard(w, cpu, cache, empty_slabs(w, cache), discarded)


cdef inline int64_t shrink_ns(world *w, int32_t cpu, uint32_t cache) noexcept nogil:
    """Interrupt the CPUs that have slabs of a cache; charge what its shrink takes.

    An IPI to a CPU that is awake is in the cost of a shrink (flush_all(), mm/slub.c).
    """
    cdef kmem_cache *c = cache_at(&w.c, cache)
    cdef bint halted = False
    cdef uint64_t left = c.cpus
    cdef int32_t i
    while left:
        i = lowest_bit(left)
        left &= left - 1
        if (
            i != cpu
            and cpu_idle(&w.s.cpus[i])
            and not rcu_qlen(&w.r.data[i])
            and w.s.now - w.s.cpus[i].left_at > w.tick_ns
        ):
            halted = True
            w.s.cpus[i].left_at = w.s.now
    c.cpus = 0
    w.n.shrinks += 1
    if not halted or not w.cost.nipi_halted:
        return spend(w, T_SHRINK, w.cost.shrink)
    w.n.stalls += 1
    i = <int32_t>((w.n.stalls - 1) % w.cost.nipi_halted)
    return spend(w, T_SHRINK, w.cost.shrink + w.cost.ipi_halted[i])


cdef inline int new_cache(world *w, uint32_t *index) except -1 nogil:
    cdef kmem_cache *c
    cdef uint32_t i
    # caches.spare holds the indices of all.
    arena_take(&w.c.caches, &i)
    arena_extend(&w.c.links, i + 1)
    c = cache_at(&w.c, i)
    c.serial = w.c.serial
    w.c.serial += 1
    c.inuse = c.slabs = c.pinned = c.nodes = c.in_flight = c.refs = 0
    c.cpus = 0
    c.page_frees = c.works = 0
    c.kobject = 1
    c.lost = c.deactivated = c.released = c.removal = c.unslotted = 0
    c.killed = 0
    c.life = LIVE
    if w.c.hotplugs:
        arena_extend(&w.c.plugged, i + 1)
        plugged_at(&w.c, i).memory_nodes = w.c.memory_nodes
        plugged_at(&w.c, i).reached = w.c.hotplugs
    if i < w.c.moved.used:
        moved_at(&w.c, i).named_after = 0
    if i < w.c.queued.used:
        queued_at(&w.c, i).cpus = 0
    w.n.caches += 1
    w.n.caches_peak = max(w.n.caches_peak, w.n.caches)
    index[0] = i
    return 0


cdef inline int resize_slots(
    world *w, root_cache *r, uint32_t old, uint32_t new
) except -1 nogil:
    """Enlarge the arrays of a root that can have children."""
    cdef uint32_t i
    if not r.accounted or r.shut:
        return 0
    r.slots = <uint32_t *>arena_resize(r.slots, new * sizeof(uint32_t))
    for i in range(old, new):
        r.slots[i] = NIL
    return 0


cdef inline int link_root(
    world *w, uint32_t size, bint accounted, bint typesafe, bint reclaimable,
    bint shareable, uint32_t name, uint32_t *number,
) except -1 nogil:
    """Create a root; its name is among the world's, or NIL."""
    cdef uint32_t cache, i, slot
    cdef root_cache *r
    cdef cache_links *links
    new_cache(w, &cache)
    arena_take(&w.c.roots, &i)
    r = root_at(&w.c, i)
    r.cache = cache
    r.serial = cache_at(&w.c, cache).serial
    r.name = name
    r.slots = NULL
    r.charged = r.charged_pinned = 0
    list_init(&r.children)
    list_init(&r.parked)
    root_layout(&w.c, r, size)
    r.accounted, r.typesafe, r.reclaimable = accounted, typesafe, reclaimable
    r.shareable = shareable
    r.refcount = 1
    r.leaving = 0
    r.dying = r.shut = r.leaked = r.respliced = 0
    w.n.roots_created += 1
    if w.k.children:
        resize_slots(w, r, 0, w.c.nr_ids)
    links = links_at(&w.c, cache)
    links.root = i
    links.memcg_index = NIL
    list_add(&w.c.all, &links_at(&w.c, 0).caches, sizeof(cache_links), cache)
    list_add(&w.c.root_list, &root_at(&w.c, 0).roots, sizeof(root_cache), i)
    set_nodes(w, cache, w.k.kernfs_per_cache)
    if accounted:
        arena_take(&w.c.accounted, &slot)
        (<uint32_t *>w.c.accounted.entries)[slot] = i
    number[0] = i
    return 0


cdef inline int keep_name(
    world *w, const char *name, uint8_t length, uint32_t *at
) except -1 nogil:
    """Keep the name of a root cache to be."""
    at[0] = w.names.used
    arena_extend(&w.names, w.names.used + 1 + length)
    (<uint8_t *>w.names.entries)[at[0]] = length
    memcpy(<char *>w.names.entries + at[0] + 1, name, length)
    return 0


cdef inline const char *root_name(
    world *w, uint32_t root, char *own, uint32_t *length
) noexcept nogil:
    """Return a root's name, not terminated; *own* has NAME_ROOM for a default."""
    cdef uint32_t at = root_at(&w.c, root).name
    if at == NIL:
        length[0] = <uint32_t>snprintf(own, NAME_ROOM, "cache-%u", <unsigned int>root)
        return own
    length[0] = (<uint8_t *>w.names.entries)[at]
    return <const char *>w.names.entries + at + 1


cdef inline open_file *file_at(world *w, uint32_t number) noexcept nogil:
    return (<open_file **>w.files.entries)[number]


cdef inline int64_t memcg_handle(world *w, uint32_t memcg) noexcept nogil:
    """Return what names this cgroup and no later one of its index."""
    return <int64_t>memcg_at(&w.m, memcg).generation << 32 | memcg


cdef inline int note_delay(world *w, int64_t delay) except -1 nogil:
    """Keep how long a creation took: what it differs by from the one before.

    Seven bits a byte, the lowest first and the eighth set but in the last; the sign is
    the lowest bit. Creations that wait in one queue differ by less than half a second.
    """
    cdef int64_t step = delay - w.last_delay
    cdef uint64_t rest = <uint64_t>step << 1 ^ <uint64_t>(step >> 63)
    cdef uint8_t *byte
    arena_reserve(&w.delays, <size_t>w.delays.used + 10)
    byte = &(<uint8_t *>w.delays.entries)[w.delays.used]
    while rest >> 7:
        byte[0] = <uint8_t>(rest & 127 | 128)
        byte += 1
        rest >>= 7
    byte[0] = <uint8_t>rest
    w.delays.used = <uint32_t>(byte + 1 - <uint8_t *>w.delays.entries)
    w.last_delay = delay
    w.ndelays += 1
    return 0


cdef inline void read_delays(const world *w, int64_t *delays) noexcept nogil:
    """Write what note_delay() kept into an array."""
    cdef const uint8_t *byte = <const uint8_t *>w.delays.entries
    cdef int64_t delay = 0, i
    cdef uint64_t rest
    cdef int shift
    for i in range(w.ndelays):
        rest = shift = 0
        while byte[0] & 128:
            rest |= <uint64_t>(byte[0] & 127) << shift
            shift += 7
            byte += 1
        rest |= <uint64_t>byte[0] << shift
        byte += 1
        delay += <int64_t>(rest >> 1) ^ -<int64_t>(rest & 1)
        delays[i] = delay


cdef inline int note_finished(
    world *w, int64_t ticket, int32_t function, int64_t result
) except -1 nogil:
    """Note an end, and let time stop there for those who wait for it."""
    cdef uint32_t i = w.finished.used
    cdef finished *row
    arena_extend(&w.finished, i + 1)
    row = &(<finished *>w.finished.entries)[i]
    row.ticket = ticket
    row.at = w.s.now
    row.result = result
    row.function = function
    w.s.disturbed = True
    return 0


cdef inline int came_about(
    world *w, uint32_t kind, uint32_t root, uint32_t memcg, int64_t result
) except -1 nogil:
    """Finish the watches for this of a cgroup and a root; NIL: of any."""
    cdef watch *watches = <watch *>w.watches.entries
    cdef uint32_t i, left = 0
    for i in range(w.watches.used):
        if (
            watches[i].kind == kind
            and (root == NIL or watches[i].root == root)
            and (memcg == NIL or watches[i].memcg == memcg)
        ):
            note_finished(w, watches[i].ticket, -1, result)
        else:
            watches[left] = watches[i]
            left += 1
    w.watches.used = left
    return 0


cdef inline void end_user_task(world *w) noexcept nogil:
    w.n.user_tasks -= 1
    if not w.n.user_tasks:
        w.n.ended_at = w.s.now


cdef inline int end_beside(world *w, task *t) except -1 nogil:
    """Note what a task that ran beside others has left, and let it leave its cgroup."""
    cdef const frame *f = &t.frames[0]
    cdef int64_t result = 1
    cdef bint alive
    if f.function == F_PROGRAM:
        return note_finished(w, t.ticket, f.function, result)
    end_user_task(w)
    if f.function == F_HOLD_MUTEX:
        # Of one that was owned it was noted then.
        return 0 if f.i else note_finished(w, t.ticket, f.function, 0)
    if f.function == F_MKDIR or f.function == F_RMDIR or f.function == F_ATTACH:
        alive = memcg_alive(w, f.a, f.b)
        if f.function == F_ATTACH:
            result = 1 if t.memcg != NIL else TOO_LATE
        elif f.function == F_MKDIR and t.result != NIL:
            result = memcg_handle(w, t.result)
        elif f.function == F_MKDIR:
            result = MISSED_ID if alive else TOO_LATE
        elif not t.result:
            result = 0 if alive else TOO_LATE
    elif f.function == F_FREE_OBJECTS:
        result = 1 if t.result == NIL else FEWER - <int64_t>t.result
    if t.memcg != NIL:
        memcg_at(&w.m, t.memcg).tasks -= 1
        t.memcg = NIL
    return note_finished(w, t.ticket, f.function, result)


cdef inline int link_child(
    world *w, uint32_t root, uint32_t memcg, uint32_t nodes
) except -1 nogil:
    """Create a child and fill its slot."""
    cdef uint32_t cache
    cdef cache_links *links
    cdef root_cache *r
    cdef mem_cgroup *m
    cdef int64_t missed_at
    new_cache(w, &cache)
    w.n.caches_created += 1
    r = root_at(&w.c, root)
    m = memcg_at(&w.m, memcg)
    links = links_at(&w.c, cache)
    links.root = root
    links.memcg_index = memcg
    if not w.k.roots_only:
        list_add(&w.c.all, &links_at(&w.c, 0).caches, sizeof(cache_links), cache)
    list_add(&r.children, &links_at(&w.c, 0).children, sizeof(cache_links), cache)
    list_add(&m.kmem_caches, &links_at(&w.c, 0).memcg, sizeof(cache_links), cache)
    if w.k.reparenting:
        cache_at(&w.c, cache).refs = 1      # until it is killed
        m.refs += 1
    missed_at = slot_missed_at(&w.c, r.slots[m.kmemcg_id])
    slot_forget_miss(&w.c, &r.slots[m.kmemcg_id])
    r.slots[m.kmemcg_id] = cache
    m.filled += 1
    if w.watches.used:
        came_about(w, WATCH_CACHE, root, memcg, 1)
    set_nodes(w, cache, nodes)
    # None missed it since a failed destruction of the root emptied the slot.
    if missed_at < 0:
        w.n.creations_unmissed += 1
    else:
        note_delay(w, w.s.now - missed_at)
    return 0


cdef inline void child_name(
    world *w, uint32_t cache, int64_t *named_after, int64_t *number
) noexcept nogil:
    """Tell the cgroup in a child's name, by its handle, and the number before it."""
    cdef uint32_t memcg = links_at(&w.c, cache).memcg_index
    cdef const mem_cgroup *m = memcg_at(&w.m, memcg)
    if cache < w.c.moved.used and moved_at(&w.c, cache).named_after:
        named_after[0] = moved_at(&w.c, cache).named_after
        number[0] = moved_at(&w.c, cache).number
        return
    named_after[0] = memcg_handle(w, memcg)
    number[0] = m.id if w.k.named_by_id else m.serial


cdef inline int unlink_cache(world *w, uint32_t cache) except -1 nogil:
    """Take a cache off its lists."""
    cdef cache_links *links = links_at(&w.c, cache)
    cdef root_cache *r = root_of(&w.c, cache)
    cdef uint32_t i
    cache_at(&w.c, cache).life = SHUT
    if links.memcg_index == NIL or not w.k.roots_only:
        list_del(&w.c.all, &links_at(&w.c, 0).caches, sizeof(cache_links), cache)
    if links.memcg_index == NIL:
        list_del(
            &w.c.root_list, &root_at(&w.c, 0).roots, sizeof(root_cache), links.root
        )
        r.shut = 1
        for i in range(w.c.nr_ids if r.slots != NULL else 0):
            slot_forget_miss(&w.c, &r.slots[i])
        PyMem_RawFree(r.slots)
        r.slots = NULL
        if w.watches.used:
            came_about(w, WATCH_CACHE, links.root, NIL, 0)
        return 0
    list_del(
        &root_of(&w.c, cache).children,
        &links_at(&w.c, 0).children,
        sizeof(cache_links),
        cache,
    )
    list_del(
        &memcg_at(&w.m, links.memcg_index).kmem_caches,
        &links_at(&w.c, 0).memcg,
        sizeof(cache_links),
        cache,
    )
    return 0


cdef inline void note_schedule(
    world *w, int event, int64_t at, int32_t cpu, int64_t ahead
) noexcept nogil:
    w.schedule[event].at = at
    w.schedule[event].cpu = cpu
    w.schedule[event].ahead = ahead
    w.scheduled = event + 1


cdef inline void freed_too_early(
    world *w, int32_t cpu, uint32_t cache
) noexcept nogil:
    """Find that page-free callbacks will look at a cache that is freed."""
    cdef kmem_cache *c = cache_at(&w.c, cache)
    cdef const rcu_data *d
    cdef const rcu_stamp *stamp
    cdef const rcu_stamp *first = NULL
    cdef uint32_t _i
    cdef int64_t j
    cdef int32_t i, where = 0
    cdef const queued_cache *q
    for _i in range(c.page_frees):
        find(w, CACHE_USE_AFTER_FREE)
    if w.scheduled or cache >= w.c.queued.used or not queued_at(&w.c, cache).cpus:
        return
    q = queued_at(&w.c, cache)
    for i in range(w.s.ncpus):
        d = &w.r.data[i]
        for j in range(d.head, d.tail):
            if (
                d.ring[j & (d.capacity - 1)].kind == CB_SLAB
                and d.ring[j & (d.capacity - 1)].arg == cache
            ):
                stamp = &d.stamps[j & (d.capacity - 1)]
                if first == NULL or stamp.at < first.at:
                    first = stamp
                    where = i
                    w.too_late = j
                break           # the others of this CPU were queued later
    note_schedule(w, PAGE_FREE_QUEUED, first.at, where, first.ahead)
    note_schedule(w, CACHE_FREE_QUEUED, q.at, q.cpus - 1, q.ahead)
    note_schedule(w, CACHE_FREED, w.s.now, cpu, 0)


cdef inline int give_cache(world *w, uint32_t cache) except -1 nogil:
    """Let a freed cache's index be used again, once nothing looks at it any more."""
    cdef const kmem_cache *c = cache_at(&w.c, cache)
    if c.life == FREED and not c.page_frees and not c.works:
        arena_give(&w.c.caches, cache)
    return 0


cdef inline int leave_memcg(world *w, int32_t cpu, uint32_t cache) except -1 nogil:
    if w.k.reparenting and links_at(&w.c, cache).memcg_index != NIL:
        css_put(w, cpu, links_at(&w.c, cache).memcg_index, 1)
    return 0


cdef inline int last_reference(world *w, int32_t cpu, uint32_t cache) except -1 nogil:
    """Free a cache, or note that nobody ever will."""
    cdef kmem_cache *c = cache_at(&w.c, cache)
    w.n.caches_dying -= c.deactivated
    c.deactivated = 0
    if c.lost:
        w.n.caches_leaked += 1
        find(w, CACHE_LEAKED)
        return leave_memcg(w, cpu, cache)
    note(w, EV_CACHE_RELEASE, cpu, NIL, cache)
    c.life = FREED
    w.n.freed_at = w.s.now
    w.n.caches -= 1
    leave_memcg(w, cpu, cache)
    if c.page_frees:
        freed_too_early(w, cpu, cache)
    give_cache(w, cache)
    return 0


cdef inline int put_kobject(world *w, int32_t cpu, uint32_t cache) except -1 nogil:
    """Put the first reference to a cache's struct."""
    cdef kmem_cache *c = cache_at(&w.c, cache)
    c.released = 1
    c.kobject -= 1
    if c.kobject <= c.lost:
        last_reference(w, cpu, cache)
    return 0


cdef inline int mark_deactivated(world *w, uint32_t cache) except -1 nogil:
    if cache_at(&w.c, cache).deactivated:
        with gil:
            raise RuntimeError("a cache is deactivated a second time")
    cache_at(&w.c, cache).deactivated = 1
    w.n.caches_dying += 1
    w.n.caches_dying_peak = max(w.n.caches_dying_peak, w.n.caches_dying)
    return 0


cdef inline int objcg_put(
    world *w, int32_t cpu, uint32_t objcg, int64_t count
) except -1 nogil:
    """Drop references of an obj_cgroup; with the last one it leaves its cgroup."""
    cdef obj_cgroup *o = objcg_at(&w.m, objcg)
    cdef uint32_t memcg = o.memcg
    o.refs -= count
    if o.refs < 0:
        with gil:
            raise RuntimeError("an obj_cgroup has fewer than no references")
    if not o.refs:
        list_del(
            &memcg_at(&w.m, memcg).objcg_list,
            &objcg_at(&w.m, 0).list,
            sizeof(obj_cgroup),
            objcg,
        )
        objcg_free(&w.m, objcg)
        w.n.objcgs -= 1
        css_put(w, cpu, memcg, 1)
    return 0


cdef inline uint32_t heir_of(world *w, uint32_t memcg) noexcept nogil:
    """Return who has what a cgroup allocated: itself, or once offline an ancestor."""
    while w.k.inherits and memcg and not memcg_at(&w.m, memcg).online:
        memcg = memcg_at(&w.m, memcg).parent
    return memcg


cdef inline bint memcg_alive(
    world *w, uint32_t memcg, uint32_t generation
) noexcept nogil:
    """Tell whether a cgroup is still that one and not removed."""
    cdef mem_cgroup *m
    if memcg == NIL:
        return False
    m = memcg_at(&w.m, memcg)
    return m.generation == generation and not m.dead


cdef inline int new_memcg(
    world *w, uint32_t parent, int32_t kmemcg_id, int32_t id, uint32_t *index
) except -1 nogil:
    cdef mem_cgroup *m
    cdef uint32_t i
    arena_take(&w.m.groups, &i)
    m = memcg_at(&w.m, i)
    w.m.serial += 1
    m.serial = w.m.serial
    m.refs = 1
    m.parent = parent
    m.kmemcg_id = kmemcg_id
    m.id = id
    m.id_held = 1
    m.online_children = 1
    m.child_cgroups = m.tasks = m.filled = 0
    m.online = 1
    m.kmem_online = w.k.kmem
    m.dead = m.released = 0
    list_init(&m.kmem_caches)
    list_init(&m.objcg_list)
    m.objcg = NIL
    if w.k.by_object:
        objcg_new(&w.m, i, &m.objcg)
        w.n.objcgs += 1
        w.n.objcgs_peak = max(w.n.objcgs_peak, w.n.objcgs)
    list_add_tail(&w.m.all, &memcg_at(&w.m, 0).siblings, sizeof(mem_cgroup), i)
    m = memcg_at(&w.m, parent)
    m.online_children += 1
    m.child_cgroups += 1
    m.refs += 1
    w.n.cgroups_created += 1
    w.n.cgroups += 1
    w.n.cgroups_peak = max(w.n.cgroups_peak, w.n.cgroups)
    w.n.nodes += w.k.kernfs_per_cgroup
    w.n.nodes_peak = max(w.n.nodes_peak, w.n.nodes)
    index[0] = i
    return 0

import os

cimport cython
from libc.errno cimport EINVAL
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memset

from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_RawFree
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF

from slabcore.arena cimport (
    NIL,
    arena_at,
    arena_extend,
    arena_free,
    arena_init,
    arena_resize,
    arena_take,
)
from slabcore.bulk cimport (
    bulk,
    bulk_boot,
    bulk_end,
    bulk_init,
    bulk_next,
    call_begin,
    call_beside,
    call_end,
    hold_end,
    named,
)
from slabcore.clock cimport FOREVER, clock_free, clock_init
from slabcore.engine cimport (
    CULL,
    engine,
    next_event,
    nothing_runs,
    run_event,
    sample,
    settle,
)
from slabcore.invariants cimport breach, world_broken
from slabcore.list cimport list_init
from slabcore.log cimport KWORKER_TASK, PROGRAM_TASK, SOFTIRQ_TASK, record
from slabcore.loadavg cimport FIXED_1
from slabcore.memcontrol cimport (
    holding,
    holding_at,
    id_take,
    mem_cgroup,
    memcg_at,
    obj_cgroup,
    objcg_at,
    objcg_first,
    objcg_next,
)
from slabcore.procfs cimport file_close, file_free, file_lseek, file_open, file_read
from slabcore.programs cimport step_wrong
from slabcore.rcu cimport BLIMIT, QHIMARK, QLOWMARK, rcu_data, rcu_free, rcu_qlen
from slabcore.sched cimport (
    CGROUP_MUTEX,
    HOTPLUG_LOCK,
    SLAB_MUTEX,
    cpu as sched_cpu,
    frame,
    mutex,
    sched_wake,
    task,
    task_push,
    work,
    worker_pool,
)
from slabcore.seq_file cimport ERA_A, ERA_B, ERA_C, ERA_D
from slabcore.slab cimport (
    LIVE,
    cache_at,
    cache_links,
    cache_memory_nodes,
    kmem_cache,
    links_at,
    moved_cache,
    plugged_cache,
    queued_cache,
    root_at,
    root_cache,
    root_gone,
    root_serves,
    root_slot,
)
from slabcore.slab_common cimport arm_reaper
from slabcore.workqueue cimport MAX_ACTIVE, QUEUES, pool_queue, work_at
from slabcore.world cimport (
    ALIAS_MARKED_DYING,
    BARRIER_UNDER_CGROUP,
    BARRIER_UNDER_SLAB,
    BUSY_CHILD_UNUSABLE,
    CACHE_FREED,
    CACHE_FREE_QUEUED,
    CACHE_LEAKED,
    CACHE_USE_AFTER_FREE,
    CGROUP_DESTROY,
    CHILDREN_MISSED,
    DEACT_GP_PER_CACHE,
    DEACT_GP_PER_MEMCG,
    DEACT_IPI,
    DEACT_NONE,
    DEACT_RCU_PER_CACHE,
    EVENTS,
    EVENT_KINDS,
    FILE_CGROUP_STAT,
    FILE_KINDS,
    FILE_MEMCG_SLABINFO,
    FEWER,
    FREE_BARRIER_ASYNC,
    FREE_BARRIER_BATCH,
    FREE_BARRIER_PER_CACHE,
    FREE_CALL_RCU,
    F_ALLOC,
    F_ATTACH,
    F_CREATE_ROOT,
    F_DESTROY_ROOT,
    F_DROP_CACHES,
    F_FREE_OBJECTS,
    F_HOLD_MUTEX,
    F_HOTPLUG,
    F_MKDIR,
    F_PROGRAM,
    F_READ_FILE,
    F_RMDIR,
    F_SOFTIRQ,
    GP_UNDER_CGROUP,
    GP_UNDER_SLAB,
    HOPS_CREATE,
    HOPS_DESTROY,
    HOPS_FREE,
    HOPS_GROW,
    HOPS_HOTPLUG,
    HOPS_OFFLINE,
    HOPS_REAP,
    HOPS_REPARENT,
    HOPS_SLABINFO,
    KMEM_CACHE,
    KMEM_CACHE_CREATE,
    KOBJECT_UNDER_SLAB,
    MISSED_ID,
    NAME_ROOM,
    PAGE_FREE_QUEUED,
    PAGE_FREE_RAN,
    RECORD_REPEATED,
    ROOT_AT_ONCE,
    ROOT_FLUSH_AT_ZERO,
    ROOT_FLUSH_FIRST,
    ROOT_FLUSH_TWICE,
    ROOT_UNLINK_FIRST,
    STEPS_A_LOOK,
    SYSFS_DEACTIVATION,
    SYSFS_RELEASE,
    SYSFS_SHUTDOWN,
    SYSFS_UNLOCKED,
    SYSFS_WORK,
    SYSFS_WORK_LEAKS,
    TOO_LATE,
    WATCH_CACHE,
    WATCH_KINDS,
    WATCH_OFFLINE,
    WORK_ON_DESTROYED,
    W_BARRIER,
    busy,
    child_name,
    file_at,
    finished,
    hold,
    hop_point,
    keep_name,
    kept_memcg,
    link_root,
    mark,
    memcg_handle,
    new_worker,
    note_finished,
    open_file,
    program,
    read_delays,
    root_name,
    slabinfo_read,
    tally,
    task_new,
    watch,
    world,
)

from slabcore.errors import (
    BusyError,
    CorruptionError,
    InputError,
    LifecycleError,
    StaleHandleError,
)


cdef enum:
    LONG_LINE = 1 << 30
    MOST_READ = 1 << 20         # bytes of a read()

_DEACTIVATIONS = {
    "none": DEACT_NONE,
    "ipi": DEACT_IPI,
    "gp-per-cache": DEACT_GP_PER_CACHE,
    "gp-per-memcg": DEACT_GP_PER_MEMCG,
    "rcu-per-cache": DEACT_RCU_PER_CACHE,
}
_TYPESAFE_FREES = {
    "barrier-batch": FREE_BARRIER_BATCH,
    "barrier-async": FREE_BARRIER_ASYNC,
    "call-rcu": FREE_CALL_RCU,
    "barrier-per-cache": FREE_BARRIER_PER_CACHE,
}
_ROOT_DESTROYS = {
    "at-once": ROOT_AT_ONCE,
    "flush-first": ROOT_FLUSH_FIRST,
    "flush-twice": ROOT_FLUSH_TWICE,
    "flush-at-zero": ROOT_FLUSH_AT_ZERO,
    "unlink-first": ROOT_UNLINK_FIRST,
}
_SYSFS_REMOVALS = {
    "release": SYSFS_RELEASE,
    "deactivation": SYSFS_DEACTIVATION,
    "work-leaks": SYSFS_WORK_LEAKS,
    "work": SYSFS_WORK,
    "shutdown": SYSFS_SHUTDOWN,
    "unlocked": SYSFS_UNLOCKED,
}
_ERAS = {"A": ERA_A, "B": ERA_B, "C": ERA_C, "D": ERA_D}
_MUTEX_NAMES = ("cgroup_mutex", "slab_mutex", "rcu_barrier_mutex")
_QUEUE_NAMES = (
    "events",
    "cgroup_destroy",
    "memcg_kmem_cache",
    "memcg_kmem_cache_create",
)
_CAUSES = (
    "list_walks",
    "grace_periods",
    "barriers",
    "sysfs_add",
    "sysfs_remove",
    "ipis",
    "shrink",
    "create",
    "release",
    "cgroups",
    "objects",
    "callbacks",
    "workers",
    "programs",
)
_FINDING_NAMES = (
    (ALIAS_MARKED_DYING, "alias-marked-dying"),
    (BARRIER_UNDER_CGROUP, "barrier-under-cgroup_mutex"),
    (BARRIER_UNDER_SLAB, "barrier-under-slab_mutex"),
    (BUSY_CHILD_UNUSABLE, "busy-child-unusable"),
    (CACHE_LEAKED, "cache-leaked"),
    (CACHE_USE_AFTER_FREE, "cache-use-after-free"),
    (CHILDREN_MISSED, "children-missed-at-hotplug"),
    (GP_UNDER_CGROUP, "gp-under-cgroup_mutex"),
    (GP_UNDER_SLAB, "gp-under-slab_mutex"),
    (KOBJECT_UNDER_SLAB, "kobject-under-slab_mutex"),
    (RECORD_REPEATED, "seq_file-record-repeated"),
    (WORK_ON_DESTROYED, "work-on-destroyed-cache"),
)
_SCHEDULE_EVENTS = {
    PAGE_FREE_QUEUED: "page-free-queued",
    CACHE_FREE_QUEUED: "cache-free-queued",
    CACHE_FREED: "cache-freed",
    PAGE_FREE_RAN: "page-free-ran",
}


# What begin() takes, by number, and who does it.
_CALLS = (
    ("mkdir", F_MKDIR),
    ("rmdir", F_RMDIR),
    ("join", F_ATTACH),
    ("alloc", F_ALLOC),
    ("pin", F_ALLOC),
    ("free", F_FREE_OBJECTS),
    ("drop_caches", F_DROP_CACHES),
    ("hotplug", F_HOTPLUG),
    ("hold", F_HOLD_MUTEX),
)

_TASK_KINDS = {
    PROGRAM_TASK: "program", KWORKER_TASK: "kworker", SOFTIRQ_TASK: "softirq"
}
# In the order of world.pxd's events.
EVENT_NAMES = (
    "workqueue_queue_work",
    "workqueue_execute_start",
    "workqueue_execute_end",
    "__mutex_lock_slowpath",
    "synchronize_sched",
    "rcu_barrier",
    "sys_mkdir",
    "cgroup_mkdir",
    "cgroup_attach_task",
    "sys_rmdir",
    "cgroup_rmdir",
    "cgroup_release",
    "css_killed_ref_fn",
    "css_killed_work_fn",
    "css_release_work_fn",
    "css_free_work_fn",
    "mem_cgroup_css_offline",
    "mem_cgroup_css_free",
    "memcg_kmem_cache_create_func",
    "memcg_create_kmem_cache",
    "sysfs_slab_add",
    "memcg_deactivate_kmem_caches",
    "__kmem_cache_shrink",
    "kmemcg_deactivate_workfn",
    "kmemcg_cache_deact_after_rcu",
    "kmemcg_workfn",
    "kmemcg_cache_shutdown_fn",
    "memcg_destroy_kmem_caches",
    "shutdown_cache",
    "__kmem_cache_shutdown",
    "slab_caches_to_rcu_destroy_workfn",
    "sysfs_slab_remove",
    "slab_kmem_cache_release",
    "cache_reap",
    "sysfs_slab_remove_workfn",
)
if len(EVENT_NAMES) != EVENT_KINDS:
    raise ImportError("slabcore: an event has no name")


cdef void *zeroed(size_t size) except NULL:
    cdef void *new = arena_resize(NULL, size)
    memset(new, 0, size)
    return new


def cache_name(where: str, name) -> bytes:
    """Return a cache's name, if it stands as one word in a row; "" is the default.

    where: what an InputError begins with.
    """
    if not isinstance(name, str) or not name.isprintable():
        expected = "a name of printable characters"
    elif " " in name or len(name.encode()) >= NAME_ROOM:
        expected = "no blank and at most 127 bytes: slabtop reads no others"
    else:
        return name.encode()
    raise InputError(where, f"{name!r} is no name", expected)


cdef object refusal(call, tuple operands):
    """Return the error with which a call of a world refuses its operands."""
    try:
        call(*operands)
    except (LifecycleError, StaleHandleError) as error:
        return error


def _held():
    return LifecycleError(
        "a mutex is held, or waited for, until let_go(); begin() the call meanwhile"
    )


def _stuck():
    return LifecycleError(
        "what is left waits for a mutex that is held; expected let_go() of it"
    )


cdef dict mutex_figures(const mutex *m):
    return {
        "holds": m.holds,
        "held_ns": m.held_ns,
        "waited_ns": m.waited_ns,
        "longest_wait_ns": m.longest_wait_ns,
        "longest_queue": m.longest_queue,
    }


cdef dict figures(const tally *n, const mutex *mutexes, int64_t completed):
    """Return what the phases of a run are told apart by."""
    return {
        "time_ns": {name: n.time_ns[<int>i] for i, name in enumerate(_CAUSES)},
        "locks": {
            name: mutex_figures(&mutexes[<int>i])
            for i, name in enumerate((*_MUTEX_NAMES, "hotplug"))
        },
        "grace_periods": {
            "synchronous": n.sync_waits,
            "under_cgroup_mutex": n.sync_under_cgroup,
            "under_slab_mutex": n.sync_under_slab,
            "under_hotplug": n.sync_under_hotplug,
            "asynchronous": n.async_waits,
            "elapsed": completed,
            "expedited": n.expedited_waits,
        },
        "rcu_barriers": n.barriers,
        "ipis": n.ipis,
        "list_hops": {
            "create": n.hops[HOPS_CREATE],
            "grow": n.hops[HOPS_GROW],
            "offline": n.hops[HOPS_OFFLINE],
            "free": n.hops[HOPS_FREE],
            "destroy": n.hops[HOPS_DESTROY],
            "hotplug": n.hops[HOPS_HOTPLUG],
            "reap": n.hops[HOPS_REAP],
            "reparent": n.hops[HOPS_REPARENT],
            "slabinfo": n.hops[HOPS_SLABINFO],
        },
        "caches": {
            "created": n.caches_created,
            "live": n.caches,
            "dying": n.caches_dying,
            "peak": n.caches_peak,
            "peak_dying": n.caches_dying_peak,
            "leaked": n.caches_leaked,
            "shrunk": n.shrinks,
        },
        "roots": {
            "created": n.roots_created,
            "aliases": n.aliases,
            "destroyed": n.roots_destroyed,
            "destroy_failed": n.destroys_failed,
        },
        "cgroups": {
            "created": n.cgroups_created,
            "live": n.cgroups,
            "dying": n.cgroups_dying,
            "peak": n.cgroups_peak,
            "peak_dying": n.cgroups_dying_peak,
            "offlined": n.offlined,
        },
        "objcgs": {
            "live": n.objcgs,
            "peak": n.objcgs_peak,
            "reparented": n.objcgs_reparented,
        },
        "offlined_at_ns": n.offlined_at,
        "freed_at_ns": n.freed_at,
        "kernfs_nodes": n.nodes,
    }


@cython.final
cdef class World:
    """A machine with a kernel of one design, in virtual time.

    See slabcore.kernel.Kernel for what the methods mean; slabcore.reference.World is
    the specification. Caches and cgroups are numbers here, and operands are checked as
    far as memory is at stake: a script wants a Kernel.

    >>> from slabcore import Machine, World, designs
    >>> machine = Machine(cpus=2)
    >>> world = World(designs["4.11"], machine, machine.costs)
    >>> web = world.mkdir()
    >>> world.counters()["cgroups"]["created"]
    1
    """

    # --- making and freeing ---

    def __cinit__(self, *args, **keywords):
        cdef engine *e = &self.e
        memset(e, 0, sizeof(engine))
        self.closing = []
        clock_init(&e.w.s.timers)
        arena_init(&e.w.q.works, sizeof(work))
        arena_init(&e.w.c.links, sizeof(cache_links))
        arena_init(&e.w.c.caches, sizeof(kmem_cache))
        arena_init(&e.w.c.moved, sizeof(moved_cache))
        arena_init(&e.w.c.plugged, sizeof(plugged_cache))
        arena_init(&e.w.c.queued, sizeof(queued_cache))
        arena_init(&e.w.c.missed, sizeof(int64_t))
        arena_init(&e.w.c.roots, sizeof(root_cache))
        arena_init(&e.w.c.accounted, sizeof(uint32_t))
        arena_init(&e.w.m.groups, sizeof(mem_cgroup))
        arena_init(&e.w.m.objcgs, sizeof(obj_cgroup))
        arena_init(&e.w.m.holdings, sizeof(holding))
        arena_init(&e.w.programs, sizeof(program))
        arena_init(&e.w.delays, 1)
        arena_init(&e.w.log.records, sizeof(record))
        arena_init(&e.w.kept, sizeof(kept_memcg))
        arena_init(&e.w.marks, sizeof(mark))
        arena_init(&e.w.names, 1)
        arena_init(&e.w.files, sizeof(open_file *))
        arena_init(&e.w.slabinfo_reads, sizeof(slabinfo_read))
        arena_init(&e.w.finished, sizeof(finished))
        arena_init(&e.w.watches, sizeof(watch))
        arena_init(&e.w.holds, sizeof(hold))
        arena_init(&e.samples, sizeof(sample))

    def __init__(
        self,
        design,
        machine,
        costs,
        *,
        walk: str = "counted",
        sample_ns: int = 1_000_000_000,
        log: bool = False,
        huge_pages: bool = True,
    ):
        cdef engine *e = &self.e
        cdef world *w = &e.w
        cdef int32_t i
        if w.s.ncpus:
            raise LifecycleError("the world exists; it is made once")
        w.c.links.huge_pages = w.c.caches.huge_pages = huge_pages
        w.c.queued.huge_pages = w.m.groups.huge_pages = huge_pages
        w.q.works.huge_pages = w.log.records.huge_pages = huge_pages
        w.marks.huge_pages = huge_pages
        w.log.on = log
        self._read_costs(costs)
        self._read_knobs(design, machine, walk)
        w.c.page_size = machine.page_size
        w.c.memory_nodes = 1
        # calculate_order(), mm/slub.c: 4 * (fls(CPUs) + 1) objects if they fit
        w.c.min_objects = 4 * ((<int>machine.cpus).bit_length() + 1)
        list_init(&w.c.all)
        list_init(&w.c.root_list)
        list_init(&w.c.rcu_destroy)
        list_init(&w.m.all)
        self._make_root_memcg()
        w.max_memcgs = machine.max_memcgs
        w.m.ids_left = w.max_memcgs - 1

        e.tick_ns = 1_000_000_000 // <int64_t>machine.hz
        e.load_ns = (5 * <int64_t>machine.hz + 1) * e.tick_ns   # LOAD_FREQ
        e.load_at = e.load_ns
        e.sample_ns = sample_ns
        # 1 + (HZ > 250) + (HZ > 500) jiffies, kernel/rcu/tree.h
        w.r.scan_ns = e.tick_ns * (
            1 + (machine.hz > 250) + (machine.hz > 500) + <int64_t>design.fqs_late_tick
        )
        self._make_cpus(machine.cpus)
        self._make_queues(design.create_queue, design.deactivate_queue)
        for i in range(w.s.ncpus + 1):
            new_worker(w, i)
        # Each CPU's pool of high priority has one; nothing that is modelled uses it.
        w.q.kworkers += w.s.ncpus + <int64_t>machine.other_kworkers
        w.q.kworkers_peak = w.q.kworkers
        w.hz = machine.hz
        w.tick_ns = e.tick_ns
        if w.k.slab:
            for i in range(w.s.ncpus):
                arm_reaper(w, i)
        settle(e)
        self.made_of = design, machine, costs, walk, sample_ns, log, huge_pages
        self.made = True

    def __dealloc__(self):
        cdef engine *e = &self.e
        cdef world *w = &e.w
        cdef uint32_t j
        cdef int32_t i
        for j in range(w.programs.used):
            PyMem_RawFree((<program *>arena_at(&w.programs, j)).steps)
        for j in range(w.c.roots.used):
            PyMem_RawFree(root_at(&w.c, j).slots)
        for j in range(w.files.used):
            if file_at(w, j) != NULL:
                file_free(file_at(w, j))
        for j in range(w.s.nchunks):
            PyMem_RawFree(w.s.chunks[j])
        if w.r.data != NULL:
            for i in range(w.s.ncpus):
                rcu_free(&w.r.data[i])
        for i in range(QUEUES):
            PyMem_RawFree(w.q.queues[i])
        PyMem_RawFree(w.s.chunks)
        PyMem_RawFree(w.r.data)
        PyMem_RawFree(w.s.cpus)
        PyMem_RawFree(w.s.unsettled)
        PyMem_RawFree(w.stock)
        PyMem_RawFree(w.s.pools)
        PyMem_RawFree(w.cost.hops)
        PyMem_RawFree(w.cost.ipi_halted)
        clock_free(&w.s.timers)
        arena_free(&w.q.works)
        arena_free(&w.c.links)
        arena_free(&w.c.caches)
        arena_free(&w.c.moved)
        arena_free(&w.c.plugged)
        arena_free(&w.c.queued)
        arena_free(&w.c.missed)
        arena_free(&w.c.roots)
        arena_free(&w.c.accounted)
        arena_free(&w.m.groups)
        arena_free(&w.m.objcgs)
        arena_free(&w.m.holdings)
        arena_free(&w.programs)
        arena_free(&w.delays)
        arena_free(&w.log.records)
        arena_free(&w.kept)
        arena_free(&w.marks)
        arena_free(&w.names)
        arena_free(&w.files)
        arena_free(&w.slabinfo_reads)
        arena_free(&w.finished)
        arena_free(&w.watches)
        arena_free(&w.holds)
        arena_free(&e.samples)

    def _read_costs(self, costs):
        cdef world *w = &self.e.w
        w.s.context_switch = costs.context_switch
        w.cost.cgroup_mkdir = costs.cgroup_mkdir
        w.cost.cgroup_rmdir = costs.cgroup_rmdir
        w.cost.cgroup_attach = costs.cgroup_attach
        w.cost.fork = costs.fork
        w.cost.exit = costs.exit
        w.cost.css_offline = costs.css_offline
        w.cost.deactivate = costs.deactivate
        w.cost.css_release = costs.css_release
        w.cost.css_free = costs.css_free
        w.cost.cgroup_free = costs.cgroup_free
        w.cost.alloc = costs.alloc
        w.cost.alloc_miss = costs.alloc_miss
        w.cost.create_check = costs.create_check
        w.cost.cache_create = costs.cache_create
        w.cost.kernfs_add = costs.kernfs_add
        w.cost.kernfs_remove = costs.kernfs_remove
        w.cost.shrink = costs.shrink
        w.cost.shutdown = costs.shutdown
        w.cost.release = costs.release
        w.cost.ipi = costs.ipi
        stalls = costs.ipi_halted
        w.cost.ipi_halted = <int64_t *>zeroed(len(stalls) * sizeof(int64_t))
        for i, ns in enumerate(stalls):
            w.cost.ipi_halted[<int>i] = ns
        w.cost.nipi_halted = len(stalls)
        w.cost.rcu_callback = costs.rcu_callback
        w.cost.worker_create = costs.worker_create
        w.cost.page_alloc = costs.page_alloc
        w.cost.page_free = costs.page_free
        w.cost.slabinfo_row = costs.slabinfo_row
        w.cost.slabinfo_child = costs.slabinfo_child
        points = costs.list_hop
        w.cost.hops = <hop_point *>zeroed(len(points) * sizeof(hop_point))
        for i, (length, picoseconds) in enumerate(points):
            w.cost.hops[<int>i].length = length
            w.cost.hops[<int>i].picoseconds = picoseconds
        w.cost.nhops = len(points)

    def _read_knobs(self, design, machine, str walk):
        cdef world *w = &self.e.w
        kmem = machine.kmem != "off"
        if design.accounting == "opt-in":
            kmem = machine.kmem == "on"
        w.k.kmem = kmem
        w.k.child_caches = design.child_caches
        w.k.children = kmem and design.child_caches
        w.k.root_list = design.root_list
        w.k.memcg_list = design.memcg_list
        w.k.typesafe_free = _TYPESAFE_FREES[design.typesafe_free]
        w.r.stamped = w.k.typesafe_free == FREE_CALL_RCU
        w.k.root_destroy = _ROOT_DESTROYS[design.root_destroy]
        w.k.single_pass = design.busy_children == "single-pass"
        w.k.deactivation = _DEACTIVATIONS[design.deactivation]
        w.k.reparenting = design.reparenting
        w.k.inherits = design.reparenting or design.accounting == "objects"
        w.k.by_object = (
            kmem and design.accounting == "objects" and not design.child_caches
        )
        w.k.child_sysfs = design.child_sysfs
        w.k.sysfs_removal = _SYSFS_REMOVALS[design.sysfs_removal]
        # That of "shutdown" only sends the uevent. The kernels that have it, 4.18 to
        # 5.8, are those that flush before they take a root apart.
        w.k.slab = machine.allocator == "slab"
        w.k.removal_work = not w.k.slab and (
            design.sysfs_removal in ("work-leaks", "work")
            or (
                design.sysfs_removal == "shutdown"
                and design.root_destroy.startswith("flush")
            )
        )
        w.k.entrained = design.barrier_marker == "entrained"
        w.k.join_waits = design.join_waits
        w.k.roots_only = design.slab_caches == "roots"
        w.k.css_ids = design.memcg_ids == "css-id"
        w.k.named_by_id = design.memcg_name == "id"
        w.k.create_waits = w.k.slab and design.create_waits
        later = w.k.reparenting and w.k.deactivation == DEACT_RCU_PER_CACHE
        if w.k.slab and w.k.deactivation != DEACT_NONE and not later:
            w.k.deactivation = DEACT_IPI
        w.k.literal = walk == "literal"
        w.k.kernfs_per_cache = 0 if w.k.slab else machine.kernfs_per_cache
        w.k.kernfs_per_cgroup = machine.kernfs_per_cgroup
        w.k.charge_caches = machine.charge_caches
        w.k.seq_file = _ERAS[design.seq_file]

    def _make_root_memcg(self):
        cdef uint32_t index
        arena_take(&self.e.w.m.groups, &index)
        cdef mem_cgroup *m = memcg_at(&self.e.w.m, index)
        m.refs = 1
        m.parent = NIL
        m.kmemcg_id = -1
        m.online = 1
        m.objcg = NIL
        list_init(&m.kmem_caches)
        list_init(&m.objcg_list)
        # Of memory cgroup ids, 0 is none's and 1 the root's.
        id_take(&self.e.w.m.ids)
        m.id = id_take(&self.e.w.m.ids)

    def _make_cpus(self, int32_t count):
        cdef world *w = &self.e.w
        cdef task *t
        cdef int32_t i
        w.s.cpus = <sched_cpu *>zeroed(count * sizeof(sched_cpu))
        w.r.data = <rcu_data *>zeroed(count * sizeof(rcu_data))
        w.s.pools = <worker_pool *>zeroed((count + 1) * sizeof(worker_pool))
        w.stock = <uint32_t *>zeroed(count * sizeof(uint32_t))
        w.s.unsettled = <uint64_t *>zeroed((count + 63) // 64 * sizeof(uint64_t))
        w.s.ncpus = count
        w.s.cull_at = w.s.reap_at = FOREVER
        w.r.blimit = BLIMIT
        w.r.qhimark = QHIMARK
        w.r.qlowmark = QLOWMARK
        for i in range(count):
            w.s.cpus[i].number = i
            w.s.cpus[i].ends = w.s.cpus[i].reap_at = FOREVER
            w.stock[i] = NIL
            w.r.data[i].blimit = BLIMIT
            w.r.data[i].huge_pages = w.q.works.huge_pages
            task_new(w, i, True, &t)
            t.is_softirq = 1
            task_push(t, F_SOFTIRQ)
            w.s.cpus[i].softirq = t
        for i in range(count + 1):
            w.s.pools[i].cpu = i if i < count else -1
            w.s.pools[i].worklist.first = w.s.pools[i].worklist.last = NIL
            w.s.pools[i].cull_at = FOREVER

    def _make_queues(self, str create_queue, str deactivate_queue):
        cdef world *w = &self.e.w
        cdef uint32_t index
        self._make_queue(EVENTS, MAX_ACTIVE, False)
        self._make_queue(CGROUP_DESTROY, 1, False)
        w.k.create_queue = w.k.deactivate_queue = EVENTS
        if create_queue == "ordered":
            self._make_queue(KMEM_CACHE_CREATE, 1, True)
            w.k.create_queue = KMEM_CACHE_CREATE
        if "per-cpu-1" in (create_queue, deactivate_queue):
            self._make_queue(KMEM_CACHE, 1, False)
        if create_queue == "per-cpu-1":
            w.k.create_queue = KMEM_CACHE
        if deactivate_queue == "per-cpu-1":
            w.k.deactivate_queue = KMEM_CACHE
        arena_take(&w.q.works, &index)
        w.destroy_work = index      # the first: when all others are done it is kept
        work_at(&w.q, index).kind = W_BARRIER
        work_at(&w.q, index).queue = EVENTS

    def _make_queue(self, int number, uint32_t max_active, bint ordered):
        cdef world *w = &self.e.w
        cdef int32_t i
        cdef pool_queue *q = <pool_queue *>zeroed(w.s.ncpus * sizeof(pool_queue))
        for i in range(w.s.ncpus):
            q[i].pool = w.s.ncpus if ordered else i
            q[i].max_active = max_active
            q[i].delayed.first = q[i].delayed.last = NIL
        w.q.queues[number] = q
        w.q.one_pool[number] = ordered

    # --- for cimport ---

    cdef int64_t now(self) noexcept nogil:
        return self.e.w.s.now

    cdef int64_t next_event(self) except -1:
        """Return when something happens next without a further call."""
        cdef int kind = 0
        cdef int32_t number = 0
        self.enter()
        return next_event(&self.e, &kind, &number)

    cdef int run_to(self, int64_t when) except -1:
        """Run everything up to and including *when*, which is not past."""
        self.enter()
        if not self.e.w.s.now <= when < FOREVER:
            what = f"when_ns is {when}"
            if when < self.e.w.s.now:
                what = f"{when} ns is past"
            raise InputError(
                "advance_to", what, f"{self.e.w.s.now} ns or later, under 2**62 ns"
            )
        return self.advance(when)

    cdef int objects(
        self, int what, int64_t root, int64_t memcg, int64_t count
    ) except -1:
        """Allocate, pin or free objects, by a root's number and a cgroup's handle."""
        cdef bulk b
        self.enter()
        if not 1 <= count < 1 << 31:
            raise InputError("objects", f"count is {count}", "1 to 2**31 - 1 objects")
        bulk_init(&b, F_FREE_OBJECTS if what == FREE else F_ALLOC, 1)
        b.how = 0 if what == FREE else 2 if what == PIN else 1
        b.roots, b.memcgs, b.counts = &root, &memcg, &count
        stopped = self.many(&b)
        if stopped is not None:
            raise stopped
        if b.failed:
            raise self._too_few(self.e.w.main_result)
        if not b.done:
            # It was not begun: the method says why.
            (self.free if what == FREE else self.alloc)(root, memcg, count)
        return 0

    # --- running ---

    cdef int enter(self) except -1:
        """Be the only one here, and close what was closed during a run."""
        if self.running:
            raise LifecycleError("the kernel runs; one thread at a time may use it")
        if not self.made:
            raise LifecycleError("the world is not there; World() makes it")
        while self.closing:
            number = self.closing.pop()
            try:
                self.opened(number)
            except StaleHandleError:
                continue
            file_close(&self.e.w, number)
        return 0

    cdef int advance(self, long long when) except -1:
        cdef engine *e = &self.e
        cdef int kind = 0
        cdef int32_t number = 0
        cdef int64_t at
        e.until = when
        self.running = True
        try:
            with nogil:
                while True:
                    at = next_event(e, &kind, &number)
                    if at > when:
                        break
                    run_event(e, at, kind, number)
                    if e.w.steps >= STEPS_A_LOOK:
                        e.w.steps = 0
                        with gil:
                            PyErr_CheckSignals()
        finally:
            self.running = False
        e.w.s.now = max(e.w.s.now, when)
        return 0

    cdef int drain_or_run(self, bint drain) except -1:
        """Run until nothing is left, or until no user task is."""
        cdef engine *e = &self.e
        cdef int kind = 0
        cdef int32_t number = 0
        cdef int64_t at
        e.until = FOREVER
        self.running = True
        try:
            with nogil:
                while busy(&e.w) if drain else e.w.n.user_tasks != 0:
                    at = next_event(e, &kind, &number)
                    if kind >= CULL and e.w.holds.used and nothing_runs(e):
                        with gil:
                            raise _stuck()
                    run_event(e, at, kind, number)
                    if e.w.steps >= STEPS_A_LOOK:
                        e.w.steps = 0
                        with gil:
                            PyErr_CheckSignals()
        finally:
            self.running = False
        return 0

    cdef int finish(self) except -1 nogil:
        """Run until the task of a call is gone."""
        cdef engine *e = &self.e
        cdef int kind = 0
        cdef int32_t number = 0
        cdef int64_t at
        while e.w.main != NULL:
            at = next_event(e, &kind, &number)
            run_event(e, at, kind, number)
            if e.w.steps >= STEPS_A_LOOK and e.w.main != NULL:
                e.w.steps = 0
                with gil:
                    self.heed()
        call_end(e)
        return 0

    cdef int unheld(self) except -1:
        """Refuse a call that runs to its end while a mutex is held for long."""
        if self.e.w.holds.used:
            raise _held()
        return 0

    cdef long long call(
        self, int function, unsigned int a, unsigned int b, unsigned int c,
        unsigned int d, long long n,
    ) except -1:
        """Run a function as the world's own user task; return its result."""
        cdef frame f
        self.unheld()
        f.function = function
        f.a, f.b, f.c, f.d, f.n = a, b, c, d, n
        self.running = True
        try:
            with nogil:
                call_begin(&self.e, &f)
                self.finish()
        finally:
            self.running = False
        stopped = self.stop()
        if stopped is not None:
            raise stopped
        return self.e.w.main_result

    cdef object many(self, bulk *b):
        """Make calls in a row; return what a signal raises, after the call under way.

        An allocation that it cut short is not among those that are done.
        """
        cdef engine *e = &self.e
        cdef frame f
        if e.w.holds.used:
            return _held() if bulk_next(&e.w, b, &f) else None
        self.running = True
        try:
            with nogil:
                while not self.halted and not b.failed and bulk_next(&e.w, b, &f):
                    call_begin(e, &f)
                    self.finish()
                    if not self.cut:
                        bulk_end(&e.w, b)
                    if e.w.steps >= STEPS_A_LOOK:
                        e.w.steps = 0
                        with gil:
                            self.heed()
        finally:
            self.running = False
        return self.stop()

    cdef int heed(self) except -1:
        """Keep what a signal raises until the call under way has ended.

        A task is never left in mid-call. One that allocates ends with its object.
        """
        cdef frame *f
        cdef int64_t most
        try:
            PyErr_CheckSignals()
        except BaseException as error:
            if not self.halted:
                self.stopped = error
            self.halted = True
            if self.e.w.main != NULL:
                f = &self.e.w.main.frames[0]
                most = f.i + (f.pc != 0)
                if f.function == F_ALLOC and most < f.n:
                    f.n = most
                    self.cut = True
        return 0

    cdef object stop(self):
        """Return what a signal raised meanwhile, or None, once."""
        stopped, self.stopped = self.stopped, None
        self.halted = self.cut = False
        return stopped

    # --- handles: generation * 2**32 + index ---

    def _memcg(self, handle, heir=""):
        cdef uint32_t index
        if 0 <= handle < 1 << 63 and named(&self.e.w, handle, False, &index):
            return index
        raise StaleHandleError(f"the cgroup of this handle is gone{heir}")

    def _live(self, handle, str what):
        index = self._memcg(handle)
        if memcg_at(&self.e.w.m, index).dead:
            raise LifecycleError(f"the cgroup is removed; {what} needs a live one")
        return index

    def _root(self, number):
        if not 0 <= number < self.e.w.c.roots.used:
            raise StaleHandleError("there is no root cache of this number")
        if root_gone(&self.e.w.c, number):
            raise StaleHandleError("the root cache of this number is gone")
        return number

    def _serving(self, number, str what):
        root = self._root(number)
        if not root_serves(&self.e.w.c, root):
            raise LifecycleError(f"the cache is destroyed; {what} needs a live one")
        return root

    def _handle(self, uint32_t index):
        return memcg_handle(&self.e.w, index)

    # --- the face ---

    @property
    def now_ns(self) -> int:
        """Return the virtual time."""
        return self.e.w.s.now

    @property
    def busy(self) -> bool:
        """Tell whether a program, a work item or a callback is left."""
        self.enter()
        return busy(&self.e.w)

    def boot_cache(
        self,
        size: int,
        accounted: bool,
        typesafe: bool,
        reclaimable: bool,
        shareable: bool = False,
        name: str = "",
    ) -> int:
        """Create a root cache before time begins; it is called cache-N by default."""
        cdef uint32_t number
        self.enter()
        raw = cache_name("cache", name)
        if self.e.w.s.now:
            raise LifecycleError("time has begun; a boot cache needs time 0")
        link_root(
            &self.e.w, size, accounted, typesafe, reclaimable, shareable,
            self._keep(raw), &number,
        )
        return number

    def boot_slabs(
        self, number: int, order: int, per_slab: int, objects: int, slabs: int
    ) -> None:
        """Give a root cache a layout and what it holds when time begins."""
        cdef world *w = &self.e.w
        cdef root_cache *r
        cdef kmem_cache *c
        self.enter()
        if w.s.now:
            raise LifecycleError("time has begun; boot_slabs needs time 0")
        r = root_at(&w.c, self._root(number))
        c = cache_at(&w.c, r.cache)
        if c.slabs:
            raise LifecycleError("the cache has slabs; boot_slabs needs a new one")
        if not 0 <= order <= 30 or per_slab < 1 or not 0 <= slabs < 1 << 31:
            what = f"no slabs: order {order}, {per_slab} objects, {slabs}"
            raise InputError("", what)
        if per_slab * r.size > w.c.page_size << <int>order:
            what = f"{per_slab} objects of {r.size} bytes are not in a slab"
            raise InputError("", what)
        if not 0 <= objects <= min(slabs * per_slab, (1 << 31) - 1):
            raise InputError("", f"{objects} objects are not in {slabs} of {per_slab}")
        r.order = order
        r.per_slab = per_slab
        c.inuse = objects
        c.slabs = slabs
        w.n.slab_bytes += <int64_t>slabs * (w.c.page_size << r.order)
        w.n.slab_bytes_peak = max(w.n.slab_bytes_peak, w.n.slab_bytes)

    def create_cache(
        self,
        size: int,
        accounted: bool,
        typesafe: bool,
        reclaimable: bool,
        mergeable: bool = True,
        shareable: bool = False,
        name: str = "",
    ) -> int:
        """Create a root cache, or share a shareable one; return its number."""
        self.enter()
        cdef unsigned int flags = (
            accounted | typesafe << 1 | reclaimable << 2 | mergeable << 3
            | shareable << 4
        )
        return self.call(
            F_CREATE_ROOT, size, flags, NIL, self._keep(cache_name("cache", name)), 0
        )

    def create_caches(
        self,
        names,
        const int64_t[::1] sizes,
        const int64_t[::1] flags,
        int64_t[::1] made,
    ) -> tuple:
        """Create root caches in a row; number them in *made*.

        flags: of each, 1 accounted, 2 typesafe, 4 reclaimable, 8 mergeable, 16
        shareable; before time begins, mergeable says nothing.
        Returns: how many were created, and what stopped the rest or None.
        """
        cdef world *w = &self.e.w
        cdef bulk b
        raw = [cache_name("cache", name) for name in names]
        text = b"".join(raw)
        lengths = bytes(map(len, raw))
        # Only now: what yields the names may have let somebody run the world.
        self.enter()
        bulk_init(&b, F_CREATE_ROOT, self._as_many(made, sizes, flags, raw))
        if not b.calls:
            return 0, None
        b.sizes, b.flags, b.made = &sizes[0], &flags[0], &made[0]
        b.names, b.lengths = text, lengths
        if w.s.now:
            stopped = self.many(&b)
            return b.done, stopped
        with nogil:
            while b.done < b.calls:
                bulk_boot(w, &b)
        return b.done, None

    def _as_many(self, *arrays):
        """Return how many entries each of some arrays has."""
        if len(set(map(len, arrays))) != 1:
            raise InputError("", f"arrays of {[*map(len, arrays)]} entries")
        return len(arrays[0])

    def _keep(self, bytes name):
        """Return where a cache's name begins among the world's, NIL for a default."""
        cdef uint32_t at = NIL
        if name:
            keep_name(&self.e.w, name, len(name), &at)
        return at

    def destroy_cache(self, number: int) -> None:
        """Give up a root cache; the last of its users destroys it."""
        self.enter()
        root = self._serving(number, "destroy_cache")
        if not self.call(F_DESTROY_ROOT, root, NIL, NIL, NIL, 0):
            raise BusyError(
                "the cache still has objects; destroy_cache needs them freed (EBUSY)"
            )

    def mkdir(self, parent: int = 0) -> int:
        """Make a memory cgroup; return its handle."""
        self.enter()
        cdef uint32_t index = self._live(parent, "mkdir")
        index = <uint32_t>self.call(
            F_MKDIR, index, memcg_at(&self.e.w.m, index).generation, NIL, NIL, 0
        )
        if index == NIL:
            raise self._no_id()
        return self._handle(index)

    def _no_id(self):
        # mem_cgroup_css_online() up to 4.6, then mem_cgroup_alloc()
        error = "Cannot allocate memory (ENOMEM)"
        if self.e.w.k.css_ids:
            error = "No space left on device (ENOSPC)"
        return LifecycleError(
            f"mkdir: {error}: all {self.e.w.max_memcgs} memory cgroup ids are "
            f"in use; {self.e.w.n.cgroups_dying} cgroups are dying"
        )

    def mkdir_many(
        self, const int64_t[::1] parents, int64_t[::1] made
    ) -> tuple:
        """Make memory cgroups in a row; put their handles into *made*.

        parents: handles; below 0, -1 - i is the cgroup that entry i makes.
        Returns: how many were made, and what stopped the rest or None.
        """
        cdef bulk b
        self.enter()
        bulk_init(&b, F_MKDIR, self._as_many(parents, made))
        if not b.calls:
            return 0, None
        b.memcgs = &parents[0]
        b.made = &made[0]
        stopped = self.many(&b)
        if b.failed:
            stopped = self._no_id()
        elif stopped is None and b.done < b.calls:
            stopped = refusal(self._live, (parents[b.done], "mkdir"))
        return b.done, stopped

    def rmdir(self, handle: int) -> None:
        """Remove a cgroup that has no tasks and no children."""
        self.enter()
        cdef uint32_t index = self._live(handle, "rmdir")
        if not index:
            raise self._busy_root()
        if not self.call(
            F_RMDIR, index, memcg_at(&self.e.w.m, index).generation, NIL, NIL, 0
        ):
            raise self._in_use()

    def _busy_root(self):
        return BusyError("the root cgroup is busy; rmdir needs another (EBUSY)")

    def _in_use(self):
        return BusyError("the cgroup has children or tasks; rmdir needs none (EBUSY)")

    def rmdir_many(self, const int64_t[::1] handles) -> tuple:
        """Remove cgroups in a row.

        Returns: how many were removed, and what stopped the rest or None.
        """
        cdef bulk b
        self.enter()
        bulk_init(&b, F_RMDIR, len(handles))
        if not b.calls:
            return 0, None
        b.memcgs = &handles[0]
        stopped = self.many(&b)
        if b.failed:
            stopped = self._in_use()
        elif stopped is None and b.done < b.calls:
            stopped = refusal(self.rmdir, (handles[b.done],))
        return b.done, stopped

    def alloc(self, number: int, handle: int, count: int) -> None:
        """Allocate objects as a task of the cgroup would, one by one."""
        self.enter()
        root = self._serving(number, "alloc")
        memcg = self._live(handle, "alloc")
        self.call(F_ALLOC, root, memcg, 1, NIL, count)

    def pin(self, number: int, handle: int, count: int) -> None:
        """Allocate objects that stay until drop_caches()."""
        self.enter()
        root, memcg = self._serving(number, "pin"), self._live(handle, "pin")
        self.call(F_ALLOC, root, memcg, 2, NIL, count)

    def alloc_many(
        self,
        const int64_t[::1] numbers,
        const int64_t[::1] handles,
        const int64_t[::1] counts,
    ) -> tuple:
        """Allocate objects in a row.

        Returns: how many calls were gone through with, and what stopped the rest or
        None.
        """
        return self._objects(F_ALLOC, 1, self.alloc, numbers, handles, counts)

    def pin_many(
        self,
        const int64_t[::1] numbers,
        const int64_t[::1] handles,
        const int64_t[::1] counts,
    ) -> tuple:
        """Pin objects in a row; the answer is alloc_many's."""
        return self._objects(F_ALLOC, 2, self.pin, numbers, handles, counts)

    def free_many(
        self,
        const int64_t[::1] numbers,
        const int64_t[::1] handles,
        const int64_t[::1] counts,
    ) -> tuple:
        """Free objects in a row; the answer is alloc_many's."""
        return self._objects(F_FREE_OBJECTS, 0, self.free, numbers, handles, counts)

    def _objects(
        self, int function, int how, alone,
        const int64_t[::1] numbers,
        const int64_t[::1] handles,
        const int64_t[::1] counts,
    ):
        cdef bulk b
        self.enter()
        bulk_init(&b, function, self._as_many(numbers, handles, counts))
        if not b.calls:
            return 0, None
        b.how = how
        b.roots, b.memcgs, b.counts = &numbers[0], &handles[0], &counts[0]
        stopped = self.many(&b)
        if b.failed:
            stopped = self._too_few(self.e.w.main_result)
        elif stopped is None and b.done < b.calls:
            stopped = refusal(alone, (numbers[b.done], handles[b.done], 1))
        return b.done, stopped

    def free(self, number: int, handle: int, count: int) -> None:
        """Free objects, those of the cgroup's own cache first."""
        self.enter()
        cdef uint32_t root = self._root(number)
        heir = "; its objects are its parent's" if self.e.w.k.inherits else ""
        cdef uint32_t memcg = self._memcg(handle, heir)
        cdef long long there = self.call(
            F_FREE_OBJECTS, root, memcg, 0,
            memcg_at(&self.e.w.m, memcg).generation, count,
        )
        if there != NIL:
            raise self._too_few(there)

    def _too_few(self, there):
        text = f"fewer objects can be freed than were asked for: {there}"
        return LifecycleError(text)

    def drop_caches(self) -> None:
        """Free the pinned objects of reclaimable caches."""
        self.enter()
        self.call(F_DROP_CACHES, NIL, NIL, NIL, NIL, 0)

    def hotplug(self, event: int) -> None:
        """Let a CPU die (0), memory come online (1) or go offline (2)."""
        self.enter()
        self.call(F_HOTPLUG, event, NIL, NIL, NIL, 0)

    # --- files ---

    cdef open_file *opened(self, number) except NULL:
        if 0 <= number < self.e.w.files.used:
            file = file_at(&self.e.w, number)
            if file != NULL and not file.by_program:
                return file
        raise StaleHandleError("there is no open file of this number")

    def open(self, kind: int, handle: int = 0, cursor: bool = False) -> int:
        """Open a file; return its number.

        kind: 0 /proc/slabinfo, 1 memory.kmem.slabinfo of a cgroup, 2 its cgroup.stat,
        3 /proc/cgroups, 4 /proc/loadavg. cursor: keep the place in the list.
        """
        cdef uint32_t number, memcg = NIL
        self.enter()
        if not 0 <= kind < FILE_KINDS:
            raise InputError("", f"there is no file of kind {kind}")
        if kind in (FILE_MEMCG_SLABINFO, FILE_CGROUP_STAT):
            memcg = self._live(handle, "open")
        file_open(&self.e.w, kind, memcg, cursor, False, &number)
        return number

    def read(self, number: int, size: int, offset: int = -1) -> bytes:
        """Read up to *size* bytes where the file stands, or at an offset.

        Raises: OSError.
        """
        self.enter()
        cdef open_file *o = self.opened(number)
        cdef PyObject *text
        if size < 0:
            raise OSError(EINVAL, os.strerror(EINVAL))
        self.unheld()
        # Nothing comes near this: a read is a chunk and what was left over of another.
        text = new_bytes(NULL, min(size, MOST_READ))
        try:
            o.offset = offset
            file_read(
                o, &o.f_pos if offset < 0 else &o.offset, bytes_at(text),
                bytes_length(text),
            )
            resize_bytes(&text, self.use(number))
            return <object>text
        finally:
            Py_XDECREF(text)

    def lseek(self, number: int, offset: int, whence: int = 0) -> int:
        """Move to an offset; return it. Raises: OSError."""
        cdef open_file *o
        self.enter()
        o = self.opened(number)
        self.unheld()
        file_lseek(o, offset, whence)
        return self.use(number)

    cdef long long use(self, uint32_t number) except -1:
        """Go through with a read or a seek that has begun; return its result."""
        cdef open_file *o = file_at(&self.e.w, number)
        self.call(F_READ_FILE, number, NIL, NIL, NIL, 0)
        if o.result < 0:
            raise OSError(-o.result, os.strerror(-o.result))
        return o.result

    def close(self, number: int) -> None:
        """Close a file; one that is closed during a run goes before the next call.

        A run has no GIL, and the collector may close a forgotten file in any thread.
        """
        if self.running:
            self.closing.append(number)
            return
        self.enter()
        self.opened(number)
        file_close(&self.e.w, number)

    def file_state(self, number: int) -> dict:
        """Return where a file stands and how often its hooks were called."""
        self.enter()
        self.opened(number)
        return self.reading(number)

    cdef dict reading(self, uint32_t number):
        # A copy: what makes the dict may collect a forgotten file, even this one.
        cdef open_file o = file_at(&self.e.w, number)[0]
        return {
            "f_pos": o.f_pos,
            "index": o.seq.index,
            "count": o.seq.count,
            "from": o.seq.from_ if o.seq.count else 0,
            "read_pos": o.seq.read_pos,
            "size": o.seq.size,
            "start": o.seq.starts,
            "next": o.seq.nexts,
            "show": o.seq.shows,
            "stop": o.seq.stops,
            "visits": o.seq.visits,
            "allocs": o.seq.allocs,
        }

    def files(self) -> list:
        """Return number, kind and cgroup of each open file; 0: it is none's."""
        cdef const open_file *o
        cdef uint32_t i
        self.enter()
        rows = []
        for i in range(self.e.w.files.used):
            o = file_at(&self.e.w, i)
            if o != NULL and not o.by_program:
                handle = 0
                if o.memcg != NIL:
                    handle = <int64_t>o.generation << 32 | o.memcg
                rows.append((i, o.kind, handle))
        return rows

    def slabinfo_reads(self) -> list:
        """Return each whole read of /proc/slabinfo that a program made.

        began_ns, took_ns, read_calls, rows, missing, repeated, start_hops, next_hops,
        children, held_ns, cursor.
        """
        cdef const slabinfo_read *row
        cdef uint32_t i
        self.enter()
        rows = []
        for i in range(self.e.w.slabinfo_reads.used):
            row = &(<slabinfo_read *>self.e.w.slabinfo_reads.entries)[i]
            rows.append(
                (
                    row.began,
                    row.took,
                    row.calls,
                    row.rows,
                    row.missing,
                    row.repeated,
                    row.start_hops,
                    row.next_hops,
                    row.children,
                    row.held_ns,
                    bool(row.by_cursor),
                )
            )
        return rows

    def program(self, steps) -> int:
        """Add a program; return its number."""
        cdef world *w = &self.e.w
        cdef uint32_t number
        cdef program *p
        cdef Py_ssize_t i, j
        cdef int64_t step[5]
        cdef const char *wrong_step
        self.enter()
        rows = [tuple(row) for row in steps]
        for row in rows:
            what = "is no step; expected (op, a, b, c, d)"
            if len(row) == 5:
                for j in range(5):
                    step[j] = max(-1, min(row[j], FOREVER))
                wrong_step = step_wrong(step, w.programs.used)
                what = "" if wrong_step == NULL else wrong_step.decode()
            if what:
                raise InputError("", f"{row} {what}")
        arena_take(&w.programs, &number)
        p = <program *>arena_at(&w.programs, number)
        p.nsteps = 0
        p.steps = <int64_t *>zeroed(len(rows) * 5 * sizeof(int64_t))
        p.nsteps = len(rows)
        for i in range(p.nsteps):
            for j in range(5):
                p.steps[5 * i + j] = rows[i][j]
        return number

    def spawn(
        self,
        number: int,
        repeat: int = 1,
        at_ns: int = 0,
        until_ns: int = 0,
        background: bool = False,
    ) -> int:
        """Start a task that runs a program *repeat* times from *at_ns* on.

        until_ns: no repetition starts later; 0 is for ever. background: the world is
        at rest, and its programs have ended, though this one has not.
        Returns: the ticket under which finished() tells its end.
        """
        cdef world *w = &self.e.w
        cdef task *t
        cdef frame *f
        cdef uint64_t until = until_ns
        cdef int64_t ticket
        self.enter()
        if not 0 <= number < w.programs.used:
            raise InputError("", f"there is no program {number}")
        task_new(w, 0, False, &t)
        f = task_push(t, F_PROGRAM)
        f.a = number
        f.n = repeat
        f.v = at_ns
        f.c = <uint32_t>(until & 0xFFFFFFFF)
        f.d = <uint32_t>(until >> 32)
        t.background = background
        w.tickets += 1
        t.ticket = ticket = w.tickets
        w.n.threads += 1
        w.n.user_tasks += not background
        sched_wake(&w.s, t)
        self.running = True
        try:
            with nogil:
                settle(&self.e)
        finally:
            self.running = False
        return ticket

    # --- calls that run beside others ---

    def begin(self, call: int, a: int = 0, b: int = 0, count: int = 1) -> int:
        """Begin a call as a task of its own; return its ticket.

        call: 0 mkdir below a, 1 rmdir of a, 2 what it takes a task to join a; 3 alloc,
        4 pin, 5 free *count* objects of root a for a task of cgroup b, which keeps it
        from being removed; 6 drop_caches; 7 hotplug, event a; 8 hold cgroup_mutex (0)
        or slab_mutex (1).
        """
        cdef world *w = &self.e.w
        cdef frame f
        cdef uint32_t memcg = NIL
        cdef int64_t ticket
        self.enter()
        f.a = f.b = f.c = f.d = NIL
        f.n = 0
        if not 0 <= call < len(_CALLS):
            raise InputError("", f"there is no call {call}")
        name, f.function = _CALLS[call]
        if call <= 2:
            f.a = self._live(a, name)
            f.b = memcg_at(&w.m, f.a).generation
            if f.function == F_RMDIR and not f.a:
                raise self._busy_root()
        elif call <= 5:
            f.a = self._root(a) if f.function == F_FREE_OBJECTS else (
                self._serving(a, name)
            )
            f.b = self._live(b, name)
            f.c = 2 if name == "pin" else f.function == F_ALLOC
            f.d = memcg_at(&w.m, f.b).generation
            f.n = count
            memcg = f.b if f.b else NIL
        elif f.function == F_HOTPLUG:
            f.a = a
        elif f.function == F_HOLD_MUTEX:
            if a not in (CGROUP_MUTEX, SLAB_MUTEX):
                raise InputError("", f"there is no mutex {a}")
            f.a = a
        self.running = True
        try:
            with nogil:
                ticket = call_beside(&self.e, &f, memcg)
        finally:
            self.running = False
        return ticket

    def let_go(self, ticket: int) -> None:
        """Give up a mutex that is held, or its place in the line."""
        cdef int64_t number = ticket
        cdef bint held
        self.enter()
        self.running = True
        try:
            with nogil:
                held = hold_end(&self.e, number)
        finally:
            self.running = False
        if not held:
            raise StaleHandleError("no mutex is held under this number")

    def line(self, number: int) -> tuple:
        """Tell whether cgroup_mutex (0) or slab_mutex (1) is owned; how many wait."""
        self.enter()
        if number not in (CGROUP_MUTEX, SLAB_MUTEX):
            raise InputError("", f"there is no mutex {number}")
        m = &self.e.w.s.mutexes[<int>number]
        return m.owner != NULL, m.length

    def watch(self, kind: int, handle: int, number: int = 0) -> int:
        """Return the ticket under which it is told that something came about.

        kind: 0 a cache of root *number* serves the cgroup, with 0 if either is gone
        first; 1 it is offline; 2 it is freed.
        """
        cdef world *w = &self.e.w
        cdef mem_cgroup *m
        cdef uint32_t index = <uint32_t>(handle & 0xFFFFFFFF), root = NIL
        cdef int64_t ticket
        cdef bint already
        self.enter()
        if not 0 <= kind < WATCH_KINDS:
            raise InputError("", f"there is no watch of kind {kind}")
        if kind == WATCH_CACHE:
            root = self._serving(number, "watch")
            index = self._live(handle, "watch")
            m = memcg_at(&w.m, index)
            already = not (
                root_at(&w.c, root).accounted and w.k.children and m.kmem_online
            ) or root_slot(&w.c, root, m.kmemcg_id) != NIL
        elif (
            0 <= handle < 1 << 63
            and index < w.m.groups.used
            and memcg_at(&w.m, index).generation > <uint32_t>(handle >> 32)
        ):
            already = True
        else:
            index = self._memcg(handle)
            already = kind == WATCH_OFFLINE and not memcg_at(&w.m, index).online
        w.tickets += 1
        ticket = w.tickets
        if already:
            note_finished(w, ticket, -1, 1)
            return ticket
        arena_extend(&w.watches, w.watches.used + 1)
        one = &(<watch *>w.watches.entries)[w.watches.used - 1]
        one.ticket = ticket
        one.kind = kind
        one.root = root
        one.memcg = index
        return ticket

    def finished(self) -> list:
        """Return what has finished since it was last asked for: rows in their order.

        Ticket, when, the result, an error or None. The result is a handle of mkdir, 1,
        or 0 where nothing came of it.
        """
        cdef world *w = &self.e.w
        cdef finished row
        cdef uint32_t i, count
        self.enter()
        rows = []
        count = w.finished.used
        for i in range(count):
            row = (<finished *>w.finished.entries)[i]
            rows.append((row.ticket, row.at, row.result, row.function))
        w.finished.used = 0
        return [
            (ticket, at, result, self._verdict(function, result))
            for ticket, at, result, function in rows
        ]

    def _verdict(self, int function, result):
        """Return the error of a call that ran beside others, or None."""
        if result > 0:
            return None
        if result == TOO_LATE:
            return LifecycleError("the cgroup was removed before the call was done")
        if result == MISSED_ID:
            return self._no_id()
        if function == F_RMDIR:
            return self._in_use()
        if function == F_FREE_OBJECTS:
            return self._too_few(FEWER - result)
        return None

    @property
    def at_rest(self) -> bool:
        """Tell whether nothing can happen without a further call; with SLAB, never."""
        self.enter()
        return nothing_runs(&self.e) and not self.e.w.k.slab

    def advance_to_finished(self, when: int) -> bool:
        """Run up to *when*, until something is finished, or until all is at rest.

        Returns: whether something is.
        """
        cdef engine *e = &self.e
        cdef long long until = when
        cdef int kind = 0
        cdef int32_t number = 0
        cdef int64_t at
        self.enter()
        e.until = until
        self.running = True
        try:
            with nogil:
                while not e.w.finished.used and (e.w.k.slab or not nothing_runs(e)):
                    at = next_event(e, &kind, &number)
                    if at > until:
                        e.w.s.now = max(e.w.s.now, until)
                        break
                    run_event(e, at, kind, number)
                    if e.w.steps >= STEPS_A_LOOK:
                        e.w.steps = 0
                        with gil:
                            PyErr_CheckSignals()
        finally:
            self.running = False
        return e.w.finished.used != 0

    def run(self) -> None:
        """Run until all programs have ended."""
        self.enter()
        self.drain_or_run(False)

    def drain(self) -> None:
        """Run until no program, work item or callback is left."""
        self.enter()
        self.drain_or_run(True)

    def advance_to(self, when: int) -> None:
        """Run everything up to and including *when*."""
        self.enter()
        self.advance(when)

    def next_event_ns(self) -> int:
        """Return when something happens next without a further call."""
        cdef int kind = 0
        cdef int32_t number = 0
        self.enter()
        return next_event(&self.e, &kind, &number)

    # --- what comes out ---

    def counters(self) -> dict:
        """Return everything counted so far."""
        cdef engine *e = &self.e
        cdef world *w = &e.w
        self.enter()
        return {
            "virtual_ns": w.n.ended_at,
            "drained_ns": e.drained_at,
            "iterations": w.n.iterations,
            "mkdir_failures": w.n.mkdir_failures,
            "mkdir_failed_at_ns": w.n.mkdir_failed_at,
            **figures(&w.n, w.s.mutexes, w.r.completed),
            "kernfs_nodes_peak": w.n.nodes_peak,
            "slab_bytes": w.n.slab_bytes,
            "slab_bytes_peak": w.n.slab_bytes_peak,
            "kworkers": w.q.kworkers,
            "kworkers_peak": w.q.kworkers_peak,
            "uninterruptible_peak": w.s.uninterruptible_peak,
            "load1": w.load[0] / <double>FIXED_1,
            "load5": w.load[1] / <double>FIXED_1,
            "load15": w.load[2] / <double>FIXED_1,
            "load1_peak": e.load_peak / <double>FIXED_1,
            "callbacks": {
                "queued": w.r.queued,
                "invoked": w.r.invoked,
                "longest_queue": w.r.longest,
            },
            "works": self._works(),
            "reaper": {"passes": w.n.reaper_passes, "skipped": w.n.reaper_skipped},
            "slabinfo": self._slabinfo(),
            "creation_delays_ns": self._delays(),
            "creations_never": w.n.pairs_missed - w.ndelays,
            "misses": w.n.misses,
            "findings": [
                {
                    "id": name,
                    "at_ns": w.n.findings[<int>kind].at,
                    "count": w.n.findings[<int>kind].count,
                }
                | self._schedule_of(kind)
                for kind, name in _FINDING_NAMES
                if w.n.findings[<int>kind].count
            ],
            "marks": self._marks(),
        }

    def _slabinfo(self):
        """Return what the whole reads of /proc/slabinfo by programs came to."""
        cdef const slabinfo_read *row
        cdef int64_t calls = 0, rows = 0, missing = 0, repeated = 0, held = 0
        cdef int64_t with_missing = 0, with_repeated = 0
        cdef uint32_t i
        for i in range(self.e.w.slabinfo_reads.used):
            row = &(<slabinfo_read *>self.e.w.slabinfo_reads.entries)[i]
            calls += row.calls
            rows += row.rows
            missing += row.missing
            repeated += row.repeated
            with_missing += row.missing > 0
            with_repeated += row.repeated > 0
            held += row.held_ns
        return {
            "files": self.e.w.slabinfo_reads.used,
            "read_calls": calls,
            "rows": rows,
            "rows_missing": missing,
            "rows_repeated": repeated,
            "files_with_missing": with_missing,
            "files_with_repeated": with_repeated,
            "held_ns": held,
        }

    def _schedule_of(self, int kind):
        """Return what led to the first finding of this kind, if that is kept."""
        cdef world *w = &self.e.w
        if kind != CACHE_USE_AFTER_FREE or not w.scheduled:
            return {}
        return {
            "schedule": [
                {
                    "at_ns": w.schedule[<int>event].at,
                    "cpu": w.schedule[<int>event].cpu,
                    "event": name,
                    "ahead": w.schedule[<int>event].ahead,
                }
                for event, name in _SCHEDULE_EVENTS.items()
                if event < w.scheduled
            ]
        }

    def _marks(self):
        cdef uint32_t i
        cdef const mark *m
        marks = {}
        for i in range(self.e.w.marks.used):
            m = &(<mark *>self.e.w.marks.entries)[i]
            marks[m.number] = {
                "at_ns": m.at, **figures(&m.n, m.mutexes, m.completed)
            }
        return marks

    def _works(self):
        cdef world *w = &self.e.w
        return {
            name: {
                "queued": w.q.queued[<int>i],
                "run": w.q.run[<int>i],
                "longest_pending_ns": w.q.longest_pending_ns[<int>i],
            }
            for i, name in enumerate(_QUEUE_NAMES)
            if w.q.queues[<int>i] != NULL
        }

    def _delays(self):
        import numpy

        cdef world *w = &self.e.w
        delays = numpy.empty(w.ndelays, dtype=numpy.int64)
        cdef int64_t[::1] view = delays
        if w.ndelays:
            read_delays(w, &view[0])
        return delays

    def timeline(self) -> list:
        """Return the sampled columns, a row each *sample_ns*."""
        cdef uint32_t i
        cdef sample *row
        self.enter()
        rows = []
        for i in range(self.e.samples.used):
            row = &(<sample *>self.e.samples.entries)[i]
            rows.append(
                (
                    row.t_ns,
                    row.caches,
                    row.caches_dying,
                    row.cgroups,
                    row.cgroups_dying,
                    row.kernfs_nodes,
                    row.slab_bytes,
                    row.kworkers,
                    row.uninterruptible,
                    row.load1,
                    row.creations_pending,
                    row.callbacks,
                )
            )
        return rows

    def log(self) -> list:
        """Return the events noted; slabcore.kernel.LOG names the columns."""
        cdef uint32_t i
        cdef record *r
        self.enter()
        rows = []
        for i in range(self.e.w.log.records.used):
            r = &(<record *>self.e.w.log.records.entries)[i]
            rows.append(
                (
                    r.at,
                    r.cpu,
                    _TASK_KINDS[r.task_kind],
                    r.task,
                    r.pool,
                    EVENT_NAMES[r.event],
                    EVENT_NAMES[r.function] if r.function >= 0 else "",
                    _QUEUE_NAMES[r.queue] if r.queue >= 0 else "",
                    _MUTEX_NAMES[r.mutex] if r.mutex >= 0 else "",
                    r.item,
                    r.memcg,
                    r.cache,
                )
            )
        return rows

    # --- contents ---

    def _serial(self, uint32_t cache):
        return cache_at(&self.e.w.c, cache).serial

    def _cache_list(self, uint32_t first, size_t offset):
        """Return the serials of a list of caches by its link's offset."""
        cdef world *w = &self.e.w
        cdef uint32_t i = first
        serials = []
        while i != NIL:
            if len(serials) > w.c.caches.used:
                raise CorruptionError("a list of caches has a cycle")
            serials.append(cache_at(&w.c, i).serial)
            i = (<uint32_t *>(<char *>links_at(&w.c, i) + offset))[0]
        return serials

    def _memcgs(self):
        cdef world *w = &self.e.w
        cdef uint32_t i = w.m.all.first
        groups = []
        while i != NIL:
            groups.append(i)
            i = memcg_at(&w.m, i).siblings.next
        return groups

    def _name(self, uint32_t root):
        cdef char own[NAME_ROOM]
        cdef uint32_t length
        cdef const char *name = root_name(&self.e.w, root, own, &length)
        return name[:length].decode()

    def _contents(self, uint32_t cache):
        cdef kmem_cache *c = cache_at(&self.e.w.c, cache)
        return (
            c.inuse, c.slabs, c.pinned, bool(c.deactivated), c.nodes,
            cache_memory_nodes(&self.e.w.c, cache),
        )

    def _objcg(self, uint32_t index):
        cdef world *w = &self.e.w
        cdef obj_cgroup *o = objcg_at(&w.m, index)
        cdef uint32_t i = o.first
        holdings = []
        while i != NIL:
            h = holding_at(&w.m, i)
            if not root_gone(&w.c, h.root):
                root = cache_at(&w.c, root_at(&w.c, h.root).cache).serial
                holdings.append((root, h.held, h.pinned))
            i = h.next
        owner = memcg_at(&w.m, o.memcg).serial
        return o.serial, (owner, o.refs, o.in_flight, holdings)

    def _references(self, uint32_t cache):
        cdef kmem_cache *c = cache_at(&self.e.w.c, cache)
        return c.in_flight, c.refs

    def caches_listed(self) -> list:
        """Return each live cache by age: what Kernel.caches() makes its names of.

        The root's number; handle and number of the cgroup that a child is named after,
        -1 for none; handle and serial of its cgroup; dying, objects, slabs, kernfs
        nodes.
        """
        cdef world *w = &self.e.w
        cdef uint32_t i
        cdef kmem_cache *c
        cdef cache_links *links
        cdef int64_t named_after, number
        self.enter()
        rows = []
        for i in range(w.c.caches.used):
            c = cache_at(&w.c, i)
            if c.life != LIVE:
                continue
            links = links_at(&w.c, i)
            root = links.memcg_index == NIL
            memcg = 0 if root else links.memcg_index
            named_after = number = -1
            if not root:
                child_name(w, i, &named_after, &number)
            rows.append(
                (
                    c.serial,
                    links.root,
                    named_after,
                    number,
                    self._handle(memcg),
                    memcg_at(&w.m, memcg).serial,
                    bool(c.deactivated),
                    c.inuse,
                    c.slabs,
                    c.nodes,
                )
            )
        return [row[1:] for row in sorted(rows)]

    def state(self) -> dict:
        """Return every structure's contents by serial numbers."""
        cdef world *w = &self.e.w
        cdef cache_links l
        cdef size_t in_all = <char *>&l.caches - <char *>&l
        cdef size_t in_children = <char *>&l.children - <char *>&l
        cdef size_t in_memcg = <char *>&l.memcg - <char *>&l
        cdef uint32_t i, j
        cdef root_cache *r
        cdef mem_cgroup *m
        self.enter()
        roots = []
        i = w.c.root_list.first
        while i != NIL:
            roots.append(cache_at(&w.c, root_at(&w.c, i).cache).serial)
            i = root_at(&w.c, i).roots.next
        children, slots, caches, kmem_caches, memcgs = {}, {}, {}, {}, {}
        references, memcg_ids = {}, {}
        parked, users, names = {}, {}, {}
        for i in range(w.c.roots.used):
            if root_gone(&w.c, i):
                continue
            r = root_at(&w.c, i)
            serial = r.serial
            names[serial] = self._name(i)
            children[serial] = self._cache_list(r.children.first, in_children)
            if r.parked.length:
                parked[serial] = self._cache_list(r.parked.first, in_children)
            users[serial] = (r.refcount, r.leaving, bool(r.dying), not r.shut)
            slots[serial] = {}
            if r.slots != NULL:
                for j in range(w.c.nr_ids):
                    child = root_slot(&w.c, i, <int32_t>j)
                    if child != NIL:
                        slots[serial][j] = cache_at(&w.c, child).serial
            caches[serial] = self._contents(r.cache)
            references[serial] = self._references(r.cache)
            for j in (r.children.first, r.parked.first):
                while j != NIL:
                    caches[cache_at(&w.c, j).serial] = self._contents(j)
                    references[cache_at(&w.c, j).serial] = self._references(j)
                    j = links_at(&w.c, j).children.next
        objcgs, objcg_list = {}, {}
        for index in [0, *self._memcgs()]:
            objcg_list[memcg_at(&w.m, index).serial] = []
            i = objcg_first(&w.m, index)
            while i != NIL:
                serial, objcgs[objcg_at(&w.m, i).serial] = self._objcg(i)
                if i != memcg_at(&w.m, index).objcg:
                    objcg_list[memcg_at(&w.m, index).serial].append(serial)
                i = objcg_next(&w.m, i)
        if w.k.reparenting:
            kmem_caches[0] = self._cache_list(
                memcg_at(&w.m, 0).kmem_caches.first, in_memcg
            )
        for index in self._memcgs():
            m = memcg_at(&w.m, index)
            kmem_caches[m.serial] = self._cache_list(m.kmem_caches.first, in_memcg)
            memcg_ids[m.serial] = (m.id, bool(m.id_held))
            memcgs[m.serial] = (
                m.kmemcg_id, m.refs, bool(m.online), bool(m.dead), m.tasks
            )
        return {
            "now": w.s.now,
            "slab_caches": self._cache_list(w.c.all.first, in_all),
            "slab_root_caches": roots,
            "children": children,
            "parked": parked,
            "roots": users,
            "kmem_caches": kmem_caches,
            "names": names,
            "files": {
                number: (
                    file_at(w, number).kind,
                    bool(file_at(w, number).by_cursor),
                    # A program may be in the middle of a read.
                    {} if file_at(w, number).by_program else self.reading(number),
                )
                for number in range(w.files.used)
                if file_at(w, number) != NULL
            },
            "rcu_destroy": self._cache_list(w.c.rcu_destroy.first, in_all),
            "slots": slots,
            "caches": caches,
            "references": references,
            "objcgs": objcgs,
            "objcg_list": objcg_list,
            "memcgs": memcgs,
            "locks": {
                name: (
                    w.s.mutexes[<int>k].owner != NULL, w.s.mutexes[<int>k].length
                )
                for k, name in enumerate(_MUTEX_NAMES)
            },
            "memcg_ids": memcg_ids,
            "hotplug": (
                w.s.mutexes[HOTPLUG_LOCK].owner != NULL,
                w.s.hotplug_readers,
                w.s.mutexes[HOTPLUG_LOCK].length,
            ),
            "rcu": (w.r.gpnum, w.r.completed),
            "qlen": [rcu_qlen(&w.r.data[<int>k]) for k in range(w.s.ncpus)],
            "workers": [
                (
                    w.s.pools[<int>k].workers,
                    w.s.pools[<int>k].idle,
                    w.s.pools[<int>k].worklist.length,
                )
                for k in range(w.s.ncpus + 1)
            ],
        }

    # --- bytes ---

    def snapshot(self) -> bytes:
        """Return the whole state, for restore() of a world made of the same."""
        self.enter()
        if self.e.w.main != NULL:
            raise LifecycleError("a call was cut short by an error; nothing goes on")
        return world_bytes(&self.e)

    def restore(self, data: bytes) -> None:
        """Become the world of a snapshot; this one is new, and made of the same.

        Raises: InputError in one line, after which this world is of no use.
        """
        self.enter()
        if self.e.w.s.now or self.e.w.c.roots.used or self.e.w.programs.used:
            raise LifecycleError("the world is in use; restore needs a new one")
        self.made = False
        fill_world(&self.e, data)
        self.made = True

    def fork(self) -> World:
        """Return a world that is as this one, and goes on by itself."""
        return _revived(self.made_of, self.snapshot())

    def __reduce__(self):
        return _revived, (self.made_of, self.snapshot())

    def validate(self) -> None:
        """Check the invariants of lists, slots, ids, references and counts.

        Raises: CorruptionError.
        """
        cdef breach b
        self.enter()
        if world_broken(&self.e.w, &b):
            raise CorruptionError(b.what.decode().format(where=b.where, which=b.which))


def _revived(tuple made_of, bytes data):
    """Return the world of a snapshot."""
    design, machine, costs, walk, sample_ns, log, huge_pages = made_of
    world = World(
        design, machine, costs, walk=walk, sample_ns=sample_ns, log=log,
        huge_pages=huge_pages,
    )
    world.restore(data)
    return world

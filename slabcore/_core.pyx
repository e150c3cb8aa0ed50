# cython: language_level=3, embedsignature=True, embedsignature.format=python
# cython: auto_pickle=False, autotestdict=False, allow_none_for_extension_args=False
# cython: cdivision=True
"""The compiled engine: one World owns everything, memory included.

A World's memory comes from slabcore.arena and goes back when the World does. Runs
release the GIL, so different Worlds may run in different threads. One that runs refuses
any other call, of whatever thread, but that a file is closed.
"""

import os

cimport cython
from libc.errno cimport EINVAL, EIO
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy, memset

from cpython.buffer cimport (
    PyBUF_FORMAT,
    PyBUF_ND,
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_CheckBuffer,
    PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_Check, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_RawFree
from cpython.number cimport PyNumber_Index
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF
from cpython.unicode cimport PyUnicode_Check, PyUnicode_DecodeUTF8

from slabcore.arena cimport (
    NIL,
    arena_at,
    arena_free,
    arena_init,
    arena_reserve,
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
    call_end,
    named,
)
from slabcore.cache_lists cimport (
    EVENT_ALLOC,
    EVENT_MKDIR,
    EVENT_OFFLINE,
    IN_LINE,
    IN_MORE,
    IS_ALIVE,
    IS_NOT_ALIVE,
    NO_KIND,
    NO_ROOT,
    REPLAYED,
    cache_create,
    cache_create_many,
    cache_lists_broken,
    cache_lists_free,
    cache_lists_init,
    life_event,
    link_at,
    lists_reserve_many,
    lists_reserve_spares,
    lists_settle,
    memcg_list,
    memcg_list_at,
    memcg_list_destroy,
    memcg_list_destroy_many,
    memcg_list_handle,
    memcg_list_new,
    more_at,
    more_used,
    names_memcg,
    owner_at,
    replay,
    replay_events,
    replay_free,
    replay_init,
)
from slabcore.cache_scan cimport NUMBERS, STATISTICS, scan_row
from slabcore.cache_show cimport (
    HEADER_ROOM,
    NAME_WIDTH,
    ROW_ROOM,
    prefetch,
    put_name,
    rows_path,
    slab_stats,
    slabinfo,
    slabinfo_add,
    slabinfo_header,
    slabinfo_row,
)
from slabcore.cache_text cimport (
    NAMES_ROOM,
    cache_text,
    text_changed,
    text_free,
    text_left,
    text_open,
    text_read,
    text_rewind,
)
from slabcore.clock cimport (
    FOREVER,
    clock_free,
    clock_init,
    clock_next,
    clock_pop,
    clock_push,
    clock_queue,
)
from slabcore.engine cimport (
    engine,
    next_event,
    run_event,
    sample,
    settle,
)
from slabcore.invariants cimport breach, world_broken
from slabcore.list cimport (
    list_cursor,
    list_cursor_close,
    list_cursor_open,
    list_init,
)
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
from slabcore.rcu cimport (
    BLIMIT,
    MAX_CALLBACKS,
    MAX_WORDS,
    QHIMARK,
    QLOWMARK,
    RCU_KINDS,
    call_rcu,
    call_rcu_many,
    call_rcu_words,
    rcu_accelerate,
    rcu_advance,
    rcu_batch,
    rcu_batch_end,
    rcu_broken,
    rcu_data,
    rcu_entrain,
    rcu_free,
    rcu_gp_cleanup,
    rcu_gp_init,
    rcu_head,
    rcu_qlen,
    rcu_queued,
    rcu_report_qs,
    rcu_reserve,
    rcu_take,
    rcu_take_many,
    rcu_write_many,
)
from slabcore.sched cimport (
    HOTPLUG_LOCK,
    cpu as sched_cpu,
    frame,
    mutex,
    sched_wake,
    task,
    task_push,
    work,
    worker_pool,
)
from slabcore.seq_file cimport (
    ERA_A,
    ERA_B,
    ERA_C,
    ERA_D,
    SEQ_END,
    SEQ_PAGE,
    SEQ_SECTION,
    SEQ_SKIP,
    seq_file,
    seq_forget,
    seq_lseek_begin,
    seq_open,
    seq_operations,
    seq_read_begin,
    seq_release,
    seq_result,
    seq_section,
    seq_write,
)
from slabcore.side_list cimport (
    side_ask_for_huge_pages,
    side_broken,
    side_clear,
    side_extend,
    side_free,
    side_handle,
    side_init,
    side_length,
    side_list,
    side_live,
    side_move,
    side_move_many,
    side_names,
    side_put,
    side_put_before,
    side_put_tail,
    side_remove,
    side_remove_many,
    side_reserve,
    side_settle,
    side_take,
    side_tell,
)
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
from slabcore.trace cimport (
    CACHE_ALLOC,
    CGROUP_ATTACH,
    CGROUP_MKDIR,
    CGROUP_RELEASE,
    CGROUP_RENAME,
    CGROUP_RMDIR,
    OTHER_EVENT,
    alloc_said,
    cgroup_said,
    event_names,
    is_accounted,
    name_number,
    scan_alloc,
    scan_attach,
    scan_cgroup,
    scan_line,
    trace_line,
)
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
    FREE_BARRIER_ASYNC,
    FREE_BARRIER_BATCH,
    FREE_BARRIER_PER_CACHE,
    FREE_CALL_RCU,
    F_ALLOC,
    F_CREATE_ROOT,
    F_DESTROY_ROOT,
    F_DROP_CACHES,
    F_FREE_OBJECTS,
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
    MEMORY_OFFLINE,
    NAME_ROOM,
    OP_ALLOC,
    OP_CREATE_CACHE,
    OP_DESTROY_CACHE,
    OP_FORK,
    OP_FREE,
    OP_HOLD,
    OP_HOTPLUG,
    OP_KEEP,
    OP_MARK,
    OP_MKDIR,
    OP_PIN,
    OP_SETTLE,
    OP_SLABINFO,
    OP_TAKE,
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
    WORK_ON_DESTROYED,
    W_BARRIER,
    busy,
    child_name,
    file_at,
    hop_point,
    keep_name,
    kept_memcg,
    link_root,
    mark,
    memcg_handle,
    new_worker,
    open_file,
    program,
    read_delays,
    root_name,
    slabinfo_read,
    tally,
    task_new,
    world,
)

from slabcore.errors import (
    BusyError,
    CorruptionError,
    InputError,
    LifecycleError,
    ListCorruptionError,
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


# --- the text of /proc/slabinfo ---

cdef extern from "Python.h":
    bint is_ascii "PyUnicode_IS_COMPACT_ASCII"(PyObject *) noexcept nogil
    const char *ascii_at "PyUnicode_DATA"(PyObject *) noexcept nogil
    Py_ssize_t ascii_length "PyUnicode_GET_LENGTH"(PyObject *) noexcept nogil
    PyObject *new_name "PyUnicode_DecodeUTF8"(
        const char *, Py_ssize_t, const char *
    ) except NULL
    PyObject *new_bytes "PyBytes_FromStringAndSize"(
        const char *, Py_ssize_t
    ) except NULL
    char *bytes_at "PyBytes_AS_STRING"(PyObject *) noexcept nogil
    Py_ssize_t bytes_length "PyBytes_GET_SIZE"(PyObject *) noexcept nogil
    int resize_bytes "_PyBytes_Resize"(PyObject **, Py_ssize_t) except -1
    PyObject *new_tuple "PyTuple_New"(Py_ssize_t) except NULL
    PyObject *item_at "PyTuple_GET_ITEM"(PyObject *, Py_ssize_t) noexcept nogil
    void set_item "PyTuple_SET_ITEM"(
        PyObject *, Py_ssize_t, PyObject *
    ) noexcept nogil
    int resize_tuple "_PyTuple_Resize"(PyObject **, Py_ssize_t) except -1


cdef enum:
    EXPECTED = 128          # bytes that a row is expected to take

ROW_PATHS = ("portable", "avx512")[: rows_path() + 1]


cdef int path_named(path) except -1:
    """Return a path of ROWS by its name; None is the quickest."""
    if path is None:
        return rows_path()
    if path not in ROW_PATHS:
        raise InputError("slabinfo", f"path is {path!r}", " or ".join(ROW_PATHS))
    return ROW_PATHS.index(path)


cdef const char *text_of(object name, list held, Py_ssize_t *length) except NULL:
    """Return a name's bytes, which stay while the name and held[0] do."""
    cdef const char *text
    if PyUnicode_Check(name) and is_ascii(<PyObject *>name):
        length[0] = ascii_length(<PyObject *>name)
        text = ascii_at(<PyObject *>name)
    else:
        if PyUnicode_Check(name):
            # str's own, not a subclass's: asked twice it must say the same.
            name = held[0] = str.encode(name, errors="surrogateescape")
        if not PyBytes_Check(name):
            raise TypeError(f"a name is str or bytes, not {type(name).__name__}")
        length[0] = bytes_length(<PyObject *>name)
        text = bytes_at(<PyObject *>name)
    if memchr(text, c"\n", length[0]) != NULL:
        raise InputError("row", f"the name is {text[:length[0]]!r}", "one line")
    return text


cdef int numbers_checked(Py_ssize_t row, const uint64_t *numbers) except -1:
    """Refuse what the kernel's types do not hold."""
    cdef int j
    cdef uint64_t most
    if (
        numbers[2] | numbers[3] | numbers[5] | numbers[6] | numbers[7]
    ) >> 32 == 0 and numbers[4] >> 31 == 0:
        return 0
    for j in range(2, 8):
        most = 0x7FFFFFFF if j == 4 else 0xFFFFFFFF     # pagesperslab is an int
        if numbers[j] > most:
            what = f"column {j} is {numbers[j]}"
            raise InputError(f"row {row}", what, f"0 to {most}")
    return 0


cdef int shapes_checked(
    Py_ssize_t rows, const uint64_t[:, ::1] table, const uint64_t[:, ::1] stats
) except -1:
    if table.shape[0] != rows or table.shape[1] != NUMBERS:
        raise ValueError(f"the table is not {rows} rows of {NUMBERS} columns")
    if stats is not None and (stats.shape[0] != rows or stats.shape[1] != STATISTICS):
        raise ValueError(f"the statistics are not {rows} rows of {STATISTICS} columns")
    return 0


def format_slabinfo(
    names,
    const uint64_t[:, ::1] table,
    const uint64_t[:, ::1] stats=None,
    const uint64_t[:, ::1] children=None,
    const int64_t[::1] families=None,
    *,
    header: bool = True,
    statistics: bool = False,
    path: str | None = None,
) -> bytes:
    """Return rows of /proc/slabinfo, after a header if one is wanted.

    names: str or bytes, one a row. table: the eleven columns in the order of the text.
    stats: thirteen more of a kernel with statistics, those of a row that has none are
    0. children: rows of active_objs, num_objs, active_slabs, num_slabs, sharedavail,
    and families says how many of them are added to each row. path: one of ROW_PATHS,
    which print the same; None is the quickest.
    """
    cdef tuple listed = tuple(names)
    cdef list held = [None]
    cdef Py_ssize_t rows = len(listed), i, j, child = 0, length
    cdef size_t room = HEADER_ROOM + ROW_ROOM + <size_t>rows * EXPECTED, used = 0
    cdef int how = path_named(path)
    cdef slabinfo s, c
    cdef const slabinfo *shown
    cdef slab_stats n
    cdef const slab_stats *extra = NULL
    cdef const char *name
    cdef PyObject *out
    shapes_checked(rows, table, stats)
    if (children is None) != (families is None):
        raise ValueError("children come with the number of each row's")
    if families is not None:
        if families.shape[0] != rows or children.shape[1] != 5:
            raise ValueError(f"{rows} families are rows of 5 columns")
        for i in range(rows):
            if not 0 <= families[i] <= children.shape[0] - child:
                raise ValueError("the families are not as many rows as the children")
            child += families[i]
        if child != children.shape[0]:
            raise ValueError(f"{children.shape[0]} children, {child} in families")
        child = 0
    if statistics or stats is not None:
        memset(&n, 0, sizeof(slab_stats))
        extra = &n
    out = new_bytes(NULL, room)
    try:
        if header:
            used = slabinfo_header(bytes_at(out), extra != NULL)
        for i in range(rows):
            if i + 8 < rows:
                prefetch(item_at(<PyObject *>listed, i + 8))
                prefetch(&table[i + 8, 0])
                prefetch(&table[i + 8, 8])
            name = text_of(listed[i], held, &length)
            numbers_checked(i, &table[i, 0])
            if room - used < ROW_ROOM + <size_t>length:
                room += room // 4 + ROW_ROOM + length
                resize_bytes(&out, room)
            if stats is not None:
                memcpy(&n, &stats[i, 0], sizeof(slab_stats))
            shown = <const slabinfo *>&table[i, 0]
            if families is not None:
                s = shown[0]
                shown = &s
                for j in range(child, child + families[i]):
                    c.active_objs, c.num_objs = children[j, 0], children[j, 1]
                    c.active_slabs, c.num_slabs = children[j, 2], children[j, 3]
                    c.shared_avail = children[j, 4]
                    slabinfo_add(&s, &c)
                child += families[i]
            used += slabinfo_row(
                bytes_at(out) + used, name, length, shown, extra, how
            )
        resize_bytes(&out, used)
        return <object>out
    finally:
        Py_XDECREF(out)


def count_lines(const unsigned char[::1] text, Py_ssize_t begin) -> int:
    """Return how many lines begin at a place or behind it."""
    cdef Py_ssize_t lines = 0
    cdef const char *at
    cdef const char *end
    if not 0 <= begin < text.shape[0]:
        return 0
    at = <const char *>&text[0] + begin
    end = <const char *>&text[0] + text.shape[0]
    while at != NULL and at < end:
        prefetch(at + 1024)
        prefetch(at + 1088)
        at = <const char *>memchr(at, c"\n", end - at)
        lines += 1
        if at != NULL:
            at += 1
    return lines


def scan_slabinfo(
    const unsigned char[::1] text,
    Py_ssize_t begin,
    uint64_t[:, ::1] table,
    uint64_t[:, ::1] stats=None,
) -> tuple:
    """Read rows of /proc/slabinfo; return their names and where the last one ends.

    That is before the first line that is no row, or not before the end of the text.
    text: with what is above the rows, which is not read. begin: of the first row.
    table, stats: as many rows as are read at most.
    """
    cdef Py_ssize_t rows = table.shape[0], row = 0
    cdef const char *first
    cdef const char *at
    cdef const char *end
    cdef const char *line
    cdef size_t length
    cdef PyObject *names
    shapes_checked(rows, table, stats)
    if not 8 <= begin <= text.shape[0]:
        raise ValueError("there is no header above the rows")
    first = <const char *>&text[0]
    at = first + begin
    end = first + text.shape[0]
    names = new_tuple(rows)
    try:
        while row < rows and at < end:
            prefetch(at + 1024)
            prefetch(at + 1088)
            line = <const char *>memchr(at, c"\n", end - at)
            if line == NULL:
                line = end
            if not scan_row(
                at, line, &table[row, 0], NULL if stats is None else &stats[row, 0],
                &length,
            ):
                break
            set_item(names, row, new_name(at, length, b"surrogateescape"))
            at = line + 1
            row += 1
        resize_tuple(&names, row)
        return <tuple>names, at - first
    finally:
        Py_XDECREF(names)


@cython.final
cdef class SlabInfoText:
    """SlabInfoText(names, table, stats=None, *, header=True, keep=True, \
path=None, huge_pages=True)\n--\n
    The text of rows of /proc/slabinfo, read in chunks of whole rows, again and again.

    names, table, stats: as SlabInfo has them; they are copied. A row is read with the
    numbers that it has then, of the last update().
    keep: keep the text of rows that have been read. What has not changed since is only
    copied, for about as much memory again as the text takes. Without it each row is
    printed when it is read.
    path: one of ROW_PATHS, which print the same; None is the quickest of this machine.
    huge_pages: ask for them where there is much.

    >>> from slabcore.slabinfo import SlabInfoText, parse
    >>> import numpy as np
    >>> text = SlabInfoText(["dentry", "filp"], np.zeros((2, 11), np.uint64))
    >>> len(text.read(4096)), text.read(4096)
    (418, b'')
    >>> text.update([1], np.full((1, 11), 7, np.uint64))
    >>> text.rewind()
    >>> parse(text.read(4096))["num_objs"].tolist()
    [0, 7]
    """

    cdef cache_text t

    def __cinit__(
        self, names, table, stats=None, *, header=True, keep=True, path=None,
        huge_pages=True,
    ):
        cdef const uint64_t[:, ::1] rows = table
        cdef const uint64_t[:, ::1] extra = stats
        cdef tuple listed = tuple(names)
        cdef list held = [None]
        cdef Py_ssize_t count = len(listed), i, length
        cdef size_t room = NAMES_ROOM, at = 0
        cdef const char *name
        cdef cache_text *t = &self.t
        shapes_checked(count, rows, extra)
        for i in range(count):
            numbers_checked(i, &rows[i, 0])
            text_of(listed[i], held, &length)
            room += max(length, <Py_ssize_t>NAME_WIDTH)
        if room > 0xFFFFFFFF:
            raise MemoryError("the names of one text have at most 4 GiB")
        t.path = path_named(path)
        t.header = header
        t.keeps = keep
        t.ends = <uint32_t *>arena_resize(NULL, (count + 1) * sizeof(uint32_t))
        t.names = <char *>arena_resize(NULL, room)
        arena_init(&t.numbers, sizeof(slabinfo))
        t.numbers.huge_pages = huge_pages
        arena_reserve(&t.numbers, count)
        t.rows = <slabinfo *>t.numbers.entries
        if count:
            memcpy(t.rows, &rows[0, 0], count * sizeof(slabinfo))
        if stats is not None:
            t.stats = <slab_stats *>arena_resize(NULL, count * sizeof(slab_stats))
            if count:
                memcpy(t.stats, &extra[0, 0], count * sizeof(slab_stats))
        t.ends[0] = 0
        for i in range(count):
            name = text_of(listed[i], held, &length)
            put_name(t.names + at, name, length)
            at += max(length, <Py_ssize_t>NAME_WIDTH)
            t.ends[i + 1] = <uint32_t>at
        memset(t.names + at, c" ", NAMES_ROOM)
        t.count = <uint32_t>count
        text_open(t)

    def __dealloc__(self):
        text_free(&self.t)

    def __len__(self):
        return self.t.count

    @cython.binding(False)
    def readinto(self, buffer):
        """Fill a buffer with whole rows; return how many bytes came, 0 at the end.

        A row that is longer than the buffer comes in pieces.
        """
        cdef Py_buffer into
        cdef Py_ssize_t length
        PyObject_GetBuffer(buffer, &into, PyBUF_WRITABLE)
        try:
            length = text_read(&self.t, <char *>into.buf, into.len)
        finally:
            PyBuffer_Release(&into)
        return length

    def read(self, Py_ssize_t size=4096):
        """Return whole rows, at most *size* bytes; nothing at the end.

        size: -1 is all that is left, in one piece.
        """
        cdef PyObject *out
        cdef size_t used = 0, room = size
        cdef Py_ssize_t length = 1
        if size < 0:
            room = text_left(&self.t)
        out = new_bytes(NULL, room)
        try:
            while length and (size < 0 or not used):
                if size < 0 and used == room:
                    room += room // 4 + HEADER_ROOM
                    resize_bytes(&out, room)
                length = text_read(&self.t, bytes_at(out) + used, room - used)
                used += length
            resize_bytes(&out, used)
            return <object>out
        finally:
            Py_XDECREF(out)

    def rewind(self):
        """Begin again with the header."""
        text_rewind(&self.t)

    def update(self, rows, table, stats=None):
        """Set the numbers of some rows, which are told by their places in the text.

        All that is given is looked at first: an error changes nothing.
        """
        import numpy
        cdef const int64_t[::1] at = numpy.ascontiguousarray(rows, numpy.int64)
        cdef const uint64_t[:, ::1] numbers = table
        cdef const uint64_t[:, ::1] extra = stats
        cdef Py_ssize_t i
        if (stats is None) != (self.t.stats == NULL):
            raise ValueError("statistics are of a text that has them")
        shapes_checked(at.shape[0], numbers, extra)
        for i in range(at.shape[0]):
            if not 0 <= at[i] < self.t.count:
                what = f"row {at[i]} of {self.t.count}"
                raise InputError("SlabInfoText", what, "a row that there is")
            numbers_checked(i, &numbers[i, 0])
        for i in range(at.shape[0]):
            memcpy(&self.t.rows[at[i]], &numbers[i, 0], sizeof(slabinfo))
            if stats is not None:
                memcpy(&self.t.stats[at[i]], &extra[i, 0], sizeof(slab_stats))
            text_changed(&self.t, <uint32_t>at[i])


@cython.final
cdef class World:
    """A machine with a kernel of one design, in virtual time.

    See slabcore.kernel.Kernel for what the methods mean; slabcore.reference.World is
    the specification.
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

    cdef long long call(
        self, int function, unsigned int a, unsigned int b, unsigned int c,
        unsigned int d, long long n,
    ) except -1:
        """Run a function as the world's own user task; return its result."""
        cdef frame f
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
            raise ValueError(f"no slabs: order {order}, {per_slab} objects, {slabs}")
        if per_slab * r.size > w.c.page_size << <int>order:
            raise ValueError(f"{per_slab} objects of {r.size} bytes are not in a slab")
        if not 0 <= objects <= min(slabs * per_slab, (1 << 31) - 1):
            raise ValueError(f"{objects} objects are not in {slabs} of {per_slab}")
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
            raise ValueError(f"arrays of {[*map(len, arrays)]} entries")
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
            raise BusyError("the root cgroup is busy; rmdir needs another (EBUSY)")
        if not self.call(
            F_RMDIR, index, memcg_at(&self.e.w.m, index).generation, NIL, NIL, 0
        ):
            raise self._in_use()

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
            stopped = self._too_few()
        elif stopped is None and b.done < b.calls:
            stopped = refusal(alone, (numbers[b.done], handles[b.done], 1))
        return b.done, stopped

    def free(self, number: int, handle: int, count: int) -> None:
        """Free objects, those of the cgroup's own cache first."""
        self.enter()
        cdef uint32_t root = self._root(number)
        heir = "; its objects are its parent's" if self.e.w.k.inherits else ""
        cdef uint32_t memcg = self._memcg(handle, heir)
        if not self.call(
            F_FREE_OBJECTS, root, memcg, 0,
            memcg_at(&self.e.w.m, memcg).generation, count,
        ):
            raise self._too_few()

    def _too_few(self):
        return LifecycleError("fewer objects are allocated than free was asked for")

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
            raise ValueError(f"there is no file of kind {kind}")
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
        self.enter()
        file_lseek(self.opened(number), offset, whence)
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
        self.enter()
        rows = [tuple(row) for row in steps]
        for row in rows:
            known = len(row) == 5 and (
                OP_MKDIR <= row[0] <= OP_DESTROY_CACHE
                or OP_KEEP <= row[0] <= OP_TAKE
                or row[0] == OP_MARK
                or (row[0] == OP_HOTPLUG and row[1] <= MEMORY_OFFLINE)
            )
            if not known:
                raise ValueError(f"{row} is no step; expected (op, a, b, c, d)")
            if min(row[1:]) < 0 or max(row[1:]) >= FOREVER:
                raise ValueError(f"{row} has a figure that is not 0 to 2**62")
            if row[0] == OP_FORK and row[1] >= w.programs.used:
                raise ValueError(f"{row} forks no earlier program")
            if row[0] in (OP_ALLOC, OP_PIN) and max(row[1:4]) >= 1 << 31:
                raise ValueError(f"{row} has a figure of 2**31 or more")
            if row[0] in (OP_HOLD, OP_FREE, OP_DESTROY_CACHE) and (
                max(row[1:3]) >= 1 << 31
            ):
                raise ValueError(f"{row} has a figure of 2**31 or more")
            if row[0] == OP_CREATE_CACHE and not (
                1 <= row[1] <= 1 << 22 and row[2] < 32
            ):
                raise ValueError(f"{row} has no size or flags of a cache")
            if row[0] == OP_SETTLE and not row[2]:
                raise ValueError(f"{row} looks at no interval; expected c over 0")
            if row[0] == OP_SLABINFO and not (1 <= row[1] < 1 << 31 and row[3] < 2):
                raise ValueError(f"{row} reads no bytes, or by neither reader")
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
    ) -> None:
        """Start a task that runs a program *repeat* times from *at_ns* on.

        until_ns: no repetition starts later; 0 is for ever. background: the world is
        at rest, and its programs have ended, though this one has not.
        """
        cdef world *w = &self.e.w
        cdef task *t
        cdef frame *f
        cdef uint64_t until = until_ns
        self.enter()
        if not 0 <= number < w.programs.used:
            raise ValueError(f"there is no program {number}")
        task_new(w, 0, False, &t)
        f = task_push(t, F_PROGRAM)
        f.a = number
        f.n = repeat
        f.v = at_ns
        f.c = <uint32_t>(until & 0xFFFFFFFF)
        f.d = <uint32_t>(until >> 32)
        t.background = background
        w.n.threads += 1
        w.n.user_tasks += not background
        sched_wake(&w.s, t)
        self.running = True
        try:
            with nogil:
                settle(&self.e)
        finally:
            self.running = False

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

    def validate(self) -> None:
        """Check the invariants of lists, slots, ids, references and counts.

        Raises: CorruptionError.
        """
        cdef breach b
        self.enter()
        if world_broken(&self.e.w, &b):
            raise CorruptionError(b.what.decode().format(where=b.where, which=b.which))


# --- timers ---


@cython.final
cdef class Timers:
    """A world's queue of timers alone: by time, then by number."""

    cdef clock_queue queue

    def __cinit__(self):
        clock_init(&self.queue)

    def __dealloc__(self):
        clock_free(&self.queue)

    def __len__(self) -> int:
        return self.queue.used

    @property
    def next(self) -> int | None:
        """Return when the earliest is due."""
        return clock_next(&self.queue) if self.queue.used else None

    def push(self, int64_t when, int64_t number, uint32_t item) -> None:
        """Set a timer for *item*. No two of one time may have one number."""
        if not 0 <= when < FOREVER:
            raise ValueError(f"when={when}; expected 0 to {FOREVER - 1}")
        clock_push(&self.queue, when, number, item)

    def pop(self) -> int:
        """Take out the earliest timer; return its item. Raises: LifecycleError."""
        if not self.queue.used:
            raise LifecycleError("there is no timer")
        return clock_pop(&self.queue)


# --- recorded traces ------------------------------------------------------------------


@cython.final
cdef class TraceScanner:
    """Tell the events in the text of a recording; see slabcore.traces."""

    cdef event_names events
    cdef bint scanning

    cdef int alone(self) except -1:
        if self.scanning:
            raise LifecycleError("the scanner is scanning; each thread needs its own")
        return 0

    @property
    def names(self) -> list:
        """Return the names of the events seen, by number."""
        cdef int32_t i
        self.alone()
        return [
            self.events.names[i].text[:self.events.names[i].length].decode()
            for i in range(self.events.used)
        ]

    def scan(self, const unsigned char[::1] text, unsigned char[::1] lines) -> int:
        """Read whole lines into *lines*, the bytes of an array of LINES.

        Returns: how many there are. A last line without its end is left alone.
        Raises: LifecycleError while another thread scans.
        """
        cdef size_t room = lines.shape[0] // sizeof(trace_line), used = 0
        cdef const char *begin
        cdef const char *p
        cdef const char *end
        cdef const char *stop
        cdef trace_line *line
        self.alone()
        if not text.shape[0] or not room:
            return 0
        if <size_t>&lines[0] % sizeof(int64_t):
            raise ValueError("lines begin where no int64 does; expected LINES aligned")
        line = <trace_line *>&lines[0]
        begin = p = <const char *>&text[0]
        stop = p + text.shape[0]
        self.scanning = True
        with nogil:
            while used < room:
                end = <const char *>memchr(p, 10, stop - p) if p < stop else NULL
                if end == NULL:
                    break
                line.start = p - begin
                line.event = -1
                line.end = end - begin
                while line.end > line.start and begin[line.end - 1] == 13:
                    line.end -= 1
                if line.end - line.start < LONG_LINE and scan_line(
                    p, <uint32_t>(line.end - line.start), line
                ):
                    line.event = name_number(
                        &self.events, p + line.name, line.name_length
                    )
                used += 1
                line += 1
                p = end + 1
        self.scanning = False
        return used


@cython.final
cdef class TracedLife:
    """A cgroup's life while a recording is read."""

    cdef readonly Py_ssize_t generation
    cdef public str path
    cdef public object mkdir
    cdef public object rmdir
    cdef public object release
    cdef readonly list attaches     # when, pid, allocations

    def __init__(self, Py_ssize_t generation, str path):
        self.generation = generation
        self.path = path
        self.attaches = []


cdef class TraceFold:
    """Lives of cgroups, folded from the lines that a scanner has told apart.

    What is held is plain and open: slabcore.traces folds the lines that are left to it.
    """

    cdef readonly dict lives            # (root, id) -> its lives
    cdef readonly list order            # root, id, life
    cdef readonly dict tasks            # root -> pid -> life, allocations
    cdef readonly dict cgroup_events    # by root
    cdef readonly dict sizes            # of caches
    cdef readonly dict allocations      # of caches
    cdef public object unattributed
    cdef event_names caches
    cdef list cache_names               # by number of caches
    cdef list paid                      # for allocations of the task below
    cdef int64_t pid
    cdef int64_t tgid
    cdef int64_t root               # of the last event of a cgroup
    cdef int64_t root_events        # that cgroup_events has not yet

    def __cinit__(self, *args, **keywords):
        self.lives, self.order, self.tasks = {}, [], {}
        self.cgroup_events, self.sizes, self.allocations = {}, {}, {}
        self.unattributed = 0
        self.cache_names = []
        self.paid = None

    def fold(
        self, const unsigned char[::1] text, const unsigned char[::1] lines,
        const unsigned char[::1] kinds, int64_t[::1] counts, int64_t[::1] seen,
        Py_ssize_t at,
    ) -> int:
        """Fold the lines of a scan of *text*, from line *at* on.

        kinds: what the names of events stand for, by number. counts: of these events,
        grows; seen: the first time, the last and the highest CPU, grow.
        Returns: the first line that is left to the caller; their number if none is.
        """
        cdef Py_ssize_t used = lines.shape[0] // sizeof(trace_line), names
        cdef const trace_line *line
        cdef const char *body
        cdef uint32_t n, kind
        names = min(kinds.shape[0], counts.shape[0])
        if not used or not text.shape[0]:
            return used
        if <size_t>&lines[0] % sizeof(int64_t) or seen.shape[0] < 3:
            raise ValueError("lines and seen are not as TraceScanner.scan() needs them")
        self.paid = None
        while at < used:
            line = <const trace_line *>&lines[0] + at
            if line.event < 0 or line.event >= names:
                break
            if not 0 <= line.start + line.body <= line.end <= text.shape[0]:
                raise ValueError("the lines are not of this text")
            body = <const char *>&text[0] + line.start + line.body
            n = <uint32_t>(line.end - line.start - line.body)
            kind = kinds[line.event]
            if kind == CACHE_ALLOC:
                if is_accounted(body, n) and not self.alloc_of(line, body, n):
                    break
            elif kind != OTHER_EVENT and not self.cgroup_of(line, kind, body, n):
                break
            counts[line.event] += 1
            seen[0] = min(seen[0], line.at_ns)
            seen[1] = max(seen[1], line.at_ns)
            seen[2] = max(seen[2], line.cpu)
            at += 1
        self.note_events()
        return at

    cdef int cgroup_of(
        self, const trace_line *line, uint32_t kind, const char *body, uint32_t n
    ) except -1:
        """Fold an event of a cgroup; return False if its wording is another."""
        cdef cgroup_said said
        cdef TracedLife life
        cdef list lives
        if kind == CGROUP_ATTACH:
            if not scan_attach(body, n, &said):
                return False
        elif not scan_cgroup(body, n, &said):
            return False
        self.paid = None
        root, at_ns = said.root, line.at_ns
        if said.root != self.root:
            self.note_events()
            self.root = said.root
        self.root_events += 1
        key = (root, said.id)
        lives = self.lives.get(key)
        life = <TracedLife>lives[len(lives) - 1] if lives is not None else None
        if kind == CGROUP_RENAME:
            if life is not None:
                life.path = self.path_of(body, &said)
            return True
        if kind == CGROUP_ATTACH:
            tasks = self.tasks.get(root)
            if tasks is None:
                tasks = self.tasks[root] = {}
            if said.level == 0:
                # In the root memcg nobody pays.
                (<dict>tasks).pop(said.pid, None)
                return True
        if kind == CGROUP_RELEASE:
            if life is not None and life.release is not None:
                life = None
        elif life is not None and (
            kind == CGROUP_MKDIR or life.rmdir is not None or life.release is not None
        ):
            life = None
        if life is None:
            if lives is None:
                lives = self.lives[key] = []
            life = TracedLife.__new__(TracedLife)
            life.generation = len(lives)
            life.path = self.path_of(body, &said)
            life.attaches = []
            lives.append(life)
            self.order.append((root, key[1], life))
        if kind == CGROUP_MKDIR:
            life.mkdir = at_ns
        elif kind == CGROUP_RELEASE:
            life.release = at_ns
        elif kind == CGROUP_RMDIR:
            life.rmdir = at_ns
            self.forget(root, life)
        else:
            pid, allocations = said.pid, {}
            life.attaches.append((at_ns, pid, allocations))
            (<dict>tasks)[pid] = (life, allocations)
        return True

    cdef int note_events(self) except -1:
        """Count the events of the last hierarchy that was told of."""
        if self.root_events:
            root = self.root
            before = self.cgroup_events.get(root, 0)
            self.cgroup_events[root] = before + self.root_events
            self.root_events = 0
        return 0

    cdef int forget(self, root, TracedLife life) except -1:
        """Forget the tasks of a cgroup that is empty: their pids may come back."""
        tasks = self.tasks.get(root)
        if tasks is None:
            return 0
        for attach in life.attaches:
            held = (<dict>tasks).get((<tuple>attach)[1])
            if held is not None and (<tuple>held)[0] is life:
                del (<dict>tasks)[(<tuple>attach)[1]]
        return 0

    cdef str path_of(self, const char *body, const cgroup_said *said):
        return PyUnicode_DecodeUTF8(body + said.path, said.path_length, "replace")

    cdef int alloc_of(
        self, const trace_line *line, const char *body, uint32_t n
    ) except -1:
        """Fold an accounted allocation; return False if its wording is another."""
        cdef alloc_said said
        cdef int32_t number
        if not scan_alloc(body, n, &said):
            return False
        number = name_number(&self.caches, body + said.cache, said.cache_length)
        if number < 0:
            return False
        if number == len(self.cache_names):
            self.cache_names.append(
                PyUnicode_DecodeUTF8(body + said.cache, said.cache_length, "replace")
            )
        cache = self.cache_names[number]
        if cache not in self.sizes:
            self.sizes[cache] = said.size
        self.allocations[cache] = self.allocations.get(cache, 0) + 1
        if self.paid is None or self.pid != line.pid or self.tgid != line.tgid:
            self.pay(line.pid, line.tgid)
        if not self.paid:
            self.unattributed += 1
        for counts in self.paid:
            (<dict>counts)[cache] = (<dict>counts).get(cache, 0) + 1
        return True

    cdef int pay(self, int64_t pid, int64_t tgid) except -1:
        """Find where a task's allocations are counted, in each hierarchy.

        Moving a process is told of its leader only: cgroup_attach_task(), since 4.9.
        """
        self.pid, self.tgid, self.paid = pid, tgid, []
        for tasks in self.tasks.values():
            held = (<dict>tasks).get(pid)
            if held is None and tgid >= 0:
                held = (<dict>tasks).get(tgid)
            if held is not None:
                self.paid.append((<tuple>held)[1])
        return 0


# --- a list ---


@cython.final
cdef class IntrusiveList:
    """IntrusiveList(values=None, *, huge_pages=True)\n--\n
    A doubly linked list of int64 values, whose entries are named by handles.

    A handle is an int, good for one entry until that is removed; what is given a
    handle of another, or of none, raises StaleHandleError. Every method takes the
    same time whatever the length, but clear, extend, to_array, handles and validate.
    Large lists ask the system for huge pages unless *huge_pages* is False.

    >>> from slabcore import IntrusiveList
    >>> caches = IntrusiveList([192, 1024])
    >>> inode_cache = caches.add(600)
    >>> caches.to_array().tolist()
    [600, 192, 1024]
    >>> caches.remove(inode_cache)
    >>> inode_cache in caches, len(caches)
    (False, 2)
    """

    def __cinit__(self, *args, **keywords):
        side_init(&self.entries)

    def __init__(self, values=None, *, huge_pages: bool = True):
        side_ask_for_huge_pages(&self.entries, huge_pages)
        if values is not None:
            self.extend(values)

    def __dealloc__(self):
        side_free(&self.entries)

    cdef int stale(self, int64_t handle) except -1:
        raise StaleHandleError(f"handle {handle}: no entry of the list")

    cdef int64_t entry(self, int64_t handle) except -1:
        """Return the index of the entry that a handle names."""
        if not side_names(&self.entries, handle):
            self.stale(handle)
        return <uint32_t>handle

    # --- adding ---

    @cython.binding(False)
    def add(self, Py_ssize_t value=0):
        """Put an entry first; return its handle."""
        cdef uint32_t index
        side_reserve(&self.entries, 1)
        index = side_take(&self.entries, value)
        side_put(&self.entries, index)
        return side_handle(&self.entries, index)

    @cython.binding(False)
    def add_tail(self, Py_ssize_t value=0):
        """Put an entry last; return its handle."""
        cdef uint32_t index
        side_reserve(&self.entries, 1)
        index = side_take(&self.entries, value)
        side_put_tail(&self.entries, index)
        return side_handle(&self.entries, index)

    @cython.binding(False)
    def insert_before(self, Py_ssize_t handle, Py_ssize_t value=0):
        """Put an entry before another; return its handle."""
        cdef uint32_t following = <uint32_t>self.entry(handle), index
        side_reserve(&self.entries, 1)
        index = side_take(&self.entries, value)
        side_put_before(&self.entries, index, following)
        return side_handle(&self.entries, index)

    @cython.binding(False)
    def insert_after(self, Py_ssize_t handle, Py_ssize_t value=0):
        """Put an entry behind another; return its handle."""
        cdef uint32_t following = self.entries.links[self.entry(handle)].next, index
        if following == NIL:
            return self.add_tail(value)
        side_reserve(&self.entries, 1)
        index = side_take(&self.entries, value)
        side_put_before(&self.entries, index, following)
        return side_handle(&self.entries, index)

    def extend(self, values):
        """Put an entry last for each value; return their handles as an array."""
        # Imported when called: a list that is made empty needs no arrays.
        import numpy
        cdef Py_buffer given, made
        cdef size_t count
        whole_numbers(values, "values", &given)
        try:
            count = given.len // sizeof(int64_t)
            handles = numpy.empty(count, dtype=numpy.int64)
            side_reserve(&self.entries, count)
            PyObject_GetBuffer(handles, &made, PyBUF_WRITABLE)
            side_extend(
                &self.entries,
                <const int64_t *>given.buf,
                <int64_t *>made.buf,
                <uint32_t>count,
            )
            PyBuffer_Release(&made)
        finally:
            PyBuffer_Release(&given)
        return handles

    # --- removing and moving ---

    @cython.binding(False)
    def remove(self, Py_ssize_t handle, /):
        """Take an entry out."""
        if not side_remove(&self.entries, handle):
            self.stale(handle)

    @cython.binding(False)
    def remove_many(self, handles, /):
        """Take entries out, as remove() would one by one.

        At a handle that is of no entry it ends with StaleHandleError: those before it
        have been taken out.
        """
        cdef Py_buffer given
        cdef size_t done
        whole_numbers(handles, "handles", &given)
        done = side_remove_many(
            &self.entries, <const int64_t *>given.buf, given.len // sizeof(int64_t)
        )
        self.many_done(&given, done)

    def clear(self):
        """Take all entries out."""
        side_clear(&self.entries)

    @cython.binding(False)
    def move(self, Py_ssize_t handle, /):
        """Make an entry the first."""
        if not side_move(&self.entries, handle, True):
            self.stale(handle)

    @cython.binding(False)
    def move_tail(self, Py_ssize_t handle, /):
        """Make an entry the last."""
        if not side_move(&self.entries, handle, False):
            self.stale(handle)

    @cython.binding(False)
    def move_many(self, handles, /):
        """Make entries the first, as move() would one by one: the last one comes first.

        It ends as remove_many() does at a handle that is of no entry.
        """
        self.move_all(handles, True)

    @cython.binding(False)
    def move_tail_many(self, handles, /):
        """Make entries the last, as move_tail() would one by one.

        It ends as remove_many() does at a handle that is of no entry.
        """
        self.move_all(handles, False)

    cdef int move_all(self, handles, bint first) except -1:
        cdef Py_buffer given
        cdef size_t done
        whole_numbers(handles, "handles", &given)
        done = side_move_many(
            &self.entries,
            <const int64_t *>given.buf,
            given.len // sizeof(int64_t),
            first,
        )
        return self.many_done(&given, done)

    cdef int many_done(self, Py_buffer *given, size_t done) except -1:
        """Give the handles back; one that was not done is of no entry."""
        cdef int64_t handle = 0
        cdef bint all = done == <size_t>given.len // sizeof(int64_t)
        if not all:
            handle = (<const int64_t *>given.buf)[done]
        PyBuffer_Release(given)
        return 0 if all else self.stale(handle)

    # --- looking ---

    def __len__(self):
        return side_length(&self.entries)

    def __contains__(self, handle):
        cdef Py_ssize_t number
        try:
            number = handle
            return side_names(&self.entries, number)
        except (OverflowError, TypeError):
            return False

    def __iter__(self):
        """Yield the handle of each entry, whatever is done to the list meanwhile.

        Entries there from the first to the last come exactly once. A move takes an
        entry out and puts it in, so that it may come twice, or not at all.
        """
        cdef list_cursor here
        side_settle(&self.entries)
        list_cursor_open(&self.entries.head, &here, self.entries.head.first)
        try:
            while here.entry != NIL:
                here.moved = False
                yield side_handle(&self.entries, here.entry)
                if not here.moved:
                    here.entry = self.entries.links[here.entry].next
        finally:
            list_cursor_close(&self.entries.head, &here)

    @property
    def first(self):
        """The handle of the first entry, None if there is none."""
        side_settle(&self.entries)
        return handle_or_none(&self.entries, self.entries.head.first)

    @property
    def last(self):
        """The handle of the last entry, None if there is none."""
        side_settle(&self.entries)
        return handle_or_none(&self.entries, self.entries.head.last)

    @cython.binding(False)
    def next(self, Py_ssize_t handle, /):
        """Return the handle of the entry behind another, None behind the last."""
        cdef uint32_t index = <uint32_t>self.entry(handle)
        side_settle(&self.entries)
        return handle_or_none(&self.entries, self.entries.links[index].next)

    @cython.binding(False)
    def prev(self, Py_ssize_t handle, /):
        """Return the handle of the entry before another, None before the first."""
        cdef uint32_t index = <uint32_t>self.entry(handle)
        side_settle(&self.entries)
        return handle_or_none(&self.entries, self.entries.links[index].prev)

    @cython.binding(False)
    def value(self, Py_ssize_t handle, /):
        """Return an entry's value."""
        return self.entries.values[self.entry(handle)]

    def to_array(self, out=None):
        """Return the values in the list's order, as an array of int64.

        out: an array of int64, as long as the list, to write them to and return.
        """
        return self.told(out, values=True)

    def handles(self, out=None):
        """Return the handles in the list's order, as an array of int64; *out* as there.
        """
        return self.told(out, values=False)

    cdef object told(self, out, bint values):
        cdef size_t length
        cdef Py_buffer made
        if out is None:
            import numpy
            out = numpy.empty(side_length(&self.entries), dtype=numpy.int64)
        if not lent(out, PyBUF_WRITABLE, &made):
            what = f"out is {type(out)}"
            raise InputError("IntrusiveList", what, "a writable array of int64")
        # Asked for only now: what lends a buffer may have changed the list.
        length = side_length(&self.entries)
        try:
            if <size_t>made.len != length * sizeof(int64_t):
                raise InputError(
                    "IntrusiveList",
                    f"out has room for {made.len // sizeof(int64_t)} entries",
                    f"{length}, the length",
                )
            side_tell(&self.entries, <int64_t *>made.buf, values)
        finally:
            PyBuffer_Release(&made)
        return out

    def validate(self):
        """Check that links, length and nodes in use agree.

        Raises: ListCorruptionError.
        """
        cdef uint32_t used
        if side_broken(&self.entries):
            raise ListCorruptionError("links and length of the list disagree")
        used = side_live(&self.entries)
        if used != self.entries.head.length:
            raise ListCorruptionError(
                f"{used} nodes are in use; expected {self.entries.head.length}, "
                "the length"
            )


cdef bint lent(numbers, int how, Py_buffer *given) except -1:
    """Look into what has 64-bit numbers side by side, as the machine has them."""
    if not PyObject_CheckBuffer(numbers):
        return False
    try:
        PyObject_GetBuffer(numbers, given, PyBUF_FORMAT | PyBUF_ND | how)
    except (BufferError, ValueError):
        return False
    if (
        given.itemsize == sizeof(int64_t)
        and given.format[0] in b"lq"
        and not given.format[1]
        and <size_t>given.buf % sizeof(int64_t) == 0
    ):
        return True
    PyBuffer_Release(given)
    return False


cdef int whole_numbers(numbers, str what, Py_buffer *given) except -1:
    """Look into an array of int64, or into what an array or a list is as one."""
    if lent(numbers, 0, given):
        return 0
    import numpy
    taken = numpy.asarray(numbers)
    whole = not taken.size or taken.dtype.kind in "biu"
    if whole and taken.size and taken.dtype == numpy.uint64:
        whole = taken.max() < 1 << 63
    if not whole or not taken.ndim:
        raise InputError(
            "IntrusiveList", f"the {what} are not whole numbers of 64 bits",
            "a list or an array of them",
        )
    numbers = numpy.require(taken, numpy.int64, "CA")
    PyObject_GetBuffer(numbers, given, PyBUF_SIMPLE)
    return 0


cdef object handle_or_none(side_list *l, uint32_t index):
    return None if index == NIL else side_handle(l, index)


# --- the lists of caches ---


cdef object int64_array(where, what, values):
    """Return whole numbers as a contiguous array of int64."""
    import numpy
    taken = numpy.asarray(values)
    whole = not taken.size or taken.dtype.kind in "iu"
    if whole and taken.size and taken.dtype == numpy.uint64:
        whole = taken.max() < 1 << 63
    if not whole or taken.ndim != 1:
        raise InputError(where, f"{what} are no whole numbers", "an array of them")
    return numpy.require(taken, numpy.int64, "CA")


@cython.final
cdef class CacheLists:
    """CacheLists(roots, *, huge_pages=True)\n--\n
    The lists that child caches are on, alone: no time, no costs, no objects.

    Each cache is on three: of all caches, of its root's children, and of its memcg's
    own, the latest last. To destroy a memcg takes its caches off all three. Roots are
    numbers below *roots*; a memcg is named by a handle, an int that no other gets.

    What is given a handle of a memcg that is gone raises StaleHandleError. A call for
    many does what calls for one would do in a row: at the first that is refused it
    stops, the error says which that is, and what came before is done.

    >>> from slabcore import CacheLists
    >>> lists = CacheLists(roots=3)
    >>> web, db = lists.mkdir_many(2).tolist()
    >>> lists.create_many([web, db, web], [0, 0, 2])
    >>> lists.caches(web).tolist(), len(lists)
    ([0, 2], 3)
    >>> lists.destroy(web)
    >>> lists.children(0).tolist() == [db], web in lists
    (True, False)
    """

    MKDIR = EVENT_MKDIR
    ALLOC = EVENT_ALLOC
    OFFLINE = EVENT_OFFLINE

    def __init__(self, roots, *, huge_pages: bool = True):
        if self.l.roots:
            raise LifecycleError("the lists are there; they are made once")
        number = PyNumber_Index(roots)
        if not 1 <= number <= 65_536:
            raise InputError("CacheLists", f"roots is {number}", "1 to 65536")
        cache_lists_init(&self.l, number, huge_pages)

    def __dealloc__(self):
        cache_lists_free(&self.l)

    cdef int enter(self) except -1:
        if self.running:
            raise LifecycleError("the lists are worked on; one thread at a time may")
        if not self.l.roots:
            raise LifecycleError("the lists are not there; CacheLists() makes them")
        lists_settle(&self.l)
        return 0

    cdef int64_t memcg(self, int64_t handle) except -1:
        """Return the index of the memcg that a handle names."""
        self.enter()
        if not names_memcg(&self.l, handle):
            raise StaleHandleError(f"handle {handle}: no memcg of the lists")
        return <int64_t><uint32_t>handle

    cdef int known(self, int64_t root) except -1:
        self.enter()
        if not 0 <= root < self.l.roots:
            raise InputError("root", f"{root}", f"0 to {<int64_t>self.l.roots - 1}")
        return 0

    # --- making ---

    @cython.binding(False)
    def mkdir(self):
        """Make a memcg; return its handle."""
        cdef uint32_t index
        self.enter()
        memcg_list_new(&self.l, &index)
        return memcg_list_handle(&self.l, index)

    def mkdir_many(self, Py_ssize_t count):
        """Make memcgs; return their handles as an array."""
        import numpy
        cdef Py_ssize_t k
        cdef uint32_t index
        self.enter()
        if count < 0:
            raise InputError("mkdir_many", f"count is {count}", "0 or more")
        cdef int64_t[::1] handles = numpy.empty(count, dtype=numpy.int64)
        arena_reserve(&self.l.memcgs, self.l.memcgs.used + <size_t>count)
        for k in range(count):
            memcg_list_new(&self.l, &index)
            handles[k] = memcg_list_handle(&self.l, index)
        return handles.base

    @cython.binding(False)
    def create(self, Py_ssize_t memcg, Py_ssize_t root):
        """Put a new cache of a memcg and a root last on its lists."""
        self.known(root)
        cache_create(&self.l, self.memcg(memcg), <uint32_t>root)

    def create_many(self, memcgs, roots):
        """Create a cache for each pair, in their order."""
        self.enter()
        memcgs = int64_array("create_many", "memcgs", memcgs)
        roots = int64_array("create_many", "roots", roots)
        if memcgs.size != roots.size:
            what = f"there are {memcgs.size} memcgs and {roots.size} roots"
            raise InputError("create_many", what, "as many")
        cdef const int64_t[::1] owners = memcgs
        cdef const int64_t[::1] numbers = roots
        cdef int64_t count = owners.shape[0], made
        if not count:
            return
        # Others may have had their turn while arrays were made of what was given.
        self.enter()
        self.running = True
        try:
            with nogil:
                made = cache_create_many(&self.l, &owners[0], &numbers[0], count)
        finally:
            self.running = False
        if made < count:
            where = f"create_many: pair {made}"
            if names_memcg(&self.l, owners[made]):
                most = <int64_t>self.l.roots - 1
                raise InputError(where, f"root is {numbers[made]}", f"0 to {most}")
            text = f"handle {owners[made]}: no memcg of the lists"
            raise StaleHandleError(f"{where}: {text}")

    # --- destroying ---

    @cython.binding(False)
    def destroy(self, Py_ssize_t memcg):
        """Destroy a memcg and its caches."""
        if self.running:
            self.enter()
        if not names_memcg(&self.l, memcg):
            self.memcg(memcg)
        lists_reserve_spares(&self.l)
        memcg_list_destroy(&self.l, <uint32_t>memcg)

    def destroy_many(self, memcgs):
        """Destroy memcgs and their caches; return how many caches these were."""
        self.enter()
        cdef const int64_t[::1] owners = int64_array("destroy_many", "memcgs", memcgs)
        cdef int64_t count = owners.shape[0], gone
        cdef uint32_t before
        if not count:
            return 0
        self.enter()        # again, as in create_many()
        before = self.l.length
        self.running = True
        try:
            with nogil:
                lists_reserve_many(&self.l)
                gone = memcg_list_destroy_many(&self.l, &owners[0], count)
        finally:
            self.running = False
        if gone < count:
            raise StaleHandleError(
                f"destroy_many: memcg {gone}: handle {owners[gone]}: no memcg of the "
                "lists"
            )
        return before - self.l.length

    # --- replaying ---

    @staticmethod
    def event_dtype():
        """Return the dtype of an event: memcg, kind and root, in eight bytes."""
        import numpy
        return numpy.dtype([("memcg", "u4"), ("kind", "u2"), ("root", "u2")])

    def replay(self, events, *, int64_t grace_period=1024):
        """Let events happen in a row; return counts of what did.

        events: an array of event_dtype(). *memcg* is a name of the trace's own, which
        it may use again: MKDIR makes a memcg for it, and OFFLINE takes that away. ALLOC
        is an object of a *root*: the first makes the memcg's cache of that root. Names
        should be small numbers, since each has a place.
        grace_period: behind so many events one ends, and the memcgs that were offline
        when the one before ended are destroyed. All that are offline are at the end.
        What is alive then stays on the lists.
        Raises: InputError, of an event that cannot happen; those before it have.
        """
        import numpy
        cdef replay r
        cdef int why = REPLAYED
        cdef int64_t count, done = 0
        cdef Py_buffer given
        self.enter()
        if grace_period < 1:
            raise InputError("replay", f"grace_period is {grace_period}", "1 or more")
        dtype = CacheLists.event_dtype()
        taken = numpy.ascontiguousarray(events)
        if taken.dtype != dtype or taken.ndim != 1:
            raise InputError("replay", "the events are no array of event_dtype()")
        if taken.ctypes.data % sizeof(uint32_t):    # in a file they lie anywhere
            taken = taken.copy()
        PyObject_GetBuffer(taken, &given, PyBUF_SIMPLE)
        count = given.len // sizeof(life_event)
        replay_init(&r)
        try:
            self.enter()    # again, as in create_many()
        except BaseException:
            PyBuffer_Release(&given)
            raise
        self.running = True
        try:
            with nogil:
                done = replay_events(
                    &r, &self.l, <const life_event *>given.buf, count, grace_period,
                    &why,
                )
        finally:
            self.running = False
            replay_free(&r)
            PyBuffer_Release(&given)
        if why != REPLAYED:
            event = taken[done]
            what, expected = {
                NO_KIND: (f"kind is {event['kind']}", "MKDIR, ALLOC or OFFLINE"),
                NO_ROOT: (f"root is {event['root']}", f"below {self.l.roots}"),
                IS_ALIVE: (f"memcg {event['memcg']} is alive", "one that is not"),
                IS_NOT_ALIVE: (f"memcg {event['memcg']} is not alive", "MKDIR first"),
            }[why]
            raise InputError(f"replay: event {done}", what, expected)
        return {
            "events": count,
            "mkdirs": r.mkdirs,
            "offlines": r.offlines,
            "created": r.created,
            "destroyed": r.destroyed,
            "objects": r.objects,
            "freed": r.freed,
            "grace_periods": r.grace_periods,
        }

    # --- looking ---

    def __len__(self):
        self.enter()
        return self.l.length

    def __contains__(self, memcg):
        cdef Py_ssize_t number
        self.enter()
        try:
            number = memcg
            return names_memcg(&self.l, number)
        except (OverflowError, TypeError):
            return False

    @property
    def roots(self):
        """How many roots there are."""
        return self.l.roots

    @property
    def memcgs(self):
        """How many memcgs there are."""
        return self.l.groups

    def caches(self, Py_ssize_t memcg):
        """Return the roots of a memcg's caches, in its own list's order."""
        import numpy
        cdef uint32_t index = self.memcg(memcg)
        cdef const memcg_list *m = memcg_list_at(&self.l, index)
        cdef int64_t[::1] roots = numpy.empty(m.length, dtype=numpy.int64)
        cdef uint32_t line = m.more, used = more_used(m), end = m.length, k, i
        for k in range(min(m.length, <uint32_t>IN_LINE)):
            roots[k] = owner_at(&self.l, m.caches[k]).root
        while line != NIL:
            end -= used
            for k in range(used):
                i = more_at(&self.l, line).caches[k]
                roots[end + k] = owner_at(&self.l, i).root
            used = IN_MORE
            line = more_at(&self.l, line).before
        return roots.base

    def children(self, Py_ssize_t root):
        """Return the memcgs of a root's children, in the list's order."""
        import numpy
        cdef Py_ssize_t count = 0
        self.known(root)
        cdef uint32_t head = <uint32_t>(1 + root)
        cdef uint32_t i = link_at(&self.l, head).children.next
        while i != head:
            count += 1
            i = link_at(&self.l, i).children.next
        cdef int64_t[::1] memcgs = numpy.empty(count, dtype=numpy.int64)
        count = 0
        i = link_at(&self.l, head).children.next
        while i != head:
            memcgs[count] = memcg_list_handle(&self.l, owner_at(&self.l, i).memcg)
            count += 1
            i = link_at(&self.l, i).children.next
        return memcgs.base

    def to_array(self):
        """Return every cache by creation, as an array of memcg and root."""
        import numpy
        cdef Py_ssize_t count = 0
        cdef uint32_t memcg
        self.enter()
        cdef uint32_t i = link_at(&self.l, 0).all.next
        array = numpy.empty(self.l.length, [("memcg", "i8"), ("root", "i8")])
        cdef int64_t[:, ::1] rows = array.view("i8").reshape(-1, 2)
        while i != 0:
            memcg = owner_at(&self.l, i).memcg
            rows[count, 0] = memcg_list_handle(&self.l, memcg)
            rows[count, 1] = owner_at(&self.l, i).root
            count += 1
            i = link_at(&self.l, i).all.next
        return array

    def validate(self):
        """Check that all lists, lengths and owners agree.

        Raises: ListCorruptionError.
        """
        self.enter()
        if cache_lists_broken(&self.l):
            raise ListCorruptionError("links, owners and lengths of the lists disagree")


# --- a file made of records ---


cdef int64_t list_reader_start(seq_file *m, int64_t *pos) noexcept nogil:
    """Resume where the reader stayed, or walk from the head."""
    cdef list_reader *r = <list_reader *>m.private
    cdef int64_t to_go = pos[0]
    cdef uint32_t i
    if r.open and r.index == pos[0] and pos[0] > 0:
        i = r.here.entry
        m.visits += i != NIL
    else:
        side_settle(r.entries)
        i = r.entries.head.first
        m.visits += i != NIL
        while i != NIL and to_go > 0:
            i = r.entries.links[i].next
            m.visits += i != NIL
            to_go -= 1
    if not r.open:
        list_cursor_open(&r.entries.head, &r.here, i)
        r.open = True
    r.here.entry = i
    r.here.moved = False
    return SEQ_END if i == NIL else i


cdef int64_t list_reader_next(
    seq_file *m, int64_t entry, int64_t *pos
) noexcept nogil:
    """Step; what show() took out of the list has been stepped over already."""
    cdef list_reader *r = <list_reader *>m.private
    if not r.here.moved:
        r.here.entry = r.entries.links[r.here.entry].next
    r.here.moved = False
    pos[0] += 1
    return SEQ_END if r.here.entry == NIL else r.here.entry


cdef void list_reader_stop(seq_file *m, int64_t entry) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    r.index = m.index
    if not r.keeps:
        list_cursor_close(&r.entries.head, &r.here)
        r.open = False


cdef int list_reader_show(seq_file *m, int64_t entry) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    with gil:
        return (<SeqFile>r.file).show(side_handle(r.entries, <uint32_t>entry))


cdef int64_t source_start(seq_file *m, int64_t *pos) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    with gil:
        return (<SeqFile>r.file).start(pos[0])


cdef int64_t source_next(
    seq_file *m, int64_t entry, int64_t *pos
) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    with gil:
        return (<SeqFile>r.file).next(pos)


cdef void source_stop(seq_file *m, int64_t entry) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    with gil:
        (<SeqFile>r.file).stop()


cdef int source_show(seq_file *m, int64_t entry) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    with gil:
        return (<SeqFile>r.file).show((<SeqFile>r.file).entry)


_ERAS = {"A": ERA_A, "B": ERA_B, "C": ERA_C, "D": ERA_D}


@cython.final
@cython.no_gc_clear     # its cursor is one of the list's until it is deallocated
cdef class SeqFile:
    """SeqFile(source, *, era='D', cursor=False, show=None)\n--\n
    An open file that shows the entries of a source, as fs/seq_file.c reads one.

    source: an IntrusiveList, or an object with
    ``start(pos)``, which returns the entry at a position, None at the end;
    ``next(entry, pos)``, which returns the entry behind it and that one's position;
    ``stop(entry)``, which ends what start began, after each call of it;
    ``show(m, entry)``, which prints with ``m.write`` and may return 1 (SEQ_SKIP) to
    have that forgotten. An OSError is the kernel's -errno; any other error ends the
    call, and the file stays where it was.
    A slabcore.KernelFile over a file is an io.RawIOBase, which this is not:
    ``KernelFile(SeqFile(source), name)`` reads as what open() returns.
    era: "A" reads as kernels up to 4.18, "B" as 4.19 to 5.2, "C" as 5.3 to 5.9, "D" as
    all since.
    cursor: keep the place in the list and not its number. What is in the list from the
    first read to the end of the file is shown exactly once, and the end is final. An
    entry that is moved is taken out and put in: it may come twice, or not at all. A
    source of one's own says with ``removed`` what it loses. Where the place is kept its
    ``resume(pos)`` is called in start's stead, to lock what stop unlocks and no more.
    If it has none start is called, and the entry that it returns makes no difference.
    show: called as ``show(m, entry)`` in the source's stead; an IntrusiveList's entries
    are its handles.

    >>> from slabcore import IntrusiveList, SeqFile
    >>> def rows(cursor):
    ...     caches = IntrusiveList(range(100))
    ...     def show(m, cache):
    ...         m.write(f"{caches.value(cache):<99}\\n")
    ...     file = SeqFile(caches, cursor=cursor, show=show)
    ...     first = file.read(65536)
    ...     caches.remove(caches.first)
    ...     return len(first + file.read(65536) + file.read(65536)) // 100
    >>> rows(cursor=False), rows(cursor=True)
    (99, 100)
    """

    def __cinit__(self, *args, **keywords):
        self.closed = True

    def __init__(self, source, *, era: str = "D", cursor: bool = False, show=None):
        cdef seq_operations *op = &self.op
        if self.m.op != NULL:
            raise LifecycleError("the file is open; it is made once")
        if era not in _ERAS:
            raise InputError("SeqFile", f"era is {era!r}", "A, B, C or D")
        if cursor and era != "D":
            what = f"era is {era!r} and there is a cursor"
            raise InputError("SeqFile", what, "D, which a reader with a cursor follows")
        hooks = [] if isinstance(source, IntrusiveList) else ["start", "next", "stop"]
        for hook in [*hooks, *(["show"] if show is None else [])]:
            if not callable(getattr(source, hook, None)):
                raise InputError(
                    "SeqFile", f"{type(source).__name__} has no {hook}()",
                    "a source with start, next and stop, and show or show=",
                )
        if show is not None and not callable(show):
            raise InputError("SeqFile", f"show is {show!r}", "a callable")
        self.source = source
        if isinstance(source, IntrusiveList):
            self.entries = source
            self.reader.entries = &self.entries.entries
            op.start = list_reader_start
            op.next = list_reader_next
            op.stop = list_reader_stop
            op.show = list_reader_show
        else:
            op.start = source_start
            op.next = source_next
            op.stop = source_stop
            op.show = source_show
        self.shows = source.show if show is None else show
        self.resumes = getattr(source, "resume", None)
        self.reader.keeps = cursor
        self.reader.index = -1
        self.reader.file = <void *>self
        seq_open(&self.m, _ERAS[era], op, &self.reader)
        self.closed = False

    def __dealloc__(self):
        if self.reader.open:
            list_cursor_close(&self.reader.entries.head, &self.reader.here)
        seq_release(&self.m)
        PyMem_RawFree(self.room)

    # --- the source ---

    cdef object start(self, int64_t pos):
        cdef bint kept = self.reader.keeps and self.reader.index == pos and pos > 0
        try:
            if kept and self.resumes is not None:
                self.resumes(pos)
                self.m.visits += self.entry is not None
            else:
                entry = self.source.start(pos)
                if not kept:
                    self.entry = entry
        except BaseException as error:
            return self.lose(error)
        self.moved = False
        return SEQ_END if self.entry is None else 0

    cdef object next(self, int64_t *pos):
        try:
            if self.moved:
                pos[0] += 1
            else:
                self.entry, following = self.source.next(self.entry, pos[0])
                pos[0] = following
        except BaseException as error:
            pos[0] += 1
            return self.lose(error)
        self.moved = False
        return SEQ_END if self.entry is None else 0

    cdef object stop(self):
        self.reader.index = -1 if self.lost else self.m.index
        self.lost = False
        try:
            self.source.stop(self.entry)
        except BaseException as error:
            if self.failure is None:
                self.failure = error

    cdef object show(self, entry):
        try:
            answer = self.shows(self, entry)
            if answer is None:
                return 0
            if answer in (0, SEQ_SKIP):
                return SEQ_SKIP if answer else 0
            raise ValueError(f"show returned {answer!r}: expected None, 0 or 1")
        except BaseException as error:
            return self.fail(error)

    cdef object lose(self, error):
        self.entry = None
        self.moved = False
        self.lost = True
        return self.fail(error)

    cdef object fail(self, error):
        """Return an OSError's -errno; keep any other error until the section ends."""
        if isinstance(error, OSError):
            number = error.errno    # whatever it was made with
            if isinstance(number, int) and 0 < number < 4096:
                self.answer = error
                return -number
        self.failure = error
        return -EIO

    # --- a call ---

    cdef int begin(self) except -1:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if self.under_way:
            raise LifecycleError("the file is being read")
        self.under_way = True
        return 0

    cdef int want(self, size_t size) except -1:
        """Make room for all that the next step can deliver."""
        cdef size_t most = self.m.copied + max(self.m.size, <size_t>SEQ_PAGE)
        most = min(most, size)
        if most > self.capacity:
            self.room = <char *>arena_resize(self.room, most)
            self.capacity = most
        self.m.user = self.room
        return 0

    cdef object finish(self, int step, size_t size):
        """Take a call's sections; return its result."""
        cdef int64_t result
        try:
            while step == SEQ_SECTION:
                self.want(size)
                step = seq_section(&self.m)
                if self.failure is not None:
                    raise self.failure
        except BaseException:
            self.failure = self.answer = None
            self.reader.index = -1
            seq_forget(&self.m)
            if self.m.seeks_only:
                self.position = 0
            raise
        result = seq_result(&self.m)
        answer, self.answer = self.answer, None
        if result >= 0:
            return result
        if answer is not None and answer.errno == -result:
            raise answer
        raise OSError(-result, os.strerror(-result))

    cdef bytes deliver(self, int64_t *ppos, Py_ssize_t size):
        self.begin()
        try:
            if size < 0:
                self.m.fault = -1
                raise OSError(EINVAL, os.strerror(EINVAL))
            self.m.copied = 0
            self.want(size)
            step = seq_read_begin(&self.m, ppos, self.room, size)
            delivered = self.finish(step, size)
            return PyBytes_FromStringAndSize(self.room, delivered)
        finally:
            self.under_way = False

    def read(self, Py_ssize_t n):
        """Return up to *n* bytes and move on by as many, as read(2) does.

        However large *n* is, it is what was left over and one buffer more, at most.
        """
        return self.deliver(&self.position, n)

    def pread(self, Py_ssize_t n, Py_ssize_t offset):
        """Return up to *n* bytes at *offset*, as pread(2) does."""
        cdef int64_t at = offset
        return self.deliver(&at, n)

    def lseek(self, Py_ssize_t offset, Py_ssize_t whence=0):
        """Move to *offset*, or by it if *whence* is 1; return the position."""
        self.begin()
        try:
            step = seq_lseek_begin(
                &self.m, &self.position, offset, whence if 0 <= whence <= 1 else -1
            )
            return self.finish(step, 0)
        finally:
            self.under_way = False

    def write(self, data):
        """Print bytes, or text as UTF-8, into the record that is being shown."""
        cdef bytes raw = data.encode() if isinstance(data, str) else data
        if not self.under_way:
            raise LifecycleError("no record is being shown")
        seq_write(&self.m, <const char *>raw, len(raw))

    def tell(self):
        """Return the position of the next read."""
        return self.position

    def close(self):
        """Give up the buffer and the place in the list."""
        if self.under_way:
            raise LifecycleError("the file is being read")
        if self.reader.open:
            list_cursor_close(&self.reader.entries.head, &self.reader.here)
            self.reader.open = False
        seq_release(&self.m)
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # --- looking inside, and letting things fail ---

    @property
    def state(self):
        """The fields of struct seq_file; *from* means something while *count* does."""
        return {
            "index": self.m.index,
            "count": self.m.count,
            "from": self.m.from_,
            "read_pos": self.m.read_pos,
            "size": self.m.size,
        }

    @property
    def calls(self):
        """How often each hook was called, and what was paid for it."""
        return {
            "start": self.m.starts,
            "next": self.m.nexts,
            "show": self.m.shows,
            "stop": self.m.stops,
            "visits": self.m.visits,
            "allocs": self.m.allocs,
        }

    @property
    def visits(self):
        """Nodes that start looked at; a source of one's own adds them itself."""
        return self.m.visits

    @visits.setter
    def visits(self, Py_ssize_t count):
        self.m.visits = count

    def removed(self, entry, following):
        """Say that a source of one's own lost an entry, and which one follows it.

        Between two reads that is for a file with a cursor. In show it is for any file:
        what is shown next is the following one, and next is not asked for it.
        """
        if self.entry is not None and self.entry == entry:
            self.entry = following
            self.moved = True

    def inject(self, fault=None, alloc=None):
        """Let things fail.

        fault: only so many bytes of user memory can be written, by the next call; a
        call under way, whose hook may say this, has its own.
        alloc: which of the coming allocations of the buffer fails; 1 is the next.
        """
        cdef Py_ssize_t writable = 0 if fault is None else fault
        cdef Py_ssize_t which = 1 if alloc is None else alloc
        if writable < 0:
            raise InputError("inject", f"fault is {writable}", "0 bytes or more")
        if which < 1:
            raise InputError("inject", f"alloc is {which}", "1, the next one, or more")
        self.m.fault = -1 if fault is None else writable
        if alloc is not None:
            self.m.alloc_fails = which


# --- callbacks that wait for a grace period ---


cdef enum:  # what a record of a queue with a callback is
    RCU_OBJECT
    RCU_WAITER              # of barrier() or synchronize()

_MARKERS = ("queued", "entrained")
_KINDS = ("inc", "dec", "set", "clear", "change")


cdef enum:  # what a number in a buffer is
    OTHER
    UINT8
    UINT32
    INT64


cdef int numbers(values, int flags, Py_buffer *given) except -1:
    """Get an object's buffer, in C order, and tell what is in it.

    Nothing was got of OTHER.
    """
    cdef char format
    try:
        PyObject_GetBuffer(values, given, flags | PyBUF_ND | PyBUF_FORMAT)
    except (TypeError, ValueError, BufferError):
        return OTHER
    if given.format == NULL or not given.format[0]:
        format = b"B" if given.format == NULL else 0
    else:
        format = 0 if given.format[1] else given.format[0]
    if format == b"B":
        return UINT8
    if format in (b"I", b"L") and given.itemsize == 4:
        return UINT32
    if format in (b"l", b"q") and given.itemsize == 8:
        return INT64
    PyBuffer_Release(given)
    return OTHER


@cython.final
cdef class RcuQueue:
    """Values that wait for a grace period: RCU's callbacks, simulated, single-threaded.

    What is queued with ``call`` on a CPU comes out of ``invoke`` in its order when a
    grace period that began later is over: when every CPU has been in a quiescent state
    since. There is no order between CPUs. Nothing here reads a clock or knows a
    thread: grace periods are steps, and a CPU may be anything that takes steps and
    that holds nothing between some of them.

    cpus: 1 to 4096.
    blimit: how many callbacks are a batch. qhimark: with more than that on a CPU, what
    is due is one batch; qlowmark: with that many or fewer, blimit counts again.
    marker: what barrier() waits behind: "entrained" is its own place behind the last
    callback, as in kernels since 4.13; "queued" is a callback more, with a grace
    period of its own, as before.
    callback: None, and values are int64, which invoke() returns as an array. Or values
    are any objects, and each is invoked as ``callback(value)``; what it raises ends
    the call, and the rest stays due. A callback may queue and may not invoke. With
    ``operator.call`` the values are callables themselves.
    words: an array of uint32, and values are indices of it. Each is queued with a kind,
    which says what becomes of the word when it is invoked: "inc" and "dec" count and
    wrap, "set", "clear" and "change" are about its lowest bit.
    huge_pages: ask for them, for what holds more than half a million of a CPU's.

    >>> from slabcore import RcuQueue
    >>> queue = RcuQueue(cpus=2)
    >>> queue.call(10)
    >>> queue.start()
    1
    >>> queue.call(11)
    >>> queue.quiescent(0), queue.quiescent(1)
    (False, True)
    >>> queue.invoke().tolist(), queue.pending
    ([10], 1)
    >>> queue.barrier().tolist()
    [11]
    """

    def __cinit__(self, *args, **keywords):
        self.objects = []

    def __init__(
        self,
        cpus=1,
        *,
        blimit=10,
        qhimark=10_000,
        qlowmark=100,
        marker="entrained",
        callback=None,
        words=None,
        huge_pages: bool = True,
    ):
        # Imported when called, as what gives arrays does everywhere in this module.
        import operator

        import numpy
        cdef int32_t i, count
        if self.ncpus:
            raise LifecycleError("the queue is there; it is made once")
        if not 1 <= cpus <= 4096:
            raise ValueError(f"cpus={cpus}: expected 1 to 4096")
        if blimit < 1:
            raise ValueError(f"blimit={blimit}: expected 1 or more")
        if qhimark < 0 or qlowmark < 0:
            name = "qlowmark" if qhimark >= 0 else "qhimark"
            raise ValueError(f"{name}={min(qhimark, qlowmark)}: expected 0 or more")
        if marker not in _MARKERS:
            raise ValueError(f"marker={marker!r}: expected queued or entrained")
        if callback is not None and not callable(callback):
            raise TypeError(f"callback={callback!r}: expected a callable or None")
        if words is not None:
            if callback is not None:
                raise TypeError("a queue has words or a callback")
            PyBuffer_Release(&self.held)   # of an attempt that failed
            self.name_words(words)
            self.array = words
        self.r.blimit = blimit
        self.r.qhimark = qhimark
        self.r.qlowmark = qlowmark
        self.entrains = marker == "entrained"
        self.callback = callback
        self.calls_values = callback is operator.call
        self.empty = numpy.empty
        counts = callback is not None or words is not None
        self.nothing = 0 if counts else numpy.empty(0, "q")
        # One number from here on: an int's subclass may multiply as it likes.
        count = cpus
        self.objects = [[] for _ in range(count if callback is not None else 0)]
        self.until = <int64_t *>zeroed(count * sizeof(int64_t))
        self.r.data = <rcu_data *>zeroed(count * sizeof(rcu_data))
        self.ncpus = count
        for i in range(self.ncpus):
            self.r.data[i].blimit = self.r.blimit
            self.r.data[i].huge_pages = huge_pages

    def __dealloc__(self):
        cdef int32_t i
        for i in range(self.ncpus):
            rcu_free(&self.r.data[i])
        PyMem_RawFree(self.r.data)
        PyMem_RawFree(self.until)
        PyBuffer_Release(&self.held)

    cdef int name_words(self, words) except -1:
        """Keep the words; their array is held where it is as long as the queue."""
        cdef Py_buffer given
        cdef int what = numbers(words, PyBUF_WRITABLE, &given)
        if what == UINT32 and given.len <= 4 * <int64_t>MAX_WORDS:
            self.held = given
            return 0
        if what == UINT32:
            words = f"{given.len // 4} words"
        if what != OTHER:
            PyBuffer_Release(&given)
        raise TypeError(
            f"words={words!r}: expected a writable array of uint32, in C order"
        )

    cdef int32_t on(self, int64_t cpu) except -1:
        if not 0 <= cpu < self.ncpus:
            raise ValueError(f"cpu={cpu}: expected 0 to {self.ncpus - 1}")
        return <int32_t>cpu

    cdef int span(self, cpu, int32_t *first, int32_t *end) except -1:
        """Find which CPUs are meant: one, or all by None."""
        first[0], end[0] = 0, self.ncpus
        if cpu is not None:
            first[0] = self.on(cpu)
            end[0] = first[0] + 1
        return 0

    # --- queueing ---

    def call(self, value, int64_t cpu=0, kind=None):
        """Queue a value on a CPU (call_rcu()).

        kind: what becomes of the word: inc, dec, set, clear or change.
        """
        cdef int32_t number = self.on(cpu)
        cdef rcu_head head
        cdef int64_t bits
        cdef uint8_t of_word
        if kind is not None or self.held.itemsize:
            of_word = self.number_of(kind)
            bits = PyNumber_Index(value)
            if not call_rcu_words(
                &self.r, number, &bits, True, 1, &of_word, False, self.held.len // 4
            ):
                self.refuse(bits)
            return
        if self.callback is not None:
            self.reserve(number, 1)
            self.keep(value, &self.r.data[number])
            rcu_queued(&self.r, &self.r.data[number], 1)
            return
        bits = PyNumber_Index(value)
        memcpy(&head, &bits, sizeof(rcu_head))
        call_rcu(&self.r, number, head.kind, head.arg)

    cdef int number_of(self, kind) except -1:
        """Return a kind's number."""
        if not self.held.itemsize:
            raise TypeError(f"kind={kind!r}: expected none, as the queue has no words")
        if kind not in _KINDS:
            raise ValueError(
                f"kind={kind!r}: expected inc, dec, set, clear or change"
            )
        return _KINDS.index(kind)

    cdef int refuse(self, int64_t value) except -1:
        raise IndexError(f"value={value}: expected 0 to {self.held.len // 4 - 1}")

    cdef int reserve(self, int32_t number, int64_t count) except -1:
        """Make room for callbacks more that are objects: in the ring and beside it."""
        cdef rcu_data *d = &self.r.data[number]
        cdef int64_t i, capacity
        cdef list old, new
        while rcu_qlen(d) + count > d.capacity:
            capacity = max(64, d.capacity)
            while capacity < rcu_qlen(d) + count:
                capacity *= 2
            if capacity > MAX_CALLBACKS:
                rcu_reserve(d, False, capacity)     # raises
            new = [None] * capacity
            # Garbage that was collected for it may have queued something.
            if rcu_qlen(d) + count > capacity or d.capacity >= capacity:
                continue
            old = <list>self.objects[number]
            for i in range(d.head, d.tail):
                new[i & (capacity - 1)] = old[i & (d.capacity - 1)]
            rcu_reserve(d, False, capacity)
            self.objects[number] = new
        return 0

    cdef int keep(self, value, rcu_data *d) except -1:
        """Put an object where there is room for it, behind the CPU's last."""
        cdef list objects = <list>self.objects[d - self.r.data]
        d.ring[d.tail & (d.capacity - 1)].kind = RCU_OBJECT
        objects[d.tail & (d.capacity - 1)] = value
        return 0

    cdef int keep_all(self, list values, int32_t number) except -1:
        cdef rcu_data *d = &self.r.data[number]
        cdef list objects
        cdef int64_t i, at, count = -1
        while count != len(values):
            count = len(values)
            self.reserve(number, count)
        # Nothing below runs what is Python: places without a callback hold None.
        objects = <list>self.objects[number]
        for i in range(count):
            at = (d.tail + i) & (d.capacity - 1)
            d.ring[at].kind = RCU_OBJECT
            objects[at] = values[i]
        rcu_queued(&self.r, d, count)
        return 0

    def call_many(self, values, int64_t cpu=0, kind=None):
        """Queue each of the values, in their order, on a CPU; of numbers all or none.

        Arrays of int64 are taken as they are, and of uint32, if they name words.
        kind: of all, or bytes, or an array of uint8, with the number of each one's: 0
        for inc, 1 dec, 2 set, 3 clear, 4 change.
        """
        cdef int32_t number = self.on(cpu)
        cdef Py_buffer given
        cdef int what
        if self.callback is not None:
            if kind is not None:
                self.number_of(kind)     # raises
            if type(values) is list or type(values) is tuple:
                self.keep_all(values if type(values) is list else list(values), number)
                return
            for value in values:
                self.reserve(number, 1)
                self.keep(value, &self.r.data[number])
                rcu_queued(&self.r, &self.r.data[number], 1)
            return
        what = numbers(values, PyBUF_SIMPLE, &given)
        if what == UINT8 or what == UINT32 and not self.held.itemsize:
            PyBuffer_Release(&given)
            what = OTHER
        if what == OTHER:
            import numpy
            values = numpy.asarray(values)
            if not values.size:
                values = values.astype("q")
            values = values.astype("q", "C", "safe", copy=False)
            what = numbers(values, PyBUF_SIMPLE, &given)
        try:
            if kind is not None or self.held.itemsize:
                self.call_words(number, &given, what, kind)
            else:
                call_rcu_many(
                    &self.r,
                    number,
                    <const rcu_head *>given.buf,
                    given.len // sizeof(rcu_head),
                )
        finally:
            PyBuffer_Release(&given)

    cdef int call_words(
        self, int32_t number, const Py_buffer *given, int what, kind
    ) except -1:
        """Queue callbacks for words, whose indices are in a buffer."""
        cdef size_t i, count = given.len // given.itemsize
        cdef uint64_t end = self.held.len // 4
        cdef uint64_t index
        cdef Py_buffer many
        cdef uint8_t one
        cdef int got
        cdef const uint8_t *kinds = &one
        cdef bint right, of_each = not (kind is None or type(kind) is str)
        if not of_each:
            one = self.number_of(kind)
        elif not self.held.itemsize:
            self.number_of(kind)         # raises
        else:
            got = numbers(kind, PyBUF_SIMPLE, &many)
            if got != UINT8:
                if got != OTHER:
                    PyBuffer_Release(&many)
                raise TypeError("kind: expected a name, or an array of uint8")
            kinds = <const uint8_t *>many.buf
        try:
            if of_each and <size_t>many.len != count:
                raise ValueError(f"kind: {many.len} of them for {count} values")
            right = call_rcu_words(
                &self.r, number, given.buf, what == INT64, count, kinds, of_each, end
            )
            if right:
                return 0
            for i in range(count):
                if of_each and kinds[i] >= RCU_KINDS:
                    raise ValueError(f"kind={kinds[i]}: expected 0 to {RCU_KINDS - 1}")
                if what == UINT32:
                    index = (<const uint32_t *>given.buf)[i]
                else:
                    index = (<const uint64_t *>given.buf)[i]
                if index >= end:
                    self.refuse(<int64_t>index)
        finally:
            if of_each:
                PyBuffer_Release(&many)
        return 0

    # --- grace periods ---

    cdef void look(self, rcu_data *d) noexcept nogil:
        """See which grace periods are over, then number what has no number."""
        rcu_advance(&self.r, d)
        rcu_accelerate(&self.r, d)

    cdef void begin(self) noexcept nogil:
        cdef int32_t i
        for i in range(self.ncpus):
            self.look(&self.r.data[i])
        rcu_gp_init(&self.r, self.ncpus)

    cdef bint report(self, int32_t first, int32_t end) noexcept nogil:
        """Let CPUs pass a quiescent state; tell whether a grace period is over by it.
        """
        cdef bint over = False
        cdef int32_t i
        for i in range(first, end):
            self.look(&self.r.data[i])
            over |= rcu_report_qs(&self.r, &self.r.data[i])
        if over:
            rcu_gp_cleanup(&self.r)
        return over

    def start(self):
        """Begin a grace period; return its number.

        It is over when every CPU has been in a quiescent state. What is queued from now
        on waits for the next. Raises: LifecycleError, if one runs.
        """
        if self.r.gpnum != self.r.completed:
            raise LifecycleError(f"grace period {self.r.gpnum} has not ended")
        self.begin()
        return self.r.gpnum

    def quiescent(self, cpu=None):
        """Say that a CPU, or every CPU, holds nothing at this moment.

        Returns: whether that ended a grace period.
        """
        cdef int32_t first, end
        self.span(cpu, &first, &end)
        return self.report(first, end)

    def advance(self, cpu=None):
        """Let a CPU, or every CPU, see what is over; return how many are due there.

        The CPU numbers its new callbacks, too. Whatever is done with a CPU but queueing
        begins with that.
        """
        cdef int32_t i, first, end
        cdef int64_t due = 0
        self.span(cpu, &first, &end)
        for i in range(first, end):
            self.look(&self.r.data[i])
            due += self.r.data[i].done - self.r.data[i].head
        return due

    def grace_period(self):
        """End the grace period that runs, if one does, and go through a whole one.

        All that is queued is due then. Returns: its number.
        """
        self.report(0, self.ncpus)
        self.begin()
        self.report(0, self.ncpus)
        self.advance()
        return self.r.gpnum

    # --- invoking ---

    cdef int enter(self) except -1:
        if self.invoking:
            raise LifecycleError("a callback is being invoked")
        self.invoking = True
        return 0

    cdef int64_t due(self, rcu_data *d, int64_t batches) noexcept nogil:
        """Return how many callbacks so many batches are, if nothing is queued between.
        """
        cdef int64_t due = d.done - d.head, batch = rcu_batch(d)
        return due if not batch or batches > due // batch else batches * batch

    cdef void take(self, rcu_data *d, int64_t *to, int64_t count) noexcept nogil:
        """Invoke callbacks that are values; what is many batches is one copy.

        After the first batch without a limit nothing is due, and a limit that any of
        the batches would bring back the last one does.
        """
        if count:
            rcu_take_many(&self.r, d, <rcu_head *>to, count)
            rcu_batch_end(&self.r, d)

    cdef void write(self, rcu_data *d, int64_t count) noexcept nogil:
        """Invoke callbacks for words, as take() does those that are values."""
        if count:
            rcu_write_many(
                &self.r, d, <uint32_t *>self.held.buf, self.held.len // 4, count
            )
            rcu_batch_end(&self.r, d)

    cdef int64_t run(self, rcu_data *d) except -1:
        """Invoke a batch of callbacks that are objects; return how many they were."""
        cdef int64_t _i, at, ran = 0
        cdef bint calls_values = self.calls_values
        cdef list objects
        callback = self.callback
        try:
            for _i in range(rcu_batch(d)):
                at = d.head & (d.capacity - 1)
                # A callback that queues may have moved them.
                objects = <list>self.objects[d - self.r.data]
                if rcu_take(&self.r, d).kind == RCU_WAITER:
                    self.waiters -= 1
                    self.waited += 1
                    continue
                value = objects[at]
                objects[at] = None
                if calls_values:
                    value()
                else:
                    callback(value)
                ran += 1
        finally:
            rcu_batch_end(&self.r, d)
        return ran

    def invoke(self, cpu=None, batches=1):
        """Invoke what is due on a CPU, or on every CPU in turn (rcu_do_batch()).

        batches: at most so many on each CPU; None is all that are due.
        Returns: the values as an array of int64; their number, if they are objects or
        name words.
        """
        cdef int32_t i, first, end
        cdef int64_t left, most, count = 0
        cdef int64_t *to
        cdef rcu_data *d
        cdef Py_buffer made
        if batches is not None and batches < 1:
            raise ValueError(f"batches={batches}: expected 1 or more, or None")
        most = FOREVER if batches is None else min(batches, FOREVER)
        self.span(cpu, &first, &end)
        self.enter()
        try:
            if self.callback is not None:
                for i in range(first, end):
                    d = &self.r.data[i]
                    self.look(d)
                    left = most
                    while left and d.done > d.head:
                        count += self.run(d)
                        left -= 1
                return count
            if self.held.itemsize:
                for i in range(first, end):
                    d = &self.r.data[i]
                    self.look(d)
                    left = self.due(d, most)
                    self.write(d, left)
                    count += left
                return count
            for i in range(first, end):
                self.look(&self.r.data[i])
                count += self.due(&self.r.data[i], most)
            if not count:
                return self.nothing
            values = self.empty(count, "q")
            PyObject_GetBuffer(values, &made, PyBUF_WRITABLE)
            to = <int64_t *>made.buf
            for i in range(first, end):
                d = &self.r.data[i]
                # No more than there is room for, should making room have let in others.
                left = min(self.due(d, most), count)
                self.take(d, to, left)
                to += left
                count -= left
            PyBuffer_Release(&made)
            return values
        finally:
            self.invoking = False

    # --- waiting ---

    cdef int64_t pass_time(self, int64_t *to) except -1:
        """Go on until each CPU is past its waiter; return how many were run that are
        objects or name words.
        """
        cdef int32_t i
        cdef int64_t ran = 0, count
        cdef bint past, left = True
        cdef rcu_data *d
        while True:
            left = False
            for i in range(self.ncpus):
                d = &self.r.data[i]
                if d.head < self.until[i]:
                    self.look(d)
                while d.done > d.head and d.head < self.until[i]:
                    if self.callback is not None:
                        ran += self.run(d)
                        continue
                    # The waiter is the last of all.
                    count = d.done - d.head
                    self.waiters -= d.done == self.until[i]
                    self.waited += d.done == self.until[i]
                    if to != NULL:
                        self.take(d, to, count)
                        to += count - (d.done == self.until[i])
                        continue
                    past = d.done == self.until[i]
                    self.write(d, count - past)
                    ran += count - past
                    if past:
                        rcu_take(&self.r, d)
                        rcu_batch_end(&self.r, d)
                left |= d.head < self.until[i]
            if not left:
                return ran
            if self.r.gpnum == self.r.completed:
                self.begin()
            self.report(0, self.ncpus)

    cdef object wait(self, int32_t first, int32_t end, bint barrier):
        """Queue waiters and let time pass until they were invoked."""
        cdef int32_t i
        cdef int64_t ran
        cdef int64_t *to = NULL
        cdef rcu_data *d
        cdef Py_buffer made
        values = None
        self.enter()
        try:
            if self.callback is None and not self.held.itemsize:
                values = self.empty(self.queued(first, end) + 1, "q")
                while values.size != self.queued(first, end) + 1:
                    values = self.empty(self.queued(first, end) + 1, "q")
                PyObject_GetBuffer(values, &made, PyBUF_WRITABLE)
                to = <int64_t *>made.buf
            for i in range(first, end):
                if self.callback is not None:
                    self.reserve(i, 1)
                else:
                    rcu_reserve(&self.r.data[i], False, rcu_qlen(&self.r.data[i]) + 1)
            for i in range(first, end):
                d = &self.r.data[i]
                if barrier and not rcu_qlen(d):
                    continue
                if barrier and self.entrains:
                    rcu_entrain(&self.r, i, RCU_WAITER)
                else:
                    call_rcu(&self.r, i, RCU_WAITER, 0)
                self.waiters += 1
                self.until[i] = d.tail
            ran = self.pass_time(to)
        finally:
            self.invoking = False
            memset(self.until, 0, self.ncpus * sizeof(int64_t))
            if to != NULL:
                PyBuffer_Release(&made)
        return ran if values is None else values[:-1]

    cdef int64_t queued(self, int32_t first, int32_t end) noexcept nogil:
        cdef int32_t i
        cdef int64_t queued = 0
        for i in range(first, end):
            queued += rcu_qlen(&self.r.data[i])
        return queued

    def synchronize(self, int64_t cpu=0):
        """Wait on a CPU for a grace period that begins now (synchronize_rcu()).

        The CPU waits as its callbacks do, behind them. Alone it need not wait.
        Returns: what was invoked on it meanwhile, as invoke() does.
        """
        cdef int32_t number = self.on(cpu)
        if self.ncpus == 1:     # rcu_blocking_is_gp()
            self.enter()
            self.invoking = False
            return self.nothing
        return self.wait(number, number + 1, False)

    @cython.binding(False)
    def barrier(self):
        """Wait until all that is queued, on any CPU, was invoked (rcu_barrier()).

        A CPU without callbacks is passed over, and with none at all nothing happens.
        Returns: what was invoked meanwhile, as invoke() does.
        """
        if not self.r.callbacks and not self.invoking:
            return self.nothing
        return self.wait(0, self.ncpus, True)

    # --- looking ---

    @property
    def cpus(self):
        """How many CPUs there are."""
        return self.ncpus

    @property
    def words(self):
        """The array of words, which is held as long as the queue; None for none."""
        return self.array

    @property
    def pending(self):
        """How many values are queued."""
        return self.r.callbacks - self.waiters

    @property
    def invoked(self):
        """How many values were invoked."""
        return self.r.invoked - self.waited

    @property
    def longest(self):
        """How many callbacks stood on one CPU at most, what barrier() queued included.
        """
        return self.r.longest

    @property
    def gpnum(self):
        """The number of the grace period begun last, 0 for none."""
        return self.r.gpnum

    @property
    def completed(self):
        """The number of the grace period that ended last, 0 for none."""
        return self.r.completed

    @property
    def requested(self):
        """The number of the last grace period that a callback waits for or waited."""
        return self.r.requested

    def segments(self, int64_t cpu=0):
        """Return how many callbacks of a CPU are due, wait for a grace period, wait for
        the one behind it, and have no number yet: done, wait, next ready, next.
        """
        cdef const rcu_data *d = &self.r.data[self.on(cpu)]
        return d.done - d.head, d.wait - d.done, d.ready - d.wait, d.tail - d.ready

    def validate(self):
        """Check that segments, numbers and counts agree.

        Raises: CorruptionError.
        """
        cdef int64_t where = -1, which = -1
        cdef int32_t i
        cdef const char *text = rcu_broken(&self.r, self.ncpus, &where, &which)
        if text != NULL:
            broken = (<bytes>text).decode().format(where=where, which=which)
            raise CorruptionError(broken)
        for i in range(self.ncpus if self.callback is not None else 0):
            where = len(<list>self.objects[i])
            if where != self.r.data[i].capacity:
                raise CorruptionError(
                    f"CPU {i}: {where} objects have room, {self.r.data[i].capacity} "
                    f"callbacks"
                )

# cython: language_level=3, embedsignature=True, embedsignature.format=python
# cython: auto_pickle=False, autotestdict=False, allow_none_for_extension_args=False
# cython: cdivision=True
"""The functions of slabcore.h, for programs in C and C++.

What C holds is no address but the name of a place in a table: its index, what kind of
thing is there, and how many were there before. A name that no longer fits is refused
with one comparison. That table is the only state that a module of slabcore keeps, since
what C is given has no other owner; the GIL guards it.

Whatever may raise is between begin() and end(): an exception that the caller has set is
put aside meanwhile, and one of ours becomes a code and a text.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF

from slabcore._core cimport ABI, ALLOC, FREE, PIN, IntrusiveList, World
from slabcore.arena cimport NIL, arena, arena_give, arena_init, arena_take
from slabcore.field_list cimport fields_forget
from slabcore.side_list cimport (
    side_handle,
    side_length,
    side_list,
    side_move,
    side_names,
    side_put,
    side_put_before,
    side_put_tail,
    side_remove,
    side_reserve,
    side_settle,
    side_take,
    side_value,
)

from slabcore._core import RcuQueue
from slabcore.designs import find
from slabcore.errors import (
    BusyError,
    CorruptionError,
    InputError,
    LifecycleError,
    StaleHandleError,
)
from slabcore.kernel import Cache, Kernel, Memcg
from slabcore.machine import Machine
from slabcore.overrides import override, parse

cdef extern from *:
    """
    #define SLABCORE_CAPI
    #include "slabcore.h"

    #if PY_VERSION_HEX >= 0x030C0000
    typedef PyObject *slabcore_aside;
    static inline void slabcore_put_aside(slabcore_aside *set)
    {
        *set = PyErr_GetRaisedException();
    }
    static inline void slabcore_put_back(slabcore_aside *set)
    {
        PyErr_SetRaisedException(*set);
    }
    #else
    typedef struct {
        PyObject *type, *value, *traceback;
    } slabcore_aside;
    static inline void slabcore_put_aside(slabcore_aside *set)
    {
        PyErr_Fetch(&set->type, &set->value, &set->traceback);
    }
    static inline void slabcore_put_back(slabcore_aside *set)
    {
        PyErr_Restore(set->type, set->value, set->traceback);
    }
    #endif
    """
    const int SLABCORE_ABI
    ctypedef struct slabcore_kernel
    ctypedef struct slabcore_file
    ctypedef struct slabcore_bytes
    ctypedef struct slabcore_list
    ctypedef struct slabcore_field
    ctypedef struct slabcore_queue
    ctypedef struct slabcore_cache:
        const slabcore_kernel *kernel
        int64_t number
    ctypedef struct slabcore_memcg:
        const slabcore_kernel *kernel
        int64_t handle
    ctypedef struct slabcore_end:
        int64_t number
        int64_t at_ns
        int64_t value
        int code
    enum:
        SLABCORE_OK
        SLABCORE_EINPUT
        SLABCORE_ESTALE
        SLABCORE_EBUSY
        SLABCORE_ELIFECYCLE
        SLABCORE_ECORRUPT
        SLABCORE_ENOMEM
        SLABCORE_EOS
        SLABCORE_EINTERRUPTED
        SLABCORE_EPYTHON
        SLABCORE_EGIL
        SLABCORE_ACCOUNTED
        SLABCORE_TYPESAFE
        SLABCORE_RECLAIMABLE
        SLABCORE_MERGEABLE
        SLABCORE_ALONE
        SLABCORE_CURSOR
    const int64_t SLABCORE_NONE
    ctypedef struct slabcore_aside:
        pass
    void slabcore_put_aside(slabcore_aside *set_) noexcept
    void slabcore_put_back(slabcore_aside *set_) noexcept

cdef extern from "Python.h":
    size_t PY_SSIZE_T_MAX
    bint Py_IsInitialized() noexcept nogil
    bint PyGILState_Check() noexcept nogil
    PyObject *PyThreadState_GetDict() noexcept
    str PyUnicode_DecodeFSDefault(const char *text)

if ABI != SLABCORE_ABI:
    raise ImportError(f"slabcore: slabcore.h has ABI {SLABCORE_ABI}; expected {ABI}")

_FLAGS = (
    SLABCORE_ACCOUNTED | SLABCORE_TYPESAFE | SLABCORE_RECLAIMABLE
    | SLABCORE_MERGEABLE | SLABCORE_ALONE
)
_WHY = "slabcore.last_error"    # of a thread's dictionary: the text as bytes

# --- handles ---

cdef enum:
    KERNEL = 1
    FILE
    BYTES
    LIST
    FIELD
    QUEUE

cdef enum:
    GENERATIONS = 1 << 24
    MOST_READ = 1 << 20     # bytes: no read of a kernel's file comes near it

_KINDS = ("", "kernel", "file", "bytes", "list", "field", "queue")


cdef struct place:
    uint64_t name           # generation, kind, index: 24, 8 and 32 bits
    PyObject *it
    PyObject *owner         # of a kernel's World: the Kernel
    uint32_t generation     # of the next name


cdef arena places

arena_init(&places, sizeof(place))


cdef inline place *named(const void *handle, uint64_t kind) noexcept nogil:
    """Return where a handle's thing is, NULL if it names none of that kind."""
    cdef uint64_t name = <uint64_t><uintptr_t>handle
    cdef uint32_t i = <uint32_t>name
    cdef place *p
    if i >= places.used:
        return NULL
    p = <place *>places.entries + i
    return p if p.name == name and (name >> 32 & 0xFF) == kind else NULL


cdef place *known(const void *handle, uint64_t kind) except NULL:
    """Return where a handle's thing is. Raises: StaleHandleError."""
    cdef place *p = named(handle, kind)
    if p == NULL:
        what = _KINDS[<int>kind]
        why = f"the handle names no {what}: it was freed, or never was one"
        raise StaleHandleError(why if handle != NULL else f"the {what} is NULL")
    return p


cdef void *handed(uint64_t kind, it, owner) except NULL:
    """Return a new handle of something, which is kept until it is given up."""
    cdef uint32_t i
    cdef place *p
    arena_take(&places, &i)
    p = <place *>places.entries + i
    p.generation = max(p.generation, 1)     # a small number names nothing
    p.name = <uint64_t>p.generation << 40 | kind << 32 | i
    p.it, p.owner = <PyObject *>it, <PyObject *>owner
    Py_INCREF(it)
    Py_INCREF(owner)
    return <void *><uintptr_t>p.name


cdef int given_up(const void *handle, uint64_t kind) except -1:
    """Forget a handle, and what it names if nobody else has it."""
    cdef place *p = known(handle, kind)
    cdef uint32_t i = <uint32_t>p.name
    it, owner = <object>p.it, <object>p.owner
    if p.generation + 1 < GENERATIONS:
        arena_give(&places, i)
    p.name = NIL        # no handle has that index
    p.it = p.owner = NULL
    p.generation += 1
    # The place is vacant now: what this frees may run anything.
    Py_DECREF(it)
    Py_DECREF(owner)
    return 0


# --- errors ---


cdef bint begin(slabcore_aside *aside) noexcept:
    """Put aside what is set; tell whether there is an interpreter to work in."""
    if not Py_IsInitialized() or not PyGILState_Check():
        return False
    slabcore_put_aside(aside)
    return True


cdef int code_of(error) noexcept:
    """Keep what an error says; return its code."""
    cdef PyObject *thread = PyThreadState_GetDict()
    try:
        text = " ".join(str(error).split()) or type(error).__name__
        if thread != NULL:
            (<dict>thread)[_WHY] = text.encode("utf-8", "backslashreplace")
    except BaseException:       # no memory for the text, or it has none
        pass
    if isinstance(error, StaleHandleError):
        return SLABCORE_ESTALE
    if isinstance(error, BusyError):
        return SLABCORE_EBUSY
    if isinstance(error, LifecycleError):
        return SLABCORE_ELIFECYCLE
    if isinstance(error, CorruptionError):
        return SLABCORE_ECORRUPT
    if isinstance(error, MemoryError):
        return SLABCORE_ENOMEM
    if isinstance(error, OSError):
        return SLABCORE_EOS
    if isinstance(error, KeyboardInterrupt):
        return SLABCORE_EINTERRUPTED
    if isinstance(error, (ValueError, TypeError, OverflowError)):
        return SLABCORE_EINPUT
    return SLABCORE_EPYTHON


cdef int refused(const void *handle, uint64_t kind, const void *result) noexcept:
    """Say why a call that touches no Python was refused: the handle, or no result."""
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        known(handle, kind)
        given(result)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef int given(const void *operand) except -1:
    """Refuse a place for a result, or a text, that is NULL."""
    if operand == NULL:
        raise InputError("slabcore", "an operand is NULL", "the address of what it is")
    return 0


cdef str text(const char *operand):
    given(operand)
    return PyUnicode_DecodeFSDefault(operand)


cdef list texts(const char *const *operands):
    """Return texts that end with a NULL; there may be none at all."""
    cdef size_t i = 0
    found = []
    while operands != NULL and operands[i] != NULL:
        found.append(text(operands[i]))
        i += 1
    return found


cdef api int slabcore_abi() noexcept:
    return SLABCORE_ABI


cdef api const char *slabcore_last_error() noexcept:
    cdef PyObject *thread
    cdef slabcore_aside aside
    cdef const char *found = ""
    if not begin(&aside):
        return "Python does not run, or this thread does not hold the GIL"
    thread = PyThreadState_GetDict()
    try:
        if thread != NULL and _WHY in <dict>thread:
            found = PyBytes_AS_STRING((<dict>thread)[_WHY])
    except BaseException:
        pass
    slabcore_put_back(&aside)
    return found


# --- kernels ---


cdef object booted(str design, list settings):
    """Return a kernel with settings, each PATH=VALUE."""
    chosen, machine, options = find(design), Machine(), {}
    for setting in settings:
        try:
            path, value = parse(setting)
        except InputError as error:     # it speaks of a command's option
            raise InputError("settings", f"{setting!r}: {error.what}", error.expected)
        root, _, rest = path.partition(".")
        if root == "machine" and rest:
            machine = override(machine, rest, value, within=root)
        elif root == "costs" and rest:
            costs = override(machine.costs, rest, value, within=root)
            machine = machine.replace(costs=costs)
        elif root == "design" and rest:
            chosen = override(chosen, rest, value, within=root)
        elif path in ("log", "huge_pages") and type(value) is not bool:
            raise InputError(path, f"it is {value!r}", "true or false")
        elif path in ("walk", "sample_ns", "log", "huge_pages"):
            options[path] = value
        else:
            raise InputError(
                path, "there is nothing of that name",
                "machine.…, costs.…, design.…, walk, sample_ns, log or huge_pages",
            )
    return Kernel(chosen, machine=machine, **options)


cdef void *kernel_handed(kernel) except NULL:
    world = kernel.world
    if not isinstance(world, World):
        raise InputError("kernel", "its engine is the reference", "one of the core")
    return handed(KERNEL, world, kernel)


cdef object kernel_of(const slabcore_kernel *kernel):
    return <object>known(kernel, KERNEL).owner


cdef World world_of(const slabcore_kernel *kernel):
    return <World>known(kernel, KERNEL).it


cdef int of_one(
    const slabcore_kernel *kernel, const slabcore_kernel *cache,
    const slabcore_kernel *memcg,
) except -1:
    """Refuse a cache or a cgroup of another kernel."""
    if cache != kernel or memcg != kernel:
        what = "cache" if cache != kernel else "cgroup"
        raise StaleHandleError(f"the {what} is another kernel's")
    return 0


cdef api int slabcore_kernel_new(
    const char *design, const char *const *settings, slabcore_kernel **kernel
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(kernel)
        made = booted(text(design), texts(settings))
        kernel[0] = <slabcore_kernel *>kernel_handed(made)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_kernel_of(PyObject *object_, slabcore_kernel **kernel) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(object_)
        given(kernel)
        if not isinstance(<object>object_, Kernel):
            raise InputError("kernel", "the object is none", "a slabcore.Kernel")
        kernel[0] = <slabcore_kernel *>kernel_handed(<object>object_)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_kernel_object(
    slabcore_kernel *kernel, PyObject **object_
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(object_)
        found = kernel_of(kernel)
        Py_INCREF(found)
        object_[0] = <PyObject *>found
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_kernel_free(slabcore_kernel *kernel) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        if world_of(kernel).running:
            raise LifecycleError("the kernel runs; free it when that has ended")
        given_up(kernel, KERNEL)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


# --- a kernel as bytes ---


cdef api int slabcore_kernel_fork(
    slabcore_kernel *kernel, slabcore_kernel **other
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(other)
        other[0] = <slabcore_kernel *>kernel_handed(kernel_of(kernel).fork())
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_snapshot(
    slabcore_kernel *kernel, slabcore_bytes **made
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(made)
        made[0] = <slabcore_bytes *>handed(BYTES, kernel_of(kernel).snapshot(), None)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_restore(
    const void *data, size_t size, slabcore_kernel **kernel
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(data)
        given(kernel)
        if size > PY_SSIZE_T_MAX:
            raise InputError("restore", f"size is {size}", "that of the bytes")
        read = PyBytes_FromStringAndSize(<const char *>data, size)
        kernel[0] = <slabcore_kernel *>kernel_handed(Kernel.restore(read))
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_bytes_get(
    slabcore_bytes *kept, const void **data, size_t *size
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(data)
        given(size)
        found = <bytes>known(kept, BYTES).it
        data[0] = PyBytes_AS_STRING(found)
        size[0] = len(found)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_bytes_free(slabcore_bytes *kept) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given_up(kept, BYTES)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


# --- time ---


cdef api int slabcore_now_ns(slabcore_kernel *kernel, int64_t *now_ns) noexcept:
    cdef place *p = named(kernel, KERNEL)
    if p == NULL or now_ns == NULL:
        return refused(kernel, KERNEL, now_ns)
    now_ns[0] = (<World>p.it).e.w.s.now
    return SLABCORE_OK


cdef api int slabcore_next_event_ns(
    slabcore_kernel *kernel, int64_t *event_ns
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(event_ns)
        event_ns[0] = world_of(kernel).next_event()
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_advance_to(slabcore_kernel *kernel, int64_t when_ns) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        world_of(kernel).run_to(when_ns)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_drain(slabcore_kernel *kernel) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        kernel_of(kernel).drain()
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


# --- caches and cgroups ---


cdef api int slabcore_create_cache(
    slabcore_kernel *kernel, const char *name, int64_t object_size, int flags,
    slabcore_cache *cache,
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(cache)
        if flags & ~_FLAGS:
            raise InputError("create_cache", f"flags are {flags}", f"0 to {_FLAGS}")
        merges = None if not flags & SLABCORE_MERGEABLE else True
        made = kernel_of(kernel).create_cache(
            text(name),
            object_size=object_size,
            accounted=bool(flags & SLABCORE_ACCOUNTED),
            typesafe=bool(flags & SLABCORE_TYPESAFE),
            reclaimable=bool(flags & SLABCORE_RECLAIMABLE),
            mergeable=False if flags & SLABCORE_ALONE else merges,
        )
        cache.kernel, cache.number = kernel, made.number
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_destroy_cache(
    slabcore_kernel *kernel, const char *name
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        kernel_of(kernel).destroy_cache(text(name))
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_mkdir(
    slabcore_kernel *kernel, const char *path, slabcore_memcg *memcg
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(memcg)
        made = kernel_of(kernel).mkdir(text(path))
        memcg.kernel, memcg.handle = kernel, made.handle
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_rmdir(slabcore_kernel *kernel, slabcore_memcg memcg) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        owner = kernel_of(kernel)
        of_one(kernel, kernel, memcg.kernel)
        path = owner._paths.get(memcg.handle, "")
        owner.rmdir(Memcg(path, memcg.handle))
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef int objects(
    slabcore_kernel *kernel, int what,
    slabcore_cache *cache, slabcore_memcg *memcg, int64_t count,
) noexcept:
    """Allocate, pin or free objects."""
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        world = world_of(kernel)
        of_one(kernel, cache.kernel, memcg.kernel)
        world.objects(what, cache.number, memcg.handle, count)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_alloc(
    slabcore_kernel *kernel, slabcore_cache cache, slabcore_memcg memcg, int64_t count
) noexcept:
    return objects(kernel, ALLOC, &cache, &memcg, count)


cdef api int slabcore_pin(
    slabcore_kernel *kernel, slabcore_cache cache, slabcore_memcg memcg, int64_t count
) noexcept:
    return objects(kernel, PIN, &cache, &memcg, count)


cdef api int slabcore_free(
    slabcore_kernel *kernel, slabcore_cache cache, slabcore_memcg memcg, int64_t count
) noexcept:
    return objects(kernel, FREE, &cache, &memcg, count)


cdef api int slabcore_drop_caches(slabcore_kernel *kernel) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        kernel_of(kernel).drop_caches()
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


# --- calls that run beside one another ---

cdef enum:
    MKDIR
    RMDIR
    JOIN
    BEGIN_ALLOC
    BEGIN_PIN
    BEGIN_FREE
    DROP_CACHES
    HOLD
    WATCH_CACHE
    WATCH_OFFLINE
    WATCH_FREED

_BESIDE = (
    *("mkdir", "rmdir", "join", "alloc", "pin", "free", "drop_caches", "hold"),
    *("cache", "offline", "freed"),
)


cdef int begun(
    slabcore_kernel *kernel, int what, const char *name,
    slabcore_cache *cache, slabcore_memcg *memcg, int64_t count, int64_t *number,
) noexcept:
    """Begin a call, get in line, or watch; what it is not about is NULL.

    Nothing of Python's is touched before begin(): there may be no GIL.
    """
    cdef const slabcore_kernel *of_cache = kernel
    cdef const slabcore_kernel *of_memcg = kernel
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(number)
        owner = kernel_of(kernel)
        if cache != NULL:
            of_cache = cache.kernel
        if memcg != NULL:
            of_memcg = memcg.kernel
        of_one(kernel, of_cache, of_memcg)
        operands = []
        if what in (MKDIR, HOLD):
            operands.append(text(name))
        if memcg != NULL:
            path = owner._paths.get(memcg.handle, "")
            operands.append(Memcg(path, memcg.handle))
        if cache != NULL:
            root = Cache(owner._names.get(cache.number, ""), cache.number)
            operands.insert(1 if what == WATCH_CACHE else 0, root)
        if what in (BEGIN_ALLOC, BEGIN_PIN, BEGIN_FREE):
            operands.append(count)
        if what == HOLD:
            number[0] = owner.hold(*operands)
        elif what >= WATCH_CACHE:
            number[0] = owner.watch(_BESIDE[what], *operands)
        else:
            number[0] = owner.begin(_BESIDE[what], *operands)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_begin_mkdir(
    slabcore_kernel *kernel, const char *path, int64_t *number
) noexcept:
    return begun(kernel, MKDIR, path, NULL, NULL, 0, number)


cdef api int slabcore_begin_rmdir(
    slabcore_kernel *kernel, slabcore_memcg memcg, int64_t *number
) noexcept:
    return begun(kernel, RMDIR, NULL, NULL, &memcg, 0, number)


cdef api int slabcore_begin_join(
    slabcore_kernel *kernel, slabcore_memcg memcg, int64_t *number
) noexcept:
    return begun(kernel, JOIN, NULL, NULL, &memcg, 0, number)


cdef api int slabcore_begin_alloc(
    slabcore_kernel *kernel, slabcore_cache cache, slabcore_memcg memcg, int64_t count,
    int64_t *number,
) noexcept:
    return begun(kernel, BEGIN_ALLOC, NULL, &cache, &memcg, count, number)


cdef api int slabcore_begin_pin(
    slabcore_kernel *kernel, slabcore_cache cache, slabcore_memcg memcg, int64_t count,
    int64_t *number,
) noexcept:
    return begun(kernel, BEGIN_PIN, NULL, &cache, &memcg, count, number)


cdef api int slabcore_begin_free(
    slabcore_kernel *kernel, slabcore_cache cache, slabcore_memcg memcg, int64_t count,
    int64_t *number,
) noexcept:
    return begun(kernel, BEGIN_FREE, NULL, &cache, &memcg, count, number)


cdef api int slabcore_begin_drop_caches(
    slabcore_kernel *kernel, int64_t *number
) noexcept:
    return begun(kernel, DROP_CACHES, NULL, NULL, NULL, 0, number)


cdef api int slabcore_watch_cache(
    slabcore_kernel *kernel, slabcore_cache cache, slabcore_memcg memcg,
    int64_t *number,
) noexcept:
    return begun(kernel, WATCH_CACHE, NULL, &cache, &memcg, 0, number)


cdef api int slabcore_watch_offline(
    slabcore_kernel *kernel, slabcore_memcg memcg, int64_t *number
) noexcept:
    return begun(kernel, WATCH_OFFLINE, NULL, NULL, &memcg, 0, number)


cdef api int slabcore_watch_freed(
    slabcore_kernel *kernel, slabcore_memcg memcg, int64_t *number
) noexcept:
    return begun(kernel, WATCH_FREED, NULL, NULL, &memcg, 0, number)


cdef api int slabcore_hold(
    slabcore_kernel *kernel, const char *mutex, int64_t *number
) noexcept:
    return begun(kernel, HOLD, mutex, NULL, NULL, 0, number)


cdef api int slabcore_let_go(slabcore_kernel *kernel, int64_t number) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        kernel_of(kernel).let_go(number)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_line(
    slabcore_kernel *kernel, const char *mutex, int *owned, size_t *waiting
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(owned)
        given(waiting)
        owned[0], waiting[0] = kernel_of(kernel).line(text(mutex))
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_advance_to_finished(
    slabcore_kernel *kernel, int64_t when_ns, int *finished
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(finished)
        finished[0] = kernel_of(kernel).advance_to_finished(when_ns)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_finished(
    slabcore_kernel *kernel, slabcore_end *ends, size_t room, size_t *count
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    cdef size_t told = 0
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(ends)
        given(count)
        owner = kernel_of(kernel)
        owner._collect()
        for end in owner._ended[:min(room, PY_SSIZE_T_MAX)]:
            value = end.value
            ends[told].number, ends[told].at_ns = end.number, end.at_ns
            ends[told].code = SLABCORE_OK
            if end.error is not None:
                ends[told].code = code_of(end.error)
            ends[told].value = value.handle if isinstance(value, Memcg) else bool(value)
            told += 1
        del owner._ended[:told]
        count[0] = told
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


# --- what comes out ---


cdef object counted(const slabcore_kernel *kernel, const char *name):
    """Return a counter by its name, as Kernel.counters has it."""
    where = text(name)
    found = kernel_of(kernel).counters
    for part in where.split("."):
        names = {str(key): key for key in found} if type(found) is dict else {}
        if part not in names:
            expected = f"one of {', '.join(names)}" if names else "the name before"
            raise InputError("counter", f"there is no {where!r}", expected)
        found = found[names[part]]
    if type(found) not in (int, float):
        expected = f"more of it, {where}.…, as in Kernel.counters"
        raise InputError("counter", f"{where!r} is no number", expected)
    return found


cdef api int slabcore_counter(
    slabcore_kernel *kernel, const char *name, int64_t *value
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(value)
        found = counted(kernel, name)
        if type(found) is float:
            expected = "slabcore_counter_real()"
            raise InputError("counter", f"{text(name)!r} is {found}", expected)
        value[0] = found
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_counter_real(
    slabcore_kernel *kernel, const char *name, double *value
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(value)
        value[0] = counted(kernel, name)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_validate(slabcore_kernel *kernel) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        kernel_of(kernel).validate()
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


# --- files ---


cdef api int slabcore_open(
    slabcore_kernel *kernel, const char *path, int flags, slabcore_file **file
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(file)
        if flags & ~SLABCORE_CURSOR:
            raise InputError("open", f"flags are {flags}", "0 or SLABCORE_CURSOR")
        reader = "cursor" if flags & SLABCORE_CURSOR else "kernel"
        owner = kernel_of(kernel)
        opened = owner.open(text(path), reader=reader)
        file[0] = <slabcore_file *>handed(FILE, opened, owner)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_read(
    slabcore_file *file, void *to, size_t size, size_t *read
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(read)
        if size:
            given(to)
        opened = <object>known(file, FILE).it
        got = <bytes>opened.read(min(size, <size_t>MOST_READ))
        if got:
            memcpy(to, PyBytes_AS_STRING(got), len(got))
        read[0] = len(got)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_lseek(
    slabcore_file *file, int64_t offset, int whence, int64_t *position
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(position)
        opened = <object>known(file, FILE).it
        position[0] = opened.seek(offset, whence)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_close(slabcore_file *file) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        opened = <object>known(file, FILE).it
        given_up(file, FILE)
        opened.close()
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


# --- lists ---


cdef inline side_list *entries_of(const slabcore_list *list_) noexcept nogil:
    """Return the list that a handle names, or NULL."""
    cdef place *p = named(list_, LIST)
    return &(<IntrusiveList>p.it).entries if p != NULL else NULL


cdef int no_entry(
    const slabcore_list *list_, int64_t entry, const void *result
) noexcept:
    """Say why a list refused: its handle, no result, or an entry it has not."""
    cdef slabcore_aside aside
    cdef int code = refused(list_, LIST, result)
    if code != SLABCORE_OK or not begin(&aside):
        return code
    try:
        # As IntrusiveList says it.
        raise StaleHandleError(f"handle {entry}: no entry of the list")
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_list_new(
    const char *const *fields, slabcore_list **list_
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(list_)
        made = IntrusiveList(fields=texts(fields))
        list_[0] = <slabcore_list *>handed(LIST, made, None)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_list_of(PyObject *object_, slabcore_list **list_) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(object_)
        given(list_)
        if not isinstance(<object>object_, IntrusiveList):
            raise InputError("list", "the object is none", "an IntrusiveList")
        list_[0] = <slabcore_list *>handed(LIST, <object>object_, None)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_list_object(slabcore_list *list_, PyObject **object_) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(object_)
        found = <object>known(list_, LIST).it
        Py_INCREF(found)
        object_[0] = <PyObject *>found
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_list_free(slabcore_list *list_) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given_up(list_, LIST)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_list_length(slabcore_list *list_, size_t *length) noexcept:
    cdef side_list *entries = entries_of(list_)
    if entries == NULL or length == NULL:
        return refused(list_, LIST, length)
    length[0] = side_length(entries)
    return SLABCORE_OK


cdef inline int added(side_list *entries, int64_t value, uint32_t *entry) noexcept:
    """Take a new entry, which is on no list yet."""
    if not entries.spares and entries.used == entries.room:
        try:
            side_reserve(entries, 1)
        except MemoryError as error:
            return code_of(error)
    entry[0] = side_take(entries, value)
    return SLABCORE_OK


cdef api int slabcore_list_add(
    slabcore_list *list_, int64_t value, int64_t *entry
) noexcept:
    cdef side_list *entries = entries_of(list_)
    cdef uint32_t i
    if entries == NULL or entry == NULL:
        return refused(list_, LIST, entry)
    if added(entries, value, &i) != SLABCORE_OK:
        return SLABCORE_ENOMEM
    side_put(entries, i)
    entry[0] = side_handle(entries, i)
    return SLABCORE_OK


cdef api int slabcore_list_add_tail(
    slabcore_list *list_, int64_t value, int64_t *entry
) noexcept:
    cdef side_list *entries = entries_of(list_)
    cdef uint32_t i
    if entries == NULL or entry == NULL:
        return refused(list_, LIST, entry)
    if added(entries, value, &i) != SLABCORE_OK:
        return SLABCORE_ENOMEM
    side_put_tail(entries, i)
    entry[0] = side_handle(entries, i)
    return SLABCORE_OK


cdef api int slabcore_list_insert_before(
    slabcore_list *list_, int64_t following, int64_t value, int64_t *entry
) noexcept:
    cdef side_list *entries = entries_of(list_)
    cdef uint32_t i
    if entries == NULL or entry == NULL or not side_names(entries, following):
        return no_entry(list_, following, entry)
    if added(entries, value, &i) != SLABCORE_OK:
        return SLABCORE_ENOMEM
    side_put_before(entries, i, <uint32_t>following)
    entry[0] = side_handle(entries, i)
    return SLABCORE_OK


cdef api int slabcore_list_remove(slabcore_list *list_, int64_t entry) noexcept:
    cdef side_list *entries = entries_of(list_)
    cdef IntrusiveList whole
    if entries == NULL:
        return no_entry(list_, entry, list_)
    whole = <IntrusiveList>named(list_, LIST).it
    if whole.linked != NULL:
        fields_forget(whole.linked, whole.count, entries, entry)
    if not side_remove(entries, entry):
        return no_entry(list_, entry, list_)
    return SLABCORE_OK


cdef api int slabcore_list_move(slabcore_list *list_, int64_t entry) noexcept:
    cdef side_list *entries = entries_of(list_)
    if entries == NULL or not side_move(entries, entry, True):
        return no_entry(list_, entry, list_)
    return SLABCORE_OK


cdef api int slabcore_list_move_tail(slabcore_list *list_, int64_t entry) noexcept:
    cdef side_list *entries = entries_of(list_)
    if entries == NULL or not side_move(entries, entry, False):
        return no_entry(list_, entry, list_)
    return SLABCORE_OK


cdef api int slabcore_list_value(
    slabcore_list *list_, int64_t entry, int64_t *value
) noexcept:
    cdef side_list *entries = entries_of(list_)
    if entries == NULL or value == NULL or not side_value(entries, entry, value):
        return no_entry(list_, entry, value)
    return SLABCORE_OK


cdef inline int64_t entry_or_none(side_list *entries, uint32_t i) noexcept nogil:
    return SLABCORE_NONE if i == NIL else side_handle(entries, i)


cdef api int slabcore_list_first(slabcore_list *list_, int64_t *entry) noexcept:
    cdef side_list *entries = entries_of(list_)
    if entries == NULL or entry == NULL:
        return refused(list_, LIST, entry)
    side_settle(entries)
    entry[0] = entry_or_none(entries, entries.head.first)
    return SLABCORE_OK


cdef api int slabcore_list_last(slabcore_list *list_, int64_t *entry) noexcept:
    cdef side_list *entries = entries_of(list_)
    if entries == NULL or entry == NULL:
        return refused(list_, LIST, entry)
    side_settle(entries)
    entry[0] = entry_or_none(entries, entries.head.last)
    return SLABCORE_OK


cdef api int slabcore_list_next(
    slabcore_list *list_, int64_t entry, int64_t *following
) noexcept:
    cdef side_list *entries = entries_of(list_)
    if entries == NULL or following == NULL or not side_names(entries, entry):
        return no_entry(list_, entry, following)
    side_settle(entries)
    following[0] = entry_or_none(entries, entries.links[<uint32_t>entry].next)
    return SLABCORE_OK


cdef api int slabcore_list_prev(
    slabcore_list *list_, int64_t entry, int64_t *preceding
) noexcept:
    cdef side_list *entries = entries_of(list_)
    if entries == NULL or preceding == NULL or not side_names(entries, entry):
        return no_entry(list_, entry, preceding)
    side_settle(entries)
    preceding[0] = entry_or_none(entries, entries.links[<uint32_t>entry].prev)
    return SLABCORE_OK


# --- more lists over the same entries ---


cdef api int slabcore_field_new(
    slabcore_list *list_, const char *name, slabcore_field **field
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(field)
        made = (<object>known(list_, LIST).it).list(text(name))
        field[0] = <slabcore_field *>handed(FIELD, made, None)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_field_free(slabcore_field *field) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given_up(field, FIELD)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_field_length(slabcore_field *field, size_t *length) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(length)
        length[0] = len(<object>known(field, FIELD).it)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef int moved(slabcore_field *field, str how, int64_t entry) noexcept:
    """Do what a method of FieldList does to an entry."""
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        getattr(<object>known(field, FIELD).it, how)(entry)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_field_add(slabcore_field *field, int64_t entry) noexcept:
    return moved(field, "add", entry)


cdef api int slabcore_field_add_tail(slabcore_field *field, int64_t entry) noexcept:
    return moved(field, "add_tail", entry)


cdef api int slabcore_field_remove(slabcore_field *field, int64_t entry) noexcept:
    return moved(field, "remove", entry)


cdef api int slabcore_field_move(slabcore_field *field, int64_t entry) noexcept:
    return moved(field, "move", entry)


cdef api int slabcore_field_move_tail(slabcore_field *field, int64_t entry) noexcept:
    return moved(field, "move_tail", entry)


cdef api int slabcore_field_first(slabcore_field *field, int64_t *entry) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(entry)
        found = (<object>known(field, FIELD).it).first
        entry[0] = SLABCORE_NONE if found is None else found
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_field_next(
    slabcore_field *field, int64_t entry, int64_t *following
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(following)
        found = (<object>known(field, FIELD).it).next(entry)
        following[0] = SLABCORE_NONE if found is None else found
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef int spliced(slabcore_field *field, bint first, slabcore_field *other) noexcept:
    """Put the entries of one list before or behind those of another of its field."""
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        onto = <object>known(field, FIELD).it
        taken = <object>known(other, FIELD).it
        if first:
            onto.splice(taken)
        else:
            onto.splice_tail(taken)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_field_splice(
    slabcore_field *field, slabcore_field *other
) noexcept:
    return spliced(field, True, other)


cdef api int slabcore_field_splice_tail(
    slabcore_field *field, slabcore_field *other
) noexcept:
    return spliced(field, False, other)


# --- queues ---


cdef api int slabcore_queue_new(int cpus, slabcore_queue **queue) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(queue)
        queue[0] = <slabcore_queue *>handed(QUEUE, RcuQueue(cpus), None)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_queue_free(slabcore_queue *queue) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given_up(queue, QUEUE)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_queue_call(
    slabcore_queue *queue, int64_t value, int cpu
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        (<object>known(queue, QUEUE).it).call(value, cpu)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_queue_start(slabcore_queue *queue, int64_t *number) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(number)
        number[0] = (<object>known(queue, QUEUE).it).start()
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_queue_quiescent(
    slabcore_queue *queue, int cpu, int *over
) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(over)
        over[0] = bool((<object>known(queue, QUEUE).it).quiescent(cpu))
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_queue_pending(slabcore_queue *queue, size_t *pending) noexcept:
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(pending)
        pending[0] = (<object>known(queue, QUEUE).it).pending
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef int invoked(
    slabcore_queue *queue, bint barrier, int64_t *values, size_t room, size_t *count
) noexcept:
    """Write the values of what is invoked, if there is room for all that is pending."""
    cdef slabcore_aside aside
    cdef int code = SLABCORE_OK
    cdef Py_buffer came
    if not begin(&aside):
        return SLABCORE_EGIL
    try:
        given(count)
        waiting = <object>known(queue, QUEUE).it
        if room < waiting.pending:
            what = f"there is room for {room} values"
            raise InputError("queue", what, f"{waiting.pending}, all that is pending")
        if room:
            given(values)
        out = waiting.barrier() if barrier else waiting.invoke()
        PyObject_GetBuffer(out, &came, PyBUF_SIMPLE)
        if came.len:
            memcpy(values, came.buf, came.len)
        count[0] = came.len // sizeof(int64_t)
        PyBuffer_Release(&came)
    except BaseException as error:
        code = code_of(error)
    slabcore_put_back(&aside)
    return code


cdef api int slabcore_queue_invoke(
    slabcore_queue *queue, int64_t *values, size_t room, size_t *count
) noexcept:
    return invoked(queue, False, values, room, count)


cdef api int slabcore_queue_barrier(
    slabcore_queue *queue, int64_t *values, size_t room, size_t *count
) noexcept:
    return invoked(queue, True, values, room, count)

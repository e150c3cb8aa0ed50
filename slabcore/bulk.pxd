"""Calls of a world's own user task, and many of one kind in a row.

Each begins when the one before it has ended, as in a loop around them: only what is
around a call is left out. What a call needs of its operands is looked at when its turn
has come, since those before it may have removed a cgroup.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

from slabcore.arena cimport NIL, arena_extend
from slabcore.clock cimport FOREVER
from slabcore.engine cimport engine, note_drained, settle
from slabcore.memcontrol cimport mem_cgroup, memcg_at
from slabcore.sched cimport frame, sched_wake, task, task_push
from slabcore.slab cimport root_gone, root_serves
from slabcore.world cimport (
    F_ALLOC,
    F_CREATE_ROOT,
    F_FREE_OBJECTS,
    F_HOLD_MUTEX,
    F_MKDIR,
    F_RMDIR,
    hold,
    keep_name,
    link_root,
    memcg_handle,
    task_at,
    task_new,
    world,
)


cdef struct bulk:
    int function            # F_ALLOC, F_FREE_OBJECTS, F_MKDIR, F_RMDIR, F_CREATE_ROOT
    uint32_t how            # F_ALLOC's c
    int64_t calls
    int64_t done            # those that have ended, and did what they should
    bint failed             # the next one was made in vain
    const int64_t *roots    # a number a call
    const int64_t *memcgs   # a handle; of F_MKDIR, below 0, -1 - i: made by call i
    const int64_t *counts   # of objects
    const int64_t *sizes    # of a root's objects
    const int64_t *flags    # of a root, F_CREATE_ROOT's b
    const char *names       # of the next root and those after it
    const uint8_t *lengths  # of the name of each
    int64_t *made           # a handle or number a call


cdef inline int64_t given(const int64_t *numbers, int64_t i) noexcept nogil:
    """Read a caller's number, once: others may write to it while a world runs."""
    return (<const volatile int64_t *>numbers)[i]


cdef inline void bulk_init(bulk *b, int function, int64_t calls) noexcept nogil:
    memset(b, 0, sizeof(bulk))
    b.function = function
    b.calls = calls


cdef inline int call_begin(engine *e, const frame *operands) except -1 nogil:
    """Let a new task run a function; its operands are those of a frame."""
    cdef world *w = &e.w
    cdef task *t
    cdef frame *f
    w.n.user_tasks += 1
    w.n.threads += 1
    task_new(w, w.main_cpu, False, &t)
    f = task_push(t, operands.function)
    f.a, f.b, f.c, f.d = operands.a, operands.b, operands.c, operands.d
    f.n = operands.n
    w.main = t
    e.until = FOREVER
    sched_wake(&w.s, t)
    return settle(e)


cdef inline int64_t call_beside(
    engine *e, const frame *operands, uint32_t memcg
) except -1 nogil:
    """Let a new task of a cgroup run a function beside all others; return its ticket.

    memcg: it has a task more until then; NIL: none has.
    """
    cdef world *w = &e.w
    cdef task *t
    cdef frame *f
    cdef int64_t ticket
    w.n.user_tasks += 1
    w.n.threads += 1
    task_new(w, w.main_cpu, False, &t)
    f = task_push(t, operands.function)
    f.a, f.b, f.c, f.d = operands.a, operands.b, operands.c, operands.d
    f.n = operands.n
    w.tickets += 1
    t.ticket = ticket = w.tickets
    if memcg != NIL:
        t.memcg = memcg
        memcg_at(&w.m, memcg).tasks += 1
    if f.function == F_HOLD_MUTEX:
        keep_hold(w, t)
    sched_wake(&w.s, t)
    settle(e)
    return ticket


cdef inline int keep_hold(world *w, task *t) except -1 nogil:
    """Keep who is to be woken when a mutex is given up."""
    cdef uint32_t i = w.holds.used
    arena_extend(&w.holds, i + 1)
    (<hold *>w.holds.entries)[i].ticket = t.ticket
    (<hold *>w.holds.entries)[i].task = t.index
    return 0


cdef inline bint hold_end(engine *e, int64_t ticket) except -1 nogil:
    """Give up a mutex, or a place in its line; tell whether there was one."""
    cdef world *w = &e.w
    cdef hold *holds = <hold *>w.holds.entries
    cdef uint32_t i = 0, j
    cdef task *t
    while i < w.holds.used and holds[i].ticket != ticket:
        i += 1
    if i == w.holds.used:
        return False
    t = task_at(w, holds[i].task)
    w.holds.used -= 1
    for j in range(i, w.holds.used):
        holds[j] = holds[j + 1]
    t.frames[0].b = 0
    if t.frames[0].i:
        w.n.user_tasks += 1
        sched_wake(&w.s, t)
        settle(e)
    return True


cdef inline void call_end(engine *e) noexcept nogil:
    """Note that the task of a call is gone."""
    e.w.n.user_tasks -= 1
    note_drained(e)


cdef inline bint named(
    world *w, int64_t handle, bint alive, uint32_t *memcg
) noexcept nogil:
    """Tell whether a handle names a cgroup, one that is not removed if it must live."""
    cdef const mem_cgroup *m
    memcg[0] = <uint32_t>handle
    if handle < 0 or memcg[0] >= w.m.groups.used:
        return False
    m = memcg_at(&w.m, memcg[0])
    return m.generation == handle >> 32 and not (alive and m.dead)


cdef inline int bulk_name(world *w, bulk *b, uint32_t *at) except -1 nogil:
    """Keep the name of the next root; of none, there is nothing to keep."""
    cdef uint8_t length = b.lengths[b.done]
    at[0] = NIL
    if length:
        keep_name(w, b.names, length, at)
        b.names += length
    return 0


cdef inline int bulk_boot(world *w, bulk *b) except -1 nogil:
    """Create the next root before time begins."""
    cdef int64_t flags = given(b.flags, b.done)
    cdef uint32_t name, number
    bulk_name(w, b, &name)
    link_root(
        w, <uint32_t>given(b.sizes, b.done), flags & 1 != 0, flags & 2 != 0,
        flags & 4 != 0, flags & 16 != 0, name, &number,
    )
    b.made[b.done] = number
    b.done += 1
    return 0


cdef inline int bulk_next(world *w, bulk *b, frame *f) except -1 nogil:
    """Tell whether the next call can be made, and put its operands into a frame."""
    cdef int64_t i = b.done, handle, root
    if i == b.calls:
        return False
    f.function = b.function
    f.a = f.b = f.c = f.d = NIL
    f.n = 0
    if b.function == F_CREATE_ROOT:
        f.a = <uint32_t>given(b.sizes, i)
        f.b = <uint32_t>given(b.flags, i)
        bulk_name(w, b, &f.d)
        return True
    handle = given(b.memcgs, i)
    if b.function == F_MKDIR or b.function == F_RMDIR:
        if b.function == F_MKDIR and handle < 0 and -1 - handle < i:
            handle = given(b.made, -1 - handle)
        if not named(w, handle, True, &f.a):
            return False
        f.b = memcg_at(&w.m, f.a).generation
        return b.function == F_MKDIR or f.a != 0
    root = given(b.roots, i)
    if not 0 <= root < w.c.roots.used:
        return False
    f.a = <uint32_t>root
    f.c = b.how
    f.n = given(b.counts, i)
    if b.function == F_ALLOC:
        return root_serves(&w.c, f.a) and named(w, handle, True, &f.b)
    if root_gone(&w.c, f.a) or not named(w, handle, False, &f.b):
        return False
    f.d = memcg_at(&w.m, f.b).generation
    return True


cdef inline void bulk_end(world *w, bulk *b) noexcept nogil:
    """Take the result of a call that has ended."""
    cdef uint32_t result = w.main_result
    if b.function == F_CREATE_ROOT:
        b.made[b.done] = result
    elif b.function == F_MKDIR:
        b.failed = result == NIL
        if not b.failed:
            b.made[b.done] = memcg_handle(w, result)
    elif b.function == F_RMDIR:
        b.failed = not result
    elif b.function == F_FREE_OBJECTS:
        b.failed = result != NIL
    b.done += not b.failed

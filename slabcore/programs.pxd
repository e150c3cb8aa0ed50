"""What programs and the world's own user task do."""

from libc.stdint cimport int32_t, int64_t, uint32_t

from slabcore.arena cimport NIL, arena_at, arena_take
from slabcore.clock cimport FOREVER, clock_push
from slabcore.memcontrol cimport (
    holding_add,
    holding_at,
    holding_of,
    mem_cgroup,
    memcg_at,
    objcg_at,
    objcg_first,
    objcg_next,
    objcg_of,
)
from slabcore.rcu cimport call_rcu
from slabcore.sched cimport CGROUP_MUTEX, GONE, frame, sched_wake, task, task_push
from slabcore.slab cimport (
    accounted_at,
    cache_at,
    kmem_cache,
    links_at,
    root_at,
    root_cache,
    root_gone,
    root_of,
    root_serves,
    root_slot,
)
from slabcore.world cimport (
    CALL,
    CB_PLAIN,
    DONE,
    F_ALLOC,
    F_ATTACH,
    F_BURST,
    F_CREATE_ROOT,
    F_DESTROY_ROOT,
    F_DROP_CACHES,
    F_FREE_OBJECTS,
    F_HOLD_MUTEX,
    F_HOTPLUG,
    F_MISS,
    F_MKDIR,
    F_PROGRAM,
    F_READ_FILE,
    F_RMDIR,
    F_SLABINFO,
    F_UNPIN,
    F_UNPIN_ALL,
    FILE_SLABINFO,
    MEMORY_OFFLINE,
    OP_ALLOC,
    OP_AT,
    OP_CALLBACKS,
    OP_CREATE_CACHE,
    OP_DESTROY_CACHE,
    OP_DROP_CACHES,
    OP_EXIT,
    OP_EXPEDITE,
    OP_FORK,
    OP_FREE,
    OP_HOLD,
    OP_HOTPLUG,
    OP_JOIN,
    OP_KEEP,
    OP_MARK,
    OP_MKDIR,
    OP_PIN,
    OP_PROBE,
    OP_RMDIR,
    OP_RMDIR_KEPT,
    OP_RUN,
    OP_SETTLE,
    OP_SLABINFO,
    OP_SLEEP,
    OP_TAKE,
    OP_WAIT,
    RUN,
    RUN_USER,
    SLEEP,
    SLEEP_D,
    T_OBJECTS,
    T_PROGRAMS,
    begin_phase,
    cache_get,
    cache_put,
    call,
    css_put,
    end_user_task,
    file_at,
    heir_of,
    kept_memcg,
    lock,
    note_finished,
    objcg_put,
    open_file,
    passes,
    passes_user,
    program,
    put_objects,
    refill_stock,
    run,
    run_user,
    spend,
    take_objects,
    task_new,
    unlock,
    world,
)
from slabcore.procfs cimport file_close, file_note, file_open, file_read


cdef inline const char *step_wrong(
    const int64_t *step, uint32_t programs
) noexcept nogil:
    """Return what is wrong with a step of the program of this number, or NULL."""
    cdef int64_t op = step[0]
    cdef int i
    cdef bint known = (
        OP_MKDIR <= op <= OP_DESTROY_CACHE
        or OP_KEEP <= op <= OP_TAKE
        or op == OP_MARK
        or (op == OP_HOTPLUG and step[1] <= MEMORY_OFFLINE)
    )
    if not known:
        return "is no step; expected (op, a, b, c, d)"
    for i in range(1, 5):
        if not 0 <= step[i] < FOREVER:
            return "has a figure that is not 0 to 2**62"
    if op == OP_FORK and step[1] >= programs:
        return "forks no earlier program"
    if op in (OP_ALLOC, OP_PIN) and max(step[1], step[2], step[3]) >= <int64_t>1 << 31:
        return "has a figure of 2**31 or more"
    if op in (OP_HOLD, OP_FREE, OP_DESTROY_CACHE) and (
        max(step[1], step[2]) >= <int64_t>1 << 31
    ):
        return "has a figure of 2**31 or more"
    if op == OP_CREATE_CACHE and not (1 <= step[1] <= 1 << 22 and step[2] < 32):
        return "has no size or flags of a cache"
    if op == OP_SETTLE and not step[2]:
        return "looks at no interval; expected c over 0"
    if op == OP_SLABINFO and not (1 <= step[1] < <int64_t>1 << 31 and step[3] < 2):
        return "reads no bytes, or by neither reader"
    return NULL


cdef inline int alloc(world *w, task *t, frame *f) except -1 nogil:
    """Allocate n objects of root a for cgroup b; c: 0 frees each, 1 holds, 2 pins."""
    cdef mem_cgroup *m
    cdef int64_t slabs
    while True:
        if f.pc == 0:
            if f.i == f.n:
                return DONE
            f.pc = 1
            if passes(w, t, spend(w, T_OBJECTS, w.cost.alloc)):
                continue
            return RUN
        elif f.pc == 1:
            m = memcg_at(&w.m, f.b)
            if not root_serves(&w.c, f.a):
                return DONE
            f.d = root_at(&w.c, f.a).cache
            f.v = NIL
            if w.k.by_object and root_at(&w.c, f.a).accounted:
                f.v = objcg_of(&w.m, f.b)
            if f.v != NIL:
                objcg_at(&w.m, <uint32_t>f.v).refs += 1
                objcg_at(&w.m, <uint32_t>f.v).in_flight += 1
            f.pc = 2
            if root_at(&w.c, f.a).accounted and w.k.children and m.kmem_online:
                if root_slot(&w.c, f.a, m.kmemcg_id) == NIL:
                    return call(t, F_MISS, f.a, f.b)
                f.d = root_slot(&w.c, f.a, m.kmemcg_id)
        elif f.pc == 2:
            if not root_serves(&w.c, f.a):
                if f.v != NIL:
                    objcg_at(&w.m, <uint32_t>f.v).in_flight -= 1
                    objcg_put(w, t.cpu, <uint32_t>f.v, 1)
                return DONE
            slabs = take_objects(w, t.cpu, f.d, 1)
            if slabs and links_at(&w.c, f.d).memcg_index != NIL:
                refill_stock(w, t.cpu, links_at(&w.c, f.d).memcg_index)
            cache_at(&w.c, f.d).in_flight += 1
            cache_get(w, f.d, 1)
            f.pc = 3
            if passes(w, t, spend(w, T_OBJECTS, w.cost.page_alloc * slabs)):
                continue
            return RUN
        elif f.pc == 3:
            f.pc = 4
            cache_at(&w.c, f.d).in_flight -= 1
            cache_put(w, t.cpu, f.d, 1)
            if f.v != NIL:
                objcg_at(&w.m, <uint32_t>f.v).in_flight -= 1
            if f.c == 0:
                put_objects(w, t.cpu, f.d, 1, &slabs)
                if f.v != NIL:
                    objcg_put(w, t.cpu, <uint32_t>f.v, 1)
                if passes(w, t, spend(w, T_OBJECTS, w.cost.page_free * slabs)):
                    continue
                return RUN
            cache_at(&w.c, f.d).pinned += f.c == 2
            if f.v != NIL:
                holding_add(&w.m, <uint32_t>f.v, f.a, f.c == 1, f.c == 2)
                root_at(&w.c, f.a).charged += f.c == 1
                root_at(&w.c, f.a).charged_pinned += f.c == 2
        else:
            f.i += 1
            f.pc = 0


cdef inline int64_t free_for(world *w, uint32_t cache) noexcept nogil:
    """Return how many objects of a cache somebody may free who is not charged."""
    cdef const kmem_cache *c = cache_at(&w.c, cache)
    cdef int64_t count = <int64_t>c.inuse - c.pinned - c.in_flight
    if links_at(&w.c, cache).memcg_index == NIL:
        count -= root_of(&w.c, cache).charged
    return count


cdef inline int64_t free_for_memcg(
    world *w, uint32_t memcg, uint32_t root
) noexcept nogil:
    """Return how many objects of a root are a cgroup's."""
    cdef uint32_t i = memcg_at(&w.m, memcg).kmem_caches.first, held
    cdef int64_t count = 0
    while i != NIL:
        if links_at(&w.c, i).root == root:
            count += free_for(w, i)
        i = links_at(&w.c, i).memcg.next
    i = objcg_first(&w.m, memcg)
    while i != NIL:
        held = holding_of(&w.m, i, root)
        if held != NIL:
            count += holding_at(&w.m, held).held
        i = objcg_next(&w.m, i)
    return count


cdef inline int free_to(
    world *w, int32_t cpu, uint32_t cache, int64_t most, int64_t *count,
    int64_t *discarded,
) except -1 nogil:
    """Free up to *count* and *most* objects; count them and the slabs discarded."""
    cdef int64_t freed = min(count[0], most), slabs
    if freed:
        put_objects(w, cpu, cache, freed, &slabs)
        discarded[0] += slabs
        count[0] -= freed
    return 0


cdef inline int free_charged(
    world *w, int32_t cpu, uint32_t memcg, uint32_t root, int64_t *count,
    int64_t *discarded,
) except -1 nogil:
    """Free objects that a cgroup's obj_cgroups answer for."""
    cdef uint32_t i = objcg_first(&w.m, memcg), next, held
    cdef int64_t before
    while i != NIL:
        next = objcg_next(&w.m, i)
        held = holding_of(&w.m, i, root)
        if held != NIL:
            before = count[0]
            free_to(
                w, cpu, root_at(&w.c, root).cache, holding_at(&w.m, held).held, count,
                discarded,
            )
            holding_at(&w.m, held).held -= <uint32_t>(before - count[0])
            root_at(&w.c, root).charged -= <uint32_t>(before - count[0])
            if before != count[0]:
                objcg_put(w, cpu, i, before - count[0])
        i = next
    return 0


cdef inline int free_objects(world *w, task *t, frame *f) except -1 nogil:
    """Free n objects of root a for cgroup b of generation d; c: at most what is there.

    Its own first, then what it was given, the latest first, then what nobody is
    charged for. Its result is NIL, or how many there are if those are fewer than n.
    """
    cdef uint32_t root = root_at(&w.c, f.a).cache
    cdef uint32_t memcg, i
    cdef int64_t count, most = 0, discarded = 0
    cdef int given
    cdef bint gone = root_gone(&w.c, f.a)
    if f.pc == 0:
        f.pc = 1
        if w.k.inherits:
            f.b = heir_of(w, f.b)
            memcg_at(&w.m, f.b).refs += 1
        return run(t, spend(w, T_OBJECTS, w.cost.alloc * f.n))
    if f.pc == 2:
        t.result = NIL
        return DONE
    memcg = heir_of(w, f.b)
    if not w.k.inherits and memcg_at(&w.m, f.b).generation != f.d:
        memcg = NIL
    if not gone:
        most = free_for(w, root)
        if memcg != NIL:
            most += free_for_memcg(w, memcg, f.a)
    count = min(f.n, most) if f.c else f.n
    t.result = <uint32_t>min(most, <int64_t>NIL - 1)
    f.pc = 2 if count <= most else 3
    if count <= most and memcg != NIL:
        free_charged(w, t.cpu, memcg, f.a, &count, &discarded)
        for given in range(2):
            i = memcg_at(&w.m, memcg).kmem_caches.first
            while i != NIL:
                if links_at(&w.c, i).root == f.a and (
                    cache_at(&w.c, i).deactivated == given
                ):
                    free_to(w, t.cpu, i, free_for(w, i), &count, &discarded)
                i = links_at(&w.c, i).memcg.next
    if count <= most and not gone:
        free_to(w, t.cpu, root, free_for(w, root), &count, &discarded)
    if w.k.inherits:
        css_put(w, t.cpu, f.b, 1)
    if f.pc == 3:
        return DONE
    return run(t, spend(w, T_OBJECTS, w.cost.page_free * discarded))


cdef inline int unpin(world *w, task *t, frame *f) except -1 nogil:
    """Free the pinned objects of root cache a that nobody is charged for."""
    cdef kmem_cache *c = cache_at(&w.c, f.a)
    cdef root_cache *r = root_of(&w.c, f.a)
    cdef int64_t discarded
    if f.pc == 0:
        f.n = <int64_t>c.pinned - r.charged_pinned
        if not f.n or not r.reclaimable:
            return DONE
        c.pinned -= <uint32_t>f.n
        c.in_flight += <uint32_t>f.n
        f.pc = 1
        return run(t, spend(w, T_OBJECTS, w.cost.alloc * f.n))
    if f.pc == 1:
        c.in_flight -= <uint32_t>f.n
        put_objects(w, t.cpu, f.a, f.n, &discarded)
        f.pc = 2
        return run(t, spend(w, T_OBJECTS, w.cost.page_free * discarded))
    return DONE


cdef inline int unpin_in(
    world *w, int32_t cpu, uint32_t cache, int64_t count, int64_t *discarded
) except -1 nogil:
    cdef int64_t slabs
    cache_at(&w.c, cache).pinned -= <uint32_t>count
    put_objects(w, cpu, cache, count, &slabs)
    discarded[0] += slabs
    return 0


cdef inline int unpin_charged(
    world *w, int32_t cpu, uint32_t objcg, bint free, int64_t *found,
    int64_t *discarded,
) except -1 nogil:
    """Count the pinned objects that an obj_cgroup answers for, or free them."""
    cdef uint32_t i = objcg_at(&w.m, objcg).first
    cdef root_cache *r
    cdef int64_t count, freed = 0
    while i != NIL:
        r = root_at(&w.c, holding_at(&w.m, i).root)
        count = holding_at(&w.m, i).pinned
        if count and r.reclaimable:
            found[0] += count
            if free:
                holding_at(&w.m, i).pinned = 0
                r.charged_pinned -= <uint32_t>count
                unpin_in(w, cpu, r.cache, count, discarded)
                freed += count
        i = holding_at(&w.m, i).next
    if freed:
        objcg_put(w, cpu, objcg, freed)
    return 0


cdef inline int unpin_all(world *w, task *t, frame *f) except -1 nogil:
    """Free what cgroup a has pinned, at one go: its caches may move on."""
    cdef uint32_t i = memcg_at(&w.m, f.a).kmem_caches.last, next
    cdef int64_t count = 0, discarded = 0
    cdef kmem_cache *c
    if f.pc == 2:
        return DONE
    while i != NIL:
        c = cache_at(&w.c, i)
        if c.pinned and root_of(&w.c, i).reclaimable:
            count += c.pinned
            if f.pc == 1:
                unpin_in(w, t.cpu, i, c.pinned, &discarded)
        i = links_at(&w.c, i).memcg.prev
    i = objcg_first(&w.m, f.a)
    while i != NIL:
        next = objcg_next(&w.m, i)
        unpin_charged(w, t.cpu, i, f.pc == 1, &count, &discarded)
        i = next
    f.pc += 1
    if f.pc == 1:
        return run(t, spend(w, T_OBJECTS, w.cost.alloc * count))
    return run(t, spend(w, T_OBJECTS, w.cost.page_free * discarded))


cdef inline int drop_caches(world *w, task *t, frame *f) except -1 nogil:
    """Free pinned objects: of the roots, then cgroup by cgroup, oldest first."""
    while True:
        if f.pc == 0:
            f.n = w.c.roots.used
            f.i = 0
            f.pc = 1
        elif f.pc == 1:
            while f.i < f.n and root_gone(&w.c, <uint32_t>f.i):
                f.i += 1
            if f.i < f.n:
                f.i += 1
                return call(t, F_UNPIN, root_at(&w.c, <uint32_t>f.i - 1).cache, NIL)
            f.pc = 2
            return call(t, F_UNPIN_ALL, 0, NIL)
        elif f.pc == 2:
            f.a = w.m.all.first
            f.pc = 3
        elif f.pc == 3:
            while f.a != NIL and not memcg_at(&w.m, f.a).refs:
                f.a = memcg_at(&w.m, f.a).siblings.next
            if f.a == NIL:
                return DONE
            memcg_at(&w.m, f.a).refs += 1
            f.pc = 4
            return call(t, F_UNPIN_ALL, f.a, NIL)
        else:
            css_put(w, t.cpu, f.a, 1)
            f.a = memcg_at(&w.m, f.a).siblings.next
            f.pc = 3


cdef inline int hold_mutex(world *w, task *t, frame *f) except -1 nogil:
    """Own mutex a, until somebody sets b and wakes the task; i: it was owned."""
    if f.pc == 0:
        f.pc = 1
        return lock(w, t, <int>f.a)
    if f.pc == 1 and f.b == NIL:
        f.pc = 2
        f.i = 1
        end_user_task(w)
        note_finished(w, t.ticket, F_HOLD_MUTEX, 1)
        return SLEEP_D
    unlock(w, <int>f.a)
    return DONE


cdef inline int burst(world *w, task *t, frame *f) except -1 nogil:
    """Go n rounds over accounted roots [a, b): v ns of its own, then c objects of each.

    d: 0 frees each object, 2 pins it. i counts.
    """
    cdef frame *g
    cdef uint32_t memcg = t.memcg if t.memcg != NIL else 0
    cdef int64_t width = <int64_t>f.b - f.a
    while True:
        if f.pc == 0:
            if width <= 0 or f.i >= f.n * width:
                return DONE
            f.pc = 1
            if passes_user(w, t, spend(w, T_PROGRAMS, f.v)):
                continue
            return RUN_USER
        f.pc = 0
        g = task_push(t, F_ALLOC)
        g.a = accounted_at(&w.c, <uint32_t>(f.a + f.i % width))
        g.b = memcg
        g.c = f.d
        g.n = f.c
        f.i += 1
        return CALL


cdef inline int sleep_until(
    world *w, task *t, int64_t when
) except -1 nogil:
    clock_push(&w.s.timers, when, t.number, t.index)
    return SLEEP


cdef inline int queue_callbacks(world *w, int32_t cpu, int64_t n) except -1 nogil:
    cdef int64_t _i
    for _i in range(n):
        call_rcu(&w.r, cpu, CB_PLAIN, 0)
    return 0


cdef inline int keep(world *w, task *t) except -1 nogil:
    """Hand the cgroup that the task holds to rmdir_kept."""
    cdef uint32_t i
    cdef kept_memcg *kept
    arena_take(&w.kept, &i)
    kept = <kept_memcg *>arena_at(&w.kept, i)
    kept.memcg = t.made
    kept.generation = t.made_generation
    t.made = NIL
    return 0


cdef inline void take(world *w, task *t) noexcept nogil:
    """Hold the oldest cgroup that was kept."""
    cdef kept_memcg *kept = <kept_memcg *>arena_at(&w.kept, w.kept_head)
    w.kept_head += 1
    t.made = kept.memcg
    t.made_generation = kept.generation


cdef inline int slabinfo(world *w, task *t, frame *f) except -1 nogil:
    """Read /proc/slabinfo to its end: a bytes a read(), v ns between two, c: a cursor.

    b: the file. n: calls so far. i: when the first began.
    """
    cdef open_file *o
    while True:
        if f.pc == 0:
            file_open(w, FILE_SLABINFO, NIL, f.c != 0, True, &f.b)
            f.i = w.s.now
            f.pc = 1
        elif f.pc == 1:
            f.n += 1
            f.pc = 2
            o = file_at(w, f.b)
            file_read(o, &o.f_pos, NULL, f.a)
            return call(t, F_READ_FILE, f.b, NIL)
        else:
            o = file_at(w, f.b)
            if o.result <= 0:
                file_note(w, o, f.i, f.n)
                file_close(w, f.b)
                return DONE
            f.pc = 1
            if f.v:
                return sleep_until(w, t, w.s.now + f.v)


cdef inline int program_step(
    world *w, task *t, frame *f, const int64_t *step
) except -1 nogil:
    """Begin a step; what follows it is at the pc it leaves."""
    cdef frame *g
    cdef int64_t number = step[0]
    f.pc = 2
    if number == OP_MKDIR:
        f.pc = 3
        if step[1] and t.made != NIL:
            return call(t, F_MKDIR, t.made, t.made_generation)
        return call(t, F_MKDIR, 0, memcg_at(&w.m, 0).generation)
    elif number == OP_RMDIR:
        if t.made != NIL:
            f.pc = 4
            return call(t, F_RMDIR, t.made, t.made_generation)
    elif number == OP_FORK:
        f.pc = 5
        f.b = <uint32_t>step[1]
        f.v = step[2]
        return run(t, spend(w, T_PROGRAMS, w.cost.fork))
    elif number == OP_JOIN:
        if t.made != NIL and t.memcg == NIL:
            return call(t, F_ATTACH, t.made, t.made_generation)
    elif number == OP_ALLOC or number == OP_PIN:
        g = task_push(t, F_BURST)
        g.a = <uint32_t>min(step[1], <int64_t>0x7FFFFFFF)
        g.b = <uint32_t>min(step[1] + step[2], <int64_t>w.c.accounted.used)
        g.c = 1 if number == OP_ALLOC else <uint32_t>step[3]
        g.d = 0 if number == OP_ALLOC else 2
        g.n = step[3] if number == OP_ALLOC else 1
        g.v = step[4]
        return CALL
    elif number == OP_SLEEP:
        return sleep_until(w, t, w.s.now + step[1])
    elif number == OP_RUN:
        if step[2] == 0 or w.k.kmem:
            return run_user(t, spend(w, T_PROGRAMS, step[1]))
    elif number == OP_CALLBACKS:
        queue_callbacks(w, t.cpu, step[1])
    elif number == OP_EXIT:
        f.pc = 6
        f.v = step[1]
        return run(t, spend(w, T_PROGRAMS, w.cost.exit))
    elif number == OP_WAIT:
        if t.children:
            t.waiting = 1
            return SLEEP
    elif number == OP_AT:
        if step[1] > w.s.now:
            return sleep_until(w, t, step[1])
    elif number == OP_DROP_CACHES:
        return call(t, F_DROP_CACHES, NIL, NIL)
    elif number == OP_MARK:
        begin_phase(w, step[1])
    elif number == OP_HOTPLUG:
        return call(t, F_HOTPLUG, <uint32_t>step[1], NIL)
    elif number == OP_KEEP:
        if t.made != NIL:
            keep(w, t)
    elif number == OP_RMDIR_KEPT:
        f.pc = 8
    elif number == OP_TAKE:
        if w.kept_head < w.kept.used:
            take(w, t)
    elif number == OP_SETTLE:
        w.n.settling += 1
        f.v = w.s.now
        f.pc = 9
    elif number == OP_EXPEDITE:
        w.expedited = step[1] != 0
    elif number == OP_SLABINFO:
        g = task_push(t, F_SLABINFO)
        g.a = <uint32_t>step[1]
        g.v = step[2]
        g.c = step[3] != 0
        return CALL
    elif number == OP_PROBE:
        f.v = step[1]
        f.pc = 10
        return lock(w, t, CGROUP_MUTEX)
    elif number == OP_CREATE_CACHE:
        f.pc = 7
        return call(t, F_CREATE_ROOT, <uint32_t>step[1], <uint32_t>step[2])
    elif number in (OP_HOLD, OP_FREE, OP_DESTROY_CACHE):
        return cache_step(w, t, number, step)
    return CALL


cdef inline int cache_step(
    world *w, task *t, int64_t number, const int64_t *step
) noexcept nogil:
    """Begin a step on a root cache: 0 is the one the task holds, n + 1 is number n."""
    cdef frame *g
    cdef uint32_t root = <uint32_t>step[1] - 1 if step[1] else t.cache
    cdef uint32_t memcg = t.memcg if t.memcg != NIL else 0
    if root >= w.c.roots.used:
        return CALL
    if number == OP_FREE:
        g = task_push(t, F_FREE_OBJECTS)
        g.c = 1
        g.d = memcg_at(&w.m, memcg).generation
    elif not root_serves(&w.c, root):
        return CALL
    elif number == OP_HOLD:
        g = task_push(t, F_ALLOC)
        g.c = 1
    else:
        return call(t, F_DESTROY_ROOT, root, NIL)
    g.a = root
    g.b = memcg
    g.n = step[2]
    return CALL


cdef inline int run_program(world *w, task *t, frame *f) except -1 nogil:
    """Run program a: n repetitions still to start, none from time d:c on; i, the step.

    The first start may be later: then v is its time.
    """
    cdef program *p = <program *>arena_at(&w.programs, f.a)
    cdef task *child
    cdef frame *g
    cdef kept_memcg *kept
    cdef int64_t until
    while True:
        if f.pc == 0:
            f.pc = 1
            if f.v > w.s.now:
                return sleep_until(w, t, f.v)
        elif f.pc == 1:
            until = <int64_t>(<uint32_t>f.d) << 32 | f.c
            if not f.n or (until and w.s.now >= until):
                return end_program(w, t)
            if t.while_parent and not parent_runs(t):
                return end_program(w, t)
            f.n -= 1
            f.i = 0
            f.pc = 2
        elif f.pc == 2:
            if f.i == p.nsteps:
                if t.parent == NULL and not t.background:
                    w.n.iterations += 1
                f.pc = 1
            else:
                f.i += 1
                return program_step(w, t, f, &p.steps[5 * (f.i - 1)])
        elif f.pc == 3:
            t.made = t.result
            if t.made == NIL:
                if not w.n.mkdir_failed_at:
                    w.n.mkdir_failed_at = w.s.now
                w.n.mkdir_failures += 1
            else:
                t.made_generation = memcg_at(&w.m, t.made).generation
            f.pc = 2
        elif f.pc == 4:
            t.made = NIL
            f.pc = 2
        elif f.pc == 5:
            task_new(w, t.cpu, False, &child)
            g = task_push(child, F_PROGRAM)
            g.a = f.b
            g.c = g.d = 0
            g.n = max(p.steps[5 * (f.i - 1) + 3], <int64_t>1)
            child.parent = t
            child.parent_number = t.number
            child.made = t.made
            child.made_generation = t.made_generation
            child.cache = t.cache
            child.background = t.background
            child.while_parent = p.steps[5 * (f.i - 1) + 4] != 0
            t.children += not child.while_parent
            w.n.threads += 1
            w.n.user_tasks += not t.background
            queue_callbacks(w, t.cpu, f.v)
            sched_wake(&w.s, child)
            f.pc = 2
        elif f.pc == 6:
            queue_callbacks(w, t.cpu, f.v)
            f.pc = 2
        elif f.pc == 7:
            t.cache = t.result
            f.pc = 2
        elif f.pc == 8:
            if w.kept_head < w.kept.used:
                kept = <kept_memcg *>arena_at(&w.kept, w.kept_head)
                w.kept_head += 1
                return call(t, F_RMDIR, kept.memcg, kept.generation)
            f.pc = 2
        elif f.pc == 9:
            if (
                w.n.user_tasks > w.n.settling
                or w.q.outstanding
                or w.s.now - max(f.v, w.q.worked_at) < p.steps[5 * (f.i - 1) + 1]
            ):
                return sleep_until(w, t, w.s.now + p.steps[5 * (f.i - 1) + 2])
            w.n.settling -= 1
            f.pc = 2
        elif f.pc == 10:
            f.pc = 11
            return run(t, spend(w, T_PROGRAMS, f.v))
        else:
            unlock(w, CGROUP_MUTEX)
            f.pc = 2


cdef inline bint parent_runs(task *t) noexcept nogil:
    """Tell whether the task that forked this one is there, and not a later one."""
    return (
        t.parent != NULL
        and t.parent.number == t.parent_number
        and t.parent.state != GONE
    )


cdef inline int end_program(world *w, task *t) noexcept nogil:
    if t.memcg != NIL:
        memcg_at(&w.m, t.memcg).tasks -= 1
        t.memcg = NIL
    if not t.background:
        end_user_task(w)
    if parent_runs(t) and not t.while_parent:
        t.parent.children -= 1
        if t.parent.waiting and not t.parent.children:
            t.parent.waiting = 0
            sched_wake(&w.s, t.parent)
    return DONE

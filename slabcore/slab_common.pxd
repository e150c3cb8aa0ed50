"""The life of caches: created, deactivated, destroyed. mm/slab_common.c

Each function is a switch on the place where it stopped (pc). It returns when it takes
time, sleeps, calls another or ends, so any number of them stand half-way at once. The
knobs of a design choose among the steps.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from slabcore.arena cimport NIL, arena_extend, prefetch
from slabcore.list cimport (
    list_add,
    list_add_tail,
    list_del,
    list_init,
    list_splice,
)
from slabcore.memcontrol cimport mem_cgroup, memcg_at
from slabcore.mutex cimport hotplug_lock, mutex_own
from slabcore.rcu cimport call_rcu, rcu_stamp_last
from slabcore.sched cimport SLAB_MUTEX, frame, task, work
from slabcore.slab cimport (
    LIVE,
    accounted_at,
    cache_at,
    cache_links,
    cache_prefetch,
    kmem_cache,
    links_at,
    moved_at,
    plugged_at,
    root_at,
    root_cache,
    root_of,
    root_serves,
    root_slot,
    slot_missed,
    slot_note_miss,
)
from slabcore.workqueue cimport queue_count_in, queue_work, work_at
from slabcore.world cimport (
    ALIAS_MARKED_DYING,
    BUSY_CHILD_UNUSABLE,
    CB_CACHE_FREE,
    CB_CACHE_KILLED,
    CB_DEACTIVATE,
    CHILDREN_MISSED,
    DEACT_GP_PER_CACHE,
    DEACT_GP_PER_MEMCG,
    DEACT_IPI,
    DEACT_RCU_PER_CACHE,
    DONE,
    EVENTS,
    EV_CACHE_SHUTDOWN_FN,
    EV_CREATE_CACHE,
    EV_CREATE_FUNC,
    EV_DEACTIVATE_CACHES,
    EV_DEACT_AFTER_RCU,
    EV_DESTROY_CACHES,
    EV_QUEUE_WORK,
    EV_SHRINK,
    EV_SHUTDOWN,
    EV_SHUTDOWN_CACHE,
    EV_SYSFS_ADD,
    EV_SYSFS_REMOVE,
    EV_SYSFS_REMOVE_WORK,
    FREE_BARRIER_ASYNC,
    FREE_BARRIER_BATCH,
    FREE_BARRIER_PER_CACHE,
    FREE_CALL_RCU,
    F_BARRIER,
    F_CONFIGURE,
    F_DELETE_DIRECTORY,
    F_FLUSH_WORKQUEUE,
    F_RELEASE_CACHE,
    F_RELEASE_LATER,
    F_SHUTDOWN,
    F_SYNCHRONIZE,
    HOPS_CREATE,
    HOPS_DESTROY,
    HOPS_FREE,
    HOPS_HOTPLUG,
    HOPS_OFFLINE,
    HOPS_REAP,
    HOPS_REPARENT,
    KOBJECT_UNDER_SLAB,
    MEMORY_OFFLINE,
    MEMORY_ONLINE,
    ROOT_FLUSH_AT_ZERO,
    ROOT_FLUSH_FIRST,
    ROOT_FLUSH_TWICE,
    ROOT_UNLINK_FIRST,
    RUN,
    SHUTDOWN_BUSY,
    SHUTDOWN_DONE,
    SHUTDOWN_LATER,
    SLEEP_D,
    SYSFS_DEACTIVATION,
    SYSFS_RELEASE,
    SYSFS_SHUTDOWN,
    SYSFS_UNLOCKED,
    SYSFS_WORK_LEAKS,
    T_CREATE,
    T_IPIS,
    T_OBJECTS,
    T_RELEASE,
    T_SHRINK,
    WORK_ON_DESTROYED,
    W_CREATE,
    W_DEACTIVATE,
    W_REMOVE_DIRECTORY,
    W_SHUTDOWN,
    call,
    child_name,
    css_put,
    discard,
    empty_slabs,
    find,
    function_of,
    give_cache,
    hop_ns,
    kept,
    kernfs_add,
    kernfs_remove,
    last_reference,
    link_child,
    link_root,
    lock,
    lock_caches,
    mark_deactivated,
    note,
    note_work,
    passes,
    put_kobject,
    queue_new_work,
    set_nodes,
    shrink,
    shrink_ns,
    spend,
    unlink_cache,
    unlock,
    unlock_caches,
    walk,
    walk_length,
    walked,
    world,
)

cdef enum:
    REAP_S = 2              # REAPTIMEOUT_AC, mm/slab.c
    REAP_FREE_S = 4         # REAPTIMEOUT_NODE
    PREFETCHED = 32         # caches of a cgroup whose records are asked for at once


cdef inline bint mergeable(
    world *w, uint32_t root, uint32_t size, uint32_t flags
) noexcept nogil:
    """Tell whether a new cache could share a root (find_mergeable())."""
    cdef const root_cache *r = root_at(&w.c, root)
    if r.shut or not r.shareable or r.typesafe:
        return False
    if r.dying and w.k.root_destroy == ROOT_FLUSH_AT_ZERO:
        return False
    if r.accounted != (flags & 1 != 0) or r.reclaimable != (flags & 4 != 0):
        return False
    return (r.size + 7) // 8 == (size + 7) // 8


cdef inline uint32_t find_mergeable(
    world *w, uint32_t size, uint32_t flags, int64_t *hops
) noexcept nogil:
    """Search the oldest first for a root to share, or NIL."""
    cdef uint32_t i = 0
    hops[0] = walk_length(w, w.k.root_list)
    while i < w.c.roots.used and not mergeable(w, i, size, flags):
        i += 1
    if i == w.c.roots.used:
        if w.k.literal:
            hops[0] = walk(w, w.k.root_list)
        return NIL
    hops[0] = 0
    if w.k.root_list:
        i = w.c.root_list.last
        while True:
            hops[0] += 1
            if mergeable(w, i, size, flags):
                return i
            i = root_at(&w.c, i).roots.prev
    i = w.c.all.last
    while True:
        hops[0] += 1
        if links_at(&w.c, i).memcg_index == NIL:
            if mergeable(w, links_at(&w.c, i).root, size, flags):
                return links_at(&w.c, i).root
        i = links_at(&w.c, i).caches.prev


cdef inline int create_root(world *w, task *t, frame *f) except -1 nogil:
    """Create a root cache, or share one: a = size, b = flags, d = name.

    The number results.
    """
    cdef int64_t hops, ns
    cdef root_cache *r
    cdef uint32_t nodes = w.k.kernfs_per_cache
    while True:
        if f.pc == 0:
            return lock_caches(w, t, f)
        elif f.pc == 1:
            f.pc = 3
            if f.b & 8 and not f.b & 2:
                f.c = find_mergeable(w, f.a, f.b, &hops)
                w.n.hops[HOPS_CREATE] += hops
                f.pc = 2
                if passes(w, t, hop_ns(w, hops, walk_length(w, w.k.root_list))):
                    continue
                return RUN
        elif f.pc == 2:
            f.pc = 3
            if f.c != NIL:
                # sysfs_slab_alias(), mm/slub.c: one link by the new name, in place of
                # the one that a user of this name left behind.
                r = root_at(&w.c, f.c)
                f.n = nodes != 0 and (
                    <int64_t>cache_at(&w.c, r.cache).nodes - nodes >= r.refcount
                )
                f.pc = 5
                ns = kernfs_remove(w, f.n)
                if passes(w, t, ns + kernfs_add(w, nodes != 0)):
                    continue
                return RUN
        elif f.pc == 3:
            f.pc = 4
            ns = spend(w, T_CREATE, w.cost.cache_create)
            if passes(w, t, ns + kernfs_add(w, nodes)):
                continue
            return RUN
        elif f.pc == 4:
            f.pc = 6
            if w.k.create_waits:
                return call(t, F_CONFIGURE, NIL, NIL)
        elif f.pc == 6:
            link_root(
                w, f.a, f.b & 1 != 0, f.b & 2 != 0, f.b & 4 != 0, f.b & 16 != 0,
                f.d, &t.result,
            )
            unlock_caches(w, t)
            return DONE
        else:
            r = root_at(&w.c, f.c)
            if r.dying:
                find(w, ALIAS_MARKED_DYING)
            r.refcount += 1
            w.n.aliases += 1
            if not f.n:
                set_nodes(w, r.cache, cache_at(&w.c, r.cache).nodes + (nodes != 0))
            unlock_caches(w, t)
            t.result = f.c
            return DONE


cdef inline int miss(world *w, task *t, frame *f) except -1 nogil:
    """Queue the creation of a child; nothing sees whether one is queued already."""
    cdef mem_cgroup *m = memcg_at(&w.m, f.b)
    cdef root_cache *r
    if f.pc == 0:
        f.pc = 1
        if not passes(w, t, spend(w, T_OBJECTS, w.cost.alloc_miss)):
            return RUN
    if not root_serves(&w.c, f.a):
        return DONE
    if not m.kmem_online or root_slot(&w.c, f.a, m.kmemcg_id) != NIL:
        return DONE
    r = root_at(&w.c, f.a)
    w.n.misses += 1
    if not slot_missed(r.slots[m.kmemcg_id]):
        slot_note_miss(&w.c, &r.slots[m.kmemcg_id], w.s.now)
        w.n.pairs_missed += 1
    m.refs += 1
    w.n.creations_pending += 1
    queue_new_work(w, t.cpu, w.k.create_queue, W_CREATE, f.a, f.b)
    return DONE


cdef inline int create_work(world *w, task *t, frame *f) except -1 nogil:
    """Create the child of root a for cgroup b, if still wanted."""
    cdef mem_cgroup *m = memcg_at(&w.m, f.b)
    cdef uint32_t nodes = w.k.kernfs_per_cache if w.k.child_sysfs else 0
    cdef int64_t ns
    while True:
        if f.pc == 0:
            if not t.in_hotplug:
                note(w, EV_CREATE_FUNC, t.cpu, f.b, NIL)
                note(w, EV_CREATE_CACHE, t.cpu, f.b, NIL)
            return lock_caches(w, t, f)
        elif f.pc == 1:
            f.pc = 2
            if passes(w, t, spend(w, T_CREATE, w.cost.create_check)):
                continue
            return RUN
        elif f.pc == 2:
            f.pc = 5
            if not m.kmem_online:
                continue
            if root_at(&w.c, f.a).shut:
                find(w, WORK_ON_DESTROYED)
            elif not root_at(&w.c, f.a).dying and (
                root_slot(&w.c, f.a, m.kmemcg_id) == NIL
            ):
                if not w.k.slab:
                    note(w, EV_SYSFS_ADD, t.cpu, f.b, NIL)
                f.pc = 3
                ns = spend(w, T_CREATE, w.cost.cache_create)
                if passes(w, t, ns + kernfs_add(w, nodes)):
                    continue
                return RUN
        elif f.pc == 3:
            f.pc = 4
            if w.k.create_waits:
                return call(t, F_CONFIGURE, NIL, NIL)
        elif f.pc == 4:
            link_child(w, f.a, f.b, nodes)
            f.pc = 5
        else:
            unlock_caches(w, t)
            w.n.creations_pending -= 1
            w.n.creations_run += 1
            css_put(w, t.cpu, f.b, 1)
            return DONE


cdef inline int configure(world *w, task *t, frame *f) noexcept nogil:
    """Wait as SLAB of 4.7 does for each memory node of a new cache."""
    if f.i == w.c.memory_nodes:
        return DONE
    f.i += 1
    return call(t, F_SYNCHRONIZE, NIL, NIL)


# --- deactivation -------------------------------------------------------------------


cdef inline bint next_filled(world *w, frame *f) noexcept nogil:
    """Find the next root, the newest first, where cgroup a has a child: b and c."""
    cdef int32_t id = memcg_at(&w.m, f.a).kmemcg_id
    while f.i:
        f.i -= 1
        f.b = accounted_at(&w.c, <uint32_t>f.i)
        f.c = root_slot(&w.c, f.b, id)
        if f.c != NIL:
            return True
    return False


cdef inline void prefetch_filled(world *w, uint32_t memcg) noexcept nogil:
    """Ask for the caches of a cgroup, of the newest roots."""
    cdef int32_t id = memcg_at(&w.m, memcg).kmemcg_id
    cdef uint32_t i = w.c.accounted.used, end = 0, cache
    if i > PREFETCHED:
        end = i - PREFETCHED
    while i > end:
        i -= 1
        cache = root_slot(&w.c, accounted_at(&w.c, i), id)
        if cache != NIL:
            prefetch(cache_at(&w.c, cache))


cdef inline void clear_slot(world *w, uint32_t root, uint32_t memcg) noexcept nogil:
    root_at(&w.c, root).slots[memcg_at(&w.m, memcg).kmemcg_id] = NIL
    memcg_at(&w.m, memcg).filled -= 1


cdef inline int kill(world *w, int32_t cpu, uint32_t cache) except -1 nogil:
    """Be percpu_ref_kill(): a grace period later the first reference goes."""
    if w.k.reparenting:
        w.n.async_waits += 1
        cache_at(&w.c, cache).works += 1
        call_rcu(&w.r, cpu, CB_CACHE_KILLED, cache)
    return 0


cdef inline int reparent(world *w, int32_t cpu, uint32_t memcg) except -1 nogil:
    """Give all caches of a cgroup to its parent, its own and those it was given."""
    cdef mem_cgroup *m = memcg_at(&w.m, memcg)
    cdef mem_cgroup *parent = memcg_at(&w.m, m.parent)
    cdef uint32_t count = m.kmem_caches.length
    cdef uint32_t i = m.kmem_caches.first
    arena_extend(&w.c.moved, w.c.caches.used)
    while i != NIL:
        if not moved_at(&w.c, i).named_after:
            child_name(
                w, i, &moved_at(&w.c, i).named_after, &moved_at(&w.c, i).number
            )
        links_at(&w.c, i).memcg_index = m.parent
        i = links_at(&w.c, i).memcg.next
    if count:
        list_splice(
            &m.kmem_caches,
            &parent.kmem_caches,
            &links_at(&w.c, 0).memcg,
            sizeof(cache_links),
        )
    parent.refs += count
    css_put(w, cpu, memcg, count)
    return 0


cdef inline int deactivate(world *w, task *t, frame *f) except -1 nogil:
    """Be memcg_deactivate_kmem_caches() for cgroup a."""
    cdef int64_t length, discarded
    while True:
        if f.pc == 0:
            if not t.in_hotplug:
                note(w, EV_DEACTIVATE_CACHES, t.cpu, f.a, NIL)
            return lock_caches(w, t, f)
        elif f.pc == 1:
            length = walk_length(w, w.k.root_list)
            f.pc = 2
            prefetch_filled(w, f.a)
            if passes(w, t, hop_ns(w, length, length)):
                continue
            return RUN
        elif f.pc == 2:
            walked(w, HOPS_OFFLINE, w.k.root_list)
            f.i = w.c.accounted.used
            f.pc = 3
        elif f.pc == 3:
            if not next_filled(w, f):
                f.pc = 7
                continue
            mark_deactivated(w, f.c)
            if w.k.deactivation == DEACT_RCU_PER_CACHE and not w.k.slab:
                f.pc = 6
            elif w.k.deactivation == DEACT_IPI or w.k.slab:
                note(w, EV_SHRINK, t.cpu, f.a, f.c)
                w.n.ipis += w.s.ncpus - 1
                f.pc = 4
                if passes(w, t, spend(w, T_IPIS, w.cost.ipi * (w.s.ncpus - 1))):
                    continue
                return RUN
            elif w.k.deactivation == DEACT_GP_PER_CACHE:
                note(w, EV_SHRINK, t.cpu, f.a, f.c)
                f.pc = 4
                return call(t, F_SYNCHRONIZE, NIL, NIL)
        elif f.pc == 4:
            f.pc = 5
            if passes(w, t, shrink_ns(w, t.cpu, f.c)):
                continue
            return RUN
        elif f.pc == 5:
            shrink(w, t.cpu, f.c, &discarded)
            f.pc = 6
            if passes(w, t, spend(w, T_SHRINK, w.cost.page_free * discarded)):
                continue
            return RUN
        elif f.pc == 6:
            if w.k.deactivation == DEACT_RCU_PER_CACHE:
                if not root_at(&w.c, f.b).dying:
                    if not w.k.reparenting:
                        memcg_at(&w.m, f.a).refs += 1
                    w.n.async_waits += 1
                    cache_at(&w.c, f.c).works += 1
                    call_rcu(&w.r, t.cpu, CB_DEACTIVATE, f.c)
            else:
                kill(w, t.cpu, f.c)
            clear_slot(w, f.b, f.a)
            f.pc = 3
        elif f.pc == 7:
            if w.k.deactivation != DEACT_GP_PER_MEMCG:
                f.pc = 14
                continue
            unlock(w, SLAB_MUTEX)
            f.pc = 8
            return call(t, F_SYNCHRONIZE, NIL, NIL)
        elif f.pc == 8:
            f.pc = 9
            return lock(w, t, SLAB_MUTEX)
        elif f.pc == 9:
            length = walk_length(w, w.k.root_list)
            f.pc = 10
            if passes(w, t, hop_ns(w, length, length)):
                continue
            return RUN
        elif f.pc == 10:
            walked(w, HOPS_OFFLINE, w.k.root_list)
            f.i = w.c.accounted.used
            f.pc = 11
        elif f.pc == 11:
            if not next_filled(w, f):
                f.pc = 14
                continue
            note(w, EV_SHRINK, t.cpu, f.a, f.c)
            f.pc = 12
            if passes(w, t, shrink_ns(w, t.cpu, f.c)):
                continue
            return RUN
        elif f.pc == 12:
            shrink(w, t.cpu, f.c, &discarded)
            f.pc = 13
            if passes(w, t, spend(w, T_SHRINK, w.cost.page_free * discarded)):
                continue
            return RUN
        elif f.pc == 13:
            kill(w, t.cpu, f.c)
            clear_slot(w, f.b, f.a)
            f.pc = 11
        elif f.pc == 14:
            f.pc = 15
            if w.k.reparenting:
                length = memcg_at(&w.m, f.a).kmem_caches.length
                w.n.hops[HOPS_REPARENT] += length
                if passes(w, t, hop_ns(w, length, length)):
                    continue
                return RUN
        else:
            if w.k.reparenting:
                reparent(w, t.cpu, f.a)
            unlock_caches(w, t)
            return DONE


cdef inline int deactivate_work(
    world *w, task *t, frame *f
) except -1 nogil:
    """Shrink cache a after its grace period."""
    cdef int64_t discarded
    while True:
        if f.pc == 0:
            if not t.in_hotplug:
                note(w, function_of(w, W_DEACTIVATE), t.cpu, NIL, f.a)
            return lock_caches(w, t, f)
        elif f.pc == 1:
            note(w, EV_DEACT_AFTER_RCU, t.cpu, NIL, f.a)
            if cache_at(&w.c, f.a).life != LIVE:
                find(w, WORK_ON_DESTROYED)
                f.pc = 6
                continue
            if w.k.slab:
                f.pc = 3
                continue
            note(w, EV_SHRINK, t.cpu, NIL, f.a)
            f.pc = 2
            if passes(w, t, shrink_ns(w, t.cpu, f.a)):
                continue
            return RUN
        elif f.pc == 2:
            shrink(w, t.cpu, f.a, &discarded)
            f.pc = 3
            if passes(w, t, spend(w, T_SHRINK, w.cost.page_free * discarded)):
                continue
            return RUN
        elif f.pc == 3:
            f.pc = 5
            if not cache_at(&w.c, f.a).slabs:
                f.pc = 4
                if w.k.sysfs_removal == SYSFS_DEACTIVATION:
                    return call(t, F_DELETE_DIRECTORY, f.a, NIL)
        elif f.pc == 4:
            schedule_removal(w, t.cpu, f.a)
            f.pc = 5
        elif f.pc == 5:
            kill(w, t.cpu, f.a)
            f.pc = 6
        else:
            unlock_caches(w, t)
            if not w.k.reparenting:
                css_put(w, t.cpu, links_at(&w.c, f.a).memcg_index, 1)
            cache_at(&w.c, f.a).works -= 1
            give_cache(w, f.a)
            return DONE


# --- directories in sysfs -----------------------------------------------------------


cdef inline int delete_directory(world *w, task *t, frame *f) except -1 nogil:
    """Be kobject_del() for cache a."""
    cdef kmem_cache *c = cache_at(&w.c, f.a)
    if f.pc == 0:
        if not c.nodes:
            return DONE
        note(w, EV_SYSFS_REMOVE, t.cpu, NIL, f.a)
        if w.s.mutexes[SLAB_MUTEX].owner == t:
            find(w, KOBJECT_UNDER_SLAB)
        f.pc = 1
        if not passes(w, t, kernfs_remove(w, c.nodes)):
            return RUN
    set_nodes(w, f.a, 0)
    return DONE


cdef inline int schedule_removal(
    world *w, int32_t cpu, uint32_t cache
) except -1 nogil:
    """Queue sysfs_slab_remove_workfn(), which 4.12 to 5.8 have."""
    cdef kmem_cache *c = cache_at(&w.c, cache)
    # A request that finds the item pending joins it.
    if w.k.removal_work and not c.removal:
        c.kobject += 1
        c.removal = 1
        queue_new_work(w, cpu, EVENTS, W_REMOVE_DIRECTORY, cache, NIL)
    return 0


cdef inline int remove_directory_work(
    world *w, task *t, frame *f
) except -1 nogil:
    cdef kmem_cache *c = cache_at(&w.c, f.a)
    while True:
        if f.pc == 0:
            note(w, EV_SYSFS_REMOVE_WORK, t.cpu, NIL, f.a)
            c.removal = 0
            if w.k.sysfs_removal == SYSFS_WORK_LEAKS and not c.nodes:
                c.lost += 1     # it returns without the put
                f.pc = 2
                continue
            f.pc = 1
            if w.k.sysfs_removal != SYSFS_SHUTDOWN:
                return call(t, F_DELETE_DIRECTORY, f.a, NIL)
        elif f.pc == 1:
            c.kobject -= 1
            f.pc = 2
        elif f.pc == 2:
            if not c.released or c.kobject > c.lost:
                return DONE
            f.pc = 3
            if passes(w, t, spend(w, T_RELEASE, 0 if c.lost else w.cost.release)):
                continue
            return RUN
        else:
            last_reference(w, t.cpu, f.a)
            return DONE


# --- destruction --------------------------------------------------------------------


cdef inline int destroy(world *w, task *t, frame *f) except -1 nogil:
    """Be memcg_destroy_kmem_caches() for cgroup a: b, the caches to release."""
    cdef mem_cgroup *m = memcg_at(&w.m, f.a)
    cdef int64_t length
    cdef uint32_t next
    while True:
        if f.pc == 0:
            if not t.in_hotplug:
                note(w, EV_DESTROY_CACHES, t.cpu, f.a, NIL)
            return lock_caches(w, t, f)
        elif f.pc == 1:
            length = m.kmem_caches.length if w.k.memcg_list else w.c.all.length
            f.pc = 2
            if passes(w, t, hop_ns(w, length, length)):
                continue
            return RUN
        elif f.pc == 2:
            if w.k.memcg_list:
                w.n.hops[HOPS_FREE] += m.kmem_caches.length
            else:
                walked(w, HOPS_FREE, False)
            f.b = NIL
            f.pc = 3
        elif f.pc == 3:
            f.d = m.kmem_caches.first
            if f.d == NIL:
                unlock_caches(w, t)
                f.pc = 5
                return call(t, F_RELEASE_LATER, f.b, NIL)
            f.pc = 4
            next = links_at(&w.c, f.d).memcg.next
            if next != NIL:
                cache_prefetch(&w.c, next)
            return call(t, F_SHUTDOWN, f.d, NIL)
        elif f.pc == 4:
            if t.result == SHUTDOWN_BUSY:
                with gil:
                    raise RuntimeError("a cache is shut down with objects left")
            keep_later(w, t, f, f.d)
            f.pc = 3
        else:
            return DONE


cdef inline void keep_later(
    world *w, task *t, frame *f, uint32_t cache
) noexcept nogil:
    """Put a cache that shutdown_cache() could not release on the list of b."""
    if t.result == SHUTDOWN_LATER:
        links_at(&w.c, cache).caches.next = f.b
        f.b = cache


cdef inline int shutdown_work(world *w, task *t, frame *f) except -1 nogil:
    """Destroy cache a, whose last reference is gone; b, the caches to release."""
    while True:
        if f.pc == 0:
            if not t.in_hotplug:
                note(w, function_of(w, W_SHUTDOWN), t.cpu, NIL, f.a)
            f.b = NIL
            return lock_caches(w, t, f)
        elif f.pc == 1:
            note(w, EV_CACHE_SHUTDOWN_FN, t.cpu, NIL, f.a)
            if cache_at(&w.c, f.a).life != LIVE:
                find(w, WORK_ON_DESTROYED)
                f.pc = 3
                continue
            f.pc = 2
            return call(t, F_SHUTDOWN, f.a, NIL)
        elif f.pc == 2:
            if t.result == SHUTDOWN_BUSY:
                with gil:
                    raise RuntimeError("a cache is shut down with objects left")
            keep_later(w, t, f, f.a)
            f.pc = 3
        elif f.pc == 3:
            unlock_caches(w, t)
            f.pc = 4
            return call(t, F_RELEASE_LATER, f.b, NIL)
        else:
            cache_at(&w.c, f.a).works -= 1
            give_cache(w, f.a)
            return DONE


cdef inline int shutdown_cache(world *w, task *t, frame *f) except -1 nogil:
    """Take cache a apart, unless it has objects."""
    cdef int64_t discarded
    cdef bint typesafe = root_of(&w.c, f.a).typesafe
    cdef bint in_callback = typesafe and w.k.typesafe_free == FREE_CALL_RCU
    while True:
        if f.pc == 0:
            note(w, EV_SHUTDOWN_CACHE, t.cpu, links_at(&w.c, f.a).memcg_index, f.a)
            note(w, EV_SHUTDOWN, t.cpu, links_at(&w.c, f.a).memcg_index, f.a)
            f.pc = 1
            if passes(w, t, spend(w, T_RELEASE, w.cost.shutdown)):
                continue
            return RUN
        elif f.pc == 1:
            if cache_at(&w.c, f.a).inuse:
                t.result = SHUTDOWN_BUSY
                return DONE
            shrink(w, t.cpu, f.a, &discarded)
            f.pc = 2
            if passes(w, t, spend(w, T_RELEASE, w.cost.page_free * discarded)):
                continue
            return RUN
        elif f.pc == 2:
            f.pc = 3
            # A callback cannot sleep, so it cannot delete a directory.
            if w.k.sysfs_removal in (SYSFS_DEACTIVATION, SYSFS_SHUTDOWN) or (
                in_callback and w.k.sysfs_removal in (SYSFS_RELEASE, SYSFS_UNLOCKED)
            ):
                return call(t, F_DELETE_DIRECTORY, f.a, NIL)
        elif f.pc == 3:
            schedule_removal(w, t.cpu, f.a)
            unlink_cache(w, f.a)
            f.pc = 4
            if in_callback:
                call_rcu(&w.r, t.cpu, CB_CACHE_FREE, f.a)
                rcu_stamp_last(&w.r, t.cpu, w.s.now)
            elif typesafe and w.k.typesafe_free == FREE_BARRIER_ASYNC:
                list_add_tail(
                    &w.c.rcu_destroy, &links_at(&w.c, 0).caches, sizeof(cache_links),
                    f.a,
                )
                schedule_barrier_work(w, t.cpu)
            elif w.k.sysfs_removal == SYSFS_UNLOCKED or w.k.typesafe_free in (
                FREE_BARRIER_BATCH, FREE_BARRIER_PER_CACHE
            ):
                t.result = SHUTDOWN_LATER
                return DONE
            else:
                return call(t, F_RELEASE_CACHE, f.a, NIL)
        else:
            t.result = SHUTDOWN_DONE
            return DONE


cdef inline bint any_typesafe(world *w, uint32_t cache) noexcept nogil:
    while cache != NIL and not root_of(&w.c, cache).typesafe:
        cache = links_at(&w.c, cache).caches.next
    return cache != NIL


cdef inline int release_later(world *w, task *t, frame *f) noexcept nogil:
    """Free the caches linked from a, which are shut down; no slab lock is held."""
    while True:
        if f.pc == 0:
            f.pc = 1
            if w.k.typesafe_free == FREE_BARRIER_BATCH and any_typesafe(w, f.a):
                return call(t, F_BARRIER, NIL, NIL)
        elif f.pc == 1:
            if f.a == NIL:
                return DONE
            f.b = f.a
            f.a = links_at(&w.c, f.a).caches.next
            f.pc = 3
            if w.k.typesafe_free == FREE_BARRIER_PER_CACHE:
                f.pc = 2
                if w.k.sysfs_removal == SYSFS_UNLOCKED:
                    return call(t, F_DELETE_DIRECTORY, f.b, NIL)
        elif f.pc == 2:
            f.pc = 3
            if root_of(&w.c, f.b).typesafe:
                return call(t, F_BARRIER, NIL, NIL)
        else:
            f.pc = 1
            return call(t, F_RELEASE_CACHE, f.b, NIL)


cdef inline void empty_slot(world *w, root_cache *r, int64_t id) noexcept nogil:
    """Take a child out of the array of a root that is destroyed."""
    cache_at(&w.c, r.slots[id]).unslotted = 1
    memcg_at(&w.m, links_at(&w.c, r.slots[id]).memcg_index).filled -= 1
    r.slots[id] = NIL


cdef inline int destroy_root(world *w, task *t, frame *f) except -1 nogil:
    """Be kmem_cache_destroy() for root a; the result is 0 if objects are left.

    b: the caches to release. c: a child. d: the next one. i: its slot.
    """
    cdef root_cache *r = root_at(&w.c, f.a)
    cdef int64_t length
    while True:
        if f.pc == 0:
            r.leaving += 1
            f.pc = 5
            if w.k.root_destroy in (ROOT_FLUSH_FIRST, ROOT_FLUSH_TWICE):
                # Before the reference count is looked at.
                f.pc = 2
                if not w.k.reparenting:
                    f.pc = 1
                    return lock(w, t, SLAB_MUTEX)
        elif f.pc == 1:
            unlock(w, SLAB_MUTEX)
            f.pc = 2
        elif f.pc == 2:
            r.dying = 1
            f.pc = 3
            if w.k.reparenting or not w.k.slab:
                # For the callbacks of deactivated caches.
                return call(t, F_BARRIER, NIL, NIL)
        elif f.pc == 3:
            f.pc = 4
            return call(t, F_FLUSH_WORKQUEUE, NIL, NIL)
        elif f.pc == 4:
            f.pc = 5
            # percpu_ref_kill() needs another grace period.
            if w.k.root_destroy == ROOT_FLUSH_TWICE and r.children.length:
                return call(t, F_BARRIER, NIL, NIL)
        elif f.pc == 5:
            return lock_caches(w, t, f)
        elif f.pc == 6:
            r.leaving -= 1
            r.refcount -= 1
            if r.refcount:
                if r.dying:
                    find(w, ALIAS_MARKED_DYING)
                unlock_caches(w, t)
                t.result = 1
                return DONE
            f.pc = 10
            if w.k.root_destroy == ROOT_FLUSH_AT_ZERO:
                r.dying = 1
                unlock_caches(w, t)
                f.pc = 7
                if w.k.reparenting or not w.k.slab:
                    return call(t, F_BARRIER, NIL, NIL)
        elif f.pc == 7:
            f.pc = 8
            return call(t, F_FLUSH_WORKQUEUE, NIL, NIL)
        elif f.pc == 8:
            f.pc = 9
            if r.children.length:
                return call(t, F_BARRIER, NIL, NIL)
        elif f.pc == 9:
            return lock_caches(w, t, f)
        elif f.pc == 10:
            f.b = NIL
            f.i = 0
            f.pc = 11 if r.children.length else 17
        elif f.pc == 11:        # shutdown_memcg_caches(): the slots
            f.pc = 13
            while f.i < w.c.nr_ids:
                if root_slot(&w.c, f.a, <int32_t>f.i) == NIL:
                    f.i += 1
                elif w.k.single_pass:
                    empty_slot(w, r, f.i)
                else:
                    f.c = r.slots[f.i]
                    f.pc = 12
                    return call(t, F_SHUTDOWN, f.c, NIL)
        elif f.pc == 12:
            if t.result == SHUTDOWN_BUSY:
                list_del(
                    &r.children, &links_at(&w.c, 0).children, sizeof(cache_links), f.c
                )
                list_add(
                    &r.parked, &links_at(&w.c, 0).children, sizeof(cache_links), f.c
                )
            else:
                empty_slot(w, r, f.i)
                keep_later(w, t, f, f.c)
            f.i += 1
            f.pc = 11
        elif f.pc == 13:        # then the list
            length = r.children.length
            f.pc = 14
            if passes(w, t, hop_ns(w, length, length)):
                continue
            return RUN
        elif f.pc == 14:
            w.n.hops[HOPS_DESTROY] += r.children.length
            f.d = r.children.first
            f.pc = 15
        elif f.pc == 15:
            f.c = f.d
            if f.c == NIL:
                splice_parked(w, r)
                f.pc = 17
                continue
            f.d = links_at(&w.c, f.c).children.next
            f.pc = 16
            return call(t, F_SHUTDOWN, f.c, NIL)
        elif f.pc == 16:
            if t.result == SHUTDOWN_BUSY and cache_at(&w.c, f.c).unslotted:
                find(w, BUSY_CHILD_UNUSABLE)
            keep_later(w, t, f, f.c)
            f.pc = 15
        elif f.pc == 17:
            t.result = SHUTDOWN_BUSY
            f.pc = 18
            if not r.children.length:
                return call(t, F_SHUTDOWN, r.cache, NIL)
        elif f.pc == 18:
            keep_later(w, t, f, r.cache)
            f.n = t.result != SHUTDOWN_BUSY
            f.pc = 19
            if f.n:
                w.n.roots_destroyed += 1
                unlock_caches(w, t)
                continue
            w.n.destroys_failed += 1
            if w.k.root_destroy == ROOT_UNLINK_FIRST and not r.children.length:
                # Off the lists all the same; its memory stays.
                unlink_cache(w, r.cache)
                r.leaked = 1
                w.n.caches_leaked += 1
            unlock_caches(w, t)
            if r.leaked:
                return call(t, F_DELETE_DIRECTORY, r.cache, NIL)
        elif f.pc == 19:
            f.pc = 20
            return call(t, F_RELEASE_LATER, f.b, NIL)
        else:
            t.result = <uint32_t>f.n
            return DONE


cdef inline void splice_parked(world *w, root_cache *r) noexcept nogil:
    """Put the parked children back before the others, in the order they have."""
    cdef void *links = &links_at(&w.c, 0).children
    cdef uint32_t i
    while r.parked.length:
        r.respliced = 1
        i = r.parked.last
        list_del(&r.parked, links, sizeof(cache_links), i)
        list_add(&r.children, links, sizeof(cache_links), i)


cdef inline int schedule_barrier_work(world *w, int32_t cpu) except -1 nogil:
    cdef work *item = work_at(&w.q, w.destroy_work)
    if item.pending:
        return 0
    item.pending = 1
    note_work(w, EV_QUEUE_WORK, cpu, w.destroy_work)
    if item.running:
        # The pool that runs it runs it again (__queue_work(), kernel/workqueue.c).
        item.again = 1
        item.queued_at = w.s.now
        w.q.outstanding += 1
        w.q.queued[EVENTS] += 1
        queue_count_in(&w.q, EVENTS, item)
    else:
        queue_work(&w.s, &w.q, cpu, w.destroy_work)
    return 0


cdef inline int barrier_work(world *w, task *t, frame *f) except -1 nogil:
    """Be slab_caches_to_rcu_destroy_workfn()."""
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, SLAB_MUTEX)
        elif f.pc == 1:
            f.b = w.c.rcu_destroy.first
            list_init(&w.c.rcu_destroy)
            unlock(w, SLAB_MUTEX)
            f.pc = 2
            if f.b != NIL:
                return call(t, F_BARRIER, NIL, NIL)
        elif f.b == NIL:
            return DONE
        else:
            f.c = f.b
            f.b = links_at(&w.c, f.b).caches.next
            return call(t, F_RELEASE_CACHE, f.c, NIL)


cdef inline int release_cache(world *w, task *t, frame *f) except -1 nogil:
    """Put the first reference to cache a; i: it is the last as well."""
    cdef kmem_cache *c = cache_at(&w.c, f.a)
    cdef int64_t ns
    while True:
        if f.pc == 0:
            f.pc = 1
            f.i = c.kobject == 1
            if f.i:
                if c.nodes:
                    note(w, EV_SYSFS_REMOVE, t.cpu, NIL, f.a)
                if c.nodes and w.s.mutexes[SLAB_MUTEX].owner == t:
                    find(w, KOBJECT_UNDER_SLAB)
                ns = spend(w, T_RELEASE, w.cost.release)
                if passes(w, t, ns + kernfs_remove(w, c.nodes)):
                    continue
                return RUN
        else:
            if f.i:
                set_nodes(w, f.a, 0)
            put_kobject(w, t.cpu, f.a)
            return DONE


# --- SLAB's reaper ------------------------------------------------------------------


cdef inline void arm_reaper(world *w, int32_t cpu) noexcept nogil:
    """Let the next pass of this CPU's begin; neighbours follow 3 jiffies apart."""
    cdef int64_t first = w.hz + 3 * <int64_t>cpu, period = REAP_S * w.hz
    cdef int64_t jiffies = w.s.now // w.tick_ns + 1
    if jiffies <= first:
        jiffies = first
    else:
        jiffies = first + (jiffies - first + period - 1) // period * period
    w.s.cpus[cpu].reap_at = jiffies * w.tick_ns
    w.s.reap_at = min(w.s.reap_at, w.s.cpus[cpu].reap_at)


cdef inline int reap_work(world *w, task *t, frame *f) except -1 nogil:
    """Be cache_reap(), mm/slab.c: walk all caches if slab_mutex is free."""
    cdef int64_t hops, empty, discarded, all_discarded
    cdef uint32_t i, fifth
    while True:
        if f.pc == 0:
            f.pc = 3
            if w.s.mutexes[SLAB_MUTEX].owner == NULL:
                mutex_own(&w.s, &w.s.mutexes[SLAB_MUTEX], t)
                w.n.reaper_passes += 1
                hops = walked(w, HOPS_REAP, False)
                f.pc = 1
                if passes(w, t, hop_ns(w, hops, hops)):
                    continue
                return RUN
            w.n.reaper_skipped += 1
        elif f.pc == 1:
            f.pc = 2
            if w.s.now >= w.free_slabs_at:
                w.free_slabs_at = w.s.now + REAP_FREE_S * <int64_t>1000000000
                all_discarded = 0
                i = w.c.all.first
                while i != NIL:
                    # A fifth of what it may keep, as drain_freelist() is asked for.
                    fifth = (root_of(&w.c, i).keep + 4) // 5
                    empty = empty_slabs(w, i)
                    discard(w, t.cpu, i, min(empty, <int64_t>fifth), &discarded)
                    all_discarded += discarded
                    i = links_at(&w.c, i).caches.next
                if passes(w, t, spend(w, T_SHRINK, w.cost.page_free * all_discarded)):
                    continue
                return RUN
        elif f.pc == 2:
            unlock(w, SLAB_MUTEX)
            f.pc = 3
        else:
            w.reaps -= 1
            arm_reaper(w, t.cpu)
            return DONE


# --- CPU and memory hotplug ---------------------------------------------------------


cdef inline int flush(
    world *w, int32_t cpu, uint32_t cache, int64_t *discarded
) except -1 nogil:
    """Take a CPU's slab from it; an empty one goes if enough others are kept."""
    cdef int64_t empty = empty_slabs(w, cache) - max(kept(w, cache) - 1, 0)
    return discard(w, cpu, cache, empty, discarded)


cdef inline int64_t missed_children(world *w) noexcept nogil:
    """Count the live caches that the latest hotplug did not find."""
    cdef int64_t missed = 0
    cdef kmem_cache *c
    cdef uint32_t i
    for i in range(w.c.caches.used):
        c = cache_at(&w.c, i)
        if c.life == LIVE and plugged_at(&w.c, i).reached != w.c.hotplugs:
            missed += 1
    return missed


cdef inline int first_hotplug(world *w) except -1 nogil:
    """From now on each cache has a record of what it learns at hotplug."""
    cdef uint32_t i
    if not w.c.hotplugs:
        arena_extend(&w.c.plugged, w.c.caches.used)
        for i in range(w.c.caches.used):
            plugged_at(&w.c, i).memory_nodes = w.c.memory_nodes
    return 0


cdef inline int hotplug(world *w, task *t, frame *f) except -1 nogil:
    """Do for each cache on slab_caches what its allocator does at hotplug a."""
    cdef int64_t hops, discarded
    while True:
        if f.pc == 0:
            f.pc = 1
            if not hotplug_lock(&w.s, t, True):
                return SLEEP_D
        elif f.pc == 1:
            f.pc = 2
            return lock(w, t, SLAB_MUTEX)
        elif f.pc == 2:
            hops = walked(w, HOPS_HOTPLUG, False)
            f.pc = 3
            if passes(w, t, hop_ns(w, hops, hops)):
                continue
            return RUN
        elif f.pc == 3:
            first_hotplug(w)
            w.c.hotplugs += 1
            w.c.memory_nodes += f.a == MEMORY_ONLINE
            f.b = w.c.all.first
            f.pc = 4
        elif f.pc == 4:
            if f.b == NIL:
                f.n = missed_children(w)
                while f.n:
                    find(w, CHILDREN_MISSED)
                    f.n -= 1
                unlock_caches(w, t)
                return DONE
            plugged_at(&w.c, f.b).reached = w.c.hotplugs
            f.pc = 5
            if f.a == MEMORY_OFFLINE:
                if passes(w, t, shrink_ns(w, t.cpu, f.b)):
                    continue
                return RUN
            elif f.a == MEMORY_ONLINE:
                if passes(w, t, spend(w, T_CREATE, w.cost.alloc)):
                    continue
                return RUN
        elif f.pc == 5:
            discarded = 0
            if f.a == MEMORY_OFFLINE:
                shrink(w, t.cpu, f.b, &discarded)
            elif f.a == MEMORY_ONLINE:
                plugged_at(&w.c, f.b).memory_nodes += 1
            else:
                flush(w, t.cpu, f.b, &discarded)
            f.b = links_at(&w.c, f.b).caches.next
            f.pc = 4
            if passes(w, t, spend(w, T_SHRINK, w.cost.page_free * discarded)):
                continue
            return RUN

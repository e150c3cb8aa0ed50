"""What must hold at any moment of lists, slots, ids and counts.

Nothing is allocated and nothing changed: one look at each entry of each list, each slot
and each cache's record. docs/model.md lists the invariants and where each is checked.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memset

from slabcore.arena cimport NIL
from slabcore.list cimport list_broken, list_has
from slabcore.memcontrol cimport (
    ID_WORDS,
    holding_at,
    id_set,
    mem_cgroup,
    memcg_at,
    obj_cgroup,
    objcg_at,
    objcg_first,
    objcg_next,
)
from slabcore.rcu cimport rcu_broken
from slabcore.sched cimport CGROUP_MUTEX, HOTPLUG_LOCK, MUTEXES, SLAB_MUTEX
from slabcore.slab cimport (
    FREED,
    LIVE,
    cache_at,
    cache_links,
    cache_memory_nodes,
    kmem_cache,
    links_at,
    root_at,
    root_cache,
    root_slot,
)
from slabcore.workqueue cimport work_at
from slabcore.world cimport LIST_MEMCG, LIST_NONE, LIST_ROOTS, file_at, open_file, world


cdef struct breach:
    const char *what        # NULL: none; {where} and {which} stand for the numbers
    int64_t where
    int64_t which


cdef inline bint broken(
    breach *b, const char *what, int64_t where, int64_t which
) noexcept nogil:
    b.what = what
    b.where = where
    b.which = which
    return True


cdef inline bint order_broken(
    world *w, breach *b, uint32_t first, size_t link, const char *what, int64_t where
) noexcept nogil:
    """Tell whether a list of caches, linked at *link*, is not the newest first."""
    cdef uint32_t i = first, next
    while i != NIL:
        next = (<uint32_t *>(<char *>links_at(&w.c, i) + link))[0]
        if next != NIL and cache_at(&w.c, next).serial >= cache_at(&w.c, i).serial:
            return broken(b, what, where, cache_at(&w.c, next).serial)
        i = next
    return False


cdef inline bint lists_broken(world *w, breach *b) noexcept nogil:
    """Tell whether a list has a torn link, a foreign entry or the wrong order."""
    cdef cache_links *base = links_at(&w.c, 0)
    cdef size_t stride = sizeof(cache_links)
    cdef size_t in_all, in_children, in_memcg
    cdef root_cache *r
    cdef mem_cgroup *m
    cdef uint32_t i, j, linked, children = 0, of_memcgs = 0
    cdef int64_t serial
    if base == NULL:
        return False            # no cache was ever made
    in_all = <char *>&base.caches - <char *>base
    in_children = <char *>&base.children - <char *>base
    in_memcg = <char *>&base.memcg - <char *>base
    if list_broken(&w.c.all, &base.caches, stride):
        return broken(b, "slab_caches: a link is torn", -1, -1)
    if order_broken(
        w, b, w.c.all.first, in_all,
        "slab_caches: cache {which} stands behind an older one", -1,
    ):
        return True
    if list_broken(&w.c.rcu_destroy, &base.caches, stride):
        return broken(b, "slab_caches_to_rcu_destroy: a link is torn", -1, -1)
    if list_broken(&w.c.root_list, &root_at(&w.c, 0).roots, sizeof(root_cache)):
        return broken(b, "slab_root_caches: a link is torn", -1, -1)
    i = w.c.root_list.first
    while i != NIL:
        r = root_at(&w.c, i)
        serial = cache_at(&w.c, r.cache).serial
        if cache_at(&w.c, r.cache).life != LIVE:
            return broken(
                b, "slab_root_caches: cache {which} is shut down", -1, serial
            )
        if r.roots.next != NIL and (
            cache_at(&w.c, root_at(&w.c, r.roots.next).cache).serial >= serial
        ):
            return broken(
                b, "slab_root_caches: cache {which} stands before a newer one", -1,
                serial,
            )
        if list_broken(&r.children, &base.children, stride):
            return broken(b, "children of cache {where}: a link is torn", serial, -1)
        if not r.respliced and order_broken(
            w, b, r.children.first, in_children,
            "children of cache {where}: cache {which} stands behind an older one",
            serial,
        ):
            return True
        children += r.children.length + r.parked.length
        i = r.roots.next
    # The root cgroup has what its children leave to it, then all others follow.
    i = 0
    while i != NIL:
        m = memcg_at(&w.m, i)
        if list_broken(&m.kmem_caches, &base.memcg, stride):
            return broken(
                b, "kmem_caches of cgroup {where}: a link is torn", m.serial, -1
            )
        if not w.k.reparenting and order_broken(
            w, b, m.kmem_caches.first, in_memcg,
            "kmem_caches of cgroup {where}: cache {which} stands behind an older one",
            m.serial,
        ):
            return True
        j = m.kmem_caches.first
        while j != NIL:
            if links_at(&w.c, j).memcg_index != i:
                return broken(
                    b, "kmem_caches of cgroup {where}: cache {which} is another's",
                    m.serial, cache_at(&w.c, j).serial,
                )
            j = links_at(&w.c, j).memcg.next
        of_memcgs += m.kmem_caches.length
        i = m.siblings.next if i else w.m.all.first
    if children != of_memcgs:
        return broken(
            b, "the roots have {where} children, the cgroups {which} caches", children,
            of_memcgs,
        )
    linked = w.c.root_list.length
    if not w.k.roots_only:
        linked += children
    if w.c.all.length != linked:
        return broken(
            b, "slab_caches: {where} caches; {which} roots and children belong on it",
            w.c.all.length, linked,
        )
    return False


cdef inline bint cache_broken(world *w, breach *b, uint32_t i) noexcept nogil:
    """Tell whether a live cache is missing from a list, or is fuller than it can be."""
    cdef kmem_cache *c = cache_at(&w.c, i)
    cdef cache_links *links = links_at(&w.c, i)
    cdef cache_links *base = links_at(&w.c, 0)
    cdef root_cache *r = root_at(&w.c, links.root)
    cdef mem_cgroup *m
    if not (w.k.roots_only and links.memcg_index != NIL) and not list_has(
        &w.c.all, &base.caches, sizeof(cache_links), i
    ):
        return broken(b, "slab_caches: cache {which} is missing", -1, c.serial)
    if c.inuse > <int64_t>c.slabs * r.per_slab:
        return broken(
            b, "cache {which} has more objects than its slabs hold", -1, c.serial
        )
    if c.pinned > c.inuse:
        return broken(
            b, "cache {which} has more pinned objects than objects", -1, c.serial
        )
    if (
        (links.memcg_index == NIL or not w.k.roots_only)
        and w.s.mutexes[HOTPLUG_LOCK].owner == NULL
        and cache_memory_nodes(&w.c, i) != w.c.memory_nodes
    ):
        return broken(
            b, "cache {which} has {where} node structures",
            cache_memory_nodes(&w.c, i), c.serial,
        )
    if c.in_flight > c.inuse - c.pinned:
        return broken(
            b, "cache {which} has more objects in flight than objects", -1, c.serial
        )
    if links.memcg_index == NIL:
        if r.leaving < 0 or r.leaving > r.refcount:
            return broken(
                b, "cache {which}: {where} more users leave than it has",
                r.leaving - r.refcount, c.serial,
            )
        if r.parked.length and w.s.mutexes[SLAB_MUTEX].owner == NULL:
            return broken(
                b, "children of cache {which}: {where} are parked and stay so",
                r.parked.length, c.serial,
            )
        if r.cache != i or not list_has(
            &w.c.root_list, &root_at(&w.c, 0).roots, sizeof(root_cache), links.root
        ):
            return broken(b, "slab_root_caches: cache {which} is missing", -1, c.serial)
        return False
    if not list_has(&r.children, &base.children, sizeof(cache_links), i) and not (
        list_has(&r.parked, &base.children, sizeof(cache_links), i)
    ):
        return broken(
            b, "children of cache {where}: cache {which} is missing",
            cache_at(&w.c, r.cache).serial, c.serial,
        )
    m = memcg_at(&w.m, links.memcg_index)
    if not list_has(&m.kmem_caches, &base.memcg, sizeof(cache_links), i):
        return broken(
            b, "kmem_caches of cgroup {where}: cache {which} is missing", m.serial,
            c.serial,
        )
    if m.kmem_online and not c.deactivated and not c.unslotted and (
        r.slots[m.kmemcg_id] != i
    ):
        return broken(
            b, "slots of cache {where}: active cache {which} is not in its own",
            cache_at(&w.c, r.cache).serial, c.serial,
        )
    return False


cdef inline bint caches_broken(world *w, breach *b) noexcept nogil:
    """Look at each cache's record, on whichever lists it is."""
    cdef kmem_cache *c
    cdef uint32_t i, live = 0, listed = w.c.root_list.length, looked_at = 0
    cdef int64_t nodes = 0, dying = 0, bytes = 0
    for i in range(w.c.caches.used):
        c = cache_at(&w.c, i)
        if c.life == LIVE:
            live += 1
            if cache_broken(w, b, i):
                return True
            bytes += <int64_t>c.slabs * (
                w.c.page_size << root_at(&w.c, links_at(&w.c, i).root).order
            )
        if c.life == FREED and (c.page_frees or c.works):
            looked_at += 1
        nodes += c.nodes
        dying += c.deactivated
    i = w.c.root_list.first
    while i != NIL:
        listed += root_at(&w.c, i).children.length + root_at(&w.c, i).parked.length
        i = root_at(&w.c, i).roots.next
    if live != listed:
        return broken(b, "{where} caches are live, {which} are on lists", live, listed)
    if w.n.caches != w.c.caches.used - w.c.caches.spares - looked_at:
        return broken(
            b, "{where} caches are counted, {which} are there", w.n.caches,
            w.c.caches.used - w.c.caches.spares - looked_at,
        )
    if dying != w.n.caches_dying:
        return broken(
            b, "{where} dying caches are counted, {which} are there",
            w.n.caches_dying, dying,
        )
    nodes += (w.n.cgroups - w.n.cgroups_dying) * w.k.kernfs_per_cgroup
    if nodes != w.n.nodes:
        return broken(
            b, "{where} kernfs nodes are counted, {which} are there", w.n.nodes, nodes
        )
    # Pages that wait for a grace period belong to no cache's slabs any more.
    if bytes > w.n.slab_bytes:
        return broken(
            b, "{where} bytes of slabs are counted, {which} are there",
            w.n.slab_bytes, bytes,
        )
    return False


cdef inline bint slots_broken(world *w, breach *b) noexcept nogil:
    """Tell whether a slot holds what it must not."""
    cdef root_cache *r
    cdef cache_links *links
    cdef mem_cgroup *m
    cdef uint32_t i, j, cache
    cdef int64_t root, serial
    i = w.c.root_list.first
    while i != NIL:
        r = root_at(&w.c, i)
        root = cache_at(&w.c, r.cache).serial
        for j in range(w.c.nr_ids if r.slots != NULL else 0):
            cache = root_slot(&w.c, i, <int32_t>j)
            if cache == NIL:
                continue
            links = links_at(&w.c, cache)
            serial = cache_at(&w.c, cache).serial
            if cache_at(&w.c, cache).life != LIVE:
                # Who destroys the root takes a child out once that is shut down.
                if not r.refcount and w.s.mutexes[SLAB_MUTEX].owner != NULL:
                    continue
                return broken(
                    b, "slots of cache {where}: cache {which} is shut down", root,
                    serial,
                )
            if links.root != i or links.memcg_index == NIL:
                return broken(
                    b, "slots of cache {where}: cache {which} is no child of it", root,
                    serial,
                )
            m = memcg_at(&w.m, links.memcg_index)
            if m.kmemcg_id != <int32_t>j:
                return broken(
                    b, "slots of cache {where}: cache {which} is another cgroup's",
                    root, serial,
                )
            if not m.online:
                return broken(
                    b, "slots of cache {where}: cache {which} is of an offline cgroup",
                    root, serial,
                )
            if cache_at(&w.c, cache).deactivated and m.kmem_online:
                return broken(
                    b, "slots of cache {where}: cache {which} is deactivated", root,
                    serial,
                )
        i = r.roots.next
    return False


cdef inline int64_t ids_taken(const id_set *s) noexcept nogil:
    cdef int64_t taken = 0
    cdef uint64_t bits
    cdef uint32_t i
    for i in range(<uint32_t>ID_WORDS):
        bits = s.words[i]
        while bits:
            bits &= bits - 1
            taken += 1
    return taken


cdef inline bint memcg_ids_broken(world *w, breach *b) noexcept nogil:
    """Tell whether the ids of memory cgroups are not those that are held."""
    cdef uint64_t ids[ID_WORDS]
    cdef uint64_t bit
    cdef mem_cgroup *m
    cdef int64_t held = 2, taken = ids_taken(&w.m.ids)
    cdef uint32_t i = w.m.all.first
    memset(ids, 0, sizeof(ids))
    while i != NIL:
        m = memcg_at(&w.m, i)
        bit = <uint64_t>1 << (m.id % 64)
        if m.id_held:
            if ids[m.id // 64] & bit or not w.m.ids.words[m.id // 64] & bit:
                return broken(
                    b, "memory cgroup id {where} of cgroup {which} is held twice, or "
                    "is free", m.id, m.serial,
                )
            ids[m.id // 64] |= bit
            held += 1
        i = m.siblings.next
    # A mkdir in progress holds one that no cgroup has yet.
    if taken - held > (w.s.mutexes[CGROUP_MUTEX].owner != NULL):
        return broken(
            b, "{where} memory cgroup ids are taken and no cgroup has them",
            taken - held, -1,
        )
    return False


cdef inline bint memcgs_broken(world *w, breach *b) noexcept nogil:
    """Tell whether ids, references or the cgroups' counts are wrong."""
    cdef uint64_t ids[ID_WORDS]
    cdef uint64_t bit
    cdef mem_cgroup *m
    cdef uint32_t i, j, count = 0, dying = 0
    cdef int64_t held, given = 0, references = 0
    memset(ids, 0, sizeof(ids))
    i = w.m.all.first
    while i != NIL:
        m = memcg_at(&w.m, i)
        count += 1
        dying += m.dead
        if m.kmemcg_id >= 0:
            bit = <uint64_t>1 << (m.kmemcg_id % 64)
            if ids[m.kmemcg_id // 64] & bit:
                return broken(
                    b, "cgroup {which} has id {where}, as another has", m.kmemcg_id,
                    m.serial,
                )
            if not w.m.kmemcg_ids.words[m.kmemcg_id // 64] & bit:
                return broken(
                    b, "cgroup {which} has id {where}, which is free", m.kmemcg_id,
                    m.serial,
                )
            ids[m.kmemcg_id // 64] |= bit
            given += 1
        elif m.kmem_online:
            return broken(b, "cgroup {which} is online and has no id", -1, m.serial)
        if m.kmem_online and not m.online:
            return broken(
                b, "cgroup {which} is offline and still accounted", -1, m.serial
            )
        if (m.tasks or m.child_cgroups) and m.dead:
            return broken(b, "cgroup {which} is removed but in use", -1, m.serial)
        held = m.online + (m.online and m.dead) + m.objcg_list.length
        j = m.kmem_caches.first
        while j != NIL:
            if w.k.reparenting:
                held += 1
            else:
                held += <int64_t>cache_at(&w.c, j).slabs << root_at(
                    &w.c, links_at(&w.c, j).root
                ).order
            j = links_at(&w.c, j).memcg.next
        if m.refs < held:
            return broken(
                b, "cgroup {which} has fewer references than the {where} that are held",
                held, m.serial,
            )
        # A cgroup holds its parent until it is freed.
        references += m.refs - held - (m.parent != 0)
        i = m.siblings.next
    if count != w.n.cgroups or dying != w.n.cgroups_dying:
        return broken(
            b, "{where} cgroups are counted, {which} are there", w.n.cgroups, count
        )
    for i in range(<uint32_t>w.s.ncpus):
        references -= w.stock[i] != NIL
    if references and not (w.n.user_tasks or w.q.outstanding or w.r.callbacks):
        return broken(
            b, "{where} references of cgroups at rest are nobody's", references, -1
        )
    given -= ids_taken(&w.m.kmemcg_ids)
    # A mkdir in progress holds one that no cgroup has yet.
    if given < (-1 if w.s.mutexes[CGROUP_MUTEX].owner != NULL else 0):
        return broken(b, "{where} ids are taken and no cgroup has them", -given, -1)
    return False


cdef inline bint references_broken(world *w, breach *b) noexcept nogil:
    """Tell whether children that count for themselves count wrong."""
    cdef kmem_cache *c
    cdef uint32_t i
    cdef int64_t held
    for i in range(w.c.caches.used):
        c = cache_at(&w.c, i)
        if c.life != LIVE or links_at(&w.c, i).memcg_index == NIL:
            continue
        held = <int64_t>c.slabs + c.page_frees
        held <<= root_at(&w.c, links_at(&w.c, i).root).order
        held += (not c.killed) + c.in_flight
        if c.refs != held:
            return broken(
                b, "cache {which} does not know what holds it ({where})", held, c.serial
            )
    return False


cdef inline bint objcgs_broken(world *w, breach *b) noexcept nogil:
    """Tell whether obj_cgroups are where they do not belong, or count wrong."""
    cdef mem_cgroup *m
    cdef obj_cgroup *o
    cdef root_cache *r
    cdef uint32_t i = 0, j, k, owned = 0
    cdef int64_t held, charged = 0, pinned = 0
    while i != NIL:
        m = memcg_at(&w.m, i)
        if m.objcg_list.first != NIL and list_broken(
            &m.objcg_list, &objcg_at(&w.m, 0).list, sizeof(obj_cgroup)
        ):
            return broken(
                b, "objcg_list of cgroup {where}: a link is torn", m.serial, -1
            )
        j = objcg_first(&w.m, i)
        if j != NIL and not m.online:
            return broken(
                b, "obj_cgroup {which} is left to cgroup {where}, which is offline",
                m.serial, objcg_at(&w.m, j).serial,
            )
        while j != NIL:
            o = objcg_at(&w.m, j)
            owned += 1
            if o.memcg != i:
                return broken(
                    b, "objcg_list of cgroup {where}: obj_cgroup {which} is another's",
                    m.serial, o.serial,
                )
            held = (not o.killed) + o.in_flight
            k = o.first
            while k != NIL:
                held += <int64_t>holding_at(&w.m, k).held + holding_at(&w.m, k).pinned
                charged += holding_at(&w.m, k).held
                pinned += holding_at(&w.m, k).pinned
                k = holding_at(&w.m, k).next
            if o.refs != held:
                return broken(
                    b, "obj_cgroup {which} does not know what holds it ({where})",
                    held, o.serial,
                )
            j = objcg_next(&w.m, j)
        i = m.siblings.next if i else w.m.all.first
    if owned != w.n.objcgs:
        return broken(
            b, "{where} obj_cgroups are counted, {which} are there", w.n.objcgs, owned
        )
    for i in range(w.c.roots.used):
        r = root_at(&w.c, i)
        charged -= r.charged
        pinned -= r.charged_pinned
        if r.charged_pinned > cache_at(&w.c, r.cache).pinned or (
            r.charged > cache_at(&w.c, r.cache).inuse
        ):
            return broken(
                b, "more objects of cache {which} are charged than allocated", -1,
                cache_at(&w.c, r.cache).serial,
            )
    if charged or pinned:
        return broken(
            b, "{where} objects and {which} pinned ones are charged to nobody",
            charged, pinned,
        )
    return False


cdef inline bint creations_broken(world *w, breach *b) noexcept nogil:
    """Tell whether creations and the misses that asked for them do not fit."""
    if w.n.creations_pending + w.n.creations_run != w.n.misses:
        return broken(
            b, "{where} misses queued {which} creations", w.n.misses,
            w.n.creations_pending + w.n.creations_run,
        )
    if w.n.caches_created != w.ndelays + w.n.creations_unmissed or (
        w.ndelays > w.n.pairs_missed
    ):
        return broken(
            b, "{where} caches were created where {which} were missed",
            w.n.caches_created, w.n.pairs_missed,
        )
    return False


cdef inline bint time_broken(world *w, breach *b) noexcept nogil:
    """Tell whether callbacks, mutexes or the shared barrier's work are in disorder."""
    cdef const char *what
    cdef int64_t where, which
    cdef int32_t i
    cdef bint owned
    what = rcu_broken(&w.r, w.s.ncpus, &where, &which)
    if what != NULL:
        return broken(b, what, where, which)
    for i in range(MUTEXES):
        if w.s.mutexes[i].owner == NULL and w.s.mutexes[i].first != NULL:
            return broken(b, "mutex {where} is free and waited for", i, -1)
    owned = w.s.mutexes[HOTPLUG_LOCK].owner != NULL
    if owned and w.s.hotplug_readers:
        return broken(b, "the hotplug lock has a writer and readers", -1, -1)
    if w.s.mutexes[HOTPLUG_LOCK].first != NULL and not (owned or w.s.hotplug_readers):
        return broken(b, "the hotplug lock is free and waited for", -1, -1)
    if w.c.rcu_destroy.length and not (
        work_at(&w.q, w.destroy_work).pending or work_at(&w.q, w.destroy_work).running
    ):
        return broken(
            b, "slab_caches_to_rcu_destroy: nobody comes for {where} caches",
            w.c.rcu_destroy.length, -1,
        )
    return False


cdef inline bint cursor_strays(world *w, const open_file *o) noexcept nogil:
    """Tell whether a file stands at an entry that is not on the list it walks."""
    cdef uint32_t i = o.cursor.entry
    cdef cache_links *base = links_at(&w.c, 0)
    if o.list == LIST_ROOTS:
        return i >= w.c.roots.used or root_at(&w.c, i).shut
    if i >= w.c.caches.used or cache_at(&w.c, i).life != LIVE:
        return True
    if o.list == LIST_MEMCG:
        return links_at(&w.c, i).memcg_index != o.memcg
    return not list_has(&w.c.all, &base.caches, sizeof(cache_links), i)


cdef inline bint files_broken(world *w, breach *b) noexcept nogil:
    cdef const open_file *o
    cdef uint32_t i
    for i in range(w.files.used):
        o = file_at(w, i)
        if o == NULL or not o.by_cursor or o.list == LIST_NONE:
            continue
        if o.cursor.entry != NIL and cursor_strays(w, o):
            return broken(b, "file {where} stands at no entry of its list", i, -1)
    return False


cdef inline bint world_broken(world *w, breach *b) noexcept nogil:
    """Look for the first invariant that is broken."""
    return (
        caches_broken(w, b)
        or lists_broken(w, b)
        or slots_broken(w, b)
        or memcgs_broken(w, b)
        or memcg_ids_broken(w, b)
        or (w.k.reparenting and references_broken(w, b))
        or objcgs_broken(w, b)
        or creations_broken(w, b)
        or files_broken(w, b)
        or time_broken(w, b)
    )

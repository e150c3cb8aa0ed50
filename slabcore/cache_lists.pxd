"""The lists that caches are on, without time: of all, of a root's children, of a memcg.

A cache's links in the first two lists are 16 bytes, four caches a cache line, and each
of those lists is a ring through a head that lies among them: to unlink is four stores
and no question. A memcg's own list is unrolled: the numbers of its caches lie in the
memcg's own line, and from the fifteenth on in lines behind. So whoever destroys a
memcg knows where all its caches are at once, and the misses overlap; hopping from one
cache to the next they would wait for each other. What destroying does not need, whose
a cache is, lies apart.

One memcg destroyed a call is put off for a few calls, while its lines come. Until
lists_settle() its caches are still linked: whoever reads or makes calls that first.
"""

from libc.stdint cimport int64_t, uint16_t, uint32_t
from libc.string cimport memcpy, memmove, memset

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport (
    NIL,
    arena,
    arena_extend,
    arena_free,
    arena_init,
    arena_reserve,
    arena_reserve_spares,
    arena_take,
    arena_zeroed,
    prefetch,
)
from slabcore.list cimport list_link

cdef enum:
    IN_LINE = 14            # numbers in a memcg's own line
    IN_MORE = 15            # and in each of those behind
    AHEAD = 32              # accesses that are asked for before their turn
    A_BATCH = 1024          # caches that lie together are unlinked before more are read
    A_REGION = 1 << 15      # caches whose links, 512 KiB, fit the second-level cache
    MANY = 4 * A_REGION     # from which on they are unlinked region by region
    WAITING = 4             # memcgs whose own lines are on their way
    IN_CACHE = 1 << 19      # bytes of links up to which asking costs more than waiting


cdef enum:  # what happens to a memcg, in a replay
    EVENT_MKDIR
    EVENT_ALLOC
    EVENT_OFFLINE


cdef enum:  # why a replay stops
    REPLAYED
    NO_KIND
    NO_ROOT
    IS_ALIVE
    IS_NOT_ALIVE


cdef struct cache_link:     # a cache's, or a head's: 0 is that of all, 1 + n of root n
    list_link all           # every cache, by creation
    list_link children      # of the root, by creation


cdef struct cache_owner:
    uint32_t memcg
    uint32_t root


cdef struct memcg_list:     # a line of 64 bytes
    uint32_t length
    uint32_t more           # the latest line of further numbers, or NIL
    uint32_t caches[IN_LINE]


cdef struct more_caches:
    uint32_t before         # the line before this one, or NIL
    uint32_t caches[IN_MORE]


cdef struct cache_lists:
    arena links             # of heads and caches
    arena owners            # shares the caches' indices
    arena memcgs
    arena stamps            # of each, twice its generation; odd while it is there
    arena more
    arena sorted            # caches to unlink, by region
    arena regions           # where in that the next of each region goes
    uint32_t roots
    uint32_t length         # caches
    uint32_t groups         # memcgs that are there
    uint32_t worn           # those that had their last generation
    uint32_t waiting[WAITING]   # destroyed, and the numbers of their caches not read
    uint32_t waits          # how many
    uint32_t linked         # where in the links' spares those begin that are linked
    uint32_t asked          # and those whose neighbours were not asked for


cdef struct life_event:     # eight bytes, as in a file
    uint32_t memcg          # a name: a number that the trace uses again
    uint16_t kind
    uint16_t root


cdef struct replay:
    uint32_t *slots         # of each name: 1 + its memcg, then the objects by root
    uint32_t names          # the highest that has slots
    arena offline           # memcgs that wait for a grace period, the oldest first
    uint32_t due            # of those, the ones that waited when the last one ended
    int64_t mkdirs
    int64_t offlines
    int64_t created
    int64_t destroyed
    int64_t objects
    int64_t freed
    int64_t grace_periods


cdef inline cache_link *link_at(cache_lists *l, uint32_t i) noexcept nogil:
    return &(<cache_link *>l.links.entries)[i]


cdef inline cache_owner *owner_at(cache_lists *l, uint32_t i) noexcept nogil:
    return &(<cache_owner *>l.owners.entries)[i]


cdef inline memcg_list *memcg_list_at(cache_lists *l, uint32_t i) noexcept nogil:
    return &(<memcg_list *>l.memcgs.entries)[i]


cdef inline more_caches *more_at(cache_lists *l, uint32_t i) noexcept nogil:
    return &(<more_caches *>l.more.entries)[i]


cdef inline uint32_t *stamp_at(cache_lists *l, uint32_t i) noexcept nogil:
    return &(<uint32_t *>l.stamps.entries)[i]


cdef inline int64_t memcg_list_handle(cache_lists *l, uint32_t i) noexcept nogil:
    """Return a handle: the memcg's generation above, its index below."""
    return <int64_t>(stamp_at(l, i)[0] >> 1) << 32 | i


cdef inline bint names_memcg(cache_lists *l, int64_t handle) noexcept nogil:
    cdef uint32_t i = <uint32_t>handle
    if i >= l.memcgs.used:
        return False
    return stamp_at(l, i)[0] == ((handle >> 32) << 1 | 1)


cdef inline uint32_t more_used(const memcg_list *m) noexcept nogil:
    """Return how many numbers the latest line behind the memcg's own holds."""
    return (m.length - IN_LINE - 1) % IN_MORE + 1


# --- making ---


cdef inline int cache_lists_init(
    cache_lists *l, uint32_t roots, bint huge_pages
) except -1 nogil:
    cdef uint32_t i
    memset(l, 0, sizeof(cache_lists))
    arena_init(&l.links, sizeof(cache_link))
    arena_init(&l.owners, sizeof(cache_owner))
    arena_init(&l.memcgs, sizeof(memcg_list))
    arena_init(&l.stamps, sizeof(uint32_t))
    arena_init(&l.more, sizeof(more_caches))
    arena_init(&l.sorted, sizeof(uint32_t))
    arena_init(&l.regions, sizeof(uint32_t))
    l.links.huge_pages = l.owners.huge_pages = huge_pages
    l.memcgs.huge_pages = l.more.huge_pages = huge_pages
    l.stamps.huge_pages = l.sorted.huge_pages = huge_pages
    arena_extend(&l.links, 1 + roots)
    arena_reserve(&l.owners, 1 + roots)
    l.roots = roots
    for i in range(1 + roots):
        link_at(l, i).all.next = link_at(l, i).all.prev = i
        link_at(l, i).children.next = link_at(l, i).children.prev = i
    return 0


cdef inline void cache_lists_free(cache_lists *l) noexcept nogil:
    arena_free(&l.links)
    arena_free(&l.owners)
    arena_free(&l.memcgs)
    arena_free(&l.stamps)
    arena_free(&l.more)
    arena_free(&l.sorted)
    arena_free(&l.regions)


cdef inline int memcg_list_new(cache_lists *l, uint32_t *index) except -1 nogil:
    cdef memcg_list *m
    # Its stamp first: without memory for one there must be no memcg.
    if not l.memcgs.spares:
        arena_extend(&l.stamps, l.memcgs.used + 1)
    arena_take(&l.memcgs, index)
    stamp_at(l, index[0])[0] |= 1
    m = memcg_list_at(l, index[0])
    m.length = 0
    m.more = NIL
    l.groups += 1
    return 0


cdef inline int own_list_add(
    cache_lists *l, memcg_list *m, uint32_t cache
) except -1 nogil:
    cdef uint32_t used, line
    if m.length < IN_LINE:
        m.caches[m.length] = cache
    else:
        used = 0 if m.length == IN_LINE else more_used(m)
        if used % IN_MORE == 0:
            arena_take(&l.more, &line)
            more_at(l, line).before = m.more
            m.more = line
            used = 0
        more_at(l, m.more).caches[used] = cache
    m.length += 1
    return 0


cdef inline int cache_create(
    cache_lists *l, uint32_t memcg, uint32_t root
) except -1 nogil:
    """Put a new cache last on its three lists."""
    cdef cache_link *at
    cdef cache_link *new
    cdef uint32_t i, last, child, head = 1 + root
    if l.links.spares > AHEAD:  # what was given back lies anywhere
        i = l.links.spare[l.links.spares - AHEAD]
        prefetch(link_at(l, i))
        prefetch(owner_at(l, i))
    arena_take(&l.links, &i)
    l.linked = l.asked = l.links.spares
    arena_reserve(&l.owners, l.links.used)
    own_list_add(l, memcg_list_at(l, memcg), i)
    at = link_at(l, 0)
    new = &at[i]
    last = at.all.prev
    child = at[head].children.prev
    new.all.next = 0
    new.all.prev = last
    at[last].all.next = i
    at.all.prev = i
    new.children.next = head
    new.children.prev = child
    at[child].children.next = i
    at[head].children.prev = i
    owner_at(l, i).memcg = memcg
    owner_at(l, i).root = root
    l.length += 1
    return 0


cdef inline int64_t cache_create_many(
    cache_lists *l, const int64_t *memcgs, const int64_t *roots, int64_t count
) except -1 nogil:
    """Create caches up to the first that has no memcg or no root; return how many."""
    cdef int64_t k, memcg, root
    arena_reserve(&l.links, l.links.used + count)
    arena_reserve(&l.owners, l.links.used + count)
    for k in range(count):
        if k + AHEAD < count:
            prefetch(memcg_list_at(l, <uint32_t>memcgs[k + AHEAD]))
        memcg, root = memcgs[k], roots[k]
        if not names_memcg(l, memcg) or not 0 <= root < l.roots:
            return k
        cache_create(l, <uint32_t>memcg, <uint32_t>root)
    return count


# --- destroying ---


cdef inline void cache_unlink(cache_link *at, uint32_t i) noexcept nogil:
    # One by one: a load of all four would wait for a neighbour's store into them.
    cdef uint32_t next = at[i].all.next, prev = at[i].all.prev
    cdef uint32_t child = at[i].children.next, elder = at[i].children.prev
    at[prev].all.next = next
    at[next].all.prev = prev
    at[elder].children.next = child
    at[child].children.prev = elder


cdef inline void caches_unlink(
    cache_lists *l, const uint32_t *caches, uint32_t count, bint together
) noexcept nogil:
    """Unlink caches, each of which is asked for twice before its turn.

    Nothing is asked if they lie together, or if all there are fit the cache.
    """
    cdef cache_link *at = link_at(l, 0)
    cdef uint32_t i, k
    if together or l.links.used * sizeof(cache_link) <= IN_CACHE:
        for k in range(count):
            cache_unlink(at, caches[k])
        return
    # Prefetches stand in the loop: GCC drops calls of functions that do nothing else.
    for k in range(count + 2 * AHEAD):
        if k < count:
            prefetch(&at[caches[k]])
        if k >= AHEAD and k < count + AHEAD:
            i = caches[k - AHEAD]
            prefetch(&at[at[i].all.prev])
            prefetch(&at[at[i].all.next])
            prefetch(&at[at[i].children.prev])
            prefetch(&at[at[i].children.next])
        if k >= 2 * AHEAD:
            cache_unlink(at, caches[k - 2 * AHEAD])


cdef inline void caches_unlink_many(
    cache_lists *l, const uint32_t *caches, uint32_t count, bint together
) noexcept nogil:
    """Unlink caches in whatever order is quickest.

    Nobody can tell in which order they went. Of many that lie apart, those that are
    near each other go together, so that a line of links comes from memory once and not
    for each of its caches and their neighbours.
    """
    cdef uint32_t *sorted_ = <uint32_t *>l.sorted.entries
    cdef uint32_t *next = <uint32_t *>l.regions.entries
    cdef uint32_t k, region, at = 0, size
    if together or count < MANY:
        caches_unlink(l, caches, count, together)
        return
    memset(next, 0, l.regions.used * sizeof(uint32_t))
    for k in range(count):
        next[caches[k] // A_REGION] += 1
    for region in range(l.regions.used):
        size = next[region]
        next[region] = at
        at += size
    for k in range(count):
        region = caches[k] // A_REGION
        sorted_[next[region]] = caches[k]
        next[region] += 1
    caches_unlink(l, sorted_, count, False)


cdef inline int lists_reserve_spares(cache_lists *l) except -1 nogil:
    """Make room to take back all there is."""
    arena_reserve_spares(&l.links, IN_LINE)
    arena_reserve_spares(&l.memcgs, 0)
    arena_reserve_spares(&l.more, 0)
    return 0


cdef inline int lists_reserve_many(cache_lists *l) except -1 nogil:
    """Make room to take back all there is in one call."""
    lists_reserve_spares(l)
    if l.length >= MANY:
        arena_reserve(&l.sorted, l.length)
        arena_extend(&l.regions, l.links.used // A_REGION + 1)
    return 0


cdef inline void memcg_list_drop(cache_lists *l, uint32_t memcg) noexcept nogil:
    """Take a memcg and the numbers of its caches back; these stay linked for now.

    There is room, as lists_reserve_spares() makes it.
    """
    cdef memcg_list *m = memcg_list_at(l, memcg)
    cdef uint32_t *spare = l.links.spare + l.links.spares
    cdef uint32_t line, used
    memcpy(spare, m.caches, IN_LINE * sizeof(uint32_t))
    if m.length > IN_LINE:
        spare += IN_LINE
        used = more_used(m)
        line = m.more
        while line != NIL:
            if more_at(l, line).before != NIL:
                prefetch(more_at(l, more_at(l, line).before))
            memcpy(spare, more_at(l, line).caches, used * sizeof(uint32_t))
            spare += used
            used = IN_MORE
            l.more.spare[l.more.spares] = line
            l.more.spares += 1
            line = more_at(l, line).before
    l.links.spares += m.length
    l.length -= m.length
    if stamp_at(l, memcg)[0]:   # after its last generation it stays unused
        l.memcgs.spare[l.memcgs.spares] = memcg
        l.memcgs.spares += 1


cdef inline void memcg_list_end(cache_lists *l, uint32_t memcg) noexcept nogil:
    """Let a memcg's handle name nothing."""
    stamp_at(l, memcg)[0] += 1
    l.worn += stamp_at(l, memcg)[0] == 0
    l.groups -= 1


cdef inline void lists_begin_anew(cache_lists *l) noexcept nogil:
    """Hand numbers out in the order of memory again, once nothing is left."""
    cdef uint32_t i
    l.links.used = 1 + l.roots
    l.links.spares = l.more.used = l.more.spares = l.linked = l.asked = 0
    if l.worn == 0:
        for i in range(l.memcgs.used):
            l.memcgs.spare[i] = l.memcgs.used - 1 - i


cdef inline void memcg_list_take_next(cache_lists *l) noexcept nogil:
    """Read the numbers of the caches of the memcg that has waited longest."""
    cdef cache_link *at = link_at(l, 0)
    cdef uint32_t k, before = l.links.spares
    memcg_list_drop(l, l.waiting[0])
    l.waits -= 1
    memmove(l.waiting, l.waiting + 1, l.waits * sizeof(uint32_t))
    for k in range(before, l.links.spares):
        prefetch(&at[l.links.spare[k]])


cdef inline void lists_settle(cache_lists *l) noexcept nogil:
    """Finish what was put off."""
    if not l.waits and l.linked == l.links.spares:
        return
    while l.waits:
        memcg_list_take_next(l)
    caches_unlink(l, l.links.spare + l.linked, l.links.spares - l.linked, False)
    l.linked = l.asked = l.links.spares
    if l.groups == 0:
        lists_begin_anew(l)


cdef inline void memcg_list_destroy(cache_lists *l, uint32_t memcg) noexcept nogil:
    """Destroy one memcg and its caches, not knowing of the next; there is room.

    Its own line, its caches' links and their neighbours' are asked for in three calls,
    and a later one unlinks.
    """
    cdef cache_link *at = link_at(l, 0)
    cdef uint32_t i
    memcg_list_end(l, memcg)
    if l.links.used * sizeof(cache_link) <= IN_CACHE:
        memcg_list_drop(l, memcg)
        lists_settle(l)
        return
    prefetch(memcg_list_at(l, memcg))
    if l.waits == WAITING:
        memcg_list_take_next(l)
    l.waiting[l.waits] = memcg
    l.waits += 1
    while l.asked + AHEAD < l.links.spares:
        i = l.links.spare[l.asked]
        prefetch(&at[at[i].all.prev])
        prefetch(&at[at[i].all.next])
        prefetch(&at[at[i].children.prev])
        prefetch(&at[at[i].children.next])
        l.asked += 1
    while l.linked + AHEAD < l.asked:
        cache_unlink(at, l.links.spare[l.linked])
        l.linked += 1


cdef inline bint lies_apart(const memcg_list *m) noexcept nogil:
    """Tell whether a memcg's caches were created among those of others."""
    cdef uint32_t last = min(m.length, <uint32_t>IN_LINE) - 1
    return m.length != 0 and m.caches[last] - m.caches[0] != last


cdef inline int64_t memcg_list_destroy_many(
    cache_lists *l, const int64_t *memcgs, int64_t count
) noexcept nogil:
    """Destroy memcgs up to the first that is not there; return how many."""
    cdef uint32_t before = l.links.spares
    cdef bint together = True
    cdef int64_t k, handle
    cdef uint32_t memcg
    for k in range(count):
        if k + AHEAD < count:
            prefetch(stamp_at(l, <uint32_t>memcgs[k + AHEAD]))
            prefetch(memcg_list_at(l, <uint32_t>memcgs[k + AHEAD]))
        handle = memcgs[k]
        if not names_memcg(l, handle):
            count = k
            break
        memcg = <uint32_t>handle
        if lies_apart(memcg_list_at(l, memcg)):
            together = False
        memcg_list_end(l, memcg)
        memcg_list_drop(l, memcg)
        if together and l.links.spares - before >= A_BATCH:
            caches_unlink(l, l.links.spare + before, l.links.spares - before, True)
            before = l.links.spares
    caches_unlink_many(
        l, l.links.spare + before, l.links.spares - before, together
    )
    l.linked = l.asked = l.links.spares
    if l.groups == 0:
        lists_begin_anew(l)
    return count


# --- replaying ---


cdef inline void replay_init(replay *r) noexcept nogil:
    memset(r, 0, sizeof(replay))
    arena_init(&r.offline, sizeof(uint32_t))


cdef inline void replay_free(replay *r) noexcept nogil:
    PyMem_RawFree(r.slots)
    arena_free(&r.offline)


cdef inline uint32_t *slots_of(
    replay *r, cache_lists *l, uint32_t name
) noexcept nogil:
    """Return a name's slots; the first is 0 if it has no memcg.

    Without the GIL somebody may write to the events: no name is behind the highest.
    """
    return r.slots + min(name, r.names) * (1 + <size_t>l.roots)


cdef inline int grace_period_end(
    replay *r, cache_lists *l, uint32_t due
) except -1 nogil:
    """Destroy the memcgs that have waited for a whole one."""
    cdef uint32_t *waiting = <uint32_t *>r.offline.entries
    cdef uint32_t k, before = l.links.spares
    lists_reserve_spares(l)
    for k in range(due):
        if k + AHEAD < due:
            prefetch(memcg_list_at(l, waiting[k + AHEAD]))
        memcg_list_end(l, waiting[k])
        memcg_list_drop(l, waiting[k])
    r.destroyed += l.links.spares - before
    caches_unlink(l, l.links.spare + before, l.links.spares - before, False)
    l.linked = l.asked = l.links.spares
    if due:
        memmove(waiting, waiting + due, (r.offline.used - due) * sizeof(uint32_t))
    r.offline.used -= due
    r.due = r.offline.used
    r.grace_periods += 1
    return 0


cdef inline int replay_event(
    replay *r, cache_lists *l, life_event event
) except -1 nogil:
    """Let one event happen; return REPLAYED or why it cannot."""
    cdef uint32_t *slots
    cdef uint32_t i, root
    slots = slots_of(r, l, event.memcg)
    if event.kind == EVENT_ALLOC:
        if slots[0] == 0:
            return IS_NOT_ALIVE
        if event.root >= l.roots:
            return NO_ROOT
        if slots[1 + event.root] == 0:
            cache_create(l, slots[0] - 1, event.root)
            r.created += 1
        slots[1 + event.root] += 1
        r.objects += 1
    elif event.kind == EVENT_MKDIR:
        if slots[0] != 0:
            return IS_ALIVE
        memcg_list_new(l, &i)
        slots[0] = 1 + i
        r.mkdirs += 1
    elif event.kind == EVENT_OFFLINE:
        if slots[0] == 0:
            return IS_NOT_ALIVE
        arena_take(&r.offline, &i)
        (<uint32_t *>r.offline.entries)[i] = slots[0] - 1
        for root in range(l.roots):
            r.freed += slots[1 + root]
        memset(slots, 0, (1 + l.roots) * sizeof(uint32_t))
        r.offlines += 1
    else:
        return NO_KIND
    return REPLAYED


cdef inline int64_t replay_events(
    replay *r, cache_lists *l, const life_event *events, int64_t count,
    int64_t period, int *why,
) except -1 nogil:
    """Let events happen, up to the first that cannot; return how many.

    A grace period ends behind each *period* events and destroys what was offline when
    the one before ended; the last one, at the end, destroys all that is.
    """
    cdef int64_t k, ends = period
    cdef life_event far
    cdef uint32_t *slots
    cdef size_t size, names = 0
    cdef bint ahead
    why[0] = REPLAYED
    for k in range(count):
        names = max(names, <size_t>events[k].memcg)
    size = (1 + <size_t>l.roots) * sizeof(uint32_t)
    r.slots = <uint32_t *>arena_zeroed(1 + names, size)
    r.names = <uint32_t>names
    ahead = (1 + names) * size > IN_CACHE
    for k in range(count):
        if ahead and k + 2 * AHEAD < count:
            far = events[k + 2 * AHEAD]
            prefetch(slots_of(r, l, far.memcg))
            prefetch(slots_of(r, l, far.memcg) + 1 + far.root)
            slots = slots_of(r, l, events[k + AHEAD].memcg)
            if slots[0]:
                prefetch(memcg_list_at(l, slots[0] - 1))
        why[0] = replay_event(r, l, events[k])
        if why[0] != REPLAYED:
            count = k
            break
        if k + 1 == ends:
            grace_period_end(r, l, r.due)
            ends += period
    grace_period_end(r, l, r.offline.used)
    if l.groups == 0:
        lists_begin_anew(l)
    return count


# --- checking ---


cdef inline bint cache_lists_broken(cache_lists *l) noexcept nogil:
    """Tell whether links, owners, own lists and lengths do not fit together."""
    cdef cache_link *at = link_at(l, 0)
    cdef uint32_t i, before, root, hops = 0, children = 0, own = 0, groups = 0
    before = 0
    i = at.all.next
    while i != 0:
        if i >= l.links.used or hops == l.length or at[i].all.prev != before:
            return True
        hops += 1
        before = i
        i = at[i].all.next
    if hops != l.length or at.all.prev != before:
        return True
    for root in range(l.roots):
        before = 1 + root
        i = at[before].children.next
        while i != 1 + root:
            if i >= l.links.used or children == l.length:
                return True
            if at[i].children.prev != before or owner_at(l, i).root != root:
                return True
            children += 1
            before = i
            i = at[i].children.next
        if at[before].children.next != 1 + root or at[1 + root].children.prev != before:
            return True
    for i in range(l.memcgs.used):
        if stamp_at(l, i)[0] & 1:
            groups += 1
            own += memcg_list_at(l, i).length
            if own_list_broken(l, i):
                return True
    return children != l.length or own != l.length or groups != l.groups


cdef inline bint own_list_broken(cache_lists *l, uint32_t memcg) noexcept nogil:
    cdef memcg_list *m = memcg_list_at(l, memcg)
    cdef uint32_t k, found = 0, line = m.more, used
    for k in range(min(m.length, <uint32_t>IN_LINE)):
        found += owner_at(l, m.caches[k]).memcg == memcg
    used = more_used(m)
    while line != NIL and found <= m.length:
        for k in range(used):
            found += owner_at(l, more_at(l, line).caches[k]).memcg == memcg
        used = IN_MORE
        line = more_at(l, line).before
    return found != m.length

"""Caches: the lists they are on, their slabs, their directories. mm/slab.h, mm/slub.c

What every walk touches is 32 bytes a cache, apart from the rest, which is 56. What few
worlds need of each cache is in arenas of its own, which have entries only then. Roots
are few and have the arrays of children besides.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from slabcore.arena cimport (
    NIL,
    arena,
    arena_at,
    arena_give_back,
    arena_take,
    prefetch,
)
from slabcore.list cimport list_head, list_link

cdef enum:
    MAX_ORDER = 3           # slub_max_order
    MISSED = 0x80000000     # of a slot: the rest is an index of slab_caches.missed


cdef struct cache_links:
    list_link caches        # slab_caches; after shutdown, a list of caches to free
    list_link children      # of the root
    list_link memcg         # memcg->kmem_caches
    uint32_t root           # number of the root; its own for a root
    uint32_t memcg_index    # NIL for a root


cdef struct kmem_cache:
    int64_t serial
    uint64_t cpus           # bit n: CPU n, of the first 64, has a slab of it
    uint32_t inuse          # objects
    uint32_t slabs
    uint32_t pinned
    uint32_t nodes          # kernfs nodes of its directory
    uint32_t in_flight      # objects being allocated or freed
    uint32_t refs           # of a child that reparenting may move
    uint32_t page_frees     # callbacks that will look at it
    uint16_t works          # other callbacks and items that will
    uint8_t kobject         # references to the struct
    uint8_t lost            # those that nobody will put
    uint8_t killed          # the first reference of refs is gone
    uint8_t deactivated
    uint8_t life            # cache_life
    uint8_t released        # the first reference is put
    uint8_t removal         # of its directory is queued
    uint8_t unslotted       # by a destruction of its root that left it


cdef enum:  # cache_life
    LIVE
    SHUT
    FREED                   # what looks at it now is too late


cdef struct moved_cache:    # to another cgroup than the one in its name
    int64_t named_after     # handle of that one; 0: it is not
    int64_t number          # and the number that stands before it


cdef struct plugged_cache:  # there are entries once CPUs or memory came or went
    uint32_t memory_nodes   # those it has a node structure for
    uint32_t reached        # the latest hotplug that found it


cdef struct queued_cache:   # whose own callback frees it
    int64_t at              # when it was queued
    int64_t ahead           # behind how many
    int32_t cpus            # 1 + the CPU; 0: it is not


cdef struct root_cache:
    int64_t serial
    uint32_t cache          # stale once it is gone
    uint32_t name           # where it begins among the world's; NIL: cache- and number
    list_link roots         # slab_root_caches
    list_head children
    list_head parked        # children that held objects, while it is destroyed
    uint32_t *slots         # memcg_caches: kmemcg_id -> child; NULL once shut
    uint32_t per_slab
    uint32_t keep           # empty slabs that a free leaves: min_partial and the CPU's
    int32_t order
    uint32_t size
    uint32_t charged        # objects held that an obj_cgroup answers for
    uint32_t charged_pinned
    int32_t refcount        # users
    int32_t leaving         # users that asked for its end and are not yet counted down
    uint8_t accounted
    uint8_t typesafe
    uint8_t reclaimable
    uint8_t shareable       # by later caches of its kind and size
    uint8_t dying
    uint8_t shut            # off its lists
    uint8_t leaked          # shut with objects left
    uint8_t respliced       # children were parked and put back


cdef struct slab_caches:
    arena links             # these share their indices
    arena caches
    arena moved
    arena plugged
    arena queued
    arena missed            # int64_t: first miss of a cgroup that has no child yet
    arena roots
    arena accounted         # numbers of the accounted roots
    list_head all           # slab_caches
    list_head root_list     # slab_root_caches
    list_head rcu_destroy   # slab_caches_to_rcu_destroy
    int64_t serial
    int64_t page_size
    uint32_t min_objects
    uint32_t memory_nodes
    uint32_t hotplugs
    uint32_t nr_ids         # length of every root's arrays


cdef inline cache_links *links_at(slab_caches *s, uint32_t i) noexcept nogil:
    return &(<cache_links *>s.links.entries)[i]


cdef inline kmem_cache *cache_at(slab_caches *s, uint32_t i) noexcept nogil:
    return &(<kmem_cache *>s.caches.entries)[i]


cdef inline void cache_prefetch(slab_caches *s, uint32_t i) noexcept nogil:
    """Ask for a cache that comes next: what its shrinking and its end touch."""
    prefetch(cache_at(s, i))
    prefetch(links_at(s, i))


cdef inline root_cache *root_at(slab_caches *s, uint32_t number) noexcept nogil:
    return &(<root_cache *>s.roots.entries)[number]


cdef inline root_cache *root_of(slab_caches *s, uint32_t i) noexcept nogil:
    return root_at(s, links_at(s, i).root)


cdef inline uint32_t accounted_at(slab_caches *s, uint32_t i) noexcept nogil:
    return (<uint32_t *>s.accounted.entries)[i]


cdef inline void root_layout(
    slab_caches *s, root_cache *r, uint32_t size
) noexcept nogil:
    """Choose a slab's order and what stays cached (kmem_cache_open(), mm/slub.c)."""
    cdef int32_t bits = 0
    cdef uint32_t rest = size
    r.size = size
    r.order = 0
    while (s.page_size << r.order) // size < s.min_objects and r.order < MAX_ORDER:
        r.order += 1
    while (s.page_size << r.order) < size:
        r.order += 1
    r.per_slab = <uint32_t>((s.page_size << r.order) // size)
    while rest:
        bits += 1
        rest >>= 1
    r.keep = <uint32_t>min(max((bits - 1) // 2, 5), 10) + 1


cdef inline int64_t slabs_for(const root_cache *r, int64_t objects) noexcept nogil:
    if 0 <= objects <= 1:
        return objects          # spares most callers a division
    return (objects + r.per_slab - 1) // r.per_slab


cdef inline moved_cache *moved_at(slab_caches *s, uint32_t i) noexcept nogil:
    return &(<moved_cache *>s.moved.entries)[i]


cdef inline plugged_cache *plugged_at(slab_caches *s, uint32_t i) noexcept nogil:
    return &(<plugged_cache *>s.plugged.entries)[i]


cdef inline queued_cache *queued_at(slab_caches *s, uint32_t i) noexcept nogil:
    return &(<queued_cache *>s.queued.entries)[i]


cdef inline uint32_t cache_memory_nodes(slab_caches *s, uint32_t i) noexcept nogil:
    """Return how many nodes a cache has a structure for."""
    return plugged_at(s, i).memory_nodes if s.hotplugs else s.memory_nodes


cdef inline bint slot_missed(uint32_t slot) noexcept nogil:
    return slot != NIL and slot & <uint32_t>MISSED


cdef inline int slot_note_miss(
    slab_caches *s, uint32_t *slot, int64_t now
) except -1 nogil:
    cdef uint32_t i
    arena_take(&s.missed, &i)
    (<int64_t *>s.missed.entries)[i] = now
    slot[0] = <uint32_t>MISSED | i
    return 0


cdef inline int slot_forget_miss(slab_caches *s, uint32_t *slot) except -1 nogil:
    """Empty a slot that only tells of a miss."""
    if slot_missed(slot[0]):
        arena_give_back(&s.missed, slot[0] & ~<uint32_t>MISSED, 0)
        slot[0] = NIL
    return 0


cdef inline int64_t slot_missed_at(slab_caches *s, uint32_t slot) noexcept nogil:
    """Return when a cgroup first missed the child of this slot, or -1."""
    if not slot_missed(slot):
        return -1
    return (<int64_t *>s.missed.entries)[slot & ~<uint32_t>MISSED]


cdef inline uint32_t root_slot(
    slab_caches *s, uint32_t root, int32_t id
) noexcept nogil:
    """Return the child that a cgroup has of a root, or NIL."""
    cdef uint32_t slot
    if id < 0 or <uint32_t>id >= s.nr_ids or root_at(s, root).slots == NULL:
        return NIL
    slot = root_at(s, root).slots[id]
    return NIL if slot_missed(slot) else slot


cdef inline bint root_gone(slab_caches *s, uint32_t root) noexcept nogil:
    """Tell whether a root is destroyed, so that its memory may be another's."""
    return root_at(s, root).shut and not root_at(s, root).leaked


cdef inline bint root_serves(slab_caches *s, uint32_t root) noexcept nogil:
    """Tell whether somebody may still allocate from a root."""
    cdef const root_cache *r = root_at(s, root)
    return not r.shut and r.refcount > r.leaving

"""Caches: the lists they are on, their slabs, their directories. mm/slab.h, mm/slub.c

What every walk touches is 32 bytes a cache, apart from the rest. Roots are few and have
the arrays of children besides.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from slabcore.arena cimport NIL, arena, arena_at
from slabcore.list cimport list_head, list_link

cdef enum:
    MAX_ORDER = 3           # slub_max_order


cdef struct cache_links:
    list_link caches        # slab_caches; after shutdown, a list of caches to free
    list_link children      # of the root
    list_link memcg         # memcg->kmem_caches
    uint32_t root           # number of the root; its own for a root
    uint32_t memcg_index    # NIL for a root


cdef struct kmem_cache:
    int64_t serial
    int64_t named_after     # handle of the cgroup in a child's name
    int64_t number          # and the number that stands before it
    uint64_t cpus           # bit n: CPU n, of the first 64, has a slab of it
    uint32_t inuse          # objects
    uint32_t slabs
    uint32_t pinned
    uint32_t nodes          # kernfs nodes of its directory
    uint32_t memory_nodes   # those it has a node structure for
    uint32_t reached        # the latest hotplug that found it
    uint32_t in_flight      # objects being allocated or freed
    uint32_t refs           # of a child that reparenting may move
    uint32_t page_frees     # callbacks that will look at it
    uint32_t works          # other callbacks and items that will
    int64_t free_queued_at  # its own callback: when, on which CPU, behind how many
    int64_t free_queued_ahead
    int32_t free_queued_cpu  # -1: none
    uint8_t kobject         # references to the struct
    uint8_t lost            # those that nobody will put
    uint8_t killed          # the first reference of refs is gone
    uint8_t deactivated
    uint8_t live            # not shut down yet
    uint8_t freed           # what looks at it now is too late
    uint8_t released        # the first reference is put
    uint8_t removal         # of its directory is queued
    uint8_t unslotted       # by a destruction of its root that left it


cdef struct root_cache:
    int64_t serial
    uint32_t cache          # stale once it is gone
    list_link roots         # slab_root_caches
    list_head children
    list_head parked        # children that held objects, while it is destroyed
    uint32_t *slots         # memcg_caches: kmemcg_id -> child; NULL once shut
    int64_t *missed_at      # first miss of that cgroup; -1: none
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
    arena links             # cache_links and kmem_cache share their indices
    arena caches
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
    return (objects + r.per_slab - 1) // r.per_slab


cdef inline uint32_t root_slot(
    slab_caches *s, uint32_t root, int32_t id
) noexcept nogil:
    """Return the child that a cgroup has of a root, or NIL."""
    if id < 0 or <uint32_t>id >= s.nr_ids or root_at(s, root).slots == NULL:
        return NIL
    return root_at(s, root).slots[id]


cdef inline bint root_gone(slab_caches *s, uint32_t root) noexcept nogil:
    """Tell whether a root is destroyed, so that its memory may be another's."""
    return root_at(s, root).shut and not root_at(s, root).leaked


cdef inline bint root_serves(slab_caches *s, uint32_t root) noexcept nogil:
    """Tell whether somebody may still allocate from a root."""
    cdef const root_cache *r = root_at(s, root)
    return not r.shut and r.refcount > r.leaving

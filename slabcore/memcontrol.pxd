"""Memory cgroups and the css that holds each. mm/memcontrol.h"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from slabcore.arena cimport NIL, arena, arena_at, arena_give, arena_take, prefetch
from slabcore.list cimport list_head, list_link

cdef enum:
    MAX_KMEMCG_ID = 65535   # MEMCG_CACHES_MAX_SIZE
    ID_WORDS = 1024


cdef struct mem_cgroup:
    int64_t serial
    int64_t refs            # of the css
    list_link siblings      # all cgroups, by creation
    list_head kmem_caches
    list_head objcg_list    # those that its children left to it
    uint32_t objcg          # whom its tasks' objects are charged to, or NIL
    uint32_t parent
    uint32_t generation
    int32_t kmemcg_id
    int32_t id              # of the css or its own
    uint32_t online_children    # of the css, itself included (online_cnt)
    uint32_t child_cgroups
    uint32_t tasks
    uint32_t filled         # slots of roots
    uint8_t online
    uint8_t kmem_online
    uint8_t dead
    uint8_t released        # of its cgroup only the memory is left
    uint8_t id_held


cdef struct id_set:
    uint64_t words[ID_WORDS]    # a bit for each id in use
    uint32_t first_word         # no free id is below this word


cdef struct obj_cgroup:
    int64_t serial          # of the cgroup it was made for
    int64_t refs            # until it is killed; and one for each object
    list_link list          # of its cgroup, unless it is that one's own
    uint32_t memcg          # NIL: not in use
    uint32_t first          # its holdings, the oldest first
    uint32_t in_flight
    uint8_t killed          # the first reference of refs is gone


cdef struct holding:        # what an obj_cgroup answers for of a root cache
    uint32_t root
    uint32_t held
    uint32_t pinned
    uint32_t next


cdef struct memcgs:
    arena groups            # entry 0 is the root cgroup
    list_head all           # but the root, the oldest first
    int64_t serial
    id_set kmemcg_ids
    id_set ids              # of memory cgroups; 0 is none's and 1 the root's
    uint32_t ids_left
    arena objcgs
    arena holdings


cdef inline mem_cgroup *memcg_at(memcgs *m, uint32_t i) noexcept nogil:
    return &(<mem_cgroup *>m.groups.entries)[i]


cdef inline void memcg_prefetch(memcgs *m, uint32_t i) noexcept nogil:
    prefetch(memcg_at(m, i))
    prefetch(<const char *>memcg_at(m, i) + 64)


cdef inline obj_cgroup *objcg_at(memcgs *m, uint32_t i) noexcept nogil:
    return &(<obj_cgroup *>m.objcgs.entries)[i]


cdef inline holding *holding_at(memcgs *m, uint32_t i) noexcept nogil:
    return &(<holding *>m.holdings.entries)[i]


cdef inline int objcg_new(
    memcgs *m, uint32_t memcg, uint32_t *index
) except -1 nogil:
    cdef obj_cgroup *o
    arena_take(&m.objcgs, index)
    o = objcg_at(m, index[0])
    o.serial = memcg_at(m, memcg).serial
    o.refs = 1
    o.memcg = memcg
    o.first = NIL
    o.in_flight = 0
    o.killed = 0
    return 0


cdef inline int objcg_free(memcgs *m, uint32_t index) except -1 nogil:
    """Forget an obj_cgroup that no list has any more."""
    cdef uint32_t i = objcg_at(m, index).first, next
    while i != NIL:
        next = holding_at(m, i).next
        arena_give(&m.holdings, i)
        i = next
    objcg_at(m, index).memcg = NIL
    arena_give(&m.objcgs, index)
    return 0


cdef inline uint32_t holding_of(
    memcgs *m, uint32_t objcg, uint32_t root
) noexcept nogil:
    """Return what an obj_cgroup holds of a root, or NIL."""
    cdef uint32_t i = objcg_at(m, objcg).first
    while i != NIL and holding_at(m, i).root != root:
        i = holding_at(m, i).next
    return i


cdef inline int holding_add(
    memcgs *m, uint32_t objcg, uint32_t root, uint32_t held, uint32_t pinned
) except -1 nogil:
    cdef uint32_t i = holding_of(m, objcg, root)
    cdef uint32_t last = objcg_at(m, objcg).first
    if i == NIL:
        arena_take(&m.holdings, &i)
        holding_at(m, i).root = root
        holding_at(m, i).held = holding_at(m, i).pinned = 0
        holding_at(m, i).next = NIL
        if last == NIL:
            objcg_at(m, objcg).first = i
        else:
            while holding_at(m, last).next != NIL:
                last = holding_at(m, last).next
            holding_at(m, last).next = i
    holding_at(m, i).held += held
    holding_at(m, i).pinned += pinned
    return 0


cdef inline uint32_t objcg_first(memcgs *m, uint32_t memcg) noexcept nogil:
    """Return the first that a cgroup answers for, its own before those left to it."""
    cdef mem_cgroup *group = memcg_at(m, memcg)
    return group.objcg if group.objcg != NIL else group.objcg_list.first


cdef inline uint32_t objcg_next(memcgs *m, uint32_t objcg) noexcept nogil:
    """Return the one of the same cgroup that follows, or NIL."""
    cdef mem_cgroup *group = memcg_at(m, objcg_at(m, objcg).memcg)
    if group.objcg == objcg:
        return group.objcg_list.first
    return objcg_at(m, objcg).list.next


cdef inline uint32_t objcg_of(memcgs *m, uint32_t memcg) noexcept nogil:
    """Return whom a task of a cgroup charges, or NIL: none in the root cgroup."""
    while memcg and memcg_at(m, memcg).objcg == NIL:
        memcg = memcg_at(m, memcg).parent
    return memcg_at(m, memcg).objcg


cdef inline int32_t id_take(id_set *s) noexcept nogil:
    """Take the smallest free id; there is one."""
    cdef uint32_t word = s.first_word
    cdef int32_t bit = 0
    while s.words[word] == <uint64_t>-1:
        word += 1
    s.first_word = word
    while s.words[word] >> bit & 1:
        bit += 1
    s.words[word] |= <uint64_t>1 << bit
    return <int32_t>word * 64 + bit


cdef inline void id_give(id_set *s, int32_t id) noexcept nogil:
    s.words[id // 64] &= ~(<uint64_t>1 << (id % 64))
    if <uint32_t>(id // 64) < s.first_word:
        s.first_word = <uint32_t>(id // 64)


cdef inline void memcg_id_put(memcgs *m, uint32_t memcg) noexcept nogil:
    """Give a cgroup's id back; the cgroup remembers its number."""
    id_give(&m.ids, memcg_at(m, memcg).id)
    memcg_at(m, memcg).id_held = 0
    m.ids_left += 1

"""Memory cgroups and the css that holds each. mm/memcontrol.h"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from slabcore.arena cimport arena, arena_at
from slabcore.list cimport list_head, list_link

cdef enum:
    MAX_KMEMCG_ID = 65535   # MEMCG_CACHES_MAX_SIZE
    ID_WORDS = 1024


cdef struct mem_cgroup:
    int64_t serial
    int64_t refs            # of the css
    list_link siblings      # all cgroups, by creation
    list_head kmem_caches
    uint32_t parent
    uint32_t generation
    int32_t kmemcg_id
    int32_t id              # of the css or its own
    uint32_t online_children    # of the css, itself included (online_cnt)
    uint32_t child_cgroups
    uint32_t tasks
    uint8_t online
    uint8_t kmem_online
    uint8_t dead
    uint8_t id_held


cdef struct id_set:
    uint64_t words[ID_WORDS]    # a bit for each id in use
    uint32_t first_word         # no free id is below this word


cdef struct memcgs:
    arena groups            # entry 0 is the root cgroup
    list_head all           # but the root, the oldest first
    int64_t serial
    id_set kmemcg_ids
    id_set ids              # of memory cgroups; 0 is none's and 1 the root's
    uint32_t ids_left


cdef inline mem_cgroup *memcg_at(memcgs *m, uint32_t i) noexcept nogil:
    return &(<mem_cgroup *>m.groups.entries)[i]


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

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
    uint32_t online_children    # of the css, itself included (online_cnt)
    uint32_t child_cgroups
    uint32_t tasks
    uint8_t online
    uint8_t kmem_online
    uint8_t dead


cdef struct memcgs:
    arena groups            # entry 0 is the root cgroup
    list_head all           # but the root, the oldest first
    int64_t serial
    uint64_t ids[ID_WORDS]  # a bit for each kmemcg_id in use
    uint32_t first_word     # no free id is below this word


cdef inline mem_cgroup *memcg_at(memcgs *m, uint32_t i) noexcept nogil:
    return &(<mem_cgroup *>m.groups.entries)[i]


cdef inline int32_t id_lowest_free(memcgs *m) noexcept nogil:
    """Return the smallest kmemcg_id that is free; MAX_KMEMCG_ID if none is."""
    cdef uint32_t word = m.first_word
    cdef int32_t bit = 0
    while word < ID_WORDS and m.ids[word] == <uint64_t>-1:
        word += 1
    m.first_word = word
    if word == ID_WORDS:
        return MAX_KMEMCG_ID
    while m.ids[word] >> bit & 1:
        bit += 1
    return <int32_t>word * 64 + bit


cdef inline void id_take(memcgs *m, int32_t id) noexcept nogil:
    m.ids[id // 64] |= <uint64_t>1 << (id % 64)


cdef inline void id_give(memcgs *m, int32_t id) noexcept nogil:
    m.ids[id // 64] &= ~(<uint64_t>1 << (id % 64))
    if <uint32_t>(id // 64) < m.first_word:
        m.first_word = <uint32_t>(id // 64)

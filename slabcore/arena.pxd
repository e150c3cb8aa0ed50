"""Arrays that grow: the one place that allocates and frees.

What lives in an arena is named by its 32-bit index. Growing may move an arena's
entries, so a pointer into one does not outlive a call that may add to it.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memset

from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc

cdef enum:
    MAX_ENTRIES = 0x7FFFFFF0

cdef extern from *:
    """
    #define SLABCORE_NIL 0xFFFFFFFFu
    """
    const uint32_t NIL "SLABCORE_NIL"


cdef struct arena:
    void *entries
    size_t size             # bytes of an entry
    uint32_t used           # entries ever handed out
    uint32_t capacity
    uint32_t *spare         # indices given back, the latest last
    uint32_t spares
    uint32_t spare_capacity


cdef inline void *arena_resize(void *old, size_t size) except NULL nogil:
    cdef void *new = PyMem_RawRealloc(old, size if size else 1)
    if new == NULL:
        with gil:
            raise MemoryError()
    return new


cdef inline void arena_init(arena *a, size_t size) noexcept nogil:
    memset(a, 0, sizeof(arena))
    a.size = size


cdef inline void arena_free(arena *a) noexcept nogil:
    PyMem_RawFree(a.entries)
    PyMem_RawFree(a.spare)
    a.entries = NULL
    a.spare = NULL


cdef inline int arena_reserve(arena *a, size_t count) except -1 nogil:
    """Make room for *count* entries in all."""
    cdef size_t capacity = a.capacity
    if count <= capacity:
        return 0
    if count > MAX_ENTRIES:
        with gil:
            raise MemoryError("an arena holds at most 2147483632 entries")
    while capacity < count:
        capacity = capacity + capacity // 2 + 64
    a.entries = arena_resize(a.entries, capacity * a.size)
    a.capacity = <uint32_t>capacity
    return 0


cdef inline void *arena_at(arena *a, uint32_t index) noexcept nogil:
    return <char *>a.entries + index * a.size


cdef inline int arena_take(arena *a, uint32_t *index) except -1 nogil:
    """Hand out an index: the one given back last, or a new one, whose entry is zero.

    Room is touched when it is handed out: what is only reserved takes no memory.
    """
    if a.spares:
        a.spares -= 1
        index[0] = a.spare[a.spares]
        return 0
    arena_reserve(a, <size_t>a.used + 1)
    index[0] = a.used
    memset(<char *>a.entries + a.used * a.size, 0, a.size)
    a.used += 1
    return 0


cdef inline int arena_extend(arena *a, uint32_t count) except -1 nogil:
    """Hand out all indices below *count*; new entries are zero."""
    if count > a.used:
        arena_reserve(a, count)
        memset(<char *>a.entries + a.used * a.size, 0, (count - a.used) * a.size)
        a.used = count
    return 0


cdef inline int arena_give(arena *a, uint32_t index) except -1 nogil:
    """Take an index back."""
    cdef uint32_t capacity
    if a.spares == a.spare_capacity:
        capacity = a.spare_capacity * 2 + 64
        a.spare = <uint32_t *>arena_resize(a.spare, capacity * sizeof(uint32_t))
        a.spare_capacity = capacity
    a.spare[a.spares] = index
    a.spares += 1
    return 0

"""Arrays that grow: the one place that allocates and frees.

What lives in an arena is named by its 32-bit index. Growing may move an arena's
entries, so a pointer into one does not outlive a call that may add to it.

A large arena lies in pages of its own, for which huge ones are asked where the system
has them: random accesses to many MiB then miss the TLB less. Pages are touched when
entries are handed out, so that what is only reserved takes no memory; a huge page may
take 2 MiB for its first entry, and is not asked for where that would be much.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawRealloc

cdef enum:
    MAX_ENTRIES = 0x7FFFFFF0
    LARGE = 4 << 20         # bytes from which an arena has pages of its own
    LARGE_BY_ONE = 32 << 20     # and from which a huge one may wait for its entries
    MANY = 64 << 10         # bytes that are worth to be given back

cdef extern from *:
    """
    #define SLABCORE_NIL 0xFFFFFFFFu

    #if defined(__GNUC__)
    /* The empty asm keeps GCC from dropping calls of what only prefetches. */
    #define SLABCORE_PREFETCH(p) (__builtin_prefetch(p), slabcore_keep())
    static inline void slabcore_keep(void)
    {
        __asm__ __volatile__("");
    }
    #else
    #define SLABCORE_PREFETCH(p) ((void)(p))
    #endif

    #if defined(__linux__)
    #include <sys/mman.h>
    #endif
    #if defined(__linux__) && defined(MADV_HUGEPAGE) && defined(MREMAP_FIXED)
    #define SLABCORE_MAPS 1
    #define SLABCORE_HUGE ((size_t)2 << 20)

    /* Give pages a new size at an aligned address; old ones move without a copy. */
    static inline void *slabcore_remap(void *old, size_t old_size, size_t size)
    {
        size_t room = size + SLABCORE_HUGE, before;
        char *found = (char *)mmap(NULL, room, PROT_NONE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        void *at;
        if ((void *)found == MAP_FAILED)
            return NULL;
        before = (SLABCORE_HUGE - (size_t)found % SLABCORE_HUGE) % SLABCORE_HUGE;
        at = found + before;
        if (before)
            munmap(found, before);
        munmap((char *)at + size, room - before - size);
        if (old == NULL) {
            if (mprotect(at, size, PROT_READ | PROT_WRITE) == 0)
                return at;
            munmap(at, size);
            return NULL;
        }
        /* If this fails the place may be another thread's already: it is left alone. */
        if (mremap(old, old_size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) != at)
            return NULL;
        return at;
    }

    static inline void slabcore_unmap(void *at, size_t size)
    {
        munmap(at, size);
    }

    /* On the whole of a mapping: mremap() moves no half of one. */
    static inline void slabcore_ask_for_huge(void *at, size_t size)
    {
        madvise(at, size, MADV_HUGEPAGE);
    }
    #else
    #define SLABCORE_MAPS 0
    #define SLABCORE_HUGE 1
    static inline void *slabcore_remap(void *old, size_t old_size, size_t size)
    {
        (void)old; (void)old_size; (void)size;
        return NULL;
    }
    static inline void slabcore_unmap(void *at, size_t size)
    {
        (void)at; (void)size;
    }
    static inline void slabcore_ask_for_huge(void *at, size_t size)
    {
        (void)at; (void)size;
    }
    #endif
    """
    const uint32_t NIL "SLABCORE_NIL"
    void prefetch "SLABCORE_PREFETCH"(const void *p) noexcept nogil
    const bint MAPS "SLABCORE_MAPS"
    const size_t HUGE_PAGE "SLABCORE_HUGE"
    void *slabcore_remap(void *old, size_t old_size, size_t size) noexcept nogil
    void slabcore_unmap(void *at, size_t size) noexcept nogil
    void slabcore_ask_for_huge(void *at, size_t size) noexcept nogil


cdef struct arena:
    void *entries
    size_t size             # bytes of an entry
    uint32_t used           # entries ever handed out
    uint32_t capacity
    uint32_t *spare         # indices given back, the latest last
    uint32_t spares
    uint32_t spare_capacity
    size_t mapped           # bytes of its own pages; 0: the entries are on the heap
    bint huge_pages         # ask for them


cdef inline void *arena_resize(void *old, size_t size) except NULL nogil:
    cdef void *new = PyMem_RawRealloc(old, size if size else 1)
    if new == NULL:
        with gil:
            raise MemoryError()
    return new


cdef inline void *arena_zeroed(size_t count, size_t size) except NULL nogil:
    """Return an array of zeroes; where it is large, what is not touched takes none."""
    cdef void *new = PyMem_RawCalloc(count, size)
    if new == NULL:
        with gil:
            raise MemoryError()
    return new


cdef inline void arena_init(arena *a, size_t size) noexcept nogil:
    memset(a, 0, sizeof(arena))
    a.size = size
    a.huge_pages = True


cdef inline void arena_free(arena *a) noexcept nogil:
    if a.mapped:
        slabcore_unmap(a.entries, a.mapped)
    else:
        PyMem_RawFree(a.entries)
    PyMem_RawFree(a.spare)
    a.mapped = 0
    a.entries = NULL
    a.spare = NULL


cdef inline int arena_map(arena *a, size_t size) except -1 nogil:
    """Give the entries pages of their own, of *size* bytes or a few more."""
    cdef size_t whole = (size + HUGE_PAGE - 1) // HUGE_PAGE * HUGE_PAGE
    cdef void *new = slabcore_remap(a.entries if a.mapped else NULL, a.mapped, whole)
    if new == NULL:
        with gil:
            raise MemoryError()
    if not a.mapped and a.entries != NULL:
        memcpy(new, a.entries, a.capacity * a.size)
        PyMem_RawFree(a.entries)
    a.entries = new
    a.mapped = whole
    return 0


cdef inline int arena_reserve(arena *a, size_t count) except -1 nogil:
    """Make room for *count* entries in all."""
    cdef size_t capacity = a.capacity, least
    if count <= capacity:
        return 0
    if count > MAX_ENTRIES:
        with gil:
            raise MemoryError("an arena holds at most 2147483632 entries")
    while capacity < count:
        capacity = capacity + capacity // 2 + 64
    if a.mapped or (MAPS and a.huge_pages and capacity * a.size >= LARGE):
        arena_map(a, capacity * a.size)
        # One entry more says nothing of those to come after it.
        least = LARGE_BY_ONE if count == <size_t>a.capacity + 1 else LARGE
        if a.huge_pages and count * a.size >= least:
            slabcore_ask_for_huge(a.entries, a.mapped)
    else:
        a.entries = arena_resize(a.entries, capacity * a.size)
    a.capacity = <uint32_t>capacity
    return 0


cdef inline void *arena_at(arena *a, uint32_t index) noexcept nogil:
    return <char *>a.entries + index * a.size


cdef inline int arena_take(arena *a, uint32_t *index) except -1 nogil:
    """Hand out an index: the one given back last, or a new one, whose entry is zero."""
    if a.spares:
        a.spares -= 1
        index[0] = a.spare[a.spares]
        return 0
    if a.used == a.capacity:
        arena_reserve(a, <size_t>a.used + 1)
    index[0] = a.used
    memset(<char *>a.entries + a.used * a.size, 0, a.size)
    a.used += 1
    return 0


cdef inline int arena_extend(arena *a, uint32_t count) except -1 nogil:
    """Hand out all indices below *count*; new entries are zero."""
    if count > a.used:
        if count > a.capacity:
            arena_reserve(a, count)
        memset(<char *>a.entries + a.used * a.size, 0, (count - a.used) * a.size)
        a.used = count
    return 0


cdef inline int arena_reserve_spares(arena *a, size_t more) except -1 nogil:
    """Make room to take back every index, and for *more* behind."""
    if a.spare_capacity < a.used + more:
        a.spare = <uint32_t *>arena_resize(
            a.spare, (a.capacity + more) * sizeof(uint32_t)
        )
        a.spare_capacity = <uint32_t>(a.capacity + more)
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


cdef inline int arena_shrink(arena *a, uint32_t count) except -1 nogil:
    """Forget all entries but the first *count*, of which none is given back."""
    cdef void *few = arena_resize(NULL, count * a.size)
    memcpy(few, a.entries, count * a.size)
    arena_free(a)
    a.entries = few
    a.used = a.capacity = count
    a.spares = a.spare_capacity = 0
    return 0


cdef inline int arena_give_back(
    arena *a, uint32_t index, uint32_t kept
) except -1 nogil:
    """Take an index back, and the room of many once only the first *kept* are out."""
    arena_give(a, index)
    if a.spares + kept == a.used and a.used * a.size >= MANY:
        arena_shrink(a, kept)
    return 0

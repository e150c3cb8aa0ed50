"""A cache's row of /proc/slabinfo, as text of format 2.1. mm/slab_common.c

Every width is a minimum: a wider name or number pushes the rest of its row to the
right, and nothing is cut. Functions write without bound and return how much they wrote;
the caller has made room for HEADER_ROOM, or for ROW_ROOM and the name.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    NAME_WIDTH = 17
    HEADER_ROOM = 400
    # 5 numbers of 20 digits, 6 of 10, 13 statistics of 20, what stands between, a name
    # padded to its width
    ROW_ROOM = 640

cdef extern from *:
    """
    #define SLABCORE_VERSION "slabinfo - version: 2.1"
    #define SLABCORE_COLUMNS "# name            <active_objs> <num_objs> <objsize> " \
        "<objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> " \
        ": slabdata <active_slabs> <num_slabs> <sharedavail>"
    #define SLABCORE_GLOBALSTAT " : globalstat <listallocs> <maxobjs> <grown> " \
        "<reaped> <error> <maxfreeable> <nodeallocs> <remotefrees> <alienoverflow> " \
        ": cpustat <allochit> <allocmiss> <freehit> <freemiss>"
    static const char SLABCORE_HEADER[] = SLABCORE_VERSION "\\n" SLABCORE_COLUMNS "\\n";
    static const char SLABCORE_STATISTICS[] = SLABCORE_VERSION " (statistics)\\n"
        SLABCORE_COLUMNS SLABCORE_GLOBALSTAT "\\n";
    static const char SLABCORE_PAIRS[] =
        "00010203040506070809" "10111213141516171819" "20212223242526272829"
        "30313233343536373839" "40414243444546474849" "50515253545556575859"
        "60616263646566676869" "70717273747576777879" "80818283848586878889"
        "90919293949596979899";
    """
    const char *HEADER "SLABCORE_HEADER"
    const char *STATISTICS_HEADER "SLABCORE_STATISTICS"
    const size_t HEADER_LENGTH "(sizeof(SLABCORE_HEADER) - 1)"
    const size_t STATISTICS_LENGTH "(sizeof(SLABCORE_STATISTICS) - 1)"
    const char *PAIRS "SLABCORE_PAIRS"      # the two digits of 0 to 99


cdef struct slabinfo:
    uint64_t active_objs
    uint64_t num_objs
    uint64_t active_slabs
    uint64_t num_slabs
    uint64_t shared_avail
    uint32_t limit
    uint32_t batchcount
    uint32_t shared
    uint32_t objects_per_slab
    uint32_t size           # of an object, padding included
    uint32_t pages          # a slab's: 2 to the power of its order


cdef struct slab_stats:     # of a kernel built with SLAB's statistics
    uint64_t listallocs
    uint64_t maxobjs
    uint64_t grown
    uint64_t reaped
    uint64_t error
    uint64_t maxfreeable
    uint64_t nodeallocs
    uint64_t remotefrees
    uint64_t alienoverflow
    uint64_t allochit
    uint64_t allocmiss
    uint64_t freehit
    uint64_t freemiss


cdef inline void slabinfo_add(slabinfo *root, const slabinfo *child) noexcept nogil:
    """Add a child's counts to its root's, modulo 2**64; the rest is the root's own."""
    root.active_objs += child.active_objs
    root.num_objs += child.num_objs
    root.active_slabs += child.active_slabs
    root.num_slabs += child.num_slabs
    root.shared_avail += child.shared_avail


cdef inline char *put_decimal(char *out, uint64_t value, size_t width) noexcept nogil:
    """Write a blank and a number, right-justified; return where it ends."""
    cdef char digits[20]
    cdef size_t at = 20, length, pad
    while value >= 100:
        at -= 2
        memcpy(&digits[at], &PAIRS[2 * (value % 100)], 2)
        value //= 100
    if value >= 10:
        at -= 2
        memcpy(&digits[at], &PAIRS[2 * value], 2)
    else:
        at -= 1
        digits[at] = <char>(c'0' + value)
    length = 20 - at
    pad = 1 + (width - length if width > length else 0)
    memset(out, c' ', 8)    # no width is over 7
    memcpy(out + pad, &digits[at], length)
    return out + pad + length


cdef inline char *put_word(
    char *out, const char *word, size_t length
) noexcept nogil:
    memcpy(out, word, length)
    return out + length


cdef inline size_t slabinfo_header(char *out, bint statistics) noexcept nogil:
    cdef size_t length = STATISTICS_LENGTH if statistics else HEADER_LENGTH
    memcpy(out, STATISTICS_HEADER if statistics else HEADER, length)
    return length


cdef inline size_t slabinfo_row(
    char *out,
    const char *name,
    size_t length,
    const slabinfo *s,
    const slab_stats *stats,
) noexcept nogil:
    """Write a cache's row; stats is NULL where there are none."""
    cdef char *at = put_word(out, name, length)
    if length < NAME_WIDTH:
        memset(at, c' ', NAME_WIDTH - length)
        at = out + NAME_WIDTH
    at = put_decimal(at, s.active_objs, 6)
    at = put_decimal(at, s.num_objs, 6)
    at = put_decimal(at, s.size, 6)
    at = put_decimal(at, s.objects_per_slab, 4)
    at = put_decimal(at, s.pages, 4)
    at = put_word(at, b" : tunables", 11)
    at = put_decimal(at, s.limit, 4)
    at = put_decimal(at, s.batchcount, 4)
    at = put_decimal(at, s.shared, 4)
    at = put_word(at, b" : slabdata", 11)
    at = put_decimal(at, s.active_slabs, 6)
    at = put_decimal(at, s.num_slabs, 6)
    at = put_decimal(at, s.shared_avail, 6)
    if stats != NULL:
        at = put_word(at, b" : globalstat", 13)
        at = put_decimal(at, stats.listallocs, 7)
        at = put_decimal(at, stats.maxobjs, 6)
        at = put_decimal(at, stats.grown, 5)
        at = put_decimal(at, stats.reaped, 4)
        at = put_decimal(at, stats.error, 4)
        at = put_decimal(at, stats.maxfreeable, 4)
        at = put_decimal(at, stats.nodeallocs, 4)
        at = put_decimal(at, stats.remotefrees, 4)
        at = put_decimal(at, stats.alienoverflow, 4)
        at = put_word(at, b" : cpustat", 10)
        at = put_decimal(at, stats.allochit, 6)
        at = put_decimal(at, stats.allocmiss, 6)
        at = put_decimal(at, stats.freehit, 6)
        at = put_decimal(at, stats.freemiss, 6)
    at[0] = c'\n'
    return at + 1 - out

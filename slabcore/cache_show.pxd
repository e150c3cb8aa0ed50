"""A cache's row of /proc/slabinfo, as text of format 2.1. mm/slab_common.c

Every width is a minimum: a wider name or number pushes the rest of its row to the
right, and nothing is cut. Functions write without bound and return how much they wrote;
the caller has made room for HEADER_ROOM, or for ROW_ROOM and the name.

Where every number fits its width, all that follows a name lies at a known place. Such a
row is printed without a loop or a branch, any other number by number.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from slabcore.cache_show_avx512 cimport (
    has_avx512,
    put_fresh_tail_avx512,
    put_rows_avx512,
    put_tail_avx512,
)
from slabcore.decimal cimport put_4_and_4, put_7

# How a row is printed whose numbers fit; the text is the same.
cdef enum:
    ROWS_PORTABLE
    ROWS_AVX512

cdef enum:
    NAME_WIDTH = 17
    TAIL = 90               # bytes after the name if each number fits its width
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
    static const char SLABCORE_TAIL[] = "      0      0      0    0    0"
        " : tunables    0    0    0 : slabdata      0      0      0\\n";
    static const char SLABCORE_PAIRS[] =
        "00010203040506070809" "10111213141516171819" "20212223242526272829"
        "30313233343536373839" "40414243444546474849" "50515253545556575859"
        "60616263646566676869" "70717273747576777879" "80818283848586878889"
        "90919293949596979899";
    """
    void prefetch "__builtin_prefetch"(const void *p) noexcept nogil
    const char *HEADER "SLABCORE_HEADER"
    const char *STATISTICS_HEADER "SLABCORE_STATISTICS"
    const size_t HEADER_LENGTH "(sizeof(SLABCORE_HEADER) - 1)"
    const size_t STATISTICS_LENGTH "(sizeof(SLABCORE_STATISTICS) - 1)"
    const char *ZEROS "SLABCORE_TAIL"       # what follows a name if all numbers are 0
    const char *PAIRS "SLABCORE_PAIRS"      # the two digits of 0 to 99


cdef struct slabinfo:       # the numbers of a row, in the order of the text
    uint64_t active_objs
    uint64_t num_objs
    uint64_t size           # of an object, padding included; a uint32_t as the next
    uint64_t objects_per_slab
    uint64_t pages          # a slab's: 2 to the power of its order
    uint64_t limit
    uint64_t batchcount
    uint64_t shared
    uint64_t active_slabs
    uint64_t num_slabs
    uint64_t shared_avail


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


cdef inline int rows_path() noexcept nogil:
    """Return the quickest way of this CPU to print a row."""
    return ROWS_AVX512 if has_avx512() else ROWS_PORTABLE


cdef inline uint64_t over(uint64_t limit, uint64_t number) noexcept nogil:
    """Set the top bit if a number is over a limit."""
    return (limit - number) | number


cdef inline bint numbers_fit(const slabinfo *s) noexcept nogil:
    """Tell whether no number is wider than its field."""
    return (
        over(999999, s.active_objs)
        | over(999999, s.num_objs)
        | over(999999, s.size)
        | over(9999, s.objects_per_slab)
        | over(9999, s.pages)
        | over(9999, s.limit)
        | over(9999, s.batchcount)
        | over(9999, s.shared)
        | over(999999, s.active_slabs)
        | over(999999, s.num_slabs)
        | over(999999, s.shared_avail)
    ) >> 63 == 0


cdef inline bint put_tail_portable(char *out, const slabinfo *s) noexcept nogil:
    """Write what follows a name, TAIL bytes; False if a number does not fit."""
    if not numbers_fit(s):
        return False
    memcpy(out, ZEROS, TAIL)
    put_7(out, s.active_objs)
    put_7(out + 7, s.num_objs)
    put_7(out + 14, s.size)
    put_4_and_4(out + 22, out + 27, s.objects_per_slab, s.pages)
    if s.limit | s.batchcount | s.shared:   # of SLAB only
        put_4_and_4(out + 43, out + 48, s.limit, s.batchcount)
        put_4_and_4(out + 53, out + 53, 0, s.shared)
    put_7(out + 68, s.active_slabs)
    put_7(out + 75, s.num_slabs)
    if s.shared_avail:
        put_7(out + 82, s.shared_avail)
    return True


cdef inline bint put_tail(char *out, const slabinfo *s, int path) noexcept nogil:
    """Write what follows a name if all fits, TAIL bytes; else nothing, and False."""
    if path == ROWS_AVX512:
        return put_tail_avx512(out, <const uint64_t *>s)
    return put_tail_portable(out, s)


cdef inline char *put_wide_tail(char *at, const slabinfo *s) noexcept nogil:
    """Write what follows a name; return where the line ends."""
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
    return put_decimal(at, s.shared_avail, 6)


cdef inline char *put_statistics(char *at, const slab_stats *stats) noexcept nogil:
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
    return put_decimal(at, stats.freemiss, 6)


cdef inline void copy_short(char *out, const char *from_, size_t length) noexcept nogil:
    """Copy some bytes by two copies that overlap: a call takes longer for so few."""
    if length > 32:
        memcpy(out, from_, length)
    elif length >= 16:
        memcpy(out, from_, 16)
        memcpy(out + length - 16, from_ + length - 16, 16)
    elif length >= 8:
        memcpy(out, from_, 8)
        memcpy(out + length - 8, from_ + length - 8, 8)
    elif length >= 4:
        memcpy(out, from_, 4)
        memcpy(out + length - 4, from_ + length - 4, 4)
    elif length:
        out[0] = from_[0]
        out[length >> 1] = from_[length >> 1]
        out[length - 1] = from_[length - 1]


cdef inline char *put_name(
    char *out, const char *name, size_t length
) noexcept nogil:
    """Write a name, padded to NAME_WIDTH; return where it ends."""
    if length < NAME_WIDTH:
        memset(out, c' ', NAME_WIDTH)
    copy_short(out, name, length)
    return out + (length if length > NAME_WIDTH else NAME_WIDTH)


cdef inline size_t slabinfo_fitting_row(
    char *out, const char *name, size_t length, const slabinfo *s
) noexcept nogil:
    """Write the row of numbers made just now if they fit their widths; else return 0.

    It takes TAIL bytes and the name, padded.
    """
    cdef char *at = put_name(out, name, length)
    if has_avx512():
        if not put_fresh_tail_avx512(at, <const uint64_t *>s):
            return 0
    elif not put_tail_portable(at, s):
        return 0
    return at + TAIL - out


cdef inline size_t slabinfo_row(
    char *out,
    const char *name,
    size_t length,
    const slabinfo *s,
    const slab_stats *stats,
    int path,
) noexcept nogil:
    """Write a cache's row by a path of ROWS; stats is NULL where there are none."""
    cdef char *at = put_name(out, name, length)
    if put_tail(at, s, path):
        at += TAIL - 1
    else:
        at = put_wide_tail(at, s)
    if stats != NULL:
        at = put_statistics(at, stats)
    at[0] = c'\n'
    return at + 1 - out


cdef inline size_t put_rows(
    char *out,
    size_t size,
    const char *names,
    const uint32_t *ends,
    const slabinfo *rows,
    uint32_t *row,
    uint32_t last,
    int path,
) noexcept nogil:
    """Write rows without statistics from *row* to before *last*; return how many bytes.

    It ends before a row that does not fit into *size* bytes, and before one of which a
    number does not fit its width; *row* becomes that one, and behind what is written
    nothing within *size* is to be relied on.
    names: padded to NAME_WIDTH, one behind the other, that of row i between ends[i] and
    ends[i + 1]; there are 64 bytes behind the last.
    """
    cdef size_t used = 0, length
    cdef const char *name
    cdef uint32_t i = row[0]
    if path == ROWS_AVX512:
        return put_rows_avx512(
            out, size, names, ends, <const uint64_t *>rows, row, last
        )
    while i < last:
        length = ends[i + 1] - ends[i]
        if size - used < length + TAIL:
            break
        prefetch(<const char *>&rows[i] + 16 * sizeof(slabinfo))
        prefetch(<const char *>&rows[i] + 16 * sizeof(slabinfo) + 64)
        name = names + ends[i]
        if length <= 32:
            memcpy(out + used, name, 32)    # over what is too much the tail is written
        else:
            memcpy(out + used, name, length)
        if not put_tail_portable(out + used + length, &rows[i]):
            break
        used += length + TAIL
        i += 1
    row[0] = i
    return used

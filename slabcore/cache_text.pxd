"""The text of many rows of /proc/slabinfo, read in chunks again and again.

Rows are kept as numbers, names as they are printed. A chunk is made of whole rows; one
that is longer than what is asked for comes in pieces. A reader's place is a row, so to
go on costs the same anywhere.

If text is kept it lies in blocks of BLOCK rows, each with a bit for every row whose
numbers have changed since it was printed: what has not changed is only copied.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport arena, arena_free, arena_init, arena_reserve, arena_resize
from slabcore.cache_show cimport (
    HEADER_ROOM,
    NAME_WIDTH,
    ROW_ROOM,
    TAIL,
    numbers_fit,
    prefetch,
    put_rows,
    slab_stats,
    slabinfo,
    slabinfo_header,
    slabinfo_row,
)

cdef enum:
    BLOCK = 32              # rows: as many as there are bits in text_block.stale
    AHEAD = 64              # lines of the next chunk that are prefetched
    LINE = 64               # bytes
    NAMES_ROOM = 64         # behind the last name, as put_rows() wants


cdef struct text_block:
    char *text
    uint32_t length
    uint32_t room
    uint32_t stale          # a bit a row
    bint own                # text is a piece of memory by itself


cdef struct cache_text:
    uint32_t count
    uint32_t *ends          # of names; ends[0] is 0
    char *names
    arena numbers           # rows lie in it
    slabinfo *rows
    slab_stats *stats       # NULL: a kernel without
    bint header
    bint keeps
    int path
    # of text that is kept
    arena text              # all blocks' but those that outgrew their room
    text_block *blocks
    uint32_t *row_ends      # where each row ends in its block; behind the last -1
    # where the reader is
    uint32_t row            # the next
    uint32_t start          # of text that is kept: where it begins in its block
    bint begun              # the header is delivered
    char *pieces            # of the one record under way that fits no chunk
    size_t from_
    size_t left


cdef inline uint32_t text_blocks(const cache_text *t) noexcept nogil:
    return (t.count + BLOCK - 1) // BLOCK


cdef inline uint32_t block_end(const cache_text *t, uint32_t block) noexcept nogil:
    """Return the row behind a block's last."""
    cdef size_t end = (<size_t>block + 1) * BLOCK
    return <uint32_t>end if end < t.count else t.count


cdef inline size_t longest_record(const cache_text *t) noexcept nogil:
    """Return the room for any of the records."""
    cdef size_t longest = 0
    cdef uint32_t i
    for i in range(t.count):
        longest = max(longest, <size_t>(t.ends[i + 1] - t.ends[i]))
    return max(longest + ROW_ROOM, <size_t>HEADER_ROOM)


cdef inline int text_open(cache_text *t) except -1 nogil:
    """Be ready to read; count, ends, names, rows, stats and the rest are set."""
    cdef uint32_t i, block, blocks = text_blocks(t)
    cdef size_t at = 0
    t.pieces = <char *>arena_resize(NULL, longest_record(t))
    if not t.keeps:
        return 0
    t.blocks = <text_block *>arena_resize(NULL, blocks * sizeof(text_block))
    memset(t.blocks, 0, blocks * sizeof(text_block))
    t.row_ends = <uint32_t *>arena_resize(NULL, blocks * BLOCK * sizeof(uint32_t))
    memset(t.row_ends, 0, blocks * BLOCK * sizeof(uint32_t))
    for i in range(t.count, blocks * BLOCK):
        t.row_ends[i] = <uint32_t>-1
    arena_init(&t.text, LINE)
    t.text.huge_pages = t.numbers.huge_pages
    arena_reserve(&t.text, (t.ends[t.count] + <size_t>t.count * TAIL) // LINE + 1)
    for block in range(blocks):
        i = block * BLOCK
        t.blocks[block].text = <char *>t.text.entries + at
        t.blocks[block].room = (
            t.ends[block_end(t, block)] - t.ends[i] + TAIL * (block_end(t, block) - i)
        )
        t.blocks[block].stale = <uint32_t>-1
        at += t.blocks[block].room
    return 0


cdef inline void text_free(cache_text *t) noexcept nogil:
    cdef uint32_t block
    if t.blocks != NULL:
        for block in range(text_blocks(t)):
            if t.blocks[block].own:
                PyMem_RawFree(t.blocks[block].text)
    PyMem_RawFree(t.blocks)
    PyMem_RawFree(t.row_ends)
    PyMem_RawFree(t.pieces)
    PyMem_RawFree(t.ends)
    PyMem_RawFree(t.names)
    PyMem_RawFree(t.stats)
    arena_free(&t.numbers)
    arena_free(&t.text)


cdef inline void text_changed(cache_text *t, uint32_t row) noexcept nogil:
    """Note that a row's numbers are others."""
    if t.keeps:
        t.blocks[row // BLOCK].stale |= <uint32_t>1 << row % BLOCK


cdef inline void text_rewind(cache_text *t) noexcept nogil:
    t.row = t.start = 0
    t.begun = False
    t.left = 0


# --- printing ---


cdef inline size_t any_row(cache_text *t, char *out, uint32_t row) noexcept nogil:
    """Write a row, however wide it is."""
    return slabinfo_row(
        out, t.names + t.ends[row], t.ends[row + 1] - t.ends[row], &t.rows[row],
        NULL if t.stats == NULL else &t.stats[row], t.path,
    )


cdef inline uint32_t row_length(cache_text *t, uint32_t row) noexcept nogil:
    if t.stats == NULL and numbers_fit(&t.rows[row]):
        return t.ends[row + 1] - t.ends[row] + TAIL
    return <uint32_t>any_row(t, t.pieces, row)


cdef inline size_t print_rows(
    cache_text *t, char *out, size_t size, uint32_t *row, uint32_t last
) noexcept nogil:
    """Write whole rows up to *last* that fit; return how many bytes they are."""
    cdef size_t used = 0, length
    while row[0] < last:
        if t.stats == NULL:
            used += put_rows(
                out + used, size - used, t.names, t.ends, t.rows, row, last, t.path
            )
            if row[0] == last:
                break
        if size - used < t.ends[row[0] + 1] - t.ends[row[0]] + TAIL:
            break
        length = any_row(t, t.pieces, row[0])
        if size - used < length:
            break
        memcpy(out + used, t.pieces, length)
        used += length
        row[0] += 1
    return used


# --- text that is kept ---


cdef inline uint32_t row_start(const cache_text *t, uint32_t row) noexcept nogil:
    """Return where a row begins in its block."""
    return t.row_ends[row - 1] if row % BLOCK else 0


cdef inline bint block_fits(cache_text *t, uint32_t block) noexcept nogil:
    """Print all of a block if every number fits its width."""
    cdef text_block *b = &t.blocks[block]
    cdef uint32_t first = block * BLOCK, end = block_end(t, block), i = first
    b.length = <uint32_t>put_rows(
        b.text, b.room, t.names, t.ends, t.rows, &i, end, t.path
    )
    if i < end:
        return False
    for i in range(first, end):
        t.row_ends[i] = t.ends[i + 1] - t.ends[first] + TAIL * (i + 1 - first)
    return True


cdef inline void block_measure(cache_text *t, uint32_t block) noexcept nogil:
    """Measure a block's stale rows; all of it is stale if one is as long no more."""
    cdef text_block *b = &t.blocks[block]
    cdef uint32_t first = block * BLOCK, i, was, length, old_end = 0, new_end = 0
    for i in range(first, block_end(t, block)):
        was = length = t.row_ends[i] - old_end
        old_end = t.row_ends[i]
        if b.stale >> (i - first) & 1:
            length = row_length(t, i)
            if length != was:
                b.stale = <uint32_t>-1
        new_end += length
        t.row_ends[i] = new_end
    b.length = new_end


cdef inline int block_print(cache_text *t, uint32_t block) except -1 nogil:
    """Print what is stale of a block."""
    cdef text_block *b = &t.blocks[block]
    cdef uint32_t first = block * BLOCK, end = block_end(t, block), i, row
    cdef uint32_t others = 0 if end - first == BLOCK else <uint32_t>-1 << (end - first)
    if b.stale | others == <uint32_t>-1 and t.stats == NULL and block_fits(t, block):
        b.stale = 0
        return 0
    block_measure(t, block)
    if b.length > b.room:
        b.text = <char *>arena_resize(b.text if b.own else NULL, b.length)
        b.room = b.length
        b.own = True
    for i in range(first, end):
        if b.stale >> (i - first) & 1:
            row = i
            print_rows(
                t, b.text + row_start(t, i), t.row_ends[i] - row_start(t, i), &row,
                i + 1,
            )
    b.stale = 0
    return 0


cdef inline Py_ssize_t copy_rows(
    cache_text *t, char *out, size_t size
) except -1 nogil:
    """Write whole rows that fit; return how many bytes they are."""
    cdef size_t used = 0, whole, i
    cdef uint32_t rows
    cdef const uint32_t *ends
    cdef text_block *b
    while t.row < t.count:
        b = &t.blocks[t.row // BLOCK]
        if b.stale:
            block_print(t, t.row // BLOCK)
            t.start = row_start(t, t.row)
        whole = b.length - t.start
        if whole <= size - used:
            memcpy(out + used, b.text + t.start, whole)
            used += whole
            t.row = block_end(t, t.row // BLOCK)
            t.start = 0
            continue
        # which rows end in what is left: counted for all of a block, without a branch
        ends = &t.row_ends[t.row // BLOCK * BLOCK]
        rows = 0
        for i in range(<size_t>BLOCK):
            rows += ends[i] <= t.start + <uint32_t>(size - used)
        t.row = t.row // BLOCK * BLOCK + rows
        whole = row_start(t, t.row) - t.start
        memcpy(out + used, b.text + t.start, whole)
        t.start += <uint32_t>whole
        for i in range(<size_t>AHEAD):
            prefetch(b.text + t.start + LINE * i)
        return used + whole
    return used


# --- reading ---


cdef inline size_t text_piece(cache_text *t, char *out, size_t size) noexcept nogil:
    """Deliver what there is of the record under way."""
    cdef size_t length = min(t.left, size)
    memcpy(out, t.pieces + t.from_, length)
    t.from_ += length
    t.left -= length
    return length


cdef inline Py_ssize_t text_read(cache_text *t, char *out, size_t size) except -1 nogil:
    """Deliver up to *size* bytes; none is the end."""
    cdef size_t used = 0
    if t.left:
        used = text_piece(t, out, size)
        if t.left:
            return used
    if not t.begun:
        t.begun = True
        if t.header:
            t.from_ = 0
            t.left = slabinfo_header(t.pieces, t.stats != NULL)
            used = text_piece(t, out, size)
            if t.left:
                return used
    if t.keeps:
        used += copy_rows(t, out + used, size - used)
    else:
        used += print_rows(t, out + used, size - used, &t.row, t.count)
    if used == 0 and size and t.row < t.count:
        t.from_ = 0
        t.left = any_row(t, t.pieces, t.row)
        t.row += 1
        t.start = row_start(t, t.row) if t.keeps else 0
        return text_piece(t, out, size)
    return used


cdef inline size_t text_left(const cache_text *t) noexcept nogil:
    """Return how many bytes are left if every number fits its width, or somewhat more.

    With statistics it is less than they are.
    """
    return t.left + HEADER_ROOM + (
        t.ends[t.count] - t.ends[t.row] + <size_t>TAIL * (t.count - t.row)
    )

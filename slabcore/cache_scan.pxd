"""A row of /proc/slabinfo read back, from its right end: a name may hold anything.

A row whose numbers fit their widths has each of them at a known place before its end,
and is read without a loop or a branch. Any other is read number by number. Eight bytes
before a row can be read: there is a header.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcmp

from slabcore.cache_show cimport NAME_WIDTH, TAIL
from slabcore.decimal cimport before_blanks, number_before, number_in_field

cdef enum:
    NUMBERS = 11
    STATISTICS = 13


cdef inline bint scan_tail(const char *at, uint64_t *numbers) noexcept nogil:
    """Read the TAIL bytes after a name; False if they are not as they are printed."""
    cdef uint64_t wrong = 0
    if memcmp(at + 31, b" : tunables", 11) or memcmp(at + 57, b" : slabdata", 11):
        return False
    numbers[0] = number_in_field(at + 7, 7, &wrong)
    numbers[1] = number_in_field(at + 14, 7, &wrong)
    numbers[2] = number_in_field(at + 21, 7, &wrong)
    numbers[3] = number_in_field(at + 26, 5, &wrong)
    numbers[4] = number_in_field(at + 31, 5, &wrong)
    numbers[5] = number_in_field(at + 47, 5, &wrong)
    numbers[6] = number_in_field(at + 52, 5, &wrong)
    numbers[7] = number_in_field(at + 57, 5, &wrong)
    numbers[8] = number_in_field(at + 75, 7, &wrong)
    numbers[9] = number_in_field(at + 82, 7, &wrong)
    numbers[10] = number_in_field(at + 89, 7, &wrong)
    return wrong == 0


cdef inline const char *scan_numbers(
    const char *end, const char *begin, uint64_t *numbers, int count
) noexcept nogil:
    """Read numbers with blanks before each; return where the blanks begin, or NULL."""
    cdef const char *at
    while count:
        count -= 1
        end = number_before(end, begin, &numbers[count])
        if end == NULL:
            return NULL
        at = before_blanks(end, begin)
        if at == end:
            return NULL
        end = at
    return end


cdef inline const char *scan_word(
    const char *end, const char *begin, const char *word, int length
) noexcept nogil:
    """Find a word with blanks before it; return where they begin, or NULL."""
    cdef const char *at
    if end - begin < length or memcmp(end - length, word, length):
        return NULL
    at = before_blanks(end - length, begin)
    if at == end - length:
        return NULL
    return at


cdef inline const char *scan_statistics(
    const char *end, const char *begin, uint64_t *numbers
) noexcept nogil:
    """Read what a kernel with statistics adds; return where that begins, or NULL."""
    end = scan_numbers(end, begin, numbers + 9, 4)
    if end == NULL:
        return NULL
    end = scan_word(end, begin, b": cpustat", 9)
    if end == NULL:
        return NULL
    end = scan_numbers(end, begin, numbers, 9)
    if end == NULL:
        return NULL
    return scan_word(end, begin, b": globalstat", 12)


cdef inline const char *scan_wide_tail(
    const char *end, const char *begin, uint64_t *numbers
) noexcept nogil:
    """Read what follows a name; return where the name ends, or NULL.

    Before a first number of so many digits there is one blank, or as many as fill six
    places: any other is the name's own.
    """
    cdef const char *field
    cdef const char *at
    end = scan_numbers(end, begin, numbers + 8, 3)
    if end == NULL:
        return NULL
    end = scan_word(end, begin, b": slabdata", 10)
    if end == NULL:
        return NULL
    end = scan_numbers(end, begin, numbers + 5, 3)
    if end == NULL:
        return NULL
    end = scan_word(end, begin, b": tunables", 10)
    if end == NULL:
        return NULL
    end = scan_numbers(end, begin, numbers + 1, 4)
    if end == NULL:
        return NULL
    field = number_before(end, begin, &numbers[0])
    if field == NULL:
        return NULL
    at = before_blanks(field, begin)
    if at == field:
        return NULL
    field = (field if end - field > 6 else end - 6) - 1
    return at if at > field else field


cdef inline bint scan_row(
    const char *begin,
    const char *end,
    uint64_t *numbers,
    uint64_t *statistics,
    size_t *length,
) noexcept nogil:
    """Read a line; return False if it is no row.

    statistics: NULL where there are none. length: of the name, which begins the row.
    """
    cdef const char *at = NULL
    if statistics == NULL and end - begin >= TAIL - 1:
        at = end - (TAIL - 1)
        if not scan_tail(at, numbers):
            at = NULL
    if at == NULL:
        # as \s of a regular expression
        while end > begin and (end[-1] == c' ' or c'\t' <= end[-1] <= c'\r'):
            end -= 1
        if statistics != NULL:
            end = scan_statistics(end, begin, statistics)
            if end == NULL:
                return False
        at = scan_wide_tail(end, begin, numbers)
        if at == NULL:
            return False
        if (
            numbers[2] | numbers[3] | numbers[5] | numbers[6] | numbers[7]
        ) >> 32 or numbers[4] >> 31:
            return False
    if at - begin <= NAME_WIDTH:
        at = before_blanks(at, begin)
    length[0] = at - begin
    return True

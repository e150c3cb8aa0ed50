"""Decimal digits, eight at a time in one register: numbers printed and read back.

A register of eight digits is divided and multiplied as one number, in lanes of four,
two and then one digit, so that a number costs three multiplications and no loop. The
first digit is the lowest byte, as it lies in memory.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #define SLABCORE_LE64(x) __builtin_bswap64(x)
    #define SLABCORE_LE32(x) __builtin_bswap32(x)
    #else
    #define SLABCORE_LE64(x) (x)
    #define SLABCORE_LE32(x) (x)
    #endif
    """
    uint64_t little64 "SLABCORE_LE64"(uint64_t x) noexcept nogil
    uint32_t little32 "SLABCORE_LE32"(uint32_t x) noexcept nogil
    int trailing_zeros "__builtin_ctzll"(uint64_t x) noexcept nogil
    int leading_zeros "__builtin_clzll"(uint64_t x) noexcept nogil


cdef inline uint64_t digits_of_halves(uint32_t high, uint32_t low) noexcept nogil:
    """Return the digits of two numbers below 10,000, four bytes each."""
    cdef uint64_t halves = high | <uint64_t>low << 32
    # 10486 / 2**20 is 1 / 100 to 43698, 103 / 2**10 is 1 / 10 to 178
    cdef uint64_t hundreds = (halves * 10486 >> 20) & 0x7F0000007FULL
    cdef uint64_t pairs = hundreds + ((halves - 100 * hundreds) << 16)
    cdef uint64_t tens = (pairs * 103 >> 10) & 0x000F000F000F000FULL
    return tens + ((pairs - 10 * tens) << 8)


cdef inline uint64_t right_justified(uint64_t digits) noexcept nogil:
    """Return the text of eight digits, with blanks for zeros that lead."""
    # the last digit stands if all are 0; a blank is 0x20, a digit 0x30 and more
    cdef int blanks = trailing_zeros(digits | <uint64_t>1 << 56) & 56
    return digits | 0x2020202020202020ULL | <uint64_t>0x1010101010101010ULL << blanks


cdef inline void put_7(char *out, uint64_t value) noexcept nogil:
    """Write a number below 1,000,000 in seven places."""
    cdef uint32_t high = <uint32_t>value // 10000
    cdef uint64_t text = right_justified(
        digits_of_halves(high, <uint32_t>value - 10000 * high)
    )
    cdef uint32_t first = little32(<uint32_t>(text >> 8))
    cdef uint32_t last = little32(<uint32_t>(text >> 32))
    memcpy(out, &first, 4)
    memcpy(out + 3, &last, 4)


cdef inline void put_4_and_4(
    char *out, char *other, uint64_t value, uint64_t second
) noexcept nogil:
    """Write two numbers below 10,000, each in four places."""
    cdef uint64_t digits = digits_of_halves(<uint32_t>value, <uint32_t>second)
    cdef uint32_t text = little32(<uint32_t>(right_justified(digits << 32) >> 32))
    memcpy(out, &text, 4)
    digits = digits >> 32 << 32
    text = little32(<uint32_t>(right_justified(digits) >> 32))
    memcpy(other, &text, 4)


cdef inline uint64_t value_of_digits(uint64_t eight) noexcept nogil:
    eight = eight * 10 + (eight >> 8)
    return (
        (eight & 0x000000FF000000FFULL) * 0x000F424000000064ULL
        + (eight >> 16 & 0x000000FF000000FFULL) * 0x0000271000000001ULL
    ) >> 32


cdef inline uint64_t number_in_field(
    const char *end, int width, uint64_t *wrong
) noexcept nogil:
    """Return the number that is printed right-justified behind a blank.

    width: of both, up to eight. Eight bytes before *end* can be read.
    wrong: bits are set if there is something else.
    """
    cdef uint64_t text, digits, others = (<uint64_t>1 << (64 - 8 * width)) - 1
    memcpy(&text, end - 8, 8)
    text = (little64(text) & ~others) | (0x2020202020202020ULL & others)
    digits = text & 0x0F0F0F0F0F0F0F0FULL & ~(others << 8 | 0xFF)
    wrong[0] |= right_justified(digits) ^ text
    wrong[0] |= (digits + 0x0606060606060606ULL) & 0xF0F0F0F0F0F0F0F0ULL
    return value_of_digits(digits)


cdef inline const char *before_blanks(
    const char *end, const char *begin
) noexcept nogil:
    """Return where the blanks before *end* begin; eight bytes before *begin* are."""
    cdef uint64_t eight
    cdef int blanks = 8
    while blanks == 8 and end > begin:
        memcpy(&eight, end - 8, 8)
        eight = little64(eight) ^ 0x2020202020202020ULL
        blanks = leading_zeros(eight) >> 3 if eight else 8
        end -= blanks
    return end if end > begin else begin


cdef inline const char *number_before(
    const char *end, const char *begin, uint64_t *value
) noexcept nogil:
    """Read the number that ends at *end*; return where it begins, NULL if it is none.

    Eight bytes before *begin* can be read. A number has one to twenty digits and is
    below 2**64.
    """
    cdef uint64_t eight, rest, scale = 1, sum = 0, part
    cdef const char *at = end
    cdef int digits
    while True:
        memcpy(&eight, at - 8, 8)
        # a digit becomes 0 to 9, all else has a bit of the upper half or is over 9
        eight = little64(eight) ^ 0x3030303030303030ULL
        rest = (eight & 0x7F7F7F7F7F7F7F7FULL) + 0x0606060606060606ULL
        rest = (rest | eight) & 0xF0F0F0F0F0F0F0F0ULL
        digits = leading_zeros(rest) >> 3 if rest else 8
        if digits > at - begin:
            digits = <int>(at - begin)
        if digits == 0:
            break
        if digits < 8:
            eight = eight >> (64 - 8 * digits) << (64 - 8 * digits)
        part = value_of_digits(eight)
        at -= digits
        if end - at > 20:
            return NULL
        # scale is 1, 10**8 or 10**16, and part then below 10**4
        if scale == 10000000000000000ULL and (
            part > 1844 or (part == 1844 and sum > 6744073709551615ULL)
        ):
            return NULL
        sum += part * scale
        if digits < 8:
            break
        scale *= 100000000
    if at == end:
        return NULL
    value[0] = sum
    return at

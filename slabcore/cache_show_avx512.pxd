"""All eleven numbers of a row of /proc/slabinfo at once, on a CPU that has AVX-512.

Each number lies in a lane of one register and is divided there; then its digits move to
their places among the row's words in one step. What no CPU of another kind can run is
behind a check at run time, and compiled for this one function only.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    #if defined(__x86_64__) && (defined(__clang__) || __GNUC__ >= 8)
    #include <immintrin.h>
    #include <string.h>
    #define SLABCORE_AVX512 \\
        __attribute__((target("avx512f,avx512bw,avx512cd,avx512vl,avx512vbmi")))

    static inline int slabcore_has_avx512(void)
    {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vl")
            && __builtin_cpu_supports("avx512vbmi");
    }

    /* The text after a name, in two registers of 64 bytes: 90 bytes of them count. */
    #define SLABCORE_FIELDS(six, four, tunables, slabdata, end) \\
        six(0), six(1), six(2), four(3), four(4), tunables, \\
        four(5), four(6), four(7), slabdata, six(8), six(9), six(10), end

    /* Where nothing but a digit comes: the words, the blanks, the line's end. */
    #define SLABCORE_SIX(j) ' ', ' ', ' ', ' ', ' ', ' ', ' '
    #define SLABCORE_FOUR(j) ' ', ' ', ' ', ' ', ' '
    #define SLABCORE_TUNABLES ' ', ':', ' ', 't', 'u', 'n', 'a', 'b', 'l', 'e', 's'
    #define SLABCORE_SLABDATA ' ', ':', ' ', 's', 'l', 'a', 'b', 'd', 'a', 't', 'a'
    static const uint8_t slabcore_words[128] = { SLABCORE_FIELDS(
        SLABCORE_SIX, SLABCORE_FOUR, SLABCORE_TUNABLES, SLABCORE_SLABDATA, '\\n') };
    #undef SLABCORE_SIX
    #undef SLABCORE_FOUR
    #undef SLABCORE_TUNABLES
    #undef SLABCORE_SLABDATA

    /* The power of ten of the digit that comes there; 255: no digit. */
    #define SLABCORE_SIX(j) 255, 5, 4, 3, 2, 1, 0
    #define SLABCORE_FOUR(j) 255, 3, 2, 1, 0
    #define SLABCORE_WORD 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255
    static const uint8_t slabcore_powers[128] = { SLABCORE_FIELDS(
        SLABCORE_SIX, SLABCORE_FOUR, SLABCORE_WORD, SLABCORE_WORD, 255) };
    #undef SLABCORE_SIX
    #undef SLABCORE_FOUR
    #undef SLABCORE_WORD

    /* Which byte of which register the digit is: of the ones with 128 added. */
    #define SLABCORE_SIX(j) \\
        0, 4 * j, 4 * j + 1, 128 + 4 * j, 4 * j + 2, 4 * j + 3, 128 + 4 * j + 2
    #define SLABCORE_FOUR(j) 0, 128 + 4 * j, 4 * j + 2, 4 * j + 3, 128 + 4 * j + 2
    #define SLABCORE_WORD 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    static const uint8_t slabcore_digits[128] = { SLABCORE_FIELDS(
        SLABCORE_SIX, SLABCORE_FOUR, SLABCORE_WORD, SLABCORE_WORD, 0) };
    #undef SLABCORE_SIX
    #undef SLABCORE_FOUR

    /* Which byte tells how long its number is. */
    #define SLABCORE_SIX(j) 0, 4 * j, 4 * j, 4 * j, 4 * j, 4 * j, 4 * j
    #define SLABCORE_FOUR(j) 0, 4 * j, 4 * j, 4 * j, 4 * j
    static const uint8_t slabcore_lengths[128] = { SLABCORE_FIELDS(
        SLABCORE_SIX, SLABCORE_FOUR, SLABCORE_WORD, SLABCORE_WORD, 0) };
    #undef SLABCORE_SIX
    #undef SLABCORE_FOUR
    #undef SLABCORE_WORD

    /* Of a number with so many leading zero bits, modulo 32: what must be added that
     * the bits from the 24th on are the power of ten of its first digit. */
    #define SLABCORE_STEP(power, next) ((power + 1) << 24) - next
    static const uint32_t slabcore_steps[32] = {
        SLABCORE_STEP(0, 10), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        SLABCORE_STEP(5, 1000000), SLABCORE_STEP(5, 1000000),
        SLABCORE_STEP(5, 1000000), SLABCORE_STEP(4, 100000),
        SLABCORE_STEP(4, 100000), SLABCORE_STEP(4, 100000),
        SLABCORE_STEP(3, 10000), SLABCORE_STEP(3, 10000),
        SLABCORE_STEP(3, 10000), SLABCORE_STEP(3, 10000),
        SLABCORE_STEP(2, 1000), SLABCORE_STEP(2, 1000), SLABCORE_STEP(2, 1000),
        SLABCORE_STEP(1, 100), SLABCORE_STEP(1, 100), SLABCORE_STEP(1, 100),
        SLABCORE_STEP(0, 10), SLABCORE_STEP(0, 10), SLABCORE_STEP(0, 10),
        SLABCORE_STEP(0, 10) };
    #undef SLABCORE_STEP

    SLABCORE_AVX512
    static inline __m512i slabcore_placed(
        int half, __m512i digits, __m512i ones, __m512i powers)
    {
        const __m512i from = _mm512_loadu_si512(slabcore_digits + half);
        __mmask64 shown = _mm512_movepi8_mask(from);
        __m512i text = _mm512_permutexvar_epi8(from, digits), length;
        text = _mm512_mask_permutexvar_epi8(text, shown, from, ones);
        length = _mm512_permutexvar_epi8(
            _mm512_loadu_si512(slabcore_lengths + half), powers);
        shown = _mm512_cmpge_epu8_mask(
            length, _mm512_loadu_si512(slabcore_powers + half));
        return _mm512_mask_add_epi8(
            _mm512_loadu_si512(slabcore_words + half), shown, text,
            _mm512_set1_epi32(0x30303030));
    }

    SLABCORE_AVX512
    static inline int slabcore_placed_tail(char *out, __m512i first, __m512i last)
    {
        const __m512i even = _mm512_setr_epi32(
            0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 20, 20, 20, 20, 20);
        __m512i v, high, low, thirds, hundreds, tens, digits, ones, powers;
        if (_mm512_cmpgt_epu64_mask(first, _mm512_setr_epi64(
                999999, 999999, 999999, 9999, 9999, 9999, 9999, 9999))
            | _mm512_cmpgt_epu64_mask(last, _mm512_set1_epi64(999999)))
            return 0;
        v = _mm512_permutex2var_epi32(first, even, last);
        powers = _mm512_srli_epi32(_mm512_add_epi32(v, _mm512_permutex2var_epi32(
            _mm512_loadu_si512(slabcore_steps), _mm512_lzcnt_epi32(v),
            _mm512_loadu_si512(slabcore_steps + 16))), 24);
        /* Half of one more is far above what rounding can be wrong by. */
        high = _mm512_cvttps_epu32(_mm512_fmadd_ps(
            _mm512_cvtepu32_ps(v), _mm512_set1_ps(0.001f), _mm512_set1_ps(0.0005f)));
        low = _mm512_sub_epi32(v, _mm512_madd_epi16(high, _mm512_set1_epi32(1000)));
        /* Lanes of three digits. 656 / 2**16 is 1 / 100 there, 6554 / 2**16 1 / 10. */
        thirds = _mm512_or_si512(high, _mm512_slli_epi32(low, 16));
        hundreds = _mm512_mulhi_epu16(thirds, _mm512_set1_epi32(656 * 65537));
        tens = _mm512_mulhi_epu16(thirds, _mm512_set1_epi32(6554 * 65537));
        ones = _mm512_sub_epi16(
            thirds, _mm512_mullo_epi16(tens, _mm512_set1_epi32(10 * 65537)));
        /* hundreds + 256 * (tens - 10 * hundreds) */
        digits = _mm512_add_epi16(
            _mm512_slli_epi16(tens, 8),
            _mm512_mullo_epi16(hundreds, _mm512_set1_epi32(62977 * 65537u)));
        _mm512_storeu_si512(out, slabcore_placed(0, digits, ones, powers));
        _mm512_mask_storeu_epi8(
            out + 64, 0x3FFFFFF, slabcore_placed(64, digits, ones, powers));
        return 1;
    }

    SLABCORE_AVX512
    static inline int slabcore_tail_avx512(char *out, const uint64_t *numbers)
    {
        return slabcore_placed_tail(
            out, _mm512_loadu_si512(numbers), _mm512_maskz_loadu_epi64(7, numbers + 8));
    }

    /* One load of what several writes have just made waits until all have retired. */
    SLABCORE_AVX512
    static inline int slabcore_fresh_tail_avx512(
        char *out, const volatile uint64_t *n)
    {
        return slabcore_placed_tail(
            out, _mm512_setr_epi64(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]),
            _mm512_setr_epi64(n[8], n[9], n[10], 0, 0, 0, 0, 0));
    }

    /* See put_rows(). What is read is prefetched 16 rows ahead: within pages of 4 KiB
     * the CPU sees no stream that is long enough to run ahead of so little work. A name
     * is copied by 64 bytes: there is room for them behind all names, and 90 bytes of
     * its own row lie behind it. */
    SLABCORE_AVX512
    static inline size_t slabcore_rows_avx512(
        char *out, size_t size, const char *names, const uint32_t *ends,
        const uint64_t *numbers, uint32_t *row, uint32_t last)
    {
        size_t used = 0;
        uint32_t i = *row, begin = i < last ? ends[i] : 0;
        numbers += 11 * (size_t)i;
        for (; i < last; i++) {
            const size_t length = ends[i + 1] - begin;
            if (size - used < length + 90)
                break;
            __builtin_prefetch(numbers + 11 * 16);
            __builtin_prefetch(numbers + 11 * 16 + 8);
            __builtin_prefetch(names + begin + 1024);
            if (length <= 64)
                _mm512_storeu_si512(
                    out + used, _mm512_loadu_si512(names + begin));
            else
                memcpy(out + used, names + begin, length);
            if (!slabcore_tail_avx512(out + used + length, numbers))
                break;
            used += length + 90;
            begin = ends[i + 1];
            numbers += 11;
        }
        *row = i;
        return used;
    }
    #else
    static inline size_t slabcore_rows_avx512(
        char *out, size_t size, const char *names, const uint32_t *ends,
        const uint64_t *numbers, uint32_t *row, uint32_t last)
    {
        (void)out;
        (void)size;
        (void)names;
        (void)ends;
        (void)numbers;
        (void)row;
        (void)last;
        return 0;
    }
    static inline int slabcore_has_avx512(void) { return 0; }
    static inline int slabcore_tail_avx512(char *out, const uint64_t *numbers)
    {
        (void)out;
        (void)numbers;
        return 0;
    }
    static inline int slabcore_fresh_tail_avx512(char *out, const uint64_t *numbers)
    {
        return slabcore_tail_avx512(out, numbers);
    }
    #endif
    """
    bint has_avx512 "slabcore_has_avx512"() noexcept nogil
    # False: a number does not fit its width, and nothing is written
    bint put_tail_avx512 "slabcore_tail_avx512"(
        char *out, const uint64_t *numbers
    ) noexcept nogil
    # the same of numbers that were written one by one just now
    bint put_fresh_tail_avx512 "slabcore_fresh_tail_avx512"(
        char *out, const uint64_t *numbers
    ) noexcept nogil
    size_t put_rows_avx512 "slabcore_rows_avx512"(
        char *out,
        size_t size,
        const char *names,
        const uint32_t *ends,
        const uint64_t *numbers,
        uint32_t *row,
        uint32_t last,
    ) noexcept nogil

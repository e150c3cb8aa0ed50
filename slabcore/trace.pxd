"""Lines of a recorded trace, in the shapes that nearly all of them have.

The grammar is a regular expression (slabcore.traces); here is a scanner that tells an
event that the expression reads in one way only, and leaves every other line to it. The
same goes for what an event says of a cgroup or an allocation.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memcmp, memcpy

cdef enum:
    NAMES = 512             # events of different names
    NAME_LENGTH = 60


cdef struct trace_line:     # slabcore.traces.LINES
    int64_t start           # of the text
    int64_t end
    int64_t at_ns
    int64_t pid
    int64_t tgid            # -1: not there, or not known
    int32_t event           # -1: not told here
    int32_t cpu
    uint32_t buffer         # offsets from the line's start, and lengths
    uint32_t buffer_length
    uint32_t comm
    uint32_t comm_length
    uint32_t flags
    uint32_t flags_length
    uint32_t system
    uint32_t system_length
    uint32_t name
    uint32_t name_length
    uint32_t body
    uint32_t reserved


cdef struct event_name:
    uint32_t length
    char text[NAME_LENGTH]


cdef struct event_names:
    event_name names[NAMES]
    int32_t table[2 * NAMES]    # 1 + a name's number; 0: free
    int32_t used


cdef inline int32_t name_number(
    event_names *e, const char *text, uint32_t length
) noexcept nogil:
    """Return the number of a name, a new one if it is new; -1 if there is no room."""
    cdef uint32_t hash = 2166136261, i      # FNV-1a
    if length > NAME_LENGTH:
        return -1
    for i in range(length):
        hash = (hash ^ <unsigned char>text[i]) * 16777619
    i = hash % (2 * NAMES)
    while e.table[i]:
        if (
            e.names[e.table[i] - 1].length == length
            and memcmp(e.names[e.table[i] - 1].text, text, length) == 0
        ):
            return e.table[i] - 1
        i = (i + 1) % (2 * NAMES)
    if e.used == NAMES:
        return -1
    memcpy(e.names[e.used].text, text, length)
    e.names[e.used].length = length
    e.used += 1
    e.table[i] = e.used
    return e.used - 1


cdef inline bint is_digit(char c) noexcept nogil:
    return c >= c'0' and c <= c'9'


cdef inline bint is_word(char c) noexcept nogil:
    return (
        is_digit(c) or c == c'_' or (c >= c'a' and c <= c'z')
        or (c >= c'A' and c <= c'Z')
    )


cdef inline uint32_t blanks(const char *p, uint32_t i, uint32_t n) noexcept nogil:
    while i < n and p[i] == c' ':
        i += 1
    return i


cdef inline uint32_t digits(
    const char *p, uint32_t i, uint32_t n, int64_t *number
) noexcept nogil:
    """Read up to 18 digits; return the place of the first other character."""
    cdef uint32_t end = i + 18 if n - i > 18 else n
    number[0] = 0
    while i < end and is_digit(p[i]):
        number[0] = number[0] * 10 + (p[i] - c'0')
        i += 1
    return i


cdef inline uint32_t word(const char *p, uint32_t i, uint32_t n) noexcept nogil:
    """Return the end of a run of printable ASCII without blanks."""
    while i < n and p[i] > c' ' and p[i] < 127:
        i += 1
    return i


cdef inline bint scan_task(
    const char *p, uint32_t n, trace_line *line, uint32_t *at
) noexcept nogil:
    """Read COMM-PID, or COMM PID and perhaps /TID; stop at what follows the blanks."""
    cdef uint32_t start = blanks(p, 0, n), i, end, last
    cdef int64_t tid
    end = word(p, start, n)
    if start > 64 or end == start or end == n or p[end] != c' ':
        return False
    line.buffer = line.buffer_length = 0
    if p[end - 1] == c':':
        # trace-cmd: an instance, if that is what it can be.
        for i in range(start, end - 1):
            if not is_word(p[i]) and p[i] != c'.' and p[i] != c'-':
                return False
        line.buffer, line.buffer_length = start, end - 1 - start
        start = blanks(p, end, n)
        end = word(p, start, n)
        if end == start or end == n or p[end] != c' ' or not line.buffer_length:
            return False
    # The token ends in -DIGITS; no earlier dash is followed by a number alone.
    last = end
    while last > start and is_digit(p[last - 1]):
        last -= 1
    i = blanks(p, end, n)
    if last > start and p[last - 1] == c'-' and last < end and (
        i < n and (p[i] == c'[' or p[i] == c'(')
    ):
        line.comm, line.comm_length = start, last - 1 - start
        if end - last > 10:
            return False
        digits(p, last, end, &line.pid)
        at[0] = i
        return line.comm_length <= 16
    # perf: the number is a token of its own.
    line.comm, line.comm_length = start, end - start
    if line.comm_length > 16 or p[end - 1] == c':' or i - end > 64:
        return False
    end = digits(p, i, n, &line.pid)
    if end == i or end - i > 10 or end == n:
        return False
    if p[end] == c'/':
        i = end + 1
        end = digits(p, i, n, &tid)
        if end == i or end == n:
            return False
    if p[end] != c' ':
        return False
    at[0] = blanks(p, end, n)
    return at[0] < n and (p[at[0]] == c'[' or p[at[0]] == c'(')


cdef inline bint scan_time(
    const char *p, uint32_t n, trace_line *line, uint32_t *at
) noexcept nogil:
    """Read SECONDS.FRACTION: and the blanks behind it."""
    cdef int64_t seconds, fraction
    cdef uint32_t i = at[0], end = digits(p, i, n, &seconds)
    # More seconds than 32 years may not fit as nanoseconds.
    if end == i or end - i > 9 or end == n or p[end] != c'.':
        return False
    i = end + 1
    end = digits(p, i, n, &fraction)
    if end - i < 6 or end - i > 9 or end + 1 >= n or p[end] != c':':
        return False
    for _ in range(9 - <int>(end - i)):
        fraction *= 10
    line.at_ns = seconds * 1_000_000_000 + fraction
    at[0] = blanks(p, end + 1, n)
    return at[0] > end + 1


cdef inline uint32_t name_end(const char *p, uint32_t i, uint32_t n) noexcept nogil:
    while i < n and (is_word(p[i]) or p[i] == c'.'):
        i += 1
    return i


cdef inline bint scan_line(
    const char *p, uint32_t n, trace_line *line
) noexcept nogil:
    """Tell whether the line of *n* bytes, without its end, is such an event."""
    cdef int64_t number
    cdef uint32_t i, end
    if not scan_task(p, n, line, &i):
        return False
    line.tgid = -1
    if p[i] == c'(':
        i = blanks(p, i + 1, n)
        end = digits(p, i, n, &line.tgid)
        if end == i:
            line.tgid = -1
            while end < n and p[end] == c'-':
                end += 1
        if end == i or end - i > 10 or end + 1 >= n or p[end] != c')':
            return False
        i = blanks(p, end + 1, n)
        if i == end + 1 or i == n or p[i] != c'[':
            return False
    end = digits(p, i + 1, n, &number)
    if end == i + 1 or end - i > 7 or end + 1 >= n or p[end] != c']':
        return False
    line.cpu = <int32_t>number
    i = blanks(p, end + 1, n)
    if i == end + 1:
        return False
    line.flags = line.flags_length = 0
    end = i
    while end < n and p[end] > c' ' and p[end] < 127 and p[end] != c':':
        end += 1
    if end < n and p[end] == c' ' and end > i and end - i <= 8:
        line.flags, line.flags_length = i, end - i
        i = blanks(p, end, n)
    if not scan_time(p, n, line, &i):
        return False
    line.system = line.system_length = 0
    end = name_end(p, i, n)
    if end == i or end == n or p[end] != c':':
        return False
    if end + 1 < n and p[end + 1] != c' ':
        line.system, line.system_length = i, end - i
        while i < end:          # a system's name has no dot
            if p[i] == c'.':
                return False
            i += 1
        i = end + 1
        end = name_end(p, i, n)
        if end == i or end == n or p[end] != c':':
            return False
    line.name, line.name_length = i, end - i
    line.body = blanks(p, end + 1, n)
    if line.body < n and p[line.body] <= c' ' and p[line.body] >= 0:
        return False
    return True


# --- what an event says ---

cdef enum:                  # slabcore.traces: what an event's name stands for
    OTHER_EVENT
    CGROUP_MKDIR
    CGROUP_ATTACH
    CGROUP_RENAME
    CGROUP_RMDIR
    CGROUP_RELEASE
    CACHE_ALLOC


cdef struct cgroup_said:
    int64_t root
    int64_t id
    int64_t level
    int64_t pid             # of an attach
    uint32_t path           # offset from the body's start, and length
    uint32_t path_length


cdef struct alloc_said:
    int64_t size
    uint32_t cache
    uint32_t cache_length


cdef inline bint told(
    const char *p, uint32_t n, uint32_t *at, const char *word, uint32_t length
) noexcept nogil:
    """Pass over a word, if it is there."""
    if n - at[0] < length or memcmp(p + at[0], word, length) != 0:
        return False
    at[0] += length
    return True


cdef inline bint told_number(
    const char *p, uint32_t n, uint32_t *at, uint32_t most, int64_t *number
) noexcept nogil:
    """Pass over a number of up to *most* digits, 18 at most."""
    cdef uint32_t end = digits(p, at[0], n, number)
    if end == at[0] or end - at[0] > most:
        return False
    at[0] = end
    return True


cdef inline bint told_id(
    const char *p, uint32_t n, uint32_t *at, int64_t *number
) noexcept nogil:
    cdef bint negative = at[0] < n and p[at[0]] == c'-'
    at[0] += negative
    if not told_number(p, n, at, 18, number):
        return False
    if negative:
        number[0] = -number[0]
    return True


cdef inline bint scan_cgroup(
    const char *p, uint32_t n, cgroup_said *said
) noexcept nogil:
    """Read root=… id=… level=… path=…, with the path to the end."""
    cdef uint32_t i = 0
    if not (
        told(p, n, &i, b"root=", 5) and told_number(p, n, &i, 10, &said.root)
        and told(p, n, &i, b" id=", 4) and told_id(p, n, &i, &said.id)
        and told(p, n, &i, b" level=", 7) and told_number(p, n, &i, 10, &said.level)
        and told(p, n, &i, b" path=", 6) and i < n
    ):
        return False
    said.path, said.path_length = i, n - i
    return True


cdef inline bint scan_attach(
    const char *p, uint32_t n, cgroup_said *said
) noexcept nogil:
    """Read dst_root=… dst_id=… dst_level=… dst_path=… pid=… comm=…

    A path may hold blanks: it ends at the last pid= that comm= follows.
    """
    cdef uint32_t i = 0, end, after
    if not (
        told(p, n, &i, b"dst_root=", 9) and told_number(p, n, &i, 10, &said.root)
        and told(p, n, &i, b" dst_id=", 8) and told_id(p, n, &i, &said.id)
        and told(p, n, &i, b" dst_level=", 11)
        and told_number(p, n, &i, 10, &said.level)
        and told(p, n, &i, b" dst_path=", 10)
    ):
        return False
    said.path = i
    end = n
    while end > i + 1:
        end -= 1
        after = end
        if (
            p[end] == c' ' and told(p, n, &after, b" pid=", 5)
            and told_number(p, n, &after, 10, &said.pid)
            and told(p, n, &after, b" comm=", 6)
        ):
            said.path_length = end - i
            return True
    return False


cdef inline bint is_accounted(const char *p, uint32_t n) noexcept nogil:
    """Tell whether an allocation's body ends in accounted=true."""
    return n > 14 and memcmp(p + n - 14, b"accounted=true", 14) == 0


cdef inline bint scan_alloc(const char *p, uint32_t n, alloc_said *said) noexcept nogil:
    """Read … name=… bytes_req=… bytes_alloc=… … accounted=true of plain ASCII."""
    cdef uint32_t i = 0, end
    cdef int64_t asked
    while i < n and not (
        p[i] == c' ' and n - i > 6 and memcmp(p + i, b" name=", 6) == 0
    ):
        if p[i] == c'=' and i >= 4 and memcmp(p + i - 4, b"name", 4) == 0:
            return False        # nearly: what stands before it decides
        i += 1
    if i == n:
        return False
    said.cache = i + 6
    end = i + 7
    while end < n and p[end] > c' ' and p[end] < 127:
        end += 1
    said.cache_length = end - said.cache
    i = end
    return (
        end < n and p[i - 1] > c' ' and p[said.cache] > c' ' and p[said.cache] < 127
        and told(p, n, &i, b" bytes_req=", 11) and told_number(p, n, &i, 18, &asked)
        and told(p, n, &i, b" bytes_alloc=", 13)
        and told_number(p, n, &i, 12, &said.size)
        and i < n and p[i] == c' ' and i + 15 <= n and p[n - 15] == c' '
    )

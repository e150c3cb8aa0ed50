"""Virtual time: timers of sleeping tasks, earliest first, in nanoseconds.

A calendar beside a heap. A timer goes onto the calendar if it is due within a year
from now, on another day than the one that is being taken; else it goes into the heap.
What is next is the earlier of the two: the order never depends on how long a day is,
only the speed does.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport arena_resize

cdef extern from *:
    """
    #define SLABCORE_FOREVER ((int64_t)1 << 62)
    #define SLABCORE_FARTHEST ((int64_t)1 << 59)
    #define slabcore_lowest_bit(bits) __builtin_ctzll(bits)
    #define slabcore_fetch(place) __builtin_prefetch(place)
    """
    const int64_t FOREVER "SLABCORE_FOREVER"
    const int64_t FARTHEST "SLABCORE_FARTHEST"     # a calendar's reach
    uint32_t lowest_bit "slabcore_lowest_bit" (uint64_t bits) noexcept nogil
    void fetch "slabcore_fetch" (const void *place) noexcept nogil

cdef enum:
    FEW = 64                # timers that need no calendar
    REACHES = 3             # in a year, at least
    MOST_DAYS = 1 << 24
    LONG_WALK = 16          # steps to a timer's place in its day
    AHEAD = 8               # days
    SAMPLES = 32
    SORTED = 0x80000000     # beside a day's first timer: they are in order
    INDEX = 0x7FFFFFFF


cdef struct timer:
    int64_t when
    int64_t number          # of the task: orders timers of one instant
    uint32_t task


cdef struct dated_timer:    # its number lies apart: it is read for equals only
    int64_t when
    uint32_t task
    uint32_t next           # of its day, or the next unused one; 0: none


cdef struct clock_queue:
    int64_t next            # when the earliest is due; FOREVER: there is none
    int64_t heap_next       # the same of the heap
    int64_t first_when      # and of the calendar
    int64_t day_last        # the last nanosecond of the day that is open; FOREVER: none
    int64_t now             # of the last timer that was taken out
    int64_t year_ns         # what is due so much later is not on the calendar
    uint32_t first          # of the calendar, in the open day; 0: none
    uint32_t day            # the open day
    uint32_t unused         # an entry; 0: none
    uint32_t shift          # a day is 1 << shift ns long
    dated_timer *entries    # of the calendar; the first is not in use
    int64_t *numbers        # of entries
    uint32_t *days          # the first timer of each; a day comes again every year
    uint64_t *busy          # behind them: a bit a day, is there a timer?
    uint64_t *weeks         # a bit for each 64 days
    uint32_t year           # days, a power of two; 0: there is no calendar
    uint32_t days_made      # that there is memory for
    uint32_t used           # timers in all
    uint32_t room           # timers that neither memory nor calendar is too small for
    timer *heap
    uint32_t heaped
    uint32_t capacity       # of the heap and of entries
    uint32_t made           # entries ever in use
    uint32_t toil           # timers that the heap took since the calendar was laid out
    uint32_t patience       # for them, before that is done again
    uint32_t taken          # timers, since the calendar was laid out
    int64_t began           # when that was


cdef inline void clock_init(clock_queue *q) noexcept nogil:
    memset(q, 0, sizeof(clock_queue))
    q.next = q.heap_next = q.first_when = q.day_last = FOREVER


cdef inline void clock_free(clock_queue *q) noexcept nogil:
    PyMem_RawFree(q.heap)
    PyMem_RawFree(q.entries)
    PyMem_RawFree(q.numbers)
    PyMem_RawFree(q.days)
    clock_init(q)


# --- the heap ---

cdef inline bint timer_before(const timer *a, const timer *b) noexcept nogil:
    return a.when < b.when or (a.when == b.when and a.number < b.number)


cdef inline void heap_rise(timer *heap, uint32_t i) noexcept nogil:
    cdef timer new = heap[i]
    cdef uint32_t up
    while i:
        up = (i - 1) >> 1
        if not timer_before(&new, &heap[up]):
            break
        heap[i] = heap[up]
        i = up
    heap[i] = new


cdef inline void heap_sink(timer *heap, uint32_t n, uint32_t i) noexcept nogil:
    cdef timer old = heap[i]
    cdef uint32_t down
    while True:
        down = 2 * i + 1
        if down >= n:
            break
        if down + 1 < n and timer_before(&heap[down + 1], &heap[down]):
            down += 1
        if not timer_before(&heap[down], &old):
            break
        heap[i] = heap[down]
        i = down
    heap[i] = old


cdef inline void heap_order(clock_queue *q, uint32_t ordered) noexcept nogil:
    """Order the heap, the first *ordered* of which are."""
    cdef uint32_t n = q.heaped, i
    if n - ordered > n >> 2:
        i = n >> 1
        while i:
            i -= 1
            heap_sink(q.heap, n, i)
    else:
        for i in range(ordered, n):
            heap_rise(q.heap, i)
    q.heap_next = q.heap[0].when if n else FOREVER


# --- the calendar ---

cdef inline uint32_t busy_day(const clock_queue *q, uint32_t day) noexcept nogil:
    """Return the first day with a timer from *day* on; there is one."""
    cdef uint32_t week = day >> 6, weeks = q.year >> 6
    cdef uint64_t bits = q.busy[week] >> (day & 63)
    if bits:
        return day + lowest_bit(bits)
    week = (week + 1) & (weeks - 1)
    while True:
        bits = q.weeks[week >> 6] >> (week & 63)
        if bits:
            week += lowest_bit(bits)
            return (week << 6) + lowest_bit(q.busy[week])
        week = (week | 63) + 1
        if week >= weeks:
            week = 0


cdef inline uint32_t day_put(
    clock_queue *q, int64_t when, int64_t number, uint32_t task, uint32_t day
) noexcept nogil:
    """Put a timer on *day*, before all that are there; return its entry."""
    cdef uint32_t i = q.unused
    cdef dated_timer *entry
    if i:
        entry = &q.entries[i]
        q.unused = entry.next
    else:
        q.made += 1
        i = q.made
        entry = &q.entries[i]
    entry.when, entry.task, entry.next = when, task, q.days[day]
    q.numbers[i] = number
    q.days[day] = i
    if not q.busy[day >> 6]:
        q.weeks[day >> 12] |= <uint64_t>1 << ((day >> 6) & 63)
    q.busy[day >> 6] |= <uint64_t>1 << (day & 63)
    return i


cdef inline timer entry_timer(const clock_queue *q, uint32_t i) noexcept nogil:
    cdef timer found
    found.when, found.task = q.entries[i].when, q.entries[i].task
    found.number = q.numbers[i]
    return found


cdef inline void entry_give(clock_queue *q, uint32_t i) noexcept nogil:
    q.entries[i].next = q.unused
    q.unused = i


cdef inline uint32_t day_sort(clock_queue *q, uint32_t first) noexcept nogil:
    """Sort a day's timers; return the first.

    The latest was put first, so that what comes in order takes a step each. A timer for
    which a walk would be long goes to the heap.
    """
    cdef uint32_t i = q.entries[first].next, following, steps, ordered = q.heaped
    cdef uint32_t *link
    cdef timer new, other
    q.entries[first].next = 0
    while i:
        new = entry_timer(q, i)
        following = q.entries[i].next
        link = &first
        steps = 0
        while link[0] and steps < LONG_WALK:
            other = entry_timer(q, link[0])
            if timer_before(&new, &other):
                break
            link = &q.entries[link[0]].next
            steps += 1
        if steps < LONG_WALK:
            q.entries[i].next = link[0]
            link[0] = i
        else:
            q.heap[q.heaped] = new
            q.heaped += 1
            q.toil += 1
            entry_give(q, i)
        i = following
    if q.heaped > ordered:
        heap_order(q, ordered)
    return first


cdef inline void day_open(clock_queue *q, uint32_t day) noexcept nogil:
    """Make the first busy day from *day* on the one that is taken from."""
    cdef uint32_t first
    if q.used == q.heaped:
        q.first = 0
        q.first_when = q.day_last = FOREVER
        return
    day = busy_day(q, day)
    fetch(&q.entries[q.days[(day + AHEAD) & (q.year - 1)] & <uint32_t>INDEX])
    first = q.days[day]
    if first & SORTED:
        first &= <uint32_t>INDEX
    elif q.entries[first].next:
        first = day_sort(q, first)
    q.days[day] = q.first = first
    q.day = day
    q.first_when = q.entries[first].when
    q.day_last = q.first_when | ((<int64_t>1 << q.shift) - 1)


cdef inline uint32_t clock_unroll(clock_queue *q) noexcept nogil:
    """Take all timers off the calendar; return them in a chain, a day's latest last."""
    cdef uint32_t week, day, i, following, chain = 0
    cdef uint64_t bits
    for week in range(q.year >> 6):
        bits = q.busy[week]
        while bits:
            day = (week << 6) + lowest_bit(bits)
            bits &= bits - 1
            i = q.days[day] & <uint32_t>INDEX
            while i:
                following = q.entries[i].next
                q.entries[i].next = chain
                chain = i
                i = following
    return chain


cdef inline void clock_sample(
    const clock_queue *q, int64_t *samples, uint32_t *n, int64_t when
) noexcept nogil:
    """Keep how far off a timer is, in order; one that was taken out is not."""
    cdef uint32_t i = n[0]
    when -= q.next
    if when < 0 or i == SAMPLES:
        return
    while i and samples[i - 1] > when:
        samples[i] = samples[i - 1]
        i -= 1
    samples[i] = when
    n[0] += 1


cdef inline int64_t clock_reach(const clock_queue *q) noexcept nogil:
    """Return in how many nanoseconds about as many timers are due as there are."""
    cdef int64_t samples[SAMPLES]
    cdef uint32_t n = 0, i, step = (q.heaped + q.made) // SAMPLES + 1
    cdef int64_t reach = 0, pace
    i = 0
    while i < q.heaped:
        clock_sample(q, samples, &n, q.heap[i].when)
        i += step
    i = 1
    while i <= q.made:
        clock_sample(q, samples, &n, q.entries[i].when)
        i += step
    # Half of the timers come before the middle one, unless so many lie far off that
    # those that come and go are few of all.
    if n:
        reach = 2 * min(samples[n >> 1], FARTHEST >> 1)
    if q.taken > q.used >> 2:
        pace = (q.now - q.began) // q.taken + 1
        if pace < reach // q.used:
            reach = pace * q.used
    return reach


cdef inline void clock_place(clock_queue *q, const timer *t) noexcept nogil:
    """Put a timer onto a calendar without an open day, or behind the heap."""
    if <uint64_t>(t.when - q.now) < <uint64_t>q.year_ns:
        day_put(
            q, t.when, t.number, t.task, <uint32_t>(t.when >> q.shift) & (q.year - 1)
        )
    else:
        q.heap[q.heaped] = t[0]
        q.heaped += 1


cdef inline int clock_reckon(clock_queue *q) except -1 nogil:
    """Lay out the calendar anew, for as many timers as there are."""
    cdef uint32_t i, chain, n, shift = 0, year = 64
    cdef uint32_t *days = q.days
    cdef size_t bits
    cdef int64_t reach
    cdef timer old
    q.room = <uint32_t>min(<uint64_t>q.capacity, 2 * <uint64_t>q.used + FEW)
    q.toil = 0
    if q.used <= FEW:
        q.patience = FEW
        return 0
    reach = clock_reach(q)
    while reach // q.used >> shift > 1:
        shift += 1
    while reach * REACHES > <int64_t>year << shift and year < MOST_DAYS:
        year *= 2
    if not reach:
        year = 0            # half of them at one instant: the heap is best
    bits = (year >> 3) + (year >> 12 << 3) + 8
    if year > q.days_made:
        days = <uint32_t *>arena_resize(NULL, year * sizeof(uint32_t) + bits)
    chain = clock_unroll(q)
    if year > q.days_made:
        PyMem_RawFree(q.days)
        q.days, q.days_made = days, year
    if year:
        memset(days, 0, year * sizeof(uint32_t) + bits)
        q.busy = <uint64_t *>(days + year)
        q.weeks = q.busy + (year >> 6)
    q.year, q.shift = year, shift
    q.year_ns = <int64_t>(year - 1) << shift if year else 0
    q.now = q.began = max(q.now, q.next)
    q.taken = 0
    n, q.heaped = q.heaped, 0
    for i in range(n):
        old = q.heap[i]
        clock_place(q, &old)
    while chain:
        i = chain
        old = entry_timer(q, i)
        chain = q.entries[i].next
        entry_give(q, i)
        clock_place(q, &old)
    heap_order(q, 0)
    day_open(q, <uint32_t>(q.now >> shift) & (year - 1))
    # A calendar that does not help is thought over less often.
    n = 16 if q.heaped > q.used >> 1 else 2
    q.patience = <uint32_t>min(<uint64_t>q.used * n, <uint64_t>INDEX)
    return 0


# --- both ---

cdef inline int clock_grow(clock_queue *q) except -1 nogil:
    """Make room for a timer."""
    cdef size_t n = q.capacity
    if q.used == n:
        n = n * 2 + FEW
        q.heap = <timer *>arena_resize(q.heap, n * sizeof(timer))
        if n > FEW:
            q.entries = <dated_timer *>arena_resize(
                q.entries, (n + 1) * sizeof(dated_timer)
            )
            q.numbers = <int64_t *>arena_resize(q.numbers, (n + 1) * sizeof(int64_t))
        q.capacity = <uint32_t>n
    clock_reckon(q)
    return 0


cdef inline int clock_push(
    clock_queue *q, int64_t when, int64_t number, uint32_t task
) except -1 nogil:
    cdef uint32_t day
    cdef timer *new
    if q.used >= q.room:
        clock_grow(q)
    q.used += 1
    if <uint64_t>(when - q.now) < <uint64_t>q.year_ns:
        day = <uint32_t>(when >> q.shift) & (q.year - 1)
        if not q.days[day] & SORTED:
            if when > q.day_last:
                day_put(q, when, number, task, day)
                return 0
            if q.first == 0 or day != q.day:
                # It comes before the day that is open.
                if q.first:
                    q.days[q.day] |= SORTED
                q.first = day_put(q, when, number, task, day)
                q.day = day
                q.first_when = when
                q.day_last = when | ((<int64_t>1 << q.shift) - 1)
                q.next = min(q.next, when)
                return 0
    new = &q.heap[q.heaped]
    new.when, new.number, new.task = when, number, task
    heap_rise(q.heap, q.heaped)
    q.heaped += 1
    q.heap_next = q.heap[0].when
    q.next = min(q.next, when)
    q.toil += 1
    if q.toil > q.patience:
        clock_reckon(q)
    return 0


cdef inline int64_t clock_next(const clock_queue *q) noexcept nogil:
    return q.next


cdef inline uint32_t clock_pop(clock_queue *q) noexcept nogil:
    """Take out the earliest timer; return its task."""
    cdef uint32_t i = q.first, task, following
    q.now = max(q.now, q.next)
    q.used -= 1
    q.taken += 1
    if q.first_when < q.heap_next or (
        q.first_when == q.heap_next and q.numbers[i] < q.heap[0].number
    ):
        task = q.entries[i].task
        following = q.entries[i].next
        entry_give(q, i)
        q.days[q.day] = following
        if following:
            q.first = following
            q.first_when = q.entries[following].when
        else:
            q.busy[q.day >> 6] &= ~(<uint64_t>1 << (q.day & 63))
            if not q.busy[q.day >> 6]:
                q.weeks[q.day >> 12] &= ~(<uint64_t>1 << ((q.day >> 6) & 63))
            day_open(q, q.day)
    else:
        task = q.heap[0].task
        q.heaped -= 1
        q.heap[0] = q.heap[q.heaped]
        heap_sink(q.heap, q.heaped, 0)
        q.heap_next = q.heap[0].when if q.heaped else FOREVER
    q.next = min(q.first_when, q.heap_next)
    return task

"""Virtual time: timers of sleeping tasks, earliest first, in nanoseconds."""

from libc.stdint cimport int64_t, uint32_t

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport arena_resize

cdef extern from *:
    """
    #define SLABCORE_FOREVER ((int64_t)1 << 62)
    """
    const int64_t FOREVER "SLABCORE_FOREVER"


cdef struct timer:
    int64_t when
    int64_t number          # of the task: orders timers of one instant
    uint32_t task


cdef struct clock_queue:
    timer *timers           # a binary heap
    uint32_t used
    uint32_t capacity


cdef inline bint timer_before(const timer *a, const timer *b) noexcept nogil:
    return a.when < b.when or (a.when == b.when and a.number < b.number)


cdef inline int clock_push(
    clock_queue *q, int64_t when, int64_t number, uint32_t task
) except -1 nogil:
    cdef uint32_t i, up
    cdef timer new
    if q.used == q.capacity:
        i = q.capacity * 2 + 64
        q.timers = <timer *>arena_resize(q.timers, i * sizeof(timer))
        q.capacity = i
    new.when, new.number, new.task = when, number, task
    i = q.used
    q.used += 1
    while i:
        up = (i - 1) >> 1
        if not timer_before(&new, &q.timers[up]):
            break
        q.timers[i] = q.timers[up]
        i = up
    q.timers[i] = new
    return 0


cdef inline int64_t clock_next(clock_queue *q) noexcept nogil:
    return q.timers[0].when if q.used else FOREVER


cdef inline uint32_t clock_pop(clock_queue *q) noexcept nogil:
    """Take out the earliest timer; return its task."""
    cdef uint32_t task = q.timers[0].task
    cdef uint32_t i = 0, down
    cdef timer last
    q.used -= 1
    last = q.timers[q.used]
    while True:
        down = 2 * i + 1
        if down >= q.used:
            break
        if down + 1 < q.used and timer_before(&q.timers[down + 1], &q.timers[down]):
            down += 1
        if not timer_before(&q.timers[down], &last):
            break
        q.timers[i] = q.timers[down]
        i = down
    q.timers[i] = last
    return task


cdef inline void clock_free(clock_queue *q) noexcept nogil:
    PyMem_RawFree(q.timers)
    q.timers = NULL

"""The core's queue of timers under the hold model, as floor/calendar_queue.c has it."""

from libc.stdint cimport int64_t, uint32_t

from slabcore.clock cimport (
    clock_free,
    clock_init,
    clock_next,
    clock_pop,
    clock_push,
    clock_queue,
)

cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *now)
    int CLOCK_THREAD_CPUTIME_ID


def hold(const int64_t[::1] delays, uint32_t pending, uint32_t events):
    """Return the nanoseconds that taking and queueing *events* timers took."""
    cdef clock_queue queue
    cdef timespec began, ended
    cdef uint32_t i, task
    cdef int64_t when, last = 0
    cdef bint sorted_ = True
    clock_init(&queue)
    for i in range(pending):
        clock_push(&queue, delays[i & 0xFFFF], i, i)
    with nogil:
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began)
        for i in range(events):
            when = clock_next(&queue)
            sorted_ &= when >= last
            last = when
            task = clock_pop(&queue)
            clock_push(&queue, when + delays[i & 0xFFFF], pending + i, task)
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended)
    clock_free(&queue)
    assert sorted_
    return (ended.tv_sec - began.tv_sec) * 10**9 + ended.tv_nsec - began.tv_nsec

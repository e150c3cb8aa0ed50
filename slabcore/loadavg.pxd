"""The load average: an exponential filter in fixed point. kernel/sched/loadavg.c"""

from libc.stdint cimport int64_t

cdef enum:
    FIXED_1 = 2048
    EXP_1 = 1884            # 1 minute, sampled every 5 s
    EXP_5 = 2014
    EXP_15 = 2037


cdef inline int64_t load_step(int64_t load, int64_t exp, int64_t tasks) noexcept nogil:
    """Return the load after a sample of *tasks*; it rounds up while it rises."""
    cdef int64_t active = tasks * FIXED_1
    cdef int64_t new = load * exp + active * (FIXED_1 - exp)
    if active >= load:
        new += FIXED_1 - 1
    return new // FIXED_1

"""The event log: who did what and when, if a world keeps one. kernel/trace

It knows no caches: what an event is and the serial numbers in it come from the caller.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t

from slabcore.arena cimport arena, arena_at, arena_take
from slabcore.sched cimport sched, task

cdef enum:  # task_kind
    PROGRAM_TASK
    KWORKER_TASK
    SOFTIRQ_TASK


cdef struct record:
    int64_t at
    int64_t task            # its number
    int64_t item            # of a work item, its number; of a cgroup made, its parent's
    int64_t memcg           # serial numbers; -1: none
    int64_t cache
    int32_t cpu
    int32_t pool            # of a kworker; -1 otherwise
    int16_t event
    int16_t function        # of a work item; -1 otherwise
    int8_t task_kind
    int8_t queue            # of a work item; -1 otherwise
    int8_t mutex            # the one that is waited for; -1 otherwise


cdef struct event_log:
    arena records
    uint8_t on


cdef inline record *log_append(
    event_log *l, const sched *s, int event, int32_t cpu
) except NULL nogil:
    """Note an event of the task that runs on a CPU."""
    cdef const task *t = s.cpus[cpu].current
    cdef uint32_t i
    cdef record *r
    if t == NULL:
        t = s.cpus[cpu].softirq     # a timer's, on an idle CPU
    arena_take(&l.records, &i)
    r = <record *>arena_at(&l.records, i)
    r.at = s.now
    r.task = t.number
    r.task_kind = PROGRAM_TASK
    if t.is_softirq:
        r.task_kind = SOFTIRQ_TASK
    elif t.pool >= 0:
        r.task_kind = KWORKER_TASK
    r.pool = t.pool
    r.cpu = cpu
    r.event = <int16_t>event
    r.item = r.memcg = r.cache = -1
    r.function = -1
    r.queue = r.mutex = -1
    return r

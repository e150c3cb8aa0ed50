"""RCU: callbacks of each CPU in four segments, and grace periods.

A CPU's callbacks stand in one ring of records in the order of call_rcu; the segments
are half-open intervals of it: [head, done) may be invoked, [done, wait) waits for
wait_gp, [wait, ready) for ready_gp, [ready, tail) has no number yet. kernel/rcu/tree.c
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport arena_resize
from slabcore.clock cimport FOREVER
from slabcore.sched cimport cpu, cpu_idle, sched

cdef enum:
    BLIMIT = 10
    QHIMARK = 10000
    QLOWMARK = 100


cdef struct rcu_head:
    uint32_t kind
    uint32_t arg


cdef struct rcu_stamp:
    int64_t at              # when the callback was queued
    int64_t ahead           # behind how many others of its CPU


cdef struct rcu_data:
    rcu_head *ring
    rcu_stamp *stamps       # beside the ring; NULL where nobody asks
    uint32_t capacity       # a power of two
    int64_t head
    int64_t done
    int64_t wait
    int64_t ready
    int64_t tail
    int64_t wait_gp
    int64_t ready_gp
    int64_t blimit
    int64_t known_gp
    int64_t known_completed
    uint8_t qs_pending
    uint8_t gp_pending      # the running grace period still waits for this CPU


cdef struct rcu_state:
    rcu_data *data          # one a CPU
    uint8_t stamped         # callbacks have stamps
    int64_t gpnum
    int64_t completed
    int64_t requested
    int64_t scan_ns
    int64_t scan_at
    int32_t waits_for       # CPUs with gp_pending
    uint8_t first_scan
    uint8_t kicked          # the grace-period kthread has something to do now
    int64_t callbacks
    int64_t queued
    int64_t invoked
    int64_t longest


cdef inline int64_t rcu_qlen(const rcu_data *d) noexcept nogil:
    return d.tail - d.head


cdef inline int rcu_grow(rcu_data *d, bint stamped) except -1 nogil:
    """Double the ring; records keep their positions."""
    cdef uint32_t capacity = d.capacity * 2 if d.capacity else 64
    cdef rcu_head *ring = <rcu_head *>arena_resize(NULL, capacity * sizeof(rcu_head))
    cdef rcu_stamp *stamps
    cdef int64_t i
    for i in range(d.head, d.tail):
        ring[i & (capacity - 1)] = d.ring[i & (d.capacity - 1)]
    PyMem_RawFree(d.ring)
    d.ring = ring
    if stamped:
        stamps = <rcu_stamp *>arena_resize(NULL, capacity * sizeof(rcu_stamp))
        for i in range(d.head, d.tail):
            stamps[i & (capacity - 1)] = d.stamps[i & (d.capacity - 1)]
        PyMem_RawFree(d.stamps)
        d.stamps = stamps
    d.capacity = capacity
    return 0


cdef inline void rcu_stamp_last(
    rcu_state *r, int32_t cpu_number, int64_t now
) noexcept nogil:
    """Note when the CPU's last callback was queued and behind how many."""
    cdef rcu_data *d = &r.data[cpu_number]
    if r.stamped:
        d.stamps[(d.tail - 1) & (d.capacity - 1)].at = now
        d.stamps[(d.tail - 1) & (d.capacity - 1)].ahead = d.tail - 1 - d.head


cdef inline int rcu_append(
    rcu_state *r, int32_t cpu_number, uint32_t kind, uint32_t arg
) except -1 nogil:
    cdef rcu_data *d = &r.data[cpu_number]
    if rcu_qlen(d) == d.capacity:
        rcu_grow(d, r.stamped)
    d.ring[d.tail & (d.capacity - 1)].kind = kind
    d.ring[d.tail & (d.capacity - 1)].arg = arg
    d.tail += 1
    r.callbacks += 1
    r.queued += 1
    r.longest = max(r.longest, rcu_qlen(d))
    return 0


cdef inline int call_rcu(
    rcu_state *r, int32_t cpu_number, uint32_t kind, uint32_t arg
) except -1 nogil:
    """Queue a callback on a CPU."""
    cdef rcu_data *d = &r.data[cpu_number]
    rcu_append(r, cpu_number, kind, arg)
    if rcu_qlen(d) > QHIMARK:
        d.blimit = FOREVER
    return 0


cdef inline bint rcu_entrain(
    rcu_state *r, int32_t cpu_number, uint32_t kind
) except -1 nogil:
    """Put a callback behind the CPU's last, into that one's segment."""
    cdef rcu_data *d = &r.data[cpu_number]
    cdef int64_t tail = d.tail
    if tail == d.head:
        return False
    rcu_append(r, cpu_number, kind, 0)
    if d.ready == tail:
        d.ready = d.tail
        if d.wait == tail:
            d.wait = d.tail
            if d.done == tail:
                d.done = d.tail
    return True


cdef inline void rcu_advance(rcu_state *r, rcu_data *d) noexcept nogil:
    if d.wait > d.done and d.wait_gp <= r.completed:
        d.done = d.wait
    if d.ready > d.wait and d.ready_gp <= r.completed:
        # Both move, so the segments stay in order.
        if d.wait > d.done:
            return
        d.done = d.wait = d.ready
    if d.wait == d.done and d.ready > d.wait:
        d.wait = d.ready
        d.wait_gp = d.ready_gp


cdef inline void rcu_accelerate(rcu_state *r, rcu_data *d) noexcept nogil:
    """Number the callbacks that have none and ask for their grace period."""
    cdef int64_t number
    if d.tail == d.ready:
        return
    # A running grace period does not cover callbacks queued after it began.
    number = r.completed + (1 if r.gpnum == r.completed else 2)
    if d.ready > d.wait and d.ready_gp < number:
        return
    if d.wait > d.done and d.wait_gp < number:
        d.ready = d.tail
        d.ready_gp = number
    else:
        d.wait = d.ready = d.tail
        d.wait_gp = number
    r.requested = max(r.requested, number)


cdef inline void rcu_core(rcu_state *r, sched *s, int32_t cpu_number) noexcept nogil:
    """Do what a tick's softirq does for RCU, short of invoking callbacks."""
    cdef rcu_data *d = &r.data[cpu_number]
    cdef cpu *c = &s.cpus[cpu_number]
    if d.known_completed != r.completed:
        d.known_completed = r.completed
        rcu_advance(r, d)
    rcu_accelerate(r, d)
    if d.known_gp != r.gpnum:
        d.known_gp = r.gpnum
        c.qs = 0
        d.qs_pending = 1
    elif d.qs_pending and c.qs:
        d.qs_pending = 0
        if d.gp_pending:
            d.gp_pending = 0
            r.waits_for -= 1
            if not r.waits_for:
                r.kicked = 1
    if r.gpnum == r.completed and r.requested > r.completed:
        r.kicked = 1


cdef inline void rcu_grace_period(rcu_state *r, sched *s) noexcept nogil:
    """Be the grace-period kthread: scan, clean up, start."""
    cdef int32_t i
    cdef rcu_data *d
    r.kicked = 0
    if r.gpnum != r.completed:
        if r.waits_for and s.now >= r.scan_at:
            for i in range(s.ncpus):
                d = &r.data[i]
                if cpu_idle(&s.cpus[i]) or (s.cpus[i].was_idle and not r.first_scan):
                    if d.gp_pending:
                        d.gp_pending = 0
                        r.waits_for -= 1
                s.cpus[i].was_idle = 0
            r.first_scan = 0
            if r.waits_for:
                r.scan_at = s.now + r.scan_ns
        if not r.waits_for:
            r.completed = r.gpnum
    if r.gpnum == r.completed and r.requested > r.completed:
        r.gpnum += 1
        for i in range(s.ncpus):
            r.data[i].gp_pending = 1
        r.waits_for = s.ncpus
        r.first_scan = 1
        r.scan_at = s.now + r.scan_ns


cdef inline int64_t rcu_next(const rcu_state *r, int64_t now) noexcept nogil:
    """Return when the grace-period kthread has something to do."""
    if r.kicked:
        return now
    return r.scan_at if r.gpnum != r.completed else FOREVER


cdef inline bint rcu_needs_tick(
    const rcu_state *r, const cpu *c, int32_t cpu_number
) noexcept nogil:
    """Tell whether RCU has use for this CPU's next tick."""
    cdef const rcu_data *d = &r.data[cpu_number]
    if rcu_qlen(d):
        return True
    return d.gp_pending and r.gpnum != r.completed and not cpu_idle(c)

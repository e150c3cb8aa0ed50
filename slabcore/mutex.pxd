"""FIFO mutexes: unlocking hands the mutex to the first in line.

A task spins in line while the owner is on a CPU or about to be on another one
(mutex_spin_on_owner(), kernel/locking/mutex.c); else it sleeps.

The lock of CPU and memory hotplug is shared by readers, who never wait for each other.
A writer waits for those that are in, and holds off all who come later. Nobody spins.
"""

from slabcore.sched cimport (
    HOTPLUG_LOCK,
    QUEUED,
    RUNNING,
    cpu_begin,
    mutex,
    sched,
    sched_wake,
    spin_begin,
    spin_end,
    task,
    task_prefetch,
)


cdef inline void mutex_own(sched *s, mutex *m, task *t) noexcept nogil:
    m.owner = t
    m.since = s.now
    m.holds += 1


cdef inline bint mutex_lock(sched *s, mutex *m, task *t) noexcept nogil:
    """Take the mutex, or get in line and return False."""
    if m.owner == NULL:
        mutex_own(s, m, t)
        return True
    t.wants_since = s.now
    if m.owner.state == RUNNING or (
        m.owner.state == QUEUED and m.owner.cpu != t.cpu
    ):
        spin_begin(s, <int>(m - &s.mutexes[0]), t)
    t.line_next = NULL
    if m.last == NULL:
        m.first = t
    else:
        m.last.line_next = t
    m.last = t
    m.length += 1
    m.longest_queue = max(m.longest_queue, m.length)
    return False


cdef inline void mutex_unlock(sched *s, mutex *m) noexcept nogil:
    cdef task *t = m.first
    m.held_ns += s.now - m.since
    m.owner = NULL
    if t == NULL:
        return
    m.first = t.line_next
    if m.first == NULL:
        m.last = NULL
    task_prefetch(m.first)
    m.length -= 1
    m.waited_ns += s.now - t.wants_since
    m.longest_wait_ns = max(m.longest_wait_ns, s.now - t.wants_since)
    mutex_own(s, m, t)
    if not t.spins:
        sched_wake(s, t)
        return
    spin_end(s, t)
    t.left = 0
    if t.state == RUNNING:
        cpu_begin(s, &s.cpus[t.cpu])


cdef inline void hotplug_own(sched *s, task *t, bint write) noexcept nogil:
    t.in_hotplug = 1
    if write:
        mutex_own(s, &s.mutexes[HOTPLUG_LOCK], t)
    else:
        s.hotplug_readers += 1


cdef inline bint hotplug_lock(sched *s, task *t, bint write) noexcept nogil:
    """Take a side of the hotplug lock, or get in line and return False."""
    cdef mutex *m = &s.mutexes[HOTPLUG_LOCK]
    if m.first == NULL and m.owner == NULL and not (write and s.hotplug_readers):
        hotplug_own(s, t, write)
        return True
    t.wants_since = s.now
    t.wants_write = write
    t.line_next = NULL
    if m.last == NULL:
        m.first = t
    else:
        m.last.line_next = t
    m.last = t
    m.length += 1
    m.longest_queue = max(m.longest_queue, m.length)
    return False


cdef inline void hotplug_unlock(sched *s, task *t) noexcept nogil:
    """Leave, and let in who is first in line, readers up to the next writer."""
    cdef mutex *m = &s.mutexes[HOTPLUG_LOCK]
    t.in_hotplug = 0
    if m.owner == t:
        m.owner = NULL
        m.held_ns += s.now - m.since
    else:
        s.hotplug_readers -= 1
    while m.first != NULL and m.owner == NULL:
        t = m.first
        if t.wants_write and s.hotplug_readers:
            return
        m.first = t.line_next
        if m.first == NULL:
            m.last = NULL
        m.length -= 1
        m.waited_ns += s.now - t.wants_since
        m.longest_wait_ns = max(m.longest_wait_ns, s.now - t.wants_since)
        hotplug_own(s, t, t.wants_write)
        sched_wake(s, t)

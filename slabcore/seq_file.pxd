"""A file made of records: read in chunks, remade at each of them (fs/seq_file.c).

A read, or a seek, is seq_read_begin() or seq_lseek_begin(), then seq_section() while
SEQ_SECTION is the answer, then seq_result(). A section is one start() ... stop(): what
start() locks is held for a section and never between two.

The kernel's behaviour changed three times. A: up to 4.18. B: 4.19 to 5.2. C: 5.3 to
5.9. D: since. What differs bears a name: steps_late, seeks_badly, reads_on.
"""

from libc.errno cimport EFAULT, EINVAL, ENOMEM
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport arena_resize

cdef enum:
    SEQ_PAGE = 4096             # bytes of the first buffer, unless it is set
    SEQ_LARGEST = 0x40000000    # the largest that kvmalloc() hands out, doubling
    SEQ_SKIP = 1                # of show(): forget what was printed

cdef extern from *:
    """
    #define SLABCORE_SEQ_END ((int64_t)-4096)
    """
    # no entry; -4095 to -1 is an error
    const int64_t SEQ_END "SLABCORE_SEQ_END"

cdef enum:
    ERA_A
    ERA_B
    ERA_C
    ERA_D

cdef enum:
    SEQ_DONE
    SEQ_SECTION


cdef struct seq_file


cdef struct seq_operations:
    int64_t (*start)(seq_file *m, int64_t *pos) noexcept nogil
    int64_t (*next)(seq_file *m, int64_t entry, int64_t *pos) noexcept nogil
    # at the entry of index (era A: that or the one before), or at SEQ_END
    void (*stop)(seq_file *m, int64_t entry) noexcept nogil
    # 0, SEQ_SKIP or an error
    int (*show)(seq_file *m, int64_t entry) noexcept nogil
    # or NULL: what the entry printed, or the end of it after a seek, will be delivered
    void (*accepted)(seq_file *m, int64_t entry) noexcept nogil


cdef struct seq_file:
    char *buf
    size_t page             # of the first buffer
    size_t size             # of buf; 0 before the first; a failed doubling keeps it
    size_t from_            # where the bytes not yet delivered begin
    size_t count            # and how many they are; all of size: it did not fit
    int64_t index           # of the entry that the next start() asks for
    int64_t read_pos        # the place in the file that all this belongs to
    const seq_operations *op
    void *private
    # what the era does
    bint steps_late         # A: past an entry once it is delivered, not once printed
    bint seeks_badly        # B: a seek into a record does not step past its entry
    bint reads_on           # D: prints again at an exact drain; halves of copies count
    # the call under way
    int64_t *ppos
    int64_t target          # of its seek
    bint traverses          # its next section looks for target
    bint seeks_only         # lseek()
    char *user              # NULL: the bytes are only counted
    size_t left             # bytes still wanted
    size_t copied
    int64_t writable        # bytes of user memory, copied among them; -1 is all
    int64_t error
    # to be set from outside
    int64_t fault           # what the next call finds writable; -1 is all
    int64_t alloc_fails     # this coming allocation fails; 0 is none
    # calls so far; the nodes that start() looked at are counted by start() itself
    int64_t starts
    int64_t nexts
    int64_t shows
    int64_t stops
    int64_t allocs
    int64_t visits


cdef inline void seq_set_up(
    seq_file *m, int era, const seq_operations *op, void *private
) noexcept nogil:
    """Say who is asked, and how the era does things."""
    m.op = op
    m.private = private
    m.page = SEQ_PAGE
    m.steps_late = era == ERA_A
    m.seeks_badly = era == ERA_B
    m.reads_on = era == ERA_D
    m.fault = -1


cdef inline void seq_open(
    seq_file *m, int era, const seq_operations *op, void *private
) noexcept nogil:
    memset(m, 0, sizeof(seq_file))
    seq_set_up(m, era, op, private)


cdef inline void seq_release(seq_file *m) noexcept nogil:
    PyMem_RawFree(m.buf)
    m.buf = NULL


# --- printing ---


cdef inline void seq_write(
    seq_file *m, const void *data, size_t length
) noexcept nogil:
    """Print; what leaves no byte to spare does not fit."""
    if m.count + length < m.size:
        memcpy(m.buf + m.count, data, length)
        m.count += length
    else:
        m.count = m.size


cdef inline bint seq_overflowed(const seq_file *m) noexcept nogil:
    return m.count == m.size


cdef inline bint seq_alloc(seq_file *m, size_t size) except -1 nogil:
    """Give up the buffer for one of *size* bytes; False if there is no memory."""
    cdef bint fails = m.alloc_fails == 1 or size > SEQ_LARGEST
    m.alloc_fails -= m.alloc_fails > 0
    seq_release(m)
    m.count = 0
    m.size = size
    m.allocs += 1
    if fails:
        m.error = -ENOMEM
        return False
    m.buf = <char *>arena_resize(NULL, size)
    return True


# --- the hooks, counted ---


cdef inline int64_t seq_start(seq_file *m) noexcept nogil:
    m.starts += 1
    return m.op.start(m, &m.index)


cdef inline int64_t seq_next(
    seq_file *m, int64_t entry, int64_t *pos
) noexcept nogil:
    m.nexts += 1
    return m.op.next(m, entry, pos)


cdef inline int seq_show(seq_file *m, int64_t entry) noexcept nogil:
    m.shows += 1
    return m.op.show(m, entry)


cdef inline void seq_stop(seq_file *m, int64_t entry) noexcept nogil:
    m.stops += 1
    m.op.stop(m, entry if entry >= 0 else SEQ_END)


cdef inline void seq_accept(seq_file *m, int64_t entry) noexcept nogil:
    if m.op.accepted != NULL:
        m.op.accepted(m, entry)


# --- handing out what was printed ---


cdef inline bint seq_copy(seq_file *m) noexcept nogil:
    """Deliver as much of the buffer as is wanted; False if user memory faults."""
    cdef size_t n = min(m.count, m.left)
    cdef bint faults = m.writable >= 0 and n > <size_t>m.writable - m.copied
    if faults:
        m.error = -EFAULT
        n = <size_t>m.writable - m.copied if m.reads_on else 0
    if m.user != NULL:
        memcpy(m.user + m.copied, m.buf + m.from_, n)
    m.copied += n
    m.left -= n
    m.from_ += n
    m.count -= n
    return not faults


cdef inline int seq_deliver(seq_file *m) except -1 nogil:
    """Begin a read that is where it wants to be: first what is left over."""
    if m.buf == NULL and not seq_alloc(m, m.page):
        return SEQ_DONE
    if m.count:
        if not seq_copy(m) or m.count:
            return SEQ_DONE
        m.index += m.steps_late
        if m.left == 0 and not m.reads_on:
            return SEQ_DONE
    m.from_ = 0
    return SEQ_SECTION


# --- filling the buffer ---


cdef inline int64_t seq_first(seq_file *m) noexcept nogil:
    """Print the first entry from index on that prints anything; return it.

    There is none if the buffer stays empty.
    """
    cdef int64_t entry = seq_start(m)
    cdef int outcome
    while entry >= 0:
        outcome = seq_show(m, entry)
        if outcome < 0:
            m.error = outcome
            m.count = 0
            break
        if outcome > 0:
            m.count = 0
        if m.count:
            break
        entry = seq_next(m, entry, &m.index)
    else:
        m.count = 0
        if entry != SEQ_END:
            m.error = entry
    return entry


cdef inline int64_t seq_more(seq_file *m, int64_t entry) noexcept nogil:
    """Print whole records behind the first one; return the entry where that ended."""
    cdef int64_t here = m.index, there
    cdef size_t kept
    cdef int outcome
    while m.count < m.left or not m.steps_late:
        kept = m.count
        there = here
        entry = seq_next(m, entry, &there)
        if not m.steps_late:
            there += there == here      # for a next() that finds the end and stays
            m.index = there
        if entry < 0:
            if entry != SEQ_END:
                m.error = entry
            break
        if m.count >= m.left and not m.steps_late:
            break
        outcome = seq_show(m, entry)
        if outcome > 0:
            m.count = kept
        elif outcome < 0 or seq_overflowed(m):
            m.error = outcome
            m.count = kept
            break
        elif m.count > kept:
            seq_accept(m, entry)
        here = there
    if m.steps_late:
        m.index = here
    return entry


cdef inline int seq_fill(seq_file *m) except -1 nogil:
    """Print from index on and deliver; what does not fit alone doubles the buffer."""
    cdef int64_t first, entry = seq_first(m)
    if m.count == 0 or seq_overflowed(m):
        seq_stop(m, entry)
        if m.count == 0 or not seq_alloc(m, m.size * 2):
            return SEQ_DONE
        return SEQ_SECTION
    first = m.index
    seq_accept(m, entry)
    entry = seq_more(m, entry)
    seq_stop(m, entry)
    if seq_copy(m):
        m.index += m.steps_late and m.count == 0
    elif m.steps_late:
        m.index = first     # all that waits in the buffer will count as this entry
    return SEQ_DONE


# --- seeking ---


cdef inline void seq_forget(seq_file *m) noexcept nogil:
    """Be where a file begins, with nothing left over."""
    m.read_pos = 0
    m.index = 0
    m.count = 0


cdef inline int seq_sought(seq_file *m) except -1 nogil:
    """End a seek: by what made it begin, or with its error."""
    m.traverses = False
    if m.error == 0:
        m.read_pos = m.target
        return SEQ_DONE if m.seeks_only else seq_deliver(m)
    seq_forget(m)
    if m.seeks_only:
        m.ppos[0] = 0
    return SEQ_DONE


cdef inline int seq_seek(seq_file *m) except -1 nogil:
    """Begin to look for the target, from the first record on."""
    m.index = 0
    m.count = 0
    m.from_ = 0
    if m.target == 0 or (m.buf == NULL and not seq_alloc(m, m.page)):
        return seq_sought(m)
    m.traverses = True
    return SEQ_SECTION


cdef inline int seq_traverse(seq_file *m) except -1 nogil:
    """Print all records before the target, and forget them."""
    cdef int64_t pos = 0, entry = seq_start(m)
    cdef int outcome
    while entry >= 0:
        outcome = seq_show(m, entry)
        if outcome < 0:
            m.error = outcome
            break
        if outcome > 0:
            m.count = 0
        if seq_overflowed(m):
            seq_stop(m, entry)
            return seq_seek(m) if seq_alloc(m, m.size * 2) else seq_sought(m)
        pos += m.count
        if pos > m.target:
            m.from_ = m.count - <size_t>(pos - m.target)
            m.count -= m.from_
            seq_accept(m, entry)
            if not (m.steps_late or m.seeks_badly):
                entry = seq_next(m, entry, &m.index)
            break
        m.count = 0
        if pos == m.target and m.steps_late:
            m.index += 1
        else:
            entry = seq_next(m, entry, &m.index)
        if pos == m.target:
            break
    else:
        if entry != SEQ_END:
            m.error = entry
        if seq_overflowed(m):
            m.count = 0     # start() printed too much; a kernel hands out garbage
    seq_stop(m, entry)
    return seq_sought(m)


# --- calls ---


cdef inline int64_t seq_sum(int64_t pos, int64_t step) noexcept nogil:
    """Add to a position as to a loff_t: it wraps."""
    return <int64_t>(<uint64_t>pos + <uint64_t>step)


cdef inline void seq_begin(
    seq_file *m, int64_t *ppos, char *user, size_t size
) noexcept nogil:
    m.ppos = ppos
    m.user = user
    m.left = size
    m.copied = 0
    m.writable = m.fault
    m.fault = -1
    m.error = 0
    m.traverses = False


cdef inline int seq_read_begin(
    seq_file *m, int64_t *ppos, char *user, size_t size
) except -1 nogil:
    """Read *size* bytes at *ppos*, which must stay there until seq_result()."""
    seq_begin(m, ppos, user, size)
    m.seeks_only = False
    m.target = ppos[0]
    if m.target < 0:
        m.error = -EINVAL
        return SEQ_DONE
    if size == 0 and m.reads_on:
        return SEQ_DONE
    if m.target == 0:
        m.index = 0
        if not m.steps_late:
            m.count = 0
    return seq_seek(m) if m.target != m.read_pos else seq_deliver(m)


cdef inline int seq_lseek_begin(
    seq_file *m, int64_t *ppos, int64_t off, int whence
) except -1 nogil:
    """Seek to *off*, from 0 (whence 0) or from *ppos* (1)."""
    seq_begin(m, ppos, NULL, 0)
    m.seeks_only = True
    m.target = off if whence == 0 else seq_sum(off, ppos[0])
    if m.target < 0 or whence not in (0, 1):
        m.error = -EINVAL
        return SEQ_DONE
    return seq_seek(m) if m.target != m.read_pos else SEQ_DONE


cdef inline int seq_section(seq_file *m) except -1 nogil:
    return seq_traverse(m) if m.traverses else seq_fill(m)


cdef inline int64_t seq_result(seq_file *m) noexcept nogil:
    """Return the bytes delivered, or where a seek ended, or an error."""
    if m.seeks_only:
        if m.error:
            return m.error
        m.ppos[0] = m.target
        return m.target
    if m.copied == 0:
        return m.error
    m.ppos[0] = seq_sum(m.ppos[0], m.copied)
    m.read_pos = seq_sum(m.read_pos, m.copied)
    return m.copied

"""RCU: callbacks of each CPU in four segments, and grace periods.

A CPU's callbacks stand in one ring of records in the order of call_rcu; the segments
are half-open intervals of it: [head, done) may be invoked, [done, wait) waits for
wait_gp, [wait, ready) for ready_gp, [ready, tail) has no number yet. kernel/rcu/tree.c
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport (
    LARGE,
    MAPS,
    arena,
    arena_init,
    arena_map,
    arena_resize,
    slabcore_ask_for_huge,
    slabcore_unmap,
)
from slabcore.clock cimport FOREVER
from slabcore.sched cimport cpu, cpu_idle, sched

cdef enum:
    BLIMIT = 10
    QHIMARK = 10000
    QLOWMARK = 100
    MAX_CALLBACKS = 1 << 30
    MAX_WORDS = 0xFFFFFFFF
    NEAR = 1 << 16          # words that lie in a near cache without being asked for


cdef enum:                  # what a callback does to the word that it names
    RCU_INC
    RCU_DEC
    RCU_SET                 # the lowest bit, as the next two
    RCU_CLEAR
    RCU_CHANGE
    RCU_KINDS


cdef extern from *:
    """
    /* Ask -O2 for what clang and -O3 do unasked: several in one step. */
    #if defined(__GNUC__) && !defined(__clang__)
    #define SLABCORE_RCU_WIDE __attribute__((optimize("O3")))
    #else
    #define SLABCORE_RCU_WIDE
    #endif
    #define SLABCORE_RCU_FILL(name, number) \
    SLABCORE_RCU_WIDE static inline int name( \
        uint32_t *to, const number *words, const uint8_t *kinds, int of_each, \
        size_t count, uint64_t last, uint32_t last_kind) \
    { \
        uint64_t wrong = 0; \
        uint32_t no_kind = 0; \
        size_t i; \
        for (i = 0; i < count; i++) { \
            uint64_t word = (uint64_t)words[i]; \
            uint32_t kind = of_each ? kinds[i] : kinds[0]; \
            to[2 * i] = kind; \
            to[2 * i + 1] = (uint32_t)word; \
            wrong |= sizeof(number) < 8 ? last - word : (last - word) | word; \
            no_kind |= last_kind - kind; \
        } \
        return wrong >> 63 || no_kind >> 31; \
    }
    SLABCORE_RCU_FILL(slabcore_rcu_fill32, uint32_t)
    SLABCORE_RCU_FILL(slabcore_rcu_fill64, int64_t)

    /* A kind in numbers: no branch could be guessed where kinds come in no order. */
    static const struct { uint32_t keep, flip, add; } slabcore_rcu_kinds[] = {
        { ~0u, 0, 1 }, { ~0u, 0, ~0u }, { ~1u, 1, 0 }, { ~1u, 0, 0 }, { ~0u, 1, 0 },
    };
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #define SLABCORE_RCU_NEXT_WORD 1u
    #else
    #define SLABCORE_RCU_NEXT_WORD ((uint64_t)1 << 32)
    #endif
    enum { SLABCORE_RCU_BLOCK = 16 };

    #if defined(__GNUC__)
    typedef uint64_t slabcore_rcu_two __attribute__((vector_size(16)));
    typedef uint32_t slabcore_rcu_four __attribute__((vector_size(16)));

    /* Invoke a block if it is of one kind, and for words that follow each other. */
    static inline int slabcore_rcu_block(const uint32_t *at, uint32_t *words)
    {
        const uint64_t step = SLABCORE_RCU_NEXT_WORD;
        uint64_t first;
        slabcore_rcu_two expected, two, differ = { 0, 0 };
        slabcore_rcu_four four;
        uint32_t keep, flip, add;
        int i;
        if (at[3] - at[1] != 1)
            return 0;
        memcpy(&first, at, sizeof first);
        expected[0] = first;
        expected[1] = first + step;
        for (i = 0; i < SLABCORE_RCU_BLOCK; i += 2) {
            memcpy(&two, &at[2 * i], sizeof two);
            differ |= two ^ expected;
            expected += 2 * step;
        }
        if (differ[0] | differ[1])
            return 0;
        keep = slabcore_rcu_kinds[at[0]].keep;
        flip = slabcore_rcu_kinds[at[0]].flip;
        add = slabcore_rcu_kinds[at[0]].add;
        for (i = 0; i < SLABCORE_RCU_BLOCK; i += 4) {
            memcpy(&four, &words[at[1] + i], sizeof four);
            four = ((four & keep) ^ flip) + add;
            memcpy(&words[at[1] + i], &four, sizeof four);
        }
        return 1;
    }
    #else
    static inline int slabcore_rcu_block(const uint32_t *at, uint32_t *words)
    {
        (void)at; (void)words;
        return 0;
    }
    #endif

    SLABCORE_RCU_WIDE static inline void slabcore_rcu_write(
        const void *callbacks, uint32_t *words, size_t count, int far)
    {
        const uint32_t *at = (const uint32_t *)callbacks;
        size_t i = 0, j;
        for (; i + 2 * SLABCORE_RCU_BLOCK <= count; i += SLABCORE_RCU_BLOCK) {
            if (slabcore_rcu_block(at, words)) {
                at += 2 * SLABCORE_RCU_BLOCK;
                continue;
            }
            if (far)
                for (j = 0; j < SLABCORE_RCU_BLOCK; j++)
                    SLABCORE_PREFETCH(&words[at[2 * (SLABCORE_RCU_BLOCK + j) + 1]]);
            for (j = 0; j < SLABCORE_RCU_BLOCK; j++, at += 2)
                words[at[1]] = ((words[at[1]] & slabcore_rcu_kinds[at[0]].keep)
                                ^ slabcore_rcu_kinds[at[0]].flip)
                               + slabcore_rcu_kinds[at[0]].add;
        }
        for (; i < count; i++, at += 2)
            words[at[1]] = ((words[at[1]] & slabcore_rcu_kinds[at[0]].keep)
                            ^ slabcore_rcu_kinds[at[0]].flip)
                           + slabcore_rcu_kinds[at[0]].add;
    }
    """
    # Write callbacks; true if the highest bit of a difference to the last word, or of
    # an index, says that one was wrong.
    bint rcu_fill32 "slabcore_rcu_fill32"(
        uint32_t *to, const uint32_t *words, const uint8_t *kinds, bint of_each,
        size_t count, uint64_t last, uint32_t last_kind
    ) noexcept nogil
    bint rcu_fill64 "slabcore_rcu_fill64"(
        uint32_t *to, const int64_t *words, const uint8_t *kinds, bint of_each,
        size_t count, uint64_t last, uint32_t last_kind
    ) noexcept nogil
    # Invoke callbacks; far: the words are asked for a block ahead.
    void rcu_write "slabcore_rcu_write"(
        const void *callbacks, uint32_t *words, size_t count, bint far
    ) noexcept nogil


cdef struct rcu_head:
    uint32_t kind
    uint32_t arg            # behind the kind: the C above takes both as one


cdef struct rcu_stamp:
    int64_t at              # when the callback was queued
    int64_t ahead           # behind how many others of its CPU


cdef struct rcu_data:
    rcu_head *ring
    rcu_stamp *stamps       # beside the ring; NULL where nobody asks
    uint32_t capacity       # a power of two
    size_t mapped           # bytes of the ring's own pages; 0: it is on the heap
    bint huge_pages         # ask for them
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
    int64_t blimit          # callbacks a batch, while a CPU has no more than qhimark
    int64_t qhimark
    int64_t qlowmark        # at which a batch has its limit again
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


cdef inline rcu_head *rcu_at(
    const rcu_data *d, int64_t position, size_t *count
) noexcept nogil:
    """Return a record, and how many of *count* lie there without a break."""
    cdef size_t at = position & (d.capacity - 1)
    count[0] = min(count[0], d.capacity - at)
    return &d.ring[at]


cdef inline void rcu_copy(
    const rcu_data *d, int64_t position, rcu_head *to, size_t count
) noexcept nogil:
    cdef size_t whole
    cdef const rcu_head *at
    while count:
        whole = count
        at = rcu_at(d, position, &whole)
        memcpy(to, at, whole * sizeof(rcu_head))
        position += whole
        to += whole
        count -= whole


cdef inline void rcu_free(rcu_data *d) noexcept nogil:
    if d.mapped:
        slabcore_unmap(d.ring, d.mapped)
    else:
        PyMem_RawFree(d.ring)
    PyMem_RawFree(d.stamps)


cdef inline int rcu_reserve(rcu_data *d, bint stamped, uint64_t count) except -1 nogil:
    """Make room for *count* records in all; records keep their positions."""
    cdef uint64_t capacity = d.capacity if d.capacity else 64
    cdef rcu_data new = d[0]
    cdef arena ring
    cdef rcu_head *at
    cdef size_t whole
    cdef int64_t i = d.head
    if count <= d.capacity:
        return 0
    if count > <uint64_t>MAX_CALLBACKS:
        with gil:
            raise MemoryError("a CPU has at most 1073741824 callbacks")
    while capacity < count:
        capacity *= 2
    new.capacity = <uint32_t>capacity
    arena_init(&ring, sizeof(rcu_head))
    if MAPS and d.huge_pages and capacity * sizeof(rcu_head) >= LARGE:
        arena_map(&ring, capacity * sizeof(rcu_head))
        slabcore_ask_for_huge(ring.entries, ring.mapped)
    else:
        ring.entries = arena_resize(NULL, capacity * sizeof(rcu_head))
    new.ring = <rcu_head *>ring.entries
    new.mapped = ring.mapped
    while i < d.tail:
        whole = d.tail - i
        at = rcu_at(&new, i, &whole)
        rcu_copy(d, i, at, whole)
        i += whole
    if stamped:
        new.stamps = <rcu_stamp *>arena_resize(NULL, capacity * sizeof(rcu_stamp))
        for i in range(d.head, d.tail):
            new.stamps[i & (capacity - 1)] = d.stamps[i & (d.capacity - 1)]
    else:
        d.stamps = NULL         # they stay, if there are any
    rcu_free(d)
    d[0] = new
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
        rcu_reserve(d, r.stamped, rcu_qlen(d) + 1)
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
    if rcu_qlen(d) > r.qhimark:
        d.blimit = FOREVER
    return 0


cdef inline void rcu_queued(rcu_state *r, rcu_data *d, size_t count) noexcept nogil:
    """Count callbacks, not stamped, that lie behind a CPU's last, as queued."""
    d.tail += count
    r.callbacks += count
    r.queued += count
    r.longest = max(r.longest, rcu_qlen(d))
    if rcu_qlen(d) > r.qhimark:
        d.blimit = FOREVER


cdef inline int call_rcu_many(
    rcu_state *r, int32_t cpu_number, const rcu_head *heads, size_t count
) except -1 nogil:
    """Queue callbacks that are not stamped, as call_rcu() one by one would."""
    cdef rcu_data *d = &r.data[cpu_number]
    cdef size_t whole, done = 0
    cdef rcu_head *at
    rcu_reserve(d, False, rcu_qlen(d) + count)
    while done < count:
        whole = count - done
        at = rcu_at(d, d.tail + done, &whole)
        memcpy(at, &heads[done], whole * sizeof(rcu_head))
        done += whole
    rcu_queued(r, d, count)
    return 0


cdef inline bint call_rcu_words(
    rcu_state *r,
    int32_t cpu_number,
    const void *words,      # 32 bits each, or 64
    bint wide,
    size_t count,
    const uint8_t *kinds,   # of each, or one for all
    bint of_each,
    uint64_t end,
) except -1 nogil:
    """Queue callbacks for words; or none, if one is *end* or more, or of no kind.

    Written behind the last, they are callbacks only when all were found right.
    """
    cdef rcu_data *d = &r.data[cpu_number]
    cdef uint32_t *to
    cdef size_t whole, done = 0
    cdef bint wrong = False
    rcu_reserve(d, False, rcu_qlen(d) + count)
    while done < count:
        whole = count - done
        to = <uint32_t *>rcu_at(d, d.tail + done, &whole)
        if wide:
            wrong |= rcu_fill64(
                to, &(<const int64_t *>words)[done], &kinds[done if of_each else 0],
                of_each, whole, end - 1, RCU_KINDS - 1,
            )
        else:
            wrong |= rcu_fill32(
                to, &(<const uint32_t *>words)[done], &kinds[done if of_each else 0],
                of_each, whole, end - 1, RCU_KINDS - 1,
            )
        done += whole
    if wrong:
        return False
    rcu_queued(r, d, count)
    return True


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


cdef inline bint rcu_report_qs(rcu_state *r, rcu_data *d) noexcept nogil:
    """Let a CPU out of the grace period; tell whether that waits for no other."""
    if not d.gp_pending:
        return False
    d.gp_pending = 0
    r.waits_for -= 1
    return not r.waits_for


cdef inline void rcu_gp_init(rcu_state *r, int32_t cpus) noexcept nogil:
    """Start a grace period, which waits for every CPU."""
    cdef int32_t i
    r.gpnum += 1
    for i in range(cpus):
        r.data[i].gp_pending = 1
    r.waits_for = cpus


cdef inline void rcu_gp_cleanup(rcu_state *r) noexcept nogil:
    r.completed = r.gpnum


# A batch (rcu_do_batch()): so many of those that are due, each taken, then invoked.


cdef inline int64_t rcu_batch(const rcu_data *d) noexcept nogil:
    return min(d.done - d.head, d.blimit)


cdef inline rcu_head rcu_take(rcu_state *r, rcu_data *d) noexcept nogil:
    cdef rcu_head head = d.ring[d.head & (d.capacity - 1)]
    d.head += 1
    r.callbacks -= 1
    r.invoked += 1
    return head


cdef inline void rcu_take_many(
    rcu_state *r, rcu_data *d, rcu_head *to, int64_t count
) noexcept nogil:
    rcu_copy(d, d.head, to, count)
    d.head += count
    r.callbacks -= count
    r.invoked += count


cdef inline void rcu_write_many(
    rcu_state *r, rcu_data *d, uint32_t *words, uint64_t end, int64_t count
) noexcept nogil:
    """Take callbacks for words, and invoke each."""
    cdef size_t whole
    cdef const rcu_head *at
    while count:
        whole = count
        at = rcu_at(d, d.head, &whole)
        rcu_write(at, words, whole, end > NEAR)
        d.head += whole
        r.callbacks -= whole
        r.invoked += whole
        count -= whole


cdef inline void rcu_batch_end(const rcu_state *r, rcu_data *d) noexcept nogil:
    if d.blimit != r.blimit and rcu_qlen(d) <= r.qlowmark:
        d.blimit = r.blimit


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
        if rcu_report_qs(r, d):
            r.kicked = 1
    if r.gpnum == r.completed and r.requested > r.completed:
        r.kicked = 1


cdef inline void rcu_grace_period(rcu_state *r, sched *s) noexcept nogil:
    """Be the grace-period kthread: scan, clean up, start."""
    cdef int32_t i
    r.kicked = 0
    if r.gpnum != r.completed:
        if r.waits_for and s.now >= r.scan_at:
            for i in range(s.ncpus):
                if cpu_idle(&s.cpus[i]) or (s.cpus[i].was_idle and not r.first_scan):
                    rcu_report_qs(r, &r.data[i])
                s.cpus[i].was_idle = 0
            r.first_scan = 0
            if r.waits_for:
                r.scan_at = s.now + r.scan_ns
        if not r.waits_for:
            rcu_gp_cleanup(r)
    if r.gpnum == r.completed and r.requested > r.completed:
        rcu_gp_init(r, s.ncpus)
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


cdef inline const char *rcu_broken(
    const rcu_state *r, int32_t cpus, int64_t *where, int64_t *which
) noexcept nogil:
    """Return what is wrong, NULL if nothing; two numbers belong into the text."""
    cdef const rcu_data *d
    cdef int32_t i
    cdef int64_t callbacks = 0
    where[0] = which[0] = -1
    for i in range(cpus):
        d = &r.data[i]
        where[0] = i
        if not d.head <= d.done <= d.wait <= d.ready <= d.tail:
            return "CPU {where}: callbacks stand in no order"
        if d.ready > d.wait and d.wait > d.done and d.ready_gp <= d.wait_gp:
            which[0] = d.ready_gp
            return "CPU {where}: later callbacks wait for grace period {which}"
        callbacks += rcu_qlen(d)
    if callbacks != r.callbacks or r.queued - r.invoked != callbacks:
        where[0], which[0] = r.callbacks, callbacks
        return "{where} callbacks are counted, {which} are queued"
    where[0], which[0] = r.gpnum, r.completed
    if not r.completed <= r.gpnum <= r.completed + 1:
        return "grace period {where} runs and {which} was the last"
    return NULL

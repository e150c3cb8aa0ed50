cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from cpython.buffer cimport (
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.mem cimport PyMem_RawFree
from cpython.number cimport PyIndex_Check, PyNumber_Index

from slabcore.clock cimport FOREVER
from slabcore.rcu cimport (
    MAX_CALLBACKS,
    MAX_WORDS,
    RCU_KINDS,
    call_rcu,
    call_rcu_many,
    call_rcu_words,
    rcu_accelerate,
    rcu_advance,
    rcu_batch,
    rcu_batch_end,
    rcu_broken,
    rcu_copy,
    rcu_data,
    rcu_entrain,
    rcu_free,
    rcu_gp_cleanup,
    rcu_gp_init,
    rcu_head,
    rcu_qlen,
    rcu_queued,
    rcu_report_qs,
    rcu_reserve,
    rcu_take,
    rcu_take_many,
    rcu_write_many,
)

from slabcore.errors import CorruptionError, InputError, LifecycleError


cdef enum:  # what a record of a queue with a callback is
    RCU_OBJECT
    RCU_WAITER              # of barrier() or synchronize()

_MARKERS = ("queued", "entrained")
_KINDS = ("inc", "dec", "set", "clear", "change")


@cython.final
cdef class RcuQueue:
    """Values that wait for a grace period: RCU's callbacks, simulated, single-threaded.

    What is queued with ``call`` on a CPU comes out of ``invoke`` in its order when a
    grace period that began later is over: when every CPU has been in a quiescent state
    since. There is no order between CPUs. Nothing here reads a clock or knows a
    thread: grace periods are steps, and a CPU may be anything that takes steps and
    that holds nothing between some of them.

    cpus: 1 to 4096.
    blimit: how many callbacks are a batch. qhimark: with more than that on a CPU, what
    is due is one batch; qlowmark: with that many or fewer, blimit counts again.
    marker: what barrier() waits behind: "entrained" is its own place behind the last
    callback, as in kernels since 4.13; "queued" is a callback more, as before, which
    waits for a grace period that begins after it, as others may.
    callback: None, and values are int64, which invoke() returns as an array. Or values
    are any objects, and each is invoked as ``callback(value)``; what it raises ends
    the call, and the rest stays due. A callback may queue and may not invoke. With
    ``operator.call`` the values are callables themselves.
    words: an array of uint32, and values are indices of it. Each is queued with a kind,
    which says what becomes of the word when it is invoked: "inc" and "dec" count and
    wrap, "set", "clear" and "change" are about its lowest bit.
    huge_pages: ask for them, for what holds more than half a million of a CPU's.

    >>> from slabcore import RcuQueue
    >>> queue = RcuQueue(cpus=2)
    >>> queue.call(10)
    >>> queue.start()
    1
    >>> queue.call(11)
    >>> queue.quiescent(0), queue.quiescent(1)
    (False, True)
    >>> queue.invoke().tolist(), queue.pending
    ([10], 1)
    >>> queue.barrier().tolist()
    [11]
    """

    def __cinit__(self, *args, **keywords):
        self.objects = []

    def __init__(
        self,
        cpus=1,
        *,
        blimit=10,
        qhimark=10_000,
        qlowmark=100,
        marker="entrained",
        callback=None,
        words=None,
        huge_pages: bool = True,
    ):
        # Imported when called, as what gives arrays does everywhere in this module.
        import operator

        import numpy
        # Numbers from here on: an int's subclass may multiply as it likes.
        cdef Py_ssize_t count = cpus, limit = blimit, high = qhimark, low = qlowmark
        cdef int32_t i
        if self.ncpus:
            raise LifecycleError("the queue is there; it is made once")
        if not 1 <= count <= 4096:
            raise InputError("RcuQueue", f"cpus is {count}", "1 to 4096")
        if limit < 1:
            raise InputError("RcuQueue", f"blimit is {limit}", "1 or more")
        if high < 0 or low < 0:
            name = "qlowmark" if high >= 0 else "qhimark"
            raise InputError("RcuQueue", f"{name} is {min(high, low)}", "0 or more")
        if marker not in _MARKERS:
            raise InputError("RcuQueue", f"marker is {marker!r}", "queued or entrained")
        if callback is not None and not callable(callback):
            raise TypeError(f"callback={callback!r}: expected a callable or None")
        if words is not None:
            if callback is not None:
                raise TypeError("a queue has words or a callback")
            PyBuffer_Release(&self.held)   # of an attempt that failed
            self.name_words(words)
            self.array = words
        self.r.blimit = limit
        self.r.qhimark = high
        self.r.qlowmark = low
        self.entrains = marker == "entrained"
        self.callback = callback
        self.calls_values = callback is operator.call
        self.empty = numpy.empty
        counts = callback is not None or words is not None
        self.nothing = 0 if counts else numpy.empty(0, "q")
        self.objects = [[] for _ in range(count if callback is not None else 0)]
        self.until = <int64_t *>zeroed(count * sizeof(int64_t))
        self.r.data = <rcu_data *>zeroed(count * sizeof(rcu_data))
        self.ncpus = <int32_t>count
        for i in range(self.ncpus):
            self.r.data[i].blimit = self.r.blimit
            self.r.data[i].huge_pages = huge_pages

    def __dealloc__(self):
        cdef int32_t i
        for i in range(self.ncpus):
            rcu_free(&self.r.data[i])
        PyMem_RawFree(self.r.data)
        PyMem_RawFree(self.until)
        PyBuffer_Release(&self.held)

    cdef int name_words(self, words) except -1:
        """Keep the words; their array is held where it is as long as the queue."""
        cdef Py_buffer given
        cdef int what = numbers(words, PyBUF_WRITABLE, &given)
        if what == UINT32 and given.len <= 4 * <int64_t>MAX_WORDS:
            self.held = given
            return 0
        if what != OTHER:
            PyBuffer_Release(&given)
        if what == UINT32:
            count = given.len // 4
            raise TypeError(f"{count} words: expected at most {<int64_t>MAX_WORDS}")
        raise TypeError(
            f"words are {unsuited(words, 'uint32')}: expected a writable array of "
            "uint32, in C order"
        )

    cdef int32_t on(self, Py_ssize_t cpu) except -1:
        if not 0 <= cpu < self.ncpus:
            raise InputError("RcuQueue", f"cpu is {cpu}", f"0 to {self.ncpus - 1}")
        return <int32_t>cpu

    cdef int span(self, cpu, int32_t *first, int32_t *end) except -1:
        """Find which CPUs are meant: one, or all by None."""
        first[0], end[0] = 0, self.ncpus
        if cpu is not None:
            first[0] = self.on(cpu)
            end[0] = first[0] + 1
        return 0

    # --- queueing ---

    def call(self, value, Py_ssize_t cpu=0, kind=None):
        """Queue a value on a CPU (call_rcu()).

        kind: what becomes of the word: inc, dec, set, clear or change.
        """
        cdef int32_t number = self.on(cpu)
        cdef rcu_head head
        cdef int64_t bits
        cdef uint8_t of_word
        if kind is not None or self.held.itemsize:
            of_word = self.number_of(kind)
            bits = PyNumber_Index(value)
            if not call_rcu_words(
                &self.r, number, &bits, True, 1, &of_word, False, self.held.len // 4
            ):
                self.refuse(bits)
            return
        if self.callback is not None:
            self.reserve(number, 1)
            self.keep(value, &self.r.data[number])
            rcu_queued(&self.r, &self.r.data[number], 1)
            return
        if type(value) is int:
            bits = value
        elif PyIndex_Check(value):
            bits = PyNumber_Index(value)
        else:
            what = f"{type(value).__name__}: expected a whole number"
            raise TypeError(f"{what}, as the queue has no callback")
        memcpy(&head, &bits, sizeof(rcu_head))
        call_rcu(&self.r, number, head.kind, head.arg)

    cdef int number_of(self, kind) except -1:
        """Return a kind's number."""
        if not self.held.itemsize:
            raise TypeError(f"kind={kind!r}: expected none, as the queue has no words")
        if kind not in _KINDS:
            expected = "inc, dec, set, clear or change"
            raise InputError("RcuQueue", f"kind is {kind!r}", expected)
        return _KINDS.index(kind)

    cdef int refuse(self, int64_t value) except -1:
        cdef int64_t count = self.held.len // 4
        expected = f"0 to {count - 1}, an index of words"
        if not count:
            expected = "an index of words, of which there are none"
        raise InputError("RcuQueue", f"value is {value}", expected)

    cdef int refuse_one(self, values, int dimensions) except -1:
        if not dimensions:
            raise TypeError(
                f"values are {container(values)}: expected a list or an array of "
                "whole numbers, as the queue has no callback"
            )
        return 0

    cdef int reserve(self, int32_t number, int64_t count) except -1:
        """Make room for callbacks more that are objects: in the ring and beside it."""
        cdef rcu_data *d = &self.r.data[number]
        cdef int64_t i, capacity
        cdef list old, new
        while rcu_qlen(d) + count > d.capacity:
            capacity = max(64, d.capacity)
            while capacity < rcu_qlen(d) + count:
                capacity *= 2
            if capacity > MAX_CALLBACKS:
                rcu_reserve(d, False, capacity)     # raises
            new = [None] * capacity
            # Garbage that was collected for it may have queued something.
            if rcu_qlen(d) + count > capacity or d.capacity >= capacity:
                continue
            old = <list>self.objects[number]
            for i in range(d.head, d.tail):
                new[i & (capacity - 1)] = old[i & (d.capacity - 1)]
            rcu_reserve(d, False, capacity)
            self.objects[number] = new
        return 0

    cdef int keep(self, value, rcu_data *d) except -1:
        """Put an object where there is room for it, behind the CPU's last."""
        cdef list objects = <list>self.objects[d - self.r.data]
        d.ring[d.tail & (d.capacity - 1)].kind = RCU_OBJECT
        objects[d.tail & (d.capacity - 1)] = value
        return 0

    cdef int keep_all(self, list values, int32_t number) except -1:
        cdef rcu_data *d = &self.r.data[number]
        cdef list objects
        cdef int64_t i, at, count = -1
        while count != len(values):
            count = len(values)
            self.reserve(number, count)
        # Nothing below runs what is Python: places without a callback hold None.
        objects = <list>self.objects[number]
        for i in range(count):
            at = (d.tail + i) & (d.capacity - 1)
            d.ring[at].kind = RCU_OBJECT
            objects[at] = values[i]
        rcu_queued(&self.r, d, count)
        return 0

    def call_many(self, values, Py_ssize_t cpu=0, kind=None):
        """Queue each of the values, in their order, on a CPU; of numbers all or none.

        Arrays of int64 are taken as they are, and of uint32, if they name words.
        kind: of all, or bytes, or an array of uint8, with the number of each one's: 0
        for inc, 1 dec, 2 set, 3 clear, 4 change.
        """
        cdef int32_t number = self.on(cpu)
        cdef Py_buffer given
        cdef int what
        if self.callback is not None:
            if kind is not None:
                self.number_of(kind)     # raises
            if type(values) is list or type(values) is tuple:
                self.keep_all(values if type(values) is list else list(values), number)
                return
            for value in values:
                self.reserve(number, 1)
                self.keep(value, &self.r.data[number])
                rcu_queued(&self.r, &self.r.data[number], 1)
            return
        what = numbers(values, PyBUF_SIMPLE, &given)
        if what == UINT8 or what == UINT32 and not self.held.itemsize:
            PyBuffer_Release(&given)
            what = OTHER
        if what == OTHER:
            import numpy
            taken = as_array("RcuQueue", "values", values)
            self.refuse_one(values, taken.ndim)
            values = taken
            if values.size and not numpy.can_cast(values.dtype, "q"):
                raise TypeError(
                    f"values: {values.dtype}, expected whole numbers of 64 bits, as "
                    f"the queue has no callback"
                )
            values = numpy.require(values, "q", "CA")
            what = numbers(values, PyBUF_SIMPLE, &given)
        try:
            self.refuse_one(values, given.ndim)
            if kind is not None or self.held.itemsize:
                self.call_words(number, &given, what, kind)
            else:
                call_rcu_many(
                    &self.r,
                    number,
                    <const rcu_head *>given.buf,
                    given.len // sizeof(rcu_head),
                )
        finally:
            PyBuffer_Release(&given)

    cdef int call_words(
        self, int32_t number, const Py_buffer *given, int what, kind
    ) except -1:
        """Queue callbacks for words, whose indices are in a buffer."""
        cdef size_t i, count = given.len // given.itemsize
        cdef uint64_t end = self.held.len // 4
        cdef uint64_t index
        cdef Py_buffer many
        cdef uint8_t one
        cdef int got
        cdef const uint8_t *kinds = &one
        cdef bint right, of_each = not (kind is None or type(kind) is str)
        if not of_each:
            one = self.number_of(kind)
        elif not self.held.itemsize:
            self.number_of(kind)         # raises
        else:
            got = numbers(kind, PyBUF_SIMPLE, &many)
            if got != UINT8:
                if got != OTHER:
                    PyBuffer_Release(&many)
                raise TypeError("kind: expected a name, or an array of uint8")
            kinds = <const uint8_t *>many.buf
        try:
            if of_each and <size_t>many.len != count:
                found = f"kind has {many.len} numbers"
                raise InputError("RcuQueue", found, f"{count}, one a value")
            right = call_rcu_words(
                &self.r, number, given.buf, what == INT64, count, kinds, of_each, end
            )
            if right:
                return 0
            for i in range(count):
                if of_each and kinds[i] >= RCU_KINDS:
                    expected = f"0 to {RCU_KINDS - 1}"
                    raise InputError("RcuQueue", f"kind is {kinds[i]}", expected)
                if what == UINT32:
                    index = (<const uint32_t *>given.buf)[i]
                else:
                    index = (<const uint64_t *>given.buf)[i]
                if index >= end:
                    self.refuse(<int64_t>index)
        finally:
            if of_each:
                PyBuffer_Release(&many)
        return 0

    # --- grace periods ---

    cdef void look(self, rcu_data *d) noexcept nogil:
        """See which grace periods are over, then number what has no number."""
        rcu_advance(&self.r, d)
        rcu_accelerate(&self.r, d)

    cdef void begin(self) noexcept nogil:
        cdef int32_t i
        for i in range(self.ncpus):
            self.look(&self.r.data[i])
        rcu_gp_init(&self.r, self.ncpus)

    cdef bint report(self, int32_t first, int32_t end) noexcept nogil:
        """Let CPUs pass a quiescent state; tell whether a grace period is over by it.
        """
        cdef bint over = False
        cdef int32_t i
        for i in range(first, end):
            self.look(&self.r.data[i])
            over |= rcu_report_qs(&self.r, &self.r.data[i])
        if over:
            rcu_gp_cleanup(&self.r)
        return over

    def start(self):
        """Begin a grace period; return its number.

        It is over when every CPU has been in a quiescent state. What is queued from now
        on waits for the next. Raises: LifecycleError, if one runs.
        """
        if self.r.gpnum != self.r.completed:
            raise LifecycleError(f"grace period {self.r.gpnum} has not ended")
        self.begin()
        return self.r.gpnum

    def quiescent(self, cpu=None):
        """Say that a CPU, or every CPU, holds nothing at this moment.

        Returns: whether that ended a grace period.
        """
        cdef int32_t first, end
        self.span(cpu, &first, &end)
        return self.report(first, end)

    def advance(self, cpu=None):
        """Let a CPU, or every CPU, see what is over; return how many are due there.

        The CPU numbers its new callbacks, too. Whatever is done with a CPU but queueing
        begins with that.
        """
        cdef int32_t i, first, end
        cdef int64_t due = 0
        self.span(cpu, &first, &end)
        for i in range(first, end):
            self.look(&self.r.data[i])
            due += self.r.data[i].done - self.r.data[i].head
        return due

    def grace_period(self):
        """End the grace period that runs, if one does, and go through a whole one.

        All that is queued is due then. Returns: its number.
        """
        self.report(0, self.ncpus)
        self.begin()
        self.report(0, self.ncpus)
        self.advance()
        return self.r.gpnum

    # --- invoking ---

    cdef int enter(self) except -1:
        if self.invoking:
            raise LifecycleError("a callback is being invoked")
        self.invoking = True
        return 0

    cdef int64_t due(self, rcu_data *d, int64_t batches) noexcept nogil:
        """Return how many callbacks so many batches are, if nothing is queued between.
        """
        cdef int64_t due = d.done - d.head, batch = rcu_batch(d)
        return due if not batch or batches > due // batch else batches * batch

    cdef void take(self, rcu_data *d, int64_t *to, int64_t count) noexcept nogil:
        """Invoke callbacks that are values; what is many batches is one copy.

        After the first batch without a limit nothing is due, and a limit that any of
        the batches would bring back the last one does.
        """
        if count:
            rcu_take_many(&self.r, d, <rcu_head *>to, count)
            rcu_batch_end(&self.r, d)

    cdef void write(self, rcu_data *d, int64_t count) noexcept nogil:
        """Invoke callbacks for words, as take() does those that are values."""
        if count:
            rcu_write_many(
                &self.r, d, <uint32_t *>self.held.buf, self.held.len // 4, count
            )
            rcu_batch_end(&self.r, d)

    cdef int64_t run(self, rcu_data *d) except -1:
        """Invoke a batch of callbacks that are objects; return how many they were."""
        cdef int64_t _i, at, ran = 0
        cdef bint calls_values = self.calls_values
        cdef list objects
        callback = self.callback
        try:
            for _i in range(rcu_batch(d)):
                at = d.head & (d.capacity - 1)
                # A callback that queues may have moved them.
                objects = <list>self.objects[d - self.r.data]
                if rcu_take(&self.r, d).kind == RCU_WAITER:
                    self.waiters -= 1
                    self.waited += 1
                    continue
                value = objects[at]
                objects[at] = None
                if calls_values:
                    value()
                else:
                    callback(value)
                ran += 1
        finally:
            rcu_batch_end(&self.r, d)
        return ran

    def invoke(self, cpu=None, batches=1):
        """Invoke what is due on a CPU, or on every CPU in turn (rcu_do_batch()).

        batches: at most so many on each CPU; None is all that are due.
        Returns: the values as an array of int64; their number, if they are objects or
        name words.
        """
        cdef int32_t i, first, end
        cdef int64_t left, most, count = 0
        cdef int64_t *to
        cdef rcu_data *d
        cdef Py_buffer made
        if batches is not None:
            batches = PyNumber_Index(batches)
            if batches < 1:
                expected = "1 or more, or None"
                raise InputError("RcuQueue", f"batches is {batches}", expected)
        most = FOREVER if batches is None else min(batches, FOREVER)
        self.span(cpu, &first, &end)
        self.enter()
        try:
            if self.callback is not None:
                for i in range(first, end):
                    d = &self.r.data[i]
                    self.look(d)
                    left = most
                    while left and d.done > d.head:
                        count += self.run(d)
                        left -= 1
                return count
            if self.held.itemsize:
                for i in range(first, end):
                    d = &self.r.data[i]
                    self.look(d)
                    left = self.due(d, most)
                    self.write(d, left)
                    count += left
                return count
            for i in range(first, end):
                self.look(&self.r.data[i])
                count += self.due(&self.r.data[i], most)
            if not count:
                return self.nothing
            values = self.empty(count, "q")
            PyObject_GetBuffer(values, &made, PyBUF_WRITABLE)
            to = <int64_t *>made.buf
            for i in range(first, end):
                d = &self.r.data[i]
                # No more than there is room for, should making room have let in others.
                left = min(self.due(d, most), count)
                self.take(d, to, left)
                to += left
                count -= left
            PyBuffer_Release(&made)
            return values
        finally:
            self.invoking = False

    # --- waiting ---

    cdef int64_t pass_time(self, int64_t *to) except -1:
        """Go on until each CPU is past its waiter; return how many were run that are
        objects or name words.
        """
        cdef int32_t i
        cdef int64_t ran = 0, count
        cdef bint past, left = True
        cdef rcu_data *d
        while True:
            left = False
            for i in range(self.ncpus):
                d = &self.r.data[i]
                if d.head < self.until[i]:
                    self.look(d)
                while d.done > d.head and d.head < self.until[i]:
                    if self.callback is not None:
                        ran += self.run(d)
                        continue
                    # The waiter is the last of all.
                    count = d.done - d.head
                    self.waiters -= d.done == self.until[i]
                    self.waited += d.done == self.until[i]
                    if to != NULL:
                        self.take(d, to, count)
                        to += count - (d.done == self.until[i])
                        continue
                    past = d.done == self.until[i]
                    self.write(d, count - past)
                    ran += count - past
                    if past:
                        rcu_take(&self.r, d)
                        rcu_batch_end(&self.r, d)
                left |= d.head < self.until[i]
            if not left:
                return ran
            if self.r.gpnum == self.r.completed:
                self.begin()
            self.report(0, self.ncpus)

    cdef object wait(self, int32_t first, int32_t end, bint barrier):
        """Queue waiters and let time pass until they were invoked."""
        cdef int32_t i
        cdef int64_t ran
        cdef int64_t *to = NULL
        cdef rcu_data *d
        cdef Py_buffer made
        values = None
        self.enter()
        try:
            if self.callback is None and not self.held.itemsize:
                values = self.empty(self.queued(first, end) + 1, "q")
                while values.size != self.queued(first, end) + 1:
                    values = self.empty(self.queued(first, end) + 1, "q")
                PyObject_GetBuffer(values, &made, PyBUF_WRITABLE)
                to = <int64_t *>made.buf
            i = first
            while i < end:
                d = &self.r.data[i]
                if self.callback is None:
                    rcu_reserve(d, False, rcu_qlen(d) + 1)
                elif rcu_qlen(d) == d.capacity:
                    self.reserve(i, 1)
                    # Garbage that was collected for it may have queued on any.
                    i = first
                    continue
                i += 1
            for i in range(first, end):
                d = &self.r.data[i]
                if barrier and not rcu_qlen(d):
                    continue
                if barrier and self.entrains:
                    rcu_entrain(&self.r, i, RCU_WAITER)
                else:
                    call_rcu(&self.r, i, RCU_WAITER, 0)
                self.waiters += 1
                self.until[i] = d.tail
            ran = self.pass_time(to)
        finally:
            self.invoking = False
            memset(self.until, 0, self.ncpus * sizeof(int64_t))
            if to != NULL:
                PyBuffer_Release(&made)
        return ran if values is None else values[:-1]

    cdef int64_t queued(self, int32_t first, int32_t end) noexcept nogil:
        cdef int32_t i
        cdef int64_t queued = 0
        for i in range(first, end):
            queued += rcu_qlen(&self.r.data[i])
        return queued

    def synchronize(self, Py_ssize_t cpu=0):
        """Wait on a CPU for a grace period that begins now (synchronize_rcu()).

        The CPU waits as its callbacks do, behind them. Alone it need not wait.
        Returns: what was invoked on it meanwhile, as invoke() does.
        """
        cdef int32_t number = self.on(cpu)
        if self.ncpus == 1:     # rcu_blocking_is_gp()
            self.enter()
            self.invoking = False
            return self.nothing
        return self.wait(number, number + 1, False)

    @cython.binding(False)
    def barrier(self):
        """Wait until all that is queued, on any CPU, was invoked (rcu_barrier()).

        A CPU without callbacks is passed over, and with none at all nothing happens.
        Returns: what was invoked meanwhile, as invoke() does.
        """
        if not self.r.callbacks and not self.invoking:
            return self.nothing
        return self.wait(0, self.ncpus, True)

    # --- looking ---

    @property
    def cpus(self):
        """How many CPUs there are."""
        return self.ncpus

    @property
    def words(self):
        """The array of words, which is held as long as the queue; None for none."""
        return self.array

    @property
    def pending(self):
        """How many values are queued."""
        return self.r.callbacks - self.waiters

    @property
    def invoked(self):
        """How many values were invoked."""
        return self.r.invoked - self.waited

    @property
    def longest(self):
        """How many callbacks stood on one CPU at most, what barrier() queued included.
        """
        return self.r.longest

    @property
    def gpnum(self):
        """The number of the grace period begun last, 0 for none."""
        return self.r.gpnum

    @property
    def completed(self):
        """The number of the grace period that ended last, 0 for none."""
        return self.r.completed

    @property
    def requested(self):
        """The number of the last grace period that a callback waits for or waited."""
        return self.r.requested

    def segments(self, Py_ssize_t cpu=0):
        """Return how many callbacks of a CPU are due, wait for a grace period, wait for
        the one behind it, and have no number yet: done, wait, next ready, next.
        """
        cdef const rcu_data *d = &self.r.data[self.on(cpu)]
        return d.done - d.head, d.wait - d.done, d.ready - d.wait, d.tail - d.ready

    def __len__(self):
        return self.r.callbacks - self.waiters

    def __repr__(self):
        cpus = "1 CPU" if self.ncpus == 1 else f"{self.ncpus} CPUs"
        period = ""
        if self.r.gpnum != self.r.completed:
            period = f", in grace period {self.r.gpnum}"
        return f"<RcuQueue: {len(self)} pending on {cpus}{period}>"

    def __reduce__(self):
        """Refuse: what is queued would be invoked twice."""
        raise TypeError(
            f"{self!r} is neither copied nor pickled; values(cpu) has what is queued"
        )

    def values(self, Py_ssize_t cpu=0):
        """Return what is queued on a CPU, in its order: an array, of objects a list.

        Who waits in barrier() or synchronize(), and was not let through, is none.
        """
        cdef int32_t number = self.on(cpu)
        cdef rcu_data *d = &self.r.data[number]
        cdef int64_t i, count
        cdef rcu_head head
        cdef Py_buffer made
        if self.callback is not None:
            kept = []
            # Behind that: making a list may let others in.
            objects = <list>self.objects[number]
            for i in range(d.head, d.tail):
                if d.ring[i & (d.capacity - 1)].kind == RCU_OBJECT:
                    kept.append(objects[i & (d.capacity - 1)])
            return kept
        values = self.empty(rcu_qlen(d), "q")
        while values.size != rcu_qlen(d):   # making room may have let others in
            values = self.empty(rcu_qlen(d), "q")
        PyObject_GetBuffer(values, &made, PyBUF_WRITABLE)
        if self.held.itemsize:
            for i in range(rcu_qlen(d)):
                head = d.ring[(d.head + i) & (d.capacity - 1)]
                (<int64_t *>made.buf)[i] = head.arg
        else:
            rcu_copy(d, d.head, <rcu_head *>made.buf, rcu_qlen(d))
        PyBuffer_Release(&made)
        return values

    def validate(self):
        """Check that segments, numbers and counts agree.

        Raises: CorruptionError.
        """
        cdef int64_t where = -1, which = -1
        cdef int32_t i
        cdef const char *text = rcu_broken(&self.r, self.ncpus, &where, &which)
        if text != NULL:
            broken = (<bytes>text).decode().format(where=where, which=which)
            raise CorruptionError(broken)
        for i in range(self.ncpus if self.callback is not None else 0):
            where = len(<list>self.objects[i])
            if where != self.r.data[i].capacity:
                raise CorruptionError(
                    f"CPU {i}: {where} objects have room, {self.r.data[i].capacity} "
                    f"callbacks"
                )

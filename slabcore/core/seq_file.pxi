import os

cimport cython
from libc.errno cimport EINVAL, EIO
from libc.stdint cimport int64_t, uint32_t

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport NIL, arena_resize
from slabcore.list cimport list_cursor_close, list_cursor_open
from slabcore.seq_file cimport (
    ERA_A,
    ERA_B,
    ERA_C,
    ERA_D,
    SEQ_END,
    SEQ_LARGEST,
    SEQ_SECTION,
    SEQ_SKIP,
    seq_file,
    seq_forget,
    seq_lseek_begin,
    seq_open,
    seq_operations,
    seq_read_begin,
    seq_release,
    seq_result,
    seq_section,
    seq_write,
)
from slabcore.side_list cimport side_handle, side_settle

from slabcore.errors import InputError, LifecycleError
from slabcore.sources import source_of


cdef int64_t list_reader_start(seq_file *m, int64_t *pos) noexcept nogil:
    """Resume where the reader stayed, or walk from the head."""
    cdef list_reader *r = <list_reader *>m.private
    cdef int64_t to_go = pos[0]
    cdef uint32_t i
    if r.open and r.index == pos[0] and pos[0] > 0:
        i = r.here.entry
        m.visits += i != NIL
    else:
        side_settle(r.entries)
        i = r.entries.head.first
        m.visits += i != NIL
        while i != NIL and to_go > 0:
            i = r.entries.links[i].next
            m.visits += i != NIL
            to_go -= 1
    if not r.open:
        list_cursor_open(&r.entries.head, &r.here, i)
        r.open = True
    r.here.entry = i
    r.here.moved = False
    return SEQ_END if i == NIL else i


cdef int64_t list_reader_next(
    seq_file *m, int64_t entry, int64_t *pos
) noexcept nogil:
    """Step; what show() took out of the list has been stepped over already."""
    cdef list_reader *r = <list_reader *>m.private
    if not r.here.moved:
        r.here.entry = r.entries.links[r.here.entry].next
    r.here.moved = False
    pos[0] += 1
    return SEQ_END if r.here.entry == NIL else r.here.entry


cdef void list_reader_stop(seq_file *m, int64_t entry) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    r.index = m.index
    if not r.keeps:
        list_cursor_close(&r.entries.head, &r.here)
        r.open = False


cdef int list_reader_show(seq_file *m, int64_t entry) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    with gil:
        return (<SeqFile>r.file).show(side_handle(r.entries, <uint32_t>entry))


cdef int64_t source_start(seq_file *m, int64_t *pos) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    with gil:
        return (<SeqFile>r.file).start(pos[0])


cdef int64_t source_next(
    seq_file *m, int64_t entry, int64_t *pos
) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    with gil:
        return (<SeqFile>r.file).next(pos)


cdef void source_stop(seq_file *m, int64_t entry) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    with gil:
        (<SeqFile>r.file).stop()


cdef int source_show(seq_file *m, int64_t entry) noexcept nogil:
    cdef list_reader *r = <list_reader *>m.private
    with gil:
        return (<SeqFile>r.file).show((<SeqFile>r.file).entry)


_ERAS = {"A": ERA_A, "B": ERA_B, "C": ERA_C, "D": ERA_D}


@cython.final
@cython.no_gc_clear     # its cursor is one of the list's until it is deallocated
cdef class SeqFile:
    """SeqFile(source, *, era='D', cursor=False, show=None, page=4096)\n--\n
    An open file that shows the entries of a source, a page at a time, as fs/seq_file.c.

    It is read while the source changes. Between two pages it keeps its place by number,
    as the kernel does: what is added or removed before that place makes a row come
    twice, or not at all. With a cursor it keeps the place itself.

    source: a list, or what else has a length and items; a dict or a set, whose keys are
    shown in ascending order; an IntrusiveList or a FieldList, whose entries are its
    handles; each with *show*. Or an object with
    ``start(pos)``, which returns the entry at a position, None at the end;
    ``next(entry, pos)``, which returns the entry behind it and that one's position;
    ``stop(entry)``, which ends what start began, after each call of it;
    ``show(m, entry)``, which prints with ``m.write`` and may return 1 (SEQ_SKIP) to
    have that forgotten; what did not fit a page is shown anew on the next. An OSError
    is the kernel's -errno; any other error ends the call, and the file stays where it
    was.
    A slabcore.KernelFile over a file is an io.RawIOBase, which this is not:
    ``KernelFile(SeqFile(source), name)`` reads as what open() returns.
    era: "A" reads as kernels up to 4.18, "B" as 4.19 to 5.2, "C" as 5.3 to 5.9, "D" as
    all since.
    cursor: keep the place and not its number. What is in the source from the first read
    to the end of the file is shown exactly once, and the end is final. What is moved in
    an IntrusiveList is taken out and put in: it may come twice, or not at all. A list
    has only numbers, and none is kept. Where the place is kept a source of one's own
    has its ``find(entry)`` called in start's stead, which returns the entry to go on
    with: that one, or the one that follows now if it is gone. Or it says with
    ``removed`` what it loses, and has its ``resume(pos)`` called, to lock what stop
    unlocks and no more. If it has neither start is called for that, and the entry that
    it returns makes no difference. At the end, where there is nothing to find, that is
    so with a find, too.
    show: called as ``show(m, entry)`` in the source's stead.
    page: bytes of the buffer, of which one stays free; a record that does not fit alone
    doubles it.

    >>> from slabcore import SeqFile
    >>> def rows(cursor):
    ...     stock = dict.fromkeys(range(100), "in stock")
    ...     def show(m, item):
    ...         m.write(f"{item} {stock[item]}\\n")
    ...     file = SeqFile(stock, cursor=cursor, show=show, page=512)
    ...     text = file.read(4096)
    ...     del stock[0]
    ...     return len((text + b"".join(file.pages())).splitlines())
    >>> rows(cursor=False), rows(cursor=True)
    (99, 100)
    >>> from slabcore import IntrusiveList
    >>> def rows(cursor):
    ...     caches = IntrusiveList(range(100))
    ...     def show(m, cache):
    ...         m.write(f"{caches.value(cache):<99}\\n")
    ...     file = SeqFile(caches, cursor=cursor, show=show)
    ...     first = file.read(65536)
    ...     caches.remove(caches.first)
    ...     return len(first + file.read(65536) + file.read(65536)) // 100
    >>> rows(cursor=False), rows(cursor=True)
    (99, 100)
    """

    def __cinit__(self, *args, **keywords):
        self.closed = True

    def __init__(
        self, source, *, era: str = "D", cursor: bool = False, show=None, page=4096
    ):
        cdef Py_ssize_t first = page
        cdef seq_operations *op = &self.op
        if self.m.op != NULL:
            raise LifecycleError("the file is open; it is made once")
        if era not in _ERAS:
            raise InputError("SeqFile", f"era is {era!r}", "A, B, C or D")
        if cursor and era != "D":
            what = f"era is {era!r} and there is a cursor"
            raise InputError("SeqFile", what, "D, which a reader with a cursor follows")
        if not isinstance(source, IntrusiveList):
            hooked = source_of(source, show, cursor, isinstance(source, FieldList))
            if hooked is not source:
                source, show = hooked, None
        elif show is None:
            expected = "show=, called with the file and a handle"
            raise InputError("SeqFile", "IntrusiveList has no show()", expected)
        hooks = [] if isinstance(source, IntrusiveList) else ["start", "next", "stop"]
        for hook in [*hooks, *(["show"] if show is None else [])]:
            if not callable(getattr(source, hook, None)):
                raise InputError(
                    "SeqFile", f"{type(source).__name__} has no {hook}()",
                    "a source with start, next and stop, and show or show=",
                )
        if show is not None and not callable(show):
            raise InputError("SeqFile", f"show is {show!r}", "a callable")
        if not 2 <= first <= SEQ_LARGEST:
            expected = f"2 to {SEQ_LARGEST} bytes"
            raise InputError("SeqFile", f"page is {first}", expected)
        self.source = source
        if isinstance(source, IntrusiveList):
            self.entries = source
            self.reader.entries = &self.entries.entries
            op.start = list_reader_start
            op.next = list_reader_next
            op.stop = list_reader_stop
            op.show = list_reader_show
        else:
            op.start = source_start
            op.next = source_next
            op.stop = source_stop
            op.show = source_show
        self.shows = source.show if show is None else show
        self.finds = getattr(source, "find", None)
        self.resumes = getattr(source, "resume", None)
        self.reader.keeps = cursor
        self.reader.index = -1
        self.reader.file = <void *>self
        seq_open(&self.m, _ERAS[era], op, &self.reader)
        self.m.page = first
        self.closed = False

    def __dealloc__(self):
        if self.reader.open:
            list_cursor_close(&self.reader.entries.head, &self.reader.here)
        seq_release(&self.m)
        PyMem_RawFree(self.room)

    # --- the source ---

    cdef object start(self, int64_t pos):
        cdef bint kept = self.reader.keeps and self.reader.index == pos and pos > 0
        try:
            if kept and self.entry is not None and self.finds is not None:
                self.entry = self.finds(self.entry)
            elif kept and self.resumes is not None:
                self.resumes(pos)
                self.m.visits += self.entry is not None
            else:
                entry = self.source.start(pos)
                if not kept:
                    self.entry = entry
        except BaseException as error:
            return self.lose(error)
        self.moved = False
        return SEQ_END if self.entry is None else 0

    cdef object next(self, int64_t *pos):
        try:
            if self.moved:
                pos[0] += 1
            else:
                answer = self.source.next(self.entry, pos[0])
                try:
                    self.entry, following = answer
                except (TypeError, ValueError):
                    raise TypeError(
                        f"next returned {answer!r}: expected an entry and its position"
                    ) from None
                pos[0] = following
        except BaseException as error:
            pos[0] += 1
            return self.lose(error)
        self.moved = False
        return SEQ_END if self.entry is None else 0

    cdef object stop(self):
        self.reader.index = -1 if self.lost else self.m.index
        self.lost = False
        try:
            self.source.stop(self.entry)
        except BaseException as error:
            if self.failure is None:
                self.failure = error

    cdef object show(self, entry):
        try:
            answer = self.shows(self, entry)
            if answer is None:
                return 0
            if answer in (0, SEQ_SKIP):
                return SEQ_SKIP if answer else 0
            raise InputError("SeqFile", f"show returned {answer!r}", "None, 0 or 1")
        except BaseException as error:
            return self.fail(error)

    cdef object lose(self, error):
        self.entry = None
        self.moved = False
        self.lost = True
        return self.fail(error)

    cdef object fail(self, error):
        """Return an OSError's -errno; keep any other error until the section ends."""
        if isinstance(error, OSError):
            number = error.errno    # whatever it was made with
            if isinstance(number, int) and 0 < number < 4096:
                self.answer = error
                return -number
        self.failure = error
        return -EIO

    # --- a call ---

    cdef int begin(self) except -1:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if self.under_way:
            raise LifecycleError("the file is being read")
        self.under_way = True
        return 0

    cdef int want(self, size_t size) except -1:
        """Make room for all that the next step can deliver."""
        cdef size_t most = self.m.copied + max(self.m.size, self.m.page)
        most = min(most, size)
        if most > self.capacity:
            self.room = <char *>arena_resize(self.room, most)
            self.capacity = most
        self.m.user = self.room
        return 0

    cdef object finish(self, int step, size_t size):
        """Take a call's sections; return its result."""
        cdef int64_t result
        try:
            while step == SEQ_SECTION:
                self.want(size)
                step = seq_section(&self.m)
                if self.failure is not None:
                    raise self.failure
        except BaseException:
            self.failure = self.answer = None
            self.reader.index = -1
            seq_forget(&self.m)
            if self.m.seeks_only:
                self.position = 0
            raise
        result = seq_result(&self.m)
        answer, self.answer = self.answer, None
        if result >= 0:
            return result
        if answer is not None and answer.errno == -result:
            raise answer
        raise OSError(-result, os.strerror(-result))

    cdef bytes deliver(self, int64_t *ppos, Py_ssize_t size):
        self.begin()
        try:
            if size < 0:
                self.m.fault = -1
                raise OSError(EINVAL, os.strerror(EINVAL))
            self.m.copied = 0
            self.want(size)
            step = seq_read_begin(&self.m, ppos, self.room, size)
            delivered = self.finish(step, size)
            return PyBytes_FromStringAndSize(self.room, delivered)
        finally:
            self.under_way = False

    def read(self, Py_ssize_t n):
        """Return up to *n* bytes and move on by as many, as read(2) does.

        However large *n* is, it is what was left over and one buffer more, at most.
        """
        return self.deliver(&self.position, n)

    def pages(self):
        """Yield page after page from here to the end, each of whole records.

        The first is what was left over of a record, if a read before left any.
        """
        while page := self.deliver(&self.position, SEQ_LARGEST):
            yield page

    def pread(self, Py_ssize_t n, Py_ssize_t offset):
        """Return up to *n* bytes at *offset*, as pread(2) does."""
        cdef int64_t at = offset
        return self.deliver(&at, n)

    def lseek(self, Py_ssize_t offset, Py_ssize_t whence=0):
        """Move to *offset*, or by it if *whence* is 1; return the position."""
        self.begin()
        try:
            step = seq_lseek_begin(
                &self.m, &self.position, offset, whence if 0 <= whence <= 1 else -1
            )
            return self.finish(step, 0)
        finally:
            self.under_way = False

    def write(self, data):
        """Print bytes, or text as UTF-8, into the record that is being shown."""
        cdef bytes raw
        if not self.under_way:
            raise LifecycleError("no record is being shown")
        if not isinstance(data, str | bytes):
            raise TypeError(f"{type(data).__name__}: expected text, or bytes")
        raw = data.encode() if isinstance(data, str) else data
        seq_write(&self.m, <const char *>raw, len(raw))

    def tell(self):
        """Return the position of the next read."""
        return self.position

    def close(self):
        """Give up the buffer and the place in the list."""
        if self.under_way:
            raise LifecycleError("the file is being read")
        if self.reader.open:
            list_cursor_close(&self.reader.entries.head, &self.reader.here)
            self.reader.open = False
        seq_release(&self.m)
        self.closed = True

    def __repr__(self):
        where = "closed" if self.closed else f"at byte {self.position}"
        return f"<SeqFile: {where}>"

    def __reduce__(self):
        """Refuse: what is shown next is kept in its buffer and by its source."""
        raise TypeError(
            f"{self!r} is neither copied nor pickled; SeqFile(source) opens another"
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # --- looking inside, and letting things fail ---

    @property
    def state(self):
        """The fields of struct seq_file; *from* means something while *count* does."""
        return {
            "index": self.m.index,
            "count": self.m.count,
            "from": self.m.from_,
            "read_pos": self.m.read_pos,
            "size": self.m.size,
        }

    @property
    def calls(self):
        """How often each hook was called, and what was paid for it."""
        return {
            "start": self.m.starts,
            "next": self.m.nexts,
            "show": self.m.shows,
            "stop": self.m.stops,
            "visits": self.m.visits,
            "allocs": self.m.allocs,
        }

    @property
    def visits(self):
        """Nodes that start looked at; a source of one's own adds them itself."""
        return self.m.visits

    @visits.setter
    def visits(self, Py_ssize_t count):
        self.m.visits = count

    def removed(self, entry, following):
        """Say that a source of one's own lost an entry, and which one follows it.

        Between two reads that is for a file with a cursor. In show it is for any file:
        what is shown next is the following one, and next is not asked for it.
        """
        if self.entry is not None and self.entry == entry:
            self.entry = following
            self.moved = True

    def inject(self, fault=None, alloc=None):
        """Let things fail.

        fault: only so many bytes of user memory can be written, by the next call; a
        call under way, whose hook may say this, has its own.
        alloc: which of the coming allocations of the buffer fails; 1 is the next.
        """
        cdef Py_ssize_t writable = 0 if fault is None else fault
        cdef Py_ssize_t which = 1 if alloc is None else alloc
        if writable < 0:
            raise InputError("inject", f"fault is {writable}", "0 bytes or more")
        if which < 1:
            raise InputError("inject", f"alloc is {which}", "1, the next one, or more")
        self.m.fault = -1 if fault is None else writable
        if alloc is not None:
            self.m.alloc_fails = which

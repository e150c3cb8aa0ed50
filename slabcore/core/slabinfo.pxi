cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy, memset

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_Check
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF
from cpython.unicode cimport PyUnicode_Check

from slabcore.arena cimport arena_init, arena_reserve, arena_resize
from slabcore.cache_scan cimport NUMBERS, STATISTICS, scan_row
from slabcore.cache_show cimport (
    HEADER_ROOM,
    NAME_WIDTH,
    ROW_ROOM,
    prefetch,
    put_name,
    rows_path,
    slab_stats,
    slabinfo,
    slabinfo_add,
    slabinfo_header,
    slabinfo_row,
)
from slabcore.cache_text cimport (
    BLOCK,
    NAMES_ROOM,
    cache_text,
    text_changed,
    text_free,
    text_left,
    text_open,
    text_read,
    text_rewind,
)

from slabcore.errors import InputError


cdef extern from "Python.h":
    bint is_ascii "PyUnicode_IS_COMPACT_ASCII"(PyObject *) noexcept nogil
    const char *ascii_at "PyUnicode_DATA"(PyObject *) noexcept nogil
    Py_ssize_t ascii_length "PyUnicode_GET_LENGTH"(PyObject *) noexcept nogil
    PyObject *new_name "PyUnicode_DecodeUTF8"(
        const char *, Py_ssize_t, const char *
    ) except NULL
    PyObject *new_bytes "PyBytes_FromStringAndSize"(
        const char *, Py_ssize_t
    ) except NULL
    char *bytes_at "PyBytes_AS_STRING"(PyObject *) noexcept nogil
    Py_ssize_t bytes_length "PyBytes_GET_SIZE"(PyObject *) noexcept nogil
    int resize_bytes "_PyBytes_Resize"(PyObject **, Py_ssize_t) except -1
    PyObject *new_tuple "PyTuple_New"(Py_ssize_t) except NULL
    PyObject *item_at "PyTuple_GET_ITEM"(PyObject *, Py_ssize_t) noexcept nogil
    void set_item "PyTuple_SET_ITEM"(
        PyObject *, Py_ssize_t, PyObject *
    ) noexcept nogil
    int resize_tuple "_PyTuple_Resize"(PyObject **, Py_ssize_t) except -1


cdef enum:
    EXPECTED = 128          # bytes that a row is expected to take

ROW_PATHS = ("portable", "avx512")[: rows_path() + 1]


cdef int path_named(path) except -1:
    """Return a path of ROWS by its name; None is the quickest."""
    if path is None:
        return rows_path()
    if path not in ROW_PATHS:
        raise InputError("slabinfo", f"path is {path!r}", " or ".join(ROW_PATHS))
    return ROW_PATHS.index(path)


cdef const char *text_of(object name, list held, Py_ssize_t *length) except NULL:
    """Return a name's bytes, which stay while the name and held[0] do."""
    cdef const char *text
    if PyUnicode_Check(name) and is_ascii(<PyObject *>name):
        length[0] = ascii_length(<PyObject *>name)
        text = ascii_at(<PyObject *>name)
    else:
        if PyUnicode_Check(name):
            # str's own, not a subclass's: asked twice it must say the same.
            name = held[0] = str.encode(name, errors="surrogateescape")
        if not PyBytes_Check(name):
            raise TypeError(f"a name is str or bytes, not {type(name).__name__}")
        length[0] = bytes_length(<PyObject *>name)
        text = bytes_at(<PyObject *>name)
    if memchr(text, c"\n", length[0]) != NULL:
        raise InputError("row", f"the name is {text[:length[0]]!r}", "one line")
    return text


cdef int numbers_checked(Py_ssize_t row, const uint64_t *numbers) except -1:
    """Refuse what the kernel's types do not hold."""
    cdef int j
    cdef uint64_t most
    if (
        numbers[2] | numbers[3] | numbers[5] | numbers[6] | numbers[7]
    ) >> 32 == 0 and numbers[4] >> 31 == 0:
        return 0
    for j in range(2, 8):
        most = 0x7FFFFFFF if j == 4 else 0xFFFFFFFF     # pagesperslab is an int
        if numbers[j] > most:
            what = f"column {j} is {numbers[j]}"
            raise InputError(f"row {row}", what, f"0 to {most}")
    return 0


cdef int shapes_checked(
    Py_ssize_t rows, const uint64_t[:, ::1] table, const uint64_t[:, ::1] stats
) except -1:
    if table.shape[0] != rows or table.shape[1] != NUMBERS:
        raise ValueError(f"the table is not {rows} rows of {NUMBERS} columns")
    if stats is not None and (stats.shape[0] != rows or stats.shape[1] != STATISTICS):
        raise ValueError(f"the statistics are not {rows} rows of {STATISTICS} columns")
    return 0


def format_slabinfo(
    names,
    const uint64_t[:, ::1] table,
    const uint64_t[:, ::1] stats=None,
    const uint64_t[:, ::1] children=None,
    const int64_t[::1] families=None,
    *,
    header: bool = True,
    statistics: bool = False,
    path: str | None = None,
) -> bytes:
    """Return rows of /proc/slabinfo, after a header if one is wanted.

    names: str or bytes, one a row. table: the eleven columns in the order of the text.
    stats: thirteen more of a kernel with statistics, those of a row that has none are
    0. children: rows of active_objs, num_objs, active_slabs, num_slabs, sharedavail,
    and families says how many of them are added to each row. path: one of ROW_PATHS,
    which print the same; None is the quickest.
    """
    cdef tuple listed = tuple(names)
    cdef list held = [None]
    cdef Py_ssize_t rows = len(listed), i, j, child = 0, length
    cdef size_t room = HEADER_ROOM + ROW_ROOM + <size_t>rows * EXPECTED, used = 0
    cdef int how = path_named(path)
    cdef slabinfo s, c
    cdef const slabinfo *shown
    cdef slab_stats n
    cdef const slab_stats *extra = NULL
    cdef const char *name
    cdef PyObject *out
    shapes_checked(rows, table, stats)
    if (children is None) != (families is None):
        raise ValueError("children come with the number of each row's")
    if families is not None:
        if families.shape[0] != rows or children.shape[1] != 5:
            raise ValueError(f"{rows} families are rows of 5 columns")
        for i in range(rows):
            if not 0 <= families[i] <= children.shape[0] - child:
                raise ValueError("the families are not as many rows as the children")
            child += families[i]
        if child != children.shape[0]:
            raise ValueError(f"{children.shape[0]} children, {child} in families")
        child = 0
    if statistics or stats is not None:
        memset(&n, 0, sizeof(slab_stats))
        extra = &n
    out = new_bytes(NULL, room)
    try:
        if header:
            used = slabinfo_header(bytes_at(out), extra != NULL)
        for i in range(rows):
            if i + 8 < rows:
                prefetch(item_at(<PyObject *>listed, i + 8))
                prefetch(&table[i + 8, 0])
                prefetch(&table[i + 8, 8])
            name = text_of(listed[i], held, &length)
            numbers_checked(i, &table[i, 0])
            if room - used < ROW_ROOM + <size_t>length:
                room += room // 4 + ROW_ROOM + length
                resize_bytes(&out, room)
            if stats is not None:
                memcpy(&n, &stats[i, 0], sizeof(slab_stats))
            shown = <const slabinfo *>&table[i, 0]
            if families is not None:
                s = shown[0]
                shown = &s
                for j in range(child, child + families[i]):
                    c.active_objs, c.num_objs = children[j, 0], children[j, 1]
                    c.active_slabs, c.num_slabs = children[j, 2], children[j, 3]
                    c.shared_avail = children[j, 4]
                    slabinfo_add(&s, &c)
                child += families[i]
            used += slabinfo_row(
                bytes_at(out) + used, name, length, shown, extra, how
            )
        resize_bytes(&out, used)
        return <object>out
    finally:
        Py_XDECREF(out)


def count_lines(const unsigned char[::1] text, Py_ssize_t begin) -> int:
    """Return how many lines begin at a place or behind it."""
    cdef Py_ssize_t lines = 0
    cdef const char *at
    cdef const char *end
    if not 0 <= begin < text.shape[0]:
        return 0
    at = <const char *>&text[0] + begin
    end = <const char *>&text[0] + text.shape[0]
    while at != NULL and at < end:
        prefetch(at + 1024)
        prefetch(at + 1088)
        at = <const char *>memchr(at, c"\n", end - at)
        lines += 1
        if at != NULL:
            at += 1
    return lines


def scan_slabinfo(
    const unsigned char[::1] text,
    Py_ssize_t begin,
    uint64_t[:, ::1] table,
    uint64_t[:, ::1] stats=None,
) -> tuple:
    """Read rows of /proc/slabinfo; return their names and where the last one ends.

    That is before the first line that is no row, or not before the end of the text.
    text: with what is above the rows, which is not read. begin: of the first row.
    table, stats: as many rows as are read at most.
    """
    cdef Py_ssize_t rows = table.shape[0], row = 0
    cdef const char *first
    cdef const char *at
    cdef const char *end
    cdef const char *line
    cdef size_t length
    cdef PyObject *names
    shapes_checked(rows, table, stats)
    if not 8 <= begin <= text.shape[0]:
        raise ValueError("there is no header above the rows")
    first = <const char *>&text[0]
    at = first + begin
    end = first + text.shape[0]
    names = new_tuple(rows)
    try:
        while row < rows and at < end:
            prefetch(at + 1024)
            prefetch(at + 1088)
            line = <const char *>memchr(at, c"\n", end - at)
            if line == NULL:
                line = end
            if not scan_row(
                at, line, &table[row, 0], NULL if stats is None else &stats[row, 0],
                &length,
            ):
                break
            set_item(names, row, new_name(at, length, b"surrogateescape"))
            at = line + 1
            row += 1
        resize_tuple(&names, row)
        return <tuple>names, at - first
    finally:
        Py_XDECREF(names)


@cython.final
cdef class SlabInfoText:
    """SlabInfoText(names, table, stats=None, *, header=True, keep=True, \
path=None, huge_pages=True)\n--\n
    The text of rows of /proc/slabinfo, read in chunks of whole rows, again and again.

    names, table, stats: as SlabInfo has them; they are copied. A row is read with the
    numbers that it has then, of the last update().
    keep: keep the text of rows that have been read. What has not changed since is only
    copied, for about as much memory again as the text takes. Without it each row is
    printed when it is read.
    path: one of ROW_PATHS, which print the same; None is the quickest of this machine.
    huge_pages: ask for them where there is much.

    >>> from slabcore.slabinfo import SlabInfoText, parse
    >>> import numpy as np
    >>> text = SlabInfoText(["dentry", "filp"], np.zeros((2, 11), np.uint64))
    >>> len(text.read(4096)), text.read(4096)
    (418, b'')
    >>> text.update([1], np.full((1, 11), 7, np.uint64))
    >>> text.rewind()
    >>> parse(text.read(4096))["num_objs"].tolist()
    [0, 7]
    """

    cdef cache_text t

    def __cinit__(
        self, names, table, stats=None, *, header=True, keep=True, path=None,
        huge_pages=True,
    ):
        cdef const uint64_t[:, ::1] rows = table
        cdef const uint64_t[:, ::1] extra = stats
        cdef tuple listed = tuple(names)
        cdef list held = [None]
        cdef Py_ssize_t count = len(listed), i, length
        cdef size_t room = NAMES_ROOM, at = 0
        cdef const char *name
        cdef cache_text *t = &self.t
        shapes_checked(count, rows, extra)
        for i in range(count):
            numbers_checked(i, &rows[i, 0])
            text_of(listed[i], held, &length)
            room += max(length, <Py_ssize_t>NAME_WIDTH)
        # Lengths of a block are 32 bits, too, and its rows' numbers come on top.
        if room + BLOCK * <size_t>ROW_ROOM > 0xFFFFFFFF:
            raise MemoryError("the names of one text have less than 4 GiB")
        t.path = path_named(path)
        t.header = header
        t.keeps = keep
        t.ends = <uint32_t *>arena_resize(NULL, (count + 1) * sizeof(uint32_t))
        t.names = <char *>arena_resize(NULL, room)
        arena_init(&t.numbers, sizeof(slabinfo))
        t.numbers.huge_pages = huge_pages
        arena_reserve(&t.numbers, count)
        t.rows = <slabinfo *>t.numbers.entries
        if count:
            memcpy(t.rows, &rows[0, 0], count * sizeof(slabinfo))
        if stats is not None:
            t.stats = <slab_stats *>arena_resize(NULL, count * sizeof(slab_stats))
            if count:
                memcpy(t.stats, &extra[0, 0], count * sizeof(slab_stats))
        t.ends[0] = 0
        for i in range(count):
            name = text_of(listed[i], held, &length)
            put_name(t.names + at, name, length)
            at += max(length, <Py_ssize_t>NAME_WIDTH)
            t.ends[i + 1] = <uint32_t>at
        memset(t.names + at, c" ", NAMES_ROOM)
        t.count = <uint32_t>count
        text_open(t)

    def __dealloc__(self):
        text_free(&self.t)

    def __len__(self):
        return self.t.count

    @cython.binding(False)
    def readinto(self, buffer):
        """Fill a buffer with whole rows; return how many bytes came, 0 at the end.

        A row that is longer than the buffer comes in pieces.
        """
        cdef Py_buffer into
        cdef Py_ssize_t length
        PyObject_GetBuffer(buffer, &into, PyBUF_WRITABLE)
        try:
            length = text_read(&self.t, <char *>into.buf, into.len)
        finally:
            PyBuffer_Release(&into)
        return length

    def read(self, Py_ssize_t size=4096):
        """Return whole rows, at most *size* bytes; nothing at the end.

        size: -1 is all that is left, in one piece.
        """
        cdef PyObject *out
        cdef size_t used = 0, room = size
        cdef Py_ssize_t length = 1
        if size < 0:
            room = text_left(&self.t)
        out = new_bytes(NULL, room)
        try:
            while length and (size < 0 or not used):
                if size < 0 and used == room:
                    room += room // 4 + HEADER_ROOM
                    resize_bytes(&out, room)
                length = text_read(&self.t, bytes_at(out) + used, room - used)
                used += length
            resize_bytes(&out, used)
            return <object>out
        finally:
            Py_XDECREF(out)

    def rewind(self):
        """Begin again with the header."""
        text_rewind(&self.t)

    def update(self, rows, table, stats=None):
        """Set the numbers of some rows, which are told by their places in the text.

        All that is given is looked at first: an error changes nothing.
        """
        import numpy
        cdef const int64_t[::1] at = numpy.ascontiguousarray(rows, numpy.int64)
        cdef const uint64_t[:, ::1] numbers = table
        cdef const uint64_t[:, ::1] extra = stats
        cdef Py_ssize_t i
        if (stats is None) != (self.t.stats == NULL):
            raise ValueError("statistics are of a text that has them")
        shapes_checked(at.shape[0], numbers, extra)
        for i in range(at.shape[0]):
            if not 0 <= at[i] < self.t.count:
                what = f"row {at[i]} of {self.t.count}"
                raise InputError("SlabInfoText", what, "a row that there is")
            numbers_checked(i, &numbers[i, 0])
        for i in range(at.shape[0]):
            memcpy(&self.t.rows[at[i]], &numbers[i, 0], sizeof(slabinfo))
            if stats is not None:
                memcpy(&self.t.stats[at[i]], &extra[i, 0], sizeof(slab_stats))
            text_changed(&self.t, <uint32_t>at[i])

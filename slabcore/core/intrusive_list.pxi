cimport cython
from libc.stdint cimport int64_t, uint32_t

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

from slabcore.arena cimport NIL
from slabcore.list cimport list_cursor, list_cursor_close, list_cursor_open
from slabcore.side_list cimport (
    side_ask_for_huge_pages,
    side_broken,
    side_clear,
    side_extend,
    side_free,
    side_handle,
    side_init,
    side_length,
    side_list,
    side_live,
    side_move,
    side_move_many,
    side_names,
    side_put,
    side_put_before,
    side_put_tail,
    side_remove,
    side_remove_many,
    side_reserve,
    side_settle,
    side_take,
    side_tell,
)

from slabcore.errors import InputError, ListCorruptionError, StaleHandleError


@cython.final
cdef class IntrusiveList:
    """IntrusiveList(values=None, *, huge_pages=True)\n--\n
    A doubly linked list of int64 values, whose entries are named by handles.

    A handle is an int, good for one entry until that is removed; what is given a
    handle of another, or of none, raises StaleHandleError. Every method takes the
    same time whatever the length, but clear, extend, to_array, handles and validate.
    Large lists ask the system for huge pages unless *huge_pages* is False.

    >>> from slabcore import IntrusiveList
    >>> caches = IntrusiveList([192, 1024])
    >>> inode_cache = caches.add(600)
    >>> caches.to_array().tolist()
    [600, 192, 1024]
    >>> caches.remove(inode_cache)
    >>> inode_cache in caches, len(caches)
    (False, 2)
    """

    def __cinit__(self, *args, **keywords):
        side_init(&self.entries)

    def __init__(self, values=None, *, huge_pages: bool = True):
        side_ask_for_huge_pages(&self.entries, huge_pages)
        if values is not None:
            self.extend(values)

    def __dealloc__(self):
        side_free(&self.entries)

    cdef int stale(self, int64_t handle) except -1:
        raise StaleHandleError(f"handle {handle}: no entry of the list")

    cdef int64_t entry(self, int64_t handle) except -1:
        """Return the index of the entry that a handle names."""
        if not side_names(&self.entries, handle):
            self.stale(handle)
        return <uint32_t>handle

    # --- adding ---

    @cython.binding(False)
    def add(self, Py_ssize_t value=0):
        """Put an entry first; return its handle."""
        cdef uint32_t index
        side_reserve(&self.entries, 1)
        index = side_take(&self.entries, value)
        side_put(&self.entries, index)
        return side_handle(&self.entries, index)

    @cython.binding(False)
    def add_tail(self, Py_ssize_t value=0):
        """Put an entry last; return its handle."""
        cdef uint32_t index
        side_reserve(&self.entries, 1)
        index = side_take(&self.entries, value)
        side_put_tail(&self.entries, index)
        return side_handle(&self.entries, index)

    @cython.binding(False)
    def insert_before(self, Py_ssize_t handle, Py_ssize_t value=0):
        """Put an entry before another; return its handle."""
        cdef uint32_t following = <uint32_t>self.entry(handle), index
        side_reserve(&self.entries, 1)
        index = side_take(&self.entries, value)
        side_put_before(&self.entries, index, following)
        return side_handle(&self.entries, index)

    @cython.binding(False)
    def insert_after(self, Py_ssize_t handle, Py_ssize_t value=0):
        """Put an entry behind another; return its handle."""
        cdef uint32_t following = self.entries.links[self.entry(handle)].next, index
        if following == NIL:
            return self.add_tail(value)
        side_reserve(&self.entries, 1)
        index = side_take(&self.entries, value)
        side_put_before(&self.entries, index, following)
        return side_handle(&self.entries, index)

    def extend(self, values):
        """Put an entry last for each value; return their handles as an array."""
        # Imported when called: a list that is made empty needs no arrays.
        import numpy
        cdef Py_buffer given, made
        cdef size_t count
        whole_numbers("IntrusiveList", "values", values, &given)
        try:
            count = given.len // sizeof(int64_t)
            handles = numpy.empty(count, dtype=numpy.int64)
            side_reserve(&self.entries, count)
            PyObject_GetBuffer(handles, &made, PyBUF_WRITABLE)
            side_extend(
                &self.entries,
                <const int64_t *>given.buf,
                <int64_t *>made.buf,
                <uint32_t>count,
            )
            PyBuffer_Release(&made)
        finally:
            PyBuffer_Release(&given)
        return handles

    # --- removing and moving ---

    @cython.binding(False)
    def remove(self, Py_ssize_t handle, /):
        """Take an entry out."""
        if not side_remove(&self.entries, handle):
            self.stale(handle)

    @cython.binding(False)
    def remove_many(self, handles, /):
        """Take entries out, as remove() would one by one.

        At a handle that is of no entry it ends with StaleHandleError: those before it
        have been taken out.
        """
        cdef Py_buffer given
        cdef size_t done
        whole_numbers("IntrusiveList", "handles", handles, &given)
        done = side_remove_many(
            &self.entries, <const int64_t *>given.buf, given.len // sizeof(int64_t)
        )
        self.many_done(&given, done)

    def clear(self):
        """Take all entries out."""
        side_clear(&self.entries)

    @cython.binding(False)
    def move(self, Py_ssize_t handle, /):
        """Make an entry the first."""
        if not side_move(&self.entries, handle, True):
            self.stale(handle)

    @cython.binding(False)
    def move_tail(self, Py_ssize_t handle, /):
        """Make an entry the last."""
        if not side_move(&self.entries, handle, False):
            self.stale(handle)

    @cython.binding(False)
    def move_many(self, handles, /):
        """Make entries the first, as move() would one by one: the last one comes first.

        It ends as remove_many() does at a handle that is of no entry.
        """
        self.move_all(handles, True)

    @cython.binding(False)
    def move_tail_many(self, handles, /):
        """Make entries the last, as move_tail() would one by one.

        It ends as remove_many() does at a handle that is of no entry.
        """
        self.move_all(handles, False)

    cdef int move_all(self, handles, bint first) except -1:
        cdef Py_buffer given
        cdef size_t done
        whole_numbers("IntrusiveList", "handles", handles, &given)
        done = side_move_many(
            &self.entries,
            <const int64_t *>given.buf,
            given.len // sizeof(int64_t),
            first,
        )
        return self.many_done(&given, done)

    cdef int many_done(self, Py_buffer *given, size_t done) except -1:
        """Give the handles back; one that was not done is of no entry."""
        cdef int64_t handle = 0
        cdef bint all = done == <size_t>given.len // sizeof(int64_t)
        if not all:
            handle = (<const int64_t *>given.buf)[done]
        PyBuffer_Release(given)
        return 0 if all else self.stale(handle)

    # --- looking ---

    def __len__(self):
        return side_length(&self.entries)

    def __contains__(self, handle):
        cdef Py_ssize_t number
        try:
            number = handle
            return side_names(&self.entries, number)
        except (OverflowError, TypeError):
            return False

    def __iter__(self):
        """Yield the handle of each entry, whatever is done to the list meanwhile.

        Entries there from the first to the last come exactly once. A move takes an
        entry out and puts it in, so that it may come twice, or not at all.
        """
        cdef list_cursor here
        side_settle(&self.entries)
        list_cursor_open(&self.entries.head, &here, self.entries.head.first)
        try:
            while here.entry != NIL:
                here.moved = False
                yield side_handle(&self.entries, here.entry)
                if not here.moved:
                    here.entry = self.entries.links[here.entry].next
        finally:
            list_cursor_close(&self.entries.head, &here)

    @property
    def first(self):
        """The handle of the first entry, None if there is none."""
        side_settle(&self.entries)
        return handle_or_none(&self.entries, self.entries.head.first)

    @property
    def last(self):
        """The handle of the last entry, None if there is none."""
        side_settle(&self.entries)
        return handle_or_none(&self.entries, self.entries.head.last)

    @cython.binding(False)
    def next(self, Py_ssize_t handle, /):
        """Return the handle of the entry behind another, None behind the last."""
        cdef uint32_t index = <uint32_t>self.entry(handle)
        side_settle(&self.entries)
        return handle_or_none(&self.entries, self.entries.links[index].next)

    @cython.binding(False)
    def prev(self, Py_ssize_t handle, /):
        """Return the handle of the entry before another, None before the first."""
        cdef uint32_t index = <uint32_t>self.entry(handle)
        side_settle(&self.entries)
        return handle_or_none(&self.entries, self.entries.links[index].prev)

    @cython.binding(False)
    def value(self, Py_ssize_t handle, /):
        """Return an entry's value."""
        return self.entries.values[self.entry(handle)]

    def to_array(self, out=None):
        """Return the values in the list's order, as an array of int64.

        out: an array of int64, as long as the list, to write them to and return.
        """
        return self.told(out, values=True)

    def handles(self, out=None):
        """Return the handles in the list's order, as an array of int64; *out* as there.
        """
        return self.told(out, values=False)

    cdef object told(self, out, bint values):
        cdef size_t length
        cdef Py_buffer made
        if out is None:
            import numpy
            out = numpy.empty(side_length(&self.entries), dtype=numpy.int64)
        if not lent(out, PyBUF_WRITABLE, &made):
            what = f"out is {type(out)}"
            raise InputError("IntrusiveList", what, "a writable array of int64")
        # Asked for only now: what lends a buffer may have changed the list.
        length = side_length(&self.entries)
        try:
            if <size_t>made.len != length * sizeof(int64_t):
                raise InputError(
                    "IntrusiveList",
                    f"out has room for {made.len // sizeof(int64_t)} entries",
                    f"{length}, the length",
                )
            side_tell(&self.entries, <int64_t *>made.buf, values)
        finally:
            PyBuffer_Release(&made)
        return out

    def validate(self):
        """Check that links, length and nodes in use agree.

        Raises: ListCorruptionError.
        """
        cdef uint32_t used
        if side_broken(&self.entries):
            raise ListCorruptionError("links and length of the list disagree")
        used = side_live(&self.entries)
        if used != self.entries.head.length:
            raise ListCorruptionError(
                f"{used} nodes are in use; expected {self.entries.head.length}, "
                "the length"
            )


cdef object handle_or_none(side_list *l, uint32_t index):
    return None if index == NIL else side_handle(l, index)

cimport cython
from libc.stdint cimport int64_t, uint32_t

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport NIL, arena_zeroed
from slabcore.field_list cimport (
    field_broken,
    field_clear,
    field_free,
    field_init,
    field_list,
    field_list_of,
    fields_forget,
    list_field,
)
from slabcore.list cimport list_link
from slabcore.side_list cimport (
    side_ask_for_huge_pages,
    side_broken,
    side_clear,
    side_extend,
    side_free,
    side_handle,
    side_init,
    side_length,
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
)

from slabcore.errors import (
    InputError,
    LifecycleError,
    ListCorruptionError,
    StaleHandleError,
)


@cython.final
@cython.no_gc               # what it knows knows no objects
cdef class IntrusiveList:
    """IntrusiveList(values=None, *, fields=(), huge_pages=True)\n--\n
    A doubly linked list of int64 values, whose entries are named by handles.

    A handle is an int, good for one entry until that is removed; what is given a
    handle of another, or of none, raises StaleHandleError. Every method takes the
    same time whatever the length, but clear, extend, the other calls on many, those
    that return arrays, and validate. A value is a number of yours, such as a row's.

    fields: names of further links in each entry. Any number of lists may run through
    one: list(field) makes a FieldList, and an entry is on one of these at most. The
    same handle names it on every list, and remove() takes it off all of them.
    huge_pages: ask the system for these where the list is large.

    >>> from slabcore import IntrusiveList
    >>> caches = IntrusiveList([192, 1024], fields=["group"])
    >>> inode_cache = caches.add(600)
    >>> caches.to_array().tolist()
    [600, 192, 1024]
    >>> web = caches.list("group")
    >>> web.add(inode_cache)
    >>> caches.remove(inode_cache)
    >>> inode_cache in caches, len(caches), len(web)
    (False, 2, 0)
    """

    def __cinit__(self, *args, **keywords):
        side_init(&self.entries)
        self.names = ()

    def __init__(self, values=None, *, fields=(), huge_pages: bool = True):
        side_ask_for_huge_pages(&self.entries, huge_pages)
        self.name_fields(fields)
        if values is not None:
            self.extend(values)

    def __dealloc__(self):
        cdef size_t k
        if self.linked != NULL:
            for k in range(self.count):
                field_free(self.linked + k)
            PyMem_RawFree(self.linked)
        side_free(&self.entries)

    cdef int name_fields(self, fields) except -1:
        cdef size_t k
        cdef tuple names
        if isinstance(fields, str) or not hasattr(fields, "__iter__"):
            fields = (fields,)
        names = tuple(fields)
        if not names:
            return 0
        for name in names:
            if type(name) is not str:
                raise InputError("fields", f"{name!r} is no text", "names")
            if not name:
                raise InputError("fields", "a name is empty", "names")
        if len({*names}) < len(names):
            raise InputError("fields", f"{names} has a name twice", "different ones")
        if self.linked != NULL:
            raise LifecycleError(f"the list has its fields, {self.names}")
        self.linked = <list_field *>arena_zeroed(len(names), sizeof(list_field))
        self.count = len(names)
        self.names = names
        for k in range(self.count):
            field_init(self.linked + k, self.entries.rooms[0].huge_pages)
        return 0

    cdef list_field *through(self, str field) except NULL:
        """Return the links of a field."""
        cdef size_t k
        for k in range(self.count):
            if self.names[k] == field:
                return self.linked + k
        names = ", ".join(map(repr, self.names))
        expected = f"one of {names}" if names else "a list made with fields"
        raise InputError("IntrusiveList", f"field is {field!r}", expected)

    cdef int view(self, list_view *view) except -1:
        view.entries = &self.entries
        view.head = &self.entries.head
        view.links = <void **>&self.entries.links
        view.stride = sizeof(list_link)
        return 0

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
        """Take an entry out, and off every list through a field."""
        if self.linked != NULL:
            fields_forget(self.linked, self.count, &self.entries, handle)
        if not side_remove(&self.entries, handle):
            self.stale(handle)

    @cython.binding(False)
    def remove_many(self, handles, /):
        """Take entries out, as remove() would one by one.

        At a handle that is of no entry it ends with StaleHandleError: those before it
        have been taken out.
        """
        cdef Py_buffer given
        cdef size_t done = 0, count
        cdef const int64_t *named
        whole_numbers("IntrusiveList", "handles", handles, &given)
        count = given.len // sizeof(int64_t)
        named = <const int64_t *>given.buf
        if self.linked == NULL:
            done = side_remove_many(&self.entries, named, count)
        else:
            while done < count:
                fields_forget(self.linked, self.count, &self.entries, named[done])
                if not side_remove(&self.entries, named[done]):
                    break
                done += 1
        self.many_done(&given, done)

    def clear(self):
        """Take all entries out, and off every list through a field."""
        cdef size_t k
        for k in range(self.count):
            field_clear(self.linked + k)
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

    def __repr__(self):
        return f"<IntrusiveList: {len(self)} entries>"

    def __reduce__(self):
        """Refuse: a handle names an entry of one list."""
        raise TypeError(
            f"{self!r} is neither copied nor pickled; to_array() has its values"
        )

    def __iter__(self):
        """Yield the handle of each entry, whatever is done to the list meanwhile.

        Entries there from the first to the last come exactly once. A move takes an
        entry out and puts it in, so that it may come twice, or not at all; a loop that
        moves what it visits to the tail does not end.
        """
        return _walk(ListCursor(self), False)

    def __reversed__(self):
        """Yield the handles from the last to the first, in the same way."""
        return _walk_back(ListCursor(self))

    def cursor(self, handle=None):
        """Return a ListCursor on an entry, or before the first."""
        made = ListCursor(self)
        made.seek(handle)
        return made

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

    def value_many(self, handles, /):
        """Return the values of entries, as an array of int64."""
        import numpy
        cdef Py_buffer given, made
        cdef size_t k, count
        cdef const int64_t *named
        whole_numbers("IntrusiveList", "handles", handles, &given)
        try:
            count = given.len // sizeof(int64_t)
            named = <const int64_t *>given.buf
            values = numpy.empty(count, dtype=numpy.int64)
            PyObject_GetBuffer(values, &made, PyBUF_WRITABLE)
            try:
                for k in range(count):
                    (<int64_t *>made.buf)[k] = self.entries.values[self.entry(named[k])]
            finally:
                PyBuffer_Release(&made)
        finally:
            PyBuffer_Release(&given)
        return values

    @cython.binding(False)
    def set_value(self, Py_ssize_t handle, Py_ssize_t value):
        """Give an entry another value."""
        self.entries.values[self.entry(handle)] = value

    def to_array(self, out=None):
        """Return the values in the list's order, as an array of int64.

        out: an array of int64, as long as the list, to write them to and return.
        """
        cdef list_view view
        self.view(&view)
        return told("IntrusiveList", &view, out, True)

    def handles(self, out=None):
        """Return the handles in the list's order, as an array of int64; *out* as there.
        """
        cdef list_view view
        self.view(&view)
        return told("IntrusiveList", &view, out, False)

    # --- fields ---

    @property
    def fields(self):
        """The names of the fields."""
        return self.names

    def list(self, str field):
        """Return a new list through a field, which is empty."""
        return FieldList(self, field)

    def list_of(self, str field, Py_ssize_t handle):
        """Return the list through a field that an entry is on, or None."""
        cdef list_field *through = self.through(field)
        cdef field_list *of = field_list_of(through, <uint32_t>self.entry(handle))
        return None if of == NULL else <FieldList>of.owner

    def validate(self):
        """Check that links, length and nodes in use agree, of all lists through fields.

        Raises: ListCorruptionError.
        """
        cdef uint32_t used
        cdef size_t k
        if side_broken(&self.entries):
            raise ListCorruptionError("links and length of the list disagree")
        used = side_live(&self.entries)
        if used != self.entries.head.length:
            raise ListCorruptionError(
                f"{used} nodes are in use; expected {self.entries.head.length}, "
                "the length"
            )
        for k in range(self.count):
            if field_broken(self.linked + k, &self.entries):
                raise ListCorruptionError(
                    f"lists, entries and labels of {self.names[k]!r} disagree"
                )

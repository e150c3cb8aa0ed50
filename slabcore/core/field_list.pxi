cimport cython
from libc.stdint cimport int64_t, uint32_t

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release

from slabcore.arena cimport NIL
from slabcore.field_list cimport (
    PUT_ALL,
    TAKE_ALL,
    TO_HEAD,
    TO_TAIL,
    field_cut_before,
    field_del,
    field_link,
    field_list_broken,
    field_list_clear,
    field_list_init,
    field_list_of,
    field_many,
    field_put,
    field_put_before,
    field_reserve,
    field_splice,
    field_tell,
    label_reserve,
)
from slabcore.list cimport (
    list_at,
    list_cursor_close,
    list_cursor_open,
    list_link,
)
from slabcore.side_list cimport (
    side_handle,
    side_length,
    side_list,
    side_names,
    side_settle,
    side_tell,
)

from slabcore.errors import InputError, LifecycleError, ListCorruptionError


@cython.final
@cython.no_gc               # what it knows knows no objects
cdef class FieldList:
    """FieldList(entries, field)\n--\n
    A list through a field of an IntrusiveList, of any of its entries.

    ``entries.list(field)`` makes one, empty. An entry is on one list of a field at
    most; its handle is the same on all lists. When it is removed from the IntrusiveList
    it is off every other, too. A list that nobody holds any more lets its entries go.

    Every method takes the same time whatever the length, splice() among them, but
    extend, remove_many and those that return arrays; cut_before() takes as long as the
    shorter part. What is given a handle of no entry raises StaleHandleError, and one of
    an entry that is not where it should be LifecycleError.

    >>> from slabcore import IntrusiveList
    >>> jobs = IntrusiveList([70, 71, 72], fields=["state", "owner"])
    >>> waiting, running = jobs.list("state"), jobs.list("state")
    >>> waiting.extend(jobs.handles())
    >>> running.move(waiting.first)
    >>> len(waiting), running.to_array().tolist()
    (2, [70])
    >>> ann = jobs.list("owner")
    >>> ann.extend(jobs.handles())
    >>> jobs.remove(ann.last)
    >>> [len(each) for each in (jobs, ann, waiting, running)]
    [2, 2, 1, 1]
    >>> waiting.splice(running)
    >>> waiting.to_array().tolist()
    [70, 71]
    """

    def __cinit__(self, IntrusiveList entries, str field):
        cdef list_field *through = entries.through(field)
        self.owner = entries
        self.name = field
        field_list_init(&self.l, through)
        self.l.owner = <void *>self

    def __dealloc__(self):
        if self.l.field != NULL:
            field_list_clear(&self.l)

    cdef int view(self, list_view *view) except -1:
        view.entries = &self.owner.entries
        view.head = &self.l.head
        view.links = &self.l.field.links.entries
        view.stride = sizeof(field_link)
        return 0

    cdef int64_t mine(self, int64_t handle) except -1:
        """Return the index of an entry of this list."""
        cdef int64_t index = self.owner.entry(handle)
        if field_list_of(self.l.field, <uint32_t>index) != &self.l:
            raise LifecycleError(f"handle {handle}: not on this list of {self.name!r}")
        return index

    cdef int64_t alone(self, int64_t handle) except -1:
        """Return the index of an entry on no list of the field, for which room is made.
        """
        cdef int64_t index = self.owner.entry(handle)
        if field_list_of(self.l.field, <uint32_t>index) != NULL:
            raise LifecycleError(
                f"handle {handle}: on a list of {self.name!r} already, which move() "
                "takes it from"
            )
        field_reserve(&self.l, &self.owner.entries)
        return index

    # --- adding ---

    @cython.binding(False)
    def add(self, Py_ssize_t handle, /):
        """Put an entry first; it is on no list of the field yet."""
        field_put(&self.l, <uint32_t>self.alone(handle), True)

    @cython.binding(False)
    def add_tail(self, Py_ssize_t handle, /):
        """Put an entry last; it is on no list of the field yet."""
        field_put(&self.l, <uint32_t>self.alone(handle), False)

    @cython.binding(False)
    def insert_before(self, Py_ssize_t handle, Py_ssize_t entry):
        """Put *entry*, which is on no list of the field yet, before another."""
        cdef int64_t following = self.mine(handle)
        field_put_before(&self.l, <uint32_t>self.alone(entry), <uint32_t>following)

    @cython.binding(False)
    def insert_after(self, Py_ssize_t handle, Py_ssize_t entry):
        """Put *entry*, which is on no list of the field yet, behind another."""
        cdef int64_t preceding = self.mine(handle), index = self.alone(entry)
        cdef uint32_t following = list_at(
            self.l.field.links.entries, sizeof(field_link), <uint32_t>preceding
        ).next
        if following == NIL:
            field_put(&self.l, <uint32_t>index, False)
        else:
            field_put_before(&self.l, <uint32_t>index, following)

    @cython.binding(False)
    def extend(self, handles, /):
        """Put entries last, as add_tail() would one by one.

        At one that is refused it ends with the error: those before it are on the list.
        """
        self.many(handles, PUT_ALL)

    # --- removing and moving ---

    @cython.binding(False)
    def remove(self, Py_ssize_t handle, /):
        """Take an entry off this list; it stays where else it is."""
        field_del(&self.l, <uint32_t>self.mine(handle))

    @cython.binding(False)
    def remove_many(self, handles, /):
        """Take entries off this list, as remove() would one by one; see extend()."""
        self.many(handles, TAKE_ALL)

    def clear(self):
        """Take all entries off this list at once; they stay where else they are."""
        field_list_clear(&self.l)

    cdef int move_to(self, int64_t handle, bint first) except -1:
        cdef uint32_t index = <uint32_t>self.owner.entry(handle)
        cdef field_list *of
        field_reserve(&self.l, &self.owner.entries)
        of = field_list_of(self.l.field, index)
        if of != NULL:
            field_del(of, index)
        field_put(&self.l, index, first)
        return 0

    @cython.binding(False)
    def move(self, Py_ssize_t handle, /):
        """Make an entry the first, wherever in the field it was, or nowhere."""
        self.move_to(handle, True)

    @cython.binding(False)
    def move_tail(self, Py_ssize_t handle, /):
        """Make an entry the last, wherever in the field it was, or nowhere."""
        self.move_to(handle, False)

    @cython.binding(False)
    def move_many(self, handles, /):
        """Make entries the first, as move() would one by one: the last one comes first.

        See extend().
        """
        self.many(handles, TO_HEAD)

    @cython.binding(False)
    def move_tail_many(self, handles, /):
        """Make entries the last, as move_tail() would one by one; see extend()."""
        self.many(handles, TO_TAIL)

    cdef int many(self, handles, int what) except -1:
        cdef Py_buffer given
        cdef size_t count, done
        cdef int64_t handle = 0
        whole_numbers("FieldList", "handles", handles, &given)
        count = done = given.len // sizeof(int64_t)
        try:
            if count:
                field_reserve(&self.l, &self.owner.entries)
                done = field_many(
                    &self.l,
                    &self.owner.entries,
                    <const int64_t *>given.buf,
                    count,
                    what,
                )
            if done < count:
                handle = (<const int64_t *>given.buf)[done]
        finally:
            PyBuffer_Release(&given)
        if done == count:
            return 0
        # It is refused alone as it was among many.
        if what == PUT_ALL:
            self.alone(handle)
        elif what == TAKE_ALL:
            self.mine(handle)
        else:
            self.owner.entry(handle)
        return 0

    # --- whole lists ---

    cdef int splice_to(self, FieldList other, bint first) except -1:
        if other is self or other.l.field != self.l.field:
            what = "this list" if other is self else f"a list of {other.name!r}"
            if other is not self and other.owner is not self.owner:
                what = "a list of other entries"
            raise InputError(
                "FieldList", f"what is spliced into it is {what}",
                f"another list of {self.name!r} of the same entries",
            )
        field_splice(&other.l, &self.l, first)
        return 0

    def splice(self, FieldList other):
        """Put all entries of another list of the field first; that is empty then.

        A cursor or a loop that was in the other list is behind its last entry then: the
        loop ends, and what it had not come to is in this list. Cursors in this list
        stay where they are.
        """
        self.splice_to(other, True)

    def splice_tail(self, FieldList other):
        """Put all entries of another list of the field last; that is empty then.

        Cursors and loops are where splice() leaves them: one in this list comes to the
        new entries, one in the other ends.
        """
        self.splice_to(other, False)

    def cut_before(self, Py_ssize_t handle):
        """Take what is before an entry off this list, as a new one, which is returned.

        Cursors that stood there stand on the entry then.
        """
        # Made first: to make an object may run others' code.
        cdef FieldList made = FieldList(self.owner, self.name)
        cdef int64_t index = self.mine(handle)
        label_reserve(self.l.field)
        field_cut_before(&self.l, <uint32_t>index, &made.l)
        return made

    # --- looking ---

    def __len__(self):
        return self.l.head.length

    def __contains__(self, handle):
        cdef Py_ssize_t number
        try:
            number = handle
        except (OverflowError, TypeError):
            return False
        if not side_names(&self.owner.entries, number):
            return False
        return field_list_of(self.l.field, <uint32_t>number) == &self.l

    def __repr__(self):
        return f"<FieldList {self.name!r}: {len(self)} entries>"

    def __reduce__(self):
        """Refuse: an entry is on one list of a field."""
        raise TypeError(
            f"{self!r} is neither copied nor pickled; handles() has its entries"
        )

    def __iter__(self):
        """Yield the handle of each entry, whatever is done to the list meanwhile.

        See IntrusiveList.__iter__.
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
    def entries(self):
        """The IntrusiveList whose entries these are."""
        return self.owner

    @property
    def field(self):
        """The name of the field."""
        return self.name

    @property
    def first(self):
        """The handle of the first entry, None if there is none."""
        return handle_or_none(&self.owner.entries, self.l.head.first)

    @property
    def last(self):
        """The handle of the last entry, None if there is none."""
        return handle_or_none(&self.owner.entries, self.l.head.last)

    cdef list_link *link(self, int64_t handle) except NULL:
        return list_at(
            self.l.field.links.entries, sizeof(field_link), <uint32_t>self.mine(handle)
        )

    @cython.binding(False)
    def next(self, Py_ssize_t handle, /):
        """Return the handle of the entry behind another, None behind the last."""
        return handle_or_none(&self.owner.entries, self.link(handle).next)

    @cython.binding(False)
    def prev(self, Py_ssize_t handle, /):
        """Return the handle of the entry before another, None before the first."""
        return handle_or_none(&self.owner.entries, self.link(handle).prev)

    def to_array(self, out=None):
        """Return the values in the list's order, as an array of int64.

        out: an array of int64, as long as the list, to write them to and return.
        """
        cdef list_view view
        self.view(&view)
        return told("FieldList", &view, out, True)

    def handles(self, out=None):
        """Return the handles in the list's order, as an array of int64; *out* as there.
        """
        cdef list_view view
        self.view(&view)
        return told("FieldList", &view, out, False)

    def validate(self):
        """Check that links, length and labels agree; IntrusiveList's does of all lists.

        Raises: ListCorruptionError.
        """
        if field_list_broken(&self.l, &self.owner.entries):
            raise ListCorruptionError(
                f"links, length and labels of a list of {self.name!r} disagree"
            )


@cython.final
@cython.no_gc               # what it knows knows no objects
cdef class ListCursor:
    """ListCursor(list)\n--\n
    A place in an IntrusiveList or a FieldList, which stays while that changes.

    It stands on an entry, or on none, between the last and the first. When its entry is
    taken off the list it stands on the following one, and next() does not step over
    that. It belongs to one caller, and others of the same list do not disturb it; while
    it is open each removal looks at it. ``list.cursor(handle)`` makes one, too.

    >>> from slabcore import IntrusiveList
    >>> caches = IntrusiveList([600, 192, 1024])
    >>> cursor = caches.cursor()
    >>> inode_cache, dentry = cursor.next(), cursor.next()
    >>> caches.remove(dentry)
    >>> cursor.lost, caches.value(cursor.entry), caches.value(cursor.next())
    (True, 1024, 1024)
    >>> cursor.next() is None, cursor.next() == inode_cache
    (True, True)
    """

    def __cinit__(self, list):
        if isinstance(list, IntrusiveList):
            (<IntrusiveList>list).view(&self.l)
        elif isinstance(list, FieldList):
            (<FieldList>list).view(&self.l)
        else:
            raise InputError(
                "ListCursor", f"{type(list).__name__} is no list",
                "an IntrusiveList or a FieldList",
            )
        self.walked = list
        side_settle(self.l.entries)
        list_cursor_open(self.l.head, &self.here, NIL)
        self.open = True

    def __dealloc__(self):
        if self.open:
            list_cursor_close(self.l.head, &self.here)

    cdef int enter(self) except -1:
        if not self.open:
            raise LifecycleError("the cursor is closed")
        return 0

    cdef list_link *link(self) except NULL:
        return list_at(self.l.links[0], self.l.stride, self.here.entry)

    cdef int forward(self) except -1:
        self.enter()
        if self.here.moved:
            self.here.moved = False
        elif self.here.entry == NIL:
            self.here.entry = self.l.head.first
        else:
            self.here.entry = self.link().next
        return 0

    cdef int back(self) except -1:
        self.enter()
        self.here.moved = False
        if self.here.entry == NIL:
            self.here.entry = self.l.head.last
        else:
            self.here.entry = self.link().prev
        return 0

    cdef int64_t handle(self) noexcept nogil:
        """Return the handle of its entry, -1 where there is none."""
        cdef uint32_t i = self.here.entry
        return -1 if i == NIL else side_handle(self.l.entries, i)

    @cython.binding(False)
    def next(self):
        """Step to the following entry; return its handle, None behind the last.

        From None it steps to the first.
        """
        self.forward()
        return handle_or_none(self.l.entries, self.here.entry)

    @cython.binding(False)
    def prev(self):
        """Step to the preceding entry; return its handle, None before the first.

        From None it steps to the last.
        """
        self.back()
        return handle_or_none(self.l.entries, self.here.entry)

    def seek(self, handle):
        """Stand on an entry of the list, or on none by None."""
        cdef int64_t index = NIL
        self.enter()
        if handle is not None:
            if isinstance(self.walked, FieldList):
                index = (<FieldList>self.walked).mine(handle)
            else:
                index = (<IntrusiveList>self.walked).entry(handle)
        self.here.entry = <uint32_t>index
        self.here.moved = False

    @property
    def list(self):
        """The list it is in."""
        return self.walked

    @property
    def entry(self):
        """The handle of the entry it stands on, None if there is none."""
        self.enter()
        return handle_or_none(self.l.entries, self.here.entry)

    @property
    def lost(self):
        """Whether the entry it stood on has gone since the last step."""
        return self.open and self.here.moved

    def __repr__(self):
        where = "closed" if not self.open else "on none"
        if self.open and self.here.entry != NIL:
            where = f"on handle {self.handle()}"
        return f"<ListCursor {where} of {self.walked!r}>"

    def __reduce__(self):
        """Refuse: a place is one of its list's."""
        raise TypeError(
            f"{self!r} is neither copied nor pickled; list.cursor(entry) makes another"
        )

    def __iter__(self):
        """Yield what next() returns up to the last entry; another loop begins anew.

        The entry that it stands on is not among them, unless it is lost.
        """
        self.enter()
        return _walk(self, True)

    def close(self):
        """Give the place up; it can be closed again."""
        if self.open:
            list_cursor_close(self.l.head, &self.here)
            self.open = False

    def __enter__(self):
        self.enter()
        return self

    def __exit__(self, *exception):
        self.close()


def _walk(ListCursor cursor, bint lasts):
    """Yield from the entry behind a cursor's to the last; close one that does not last.
    """
    cursor.forward()
    while cursor.here.entry != NIL:
        yield cursor.handle()
        cursor.forward()
    if not lasts:
        cursor.close()


def _walk_back(ListCursor cursor):
    """Yield from the last entry to the first.

    The cursor is one ahead, so that what moves the entry that came moves no cursor.
    """
    cdef int64_t handle
    cdef bint more = True
    cursor.back()
    while more and cursor.here.entry != NIL:
        handle = cursor.handle()
        cursor.back()
        more = cursor.here.entry != NIL
        yield handle
        if cursor.here.moved:
            cursor.back()
    cursor.close()


cdef object told(str where, list_view *view, out, bint values):
    """Write a list's values or handles to an array, of the caller's or a new one."""
    cdef side_list *entries = view.entries
    cdef bint all = view.head == &entries.head
    cdef size_t length
    cdef Py_buffer made
    if out is None:
        import numpy
        out = numpy.empty(
            side_length(entries) if all else view.head.length, dtype=numpy.int64
        )
    if not lent(out, PyBUF_WRITABLE, &made):
        what = f"out is {unsuited(out, 'int64')}"
        raise InputError(where, what, "a writable array of int64, in C order")
    # Asked for only now: what lends a buffer may have changed the list.
    length = side_length(entries) if all else view.head.length
    try:
        if <size_t>made.len != length * sizeof(int64_t):
            raise InputError(
                where,
                f"out has room for {made.len // sizeof(int64_t)} entries",
                f"{length}, the length",
            )
        if all:
            side_tell(entries, <int64_t *>made.buf, values)
        else:
            field_tell(
                view.head, view.links[0], entries, <int64_t *>made.buf, values
            )
    finally:
        PyBuffer_Release(&made)
    return out


cdef object handle_or_none(side_list *entries, uint32_t index):
    return None if index == NIL else side_handle(entries, index)

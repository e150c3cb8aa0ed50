cimport cython
from libc.stdint cimport int64_t, uint32_t

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.number cimport PyNumber_Index

from slabcore.arena cimport NIL, arena_reserve
from slabcore.cache_lists cimport (
    EVENT_ALLOC,
    EVENT_MKDIR,
    EVENT_OFFLINE,
    IN_LINE,
    IN_MORE,
    IS_ALIVE,
    IS_NOT_ALIVE,
    NO_KIND,
    NO_ROOT,
    REPLAYED,
    cache_create,
    cache_create_many,
    cache_lists_broken,
    cache_lists_free,
    cache_lists_init,
    life_event,
    link_at,
    lists_reserve_many,
    lists_reserve_spares,
    lists_settle,
    memcg_list,
    memcg_list_at,
    memcg_list_destroy,
    memcg_list_destroy_many,
    memcg_list_handle,
    memcg_list_new,
    more_at,
    more_used,
    names_memcg,
    owner_at,
    replay,
    replay_events,
    replay_free,
    replay_init,
)

from slabcore.errors import (
    InputError,
    LifecycleError,
    ListCorruptionError,
    StaleHandleError,
)


@cython.final
cdef class CacheLists:
    """CacheLists(roots, *, huge_pages=True)\n--\n
    The lists that child caches are on, alone: no time, no costs, no objects.

    Each cache is on three: of all caches, of its root's children, and of its memcg's
    own, the latest last. To destroy a memcg takes its caches off all three. Roots are
    numbers below *roots*; a memcg is named by a handle, an int that no other gets.

    What is given a handle of a memcg that is gone raises StaleHandleError. A call for
    many does what calls for one would do in a row: at the first that is refused it
    stops, the error says which that is, and what came before is done.

    >>> from slabcore import CacheLists
    >>> lists = CacheLists(roots=3)
    >>> web, db = lists.mkdir_many(2).tolist()
    >>> lists.create_many([web, db, web], [0, 0, 2])
    >>> lists.caches(web).tolist(), len(lists)
    ([0, 2], 3)
    >>> lists.destroy(web)
    >>> lists.children(0).tolist() == [db], web in lists
    (True, False)
    """

    MKDIR = EVENT_MKDIR
    ALLOC = EVENT_ALLOC
    OFFLINE = EVENT_OFFLINE

    def __init__(self, roots, *, huge_pages: bool = True):
        if self.l.roots:
            raise LifecycleError("the lists are there; they are made once")
        number = PyNumber_Index(roots)
        if not 1 <= number <= 65_536:
            raise InputError("CacheLists", f"roots is {number}", "1 to 65536")
        cache_lists_init(&self.l, number, huge_pages)

    def __dealloc__(self):
        cache_lists_free(&self.l)

    cdef int enter(self) except -1:
        if self.running:
            raise LifecycleError("the lists are worked on; one thread at a time may")
        if not self.l.roots:
            raise LifecycleError("the lists are not there; CacheLists() makes them")
        lists_settle(&self.l)
        return 0

    cdef int64_t memcg(self, int64_t handle) except -1:
        """Return the index of the memcg that a handle names."""
        self.enter()
        if not names_memcg(&self.l, handle):
            raise StaleHandleError(f"handle {handle}: no memcg of the lists")
        return <int64_t><uint32_t>handle

    cdef int known(self, int64_t root) except -1:
        self.enter()
        if not 0 <= root < self.l.roots:
            raise InputError("root", f"{root}", f"0 to {<int64_t>self.l.roots - 1}")
        return 0

    # --- making ---

    @cython.binding(False)
    def mkdir(self):
        """Make a memcg; return its handle."""
        cdef uint32_t index
        self.enter()
        memcg_list_new(&self.l, &index)
        return memcg_list_handle(&self.l, index)

    def mkdir_many(self, Py_ssize_t count):
        """Make memcgs; return their handles as an array."""
        import numpy
        cdef Py_ssize_t k
        cdef uint32_t index
        self.enter()
        if count < 0:
            raise InputError("mkdir_many", f"count is {count}", "0 or more")
        made = numpy.empty(count, dtype=numpy.int64)
        cdef int64_t[::1] handles = made
        self.enter()        # again, as in create_many()
        # All memory before the first is made: whoever has no handles has no memcgs.
        arena_reserve(&self.l.memcgs, self.l.memcgs.used + <size_t>count)
        arena_reserve(&self.l.stamps, self.l.memcgs.used + <size_t>count)
        for k in range(count):
            memcg_list_new(&self.l, &index)
            handles[k] = memcg_list_handle(&self.l, index)
        return made

    @cython.binding(False)
    def create(self, Py_ssize_t memcg, Py_ssize_t root):
        """Put a new cache of a memcg and a root last on its lists."""
        self.known(root)
        cache_create(&self.l, self.memcg(memcg), <uint32_t>root)

    def create_many(self, memcgs, roots):
        """Create a cache for each pair, in their order."""
        self.enter()
        cdef Py_buffer given, given_roots
        cdef const int64_t *memcg
        cdef const int64_t *root
        cdef int64_t count, made
        whole_numbers("create_many", "memcgs", memcgs, &given)
        try:
            whole_numbers("create_many", "roots", roots, &given_roots)
        except BaseException:
            PyBuffer_Release(&given)
            raise
        try:
            count = given.len // sizeof(int64_t)
            if given.len != given_roots.len:
                what = f"there are {count} memcgs and {given_roots.len // 8} roots"
                raise InputError("create_many", what, "as many")
            if not count:
                return
            memcg = <const int64_t *>given.buf
            root = <const int64_t *>given_roots.buf
            # Others may have had their turn while arrays were made of what was given.
            self.enter()
            self.running = True
            try:
                with nogil:
                    made = cache_create_many(&self.l, memcg, root, count)
            finally:
                self.running = False
            if made < count:
                where = f"create_many: pair {made}"
                if names_memcg(&self.l, memcg[made]):
                    most = <int64_t>self.l.roots - 1
                    raise InputError(where, f"root is {root[made]}", f"0 to {most}")
                text = f"handle {memcg[made]}: no memcg of the lists"
                raise StaleHandleError(f"{where}: {text}")
        finally:
            PyBuffer_Release(&given)
            PyBuffer_Release(&given_roots)

    # --- destroying ---

    @cython.binding(False)
    def destroy(self, Py_ssize_t memcg):
        """Destroy a memcg and its caches."""
        if self.running:
            self.enter()
        if not names_memcg(&self.l, memcg):
            self.memcg(memcg)
        lists_reserve_spares(&self.l)
        memcg_list_destroy(&self.l, <uint32_t>memcg)

    def destroy_many(self, memcgs):
        """Destroy memcgs and their caches; return how many caches these were."""
        self.enter()
        cdef Py_buffer given
        cdef const int64_t *owners
        cdef int64_t count, gone
        cdef uint32_t before
        whole_numbers("destroy_many", "memcgs", memcgs, &given)
        try:
            count = given.len // sizeof(int64_t)
            if not count:
                return 0
            owners = <const int64_t *>given.buf
            self.enter()        # again, as in create_many()
            before = self.l.length
            self.running = True
            try:
                with nogil:
                    lists_reserve_many(&self.l)
                    gone = memcg_list_destroy_many(&self.l, owners, count)
            finally:
                self.running = False
            if gone < count:
                raise StaleHandleError(
                    f"destroy_many: memcg {gone}: handle {owners[gone]}: no memcg of "
                    "the lists"
                )
        finally:
            PyBuffer_Release(&given)
        return before - self.l.length

    # --- replaying ---

    @staticmethod
    def event_dtype():
        """Return the dtype of an event: memcg, kind and root, in eight bytes."""
        import numpy
        return numpy.dtype([("memcg", "u4"), ("kind", "u2"), ("root", "u2")])

    def replay(self, events, *, Py_ssize_t grace_period=1024):
        """Let events happen in a row; return counts of what did.

        events: an array of event_dtype(). *memcg* is a name of the trace's own, which
        it may use again: MKDIR makes a memcg for it, and OFFLINE takes that away. ALLOC
        is an object of a *root*: the first makes the memcg's cache of that root. Names
        should be small numbers, since each has a place.
        grace_period: behind so many events one ends, and the memcgs that were offline
        when the one before ended are destroyed. All that are offline are at the end.
        What is alive then stays on the lists.
        Raises: InputError, of an event that cannot happen; those before it have.
        """
        import numpy
        cdef replay r
        cdef int why = REPLAYED
        cdef int64_t count, done = 0
        cdef Py_buffer given
        self.enter()
        if grace_period < 1:
            raise InputError("replay", f"grace_period is {grace_period}", "1 or more")
        dtype = CacheLists.event_dtype()
        taken = numpy.ascontiguousarray(events)
        if taken.dtype != dtype or taken.ndim != 1:
            raise InputError("replay", "the events are no array of event_dtype()")
        if taken.ctypes.data % sizeof(uint32_t):    # in a file they lie anywhere
            taken = taken.copy()
        PyObject_GetBuffer(taken, &given, PyBUF_SIMPLE)
        count = given.len // sizeof(life_event)
        replay_init(&r)
        try:
            self.enter()    # again, as in create_many()
        except BaseException:
            PyBuffer_Release(&given)
            raise
        self.running = True
        try:
            with nogil:
                done = replay_events(
                    &r, &self.l, <const life_event *>given.buf, count, grace_period,
                    &why,
                )
        finally:
            self.running = False
            replay_free(&r)
            PyBuffer_Release(&given)
        if why != REPLAYED:
            event = taken[done]
            what, expected = {
                NO_KIND: (f"kind is {event['kind']}", "MKDIR, ALLOC or OFFLINE"),
                NO_ROOT: (f"root is {event['root']}", f"below {self.l.roots}"),
                IS_ALIVE: (f"memcg {event['memcg']} is alive", "one that is not"),
                IS_NOT_ALIVE: (f"memcg {event['memcg']} is not alive", "MKDIR first"),
            }[why]
            raise InputError(f"replay: event {done}", what, expected)
        return {
            "events": count,
            "mkdirs": r.mkdirs,
            "offlines": r.offlines,
            "created": r.created,
            "destroyed": r.destroyed,
            "objects": r.objects,
            "freed": r.freed,
            "grace_periods": r.grace_periods,
        }

    # --- looking ---

    def __len__(self):
        self.enter()
        return self.l.length

    def __contains__(self, memcg):
        cdef Py_ssize_t number
        self.enter()
        try:
            number = memcg
            return names_memcg(&self.l, number)
        except (OverflowError, TypeError):
            return False

    @property
    def roots(self):
        """How many roots there are."""
        return self.l.roots

    @property
    def memcgs(self):
        """How many memcgs there are."""
        return self.l.groups

    def caches(self, Py_ssize_t memcg):
        """Return the roots of a memcg's caches, in its own list's order."""
        import numpy
        cdef const memcg_list *m
        cdef int64_t[::1] roots = None
        cdef uint32_t line, used, end, k, i
        # Making room may let others in: it is looked at again behind that.
        while True:
            m = memcg_list_at(&self.l, <uint32_t>self.memcg(memcg))
            if roots is not None and roots.shape[0] == m.length:
                break
            roots = numpy.empty(m.length, dtype=numpy.int64)
        line, used, end = m.more, more_used(m), m.length
        for k in range(min(m.length, <uint32_t>IN_LINE)):
            roots[k] = owner_at(&self.l, m.caches[k]).root
        while line != NIL:
            end -= used
            for k in range(used):
                i = more_at(&self.l, line).caches[k]
                roots[end + k] = owner_at(&self.l, i).root
            used = IN_MORE
            line = more_at(&self.l, line).before
        return roots.base

    def children(self, Py_ssize_t root):
        """Return the memcgs of a root's children, in the list's order."""
        import numpy
        cdef Py_ssize_t count
        cdef uint32_t head, i
        cdef int64_t[::1] memcgs = None
        while True:     # as in caches()
            self.known(root)
            head = <uint32_t>(1 + root)
            count = 0
            i = link_at(&self.l, head).children.next
            while i != head:
                count += 1
                i = link_at(&self.l, i).children.next
            if memcgs is not None and memcgs.shape[0] == count:
                break
            memcgs = numpy.empty(count, dtype=numpy.int64)
        count = 0
        i = link_at(&self.l, head).children.next
        while i != head:
            memcgs[count] = memcg_list_handle(&self.l, owner_at(&self.l, i).memcg)
            count += 1
            i = link_at(&self.l, i).children.next
        return memcgs.base

    def to_array(self):
        """Return every cache by creation, as an array of memcg and root."""
        import numpy
        cdef Py_ssize_t count = 0
        cdef uint32_t memcg, i
        cdef int64_t[:, ::1] rows = None
        while True:     # as in caches()
            self.enter()
            if rows is not None and rows.shape[0] == self.l.length:
                break
            array = numpy.empty(self.l.length, [("memcg", "i8"), ("root", "i8")])
            rows = array.view("i8").reshape(-1, 2)
        i = link_at(&self.l, 0).all.next
        while i != 0:
            memcg = owner_at(&self.l, i).memcg
            rows[count, 0] = memcg_list_handle(&self.l, memcg)
            rows[count, 1] = owner_at(&self.l, i).root
            count += 1
            i = link_at(&self.l, i).all.next
        return array

    def __reduce__(self):
        """Refuse: a handle names a memcg of one CacheLists."""
        raise TypeError(
            "CacheLists are neither copied nor pickled; to_array() has every cache"
        )

    def validate(self):
        """Check that all lists, lengths and owners agree.

        Raises: ListCorruptionError.
        """
        self.enter()
        if cache_lists_broken(&self.l):
            raise ListCorruptionError("links, owners and lengths of the lists disagree")

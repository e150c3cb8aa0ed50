"""The compiled module's types, for cimport.

What another project may use is IntrusiveList and its *entries*, with the functions of
slabcore.side_list; World and its methods now, next_event, run_to and objects; and
require_abi(). Whoever cimports a type is compiled for the place of each of its fields,
and so for one ABI: the rest may change from one number to the next.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from slabcore.arena cimport arena
from slabcore.bulk cimport bulk
from slabcore.cache_lists cimport cache_lists
from slabcore.engine cimport engine
from slabcore.field_list cimport field_list, list_field
from slabcore.list cimport list_cursor, list_head, list_link
from slabcore.rcu cimport rcu_data, rcu_state
from slabcore.seq_file cimport seq_file, seq_operations
from slabcore.side_list cimport side_list
from slabcore.world cimport open_file

cdef enum:
    ABI = 1                 # SLABCORE_ABI of slabcore.h

cdef enum:                  # of World.objects
    ALLOC
    PIN
    FREE


cdef inline int require_abi() except -1:
    """Refuse a core of another ABI than this was compiled for. Raises: ImportError."""
    from slabcore import _core
    found = getattr(_core, "SLABCORE_ABI", 0)
    if found != ABI:
        raise ImportError(
            f"slabcore: SLABCORE_ABI is {found}; expected {ABI}, which this was "
            f"compiled for"
        )
    return 0


cdef struct list_reader:
    side_list *entries
    list_cursor here        # on what is shown; on what comes next between sections
    bint open               # here is one of the list's cursors
    bint keeps              # it stays open between sections
    int64_t index           # of here, then; -1 is none
    void *file


cdef struct list_view:      # a list's own links, or those of a field
    side_list *entries
    list_head *head
    void **links            # where an arena says they are
    size_t stride


cdef class IntrusiveList:
    cdef side_list entries  # where there are fields, fields_forget() what is removed
    cdef list_field *linked     # the fields; NULL: none
    cdef size_t count       # of them
    cdef tuple names        # of fields

    cdef int name_fields(self, fields) except -1
    cdef list_field *through(self, str field) except NULL
    cdef int view(self, list_view *view) except -1
    cdef int stale(self, int64_t handle) except -1
    cdef int64_t entry(self, int64_t handle) except -1
    cdef int move_all(self, handles, bint first) except -1
    cdef int many_done(self, Py_buffer *given, size_t done) except -1


cdef class FieldList:
    cdef field_list l
    cdef IntrusiveList owner
    cdef str name           # of the field

    cdef int view(self, list_view *view) except -1
    cdef int64_t mine(self, int64_t handle) except -1
    cdef int64_t alone(self, int64_t handle) except -1
    cdef int move_to(self, int64_t handle, bint first) except -1
    cdef int many(self, handles, int what) except -1
    cdef int splice_to(self, FieldList other, bint first) except -1
    cdef list_link *link(self, int64_t handle) except NULL


cdef class ListCursor:
    cdef list_view l
    cdef list_cursor here
    cdef bint open          # here is one of the list's cursors
    cdef object walked      # the list

    cdef int enter(self) except -1
    cdef list_link *link(self) except NULL
    cdef int forward(self) except -1
    cdef int back(self) except -1
    cdef int64_t handle(self) noexcept nogil


cdef class CacheLists:
    cdef cache_lists l
    cdef bint running       # its state is the run's alone

    cdef int enter(self) except -1
    cdef int64_t memcg(self, int64_t handle) except -1
    cdef int known(self, int64_t root) except -1


cdef class SeqFile:
    cdef seq_file m
    cdef seq_operations op
    cdef list_reader reader
    cdef int64_t position
    cdef char *room
    cdef size_t capacity
    cdef IntrusiveList entries
    cdef object source
    cdef object shows       # a callable, of (file, entry)
    cdef object finds       # a callable, of entry, or None
    cdef object resumes     # a callable, of position, or None
    cdef object entry
    cdef object answer      # a hook's last OSError
    cdef object failure     # a hook's error of another kind, which ends the call
    cdef bint moved         # show took the entry out: it is the following one already
    cdef bint lost          # start or next failed: there is no entry to keep
    cdef bint under_way
    cdef bint closed

    cdef object start(self, int64_t pos)
    cdef object next(self, int64_t *pos)
    cdef object stop(self)
    cdef object show(self, entry)
    cdef object lose(self, error)
    cdef object fail(self, error)
    cdef int begin(self) except -1
    cdef int want(self, size_t size) except -1
    cdef object finish(self, int step, size_t size)
    cdef bytes deliver(self, int64_t *ppos, Py_ssize_t size)


cdef class RcuQueue:
    cdef rcu_state r
    cdef int32_t ncpus
    cdef bint entrains
    cdef bint invoking
    cdef int64_t *until     # one a CPU: the place behind the waiter it has to reach
    cdef int64_t waiters    # of barrier() and synchronize(), queued now
    cdef int64_t waited     # and invoked
    cdef list objects       # of each CPU, where the ring has its callback, else None
    cdef object callback
    cdef bint calls_values  # the callback is operator.call
    cdef object array       # whose are the words
    cdef Py_buffer held     # and where they are
    cdef object empty       # numpy's
    cdef object nothing     # the answer when nothing was invoked

    cdef int name_words(self, words) except -1
    cdef int number_of(self, kind) except -1
    cdef int refuse(self, int64_t value) except -1
    cdef int refuse_one(self, values, int dimensions) except -1
    cdef int reserve(self, int32_t number, int64_t count) except -1
    cdef int keep(self, value, rcu_data *d) except -1
    cdef int keep_all(self, list values, int32_t number) except -1
    cdef int call_words(
        self, int32_t number, const Py_buffer *given, int what, kind
    ) except -1
    cdef int32_t on(self, Py_ssize_t cpu) except -1
    cdef int span(self, cpu, int32_t *first, int32_t *end) except -1
    cdef void look(self, rcu_data *d) noexcept nogil
    cdef void begin(self) noexcept nogil
    cdef bint report(self, int32_t first, int32_t end) noexcept nogil
    cdef int enter(self) except -1
    cdef int64_t queued(self, int32_t first, int32_t end) noexcept nogil
    cdef int64_t due(self, rcu_data *d, int64_t batches) noexcept nogil
    cdef void take(self, rcu_data *d, int64_t *to, int64_t count) noexcept nogil
    cdef void write(self, rcu_data *d, int64_t count) noexcept nogil
    cdef int64_t run(self, rcu_data *d) except -1
    cdef int64_t pass_time(self, int64_t *to) except -1
    cdef object wait(self, int32_t first, int32_t end, bint barrier)


cdef class World:
    cdef engine e
    cdef bint made          # by __init__, to its end
    cdef tuple made_of      # what __init__ was given
    cdef bint running       # its state is the run's alone
    cdef list closing       # numbers of files that were closed meanwhile
    cdef object stopped     # what a signal raises once the call under way has ended
    cdef bint halted        # there is such
    cdef bint cut           # and that call allocated fewer objects

    # For cimport: these refuse what the methods of Python refuse.
    cdef int64_t now(self) noexcept nogil
    cdef int64_t next_event(self) except -1
    cdef int run_to(self, int64_t when) except -1
    cdef int objects(
        self, int what, int64_t root, int64_t memcg, int64_t count
    ) except -1

    cdef int enter(self) except -1
    cdef int advance(self, long long when) except -1
    cdef int drain_or_run(self, bint drain) except -1
    cdef open_file *opened(self, number) except NULL
    cdef long long use(self, uint32_t number) except -1
    cdef dict reading(self, uint32_t number)
    cdef long long call(
        self, int function, unsigned int a, unsigned int b, unsigned int c,
        unsigned int d, long long n,
    ) except -1
    cdef int finish(self) except -1 nogil
    cdef int unheld(self) except -1
    cdef object many(self, bulk *b)
    cdef int heed(self) except -1
    cdef object stop(self)

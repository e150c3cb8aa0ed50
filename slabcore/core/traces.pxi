cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memchr

from cpython.unicode cimport PyUnicode_DecodeUTF8

from slabcore.trace cimport (
    CACHE_ALLOC,
    CGROUP_ATTACH,
    CGROUP_MKDIR,
    CGROUP_RELEASE,
    CGROUP_RENAME,
    CGROUP_RMDIR,
    OTHER_EVENT,
    alloc_said,
    cgroup_said,
    event_names,
    is_accounted,
    name_number,
    scan_alloc,
    scan_attach,
    scan_cgroup,
    scan_line,
    trace_line,
)

from slabcore.errors import LifecycleError


@cython.final
cdef class TraceScanner:
    """Tell the events in the text of a recording; see slabcore.traces."""

    cdef event_names events
    cdef bint scanning

    cdef int alone(self) except -1:
        if self.scanning:
            raise LifecycleError("the scanner is scanning; each thread needs its own")
        return 0

    @property
    def names(self) -> list:
        """Return the names of the events seen, by number."""
        cdef int32_t i
        self.alone()
        return [
            self.events.names[i].text[:self.events.names[i].length].decode()
            for i in range(self.events.used)
        ]

    def scan(self, const unsigned char[::1] text, unsigned char[::1] lines) -> int:
        """Read whole lines into *lines*, the bytes of an array of LINES.

        Returns: how many there are. A last line without its end is left alone.
        Raises: LifecycleError while another thread scans.
        """
        cdef size_t room = lines.shape[0] // sizeof(trace_line), used = 0
        cdef const char *begin
        cdef const char *p
        cdef const char *end
        cdef const char *stop
        cdef trace_line *line
        self.alone()
        if not text.shape[0] or not room:
            return 0
        if <size_t>&lines[0] % sizeof(int64_t):
            raise ValueError("lines begin where no int64 does; expected LINES aligned")
        line = <trace_line *>&lines[0]
        begin = p = <const char *>&text[0]
        stop = p + text.shape[0]
        self.scanning = True
        with nogil:
            while used < room:
                end = <const char *>memchr(p, 10, stop - p) if p < stop else NULL
                if end == NULL:
                    break
                line.start = p - begin
                line.event = -1
                line.end = end - begin
                while line.end > line.start and begin[line.end - 1] == 13:
                    line.end -= 1
                if line.end - line.start < LONG_LINE and scan_line(
                    p, <uint32_t>(line.end - line.start), line
                ):
                    line.event = name_number(
                        &self.events, p + line.name, line.name_length
                    )
                used += 1
                line += 1
                p = end + 1
        self.scanning = False
        return used


@cython.final
cdef class TracedLife:
    """A cgroup's life while a recording is read."""

    cdef readonly Py_ssize_t generation
    cdef public str path
    cdef public object mkdir
    cdef public object rmdir
    cdef public object release
    cdef readonly list attaches     # when, pid, allocations

    def __init__(self, Py_ssize_t generation, str path):
        self.generation = generation
        self.path = path
        self.attaches = []


cdef class TraceFold:
    """Lives of cgroups, folded from the lines that a scanner has told apart.

    What is held is plain and open: slabcore.traces folds the lines that are left to it.
    """

    cdef readonly dict lives            # (root, id) -> its lives
    cdef readonly list order            # root, id, life
    cdef readonly dict tasks            # root -> pid -> life, allocations
    cdef readonly dict cgroup_events    # by root
    cdef readonly dict sizes            # of caches
    cdef readonly dict allocations      # of caches
    cdef public object unattributed
    cdef event_names caches
    cdef list cache_names               # by number of caches
    cdef list paid                      # for allocations of the task below
    cdef int64_t pid
    cdef int64_t tgid
    cdef int64_t root               # of the last event of a cgroup
    cdef int64_t root_events        # that cgroup_events has not yet

    def __cinit__(self, *args, **keywords):
        self.lives, self.order, self.tasks = {}, [], {}
        self.cgroup_events, self.sizes, self.allocations = {}, {}, {}
        self.unattributed = 0
        self.cache_names = []
        self.paid = None

    def fold(
        self, const unsigned char[::1] text, const unsigned char[::1] lines,
        const unsigned char[::1] kinds, int64_t[::1] counts, int64_t[::1] seen,
        Py_ssize_t at,
    ) -> int:
        """Fold the lines of a scan of *text*, from line *at* on.

        kinds: what the names of events stand for, by number. counts: of these events,
        grows; seen: the first time, the last and the highest CPU, grow.
        Returns: the first line that is left to the caller; their number if none is.
        """
        cdef Py_ssize_t used = lines.shape[0] // sizeof(trace_line), names
        cdef const trace_line *line
        cdef const char *body
        cdef uint32_t n, kind
        names = min(kinds.shape[0], counts.shape[0])
        if not used or not text.shape[0]:
            return used
        if <size_t>&lines[0] % sizeof(int64_t) or seen.shape[0] < 3:
            raise ValueError("lines and seen are not as TraceScanner.scan() needs them")
        self.paid = None
        while at < used:
            line = <const trace_line *>&lines[0] + at
            if line.event < 0 or line.event >= names:
                break
            if not 0 <= line.start + line.body <= line.end <= text.shape[0]:
                raise ValueError("the lines are not of this text")
            body = <const char *>&text[0] + line.start + line.body
            n = <uint32_t>(line.end - line.start - line.body)
            kind = kinds[line.event]
            if kind == CACHE_ALLOC:
                if is_accounted(body, n) and not self.alloc_of(line, body, n):
                    break
            elif kind != OTHER_EVENT and not self.cgroup_of(line, kind, body, n):
                break
            counts[line.event] += 1
            seen[0] = min(seen[0], line.at_ns)
            seen[1] = max(seen[1], line.at_ns)
            seen[2] = max(seen[2], line.cpu)
            at += 1
        self.note_events()
        return at

    cdef int cgroup_of(
        self, const trace_line *line, uint32_t kind, const char *body, uint32_t n
    ) except -1:
        """Fold an event of a cgroup; return False if its wording is another."""
        cdef cgroup_said said
        cdef TracedLife life
        cdef list lives
        if kind == CGROUP_ATTACH:
            if not scan_attach(body, n, &said):
                return False
        elif not scan_cgroup(body, n, &said):
            return False
        self.paid = None
        root, at_ns = said.root, line.at_ns
        if said.root != self.root:
            self.note_events()
            self.root = said.root
        self.root_events += 1
        key = (root, said.id)
        lives = self.lives.get(key)
        life = <TracedLife>lives[len(lives) - 1] if lives is not None else None
        if kind == CGROUP_RENAME:
            if life is not None:
                life.path = self.path_of(body, &said)
            return True
        if kind == CGROUP_ATTACH:
            tasks = self.tasks.get(root)
            if tasks is None:
                tasks = self.tasks[root] = {}
            if said.level == 0:
                # In the root memcg nobody pays.
                (<dict>tasks).pop(said.pid, None)
                return True
        if kind == CGROUP_RELEASE:
            if life is not None and life.release is not None:
                life = None
        elif life is not None and (
            kind == CGROUP_MKDIR or life.rmdir is not None or life.release is not None
        ):
            life = None
        if life is None:
            if lives is None:
                lives = self.lives[key] = []
            life = TracedLife.__new__(TracedLife)
            life.generation = len(lives)
            life.path = self.path_of(body, &said)
            life.attaches = []
            lives.append(life)
            self.order.append((root, key[1], life))
        if kind == CGROUP_MKDIR:
            life.mkdir = at_ns
        elif kind == CGROUP_RELEASE:
            life.release = at_ns
        elif kind == CGROUP_RMDIR:
            life.rmdir = at_ns
            self.forget(root, life)
        else:
            pid, allocations = said.pid, {}
            life.attaches.append((at_ns, pid, allocations))
            (<dict>tasks)[pid] = (life, allocations)
        return True

    cdef int note_events(self) except -1:
        """Count the events of the last hierarchy that was told of."""
        if self.root_events:
            root = self.root
            before = self.cgroup_events.get(root, 0)
            self.cgroup_events[root] = before + self.root_events
            self.root_events = 0
        return 0

    cdef int forget(self, root, TracedLife life) except -1:
        """Forget the tasks of a cgroup that is empty: their pids may come back."""
        tasks = self.tasks.get(root)
        if tasks is None:
            return 0
        for attach in life.attaches:
            held = (<dict>tasks).get((<tuple>attach)[1])
            if held is not None and (<tuple>held)[0] is life:
                del (<dict>tasks)[(<tuple>attach)[1]]
        return 0

    cdef str path_of(self, const char *body, const cgroup_said *said):
        return PyUnicode_DecodeUTF8(body + said.path, said.path_length, "replace")

    cdef int alloc_of(
        self, const trace_line *line, const char *body, uint32_t n
    ) except -1:
        """Fold an accounted allocation; return False if its wording is another."""
        cdef alloc_said said
        cdef int32_t number
        if not scan_alloc(body, n, &said):
            return False
        number = name_number(&self.caches, body + said.cache, said.cache_length)
        if number < 0:
            return False
        if number == len(self.cache_names):
            self.cache_names.append(
                PyUnicode_DecodeUTF8(body + said.cache, said.cache_length, "replace")
            )
        cache = self.cache_names[number]
        if cache not in self.sizes:
            self.sizes[cache] = said.size
        self.allocations[cache] = self.allocations.get(cache, 0) + 1
        if self.paid is None or self.pid != line.pid or self.tgid != line.tgid:
            self.pay(line.pid, line.tgid)
        if not self.paid:
            self.unattributed += 1
        for counts in self.paid:
            (<dict>counts)[cache] = (<dict>counts).get(cache, 0) + 1
        return True

    cdef int pay(self, int64_t pid, int64_t tgid) except -1:
        """Find where a task's allocations are counted, in each hierarchy.

        Moving a process is told of its leader only: cgroup_attach_task(), since 4.9.
        """
        self.pid, self.tgid, self.paid = pid, tgid, []
        for tasks in self.tasks.values():
            held = (<dict>tasks).get(pid)
            if held is None and tgid >= 0:
                held = (<dict>tasks).get(tgid)
            if held is not None:
                self.paid.append((<tuple>held)[1])
        return 0

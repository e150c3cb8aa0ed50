"""A world in plain Python.

Read it from the top: the time plane (CPUs, mutexes, workqueues, RCU), the data plane
(caches, cgroups), and what each kernel does with both.

Times are integer nanoseconds of virtual time. Events of one instant run in the order of
their kind and then of the number of the CPU, task or pool they belong to.
"""

from __future__ import annotations

import errno
import functools
import heapq
import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from slabcore.errors import (
    BusyError,
    CorruptionError,
    InputError,
    LifecycleError,
    SlabcoreError,
    StaleHandleError,
)
from slabcore.reference import procfs
from slabcore.reference.seq_file import LEAVE

FOREVER = 1 << 62

# Event kinds, in the order in which they run at one instant.
TICK, GP, SEGMENT, TIMER, CULL, REAP, LOAD, SAMPLE = range(8)

# Steps of a program: (op, a, b, c, d).
MKDIR, RMDIR, FORK, JOIN, ALLOC, PIN, SLEEP, RUN, CALLBACKS, EXIT, WAIT, AT, DROP = (
    range(1, 14)
)
HOTPLUG = 30
HOTPLUGS = ("cpu-dead", "memory-online", "memory-offline")
MARK = 50
HOLD, FREE, CREATE_CACHE, DESTROY_CACHE = range(14, 18)
KEEP, RMDIR_KEPT, SETTLE, EXPEDITE, SLABINFO, PROBE, TAKE = range(40, 47)

BLIMIT, QHIMARK, QLOWMARK = 10, 10_000, 100  # kernel/rcu/tree.c, 4.4 to 6.12
MAX_ACTIVE = 256  # WQ_DFL_ACTIVE, include/linux/workqueue.h
REAP_S, REAP_FREE_S = 2, 4  # REAPTIMEOUT_AC and REAPTIMEOUT_NODE, mm/slab.c
IDLE_WORKER_NS = 300_000_000_000  # IDLE_WORKER_TIMEOUT, kernel/workqueue.c
FIXED_1, EXP_1, EXP_5, EXP_15 = 2048, 1884, 2014, 2037  # include/linux/sched/loadavg.h
MAX_KMEMCG_ID = 65_535  # MEMCG_CACHES_MAX_SIZE, mm/memcontrol.c
MAX_ORDER = 3  # slub_max_order, mm/slub.c

# What the kernel calls the functions of the works below.
FUNCTIONS = MappingProxyType(
    {
        "create": "memcg_kmem_cache_create_func",
        "offline": "css_killed_work_fn",
        "release": "css_release_work_fn",
        "free": "css_free_work_fn",
        "cgroup-release": "css_release_work_fn",
        "cgroup-free": "css_free_work_fn",
        "deactivate": "kmemcg_deactivate_workfn",
        "shutdown": "kmemcg_workfn",
        "barrier": "slab_caches_to_rcu_destroy_workfn",
        "reap": "cache_reap",
        "remove-directory": "sysfs_slab_remove_workfn",
    }
)

# What begin() and watch() take, by number.
CALLS = ("mkdir", "rmdir", "join", "alloc", "pin", "free", "drop_caches", "hotplug")
HOLD_CALL = len(CALLS)
WATCHES = ("cache", "offline", "freed")

# What time goes into: CPU time by purpose, and from falling asleep in
# synchronize_sched() or rcu_barrier() to running again. Summed over tasks.
CAUSES = (
    "list_walks",
    "grace_periods",
    "barriers",
    "sysfs_add",
    "sysfs_remove",
    "ipis",
    "shrink",
    "create",
    "release",
    "cgroups",
    "objects",
    "callbacks",
    "workers",
    "programs",
)


def _check_name(name: str) -> None:
    """Refuse a cache's name that is not one word of a row; "" is the default."""
    if not name.isprintable():
        expected = "a name of printable characters"
    elif " " in name or len(name.encode()) > 127:
        expected = "no blank and at most 127 bytes: slabtop reads no others"
    else:
        return
    raise InputError("cache", f"{name!r} is no name", expected)


# --- the time plane -------------------------------------------------------------------


class Run(NamedTuple):
    """Occupy the CPU for *ns*, in user mode or in the kernel."""

    ns: int
    user: bool = False


class Lock(NamedTuple):
    """Take a mutex, sleeping uninterruptibly behind those who asked earlier."""

    mutex: Mutex


class Hotplug(NamedTuple):
    """Take the read or the write side of the hotplug lock."""

    write: bool


class Block(NamedTuple):
    """Sleep until woken."""

    uninterruptible: bool


class Yield(NamedTuple):
    """Let the others of this CPU's queue run first."""


Step = Generator[Any, None, Any]
Ended = tuple[int, LifecycleError | None]


def _in_a_row(call: Callable[..., object], *operands: Iterable[Any]) -> Ended:
    """Make calls until one fails; return how many did not, and its error."""
    done = 0
    for each in zip(*operands, strict=True):
        try:
            call(*each)
        except LifecycleError as error:
            return done, error
        done += 1
    return done, None


class Task:
    """A program, a kworker or a CPU's softirq."""

    def __init__(self, world: World, cpu: Cpu, bound: bool) -> None:
        world.task_serial += 1
        self.number = world.task_serial
        self.body: Step
        self.cpu = cpu
        self.bound = bound
        self.state = "S"  # R running, Q queued, S or D asleep, X gone
        self.left = 0  # nanoseconds of its current step still to run
        self.user = False
        self.interrupted = False  # displaced by the softirq, not switched out
        self.since = 0
        self.wants: Mutex | None = None  # the mutex it is in line for
        self.spins = False
        self.wants_since = 0
        self.wants_write = False  # the write side of the hotplug lock
        self.in_hotplug = False  # it holds either side
        self.pool: Pool | None = None
        self.counted = False  # a kworker that its pool counts as running
        self.parent: Task | None = None
        self.children = 0
        self.waiting = False
        self.background = False  # runs for ever; nobody waits for its end
        self.lives_with: Task | None = None  # the parent that does not wait for it
        self.memcg: Memcg | None = None  # the cgroup it is in
        self.made: Memcg | None = None  # the cgroup its program holds
        self.cache: Cache | None = None  # the root cache its program holds


Worded = Callable[[], SlabcoreError]  # an error, worded when it is read


class Watch(NamedTuple):
    """Something of a cgroup that somebody waits for."""

    ticket: int
    what: str
    memcg: Memcg
    root: Cache | None


class Hold:
    """A mutex that is held until somebody lets it go, or a place in its line."""

    def __init__(self) -> None:
        self.owned = self.given_up = False
        self.task: Task


class Callback(NamedTuple):
    """An RCU callback: what it does, and the grace period that must be over first.

    at, ahead: when it was queued, and behind how many others of its CPU.
    """

    kind: str
    arg: Any
    after: int
    number: int  # on its CPU
    at: int
    ahead: int


class Cpu:
    """A CPU: who runs, who waits to run, and its RCU callbacks in four segments."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.current: Task | None = None
        self.urgent: deque[Task] = deque()  # woken kworkers, before all others
        self.queue: deque[Task] = deque()
        self.ends = 0  # when the current step ends
        self.switches = 0  # makes an event of an abandoned step recognisable
        self.done: deque[Callback] = deque()
        self.wait: list[Callback] = []
        self.ready: list[Callback] = []
        self.next: list[Callback] = []
        self.callbacks_queued = self.callbacks_invoked = 0
        self.wait_gp = self.ready_gp = 0
        self.blimit = BLIMIT
        self.known_gp = self.known_completed = 0
        self.qs = self.qs_pending = False
        self.was_idle = False
        self.stock: Memcg | None = None  # the cgroup that charged here last
        self.left_at = 0  # when a task last left it, or an IPI woke it up
        self.softirq: Task
        self.softirq_active = False

    @property
    def qlen(self) -> int:
        return len(self.done) + len(self.wait) + len(self.ready) + len(self.next)

    @property
    def crowded(self) -> bool:
        """Somebody waits for this CPU."""
        return bool(self.urgent or self.queue)

    @property
    def idle(self) -> bool:
        return self.current is None and not self.crowded

    @property
    def takes_wakeups(self) -> bool:
        """Nothing but the softirq is on it."""
        return not self.crowded and self.current in (None, self.softirq)


class Mutex:
    """A FIFO mutex: unlocking hands it to the first in line.

    A task spins in line while the owner is on a CPU or about to be on another one
    (mutex_spin_on_owner(), kernel/locking/mutex.c); else it sleeps.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.owner: Task | None = None
        self.line: deque[Task] = deque()
        self.since = 0
        self.holds = self.held_ns = self.waited_ns = 0
        self.longest_wait_ns = self.longest_queue = 0


class Rwsem:
    """The lock of CPU and memory hotplug: many readers, or one writer.

    Readers never wait for readers. A writer waits for those that are in, and holds off
    all who come later. Nobody spins. Holds are counted of writers, waits of all.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.writer: Task | None = None
        self.readers = 0
        self.line: deque[Task] = deque()
        self.since = 0
        self.holds = self.held_ns = self.waited_ns = 0
        self.longest_wait_ns = self.longest_queue = 0


class Work:
    """A work item; *arg* is what its function works on."""

    def __init__(self, name: str, arg: Any = None) -> None:
        self.name = name
        self.arg = arg
        self.number = 0  # by order of queueing; 0: slab_caches_to_rcu_destroy's
        self.pending = self.running = self.again = False
        self.queue = "events"
        self.queued_at = 0
        self.before_flush = 0  # flushes of its queue that began later wait for it

    def about(self) -> tuple[Memcg | None, Cache | None]:
        if self.name == "remove-directory":
            return None, self.arg  # its cgroup may be gone by now
        if isinstance(self.arg, Cache):
            # A root may have been destroyed with it, and its cgroup be gone.
            return self.arg.memcg if self.arg.live else None, self.arg
        if isinstance(self.arg, tuple):
            return self.arg[1], None
        return self.arg, None


class Pool:
    """A worker pool: of one CPU, or unbound."""

    def __init__(self, number: int, cpu: Cpu | None) -> None:
        self.number = number
        self.cpu = cpu
        self.worklist: deque[tuple[Queue, Work]] = deque()
        self.idle: list[Task] = []  # the most recently used one last
        self.workers = 0
        self.running = 0  # kworkers on a CPU or queued for one, inside a work item
        self.managing = False
        self.timer_armed = False

    def too_many(self) -> bool:
        # too_many_workers(), kernel/workqueue.c
        idle = len(self.idle)
        return idle > 2 and (idle - 2) * 4 >= self.workers - idle


class Flush:
    """A task that waits for the items that a workqueue held when it came."""

    def __init__(self, task: Task, number: int, left: int) -> None:
        self.task = task
        self.number = number
        self.left = left


class Queue:
    """A workqueue as one pool sees it: at most *max_active* items at a time."""

    def __init__(self, name: str, pool: Pool, max_active: int) -> None:
        self.name = name
        self.pool = pool
        self.max_active = max_active
        self.active = 0
        self.delayed: deque[Work] = deque()


# --- the data plane -------------------------------------------------------------------


class List(dict[Any, None]):
    """A list whose entries are added at the head and removed anywhere."""

    def add(self, entry: Any) -> None:
        self[entry] = None

    def walk(self) -> Iterator[Any]:
        return iter(list(reversed(self)))

    def following(self, entry: Any) -> Any:
        """Return what stands behind an entry, None behind the last."""
        walk = self.walk()
        while next(walk) is not entry:
            pass
        return next(walk, None)


class Cache:
    """A kmem_cache: a root, or the child that a cgroup has of one."""

    def __init__(self, serial: int, size: int, page: int, min_objects: int) -> None:
        self.serial = serial
        self.name = ""  # of a root; a child is shown by its root's
        self.size = size
        self.accounted = self.typesafe = self.reclaimable = False
        self.root: Cache | None = None
        self.memcg: Memcg | None = None
        self.children = List()
        self.slots: dict[int, Cache] = {}  # memcg_caches: kmemcg_id -> child
        self.missed_at: dict[int, int] = {}
        self.order = 0
        while (page << self.order) // size < min_objects and self.order < MAX_ORDER:
            self.order += 1
        while (page << self.order) < size:
            self.order += 1
        self.per_slab = (page << self.order) // size
        # min_partial of kmem_cache_open(), mm/slub.c, and one slab on the CPU.
        self.keep = min(max((size.bit_length() - 1) // 2, 5), 10) + 1
        self.inuse = self.slabs = self.pinned = 0
        self.in_flight = 0  # objects being allocated or freed: nobody else's to free
        self.refs = 0  # of a child that may move to another cgroup
        self.killed = False  # the first of them is gone
        self.cpus = 0  # bit n: CPU n has a slab of it
        self.deactivated = False
        self.live = True  # until it is shut down
        self.shut_down = 0  # as which of all caches
        self.unslotted = False  # by a destruction of its root that left it
        self.nodes = 0  # kernfs nodes of its directory
        self.named_after = 0  # serial of the cgroup in a child's name
        self.number = 0  # and the number that stands before it
        self.memory_nodes = 1  # those it has a node structure for
        # A root: how many users it has, and how many of them have asked for its end.
        self.refcount = 1
        self.leaving = 0
        self.shareable = self.dying = False
        self.parked = List()  # children that held objects, out of the way
        self.respliced = False  # its children: parked and put back once
        # The end of any cache.
        self.released = False  # the first reference is put
        self.leaked = False  # a root that 6.12 shut with objects left
        self.kobject = 1  # references to the struct
        self.lost = 0  # those that nobody will put
        self.removal: Work | None = None  # of its directory
        self.page_frees = 0  # callbacks that will look at it
        self.queued_free: tuple[Cpu, Callback] | None = None  # its own


class Memcg:
    """A memory cgroup and the css that holds it."""

    def __init__(self, serial: int, parent: Memcg | None) -> None:
        self.serial = serial
        self.parent = parent
        self.kmemcg_id = -1
        self.id = 0  # of the css or its own; its number stays when it is given back
        self.id_held = False
        self.online = self.kmem_online = False
        self.dead = self.gone = False
        self.released = False  # of its cgroup only the memory is left
        self.refs = 1  # of the css
        self.online_children = 0  # of the css, itself included (online_cnt)
        self.child_cgroups = 0
        self.tasks = 0
        self.kmem_caches = List()
        self.objcg: ObjCgroup | None = None  # whom its tasks' objects are charged to
        self.objcg_list = List()  # those that its children left to it

    def is_below(self, other: Memcg) -> bool:
        above = self.parent
        while above is not None and above is not other:
            above = above.parent
        return above is not None


class ObjCgroup:
    """An obj_cgroup: who answers for objects, and for whom its cgroup answers."""

    def __init__(self, memcg: Memcg) -> None:
        self.serial = memcg.serial  # of the cgroup it was made for
        self.memcg = memcg
        self.refs = 1  # until it is killed; and one for each object
        self.killed = False
        self.in_flight = 0
        # Of each root, objects that somebody holds and objects that are pinned.
        self.held: dict[Cache, int] = {}
        self.pinned: dict[Cache, int] = {}


# --- the world ------------------------------------------------------------------------


class World:
    """A machine with a kernel of one design, in virtual time."""

    def __init__(
        self,
        design: Any,
        machine: Any,
        costs: Any,
        *,
        walk: str = "counted",
        sample_ns: int = 1_000_000_000,
        log: bool = False,
    ) -> None:
        self.design = design
        self.machine = machine
        self.costs = costs
        self.tick_ns = 1_000_000_000 // machine.hz
        self.sample_ns = sample_ns
        self.kmem = design.accounting != "opt-in" and machine.kmem != "off"
        if design.accounting == "opt-in":
            self.kmem = machine.kmem == "on"
        self.children_made = self.kmem and design.child_caches
        # SLAB has no directories in sysfs. It shrinks at offline, at once, and lets a
        # CPU's slab go by an IPI.
        self.slab = machine.allocator == "slab"
        self.kernfs_per_cache = 0 if self.slab else machine.kernfs_per_cache
        self.deactivation = design.deactivation
        later = design.reparenting and design.deactivation == "rcu-per-cache"
        if self.slab and design.deactivation != "none" and not later:
            self.deactivation = "ipi"
        self.create_waits = self.slab and design.create_waits
        # What a cgroup allocated is its parent's once it is offline.
        self.inherits = design.reparenting or design.accounting == "objects"
        self.by_object = self.kmem and design.accounting == "objects"
        self.by_object &= not design.child_caches
        self.objcgs: list[ObjCgroup] = []
        self.objcgs_peak = self.objcgs_reparented = 0

        self.now = 0
        self.events: list[tuple[int, int, int, int]] = []
        self.task_serial = 0
        self.cpus = [Cpu(number) for number in range(machine.cpus)]
        for cpu in self.cpus:
            cpu.softirq = Task(self, cpu, bound=True)
            cpu.softirq.body = self._softirq(cpu)
        self.main_cpu = self.cpus[0]
        self.timers: dict[int, Task] = {}
        self.uninterruptible = self.uninterruptible_peak = 0
        self.user_tasks = 0
        self.threads = 0  # of programs and of the face
        self.iterations = self.mkdir_failures = self.mkdir_failed_at = 0
        self.ended_at = self.drained_at = 0
        self.was_busy = False
        self.programs: list[list[tuple[int, int, int, int, int]]] = []
        self.kept: deque[Memcg] = deque()  # cgroups that wait for rmdir_kept
        self.settling = 0  # programs that wait until nothing but them is left
        self.tickets = 0
        self.ended: list[tuple[int, int, int, Worded | None]] = []
        self.watches: list[Watch] = []
        self.holds: dict[int, Hold] = {}

        self.cgroup_mutex = Mutex("cgroup_mutex")
        self.slab_mutex = Mutex("slab_mutex")
        self.barrier_mutex = Mutex("rcu_barrier_mutex")
        self.mutexes = (self.cgroup_mutex, self.slab_mutex, self.barrier_mutex)
        # CPU and memory hotplug in one, between cgroup_mutex and slab_mutex.
        self.hotplug_lock = Rwsem("hotplug")
        self.memory_nodes = 1

        # d = 1 + (HZ > 250) + (HZ > 500) jiffies, kernel/rcu/tree.h
        jiffies = 1 + (machine.hz > 250) + (machine.hz > 500)
        self.scan_ns = (jiffies + design.fqs_late_tick) * self.tick_ns
        self.gpnum = self.completed = self.requested = 0
        self.gp_pending: set[Cpu] = set()
        self.scan_at = 0
        self.first_scan = True
        self.callbacks = 0
        self.callbacks_queued = self.callbacks_invoked = self.longest_callbacks = 0
        self.barrier_sequence = 0
        self.barrier_count = 0
        self.barrier_waiter: Task | None = None
        self.sync_waits = {
            "none": 0,
            "cgroup_mutex": 0,
            "slab_mutex": 0,
            "hotplug": 0,
        }
        self.async_waits = 0
        self.expedited = False  # /sys/kernel/rcu_expedited
        self.expedited_waits = 0
        self.barriers = self.ipis = 0
        self.stalls = 0  # of those who interrupted halted CPUs
        # rcu_sync of cgroup_threadgroup_rwsem, kernel/rcu/sync.c
        self.rss_state = "idle"
        self.rss_callback = "idle"
        self.rss_count = 0

        self.pools = [Pool(cpu.number, cpu) for cpu in self.cpus]
        self.unbound = Pool(machine.cpus, None)
        self.works = 0
        self.worked_at = 0  # when a work item last ended
        self.work_stats: dict[str, list[int]] = {}
        self.queues: dict[str, list[Queue]] = {
            "events": [Queue("events", pool, MAX_ACTIVE) for pool in self.pools],
            "cgroup_destroy": [Queue("cgroup_destroy", p, 1) for p in self.pools],
        }
        if design.create_queue == "ordered":
            name = "memcg_kmem_cache_create"
            self.queues[name] = [Queue(name, self.unbound, 1)] * machine.cpus
        if "per-cpu-1" in (design.create_queue, design.deactivate_queue):
            name = "memcg_kmem_cache"
            self.queues[name] = [Queue(name, pool, 1) for pool in self.pools]
        self.create_queue = {
            "ordered": "memcg_kmem_cache_create",
            "per-cpu-1": "memcg_kmem_cache",
        }.get(design.create_queue, "events")
        self.deactivate_queue = {"per-cpu-1": "memcg_kmem_cache"}.get(
            design.deactivate_queue, "events"
        )
        for name in self.queues:
            self.work_stats[name] = [0, 0, 0]
        self.in_flight = dict.fromkeys(self.queues, 0)
        self.flushes: dict[str, list[Flush]] = {name: [] for name in self.queues}
        self.flushes_begun = dict.fromkeys(self.queues, 0)
        self.kworkers = self.kworkers_peak = 0
        for pool in [*self.pools, self.unbound]:
            self._worker(pool)
        # Each CPU's pool of high priority has one; nothing that is modelled uses it.
        self.kworkers += len(self.cpus) + machine.other_kworkers
        self.kworkers_peak = self.kworkers

        self.reaps = 0  # queued or running: they keep nobody from resting
        self.reaper_passes = self.reaper_skipped = self.free_slabs_at = 0

        self.load = [0, 0, 0]
        self.load_peak = 0
        self.load_ns = (5 * machine.hz + 1) * self.tick_ns  # LOAD_FREQ

        self.serial = 0
        self.shutdowns = 0
        self.files: list[procfs.OpenFile | None] = []
        self.spare_files: list[int] = []
        self.slabinfo_files: list[tuple[int, ...]] = []  # whole ones, by programs
        self.existing = List()  # caches, from their creation until they are freed
        self.roots: list[Cache] = []
        self.accounted: list[Cache] = []
        self.slab_caches = List()
        self.slab_root_caches = List()
        self.rcu_destroy: list[Cache] = []  # slab_caches_to_rcu_destroy
        self.destroy_work = Work("barrier")
        self.memcg_serial = 0
        self.root_memcg = Memcg(0, None)
        self.root_memcg.online = True
        self.memcgs: dict[int, Memcg] = {}
        self.taken_ids = {1}  # of memory cgroups; the root's
        self.lowest_id = 2  # no free one is below
        self.free_ids: list[int] = []
        self.next_id = self.nr_ids = 0
        steps = ("create", "grow", "offline", "free", "reparent", "destroy")
        self.hops = dict.fromkeys((*steps, "hotplug", "reap", "slabinfo"), 0)
        self.aliases = self.roots_destroyed = self.destroys_failed = 0
        self.caches_leaked = 0
        self.creations_unmissed = 0
        # Of the first cache that was freed under a page-free callback.
        self.schedule: list[dict[str, Any]] = []
        self.too_late: Callback | None = None
        self.caches_created = self.caches = self.caches_dying = 0
        self.caches_peak = self.caches_dying_peak = 0
        self.cgroups_created = self.cgroups = self.cgroups_dying = 0
        self.cgroups_peak = self.cgroups_dying_peak = 0
        self.shrinks = self.offlined = 0
        self.offlined_at = self.freed_at = 0  # the last cgroup; the last of all
        self.nodes = self.nodes_peak = 0
        self.slab_bytes = self.slab_bytes_peak = 0
        self.misses = self.pairs_missed = 0
        self.delays: list[int] = []
        self.creations_pending = self.creations_run = 0
        self.findings: dict[str, list[int]] = {}
        self.time_ns = dict.fromkeys(CAUSES, 0)
        self.marks: dict[int, dict[str, Any]] = {}
        self.samples: list[tuple[Any, ...]] = []
        self.logs = log
        self.events_noted: list[tuple[Any, ...]] = []
        self.work_number = 0
        self.handles: dict[int, Memcg] = {0: self.root_memcg}

        self._at(self.tick_ns, TICK)
        self._at(self.load_ns, LOAD)
        self._at(0, SAMPLE)
        if self.slab:
            for cpu in self.cpus:
                self._arm_reaper(cpu)
        self._settle()

    # --- events ---

    def _at(self, when: int, kind: int, number: int = 0, version: int = 0) -> None:
        heapq.heappush(self.events, (when, kind, number, version))

    def _step(self) -> None:
        when, kind, number, version = heapq.heappop(self.events)
        self.now = when
        if kind == TICK:
            for cpu in self.cpus:
                self._tick(cpu)
            self._at(when + self.tick_ns, TICK)
        elif kind == GP:
            self._grace_period()
        elif kind == SEGMENT:
            cpu = self.cpus[number]
            if cpu.switches == version and cpu.current is not None:
                self._resume(cpu)
        elif kind == TIMER:
            self._wake(self.timers.pop(number))
        elif kind == CULL:
            self._cull((*self.pools, self.unbound)[number])
        elif kind == REAP:
            self.reaps += 1
            self._queue_work(self.cpus[number], "events", Work("reap"))
        elif kind == LOAD:
            self._sample_load()
            self._at(when + self.load_ns, LOAD)
        else:
            self._sample()
            self._at(when + self.sample_ns, SAMPLE)
        self._settle()

    def _settle(self) -> None:
        """Put waiting tasks on idle CPUs, the lowest CPU first."""
        while True:
            for cpu in self.cpus:
                if cpu.current is None and cpu.crowded:
                    self._dispatch(cpu)
                    break
            else:
                break
        self._note_drained()

    def _note_drained(self) -> None:
        busy = self.busy
        if self.was_busy and not busy:
            self.drained_at = self.now
        self.was_busy = busy

    # --- CPUs ---

    def _dispatch(self, cpu: Cpu) -> None:
        task = (cpu.urgent or cpu.queue).popleft()
        if task.interrupted and task.user and cpu.urgent:
            task.interrupted = False
            task.left += self.costs.context_switch
            cpu.queue.appendleft(task)
            task = cpu.urgent.popleft()
        cpu.current = task
        task.cpu = cpu
        task.state = "R"
        if task.interrupted:
            task.interrupted = False
        elif task is not cpu.softirq:
            cpu.qs = True
        if task.left:
            self._begin(cpu)
        else:
            self._resume(cpu)

    def _begin(self, cpu: Cpu) -> None:
        assert cpu.current is not None
        cpu.switches += 1
        if cpu.current.left == FOREVER:
            return
        cpu.ends = self.now + cpu.current.left
        self._at(cpu.ends, SEGMENT, cpu.number, cpu.switches)

    def _leave(self, cpu: Cpu) -> None:
        cpu.current = None
        cpu.left_at = self.now
        cpu.switches += 1

    def _resume(self, cpu: Cpu) -> None:
        """Run the current task up to its next step that takes time."""
        task = cpu.current
        assert task is not None
        task.left = 0
        if task.spins:
            # The softirq kept it from seeing that the owner left its CPU.
            task.spins = False
            self._sleep(task, "D")
            return
        while True:
            task.user = False
            try:
                step = next(task.body)
            except StopIteration:
                task.state = "X"
                self.threads -= 1
                self._leave(cpu)
                cpu.was_idle |= cpu.idle
                return
            if isinstance(step, Run):
                if step.ns:
                    task.left = step.ns
                    task.user = step.user
                    if step.user and cpu.urgent:
                        self._displace(cpu)
                    else:
                        self._begin(cpu)
                    return
            elif isinstance(step, Lock):
                if not self._lock(step.mutex, task):
                    self._wait_in_line(task)
                    return
            elif isinstance(step, Hotplug):
                if not self._lock_hotplug(task, step.write):
                    self._sleep(task, "D")
                    return
            elif isinstance(step, Yield):
                task.state = "Q"
                self._leave(cpu)
                cpu.queue.append(task)
                return
            else:
                self._sleep(task, "D" if step.uninterruptible else "S")
                return

    def _sleep(self, task: Task, state: str) -> None:
        task.state = state
        task.since = self.now
        self._stop_spinners(task)
        if state == "D":
            self.uninterruptible += 1
            self.uninterruptible_peak = max(
                self.uninterruptible_peak, self.uninterruptible
            )
        if task.counted:
            # wq_worker_sleeping(), kernel/workqueue.c
            assert task.pool is not None
            task.pool.running -= 1
            self._wake_worker(task.pool)
        self._leave(task.cpu)
        task.cpu.was_idle |= task.cpu.idle

    def _wake(self, task: Task) -> None:
        if task.state == "D":
            self.uninterruptible -= 1
        if task.counted:
            assert task.pool is not None
            task.pool.running += 1
        cpu = task.cpu
        if not task.bound and not cpu.takes_wakeups:
            for other in self.cpus:
                if other.takes_wakeups:
                    cpu = other
                    break
        task.cpu = cpu
        task.state = "Q"
        task.left = self.costs.context_switch
        if task.pool is None:
            cpu.queue.append(task)
            return
        # A kworker sleeps most of the time, so it comes before whoever waits and
        # displaces a program in user mode: check_preempt_wakeup(), kernel/sched/fair.c.
        cpu.urgent.append(task)
        if cpu.current is None:
            return
        if cpu.current.user:
            cpu.current.left = cpu.ends - self.now
            self._displace(cpu)
        elif cpu.current.spins:
            self._stop_spinning(cpu.current)

    def _displace(self, cpu: Cpu) -> None:
        """Put the current program back to where it waits first."""
        task = cpu.current
        assert task is not None
        task.left += self.costs.context_switch
        task.state = "Q"
        self._leave(cpu)
        cpu.queue.appendleft(task)

    def _tick(self, cpu: Cpu) -> None:
        idle = cpu.idle
        if idle and not cpu.qlen:
            return  # dynticks: an idle CPU without callbacks does not tick
        task = cpu.current
        if idle or (task is not None and task.user):
            cpu.qs = True
        if task is not None and task.spins and cpu.crowded:
            self._stop_spinning(task)
        elif task is not None and task is not cpu.softirq and cpu.crowded:
            self._stop_spinners(task)
            task.left = cpu.ends - self.now + self.costs.context_switch
            task.state = "Q"
            self._leave(cpu)
            cpu.queue.append(task)
        self._rcu_core(cpu)
        if cpu.done and not cpu.softirq_active:
            cpu.softirq_active = True
            if cpu.current is not None:
                task = cpu.current
                if not task.spins:
                    task.left = cpu.ends - self.now
                task.interrupted = True
                task.state = "Q"
                self._leave(cpu)
                cpu.urgent.appendleft(task)
            cpu.urgent.appendleft(cpu.softirq)

    # --- mutexes ---

    def _lock(self, mutex: Mutex, task: Task) -> bool:
        owner, line = mutex.owner, mutex.line
        if mutex is self.cgroup_mutex and self.slab_mutex.owner is task:
            raise CorruptionError("cgroup_mutex is taken under slab_mutex")
        if mutex is self.cgroup_mutex and task.in_hotplug:
            raise CorruptionError("cgroup_mutex is taken under the hotplug lock")
        if owner is None:
            self._own(mutex, task)
            return True
        task.wants = mutex
        task.wants_since = self.now
        if owner.state == "R" or (owner.state == "Q" and owner.cpu is not task.cpu):
            task.spins = True
            task.left = FOREVER
        line.append(task)
        self._note("__mutex_lock_slowpath", task.cpu, mutex=mutex.name)
        mutex.longest_queue = max(mutex.longest_queue, len(line))
        return False

    def _wait_in_line(self, task: Task) -> None:
        if task.spins:
            self._begin(task.cpu)
        else:
            self._sleep(task, "D")

    def _own(self, mutex: Mutex, task: Task) -> None:
        mutex.owner = task
        mutex.since = self.now
        mutex.holds += 1

    def _unlock(self, mutex: Mutex) -> None:
        mutex.held_ns += self.now - mutex.since
        mutex.owner = None
        if not mutex.line:
            return
        task = mutex.line.popleft()
        task.wants = None
        waited = self.now - task.wants_since
        mutex.waited_ns += waited
        mutex.longest_wait_ns = max(mutex.longest_wait_ns, waited)
        self._own(mutex, task)
        if not task.spins:
            self._wake(task)
            return
        task.spins = False
        task.left = 0
        if task.state == "R":
            self._begin(task.cpu)

    def _lock_hotplug(self, task: Task, write: bool) -> bool:
        lock = self.hotplug_lock
        if self.slab_mutex.owner is task or task.in_hotplug:
            raise CorruptionError("the hotplug lock is taken under slab_mutex or twice")
        if not (lock.line or lock.writer or (write and lock.readers)):
            self._own_hotplug(task, write)
            return True
        task.wants_write = write
        task.wants_since = self.now
        lock.line.append(task)
        lock.longest_queue = max(lock.longest_queue, len(lock.line))
        return False

    def _own_hotplug(self, task: Task, write: bool) -> None:
        lock = self.hotplug_lock
        task.in_hotplug = True
        if write:
            lock.writer = task
            lock.since = self.now
            lock.holds += 1
        else:
            lock.readers += 1

    def _unlock_hotplug(self, task: Task) -> None:
        """Leave, and let in who is first in line, readers up to the next writer."""
        lock = self.hotplug_lock
        task.in_hotplug = False
        if lock.writer is task:
            lock.writer = None
            lock.held_ns += self.now - lock.since
        else:
            lock.readers -= 1
        while lock.line and not lock.writer:
            first = lock.line[0]
            if first.wants_write and lock.readers:
                return
            lock.line.popleft()
            waited = self.now - first.wants_since
            lock.waited_ns += waited
            lock.longest_wait_ns = max(lock.longest_wait_ns, waited)
            self._own_hotplug(first, first.wants_write)
            self._wake(first)

    def _lock_caches(self) -> Step:
        """Keep hotplug out, then take slab_mutex."""
        yield Hotplug(write=False)
        yield Lock(self.slab_mutex)

    def _unlock_caches(self, task: Task) -> None:
        self._unlock(self.slab_mutex)
        self._unlock_hotplug(task)

    def _stop_spinners(self, owner: Task) -> None:
        """The owner leaves its CPU: who spins for its mutexes goes to sleep."""
        for mutex in self.mutexes:
            if mutex.owner is owner:
                for task in list(mutex.line):
                    if task.spins:
                        self._stop_spinning(task)

    def _stop_spinning(self, task: Task) -> None:
        task.left = 0
        if task.state == "R":
            task.spins = False
            self._sleep(task, "D")

    # --- RCU ---

    def _call_rcu(self, cpu: Cpu, kind: str, arg: Any = None) -> None:
        # The grace period that runs now, if one does, began too early.
        number = cpu.callbacks_queued
        callback = Callback(kind, arg, self.gpnum + 1, number, self.now, cpu.qlen)
        self._enqueue(cpu, cpu.next, callback)
        if cpu.qlen > QHIMARK:
            cpu.blimit = 1 << 62

    def _enqueue(self, cpu: Cpu, segment: Any, callback: Callback) -> None:
        segment.append(callback)
        cpu.callbacks_queued += 1
        self.callbacks += 1
        self.callbacks_queued += 1
        self.longest_callbacks = max(self.longest_callbacks, cpu.qlen)

    def _rcu_core(self, cpu: Cpu) -> None:
        """Do what a tick's softirq does for RCU, short of invoking callbacks."""
        if cpu.known_completed != self.completed:
            cpu.known_completed = self.completed
            self._advance(cpu)
        self._accelerate(cpu)
        if cpu.known_gp != self.gpnum:
            cpu.known_gp = self.gpnum
            cpu.qs = False
            cpu.qs_pending = True
        elif cpu.qs_pending and cpu.qs:
            cpu.qs_pending = False
            if cpu in self.gp_pending:
                self.gp_pending.remove(cpu)
                if not self.gp_pending:
                    self._at(self.now, GP)
        if self.gpnum == self.completed and self.requested > self.completed:
            self._at(self.now, GP)

    def _advance(self, cpu: Cpu) -> None:
        if cpu.wait and cpu.wait_gp <= self.completed:
            cpu.done.extend(cpu.wait)
            cpu.wait = []
        if cpu.ready and cpu.ready_gp <= self.completed:
            cpu.done.extend(cpu.ready)
            cpu.ready = []
        if not cpu.wait and cpu.ready:
            cpu.wait, cpu.wait_gp = cpu.ready, cpu.ready_gp
            cpu.ready = []

    def _accelerate(self, cpu: Cpu) -> None:
        if not cpu.next:
            return
        # A running grace period does not cover callbacks queued after it began.
        number = self.completed + (1 if self.gpnum == self.completed else 2)
        if cpu.ready and cpu.ready_gp < number:
            return
        if cpu.wait and cpu.wait_gp < number:
            cpu.ready += cpu.next
            cpu.ready_gp = number
        else:
            cpu.wait += cpu.ready + cpu.next
            cpu.wait_gp = number
            cpu.ready = []
        cpu.next = []
        self.requested = max(self.requested, number)

    def _grace_period(self) -> None:
        """Be the grace-period kthread: scan, clean up, start."""
        if self.gpnum != self.completed:
            if self.gp_pending and self.now >= self.scan_at:
                for cpu in self.cpus:
                    if cpu.idle or (cpu.was_idle and not self.first_scan):
                        self.gp_pending.discard(cpu)
                    cpu.was_idle = False
                self.first_scan = False
                if self.gp_pending:
                    self.scan_at = self.now + self.scan_ns
                    self._at(self.scan_at, GP)
            if not self.gp_pending:
                self.completed = self.gpnum
        if self.gpnum == self.completed and self.requested > self.completed:
            self.gpnum += 1
            self.gp_pending = set(self.cpus)
            self.first_scan = True
            self.scan_at = self.now + self.scan_ns
            self._at(self.scan_at, GP)

    def _softirq(self, cpu: Cpu) -> Step:
        while True:
            while cpu.done:
                batch = min(len(cpu.done), cpu.blimit)
                yield Run(self._spend("callbacks", batch * self.costs.rcu_callback))
                for _ in range(batch):
                    callback = cpu.done.popleft()
                    if callback.after > self.completed:
                        raise CorruptionError("a callback runs before its grace period")
                    if callback.number != cpu.callbacks_invoked:
                        raise CorruptionError("a callback overtakes an older one")
                    self.callbacks -= 1
                    self.callbacks_invoked += 1
                    cpu.callbacks_invoked += 1
                    self._invoke(cpu, callback)
                if cpu.blimit != BLIMIT and cpu.qlen <= QLOWMARK:
                    cpu.blimit = BLIMIT
                if cpu.done and cpu.crowded:
                    yield Yield()
            cpu.softirq_active = False
            yield Block(uninterruptible=False)

    def _invoke(self, cpu: Cpu, callback: Callback) -> None:
        kind, arg = callback.kind, callback.arg
        if kind == "wake":
            self._wake(arg)
        elif kind == "barrier":
            self.barrier_count -= 1
            if not self.barrier_count and self.barrier_waiter is not None:
                waiter, self.barrier_waiter = self.barrier_waiter, None
                self._wake(waiter)
        elif kind == "rcu-sync":
            self._rcu_sync_callback(cpu)
        elif kind == "css-killed":
            self._css_killed(cpu, arg)
        elif kind == "css-free":
            self._queue_work(cpu, "cgroup_destroy", Work("free", arg))
        elif kind == "cgroup-free":
            self._queue_work(cpu, "cgroup_destroy", Work("cgroup-free", arg))
        elif kind == "deactivate":
            self._queue_work(cpu, self.deactivate_queue, Work("deactivate", arg))
        elif kind == "cache-killed":
            if arg.live:
                arg.killed = True
                self._cache_put(cpu, arg, 1)
            else:
                self._find("work-on-destroyed-cache")
        elif kind == "objcg-killed":
            arg.killed = True
            self._objcg_put(cpu, arg, 1)
        elif kind == "slab":
            if callback is self.too_late:
                self._schedule_event(cpu, "page-free-ran", self.now, 0)
            arg.page_frees -= 1
            self._uncharge(cpu, arg, 1)
        elif kind == "cache-free":
            arg.queued_free = (cpu, callback)
            self._put_kobject(arg, cpu)

    def _synchronize(self, task: Task) -> Step:
        """Wait for a grace period, as synchronize_sched() does."""
        self._note("synchronize_sched", task.cpu)
        if self.expedited:
            # The other CPUs are interrupted instead (kernel/rcu/tree_exp.h).
            self.expedited_waits += 1
            yield Run(self._spend("ipis", self.costs.ipi * (len(self.cpus) - 1)))
            return
        for mutex in (self.slab_mutex, self.cgroup_mutex):
            if mutex.owner is task:
                self.sync_waits[mutex.name] += 1
                if len(self.cpus) > 1:
                    self._find(f"gp-under-{mutex.name}")
        self.sync_waits["hotplug"] += task.in_hotplug
        self.sync_waits["none"] += 1
        if len(self.cpus) == 1:
            return  # rcu_blocking_is_gp()
        self._call_rcu(task.cpu, "wake", task)
        asleep = self.now
        yield Block(uninterruptible=True)
        self._spend("grace_periods", self.now - asleep)

    def _barrier(self, task: Task) -> Step:
        """Wait until all callbacks queued so far were invoked: rcu_barrier()."""
        self._note("rcu_barrier", task.cpu)
        self.barriers += 1
        for mutex in (self.slab_mutex, self.cgroup_mutex):
            if mutex.owner is task:
                self._find(f"barrier-under-{mutex.name}")
        queued = [cpu.callbacks_queued for cpu in self.cpus]
        snapshot = (self.barrier_sequence + 3) & ~1
        asleep = self.now
        yield Lock(self.barrier_mutex)
        self._spend("barriers", self.now - asleep)
        if self.barrier_sequence < snapshot:
            self.barrier_sequence += 1
            for cpu in self.cpus:
                if cpu.qlen:
                    self.ipis += 1
                    yield Run(self._spend("ipis", self.costs.ipi))
                    if self.design.barrier_marker == "entrained":
                        if self._entrain(cpu):
                            self.barrier_count += 1
                    else:
                        self.barrier_count += 1
                        self._call_rcu(cpu, "barrier")
            if self.barrier_count:
                self.barrier_waiter = task
                asleep = self.now
                yield Block(uninterruptible=True)
                self._spend("barriers", self.now - asleep)
            self.barrier_sequence += 1
        self._unlock(self.barrier_mutex)
        for cpu, before in zip(self.cpus, queued, strict=True):
            if cpu.callbacks_invoked < before:
                raise CorruptionError("rcu_barrier() returns before a callback ran")

    def _entrain(self, cpu: Cpu) -> bool:
        for segment in (cpu.next, cpu.ready, cpu.wait, cpu.done):
            if segment:
                after, number = segment[-1].after, cpu.callbacks_queued
                marker = Callback("barrier", None, after, number, self.now, cpu.qlen)
                self._enqueue(cpu, segment, marker)
                return True
        return False

    def _rcu_sync_enter(self, task: Task) -> Step:
        self.rss_count += 1
        if self.rss_state == "idle":
            self.rss_state = "pending"
            yield from self._synchronize(task)
            self.rss_state = "passed"

    def _rcu_sync_exit(self, cpu: Cpu) -> None:
        self.rss_count -= 1
        if self.rss_callback == "idle":
            self.rss_callback = "pending"
            self._call_rcu(cpu, "rcu-sync")
        elif self.rss_callback == "pending":
            self.rss_callback = "replay"

    def _rcu_sync_callback(self, cpu: Cpu) -> None:
        if self.rss_count:
            self.rss_callback = "idle"
        elif self.rss_callback == "replay":
            self.rss_callback = "pending"
            self._call_rcu(cpu, "rcu-sync")
        else:
            self.rss_callback = self.rss_state = "idle"

    # --- workqueues ---

    def _queue_work(self, cpu: Cpu, name: str, work: Work) -> None:
        queue = self.queues[name][cpu.number]
        if work is not self.destroy_work:
            self.work_number += 1
            work.number = self.work_number
        work.queue = name
        self._note("workqueue_queue_work", cpu, work=work)
        self.works += 1
        self.work_stats[name][0] += 1
        work.queued_at = self.now
        self._count_in(name, work)
        if queue.active < queue.max_active:
            queue.active += 1
            queue.pool.worklist.append((queue, work))
            self._wake_worker(queue.pool)
        else:
            queue.delayed.append(work)

    def _count_in(self, name: str, work: Work) -> None:
        self.in_flight[name] += 1
        work.before_flush = self.flushes_begun[name]

    def _count_out(self, name: str, before_flush: int) -> None:
        self.in_flight[name] -= 1
        for flush in list(self.flushes[name]):
            if flush.number > before_flush:
                flush.left -= 1
                if not flush.left:
                    self.flushes[name].remove(flush)
                    self._wake(flush.task)

    def _flush_workqueue(self, task: Task, name: str) -> Step:
        """Wait for the items that are queued or run now: flush_workqueue()."""
        self.flushes_begun[name] += 1
        if self.in_flight[name]:
            self.flushes[name].append(
                Flush(task, self.flushes_begun[name], self.in_flight[name])
            )
            yield Block(uninterruptible=True)

    def _wake_worker(self, pool: Pool) -> None:
        if pool.worklist and not pool.running and pool.idle:
            worker = pool.idle[-1]
            if worker.state == "S":
                self._wake(worker)

    def _worker(self, pool: Pool) -> None:
        cpu = pool.cpu or self.cpus[0]
        worker = Task(self, cpu, bound=pool.cpu is not None)
        worker.body = self._worker_thread(pool, worker)
        worker.pool = pool
        pool.workers += 1
        self.kworkers += 1
        self.kworkers_peak = max(self.kworkers_peak, self.kworkers)
        self._enter_idle(pool, worker)

    def _enter_idle(self, pool: Pool, worker: Task) -> None:
        pool.idle.append(worker)
        worker.since = self.now
        if pool.too_many() and not pool.timer_armed:
            pool.timer_armed = True
            self._at(self.now + IDLE_WORKER_NS, CULL, pool.number)

    def _cull(self, pool: Pool) -> None:
        pool.timer_armed = False
        while pool.too_many():
            oldest = pool.idle[0]
            expires = oldest.since + IDLE_WORKER_NS
            if oldest.state != "S":
                expires = self.now + IDLE_WORKER_NS
            if expires > self.now:
                pool.timer_armed = True
                self._at(expires, CULL, pool.number)
                return
            pool.idle.pop(0)
            oldest.state = "X"
            pool.workers -= 1
            self.kworkers -= 1

    def _worker_thread(self, pool: Pool, worker: Task) -> Step:
        while True:
            pool.idle.remove(worker)
            while pool.worklist and not pool.running:
                if not pool.idle and not pool.managing:
                    pool.managing = True
                    yield Run(self._spend("workers", self.costs.worker_create))
                    pool.managing = False
                    self._worker(pool)
                    continue
                counted = pool.cpu is not None
                if counted:
                    worker.counted = True
                    pool.running += 1
                while pool.worklist and pool.running <= 1:
                    queue, work = pool.worklist.popleft()
                    if not counted:
                        self._wake_worker(pool)
                    yield from self._process(worker, queue, work)
                if counted:
                    worker.counted = False
                    pool.running -= 1
            self._enter_idle(pool, worker)
            yield Block(uninterruptible=False)

    def _process(self, worker: Task, queue: Queue, work: Work) -> Step:
        stats = self.work_stats[queue.name]
        while True:
            self._note("workqueue_execute_start", worker.cpu, work=work)
            stats[1] += 1
            stats[2] = max(stats[2], self.now - work.queued_at)
            work.pending = work.again = False
            work.running = True
            before_flush = work.before_flush
            yield from self._work_function(worker, work)
            self._note("workqueue_execute_end", worker.cpu, work=work)
            work.running = False
            self.works -= 1
            self.worked_at = self.now
            self._count_out(queue.name, before_flush)
            if not work.again:
                break
        queue.active -= 1
        if queue.delayed and queue.active < queue.max_active:
            queue.active += 1
            queue.pool.worklist.append((queue, queue.delayed.popleft()))

    def _work_function(self, worker: Task, work: Work) -> Step:
        if work.name == "create":
            return self._create_work(worker, *work.arg)
        if work.name == "offline":
            return self._offline_work(worker, work.arg)
        if work.name == "release":
            return self._release_work(worker, work.arg, "css-free")
        if work.name == "free":
            return self._free_work(worker, work.arg)
        if work.name == "cgroup-release":
            return self._release_work(worker, work.arg, "cgroup-free")
        if work.name == "cgroup-free":
            return self._cgroup_free_work(worker, work.arg)
        if work.name == "deactivate":
            return self._deactivate_work(worker, work.arg)
        if work.name == "reap":
            return self._reap_work(worker)
        if work.name == "shutdown":
            return self._shutdown_work(worker, work.arg)
        if work.name == "remove-directory":
            return self._remove_directory_work(worker, work.arg)
        return self._barrier_work(worker)

    # --- load average, timeline, findings ---

    def _runnable(self) -> int:
        """Return how many tasks are on a CPU or wait for one."""
        return sum(
            task is not None and task is not cpu.softirq
            for cpu in self.cpus
            for task in (cpu.current, *cpu.urgent, *cpu.queue)
        )

    def _sample_load(self) -> None:
        active = self.uninterruptible + self._runnable()
        active *= FIXED_1
        for i, exp in enumerate((EXP_1, EXP_5, EXP_15)):
            # calc_load(), kernel/sched/loadavg.c: rounds up while it rises
            load = self.load[i] * exp + active * (FIXED_1 - exp)
            if active >= self.load[i]:
                load += FIXED_1 - 1
            self.load[i] = load // FIXED_1
        self.load_peak = max(self.load_peak, self.load[0])

    def _sample(self) -> None:
        self.samples.append(
            (
                self.now,
                self.caches,
                self.caches_dying,
                self.cgroups,
                self.cgroups_dying,
                self.nodes,
                self.slab_bytes,
                self.kworkers,
                self.uninterruptible,
                self.load[0] / FIXED_1,
                self.creations_pending,
                self.callbacks,
            )
        )

    def _find(self, name: str) -> None:
        if name in self.findings:
            self.findings[name][1] += 1
        else:
            self.findings[name] = [self.now, 1]

    def _note(
        self,
        event: str,
        cpu: Cpu,
        memcg: Memcg | None = None,
        cache: Cache | None = None,
        *,
        work: Work | None = None,
        mutex: str = "",
    ) -> None:
        """Log an event of the task that runs on *cpu*."""
        if not self.logs:
            return
        task = cpu.current or cpu.softirq  # a timer's, on an idle CPU
        kind = "program" if task.pool is None else "kworker"
        item = -1
        if work is not None:
            item = work.number
            # Once it has run, what it was about may be gone.
            if event != "workqueue_execute_end":
                memcg, cache = work.about()
        elif event == "cgroup_mkdir":
            assert memcg is not None
            assert memcg.parent is not None
            item = memcg.parent.serial
        self.events_noted.append(
            (
                self.now,
                cpu.number,
                "softirq" if task is cpu.softirq else kind,
                task.number,
                task.pool.number if task.pool is not None else -1,
                event,
                self._function(work.name) if work is not None else "",
                work.queue if work is not None else "",
                mutex,
                item,
                memcg.serial if memcg is not None else -1,
                cache.serial if cache is not None else -1,
            )
        )

    def _function(self, name: str) -> str:
        """Return what the kernel calls the function of a work."""
        if name == "deactivate" and self.design.reparenting:
            name = "shutdown"  # one function does both
        return FUNCTIONS[name]

    def _spend(self, cause: str, ns: int) -> int:
        """Note what a step's time goes into; return it."""
        self.time_ns[cause] += ns
        return ns

    def _kernfs_add(self, nodes: int) -> int:
        """Return what adding kernfs nodes takes."""
        return self._spend("sysfs_add", nodes * self.costs.kernfs_add)

    def _kernfs_remove(self, nodes: int) -> int:
        return self._spend("sysfs_remove", nodes * self.costs.kernfs_remove)

    # --- slabs ---

    def _walk(self, entries: List, step: str) -> Iterable[Any]:
        """Return the entries and count a hop for each."""
        walked = list(entries.walk())
        self.hops[step] += len(walked)
        return walked

    def _hop_ns(self, hops: int, length: int) -> int:
        """Return what *hops* hops cost on a list of *length* entries; charge it."""
        points = self.costs.list_hop
        low = points[0]
        for high in points:
            if length <= high[0]:
                break
            low = high
        if length >= high[0] or high[0] == low[0]:
            cost = high[1] if length >= high[0] else low[1]
        else:
            cost = low[1] + (high[1] - low[1]) * (length - low[0]) // (high[0] - low[0])
        return self._spend("list_walks", int(hops * cost // 1000))

    def _take_objects(self, cpu: Cpu, cache: Cache, count: int) -> int:
        """Allocate from *cache*; return the slabs that had to be added."""
        lacking = count - (cache.slabs * cache.per_slab - cache.inuse)
        added = -(-lacking // cache.per_slab) if lacking > 0 else 0
        cache.inuse += count
        cache.slabs += added
        cache.cpus |= 1 << cpu.number
        if added:
            if self.design.reparenting:
                self._cache_get(cache, added << cache.order)
            elif cache.memcg is not None:
                cache.memcg.refs += added << cache.order
            self.slab_bytes += added * (self.machine.page_size << cache.order)
            self.slab_bytes_peak = max(self.slab_bytes_peak, self.slab_bytes)
        return added

    def _refill_stock(self, cpu: Cpu, memcg: Memcg) -> None:
        """Keep what was charged too much for the next page: refill_stock()."""
        if self.machine.charge_caches and cpu.stock is not memcg:
            before, cpu.stock = cpu.stock, memcg
            memcg.refs += 1
            if before is not None:
                self._css_put(cpu, before, 1)

    def _put_objects(self, cpu: Cpu, cache: Cache, count: int) -> int:
        """Free to *cache*; return the slabs discarded."""
        cache.inuse -= count
        empty = cache.slabs - -(-cache.inuse // cache.per_slab)
        return self._discard(cpu, cache, empty - self._kept(cache))

    def _kept(self, cache: Cache) -> int:
        """Return how many empty slabs a free leaves; SLAB does not know of offline."""
        return 0 if cache.deactivated and not self.slab else cache.keep

    def _shrink(self, cpu: Cpu, cache: Cache) -> int:
        return self._discard(
            cpu, cache, cache.slabs - -(-cache.inuse // cache.per_slab)
        )

    def _discard(self, cpu: Cpu, cache: Cache, count: int) -> int:
        if count <= 0:
            return 0
        cache.slabs -= count
        if cache.typesafe:
            cache.page_frees += count
            for _ in range(count):
                self._call_rcu(cpu, "slab", cache)
        else:
            self._uncharge(cpu, cache, count)
        return count

    def _uncharge(self, cpu: Cpu, cache: Cache, count: int) -> None:
        self.slab_bytes -= count * (self.machine.page_size << cache.order)
        if self.design.reparenting:
            self._cache_put(cpu, cache, count << cache.order)
        elif cache.memcg is not None:
            self._css_put(cpu, cache.memcg, count << cache.order)

    def _cache_get(self, cache: Cache, count: int) -> None:
        """Take references of a child that counts its own."""
        if self.design.reparenting and cache.memcg is not None:
            cache.refs += count

    def _cache_put(self, cpu: Cpu, cache: Cache, count: int) -> None:
        """Drop such references; with the last one the cache is shut down."""
        if not self.design.reparenting or cache.memcg is None:
            return
        cache.refs -= count
        if cache.refs < 0:
            raise CorruptionError("a cache has fewer than no references")
        assert cache.root is not None
        if not cache.refs and cache.live and not cache.root.dying:
            self._queue_work(cpu, self.deactivate_queue, Work("shutdown", cache))

    # --- caches: creation ---

    def _new_cache(self, size: int) -> Cache:
        # calculate_order(), mm/slub.c: 4 * (fls(CPUs) + 1) objects if they fit
        wanted = 4 * (len(self.cpus).bit_length() + 1)
        cache = Cache(self.serial, size, self.machine.page_size, wanted)
        self.serial += 1
        self.existing.add(cache)
        cache.memory_nodes = self.memory_nodes
        self.caches += 1
        self.caches_peak = max(self.caches_peak, self.caches)
        return cache

    def _link_root(
        self,
        size: int,
        accounted: bool,
        typesafe: bool,
        reclaimable: bool,
        shareable: bool,
        name: str,
    ) -> Cache:
        cache = self._new_cache(size)
        cache.name = name or f"cache-{len(self.roots)}"
        cache.accounted, cache.typesafe = accounted, typesafe
        cache.reclaimable, cache.shareable = reclaimable, shareable
        self.slab_caches.add(cache)
        self.slab_root_caches.add(cache)
        self._nodes(cache, self.kernfs_per_cache)
        self.roots.append(cache)
        if accounted:
            self.accounted.append(cache)
        return cache

    def _nodes(self, cache: Cache, count: int) -> None:
        self.nodes += count - cache.nodes
        cache.nodes = count
        self.nodes_peak = max(self.nodes_peak, self.nodes)

    def _serves(self, root: Cache) -> bool:
        """Tell whether somebody may still allocate from a root."""
        return root.live and root.refcount > root.leaving

    def _find_mergeable(
        self, size: int, accounted: bool, typesafe: bool, reclaimable: bool
    ) -> tuple[int, Cache | None]:
        """Search the oldest first for a root to share; return the hops too."""
        hops = 0
        for cache in self._roots_walked:
            hops += 1
            if cache.root is not None or not cache.shareable or cache.typesafe:
                continue
            if cache.dying and self.design.root_destroy == "flush-at-zero":
                continue
            kind = (accounted, typesafe, reclaimable)
            if (cache.accounted, cache.typesafe, cache.reclaimable) != kind:
                continue
            if -(-cache.size // 8) == -(-size // 8):
                return hops, cache
        return hops, None

    def _create_root(
        self,
        task: Task,
        size: int,
        accounted: bool,
        typesafe: bool,
        reclaimable: bool,
        mergeable: bool,
        shareable: bool,
        *,
        name: str = "",
    ) -> Step:
        yield from self._lock_caches()
        nodes = self.kernfs_per_cache
        if mergeable and not typesafe:
            hops, cache = self._find_mergeable(size, accounted, typesafe, reclaimable)
            self.hops["create"] += hops
            length = len(self._roots_walked)
            yield Run(self._hop_ns(hops, length))
            if cache is not None:
                if cache.root is not None or not cache.live:
                    raise CorruptionError(f"cache {cache.serial} is no root to share")
                # sysfs_slab_alias(), mm/slub.c: one link by the new name, in place of
                # the one that a user of this name left behind.
                links, link = cache.nodes - nodes, 1 if nodes else 0
                left = link if links >= cache.refcount else 0
                yield Run(self._kernfs_remove(left) + self._kernfs_add(link))
                if cache.dying:
                    self._find("alias-marked-dying")
                cache.refcount += 1
                self.aliases += 1
                self._nodes(cache, cache.nodes + link - left)
                self._unlock_caches(task)
                return self.roots.index(cache)
        yield Run(
            self._spend("create", self.costs.cache_create) + self._kernfs_add(nodes)
        )
        yield from self._configure(task)
        self._link_root(size, accounted, typesafe, reclaimable, shareable, name)
        self._unlock_caches(task)
        return len(self.roots) - 1

    def _miss(self, task: Task, root: Cache, memcg: Memcg) -> Step:
        """Queue the creation of a child; nothing sees whether one is queued already."""
        yield Run(self._spend("objects", self.costs.alloc_miss))
        if not self._serves(root):
            return
        if not memcg.kmem_online or memcg.kmemcg_id in root.slots:
            return
        self.misses += 1
        if memcg.kmemcg_id not in root.missed_at:
            root.missed_at[memcg.kmemcg_id] = self.now
            self.pairs_missed += 1
        memcg.refs += 1
        self.creations_pending += 1
        self._queue_work(task.cpu, self.create_queue, Work("create", (root, memcg)))

    def _create_work(self, worker: Task, root: Cache, memcg: Memcg) -> Step:
        self._note("memcg_kmem_cache_create_func", worker.cpu, memcg)
        self._note("memcg_create_kmem_cache", worker.cpu, memcg)
        yield from self._lock_caches()
        yield Run(self._spend("create", self.costs.create_check))
        if memcg.kmem_online and not root.live:
            self._find("work-on-destroyed-cache")
        elif memcg.kmem_online and not root.dying and memcg.kmemcg_id not in root.slots:
            nodes = self.kernfs_per_cache if self.design.child_sysfs else 0
            if not self.slab:
                self._note("sysfs_slab_add", worker.cpu, memcg)
            ns = self._spend("create", self.costs.cache_create)
            yield Run(ns + self._kernfs_add(nodes))
            yield from self._configure(worker)
            # A busy child that a destruction of the root took out is not in the way.
            own = {
                cache.root
                for cache in memcg.kmem_caches
                if not cache.deactivated and not cache.unslotted
            }
            if not memcg.online or root in own:
                raise CorruptionError(
                    f"cgroup {memcg.serial} gets a cache of cache {root.serial} "
                    "offline, or a second one"
                )
            # From 5.3 on slab_mutex is not held where a root is marked.
            if root.dying and not self.design.reparenting:
                raise CorruptionError(
                    f"cache {root.serial} is dying and gets another child"
                )
            cache = self._new_cache(root.size)
            cache.order, cache.per_slab = root.order, root.per_slab
            self.caches_created += 1
            cache.typesafe, cache.reclaimable = root.typesafe, root.reclaimable
            cache.root, cache.memcg = root, memcg
            cache.named_after = memcg.serial
            cache.number = memcg.id if self.design.memcg_name == "id" else memcg.serial
            if not self._roots_only:
                self.slab_caches.add(cache)
            root.children.add(cache)
            memcg.kmem_caches.add(cache)
            if self.design.reparenting:
                cache.refs = 1  # until it is killed
                memcg.refs += 1
            root.slots[memcg.kmemcg_id] = cache
            self._come_about("cache", memcg, root, 1)
            self._nodes(cache, nodes)
            # None missed it since a failed destruction of the root emptied the slot.
            if memcg.kmemcg_id in root.missed_at:
                self.delays.append(self.now - root.missed_at[memcg.kmemcg_id])
            else:
                self.creations_unmissed += 1
        self._unlock_caches(worker)
        self.creations_run += 1
        self.creations_pending -= 1
        self._css_put(worker.cpu, memcg, 1)

    def _configure(self, task: Task) -> Step:
        """Wait as SLAB of 4.7 does for each memory node of a new cache."""
        if self.create_waits:
            for _ in range(self.memory_nodes):
                yield from self._synchronize(task)

    # --- caches: deactivation ---

    def _filled(self, memcg: Memcg) -> Iterable[tuple[Cache, Cache]]:
        """Walk the list of roots that this design has; yield the filled slots."""
        for cache in self._walk(self._roots_walked, "offline"):
            if cache.root is None and memcg.kmemcg_id in cache.slots:
                yield cache, cache.slots[memcg.kmemcg_id]

    def _deactivate(self, worker: Task, memcg: Memcg) -> Step:
        """Be memcg_deactivate_kmem_caches()."""
        how = self.deactivation
        self._note("memcg_deactivate_kmem_caches", worker.cpu, memcg)
        yield from self._lock_caches()
        length = len(self._roots_walked)
        yield Run(self._hop_ns(length, length))
        for root, child in list(self._filled(memcg)):
            self._mark_deactivated(child)
            if how == "ipi" or self.slab:
                self._note("__kmem_cache_shrink", worker.cpu, memcg, child)
                self.ipis += len(self.cpus) - 1
                ns = self.costs.ipi * (len(self.cpus) - 1)
                yield Run(self._spend("ipis", ns))
                yield from self._shrink_step(worker, child)
            if how == "ipi":
                self._kill(worker.cpu, child)
                del root.slots[memcg.kmemcg_id]
            elif how == "rcu-per-cache":
                if not root.dying:
                    if not self.design.reparenting:
                        memcg.refs += 1
                    self.async_waits += 1
                    self._call_rcu(worker.cpu, "deactivate", child)
                del root.slots[memcg.kmemcg_id]
            elif how == "gp-per-cache":
                self._note("__kmem_cache_shrink", worker.cpu, memcg, child)
                yield from self._synchronize(worker)
                yield from self._shrink_step(worker, child)
                self._kill(worker.cpu, child)
                del root.slots[memcg.kmemcg_id]
        if how == "gp-per-memcg":
            self._unlock(self.slab_mutex)
            yield from self._synchronize(worker)
            yield Lock(self.slab_mutex)
            length = len(self._roots_walked)
            yield Run(self._hop_ns(length, length))
            for root, child in list(self._filled(memcg)):
                self._note("__kmem_cache_shrink", worker.cpu, memcg, child)
                yield from self._shrink_step(worker, child)
                self._kill(worker.cpu, child)
                del root.slots[memcg.kmemcg_id]
        if self.design.reparenting:
            yield from self._reparent(worker, memcg)
        self._unlock_caches(worker)

    def _reparent(self, worker: Task, memcg: Memcg) -> Step:
        """Give all caches of a cgroup to its parent, its own and those it was given."""
        caches = list(self._walk(memcg.kmem_caches, "reparent"))
        yield Run(self._hop_ns(len(caches), len(caches)))
        parent = memcg.parent
        assert parent is not None
        for cache in reversed(caches):
            self._leave_list(memcg.kmem_caches, cache)
            parent.kmem_caches.add(cache)
            cache.memcg = parent
        parent.refs += len(caches)
        self._css_put(worker.cpu, memcg, len(caches))

    def _kill(self, cpu: Cpu, cache: Cache) -> None:
        """Be percpu_ref_kill(): a grace period later the first reference goes."""
        if self.design.reparenting:
            self.async_waits += 1
            self._call_rcu(cpu, "cache-killed", cache)

    def _mark_deactivated(self, cache: Cache) -> None:
        if cache.deactivated:
            raise CorruptionError(f"cache {cache.serial} is deactivated twice")
        cache.deactivated = True
        self.caches_dying += 1
        self.caches_dying_peak = max(self.caches_dying_peak, self.caches_dying)

    def _shrink_ns(self, cpu: Cpu, cache: Cache) -> int:
        """Interrupt the CPUs that have slabs of a cache; charge what its shrink takes.

        An IPI to a CPU that is awake is in a shrink's cost (flush_all(), mm/slub.c).
        """
        self.shrinks += 1
        halted = [
            other
            for other in self.cpus[:64]
            if other is not cpu
            and cache.cpus >> other.number & 1
            and other.idle
            and not other.qlen
            and self.now - other.left_at > self.tick_ns
        ]
        cache.cpus = 0
        for other in halted:
            other.left_at = self.now
        stall, stalls = 0, self.costs.ipi_halted
        if halted and stalls:
            stall = stalls[self.stalls % len(stalls)]
            self.stalls += 1
        return self._spend("shrink", self.costs.shrink + stall)

    def _shrink_step(self, worker: Task, cache: Cache) -> Step:
        yield Run(self._shrink_ns(worker.cpu, cache))
        discarded = self._shrink(worker.cpu, cache)
        yield Run(self._spend("shrink", self.costs.page_free * discarded))

    def _deactivate_work(self, worker: Task, cache: Cache) -> Step:
        self._note(self._function("deactivate"), worker.cpu, None, cache)
        yield from self._lock_caches()
        self._note("kmemcg_cache_deact_after_rcu", worker.cpu, None, cache)
        if not cache.live:
            self._find("work-on-destroyed-cache")
        else:
            if not self.slab:
                self._note("__kmem_cache_shrink", worker.cpu, None, cache)
                yield from self._shrink_step(worker, cache)
            if not cache.slabs:
                if self.design.sysfs_removal == "deactivation":
                    yield from self._delete_directory(worker, cache)
                self._schedule_removal(worker.cpu, cache)
            self._kill(worker.cpu, cache)
        self._unlock_caches(worker)
        if not self.design.reparenting:
            assert cache.memcg is not None
            self._css_put(worker.cpu, cache.memcg, 1)

    # --- caches: directories in sysfs ---

    def _delete_directory(self, task: Task, cache: Cache) -> Step:
        """Be kobject_del()."""
        if cache.nodes:
            self._note("sysfs_slab_remove", task.cpu, None, cache)
            if self.slab_mutex.owner is task:
                self._find("kobject-under-slab_mutex")
            yield Run(self._kernfs_remove(cache.nodes))
            self._nodes(cache, 0)

    def _schedule_removal(self, cpu: Cpu, cache: Cache) -> None:
        """Queue sysfs_slab_remove_workfn(), which 4.12 to 5.8 have."""
        how = self.design.sysfs_removal
        # That of "shutdown" only sends the uevent. The kernels that have it, 4.18 to
        # 5.8, are those that flush before they take a root apart.
        queued = how == "shutdown" and self.design.root_destroy.startswith("flush")
        queued = queued or how in ("work-leaks", "work")
        queued = queued and not self.slab
        # A request that finds the item pending joins it.
        if queued and cache.removal is None:
            cache.kobject += 1
            cache.removal = Work("remove-directory", cache)
            self._queue_work(cpu, "events", cache.removal)

    def _remove_directory_work(self, worker: Task, cache: Cache) -> Step:
        self._note("sysfs_slab_remove_workfn", worker.cpu, None, cache)
        cache.removal = None
        if self.design.sysfs_removal == "work-leaks" and not cache.nodes:
            # It returns without the put.
            cache.lost += 1
        else:
            if self.design.sysfs_removal != "shutdown":
                yield from self._delete_directory(worker, cache)
            cache.kobject -= 1
        if cache.released and cache.kobject <= cache.lost:
            ns = 0 if cache.lost else self.costs.release
            yield Run(self._spend("release", ns))
            self._last_reference(cache, worker.cpu)

    # --- caches: destruction ---

    def _destroy_caches(self, worker: Task, memcg: Memcg) -> Step:
        """Be memcg_destroy_kmem_caches()."""
        self._note("memcg_destroy_kmem_caches", worker.cpu, memcg)
        yield from self._lock_caches()
        entries = memcg.kmem_caches if self.design.memcg_list else self.slab_caches
        yield Run(self._hop_ns(len(entries), len(entries)))
        later: list[Cache] = []
        for cache in self._walk(entries, "free"):
            if cache.memcg is not memcg:
                continue
            if memcg.refs:
                raise CorruptionError(
                    f"cache {cache.serial} is shut down while its cgroup has references"
                )
            if not (yield from self._shutdown(worker, cache, later)):
                raise CorruptionError("a cache is shut down with objects left")
        self._unlock_caches(worker)
        yield from self._release_later(worker, later)

    def _shutdown_work(self, worker: Task, cache: Cache) -> Step:
        """Destroy a cache whose last reference is gone."""
        self._note(self._function("shutdown"), worker.cpu, None, cache)
        later: list[Cache] = []
        yield from self._lock_caches()
        self._note("kmemcg_cache_shutdown_fn", worker.cpu, None, cache)
        if cache.refs:
            raise CorruptionError(
                f"cache {cache.serial} is shut down while it has references"
            )
        if not cache.live:
            self._find("work-on-destroyed-cache")
        elif not (yield from self._shutdown(worker, cache, later)):
            raise CorruptionError("a cache is shut down with objects left")
        self._unlock_caches(worker)
        yield from self._release_later(worker, later)

    def _shutdown(self, task: Task, cache: Cache, later: list[Cache]) -> Step:
        """Take a cache apart, unless it has objects; what cannot go now goes *later*.

        Be shutdown_cache(), mm/slab_common.c.
        """
        how = self.design.typesafe_free
        self._note("shutdown_cache", task.cpu, cache.memcg, cache)
        self._note("__kmem_cache_shutdown", task.cpu, cache.memcg, cache)
        yield Run(self._spend("release", self.costs.shutdown))
        if cache.inuse:
            return False
        discarded = self._shrink(task.cpu, cache)
        yield Run(self._spend("release", self.costs.page_free * discarded))
        in_callback = how == "call-rcu" and cache.typesafe
        removal = self.design.sysfs_removal
        # A callback cannot sleep, so it cannot delete a directory.
        if removal in ("deactivation", "shutdown") or (
            removal in ("release", "unlocked") and in_callback
        ):
            yield from self._delete_directory(task, cache)
        self._schedule_removal(task.cpu, cache)
        if cache.slabs:
            raise CorruptionError(f"cache {cache.serial} is shut down with slabs")
        self._unlink(cache)
        if how in ("barrier-batch", "barrier-per-cache"):
            later.insert(0, cache)
        elif in_callback:
            self._call_rcu(task.cpu, "cache-free", cache)
        elif cache.typesafe:
            self.rcu_destroy.append(cache)
            self._schedule_barrier_work(task.cpu)
        elif removal == "unlocked":
            later.insert(0, cache)
        else:
            yield from self._release(task, cache)
        return True

    def _release_later(self, task: Task, caches: list[Cache]) -> Step:
        """Free caches that are shut down; no slab lock is held."""
        how = self.design.typesafe_free
        if how == "barrier-batch" and any(cache.typesafe for cache in caches):
            yield from self._barrier(task)
        for cache in caches:
            if how == "barrier-per-cache":
                if self.design.sysfs_removal == "unlocked":
                    yield from self._delete_directory(task, cache)
                if cache.typesafe:
                    yield from self._barrier(task)
            yield from self._release(task, cache)

    def _unlink(self, cache: Cache) -> None:
        """Take a cache off its lists."""
        if cache.children or cache.parked:
            raise CorruptionError(f"cache {cache.serial} is shut down with children")
        cache.live = False
        self.shutdowns += 1
        cache.shut_down = self.shutdowns
        if cache in self.slab_caches:
            self._leave_list(self.slab_caches, cache)
        if cache.root is None:
            self._leave_list(self.slab_root_caches, cache)
            cache.slots.clear()
            cache.missed_at.clear()
            self._come_about("cache", None, cache, 0)
        else:
            assert cache.memcg is not None
            del cache.root.children[cache]
            self._leave_list(cache.memcg.kmem_caches, cache)

    def _leave_list(self, entries: List, cache: Cache) -> None:
        """Take a cache off a list; who stands at it goes on to the following one."""
        for file in self.files:
            if file is not None and file.entries is entries and file.place is cache:
                file.place = entries.following(cache)
        del entries[cache]

    def _destroy_root(self, task: Task, root: Cache) -> Step:
        """Be kmem_cache_destroy(); return whether no object was left."""
        how = self.design.root_destroy
        root.leaving += 1
        if how in ("flush-first", "flush-twice"):
            # Before the reference count is looked at.
            if not self.design.reparenting:
                yield Lock(self.slab_mutex)
                root.dying = True
                self._unlock(self.slab_mutex)
            root.dying = True
            twice = how == "flush-twice"
            yield from self._let_works_finish(task, root, again=twice)
        yield from self._lock_caches()
        root.leaving -= 1
        root.refcount -= 1
        if root.refcount:
            if root.dying:
                self._find("alias-marked-dying")
            self._unlock_caches(task)
            return True
        if how == "flush-at-zero":
            root.dying = True
            self._unlock_caches(task)
            yield from self._let_works_finish(task, root, again=True)
            yield from self._lock_caches()
        later: list[Cache] = []
        if root.children:
            yield from self._shutdown_children(task, root, later)
        done = not root.children and (yield from self._shutdown(task, root, later))
        if done:
            self.roots_destroyed += 1
        else:
            self.destroys_failed += 1
            if how == "unlink-first" and not root.children:
                # Off the lists all the same; its memory stays.
                self._unlink(root)
                root.leaked = True
                self.caches_leaked += 1
        self._unlock_caches(task)
        if root.leaked:
            yield from self._delete_directory(task, root)
        yield from self._release_later(task, later)
        return done

    def _let_works_finish(self, task: Task, root: Cache, again: bool) -> Step:
        """Be flush_memcg_workqueue(), mm/slab_common.c."""
        if self.design.reparenting or not self.slab:
            # For the callbacks of deactivated caches.
            yield from self._barrier(task)
        yield from self._flush_workqueue(task, self.create_queue)
        if self.deactivate_queue != self.create_queue:
            yield from self._flush_workqueue(task, self.deactivate_queue)
        if again and root.children:
            # percpu_ref_kill() needs another grace period.
            yield from self._barrier(task)

    def _shutdown_children(self, task: Task, root: Cache, later: list[Cache]) -> Step:
        """Be shutdown_memcg_caches(), mm/slab_common.c."""
        single = self.design.busy_children == "single-pass"
        for number, child in sorted(root.slots.items()):
            if not single and not (yield from self._shutdown(task, child, later)):
                del root.children[child]
                root.parked.add(child)
                continue
            del root.slots[number]
            root.missed_at.pop(number, None)
            child.unslotted = True
        length = len(root.children)
        yield Run(self._hop_ns(length, length))
        for child in self._walk(root.children, "destroy"):
            done = yield from self._shutdown(task, child, later)
            if not done and child.unslotted:
                self._find("busy-child-unusable")
        for child in list(root.parked):
            root.respliced = True
            del root.parked[child]
            root.children.add(child)

    def _schedule_barrier_work(self, cpu: Cpu) -> None:
        work = self.destroy_work
        if work.pending:
            return
        work.pending = True
        if work.running:
            self._note("workqueue_queue_work", cpu, work=work)
            # The pool that runs it runs it again (__queue_work(), kernel/workqueue.c).
            work.again = True
            work.queued_at = self.now
            self.works += 1
            self.work_stats["events"][0] += 1
            self._count_in("events", work)
        else:
            self._queue_work(cpu, "events", work)

    def _barrier_work(self, worker: Task) -> Step:
        yield Lock(self.slab_mutex)
        caches, self.rcu_destroy = self.rcu_destroy, []
        self._unlock(self.slab_mutex)
        if caches:
            yield from self._barrier(worker)
        for cache in caches:
            yield from self._release(worker, cache)

    def _release(self, worker: Task, cache: Cache) -> Step:
        """Put the first reference to a cache's struct."""
        last = cache.kobject == 1
        if last:
            if cache.nodes:
                self._note("sysfs_slab_remove", worker.cpu, None, cache)
            if cache.nodes and self.slab_mutex.owner is worker:
                self._find("kobject-under-slab_mutex")
            ns = self._spend("release", self.costs.release)
            yield Run(ns + self._kernfs_remove(cache.nodes))
            self._nodes(cache, 0)
        self._put_kobject(cache, worker.cpu)

    def _put_kobject(self, cache: Cache, cpu: Cpu) -> None:
        cache.released = True
        cache.kobject -= 1
        if cache.kobject <= cache.lost:
            self._last_reference(cache, cpu)

    def _last_reference(self, cache: Cache, cpu: Cpu) -> None:
        """Free a cache, or note that nobody ever will."""
        self.caches_dying -= cache.deactivated
        if cache.lost:
            cache.deactivated = False
            self.caches_leaked += 1
            self._find("cache-leaked")
            self._leave_memcg(cache, cpu)
            return
        self._note("slab_kmem_cache_release", cpu, None, cache)
        if cache.kobject or cache.live:
            raise CorruptionError(f"cache {cache.serial} is freed while it is in use")
        del self.existing[cache]
        self.freed_at = self.now
        self.caches -= 1
        self._leave_memcg(cache, cpu)
        if cache.page_frees:
            self._freed_too_early(cache, cpu)

    def _leave_memcg(self, cache: Cache, cpu: Cpu) -> None:
        if self.design.reparenting and cache.memcg is not None:
            self._css_put(cpu, cache.memcg, 1)

    def _freed_too_early(self, cache: Cache, cpu: Cpu) -> None:
        """Find that page-free callbacks will look at a cache that is freed."""
        for _ in range(cache.page_frees):
            self._find("cache-use-after-free")
        if self.too_late is not None or cache.queued_free is None:
            return
        pending = [
            (callback.at, other.number, callback)
            for other in self.cpus
            for callback in (*other.done, *other.wait, *other.ready, *other.next)
            if callback.kind == "slab" and callback.arg is cache
        ]
        at, number, page = min(pending, key=lambda entry: entry[:2])
        self.too_late = page
        where, own = cache.queued_free
        self._schedule_event(self.cpus[number], "page-free-queued", at, page.ahead)
        self._schedule_event(where, "cache-free-queued", own.at, own.ahead)
        self._schedule_event(cpu, "cache-freed", self.now, 0)

    def _schedule_event(self, cpu: Cpu, event: str, at: int, ahead: int) -> None:
        self.schedule.append(
            {"at_ns": at, "cpu": cpu.number, "event": event, "ahead": ahead}
        )

    # --- caches: SLAB's reaper ---

    def _arm_reaper(self, cpu: Cpu) -> None:
        """Let the next pass of this CPU's begin; neighbours follow 3 jiffies apart."""
        jiffies, period = self.machine.hz + 3 * cpu.number, REAP_S * self.machine.hz
        late = self.now - jiffies * self.tick_ns
        if late >= 0:
            jiffies += (late // (period * self.tick_ns) + 1) * period
        self._at(jiffies * self.tick_ns, REAP, cpu.number)

    def _reap_work(self, worker: Task) -> Step:
        """Be cache_reap(), mm/slab.c: walk all caches if slab_mutex is free."""
        if self.slab_mutex.owner is None:
            self._own(self.slab_mutex, worker)
            self.reaper_passes += 1
            caches = list(self._walk(self.slab_caches, "reap"))
            yield Run(self._hop_ns(len(caches), len(caches)))
            if self.now >= self.free_slabs_at:
                self.free_slabs_at = self.now + REAP_FREE_S * 1_000_000_000
                discarded = 0
                for cache in caches:
                    # A fifth of what it may keep, as drain_freelist() is asked for.
                    empty = cache.slabs - -(-cache.inuse // cache.per_slab)
                    fifth = -(-cache.keep // 5)
                    discarded += self._discard(worker.cpu, cache, min(empty, fifth))
                yield Run(self._spend("shrink", self.costs.page_free * discarded))
            self._unlock(self.slab_mutex)
        else:
            self.reaper_skipped += 1
        self.reaps -= 1
        self._arm_reaper(worker.cpu)

    # --- caches: CPU and memory hotplug ---

    def _hotplug(self, task: Task, event: str) -> Step:
        """Do for each cache on slab_caches what its allocator does at a hotplug.

        A CPU that dies gives up its slab of each cache, new memory gets a node
        structure in each, and before memory leaves each is shrunk.
        """
        yield Hotplug(write=True)
        yield Lock(self.slab_mutex)
        reached = list(self._walk(self.slab_caches, "hotplug"))
        yield Run(self._hop_ns(len(reached), len(reached)))
        self.memory_nodes += event == "memory-online"
        for cache in reached:
            if event == "memory-offline":
                yield from self._shrink_step(task, cache)
            elif event == "memory-online":
                yield Run(self._spend("create", self.costs.alloc))
                cache.memory_nodes += 1
            else:
                discarded = self._flush(task.cpu, cache)
                yield Run(self._spend("shrink", self.costs.page_free * discarded))
        missed = {cache for cache in self.existing if cache.live} - set(reached)
        for _ in missed:
            self._find("children-missed-at-hotplug")
        self._unlock_caches(task)

    def _flush(self, cpu: Cpu, cache: Cache) -> int:
        """Take a CPU's slab from it; an empty one goes if enough others are kept."""
        empty = cache.slabs - -(-cache.inuse // cache.per_slab)
        return self._discard(cpu, cache, empty - max(self._kept(cache) - 1, 0))

    # --- cgroups ---

    def _mkdir(self, task: Task, parent: Memcg) -> Step:
        self._note("sys_mkdir", task.cpu)
        yield Lock(self.cgroup_mutex)
        yield Run(self._spend("cgroups", self.costs.cgroup_mkdir))
        if parent.dead:
            self._unlock(self.cgroup_mutex)
            return None
        if len(self.taken_ids) == self.machine.max_memcgs:
            self._unlock(self.cgroup_mutex)
            return None
        while self.lowest_id in self.taken_ids:
            self.lowest_id += 1
        memcg_id = self.lowest_id
        self.taken_ids.add(memcg_id)
        number = -1
        if self.kmem:
            # There are as many of these, and none is held for longer.
            number = heapq.heappop(self.free_ids) if self.free_ids else self.next_id
            self.next_id = max(self.next_id, number + 1)
            if number >= self.nr_ids:
                yield from self._grow_arrays(number)
        self.memcg_serial += 1
        memcg = Memcg(self.memcg_serial, parent)
        memcg.kmemcg_id = number
        memcg.id, memcg.id_held = memcg_id, True
        memcg.online = True
        memcg.kmem_online = self.kmem
        memcg.online_children = 1
        if self.by_object:
            memcg.objcg = ObjCgroup(memcg)
            self.objcgs.append(memcg.objcg)
            self.objcgs_peak = max(self.objcgs_peak, len(self.objcgs))
        parent.online_children += 1
        parent.child_cgroups += 1
        parent.refs += 1
        self.memcgs[memcg.serial] = memcg
        self.cgroups_created += 1
        self.cgroups += 1
        self.cgroups_peak = max(self.cgroups_peak, self.cgroups)
        self._cgroup_nodes(+1)
        self._note("cgroup_mkdir", task.cpu, memcg)
        self._unlock(self.cgroup_mutex)
        return memcg

    def _cgroup_nodes(self, sign: int) -> None:
        self.nodes += sign * self.machine.kernfs_per_cgroup
        self.nodes_peak = max(self.nodes_peak, self.nodes)

    def _grow_arrays(self, number: int) -> Step:
        """Enlarge every root's array of children, as memcg_alloc_cache_id() does."""
        if self.children_made:
            yield Lock(self.slab_mutex)
            hops = len(list(self._walk(self._roots_walked, "grow")))
            yield Run(self._hop_ns(hops, hops))
            self._unlock(self.slab_mutex)
        self.nr_ids = min(max(2 * (number + 1), 4), MAX_KMEMCG_ID)

    def _rmdir(self, task: Task, memcg: Memcg) -> Step:
        self._note("sys_rmdir", task.cpu)
        yield Lock(self.cgroup_mutex)
        yield Run(self._spend("cgroups", self.costs.cgroup_rmdir))
        if memcg.dead or memcg.tasks or memcg.child_cgroups:
            self._unlock(self.cgroup_mutex)
            return False
        self._note("cgroup_rmdir", task.cpu, memcg)
        memcg.dead = True
        assert memcg.parent is not None
        memcg.parent.child_cgroups -= 1
        self.cgroups_dying += 1
        self.cgroups_dying_peak = max(self.cgroups_dying_peak, self.cgroups_dying)
        self._cgroup_nodes(-1)
        memcg.refs += 1  # kill_css() holds it until it is offline
        self.async_waits += 1
        self._call_rcu(task.cpu, "css-killed", memcg)
        self._unlock(self.cgroup_mutex)
        return True

    def _css_killed(self, cpu: Cpu, memcg: Memcg) -> None:
        self._note("css_killed_ref_fn", cpu, memcg)
        memcg.online_children -= 1
        if not memcg.online_children:
            self._queue_work(cpu, "cgroup_destroy", Work("offline", memcg))

    def _offline_work(self, worker: Task, memcg: Memcg) -> Step:
        self._note("css_killed_work_fn", worker.cpu, memcg)
        yield Lock(self.cgroup_mutex)
        while True:
            ns = self.costs.css_offline
            if self.design.deactivation != "none":
                # Those that it inherited were deactivated with their own cgroup.
                own = sum(memcg.kmemcg_id in root.slots for root in self.accounted)
                ns += own * self.costs.deactivate
            yield Run(self._spend("cgroups", ns))
            self._note("mem_cgroup_css_offline", worker.cpu, memcg)
            if memcg.kmem_online:
                memcg.kmem_online = False
                if self.children_made and self.design.deactivation != "none":
                    yield from self._deactivate(worker, memcg)
                if self.by_object:
                    yield from self._reparent_objcgs(worker, memcg)
                for root in self.accounted:
                    root.missed_at.pop(memcg.kmemcg_id, None)
                heapq.heappush(self.free_ids, memcg.kmemcg_id)
                memcg.kmemcg_id = -1
            memcg.online = False
            if self.design.memcg_ids == "own":
                self._give_id(memcg)
            self.offlined += 1
            self.offlined_at = self.now
            self._come_about("cache", memcg, None, 0)
            self._come_about("offline", memcg, None, 1)
            parent = memcg.parent
            assert parent is not None
            self._css_put(worker.cpu, memcg, 2)
            parent.online_children -= 1
            if parent.online_children or parent is self.root_memcg:
                break
            memcg = parent
        self._unlock(self.cgroup_mutex)

    def _give_id(self, memcg: Memcg) -> None:
        self.taken_ids.remove(memcg.id)
        self.lowest_id = min(self.lowest_id, memcg.id)
        memcg.id_held = False

    def _reparent_objcgs(self, worker: Task, memcg: Memcg) -> Step:
        """Be memcg_reparent_objcgs(): the parent answers for all that this one did.

        The cgroup's own obj_cgroup held no css; those on a list each hold the list's.
        """
        hops = len(list(self._walk(memcg.objcg_list, "reparent")))
        yield Run(self._hop_ns(hops, hops))
        objcg, parent = memcg.objcg, memcg.parent
        assert objcg is not None
        assert parent is not None
        inherited = list(memcg.objcg_list.walk())
        for moved in [objcg, *reversed(inherited)]:
            memcg.objcg_list.pop(moved, None)
            parent.objcg_list.add(moved)
            moved.memcg = parent
        memcg.objcg = None
        self.objcgs_reparented += 1 + len(inherited)
        parent.refs += 1 + len(inherited)
        self._css_put(worker.cpu, memcg, len(inherited))
        # percpu_ref_kill(): a grace period later the first reference goes.
        self.async_waits += 1
        self._call_rcu(worker.cpu, "objcg-killed", objcg)

    def _objcg_put(self, cpu: Cpu, objcg: ObjCgroup, count: int) -> None:
        objcg.refs -= count
        if objcg.refs < 0:
            raise CorruptionError("an obj_cgroup has fewer than no references")
        if not objcg.refs:
            self.objcgs.remove(objcg)
            del objcg.memcg.objcg_list[objcg]
            self._css_put(cpu, objcg.memcg, 1)

    def _css_put(self, cpu: Cpu, memcg: Memcg, count: int) -> None:
        memcg.refs -= count
        if memcg.refs < 0:
            raise CorruptionError("a css has fewer than no references")
        if not memcg.refs:
            self._queue_work(cpu, "cgroup_destroy", Work("release", memcg))

    def _release_work(self, worker: Task, memcg: Memcg, then: str) -> Step:
        self._note("css_release_work_fn", worker.cpu, memcg)
        yield Lock(self.cgroup_mutex)
        yield Run(self._spend("cgroups", self.costs.css_release))
        if then == "cgroup-free":
            self._note("cgroup_release", worker.cpu, memcg)
            memcg.released = True
        self._unlock(self.cgroup_mutex)
        self.async_waits += 1
        self._call_rcu(worker.cpu, then, memcg)

    def _free_work(self, worker: Task, memcg: Memcg) -> Step:
        self._note("css_free_work_fn", worker.cpu, memcg)
        yield Run(self._spend("cgroups", self.costs.css_free))
        self._note("mem_cgroup_css_free", worker.cpu, memcg)
        if self.design.reparenting:
            if memcg.kmem_caches:
                raise CorruptionError(
                    f"cgroup {memcg.serial} is freed with caches left"
                )
        elif self.children_made:
            yield from self._destroy_caches(worker, memcg)
        if self.design.memcg_ids == "css-id":
            self._give_id(memcg)
        parent = memcg.parent
        assert parent is not None
        if parent is not self.root_memcg:
            self._css_put(worker.cpu, parent, 1)
        self._queue_work(worker.cpu, "cgroup_destroy", Work("cgroup-release", memcg))

    def _cgroup_free_work(self, worker: Task, memcg: Memcg) -> Step:
        self._note("css_free_work_fn", worker.cpu, memcg)
        yield Run(self._spend("cgroups", self.costs.cgroup_free))
        self._come_about("freed", memcg, None, 1)
        memcg.gone = True
        self.freed_at = self.now
        del self.memcgs[memcg.serial]
        del self.handles[memcg.serial]
        self.cgroups -= 1
        self.cgroups_dying -= 1

    def _attach(self, task: Task, memcg: Memcg) -> Step:
        yield Lock(self.cgroup_mutex)
        if self.design.join_waits:
            yield from self._rcu_sync_enter(task)
        yield Run(self._spend("cgroups", self.costs.cgroup_attach))
        if not memcg.dead:
            self._note("cgroup_attach_task", task.cpu, memcg)
            task.memcg = memcg
            memcg.tasks += 1
        if self.design.join_waits:
            self._rcu_sync_exit(task.cpu)
        self._unlock(self.cgroup_mutex)

    # --- what programs do ---

    def _alloc(self, task: Task, root: Cache, memcg: Memcg, keep: int, n: int) -> Step:
        """Allocate *n* objects one by one; *keep*: 0 frees each, 1 holds, 2 pins."""
        for _ in range(n):
            yield Run(self._spend("objects", self.costs.alloc))
            cache = root
            if not self._serves(root):
                return
            if root.accounted and self.children_made and memcg.kmem_online:
                if memcg.kmemcg_id in root.slots:
                    cache = root.slots[memcg.kmemcg_id]
                else:
                    yield from self._miss(task, root, memcg)
                    if not self._serves(root):
                        return
            objcg = self._objcg_of(memcg) if root.accounted else None
            if objcg is not None:
                objcg.refs += 1
                objcg.in_flight += 1
            added = self._take_objects(task.cpu, cache, 1)
            if added and cache.memcg is not None:
                self._refill_stock(task.cpu, cache.memcg)
            cache.in_flight += 1
            self._cache_get(cache, 1)
            yield Run(self._spend("objects", self.costs.page_alloc * added))
            cache.in_flight -= 1
            self._cache_put(task.cpu, cache, 1)
            if objcg is not None:
                objcg.in_flight -= 1
            if keep == 0:
                discarded = self._put_objects(task.cpu, cache, 1)
                if objcg is not None:
                    self._objcg_put(task.cpu, objcg, 1)
                yield Run(self._spend("objects", self.costs.page_free * discarded))
                continue
            cache.pinned += keep == 2
            if objcg is not None:
                objcg.held[cache] = objcg.held.get(cache, 0) + (keep == 1)
                objcg.pinned[cache] = objcg.pinned.get(cache, 0) + (keep == 2)

    def _objcg_of(self, memcg: Memcg) -> ObjCgroup | None:
        """Return whom a task of a cgroup charges: none in the root cgroup."""
        while memcg.objcg is None and memcg.parent is not None:
            memcg = memcg.parent
        return memcg.objcg

    def _objcgs_for(self, memcg: Memcg) -> list[ObjCgroup]:
        """Return those that a cgroup answers for, its own first."""
        own = [] if memcg.objcg is None else [memcg.objcg]
        return own + list(memcg.objcg_list.walk())

    def _heir(self, memcg: Memcg) -> Memcg:
        """Return who has a cgroup's objects: itself; once offline, an ancestor."""
        while self.inherits and not memcg.online and memcg.parent is not None:
            memcg = memcg.parent
        return memcg

    def _free(
        self, task: Task, root: Cache, memcg: Memcg, count: int, at_most: bool
    ) -> Step:
        """Free objects; return None, or how many there are if those are fewer."""
        holder = self._heir(memcg)
        holder.refs += self.inherits
        yield Run(self._spend("objects", self.costs.alloc * count))
        discarded = 0
        heir = self._heir(holder)
        held = self._held_by(heir, root)
        there = sum(most for _, _, most in held)
        if at_most:
            count = min(count, there)
        enough = count <= there
        if enough:
            for cache, objcg, most in held:
                freed = min(count, most)
                if not freed:
                    continue
                discarded += self._put_objects(task.cpu, cache, freed)
                if objcg is not None:
                    objcg.held[cache] -= freed
                    self._objcg_put(task.cpu, objcg, freed)
                count -= freed
        if self.inherits:
            self._css_put(task.cpu, holder, 1)
        if enough:
            yield Run(self._spend("objects", self.costs.page_free * discarded))
        return None if enough else there

    def _held_by(
        self, memcg: Memcg, root: Cache
    ) -> list[tuple[Cache, ObjCgroup | None, int]]:
        """Return where a cgroup's objects of a root are, and how many.

        Its own first, then what it was given, the latest first, then what nobody is
        charged for.
        """
        caches = [cache for cache in memcg.kmem_caches.walk() if cache.root is root]
        caches.sort(key=lambda cache: cache.deactivated)
        held: list[tuple[Cache, ObjCgroup | None, int]] = [
            (cache, None, cache.inuse - cache.pinned - cache.in_flight)
            for cache in [*caches, root]
        ]
        charged = sum(objcg.held.get(root, 0) for objcg in self.objcgs)
        held[-1] = (root, None, held[-1][2] - charged)
        objcgs = [(root, o, o.held.get(root, 0)) for o in self._objcgs_for(memcg)]
        return objcgs + held

    def _unpin(self, task: Task, cache: Cache) -> Step:
        charged = sum(objcg.pinned.get(cache, 0) for objcg in self.objcgs)
        count = cache.pinned - charged
        if count and cache.reclaimable:
            cache.pinned -= count
            cache.in_flight += count
            yield Run(self._spend("objects", self.costs.alloc * count))
            cache.in_flight -= count
            discarded = self._put_objects(task.cpu, cache, count)
            yield Run(self._spend("objects", self.costs.page_free * discarded))

    def _drop_caches(self, task: Task) -> Step:
        """Free pinned objects: of the roots, then cgroup by cgroup, oldest first."""
        for root in list(self.roots):
            yield from self._unpin(task, root)
        yield from self._unpin_all(task, self.root_memcg)
        serial = 0
        while True:
            serial = min((s for s in self.memcgs if s > serial), default=0)
            if not serial:
                return
            memcg = self.memcgs[serial]
            if not memcg.refs:
                continue
            memcg.refs += 1
            yield from self._unpin_all(task, memcg)
            self._css_put(task.cpu, memcg, 1)

    def _unpin_all(self, task: Task, memcg: Memcg) -> Step:
        """Free what a cgroup has pinned, at one go: its caches may move on."""
        count = sum(count for _, _, count in self._pinned_by(memcg))
        yield Run(self._spend("objects", self.costs.alloc * count))
        discarded = 0
        for cache, objcg, count in self._pinned_by(memcg):
            cache.pinned -= count
            discarded += self._put_objects(task.cpu, cache, count)
            if objcg is not None:
                objcg.pinned[cache] = 0
                self._objcg_put(task.cpu, objcg, count)
        yield Run(self._spend("objects", self.costs.page_free * discarded))

    def _pinned_by(self, memcg: Memcg) -> list[tuple[Cache, ObjCgroup | None, int]]:
        pinned: list[tuple[Cache, ObjCgroup | None, int]] = [
            (cache, None, cache.pinned) for cache in memcg.kmem_caches
        ]
        for objcg in self._objcgs_for(memcg):
            pinned += [(root, objcg, count) for root, count in objcg.pinned.items()]
        return [(c, o, n) for c, o, n in pinned if n and c.reclaimable]

    def _program(
        self, task: Task, number: int, repeat: int, at: int, until: int
    ) -> Step:
        if at > self.now:
            yield from self._sleep_until(task, at)
        for _ in range(repeat):
            if until and self.now >= until:
                break
            if task.lives_with is not None and task.lives_with.state == "X":
                break
            for step in self.programs[number]:
                yield from self._program_step(task, step)
            if task.parent is None and not task.background:
                self.iterations += 1
        if task.memcg is not None:
            task.memcg.tasks -= 1
            task.memcg = None
        if not task.background:
            self._end_user_task()
        if task.parent is not None and task.lives_with is None:
            task.parent.children -= 1
            if task.parent.waiting and not task.parent.children:
                task.parent.waiting = False
                self._wake(task.parent)

    def _end_user_task(self) -> None:
        self.user_tasks -= 1
        if not self.user_tasks:
            self.ended_at = self.now

    def _sleep_until(self, task: Task, when: int) -> Step:
        self.timers[task.number] = task
        self._at(when, TIMER, task.number)
        yield Block(uninterruptible=False)

    def _program_step(self, task: Task, step: tuple[int, int, int, int, int]) -> Step:
        op, a, b, c, d = step
        if op == MKDIR:
            within = task.made if a and task.made is not None else self.root_memcg
            task.made = yield from self._mkdir(task, within)
            if task.made is None:
                self.mkdir_failed_at = self.mkdir_failed_at or self.now
                self.mkdir_failures += 1
            else:
                self.handles[task.made.serial] = task.made
        elif op == RMDIR:
            if task.made is not None:
                yield from self._rmdir(task, task.made)
                task.made = None
        elif op == FORK:
            yield Run(self._spend("programs", self.costs.fork))
            child = Task(self, task.cpu, bound=False)
            child.body = self._program(child, a, max(c, 1), 0, 0)
            child.parent, child.made = task, task.made
            child.cache = task.cache
            child.background = task.background
            child.lives_with = task if d else None
            task.children += not d
            self.threads += 1
            self.user_tasks += not task.background
            for _ in range(b):
                self._call_rcu(task.cpu, "plain")
            self._wake(child)
        elif op == JOIN:
            if task.made is not None and task.memcg is None:
                yield from self._attach(task, task.made)
        elif op in (ALLOC, PIN):
            memcg = task.memcg or self.root_memcg
            roots = self.accounted[a : a + b]
            for _ in range(c if op == ALLOC else 1):
                for root in roots:
                    yield Run(self._spend("programs", d), user=True)
                    if op == ALLOC:
                        yield from self._alloc(task, root, memcg, 0, 1)
                    else:
                        yield from self._alloc(task, root, memcg, 2, c)
        elif op == SLEEP:
            yield from self._sleep_until(task, self.now + a)
        elif op == RUN:
            if b == 0 or self.kmem:
                yield Run(self._spend("programs", a), user=True)
        elif op == CALLBACKS:
            for _ in range(a):
                self._call_rcu(task.cpu, "plain")
        elif op == EXIT:
            yield Run(self._spend("programs", self.costs.exit))
            for _ in range(a):
                self._call_rcu(task.cpu, "plain")
        elif op == WAIT:
            if task.children:
                task.waiting = True
                yield Block(uninterruptible=False)
        elif op == AT:
            if a > self.now:
                yield from self._sleep_until(task, a)
        elif op == DROP:
            yield from self._drop_caches(task)
        elif op == MARK:
            # The first task that comes here begins the phase.
            self.marks.setdefault(a, {"at_ns": self.now, **self._figures()})
        elif op == HOTPLUG:
            yield from self._hotplug(task, HOTPLUGS[a])
        elif op == CREATE_CACHE:
            flags = [bool(b >> bit & 1) for bit in range(5)]
            number = yield from self._create_root(task, a, *flags)
            task.cache = self.roots[number]
        elif op in (HOLD, FREE, DESTROY_CACHE):
            # 0 is the cache that the task holds, n + 1 is number n.
            held = task.cache
            if a:
                held = self.roots[a - 1] if a <= len(self.roots) else None
            if held is None:
                return
            memcg = task.memcg or self.root_memcg
            if op == FREE:
                yield from self._free(task, held, memcg, b, at_most=True)
            elif self._serves(held) and op == HOLD:
                yield from self._alloc(task, held, memcg, 1, b)
            elif self._serves(held):
                yield from self._destroy_root(task, held)
        elif op == KEEP:
            if task.made is not None:
                self.kept.append(task.made)
                task.made = None
        elif op == TAKE:
            if self.kept:
                task.made = self.kept.popleft()
        elif op == RMDIR_KEPT:
            while self.kept:
                yield from self._rmdir(task, self.kept.popleft())
        elif op == SETTLE:
            self.settling += 1
            began = self.now
            while (
                self.user_tasks > self.settling
                or self.works
                or self.now - max(began, self.worked_at) < a
            ):
                yield from self._sleep_until(task, self.now + b)
            self.settling -= 1
        elif op == EXPEDITE:
            self.expedited = bool(a)
        elif op == SLABINFO:
            yield from self._slabinfo(task, a, b, bool(c))
        elif op == PROBE:
            yield Lock(self.cgroup_mutex)
            yield Run(self._spend("programs", a))
            self._unlock(self.cgroup_mutex)

    # --- files ---

    def _open_file(
        self, kind: int, memcg: Memcg | None, cursor: bool, by_program: bool
    ) -> int:
        """Open a file; its number is the one given back last, or a new one."""
        file = procfs.OpenFile(self, kind, memcg, cursor, by_program)
        if self.spare_files:
            number = self.spare_files.pop()
            self.files[number] = file
        else:
            number = len(self.files)
            self.files.append(file)
        return number

    def _close_file(self, number: int) -> None:
        self.files[number] = None
        self.spare_files.append(number)

    def _sections(self, task: Task, file: procfs.OpenFile, at: int, steps: Any) -> Step:
        """Read or seek at an offset; a section is paid for with its mutex held."""
        file.begin_call(at)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                for mutex in self.mutexes:
                    if mutex.owner is task:
                        raise CorruptionError(
                            f"a read returns with {mutex.name} held"
                        ) from None
                return end.value
            mutex = file.mutex
            if mutex is not None:
                yield Lock(mutex)
            file.begin_section()
            if next(steps) != LEAVE:
                raise CorruptionError("a section of a file does not end")
            file.end_section()
            yield Run(self._section_ns(file))
            if mutex is not None:
                file.held_ns += self.now - mutex.since
                self._unlock(mutex)

    def _section_ns(self, file: procfs.OpenFile) -> int:
        """Return what a section takes; count it and charge it."""
        hops = file.start_hops + file.next_hops
        self.hops["slabinfo"] += hops + file.children
        ns = file.rows * self.costs.slabinfo_row
        ns += file.children * self.costs.slabinfo_child
        return self._hop_ns(hops, len(file.walked)) + self._spend("programs", ns)

    def _slabinfo(self, task: Task, size: int, pause: int, cursor: bool) -> Step:
        """Read /proc/slabinfo to its end, *size* bytes a read()."""
        number = self._open_file(procfs.SLABINFO, None, cursor, True)
        file = self.files[number]
        assert file is not None
        began, calls, got = self.now, 0, b"?"
        while got:
            if calls and pause:
                yield from self._sleep_until(task, self.now + pause)
            calls += 1
            steps = file.seq.read_steps(size)
            got = yield from self._sections(task, file, file.seq.tell(), steps)
        self.slabinfo_files.append(
            (
                began,
                self.now - began,
                calls,
                sum(file.delivered.values()),
                file.missing(),
                file.repeated(),
                *file.hops,
                file.held_ns,
                cursor,
            )
        )
        self._close_file(number)

    def _slabinfo_of(self, cache: Cache) -> tuple[int, int, int, int]:
        """Return a cache's active objects, objects, active slabs and slabs.

        Slabs are counted and not filled: the free objects that there are lie on the
        CPUs' slabs first, where they count as active, and then on partial ones.
        """
        objects = cache.slabs * cache.per_slab
        if self.slab:
            filled = -(-cache.inuse // cache.per_slab)
            return cache.inuse, objects, filled, cache.slabs
        on_cpus = (cache.cpus & (1 << 64) - 1).bit_count() * cache.per_slab
        free = max(objects - cache.inuse - on_cpus, 0)
        return objects - free, objects, cache.slabs, cache.slabs

    def _tunables(self, cache: Cache) -> tuple[int, int, int]:
        """Return limit, batchcount and shared factor: enable_cpucache(), mm/slab.c."""
        if not self.slab:
            return 0, 0, 0
        limit = 120
        page = self.machine.page_size
        for larger_than, objects in ((256, 54), (1024, 24), (page, 8), (131_072, 1)):
            if cache.size > larger_than:
                limit = objects
        shares = cache.size <= self.machine.page_size and len(self.cpus) > 1
        return limit, (limit + 1) // 2, 8 if shares else 0

    # --- the face: calls made by the world's own user task ---

    def _unheld(self) -> None:
        """Refuse a call that runs the world to its end while a mutex is held long."""
        if self.holds:
            raise LifecycleError(
                "a mutex is held, or waited for, until let_go(); begin() the call "
                "meanwhile"
            )

    def _call(self, body: Callable[[Task], Step]) -> Any:
        self._unheld()
        answer: list[Any] = []

        def main() -> Step:
            answer.append((yield from body(task)))
            self.main_cpu = task.cpu

        self.user_tasks += 1
        self.threads += 1
        task = Task(self, self.main_cpu, bound=False)
        task.body = main()
        self._wake(task)
        self._settle()
        while task.state != "X":
            self._step()
        self.user_tasks -= 1
        self._note_drained()
        return answer[0]

    def _memcg(self, handle: int, heir: str = "") -> Memcg:
        memcg = self.handles.get(handle)
        if memcg is None:
            raise StaleHandleError(f"the cgroup of this handle is gone{heir}")
        return memcg

    def _root(self, number: int) -> Cache:
        if not 0 <= number < len(self.roots):
            raise StaleHandleError("there is no root cache of this number")
        root = self.roots[number]
        if not root.live and not root.leaked:
            raise StaleHandleError("the root cache of this number is gone")
        return root

    def _serving(self, number: int, what: str) -> Cache:
        root = self._root(number)
        if not self._serves(root):
            raise LifecycleError(f"the cache is destroyed; {what} needs a live one")
        return root

    def _live(self, handle: int, what: str) -> Memcg:
        memcg = self._memcg(handle)
        if memcg.dead:
            raise LifecycleError(f"the cgroup is removed; {what} needs a live one")
        return memcg

    @property
    def now_ns(self) -> int:
        """Return the virtual time."""
        return self.now

    @property
    def _roots_only(self) -> bool:
        """Children are not on slab_caches."""
        return bool(self.design.slab_caches == "roots")

    @property
    def _roots_walked(self) -> List:
        """Return the list that is walked for the roots on it."""
        return self.slab_root_caches if self.design.root_list else self.slab_caches

    @property
    def busy(self) -> bool:
        """Tell whether a program, a work item or a callback is left."""
        return bool(self.user_tasks or self.works > self.reaps or self.callbacks)

    def boot_cache(
        self,
        size: int,
        accounted: bool,
        typesafe: bool,
        reclaimable: bool,
        shareable: bool = False,
        name: str = "",
    ) -> int:
        """Create a root cache before time begins; it is called cache-N by default."""
        _check_name(name)
        if self.now:
            raise LifecycleError("time has begun; a boot cache needs time 0")
        self._link_root(size, accounted, typesafe, reclaimable, shareable, name)
        return len(self.roots) - 1

    def boot_slabs(
        self, number: int, order: int, per_slab: int, objects: int, slabs: int
    ) -> None:
        """Give a root cache a layout and what it holds when time begins."""
        if self.now:
            raise LifecycleError("time has begun; boot_slabs needs time 0")
        root = self._root(number)
        if root.slabs:
            raise LifecycleError("the cache has slabs; boot_slabs needs a new one")
        if not 0 <= order <= 30 or per_slab < 1 or not 0 <= slabs < 1 << 31:
            what = f"no slabs: order {order}, {per_slab} objects, {slabs}"
            raise InputError("", what)
        if per_slab * root.size > self.machine.page_size << order:
            what = f"{per_slab} objects of {root.size} bytes are not in a slab"
            raise InputError("", what)
        if not 0 <= objects <= min(slabs * per_slab, (1 << 31) - 1):
            raise InputError("", f"{objects} objects are not in {slabs} of {per_slab}")
        root.order, root.per_slab = order, per_slab
        root.inuse, root.slabs = objects, slabs
        self.slab_bytes += slabs * (self.machine.page_size << order)
        self.slab_bytes_peak = max(self.slab_bytes_peak, self.slab_bytes)

    def create_cache(
        self,
        size: int,
        accounted: bool,
        typesafe: bool,
        reclaimable: bool,
        mergeable: bool = True,
        shareable: bool = False,
        name: str = "",
    ) -> int:
        """Create a root cache, or share a shareable one; return its number."""
        _check_name(name)
        return int(
            self._call(
                lambda task: self._create_root(
                    task,
                    size,
                    accounted,
                    typesafe,
                    reclaimable,
                    mergeable,
                    shareable,
                    name=name,
                )
            )
        )

    def create_caches(
        self,
        names: Sequence[str],
        sizes: Sequence[int],
        flags: Sequence[int],
        made: Any,
    ) -> Ended:
        """Create root caches in a row; number them in *made*.

        flags: of each, 1 accounted, 2 typesafe, 4 reclaimable, 8 mergeable, 16
        shareable; before time begins, mergeable says nothing.
        Returns: how many were created, and what stopped the rest or None.
        """

        def one(i: int) -> None:
            accounted, typesafe, reclaimable, mergeable, shareable = (
                bool(flags[i] >> bit & 1) for bit in range(5)
            )
            kind = (int(sizes[i]), accounted, typesafe, reclaimable)
            if self.now:
                made[i] = self.create_cache(*kind, mergeable, shareable, names[i])
            else:
                made[i] = self.boot_cache(*kind, shareable, names[i])

        return _in_a_row(one, range(len(names)))

    def destroy_cache(self, number: int) -> None:
        """Give up a root cache; the last of its users destroys it."""
        root = self._serving(number, "destroy_cache")
        if not self._call(lambda task: self._destroy_root(task, root)):
            raise BusyError(
                "the cache still has objects; destroy_cache needs them freed (EBUSY)"
            )

    def mkdir(self, parent: int = 0) -> int:
        """Make a memory cgroup; return its handle."""
        above = self._live(parent, "mkdir")
        memcg = self._call(lambda task: self._mkdir(task, above))
        if memcg is None:
            raise self._no_id()
        self.handles[memcg.serial] = memcg
        return int(memcg.serial)

    def _no_id(self) -> LifecycleError:
        # mem_cgroup_css_online() up to 4.6, then mem_cgroup_alloc()
        error = "Cannot allocate memory (ENOMEM)"
        if self.design.memcg_ids == "css-id":
            error = "No space left on device (ENOSPC)"
        return LifecycleError(
            f"mkdir: {error}: all {self.machine.max_memcgs} memory cgroup ids are "
            f"in use; {self.cgroups_dying} cgroups are dying"
        )

    def mkdir_many(self, parents: Sequence[int], made: Any) -> Ended:
        """Make memory cgroups in a row; put their handles into *made*.

        parents: handles; below 0, -1 - i is the cgroup that entry i makes.
        Returns: how many were made, and what stopped the rest or None.
        """

        def one(i: int) -> None:
            parent = int(parents[i])
            made[i] = self.mkdir(parent if parent >= 0 else int(made[-1 - parent]))

        return _in_a_row(one, range(len(parents)))

    def rmdir_many(self, handles: Sequence[int]) -> Ended:
        """Remove cgroups in a row.

        Returns: how many were removed, and what stopped the rest or None.
        """
        return _in_a_row(self.rmdir, handles)

    def rmdir(self, handle: int) -> None:
        """Remove a cgroup that has no tasks and no children."""
        memcg = self._live(handle, "rmdir")
        if memcg is self.root_memcg:
            raise self._busy_root()
        if not self._call(lambda task: self._rmdir(task, memcg)):
            raise self._in_use()

    def _busy_root(self) -> BusyError:
        return BusyError("the root cgroup is busy; rmdir needs another (EBUSY)")

    def _in_use(self) -> BusyError:
        return BusyError("the cgroup has children or tasks; rmdir needs none (EBUSY)")

    def alloc(self, number: int, handle: int, count: int) -> None:
        """Allocate objects as a task of the cgroup would, one by one."""
        root = self._serving(number, "alloc")
        memcg = self._live(handle, "alloc")
        self._call(lambda task: self._alloc(task, root, memcg, 1, count))

    def pin(self, number: int, handle: int, count: int) -> None:
        """Allocate objects that stay until drop_caches()."""
        root, memcg = self._serving(number, "pin"), self._live(handle, "pin")
        self._call(lambda task: self._alloc(task, root, memcg, 2, count))

    def free(self, number: int, handle: int, count: int) -> None:
        """Free objects, those of the cgroup's own cache first."""
        heir = "; its objects are its parent's" if self.inherits else ""
        root, memcg = self._root(number), self._memcg(handle, heir)
        there = self._call(lambda task: self._free(task, root, memcg, count, False))
        if there is not None:
            raise self._too_few(there)

    def _too_few(self, there: int) -> LifecycleError:
        text = f"fewer objects can be freed than were asked for: {there}"
        return LifecycleError(text)

    def alloc_many(
        self, numbers: Sequence[int], handles: Sequence[int], counts: Sequence[int]
    ) -> Ended:
        """Allocate objects in a row.

        Returns: how many calls were gone through with, and what stopped the rest or
        None.
        """
        return _in_a_row(self.alloc, numbers, handles, counts)

    def pin_many(
        self, numbers: Sequence[int], handles: Sequence[int], counts: Sequence[int]
    ) -> Ended:
        """Pin objects in a row; the answer is alloc_many's."""
        return _in_a_row(self.pin, numbers, handles, counts)

    def free_many(
        self, numbers: Sequence[int], handles: Sequence[int], counts: Sequence[int]
    ) -> Ended:
        """Free objects in a row; the answer is alloc_many's."""
        return _in_a_row(self.free, numbers, handles, counts)

    def drop_caches(self) -> None:
        """Free the pinned objects of reclaimable caches."""
        self._call(self._drop_caches)

    def hotplug(self, event: int) -> None:
        """Let a CPU die, memory come online or go offline: HOTPLUGS[event]."""
        self._call(lambda task: self._hotplug(task, HOTPLUGS[event]))

    def open(self, kind: int, handle: int = 0, cursor: bool = False) -> int:
        """Open a file; return its number.

        kind: 0 /proc/slabinfo, 1 memory.kmem.slabinfo of a cgroup, 2 its cgroup.stat,
        3 /proc/cgroups, 4 /proc/loadavg. cursor: keep the place in the list.
        """
        if not 0 <= kind <= procfs.LOADAVG:
            raise InputError("", f"there is no file of kind {kind}")
        memcg = None
        if kind in (procfs.MEMCG_SLABINFO, procfs.CGROUP_STAT):
            memcg = self._live(handle, "open")
        return self._open_file(kind, memcg, cursor, False)

    def read(self, number: int, size: int, offset: int = -1) -> bytes:
        """Read up to *size* bytes where the file stands, or at an offset.

        Raises: OSError.
        """
        file = self._file(number)
        if size < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._unheld()
        at = None if offset < 0 else offset
        begin = file.seq.tell() if at is None else at
        return bytes(self._use(file, begin, file.seq.read_steps(size, at)))

    def lseek(self, number: int, offset: int, whence: int = 0) -> int:
        """Move to an offset; return it. Raises: OSError."""
        file = self._file(number)
        self._unheld()
        target = offset + (file.seq.tell() if whence == 1 else 0)
        return int(self._use(file, target, file.seq.lseek_steps(offset, whence)))

    def _use(self, file: procfs.OpenFile, at: int, steps: Any) -> Any:
        def body(task: Task) -> Step:
            try:
                answer = yield from self._sections(task, file, at, steps)
            except OSError as error:
                return error
            return answer

        answer = self._call(body)
        if isinstance(answer, OSError):
            raise answer
        return answer

    def close(self, number: int) -> None:
        """Close a file."""
        self._file(number)
        self._close_file(number)

    def file_state(self, number: int) -> dict[str, int]:
        """Return where a file stands and how often its hooks were called."""
        return self._file(number).state()

    def _file(self, number: int) -> procfs.OpenFile:
        if 0 <= number < len(self.files):
            file = self.files[number]
            if file is not None and not file.by_program:
                return file
        raise StaleHandleError("there is no open file of this number")

    def slabinfo_reads(self) -> list[tuple[int, ...]]:
        """Return each whole read of /proc/slabinfo that a program made.

        began_ns, took_ns, read_calls, rows, missing, repeated, start_hops, next_hops,
        children, held_ns, cursor.
        """
        return list(self.slabinfo_files)

    def program(self, steps: Sequence[tuple[int, int, int, int, int]]) -> int:
        """Add a program; return its number."""
        self.programs.append(list(steps))
        return len(self.programs) - 1

    def spawn(
        self,
        number: int,
        repeat: int = 1,
        at_ns: int = 0,
        until_ns: int = 0,
        background: bool = False,
    ) -> int:
        """Start a task that runs a program *repeat* times from *at_ns* on.

        until_ns: no repetition starts later; 0 is for ever. background: the world is
        at rest, and its programs have ended, though this one has not.
        Returns: the ticket under which finished() tells its end.
        """
        if not 0 <= number < len(self.programs):
            raise InputError("", f"there is no program {number}")
        ticket = self._ticket()
        task = Task(self, self.cpus[0], bound=False)

        def body() -> Step:
            yield from self._program(task, number, repeat, at_ns, until_ns)
            self._finish(ticket, 1)

        task.body = body()
        task.background = background
        self.threads += 1
        self.user_tasks += not background
        self._wake(task)
        self._settle()
        return ticket

    # --- calls that run beside others ---

    def _ticket(self) -> int:
        self.tickets += 1
        return self.tickets

    def _finish(self, ticket: int, result: int, error: Worded | None = None) -> None:
        self.ended.append((ticket, self.now, result, error))

    def _come_about(
        self, what: str, memcg: Memcg | None, root: Cache | None, result: int
    ) -> None:
        """Finish the watches for this of a cgroup and a root; None: of any."""
        for watch in list(self.watches):
            if (
                watch.what == what
                and memcg in (None, watch.memcg)
                and root in (None, watch.root)
            ):
                self.watches.remove(watch)
                self._finish(watch.ticket, result)

    def begin(self, call: int, a: int = 0, b: int = 0, count: int = 1) -> int:
        """Begin a call as a task of its own; return its ticket.

        call: a number of CALLS. 0 mkdir below a, 1 rmdir of a, 2 what it takes a task
        to join a; 3 alloc, 4 pin, 5 free *count* objects of root a for a task of cgroup
        b, which keeps it from being removed; 6 drop_caches; 7 hotplug, event a; 8 hold
        cgroup_mutex (0) or slab_mutex (1).
        """
        if call == HOLD_CALL:
            return self._begin_hold(a)
        if not 0 <= call < len(CALLS):
            raise InputError("", f"there is no call {call}")
        name = CALLS[call]
        memcg = None
        if name in ("mkdir", "rmdir", "join"):
            about = self._live(a, name)
            if name == "rmdir" and about is self.root_memcg:
                raise self._busy_root()
        elif name in ("alloc", "pin", "free"):
            root = self._root(a) if name == "free" else self._serving(a, name)
            memcg = about = self._live(b, name)

        def body(task: Task) -> Step:
            if name == "mkdir":
                made = yield from self._mkdir(task, about)
                if made is not None:
                    self.handles[made.serial] = made
                    return made.serial, None
                return (-2, self._too_late) if about.dead else (-1, self._no_id)
            if name == "rmdir":
                if (yield from self._rmdir(task, about)):
                    return 1, None
                return (-2, self._too_late) if about.dead else (0, self._in_use)
            if name == "join":
                yield from self._attach(task, about)
                return (-2, self._too_late) if task.memcg is None else (1, None)
            if name == "free":
                there = yield from self._free(task, root, about, count, False)
                if there is None:
                    return 1, None
                return -3 - there, functools.partial(self._too_few, there)
            if name in ("alloc", "pin"):
                keep = 1 if name == "alloc" else 2
                yield from self._alloc(task, root, about, keep, count)
            elif name == "hotplug":
                yield from self._hotplug(task, HOTPLUGS[a])
            else:
                yield from self._drop_caches(task)
            return 1, None

        return self._beside(body, memcg)

    def _too_late(self) -> LifecycleError:
        return LifecycleError("the cgroup was removed before the call was done")

    def _beside(self, body: Callable[[Task], Step], memcg: Memcg | None = None) -> int:
        """Let a new task of a cgroup run a function beside all others."""
        ticket = self._ticket()
        self.user_tasks += 1
        self.threads += 1
        task = Task(self, self.main_cpu, bound=False)
        if memcg is not None and memcg is not self.root_memcg:
            task.memcg = memcg
            memcg.tasks += 1

        def main() -> Step:
            ended = yield from body(task)
            self._end_user_task()
            if task.memcg is not None:
                task.memcg.tasks -= 1
                task.memcg = None
            if ended is not None:
                self._finish(ticket, *ended)

        task.body = main()
        self._wake(task)
        self._settle()
        return ticket

    def _begin_hold(self, number: int) -> int:
        if number not in (0, 1):
            raise InputError("", f"there is no mutex {number}")
        mutex = self.mutexes[number]
        hold = Hold()
        ticket = self.tickets + 1
        self.holds[ticket] = hold

        def body(task: Task) -> Step:
            hold.task = task
            yield Lock(mutex)
            if hold.given_up:
                self._unlock(mutex)
                return 0, None
            hold.owned = True
            self._end_user_task()
            self._finish(ticket, 1)
            yield Block(uninterruptible=True)
            self._unlock(mutex)
            return None

        return self._beside(body)

    def let_go(self, ticket: int) -> None:
        """Give up a mutex that is held, or its place in the line."""
        if ticket not in self.holds:
            raise StaleHandleError("no mutex is held under this number")
        hold = self.holds.pop(ticket)
        hold.given_up = True
        if hold.owned:
            self.user_tasks += 1
            self._wake(hold.task)
            self._settle()

    def line(self, number: int) -> tuple[bool, int]:
        """Tell whether cgroup_mutex (0) or slab_mutex (1) is owned; how many wait."""
        if number not in (0, 1):
            raise InputError("", f"there is no mutex {number}")
        mutex = self.mutexes[number]
        return mutex.owner is not None, len(mutex.line)

    def watch(self, kind: int, handle: int, number: int = 0) -> int:
        """Return the ticket under which it is told that something came about.

        kind: 0 a cache of root *number* serves the cgroup, with 0 if either is gone
        first; 1 it is offline; 2 it is freed.
        """
        if not 0 <= kind < len(WATCHES):
            raise InputError("", f"there is no watch of kind {kind}")
        root = memcg = None
        if kind == 0:
            root = self._serving(number, "watch")
            memcg = self._live(handle, "watch")
            already = (
                not (root.accounted and self.children_made and memcg.kmem_online)
                or memcg.kmemcg_id in root.slots
            )
        elif 0 <= handle <= self.memcg_serial and handle not in self.handles:
            already = True
        else:
            memcg = self._memcg(handle)
            already = kind == 1 and not memcg.online
        ticket = self._ticket()
        if already:
            self._finish(ticket, 1)
        else:
            assert memcg is not None
            self.watches.append(Watch(ticket, WATCHES[kind], memcg, root))
        return ticket

    def finished(self) -> list[tuple[int, int, int, SlabcoreError | None]]:
        """Return what has finished since it was last asked for: rows in their order.

        Ticket, when, the result, an error or None. The result is a handle of mkdir, 1,
        or 0 where nothing came of it.
        """
        ended, self.ended = self.ended, []
        return [
            (ticket, at, result, word and word()) for ticket, at, result, word in ended
        ]

    @property
    def _nothing_runs(self) -> bool:
        """Tell whether no task runs or will, but for SLAB's reapers."""
        return (
            not self.timers
            and not self.callbacks
            and self.gpnum == self.completed
            and all(cpu.idle for cpu in self.cpus)
        )

    @property
    def at_rest(self) -> bool:
        """Tell whether nothing can happen without a further call; with SLAB, never."""
        return self._nothing_runs and not self.slab

    def advance_to_finished(self, when: int) -> bool:
        """Run up to *when*, until something is finished, or until all is at rest.

        Returns: whether something is.
        """
        while not self.ended and not self.at_rest:
            if self.events[0][0] > when:
                self.now = max(self.now, when)
                break
            self._step()
        return bool(self.ended)

    def _step_on(self) -> None:
        if self.holds and self._nothing_runs:
            raise LifecycleError(
                "what is left waits for a mutex that is held; expected let_go() of it"
            )
        self._step()

    def run(self) -> None:
        """Run until all programs have ended."""
        while self.user_tasks:
            self._step_on()

    def drain(self) -> None:
        """Run until no program, work item or callback is left."""
        while self.busy:
            self._step_on()

    def advance_to(self, when: int) -> None:
        """Run everything up to and including *when*."""
        while self.events[0][0] <= when:
            self._step()
        self.now = max(self.now, when)

    def next_event_ns(self) -> int:
        """Return when something may happen next: here, the next tick at the latest."""
        return self.events[0][0]

    # --- what comes out ---

    def _figures(self) -> dict[str, Any]:
        """Return what the phases of a run are told apart by."""
        return {
            "time_ns": dict(self.time_ns),
            "locks": {
                m.name: {
                    "holds": m.holds,
                    "held_ns": m.held_ns,
                    "waited_ns": m.waited_ns,
                    "longest_wait_ns": m.longest_wait_ns,
                    "longest_queue": m.longest_queue,
                }
                for m in (*self.mutexes, self.hotplug_lock)
            },
            "grace_periods": {
                "synchronous": self.sync_waits["none"],
                "under_cgroup_mutex": self.sync_waits["cgroup_mutex"],
                "under_slab_mutex": self.sync_waits["slab_mutex"],
                "under_hotplug": self.sync_waits["hotplug"],
                "asynchronous": self.async_waits,
                "elapsed": self.completed,
                "expedited": self.expedited_waits,
            },
            "rcu_barriers": self.barriers,
            "ipis": self.ipis,
            "list_hops": dict(self.hops),
            "caches": {
                "created": self.caches_created,
                "live": self.caches,
                "dying": self.caches_dying,
                "peak": self.caches_peak,
                "peak_dying": self.caches_dying_peak,
                "leaked": self.caches_leaked,
                "shrunk": self.shrinks,
            },
            "roots": {
                "created": len(self.roots),
                "aliases": self.aliases,
                "destroyed": self.roots_destroyed,
                "destroy_failed": self.destroys_failed,
            },
            "cgroups": {
                "created": self.cgroups_created,
                "live": self.cgroups,
                "dying": self.cgroups_dying,
                "peak": self.cgroups_peak,
                "peak_dying": self.cgroups_dying_peak,
                "offlined": self.offlined,
            },
            "objcgs": {
                "live": len(self.objcgs),
                "peak": self.objcgs_peak,
                "reparented": self.objcgs_reparented,
            },
            "offlined_at_ns": self.offlined_at,
            "freed_at_ns": self.freed_at,
            "kernfs_nodes": self.nodes,
        }

    def counters(self) -> dict[str, Any]:
        """Return everything counted so far."""
        return {
            "virtual_ns": self.ended_at,
            "drained_ns": self.drained_at,
            "iterations": self.iterations,
            "mkdir_failures": self.mkdir_failures,
            "mkdir_failed_at_ns": self.mkdir_failed_at,
            **self._figures(),
            "kernfs_nodes_peak": self.nodes_peak,
            "slab_bytes": self.slab_bytes,
            "slab_bytes_peak": self.slab_bytes_peak,
            "kworkers": self.kworkers,
            "kworkers_peak": self.kworkers_peak,
            "uninterruptible_peak": self.uninterruptible_peak,
            "load1": self.load[0] / FIXED_1,
            "load5": self.load[1] / FIXED_1,
            "load15": self.load[2] / FIXED_1,
            "load1_peak": self.load_peak / FIXED_1,
            "callbacks": {
                "queued": self.callbacks_queued,
                "invoked": self.callbacks_invoked,
                "longest_queue": self.longest_callbacks,
            },
            "works": {
                name: {"queued": s[0], "run": s[1], "longest_pending_ns": s[2]}
                for name, s in self.work_stats.items()
            },
            "reaper": {"passes": self.reaper_passes, "skipped": self.reaper_skipped},
            "slabinfo": self._slabinfo_counters(),
            "creation_delays_ns": list(self.delays),
            "creations_never": self.pairs_missed - len(self.delays),
            "misses": self.misses,
            "findings": [
                {"id": name, "at_ns": at, "count": count} | self._schedule_of(name)
                for name, (at, count) in sorted(self.findings.items())
            ],
            "marks": {number: dict(mark) for number, mark in self.marks.items()},
        }

    def _slabinfo_counters(self) -> dict[str, int]:
        """Return what the whole reads of /proc/slabinfo by programs came to."""
        files = self.slabinfo_files
        _, _, calls, rows, missing, repeated, *_, held, _ = zip(
            *(files or [(0,) * 11]), strict=True
        )
        return {
            "files": len(files),
            "read_calls": sum(calls),
            "rows": sum(rows),
            "rows_missing": sum(missing),
            "rows_repeated": sum(repeated),
            "files_with_missing": sum(map(bool, missing)),
            "files_with_repeated": sum(map(bool, repeated)),
            "held_ns": sum(held),
        }

    def _schedule_of(self, finding: str) -> dict[str, Any]:
        """Return what led to the first finding of this kind, if that is kept."""
        if finding != "cache-use-after-free" or not self.schedule:
            return {}
        return {"schedule": [dict(event) for event in self.schedule]}

    def timeline(self) -> list[tuple[Any, ...]]:
        """Return the sampled columns, a row each *sample_ns*."""
        return list(self.samples)

    def log(self) -> list[tuple[Any, ...]]:
        """Return the events noted; slabcore.kernel.LOG names the columns."""
        return list(self.events_noted)

    def caches_listed(
        self,
    ) -> list[tuple[int, int, int, int, int, bool, int, int, int]]:
        """Return each live cache by age: what Kernel.caches() makes its names of.

        The root's number; handle and number of the cgroup that a child is named after,
        -1 for none; handle and serial of its cgroup; dying, objects, slabs, kernfs
        nodes.
        """
        return [
            (
                self.roots.index(cache.root or cache),
                cache.named_after if cache.root is not None else -1,
                cache.number if cache.root is not None else -1,
                cache.memcg.serial if cache.memcg is not None else 0,
                cache.memcg.serial if cache.memcg is not None else 0,
                cache.deactivated,
                cache.inuse,
                cache.slabs,
                cache.nodes,
            )
            for cache in self.existing
            if cache.live
        ]

    def state(self) -> dict[str, Any]:
        """Return every structure's contents by serial numbers."""
        return {
            "now": self.now,
            "slab_caches": [c.serial for c in self.slab_caches.walk()],
            "slab_root_caches": [c.serial for c in self.slab_root_caches.walk()],
            "children": {
                r.serial: [c.serial for c in r.children.walk()] for r in self._there()
            },
            "parked": {
                r.serial: [c.serial for c in r.parked.walk()]
                for r in self._there()
                if r.parked
            },
            "roots": {
                r.serial: (r.refcount, r.leaving, r.dying, r.live)
                for r in self._there()
            },
            "kmem_caches": {
                m.serial: [c.serial for c in m.kmem_caches.walk()]
                for m in self._with_lists()
            },
            "names": {r.serial: r.name for r in self._there()},
            "files": {
                number: (
                    file.kind,
                    file.cursor,
                    # A program may be in the middle of a read.
                    {} if file.by_program else file.state(),
                )
                for number, file in enumerate(self.files)
                if file is not None
            },
            "rcu_destroy": [c.serial for c in self.rcu_destroy],
            "slots": {
                r.serial: {i: c.serial for i, c in sorted(r.slots.items())}
                for r in self._there()
            },
            "caches": {
                c.serial: (
                    c.inuse,
                    c.slabs,
                    c.pinned,
                    c.deactivated,
                    c.nodes,
                    c.memory_nodes,
                )
                for r in self._there()
                for c in (r, *r.children, *r.parked)
            },
            "references": {
                c.serial: (c.in_flight, c.refs)
                for r in self._there()
                for c in (r, *r.children, *r.parked)
            },
            "objcgs": {
                o.serial: (
                    o.memcg.serial,
                    o.refs,
                    o.in_flight,
                    [
                        (r.serial, o.held[r], o.pinned[r])
                        for r in o.held
                        if r.live or r.leaked
                    ],
                )
                for o in self.objcgs
            },
            "objcg_list": {
                m.serial: [o.serial for o in m.objcg_list.walk()]
                for m in (self.root_memcg, *self.memcgs.values())
            },
            "memcgs": {
                m.serial: (m.kmemcg_id, m.refs, m.online, m.dead, m.tasks)
                for m in self.memcgs.values()
            },
            "memcg_ids": {m.serial: (m.id, m.id_held) for m in self.memcgs.values()},
            "locks": {m.name: (m.owner is not None, len(m.line)) for m in self.mutexes},
            "hotplug": (
                self.hotplug_lock.writer is not None,
                self.hotplug_lock.readers,
                len(self.hotplug_lock.line),
            ),
            "rcu": (self.gpnum, self.completed),
            "qlen": [cpu.qlen for cpu in self.cpus],
            "workers": [
                (p.workers, len(p.idle), len(p.worklist))
                for p in (*self.pools, self.unbound)
            ],
        }

    def _with_lists(self) -> list[Memcg]:
        """Return the cgroups that can have caches; the root inherits some."""
        root = [self.root_memcg] if self.design.reparenting else []
        return root + list(self.memcgs.values())

    def _there(self) -> list[Cache]:
        """Return the roots that are not destroyed."""
        return [root for root in self.roots if root.live or root.leaked]

    def validate(self) -> None:
        """Check the invariants of lists, slots, ids, references and counts.

        Raises: CorruptionError.
        """
        for complaint in self._complaints():
            raise CorruptionError(complaint)

    def _complaints(self) -> Iterator[str]:
        """Yield what is broken. docs/model.md lists the invariants."""
        for cache in self.existing:
            if cache.live:
                yield from self._complaints_of_cache(cache)
        yield from self._complaints_of_lists()
        for root in self.slab_root_caches:
            yield from self._complaints_of_slots(root)
        yield from self._complaints_of_memcgs()
        yield from self._complaints_of_files()
        if self.design.reparenting:
            yield from self._complaints_of_references()
        yield from self._complaints_of_objcgs()
        yield from self._complaints_of_counts()
        yield from self._complaints_of_time()

    def _complaints_of_lists(self) -> Iterator[str]:
        roots, memcgs = self.slab_root_caches, self._with_lists()
        children = sum(len(root.children) + len(root.parked) for root in roots)
        of_memcgs = sum(len(memcg.kmem_caches) for memcg in memcgs)
        yield from self._newest_first("slab_caches", self.slab_caches)
        yield from self._newest_first("slab_root_caches", roots)
        for root in roots:
            name = f"children of cache {root.serial}"
            if not root.respliced:
                yield from self._newest_first(name, root.children)
        for memcg in memcgs:
            name = f"kmem_caches of cgroup {memcg.serial}"
            if not self.design.reparenting:
                yield from self._newest_first(name, memcg.kmem_caches)
            for cache in memcg.kmem_caches:
                if cache.memcg is not memcg:
                    yield f"{name}: cache {cache.serial} is another's"
        if children != of_memcgs:
            yield f"the roots have {children} children, the cgroups {of_memcgs} caches"
        linked = len(roots) + (0 if self._roots_only else children)
        if len(self.slab_caches) != linked:
            yield (
                f"slab_caches: {len(self.slab_caches)} caches; {linked} roots and "
                "children belong on it"
            )
        name = "slab_caches_to_rcu_destroy"
        if len(set(self.rcu_destroy)) != len(self.rcu_destroy):
            yield f"{name}: a cache is on it twice"
        earlier = 0
        for cache in self.rcu_destroy:
            if cache.live or cache not in self.existing:
                yield f"{name}: cache {cache.serial} is not shut down"
            if cache.shut_down < earlier:
                yield f"{name}: cache {cache.serial} stands behind a later one"
            earlier = cache.shut_down

    def _newest_first(self, name: str, entries: List) -> Iterator[str]:
        newer = FOREVER
        for cache in entries.walk():
            if not cache.live:
                yield f"{name}: cache {cache.serial} is shut down"
            if cache.serial >= newer:
                yield f"{name}: cache {cache.serial} stands behind an older one"
            newer = cache.serial

    def _complaints_of_cache(self, cache: Cache) -> Iterator[str]:
        number = cache.serial
        hidden = self._roots_only and cache.root is not None
        if (cache in self.slab_caches) == hidden:
            yield f"slab_caches: cache {number} is missing, or should be"
        if cache.inuse > cache.slabs * cache.per_slab:
            yield f"cache {number} has more objects than its slabs hold"
        if cache.pinned > cache.inuse:
            yield f"cache {number} has more pinned objects than objects"
        reached = cache in self.slab_caches and self.hotplug_lock.writer is None
        if reached and cache.memory_nodes != self.memory_nodes:
            yield f"cache {number} has {cache.memory_nodes} node structures"
        if cache.in_flight > cache.inuse - cache.pinned:
            yield f"cache {number} has more objects in flight than objects"
        root, memcg = cache.root, cache.memcg
        if (root is None) != (memcg is None):
            yield f"cache {number} is of a cgroup or of a root, and not of both"
        if root is None or memcg is None:
            if not 0 <= cache.leaving <= cache.refcount:
                yield f"cache {number}: {cache.leaving} of {cache.refcount} users leave"
            if cache.parked and self.slab_mutex.owner is None:
                yield f"children of cache {number}: some are parked and stay so"
            if cache not in self.slab_root_caches:
                yield f"slab_root_caches: cache {number} is missing"
            return
        if cache not in root.children and cache not in root.parked:
            yield f"children of cache {root.serial}: cache {number} is missing"
        if cache not in memcg.kmem_caches:
            yield f"kmem_caches of cgroup {memcg.serial}: cache {number} is missing"
        active = not (cache.deactivated or cache.unslotted) and memcg.kmem_online
        if active and root.slots.get(memcg.kmemcg_id) is not cache:
            yield (
                f"slots of cache {root.serial}: active cache {number} is not in its own"
            )

    def _complaints_of_references(self) -> Iterator[str]:
        waiting = Counter(c.arg for c in self._callbacks() if c.kind == "slab")
        for memcg in self._with_lists():
            if memcg.kmem_caches and not memcg.online:
                yield f"cgroup {memcg.serial} is offline and has caches"
            for cache in memcg.kmem_caches:
                held = (cache.slabs + waiting[cache] << cache.order) + cache.in_flight
                held += not cache.killed
                if cache.refs != held:
                    yield (
                        f"cache {cache.serial} has {cache.refs} references, "
                        f"{held} are held"
                    )

    def _complaints_of_objcgs(self) -> Iterator[str]:
        owned = [
            objcg
            for memcg in (self.root_memcg, *self.memcgs.values())
            for objcg in self._objcgs_for(memcg)
        ]
        if len(owned) != len(self.objcgs):
            yield f"{len(self.objcgs)} obj_cgroups are there, {len(owned)} are owned"
        for objcg in self.objcgs:
            name, memcg = f"obj_cgroup {objcg.serial}", objcg.memcg
            current = memcg.objcg is objcg
            if not current and objcg not in memcg.objcg_list:
                yield f"{name} is not on the list of its cgroup"
            if not memcg.online:
                yield f"{name} is left to cgroup {memcg.serial}, which is offline"
            held = sum(objcg.held.values()) + sum(objcg.pinned.values())
            held += objcg.in_flight + (not objcg.killed)
            if objcg.refs != held:
                yield f"{name} has {objcg.refs} references, {held} are held"
        for root in self.roots:
            held = sum(objcg.held.get(root, 0) for objcg in self.objcgs)
            if held > root.inuse - root.pinned - root.in_flight:
                yield f"more objects of cache {root.serial} are charged than allocated"

    def _complaints_of_slots(self, root: Cache) -> Iterator[str]:
        for number, child in root.slots.items():
            name = f"slots of cache {root.serial}: cache {child.serial}"
            memcg = child.memcg
            if not child.live:
                # Who destroys the root takes a child out once that is shut down.
                if root.refcount or self.slab_mutex.owner is None:
                    yield f"{name} is shut down"
            elif child.root is not root or memcg is None:
                yield f"{name} is no child of it"
            elif memcg.kmemcg_id != number:
                yield f"{name} is another cgroup's"
            elif not memcg.online:
                yield f"{name} is of an offline cgroup"
            elif child.deactivated and memcg.kmem_online:
                yield f"{name} is deactivated"

    def _complaints_of_memcgs(self) -> Iterator[str]:
        ids: set[int] = set()
        children = Counter(m.parent for m in self.memcgs.values() if m.refs)
        held_ids = {1}
        for memcg in self.memcgs.values():
            name, number = f"cgroup {memcg.serial}", memcg.kmemcg_id
            if number in ids:
                yield f"{name} has id {number}, as another has"
            if number >= 0:
                ids.add(number)
            if number in self.free_ids or number >= self.next_id:
                yield f"{name} has id {number}, which is free"
            if memcg.kmem_online and (number < 0 or not memcg.online):
                yield f"{name} is accounted without an id, or offline"
            if memcg.dead and (memcg.tasks or memcg.child_cgroups):
                yield f"{name} is removed but in use"
            held = memcg.online + (memcg.online and memcg.dead)
            held += children[memcg] + sum(cpu.stock is memcg for cpu in self.cpus)
            held += len(memcg.objcg_list)
            for cache in memcg.kmem_caches:
                held += 1 if self.design.reparenting else cache.slabs << cache.order
            if memcg.refs < held:
                yield f"{name} has {memcg.refs} references, its pages alone hold {held}"
            elif memcg.refs > held and not self.busy:
                yield f"{name} has {memcg.refs} references, only {held} are held"
            if memcg.id_held:
                held_ids.add(memcg.id)
        # A mkdir in progress holds one that no cgroup has yet.
        held_by_all = sum(memcg.id_held for memcg in self.memcgs.values())
        if len(held_ids) != held_by_all + 1 or not held_ids <= self.taken_ids:
            yield "a memory cgroup id is held twice, or is free"
        left = len(self.taken_ids) - len(held_ids)
        if left > (self.cgroup_mutex.owner is not None):
            yield f"{left} memory cgroup ids are taken and no cgroup has them"
        left = self.next_id - len(self.free_ids) - len(ids)
        if left > (self.cgroup_mutex.owner is not None):
            yield f"{left} ids are taken and no cgroup has them"

    def _complaints_of_files(self) -> Iterator[str]:
        for number, file in enumerate(self.files):
            if file is None or file.place is None:
                continue
            if file.entries is None or file.place not in file.entries:
                yield f"file {number} stands at cache {file.place.serial}, off its list"

    def _complaints_of_counts(self) -> Iterator[str]:
        for what, counted, there in (
            ("caches", self.caches, len(self.existing)),
            ("dying caches", self.caches_dying, self._total("deactivated")),
            ("cgroups", self.cgroups, len(self.memcgs)),
            ("dying cgroups", self.cgroups_dying, self._dead()),
            ("kernfs nodes", self.nodes, self._kernfs_nodes()),
            ("bytes of slabs", self.slab_bytes, self._slab_bytes()),
            (
                "children created",
                self.caches_created,
                len(self.delays) + self.creations_unmissed,
            ),
        ):
            if counted != there:
                yield f"{counted} {what} are counted, {there} are there"
        if not len(self.delays) <= self.pairs_missed <= self.misses:
            yield "more caches were created than were missed"
        if self.creations_pending + self.creations_run != self.misses:
            yield "misses and the creations they queued do not fit"

    def _total(self, field: str) -> int:
        return sum(getattr(cache, field) for cache in self.existing)

    def _dead(self) -> int:
        return sum(memcg.dead for memcg in self.memcgs.values())

    def _kernfs_nodes(self) -> int:
        there = len(self.memcgs) - self._dead()
        return self._total("nodes") + there * int(self.machine.kernfs_per_cgroup)

    def _slab_bytes(self) -> int:
        pages = sum(cache.slabs << cache.order for cache in self.existing)
        for callback in self._callbacks():
            if callback.kind == "slab":
                pages += 1 << callback.arg.order
        return int(pages * self.machine.page_size)

    def _callbacks(self) -> Iterator[Callback]:
        for cpu in self.cpus:
            for segment in (cpu.done, cpu.wait, cpu.ready, cpu.next):
                yield from segment

    def _complaints_of_time(self) -> Iterator[str]:
        queued = sum(cpu.qlen for cpu in self.cpus)
        if self.callbacks != queued:
            yield f"{self.callbacks} callbacks are counted, {queued} are queued"
        for cpu in self.cpus:
            if cpu.wait and cpu.ready and cpu.ready_gp <= cpu.wait_gp:
                yield f"CPU {cpu.number}: later callbacks do not wait longer"
        if not self.completed <= self.gpnum <= self.completed + 1:
            yield f"grace period {self.gpnum} runs and {self.completed} was the last"
        for mutex in self.mutexes:
            if mutex.owner is None and mutex.line:
                yield f"{mutex.name} is free and waited for"
        lock = self.hotplug_lock
        if lock.writer and lock.readers:
            yield "the hotplug lock has a writer and readers"
        if lock.line and not lock.writer and not lock.readers:
            yield "the hotplug lock is free and waited for"
        work = self.destroy_work
        if self.rcu_destroy and not (work.pending or work.running):
            yield "slab_caches_to_rcu_destroy: nobody comes for its caches"
        waiting = sum(
            item is work for pool in self.pools for _, item in pool.worklist
        ) + sum(item is work for q in self.queues["events"] for item in q.delayed)
        if waiting > 1:
            yield "the shared barrier's work is queued twice"

"""A machine with a kernel of one design, in virtual time."""

from __future__ import annotations

import dataclasses
import errno
import functools
import io
import math
import operator
import os
import types
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from slabcore._core import EVENT_NAMES as EVENTS
from slabcore._core import World, cache_name
from slabcore.designs import Design, find
from slabcore.envelope import described as describe
from slabcore.envelope import design_of, machine_of, sealed
from slabcore.envelope import opened as unsealed
from slabcore.errors import (
    BusyError,
    InputError,
    LifecycleError,
    SlabcoreError,
    StaleHandleError,
)
from slabcore.files import KernelFile, cgroup_path, failed, opened
from slabcore.machine import Machine
from slabcore.operands import Numbers, operand, refusal, spread, stop, together
from slabcore.slabinfo import COLUMNS, SlabInfo, described, parse

__all__ = [
    "CALLS",
    "EVENTS",
    "HOTPLUGS",
    "LOG",
    "MUTEXES",
    "WATCHES",
    "Cache",
    "Finished",
    "Kernel",
    "LiveCache",
    "Memcg",
    "ms",
    "seconds",
    "us",
]

Step = tuple[int, int, int, int, int]

TIMELINE = np.dtype(
    [
        ("t_ns", np.int64),
        ("caches", np.int64),
        ("caches_dying", np.int64),
        ("cgroups", np.int64),
        ("cgroups_dying", np.int64),
        ("kernfs_nodes", np.int64),
        ("slab_bytes", np.int64),
        ("kworkers", np.int64),
        ("uninterruptible", np.int64),
        ("load1", np.float64),
        ("creations_pending", np.int64),
        ("callbacks", np.int64),
    ]
)

LOG = np.dtype(
    [
        ("t_ns", np.int64),
        ("cpu", np.int32),
        ("task_kind", "U7"),  # program, kworker, softirq
        ("task", np.int64),  # its number, by order of creation
        ("pool", np.int32),  # of a kworker: its CPU, or the number of CPUs if unbound
        ("event", np.int16),
        ("function", np.int16),  # of a work item
        ("queue", "U32"),  # of a work item
        ("mutex", "U32"),  # the one that is waited for
        ("item", np.int64),  # of a work item, its number; of a mkdir, the parent's
        ("memcg", np.int64),  # serial numbers
        ("cache", np.int64),
    ]
)
"""The dtype of Kernel.log, a row an event.

*event* and *function* are numbers of EVENTS, -1 is none.
"""
# What World.open() knows them by.
PROC_FILES = types.MappingProxyType(
    {"/proc/slabinfo": 0, "/proc/cgroups": 3, "/proc/loadavg": 4}
)
CGROUP_FILES = types.MappingProxyType({"memory.kmem.slabinfo": 1, "cgroup.stat": 2})
END_NS = 1 << 62  # of virtual time
LONGEST_CGROUP = 255  # bytes of one's name, NAME_MAX
SLAB_DIRECTORY = "/sys/kernel/slab"

# A row each whole read of /proc/slabinfo by a program: the step slabinfo.
SLABINFO_READS = np.dtype(
    [
        ("began_ns", np.int64),
        ("took_ns", np.int64),  # the pauses included
        ("read_calls", np.int64),
        ("rows", np.int64),
        ("missing", np.int64),  # roots that were there from first to last, not shown
        ("repeated", np.int64),  # rows shown again
        ("start_hops", np.int64),  # to where it was
        ("next_hops", np.int64),
        ("children", np.int64),  # added up
        ("held_ns", np.int64),  # slab_mutex
        ("cursor", np.bool_),
    ]
)
HOTPLUGS = ("cpu-dead", "memory-online", "memory-offline")
"""What Kernel.hotplug() takes."""
# A World knows these by number.
CALLS = (
    *("mkdir", "rmdir", "join", "alloc", "pin", "free", "drop_caches", "hotplug"),
    "hold",
)
"""What Kernel.begin() takes, and hold()."""
MUTEXES = ("cgroup_mutex", "slab_mutex")
"""What Kernel.hold() takes."""
WATCHES = ("cache", "offline", "freed")
"""What Kernel.watch() waits for."""

FINDINGS = types.MappingProxyType(
    {
        "gp-under-slab_mutex": "waited for a grace period with slab_mutex held",
        "gp-under-cgroup_mutex": "waited for a grace period with cgroup_mutex held",
        "barrier-under-slab_mutex": "waited in rcu_barrier() with slab_mutex held",
        "barrier-under-cgroup_mutex": "waited in rcu_barrier() with cgroup_mutex held",
        "kobject-under-slab_mutex": "deleted a kobject with slab_mutex held",
        "children-missed-at-hotplug": "a cache did not learn that a CPU or memory came "
        "or went: it is not on slab_caches",
        "cache-use-after-free": "freed a cache that a page-free callback still uses",
        "cache-leaked": "lost the last reference to a cache: nobody frees it",
        "alias-marked-dying": "marked a cache dying that has other users",
        "busy-child-unusable": "took a busy child out of its slot and kept the root",
        "seq_file-record-repeated": "delivered a record again of which a seek had led "
        "to the end",
        "work-on-destroyed-cache": "ran a work item or a callback for a cache that was "
        "destroyed",
    }
)

SCHEDULE_EVENTS = types.MappingProxyType(
    {
        "page-free-queued": "call_rcu() for a page of the cache",
        "cache-free-queued": "the cache is shut down: call_rcu() for the cache",
        "cache-freed": "the callback of the cache runs: the cache is freed",
        "page-free-ran": "the callback of the page runs and follows it to the cache",
    }
)


# Of a call that was begun.
_ERRORS = types.MappingProxyType(
    {kind.__name__: kind for kind in (BusyError, LifecycleError, StaleHandleError)}
)


def _check_name(where: str, name: Any) -> None:
    """Refuse what is no cache's name; an engine takes none as well."""
    if name == "":
        raise InputError(where, "'' is no name", "a name of printable characters")
    cache_name(where, name)


def _check_cgroup(name: str) -> None:
    """Refuse a name that a cgroup's file system would."""
    length = len(name.encode(errors="surrogatepass"))
    if name in (".", "..") or name in CGROUP_FILES:
        what, expected = f"{name!r} is there", "a name of its own"
    elif "\0" in name or "\n" in name:
        what, expected = f"{name!r} is no name", "no NUL and no end of a line in it"
    elif length > LONGEST_CGROUP:
        what, expected = f"the name has {length} bytes", f"1 to {LONGEST_CGROUP}"
    else:
        return
    raise InputError("mkdir", what, expected)


def _names(where: str, names: Any) -> frozenset[str]:
    """Return names as a set; a single one is not a collection of its letters."""
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InputError(where, f"{names!r} is no collection", "a list or set of names")
    return frozenset(names)


def _path(where: str, path: Any) -> str:
    """Return a path as text."""
    try:
        text = os.fspath(path)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise InputError(where, f"{path!r} is no path", "a str, or a Path")
    return text


def _whole(where: str, what: str, value: Any) -> int:
    """Return a whole number; a float is none, and is not cut."""
    try:
        return operator.index(value)
    except TypeError:
        raise InputError(where, f"{what} is {value!r}", "a whole number") from None


def _count(where: str, given: Any) -> int:
    """Return a number of objects."""
    count = _whole(where, "count", given)
    if count < 1:
        raise InputError(where, f"count is {count}", "1 or more objects")
    if count >= 1 << 31:
        raise InputError(where, f"count is {count}", "under 2**31 objects")
    return count


def _steps(given: Any) -> list[Step]:
    """Return the steps of a program, each of five whole numbers."""
    if not isinstance(given, Iterable):
        expected = "a list of steps (op, a, b, c, d)"
        raise InputError("program", f"{given!r} is no list", expected)
    steps: list[Step] = []
    for number, step in enumerate(given):
        try:
            op, a, b, c, d = map(operator.index, step)
        except (TypeError, ValueError):
            where, expected = (
                f"program: step {number}",
                "whole numbers (op, a, b, c, d)",
            )
            raise InputError(where, f"{step!r} is none", expected) from None
        steps.append((op, a, b, c, d))
    return steps


def _countable(counts: Numbers) -> npt.NDArray[np.bool_]:
    """Tell which of some whole numbers are numbers of objects."""
    return (counts >= 1) & (counts < 1 << 31)


def _changes(file: SlabInfo, own: SlabInfo) -> Iterator[str]:
    """Say what a kernel's own slabinfo has otherwise than the file it began with."""
    if file.statistics and not own.statistics:
        yield "statistics are not kept"
    for i in np.flatnonzero((file.table != own.table).any(axis=1)):
        for column in COLUMNS:
            was, is_ = file[column][i], own[column][i]
            if was != is_:
                yield f"{file.names[i]}: {column} {was} becomes {is_}"


def us(count: float) -> int:
    """Return *count* microseconds in nanoseconds.

    >>> from slabcore import us
    >>> us(2.5)
    2500
    """
    return round(count * 1_000)


def ms(count: float) -> int:
    """Return *count* milliseconds in nanoseconds.

    >>> from slabcore import ms
    >>> ms(20)
    20000000
    """
    return round(count * 1_000_000)


def seconds(count: float) -> int:
    """Return *count* seconds in nanoseconds.

    >>> from slabcore import seconds
    >>> seconds(0.5)
    500000000
    """
    return round(count * 1_000_000_000)


@dataclasses.dataclass(frozen=True, slots=True)
class Cache:
    """Name a root cache of a kernel; another kernel's is refused."""

    name: str
    number: int
    owner: object = dataclasses.field(default=None, compare=False, repr=False)
    """What one kernel's handles share; None: made by hand, and of any kernel."""


@dataclasses.dataclass(frozen=True, slots=True)
class Memcg:
    """Name a memory cgroup of a kernel; a stale or another kernel's is refused."""

    path: str
    handle: int
    owner: object = dataclasses.field(default=None, compare=False, repr=False)
    """What one kernel's handles share; None: made by hand, and of any kernel."""


# Operands of calls on many.
Caches = Numbers | Cache | str | Iterable[Cache | str]
Counts = Numbers | int | Iterable[int]
Memcgs = Numbers | Memcg | str | Iterable[Memcg | str]


@dataclasses.dataclass(frozen=True, slots=True)
class LiveCache:
    """Describe a cache that is alive, of the machine or of a cgroup."""

    name: str
    """As the kernel names it: a child's is its root's, then (number:cgroup)."""
    root: str
    cgroup: str
    """Path of its cgroup, also once that is removed; of the machine's, "/"."""
    dying: bool
    objects: int
    slabs: int


@dataclasses.dataclass(frozen=True, slots=True)
class Finished:
    """Tell that what was begun, watched or spawned has come to its end."""

    number: int
    """As begin(), watch(), hold() or spawn() returned it."""
    call: str
    """One of CALLS or WATCHES, or "spawn"."""
    at_ns: int
    value: Any
    """Of mkdir the Memcg; of a watch whether it came about; else None."""
    error: SlabcoreError | None

    def result(self) -> Any:
        """Return the value, or raise the error, as the call itself would have."""
        if self.error is not None:
            raise self.error
        return self.value


class _OpenFile:
    """Make the system calls on a file that a world has open."""

    def __init__(self, world: Any, number: int) -> None:
        self._world = world
        self._number = number

    def read(self, size: int) -> bytes:
        text: bytes = self._world.read(self._number, size)
        return text

    def pread(self, size: int, offset: int) -> bytes:
        if offset < 0:
            raise failed(errno.EINVAL)
        return bytes(self._world.read(self._number, size, offset))

    def lseek(self, offset: int, whence: int = 0) -> int:
        return int(self._world.lseek(self._number, offset, whence))

    def close(self) -> None:
        self._world.close(self._number)

    @property
    def state(self) -> dict[str, int]:
        """Return where the file stands, and how often its hooks were called."""
        state: dict[str, int] = self._world.file_state(self._number)
        return state


class Kernel:
    """Run one kernel on one machine.

    A call is made by a user task of this world and returns when the kernel's would:
    virtual time moves on. Building: create_cache, destroy_cache, mkdir, rmdir. Using:
    alloc, free, pin, drop_caches, hotplug. Many of them in a row, over arrays:
    create_caches, mkdir_many, rmdir_many, alloc_many, free_many, pin_many. Time:
    advance, advance_to, drain, next_event_ns. Beside all others, as time passes: begin,
    hold, let_go, watch, finished, advance_to_finished. Programs: program, spawn, run.
    Files: open, listdir. Looking: counters, caches, timeline, state, validate.
    Keeping: snapshot, restore, fork; copy and pickle do the same.
    One thread at a time may use a kernel; several kernels may run in as many threads.
    Ctrl-C leaves a kernel of the core usable: advance, advance_to, drain and run stop
    between two events and can be called again; alloc and pin end with the object under
    way, and any other call, of many the one under way, is gone through with, before
    KeyboardInterrupt is raised.
    The reference stops anywhere, and is not to be used after that.

    >>> from slabcore import Kernel, ms
    >>> kernel = Kernel("4.9")
    >>> dentry = kernel.create_cache("dentry", object_size=192, accounted=True)
    >>> web = kernel.mkdir("/web")
    >>> kernel.alloc(dentry, web)       # a miss: dentry(/web) is created by and by
    >>> kernel.advance(ms(20))
    >>> [cache.name for cache in kernel.caches()]
    ['dentry', 'dentry(1:web)']
    >>> kernel.free(dentry, web)
    >>> kernel.rmdir(web)
    >>> kernel.drain()                  # until all that was removed is gone
    >>> counters = kernel.counters
    >>> counters["cgroups"]["live"], counters["grace_periods"]["under_slab_mutex"]
    (0, 1)
    """

    def __init__(
        self,
        design: Design | str,
        *,
        machine: Machine | None = None,
        seed: int = 0,
        walk: Literal["counted", "literal"] = "counted",
        engine: Literal["core", "reference"] = "core",
        sample_ns: int = 1_000_000_000,
        log: bool = False,
        huge_pages: bool = True,
    ) -> None:
        """Boot the kernel of *design* at time 0.

        seed: kept with the results; nothing in the model is random yet.
        walk: "counted" charges the hops that a walk over all caches makes and works
        through the short lists; "literal" really walks.
        engine: "reference" is the plain-Python twin, some hundred times slower.
        sample_ns: interval of the timeline.
        log: note every event, for Kernel.log and ftrace().
        huge_pages: ask the system for huge pages, for what is large of the core.
        Raises: InputError.
        """
        self.design: Design = design if isinstance(design, Design) else find(design)
        if (
            self.design.child_caches
            and self.design.slab_caches == "roots"
            and not self.design.memcg_list
        ):
            raise InputError(
                f"design {self.design.name}",
                "slab_caches is roots without memcg_list",
                "a list on which a cgroup's caches are found when it is freed",
            )
        if not isinstance(machine, Machine | None):
            raise InputError("machine", f"{machine!r} is none", "a Machine")
        self.machine: Machine = Machine() if machine is None else machine
        self.seed = seed
        if walk not in ("counted", "literal"):
            raise InputError("walk", f"{walk!r} is not known", "counted or literal")
        sample_ns = _whole("Kernel", "sample_ns", sample_ns)
        if sample_ns <= 0:
            raise InputError("sample_ns", f"{sample_ns} is no interval", "over 0 ns")
        make: Any = functools.partial(World, huge_pages=huge_pages)
        if engine == "reference":
            from slabcore import reference

            make = reference.World
        elif engine != "core":
            raise InputError("engine", f"{engine!r} is not known", "core or reference")
        self._world = make(
            self.design,
            self.machine,
            self.machine.costs,
            walk=walk,
            sample_ns=sample_ns,
            log=log,
        )
        self._options = {
            "engine": engine,
            "walk": walk,
            "sample_ns": sample_ns,
            "log": bool(log),
            "huge_pages": bool(huge_pages),
        }
        self._caches: dict[str, Cache] = {}
        self._names: dict[int, str] = {}  # the first of a merged cache is the kernel's
        self._destroyed: set[str] = set()  # names of caches that were busy then
        self._owner = object()  # not the kernel: handles keep none alive
        self._owners = {self._owner}  # those of what this one was copied from, too
        self._left_open: list[int] = []  # files that reopen() has not handed out
        self._memcgs = {"/": 0}  # handles of those that are not removed
        self._paths = {0: "/"}  # of each cgroup ever made here, by handle
        self.start_changes: tuple[str, ...] = ()
        # What was begun, by number: the call, its cgroup's path and its handle.
        self._begun: dict[int, tuple[str, str, int]] = {}
        self._ended: list[Finished] = []
        self._making: set[str] = set()  # paths of cgroups that are being made

    @classmethod
    def from_slabinfo(
        cls,
        design: Design | str,
        source: SlabInfo | str | bytes | os.PathLike[str],
        *,
        accounted: Collection[str] = (),
        typesafe: Collection[str] = (),
        reclaimable: Collection[str] = (),
        machine: Machine | None = None,
        seed: int = 0,
        walk: Literal["counted", "literal"] = "counted",
        engine: Literal["core", "reference"] = "core",
        sample_ns: int = 1_000_000_000,
        log: bool = False,
    ) -> Kernel:
        """Boot with the root caches of a real /proc/slabinfo, and what they hold.

        source: as slabinfo.parse() takes it, or what that returns. Caches get their
        rows' sizes and slabs and stand in the file's order. No row says which of them
        are *accounted*, *typesafe* or *reclaimable*: those are named.
        What this kernel's own /proc/slabinfo says otherwise than the file is a line
        each of *start_changes*: a number of objects that is not that of the slabs,
        tunables and statistics that this kernel has not.
        Raises: InputError, with the file and the line, also of a row that is repeated;
        of a file without rows.
        """
        where = "slabinfo"
        if not isinstance(source, SlabInfo):
            where, source = described(source), parse(source)
        if not source.names:
            expected = "one or more; Kernel() boots without caches"
            raise InputError(where, "no cache has a row", expected)
        flags = {
            "accounted": _names("accounted", accounted),
            "typesafe": _names("typesafe", typesafe),
            "reclaimable": _names("reclaimable", reclaimable),
        }
        for flag, names in flags.items():
            for name in sorted(names.difference(source.names)):
                raise InputError(flag, f"{name!r} has no row", f"a name in {where}")

        def boot() -> Kernel:
            kernel = cls(
                design,
                machine=machine,
                seed=seed,
                walk=walk,
                engine=engine,
                sample_ns=sample_ns,
                log=log,
            )
            kernel._boot_rows(where, source, flags)
            return kernel

        kernel = boot()
        # To read is a call of the kernel's and takes time, so another one is asked.
        own = parse(boot().open("/proc/slabinfo").read())
        kernel.start_changes = tuple(_changes(source, own))
        return kernel

    def _boot_rows(
        self, where: str, info: SlabInfo, flags: Mapping[str, Collection[str]]
    ) -> None:
        """Create the root caches of a file, the last row's first."""
        lines: dict[str, int] = {}
        for line, name in enumerate(info.names, 3):
            if lines.setdefault(name, line) != line:
                what = f"{name!r} stands in line {lines[name]} already"
                raise InputError(
                    f"{where}:{line}", what, "one whole read, a row a cache"
                )
        rows = list(zip(info.names, info.table.tolist(), strict=True))
        for i in reversed(range(len(rows))):
            name, row = rows[i]
            at = f"{where}:{i + 3}"
            _check_name(at, name)
            active, _, size, per_slab, pages, *_, slabs, _ = row
            if not 1 <= size <= 1 << 30 or not per_slab:
                what = f"{per_slab} objects of {size} bytes are in a slab"
                raise InputError(at, what, "1 or more, of 1 byte to 1 GiB")
            if not pages or pages & (pages - 1):
                raise InputError(at, f"pagesperslab is {pages}", "a power of two")
            room = pages * self.machine.page_size
            if per_slab * size > room:
                what = f"{per_slab} objects of {size} bytes are in a slab"
                raise InputError(at, what, f"what fits {room} bytes")
            if slabs * per_slab >= 1 << 31:
                raise InputError(at, f"num_slabs is {slabs}", "under 2**31 objects")
            kind = (name in flags[flag] for flag in flags)
            number = self._world.boot_cache(size, *kind, name=name)
            objects = min(active, slabs * per_slab)
            order = pages.bit_length() - 1
            self._world.boot_slabs(number, order, per_slab, objects, slabs)
            self._caches[name] = Cache(name, number, self._owner)
            self._names[number] = name

    @property
    def world(self) -> Any:
        """Return the engine's World: what Cython cimports, and C has a handle of."""
        return self._world

    @property
    def now_ns(self) -> int:
        """Return the virtual time since boot."""
        return int(self._world.now_ns)

    def __repr__(self) -> str:
        return f"<Kernel {self.design.name!r}: {self.now_ns} ns since boot>"

    # --- caches and cgroups ---
    #
    # What ends in _many or is plural is a loop of the calls of one, and stops where
    # that would: at the first entry that is refused or fails, those before it done.

    def create_cache(
        self,
        name: str,
        *,
        object_size: int,
        accounted: bool = False,
        typesafe: bool = False,
        reclaimable: bool = False,
        mergeable: bool | None = None,
    ) -> Cache:
        """Create a root cache; before time has begun it is one of boot and free.

        accounted: cgroups get a cache of their own on their first allocation.
        typesafe: SLAB_TYPESAFE_BY_RCU, its pages go back after a grace period.
        reclaimable: drop_caches frees its pinned objects.
        mergeable: created later than boot, it is another name of an older one of its
        kind and size that was created mergeable, if there is one. None: the same, but
        it is nobody else's to share. False: it is not even looked for.
        Returns: the cache; merged ones have one number.
        Raises: InputError if the name is taken or none, or the size no object's.
        """
        object_size = self._check_cache(name, object_size)
        kind = (object_size, accounted, typesafe, reclaimable)
        if self.now_ns:
            number = self._world.create_cache(
                *kind, mergeable is not False, mergeable is True, name
            )
        else:
            number = self._world.boot_cache(*kind, mergeable is True, name)
        return self._named(name, number)

    def _check_cache(self, name: Any, size: Any) -> int:
        """Return the size of a cache to be, if that and its name are fit."""
        _check_name("create_cache", name)
        if "/" in name or name in (".", ".."):
            expected = "one that a directory in /sys/kernel/slab can have"
            raise InputError("create_cache", f"{name!r} is no name", expected)
        if name in self._caches and name not in self._destroyed:
            raise InputError("create_cache", f"{name!r} exists", "a new name")
        object_size = _whole("create_cache", "object_size", size)
        if not 8 <= object_size <= 1 << 22:
            raise InputError(
                f"create_cache {name!r}",
                f"object_size is {object_size}",
                "8 to 4194304 bytes",
            )
        return object_size

    def _named(self, name: str, number: int) -> Cache:
        """Note the name of a cache that was created."""
        self._caches[name] = Cache(name, number, self._owner)
        self._names.setdefault(number, name)
        self._destroyed.discard(name)
        return self._caches[name]

    def create_caches(
        self,
        names: Iterable[str],
        *,
        object_size: int | Iterable[int],
        accounted: bool | Iterable[bool] = False,
        typesafe: bool | Iterable[bool] = False,
        reclaimable: bool | Iterable[bool] = False,
        mergeable: bool | Iterable[bool | None] | None = None,
    ) -> Numbers:
        """Create root caches, as create_cache does one after the other.

        What is said of them is one value for all, or one a name.
        Returns: the number of each, for alloc_many and its like.
        Raises: what create_cache does of the first name that it refuses. Those before
        it are created; *done* of the error is how many.
        """
        names = list(names)
        kinds = {
            "object_size": object_size,
            "accounted": accounted,
            "typesafe": typesafe,
            "reclaimable": reclaimable,
            "mergeable": mergeable,
        }
        columns = [
            spread("create_caches", what, given, len(names))
            for what, given in kinds.items()
        ]
        sizes: list[int] = []
        taken: set[str] = set()
        for name, size in zip(names, columns[0], strict=True):
            try:
                fit = self._check_cache(name, size)
            except InputError:
                break
            if name in taken:
                break
            taken.add(name)
            sizes.append(fit)
        count = len(sizes)
        merges = columns.pop()
        bits = [*columns[1:], [m is not False for m in merges]]
        flags = np.zeros(len(names), np.int64)
        for i, column in enumerate([*bits, [m is True for m in merges]]):
            flags |= np.fromiter(map(bool, column), np.int64, len(names)) << i
        made = np.full(count, -1, np.int64)
        done, error = self._world.create_caches(
            names[:count], np.array(sizes, np.int64), flags[:count], made
        )
        for name, number in zip(names, made[:done].tolist(), strict=False):
            self._named(name, number)
        if error is None and count < len(names):
            given = [column[count] for column in [*columns, merges]]
            kind: dict[str, Any] = dict(zip(kinds, given, strict=True))
            error = refusal(lambda: self.create_cache(names[count], **kind))
        stop("create_caches", error, done, len(names))
        return made

    def destroy_cache(self, cache: Cache | str) -> None:
        """Destroy a root cache, or give up one name of a merged one.

        Raises: BusyError if objects are left. They can be freed by that name still,
        and a new mergeable cache of this kind takes the old one up again, except on
        5.8, where it is dying, and from 6.12 on, where it is on no list any more.
        """
        cache = self._cache("destroy_cache", cache)
        named = self._caches.get(cache.name) == cache
        try:
            self._world.destroy_cache(cache.number)
        except BusyError:
            if named:
                self._destroyed.add(cache.name)
            raise
        if named:
            del self._caches[cache.name]

    def mkdir(self, path: str) -> Memcg:
        """Make a memory cgroup, as ``mkdir`` in its file system does.

        Raises: InputError if the parent is missing, the path exists, or the name is
        none that a cgroup can have;
        LifecycleError, with what a user of this kernel sees, if the ids of memory
        cgroups are used up.
        """
        parent = self._check_path(path)
        handle = self._world.mkdir(self._memcgs[parent])
        self._memcgs[path] = handle
        self._paths[handle] = path
        return Memcg(path, handle, self._owner)

    def mkdir_many(self, paths: Iterable[str]) -> Numbers:
        """Make memory cgroups, as mkdir does one after the other.

        A path may be below one before it.
        Returns: the handle of each, for alloc_many and its like.
        Raises: what mkdir does of the first path that it refuses or fails at. Those
        before it are made; *done* of the error is how many.
        """
        paths = list(paths)
        making: dict[str, int] = {}
        parents: list[int] = []
        for path in paths:
            try:
                parent = self._check_path(path, making)
            except InputError:
                break
            parents.append(making[parent] if parent in making else self._memcgs[parent])
            making[path] = -len(parents)
        count = len(parents)
        made = np.full(count, -1, np.int64)
        done, error = self._world.mkdir_many(np.array(parents, np.int64), made)
        handles = made[:done].tolist()
        self._memcgs.update(zip(paths, handles, strict=False))
        self._paths.update(zip(handles, paths, strict=False))
        if error is None and count < len(paths):
            error = refusal(lambda: self.mkdir(paths[count]))
        stop("mkdir_many", error, done, len(paths))
        return made

    def _check_path(self, path: Any, making: Collection[str] = ()) -> str:
        """Return the parent of a cgroup to be; those in *making* will be there."""
        if self._begun:
            self._collect()
            if path in self._making:
                raise InputError("mkdir", f"{path!r} is being made", "a new path")
        if isinstance(path, str):
            above, slash, name = path.rpartition("/")
            if (
                (above in self._memcgs or above in making or (slash and not above))
                and above != "/"
                and name.isalnum()
                and len(name) < LONGEST_CGROUP // 4
                and path not in self._memcgs
                and path not in making
            ):
                return above or "/"
        # A name with other characters, or what is wrong with this path.
        parts = path.split("/") if isinstance(path, str) else [""]
        if len(parts) < 2 or parts[0] or not all(parts[1:]):
            raise InputError("mkdir", f"{path!r} is no path", "a path such as /web")
        _check_cgroup(parts[-1])
        if path in self._memcgs or path in making:
            raise InputError("mkdir", f"{path!r} exists", "a new path")
        parent = "/".join(parts[:-1]) or "/"
        if parent not in self._memcgs and parent not in making:
            raise InputError("mkdir", f"there is no cgroup {parent!r}", "its parent")
        return parent

    def rmdir(self, memcg: Memcg | str) -> None:
        """Remove a cgroup; it stays as a dying one until its last reference goes.

        Raises: BusyError if it has children or tasks.
        """
        memcg = self._memcg("rmdir", memcg)
        try:
            self._world.rmdir(memcg.handle)
        except LifecycleError as error:
            raise self._rmdir_error(error, memcg.handle) from None
        if self._memcgs.get(memcg.path) == memcg.handle:
            del self._memcgs[memcg.path]

    def rmdir_many(self, memcgs: Memcgs) -> None:
        """Remove cgroups, as rmdir does one after the other.

        memcgs: an array of handles, as mkdir_many returns it, or a sequence of paths
        or Memcgs.
        Raises: what rmdir does of the first cgroup that it refuses or fails at. Those
        before it are removed; *done* of the error is how many.
        """
        paths: dict[str, None] = {}

        def handle(given: Any) -> int:
            _one_of_many("rmdir_many", given, Memcg)
            memcg = self._memcg("rmdir", given)
            if memcg.path in paths:
                raise StaleHandleError("by then that is the path of none")
            paths[memcg.path] = None
            return memcg.handle

        each = operand(memcgs, (Memcg, str), handle)
        shape, count, (handles,) = together("rmdir_many", [each])
        done, error = self._world.rmdir_many(handles)
        if isinstance(error, LifecycleError):
            error = self._rmdir_error(error, int(handles[done]))
        removed = handles[:done].tolist()
        named = paths or [self._paths.get(handle, "") for handle in removed]
        for path, gone in zip(named, removed, strict=False):
            if self._memcgs.get(path) == gone:
                del self._memcgs[path]
        if error is None and count < each.numbers.size:
            refused = each.value(count, shape)
            error = refusal(lambda: _one_of_many("rmdir_many", refused, Memcg))
            error = error or refusal(lambda: self.rmdir(refused))
        stop("rmdir_many", error, done, each.numbers.size)

    def alloc(self, cache: Cache | str, memcg: Memcg | str, count: int = 1) -> None:
        """Allocate objects as a task of the cgroup does, one by one.

        An allocation that misses the cgroup's own cache queues its creation and takes
        the root's object. An interrupt leaves the objects allocated so far.
        Raises: LifecycleError if the cgroup is removed.
        """
        self._world.alloc(*self._operands("alloc", cache, memcg, count))

    def alloc_many(self, caches: Caches, memcgs: Memcgs, counts: Counts = 1) -> None:
        """Allocate objects, as alloc does for one cache and cgroup after the other.

        caches: an array of numbers, as create_caches returns it, or a sequence of names
        or Caches, or one of these for all. memcgs: an array of handles, as mkdir_many
        returns it, or a sequence of paths or Memcgs, or one of these for all. counts:
        an array or one for all. They are broadcast against each other as numpy does,
        and gone through in rows: handles[:, None] and numbers are every cache for the
        first cgroup, then for the second.
        Numbers and handles are taken in a numpy array only, which says nothing of the
        kernel that they are of.
        Raises: what alloc does of the first entry that it refuses. Those before it are
        allocated; *done* of the error is how many. An interrupt leaves the objects
        allocated so far, of the entry *done* too.
        """
        self._each_object("alloc", caches, memcgs, counts)

    def pin(self, cache: Cache | str, memcg: Memcg | str, count: int = 1) -> None:
        """Allocate objects that stay, as dentries do, until drop_caches.

        An interrupt leaves the objects allocated so far.
        """
        self._world.pin(*self._operands("pin", cache, memcg, count))

    def pin_many(self, caches: Caches, memcgs: Memcgs, counts: Counts = 1) -> None:
        """Allocate objects that stay, as pin does for one after the other.

        Operands and errors are those of alloc_many.
        """
        self._each_object("pin", caches, memcgs, counts)

    def free(self, cache: Cache | str, memcg: Memcg | str, count: int = 1) -> None:
        """Free objects: the cgroup's own first, then inherited ones, then the root's.

        From 5.3 on a parent inherits the objects of a cgroup that is removed.
        Raises: LifecycleError if so many are not allocated; StaleHandleError if the
        cgroup is gone.
        """
        number, handle, count = self._operands("free", cache, memcg, count)
        try:
            self._world.free(number, handle, count)
        except LifecycleError as error:
            raise _of(error, "free", self._told(cache, handle, count)) from None

    def free_many(self, caches: Caches, memcgs: Memcgs, counts: Counts = 1) -> None:
        """Free objects, as free does for one cache and cgroup after the other.

        Operands are those of alloc_many.
        Raises: what free does of the first entry that it refuses or fails at. Those
        before it are freed; *done* of the error is how many.
        """
        self._each_object("free", caches, memcgs, counts)

    def _each_object(
        self, what: str, caches: Caches, memcgs: Memcgs, counts: Counts
    ) -> None:
        """Allocate, pin or free entry by entry."""
        where = f"{what}_many"

        def number(given: Any) -> int:
            _one_of_many(where, given, Cache)
            return self._cache(what, given).number

        def handle(given: Any) -> int:
            _one_of_many(where, given, Memcg)
            return self._memcg(what, given).handle

        # In the order in which _operands looks at them.
        each = (
            operand(counts, (), lambda count: _count(what, count), _countable),
            operand(caches, (Cache, str), number),
            operand(memcgs, (Memcg, str), handle),
        )
        shape, fit, (count, cache, memcg) = together(where, each)
        entries = math.prod(shape)
        done, error = getattr(self._world, where)(cache, memcg, count)
        if isinstance(error, LifecycleError) and what == "free":
            given = each[1].value(done, shape)
            told = self._told(given, int(memcg[done]), int(count[done]))
            error = _of(error, what, told)
        if error is None and fit < entries:
            refusals = (one.refusal(fit, shape) for one in each)
            error = next(filter(None, refusals))
        stop(where, error, done, entries)

    def drop_caches(self) -> None:
        """Free the pinned objects of reclaimable caches (echo 2 > drop_caches)."""
        self._world.drop_caches()

    def hotplug(self, event: str) -> None:
        """Let a CPU die ("cpu-dead"), or memory come or go.

        "cpu-dead" takes that CPU's slab from each cache on slab_caches, "memory-online"
        gives each a node structure, "memory-offline" shrinks each. The machine keeps
        its CPUs. A live cache that the walk does not reach is a finding.
        Raises: InputError.
        """
        self._world.hotplug(self._event(event))

    def _event(self, event: str) -> int:
        if event not in HOTPLUGS:
            known = " or ".join(HOTPLUGS)
            raise InputError("hotplug", f"{event!r} is not known", known)
        return HOTPLUGS.index(event)

    # --- time ---

    def advance(self, ns: int) -> None:
        """Let *ns* of virtual time pass. Raises: InputError if that is less than 0."""
        ns = _whole("advance", "ns", ns)
        if ns < 0:
            raise InputError("advance", f"ns is {ns}", "0 ns or more")
        self.advance_to(self.now_ns + ns)

    def advance_to(self, when_ns: int) -> None:
        """Let virtual time pass up to and including *when_ns*.

        Raises: InputError if that is past.
        """
        self._world.advance_to(self._when(when_ns))

    def _when(self, when_ns: int) -> int:
        """Return a time to come."""
        when_ns = _whole("advance_to", "when_ns", when_ns)
        if when_ns < self.now_ns:
            raise InputError(
                "advance_to", f"{when_ns} ns is past", f"{self.now_ns} ns or later"
            )
        if when_ns >= END_NS:
            raise InputError("advance_to", f"when_ns is {when_ns}", "under 2**62 ns")
        return when_ns

    def drain(self) -> None:
        """Run until no program, work item or RCU callback is left."""
        self._world.drain()

    def next_event_ns(self) -> int:
        """Return when something can happen next without a further call."""
        return int(self._world.next_event_ns())

    # --- calls that run beside one another ---
    #
    # A call above is made by one task, and nothing else is asked of the kernel until it
    # returns. What is begun here is a task each, and runs as time passes.

    def begin(self, call: str, *operands: Any) -> int:
        """Begin a call as a task of its own; it runs as time passes, beside all others.

        call: "mkdir", "rmdir", "alloc", "pin", "free", "drop_caches" or "hotplug", with
        the operands of the method of that name; "join" and a cgroup: what it takes to
        move a process there, which is the caller's own and keeps no cgroup busy.
        Who allocates or frees is a task of the cgroup, which is busy until then. The
        cgroup of a mkdir is there once that has finished; its path is taken at once.
        Returns: the number under which finished() tells its end.
        Raises: what the call would of its operands. What becomes of it is told later.

        >>> kernel = Kernel("4.9")
        >>> web = kernel.mkdir("/web")
        >>> number = kernel.begin("rmdir", web)
        >>> kernel.advance_to_finished()
        True
        >>> [done.call for done in kernel.finished()]
        ['rmdir']
        """
        numbers: tuple[int, ...]
        about = "", -1
        match call, operands:
            case "mkdir", (path,):
                numbers = (self._memcgs[self._check_path(path)],)
                about = path, -1
            case "rmdir" | "join", (memcg,):
                memcg = self._memcg(call, memcg)
                numbers = (memcg.handle,)
                about = memcg.path, memcg.handle
            case "alloc" | "pin" | "free", (cache, memcg, *count) if len(count) < 2:
                number, handle, objects = self._operands(
                    call, cache, memcg, *(count or (1,))
                )
                numbers = number, handle, objects
                if call == "free":
                    about = self._told(cache, handle, objects), -1
            case "drop_caches", ():
                numbers = ()
            case "hotplug", (event,):
                numbers = (self._event(event),)
            case _:
                known = ", ".join(CALLS[:-1])
                what = f"{call!r} with {len(operands)} operands is no call"
                raise InputError("begin", what, f"one of {known}, and its operands")
        number = int(self._world.begin(CALLS.index(call), *numbers))
        self._begun[number] = (call, *about)
        if call == "mkdir":
            self._making.add(about[0])
        return number

    def hold(self, mutex: str) -> int:
        """Get in line for "cgroup_mutex" or "slab_mutex", and own it until let_go().

        The line is joined as virtual time passes, so line() shows it after advance().
        Until then calls that return when they are done are refused, since what they
        wait for may be this mutex: begin() them.
        Returns: the number under which finished() tells that it is owned; with the
        value False if it was given up first.
        """
        number = int(self._world.begin(CALLS.index("hold"), self._mutex(mutex)))
        self._begun[number] = ("hold", "", -1)
        return number

    def let_go(self, number: int) -> None:
        """Give up a mutex that is held, or the place in its line.

        The next in line owns it as virtual time passes, after advance().
        Raises: StaleHandleError if none is held under this number.
        """
        self._world.let_go(_whole("let_go", "number", number))

    def line(self, mutex: str) -> tuple[bool, int]:
        """Return whether a mutex is owned, and how many tasks wait for it.

        That is so at this moment: what hold() and let_go() began shows as time passes.
        """
        owned, length = self._world.line(self._mutex(mutex))
        return bool(owned), int(length)

    def watch(
        self, what: str, memcg: Memcg | str, cache: Cache | str | None = None
    ) -> int:
        """Wait for something of a cgroup, which changes nothing in the kernel.

        what: "cache", that *cache* has a child for it, or none is needed, with the
        value False if cgroup or cache go first; "offline", that rmdir's first part is
        over; "freed", that the last of it is. Of a cgroup that is freed, at once.
        Returns: the number under which finished() tells that it came about.
        """
        if what not in WATCHES or (what == "cache") != (cache is not None):
            expected = '"cache" and a cache, "offline" or "freed"'
            raise InputError("watch", f"{what!r} cannot be watched so", expected)
        handle = self._memcg("watch", memcg).handle
        root = 0 if cache is None else self._cache("watch", cache).number
        number = int(self._world.watch(WATCHES.index(what), handle, root))
        self._begun[number] = (what, "", handle)
        return number

    def finished(self) -> list[Finished]:
        """Return what has finished since this was last asked, in the order of ends."""
        self._collect()
        ended, self._ended = self._ended, []
        return ended

    @property
    def at_rest(self) -> bool:
        """Tell whether nothing can happen without a further call.

        A mutex that is held is nothing that happens. SLAB's reaper never rests.
        """
        return bool(self._world.at_rest)

    def advance_to_finished(self, when_ns: int | None = None) -> bool:
        """Let virtual time pass until something has finished, at most to *when_ns*.

        It ends as well when all is at rest, at the last event, as nothing could finish.
        Returns: whether something has that finished() has not told.
        Raises: InputError if *when_ns* is past.
        """
        if self._ended:
            return True
        when_ns = END_NS - 1 if when_ns is None else self._when(when_ns)
        return bool(self._world.advance_to_finished(when_ns))

    def _collect(self) -> None:
        """Take up what has finished, and the names of cgroups made and removed."""
        for number, at_ns, result, error in self._world.finished():
            call, path, handle = self._begun.pop(number, ("spawn", "", -1))
            value: Any = None
            if isinstance(error, LifecycleError) and call in ("rmdir", "free"):
                error = _of(error, call, path if call == "free" else repr(path))
            self._making.discard(path if call == "mkdir" else "")
            if call in WATCHES or call == "hold":
                value = bool(result)
            elif call == "mkdir" and error is None:
                self._memcgs[path] = result
                self._paths[result] = path
                value = Memcg(path, result, self._owner)
            elif (
                call == "rmdir" and error is None and (self._memcgs.get(path) == handle)
            ):
                del self._memcgs[path]
            self._ended.append(Finished(number, call, at_ns, value, error))

    def _mutex(self, mutex: str) -> int:
        if mutex not in MUTEXES:
            known = " or ".join(MUTEXES)
            raise InputError("mutex", f"{mutex!r} is not known", known)
        return MUTEXES.index(mutex)

    # --- programs ---

    def program(self, steps: Sequence[Step]) -> int:
        """Add a program: steps (op, a, b, c, d) as slabcore.workloads compiles them.

        Returns: its number, for spawn and for the fork steps of later programs.
        Raises: InputError.
        """
        rows = _steps(steps)
        try:
            return int(self._world.program(rows))
        except ValueError as error:
            raise InputError("program", str(error)) from None

    def spawn(
        self,
        program: int,
        *,
        repeat: int = 1,
        at_ns: int = 0,
        until_ns: int = 0,
        background: bool = False,
    ) -> int:
        """Start a task that runs a program *repeat* times.

        at_ns: it sleeps until then. until_ns: no repetition starts later; 0: no limit.
        background: neither run() nor drain() waits for its end.
        Returns: the number under which finished() tells its end.
        Raises: InputError.
        """
        program = _whole("spawn", "program", program)
        repeat = _whole("spawn", "repeat", repeat)
        at_ns = _whole("spawn", "at_ns", at_ns)
        until_ns = _whole("spawn", "until_ns", until_ns)
        if not 0 <= repeat < END_NS:
            raise InputError("spawn", f"repeat is {repeat}", "0 to 2**62 - 1")
        for name, when_ns in {"at_ns": at_ns, "until_ns": until_ns}.items():
            if not 0 <= when_ns < END_NS:
                what = f"{name} is {when_ns}"
                raise InputError("spawn", what, "0 to 2**62 - 1 ns")
        try:
            return int(self._world.spawn(program, repeat, at_ns, until_ns, background))
        except ValueError as error:
            raise InputError("spawn", str(error), "a program's number") from None

    def run(self) -> None:
        """Run until every program has ended."""
        self._world.run()

    # --- files ---

    @overload
    def open(
        self,
        path: str | os.PathLike[str],
        mode: Literal["rb"] = "rb",
        *,
        reader: Literal["kernel", "cursor"] = "kernel",
        buffering: None = None,
    ) -> KernelFile: ...
    @overload
    def open(
        self,
        path: str | os.PathLike[str],
        mode: Literal["rb"] = "rb",
        *,
        reader: Literal["kernel", "cursor"] = "kernel",
        buffering: int,
    ) -> KernelFile | io.BufferedReader: ...
    @overload
    def open(
        self,
        path: str | os.PathLike[str],
        mode: Literal["r", "rt"],
        *,
        reader: Literal["kernel", "cursor"] = "kernel",
        buffering: int | None = None,
    ) -> io.TextIOWrapper: ...
    def open(
        self,
        path: str | os.PathLike[str],
        mode: str = "rb",
        *,
        reader: str = "kernel",
        buffering: int | None = None,
    ) -> KernelFile | io.BufferedReader | io.TextIOWrapper:
        """Open a file that this kernel has, for reading.

        /proc/slabinfo, /proc/cgroups and /proc/loadavg; of a cgroup,
        memory.kmem.slabinfo below /sys/fs/cgroup/memory and cgroup.stat below
        /sys/fs/cgroup/unified, or both by the cgroup's path alone: /web/cgroup.stat.
        mode: "rb", the file itself, each call of which is one system call; "r", text.
        reader: "cursor" keeps its place in the list whatever is created or destroyed
        between two calls, as no kernel does.
        buffering: what a buffer asks for at a time. None: there is no buffer in mode
        "rb", and one of 8192 bytes in mode "r".
        Raises: InputError; FileNotFoundError, IsADirectoryError.
        """
        path = _path("open", path)
        if reader not in ("kernel", "cursor"):
            raise InputError("reader", f"{reader!r} is not known", "kernel or cursor")
        kind, handle = self._file(path)

        def file() -> KernelFile:
            number = self._world.open(kind, handle, reader == "cursor")
            return KernelFile(_OpenFile(self._world, number), path)

        return opened(file, mode, buffering)

    def listdir(self, path: str | os.PathLike[str]) -> list[str]:
        """Return the names in a directory, sorted.

        /proc; /sys/kernel/slab, with each name of a root cache, and in it NAME/cgroup,
        with its children; a cgroup, by the paths of open(), with its files and what is
        below it. The cgroups of programs have no names and are not listed.
        Raises: FileNotFoundError; NotADirectoryError of a file.
        """
        path = _path("listdir", path)
        self._collect()
        at = path.rstrip("/") or "/"
        if at == "/proc":
            return sorted(name.rpartition("/")[2] for name in PROC_FILES)
        if (at + "/").startswith(f"{SLAB_DIRECTORY}/"):
            parts = at.removeprefix(SLAB_DIRECTORY).split("/")[1:]
            return sorted(self._slab_directory(path, *parts))
        cgroup, files = cgroup_path(at)
        if at in PROC_FILES or at.rpartition("/")[2] in CGROUP_FILES:
            self._file(at)
            raise failed(errno.ENOTDIR, path, "open() reads it")
        if cgroup not in self._memcgs:
            raise failed(errno.ENOENT, path, f"there is no cgroup {cgroup!r}")
        above = cgroup.rstrip("/") + "/"
        below = [name.removeprefix(above) for name in self._memcgs if name != cgroup]
        found = [name for name in files if self._has(name)]
        return sorted(found + [name for name in below if name and "/" not in name])

    def _file(self, path: str) -> tuple[int, int]:
        """Return the kind of a file and the handle of its cgroup."""
        self._collect()
        if path in PROC_FILES:
            return PROC_FILES[path], 0
        directory, _, name = path.rpartition("/")
        cgroup, files = cgroup_path(directory or "/")
        if name in files:
            if cgroup not in self._memcgs:
                raise failed(errno.ENOENT, path, f"there is no cgroup {cgroup!r}")
            if not self._has(name):
                why = f"this kernel, {self.design.name}, has no {name}: it came in 4.14"
                raise failed(errno.ENOENT, path, why)
            return CGROUP_FILES[name], self._memcgs[cgroup]
        at = path.rstrip("/") or "/"
        if at in ("/proc", SLAB_DIRECTORY) or cgroup_path(at)[0] in self._memcgs:
            raise failed(errno.EISDIR, path, "listdir() lists it")
        known = [*PROC_FILES, *(f"CGROUP/{name}" for name in CGROUP_FILES)]
        raise failed(errno.ENOENT, path, f"there are {', '.join(known)}")

    def _has(self, file: str) -> bool:
        """Tell whether this kernel has a file in its cgroups' directories."""
        if file != "cgroup.stat":
            return True
        if not self.design.kernels:
            return self.design.accounting == "objects"
        last = tuple(map(int, self.design.kernels[1].split(".")))
        return last >= (4, 14)

    def _slab_directory(self, path: str, *parts: str) -> list[str]:
        """Return the names in /sys/kernel/slab, in a cache there, or in its cgroup."""
        if self.machine.allocator == "slab":
            raise failed(errno.ENOENT, path, "SLAB's caches have no directories")
        found = [cache for cache, nodes in self._listed() if nodes]
        names = {
            name: self._names[cache.number] for name, cache in self._caches.items()
        }
        roots = {cache.root for cache in found if cache.name == cache.root}
        if not parts:
            links = {name for name, root in names.items() if root in roots}
            return list(roots | links)
        root = names.get(parts[0], parts[0])
        if root not in roots:
            raise failed(errno.ENOENT, path, f"no cache {parts[0]!r} has a directory")
        inside = ["cgroup"] if self.design.child_sysfs else []
        if len(parts) == 1:
            return inside
        if list(parts[1:]) != inside:
            none = "a child has no directory on this kernel" if not inside else ""
            raise failed(errno.ENOENT, path, none)
        return [cache.name for cache in found if cache.root == root != cache.name]

    # --- what comes out ---

    @property
    def counters(self) -> dict[str, Any]:
        """Return everything counted so far; times in integer nanoseconds."""
        counters: dict[str, Any] = self._world.counters()
        counters["creation_delays_ns"] = np.asarray(
            counters["creation_delays_ns"], dtype=np.int64
        )
        for finding in counters["findings"]:
            finding["text"] = FINDINGS[finding["id"]]
            for event in finding.get("schedule", ()):
                event["text"] = SCHEDULE_EVENTS[event["event"]]
        return counters

    @property
    def timeline(self) -> npt.NDArray[Any]:
        """Return the sampled columns: a structured array, a row each *sample_ns*."""
        return np.array(self._world.timeline(), dtype=TIMELINE)

    @property
    def slabinfo_reads(self) -> npt.NDArray[Any]:
        """Return each whole read of /proc/slabinfo by a program: a structured array.

        A root that was created or destroyed meanwhile is not missing.
        """
        return np.array(self._world.slabinfo_reads(), dtype=SLABINFO_READS)

    @property
    def log(self) -> npt.NDArray[Any]:
        """Return the events noted since boot, if the kernel was made with log=True."""
        number = {name: i for i, name in enumerate(EVENTS)} | {"": -1}
        rows = [
            (*row[:5], number[row[5]], number[row[6]], *row[7:])
            for row in self._world.log()
        ]
        return np.array(rows, dtype=LOG)

    def ftrace(self) -> Iterator[str]:
        """Yield the log in the words of tracefs' file ``trace``.

        Functions stand there as kprobes on their entry do. cgroups are named by their
        serial numbers, work items and tasks likewise.
        """
        log = self.log
        yield "# tracer: nop"
        yield (
            f"# entries-in-buffer/entries-written: {len(log)}/{len(log)}"
            f"   #P:{self.machine.cpus}"
        )
        workers: dict[int, dict[int, int]] = {}
        paths = {0: ""}
        for row in log.tolist():
            at, cpu, kind, task, pool, event, function, queue, mutex, item, *about = row
            memcg, cache = about
            name = EVENTS[event]
            comm, flags = "program", "...."
            if kind == "softirq":
                comm, task, flags = "<idle>", 0, "..s."
            elif kind == "kworker":
                seen = workers.setdefault(pool, {})
                of = f"u{2 * pool}" if pool == self.machine.cpus else pool
                comm = f"kworker/{of}:{seen.setdefault(task, len(seen))}"
            if name == "cgroup_mkdir":
                paths[memcg] = f"{paths[item]}/{memcg}"
            path = paths.get(memcg, "")
            where = f"root=1 id={memcg + 1} level={path.count('/')} path={path}"
            if name == "workqueue_queue_work":
                body = (
                    f"work struct={item:016x} function={EVENTS[function]} "
                    f"workqueue={queue} req_cpu={cpu} cpu={cpu}"
                )
            elif name == "workqueue_execute_start":
                body = f"work struct {item:016x}: function {EVENTS[function]}"
            elif name == "workqueue_execute_end":
                body = f"work struct {item:016x}"
            elif name == "cgroup_attach_task":
                body = f"dst_{where.replace(' ', ' dst_')} pid={task} comm={comm}"
            elif name.startswith("cgroup_"):
                body = where
            else:
                body = f"({name}+0x0)"
                body += f" mutex={mutex}" if mutex else ""
                body += f" memcg={memcg}" if memcg >= 0 else ""
                body += f" cache={cache}" if cache >= 0 else ""
            us = at // 1000
            yield (
                f"{comm:>16}-{task:<7} [{cpu:03}] {flags} "
                f"{us // 1_000_000:>5}.{us % 1_000_000:06}: {name}: {body}"
            )

    def caches(self) -> list[LiveCache]:
        """Return every live cache by age, named as the kernel names it.

        The cgroups of programs have no path; they are called cgroup- and their number,
        and their root caches cache- and theirs.
        """
        return [cache for cache, _ in self._listed()]

    def _listed(self) -> Iterator[tuple[LiveCache, int]]:
        """Yield every live cache by age, and how many kernfs nodes it has."""
        self._collect()
        for (
            root,
            of,
            number,
            memcg,
            serial,
            *rest,
            nodes,
        ) in self._world.caches_listed():
            of_root = name = self._names.get(root, f"cache-{root}")
            cgroup = self._paths.get(memcg, f"/cgroup-{serial}")
            if of >= 0:
                unnamed = cgroup if of == memcg else f"/cgroup-{number}"
                path = self._paths.get(of, unnamed)
                name += f"({number}:{path.rpartition('/')[2]})"
            yield LiveCache(name, of_root, cgroup, *rest), nodes

    def state(self) -> Mapping[str, Any]:
        """Return the contents of every list and structure, by serial numbers."""
        state: dict[str, Any] = self._world.state()
        return state

    def validate(self) -> None:
        """Check every invariant. Raises: CorruptionError."""
        self._world.validate()

    # --- bytes ---

    def snapshot(self) -> bytes:
        """Return the whole kernel as bytes: restore() makes one that goes on the same.

        Everything is in it: caches and cgroups, tasks in the middle of what they do,
        timers, callbacks, open files, counters, timeline, log and programs, and names.
        docs/snapshot.md describes the format; there is no pickle in it.
        Raises: LifecycleError of the reference, whose tasks are Python's; InputError
        if the seed is no whole number.

        >>> kernel = Kernel("4.11")
        >>> web = kernel.mkdir("/web")
        >>> other = Kernel.restore(kernel.snapshot())
        >>> other.now_ns == kernel.now_ns, other.listdir("/")
        (True, ['cgroup.stat', 'memory.kmem.slabinfo', 'web'])
        """
        self._core_only("snapshot")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise InputError("snapshot", f"seed is {self.seed!r}", "a whole number")
        names = {
            "seed": self.seed,
            "options": self._options,
            "start_changes": self.start_changes,
            "caches": [(name, cache.number) for name, cache in self._caches.items()],
            "names": list(self._names.items()),
            "destroyed": sorted(self._destroyed),
            "cgroups": list(self._memcgs.items()),
            "paths": list(self._paths.items()),
            "begun": [[number, *about] for number, about in self._begun.items()],
            "ended": [_ended_row(ended) for ended in self._ended],
            "making": sorted(self._making),
        }
        body = self._world.snapshot()
        return sealed(describe(self.design, self.machine) | names, body)

    @classmethod
    def restore(cls, data: bytes | bytearray | memoryview) -> Kernel:
        """Make a kernel of what snapshot() returned, here or in another process.

        It has all that was there, under the same names. A Cache or Memcg of the other
        kernel is refused; the arrays of numbers and handles that calls on many take
        are as good as before. reopen() has its open files.
        What is checked, and what a line of refusal looks like, is in docs/snapshot.md.
        Raises: InputError in one line, if the bytes are not a whole snapshot of this
        version of slabcore, or tell of what no kernel can be.
        """
        description, body = unsealed(data)
        kernel = cls._booted(description)
        kernel._world.restore(body)
        kernel._left_open = [number for number, *_ in kernel._world.files()]
        return kernel

    @classmethod
    def _booted(cls, description: dict[str, Any]) -> Kernel:
        """Boot the kernel that a snapshot is of, and give it the names."""
        tables = {
            "caches": (str, int),
            "names": (int, str),
            "cgroups": (str, int),
            "paths": (int, str),
            "begun": (int, str, str, int),
            "ended": (int, str, int, bool, str, int, str, str),
        }
        lists = ("destroyed", "start_changes", "making")
        known = {"design", "machine", "costs", "seed", "options", *tables, *lists}
        if set(description) != known:
            expected = ", ".join(sorted(known))
            raise InputError("snapshot", "the description has other parts", expected)
        design, machine = design_of(description), machine_of(description)
        options, seed = description["options"], description["seed"]
        if (
            not isinstance(options, dict)
            or set(options) != {"engine", "walk", "sample_ns", "log", "huge_pages"}
            or options["engine"] != "core"
            or type(options["log"]) is not bool
            or type(options["huge_pages"]) is not bool
            or type(options["sample_ns"]) is not int
            or not 0 < options["sample_ns"] < END_NS
            or not isinstance(options["walk"], str)
            or type(seed) is not int
        ):
            raise InputError("snapshot: options", f"{options!r}", "those of a kernel")
        for name, kinds in tables.items():
            table = description[name]
            if not isinstance(table, list) or not all(
                isinstance(row, list)
                and [*map(type, row)] == [*kinds]
                and all(-1 <= one < END_NS for one in row if type(one) is int)
                for row in table
            ):
                raise InputError(f"snapshot: {name}", "it is no table", "pairs")
        for name in lists:
            rows = description[name]
            if not isinstance(rows, list) or {*map(type, rows)} - {str}:
                raise InputError(f"snapshot: {name}", "it is no list", "texts")
        kernel = cls(design, machine=machine, seed=seed, **options)
        kernel.start_changes = tuple(description["start_changes"])
        kernel._caches = {
            name: Cache(name, number, kernel._owner)
            for name, number in description["caches"]
        }
        kernel._names = dict(description["names"])
        kernel._destroyed = set(description["destroyed"])
        kernel._memcgs = dict(description["cgroups"])
        kernel._paths = dict(description["paths"])
        kernel._begun = {number: (*about,) for number, *about in description["begun"]}
        kernel._ended = [kernel._ended_of(*row) for row in description["ended"]]
        kernel._making = set(description["making"])
        if kernel._memcgs.get("/") != 0 or kernel._paths.get(0) != "/":
            raise InputError("snapshot: cgroups", "the root is not there", "/ is 0")
        return kernel

    def _ended_of(
        self,
        number: int,
        call: str,
        at_ns: int,
        yes: bool,
        path: str,
        handle: int,
        error: str,
        text: str,
    ) -> Finished:
        """Return what has finished, of its row in a snapshot."""
        if call == "mkdir" and not error:
            made = Memcg(path, handle, self._owner)
            return Finished(number, call, at_ns, made, None)
        if error:
            if error not in _ERRORS:
                raise InputError("snapshot: ended", f"{error!r} is no error")
            return Finished(number, call, at_ns, None, _ERRORS[error](text))
        value = yes if call in WATCHES or call == "hold" else None
        return Finished(number, call, at_ns, value, None)

    def fork(self) -> Kernel:
        """Return a kernel that is as this one is now; each goes on by itself.

        Handles that were given out before are good for both, later ones for the one
        that gave them out. copy.copy() and copy.deepcopy() do the same. It goes through
        a snapshot's bytes, without their digest: docs/snapshot.md says what that costs.

        >>> kernel = Kernel("4.6")
        >>> web = kernel.mkdir("/web")
        >>> other = kernel.fork()
        >>> other.rmdir(web)
        >>> kernel.listdir("/") == other.listdir("/")
        False
        """
        self._core_only("fork")
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._world = self._world.fork()
        for name, kept in vars(self).items():
            if isinstance(kept, dict | set | list):
                setattr(other, name, kept.copy())
        for kernel in (self, other):
            kernel._owner = object()
            kernel._owners.add(kernel._owner)
        other._left_open = [number for number, *_ in other._world.files()]
        return other

    __copy__ = fork

    def __deepcopy__(self, memo: dict[int, Any]) -> Kernel:
        """Fork; handles that are copied along are good for the copy."""
        owners = {memo.setdefault(id(owner), owner) for owner in self._owners}
        other = self.fork()
        other._owners |= owners
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a snapshot; handles that are pickled along are good for what is made.

        Raises: what snapshot() does.
        """
        return _revived, (self.snapshot(), *self._owners)

    def reopen(self) -> list[KernelFile]:
        """Return the files that were open in what this kernel was made of.

        Each is handed out once, and goes on where it was; what a buffer of Python's had
        read ahead is not in it.
        """
        files = {number: of for number, *of in self._world.files()}
        kinds = {kind: path for path, kind in PROC_FILES.items()}
        kinds |= {kind: f"/{name}" for name, kind in CGROUP_FILES.items()}
        found = []
        while self._left_open:
            number = self._left_open.pop(0)
            if number in files:
                kind, handle = files[number]
                above = self._paths.get(handle, "") if handle else ""
                source = _OpenFile(self._world, number)
                found.append(KernelFile(source, above + kinds[kind]))
        return found

    def _core_only(self, what: str) -> None:
        if self._options["engine"] != "core":
            raise LifecycleError(
                f"the reference keeps its tasks as Python's generators; {what} needs "
                f"engine='core'"
            )

    # --- names ---

    def _memcg(self, what: str, memcg: Memcg | str) -> Memcg:
        if isinstance(memcg, Memcg):
            self._own(what, memcg)
            return memcg
        if self._begun:
            self._collect()
        if not isinstance(memcg, str):
            raise InputError(what, f"{memcg!r} is no cgroup", "a Memcg or its path")
        if memcg not in self._memcgs:
            raise StaleHandleError(
                f"{memcg!r} is no cgroup; expected a live one's path"
            )
        return Memcg(memcg, self._memcgs[memcg], self._owner)

    def _operands(
        self, what: str, cache: Cache | str, memcg: Memcg | str, count: int
    ) -> tuple[int, int, int]:
        count = _count(what, count)
        cache = self._cache(what, cache)
        return cache.number, self._memcg(what, memcg).handle, count

    def _told(self, cache: Cache | str | int, handle: int, count: int) -> str:
        """Return the operands of a call about objects as an error names them."""
        if isinstance(cache, int):
            named = (one for one in self._caches.values() if one.number == cache)
            cache = next(named, str(cache))
        name = cache if isinstance(cache, str) else cache.name
        return f"{name!r}, {self._paths.get(handle, '')!r}, {count}"

    def _rmdir_error(self, error: LifecycleError, handle: int) -> LifecycleError:
        return _of(error, "rmdir", repr(self._paths.get(handle, "")))

    def _cache(self, what: str, cache: Cache | str) -> Cache:
        if isinstance(cache, Cache):
            self._own(what, cache)
            return cache
        if not isinstance(cache, str):
            raise InputError(what, f"{cache!r} is no cache", "a Cache or its name")
        if cache not in self._caches:
            raise LifecycleError(f"{cache!r} is no cache; {what} needs a root cache")
        return self._caches[cache]

    def _own(self, what: str, handle: Cache | Memcg) -> None:
        """Refuse a handle that another kernel gave out."""
        if handle.owner is not None and handle.owner not in self._owners:
            raise InputError(what, f"{handle!r} is another kernel's", "one of this one")


def _one_of_many(where: str, given: Any, kind: type[Cache | Memcg]) -> None:
    """Refuse what names no cache or cgroup anywhere, such as a number in a list."""
    if not isinstance(given, kind | str):
        is_none, expected = "is no cache", "Caches, names or an array of numbers"
        if kind is Memcg:
            is_none, expected = "is no cgroup", "Memcgs, paths or an array of handles"
        raise InputError(where, f"{given!r} {is_none}", expected)


def _of(error: LifecycleError, call: str, operands: str) -> LifecycleError:
    """Return an engine's error, which knows no names, with the call it is of.

    One of a handle that is stale says so of whatever has that handle.
    """
    if isinstance(error, StaleHandleError):
        return error
    return type(error)(f"{call}({operands}): {error}")


def _ended_row(ended: Finished) -> list[Any]:
    """Return what has finished as a row of a snapshot."""
    made = ended.value if isinstance(ended.value, Memcg) else Memcg("", -1)
    error = "" if ended.error is None else type(ended.error).__name__
    text = "" if ended.error is None else str(ended.error)
    yes = ended.value is True
    at = ended.number, ended.call, ended.at_ns
    return [*at, yes, made.path, made.handle, error, text]


def _revived(data: bytes, *owners: object) -> Kernel:
    """Return the kernel of a pickle."""
    kernel = Kernel.restore(data)
    kernel._owners.update(owners)
    return kernel

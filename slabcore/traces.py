"""Recordings of real machines as input: what ftrace, trace-cmd and perf write."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from slabcore._core import TracedLife, TraceFold, TraceScanner
from slabcore.errors import InputError
from slabcore.workloads import RootCache, Workload, load

__all__ = [
    "Attach",
    "Cache",
    "Cgroup",
    "Event",
    "Replay",
    "Trace",
    "read_events",
    "recording",
    "recordings",
]

# One grammar for ftrace's trace and trace_pipe, trace-cmd report and perf script.
# A comm may hold blanks and any of -:[]/, so what counts is the [CPU] that a time and
# an event's name follow. Older kernels write 4 flags, newer ones 5 or 7, perf none.
_EVENT = re.compile(
    r"""
    \s{0,64}(?:(?P<buffer>[\w.-]++):\s++)?           # trace-cmd: the instance
    (?P<comm>.{0,16}?)(?:-|\s{1,64})(?P<pid>\d{1,10})(?:/\d++)?\s++
    (?:\(\s*+(?P<tgid>\d{1,10}|-++)\)\s++)?         # ftrace: the option record-tgid
    \[(?P<cpu>\d{1,6})\]\s++
    (?:(?P<flags>[^\s:]{1,8})\s++)?
    (?P<time>\d{1,12}\.\d{6,9}):\s++
    (?:(?P<system>\w++):(?=\S))?(?P<name>[\w.]++):\s*+    # perf: cgroup:cgroup_mkdir
    (?P<body>.*)
    """,
    re.VERBOSE | re.ASCII,
)
_GRAMMAR = "TASK-PID [CPU] SECONDS.MICROSECONDS: EVENT: …, as ftrace or perf write it"

_LOST = re.compile(
    r".*?(?:CPU:\d+ \[(?:LOST )?(?:(?P<dropped>\d{1,18}) )?EVENTS(?: DROPPED)?\]"
    r"|PERF_RECORD_LOST(?:_SAMPLES)? lost (?P<lost>\d{1,18}))\s*",
    re.ASCII,
)
_HEADER = re.compile(r"cpus=(?P<cpus>\d{1,6})|version = \d+|CPU \d+ is empty", re.ASCII)
_WRITTEN = re.compile(
    r"#\s+entries-in-buffer/entries-written: (?P<kept>\d{1,18})/(?P<written>\d{1,18})"
    r"\s+#P:(?P<cpus>\d{1,6})",
    re.ASCII,
)

# The wording since 4.9. Ids were printed with %d up to 5.16, so big ones are negative.
# A path may hold blanks: it is the rest, but for the last pid= and comm=.
_CGROUP = re.compile(
    r"root=(?P<root>\d{1,10}) id=(?P<id>-?\d{1,20}) level=(?P<level>\d{1,10}) "
    r"path=(?P<path>.+)",
    re.ASCII,
)
_ATTACH = re.compile(
    r"dst_root=(?P<root>\d{1,10}) dst_id=(?P<id>-?\d{1,20}) "
    r"dst_level=(?P<level>\d{1,10}) dst_path=(?P<path>.+) "
    r"pid=(?P<pid>\d{1,10}) comm=.*",
    re.ASCII,
)
# The fields that are there say what was recorded: 6.0 added accounted=, 6.18 name=, and
# distributions take such changes to older kernels.
_ALLOC = re.compile(
    r".*?\bname=(?P<cache>.+?) bytes_req=\d+ bytes_alloc=(?P<size>\d{1,12}) "
    r".*\baccounted=true\b",
    re.ASCII,
)
_PAIR = re.compile(r"(?:^|\s)(\w+)=")
_AFTER_PATH = re.compile(r"(?P<path>.*)(?P<rest> val=-?\d+| pid=\d+ comm=.*)")

CHUNK = 1 << 20
LINES_A_CHUNK = 1 << 14

# What the core's scanner tells of a line: places in the text, then of the line.
LINES = np.dtype(
    [(name, np.int64) for name in ("start", "end", "at_ns", "pid", "tgid")]
    + [(name, np.int32) for name in ("event", "cpu")]
    + [
        (f"{part}{what}", np.uint32)
        for part in ("buffer", "comm", "flags", "system", "name")
        for what in ("", "_length")
    ]
    + [("body", np.uint32), ("reserved", np.uint32)]
)
_BODY = (LINES.names or ()).index("body")
_NEVER = (1 << 63) - 1

# What the core folds by itself, as slabcore/trace.pxd numbers it.
_KINDS = MappingProxyType(
    {
        "cgroup_mkdir": 1,
        "cgroup_attach_task": 2,
        "cgroup_transfer_tasks": 2,
        "cgroup_rename": 3,
        "cgroup_rmdir": 4,
        "cgroup_release": 5,
        "kmem_cache_alloc": 6,
    }
)


class Event(NamedTuple):
    """Hold one event of a recording; which fields a tool writes differs."""

    at_ns: int
    name: str
    comm: str
    pid: int
    cpu: int
    body: str
    """What follows the event's name, as it stands there."""
    flags: str = ""
    system: str = ""
    """perf: what comes before the event's name, such as ``cgroup``."""
    buffer: str = ""
    """trace-cmd: the tracing instance."""
    tgid: int | None = None

    def fields(self) -> dict[str, str]:
        """Return the ``key=value`` pairs; a path may hold blanks."""
        return _fields(self.body)


def read_events(lines: Iterable[str], where: str = "trace") -> Iterator[Event]:
    """Yield the events of a recording, one line in memory at a time.

    where: what errors call the recording.
    Raises: InputError with the line's number.
    """
    yield from _Lines(lines, where)


class _Lines:
    """Iterate over a recording's events, keeping what other lines say."""

    def __init__(self, lines: Iterable[str], where: str) -> None:
        self.lines = lines
        self.where = where
        self.number = 0
        self.cpus = 0
        self.lost = 0
        self.overwritten = 0
        self.ended = True
        self.lines_end = False
        self.broken: InputError | None = None

    def __iter__(self) -> Iterator[Event]:
        for line in self.lines:
            event = self.take(line)
            if event is not None:
                yield event

    def take(self, line: str) -> Event | None:
        """Take in the next line; return the event that it is."""
        self.number += 1
        if self.broken is not None:
            raise self.broken
        text = line.rstrip("\r\n")
        self.ended = line != text
        self.lines_end = self.lines_end or self.ended
        match = None if text.startswith("#") else _EVENT.fullmatch(text)
        if match is not None and (match["body"] or self.ended):
            return _event(match)
        if match is not None or not self._other(text):
            self.refuse(f"{_short(text)} is no event", _GRAMMAR)
        return None

    def into(self, fold: _Fold) -> None:
        """Fold all events."""
        for event in self:
            fold.take(event)

    def refuse(self, what: str, expected: str) -> None:
        """Raise InputError, unless the line is the last and breaks off."""
        error = InputError(f"{self.where}:{self.number}", what, expected)
        if self.ended:
            raise error
        self.broken = error

    @property
    def cut_off(self) -> bool:
        """Tell, once all is read, whether the last line breaks off."""
        return self.broken is not None or (self.lines_end and not self.ended)

    def _other(self, text: str) -> bool:
        """Take in a line that is no event; return False if it is nothing known."""
        if written := _WRITTEN.match(text):
            self.overwritten += int(written["written"]) - int(written["kept"])
            self.cpus = max(self.cpus, int(written["cpus"]))
        elif header := _HEADER.fullmatch(text):
            self.cpus = max(self.cpus, int(header["cpus"] or 0))
        elif lost := _LOST.fullmatch(text):
            # "[LOST EVENTS]" is written when their number is not known.
            self.lost += int(lost["dropped"] or lost["lost"] or 1)
        else:
            return not text.strip() or text.startswith("#")
        return True


class _Told(NamedTuple):
    """Hold what a fold asks of an event."""

    at_ns: int
    name: str
    pid: int
    body: str
    tgid: int | None


class _Text(_Lines):
    """Do the same for a file, most of whose lines the core tells apart."""

    def __init__(self, file: BinaryIO, where: str) -> None:
        super().__init__((), where)
        self.file = file
        self.scanner = TraceScanner()

    def into(self, fold: _Fold) -> None:
        text = b""
        while chunk := self.file.read(CHUNK):
            text += chunk
            done = 0
            while rows := self._rows(memoryview(text)[done:]):
                self._fold(fold, memoryview(text)[done:], rows[0])
                done += rows[1]
            text = text[done:]
        if text:
            event = self.take(text.decode("utf-8", "replace"))
            if event is not None:
                fold.take(event)

    def _rows(self, text: memoryview) -> tuple[npt.NDArray[Any], int] | None:
        """Return the next lines of *text*, and how many bytes they are."""
        rows = np.empty(LINES_A_CHUNK, LINES)
        used = self.scanner.scan(text, rows.view(np.uint8))
        if not used:
            return None
        end = int(rows["end"][used - 1])
        return rows[:used], end + bytes(text[end : end + 64]).index(b"\n") + 1

    def _fold(self, fold: _Fold, text: memoryview, rows: npt.NDArray[Any]) -> None:
        before = self.number
        names = self.scanner.names
        kinds = bytes(_KINDS.get(name, 0) for name in names)
        counts = np.zeros(len(names), np.int64)
        seen = np.array([_NEVER, 0, 0], np.int64)
        lines = rows.view(np.uint8)
        at = fold.fold(text, lines, kinds, counts, seen, 0)
        while at < len(rows):
            row = rows[at].tolist()
            start, end, at_ns, pid, tgid, event, cpu = row[:7]
            self.number = before + at
            if event < 0:
                line = self.take(str(text[start:end], "utf-8", "replace") + "\n")
                if line is not None:
                    fold.take(line)
            else:
                self.number += 1
                name = names[event]
                said = str(text[start + row[_BODY] : end], "utf-8", "replace")
                fold.handlers[name](
                    _Told(at_ns, name, pid, said, tgid if tgid >= 0 else None)
                )
                counts[event] += 1
                fold.seen(at_ns, at_ns, cpu)
            at = fold.fold(text, lines, kinds, counts, seen, at + 1)
        for name, count in zip(names, counts.tolist(), strict=True):
            if count:
                fold.events[name] += count
        if seen[0] != _NEVER:
            fold.seen(*seen.tolist())
        self.number = before + len(rows)
        self.ended = self.lines_end = True


def _event(match: re.Match[str]) -> Event:
    tgid = match["tgid"]
    return Event(
        at_ns=_nanoseconds(match["time"]),
        name=match["name"],
        comm=match["comm"],
        pid=int(match["pid"]),
        cpu=int(match["cpu"]),
        body=match["body"],
        flags=match["flags"] or "",
        system=match["system"] or "",
        buffer=match["buffer"] or "",
        tgid=int(tgid) if tgid and tgid.isdecimal() else None,
    )


def _nanoseconds(seconds: str) -> int:
    whole, _, fraction = seconds.partition(".")
    return int(whole + fraction.ljust(9, "0"))


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")


def _fields(body: str) -> dict[str, str]:
    before, mark, after = body.partition("path=")
    if not mark:
        return _pairs(body)
    found = _AFTER_PATH.fullmatch(after)
    path, rest = found.group("path", "rest") if found else (after, "")
    fields = _pairs(before + mark)
    return {**fields, next(reversed(fields)): path, **_pairs(rest)}


def _pairs(text: str) -> dict[str, str]:
    _, *parts = _PAIR.split(text)
    return dict(zip(parts[::2], (value.strip() for value in parts[1::2]), strict=True))


# --- the lives of cgroups -------------------------------------------------------------


class Attach(msgspec.Struct, frozen=True):
    """Say when a task came into a cgroup, and what it then allocated there."""

    at_ns: int
    pid: int
    allocations: Mapping[str, int]
    """Accounted allocations by cache, in the order of the first ones."""


class Cgroup(msgspec.Struct, frozen=True):
    """Hold one life of a cgroup; a time is None where its event was not recorded."""

    root: int
    """Hierarchy number as in /proc/cgroups; 0 is cgroup2."""
    id: int
    """Small and used again up to 5.4, a kernfs node's number from 5.5 on."""
    generation: int
    """Counts the lives of the id from 0."""
    path: str
    mkdir_ns: int | None
    rmdir_ns: int | None
    release_ns: int | None
    """When the css was freed."""
    attaches: tuple[Attach, ...]

    @property
    def key(self) -> tuple[int, int, int]:
        return self.root, self.id, self.generation

    @property
    def allocations(self) -> dict[str, int]:
        """Count the cgroup's accounted allocations by cache."""
        total: Counter[str] = Counter()
        for attach in self.attaches:
            total.update(attach.allocations)
        return dict(total)

    @property
    def rmdir_to_release_ns(self) -> int | None:
        if self.rmdir_ns is None or self.release_ns is None:
            return None
        return self.release_ns - self.rmdir_ns


@dataclasses.dataclass(frozen=True, slots=True)
class Cache:
    """Name a cache that accounted objects came from."""

    name: str
    object_size: int
    """Bytes, as allocated."""
    allocations: int
    """Over the whole recording, whoever paid."""


def _key(cgroup: re.Match[str]) -> tuple[int, int]:
    return int(cgroup["root"]), int(cgroup["id"])


class _Fold(TraceFold):
    """Fold events into lives. Holds the lives, and the pids of tasks in cgroups.

    The core folds what is worded as usual; here is the rest, and all that is said of a
    line that is refused.
    """

    def __init__(self, lines: _Lines) -> None:
        self.lines = lines
        self.events: Counter[str] = Counter()
        self.first: int | None = None
        self.last = self.cpu = 0
        self.handlers: dict[str, Callable[[Event | _Told], None]] = {
            "cgroup_mkdir": self.mkdir,
            "cgroup_attach_task": self.attach,
            "cgroup_transfer_tasks": self.attach,
            "cgroup_rename": self.rename,
            "cgroup_rmdir": self.rmdir,
            "cgroup_release": self.release,
            "kmem_cache_alloc": self.alloc,
        }

    def take(self, event: Event) -> None:
        handler = self.handlers.get(event.name)
        if handler is not None:
            handler(event)
            if self.lines.broken is not None:
                return
        self.events[event.name] += 1
        self.seen(event.at_ns, event.at_ns, event.cpu)

    def seen(self, first: int, last: int, cpu: int) -> None:
        """Note the times and the CPU of events."""
        self.first = first if self.first is None else min(self.first, first)
        self.last = max(self.last, last)
        self.cpu = max(self.cpu, cpu)

    def mkdir(self, event: Event | _Told) -> None:
        if cgroup := self._cgroup(event):
            self._begin(cgroup).mkdir = event.at_ns

    def attach(self, event: Event | _Told) -> None:
        if not (cgroup := self._cgroup(event, _ATTACH)):
            return
        pid = int(cgroup["pid"])
        tasks = self.tasks.setdefault(int(cgroup["root"]), {})
        if int(cgroup["level"]) == 0:
            # In the root memcg nobody pays.
            tasks.pop(pid, None)
            return
        life = self._alive(cgroup)
        allocations: dict[str, int] = {}
        life.attaches.append((event.at_ns, pid, allocations))
        tasks[pid] = life, allocations

    def rename(self, event: Event | _Told) -> None:
        if cgroup := self._cgroup(event):
            lives = self.lives.get(_key(cgroup))
            if lives:
                lives[-1].path = cgroup["path"]

    def rmdir(self, event: Event | _Told) -> None:
        if not (cgroup := self._cgroup(event)):
            return
        life = self._alive(cgroup)
        life.rmdir = event.at_ns
        # A cgroup is removed only when empty, so its pids may come back as other tasks.
        tasks = self.tasks.get(int(cgroup["root"]), {})
        for _, pid, _ in life.attaches:
            if pid in tasks and tasks[pid][0] is life:
                del tasks[pid]

    def release(self, event: Event | _Told) -> None:
        if cgroup := self._cgroup(event):
            lives = self.lives.get(_key(cgroup))
            seen = lives and lives[-1].release is None
            life = lives[-1] if lives and seen else self._begin(cgroup)
            life.release = event.at_ns

    def alloc(self, event: Event | _Told) -> None:
        alloc = _ALLOC.fullmatch(event.body)
        if alloc is None:
            return
        cache = alloc["cache"]
        if cache not in self.sizes:
            self.sizes[cache] = int(alloc["size"])
        self.allocations[cache] = self.allocations.get(cache, 0) + 1
        pids = [event.pid]
        # Moving a process is told of its leader only: cgroup_attach_task(), since 4.9.
        if event.tgid is not None:
            pids.append(event.tgid)
        paid = False
        for tasks in self.tasks.values():
            found = next((tasks[pid] for pid in pids if pid in tasks), None)
            if found is not None:
                paid = True
                counts = found[1]
                counts[cache] = counts.get(cache, 0) + 1
        self.unattributed += not paid

    def _cgroup(
        self, event: Event | _Told, wording: re.Pattern[str] = _CGROUP
    ) -> re.Match[str] | None:
        """Return root, id, level and path; None if the recording was cut off there."""
        cgroup = wording.fullmatch(event.body)
        if cgroup is not None:
            root = int(cgroup["root"])
            self.cgroup_events[root] = self.cgroup_events.get(root, 0) + 1
            return cgroup
        fields = _fields(event.body)
        prefix = "dst_" if wording is _ATTACH else ""
        for key in (f"{prefix}root", f"{prefix}id", f"{prefix}level"):
            if key in fields and not re.fullmatch("-?[0-9]{1,20}", fields[key]):
                self.lines.refuse(f"{key}={fields[key]}", "a number")
                return None
        wanted = " ".join(f"{prefix}{key}=…" for key in ("root", "id", "level", "path"))
        wanted += " pid=… comm=…" if wording is _ATTACH else ""
        self.lines.refuse(f"{event.name}: {_short(event.body)}", wanted)
        return None

    def _alive(self, cgroup: re.Match[str]) -> TracedLife:
        """Return the life that an id stands for now; it may have begun unseen."""
        lives = self.lives.get(_key(cgroup))
        if lives and lives[-1].rmdir is None and lives[-1].release is None:
            return lives[-1]
        return self._begin(cgroup)

    def _begin(self, cgroup: re.Match[str]) -> TracedLife:
        lives = self.lives.setdefault(_key(cgroup), [])
        life = TracedLife(len(lives), cgroup["path"])
        lives.append(life)
        self.order.append((*_key(cgroup), life))
        return life

    def cgroups(self) -> dict[tuple[int, int, int], Cgroup]:
        """Return every life by hierarchy, id and generation, as they began."""
        return {
            (root, number, life.generation): Cgroup(
                root,
                number,
                life.generation,
                life.path,
                life.mkdir,
                life.rmdir,
                life.release,
                tuple(
                    [
                        Attach(at_ns, pid, MappingProxyType(allocations))
                        for at_ns, pid, allocations in life.attaches
                    ]
                ),
            )
            for root, number, life in self.order
        }


# --- the recording --------------------------------------------------------------------


_BOUNDS = MappingProxyType(
    {
        "caches": (1, 10_000),
        "count": (1, 1_000_000),
        "gap_us": (0, 1_000_000_000),
        "fork_callbacks": (0, 1_000_000),
        "exit_callbacks": (0, 1_000_000),
        "root_caches": (1, 1_000_000),
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class Replay:
    """Say what a recording leaves out; the defaults are the workload ``smythies``'s.

    A cgroup's caches and their counts are recorded from 6.18 on only. Without them a
    task that comes into a cgroup goes *count* rounds over the first *caches* caches of
    that workload.
    """

    caches: int | None = None
    """None: as many as were seen made for a cgroup, else 19 (measured, 4.8.15)."""
    count: int = 18
    """342 allocations a cgroup, if over 19 caches (353 were counted on 4.8.15)."""
    gap_us: float = 10
    """The program's own time before each allocation."""
    fork_callbacks: int = 0
    exit_callbacks: int = 80
    """RCU callbacks of a child's exit and the files it closes (counted, 4.12.10)."""
    root_caches: int = 58
    """All caches of the machine, as on the measured 4.8.15."""

    def __post_init__(self) -> None:
        """Check each value. Raises: InputError."""
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if value is None and name == "caches":
                continue
            kinds = (int, float) if name == "gap_us" else (int,)
            if type(value) not in kinds or not least <= value <= most:
                expected = f"a number from {least} to {most}"
                raise InputError(f"replay.{name}", f"it is {value!r}", expected)


_REPLAY = Replay()


@dataclasses.dataclass(frozen=True)
class Trace:
    """Hold what a recording says of cgroups, their caches, and itself.

    Reading: ``read``, ``fold``; another hierarchy: ``select``.
    Looking: ``lives``, ``rmdir_to_release_ns``, ``span_ns``, ``notes``.
    Replaying: ``programs`` (plain data), ``workload``.
    Times are nanoseconds of the recording's own clock.
    """

    where: str
    lines: int
    events: Mapping[str, int]
    """How often each event was recorded."""
    first_ns: int
    last_ns: int
    cpus: int | None
    """As its header says, else as many as are seen at work, if more than one."""
    lost: int
    """At least so many events are marked as lost between others."""
    overwritten: int
    """Events before the first one that the ring buffer had no room for."""
    cut_off: bool
    """The last line breaks off. It is left out unless its fields are all there."""
    root: int
    """The hierarchy that is replayed: the one with the most events, or as selected."""
    cgroups: Mapping[tuple[int, int, int], Cgroup]
    """Every life in every hierarchy by (root, id, generation), as they appear."""
    caches: tuple[Cache, ...]
    """Accounted caches by name, in the order of their first allocation."""
    unattributed: int
    """Accounted allocations of tasks that were not seen to come into a cgroup."""
    kernfs_per_cgroup: int | None
    """kernfs nodes of a cgroup, read off the gaps between ids; None up to 5.4."""

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, root: int | None = None) -> Trace:
        """Read a recording from a file.

        root: the hierarchy to replay; None is the one with the most events.
        Cost: one pass; memory for cgroups and their caches, not for lines.
        Raises: InputError with the line's number.
        """
        where = os.fspath(path) or "''"
        expected = "the text of a trace, as trace-cmd report and perf script write it"
        try:
            with open(path, "rb") as file:
                if b"\0" in file.peek():
                    raise InputError(where, "not text", expected)
                return cls._of(_Text(file, where), root)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(where, reason, expected) from None

    @classmethod
    def fold(
        cls, lines: Iterable[str], where: str = "trace", *, root: int | None = None
    ) -> Trace:
        """Fold the lines of a recording. Raises: InputError with the line's number."""
        return cls._of(_Lines(lines, where), root)

    @classmethod
    def _of(cls, reader: _Lines, root: int | None) -> Trace:
        fold = _Fold(reader)
        reader.into(fold)
        where = reader.where
        expected = "cgroup_mkdir and cgroup_rmdir events (Linux 4.9 and newer)"
        if fold.first is None:
            what = "there is no event in it" if reader.number else "the file is empty"
            raise InputError(where, what, expected)
        if not fold.order:
            raise InputError(where, "no cgroup is made or removed in it", expected)
        cgroups = fold.cgroups()
        # Of equals, the first that appears.
        roots = dict.fromkeys(cgroup_root for cgroup_root, _, _ in cgroups)
        chosen = max(roots, key=lambda number: fold.cgroup_events[number])
        trace = cls(
            where=where,
            lines=reader.number,
            events=MappingProxyType(dict(fold.events)),
            first_ns=fold.first,
            last_ns=fold.last,
            cpus=reader.cpus or (fold.cpu + 1 if fold.cpu else None),
            lost=reader.lost,
            overwritten=reader.overwritten,
            cut_off=reader.cut_off,
            root=chosen,
            cgroups=MappingProxyType(cgroups),
            caches=tuple(
                Cache(name, size, fold.allocations[name])
                for name, size in fold.sizes.items()
            ),
            unattributed=fold.unattributed,
            kernfs_per_cgroup=_kernfs_per_cgroup(cgroups.values(), chosen),
        )
        return trace if root is None else trace.select(root)

    def select(self, root: int) -> Trace:
        """Return the trace with another hierarchy to replay. Raises: InputError."""
        roots = sorted({key[0] for key in self.cgroups})
        if root not in roots:
            what = f"no cgroup of hierarchy {root} is made or removed in it"
            expected = "hierarchy " + " or ".join(map(str, roots))
            raise InputError(self.where, what, expected)
        per_cgroup = _kernfs_per_cgroup(self.cgroups.values(), root)
        return dataclasses.replace(self, root=root, kernfs_per_cgroup=per_cgroup)

    @property
    def lives(self) -> tuple[Cgroup, ...]:
        """Return the lives in the hierarchy that is replayed."""
        return tuple(c for c in self.cgroups.values() if c.root == self.root)

    @property
    def span_ns(self) -> int:
        """Return the time from the first event to the last."""
        return self.last_ns - self.first_ns

    @property
    def rmdir_to_release_ns(self) -> list[int]:
        """Return how long each removed cgroup took to go, shortest first."""
        waits = (life.rmdir_to_release_ns for life in self.lives)
        return sorted(wait for wait in waits if wait is not None)

    @property
    def caches_created(self) -> int:
        """Return how many caches were seen made, by a probe on sysfs_slab_add()."""
        return self.events.get("sysfs_slab_add", 0)

    @property
    def orphans(self) -> str:
        """Return in one line which lives were recorded in part; "" if none."""
        lives = self.lives
        counts = {
            "made before it began": sum(
                life.mkdir_ns is None and not _only_released(life) for life in lives
            ),
            "removed before it began": sum(map(_only_released, lives)),
            "removed unseen": sum(
                life.rmdir_ns is None
                and life.release_ns is not None
                and not _only_released(life)
                for life in lives
            ),
            "removed and not released": sum(
                life.rmdir_ns is not None and life.release_ns is None for life in lives
            ),
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

    def notes(self) -> list[str]:
        """Return what a reader of the results should know, a line each."""
        texts = (
            [f"of {len(self.lives)} cgroups: {self.orphans}"] if self.orphans else []
        )
        if self.lost:
            texts.append(f"{self.lost} events or more were lost while recording")
        if self.overwritten:
            texts.append(f"the first {self.overwritten} events were overwritten")
        if self.cut_off:
            texts.append(
                f"line {self.lines}, the last, breaks off: all after it is missing"
            )
        if self.unattributed:
            total = sum(cache.allocations for cache in self.caches)
            texts.append(
                f"{self.unattributed} of {total} accounted allocations are left out: "
                "their tasks were not seen to come into a cgroup"
            )
        others = sorted({key[0] for key in self.cgroups} - {self.root})
        if others:
            numbers = ", ".join(map(str, others))
            texts.append(f"hierarchy {self.root} is replayed, not {numbers}")
        return texts

    # --- replaying ---

    def programs(self, replay: Replay = _REPLAY) -> list[dict[str, Any]]:
        """Return a program for each life of a cgroup, in the words of workload files.

        Time 0 is the first event; a step's ms turn back into exact nanoseconds. A
        cgroup made before the recording is there from time 0, one that was not removed
        stays, one of which only the release was recorded is left out; all are children
        of the root cgroup. Each task that comes in is a child that allocates and exits;
        where no attaches were recorded at all, one comes in at once.
        """
        lives = self.lives
        attaches_recorded = any(life.attaches for life in lives)
        index = {cache.name: number for number, cache in enumerate(self.caches)}
        every = (0, self._caches_of_a_task(replay), replay.count)
        names_caches = self._names_caches
        programs = []
        for life in lives:
            if _only_released(life):
                continue
            made = self.first_ns if life.mkdir_ns is None else life.mkdir_ns
            attaches = life.attaches
            if not attaches_recorded:
                attaches = (Attach(made, 0, MappingProxyType({})),)
            steps: list[dict[str, Any]] = [{"do": "mkdir"}]
            for attach in attaches:
                used = [(index[name], 1, n) for name, n in attach.allocations.items()]
                child = _child(used if names_caches else [every], replay)
                steps.append(self._at(attach.at_ns))
                steps.append(
                    {"do": "fork", "child": child, "callbacks": replay.fork_callbacks}
                )
            if attaches:
                steps.append({"do": "wait"})
            # A cgroup that was released had been removed before.
            removed = life.release_ns if life.rmdir_ns is None else life.rmdir_ns
            if removed is not None:
                steps += [self._at(removed), {"do": "rmdir"}]
            programs.append(
                {
                    "name": f"{life.path}#{life.id}-{life.generation}",
                    "at_ms": self._at(made)["ms"],
                    "steps": steps,
                }
            )
        return programs

    def workload(self, replay: Replay = _REPLAY) -> Workload:
        """Return the recording as a workload. Raises: InputError."""
        programs = self.programs(replay)
        if not programs:
            expected = "cgroup_mkdir or cgroup_rmdir events"
            raise InputError(self.where, "no cgroup is made or removed in it", expected)
        roots = self._roots(replay)
        if self._names_caches:
            inputs = [
                "caches, and how often each is used: recorded",
                "RCU-typesafe, reclaimable: as caches of these names in smythies",
            ]
        else:
            inputs = [
                f"{replay.count} allocations of each of {len(roots)} caches a task"
            ]
        inputs.append(f"{replay.exit_callbacks} RCU callbacks a task from its exit")
        machine = {"cpus": self.cpus, "kernfs_per_cgroup": self.kernfs_per_cgroup}
        table = {
            "name": Path(self.where).stem,
            "title": f"{len(programs)} cgroups of a recording, as they came and went",
            "source": self.where,
            "inputs": [*inputs, *self.notes()],
            "machine": {key: value for key, value in machine.items() if value},
            "root_caches": max(replay.root_caches, len(roots)),
            "cache": roots,
            "program": programs,
        }
        return msgspec.convert(table, Workload)

    @property
    def _names_caches(self) -> bool:
        return any(
            attach.allocations for life in self.lives for attach in life.attaches
        )

    def _roots(self, replay: Replay) -> list[RootCache]:
        """Return the accounted root caches that the steps count from 0."""
        measured = load("smythies").caches
        if self._names_caches:
            # A recording does not show a cache's flags.
            flags = {cache.name: cache for cache in measured}
            return [
                msgspec.structs.replace(
                    flags.get(cache.name, RootCache(name="", object_size=8)),
                    name=cache.name,
                    object_size=min(max(8, cache.object_size), 1 << 22),
                )
                for cache in self.caches
            ]
        more = range(len(measured) + 1, self._caches_of_a_task(replay) + 1)
        plain = (RootCache(name=f"cache-{number}", object_size=256) for number in more)
        return [*measured, *plain][: self._caches_of_a_task(replay)]

    def _caches_of_a_task(self, replay: Replay) -> int:
        if replay.caches is not None:
            return replay.caches
        lives = self.lives
        used = sum(bool(life.attaches) for life in lives) or len(lives)
        if self.caches_created:
            return -(-self.caches_created // used)
        return len(load("smythies").caches)

    def _at(self, at_ns: int) -> dict[str, Any]:
        return {"do": "at", "ms": (at_ns - self.first_ns) / 1e6}


def _child(
    used: Iterable[tuple[int, int, int]], replay: Replay
) -> list[dict[str, Any]]:
    """Return the steps of a task; *used* holds first cache, caches, count."""
    gap_us = replay.gap_us
    return [
        {"do": "join"},
        *(
            {"do": "alloc", "first": a, "caches": k, "count": n, "gap_us": gap_us}
            for a, k, n in used
        ),
        {"do": "exit", "callbacks": replay.exit_callbacks},
    ]


def _only_released(life: Cgroup) -> bool:
    return life.mkdir_ns is None and life.rmdir_ns is None and not life.attaches


def _kernfs_per_cgroup(cgroups: Iterable[Cgroup], root: int) -> int | None:
    """Return the commonest gap between the ids of cgroups made one after the other.

    From 5.5 on an id is the number of the directory's kernfs node, and the files take
    the numbers that follow; a cgroup has 8 nodes at least. Up to 5.4 ids count cgroups.
    """
    ids = [c.id for c in cgroups if c.root == root and c.mkdir_ns is not None]
    gaps = Counter(after - before for before, after in itertools.pairwise(ids))
    gap, times = gaps.most_common(1)[0] if gaps else (0, 0)
    return gap if 8 <= gap <= 1000 and times >= 3 and 2 * times >= len(ids) else None


# --- recordings that come with slabcore -----------------------------------------------

_RECORDINGS = MappingProxyType(
    {
        "ftrace-6.18": "ftrace-6.18-cgroup1-memory.txt",
        "life-4.10": "cgroup-life-4.10.17.txt",
    }
)


def recordings() -> list[str]:
    """Return the names of the recordings that come with slabcore."""
    return list(_RECORDINGS)


def recording(name: str) -> Path:
    """Return the path of a recording that comes with slabcore. Raises: InputError."""
    if name not in _RECORDINGS:
        near = difflib.get_close_matches(name, _RECORDINGS, n=1, cutoff=0.4)
        expected = (
            f"{near[0]} (nearest)" if near else "one of " + ", ".join(_RECORDINGS)
        )
        raise InputError("recording", f"there is none named {name!r}", expected)
    return Path(str(resources.files("slabcore"))) / "recordings" / _RECORDINGS[name]

"""Three lives of a cgroup, step by step: recorded on a real kernel, and modelled.

Both sides are ftrace lines, the model's as Kernel.ftrace() writes them, and both are
cut into steps by the same rules, so that what differs is what the kernels did.
"""

from __future__ import annotations

import difflib
import gzip
import io
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

import msgspec

from slabcore.comparison import Engine, boot
from slabcore.designs import Design
from slabcore.errors import InputError
from slabcore.kernel import EVENTS
from slabcore.machine import Machine
from slabcore.traces import Event, read_events
from slabcore.workloads import Alloc, Fork, Workload, load
from slabcore.workloads import Step as ProgramStep

__all__ = [
    "PHASES",
    "Life",
    "Lives",
    "Pair",
    "Step",
    "Variant",
    "Wait",
    "model",
    "pairs",
    "read",
    "recorded",
    "recorded_kernels",
    "reduce",
]

PHASES = ("made and used", "removed", "released and freed")

# Functions of works, and what waits: the rest is told as calls of the work they are in.
_WORKS = frozenset(
    name for name in EVENTS if name.endswith(("_work_fn", "_workfn", "_create_func"))
)
_WAITS = MappingProxyType(
    {"synchronize_sched": "grace period", "rcu_barrier": "barrier"}
)
_MARKS = MappingProxyType(
    {
        "MARK mkdir": "sys_mkdir",
        "MARK use": "cgroup_mkdir",
        "MARK rmdir": "sys_rmdir",
        "MARK rmdir done": "cgroup_rmdir",
    }
)
_WORK_EVENTS = ("workqueue_queue_work", "workqueue_execute_start")


class Wait(msgspec.Struct, frozen=True):
    """Sum up the waits of one kind in a step."""

    what: str
    """grace period, barrier, or the name of a mutex."""
    us: tuple[int, ...]
    """How long each took, in microseconds."""


class Variant(msgspec.Struct, frozen=True):
    """Say how many runs of a step called what."""

    runs: int
    calls: str


class Step(msgspec.Struct, frozen=True):
    """Hold a step of a life: runs of one function for one cgroup."""

    name: str
    runs: int
    variants: tuple[Variant, ...]
    by: Literal["program", "softirq", "kworker", "unbound kworker"]
    queue: str
    """events, cgroup_destroy, or own: a workqueue of the caches'; of a work."""
    queued_by: str
    cpus: tuple[int, ...]
    moved: bool
    """It ran elsewhere than the phase's first step. Creations run where misses are."""
    at_us: int
    """When the first run began, since the phase did."""
    took_us: int
    """From there to the end of the last run."""
    after_us: int | None
    """What an RCU callback began or queued: the time since the step before it."""
    waits: tuple[Wait, ...]

    @property
    def key(self) -> tuple[object, ...]:
        """Return all that is held against another kernel's step but its times."""
        created = self.name == "memcg_kmem_cache_create_func"
        return (
            self.name,
            # Works that find the cache made by an earlier one come as misses happen.
            tuple(
                v for v in self.variants if not created or "sysfs_slab_add" in v.calls
            ),
            self.by,
            self.queue,
            self.queued_by,
            self.moved,
            self.after_us is not None,
            tuple((wait.what, len(wait.us)) for wait in self.waits if _is_rcu(wait)),
        )


class Life(msgspec.Struct, frozen=True):
    """Hold the life of one cgroup."""

    began_us: tuple[int | None, ...]
    """When each phase began, since the first one did."""
    phases: tuple[tuple[Step, ...], ...]


class Lives(msgspec.Struct, frozen=True):
    """Hold what a recording, or a run of the model, says of cgroups' lives."""

    source: str
    names: tuple[str, ...]
    """The events that are in it."""
    lives: tuple[Life, ...]

    @property
    def caches(self) -> int:
        """Return how many caches the first cgroup had."""
        first = itertools.chain.from_iterable(self.lives[0].phases)
        return sum(
            variant.runs
            for step in first
            for variant in step.variants
            if "sysfs_slab_add" in variant.calls
        )


_KEY = ("names", "calls", "workers", "queues", "queuers", "CPUs", "callbacks", "waits")


def _is_rcu(wait: Wait) -> bool:
    return wait.what in _WAITS.values()


# --- from events to steps -------------------------------------------------------------


class _Call(NamedTuple):
    """An event inside a run; what it waited for, if it did."""

    name: str
    us: int
    mutex: str = ""


class _Run:
    """One run of a function: a work, a callback, or a stretch of a program."""

    __slots__ = (
        *("by", "calls", "cpu", "end", "life", "name", "phase"),
        *("queue", "queued", "queued_by", "start"),
    )

    def __init__(self, name: str, event: Event, by: str, life: int, phase: int) -> None:
        self.name = name
        self.by = by
        self.cpu = event.cpu
        self.start = self.end = event.at_ns // 1000
        self.life = life
        self.phase = phase
        self.calls: list[_Call] = []
        self.queue = ""
        self.queued = self.start
        self.queued_by = ""


class _Queued(NamedTuple):
    us: int
    queue: str
    by: str
    owner: _Run | None
    """The run that queued it."""


def _context(event: Event) -> str:
    if len(event.flags) >= 3 and event.flags[2] in "sS":
        return "softirq"
    if event.comm.startswith("kworker/"):
        return "unbound kworker" if event.comm.startswith("kworker/u") else "kworker"
    return "program"


def _word(event: Event, key: str) -> str:
    return event.fields().get(key, "")


class _Cutter:
    """Cut events into runs, and say whose life each is of."""

    def __init__(self, where: str, only: frozenset[str] | None) -> None:
        self.where = where
        self.only = only
        self.runs: list[_Run] = []
        self.names: Counter[str] = Counter()
        self.made = self.removed = self.killed = 0
        self.released = [0, 0]  # css_release_work_fn: of the memcg, of the cgroup
        self.freed = [0, 0]
        self.in_work: dict[int, _Run] = {}
        self.of_program: dict[int, _Run] = {}
        self.waiting: dict[int, tuple[_Run, _Call]] = {}
        self.queued: dict[str, _Queued] = {}
        self.queues: dict[str, str] = {}

    def take(self, event: Event) -> None:
        name = event.name
        if name == "tracing_mark_write":
            name = _MARKS.get(event.body, "")
        if name in EVENTS:
            self.names[name] += 1
        by = _context(event)
        if by != "softirq" and name != "rcu_utilization" and event.pid in self.waiting:
            self._woken(event)
        # That a mutex is waited for is in no recording, and shown of the model besides.
        if not self._counts(name) and name != "__mutex_lock_slowpath":
            return
        if name == "workqueue_queue_work":
            self._queue(event, by)
        elif name == "workqueue_execute_start":
            self._begin_work(event, by)
        elif name == "workqueue_execute_end":
            run = self.in_work.pop(event.pid, None)
            if run is not None:
                run.end = event.at_ns // 1000
        elif name in EVENTS:
            if by == "program":
                self._in_program(event, name)
            elif by == "softirq":
                self._in_softirq(event, name)
            else:
                self._in_kworker(event, name)

    def _counts(self, name: str) -> bool:
        return self.only is None or name in self.only

    # --- works ---

    def _queue(self, event: Event, by: str) -> None:
        function, queue = _word(event, "function"), _word(event, "workqueue")
        if function == "vmstat_shepherd":
            # schedule_delayed_work(): this is system_wq.
            self.queues[queue] = "events"
        if function not in _WORKS:
            return
        owner = self.in_work.get(event.pid) if by.endswith("kworker") else None
        self.queued[_word(event, "struct")] = _Queued(
            event.at_ns // 1000, queue, by, owner
        )

    def _begin_work(self, event: Event, by: str) -> None:
        _, _, rest = event.body.partition("work struct ")
        struct, _, function = rest.partition(": function ")
        if function not in _WORKS:
            return
        queued = self.queued.pop(struct, None)
        life, phase = self._of(function, queued)
        run = _Run(function, event, by, life, phase)
        if queued is not None:
            run.queue, run.queued, run.queued_by = queued.queue, queued.us, queued.by
        self.in_work[event.pid] = run
        self.runs.append(run)

    def _of(self, function: str, queued: _Queued | None) -> tuple[int, int]:
        """Tell the life and the phase of a work."""
        owner = queued.owner if queued is not None else None
        if function in ("css_release_work_fn", "css_free_work_fn"):
            counts = self.released if function == "css_release_work_fn" else self.freed
            if function == "css_release_work_fn":
                of_cgroup = owner is not None and owner.name == "css_free_work_fn"
            else:
                # A css is freed after its release; one of each is under way at most.
                of_cgroup = self.released[1] > self.freed[1]
            counts[of_cgroup] += 1
            return counts[of_cgroup], 2
        if function == "css_killed_work_fn":
            return self.killed, 1
        if owner is not None:
            return owner.life, owner.phase
        if function == "memcg_kmem_cache_create_func":
            return self.made, 0
        return self.killed, 1

    def _in_kworker(self, event: Event, name: str) -> None:
        run = self.in_work.get(event.pid)
        if run is not None and name != run.name:
            self._call(run, event, name)

    def _call(self, run: _Run, event: Event, name: str) -> None:
        call = _Call(name, event.at_ns // 1000, _word(event, "mutex"))
        if name == "__mutex_lock_slowpath" or name in _WAITS:
            self.waiting[event.pid] = run, call
        if name != "__mutex_lock_slowpath":
            run.calls.append(call)

    def _woken(self, event: Event) -> None:
        run, call = self.waiting.pop(event.pid)
        what = _WAITS.get(call.name, call.mutex)
        run.calls.append(_Call(f"waited: {what}", event.at_ns // 1000 - call.us))

    # --- programs and callbacks ---

    def _in_program(self, event: Event, name: str) -> None:
        us = event.at_ns // 1000
        run = self.of_program.get(event.pid)
        if name == "sys_mkdir":
            if self.made > self.removed:
                what = "a cgroup is made before the one before it is removed"
                raise InputError(self.where, what, "lives one after the other")
            self.made += 1
            self._open(event, "mkdir", self.made, 0)
        elif name == "cgroup_mkdir":
            if run is not None and run.name == "mkdir":
                run.end = us
                del self.of_program[event.pid]
            elif self.made == self.removed:
                # Recorded without marks: all that is known is when it was made.
                self.made += 1
                self.runs.append(_Run("mkdir", event, "program", self.made, 0))
        elif name == "sys_rmdir":
            self.removed += 1
            self._open(event, "rmdir", self.removed, 1)
        elif name == "cgroup_rmdir":
            if run is not None and run.name == "rmdir":
                run.end = us
                del self.of_program[event.pid]
            elif self.removed < self.made:
                self.removed += 1
                self.runs.append(_Run("rmdir", event, "program", self.removed, 1))
        elif name in ("cgroup_attach_task", "synchronize_sched"):
            joined = _Run(name, event, "program", self.made, 0)
            self.runs.append(joined)
            if name in _WAITS:
                self._call(joined, event, name)

    def _open(self, event: Event, name: str, life: int, phase: int) -> None:
        run = _Run(name, event, "program", life, phase)
        self.of_program[event.pid] = run
        self.runs.append(run)

    def _in_softirq(self, event: Event, name: str) -> None:
        if name == "css_killed_ref_fn":
            self.killed += 1
            self.runs.append(_Run(name, event, "softirq", self.killed, 1))

    # --- all of it ---

    def queue_name(self, pointer: str) -> str:
        if pointer in ("", "events", "cgroup_destroy"):
            return pointer
        return self.queues.get(pointer, "own")

    def name_queues(self) -> None:
        for run in self.runs:
            if run.name == "css_killed_work_fn" and run.queue:
                self.queues[run.queue] = "cgroup_destroy"


def _pattern(names: Sequence[str]) -> str:
    """Write a sequence with its repetitions collapsed: a, 19 x [b, c]."""
    parts: list[str] = []
    at = 0
    while at < len(names):
        best, width = 1, 1
        for size in (1, 2, 3):
            unit = names[at : at + size]
            times = 1
            while names[at + times * size : at + (times + 1) * size] == unit:
                times += 1
            if times > 1 and times * size > best * width:
                best, width = times, size
        unit = list(names[at : at + width])
        if best > 1:
            inner = unit[0] if width == 1 else f"[{', '.join(unit)}]"
            parts.append(f"{best} x {inner}")
        else:
            parts += unit
        at += best * width
    return ", ".join(parts)


def reduce(
    events: Iterable[Event], where: str, *, only: Iterable[str] | None = None
) -> Lives:
    """Reduce events to the lives of cgroups that come one after the other.

    only: the names of the events that count; None: all that are known.
    Raises: InputError if the events do not suffice.
    """
    cutter = _Cutter(where, None if only is None else frozenset(only))
    for event in events:
        cutter.take(event)
    missing = [name for name in _WORK_EVENTS if not cutter.names[name]]
    if missing or not cutter.removed:
        what = f"it has no {' and no '.join(missing or ['rmdir'])}"
        expected = "cgroup and workqueue events, best with kprobes on slab functions"
        raise InputError(where, what, expected)
    cutter.name_queues()
    lives = tuple(_life(cutter, number) for number in range(1, cutter.made + 1))
    return Lives(where, tuple(sorted(cutter.names)), lives)


def _life(cutter: _Cutter, number: int) -> Life:
    began: list[int | None] = []
    phases = []
    for phase in range(len(PHASES)):
        runs = [r for r in cutter.runs if r.life == number and r.phase == phase]
        # What is queued begins with the queueing: that is what another waits for.
        start = min((r.queued for r in runs), default=None)
        began.append(start)
        phases.append(tuple(_steps(cutter, runs, phase, start or 0)))
    first = began[0] if began[0] is not None else 0
    return Life(
        tuple(None if start is None else start - first for start in began),
        tuple(phases),
    )


def _steps(
    cutter: _Cutter, runs: Sequence[_Run], phase: int, start: int
) -> Iterator[Step]:
    """Group the runs of a phase by what they are, in the order of the first ones."""
    groups: dict[tuple[str, bool], list[_Run]] = {}
    second = False  # the css of the cgroup itself follows the memory controller's
    for run in sorted(runs, key=lambda r: r.start):
        if run.name == "css_release_work_fn":
            second = any(name == run.name for name, _ in groups)
        groups.setdefault(
            (run.name, second and run.name.startswith("css_")), []
        ).append(run)
    before: _Run | None = None
    home: set[int] = set()
    for group in groups.values():
        first = group[0]
        waits: dict[str, list[int]] = {}
        variants: Counter[str] = Counter()
        for run in group:
            names = []
            for call in run.calls:
                _, waited, what = call.name.partition("waited: ")
                if waited:
                    waits.setdefault(what, []).append(call.us)
                elif call.name != run.name:
                    names.append(call.name)
            variants[_pattern(names)] += 1
        cpus = {run.cpu for run in group}
        home = home or cpus
        after = None
        if "softirq" in (first.by, first.queued_by) and before is not None:
            # What a callback that is a step itself has queued waits for nothing more.
            after = None if before.by == "softirq" else first.queued - before.end
        yield Step(
            name=first.name,
            runs=len(group),
            variants=tuple(Variant(n, calls) for calls, n in variants.items()),
            by=first.by,  # type: ignore[arg-type]
            queue=cutter.queue_name(first.queue),
            queued_by=first.queued_by,
            cpus=tuple(sorted(cpus)),
            moved=phase > 0 and not cpus <= home,
            at_us=first.start - start,
            took_us=max(run.end for run in group) - first.start,
            after_us=after,
            waits=tuple(Wait(what, tuple(us)) for what, us in sorted(waits.items())),
        )
        before = first


# --- the two sides --------------------------------------------------------------------


def read(path: str | os.PathLike[str]) -> Lives:
    """Read a recording's text, which may be gzipped. Raises: InputError."""
    where = os.fspath(path) or "''"
    expected = "the text of a trace, as ftrace and trace-cmd report write it"
    try:
        with open(path, "rb") as file:
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            if not packed and b"\0" in file.peek():
                raise InputError(where, "not text", expected)
            data = gzip.GzipFile(fileobj=file) if packed else file
            lines = io.TextIOWrapper(data, "utf-8", "replace", newline="\n")
            lives = reduce(read_events(lines, where), where)
            return msgspec.structs.replace(lives, source=Path(path).name)
    except (OSError, EOFError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise InputError(where, reason, expected) from None


def recorded_kernels() -> list[str]:
    """Return the kernels whose recorded lives come with slabcore."""
    names = (path.name for path in _folder().iterdir() if path.name.startswith("life-"))
    kernels = [name.removeprefix("life-").removesuffix(".json") for name in names]
    return sorted(kernels, key=lambda kernel: [int(n) for n in kernel.split(".")])


def recorded(kernel: str) -> Lives:
    """Return the lives that were recorded on a kernel."""
    return msgspec.json.decode(
        (_folder() / f"life-{kernel}.json").read_bytes(), type=Lives
    )


def _folder() -> Path:
    return Path(str(resources.files("slabcore"))) / "recordings"


def model(
    design: Design,
    *,
    caches: int,
    names: Iterable[str] | None = None,
    machine: Machine | None = None,
    engine: Engine = "core",
) -> Lives:
    """Run the lives that were recorded under a design.

    caches: that a cgroup has. names: the events that count, as in a recording.
    """
    workload = _with_caches(load("life"), caches)
    machine = workload.host() if machine is None else machine
    kernel = boot(workload, design, machine, engine=engine, log=True)
    kernel.run()
    kernel.drain()
    where = f"model, {design.name}"
    return reduce(read_events(kernel.ftrace(), where), where, only=names)


def _with_caches(workload: Workload, caches: int) -> Workload:
    def changed(step: ProgramStep) -> ProgramStep:
        if isinstance(step, Alloc):
            return msgspec.structs.replace(step, caches=caches)
        if isinstance(step, Fork):
            return msgspec.structs.replace(step, child=tuple(map(changed, step.child)))
        return step

    return workload.replace(
        programs=tuple(
            msgspec.structs.replace(program, steps=tuple(map(changed, program.steps)))
            for program in workload.programs
        )
    )


class Pair(NamedTuple):
    """Hold a step of one side and the same one of the other; None: it has none."""

    phase: int
    recorded: Step | None
    modelled: Step | None

    @property
    def same(self) -> bool:
        """Tell whether both sides did the same, whatever it took."""
        if self.recorded is None or self.modelled is None:
            return False
        return self.recorded.key == self.modelled.key


def pairs(recorded: Life, modelled: Life) -> Iterator[Pair]:
    """Yield the steps of two lives side by side, in order."""
    for phase in range(len(PHASES)):
        ours, theirs = modelled.phases[phase], recorded.phases[phase]
        matcher = difflib.SequenceMatcher(
            None, [s.name for s in theirs], [s.name for s in ours], autojunk=False
        )
        at = to = 0
        for start, begin, size in matcher.get_matching_blocks():
            yield from (Pair(phase, step, None) for step in theirs[at:start])
            yield from (Pair(phase, None, step) for step in ours[to:begin])
            at, to = start + size, begin + size
            for one, other in zip(theirs[start:at], ours[begin:to], strict=True):
                yield Pair(phase, one, other)


def differences(recorded: Life, modelled: Life) -> list[str]:
    """Return a line for each step that one side has alone or has otherwise."""
    lines = []
    for pair in pairs(recorded, modelled):
        if pair.same:
            continue
        one, other = pair.recorded, pair.modelled
        if one is None or other is None:
            step, side = (other, "model") if one is None else (one, "recording")
            assert step is not None
            lines.append(f"{PHASES[pair.phase]}: {step.name} is in the {side} only")
            continue
        for what, its, ours in zip(_KEY, one.key, other.key, strict=True):
            if its != ours:
                lines.append(f"{PHASES[pair.phase]}: {one.name}: {what} differ")
    return lines


def unrecorded(recorded: Lives, modelled: Lives) -> list[str]:
    """Return the events that only the model's own log has."""
    return sorted(
        name
        for name in {*modelled.names} - {*recorded.names}
        # That a work ran is recorded, its entry by a probe besides is not always.
        if name not in _WORKS and name not in ("__mutex_lock_slowpath", *_WORK_EVENTS)
    )


def summary(recorded: Lives, modelled: Lives, index: int) -> list[str]:
    """Say of one life in how far both sides did the same. Returns: lines."""
    one, other = recorded.lives[index], modelled.lives[index]
    lines = differences(one, other)
    if not lines:
        steps = sum(map(len, one.phases))
        lines = [f"the same {steps} steps in the same order, with the same waits"]
    lines.append(
        "not held against each other: creation works that find the cache made already"
    )
    if alone := unrecorded(recorded, modelled):
        lines.append(f"not recorded, so left out of the model's: {', '.join(alone)}")
    return lines


# --- in words -------------------------------------------------------------------------


def rows(recorded: Life, modelled: Life) -> Iterator[tuple[str, ...]]:
    """Yield what a table shows: a step, or what is said of one, and both sides of it.

    Times are milliseconds since the phase began. A phase is in capitals.
    """
    shown = -1
    for pair in pairs(recorded, modelled):
        if pair.phase != shown:
            shown = pair.phase
            yield (
                f"{PHASES[shown].upper()}, since mkdir",
                *(_begins(life, shown) for life in (recorded, modelled)),
            )
        yield from _step_rows(pair)


def _begins(life: Life, phase: int) -> str:
    began = life.began_us[phase]
    return "never" if began is None else _ms(began)


def _step_rows(pair: Pair) -> Iterator[tuple[str, ...]]:
    sides = (pair.recorded, pair.modelled)
    steps = [step for step in sides if step is not None]
    runs = " / ".join(dict.fromkeys(str(step.runs) for step in steps))
    name = steps[0].name if runs == "1" else f"{runs} x {steps[0].name}"
    yield (name, *map(_times, sides))
    ran = dict.fromkeys(
        f"by {step.by}, queue {step.queue}" if step.queue else f"by {step.by}"
        for step in steps
    )
    yield (f"  {' / '.join(ran)}", *map(_cpus, sides))
    if any(step.after_us is not None for step in steps):
        yield ("  called back after", *map(_after, sides))
    for calls in dict.fromkeys(v.calls for step in steps for v in step.variants):
        counts = [_of_runs(side, calls) for side in sides]
        for number, call in enumerate(_calls(calls)):
            yield (f"  {call}", *(["", ""] if number else counts))
    for what in dict.fromkeys(wait.what for step in steps for wait in step.waits):
        yield from _wait_rows(what, [_waits(side, what) for side in sides])


def _times(step: Step | None) -> str:
    if step is None:
        return "no such step"
    took = f" for {_ms(step.took_us)}" if step.took_us else ""
    return f"{_ms(step.at_us)}{took}"


def _cpus(step: Step | None) -> str:
    return "" if step is None else f"CPU {', '.join(map(str, step.cpus))}"


def _after(step: Step | None) -> str:
    return "" if step is None or step.after_us is None else _ms(step.after_us)


def _calls(calls: str) -> list[str]:
    """Split a pattern at the commas that are in no brackets."""
    return re.findall(r"(?:\d+ x )?\[.*?\]|[^,\[ ][^,\[]*", calls)


def _of_runs(step: Step | None, calls: str) -> str:
    if step is None:
        return ""
    runs = sum(v.runs for v in step.variants if v.calls == calls)
    if runs == step.runs:
        return ""
    return "not here" if not runs else f"{runs} of {step.runs}"


def _waits(step: Step | None, what: str) -> tuple[int, ...]:
    return sum((w.us for w in step.waits if w.what == what), ()) if step else ()


def _wait_rows(what: str, sides: Sequence[Sequence[int]]) -> Iterator[tuple[str, ...]]:
    times = " / ".join(dict.fromkeys(str(len(us)) for us in sides))
    what = what if what.endswith("mutex") else f"a {what}"
    text = f"  waits for {what}"
    if times != "1":
        text += f", {times} times, mean"
    yield (text, *(_ms(sum(us) / len(us)) if us else "not here" for us in sides))
    if any(len(us) > 1 for us in sides):
        ranges = (f"{_ms(min(us))} to {_ms(max(us))}" if us else "" for us in sides)
        yield ("    shortest and longest", *ranges)


def _ms(us: float) -> str:
    return f"{us / 1000:.1f}" if us >= 95 or not us else f"{us / 1000:.2f}"

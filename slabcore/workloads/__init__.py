"""What the machine is asked to do: built-in workloads and files of the same form."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from slabcore.errors import InputError
from slabcore.kernel import HOTPLUGS
from slabcore.machine import Costs, Machine, read_toml
from slabcore.overrides import in_words

__all__ = [
    "Program",
    "Reported",
    "RootCache",
    "Spawn",
    "Workload",
    "load",
    "workloads",
]

_HERE = Path(__file__).parent

_FOR_EVER = 1 << 30  # repetitions
_MOST_COPIES = 100_000  # of a child, one step each

# What a step is for the engine: (op, a, b, c, d).
Step5: TypeAlias = tuple[int, int, int, int, int]

Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
# A count, or the name of one of the workload's parameters.
Named: TypeAlias = Count | str
Positive = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
ObjectSize = Annotated[int, msgspec.Meta(ge=8, le=1 << 22)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Copies = Annotated[int, msgspec.Meta(ge=0, le=_MOST_COPIES)]
Microseconds = Annotated[float, msgspec.Meta(ge=0, le=1e15)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Interval = Annotated[float, msgspec.Meta(ge=0.001, le=1e6)]
PhaseName = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]*$")]


# --- the file -------------------------------------------------------------------------


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a workload file."""


class _Step(_Table, frozen=True, kw_only=True, tag_field="do"):
    """A step of a program, in the words of the file."""


class Mkdir(_Step, frozen=True, kw_only=True, tag="mkdir"):
    """Make a cgroup and hold it; a forked child holds it too."""

    inside: bool = False
    """Below the cgroup held so far, which may be the one of the task that forked."""


class Rmdir(_Step, frozen=True, kw_only=True, tag="rmdir"):
    """Remove the cgroup that the task holds."""


class Fork(_Step, frozen=True, kw_only=True, tag="fork"):
    """Start a child; fork queues *callbacks* ordinary RCU callbacks."""

    child: tuple[Step, ...]
    callbacks: Count = 0
    copies: Copies | str = 1
    """How many children are started, one after another, or a parameter."""
    repeat: Named = 1
    """How often each goes through its steps; 0: there is no child."""
    while_parent: bool = False
    """Each repeats until the task that forks has ended, which does not wait for it."""


class Join(_Step, frozen=True, kw_only=True, tag="join"):
    """Move the task into the cgroup that it holds."""


class Alloc(_Step, frozen=True, kw_only=True, tag="alloc"):
    """Allocate and free an object of each of *caches* caches, *count* rounds."""

    caches: Named
    first: Count = 0
    count: Named = 1
    gap_us: Microseconds = 0


class Pin(_Step, frozen=True, kw_only=True, tag="pin"):
    """Allocate *count* objects of each cache, to stay until caches are dropped."""

    caches: Named
    first: Count = 0
    count: Named = 1


class Sleep(_Step, frozen=True, kw_only=True, tag="sleep"):
    """Sleep so long, a number or a parameter."""

    ms: Milliseconds | str


class Run(_Step, frozen=True, kw_only=True, tag="run"):
    """Compute; ``when="kmem"``: only if kernel memory accounting is on."""

    ms: Milliseconds
    when: Literal["always", "kmem"] = "always"


class Callbacks(_Step, frozen=True, kw_only=True, tag="callbacks"):
    """Queue ordinary RCU callbacks, as close() of files does."""

    count: Positive


class Exit(_Step, frozen=True, kw_only=True, tag="exit"):
    """Exit; that queues *callbacks* ordinary RCU callbacks."""

    callbacks: Count = 0


class Wait(_Step, frozen=True, kw_only=True, tag="wait"):
    """Wait for the children."""


class At(_Step, frozen=True, kw_only=True, tag="at"):
    """Sleep until *ms* after the workload began; nothing when that is past."""

    ms: Milliseconds


class DropCaches(_Step, frozen=True, kw_only=True, tag="drop_caches"):
    """Drop the pinned objects."""


class CreateCache(_Step, frozen=True, kw_only=True, tag="create_cache"):
    """Create a root cache and hold it; a child that is forked later holds it too."""

    object_size: ObjectSize
    accounted: bool = False
    typesafe: bool = False
    reclaimable: bool = False
    mergeable: bool = True
    """It may be another name of an older mergeable one of its kind and size."""


class DestroyCache(_Step, frozen=True, kw_only=True, tag="destroy_cache"):
    """Destroy a root cache: the one of that name, or the one that the task holds.

    If objects are left the cache stays; nobody can allocate from it any more.
    """

    cache: str = ""


class Hold(_Step, frozen=True, kw_only=True, tag="hold"):
    """Allocate *count* objects of such a root cache, to be freed by a later step."""

    count: Named
    cache: str = ""


class Free(_Step, frozen=True, kw_only=True, tag="free"):
    """Free up to *count* objects of such a root cache, the task's cgroup's first."""

    count: Named
    cache: str = ""


class Hotplug(_Step, frozen=True, kw_only=True, tag="hotplug"):
    """Let a CPU die, or memory come or go."""

    event: Literal["cpu-dead", "memory-online", "memory-offline"]


class Mark(_Step, frozen=True, kw_only=True, tag="mark"):
    """Begin a phase: results say what each took. The first task here begins it."""

    phase: PhaseName


class Keep(_Step, frozen=True, kw_only=True, tag="keep"):
    """Leave the cgroup that the task holds with those that were kept."""


class Take(_Step, frozen=True, kw_only=True, tag="take"):
    """Hold the oldest cgroup that was kept, which no longer is."""


class RmdirKept(_Step, frozen=True, kw_only=True, tag="rmdir_kept"):
    """Remove every cgroup that was kept, the oldest first."""


class Settle(_Step, frozen=True, kw_only=True, tag="settle"):
    """Look every *poll_ms* until no other program runs and no work did for *quiet_ms*.

    Programs in the background do not count, nor do others that settle.
    """

    quiet_ms: Milliseconds
    poll_ms: Annotated[float, msgspec.Meta(gt=0, le=1e12)] = 50


class Expedite(_Step, frozen=True, kw_only=True, tag="expedite"):
    """Switch /sys/kernel/rcu_expedited: who waits for a grace period need not."""

    on: bool


class Slabinfo(_Step, frozen=True, kw_only=True, tag="slabinfo"):
    """Read /proc/slabinfo to its end, so many bytes a read(), a pause between two.

    reader: "kernel" finds its place again by counting, as every kernel does; "cursor"
    has kept it. Or the name of a parameter, which is 0 or 1.
    """

    read: Positive | str = 4096
    pause_ms: Milliseconds | str = 0
    reader: str = "kernel"


class Probe(_Step, frozen=True, kw_only=True, tag="probe"):
    """Hold cgroup_mutex, as a read of /proc/cgroups or a mkdir elsewhere does."""

    us: Microseconds


Step: TypeAlias = (
    Mkdir
    | Rmdir
    | Fork
    | Join
    | Alloc
    | Pin
    | Sleep
    | Run
    | Callbacks
    | Exit
    | Wait
    | At
    | DropCaches
    | CreateCache
    | DestroyCache
    | Hold
    | Free
    | Hotplug
    | Mark
    | Keep
    | Take
    | RmdirKept
    | Settle
    | Expedite
    | Slabinfo
    | Probe
)
_STEPS = MappingProxyType(
    {str(step.__struct_config__.tag): step for step in _Step.__subclasses__()}
)


class Program(_Table, frozen=True, kw_only=True):
    """Name a program and say how many tasks run it and how often each."""

    name: str
    steps: tuple[Step, ...]
    copies: Named = 1
    """How many tasks run it: a number, a parameter, or "cpus"."""
    repeat: Positive = 1
    total: Named = 0
    """Repetitions of all copies together, shared out evenly; 0: *repeat* each."""
    at_ms: Milliseconds = 0
    until_s: Seconds = 0
    """No repetition starts later than this after the workload began; 0: no limit."""
    background: bool = False
    """It goes on for ever, and nobody waits for its end."""


class RootCache(_Table, frozen=True, kw_only=True):
    """Describe a root cache that is there before the workload begins."""

    name: str
    copies: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    """Several caches of this kind are called name-1, name-2, …"""
    object_size: ObjectSize
    accounted: bool = True
    typesafe: bool = False
    reclaimable: bool = False
    mergeable: bool = False
    """A cache created later may be another name of it."""

    def each(self) -> list[RootCache]:
        """Return the caches of this kind one by one."""
        if self.copies == 1:
            return [self]
        return [
            msgspec.structs.replace(self, name=f"{self.name}-{number}", copies=1)
            for number in range(1, self.copies + 1)
        ]


class Reported(_Table, frozen=True, kw_only=True):
    """Quote a figure that somebody measured on a real kernel."""

    design: str
    figure: Literal[
        "virtual_s",
        "iteration_ms",
        "kworkers_peak",
        "load1_peak",
        "kernfs_nodes_peak",
    ]
    low: float
    high: float
    source: str
    cpus: Positive | None = None
    """The figure holds for this number of CPUs only."""


class MachineSettings(_Table, frozen=True, kw_only=True):
    """Say what the workload's own host was like, where that is known."""

    cpus: int | None = None
    hz: int | None = None
    allocator: str | None = None
    kmem: str | None = None
    kernfs_per_cache: int | None = None
    kernfs_per_cgroup: int | None = None
    page_size: int | None = None
    other_kworkers: int | None = None
    max_memcgs: int | None = None
    charge_caches: bool | None = None
    costs: str | None = None


class Workload(_Table, frozen=True, kw_only=True):
    """Hold programs, the caches they allocate from, and the host they ran on."""

    name: str
    title: str
    source: str
    inputs: tuple[str, ...] = ()
    """What is put in, each with its source; everything else comes out."""
    machine: MachineSettings = MachineSettings()
    parameters: dict[str, Count] = {}
    """Numbers that programs name in place of a count."""
    at_most: dict[str, str] = {}
    """Parameters that may not be more than another one is."""
    begin_s: Seconds = 0
    """When the workload begins, after boot; its times are counted from there."""
    settle_s: Seconds = 0
    """Virtual time that the world is watched once all is drained."""
    sample_s: Interval = 1
    """Interval of the timeline."""
    root_caches: Positive = 1
    """Root caches of the machine; those not named are filled up with plain ones."""
    caches: tuple[RootCache, ...] = msgspec.field(default=(), name="cache")
    programs: tuple[Program, ...] = msgspec.field(name="program")
    reported: tuple[Reported, ...] = ()

    def __post_init__(self) -> None:
        """Check what the parts say of each other. Raises: InputError."""
        _refuse_twins("program", [program.name for program in self.programs])
        _refuse_twins("cache", [cache.name for cache in self.caches])
        for name, other in self.at_most.items():
            self.number(name, f"at_most.{name}")
            self.number(other, f"at_most.{name}")
        accounted = sum(cache.accounted * cache.copies for cache in self.caches)
        for program in self.programs:
            place = f"program.{program.name}"
            if program.copies != "cpus":
                self.number(program.copies, f"{place}.copies", "'cpus'")
            self.number(program.total, f"{place}.total")
            for where, step in _walk(program.steps, f"{place}.steps"):
                if isinstance(step, Alloc | Pin):
                    self.number(step.count, f"{where}.count")
                    caches = self.number(step.caches, f"{where}.caches")
                    if step.first + caches > accounted:
                        last = step.first + caches
                        what = f"caches {step.first} to {last - 1} are asked for"
                        raise InputError(where, what, f"caches below {accounted}")
                elif isinstance(step, Sleep):
                    self.milliseconds(step.ms, f"{where}.ms")
                elif isinstance(step, Slabinfo):
                    self.number(step.read, f"{where}.read")
                    self.milliseconds(step.pause_ms, f"{where}.pause_ms")
                    self.reader(step.reader, f"{where}.reader")
                elif isinstance(step, Fork):
                    self.number(step.copies, f"{where}.copies")
                    self.number(step.repeat, f"{where}.repeat")
                elif isinstance(step, Hold | Free | DestroyCache):
                    if isinstance(step, Hold | Free):
                        self.number(step.count, f"{where}.count")
                    self._which(step.cache, f"{where}.cache")
                elif isinstance(step, Settle) and ".child[" in where:
                    what = "a child settles, for which its parent may wait"
                    raise InputError(where, what, "settle in the program itself")

    def check(self) -> None:
        """Hold parameters against each other once all are set. Raises: InputError."""
        for program in self.programs:
            for where, step in _walk(program.steps, f"program.{program.name}.steps"):
                if isinstance(step, Fork) and self.number(step.copies) > _MOST_COPIES:
                    expected = f"0 to {_MOST_COPIES}"
                    raise InputError(f"{where}.copies", f"{step.copies!r}", expected)
                if isinstance(step, Slabinfo):
                    if not self.number(step.read):
                        what = f"{step.read!r} is 0"
                        raise InputError(f"{where}.read", what, "1 byte or more")
                    if self.reader(step.reader) > 1:
                        what = f"{step.reader!r} is over 1"
                        raise InputError(f"{where}.reader", what, "0 or 1")
        for name, other in self.at_most.items():
            most = self.number(other)
            if self.number(name) > most:
                where = f"workload.parameters.{name}"
                expected = f"0 to {other}, which is {most}"
                raise InputError(where, str(self.parameters[name]), expected)

    def number(self, value: Named, where: str = "", *also: str) -> int:
        """Return a count, or the parameter it names. Raises: InputError."""
        if isinstance(value, int):
            return value
        if value not in self.parameters:
            expected = " or ".join(("a whole number from 0 to 1e+09", *also))
            if self.parameters:
                expected += " or one of " + ", ".join(self.parameters)
            raise InputError(where, f"{value!r}", expected)
        return self.parameters[value]

    def milliseconds(self, value: float | str, where: str = "") -> float:
        """Return a time, or the parameter it names. Raises: InputError."""
        return self.number(value, where) if isinstance(value, str) else value

    def reader(self, value: str, where: str = "") -> int:
        """Return 1 for a reader that keeps its place. Raises: InputError."""
        readers = ("kernel", "cursor")
        if value in readers:
            return readers.index(value)
        return self.number(value, where, *map(repr, readers))

    def _which(self, cache: str, where: str = "") -> int:
        """Return 0 for the cache that a task holds, or a cache's number and one."""
        if not cache:
            return 0
        names = [root.name for root in self.roots()]
        if cache not in names:
            near = difflib.get_close_matches(cache, names, n=3, cutoff=0.5)
            expected = " or ".join(near) or "the name of a cache"
            raise InputError(where, f"there is no cache {cache!r}", expected)
        return 1 + names.index(cache)

    def roots(self) -> list[RootCache]:
        """Return every root cache: the named ones, then the plain ones."""
        named = [one for cache in self.caches for one in cache.each()]
        plain = range(len(named) + 1, self.root_caches + 1)
        return [
            *named,
            *(
                RootCache(name=f"root-{number}", object_size=256, accounted=False)
                for number in plain
            ),
        ]

    def phases(self) -> list[str]:
        """Return the phases that programs begin, in the order of the file."""
        steps = (
            step
            for program in self.programs
            for _, step in _walk(program.steps, program.name)
        )
        names = (step.phase for step in steps if isinstance(step, Mark))
        return list(dict.fromkeys(names))

    def host(self) -> Machine:
        """Return the workload's own machine. Raises: InputError."""
        settings = msgspec.structs.asdict(self.machine)
        fields = {key: value for key, value in settings.items() if value is not None}
        if "costs" in fields:
            fields["costs"] = Costs.preset(fields["costs"])
        return Machine(**fields)

    def compile(self, machine: Machine) -> tuple[list[list[Step5]], list[Spawn]]:
        """Return the engine's programs, numbered from 0, and the tasks to start."""
        programs: list[list[Step5]] = []
        spawns = []
        begin_ns = round(self.begin_s * 1e9)
        for program in self.programs:
            number = self._compile(program.steps, programs)
            until_ns = round(program.until_s * 1e9)
            for copies, repeat in self._shares(program, machine):
                spawns.append(
                    Spawn(
                        program=number,
                        repeat=repeat,
                        at_ns=begin_ns + round(program.at_ms * 1e6),
                        until_ns=begin_ns + until_ns if until_ns else 0,
                        copies=copies,
                        background=program.background,
                    )
                )
        return programs, spawns

    def _shares(self, program: Program, machine: Machine) -> Iterator[tuple[int, int]]:
        """Yield how many copies run a program how often."""
        asked = machine.cpus if program.copies == "cpus" else program.copies
        copies = self.number(asked)
        total = self.number(program.total)
        if program.background:
            yield copies, _FOR_EVER
        elif not total:
            yield copies, program.repeat
        elif copies:
            each, more = divmod(total, copies)
            yield more, each + 1
            yield copies - more if each else 0, each

    def _compile(self, steps: Sequence[Step], programs: list[list[Step5]]) -> int:
        """Append the program, children first; return its number."""
        compiled = []
        for step in steps:
            copies = 1
            if isinstance(step, Fork):
                copies = self.number(step.copies) if self.number(step.repeat) else 0
            if copies:
                compiled += [self._compile_step(step, programs)] * copies
        programs.append(compiled)
        return len(programs) - 1

    def _compile_step(self, step: Step, programs: list[list[Step5]]) -> Step5:
        match step:
            case Mkdir():
                return (1, int(step.inside), 0, 0, 0)
            case Rmdir():
                return (2, 0, 0, 0, 0)
            case Fork():
                number = self._compile(step.child, programs)
                times = _FOR_EVER if step.while_parent else self.number(step.repeat)
                times = 0 if times == 1 else times
                return (3, number, step.callbacks, times, int(step.while_parent))
            case Join():
                return (4, 0, 0, 0, 0)
            case Alloc():
                caches, count = self.number(step.caches), self.number(step.count)
                return (5, step.first, caches, count, round(step.gap_us * 1e3))
            case Pin():
                caches, count = self.number(step.caches), self.number(step.count)
                return (6, step.first, caches, count, 0)
            case Sleep():
                return (7, round(self.milliseconds(step.ms) * 1e6), 0, 0, 0)
            case Run():
                return (8, round(step.ms * 1e6), int(step.when == "kmem"), 0, 0)
            case Callbacks():
                return (9, step.count, 0, 0, 0)
            case Exit():
                return (10, step.callbacks, 0, 0, 0)
            case Wait():
                return (11, 0, 0, 0, 0)
            case At():
                return (12, round(self.begin_s * 1e9) + round(step.ms * 1e6), 0, 0, 0)
            case DropCaches():
                return (13, 0, 0, 0, 0)
            case Keep():
                return (40, 0, 0, 0, 0)
            case RmdirKept():
                return (41, 0, 0, 0, 0)
            case Settle():
                poll_ns = max(1, round(step.poll_ms * 1e6))
                return (42, round(step.quiet_ms * 1e6), poll_ns, 0, 0)
            case Expedite():
                return (43, int(step.on), 0, 0, 0)
            case Slabinfo():
                size, pause = self.number(step.read), self.milliseconds(step.pause_ms)
                return (44, size, round(pause * 1e6), self.reader(step.reader), 0)
            case Probe():
                return (45, round(step.us * 1e3), 0, 0, 0)
            case Take():
                return (46, 0, 0, 0, 0)
            case Hold():
                return (14, self._which(step.cache), self.number(step.count), 0, 0)
            case Free():
                return (15, self._which(step.cache), self.number(step.count), 0, 0)
            case CreateCache():
                flags = step.accounted + 2 * step.typesafe + 4 * step.reclaimable
                return (16, step.object_size, flags + 24 * step.mergeable, 0, 0)
            case DestroyCache():
                return (17, self._which(step.cache), 0, 0, 0)
            case Hotplug():
                return (30, HOTPLUGS.index(step.event), 0, 0, 0)
            case Mark():
                return (50, self.phases().index(step.phase), 0, 0, 0)

    def replace(self, **fields: Any) -> Workload:
        """Return the workload with some fields changed."""
        return msgspec.structs.replace(self, **fields)

    def to_dict(self) -> dict[str, Any]:
        """Return what the file says, ready for JSON."""
        table: dict[str, Any] = msgspec.to_builtins(self)
        renamed = {"cache": "caches", "program": "programs"}
        return {renamed.get(key, key): value for key, value in table.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class Spawn:
    """Say which program tasks run, how often, from when until when, and how many.

    at_ns and until_ns are virtual times since boot; an until_ns of 0 is no limit.
    Nobody waits for the end of those in the background.
    """

    program: int
    repeat: int
    at_ns: int
    until_ns: int
    copies: int
    background: bool = False


def _refuse_twins(what: str, names: list[str]) -> None:
    taken: set[str] = set()
    for name in names:
        if name in taken:
            raise InputError(f"{what}.{name}", "the name is taken", "another name")
        taken.add(name)


def _walk(steps: Sequence[Step], where: str) -> Iterator[tuple[str, Step]]:
    for index, step in enumerate(steps):
        yield f"{where}[{index}]", step
        if isinstance(step, Fork):
            yield from _walk(step.child, f"{where}[{index}].child")


# --- loading --------------------------------------------------------------------------


def workloads() -> list[str]:
    """Return the names of the built-in workloads."""
    return sorted(path.stem for path in _HERE.glob("*.toml"))


def load(
    name: str | os.PathLike[str] | Workload, *, also: Sequence[str] = ()
) -> Workload:
    """Return a workload by its built-in name, or read a TOML file.

    also: names that are known elsewhere, for the answer to an unknown one.

    Raises: InputError with the file, the line and what was expected.
    """
    if isinstance(name, Workload):
        return name
    text = os.fspath(name)
    if text in workloads():
        return _read(_HERE / f"{text}.toml", f"{text}.toml")
    path = Path(text)
    if path.suffix == ".toml":
        return _read(path, text)
    known = [*workloads(), *also]
    near = difflib.get_close_matches(text, known, n=1, cutoff=0.4)
    expected = f"{near[0]} (nearest)" if near else "one of " + ", ".join(known)
    what = f"{text!r} is neither a built-in workload nor a file"
    raise InputError("workload", what, expected)


def _read(path: Path, shown: str) -> Workload:
    text, table = read_toml(path, shown, "a workload file")
    try:
        workload = msgspec.convert(table, Workload)
    except msgspec.ValidationError as error:
        # InputErrors of __post_init__ arrive wrapped; ours already name the place
        if isinstance(error.__cause__, InputError):
            cause = error.__cause__
            line = _line_of(text, _named_path(cause.where, table))
            raise InputError(
                f"{shown}:{line}: {cause.where}", cause.what, cause.expected
            ) from None
        raise _translated(error, table, text, shown) from None
    try:
        workload.host()
    except InputError as error:
        key = error.where.partition(".")[2] or error.where
        line = _line_of(text, ["machine", key])
        raise InputError(
            f"{shown}:{line}: {error.where}", error.what, error.expected
        ) from None
    return workload


def _translated(
    error: msgspec.ValidationError, table: Any, text: str, shown: str
) -> InputError:
    """Return msgspec's error in our words, with the line."""
    message, _, place = str(error).partition(" - at `$")
    path = _split(place.rstrip("`"))
    unknown = re.match(r"Object contains unknown field `(.*)`", message)
    if unknown:
        path = [*path, unknown[1]]
        shape = _shape(path[:-1], table)
        assert shape is not None
        known = [field.encode_name for field in msgspec.structs.fields(shape)]
        near = difflib.get_close_matches(unknown[1], known, n=3, cutoff=0.5)
        expected = " or ".join(near) if near else "one of " + ", ".join(known)
        what = "there is no such field"
    elif missing := re.match(r"Object missing required field `(.*)`", message):
        what, expected = "incomplete", f"a field {missing[1]!r}"
    elif message.startswith("Invalid value") and path and path[-1] == "do":
        name = str(_at(table, path))
        near = difflib.get_close_matches(name, list(_STEPS), n=1, cutoff=0.4)
        what = f"there is no step {name!r}"
        expected = f"{near[0]} (nearest)" if near else "one of " + ", ".join(_STEPS)
    else:
        value = _at(table, path)
        kind = "a table" if isinstance(value, dict) else "a list"
        what = kind if isinstance(value, dict | list) else repr(value)
        expected = _wanted(table, path) or message
    where = _joined(path) or "the file"
    return InputError(f"{shown}:{_line_of(text, path)}: {where}", what, expected)


def _split(place: str) -> list[str | int]:
    """Return the parts of a path as msgspec writes it: ``.program[0].steps``."""
    parts = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", place)
    return [name or int(index) for name, index in parts]


def _joined(path: Iterable[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _named_path(where: str, table: dict[str, Any]) -> list[str | int]:
    """Return a path whose second part may be the name of a program or cache."""
    head, _, rest = where.partition(".")
    name, dot, rest = rest.partition(".steps")
    for field in (".copies", ".total"):
        if not dot and name.endswith(field):
            name, dot, rest = name.removesuffix(field), field, ""
    entries = table.get(head, [])
    names = [entry.get("name") for entry in entries]
    # the last of that name: of two twins, the second is the one too many
    index = len(names) - 1 - names[::-1].index(name)
    return [head, index, *_split(dot + rest)]


def _shape(path: Sequence[str | int], table: Any) -> type[msgspec.Struct] | None:
    """Return what the table at *path* is."""
    names = [part for part in path if isinstance(part, str)]
    if not names:
        return Workload
    if names[-1] in ("steps", "child"):
        step = _at(table, path)
        return _STEPS.get(str(step.get("do"))) if isinstance(step, dict) else None
    tables: dict[str, type[msgspec.Struct]] = {
        "machine": MachineSettings,
        "cache": RootCache,
        "program": Program,
        "reported": Reported,
    }
    return tables.get(names[-1])


def _wanted(table: Any, path: list[str | int]) -> str:
    """Say what the field at *path* may hold."""
    *parent, name = path
    while isinstance(name, int):
        *parent, name = parent
    shape = _shape(parent, table)
    if shape is None:
        return ""
    for field in msgspec.structs.fields(shape):
        if field.encode_name == name:
            words = in_words(field.type)
            return "a table" if isinstance(path[-1], int) else words
    return "a table"


def _at(table: Any, path: Iterable[str | int]) -> Any:
    for part in path:
        table = table[part]
    return table


def _line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line where the statement begins that brings *path* into the file.

    The longest part of the path that the file has counts. A line completes a
    statement if the file up to it parses and has more of the path than before.
    """
    lines = text.splitlines()
    begins = best = 1
    depth = 0
    for number in range(1, len(lines) + 1):
        try:
            table = tomllib.loads("\n".join(lines[:number]))
        except tomllib.TOMLDecodeError:
            continue
        reached = _depth(table, path)
        if reached > depth:
            depth = reached
            while begins < number and _idle(lines[begins - 1]):
                begins += 1
            best = begins
        begins = number + 1
    return best


def _depth(table: Any, path: Sequence[str | int]) -> int:
    for depth, part in enumerate(path):
        try:
            table = table[part]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(path)


def _idle(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")

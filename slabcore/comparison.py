"""One workload under several designs: run them, hold the results side by side."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from slabcore.designs import Design, designs, find
from slabcore.errors import InputError
from slabcore.kernel import Kernel
from slabcore.machine import Machine
from slabcore.overrides import override, parse
from slabcore.traces import Replay, Trace, recording, recordings
from slabcore.workloads import Reported, Workload, load, workloads

__all__ = [
    "CAUSES",
    "Comparison",
    "ComparisonTable",
    "Result",
    "Row",
    "boot",
    "compare",
    "iteration_ms",
    "number",
    "prepare",
    "rows",
    "run",
    "seconds",
    "settings_of",
    "span",
    "spent",
    "tables",
    "that_fit",
    "whole",
]

Engine = Literal["core", "reference"]
Walk = Literal["counted", "literal"]
# Called with a design's name, how many designs are done, and how many there are.
Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Result:
    """Hold what one design did with the workload."""

    name: str
    """The design as it was asked for."""
    design: Design
    counters: Mapping[str, Any]
    """As the engine counts: integer nanoseconds, root caches among the caches."""
    timeline: np.ndarray
    """Columns sampled on virtual time since boot: t_ns, caches, kworkers, load1, …"""
    root_caches: int
    begin_ns: int
    """When the workload began; the engine's times count from boot."""
    slabinfo_reads: np.ndarray
    """A row for each whole file of /proc/slabinfo that programs have read."""
    phases: tuple[str, ...] = ()
    """The names of counters["marks"], which has numbers."""

    @classmethod
    def of(cls, kernel: Kernel, name: str, workload: Workload) -> Result:
        """Return what a kernel has done so far."""
        return cls(
            name=name,
            design=kernel.design,
            counters=kernel.counters,
            timeline=kernel.timeline,
            root_caches=len(workload.roots()),
            begin_ns=round(workload.begin_s * 1e9),
            slabinfo_reads=kernel.slabinfo_reads,
            phases=tuple(workload.phases()),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as in ``slabcore.comparison/1``; times in seconds.

        Times count from when the workload began. Of caches, those of cgroups only.
        drained_s is None if cgroups were left, mkdir_failed_s if no mkdir failed.
        """

        def since(ns: int) -> float:
            return _seconds(max(0, int(ns) - self.begin_ns))

        c = self.counters
        caches, cgroups = c["caches"], c["cgroups"]
        held = ("holds", "held_ns", "waited_ns", "longest_wait_ns", "longest_queue")
        failed = since(c["mkdir_failed_at_ns"]) if c["mkdir_failures"] else None
        return {
            "design": self.name,
            "virtual_s": since(c["virtual_ns"]),
            "iterations": c["iterations"],
            "locks": {
                mutex: dict(_in_seconds(c["locks"][mutex], held))
                for mutex in ("cgroup_mutex", "slab_mutex")
            },
            "grace_periods": {
                key: c["grace_periods"][key] for key in (*_PERIODS, "asynchronous")
            },
            "rcu_barriers": c["rcu_barriers"],
            "ipis": c["ipis"],
            "list_hops": {"total": sum(c["list_hops"].values()), **c["list_hops"]},
            "caches": {
                "created": caches["created"],
                "peak": caches["peak"] - self.root_caches,
                "peak_dying": caches["peak_dying"],
                "left": caches["live"] - self.root_caches,
            },
            "cgroups": {
                "peak": cgroups["peak"],
                "peak_dying": cgroups["peak_dying"],
                "left": cgroups["live"],
            },
            "mkdir_failures": c["mkdir_failures"],
            "mkdir_failed_s": failed,
            "kernfs_nodes_peak": c["kernfs_nodes_peak"],
            "slab_bytes_peak": c["slab_bytes_peak"],
            "kworkers_peak": c["kworkers_peak"],
            "load1_peak": float(c["load1_peak"]),
            "creation_delay_s": _percentiles(c["creation_delays_ns"]),
            "creations_never": c["creations_never"],
            "drained_s": None if cgroups["live"] else since(c["drained_ns"]),
            "findings": [
                {
                    "id": finding["id"],
                    "text": finding["text"],
                    "at_s": since(finding["at_ns"]),
                    "count": finding["count"],
                    **_schedule(finding, since),
                }
                for finding in c["findings"]
            ],
            "time_s": {cause: _seconds(ns) for cause, ns in c["time_ns"].items()},
            "phases": dict(self._phases()),
        }

    def _phases(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what each phase took: from its mark to the next, the last to the end.

        The end is when all was drained; a phase that nobody began took nothing.
        """
        c, marks = self.counters, self.counters["marks"]
        begun = sorted(marks.values(), key=lambda mark: int(mark["at_ns"]))
        last = {**c, "at_ns": max(c["drained_ns"], c["virtual_ns"])}
        pairs = itertools.pairwise([*begun, last])
        ends = {id(start): end for start, end in pairs}
        for number, name in enumerate(self.phases):
            start = marks.get(number, last)
            end = ends.get(id(start), last)
            yield name, self._phase(start, end, begun=number in marks)

    def _phase(
        self, start: Mapping[str, Any], end: Mapping[str, Any], *, begun: bool
    ) -> dict[str, Any]:
        def less(*path: str) -> int:
            return int(_below(end, path)) - int(_below(start, path))

        def last(key: str) -> float | None:
            """Return when something came about last, if it was in this phase."""
            since = int(end[key]) - int(start["at_ns"])
            return _seconds(since) if begun and since > 0 else None

        began = _seconds(max(0, start["at_ns"] - self.begin_ns))
        causes, hops = start["time_ns"], start["list_hops"]
        return {
            "began_s": began if begun else None,
            "lasted_s": _seconds(less("at_ns")),
            "last_offline_s": last("offlined_at_ns"),
            "last_freed_s": last("freed_at_ns"),
            "time_s": {cause: _seconds(less("time_ns", cause)) for cause in causes},
            "locks": {
                mutex: {
                    "holds": less("locks", mutex, "holds"),
                    "held_s": _seconds(less("locks", mutex, "held_ns")),
                    "waited_s": _seconds(less("locks", mutex, "waited_ns")),
                }
                for mutex in ("cgroup_mutex", "slab_mutex")
            },
            "grace_periods": {key: less("grace_periods", key) for key in _PERIODS},
            "rcu_barriers": less("rcu_barriers"),
            "list_hops": {
                "total": sum(less("list_hops", step) for step in hops),
                **{step: less("list_hops", step) for step in hops},
            },
            "caches_at_end": end["caches"]["live"] - self.root_caches,
            "cgroups_at_end": end["cgroups"]["live"],
            "kernfs_nodes_at_end": end["kernfs_nodes"],
        }


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Hold the results of one workload, by the designs' names as asked for."""

    workload: Workload
    machine: Machine
    results: Mapping[str, Result]
    settings: tuple[str, ...]
    """What was overridden for this run, as PATH=VALUE."""
    seed: int
    engine: str
    walk: str

    def __getitem__(self, name: str) -> Result:
        """Return the result under a design. Raises: KeyError naming those there are."""
        if not isinstance(name, str):
            raise TypeError(f"{type(name).__name__}: expected the name of a design")
        if name not in self.results:
            raise KeyError(f"{name!r}; there are {', '.join(self.results)}")
        return self.results[name]

    def __iter__(self) -> Iterator[Result]:
        """Iterate over the results in the order asked for."""
        return iter(self.results.values())

    def __len__(self) -> int:
        """Return the number of designs."""
        return len(self.results)

    def reported(self, result: Result) -> list[Reported]:
        """Return what was measured on real kernels of this design and machine.

        Nothing if what was run is not what was measured; costs may differ.
        """
        host, machine = self.workload.host(), self.machine
        others = {"cpus": host.cpus, "costs": host.costs}
        changed = any(
            text.startswith(("workload.", "replay.")) for text in self.settings
        )
        if changed or machine.replace(**others) != host:
            return []
        return [
            figure
            for figure in self.workload.reported
            if machine.cpus == (figure.cpus or host.cpus)
            and find(figure.design).name == result.design.name
            and find(figure.design).knobs == result.design.knobs
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``slabcore.comparison/1``."""
        workload = self.workload.to_dict()
        workload["programs"] = len(self.workload.programs)
        machine = self.machine.to_dict()
        return {
            "schema": "slabcore.comparison/1",
            "workload": workload | {"settings": list(self.settings), "seed": self.seed},
            "machine": machine
            | {
                "model": {
                    "name": "slabcore",
                    "version": metadata.version("slabcore"),
                    "engine": self.engine,
                    "walk": self.walk,
                }
            },
            "costs": self.machine.costs.to_dict(),
            "results": [result.to_dict() for result in self],
        }

    def to_json(self, indent: int | None = 2) -> str:
        """Return the object as JSON, with a line end."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False) + "\n"

    def table(self, *, times: bool = False) -> ComparisonTable:
        """Return the figures side by side; ``print()`` shows them anywhere.

        times: also what CPU time and waits of the whole run went into.
        """
        return ComparisonTable(self, times=times)


_PERIODS = ("synchronous", "under_cgroup_mutex", "under_slab_mutex")

# What a path of an override may begin with.
_ROOTS = ("workload", "replay", "machine", "costs", "design")

# --- running --------------------------------------------------------------------------


def compare(
    workload: str | os.PathLike[str] | Workload,
    designs: str | Design | Sequence[str | Design] | None = None,
    *,
    machine: Machine | None = None,
    overrides: str | Sequence[str] = (),
    seed: int = 0,
    engine: Engine = "core",
    walk: Walk = "counted",
    progress: Progress | None = None,
) -> Comparison:
    """Run a workload under each design and return the results.

    workload: a name, a TOML file, a recorded trace, or a Workload.
    designs: names, kernel versions or Designs, or one alone; all presets if None.
    machine: None is the workload's own.
    overrides: ``PATH=VALUE`` with PATH below workload, replay (of a trace), machine,
    costs or design; one alone may be just the text.
    Raises: InputError.
    """
    settings = settings_of(overrides)
    return run(
        *prepare(workload, designs, machine, settings),
        settings=settings,
        seed=seed,
        engine=engine,
        walk=walk,
        progress=progress,
    )


def run(
    workload: Workload,
    machine: Machine,
    chosen: Mapping[str, Design],
    *,
    settings: tuple[str, ...] = (),
    seed: int = 0,
    engine: Engine = "core",
    walk: Walk = "counted",
    progress: Progress | None = None,
) -> Comparison:
    """Run what prepare() has checked; settings are what to say was changed."""
    results: dict[str, Result] = {}
    for name, design in chosen.items():
        if progress is not None:
            progress(name, len(results), len(chosen))
        kernel = boot(workload, design, machine, seed=seed, engine=engine, walk=walk)
        kernel.run()
        kernel.drain()
        kernel.advance(round(workload.settle_s * 1e9))
        results[name] = Result.of(kernel, name, workload)
    if progress is not None:
        progress("", len(results), len(chosen))
    return Comparison(
        workload=workload,
        machine=machine,
        results=results,
        settings=settings,
        seed=seed,
        engine=engine,
        walk=walk,
    )


def prepare(
    workload: str | os.PathLike[str] | Workload,
    chosen: str | Design | Sequence[str | Design] | None,
    machine: Machine | None,
    overrides: str | Sequence[str],
) -> tuple[Workload, Machine, dict[str, Design]]:
    """Return everything that a run needs, checked. Raises: InputError."""
    settings = [parse(setting) for setting in settings_of(overrides)]
    replay = Replay()
    for path, value in settings:
        root, _, rest = path.partition(".")
        if root not in _ROOTS or not rest:
            expected = " or ".join(f"{name}.…" for name in _ROOTS)
            raise InputError(path, "there is nothing of that name", expected)
        if root == "replay":
            replay = override(replay, rest, value, within=root)
    workload = _open(workload, replay)
    for path, value in settings:
        root, _, rest = path.partition(".")
        if root == "workload":
            workload = override(workload, rest, value, within=root)
    workload.check()
    if machine is None:
        machine = workload.host()
    if chosen is None:
        chosen = tuple(designs)
    elif isinstance(chosen, str | Design) or not isinstance(chosen, Iterable):
        chosen = (chosen,)
    found = {}
    for design in chosen:
        if isinstance(design, Design):
            found[design.name] = design
        else:
            found[design] = find(design)
    if not found:
        raise InputError("designs", "none is asked for", "one at least")
    for path, value in settings:
        root, _, rest = path.partition(".")
        if root == "machine":
            machine = override(machine, rest, value, within=root)
        elif root == "costs":
            costs = override(machine.costs, rest, value, within=root)
            machine = machine.replace(costs=costs)
        elif root == "design":
            found = {n: override(d, rest, value, within=root) for n, d in found.items()}
    return workload, machine, found


def settings_of(overrides: str | Sequence[str]) -> tuple[str, ...]:
    """Return overrides as PATH=VALUE each; one alone may be just the text."""
    given: Any = (overrides,) if isinstance(overrides, str) else overrides
    listed = isinstance(given, Iterable) and not isinstance(given, Mapping)
    settings = tuple(given) if listed else ()
    if not listed or not all(isinstance(text, str) for text in settings):
        expected = 'texts PATH=VALUE, as in ["machine.cpus=1"]'
        raise InputError("overrides", f"{given!r}", expected)
    return settings


def _open(name: str | os.PathLike[str] | Workload, replay: Replay) -> Workload:
    """Return a workload: what has a TOML file, or a recorded trace."""
    if isinstance(name, Workload):
        return name
    text = os.fspath(name)
    if text in recordings():
        trace = Trace.read(recording(text))
        return trace.workload(replay).replace(name=text)
    if text in workloads() or Path(text).suffix == ".toml" or not Path(text).exists():
        return load(text, also=recordings())
    return Trace.read(text).workload(replay)


def boot(
    workload: Workload,
    design: Design,
    machine: Machine,
    *,
    seed: int = 0,
    engine: Engine = "core",
    walk: Walk = "counted",
    log: bool = False,
) -> Kernel:
    """Return a kernel with the root caches made and the programs about to start."""
    kernel = Kernel(
        design,
        machine=machine,
        seed=seed,
        walk=walk,
        engine=engine,
        log=log,
        sample_ns=round(workload.sample_s * 1e9),
    )
    for root in workload.roots():
        kernel.create_cache(
            root.name,
            object_size=root.object_size,
            accounted=root.accounted,
            typesafe=root.typesafe,
            reclaimable=root.reclaimable,
            mergeable=root.mergeable,
        )
    programs, spawns = workload.compile(machine)
    numbers = [kernel.program(steps) for steps in programs]
    for spawn in spawns:
        for _ in range(spawn.copies):
            kernel.spawn(
                numbers[spawn.program],
                repeat=spawn.repeat,
                at_ns=spawn.at_ns,
                until_ns=spawn.until_ns,
                background=spawn.background,
            )
    return kernel


def _schedule(
    finding: Mapping[str, Any], since: Callable[[int], float]
) -> dict[str, Any]:
    """Return what led to the first of a finding, if the engine has kept it."""
    if "schedule" not in finding:
        return {}
    events = [
        {
            "at_s": since(event["at_ns"]),
            "cpu": event["cpu"],
            "event": event["event"],
            "text": event["text"],
            "ahead": event["ahead"],
        }
        for event in finding["schedule"]
    ]
    return {"schedule": events}


def _seconds(ns: int) -> float:
    return int(ns) / 1e9


def _in_seconds(
    values: Mapping[str, int], keys: Sequence[str]
) -> Iterator[tuple[str, float]]:
    for key in keys:
        if key.endswith("_ns"):
            yield key.removesuffix("_ns") + "_s", _seconds(values[key])
        else:
            yield key, values[key]


def _percentiles(delays_ns: np.ndarray) -> dict[str, float | None]:
    """Return what half and 99 % of all delays do not exceed, and the longest."""
    if not len(delays_ns):
        return {"p50": None, "p99": None, "max": None}
    ranks = np.percentile(delays_ns, (50, 99, 100), method="inverted_cdf")
    return dict(zip(("p50", "p99", "max"), map(_seconds, ranks), strict=True))


# --- the table ------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Row:
    """Name a figure and hold its text under each design."""

    title: str
    cells: tuple[str, ...]
    telling: bool
    """The figure tells the story; a short table has only these."""


class ComparisonTable(Table):
    """Show a comparison in a terminal, a notebook, or as plain text."""

    def __init__(
        self,
        comparison: Comparison,
        *,
        telling: bool = False,
        times: bool = False,
        columns: slice = slice(None),
    ) -> None:
        super().__init__(box=None, pad_edge=False, header_style="bold")
        self.add_column("", no_wrap=True)
        names = [result.name for result in comparison][columns]
        for name in names:
            self.add_column(name, justify="right")
        self.widths: list[int] = [0, *map(len, names)]
        for row in rows(comparison, times=times):
            if telling and not row.telling:
                continue
            cells = row.cells[columns]
            measured = row.title.endswith(MEASURED)
            self.add_row(row.title, *cells, style="dim" if measured else None)
            # What was measured may be folded: several reports, from what to what.
            needed = (row.title, *(() if measured else cells))
            for number, cell in enumerate(needed):
                self.widths[number] = max(self.widths[number], len(cell))

    def __str__(self) -> str:
        """Return the table as plain text."""
        text = io.StringIO()
        Console(file=text, width=400, color_system=None).print(self)
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    __repr__ = __str__


def tables(
    comparison: Comparison, width: int, *, times: bool = False
) -> Iterator[ComparisonTable]:
    """Yield the table in parts that are no wider than *width* characters."""
    for columns in that_fit(comparison.table(times=times).widths, width):
        yield ComparisonTable(comparison, times=times, columns=columns)


def that_fit(widths: Sequence[int], width: int) -> Iterator[slice]:
    """Yield the columns but the first, as many at a time as fit beside it."""
    first, *others = widths
    start = 0
    while start < len(others):
        stop, left = start + 1, width - first - 2 - others[start]
        while stop < len(others) and left >= others[stop] + 2:
            left -= others[stop] + 2
            stop += 1
        yield slice(start, stop)
        start = stop


MEASURED = "on the real kernel"


# What time goes into, as a person reads it.
CAUSES = MappingProxyType(
    {
        "list_walks": "list walks",
        "grace_periods": "waits for grace periods",
        "barriers": "waits in rcu_barrier()",
        "sysfs_add": "sysfs directories made",
        "sysfs_remove": "sysfs directories removed",
        "ipis": "IPIs",
        "shrink": "shrinking caches",
        "create": "creating caches",
        "release": "releasing caches",
        "cgroups": "making, joining and removing cgroups",
        "objects": "allocating and freeing objects",
        "callbacks": "RCU callbacks",
        "workers": "making kworkers",
        "programs": "the programs' own work",
    }
)


def spent(table: Mapping[str, Any]) -> dict[str, float]:
    """Return what the tasks' time went into in a run or phase, locks included."""
    took = {title: float(table["time_s"][cause]) for cause, title in CAUSES.items()}
    for mutex in ("cgroup_mutex", "slab_mutex"):
        took[f"waits for {mutex}"] = float(table["locks"][mutex]["waited_s"])
    return took


def rows(comparison: Comparison, *, times: bool = False) -> list[Row]:
    """Return the figures that a person compares, as text.

    times: also what CPU time and waits of the whole run went into.
    """
    tables = [result.to_dict() for result in comparison]
    reported = [comparison.reported(result) for result in comparison]
    found: list[Row] = []

    def row(
        title: str, text: Callable[[dict[str, Any]], str], *, telling: bool = False
    ) -> None:
        cells = tuple(text(table) for table in tables)
        found.append(Row(title, cells, telling))

    def quote(figure: str) -> None:
        cells = tuple(
            ", ".join(span(f) for f in figures if f.figure == figure)
            for figures in reported
        )
        if any(cells):
            found.append(Row(f"  {MEASURED}", cells, telling=found[-1].telling))

    def count(title: str, *path: str, telling: bool = False) -> None:
        row(title, lambda t: whole(_below(t, path)), telling=telling)

    def time(title: str, *path: str, telling: bool = False) -> None:
        row(title, lambda t: seconds(_below(t, path)), telling=telling)

    time("programs end after", "virtual_s", telling=True)
    quote("virtual_s")
    several = all(table["iterations"] > 1 for table in tables)
    if len(comparison.workload.programs) == 1 and several:
        row("  an iteration, ms", lambda t: number(iteration_ms(t)), telling=True)
        quote("iteration_ms")
    time("all is drained after", "drained_s", telling=True)
    count("grace periods waited for", "grace_periods", "synchronous", telling=True)
    count("  under cgroup_mutex", "grace_periods", "under_cgroup_mutex")
    count("  under slab_mutex", "grace_periods", "under_slab_mutex", telling=True)
    count("RCU barriers", "rcu_barriers")
    count("IPIs", "ipis")
    count("list hops", "list_hops", "total", telling=True)
    time("cgroup_mutex held", "locks", "cgroup_mutex", "held_s", telling=True)
    time("  longest wait for it", "locks", "cgroup_mutex", "longest_wait_s")
    time("slab_mutex held", "locks", "slab_mutex", "held_s")
    time("  longest wait for it", "locks", "slab_mutex", "longest_wait_s")
    count("caches created", "caches", "created")
    count("caches, most at a time", "caches", "peak", telling=True)
    count("dying cgroups, most", "cgroups", "peak_dying", telling=True)
    if any(table["mkdir_failures"] for table in tables):
        count("mkdir that failed", "mkdir_failures", telling=True)
        time("  the first after", "mkdir_failed_s", telling=True)
    count("kernfs nodes, most", "kernfs_nodes_peak", telling=True)
    quote("kernfs_nodes_peak")
    count("kworkers, most", "kworkers_peak", telling=True)
    quote("kworkers_peak")
    row("load average, most", lambda t: number(t["load1_peak"]), telling=True)
    quote("load1_peak")
    time("a creation waits, p50", "creation_delay_s", "p50", telling=True)
    time("  p99", "creation_delay_s", "p99", telling=True)
    time("  longest", "creation_delay_s", "max")
    count("creations that never came", "creations_never", telling=True)

    def split(parted: Sequence[Mapping[str, Any]]) -> None:
        """Show what time went into, largest first; no row of nothing but zeros."""
        parts = [spent(table) for table in parted]
        most = {title: max(part[title] for part in parts) for title in parts[0]}
        for title in sorted(most, key=lambda title: -most[title]):
            if most[title]:
                cells = tuple(seconds(part[title]) for part in parts)
                found.append(Row(f"  {title}", cells, telling=False))

    for phase in comparison.workload.phases():
        time(f"{phase} lasts", "phases", phase, "lasted_s", telling=True)
        if any(table["phases"][phase]["last_freed_s"] for table in tables):
            title = "  the last cache or cgroup is freed after"
            time(title, "phases", phase, "last_freed_s", telling=True)
        split([table["phases"][phase] for table in tables])
        count("  kernfs nodes at its end", "phases", phase, "kernfs_nodes_at_end")
    if times:
        row("time of all tasks together", lambda table: "")
        split(tables)
    return found


def _below(table: Any, path: Sequence[str]) -> Any:
    for name in path:
        table = table[name]
    return table


def iteration_ms(table: Mapping[str, Any]) -> float:
    """Return the mean milliseconds of an iteration."""
    return float(table["virtual_s"]) * 1e3 / int(table["iterations"])


def span(figure: Reported) -> str:
    """Return a measured figure, or from what to what it was."""
    if figure.low == figure.high:
        return number(figure.low)
    return f"{number(figure.low)} to {number(figure.high)}"


def whole(count: int) -> str:
    """Return a count in groups of three digits."""
    return f"{count:,}".replace(",", " ")


def number(value: float) -> str:
    """Return a number with three figures."""
    return f"{value:.3g}" if abs(value) < 1000 else whole(round(value))


def seconds(value: float | None) -> str:
    """Return a duration with three figures and its unit; a dash for None."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    if value < 1e-3:
        return f"{value * 1e6:.3g} µs"
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    return f"{number(value)} s"

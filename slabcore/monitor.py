"""A monitor reads /proc/slabinfo while a workload runs: what each file has of it."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from slabcore import report
from slabcore.comparison import (
    Comparison,
    Engine,
    Progress,
    Result,
    Walk,
    boot,
    prepare,
    run,
    seconds,
    settings_of,
    that_fit,
    whole,
)
from slabcore.designs import Design
from slabcore.errors import InputError
from slabcore.machine import Machine
from slabcore.plot import Panel
from slabcore.workloads import Fork, Program, Slabinfo, Sleep, Step, Workload

__all__ = [
    "READERS",
    "Monitor",
    "Watch",
    "WatchTable",
    "blank",
    "figures",
    "tables",
    "watch",
]

Reader = Literal["kernel", "cursor"]
READERS: tuple[Reader, ...] = ("kernel", "cursor")
_PERIOD_MS = 100.0


@dataclasses.dataclass(frozen=True)
class Monitor:
    """Say how a monitor reads; what is None is left to the workload's own."""

    read: int | None = None
    """Bytes a read(); 4096 of one that is added."""
    pause_ms: float | None = None
    """Between two reads of a file; 0 of one that is added."""
    period_ms: float | None = None
    """From the end of a file to the next, of one that is added; 100 by default."""

    def __post_init__(self) -> None:
        """Check the figures. Raises: InputError."""
        if self.read is not None and not 1 <= self.read <= 1_000_000_000:
            raise InputError("read", str(self.read), "1 to 1000000000 bytes")
        for name in ("pause", "period"):
            ms = getattr(self, f"{name}_ms")
            if ms is not None and not 0 <= ms <= 1e9:
                raise InputError(name, f"{ms:g}", "0 to 1e+09 milliseconds")

    def of(self, workload: Workload, reader: Reader) -> Workload:
        """Return the workload with its own readers, or with one more, of that kind.

        Raises: InputError.
        """
        if not _reads(workload):
            program = Program(
                name="monitor",
                background=True,
                steps=(
                    Slabinfo(
                        read=4096 if self.read is None else self.read,
                        pause_ms=self.pause_ms or 0.0,
                        reader=reader,
                    ),
                    Sleep(ms=_PERIOD_MS if self.period_ms is None else self.period_ms),
                ),
            )
            return workload.replace(programs=(*workload.programs, program))
        if self.period_ms is not None:
            what = f"workload {workload.name} reads slabinfo in its own time"
            raise InputError("period", what, "none, or another workload")
        programs = tuple(
            msgspec.structs.replace(program, steps=self._steps(program.steps, reader))
            for program in workload.programs
        )
        return workload.replace(programs=programs)

    def _steps(self, steps: Sequence[Step], reader: Reader) -> tuple[Step, ...]:
        """Return the steps with every read made as this monitor makes it."""
        given = {"read": self.read, "pause_ms": self.pause_ms}
        changed = {name: value for name, value in given.items() if value is not None}
        found: list[Step] = []
        for step in steps:
            if isinstance(step, Fork):
                child = self._steps(step.child, reader)
                found.append(msgspec.structs.replace(step, child=child))
            elif isinstance(step, Slabinfo):
                found.append(msgspec.structs.replace(step, reader=reader, **changed))
            else:
                found.append(step)
        return tuple(found)


def _reads(workload: Workload) -> bool:
    """Tell whether a program of a workload reads slabinfo."""

    def any_of(steps: Sequence[Step]) -> bool:
        return any(
            isinstance(step, Slabinfo)
            or (isinstance(step, Fork) and any_of(step.child))
            for step in steps
        )

    return any(
        program.copies == "cpus" or workload.number(program.copies) > 0
        for program in workload.programs
        if any_of(program.steps)
    )


# --- figures --------------------------------------------------------------------------


def figures(reads: np.ndarray) -> dict[str, Any]:
    """Return what some whole files were like, as in ``slabcore.slabinfo/1``."""
    count = {
        name: int(reads[name].sum())
        for name in ("read_calls", "rows", "missing", "repeated")
    }
    hops = {
        "reseek": int(reads["start_hops"].sum()),
        "steps": int(reads["next_hops"].sum()),
        "children": int(reads["children"].sum()),
    }
    return {
        "reads": len(reads),
        "read_calls": count["read_calls"],
        "rows": count["rows"],
        "rows_least": int(reads["rows"].min()) if len(reads) else None,
        "rows_most": int(reads["rows"].max()) if len(reads) else None,
        "rows_missing": count["missing"],
        "rows_repeated": count["repeated"],
        "files_with_missing": int(np.count_nonzero(reads["missing"])),
        "files_with_repeated": int(np.count_nonzero(reads["repeated"])),
        "files_wrong": int(np.count_nonzero(reads["missing"] + reads["repeated"])),
        "list_hops": sum(hops.values()),
        "hops": hops,
        "slab_mutex_held_s": int(reads["held_ns"].sum()) / 1e9,
        "read_s": _percentiles(reads["took_ns"]),
    }


def _percentiles(took_ns: np.ndarray) -> dict[str, float | None]:
    if not len(took_ns):
        return {"p50": None, "p95": None, "max": None}
    ranks = np.percentile(took_ns, (50, 95, 100), method="inverted_cdf")
    return {
        name: int(rank) / 1e9
        for name, rank in zip(("p50", "p95", "max"), ranks, strict=True)
    }


class _Moment(NamedTuple):
    """Hold what had been made when a phase began or ended."""

    at_ns: int
    cgroups: int = 0
    caches: int = 0

    @classmethod
    def of(cls, counters: Mapping[str, Any], at_ns: int) -> _Moment:
        """Return what the counters, or those of a mark, say."""
        made = (counters[kind]["created"] for kind in ("cgroups", "caches"))
        return cls(at_ns, *made)


def _phases(result: Result) -> dict[str, tuple[_Moment, _Moment]]:
    """Return when each phase began and ended; one that nobody began, at the end."""
    counters = result.counters
    end = _end(result)
    begun = sorted(counters["marks"].items(), key=lambda mark: int(mark[1]["at_ns"]))
    moments = [_Moment.of(mark, int(mark["at_ns"])) for _, mark in begun]
    pairs = itertools.pairwise([*moments, end])
    spans = {
        result.phases[number]: span
        for (number, _), span in zip(begun, pairs, strict=True)
    }
    return {name: spans.get(name, (end, end)) for name in result.phases}


def _end(result: Result) -> _Moment:
    """Return when the workload was over: its programs ended, its cgroups gone."""
    counters = result.counters
    at_ns = max(int(counters["virtual_ns"]), int(counters["drained_ns"]))
    return _Moment.of(counters, at_ns)


def _span(reads: np.ndarray, first: _Moment, last: _Moment) -> dict[str, Any]:
    """Return the figures of the files that were begun between two moments."""
    began = reads["began_ns"]
    return {
        "lasted_s": (last.at_ns - first.at_ns) / 1e9,
        "cgroups_made": last.cgroups - first.cgroups,
        "caches_made": last.caches - first.caches,
        **figures(reads[(began >= first.at_ns) & (began < last.at_ns)]),
    }


def _row(result: Result, reader: Reader) -> dict[str, Any]:
    """Return a row of ``results``."""
    reads = result.slabinfo_reads
    return {
        "design": result.name,
        "reader": reader,
        **_span(reads, _Moment(result.begin_ns), _end(result)),
        "phases": {
            name: _span(reads, *moments) for name, moments in _phases(result).items()
        },
    }


@dataclasses.dataclass(frozen=True)
class Watch:
    """Hold what each reader saw of a workload under each design."""

    comparisons: Mapping[Reader, Comparison]
    monitor: Monitor

    @property
    def workload(self) -> Workload:
        """Return the workload as it ran, with its readers."""
        return next(iter(self.comparisons.values())).workload

    def __iter__(self) -> Iterator[tuple[Reader, Result]]:
        """Iterate over readers and results, design by design."""
        readers = list(self.comparisons)
        for results in zip(*self.comparisons.values(), strict=True):
            yield from zip(readers, results, strict=True)

    def __len__(self) -> int:
        """Return the number of results."""
        return sum(map(len, self.comparisons.values()))

    def __getitem__(self, place: tuple[str, Reader]) -> Result:
        """Return the result under a design with a reader. Raises: KeyError."""
        name, reader = place
        if reader not in self.comparisons:
            raise KeyError(f"{reader!r}; there are {', '.join(self.comparisons)}")
        return self.comparisons[reader][name]

    def results(self) -> list[dict[str, Any]]:
        """Return the rows of ``slabcore.slabinfo/1``."""
        return [_row(result, reader) for reader, result in self]

    @property
    def title(self) -> str:
        """Return what a picture is called."""
        return f"{self.workload.title}: slabinfo read meanwhile"

    def panels(self) -> list[Panel]:
        """Return what a picture shows of each file: rows repeated, rows missing, ms."""
        found = []
        for title, field, unit in (
            ("rows repeated", "repeated", 1),
            ("rows missing", "missing", 1),
            ("a file takes, ms", "took_ns", 1e6),
        ):
            series = [
                (
                    f"{result.name}, {reader}",
                    result.slabinfo_reads["began_ns"] / 1e9,
                    result.slabinfo_reads[field] / unit,
                )
                for reader, result in self
            ]
            found.append(Panel(title, series))
        return found

    def table(self) -> WatchTable:
        """Return the figures, a row a design and reader; ``print()`` shows them."""
        return WatchTable(self)

    def head(self) -> list[str]:
        """Return what was run on what, and how it was read."""
        comparison = next(iter(self.comparisons.values()))
        return [*report.head(comparison), self._how()]

    def _how(self) -> str:
        ways = dict.fromkeys(_ways(self.workload))
        return f"Read: {'; '.join(ways)}."

    def verdict(self) -> list[str]:
        """Say of each design how many files of each reader were wrong."""
        return [_verdict(row) for row in self.results()]

    def markdown(self) -> str:
        """Return a report fit for a patch description or a bug."""
        table = self.table()
        lines = [f"# {self.title}", ""]
        lines += [f"{line}  " for line in self.head()[:-1]]
        lines += [self.head()[-1], ""]
        lines += [_cells(["", *table.titles])]
        lines += [_cells(["---", *["---:"] * len(table.titles)])]
        lines += [_cells([_indented(title), *row]) for title, *row in table.texts]
        lines += ["", *(f"* {line}" for line in self.verdict())]
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``slabcore.slabinfo/1``."""
        compared = next(iter(self.comparisons.values())).to_dict()
        return {
            "schema": "slabcore.slabinfo/1",
            "workload": compared["workload"],
            "monitor": dataclasses.asdict(self.monitor),
            "machine": compared["machine"],
            "costs": compared["costs"],
            "results": self.results(),
        }

    def to_json(self, indent: int | None = 2) -> str:
        """Return the object as JSON, with a line end."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False) + "\n"


def _ways(workload: Workload) -> Iterator[str]:
    """Yield in words how each step of the workload reads."""

    def of(steps: Sequence[Step]) -> Iterator[Slabinfo]:
        for step in steps:
            if isinstance(step, Fork):
                yield from of(step.child)
            elif isinstance(step, Slabinfo):
                yield step

    for program in workload.programs:
        for step in of(program.steps):
            pause = workload.milliseconds(step.pause_ms)
            between = f", {pause:g} ms between two" if pause else ", no pause"
            yield f"{workload.number(step.read)} bytes a read(){between}"


def _verdict(row: Mapping[str, Any]) -> str:
    where = f"{row['design']}, {row['reader']} reader"
    if not row["reads"]:
        return f"{where}: no whole file was read."
    wrong = row["files_with_missing"], row["files_with_repeated"]
    if not any(wrong):
        return f"{where}: every row once in each of {whole(row['reads'])} files."
    lost, twice = (f"{count / row['reads']:.0%}" for count in wrong)
    return (
        f"{where}: of {whole(row['reads'])} files {lost} lack rows and {twice} repeat "
        f"some; {whole(row['rows_missing'])} rows missing, "
        f"{whole(row['rows_repeated'])} repeated."
    )


def _cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _indented(title: str) -> str:
    return f"&emsp;{title.strip()}" if title.startswith("  ") else f"**{title}**"


# --- running --------------------------------------------------------------------------


def watch(
    workload: str | os.PathLike[str] | Workload,
    designs: str | Design | Sequence[str | Design] | None = None,
    *,
    readers: Reader | Sequence[Reader] = READERS,
    read: int | None = None,
    pause_ms: float | None = None,
    period_ms: float | None = None,
    machine: Machine | None = None,
    overrides: str | Sequence[str] = (),
    seed: int = 0,
    engine: Engine = "core",
    walk: Walk = "counted",
    progress: Progress | None = None,
) -> Watch:
    """Run a workload under each design and read slabinfo meanwhile, with each reader.

    readers: "kernel" finds its place again as the design's seq_file does, "cursor"
    keeps it; one alone may be just the text. If the workload reads slabinfo itself, its
    own steps are made to read so; otherwise a monitor is added, which reads until all
    cgroups are gone.
    read: bytes a read(); pause_ms: between two reads of a file; None: as the workload
    has it, and 4096 bytes without a pause of a monitor that is added.
    period_ms: from the end of a file to the next, of one that is added; 100 by default.
    The rest is as in compare().
    Raises: InputError.
    """
    monitor = Monitor(read, pause_ms, period_ms)
    settings = settings_of(overrides)
    opened, machine, found = prepare(workload, designs, machine, settings)
    kinds = _known(readers)
    total, done = len(kinds) * len(found), itertools.count()
    comparisons: dict[Reader, Comparison] = {}
    for reader in kinds:

        def begin(name: str, at: int, of: int, reader: Reader = reader) -> None:
            if progress is not None and at < of:
                progress(f"{name}, {reader} reader", next(done), total)

        comparisons[reader] = run(
            # what workers do once all is over is nothing to read
            monitor.of(opened, reader).replace(settle_s=0),
            machine,
            found,
            settings=settings,
            seed=seed,
            engine=engine,
            walk=walk,
            progress=begin,
        )
    if progress is not None:
        progress("", total, total)
    return Watch(MappingProxyType(comparisons), monitor)


def blank(
    workload: str | os.PathLike[str] | Workload,
    designs: str | Design | Sequence[str | Design] | None = None,
    *,
    monitor: Monitor,
    overrides: str | Sequence[str] = (),
) -> dict[str, Any]:
    """Return a row of ``results`` from before anything runs. Raises: InputError."""
    opened, machine, found = prepare(workload, designs, None, overrides)
    name, design = next(iter(found.items()))
    read = monitor.of(opened, "kernel")
    return _row(Result.of(boot(read, design, machine), name, read), "kernel")


def _known(readers: Reader | Sequence[Reader]) -> list[Reader]:
    given: list[Reader] = [readers] if isinstance(readers, str) else list(readers)
    for reader in given:
        if reader not in READERS:
            raise InputError("readers", repr(reader), " or ".join(READERS))
    if not given:
        raise InputError("readers", "none is asked for", "one at least")
    return list(dict.fromkeys(given))


# --- the table ------------------------------------------------------------------------


class _Column(NamedTuple):
    """Name a figure and say how it is written."""

    title: str
    text: Callable[[Mapping[str, Any]], str]


def _share(row: Mapping[str, Any], what: str) -> str:
    count, files = row[f"files_with_{what}"], row["reads"]
    return f"{whole(count)} ({count / files:.0%})" if files and count else whole(count)


_COLUMNS: tuple[_Column, ...] = (
    _Column("files", lambda row: whole(row["reads"])),
    _Column("with rows missing", lambda row: _share(row, "missing")),
    _Column("with rows repeated", lambda row: _share(row, "repeated")),
    _Column("rows", lambda row: whole(row["rows"])),
    _Column("rows missing", lambda row: whole(row["rows_missing"])),
    _Column("rows repeated", lambda row: whole(row["rows_repeated"])),
    _Column("hops to seek", lambda row: whole(row["hops"]["reseek"])),
    _Column("hops to step", lambda row: whole(row["hops"]["steps"])),
    _Column("children summed", lambda row: whole(row["hops"]["children"])),
    _Column("slab_mutex held", lambda row: seconds(row["slab_mutex_held_s"])),
    _Column("a file takes, p50", lambda row: seconds(row["read_s"]["p50"])),
    _Column("p95", lambda row: seconds(row["read_s"]["p95"])),
    _Column("longest", lambda row: seconds(row["read_s"]["max"])),
)


class WatchTable(Table):
    """Show what readers saw in a terminal, a notebook, or as plain text."""

    def __init__(self, watch: Watch, *, columns: slice = slice(None)) -> None:
        super().__init__(box=None, pad_edge=False, header_style="bold")
        shown = _COLUMNS[columns]
        self.titles: list[str] = [column.title for column in shown]
        self.texts: list[tuple[str, ...]] = []
        for phase, rows in _parts(watch):
            if phase:
                self.texts.append((phase, *[""] * len(shown)))
            for row in rows:
                name = f"{row['design']}, {row['reader']}"
                texts = (column.text(row) for column in shown)
                self.texts.append((f"  {name}" if phase else name, *texts))
        self.widths: list[int] = [
            max(map(len, cells)) for cells in zip(*self.texts, strict=True)
        ]
        self.add_column("", no_wrap=True)
        for number, column in enumerate(shown, 1):
            words = max(map(len, column.title.split()))
            self.widths[number] = max(self.widths[number], words)
            width = self.widths[number]
            self.add_column(column.title, justify="right", width=width)
        for name, *cells in self.texts:
            self.add_row(name, *cells, style=None if any(cells) else "bold")

    def __str__(self) -> str:
        """Return the table as plain text."""
        text = io.StringIO()
        Console(file=text, width=400, color_system=None, markup=False).print(self)
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    __repr__ = __str__


def _parts(watch: Watch) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the rows of each phase in which files were read; without phases, all."""
    results = watch.results()
    phases = [
        phase
        for phase in watch.workload.phases()
        if any(row["phases"][phase]["reads"] for row in results)
    ]
    if not phases:
        yield "", results
    for phase in phases:
        yield (
            phase,
            [
                {
                    **row["phases"][phase],
                    "design": row["design"],
                    "reader": row["reader"],
                }
                for row in results
            ],
        )


def tables(watch: Watch, width: int) -> Iterator[WatchTable]:
    """Yield the table in parts that are no wider than *width* characters."""
    for columns in that_fit(watch.table().widths, width):
        yield WatchTable(watch, columns=columns)

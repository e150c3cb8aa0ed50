"""A series taken apart: each patch alone, and the whole without each."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from slabcore import report, series
from slabcore.comparison import (
    Comparison,
    Engine,
    Progress,
    Result,
    Walk,
    compare,
    seconds,
    that_fit,
    whole,
)
from slabcore.designs import Design, find
from slabcore.errors import InputError
from slabcore.kernel import FINDINGS
from slabcore.machine import Machine
from slabcore.workloads import Workload

__all__ = ["Ablation", "AblationTable", "Trial", "ablate", "tables", "trials"]

Role = Literal["base", "with", "whole", "without"]


@dataclasses.dataclass(frozen=True)
class Trial:
    """Name one design of an ablation: what was put in or left out."""

    role: Role
    patch: str
    """The patch in question; none of the base and of the whole."""
    along: tuple[str, ...]
    """What came with the patch or went with it."""
    design: Design

    @property
    def title(self) -> str:
        """Return the name of the base or the whole, or what differs from it.

        A star stands for what came along or went with the patch.
        """
        if not self.patch:
            return self.design.name
        sign = "+" if self.role == "with" else "~"
        return f"{sign}{self.patch}{'*' if self.along else ''}"


def trials(base: str | Design, series_name: str) -> tuple[Trial, ...]:
    """Return the designs of an ablation: base, each with, whole, each without.

    series_name: v1, v2 or v3, or 4.11: the patches of the series in it.
    A patch that turns no knob has no trial of its own.
    Raises: InputError.
    """
    base = base if isinstance(base, Design) else find(base)
    patches = [name for name in _patches(series_name) if name not in base.patches]
    if not patches:
        what = f"it has all of {series_name} already"
        raise InputError(base.name, what, "an older kernel, or another series")
    all_in = base.with_(*patches)
    name, title = f"series-{series_name}", f"{base.name} with all of {series_name}"
    if series_name not in series.VERSIONS:
        merged = find(series_name)
        if merged.knobs == all_in.knobs:
            name, title = merged.name, merged.title
    all_in = all_in.replace(name=name, title=title)
    added = [name for name in all_in.patches if name not in base.patches]
    turning = [name for name in added if series.patch(name).changes]
    found = [Trial("base", "", (), base)]
    for patch in turning:
        design = base.with_(patch)
        along = tuple(p for p in design.patches if p not in (*base.patches, patch))
        found.append(Trial("with", patch, along, design))
    found.append(Trial("whole", "", (), all_in))
    for patch in turning:
        design = all_in.without(patch)
        kept = (*design.patches, patch)
        along = tuple(p for p in all_in.patches if p not in kept)
        found.append(Trial("without", patch, along, design))
    return tuple(found)


def _patches(name: str) -> tuple[str, ...]:
    if name in series.VERSIONS:
        return tuple(patch.name for patch in series.version(name))
    expected = " or ".join((*series.VERSIONS, "4.11"))
    try:
        kernel = find(name)
    except InputError:
        kernel = None
    if kernel is None or not kernel.patches:
        raise InputError("series", f"{name!r} is none", expected)
    if kernel.knobs != find("4.10").with_(*kernel.patches).knobs:
        what = f"{name} has changes that are not of the series"
        raise InputError("series", what, expected)
    return kernel.patches


# --- figures --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Figure:
    """Name a figure that patches are judged by."""

    title: str
    value: Callable[[dict[str, Any]], Any]
    text: Callable[[Any], str]

    def of(self, result: Result) -> Any:
        return self.value(result.to_dict())


def _drain(table: dict[str, Any]) -> float | None:
    """Return the seconds from the programs' end until nothing is left."""
    drained = table["drained_s"]
    return None if drained is None else max(0.0, drained - table["virtual_s"])


_FIGURES = (
    _Figure("programs end after", lambda t: t["virtual_s"], seconds),
    _Figure("drained after their end", _drain, seconds),
    _Figure("dying caches, most", lambda t: t["caches"]["peak_dying"], whole),
    _Figure(
        "grace periods under cgroup_mutex",
        lambda t: t["grace_periods"]["under_cgroup_mutex"],
        whole,
    ),
    _Figure(
        "grace periods under slab_mutex",
        lambda t: t["grace_periods"]["under_slab_mutex"],
        whole,
    ),
    _Figure("waits for grace periods", lambda t: t["time_s"]["grace_periods"], seconds),
    _Figure("RCU barriers", lambda t: t["rcu_barriers"], whole),
    _Figure("list hops", lambda t: t["list_hops"]["total"], whole),
    _Figure("list walks", lambda t: t["time_s"]["list_walks"], seconds),
    _Figure("kernfs nodes, most", lambda t: t["kernfs_nodes_peak"], whole),
    _Figure("kworkers, most", lambda t: t["kworkers_peak"], whole),
    _Figure(
        "cgroup_mutex held", lambda t: t["locks"]["cgroup_mutex"]["held_s"], seconds
    ),
    _Figure(
        "longest wait for cgroup_mutex",
        lambda t: t["locks"]["cgroup_mutex"]["longest_wait_s"],
        seconds,
    ),
    _Figure(
        "longest wait for slab_mutex",
        lambda t: t["locks"]["slab_mutex"]["longest_wait_s"],
        seconds,
    ),
)

# A figure that moves by less is not worth a word; the first two are told whenever they
# are, and so many of the others.
_WORTH_A_WORD = 0.05
_WORDS = 3


@dataclasses.dataclass(frozen=True)
class Ablation:
    """Hold the results of one workload under a series taken apart."""

    comparison: Comparison
    """Every design that differs, once."""
    base: Design
    series: str
    trials: tuple[Trial, ...]
    runs: Mapping[str, str]
    """Which run of the comparison a trial's design shares, by the designs' names."""

    def result(self, trial: Trial) -> Result:
        """Return what the design of a trial did."""
        return self.comparison[self.runs[trial.design.name]]

    def __getitem__(self, name: str) -> Result:
        """Return the result under a trial's design. Raises: KeyError."""
        if name not in self.runs:
            raise KeyError(f"{name!r}; there are {', '.join(self.runs)}")
        return self.comparison[self.runs[name]]

    def __iter__(self) -> Iterator[Trial]:
        """Iterate over the trials: base, each with, whole, each without."""
        return iter(self.trials)

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self.trials)

    @property
    def whole(self) -> Trial:
        """Return the trial of all patches together."""
        return next(trial for trial in self if trial.role == "whole")

    def table(self) -> AblationTable:
        """Return the figures, a row a trial; ``print()`` shows them anywhere."""
        return AblationTable(self)

    def same(self) -> list[tuple[str, str]]:
        """Return the figures that are one and the same in all trials, with values."""
        return [
            (figure.title, figure.text(values[0]))
            for figure, values in self._columns()
            if len(set(values)) == 1
        ]

    def buys(self) -> list[str]:
        """Say what each patch changes alone, and what the whole lacks without it."""
        lines = []
        alone = {trial.patch: trial for trial in self if trial.role == "with"}
        without = {trial.patch: trial for trial in self if trial.role == "without"}
        first, last = self.trials[0], self.whole
        still = []
        for patch, trial in alone.items():
            more = without[patch]
            moves = self._moved(first, trial), self._moved(last, more)
            if not any(moves):
                still.append(patch)
                continue
            put, left = (move or "no figure moves by 5 %" for move in moves)
            along = f", with {_and(trial.along)}," if trial.along else ""
            gone = f" and {_and(more.along)}" if more.along else ""
            lines.append(
                f"{patch}{along} on {first.design.name}: {put}. "
                f"{last.design.name} without it{gone}: {left}."
            )
        if still:
            lines.append(f"No figure moves by 5 % with or without {_and(still)}.")
        return lines

    def _moved(self, before: Trial, after: Trial) -> str:
        """Return the times, and of the other figures those that move most."""
        old, new = self.result(before), self.result(after)
        weights = {
            figure: _ratio(figure.of(old), figure.of(new)) for figure in _FIGURES
        }
        moved = [figure for figure in _FIGURES if weights[figure] > _WORTH_A_WORD]
        times = moved[: sum(figure in _FIGURES[:2] for figure in moved)]
        others = sorted(moved[len(times) :], key=lambda figure: -weights[figure])
        told = {*times, *others[:_WORDS]}
        return "; ".join(
            f"{f.title} {f.text(f.of(old))} → {f.text(f.of(new))}"
            for f in moved
            if f in told
        )

    def depends(self) -> list[str]:
        """Say which patches build on which, and why."""
        lines = []
        for name in self.whole.design.patches:
            reasons = [
                f"{other} ({reason})"
                for other, reason in series.patch(name).depends_on.items()
            ]
            if reasons:
                lines.append(f"{name} builds on {_and(reasons)}.")
        return lines

    def idle(self) -> list[str]:
        """Say what the patches are for that turn no knob and so have no trial."""
        present = self.whole.design.patches
        lines = []
        for name in present:
            if not series.patch(name).changes:
                ways = [p for p in present if name in series.patch(p).depends_on]
                lines.append(f"{name} turns no knob: it makes way for {_and(ways)}.")
        return lines

    def unsafe(self) -> list[str]:
        """Say which trials have faults that the base does not have."""
        of_base = {*_found(self.result(self.trials[0])), *self.base.findings}
        lines = []
        for name, text in FINDINGS.items():
            met, known = [], []
            for trial in self.trials[1:]:
                count = _found(self.result(trial)).get(name, 0)
                if count:
                    often = "once" if count == 1 else f"{whole(count)} times"
                    met.append(f"{trial.title} ({often})")
                elif name in trial.design.findings:
                    known.append(trial.title)
            if name in of_base or not (met or known):
                continue
            parts = [", ".join(met)] if met else []
            if known:
                parts.append(f"known of {_and(known)}, but not met in this run")
            lines.append(f"{text}: {'; '.join(parts)}.")
            lines += self._led_to(name)
        return lines

    def _led_to(self, name: str) -> list[str]:
        """Say what led to a finding in the first trial that met it, if that is kept."""
        for trial in self:
            for finding in self.result(trial).to_dict()["findings"]:
                if finding["id"] == name and (led := report.schedule(finding)):
                    return [f"{trial.title}, first: {'; '.join(led)}."]
        return []

    def head(self) -> list[str]:
        """Return what was run, and how to read the table."""
        first, last = self.trials[0].title, self.whole.title
        return [
            *report.head(self.comparison),
            f"+patch: {first} with it; ~patch: {last} without it; *: and with or "
            "without what it builds on or what builds on it.",
        ]

    def notes(self) -> list[str]:
        """Return all that there is to say below the table."""
        same = "; ".join(f"{title} {value}" for title, value in self.same())
        return [
            *([f"The same in all: {same}."] if same else []),
            *self.buys(),
            *self.unsafe(),
            *self.depends(),
            *self.idle(),
        ]

    def markdown(self) -> str:
        """Return table and notes fit for a patch description."""
        shown = self.table()
        lines = [_cells(["", *shown.titles]), _cells(["---", *shown.rules])]
        for trial, (_, *row) in zip(self, shown.texts, strict=True):
            title = f"`{trial.title}`" if trial.patch else f"**{trial.title}**"
            lines.append(_cells([title, *row]))
        lines += ["", *shown.legend(), "", *(f"* {line}" for line in self.notes())]
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``slabcore.ablation/1``."""
        compared = self.comparison.to_dict()
        results = {result["design"]: result for result in compared["results"]}
        present = self.whole.design.patches
        return {
            "schema": "slabcore.ablation/1",
            "workload": compared["workload"],
            "machine": compared["machine"],
            "costs": compared["costs"],
            "base": self.base.name,
            "series": self.series,
            "patches": [series.patch(name).to_dict() for name in present],
            "trials": [
                {
                    "role": trial.role,
                    "patch": trial.patch or None,
                    "along": list(trial.along),
                    "patches": list(trial.design.patches),
                    "knobs": self.result(trial).design.knobs,
                    "known_findings": list(trial.design.findings),
                    "result": results[self.runs[trial.design.name]]
                    | {"design": trial.design.name},
                }
                for trial in self
            ],
        }

    def to_json(self, indent: int | None = 2) -> str:
        """Return the object as JSON, with a line end."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False) + "\n"

    def _columns(self) -> Iterator[tuple[_Figure, list[Any]]]:
        for figure in _FIGURES:
            yield figure, [figure.of(self.result(trial)) for trial in self]


def _ratio(old: float | None, new: float | None) -> float:
    """Return how far two figures are apart: 0 for equal ones, 0.69 for the double."""
    if old is None or new is None:
        return 0.0 if old == new else math.inf
    # A count of 0 and a time below a microsecond are no ground for a ratio.
    least = 1 if isinstance(old, int) else 1e-6
    return abs(math.log(max(new, least) / max(old, least))) if old != new else 0.0


def _found(result: Result) -> dict[str, int]:
    return {finding["id"]: finding["count"] for finding in result.counters["findings"]}


def _cells(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _and(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


# --- running --------------------------------------------------------------------------


def ablate(
    workload: str | os.PathLike[str] | Workload,
    *,
    base: str | Design = "4.10",
    series: str = "4.11",
    machine: Machine | None = None,
    overrides: str | Sequence[str] = (),
    seed: int = 0,
    engine: Engine = "core",
    walk: Walk = "counted",
    progress: Progress | None = None,
) -> Ablation:
    """Run a workload under each patch alone, and under the whole without each.

    base: what the patches are applied to.
    series: v1, v2, v3, or 4.11, which is v3 as it was merged, with the patch that makes
    the directories of children optional. Later kernels have changes of others as well.
    The rest is as in compare().
    Raises: InputError.
    """
    tried = trials(base, series)
    by_knobs: dict[tuple[Any, ...], Design] = {}
    runs: dict[str, str] = {}
    for trial in tried:
        first = by_knobs.setdefault(tuple(trial.design.knobs.values()), trial.design)
        runs[trial.design.name] = first.name
    comparison = compare(
        workload,
        list(by_knobs.values()),
        machine=machine,
        overrides=overrides,
        seed=seed,
        engine=engine,
        walk=walk,
        progress=progress,
    )
    return Ablation(comparison, tried[0].design, series, tried, runs)


# --- the table ------------------------------------------------------------------------


class AblationTable(Table):
    """Show an ablation in a terminal, a notebook, or as plain text."""

    def __init__(self, ablation: Ablation, *, columns: slice = slice(None)) -> None:
        super().__init__(box=None, pad_edge=False, header_style="bold")
        same = {title for title, _ in ablation.same()}
        shown = [c for c in ablation._columns() if c[0].title not in same]
        self.marks: dict[str, str] = {}
        rows = []
        for number, trial in enumerate(ablation):
            found = _found(ablation.result(trial))
            for name in found:
                self.marks.setdefault(name, f"[{len(self.marks) + 1}]")
            cells = [figure.text(values[number]) for figure, values in shown]
            rows.append((*cells, "".join(self.marks[name] for name in found)))
        self.titles: list[str] = [*(figure.title for figure, _ in shown), "findings"][
            columns
        ]
        self.texts: list[tuple[str, ...]] = [
            ("  " * bool(trial.patch) + trial.title, *row[columns])
            for trial, row in zip(ablation, rows, strict=True)
        ]
        self.add_column("", no_wrap=True)
        self.widths: list[int] = [
            max(map(len, column)) for column in zip(*self.texts, strict=True)
        ]
        for number, title in enumerate(self.titles, 1):
            words = max(map(len, title.split()))
            self.widths[number] = max(self.widths[number], words)
            left = title == "findings"
            self.add_column(
                title,
                justify="left" if left else "right",
                width=self.widths[number],
            )
        for trial, row in zip(ablation, self.texts, strict=True):
            self.add_row(*row, style=None if trial.patch else "bold")

    @property
    def rules(self) -> list[str]:
        """Return how Markdown sets each column but the first."""
        return [":---" if title == "findings" else "---:" for title in self.titles]

    def __str__(self) -> str:
        """Return the table as plain text, with what the marks of findings mean."""
        text = io.StringIO()
        console = Console(file=text, width=400, color_system=None, markup=False)
        console.print(self)
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        return "\n".join((*lines, *self.legend()))

    __repr__ = __str__

    def legend(self) -> list[str]:
        """Return what the marks of findings mean."""
        return [f"{mark} {FINDINGS[name]}" for name, mark in self.marks.items()]


def tables(ablation: Ablation, width: int) -> Iterator[AblationTable]:
    """Yield the table in parts that are no wider than *width* characters."""
    for columns in that_fit(ablation.table().widths, width):
        yield AblationTable(ablation, columns=columns)

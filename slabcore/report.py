"""What a person reads of a comparison: the answer in words, Markdown, files."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from slabcore.comparison import (
    Comparison,
    Result,
    number,
    rows,
    seconds,
    spent,
    whole,
)
from slabcore.errors import InputError

__all__ = [
    "SUFFIXES",
    "check",
    "costs_that_weigh",
    "findings",
    "head",
    "markdown",
    "save",
    "schedule",
    "to_json",
    "verdict",
    "written",
]

# Fewer than this many workers a CPU that a design has more than another is no pile-up.
_PILE_A_CPU = 16


# --- words ----------------------------------------------------------------------------


def head(comparison: Comparison) -> list[str]:
    """Return what was run on what, with which costs, and that it is a model."""
    workload, machine = comparison.workload, comparison.machine
    costs = machine.costs
    kmem = {"default": "as the kernel has it", "on": "on", "off": "off"}[machine.kmem]
    lines = [
        f"Modelled, not measured: slabcore {metadata.version('slabcore')}, engine "
        f"{comparison.engine}, {comparison.walk} walks, seed {comparison.seed}.",
        f"Workload {workload.name}: {workload.title}.",
        f"Machine: {machine.cpus} CPU{'s' * (machine.cpus > 1)}, HZ={machine.hz}, "
        f"{machine.allocator}, kernel memory accounting {kmem}, "
        f"{machine.kernfs_per_cache} kernfs nodes a cache.",
        f"Costs {costs.name}: {costs.title or 'no title'}.",
    ]
    if comparison.settings:
        lines.append("Changed for this run: " + ", ".join(comparison.settings) + ".")
    return lines


def verdict(comparison: Comparison) -> list[str]:
    """Return what the series changed, computed from the figures.

    A line for each step between two generations of destruction that were run: a
    grace period a cache, a grace period a cgroup, none; then what that says of the
    bug; then where the time of each phase went; then how long creations stayed
    pending.
    """
    found = _generations(comparison)
    lines = [_step(*pair) for pair in itertools.pairwise(found)]
    if len(found) == 3:
        lines += _answer(*found, cpus=comparison.machine.cpus)
    for phase in comparison.workload.phases():
        lines += [_phase(phase, result) for result in comparison]
    missed = [result for result in comparison if result.counters["misses"]]
    return lines + [_pending(result) for result in missed]


def _generations(comparison: Comparison) -> list[Result]:
    """Return the newest result of each generation that the question spans.

    Of the last, the oldest that was released: later kernels went on from the series.
    """
    newest: dict[str, Result] = {}
    for result in sorted(comparison, key=lambda result: not result.design.kernels):
        if result.design.deactivation == "rcu-per-cache":
            newest.setdefault(result.design.deactivation, result)
        else:
            newest[result.design.deactivation] = result
    order = ("gp-per-cache", "gp-per-memcg", "rcu-per-cache")
    return [newest[name] for name in order if name in newest]


def _phase(phase: str, result: Result) -> str:
    """Return what a phase's time went into: what is a twentieth of the most or more."""
    table = result.to_dict()["phases"][phase]
    took = spent(table)
    most = max(took.values())
    parts = [
        f"{seconds(took[title])} {title}"
        for title in sorted(took, key=lambda title: -took[title])
        if most and took[title] >= most / 20
    ]
    what = f"; its tasks: {', '.join(parts)}" if parts else ""
    return f"{result.name}: {phase} lasts {seconds(table['lasted_s'])}{what}."


def _step(before: Result, after: Result) -> str:
    old, new = before.to_dict(), after.to_dict()
    parts = [
        _change(
            "grace periods waited for, a cgroup", _a_cgroup(before), _a_cgroup(after)
        ),
        _change(
            "under slab_mutex",
            old["grace_periods"]["under_slab_mutex"],
            new["grace_periods"]["under_slab_mutex"],
        ),
        _change("kworkers, most", old["kworkers_peak"], new["kworkers_peak"]),
        _change("load average, most", old["load1_peak"], new["load1_peak"]),
        _change("list hops", old["list_hops"]["total"], new["list_hops"]["total"]),
        _change(
            "cgroup_mutex held",
            old["locks"]["cgroup_mutex"]["held_s"],
            new["locks"]["cgroup_mutex"]["held_s"],
            text=seconds,
        ),
        _change("programs end after", old["virtual_s"], new["virtual_s"], text=seconds),
    ]
    changed = "; ".join(filter(None, parts)) or "none of the figures told here changes"
    return f"{before.name} → {after.name}: {changed}."


def _change(
    title: str, old: Any, new: Any, text: Callable[[Any], str] | None = None
) -> str:
    """Return both figures; nothing when they read the same."""
    if text is None:
        text = whole if isinstance(old, int) else number
    shown = [text(figure) for figure in (old, new)]
    return "" if shown[0] == shown[1] else f"{title} {shown[0]} → {shown[1]}"


def _a_cgroup(result: Result) -> float:
    created = result.counters["cgroups"]["created"]
    waited = result.counters["grace_periods"]["synchronous"]
    return float(waited / created) if created else 0.0


def _answer(first: Result, second: Result, third: Result, *, cpus: int) -> list[str]:
    lines = []
    workers = [int(r.counters["kworkers_peak"]) for r in (first, second, third)]
    fallen = workers[0] - min(workers)
    if fallen < _PILE_A_CPU * cpus:
        lines.append(
            "kworkers do not pile up in this run: "
            f"{whole(workers[0])} at most under {first.name}."
        )
    else:
        share = (workers[0] - workers[1]) / fallen
        if share > 0.9:
            when = f"ends with {second.name}, before the series"
        elif share < 0.1:
            when = f"ends with {third.name}, with the series"
        else:
            when = f"ends in two steps, {share:.0%} of it with {second.name}"
        lines.append(f"The pile-up of {whole(workers[0])} kworkers {when}.")
    waits = [_a_cgroup(result) for result in (second, third)]
    hops = [sum(r.counters["list_hops"].values()) for r in (second, third)]
    held = [
        r.counters["locks"]["cgroup_mutex"]["held_ns"] / 1e9 for r in (second, third)
    ]
    gone = []
    if waits[0] > waits[1]:
        fewer = number(waits[0] - waits[1])
        periods = "a grace period" if fewer == "1" else f"{fewer} grace periods"
        gone.append(f"{periods} a cgroup under cgroup_mutex")
    if hops[0] > hops[1]:
        gone.append(f"{_share(hops)} of the list hops")
    if held[0] > held[1]:
        gone.append(f"{_share(held)} of the time under cgroup_mutex")
    if gone:
        lines.append(f"The series itself ({third.name}) takes away {_and(gone)}.")
    else:
        lines.append(
            f"The series itself ({third.name}) takes nothing away in this run."
        )
    delays = [result.to_dict()["creation_delay_s"]["p99"] for result in (first, second)]
    if None not in delays:
        longer = "longer" if delays[1] > delays[0] else "no longer"
        lines.append(
            f"The queue of {second.name}, one creation at a time, keeps them waiting "
            f"{longer} than {first.name}: {seconds(delays[1])} against "
            f"{seconds(delays[0])} at the 99th percentile."
        )
    return lines


def _share(values: Sequence[float]) -> str:
    """Return how much of the first value the second lacks; 100% is all of it."""
    left = values[1] / values[0]
    return f"{1 - left:.1%}" if 0 < left < 0.01 else f"{1 - left:.0%}"


def _pending(result: Result) -> str:
    delay = result.to_dict()["creation_delay_s"]
    never = result.counters["creations_never"]
    lost = f"{whole(never)} never came" if never else "all came"
    return (
        f"{result.name}: a creation stays pending for {seconds(delay['p50'])} (p50), "
        f"{seconds(delay['p99'])} (p99), {seconds(delay['max'])} at most; {lost}."
    )


def _and(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def costs_that_weigh(
    comparison: Comparison, most: int = 6
) -> list[tuple[str, str, str]]:
    """Return the costs that took most time over all designs: name, figure, source.

    What a step took is its count times its cost, as near as the counters tell.
    """
    costs = comparison.machine.costs
    spent: dict[str, int] = {}
    for result in comparison:
        for name, ns in _spent(result, comparison).items():
            spent[name] = spent.get(name, 0) + ns
    weighed = sorted(spent, key=lambda name: -spent[name])
    lines = []
    for name in weighed[:most]:
        value = getattr(costs, name)
        shown = _hop_curve(value) if name == "list_hop" else seconds(value / 1e9)
        lines.append((name, shown, costs.sources.get(name, "")))
    return lines


def _spent(result: Result, comparison: Comparison) -> dict[str, int]:
    counters, costs = result.counters, comparison.machine.costs
    cgroups, caches = counters["cgroups"]["created"], counters["caches"]["created"]
    nodes = comparison.machine.kernfs_per_cache if result.design.child_sysfs else 0
    of_cgroups = ("cgroup_mkdir", "cgroup_rmdir", "css_offline", "css_release")
    of_caches = ("cache_create", "shrink", "shutdown", "release")
    counts = {
        **dict.fromkeys((*of_cgroups, "css_free", "cgroup_free"), cgroups),
        **dict.fromkeys(of_caches, caches),
        **dict.fromkeys(("kernfs_add", "kernfs_remove"), caches * nodes),
        **dict.fromkeys(("alloc_miss", "create_check"), counters["misses"]),
        "ipi": counters["ipis"],
        "rcu_callback": counters["callbacks"]["invoked"],
        "worker_create": counters["kworkers_peak"],
    }
    spent = {name: count * getattr(costs, name) for name, count in counts.items()}
    longest = counters["caches"]["peak"]
    ps = next((ps for length, ps in costs.list_hop if length >= longest), None)
    hop_ps = costs.list_hop[-1][1] if ps is None else ps
    spent["list_hop"] = sum(counters["list_hops"].values()) * hop_ps // 1000
    return spent


def _hop_curve(points: Iterable[tuple[int, int]]) -> str:
    return ", ".join(
        f"{number(ps / 1e3)} ns at {whole(length)}" for length, ps in points
    )


# --- Markdown -------------------------------------------------------------------------


def markdown(comparison: Comparison, *, times: bool = False) -> str:
    """Return a report fit for a patch description or a bug.

    times: also what CPU time and waits of the whole run went into.
    """
    workload = comparison.workload
    lines = [f"# {workload.title}", ""]
    lines += [f"{line}  " for line in head(comparison)[:-1]]
    lines += [head(comparison)[-1], ""]
    titles = ["", *(result.name for result in comparison)]
    lines += [_cells(titles), _cells(["---", *["---:"] * len(comparison)])]
    figures = rows(comparison, times=times)
    lines += [_cells([_indented(row.title), *row.cells]) for row in figures]
    lines += ["", "## What the figures say", ""]
    lines += [f"* {line}" for line in verdict(comparison)] or ["Nothing was compared."]
    lines += ["", "## Put in", ""]
    lines += [f"* {line}" for line in workload.inputs]
    lines += [f"* source: {_one_line(workload.source)}", ""]
    lines += ["All other figures came out. The costs that weigh most:", ""]
    lines += [_cells(["cost", "figure", "source"]), _cells(["---"] * 3)]
    lines += [_cells(cost) for cost in costs_that_weigh(comparison)]
    method = comparison.machine.costs.method
    lines += ["", f"Costs {comparison.machine.costs.name}: {method}"] if method else []
    found = findings(comparison)
    lines += ["", "## Findings", ""] if found else []
    for line, led in found:
        lines += [f"* {line}", *(f"  * {event}" for event in led)]
    quoted = [(r.name, figure) for r in comparison for figure in comparison.reported(r)]
    lines += ["", "## Measured on real kernels", ""] if quoted else []
    for name, figure in quoted:
        low, high = number(figure.low), number(figure.high)
        shown = low if low == high else f"{low} to {high}"
        lines.append(f"* {name}: {figure.figure} {shown} ({figure.source})")
    return "\n".join(lines).rstrip() + "\n"


def findings(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Return what each design did and should not have, each with what led to it."""
    found = []
    for result in comparison:
        for finding in result.to_dict()["findings"]:
            count = finding["count"]
            often = "once, at" if count == 1 else f"{whole(count)} times, first at"
            line = f"{result.name}: {finding['text']} ({often} "
            found.append((line + f"{seconds(finding['at_s'])})", schedule(finding)))
    return found


def schedule(finding: Mapping[str, Any]) -> list[str]:
    """Return, line by line, what led to the first of a finding, where that is known.

    The finding is one of a result's ``to_dict()``.
    """
    return [
        f"{event['at_s'] * 1e3:.3f} ms, CPU {event['cpu']}: {event['text']}"
        + (f", {whole(event['ahead'])} callbacks ahead" if event["ahead"] else "")
        for event in finding.get("schedule", ())
    ]


def _cells(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _indented(title: str) -> str:
    return title.replace("  ", "&emsp;", 1) if title.startswith("  ") else title


def _one_line(text: str) -> str:
    return " ".join(text.split())


# --- files ----------------------------------------------------------------------------

SUFFIXES = (".md", ".json")


def check(path: str | os.PathLike[str]) -> None:
    """Tell before any work whether a report can go there. Raises: InputError."""
    if Path(path).suffix not in SUFFIXES:
        expected = "a name that ends in " + " or ".join(SUFFIXES)
        raise InputError(str(path) or "''", "there is no such kind of report", expected)
    if not Path(path).parent.is_dir():
        raise InputError(str(path), "there is no such directory", "one that is there")


def written(
    path: str | os.PathLike[str],
    comparisons: Sequence[Comparison],
    *,
    times: bool = False,
) -> str:
    """Return the text of a report in the format that the file's name asks for."""
    if Path(path).suffix == ".json":
        return to_json(comparisons)
    return "\n".join(markdown(comparison, times=times) for comparison in comparisons)


def to_json(comparisons: Sequence[Comparison]) -> str:
    """Return one comparison as its own object, several as a list in one object."""
    if len(comparisons) == 1:
        return comparisons[0].to_json()
    both = {
        "schema": "slabcore.comparisons/1",
        "comparisons": [comparison.to_dict() for comparison in comparisons],
    }
    return json.dumps(both, indent=2, ensure_ascii=False) + "\n"


def save(path: str | os.PathLike[str], text: str | bytes) -> None:
    """Write a file whole or not at all. Raises: InputError."""
    target = Path(path)
    data = text.encode() if isinstance(text, str) else text
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(str(path), reason, "a place to write a file") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

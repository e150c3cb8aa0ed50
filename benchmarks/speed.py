"""Time slabcore beside floors in C and beside its peers, and write down what came out.

    python benchmarks/speed.py                 every row
    python benchmarks/speed.py events worlds   these rows
    python benchmarks/speed.py --runs 3 --write --json speed.json

In a round each side of a row is run once, in a process of its own, one after the other.
A ratio is taken of two sides in one round; what is told is the median of the rounds'
ratios, and their extremes. A side that cannot be built, is not installed, fails or
takes too long is named and left out; the status is 1 if one of slabcore's own failed.
`--write` puts the tables into docs/performance.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from judging import Measured, figure, number, spread
from loglog import draw
from rows import ROWS, Row, Side
from running import ROOT, Bench, Told

PAGE = ROOT / "docs" / "performance.md"
PICTURE = PAGE.with_name("speed.svg")
BEGIN, END = "<!-- timed: speed -->\n", "<!-- end -->"
AGAIN = "0 tells the figures of --json again"
KEEP = "keep the figures here; rows that are not run now stay as they are in it"
ENOUGH = "a row that has taken longer gets no further round"
LIBRARIES = (
    *("numpy", "llist", "cllist", "simpy", "jc", "regex", "pybind11", "nanobind"),
    *("cimba", "libcachesim"),
)
NO_REASON = "**no reason is written down**"

# --- running --------------------------------------------------------------------------


def run(names: Iterable[str], rounds: int, seconds: float) -> Iterator[Told]:
    """Run rows; yield one record a row, round, size and side."""
    with tempfile.TemporaryDirectory(prefix="slabcore-speed-") as place:
        bench = Bench(Path(place))
        for name in names:
            began = time.monotonic()
            for round_ in range(rounds):
                if round_ and time.monotonic() - began > seconds:
                    break
                for told in one_round(bench, ROWS[name], round_):
                    say(name, told)
                    yield {"row": name, **told}


def one_round(bench: Bench, row: Row, round_: int) -> Iterator[Told]:
    """Run each side of a row once at each size."""
    for n in row.sizes:
        for side in row.sides:
            if side.sizes is not None and n not in side.sizes:
                continue
            if side.once and round_:
                continue
            told = bench.run(side, n, row.limit_s)
            yield {"n": n, "round": round_, "side": side.name, **told}


def say(name: str, told: Told) -> None:
    """Print what was told as it comes."""
    what = told.get("missing") or told.get("failed") or f"{told['ns']:.4g}"
    place = f"{name} {told['n'] or ''}"
    print(f"{place:30} round {told['round']}  {told['side']:32} {what}", flush=True)


# --- the page -------------------------------------------------------------------------


def conditions(rounds: int, runs: int) -> str:
    """Say where, when and how all this was timed."""
    cpu = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*: (.*)", info.read_text())
        cpu = found[1] if found else cpu
    compiler = shlex.split(os.environ.get("CC", "cc"))
    version = subprocess.run(
        [*compiler, "-dumpfullversion"], capture_output=True, text=True
    ).stdout.strip()
    libraries = []
    for name in LIBRARIES:
        try:
            libraries.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    load = os.getloadavg()[0]
    return (
        f"{datetime.date.today()}, slabcore {metadata.version('slabcore')}, "
        f"CPython {platform.python_version()}, {platform.system()} "
        f"{platform.release()}, {cpu}, {os.cpu_count()} CPUs, {compiler[0]} {version}; "
        f"{', '.join(libraries)}. {runs} × {rounds} rounds at most; load average "
        f"before: {load:.1f}."
    )


def read(records: list[Told]) -> list[Measured]:
    """Sort what was told by row."""
    told_of: dict[str, list[Told]] = {}
    for told in records:
        told_of.setdefault(told["row"], []).append(told)
    return [
        Measured(row, told_of[name]) for name, row in ROWS.items() if name in told_of
    ]


def picture(measured: list[Measured]) -> str:
    """Draw every row that was run at three sizes or more; nothing if none was."""
    panels = [
        (found.row.title, found.row.unit, found.curves())
        for found in measured
        if found.curves()
    ]
    return draw(panels) if panels else ""


def tables(measured: list[Measured]) -> str:
    """Return the page's block."""
    parts = [about(measured), goals(measured), lost(measured), ahead(measured)]
    parts += map(section, measured)
    return "\n\n".join(filter(None, parts))


def table(head: str, rule: str, rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    return "\n".join((head, rule, *(f"| {' | '.join(row)} |" for row in rows)))


def about(measured: list[Measured]) -> str:
    """Say under which conditions rows were timed; most of them need not be named."""
    rows_of: dict[str, list[str]] = {}
    for found in measured:
        rows_of.setdefault(found.about, []).append(found.row.title)
    most, *others = sorted(rows_of, key=lambda said: -len(rows_of[said]))
    return "\n\n".join(
        [most, *(f"{', '.join(rows_of[said])}: {said}" for said in others)]
    )


def goals(measured: list[Measured]) -> str:
    """Return what was aimed at, and what was reached."""
    words = {True: "met", False: "**missed**", None: "not measured"}
    rows = [
        (
            *(found.row.title, number(verdict.n), verdict.said),
            *(verdict.measured, verdict.each_run, words[verdict.met]),
        )
        for found in measured
        for verdict in found.verdicts(found.row.goals)
    ]
    head = "| work | caches, nodes, … | goal | measured | each run | |"
    return table(head, "| --- | ---: | --- | ---: | ---: | --- |", rows)


def lost(measured: list[Measured]) -> str:
    """Return the goals that are missed, and why."""
    rows = [
        (
            *(found.row.title, number(verdict.n), verdict.said),
            *(verdict.measured, verdict.goal.why or NO_REASON),
        )
        for found in measured
        for verdict in found.verdicts(found.row.goals)
        if verdict.met is False
    ]
    if not rows:
        return ""
    head = "| work | caches, nodes, … | goal | measured | why |"
    return "### What is missed, and why\n\n" + table(
        head, "| --- | ---: | --- | ---: | --- |", rows
    )


def ahead(measured: list[Measured]) -> str:
    """Return the cases that slabcore loses to a peer."""
    rows = [
        (
            *(found.row.title, number(n), side.name),
            *(f"{spread(list(ratios.values()))} ×", side.why or NO_REASON),
        )
        for found in measured
        for n, side, ratios in found.ahead()
    ]
    if not rows:
        return ""
    head = "| work | caches, nodes, … | peer | slabcore takes | why |"
    return "### Where a peer is ahead\n\n" + table(
        head, "| --- | ---: | --- | ---: | --- |", rows
    )


def section(found: Measured) -> str:
    """Return the figures of one row."""
    row = found.row
    against = "× the floor" if row.floors else ""
    against = "× slabcore's" if row.product else against
    head = f"| | | {row.unit} | {against} |"
    parts = [f"### {row.title}", row.note]
    parts += [table(head, "| ---: | --- | ---: | ---: |", list(figures(found)))]
    if found.missing or found.failed:
        parts += [f"Left out: {'; '.join(found.left_out())}."]
    return "\n\n".join(filter(None, parts))


def figures(found: Measured) -> Iterator[tuple[str, ...]]:
    """Yield size, side, figure, and how many times slabcore's it is."""
    row = found.row
    for n in row.sizes:
        base = [(n, row.product)] if row.product else []
        base = base or [(n, side.name) for side in row.floors]
        for side in row.sides:
            if times := found.ns.get((n, side.name)):
                scale = 1e9 if row.unit == "s" else 1
                shown = spread([ns / scale for ns in times.values()])
                ratios = found.ratios([(n, side.name)], base)
                ratio = spread(list(ratios.values())) if ratios else ""
                if side.name == row.product:
                    ratio = figure(1)
                yield number(n), kind(row, side), shown, ratio


def kind(row: Row, side: Side) -> str:
    """Return a side's name as it stands in a table."""
    if side in row.ours:
        return f"**{side.name}**"
    return f"{side.name} (floor)" if side in row.floors else side.name


def write(text: str, drawn: str) -> None:
    """Put the tables into the page, and the picture beside it."""
    if drawn:
        PICTURE.write_text(drawn, "utf-8")
        text += f"\n\n![Nanoseconds an item over size]({PICTURE.name})"
    page = PAGE.read_text("utf-8")
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert mark and end, "the page has no place for the tables"
    PAGE.write_text(f"{before}{BEGIN}{text}\n{end}{after}", "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="; ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=1, help=AGAIN)
    parser.add_argument("--seconds", type=float, default=12, help=ENOUGH)
    parser.add_argument("--json", type=Path, metavar="FILE", help=KEEP)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    options = parser.parse_args()
    if unknown := set(options.rows) - ROWS.keys():
        parser.error(f"no such row: {', '.join(sorted(unknown))}; {', '.join(ROWS)}")
    records = []
    if options.json and options.json.exists():
        records = json.loads(options.json.read_text("utf-8"))
    names = (options.rows or list(ROWS)) if options.runs else []
    left = [name for name in ROWS if name not in {*names, *(t["row"] for t in records)}]
    if options.write and left:
        parser.error(
            f"the page would lose {', '.join(left)}: --json with their figures"
        )
    records = [told for told in records if told["row"] not in names]
    where = conditions(options.rounds, options.runs)
    for number_ in range(options.runs):
        for told in run(names, options.rounds, options.seconds):
            records.append({"run": number_, "about": where, **told})
            if options.json:
                options.json.write_text(json.dumps(records, indent=0))
    measured = read(records)
    text = tables(measured)
    print(f"\n{text}")
    if options.write:
        write(text, picture(measured))
    ours = {(name, side.name) for name in names for side in ROWS[name].ours}
    failed = {(t["row"], t["side"]) for t in records if "failed" in t} & ours
    for name, side in sorted(failed):
        print(f"{name}: {side} failed", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())

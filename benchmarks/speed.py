"""Time slabcore beside floors in C and beside its peers, and write down what came out.

    python benchmarks/speed.py                 every row, five rounds
    python benchmarks/speed.py events worlds   these rows
    python benchmarks/speed.py --runs 3 --write --json speed.json

In a round each side of a row is run once, in a process of its own, one after the other.
A ratio is taken of two sides in one round; what is told is the median of the rounds'
ratios, and their extremes. A side that cannot be built or is not installed is named
and left out. `--write` puts the tables into docs/performance.md.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from loglog import draw
from rows import ROWS, AtLeast, AtMost, Goal, Growth, Row, Side, Source, Within

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "performance.md"
PICTURE = PAGE.with_name("speed.svg")
BEGIN, END = "<!-- timed: speed -->\n", "<!-- end -->"
LIMIT_S = 120
KEEP = "keep the figures here; rows that are not run now stay as they are in it"
RECORDING = ROOT / "slabcore" / "recordings" / "ftrace-6.18-cgroup1-memory.txt"
LIBRARIES = (
    *("numpy", "llist", "cllist", "simpy", "jc", "regex", "pybind11", "nanobind"),
)

Told = dict[str, Any]


class Places(dict[str, str]):
    """Where headers and sources of others lie, by what a row calls them."""

    def __missing__(self, name: str) -> str:
        if name == "python":
            return sysconfig.get_path("include")
        if name == "pybind11":
            return str(importlib.import_module(name).get_include())
        return str(Path(importlib.import_module(name).include_dir()).parent)


class Bench:
    """Builds what is to be run, makes the files it reads, and runs it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.built: dict[Source, Path | str] = {}

    def build(self, source: Source) -> Path | str:
        """Return where a program was built, or why it was not."""
        if source not in self.built:
            self.built[source] = self._build(source)
        return self.built[source]

    def _build(self, source: Source) -> Path | str:
        file = HERE / source.file
        target = self.place / str(len(self.built)) / file.with_suffix("").name
        target.parent.mkdir()
        if "-shared" in source.flags:
            target = target.with_suffix(".so")
        try:
            flags = [flag.format_map(Places()) for flag in source.flags]
        except ImportError as error:
            return f"{error.name} is not installed"
        if file.suffix == ".pyx":
            made = target.with_suffix(".c")
            cython = [sys.executable, "-m", "cython", "-3", "-I", str(ROOT)]
            if why := _failure([*cython, "-o", str(made), str(file)]):
                return why
            file = made
        named = ("CXX", "c++") if file.suffix == ".cpp" else ("CC", "cc")
        compiler = shlex.split(os.environ.get(*named))
        command = [*compiler, *flags, "-o", str(target), str(file), *source.libraries]
        return _failure(command) or target

    def file(self, kind: str, n: int) -> Path:
        """Return a file of *n* lines or rows."""
        path = self.place / f"{kind}-{n}"
        if not path.exists():
            path.write_text(FILES[kind](n), "utf-8")
        return path

    def run(self, side: Side, n: int) -> Told:
        """Time one side once; tell what is missing instead if it cannot be."""
        command = []
        for word in side.command:
            if isinstance(word, Source):
                found = self.build(word)
                if isinstance(found, str):
                    return {"missing": found}
                command.append(str(found))
            elif word.strip("{}") in FILES:
                command.append(str(self.file(word.strip("{}"), n)))
            else:
                command.append(word.format(n=n, python=sys.executable))
        try:
            ran = subprocess.run(
                command, cwd=HERE, capture_output=True, text=True, timeout=LIMIT_S
            )
        except subprocess.TimeoutExpired:
            return {"missing": f"takes more than {LIMIT_S} s"}
        if ran.returncode:
            last = (ran.stderr.strip().splitlines() or ["it failed"])[-1]
            raise SystemExit(f"{side.name}: {shlex.join(command)}: {last}")
        told: Told = json.loads(ran.stdout.splitlines()[-1])
        if "ns" in told:
            told["ns"] *= side.scale
        return told


def _failure(command: list[str]) -> str:
    """Run a compiler; return what it says went wrong."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return f"{command[0]} is not installed"
    if not ran.returncode:
        return ""
    errors = [line for line in ran.stderr.splitlines() if "error" in line.lower()]
    missing = re.search(r"(\S+): No such file|cannot find (\S+):", ran.stderr)
    if missing:
        return f"{missing[1] or missing[2]} is not installed"
    return errors[0] if errors else "it does not compile"


def recording(n: int) -> str:
    """Return n lines of a recording: the events of one, again and again."""
    events = [
        line
        for line in RECORDING.read_text("utf-8").splitlines(keepends=True)
        if not line.startswith("#") and line.strip()
    ]
    return "".join((events * (n // len(events) + 1))[:n])


def slabinfo(n: int) -> str:
    """Return a slabinfo of n rows, nine of ten named as a memcg's caches are."""
    roots = ("dentry", "kmalloc-192", "inode_cache", "filp", "cred_jar")
    lines = [
        "slabinfo - version: 2.1\n",
        "# name            <active_objs> <num_objs> <objsize> <objperslab> "
        "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata "
        "<active_slabs> <num_slabs> <sharedavail>\n",
    ]
    for i in range(n):
        name = roots[i % 5] + (f"({i // 10}:app-{i % 97})" if i % 10 else "")
        slabs, per_slab = 1 + i * 7919 % 999, 8 + i % 32
        lines.append(
            f"{name:<17} {slabs * per_slab - i % 7:6} {slabs * per_slab:6} "
            f"{8 * (8 + i % 128):6} {per_slab:4} {1 << i % 4:4} : tunables {0:4} {0:4} "
            f"{0:4} : slabdata {slabs:6} {slabs:6} {0:6}\n"
        )
    return "".join(lines)


FILES = {"trace": recording, "slabinfo": slabinfo}

# --- running --------------------------------------------------------------------------


def run(names: Iterable[str], rounds: int) -> Iterator[Told]:
    """Run rows; yield one record a row, round, size and side."""
    with tempfile.TemporaryDirectory(prefix="slabcore-speed-") as place:
        bench = Bench(Path(place))
        for name in names:
            for number in range(rounds):
                for told in _round(bench, name, number):
                    _say(told)
                    yield told


def _round(bench: Bench, name: str, number: int) -> Iterator[Told]:
    row = ROWS[name]
    for n in row.sizes:
        for side in row.sides:
            if side.sizes is not None and n not in side.sizes:
                continue
            if side.once and number:
                continue
            told = bench.run(side, n)
            yield {"row": name, "n": n, "round": number, "side": side.name, **told}


def _say(told: Told) -> None:
    what = told.get("missing") or f"{told['ns']:.4g}"
    place = f"{told['row']} {told['n'] or ''}"
    print(f"{place:30} round {told['round']}  {told['side']:32} {what}", flush=True)


# --- ratios ---------------------------------------------------------------------------


class Measured:
    """What was told of one row, by round, size and side."""

    def __init__(self, name: str, records: Iterable[Told]) -> None:
        self.row: Row = ROWS[name]
        self.about = ""
        self.missing: dict[tuple[int, str], str] = {}
        self.ns: dict[tuple[int, str], dict[int, float]] = {}
        for told in records:
            if told["row"] != name:
                continue
            self.about = told["about"]
            if "missing" in told:
                self.missing[told["n"], told["side"]] = told["missing"]
                continue
            by_round = self.ns.setdefault((told["n"], told["side"]), {})
            by_round[told["run"], told["round"]] = told["ns"]

    def ratios(self, over: list[tuple[int, str]], under: list[tuple[int, str]]):
        """Return the rounds' ratios of the least of each."""
        least = [
            {
                key: min(times[key] for times in found if key in times)
                for key in set().union(*found)
            }
            for found in (
                [self.ns[side] for side in sides if side in self.ns]
                for sides in (over, under)
            )
            if found
        ]
        if len(least) < 2:
            return []
        both = sorted(least[0].keys() & least[1].keys())
        return [least[0][key] / least[1][key] for key in both]

    def goals(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield size, goal, what was measured and whether it is met."""
        for goal in self.row.goals:
            if isinstance(goal, Growth):
                yield from self._judged(goal, goal.large)
                continue
            for n in goal.sizes or self.row.sizes:
                yield from self._judged(goal, n)

    def _judged(self, goal: Goal, n: int) -> Iterator[tuple[str, str, str, str]]:
        product = self.row.product
        ours = [(n, product)]
        if isinstance(goal, AtMost):
            ratios = self.ratios(ours, [(n, other) for other in goal.others])
            said = f"≤ {goal.times:.3g} × {' or '.join(goal.others)}"
            met = bool(ratios) and statistics.median(ratios) <= goal.times
        elif isinstance(goal, AtLeast):
            ratios = self.ratios([(n, goal.other)], ours)
            said = f"≥ {goal.times:g} × as fast as {goal.other}"
            met = bool(ratios) and statistics.median(ratios) >= goal.times
        elif isinstance(goal, Growth):
            ratios = self.ratios(ours, [(goal.small, product)])
            said = f"≤ {goal.times:g} × an item at {_number(goal.small)}"
            met = bool(ratios) and statistics.median(ratios) <= goal.times
        else:
            ratios = [ns / goal.ns for ns in self.ns.get((n, product), {}).values()]
            said = f"within {goal.said}"
            met = bool(ratios) and statistics.median(ratios) <= 1
        if ratios:
            measured = _spread(ratios)
            measured += " of it" if isinstance(goal, Within) else ""
            yield _number(n), said, measured, "met" if met else "**missed**"

    def sides(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield size, side, figure, and how many times slabcore's it is."""
        product = self.row.product
        best = [side.name for side in self.row.floors]
        for n in self.row.sizes:
            for side in self.row.sides:
                if (n, side.name) not in self.ns:
                    continue
                figures = list(self.ns[n, side.name].values())
                if product:
                    ratios = self.ratios([(n, side.name)], [(n, product)])
                else:
                    ratios = self.ratios([(n, side.name)], [(n, b) for b in best])
                shown = _spread([_in_unit(self.row, ns) for ns in figures])
                is_ours = side.name == product
                ratio = "1" if is_ours else _spread(ratios) if ratios else ""
                yield _number(n), _kind(self.row, side), shown, ratio

    def left_out(self) -> Iterator[str]:
        """Yield what could not be run, and why."""
        for why in dict.fromkeys(self.missing.values()):
            sides: dict[str, list[str]] = {}
            for n, side in (key for key, said in self.missing.items() if said == why):
                sides.setdefault(side, []).append(_number(n))
            named = [
                side if len(sizes) == len(self.row.sizes) else f"{side} at {sizes[0]}"
                for side, sizes in sides.items()
            ]
            yield f"{', '.join(named)}: {why}"

    def curves(self) -> dict[str, list[tuple[float, float]]]:
        """Return the medians over size of what was run at three sizes or more."""
        return {
            side.name: points
            for side in self.row.sides
            if len(points := list(self._points(side.name))) > 2
        }

    def _points(self, side: str) -> Iterator[tuple[float, float]]:
        for n in self.row.sizes:
            if times := self.ns.get((n, side)):
                yield n, statistics.median(times.values())


def _kind(row: Row, side: Side) -> str:
    if side in row.ours:
        return f"**{side.name}**"
    return f"{side.name} (floor)" if side in row.floors else side.name


def _in_unit(row: Row, ns: float) -> float:
    return ns / 1e9 if row.unit == "s" else ns


def _number(n: int) -> str:
    return f"{n:,}".replace(",", "\N{NO-BREAK SPACE}") if n else ""


def _figure(x: float) -> str:
    return f"{x:.0f}" if x >= 100 else f"{x:.3g}"


def _spread(values: list[float]) -> str:
    """Return the median, and the extremes if there are several."""
    middle = _figure(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({_figure(min(values))} to {_figure(max(values))})"


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
        f"{', '.join(libraries)}. {runs} × {rounds} rounds; load average before: "
        f"{load:.1f}."
    )


def read(records: list[Told]) -> list[Measured]:
    """Sort what was told by row."""
    told_of = {told["row"] for told in records}
    return [Measured(name, records) for name in ROWS if name in told_of]


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
    rows_of: dict[str, list[str]] = {}
    for found in measured:
        rows_of.setdefault(found.about, []).append(found.row.title)
    lines = [
        about if len(rows_of) == 1 else f"{', '.join(titles)}: {about}"
        for about, titles in rows_of.items()
    ]
    lines = ["\n\n".join(lines), "", "| work | caches, nodes, … | goal | measured | |"]
    lines += ["| --- | ---: | --- | ---: | --- |"]
    for found in measured:
        for n, *cells in found.goals():
            lines.append(f"| {' | '.join((found.row.title, n, *cells))} |")
    for found in measured:
        row = found.row
        against = "× the floor" if row.floors else ""
        against = "× slabcore's" if row.product else against
        lines += ["", f"### {row.title}", ""]
        if row.note:
            lines += [row.note, ""]
        lines += [f"| | | {row.unit} | {against} |", "| ---: | --- | ---: | ---: |"]
        lines += [f"| {' | '.join(cells)} |" for cells in found.sides()]
        if found.missing:
            lines += ["", f"Left out: {'; '.join(found.left_out())}."]
    return "\n".join(lines)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="; ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help=KEEP)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    options = parser.parse_args()
    if unknown := set(options.rows) - ROWS.keys():
        parser.error(f"no such row: {', '.join(sorted(unknown))}; {', '.join(ROWS)}")
    records = []
    if options.json and options.json.exists():
        records = json.loads(options.json.read_text("utf-8"))
    names = options.rows or list(ROWS)
    records = [told for told in records if told["row"] not in names]
    about = conditions(options.rounds, options.runs)
    for number in range(options.runs):
        for told in run(names, options.rounds):
            records.append({"run": number, "about": about, **told})
            if options.json:
                options.json.write_text(json.dumps(records, indent=0))
    measured = read(records)
    text = tables(measured)
    print(f"\n{text}")
    if options.write:
        write(text, picture(measured))


if __name__ == "__main__":
    main()

"""Time calls into slabcore from C and from Cython beside an empty one.

    python benchmarks/embedding.py            print the table
    python benchmarks/embedding.py --write    put it into docs/embedding.md

All loops are in one extension module, built by this program, and run in one process. In
a round each is run once, one after the other; a ratio is taken within a round, and what
is told is the median of the rounds' ratios with their extremes. The status is 1 if a
goal is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rows import EXTENSION, Source
from running import ROOT, Bench
from speed import conditions
from timing import load

import slabcore
from slabcore import IntrusiveList, Kernel, Machine

PAGE = ROOT / "docs" / "embedding.md"
BEGIN, END = "<!-- timed: embedding -->\n", "<!-- end -->"
MODULE = Source("embedded.pyx", ("-O2", *EXTENSION, f"-I{slabcore.get_include()}"))
CALLS, ROUNDS = 500_000, 21
EMPTY = "empty"
GOALS = {"c": 3.0, "cython": 1.5}
"""A call of least work may take so many times what an empty one does."""


class Call(NamedTuple):
    """A loop of calls: which method of the module's, how many, what it stands for."""

    name: str
    count: int
    title: str
    of_least_work: bool = True


LOOPS = (
    Call(EMPTY, CALLS, "an empty function through a pointer"),
    Call("cython_now", CALLS, "Cython: `world.now()`"),
    Call("cython_list_value", CALLS, "Cython: a list's value, its handle checked"),
    Call("c_now", CALLS, "C: `slabcore_now_ns`"),
    Call("c_list_value", CALLS, "C: `slabcore_list_value`"),
    Call("c_list_next", CALLS, "C: `slabcore_list_next`"),
    Call("cython_next_event", 50_000, "Cython: `world.next_event()`", False),
    Call("c_next_event", 50_000, "C: `slabcore_next_event_ns`", False),
    Call("cython_alloc_free", 5_000, "Cython: `world.objects`, twice", False),
    Call("c_alloc_free", 5_000, "C: `slabcore_alloc`, `slabcore_free`", False),
)


class Figure(NamedTuple):
    """What a call took: nanoseconds of each round, and times an empty one's."""

    call: Call
    ns: list[float]
    times: list[float]

    @property
    def goal(self) -> float | None:
        return GOALS.get(self.call.name.partition("_")[0] * self.call.of_least_work)

    @property
    def met(self) -> bool:
        return self.goal is None or statistics.median(self.times) <= self.goal


def build(place: Path) -> Any:
    """Return the module of loops."""
    built = Bench(place).build(MODULE)
    if isinstance(built, str):
        raise SystemExit(f"embedding.py: {built}")
    return load(str(built))


def measure(module: Any, loops: Sequence[Call] = LOOPS) -> list[Figure]:
    """Run all loops in rounds."""
    entries = IntrusiveList(range(1000))
    kernel = Kernel("4.11", machine=Machine(cpus=2))
    calls = module.Calls(kernel, entries, entries.next(entries.first))
    rounds = [
        {
            loop.name: getattr(calls, loop.name)(loop.count) / loop.count
            for loop in loops
        }
        for _ in range(ROUNDS + 1)
    ][1:]
    return [
        Figure(
            loop,
            [one[loop.name] for one in rounds],
            [one[loop.name] / one[EMPTY] for one in rounds],
        )
        for loop in loops
    ]


def spread(values: list[float]) -> str:
    """Return a median and the extremes."""
    median, least, most = statistics.median(values), min(values), max(values)
    return f"{median:.3g} ({least:.3g} – {most:.3g})"


def table(figures: list[Figure]) -> str:
    """Return the page's block."""
    lines = ["| call | ns | × empty | goal |", "| --- | ---: | ---: | --- |"]
    for figure in figures:
        goal = ""
        if figure.goal is not None:
            goal = f"≤ {figure.goal:g}: " + ("met" if figure.met else "**missed**")
        times = spread(figure.times) if figure.call.name != EMPTY else ""
        row = (figure.call.title, spread(figure.ns), times, goal)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join((conditions(ROUNDS, 1), "", *lines))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slabcore-embedding-") as place:
        figures = measure(build(Path(place)))
    text = table(figures)
    print(text)
    if options.write:
        page = PAGE.read_text("utf-8")
        before, mark, rest = page.partition(BEGIN)
        _, end, after = rest.partition(END)
        assert mark and end, "the page has no place for the table"
        PAGE.write_text(f"{before}{BEGIN}{text}\n{end}{after}", "utf-8")
    return int(not all(figure.met for figure in figures))


if __name__ == "__main__":
    sys.exit(main())

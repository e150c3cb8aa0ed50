"""Time Kernel.snapshot(), restore() and fork() beside a copy of as many bytes.

    python benchmarks/keeping.py            print the table
    python benchmarks/keeping.py --write    put it into docs/snapshot.md

A kernel has cgroups with 100 caches each, an object in every cache, and is at rest. In
a round each is done once, one after the other; a ratio is taken within a round, and
what is told is the median of the rounds with their extremes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from embedding import END, spread
from running import ROOT
from speed import conditions

from slabcore import Kernel, Machine

PAGE = ROOT / "docs" / "snapshot.md"
BEGIN = "<!-- timed: keeping -->\n"
CGROUPS, CACHES_EACH, ROUNDS = (1_000, 10_000), 100, 7
STEPS = ("memcpy", "snapshot", "restore", "fork")


def build(cgroups: int) -> Kernel:
    """Return a kernel at rest, with caches in use."""
    kernel = Kernel("4.11", machine=Machine(cpus=8))
    names = [f"cache-{i}" for i in range(CACHES_EACH)]
    caches = kernel.create_caches(names, object_size=192, accounted=True)
    memcgs = kernel.mkdir_many([f"/{i}" for i in range(cgroups)])
    kernel.alloc_many(caches[:, None], memcgs, 1)
    kernel.drain()
    return kernel


def timed(call: Callable[[], Any]) -> float:
    """Return the milliseconds of a call; what it returns is let go of after them."""
    begin = time.perf_counter_ns()
    made = call()
    took = time.perf_counter_ns() - begin
    del made
    return took / 1e6


def measure(kernel: Kernel, rounds: int = ROUNDS) -> tuple[int, list[dict[str, float]]]:
    """Return how long a snapshot is, and what each step took in each round, in ms."""
    data = kernel.snapshot()
    source = np.frombuffer(data, np.uint8)
    target = source.copy()
    calls = {
        "memcpy": lambda: np.copyto(target, source),
        "snapshot": kernel.snapshot,
        "restore": lambda: Kernel.restore(data),
        "fork": kernel.fork,
    }
    return len(data), [
        {step: timed(calls[step]) for step in STEPS} for _ in range(rounds + 1)
    ][1:]


def row(cgroups: int) -> str:
    """Return a row of the table."""
    kernel = build(cgroups)
    live = kernel.counters["caches"]["live"]
    size, rounds = measure(kernel)
    cells = [f"{live:,}".replace(",", " "), f"{size / live:.0f}"]
    for step in STEPS:
        cell = spread([one[step] for one in rounds])
        if step != "memcpy":
            cell += f", × {spread([one[step] / one['memcpy'] for one in rounds])}"
        cells.append(cell)
    return f"| {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    options = parser.parse_args()
    where = conditions(ROUNDS, 1)
    lines = [
        f"| caches | bytes a cache | {' | '.join(f'{step}, ms' for step in STEPS)} |",
        f"|{' ---: |' * (2 + len(STEPS))}",
        *map(row, CGROUPS),
    ]
    text = "\n".join((where, "", *lines))
    print(text)
    if options.write:
        page = PAGE.read_text("utf-8")
        before, mark, rest = page.partition(BEGIN)
        _, end, after = rest.partition(END)
        assert mark and end, "the page has no place for the table"
        PAGE.write_text(f"{before}{BEGIN}{text}\n{end}{after}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

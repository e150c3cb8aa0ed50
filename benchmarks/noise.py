"""How often gates on time fail, rightly and wrongly, while other processes keep busy.

    python noise.py [--runs N] [--busy PROCESSES]

prints the table of docs/gates.md. A gate has a fifth of a second for a measurement.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator

from slabcore import gates

TIMING = gates.Timing(max_s=0.2)
SIZES = (500, 1_000, 2_000, 4_000)


def unique(items: list[float]) -> list[float]:
    """Return items without those that came before: linear."""
    seen, kept = set(), []
    for item in items:
        if item not in seen:
            seen.add(item)
            kept.append(item)
    return kept


def quadratic(items: list[float]) -> list[float]:
    """Do the same without a set."""
    kept: list[float] = []
    for item in items:
        if item not in kept:
            kept.append(item)
    return kept


def slower(items: list[float]) -> list[float]:
    """Do three tenths of it twice."""
    unique(items[: len(items) * 3 // 10])
    return unique(items)


def numbers(n: int) -> list[float]:
    """Return random numbers."""
    return [random.random() for _ in range(n)]


def grows(work: Callable[[list[float]], object]) -> bool | None:
    """Tell whether it holds that work is linear."""
    sizes = SIZES if work is unique else SIZES[:3]
    found = gates.growth(work, sizes, prepare=numbers, at_most="linear", timing=TIMING)
    return found.held


def keeps_up(work: Callable[[list[float]], object], at_most: float) -> bool | None:
    """Tell whether it holds that work takes hardly more than unique()."""
    found = gates.ratio(
        work, unique, prepare=lambda: numbers(300), at_most=at_most, timing=TIMING
    )
    return found.held


CASES = (
    ("linear work", "growth, at most linear", lambda: grows(unique)),
    ("work beside itself", "ratio, at most 1.05", lambda: keeps_up(unique, 1.05)),
    ("quadratic work", "growth, at most linear", lambda: grows(quadratic)),
    ("work slower by 30 %", "ratio, at most 1.1", lambda: keeps_up(slower, 1.1)),
)


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many processes running meanwhile."""
    spins = [sys.executable, "-c", "while True: sum(range(10**6))"]
    running = [subprocess.Popen(spins) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--busy", type=int, default=0)
    options = parser.parse_args()
    print("| what is measured | gate | fails | of |\n| --- | --- | ---: | ---: |")
    with busy(options.busy):
        for what, gate, held in CASES:
            failed = sum(held() is False for _ in range(options.runs))
            print(f"| {what} | {gate} | {failed} | {options.runs} |", flush=True)
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"\n{os.cpu_count()} CPUs, load averages {load}.")


if __name__ == "__main__":
    main()

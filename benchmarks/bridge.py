"""What a call of a kernel costs inside SimPy, beside SimPy alone, in one run.

    python benchmarks/bridge.py            the table of docs/simpy.md

They take turns, twenty rounds of all. It is CPU time, which others on the machine
leave alone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import simpy

from slabcore import Kernel
from slabcore.simpy import Bridge

ROUNDS = 20
TIMES = 4_000

Run = Callable[[], int]
"""Does what is timed; returns how often."""


def boot() -> Kernel:
    kernel = Kernel("4.11")
    kernel.create_cache("dentry", object_size=192, accounted=True)
    return kernel


def timeouts() -> Run:
    env = simpy.Environment()

    def process() -> Iterator[simpy.Event]:
        for _ in range(TIMES):
            yield env.timeout(1)

    env.process(process())
    return lambda: env.run() or TIMES


def resources() -> Run:
    env = simpy.Environment()
    resource = simpy.Resource(env)

    def process() -> Iterator[simpy.Event]:
        for _ in range(TIMES):
            with resource.request() as owned:
                yield owned

    env.process(process())
    return lambda: env.run() or TIMES


def alone() -> Run:
    kernel = boot()

    def run() -> int:
        for _ in range(TIMES // 2):
            kernel.alloc("dentry", "/")
            kernel.free("dentry", "/")
        return TIMES

    return run


def begun() -> Run:
    kernel = boot()

    def run() -> int:
        for _ in range(TIMES // 2):
            for call in ("alloc", "free"):
                kernel.begin(call, "dentry", "/")
                kernel.advance_to_finished()
                kernel.finished()
        return TIMES

    return run


def bridged(processes: int) -> Callable[[], Run]:
    def prepare() -> Run:
        node = Bridge(simpy.Environment(), boot(), unit="us")

        def process() -> Iterator[simpy.Event]:
            for _ in range(TIMES // 2 // processes):
                yield node.alloc("dentry", "/")
                yield node.free("dentry", "/")

        for _ in range(processes):
            node.env.process(process())
        return lambda: node.env.run() or TIMES // 2 // processes * 2 * processes

    return prepare


def mutex() -> Run:
    node = Bridge(simpy.Environment(), boot(), unit="us")

    def process() -> Iterator[simpy.Event]:
        for _ in range(TIMES):
            with node.cgroup_mutex.request() as owned:
                yield owned

    node.env.process(process())
    return lambda: node.env.run() or TIMES


CONTENDERS: dict[str, Callable[[], Run]] = {
    "SimPy: a process sleeps": timeouts,
    "SimPy: a process takes a free Resource and gives it up": resources,
    "a kernel alone: `alloc` or `free`": alone,
    "a kernel alone: begun, run to its end, told": begun,
    "the bridge: one process waits for `alloc` or `free`": bridged(1),
    "the bridge: a hundred processes do": bridged(100),
    "the bridge: a process takes `cgroup_mutex` and gives it up": mutex,
}


def timed(prepare: Callable[[], Run]) -> float:
    """Return the microseconds of one."""
    run: Any = prepare()
    began = time.process_time_ns()
    count = run()
    return (time.process_time_ns() - began) / 1000 / count


def main() -> None:
    rounds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, prepare in CONTENDERS.items():
            rounds[name].append(timed(prepare))
    print("| what | µs, least | median | a second |")
    print("| --- | ---: | ---: | ---: |")
    for name, each in rounds.items():
        least, median = min(each), statistics.median(each)
        pace = f"{round(1e6 / least, -3):,.0f}".replace(",", " ")
        print(f"| {name} | {least:.2f} | {median:.2f} | {pace} |")


if __name__ == "__main__":
    main()

"""A Kubernetes node whose pods are replaced by new ones, under four kernels.

The node is SimPy's: pods that live and go, a runtime that starts and removes them. Its
kernel is slabcore's: each pod's three cgroups, their caches, the mutexes and the grace
periods that they cost. Nothing here says how long a removal takes.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Generator
from typing import Any

import simpy

import slabcore
from slabcore.simpy import Bridge

ROOT_CACHES = 130  # 99 to 129 were listed on container hosts
CACHES = 20  # that a pod's sandbox, and its container, allocate from
OBJECTS = 2  # of each
DENTRIES = 3  # and inodes, that stay cached when a container is gone
CPUS = 4
PODS = 30  # on the node at first, and as many that replace them
PACES = (1, 2, 5)  # pods a second that are replaced
AT_ONCE = 10  # pods that the runtime starts, or removes, at a time

Waits = Generator[simpy.Event, Any, None]


class Node:
    """A node with the kernel of one design."""

    def __init__(self, design: str) -> None:
        self.env = simpy.Environment()
        machine = slabcore.Machine(cpus=CPUS, kmem="on")
        kernel = slabcore.Kernel(design, machine=machine)
        kinds = [("dentry", 192), ("inode_cache", 544)]
        kinds += [(f"cache-{n}", 256) for n in range(ROOT_CACHES - len(kinds))]
        self.caches = [
            kernel.create_cache(
                name,
                object_size=size,
                accounted=n < CACHES,
                reclaimable=n < 2,
            )
            for n, (name, size) in enumerate(kinds)
        ][:CACHES]
        self.kernel = Bridge(self.env, kernel, unit="s")
        kubepods = self.kernel.mkdir("/kubepods")
        self.env.run(kubepods)
        self.starters = simpy.Resource(self.env, AT_ONCE)
        self.removers = simpy.Resource(self.env, AT_ONCE)
        self.starts: dict[str, tuple[float, float]] = {}  # when asked for, how long

    def start(self, pod: str) -> Waits:
        """Make a pod's cgroups, and in two of them a process that allocates."""
        asked = self.env.now
        turn = self.starters.request()
        with turn:
            yield turn
            yield self.kernel.mkdir(pod)
            for inside in (f"{pod}/sandbox", f"{pod}/container"):
                yield self.kernel.mkdir(inside)
                yield self.kernel.join(inside)
                for cache in self.caches:
                    yield self.kernel.alloc(cache, inside, OBJECTS)
        self.starts[pod] = asked, self.env.now - asked

    def remove(self, pod: str) -> Waits:
        """Let a pod's processes exit, then remove its cgroups, as its runtime does."""
        turn = self.removers.request()
        with turn:
            yield turn
            for inside in (f"{pod}/sandbox", f"{pod}/container"):
                for cache in self.caches:
                    yield self.kernel.free(cache, inside, OBJECTS)
                for cache in self.caches[:2]:
                    yield self.kernel.pin(cache, inside, DENTRIES)
                yield self.kernel.rmdir(inside)
            yield self.kernel.rmdir(pod)

    def later(self, delay: float, work: Waits) -> Waits:
        yield self.env.timeout(delay)
        yield self.env.process(work)

    def replace(self, pace: float) -> tuple[float, list[tuple[float, float]]]:
        """Replace every pod; return what a start takes at rest, and each start.

        A start is when it was asked for, in seconds since the first pod went, and how
        long it took. Pods go, and new ones come, at instants that know nothing of one
        another: all at random within the time that *pace* gives.
        """
        env, chance = self.env, random.Random(1)
        old = [f"/kubepods/old{n}" for n in range(PODS)]
        env.run(env.all_of([env.process(self.start(pod)) for pod in old]))
        env.run(until=60)
        env.run(env.process(self.start("/kubepods/alone")))
        env.run(until=120)
        span = PODS / pace
        for n, pod in enumerate(old):
            env.process(self.later(chance.random() * span, self.remove(pod)))
            start = self.start(f"/kubepods/new{n}")
            env.process(self.later(chance.random() * span, start))
        env.run()
        new = [self.starts[f"/kubepods/new{n}"] for n in range(PODS)]
        return (
            self.starts["/kubepods/alone"][1],
            sorted((asked - 120, took) for asked, took in new),
        )


def main(designs: list[str]) -> None:
    print(f"{PODS} pods are replaced on {CPUS} CPUs: a start takes, in milliseconds,")
    heads = "".join(f"{f'{pace} a second':>20}" for pace in PACES)
    print(f"kernel  at rest{heads}")
    print(f"{'':15}" + f"{'median   worst':>20}" * len(PACES))
    for design in designs:
        row, rest = "", 0.0
        for pace in PACES:
            rest, starts = Node(design).replace(pace)
            took = sorted(took for _, took in starts)
            row += f"{1000 * took[PODS // 2]:12.1f}{1000 * took[-1]:8.1f}"
        print(f"{design:6}{1000 * rest:9.1f}{row}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["4.6", "4.9", "4.10", "4.11"])

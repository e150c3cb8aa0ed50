"""What may never happen is looked for while a world runs, and is found.

Each test breaks one rule of the reference on purpose: a check that cannot fail is none.
"""

from __future__ import annotations

from typing import Any

import pytest

from slabcore.designs import designs
from slabcore.errors import CorruptionError
from slabcore.machine import Machine
from slabcore.reference import Block, Lock, World


def world(make: type[World], design: str) -> World:
    """Return a world of one typesafe root cache and a cgroup that used it."""
    machine = Machine(cpus=2)
    new: World = make(designs[design], machine, machine.costs)
    new.boot_cache(192, True, True, False)
    return new


def life(new: World) -> None:
    memcg = new.mkdir()
    new.alloc(0, memcg, 30)
    new.advance_to(new.now_ns + 50_000_000)
    new.free(0, memcg, 30)
    new.rmdir(memcg)
    new.drain()
    new.validate()


def test_nothing_is_found_in_a_world_that_keeps_the_rules():
    for name in designs:
        life(world(World, name))


def test_a_callback_before_its_grace_period_is_caught():
    class Hasty(World):
        def _accelerate(self, cpu: Any) -> None:
            super()._accelerate(cpu)
            cpu.done.extend(cpu.wait)
            cpu.wait = []

    with pytest.raises(CorruptionError, match="before its grace period"):
        life(world(Hasty, "4.10"))


def test_a_barrier_that_waits_for_nobody_is_caught():
    class Hasty(World):
        def _barrier(self, task: Any) -> Any:
            for step in super()._barrier(task):
                if not isinstance(step, Block):
                    yield step

    new = world(Hasty, "4.10")
    # Each millisecond a program queues a callback.
    new.spawn(new.program([(9, 1, 0, 0, 0), (7, 1_000_000, 0, 0, 0)]), 500)
    with pytest.raises(CorruptionError, match="before a callback ran"):
        life(new)


def test_cgroup_mutex_under_slab_mutex_is_caught():
    class Crossed(World):
        def _create_work(self, worker: Any, root: Any, memcg: Any) -> Any:
            yield Lock(self.slab_mutex)
            yield Lock(self.cgroup_mutex)

    with pytest.raises(CorruptionError, match="taken under slab_mutex"):
        life(world(Crossed, "4.10"))

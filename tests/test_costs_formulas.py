"""What each design pays for a cgroup's end, as exact counts.

R root caches, M cgroups with C caches of their own each, N = R + M*C caches in all,
P CPUs. Nothing costs time here, so every removal of a storm is asked for at one
instant, and all offlines come before the first free.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from slabcore import World
from slabcore.designs import Design, designs
from slabcore.machine import Costs, Machine
from slabcore.reference import World as Reference

FREE = Costs(
    list_hop=((1, 0),),
    **{
        field.name: 0
        for field in dataclasses.fields(Costs)
        if "cost" in field.metadata and field.name != "list_hop"
    },
)
WALKING = ["4.6", "4.7", "4.9", "4.10"]  # designs that walk slab_caches
WITH_CHILDREN = [*WALKING, "4.11"]
SIZES = [(5, 1, 1, 2), (7, 6, 3, 2), (40, 12, 5, 3), (11, 30, 11, 4)]  # R, M, C, P
sizes = pytest.mark.parametrize(("R", "M", "C", "P"), SIZES)


class Storm:
    """M cgroups with C caches each on a machine with R root caches; then all removed.

    Counts are taken from the first removal on.
    """

    def __init__(
        self,
        engine: str,
        design: str | Design,
        R: int,
        M: int,
        C: int,
        P: int,
        *,
        typesafe: int = 0,
        costs: Costs = FREE,
        one_by_one: bool = False,
    ) -> None:
        make: Any = {"core": World, "reference": Reference}[engine]
        if isinstance(design, str):
            design = designs[design]
        machine = Machine(cpus=P, costs=costs)
        self.world = make(design, machine, costs)
        for number in range(R):
            self.world.boot_cache(64, number < C, number < typesafe, False)
        self.memcgs = []
        for _ in range(M):
            memcg = self.world.mkdir()
            for number in range(C):
                self.world.alloc(number, memcg, 1)
            self.world.drain()
            self.memcgs.append(memcg)
        self.before = self.world.counters()
        assert self.before["caches"]["live"] == R + M * C
        for memcg in self.memcgs:
            self.world.rmdir(memcg)
            if one_by_one:
                self.world.drain()
        self.world.drain()
        self.world.validate()
        self.after = self.world.counters()
        assert self.after["caches"]["live"] == R
        assert self.after["cgroups"]["live"] == 0

    def __getitem__(self, path: str) -> int:
        """Return how often something happened, "list_hops.offline" for example."""
        before, after = self.before, self.after
        for name in path.split("."):
            before, after = before[name], after[name]
        return after - before


# --- list hops ---


@sizes
@pytest.mark.parametrize("name", ["4.6", "4.7", "4.9"])
def test_up_to_4_9_an_offline_walks_all_caches(engine, name, R, M, C, P):
    assert Storm(engine, name, R, M, C, P)["list_hops.offline"] == M * (R + M * C)


@sizes
def test_on_4_10_an_offline_walks_all_caches_twice(engine, R, M, C, P):
    storm = Storm(engine, "4.10", R, M, C, P)
    assert storm["list_hops.offline"] == 2 * M * (R + M * C)


@sizes
def test_from_4_11_on_an_offline_walks_the_roots(engine, R, M, C, P):
    assert Storm(engine, "4.11", R, M, C, P)["list_hops.offline"] == M * R


@sizes
@pytest.mark.parametrize("name", WALKING)
def test_up_to_4_10_a_free_walks_all_caches_left(engine, name, R, M, C, P):
    storm = Storm(engine, name, R, M, C, P)
    assert storm["list_hops.free"] == sum(R + left * C for left in range(1, M + 1))


@sizes
def test_from_4_11_on_a_free_walks_the_cgroup_s_own_caches(engine, R, M, C, P):
    assert Storm(engine, "4.11", R, M, C, P)["list_hops.free"] == M * C


@sizes
@pytest.mark.parametrize("name", WALKING)
def test_one_by_one_the_caches_gone_are_walked_no_more(engine, name, R, M, C, P):
    storm = Storm(engine, name, R, M, C, P, one_by_one=True, costs=Costs())
    left = M * R + C * M * (M + 1) // 2
    walks = 2 if name == "4.10" else 1
    assert storm["list_hops.offline"] == walks * left
    assert storm["list_hops.free"] == left


@sizes
@pytest.mark.parametrize("name", WITH_CHILDREN)
def test_an_array_grows_by_a_walk_over_all_caches_or_the_roots(
    engine, name, R, M, C, P
):
    storm = Storm(engine, name, R, M, C, P)
    grown = [number for number in (0, 4, 10, 22, 46) if number < M]
    caches = [R if name == "4.11" else R + number * C for number in grown]
    assert storm.before["list_hops"]["grow"] == sum(caches)
    assert storm["list_hops.grow"] == 0


@sizes
@pytest.mark.parametrize("name", [*WITH_CHILDREN, "5.9"])
def test_a_root_is_created_after_a_walk_over_all_caches_or_the_roots(
    engine, name, R, M, C, P
):
    world = {"core": World, "reference": Reference}[engine](
        designs[name], Machine(cpus=P, costs=FREE), FREE
    )
    for _ in range(R):
        world.boot_cache(64, True, False, False)
    for _ in range(M):
        memcg = world.mkdir()
        for number in range(min(C, R)):
            world.alloc(number, memcg, 1)
    world.drain()
    world.create_cache(64, False, False, False)
    walked = R if name in ("4.11", "5.9") else R + M * min(C, R)
    assert world.counters()["list_hops"]["create"] == walked


# --- waiting ---


@sizes
@pytest.mark.parametrize(
    ("name", "slab", "cgroup"),
    [
        ("4.6", "0", "0"),
        ("4.7", "M * C", "M * C"),
        ("4.9", "M * C", "M * C"),
        ("4.10", "0", "M"),
        ("4.11", "0", "0"),
    ],
)
def test_grace_periods_waited_for_and_the_mutexes_held(
    engine, name, slab, cgroup, R, M, C, P
):
    storm = Storm(engine, name, R, M, C, P)
    under_slab, under_cgroup = (
        {"0": 0, "M": M, "M * C": M * C}[count] for count in (slab, cgroup)
    )
    assert storm["grace_periods.under_slab_mutex"] == under_slab
    assert storm["grace_periods.under_cgroup_mutex"] == under_cgroup
    assert storm["grace_periods.synchronous"] == under_cgroup
    # 4.0 ms a tick: four ticks a grace period, back to back.
    assert storm["locks.slab_mutex.held_ns"] == under_slab * 16_000_000
    assert storm["locks.cgroup_mutex.held_ns"] == under_cgroup * 16_000_000


@sizes
@pytest.mark.parametrize("name", [*WITH_CHILDREN, "5.9"])
def test_callbacks_that_nobody_sleeps_for(engine, name, R, M, C, P):
    caches = 0 if name == "5.9" else C
    if name == "5.9":
        world = {"core": World, "reference": Reference}[engine](
            designs[name], Machine(cpus=P, costs=FREE), FREE
        )
        memcgs = [world.mkdir() for _ in range(M)]
        for memcg in memcgs:
            world.rmdir(memcg)
        world.drain()
        asynchronous = world.counters()["grace_periods"]["asynchronous"]
    else:
        asynchronous = Storm(engine, name, R, M, C, P)["grace_periods.asynchronous"]
    # Killing the css, freeing it, freeing the cgroup; from 4.11 on each cache too.
    assert asynchronous == M * (3 + (caches if name == "4.11" else 0))


@sizes
def test_4_11_deactivates_each_cache_by_a_work_of_its_own(engine, R, M, C, P):
    storm = Storm(engine, "4.11", R, M, C, P)
    assert storm["works.memcg_kmem_cache.run"] == M * C
    assert storm.before["works"]["memcg_kmem_cache"]["run"] == M * C  # creations


@sizes
def test_4_6_interrupts_the_other_cpus_for_each_cache(engine, R, M, C, P):
    assert Storm(engine, "4.6", R, M, C, P)["ipis"] == M * C * (P - 1)
    for name in WITH_CHILDREN[1:]:
        assert Storm(engine, name, R, M, C, P)["ipis"] == 0


# --- barriers ---


@sizes
@pytest.mark.parametrize("name", WALKING)
def test_up_to_4_10_a_cgroup_with_a_typesafe_cache_is_a_barrier(
    engine, name, R, M, C, P
):
    for typesafe in range(C + 1):
        storm = Storm(engine, name, R, M, C, P, typesafe=typesafe)
        assert storm["rcu_barriers"] == (M if typesafe else 0)
        if typesafe == 2:
            break


@pytest.mark.parametrize("M", [1, 2, 3, 20])
@pytest.mark.parametrize(
    ("name", "barriers"), [("4.6", "M"), ("4.9", "M"), ("4.10", "M"), ("4.11", "2")]
)
def test_batches_that_come_while_a_barrier_waits_share_the_next(
    engine, name, barriers, M
):
    # A program queues a callback each millisecond, so that a barrier has to wait.
    world = {"core": World, "reference": Reference}[engine](
        designs[name], Machine(cpus=2, costs=FREE), FREE
    )
    for _ in range(2):
        world.boot_cache(64, True, True, False)
    memcgs = [world.mkdir() for _ in range(M)]
    for memcg in memcgs:
        world.alloc(0, memcg, 1)
        world.alloc(1, memcg, 1)
    world.drain()
    world.spawn(world.program([(9, 1, 0, 0, 0), (7, 1_000_000, 0, 0, 0)]), 2000)
    for memcg in memcgs:
        world.rmdir(memcg)
    world.drain()
    counters = world.counters()
    # On 4.11 the first batch starts a barrier and all the others share one more.
    assert counters["rcu_barriers"] == (M if barriers == "M" else min(M, 2))
    assert counters["locks"]["rcu_barrier_mutex"]["longest_queue"] == 0
    assert counters["caches"]["live"] == 2


@sizes
def test_from_4_11_on_only_typesafe_caches_need_a_barrier(engine, R, M, C, P):
    assert Storm(engine, "4.11", R, M, C, P)["rcu_barriers"] == 0
    assert Storm(engine, "4.11", R, M, C, P, typesafe=1)["rcu_barriers"] > 0


# --- growth ---


def total_hops(storm: Storm) -> int:
    return storm["list_hops.offline"] + storm["list_hops.free"]


@pytest.mark.parametrize("M", [10, 100, 1000])
def test_removing_all_cgroups_is_quadratic_on_4_10(M):
    R, C = 50, 10
    storm = Storm("core", "4.10", R, M, C, 2)
    # Two and a half times the square of the caches: two walks an offline while all
    # stand, one a free while they go.
    assert total_hops(storm) == 3 * M * R + 2 * C * M**2 + C * M * (M + 1) // 2


@pytest.mark.parametrize("M", [10, 100, 1000, 10_000])
def test_removing_all_cgroups_is_linear_on_4_11(M):
    R, C = 50, 10
    assert total_hops(Storm("core", "4.11", R, M, C, 2)) == M * (R + C)


def test_4_10_counts_two_and_a_half_billion_hops_of_10_000_cgroups():
    R, M, C = 60, 10_000, 10
    storm = Storm("core", "4.10", R, M, C, 2)
    assert storm["list_hops.offline"] == 2 * M * (R + M * C) == 2_001_200_000
    assert storm["list_hops.free"] == M * R + C * M * (M + 1) // 2 == 500_650_000
    assert storm["grace_periods.under_cgroup_mutex"] == M
    assert storm["locks.cgroup_mutex.held_ns"] == M * 16_000_000
    assert storm.after["caches"]["created"] == M * C


# --- a million child caches ---

MILLION = {"R": 100, "M": 10_000, "C": 100, "P": 8}


@pytest.fixture(scope="module")
def million() -> Storm:
    """Create, offline and destroy the caches of 10,000 cgroups with 100 each."""
    return Storm("core", "4.11", **MILLION, typesafe=3, costs=Costs.preset("rk"))


def test_a_million_caches_are_created(million):
    counters = million.before
    assert counters["caches"]["created"] == 1_000_000
    assert counters["caches"]["live"] == counters["caches"]["peak"] == 1_000_100
    assert counters["misses"] == len(counters["creation_delays_ns"]) == 1_000_000
    assert counters["creations_never"] == 0
    assert counters["works"]["memcg_kmem_cache"]["run"] == 1_000_000


def test_a_million_caches_are_offlined_without_a_wait(million):
    assert million["list_hops.offline"] == 10_000 * 100
    assert million["grace_periods.synchronous"] == 0
    assert million["grace_periods.asynchronous"] == 10_000 * (3 + 100)
    assert million["works.memcg_kmem_cache.run"] == 1_000_000
    assert million.after["caches"]["peak_dying"] > 0


def test_a_million_caches_are_destroyed(million):
    counters = million.after
    assert million["list_hops.free"] == 1_000_000
    assert counters["caches"]["live"] == 100
    assert counters["caches"]["dying"] == 0
    assert counters["cgroups"]["live"] == counters["cgroups"]["dying"] == 0
    assert counters["callbacks"]["queued"] == counters["callbacks"]["invoked"]
    state = million.world.state()
    assert len(state["slab_caches"]) == 100
    assert state["rcu_destroy"] == []


def test_arrays_for_10_000_cgroups_grew_twelve_times(million):
    ids, grown = 0, 0
    while ids < 10_000:
        ids, grown = max(4, 2 * (ids + 1)), grown + 1
    assert grown == 12
    assert million.after["list_hops"]["grow"] == grown * 100

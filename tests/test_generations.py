"""What each generation pays for the life and the end of a cgroup, as exact counts.

R root caches, M cgroups with C caches of their own each, N = R + M*C caches in all,
P CPUs. Nothing costs time here, so every removal of a storm is asked for at one
instant, and all offlines come before the first free.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
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
        if "cost" in field.metadata and field.name not in ("list_hop", "ipi_halted")
    },
)

# The generations as a table of them names each: what a version shares with its
# neighbours in everything that is counted here.
GENERATION = {
    "4.4": "G1",
    "4.6": "G1",
    "4.7": "G2",
    "4.8.15": "G2",
    "4.9": "G2",
    "4.10": "G3",
    "4.11": "G4",
    "4.12": "G4",
    "4.12.10": "G4",
    "4.13": "G4",
    "4.18": "G4",
    "4.20": "G4",
    "5.3": "G5",
    "5.5": "G5",
    "5.8": "G5",
    "5.9": "G6",
    "6.0": "G6",
    "6.12": "G7",
}
KERNELS = [name for name in designs if name in GENERATION]
every_kernel = pytest.mark.parametrize("name", KERNELS)
SIZES = [(5, 1, 1, 2), (7, 6, 3, 2), (40, 12, 5, 3), (11, 30, 11, 4)]  # R, M, C, P
sizes = pytest.mark.parametrize(("R", "M", "C", "P"), SIZES)


def test_every_kernel_s_design_has_its_generation():
    assert set(KERNELS) == {name for name in designs if not name.startswith("series")}


def of(*generations: str) -> list[str]:
    """Return the kernels of some generations."""
    return [name for name in KERNELS if GENERATION[name] in generations]


WALKING = of("G1", "G2", "G3")  # designs that walk slab_caches
WITH_CHILDREN = [*WALKING, *of("G4", "G5")]


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
        walk: str = "counted",
    ) -> None:
        make: Any = {"core": World, "reference": Reference}[engine]
        if isinstance(design, str):
            design = designs[design]
        machine = Machine(cpus=P, costs=costs, kmem="on")
        self.children = C if design.child_caches else 0
        # The 4.12 kernel never frees a child that has no directory.
        self.leaks = design.sysfs_removal == "work-leaks"
        self.world = make(design, machine, costs, walk=walk)
        for number in range(R):
            self.world.boot_cache(64, number < C, number < typesafe, False)
        self.at_boot = self.world.counters()
        self.memcgs = []
        for _ in range(M):
            memcg = self.world.mkdir()
            for number in range(C):
                self.world.alloc(number, memcg, 1)
                self.world.free(number, memcg, 1)
            self.world.drain()
            self.memcgs.append(memcg)
        self.before = self.world.counters()
        assert self.before["caches"]["live"] == R + M * self.children
        for memcg in self.memcgs:
            self.world.rmdir(memcg)
            if one_by_one:
                self.world.drain()
        self.world.drain()
        self.world.validate()
        self.after = self.world.counters()
        assert self.after["cgroups"]["live"] == 0
        if not self.leaks:
            assert self.after["caches"]["live"] == R

    def __getitem__(self, path: str) -> int:
        """Return how often something happened, "list_hops.offline" for example."""
        return self.difference(path, self.before, self.after)

    @staticmethod
    def difference(path: str, before: Any, after: Any) -> int:
        for name in path.split("."):
            before, after = before.get(name, 0), after.get(name, 0)
            if not isinstance(before, dict):
                break
        return after - before


# --- the table of generations: a formula of N, R, M, C and P in each field ---

Formula = Callable[[int, int, int, int, int], int]
nothing: Formula = lambda N, R, M, C, P: 0  # noqa: E731

TABLE: dict[str, dict[str, Formula]] = {
    "list_hops.offline": {
        "G1": lambda N, R, M, C, P: M * N,
        "G2": lambda N, R, M, C, P: M * N,
        "G3": lambda N, R, M, C, P: 2 * M * N,
        "G4": lambda N, R, M, C, P: M * R,
        "G5": lambda N, R, M, C, P: M * R,
        "G6": nothing,
        "G7": nothing,
    },
    "list_hops.reparent": {
        "G1": nothing,
        "G2": nothing,
        "G3": nothing,
        "G4": nothing,
        "G5": lambda N, R, M, C, P: M * C,
        "G6": nothing,
        "G7": nothing,
    },
    "list_hops.free": {
        "G1": lambda N, R, M, C, P: sum(R + left * C for left in range(1, M + 1)),
        "G2": lambda N, R, M, C, P: sum(R + left * C for left in range(1, M + 1)),
        "G3": lambda N, R, M, C, P: sum(R + left * C for left in range(1, M + 1)),
        "G4": lambda N, R, M, C, P: M * C,
        "G5": nothing,
        "G6": nothing,
        "G7": nothing,
    },
    "ipis": {
        "G1": lambda N, R, M, C, P: M * C * (P - 1),
        **dict.fromkeys(("G2", "G3", "G4", "G5", "G6", "G7"), nothing),
    },
    "grace_periods.under_slab_mutex": {
        "G2": lambda N, R, M, C, P: M * C,
        **dict.fromkeys(("G1", "G3", "G4", "G5", "G6", "G7"), nothing),
    },
    "grace_periods.under_cgroup_mutex": {
        "G2": lambda N, R, M, C, P: M * C,
        "G3": lambda N, R, M, C, P: M,
        **dict.fromkeys(("G1", "G4", "G5", "G6", "G7"), nothing),
    },
    "grace_periods.synchronous": {
        "G2": lambda N, R, M, C, P: M * C,
        "G3": lambda N, R, M, C, P: M,
        **dict.fromkeys(("G1", "G4", "G5", "G6", "G7"), nothing),
    },
    # Of every cgroup: killing the css, freeing it, freeing the cgroup; from 5.9 on
    # also killing its obj_cgroup.
    "grace_periods.asynchronous": {
        **dict.fromkeys(("G1", "G2", "G3"), lambda N, R, M, C, P: 3 * M),
        **dict.fromkeys(("G6", "G7"), lambda N, R, M, C, P: 4 * M),
        "G4": lambda N, R, M, C, P: 3 * M + M * C,
        "G5": lambda N, R, M, C, P: 3 * M + 2 * M * C,
    },
    "works.memcg_kmem_cache.run": {
        **dict.fromkeys(("G1", "G2", "G3", "G6", "G7"), nothing),
        "G4": lambda N, R, M, C, P: M * C,
        "G5": lambda N, R, M, C, P: 2 * M * C,
    },
    # Four ticks of a HZ of 250: to a tick's softirq, to the first scan a jiffy (what
    # rcu_init_geometry() of kernel/rcu/tree.c sets for this HZ) and a tick later, to
    # the end's softirq; nothing else takes time.
    "locks.slab_mutex.held_ns": {
        "G2": lambda N, R, M, C, P: M * C * 16_000_000,
        **dict.fromkeys(("G1", "G3", "G4", "G5", "G6", "G7"), nothing),
    },
    "locks.cgroup_mutex.held_ns": {
        "G2": lambda N, R, M, C, P: M * C * 16_000_000,
        "G3": lambda N, R, M, C, P: M * 16_000_000,
        **dict.fromkeys(("G1", "G4", "G5", "G6", "G7"), nothing),
    },
    "rcu_barriers": dict.fromkeys(("G1", "G2", "G3", "G4", "G5", "G6", "G7"), nothing),
}


@sizes
@every_kernel
def test_the_end_of_all_cgroups_costs_what_the_table_says(engine, name, R, M, C, P):
    storm = Storm(engine, name, R, M, C, P)
    N = R + M * C
    measured = {row: storm[row] for row in TABLE}
    assert measured == {
        row: formulas[GENERATION[name]](N, R, M, C, P)
        for row, formulas in TABLE.items()
    }


@sizes
@every_kernel
def test_the_making_of_all_cgroups_costs_what_the_table_says(engine, name, R, M, C, P):
    storm = Storm(engine, name, R, M, C, P)
    made = {
        row: storm.difference(row, storm.at_boot, storm.before)
        for row in ("list_hops.grow", "works.memcg_kmem_cache.run", "kernfs_nodes")
    }
    grown = [number for number in (0, 4, 10, 22, 46) if number < M]
    nodes = M * Machine().kernfs_per_cgroup
    if name in WALKING:
        assert made == {
            "list_hops.grow": sum(R + number * C for number in grown),
            "works.memcg_kmem_cache.run": 0,
            "kernfs_nodes": nodes + M * C * Machine().kernfs_per_cache,
        }
    elif name in WITH_CHILDREN:
        assert made == {
            "list_hops.grow": R * len(grown),
            "works.memcg_kmem_cache.run": M * C,
            "kernfs_nodes": nodes,
        }
    else:
        assert made == {
            "list_hops.grow": 0,
            "works.memcg_kmem_cache.run": 0,
            "kernfs_nodes": nodes,
        }


def test_a_child_is_made_by_a_work_on_the_design_s_queue(engine):
    for name in WITH_CHILDREN:
        storm = Storm(engine, name, 7, 6, 3, 2)
        queue = {
            "G1": "events",
            "G2": "events",
            "G3": "memcg_kmem_cache_create",
            "G4": "memcg_kmem_cache",
            "G5": "memcg_kmem_cache",
        }[GENERATION[name]]
        works = storm.before["works"]
        assert works[queue]["run"] == 18, name
        assert {queue for queue in works if works[queue]["run"]} == {queue}


@sizes
@every_kernel
def test_a_root_is_created_after_a_walk_over_all_caches_or_the_roots(
    engine, name, R, M, C, P
):
    storm = Storm(engine, name, R, M, C, P)
    world = storm.world
    for _ in range(M):
        memcg = world.mkdir()
        for number in range(C):
            world.alloc(number, memcg, 1)
    world.drain()
    world.create_cache(64, False, False, False)
    walked = R + M * C if name in WALKING else R
    assert world.counters()["list_hops"]["create"] == walked


@sizes
@pytest.mark.parametrize("name", WALKING)
def test_one_by_one_the_caches_gone_are_walked_no_more(engine, name, R, M, C, P):
    storm = Storm(engine, name, R, M, C, P, one_by_one=True, costs=Costs())
    left = M * R + C * M * (M + 1) // 2
    walks = 2 if name == "4.10" else 1
    assert storm["list_hops.offline"] == walks * left
    assert storm["list_hops.free"] == left


@pytest.mark.parametrize("name", WALKING)
def test_a_literal_walk_counts_what_a_counted_one_charges(name):
    counted = Storm("core", name, 15, 10, 7, 4, costs=Costs(), typesafe=1)
    literal = Storm(
        "core", name, 15, 10, 7, 4, costs=Costs(), typesafe=1, walk="literal"
    )
    assert counted.world.state() == literal.world.state()
    for count, value in counted.after.items():
        assert np.array_equal(value, literal.after[count]), count


# --- barriers ---


@sizes
@pytest.mark.parametrize("name", WALKING)
def test_up_to_4_10_a_cgroup_with_a_typesafe_cache_is_a_barrier(
    engine, name, R, M, C, P
):
    for typesafe in range(min(C, 2) + 1):
        storm = Storm(engine, name, R, M, C, P, typesafe=typesafe)
        assert storm["rcu_barriers"] == (M if typesafe else 0)


@pytest.mark.parametrize("M", [1, 2, 3, 20])
@pytest.mark.parametrize("name", WITH_CHILDREN)
def test_batches_that_come_while_a_barrier_waits_share_the_next(engine, name, M):
    # A program queues a callback each millisecond, so that a barrier has to wait.
    make: Any = {"core": World, "reference": Reference}[engine]
    world = make(designs[name], Machine(cpus=2, costs=FREE, kmem="on"), FREE)
    for _ in range(2):
        world.boot_cache(64, True, True, False)
    memcgs = [world.mkdir() for _ in range(M)]
    for memcg in memcgs:
        for number in range(2):
            world.alloc(number, memcg, 1)
            world.free(number, memcg, 1)
    world.drain()
    world.spawn(world.program([(9, 1, 0, 0, 0), (7, 1_000_000, 0, 0, 0)]), 2000)
    for memcg in memcgs:
        world.rmdir(memcg)
    world.drain()
    counters = world.counters()
    if name in WALKING:
        assert counters["rcu_barriers"] == M
    else:
        # The first batch starts a barrier and the others share one more.
        assert 1 <= counters["rcu_barriers"] <= min(2 * M, 2)
    assert counters["locks"]["rcu_barrier_mutex"]["longest_queue"] == 0


@sizes
@pytest.mark.parametrize("name", of("G4", "G5"))
def test_from_4_11_on_only_typesafe_caches_need_a_barrier(engine, name, R, M, C, P):
    assert Storm(engine, name, R, M, C, P)["rcu_barriers"] == 0
    assert 0 < Storm(engine, name, R, M, C, P, typesafe=1)["rcu_barriers"] <= M


# --- the destruction of a root ---

BEFORE_LOCKS = ["4.18", "4.20", "5.3", "5.5", "5.8"]  # a barrier and a flush
AGAIN = ["5.5", "5.8"]  # and another barrier if there are children
ASLEEP = [*WALKING, "6.12"]  # in the barrier that a typesafe cache needs


@pytest.mark.parametrize("typesafe", [False, True])
@pytest.mark.parametrize("K", [0, 1, 4])
@every_kernel
def test_what_the_destruction_of_a_root_with_children_waits_for(
    engine, name, K, typesafe
):
    make: Any = {"core": World, "reference": Reference}[engine]
    world = make(designs[name], Machine(cpus=2, costs=FREE, kmem="on"), FREE)
    world.boot_cache(64, True, typesafe, False)
    memcgs = [world.mkdir() for _ in range(K)]
    for _ in range(2):  # the first is the root's, the second the child's own
        for memcg in memcgs:
            world.alloc(0, memcg, 1)
        world.drain()
    for memcg in memcgs:
        world.free(0, memcg, 2)
    world.drain()
    before, began = world.counters(), world.now_ns
    children = K if designs[name].child_caches else 0
    assert before["caches"]["live"] == 1 + children
    world.destroy_cache(0)
    waited = world.now_ns - began
    world.drain()
    world.validate()
    after = world.counters()
    barriers = after["rcu_barriers"] - before["rcu_barriers"]
    assert barriers == typesafe + (name in BEFORE_LOCKS) + (
        name in AGAIN and children > 0
    )
    # A shutdown that frees pages leaves callbacks, and a grace period to wait for.
    pages = typesafe and K > 0
    scan = designs[name].fqs_late_tick
    assert waited == ((12 + 4 * scan) * 1_000_000 if name in ASLEEP and pages else 0)
    assert after["roots"]["destroyed"] == 1
    if designs[name].sysfs_removal != "work-leaks":
        assert after["caches"]["live"] == 0


@every_kernel
def test_which_lists_a_cache_is_on(name):
    design = designs[name]
    generation = GENERATION[name]
    lists = {"child": 0, "root": 1 + design.root_list}
    if design.child_caches:
        lists["child"] = 2 + design.memcg_list  # and the slot
    assert lists == {
        "child": {"G4": 3, "G5": 3, "G6": 0, "G7": 0}.get(generation, 2),
        "root": 2 if generation in ("G4", "G5") else 1,
    }


# --- what pins a dead cgroup ---


@every_kernel
def test_a_slab_page_pins_a_dead_cgroup_up_to_5_2(engine, name):
    make: Any = {"core": World, "reference": Reference}[engine]
    world = make(designs[name], Machine(cpus=2, costs=FREE, kmem="on"), FREE)
    world.boot_cache(192, True, False, True)
    memcg = world.mkdir()
    world.alloc(0, memcg, 1)  # misses: an object of the root's
    world.drain()
    world.pin(0, memcg, 1)
    world.rmdir(memcg)
    world.drain()
    pinned = GENERATION[name] in ("G1", "G2", "G3", "G4")
    assert world.counters()["cgroups"]["dying"] == pinned
    world.drop_caches()
    world.drain()
    assert world.counters()["cgroups"]["live"] == 0
    if designs[name].sysfs_removal != "work-leaks":
        assert world.counters()["caches"]["live"] == 1


# --- /proc/slabinfo ---

FIRST, FURTHER = 36, 38  # rows of the usual width in a page, with a header and without


def visited(before: int, R: int) -> int:
    """Count the nodes that starts look at: *before* the R roots stand others.

    A chunk begins behind all that its forerunners passed, and one begins at the end.
    """
    further = -(-max(R - FIRST, 0) // FURTHER)
    rows = FIRST * further + FURTHER * further * (further - 1) // 2
    return 1 + further * (before + 1) + rows + before + R


def added_up(R: int, M: int, C: int) -> int:
    """Count the children added up: the last C rows have M each.

    The row that a page has no room for is made again for the next one.
    """
    begins = range(FIRST, R, FURTHER)
    return M * C + M * sum(row >= R - C for row in begins)


READ: dict[str, Formula] = {
    # Children stand first, and start() walks by them again for every chunk.
    **dict.fromkeys(
        ("G1", "G2", "G3"),
        lambda N, R, M, C, P: visited(N - R, R) + N + added_up(R, M, C),
    ),
    # They are on a list of their root's, from which its row is added up.
    **dict.fromkeys(
        ("G4", "G5"), lambda N, R, M, C, P: visited(0, R) + R + added_up(R, M, C)
    ),
    **dict.fromkeys(("G6", "G7"), lambda N, R, M, C, P: visited(0, R) + R),
}


class Full:
    """A machine with R roots and M cgroups with C children each, to be read."""

    def __init__(self, engine: str, name: str, R: int, M: int, C: int, P: int) -> None:
        make: Any = {"core": World, "reference": Reference}[engine]
        machine = Machine(cpus=P, costs=FREE, kmem="on")
        self.world = make(designs[name], machine, FREE)
        for number in range(R):
            self.world.boot_cache(64, number < C, False, False)
        for _ in range(M):
            memcg = self.world.mkdir()
            for number in range(C):
                self.world.alloc(number, memcg, 1)
            self.world.drain()

    def read(self, cursor: bool = False) -> dict[str, int]:
        """Read the whole file, 64 KiB a read; return what its program's row says."""
        before = self.world.counters()["list_hops"]["slabinfo"]
        program = self.world.program([(44, 1 << 16, 0, cursor, 0)])
        self.world.spawn(program)
        self.world.run()
        row = self.world.slabinfo_reads()[-1]
        _, _, calls, rows, missing, repeated, *hops, _, _ = row
        assert missing == repeated == 0
        counted = self.world.counters()["list_hops"]["slabinfo"] - before
        assert counted == sum(hops)
        names = ("start", "next", "children")
        return {"calls": calls, "rows": rows, **dict(zip(names, hops, strict=True))}


@pytest.mark.parametrize(
    ("R", "M", "C", "P"), [*SIZES, (36, 2, 1, 2), (37, 2, 2, 1), (200, 5, 20, 4)]
)
@every_kernel
def test_a_full_read_of_slabinfo_costs_what_the_table_says(engine, name, R, M, C, P):
    N = R + M * C
    full = Full(engine, name, R, M, C, P)
    read = full.read()
    assert read["rows"] == R
    assert read["calls"] == 2 + -(-max(R - FIRST, 0) // FURTHER)
    hops = read["start"] + read["next"] + read["children"]
    assert hops == READ[GENERATION[name]](N, R, M, C, P)
    # By a cursor each chunk begins where it is to, and the end is the end.
    by_cursor = full.read(cursor=True)
    walked = N if name in WALKING else R
    assert by_cursor == {
        "calls": read["calls"],
        "rows": R,
        "start": read["calls"] - 1,
        "next": walked,
        "children": added_up(R, M, C) if name in WITH_CHILDREN else 0,
    }


@every_kernel
def test_which_list_slabinfo_walks(engine, name):
    R, M, C = 40, 3, 4
    full = Full(engine, name, R, M, C, 2)
    state = full.world.state()
    on_list = {
        "slab_caches": len(state["slab_caches"]),
        "slab_root_caches": len(state["slab_root_caches"]),
    }
    walked = "slab_root_caches" if GENERATION[name] in ("G4", "G5") else "slab_caches"
    assert full.read()["next"] == on_list[walked]
    assert on_list[walked] == (R + M * C if name in WALKING else R)


@pytest.mark.parametrize("R", [1000, 4000, 16_000])
@pytest.mark.parametrize("name", ["4.10", "4.11", "5.9"])
def test_finding_the_place_again_is_quadratic_and_by_a_cursor_linear(name, R):
    once, twice = (Full("core", name, size, 0, 0, 2) for size in (R, 2 * R))
    hops = [full.read()["start"] for full in (once, twice)]
    assert hops[1] / hops[0] == pytest.approx(4, rel=60 / R)
    assert hops[0] == pytest.approx(R**2 / 76, rel=120 / R)
    chunks = [full.read(cursor=True)["start"] for full in (once, twice)]
    assert chunks == [1 + -(-(size - FIRST) // FURTHER) for size in (R, 2 * R)]


def test_children_cost_4_10_a_walk_a_chunk_and_the_series_a_look_each():
    R, M, C = 180, 200, 60
    N = R + M * C
    hops = {}
    for name in ("4.10", "4.11", "5.9"):
        read = Full("core", name, R, M, C, 2).read()
        hops[name] = read["start"] + read["next"] + read["children"]
    assert hops["4.10"] == pytest.approx(N * (R / FURTHER + 2), rel=0.06)
    assert hops["4.11"] - hops["5.9"] == added_up(R, M, C)
    assert added_up(R, M, C) == N - R + M  # one of the last 60 rows begins a page


# --- growth ---


def total_hops(storm: Storm) -> int:
    return sum(storm[f"list_hops.{step}"] for step in ("offline", "reparent", "free"))


@pytest.mark.parametrize("M", [10, 100, 1000])
@pytest.mark.parametrize("name", ["4.6", "4.9", "4.10"])
def test_before_the_series_the_end_of_all_cgroups_is_quadratic(name, M):
    R, C = 50, 10
    storm = Storm("core", name, R, M, C, 2)
    walks = 2 if name == "4.10" else 1
    # All caches at each offline while all stand; at each free while they go.
    offline = walks * (M * R + C * M**2)
    assert total_hops(storm) == offline + M * R + C * M * (M + 1) // 2


@pytest.mark.parametrize("M", [10, 100, 1000, 10_000])
@pytest.mark.parametrize("name", of("G4", "G5"))
def test_from_the_series_on_it_is_linear(name, M):
    R, C = 50, 10
    assert total_hops(Storm("core", name, R, M, C, 2)) == M * (R + C)


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


# --- queues ---


@pytest.mark.parametrize("creations", ["system", "ordered", "per-cpu-1"])
@pytest.mark.parametrize("deactivations", ["system", "per-cpu-1"])
def test_creations_and_deactivations_each_have_their_queue(
    engine, creations, deactivations
):
    design = designs["4.11"].replace(
        create_queue=creations, deactivate_queue=deactivations
    )
    storm = Storm(engine, design, 7, 6, 3, 2)
    names = {
        "system": "events",
        "ordered": "memcg_kmem_cache_create",
        "per-cpu-1": "memcg_kmem_cache",
    }
    made = {name: works["run"] for name, works in storm.before["works"].items()}
    assert made[names[creations]] == sum(made.values()) == 18
    assert storm[f"works.{names[deactivations]}.run"] == 18
    assert set(made) == {
        "events",
        "cgroup_destroy",
        names[creations],
        names[deactivations],
    }

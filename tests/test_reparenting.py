"""From 5.3 on what a cgroup allocated passes to its parent when it goes offline.

Up to 5.8 its caches do, each with references of its own; from 5.9 on an obj_cgroup,
which answers for objects. Nothing of slab holds a cgroup that is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from slabcore import Kernel, Machine, World, designs
from slabcore.errors import CorruptionError, LifecycleError, StaleHandleError
from slabcore.machine import Costs
from slabcore.reference.world import Cache, Cpu, Memcg
from slabcore.reference.world import World as Reference

REPARENTING = designs["5.4"]
OBJECTS = designs["5.9"]
heirs = pytest.mark.parametrize("design", [REPARENTING, OBJECTS], ids=lambda d: d.name)


def boot(
    engine: str,
    design: Any,
    caches: int,
    *,
    typesafe: int = 0,
    reclaimable: int = 0,
    allocator: str = "slub",
) -> Any:
    """Return a world of *caches* accounted roots on two CPUs."""
    machine = Machine(cpus=2, kmem="on", allocator=allocator)
    make: Any = {"core": World, "reference": Reference}[engine]
    world = make(design, machine, Costs.preset("rk"))
    for number in range(caches):
        world.boot_cache(192, True, number < typesafe, number < reclaimable)
    return world


def populate(world: Any, parent: int, caches: int) -> int:
    """Make a cgroup that has a cache of each root, and no objects."""
    memcg = int(world.mkdir(parent))
    for _ in range(2):
        for number in range(caches):
            world.alloc(number, memcg, 1)
            world.free(number, memcg, 1)
        world.drain()
    return memcg


def remove(world: Any, memcg: int) -> None:
    world.rmdir(memcg)
    world.drain()
    world.validate()


# --- caches that move ---


@pytest.mark.parametrize("allocator", ["slub", "slab"])
@pytest.mark.parametrize(("R", "M", "C"), [(1, 1, 1), (9, 4, 5), (81, 30, 25)])
def test_a_child_is_two_grace_periods_and_two_works(engine, allocator, R, M, C):
    world = boot(engine, REPARENTING, R, allocator=allocator)
    groups = [populate(world, 0, C) for _ in range(M)]
    before = world.counters()
    for memcg in groups:
        world.rmdir(memcg)
    world.drain()
    world.validate()
    after = world.counters()
    assert after["caches"]["created"] == M * C
    assert after["caches"]["live"] == R
    assert after["cgroups"]["live"] == 0
    hops = {
        step: count - before["list_hops"][step]
        for step, count in after["list_hops"].items()
        if step != "reap" and count != before["list_hops"][step]
    }
    assert hops == {"offline": M * R, "reparent": M * C}
    waits = after["grace_periods"]
    assert waits["synchronous"] == 0
    asynchronous = waits["asynchronous"] - before["grace_periods"]["asynchronous"]
    assert asynchronous == 3 * M + 2 * M * C
    works = after["works"]["memcg_kmem_cache"]["run"]
    assert works - before["works"]["memcg_kmem_cache"]["run"] == 2 * M * C
    assert after["findings"] == []


def test_the_storm_that_was_measured_on_5_4_has_its_counts(engine):
    """100 cgroups with 25 caches each, three of them typesafe."""
    world = boot(engine, REPARENTING, 81, typesafe=3)
    groups = [populate(world, 0, 25) for _ in range(100 if engine == "core" else 10)]
    before = world.counters()
    started = world.now_ns
    for memcg in groups:
        world.rmdir(memcg)
    world.drain()
    after = world.counters()
    caches = 25 * len(groups)
    assert after["caches"]["created"] == caches
    assert after["caches"]["live"] == 81
    works = after["works"]["memcg_kmem_cache"]["run"]
    assert works - before["works"]["memcg_kmem_cache"]["run"] == 2 * caches
    assert after["grace_periods"]["synchronous"] == 0
    # Each barrier takes all caches that wait for one by then.
    assert 1 <= after["rcu_barriers"] <= 3 * len(groups)
    assert world.now_ns - started < 500_000_000


def test_pinned_caches_outlive_their_cgroups_and_no_other_does(engine):
    """Measured on 5.4: 24 of 26 caches a cgroup are gone before drop_caches."""
    cgroups = 100 if engine == "core" else 5
    world = boot(engine, REPARENTING, 82, typesafe=1, reclaimable=2)
    groups = [populate(world, 0, 26) for _ in range(cgroups)]
    for memcg in groups:
        world.pin(0, memcg, 13)
        world.pin(1, memcg, 1)
        world.rmdir(memcg)
    world.drain()
    world.validate()
    counters = world.counters()
    assert counters["cgroups"]["live"] == 0
    assert counters["caches"]["live"] == 82 + 2 * cgroups
    assert counters["caches"]["dying"] == 2 * cgroups
    # The root cgroup has them.
    left = world.state()["kmem_caches"]
    assert set(left) == {0}
    assert len(left[0]) == 2 * cgroups
    world.drop_caches()
    world.drain()
    world.validate()
    assert world.counters()["caches"]["live"] == 82
    assert world.state()["kmem_caches"] == {0: []}


def test_an_offline_deactivates_the_caches_of_its_own_alone(engine):
    world = boot(engine, REPARENTING, 3)
    spent = []
    for own, left in ((0, 0), (2, 0), (0, 3), (2, 3)):
        parent = populate(world, 0, own)
        child = populate(world, parent, left)
        for number in range(left):
            world.alloc(number, child, 1)
        remove(world, child)
        before = world.counters()["time_ns"]["cgroups"]
        remove(world, parent)
        spent.append(world.counters()["time_ns"]["cgroups"] - before)
    deactivate = Costs.preset("rk").deactivate
    assert [ns - spent[0] for ns in spent] == [0, 2 * deactivate, 0, 2 * deactivate]


def test_a_list_goes_up_one_cgroup_at_a_time_before_what_is_there(engine):
    """Each offline moves the cgroup's own caches and all that were left to it."""
    C, depth = 3, 4
    world = boot(engine, REPARENTING, C)
    path = [0]
    for _ in range(depth):
        path.append(populate(world, path[-1], C))
        for number in range(C):
            world.alloc(number, path[-1], 1)
    lists = dict(world.state()["kmem_caches"])
    expected: list[int] = []
    for level in range(depth, 0, -1):
        remove(world, path[level])
        expected += lists[level]
        assert world.state()["kmem_caches"][level - 1][: len(expected)] == expected
        moved = sum(C * (depth - above + 1) for above in range(level, depth + 1))
        assert world.counters()["list_hops"]["reparent"] == moved
    assert world.counters()["cgroups"]["live"] == 0
    assert world.counters()["caches"]["dying"] == C * depth
    for number in range(C):
        world.free(number, 0, depth)
    world.drain()
    world.validate()
    assert world.counters()["caches"]["live"] == C


def test_a_typesafe_cache_waits_for_its_pages_on_their_way_back(engine):
    world = boot(engine, REPARENTING, 1, typesafe=1)
    memcg = populate(world, 0, 1)
    world.alloc(0, memcg, 1)
    remove(world, memcg)
    (child,) = world.state()["kmem_caches"][0]
    order = world.state()["references"][child][1]
    assert order == 1  # a slab of one page, and no first reference any more
    world.free(0, 0, 1)
    # The slab is gone from the counts; its page waits for a grace period.
    assert world.state()["caches"][child][1] == 0
    assert world.state()["references"][child] == (0, order)
    world.drain()
    assert world.counters()["caches"]["live"] == 1
    assert world.counters()["rcu_barriers"] == 1


def test_a_cache_that_waits_for_the_barrier_still_holds_its_cgroup(engine):
    """As from 5.4 on: page-free callbacks may look at it until the end."""
    world = boot(engine, REPARENTING, 2, typesafe=1)
    parent = world.mkdir()
    memcg = populate(world, parent, 2)
    # Each millisecond a program queues a callback, for which the barrier waits.
    world.spawn(world.program([(9, 1, 0, 0, 0), (7, 1_000_000, 0, 0, 0)]), 500)
    world.rmdir(memcg)
    waited = 0
    for _ in range(5_000):
        world.advance_to(world.now_ns + 100_000)
        state = world.state()
        waiting = world.counters()["caches"]["live"] - len(state["slab_caches"])
        if waiting and state["memcgs"].get(2, (0, 0))[1] == 0:
            waited += 1
            left = len(state["kmem_caches"][1])
            assert state["memcgs"][1][1] == 1 + left + waiting
    assert waited
    world.drain()
    world.validate()
    assert world.state()["memcgs"][1][1] == 1


@pytest.mark.parametrize(
    ("name", "late"), [("5.3", range(16, 32)), ("5.5", ()), ("5.8", ())]
)
def test_a_root_goes_while_its_child_is_killed_before_5_5_only(engine, name, late):
    """The barrier and the flush let the work run that kills the child, in a grace
    period of which the destruction knows nothing: from 5.5 on it waits once more."""
    found = []
    for ms in range(0, 48, 1 if engine == "core" else 5):
        kernel = Kernel(name, machine=Machine(cpus=2), engine=engine)
        kernel.create_cache("filp", object_size=192, accounted=True)
        kernel.mkdir("/a")
        kernel.alloc("filp", "/a")
        kernel.free("filp", "/a")
        kernel.drain()
        kernel.rmdir("/a")
        kernel.advance(ms * 1_000_000)
        kernel.destroy_cache("filp")
        kernel.drain()
        kernel.validate()
        findings = {finding["id"] for finding in kernel.counters["findings"]}
        if "work-on-destroyed-cache" in findings:
            found.append(ms)
    assert bool(found) == bool(late)
    assert set(found) <= {ms + off for ms in late for off in (-1, 0, 1)}


# --- obj_cgroups ---


@pytest.mark.parametrize(("M", "objects"), [(1, 0), (7, 0), (7, 3), (40, 1)])
def test_an_obj_cgroup_goes_with_its_last_object(engine, M, objects):
    world = boot(engine, OBJECTS, 2)
    groups = [world.mkdir() for _ in range(M)]
    for memcg in groups:
        if objects:
            world.alloc(0, memcg, objects)
        world.rmdir(memcg)
    world.drain()
    world.validate()
    counters = world.counters()
    assert counters["cgroups"]["live"] == 0
    assert counters["objcgs"] == {
        "live": M if objects else 0,
        "peak": M,
        "reparented": M,
    }
    assert counters["grace_periods"]["synchronous"] == 0
    assert not any(counters["list_hops"].values())
    if objects:
        world.free(0, 0, M * objects - 1)
        assert world.counters()["objcgs"]["live"] == 1
        world.free(0, 0, 1)
    world.validate()
    assert world.counters()["objcgs"]["live"] == 0


def test_an_obj_cgroup_without_objects_goes_a_grace_period_after_its_kill(engine):
    world = boot(engine, OBJECTS, 1)
    parent = world.mkdir()
    memcg = world.mkdir(parent)
    world.rmdir(memcg)
    while world.counters()["objcgs"]["reparented"] == 0:
        world.advance_to(world.now_ns + 100_000)
    # The parent answers for it meanwhile; its first reference is not put.
    objcgs = world.state()["objcgs"]
    assert objcgs[2] == (1, 1, 0, [])
    assert world.counters()["objcgs"]["live"] == 2
    killed = world.now_ns
    while world.counters()["objcgs"]["live"] == 2:
        world.advance_to(world.now_ns + 100_000)
        world.validate()
    assert world.now_ns - killed >= 4_000_000  # a tick at least
    world.drain()
    assert set(world.state()["objcgs"]) == {1}
    assert world.counters()["grace_periods"]["asynchronous"] == 4


def test_inherited_obj_cgroups_are_walked_at_each_offline(engine):
    depth = 5
    world = boot(engine, OBJECTS, 1)
    path = [0]
    for _ in range(depth):
        path.append(world.mkdir(path[-1]))
        world.alloc(0, path[-1], 1)
    for level in range(depth, 0, -1):
        remove(world, path[level])
        lists = world.state()["objcg_list"]
        # The latest first that each level left, then the level's own.
        assert lists[level - 1] == list(range(depth, level - 1, -1))
    counters = world.counters()
    assert counters["cgroups"]["live"] == 0
    assert counters["list_hops"]["reparent"] == sum(range(depth))
    assert counters["objcgs"] == {
        "live": depth,
        "peak": depth,
        "reparented": sum(range(1, depth + 1)),
    }


def test_objects_of_the_root_cgroup_are_charged_to_nobody(engine):
    world = boot(engine, OBJECTS, 1)
    world.alloc(0, 0, 5)
    assert world.counters()["objcgs"] == {"live": 0, "peak": 0, "reparented": 0}
    memcg = world.mkdir()
    world.alloc(0, memcg, 2)
    assert world.state()["objcgs"] == {1: (1, 3, 0, [(0, 2, 0)])}
    # The cgroup's own two, and the five that nobody is charged for.
    world.free(0, memcg, 7)
    assert world.state()["objcgs"] == {1: (1, 1, 0, [(0, 0, 0)])}


# --- what a user sees ---


@heirs
def test_what_a_removed_cgroup_left_is_freed_through_its_parent(engine, design):
    kernel = Kernel(design, machine=Machine(cpus=2), engine=engine)
    kernel.create_cache("filp", object_size=192, accounted=True)
    kernel.mkdir("/a")
    gone = kernel.mkdir("/a/b")
    kernel.alloc("filp", "/a/b")
    kernel.drain()
    kernel.alloc("filp", "/a/b", 30)
    kernel.rmdir("/a/b")
    kernel.drain()
    assert kernel.counters["cgroups"]["live"] == 1
    with pytest.raises(StaleHandleError) as error:
        kernel.free("filp", gone)
    text = "the cgroup of this handle is gone; its objects are its parent's"
    assert str(error.value) == text
    with pytest.raises(LifecycleError, match="fewer objects can be freed"):
        kernel.free("filp", "/a", 32)
    kernel.free("filp", "/a", 31)
    kernel.drain()
    kernel.validate()
    assert kernel.counters["caches"]["live"] == 1


@heirs
def test_between_offline_and_free_a_cgroup_s_handle_reaches_its_heir(engine, design):
    world = boot(engine, design, 1)
    above = world.mkdir()
    below = world.mkdir(above)
    world.alloc(0, below, 1)
    world.drain()
    world.alloc(0, below, 9)
    # Below is offline, and freed only when its own child is.
    inner = world.mkdir(below)
    world.alloc(0, inner, 1)
    world.rmdir(inner)
    world.rmdir(below)
    while world.state()["memcgs"].get(2, (0, 0, False))[2]:
        world.advance_to(world.now_ns + 100_000)
    assert 2 in world.state()["memcgs"]
    world.free(0, below, 5)
    world.validate()
    world.drain()
    world.free(0, above, 5)
    world.validate()


@heirs
def test_drop_caches_frees_what_removed_cgroups_pinned(engine, design):
    world = boot(engine, design, 3, typesafe=1, reclaimable=2)
    above = populate(world, 0, 3)
    for parent in (0, above):
        memcg = populate(world, parent, 3)
        for number in range(3):
            world.pin(number, memcg, 40)
        remove(world, memcg)
    world.pin(0, above, 7)
    world.pin(1, 0, 9)
    world.drop_caches()
    world.drain()
    world.validate()
    # Those of the third root are not reclaimable.
    pinned = sum(cache[2] for cache in world.state()["caches"].values())
    objcgs = world.state()["objcgs"].values()
    assert pinned == 2 * 40
    if design is OBJECTS:
        assert sum(held[2] for o in objcgs for held in o[3]) == 2 * 40
        assert world.counters()["objcgs"]["live"] == 3
    else:
        assert world.counters()["caches"]["dying"] == 2


# --- the checks can fail ---


class Forgets(Reference):
    """A world that drops something on the floor, once told what."""

    what = ""

    def _cache_get(self, cache: Cache, count: int) -> None:
        super()._cache_get(cache, count + (self.what == "pages"))

    def _kill(self, cpu: Cpu, cache: Cache) -> None:
        if self.what == "grace period":
            cache.killed = True
            self._cache_put(cpu, cache, 1)
        super()._kill(cpu, cache)

    def _reparent(self, worker: Any, memcg: Memcg) -> Iterator[Any]:
        caches = list(memcg.kmem_caches)
        if self.what != "list":
            yield from super()._reparent(worker, memcg)
        for cache in caches:
            if self.what == "css":
                self.root_memcg.refs -= 1
                memcg.refs += 1
            elif self.what == "pointer":
                cache.memcg = memcg

    def _reparent_objcgs(self, worker: Any, memcg: Memcg) -> Iterator[Any]:
        objcg = memcg.objcg
        yield from super()._reparent_objcgs(worker, memcg)
        if self.what == "object" and objcg is not None:
            objcg.refs += 1


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ("pages", "fewer than no references|references, [0-9]+ are held"),
        ("grace period", "references"),
        ("list", "offline|references"),
        ("css", "references"),
        ("pointer", "another's|references|missing"),
    ],
)
def test_a_reference_that_is_forgotten_is_found(what, complaint):
    machine = Machine(cpus=2)
    world = Forgets(REPARENTING, machine, machine.costs)
    world.boot_cache(192, True, True, False)
    memcg = populate(world, 0, 1)
    world.alloc(0, memcg, 40)
    world.validate()
    world.what = what
    with pytest.raises(CorruptionError, match=complaint):
        leave(world, memcg)


def leave(world: Reference, memcg: int) -> None:
    """Let a cgroup go while it has objects; then free them."""
    world.alloc(0, memcg, 40)
    remove(world, memcg)
    world.free(0, 0, 80)
    world.drain()
    world.validate()


def test_an_object_that_an_obj_cgroup_forgets_is_found():
    machine = Machine(cpus=2)
    world = Forgets(OBJECTS, machine, machine.costs)
    world.boot_cache(192, True, True, False)
    memcg = world.mkdir()
    world.alloc(0, memcg, 3)
    world.what = "object"
    with pytest.raises(CorruptionError, match="obj_cgroup 1 has 4 references, 3 are"):
        remove(world, memcg)

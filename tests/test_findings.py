"""The known violations of each design are found, and gone once the knob is turned."""

from __future__ import annotations

from typing import Any

import pytest

from slabcore.comparison import compare
from slabcore.designs import Design, designs
from slabcore.kernel import Kernel, ms
from slabcore.machine import Machine

MKDIR, JOIN = 1, 4


def lives(engine: Any, design: str | Design, *, typesafe: bool = False) -> Kernel:
    """Let three cgroups with two caches each live and go."""
    kernel = Kernel(design, machine=Machine(cpus=2), engine=engine)
    for number in range(2):
        kernel.create_cache(
            f"c{number}", object_size=192, accounted=True, typesafe=typesafe
        )
    for number in range(3):
        kernel.mkdir(f"/{number}")
        for cache in ("c0", "c1"):
            kernel.alloc(cache, f"/{number}")
            kernel.drain()
            kernel.alloc(cache, f"/{number}")
            kernel.free(cache, f"/{number}")
    for number in range(3):
        kernel.rmdir(f"/{number}")
    kernel.drain()
    assert kernel.counters["caches"]["live"] == 2
    return kernel


def found(kernel: Kernel) -> dict[str, int]:
    return {finding["id"]: finding["count"] for finding in kernel.counters["findings"]}


@pytest.mark.parametrize("typesafe", [False, True])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("4.4", {}),
        ("4.6", {}),
        ("4.7", {"gp-under-cgroup_mutex": 6, "gp-under-slab_mutex": 6}),
        ("4.8", {"gp-under-cgroup_mutex": 6, "gp-under-slab_mutex": 6}),
        ("4.9", {"gp-under-cgroup_mutex": 6, "gp-under-slab_mutex": 6}),
        ("4.10", {"gp-under-cgroup_mutex": 3}),
        ("4.11", {}),
        ("5.2", {}),
        ("5.9", {}),
    ],
)
def test_who_waits_for_a_grace_period_with_a_mutex_held(
    engine, name, expected, typesafe
):
    # The barrier for typesafe caches is waited for with neither mutex held.
    assert found(lives(engine, name, typesafe=typesafe)) == expected


@pytest.mark.parametrize("deactivation", ["ipi", "rcu-per-cache"])
@pytest.mark.parametrize("name", ["4.7", "4.9", "4.10"])
def test_without_a_wait_at_offline_there_is_nothing_to_find(engine, name, deactivation):
    assert found(lives(engine, designs[name].replace(deactivation=deactivation))) == {}


def test_one_wait_per_cgroup_takes_slab_mutex_out_of_it(engine):
    repaired = designs["4.9"].replace(deactivation="gp-per-memcg")
    assert found(lives(engine, repaired)) == {"gp-under-cgroup_mutex": 3}


def test_4_11_deletes_directories_with_slab_mutex_held_where_children_have_them(engine):
    assert found(lives(engine, "4.11")) == {}
    design = designs["4.11"].replace(child_sysfs=True)
    expected = {"kobject-under-slab_mutex": 6}
    assert found(lives(engine, design)) == expected
    # Only the batch is released after slab_mutex; from 4.11 on, typesafe caches alone.
    late = design.replace(sysfs_removal="release")
    assert found(lives(engine, late)) == expected
    assert found(lives(engine, late, typesafe=True)) == {}
    assert found(lives(engine, late.replace(typesafe_free="barrier-batch"))) == {}


@pytest.mark.parametrize("name", ["4.6", "4.9", "4.10"])
def test_up_to_4_10_directories_go_at_the_release_with_no_mutex_held(engine, name):
    assert designs[name].child_sysfs
    assert "kobject-under-slab_mutex" not in found(lives(engine, name))


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("4.4", True),
        ("4.6", True),
        ("4.8", True),
        ("4.9", False),
        ("4.10", False),
        ("4.11", False),
        ("5.9", False),
    ],
)
def test_up_to_4_8_joining_a_cgroup_waits_with_cgroup_mutex_held(engine, name, waits):
    def join(design: Design) -> dict[str, int]:
        kernel = Kernel(design, machine=Machine(cpus=2), engine=engine)
        kernel.spawn(kernel.program([(MKDIR, 0, 0, 0, 0), (JOIN, 0, 0, 0, 0)]))
        kernel.run()
        return found(kernel)

    assert designs[name].join_waits == waits
    assert join(designs[name]) == ({"gp-under-cgroup_mutex": 1} if waits else {})
    assert join(designs[name].replace(join_waits=False)) == {}


def test_a_finding_says_what_when_and_how_often(engine):
    kernel = lives(engine, "4.10")
    (finding,) = kernel.counters["findings"]
    assert finding["id"] == "gp-under-cgroup_mutex"
    assert finding["text"] == "waited for a grace period with cgroup_mutex held"
    assert finding["count"] == 3
    # Of the first: a grace period after the rmdir that killed the css.
    assert ms(12) < finding["at_ns"] < kernel.now_ns - 3 * ms(12)


# --- CPU and memory hotplug walk slab_caches ---

EVENTS = ("cpu-dead", "memory-online", "memory-offline")


def hotplugged(engine: Any, design: str | Design, events: tuple[str, ...]) -> Kernel:
    """Let two cgroups have three caches each, one of them removed; then hotplug."""
    kernel = Kernel(design, machine=Machine(cpus=2), engine=engine)
    for number in range(3):
        kernel.create_cache(f"c{number}", object_size=192, accounted=True)
    for path in ("/stays", "/goes"):
        kernel.mkdir(path)
        for number in range(3):
            kernel.alloc(f"c{number}", path)
            kernel.drain()
            kernel.pin(f"c{number}", path)
    kernel.rmdir("/goes")
    kernel.drain()
    for event in events:
        kernel.hotplug(event)
    kernel.validate()
    return kernel


@pytest.mark.parametrize("event", EVENTS)
def test_a_slab_caches_of_roots_only_hides_the_children_from_hotplug(engine, event):
    as_posted_first = designs["4.11"].replace(slab_caches="roots")
    kernel = hotplugged(engine, as_posted_first, (event,))
    # Six caches of cgroups are alive, the three of the dying one among them.
    assert kernel.counters["caches"]["live"] == 9
    assert found(kernel) == {"children-missed-at-hotplug": 6}
    assert kernel.counters["list_hops"]["hotplug"] == 3


@pytest.mark.parametrize("name", [n for n, d in designs.items() if d.kernels])
def test_no_kernel_that_was_released_hides_caches_from_hotplug(engine, name):
    kernel = hotplugged(engine, name, EVENTS)
    assert "children-missed-at-hotplug" not in found(kernel)
    live = kernel.counters["caches"]["live"]
    assert kernel.counters["list_hops"]["hotplug"] == 3 * live


def test_a_missed_child_lacks_what_hotplug_gives_the_others(engine):
    as_posted_first = designs["4.11"].replace(slab_caches="roots")
    kernel = hotplugged(engine, as_posted_first, ("memory-online", "memory-online"))
    node_structures = [row[5] for row in kernel.snapshot()["caches"].values()]
    assert sorted(node_structures) == [1] * 6 + [3] * 3
    kernel = hotplugged(engine, "4.11", ("memory-online", "memory-online"))
    node_structures = [row[5] for row in kernel.snapshot()["caches"].values()]
    assert node_structures == [3] * 9


def test_a_missed_child_is_not_shrunk_when_memory_leaves(engine):
    def slabs(design: Design) -> int:
        kernel = Kernel(design, machine=Machine(cpus=2), engine=engine)
        kernel.create_cache("c", object_size=4096, accounted=True)
        kernel.mkdir("/a")
        kernel.alloc("c", "/a")
        kernel.drain()
        kernel.alloc("c", "/a", 30)
        kernel.free("c", "/a", 30)
        kernel.hotplug("memory-offline")
        return sum(row[1] for row in kernel.snapshot()["caches"].values())

    assert slabs(designs["4.11"]) == 1
    assert slabs(designs["4.11"].replace(slab_caches="roots")) > 1


def test_the_workload_hotplug_tells_the_postings_of_the_series_apart(engine):
    """48 caches of cgroups are alive when memory comes, a CPU dies, memory goes."""
    first = designs["4.10"].with_("root-only-slab-caches")
    compared = compare("hotplug", ["4.10", first, "4.11"], engine=engine)
    missed = {
        result.name: finding["count"]
        for result in compared
        for finding in result.counters["findings"]
        if finding["id"] == "children-missed-at-hotplug"
    }
    assert missed == {first.name: 3 * 48}

"""The known violations of each design are found, and gone once the knob is turned."""

from __future__ import annotations

from typing import Any

import pytest

from slabcore.comparison import compare
from slabcore.designs import Design, designs
from slabcore.errors import BusyError
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


@pytest.mark.parametrize("name", ["4.7", "4.9", "4.10"])
def test_one_cpu_waits_for_no_grace_period_so_nobody_else_waits(engine, name):
    kernel = Kernel(name, machine=Machine(cpus=1), engine=engine)
    kernel.create_cache("dentry", object_size=192, accounted=True)
    kernel.mkdir("/a")
    kernel.alloc("dentry", "/a")
    kernel.drain()
    kernel.rmdir("/a")
    kernel.drain()
    # synchronize_sched() is called, and returns at once.
    assert kernel.counters["grace_periods"]["under_cgroup_mutex"] == 1
    assert kernel.counters["time_ns"]["grace_periods"] == 0
    assert found(kernel) == {}


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
    node_structures = [row[5] for row in kernel.state()["caches"].values()]
    assert sorted(node_structures) == [1] * 6 + [3] * 3
    kernel = hotplugged(engine, "4.11", ("memory-online", "memory-online"))
    node_structures = [row[5] for row in kernel.state()["caches"].values()]
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
        return sum(row[1] for row in kernel.state()["caches"].values())

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


# --- the end of a root cache ---


def shared(engine: Any, design: str | Design, **kind: Any) -> Kernel:
    """Boot a kernel with a root cache that can be shared, and a cgroup."""
    kernel = Kernel(design, machine=Machine(cpus=2), engine=engine)
    kernel.create_cache(
        "first", object_size=192, accounted=True, mergeable=True, **kind
    )
    kernel.mkdir("/a")
    return kernel


def own_cache(kernel: Kernel) -> None:
    """Let the cgroup get a cache of its own, empty but for what it keeps."""
    kernel.alloc("first", "/a")
    kernel.drain()
    kernel.alloc("first", "/a")
    kernel.free("first", "/a", 2)


@pytest.mark.parametrize(
    ("name", "marks"),
    [("4.17", 0), ("4.18", 1), ("5.2", 1), ("5.4", 1), ("5.7", 1), ("5.8", 0)],
)
def test_4_18_marks_a_shared_cache_dying_for_all_its_users(engine, name, marks):
    def destroy_one(design: Design) -> tuple[dict[str, int], int]:
        kernel = shared(engine, design)
        kernel.create_cache("second", object_size=192, accounted=True, mergeable=True)
        kernel.destroy_cache("second")
        own_cache(kernel)
        return found(kernel), kernel.counters["caches"]["created"]

    once = {"alias-marked-dying": 1} if marks else {}
    # No cgroup gets a cache of a root that is marked.
    assert destroy_one(designs[name]) == (once, 1 - marks)
    assert destroy_one(designs[name].replace(root_destroy="flush-at-zero")) == ({}, 1)
    broken = designs[name].replace(root_destroy="flush-first")
    assert destroy_one(broken) == ({"alias-marked-dying": 1}, 0)


@pytest.mark.parametrize(
    ("name", "marks"), [("4.17", 0), ("4.18", 1), ("5.2", 1), ("5.5", 1), ("5.8", 0)]
)
def test_who_comes_to_share_a_cache_that_could_not_go_finds_it_marked(
    engine, name, marks
):
    kernel = shared(engine, name)
    kernel.alloc("first", "/a")
    kernel.drain()
    kernel.alloc("first", "/a")
    with pytest.raises(BusyError):
        kernel.destroy_cache("first")
    assert found(kernel) == {}
    kernel.create_cache("second", object_size=192, accounted=True, mergeable=True)
    # 5.8 shares no cache that is marked; up to 4.17 none is.
    assert kernel.counters["roots"]["aliases"] == (0 if name == "5.8" else 1)
    assert found(kernel) == ({"alias-marked-dying": 1} if marks else {})
    kernel.mkdir("/b")
    kernel.alloc("second", "/b")
    kernel.drain()
    assert kernel.counters["caches"]["created"] == 2 - marks


@pytest.mark.parametrize("name", ["4.10", "4.17", "5.10", "6.12"])
def test_a_link_is_made_for_each_name_that_a_cache_has_had(engine, name):
    kernel = shared(engine, name)
    nodes = [kernel.counters["kernfs_nodes"]]
    kind = {"object_size": 192, "accounted": True, "mergeable": True}
    for _ in range(5):
        kernel.create_cache("second", **kind)
        nodes.append(kernel.counters["kernfs_nodes"])
        # Nobody takes the link away with the user; the next of its name replaces it.
        kernel.destroy_cache("second")
        nodes.append(kernel.counters["kernfs_nodes"])
    assert nodes[1:] == [nodes[0] + 1] * 10
    kernel.create_cache("second", **kind)
    kernel.create_cache("third", **kind)
    assert kernel.counters["kernfs_nodes"] == nodes[0] + 2
    for cache in ("second", "third", "first"):
        kernel.destroy_cache(cache)
    kernel.drain()
    assert kernel.counters["kernfs_nodes"] == kernel.machine.kernfs_per_cgroup


@pytest.mark.parametrize("name", ["4.12", "4.12.10", "4.13"])
def test_4_12_leaks_every_cache_that_has_no_directory(engine, name):
    def leak(design: Design) -> tuple[int, int, int]:
        kernel = shared(engine, design)
        own_cache(kernel)
        kernel.rmdir("/a")
        kernel.drain()
        caches = kernel.counters["caches"]
        return found(kernel).get("cache-leaked", 0), caches["leaked"], caches["live"]

    assert leak(designs[name]) == ((1, 1, 2) if name == "4.12" else (0, 0, 1))
    assert leak(designs[name].replace(sysfs_removal="work")) == (0, 0, 1)
    assert leak(designs[name].replace(sysfs_removal="work-leaks")) == (1, 1, 2)
    # The root has a directory, and goes.
    kernel = shared(engine, designs[name].replace(sysfs_removal="work-leaks"))
    kernel.destroy_cache("first")
    kernel.drain()
    assert kernel.counters["caches"]["live"] == 0


def test_a_single_pass_over_busy_children_leaves_them_unusable(engine):
    def destroy_busy(design: Design) -> tuple[dict[str, int], list[int], int]:
        """Return what is found, the slots left, and the caches made in all."""
        kernel = shared(engine, design)
        own_cache(kernel)
        kernel.alloc("first", "/a", 3)
        with pytest.raises(BusyError, match="still has objects"):
            kernel.destroy_cache("first")
        slots = list(kernel.state()["slots"][0].values())
        again = kernel.create_cache(
            "first", object_size=192, accounted=True, mergeable=True
        )
        assert again.number == 0  # the root was there to be taken up again
        kernel.alloc("first", "/a")
        kernel.drain()
        kernel.validate()
        return found(kernel), slots, kernel.counters["caches"]["created"]

    repaired = designs["4.11"]
    assert destroy_busy(repaired) == ({}, [1], 1)
    broken = repaired.replace(busy_children="single-pass")
    assert destroy_busy(broken) == ({"busy-child-unusable": 1}, [], 2)


@pytest.mark.parametrize("name", ["4.6", "4.10", "4.11", "4.17", "4.18", "5.2", "5.8"])
def test_up_to_4_17_a_creation_may_come_after_the_end_of_its_root(engine, name):
    def create_late(design: Design) -> dict[str, int]:
        kernel = shared(engine, design)
        kernel.alloc("first", "/a")  # misses, and queues a creation
        kernel.free("first", "/a")
        kernel.destroy_cache("first")
        kernel.drain()
        return found(kernel)

    late = create_late(designs[name])
    flushed = designs[name].replace(root_destroy="flush-at-zero")
    assert "work-on-destroyed-cache" not in create_late(flushed)
    assert ("work-on-destroyed-cache" in late) == (name not in ("4.18", "5.2", "5.8"))


@pytest.mark.parametrize(
    ("name", "where"), [("4.10", 0), ("4.11", 1), ("4.13", 0), ("4.18", 1), ("6.0", 0)]
)
def test_where_the_directory_of_a_destroyed_root_goes(engine, name, where):
    def destroy(design: Design) -> dict[str, int]:
        kernel = shared(engine, design)
        kernel.destroy_cache("first")
        kernel.drain()
        counters = kernel.counters
        assert counters["kernfs_nodes"] == kernel.machine.kernfs_per_cgroup
        assert counters["caches"]["live"] == 0
        return found(kernel)

    locked = {"kobject-under-slab_mutex": 1}
    assert destroy(designs[name]) == (locked if where else {})
    assert destroy(designs[name].replace(sysfs_removal="unlocked")) == {}
    assert destroy(designs[name].replace(sysfs_removal="shutdown")) == locked


@pytest.mark.parametrize("name", designs)
def test_the_workload_late_callback_finds_who_frees_by_call_rcu(engine, name):
    # The barrier that comes first from 4.18 to 5.8 would hide the fault.
    knobs = {"typesafe_free": "call-rcu", "root_destroy": "at-once"}
    wrong = designs[name].replace(name="wrong", **knobs)
    right = designs[name]
    if name.startswith("series"):
        right = right.replace(typesafe_free="barrier-async")
    results = compare("late-callback", [right, wrong], engine=engine)
    repaired, broken = (result.counters["findings"] for result in results)
    assert "cache-use-after-free" not in [finding["id"] for finding in repaired]
    (finding,) = [f for f in broken if f["id"] == "cache-use-after-free"]
    page, free, freed, ran = finding["schedule"]
    assert [event["event"] for event in finding["schedule"]] == [
        *("page-free-queued", "cache-free-queued", "cache-freed", "page-free-ran")
    ]
    # Queued earlier on another CPU, behind more, and run later.
    assert page["cpu"] == ran["cpu"] != free["cpu"] == freed["cpu"]
    assert page["ahead"] >= 3000 > 10 > free["ahead"]
    assert page["at_ns"] < free["at_ns"] < freed["at_ns"] < ran["at_ns"]
    assert finding["at_ns"] == freed["at_ns"]

"""The SLAB allocator: what it does otherwise than SLUB. mm/slab.c"""

from __future__ import annotations

from typing import Any

import pytest

from slabcore.designs import Design, designs
from slabcore.kernel import Kernel, ms, seconds
from slabcore.machine import Machine

HAVE_CHILDREN = [name for name in designs if designs[name].child_caches]
PINNED_CSS = [name for name in HAVE_CHILDREN if not designs[name].reparenting]


def boot(engine: Any, design: str | Design, **fields: Any) -> Kernel:
    """Boot a machine with SLAB, three caches and two cgroups that use them."""
    machine = Machine(**{"allocator": "slab", "kmem": "on", "cpus": 3, **fields})
    kernel = Kernel(design, machine=machine, engine=engine)
    for number in range(3):
        kernel.create_cache(f"c{number}", object_size=192, accounted=True)
    for path in ("/a", "/b"):
        kernel.mkdir(path)
        for number in range(3):
            kernel.alloc(f"c{number}", path)
        kernel.drain()
    return kernel


@pytest.mark.parametrize("name", designs)
def test_caches_have_no_directories_in_sysfs(engine, name):
    kernel = boot(engine, name, kernfs_per_cgroup=0)
    assert kernel.counters["kernfs_nodes_peak"] == 0


@pytest.mark.parametrize("name", [name for name in PINNED_CSS if name != "4.12"])
def test_offline_shrinks_at_once_with_an_ipi_a_cache_and_waits_for_nothing(
    engine, name
):
    kernel = boot(engine, name)
    before = kernel.counters["grace_periods"], kernel.counters["ipis"]
    for path in ("/a", "/b"):
        kernel.rmdir(path)
    kernel.drain()
    waited = kernel.counters["grace_periods"]
    assert waited["synchronous"] == before[0]["synchronous"]
    # The kill, the release of the css, that of the cgroup: none for a cache.
    assert waited["asynchronous"] == before[0]["asynchronous"] + 2 * 3
    assert kernel.counters["ipis"] == before[1] + 2 * 3 * (3 - 1)
    assert kernel.counters["caches"]["live"] == 3


def test_reparented_caches_are_shrunk_at_once_and_killed_after_a_grace_period(engine):
    kernel = boot(engine, designs["4.11"].replace(reparenting=True))
    before = kernel.counters["grace_periods"], kernel.counters["ipis"]
    shrunk = kernel.counters["time_ns"]["shrink"]
    for path in ("/a", "/b"):
        kernel.rmdir(path)
    kernel.drain()
    waited = kernel.counters["grace_periods"]
    assert waited["synchronous"] == before[0]["synchronous"]
    # As without: three a cgroup; and two a cache, until it is killed and then dead.
    assert waited["asynchronous"] == before[0]["asynchronous"] + 2 * 3 + 2 * 3 * 2
    assert kernel.counters["ipis"] == before[1] + 2 * 3 * (3 - 1)
    assert kernel.counters["caches"]["live"] == 3
    # The work that follows the grace period has nothing to shrink.
    costs = kernel.machine.costs
    pages = costs.page_free * 6
    assert kernel.counters["time_ns"]["shrink"] - shrunk <= 6 * costs.shrink + pages


@pytest.mark.parametrize("name", HAVE_CHILDREN)
def test_in_4_7_a_creation_waits_for_a_grace_period_a_node(engine, name):
    kernel = boot(engine, name)
    waits = 6 if name == "4.7" else 0
    assert kernel.counters["grace_periods"]["under_slab_mutex"] == waits
    kernel.hotplug("memory-online")
    kernel.create_cache("late", object_size=64)
    waits += 2 if name == "4.7" else 0
    assert kernel.counters["grace_periods"]["under_slab_mutex"] == waits
    found = {finding["id"] for finding in kernel.counters["findings"]}
    assert ("gp-under-slab_mutex" in found) == bool(waits)


def test_the_wait_of_a_creation_is_slab_s_alone(engine):
    kernel = boot(engine, "4.7", allocator="slub")
    assert kernel.counters["grace_periods"]["synchronous"] == 0
    cured = boot(engine, designs["4.7"].replace(create_waits=False))
    assert cured.counters["grace_periods"]["synchronous"] == 0


def test_the_reaper_comes_by_every_two_seconds_on_each_cpu(engine):
    kernel = boot(engine, "4.11")
    assert kernel.counters["reaper"] == {"passes": 0, "skipped": 0}
    kernel.advance_to(seconds(20) + ms(500))
    # At 1 s, 3 s, ... 19 s; it walks the three roots and the six of the cgroups.
    assert kernel.counters["reaper"] == {"passes": 3 * 10, "skipped": 0}
    assert kernel.counters["list_hops"]["reap"] == 3 * 10 * 9


def test_the_reaper_keeps_nothing_from_coming_to_rest(engine):
    kernel = boot(engine, "4.11")
    rested = kernel.counters["drained_ns"]
    kernel.drain()
    kernel.advance(seconds(30))
    assert kernel.counters["reaper"]["passes"] == 3 * 15
    assert kernel.counters["drained_ns"] == rested


def test_the_reaper_passes_by_while_slab_mutex_is_held(engine):
    kernel = boot(engine, "4.7", cpus=2, hz=100)
    for number in range(30):
        kernel.create_cache(f"more-{number}", object_size=64, accounted=True)
    # Thirty creations one behind the other, of 40 ms each, from 0.9 s on.
    kernel.advance_to(max(kernel.now_ns, seconds(2) + ms(900)))
    before = kernel.counters["reaper"]
    for number in range(30):
        kernel.alloc(f"more-{number}", "/a")
    kernel.advance_to(seconds(3) + ms(900))
    reaper = kernel.counters["reaper"]
    assert reaper["passes"] == before["passes"]
    assert reaper["skipped"] == before["skipped"] + 2


@pytest.mark.parametrize(("allocator", "passes"), [("slub", 0), ("slab", 1)])
def test_a_dying_cgroup_goes_with_its_last_object_or_when_the_reaper_comes(
    engine, allocator, passes
):
    machine = Machine(allocator=allocator, cpus=2)
    kernel = Kernel("4.11", machine=machine, engine=engine)
    kernel.create_cache("c", object_size=192, accounted=True)
    memcg = kernel.mkdir("/a")
    kernel.alloc("c", memcg)
    kernel.drain()
    kernel.alloc("c", memcg)
    kernel.rmdir(memcg)
    kernel.drain()
    kernel.free("c", memcg)
    kernel.drain()
    assert kernel.counters["cgroups"]["dying"] == passes
    kernel.advance_to(seconds(1) + ms(900))
    assert kernel.counters["cgroups"]["dying"] == 0


def findings(kernel: Kernel) -> set[str]:
    return {finding["id"] for finding in kernel.counters["findings"]}


@pytest.mark.parametrize(("allocator", "leaked"), [("slub", 6), ("slab", 0)])
def test_slab_has_no_work_for_directories_that_could_leak_caches(
    engine, allocator, leaked
):
    leaky = designs["4.11"].replace(sysfs_removal="work-leaks")
    kernel = boot(engine, leaky, allocator=allocator)
    for path in ("/a", "/b"):
        kernel.rmdir(path)
    kernel.drain()
    assert kernel.counters["caches"]["leaked"] == leaked
    assert ("cache-leaked" in findings(kernel)) == (leaked > 0)


@pytest.mark.parametrize(
    ("allocator", "reparenting", "barriers"),
    [("slub", False, 1), ("slab", False, 0), ("slub", True, 1), ("slab", True, 1)],
)
def test_only_deactivation_by_callback_makes_a_root_s_end_wait_for_a_barrier(
    engine, allocator, reparenting, barriers
):
    design = designs["4.11"].replace(
        root_destroy="flush-first", sysfs_removal="shutdown", reparenting=reparenting
    )
    kernel = boot(engine, design, allocator=allocator)
    # What was allocated before the cgroups had caches of their own.
    kernel.free("c0", "/", 2)
    kernel.drain()
    before = kernel.counters["rcu_barriers"]
    kernel.destroy_cache("c0")
    assert kernel.counters["rcu_barriers"] == before + barriers
    kernel.validate()

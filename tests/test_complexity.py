"""What each generation counts, as formulas over caches, roots and cgroups.

R root caches, M cgroups with C child caches each, all alive, then removed one by one;
N is what is on slab_caches at that moment: R + (cgroups left) * C.
"""

import pytest

from slabcore import Kernel, Machine, designs, ms

WALK_ALL = ("4.6", "4.7", "4.9", "4.10")


def teardown(design, roots, cgroups, caches, *, cpus=4, walk="counted", engine="core"):
    """Make the cgroups, remove each and drain; return the kernel."""
    kernel = Kernel(design, machine=Machine(cpus=cpus), walk=walk, engine=engine)
    for i in range(roots):
        kernel.create_cache(
            f"cache-{i}", object_size=192, accounted=i < caches, typesafe=i == 0
        )
    for group in range(cgroups):
        kernel.mkdir(f"/{group}")
        for i in range(caches):
            kernel.alloc(f"cache-{i}", f"/{group}")
            kernel.free(f"cache-{i}", f"/{group}")
        kernel.drain()
    for group in range(cgroups):
        kernel.rmdir(f"/{group}")
        kernel.drain()
        kernel.validate()
    return kernel


def alive(roots, cgroups, caches):
    """Return N at each removal."""
    return [roots + (cgroups - i) * caches for i in range(cgroups)]


SIZES = [(8, 3, 2), (12, 6, 5), (20, 12, 8)]


@pytest.mark.parametrize(("roots", "cgroups", "caches"), SIZES)
@pytest.mark.parametrize("design", WALK_ALL)
def test_before_the_series_each_removal_walks_all_caches(
    engine, design, roots, cgroups, caches
):
    counters = teardown(design, roots, cgroups, caches, engine=engine).counters
    walks = sum(alive(roots, cgroups, caches))
    assert counters["list_hops"]["offline"] == walks * (2 if design == "4.10" else 1)
    assert counters["list_hops"]["free"] == walks


@pytest.mark.parametrize(("roots", "cgroups", "caches"), SIZES)
def test_the_series_walks_the_roots_and_its_own_caches(engine, roots, cgroups, caches):
    counters = teardown("4.11", roots, cgroups, caches, engine=engine).counters
    assert counters["list_hops"]["offline"] == cgroups * roots
    assert counters["list_hops"]["free"] == cgroups * caches


@pytest.mark.parametrize("design", list(designs))
def test_grace_periods_ipis_and_barriers_by_generation(engine, design):
    roots, cgroups, caches, cpus = 9, 4, 6, 3
    kernel = teardown(design, roots, cgroups, caches, cpus=cpus, engine=engine)
    counters, waited = kernel.counters, kernel.counters["grace_periods"]
    has_children = design not in ("4.4", "5.9")
    assert counters["caches"]["created"] == cgroups * caches * has_children
    assert waited["under_slab_mutex"] == (
        cgroups * caches if design in ("4.7", "4.9") else 0
    )
    assert waited["synchronous"] == waited["under_cgroup_mutex"]
    assert waited["synchronous"] == {
        "4.7": cgroups * caches,
        "4.9": cgroups * caches,
        "4.10": cgroups,
    }.get(design, 0)
    # Kill, release of the css and release of the cgroup; from 4.11 one more a cache.
    assert waited["asynchronous"] == 3 * cgroups + (
        cgroups * caches if design == "4.11" else 0
    )
    broadcasts = cgroups * caches * (cpus - 1) if design == "4.6" else 0
    assert counters["ipis"] == pytest.approx(broadcasts, abs=cgroups * cpus)
    # One typesafe cache a cgroup: a barrier each, in the background from 4.11 on.
    assert counters["rcu_barriers"] == cgroups * has_children


def test_arrays_grow_at_ids_0_4_10_and_22(engine):
    roots, cgroups, caches = 7, 24, 2
    for design, each in (("4.10", caches), ("4.11", 0)):
        counters = teardown(design, roots, cgroups, caches, engine=engine).counters
        grown = sum(roots + number * each for number in (0, 4, 10, 22))
        assert counters["list_hops"]["grow"] == grown


def test_creating_a_root_walks_what_the_design_lists(engine):
    for design, walked in (("4.6", 5 + 3), ("4.10", 5 + 3), ("4.11", 5)):
        kernel = Kernel(design, machine=Machine(cpus=2), engine=engine)
        for i in range(5):
            kernel.create_cache(f"cache-{i}", object_size=64, accounted=True)
        kernel.mkdir("/a")
        for i in range(3):
            kernel.alloc(f"cache-{i}", "/a")
        kernel.advance(ms(50))
        kernel.create_cache("late", object_size=64)
        assert kernel.counters["list_hops"]["create"] == walked


def test_a_literal_walk_counts_what_a_counted_one_charges():
    for design in WALK_ALL:
        counted = teardown(design, 15, 10, 7, walk="counted")
        literal = teardown(design, 15, 10, 7, walk="literal")
        assert counted.snapshot() == literal.snapshot()
        for key, value in counted.counters.items():
            if key != "creation_delays_ns":
                assert literal.counters[key] == value, key


# --- growth: a population that is removed all at once ---


def storm(design, cgroups, caches):
    """Make *cgroups* with *caches* each, let all live, remove all; return counters."""
    kernel = Kernel(design, machine=Machine(cpus=8))
    for i in range(caches):
        kernel.create_cache(f"cache-{i}", object_size=192, accounted=True)
    child = kernel.program(
        [(4, 0, 0, 0, 0), (5, 0, caches, 2, 0), (7, ms(20), 0, 0, 0), (10, 5, 0, 0, 0)]
    )
    life = kernel.program(
        [
            (1, 0, 0, 0, 0),
            (3, child, 0, 0, 0),
            (11, 0, 0, 0, 0),
            (12, 10**13, 0, 0, 0),
            (2, 0, 0, 0, 0),
        ]
    )
    for _ in range(cgroups):
        kernel.spawn(life)
    kernel.run()
    kernel.drain()
    return kernel.counters


def test_a_million_caches_live_and_die_under_the_series():
    cgroups, caches = 10_000, 100
    counters = storm("4.11", cgroups, caches)
    assert counters["caches"]["created"] == cgroups * caches
    assert counters["caches"]["peak"] == caches + cgroups * caches
    assert counters["caches"]["live"] == caches
    assert counters["caches"]["dying"] == 0
    assert counters["cgroups"]["live"] == 0
    assert counters["list_hops"]["offline"] == cgroups * caches  # R = C here
    assert counters["list_hops"]["free"] == cgroups * caches
    assert counters["works"]["memcg_kmem_cache"]["run"] == (
        counters["misses"] + cgroups * caches
    )
    assert counters["kernfs_nodes"] == caches * Machine().kernfs_per_cache


def test_hops_grow_linearly_with_the_series_and_quadratically_before():
    sizes = (1_000, 2_000, 4_000)
    hops = {
        design: [sum(storm(design, n, 10)["list_hops"].values()) for n in sizes]
        for design in ("4.10", "4.11")
    }
    for small, large in zip(hops["4.11"], hops["4.11"][1:], strict=False):
        assert large / small == pytest.approx(2, rel=0.02)
    for small, large in zip(hops["4.10"], hops["4.10"][1:], strict=False):
        assert large / small == pytest.approx(4, rel=0.05)


def test_before_the_series_a_storm_walks_about_n_squared():
    """Most offlines see all N caches twice; the frees see them go one cgroup a time."""
    cgroups, caches = 10_000, 10
    counters = storm("4.10", cgroups, caches)
    total = caches + cgroups * caches
    offline = counters["list_hops"]["offline"]
    assert 0.95 * 2 * cgroups * total < offline <= 2 * cgroups * total
    left = [total - i * caches for i in range(cgroups)]
    assert counters["list_hops"]["free"] == sum(left)

"""The figures of the bug reports, from one set of costs for all kernels of a host."""

import itertools

import numpy as np
import pytest

from slabcore.comparison import compare

# --- bug 190841, Vladyslav Frolov's table of 2017-01-12: 3000 iterations ---

FROLOV = ("4.4", "4.6", "4.7", "4.8", "4.9", "4.10", "4.11")


@pytest.fixture(scope="module")
def frolov():
    return compare("frolov", FROLOV)


def seconds(comparison, design):
    return comparison[design].counters["virtual_ns"] / 1e9


@pytest.mark.parametrize(("design", "measured"), [("4.4", 13), ("4.6", 25)])
def test_the_inputs_of_190841_are_its_two_base_lines(frolov, design, measured):
    assert seconds(frolov, design) == pytest.approx(measured, rel=0.05)


@pytest.mark.parametrize("design", ["4.7", "4.8", "4.9"])
def test_a_grace_period_a_cache_takes_six_to_nine_minutes(frolov, design):
    assert 360 <= seconds(frolov, design) <= 540
    waited = frolov[design].counters["grace_periods"]
    assert waited["under_slab_mutex"] == 3000 * 8


def test_a_grace_period_a_cgroup_takes_about_a_minute(frolov):
    assert 48 <= seconds(frolov, "4.10") <= 72
    waited = frolov["4.10"].counters["grace_periods"]
    assert waited["under_cgroup_mutex"] == 3000
    assert waited["under_slab_mutex"] == 0


def test_the_series_costs_at_most_15_percent_more_than_4_6(frolov):
    assert seconds(frolov, "4.11") <= 1.15 * seconds(frolov, "4.6")
    assert frolov["4.11"].counters["grace_periods"]["synchronous"] == 0


def test_with_nokmem_every_kernel_is_the_base_line(frolov):
    off = compare("frolov", ["4.6", "4.9", "4.10"], overrides=["machine.kmem=off"])
    for design in ("4.6", "4.9", "4.10"):
        assert seconds(off, design) == pytest.approx(seconds(frolov, "4.4"), rel=0.03)
        assert off[design].counters["caches"]["created"] == 0


@pytest.mark.parametrize("cpus", [3, 4, 8])
def test_more_cpus_do_not_change_the_story(cpus):
    overrides = [f"machine.cpus={cpus}", "workload.programs.loop.repeat=1000"]
    run = compare("frolov", ["4.6", "4.9", "4.10", "4.11"], overrides=overrides)
    assert 120 <= seconds(run, "4.9") <= 180
    assert 16 <= seconds(run, "4.10") <= 24
    assert seconds(run, "4.11") <= 1.15 * seconds(run, "4.6")


def test_one_cpu_is_immune():
    overrides = ["machine.cpus=1", "workload.programs.loop.repeat=1000"]
    run = compare("frolov", ["4.6", "4.7", "4.8", "4.9"], overrides=overrides)
    for design in ("4.7", "4.8", "4.9"):
        assert seconds(run, design) == pytest.approx(seconds(run, "4.6"), rel=0.10)


# --- bugs 172981 and 172991, Doug Smythies: kworkers ---

PILING, CURED = ("4.7", "4.8", "4.9"), ("4.10", "4.11", "5.9")


@pytest.fixture(scope="module")
def smythies():
    return {
        cpus: compare("smythies", PILING + CURED, overrides=[f"machine.cpus={cpus}"])
        for cpus in (8, 2)
    }


@pytest.mark.parametrize(("cpus", "low", "high"), [(8, 2048, 2100), (2, 512, 530)])
@pytest.mark.parametrize("design", PILING)
def test_kworkers_pile_up_to_256_a_cpu(smythies, design, cpus, low, high):
    assert low <= smythies[cpus][design].counters["kworkers_peak"] <= high


@pytest.mark.parametrize("cpus", [8, 2])
@pytest.mark.parametrize("design", CURED)
def test_no_kworkers_pile_up_from_4_10_on(smythies, design, cpus):
    assert smythies[cpus][design].counters["kworkers_peak"] <= 5 * cpus + 1


@pytest.mark.parametrize("cpus", [8, 2])
@pytest.mark.parametrize("design", PILING)
def test_the_kworkers_leave_after_300_seconds(smythies, design, cpus):
    result = smythies[cpus][design]
    timeline = result.timeline
    drained = result.counters["drained_ns"]
    soon = timeline["t_ns"] < drained + 250_000_000_000
    after = soon & (timeline["t_ns"] > drained)
    late = timeline["t_ns"] > drained + 302_000_000_000
    assert timeline["kworkers"][after].min() > 200 * cpus
    assert late.any()
    assert timeline["kworkers"][late].max() <= 8 * cpus


# Bug 172981 was filed against SLAB: 2074 kworkers after boot, 2059 after eight simple
# jobs, on 8 CPUs with 4.7 and 4.8-rc7. Its creations wait for grace periods themselves.


@pytest.fixture(scope="module")
def smythies_slab():
    designs = ("4.6", "4.7", "4.9", "4.10", "4.11")
    return compare("smythies", designs, overrides=["machine.allocator=slab"])


def test_with_slab_over_2000_kworkers_wait_behind_creations_of_4_7(smythies_slab):
    counters = smythies_slab["4.7"].counters
    assert 2048 <= counters["kworkers_peak"] <= 2100
    created = counters["caches"]["created"]
    assert counters["grace_periods"]["under_slab_mutex"] == created
    assert counters["reaper"]["skipped"] > 0


@pytest.mark.parametrize("design", ["4.6", "4.9", "4.10", "4.11"])
def test_with_slab_no_other_kernel_piles_kworkers_up(smythies_slab, design):
    counters = smythies_slab[design].counters
    assert counters["kworkers_peak"] <= 5 * 8 + 1
    assert counters["grace_periods"]["under_slab_mutex"] == 0


def test_two_steps_answer_the_reviewer(smythies):
    """4.8 to 4.10 ends the pile-up, 4.10 to 4.11 the waiting and the walks."""
    by_design = {d: smythies[8][d].counters for d in ("4.8", "4.10", "4.11")}
    cgroups = by_design["4.8"]["cgroups"]["created"]
    caches = by_design["4.8"]["caches"]["created"]
    waited = {d: c["grace_periods"] for d, c in by_design.items()}
    assert waited["4.8"]["under_slab_mutex"] == caches
    assert waited["4.10"]["under_cgroup_mutex"] == cgroups
    assert waited["4.11"]["under_cgroup_mutex"] == 0
    hops = {d: sum(c["list_hops"].values()) for d, c in by_design.items()}
    assert hops["4.11"] * 5 < hops["4.10"]
    waits = {d: np.median(c["creation_delays_ns"]) for d, c in by_design.items()}
    assert waits["4.11"] < waits["4.10"] < waits["4.8"]


def test_a_recording_costs_each_kernel_what_its_waits_say():
    """The cgroup lives of a real 4.10: one grace period a cache, a cgroup, none."""
    run = compare("life-4.10", ["4.8", "4.9", "4.10", "4.11"])
    counters = {result.name: result.counters for result in run}
    created = {c["caches"]["created"] for c in counters.values()}
    assert created == {57}  # as sysfs_slab_add was called on the real one
    waited = {d: c["grace_periods"] for d, c in counters.items()}
    assert waited["4.9"]["under_slab_mutex"] == 57
    assert waited["4.10"]["under_cgroup_mutex"] == 3
    assert waited["4.11"]["synchronous"] == 0
    held = [counters[d]["locks"]["cgroup_mutex"]["held_ns"] for d in counters]
    assert all(a > b for a, b in itertools.pairwise(held))

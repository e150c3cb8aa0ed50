"""What time goes into: each cause is its count times its cost; phases add up."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from slabcore import report
from slabcore.comparison import CAUSES, Comparison, compare, seconds, spent
from slabcore.designs import Design, designs
from slabcore.kernel import Kernel, ms
from slabcore.machine import Costs, Machine
from slabcore.reference import world as reference

MKDIR, RMDIR, FORK, JOIN, ALLOC, PIN, SLEEP, RUN, CALLBACKS, EXIT, WAIT, AT, DROP = (
    range(1, 14)
)
MARK = 50
CACHES, ROUNDS, CGROUPS = 6, 2, 5
WITH_CHILDREN = [name for name in designs if designs[name].child_caches]

# No two steps cost the same, and a hop costs the same on every list.
COSTS = Costs(
    list_hop=((1, 7_000),),
    **{
        field.name: 1_000 + 17 * number
        for number, field in enumerate(dataclasses.fields(Costs))
        if "cost" in field.metadata and field.name not in ("list_hop", "ipi_halted")
    },
)


def boot(engine: Any, design: str | Design, **machine: Any) -> Kernel:
    """Boot a kernel with a program, number 1, that makes, uses and removes a cgroup."""
    if isinstance(design, str):
        design = designs[design].replace(accounting="always")
    kernel = Kernel(
        design,
        machine=Machine(cpus=2, costs=COSTS, **machine),
        engine=engine,
    )
    for number in range(CACHES):
        kernel.create_cache(
            f"c{number}",
            object_size=64,
            accounted=True,
            typesafe=number == 2,
            reclaimable=number == 0,
        )
    use = [
        (JOIN, 0, 0, 0, 0),
        (ALLOC, 0, CACHES, ROUNDS, 3_000),
        (SLEEP, ms(20), 0, 0, 0),
        (PIN, 0, 1, 3, 0),
        (EXIT, 12, 0, 0, 0),
    ]
    child = kernel.program(use)
    life = [(MKDIR, 0, 0, 0, 0), (FORK, child, 0, 0, 0), (WAIT, 0, 0, 0, 0)]
    life += [(RMDIR, 0, 0, 0, 0), (RUN, ms(2), 0, 0, 0)]
    assert kernel.program(life) == 1
    return kernel


def lived(engine: Any, name: str) -> Any:
    """Return what a kernel counted when cgroups lived and were freed."""
    kernel = boot(engine, name)
    kernel.spawn(1, repeat=CGROUPS)
    kernel.run()
    kernel.drop_caches()
    kernel.drain()
    return kernel.counters


# --- each cause ---


@pytest.mark.parametrize("name", WITH_CHILDREN)
def test_walks_take_their_hops(engine, name):
    counters = lived(engine, name)
    assert counters["time_ns"]["list_walks"] == 7 * sum(counters["list_hops"].values())


@pytest.mark.parametrize("name", WITH_CHILDREN)
def test_every_directory_is_added_and_removed_node_by_node(engine, name):
    counters = lived(engine, name)
    nodes = 32 * counters["caches"]["created"] * designs[name].child_sysfs
    assert counters["time_ns"]["sysfs_add"] == nodes * COSTS.kernfs_add
    assert counters["time_ns"]["sysfs_remove"] == nodes * COSTS.kernfs_remove


@pytest.mark.parametrize("name", WITH_CHILDREN)
def test_every_creation_is_checked_and_every_cache_made_and_released(engine, name):
    counters = lived(engine, name)
    spent, made = counters["time_ns"], counters["caches"]["created"]
    assert made == CACHES * CGROUPS
    checks, makes = COSTS.create_check * counters["misses"], COSTS.cache_create * made
    assert spent["create"] == checks + makes
    # What leaks is not released; what call_rcu() frees is released in a callback.
    released = made - counters["caches"]["leaked"]
    released -= CGROUPS if designs[name].typesafe_free == "call-rcu" else 0
    assert spent["release"] == COSTS.shutdown * made + COSTS.release * released


@pytest.mark.parametrize("name", WITH_CHILDREN)
def test_every_cache_is_shrunk_once(engine, name):
    counters = lived(engine, name)
    rest = counters["time_ns"]["shrink"] - COSTS.shrink * counters["caches"]["created"]
    assert rest % COSTS.page_free == 0


@pytest.mark.parametrize("name", list(designs))
def test_every_cgroup_takes_its_steps(engine, name):
    steps = (COSTS.cgroup_mkdir, COSTS.cgroup_attach, COSTS.cgroup_rmdir)
    steps += (COSTS.css_offline, 2 * COSTS.css_release, COSTS.css_free)
    if name in WITH_CHILDREN and designs[name].deactivation != "none":
        steps += (CACHES * COSTS.deactivate,)
    assert lived(engine, name)["time_ns"]["cgroups"] == CGROUPS * (
        sum(steps) + COSTS.cgroup_free
    )


@pytest.mark.parametrize("name", list(designs))
def test_programs_fork_exit_and_compute(engine, name):
    job = COSTS.fork + COSTS.exit + CACHES * ROUNDS * 3_000 + ms(2)
    assert lived(engine, name)["time_ns"]["programs"] == CGROUPS * job


@pytest.mark.parametrize("name", list(designs))
def test_callbacks_take_what_they_cost_one_by_one(engine, name):
    counters = lived(engine, name)
    invoked = counters["callbacks"]["invoked"]
    assert counters["time_ns"]["callbacks"] == invoked * COSTS.rcu_callback


def test_grace_periods_one_after_another_are_their_number_times_four_ticks(engine):
    kernel = boot(engine, "4.9")
    kernel.mkdir("/a")
    for number in range(CACHES):
        kernel.alloc(f"c{number}", "/a")
        kernel.free(f"c{number}", "/a")
    kernel.drain()
    kernel.rmdir("/a")
    kernel.drain()
    counters = kernel.counters
    waited = counters["time_ns"]["grace_periods"]
    assert counters["grace_periods"]["synchronous"] == CACHES
    # From one tick's softirq to another's; between two waits a cache is shrunk.
    assert CACHES * ms(16) - ms(1) < waited < CACHES * ms(16)


@pytest.mark.parametrize("name", ["4.4", "4.6", "4.11", "5.9"])
def test_designs_that_wait_for_no_grace_period_spend_none(engine, name):
    counters = lived(engine, name)
    waits = 0 if not designs[name].join_waits else 1
    assert bool(counters["time_ns"]["grace_periods"]) == bool(waits)


def test_ipis_are_those_of_the_broadcasts_and_of_the_barriers(engine):
    counters = lived(engine, "4.6")
    assert counters["time_ns"]["ipis"] == counters["ipis"] * COSTS.ipi


def test_a_barrier_takes_a_grace_period_behind_a_callback_and_nothing_alone(engine):
    spent = []
    for callbacks in (0, 50):
        kernel = boot(engine, "4.10")
        kernel.mkdir("/a")
        kernel.alloc("c2", "/a")
        kernel.drain()
        kernel.alloc("c2", "/a")
        kernel.free("c2", "/a", count=2)
        kernel.drain()
        kernel.rmdir("/a")
        while not kernel.counters["rcu_barriers"]:
            if callbacks:
                kernel.spawn(kernel.program([(CALLBACKS, callbacks, 0, 0, 0)]))
            kernel.advance(ms(1))
        kernel.drain()
        spent.append(kernel.counters["time_ns"]["barriers"])
    assert spent[0] == 0
    assert ms(4) < spent[1] <= ms(24)


@pytest.fixture
def ran(monkeypatch) -> list[int]:
    """Collect the length of every step that a task of the reference runs."""
    lengths: list[int] = []

    class Counted(reference.Run):
        def __new__(cls, ns: int, user: bool = False) -> Any:
            lengths.append(ns)
            return super().__new__(cls, ns, user)

    monkeypatch.setattr(reference, "Run", Counted)
    return lengths


def live_through(design: Design, **machine: Any) -> Kernel:
    """Do all that takes time on the reference: cgroups, hotplug, root caches."""
    kernel = boot("reference", design, **machine)
    kernel.spawn(1, repeat=CGROUPS)
    kernel.run()
    for event in ("cpu-dead", "memory-online", "memory-offline"):
        kernel.hotplug(event)
    kernel.create_cache("late", object_size=64)
    kernel.create_cache("alias", object_size=64)
    kernel.drop_caches()
    kernel.drain()
    for cache in ("late", "alias", "c0", "c2"):
        kernel.destroy_cache(cache)
    kernel.drain()
    kernel.advance(ms(5_000))
    return kernel


def check_causes(kernel: Kernel, ran: list[int]) -> None:
    spent = dict(kernel.counters["time_ns"])
    assert set(spent) == set(CAUSES)
    del spent["grace_periods"], spent["barriers"]
    assert sum(spent.values()) == sum(ran) > 0


@pytest.mark.parametrize("allocator", ["slub", "slab"])
@pytest.mark.parametrize("name", list(designs))
def test_every_step_that_takes_time_has_a_cause(name, allocator, ran):
    check_causes(live_through(designs[name], allocator=allocator), ran)


VARIANTS: dict[str, tuple[Any, ...]] = {
    "reparenting": (True,),
    "child_sysfs": (True,),
    "typesafe_free": ("call-rcu", "barrier-per-cache"),
    "root_destroy": ("flush-first", "flush-twice", "flush-at-zero", "unlink-first"),
    "busy_children": ("single-pass",),
    "sysfs_removal": ("work-leaks", "work", "shutdown", "unlocked"),
}


@pytest.mark.parametrize(
    ("knob", "value"), [(knob, value) for knob in VARIANTS for value in VARIANTS[knob]]
)
def test_the_variants_of_the_series_give_their_steps_a_cause_too(knob, value, ran):
    check_causes(live_through(designs["4.11"].replace(**{knob: value})), ran)


# --- phases ---


def test_the_first_task_at_a_mark_begins_the_phase(engine):
    kernel = boot(engine, "4.9")
    marked = kernel.program([(RUN, ms(1), 0, 0, 0), (MARK, 3, 0, 0, 0)])
    kernel.spawn(marked, at_ns=ms(5))
    kernel.spawn(marked, at_ns=ms(7), repeat=4)
    kernel.run()
    switch = COSTS.context_switch
    (at,) = [mark["at_ns"] for mark in kernel.counters["marks"].values()]
    assert at == ms(6) + switch
    assert list(kernel.counters["marks"]) == [3]


def test_a_mark_keeps_what_was_counted_until_then(engine):
    kernel = boot(engine, "4.9")
    kernel.spawn(1, repeat=CGROUPS)
    kernel.run()
    kernel.drain()
    before = kernel.counters
    kernel.spawn(kernel.program([(MARK, 0, 0, 0, 0)]))
    kernel.run()
    kernel.spawn(1)
    kernel.run()
    (mark,) = kernel.counters["marks"].values()
    assert {key: before[key] for key in mark if key != "at_ns"} == {
        key: value for key, value in mark.items() if key != "at_ns"
    }


def test_a_child_can_go_through_its_steps_again(engine):
    kernel = boot(engine, "4.9")
    twice = kernel.program([(FORK, 1, 0, 3, 0), (WAIT, 0, 0, 0, 0)])
    kernel.spawn(twice)
    kernel.run()
    assert kernel.counters["cgroups"]["created"] == 3
    assert kernel.counters["iterations"] == 1


PHASES = """\
name = "phases"
title = "Three phases, of which one never comes"
source = "made up"
begin_s = 1
cache = [{ name = "a", copies = 4, object_size = 64, reclaimable = true }]

[[program]]
name = "one"
steps = [
  { do = "mark", phase = "make" },
  { do = "mkdir" },
  { do = "fork", child = [
    { do = "join" },
    { do = "alloc", caches = 4, count = 2 },
    { do = "sleep", ms = 100 },
    { do = "pin", caches = 2 },
  ] },
  { do = "wait" },
  { do = "mark", phase = "destroy" },
  { do = "rmdir" },
  { do = "sleep", ms = 500 },
  { do = "drop_caches" },
]

[[program]]
name = "none"
copies = 0
steps = [{ do = "mark", phase = "never" }]
"""


@pytest.fixture(params=["4.6", "4.9", "4.10", "4.11"])
def phased(request, engine, tmp_path) -> Comparison:
    path = tmp_path / "phases.toml"
    path.write_text(PHASES)
    return compare(path, [request.param], engine=engine)


def test_phases_follow_one_another_to_the_end(phased):
    (result,) = (result.to_dict() for result in phased)
    make, destroy, never = result["phases"].values()
    assert list(result["phases"]) == ["make", "destroy", "never"]
    assert make["began_s"] == COSTS_SWITCH_S
    assert make["began_s"] + make["lasted_s"] == pytest.approx(destroy["began_s"])
    end = destroy["began_s"] + destroy["lasted_s"]
    assert end == pytest.approx(result["drained_s"])
    assert (never["began_s"], never["lasted_s"]) == (None, 0)
    assert not any(never["time_s"].values())


COSTS_SWITCH_S = Costs().context_switch / 1e9


def test_phases_add_up_to_the_run(phased):
    (result,) = (result.to_dict() for result in phased)
    phases = list(result["phases"].values())
    for cause, whole in result["time_s"].items():
        assert sum(p["time_s"][cause] for p in phases) == pytest.approx(whole)
    for step, whole in result["list_hops"].items():
        assert sum(p["list_hops"][step] for p in phases) == whole
    for mutex in ("cgroup_mutex", "slab_mutex"):
        holds = sum(p["locks"][mutex]["holds"] for p in phases)
        assert holds == result["locks"][mutex]["holds"]
    waited = sum(p["grace_periods"]["synchronous"] for p in phases)
    assert waited == result["grace_periods"]["synchronous"]
    assert [p["caches_at_end"] for p in phases] == [4, 0, 0]


def test_the_table_shows_phases_and_on_request_the_whole_run(phased):
    shown, more = str(phased.table()), str(phased.table(times=True))
    assert "make lasts" in shown
    assert "destroy lasts" in shown
    assert "time of all tasks together" not in shown
    assert more.startswith(shown)
    assert "time of all tasks together" in more


def test_words_say_where_the_time_of_each_phase_went():
    small = ("workload.parameters.rounds=4",)
    storm = compare("reclaim-storm", ["4.9", "4.11"], overrides=small)
    said = [line for line in report.verdict(storm) if " lasts " in line]
    assert [line.partition(" lasts ")[0] for line in said] == [
        *("4.9: rmdir", "4.11: rmdir"),
        *("4.9: drain", "4.11: drain"),
    ]
    assert "waits for grace periods" in said[0]
    assert "grace periods" not in said[1]
    phase = storm["4.9"].to_dict()["phases"]["drain"]
    largest = max(spent(phase), key=spent(phase).__getitem__)
    assert f"its tasks: {seconds(spent(phase)[largest])} {largest}" in said[2]

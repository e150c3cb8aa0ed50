"""The event log: what it says of a life, that it costs nothing, that it reads back."""

from __future__ import annotations

import pytest

from slabcore import _core, reference
from slabcore.designs import designs
from slabcore.kernel import EVENTS, LOG, Kernel
from slabcore.machine import Costs, Machine
from slabcore.traces import Trace

MS = 1_000_000
MKDIR, RMDIR, FORK, JOIN, ALLOC, SLEEP, WAIT = 1, 2, 3, 4, 5, 7, 11


def lives(design: str, *, log: bool = True, engine: str = "core") -> Kernel:
    """Run three lives of a cgroup, one after the other."""
    kernel = Kernel(
        design,
        machine=Machine(cpus=2, kmem="on", costs=Costs.preset("rk")),
        engine=engine,
        log=log,
    )
    for n in range(5):
        kernel.create_cache(f"c{n}", object_size=64, accounted=True, typesafe=n == 2)
    kernel.mkdir("/before")
    child = kernel.program([(JOIN, 0, 0, 0, 0), (ALLOC, 0, 5, 20, 1000)])
    life = [(MKDIR, 0, 0, 0, 0), (FORK, child, 0, 0, 0), (WAIT, 0, 0, 0, 0)]
    life += [(SLEEP, 40 * MS, 0, 0, 0), (RMDIR, 0, 0, 0, 0), (SLEEP, 300 * MS, 0, 0, 0)]
    kernel.spawn(kernel.program(life), repeat=3)
    kernel.run()
    kernel.drain()
    return kernel


def counted(kernel: Kernel) -> dict[str, int]:
    events = kernel.log["event"].tolist()
    return {name: events.count(number) for number, name in enumerate(EVENTS)}


@pytest.mark.parametrize("design", designs)
def test_the_log_has_what_the_counters_counted(design: str) -> None:
    kernel = lives(design)
    seen, counters = counted(kernel), kernel.counters
    works = counters["works"].values()
    assert seen["cgroup_mkdir"] == counters["cgroups"]["created"]
    assert seen["cgroup_rmdir"] == seen["cgroup_release"] == 3
    assert seen["sysfs_slab_add"] == counters["caches"]["created"]
    caches = counters["caches"]
    assert seen["slab_kmem_cache_release"] == caches["created"] - caches["leaked"]
    assert seen["synchronize_sched"] == counters["grace_periods"]["synchronous"]
    assert seen["rcu_barrier"] == counters["rcu_barriers"]
    assert seen["workqueue_queue_work"] == sum(work["queued"] for work in works)
    assert seen["workqueue_execute_start"] == sum(work["run"] for work in works)
    assert seen["workqueue_execute_start"] == seen["workqueue_execute_end"]


@pytest.mark.parametrize("engine", ["core", "reference"])
@pytest.mark.parametrize("design", ["4.13", "5.3"])
def test_a_work_on_a_cache_that_is_destroyed_names_no_cgroup(engine, design) -> None:
    late = 0
    for ms in range(0, 48, 4):
        kernel = Kernel(
            designs[design].replace(root_destroy="at-once"),
            machine=Machine(cpus=2),
            engine=engine,
            log=True,
        )
        kernel.create_cache("filp", object_size=192, accounted=True)
        kernel.mkdir("/a")
        kernel.alloc("filp", "/a")
        kernel.free("filp", "/a")
        kernel.drain()
        kernel.rmdir("/a")
        kernel.advance(ms * MS)
        kernel.destroy_cache("filp")
        # Another may have the place of the first in memory by then.
        kernel.mkdir("/b")
        kernel.drain()
        shut = set()
        for row in kernel.log:
            event = EVENTS[row["event"]]
            if event == "shutdown_cache":
                shut.add(int(row["cache"]))
            elif event.startswith("workqueue_") and row["cache"] in shut:
                assert row["memcg"] == -1
                late += 1
    assert late


@pytest.mark.parametrize("design", designs)
def test_both_engines_write_one_log(design: str) -> None:
    core, twin = lives(design), lives(design, engine="reference")
    assert core.log.tolist() == twin.log.tolist()
    assert list(core.ftrace()) == list(twin.ftrace())


@pytest.mark.parametrize("engine", [_core, reference])
def test_a_log_that_is_off_stays_empty(engine: object) -> None:
    kernel = lives("4.8", log=False, engine=engine.__name__.split(".")[-1].lstrip("_"))
    assert len(kernel.log) == 0
    assert kernel.log.dtype == LOG


def test_a_log_changes_nothing() -> None:
    with_log, without = lives("4.10").counters, lives("4.10", log=False).counters
    delays = (c.pop("creation_delays_ns").tolist() for c in (with_log, without))
    assert next(delays) == next(delays)
    assert with_log == without


def test_time_goes_forward_in_the_log() -> None:
    log = lives("4.8").log
    assert (log["t_ns"][1:] >= log["t_ns"][:-1]).all()


@pytest.mark.parametrize("design", ["4.8", "4.10", "4.11"])
def test_the_log_reads_back_as_a_recording(design: str) -> None:
    kernel = lives(design)
    trace = Trace.fold(line + "\n" for line in kernel.ftrace())
    log = kernel.log
    assert len(trace.cgroups) == 4
    for name in ("mkdir", "rmdir", "release"):
        noted = log["t_ns"][log["event"] == EVENTS.index(f"cgroup_{name}")] // 1000
        times = [getattr(cgroup, f"{name}_ns") for cgroup in trace.lives]
        assert [at // 1000 for at in times if at is not None] == noted.tolist()
    assert [len(cgroup.attaches) for cgroup in trace.lives] == [0, 1, 1, 1]


def test_a_nested_cgroup_has_its_parents_path() -> None:
    kernel = Kernel("4.8", log=True)
    kernel.mkdir("/a")
    kernel.mkdir("/a/b")
    trace = Trace.fold(line + "\n" for line in kernel.ftrace())
    assert [cgroup.path for cgroup in trace.lives] == ["/1", "/1/2"]

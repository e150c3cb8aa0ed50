"""Workloads: what the files say, what they compile to, and how errors name places."""

import re

import numpy as np
import pytest

from slabcore.comparison import compare, prepare
from slabcore.designs import find
from slabcore.errors import InputError
from slabcore.machine import Costs, Machine
from slabcore.overrides import override, parse
from slabcore.workloads import Spawn, load, workloads

FILE = """\
name = "small"
title = "A cgroup"
source = "made up"
root_caches = 4

[machine]
cpus = 2

[[cache]]
name = "dentry"
object_size = 192

# who runs
[[program]]
name = "loop"
copies = "cpus"
repeat = 3
steps = [
  { do = "mkdir" },
  { do = "fork", callbacks = 2, child = [
    { do = "join" },
    { do = "alloc", caches = 1, count = 3, gap_us = 5 },
    { do = "exit", callbacks = 3 },
  ] },
  { do = "wait" },
  { do = "rmdir" },
]
"""

EVERY_STEP = """\
name = "steps"
title = "Every step"
source = "made up"
cache = [{ name = "a", object_size = 64 }, { name = "b", object_size = 64 }]

[[program]]
name = "all"
steps = [
  { do = "mkdir" },
  { do = "mkdir", inside = true },
  { do = "rmdir" },
  { do = "fork", child = [{ do = "wait" }], callbacks = 1 },
  { do = "join" },
  { do = "alloc", caches = 1, first = 1, count = 4, gap_us = 2.5 },
  { do = "pin", caches = 2, count = 6 },
  { do = "sleep", ms = 0.001 },
  { do = "run", ms = 2 },
  { do = "run", ms = 2, when = "kmem" },
  { do = "callbacks", count = 9 },
  { do = "exit" },
  { do = "wait" },
  { do = "at", ms = 12 },
  { do = "drop_caches" },
  { do = "hotplug", event = "memory-offline" },
  { do = "mark", phase = "late" },
  { do = "mark", phase = "later" },
  { do = "mark", phase = "late" },
  { do = "fork", child = [], repeat = 5 },
  { do = "fork", child = [], copies = 2 },
  { do = "fork", child = [], copies = 0 },
  { do = "create_cache", object_size = 64, accounted = true, mergeable = false },
  { do = "create_cache", object_size = 72, typesafe = true, reclaimable = true },
  { do = "hold", count = 3 },
  { do = "hold", count = 3, cache = "a" },
  { do = "free", count = 2, cache = "b" },
  { do = "destroy_cache" },
]
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "small.toml"


@pytest.fixture
def small(path):
    path.write_text(FILE)
    return load(path)


# --- files ---


def test_steps_compile_to_what_the_engine_reads(path):
    path.write_text(EVERY_STEP)
    programs, spawns = load(path).compile(Machine())
    assert programs == [
        [(11, 0, 0, 0, 0)],
        [],
        [],
        [
            (1, 0, 0, 0, 0),
            (1, 1, 0, 0, 0),
            (2, 0, 0, 0, 0),
            (3, 0, 1, 0, 0),
            (4, 0, 0, 0, 0),
            (5, 1, 1, 4, 2_500),
            (6, 0, 2, 6, 0),
            (7, 1_000, 0, 0, 0),
            (8, 2_000_000, 0, 0, 0),
            (8, 2_000_000, 1, 0, 0),
            (9, 9, 0, 0, 0),
            (10, 0, 0, 0, 0),
            (11, 0, 0, 0, 0),
            (12, 12_000_000, 0, 0, 0),
            (13, 0, 0, 0, 0),
            (30, 2, 0, 0, 0),
            (50, 0, 0, 0, 0),
            (50, 1, 0, 0, 0),
            (50, 0, 0, 0, 0),
            (3, 1, 0, 5, 0),
            (3, 2, 0, 0, 0),
            (3, 2, 0, 0, 0),
            (16, 64, 1, 0, 0),
            (16, 72, 2 + 4 + 8 + 16, 0, 0),
            (14, 0, 3, 0, 0),
            (14, 1, 3, 0, 0),
            (15, 2, 2, 0, 0),
            (17, 0, 0, 0, 0),
        ],
    ]
    assert spawns == [Spawn(program=3, repeat=1, at_ns=0, until_ns=0, copies=1)]


READERS = """\
name = "readers"
title = "Readers of slabinfo"
source = "made up"
parameters = { bytes = 512, pause = 3, keeps = 1 }

[[program]]
name = "reader"
steps = [
  { do = "slabinfo" },
  { do = "slabinfo", read = 100, pause_ms = 0.5, reader = "cursor" },
  { do = "slabinfo", read = "bytes", pause_ms = "pause", reader = "keeps" },
]
"""


def test_a_reader_of_slabinfo_takes_figures_or_parameters(path):
    path.write_text(READERS)
    readers = load(path)
    assert readers.compile(Machine())[0] == [
        [(44, 4096, 0, 0, 0), (44, 100, 500_000, 1, 0), (44, 512, 3_000_000, 1, 0)]
    ]
    index = override(readers, "parameters.keeps", 0)
    assert index.compile(Machine())[0][0][2] == (44, 512, 3_000_000, 0, 0)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("bytes = 512", "bytes = 0", "'bytes' is 0; expected 1 byte or more"),
        ("keeps = 1", "keeps = 2", "'keeps' is over 1; expected 0 or 1"),
        ('"keeps" }', '"index" }', "'index'; expected a whole number from 0 to 1e+09"),
        ("read = 100", "rows = 36", "rows"),
    ],
)
def test_a_reader_that_cannot_be_is_refused(path, old, new, says):
    path.write_text(READERS.replace(old, new))
    with pytest.raises(InputError, match=re.escape(says)):
        load(path).check()


def test_a_program_can_run_once_a_cpu(small):
    _, spawns = small.compile(Machine(cpus=5))
    assert spawns == [Spawn(program=1, repeat=3, at_ns=0, until_ns=0, copies=5)]


def test_a_program_can_begin_late_and_stop_early(path):
    path.write_text(FILE.replace("repeat = 3", "repeat = 3\nat_ms = 2\nuntil_s = 1.5"))
    (spawn,) = load(path).compile(Machine())[1]
    assert (spawn.at_ns, spawn.until_ns) == (2_000_000, 1_500_000_000)


def test_a_workload_can_begin_after_boot(path):
    path.write_text(
        "begin_s = 2\n"
        + EVERY_STEP.replace("[[program]]", "[[program]]\nat_ms = 5\nuntil_s = 3")
    )
    programs, (spawn,) = load(path).compile(Machine())
    assert (spawn.at_ns, spawn.until_ns) == (2_005_000_000, 5_000_000_000)
    assert (12, 2_012_000_000, 0, 0, 0) in programs[3]


def test_caches_of_a_kind_are_numbered(path):
    path.write_text(
        FILE.replace('"dentry"', '"dentry"\ncopies = 2').replace("= 4", "= 5")
    )
    roots = load(path).roots()
    assert [root.name for root in roots] == [
        *("dentry-1", "dentry-2"),
        *("root-3", "root-4", "root-5"),
    ]
    assert [root.object_size for root in roots] == [192, 192, 256, 256, 256]


def test_a_workload_says_how_often_its_timeline_is_sampled(path):
    path.write_text("sample_s = 0.25\n" + FILE)
    result = compare(path, ["4.9"], overrides=["workload.settle_s=2"])["4.9"]
    assert set(np.diff(result.timeline["t_ns"])) == {250_000_000}


def test_root_caches_are_filled_up_with_plain_ones(small):
    roots = small.roots()
    assert [root.name for root in roots] == ["dentry", "root-2", "root-3", "root-4"]
    assert [root.accounted for root in roots] == [True, False, False, False]


def test_the_host_is_the_files(small):
    assert small.host() == Machine(cpus=2)


@pytest.mark.parametrize("name", workloads())
def test_every_built_in_workload_says_what_is_put_in_and_from_where(name):
    workload = load(name)
    assert workload.name == name
    assert workload.source
    assert workload.inputs
    machine = workload.host()
    programs, spawns = workload.compile(machine)
    assert programs
    assert spawns
    for figure in workload.reported:
        assert figure.low <= figure.high
        assert find(figure.design)


def test_frolov_is_one_loop_of_3000_and_smythies_a_job_a_cpu():
    (frolov,) = load("frolov").compile(Machine(cpus=8))[1]
    assert (frolov.copies, frolov.repeat) == (1, 3000)
    (smythies,) = load("smythies").compile(Machine(cpus=8))[1]
    assert smythies.copies == 8


def test_doug_makes_600_cgroups_in_60_seconds_with_the_measured_hosts_costs():
    doug = load("doug")
    (spawn,) = doug.compile(doug.host())[1]
    assert spawn.copies * spawn.repeat == 600
    assert spawn.until_ns - spawn.at_ns == 60_000_000_000
    assert doug.host().costs == Costs.preset("rk")


@pytest.mark.parametrize(("name", "gap_ns"), [("doug", 8_000), ("smythies", 4_000)])
def test_a_cgroup_allocates_as_often_as_was_counted(name, gap_ns):
    programs = load(name).compile(Machine())[0]
    allocs = [step for steps in programs for step in steps if step[0] == 5]
    assert sum(caches * count for _, _, caches, count, _ in allocs) == 418
    assert {gap for *_, gap in allocs} == {gap_ns}


# --- the storm of the cover letter ---


def storm(cgroups, design, *, at_once=1, more=0):
    """Run the storm; *more*: so many containers that come while the host drains."""
    settings = (
        f"workload.programs.host.steps.1.copies={at_once}",
        f"workload.parameters.rounds={cgroups // at_once}",
        f"workload.parameters.meanwhile={more}",
    )
    return compare("reclaim-storm", [design], overrides=settings)[design].to_dict()


ROOTS, CACHES = 180, 60


def walked(cgroups):
    """Return the hops of a walk over all caches at each of so many removals."""
    return sum(ROOTS + CACHES * number for number in range(1, cgroups + 1))


@pytest.mark.parametrize("cgroups", [50, 200, 5000])
@pytest.mark.parametrize(
    ("design", "periods", "walks"), [("4.9", CACHES, 1), ("4.10", 1, 2), ("4.11", 0, 0)]
)
def test_reclaim_storm_leaves_all_caches_until_reclaim(design, periods, walks, cgroups):
    result = storm(cgroups, design)
    rmdir, drain = result["phases"]["rmdir"], result["phases"]["drain"]
    assert rmdir["caches_at_end"] == result["caches"]["peak"] == CACHES * cgroups
    assert rmdir["cgroups_at_end"] == result["cgroups"]["peak_dying"] == cgroups
    assert (drain["caches_at_end"], drain["cgroups_at_end"]) == (0, 0)
    assert rmdir["grace_periods"]["synchronous"] == cgroups * periods
    assert drain["grace_periods"]["synchronous"] == 0
    linear = design == "4.11"
    assert rmdir["list_hops"]["offline"] == (
        cgroups * ROOTS if linear else walks * walked(cgroups)
    )
    assert drain["list_hops"]["free"] == (
        cgroups * CACHES if linear else walked(cgroups)
    )
    assert (result["rcu_barriers"] == cgroups) == (not linear)


@pytest.mark.parametrize("design", ["4.9", "4.10", "4.11"])
def test_reclaim_storm_with_300_000_caches_splits_into_what_it_is_made_of(design):
    result = storm(5000, design, at_once=10)
    costs = load("reclaim-storm").host().costs
    caches, early = 300_000, design != "4.11"
    assert result["caches"]["created"] == caches
    # "many millions of kernfs_nodes", unless children have no directories
    nodes = 32 * (ROOTS + caches * early)
    assert nodes <= result["kernfs_nodes_peak"] <= nodes + 10 * 27
    rmdir, drain = result["phases"]["rmdir"], result["phases"]["drain"]
    spent = drain["time_s"]
    removal = 32 * caches * early * costs.kernfs_remove / 1e9
    assert spent["sysfs_remove"] == pytest.approx(removal)
    assert spent["release"] == pytest.approx(
        caches * (costs.shutdown + costs.release) / 1e9
    )
    # Reclaim frees on one CPU, so the works of the drain run one after another.
    parts = ("list_walks", "sysfs_remove", "release", "cgroups", "barriers")
    assert sum(spent[part] for part in parts) == pytest.approx(
        drain["lasted_s"], rel=0.01, abs=2.2
    )
    periods = rmdir["grace_periods"]["synchronous"]
    if periods:
        length = rmdir["time_s"]["grace_periods"] / periods
        assert 0.012 < length <= 0.016
        walks = rmdir["time_s"]["list_walks"]
        assert walks + rmdir["time_s"]["grace_periods"] == pytest.approx(
            rmdir["locks"]["cgroup_mutex"]["held_s"], rel=0.06
        )


@pytest.mark.parametrize(
    ("design", "left", "barriers"),
    [("series-v1", CACHES, False), ("4.11", CACHES, True), ("5.3", 2, True)],
)
def test_what_reclaim_finds_is_every_cache_until_caches_move(design, left, barriers):
    result = storm(200, design)
    rmdir, drain = result["phases"]["rmdir"], result["phases"]["drain"]
    assert rmdir["caches_at_end"] == 200 * left
    assert drain["caches_at_end"] == 0
    assert bool(result["rcu_barriers"]) == barriers
    # The first posting removes the directories of empty caches early, all but two.
    nodes = 32 * ROOTS + (32 * 200 * 2 if design == "series-v1" else 0)
    assert rmdir["kernfs_nodes_at_end"] == nodes


def test_reclaim_drains_slowly_where_offlines_hold_slab_mutex():
    quiet, busy = storm(1000, "4.9"), storm(1000, "4.9", more=1200)
    series = storm(1000, "4.11", more=1200)
    waits = [
        result["phases"]["drain"]["locks"]["slab_mutex"]["waited_s"]
        for result in (quiet, busy, series)
    ]
    assert waits[0] == 0
    # Nearly each of the 1000 is destroyed behind an offline, 60 grace periods long.
    assert 750 < waits[1] / (CACHES * 0.016) < 1200
    assert waits[2] < 1


# --- a day of health checks ---


@pytest.fixture(scope="module")
def day():
    return compare("health-check", ["4.9", "4.10", "4.11"])


CHECKS, A_CHECK, OF_CGROUP = 3456, 5, 55


@pytest.mark.parametrize("design", ["4.9", "4.10"])
def test_a_day_of_health_checks_leaves_tens_of_millions_of_kernfs_nodes(day, design):
    result = day[design].to_dict()
    cgroups = CHECKS * A_CHECK
    assert result["virtual_s"] == pytest.approx(86_400, rel=0.001)
    assert result["caches"]["left"] == cgroups * OF_CGROUP == 950_400
    assert result["cgroups"]["left"] == cgroups
    # Directories of caches stay; those of at most five cgroups are there at a time.
    nodes = 31 * (99 + cgroups * OF_CGROUP)
    assert 0 <= result["kernfs_nodes_peak"] - nodes <= 27 * A_CHECK
    assert 20e6 < result["kernfs_nodes_peak"] < 60e6
    assert result["drained_s"] is None


def test_a_day_of_health_checks_leaves_as_many_caches_but_no_nodes_with_the_series(day):
    result = day["4.11"].to_dict()
    assert result["caches"]["left"] == 950_400
    assert result["kernfs_nodes_peak"] == 31 * 99 + 27 * A_CHECK


def test_grace_periods_take_a_sixth_of_that_day_under_cgroup_mutex(day):
    result = day["4.9"].to_dict()
    assert result["grace_periods"]["under_cgroup_mutex"] == 950_400
    assert result["time_s"]["grace_periods"] == pytest.approx(950_400 * 0.016, rel=0.01)
    held = result["locks"]["cgroup_mutex"]["held_s"] / result["virtual_s"]
    assert 1 / 6 < held < 1 / 4


# --- days of cron jobs ---

DAY = 86_400


def pods(design, *settings):
    return compare("cronjob-node", [design], overrides=settings)[design].to_dict()


@pytest.mark.parametrize("design", ["4.4", "4.6"])
def test_ten_pods_a_minute_use_up_the_ids_of_an_old_kernel_in_a_day_and_a_half(design):
    result = pods(design)
    # 65,535 of 16 bits less the root's; three a pod, a pod every 6 s and a little
    assert result["cgroups"]["peak_dying"] == 65_534
    pod = result["mkdir_failed_s"] / (65_534 / 3)
    assert 6.0 < pod < 6.1
    assert 1.5 < result["mkdir_failed_s"] / DAY < 1.55
    assert result["mkdir_failures"] > 20_000


@pytest.mark.parametrize("design", ["4.9", "4.11"])
def test_ids_given_back_at_offline_are_not_used_up(design):
    result = pods(design)
    assert result["mkdir_failures"] == 0
    assert result["mkdir_failed_s"] is None
    assert result["cgroups"]["left"] == 3 * result["iterations"] > 65_535


def test_half_as_many_pods_last_twice_as_long():
    settings = ("workload.programs.pods.until_s=1000000",)
    slower = "workload.programs.pods.steps.5.ms=11000"
    often, seldom = (pods("4.6", *settings, *more) for more in ((), (slower,)))
    ratio = seldom["mkdir_failed_s"] / often["mkdir_failed_s"]
    assert ratio == pytest.approx(2, rel=0.01)


# --- the same on every engine and by every walk ---


@pytest.mark.parametrize("design", ["4.6", "4.9", "4.10", "4.11"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("reclaim-storm", ("parameters.rounds=1",)),
        ("reclaim-storm", ("parameters.rounds=1", "parameters.meanwhile=3")),
        ("health-check", ("programs.check.repeat=2",)),
        ("cronjob-node", ("programs.pods.repeat=3", "programs.pods.steps.5.ms=10")),
    ],
)
def test_a_small_one_is_the_same_in_the_twin_and_walked_for_real(
    name, settings, design
):
    overrides = [f"workload.{setting}" for setting in settings]
    core, twin, literal = (
        compare(name, [design], overrides=overrides, **how)[design].to_dict()
        for how in ({}, {"engine": "reference"}, {"walk": "literal"})
    )
    assert core == twin == literal


# --- errors ---

ALLOC = "program.loop.steps[1].child[1]"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            '"mkdir"',
            '"mkdri"',
            "18: program[0].steps[0].do: there is no step 'mkdri'; "
            "expected mkdir (nearest)",
        ),
        (
            "count = 3",
            "cuont = 3",
            "18: program[0].steps[1].child[1].cuont: there is no such field; "
            "expected count",
        ),
        (
            "gap_us = 5",
            'gap_us = "x"',
            "18: program[0].steps[1].child[1].gap_us: 'x'; "
            "expected a number from 0 to 1e+15",
        ),
        (
            "{ do = \"wait\" }",
            '"wait"',
            "18: program[0].steps[2]: 'wait'; expected a table",
        ),
        (
            'do = "join"',
            'doo = "join"',
            "18: program[0].steps[1].child[0]: incomplete; expected a field 'do'",
        ),
        (
            "caches = 1",
            "caches = 2",
            f"18: {ALLOC}: caches 0 to 1 are asked for; expected caches below 1",
        ),
        (
            "repeat = 3",
            "repeat = 0",
            "17: program[0].repeat: 0; expected a whole number from 1 to 1e+09",
        ),
        (
            '"cpus"',
            '"all"',
            "16: program.loop.copies: 'all'; "
            "expected a whole number from 0 to 1e+09 or 'cpus'",
        ),
        ('name = "loop"\n', "", "14: program[0]: incomplete; expected a field 'name'"),
        ("[[program]]", "[program]", "14: program: a table; expected a list of tables"),
        (
            "[[program]]",
            '[[cache]]\nname = "dentry"\nobject_size = 8\n[[program]]',
            "14: cache.dentry: the name is taken; expected another name",
        ),
        (
            "cpus = 2",
            "cpus = 0",
            "7: machine.cpus: 0; expected a whole number from 1 to 4096",
        ),
        (
            "cpus = 2",
            "cpu = 2",
            "7: machine.cpu: there is no such field; expected cpus",
        ),
        (
            "cpus = 2",
            'cpus = 2\ncosts = "rkk"',
            "8: costs: no preset 'rkk'; expected rk (nearest)",
        ),
        ("title", "titel", "2: titel: there is no such field; expected title"),
        ("repeat = 3", "repeat = 3 3", "17: expected newline or end of document after "
         "a statement"),
    ],
)  # fmt: skip
def test_an_error_names_the_line_the_place_and_what_was_expected(path, old, new, text):
    path.write_text(FILE.replace(old, new))
    with pytest.raises(InputError) as refusal:
        load(path)
    assert str(refusal.value) == f"{path}:{text}"


def test_a_file_that_ends_too_early_is_refused_at_its_last_line(path):
    path.write_text(FILE.rpartition("]")[0])
    with pytest.raises(InputError, match=rf"^{path}:26: "):
        load(path)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError) as refusal:
        load("smythis")
    assert str(refusal.value) == (
        "workload: 'smythis' is neither a built-in workload nor a file; "
        "expected smythies (nearest)"
    )


def test_a_name_that_is_like_nothing_is_answered_with_all():
    with pytest.raises(InputError, match=r"expected one of cache-churn, cronjob-"):
        load("zzz")


def test_a_file_that_is_not_there_or_not_text_is_refused(path):
    with pytest.raises(InputError, match=r"no such file or directory; expected a work"):
        load(path)
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(InputError, match=r"byte 8 is not UTF-8; expected TOML$"):
        load(path)


# --- overrides ---


def test_a_figure_is_found_by_names_and_numbers(small):
    changed = override(small, "programs.loop.steps.1.child.1.count", 7)
    assert changed.compile(Machine())[0][0][1] == (5, 0, 1, 7, 5_000)
    assert small.compile(Machine())[0][0][1] == (5, 0, 1, 3, 5_000)
    assert override(small, "programs.0.copies", 4).programs[0].copies == 4
    assert override(small, "settle_s", 2).settle_s == 2


def test_a_changed_cost_says_that_it_was_set_for_this_run():
    costs = override(Costs(), "ipi", 7)
    assert costs.ipi == 7
    assert costs.sources["ipi"] == "set for this run"


def test_a_knob_of_a_design_can_be_turned():
    assert override(find("4.9"), "create_queue", "ordered").create_queue == "ordered"


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [
        (
            "programs.lop.copies",
            3,
            "workload.programs.lop: there is nothing of that name; expected loop",
        ),
        (
            "programs.loop.steps.9.ms",
            3,
            "workload.programs.loop.steps.9: there is nothing of that name; "
            "expected one of 0, 1, 2, 3",
        ),
        (
            "settle",
            3,
            "workload.settle: there is nothing of that name; "
            "expected settle_s or title",
        ),
        (
            "programs.loop.copies",
            "many",
            "program.loop.copies: 'many'; "
            "expected a whole number from 0 to 1e+09 or 'cpus'",
        ),
        (
            "programs.loop.repeat",
            0,
            "workload.programs.loop.repeat: 0; expected a whole number from 1 to 1e+09",
        ),
        (
            "programs.loop",
            1,
            "workload.programs.loop: this is a table; "
            "expected one of name, steps, copies, repeat, total, at_ms, until_s, "
            "background",
        ),
        (
            "programs.loop.copies.x",
            1,
            "workload.programs.loop.copies.x: workload.programs.loop.copies has no "
            "parts; expected workload.programs.loop.copies=VALUE",
        ),
        (
            "machine",
            1,
            "workload.machine: this is a table; expected one of cpus, hz, allocator, "
            "kmem, kernfs_per_cache, kernfs_per_cgroup, page_size, "
            "other_kworkers, max_memcgs, charge_caches, costs",
        ),
    ],
)
def test_an_unknown_path_names_its_neighbours(small, place, value, text):
    with pytest.raises(InputError) as refusal:
        override(small, place, value, within="workload")
    assert str(refusal.value) == text


def test_a_step_on_a_cache_that_is_not_there_names_its_neighbours(path):
    path.write_text(
        FILE.replace('do = "rmdir"', 'do = "hold", count = 1, cache = "dent"')
    )
    with pytest.raises(InputError) as refusal:
        load(path)
    assert str(refusal.value).endswith("there is no cache 'dent'; expected dentry")


def test_a_workload_s_cache_can_be_shared_and_destroyed(path):
    path.write_text(
        FILE.replace('"dentry"', '"dentry"\naccounted = false\nmergeable = true')
        .replace('  { do = "mkdir" },\n', "")
        .replace(
            '{ do = "alloc", caches = 1, count = 3, gap_us = 5 }', '{ do = "wait" }'
        )
        .replace(
            '{ do = "rmdir" }',
            '{ do = "create_cache", object_size = 192 }, { do = "destroy_cache" }',
        )
    )
    counters = compare(path, ["4.11"])["4.11"].counters
    shared = counters["iterations"]
    assert counters["roots"]["aliases"] == shared
    assert counters["roots"]["destroyed"] == 0


def test_an_override_is_checked_as_the_file_is(small):
    with pytest.raises(InputError, match=r"expected caches below 1$"):
        override(small, "programs.loop.steps.1.child.1.caches", 2)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("a.b=3", 3),
        ("a.b=2.5", 2.5),
        ("a.b=true", True),
        ("a.b=off", "off"),
        ("a.b='off'", "off"),
        ("a.b=per-cpu-1", "per-cpu-1"),
        ("a.b=[[1, 2]]", [[1, 2]]),
        ("a.b=a = b", "a = b"),
    ],
)
def test_a_setting_is_toml_or_a_word(setting, value):
    assert parse(setting) == ("a.b", value)


@pytest.mark.parametrize("setting", ["a.b", "a.b=", "=3", ""])
def test_what_is_no_setting_is_refused(setting):
    with pytest.raises(InputError) as refusal:
        parse(setting)
    assert str(refusal.value) == (
        f"--set {setting}: this is no setting; expected PATH=VALUE"
    )


def test_no_more_cgroups_are_pinned_than_there_are():
    many = ["workload.parameters.pinned=300", "workload.parameters.cgroups=300"]
    prepare("storm", ["4.10"], None, many)
    with pytest.raises(InputError) as refusal:
        prepare("storm", ["4.10"], None, ["workload.parameters.pinned=1000"])
    assert str(refusal.value) == (
        "workload.parameters.pinned: 1000; expected 0 to cgroups, which is 100"
    )

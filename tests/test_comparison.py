"""Comparisons: the schema, what the figures must say, and the words about them."""

import inspect
import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

import slabcore
from slabcore import plot, report
from slabcore.ablation import ablate
from slabcore.comparison import CAUSES, compare, tables
from slabcore.designs import designs, find
from slabcore.errors import InputError
from slabcore.machine import Costs, Machine
from slabcore.traces import recording

NAMES = ["4.6", "4.8", "4.10", "4.11"]
SHORT = ("workload.programs.loop.repeat=10",)

LOCK = {"holds", "held_s", "waited_s", "longest_wait_s", "longest_queue"}
RESULT = {
    "design": None,
    "virtual_s": None,
    "iterations": None,
    "locks": {"cgroup_mutex": LOCK, "slab_mutex": LOCK},
    "grace_periods": {
        "synchronous",
        "under_cgroup_mutex",
        "under_slab_mutex",
        "asynchronous",
    },
    "rcu_barriers": None,
    "ipis": None,
    "list_hops": {
        "total",
        "create",
        "grow",
        "offline",
        "free",
        "reparent",
        "destroy",
        "hotplug",
        "reap",
        "slabinfo",
    },
    "caches": {"created", "peak", "peak_dying", "left"},
    "cgroups": {"peak", "peak_dying", "left"},
    "mkdir_failures": None,
    "mkdir_failed_s": None,
    "kernfs_nodes_peak": None,
    "slab_bytes_peak": None,
    "kworkers_peak": None,
    "load1_peak": None,
    "creation_delay_s": {"p50", "p99", "max"},
    "creations_never": None,
    "drained_s": None,
    "findings": None,
    "time_s": set(CAUSES),
    "phases": set(),
}


@pytest.fixture(scope="module")
def frolov():
    return compare("frolov", NAMES, overrides=SHORT)


@pytest.fixture(scope="module")
def smythies():
    return compare("smythies", NAMES[1:])


# --- the object ---


def test_the_object_has_the_published_shape(frolov):
    table = json.loads(frolov.to_json())
    assert list(table) == ["schema", "workload", "machine", "costs", "results"]
    assert table["schema"] == "slabcore.comparison/1"
    assert table["workload"]["name"] == "frolov"
    assert table["workload"]["settings"] == list(SHORT)
    assert table["machine"]["cpus"] == 4
    assert table["machine"]["model"]["name"] == "slabcore"
    assert table["costs"]["name"] == "frolov"
    assert [result["design"] for result in table["results"]] == NAMES
    for result in table["results"]:
        assert list(result) == list(RESULT)
        for key, shape in RESULT.items():
            if isinstance(shape, dict):
                assert set(result[key]) == set(shape)
                assert all(set(result[key][name]) == shape[name] for name in shape)
            elif shape is not None:
                assert set(result[key]) == shape
        for finding in result["findings"]:
            assert set(finding) == {"id", "text", "at_s", "count"}


def test_times_are_floats_in_seconds_and_counts_are_whole(frolov):
    for result in frolov.to_dict()["results"]:
        assert isinstance(result["virtual_s"], float)
        assert 0 < result["virtual_s"] <= result["drained_s"] < 10
        assert isinstance(result["load1_peak"], float)
        assert isinstance(result["list_hops"]["total"], int)
        steps = result["list_hops"]
        assert 2 * steps["total"] == sum(steps.values())


def test_a_design_is_named_as_it_was_asked_for(frolov):
    assert frolov["4.8"].name == "4.8"
    assert frolov["4.8"].design is find("4.7")
    with pytest.raises(TypeError, match="Result: expected the name of a design"):
        frolov[frolov["4.8"]]
    with pytest.raises(KeyError, match=r"4\.6, 4\.8, 4\.10, 4\.11"):
        frolov["4.9"]


def test_the_same_run_gives_the_same_bytes(frolov):
    assert compare("frolov", NAMES, overrides=SHORT).to_json() == frolov.to_json()


def test_both_engines_give_the_same_figures(engine):
    core = compare("frolov", NAMES, overrides=SHORT)
    other = compare("frolov", NAMES, overrides=SHORT, engine=engine)
    assert core.to_dict()["results"] == other.to_dict()["results"]


def test_every_preset_is_run_when_none_is_asked_for():
    overrides = ("workload.programs.loop.repeat=1",)
    compared = compare("frolov", overrides=overrides)
    assert [result.name for result in compared] == list(designs)
    assert len(compared) == len(designs)


def test_the_timeline_is_columns_over_virtual_time(frolov):
    timeline = frolov["4.8"].timeline
    assert np.all(np.diff(timeline["t_ns"]) > 0)
    assert {"caches", "kworkers", "load1", "creations_pending"} <= set(
        timeline.dtype.names
    )


def test_progress_is_told_before_each_design_and_at_the_end():
    told = []
    compare(
        "frolov",
        ["4.10", "4.11"],
        overrides=("workload.programs.loop.repeat=1",),
        progress=lambda *call: told.append(call),
    )
    assert told == [("4.10", 0, 2), ("4.11", 1, 2), ("", 2, 2)]


# --- what is put in ---


def test_a_given_machine_takes_the_place_of_the_workloads_own():
    machine = Machine(cpus=1, costs=Costs.preset("rk"))
    compared = compare("frolov", ["4.11"], machine=machine, overrides=SHORT)
    assert compared.machine == machine


def test_overrides_reach_workload_machine_costs_and_design():
    overrides = (
        *SHORT,
        "machine.cpus=2",
        "costs.ipi=5",
        "design.create_queue=ordered",
        "workload.settle_s=1",
    )
    compared = compare("frolov", ["4.11", "4.8"], overrides=overrides)
    assert compared.machine.cpus == 2
    assert compared.machine.costs.ipi == 5
    assert [r.design.create_queue for r in compared] == ["ordered", "ordered"]
    assert compared.workload.settle_s == 1
    assert compared.settings == overrides
    assert compared["4.11"].timeline["t_ns"][-1] >= 1e9


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (
            "foo.bar=3",
            "foo.bar: there is nothing of that name; "
            "expected workload.… or replay.… or machine.… or costs.… or design.…",
        ),
        (
            "machine.cpu=3",
            "machine.cpu: there is nothing of that name; expected cpus",
        ),
        (
            "design.creat_queue=system",
            "design.creat_queue: there is nothing of that name; "
            "expected create_queue or deactivate_queue or create_waits",
        ),
        (
            "design.create_queue=sytem",
            "design.create_queue: 'sytem'; "
            "expected 'system' or 'ordered' or 'per-cpu-1' or 'none'",
        ),
    ],
)
def test_an_override_of_nothing_is_refused(setting, text):
    with pytest.raises(InputError) as refusal:
        compare("frolov", ["4.11"], overrides=[setting])
    assert str(refusal.value) == text


def test_no_repetition_starts_after_until_s(engine):
    overrides = (*SHORT, "workload.programs.loop.until_s=0.5")
    compared = compare("frolov", ["4.8", "4.11"], overrides=overrides, engine=engine)
    slow, quick = (result.to_dict() for result in compared)
    assert quick["iterations"] == 10
    assert slow["iterations"] < 10
    assert 0.5 < slow["virtual_s"] < 0.7  # the last one took less than 0.2 s


def test_times_count_from_when_the_workload_begins():
    late = compare("frolov", ["4.8"], overrides=(*SHORT, "workload.begin_s=2.5"))
    late, counters = late["4.8"].to_dict(), late["4.8"].counters
    assert late["virtual_s"] == pytest.approx(counters["virtual_ns"] / 1e9 - 2.5)
    assert late["drained_s"] == pytest.approx(counters["drained_ns"] / 1e9 - 2.5)
    assert 0 < late["findings"][0]["at_s"] < late["virtual_s"] < 2


def test_no_design_at_all_is_refused():
    with pytest.raises(InputError, match=r"^designs: none is asked for"):
        compare("frolov", [])


def test_a_cgroup_that_is_left_means_that_nothing_is_drained(tmp_path):
    path = tmp_path / "left.toml"
    path.write_text(
        'name = "left"\ntitle = "t"\nsource = "s"\n'
        '[[program]]\nname = "p"\nsteps = [{ do = "mkdir" }]\n'
    )
    result = compare(path, ["4.11"])["4.11"].to_dict()
    assert result["drained_s"] is None
    assert result["cgroups"]["left"] == 1
    assert result["creation_delay_s"] == {"p50": None, "p99": None, "max": None}


def test_a_recording_is_replayed_under_every_design():
    compared = compare("ftrace-6.18", ["4.8", "4.10", "4.11", "5.9"])
    assert compared.workload.name == "ftrace-6.18"
    for result in compared:
        assert result.counters["cgroups"]["created"] == 300
        assert result.to_dict()["cgroups"]["left"] == 0
    waited = [r.counters["grace_periods"]["under_slab_mutex"] for r in compared]
    assert waited[0] > 5000
    assert waited[1:] == [0, 0, 0]


def test_what_a_recording_leaves_out_can_be_set(tmp_path):
    path = recording("life-4.10")
    compared = compare(path, ["4.11"], overrides=["replay.caches=5"])
    assert compared["4.11"].counters["caches"]["created"] == 5 * 3
    with pytest.raises(InputError, match=r"^replay\.cache: .*; expected caches"):
        compare(path, ["4.11"], overrides=["replay.cache=5"])


# --- what comes out ---


def test_frolov_waits_a_grace_period_a_cache_then_a_cgroup_then_none(frolov):
    caches = frolov["4.8"].counters["caches"]["created"]
    waited = {r.name: r.to_dict()["grace_periods"] for r in frolov}
    assert waited["4.6"]["under_slab_mutex"] == 0
    assert waited["4.8"]["under_slab_mutex"] == caches
    assert waited["4.10"]["under_slab_mutex"] == 0
    assert waited["4.10"]["under_cgroup_mutex"] == 10
    assert waited["4.11"]["synchronous"] == 0


def test_smythies_piles_up_256_workers_a_cpu_and_they_leave(smythies):
    peaks = {result.name: result.counters["kworkers_peak"] for result in smythies}
    assert 2048 <= peaks["4.8"] <= 2100
    assert peaks["4.10"] < 64
    assert peaks["4.11"] < 64
    assert smythies["4.8"].counters["kworkers"] < 64


def test_all_that_is_made_is_gone_in_the_end(frolov, smythies):
    for result in (*frolov, *smythies):
        table = result.to_dict()
        assert table["caches"]["left"] == table["cgroups"]["left"] == 0


# --- words ---


def test_the_answer_is_two_steps_and_the_pile_up_ends_before_the_series(smythies):
    lines = report.verdict(smythies)
    assert lines[0].startswith("4.8 → 4.10: grace periods waited for, a cgroup ")
    assert lines[1].startswith("4.10 → 4.11: grace periods waited for, a cgroup 1 → 0;")
    workers = f"{smythies['4.8'].counters['kworkers_peak']:,}".replace(",", " ")
    assert f"kworkers, most {workers} → " in lines[0]
    assert lines[2] == (
        f"The pile-up of {workers} kworkers ends with 4.10, before the series."
    )
    assert lines[3].startswith("The series itself (4.11) takes away a grace period ")
    delay = smythies["4.8"].to_dict()["creation_delay_s"]["p99"]
    assert f"{delay * 1e3:.3g} ms (p99)" in lines[5]
    assert sum("a creation stays pending for" in line for line in lines) == 3


def test_the_answer_follows_the_figures_not_the_story():
    overrides = (*SHORT, "design.create_queue=ordered")
    compared = compare("frolov", ["4.8", "4.10", "4.11"], overrides=overrides)
    assert report.verdict(compared)[2].startswith("kworkers do not pile up in this run")
    idle = compare("frolov", NAMES, overrides=(*SHORT, "machine.kmem=off"))
    lines = report.verdict(idle)
    assert "The series itself (4.11) takes nothing away in this run." in lines
    assert not any("pending" in line for line in lines)


def test_a_report_says_that_it_is_modelled_and_what_was_put_in(frolov):
    text = report.markdown(frolov)
    assert "Modelled, not measured: slabcore " in text
    assert "seed 0" in text
    assert "4.33 ms an iteration without accounting" in text
    assert "Changed for this run: workload.programs.loop.repeat=10." in text
    assert "on the real kernel" not in text
    whole = report.markdown(compare("frolov", NAMES))
    assert "| &emsp;on the real kernel | 8.33 | 120 to 180 | 20 |" in whole
    table = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    assert {line.count("|") for line in table[:20]} == {6}


def test_the_table_is_text_wherever_it_is_printed(frolov):
    text = str(frolov.table())
    assert text == repr(frolov.table())
    assert text.splitlines()[0].split() == NAMES
    assert max(map(len, text.splitlines())) < 100


def test_costs_that_weigh_come_with_their_sources(frolov):
    costs = report.costs_that_weigh(frolov)
    assert len(costs) == 6
    assert all(source for _, _, source in costs)


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("field", [field for field, _ in plot.CURVES])
def test_a_plot_has_a_curve_for_each_design(smythies, field, color, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = plot.terminal(smythies, field, color=color, width=80)
    assert all(name in text.splitlines()[-1] for name in NAMES[1:])
    assert ("\x1b[" in text) == color
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, plain.splitlines())) <= 80


def test_a_picture_needs_matplotlib_and_a_known_suffix(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"ends in \.png or \.svg or \.pdf$"):
        plot.check("curve.gif")
    with pytest.raises(InputError, match="no such directory"):
        plot.check(tmp_path / "none" / "curve.svg")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"expected pip install 'slabcore\[plot\]'$"):
        plot.check(tmp_path / "curve.svg")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    report.save(tmp_path / "report.md", "all of it\n")
    assert (tmp_path / "report.md").read_text() == "all of it\n"
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="expected a place to write a file"):
        report.save(tmp_path / "folder", "text")
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "folder"}


def test_a_table_of_all_designs_comes_in_parts_that_fit():
    compared = compare("frolov", overrides=["workload.programs.loop.repeat=3"])
    parts = list(tables(compared, 80))
    assert len(parts) > 1
    heads = [column.header for part in parts for column in part.columns[1:]]
    assert heads == list(designs)
    for part in parts:
        shown = io.StringIO()
        Console(file=shown, width=80).print(part)
        assert "…" not in shown.getvalue()


def test_the_series_is_judged_by_the_kernel_that_merged_it():
    compared = compare("frolov", overrides=["workload.programs.loop.repeat=3"])
    said = "\n".join(report.verdict(compared))
    assert "4.9 → 4.10:" in said
    assert "4.10 → 4.11:" in said
    assert "The series itself (4.11)" in said


# --- what is passed in Python ---


def test_one_design_or_override_may_be_passed_alone():
    alone = compare("frolov", "4.10", overrides=SHORT[0])
    assert [result.name for result in alone] == ["4.10"]
    assert alone.settings == SHORT
    assert alone.to_json() == compare("frolov", ["4.10"], overrides=SHORT).to_json()
    same = compare("frolov", find("4.10"), overrides=iter(SHORT))
    assert same.to_json() == alone.to_json()


@pytest.mark.parametrize("overrides", [{"machine.cpus": 1}, [("machine.cpus", 1)], 1])
def test_overrides_that_are_no_texts_are_refused(overrides):
    with pytest.raises(InputError, match=r"^overrides: .*; expected texts PATH=VALUE"):
        compare("frolov", ["4.10"], overrides=overrides)


def test_a_design_that_is_neither_name_nor_design_is_refused():
    with pytest.raises(InputError, match=r"^design: 4\.1 is no name; expected text"):
        compare("frolov", [4.10])
    with pytest.raises(InputError, match=r"^design: 4\.1 is no name; expected text"):
        compare("frolov", 4.10)


# --- measured on real kernels ---


def quoted(workload, design, *overrides):
    ran = compare(workload, [design], overrides=overrides)
    return [figure.figure for result in ran for figure in ran.reported(result)]


def test_measured_figures_stand_beside_what_was_measured_only():
    assert quoted("frolov", "4.8") == quoted("frolov", "4.8", "costs.ipi=1") != []
    assert quoted("smythies", "4.8", "machine.cpus=2")
    for override in (
        "workload.programs.loop.repeat=3",
        "machine.cpus=1",
        "machine.hz=1000",
        "machine.kmem=off",
        "design.join_waits=false",
    ):
        assert not quoted("frolov", "4.8", override), override


# --- words ---


def test_what_does_not_change_is_not_told():
    compared = compare(
        "frolov", ["4.8", "4.10"], overrides=(*SHORT, "machine.kmem=off")
    )
    first, *_ = report.verdict(compared)
    figures = first.removeprefix("4.8 → 4.10: ").removesuffix(".").split("; ")
    for old, new in (re.findall(r"(\S+) → (\S+)", figure)[0] for figure in figures):
        assert old != new


# --- the front door ---


@pytest.mark.parametrize("door", [compare, ablate])
def test_the_front_door_has_the_signature_of_what_is_behind_it(door):
    shown = inspect.signature(getattr(slabcore, door.__name__)).parameters
    behind = inspect.signature(door).parameters
    assert list(shown) == list(behind)
    for name, parameter in behind.items():
        assert shown[name].default == parameter.default
        assert shown[name].kind == parameter.kind

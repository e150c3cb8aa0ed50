"""A series taken apart: what is tried, what a patch buys, what is said of it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import slabcore
from slabcore import series
from slabcore.ablation import ablate, tables, trials
from slabcore.cli import main
from slabcore.comparison import compare
from slabcore.designs import designs, find
from slabcore.errors import InputError

SHORT = ["workload.programs.loop.repeat=30"]
TURNING = [p.name for p in series.version("v3") if p.changes]


@pytest.fixture(scope="module")
def frolov():
    return ablate("frolov", overrides=SHORT)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(main, arguments)

    return run


# --- what is tried ---


def test_each_patch_is_tried_alone_and_the_whole_without_each():
    tried = trials("4.10", "v3")
    assert [(t.role, t.patch) for t in tried] == [
        ("base", ""),
        *(("with", name) for name in TURNING),
        ("whole", ""),
        *(("without", name) for name in TURNING),
    ]
    assert tried[0].design == designs["4.10"]
    for trial in tried:
        present = trial.patch in trial.design.patches
        assert present == (trial.role == "with")


def test_patches_that_turn_no_knob_are_not_tried():
    patches = {trial.patch for trial in trials("4.10", "v3")}
    assert not patches & {"null-root-cache", "deactivate-hook"}


def test_what_comes_along_is_said():
    by = {(t.role, t.patch): t for t in trials("4.10", "4.11")}
    alone = by["with", "async-deactivation"]
    assert alone.along == ("revert-per-memcg-gp", "deactivate-hook")
    assert alone.title == "+async-deactivation*"
    less = by["without", "async-deactivation"]
    assert less.along == ("early-sysfs-removal",)
    assert by["with", "limited-workqueue"].title == "+limited-workqueue"


def test_a_trial_has_the_name_that_finds_its_design():
    for trial in trials("4.10", "4.11"):
        assert find(trial.design.name).knobs == trial.design.knobs


def test_the_whole_of_4_11_is_4_11_and_that_of_v3_is_not():
    whole = {
        name: next(t.design for t in trials("4.10", name) if t.role == "whole")
        for name in ("v1", "v2", "v3", "4.11")
    }
    assert whole["4.11"].name == "4.11"
    assert [d.name for d in whole.values()][:3] == [
        "series-v1",
        "series-v2",
        "series-v3",
    ]
    assert whole["v3"].child_sysfs
    assert "cache-use-after-free" in whole["v1"].findings


@pytest.mark.parametrize(
    ("base", "name", "said"),
    [
        ("4.11", "v3", "4.11: it has all of v3 already; expected an older kernel"),
        ("4.10", "v4", "series: 'v4' is none; expected v1 or v2 or v3 or 4.11"),
        ("4.10", "4.13", "4.13 has changes that are not of the series; expected v1 or"),
        ("4.10", "5.4", "5.4 has changes that are not of the series"),
        ("4.10", "4.9", "series: '4.9' is none"),
        ("4.6", "v3", "deactivation is 'ipi'; expected 'gp-per-memcg'"),
        ("5.10", "v3", "cgroups have no caches of their own"),
    ],
)
def test_what_cannot_be_tried_is_refused(base, name, said):
    with pytest.raises(InputError) as refusal:
        trials(base, name)
    assert said in str(refusal.value)


# --- what comes out ---


def test_base_and_whole_are_what_compare_gives(frolov):
    compared = compare("frolov", ["4.10", "4.11"], overrides=SHORT)
    for name in ("4.10", "4.11"):
        assert frolov[name].to_dict() == compared[name].to_dict()
    with pytest.raises(KeyError, match=r"'4\.8'; there are 4\.10, 4\.10\+"):
        frolov["4.8"]


def test_designs_that_do_not_differ_are_run_once():
    ablation = ablate("frolov", base="4.9", series="v2", overrides=SHORT)
    # 4.9 has nothing to revert.
    assert "revert-per-memcg-gp" not in {trial.patch for trial in ablation}
    knobs = {tuple(trial.design.knobs.values()) for trial in ablation}
    assert len(ablation.comparison) == len(knobs)
    assert {ablation.runs[trial.design.name] for trial in ablation} == set(
        ablation.comparison.results
    )


def test_each_patch_buys_its_own_thing(frolov):
    def figure(name, *path):
        value = frolov[name].to_dict()
        for part in path:
            value = value[part]
        return value

    cgroups = figure("4.10", "cgroups", "peak") and 30
    periods = ("grace_periods", "under_cgroup_mutex")
    assert figure("4.10", *periods) == cgroups
    assert figure("4.10+async-deactivation", *periods) == 0
    assert figure("4.11~async-deactivation", "grace_periods", "under_slab_mutex") > 0
    hops = ("list_hops", "total")
    for patch in ("per-memcg-list", "slab-root-caches"):
        assert figure(f"4.10+{patch}", *hops) < figure("4.10", *hops)
        assert figure(f"4.11~{patch}", *hops) > figure("4.11", *hops)
        assert figure(f"4.11~{patch}", *periods) == 0
    nodes = "kernfs_nodes_peak"
    assert figure("4.10+optional-child-sysfs", nodes) < figure("4.10", nodes)
    assert figure("4.10+async-rcu-barrier", "rcu_barriers") < cgroups


def test_the_engines_agree_on_an_ablation():
    overrides = ["workload.programs.loop.repeat=3"]
    core, plain = (
        ablate("frolov", overrides=overrides, engine=engine).to_dict()
        for engine in ("core", "reference")
    )
    assert core["trials"] == plain["trials"]


# --- what is said ---


def test_the_table_has_a_row_a_trial(frolov):
    text = str(frolov.table())
    for trial in frolov:
        assert f"{trial.title} " in text
    assert "[1] waited for a grace period with cgroup_mutex held" in text
    head = text.splitlines()[0:4]
    assert "cgroup_mutex" in "".join(head)


def test_a_table_comes_in_parts_that_fit(frolov):
    parts = [str(table) for table in tables(frolov, 80)]
    assert len(parts) > 1
    body = [line for part in parts for line in part.splitlines() if line[:1] != "["]
    assert max(map(len, body)) <= 80
    shown = [title for table in tables(frolov, 80) for title in table.titles]
    assert shown == frolov.table().titles


def test_figures_that_are_the_same_in_all_are_said_once(frolov):
    same = dict(frolov.same())
    assert not set(same) & set(frolov.table().titles)
    assert len(same) + len(frolov.table().titles) == 15


def test_notes_say_what_is_bought_what_builds_on_what_and_what_is_idle(frolov):
    notes = "\n".join(frolov.notes())
    for name in TURNING:
        assert f"\n{name}" in f"\n{notes}"
    assert "async-deactivation builds on revert-per-memcg-gp (" in notes
    assert (
        "null-root-cache turns no knob: it makes way for per-memcg-list and "
        "slab-root-caches." in notes
    )
    assert "deactivate-hook turns no knob" in notes
    assert "waited for a grace period with slab_mutex held: +revert-per-memcg-gp" in (
        notes
    )


def test_a_subset_that_is_known_to_be_wrong_is_warned_of():
    ablation = ablate("frolov", series="v1", overrides=SHORT)
    lines = [line for line in ablation.unsafe() if "+call-rcu-release" in line]
    (line,) = [line for line in lines if line.startswith("freed a cache")]
    assert "series-v1" in line
    assert "~call-rcu-release" not in line
    assert not any("+per-memcg-list" in line for line in ablation.unsafe())


def test_what_led_to_a_use_after_free_is_said_once():
    notes = ablate("late-callback", series="v2").notes()
    (led,) = [line for line in notes if ", first: " in line]
    assert led.startswith("+call-rcu-release, first: ")
    assert led.index("call_rcu() for a page") < led.index("the cache is freed")
    assert any(
        line.startswith("No figure moves by 5 % with or without revert-per-memcg-gp")
        for line in notes
    )


def test_json_holds_patches_and_trials(frolov):
    table = json.loads(frolov.to_json())
    assert table["schema"] == "slabcore.ablation/1"
    assert (table["base"], table["series"]) == ("4.10", "4.11")
    assert [p["name"] for p in table["patches"]] == list(designs["4.11"].patches)
    assert [t["result"]["design"] for t in table["trials"]] == list(frolov.runs)
    assert [t["patch"] for t in table["trials"]].count(None) == 2
    assert table["workload"]["settings"] == SHORT


def test_the_front_door_takes_a_series_apart():
    ablation = slabcore.ablate("smythies", series="v2", overrides=["machine.cpus=2"])
    assert ablation.comparison.machine.cpus == 2
    assert ablation.whole.design.name == "series-v2"


# --- the command ---


def test_the_command_prints_table_and_notes(run):
    result = run("ablate", "frolov", "--set", *SHORT)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Modelled, not measured: slabcore ")
    assert "+patch: 4.10 with it; ~patch: 4.11 without it" in result.stdout
    assert "• slab-root-caches, with null-root-cache, on 4.10: list hops" in (
        result.stdout
    )
    assert "\x1b[" not in result.stdout


def test_the_command_writes_json_and_reports(run, tmp_path):
    arguments = ("ablate", "frolov", "--set", *SHORT, "--cpus", "2", "--series", "v3")
    result = run(*arguments, "--json", "--report", "out.json")
    table = json.loads(result.stdout)
    assert table["machine"]["cpus"] == 2
    assert table["series"] == "v3"
    assert (tmp_path / "out.json").read_text() == result.stdout
    assert run(*arguments, "--report", "out.md").exit_code == 0
    assert "| `+slab-root-caches*` |" in (tmp_path / "out.md").read_text()


def test_the_command_can_be_a_gate(run):
    arguments = ("ablate", "frolov", "--set", *SHORT)
    condition = "4.10+async-deactivation.virtual_s < 4.10.virtual_s"
    result = run(*arguments, "--fail-if", condition)
    assert result.exit_code == 1
    assert result.stderr.endswith(f"slabcore: {condition} is true\n")
    assert run(*arguments, "--fail-if", "4.11.virtual_s < 0").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("ablate", "frolv"), "'frolv' is neither a built-in workload nor a file"),
        (("ablate", "frolov", "--base", "4.1O"), "design: '4.1O' is not known"),
        (("ablate", "frolov", "--series", "v9"), "series: 'v9' is none"),
        (("ablate", "frolov", "--fail-if", "4.9.virtual_s > 1"), "not compared"),
        (("ablate", "frolov", "--report", "out.txt"), "no such kind of report"),
        (("ablate", "frolov", "--set", "machine.cpu=2"), "nothing of that name"),
    ],
)
def test_bad_input_ends_with_one_line_and_status_2(run, arguments, line):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert line in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_what_is_passed_in_python_is_taken_as_compare_takes_it():
    alone = ablate("frolov", overrides=SHORT[0])
    assert alone.comparison.settings == tuple(SHORT)
    with pytest.raises(InputError, match=r"^overrides: .*; expected texts"):
        ablate("frolov", overrides={"machine.cpus": 1})
    with pytest.raises(InputError, match=r"^design: 4\.1 is no name"):
        ablate("frolov", base=4.10)

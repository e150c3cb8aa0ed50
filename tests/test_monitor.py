"""What a monitor that reads slabinfo sees of a workload, and how it is told."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from slabcore import InputError, watch
from slabcore.cli import main
from slabcore.kernel import SLABINFO_READS
from slabcore.monitor import READERS, Monitor, figures
from slabcore.workloads import load

SHORT = tuple(
    f"workload.parameters.{name}={value}"
    for name, value in {
        "cgroups": 20,
        "idle": 0,
        "quiet_files": 2,
        "churn_files": 40,
        "slow_files": 20,
        "vslow_files": 0,
        "small_files": 0,
    }.items()
)
FIGURES = {"design", "reader", "reads", "rows_missing", "rows_repeated", "list_hops"}


def slabinfo(*arguments):
    settings = [text for setting in SHORT for text in ("--set", setting)]
    return CliRunner().invoke(main, ["slabinfo", *arguments, *settings])


@pytest.fixture(scope="module")
def seen():
    return watch("slabinfo-churn", ["4.10", "4.12"], overrides=SHORT)


# --- what is read ---------------------------------------------------------------------


def test_a_reader_that_counts_loses_and_repeats_rows_where_children_are_listed(seen):
    rows = {(row["design"], row["reader"]): row for row in seen.results()}
    assert list(rows) == [(name, r) for name in ("4.10", "4.12") for r in READERS]
    assert rows["4.10", "kernel"]["rows_missing"] > 0
    assert rows["4.10", "kernel"]["rows_repeated"] > 0
    for place in (("4.10", "cursor"), ("4.12", "kernel"), ("4.12", "cursor")):
        row = rows[place]
        assert row["rows_missing"] == row["rows_repeated"] == row["files_wrong"] == 0
        assert row["rows"] == 86 * row["reads"]


def test_rows_of_a_run_are_the_sums_of_its_phases(seen):
    for row in seen.results():
        phases = [phase for phase in row["phases"].values() if phase["reads"]]
        assert {"quiet", "quiet_slow", "churn", "churn_slow"} == {
            name for name, phase in row["phases"].items() if phase["reads"]
        }
        for figure in ("reads", "rows", "rows_missing", "rows_repeated", "list_hops"):
            assert row[figure] == sum(phase[figure] for phase in phases)


def test_hops_are_those_that_the_kernel_counts(seen):
    for row, (_, result) in zip(seen.results(), seen, strict=True):
        assert row["list_hops"] == result.counters["list_hops"]["slabinfo"]
        assert row["list_hops"] == sum(row["hops"].values())


def test_a_cursor_seeks_in_a_hop_a_section(seen):
    for row in seen.results():
        sections = row["hops"]["reseek"] if row["reader"] == "cursor" else 0
        assert sections <= row["read_calls"]


def test_both_engines_read_the_same():
    fewer = [f"workload.parameters.{name}=8" for name in ("churn_files", "slow_files")]
    few = (*SHORT, "workload.parameters.cgroups=4", *fewer)
    one, other = (
        watch("slabinfo-churn", "4.10", overrides=few, engine=engine).results()
        for engine in ("core", "reference")
    )
    assert one == other


def test_a_monitor_is_added_where_nobody_reads():
    rows = watch("doug", "4.10", period_ms=20, pause_ms=5, read=1024).results()
    kernel, cursor = rows
    assert kernel["reads"] > 50
    # 58 rows are some 6,400 bytes: nine rows a read() of 1024 and 5 ms between two.
    assert kernel["read_s"]["p50"] > 6 * 0.005
    assert kernel["rows_repeated"] > 0
    assert cursor["rows_repeated"] == cursor["rows_missing"] == 0


def test_a_workload_that_reads_keeps_its_time():
    own = load("storm")
    watched = watch("storm", "4.12", readers="cursor", read=512)
    assert [p.name for p in watched.workload.programs] == [p.name for p in own.programs]
    assert watched.results()[0]["read_calls"] >= 10 * watched.results()[0]["reads"]
    with pytest.raises(InputError, match="reads slabinfo in its own time"):
        watch("storm", "4.12", period_ms=5)


def test_one_is_added_if_the_workloads_own_is_switched_off():
    watched = watch("storm", "4.12", overrides="workload.parameters.readers=0")
    assert watched.workload.programs[-1].name == "monitor"
    assert all(row["reads"] for row in watched.results())


def test_what_is_read_after_the_end_does_not_count():
    watched = watch("doug", "5.9", period_ms=1)
    for _, result in watched:
        assert result.counters["cgroups"]["live"] == 0
        ended = max(result.counters["virtual_ns"], result.counters["drained_ns"])
        assert result.slabinfo_reads["began_ns"].max() <= ended


# --- figures --------------------------------------------------------------------------


def test_figures_of_files():
    reads = np.zeros(4, SLABINFO_READS)
    reads["rows"] = 10, 12, 9, 10
    reads["repeated"] = 0, 3, 0, 1
    reads["missing"] = 0, 1, 1, 0
    reads["took_ns"] = 1, 2, 3, 40
    reads["start_hops"], reads["next_hops"], reads["children"] = 5, 2, 1
    told = figures(reads)
    assert told["reads"] == 4
    assert (told["rows_least"], told["rows_most"]) == (9, 12)
    assert (told["rows_missing"], told["rows_repeated"]) == (2, 4)
    assert (told["files_with_missing"], told["files_with_repeated"]) == (2, 2)
    assert told["files_wrong"] == 3
    assert told["hops"] == {"reseek": 20, "steps": 8, "children": 4}
    assert told["list_hops"] == 32
    assert told["read_s"] == {"p50": 2e-9, "p95": 40e-9, "max": 40e-9}


def test_no_file_has_no_time():
    assert figures(np.zeros(0, SLABINFO_READS))["read_s"]["p50"] is None


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"read": 0}, "read: 0; expected 1 to 1000000000 bytes"),
        ({"pause_ms": -1.0}, "pause: -1; expected 0 to 1e+09 milliseconds"),
        ({"period_ms": -1.0}, "period: -1; expected 0 to 1e+09 milliseconds"),
    ],
)
def test_a_monitor_that_cannot_read_so_is_refused(settings, text):
    with pytest.raises(InputError) as refusal:
        Monitor(**settings)
    assert str(refusal.value) == text


@pytest.mark.parametrize("readers", [[], ["nobody"], "nobody"])
def test_a_reader_that_there_is_not_is_refused(readers):
    with pytest.raises(InputError, match="readers"):
        watch("doug", "4.10", readers=readers)


def test_a_result_is_found_by_design_and_reader(seen):
    assert seen["4.10", "cursor"].name == "4.10"
    assert len(seen) == 4
    with pytest.raises(KeyError, match="there are kernel, cursor"):
        seen["4.10", "nobody"]
    with pytest.raises(KeyError, match=r"there are 4\.10, 4\.12"):
        seen["4.6", "kernel"]


# --- the command ----------------------------------------------------------------------


def test_json_has_a_row_for_each_design_and_reader():
    result = slabinfo("slabinfo-churn", "-d", "4.10", "-d", "5.9", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["schema"] == "slabcore.slabinfo/1"
    assert len(told["results"]) == 4
    for row in told["results"]:
        assert set(row) >= FIGURES
        assert all(
            isinstance(row[name], int) for name in FIGURES - {"design", "reader"}
        )


def test_several_workloads_are_a_list():
    arguments = ("doug", "smythies", "-d", "5.9", "-r", "cursor", "--json")
    result = CliRunner().invoke(main, ["slabinfo", *arguments])
    told = json.loads(result.stdout)
    assert told["schema"] == "slabcore.slabinfos/1"
    names = [watched["workload"]["name"] for watched in told["slabinfos"]]
    assert names == ["doug", "smythies"]


def test_the_table_says_who_lost_what():
    result = slabinfo("slabinfo-churn", "-d", "4.10", "--cpus", "4")
    assert result.exit_code == 0, result.output
    for words in ("churn_slow", "4.10, cursor", "slab_mutex", "4 CPUs,"):
        assert words in result.stdout
    assert "4.10, cursor reader: every row once in each of 64 files." in result.stdout


def test_a_condition_is_held_against_each_reader():
    result = slabinfo(
        *("slabinfo-churn", "-d", "4.10", "--json"),
        *("--fail-if", "4.10.rows_missing + phases.churn.rows_repeated > 0"),
    )
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if "is true" in line]
    assert len(lines) == 1
    assert "slabinfo-churn, kernel reader: 4.10.rows_missing" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("slabinfo-chur -d 4.10", "slabinfo-churn (nearest)"),
        ("slabinfo-churn -d 4.100", "4.100"),
        ("slabinfo-churn -r nobody", "'nobody' is not one of 'kernel', 'cursor'"),
        ("slabinfo-churn --read 0", "'0'; expected a whole number from 1 to"),
        ("slabinfo-churn --pause nan", "'nan'; expected a number from 0 to"),
        ("slabinfo-churn --period -inf", "'-inf'; expected a number from 0 to"),
        ("slabinfo-churn --period 5", "reads slabinfo in its own time"),
        ("slabinfo-churn --fail-if rows_lost>0", "there is no figure rows_lost"),
        ("slabinfo-churn --report x.txt", "x.txt: there is no such kind of report"),
        ("slabinfo-churn --plot x.gif", "x.gif: there is no such kind of picture"),
        ("storm --set workload.parameters.reader=1", "expected"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments, text):
    result = CliRunner().invoke(main, ["slabinfo", *arguments.split()])
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("slabcore: ")
    assert text in line


def test_a_report_holds_the_table_and_the_verdict(tmp_path):
    path = tmp_path / "report.md"
    result = slabinfo("slabinfo-churn", "-d", "4.10", "--report", str(path))
    assert result.exit_code == 0, result.output
    text = path.read_text("utf-8")
    assert "| &emsp;4.10, kernel | 40 |" in text
    assert "* 4.10, cursor reader: every row once" in text
    path = tmp_path / "report.json"
    slabinfo("slabinfo-churn", "-d", "4.10", "--report", str(path))
    assert json.loads(path.read_text("utf-8"))["schema"] == "slabcore.slabinfo/1"


def test_a_picture_shows_each_file(tmp_path):
    pytest.importorskip("matplotlib", reason="a picture needs matplotlib")
    path = tmp_path / "files.svg"
    result = slabinfo("slabinfo-churn", "-d", "4.10", "--plot", str(path))
    assert result.exit_code == 0, result.output
    assert "rows missing" in path.read_text("utf-8")

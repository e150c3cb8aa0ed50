"""The command line: what goes where, what is refused how, and with which status."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from slabcore.cli import main
from slabcore.cli.conditions import Condition
from slabcore.designs import designs
from slabcore.errors import InputError
from slabcore.series import PATCHES
from slabcore.traces import recordings
from slabcore.workloads import workloads

SHORT = ("--set", "workload.programs.loop.repeat=10")
RECORDED_LIFE = (
    Path(__file__).parent / "data" / "calibration" / "cgroup-life-4.10.17.txt.gz"
)
TWO = ("--design", "4.10", "--design", "4.11")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(main, arguments)

    return run


# --- output ---


def test_json_is_one_object_and_nothing_else(run):
    result = run("compare", "frolov", *TWO, *SHORT, "--json")
    assert result.exit_code == 0
    table = json.loads(result.stdout)
    assert table["schema"] == "slabcore.comparison/1"
    assert [entry["design"] for entry in table["results"]] == ["4.10", "4.11"]
    assert result.stderr.splitlines() == [
        "slabcore: frolov under 4.10, 1 of 2",
        "slabcore: frolov under 4.11, 2 of 2",
    ]


def test_several_workloads_are_several_objects_in_one(run):
    result = run("compare", "frolov", "smythies", "--design", "5.9", "--json")
    table = json.loads(result.stdout)
    assert table["schema"] == "slabcore.comparisons/1"
    names = [entry["workload"]["name"] for entry in table["comparisons"]]
    assert names == ["frolov", "smythies"]


def test_the_table_says_that_it_is_modelled(run):
    result = run("compare", "frolov", *TWO, *SHORT)
    assert result.exit_code == 0
    assert result.stdout.startswith("Modelled, not measured: slabcore ")
    assert "grace periods waited for" in result.stdout
    assert "\x1b[" not in result.stdout


def test_times_are_shown_and_reported_when_asked(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = run("compare", "frolov", *TWO, *SHORT, "--report", "plain.md")
    asked = run("compare", "frolov", *TWO, *SHORT, "--times", "--report", "asked.md")
    assert "waits for grace periods" not in plain.stdout
    assert "waits for grace periods" in asked.stdout
    assert "waits for grace periods" not in (tmp_path / "plain.md").read_text()
    assert "waits for grace periods" in (tmp_path / "asked.md").read_text()


def test_phases_are_figures_of_conditions(run):
    storm = ("compare", "reclaim-storm", *TWO)
    storm += ("--set", "workload.parameters.rounds=20")
    wrong = run(*storm, "--fail-if", "phases.dran.lasted_s > 1")
    assert wrong.exit_code == 2
    assert "expected drain" in wrong.stderr
    walked = "4.11.phases.drain.list_hops.total < 4.10.phases.drain.list_hops.total"
    assert run(*storm, "--fail-if", walked).exit_code == 1


def test_all_is_every_preset(run):
    result = run("compare", "frolov", "-d", "all", *SHORT, "--json")
    names = [entry["design"] for entry in json.loads(result.stdout)["results"]]
    assert names == list(designs)


def test_options_of_the_machine_are_settings(run):
    options = ("--cpus", "2", "--hz", "1000", "--allocator", "slub", "--kmem", "off")
    result = run("compare", "frolov", "-d", "4.8", *options, *SHORT, "--json")
    table = json.loads(result.stdout)
    assert table["machine"]["cpus"] == 2
    assert table["machine"]["hz"] == 1000
    assert table["machine"]["kmem"] == "off"
    assert table["results"][0]["caches"]["created"] == 0


def test_reports_are_written_by_their_suffix(run, tmp_path):
    arguments = ("compare", "frolov", *TWO, *SHORT)
    assert run(*arguments, "--report", "out.md").exit_code == 0
    assert (tmp_path / "out.md").read_text().startswith("# Bug 190841")
    result = run(*arguments, "--report", "out.json", "--json")
    assert (tmp_path / "out.json").read_text() == result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.md"]


def test_demo_tells_the_story_with_figures_and_says_what_is_next(run):
    result = run("demo")
    assert result.exit_code == 0
    assert "Does the series solve bug 172991?" in result.stdout
    assert "kworkers ends with 4.10, before the series." in result.stdout
    assert "Bug 190841, 3000 cgroups" in result.stdout
    assert all(f"A recording, {name}:" in result.stdout for name in recordings())
    assert "next:" in result.stdout
    assert "\x1b[" not in result.stdout


def test_designs_are_listed_in_a_line_each(run):
    lines = run("designs").stdout.splitlines()
    for line, (name, design) in zip(lines, designs.items(), strict=False):
        assert line.startswith(name)
        assert line.endswith(design.title)
    assert max(map(len, lines)) <= 100


def test_a_design_is_shown_with_mechanisms_faults_and_sources(run):
    one = run("designs", "4.8").stdout
    assert one.startswith("4.7 (4.7 to 4.8.14): a grace period per cache")
    assert "deactivation      gp-per-cache: a grace period waited for" in one
    assert "81ae6d03952c" in one
    assert "gp-under-slab_mutex: waited for a grace period with slab_mutex held" in one
    assert "patches of the series" not in one
    assert "  slab-root-caches\n" in run("designs", "4.11").stdout


def test_two_designs_are_held_against_each_other_step_by_step(run):
    two = run("designs", "4.9", "4.11").stdout
    table, *steps = two.split("\n\n")
    assert "deactivation     gp-per-cache  rcu-per-cache" in table
    assert "accounting" not in two
    assert [step.split(":")[0] for step in steps] == ["4.9 → 4.10", "4.10 → 4.11"]
    assert "89e364db71fb" in steps[0]
    series = " ".join(steps[1].split())
    assert "(slab-root-caches; 510ded33e075: slab_root_caches)" in series
    assert "deactivate-hook: " in series
    assert "nothing differs" in run("designs", "4.7", "4.8").stdout
    back = run("designs", "4.11", "4.9").stdout
    assert "4.11 → 4.10" in back
    patched = run("designs", "4.10", "4.10+per-memcg-list").stdout
    assert "memcg_list false true" in patched
    assert "deactivation" not in patched


def test_designs_as_json(run):
    table = json.loads(run("designs", "4.8", "--json").stdout)
    assert table["schema"] == "slabcore.designs/1"
    (entry,) = table["designs"]
    assert entry["knobs"]["deactivation"] == "gp-per-cache"
    assert entry["mechanisms"]["deactivation"]["source"].startswith("81ae6d03952c")
    assert entry["findings"] == [
        "gp-under-slab_mutex",
        "gp-under-cgroup_mutex",
        "work-on-destroyed-cache",
    ]
    assert "steps" not in table
    two = json.loads(run("designs", "4.9", "4.11", "--json").stdout)
    assert [step["to"] for step in two["steps"]] == ["4.10", "4.11"]
    turned = two["steps"][1]["knobs"]["memcg_list"]
    assert turned["patches"] == ["per-memcg-list"]
    assert (turned["before"], turned["after"]) == (False, True)


def test_the_patches_of_the_series_are_listed(run):
    text = run("designs", "--patches").stdout
    for patch in PATCHES:
        assert f"{patch.name} (" in text
    assert "<20170117235411.9408-11-tj@kernel.org>" in text
    assert "builds on per-memcg-list: " in text
    table = json.loads(run("designs", "--patches", "--json").stdout)
    assert table["schema"] == "slabcore.patches/1"
    assert [entry["name"] for entry in table["patches"]] == [p.name for p in PATCHES]


def test_a_vendors_kernel_is_said_to_carry_backports(run):
    assert "backports" in run("designs", "4.8.0-58-generic").stdout
    assert "backports" not in run("designs", "4.8-rc1").stdout


# --- refusals ---


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("compare", "smythis"),
            "workload: 'smythis' is neither a built-in workload nor a file; "
            "expected smythies (nearest)",
        ),
        (
            ("compare", "frolov", "--design", "3.2"),
            "design: '3.2' is not known; expected 4.4 (nearest)",
        ),
        (
            ("compare", "frolov", "--set", "workload.programs.lop.copies=3"),
            "workload.programs.lop: there is nothing of that name; expected loop",
        ),
        (
            ("compare", "frolov", "--set", "machine.cpus"),
            "--set machine.cpus: this is no setting; expected PATH=VALUE",
        ),
        (
            ("compare", "frolov", "--cpus", "0"),
            "machine.cpus: 0; expected a whole number from 1 to 4096",
        ),
        (
            ("compare", "frolov", "--cpus", "two"),
            "invalid value for '--cpus': 'two' is not a valid integer.",
        ),
        (
            ("compare", "frolov", "--allocator", "slob"),
            "machine.allocator: 'slob'; expected 'slub' or 'slab'",
        ),
        (
            ("compare", "frolov", "--plot", "curve.gif"),
            "curve.gif: there is no such kind of picture; "
            "expected a name that ends in .png or .svg or .pdf",
        ),
        (
            ("compare", "frolov", "--report", "out.txt"),
            "out.txt: there is no such kind of report; "
            "expected a name that ends in .md or .json",
        ),
        (
            ("compare", "frolov", "--report", "none/out.md"),
            "none/out.md: there is no such directory; expected one that is there",
        ),
        (
            ("compare", "frolov", "--fail-if", "4.14.virtual_s > 1"),
            "--fail-if '4.14.virtual_s > 1': design 4.14 is not compared; "
            "expected one of " + ", ".join(designs),
        ),
        (
            ("compare", "frolov", "--fail-if", "virtul_s > 1"),
            "--fail-if 'virtul_s > 1': there is no figure virtul_s; expected virtual_s",
        ),
        (
            ("compare", ""),
            "'': no such file or directory; expected the text of a trace, as trace-cmd "
            "report and perf script write it",
        ),
        (
            ("compare", "frolov", "--report", ""),
            "'': there is no such kind of report; expected a name that ends in .md or "
            ".json",
        ),
        (
            ("compare", "frolov", "--plot", ""),
            "'': there is no such kind of picture; "
            "expected a name that ends in .png or .svg or .pdf",
        ),
        (("compare",), "missing argument 'WORKLOAD…'."),
        (("frobnicate",), "no such command 'frobnicate'."),
        (
            ("designs", "a", "b", "c"),
            "at most two designs can be held against each other",
        ),
    ],
)
def test_bad_input_gets_one_line_and_status_2(run, tmp_path, arguments, line):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"slabcore: {line}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_bad_file_is_refused_with_its_line(run, tmp_path):
    (tmp_path / "bad.toml").write_text('name = "bad"\ntitle = 3\n')
    result = run("compare", "bad.toml")
    assert result.exit_code == 2
    assert result.stderr == "slabcore: bad.toml:2: title: 3; expected text\n"


def test_a_bad_trace_is_refused_with_its_line(run, tmp_path):
    (tmp_path / "trace.txt").write_text("# tracer: nop\nnonsense\n")
    result = run("compare", "trace.txt", "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("slabcore: trace.txt:2: 'nonsense' is no event; ")


def test_the_program_itself_ends_with_the_status(tmp_path):
    command = [sys.executable, "-m", "slabcore", "compare", "nothing.txt", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("slabcore: workload: 'nothing.txt' is neither ")
    assert done.stderr.count("\n") == 1


def test_help_comes_without_a_command(run):
    result = run()
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert run("--help").exit_code == 0
    assert run("--version").stdout.startswith("slabcore ")


# --- --fail-if ---

RESULTS = [
    {
        "design": name,
        "virtual_s": seconds,
        "drained_s": None,
        "locks": {"slab_mutex": {"holds": holds}},
        "findings": [],
    }
    for name, seconds, holds in (("4.6", 25.0, 0), ("4.10", 60.0, 7), ("4.1", 1.0, 9))
]


def holds(text):
    return Condition(text, ["4.6", "4.10", "4.1"]).holds(RESULTS)


@pytest.mark.parametrize(
    "text",
    [
        "4.10.virtual_s > 1.15 * 4.6.virtual_s",
        "4.1.virtual_s == 1",
        "(4.10.virtual_s - 4.6.virtual_s) / 35 == 1",
        "not 4.6.virtual_s > 60 and -4.6.virtual_s < 0",
        "20 < 4.6.virtual_s <= 25",
        "4.6.virtual_s > 100 or 4.6.locks.slab_mutex.holds == 0",
        "4.1.locks.slab_mutex.holds != 4.10.locks.slab_mutex.holds",
    ],
)
def test_a_condition_compares_designs(text):
    assert holds(text) == ["4.6", "4.10", "4.1"]
    assert holds(f"not ({text})") == []


def test_a_condition_without_a_design_is_about_each():
    assert holds("locks.slab_mutex.holds > 0") == ["4.10", "4.1"]
    assert holds("virtual_s < 4.10.virtual_s") == ["4.6", "4.1"]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("virtual_s", "this is neither true nor false"),
        ("1 + virtual_s", "this is neither true nor false"),
        ("virtual_s >", "this is no expression"),
        ("", "this is no expression"),
        ("__import__('os') > 1", "__import__('os') is not allowed"),
        ("4.6.virtual_s ** 9 > 1", "4.6.virtual_s ** 9 is not allowed"),
        ("virtual_s > 'x'", "'x' is not allowed"),
        ("virtual_s > True", "True is not allowed"),
        ("[].append(1) == 3", "[].append(1) is not allowed"),
        ("virtual_s > (lambda: 1)", "lambda: 1 is not allowed"),
        ("4.7.virtual_s > 1", "design 4.7 is not compared; expected one of 4.6, 4.10"),
        ("virtul_s > 1", "there is no figure virtul_s; expected virtual_s"),
        ("virtual_s.x > 1", "there is no figure virtual_s.x"),
        ("locks.slab_mutex > 1", "locks.slab_mutex is no figure; expected locks.slab_"),
        ("findings > 1", "findings is no figure; expected a number"),
        ("4.6.drained_s > 1", "drained_s has no value under 4.6"),
        ("virtual_s / (4.6.virtual_s - 25) > 1", "it divides by zero"),
    ],
)
def test_a_condition_that_cannot_be_judged_is_refused(text, rest):
    with pytest.raises(InputError) as refusal:
        holds(text)
    assert str(refusal.value).startswith(f"--fail-if {text!r}: {rest}")
    assert "design_" not in str(refusal.value)


def test_a_true_condition_ends_with_status_1_after_all_output(run):
    conditions = (
        *("--fail-if", "grace_periods.under_cgroup_mutex > 0"),
        *("--fail-if", "4.11.virtual_s < 4.10.virtual_s"),
        *("--fail-if", "virtual_s > 1000"),
    )
    result = run("compare", "frolov", *TWO, *SHORT, "--json", *conditions)
    assert result.exit_code == 1
    assert json.loads(result.stdout)
    assert result.stderr.splitlines()[2:] == [
        "slabcore: frolov: grace_periods.under_cgroup_mutex > 0 is true under 4.10",
        "slabcore: frolov: 4.11.virtual_s < 4.10.virtual_s is true",
    ]


def test_a_false_condition_ends_with_status_0(run):
    condition = ("--fail-if", "4.11.grace_periods.synchronous > 0")
    assert run("compare", "frolov", *TWO, *SHORT, *condition).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "frolov", *TWO, *SHORT),
        ("compare", "frolov", *TWO, *SHORT, "--json"),
        ("ablate", "frolov", *SHORT),
        ("designs", "--patches"),
    ],
)
def test_a_reader_that_has_gone_ends_it_quietly(arguments):
    command = [sys.executable, "-m", "slabcore", *arguments]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode == 141
    assert all(" under " in line for line in done.stderr.splitlines())


WRITERS = [
    ("--help",),
    ("designs", "4.10", "4.11"),
    ("life", "4.10"),
    ("compare", "frolov", *TWO, *SHORT),
    ("slabinfo", "storm", "-d", "4.12", "--help"),
    (
        "conformance",
        str(Path(__file__).parent / "golden" / "slabinfo-text-public.json"),
    ),
]


@pytest.mark.parametrize("arguments", WRITERS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("where", "why"),
    [(">/dev/full", "no space left on device"), (">&-", "bad file descriptor")],
    ids=["full", "closed"],
)
def test_an_output_that_cannot_be_written_is_one_line(arguments, where, why):
    command = ["sh", "-c", f'exec "$@" {where}', "sh", sys.executable, "-m", "slabcore"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if " under " not in line]
    assert lines == [f"slabcore: output: {why}"]


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_a_refusal_that_cannot_be_written_has_its_status(where):
    command = ["sh", "-c", f'exec "$@" {where}', "sh", sys.executable, "-m", "slabcore"]
    assert subprocess.run([*command, "designs", "9.9"]).returncode == 2


def test_too_little_memory_is_one_line(run, monkeypatch):
    def exhausted(*words):
        raise MemoryError

    monkeypatch.setitem(
        main.commands["designs"].callback.__globals__, "find", exhausted
    )
    result = run("designs", "4.9")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "slabcore: there is not enough memory for this\n"


def test_life_says_how_its_counts_are_read(run):
    shown = run("life", "4.10").stdout
    assert "27 / 79 x: done so often, recorded / modelled" in shown.split("\n\n")[0]


def examples():
    """Yield what each command's help says that one may type."""
    for name in main.commands:
        shown = CliRunner().invoke(main, [name, "--help"]).stdout
        _, _, rest = shown.partition("\n  For example:\n")
        assert rest, f"{name} --help shows no example"
        typed = rest.partition("\n\n")[0].replace("\\\n", " ")
        for line in typed.splitlines():
            assert line.split()[:2] == ["slabcore", name]
            yield line.strip()


@pytest.mark.parametrize("line", sorted(examples()))
def test_examples_in_the_help_run(run, tmp_path, line):
    for vectors in (Path(__file__).parent / "golden").glob("*.json"):
        shutil.copy(vectors, tmp_path)
    _, command, *words = shlex.split(line)
    if "--recording" in words:
        shutil.copy(RECORDED_LIFE, tmp_path / "trace.txt")
    if command == "exec":
        # a program's output is its own, not CliRunner's; slabtop need not be there
        words = [*words[: words.index("--")], "--", "true"]
    result = run(command, *words)
    assert result.exit_code == 0, result.output


def test_the_help_of_slabinfo_lists_its_figures(run):
    shown = " ".join(run("slabinfo", "--help").stdout.split())
    listed = shown.partition("design and reader: ")[2].partition(";")[0].split(", ")
    assert {"reads", "rows_missing", "list_hops", "hops.steps", "read_s.p95"} <= {
        *listed
    }
    storm = ("slabinfo", "storm", "-d", "4.12", "-r", "cursor")
    conditions = [f"--fail-if={figure} < 0" for figure in listed]
    assert run(*storm, *conditions).exit_code == 0
    for name in ("slabinfo-churn", "storm"):
        assert name in shown.partition("refuses --period")[0]
        result = run("slabinfo", name, "-d", "4.12", "--period", "5")
        assert (result.exit_code, result.stdout) == (2, "")


def test_the_readme_names_the_workloads():
    page = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    for name in (*workloads(), *recordings()):
        assert f"`{name}`" in page


@pytest.mark.parametrize("command", ["compare", "ablate"])
def test_help_names_the_workloads(run, command):
    words = [word.strip(".,") for word in run(command, "--help").stdout.split()]
    assert {*workloads(), *recordings()} <= {*words}

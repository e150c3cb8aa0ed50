"""``slabcore exec``: what the command gets, what is left behind, which status."""

import os
import re
import signal
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from slabcore.capture import Capture
from slabcore.cli import main, progress
from slabcore.comparison import boot, prepare
from slabcore.kernel import Kernel, ms, seconds
from slabcore.mount import CommandError, NamespaceError, find, namespace, tree, write
from slabcore.slabinfo import header, parse

SAMPLE = Path(__file__).parent / "data" / "slabinfo" / "4.10.17.txt"
GIVEN = ("--slabinfo", str(SAMPLE))


@pytest.fixture
def run(tmp_path):
    """Run ``slabcore exec``, which leaves no file and no mount behind."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    mounted = Path("/proc/self/mountinfo").read_bytes()

    def run(*words, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "slabcore", "exec", *words],
            env=os.environ | {"TMPDIR": str(temporary)} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert list(temporary.iterdir()) == []
        return done

    yield run
    assert Path("/proc/self/mountinfo").read_bytes() == mounted


@pytest.fixture
def no_namespaces(tmp_path):
    """Return a PATH on which unshare is refused, as in most containers."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "unshare").write_text("#!/bin/sh\necho unshare: refused >&2; exit 1\n")
    (programs / "unshare").chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"


@pytest.fixture
def mounts(tmp_path):
    write(tmp_path, {"slabinfo": b""})
    try:
        namespace(tmp_path, ["slabinfo"])
    except NamespaceError as error:
        pytest.skip(f"no mounts over /proc here: {error}")


# --- where the files are ---


def test_files_are_mounted_over_proc(run, mounts):
    done = run(*GIVEN, "--", "cat", "/proc/slabinfo")
    assert done.stdout == SAMPLE.read_text()
    assert done.stderr == (
        f"slabcore: cat has slabinfo of {SAMPLE} mounted over /proc\n"
    )


def test_files_that_are_mounted_are_in_a_directory_too(run, mounts):
    done = run(
        *GIVEN,
        "sh",
        "-c",
        'cat "$1" "$SLABCORE_PROC/slabinfo"',
        "sh",
        "{proc}/slabinfo",
    )
    assert done.stdout == 2 * SAMPLE.read_text()


def test_where_namespaces_are_refused_there_is_a_directory(run, no_namespaces):
    words = (
        "--",
        "sh",
        "-c",
        'cat "$SLABCORE_PROC/slabinfo"; echo "$1"',
        "sh",
        "x{proc}y",
    )
    done = run(*GIVEN, *words, PATH=no_namespaces)
    text, _, where = done.stdout.removesuffix("\n").rpartition("\n")
    assert text + "\n" == SAMPLE.read_text()
    place = where.removeprefix("x").removesuffix("y")
    assert done.stderr == (
        f"slabcore: sh has slabinfo of {SAMPLE} in {place}, not over /proc: "
        "unshare: refused\n"
    )


def test_a_named_directory_stays_and_proc_is_left_alone(run, tmp_path):
    there = tmp_path / "proc"
    done = run("--proc", str(there), *GIVEN, "--", "head", "-1", "{proc}/slabinfo")
    assert done.stdout == "slabinfo - version: 2.1\n"
    assert done.stderr == (
        f"slabcore: head has slabinfo of {SAMPLE} in {there}, not over /proc\n"
    )
    assert (there / "slabinfo").read_bytes() == SAMPLE.read_bytes()


def test_a_directory_that_has_only_these_files_is_written_again(tmp_path):
    for text in (b"longer", b"short"):
        with tree({"slabinfo": text}, tmp_path) as path:
            assert (path / "slabinfo").read_bytes() == text


def test_a_directory_with_other_files_is_refused(run, tmp_path):
    other = tmp_path / "mine" / "notes"
    other.parent.mkdir()
    other.write_text("mine")
    words = ("--proc", str(other.parent), *GIVEN)
    done = run(*words, "--", "cat", "{proc}/slabinfo")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"slabcore: {other.parent}: has other files, notes is one; "
        "expected an empty directory, or --force\n"
    )
    assert [*other.parent.iterdir()] == [other]
    done = run(*words, "--force", "--", "cat", "{proc}/slabinfo")
    assert (done.returncode, done.stdout) == (0, SAMPLE.read_text())
    assert other.read_text() == "mine"


def test_files_are_read_only_and_can_be_written_again(tmp_path):
    for text in (b"first", b"then"):
        write(tmp_path, {"slabinfo": text})
        path = tmp_path / "slabinfo"
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert path.read_bytes() == text


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "slabinfo").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"slabinfo: .*expected a file to write to"):
        write(tmp_path / "proc", {"slabinfo": b"text"})
    assert not (tmp_path / "elsewhere").exists()


def test_who_has_a_file_open_reads_the_new_text(tmp_path):
    write(tmp_path, {"slabinfo": b"the longer text"})
    with open(tmp_path / "slabinfo", "rb") as file:
        assert file.read() == b"the longer text"
        write(tmp_path, {"slabinfo": b"new"})
        file.seek(0)
        assert file.read() == b"new"


# --- the command ---


@pytest.mark.parametrize("status", [2, 77])
def test_the_status_is_the_commands(run, status):
    assert run(*GIVEN, "--", "sh", "-c", f"exit {status}").returncode == status


def test_a_command_that_a_signal_ends_has_a_shells_status(run):
    done = run(*GIVEN, "--", "sh", "-c", "kill -KILL $$")
    assert done.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("program", "status", "text"),
    [
        ("no-such-program", 127, "command not found"),
        (str(SAMPLE), 126, "not a program that may be run"),
        ("", 127, "command not found"),
    ],
)
def test_what_cannot_be_run_has_a_shells_status(program, status, text, tmp_path):
    words = ("--proc", str(tmp_path / "proc"), *GIVEN, "--", program)
    done = CliRunner().invoke(main, ["exec", *words])
    assert (done.exit_code, done.stdout) == (status, "")
    assert done.stderr == f"""slabcore: {program or "''"}: {text}\n"""
    assert not (tmp_path / "proc").exists()


def test_a_directory_is_no_program(tmp_path):
    with pytest.raises(CommandError) as refused:
        find(str(tmp_path))
    assert refused.value.status == 126


def test_signals_are_handed_on(run):
    program = (
        "import signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
        "print('ready', flush=True)\n"
        "signal.sigwait({signal.SIGTERM})\n"
        "sys.exit(9)\n"
    )
    words = [sys.executable, "-m", "slabcore", "exec", *GIVEN]
    with subprocess.Popen(
        [*words, "--", sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(60) == 9


# --- the kernel ---


def test_the_design_and_the_workload_are_named(run):
    done = run("-d", "4.11", "--workload", "frolov", "--at", "0.5", "--", "true")
    files = "slabinfo, cgroups and loadavg of 4.11 in frolov"
    assert done.stderr.startswith(f"slabcore: true has {files} ")


def test_a_file_is_what_a_kernel_begins_with(run):
    done = run("-d", "4.10", *GIVEN, "--", "cat", "{proc}/slabinfo")
    assert done.stdout == SAMPLE.read_text()
    assert f"of 4.10 with {SAMPLE} " in done.stderr


def test_the_engines_write_the_same(run):
    words = ("--set", "workload.parameters.cgroups=8", "--at", "0.3", "--pause", "5")
    core, reference = (
        run(
            "--engine", engine, *words, "--", "cat", "{proc}/slabinfo", "{proc}/cgroups"
        )
        for engine in ("core", "reference")
    )
    assert core.stdout == reference.stdout != ""


def test_what_is_wanted_is_read_for(run):
    done = run("--want", "repeated", "--", "cat", "{proc}/slabinfo")
    assert max(Counter(parse(done.stdout).names).values()) > 1


def test_what_is_wanted_and_never_comes_is_status_1(run):
    words = ("--set", "workload.parameters.cgroups=8", "--want", "repeated")
    done = run(*words, "--reader", "cursor", "--", "echo", "never")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"slabcore: no repeated row in \d+ files read until the workload ends\n",
        done.stderr,
    )


def test_live_files_go_on_in_place(run):
    # Bounded by the time that run() gives it.
    program = (
        "with open('{proc}/cgroups', 'rb') as file:\n"
        "    seen = [file.read()]\n"
        "    while len(seen) < 3:\n"
        "        file.seek(0)\n"
        "        text = file.read()\n"
        "        if text.endswith(b'\\n') and text != seen[-1]:\n"
        "            seen.append(text)\n"
        "print(*(text.split()[-2].decode() for text in seen))\n"
    )
    done = run("--live", "--at", "0.1", "--", sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    cgroups = [int(count) for count in done.stdout.split()]
    assert len(cgroups) == 3 and cgroups == sorted(cgroups)


@pytest.mark.parametrize("wanted", ["missing", "repeated"])
def test_a_kernel_loses_and_repeats_rows_and_the_cursor_does_not(wanted):
    workload, machine, found = prepare("cache-churn", "4.12", None, ())
    for reader in ("kernel", "cursor"):
        kernel = boot(workload, found["4.12"], machine)
        capture = Capture(kernel, reader=reader)
        files = capture.until(wanted, seconds(3))
        assert (files is None) == (reader == "cursor")


def test_nothing_is_missing_where_nothing_goes_on():
    kernel = Kernel.from_slabinfo("4.10", SAMPLE)
    capture = Capture(kernel)
    assert capture.until("missing", kernel.now_ns + ms(300)) is None
    assert capture.slabinfos > 1


def test_a_file_without_rows_is_said_to_have_none(run, tmp_path):
    (tmp_path / "none").write_bytes(header())
    done = run("--slabinfo", str(tmp_path / "none"), "--", "cat", "{proc}/slabinfo")
    assert done.stdout.encode() == header()
    assert f"slabcore: {tmp_path / 'none'} has a header and no rows\n" in done.stderr


def test_a_moment_is_of_the_workload_however_short_it_is(run):
    short = ("--workload", "frolov", "--set", "workload.programs.loop.repeat=1")
    short += ("--set", "workload.settle_s=0")
    assert run(*short, "--", "true").returncode == 0
    done = run(*short, "--at", "1", "--", "true")
    (end,) = re.findall(r"--at 1: the workload ends at (0\.\d+) s; exp", done.stderr)
    assert run(*short, "--at", end, "--", "true").returncode == 0


def test_what_takes_a_second_is_said(monkeypatch, capfd):
    monkeypatch.setattr(progress, "_BAR_AFTER_S", 0)
    with progress.Notice("the kernel runs") as notice:
        notice._timer.join()
    assert capfd.readouterr().err == "slabcore: the kernel runs\n"


# --- what is refused ---


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--slabinfo", "missing", "--", "true"), "missing: No such file"),
        (("--slabinfo", "", "--", "true"), "'': No such file"),
        (("--slabinfo", "/dev/zero", "--", "true"), "/dev/zero: byte 0 is a NUL"),
        (("--slabinfo", "/dev/null", "--", "true"), "/dev/null: the file is empty"),
        (("-d", "4.9", "--slabinfo", "/dev/null", "--", "true"), "the file is empty"),
        (("-d", "4.9", "-d", "4.10", "--", "true"), "a program has one kernel"),
        (("--proc", "", "--", "true"), "'': this is no path"),
        (("--proc", "no/such/place", "--", "true"), "place: no such file or directory"),
        (("--at", "1e9", "--", "true"), "--at 1000000000: the workload ends at "),
        (
            ("-d", "4.10", *GIVEN, "--at", "1e9", "--", "true"),
            "--at 1000000000: a day without one ends at 86400 s; expected a time",
        ),
        (("--pause", "1e9", "--", "true"), "--pause 1000000000: the workload ends aft"),
        (
            ("--want", "repeated", "--at", "100000", "--", "true"),
            "--at 100000: the workload ends at ",
        ),
        (("--slabinfo", __file__, "--", "true"), "test_exec.py:1: the line is "),
        ((*GIVEN, "--at", "1", "--", "true"), "--slabinfo alone hands a text on"),
        ((*GIVEN, "--live", "--", "true"), "--slabinfo alone hands a text on"),
        ((*GIVEN, "--want", "missing", "--", "true"), "--slabinfo and --want"),
        ((*GIVEN, "--workload", "storm", "--", "true"), "--slabinfo and --workload"),
        (("-d", "9.9", "--", "true"), "'9.9' is not known"),
        (("--workload", "strom", "--", "true"), "strom"),
        (("--read", "0", "--", "true"), "--read"),
        (("--at", "-1", "--", "true"), "--at"),
        (("--at", "abc", "--", "true"), "'abc'; expected a number from 0 to"),
        (("--at", "nan", "--", "true"), "'nan'; expected a number from 0 to"),
        (("--pause", "inf", "--", "true"), "'inf'; expected a number from 0 to"),
        (("--want", "missing", "--at", "nan", "--", "true"), "'nan'; expected"),
        (("--reader", "slow", "--", "true"), "--reader"),
        (("--proc", "/proc/version", *GIVEN, "--", "true"), "/proc/version: "),
        ((), "missing argument"),
    ],
)
def test_bad_input_is_one_line(words, message):
    done = CliRunner().invoke(main, ["exec", *words])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr

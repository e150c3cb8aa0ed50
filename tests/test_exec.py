"""``slabcore exec``: what the command gets, what is left behind, which status."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slabcore.mount import CommandError, NamespaceError, find, namespace, tree, write

SAMPLE = Path(__file__).parent / "data" / "slabinfo" / "4.10.17.txt"
GIVEN = ("--slabinfo", str(SAMPLE))


@pytest.fixture
def run(tmp_path):
    """Run ``slabcore exec`` with a directory of its own for what is temporary."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    before = Path("/proc/cgroups").read_bytes()

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
    assert Path("/proc/cgroups").read_bytes() == before


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
    there = tmp_path / "new" / "proc"
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


@pytest.mark.parametrize("status", [0, 1, 2, 77])
def test_the_status_is_the_commands(run, status):
    assert run(*GIVEN, "--", "sh", "-c", f"exit {status}").returncode == status


def test_a_command_that_a_signal_ends_has_a_shells_status(run):
    done = run(*GIVEN, "--", "sh", "-c", "kill -KILL $$")
    assert done.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("mounted", [True, False])
def test_what_is_not_found_is_127_and_what_is_no_program_126(run, tmp_path, mounted):
    words = GIVEN if mounted else ("--proc", str(tmp_path / "proc"), *GIVEN)
    done = run(*words, "--", "no-such-program")
    assert done.returncode == 127
    assert done.stderr == "slabcore: no-such-program: command not found\n"
    done = run(*words, "--", str(SAMPLE))
    assert done.returncode == 126
    assert done.stderr == f"slabcore: {SAMPLE}: not a program that may be run\n"
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


# --- what is refused ---


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--slabinfo", "missing", "--", "true"), "missing: No such file"),
        (("--slabinfo", __file__, "--", "true"), "test_exec.py:1: the line is "),
        (("--proc", "/proc/version", *GIVEN, "--", "true"), "/proc/version: "),
        ((), "missing argument"),
    ],
)
def test_bad_input_is_one_line(run, words, message):
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr

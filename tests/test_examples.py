"""The examples' runner finds what is wrong with an example, an sdist and a wheel.

The examples themselves run in `make examples`, on a wheel that is built for it.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("run", ROOT / "examples" / "run.py")
runner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)

EXAMPLES = [ROOT / "examples" / name for name in runner.examples()]


@pytest.fixture
def example(tmp_path):
    """Return a directory that git looks at, with a program that prints a line."""
    path = tmp_path / "example"
    path.mkdir()
    subprocess.run(["git", "init", "-q", path], check=True)
    (path / ".gitignore").write_text("left\n")
    (path / "left").write_text("by a build")
    (path / "run").write_text('#!/bin/sh\nls; "$PYTHON" -c "print(6 * 7)"\n')
    (path / "run").chmod(0o755)
    (path / "expected.out").write_text("expected.out\nrun\n42\n")
    return path


def output(example, tmp_path):
    return runner.output(example, Path(sys.executable), tmp_path / "copy")


# --- examples ---


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_says_what_it_is_and_what_it_prints(example):
    assert os.access(example / "run", os.X_OK)
    assert (example / "run").read_text().startswith("#!/bin/sh\n")
    assert re.match(r"# \w", (example / "README.md").read_text())
    assert (example / "expected.out").read_bytes()
    page = (example.parent / "README.md").read_text()
    assert f"| [{example.name}]({example.name}/README.md) | " in page


def test_it_runs_in_a_copy_without_what_git_ignores(example, tmp_path):
    printed = output(example, tmp_path)
    assert printed == b"expected.out\nrun\n42\n"
    runner.compare(example, printed)


def test_a_byte_too_much_is_shown(example):
    with pytest.raises(runner.Failure, match=r"(?s)something else.*\n-42\n\+42 *\n?"):
        runner.compare(example, b"expected.out\nrun\n42 \n")


def test_an_example_without_expected_output_says_how_to_get_it(example):
    (example / "expected.out").unlink()
    with pytest.raises(runner.Failure, match="--write"):
        runner.compare(example, b"42\n")


def test_a_failure_tells_the_status_and_what_was_said(example, tmp_path):
    (example / "run").write_text(
        "#!/bin/sh\necho made; echo no such file >&2; exit 3\n"
    )
    with pytest.raises(runner.Failure, match=r"status 3\nmade\nno such file\n"):
        output(example, tmp_path)


def test_a_run_that_is_no_program_is_refused(example, tmp_path):
    (example / "run").chmod(0o644)
    with pytest.raises(runner.Failure, match="run: Permission denied"):
        output(example, tmp_path)


def test_a_program_that_is_not_there_is_one_line():
    with pytest.raises(runner.Failure, match=r"\Anosuch: No such file or directory\Z"):
        runner.call("nosuch", "--version")


def test_an_example_without_an_end_is_stopped(example, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "LONGEST_S", 0.05)
    (example / "run").write_text("#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(runner.Failure, match="had not ended"):
        output(example, tmp_path)


def test_nothing_of_a_developers_shell_is_inherited(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("MAKEFLAGS", "w")
    monkeypatch.setenv("SLABCORE_DEBUG", "1")
    assert not {"PYTHONPATH", "MAKEFLAGS", "SLABCORE_DEBUG"} & {*runner.clean()}
    assert runner.clean()["PATH"] == os.environ["PATH"]


def test_an_unknown_example_names_those_that_there_are():
    with pytest.raises(runner.Failure, match=r"nosuch: no such example.*script"):
        list(runner.choose(["nosuch"]))


# --- what is built ---


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a checkout of four files that git looks at."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "slabcore").mkdir()
    for name in (".gitignore", "setup.py", "slabcore/list.pxd", "slabcore/py.typed"):
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("dist\n")
    told = '[tool.setuptools]\npy-modules = ["beside"]\n'
    (tmp_path / "pyproject.toml").write_text(told)
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "BUILT", ("slabcore/_core.cpython-*.so",))
    return tmp_path


def wheel_of(package, *names):
    path = package / "dist" / "slabcore-1.0-cp311-cp311-linux_x86_64.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name in (*names, "slabcore-1.0.dist-info/METADATA"):
            archive.writestr(name, "")
    return list(runner.wheel_faults(path))


CORE = "slabcore/_core.cpython-311-x86_64-linux-gnu.so"


def test_a_wheel_of_what_git_knows_and_a_build_makes_is_right(package):
    given = ("beside.py", "slabcore/list.pxd", "slabcore/py.typed", CORE)
    assert wheel_of(package, *given) == []


def test_what_a_wheel_lacks_or_has_too_much_is_named(package):
    (package / "slabcore" / "_core.c").touch()
    given = ("slabcore/py.typed", "slabcore/_core.c", "slabcore/old.py", "tests/a.py")
    assert wheel_of(package, *given) == [
        "wheel: beside.py is missing",
        "wheel: slabcore/list.pxd is missing",
        "wheel: slabcore/old.py is not in git, and no build makes it",
        "wheel: tests/a.py is not in git, and no build makes it",
        "wheel: slabcore/_core.cpython-*.so is there 0 times, not once",
        "wheel: slabcore/_core.c is of a kind that no wheel has",
    ]


def test_an_sdist_has_what_git_knows(package):
    path = package / "dist" / "slabcore-1.0.tar.gz"
    path.parent.mkdir()
    (package / "left.o").touch()
    (package / ".gitignore").write_text("dist\n*.o\n")
    with tarfile.open(path, "w:gz") as archive:
        for name in ("setup.py", "slabcore/py.typed", "left.o", "PKG-INFO"):
            (package / name).touch()
            archive.add(package / name, f"slabcore-1.0/{name}")
    (package / "PKG-INFO").unlink()
    assert list(runner.sdist_faults(path)) == [
        "sdist: pyproject.toml is missing",
        "sdist: slabcore/list.pxd is missing",
        "sdist: left.o is not in git, and no build makes it",
    ]

"""What is said of slabcore in several places is the same everywhere."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import slabcore

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT, TOOL = PYPROJECT["project"], PYPROJECT["tool"]
PREFIX = "Programming Language :: Python :: 3."
VERSIONS = [
    f"3.{name.removeprefix(PREFIX)}"
    for name in PROJECT["classifiers"]
    if name.startswith(PREFIX)
]


def test_the_versions_of_python_that_are_declared_are_those_that_are_tested():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (tested,) = re.findall(r"^PYTHONS \?= (.*)$", makefile, re.M)
    assert tested.split() == [f"python{version}" for version in VERSIONS]
    built = [f"cp{version.replace('.', '')}-*" for version in VERSIONS]
    assert TOOL["cibuildwheel"]["build"] == built


def test_the_oldest_python_is_the_same_for_pip_and_the_checkers():
    assert PROJECT["requires-python"] == f">={VERSIONS[0]}"
    assert TOOL["mypy"]["python_version"] == VERSIONS[0]
    assert TOOL["pyright"]["pythonVersion"] == VERSIONS[0]


def test_free_threading_is_not_declared_without_a_test_of_it():
    directives = (ROOT / "slabcore" / "_core.pyx").read_text("utf-8").splitlines()[:5]
    assert not [line for line in directives if "freethreading" in line]
    assert not [name for name in PROJECT["classifiers"] if "Free Threading" in name]


def test_the_version_is_one():
    assert slabcore.__version__ == PROJECT["version"] == metadata.version("slabcore")


def test_a_checkout_that_is_not_built_says_so(tmp_path):
    unbuilt = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "slabcore", tmp_path / "slabcore", ignore=unbuilt)
    run = subprocess.run(
        [sys.executable, "-c", "import slabcore"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No module named 'slabcore._core'" in run.stderr
    assert run.stderr.splitlines()[-1] == (
        f"ImportError: slabcore: {tmp_path / 'slabcore'} is not built for this "
        "Python; expected pip install -e . in the checkout, or to be started outside "
        "of it"
    )

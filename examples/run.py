"""Run the examples on what users install: built, checked, in an empty environment.

    python examples/run.py                    every example
    python examples/run.py c cpp              these
    python examples/run.py --wheel FILE c     on a wheel that was built before
    python examples/run.py --write c          what it prints becomes what is expected

The sdist is made of the checkout, the wheel of the sdist, and what is in them is held
against what git knows. Each example runs in a copy of its own, in an environment
outside the checkout in which nothing but the wheel, and what its requirements.txt asks
for on top of it, is installed; what it prints must equal its expected.out to the byte.
"""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
DIST = ROOT / "build" / "dist"
LONGEST_S = 300  # of one example

# What a build adds to what git knows. Each stands there once.
BUILT = (
    "slabcore/_core.cpython-*.so",
    "slabcore/capi.cpython-*.so",
    "slabcore/include/capi_api.h",
)
SDIST_ONLY = ("PKG-INFO", "setup.cfg", "slabcore.egg-info/*")
NOT_IN_SDIST = {".gitignore"}
# A wheel has no other kinds of files: no C, no objects, nothing that a tool left.
KINDS = {
    *(".py", ".pyi", ".pyx", ".pxd", ".pxi", ".typed"),
    *(".h", ".so", ".toml", ".txt", ".json", ".md"),
}
# What a Makefile, a test run or a developer's shell would change of an example's run.
NOT_INHERITED = ("PYTHON", "PYTEST", "VIRTUAL_ENV", "MAKE", "MFLAGS", "SLABCORE_")


class Failure(Exception):
    """What went wrong, in one line, and what a program had to say."""


def main() -> int:
    """Build, check and run; return the status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="all, if none is given"
    )
    parser.add_argument("--wheel", type=Path, help="use this one and build none")
    parser.add_argument("--write", action="store_true", help="write expected.out")
    options = parser.parse_args()
    try:
        chosen = list(choose(options.names))
        wheel = options.wheel or build()
        failed = run_all(chosen, wheel.resolve(), write=options.write)
    except Failure as failure:
        print(f"examples/run.py: {failure}", file=sys.stderr)
        return 1
    done = len(chosen) - len(failed)
    print(f"examples: {done} as expected" + f", not {', '.join(failed)}" * bool(failed))
    return int(bool(failed))


def examples() -> list[str]:
    """Return the names of all examples."""
    return sorted(path.parent.name for path in EXAMPLES.glob("*/run"))


def choose(names: Iterable[str]) -> Iterator[Path]:
    """Yield the directories of some examples; all of them if none is named."""
    there = examples()
    for name in names or there:
        if name not in there:
            raise Failure(f"{name}: no such example; there are {', '.join(there)}")
        yield EXAMPLES / name


# --- what is built ---


def build() -> Path:
    """Make the sdist and of it the wheel, check both, and return the wheel."""
    begun = say("sdist of the checkout, wheel of the sdist")
    shutil.rmtree(DIST, ignore_errors=True)
    python = [sys.executable, "-m"]
    call(*python, "build", "--no-isolation", "--sdist", "--outdir", DIST, ROOT)
    sdist = only(DIST, "*.tar.gz")
    # As `pip install` of the sdist does it: with the requirements that it declares.
    call(*python, "pip", "wheel", "-q", "--no-deps", "--wheel-dir", DIST, sdist)
    wheel = only(DIST, "*.whl")
    call(*python, "twine", "check", "--strict", sdist, wheel)
    wrong = [*sdist_faults(sdist), *wheel_faults(wheel)]
    if wrong:
        raise Failure("\n  ".join(("what was built is not what it should be:", *wrong)))
    said(begun, f"{sdist.name} {size(sdist)}, {wheel.name} {size(wheel)}")
    return wheel


def only(directory: Path, pattern: str) -> Path:
    """Return the one file of a pattern."""
    (path,) = directory.glob(pattern)
    return path


def known(directory: Path) -> set[str]:
    """Return a directory's files that git has, or would have after ``git add``."""
    of_git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = call(*of_git, cwd=directory).split("\0")
    return {name for name in names if (directory / name).is_file()}


def sdist_faults(sdist: Path) -> Iterator[str]:
    """Yield what is missing from an sdist, and what it has too much."""
    with tarfile.open(sdist) as archive:
        files = [entry.name for entry in archive if entry.isfile()]
    top = sdist.name.removesuffix(".tar.gz") + "/"
    names = [name.removeprefix(top) for name in files]
    yield from difference("sdist", names, known(ROOT) - NOT_IN_SDIST, SDIST_ONLY)


def wheel_faults(wheel: Path) -> Iterator[str]:
    """Yield what is missing from a wheel, and what it has too much."""
    name, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    wanted = {f"slabcore/{name}" for name in known(ROOT / "slabcore")}
    with open(ROOT / "pyproject.toml", "rb") as file:
        told = tomllib.load(file)["tool"]["setuptools"]
    wanted |= {f"{module}.py" for module in told.get("py-modules", ())}
    of_package = [n for n in names if not n.startswith(f"{name}-{version}.dist-info/")]
    yield from difference("wheel", of_package, wanted, BUILT)
    for built in BUILT:
        count = len(fnmatch.filter(names, built))
        if count != 1:
            yield f"wheel: {built} is there {count} times, not once"
    for name in sorted(of_package):
        if Path(name).suffix not in KINDS:
            yield f"wheel: {name} is of a kind that no wheel has"


def difference(
    what: str, names: Iterable[str], wanted: set[str], made: Iterable[str]
) -> Iterator[str]:
    """Yield how an archive differs from the files of git and what a build makes."""
    there = set(names)
    for name in sorted(wanted - there):
        yield f"{what}: {name} is missing"
    for name in sorted(there - wanted):
        if not any(fnmatch.fnmatch(name, pattern) for pattern in made):
            yield f"{what}: {name} is not in git, and no build makes it"


def size(path: Path) -> str:
    """Return a file's size as people say it."""
    return f"{path.stat().st_size / 1e6:.2f} MB"


# --- where it runs ---


def run_all(chosen: Iterable[Path], wheel: Path, *, write: bool) -> list[str]:
    """Run examples on a wheel; return the names of those that fail."""
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="slabcore-examples-") as place:
        begun = say("an environment with the wheel in it")
        base = environment(Path(place) / "environment")
        call(base, "-m", "pip", "install", "-q", wheel)
        call(base, "-m", "pip", "check")
        check_version(base, wheel)
        said(begun)
        for example in chosen:
            begun = say(example.name)
            try:
                python = on_top(base, example, Path(place) / f"on-top-{example.name}")
                printed = output(example, python, Path(place) / example.name)
                if write:
                    (example / "expected.out").write_bytes(printed)
                compare(example, printed)
            except Failure as failure:
                failed.append(example.name)
                said(begun, f"FAILED: {failure}")
            else:
                said(begun)
    return failed


def environment(at: Path) -> Path:
    """Make a virtual environment with pip in it; return its python."""
    call(sys.executable, "-m", "venv", at)
    return at / "bin" / "python"


def on_top(base: Path, example: Path, at: Path) -> Path:
    """Return the python of an example's environment.

    What its requirements.txt asks for lies in an environment of its own that looks into
    the wheel's, so that no other example gets it.
    """
    requirements = example / "requirements.txt"
    if not requirements.exists():
        return base
    call(base, "-m", "venv", "--without-pip", at)
    python = at / "bin" / "python"
    (site(python) / "below.pth").write_text(f"{site(base)}\n", "utf-8")
    call(base, "-m", "pip", "--python", python, "install", "-q", "-r", requirements)
    return python


def site(python: Path) -> Path:
    """Return where an environment has its packages."""
    where = "import sysconfig; print(sysconfig.get_path('platlib'))"
    return Path(call(python, "-c", where).strip())


def check_version(python: Path, wheel: Path) -> None:
    """Refuse a package that is not the wheel's, or that says another version."""
    program = "import slabcore; print(slabcore.__version__, slabcore.__file__)"
    version, _, file = (
        call(python, "-c", program, cwd=python.parent).strip().partition(" ")
    )
    if version != wheel.name.split("-")[1]:
        raise Failure(f"slabcore says that it is {version}, and is {wheel.name}")
    if not Path(file).is_relative_to(site(python)):
        raise Failure(f"the environment imports {file}")
    told = call(python, "-m", "slabcore", "--version", cwd=python.parent)
    if version not in told:
        raise Failure(f"slabcore --version says {told.strip()}")


def output(example: Path, python: Path, at: Path) -> bytes:
    """Run a copy of an example; return what it printed."""
    for file in known(example):
        copy = at / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(example / file, copy)
    try:
        ended = subprocess.run(
            ["./run"],
            cwd=at,
            env=clean() | {"PYTHON": str(python)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"it had not ended after {LONGEST_S} s") from None
    except OSError as error:
        raise Failure(f"run: {error.strerror}; it is an executable script") from None
    if ended.returncode:
        told = (ended.stdout + ended.stderr).decode(errors="replace")
        raise Failure(f"status {ended.returncode}\n{told}")
    return ended.stdout


def compare(example: Path, printed: bytes) -> None:
    """Refuse an output that differs from what is expected by a byte."""
    file = example / "expected.out"
    if not file.exists():
        raise Failure("there is no expected.out; --write writes it")
    expected = file.read_bytes()
    if printed != expected:
        was, is_ = (
            text.decode(errors="replace").splitlines() for text in (expected, printed)
        )
        lines = difflib.unified_diff(was, is_, "expected.out", "printed", lineterm="")
        raise Failure("\n".join(("it printed something else", *lines)))


def clean() -> dict[str, str]:
    """Return the variables that a program inherits."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(NOT_INHERITED)}
    return kept | {"LC_ALL": "C.UTF-8", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def call(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a program that must succeed; return what it printed."""
    words = list(map(str, command))
    try:
        ended = subprocess.run(
            words,
            cwd=cwd,
            env=clean(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        raise Failure(f"{words[0]}: {error.strerror}") from None
    if ended.returncode:
        raise Failure(f"{' '.join(words)}: status {ended.returncode}\n{ended.stdout}")
    return ended.stdout


def say(what: str) -> float:
    """Tell what begins; return when."""
    print(f"{what} …", end=" ", flush=True)
    return time.monotonic()


def said(begun: float, what: str = "") -> None:
    """Tell that it has ended, after how long."""
    print(
        *filter(None, (f"{time.monotonic() - begun:.0f} s", what)), sep=", ", flush=True
    )


if __name__ == "__main__":
    raise SystemExit(main())

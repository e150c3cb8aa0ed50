"""A side of a row: what it needs is built, and it is run once, in its own process."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rows import Side, Source

HERE = Path(__file__).parent
ROOT = HERE.parent
RECORDING = ROOT / "slabcore" / "recordings" / "ftrace-6.18-cgroup1-memory.txt"

Told = dict[str, Any]


class Places(dict[str, str]):
    """Where headers and sources of others lie, by what a row calls them."""

    def __missing__(self, name: str) -> str:
        if name == "python":
            return sysconfig.get_path("include")
        if name == "pybind11":
            return str(importlib.import_module(name).get_include())
        return str(Path(importlib.import_module(name).include_dir()).parent)


class Missing(Exception):
    """What a side needs is not here."""


class Bench:
    """Builds what is to be run, makes the files it reads, and runs it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.built: dict[Source, Path | str] = {}

    def build(self, source: Source) -> Path | str:
        """Return where a program was built, or why it was not."""
        if source not in self.built:
            self.built[source] = self._build(source)
        return self.built[source]

    def _build(self, source: Source) -> Path | str:
        file = HERE / source.file
        target = self.place / str(len(self.built)) / file.with_suffix("").name
        target.parent.mkdir()
        if "-shared" in source.flags:
            target = target.with_suffix(".so")
        try:
            flags = [flag.format_map(Places()) for flag in source.flags]
        except ImportError as error:
            return f"{error.name} is not installed"
        if file.suffix == ".pyx":
            made = target.with_suffix(".c")
            cython = [sys.executable, "-m", "cython", "-3", "-I", str(ROOT)]
            if why := _failure([*cython, "-o", str(made), str(file)]):
                return why
            file = made
        named = ("CXX", "c++") if file.suffix == ".cpp" else ("CC", "cc")
        compiler = shlex.split(os.environ.get(*named))
        command = [*compiler, *flags, "-o", str(target), str(file), *source.libraries]
        return _failure(command) or target

    def file(self, kind: str, n: int) -> Path:
        """Return a file of *n* lines or rows."""
        path = self.place / f"{kind}-{n}"
        if not path.exists():
            path.write_text(FILES[kind](n), "utf-8")
        return path

    def words(self, command: Iterable[str | Source], n: int) -> list[str]:
        """Return a command with what it names: built, made, filled in."""
        words = []
        for word in command:
            if isinstance(word, Source):
                found = self.build(word)
                if isinstance(found, str):
                    raise Missing(found)
                words.append(str(found))
            elif word.strip("{}") in FILES:
                words.append(str(self.file(word.strip("{}"), n)))
            else:
                words.append(word.format(n=n, python=sys.executable))
        return words

    def run(self, side: Side, n: int, limit_s: float) -> Told:
        """Time one side once; tell what is missing or failed instead if it cannot be.

        Who takes longer than *limit_s* is stopped.
        """
        try:
            command = self.words(side.command, n)
        except Missing as why:
            return {"missing": str(why)}
        try:
            ran = subprocess.run(
                command, cwd=HERE, capture_output=True, text=True, timeout=limit_s
            )
        except subprocess.TimeoutExpired:
            return {"failed": f"takes more than {limit_s} s"}
        if ran.returncode:
            last = ran.stderr.strip().splitlines()[-1:] or [
                f"ends with {ran.returncode}"
            ]
            return {"failed": f"{shlex.join(command[1:])}: {last[0]}"}
        told: Told = json.loads(ran.stdout.splitlines()[-1])
        if "ns" in told:
            told["ns"] *= side.scale
        return told


def _failure(command: list[str]) -> str:
    """Run a compiler; return what it says went wrong."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return f"{command[0]} is not installed"
    if not ran.returncode:
        return ""
    errors = [line for line in ran.stderr.splitlines() if "error" in line.lower()]
    missing = re.search(r"(\S+): No such file|cannot find (\S+):", ran.stderr)
    if missing:
        return f"{missing[1] or missing[2]} is not installed"
    return errors[0] if errors else "it does not compile"


def recording(n: int) -> str:
    """Return n lines of a recording: the events of one, again and again."""
    events = [
        line
        for line in RECORDING.read_text("utf-8").splitlines(keepends=True)
        if not line.startswith("#") and line.strip()
    ]
    return "".join((events * (n // len(events) + 1))[:n])


def slabinfo(n: int) -> str:
    """Return a slabinfo of n rows, nine of ten named as a memcg's caches are."""
    roots = ("dentry", "kmalloc-192", "inode_cache", "filp", "cred_jar")
    lines = [
        "slabinfo - version: 2.1\n",
        "# name            <active_objs> <num_objs> <objsize> <objperslab> "
        "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata "
        "<active_slabs> <num_slabs> <sharedavail>\n",
    ]
    for i in range(n):
        name = roots[i % 5] + (f"({i // 10}:app-{i % 97})" if i % 10 else "")
        slabs, per_slab = 1 + i * 7919 % 999, 8 + i % 32
        lines.append(
            f"{name:<17} {slabs * per_slab - i % 7:6} {slabs * per_slab:6} "
            f"{8 * (8 + i % 128):6} {per_slab:4} {1 << i % 4:4} : tunables {0:4} {0:4} "
            f"{0:4} : slabdata {slabs:6} {slabs:6} {0:6}\n"
        )
    return "".join(lines)


FILES = MappingProxyType({"trace": recording, "slabinfo": slabinfo})

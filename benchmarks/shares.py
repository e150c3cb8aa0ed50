"""Tell what a whole world's time goes into, mechanism by mechanism.

    python shares.py [SIZE ...] [--write]

The core is built with line numbers, which changes none of its code, and worlds of SIZE
caches, those of the row `worlds`, run under `perf record`. The line that each sample
stands on belongs to one of slabcore's functions, also where that was inlined into
another, and each function to a mechanism. Samples beside the run itself are left out.

--write puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import bisect
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- timed: shares -->\n", "<!-- end -->"
MODULE = "_core" + sysconfig.get_config_var("EXT_SUFFIX")
SIZES = (10_000, 100_000, 500_000)
ENOUGH = 500_000  # caches to take samples of

# A function's own mechanism goes before its file's.
MECHANISMS = MappingProxyType(
    {
        "engine": "event loop",
        "passes": "event loop",
        "passes_user": "event loop",
        "busy": "event loop",
        "loadavg": "event loop",
        "clock": "timers",
        "paths": "a task's next function",
        "task_push": "a task's next function",
        "call": "a task's next function",
        "task_new": "scheduler",
        "sched": "scheduler",
        "mutex": "locks",
        "lock": "locks",
        "unlock": "locks",
        "lock_caches": "locks",
        "unlock_caches": "locks",
        "worker": "work items and kworkers",
        "call_work": "work items and kworkers",
        "look_ahead": "work items and kworkers",
        "workqueue": "work items and kworkers",
        "queue_new_work": "work items and kworkers",
        "rcu": "callbacks and grace periods",
        "rcupdate": "callbacks and grace periods",
        "list": "lists",
        "slab": "caches",
        "slab_common": "caches",
        "world": "caches",
        "memcontrol": "cgroups",
        "cgroup": "cgroups",
        "new_memcg": "cgroups",
        "css_put": "cgroups",
        "programs": "programs, objects, slab pages",
        "take_objects": "programs, objects, slab pages",
        "put_objects": "programs, objects, slab pages",
        "discard": "programs, objects, slab pages",
        "note": "a log that is not kept",
        "note_work": "a log that is not kept",
        "note_mkdir": "a log that is not kept",
        "_core": "event loop",
        "arena": "arenas",
        "libc.so.6": "copies and pages of memory",
        "[kernel.kallsyms]": "copies and pages of memory",
    }
)
FUNCTION = re.compile(r"static .*?\b(\w+)\(.*\) \{$")
OURS = re.compile(r"__pyx_f_8slabcore_(\d+)(\w+)")
SAMPLE = re.compile(r"\s*([\d.]+):\s+([0-9a-f]+) (\S+) \((.*)\)$")


def run(command: list[str], **options: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, input=options.get("given"), check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout


def build(place: Path) -> tuple[Path, Path]:
    """Build the package with line numbers; return its core, as a module and as C."""
    package = place / "slabcore"
    shutil.copytree(ROOT / "slabcore", package, ignore=shutil.ignore_patterns("*.so"))
    source, module = package / "_core.c", package / MODULE
    run([sys.executable, "-m", "cython", "-3", str(package / "_core.pyx")])
    flags = ["-shared", "-fPIC", "-O2", "-g", "-fwrapv", "-DNDEBUG", "-w"]
    include = sysconfig.get_path("include")
    run(["cc", *flags, f"-I{include}", str(source), "-o", str(module)])
    return module, source


class Lines:
    """Which of slabcore's functions a line of the C file is in, and of which file."""

    def __init__(self, source: Path) -> None:
        self.first: list[int] = []
        self.names: list[str] = []
        for number, line in enumerate(source.read_text("utf-8").split("\n"), 1):
            if found := FUNCTION.match(line):
                self.first.append(number)
                self.names.append(found[1])

    def mechanism(self, number: int) -> str:
        name = self.names[bisect.bisect_right(self.first, number) - 1]
        if not (found := OURS.match(name)):
            return "event loop" if "World" in name else "divisions"
        length = int(found[1])
        file, function = found[2][:length], found[2][length + 1 :]
        return MECHANISMS.get(function) or MECHANISMS.get(file, file)


def samples(data: Path, bounds: list[float]) -> Iterator[tuple[str, str]]:
    """Yield where samples of the runs stood: a file, and a symbol and offset in it.

    bounds: when each run began and ended.
    """
    told = run(["perf", "script", "-i", str(data), "-F", "time,ip,sym,symoff,dso"])
    for line in told.splitlines():
        found = SAMPLE.match(line)
        if found and bisect.bisect_right(bounds, float(found[1])) % 2:
            yield found[4], found[3]


def counted(place: Path, module: Path, source: Path, size: int) -> Counter[str]:
    """Return how many samples of a world's run each mechanism has."""
    data = place / "perf.data"
    command = ["perf", "record", "-q", "-k", "CLOCK_MONOTONIC", "-e", "cpu-clock"]
    command += ["-F", "5000", "-o", str(data), sys.executable, __file__]
    told = run([*command, "--world", str(size)])
    found = Counter(samples(data, [float(word) for word in told.split()]))
    bases = {
        words[2]: int(words[0], 16)
        for line in run(["nm", str(module)]).splitlines()
        if len(words := line.split()) == 3
    }
    places = [symbol for file, symbol in found if file == str(module)]
    addresses = []
    for symbol in places:
        name, _, offset = symbol.partition("+")
        addresses.append(hex(bases.get(name, 0) + int(offset or "0", 16)))
    told = run(["addr2line", "-e", str(module)], given="\n".join(addresses))
    numbers = [line.partition(" ")[0].rpartition(":") for line in told.splitlines()]
    lines = Lines(source)
    shares: Counter[str] = Counter()
    for symbol, (file, _, number) in zip(places, numbers, strict=True):
        where = "copies and pages of memory" if "@" in symbol else "divisions"
        if file.endswith("_core.c") and number.isdigit():
            where = lines.mechanism(int(number))
        shares[where] += found[str(module), symbol]
    for (file, _), count in found.items():
        if file != str(module):
            shares[MECHANISMS.get(Path(file).name, "the interpreter")] += count
    return shares


def world(size: int) -> None:
    """Be what is recorded: run a world, a small one some times, and say when."""
    from product import finish, idle

    for _ in range(max(1, ENOUGH // size)):
        kernel = idle("4.11", size // 10, 10)
        began = time.monotonic()
        finish(kernel)
        print(began, time.monotonic())


def table(counts: list[Counter[str]], sizes: list[int]) -> str:
    """Return a table: mechanisms, those that take most of the largest world first."""
    totals = [sum(count.values()) for count in counts]
    heads = " | ".join(f"{size:,}".replace(",", " ") for size in sizes)
    rows = [f"| caches | {heads} |", "| --- |" + " ---: |" * len(sizes)]
    for name, _ in sum(counts[::-1], Counter()).most_common():
        cells = [
            f"{100 * c[name] / t:.1f} %" for c, t in zip(counts, totals, strict=True)
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    read.add_argument("size", nargs="*", type=int, default=list(SIZES))
    read.add_argument("--write", action="store_true", help="into docs/performance.md")
    read.add_argument("--world", type=int, help=argparse.SUPPRESS)
    chosen = read.parse_args()
    if chosen.world:
        world(chosen.world)
        return
    for tool in ("perf", "cc", "nm", "addr2line"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not installed")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        module, source = build(place)
        os.environ["PYTHONPATH"] = str(place)
        counts = [counted(place, module, source, size) for size in chosen.size]
    text = table(counts, chosen.size)
    print(text, end="")
    if chosen.write:
        page = PAGE.read_text("utf-8")
        before, _, rest = page.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not end:
            raise SystemExit(f"{PAGE}: no place for the table")
        PAGE.write_text(before + BEGIN + text + end + after, "utf-8")


if __name__ == "__main__":
    main()

"""Count the instructions of slabcore's sides, by callgrind: exact, whatever else runs.

    python instructions.py COUNTER SIDE,ARGUMENT,...

is run under callgrind by `count`. Each side of product.py does its work once to warm up
and once between the `start()` and `stop()` of the module in the file COUNTER, wherever
it would time something.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import count as natural
from pathlib import Path

from rows import EXTENSION, Source
from running import Bench
from timing import COUNTER_FILE

COUNTER = Source("counting.c", ("-O2", *EXTENSION))
TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)


def count(bench: Bench, sides: Sequence[Sequence[str]]) -> list[float] | str:
    """Return each side's instructions an item, or why they cannot be counted.

    What a side takes off its time, such as a loop around calls, it counts first: it is
    taken off here too.
    """
    if shutil.which("valgrind") is None:
        return "valgrind is not installed"
    counter = bench.build(COUNTER)
    if isinstance(counter, str):
        return counter
    dumps = bench.place / "callgrind"
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no"]
    command += [f"--callgrind-out-file={dumps}", sys.executable, __file__]
    ran = subprocess.run(
        [*command, str(counter), *map(",".join, sides)],
        env=os.environ | {"PYTHONHASHSEED": "0", COUNTER_FILE: str(counter)},
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    numbers = natural(1)
    counted = []
    found: list[int] = []
    for line in ran.stdout.splitlines():
        what, _, items = line.partition(" ")
        if what == "counted":
            dump = Path(f"{dumps}.{next(numbers)}").read_text("utf-8")
            found.append(int(TOTALS.findall(dump)[-1]))
        elif what == "items":
            counted.append((found[-1] - sum(found[:-1])) / int(items))
            found.clear()
    return counted


def main() -> None:
    """Run sides one after the other, and say after each how many items it worked on."""
    from product import SIDES

    for side in sys.argv[2:]:
        name, *arguments = side.split(",")
        print("items", SIDES[name](*arguments).items)


if __name__ == "__main__":
    main()

"""One side of a row, timed: CPU time of the thread, the median of some trials.

What a peer or slabcore works on is made outside of the timed part, and collection of
cycles is off in it. `main` prints one line of JSON, as the programs in floor/ do. Under
instructions.py the same part is counted instead, once.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

COUNTER_FILE = "SLABCORE_COUNTER"
"""In the environment: the module that counts; without it, time is taken."""


class Timed(NamedTuple):
    """Nanoseconds an item, of the median trial and of the extremes."""

    ns: float
    least: float
    most: float
    items: int
    trials: int


def trials(items: int) -> int:
    """Return how often to repeat: less where once is long."""
    return 15 if items <= 20_000 else 7 if items <= 200_000 else 3


def timed(
    prepare: Callable[[], Any],
    work: Callable[[Any], object],
    items: int,
    *,
    rounds: int | None = None,
    clock: Callable[[], float] = time.thread_time,
    check: Callable[[Any], bool] | None = None,
) -> Timed:
    """Time *work* on what *prepare* makes; what it returns must pass *check*."""
    if counter := os.environ.get(COUNTER_FILE):
        return counted(load(counter), prepare, work, items)
    took = []
    # The collector is not to look at a million objects while *prepare* makes them.
    gc.disable()
    for _ in range(rounds or trials(items)):
        subject = prepare()
        gc.collect()
        began = clock()
        returned = work(subject)
        took.append(clock() - began)
        assert check is None or check(returned), "the work was not done"
        del subject, returned
    gc.enable()
    return result(took, items)


def counted(
    counter: Any,
    prepare: Callable[[], Any],
    work: Callable[[Any], object],
    items: int,
) -> Timed:
    """Count the instructions of *work*, and say on a line that it was counted."""
    work(prepare())
    subject = prepare()
    gc.collect()
    gc.disable()
    counter.start()
    work(subject)
    counter.stop()
    gc.enable()
    print("counted")
    return Timed(0, 0, 0, items, 2)


def result(took: list[float], items: int) -> Timed:
    """Return seconds of some trials as nanoseconds an item."""
    ns = sorted(1e9 * seconds / items for seconds in took)
    return Timed(statistics.median(ns), ns[0], ns[-1], items, len(ns))


def load(file: str) -> Any:
    """Import an extension module that was built into *file*."""
    name = Path(file).name.partition(".")[0]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numbers(n: int, order: str, seed: int) -> list[int]:
    """Return 0 to n - 1, each an int of its own, made in the order of their use."""
    drawn = list(range(n))
    if order == "shuffled":
        random.Random(seed).shuffle(drawn)
    return [int(str(number)) for number in drawn]


def main(sides: Mapping[str, Callable[..., Timed]]) -> None:
    """Time the side that the command line names, with its arguments."""
    name, *arguments = sys.argv[1:]
    try:
        told: dict[str, Any] = sides[name](*arguments)._asdict()
    except ImportError as error:
        told = {"missing": f"{error.name} is not installed"}
    except OSError as error:
        told = {"missing": f"{error.filename}: {error.strerror}"}
    print(json.dumps(told))

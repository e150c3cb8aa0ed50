"""What a call costs: seconds, in batches of calls, lines of Python, or a count."""

from __future__ import annotations

import gc
import math
import operator
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from numbers import Integral, Real
from types import FrameType
from typing import Any, Literal

from slabcore.errors import InputError
from slabcore.gates.wording import amount

# A test's traceback leaves these functions out.
__tracebackhide__ = True

__all__ = [
    "Cost",
    "Side",
    "Timing",
    "counted",
    "lines",
    "number",
    "returned",
    "unit_of",
]

Meter = Callable[[Callable[[], object]], float]
"""Makes the call that it is given, once, and returns what it cost."""
Cost = Literal["time", "lines", "returned"] | Meter

BATCH_S = 0.5e-3
"""A batch takes so long at least: thousands of times what reading a clock takes."""
PREPARE_S = 0.05
"""What is prepared for one batch takes about so long at most."""
MOST_CALLS = 1_000_000
UNLIKE, UNLIKE_S = 20, 100e-6
"""A first call that took so many times the least, and so long, is unlike the others."""
GROWN = 1.5
"""Calls get slower if all of the last third take so many times what the first did."""


@dataclass(frozen=True)
class Timing:
    """How time is taken; the fixtures have it from pytest-benchmark."""

    timer: Callable[[], float] = time.perf_counter
    min_rounds: int = 5
    max_s: float = 1.0
    """A measurement takes about so long, or as long as min_rounds take."""
    again: int = 2
    """How often more is measured before a missed bound is believed."""
    enough_s: float = 3.0
    """After so long, a bound that is missed by a factor of two is believed at once."""
    enabled: bool = True
    """Otherwise what would be timed is run once, and not judged."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the garbage collector, tracers and profilers out of what is timed."""
    collects, tracer, profiler = gc.isenabled(), sys.gettrace(), sys.getprofile()
    gc.disable()
    if tracer is not None:
        sys.settrace(None)
    if profiler is not None:
        sys.setprofile(None)
    try:
        yield
    finally:
        if profiler is not None:
            sys.setprofile(profiler)
        if tracer is not None:
            sys.settrace(tracer)
        if collects:
            gc.enable()


@dataclass
class Side:
    """Work whose time is taken, in batches of calls that are long enough for a clock.

    Each call gets something that was prepared for it alone, outside of the timed part;
    without *prepare*, calls have no argument.
    """

    timer: Callable[[], float]
    work: Callable[..., object]
    prepare: Callable[[], object] | None = None
    calls: int = 1
    """How many a batch has."""
    took: list[float] = field(default_factory=list)
    """Seconds a call, of each batch since the calibration."""
    round_s: float = 0.0
    """What the last batch took with all that was prepared for it."""
    first_s: float = 0.0
    """What the very first call took."""

    def calibrate(self, again_s: float = math.inf) -> float:
        """Find how many calls make a batch; return the seconds of one.

        again_s: a first call is not made again to know its time if it takes longer.
        """
        self.first_s = batch_s = self._batch()
        if BATCH_S <= batch_s < again_s:
            # A first call imports, and fills caches.
            batch_s = min(batch_s, self._batch())
        while batch_s < BATCH_S and self.calls < MOST_CALLS:
            wanted = math.ceil(1.25 * BATCH_S / batch_s) if batch_s > 0 else 10
            calls = self.calls * min(10, max(2, wanted))
            each_s = max(self.round_s - batch_s, 0.0) / self.calls
            if self.prepare is not None and calls * each_s > PREPARE_S:
                break
            self.calls = calls
            batch_s = self._batch()
        return batch_s / self.calls

    def batch(self) -> float:
        """Take the time of a batch; return the seconds of a call."""
        each_s = self._batch() / self.calls
        self.took.append(each_s)
        return each_s

    def changes(self) -> str:
        """Say how calls differ if work changes what it works on, or ""."""
        least, third = min(self.took), len(self.took) // 3
        if self.first_s > max(UNLIKE * least, UNLIKE_S):
            early = amount(self.first_s, "s")
            return f"took {early} at first and {amount(least, 's')} later"
        if third and min(self.took[-third:]) > GROWN * max(self.took[:third]):
            first, last = self.took[0], self.took[-1]
            return f"took longer each time, {amount(first, 's')} to {amount(last, 's')}"
        return ""

    def _batch(self) -> float:
        began = time.perf_counter()
        timer, work, prepare = self.timer, self.work, self.prepare
        if prepare is None:
            with undisturbed():
                start = timer()
                for _ in repeat(None, self.calls):
                    work()
                batch_s = timer() - start
        else:
            subjects = [prepare() for _ in repeat(None, self.calls)]
            with undisturbed():
                start = timer()
                for subject in subjects:
                    work(subject)
                batch_s = timer() - start
        self.round_s = time.perf_counter() - began
        return batch_s


def lines(call: Callable[[], object]) -> int:
    """Return how many lines of Python a call runs, in all functions it comes through.

    It is exact and the same on any machine, but not under every version of Python. What
    goes on in C, such as ``x in items``, is part of the one line.

    >>> def total(items):
    ...     sum = 0
    ...     for item in items:
    ...         sum += item
    ...     return sum
    >>> lines(lambda: total([1, 2, 3])) - lines(lambda: total([]))
    6
    """
    found = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal found
        found += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return found


def counted(
    make: Callable[[], Callable[[], object]],
    cost: Cost,
    timer: Callable[[], float],
    where: str,
) -> tuple[float, float]:
    """Return what a call costs by a meter that reads no clock, and its seconds.

    Lines are counted in a second call: the first one imports and fills caches.
    """
    call = make()
    seconds = 0.0

    def clocked() -> object:
        nonlocal seconds
        start = timer()
        try:
            return call()
        finally:
            seconds += timer() - start

    if callable(cost):
        return number(returned(cost(clocked), where, "the meter"), where), seconds
    if cost == "lines":
        clocked()
        return lines(make()), seconds
    if cost == "returned":
        return number(returned(clocked(), where), where), seconds
    raise InputError(where, f"cost={cost!r}", '"time", "lines", "returned" or a meter')


def unit_of(cost: Cost) -> str:
    """Name what a meter counts."""
    if callable(cost):
        name = getattr(cost, "__name__", "")
        return name if name.isidentifier() else "cost"
    return {"time": "s", "lines": "lines"}.get(cost, "count")


def returned(value: Any, where: str, who: str = "the work") -> Any:
    """Return what a function returned, which is something."""
    if value is None:
        hint = "a number from 0: is there a return in it?"
        raise InputError(where, f"{who} returned None", hint)
    return value


def number(value: object, where: str) -> float:
    """Return a count, which is an int if it came as one."""
    if isinstance(value, Integral):
        value = operator.index(value)
    elif isinstance(value, Real):
        value = float(value)
    if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise InputError(where, f"is {value!r}", "a number from 0")
    return value

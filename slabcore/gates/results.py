"""What a gate found: whether it holds, in a line, at length, and as data."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from slabcore.gates.fitting import Fit, fit, nearest
from slabcore.gates.wording import amount, figure, plot, size, table

__all__ = ["SCHEMA", "Count", "Found", "Growth", "Order", "Ratio"]

SCHEMA = "slabcore.gates/1"
"""The name of the data that as_dict() returns."""
BY_FAR = 2
SHORT_S = 1e-6
"""A call that takes less costs about as much as what times it."""
STEEPER = 0.3
"""Points bend if their last step is so much steeper than their first."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What every gate found."""

    kind: ClassVar[str]

    label: str
    """What was measured."""
    unjudged: str = ""
    """Why no verdict is given."""
    took: Sequence[float] = ()
    """Seconds a call of the work, at the largest size, of each batch of calls."""
    calls: int = 1
    """How many calls a batch had."""
    hint: str = ""
    """What may be wrong with how it was measured, if a bound is missed."""

    @property
    def held(self) -> bool | None:
        """Tell whether it is within its bounds; None: it was not judged."""
        if self.unjudged:
            return None
        return self._within()

    def line(self) -> str:
        """Return what was found and what was allowed, in one line."""
        told = f"not judged, {self.unjudged}" if self.unjudged else self._told()
        return f"{self.label}: {told}" if self.label else told

    def explain(self) -> str:
        """Return the line, and how it came to that."""
        if self.unjudged:
            return self.line()
        text = "\n".join(("", *self._reasons(), *([self.hint] if self.hint else ())))
        text = re.sub(r"\n(?=[^\n])", "\n  ", text).rstrip()
        of = " of" if self.label else ":"
        return f"{self.kind}{of} {self.line()}\n{text}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as data for JSON, of the schema slabcore.gates/1."""
        return {
            "schema": SCHEMA,
            "gate": self.kind,
            "label": self.label,
            "held": self.held,
            "line": self.line(),
            **({} if self.unjudged else self._data()),
        }

    def _within(self) -> bool:
        raise NotImplementedError

    def _told(self) -> str:
        raise NotImplementedError

    def _reasons(self) -> Iterator[str]:
        raise NotImplementedError

    def _data(self) -> dict[str, Any]:
        raise NotImplementedError


class Order(NamedTuple):
    """Hold a bound of growth: a slope, and its name if it was given by name."""

    slope: float
    name: str = ""

    def __str__(self) -> str:
        return f"n^{self.slope:.2f}" + (f" ({self.name})" if self.name else "")


@dataclass(frozen=True, kw_only=True)
class Growth(Found):
    """What growth() found: costs at sizes, and the line through them."""

    kind = "growth"

    points: Mapping[int, float]
    """The cost by size: seconds, or a count."""
    unit: str = "s"
    at_most: Order | None = None
    at_least: Order | None = None
    rounds: int = 0
    """How often each size was timed; 0: it was counted."""
    measured: int = 1
    """How many times all rounds were run, until a bound held or was given up."""
    left_out: Sequence[int] = ()
    """Sizes at which one call would have taken too long."""

    @property
    def fit(self) -> Fit:
        """The line of least squares through the points, both logarithmic."""
        return fit(self.points)

    @property
    def slope(self) -> float:
        """The exponent: 1 is linear growth, 2 is quadratic."""
        return self.fit.slope

    @property
    def missed_by_far(self) -> bool:
        """Whether a bound is missed by a factor of two, over all sizes, or more."""
        over = []
        if self.at_most is not None:
            over.append(self.slope - self.at_most.slope)
        if self.at_least is not None:
            over.append(self.at_least.slope - self.slope)
        span = max(self.points) / min(self.points)
        return max(over, default=0) * math.log(span) >= math.log(BY_FAR)

    def steps(self) -> list[float]:
        """Return the slope from each point to the next."""
        return [fit(dict(pair)).slope for pair in pairwise(self.points.items())]

    def _within(self) -> bool:
        # What lies on a bound lies on it in spite of rounding.
        slope = round(self.slope, 9)
        below = self.at_most is None or slope <= self.at_most.slope
        return below and (self.at_least is None or slope >= self.at_least.slope)

    def _told(self) -> str:
        bounds = [("at most", self.at_most), ("at least", self.at_least)]
        said = [f"{word} {order}" for word, order in bounds if order is not None]
        slope = f"n^{self.slope:.2f}"
        if self.held is False and any(f"{slope} " in f"{bound} " for bound in said):
            slope = f"n^{self.slope:.5f}"
        return ", ".join((slope, *said))

    def _say(self, cost: float) -> str:
        return amount(cost, self.unit)

    def _reasons(self) -> Iterator[str]:
        line, what = self.fit, "time" if self.unit == "s" else self.unit
        costs, steps = list(self.points.values()), self.steps()
        rows = [(size(n), self._say(cost), "", "") for n, cost in self.points.items()]
        for i, slope in enumerate(steps, 1):
            times = f"{figure(costs[i] / costs[i - 1])} ×" if costs[i - 1] else ""
            rows[i] = (*rows[i][:2], times, f"n^{slope:.2f}")
        yield from table(("n", what, "over the last", "slope"), rows)
        yield ""
        order = nearest(line.slope, list(self.points))
        yield (
            f"The line through the points, {self._say(line.factor)} × "
            f"n^{line.slope:.2f}, is off by {100 * line.off:.0f} % at most."
        )
        yield f"Of the known orders of growth, {order} is the nearest."
        limit = self.at_most
        if limit is None or line.slope <= limit.slope:
            limit = self.at_least
        if limit is not None:
            yield (
                f"Ten times the size costs {figure(10**line.slope)} times as much; the "
                f"bound stands for {figure(10**limit.slope)} times."
            )
            start = next(iter(self.points))
            drawn = plot(
                self.points,
                lambda n: line.at(start) * (n / start) ** limit.slope,
                self._say,
            )
            if drawn:
                yield ""
                yield from drawn
                yield "● measured   · as the bound grows; both axes are logarithmic"
        yield ""
        if steps[-1] - steps[0] > STEEPER:
            yield (
                "It gets steeper with the size: larger sizes show better where it "
                "leads."
            )
        if self.rounds and (
            short := [n for n, s in self.points.items() if s < SHORT_S]
        ):
            yield (
                f"At n = {', '.join(map(size, short))} a call takes less than a "
                "microsecond, which is too short to be timed: take larger sizes."
            )
        if self.left_out:
            left_out = ", ".join(map(size, self.left_out))
            yield f"Left out, since one call would take too long: n = {left_out}."
        if self.rounds:
            rounds = f"{self.rounds} round" + "s" * (self.rounds > 1)
            yield (
                f"Each point is the least of {rounds}, all sizes in turn, "
                f"measured {_times(self.measured)}."
            )
        else:
            yield "Counted, not timed: it comes out the same on a busy machine."

    def _data(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "sizes": list(self.points),
            "costs": list(self.points.values()),
            "slope": self.slope,
            "factor": self.fit.factor,
            "off": self.fit.off,
            "at_most": self.at_most and self.at_most.slope,
            "at_least": self.at_least and self.at_least.slope,
            "rounds": self.rounds,
            "measured": self.measured,
            "left_out": list(self.left_out),
        }


@dataclass(frozen=True, kw_only=True)
class Ratio(Found):
    """What ratio() found: pairs of costs, each of one round."""

    kind = "ratio"

    pairs: Sequence[tuple[float, float]]
    """What the work cost and what its peer cost: seconds, or counts."""
    peer: str
    unit: str = "s"
    at_most: float | None = None
    at_least: float | None = None
    measured: int = 1
    """How many times all rounds were run, until a bound held or was given up."""

    @property
    def ratios(self) -> list[float]:
        """The ratio of each round."""
        return [ours / peer for ours, peer in self.pairs]

    @property
    def median(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios)

    @property
    def of_least(self) -> float:
        """The ratio of the least of all rounds to the peer's least."""
        ours, peer = zip(*self.pairs, strict=True)
        return float(min(ours) / min(peer))

    @property
    def ratio(self) -> float:
        """The one of the two that is nearer to being allowed.

        What disturbs a measurement seldom spoils both; what makes work slower does.
        """
        either = self.median, self.of_least
        return max(either) if self.at_most is None else min(either)

    @property
    def missed_by_far(self) -> bool:
        """Whether both ratios miss a bound by a factor of two or more."""
        low, high = sorted((self.median, self.of_least))
        above = self.at_most is not None and low >= BY_FAR * self.at_most
        below = self.at_least is not None and BY_FAR * high <= self.at_least
        return (above or below) and not self._within()

    def _within(self) -> bool:
        either = self.median, self.of_least
        below = self.at_most is None or min(either) <= self.at_most
        return below and (self.at_least is None or max(either) >= self.at_least)

    def _told(self) -> str:
        bounds = [("at most", self.at_most), ("at least", self.at_least)]
        said = [f"{word} {figure(times)} ×" for word, times in bounds if times]
        times = figure(self.ratio)
        if self.held is False and any(f" {times} ×" in bound for bound in said):
            times = f"{self.ratio:.6g}"
        return ", ".join((f"{times} × {self.peer}", *said))

    def _reasons(self) -> Iterator[str]:
        ours, peer = zip(*self.pairs, strict=True)
        rows = [
            (
                name,
                amount(min(costs), self.unit),
                amount(statistics.median(costs), self.unit),
                amount(max(costs), self.unit),
            )
            for name, costs in ((self.label, ours), (self.peer, peer))
        ]
        yield from table(("", "least", "median", "most"), rows)
        yield ""
        if len(self.pairs) == 1:
            yield "Counted, not timed: it comes out the same on a busy machine."
            return
        ratios = sorted(self.ratios)
        quarter = len(ratios) // 4
        yield (
            f"Median of {len(ratios)} pairs {figure(self.median)} ×, half of them from "
            f"{figure(ratios[quarter])} × to {figure(ratios[-1 - quarter])} ×; least "
            f"over least {figure(self.of_least)} ×."
        )
        yield (
            "Both were run in turn, and the nearer to the bound of the two ratios "
            f"counts. Measured {_times(self.measured)}."
        )

    def _data(self) -> dict[str, Any]:
        return {
            "peer": self.peer,
            "unit": self.unit,
            "pairs": [list(pair) for pair in self.pairs],
            "ratio": self.ratio,
            "median": self.median,
            "of_least": self.of_least,
            "at_most": self.at_most,
            "at_least": self.at_least,
            "measured": self.measured,
        }


@dataclass(frozen=True, kw_only=True)
class Count(Found):
    """What count() found: counts by name, and the bounds of some."""

    kind = "count"

    counts: Mapping[str, float]
    exactly: Mapping[str, float]
    at_most: Mapping[str, float]
    at_least: Mapping[str, float]

    def _bounds(self, name: str) -> Iterator[tuple[str, float, bool]]:
        """Yield the words of each bound of a count, its figure, whether it holds."""
        found = self.counts[name]
        if name in self.exactly:
            yield "exactly", self.exactly[name], found == self.exactly[name]
        if name in self.at_most:
            yield "at most", self.at_most[name], found <= self.at_most[name]
        if name in self.at_least:
            yield "at least", self.at_least[name], found >= self.at_least[name]

    def _within(self) -> bool:
        return all(held for name in self.counts for _, _, held in self._bounds(name))

    def _told(self) -> str:
        told = []
        for name, found in self.counts.items():
            said = [f"{word} {figure(limit)}" for word, limit, _ in self._bounds(name)]
            told.append(", ".join((f"{name} {figure(found)}", *said)))
        return "; ".join(told)

    def _reasons(self) -> Iterator[str]:
        rows = []
        for name, found in self.counts.items():
            for word, limit, held in self._bounds(name):
                verdict = "" if held else f"off by {figure(abs(found - limit))}"
                rows.append((name, figure(found), f"{word} {figure(limit)}", verdict))
        yield from table(("", "found", "allowed", ""), rows)

    def _data(self) -> dict[str, Any]:
        return {
            "counts": dict(self.counts),
            "exactly": dict(self.exactly),
            "at_most": dict(self.at_most),
            "at_least": dict(self.at_least),
        }


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")

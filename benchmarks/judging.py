"""What was told of a row, as ratios taken within a round, held against its goals."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rows import AtLeast, AtMost, Goal, Growth, Row, Side, Within
from running import Told

ROUNDS = 3
"""Rounds of a row before its gates judge it, and before a miss is judged again."""

Round = tuple[int, int]
"""Which run, and which round of it."""
Ratios = dict[Round, float]
Pairs = dict[Round, tuple[float, float]]


@dataclass(frozen=True)
class Verdict:
    """One goal at one size."""

    goal: Goal
    n: int
    said: str
    ratios: Ratios
    met: bool | None
    """None: something that it compares could not be run."""

    @property
    def measured(self) -> str:
        """The median of all rounds, and the extremes."""
        if not self.ratios:
            return ""
        of_it = " of it" if isinstance(self.goal, Within) else ""
        return spread(list(self.ratios.values())) + of_it

    @property
    def each_run(self) -> str:
        """The median of each run."""
        runs = sorted({run for run, _ in self.ratios})
        medians = [
            statistics.median(x for (of, _), x in self.ratios.items() if of == run)
            for run in runs
        ]
        return " / ".join(map(figure, medians))


class Compared(NamedTuple):
    """What a goal compares at one size, and what the ratio of the two may be."""

    said: str
    over: str
    under: str
    pairs: Pairs
    at_most: float | None = None
    at_least: float | None = None


class Measured:
    """What was told of one row, by round, size and side."""

    def __init__(self, row: Row, records: Iterable[Told]) -> None:
        self.row = row
        self.about = ""
        self.missing: dict[tuple[int, str], str] = {}
        self.failed: dict[tuple[int, str], str] = {}
        self.ns: dict[tuple[int, str], Ratios] = {}
        for told in records:
            self.about = told.get("about", "")
            key = told["n"], told["side"]
            if "missing" in told:
                self.missing[key] = told["missing"]
            elif "failed" in told:
                self.failed[key] = told["failed"]
            else:
                by_round = self.ns.setdefault(key, {})
                by_round[told["run"], told["round"]] = told["ns"]

    def ratios(
        self, over: Sequence[tuple[int, str]], under: Sequence[tuple[int, str]]
    ) -> Ratios:
        """Return each round's ratio of the least of some to the least of others."""
        return {key: a / b for key, (a, b) in self.pairs(over, under).items()}

    def pairs(
        self, over: Sequence[tuple[int, str]], under: Sequence[tuple[int, str]]
    ) -> Pairs:
        """Return of each round the least of some and the least of others."""
        above, below = self._least(over), self._least(under)
        both = sorted(above.keys() & below.keys())
        return {key: (above[key], below[key]) for key in both}

    def _least(self, sides: Sequence[tuple[int, str]]) -> Ratios:
        """Return the least of each round; nothing if one of the sides is missing."""
        found = [self.ns.get(side, {}) for side in sides]
        rounds = set(found[0]).intersection(*found[1:]) if found else set()
        return {key: min(times[key] for times in found) for key in rounds}

    def verdicts(self, goals: Iterable[Goal]) -> Iterator[Verdict]:
        """Hold what was measured against goals, at each of their sizes."""
        for goal in goals:
            for n in looked_at(self.row, goal):
                yield self._judged(goal, n)

    def _judged(self, goal: Goal, n: int) -> Verdict:
        held = self.compared(goal, n)
        ratios = {key: a / b for key, (a, b) in held.pairs.items()}
        said = f"{goal.side}: {held.said}" if goal.side else held.said
        if not ratios:
            return Verdict(goal, n, said, ratios, None)
        middle = statistics.median(ratios.values())
        met = held.at_most is None or middle <= held.at_most
        met &= held.at_least is None or middle >= held.at_least
        return Verdict(goal, n, said, ratios, met)

    def compared(self, goal: Goal, n: int) -> Compared:
        """Return what a goal compares at a size: what of it has been told."""
        name = goal.side or self.row.product or ""
        ours = [(n, name)]
        if isinstance(goal, AtMost):
            others = " or ".join(goal.others)
            pairs = self.pairs(ours, [(n, other) for other in goal.others])
            said = f"≤ {goal.times:.3g} × {others}"
            return Compared(said, name, others, pairs, at_most=goal.times)
        if isinstance(goal, AtLeast):
            pairs = self.pairs([(n, goal.other)], ours)
            said = f"≥ {goal.times:g} × as fast as {goal.other}"
            return Compared(said, goal.other, name, pairs, at_least=goal.times)
        if isinstance(goal, Growth):
            pairs = self.pairs(ours, [(goal.small, name)])
            small = f"an item at {number(goal.small)}"
            said = f"≤ {goal.times:g} × {small}"
            return Compared(said, name, small, pairs, at_most=goal.times)
        pairs = {key: (ns, goal.ns) for key, ns in self.ns.get((n, name), {}).items()}
        limit = str(goal.said or goal.ns)
        return Compared(f"within {limit}", name, limit, pairs, at_most=1)

    def ahead(self) -> Iterator[tuple[int, Side, Ratios]]:
        """Yield the peers that take less than slabcore, and how much less."""
        product = self.row.product
        for n in self.row.sizes:
            for side in self.row.peers:
                ratios = self.ratios([(n, product or "")], [(n, side.name)])
                if ratios and statistics.median(ratios.values()) > 1:
                    yield n, side, ratios

    def left_out(self) -> Iterator[str]:
        """Yield what could not be run, and why."""
        for told in (self.missing, self.failed):
            for why in dict.fromkeys(told.values()):
                sides: dict[str, list[str]] = {}
                for n, side in (key for key, said in told.items() if said == why):
                    sides.setdefault(side, []).append(number(n))
                everywhere = len(self.row.sizes)
                names = [
                    side if len(at) == everywhere else f"{side} at {', '.join(at)}"
                    for side, at in sides.items()
                ]
                yield f"{', '.join(names)}: {why}"

    def curves(self) -> dict[str, list[tuple[float, float]]]:
        """Return the medians over size of what was run at three sizes or more."""
        return {
            side.name: points
            for side in self.row.sides
            if len(points := list(self._points(side.name))) > 2
        }

    def _points(self, side: str) -> Iterator[tuple[float, float]]:
        for n in self.row.sizes:
            if times := self.ns.get((n, side)):
                yield n, statistics.median(times.values())


def named(goal: Goal) -> tuple[str, ...]:
    """Return the sides that a goal compares slabcore's with."""
    if isinstance(goal, AtMost):
        return goal.others
    return (goal.other,) if isinstance(goal, AtLeast) else ()


def looked_at(row: Row, goal: Goal) -> tuple[int, ...]:
    """Return the sizes at which a goal is judged."""
    if isinstance(goal, Growth):
        return (goal.large,)
    sizes = goal.sizes or row.sizes
    return tuple(n for n in sizes if all(runs_at(row, x, n) for x in named(goal)))


def pairs(row: Row, goals: Iterable[Goal]) -> set[tuple[int, str]]:
    """Return the sizes and sides that goals look at; without goals, the first size."""
    goals = tuple(goals)
    if not goals:
        return {(row.sizes[0], side.name) for side in row.ours + row.floors}
    found = set()
    for goal in goals:
        ours = goal.side or row.product or ""
        if isinstance(goal, Growth):
            found |= {(goal.small, ours), (goal.large, ours)}
            continue
        for n in goal.sizes or row.sizes:
            found |= {(n, side) for side in (ours, *named(goal))}
    return found


def runs_at(row: Row, name: str, n: int) -> bool:
    """Tell whether a side is run at a size."""
    (side,) = (side for side in row.sides if side.name == name)
    return side.sizes is None or n in side.sizes


def number(n: int) -> str:
    """Return a size with its thousands apart; nothing for a row of one size."""
    return f"{n:,}".replace(",", "\N{NO-BREAK SPACE}") if n else ""


def figure(x: float) -> str:
    """Return three digits."""
    return f"{x:.0f}" if x >= 100 else f"{x:.3g}"


def spread(values: Sequence[float]) -> str:
    """Return the median, and the extremes if there are several."""
    middle = figure(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({figure(min(values))} to {figure(max(values))})"

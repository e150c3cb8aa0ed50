"""Measure work and hold it against bounds: growth, ratios, counts."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

from slabcore.errors import InputError
from slabcore.gates.fitting import ORDERS, fit, slope_of
from slabcore.gates.metering import (
    Cost,
    Side,
    Timing,
    counted,
    number,
    returned,
    unit_of,
)
from slabcore.gates.results import Count, Growth, Order, Ratio
from slabcore.gates.wording import amount

# A test's traceback leaves these functions out.
__tracebackhide__ = True

__all__ = [
    *("Bounds", "Pairs", "Prepare", "Work"),
    *("count", "growth", "name_of", "ratio"),
]

Work = Callable[..., object]
Prepare = Callable[[], object] | tuple[Callable[[], object], Callable[[], object]]
"""What makes the argument of both, or what makes that of each."""
Pairs = Callable[[int], Iterable[tuple[float, float]]]
"""Takes how many rounds to run, and returns what each side cost in each."""
Bounds = float | Mapping[str, float] | None

# Work that leaves the caches costs more an item: linear code was timed at n^1.3.
SLACK_OF_TIME, SLACK_OF_COUNTS = 0.5, 0.1
MOST_ROUNDS, MOST_PAIRS = 50, 101
SLOW_S = 0.25
"""A call that takes longer is long enough to be told once before the first round."""
DISABLED = "benchmarks are disabled"


def growth(
    work: Callable[[Any], object] | Mapping[int, float],
    sizes: Iterable[int] = (),
    *,
    prepare: Callable[[int], object] | None = None,
    cost: Cost = "time",
    at_most: float | str | None = None,
    at_least: float | str | None = None,
    limit_s: float = 5.0,
    label: str = "",
    unit: str = "",
    timing: Timing | None = None,
) -> Growth:
    """Find how the cost of *work* grows with the size of what it works on.

    work: called with what *prepare* returns for a size, made anew for each call outside
    of the timed part, or with the size itself; or costs by size, counted elsewhere.
    sizes: two or more, the smallest first; three that are far apart are better.
    cost: "time"; "lines", of Python, which are exact; "returned", the number that
    *work* returns; or a meter, which makes the call it is given and returns its cost.
    at_most, at_least: a slope such as 1.2, or an order: "constant", "log n", "linear",
    "n log n", "quadratic" or "cubic", with 0.5 of room for time and 0.1 for counts.
    limit_s: sizes at which one call would take longer are left out.
    label, unit: what to call the work, and what is counted.
    Raises: InputError.

    >>> found = growth(lambda n: n * (n - 1) / 2, [10, 100, 1_000], cost="returned",
    ...                label="pairs", at_most="linear")
    >>> found.held, round(found.slope, 2)
    (False, 2.02)
    """
    timing = timing or Timing()
    name = label or name_of(work, "the cost")
    given = work if isinstance(work, Mapping) else None
    sizes = _checked(name, sizes if given is None else given)
    timed = given is None and cost == "time"
    slack = SLACK_OF_TIME if timed else SLACK_OF_COUNTS
    found = partial(
        Growth,
        label=name,
        unit=unit or ("count" if given is not None else unit_of(cost)),
        at_most=_order(name, at_most, sizes, slack),
        at_least=_order(name, at_least, sizes, -slack),
    )
    if given is not None:
        costs = {n: number(given[n], f"growth of {name}, n = {n}") for n in sizes}
        return found(points=costs)
    if not callable(work):
        raise InputError("growth", f"work is {work!r}", "a function, or costs by size")
    ready = prepare or int
    if timed and not timing.enabled:
        work(ready(sizes[0]))
        return found(points={}, unjudged=DISABLED)
    if timed:
        return _timed_growth(work, sizes, prepare, limit_s, timing, found)
    costs, seconds = {}, 0.0
    for n in sizes:
        where = f"growth of {name}, n = {n}"
        make = _caller(work, partial(ready, n))
        costs[n], seconds = counted(make, cost, timing.timer, where)
    return found(points=costs, took=(seconds,))


def ratio(
    ours: Work | None = None,
    peer: Work | None = None,
    *,
    pairs: Pairs | None = None,
    prepare: Prepare | None = None,
    cost: Cost = "time",
    at_most: float | None = None,
    at_least: float | None = None,
    label: str = "",
    peer_label: str = "",
    unit: str = "",
    timing: Timing | None = None,
) -> Ratio:
    """Find how many times what *peer* costs *ours* does, both run here, in turn.

    Each round times both, either first by turns. The ratio is the median of the rounds'
    or that of the least times, whichever is nearer to being allowed; what misses a
    bound is measured again before it is believed.

    ours, peer: called with what *prepare* returns, made anew for each call outside of
    the timed part; without it, with nothing.
    prepare: one for both, or a pair of them.
    pairs: instead of ours and peer: takes a number of rounds, runs them, and returns
    what each of the two took in each.
    cost: as for growth().
    at_most, at_least: bounds of the ratio: at most 0.1 is at least ten times as fast.
    label, peer_label, unit: what to call the two, and what is counted.
    Raises: InputError.

    >>> found = ratio(lambda: 12, lambda: 10, cost="returned", at_most=1.1)
    >>> found.held, found.ratio
    (False, 1.2)
    """
    timing = timing or Timing()
    found = partial(
        Ratio,
        label=label or name_of(ours, "ours"),
        peer=peer_label or name_of(peer, "the peer"),
        unit=unit or unit_of(cost),
        at_most=at_most,
        at_least=at_least,
    )
    if pairs is not None and not timing.enabled:
        list(pairs(1))
        return found(pairs=(), unjudged=DISABLED)
    if pairs is not None:
        return _believed(pairs, timing.min_rounds, timing, found, time.perf_counter())
    if ours is None or peer is None:
        raise InputError("ratio", "one side alone", "ours and peer, or pairs=")
    makers = prepare if isinstance(prepare, tuple) else (prepare, prepare)
    both = list(zip((ours, peer), makers, strict=True))
    if cost != "time":
        costs = []
        for work, make in both:
            where = f"ratio, {name_of(work, 'one side')}"
            costs.append(counted(_caller(work, make), cost, timing.timer, where))
        (mine, took), (theirs, _) = costs
        _check_pair(mine, theirs)
        return found(pairs=((mine, theirs),), took=(took,))
    if not timing.enabled:
        for work, make in both:
            _caller(work, make)()()
        return found(pairs=(), unjudged=DISABLED)
    one, other = (Side(timing.timer, work, make) for work, make in both)
    began = time.perf_counter()
    one.calibrate()
    other.calibrate()

    def in_turn(rounds: int) -> Iterable[tuple[float, float]]:
        for turn in range(rounds):
            if turn % 2:
                theirs = other.batch()
                yield one.batch(), theirs
            else:
                yield one.batch(), other.batch()

    rounds = _rounds(one.round_s + other.round_s, timing, MOST_PAIRS)
    result = _believed(in_turn, rounds, timing, found, began, one)
    names = ((result.label, one), (result.peer, other))
    hints = [_hint(name, side) for name, side in names if side.prepare is None]
    return replace(result, hint="\n".join(filter(None, hints)))


def count(
    counts: float | Mapping[str, float] | Work,
    *,
    exactly: Bounds = None,
    at_most: Bounds = None,
    at_least: Bounds = None,
    cost: Cost = "returned",
    label: str = "",
    unit: str = "",
    timing: Timing | None = None,
) -> Count:
    """Hold counts against bounds.

    counts: a number; numbers by name; or work, which returns either, or is counted.
    exactly, at_most, at_least: a number, for each of the counts, or numbers by name.
    cost: of work, what is counted, as for growth(); not "time".
    label, unit: what to call the work, and what is counted.
    Raises: InputError.

    >>> count({"queries": 3, "rows": 50}, exactly={"queries": 3}).held
    True
    """
    name = label or name_of(counts, "")
    took: tuple[float, ...] = ()
    if callable(counts):
        if cost == "time":
            raise InputError("count", 'cost="time"', "counts; ratio() compares times")
        work, timer = counts, (timing or Timing()).timer
        kept: list[Any] = []

        def keep() -> int:
            kept.append(work())
            return 0

        call = keep if cost == "returned" else work
        found, seconds = counted(lambda: call, cost, timer, name or "count")
        where = name or "count"
        counts = returned(kept[0], where) if kept else found
        took = (seconds,)
    by_name = counts if isinstance(counts, Mapping) else {unit or unit_of(cost): counts}
    numbers = {
        word: number(value, f"count of {word}") for word, value in by_name.items()
    }
    return Count(
        label=name,
        counts=numbers,
        exactly=_by_name("exactly", exactly, numbers),
        at_most=_by_name("at_most", at_most, numbers),
        at_least=_by_name("at_least", at_least, numbers),
        took=took,
    )


def _timed_growth(
    work: Callable[[Any], object],
    sizes: Sequence[int],
    prepare: Callable[[int], object] | None,
    limit_s: float,
    timing: Timing,
    found: partial[Growth],
) -> Growth:
    sides: dict[int, Side] = {}
    call_s: dict[int, float] = {}
    began = time.perf_counter()
    for n in sizes:
        if _expected(call_s, n) > limit_s:
            break
        sides[n] = Side(timing.timer, work, partial(prepare or int, n))
        # What the first call imports, those at larger sizes have.
        call_s[n] = sides[n].calibrate(SLOW_S if call_s else math.inf)
    if len(sides) < 2:
        said = f"one call takes {amount(call_s[sizes[0]], 's')} at n = {sizes[0]}"
        hint = f"two sizes at which it takes less than limit_s={limit_s:g}"
        raise InputError("growth", said, hint)
    rounds = _rounds(sum(side.round_s for side in sides.values()), timing, MOST_ROUNDS)
    in_order = list(sides.values())
    largest = in_order[-1]
    before = found(points=call_s)
    for measured in range(1, timing.again + 2):
        for turn in range(rounds):
            for side in reversed(in_order) if turn % 2 else in_order:
                side.batch()
            result = found(
                points={n: min(side.took) for n, side in sides.items()},
                rounds=len(largest.took),
                measured=measured,
                left_out=sizes[len(sides) :],
                took=largest.took,
                calls=largest.calls,
                hint="" if prepare else _hint(found.keywords["label"], largest),
            )
            late = turn and time.perf_counter() - began > timing.enough_s
            # The calls before the first round have said the same.
            if late and result.missed_by_far and before.missed_by_far:
                return result
        if result.held:
            break
    return result


def _expected(call_s: Mapping[int, float], n: int) -> float:
    """Return how long a call should take at a size, by those at smaller ones."""
    last = dict(list(call_s.items())[-2:])
    if not last:
        return 0.0
    slope = fit(last).slope if len(last) == 2 else 1.0
    size, took = list(last.items())[-1]
    return float(took * (n / size) ** slope)


def _believed(
    pairs: Pairs,
    rounds: int,
    timing: Timing,
    found: Callable[..., Ratio],
    began: float,
    side: Side | None = None,
) -> Ratio:
    """Measure until the ratio is within its bounds, or as often as it takes."""
    all_pairs: list[tuple[float, float]] = []
    looked_at = 1
    took, calls = ((), 1) if side is None else (side.took, side.calls)
    for measured in range(1, timing.again + 2):
        so_far = partial(found, measured=measured, took=took, calls=calls)
        for ours, peer in pairs(rounds):
            _check_pair(ours, peer)
            all_pairs.append((ours, peer))
            late = time.perf_counter() - began > timing.enough_s
            if late and len(all_pairs) > looked_at:
                # Many more each time, as all are looked at.
                looked_at = len(all_pairs) * 9 // 8
                result = so_far(pairs=tuple(all_pairs))
                if result.missed_by_far:
                    return result
        if not all_pairs:
            raise InputError("ratio", "no pairs", "one or more of each round")
        result = so_far(pairs=tuple(all_pairs))
        if result.held:
            break
    return result


def _check_pair(ours: float, peer: float) -> None:
    if not (0 <= ours < math.inf and 0 < peer < math.inf):
        said = f"ours costs {ours!r}, the peer {peer!r}"
        raise InputError("ratio", said, "numbers, and that of the peer above 0")


def _hint(name: str, side: Side) -> str:
    """Say that work that nothing was prepared for seems to change what it works on."""
    how = side.changes()
    hint = "if it changes what it works on, prepare= makes that anew for each call."
    return f"A call of {name} {how}: {hint}" if how else ""


def _rounds(round_s: float, timing: Timing, most: int) -> int:
    wanted = int(timing.max_s / round_s) if round_s > 0 else most
    return max(timing.min_rounds, min(most, wanted))


def _caller(
    work: Work, make: Callable[[], object] | None
) -> Callable[[], Callable[[], object]]:
    """Return what prepares a call."""
    return (lambda: work) if make is None else (lambda: partial(work, make()))


def name_of(work: object, otherwise: str) -> str:
    """Return the name of a function; a lambda and a mapping have none."""
    name = getattr(work, "__name__", "")
    return name if name.isidentifier() else otherwise


def _checked(name: str, sizes: Iterable[int]) -> list[int]:
    given = list(sizes)
    try:
        whole = [operator.index(n) for n in given]
    except TypeError:
        whole = []
    rising = all(a < b for a, b in pairwise(whole))
    if len(whole) < 2 or whole[0] < 1 or not rising:
        expected = "two or more whole numbers from 1, each above the one before"
        raise InputError(f"growth of {name}", f"sizes are {given}", expected)
    return whole


def _order(
    name: str, bound: float | str | None, sizes: Sequence[int], slack: float
) -> Order | None:
    """Return a bound of growth as a slope over these sizes."""
    if bound is None:
        return None
    if isinstance(bound, str):
        return Order(slope_of(bound, sizes) + slack, bound)
    try:
        slope = float(bound)
    except TypeError:
        slope = math.nan
    if not math.isfinite(slope):
        expected = f"a slope, or one of {', '.join(ORDERS)}"
        raise InputError(f"growth of {name}", f"bound is {bound!r}", expected)
    return Order(slope)


def _by_name(
    word: str, bounds: Bounds, counts: Mapping[str, float]
) -> dict[str, float]:
    if bounds is None:
        return {}
    if not isinstance(bounds, Mapping):
        return dict.fromkeys(counts, number(bounds, word))
    for name in bounds:
        if name not in counts:
            raise InputError(word, f"{name!r} was not counted", ", ".join(counts))
    return {name: number(bound, f"{word}, {name}") for name, bound in bounds.items()}

"""The gates as pytest's fixtures give them to a test, on top of pytest-benchmark."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from slabcore.errors import GateError, InputError
from slabcore.gates.measuring import (
    Bounds,
    Pairs,
    Prepare,
    Work,
    count,
    growth,
    name_of,
    ratio,
)
from slabcore.gates.metering import Cost, Timing
from slabcore.gates.results import Count, Found, Growth, Ratio

# A test's traceback leaves these functions out.
__tracebackhide__ = True

__all__ = ["CountGate", "GrowthGate", "RatioGate", "Record"]

PROPERTY = "slabcore.gates"


class Record:
    """What the gates of one test found, and how they take time.

    benchmark: pytest-benchmark's fixture of the test, which says how time is taken.
    properties: the user properties of the test, which go into its report.
    """

    def __init__(self, benchmark: Any, properties: list[tuple[str, object]]) -> None:
        self._benchmark = benchmark
        self._properties = properties
        self._timed: Found | None = None
        self.test: str = benchmark.name
        """The name of the test."""
        self.timing: Timing = Timing(
            timer=benchmark._timer,
            min_rounds=benchmark._min_rounds,
            max_s=benchmark._max_time,
            enabled=not benchmark.disabled,
        )

    def add(self, found: Found) -> None:
        """Keep what was found: with the benchmark, and in the test's report."""
        data = found.as_dict()
        self._benchmark.extra_info.setdefault(PROPERTY, []).append(data)
        self._properties.append((PROPERTY, json.dumps(data)))
        if self._timed is None and found.took:
            self._timed = found

    def close(self) -> None:
        """Make a row of pytest-benchmark's of the first work, if the test has none."""
        benchmark, found = self._benchmark, self._timed
        if benchmark._mode:
            return
        benchmark._mode = "gate(...)"
        if found is not None and benchmark.enabled:
            stats = benchmark._make_stats(found.calls)
            for seconds in found.took:
                stats.update(seconds * found.calls)


class Gate:
    """What the three have in common."""

    name = "gate"

    def __init__(self, record: Record) -> None:
        self._record = record

    def _settle(self, found: Found) -> None:
        """Keep what was found, and end the test if it is out of bounds."""
        self._record.add(found)
        if found.held is False:
            raise GateError(found.explain())

    def _ask(self, *bounds: object) -> None:
        """Refuse a gate that cannot fail."""
        if all(bound is None for bound in bounds):
            allowed = "exactly=, at_most=" if self.name == "count_gate" else "at_most="
            raise InputError(self.name, "no bound", f"{allowed} or at_least=")


class GrowthGate(Gate):
    """Hold how cost grows with size: the slope of the line through all sizes.

    It is called as slabcore.gates.growth() is, but for timing, and fails the test if a
    bound is missed. Work that has no name, as a lambda, goes by the test's.
    """

    name = "growth_gate"

    def __call__(
        self,
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
    ) -> Growth:
        """Measure as slabcore.gates.growth() does; fail the test at a missed bound.

        Raises: GateError, InputError.
        """
        self._ask(at_most, at_least)
        found = growth(
            work,
            sizes,
            prepare=prepare,
            cost=cost,
            at_most=at_most,
            at_least=at_least,
            limit_s=limit_s,
            label=label or name_of(work, self._record.test),
            unit=unit,
            timing=self._record.timing,
        )
        self._settle(found)
        return found


class RatioGate(Gate):
    """Hold what work costs beside its peer's cost, both measured here and now.

    It is called as slabcore.gates.ratio() is, but for timing, and fails the test if a
    bound is missed.
    """

    name = "ratio_gate"

    def __call__(
        self,
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
    ) -> Ratio:
        """Measure as slabcore.gates.ratio() does; fail the test at a missed bound.

        Raises: GateError, InputError.
        """
        self._ask(at_most, at_least)
        found = ratio(
            ours,
            peer,
            pairs=pairs,
            prepare=prepare,
            cost=cost,
            at_most=at_most,
            at_least=at_least,
            label=label,
            peer_label=peer_label,
            unit=unit,
            timing=self._record.timing,
        )
        self._settle(found)
        return found


class CountGate(Gate):
    """Hold exact counts, for which no clock is read.

    It is called as slabcore.gates.count() is, but for timing, and fails the test if a
    bound is missed.
    """

    name = "count_gate"

    def __call__(
        self,
        counts: float | Mapping[str, float] | Work,
        *,
        exactly: Bounds = None,
        at_most: Bounds = None,
        at_least: Bounds = None,
        cost: Cost = "returned",
        label: str = "",
        unit: str = "",
    ) -> Count:
        """Count as slabcore.gates.count() does; fail the test at a missed bound.

        Raises: GateError, InputError.
        """
        self._ask(exactly, at_most, at_least)
        found = count(
            counts,
            exactly=exactly,
            at_most=at_most,
            at_least=at_least,
            cost=cost,
            label=label,
            unit=unit,
            timing=self._record.timing,
        )
        self._settle(found)
        return found

"""A straight line through points of cost over size, both logarithmic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from slabcore.errors import InputError

# A test's traceback leaves these functions out.
__tracebackhide__ = True

__all__ = ["ORDERS", "Fit", "fit", "nearest", "slope_of"]

ORDERS: Mapping[str, Callable[[int], float]] = MappingProxyType(
    {
        "constant": lambda n: 1.0,
        "log n": lambda n: math.log(n + 1),
        "linear": float,
        "n log n": lambda n: n * math.log(n + 1),
        "quadratic": lambda n: float(n) ** 2,
        "cubic": lambda n: float(n) ** 3,
    }
)
"""The names of ways to grow, and what each costs at a size."""


class Fit(NamedTuple):
    """Hold the line: cost = factor × size ** slope."""

    slope: float
    factor: float
    off: float
    """How far the farthest point lies from the line: 0.1 is a tenth of its cost."""

    def at(self, n: float) -> float:
        """Return what the line has at a size."""
        return float(self.factor * n**self.slope)


def fit(points: Mapping[int, float]) -> Fit:
    """Fit a line to costs by size, least squares of the logarithms.

    A logarithm of 0 is none: a cost of 0 is taken as the least that is above it, and
    costs that are all 0 do not grow.

    >>> line = fit({10: 50, 100: 5_000, 1_000: 500_000})
    >>> round(line.slope, 3), round(line.factor, 3), round(line.off, 3)
    (2.0, 0.5, 0.0)
    """
    least = min((cost for cost in points.values() if cost > 0), default=1.0)
    across = [math.log(n) for n in points]
    up = [math.log(max(cost, least)) for cost in points.values()]
    slope, start = statistics.linear_regression(across, up)
    off = max(abs(y - start - slope * x) for x, y in zip(across, up, strict=True))
    return Fit(slope, math.exp(start), math.expm1(off))


def slope_of(order: str, sizes: Sequence[int]) -> float:
    """Return the slope that an order of growth has over these very sizes.

    >>> slope_of("quadratic", [100, 1_000])
    2.0
    >>> round(slope_of("n log n", [1_000, 10_000, 100_000]), 2)
    1.11
    """
    if order not in ORDERS:
        known = ", ".join(ORDERS)
        raise InputError("growth", f"order is {order!r}", f"a slope, or one of {known}")
    return round(fit({n: ORDERS[order](n) for n in sizes}).slope, 9)


def nearest(slope: float, sizes: Sequence[int]) -> str:
    """Name the order of growth whose slope over these sizes is the nearest."""
    return min(ORDERS, key=lambda order: abs(slope - slope_of(order, sizes)))

"""Figures, tables and a small plot for a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

__all__ = ["amount", "figure", "plot", "size", "table"]

WIDTH, HEIGHT = 48, 11
SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"), (1e-12, "ps"))


def figure(x: float) -> str:
    """Return three digits; all of a whole number."""
    if isinstance(x, int):
        return size(x)
    if x >= 1000:
        return size(round(x))
    return f"{x:.0f}" if x >= 100 else f"{x:.3g}"


def size(n: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{n:,}".replace(",", " ")


def amount(x: float, unit: str) -> str:
    """Return seconds in the unit that suits them, or a count.

    >>> amount(0.000312, "s"), amount(12000, "queries")
    ('312 µs', '12 000')
    """
    if unit != "s":
        return figure(x)
    for scale, name in SCALES:
        if x >= scale:
            return f"{figure(x / scale)} {name}"
    return "0 s"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows under a head, all to the right."""
    whole = [head, *rows]
    wide = [max(map(len, column)) for column in zip(*whole, strict=True)]
    return [
        "  ".join(cell.rjust(to) for cell, to in zip(row, wide, strict=True)).rstrip()
        for row in whole
    ]


def plot(
    points: Mapping[int, float],
    bound: Callable[[float], float],
    say: Callable[[float], str],
) -> list[str]:
    """Draw points and a line over size, both logarithmic; nothing if all is flat."""
    sizes = list(points)
    shown = [cost for cost in points.values() if cost > 0]
    high = [*shown, bound(sizes[0]), bound(sizes[-1])]
    low, top = min(high), max(high)
    if not shown or low <= 0 or top / low < 1.01:
        return []
    left, right = math.log(sizes[0]), math.log(sizes[-1])
    canvas = [[" "] * WIDTH for _ in range(HEIGHT)]

    def put(n: float, cost: float, mark: str) -> None:
        across = (math.log(n) - left) / (right - left)
        up = (math.log(cost) - math.log(low)) / (math.log(top) - math.log(low))
        canvas[round((1 - up) * (HEIGHT - 1))][round(across * (WIDTH - 1))] = mark

    for column in range(WIDTH):
        n = math.exp(left + (right - left) * column / (WIDTH - 1))
        put(n, bound(n), "·")
    for n, cost in points.items():
        if cost > 0:
            put(n, cost, "●")
    labels = {0: say(top), HEIGHT - 1: say(low)}
    wide = max(map(len, labels.values()))
    drawn = [
        f"{labels.get(row, ''):>{wide}} {'┤' if row in labels else '│'}{''.join(line)}"
        for row, line in enumerate(canvas)
    ]
    ends = size(sizes[0]), size(sizes[-1])
    below = ends[0] + ends[1].rjust(WIDTH - len(ends[0]))
    axis = [f"{'':>{wide}} └{'─' * WIDTH}", f"{'':>{wide}}  {below}"]
    return [line.rstrip() for line in (*drawn, *axis)]

"""Curves of nanoseconds over size, both logarithmic, as SVG written by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

Curves = Mapping[str, Sequence[tuple[float, float]]]
"""The points of each side by its name; the first is drawn in colour."""

COLUMNS, WIDTH, HEIGHT = 2, 440, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 168, 44, 44
INK, FAINT, RULE = "#1f2328", "#59636e", "#d1d9e0"
COLORS = ("#0969da", "#c4432b", "#9a6700", "#1a7f37", "#8250df", "#59636e", "#bf3989")
STYLE = f"""\
<style>
text {{ font: 11px system-ui, sans-serif; fill: {INK}; }}
.title {{ font-size: 13px; font-weight: 600; }}
.faint {{ fill: {FAINT}; }}
.end {{ text-anchor: end; }}
.middle {{ text-anchor: middle; }}
</style>"""


def draw(panels: Sequence[tuple[str, str, Curves]]) -> str:
    """Return a picture of panels: a title, a unit, and curves."""
    width = COLUMNS * WIDTH
    height = -(-len(panels) // COLUMNS) * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        "<title>Nanoseconds an item over size, both logarithmic</title>",
        STYLE,
        f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>',
    ]
    for place, (title, unit, curves) in enumerate(panels):
        x, y = place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT
        parts += [f'<g transform="translate({x} {y})">']
        parts += [*_panel(title, unit, curves), "</g>"]
    return "\n".join((*parts, "</svg>")) + "\n"


def _panel(title: str, unit: str, curves: Curves) -> Iterator[str]:
    points = [point for curve in curves.values() for point in curve]
    across = _decades([x for x, _ in points])
    up = _decades([y for _, y in points])
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        wide = (math.log10(x) - across[0]) / (across[-1] - across[0])
        high = (math.log10(y) - up[0]) / (up[-1] - up[0])
        return LEFT + wide * (right - LEFT), bottom - high * (bottom - TOP)

    yield _text(16, 20, title, "title")
    yield _text(16, 36, unit, "faint")
    for decade in up:
        y = place(10.0 ** across[0], 10.0**decade)[1]
        yield (
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" '
            f'stroke="{RULE}"/>'
        )
        yield _text(LEFT - 6, y + 4, _power(decade), "faint end")
    for decade in across:
        x = place(10.0**decade, 10.0 ** up[0])[0]
        yield _text(x, bottom + 16, _power(decade), "faint middle")
    labels: list[float] = []
    ends = sorted(curves.items(), key=lambda curve: -curve[1][-1][1])
    for name, curve in ends:
        # Blue is the first one's; who comes after the last colour is drawn in dashes.
        again, of = divmod(list(curves).index(name) - 1, len(COLORS) - 1)
        color = COLORS[of + 1] if again >= 0 else COLORS[0]
        dashes = ' stroke-dasharray="4 3"' if again > 0 else ""
        placed = [place(*point) for point in curve]
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        wide = 2.5 if name == next(iter(curves)) else 1.5
        yield (
            f'<polyline points="{corners}" fill="none" stroke="{color}" '
            f'stroke-width="{wide:g}"{dashes}/>'
        )
        # Names that would cover one another move down.
        y = max(placed[-1][1] + 4, labels[-1] + 13 if labels else 0)
        labels.append(y)
        yield _text(right + 6, y, name, color=color)


def _decades(values: Sequence[float]) -> list[int]:
    least = math.floor(math.log10(min(values)))
    most = math.ceil(math.log10(max(values)))
    return list(range(least, max(most, least + 1) + 1))


def _power(decade: int) -> str:
    digits = str(decade).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{digits}"


def _text(x: float, y: float, text: str, kind: str = "", color: str = "") -> str:
    kind = f' class="{kind}"' if kind else ""
    color = f' style="fill: {color}"' if color else ""
    safe = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}{color}>{safe}</text>'

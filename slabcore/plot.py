"""Curves over virtual time: in the terminal, or as a picture."""

from __future__ import annotations

import importlib.util
import io
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import plotille  # type: ignore[import-untyped]

from slabcore.comparison import Comparison, number
from slabcore.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CURVES", "SUFFIXES", "Panel", "check", "picture", "points", "terminal"]

CURVES = (
    ("kworkers", "kworkers"),
    ("caches", "slab caches"),
    ("load1", "load average"),
)
SUFFIXES = (".png", ".svg", ".pdf")
_COLORS = ("red", "yellow", "cyan", "green", "magenta", "blue", "white")
_MARKS = "xo+*#@%"


class Panel(NamedTuple):
    """Hold one of several charts above the same axis: a title, a series a name."""

    title: str
    series: Sequence[tuple[str, np.ndarray, np.ndarray]]


def terminal(
    comparison: Comparison,
    field: str,
    *,
    width: int = 80,
    height: int = 12,
    color: bool = True,
) -> str:
    """Return a plot of one column of the timeline, a curve for each design.

    Without colours each curve has a mark of its own. Standard output decides whether
    colours are written: a terminal has them, unless NO_COLOR is set.
    """
    figure = plotille.Figure()
    figure.width = max(20, width - 26)
    figure.height = height
    figure.with_colors = color
    figure.x_label, figure.y_label = "s", field
    figure.register_label_formatter(float, _label)
    last = max(float(result.timeline["t_ns"][-1]) / 1e9 for result in comparison)
    highest = max(float(result.timeline[field].max()) for result in comparison)
    figure.set_x_limits(0, max(1.0, last))
    figure.set_y_limits(0, max(1.0, highest))
    legend = []
    for result, hue, mark in zip(
        comparison, itertools.cycle(_COLORS), itertools.cycle(_MARKS)
    ):
        figure.plot(
            (result.timeline["t_ns"] / 1e9).tolist(),
            result.timeline[field].astype(float).tolist(),
            lc=hue if color else None,
            interp="linear" if color else None,
            marker=None if color else mark,
        )
        name = f"{'⠤⠤' if color else mark} {result.name}"
        legend.append(plotille.color(name, fg=hue) if color else name)
    title = f"{dict(CURVES)[field]} over virtual time, {comparison.workload.name}"
    return "\n".join((title, figure.show(), "   ".join(legend)))


def _label(value: float, chars: int, delta: float, left: bool = False) -> str:
    text = number(value)
    return text.ljust(chars) if left else text.rjust(chars)


def check(path: str | os.PathLike[str]) -> None:
    """Tell before any work whether a picture can be made. Raises: InputError."""
    if Path(path).suffix not in SUFFIXES:
        expected = "a name that ends in " + " or ".join(SUFFIXES)
        raise InputError(
            str(path) or "''", "there is no such kind of picture", expected
        )
    if not Path(path).parent.is_dir():
        raise InputError(str(path), "there is no such directory", "one that is there")
    if importlib.util.find_spec("matplotlib") is None:
        expected = "pip install 'slabcore[plot]'"
        raise InputError(str(path), "a picture needs matplotlib", expected)


def picture(comparison: Comparison, suffix: str) -> bytes:
    """Return a picture of all curves, in the format that the suffix names."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 9), layout="constrained")
    axes = figure.subplots(len(CURVES), sharex=True)
    for axis, (field, title) in zip(axes, CURVES, strict=True):
        for result in comparison:
            seconds = result.timeline["t_ns"] / 1e9
            axis.plot(seconds, result.timeline[field], label=result.name)
        axis.set_ylabel(title)
        axis.set_ylim(bottom=0)
    axes[0].legend(title="design")
    axes[0].set_title(
        f"{comparison.workload.title}\nmodelled, not measured", fontsize=10
    )
    axes[-1].set_xlabel("virtual seconds")
    return _saved(figure, suffix)


def points(title: str, panels: Sequence[Panel], suffix: str) -> bytes:
    """Return a picture of points over virtual time, each series with its own mark."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1 + 2.5 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        for (name, x, y), mark in zip(
            panel.series, itertools.cycle("o^sDvPX*"), strict=False
        ):
            axis.plot(x, y, mark, markersize=4, alpha=0.7, label=name)
        axis.set_ylabel(panel.title)
        axis.set_ylim(bottom=0)
    axes[0].legend()
    axes[0].set_title(f"{title}\nmodelled, not measured", fontsize=10)
    axes[-1].set_xlabel("virtual seconds")
    return _saved(figure, suffix)


def _saved(figure: Figure, suffix: str) -> bytes:
    data = io.BytesIO()
    # the same bytes for the same figures: no date inside
    undated = {"Date": None} if suffix == ".svg" else {}
    undated = {"CreationDate": None} if suffix == ".pdf" else undated
    figure.savefig(data, format=suffix.removeprefix("."), metadata=undated)
    return data.getvalue()

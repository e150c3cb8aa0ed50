"""Draw the pictures of README.md and of pages here: ``python docs/figures.py``.

They are written by hand as SVG, so that equal figures give equal bytes. That of
slabinfo.md is drawn from the tables there, that of simpy.md by running the example.
`--check` writes nothing and ends with status 1 if a picture is stale.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType

from slabcore.comparison import Comparison, Result, compare, iteration_ms, number, whole
from slabcore.workloads import load

HERE = Path(__file__).parent
PICTURE = HERE / "answer.svg"
WIDTH, HEIGHT = 880, 330
INK, FAINT, RULE = "#1f2328", "#59636e", "#d1d9e0"
COLORS = {"4.8": "#c4432b", "4.10": "#9a6700", "4.11": "#0969da"}
OTHER = "#8c959f"

STYLE = f"""\
<style>
text {{ font: 12px system-ui, sans-serif; fill: {INK}; }}
.title {{ font-size: 14px; font-weight: 600; }}
.faint {{ fill: {FAINT}; }}
.end {{ text-anchor: end; }}
.middle {{ text-anchor: middle; }}
</style>"""


def draw() -> str:
    """Return the picture as SVG."""
    jobs = compare("smythies", ["4.8", "4.10", "4.11"])
    loops = compare("frolov", ["4.4", "4.6", "4.7", "4.9", "4.10", "4.11", "5.9"])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        "<title>kworkers under bug 172991's jobs, and milliseconds a cgroup in bug "
        "190841's loop, by kernel</title>",
        STYLE,
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#ffffff"/>',
        *_kworkers(jobs),
        *_iterations(loops),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _text(x: float, y: float, text: str, kind: str = "", fill: str = "") -> str:
    kind = f' class="{kind}"' if kind else ""
    fill = f' style="fill: {fill}"' if fill else ""
    return f'<text x="{x:g}" y="{y:g}"{kind}{fill}>{text}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, color: str = RULE) -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{color}"/>'


def _kworkers(jobs: Comparison) -> Iterator[str]:
    """Draw the number of kworkers over the first 340 seconds."""
    left, right, top, bottom = 64, 470, 78, 282
    end, most = 340, 2200

    def x(seconds: float) -> float:
        return left + (right - left) * min(seconds, end) / end

    def y(count: float) -> float:
        return bottom - (bottom - top) * count / most

    yield _text(24, 32, "Bug 172991: kworkers while 8 jobs make and remove", "title")
    yield _text(24, 50, "cgroups on 8 CPUs, and until the idle ones leave", "title")
    for count in (0, 500, 1000, 1500, 2000):
        yield _line(left, y(count), right, y(count))
        yield _text(left - 8, y(count) + 4, whole(count), "faint end")
    for seconds in range(0, end, 60):
        yield _text(x(seconds), bottom + 18, str(seconds), "faint middle")
    yield _text(right, bottom + 36, "virtual seconds", "faint end")
    yield _text(24, bottom + 36, "curves and bars: modelled", "faint")
    for result in jobs:
        points = " ".join(f"{x(t):.1f},{y(n):.1f}" for t, n in _steps(result))
        yield (
            f'<polyline points="{points}" fill="none" '
            f'stroke="{COLORS[result.name]}" stroke-width="2"/>'
        )
    old, *new = jobs
    peak = old.counters["kworkers_peak"]
    label = f"Linux {old.name}: {whole(peak)}"
    yield _text(x(60), y(peak) + 20, label, fill=COLORS[old.name])
    for nth, result in enumerate(reversed(new)):
        label = f"Linux {result.name}: {whole(result.counters['kworkers_peak'])}"
        yield _text(x(60), y(0) - 10 - 18 * nth, label, fill=COLORS[result.name])


def _steps(result: Result) -> Iterator[tuple[float, int]]:
    """Yield the corners of the curve, from one sample to the next that differs."""
    times, counts = result.timeline["t_ns"] / 1e9, result.timeline["kworkers"]
    before = None
    for time, count in zip(times, counts, strict=True):
        if before is not None and count != before:
            yield float(time), before
        if count != before:
            yield float(time), int(count)
        before = int(count)
    yield float("inf"), int(counts[-1])


def _iterations(loops: Comparison) -> Iterator[str]:
    """Draw the milliseconds of an iteration, and what was measured."""
    left, right, top, step = 580, 800, 84, 28
    most = 180

    def x(ms: float) -> float:
        return left + (right - left) * ms / most

    yield _text(520, 32, "Bug 190841: milliseconds to make,", "title")
    yield _text(520, 50, "use and remove one cgroup", "title")
    reported = {
        figure.design: figure
        for figure in load("frolov").reported
        if figure.figure == "iteration_ms"
    }
    for nth, result in enumerate(loops):
        middle = top + step * nth + 8
        ms = iteration_ms(result.to_dict())
        color = COLORS.get(result.name, OTHER)
        if result.design.deactivation == "gp-per-cache":
            color = COLORS["4.8"]
        yield _text(left - 8, middle + 4, f"Linux {result.name}", "end")
        yield (
            f'<rect x="{left}" y="{middle - 8:g}" width="{x(ms) - left:.1f}" '
            f'height="16" fill="{color}"/>'
        )
        beyond = x(ms)
        figure = reported.get(result.name)
        if figure is not None:
            beyond = max(beyond, x(figure.high))
            yield _line(x(figure.low), middle, x(figure.high), middle, INK)
            for end in dict.fromkeys((figure.low, figure.high)):
                yield _line(x(end), middle - 10, x(end), middle + 10, INK)
        yield _text(round(beyond + 6, 1), middle + 4, number(ms))
    under = top + step * len(loops) + 12
    yield _line(left, top - 6, left, under - 14, FAINT)
    yield _line(left, under - 4, left, under + 8, INK)
    yield _text(left + 8, under + 6, "black: as the bug's reporter measured", "faint")


# --- slabinfo.md ----------------------------------------------------------------------

PAUSES = MappingProxyType({"20 ms between two reads": "#c4432b", "no pause": "#9a6700"})
RIGHT = "#0969da"


def draw_files() -> str:
    """Return the picture of docs/slabinfo.md as SVG, from the tables there."""
    page = (HERE / "slabinfo.md").read_text("utf-8")
    paces = [list(map(_number, row)) for row in _rows(page, "slabinfo-paces")]
    measured = {
        row[1]: list(map(_number, row[2:6]))
        for row in _rows(page, "slabinfo-measured")
        if row[0] == "4.10.17"
    }
    real = [measured["churn, 20 ms"], measured["churn"]]
    # Of each pause: cgroups a second, files that repeat rows, files that lack some.
    lines = [[(row[0], row[1 + at], row[2 + at]) for row in paces] for at in (4, 0)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        "<title>Files of slabinfo that repeat and lack rows, by cgroups made a second, "
        "on Linux 4.10</title>",
        STYLE,
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#ffffff"/>',
    ]
    for nth, title in enumerate(("repeat rows", "lack rows")):
        curves = [[(line[0], line[1 + nth]) for line in curve] for curve in lines]
        dots = [(MEASURED_PACE, figures[2 * nth]) for figures in real]
        parts += _shares(
            64 + 430 * nth, f"Files that {title}, Linux 4.10", curves, dots
        )
    return "\n".join((*parts, "</svg>")) + "\n"


# Cgroups a second that the loops of the measured run made, on average.
MEASURED_PACE = 24.3


def _rows(page: str, block: str) -> Iterator[list[str]]:
    """Yield the rows of a generated table but for its head."""
    found = re.search(
        rf"<!-- generated: {block} -->\n(.*?)<!-- end -->", page, re.DOTALL
    )
    assert found is not None
    for line in found[1].splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def _number(cell: str) -> float:
    return float(re.sub(r"[ %]|\*\*.*", "", cell) or "nan")


def _shares(
    left: int,
    title: str,
    curves: list[list[tuple[float, float]]],
    dots: list[tuple[float, float]],
) -> Iterator[str]:
    """Draw shares of files over cgroups a second, and what was measured."""
    right, top, bottom = left + 340, 70, 270

    def x(pace: float) -> float:
        return left + (right - left) * pace / 32

    def y(percent: float) -> float:
        return bottom - (bottom - top) * percent / 100

    yield _text(left - 40, 32, title, "title")
    for percent in range(0, 101, 25):
        yield _line(left, y(percent), right, y(percent))
        yield _text(left - 8, y(percent) + 4, f"{percent} %", "faint end")
    for pace in range(0, 31, 10):
        yield _text(x(pace), bottom + 18, str(pace), "faint middle")
    yield _text(right, bottom + 36, "cgroups made and removed a second", "faint end")
    yield _text(right, bottom + 54, "lines: modelled; dots: 4.10.17", "faint end")
    for (pause, color), curve, dot in zip(PAUSES.items(), curves, dots, strict=True):
        points = " ".join(f"{x(pace):.1f},{y(share):.1f}" for pace, share in curve)
        yield (
            f'<polyline points="{points}" fill="none" stroke="{color}" '
            f'stroke-width="2"/>'
        )
        place = f'cx="{x(dot[0]):.1f}" cy="{y(dot[1]):.1f}"'
        yield f'<circle {place} r="5" fill="{color}"/>'
        yield _text(left + 8, y(93 if color == "#c4432b" else 84), pause, "", color)
    yield _line(left, y(0), right, y(0), RIGHT)
    yield _text(right, y(0) - 6, "Linux 4.11 and later, and every cursor", "end", RIGHT)


# --- simpy.md -------------------------------------------------------------------------

STARTS = MappingProxyType(
    {"4.9": COLORS["4.8"], "4.10": COLORS["4.10"], "4.11": COLORS["4.11"]}
)


def draw_starts() -> str:
    """Return the picture of docs/simpy.md as SVG, by running the example."""
    place = HERE.parent / "examples" / "kubernetes-node" / "node.py"
    spec = importlib.util.spec_from_file_location("node", place)
    assert spec is not None and spec.loader is not None
    node = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(node)
    left, right, top, bottom, end = 90, 690, 70, 282, 6
    decades = range(-3, 2)

    def x(seconds: float) -> float:
        return left + (right - left) * seconds / end

    def y(seconds: float) -> float:
        part = (math.log10(seconds) - decades[0]) / (decades[-1] + 0.3 - decades[0])
        return bottom - (bottom - top) * part

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        "<title>How long the start of a pod takes while others are removed, by kernel"
        "</title>",
        STYLE,
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#ffffff"/>',
        _text(24, 32, "Thirty pods replaced in six seconds:", "title"),
        _text(24, 50, "how long the start of each new one takes", "title"),
    ]
    for decade in decades:
        label = f"{10**decade:g} s" if decade >= 0 else f"{10 ** (decade + 3)} ms"
        parts.append(_line(left, y(10**decade), right, y(10**decade)))
        parts.append(_text(left - 8, y(10**decade) + 4, label, "faint end"))
    for second in range(end + 1):
        parts.append(_text(x(second), bottom + 18, str(second), "faint middle"))
    said = "virtual seconds, when the start was asked for; both axes: modelled"
    parts.append(_text(right, bottom + 36, said, "faint end"))
    for design, color in STARTS.items():
        _, starts = node.Node(design).replace(5)
        for asked, took in starts:
            place = f'cx="{x(asked):.1f}" cy="{y(took):.1f}"'
            parts.append(f'<circle {place} r="4" fill="{color}" fill-opacity="0.8"/>')
        took = sorted(took for _, took in starts)[len(starts) // 2]
        median = f"{took:.1f} s" if took > 0.1 else f"{1000 * took:.1f} ms"
        # The last two have one median: a line each.
        at = y(took) + {"4.10": -14, "4.11": 10}.get(design, 4)
        label = f"Linux {design}: median {median}"
        parts.append(_text(right + 14, round(at, 1), label, fill=color))
    return "\n".join((*parts, "</svg>")) + "\n"


PICTURES: MappingProxyType[Path, Callable[[], str]] = MappingProxyType(
    {
        PICTURE: draw,
        HERE / "slabinfo.svg": draw_files,
        HERE / "kubernetes-node.svg": draw_starts,
    }
)


def main() -> int:
    """Write or check; return the status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    any_stale = False
    for path, drawn in PICTURES.items():
        picture = drawn()
        stale = not path.exists() or path.read_text("utf-8") != picture
        if stale and not options.check:
            path.write_text(picture, "utf-8")
        if stale:
            print(f"{path.name}: {'stale' if options.check else 'written'}")
        any_stale |= stale
    return int(options.check and any_stale)


if __name__ == "__main__":
    raise SystemExit(main())

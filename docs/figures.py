"""Draw the picture at the top of README.md: ``python docs/figures.py``.

The file is written by hand as SVG, so that equal figures give equal bytes.
`--check` writes nothing and ends with status 1 if the picture is stale.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from slabcore.comparison import Comparison, Result, compare, iteration_ms, number, whole
from slabcore.workloads import load

PICTURE = Path(__file__).parent / "answer.svg"
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


def main() -> int:
    """Write or check; return the status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    picture = draw()
    stale = not PICTURE.exists() or PICTURE.read_text("utf-8") != picture
    if stale and not options.check:
        PICTURE.write_text(picture, "utf-8")
    if stale:
        print(f"{PICTURE.name}: {'stale' if options.check else 'written'}")
    return int(options.check and stale)


if __name__ == "__main__":
    raise SystemExit(main())

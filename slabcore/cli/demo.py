"""``slabcore demo``: the story of the bug, in the terminal."""

from __future__ import annotations

import functools

import click
from rich.console import Console

from slabcore import plot, report
from slabcore.cli.epilog import epilog
from slabcore.cli.progress import Steps
from slabcore.comparison import Comparison, ComparisonTable, Engine, compare
from slabcore.traces import recordings

__all__ = ["demo"]

_DESIGNS = ("4.6", "4.8", "4.10", "4.11")

_STORY = """\
Bugs 172981, 172991 and 190841 (2016): hosts that make and remove memory cgroups crawl.
Each cgroup has copies of the slab caches it uses; removing it walks all caches, waits
for RCU with mutexes held, and creations of caches pile up behind. A series merged in
4.11 was to repair it, and its reviewer asked: does it solve bug 172991? Here is what a
model of the kernel's own lists, locks, workqueues and RCU says. No time is measured."""

_NEXT = """\
next:
  slabcore compare smythies --design 4.8 --design 4.11 --cpus 2
  slabcore compare frolov --design all --report frolov.md
  slabcore compare YOUR_TRACE.txt           an ftrace file with its cgroup events
  slabcore designs 4.10 4.11                what differs between two kernels"""


@click.command(epilog=epilog(("slabcore demo",)))
@click.option("--json", "as_json", is_flag=True, help="One JSON object, nothing else.")
@click.option(
    "--engine",
    type=click.Choice(["core", "reference"]),
    default="core",
    help="The compiled model, or its plain Python twin.",
)
def demo(as_json: bool, engine: Engine) -> None:
    """Tell the story of bug 172991 with figures, in under ten seconds."""
    chapters = [
        ("Bug 190841, 3000 cgroups one after the other.", "frolov"),
        ("Bug 172991, a job on each of 8 CPUs.", "smythies"),
        *(
            (f"A recording, {name}: its cgroups come and go as they did.", name)
            for name in recordings()
        ),
    ]
    comparisons: list[Comparison] = []
    with Steps(len(chapters) * len(_DESIGNS)) as steps:
        for _, workload in chapters:
            begin = functools.partial(_begin, steps, workload)
            comparisons.append(
                compare(workload, _DESIGNS, engine=engine, progress=begin)
            )
    if as_json:
        click.echo(report.to_json(comparisons), nl=False)
        return
    console = Console(highlight=False)
    click.echo(_STORY)
    for (title, _), comparison in zip(chapters, comparisons, strict=True):
        console.print(f"\n[bold]{title}[/bold]")
        for line in report.head(comparison)[2:4]:
            console.print(line, markup=False)
        for note in comparison.workload.inputs:
            console.print(f"Put in: {note}.", markup=False)
        console.print()
        console.print(ComparisonTable(comparison, telling=True))
    smythies = comparisons[1]
    width = min(console.width, 100)
    color = console.is_terminal and not console.no_color
    click.echo("\n" + plot.terminal(smythies, "kworkers", width=width, color=color))
    console.print("\n[bold]Does the series solve bug 172991?[/bold]")
    for line in report.verdict(smythies):
        console.print(f"• {line}", markup=False)
    click.echo("\n" + _NEXT)


def _begin(steps: Steps, workload: str, name: str, done: int, total: int) -> None:
    if done < total:
        steps.begin(f"{workload} under {name}")

"""``slabcore compare``: workloads under designs, side by side."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from slabcore import plot, report
from slabcore.cli.conditions import Condition
from slabcore.cli.epilog import BUILT_IN, epilog
from slabcore.cli.progress import Steps
from slabcore.comparison import Comparison, Engine, Result, boot, prepare, tables
from slabcore.comparison import compare as run
from slabcore.designs import Design
from slabcore.designs import designs as presets

__all__ = ["check", "compare", "overrides_of", "run_options", "show"]

F = TypeVar("F", bound=Callable[..., Any])


def _machine_option(name: str, text: str, **settings: Any) -> Callable[[F], F]:
    return click.option(
        f"--{name}", help=f"{text}  [--set machine.{name}=…]", **settings
    )


def run_options(command: F) -> F:
    """Give a command that runs a workload the options for how it is run."""
    options = (
        _machine_option("cpus", "CPUs of the machine.", type=int),
        _machine_option("hz", "Timer interrupts a second.", type=int),
        _machine_option("allocator", "The slab allocator: slub or slab."),
        _machine_option("kmem", "Kernel memory accounting: default, on, off."),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="PATH=VALUE",
            help="Change a figure below workload, machine, costs or design; "
            "repeatable.",
        ),
        click.option(
            "--json", "as_json", is_flag=True, help="One JSON object, nothing else."
        ),
        click.option(
            "--report", "report_file", metavar="FILE", help="Write Markdown or JSON."
        ),
        click.option(
            "--fail-if",
            "conditions",
            multiple=True,
            metavar="EXPR",
            help="End with status 1 if it is true: virtual_s > 60",
        ),
        click.option(
            "--engine",
            type=click.Choice(["core", "reference"]),
            default="core",
            help="The compiled model, or its plain Python twin.",
        ),
        click.option(
            "--seed",
            type=int,
            default=0,
            help="Kept with the results; nothing is random yet.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def overrides_of(
    cpus: int | None,
    hz: int | None,
    allocator: str | None,
    kmem: str | None,
    settings: Sequence[str],
) -> list[str]:
    """Return the options of the machine and the settings, all as settings."""
    options = {"cpus": cpus, "hz": hz, "allocator": allocator, "kmem": kmem}
    return [f"machine.{k}={v}" for k, v in options.items() if v is not None] + [
        *settings
    ]


def check(
    conditions: Sequence[Condition],
    name: str,
    chosen: Sequence[str | Design],
    overrides: Sequence[str],
) -> None:
    """Refuse before anything runs what can be refused. Raises: InputError."""
    workload, machine, found = prepare(name, chosen, None, overrides)
    first, design = next(iter(found.items()))
    if conditions:
        unstarted = boot(workload, design, machine)
        blank = Result.of(unstarted, first, workload).to_dict()
        for condition in conditions:
            condition.check(blank)


@click.command(
    epilog=epilog(
        (
            "slabcore compare smythies -d 4.8 -d 4.11 --cpus 2",
            "slabcore compare frolov -d all --report frolov.md",
            "slabcore compare frolov -d 4.6 -d 4.11 \\",
            '  --fail-if "4.11.virtual_s > 1.15 * 4.6.virtual_s"',
        ),
        BUILT_IN,
    )
)
@click.argument("workloads", nargs=-1, required=True, metavar="WORKLOAD…")
@click.option(
    "--design",
    "-d",
    "names",
    multiple=True,
    metavar="D",
    help="A design or kernel version, with +patch or ~patch if you like, repeatable; "
    "all (the default) is every preset.",
)
@click.option(
    "--plot", "plot_file", metavar="FILE", help="Draw the curves: png, svg, pdf."
)
@click.option("--times", is_flag=True, help="Also show what all tasks' time went into.")
@run_options
def compare(
    workloads: tuple[str, ...],
    names: tuple[str, ...],
    cpus: int | None,
    hz: int | None,
    allocator: str | None,
    kmem: str | None,
    settings: tuple[str, ...],
    times: bool,
    as_json: bool,
    plot_file: str | None,
    report_file: str | None,
    conditions: tuple[str, ...],
    engine: Engine,
    seed: int,
) -> None:
    """Run workloads under kernel designs and hold the results side by side.

    WORKLOAD is a built-in name, a TOML file, or a recorded trace. Times are virtual:
    they come out of the model.
    """
    overrides = overrides_of(cpus, hz, allocator, kmem, settings)
    chosen = (
        list(presets) if "all" in names or not names else list(dict.fromkeys(names))
    )
    # All that can be refused is refused before anything runs
    if plot_file is not None:
        plot.check(plot_file)
    if report_file is not None:
        report.check(report_file)
    parsed = [Condition(text, chosen) for text in conditions]
    for name in workloads:
        check(parsed, name, chosen, overrides)

    comparisons = []
    with Steps(len(workloads) * len(chosen)) as steps:
        for name in workloads:
            comparisons.append(
                run(
                    name,
                    chosen,
                    overrides=overrides,
                    seed=seed,
                    engine=engine,
                    progress=functools.partial(_begin, steps, name),
                )
            )
    true = [line for condition in parsed for line in _true(condition, comparisons)]
    if report_file is not None:
        report.save(report_file, report.written(report_file, comparisons, times=times))
    if plot_file is not None:
        _draw(comparisons, Path(plot_file))
    if as_json:
        click.echo(report.to_json(comparisons), nl=False)
    else:
        for comparison in comparisons:
            show(comparison, times=times)
    for line in true:
        click.echo(f"slabcore: {line}", err=True)
    if true:
        raise click.exceptions.Exit(1)


def _begin(steps: Steps, workload: str, name: str, done: int, total: int) -> None:
    if done < total:
        steps.begin(f"{workload} under {name}")


def _true(condition: Condition, comparisons: Sequence[Comparison]) -> Iterator[str]:
    for comparison in comparisons:
        where = condition.holds([result.to_dict() for result in comparison])
        under = f" under {', '.join(where)}" if condition.is_about_each else ""
        if where:
            yield f"{comparison.workload.name}: {condition.text} is true{under}"


def _draw(comparisons: Sequence[Comparison], path: Path) -> None:
    for comparison in comparisons:
        name = path.name
        if len(comparisons) > 1:
            name = f"{path.stem}-{comparison.workload.name}{path.suffix}"
        report.save(path.with_name(name), plot.picture(comparison, path.suffix))


def show(
    comparison: Comparison,
    *,
    curves: Sequence[str] = ("kworkers",),
    times: bool = False,
) -> None:
    """Print what was run, the table, the curves on a terminal, and the answer."""
    console = Console(highlight=False)
    for line in report.head(comparison):
        console.print(line, soft_wrap=True, markup=False)
    for table in tables(comparison, console.width, times=times):
        console.print()
        console.print(table)
    if console.is_terminal:
        for field in curves:
            width, color = min(console.width, 100), not console.no_color
            text = plot.terminal(comparison, field, width=width, color=color)
            click.echo("\n" + text)
    lines = report.verdict(comparison)
    if lines:
        console.print()
    for line in lines:
        console.print(f"• {line}", markup=False)
    found = report.findings(comparison)
    if found:
        console.print("\nWhat should not be:")
    for line, led in found:
        console.print(f"• {line}", markup=False)
        for event in led:
            console.print(f"    {event}", soft_wrap=True, markup=False)
    console.print()

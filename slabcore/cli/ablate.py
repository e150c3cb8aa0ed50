"""``slabcore ablate``: which patch of the series buys what."""

from __future__ import annotations

import click
from rich.console import Console

from slabcore import report
from slabcore.ablation import Ablation, tables, trials
from slabcore.ablation import ablate as run
from slabcore.cli.compare import check, overrides_of, run_options
from slabcore.cli.conditions import Condition
from slabcore.cli.epilog import BUILT_IN, epilog
from slabcore.cli.progress import Steps
from slabcore.comparison import Engine

__all__ = ["ablate"]

# What is written to a file or a pipe is not broken to a terminal's width.
_UNBROKEN = 400


@click.command(
    epilog=epilog(
        (
            'slabcore ablate frolov --fail-if "virtual_s > 600"',
            "slabcore ablate frolov --base 4.9 --series v1 --report v1.md",
        ),
        BUILT_IN,
    )
)
@click.argument("workload")
@click.option(
    "--base",
    default="4.10",
    metavar="D",
    show_default=True,
    help="The design that the patches are applied to.",
)
@click.option(
    "--series",
    default="4.11",
    metavar="S",
    show_default=True,
    help="v1, v2, v3, or 4.11: v3 as merged.",
)
@run_options
def ablate(
    workload: str,
    base: str,
    series: str,
    cpus: int | None,
    hz: int | None,
    allocator: str | None,
    kmem: str | None,
    settings: tuple[str, ...],
    as_json: bool,
    report_file: str | None,
    conditions: tuple[str, ...],
    engine: Engine,
    seed: int,
) -> None:
    """Run a workload under each patch of the series alone, and all but each.

    WORKLOAD is a built-in name, a TOML file, or a recorded trace. The patches are
    those of v1, v2 or v3 of January 2017; 4.11 is v3 as merged. Times are virtual.
    """
    overrides = overrides_of(cpus, hz, allocator, kmem, settings)
    if report_file is not None:
        report.check(report_file)
    designs = [trial.design for trial in trials(base, series)]
    parsed = [
        Condition(text, [design.name for design in designs]) for text in conditions
    ]
    check(parsed, workload, designs, overrides)
    with Steps(len(designs)) as steps:
        ablation = run(
            workload,
            base=base,
            series=series,
            overrides=overrides,
            seed=seed,
            engine=engine,
            progress=lambda name, done, total: (
                steps.begin(f"{workload} under {name}") if done < total else None
            ),
        )
    if report_file is not None:
        text = (
            ablation.to_json() if report_file.endswith(".json") else _report(ablation)
        )
        report.save(report_file, text)
    if as_json:
        click.echo(ablation.to_json(), nl=False)
    else:
        _show(ablation)
    results = [trial["result"] for trial in ablation.to_dict()["trials"]]
    true = [(condition, condition.holds(results)) for condition in parsed]
    for condition, where in true:
        if where:
            under = f" under {', '.join(where)}" if condition.is_about_each else ""
            click.echo(f"slabcore: {condition.text} is true{under}", err=True)
    if any(where for _, where in true):
        raise click.exceptions.Exit(1)


def _report(ablation: Ablation) -> str:
    title = f"# {ablation.comparison.workload.title}, the series taken apart"
    return "\n".join((title, "", *ablation.head(), "", ablation.markdown()))


def _show(ablation: Ablation) -> None:
    console = Console(highlight=False, markup=False)
    for line in ablation.head():
        console.print(line, soft_wrap=True)
    width = console.width if console.is_terminal else _UNBROKEN
    wide = Console(highlight=False, markup=False, width=width)
    for table in tables(ablation, width):
        click.echo()
        wide.print(table)
    click.echo()
    for line in ablation.table().legend():
        console.print(line)
    click.echo()
    for line in ablation.notes():
        console.print(f"• {line}")

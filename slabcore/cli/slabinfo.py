"""``slabcore slabinfo``: a monitor reads slabinfo while workloads run."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from slabcore import plot, report
from slabcore.cli.compare import overrides_of, run_options
from slabcore.cli.conditions import Condition
from slabcore.cli.epilog import BUILT_IN, epilog, filled
from slabcore.cli.numbers import Number
from slabcore.cli.progress import Steps
from slabcore.comparison import Engine
from slabcore.designs import designs as presets
from slabcore.kernel import SLABINFO_READS
from slabcore.monitor import (
    READERS,
    Monitor,
    Reader,
    Watch,
    blank,
    figures,
    tables,
    watch,
)

__all__ = ["slabinfo"]

# What is written to a file or a pipe is not broken to a terminal's width.
_UNBROKEN = 400


def _paths(table: Mapping[str, Any], below: str = "") -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{below}{name}.")
        else:
            yield f"{below}{name}"


_FIGURES = filled(
    "Figures for --fail-if, of each design and reader: "
    f"{', '.join(_paths(figures(np.zeros(0, SLABINFO_READS))))}; "
    "and below phases.NAME the same of each phase."
)


@click.command(
    epilog=epilog(
        (
            "slabcore slabinfo slabinfo-churn -d 4.10 -d 4.12.10",
            "slabcore slabinfo doug -d 4.12.10 -r cursor --period 50 \\",
            '  --fail-if "rows_missing + rows_repeated > 0"',
        ),
        _FIGURES,
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
    "--reader",
    "-r",
    "readers",
    multiple=True,
    type=click.Choice(READERS),
    help="kernel: finds its place by number, as the design's seq_file does; cursor: "
    "keeps it. Repeatable; both by default.",
)
@click.option(
    "--read",
    type=Number(1, 1_000_000_000, whole=True),
    metavar="BYTES",
    help="Bytes a read().  [default: 4096]",
)
@click.option(
    "--pause",
    "pause_ms",
    type=Number(0, 1e9),
    metavar="MS",
    help="From a read() to the next of the same file.  [default: 0]",
)
@click.option(
    "--period",
    "period_ms",
    type=Number(0, 1e9),
    metavar="MS",
    help="From the end of a file to the next.  [default: 100]",
)
@click.option(
    "--plot",
    "plot_file",
    metavar="FILE",
    help="Draw what was wrong with each file: png, svg, pdf.",
)
@run_options
def slabinfo(
    workloads: tuple[str, ...],
    names: tuple[str, ...],
    readers: tuple[Reader, ...],
    read: int | None,
    pause_ms: float | None,
    period_ms: float | None,
    cpus: int | None,
    hz: int | None,
    allocator: str | None,
    kmem: str | None,
    settings: tuple[str, ...],
    as_json: bool,
    plot_file: str | None,
    report_file: str | None,
    conditions: tuple[str, ...],
    engine: Engine,
    seed: int,
) -> None:
    """Read /proc/slabinfo while workloads run; say what each file has of it.

    WORKLOAD is a built-in name, a TOML file, or a recorded trace. One that reads
    slabinfo itself (slabinfo-churn, storm) keeps its time and refuses
    --period; in any other a monitor reads until all cgroups are gone. A row is missing
    if its cache was there from the first read() of a file to its end and is not in the
    file; repeated, if it is there once more.
    """
    overrides = overrides_of(cpus, hz, allocator, kmem, settings)
    chosen = (
        list(presets) if "all" in names or not names else list(dict.fromkeys(names))
    )
    shown = readers or READERS
    run = functools.partial(
        watch,
        designs=chosen,
        readers=shown,
        read=read,
        pause_ms=pause_ms,
        period_ms=period_ms,
        overrides=overrides,
        seed=seed,
        engine=engine,
    )
    # All that can be refused is refused before anything runs
    if plot_file is not None:
        plot.check(plot_file)
    if report_file is not None:
        report.check(report_file)
    parsed = [Condition(text, chosen) for text in conditions]
    for name in workloads:
        monitor = Monitor(read, pause_ms, period_ms)
        row = blank(name, chosen, monitor=monitor, overrides=overrides)
        for condition in parsed:
            condition.check(row)

    watches = []
    with Steps(len(workloads) * len(chosen) * len(set(shown))) as steps:
        for name in workloads:
            watches.append(run(name, progress=functools.partial(_begin, steps, name)))
    true = [line for condition in parsed for line in _true(condition, watches)]
    if report_file is not None:
        report.save(report_file, _report(report_file, watches))
    if plot_file is not None:
        _draw(watches, Path(plot_file))
    if as_json:
        click.echo(_json(watches), nl=False)
    else:
        for watched in watches:
            _show(watched)
    for line in true:
        click.echo(f"slabcore: {line}", err=True)
    if true:
        raise click.exceptions.Exit(1)


def _begin(steps: Steps, workload: str, name: str, done: int, total: int) -> None:
    if done < total:
        steps.begin(f"{workload} under {name}")


def _true(condition: Condition, watches: Sequence[Watch]) -> Iterator[str]:
    for watched in watches:
        for reader in watched.comparisons:
            rows = [row for row in watched.results() if row["reader"] == reader]
            where = condition.holds(rows)
            under = f" under {', '.join(where)}" if condition.is_about_each else ""
            if where:
                name = f"{watched.workload.name}, {reader} reader"
                yield f"{name}: {condition.text} is true{under}"


def _report(path: str, watches: Sequence[Watch]) -> str:
    if path.endswith(".json"):
        return _json(watches)
    return "\n".join(watched.markdown() for watched in watches)


def _json(watches: Sequence[Watch]) -> str:
    """Return one as its own object, several as a list in one object."""
    if len(watches) == 1:
        return watches[0].to_json()
    several = {
        "schema": "slabcore.slabinfos/1",
        "slabinfos": [watched.to_dict() for watched in watches],
    }
    return json.dumps(several, indent=2, ensure_ascii=False) + "\n"


def _draw(watches: Sequence[Watch], path: Path) -> None:
    for watched in watches:
        name = path.name
        if len(watches) > 1:
            name = f"{path.stem}-{watched.workload.name}{path.suffix}"
        picture = plot.points(watched.title, watched.panels(), path.suffix)
        report.save(path.with_name(name), picture)


def _show(watched: Watch) -> None:
    console = Console(highlight=False, markup=False)
    for line in watched.head():
        console.print(line, soft_wrap=True)
    width = console.width if console.is_terminal else _UNBROKEN
    wide = Console(highlight=False, markup=False, width=width)
    for table in tables(watched, width):
        click.echo()
        wide.print(table)
    click.echo()
    for line in watched.verdict():
        console.print(f"• {line}", soft_wrap=True)
    click.echo()

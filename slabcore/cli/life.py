"""``slabcore life``: a cgroup's life, recorded and modelled, side by side."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec

from slabcore import life as lives
from slabcore.cli.epilog import epilog
from slabcore.cli.numbers import Number
from slabcore.comparison import Engine
from slabcore.designs import find
from slabcore.errors import InputError

__all__ = ["life"]

_LINE = "{:<51} {:<15} {}"


@click.command(
    epilog=epilog(
        (
            "slabcore life 4.8",
            "slabcore life 4.10 --life 3 --json",
            "slabcore life 4.9 --recording trace.txt",
        )
    )
)
@click.argument("names", nargs=-1, metavar="[DESIGN...]")
@click.option(
    "--recording",
    metavar="FILE",
    help="Hold one design against this trace: tracefs's text, gzipped or not.",
)
@click.option(
    "--life",
    "number",
    type=Number(1, 1_000_000_000, whole=True),
    default=2,
    show_default=True,
    help="Which life to show.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, nothing else.")
@click.option(
    "--steps",
    is_flag=True,
    help="Write the recording's steps as they come with slabcore; run nothing.",
)
@click.option(
    "--engine",
    type=click.Choice(["core", "reference"]),
    default="core",
    help="The compiled model, or its plain Python twin.",
)
def life(
    names: tuple[str, ...],
    recording: str | None,
    number: int,
    as_json: bool,
    steps: bool,
    engine: Engine,
) -> None:
    """Show a cgroup's life step by step: recorded on a kernel, and modelled.

    DESIGN is one whose kernel was recorded, by default each of them. What is shown is
    made by one program from both traces: each step, who runs it, when it begins after
    its phase did, how long it takes and what it waits for, in milliseconds.
    """
    if steps:
        if recording is None:
            raise click.UsageError("--steps needs --recording FILE")
        click.echo(msgspec.json.format(msgspec.json.encode(lives.read(recording))))
        return
    if recording is not None and len(names) != 1:
        raise click.UsageError("--recording needs one DESIGN to hold it against")
    compared = []
    for name in names or lives.recorded_kernels():
        if recording is not None:
            seen = lives.read(recording)
        else:
            name, seen = _recorded(name)
        if number > len(seen.lives):
            what = f"{seen.source} has {len(seen.lives)} lives"
            raise InputError("--life", what, f"1 to {len(seen.lives)}")
        modelled = lives.model(
            find(name), caches=seen.caches, names=seen.names, engine=engine
        )
        compared.append((name, seen, modelled))
    if as_json:
        table = {
            "schema": "slabcore.life/1",
            "comparisons": [_json(*each) for each in compared],
        }
        click.echo(json.dumps(table, indent=2, ensure_ascii=False))
        return
    for each in compared:
        _show(*each, number - 1)


def _recorded(name: str) -> tuple[str, lives.Lives]:
    """Return the recording of a kernel that a design spans, or that a number begins."""
    design = find(name)
    for kernel in lives.recorded_kernels():
        if find(kernel) == design:
            return name, lives.recorded(kernel)
        if kernel.startswith(f"{name}."):
            return kernel, lives.recorded(kernel)
    what = f"no life was recorded on a kernel of design {design.name}"
    expected = f"{' or '.join(lives.recorded_kernels())}, or --recording FILE"
    raise InputError("life", what, expected)


def _json(name: str, seen: lives.Lives, modelled: lives.Lives) -> dict[str, Any]:
    return {
        "design": name,
        "recorded": msgspec.to_builtins(seen),
        "modelled": msgspec.to_builtins(modelled),
        "differences": [
            lives.differences(one, other)
            for one, other in zip(seen.lives, modelled.lives, strict=False)
        ],
        "not_recorded": lives.unrecorded(seen, modelled),
    }


def _show(name: str, seen: lives.Lives, modelled: lives.Lives, index: int) -> None:
    one, other = seen.lives[index], modelled.lives[index]
    click.secho(f"{name}: life {index + 1} of {len(seen.lives)}", bold=True)
    click.echo(f"{seen.caches} caches; recorded: {seen.source}; times in milliseconds")
    click.echo(
        "27 / 79 x: done so often, recorded / modelled; 19 of 27: so many of them "
        "went this way\n"
    )
    click.echo(_LINE.format("", "recorded", "modelled"))
    for row in lives.rows(one, other):
        line = _LINE.format(*row).rstrip()
        click.secho(line, bold=True) if row[0][:1].isupper() else click.echo(line)
    click.echo()
    for line in lives.summary(seen, modelled, index):
        click.echo(f"• {line}")
    click.echo()

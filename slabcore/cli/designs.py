"""``slabcore designs``: the generations, their mechanisms, and what differs."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from slabcore.designs import Design, find
from slabcore.designs import designs as presets

__all__ = ["designs"]


@click.command()
@click.argument("names", nargs=-1, metavar="[A [B]]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, nothing else.")
def designs(names: tuple[str, ...], as_json: bool) -> None:
    """List the designs; show one, or in what two of them differ.

    A name is a preset or any kernel version that one of them spans.
    """
    if len(names) > 2:
        raise click.UsageError("at most two designs can be held against each other")
    chosen = {name: find(name) for name in names} or dict(presets)
    if as_json:
        click.echo(_json(chosen), nl=False)
    elif len(chosen) == 1:
        _show_one(*chosen.values())
    else:
        _show_table(chosen, differing=bool(names))


def _json(chosen: dict[str, Design]) -> str:
    listed: list[dict[str, Any]] = [
        {
            "design": name,
            "name": design.name,
            "kernels": list(design.kernels),
            "title": design.title,
            "knobs": design.knobs,
            "sources": list(design.sources),
        }
        for name, design in chosen.items()
    ]
    table = {"schema": "slabcore.designs/1", "designs": listed}
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


def _show_one(design: Design) -> None:
    click.echo(f"{design.name} ({_span(design)}): {design.title}")
    width = max(map(len, design.knobs))
    for knob, value in design.knobs.items():
        click.echo(f"  {knob:<{width}}  {_word(value)}")
    click.echo("sources:")
    for source in design.sources:
        click.echo(f"  {source}")


def _show_table(chosen: dict[str, Design], *, differing: bool) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("mechanism", no_wrap=True)
    for name in chosen:
        table.add_column(name, overflow="fold")
    table.add_row("kernels", *(_span(design) for design in chosen.values()))
    for knob in next(iter(chosen.values())).knobs:
        words = [_word(design.knobs[knob]) for design in chosen.values()]
        if not differing or len(set(words)) > 1:
            table.add_row(knob, *words)
    Console().print(table)
    if not differing:
        click.echo()
    same = table.row_count == 1
    if differing and same:
        click.echo("nothing differs: both kernels have the same design")
        return
    for name, design in chosen.items():
        click.echo(f"{name}: {design.title}")


def _span(design: Design) -> str:
    return " to ".join(dict.fromkeys(design.kernels)) or "never released"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("-", " ")

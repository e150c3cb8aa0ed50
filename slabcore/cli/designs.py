"""``slabcore designs``: the generations, their mechanisms, and what differs."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from slabcore import series
from slabcore.cli.epilog import epilog
from slabcore.designs import Design, Step, find, is_a_vendors, steps
from slabcore.designs import designs as presets
from slabcore.kernel import FINDINGS
from slabcore.mechanisms import mechanism

__all__ = ["designs"]

_WIDTH = 88


@click.command(
    epilog=epilog(
        (
            "slabcore designs 4.10 4.11",
            "slabcore designs 4.10+per-memcg-list",
            "slabcore designs --patches",
        )
    )
)
@click.argument("names", nargs=-1, metavar="[A [B]]")
@click.option("--patches", is_flag=True, help="The patches of the series of 2017.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, nothing else.")
def designs(names: tuple[str, ...], patches: bool, as_json: bool) -> None:
    """List the designs; show one, or in what two of them differ.

    A name is a preset or any kernel version that one of them spans, with +patch or
    ~patch for patches of the series put in or left out.
    """
    if len(names) > 2:
        raise click.UsageError("at most two designs can be held against each other")
    if patches:
        if names:
            raise click.UsageError("--patches lists all patches; leave the names out")
        click.echo(_patches_json(), nl=False) if as_json else _show_patches()
        return
    chosen = {name: find(name) for name in names} or dict(presets)
    if as_json:
        click.echo(_json(chosen, compared=len(names) == 2), nl=False)
    elif not names:
        _show_list(chosen)
    elif len(chosen) == 1:
        _show_one(*chosen.values())
    else:
        _show_two(chosen)
    if not as_json:
        for name in filter(is_a_vendors, names):
            click.echo(
                f"{name}: a vendor's kernel carries backports; this is the design"
            )
            click.echo("of the release that it is named after.")


# --- JSON -----------------------------------------------------------------------------


def _json(chosen: dict[str, Design], *, compared: bool) -> str:
    listed = [_design(name, design) for name, design in chosen.items()]
    table: dict[str, Any] = {"schema": "slabcore.designs/1", "designs": listed}
    if compared:
        table["steps"] = [_step(step) for step in steps(*chosen.values())]
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


def _design(name: str, design: Design) -> dict[str, Any]:
    return {
        "design": name,
        "name": design.name,
        "kernels": list(design.kernels),
        "title": design.title,
        "text": design.text,
        "knobs": design.knobs,
        "mechanisms": {
            knob: {"text": what.text, "source": what.source}
            for knob, what in design.mechanisms.items()
        },
        "patches": list(design.patches),
        "findings": list(design.findings),
        "sources": list(design.sources),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "from": step.before.name,
        "to": step.after.name,
        "title": step.after.title,
        "sources": list(step.after.sources),
        "patches": list(step.patches),
        "patches_undone": list(step.undone),
        "knobs": {
            knob: {
                "before": before,
                "after": after,
                "patches": list(step.by(knob)),
                "text": mechanism(knob, after).text,
                "source": mechanism(knob, after).source,
            }
            for knob, (before, after) in step.changes.items()
        },
    }


def _patches_json() -> str:
    listed = [patch.to_dict() for patch in series.PATCHES]
    table = {"schema": "slabcore.patches/1", "patches": listed}
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


# --- text -----------------------------------------------------------------------------


def _show_list(chosen: dict[str, Design]) -> None:
    width = max(map(len, chosen))
    spans = {name: _span(design) for name, design in chosen.items()}
    span_width = max(map(len, spans.values()))
    for name, design in chosen.items():
        click.echo(f"{name:<{width}}  {spans[name]:<{span_width}}  {design.title}")
    click.echo()
    _say(
        "slabcore designs A shows one, slabcore designs A B what differs, slabcore "
        "designs --patches the patches of the series."
    )


def _show_one(design: Design) -> None:
    _say(f"{design.name} ({_span(design)}): {design.title}")
    click.echo()
    _say(design.text)
    click.echo()
    width = max(map(len, design.knobs))
    for knob, what in design.mechanisms.items():
        click.echo(f"  {knob:<{width}}  {_word(design.knobs[knob])}: {what.text}")
        click.echo(f"  {'':<{width}}    {what.source}")
    _list("patches of the series:", design.patches)
    _list("known faults:", [f"{name}: {FINDINGS[name]}" for name in design.findings])
    _list("sources:", design.sources)


def _show_two(chosen: dict[str, Design]) -> None:
    old, new = chosen.values()
    different = Step(old, new).changes
    if not different:
        click.echo("nothing differs: both kernels have the same design")
    else:
        table = Table(
            box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold"
        )
        table.add_column("mechanism", no_wrap=True)
        for name in chosen:
            table.add_column(name, overflow="fold")
        table.add_row("kernels", _span(old), _span(new))
        for knob, values in different.items():
            table.add_row(knob, *map(_word, values))
        Console().print(table)
    for step in steps(old, new):
        click.echo()
        _show_step(step)


def _show_step(step: Step) -> None:
    _say(f"{step.before.name} → {step.after.name}: {step.after.title}")
    for knob, (before, after) in step.changes.items():
        click.echo(f"  {knob}: {_word(before)} → {_word(after)}")
        what = mechanism(knob, after)
        why = "; ".join(filter(None, (", ".join(step.by(knob)), what.source)))
        _say(f"{what.text} ({why})", indent="      ")
    for name in step.patches:
        patch = series.patch(name)
        if not patch.changes:
            _say(f"{name}: {patch.title}", indent="  ")
    if not step.changes:
        _list("  no knob differs", step.after.sources)


def _show_patches() -> None:
    for patch in series.PATCHES:
        numbers = ", ".join(f"{v} {n}" for v, n in patch.positions.items())
        _say(f"{patch.name} ({numbers or 'by itself'}): {patch.title}")
        _say(patch.text, indent="  ")
        for knob, (before, after) in patch.changes.items():
            click.echo(f"  {knob}: {_word(before)} → {_word(after)}")
        for other, reason in patch.depends_on.items():
            _say(f"builds on {other}: {reason}", indent="  ")
        for other in patch.instead_of:
            click.echo(f"  instead of {other}")
        for source in patch.sources:
            _say(source, indent="  ")
        for name in patch.positions:
            click.echo(f"  {name}: <{patch.posting(name)}>")
        click.echo()
    _say(
        "A design with a patch is named BASE+PATCH, one without it BASE~PATCH: "
        "4.10+async-deactivation, 4.11~early-sysfs-removal."
    )


def _list(title: str, lines: Any) -> None:
    if lines:
        click.echo(title)
    for line in lines:
        _say(line, indent="  ")


def _say(text: str, indent: str = "") -> None:
    click.echo(
        textwrap.fill(
            text,
            _WIDTH,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _span(design: Design) -> str:
    return " to ".join(dict.fromkeys(design.kernels)) or "never released"


def _word(value: object) -> str:
    """Return a value as it is typed after --set design.KNOB=."""
    return str(value).lower() if isinstance(value, bool) else str(value)

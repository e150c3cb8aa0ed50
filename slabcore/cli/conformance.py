"""``slabcore conformance``: recorded vectors, replayed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from slabcore.cli.epilog import epilog
from slabcore.cli.numbers import Number
from slabcore.conformance import BUILDS, ERAS, Difference, Outcome, Tally, check

__all__ = ["conformance"]

_COUNTS = ("passed", "failed", "skipped")


@click.command(
    epilog=epilog(
        (
            "slabcore conformance seqfile-public.json",
            "slabcore conformance seqfile-public.json --only 'mutate/*' --era D",
        )
    )
)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--reference",
    is_flag=True,
    help="Replay against the twin in plain Python, not against the compiled core.",
)
@click.option(
    "--era",
    "eras",
    multiple=True,
    type=click.Choice([*ERAS, *BUILDS]),
    metavar="ERA",
    help=f"Replay under this era alone ({', '.join(ERAS)}), or rows by this build "
    f"({', '.join(BUILDS)}); repeatable.  [default: all]",
)
@click.option(
    "--skip-tags",
    multiple=True,
    metavar="TAG,…",
    help="Skip vectors with one of these tags: fault,enomem,inject; repeatable.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="GLOB",
    help="Replay vectors whose names match; repeatable: 'mutate/*'.",
)
@click.option(
    "--show",
    type=Number(0, 1_000_000_000, whole=True),
    default=5,
    show_default=True,
    metavar="N",
    help="How many differences to tell.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, nothing else.")
def conformance(
    files: tuple[str, ...],
    reference: bool,
    eras: tuple[str, ...],
    skip_tags: tuple[str, ...],
    only: tuple[str, ...],
    show: int,
    as_json: bool,
) -> None:
    """Replay recorded vectors of seq_file, or rows of slabinfo, and compare.

    FILE holds operations on a file of records and what came of them, or rows of
    /proc/slabinfo; docs/seq_file.md describes both. Ends with status 1 if anything
    differs.
    """
    outcome = check(
        files,
        engine="reference" if reference else "core",
        eras=eras,
        only=only,
        skip_tags=[tag.strip() for tags in skip_tags for tag in tags.split(",")],
    )
    if as_json:
        click.echo(json.dumps(_json(outcome, show), indent=2, ensure_ascii=False))
    else:
        _show(outcome, show)
    if outcome.all.failed:
        raise click.exceptions.Exit(1)


def _json(outcome: Outcome, show: int) -> dict[str, Any]:
    return {
        "schema": "slabcore.conformance/1",
        "engine": outcome.engine,
        "files": outcome.files,
        **outcome.all.to_dict(),
        "eras": {era: tally.to_dict() for era, tally in outcome.eras.items()},
        "tags": {tag: tally.to_dict() for tag, tally in sorted(outcome.tags.items())},
        "differences": [
            {
                "file": found.file,
                "vector": found.vector,
                "era": found.era,
                "where": found.where,
                "differs": {
                    name: {"expected": expected, "got": got}
                    for name, (expected, got) in found.columns.items()
                },
            }
            for found in outcome.differences[:show]
        ],
    }


def _show(outcome: Outcome, show: int) -> None:
    held = ", ".join(f"{count} of {name}" for name, count in outcome.files.items())
    click.echo(f"Vectors held against {outcome.engine}: {held}")
    click.echo("One replay is one vector under one era, or one row by one build.\n")
    eras = {
        " ".join((era, ", ".join(outcome.releases.get(era, ())))): tally
        for era, tally in outcome.eras.items()
    }
    _table("era", eras)
    if outcome.tags:
        click.echo()
        _table("tag", dict(sorted(outcome.tags.items())))
    if "B" in outcome.eras:
        click.echo(
            "\nEra B is 4.19 to 5.2 with its seek bug: replayed because the design "
            "4.20 has it, not to be imitated."
        )
    failed, total = outcome.all.failed, outcome.all.failed + outcome.all.passed
    if not failed:
        click.echo(f"\nAll {total} replays pass.")
        return
    click.echo(f"\n{failed} of {total} replays differ.")
    for found in outcome.differences[:show]:
        _tell(found)
    if len(outcome.differences) > show:
        click.echo(f"\nand {len(outcome.differences) - show} more; --show N tells N")


def _table(head: str, tallies: Mapping[str, Tally]) -> None:
    width = max(len(head), *map(len, tallies))
    click.echo(f"{head:<{width}}" + "".join(f"  {name:>7}" for name in _COUNTS))
    for name, tally in tallies.items():
        counts = (f"  {count:>7}" for count in tally.to_dict().values())
        click.echo(f"{name:<{width}}" + "".join(counts))


def _tell(found: Difference) -> None:
    click.echo(f"\n{found.file}: {found.vector} under {found.era}, {found.where}")
    width = max(map(len, found.columns))
    for name, (expected, got) in found.columns.items():
        click.echo(f"  {name:<{width}}  expected {expected}")
        click.echo(f"  {'':<{width}}  got      {got}")

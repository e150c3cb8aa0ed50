"""``slabcore exec``: a real program reads our files in the place of /proc's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from slabcore import mount
from slabcore.slabinfo import parse

__all__ = ["exec_command"]


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option(
    "--proc",
    "directory",
    metavar="DIR",
    help="Write the files here and leave /proc alone; they stay.",
)
@click.option(
    "--force", is_flag=True, help="Write into DIR also if it has other files."
)
@click.option(
    "--slabinfo",
    "given",
    metavar="FILE",
    required=True,
    help="Hand on this text.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(
    directory: str | None, force: bool, given: str, command: tuple[str, ...]
) -> None:
    """Run COMMAND with a slabinfo of ours.

    Where the system allows it, it is mounted over that of /proc, for COMMAND alone.
    Otherwise, and with --proc, it is written to a directory, which stands for {proc}
    among COMMAND's arguments and for $SLABCORE_PROC. A line on stderr says which.

    The status is COMMAND's: 127 if it is not found, 126 if it is no program, 128 and
    the signal's number if one ended it. Put -- before COMMAND.
    """
    try:
        mount.find(command[0])
        files = {"slabinfo": _text(given)}
        with mount.tree(files, directory, force=force) as path:
            words = _place(given, path, list(files), command[0], directory)
            status = mount.run(command, path, words=words)
    except mount.CommandError as error:
        click.echo(f"slabcore: {error}", err=True)
        status = error.status
    raise click.exceptions.Exit(status)


def _text(name: str) -> bytes:
    """Return a slabinfo file as it is. Raises: InputError if it is none."""
    parse(name)
    return Path(name).read_bytes()


def _place(
    whose: str,
    path: Path,
    names: Sequence[str],
    command: str,
    directory: str | None,
) -> list[str]:
    """Say where the command finds the files; return the words that come before it."""
    listed = " and ".join((", ".join(names[:-1]), names[-1]) if names[1:] else names)
    where, words = f"in {path}, not over /proc", []
    if directory is None:
        try:
            words = mount.namespace(path, names)
            where = "mounted over /proc"
        except mount.NamespaceError as error:
            where += f": {error}"
    click.echo(f"slabcore: {command} has {listed} of {whose} {where}", err=True)
    return words

"""``slabcore exec``: a real program reads our files in the place of /proc's."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import click

from slabcore import inputs, mount
from slabcore.capture import SLABINFO, Capture, Wanted
from slabcore.cli.epilog import BUILT_IN, epilog
from slabcore.cli.numbers import Number
from slabcore.cli.progress import Notice
from slabcore.comparison import Engine, boot, prepare
from slabcore.errors import InputError
from slabcore.kernel import Kernel, ms, seconds
from slabcore.slabinfo import parse

__all__ = ["exec_command"]

_DESIGN, _WORKLOAD, _AT_S = "4.9", "storm", 1.0

# A day of a kernel that has a file's caches and no workload.
_QUIET_S = 86_400.0


@click.command(
    "exec",
    epilog=epilog(
        (
            "slabcore exec -d 4.9 --at 1 -- slabtop -o",
            "slabcore exec --want repeated -- cat {proc}/slabinfo",
        ),
        BUILT_IN,
    ),
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "--proc",
    "directory",
    metavar="DIR",
    help="Write the files here, where they stay, and leave /proc alone.",
)
@click.option(
    "--force", is_flag=True, help="Write into DIR also if it has other files."
)
@click.option(
    "--design",
    "-d",
    "names",
    multiple=True,
    metavar="D",
    help=f"The kernel's design.  [{_DESIGN}]",
)
@click.option(
    "--workload",
    metavar="WORKLOAD",
    help=f"What goes on: a name, a TOML file, or a recorded trace.  [{_WORKLOAD}]",
)
@click.option(
    "--slabinfo",
    "given",
    metavar="FILE",
    help="Hand on this text; with --design, that of a kernel with its caches.",
)
@click.option(
    "--at",
    "at_s",
    type=Number(0, 1e9),
    metavar="SECONDS",
    help="When to read, in virtual time from the workload's begin, and before its end."
    f"  [{_AT_S:g}, or 0 with --want]",
)
@click.option(
    "--read",
    "size",
    type=Number(1, 1 << 30, whole=True),
    metavar="BYTES",
    help="Bytes a read().  [4096]",
)
@click.option(
    "--pause",
    "pause_ms",
    type=Number(0, 1e9),
    metavar="MS",
    help="From a read() to the next of the same file, in virtual time.  [0]",
)
@click.option(
    "--reader",
    type=click.Choice(["kernel", "cursor"]),
    help="kernel: finds its place as the design does; cursor: keeps it.  [kernel]",
)
@click.option(
    "--want",
    "wanted",
    type=click.Choice(["repeated", "missing"]),
    help="Read every 100 ms until a slabinfo has such a row; status 1 if none has "
    "before the workload ends.",
)
@click.option(
    "--live",
    is_flag=True,
    help="Read again every second, a second of virtual time later, while COMMAND runs.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change a figure below workload, machine, costs or design; repeatable.",
)
@click.option(
    "--engine",
    type=click.Choice(["core", "reference"]),
    help="The compiled model, or its plain Python twin.  [core]",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(
    directory: str | None,
    force: bool,
    names: tuple[str, ...],
    workload: str | None,
    given: str | None,
    at_s: float | None,
    size: int | None,
    pause_ms: float | None,
    reader: Literal["kernel", "cursor"] | None,
    wanted: Wanted | None,
    live: bool,
    settings: tuple[str, ...],
    engine: Engine | None,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND with the slabinfo, cgroups and loadavg of a modelled kernel.

    Where the system allows it they are mounted over those of /proc, for COMMAND alone.
    Otherwise, and with --proc, they are files in a directory, which stands for {proc}
    among COMMAND's words and for $SLABCORE_PROC. A line on stderr says which.

    The status is COMMAND's: 127 if it is not found, 126 if it is no program, 128 and
    the signal's number if one ended it. Options go before COMMAND; -- may part them.
    """
    if given is not None and (workload is not None or wanted is not None):
        option = "--want" if workload is None else "--workload"
        raise click.UsageError(f"--slabinfo and {option}: nothing goes on in a file")
    if len(names) > 1:
        raise click.UsageError(
            f"--design {' and '.join(names)}: a program has one kernel"
        )
    name = names[0] if names else None
    again: Callable[[], dict[str, bytes]] | None = None
    try:
        mount.find(command[0])
        if given is not None and name is None:
            of_a_kernel = (at_s, size, pause_ms, reader, wanted, settings, engine)
            if live or any(option not in (None, ()) for option in of_a_kernel):
                what = "--slabinfo alone hands a text on as it is"
                raise click.UsageError(f"{what}; --design boots a kernel with it")
            whose, files = given, {SLABINFO: _text(given)}
        else:
            design, workload = name or _DESIGN, workload or _WORKLOAD
            whose = f"{design} with {given}" if given else f"{design} in {workload}"
            with Notice(f"{whose} runs until the files are read"):
                kernel, end_ns = _booted(
                    design, workload, given, settings, engine or "core"
                )
                pause_ns = ms(pause_ms or 0)
                lasts_s = _QUIET_S
                if end_ns is not None:
                    lasts_s = (end_ns - kernel.now_ns) / 1e9
                    if at_s is None and not wanted:
                        at_s = min(_AT_S, lasts_s)
                what = "the workload" if end_ns is not None else "a day without one"
                _check_that_it_goes_on(what, at_s, pause_ms, lasts_s)
                kernel.advance(seconds(at_s or 0))
                capture = Capture(
                    kernel,
                    size=size or 4096,
                    pause_ns=pause_ns,
                    reader=reader or "kernel",
                )
                files = _files(capture, wanted, end_ns)
            if live:
                again = functools.partial(_a_second_later, capture)
        with mount.tree(files, directory, force=force) as path:
            words = _place(whose, path, list(files), command[0], directory)
            tick = None if again is None else functools.partial(_rewrite, path, again)
            status = mount.run(command, path, words=words, tick=tick)
    except mount.CommandError as error:
        click.echo(f"slabcore: {error}", err=True)
        status = error.status
    raise click.exceptions.Exit(status)


@contextlib.contextmanager
def _said_of(name: str) -> Iterator[None]:
    """Let errors in a text name the file that it came from."""
    try:
        yield
    except InputError as error:
        where = error.where.replace("slabinfo", name, 1)
        raise InputError(where, error.what, error.expected) from None


def _text(name: str) -> bytes:
    """Return a slabinfo file as it is. Raises: InputError if it is none."""
    text = inputs.read(name, "a slabinfo file", in_lines=True)
    if not text:
        raise InputError(name, "the file is empty", "a slabinfo file")
    with _said_of(name):
        rows = len(parse(text))
    if not rows:
        click.echo(f"slabcore: {name} has a header and no rows", err=True)
    return text


def _booted(
    name: str,
    workload: str,
    given: str | None,
    settings: Sequence[str],
    engine: Engine,
) -> tuple[Kernel, int | None]:
    """Return a kernel as its workload begins, and when that ends: None if none runs."""
    loaded, machine, found = prepare(workload, name, None, settings)
    (design,) = found.values()
    if given is not None:
        text = _text(given)
        with _said_of(given):
            return Kernel.from_slabinfo(
                design, text, machine=machine, engine=engine
            ), None
    unread = boot(loaded, design, machine, engine=engine)
    unread.run()
    kernel = boot(loaded, design, machine, engine=engine)
    kernel.advance_to(seconds(loaded.begin_s))
    return kernel, max(unread.now_ns, kernel.now_ns)


def _check_that_it_goes_on(
    what: str, at_s: float | None, pause_ms: float | None, lasts_s: float
) -> None:
    """Refuse to wait for longer than a workload lasts. Raises: InputError."""
    # cut, so that what is shown is not past the end
    shown = math.floor(lasts_s * 1000) / 1000
    if at_s is not None and at_s > lasts_s:
        ends = f"{what} ends at {shown:.15g} s"
        raise InputError(f"--at {at_s:.15g}", ends, "a time before that")
    if pause_ms is not None and pause_ms > lasts_s * 1000:
        ends = f"{what} ends after {shown * 1000:.15g} ms"
        raise InputError(f"--pause {pause_ms:.15g}", ends, "a shorter pause")


def _files(
    capture: Capture, wanted: Wanted | None, end_ns: int | None
) -> dict[str, bytes]:
    if wanted is None or end_ns is None:
        return capture.files()
    files = capture.until(wanted, end_ns)
    if files is None:
        read = f"{capture.slabinfos} files read until the workload ends"
        raise click.ClickException(f"no {wanted} row in {read}")
    return files


def _a_second_later(capture: Capture) -> dict[str, bytes]:
    capture.kernel.advance(seconds(1))
    return capture.files()


def _rewrite(path: Path, again: Callable[[], dict[str, bytes]]) -> None:
    mount.write(path, again())


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

"""The commands that people type."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, NoReturn

import click

from slabcore.cli.ablate import ablate
from slabcore.cli.compare import compare
from slabcore.cli.conformance import conformance
from slabcore.cli.demo import demo
from slabcore.cli.designs import designs
from slabcore.cli.exec import exec_command
from slabcore.cli.life import life
from slabcore.cli.slabinfo import slabinfo
from slabcore.errors import InputError

__all__ = ["main"]


# What a shell reports of a program that SIGPIPE ended; 1 is a true --fail-if.
_NO_READER = 141


class OneLineErrors(click.Group):
    """End with one line on stderr and status 2 when the input is bad."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run a command and leave with its status."""
        extra["standalone_mode"] = False
        _open_what_is_closed()
        try:
            status = super().main(*args, **extra)
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            status = error.exit_code
        except click.ClickException as error:
            status = _refuse(error.format_message(), error.exit_code)
        except InputError as error:
            status = _refuse(str(error), 2)
        except (click.Abort, KeyboardInterrupt):
            status = _refuse("interrupted", 130)
        except BrokenPipeError:
            # the reader has gone; Python would complain once more at its end
            sys.stdout = None
            status = _NO_READER
        except OSError as error:
            # what is still in the buffer would be tried once more at the end
            sys.stdout = None
            what = (error.strerror or str(error)).lower()
            status = _refuse(f"{error.filename or 'output'}: {what}", 2)
        except UnicodeEncodeError as error:
            what = f"{error.encoding} has no {error.object[error.start]!a}"
            status = _refuse(f"output: {what}; expected UTF-8", 2)
        except MemoryError:
            status = _refuse("there is not enough memory for this", 2)
        except SystemExit:
            # click and rich catch that themselves, and leave for nothing else
            status = _NO_READER
        sys.exit(status)


def _open_what_is_closed() -> None:
    """Open a stream that came closed, so that no file of ours gets its number.

    Writing to standard output then fails as it does on any file that cannot be written,
    and at once: what was left in a buffer would be complained of when that goes.
    """
    if sys.stdout is None:
        raw = io.FileIO(os.open(os.devnull, os.O_RDONLY), "wb")
        sys.stdout = io.TextIOWrapper(raw, write_through=True)
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _refuse(text: str, status: int) -> int:
    line = " ".join(text.split())
    try:
        click.echo(f"slabcore: {line[:1].lower() + line[1:]}", err=True)
    except OSError:
        # its buffer would be tried once more at the end, for status 120
        sys.stderr = None
    return status


@click.group(
    cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="slabcore", message="slabcore %(version)s")
def main() -> None:
    """Compare what Linux kernels do with the slab caches of memory cgroups.

    All times are virtual: they come out of a model, nothing here is measured.
    """


for command in (
    demo,
    compare,
    ablate,
    slabinfo,
    life,
    designs,
    conformance,
    exec_command,
):
    main.add_command(command)

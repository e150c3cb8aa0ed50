"""The commands that people type."""

from __future__ import annotations

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
        except SystemExit:
            # click and rich catch that themselves, and leave for nothing else
            status = _NO_READER
        sys.exit(status)


def _refuse(text: str, status: int) -> int:
    line = " ".join(text.split())
    click.echo(f"slabcore: {line[:1].lower() + line[1:]}", err=True)
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

"""Saying on stderr what the work is at."""

from __future__ import annotations

import sys
import threading
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["Notice", "Steps"]

# A bar for less work than this would only flicker.
_BAR_AFTER_S = 1.0


class Notice:
    """Say what goes on if it takes longer than a second."""

    def __init__(self, what: str) -> None:
        line = f"slabcore: {what}"
        self._timer = threading.Timer(_BAR_AFTER_S, click.echo, (line,), {"err": True})
        self._timer.daemon = True

    def __enter__(self) -> Notice:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._timer.join()


class Steps:
    """Show how many of the runs are done: a bar on a terminal, otherwise lines."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._bar: Progress | None = None
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Steps:
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:.0f} of {task.total:.0f}"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.add_task("", total=self._total)
            self._timer = threading.Timer(_BAR_AFTER_S, self._bar.start)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None and self._bar is not None:
            self._timer.cancel()
            self._timer.join()
            self._bar.stop()

    def begin(self, what: str) -> None:
        """Say that the next run begins; the one before is done."""
        if self._bar is None:
            click.echo(f"slabcore: {what}, {self._done + 1} of {self._total}", err=True)
        else:
            task = self._bar.task_ids[0]
            self._bar.update(task, description=what, completed=self._done)
        self._done += 1

"""What stands at the end of each command's help: examples, and what may be named."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from slabcore.traces import recordings
from slabcore.workloads import workloads

__all__ = ["BUILT_IN", "epilog", "filled"]


def filled(text: str) -> str:
    """Return a paragraph in lines that click leaves alone.

    It would break names at their hyphens.
    """
    return "\b\n" + textwrap.fill(
        text, width=72, break_on_hyphens=False, break_long_words=False
    )


BUILT_IN = filled(
    f"Built-in workloads: {', '.join(workloads())}. "
    f"Recorded traces: {', '.join(recordings())}."
)


def epilog(examples: Iterable[str], *paragraphs: str) -> str:
    """Return the end of a help: commands as somebody types them, then paragraphs."""
    typed = "\n".join(("\b\nFor example:", *(f"  {line}" for line in examples)))
    return "\n\n".join((typed, *paragraphs))

"""A laboratory for the life of per-memcg slab caches in Linux."""

from __future__ import annotations

from typing import Any

from slabcore._core import World
from slabcore.designs import Design, designs, find
from slabcore.errors import (
    BusyError,
    CorruptionError,
    InputError,
    LifecycleError,
    SlabcoreError,
    StaleHandleError,
)
from slabcore.kernel import Kernel, ms, seconds, us
from slabcore.machine import Costs, Machine

__version__ = "0.1.0"

__all__ = [
    "BusyError",
    "CorruptionError",
    "Costs",
    "Design",
    "InputError",
    "Kernel",
    "LifecycleError",
    "Machine",
    "SlabcoreError",
    "StaleHandleError",
    "World",
    "ablate",
    "compare",
    "designs",
    "find",
    "ms",
    "seconds",
    "us",
]


def compare(*args: Any, **keywords: Any) -> Any:
    """Run a workload under several designs: see slabcore.comparison.compare()."""
    # Imported when called: it loads rich and msgspec, which a script may do without.
    from slabcore import comparison

    return comparison.compare(*args, **keywords)


def ablate(*args: Any, **keywords: Any) -> Any:
    """Run a workload under each patch of a series: see slabcore.ablation.ablate()."""
    from slabcore import ablation

    return ablation.ablate(*args, **keywords)

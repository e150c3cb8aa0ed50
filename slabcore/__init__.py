"""A laboratory for the life of per-memcg slab caches in Linux."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from slabcore._core import CacheLists, IntrusiveList, RcuQueue, SeqFile, World
from slabcore.designs import Design, designs, find
from slabcore.errors import (
    BusyError,
    CorruptionError,
    InputError,
    LifecycleError,
    ListCorruptionError,
    SlabcoreError,
    StaleHandleError,
)
from slabcore.files import KernelFile
from slabcore.kernel import Kernel, ms, seconds, us
from slabcore.machine import Costs, Machine

if TYPE_CHECKING:
    from slabcore.ablation import Ablation
    from slabcore.comparison import Comparison
    from slabcore.monitor import Reader, Watch
    from slabcore.workloads import Workload

__version__ = "0.1.0"

__all__ = [
    "BusyError",
    "CacheLists",
    "CorruptionError",
    "Costs",
    "Design",
    "InputError",
    "IntrusiveList",
    "Kernel",
    "KernelFile",
    "LifecycleError",
    "ListCorruptionError",
    "Machine",
    "RcuQueue",
    "SeqFile",
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
    "watch",
]


def compare(
    workload: str | os.PathLike[str] | Workload,
    designs: str | Design | Sequence[str | Design] | None = None,
    *,
    machine: Machine | None = None,
    overrides: str | Sequence[str] = (),
    seed: int = 0,
    engine: Literal["core", "reference"] = "core",
    walk: Literal["counted", "literal"] = "counted",
    progress: Callable[[str, int, int], None] | None = None,
) -> Comparison:
    """Run a workload under each design and return the results.

    workload: a name, a TOML file, a recorded trace, or a Workload.
    designs: names, kernel versions or Designs, or one alone; all presets if None.
    machine: None is the workload's own.
    overrides: ``PATH=VALUE`` with PATH below workload, replay (of a trace), machine,
    costs or design; one alone may be just the text.
    seed: kept with the results; nothing in the model is random yet.
    engine: "reference" is the plain-Python twin, some hundred times slower.
    walk: "literal" really walks the lists whose hops "counted" charges.
    progress: called with a design's name, how many are done, and how many there are.
    Raises: InputError.
    """
    # Imported when called: it loads rich and msgspec, which a script may do without.
    from slabcore import comparison

    return comparison.compare(
        workload,
        designs,
        machine=machine,
        overrides=overrides,
        seed=seed,
        engine=engine,
        walk=walk,
        progress=progress,
    )


def ablate(
    workload: str | os.PathLike[str] | Workload,
    *,
    base: str | Design = "4.10",
    series: str = "4.11",
    machine: Machine | None = None,
    overrides: str | Sequence[str] = (),
    seed: int = 0,
    engine: Literal["core", "reference"] = "core",
    walk: Literal["counted", "literal"] = "counted",
    progress: Callable[[str, int, int], None] | None = None,
) -> Ablation:
    """Run a workload under each patch alone, and under the whole without each.

    base: what the patches are applied to.
    series: v1, v2, v3, or 4.11, which is v3 as it was merged, with the patch that makes
    the directories of children optional.
    The rest is as in compare().
    Raises: InputError.
    """
    from slabcore import ablation

    return ablation.ablate(
        workload,
        base=base,
        series=series,
        machine=machine,
        overrides=overrides,
        seed=seed,
        engine=engine,
        walk=walk,
        progress=progress,
    )


def watch(
    workload: str | os.PathLike[str] | Workload,
    designs: str | Design | Sequence[str | Design] | None = None,
    *,
    readers: Reader | Sequence[Reader] = ("kernel", "cursor"),
    read: int | None = None,
    pause_ms: float | None = None,
    period_ms: float | None = None,
    machine: Machine | None = None,
    overrides: str | Sequence[str] = (),
    seed: int = 0,
    engine: Literal["core", "reference"] = "core",
    walk: Literal["counted", "literal"] = "counted",
    progress: Callable[[str, int, int], None] | None = None,
) -> Watch:
    """Run a workload under each design and read slabinfo meanwhile, with each reader.

    readers: "kernel" finds its place again as the design's seq_file does, "cursor"
    keeps it; one alone may be just the text. If the workload reads slabinfo itself, its
    own steps are made to read so; otherwise a monitor is added.
    read: bytes a read(); pause_ms: between two reads of a file; None: as the workload
    has it, and 4096 bytes without a pause of a monitor that is added.
    period_ms: from the end of a file to the next, of one that is added; 100 by default.
    The rest is as in compare().
    Raises: InputError.
    """
    from slabcore import monitor

    return monitor.watch(
        workload,
        designs,
        readers=readers,
        read=read,
        pause_ms=pause_ms,
        period_ms=period_ms,
        machine=machine,
        overrides=overrides,
        seed=seed,
        engine=engine,
        walk=walk,
        progress=progress,
    )

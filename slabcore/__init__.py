"""A laboratory for the life of per-memcg slab caches in Linux.

One kernel on one machine, step by step, in virtual time:

>>> import slabcore
>>> kernel = slabcore.Kernel("4.9", machine=slabcore.Machine(cpus=2))
>>> web = kernel.mkdir("/web")
>>> kernel.rmdir(web)
>>> kernel.drain()
>>> kernel.counters["cgroups"]["created"]
1

Kernel       a kernel of one design: caches, cgroups, time, files, counters
Machine      what it runs on; Costs, what each step takes there
designs      the kernels from 4.4 to 6.12 as data, each a Design; find("4.10+patch")
us, ms, seconds     such times in nanoseconds, as everything here counts
KernelFile   what Kernel.open() returns

A workload under several kernels, side by side:

>>> result = slabcore.compare("life", ["4.8", "4.11"])
>>> [one.counters["grace_periods"]["under_slab_mutex"] for one in result]
[57, 0]

compare      every figure, as a table or JSON
ablate       which patch of the series buys what
watch        what readers of /proc/slabinfo see meanwhile

The kernel's building blocks, alone, for any program:

>>> jobs = slabcore.IntrusiveList([30, 10, 20])
>>> jobs.move(jobs.last)
>>> jobs.to_array().tolist()
[20, 30, 10]

IntrusiveList       a linked list whose entries are named by handles
FieldList           a further list over its entries; ListCursor, a place in either
SeqFile             a file made of a changing collection, a page at a time
RcuQueue            what waits until nobody looks at it any more
CacheLists          the lists that caches are on, ten million of them
World               the engine below Kernel

From C, C++ and Cython: get_include() is where slabcore.h is, SLABCORE_ABI the version
of what it declares.

What slabcore refuses raises a SlabcoreError: InputError (a bad value, in one line; a
ValueError too), LifecycleError (a step out of order), of which BusyError and
StaleHandleError are cases, CorruptionError and ListCorruptionError (of ``validate()``,
a fault of slabcore). Else it is Python's own: TypeError for a wrong type, OverflowError
for an int of more than 64 bits; OSError of a file, and ValueError once it is closed.

help() of each name goes on from here, with an example. Modules: slabcore.slabinfo (the
text of /proc/slabinfo), slabcore.workloads and slabcore.traces (what a machine is asked
to do), slabcore.simpy (a kernel in a SimPy simulation), slabcore.gates (limits on what
a function of yours costs, for pytest), slabcore.reference (the same in plain Python).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

try:
    from slabcore._core import (
        SLABCORE_ABI,
        CacheLists,
        FieldList,
        IntrusiveList,
        ListCursor,
        RcuQueue,
        SeqFile,
        World,
    )
except ModuleNotFoundError as error:
    if error.name != "slabcore._core":
        raise
    text = f"slabcore: {os.path.dirname(__file__)} is not built for this Python"
    hint = "pip install -e . in the checkout, or to be started outside of it"
    raise ImportError(f"{text}; expected {hint}") from error
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
    "SLABCORE_ABI",
    "BusyError",
    "CacheLists",
    "CorruptionError",
    "Costs",
    "Design",
    "FieldList",
    "InputError",
    "IntrusiveList",
    "Kernel",
    "KernelFile",
    "LifecycleError",
    "ListCorruptionError",
    "ListCursor",
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
    "get_include",
    "ms",
    "seconds",
    "us",
    "watch",
]


def get_include() -> str:
    """Return the directory of slabcore.h, for a C compiler's -I.

    >>> import os, slabcore
    >>> os.listdir(slabcore.get_include()).count("slabcore.h")
    1
    """
    return os.path.join(os.path.dirname(__file__), "include")


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

    >>> import slabcore
    >>> result = slabcore.compare("life", ["4.8", "4.11"])
    >>> result["4.8"].counters["grace_periods"]["under_slab_mutex"]
    57
    >>> for one in result:              # in the order asked for
    ...     print(one.name, one.to_dict()["list_hops"]["total"])
    4.8 ...
    4.11 270
    >>> print(result.table())
                                      4.8     4.11
    programs end after             ...

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

    >>> import slabcore
    >>> ablation = slabcore.ablate("life")
    >>> periods = {}
    >>> for trial in ablation:
    ...     counters = ablation.result(trial).counters
    ...     periods[trial.patch, trial.role] = counters["grace_periods"]["synchronous"]
    >>> periods["async-deactivation", "with"], periods["async-deactivation", "without"]
    (0, 57)

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

    >>> import slabcore
    >>> watch = slabcore.watch("life", "4.10")
    >>> for reader, result in watch:
    ...     rows = result.slabinfo_reads
    ...     print(reader, len(rows), "files,", rows["start_hops"].sum(), "hops to seek")
    kernel 22 files, 2910 hops to seek
    cursor 22 files, 44 hops to seek

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

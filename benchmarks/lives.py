"""Lives of memcgs as events: what floor/lifecycle.c draws, for others to replay.

A life is mkdir, a first allocation from each root, which makes a cache, twice as many
more, and offline. Of those alive at once any may be next.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from slabcore import CacheLists

ROOTS = 10
LIFE = 2 + 3 * ROOTS
ALL = 2_000_000

REQUEST = np.dtype([("clock", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
"""A line of libcachesim's binary traces (oracleGeneral)."""


def lives(alive: int) -> tuple[Any, int]:
    """Return events of memcgs with *alive* names, and how many caches they make."""
    count = max(ALL, alive * LIFE) + alive
    names = np.random.default_rng(1).integers(0, alive, count)
    # The how-manieth event of its name each is.
    by_name = np.argsort(names, kind="stable")
    first = np.searchsorted(names[by_name], np.arange(alive))
    step = np.empty(count, np.int64)
    step[by_name] = np.arange(count) - first[names[by_name]]
    step %= LIFE
    events = np.zeros(count, CacheLists.event_dtype())
    events["memcg"] = names
    events["kind"] = CacheLists.ALLOC
    events["kind"][step == 0] = CacheLists.MKDIR
    events["kind"][step == LIFE - 1] = CacheLists.OFFLINE
    alloc = events["kind"] == CacheLists.ALLOC
    events["root"][alloc] = (step[alloc] - 1) % ROOTS
    last = np.full(alive, LIFE - 1)
    last[names] = step
    ends = np.zeros(np.count_nonzero(last != LIFE - 1), events.dtype)
    ends["memcg"] = np.flatnonzero(last != LIFE - 1)
    ends["kind"] = CacheLists.OFFLINE
    return np.concatenate([events, ends]), np.count_nonzero(alloc & (step <= ROOTS))


def write_requests(file: Path, alive: int) -> int:
    """Write the allocations as a trace of requests for caches; return how many."""
    events, _ = lives(alive)
    names = events["memcg"].astype(np.uint64)
    # Each life of a name has caches of its own.
    by_name = np.argsort(names, kind="stable")
    life = np.empty(len(events), np.uint64)
    life[by_name] = np.cumsum(events["kind"][by_name] == CacheLists.MKDIR)
    asked = events["kind"] == CacheLists.ALLOC
    requests = np.zeros(np.count_nonzero(asked), REQUEST)
    requests["clock"] = np.arange(len(requests)) // 1024
    requests["id"] = life[asked] * np.uint64(ROOTS) + events["root"][asked]
    requests["size"] = 1
    requests["next"] = -1
    requests.tofile(file)
    return len(requests)

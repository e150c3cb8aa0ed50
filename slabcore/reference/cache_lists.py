"""The lists that caches are on, without time (mm/slab.h): all, a root's, a memcg's.

What comes first on each was created first, and to destroy a memcg takes its caches off
all three. A replay is the life of many memcgs as a row of events: made, allocated from,
offline, and destroyed when a grace period that began later is over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from slabcore.errors import InputError, ListCorruptionError, StaleHandleError

__all__ = ["CacheLists"]

MKDIR, ALLOC, OFFLINE = range(3)


@dataclasses.dataclass(eq=False)
class _Cache:
    memcg: int
    root: int


class _Name(NamedTuple):
    """What a replay knows of a name that is alive."""

    memcg: int
    objects: dict[int, int]


class CacheLists:
    """The lists that child caches are on, alone."""

    MKDIR, ALLOC, OFFLINE = MKDIR, ALLOC, OFFLINE

    def __init__(self, roots: int) -> None:
        if not 1 <= roots <= 65_536:
            raise InputError("CacheLists", f"roots is {roots}", "1 to 65536")
        self.roots = roots
        self._all: list[_Cache] = []
        self._children: list[list[_Cache]] = [[] for _ in range(roots)]
        self._own: dict[int, list[_Cache]] = {}
        self._handles = 0

    # --- making and destroying ---

    def mkdir(self) -> int:
        handle = self._handles
        self._handles += 1
        self._own[handle] = []
        return handle

    def mkdir_many(self, count: int) -> list[int]:
        return [self.mkdir() for _ in range(count)]

    def _memcg(self, memcg: int) -> list[_Cache]:
        if memcg not in self._own:
            raise StaleHandleError(f"handle {memcg}: no memcg of the lists")
        return self._own[memcg]

    def create(self, memcg: int, root: int) -> None:
        if not 0 <= root < self.roots:
            raise InputError("root", f"{root}", f"0 to {self.roots - 1}")
        own = self._memcg(memcg)
        cache = _Cache(memcg, root)
        for members in (self._all, self._children[root], own):
            members.append(cache)

    def create_many(self, memcgs: Iterable[int], roots: Iterable[int]) -> None:
        for memcg, root in zip(memcgs, roots, strict=True):
            self.create(memcg, root)

    def destroy(self, memcg: int) -> None:
        for cache in self._memcg(memcg):
            self._all.remove(cache)
            self._children[cache.root].remove(cache)
        del self._own[memcg]

    def destroy_many(self, memcgs: Iterable[int]) -> int:
        before = len(self)
        for memcg in memcgs:
            self.destroy(memcg)
        return before - len(self)

    # --- replaying ---

    def replay(
        self, events: Sequence[tuple[int, int, int]], *, grace_period: int = 1024
    ) -> dict[str, int]:
        """Let events happen in a row: of memcg, kind and root."""
        if grace_period < 1:
            raise InputError("replay", f"grace_period is {grace_period}", "1 or more")
        counts = dict.fromkeys(("mkdirs", "offlines", "created", "destroyed"), 0)
        counts |= dict.fromkeys(("objects", "freed", "grace_periods"), 0)
        alive: dict[int, _Name] = {}
        waiting: list[int] = []  # for the grace period that runs
        queued: list[int] = []  # for the next one

        def end_grace_period() -> None:
            nonlocal waiting, queued
            counts["destroyed"] += self.destroy_many(waiting)
            counts["grace_periods"] += 1
            waiting, queued = queued, []

        try:
            for number, (memcg, kind, root) in enumerate(events):
                where = f"replay: event {number}"
                if kind not in (MKDIR, ALLOC, OFFLINE):
                    raise InputError(
                        where, f"kind is {kind}", "MKDIR, ALLOC or OFFLINE"
                    )
                if (memcg in alive) == (kind == MKDIR):
                    said = ("alive", "one that is not")
                    said = said if memcg in alive else ("not alive", "MKDIR first")
                    raise InputError(where, f"memcg {memcg} is {said[0]}", said[1])
                if kind == MKDIR:
                    alive[memcg] = _Name(self.mkdir(), {})
                    counts["mkdirs"] += 1
                elif kind == ALLOC:
                    if root >= self.roots:
                        below = f"below {self.roots}"
                        raise InputError(where, f"root is {root}", below)
                    if root not in alive[memcg].objects:
                        self.create(alive[memcg].memcg, root)
                        alive[memcg].objects[root] = 0
                        counts["created"] += 1
                    alive[memcg].objects[root] += 1
                    counts["objects"] += 1
                else:
                    gone = alive.pop(memcg)
                    queued.append(gone.memcg)
                    counts["freed"] += sum(gone.objects.values())
                    counts["offlines"] += 1
                if (number + 1) % grace_period == 0:
                    end_grace_period()
        finally:
            waiting += queued
            queued = []
            end_grace_period()
        return {"events": len(events), **counts}

    # --- looking ---

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, memcg: object) -> bool:
        return memcg in self._own

    @property
    def memcgs(self) -> int:
        return len(self._own)

    def caches(self, memcg: int) -> list[int]:
        return [cache.root for cache in self._memcg(memcg)]

    def children(self, root: int) -> list[int]:
        if not 0 <= root < self.roots:
            raise InputError("root", f"{root}", f"0 to {self.roots - 1}")
        return [cache.memcg for cache in self._children[root]]

    def to_array(self) -> list[tuple[int, int]]:
        return [(cache.memcg, cache.root) for cache in self._all]

    def validate(self) -> None:
        everywhere = {id(cache) for cache in self._all}
        for lists in (self._children, self._own.values()):
            if {id(cache) for members in lists for cache in members} != everywhere:
                raise ListCorruptionError("a cache is not on all of its lists")

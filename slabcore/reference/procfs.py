"""The files of a world: what each says, which list it walks, where a reader stands."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from slabcore.reference import slabinfo
from slabcore.reference.seq_file import SeqFile

if TYPE_CHECKING:
    from slabcore.reference.world import Cache, List, Memcg, World

SLABINFO, MEMCG_SLABINFO, CGROUP_STAT, CGROUPS, LOADAVG = range(5)


class OpenFile:
    """An open file: a source for seq_file, and what its reading has come to.

    A file that shows one record has one entry, of position 0.
    """

    def __init__(
        self,
        world: World,
        kind: int,
        memcg: Memcg | None,
        cursor: bool,
        by_program: bool,
    ) -> None:
        self.world = world
        self.kind = kind
        self.by_program = by_program
        self.memcg = memcg
        self.cursor = cursor
        self.era = "D" if cursor else world.design.seq_file
        self.seq = SeqFile(self, era=self.era)
        # Where a cursor stands: the entry that comes next (None at the end), and the
        # position that it is shown at. Position 0 is always the head.
        self.place: Cache | None = None
        self.place_at = 0
        # In a section: the list, and the entry at hand with its position.
        self.walked: list[Cache] = []
        self.entry: Any = None
        self.at = 0
        # What the section did, until it is paid for.
        self.start_hops = self.next_hops = self.rows = self.children = 0
        # Since the file was opened.
        self.since: int | None = None  # serial of the first cache made later
        self.delivered: Counter[Cache] = Counter()
        self.hops = [0, 0, 0]  # of start, of next, over children
        self.held_ns = 0
        self.latest: tuple[Any, int] | None = None  # record, without a seek since

    # --- which list ---

    @property
    def entries(self) -> List | None:
        """Return the list that is walked; None for a file of one record."""
        world = self.world
        if self.kind == SLABINFO:
            return world._roots_walked
        if self.kind == MEMCG_SLABINFO and world.design.child_caches:
            assert self.memcg is not None
            return self.memcg.kmem_caches if self.by_memcg else world.slab_caches
        return None

    @property
    def by_memcg(self) -> bool:
        """Tell whether a cgroup's caches are all that the list holds."""
        return bool(self.world.design.memcg_list)

    @property
    def gone(self) -> bool:
        """Tell whether the file was removed with its cgroup."""
        return self.memcg is not None and self.memcg.dead

    @property
    def mutex(self) -> Any:
        """Return the mutex that the next section runs under, if it takes one."""
        if self.kind == CGROUPS:
            # It is taken where the one record is shown.
            return None if self.seq.state["index"] else self.world.cgroup_mutex
        if self.entries is None or self.gone:
            return None
        return self.world.slab_mutex

    # --- what a reader does ---

    def begin_call(self, at: int) -> None:
        """Begin a read or a seek: at 0 and anywhere else it is not continued."""
        if not at or at != self.seq.state["read_pos"]:
            self.latest = None

    def begin_section(self) -> None:
        self.walked = []
        self.start_hops = self.next_hops = self.rows = self.children = 0

    def end_section(self) -> None:
        for i, hops in enumerate((self.start_hops, self.next_hops, self.children)):
            self.hops[i] += hops

    def missing(self) -> int:
        """Count the roots, on the list since the first read, that never came."""
        since = self.since or 0
        return sum(
            root.serial < since and not self.delivered[root]
            for root in self.world.slab_root_caches
        )

    def repeated(self) -> int:
        return sum(times - 1 for times in self.delivered.values())

    def state(self) -> dict[str, int]:
        """Return where it stands and how often its hooks were called."""
        state = {"f_pos": self.seq.tell(), **self.seq.state, **self.seq.calls}
        state["from"] *= state["count"] > 0  # it means nothing otherwise
        return state

    # --- what seq_file asks ---

    def start(self, pos: int) -> Any:
        """Return the entry at a position."""
        if self.gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        entries = self.entries
        self.at = pos
        if entries is None:
            self.entry = None if pos else self.kind
            return self.entry
        if self.since is None:
            self.since = self.world.serial
        self.walked = list(entries.walk())
        if self.cursor and pos and pos == self.place_at:
            self.entry = self.place
            self.start_hops += self.place is not None
            self.seq.visits += self.place is not None
            return self.place
        looked_at = min(pos + 1, len(self.walked))
        self.start_hops += looked_at
        self.seq.visits += looked_at
        self.entry = self.walked[pos] if pos < len(self.walked) else None
        return self.entry

    def next(self, entry: Any, pos: int) -> tuple[Any, int]:
        """Return the entry that follows, and its position."""
        self.at = pos + 1
        self.entry = None
        if self.entries is not None:
            self.next_hops += 1
            behind = self.walked.index(entry) + 1
            if behind < len(self.walked):
                self.entry = self.walked[behind]
        return self.entry, self.at

    def stop(self, entry: Any) -> None:
        """Keep the place; a cursor's entry is the one that comes next."""
        if self.cursor and self.entries is not None and not self.gone:
            self.place, self.place_at = self.entry, self.at

    def show(self, m: SeqFile, entry: Any) -> None:
        """Print a record."""
        if self.entries is None:
            m.write("".join(self._lines()))
            return
        # Behind a cursor that has shown others the first is not the beginning.
        if entry is self.walked[0] and not (self.cursor and self.at):
            m.write(slabinfo.header())
        if self.kind == SLABINFO:
            shown = entry.root is None
        else:
            shown = entry.memcg is self.memcg
        if shown:
            m.write(self._row(entry))

    def accepted(self, entry: Any) -> None:
        """Note that a record, or the end of one after a seek, will be delivered."""
        if self.era == "B" and self.latest == (entry, self.at):
            self.world._find("seq_file-record-repeated")
        self.latest = entry, self.at
        if self.kind == SLABINFO and entry.root is None:
            self.delivered[entry] += 1

    # --- what it says ---

    def _row(self, cache: Cache) -> bytes:
        world = self.world
        family = [] if cache.root else [*cache.children]
        self.children += len(family)
        self.rows += 1
        active_objs, num_objs, active_slabs, num_slabs = world._slabinfo_of(cache)
        limit, batchcount, shared = world._tunables(cache)
        return slabinfo.row(
            cache.name,
            active_objs=active_objs,
            num_objs=num_objs,
            objsize=cache.size,
            objects_per_slab=cache.per_slab,
            cache_order=cache.order,
            limit=limit,
            batchcount=batchcount,
            shared=shared,
            active_slabs=active_slabs,
            num_slabs=num_slabs,
            children=[
                # The fifth is shared_avail, of which there is none.
                dict(zip(slabinfo.ACCUMULATED, world._slabinfo_of(child), strict=False))
                for child in family
            ],
            root_name=cache.root.name if cache.root else None,
        )

    def _lines(self) -> Iterator[str]:
        world = self.world
        if self.kind == CGROUPS:
            yield "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
            # Of cgroups that are not freed yet, the root among them.
            yield f"memory\t1\t{1 + world.cgroups}\t1\n"
        elif self.kind == LOADAVG:
            for load in world.load:
                rounded = load + 2048 // 200
                yield f"{rounded >> 11}.{(rounded & 2047) * 100 >> 11:02} "
            threads = world.kworkers + world.threads
            yield f"{world._runnable()}/{threads} {world.task_serial}\n"
        elif self.kind == CGROUP_STAT:
            assert self.memcg is not None
            below = [m for m in world.memcgs.values() if m.is_below(self.memcg)]
            yield f"nr_descendants {sum(not m.dead for m in below)}\n"
            dying = sum(m.dead and not m.released for m in below)
            yield f"nr_dying_descendants {dying}\n"

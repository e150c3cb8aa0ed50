"""Random programs on every design: nothing breaks, and nothing unknown is found.

A world is made of one number, so that a failure is repeated by it. The core alone runs
thousands of them; a few run on the reference too, to the same end.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slabcore import World, reference
from slabcore.designs import Design, designs
from slabcore.errors import BusyError, LifecycleError, SlabcoreError, StaleHandleError
from slabcore.machine import Costs, Machine

MS = 1_000_000

MKDIR, RMDIR, FORK, JOIN, ALLOC, PIN, SLEEP, RUN, CALLBACKS, EXIT, WAIT, AT, DROP = (
    range(1, 14)
)
HOLD, FREE, CREATE_CACHE, DESTROY_CACHE = range(14, 18)
HOTPLUG = 30
SLABINFO = 44
COSTS = [Costs(), Costs.preset("rk")]
REFUSALS = (BusyError, LifecycleError, StaleHandleError)


class Ramble:
    """A world and who wanders in it: calls and programs in random order."""

    def __init__(self, design: Design, seed: int, engine: Any = World) -> None:
        self.design = design
        self.chance = chance = random.Random(seed)
        machine = Machine(
            cpus=chance.choice([1, 2, 2, 3, 4]),
            hz=chance.choice([100, 250, 250, 1000]),
            kmem=chance.choice(["on", "on", "on", "default"]),
            # With v1's slab_caches its reaper finds no child and frees nothing.
            allocator=chance.choice(["slub"] * 5 + ["slab"])
            if design.slab_caches == "all"
            else "slub",
            charge_caches=chance.random() < 0.2,
            costs=chance.choice(COSTS),
        )
        self.stocks = machine.charge_caches
        self.reaped = machine.allocator == "slab"
        self.world = engine(design, machine, machine.costs)
        self.roots = [
            self.world.boot_cache(
                chance.choice([64, 192, 700, 2049, 5000]),
                chance.random() < 0.8,  # accounted
                chance.random() < 0.4,  # typesafe
                chance.random() < 0.7,  # reclaimable
                chance.random() < 0.3,  # shareable
            )
            for _ in range(chance.randint(2, 8))
        ]
        self.handles: list[int] = []
        self.removed: list[int] = []
        self.held: dict[tuple[int, int], int] = {}  # objects, of root and cgroup
        self.nested = chance.random() < 0.3
        self.users = dict.fromkeys(self.roots, 1)  # of a root cache
        self.programs = [self.life(), self.life(), self.cache_life(), self.reader()]
        self.files: list[int] = []

    def life(self) -> int:
        """Write a program: a cgroup is made, used by a child or two, and removed."""
        chance, world = self.chance, self.world
        width = chance.randint(1, 6)
        child = [
            (JOIN, 0, 0, 0, 0),
            (ALLOC, 0, width, chance.randint(1, 12), chance.choice([0, 1000, MS])),
            (SLEEP, chance.choice([0, 3, 40]) * MS, 0, 0, 0),
            (chance.choice([PIN, ALLOC]), 0, width, chance.choice([2, 60]), 0),
            (CALLBACKS, chance.choice([0, 0, 5, 200]), 0, 0, 0),
            *[(HOTPLUG, chance.randint(0, 2), 0, 0, 0)] * chance.choice([0, 0, 1]),
            (EXIT, chance.choice([0, 5, 80]), 0, 0, 0),
        ]
        forks = [
            (FORK, world.program(child), chance.choice([0, 3]), 0, 0)
            for _ in range(chance.choice([1, 1, 2]))
        ]
        parent = [(MKDIR, 0, 0, 0, 0), *forks, (WAIT, 0, 0, 0, 0), (RMDIR, 0, 0, 0, 0)]
        if chance.random() < 0.3:
            parent += [(SLEEP, chance.randint(0, 50) * MS, 0, 0, 0), (DROP, 0, 0, 0, 0)]
        return int(world.program(parent))

    def cache_life(self) -> int:
        """Write a program: a root cache is made, used by a child too, and destroyed."""
        chance, world = self.chance, self.world
        count = chance.choice([1, 40, 200])
        child = [
            (JOIN, 0, 0, 0, 0),
            (HOLD, 0, count, 0, 0),
            (SLEEP, chance.choice([0, 3, 40]) * MS, 0, 0, 0),
            (HOLD, 0, count, 0, 0),
            (CALLBACKS, chance.choice([0, 0, 5, 200]), 0, 0, 0),
            (FREE, 0, 2 * count, 0, 0),
        ]
        flags = chance.randint(0, 31)
        parent = [
            (MKDIR, 0, 0, 0, 0),
            (CREATE_CACHE, chance.choice([64, 60, 700]), flags, 0, 0),
            (HOLD, 0, count, 0, 0),
            (FORK, world.program(child), 0, 0, 0),
            (WAIT, 0, 0, 0, 0),
            (FREE, 0, 2 * count, 0, 0),
            (SLEEP, chance.choice([0, 3, 40]) * MS, 0, 0, 0),
            (DESTROY_CACHE, 0, 0, 0, 0),
            (RMDIR, 0, 0, 0, 0),
        ]
        return int(world.program(parent))

    def reader(self) -> int:
        """Write a program: it reads slabinfo, finding its place again in two ways."""
        chance = self.chance
        size = chance.choice([107, 512, 4096])
        pause = chance.choice([0, 1, 20]) * MS
        readers = [(SLABINFO, size, pause, cursor, 0) for cursor in (0, 1)]
        return int(self.world.program(readers))

    # --- steps ---

    def step(self) -> None:
        """Make one call; what a state of the world does not allow is refused."""
        steps = [
            *([self.mkdir] * 3),
            *([self.alloc] * 6),
            *([self.free] * 3),
            *([self.pin] * 2),
            *([self.rmdir] * 2),
            *([self.advance] * 4),
            *([self.spawn] * 2),
            self.drop_caches,
            self.hotplug,
            *([self.create_cache] * 2),
            self.destroy_cache,
            *([self.read_file] * 3),
            self.world.drain,
        ]
        with contextlib.suppress(*REFUSALS, OSError):
            self.chance.choice(steps)()

    def cgroup(self) -> int:
        return self.chance.choice([0, *self.handles, *self.handles])

    def mkdir(self) -> None:
        parent = self.cgroup() if self.nested else 0
        self.handles.append(self.world.mkdir(parent))

    def rmdir(self) -> None:
        handle = self.chance.choice(self.handles or [0])
        self.world.rmdir(handle)
        self.handles.remove(handle)
        self.removed.append(handle)

    def alloc(self) -> None:
        root, handle = self.chance.choice(self.roots), self.cgroup()
        count = self.chance.choice([1, 1, 3, 40, 150])
        self.world.alloc(root, handle, count)
        self.held[root, handle] = self.held.get((root, handle), 0) + count

    def free(self) -> None:
        if self.held:
            root, handle = self.chance.choice(list(self.held))
            self.give(root, handle, self.chance.randint(1, self.held[root, handle]))

    def give(self, root: int, handle: int, count: int) -> None:
        """Free up to so many objects of a cgroup, also of one that is gone.

        A program that shares the root cache may have freed some of them.
        """
        self.held[root, handle] -= count
        if not self.held[root, handle]:
            del self.held[root, handle]
        once = count
        while count and once:
            try:
                self.world.free(root, handle, min(count, once))
                count -= min(count, once)
            except LifecycleError:
                once //= 2
            except StaleHandleError:
                if not handle:
                    return  # the root cache went without the objects
                # Nothing of its own pinned it: the objects were the root cache's.
                handle = 0

    def pin(self) -> None:
        count = self.chance.choice([1, 30])
        self.world.pin(self.chance.choice(self.roots), self.cgroup(), count)

    def drop_caches(self) -> None:
        self.world.drop_caches()

    def hotplug(self) -> None:
        self.world.hotplug(self.chance.choice([0, 1, 2]))

    def advance(self) -> None:
        ns = self.chance.choice([0, 1, 4, 20, 300]) * MS + self.chance.randint(0, 9)
        self.world.advance_to(self.world.now_ns + ns)

    def spawn(self) -> None:
        number = self.chance.choice(self.programs)
        later = self.world.now_ns + self.chance.randint(0, 30) * MS
        self.world.spawn(number, self.chance.randint(1, 3), later, 0)

    def create_cache(self) -> None:
        if len(self.roots) < 12:
            chance = self.chance
            size, flags = chance.choice([64, 60, 700]), chance.randint(0, 15)
            kind = [bool(flags >> bit & 1) for bit in range(4)]
            number = self.world.create_cache(size, True, *kind)
            self.users[number] = self.users.get(number, 0) + 1
            self.roots = list(self.users)

    def destroy_cache(self) -> None:
        # The first stays, so that there is something to allocate from.
        number = self.chance.choice(self.roots[1:] or self.roots)
        if number == self.roots[0] and self.users[number] == 1:
            return
        with contextlib.suppress(BusyError):
            self.world.destroy_cache(number)
        self.users[number] -= 1
        if not self.users[number]:
            # Objects may be left in it, and a new cache may come to share it.
            del self.users[number]
            self.roots = list(self.users)

    def read_file(self) -> None:
        """Open a file; or read one, from somewhere else perhaps, or close it."""
        chance, world = self.chance, self.world
        if not self.files or (len(self.files) < 4 and chance.random() < 0.3):
            kind, cursor = chance.randint(0, 4), chance.random() < 0.4
            self.files.append(world.open(kind, self.cgroup(), cursor))
            return
        file = chance.choice(self.files)
        what = chance.random()
        if what < 0.2:
            self.files.remove(file)
            world.close(file)
            return
        if what < 0.5:
            world.lseek(file, chance.randint(0, 700))
        for _ in range(chance.randint(1, 3)):
            world.read(file, chance.choice([1, 107, 512, 4096]))

    # --- ends ---

    def wander(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
            if self.chance.random() < 0.2:
                self.world.validate()
        self.world.run()
        self.world.validate()
        self.rest()

    def rest(self) -> None:
        self.world.drain()
        self.world.validate()
        if self.reaped:
            # SLAB keeps empty slabs until its reaper comes by, again and again.
            self.world.advance_to(self.world.now_ns + 60_000 * MS)
            self.world.drain()
            self.world.validate()

    def remove_all(self) -> None:
        while self.handles:
            for handle in list(self.handles):
                try:
                    self.world.rmdir(handle)
                except BusyError:  # a parent goes after its children
                    continue
                self.handles.remove(handle)
        self.rest()

    def free_all(self) -> None:
        for (root, handle), count in list(self.held.items()):
            self.give(root, handle, count)
        self.world.drop_caches()
        self.rest()


class Pair:
    """The core and the reference as one world: what one does the other does."""

    def __init__(self, *boot: Any) -> None:
        self.worlds = World(*boot), reference.World(*boot)
        self.handles = {0: 0}  # the core's: the reference's

    def __getattr__(self, name: str) -> Any:
        core, twin = (getattr(world, name) for world in self.worlds)
        if not callable(core):
            assert core == twin, name
            return core
        takes_handle = {"mkdir": 0, "rmdir": 0, "alloc": 1, "pin": 1, "free": 1}
        takes_handle["open"] = 1

        def call(*args: Any) -> Any:
            others = list(args)
            if name in takes_handle:
                others[takes_handle[name]] = self.handles[args[takes_handle[name]]]
            one, other = outcome(core, args), outcome(twin, others)
            if name == "mkdir" and isinstance(one, int) and isinstance(other, int):
                self.handles[one] = other
            else:
                assert plain(name, one) == plain(name, other), name
            if name == "validate":
                for look in ("state", "counters", "timeline"):
                    getattr(self, look)()
            if isinstance(one, Exception):
                raise one
            return one

        return call


def outcome(call: Any, args: Any) -> Any:
    try:
        return call(*args)
    except (SlabcoreError, OSError) as error:
        return error


def plain(name: str, answer: Any) -> Any:
    if isinstance(answer, Exception):
        return type(answer), str(answer)
    if name == "caches_listed":  # with handles, which each engine has of its own
        return [(row[0], row[2], *row[4:]) for row in answer]
    if isinstance(answer, dict) and "creation_delays_ns" in answer:
        delays = list(map(int, answer["creation_delays_ns"]))
        return {**answer, "creation_delays_ns": delays}
    return answer


def left_pinned(world: Any) -> tuple[set[int], set[int]]:
    """Return the dead cgroups, and those of them whose caches have slabs."""
    state = world.state()
    dead = {serial for serial, memcg in state["memcgs"].items() if memcg[3]}
    slabs = {serial: cache[1] for serial, cache in state["caches"].items()}
    pinned = {
        memcg
        for memcg in dead
        if any(slabs[cache] for cache in state["kmem_caches"][memcg])
    }
    return dead, pinned


def inherited(world: Any) -> int:
    """Return how many children hold objects, or have nobody left to destroy them.

    Once a root is marked as dying, and lives on, the end of its children's references
    is passed over.
    """
    state = world.state()
    return sum(
        bool(state["caches"][cache][0] or state["roots"][root][2])
        for root, children in state["children"].items()
        for cache in children
    )


# A kernel can be built with directories for children.
VARIANTS = {
    **designs,
    **{
        f"{name}, child_sysfs": design.replace(child_sysfs=True)
        for name, design in ((name, designs[name]) for name in designs)
        if design.child_caches and not design.child_sysfs
    },
}


def check_findings(world: Any, design: Design) -> None:
    found = {finding["id"] for finding in world.counters()["findings"]}
    assert found <= set(design.findings)


def walks_children(design: Design) -> bool:
    """Tell whether the list that /proc/slabinfo walks has children on it."""
    on_it = design.slab_caches == "all" and not design.root_list
    return bool(design.child_caches and on_it)


def check_reads(world: Any, design: Design, roots: int) -> None:
    """Look for rows that readers missed or got twice; at boot there were so many."""
    counts = world.counters()["roots"]
    gone = counts["destroyed"] or counts["destroy_failed"]
    steady = counts["created"] == roots and not gone
    for _, _, _, rows, missing, repeated, *_, cursor in world.slabinfo_reads():
        if cursor or (steady and not walks_children(design)):
            assert missing == repeated == 0
        if steady:
            assert rows == roots - missing + repeated


def ramble(design: Design, seed: int, engine: Any = World) -> Any:
    """Wander, remove every cgroup, free every object; look at what is left."""
    walk = Ramble(design, seed, engine)
    world, booted = walk.world, len(walk.roots)
    walk.wander(walk.chance.choice([5, 20, 60]))
    check_findings(world, design)
    check_reads(world, design, booted)
    walk.remove_all()
    dead, pinned = left_pinned(world)
    if walk.stocks:
        assert len(dead - pinned) <= 4 or walk.nested  # the last that charged on a CPU
    elif walk.nested:
        assert bool(dead) == bool(pinned)  # a pinned cgroup pins those above it
    else:
        assert dead == pinned
    if design.reparenting or not design.child_caches:
        assert not pinned
    walk.free_all()
    counters = world.counters()
    check_findings(world, design)
    if not counters["cgroups"]["live"] and "cache-leaked" not in design.findings:
        # A cache that moved to the root cgroup stays while it holds objects.
        left = inherited(world) if design.reparenting else 0
        assert counters["caches"]["dying"] == left
        roots = len(world.state()["slab_root_caches"])
        leaked = counters["caches"]["leaked"]
        assert counters["caches"]["live"] == roots + left + leaked
        # A root whose destruction failed stays, for somebody to share.
        assert roots == len(walk.roots) or counters["roots"]["destroy_failed"]
    dead, pinned = left_pinned(world)
    assert bool(dead) == bool(pinned) or walk.stocks
    return world


@pytest.mark.parametrize("name", VARIANTS)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_a_random_world_keeps_every_invariant(name: str, seed: int) -> None:
    ramble(VARIANTS[name], seed)


@pytest.mark.parametrize("name", VARIANTS)
def test_random_worlds_find_all_that_a_design_is_known_for(name: str) -> None:
    design = VARIANTS[name]
    found: set[str] = set()
    for seed in range(2_000):
        if found == set(design.findings):
            break
        world = ramble(design, seed)
        found |= {finding["id"] for finding in world.counters()["findings"]}
    assert found == set(design.findings)


@pytest.mark.parametrize("name", designs)
@settings(
    max_examples=1 + settings.default.max_examples // 10,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32))
def test_a_random_world_has_one_history(name: str, seed: int) -> None:
    ramble(designs[name], seed, Pair)


# --- who reads slabinfo meanwhile ---


class Steady(Ramble):
    """Wander on without root caches that come and go."""

    def cache_life(self) -> int:
        return self.life()

    def create_cache(self) -> None:
        self.spawn()

    def destroy_cache(self) -> None:
        self.read_file()


@pytest.mark.parametrize("name", designs)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_children_move_no_row_where_the_roots_have_a_list(name: str, seed: int) -> None:
    walk = Steady(designs[name], seed)
    booted = len(walk.roots)
    walk.wander(30)
    assert len(walk.world.state()["slab_root_caches"]) == booted
    check_reads(walk.world, designs[name], booted)


@pytest.mark.parametrize("name", [n for n in designs if walks_children(designs[n])])
def test_children_move_rows_where_all_caches_are_walked(name: str) -> None:
    missed = repeated = 0
    for seed in range(2_000):
        walk = Steady(designs[name], seed)
        walk.wander(30)
        counters = walk.world.counters()["slabinfo"]
        missed += counters["rows_missing"]
        repeated += counters["rows_repeated"]
        if missed and repeated:
            break
    assert missed and repeated


class Reader:
    """Read a file to its end by a cursor, and know what was there all the while."""

    def __init__(self, world: Any, kind: int, handle: int) -> None:
        self.world, self.kind, self.handle = world, kind, handle
        self.file = world.open(kind, handle, True)
        self.stays: set[tuple[str, int]] | None = None
        self.text = b""

    def there(self, state: Any) -> set[tuple[str, int]]:
        """Return the entries whose rows belong into the file: names and serials."""
        if self.kind == 0:
            return {(state["names"][root], root) for root in state["slab_root_caches"]}
        memcg = {row[3]: row[4] for row in self.world.caches_listed()}.get(self.handle)
        caches = set(state["kmem_caches"].get(memcg, ()))
        return {
            (state["names"][root], child)
            for root, children in state["children"].items()
            for child in children
            if child in caches
        }

    def watch(self, state: Any) -> None:
        """Forget what is not there any more: it need not come."""
        there = self.there(state)
        self.stays = there if self.stays is None else self.stays & there

    def read(self, size: int) -> bool:
        """Read a chunk; tell whether it was the end."""
        if self.stays is None:
            self.watch(self.world.state())
        before = self.world.file_state(self.file)
        chunk = self.world.read(self.file, size)
        after = self.world.file_state(self.file)
        assert after["visits"] - before["visits"] <= after["start"] - before["start"]
        assert after["size"] <= 4096
        self.text += chunk
        if not chunk:
            self.watch(self.world.state())
        return not chunk

    def check(self, once: bool) -> None:
        lines = self.text.decode().splitlines()
        rows = Counter(line.split()[0] for line in lines[2:])
        stayed = Counter(name for name, _ in self.stays or ())
        assert stayed <= rows
        # A cgroup that inherits children may have two of one root.
        assert not once or set(rows.values()) <= {1}


class Watched(Ramble):
    """Wander while readers with a cursor are on their way."""

    def __init__(self, design: Design, seed: int, engine: Any = World) -> None:
        super().__init__(design, seed, engine)
        self.roots += [
            self.world.boot_cache(64, self.chance.random() < 0.8, False, False)
            for _ in range(30)
        ]
        self.users = dict.fromkeys(self.roots, 1)
        self.readers: list[Reader] = []
        self.finished = 0

    def create_cache(self) -> None:
        kind = [self.chance.random() < 0.5 for _ in range(4)]
        number = self.world.create_cache(64, *kind)
        self.users[number] = self.users.get(number, 0) + 1
        self.roots = list(self.users)

    def step(self) -> None:
        super().step()
        state = self.world.state()
        for reader in self.readers:
            if reader.stays is not None:
                reader.watch(state)
        if len(self.readers) < 4:
            kind = self.chance.choice([0, 0, 1])
            with contextlib.suppress(*REFUSALS):
                handle = self.chance.choice(self.handles or [0])
                self.readers.append(Reader(self.world, kind, handle))
        for reader in list(self.readers):
            self.go_on(reader)

    def go_on(self, reader: Reader) -> None:
        try:
            ended = reader.read(self.chance.choice([1, 107, 107, 215, 500, 4096]))
        except OSError:
            assert reader.handle not in self.handles  # the file went with its cgroup
            self.readers.remove(reader)
            self.world.close(reader.file)
            return
        if ended:
            reader.check(once=reader.kind == 0 or not self.design.reparenting)
            self.readers.remove(reader)
            self.world.close(reader.file)
            self.finished += 1


@pytest.mark.parametrize("name", VARIANTS)
@settings(
    max_examples=1 + settings.default.max_examples // 2,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32))
def test_a_cursor_meets_once_what_is_there_all_the_while(name: str, seed: int) -> None:
    walk = Watched(VARIANTS[name], seed)
    for _ in range(30):
        walk.step()
    walk.world.validate()


@pytest.mark.parametrize("name", designs)
@settings(
    max_examples=1 + settings.default.max_examples // 20,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32))
def test_cursors_in_a_random_world_have_one_history(name: str, seed: int) -> None:
    walk = Watched(designs[name], seed, Pair)
    for _ in range(20):
        walk.step()
    walk.world.validate()


REPAIRS = [
    ("gp-under-slab_mutex", "4.9", {"deactivation": "gp-per-memcg"}),
    ("gp-under-cgroup_mutex", "4.10", {"deactivation": "rcu-per-cache"}),
    ("gp-under-cgroup_mutex", "4.6", {"join_waits": False}),
    ("kobject-under-slab_mutex", "4.11", {"sysfs_removal": "work"}),
    ("kobject-under-slab_mutex", "4.18", {"sysfs_removal": "work"}),
    ("kobject-under-slab_mutex", "5.9", {"sysfs_removal": "unlocked"}),
    ("cache-leaked", "4.12", {"sysfs_removal": "work"}),
    ("cache-use-after-free", "series-v1", {"typesafe_free": "barrier-async"}),
    ("cache-use-after-free", "series-v2", {"typesafe_free": "barrier-batch"}),
    ("busy-child-unusable", "series-v1", {"busy_children": "parked"}),
    ("children-missed-at-hotplug", "series-v1", {"slab_caches": "all"}),
    ("work-on-destroyed-cache", "4.10", {"root_destroy": "flush-first"}),
    ("work-on-destroyed-cache", "4.13", {"root_destroy": "flush-first"}),
    ("work-on-destroyed-cache", "5.3", {"root_destroy": "flush-twice"}),
    ("alias-marked-dying", "4.18", {"root_destroy": "flush-at-zero"}),
    ("alias-marked-dying", "5.5", {"root_destroy": "flush-at-zero"}),
    ("seq_file-record-repeated", "4.20", {"seq_file": "C"}),
]


@pytest.mark.parametrize(("fault", "name", "repair"), REPAIRS)
def test_the_worlds_that_show_a_fault_show_none_once_its_knob_is_repaired(
    fault: str, name: str, repair: dict[str, Any]
) -> None:
    def shown(design: Design, seed: int) -> set[str]:
        counters = ramble(design, seed).counters()
        return {finding["id"] for finding in counters["findings"]}

    broken, repaired = designs[name], designs[name].replace(**repair)
    assert fault in broken.findings
    assert fault not in repaired.findings
    showing = (seed for seed in range(4_000) if fault in shown(broken, seed))
    seeds = list(itertools.islice(showing, 2))
    assert seeds
    for seed in seeds:
        assert fault not in shown(repaired, seed)

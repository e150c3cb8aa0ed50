"""The compiled core and its plain-Python twin have one history, to the nanosecond."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from slabcore import _core, reference
from slabcore.designs import Design, designs
from slabcore.errors import SlabcoreError
from slabcore.kernel import TIMELINE
from slabcore.machine import Costs, Machine

MS = 1_000_000
SECOND = 1_000_000_000

Step = tuple[int, int, int, int, int]

MKDIR, RMDIR, FORK, JOIN, ALLOC, PIN, SLEEP, RUN, CALLBACKS, EXIT, WAIT, AT, DROP = (
    range(1, 14)
)
HOLD, GIVE, CREATE_CACHE, DESTROY_CACHE = range(14, 18)
HOTPLUG = 30
KEEP, RMDIR_KEPT, SETTLE, EXPEDITE, SLABINFO, PROBE, TAKE = range(40, 47)
MARK = 50


# --- what is compared ---


def history(world: Any) -> dict[str, Any]:
    """Return all that a world shows of itself."""
    counters = world.counters()
    counters["creation_delays_ns"] = list(map(int, counters["creation_delays_ns"]))
    return {
        "now_ns": world.now_ns,
        "counters": counters,
        "state": world.state(),
        # Handles are each engine's own.
        "caches": [
            (root, number, *rest) for root, _, number, _, *rest in world.caches_listed()
        ],
        "slabinfo_reads": world.slabinfo_reads(),
        "timeline": np.array(world.timeline(), dtype=TIMELINE).tolist(),
        "log": world.log(),
    }


def agree(one: Any, other: Any) -> None:
    mine, its = history(one), history(other)
    for part, value in mine.items():
        assert value == its[part], part
    one.validate()
    other.validate()


def outcome(call: Callable[[Any], Any], world: Any) -> Any:
    """Return the answer of a call, or its error's class and text."""
    try:
        return call(world)
    except (SlabcoreError, OSError) as error:
        return type(error), str(error)


# --- what is drawn ---

COSTS = tuple(f.name for f in dataclasses.fields(Costs) if "cost" in f.metadata)
FIGURES = tuple(name for name in COSTS if name not in ("list_hop", "ipi_halted"))

# Whole milliseconds meet the ticks: most surprises are in events of one instant.
lengths = st.one_of(
    st.integers(0, 40).map(lambda n: n * MS),
    st.integers(0, 50_000),
    st.integers(0, 40).map(lambda n: n * MS + 1),
)
curves = st.sampled_from(
    [
        ((1, 0),),
        ((3, 700_000),),
        ((2, 0), (9, 50_000_000)),
        ((1, 40_000), (4, 90_001), (5, 3), (30, 1_000_000)),
    ]
)
figures = st.one_of(
    st.sampled_from([0, 1, 333, 33_333, 999_999, MS, 4 * MS, 9_999_999]),
    st.integers(0, 20_000),
)


@st.composite
def odd_costs(draw: st.DrawFn) -> Costs:
    """Draw a few figures and deal them out to the steps in turn."""
    dealt = draw(st.lists(figures, min_size=1, max_size=7))
    costs = {name: dealt[i % len(dealt)] for i, name in enumerate(FIGURES)}
    # Where a switch takes a tick, tasks that share a CPU get nowhere.
    costs["context_switch"] = draw(st.sampled_from([0, 1, 3000, 33_939, 250_000]))
    costs["rcu_callback"] = draw(st.sampled_from([0, 1, 811, 33_333, 250_000]))
    stalls = draw(st.lists(figures, max_size=3))
    return Costs(list_hop=draw(curves), ipi_halted=tuple(stalls), **costs)


costs = st.one_of(
    st.sampled_from([Costs(), Costs.preset("rk")]),
    odd_costs(),
)

machines = st.builds(
    Machine,
    cpus=st.integers(1, 4),
    hz=st.sampled_from([100, 250, 250, 100, 250, 1000]),
    allocator=st.sampled_from(["slub", "slub", "slab"]),
    kmem=st.sampled_from(["on", "default", "default", "on", "off"]),
    kernfs_per_cache=st.sampled_from([0, 1, 32]),
    kernfs_per_cgroup=st.sampled_from([0, 27]),
    page_size=st.sampled_from([4096, 65_536]),
    other_kworkers=st.sampled_from([0, 0, 5]),
    max_memcgs=st.sampled_from([65_535, 65_535, 3, 6]),
    charge_caches=st.booleans(),
    costs=costs,
)

kinds = st.tuples(
    st.sampled_from([64, 192, 700, 8, 2049, 4096, 5000, 70_000]),
    st.sampled_from([True, True, True, False]),  # accounted
    st.booleans(),  # typesafe
    st.booleans(),  # reclaimable
    st.booleans(),  # shareable
)
sizes = st.sampled_from([33, 107, 204, 512, 4096, 4096, 131_072])  # of a read()
which = st.sampled_from([0, 0, 1, 2, 3, 9])  # the cache held, or a number and one


class Programs(NamedTuple):
    """Programs in the order in which they are added, and who runs them."""

    programs: list[list[Step]]
    tasks: list[tuple[int, int, int, int, bool]]
    """Program, repeat, at_ns, until_ns, background."""


class Author:
    """Writes programs that fork programs written earlier.

    weight: tasks that one run of a program makes; it bounds the size of a world.
    """

    def __init__(self) -> None:
        self.weights: list[int] = []

    def step(self, draw: Callable[..., Any], budget: int) -> tuple[Step, int]:
        kept = [KEEP, RMDIR_KEPT, EXPEDITE, SLABINFO, PROBE, TAKE]
        op = draw(st.sampled_from([*range(1, 18), HOTPLUG, *kept, MARK]))
        small = st.integers(0, 4)
        if op == FORK:
            light = [n for n, weight in enumerate(self.weights) if weight <= budget]
            if not light:
                return (WAIT, 0, 0, 0, 0), 0
            number = draw(st.sampled_from(light))
            callbacks = draw(st.sampled_from([0, 1, 30]))
            repeat = draw(st.sampled_from([0, 0, 1, 2]))
            repeat = repeat if repeat * self.weights[number] <= budget else 0
            weight = max(repeat, 1) * self.weights[number]
            return (FORK, number, callbacks, repeat, 0), weight
        if op == ALLOC:
            gap = draw(st.sampled_from([0, 0, 1, 50_000, MS, 3 * MS]))
            return (ALLOC, draw(small), draw(small), draw(small), gap), 0
        if op == PIN:
            return (PIN, draw(small), draw(small), draw(st.integers(0, 40)), 0), 0
        if op == MKDIR:
            return (MKDIR, draw(st.integers(0, 1)), 0, 0, 0), 0
        if op == MARK:
            return (MARK, draw(small), 0, 0, 0), 0
        if op in (HOLD, GIVE):
            return (op, draw(which), draw(st.sampled_from([1, 40, 200])), 0, 0), 0
        if op == CREATE_CACHE:
            return self.create_cache(draw), 0
        if op == DESTROY_CACHE:
            return (op, draw(which), 0, 0, 0), 0
        if op in (SLEEP, AT):
            return (op, draw(lengths), 0, 0, 0), 0
        if op == RUN:
            return (RUN, draw(lengths), draw(st.integers(0, 1)), 0, 0), 0
        if op in (CALLBACKS, EXIT):
            # Over 10000 queued callbacks lift the limit of a batch.
            count = draw(st.sampled_from([0, 1, 12, 12, 150, 150, 150, 10_001]))
            return (op, count, 0, 0, 0), 0
        if op == SLABINFO:
            pause = draw(st.one_of(st.just(0), lengths))
            return (op, draw(sizes), pause, draw(st.integers(0, 1)), 0), 0
        if op == EXPEDITE:
            return (op, draw(st.integers(0, 1)), 0, 0, 0), 0
        if op == PROBE:
            return (op, draw(lengths), 0, 0, 0), 0
        if op == HOTPLUG:
            return (op, draw(st.integers(0, 2)), 0, 0, 0), 0
        return (op, 0, 0, 0, 0), 0

    def create_cache(self, draw: Callable[..., Any]) -> Step:
        size, flags = draw(st.sampled_from([64, 60, 700])), draw(st.integers(0, 31))
        return (CREATE_CACHE, size, flags, 0, 0)

    def cache_life(self, draw: Callable[..., Any]) -> list[list[Step]]:
        """Write a root cache's life: a child uses it too, then it is destroyed."""
        held, gap = draw(st.sampled_from([40, 120])), draw(lengths)
        child = [
            (JOIN, 0, 0, 0, 0),
            (HOLD, 0, held, 0, 0),
            (SLEEP, draw(lengths), 0, 0, 0),
            (HOLD, 0, held, 0, 0),
            (CALLBACKS, draw(st.sampled_from([0, 40, 3000])), 0, 0, 0),
            (GIVE, 0, draw(st.sampled_from([2 * held, held])), 0, 0),
        ]
        parent = [
            (MKDIR, 0, 0, 0, 0),
            self.create_cache(draw),
            (HOLD, 0, held, 0, 0),
            (FORK, len(self.weights), 0, 0, 0),
            (WAIT, 0, 0, 0, 0),
            (GIVE, 0, 2 * held, 0, 0),
            (SLEEP, gap, 0, 0, 0),
            (DESTROY_CACHE, 0, 0, 0, 0),
            (GIVE, 0, 2 * held, 0, 0),
            (RMDIR, 0, 0, 0, 0),
        ]
        self.weights += [1, 2]
        return [child, parent]

    def life(self, draw: Callable[..., Any]) -> list[list[Step]]:
        """Write a cgroup's life: a child joins, allocates and exits."""
        caches, rounds = draw(st.integers(1, 4)), draw(st.integers(1, 8))
        gap = draw(st.sampled_from([0, 1000, MS]))
        child = [
            (JOIN, 0, 0, 0, 0),
            (ALLOC, 0, caches, rounds, gap),
            (SLEEP, draw(lengths), 0, 0, 0),
            (draw(st.sampled_from([PIN, ALLOC])), 0, caches, 2, 0),
            (EXIT, draw(st.sampled_from([5, 80, 0])), 0, 0, 0),
        ]
        parent = [
            (MKDIR, 0, 0, 0, 0),
            (FORK, len(self.weights), draw(st.integers(0, 3)), 0, 0),
            (WAIT, 0, 0, 0, 0),
            (RMDIR, 0, 0, 0, 0),
        ]
        if draw(st.booleans()):
            parent += [(SLEEP, draw(lengths), 0, 0, 0), (DROP, 0, 0, 0, 0)]
        self.weights += [1, 2]
        return [child, parent]

    def free_hand(self, draw: Callable[..., Any]) -> list[list[Step]]:
        steps: list[Step] = []
        weight = 1
        for _ in range(draw(st.integers(1, 9))):
            step, more = self.step(draw, 12 - weight)
            weight += more
            steps.append(step)
        self.weights.append(weight)
        return [steps]

    def write(self, draw: Callable[..., Any]) -> list[list[Step]]:
        kinds = [self.free_hand, self.free_hand, self.life, self.cache_life]
        return draw(st.sampled_from(kinds))(draw)


@st.composite
def programs(draw: st.DrawFn) -> Programs:
    author = Author()
    written = author.life(draw)
    for _ in range(draw(st.integers(0, 3))):
        written += author.write(draw)
    tasks = [(1, draw(st.integers(1, 4)), 0, 0, False)]
    tasks += draw(
        st.lists(
            st.tuples(
                st.sampled_from([*range(len(written) - 1, -1, -1), 1]),
                st.integers(1, 4),
                lengths,
                st.one_of(st.just(0), lengths),
                st.sampled_from([False, False, True]),
            ),
            max_size=4,
        )
    )
    if draw(st.booleans()):
        # Nobody forks these: a parent that waits would keep them from settling.
        poll = draw(st.sampled_from([MS, 7 * MS, 50 * MS + 1]))
        settle = (SETTLE, draw(lengths), poll, 0, 0)
        tasks += [(len(written), 1, draw(lengths), 0, False)] * draw(st.integers(1, 2))
        written += [[settle, (RMDIR_KEPT, 0, 0, 0, 0), settle]]
    return Programs(written, tasks)


@dataclasses.dataclass(frozen=True)
class Setting:
    """A machine, its boot caches, the programs, and how often it is looked at."""

    machine: Machine
    caches: list[tuple[int, bool, bool, bool, bool]]
    programs: Programs
    sample_ns: int = SECOND
    log: bool = False

    def boot(self, engine: Any, design: Design, walk: str = "counted") -> Any:
        world = engine.World(
            design,
            self.machine,
            self.machine.costs,
            walk=walk,
            sample_ns=self.sample_ns,
            log=self.log,
        )
        for kind in self.caches:
            world.boot_cache(*kind)
        for steps in self.programs.programs:
            world.program(steps)
        for task in self.programs.tasks:
            world.spawn(*task)
        return world


worlds = st.builds(
    Setting,
    machine=machines,
    caches=st.lists(kinds, min_size=2, max_size=6),
    programs=programs(),
    sample_ns=st.sampled_from([SECOND, SECOND, SECOND, 70 * MS, 100 * MS]),
    log=st.booleans(),
)


# Designs that no kernel had; where children exist, something must deactivate them.
ablated = st.builds(
    Design.replace,
    st.sampled_from([designs[name] for name in designs]),
    child_caches=st.just(True),
    deactivation=st.sampled_from(
        ["ipi", "gp-per-cache", "gp-per-memcg", "rcu-per-cache"]
    ),
    accounting=st.sampled_from(["always", "opt-in"]),
    reparenting=st.booleans(),
    root_list=st.booleans(),
    memcg_list=st.booleans(),
    slab_caches=st.sampled_from(["all", "all", "roots"]),
    typesafe_free=st.sampled_from(
        ["barrier-batch", "barrier-async", "call-rcu", "barrier-per-cache"]
    ),
    root_destroy=st.sampled_from(
        ["at-once", "flush-first", "flush-twice", "flush-at-zero", "unlink-first"]
    ),
    busy_children=st.sampled_from(["parked", "single-pass"]),
    sysfs_removal=st.sampled_from(
        ["release", "deactivation", "work-leaks", "work", "shutdown", "unlocked"]
    ),
    create_queue=st.sampled_from(["system", "ordered", "per-cpu-1"]),
    deactivate_queue=st.sampled_from(["system", "per-cpu-1"]),
    create_waits=st.booleans(),
    memcg_ids=st.sampled_from(["css-id", "own"]),
    memcg_name=st.sampled_from(["id", "serial"]),
    child_sysfs=st.booleans(),
    barrier_marker=st.sampled_from(["queued", "entrained"]),
    join_waits=st.booleans(),
    fqs_late_tick=st.integers(0, 1),
    seq_file=st.sampled_from("ABCD"),
).filter(
    lambda design: (
        not (design.root_list and design.deactivation == "gp-per-memcg")
        and (design.memcg_list or design.slab_caches == "all")
    )
)

# What a cgroup leaves behind moves: a third of the state machine's worlds.
moving = st.sampled_from([designs[name] for name in ("5.3", "5.5", "5.8", "5.9")])

# The profile's examples are dealt out to the designs, and one more each.
SHARE = 1 + settings.default.max_examples // len(designs)
PATIENT = [HealthCheck.too_slow, HealthCheck.data_too_large]
shared = settings(max_examples=SHARE, suppress_health_check=PATIENT)
every_design = pytest.mark.parametrize("name", designs)


# --- whole runs ---


def whole_run(one: Any, other: Any, idle_ns: int = 400 * SECOND) -> None:
    """Run both to the programs' end, to rest, then idle: kworkers leave at 300 s."""
    for world in (one, other):
        world.run()
    agree(one, other)
    for world in (one, other):
        world.drain()
    agree(one, other)
    for world in (one, other):
        world.advance_to(world.now_ns + idle_ns)
    agree(one, other)


@every_design
@shared
@given(setting=worlds)
def test_random_programs_have_one_history(name: str, setting: Setting) -> None:
    design = designs[name]
    whole_run(setting.boot(_core, design), setting.boot(reference, design))


@settings(max_examples=settings.default.max_examples // 2, parent=shared)
@given(design=ablated, setting=worlds)
def test_designs_that_no_kernel_had_have_one_history(
    design: Design, setting: Setting
) -> None:
    whole_run(setting.boot(_core, design), setting.boot(reference, design), 6 * SECOND)


@every_design
@shared
@given(setting=worlds)
def test_a_counted_walk_is_a_literal_walk(name: str, setting: Setting) -> None:
    design = designs[name]
    whole_run(
        setting.boot(_core, design, "counted"), setting.boot(_core, design, "literal")
    )


@settings(parent=shared)
@given(design=ablated, setting=worlds)
def test_a_counted_walk_is_a_literal_walk_under_any_design(
    design: Design, setting: Setting
) -> None:
    whole_run(
        setting.boot(_core, design, "counted"), setting.boot(_core, design, "literal")
    )


def crowd(cpus: int) -> Setting:
    """Jobs that miss more often than a pool has workers, one a CPU, four lives each."""
    job = [
        (JOIN, 0, 0, 0, 0),
        (ALLOC, 0, 14, 20, 10_000),
        (SLEEP, 15 * MS, 0, 0, 0),
        (ALLOC, 0, 14, 20, 10_000),
        (PIN, 0, 2, 30, 0),
        (EXIT, 80, 0, 0, 0),
    ]
    life = [
        (MKDIR, 0, 0, 0, 0),
        (FORK, 0, 3, 0, 0),
        (WAIT, 0, 0, 0, 0),
        (RMDIR, 0, 0, 0, 0),
    ]
    # It goes on while caches come and go, and finds its place again in two ways.
    reader = [(SLABINFO, 600, 3 * MS, 0, 0), (SLABINFO, 600, 3 * MS, 1, 0)]
    caches = [(64 * n, True, n in (3, 5), n in (1, 2), False) for n in range(1, 15)] + [
        (128, False, False, False, False)
    ] * 20
    return Setting(
        Machine(cpus=cpus, costs=Costs.preset("rk")),
        caches,
        Programs(
            [job, life, reader], [(1, 4, 0, 0, False)] * cpus + [(2, 3, 0, 0, False)]
        ),
        log=True,
    )


@every_design
@pytest.mark.parametrize("cpus", [1, 2, 3])
def test_a_crowd_of_kworkers_has_one_history(name: str, cpus: int) -> None:
    setting = crowd(cpus)
    one = setting.boot(_core, designs[name])
    whole_run(one, setting.boot(reference, designs[name]))
    whole_run(
        setting.boot(_core, designs[name], "literal"),
        setting.boot(_core, designs[name]),
    )
    if cpus > 1 and designs[name].deactivation == "gp-per-cache":
        assert one.counters()["kworkers_peak"] > 2 * 256


@every_design
def test_two_worlds_at_once_do_not_know_each_other(name: str) -> None:
    setting = crowd(2)
    alone = setting.boot(_core, designs[name])
    alone.run()
    alone.drain()
    first = setting.boot(_core, designs[name])
    second = setting.boot(_core, designs[name])
    when = 0
    while when <= alone.now_ns:
        when += 7 * MS
        first.advance_to(when)
        second.advance_to(when)
    for world in (first, second):
        alone.advance_to(when)
        agree(world, alone)


# --- side by side, step by step ---


roots = st.sampled_from([0, 1, 0, 1, 2, 3, -1])
memcgs = st.integers(2, 9) | st.integers(0, 1)
counts = st.integers(1, 40)
files = st.sampled_from([0, 1, 0, 1, 2, -1])
offsets = st.one_of(st.integers(-300, 900), st.sampled_from([0, 204, 311, 1 << 40]))


class Agreement(RuleBasedStateMachine):
    """Drive the core and the reference by the same calls; compare after each."""

    def __init__(self) -> None:
        super().__init__()
        self.author = Author()
        self.worlds: tuple[Any, Any] | None = None
        self.handles = [(0, 0), (1 << 40, 1 << 40)]
        self.making: set[int] = set()  # tickets of begun mkdirs
        self.held: list[int] = []

    @initialize(
        design=st.one_of(
            st.sampled_from([designs[name] for name in designs]),
            moving,
            ablated,
        ),
        machine=machines,
        caches=st.lists(kinds, min_size=1, max_size=4),
    )
    def boot(self, design: Design, machine: Machine, caches: list[Any]) -> None:
        setting = Setting(machine, caches, Programs([], []), 50 * MS, log=True)
        self.worlds = (
            setting.boot(_core, design, "counted"),
            setting.boot(reference, design),
        )

    def both(self, call: Callable[[Any], Any]) -> Any:
        assert self.worlds is not None
        core, twin = (outcome(call, world) for world in self.worlds)
        assert core == twin
        return core

    def made(self, *parent: int) -> None:
        """Make a cgroup on both; each engine has handles of its own."""
        assert self.worlds is not None
        core, twin = (
            outcome(lambda world, n=n: world.mkdir(*(self.of(n, p) for p in parent)), w)
            for n, w in enumerate(self.worlds)
        )
        if isinstance(twin, int) and isinstance(core, int):
            self.handles.append((core, twin))
        else:
            assert core == twin

    def of(self, engine: int, memcg: int) -> int:
        """Return an engine's handle: of the root, of a cgroup made, or of none."""
        return self.handles[memcg % len(self.handles)][engine]

    def both_of(self, memcg: int, call: Callable[[Any, int], Any]) -> None:
        """Call with the handle of the same cgroup on both."""
        assert self.worlds is not None
        core, twin = (
            outcome(lambda world, n=n: call(world, self.of(n, memcg)), w)
            for n, w in enumerate(self.worlds)
        )
        assert core == twin

    @rule(kind=kinds)
    def boot_cache(self, kind: tuple[int, bool, bool, bool, bool]) -> None:
        self.both(lambda world: world.boot_cache(*kind))

    @rule(kind=kinds, searches=st.booleans())
    def create_cache(
        self, kind: tuple[int, bool, bool, bool, bool], searches: bool
    ) -> None:
        self.both(lambda world: world.create_cache(*kind[:4], searches, kind[4]))

    @rule(root=roots)
    def destroy_cache(self, root: int) -> None:
        self.both(lambda world: world.destroy_cache(root))

    @rule()
    def mkdir(self) -> None:
        self.made()

    @rule(parent=memcgs)
    def mkdir_in(self, parent: int) -> None:
        self.made(parent)

    @rule(memcg=memcgs)
    def rmdir(self, memcg: int) -> None:
        self.both_of(memcg, lambda world, handle: world.rmdir(handle))

    @rule(root=roots, memcg=memcgs, count=counts)
    def alloc(self, root: int, memcg: int, count: int) -> None:
        self.both_of(memcg, lambda world, handle: world.alloc(root, handle, count))

    @rule(root=roots, memcg=memcgs, count=counts)
    def free(self, root: int, memcg: int, count: int) -> None:
        self.both_of(memcg, lambda world, handle: world.free(root, handle, count))

    @rule(root=roots, memcg=memcgs, count=counts)
    def pin(self, root: int, memcg: int, count: int) -> None:
        self.both_of(memcg, lambda world, handle: world.pin(root, handle, count))

    @rule()
    def drop_caches(self) -> None:
        self.both(lambda world: world.drop_caches())

    @rule(event=st.integers(0, 2))
    def hotplug(self, event: int) -> None:
        self.both(lambda world: world.hotplug(event))

    @rule(
        name=st.sampled_from(["dentry", "Ü" * 63 + "x", "a b", "\t", "x" * 128, "ß\n"]),
        kind=kinds,
    )
    def create_named_cache(
        self, name: str, kind: tuple[int, bool, bool, bool, bool]
    ) -> None:
        self.both(lambda world: world.create_cache(*kind[:4], False, kind[4], name))

    @rule(kind=st.integers(0, 4), memcg=memcgs, cursor=st.booleans())
    def open(self, kind: int, memcg: int, cursor: bool) -> None:
        self.both_of(memcg, lambda world, handle: world.open(kind, handle, cursor))

    @rule(
        number=files,
        size=st.one_of(sizes, st.integers(-1, 700)),
        times=st.integers(1, 4),
    )
    def read(self, number: int, size: int, times: int) -> None:
        for _ in range(times):
            self.both(lambda world: world.read(number, size))

    @rule(number=files, size=sizes, offset=offsets)
    def pread(self, number: int, size: int, offset: int) -> None:
        self.both(lambda world: world.read(number, size, offset))

    @rule(number=files, offset=offsets, whence=st.sampled_from([0, 0, 1, 2]))
    def lseek(self, number: int, offset: int, whence: int) -> None:
        self.both(lambda world: world.lseek(number, offset, whence))

    @rule(number=files)
    def close(self, number: int) -> None:
        self.both(lambda world: world.close(number))

    @rule(data=st.data())
    def program(self, data: st.DataObject) -> None:
        for steps in self.author.write(data.draw):
            self.both(lambda world, steps=steps: world.program(steps))

    @precondition(lambda self: self.author.weights)
    @rule(
        number=st.integers(0, 30),
        repeat=st.integers(1, 4),
        at=lengths,
        until=st.one_of(st.just(0), lengths),
    )
    def spawn(self, number: int, repeat: int, at: int, until: int) -> None:
        assert self.worlds is not None
        number %= len(self.author.weights)
        now = self.worlds[1].now_ns
        until = until and now + until
        self.both(lambda world: world.spawn(number, repeat, now + at, until))

    # --- calls that run beside others ---

    def begun(self, call: Callable[[Any, int], Any], memcg: int = 0) -> Any:
        """Begin on both; the ticket is the same."""
        assert self.worlds is not None
        core, twin = (
            outcome(lambda world, n=n: call(world, self.of(n, memcg)), w)
            for n, w in enumerate(self.worlds)
        )
        assert core == twin
        return core

    @rule(memcg=memcgs)
    def begin_mkdir(self, memcg: int) -> None:
        ticket = self.begun(lambda world, handle: world.begin(0, handle), memcg)
        if isinstance(ticket, int):
            self.making.add(ticket)

    @rule(call=st.integers(1, 2), memcg=memcgs)
    def begin_rmdir_or_join(self, call: int, memcg: int) -> None:
        self.begun(lambda world, handle: world.begin(call, handle), memcg)

    @rule(call=st.integers(3, 5), root=roots, memcg=memcgs, count=counts)
    def begin_with_objects(self, call: int, root: int, memcg: int, count: int) -> None:
        self.begun(lambda world, handle: world.begin(call, root, handle, count), memcg)

    @rule(call=st.integers(6, 7), event=st.integers(0, 2))
    def begin_drop_or_hotplug(self, call: int, event: int) -> None:
        self.both(lambda world: world.begin(call, event))

    @rule(mutex=st.integers(0, 1))
    def hold(self, mutex: int) -> None:
        self.held.append(self.both(lambda world: world.begin(8, mutex)))

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 9), again=st.booleans())
    def let_go(self, which: int, again: bool) -> None:
        ticket = self.held[which % len(self.held)]
        self.both(lambda world: world.let_go(ticket))
        if not again:
            self.held.remove(ticket)

    @precondition(lambda self: self.held)
    @rule()
    def let_all_go(self) -> None:
        for ticket in self.held:
            self.both(lambda world, ticket=ticket: world.let_go(ticket))
        self.held.clear()

    @rule(kind=st.integers(0, 2), memcg=memcgs, root=roots)
    def watch(self, kind: int, memcg: int, root: int) -> None:
        self.begun(lambda world, handle: world.watch(kind, handle, root), memcg)

    @rule()
    def finished(self) -> None:
        assert self.worlds is not None
        core, twin = (world.finished() for world in self.worlds)
        for (ticket, *mine, error), (other, *its, other_error) in zip(
            core, twin, strict=True
        ):
            assert ticket == other
            assert (type(error), str(error)) == (type(other_error), str(other_error))
            if ticket in self.making and error is None:
                self.handles.append((mine.pop(), its.pop()))
            assert mine == its

    @rule(ns=st.one_of(lengths, st.just(20 * SECOND)))
    def advance_to_finished(self, ns: int) -> None:
        self.both(lambda world: world.advance_to_finished(world.now_ns + ns))
        self.both(lambda world: world.at_rest)
        for mutex in range(2):
            self.both(lambda world, mutex=mutex: world.line(mutex))

    @rule(ns=lengths)
    def advance(self, ns: int) -> None:
        self.both(lambda world: world.advance_to(world.now_ns + ns))

    @rule(when=lengths)
    def advance_to_what_may_be_past(self, when: int) -> None:
        self.both(lambda world: world.advance_to(when))

    @rule(seconds=st.sampled_from([1, 6]))
    def advance_seconds(self, seconds: int) -> None:
        self.both(lambda world: world.advance_to(world.now_ns + seconds * SECOND))

    @rule()
    def run_programs(self) -> None:
        self.both(lambda world: world.run())

    @rule()
    def drain(self) -> None:
        self.both(lambda world: world.drain())

    @invariant()
    def one_history(self) -> None:
        if self.worlds is not None:
            agree(*self.worlds)


TestAgreement = Agreement.TestCase
TestAgreement.settings = settings(stateful_step_count=30, suppress_health_check=PATIENT)

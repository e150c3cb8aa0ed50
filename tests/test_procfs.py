"""The files of a world: what a read costs, whom it keeps waiting, what each shows."""

import dataclasses
import errno
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slabcore import _core, reference
from slabcore.designs import designs
from slabcore.errors import (
    BusyError,
    InputError,
    LifecycleError,
    StaleHandleError,
)
from slabcore.machine import Costs, Machine

MS = 1_000_000
ENGINES = {"core": _core, "reference": reference}
PAGE = 4096
SLABINFO, MEMCG_SLABINFO, CGROUP_STAT, CGROUPS, LOADAVG = range(5)
READ = 44  # the step

HOP, ROW, CHILD = 7, 1000, 10
FLAT = dataclasses.replace(
    Costs(), list_hop=((1, HOP * 1000),), slabinfo_row=ROW, slabinfo_child=CHILD
)

every_design = pytest.mark.parametrize("design", designs)


def boot(engine, design, roots=0, costs=FLAT, **machine):
    made = Machine(**{"cpus": 2, "costs": costs} | machine)
    world = ENGINES[engine].World(designs[design], made, made.costs)
    for _ in range(roots):
        world.boot_cache(64, True, False, False)
    return world


def with_children(engine, design, roots, memcgs, costs=FLAT):
    """Boot a world where each cgroup has a child of each root, if it ever has."""
    world = boot(engine, design, roots, costs, kmem="on")
    handles = [world.mkdir() for _ in range(memcgs)]
    for handle in handles:
        for root in range(roots):
            world.alloc(root, handle, 1)
    world.drain()
    return world, handles


def rows(text):
    return [line.split()[0] for line in text.decode().splitlines()[2:]]


def whole(world, file, size=PAGE):
    text = b""
    while chunk := world.read(file, size):
        text += chunk
    return text


def roots_of(world):
    state = world.state()
    return {state["names"][serial] for serial in state["slab_root_caches"]}


# --- costs ---


@every_design
def test_a_chunk_costs_its_hops_and_its_rows(engine, design):
    world = boot(engine, design, 200)
    file = world.open(SLABINFO)
    index, total = 0, 0
    for shown in (36, 38, 38, 38, 38, 12, 0):
        before = world.counters()
        length = len(world.read(file, PAGE))
        after = world.counters()
        assert length == 107 * shown + 204 * (index == 0)
        visits = min(index + 1, 200)
        index += shown
        # The row that did not fit was printed too, and thrown away.
        printed = shown + (index < 200)
        held = HOP * (visits + shown) + ROW * printed
        mutex = [c["locks"]["slab_mutex"] for c in (before, after)]
        assert mutex[1]["holds"] == mutex[0]["holds"] + 1
        assert mutex[1]["held_ns"] - mutex[0]["held_ns"] == held
        hops = [c["list_hops"]["slabinfo"] for c in (before, after)]
        assert hops[1] - hops[0] == visits + shown
        total += visits
    # To find its place again the reader made 760 hops; it sees where it stands too.
    assert world.file_state(file)["visits"] == total == 760 + 6


@pytest.mark.parametrize(
    ("design", "passed", "children"),
    [
        *(("4.6", 40, 30), ("4.10", 40, 30)),
        *(("4.11", 10, 30), ("5.8", 10, 30), ("series-v1", 10, 30)),
        *(("5.9", 10, 0), ("6.12", 10, 0)),
    ],
)
def test_a_row_costs_its_children(engine, design, passed, children):
    world, _ = with_children(engine, design, 10, 3)
    held = world.counters()["locks"]["slab_mutex"]["held_ns"]
    walked = world.counters()["list_hops"]["slabinfo"]
    file = world.open(SLABINFO)
    text = whole(world, file)
    assert len(rows(text)) == 10
    hops = 1 + passed + passed  # to the first, to the end, and once more to the end
    counters = world.counters()
    assert counters["list_hops"]["slabinfo"] == walked + hops + children
    held = counters["locks"]["slab_mutex"]["held_ns"] - held
    assert held == HOP * hops + ROW * 10 + CHILD * children


@every_design
def test_a_row_is_the_sum_of_a_root_and_its_children(engine, design):
    world, handles = with_children(engine, design, 3, 4)
    for handle in handles:
        world.alloc(1, handle, 100)
    world.rmdir(handles[0])
    world.drain()
    state = world.state()
    per_slab = 64
    file = world.open(SLABINFO)
    lines = whole(world, file).decode().splitlines()[2:]
    for line, root in zip(lines, state["slab_root_caches"], strict=True):
        family = [root, *state["children"][root]]
        objects = sum(state["caches"][cache][0] for cache in family)
        slabs = sum(state["caches"][cache][1] for cache in family)
        name, active, total, *_, active_slabs, num_slabs, _ = line.split()
        assert name == state["names"][root]
        assert int(active_slabs) == int(num_slabs) == slabs
        assert int(total) == slabs * per_slab
        assert objects <= int(active) <= int(total)


def test_slab_counts_what_is_free_and_has_tunables(engine):
    world = boot(engine, "4.10", allocator="slab")
    for size in (64, 300, 1500, 5000, 200_000):
        world.boot_cache(size, False, False, False)
    world.alloc(0, 0, 100)
    world.free(0, 0, 99)
    lines = whole(world, world.open(SLABINFO)).decode().splitlines()[2:]
    tunables = [tuple(map(int, line.split()[8:11])) for line in lines]
    assert tunables == [(1, 1, 0), (8, 4, 0), (24, 12, 8), (54, 27, 8), (120, 60, 8)]
    fields = lines[-1].split()
    assert [int(fields[n]) for n in (1, 2, 13, 14)] == [1, 128, 1, 2]


# --- who waits ---


def until_held(world):
    while not world.state()["locks"]["slab_mutex"][0]:
        world.advance_to(world.now_ns + 10_000)


@pytest.mark.parametrize(("design", "waits"), [("4.8.15", True), ("4.10", False)])
def test_a_reader_waits_while_4_8_waits_for_grace_periods(engine, design, waits):
    world, (memcg,) = with_children(engine, design, 5, 1)
    world.rmdir(memcg)
    until_held(world)
    waited = world.counters()["locks"]["slab_mutex"]["waited_ns"]
    began = world.now_ns
    world.read(world.open(SLABINFO), PAGE)
    counters = world.counters()
    waited = counters["locks"]["slab_mutex"]["waited_ns"] - waited
    assert (waited > 5 * MS) == (world.now_ns - began > 5 * MS) == waits
    assert counters["grace_periods"]["under_slab_mutex"] == (5 if waits else 0)


def test_others_wait_for_a_reader_but_not_while_it_pauses(engine):
    slow = dataclasses.replace(FLAT, slabinfo_row=MS)
    world = boot(engine, "4.10", 50, slow)
    world.spawn(world.program([(READ, PAGE, 40 * MS, 0, 0)]))
    world.advance_to(10 * MS)
    assert world.state()["locks"]["slab_mutex"] == (True, 0)
    world.create_cache(64, False, False, False, False)
    assert 37 * MS < world.now_ns < 38 * MS  # after the 37th row
    world.create_cache(64, False, False, False, False)
    assert world.now_ns < 38 * MS
    world.run()
    ((began, took, calls, *_, held, _),) = world.slabinfo_reads()
    # The two that came in between made two rows come again.
    assert held // MS == 37 + 16
    assert calls == 3
    assert began + took - (held + 2 * 40 * MS) < MS
    assert world.counters()["slabinfo"]["rows_repeated"] == 2


@every_design
@settings(max_examples=5)
@given(
    sizes=st.lists(st.sampled_from([1, 107, 600, PAGE, 1 << 17]), min_size=1),
    cursor=st.booleans(),
)
def test_no_mutex_is_held_when_a_read_returns(design, sizes, cursor):
    world, (memcg, *_) = with_children("core", design, 9, 2)
    files = [
        world.open(kind, memcg if kind in (MEMCG_SLABINFO, CGROUP_STAT) else 0, cursor)
        for kind in range(5)
    ]
    for size in sizes:
        for file in files:
            world.read(file, size)
            locks = world.state()["locks"]
            assert not any(owned for owned, _ in locks.values())


def test_the_mutex_is_held_for_the_sections_of_a_paused_read_only(engine):
    world = boot(engine, "4.10", 80)
    world.spawn(world.program([(READ, 1000, 5 * MS, 0, 0)]))
    world.run()
    ((_, took, calls, _, _, _, start, next_, _, held, _),) = world.slabinfo_reads()
    assert held == world.counters()["locks"]["slab_mutex"]["held_ns"]
    assert held < HOP * (start + next_) + ROW * (80 + calls)
    assert took >= 5 * MS * (calls - 1) + held


# --- which list, and where the header is ---


@pytest.mark.parametrize(
    ("design", "of_none", "of_two"),
    [
        *(("4.6", 204, 204 + 214), ("4.10", 204, 204 + 214)),
        *(("4.11", 0, 204 + 214), ("5.8", 0, 204 + 214)),
        *(("5.9", 0, 0), ("6.12", 0, 0)),
    ],
)
def test_the_three_generations_of_a_cgroups_slabinfo(engine, design, of_none, of_two):
    world, (memcg,) = with_children(engine, design, 2, 1)
    bare = world.mkdir()
    assert len(whole(world, world.open(MEMCG_SLABINFO, bare))) == of_none
    text = whole(world, world.open(MEMCG_SLABINFO, memcg))
    assert len(text) == of_two
    # A child goes by its root's name, and no cgroup is added to a cgroup's row.
    assert rows(text) == (["cache-1", "cache-0"] if of_two else [])


@every_design
def test_the_file_of_a_removed_cgroup_is_gone(engine, design):
    world, (memcg,) = with_children(engine, design, 2, 1)
    files = [world.open(MEMCG_SLABINFO, memcg), world.open(CGROUP_STAT, memcg)]
    world.read(files[0], 100)
    world.rmdir(memcg)
    for file in files:
        with pytest.raises(OSError, match="No such device") as raised:
            world.read(file, PAGE, 5)
        assert raised.value.errno == errno.ENODEV
    with pytest.raises(LifecycleError, match="removed"):
        world.open(MEMCG_SLABINFO, memcg)
    world.drain()
    with pytest.raises(StaleHandleError):
        world.open(MEMCG_SLABINFO, memcg)
    world.mkdir()
    world.validate()
    for file in files:
        world.close(file)


@every_design
def test_an_empty_list_prints_nothing(engine, design):
    world = boot(engine, design)
    assert whole(world, world.open(SLABINFO)) == b""
    assert whole(world, world.open(SLABINFO, 0, True)) == b""


# --- the files of one record ---


def test_proc_cgroups_counts_the_dying_and_takes_cgroup_mutex_once(engine):
    world, (memcg, _) = with_children(engine, "4.10", 1, 2)
    world.rmdir(memcg)
    holds = world.counters()["locks"]["cgroup_mutex"]["holds"]
    file = world.open(CGROUPS)
    header, line = whole(world, file).decode().splitlines()
    assert header == "#subsys_name\thierarchy\tnum_cgroups\tenabled"
    assert line == "memory\t1\t3\t1"
    locks = world.counters()["locks"]
    assert locks["cgroup_mutex"]["holds"] == holds + 1


def test_cgroup_stat_counts_the_living_and_the_dying_below(engine):
    world = boot(engine, "4.20", 1)
    above = world.mkdir()
    middle = world.mkdir(above)
    below = world.mkdir(middle)
    world.mkdir()

    def stat(memcg):
        text = whole(world, world.open(CGROUP_STAT, memcg)).decode()
        return [int(line.split()[1]) for line in text.splitlines()]

    assert [stat(memcg) for memcg in (0, above, middle, below)] == [
        [4, 0],
        [2, 0],
        [1, 0],
        [0, 0],
    ]
    world.rmdir(below)
    assert stat(above) == [1, 1]
    world.drain()
    assert [stat(0), stat(above)] == [[3, 0], [1, 0]]


def test_the_load_average_is_the_filters(engine):
    world = boot(engine, "4.10", 1)
    world.spawn(world.program([(8, 20_000 * MS, 0, 0, 0)]), 3)
    world.advance_to(20_000 * MS)
    one, five, fifteen, running, last = (
        whole(world, world.open(LOADAVG)).decode().split()
    )
    counters = world.counters()
    for shown, load in (
        (one, counters["load1"]),
        (five, counters["load5"]),
        (fifteen, counters["load15"]),
    ):
        assert float(shown) == pytest.approx(load, abs=0.0051)
    # The program and who reads, of as many threads as there are.
    assert running == f"2/{counters['kworkers'] + 2}"
    assert int(last) > 2


# --- seeking ---


@pytest.mark.parametrize(
    ("design", "repeats"),
    [("4.10", 0), ("4.18", 0), ("4.20", 1), ("5.3", 0), ("6.12", 0)],
)
def test_a_seek_into_a_row_shows_it_twice_on_4_20(engine, design, repeats):
    world = boot(engine, design, 3)
    file = world.open(SLABINFO)
    text = whole(world, file)
    into = 204 + 107 + 50
    world.lseek(file, into)
    assert world.counters()["findings"] == []
    rest = whole(world, file)
    row = text[204 + 107 : 204 + 214]
    assert rest == text[into : 204 + 214] + row * repeats + text[204 + 214 :]
    found = {f["id"]: f["count"] for f in world.counters()["findings"]}
    assert found == ({"seq_file-record-repeated": 1} if repeats else {})
    # From the first byte on, to it, and at the end of a row nothing comes twice.
    assert world.read(file, 204 + 107, 0) + world.read(file, PAGE, 204 + 107) == text
    assert found == {f["id"]: f["count"] for f in world.counters()["findings"]}


# --- the reader that keeps its place ---

ACTS = st.one_of(
    st.tuples(st.just("create"), st.integers(1, 3)),
    st.tuples(st.just("destroy"), st.integers(0, 40)),
    st.tuples(st.just("mkdir"), st.integers(0, 3)),
    st.tuples(st.just("alloc"), st.integers(0, 40)),
    st.tuples(st.just("free"), st.integers(0, 40)),
    st.tuples(st.just("rmdir"), st.integers(0, 3)),
    st.tuples(st.just("advance"), st.sampled_from([1, 5, 40])),
    st.tuples(st.just("drain"), st.just(0)),
)


def act(world, what, n, made, memcgs):
    """Do something to the caches; what cannot be done is left."""
    try:
        if what == "create":
            for _ in range(n):
                made.append(world.create_cache(64, True, n == 2, False, False))
        elif what == "destroy":
            world.destroy_cache(made[n % len(made)])
        elif what == "mkdir":
            memcgs.append(world.mkdir(memcgs[n % len(memcgs)]))
        elif what == "rmdir":
            world.rmdir(memcgs[n % len(memcgs)])
        elif what in ("alloc", "free"):
            use = getattr(world, what)
            use(made[n % len(made)], memcgs[n % len(memcgs)], 1 + n % 3)
        elif what == "advance":
            world.advance_to(world.now_ns + n * MS)
        else:
            world.drain()
    except (BusyError, LifecycleError):
        pass


@every_design
@given(
    size=st.sampled_from([200, 512, PAGE]),
    acts=st.lists(st.lists(ACTS, max_size=6), min_size=1, max_size=9),
)
def test_a_cursor_shows_once_what_is_there_throughout(design, size, acts):
    world, memcgs = with_children("core", design, 14, 2)
    memcgs, made = [0, *memcgs], list(range(14))
    file = world.open(SLABINFO, 0, True)
    at_first = roots_of(world)
    text = world.read(file, size)
    for chunk in acts:
        for what, n in chunk:
            act(world, what, n, made, memcgs)
        world.validate()
        text += world.read(file, size)
    text += whole(world, file, size)
    times = Counter(rows(text))
    assert set(times.values()) == {1}
    assert times.keys() >= at_first & roots_of(world)
    assert times.keys() <= at_first
    assert text.count(b"slabinfo") == 1
    # It looks at one entry wherever it stands.
    assert world.file_state(file)["visits"] <= world.file_state(file)["start"]


@pytest.mark.parametrize("design", ["5.3", "5.5", "5.8"])
def test_a_cursor_stays_while_caches_come_from_below(engine, design):
    """What a cgroup inherits stands before what it has shown already."""
    world, (memcg,) = with_children(engine, design, 40, 1)
    below = world.mkdir(memcg)
    for _ in range(2):  # the first miss, then what their own caches hold
        for root in range(40):
            world.alloc(root, below, 1)
        world.drain()
    file = world.open(MEMCG_SLABINFO, memcg, True)
    gone = world.open(MEMCG_SLABINFO, below, True)
    world.read(gone, 500)
    text = world.read(file, 1000)
    world.rmdir(below)
    world.drain()
    assert len(world.state()["kmem_caches"][1]) == 80
    world.validate()
    text += whole(world, file, 1000)
    assert rows(text) == [f"cache-{n}" for n in range(39, -1, -1)]
    # What is left of the chunk still comes.
    assert world.read(gone, PAGE)
    with pytest.raises(OSError, match="No such device"):
        world.read(gone, PAGE)


def test_a_cursor_is_at_the_end_for_good_but_a_file_begins_anew(engine):
    world = boot(engine, "4.10", 3)
    file = world.open(SLABINFO, 0, True)
    assert len(rows(whole(world, file))) == 3
    world.create_cache(64, False, False, False, False)
    assert world.read(file, PAGE) == b""
    assert rows(world.read(file, PAGE, 0)) == [f"cache-{n}" for n in (3, 2, 1, 0)]


# --- names, numbers, errors ---


def test_a_cache_is_called_by_its_name(engine):
    world = boot(engine, "6.12")
    world.boot_cache(64, False, False, False, False, "dentry")
    world.boot_cache(64, False, False, False)
    world.create_cache(64, False, False, False, False, False, "x" * 127)
    text = whole(world, world.open(SLABINFO))
    assert rows(text) == ["x" * 127, "cache-1", "dentry"]
    assert b"\ndentry                 0      0     64   64    1 : tunables" in text


@pytest.mark.parametrize("name", ["a b", "a\n", "\x7f", "x" * 128, "ü" * 64, "\ud800"])
def test_a_name_is_one_word_of_less_than_128_bytes(engine, name):
    world = boot(engine, "4.10")
    for make in (world.boot_cache, world.create_cache):
        with pytest.raises(InputError, match="is no name; expected"):
            make(64, False, False, False, name=name)


def test_a_merged_cache_keeps_the_name_of_the_first(engine):
    world = boot(engine, "4.10")
    world.boot_cache(64, False, False, False, True, "first")
    assert world.create_cache(64, False, False, False, True, True, "second") == 0
    assert roots_of(world) == {"first"}


def test_a_closed_file_and_a_programs_are_nobodys(engine):
    world = boot(engine, "4.10", 3)
    file = world.open(SLABINFO)
    world.close(file)
    for use in (world.close, world.file_state, lambda n: world.read(n, 1)):
        with pytest.raises(StaleHandleError):
            use(file)
    world.spawn(world.program([(READ, 107, 50 * MS, 1, 0)]))
    world.advance_to(20 * MS)
    assert list(world.state()["files"]) == [file]
    with pytest.raises(StaleHandleError):
        world.close(file)
    world.run()
    assert world.state()["files"] == {}


def test_a_read_that_cannot_be_is_refused(engine):
    world = boot(engine, "4.10", 3)
    file = world.open(SLABINFO)
    for call in (
        lambda: world.read(file, -1),
        lambda: world.lseek(file, -1),
        lambda: world.lseek(file, 0, 2),
    ):
        with pytest.raises(OSError, match="Invalid argument") as raised:
            call()
        assert raised.value.errno == errno.EINVAL
    with pytest.raises(ValueError, match="no file of kind 5"):
        world.open(5)


@pytest.mark.parametrize("step", [(READ, 0, 0, 0, 0), (READ, 9, 0, 2, 0)])
def test_a_step_that_reads_nothing_is_refused(step):
    with pytest.raises(ValueError, match="reads no bytes"):
        boot("core", "4.10").program([step])

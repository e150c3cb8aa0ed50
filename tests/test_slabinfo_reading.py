"""slabinfo that changes between two reads: which rows are lost, repeated and paid for.

R root caches, N caches in all, and readers: the kernel's, whose place is the number of
entries passed, and one with a cursor, whose place is an entry.
"""

from __future__ import annotations

import errno
import itertools
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slabcore import IntrusiveList, SeqFile, World
from slabcore.designs import designs
from slabcore.errors import LifecycleError, StaleHandleError
from slabcore.machine import Machine
from slabcore.reference import World as Reference
from slabcore.reference.seq_file import SeqFile as Twin

MS = 1_000_000
HEADER, ROW = 24 + 180, 107  # bytes
SLABINFO, MEMCG_SLABINFO, CGROUP_STAT, CGROUPS, LOADAVG = range(5)
ENGINES: dict[str, Any] = {"core": World, "reference": Reference}
MKDIR, RMDIR, FORK, JOIN, ALLOC, SLEEP, EXIT, WAIT = 1, 2, 3, 4, 5, 7, 10, 11
CREATE_CACHE, DESTROY_CACHE, READ = 16, 17, 44

WALKING = [
    n
    for n, d in designs.items()
    if d.child_caches and d.slab_caches == "all" and not d.root_list
]
WITH_CHILDREN = [n for n, d in designs.items() if d.child_caches]
every_design = pytest.mark.parametrize("name", designs)
readers = pytest.mark.parametrize("cursor", [False, True], ids=["kernel", "cursor"])


# --- the worked examples, on a list ---


class Letters:
    """A list of letters, first to last: a capital prints a row, others nothing.

    Three rows fill the buffer. A test changes it by what kernels do: insert at the
    head, remove.
    """

    def __init__(self, letters: str, kind: str, era: str, cursor: bool) -> None:
        self.letters = list(letters)
        self.entries = IntrusiveList([*map(ord, letters)])
        options: Any = {"era": era, "cursor": cursor}
        if kind == "list":
            self.file: Any = SeqFile(self.entries, show=self.show_handle, **options)
        else:
            self.file = {"core": SeqFile, "twin": Twin}[kind](self, **options)

    # what a source is asked

    def start(self, pos: int) -> str | None:
        return self.letters[pos] if pos < len(self.letters) else None

    def next(self, letter: str, pos: int) -> tuple[str | None, int]:
        return self.start(self.letters.index(letter) + 1), pos + 1

    def stop(self, letter: str | None) -> None:
        pass

    def show(self, m: Any, letter: str) -> None:
        if letter.isupper():
            m.write(letter.ljust(1300, ".") + "\n")

    def show_handle(self, m: Any, handle: int) -> None:
        self.show(m, chr(self.entries.value(handle)))

    # what happens to it

    def insert(self, letters: str) -> None:
        for letter in letters:
            self.letters.insert(0, letter)
            self.entries.add(ord(letter))

    def remove(self, letters: str) -> None:
        for letter in letters:
            index = self.letters.index(letter)
            following = self.start(index + 1)
            self.file.removed(letter, following)
            self.letters.remove(letter)
            self.entries.remove(self.entries.handles()[index].item())

    def read(self) -> str:
        return "".join(line[0] for line in self.file.read(65536).decode().splitlines())


class Example(NamedTuple):
    letters: str
    read: str
    inserted: str
    removed: str
    then: list[str]  # what the reads after it bring, up to the end
    by_cursor: list[str]


G3 = "ihgfedcbaFEDCBA"  # nine children before the roots
EXAMPLES = {
    "a root created": Example("FEDCBA", "FED", "G", "", ["DCB", "A"], ["CBA"]),
    "a root destroyed": Example("FEDCBA", "FED", "", "E", ["BA"], ["CBA"]),
    "a root not yet shown destroyed": Example("FEDCBA", "FED", "", "B", ["CA"], ["CA"]),
    "two children created": Example(G3, "FED", "jk", "", ["EDC", "BA"], ["CBA"]),
    "two children destroyed": Example(G3, "FED", "", "bc", ["A"], ["CBA"]),
    "four children destroyed": Example(G3, "FED", "", "bcgi", [], ["CBA"]),
    "one created and one destroyed": Example(G3, "FED", "j", "a", ["CBA"], ["CBA"]),
}
examples = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)


@pytest.mark.parametrize("era", "ABCD")
@pytest.mark.parametrize("kind", ["list", "core", "twin"])
@examples
def test_what_a_change_between_two_chunks_does(kind, era, example):
    for cursor in (False, True) if era == "D" else (False,):
        letters = Letters(example.letters, kind, era, cursor)
        assert letters.read() == example.read
        letters.insert(example.inserted)
        letters.remove(example.removed)
        then = list(iter(letters.read, ""))
        assert then == (example.by_cursor if cursor else example.then)


@pytest.mark.parametrize("era", "ABCD")
@pytest.mark.parametrize("kind", ["list", "core", "twin"])
def test_after_the_end_a_new_head_brings_the_last_row_again(kind, era):
    for cursor in (False, True) if era == "D" else (False,):
        letters = Letters("FE", kind, era, cursor)
        assert [letters.read(), letters.read()] == ["FE", ""]
        letters.insert("G")
        assert letters.read() == ("" if cursor else "E")
        assert letters.read() == ""


# --- the worked examples, on kernels ---


class Machinery:
    """A world with the roots of names A, B … (the last is first on the list).

    Children are A's. Nothing takes time, so that the world is at rest between reads.
    """

    def __init__(
        self,
        engine: str,
        name: str,
        roots: int | str,
        children: int = 0,
        **options: Any,
    ) -> None:
        self.design = designs[name]
        machine = Machine(cpus=2, kmem="on", **options)
        self.world = ENGINES[engine](self.design, machine, machine.costs)
        named: Any = roots
        if isinstance(roots, int):
            named = "".join(map(chr, range(ord("A"), ord("A") + roots)))
            if roots > 50:
                named = [f"{number:03}" for number in range(roots)]
        self.roots = {
            name: self.world.boot_cache(64, True, False, False, False, name)
            for name in named
        }
        self.memcgs: list[int] = []
        self.mkdir(children)

    def mkdir(self, count: int, below: int = 0) -> None:
        """Create cgroups that get a cache each, if kernels had such."""
        for _ in range(count):
            memcg = self.world.mkdir(below)
            self.world.alloc(0, memcg, 1)  # misses: an object of the root's
            self.world.drain()
            self.world.free(0, memcg, 1)
            self.world.drain()
            self.memcgs.append(memcg)

    def rmdir(self, count: int, first: int = 0) -> None:
        """Remove cgroups, and so destroy their caches."""
        for _ in range(count):
            self.world.rmdir(self.memcgs.pop(first))
            self.world.drain()

    def create(self, letters: str) -> None:
        for letter in letters:
            self.roots[letter] = self.world.create_cache(
                64, True, False, False, False, False, letter
            )

    def destroy(self, letters: str) -> None:
        for letter in letters:
            self.world.destroy_cache(self.roots.pop(letter))
            self.world.drain()

    def open(self, kind: int = SLABINFO, memcg: int = 0, cursor: bool = False) -> int:
        return int(self.world.open(kind, memcg, cursor))

    def read(self, file: int, rows: int, header: bool = False) -> str:
        """Read so many rows; return the names in what comes."""
        text = self.world.read(file, HEADER * header + ROW * rows)
        assert text.startswith(b"slabinfo - version: 2.1\n#") == (header and text > b"")
        return "".join(names(text))

    def rest(self, file: int, rows: int) -> list[str]:
        """Read so many rows at a time, to the end."""
        return list(iter(lambda: self.read(file, rows), ""))


def names(text: bytes) -> list[str]:
    lines = text.decode().splitlines()
    return [line.split()[0] for line in lines if not line.startswith(("slabinfo", "#"))]


def lines_of(text: bytes) -> list[str]:
    return text.decode().splitlines()[2:]


def rows_of(text: bytes) -> dict[str, list[int]]:
    """Return active_objs, num_objs, active_slabs and num_slabs of each name."""
    rows: dict[str, list[int]] = {}
    for line in lines_of(text):
        words = line.split()
        assert words[0] not in rows
        rows[words[0]] = [int(words[i]) for i in (1, 2, 13, 14)]
    return rows


def whole(world: Any, kind: int, memcg: int = 0, cursor: bool = False) -> bytes:
    file = world.open(kind, memcg, cursor)
    text = b"".join(iter(lambda: world.read(file, 1 << 16), b""))
    world.close(file)
    return text


@readers
@every_design
@examples
def test_what_a_change_does_to_a_kernel_s_slabinfo(engine, name, cursor, example):
    children = sum(map(str.islower, example.letters))
    then = example.then if not children or name in WALKING else ["CBA"]
    kernel = Machinery(engine, name, "ABCDEF", children)
    live = kernel.world.counters()["caches"]["live"]
    assert live == 6 + children * kernel.design.child_caches
    file = kernel.open(cursor=cursor)
    assert kernel.read(file, 3, header=True) == example.read
    if children:
        kernel.mkdir(len(example.inserted))
        kernel.rmdir(len(example.removed), first=1)
    else:
        kernel.create(example.inserted)
        kernel.destroy(example.removed)
    assert kernel.rest(file, 3) == (example.by_cursor if cursor else then)
    kernel.world.validate()


@readers
@every_design
def test_after_the_end_of_a_kernel_s_file_the_last_row_comes_again(
    engine, name, cursor
):
    kernel = Machinery(engine, name, "EF")
    file = kernel.open(cursor=cursor)
    assert kernel.read(file, 3, header=True) == "FE"
    assert kernel.read(file, 3) == ""
    kernel.create("G")
    assert kernel.read(file, 3) == ("" if cursor else "E")
    assert kernel.read(file, 3) == ""


@readers
@every_design
def test_the_header_comes_with_the_first_entry_of_a_file(engine, name, cursor):
    kernel = Machinery(engine, name, "")
    file = kernel.open(cursor=cursor)
    assert kernel.world.read(file, 65536) == b""  # an empty list prints nothing
    for letter in "AB":
        kernel.roots[letter] = kernel.world.create_cache(
            64, True, False, False, False, False, letter
        )
    # Nothing was read: it is the beginning still.
    assert kernel.read(file, 1, header=True) == "B"
    kernel.create("CD")
    assert kernel.rest(file, 1) == (["A"] if cursor else ["C", "B", "A"])


@readers
@every_design
def test_a_seek_to_the_beginning_shows_the_list_as_it_is(engine, name, cursor):
    kernel = Machinery(engine, name, "ABCDEF", 3)
    file = kernel.open(cursor=cursor)
    assert kernel.read(file, 3, header=True) == "FED"
    kernel.create("G")
    kernel.destroy("E")
    kernel.rmdir(2)
    assert kernel.world.lseek(file, 0) == 0
    assert kernel.read(file, 3, header=True) == "GFD"
    assert kernel.rest(file, 3) == ["CBA"]


@every_design
def test_the_entries_that_cursors_stand_at_may_go(engine, name):
    kernel = Machinery(engine, name, "ABCDEF", 2)
    one, other = kernel.open(cursor=True), kernel.open(cursor=True)
    assert kernel.read(one, 3, header=True) == "FED"
    assert kernel.read(other, 2, header=True) == "FE"
    kernel.destroy("DC")
    kernel.create("GH")
    kernel.world.validate()
    assert kernel.read(one, 1) == kernel.read(other, 1) == "B"
    kernel.rmdir(2)
    kernel.destroy("A")  # and its last entry: they are at the end
    kernel.create("I")
    kernel.world.validate()
    assert kernel.rest(one, 3) == kernel.rest(other, 3) == []
    kernel.world.close(one)
    assert "".join(names(whole(kernel.world, SLABINFO))) == "IHGFEB"


# --- what is repeated less what is missing ---


@given(
    era=st.sampled_from("ABCD"),
    count=st.integers(1, 25),
    gaps=st.lists(
        st.lists(
            st.one_of(st.just("head"), st.just("tail"), st.integers(0, 99)), max_size=6
        ),
        max_size=8,
    ),
)
def test_rows_read_too_often_are_the_insertions_less_the_removals_before(
    era: str, count: int, gaps: list[list[Any]]
) -> None:
    fresh = map(chr, itertools.count(0x4E00))  # capitals in their way: all print
    list_ = Letters("".join(itertools.islice(fresh, count)), "list", era, False)
    list_.show = lambda m, letter: m.write(letter.ljust(1300) + "\n")  # type: ignore[method-assign]
    read = len(list_.read())
    owed, before = count, 0
    for gap in gaps:
        passed = set(list_.letters[: list_.file.state["index"]])
        for change in gap:
            if change == "head":
                letter = next(fresh)
                list_.insert(letter)
                passed.add(letter)
                before += 1
            elif change == "tail":
                letter = next(fresh)
                list_.letters.append(letter)
                list_.entries.add_tail(ord(letter))
                owed += 1
            elif list_.letters:
                letter = list_.letters[change % len(list_.letters)]
                list_.remove(letter)
                before -= letter in passed
                owed -= letter not in passed
        if list_.file.state["index"] > len(list_.letters):
            return  # behind the end of the list, which looks like the file's
        read += len(list_.read())
    read += sum(map(len, iter(list_.read, "")))
    assert read - owed == before


class Gap(NamedTuple):
    created: int
    destroyed: int


GAPS = st.lists(st.builds(Gap, st.integers(0, 3), st.integers(0, 3)), max_size=6)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=1 + settings.default.max_examples // 5)
@given(name=st.sampled_from(WITH_CHILDREN), rows=st.integers(3, 6), gaps=GAPS)
def test_children_made_and_destroyed_between_chunks_move_the_rows(
    engine: str, name: str, rows: int, gaps: list[Gap]
) -> None:
    kernel = Machinery(engine, name, 20, 5)
    file, cursor = kernel.open(), kernel.open(cursor=True)
    read = kernel.read(file, rows, header=True)
    by_cursor = kernel.read(cursor, rows, header=True)
    moved = 0
    for created, destroyed in gaps:
        if len(read) + 3 > 20 + moved:  # the place could leave the list
            break
        destroyed = min(destroyed, len(kernel.memcgs))
        kernel.rmdir(destroyed)
        kernel.mkdir(created)
        moved += created - destroyed if name in WALKING else 0
        read += kernel.read(file, rows)
        by_cursor += kernel.read(cursor, rows)
    read += "".join(kernel.rest(file, rows))
    by_cursor += "".join(kernel.rest(cursor, rows))
    missing, repeated = 20 - len(set(read)), len(read) - len(set(read))
    assert repeated - missing == moved
    assert by_cursor == "".join(reversed(kernel.roots))


# --- a list that stays as it is ---


class Inhabited(Machinery):
    """A world with children that live, that are dying, and cgroups below cgroups."""

    def __init__(self, engine: str, name: str, dying: int = 2, **options: Any) -> None:
        super().__init__(engine, name, 50, **options)
        world = self.world
        self.mkdir(1)
        self.mkdir(2, below=self.memcgs[0])
        self.mkdir(4)
        for memcg in self.memcgs:
            world.alloc(1, memcg, 1)  # misses
            world.drain()
            world.free(1, memcg, 1)
        self.own = rows_of(whole(world, SLABINFO))
        for number, memcg in enumerate(self.memcgs):
            world.alloc(0, memcg, 40 + 30 * number)
            world.alloc(1, memcg, 1000 * number)
            world.free(0, memcg, 20 * number)
        for _ in range(dying):
            self.rmdir(1, first=-1)


inhabited: dict[tuple[str, str], Inhabited] = {}


def settled(engine: str, name: str) -> Inhabited:
    """Return one world for all tests that only read."""
    key = engine, name
    if key not in inhabited:
        inhabited[key] = Inhabited(engine, name)
    return inhabited[key]


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=1 + settings.default.max_examples // 2)
@given(
    name=st.sampled_from([*designs]),
    kind=st.integers(SLABINFO, LOADAVG),
    cursor=st.booleans(),
    sizes=st.lists(
        st.one_of(st.integers(1, 300), st.integers(1, 10_000)), min_size=1, max_size=5
    ),
)
def test_any_sizes_of_reads_make_up_one_rendering(
    engine: str, name: str, kind: int, cursor: bool, sizes: list[int]
) -> None:
    kernel = settled(engine, name)
    world = kernel.world
    memcg = kernel.memcgs[0] if kind in (MEMCG_SLABINFO, CGROUP_STAT) else 0
    expected = whole(world, kind, memcg)
    file = world.open(kind, memcg, cursor)
    chunks = []
    for size in itertools.cycle(sizes):
        chunks.append(world.read(file, size))
        assert len(chunks[-1]) <= size
        if not chunks[-1]:
            break
    text = b"".join(chunks)
    if kind == LOADAVG:  # ends in the number of the task that is reading
        text, expected = text.rsplit(b" ", 1)[0], expected.rsplit(b" ", 1)[0]
    assert text == expected
    at = sum(sizes)
    # After a seek into a record 4.19 to 5.2 deliver all of it again.
    if kind != LOADAVG and (cursor or kernel.design.seq_file != "B"):
        there = world.read(file, 500, at)
        assert expected[at:].startswith(there)
        assert there or at >= len(expected)
    world.close(file)


@pytest.mark.parametrize("allocator", ["slub", "slab"])
@pytest.mark.parametrize("name", WITH_CHILDREN)
def test_the_row_of_a_root_is_its_own_counts_and_all_its_children_s(
    engine, name, allocator
):
    if allocator == "slab" and designs[name].slab_caches == "roots":
        return  # its reaper finds no child, and no child ends
    kernel = Inhabited(engine, name, allocator=allocator)
    world, state = kernel.world, kernel.world.state()
    text = whole(world, SLABINFO)
    rows = rows_of(text)
    per_slab = {line.split()[0]: int(line.split()[4]) for line in lines_of(text)}
    of_cgroups = [rows_of(whole(world, MEMCG_SLABINFO, m)) for m in kernel.memcgs]
    assert [*rows] == [state["names"][serial] for serial in state["slab_root_caches"]]
    for serial, letter in zip(state["slab_root_caches"], rows, strict=True):
        children = state["children"][serial]
        caches = [state["caches"][cache] for cache in (serial, *children)]
        inuse, slabs = (sum(cache[i] for cache in caches) for i in (0, 1))
        active_objs, num_objs, _, num_slabs = rows[letter]
        assert (num_objs, num_slabs) == (slabs * per_slab[letter], slabs)
        assert inuse <= active_objs <= num_objs
        assert active_objs == inuse or allocator == "slub"
        # What its own and the cgroups' files leave over is the dying children's.
        known = [kernel.own[letter]] + [of.get(letter, [0] * 4) for of in of_cgroups]
        left = [all_ - sum(of) for all_, *of in zip(rows[letter], *known, strict=True)]
        dying = [cache for cache in caches if cache[3]]
        assert left[3] == sum(cache[1] for cache in dying)
        assert len(dying) == (2 if children else 0)
        assert all(left) if dying else not any(left)


@pytest.mark.parametrize("name", designs)
def test_while_no_child_is_dying_the_files_of_the_cgroups_add_up(engine, name):
    kernel = Inhabited(engine, name, dying=0)
    rows = rows_of(whole(kernel.world, SLABINFO))
    of_cgroups = [
        rows_of(whole(kernel.world, MEMCG_SLABINFO, m)) for m in kernel.memcgs
    ]
    for letter, row in rows.items():
        known = [kernel.own[letter]] + [of.get(letter, [0] * 4) for of in of_cgroups]
        added = [sum(counts) for counts in zip(*known, strict=True)]
        assert (row == added) == (letter not in "AB" or kernel.design.child_caches)


# --- the files of a cgroup ---


@every_design
def test_the_header_of_a_cgroup_s_file_is_the_list_s(engine, name):
    kernel = Machinery(engine, name, "AB", 2)
    world, memcg = kernel.world, kernel.world.mkdir()
    used, unused = kernel.memcgs[0], memcg
    with_row, without = (whole(world, MEMCG_SLABINFO, m) for m in (used, unused))
    if name not in WITH_CHILDREN:
        assert with_row == without == b""
        return
    header, row = with_row[:HEADER], with_row[HEADER:]
    assert header == whole(world, SLABINFO)[:HEADER]
    assert names(row) == ["A"]  # the root's name
    # Where all caches are walked the first of them is there, whosever it is.
    assert without == (header if name in WALKING else b"")


@readers
@every_design
def test_a_cgroup_s_files_end_with_it(engine, name, cursor):
    kernel = Machinery(engine, name, "AB", 2)
    world, memcg = kernel.world, kernel.memcgs[0]
    world.alloc(0, memcg, 10)
    opened = [kernel.open(k, memcg, cursor) for k in (MEMCG_SLABINFO, CGROUP_STAT)]
    whole_, begun = world.read(opened[1], 65536), world.read(opened[0], HEADER + 7)
    assert whole_ == b"nr_descendants 0\nnr_dying_descendants 0\n"
    kernel.rmdir(1)
    # What the reader's buffer holds is its own.
    rest = world.read(opened[0], 65536) if begun else b""
    assert len(rest) == (ROW - 7 if begun else 0)
    for file in opened:
        with pytest.raises(OSError, match="No such device") as failure:
            world.read(file, 100)
        assert failure.value.errno == errno.ENODEV
        with pytest.raises(OSError, match="No such device"):
            world.read(file, 100, 5)
        with pytest.raises(OSError, match="No such device"):
            world.lseek(file, 1)
        world.validate()
        world.close(file)
    with pytest.raises((LifecycleError, StaleHandleError)):
        world.open(MEMCG_SLABINFO, memcg)
    world.validate()


@every_design
def test_dying_cgroups_are_counted_where_each_kernel_counts_them(engine, name):
    kernel = Inhabited(engine, name)
    world = kernel.world

    def counted(kind: int, memcg: int = 0) -> list[int]:
        words = whole(world, kind, memcg).decode().split()
        return [int(word) for word in words if word.isdecimal()]

    live, dying = (world.counters()["cgroups"][key] for key in ("live", "dying"))
    assert live == len(kernel.memcgs) + dying
    # A slab page pins its dead cgroup up to 5.2.
    assert dying == (2 if name in WITH_CHILDREN and not reparents(name) else 0)
    assert counted(CGROUPS) == [1, 1 + live, 1]  # hierarchy, cgroups, enabled
    assert counted(CGROUP_STAT, 0) == [len(kernel.memcgs), dying]
    assert counted(CGROUP_STAT, kernel.memcgs[0]) == [2, 0]
    world.rmdir(kernel.memcgs[1])
    assert counted(CGROUP_STAT, kernel.memcgs[0])[0] == 1
    world.drain()
    pinned = int(dying > 0)
    assert counted(CGROUP_STAT, kernel.memcgs[0]) == [1, pinned]
    assert counted(CGROUPS)[1] == world.counters()["cgroups"]["live"] + 1


def reparents(name: str) -> bool:
    return bool(designs[name].reparenting)


def test_the_load_average_is_the_counters_to_two_places(engine):
    machine = Machine(cpus=2, kmem="on")
    world = ENGINES[engine](designs["4.10"], machine, machine.costs)
    sleeper = world.program([(8, 200 * MS, 0, 0, 0)])  # runs, on a CPU of its own
    world.spawn(sleeper, 400)
    for seconds in (7, 30, 71):
        world.advance_to(seconds * 1000 * MS)
        counters, tasks = world.counters(), whole(world, LOADAVG).split()
        loads = [counters[key] for key in ("load1", "load5", "load15")]
        assert [float(word) for word in tasks[:3]] == pytest.approx(loads, abs=0.0051)
        runnable, threads = map(int, tasks[3].split(b"/"))
        assert runnable == 2  # the program and the reader
        assert threads == counters["kworkers"] + 2
    assert loads[0] > 0.5


# --- slab_mutex ---


@readers
@every_design
def test_no_read_returns_with_slab_mutex(engine, name, cursor):
    kernel = Inhabited(engine, name)
    world = kernel.world
    for size in (60, 3000, 65536):
        file = world.open(SLABINFO, 0, cursor)
        holds = world.counters()["locks"]["slab_mutex"]["holds"]
        while world.read(file, size):
            assert world.state()["locks"]["slab_mutex"] == (False, 0)
        world.read(file, size, 100)
        locks = world.counters()["locks"]["slab_mutex"]
        # A hold a section, and a section a start().
        assert locks["holds"] - holds == world.file_state(file)["start"]
        assert world.state()["locks"]["slab_mutex"] == (False, 0)
        world.close(file)


def churn(world: Any) -> int:
    """Write a program whose cgroup gets and loses children."""
    child = world.program([(JOIN, 0, 0, 0, 0), (ALLOC, 0, 3, 3, 0), (EXIT, 0, 0, 0, 0)])
    parent = [
        (MKDIR, 0, 0, 0, 0),
        (FORK, child, 0, 0, 0),
        (WAIT, 0, 0, 0, 0),
        (RMDIR, 0, 0, 0, 0),
    ]
    return int(world.program(parent))


@every_design
def test_no_reader_holds_slab_mutex_in_its_pauses(engine, name):
    kernel = Machinery(engine, name, 60)
    world, pause = kernel.world, 20 * MS
    for cursor in (0, 1):
        world.spawn(world.program([(READ, 1000, pause, cursor, 0)]), 4)
    world.spawn(churn(world), 30)
    world.run()
    reads = world.slabinfo_reads()
    assert len(reads) == 8
    for _, took, calls, rows, missing, repeated, *_, held, cursor in reads:
        assert took >= (calls - 1) * pause > 0
        assert held <= took - (calls - 1) * pause
        assert rows == 60 - missing + repeated
        if cursor or name not in WALKING:
            assert missing == repeated == 0
    if designs[name].deactivation != "gp-per-cache":  # which waits holding it
        assert world.counters()["locks"]["slab_mutex"]["longest_wait_ns"] < pause


# --- chunks ---


@readers
@every_design
def test_a_table_of_200_rows_comes_in_six_chunks(engine, name, cursor):
    kernel = Machinery(engine, name, 200)
    world, file = kernel.world, kernel.open(cursor=cursor)
    chunks = list(iter(lambda: world.read(file, 65536), b""))
    assert [len(names(chunk)) for chunk in chunks] == [36, 38, 38, 38, 38, 12]
    assert [len(chunk) for chunk in chunks[:2]] == [4056, 4066]
    state = world.file_state(file)
    assert state["start"] == 7  # the last finds the end
    assert state["next"] == 200
    # A start looks at one node more than it has links to walk, unless at the end.
    links = state["visits"] - 6
    assert links == (0 if cursor else 760)
    assert state["size"] == 4096
    assert world.counters()["list_hops"]["slabinfo"] == state["visits"] + 200


# --- ten thousand caches come and go ---


class Monitored(Machinery):
    """A table of 200 roots that is read over and over while programs live.

    A page a read and a millisecond between two, by both readers at once.
    """

    def __init__(self, name: str) -> None:
        super().__init__("core", name, 200)
        for cursor in (0, 1):
            program = self.world.program([(READ, 4096, MS, cursor, 0)])
            self.world.spawn(program, 1 << 30, 0, 0, True)

    def counts(self, reader: str) -> tuple[int, int]:
        """Run to the programs' end; return how many rows were missed and repeated."""
        self.world.run()
        self.world.validate()
        own = [
            read
            for read in self.world.slabinfo_reads()
            if read[10] == (reader == "cursor")
        ]
        assert len(own) > 500
        if reader == "cursor":  # a node a section, however long the list is
            assert all(read[6] <= read[2] for read in own)
        return sum(read[4] for read in own), sum(read[5] for read in own)


@every_design
def test_10_000_children_that_come_and_go_move_rows_up_to_4_10(name):
    table = Monitored(name)
    child = [
        (JOIN, 0, 0, 0, 0),
        (ALLOC, 0, 4, 4, 0),
        (SLEEP, 5 * MS, 0, 0, 0),
        (EXIT, 0, 0, 0, 0),
    ]
    life = [
        (MKDIR, 0, 0, 0, 0),
        (FORK, table.world.program(child), 0, 0, 0),
        (WAIT, 0, 0, 0, 0),
        (RMDIR, 0, 0, 0, 0),
    ]
    for _ in range(2):
        table.world.spawn(table.world.program(life), 1250)
    missing, repeated = table.counts("kernel")
    created = table.world.counters()["caches"]["created"]
    # Some wait too long for slab_mutex: their cgroup is gone by then.
    assert name not in WITH_CHILDREN or 9_900 < created <= 10_000
    if name in WALKING:
        assert missing > 0 and repeated > 0
    else:
        assert missing == repeated == 0
    assert table.counts("cursor") == (0, 0)


@every_design
def test_10_000_roots_that_come_and_go_move_rows_in_every_kernel(name):
    table = Monitored(name)
    for number in range(4):
        life = [
            (CREATE_CACHE, 64, 0, 0, 0),
            (SLEEP, 1_300_000 * (number + 1), 0, 0, 0),
            (DESTROY_CACHE, 0, 0, 0, 0),
        ]
        table.world.spawn(table.world.program(life), 2500)
    missing, repeated = table.counts("kernel")
    assert table.world.counters()["roots"]["destroyed"] == 10_000
    assert missing > 0 and repeated > 0
    assert table.counts("cursor") == (0, 0)

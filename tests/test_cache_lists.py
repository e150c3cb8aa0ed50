"""CacheLists: three lists a cache, against the twin, and what a replay leaves."""

import doctest
import gc
import inspect
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from slabcore import CacheLists, InputError, LifecycleError, StaleHandleError
from slabcore.reference import cache_lists as reference

DTYPE = CacheLists.event_dtype()
KINDS = st.sampled_from([CacheLists.MKDIR, CacheLists.ALLOC, CacheLists.OFFLINE])


def test_the_example_of_the_class_runs():
    finder = doctest.DocTestFinder()
    runner = doctest.DocTestRunner()
    for example in finder.find(CacheLists, "CacheLists"):
        runner.run(example)
    assert runner.tries and not runner.failures


def test_its_signature_is_its_own():
    assert str(inspect.signature(CacheLists)) == "(roots, *, huge_pages=True)"


# --- against the twin ---


class Both(RuleBasedStateMachine):
    """Do the same to the core and to the reference."""

    @initialize(roots=st.integers(1, 4))
    def begin(self, roots):
        self.roots = roots
        self.core = CacheLists(roots)
        self.twin = reference.CacheLists(roots)
        self.twins = {}  # the reference's handle of each of the core's
        self.alive = []
        self.gone = []

    def known(self, handles):
        made = self.twin.mkdir_many(len(handles))
        self.twins |= dict(zip(handles, made, strict=True))
        self.alive += handles

    def drawn(self, data, count):
        if not self.alive:
            return []
        return data.draw(st.lists(st.sampled_from(self.alive), max_size=count))

    @rule()
    def mkdir(self):
        self.known([self.core.mkdir()])

    @rule(count=st.integers(0, 5))
    def mkdir_many(self, count):
        self.known(self.core.mkdir_many(count).tolist())

    @rule(data=st.data())
    def create(self, data):
        for memcg in self.drawn(data, 1):
            root = data.draw(st.integers(0, self.roots - 1))
            self.core.create(memcg, root)
            self.twin.create(self.twins[memcg], root)

    @rule(data=st.data(), times=st.integers(1, 20))
    def create_many(self, data, times):
        memcgs = self.drawn(data, 5) * times
        drawn = random.Random(times)
        roots = [drawn.randrange(self.roots) for _ in memcgs]
        self.core.create_many(memcgs, roots)
        self.twin.create_many([self.twins[memcg] for memcg in memcgs], roots)

    @rule(data=st.data())
    def destroy(self, data):
        for memcg in self.drawn(data, 1):
            self.core.destroy(memcg)
            self.twin.destroy(self.twins[memcg])
            self.alive.remove(memcg)
            self.gone.append(memcg)

    @rule(data=st.data())
    def destroy_many(self, data):
        memcgs = list(dict.fromkeys(self.drawn(data, 9)))
        twins = [self.twins[memcg] for memcg in memcgs]
        assert self.core.destroy_many(memcgs) == self.twin.destroy_many(twins)
        self.alive = [memcg for memcg in self.alive if memcg not in memcgs]
        self.gone += memcgs

    @rule(data=st.data(), bad=st.integers(-2, 2**63 - 1))
    def a_stale_one_ends_a_bulk_call(self, data, bad):
        memcgs = list(dict.fromkeys(self.drawn(data, 3)))
        bad = data.draw(st.sampled_from(self.gone)) if self.gone else bad
        if bad in self.core:
            return
        with pytest.raises(StaleHandleError, match=f"memcg {len(memcgs)}: handle"):
            self.core.destroy_many([*memcgs, bad, *memcgs])
        self.twin.destroy_many([self.twins[memcg] for memcg in memcgs])
        self.alive = [memcg for memcg in self.alive if memcg not in memcgs]
        self.gone += memcgs

    @invariant()
    def the_lists_are_alike(self):
        self.core.validate()
        self.twin.validate()
        twins = self.twins
        assert len(self.core) == len(self.twin)
        assert self.core.memcgs == self.twin.memcgs == len(self.alive)
        listed = [(twins[memcg], root) for memcg, root in self.core.to_array().tolist()]
        assert listed == self.twin.to_array()
        for root in range(self.roots):
            children = [twins[memcg] for memcg in self.core.children(root).tolist()]
            assert children == self.twin.children(root)
        for memcg in self.alive:
            assert memcg in self.core
            assert self.core.caches(memcg).tolist() == self.twin.caches(twins[memcg])
        assert not any(memcg in self.core for memcg in self.gone)


TestBoth = Both.TestCase


# --- handles and bad input ---


def test_a_handle_dies_with_its_memcg():
    lists = CacheLists(2)
    first = lists.mkdir()
    lists.destroy(first)
    second = lists.mkdir()
    assert second != first and second in lists and first not in lists
    for use in (lists.destroy, lists.caches, lambda memcg: lists.create(memcg, 0)):
        with pytest.raises(StaleHandleError, match=f"handle {first}: no memcg"):
            use(first)


def test_a_bulk_call_stops_where_a_loop_would():
    lists = CacheLists(2)
    memcg = lists.mkdir()
    with pytest.raises(StaleHandleError, match="pair 2: handle 77: no memcg"):
        lists.create_many([memcg, memcg, 77, memcg], [0, 1, 0, 0])
    with pytest.raises(InputError, match="pair 1: root is 2; expected 0 to 1"):
        lists.create_many([memcg, memcg, memcg], [0, 2, 0])
    assert lists.caches(memcg).tolist() == [0, 1, 0]
    with pytest.raises(StaleHandleError, match="memcg 1: handle"):
        lists.destroy_many([memcg, memcg])
    assert not len(lists) and not lists.memcgs
    lists.validate()


def test_bad_input_is_refused_in_one_line():
    for roots in (0, -1, 65_537, 2**70):
        with pytest.raises(InputError, match="expected 1 to 65536"):
            CacheLists(roots)
    lists = CacheLists(2)
    memcg = lists.mkdir()
    for root in (-1, 2):
        for use in (lists.children, lambda root: lists.create(memcg, root)):
            with pytest.raises(InputError, match=f"root: {root}; expected 0 to 1"):
                use(root)
    for values in ([0.5], ["0"], [2**63], [True]):
        with pytest.raises(InputError, match="the memcgs are not whole numbers"):
            lists.destroy_many(values)
    for values in (memcg, np.int64(memcg), {memcg}):
        with pytest.raises(InputError, match="the memcgs are of type"):
            lists.destroy_many(values)
    with pytest.raises(InputError, match="there are 1 memcgs and 2 roots"):
        lists.create_many([memcg], [0, 1])
    with pytest.raises(InputError):
        lists.mkdir_many(-1)
    with pytest.raises(LifecycleError):
        lists.__init__(2)
    assert None not in lists and 2**70 not in lists
    assert lists.destroy_many([]) == 0 and lists.create_many([], []) is None
    assert lists.roots == 2 and lists.memcgs == 1


# --- many ---


@pytest.mark.parametrize("order", ["interleaved", "clustered"])
@pytest.mark.parametrize(
    ("caches", "a_memcg"),
    # More than what is unlinked without asking; the last is unlinked by region.
    [*((60_000, a_memcg) for a_memcg in (1, 10, 14, 15, 100)), (600_000, 100)],
)
def test_what_is_left_of_many_is_in_order(order, caches, a_memcg):
    count = caches // a_memcg * a_memcg
    lists = CacheLists(7)
    handles = lists.mkdir_many(count // a_memcg)
    owners = np.repeat(handles, a_memcg)
    drawn = np.random.default_rng(1)
    if order == "interleaved":
        drawn.shuffle(owners)
        drawn.shuffle(handles)
    roots = np.arange(count) % 7
    lists.create_many(owners, roots)
    gone, left = np.split(handles, [len(handles) // 3])
    assert lists.destroy_many(gone) == len(gone) * a_memcg
    lists.validate()
    kept = np.isin(owners, left)
    assert np.array_equal(lists.to_array()["memcg"], owners[kept])
    assert np.array_equal(lists.to_array()["root"], roots[kept])
    for root in range(7):
        assert np.array_equal(lists.children(root), owners[kept & (roots == root)])
    for memcg in left[:5].tolist():
        assert np.array_equal(lists.caches(memcg), roots[owners == memcg])
    # One a call, and seen in between.
    for number, memcg in enumerate(left.tolist(), 1):
        lists.destroy(memcg)
        assert memcg not in lists if number % 3 else True
        if number % 1000 in (1, 5, 60):
            assert len(lists) == (len(left) - number) * a_memcg
            kept = np.isin(owners, left[number:])
            assert np.array_equal(lists.to_array()["memcg"], owners[kept])
            lists.validate()
    assert not len(lists) and not lists.memcgs
    lists.validate()
    again = lists.mkdir_many(5)
    assert not set(again.tolist()) & set(handles.tolist())
    lists.create_many(again, [0] * 5)
    assert lists.children(0).tolist() == again.tolist()


# --- replays ---


@st.composite
def lives(draw):
    """Draw events, nearly all of which can happen."""
    alive = set()
    events = []
    for _ in range(draw(st.integers(0, 60))):
        memcg, kind = draw(st.integers(0, 4)), draw(KINDS)
        if draw(st.integers(0, 99)):
            kind = kind or CacheLists.ALLOC
            kind = kind if memcg in alive else CacheLists.MKDIR
        events.append((memcg, kind, draw(st.integers(0, 3))))
        (alive.discard if kind == CacheLists.OFFLINE else alive.add)(memcg)
    return events


@given(events=lives(), period=st.integers(1, 9), roots=st.integers(3, 4))
def test_a_replay_is_the_twins(events, period, roots):
    answers = []
    for lists, given_ in (
        (CacheLists(roots), np.array(events, DTYPE)),
        (reference.CacheLists(roots), events),
    ):
        try:
            answers.append(lists.replay(given_, grace_period=period))
        except InputError as error:
            answers.append(str(error))
        lists.validate()
        answers.append((len(lists), lists.memcgs))
        answers.append([root for _, root in [*map(tuple, lists.to_array())]])
        answers.append([len(lists.children(root)) for root in range(roots)])
    half = len(answers) // 2
    assert answers[:half] == answers[half:]


def test_a_memcg_waits_for_a_grace_period_that_began_later():
    """Offline as the third event, it is destroyed behind the eighth, not the fourth."""
    events = [(0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 0, 0), *[(0, 1, 1)] * 4]
    lists = CacheLists(2)
    counts = lists.replay(np.array(events, DTYPE), grace_period=4)
    assert counts == {
        "events": 8,
        "mkdirs": 2,
        "offlines": 1,
        "created": 2,
        "destroyed": 1,
        "objects": 5,
        "freed": 1,
        "grace_periods": 3,
    }
    assert len(lists) == lists.memcgs == 1


def test_an_event_that_cannot_happen_ends_the_replay():
    for event, said in (
        ((1, CacheLists.ALLOC, 0), "event 2: memcg 1 is not alive; expected MKDIR"),
        ((1, CacheLists.OFFLINE, 0), "event 2: memcg 1 is not alive"),
        ((0, CacheLists.MKDIR, 0), "event 2: memcg 0 is alive"),
        ((0, CacheLists.ALLOC, 2), "event 2: root is 2; expected below 2"),
        ((0, 3, 0), "event 2: kind is 3; expected MKDIR, ALLOC or OFFLINE"),
    ):
        lists = CacheLists(2)
        with pytest.raises(InputError, match=said):
            lists.replay(np.array([(0, 0, 0), (0, 1, 1), event], DTYPE))
        assert lists.to_array()["root"].tolist() == [1]
        lists.validate()
    for nothing in ([1, 2], np.zeros((2, 2), DTYPE), np.zeros(2, "u8")):
        with pytest.raises(InputError, match="no array of event_dtype"):
            lists.replay(nothing)
    with pytest.raises(InputError, match="grace_period is 0"):
        lists.replay(np.zeros(0, DTYPE), grace_period=0)


@pytest.mark.parametrize("alive", [5, 500, 20_000])
def test_nothing_is_left_of_lives_that_end(alive):
    drawn = np.random.default_rng(1)
    lives = np.zeros((alive, 32), DTYPE)
    lives["memcg"] = np.arange(alive)[:, None]
    lives["kind"][:, 1:31] = CacheLists.ALLOC
    lives["root"][:, 1:31] = np.arange(30) % 10
    lives["kind"][:, 31] = CacheLists.OFFLINE
    # Mixed, each life in its order.
    turns = np.repeat(np.arange(alive), 32)
    drawn.shuffle(turns)
    by_memcg = np.argsort(turns, kind="stable")
    events = np.empty(alive * 32, DTYPE)
    events[by_memcg] = lives.ravel()
    lists = CacheLists(10)
    for _ in range(2):
        counts = lists.replay(events)
        assert counts["created"] == counts["destroyed"] == 10 * alive
        assert counts["objects"] == counts["freed"] == 30 * alive
        assert counts["mkdirs"] == counts["offlines"] == alive
        assert not len(lists) and not lists.memcgs
        lists.validate()


def test_lists_that_were_never_made_are_refused():
    lists = CacheLists.__new__(CacheLists)
    for use in (
        lists.mkdir,
        lists.to_array,
        lists.validate,
        lambda: lists.mkdir_many(3),
        lambda: lists.create(0, 0),
        lambda: lists.create_many([0], [0]),
        lambda: lists.destroy(0),
        lambda: lists.destroy_many([0]),
        lambda: lists.replay(np.zeros(0, DTYPE)),
    ):
        with pytest.raises(LifecycleError, match="not there"):
            use()


def test_what_is_given_may_use_the_lists_while_it_is_made_an_array():
    # So many caches that destroy() puts off what it can.
    lists = CacheLists(1)
    memcgs = lists.mkdir_many(20_000)
    lists.create_many(np.repeat(memcgs, 5), np.zeros(100_000, np.int64))
    left = memcgs.tolist()

    class Given:
        def __array__(self, dtype=None, copy=None):
            for _ in range(3):
                lists.destroy(left.pop())
            return np.array(left[:4])

    lists.create_many(Given(), [0, 0, 0, 0])
    lists.validate()
    assert len(lists) == 5 * 19_997 + 4
    assert lists.destroy_many(Given()) == 24
    lists.validate()
    assert len(lists) == 5 * (19_994 - 4)


def test_arrays_may_lie_at_any_address():
    events = np.frombuffer(bytes(1 + 2 * DTYPE.itemsize), DTYPE, offset=1, count=2)
    numbers = np.frombuffer(bytes(17), np.int64, offset=1)
    assert events.ctypes.data % 4 and not numbers.flags.aligned
    lists = CacheLists(1)
    lists.mkdir()
    lists.create_many(numbers, numbers)
    assert lists.destroy_many(numbers[:1]) == 2
    with pytest.raises(InputError, match="event 1: memcg 0 is alive"):
        CacheLists(1).replay(events)


# --- memory, and what its making lets in ---


def test_without_memory_no_cgroup_is_made_that_nobody_can_name():
    memory = pytest.importorskip("_testcapi")
    for allocation in range(200):
        lists = CacheLists(1)
        lists.mkdir()
        memory.set_nomemory(allocation)
        try:
            made = lists.mkdir_many(5000)
        except MemoryError:
            made = ()
        finally:
            memory.remove_mem_hooks()
        assert lists.memcgs == 1 + len(made)
        lists.validate()
        if len(made):
            break
    assert allocation > 2 and len(made) == 5000


@pytest.mark.parametrize("deed", ["grow", "destroy"])
@pytest.mark.parametrize("asked", ["caches", "children", "to_array"])
def test_garbage_that_changes_what_is_asked_for_breaks_no_answer(
    collecting, asked, deed
):
    class Late:
        def __del__(self):
            if deed == "destroy":
                lists.destroy(web)
            lists.mkdir_many(10_000)
            if deed == "grow":
                lists.create_many([web] * 90, [0] * 90)

    def cycle():
        late = Late()
        late.itself = late

    lists = CacheLists(1)
    web = lists.mkdir()
    lists.create_many([web] * 9, [0] * 9)
    look = {
        "caches": lambda: lists.caches(web),
        "children": lambda: lists.children(0),
        "to_array": lambda: lists.to_array(),
    }[asked]

    def told():
        try:
            return look().tolist()
        except StaleHandleError:
            return "gone"

    before = told()
    during = collecting(cycle, told)
    gc.collect()
    assert during in (before, told())
    lists.validate()

"""IntrusiveList: the order of a Python list, the handles of a kernel's nodes."""

import doctest
import inspect
import sys
from array import array

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from slabcore import InputError, IntrusiveList, StaleHandleError

VALUES = st.integers(-(2**63), 2**63 - 1)
LONG = 1 << 15  # entries of a list that unlinks later
MANY = ("remove_many", "move_many", "move_tail_many")
FORGED = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-3, 40))


def test_the_example_of_the_class_runs():
    finder = doctest.DocTestFinder()
    runner = doctest.DocTestRunner()
    for example in finder.find(IntrusiveList, "IntrusiveList"):
        runner.run(example)
    assert runner.tries and not runner.failures


# --- handles ---


def test_a_handle_dies_with_its_entry_and_not_with_its_node():
    entries = IntrusiveList()
    first = entries.add(1)
    entries.remove(first)
    second = entries.add(2)
    assert second != first  # the node is the same
    assert first not in entries and second in entries
    for use in (entries.remove, entries.value, entries.next, entries.move):
        with pytest.raises(StaleHandleError, match=rf"handle {first}: no entry"):
            use(first)
    assert entries.to_array().tolist() == [2]


def test_handles_survive_growth_and_every_other_handle():
    entries = IntrusiveList()
    handles = entries.extend(np.arange(100_000))
    for handle in handles[::2].tolist():
        entries.remove(handle)
    assert entries.handles().tolist() == handles[1::2].tolist()
    assert entries.to_array().tolist() == list(range(1, 100_000, 2))
    assert all(handle not in entries for handle in handles[::2].tolist())
    entries.validate()


@pytest.mark.parametrize("huge_pages", [True, False])
def test_nothing_is_lost_where_the_pages_become_the_lists_own(huge_pages):
    count = 800_000  # values and nodes pass 4 MiB, one by one and at once
    entries = IntrusiveList(range(count), huge_pages=huge_pages)
    for value in range(count, 2 * count):
        entries.add_tail(value)
    assert np.array_equal(entries.to_array(), np.arange(2 * count))
    entries.extend(range(2 * count, 4 * count))
    assert np.array_equal(entries.to_array(), np.arange(4 * count))
    entries.validate()


def test_what_is_no_handle_is_in_no_list():
    entries = IntrusiveList([1])
    for nothing in (None, "0", 1.5, -1, 1, 2**32, 2**70):
        assert nothing not in entries
    with pytest.raises(TypeError):
        entries.remove("0")
    with pytest.raises(OverflowError):
        entries.remove(2**70)


def test_values_and_handles_are_whole_numbers():
    entries = IntrusiveList([1])
    for call in (entries.add, entries.add_tail, entries.remove, entries.value):
        with pytest.raises(TypeError, match="float"):
            call(1.0)
    assert float(entries.first) not in entries
    no_numbers = ([1.5], ["a"], [True], [2**63])
    for values in (*no_numbers, np.array([2**63], np.uint64)):
        with pytest.raises(InputError) as refusal:
            entries.extend(values)
        assert str(refusal.value) == (
            "IntrusiveList: the values are not whole numbers of 64 bits; expected a "
            "list or an array of them"
        )
    for values, what in (
        ({1, 2}, "of type set"),
        ({1: 2}.keys(), "of type dict_keys"),
        (range(2).__iter__(), "of type range_iterator"),
        ((number for number in (1, 2)), "of type generator"),
        (5, "of type int"),
        (np.int64(5), "of type int64"),
        (np.array(5), "an array without dimensions"),
        ("12", "of type str"),
    ):
        with pytest.raises(InputError) as refusal:
            entries.extend(values)
        assert str(refusal.value) == (
            f"IntrusiveList: the values are {what}; expected a list or an array of "
            "whole numbers"
        )
    with pytest.raises(InputError):
        IntrusiveList(5)
    with pytest.raises(InputError, match="are of type NoneType; expected a list or an"):
        entries.extend(None)
    with pytest.raises(InputError, match="the values are no array; expected a list or"):
        entries.extend([[1], [2, 3]])
    assert entries.extend([]).size == 0 and entries.to_array().tolist() == [1]
    entries.validate()


def test_its_signature_is_its_own():
    signature = str(inspect.signature(IntrusiveList))
    assert signature == "(values=None, *, fields=(), huge_pages=True)"
    assert IntrusiveList.__doc__.lstrip().startswith("A doubly linked list")


def test_values_are_64_bits():
    entries = IntrusiveList([-(2**63), 2**63 - 1])
    assert [entries.value(handle) for handle in entries] == [-(2**63), 2**63 - 1]
    with pytest.raises(OverflowError):
        entries.add(2**63)
    assert len(entries) == 2
    entries.validate()


def test_extend_returns_the_handles_in_order():
    entries = IntrusiveList()
    handles = entries.extend([3, 1, 2])
    assert handles.dtype == np.int64
    assert [entries.value(handle) for handle in handles.tolist()] == [3, 1, 2]
    assert entries.extend([]).tolist() == []
    assert entries.extend(range(2)).tolist() == entries.handles().tolist()[3:]


# --- many at once ---


def shuffled(n, seed):
    """Return a list whose order is random against its handles, and what is in order."""
    entries = IntrusiveList()
    handles = entries.extend(np.arange(n))
    order = np.random.default_rng(seed).permutation(handles)
    entries.move_tail_many(order)
    return entries, order


@pytest.mark.parametrize("n", [0, 1, 40, 1_500, LONG + 10])
def test_many_are_removed_as_one_by_one(n):
    entries, order = shuffled(n, 1)
    alone, _ = shuffled(n, 1)
    gone = np.random.default_rng(2).permutation(order)[: n - n // 3]
    assert entries.remove_many(gone) is None
    for handle in gone.tolist():
        alone.remove(handle)
    left = order[~np.isin(order, gone)].tolist()
    assert entries.handles().tolist() == alone.handles().tolist() == left
    assert len(entries) == len(alone) == len(left)
    assert entries.extend(range(n)).tolist() == alone.extend(range(n)).tolist()
    entries.validate()
    alone.validate()


@pytest.mark.parametrize("n", [0, 1, 40, 1_500, LONG + 10])
@pytest.mark.parametrize("tail", [True, False])
def test_many_are_moved_as_one_by_one(n, tail):
    entries, order = shuffled(n, 3)
    moved = np.random.default_rng(4).permutation(order)[: n - n // 3]
    (entries.move_tail_many if tail else entries.move_many)(moved)
    rest = order[~np.isin(order, moved)]
    whole = [rest, moved] if tail else [moved[::-1], rest]
    assert entries.handles().tolist() == np.concatenate(whole).tolist()
    entries.validate()


@pytest.mark.parametrize("n", [3, 50, LONG + 10])
@pytest.mark.parametrize("what", ["remove_many", "move_many", "move_tail_many"])
def test_many_end_at_a_handle_of_no_entry(n, what):
    entries = IntrusiveList()
    handles = entries.extend(np.arange(n))
    stale = entries.add(-1)
    entries.remove(stale)
    named = [*handles[: n // 2].tolist(), stale, *handles[n // 2 :].tolist()]
    with pytest.raises(StaleHandleError, match=f"^handle {stale}: no entry"):
        getattr(entries, what)(named)
    first, rest = list(range(n // 2)), list(range(n // 2, n))
    orders = {
        "remove_many": rest,
        "move_many": first[::-1] + rest,
        "move_tail_many": rest + first,
    }
    assert entries.to_array().tolist() == orders[what]
    entries.validate()


def test_of_two_handles_of_one_entry_the_second_is_stale():
    entries = IntrusiveList(range(100))
    first = entries.first
    with pytest.raises(StaleHandleError, match=f"^handle {first}:"):
        entries.remove_many([first, first])
    assert len(entries) == 99
    entries.validate()


def test_many_handles_may_be_any_whole_numbers():
    entries = IntrusiveList(range(64))
    handles = entries.handles()
    for some in (
        handles[:2].tolist(),
        handles[2:4].astype(np.int32),
        array("q", handles[4:6].tolist()),
        handles[6:10:2],
        handles[10:14].reshape(2, 2),
        handles[15:13:-1],
        handles[16:18].astype(">i8"),
        memoryview(handles[18:20]),
        np.frombuffer(b"-" + handles[20:22].tobytes(), np.int64, offset=1),
        [],
    ):
        entries.remove_many(some)
    assert len(entries) == 64 - 20
    entries.validate()
    left = len(entries)
    for what in ("7", b"12345678", {7}):
        with pytest.raises(InputError, match="the handles are of type"):
            entries.remove_many(what)
    for what in ([1.5], handles[30:31].astype(float), np.zeros(1)):
        with pytest.raises(InputError) as refusal:
            entries.remove_many(what)
        assert str(refusal.value) == (
            "IntrusiveList: the handles are not whole numbers of 64 bits; expected a "
            "list or an array of them"
        )
    for forged in (-1, 2**63 - 1, -(2**63), 1 << 46, 1 << 32):
        with pytest.raises(StaleHandleError, match=f"^handle {forged}:"):
            entries.remove_many(np.full(40, forged))
    assert len(entries) == left


def test_a_walk_may_come_while_many_are_removed_and_moved():
    entries, order = shuffled(100, 5)
    walk = iter(entries)
    seen = [next(walk) for _ in range(10)]
    entries.remove_many(order[5:50])
    entries.move_tail_many(order[60:70])
    assert seen + list(walk) == [
        *order[:10].tolist(),
        *order[50:60].tolist(),
        *order[70:].tolist(),
        *order[60:70].tolist(),
    ]
    entries.validate()


# --- long lists: what is taken out is unlinked later ---


def test_what_waits_to_be_unlinked_is_seen_nowhere():
    entries = IntrusiveList(range(LONG))
    handles = entries.handles().tolist()
    looks = (
        lambda: entries.first == handles[7],
        lambda: entries.last == handles[-8],
        lambda: entries.next(handles[7]) == handles[8],
        lambda: entries.prev(handles[7]) is None,
        lambda: next(iter(entries)) == handles[7],
        lambda: entries.handles().tolist() == handles[7:-7],
        lambda: entries.to_array().tolist() == list(range(7, LONG - 7)),
    )
    for look in looks:
        entries = IntrusiveList(range(LONG))
        for ends in zip(handles[:7], handles[-7:], strict=True):
            for handle in ends:
                entries.remove(handle)
        assert len(entries) == LONG - 14
        assert not any(handle in entries for handle in handles[:7])
        assert look()
        entries.validate()


def test_what_is_put_beside_an_entry_that_waits_is_where_it_should_be():
    entries = IntrusiveList(range(LONG))
    handles = entries.handles().tolist()
    entries.clear()
    a, b, c, d = entries.extend([0, 1, 2, 3]).tolist()
    for gone in (b, d):
        entries.remove(gone)
    between = entries.insert_after(a, 10)
    before = entries.insert_before(c, 11)
    behind = entries.insert_after(c, 12)
    last = entries.add_tail(13)
    assert entries.handles().tolist() == [a, between, before, c, behind, last]
    entries.validate()
    assert not any(handle in entries for handle in handles)


def test_an_index_has_a_last_generation():
    entries = IntrusiveList()
    handle = entries.add()
    seen = {handle}
    for _ in range(2**14 - 1):
        entries.remove(handle)
        handle = entries.add()
        seen.add(handle)
    assert len(seen) == 2**14 and handle == (2**14 - 1) << 32
    entries.remove(handle)
    assert not any(used in entries for used in seen)
    assert entries.add() == 1
    entries.clear()
    assert entries.extend([1, 2]).tolist() == [1 << 32 | 1, 2]
    assert not any(used in entries for used in seen)
    entries.validate()


# --- long lists: the walk from anchors ---


@pytest.mark.parametrize("n", [1_023, 1_024, 5_000, 70_000])
@pytest.mark.parametrize("seed", range(3))
def test_a_long_list_is_told_in_its_order(n, seed):
    entries, order = shuffled(n, seed)
    random = np.random.default_rng(seed)
    for _ in range(3):
        assert (entries.handles() == order).all()
        values = [entries.value(handle) for handle in order[:50].tolist()]
        assert entries.to_array()[:50].tolist() == values
        entries.validate()
        gone = random.permutation(order)[: n // 4]
        entries.remove_many(gone)
        order = order[~np.isin(order, gone)]
        new = [entries.add(-i) for i in range(n // 4)]
        order = np.concatenate([np.array(new[::-1], np.int64), order])
        middle = int(order[len(order) // 2])
        new = [entries.insert_after(middle, i) for i in range(300)][::-1]
        at = len(order) // 2 + 1
        order = np.concatenate([order[:at], new, order[at:]])
        entries.validate()


@pytest.mark.parametrize("n", [1, 3, 3_000])
def test_an_array_that_is_there_may_be_written(n):
    entries, order = shuffled(n, 1)
    out = np.full(n, -1)
    assert entries.handles(out) is out and (out == order).all()
    assert entries.to_array(out=out) is out
    assert (out == entries.to_array()).all()
    with pytest.raises(InputError, match=f"out has room for {n + 1} entries"):
        entries.to_array(np.zeros(n + 1, np.int64))
    frozen, frozen_half = np.zeros(n, np.int64), np.zeros(2 * n + 4)[::2]
    frozen.flags.writeable = frozen_half.flags.writeable = False
    for wrong, what in (
        (np.zeros(n), "of float64"),
        (np.zeros(n, np.int32), "of int32"),
        (np.zeros(n, ">i8"), "of >i8"),
        (np.zeros(2 * n + 4, np.int64)[::2], "not contiguous"),
        (np.zeros((2, 3), np.int64).T, "not in C order"),
        (frozen, "read-only"),
        (frozen_half, "read-only, of float64, not contiguous"),
        (np.array(1), "without dimensions"),
        (np.frombuffer(bytearray(8 * n + 1), np.int64, offset=1), "not aligned"),
        (np.zeros(n, "M8[s]"), "of type ndarray"),
        (array("i", [0] * n), "of format 'i'"),
        ([0] * n, "of type list"),
        (bytes(8 * n), "read-only, of format 'B'"),
    ):
        for tell in (entries.to_array, entries.handles):
            with pytest.raises(InputError) as refusal:
                tell(wrong)
            assert str(refusal.value) == (
                f"IntrusiveList: out is {what}; expected a writable array of int64, in "
                "C order"
            )


def test_anchors_stay_in_order_whatever_is_done():
    entries = IntrusiveList()
    random = np.random.default_rng(1)
    for size in (3_000, 40_000, 300):
        entries.extend(np.arange(size))
        for _ in range(4):
            handles = random.permutation(entries.handles())
            entries.move_many(handles[: size // 3])
            entries.validate()
            entries.remove_many(handles[size // 3 : size // 2])
            entries.validate()
            for handle in handles[size // 2 :].tolist()[:500]:
                entries.move_tail(handle)
                entries.add(0)
            entries.validate()


# --- walking while it changes ---


def test_each_entry_may_be_removed_as_it_comes():
    entries = IntrusiveList(range(10))
    for handle in entries:
        entries.remove(handle)
    assert len(entries) == 0
    entries.validate()


def test_a_walk_goes_on_behind_what_was_removed():
    entries = IntrusiveList(range(6))
    handles = entries.handles().tolist()
    seen = []
    for handle in entries:
        seen.append(entries.value(handle))
        if len(seen) == 2:
            for gone in handles[1:4]:  # the one it stands on, and two more
                entries.remove(gone)
            entries.add(-1)
            entries.add_tail(6)
    assert seen == [0, 1, 4, 5, 6]


def test_a_walk_ends_when_the_list_is_cleared():
    entries = IntrusiveList(range(3))
    walk = iter(entries)
    next(walk)
    entries.clear()
    entries.add(9)
    assert list(walk) == []


def test_walks_may_be_left_alone():
    entries = IntrusiveList(range(3))
    walks = [iter(entries) for _ in range(10)]
    for number, walk in enumerate(walks):
        for _ in range(number % 4):
            next(walk, None)
    del walks[::2]
    entries.remove(entries.first)
    assert [len(list(walk)) for walk in walks] == [2, 0, 2, 0, 2]
    entries.validate()


def test_a_walk_outlives_the_name_of_its_list():
    walk = iter(IntrusiveList(range(3)))
    assert len(list(walk)) == 3


# --- against a list of Python's ---


class ListMachine(RuleBasedStateMachine):
    """Do the same to an IntrusiveList and to a Python list of its handles."""

    handles = Bundle("handles")
    long = False

    def __init__(self):
        super().__init__()
        self.entries = IntrusiveList()
        if self.long:
            self.entries.extend(np.arange(LONG))
            self.entries.clear()
        self.order = []
        self.values = {}
        self.steps = 0

    def put(self, index, handle, value):
        assert handle not in self.values
        self.order.insert(index, handle)
        self.values[handle] = value
        return handle

    @rule(target=handles, value=VALUES)
    def add(self, value):
        return self.put(0, self.entries.add(value), value)

    @rule(target=handles, value=VALUES)
    def add_tail(self, value):
        return self.put(len(self.order), self.entries.add_tail(value), value)

    @rule(target=handles, handle=handles, value=VALUES, behind=st.booleans())
    def insert(self, handle, value, behind):
        insert = self.entries.insert_after if behind else self.entries.insert_before
        if handle not in self.order:
            with pytest.raises(StaleHandleError):
                insert(handle, value)
            return handle
        return self.put(self.order.index(handle) + behind, insert(handle, value), value)

    @rule(handle=handles, tail=st.booleans())
    def move(self, handle, tail):
        move = self.entries.move_tail if tail else self.entries.move
        if handle not in self.order:
            with pytest.raises(StaleHandleError):
                move(handle)
            return
        move(handle)
        self.order.remove(handle)
        self.order.insert(len(self.order) if tail else 0, handle)

    @rule(handle=handles)
    def remove(self, handle):
        if handle not in self.order:
            with pytest.raises(StaleHandleError):
                self.entries.remove(handle)
            return
        self.entries.remove(handle)
        self.order.remove(handle)

    @rule(handle=FORGED)
    def forge(self, handle):
        assert (handle in self.entries) == (handle in self.order)
        if handle not in self.order:
            with pytest.raises(StaleHandleError):
                self.entries.remove(handle)

    @precondition(lambda self: len(self.order) > 5)
    @rule()
    def clear(self):
        self.entries.clear()
        self.order.clear()

    @rule(some=st.lists(handles, max_size=6), what=st.sampled_from(MANY))
    def many(self, some, what):
        for handle in some:
            if handle not in self.order:
                break
            self.order.remove(handle)
            if what == "move_many":
                self.order.insert(0, handle)
            elif what == "move_tail_many":
                self.order.append(handle)
        else:
            handle = None
        call = getattr(self.entries, what)
        if handle is None:
            call(some)
        else:
            with pytest.raises(StaleHandleError, match=f"handle {handle}:"):
                call(some)

    @rule(values=st.lists(VALUES, max_size=5))
    def extend(self, values):
        handles = self.entries.extend(np.array(values, dtype=np.int64)).tolist()
        for handle, value in zip(handles, values, strict=True):
            self.put(len(self.order), handle, value)

    @invariant()
    def agree(self):
        # Not always: every look at the links unlinks what waits for it.
        assert len(self.entries) == len(self.order)
        if self.long and self.steps % 7:
            self.steps += 1
            return
        self.steps += 1
        self.look()

    def teardown(self):
        self.look()

    def look(self):
        entries, order = self.entries, self.order
        entries.validate()
        assert len(entries) == len(order)
        assert list(entries) == entries.handles().tolist() == order
        assert entries.to_array().tolist() == [self.values[handle] for handle in order]
        assert entries.first == (order[0] if order else None)
        assert entries.last == (order[-1] if order else None)
        around = [None, *order, None]
        for before, handle, behind in zip(around, order, around[2:], strict=False):
            assert entries.prev(handle) == before
            assert entries.next(handle) == behind


TestListMachine = ListMachine.TestCase


class LongListMachine(ListMachine):
    """The same to a list that unlinks later."""

    long = True


TestLongListMachine = LongListMachine.TestCase


class WalkMachine(RuleBasedStateMachine):
    """Change a list between the steps of several walks."""

    def __init__(self):
        super().__init__()
        self.entries = IntrusiveList(range(8))
        self.walks = []

    @rule()
    def begin(self):
        self.walks.append((iter(self.entries), [], set(self.entries)))

    @precondition(lambda self: self.walks)
    @rule(data=st.data(), steps=st.integers(1, 4))
    def step(self, data, steps):
        walk, seen, _ = data.draw(st.sampled_from(self.walks))
        for _ in range(steps):
            handle = next(walk, None)
            if handle is not None:
                assert handle in self.entries
                seen.append(handle)

    @rule(tail=st.booleans())
    def add(self, tail):
        self.entries.add_tail() if tail else self.entries.add()

    @precondition(lambda self: len(self.entries))
    @rule(data=st.data())
    def remove(self, data):
        handle = data.draw(st.sampled_from(list(self.entries)))
        self.entries.remove(handle)
        for _, _, there in self.walks:
            there.discard(handle)

    def teardown(self):
        for walk, seen, there in self.walks:
            seen += walk
            assert len(set(seen)) == len(seen)
            assert there <= set(seen)


TestWalkMachine = WalkMachine.TestCase


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ is of Python 3.12")
def test_an_array_that_changes_the_list_when_it_is_lent_is_too_short():
    entries = IntrusiveList(range(10))

    class Out:
        def __buffer__(self, flags):
            entries.extend(range(10_000))
            return memoryview(np.empty(10, np.int64))

    with pytest.raises(InputError, match="room for 10 entries; expected 10010"):
        entries.to_array(Out())

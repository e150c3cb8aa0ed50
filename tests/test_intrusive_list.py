"""IntrusiveList: the order of a Python list, the handles of a kernel's nodes."""

import doctest
import inspect

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
    for values in (5, [1.5], ["a"], [2**63], np.array([2**63], np.uint64), None):
        with pytest.raises(InputError) as refusal:
            entries.extend(values)
        assert str(refusal.value) == (
            "IntrusiveList: the values are not whole numbers of 64 bits; expected a "
            "list or an array of them"
        )
    with pytest.raises(InputError):
        IntrusiveList(5)
    assert entries.extend([]).size == 0 and entries.to_array().tolist() == [1]
    entries.validate()


def test_its_signature_is_its_own():
    assert str(inspect.signature(IntrusiveList)) == "(values=None, *, huge_pages=True)"
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

    def __init__(self):
        super().__init__()
        self.entries = IntrusiveList()
        self.order = []
        self.values = {}

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

    @rule(values=st.lists(VALUES, max_size=5))
    def extend(self, values):
        handles = self.entries.extend(np.array(values, dtype=np.int64)).tolist()
        for handle, value in zip(handles, values, strict=True):
            self.put(len(self.order), handle, value)

    @invariant()
    def agree(self):
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

"""FieldList and ListCursor: more lists over a list's entries, and places in lists."""

import contextlib
import copy
import doctest
import gc
import inspect
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from slabcore import (
    FieldList,
    InputError,
    IntrusiveList,
    LifecycleError,
    ListCursor,
    StaleHandleError,
)

LONG = 1 << 15  # entries of a list that unlinks later


@pytest.fixture
def jobs():
    return IntrusiveList(range(10), fields=("state", "owner"))


def listed(jobs, field, values):
    """Return a list through a field of the entries whose values are given."""
    made = jobs.list(field)
    handles = jobs.handles()
    made.extend([handles[value] for value in values])
    return made


def values(entries):
    return entries.to_array().tolist()


@pytest.mark.parametrize("kind", [FieldList, ListCursor])
def test_the_example_of_the_class_runs(kind):
    runner = doctest.DocTestRunner()
    for example in doctest.DocTestFinder().find(kind, kind.__name__):
        runner.run(example)
    assert runner.tries and not runner.failures


def test_signatures_are_their_own():
    assert str(inspect.signature(FieldList)) == "(entries, field)"
    assert str(inspect.signature(ListCursor)) == "(list)"


# --- fields ---


def test_a_field_is_named_when_the_list_is_made():
    assert IntrusiveList().fields == ()
    assert IntrusiveList(fields="state").fields == ("state",)
    assert IntrusiveList(fields=["state", "owner"]).fields == ("state", "owner")
    for fields, what in (
        ((1,), "1 is no text; expected names"),
        ((b"state",), "b'state' is no text; expected names"),
        (("a", "b", "a"), "('a', 'b', 'a') has a name twice; expected different ones"),
        (5, "5 is no text; expected names"),
        ("", "a name is empty; expected names"),
        (["a", ""], "a name is empty; expected names"),
        (None, "None is no text; expected names"),
    ):
        with pytest.raises(InputError) as refusal:
            IntrusiveList(fields=fields)
        assert str(refusal.value) == f"fields: {what}"


def test_a_loop_over_a_cursor_goes_on_behind_its_entry(jobs):
    place = jobs.cursor(jobs.first)
    assert [jobs.value(handle) for handle in place] == list(range(1, 10))
    place.seek(jobs.first)
    jobs.remove(jobs.first)
    assert place.lost  # the one it stands on now was not looked at
    assert [jobs.value(handle) for handle in place] == list(range(1, 10))


@pytest.mark.parametrize("entries", [1, 2, 5])
def test_a_loop_that_moves_what_it_visits_to_the_tail_meets_it_again(entries):
    jobs = IntrusiveList(range(entries))
    visited = []
    for job in jobs:
        visited.append(jobs.value(job))
        jobs.move_tail(job)
        if len(visited) == 50:
            break
    assert visited == ([0] if entries == 1 else [i % entries for i in range(50)])


def test_an_unknown_field_is_refused(jobs):
    for use in (jobs.list, lambda field: jobs.list_of(field, jobs.first)):
        with pytest.raises(InputError) as refusal:
            use("stat")
        assert str(refusal.value) == (
            "IntrusiveList: field is 'stat'; expected one of 'state', 'owner'"
        )
        with pytest.raises(TypeError):
            use(None)
    with pytest.raises(InputError, match="expected a list made with fields"):
        IntrusiveList([1]).list("state")


def test_fields_are_made_once(jobs):
    with pytest.raises(LifecycleError, match=r"has its fields, \('state', 'owner'\)"):
        jobs.__init__(fields=["third"])
    jobs.__init__([10])
    assert values(jobs) == list(range(11))


def test_entries_that_come_later_have_the_field():
    jobs = IntrusiveList(fields="state")
    waiting = jobs.list("state")
    waiting.add(jobs.add(1))
    for value in range(2, 100):
        handle = jobs.add(value)
        assert handle not in waiting and jobs.list_of("state", handle) is None
        waiting.add(handle)
    assert values(waiting) == values(jobs) == list(range(99, 0, -1))
    jobs.validate()


# --- one entry, several lists ---


def test_a_handle_is_the_same_on_every_list(jobs):
    waiting, ann = jobs.list("state"), jobs.list("owner")
    third = int(jobs.handles()[3])
    waiting.add(third)
    ann.add_tail(third)
    assert third in jobs and third in waiting and third in ann
    assert jobs.list_of("state", third) is waiting
    assert jobs.list_of("owner", third) is ann
    assert waiting.entries is jobs and waiting.field == "state"
    waiting.remove(third)
    assert third in jobs and third not in waiting and third in ann
    jobs.validate()


@pytest.mark.parametrize("how", ["remove", "remove_many", "clear"])
@pytest.mark.parametrize("n", [10, LONG + 10])
def test_what_is_removed_is_off_every_list(how, n):
    jobs = IntrusiveList(range(n), fields=("state", "owner"))
    handles = jobs.handles()
    waiting, ann = jobs.list("state"), jobs.list("owner")
    waiting.extend(handles)
    ann.move_many(handles[::2])
    if how == "remove":
        for handle in handles[4:].tolist():
            jobs.remove(handle)
    elif how == "remove_many":
        jobs.remove_many(handles[4:])
    else:
        jobs.clear()
    left = [] if how == "clear" else [0, 1, 2, 3]
    assert values(jobs) == values(waiting) == left
    assert values(ann) == left[::2][::-1]
    jobs.validate()
    for use in (waiting.add, waiting.remove, waiting.move, waiting.next):
        with pytest.raises(StaleHandleError, match=f"^handle {handles[5]}: no entry"):
            use(int(handles[5]))
    new = jobs.extend(range(n))
    assert not any(handle in waiting or handle in ann for handle in new.tolist()[:100])
    waiting.extend(new)
    assert values(waiting) == left + list(range(n))
    jobs.validate()


def test_an_entry_is_on_one_list_of_a_field_at_most(jobs):
    waiting, running = listed(jobs, "state", [1, 2]), listed(jobs, "state", [3])
    one = waiting.first
    message = f"handle {one}: on a list of 'state' already, which move() takes it from"
    for add in (
        running.add,
        running.add_tail,
        waiting.add,
        lambda handle: running.insert_before(running.first, handle),
        lambda handle: running.insert_after(running.first, handle),
        lambda handle: running.extend([handle]),
    ):
        with pytest.raises(LifecycleError) as refusal:
            add(one)
        assert str(refusal.value) == message
    running.move(one)
    assert values(waiting) == [2] and values(running) == [1, 3]
    running.move_tail(one)
    assert values(running) == [3, 1]
    running.move(int(jobs.handles()[9]))  # it was on none
    assert values(running) == [9, 3, 1]
    jobs.validate()


def test_what_is_on_another_list_is_not_on_this(jobs):
    waiting, running = listed(jobs, "state", [1]), listed(jobs, "state", [2, 3])
    other = running.first
    for use in (
        waiting.remove,
        waiting.next,
        waiting.prev,
        waiting.cut_before,
        waiting.cursor,
        lambda handle: waiting.insert_before(handle, jobs.last),
        lambda handle: waiting.insert_after(handle, jobs.last),
        lambda handle: waiting.remove_many([handle]),
    ):
        with pytest.raises(LifecycleError) as refusal:
            use(other)
        assert str(refusal.value) == f"handle {other}: not on this list of 'state'"
    assert values(waiting) == [1] and values(running) == [2, 3]
    jobs.validate()


def test_an_entry_is_not_put_beside_itself(jobs):
    waiting = listed(jobs, "state", [4, 5])
    for insert in (waiting.insert_before, waiting.insert_after):
        with pytest.raises(LifecycleError, match="on a list of 'state' already"):
            insert(waiting.first, waiting.first)
    assert values(waiting) == [4, 5]


def test_a_list_that_nobody_holds_lets_its_entries_go(jobs):
    waiting = listed(jobs, "state", range(10))
    first = waiting.first
    del waiting
    assert jobs.list_of("state", first) is None
    jobs.validate()
    again = listed(jobs, "state", range(10))
    assert len(again) == 10
    jobs.validate()


def test_a_list_keeps_its_entries_alive():
    waiting = IntrusiveList([1, 2], fields="state").list("state")
    waiting.extend(waiting.entries.handles())
    gc.collect()
    assert values(waiting) == [1, 2]
    cursor = IntrusiveList([1, 2], fields="state").list("state").cursor()
    gc.collect()
    assert cursor.next() is None and cursor.list.entries.first == 0


def test_many_end_at_what_is_refused(jobs):
    handles = jobs.handles().tolist()
    jobs.remove(handles[9])
    waiting = jobs.list("state")
    running = listed(jobs, "state", [7])
    with pytest.raises(LifecycleError, match=f"handle {handles[7]}: on a list"):
        waiting.extend([*handles[:3], handles[7], handles[8]])
    assert values(waiting) == [0, 1, 2]
    with pytest.raises(StaleHandleError, match=f"handle {handles[9]}: no entry"):
        waiting.move_many([handles[3], handles[7], handles[9], handles[8]])
    assert values(waiting) == [7, 3, 0, 1, 2] and not len(running)
    with pytest.raises(LifecycleError, match=f"handle {handles[8]}: not on this list"):
        waiting.remove_many(np.array([handles[3], handles[0], handles[8], handles[1]]))
    assert values(waiting) == [7, 1, 2]
    waiting.move_tail_many(handles[1:3][::-1])
    assert values(waiting) == [7, 2, 1]
    with pytest.raises(InputError, match="FieldList: the handles are not whole"):
        waiting.extend([0.5])
    jobs.validate()


def test_values_are_read_and_written_by_handle(jobs):
    handles = jobs.handles()
    assert jobs.value_many(handles[[3, 1, 3]]).tolist() == [3, 1, 3]
    assert jobs.value_many([]).tolist() == []
    waiting = listed(jobs, "state", [3])
    jobs.set_value(waiting.first, -3)
    assert values(waiting) == [-3] and values(jobs)[3] == -3
    jobs.remove(int(handles[3]))
    for use in (
        lambda handle: jobs.set_value(handle, 0),
        lambda handle: jobs.value_many([handles[1], handle]),
        lambda handle: jobs.list_of("state", handle),
    ):
        with pytest.raises(StaleHandleError, match=f"^handle {handles[3]}: no entry"):
            use(int(handles[3]))


# --- whole lists ---


@pytest.mark.parametrize("tail", [False, True])
@pytest.mark.parametrize("lengths", [*itertools.product((0, 1, 2, 5), repeat=2)])
def test_a_list_is_spliced(jobs, lengths, tail):
    first, second = range(lengths[0]), range(5, 5 + lengths[1])
    one, two = listed(jobs, "state", first), listed(jobs, "state", second)
    (one.splice_tail if tail else one.splice)(two)
    whole = [*first, *second] if tail else [*second, *first]
    assert values(one) == whole and values(two) == [] and len(one) == sum(lengths)
    assert all(jobs.list_of("state", handle) is one for handle in one)
    jobs.validate()
    two.move_many(one.handles())
    assert values(two) == whole[::-1] and not len(one)
    jobs.validate()


@pytest.mark.parametrize(("tail", "rest"), [(False, [6, 7]), (True, [6, 7, 1, 2, 3])])
def test_a_loop_goes_on_where_entries_come_and_ends_where_they_went(jobs, tail, rest):
    one, two = listed(jobs, "state", [5, 6, 7]), listed(jobs, "state", [1, 2, 3])
    here, there, seen = iter(one), iter(two), [next(iter(two))]
    assert jobs.value(next(here)) == 5 and next(there) == seen[0]
    (one.splice_tail if tail else one.splice)(two)
    assert [jobs.value(handle) for handle in here] == rest
    assert [*there] == []


def test_what_cannot_be_spliced_is_refused(jobs):
    waiting = listed(jobs, "state", [1, 2])
    others = IntrusiveList([1], fields="state")
    expected = "expected another list of 'state' of the same entries"
    for other, what in (
        (waiting, "this list"),
        (jobs.list("owner"), "a list of 'owner'"),
        (others.list("state"), "a list of other entries"),
    ):
        for splice in (waiting.splice, waiting.splice_tail):
            with pytest.raises(InputError) as refusal:
                splice(other)
            text = f"FieldList: what is spliced into it is {what}; {expected}"
            assert str(refusal.value) == text
    for other in (None, jobs, [1]):
        with pytest.raises(TypeError):
            waiting.splice(other)
    assert values(waiting) == [1, 2]


@pytest.mark.parametrize("length", range(1, 6))
def test_a_list_is_cut(jobs, length):
    for at in range(length):
        whole = listed(jobs, "state", range(length))
        before = whole.cut_before(int(whole.handles()[at]))
        assert values(before) == list(range(at))
        assert values(whole) == list(range(at, length))
        assert (before.entries, before.field) == (jobs, "state")
        jobs.validate()
        whole.splice(before)
        assert values(whole) == list(range(length))
        jobs.validate()
        whole.clear()


def test_labels_of_what_was_spliced_do_not_pile_up():
    jobs = IntrusiveList(range(1000), fields="state")
    lists = [jobs.list("state") for _ in range(10)]
    for k, handle in enumerate(jobs):
        lists[k % 10].add(handle)
    random = np.random.default_rng(1)
    for _ in range(300):
        one, two, three = random.permutation(10)[:3]
        lists[one].splice(lists[two])
        if len(lists[one]):
            middle = lists[one].handles()[len(lists[one]) // 2]
            lists[three].splice_tail(lists[one].cut_before(int(middle)))
        jobs.validate()
    assert sum(map(len, lists)) == 1000
    assert {handle for each in lists for handle in each} == set(jobs)


def test_clear_lets_all_go_at_once(jobs):
    waiting, running = listed(jobs, "state", range(5)), listed(jobs, "state", [9])
    waiting.clear()
    assert values(waiting) == [] and len(jobs) == 10
    jobs.validate()
    waiting.splice(running)
    running.extend(jobs.handles()[:5])
    assert values(waiting) == [9] and values(running) == list(range(5))
    jobs.validate()


# --- cursors ---


@pytest.fixture(params=["own", "field"])
def walked(request):
    """Return a list of five, of its own entries or through a field."""
    if request.param == "own":
        return IntrusiveList(range(5))
    jobs = IntrusiveList(range(8), fields="state")
    return listed(jobs, "state", range(5))


def test_a_cursor_goes_round(walked):
    cursor = walked.cursor()
    handles = walked.handles().tolist()
    assert cursor.entry is None and cursor.list is walked
    around = [*handles, None, *handles, None]
    assert [cursor.next() for _ in range(12)] == around
    assert [cursor.prev() for _ in range(12)] == [*around[-2::-1], None]
    cursor.seek(handles[2])
    assert cursor.entry == handles[2] and cursor.prev() == handles[1]
    cursor.seek(None)
    assert cursor.next() == handles[0]
    assert walked.cursor(handles[3]).next() == handles[4]
    assert ListCursor(walked).next() == handles[0]


def test_a_cursor_stands_on_the_following_entry_when_its_own_goes(walked):
    handles = walked.handles().tolist()
    cursor = walked.cursor(handles[2])
    walked.remove(handles[1])
    assert not cursor.lost and cursor.entry == handles[2]
    walked.remove(handles[2])
    walked.remove(handles[3])
    assert cursor.lost and cursor.entry == handles[4]
    assert cursor.next() == handles[4] and not cursor.lost
    walked.remove(handles[4])
    assert cursor.lost and cursor.entry is None and cursor.next() is None
    assert cursor.prev() == handles[0]
    walked.clear()
    assert cursor.lost and cursor.prev() is None and cursor.next() is None


def test_a_lost_cursor_steps_back_to_the_one_before(walked):
    handles = walked.handles().tolist()
    for at, before in ((3, handles[2]), (4, handles[2]), (0, None)):
        cursor = walked.cursor(handles[at])
        walked.remove(handles[at])
        assert cursor.prev() == before and not cursor.lost


def test_a_loop_over_a_cursor_goes_on_where_it_is(walked):
    handles = walked.handles().tolist()
    cursor = walked.cursor()
    for handle in cursor:
        if handle == handles[1]:
            walked.remove(handle)
            break
    assert list(cursor) == handles[2:]
    assert list(cursor) == [handles[0], *handles[2:]]


def test_a_closed_cursor_is_refused(walked):
    with walked.cursor() as cursor:
        cursor.next()
    cursor.close()
    for use in (cursor.next, cursor.prev, lambda: cursor.entry, lambda: list(cursor)):
        with pytest.raises(LifecycleError, match="the cursor is closed"):
            use()
    with pytest.raises(LifecycleError, match="closed"), cursor:
        pass
    with pytest.raises(LifecycleError, match="closed"):
        cursor.seek(None)
    assert not cursor.lost
    walked.clear()


def test_a_cursor_is_refused_what_is_no_list():
    for nothing in ([1], 5, "list"):
        with pytest.raises(InputError, match=r"ListCursor: \w+ is no list; expected"):
            ListCursor(nothing)
    with pytest.raises(TypeError):
        ListCursor()


def test_a_cursor_of_a_list_that_is_spliced_or_cut_stays_in_it(jobs):
    walked = listed(jobs, "state", range(5))
    handles = walked.handles().tolist()
    cursor, behind = walked.cursor(handles[1]), walked.cursor(handles[4])
    before = walked.cut_before(handles[3])
    assert cursor.lost and cursor.entry == handles[3]
    assert not behind.lost and behind.entry == handles[4]
    before.splice_tail(walked)
    assert cursor.lost and cursor.entry is None and behind.lost
    walked.add(int(jobs.handles()[7]))
    assert cursor.next() is None and cursor.next() == walked.first


def test_reversed_is_the_order_backwards(walked):
    assert list(reversed(walked)) == walked.handles().tolist()[::-1]
    walked.clear()
    assert list(reversed(walked)) == []


@pytest.mark.parametrize("how", ["move_tail", "remove"])
def test_a_walk_backwards_survives_what_is_done_to_its_entry(walked, how):
    handles = walked.handles().tolist()
    seen = []
    for handle in reversed(walked):
        seen.append(handle)
        getattr(walked, how)(handle)
    assert seen == handles[::-1]


def test_a_walk_backwards_goes_on_behind_what_was_removed(walked):
    handles = walked.handles().tolist()
    walk = reversed(walked)
    assert next(walk) == handles[4]
    for gone in (handles[3], handles[4], handles[2]):
        walked.remove(gone)
    assert list(walk) == [handles[1], handles[0]]


# --- nothing that is done to them is worse than an error ---


def test_lists_and_cursors_are_not_copied(jobs):
    for one, instead in (
        (jobs, r"to_array\(\) has its values"),
        (jobs.list("state"), r"handles\(\) has its entries"),
        (jobs.cursor(), r"list.cursor\(entry\) makes another"),
    ):
        for use in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=f"nor pickled; {instead}$"):
                use(one)


def test_a_list_is_no_array_of_its_handles(jobs):
    waiting = listed(jobs, "state", [3, 4])
    for many in (jobs.value_many, jobs.remove_many, waiting.remove_many):
        with pytest.raises(InputError) as refusal:
            many(waiting)
        assert str(refusal.value).partition(": ")[2] == (
            "the handles are <FieldList 'state': 2 entries>; expected its handles()"
        )
    with pytest.raises(InputError, match=r"10 entries>; expected its to_array\(\)"):
        IntrusiveList(jobs)
    assert jobs.value_many(waiting.handles()).tolist() == [3, 4]


def test_each_says_what_it_is(jobs):
    waiting = listed(jobs, "state", [3, 4])
    place = waiting.cursor()
    shown = "<FieldList 'state': 2 entries>"
    assert repr(waiting) == shown
    assert repr(place) == f"<ListCursor on none of {shown}>"
    handle = place.next()
    assert repr(place) == f"<ListCursor on handle {handle} of {shown}>"
    place.close()
    assert repr(place) == f"<ListCursor closed of {shown}>"
    assert repr(jobs.cursor()) == "<ListCursor on none of <IntrusiveList: 10 entries>>"


NOTHINGS = (
    *(None, True, -1, 0, 3, 2**32, 2**63 - 1, -(2**63), 2**70, 1.5, "state", b"x"),
    *((), [], [0], [[0, 1]], [None], {}, object(), range(3), np.int64(3)),
    *(np.zeros(2), np.zeros((2, 2), np.int64), np.zeros(3, bool), memoryview(b"123")),
)


@pytest.mark.parametrize("seed", range(20))
def test_any_call_with_anything_is_done_or_refused(seed):
    random = np.random.default_rng(seed)
    jobs = IntrusiveList(range(6), fields=("state", "owner"))
    things = [jobs, jobs.list("state"), jobs.list("state"), jobs.list("owner")]
    things[1].extend(jobs.handles()[:4])
    things += [jobs.cursor(), things[1].cursor(), iter(jobs), reversed(things[1])]
    names = {
        kind: [
            name
            for name in dir(kind)
            if not name.startswith("_")
            or name in ("__init__", "__new__", "__contains__", "__len__", "__repr__")
        ]
        for kind in {type(thing) for thing in things[:6]}
    }
    refused = (TypeError, ValueError, OverflowError, LifecycleError)
    for _ in range(400):
        thing = things[random.integers(6)]
        name = random.choice(names[type(thing)])
        pool = [*NOTHINGS, *things, *jobs.handles().tolist()]
        given = [pool[random.integers(len(pool))] for _ in range(random.integers(3))]
        with contextlib.suppress(*refused):
            asked = getattr(thing, name)
            if callable(asked):
                asked(*given)
        next(things[6 + random.integers(2)], None)
        if len(jobs) < 4:
            jobs.extend(range(3))
        jobs.validate()
        things[1].validate()


# --- against lists of Python's ---

FIELDS = ("a", "b")


class Twin:
    """A list of handles, and the places in it, by Python's means."""

    def __init__(self, made, field=None):
        self.made = made
        self.field = field
        self.order = []
        self.places = []

    def take(self, handle):
        at = self.order.index(handle)
        self.order.pop(at)
        following = self.order[at] if at < len(self.order) else None
        for place in self.places:
            if place["entry"] == handle:
                place.update(entry=following, lost=True)

    def empty(self):
        for handle in self.order[::-1]:
            self.take(handle)


class FieldsMachine(RuleBasedStateMachine):
    """Do the same to a list with fields and to Python's lists of its handles."""

    start = 0

    @initialize()
    def make(self):
        self.all = Twin(IntrusiveList(fields=FIELDS))
        self.jobs = self.all.made
        if self.start:
            self.jobs.extend(np.arange(self.start))
            self.jobs.clear()
        self.lists = [Twin(self.jobs.list(field), field) for field in FIELDS]
        self.values = {}
        self.gone = []

    def put(self, at, handle, value):
        assert handle not in self.values
        self.all.order.insert(at, handle)
        self.values[handle] = value

    def a_list(self, data):
        return data.draw(st.sampled_from(self.lists))

    def a_handle(self, data, some=()):
        """Draw a handle: one of some, of the live ones, of those gone, or of none."""
        pools = [pool for pool in (some, self.all.order, self.gone[-4:]) if pool]
        pool = data.draw(st.sampled_from([*pools, [1 << 45]]))
        return data.draw(st.sampled_from(pool))

    def on(self, field, handle):
        for twin in self.lists:
            if twin.field == field and handle in twin.order:
                return twin
        return None

    def refuses(self, handle, twin, must):
        """Return the error with which a handle is refused, if it is."""
        if handle not in self.all.order:
            return StaleHandleError, f"handle {handle}: no entry of the list"
        of = self.on(twin.field, handle) if twin.field else twin
        if must == "mine" and of is not twin:
            text = f"handle {handle}: not on this list of {twin.field!r}"
            return LifecycleError, text
        if must == "alone" and of is not None:
            text = f"handle {handle}: on a list of {twin.field!r} already"
            return LifecycleError, f"{text}, which move() takes it from"
        return None

    def tries(self, call, *refusals):
        """Call what is done, or refused with the first of some errors that is none."""
        refusal = next(filter(None, refusals), None)
        if refusal is None:
            return True, call()
        # Not by pytest.raises(), which would hold what the call holds, a list.
        told = None
        try:
            call()
        except LifecycleError as error:
            told = type(error), str(error)
        assert told == refusal
        return False, None

    # --- entries ---

    @rule(value=st.integers(-9, 9), tail=st.booleans())
    def add(self, value, tail):
        handle = (self.jobs.add_tail if tail else self.jobs.add)(value)
        self.put(len(self.all.order) if tail else 0, handle, value)

    @rule(count=st.integers(0, 6))
    def extend(self, count):
        for value, handle in enumerate(self.jobs.extend(range(count)).tolist()):
            self.put(len(self.all.order), handle, value)

    @rule(data=st.data(), tail=st.booleans())
    def move_entry(self, data, tail):
        handle = self.a_handle(data)
        move = self.jobs.move_tail if tail else self.jobs.move
        if self.tries(lambda: move(handle), self.refuses(handle, self.all, "live"))[0]:
            self.all.take(handle)
            self.all.order.insert(len(self.all.order) if tail else 0, handle)

    def forget(self, handle):
        self.gone.append(handle)
        for twin in (self.all, *self.lists):
            if handle in twin.order:
                twin.take(handle)

    @rule(data=st.data())
    def remove_entry(self, data):
        handle = self.a_handle(data)
        refusal = self.refuses(handle, self.all, "live")
        if self.tries(lambda: self.jobs.remove(handle), refusal)[0]:
            self.forget(handle)

    @precondition(lambda self: self.all.order)
    @rule(data=st.data())
    def remove_entries(self, data):
        some = data.draw(st.lists(st.sampled_from(self.all.order), unique=True))
        self.jobs.remove_many(some)
        for handle in some:
            self.forget(handle)

    @precondition(lambda self: len(self.all.order) > 5)
    @rule()
    def clear(self):
        self.jobs.clear()
        self.gone += self.all.order
        for twin in (self.all, *self.lists):
            twin.empty()

    # --- lists ---

    @precondition(lambda self: len(self.lists) < 6)
    @rule(field=st.sampled_from(FIELDS))
    def make_list(self, field):
        self.lists.append(Twin(self.jobs.list(field), field))

    @precondition(lambda self: len(self.lists) > 2)
    @rule(data=st.data())
    def drop_list(self, data):
        twin = self.a_list(data)
        self.lists.remove(twin)
        # What was drawn is held, and so are its list and cursors otherwise.
        for place in twin.places:
            place["cursor"] = None
        twin.made = None

    @rule(data=st.data(), tail=st.booleans())
    def put_on(self, data, tail):
        twin = self.a_list(data)
        handle = self.a_handle(data)
        call = twin.made.add_tail if tail else twin.made.add
        if self.tries(lambda: call(handle), self.refuses(handle, twin, "alone"))[0]:
            twin.order.insert(len(twin.order) if tail else 0, handle)

    @rule(data=st.data(), behind=st.booleans())
    def insert(self, data, behind):
        twin = self.a_list(data)
        at, handle = self.a_handle(data, twin.order), self.a_handle(data)
        call = twin.made.insert_after if behind else twin.made.insert_before
        refusals = self.refuses(at, twin, "mine"), self.refuses(handle, twin, "alone")
        if self.tries(lambda: call(at, handle), *refusals)[0]:
            twin.order.insert(twin.order.index(at) + behind, handle)

    @rule(data=st.data(), tail=st.booleans())
    def move(self, data, tail):
        twin = self.a_list(data)
        handle = self.a_handle(data)
        call = twin.made.move_tail if tail else twin.made.move
        if self.tries(lambda: call(handle), self.refuses(handle, twin, "live"))[0]:
            if of := self.on(twin.field, handle):
                of.take(handle)
            twin.order.insert(len(twin.order) if tail else 0, handle)

    @rule(data=st.data())
    def remove(self, data):
        twin = self.a_list(data)
        handle = self.a_handle(data, twin.order)
        refusal = self.refuses(handle, twin, "mine")
        if self.tries(lambda: twin.made.remove(handle), refusal)[0]:
            twin.take(handle)

    @precondition(lambda self: self.all.order)
    @rule(
        data=st.data(),
        what=st.sampled_from(["extend", "remove_many", "move_many", "move_tail_many"]),
    )
    def many(self, data, what):
        twin = self.a_list(data)
        pool = [*self.all.order, *self.gone[-2:]]
        some = data.draw(st.lists(st.sampled_from(pool), max_size=6))
        must = {"extend": "alone", "remove_many": "mine"}.get(what, "live")
        refusal = None
        for handle in some:
            refusal = self.refuses(handle, twin, must)
            if refusal:
                break
            if of := self.on(twin.field, handle):
                of.take(handle)
            if what == "move_many":
                twin.order.insert(0, handle)
            elif what != "remove_many":
                twin.order.append(handle)
        self.tries(lambda: getattr(twin.made, what)(some), refusal)

    @rule(data=st.data(), tail=st.booleans())
    def splice(self, data, tail):
        one, two = self.a_list(data), self.a_list(data)
        call = one.made.splice_tail if tail else one.made.splice
        if one is two or one.field != two.field:
            told = None
            try:
                call(two.made)
            except InputError as error:
                told = error.expected
            assert told == f"another list of {one.field!r} of the same entries"
            return
        call(two.made)
        order = two.order[:]
        two.empty()
        one.order[:] = one.order + order if tail else order + one.order

    @precondition(lambda self: len(self.lists) < 6)
    @rule(data=st.data())
    def cut(self, data):
        twin = self.a_list(data)
        handle = self.a_handle(data, twin.order)
        done, made = self.tries(
            lambda: twin.made.cut_before(handle), self.refuses(handle, twin, "mine")
        )
        if done:
            new = Twin(made, twin.field)
            new.order = twin.order[: twin.order.index(handle)]
            for before in new.order[::-1]:
                twin.take(before)
            for place in twin.places:
                if place["entry"] in new.order:
                    place.update(entry=handle, lost=True)
            self.lists.append(new)

    @rule(data=st.data())
    def clear_list(self, data):
        twin = self.a_list(data)
        twin.made.clear()
        twin.empty()

    # --- cursors ---

    @rule(data=st.data())
    def open(self, data):
        twin = data.draw(st.sampled_from([self.all, *self.lists]))
        if len(twin.places) < 3:
            place = {"cursor": twin.made.cursor(), "entry": None, "lost": False}
            twin.places.append(place)

    @precondition(lambda self: any(twin.places for twin in [self.all, *self.lists]))
    @rule(
        data=st.data(),
        how=st.sampled_from(["next", "next", "next", "prev", "prev", "seek", "close"]),
    )
    def step(self, data, how):
        held = [twin for twin in [self.all, *self.lists] if twin.places]
        twin = data.draw(st.sampled_from(held))
        place = data.draw(st.sampled_from(twin.places))
        cursor = place["cursor"]
        if how == "close":
            cursor.close()
            place["cursor"] = None  # what was drawn is held
            twin.places.remove(place)
            return
        if how == "seek":
            to = data.draw(st.sampled_from([None, *twin.order, *self.gone[-1:]]))
            refusal = None if to is None else self.refuses(to, twin, "mine")
            if self.tries(lambda: cursor.seek(to), refusal)[0]:
                place.update(entry=to, lost=False)
            return
        if not (how == "next" and place["lost"]):
            ring = [None, *twin.order]
            at = ring.index(place["entry"]) + (1 if how == "next" else -1)
            place["entry"] = ring[at % len(ring)]
        place["lost"] = False
        assert getattr(cursor, how)() == place["entry"]

    # --- all of it ---

    @invariant()
    def agree(self):
        self.jobs.validate()
        for twin in (self.all, *self.lists):
            made, order = twin.made, twin.order
            assert len(made) == len(order)
            assert made.handles().tolist() == list(made) == order
            assert list(reversed(made)) == order[::-1]
            assert values(made) == [self.values[handle] for handle in order]
            assert made.first == (order[0] if order else None)
            assert made.last == (order[-1] if order else None)
            around = [None, *order, None]
            for before, handle, behind in zip(around, order, around[2:], strict=False):
                assert (made.prev(handle), made.next(handle)) == (before, behind)
            for place in twin.places:
                cursor = place["cursor"]
                assert (cursor.entry, cursor.lost) == (place["entry"], place["lost"])
            made.validate()
        for field in FIELDS:
            for handle in self.all.order:
                of = self.on(field, handle)
                held = self.jobs.list_of(field, handle)
                assert held is (None if of is None else of.made)
                for twin in self.lists:
                    if twin.field == field:
                        assert (handle in twin.made) == (twin is of)


TestFieldsMachine = FieldsMachine.TestCase


class LongFieldsMachine(FieldsMachine):
    """The same to a list that unlinks later."""

    start = LONG


TestLongFieldsMachine = LongFieldsMachine.TestCase

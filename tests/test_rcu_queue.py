"""RcuQueue: callbacks in four segments, and what a grace period promises them."""

import array
import copy
import doctest
import gc
import operator
import pickle
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import slabcore
from slabcore import InputError, LifecycleError
from slabcore.reference import rcu as reference

VALUES = st.integers(-(2**63), 2**63 - 1)


def make(engine, *arguments, **options):
    kind = slabcore.RcuQueue if engine == "core" else reference.RcuQueue
    return kind(*arguments, **options)


def listed(answer):
    """Return what came out: values as a list, or the number of objects."""
    return answer.tolist() if isinstance(answer, np.ndarray) else answer


def test_the_example_of_the_class_runs():
    finder = doctest.DocTestFinder()
    runner = doctest.DocTestRunner()
    for example in finder.find(slabcore.RcuQueue, "RcuQueue"):
        runner.run(example)
    assert runner.tries and not runner.failures


# --- segments and numbers ---


def test_queueing_asks_for_nothing(engine):
    queue = make(engine, 2)
    queue.call(7)
    assert queue.segments() == (0, 0, 0, 1)
    assert (queue.requested, queue.gpnum, queue.completed) == (0, 0, 0)
    assert listed(queue.invoke()) == []
    assert queue.segments() == (0, 1, 0, 0) and queue.requested == 1


def test_a_running_grace_period_is_not_enough(engine):
    queue = make(engine, 2)
    queue.call(1)
    assert queue.start() == 1
    queue.call(2)
    assert queue.advance() == 0
    assert queue.segments() == (0, 1, 1, 0) and queue.requested == 2
    assert queue.quiescent(0) is False
    assert queue.quiescent(0) is False  # once is enough
    assert queue.quiescent(1) is True
    assert listed(queue.invoke()) == [1]
    assert queue.segments() == (0, 1, 0, 0)
    queue.start()
    assert queue.quiescent() is True
    assert listed(queue.invoke()) == [2]


def test_later_callbacks_join_those_that_wait_for_the_same(engine):
    queue = make(engine)
    queue.call(1)
    queue.advance()
    queue.call(2)
    queue.advance()
    assert queue.segments() == (0, 2, 0, 0)
    queue.start()
    queue.call(3)
    queue.advance()
    queue.call(4)
    queue.advance()
    assert queue.segments() == (0, 2, 2, 0)
    queue.call(5)
    assert queue.segments() == (0, 2, 2, 1)
    queue.quiescent()
    # Number 3 goes with 2 and not with one of its own: none runs now.
    assert queue.advance() == 2
    assert queue.segments() == (2, 3, 0, 0)


def test_a_quiescent_state_without_a_grace_period_ends_none(engine):
    queue = make(engine, 2)
    assert queue.quiescent() is False
    queue.start()
    assert (queue.gpnum, queue.completed) == (1, 0)
    with pytest.raises(LifecycleError, match="grace period 1 has not ended"):
        queue.start()
    assert queue.quiescent() is True


def test_grace_period_ends_the_one_that_runs_and_goes_through_a_whole(engine):
    queue = make(engine, 2)
    assert queue.grace_period() == 1
    queue.start()
    queue.call(1, 1)
    assert queue.grace_period() == 3
    assert queue.advance(1) == 1 and queue.advance(0) == 0
    assert listed(queue.invoke()) == [1]


# --- batches ---


def test_a_batch_is_blimit(engine):
    queue = make(engine)
    queue.call_many(range(25))
    queue.grace_period()
    assert listed(queue.invoke()) == list(range(10))
    assert listed(queue.invoke(batches=2)) == list(range(10, 25))
    assert listed(queue.invoke()) == []
    queue.call_many(range(25))
    queue.grace_period()
    assert listed(queue.invoke(batches=None)) == list(range(25))
    assert queue.invoked == 50 and queue.longest == 25


def test_the_limit_is_lifted_above_qhimark_and_back_at_qlowmark(engine):
    queue = make(engine, blimit=2, qhimark=8, qlowmark=3)
    queue.call_many(range(8))
    queue.grace_period()
    assert listed(queue.invoke()) == [0, 1]  # eight are not more than eight
    queue.call_many(range(8, 11))
    queue.grace_period()
    queue.call_many(range(11, 15))
    assert listed(queue.invoke()) == list(range(2, 11))  # 4 are left: above qlowmark
    queue.grace_period()
    assert listed(queue.invoke()) == list(range(11, 15))
    queue.call_many(range(4))
    queue.grace_period()
    assert listed(queue.invoke()) == [0, 1]


def test_each_cpu_has_its_own_limit_and_order(engine):
    queue = make(engine, 3, blimit=2, qhimark=3)
    queue.call_many([1, 2, 3], 2)
    queue.call_many([4, 5, 6, 7], 0)
    queue.grace_period()
    assert listed(queue.invoke()) == [4, 5, 6, 7, 1, 2]
    assert listed(queue.invoke(1)) == []
    assert listed(queue.invoke(2)) == [3]


# --- waiting ---


@pytest.mark.parametrize("marker", reference.MARKERS)
def test_barrier_returns_when_all_was_invoked(engine, marker):
    queue = make(engine, 3, marker=marker, blimit=2)
    queue.call_many([1, 2, 3], 0)
    queue.call(4, 2)
    assert listed(queue.barrier()) == [1, 2, 3, 4]
    assert queue.pending == 0 and queue.invoked == 4
    assert queue.segments(0) == queue.segments(2) == (0, 0, 0, 0)


@pytest.mark.parametrize("marker", reference.MARKERS)
def test_barrier_over_nothing_waits_for_nothing(engine, marker):
    queue = make(engine, 2, marker=marker)
    assert listed(queue.barrier()) == []
    assert queue.gpnum == 0 and queue.longest == 0


@pytest.mark.parametrize(("marker", "grace_periods"), [("queued", 1), ("entrained", 0)])
def test_a_queued_marker_needs_a_grace_period_of_its_own(engine, marker, grace_periods):
    queue = make(engine, 2, marker=marker)
    queue.call_many([1, 2], 1)
    before = queue.grace_period()
    queue.advance()
    assert listed(queue.barrier()) == [1, 2]
    assert queue.completed - before == grace_periods


@pytest.mark.parametrize(("marker", "grace_periods"), [("queued", 2), ("entrained", 1)])
def test_barrier_first_ends_the_grace_period_that_runs(engine, marker, grace_periods):
    queue = make(engine, 2, marker=marker)
    queue.call(1)
    queue.start()
    assert listed(queue.barrier()) == [1]
    assert queue.completed == grace_periods


def test_a_queued_marker_counts_for_the_limit(engine):
    queue = make(engine, blimit=1, qhimark=2, qlowmark=0, marker="queued")
    queue.call_many([1, 2])
    assert listed(queue.barrier()) == [1, 2]
    assert queue.longest == 3 and queue.invoked == 2


def test_synchronize_waits_behind_the_callbacks_of_its_cpu(engine):
    queue = make(engine, 2)
    queue.call(1, 0)
    queue.call(2, 1)
    queue.start()
    assert listed(queue.synchronize(1)) == [2]
    assert queue.completed == 2  # the one that ran began before
    assert queue.pending == 1 and queue.advance(0) == 1
    assert listed(make(engine, 2).synchronize()) == []


def test_one_cpu_need_not_wait(engine):
    queue = make(engine)
    queue.call(1)
    assert listed(queue.synchronize()) == []
    assert queue.gpnum == 0 and queue.pending == 1


# --- objects ---


def test_objects_are_handed_to_the_callback(engine):
    seen = []
    queue = make(engine, 2, callback=seen.append, blimit=2)
    queue.call_many(["a", None, "b"])
    queue.call({}, 1)
    assert queue.pending == 4
    queue.grace_period()
    assert queue.invoke() == 3
    assert seen == ["a", None, {}]
    assert queue.barrier() == 1
    assert seen == ["a", None, {}, "b"]
    queue.validate()


def test_a_callback_may_queue_another_for_the_next_grace_period(engine):
    seen = []

    def callback(left):
        seen.append((left, queue.completed))
        if left:
            queue.call(left - 1)

    queue = make(engine, callback=callback)
    queue.call(2)
    while queue.pending:
        queue.grace_period()
        queue.invoke()
    assert seen == [(2, 1), (1, 2), (0, 3)]


def test_barrier_leaves_what_callbacks_queue(engine):
    queue = make(engine, callback=lambda again: queue.call(again))
    queue.call("again")
    assert queue.barrier() == 1
    assert queue.pending == 1
    queue.validate()


def test_a_callback_may_not_invoke(engine):
    queue = make(engine, callback=lambda wait: getattr(queue, wait)())
    for wait in ("invoke", "barrier", "synchronize"):
        queue.call(wait)
        queue.grace_period()
        with pytest.raises(LifecycleError, match="a callback is being invoked"):
            queue.invoke()
    assert queue.pending == 0


def test_what_a_callback_raises_ends_the_call_and_the_rest_stays(engine):
    seen = []

    def callback(value):
        seen.append(1 // value)

    queue = make(engine, 2, callback=callback, blimit=1, qhimark=2, qlowmark=0)
    queue.call_many([1, 0, 1])
    queue.call(0, 1)
    with pytest.raises(ZeroDivisionError):
        queue.barrier()
    assert seen == [1] and queue.pending == 2 and queue.invoked == 2
    queue.validate()
    with pytest.raises(ZeroDivisionError):
        queue.barrier()
    assert queue.barrier() == 0  # what was left of the two before
    assert seen == [1, 1] and queue.pending == 0 and queue.invoked == 4
    queue.validate()


def test_a_queue_lets_go_of_what_it_invoked_and_of_all_when_it_goes():
    class Thing:
        pass

    kept, gone = Thing(), Thing()
    references = [weakref.ref(kept), weakref.ref(gone)]
    queue = slabcore.RcuQueue(callback=lambda thing: None)
    queue.call(gone)
    assert queue.barrier() == 1
    queue.call(kept)
    kept.queue = queue  # a cycle
    del gone
    assert references[1]() is None
    del kept, queue
    gc.collect()
    assert references[0]() is None


def test_callables_are_called_themselves_by_operator_call(engine):
    seen = []
    queue = make(engine, callback=operator.call)
    queue.call_many((lambda: seen.append(1), lambda: seen.append(2)))
    queue.call(lambda: queue.call(seen.clear))
    assert queue.barrier() == 3 and seen == [1, 2]
    queue.call(None)
    assert queue.pending == 2
    with pytest.raises(TypeError, match="not callable"):
        queue.barrier()
    assert seen == [] and queue.pending == 0


@pytest.mark.parametrize("many", [list, tuple, iter])
def test_objects_are_queued_whole_as_one_by_one(many):
    class Thing:
        def __del__(self):
            made[0].call("by collection")

    def cycle():
        thing = Thing()
        thing.itself = thing

    made = []
    for call_many in (True, False):
        seen = []
        queue = slabcore.RcuQueue(2, callback=seen.append, qhimark=300, blimit=1)
        made[:] = [queue]
        for count in (0, 63, 1, 200, 5000):
            cycle()  # garbage that queues if room is made while it is collected
            values = list(range(count))
            if call_many:
                queue.call_many(many(values), 1)
            else:
                for value in values:
                    queue.call(value, 1)
            queue.grace_period()
            queue.invoke(1)
        gc.collect()
        queue.validate()
        queue.barrier()
        numbers = [value for value in seen if value != "by collection"]
        wanted = [n for count in (63, 1, 200, 5000) for n in range(count)]
        assert numbers == wanted
        assert seen.count("by collection") == 5 and queue.invoked == len(seen)


def test_what_an_iterator_fails_with_leaves_what_came_before(engine):
    seen = []
    queue = make(engine, callback=seen.append)
    with pytest.raises(ZeroDivisionError):
        queue.call_many(1 // n for n in (1, 1, 0, 1))
    assert queue.barrier() == 2


@pytest.mark.parametrize("marker", reference.MARKERS)
def test_garbage_that_queues_while_a_waiter_gets_room_is_invoked_later(
    collecting, marker
):
    class Late:
        def __del__(self):
            queue.call("late", 0)

    def cycle():
        late = Late()
        late.itself = late

    seen = []
    queue = slabcore.RcuQueue(2, callback=seen.append, marker=marker)
    queue.call_many(["early"] * 63, 0)  # room for one more, which a waiter takes
    queue.call_many(["early"] * 64, 1)  # and for none
    collecting(cycle, lambda: queue.barrier())
    queue.validate()
    gc.collect()
    queue.barrier()
    assert seen.count("early") == 127 and seen.count("late") == 1


# --- words ---


def test_words_are_written_when_their_grace_period_is_over(engine):
    words = np.array([5, 0, 2, 3, 7], np.uint32)
    queue = make(engine, 2, words=words, blimit=2)
    for value, kind in enumerate(reference.KINDS):
        queue.call(value, value % 2, kind)
    assert queue.invoke() == 0 and words.tolist() == [5, 0, 2, 3, 7]
    queue.grace_period()
    assert queue.invoke(0) == 2
    assert words.tolist() == [6, 0, 3, 3, 7]
    assert queue.barrier() == 3
    assert words.tolist() == [6, 2**32 - 1, 3, 2, 6]
    assert queue.words is words and make(engine).words is None
    assert queue.barrier() == queue.invoke() == make(engine, words=words).barrier() == 0


@pytest.mark.parametrize("marker", reference.MARKERS)
def test_one_who_waits_writes_no_word(engine, marker):
    words = np.zeros(1, np.uint32)
    queue = make(engine, 2, words=words, marker=marker, blimit=1)
    queue.call(0, 1, "inc")
    queue.start()
    queue.call(0, 1, "inc")
    assert queue.synchronize(1) == 2 and words[0] == 2
    queue.call(0, 0, "inc")
    assert queue.synchronize(1) == 0 and queue.barrier() == 1
    assert words[0] == 3 and queue.invoked == 3 and queue.pending == 0
    queue.validate()


KINDS = st.sampled_from(sorted(reference.KINDS))
WORDS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=150)


@given(
    rounds=st.lists(st.tuples(st.integers(0, 1), WORDS, KINDS), max_size=6),
    first=st.lists(st.integers(0, 2**32 - 1), min_size=5, max_size=5),
    form=st.sampled_from(["I", "q", "i", "list"]),
    batches=st.none() | st.integers(1, 9),
)
def test_words_in_bulk_are_words_one_by_one(rounds, first, form, batches):
    names = list(reference.KINDS)
    made = []
    for kind in (slabcore.RcuQueue, slabcore.RcuQueue, reference.RcuQueue):
        words = np.array(first, np.uint32)
        if kind is reference.RcuQueue:
            words = words.tolist()
        made.append((kind(2, words=words, blimit=7, qhimark=99, qlowmark=9), words))
    (many, many_words), (one, one_words), (twin, twin_words) = made
    for cpu, calls, name in rounds:
        values = [value for value, _ in calls]
        kinds = bytes(number for _, number in calls)
        given_ = values if form == "list" else np.array(values, form)
        many.call_many(given_, cpu, np.frombuffer(kinds, np.uint8))
        many.call_many(given_, cpu, name)
        twin.call_many(values, cpu, kinds)
        twin.call_many(values, cpu, name)
        for value, number in calls:
            one.call(value, cpu, names[number])
        for value in values:
            one.call(value, cpu, name)
        for queue in (many, one, twin):
            queue.grace_period()
        ran = {queue.invoke(batches=batches) for queue in (many, one, twin)}
        assert len(ran) == 1
        assert many_words.tolist() == one_words.tolist() == twin_words
        for name in ("pending", "invoked", "longest", "requested"):
            assert getattr(many, name) == getattr(one, name) == getattr(twin, name)
        many.validate()
    assert many.barrier() == one.barrier() == twin.barrier()
    assert many_words.tolist() == one_words.tolist() == twin_words


@given(
    runs=st.lists(
        st.tuples(st.integers(0, 299), st.integers(1, 130), st.integers(0, 4)),
        max_size=12,
    ),
    stride=st.sampled_from([1, 1, 1, 2, -1]),
    before=st.integers(0, 200),
)
def test_words_in_order_are_written_as_in_any(runs, stride, before):
    words, twin = np.arange(300, dtype=np.uint32), list(range(300))
    queue = slabcore.RcuQueue(words=words)
    queue.call_many([7] * before, kind="inc")  # the ring goes round elsewhere then
    queue.barrier()
    twin[7] += before
    values, kinds = [], []
    for start, count, kind in runs:
        run = [start + i * stride for i in range(count)]
        values += [value for value in run if 0 <= value < 300]
        kinds += [kind] * (len(values) - len(kinds))
    queue.call_many(np.array(values, np.uint32), kind=bytes(kinds))
    assert queue.barrier() == len(values)
    write = list(reference.KINDS.values())
    for value, kind in zip(values, kinds, strict=True):
        twin[value] = write[kind](twin[value])
    assert words.tolist() == twin


def test_many_words_are_asked_for_ahead():
    words = np.zeros(200_000, np.uint32)
    queue = slabcore.RcuQueue(words=words)
    order = np.random.default_rng(1).permutation(len(words))
    for start in (0, 17, 100_000):  # the ring goes round at another place each time
        queue.call_many(order[start:], kind="inc")
        assert queue.barrier() == len(words) - start
    assert np.array_equal(
        words[order], 1 + (np.arange(200_000) >= 17) + (np.arange(200_000) >= 100_000)
    )


def test_a_wrong_word_or_kind_queues_nothing(engine):
    queue = make(engine, words=np.zeros(4, np.uint32))
    index = "RcuQueue: value is {}; expected 0 to 3, an index of words"
    for value in (4, -1, 2**32, -(2**63), 2**63 - 1):
        with pytest.raises(InputError, match=index.format(value)):
            queue.call(value, kind="inc")
        with pytest.raises(InputError, match=index.format(value)):
            queue.call_many([1, value, 2], kind="inc")
    with pytest.raises(InputError, match=index.format(4)):
        queue.call_many(np.array([1, 4], np.uint32), kind=b"\x00\x01")
    with pytest.raises(InputError, match="kind is 5; expected 0 to 4"):
        queue.call_many([1, 2, 9], kind=b"\x04\x05\x00")
    with pytest.raises(InputError, match="kind has 1 numbers; expected 2"):
        queue.call_many([1, 2], kind=b"\x04")
    for kind in (None, "free"):
        expected = f"kind is {kind!r}; expected inc, dec, set, clear or change"
        with pytest.raises(InputError, match=expected):
            queue.call(1, kind=kind)
        with pytest.raises(InputError, match=expected):
            queue.call_many([1], kind=kind)
    for value in ("1", 1.5, None):
        with pytest.raises(TypeError):
            queue.call(value, kind="inc")
    assert queue.pending == 0 and queue.barrier() == 0
    nothing = make(engine, words=np.zeros(0, np.uint32))
    nothing.call_many([], kind="dec")
    with pytest.raises(InputError, match="expected an index of words, of which there"):
        nothing.call(0, kind="dec")


def test_values_may_lie_anywhere(engine):
    lying = memoryview(b"-" + np.array([5, 7], np.int64).tobytes())[1:].cast("q")
    queue = make(engine)
    queue.call_many(lying)
    assert list(queue.barrier()) == [5, 7]
    words = memoryview(bytearray(9))[1:].cast("I")
    with pytest.raises(TypeError, match="expected a writable array of uint32"):
        make("core", words=words)


def test_kinds_are_for_words(engine):
    for options in ({}, {"callback": print}):
        queue = make(engine, **options)
        with pytest.raises(TypeError, match="kind='inc': expected none"):
            queue.call(1, kind="inc")
        with pytest.raises(TypeError, match="kind='inc': expected none"):
            queue.call_many([1], kind="inc")
        assert queue.pending == 0
    with pytest.raises(TypeError, match="words or a callback"):
        make(engine, words=np.zeros(1, np.uint32), callback=print)


def test_words_are_a_writable_array_of_uint32():
    frozen = np.zeros(3, np.uint32)
    frozen.flags.writeable = False
    for words, what in (
        (np.zeros(3), "of float64"),
        (np.zeros(3, np.int32), "of int32"),
        (np.zeros(6, np.uint32)[::2], "not contiguous"),
        (frozen, "read-only"),
        ([1, 2], "of type list"),
        (b"1234", "read-only, of format 'B'"),
        (np.zeros(3, ">u4"), "of >u4"),
    ):
        with pytest.raises(TypeError) as refusal:
            slabcore.RcuQueue(words=words)
        assert str(refusal.value) == (
            f"words are {what}: expected a writable array of uint32, in C order"
        )
    held = array.array("I", [1, 2])
    queue = slabcore.RcuQueue(words=held)
    with pytest.raises(BufferError):
        held.append(3)
    queue.call_many([0, 1, 1], kind="inc")
    assert queue.barrier() == 3 and held.tolist() == [2, 4]
    for kind in (np.zeros(1, np.int64), [0], 0):
        with pytest.raises(TypeError, match="kind: expected a name, or an array"):
            queue.call_many([0], kind=kind)
    del queue
    held.append(3)


# --- numpy in and out ---


def test_values_are_64_bits(engine):
    queue = make(engine)
    queue.call(-(2**63))
    queue.call(np.int64(2**63 - 1))
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(OverflowError):
            queue.call(value)
    for value in ("1", 1.5, None):
        kind = type(value).__name__
        with pytest.raises(TypeError, match=rf"^{kind}: expected a whole number, as"):
            queue.call(value)
    assert listed(queue.barrier()) == [-(2**63), 2**63 - 1]


def test_arrays_of_integers_are_queued_whole():
    queue = slabcore.RcuQueue()
    queue.call_many(np.arange(6, dtype=np.uint32)[::2])
    queue.call_many([[6, 7], [8, 9]])
    queue.call_many([])
    values = queue.barrier()
    assert values.tolist() == [0, 2, 4, 6, 7, 8, 9] and values.dtype == np.int64
    for values in (np.ones(2), np.array([2**64 - 1], np.uint64), ["1"]):
        with pytest.raises(TypeError):
            queue.call_many(values)
    for value, what in (
        (7, "of type int"),
        (np.int64(7), "of type int64"),
        (np.array(7), "an array without dimensions"),
        (np.array(7, np.int32), "an array without dimensions"),
        ({7, 8}, "of type set"),
        ((number for number in (7, 8)), "of type generator"),
    ):
        with pytest.raises(TypeError) as refusal:
            queue.call_many(value)
        assert str(refusal.value) == (
            f"values are {what}: expected a list or an array of whole numbers, as the "
            "queue has no callback"
        )
    assert queue.pending == 0


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=12))
def test_the_ring_grows_and_goes_round(steps):
    many, one = slabcore.RcuQueue(blimit=7), slabcore.RcuQueue(blimit=7)
    queued = 0
    out = []
    for add, take in steps:
        values = range(queued, queued + add)
        queued += add
        many.call_many(values)
        for value in values:
            one.call(value)
        for queue in (many, one):
            queue.grace_period()
        batches = take // 7 + 1
        taken = many.invoke(batches=batches).tolist()
        assert taken == one.invoke(batches=batches).tolist()
        out += taken
    assert out + many.barrier().tolist() == list(range(queued))


def test_what_is_queued_can_be_looked_at(engine):
    queue = make(engine, 2)
    queue.call_many([5, -6, 7])
    queue.grace_period()
    queue.call(2**40)
    assert listed(queue.values()) == [5, -6, 7, 2**40] and len(queue) == 4
    assert listed(queue.values(1)) == [] and not make(engine)
    words = make(engine, words=np.zeros(9, np.uint32))
    words.call_many([8, 0, 8], kind="inc")
    assert listed(words.values()) == [8, 0, 8]
    with pytest.raises(InputError, match="cpu is 2; expected 0 to 1"):
        queue.values(2)


def test_who_waits_is_no_value(engine):
    def fail(value):
        raise ZeroDivisionError

    queue = make(engine, 2, callback=fail, marker="queued")
    queue.call_many(["a", None, "b"], 1)
    with pytest.raises(ZeroDivisionError):
        queue.barrier()
    assert queue.values(1) == [None, "b"] and len(queue) == 2
    assert sum(queue.segments(1)) == 3  # the marker is there still


def test_words_and_values_may_lie_anywhere():
    memory = bytearray(8 * 5 + 1)
    for number, form in ((5, "q"), (10, "I")):
        values = memoryview(memory)[1:].cast(form)
        for i in range(number):
            values[i] = i
        queue = slabcore.RcuQueue(words=np.zeros(10, np.uint32))
        queue.call_many(values, kind="inc")
        assert queue.values().tolist() == list(range(number))
        queue.barrier()
        assert queue.words.tolist() == [1] * number + [0] * (10 - number)
        plain = slabcore.RcuQueue()
        plain.call_many(values)
        assert plain.barrier().tolist() == list(range(number))
    with pytest.raises(TypeError, match="expected a writable array of uint32"):
        slabcore.RcuQueue(words=values)


# --- what is refused ---


def test_cpus_and_counts_are_whole_numbers(engine):
    for options in (
        {"cpus": 2.0},
        {"blimit": 1.5},
        {"qhimark": 9.0},
        {"qlowmark": 1.0},
    ):
        with pytest.raises(TypeError, match="float"):
            make(engine, **options)
    queue = make(engine, np.int64(2))
    queue.call(1, np.int64(1))
    for call in (
        lambda: queue.call(2, 1.0),
        lambda: queue.call_many([2], 1.0),
        lambda: queue.quiescent(1.0),
        lambda: queue.advance(1.0),
        lambda: queue.invoke(1.0),
        lambda: queue.invoke(batches=1.5),
        lambda: queue.synchronize(1.0),
        lambda: queue.segments(1.0),
        lambda: queue.values(1.0),
    ):
        with pytest.raises(TypeError, match="float"):
            call()
    assert queue.pending == 1


def test_what_makes_no_queue_is_refused(engine):
    refused = [
        ({"cpus": 0}, "cpus is 0; expected 1 to 4096"),
        ({"cpus": 4097}, "cpus is 4097; expected 1 to 4096"),
        ({"blimit": 0}, "blimit is 0; expected 1 or more"),
        ({"qhimark": -1}, "qhimark is -1; expected 0 or more"),
        ({"qlowmark": -2}, "qlowmark is -2; expected 0 or more"),
        ({"marker": "both"}, "marker is 'both'; expected queued or entrained"),
    ]
    for options, message in refused:
        with pytest.raises(InputError, match=message):
            make(engine, **options)
    with pytest.raises(TypeError, match="callback=7: expected a callable or None"):
        make(engine, callback=7)


def test_a_cpu_that_is_not_there_is_refused(engine):
    queue = make(engine, 2)
    for use in ("segments", "quiescent", "advance", "invoke", "synchronize"):
        for cpu in (-1, 2):
            with pytest.raises(InputError, match=f"cpu is {cpu}; expected 0 to 1"):
                getattr(queue, use)(cpu)
    for use in (queue.call, lambda value, cpu: queue.call_many([value], cpu)):
        with pytest.raises(InputError, match="cpu is 2; expected 0 to 1"):
            use(1, 2)
    with pytest.raises(InputError, match="batches is 0; expected 1 or more, or None"):
        queue.invoke(batches=0)


def test_a_queue_is_made_once():
    queue = slabcore.RcuQueue(2)
    queue.call(1)
    with pytest.raises(LifecycleError, match="made once"):
        queue.__init__(3)
    assert queue.cpus == 2 and queue.barrier().tolist() == [1]


def test_a_queue_says_what_waits_and_is_not_copied():
    queue = slabcore.RcuQueue()
    queue.call_many([1, 2])
    assert repr(queue) == "<RcuQueue: 2 pending on 1 CPU>"
    queue.start()
    assert repr(queue) == "<RcuQueue: 2 pending on 1 CPU, in grace period 1>"
    assert (
        repr(slabcore.RcuQueue(4, callback=print)) == "<RcuQueue: 0 pending on 4 CPUs>"
    )
    for call in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"nor pickled; values\(cpu\) has what is"):
            call(queue)
    assert repr(slabcore.RcuQueue.__new__(slabcore.RcuQueue)) == (
        "<RcuQueue: 0 pending on 0 CPUs>"
    )


def test_what_is_no_array_of_numbers_is_told_in_one_line():
    queue = slabcore.RcuQueue()
    with pytest.raises(InputError) as refusal:
        queue.call_many([[1], [2, 3]])
    assert str(refusal.value) == (
        "RcuQueue: the values are no array; "
        "expected a list or an array of whole numbers"
    )
    for values, kind in (([1.5], "float64"), ([2**63], "uint64"), (["1"], "<U1")):
        with pytest.raises(TypeError, match=f"^values: {kind}, expected whole numbers"):
            queue.call_many(values)
    assert not queue


def test_a_queue_that_was_never_made_has_no_cpu():
    queue = slabcore.RcuQueue.__new__(slabcore.RcuQueue)
    with pytest.raises(InputError, match="cpu is 0"):
        queue.call(1)
    queue.validate()


# --- the core against its twin, and both against what RCU promises ---


class QueueMachine(RuleBasedStateMachine):
    """Do the same to the queue and to its twin; keep a ledger of each value's fate."""

    @initialize(
        cpus=st.integers(1, 4),
        blimit=st.integers(1, 4),
        qhimark=st.integers(0, 12),
        qlowmark=st.integers(0, 6),
        marker=st.sampled_from(reference.MARKERS),
        objects=st.booleans(),
    )
    def boot(self, cpus, objects, **options):
        self.objects = objects
        self.seen = [], []
        self.queues = [
            make(engine, cpus, **options, callback=seen.append if objects else None)
            for engine, seen in zip(("core", "reference"), self.seen, strict=True)
        ]
        self.cpus = cpus
        self.made = 0
        self.waiting = {cpu: [] for cpu in range(cpus)}  # (value, first gp after it)
        self.out = []

    def both(self, name, *arguments):
        """Call a method of both queues and return what they agree on."""
        answers = []
        for queue, seen in zip(self.queues, self.seen, strict=True):
            seen.clear()
            try:
                answer = listed(getattr(queue, name)(*arguments))
            except Exception as error:
                answer = type(error), str(error)
            answers.append((answer, list(seen)))
        assert answers[0] == answers[1]
        return answers[0]

    def settle(self, name, *arguments):
        """Invoke, and check the order and the time of what came."""
        answer, seen = self.both(name, *arguments)
        if self.objects:
            assert answer == len(seen)
        values = seen if self.objects else answer
        completed = self.queues[0].completed
        for value in values:
            cpu = value % self.cpus
            first, after = self.waiting[cpu].pop(0)
            assert value == first  # FIFO on its CPU
            assert after <= completed  # never before its grace period
        return values

    def draw(self, data):
        return data.draw(st.none() | st.integers(0, self.cpus - 1))

    @rule(data=st.data(), count=st.integers(1, 15), many=st.booleans())
    def call(self, data, count, many):
        cpu = data.draw(st.integers(0, self.cpus - 1))
        values = []
        for _ in range(count):
            values.append(self.made * self.cpus + cpu)
            self.made += 1
        after = self.queues[0].gpnum + 1
        self.waiting[cpu] += [(value, after) for value in values]
        if many:
            self.both("call_many", values, cpu)
        else:
            for value in values:
                self.both("call", value, cpu)

    @rule()
    def start(self):
        self.both("start")

    @rule(data=st.data())
    def quiescent(self, data):
        self.both("quiescent", self.draw(data))

    @rule(data=st.data())
    def advance(self, data):
        self.both("advance", self.draw(data))

    @rule()
    def grace_period(self):
        self.both("grace_period")

    @rule(data=st.data(), batches=st.none() | st.integers(1, 3))
    def invoke(self, data, batches):
        self.settle("invoke", self.draw(data), batches)

    @precondition(lambda self: self.cpus > 1)
    @rule(data=st.data())
    def synchronize(self, data):
        cpu = data.draw(st.integers(0, self.cpus - 1))
        gpnum = self.queues[0].gpnum
        self.settle("synchronize", cpu)
        assert not self.waiting[cpu]
        assert self.queues[0].completed > gpnum

    @rule()
    def barrier(self):
        queued = sum(map(len, self.waiting.values()))
        gpnum = self.queues[0].gpnum
        assert len(self.settle("barrier")) == queued
        assert not any(self.waiting.values())
        if not queued:
            assert self.queues[0].gpnum == gpnum

    @invariant()
    def agree(self):
        core, twin = self.queues
        core.validate()
        twin.validate()
        counts = ("pending", "gpnum", "completed", "requested", "invoked", "longest")
        for name in counts:
            assert getattr(core, name) == getattr(twin, name), name
        assert core.pending == sum(map(len, self.waiting.values()))
        for cpu in range(self.cpus):
            assert core.segments(cpu) == twin.segments(cpu)
            assert listed(core.values(cpu)) == listed(twin.values(cpu))


TestQueueMachine = QueueMachine.TestCase


# A callback's journey: the CPUs it is queued on again, one after the other; -1 fails.
JOURNEYS = st.lists(st.integers(-1, 2), max_size=4)
STEPS = st.sampled_from(
    ("start", "quiescent", "grace_period", "invoke", "barrier", "synchronize")
)


def history_of(engine, steps, **options):
    """Take steps, and return all that can be seen of the queue behind each."""
    history = []

    def callback(journey):
        history.append(journey)
        if journey and journey[0] < 0:
            raise OSError(f"no way from {journey}")
        if journey:
            queue.call(journey[1:], journey[0])

    queue = make(engine, 3, callback=callback, qlowmark=1, **options)
    for step in steps:
        try:
            if isinstance(step, tuple):
                queue.call(step[1], step[0])
            else:
                history.append(getattr(queue, step)())
        except (OSError, LifecycleError) as error:
            history.append(str(error))
        queue.validate()
        history.append([queue.pending, queue.invoked, queue.longest])
        history += [queue.segments(cpu) for cpu in range(3)]
    return history


@given(
    steps=st.lists(STEPS | st.tuples(st.integers(0, 2), JOURNEYS), max_size=30),
    options=st.fixed_dictionaries(
        {
            "blimit": st.integers(1, 3),
            "qhimark": st.integers(0, 5),
            "marker": st.sampled_from(reference.MARKERS),
        }
    ),
)
def test_callbacks_that_queue_and_fail_do_so_in_both(steps, options):
    assert history_of("core", steps, **options) == history_of(
        "reference", steps, **options
    )


def test_there_is_room_for_all_cpus_however_their_number_multiplies():
    class Number(int):
        def __mul__(self, other):
            return 8

    queue = slabcore.RcuQueue(Number(4000))
    for cpu in range(4000):
        queue.call(cpu, cpu)
    assert queue.barrier().tolist() == list(range(4000))

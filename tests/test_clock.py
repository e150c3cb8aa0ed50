"""The queue of timers against a heap of Python's: whatever the delays, one order."""

import heapq
import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slabcore._core import Timers
from slabcore.errors import LifecycleError

MS = 1_000_000
END = (1 << 62) - 1


class Both:
    """The core's queue and heapq, which must never differ."""

    def __init__(self) -> None:
        self.timers = Timers()
        self.heap: list[tuple[int, int, int]] = []
        self.numbers = itertools.count()
        self.now = 0

    def push(self, when: int, number: int | None = None) -> None:
        number = next(self.numbers) if number is None else number
        task = number * 7 % (1 << 32)
        self.timers.push(when, number, task)
        heapq.heappush(self.heap, (when, number, task))
        self.agree()

    def pop(self) -> None:
        self.now, _, task = heapq.heappop(self.heap)
        assert self.timers.pop() == task
        self.agree()

    def agree(self) -> None:
        assert len(self.timers) == len(self.heap)
        assert self.timers.next == (self.heap[0][0] if self.heap else None)

    def drain(self) -> None:
        while self.heap:
            self.pop()


def test_a_queue_without_timers_has_no_next():
    timers = Timers()
    assert (len(timers), timers.next) == (0, None)
    with pytest.raises(LifecycleError, match=r"^there is no timer$"):
        timers.pop()


@pytest.mark.parametrize("when", [-1, END + 1])
def test_a_time_beyond_all_time_is_refused(when):
    with pytest.raises(ValueError, match=f"when={when}; expected 0 to {END}"):
        Timers().push(when, 0, 0)


def test_timers_of_one_instant_go_by_number():
    both = Both()
    for number in random.Random(1).sample(range(5000), 5000):
        both.push(7 * MS, number)
    both.drain()


DELAYS: dict[str, Callable[[random.Random], float]] = {
    "exponential": lambda drawn: drawn.expovariate(1 / MS),
    "uniform": lambda drawn: drawn.uniform(0, 2 * MS),
    "one": lambda drawn: MS,
    "none": lambda drawn: 0,
    "ticks": lambda drawn: 4 * MS * drawn.randint(1, 4),
    "few long": lambda drawn: MS * (drawn.random() if drawn.random() < 0.9 else 1e4),
    "few short": lambda drawn: MS * (drawn.random() if drawn.random() < 0.1 else 1e4),
    "heavy tail": lambda drawn: min(MS * drawn.paretovariate(0.5), 1e15),
    "nanoseconds": lambda drawn: drawn.randint(0, 3),
    "years": lambda drawn: drawn.randint(0, 10**14),
}


@pytest.mark.parametrize("pending", [1, 63, 64, 65, 200, 3000])
@pytest.mark.parametrize("delays", DELAYS)
def test_the_order_holds_whatever_the_delays(delays, pending):
    drawn = random.Random(f"{delays} {pending}")
    both = Both()
    for _ in range(pending):
        both.push(int(DELAYS[delays](drawn)))
    for _ in range(3000 + pending):
        both.pop()
        both.push(both.now + int(DELAYS[delays](drawn)))
    both.drain()


def test_the_order_holds_when_the_pace_changes():
    drawn = random.Random(3)
    both = Both()
    for pending, mean in (
        *((10, 1e3), (2000, 1e9), (20, 10), (2000, 1e3)),
        *((100, 1e12), (3000, 1), (0, 1), (70, 1e6)),
    ):
        while len(both.heap) < pending:
            both.push(both.now + int(drawn.expovariate(1 / mean)))
        for _ in range(1500 if pending else 0):
            both.pop()
            both.push(both.now + int(drawn.expovariate(1 / mean)))
        while len(both.heap) > pending:
            both.pop()
    both.drain()


def test_short_sleeps_among_many_that_wait_for_one_instant():
    # The day of the many is opened, left for a shorter sleep, and opened again.
    both = Both()
    for i in range(2000):
        both.push(10**13 + i % 3)
        if i % 2:
            both.push(both.now + MS)
            both.pop()
    both.drain()


def test_what_is_due_in_the_past_comes_first():
    drawn = random.Random(4)
    both = Both()
    for _ in range(300):
        both.push(drawn.randrange(1000 * MS))
    for _ in range(2000):
        both.pop()
        both.push(max(0, both.now + drawn.randrange(-50 * MS, 50 * MS)))
    both.drain()


def test_timers_at_the_end_of_time_are_timers():
    drawn = random.Random(5)
    both = Both()
    for _ in range(500):
        both.push(END - int(drawn.expovariate(1e-18)) % END)
    for _ in range(500):
        both.push(END - drawn.randrange(10))
    both.drain()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 80),  # timers that are set
            st.sampled_from([0, 1, 1000, 10**6, 10**9, 10**13]),  # how far off at most
            st.integers(0, 90),  # timers that are taken out
        ),
        max_size=20,
    ),
    st.randoms(use_true_random=False),
)
def test_any_run_of_timers_comes_out_in_order(steps, drawn):
    both = Both()
    for set_, off, taken in steps:
        for _ in range(set_):
            both.push(both.now + drawn.randint(0, off), drawn.getrandbits(40))
        for _ in range(min(taken, len(both.heap))):
            both.pop()
    both.drain()

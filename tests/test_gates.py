"""slabcore.gates: what is measured, what is held, and how a miss explains itself.

No verdict here hangs on this machine's speed: time is told by a clock that the work
itself moves on.
"""

import gc
import json
import math
import sys
import textwrap
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import _slabcore_pytest
from slabcore import errors, gates
from slabcore.gates.fitting import nearest, slope_of
from slabcore.gates.metering import Side
from slabcore.gates.wording import amount, figure, plot

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
SIZES = (10, 100, 1_000)


class Clock:
    """A clock that work moves on; *noise* is what the nth reading adds besides."""

    def __init__(self, noise=lambda reading: 0.0):
        self.now = 0.0
        self.noise = noise
        self.readings = 0

    def __call__(self):
        self.readings += 1
        self.now += self.noise(self.readings)
        return self.now

    def works(self, cost):
        """Return work that takes cost(n) seconds."""

        def work(n):
            self.now += cost(n)

        return work

    def timing(self, **more):
        # A round takes no time of the real machine's that matters: 5 of them then.
        return gates.Timing(timer=self, max_s=0.0, **more)


# --- growth ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "slope"),
    [
        (lambda n: 1e-3, 0),
        (lambda n: 1e-3 * n, 1),
        (lambda n: 1e-3 * n**2, 2),
        (lambda n: 1e-3 * math.sqrt(n), 0.5),
    ],
)
def test_the_slope_is_the_exponent(cost, slope):
    clock = Clock()
    found = gates.growth(clock.works(cost), SIZES, timing=clock.timing(), limit_s=1e9)
    assert found.slope == pytest.approx(slope, abs=1e-6)
    assert found.points == pytest.approx({n: cost(n) for n in SIZES})


def test_what_grows_as_is_allowed_is_measured_once():
    clock = Clock()
    work = clock.works(lambda n: 1e-3 * n)
    found = gates.growth(work, SIZES, at_most="linear", timing=clock.timing())
    assert found.held and found.measured == 1 and found.rounds == 5


def test_a_miss_is_measured_again_before_it_is_believed():
    clock = Clock()
    work = clock.works(lambda n: 1e-3 * n**2)
    timing = clock.timing(again=3)
    found = gates.growth(work, (2, 4, 8), at_most="linear", timing=timing)
    assert found.held is False and found.measured == 4 and found.rounds == 20


def test_a_machine_that_is_busy_for_a_while_fails_nothing():
    calls = Counter()

    def work(n):
        calls[n] += 1
        # The first rounds of the largest size are disturbed, all of them.
        clock.now += 1e-3 * n * (1 if n < 8 or calls[n] > 7 else 20)

    clock = Clock()
    found = gates.growth(work, (2, 4, 8), at_most="linear", timing=clock.timing())
    assert found.held and found.measured == 2
    assert found.slope == pytest.approx(1)


def test_what_is_missed_by_far_is_believed_when_time_is_up():
    def measured(slope, at_most):
        clock = Clock()
        work = clock.works(lambda n: 1e-3 * n**slope)
        timing = clock.timing(enough_s=0)
        found = gates.growth(work, (1, 2, 8), at_most=at_most, timing=timing)
        return found.held, found.rounds, found.measured

    # Over sizes 1 to 8 a slope is off by a factor of two if it is off by a third.
    assert measured(1.8, "linear") == (False, 15, 3)
    assert measured(1.9, "linear") == (False, 2, 1)
    assert measured(1.4, "linear") == (True, 5, 1)
    assert measured(0.1, "linear") == (True, 5, 1)
    clock = Clock()
    sides = two(clock, lambda: 3e-3, lambda: 1e-3)
    for at_most, pairs in (2, 15), (1.5, 2), (3.1, 5), (6, 5):
        timing = clock.timing(enough_s=0)
        found = gates.ratio(*sides, at_most=at_most, timing=timing)
        assert len(found.pairs) == pairs and found.held is (at_most > 3)
    for at_least, pairs in (4, 15), (6, 2), (2, 5), (1, 5):
        timing = clock.timing(enough_s=0)
        found = gates.ratio(*sides, at_least=at_least, timing=timing)
        assert len(found.pairs) == pairs and found.held is (at_least < 3)


def test_many_pairs_are_not_all_looked_at_after_each(monkeypatch):
    looks = []
    told = property(lambda found: looks.append(len(found.pairs)))
    monkeypatch.setattr(gates.Ratio, "missed_by_far", told)
    timing = Clock().timing(enough_s=0)
    found = gates.ratio(pairs=lambda _: [(3, 1)] * 1000, at_most=2, timing=timing)
    assert found.held is False and len(found.pairs) == 3000
    assert looks[:4] == [2, 3, 4, 5] and sum(looks) < 10 * 3000


def test_a_moment_that_spoils_the_first_rounds_is_not_believed_at_once():
    calls = Counter()

    def work(n):
        calls[n] += 1
        # As they were before the first round, the calls are as they should be.
        clock.now += 1e-3 * n * (20 if n == 8 and 2 < calls[n] < 8 else 1)

    clock = Clock()
    timing = clock.timing(enough_s=0)
    found = gates.growth(work, (2, 4, 8), at_most="linear", timing=timing)
    assert found.held and found.measured == 2


def test_work_that_uses_up_what_it_works_on_is_told_of():
    def uses_up(items):
        clock.now += 0.01 * len(items) + 2e-3
        items.clear()

    def adds(items):
        items.append(1)
        clock.now += 0.01 * len(items)

    clock = Clock()
    ours, theirs = [1] * 100, [1]
    found = gates.ratio(
        lambda: adds(theirs), lambda: uses_up(ours), at_most=1, timing=clock.timing()
    )
    said = "if it changes what it works on, prepare= makes that anew for each call."
    assert f"A call of the peer took 1 s at first and 2 ms later: {said}" in (
        found.explain()
    )
    assert f"A call of ours took longer each time, 40 ms to 180 ms: {said}" in (
        found.explain()
    )
    growing = {n: [1] for n in SIZES}
    found = gates.growth(
        lambda n: adds(growing[n]), SIZES, at_most=-1, timing=clock.timing()
    )
    assert f"took longer each time, 40 ms to 180 ms: {said}" in found.explain()
    # What is prepared is anew each time, and then slow calls are slow for a reason.
    found = gates.ratio(
        adds, uses_up, prepare=lambda: [1] * 100, at_most=0.1, timing=clock.timing()
    )
    assert found.held is False and "prepare=" not in found.explain()


def test_sizes_take_turns():
    seen = []
    clock = Clock()

    def work(n):
        seen.append(n)
        clock.now += 1e-3 * n

    gates.growth(work, (1, 2, 3), timing=clock.timing(min_rounds=2))
    # Twice each to find out how long it takes.
    assert seen == [1, 1, 2, 2, 3, 3, 1, 2, 3, 3, 2, 1]


def test_sizes_that_would_take_too_long_are_left_out_and_named():
    clock = Clock()
    work = clock.works(lambda n: 1e-3 * n**2)
    found = gates.growth(
        work, (10, 20, 1_000), at_most="linear", limit_s=5, timing=clock.timing()
    )
    assert list(found.points) == [10, 20] and list(found.left_out) == [1_000]
    assert "take too long: n = 1 000." in found.explain()


def test_one_size_alone_says_nothing():
    clock = Clock()
    work = clock.works(lambda n: 1.0 * n)
    with pytest.raises(errors.InputError, match="one call takes 10 s at n = 10"):
        gates.growth(work, (10, 100), limit_s=20, timing=clock.timing())


def test_counts_are_taken_as_they_come():
    found = gates.growth(
        lambda items: sum(range(len(items))),
        SIZES,
        prepare=lambda n: [0] * n,
        cost="returned",
        label="pairs",
        at_least="quadratic",
        at_most="quadratic",
    )
    assert found.points == {10: 45, 100: 4950, 1_000: 499_500}
    assert found.held and found.rounds == 0


def test_a_meter_counts_what_it_likes():
    queries = Counter()

    def page(n):
        for _ in range(n):
            queries["select"] += 1

    def selects(call):
        before = queries["select"]
        call()
        return queries["select"] - before

    found = gates.growth(page, SIZES, cost=selects, at_most="constant")
    assert found.held is False and found.unit == "selects"
    assert found.points == {n: n for n in SIZES}


def test_costs_that_were_counted_elsewhere_are_judged():
    assert gates.growth({100: 7, 200: 14, 400: 28}, at_most=1).held
    assert not gates.growth({100: 7, 200: 14, 400: 29}, at_most=1).held


def test_costs_of_nothing_do_not_grow():
    assert gates.growth({10: 0, 100: 0}, at_most=0).held
    assert gates.growth({10: 0, 100: 50}, at_most=0).held  # from the least there is
    assert not gates.growth({10: 0, 100: 1, 1_000: 50}, at_most=0.5).held


@given(
    st.floats(0.1, 3), st.floats(1e-9, 1e9), st.lists(st.integers(1, 10**6), min_size=2)
)
def test_points_on_a_line_are_found_on_it(slope, factor, sizes):
    sizes = sorted({*sizes})
    if len(sizes) < 2:
        return
    line = gates.fit({n: factor * n**slope for n in sizes})
    assert line.slope == pytest.approx(slope, rel=1e-6)
    assert line.factor == pytest.approx(factor, rel=1e-4)
    assert line.off == pytest.approx(0, abs=1e-6)


def test_orders_are_bounds_over_the_very_sizes():
    assert slope_of("n log n", [1_000, 100_000]) == pytest.approx(1.11, abs=0.005)
    assert slope_of("n log n", [10, 100]) > 1.25
    work = {n: n * math.log(n) for n in SIZES}
    assert gates.growth(work, at_most="n log n").held
    assert not gates.growth(work, at_most="linear").held
    rising = [slope_of(order, SIZES) for order in gates.ORDERS]
    assert rising == sorted(rising)
    assert [nearest(slope, SIZES) for slope in rising] == list(gates.ORDERS)


# --- ratios ---------------------------------------------------------------------------


def two(clock, ours, peer):
    def mine():
        clock.now += ours()

    def theirs():
        clock.now += peer()

    return mine, theirs


def test_a_ratio_is_what_ours_costs_over_the_peers():
    clock = Clock()
    sides = two(clock, lambda: 3e-3, lambda: 2e-3)
    found = gates.ratio(*sides, at_most=1.5, timing=clock.timing())
    assert found.ratio == pytest.approx(1.5)
    assert found.label == "mine" and found.peer == "theirs"
    assert len(found.pairs) == 5


def test_the_two_take_turns_at_being_first():
    seen = []
    clock = Clock()
    sides = two(
        clock,
        lambda: seen.append("ours") or 1e-3,
        lambda: seen.append("peer") or 1e-3,
    )
    gates.ratio(*sides, timing=clock.timing(min_rounds=3))
    # Two calls of each tell how many make a batch.
    assert seen[4:] == ["ours", "peer", "peer", "ours", "ours", "peer"]


def test_a_ratio_that_is_missed_is_believed_after_all_rounds():
    clock = Clock()
    sides = two(clock, lambda: 3e-3, lambda: 1e-3)
    found = gates.ratio(*sides, at_most=2, timing=clock.timing())
    assert found.held is False and found.measured == 3 and len(found.pairs) == 15


def test_a_disturbed_side_does_not_fail():
    # Two rounds in three find ours disturbed: the median lies, the least does not.
    turn = iter(range(10**6))
    clock = Clock()
    sides = two(clock, lambda: 1e-3 * (1 if next(turn) % 3 == 0 else 9), lambda: 1e-3)
    found = gates.ratio(*sides, at_most=1.1, timing=clock.timing())
    assert found.median > 8 and found.of_least == pytest.approx(1)
    assert found.held and found.ratio == pytest.approx(1)


def test_one_lucky_moment_of_the_peer_does_not_fail():
    turn = iter(range(10**6))
    clock = Clock()
    sides = two(clock, lambda: 2e-3, lambda: 2e-3 * (0.6 if next(turn) == 4 else 1))
    found = gates.ratio(*sides, at_most=1.1, timing=clock.timing())
    assert found.of_least > 1.5 and found.median == pytest.approx(1)
    assert found.held


def test_at_least_is_for_what_must_stay_slow():
    clock = Clock()
    sides = two(clock, lambda: 3e-3, lambda: 1e-3)
    assert gates.ratio(*sides, at_least=2, timing=clock.timing()).held
    assert not gates.ratio(*sides, at_least=4, timing=clock.timing()).held


def test_pairs_that_are_measured_elsewhere_are_measured_again():
    asked = []

    def pairs(rounds):
        asked.append(rounds)
        return [(9, 1)] * rounds if len(asked) == 1 else [(1, 1)] * (2 * rounds)

    found = gates.ratio(pairs=pairs, at_most=2)
    assert found.held and asked == [5, 5] and len(found.pairs) == 15


def test_counts_have_a_ratio_too():
    found = gates.ratio(lambda: 30, lambda: 20, cost="returned", at_most=1.4)
    assert found.held is False and found.pairs == ((30, 20),)
    assert "Counted, not timed" in found.explain()


# --- counts ---------------------------------------------------------------------------


def test_counts_are_held_by_name():
    counts = {"queries": 3, "rows": 50}
    assert gates.count(counts, exactly={"queries": 3}, at_most={"rows": 50}).held
    assert not gates.count(counts, exactly={"queries": 2}).held
    assert not gates.count(counts, at_most=49).held
    assert gates.count(counts, at_least=3).held
    assert not gates.count(counts, at_least={"rows": 51}).held


def test_work_returns_its_count_or_counts():
    assert gates.count(lambda: 3, exactly=3).counts == {"count": 3}
    assert gates.count(lambda: {"a": 1}, exactly=1).counts == {"a": 1}
    assert gates.count(Counter(a=2), at_most=1).held is False


def test_lines_are_counted_and_are_the_same_each_time():
    def walk(n):
        for _ in range(n):
            pass

    assert gates.lines(lambda: walk(100)) - gates.lines(lambda: walk(0)) == 200
    found = gates.count(lambda: walk(10), cost="lines", at_most=30)
    assert found.held and found.counts["lines"] == gates.lines(lambda: walk(10))


def test_lines_of_a_first_call_are_not_counted():
    known = []

    def work():
        if not known:
            known.extend(
                # a comprehension's lines
                n
                for n in range(100)
            )

    assert gates.count(work, cost="lines", at_most=5).held


# --- what is timed --------------------------------------------------------------------


def test_each_call_gets_what_was_prepared_for_it_alone():
    made = []

    def prepare(n):
        made.append([0] * n)
        return made[-1]

    clock = Clock()

    def empty(items):
        assert items
        items.clear()
        clock.now += 1e-5

    gates.growth(empty, (1, 2), prepare=prepare, timing=clock.timing())
    assert len(made) > 100 and not any(made)


def test_calls_too_short_to_be_timed_are_told():
    clock = Clock()
    work = clock.works(lambda n: 1e-8 * n)
    text = gates.growth(
        work, (10, 50, 200), timing=clock.timing(), at_most=0.1
    ).explain()
    said = "At n = 10, 50 a call takes less than a microsecond, which is too short"
    assert said in " ".join(text.split())
    counted = gates.growth({10: 1e-8, 50: 5e-8}, at_most=0.1)
    assert "too short" not in counted.explain()


def test_short_calls_are_timed_in_batches():
    clock = Clock()
    side = Side(clock, lambda: clock.works(lambda n: 1e-7)(0))
    assert side.calibrate() == pytest.approx(1e-7)
    assert 5_000 <= side.calls <= 50_000
    assert side.batch() == pytest.approx(1e-7) and len(side.took) == 1


def test_a_clock_that_stands_ends_the_calibration():
    side = Side(lambda: 0.0, lambda: None)
    side.calibrate()
    assert side.calls == 1_000_000


def test_nothing_disturbs_the_timed_part():
    seen = []

    def work():
        seen.append((gc.isenabled(), sys.gettrace(), sys.getprofile()))
        clock.now += 1e-3

    def tracer(frame, event, arg):
        return None

    clock = Clock()
    before = sys.gettrace(), sys.getprofile()
    try:
        sys.settrace(tracer)
        sys.setprofile(tracer)
        gates.ratio(work, work, timing=clock.timing(min_rounds=1))
        after = gc.isenabled(), sys.gettrace(), sys.getprofile()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    assert {*seen} == {(False, None, None)}
    assert after == (True, tracer, tracer)


def test_a_first_call_that_imports_leaves_no_size_out():
    calls = Counter()

    def work(n):
        calls[n] += 1
        clock.now += 4.0 if calls.total() == 1 else 1e-3 * n

    clock = Clock()
    found = gates.growth(work, (1, 2, 4), at_most="linear", timing=clock.timing())
    assert list(found.points) == [1, 2, 4] and found.held


def test_counted_ratios_are_not_counted_again():
    calls = []
    gates.ratio(lambda: calls.append(1) or 3, lambda: 1, cost="returned", at_most=2)
    assert calls == [1]


def test_an_error_of_the_work_is_its_own():
    def work():
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        gates.ratio(work, work)
    assert gc.isenabled()
    before = sys.gettrace()
    with pytest.raises(KeyError, match="gone"):
        gates.count(work, cost="lines")
    assert sys.gettrace() is before


def test_what_is_disabled_runs_once_and_is_not_judged():
    runs = []
    timing = gates.Timing(enabled=False)
    grown = gates.growth(runs.append, SIZES, at_most="constant", timing=timing)
    assert runs == [10] and grown.held is None
    either = gates.ratio(runs.clear, runs.copy, at_most=0, timing=timing)
    assert runs == [] and either.held is None
    assert either.line() == "clear: not judged, benchmarks are disabled"
    assert either.explain() == either.line()
    assert json.loads(json.dumps(either.as_dict()))["held"] is None
    asked = []
    elsewhere = gates.ratio(pairs=lambda n: asked.append(n) or [(9, 1)], timing=timing)
    assert asked == [1] and elsewhere.held is None
    counted = gates.growth(int, SIZES, cost="returned", at_most=1, timing=timing)
    assert counted.held is True


# --- words ----------------------------------------------------------------------------


def test_a_growth_explains_itself():
    found = gates.growth(
        {1_000: 2_000, 2_000: 8_000, 4_000: 32_000},
        label="unique",
        unit="comparisons",
        at_most="linear",
    )
    assert (
        found.explain()
        == """\
growth of unique: n^2.00, at most n^1.10 (linear)

      n  comparisons  over the last   slope
  1 000        2 000
  2 000        8 000            4 ×  n^2.00
  4 000       32 000            4 ×  n^2.00

  The line through the points, 0.002 × n^2.00, is off by 0 % at most.
  Of the known orders of growth, quadratic is the nearest.
  Ten times the size costs 100 times as much; the bound stands for 12.6 times.

  32 000 ┤                                               ●
         │
         │
         │
         │                                               ·
         │                        ●              ········
         │                              ·········
         │                      ········
         │             ·········
         │     ········
   2 000 ┤●····
         └────────────────────────────────────────────────
          1 000                                      4 000
  ● measured   · as the bound grows; both axes are logarithmic

  Counted, not timed: it comes out the same on a busy machine."""
    )


def test_a_bend_is_told():
    found = gates.growth({10: 100, 100: 1_100, 1_000: 90_000}, at_most=1)
    assert "It gets steeper with the size" in found.explain()


def test_a_ratio_explains_itself():
    found = gates.ratio(
        pairs=lambda rounds: [(0.004, 0.001), (0.003, 0.001), (0.005, 0.001)],
        at_most=2,
        label="unique",
        peer_label="dict.fromkeys",
    )
    assert (
        found.explain()
        == """\
ratio of unique: 3 × dict.fromkeys, at most 2 ×

                 least  median  most
         unique   3 ms    4 ms  5 ms
  dict.fromkeys   1 ms    1 ms  1 ms

  Median of 9 pairs 4 ×, half of them from 3 × to 5 ×; least over least 3 ×.
  Both were run in turn, and the nearer to the bound of the two ratios counts. \
Measured 3 times."""
    )


def test_a_count_explains_itself():
    found = gates.count(
        {"queries": 53, "rows": 50}, exactly={"queries": 3}, at_most={"rows": 50}
    )
    assert (
        found.explain()
        == """\
count: queries 53, exactly 3; rows 50, at most 50

           found     allowed
  queries     53   exactly 3  off by 50
     rows     50  at most 50"""
    )


def test_a_near_miss_shows_the_digits_that_tell():
    found = gates.ratio(pairs=lambda _: [(2.0004, 1)], at_most=2)
    assert found.line() == "ours: 2.0004 × the peer, at most 2 ×"
    grown = gates.growth({10: 10, 100: 100.5}, at_most=1)
    assert grown.line() == "the cost: n^1.00217, at most n^1.00"


@pytest.mark.parametrize(
    ("x", "unit", "said"),
    [
        (0.000312, "s", "312 µs"),
        (61.9952, "s", "62 s"),
        (3.9e-12, "s", "3.9 ps"),
        (0.0, "s", "0 s"),
        (1_234_567, "rows", "1 234 567"),
        (1234.5, "rows", "1 234"),
        (0.5, "rows", "0.5"),
    ],
)
def test_amounts(x, unit, said):
    assert amount(x, unit) == said


def test_figures_have_three_digits():
    assert [figure(x) for x in (1.23456, 12.3456, 123.456, 99.96)] == [
        *("1.23", "12.3", "123", "100"),
    ]


@given(
    st.dictionaries(st.integers(1, 10**9), st.floats(0, 1e12), min_size=2),
    st.floats(-1, 4),
)
def test_any_points_can_be_drawn(points, slope):
    points = dict(sorted(points.items()))
    start = next(iter(points))
    drawn = plot(points, lambda n: 3.0 * (n / start) ** slope, str)
    assert all("●" in "".join(drawn) for _ in drawn) or not drawn
    assert len(drawn) in (0, 13)


# --- bad input ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda: gates.growth(int, [10]),
            "growth of int: sizes are [10]; expected two",
        ),
        (lambda: gates.growth(int, [10, 10]), "sizes are [10, 10]"),
        (lambda: gates.growth(int, [0, 10]), "sizes are [0, 10]"),
        (lambda: gates.growth(int, [1.5, 10]), "sizes are [1.5, 10]"),
        (lambda: gates.growth({10: 1}), "growth of the cost: sizes are [10]"),
        (lambda: gates.growth({10: 1, 20: -1}), "n = 20: is -1; expected a number"),
        (lambda: gates.growth({10: 1, 20: math.nan}), "n = 20: is nan"),
        (
            lambda: gates.growth(int, SIZES, cost="returned", at_most="fast"),
            "order is 'fast'; expected a slope, or one of constant, log n, linear",
        ),
        (lambda: gates.growth({1: 1, 2: 2}, at_most=math.inf), "bound is inf"),
        (lambda: gates.growth({1: 1, 2: 2}, at_most=[]), "bound is []"),
        (lambda: gates.growth(int, SIZES, cost="cycles"), "cost='cycles'; expected"),
        (
            lambda: gates.growth(lambda n: None, SIZES, cost="returned"),
            "growth of the cost, n = 10: the work returned None; expected a number "
            "from 0: is there a return in it?",
        ),
        (
            lambda: gates.growth(len, SIZES, prepare=range, cost=lambda call: None),
            "growth of len, n = 10: the meter returned None; expected a number",
        ),
        (lambda: gates.count(lambda: None, exactly=1), "count: the work returned None"),
        (
            lambda: gates.ratio(lambda: None, int, cost="returned"),
            "ratio, one side: the work returned None; expected a number",
        ),
        (lambda: gates.growth(3, SIZES), "growth: work is 3; expected a function"),
        (lambda: gates.ratio(int), "ratio: one side alone; expected ours and peer"),
        (lambda: gates.ratio(pairs=lambda _: []), "ratio: no pairs"),
        (lambda: gates.ratio(pairs=lambda _: [(1, 0)]), "the peer 0; expected"),
        (lambda: gates.count("many"), "count of count: is 'many'; expected a number"),
        (
            lambda: gates.count({"rows": 1}, exactly={"row": 1}),
            "exactly: 'row' was not counted; expected rows",
        ),
        (lambda: gates.count(3, at_most="few"), "at_most: is 'few'"),
        (lambda: gates.count(int, cost="time"), 'cost="time"; expected counts'),
    ],
)
def test_bad_input_is_one_line(ask, said):
    with pytest.raises(errors.InputError) as caught:
        ask()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# --- in pytest ------------------------------------------------------------------------

SUITE = """
import pytest

class Clock:
    now = 0.0
    def __call__(self):
        return self.now

clock = Clock()
fake = pytest.mark.benchmark(timer=clock, max_time=0)

def linear(n):
    clock.now += 1e-4 * n

def quadratic(n):
    clock.now += 1e-4 * n * n

@fake
def test_linear(growth_gate):
    assert growth_gate(linear, [10, 20, 40], at_most="linear").slope < 1.01

@fake
def test_quadratic(growth_gate):
    growth_gate(quadratic, [10, 20, 40], at_most="linear")

@fake
def test_ratio(ratio_gate):
    ratio_gate(lambda: linear(30), lambda: linear(20), at_most=1.6)

def test_counts(count_gate):
    count_gate(lambda: 3, exactly=3, unit="queries")
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    """Return a pytester with a suite of gates; this run's own xdist is out of sight."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(test_gated=SUITE)
    return pytester


def summary(result):
    """Return the lines of the gates' summary."""
    lines = result.outlines
    (first,) = (i for i, line in enumerate(lines) if "- gates: " in line)
    return [" ".join(line.split()) for line in lines[first : first + 12]]


def test_gates_pass_and_fail(suite):
    result = suite.runpytest()
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       growth_gate(quadratic, [[]10, 20, 40], at_most=*linear*)",
            "E       *GateError: growth of quadratic: n^2.00, at most n^1.50 (linear)",
            "E          n    time  over the last   slope",
            "E         10   10 ms",
            "E         20   40 ms            4 ×  n^2.00",
            "E         40  160 ms            4 ×  n^2.00",
            "E         Each point is the least of 15 rounds, all sizes in turn, *",
            "test_gated.py:*: GateError",
        ]
    )
    # The traceback ends at the test's own line.
    result.stdout.no_fnmatch_line("*fixtures.py*")
    assert summary(result)[1:9] == [
        "held growth test_gated.py::test_linear",
        "linear: n^1.00, at most n^1.50 (linear)",
        "held ratio test_gated.py::test_ratio",
        "ours: 1.5 × the peer, at most 1.6 ×",
        "held count test_gated.py::test_counts",
        "queries 3, exactly 3",
        "missed growth test_gated.py::test_quadratic",
        "quadratic: n^2.00, at most n^1.50 (linear)",
    ]


def test_an_error_of_the_work_is_shown_without_the_gates_own_lines(suite):
    suite.makepyfile(
        test_gated="""
        def broken(n):
            raise KeyError(n)

        def test_it(growth_gate):
            growth_gate(broken, [1, 2], at_most="linear")

        def test_sizes(growth_gate):
            growth_gate(broken, [2, 1], at_most="linear")
        """
    )
    result = suite.runpytest("-W", "error")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["E *KeyError: 1", "test_gated.py:2: KeyError"])
    result.stdout.fnmatch_lines(["E *InputError: growth of broken: sizes are *"])
    for file in ("fixtures.py", "measuring.py", "metering.py"):
        result.stdout.no_fnmatch_line(f"*{file}:*")


def test_work_without_a_name_goes_by_its_test(suite):
    suite.makepyfile(
        test_gated="""
        def test_area(growth_gate):
            growth_gate(lambda n: n * n, [1, 2], cost="returned", at_most="linear")

        def test_named(growth_gate):
            given = {1: 1, 2: 4}
            growth_gate(given, at_most="linear", label="pairs")
        """
    )
    result = suite.runpytest()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["E *GateError: growth of test_area: n^2.00, *"])
    result.stdout.fnmatch_lines(["E *GateError: growth of pairs: n^2.00, *"])


def test_a_quiet_run_tells_of_misses_only(suite):
    lines = summary(suite.runpytest("-q"))
    assert "gates: 3 held, 1 missed" in lines[0]
    assert lines[1] == "missed growth test_gated.py::test_quadratic"
    assert not [line for line in lines if line.startswith("held")]


def test_a_session_without_gates_tells_nothing(pytester):
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest().stdout.no_fnmatch_line("*gates*held*")


def test_sessions_of_others_are_left_alone():
    # pytest 7's Config has no get_verbosity(); a property may be of any form.
    others = SimpleNamespace(when="call", user_properties=[("a", 1, 2), {"b": 3}, "c"])
    reporter = SimpleNamespace(stats={"passed": [others], "odd": [None]})
    manager = SimpleNamespace(get_plugin={"terminalreporter": reporter}.get)
    config = SimpleNamespace(pluginmanager=manager)
    _slabcore_pytest.pytest_terminal_summary(reporter, config)


def test_each_gate_is_a_row_of_pytest_benchmarks_and_in_its_json(suite):
    result = suite.runpytest("--benchmark-json=told.json", "--benchmark-columns=min")
    result.stdout.fnmatch_lines(["test_quadratic *160*"])
    told = json.loads((suite.path / "told.json").read_text())["benchmarks"]
    rows = {row["name"]: row for row in told}
    assert {*rows} == {"test_linear", "test_quadratic", "test_ratio", "test_counts"}
    (gate,) = rows["test_quadratic"]["extra_info"]["slabcore.gates"]
    assert gate["schema"] == "slabcore.gates/1" and gate["held"] is False
    assert gate["sizes"] == [10, 20, 40]
    assert gate["costs"] == pytest.approx([0.01, 0.04, 0.16])
    assert gate["slope"] == pytest.approx(2) and gate["at_most"] == 1.5
    assert rows["test_quadratic"]["stats"]["min"] == pytest.approx(0.16)
    assert rows["test_quadratic"]["stats"]["rounds"] == 15
    assert rows["test_ratio"]["stats"]["min"] == pytest.approx(3e-3)


def test_all_gates_are_written_where_one_likes(suite):
    suite.runpytest("--gates-json=gates.json", "--benchmark-disable")
    told = json.loads((suite.path / "gates.json").read_text())
    assert told["schema"] == "slabcore.gates/1"
    held = {gate["test"].partition("::")[2]: gate["held"] for gate in told["gates"]}
    assert held == {
        "test_linear": None,
        "test_quadratic": None,
        "test_ratio": None,
        "test_counts": True,
    }


def test_a_file_that_cannot_be_written_is_one_line(suite):
    result = suite.runpytest("--gates-json=nowhere/gates.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert line == "ERROR: --gates-json=nowhere/gates.json: No such file or directory"


def test_workers_of_xdist_tell_what_they_found(suite):
    result = suite.runpytest_subprocess("-n2", "--gates-json=gates.json")
    lines = summary(result)
    assert "gates: 1 held, 3 not judged" in lines[0]
    assert "linear: not judged, benchmarks are disabled" in lines
    assert len(json.loads((suite.path / "gates.json").read_text())["gates"]) == 4


@pytest.mark.parametrize(
    ("option", "outcomes"),
    [
        ("--benchmark-only", {"passed": 3, "failed": 1, "skipped": 1}),
        ("--benchmark-skip", {"passed": 1, "skipped": 4}),
    ],
)
def test_gates_are_benchmarks(suite, option, outcomes):
    suite.makepyfile(test_plain="def test_it(): pass")
    suite.runpytest(option).assert_outcomes(**outcomes)


def test_without_pytest_benchmark_one_line_says_so(suite):
    result = suite.runpytest("-p", "no:benchmark", "-k", "counts")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["count_gate needs pytest-benchmark, which is not loaded: pip install *"]
    )


def test_the_plugin_can_be_left_out_and_be_named(suite, monkeypatch):
    out = suite.runpytest("-p", "no:slabcore.gates", "-k", "counts")
    out.stdout.fnmatch_lines(["*fixture 'count_gate' not found"])
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    named = ["-p", "pytest_benchmark.plugin", "-p", "slabcore.gates", "-k", "counts"]
    suite.runpytest_subprocess(*named).assert_outcomes(passed=1, deselected=3)


def test_a_gate_and_a_benchmark_share_a_test(suite):
    suite.makepyfile(
        test_gated="""
        def test_before(benchmark, count_gate):
            assert benchmark.pedantic(int, rounds=3) == 0
            count_gate({"a": 1}, exactly=1)
            count_gate(lambda: 2, exactly=2)

        def test_after(count_gate, benchmark):
            count_gate(lambda: 1, exactly=1)
            benchmark.pedantic(int, rounds=2)

        def test_two(count_gate, growth_gate):
            count_gate(lambda: 1, exactly=1)
            growth_gate({1: 1, 2: 2}, at_most=1)
        """
    )
    result = suite.runpytest("--benchmark-json=told.json", "-W", "error")
    result.assert_outcomes(passed=3)
    told = json.loads((suite.path / "told.json").read_text())["benchmarks"]
    rounds = {row["name"]: row["stats"]["rounds"] for row in told}
    assert rounds == {"test_before": 3, "test_after": 2, "test_two": 1}
    kept = {row["name"]: len(row["extra_info"]["slabcore.gates"]) for row in told}
    assert kept == {"test_before": 2, "test_after": 1, "test_two": 2}


@pytest.mark.parametrize("gate", ["count_gate(3)", "growth_gate({1: 1, 2: 2})"])
def test_a_gate_without_a_bound_is_refused(suite, gate):
    suite.makepyfile(test_gated=f"def test_it(count_gate, growth_gate):\n    {gate}")
    result = suite.runpytest("-W", "error")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *InputError: *_gate: no bound; expected *"])


def test_the_plugin_brings_nothing_along(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_loaded(pytestconfig):
            assert pytestconfig.pluginmanager.hasplugin("slabcore.gates")
            assert not {"slabcore", "numpy", "statistics"} & {*sys.modules}
        """
    )
    # pytest-benchmark loads statistics for itself.
    plugins = ["-p", "no:benchmark", "-p", "no:hypothesispytest"]
    pytester.runpytest_subprocess(*plugins).assert_outcomes(passed=1)


def test_help_tells_of_the_fixtures(pytester):
    told = pytester.runpytest("--fixtures").stdout
    told.fnmatch_lines(["growth_gate -- *", "    Hold how cost grows with size: *"])


COUNTED = ("-q", "-k", "not time and not loop")


def test_the_demonstration_is_caught(suite):
    example = ROOT / "examples" / "gates"
    for file in ("orders.py", "test_orders.py"):
        (suite.path / file).write_bytes((example / file).read_bytes())
    suite.runpytest(*COUNTED, "test_orders.py").assert_outcomes(passed=3, deselected=2)
    (suite.path / "orders.py").write_bytes((example / "changed.py").read_bytes())
    result = suite.runpytest(*COUNTED, "test_orders.py")
    result.assert_outcomes(passed=1, failed=2, deselected=2)
    said = [line[4:].rstrip() for line in result.outlines if line.startswith("E   ")]
    expected = (example / "expected.out").read_text("utf-8").splitlines()
    assert said == expected[expected.index("changed.py, counted:") + 1 :][: len(said)]


def test_the_page_shows_what_the_demonstration_prints():
    page = (ROOT / "docs" / "gates.md").read_text("utf-8")
    shown = page.partition("```text\n")[2].partition("```")[0]
    printed = (ROOT / "examples" / "gates" / "expected.out").read_text("utf-8")
    assert textwrap.indent(shown, "    ") in printed

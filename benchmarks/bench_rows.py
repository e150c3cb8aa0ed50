"""Every row of rows.py: its sides by group, and its gates.

A side is a program that checks its own work, and is timed in its own process; what it
told is replayed here, nanoseconds an item as seconds of a call. A gate is a ratio of
two sides in one round, with room for noise.
"""

import pytest


def test_gate(suite, name, gate):
    verdicts = suite.judged(name, gate)
    assert verdicts and not suite.failed(name)
    for verdict in verdicts:
        if verdict.met is None:
            pytest.skip(f"not all of it can be run here: {verdict.said}")
        assert verdict.met, f"{verdict.n}: {verdict.said}: {verdict.measured}"


def test_side(benchmark, suite, name, n, side, clock):
    told = suite.figures(name, n, side)
    for one in told:
        if "missing" in one:
            pytest.skip(f"{side}: {one['missing']}")
        assert "failed" not in one, one["failed"]
    figures = iter([one["ns"] / 1e9 for one in told])

    def replay() -> None:
        clock.now += next(figures)

    benchmark.pedantic(replay, rounds=len(told))

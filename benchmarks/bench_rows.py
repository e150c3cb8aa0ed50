"""Every row of rows.py: its sides by group, and its gates.

A side is a program that checks its own work, and is timed in its own process; what it
told is replayed here, nanoseconds an item as seconds of a call. A gate is a ratio of
two sides in one round, with room for noise.
"""

import pytest
from judging import ROUNDS, looked_at, number, pairs
from rows import ROWS


class Clock:
    """A clock that goes on by what it is told: nanoseconds an item, as seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test a side and size of each row, and one a gate."""
    whole = metafunc.config.getoption("whole")
    cases = []
    if "side" in metafunc.fixturenames:
        for name, row in ROWS.items():
            quick = pairs(row, row.gates)
            for n in sorted({*row.sizes} if whole else {n for n, _ in quick}):
                for side in row.sides:
                    if side.sizes is None or n in side.sizes:
                        group = f"{' / '.join(row.group)} {n or ''}"
                        clock = Clock()
                        mark = pytest.mark.benchmark(group=group, timer=clock)
                        case = (name, n, side.name, clock)
                        label = f"{name}-{n}-{side.name}"
                        cases.append(pytest.param(*case, marks=mark, id=label))
        metafunc.parametrize(("name", "n", "side", "clock"), cases)
    if "gate" in metafunc.fixturenames:
        for name, row in ROWS.items():
            cases += [
                pytest.param(name, gate, n, id=f"{name}-{place}-{n}")
                for place, gate in enumerate(row.gates)
                for n in looked_at(row, gate)
            ]
        metafunc.parametrize(("name", "gate", "n"), cases)


@pytest.mark.benchmark(min_rounds=ROUNDS)
def test_gate(suite, ratio_gate, name, gate, n):
    held = suite.compared(name, gate, n)
    assert not suite.failed(name)
    if not held.pairs:
        pytest.skip(f"not all of it can be run here: {held.said}")
    ratio_gate(
        pairs=suite.rounds(name, gate, n),
        at_most=held.at_most,
        at_least=held.at_least,
        label=" ".join((held.over, number(n))).strip(),
        peer_label=held.under,
        unit="ns",
    )


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

"""What the suite shares: rows that are run when their figures are first asked for."""

import pytest
from judging import Measured, Verdict, pairs
from rows import ROWS, Goal
from running import Bench, Told

ROUNDS, AGAIN = 3, 2
"""Rounds of a row, and how often more are run before a missed gate is believed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--whole", action="store_true", help="every side of a row at all its sizes"
    )


class Suite:
    """The rows that have been run so far."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.told: dict[str, list[Told]] = {}

    def figures(self, name: str, n: int, side: str) -> list[Told]:
        """Return what a side of a row told; run it once if it is in no gate."""
        told = self.told.setdefault(name, [])
        found = [one for one in told if (one["n"], one["side"]) == (n, side)]
        return found or self._run(name, {(n, side)}, 1)

    def judged(self, name: str, gate: Goal) -> list[Verdict]:
        """Hold a row against a gate, over more rounds if it seems to be missed."""
        row = ROWS[name]
        told = self.told.setdefault(name, [])
        needed = pairs(row, (gate,))
        if not needed <= {(one["n"], one["side"]) for one in told}:
            self._run(name, pairs(row, row.gates), ROUNDS)
        for _ in range(AGAIN):
            verdicts = list(Measured(row, told).verdicts((gate,)))
            if all(verdict.met is not False for verdict in verdicts):
                break
            self._run(name, needed, ROUNDS)
        return list(Measured(row, told).verdicts((gate,)))

    def failed(self, name: str) -> list[str]:
        """Return what sides of a row said as they failed."""
        return [one["failed"] for one in self.told[name] if "failed" in one]

    def _run(self, name: str, wanted: set[tuple[int, str]], rounds: int) -> list[Told]:
        row = ROWS[name]
        told = self.told[name]
        first = 1 + max((one["round"] for one in told), default=-1)
        fresh: list[Told] = []
        for round_ in range(first, first + rounds):
            for n, name_ in sorted(wanted):
                (side,) = (side for side in row.sides if side.name == name_)
                ran = self.bench.run(side, n, row.limit_s)
                fresh.append({"run": 0, "round": round_, "n": n, "side": name_, **ran})
        told += fresh
        return fresh


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Return the rows, of which none has been run."""
    return Suite(Bench(tmp_path_factory.mktemp("built")))

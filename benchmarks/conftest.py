"""What the suite shares: rows that are run when their figures are first asked for."""

from collections.abc import Callable

import pytest
from judging import ROUNDS, Compared, Measured, pairs
from rows import ROWS, Goal
from running import Bench, Told


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

    def compared(self, name: str, gate: Goal, n: int) -> Compared:
        """Return what a gate of a row compares; run the row if it was not yet."""
        row = ROWS[name]
        told = self.told.setdefault(name, [])
        if not pairs(row, (gate,)) <= {(one["n"], one["side"]) for one in told}:
            self._run(name, pairs(row, row.gates), ROUNDS)
        return Measured(row, told).compared(gate, n)

    def rounds(
        self, name: str, gate: Goal, n: int
    ) -> Callable[[int], list[tuple[float, float]]]:
        """Return what gives a gate the rounds that were run, and then runs more."""
        seen = set()

        def give(rounds: int) -> list[tuple[float, float]]:
            found = self.compared(name, gate, n).pairs
            if found.keys() <= seen:
                self._run(name, pairs(ROWS[name], (gate,)), rounds)
                found = self.compared(name, gate, n).pairs
            fresh = found.keys() - seen
            seen.update(fresh)
            return [found[key] for key in sorted(fresh)]

        return give

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

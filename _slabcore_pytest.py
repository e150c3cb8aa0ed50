"""slabcore.gates as pytest finds it: three fixtures, an option and a summary.

pytest loads this file in every session of an environment that has slabcore. So it
lies outside of the package, whose import takes numpy along: that comes when a test
first asks for a gate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from slabcore.gates.fixtures import CountGate, GrowthGate, RatioGate, Record

PLUGIN = "slabcore.gates"
# By its entry point, and by -p where entry points are not loaded.
BENCHMARK = ("benchmark", "pytest_benchmark.plugin")


class Gates:
    """The fixtures, for sessions that have pytest-benchmark."""

    @pytest.fixture
    def _gates_record(
        self, benchmark: Any, request: pytest.FixtureRequest
    ) -> Iterator[Record]:
        from slabcore.gates.fixtures import Record

        record = Record(benchmark, request.node.user_properties)
        yield record
        record.close()

    @pytest.fixture
    def count_gate(self, _gates_record: Record) -> CountGate:
        """Hold exact counts: count_gate(work, exactly=3).

        It takes what slabcore.gates.count() takes, whose help() says the rest.
        """
        from slabcore.gates.fixtures import CountGate

        return CountGate(_gates_record)

    @pytest.fixture
    def growth_gate(self, _gates_record: Record) -> GrowthGate:
        """Hold how cost grows with size: growth_gate(work, sizes, at_most="linear").

        It takes what slabcore.gates.growth() takes, whose help() says the rest.
        """
        from slabcore.gates.fixtures import GrowthGate

        return GrowthGate(_gates_record)

    @pytest.fixture
    def ratio_gate(self, _gates_record: Record) -> RatioGate:
        """Hold work beside a peer's: ratio_gate(work, peer, at_most=1.1).

        It takes what slabcore.gates.ratio() takes, whose help() says the rest.
        """
        from slabcore.gates.fixtures import RatioGate

        return RatioGate(_gates_record)


class NoGates:
    """What the fixtures are without pytest-benchmark."""

    @pytest.fixture
    def count_gate(self) -> None:
        """Fail: pytest-benchmark is not loaded."""
        _refuse("count_gate")

    @pytest.fixture
    def growth_gate(self) -> None:
        """Fail: pytest-benchmark is not loaded."""
        _refuse("growth_gate")

    @pytest.fixture
    def ratio_gate(self) -> None:
        """Fail: pytest-benchmark is not loaded."""
        _refuse("ratio_gate")


def _refuse(name: str) -> None:
    hint = "pip install 'slabcore[gates]'"
    pytest.fail(
        f"{name} needs pytest-benchmark, which is not loaded: {hint}", pytrace=False
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --gates-json."""
    parser.getgroup("slabcore.gates", "performance gates").addoption(
        "--gates-json",
        metavar="PATH",
        help="Write what all gates found into PATH, as JSON (slabcore.gates/1).",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Give the fixtures, and refuse a file that cannot be written."""
    manager = config.pluginmanager
    gates = Gates() if any(map(manager.hasplugin, BENCHMARK)) else NoGates()
    manager.register(gates, f"{PLUGIN}.fixtures")
    path = config.getoption("gates_json")
    if path and not hasattr(config, "workerinput"):
        try:
            open(path, "a").close()
        except OSError as error:
            raise pytest.UsageError(f"--gates-json={path}: {error.strerror}") from None


def _found(config: pytest.Config) -> list[dict[str, Any]]:
    """Return what the gates of all tests found, of xdist's workers too."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    # Reports and properties of whatever else is installed may have other forms.
    return [
        {"test": report.nodeid, **json.loads(given[1])}
        for reports in (reporter.stats.values() if reporter else ())
        for report in reports
        if getattr(report, "when", "") == "call"
        for given in getattr(report, "user_properties", ())
        if isinstance(given, tuple | list) and [*given[:1]] == [PLUGIN]
    ]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write --gates-json."""
    path = session.config.getoption("gates_json")
    if path and not hasattr(session.config, "workerinput"):
        data = {"schema": "slabcore.gates/1", "gates": _found(session.config)}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
            file.write("\n")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell of each gate whether it held; under -q, of those that did not."""
    found = _found(config)
    if not found:
        return  # pytest 7 runs other projects' sessions, and has no get_verbosity()
    verbosity = config.get_verbosity()
    if verbosity < -1:
        return
    # What was missed comes last, where one looks.
    verdicts = (
        (True, "held", "green"),
        (None, "not judged", "yellow"),
        (False, "missed", "red"),
    )
    told = [
        (word, colour, [gate for gate in found if gate["held"] is held])
        for held, word, colour in verdicts
    ]
    counts = ", ".join(f"{len(gates)} {word}" for word, _, gates in told if gates)
    terminalreporter.section(f"gates: {counts}", "-")
    for word, colour, gates in told:
        for gate in gates if word != "held" or verbosity >= 0 else ():
            terminalreporter.write(f"{word:<10} ", **{colour: True})
            terminalreporter.write_line(f"{gate['gate']:<6}  {gate['test']}")
            terminalreporter.write_line(f"{'':<18} {gate['line']}")

"""benchmarks/: rows name what is there, ratios are of one round, misses are told."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def speed():
    """Return the module that writes the page; its neighbours are imported by name."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import speed

        yield speed
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def rows(speed):
    return sys.modules["rows"]


def measured(speed, row, *told):
    """Return a row of which (round, size, side, told) was told."""
    records = [
        {"run": 0, "round": round_, "n": n, "side": side, "about": "here", **what}
        for round_, n, side, what in told
    ]
    return sys.modules["judging"].Measured(row, records)


@pytest.fixture
def row(rows):
    return rows.Row(
        title="work",
        group=rows.Group("do", "work", "here"),
        unit="ns",
        product="ours",
        ours=(rows.Side("ours", ("true",)),),
        floors=(rows.Side("floor", ("true",)),),
        peers=(rows.Side("peer", ("true",)), rows.Side("other", ("true",), why="luck")),
        goals=(rows.AtMost(2, ("floor",), why="it is far"), rows.AtLeast(3, "peer")),
        sizes=(10,),
    )


def test_goals_and_gates_name_sides_of_their_row(rows):
    judging = sys.modules["judging"]
    for name, row in rows.ROWS.items():
        sides = [side.name for side in row.sides]
        assert len(sides) == len(set(sides)), name
        assert row.product is None or row.product in {side.name for side in row.ours}
        for goal in row.goals + row.gates:
            assert {goal.side or row.product, *judging.named(goal)} <= set(sides), name


def test_programs_of_rows_are_there(rows):
    for row in rows.ROWS.values():
        for side in row.sides:
            for word in side.command:
                if isinstance(word, rows.Source):
                    assert (BENCHMARKS / word.file).exists()


def test_every_row_of_slabcore_has_a_gate(rows):
    without = {name for name, row in rows.ROWS.items() if row.product and not row.gates}
    assert without <= {"threads"}  # which wants two idle CPUs


def test_a_ratio_is_taken_within_a_round(speed, row):
    found = measured(
        speed,
        row,
        *((0, 10, "ours", {"ns": 10}), (0, 10, "floor", {"ns": 5})),
        *((1, 10, "ours", {"ns": 90}), (1, 10, "floor", {"ns": 60})),
        (2, 10, "ours", {"ns": 1000}),
    )
    assert found.ratios([(10, "ours")], [(10, "floor")]) == {(0, 0): 2, (0, 1): 1.5}


def test_a_missed_goal_is_told_with_its_reason(speed, row):
    found = measured(
        speed,
        row,
        *((0, 10, "ours", {"ns": 10}), (0, 10, "floor", {"ns": 4})),
        *((0, 10, "peer", {"ns": 20}), (0, 10, "other", {"ns": 5})),
    )
    assert [verdict.met for verdict in found.verdicts(row.goals)] == [False, False]
    text = speed.lost([found])
    assert "| work | 10 | ≤ 2 × floor | 2.5 | it is far |" in text
    assert "| work | 10 | ≥ 3 × as fast as peer | 2 | **no reason" in text
    assert "| work | 10 | other | 2 × | luck |" in speed.ahead([found])


def test_a_goal_that_is_met_needs_no_reason(speed, row):
    found = measured(
        speed,
        row,
        *((0, 10, "ours", {"ns": 6}), (0, 10, "floor", {"ns": 4})),
        (0, 10, "peer", {"ns": 20}),
    )
    assert speed.lost([found]) == speed.ahead([found]) == ""
    assert speed.goals([found]).count("| met |") == 2


def test_what_cannot_be_run_is_named(speed, row):
    found = measured(
        speed,
        row,
        (0, 10, "ours", {"ns": 6}),
        (0, 10, "floor", {"failed": "rows: it is out of order"}),
        (0, 10, "peer", {"missing": "peer is not installed"}),
    )
    assert [verdict.met for verdict in found.verdicts(row.goals)] == [None, None]
    assert speed.goals([found]).count("| not measured |") == 2
    text = speed.section(found)
    assert "Left out: peer: peer is not installed; floor: rows: it is out" in text


def test_a_side_that_fails_or_hangs_is_no_end_of_the_run(speed, rows, tmp_path):
    bench = speed.Bench(tmp_path)
    fails = rows.Side("fails", ("{python}", "-c", "raise ValueError('wrong')"))
    assert "ValueError: wrong" in bench.run(fails, 1, 60)["failed"]
    hangs = rows.Side("hangs", ("{python}", "-c", "import time; time.sleep(60)"))
    assert bench.run(hangs, 1, 0.1) == {"failed": "takes more than 0.1 s"}
    absent = rows.Side("absent", (rows.Source("floor/absent.c"),))
    assert "missing" in bench.run(absent, 1, 60)


def test_a_run_of_some_rows_does_not_empty_the_page(speed, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["speed.py", "import", "--write"])
    with pytest.raises(SystemExit):
        speed.main()
    assert "the page would lose memory" in capsys.readouterr().err


def test_the_page_has_a_place_for_the_tables(speed):
    page = speed.PAGE.read_text("utf-8")
    assert page.count(speed.BEGIN) == 1
    assert speed.END in page.partition(speed.BEGIN)[2]

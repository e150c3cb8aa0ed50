"""Instructions of slabcore's own work, counted by callgrind: what no noise can hide.

Each kind of work is counted at two sizes: an item of the larger one may take so many,
and hardly more than one of the smaller. Bounds have a quarter of room for other
compilers; they are those of x86-64.
"""

import platform
from typing import NamedTuple

import pytest
from instructions import count
from running import Bench


class Gate(NamedTuple):
    """What a side of product.py may take for an item."""

    side: tuple[str, ...]
    small: int
    large: int
    most: int


GATES = {
    "a cache's life under 4.11": Gate(
        ("lifecycles", "4.11", "{n}"), 4_000, 16_000, 9_800
    ),
    "a cache's life under 4.10": Gate(
        ("lifecycles", "4.10", "{n}"), 4_000, 16_000, 10_400
    ),
    "an entry of extend": Gate(("extend", "{n}"), 1_000, 10_000, 45),
    "an entry read into an array": Gate(("to-array", "{n}"), 20_000, 80_000, 28),
    "a call of add_tail": Gate(("add-tail", "{n}"), 1_000, 10_000, 500),
    "a call of remove": Gate(("remove", "{n}"), 1_000, 10_000, 125),
    "a row to text": Gate(("format", "{slabinfo}"), 1_000, 10_000, 700),
    "a row from text": Gate(("parse", "{slabinfo}"), 1_000, 3_000, 1_200),
    "a callback on a word": Gate(
        ("callbacks", "words", "{n}", "shuffled"), 10_000, 100_000, 24
    ),
    "a cache destroyed in bulk": Gate(
        ("destroy", "{n}", "interleaved"), 50_000, 100_000, 72
    ),
    "a cache destroyed with its memcg": Gate(
        ("destroy-one", "{n}", "interleaved"), 50_000, 100_000, 90
    ),
    "a line of a trace": Gate(("scan", "{trace}"), 1_000, 10_000, 1_900),
}
LITERAL = ("lifecycles", "4.10", "{n}", "literal")
COUNTED = GATES["a cache's life under 4.10"].side
READS = tuple(("last-reads", how, "{n}") for how in ("cursor", "kernel"))


class Counts(dict[tuple[tuple[str, ...], int], float]):
    """The instructions an item of a side at a size."""

    missing = ""


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Counts:
    """Count all that is asked below in one process, which takes some seconds."""
    bench = Bench(tmp_path_factory.mktemp("built"))
    asked = [(of.side, n) for of in GATES.values() for n in (of.small, of.large)]
    asked += [(LITERAL, n) for n in (4_000, 16_000)]
    asked += [(side, n) for side in READS for n in (2_000, 8_000)]
    found = count(bench, [bench.words(side, n) for side, n in asked])
    made = Counts()
    if isinstance(found, str):
        made.missing = found
    else:
        made.update(zip(asked, found, strict=True))
    return made


@pytest.mark.parametrize(("work", "gate"), GATES.items(), ids=GATES)
def test_instructions(counts, count_gate, growth_gate, work, gate):
    if counts.missing:
        pytest.skip(counts.missing)
    each = {n: counts[gate.side, n] for n in (gate.small, gate.large)}
    whole = {n: n * of for n, of in each.items()}
    growth_gate(whole, label=work, unit="instructions", at_most="linear")
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the bounds are those of x86-64")
    most = gate.most
    count_gate(each[gate.large], label=work, unit="instructions", at_most=most)


def test_literal_walks_grow_with_the_square(counts, growth_gate):
    if counts.missing:
        pytest.skip(counts.missing)
    # Both do all but the walks in the same way.
    walks = {n: n * (counts[LITERAL, n] - counts[COUNTED, n]) for n in (4_000, 16_000)}
    growth_gate(walks, label="walks", unit="instructions", at_least="quadratic")


def test_a_read_with_a_cursor_costs_the_same_anywhere(counts, growth_gate):
    if counts.missing:
        pytest.skip(counts.missing)
    cursor, kernel = ({n: counts[side, n] for n in (2_000, 8_000)} for side in READS)
    # 1.05 and 1.5 times as much at four times the size.
    growth_gate(cursor, label="cursor", unit="instructions", at_most=0.035)
    growth_gate(kernel, label="kernel", unit="instructions", at_least=0.292)

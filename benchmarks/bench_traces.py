"""Quick gate: the core's scanner of traces against the grammar, in the same run."""

from pathlib import Path

import numpy as np
import pytest

from slabcore._core import TraceScanner
from slabcore.traces import LINES, read_events

SAMPLE = Path(__file__).parents[1] / "tests/data/traces/ftrace-6.18-kmem.txt"


@pytest.mark.benchmark(group="lines of a trace", min_rounds=3)
def test_the_scanner_is_far_ahead_of_the_grammar(ratio_gate):
    text = SAMPLE.read_bytes()
    lines = text.decode().splitlines(keepends=True)
    rows = np.empty(len(lines), LINES)
    scanner = TraceScanner()
    told = []

    def scan():
        told.append(scanner.scan(text, rows.view(np.uint8)))

    def grammar():
        told.append(sum(1 for _ in read_events(lines)))

    ratio_gate(scan, grammar, at_most=1 / 14)
    assert {*told} == {len(lines), np.count_nonzero(rows["event"] >= 0)}

"""Quick gate: the core's scanner of traces against the grammar, in the same run."""

import time
from pathlib import Path

import numpy as np
import pytest

from slabcore._core import TraceScanner
from slabcore.traces import LINES, read_events

SAMPLE = Path(__file__).parents[1] / "tests/data/traces/ftrace-6.18-kmem.txt"


@pytest.mark.benchmark(group="lines of a trace")
def test_the_scanner_is_far_ahead_of_the_grammar(benchmark):
    text = SAMPLE.read_bytes()
    lines = text.decode().splitlines(keepends=True)
    rows = np.empty(len(lines), LINES)
    scanner = TraceScanner()
    told = benchmark(scanner.scan, text, rows.view(np.uint8))
    assert told == len(lines)
    by_grammar = []
    for _ in range(3):
        began = time.perf_counter()
        events = sum(1 for _ in read_events(lines))
        by_grammar.append(time.perf_counter() - began)
    assert events == np.count_nonzero(rows["event"] >= 0)
    ratio = min(by_grammar) / benchmark.stats.stats.min
    benchmark.extra_info["grammar_to_scanner"] = ratio
    assert ratio >= 14

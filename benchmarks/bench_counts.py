"""Exact counts of what the rows of rows.py do, and how they grow: no clock is read."""

from functools import partial

import numpy as np
import pytest
from product import storm
from running import recording, slabinfo

from slabcore import CacheLists, IntrusiveList, Kernel, RcuQueue
from slabcore._core import TraceScanner
from slabcore.comparison import compare
from slabcore.slabinfo import parse
from slabcore.traces import LINES

# --- whole worlds ---------------------------------------------------------------------


@pytest.mark.parametrize("design", ["4.6", "4.9", "4.10"])
def test_hops_grow_with_the_square_where_one_list_has_all(growth_gate, design):
    hops = {n: storm(design, n, 10)["list_hops"] for n in (500, 1_000, 2_000, 4_000)}
    for cgroups, of in hops.items():
        caches = 10 * cgroups
        # Each cgroup that is freed walks past all caches that are left, ten fewer each.
        assert of["free"] == caches**2 // 20 + 3 * caches // 2
    total = {n: sum(of.values()) for n, of in hops.items()}
    growth_gate(total, label=f"storm, {design}", unit="hops", at_least="quadratic")


def test_hops_grow_with_the_caches_where_each_cgroup_has_a_list(growth_gate):
    hops = {n: storm("4.11", n, 10)["list_hops"] for n in (500, 1_000, 2_000, 4_000)}
    for cgroups, of in hops.items():
        assert of["offline"] == of["free"] == 10 * cgroups
    total = {n: sum(of.values()) for n, of in hops.items()}
    growth_gate(total, label="storm, 4.11", unit="hops", at_most="linear")


def test_without_child_caches_nothing_is_walked():
    assert not any(storm("5.9", 1_000, 10)["list_hops"].values())


@pytest.mark.parametrize("design", ["4.9", "4.10"])
def test_counted_walks_are_the_literal_ones(design):
    counted, literal = (
        compare("smythies", [design], walk=walk)[design].counters
        for walk in ("counted", "literal")
    )
    for of in ("virtual_ns", "drained_ns", "list_hops", "locks", "time_ns", "caches"):
        assert counted[of] == literal[of]


@pytest.mark.parametrize(
    ("design", "hops", "waits"),
    [("4.9", 1_502_804_031, 300_000), ("4.11", 1_200_360, 0)],
)
def test_reclaim_storm(count_gate, design, hops, waits):
    counters = compare("reclaim-storm", [design])[design].counters
    counts = {
        "caches": counters["caches"]["created"],
        "hops": sum(counters["list_hops"].values()),
        "grace periods": counters["grace_periods"]["synchronous"],
    }
    expected = {"caches": 300_000, "hops": hops, "grace periods": waits}
    count_gate(counts, label=f"reclaim-storm, {design}", exactly=expected)


# --- lists and queues -----------------------------------------------------------------


def test_a_list_gives_back_its_entries_in_order():
    order = np.random.default_rng(1).permutation(10_000)
    entries = IntrusiveList()
    handles = entries.extend(np.arange(10_000))
    entries.remove_many(handles[order[:5_000]])
    assert len(entries) == 5_000
    assert np.array_equal(entries.to_array(), np.sort(order[5_000:]))


def test_destroying_memcgs_leaves_the_caches_of_the_others():
    draw = np.random.default_rng(1)
    lists = CacheLists(10)
    memcgs = lists.mkdir_many(1_000)
    owners = memcgs[draw.permutation(10_000) // 10]
    lists.create_many(owners, np.arange(10_000) % 10)
    gone = draw.permutation(memcgs)[:500]
    assert lists.destroy_many(gone) == 5_000
    lists.validate()
    left = lists.to_array()
    assert np.array_equal(left["memcg"], owners[~np.isin(owners, gone)])
    assert sum(len(lists.children(root)) for root in range(10)) == len(left)


def test_a_replay_counts_what_happened():
    lives = 1_000
    events = np.zeros(lives * 7, CacheLists.event_dtype())
    by_life = events.reshape(lives, 7)
    by_life["memcg"] = np.arange(lives)[:, None]
    # A memcg's second object of a root needs no second cache.
    by_life["kind"] = [CacheLists.MKDIR, *[CacheLists.ALLOC] * 5, CacheLists.OFFLINE]
    by_life["root"] = [0, 0, 1, 2, 1, 0, 0]
    counts = CacheLists(3).replay(events)
    assert counts["created"] == counts["destroyed"] == 3 * lives


@pytest.mark.parametrize("callbacks", [1_000, 1_000_000])
def test_callbacks_of_a_grace_period_come_out_in_order(callbacks):
    queue = RcuQueue()
    values = np.random.default_rng(1).permutation(callbacks)
    queue.call_many(values)
    queue.grace_period()
    assert np.array_equal(queue.invoke(None, None), values)
    assert queue.completed == queue.gpnum and not queue.pending


# --- reading and writing text ---------------------------------------------------------


def hops_of_a_reader(reader: str, caches: int) -> int:
    """Return the hops of /proc/slabinfo read to its end, 4 KiB at a time."""
    kernel = Kernel("4.11")
    for i in range(caches):
        kernel.create_cache(f"cache-{i}", object_size=192, accounted=True)
    with kernel.open("/proc/slabinfo", reader=reader) as file:
        while file.read(4096):
            pass
    return kernel.counters["list_hops"]["slabinfo"]


SIZES = (2_000, 4_000, 8_000)


def test_a_reader_that_seeks_from_the_head_hops_with_the_square(growth_gate):
    read = partial(hops_of_a_reader, "kernel")
    growth_gate(read, SIZES, cost="returned", label="kernel", at_least="quadratic")


def test_a_reader_with_a_cursor_hops_once_a_row(growth_gate):
    read = partial(hops_of_a_reader, "cursor")
    found = growth_gate(read, SIZES, cost="returned", label="cursor", at_most="linear")
    for rows, of in found.points.items():
        assert rows <= of < 1.05 * rows


def test_rows_come_back_as_they_were_printed():
    text = slabinfo(10_000).encode()
    rows = parse(text)
    assert len(rows) == 10_000
    assert rows.format() == text


def test_the_scanner_finds_each_event():
    text = recording(10_000).encode()
    rows = np.empty(10_000, LINES)
    assert TraceScanner().scan(text, rows.view(np.uint8)) == 10_000
    assert np.count_nonzero(rows["event"] >= 0) == 10_000

"""Derive the cost presets from ftrace recordings of three cgroup lives.

`python benchmarks/calibrate.py TRACE48 TRACE410 TRACE412` prints, for every cost,
each kernel's sum, count and mean and the value chosen; `--write DIRECTORY` writes
`rk.toml`, `default.toml` and `frolov.toml` there. A trace may be gzipped.

How a step is timed. A step is the time between two events of one task, less what
the task did not run (between "Start context switch" and the "End context switch"
that brings it back), less scheduler ticks and RCU softirqs on its CPU. What is
left is summed over all occurrences on all kernels and divided by their number.

What is left out, and printed as such:
* the first cgroup's pass through each step: an emulator translates code when it
  first runs (first mkdir 2 to 4 ms, later ones 0.5 to 1);
* occurrences in which the task ran a millisecond or more without any event: there
  the virtual CPU stood still, mostly in an IPI to the other, halted one.
Recording is not left out: an event costs 1 to 2 us, and one or two fall
into every occurrence.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

LINE = re.compile(r"\s*(.+)-(\d+)\s+\[(\d+)\] \S+\s+(\d+)\.(\d{6}): (\w+): ?(.*)")
STALL_US = 1000
KERNFS_NODES = 30  # a cache directory of these kernels, counted in their sysfs
NEVER = 1 << 62


class Event(NamedTuple):
    us: int
    cpu: int
    pid: int
    task: str
    name: str
    detail: str


class Span(NamedTuple):
    start: int
    end: int
    pid: int


class Work(NamedTuple):
    """One run of a work item: its events from execute_start to execute_end."""

    function: str
    life: int
    events: list[Event]

    def find(self, name: str) -> list[int]:
        return [i for i, event in enumerate(self.events) if event.name == name]


class Trace:
    """One kernel's recording, cut into who ran where."""

    def __init__(self, path: Path) -> None:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="ascii", errors="replace") as lines:
            self.events = [
                Event(int(s) * 1_000_000 + int(us), int(cpu), int(pid), task, *rest)
                for task, pid, cpu, s, us, *rest in (
                    match.groups() for match in map(LINE.match, lines) if match
                )
            ]
        self.births = [e.us for e in self.events if e.detail.startswith("MARK mkdir")]
        if len(self.births) != 3:
            raise SystemExit(f"{path}: expected three 'MARK mkdir' lines")
        self.ran: dict[int, list[Span]] = defaultdict(list)
        self.interrupted: dict[int, list[Span]] = defaultdict(list)
        self.at: dict[int, list[int]] = defaultdict(list)
        switched_in: dict[int, int] = {}
        opened: dict[tuple[int, str], int] = {}
        for event in self.events:
            self.at[event.cpu].append(event.us)
            if event.name != "rcu_utilization":
                continue
            edge, what = event.detail.split(" ", 1)
            if what == "context switch":
                if edge == "End":
                    switched_in[event.cpu] = event.us
                else:
                    start = switched_in.get(event.cpu, event.us)
                    self.ran[event.cpu].append(Span(start, event.us, event.pid))
            elif edge == "Start":
                opened[event.cpu, what] = event.us
            elif (event.cpu, what) in opened:
                start = opened.pop((event.cpu, what))
                self.interrupted[event.cpu].append(Span(start, event.us, event.pid))

    def life(self, us: int) -> int:
        """Number of cgroups made so far: 1 to 3."""
        return sum(birth <= us for birth in self.births)

    def cpu_us(self, a: Event, b: Event) -> int:
        """CPU time of the task of `a` from event `a` to event `b`."""
        total = 0
        for start, end, pid in self.ran[a.cpu]:
            low, high = max(start, a.us), min(end, b.us)
            if pid == a.pid and low < high:
                total += high - low
                for begin, finish, _ in self.interrupted[a.cpu]:
                    total -= max(0, min(finish, high) - max(begin, low))
        return total

    def stalled(self, a: Event, b: Event) -> bool:
        """Whether the task of `a` ran a millisecond on end without an event."""
        stretches = (
            (max(low, start), min(high, end))
            for start, end, pid in self.ran[a.cpu]
            if pid == a.pid
            for low, high in pairwise(
                [a.us, *(t for t in self.at[a.cpu] if a.us < t < b.us), b.us]
            )
        )
        return any(high - low >= STALL_US for low, high in stretches)

    def works(self, function: str, first_life: int) -> Iterator[Work]:
        """Runs of a work function from the given life on."""
        running: dict[int, Work] = {}
        for event in self.events:
            if event.name == "workqueue_execute_start":
                name = event.detail.rsplit(" ", 1)[1]
                running[event.pid] = Work(name, self.life(event.us), [event])
            elif event.pid in running and event.name != "rcu_utilization":
                work = running[event.pid]
                work.events.append(event)
                if event.name == "workqueue_execute_end":
                    del running[event.pid]
                    if work.function == function and work.life >= first_life:
                        yield work


@dataclass
class Samples:
    """Occurrences of one step on one kernel."""

    us: list[float] = field(default_factory=list)
    stalls: list[int] = field(default_factory=list)

    def add(self, trace: Trace, a: Event, b: Event, share: int = 1) -> None:
        cpu = trace.cpu_us(a, b)
        if trace.stalled(a, b):
            self.stalls.append(cpu)
        else:
            self.us.append(cpu / share)


Step = Callable[[Trace], Samples]


def between(
    function: str, first: str, then: str | None, life: int, share: int = 1
) -> Step:
    """Time from each `first` to the work's next event, which must be `then`."""

    def step(trace: Trace) -> Samples:
        samples = Samples()
        for work in trace.works(function, life):
            for a, b in pairwise(work.events):
                if a.name == first and then in (None, b.name):
                    samples.add(trace, a, b, share)
        return samples

    return step


def whole(function: str, life: int, with_: str = "", without: str = "") -> Step:
    """Time of whole works that contain `with_` and do not contain `without`."""

    def step(trace: Trace) -> Samples:
        samples = Samples()
        for work in trace.works(function, life):
            if (not with_ or work.find(with_)) and not work.find(without):
                samples.add(trace, work.events[0], work.events[-1])
        return samples

    return step


def marked(first: str, then: str) -> Step:
    """Time of the controlling process from one mark to the next, lives 2 and 3."""

    def step(trace: Trace) -> Samples:
        samples = Samples()
        marks = [e for e in trace.events if e.name == "tracing_mark_write"]
        for a, b in pairwise(marks):
            if trace.life(a.us) >= 2 and a.detail == first and b.detail == then:
                samples.add(trace, a, b)
        return samples

    return step


def children(trace: Trace) -> Iterator[tuple[Event, list[Event]]]:
    """The mark before each later life's fork, and the events of the child."""
    for mark in trace.events:
        if mark.detail == "MARK use" and trace.life(mark.us) >= 2:
            later = [e for e in trace.events if e.us > mark.us]
            pid = next(e.pid for e in later if e.task == "init" and e.pid > mark.pid)
            yield mark, [e for e in later if e.pid == pid]


def fork(trace: Trace) -> Samples:
    """From the mark until the parent sleeps in wait()."""
    samples = Samples()
    for mark, _ in children(trace):
        asleep = next(
            e
            for e in trace.events
            if e.us > mark.us
            and e.pid == mark.pid
            and e.detail == "Start context switch"
        )
        samples.add(trace, mark, asleep)
    return samples


def attach(trace: Trace) -> Samples:
    """From the child's first instruction until it has joined."""
    samples = Samples()
    for mark, child in children(trace):
        joined = [e for e in child if e.name == "cgroup_attach_task"]
        runs = [
            s
            for s in trace.ran[child[0].cpu]
            if s.pid == child[0].pid and s.start > mark.us
        ]
        if joined:
            samples.add(trace, child[0]._replace(us=runs[0].start), joined[0])
    return samples


def exit_(trace: Trace) -> Samples:
    """The child's last stretch: back from wait(), out of main, dead."""
    samples = Samples()
    for _, child in children(trace):
        last = child[-1] if child[-1].detail.startswith("Start") else child[-2]
        span = next(
            s for s in trace.ran[last.cpu] if s.pid == last.pid and s.end == last.us
        )
        samples.add(trace, last._replace(us=span.start), last)
    return samples


def context_switch(trace: Trace) -> Samples:
    """From the old task's last instruction to a worker taking up its work."""
    samples = Samples()
    for cpu in trace.ran:
        here = [e for e in trace.events if e.cpu == cpu and trace.life(e.us) >= 2]
        for old, _, new in zip(here, here[1:], here[2:], strict=False):
            if (
                old.detail == "Start context switch"
                and new.name == "workqueue_execute_start"
                and new.us - old.us < STALL_US
            ):
                samples.us.append(new.us - old.us)
    return samples


def shrink(trace: Trace) -> Samples:
    """One cache's shrink up to the next cache's, or the end of the work."""
    samples = Samples()
    for function in ("css_killed_work_fn", "kmemcg_deactivate_workfn"):
        for work in trace.works(function, 2):
            entries = work.find("__kmem_cache_shrink")
            ends = [*entries[1:], len(work.events) - 1][: len(entries)]
            for entry, end in zip(entries, ends, strict=True):
                if work.events[entry + 1].name == "workqueue_queue_work":
                    end = entry + 1
                samples.add(trace, work.events[entry], work.events[end])
    return samples


IPI_SPLIT_US = 15


def stalls(trace: Trace) -> list[int]:
    """What shrinks took that stood still, nanoseconds, in their order."""
    return [us * 1000 for us in shrink(trace).stalls]


def ipi(trace: Trace) -> Samples:
    """What a shrink that has to ask the other CPU takes more than one that has not."""
    took = shrink(trace).us
    alone = [us for us in took if us < IPI_SPLIT_US]
    asking = [us for us in took if us >= IPI_SPLIT_US]
    if not alone:
        return Samples()
    base = sum(alone) / len(alone)
    return Samples([us - base for us in asking])


def cache_create(trace: Trace) -> Samples:
    """Creation work up to its sysfs directory; all of it where none is made."""
    samples = Samples()
    for work in trace.works("memcg_kmem_cache_create_func", 2):
        for at in work.find("sysfs_slab_add"):
            end = at if has_directories(trace) else -1
            samples.add(trace, work.events[0], work.events[end])
    return samples


def has_directories(trace: Trace) -> bool:
    return any(e.name == "sysfs_slab_remove" for e in trace.events)


def kernfs_add(trace: Trace) -> Samples:
    if not has_directories(trace):
        return Samples()
    return between(
        "memcg_kmem_cache_create_func",
        "sysfs_slab_add",
        "workqueue_execute_end",
        2,
        KERNFS_NODES,
    )(trace)


def kernfs_remove(trace: Trace) -> Samples:
    return between("css_free_work_fn", "sysfs_slab_remove", None, 3, KERNFS_NODES)(
        trace
    )


def shutdown(trace: Trace) -> Samples:
    """From one cache's shutdown to the next one's."""
    samples = Samples()
    for work in trace.works("css_free_work_fn", 3):
        entries = [work.events[i] for i in work.find("__kmem_cache_shutdown")]
        for a, b in pairwise(entries):
            samples.add(trace, a, b)
    return samples


def release(trace: Trace) -> Samples:
    """From slab_kmem_cache_release to the next step of its work."""
    samples = Samples()
    for function in (
        "css_free_work_fn",
        "slab_caches_to_rcu_destroy_workfn",
        "sysfs_slab_remove_workfn",  # 4.12: the last reference is dropped here
    ):
        for work in trace.works(function, 3):
            for a, b in pairwise(work.events):
                if a.name == "slab_kmem_cache_release":
                    samples.add(trace, a, b)
    return samples


def css_free(trace: Trace) -> Samples:
    """A memcg's free work before its first and after its last cache."""
    samples = Samples()
    for work in trace.works("css_free_work_fn", 3):
        for at in work.find("memcg_destroy_kmem_caches"):
            first, last = work.events[0], work.events[-1]
            before = trace.cpu_us(first, work.events[at])
            samples.us.append(before + trace.cpu_us(work.events[-2], last))
    return samples


def alloc_miss(trace: Trace) -> Samples:
    """Misses that follow each other within 5 us: nothing but the miss between."""
    samples = Samples()
    queued: dict[int, int] = {}
    for event in trace.events:
        if event.name == "workqueue_queue_work" and "create_func" in event.detail:
            gap = event.us - queued.get(event.pid, -NEVER)
            if gap < 5 and trace.life(event.us) >= 2:
                samples.us.append(gap)
            queued[event.pid] = event.us
    return samples


def rcu_callback(trace: Trace) -> Samples:
    """Callbacks invoked one after the other in one softirq, each queueing a work."""
    samples = Samples()
    for a, b in pairwise(trace.events):
        both = "kmemcg_deactivate" in a.detail and "kmemcg_deactivate" in b.detail
        if both and a.name == b.name == "workqueue_queue_work":
            samples.us.append(b.us - a.us)
    return samples


def worker_create(trace: Trace) -> Samples:
    """kthreadd's part in making a kworker."""
    samples = Samples()
    for cpu, spans in trace.ran.items():
        for span in spans:
            made = [
                e
                for e in trace.events
                if e.cpu == cpu and e.us == span.end and e.task == "kthreadd"
            ]
            if made and trace.life(span.end) >= 2:
                samples.us.append(span.end - span.start)
    return samples


def adjacent_events(trace: Trace) -> Samples:
    """Two kprobes a call apart: what recording one event costs."""
    return between(
        "memcg_kmem_cache_create_func",
        "memcg_kmem_cache_create_func",
        "memcg_create_kmem_cache",
        2,
    )(trace)


class Cost(NamedTuple):
    """A field of the presets: the step that measures it, or the figure set for it."""

    name: str
    what: str
    step: Step | None
    factor: float
    rk_ns: int = 0
    native_ns: int = 0
    basis: str = ""


CREATE = "memcg_kmem_cache_create_func"
FREE = "css_free_work_fn"
CSS_OFFLINE = whole("css_killed_work_fn", 2, without="__kmem_cache_shrink")
CREATE_CHECK = whole(CREATE, 2, without="sysfs_slab_add")
CGROUP_FREE = whole(FREE, 3, without="mem_cgroup_css_free")

# How much slower than its real host the emulator was, measured with one binary on
# both: mkdir+rmdir 1.5 to 1.9, fork+exit+wait 1.9 to 2.1, system calls 1.3 to 2.6,
# arithmetic 1.8 to 3.3.
COSTS = [
    Cost(
        "context_switch",
        "old task's last event to the worker's execute_start",
        context_switch,
        0.0,
        0,
        3_000,
        "estimate: 2 to 4 us with the wake-up of a worker",
    ),
    Cost(
        "cgroup_mkdir", "mkdir(), mark to mark", marked("MARK mkdir", "MARK use"), 1.7
    ),
    Cost(
        "cgroup_rmdir",
        "",
        None,
        1.7,
        184_000,
        0,
        "rmdir loops of the storms that waited for nobody: 4.8.15 p0100 15.4, s0100 "
        "44.0, s0300 42.2 ms; 4.10.17 p0100 15.2, s0100 16.9; 4.12.10 p0100 16.0, "
        "s0100 20.1, s0300 51.2: 221.0 ms / 1200 cgroups; in the traces, mark to mark "
        "and after a pause, 471 to 786 us",
    ),
    Cost(
        "cgroup_attach", "child's first instruction to cgroup_attach_task", attach, 2.0
    ),
    Cost("fork", "mark to the parent asleep in wait()", fork, 2.0),
    Cost("exit", "child's last stretch, from wait() to its death", exit_, 2.0),
    Cost(
        "css_offline",
        "",
        None,
        2.0,
        57_000,
        0,
        "one after the other, cgroups without caches: 5.10.89 s3000, 1758 in 0.1 s",
    ),
    Cost(
        "deactivate",
        "css_killed_work_fn with its 18 call_rcu, whole",
        CSS_OFFLINE,
        2.0,
    ),
    Cost(
        "css_release",
        "css_release_work_fn, whole",
        whole("css_release_work_fn", 3),
        2.0,
    ),
    Cost(
        "css_free",
        "css_free_work_fn before its first and after its last cache",
        css_free,
        2.0,
    ),
    Cost(
        "cgroup_free",
        "css_free_work_fn without mem_cgroup_css_free, whole",
        CGROUP_FREE,
        2.0,
    ),
    Cost(
        "alloc",
        "",
        None,
        3.0,
        300,
        100,
        "estimate; two allocation events in a row are 1 us apart, which is what "
        "recording an event takes",
    ),
    Cost("alloc_miss", "misses in a row, under 5 us apart", alloc_miss, 2.0),
    Cost(
        "create_check", "creation work without sysfs_slab_add, whole", CREATE_CHECK, 2.0
    ),
    Cost(
        "cache_create",
        "creation work up to sysfs_slab_add (4.12: whole)",
        cache_create,
        2.0,
    ),
    Cost(
        "kernfs_add",
        f"sysfs_slab_add to the end of its work, / {KERNFS_NODES} nodes",
        kernfs_add,
        2.0,
    ),
    Cost(
        "kernfs_remove",
        f"sysfs_slab_remove to slab_kmem_cache_release, / {KERNFS_NODES} nodes",
        kernfs_remove,
        2.0,
    ),
    Cost(
        "shrink",
        "__kmem_cache_shrink to the next step, its flush IPI included",
        shrink,
        2.0,
    ),
    Cost("shutdown", "__kmem_cache_shutdown to the next one", shutdown, 2.0),
    Cost("release", "slab_kmem_cache_release to the next step", release, 2.0),
    Cost(
        "ipi",
        f"shrinks of {IPI_SPLIT_US} us or more less the mean of shorter ones",
        ipi,
        0.0,
        0,
        2_000,
        "estimate (1 to 3 us); the 4.0 ms a memcg at 4.6 bound it from above only",
    ),
    Cost(
        "rcu_callback",
        "deactivation callbacks in a row, queue_work included",
        rcu_callback,
        2.0,
    ),
    Cost("worker_create", "kthreadd from wake-up to sleep", worker_create, 2.0),
    Cost("page_alloc", "", None, 2.0, 1_000, 500, "estimate"),
    Cost("page_free", "", None, 2.0, 1_000, 500, "estimate"),
    Cost(
        "slabinfo_row",
        "",
        None,
        2.0,
        5_500,
        0,
        "whole reads of 56 rows while no cgroup had caches, quiet: 0.31 ms on average "
        "on 4.8.15, 4.10.17 and 4.12.10",
    ),
    Cost(
        "slabinfo_child",
        "",
        None,
        2.0,
        709,
        0,
        "what a whole read took more with the caches of 100 cgroups: 4.8.15 0.98 ms / "
        "1900, 4.10.17 1.57 ms / 1900, 4.12.10 1.10 ms / 1800, 5.4.0 2.09 ms / 2500",
    ),
]

STOOD = (
    "shrinks in which the sender of the flush IPI stood still for a millisecond or "
    "more, the other CPU being halted, most of them for 16 ms; all, in their order"
)

RK_HOPS = [[1_000, 10_000], [19_000, 63_000], [57_000, 63_000], [100_000, 310_000]]
RK_HOPS_SOURCE = (
    "19000 to 57000: 4.10's b N^2, b = 3 us at 19 caches a cgroup, over 2.5 N^2 c hops "
    "(two walks an offline while all stand, one a free while they go) = 63 ns; 100000: "
    "churned, 280 to 340 ns a node measured in these guests; 1000: hot, 1 to 5 ns, "
    "times the emulator's 1.8 to 3.3; the traces bound it by 105 ns at 57 caches"
)
NATIVE_HOPS = [[1_000, 3_000], [10_000, 8_500], [100_000, 200_000]]
NATIVE_HOPS_SOURCE = (
    "pointer chases of 64 to 512 byte strides: in cache 0.8 to 5.6 ns, 10000 shuffled "
    "4 to 13, 100000 and more shuffled 143 to 264"
)

RK = (
    "Emulated two-CPU guest of the 4.8.15, 4.10.17 and 4.12.10 measurements",
    "x86-64 under full CPU emulation, 2 virtual CPUs on 2 real ones, HZ=250, "
    "no preemption, kprobes and trace events on",
    "CPU time of every occurrence of a step in ftrace recordings of three cgroup lives "
    "a kernel, summed over the kernels and divided by their number; waits, ticks and "
    "RCU softirqs are cut out. Left out: the first cgroup, whose code the emulator was "
    "still translating, and occurrences in which the virtual CPU stood still for a "
    "millisecond or more, mostly in an IPI to the other, halted one (19 of 38 shrinks "
    "on 4.8, 1 of 38 on 4.10, 4 of 36 on 4.12). Recording itself is in the figures: "
    "about 1.6 us an event, one or two an occurrence. "
    "benchmarks/calibrate.py repeats it.",
)
NATIVE = (
    "No host in particular, about the speed of an ordinary server of 2017",
    "the host of the emulated guests (2 virtual CPUs, HZ=250), without the emulator",
    "The figures of preset rk divided by how much slower the emulator ran the same "
    "kind of work than its host did (1.7 for mkdir and rmdir, 2 for the rest), list "
    "hops from pointer chases on that host, the rest estimates. Good to a factor of "
    "two.",
)
FROLOV = (
    "VirtualBox guest of bug 190841",
    "fresh Ubuntu 16.04 in VirtualBox, 2 or more CPUs; nothing else is known",
    "The figures of preset default: the bug gives no cost of a step. What it does "
    "give, 4.33 ms an iteration and 4.0 ms more with accounting, are inputs of the "
    "workload.",
)


def mean_ns(samples: list[Samples]) -> int:
    """Pooled mean of the occurrences, in nanoseconds."""
    taken = [us for sample in samples for us in sample.us]
    return round(1000 * sum(taken) / len(taken))


def derive(traces: dict[str, Trace]) -> dict[str, tuple[int, str]]:
    """Every measured cost of the traced host: nanoseconds and their source."""
    derived: dict[str, tuple[int, str]] = {}
    for cost in COSTS:
        if cost.step is None:
            derived[cost.name] = (cost.rk_ns, cost.basis)
            continue
        samples = {kernel: cost.step(trace) for kernel, trace in traces.items()}
        parts = [
            f"{kernel} {sum(s.us):.0f} us / {len(s.us)}"
            for kernel, s in samples.items()
            if s.us
        ]
        ns = mean_ns(list(samples.values()))
        derived[cost.name] = (ns, f"{cost.what}: {', '.join(parts)}")
    base, whole = derived["css_offline"][0], derived["deactivate"]
    text = f"{whole[1]}; less css_offline, / 18"
    derived["deactivate"] = (round((whole[0] - base) / 18), text)
    check, made = derived["create_check"][0], derived["cache_create"]
    text = f"{made[1]}; less create_check, which every creation work pays"
    derived["cache_create"] = (made[0] - check, text)
    return derived


def native(rk: dict[str, tuple[int, str]]) -> dict[str, tuple[int, str]]:
    """The same steps on the real host under the emulator."""
    figures: dict[str, tuple[int, str]] = {}
    for cost in COSTS:
        if cost.native_ns:
            figures[cost.name] = (cost.native_ns, cost.basis)
        else:
            ns = round(rk[cost.name][0] / cost.factor)
            figures[cost.name] = (ns, f"preset rk / {cost.factor}")
    return figures


def toml(
    name: str,
    about: tuple[str, str, str],
    hops: tuple[list[list[int]], str],
    stood: tuple[list[int], str],
    figures: dict[str, tuple[int, str]],
) -> str:
    """A preset as TOML."""
    lines = [f'name = "{name}"']
    for key, words in zip(("title", "host", "method"), about, strict=True):
        lines.append(f"{key} = {quoted(words)}")
    lines += ["", "[list_hop]", f"points = {hops[0]}", f"source = {quoted(hops[1])}"]
    lines += ["", "[ipi_halted]", f"ns = {stood[0]}", f"source = {quoted(stood[1])}"]
    for key, (ns, source) in figures.items():
        lines += ["", f"[{key}]", f"ns = {ns}", f"source = {quoted(source)}"]
    return "\n".join(lines) + "\n"


def quoted(words: str) -> str:
    """A TOML string, over several lines if it is long; readers join them again."""
    if len(words) < 70:
        return f'"{words}"'
    return '"""\n' + textwrap.fill(words, 86) + '"""'


def presets(traces: dict[str, Trace]) -> dict[str, str]:
    """The text of every preset by name."""
    rk = derive(traces)
    plain = native(rk)
    lasted = [ns for trace in traces.values() for ns in stalls(trace)]
    counts = ", ".join(f"{kernel} {len(stalls(t))}" for kernel, t in traces.items())
    stood = (lasted, f"{STOOD}: {counts}")
    awake = ([], "a halted CPU of real hardware answers within the cost of an IPI")
    native_hops = (NATIVE_HOPS, NATIVE_HOPS_SOURCE)
    return {
        "rk": toml("rk", RK, (RK_HOPS, RK_HOPS_SOURCE), stood, rk),
        "default": toml("default", NATIVE, native_hops, awake, plain),
        "frolov": toml("frolov", FROLOV, native_hops, awake, plain),
    }


def table(traces: dict[str, Trace]) -> Iterator[str]:
    """One line a field: each kernel's sum, count, mean and what was left out."""
    derived = derive(traces)
    steps = [(cost.name, cost.step) for cost in COSTS if cost.step]
    for name, step in [*steps, ("(an event)", adjacent_events)]:
        cells = []
        means = []
        for kernel, trace in traces.items():
            s = step(trace)
            mean = sum(s.us) / len(s.us) if s.us else 0.0
            means += [mean] if s.us else []
            stood = f" +{len(s.stalls)} stood {sum(s.stalls)}" if s.stalls else ""
            cells.append(f"{kernel} {sum(s.us):.0f}/{len(s.us)}={mean:.1f}{stood}")
        spread = max(means) / min(means)
        ns = (
            derived[name][0]
            if name in derived
            else mean_ns([step(trace) for trace in traces.values()])
        )
        yield f"{name:15} {ns:8} ns  x{spread:.1f}  " + "; ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs=3, type=Path, metavar="TRACE")
    parser.add_argument("--write", type=Path, metavar="DIRECTORY")
    arguments = parser.parse_args()
    kernels = ("4.8.15", "4.10.17", "4.12.10")
    traces = dict(zip(kernels, map(Trace, arguments.traces), strict=True))
    print("cost, chosen, spread between kernels, microseconds / occurrences by kernel")
    for line in table(traces):
        print(line)
    if arguments.write:
        for name, text in presets(traces).items():
            path = arguments.write / f"{name}.toml"
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}", file=sys.stderr)


if __name__ == "__main__":
    main()

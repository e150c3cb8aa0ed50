"""slabcore's own side of each row: `product.py SIDE SIZE ...`."""

from __future__ import annotations

import gc
import operator
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from lives import ROOTS, lives
from peers import (
    calls_of_nothing,
    consume,
    delays,
    import_of,
    less_the_loop,
    resident,
)
from timing import Timed, load, main, numbers, result, timed

from slabcore import CacheLists, IntrusiveList, Kernel, Machine, RcuQueue, ms
from slabcore._core import TraceScanner
from slabcore.comparison import compare
from slabcore.files import KernelFile
from slabcore.kernel import Cache, Memcg
from slabcore.slabinfo import SlabInfoText, parse
from slabcore.traces import LINES, Trace

Handles = list[int]
Made = TypeVar("Made")

HELD = 1_000_000
"""Timers taken and queued again, as many as the floor does."""

# Steps of programs, as slabcore.workloads compiles them.
MKDIR, RMDIR, FORK, JOIN, ALLOC, SLEEP = 1, 2, 3, 4, 5, 7
CALLBACKS, WAIT, AT = 10, 11, 12
RMDIR_S = 10_000


def idle(
    design: str, cgroups: int, caches: int, *, walk: str = "counted", alloc: bool = True
) -> Kernel:
    """Return a kernel whose programs make cgroups and remove all after RMDIR_S.

    Each has a process that comes in, uses *caches* caches and exits.
    """
    kernel = Kernel(design, machine=Machine(cpus=8), walk=walk)
    for i in range(caches):
        kernel.create_cache(f"cache-{i}", object_size=192, accounted=True)
    use = [(ALLOC, 0, caches, 2, 0)] if alloc else []
    child = kernel.program(
        [(JOIN, 0, 0, 0, 0), *use, (SLEEP, ms(20), 0, 0, 0), (CALLBACKS, 5, 0, 0, 0)]
    )
    life = kernel.program(
        [
            (MKDIR, 0, 0, 0, 0),
            (FORK, child, 0, 0, 0),
            (WAIT, 0, 0, 0, 0),
            (AT, RMDIR_S * 10**9, 0, 0, 0),
            (RMDIR, 0, 0, 0, 0),
        ]
    )
    for _ in range(cgroups):
        kernel.spawn(life)
    return kernel


def finish(kernel: Kernel) -> None:
    """Run all that is left."""
    kernel.run()
    kernel.drain()


def storm(design: str, cgroups: int, caches: int) -> dict[str, Any]:
    """Let cgroups with their caches all live, then remove all."""
    kernel = idle(design, cgroups, caches)
    finish(kernel)
    return kernel.counters


def lifecycles(design: str, size: str, walk: str = "counted") -> Timed:
    """Time a whole world: cgroups of 10 caches, from mkdir until all is destroyed."""
    caches = int(size)

    def live(kernel: Kernel) -> None:
        finish(kernel)
        assert kernel.counters["caches"]["created"] == caches
        assert kernel.counters["caches"]["live"] == 10

    rounds = 1 if walk == "literal" else None  # of 100,000 caches it takes 6 s
    return timed(
        lambda: idle(design, caches // 10, 10, walk=walk), live, caches, rounds=rounds
    )


def reclaim_storm(design: str) -> Timed:
    """Time the workload of that name, of 300,000 caches."""

    def run(_: None) -> None:
        counters = compare("reclaim-storm", [design])[design].counters
        assert counters["caches"]["created"] == 300_000

    return timed(lambda: None, run, 1, rounds=1)


def memory(size: str) -> Timed:
    """Tell bytes a child cache: with those of 100 a cgroup, less without them."""
    caches = int(size)
    cgroups = caches // 100
    held = []
    grown = []
    for alloc in (False, True):
        before = resident()
        kernel = idle("4.11", cgroups, 100, alloc=alloc)
        kernel.advance_to((RMDIR_S - 1) * 10**9)
        held.append(kernel)
        grown.append(resident() - before)
    assert held[1].counters["caches"]["live"] == caches + 100
    bytes_ = (grown[1] - grown[0]) / caches
    return Timed(bytes_, bytes_, bytes_, caches, 1)


def many(what: str, how: Literal["many", "each"], size: str) -> Timed:
    """Time calls of a kernel: all at once over arrays, or one after the other.

    A cgroup uses ten caches, which are there; each call is for one object.
    """
    calls = int(size)
    cgroups = calls if what in ("mkdir", "rmdir") else calls // 10
    names = [f"cache-{i}" for i in range(10)]
    paths = [f"/cgroup{i}" for i in range(cgroups)]

    def prepare() -> tuple[Kernel, Any, Any]:
        kernel = Kernel("4.11", machine=Machine(cpus=8))
        caches = kernel.create_caches(names, object_size=192, accounted=True)
        if what == "mkdir":
            return kernel, None, None
        handles = kernel.mkdir_many(paths)
        if what in ("alloc", "free"):
            kernel.alloc_many(caches, handles[:, None])
            kernel.drain()
        if how == "many":
            return kernel, caches, handles
        memcgs = [*map(Memcg, paths, handles.tolist())]
        return kernel, [Cache("", i) for i in range(10)], memcgs

    def call(made: tuple[Kernel, Any, Any]) -> Kernel:
        kernel, caches, memcgs = made
        one = getattr(kernel, what if how == "each" else f"{what}_many")
        if what == "mkdir":
            one(paths) if how == "many" else consume(map(one, paths))
        elif what == "rmdir":
            one(memcgs) if how == "many" else consume(map(one, memcgs))
        elif how == "many":
            one(caches, memcgs[:, None])
        else:
            for memcg in memcgs:
                for cache in caches:
                    one(cache, memcg)
        return kernel

    def held(kernel: Kernel) -> bool:
        """Tell whether the calls did what they should."""
        if what in ("mkdir", "rmdir"):
            return len(kernel.listdir("/")) == 1 + cgroups * (what == "mkdir")
        objects = sum(cache.objects for cache in kernel.caches())
        return objects == (2 * calls if what == "alloc" else 0)

    return timed(prepare, call, calls, rounds=5, check=held)


def at_once() -> Callable[[], None]:
    """Start two processes with a world each; return what lets them run it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them to end
    ends = []
    for _ in range(2):
        ours, theirs = socket.socketpair()
        if not os.fork():
            kernel = idle("4.11", 10_000, 10)
            theirs.send(b"made")
            theirs.recv(1)
            finish(kernel)
            theirs.send(b"done")
            os._exit(0)
        theirs.close()
        assert ours.recv(4) == b"made"
        ends.append(ours)

    def run() -> None:
        for end in ends:
            end.send(b"g")
        assert [end.recv(4) for end in ends] == [b"done"] * 2

    return run


def two_worlds(how: str) -> Timed:
    """Time two worlds of 100,000 caches, in turn or at once: elapsed, not CPU time."""

    def run(kernels: list[Kernel]) -> None:
        if how == "in-turn":
            for kernel in kernels:
                finish(kernel)
            return
        threads = [threading.Thread(target=finish, args=(k,)) for k in kernels]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    if how == "processes":
        return timed(at_once, operator.call, 200_000, clock=time.perf_counter)
    return timed(
        lambda: [idle("4.11", 10_000, 10) for _ in range(2)],
        run,
        200_000,
        clock=time.perf_counter,
    )


# --- the list -------------------------------------------------------------------------


def shuffled(n: int) -> tuple[IntrusiveList, npt.NDArray[np.int64]]:
    """Return a list whose order is random in memory, and its handles in another one.

    Its memory has been in use before, as that of the floors has.
    """
    made = IntrusiveList()
    made.remove_many(made.extend(np.arange(n))[::-1])
    handles = made.extend(np.arange(n))
    drawn = np.random.default_rng(1)
    made.move_tail_many(drawn.permutation(handles))
    return made, drawn.permutation(handles)


def some(make: Callable[[], Made], n: int) -> Callable[[], list[Made]]:
    """Return what makes as many lists of n entries as it takes to time them well."""
    return lambda: [make() for _ in range(max(1, 200_000 // n))]


def extend(size: str, memory: Literal["touched", "new"] = "touched") -> Timed:
    """Time entries put into empty lists from an array.

    A list's memory has been in use before, as the floor's has, or it is a new list.
    """
    values = np.arange(int(size))
    n = len(values)

    def prepare() -> IntrusiveList:
        made = IntrusiveList()
        if memory == "touched":
            made.extend(values)
            made.clear()
        return made

    def add(lists: list[IntrusiveList]) -> None:
        for made in lists:
            made.extend(values)
            assert len(made) == n

    return timed(some(prepare, n), add, max(n, 200_000))


def remove_many(size: str) -> Timed:
    """Time entries taken out in random order, by one call a list."""
    n = int(size)

    def take(lists: list[tuple[IntrusiveList, npt.NDArray[np.int64]]]) -> None:
        for made, handles in lists:
            made.remove_many(handles)
            assert not len(made)

    return timed(some(lambda: shuffled(n), n), take, max(n, 200_000))


def add_tail(size: str) -> Timed:
    """Time entries put into a list, one call each, less the loop."""
    values = numbers(int(size), "sequential", 1)

    def add(made: IntrusiveList) -> None:
        for value in values:
            made.add_tail(value)

    return less_the_loop(IntrusiveList, add, values)


def remove(size: str) -> Timed:
    """Time entries taken out in random order, one call each, less the loop.

    The handles are ints made in the order of their use.
    """
    n = int(size)

    def prepare() -> tuple[IntrusiveList, Handles]:
        made, handles = shuffled(n)
        return made, handles.tolist()

    def take(made: tuple[IntrusiveList, Handles]) -> None:
        list_, handles = made
        for handle in handles:
            list_.remove(handle)
        assert not len(list_)

    return less_the_loop(prepare, take, range(n))


def remove_many_of_one(size: str) -> Timed:
    """Time entries taken out by a bulk call each, less the loop."""
    n = int(size)

    def prepare() -> tuple[IntrusiveList, list[npt.NDArray[np.int64]]]:
        made, handles = shuffled(n)
        return made, [handles[i : i + 1] for i in range(n)]

    def take(made: tuple[IntrusiveList, list[npt.NDArray[np.int64]]]) -> None:
        list_, handles = made
        for one in handles:
            list_.remove_many(one)
        assert not len(list_)

    return less_the_loop(prepare, take, range(n))


def to_array(size: str, into: Literal["old", "new"] = "old") -> Timed:
    """Time a shuffled list read into an array that is there, or into a new one."""
    n = int(size)
    out = np.zeros(n, np.int64)

    def walk(lists: list[tuple[IntrusiveList, npt.NDArray[np.int64]]]) -> None:
        for made, _ in lists:
            assert len(made.to_array(out if into == "old" else None)) == n

    return timed(some(lambda: shuffled(n), n), walk, max(n, 200_000))


# --- callbacks ------------------------------------------------------------------------


def callbacks(what: Literal["words", "values"], size: str, order: str) -> Timed:
    """Time callbacks from queued to invoked: half on each of two CPUs, a grace period.

    Words are written by four kinds in runs of 64, as the floor's are. The queue has
    held as many before.
    """
    n = int(size)
    rounds = max(1, 2_000_000 // n)
    half = n // 2
    objects = np.arange(n, dtype=np.uint32)
    if order == "shuffled":
        np.random.default_rng(1).shuffle(objects)
    kinds = (np.arange(n) // 64 % 4).astype(np.uint8)
    words = np.zeros(n, np.uint32)
    queue = RcuQueue(2, words=words if what == "words" else None)
    values = objects if what == "words" else objects.astype(np.int64)
    first, second = values[:half], values[half:]
    parts = [(first, 0), (second, 1)]
    if what == "words":
        parts = [(first, 0, kinds[:half]), (second, 1, kinds[half:])]

    def run(rounds: int) -> None:
        call_many, of_first, of_second = queue.call_many, *parts
        for _ in range(rounds):
            call_many(*of_first)
            call_many(*of_second)
            queue.grace_period()
            taken = queue.invoke(None, None)
        if what == "values":
            assert np.array_equal(taken, values)
        assert not queue.pending

    run(1)
    told = timed(lambda: rounds, run, rounds * n, rounds=5)
    done = told.trials * rounds + 1
    if what == "words":
        left = np.array([done, 2**32 - done, 1, 0], np.uint32)
        assert np.array_equal(words[objects], left[kinds])
    return told


def callables(how: Literal["call", "call_many"], size: str) -> Timed:
    """Time callables through a queue, called by it."""
    n = int(size)
    callbacks = [[].clear] * n

    def run(queue: RcuQueue) -> None:
        if how == "call_many":
            queue.call_many(callbacks)
        else:
            call = queue.call
            for callback in callbacks:
                call(callback)
        queue.grace_period()
        assert queue.invoke(None, None) == n

    return timed(lambda: RcuQueue(2, callback=operator.call), run, n)


def idle_barrier(size: str) -> Timed:
    """Time a barrier with nothing queued."""
    return calls_of_nothing(RcuQueue(8).barrier, size)


# --- the lists of caches --------------------------------------------------------------

A_MEMCG = 10


def lists_to_destroy(caches: int, order: str) -> Callable[[], tuple[CacheLists, Any]]:
    """Return what fills the lists again, and says which memcgs are to go."""
    drawn = np.random.default_rng(1)
    owners, victims = np.arange(caches) // A_MEMCG, np.arange(caches // A_MEMCG)
    if order == "interleaved":
        drawn.shuffle(owners)
        drawn.shuffle(victims)
    roots = np.arange(caches) % 10
    lists = CacheLists(10)

    def fill() -> tuple[CacheLists, Any]:
        memcgs = lists.mkdir_many(len(victims))
        lists.create_many(memcgs[owners], roots)
        return lists, memcgs[victims]

    # Pages are there before the first timed touch, as those of the floor are. What was
    # imported is no garbage: to look for some in it would empty the CPU's caches.
    lists.destroy_many(fill()[1])
    gc.freeze()
    return fill


def destroy(size: str, order: str) -> Timed:
    """Time memcgs destroyed with their caches, in one call."""
    caches = int(size)
    return timed(
        lists_to_destroy(caches, order),
        lambda made: made[0].destroy_many(made[1]) == caches and not len(made[0]),
        caches,
        check=bool,
    )


def destroy_one(size: str, order: str) -> Timed:
    """Time memcgs destroyed one a call, less the loop."""
    caches = int(size)
    fill = lists_to_destroy(caches, order)

    def prepare() -> tuple[CacheLists, Handles]:
        lists, victims = fill()
        return lists, [int(str(victim)) for victim in victims]

    def take(made: tuple[CacheLists, Handles]) -> None:
        lists, victims = made
        drop = lists.destroy
        for victim in victims:
            drop(victim)
        assert not len(lists)

    told = less_the_loop(prepare, take, range(caches // A_MEMCG))
    return Timed(*(ns / A_MEMCG for ns in told[:3]), caches, told.trials)


def replay(alive: str) -> Timed:
    """Time lives of memcgs replayed, as many at a time as *alive*."""
    events, made = lives(int(alive))
    lists = CacheLists(ROOTS)

    def run(lists: CacheLists) -> bool:
        counts = lists.replay(events)
        return counts["created"] == counts["destroyed"] == made and not len(lists)

    run(lists)
    return timed(lambda: lists, run, len(events), check=bool)


def lists_memory(size: str) -> Timed:
    """Tell bytes a cache that is on its lists, at the peak of making and destroying."""
    caches = int(size)
    CacheLists(10).destroy_many([])
    before = resident()
    lists = CacheLists(10)
    for _ in range(10):
        memcgs = lists.mkdir_many(caches // A_MEMCG // 10)
        owners = np.repeat(memcgs, A_MEMCG)
        lists.create_many(owners, np.arange(len(owners)) % 10)
    assert len(lists) == caches
    del memcgs, owners
    bytes_ = (resident() - before) / caches
    return Timed(bytes_, bytes_, bytes_, caches, 1)


# --- text -----------------------------------------------------------------------------


def scan(file: str) -> Timed:
    """Time the scanner, a mebibyte of text at a time."""
    chunk = 1 << 20
    text = Path(file).read_bytes()
    lines = text.count(b"\n")
    rows = np.empty(1 << 15, LINES)

    def read(_: None) -> None:
        scanner, done, found = TraceScanner(), 0, 0
        while used := scanner.scan(text[done : done + chunk], rows.view(np.uint8)):
            done = text.index(b"\n", done + int(rows["end"][used - 1])) + 1
            found += used
        assert found == lines

    return timed(lambda: None, read, lines)


def read_trace(file: str) -> Timed:
    """Time a recording read whole: events, and the lives of the cgroups."""
    lines = Path(file).read_bytes().count(b"\n")
    return timed(lambda: None, lambda _: Trace.read(file), lines)


def format_rows(file: str) -> Timed:
    """Time the rows of /proc/slabinfo printed, all at once."""
    text = Path(file).read_bytes()
    rows = parse(text)

    def prints(_: None) -> None:
        assert len(rows.format()) == len(text)

    return timed(lambda: None, prints, len(rows))


def chunks(
    how: Literal["anew", "one-buffer", "portable", "kept", "changed"], file: str
) -> Timed:
    """Time the rows of /proc/slabinfo read into a buffer of 4 KiB, or of all of them.

    kept: nothing changed since they were read. changed: every row did. Else the text
    is not kept, and every row is printed.
    """
    expected = Path(file).read_bytes()
    rows = parse(expected)
    text = SlabInfoText(
        rows.names,
        rows.table,
        keep=how in ("kept", "changed"),
        path="portable" if how == "portable" else None,
    )
    buffer = bytearray(len(expected) if how == "one-buffer" else 4096)
    came = []
    while length := text.readinto(buffer):
        came.append(bytes(buffer[:length]))
    assert b"".join(came) == expected
    every = np.arange(len(rows))
    took = []
    gc.collect()
    gc.disable()
    # one trial behind the other, as those of the floors
    for _ in range(15):
        text.rewind()
        if how == "changed":
            text.update(every, rows.table)
        began = time.thread_time()
        while text.readinto(buffer):
            pass
        took.append(time.thread_time() - began)
    return result(took, len(rows))


def parse_rows(file: str) -> Timed:
    """Time the rows of /proc/slabinfo read back into columns."""
    text = Path(file).read_bytes()
    rows = text.count(b"\n") - 2

    def reads(_: None) -> None:
        assert len(parse(text)) == rows

    return timed(lambda: None, reads, rows)


def last_reads(reader: Literal["kernel", "cursor"], size: str) -> Timed:
    """Time reads of 4 KiB near the end of a world's /proc/slabinfo of so many rows."""
    # so many that the first, of a cold machine, do not decide
    reads = min(200, int(size) // 200)

    def prepare() -> KernelFile:
        kernel = Kernel("4.11")
        for i in range(int(size)):
            kernel.create_cache(f"cache-{i}", object_size=192, accounted=True)
        file = kernel.open("/proc/slabinfo", reader="cursor")
        while len(file.read(4096)) > 0:
            pass
        end = file.tell()
        file.close()
        file = kernel.open("/proc/slabinfo", reader=reader)
        while file.tell() < end - (reads + 2) * 4096:
            file.read(1 << 16 if end - file.tell() > 1 << 19 else 4096)
        return file

    def read(file: KernelFile) -> None:
        for _ in range(reads):
            assert len(file.read(4096)) > 3000

    return timed(prepare, read, reads, rounds=5)


def hold(module: str, size: str) -> Timed:
    """Time the core's queue of timers, through a module that cimports it."""
    built = load(module)
    drawn = np.array(delays(), np.int64)
    took = []
    for _ in range(5):
        took.append(built.hold(drawn, int(size), HELD) / 1e9)
    return result(took, HELD)


def import_slabcore() -> Timed:
    """Time the import of the package."""
    return import_of("slabcore")


SIDES = MappingProxyType(
    {
        "lifecycles": lifecycles,
        "reclaim-storm": reclaim_storm,
        "memory": memory,
        "many": many,
        "two-worlds": two_worlds,
        "extend": extend,
        "add-tail": add_tail,
        "remove": remove,
        "destroy": destroy,
        "destroy-one": destroy_one,
        "replay": replay,
        "lists-memory": lists_memory,
        "remove-many": remove_many,
        "remove-many-of-one": remove_many_of_one,
        "to-array": to_array,
        "callbacks": callbacks,
        "callables": callables,
        "idle-barrier": idle_barrier,
        "scan": scan,
        "read-trace": read_trace,
        "format": format_rows,
        "chunks": chunks,
        "parse": parse_rows,
        "last-reads": last_reads,
        "hold": hold,
        "import": import_slabcore,
    }
)

if __name__ == "__main__":
    main(SIDES)

"""What Python programs use instead, each in its best form: `peers.py SIDE SIZE ...`.

Loops run in C where the library lets them: `deque(map(...), maxlen=0)`.
"""

from __future__ import annotations

import functools
import heapq
import importlib
import operator
import os
import random
import subprocess
import sys
import tempfile
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any

from timing import Timed, load, main, numbers, result, timed

EXPRESSION = (
    r"^\s*(?:(?P<buf>[\w.-]+):\s+)?(?P<comm>.{1,16}?)[-\s]\s*(?P<pid>\d+)(?:/\d+)?\s+"
    r"(?:\(\s*(?P<tgid>[\d-]+)\)\s+)?\[(?P<cpu>\d+)\]\s+"
    r"(?:(?P<flags>[^\s:]{1,8})\s+)?"
    r"(?P<ts>\d+\.\d{6,9}):\s+(?:(?P<sys>[a-z_0-9]+):)?(?P<ev>[a-z_0-9]+):"
    r"\s*(?P<body>.*)$"
)


def consume(iterator: Iterable[object]) -> None:
    """Run an iterator to its end without a loop in Python."""
    deque(iterator, maxlen=0)


# --- one list -------------------------------------------------------------------------


def once_if_large(n: int) -> int | None:
    """Return how often to repeat: to make and shuffle a million takes seconds."""
    return 1 if n > 100_000 else None


def linked_list(module: str, what: str, size: str, order: str) -> Timed:
    """Time a doubly linked list of C nodes; a node is removed by its handle.

    extend is quicker than append, and gives no handles.
    """
    make = importlib.import_module(module).dllist
    n = int(size)
    if what == "add":
        new = numbers(n, order, 1)
        return timed(make, lambda list_: list_.extend(new), n)

    def prepare() -> tuple[object, list[object]]:
        list_ = make()
        handles = [list_.append(number) for number in numbers(n, order, 1)]
        random.Random(2).shuffle(handles)
        return list_, handles

    def remove(made: tuple[object, list[object]]) -> None:
        list_, handles = made
        consume(map(list_.remove, handles))
        assert not len(list_)

    return timed(prepare, remove, n, rounds=once_if_large(n))


def mapping(make: Callable[..., dict[int, None]], *arguments: str) -> Timed:
    """Time a dict whose keys are the members."""
    what, size, order = arguments
    n = int(size)
    if what == "add":
        new = numbers(n, order, 1)
        return timed(lambda: None, lambda _: make(new), n)

    def prepare() -> tuple[dict[int, None], list[int]]:
        # The ints of the dict and of the removals are not the same objects.
        return make(numbers(n, order, 1)), numbers(n, "shuffled", 2)

    def remove(made: tuple[dict[int, None], list[int]]) -> None:
        members, gone = made
        consume(map(members.pop, gone))  # quicker than __delitem__, and than a loop
        assert not members

    return timed(prepare, remove, n, rounds=once_if_large(n))


def add_to_deque(size: str, order: str) -> Timed:
    """Time a deque, which can only grow quickly: it removes by searching."""
    new = numbers(int(size), order, 1)
    return timed(deque, lambda queue: queue.extend(new), int(size))


class Node:
    """A node as `struct list_head` would be in Python."""

    __slots__ = ("next", "prev")

    def __init__(self) -> None:
        self.next = self.prev = self


def python_list(what: str, size: str, order: str) -> Timed:
    """Time include/linux/list.h written in Python."""
    n = int(size)
    rounds = once_if_large(n)

    def add(head: Node, nodes: list[Node]) -> None:
        for node in nodes:
            last = head.prev
            node.prev, node.next = last, head
            last.next = head.prev = node

    def fresh() -> tuple[Node, list[Node]]:
        nodes = [Node() for _ in range(n)]
        if order == "shuffled":
            random.Random(1).shuffle(nodes)
        return Node(), nodes

    if what == "add":
        return timed(fresh, lambda made: add(*made), n, rounds=rounds)

    def prepare() -> tuple[Node, list[Node]]:
        head, nodes = fresh()
        add(head, nodes)
        random.Random(2).shuffle(nodes)
        return head, nodes

    def remove(made: tuple[Node, list[Node]]) -> None:
        head, nodes = made
        for node in nodes:
            node.prev.next, node.next.prev = node.next, node.prev
        assert head.next is head

    return timed(prepare, remove, n, rounds=rounds)


# --- one call -------------------------------------------------------------------------


def calls(function: Callable[[Any], object], size: str) -> Timed:
    """Time a call of one argument in a loop, less the loop."""
    arguments = numbers(int(size), "sequential", 1)

    def call(_: None) -> None:
        for argument in arguments:
            function(argument)

    return less_the_loop(lambda: None, call, arguments)


def less_the_loop(
    prepare: Callable[[], Any], call: Callable[[Any], None], arguments: Sequence[int]
) -> Timed:
    """Time what a loop over *arguments* does, without the loop."""

    def loop(_: object) -> None:
        for _argument in arguments:
            pass

    n = len(arguments)
    alone = timed(lambda: None, loop, n).ns
    ns, least, most, *rest = timed(prepare, call, n)
    return Timed(ns - alone, least - alone, most - alone, *rest)


def calls_of_nothing(function: Callable[[], object], size: str) -> Timed:
    """Time a call without arguments in a loop, less the loop."""
    times = range(int(size))

    def call(_: None) -> None:
        for _time in times:
            function()

    return less_the_loop(lambda: None, call, times)


def native_noargs(file: str, size: str) -> Timed:
    """Time a METH_NOARGS method that does nothing."""
    return calls_of_nothing(load(file).Floor().noargs, size)


def native_method(file: str, size: str, name: str = "o") -> Timed:
    """Time a METH_O method that does nothing, or only makes the int it returns."""
    return calls(getattr(load(file).Floor(), name), size)


def python_method(size: str) -> Timed:
    """Time a method written in Python that does nothing."""

    class Python:
        def o(self, argument: object) -> None:
            pass

    return calls(Python().o, size)


def del_of_dict(size: str) -> Timed:
    """Time `del d[k]` in random order."""
    n = int(size)
    arguments = numbers(n, "shuffled", 2)

    def remove(members: dict[int, None]) -> None:
        for argument in arguments:
            del members[argument]

    return less_the_loop(
        lambda: dict.fromkeys(numbers(n, "sequential", 1)), remove, arguments
    )


# --- queues of callbacks --------------------------------------------------------------


def call_from(put: Callable[[object], None], get: Callable[[], object], n: int) -> None:
    """Queue n callbacks, then call each."""
    callback = [].clear
    for _ in range(n):
        put(callback)
    for _ in range(n):
        get()()


def callbacks_in_deque(size: str) -> Timed:
    """Time callables through a deque."""
    n = int(size)
    return timed(deque, lambda q: call_from(q.append, q.popleft, n), n)


def callbacks_in_bulk(size: str) -> Timed:
    """Time callables through a deque that takes all at once, called by a loop in C."""
    n = int(size)
    callbacks = [[].clear] * n

    def call(queue: deque[Callable[[], object]]) -> None:
        queue.extend(callbacks)
        consume(map(operator.call, queue))
        queue.clear()

    return timed(deque, call, n)


def callbacks_in_simple_queue(size: str) -> Timed:
    """Time callables through a SimpleQueue."""
    n = int(size)
    return timed(SimpleQueue, lambda q: call_from(q.put, q.get, n), n)


# --- timed events ---------------------------------------------------------------------

EVENTS = 200_000


def delays() -> list[float]:
    """Return exponential delays."""
    drawn = random.Random(1)
    return [drawn.expovariate(1e-6) for _ in range(1 << 16)]


def heap(size: str) -> Timed:
    """Time heapq: take the earliest and queue it again, in one call: heapreplace."""
    pending = int(size)
    drawn = delays()

    def prepare() -> list[tuple[float, int]]:
        queue = [(drawn[i & 0xFFFF], i) for i in range(pending)]
        heapq.heapify(queue)
        return queue

    def hold(queue: list[tuple[float, int]]) -> None:
        replace = heapq.heapreplace
        for i in range(EVENTS):
            when, number = queue[0]
            replace(queue, (when + drawn[i & 0xFFFF], number))

    return timed(prepare, hold, EVENTS)


def simpy_timeouts(size: str) -> Timed:
    """Time SimPy without processes: the callback of a Timeout makes the next one."""
    simpy = importlib.import_module("simpy")
    pending = int(size)
    drawn = delays()
    events = 50_000

    def prepare() -> object:
        environment = simpy.Environment()
        timeout = simpy.events.Timeout

        def put(i: int) -> None:
            timeout(environment, drawn[i & 0xFFFF], i).callbacks.append(again)

        def again(event) -> None:
            put(event.value + pending)

        for i in range(pending):
            put(i)
        return environment

    def hold(environment) -> None:
        step = environment.step
        for _ in range(events):
            step()

    return timed(prepare, hold, events)


def simpy_processes(size: str) -> Timed:
    """Time SimPy: each pending event is a process that sleeps again."""
    simpy = importlib.import_module("simpy")
    pending = int(size)
    drawn = delays()
    events = 50_000

    def prepare() -> object:
        environment = simpy.Environment()

        def process(first: int):
            i = first
            while True:
                yield environment.timeout(drawn[i & 0xFFFF])
                i += pending

        for i in range(pending):
            environment.process(process(i))
        for _ in range(pending):
            environment.step()  # each up to its first delay
        return environment

    def hold(environment) -> None:
        for _ in range(events):
            environment.step()

    return timed(prepare, hold, events)


# --- replays --------------------------------------------------------------------------


def cache_simulator(policy: str, alive: str) -> Timed:
    """Time libcachesim with the allocations of lives as requests, all its own C."""
    simulator = importlib.import_module("libcachesim")
    # Kept out of the head: it loads slabcore, which the other peers do without.
    from lives import ROOTS, write_requests

    with tempfile.TemporaryDirectory(prefix="slabcore-requests-") as place:
        file = Path(place) / "requests.oracleGeneral"
        count = write_requests(file, int(alive))
        kind = simulator.TraceType.ORACLE_GENERAL_TRACE

        def prepare() -> tuple[object, object]:
            cache = getattr(simulator, policy)(int(alive) * ROOTS)
            return cache, simulator.TraceReader(str(file), kind)

        return timed(
            prepare, lambda made: made[0].process_trace(made[1]), count, rounds=3
        )


def cimba_processes(size: str) -> Timed:
    """Time cimba: processes in compiled code, of which each sleeps again."""
    importlib.import_module("cimba")
    sleepers = importlib.import_module("peer.cimba_sleepers")
    events = 5 * EVENTS
    return result(sleepers.elapsed(int(size), events, 5), events)


# --- text -----------------------------------------------------------------------------


def lines_of(file: str) -> list[bytes]:
    """Return the lines of a recording: bytes match more quickly than text."""
    return Path(file).read_bytes().splitlines()


def by_expression(module: str, file: str) -> Timed:
    """Time a regular expression for all tools' lines, groups and numbers included."""
    match = importlib.import_module(module).compile(EXPRESSION.encode()).match
    lines = lines_of(file)

    def read(_: None) -> None:
        found = 0
        for line in lines:
            event = match(line)
            if event is not None:
                event.groups()  # quicker than to name some of them
                found += 1
        assert found

    return timed(lambda: None, read, len(lines), rounds=1)


def by_split(file: str) -> Timed:
    """Time a split on blanks, which is wrong for a comm with a blank in it."""
    lines = lines_of(file)
    return timed(lambda: None, lambda _: consume(map(bytes.split, lines)), len(lines))


def percent_rows(file: str) -> Timed:
    """Time % for rows of /proc/slabinfo: of bytes, the quickest of Python's ways."""
    text = Path(file).read_bytes()
    form = b"%-17s %6d %6d %6d %4d %4d : tunables %4d %4d %4d : slabdata %6d %6d %6d\n"
    lines = text.splitlines(keepends=True)
    rows = [
        (f[0], *map(int, f[1:6] + f[8:11] + f[13:16]))
        for f in map(bytes.split, lines[2:])
    ]
    assert b"".join(lines[:2]) + b"".join(map(form.__mod__, rows)) == text

    def prints(_: None) -> None:
        b"".join(map(form.__mod__, rows))

    return timed(lambda: None, prints, len(rows))


def split_rows(file: str) -> Timed:
    """Time str.split and int for rows whose names hold no blank.

    Calls of int by name are quicker than map, and names of words than slices.
    """
    text = Path(file).read_text("ascii")

    def parse(_: None) -> None:
        for line in text.splitlines()[2:]:
            name, a, b, c, d, e, _, _, f, g, h, _, _, i, j, k = line.split()
            name, int(a), int(b), int(c), int(d), int(e), int(f), int(g), int(h), \
                int(i), int(j), int(k)  # fmt: skip

    return timed(lambda: None, parse, text.count("\n") - 2)


def jc_rows(file: str) -> Timed:
    """Time jc's parser, which wants names without a colon."""
    parse = importlib.import_module("jc.parsers.proc_slabinfo").parse
    text = Path(file).read_text("ascii").replace("(", "_").replace(":app", "_app")
    text = text.replace(")", " ")
    return timed(
        lambda: None, lambda _: parse(text, quiet=True), text.count("\n") - 2, rounds=3
    )


def host_rows() -> Timed:
    """Time this machine's kernel printing its own /proc/slabinfo, for root only."""
    file = Path("/proc/slabinfo")
    rows = file.read_bytes().count(b"\n") - 2
    return timed(lambda: None, lambda _: file.read_bytes(), rows, rounds=15)


NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


# --- the interpreter ------------------------------------------------------------------


def import_of(module: str) -> Timed:
    """Time an import in a new interpreter: CPU time of the statement.

    Bytecode is there, as it is once a package is installed, whatever is set here.
    """
    program = (
        "import time; began = time.process_time();"
        f"import {module}; print(time.process_time() - began)"
    )
    importlib.import_module(module)
    environment = {k: v for k, v in os.environ.items() if k != NO_BYTECODE}
    took = []
    with tempfile.TemporaryDirectory() as prefix:
        environment["PYTHONPYCACHEPREFIX"] = prefix
        for _ in range(8):
            ran = subprocess.run(
                [sys.executable, "-c", program],
                check=True,
                capture_output=True,
                text=True,
                env=environment,
            )
            took.append(float(ran.stdout))
    return result(took[1:], 1)


def fill(kind: str, size: str) -> object:
    """Return what holds *size* caches: a list of 12-slot objects in three lists."""
    n = int(size)
    if kind == "dict":
        return dict.fromkeys(map(int, map(str, range(n))))
    make = importlib.import_module("llist").dllist
    lists = make(), make(), make()
    if kind == "nodes":
        return lists, [[list_.append(None) for list_ in lists] for _ in range(n)]
    slots = ("name", "size", "root", "memcg", "slabs", "objects", "state", "serial")
    slots += ("all", "siblings", "own", "handles")
    kept = type("Cache", (), {"__slots__": slots})
    caches = [kept() for _ in range(n)]
    for number, cache in enumerate(caches):
        cache.serial = number
        cache.all, cache.siblings, cache.own = (l_.append(cache) for l_ in lists)
    return lists, caches


def memory(kind: str, size: str) -> Timed:
    """Tell bytes a cache, as nanoseconds are told elsewhere."""
    fill(kind, "1000")
    before = resident()
    made = fill(kind, size)
    bytes_ = (resident() - before) / int(size)
    del made
    return Timed(bytes_, bytes_, bytes_, int(size), 1)


def resident() -> int:
    """Return the bytes that this process has resident."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


SIDES = MappingProxyType(
    {
        "llist": functools.partial(linked_list, "llist"),
        "cllist": functools.partial(linked_list, "cllist"),
        "dict": functools.partial(mapping, dict.fromkeys),
        "OrderedDict": functools.partial(mapping, OrderedDict.fromkeys),
        "deque": add_to_deque,
        "list-head": python_list,
        "method": native_method,
        "noargs": native_noargs,
        "python-method": python_method,
        "dict-del": del_of_dict,
        "callbacks-deque": callbacks_in_deque,
        "callbacks-deque-bulk": callbacks_in_bulk,
        "callbacks-simple-queue": callbacks_in_simple_queue,
        "heapq": heap,
        "libcachesim": cache_simulator,
        "simpy": simpy_timeouts,
        "simpy-processes": simpy_processes,
        "cimba": cimba_processes,
        "re": functools.partial(by_expression, "re"),
        "regex": functools.partial(by_expression, "regex"),
        "split": by_split,
        "percent": percent_rows,
        "split-int": split_rows,
        "jc": jc_rows,
        "host": host_rows,
        "import": import_of,
        "memory": memory,
    }
)

if __name__ == "__main__":
    main(SIDES)

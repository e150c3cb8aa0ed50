"""What type checkers must know of slabcore: mypy --strict and pyright read this file.

A line that must be refused carries both checkers' own word for that; one that does not
refuse it says that the word is not needed. tests/test_typing.py runs what is right.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Generator
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
import simpy

import slabcore
from slabcore import (
    CacheLists,
    Design,
    InputError,
    IntrusiveList,
    Kernel,
    KernelFile,
    Machine,
    RcuQueue,
    SeqFile,
    SlabcoreError,
    StaleHandleError,
    gates,
)
from slabcore.comparison import Comparison, Result
from slabcore.kernel import Cache, Finished, LiveCache, Memcg
from slabcore.simpy import Bridge, Call
from slabcore.slabinfo import SlabInfo, parse

Int64s = npt.NDArray[np.int64]


def lists() -> None:
    entries = IntrusiveList([3, 1])
    handle = entries.add(7)
    assert_type(handle, int)
    assert_type(entries.first, int | None)
    assert_type(entries.next(handle), int | None)
    assert_type(entries.value(handle), int)
    assert_type(list(entries), list[int])
    assert_type(entries.to_array(), Int64s)
    assert_type(entries.extend(np.arange(3)), Int64s)
    assert_type(len(entries), int)
    assert_type(handle in entries, bool)
    entries.remove_many([handle])
    try:
        entries.value(handle)
    except StaleHandleError as error:
        assert_type(error.done, int | None)


def refused(entries: IntrusiveList, kernel: Kernel) -> None:
    """Never called: each line is a mistake."""
    entries.add("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    entries.value(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    entries.first = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    kernel.create_cache("dentry")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Kernel("4.9", walk="slow")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    gates.growth(len, [1], cost="hops")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    kernel.alloc(kernel.mkdir("/a"), "/a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def files() -> None:
    entries = IntrusiveList(range(3))

    def show(file: SeqFile, entry: Any) -> None:
        file.write(f"{entries.value(entry)}\n")

    def show_name(file: SeqFile, name: Any) -> None:
        file.write(f"{name}\n")

    with SeqFile({"web": 80}, show=show_name, cursor=True, page=64) as file:
        assert_type(next(file.pages()), bytes)
    with SeqFile(entries, show=show) as file:
        assert_type(file.read(4096), bytes)
        assert_type(file.lseek(0), int)
        assert_type(file.calls, dict[str, int])


def queues() -> None:
    queue = RcuQueue(cpus=2)
    queue.call(1, 1)
    assert_type(queue.start(), int)
    assert_type(queue.quiescent(0), bool)
    assert_type(queue.pending, int)
    assert_type(queue.segments(), tuple[int, int, int, int])
    assert_type(len(queue), int)


def cache_lists() -> None:
    lists = CacheLists(10)
    memcg = lists.mkdir()
    assert_type(memcg, int)
    lists.create_many([memcg, memcg], [0, 1])
    assert_type(lists.caches(memcg), Int64s)
    assert_type(lists.destroy_many([memcg]), int)


def kernels() -> None:
    kernel = Kernel("4.9", machine=Machine(cpus=2))
    assert_type(kernel.design, Design)
    dentry = kernel.create_cache("dentry", object_size=192, accounted=True)
    assert_type(dentry, Cache)
    web = kernel.mkdir("/web")
    assert_type(web, Memcg)
    assert_type(kernel.mkdir_many([f"/web/{i}" for i in range(3)]), Int64s)
    kernel.alloc(dentry, web)
    kernel.alloc_many("dentry", ["/web", web], [1, 2])
    assert_type(kernel.next_event_ns(), int)
    assert_type(kernel.caches(), list[LiveCache])
    assert_type(kernel.counters, dict[str, Any])
    assert_type(kernel.open("/proc/slabinfo"), KernelFile)
    assert_type(kernel.open("/proc/slabinfo", "r"), io.TextIOWrapper)
    assert_type(parse(kernel.open("/proc/slabinfo").read()), SlabInfo)
    try:
        kernel.mkdir("web")
    except InputError as error:
        assert_type(error.where, str)
    except SlabcoreError:
        raise
    kernel.drain()


def states() -> None:
    kernel = Kernel("4.11")
    data = kernel.snapshot()
    assert_type(data, bytes)
    assert_type(Kernel.restore(data), Kernel)
    assert_type(kernel.fork(), Kernel)
    assert_type(copy.deepcopy(kernel), Kernel)


def beside() -> None:
    kernel = Kernel("4.11")
    number = kernel.begin("mkdir", "/web")
    assert_type(number, int)
    kernel.advance(slabcore.ms(20))
    ended = kernel.finished()
    assert_type(ended, list[Finished])
    assert_type(ended[0].number, int)
    assert_type(ended[0].error, SlabcoreError | None)
    assert_type(kernel.at_rest, bool)


def simulations() -> None:
    env = simpy.Environment()
    node = Bridge(env, Kernel("4.11"), unit="ms")
    call = node.mkdir("/web")
    assert_type(call, Call)

    def container() -> Generator[simpy.Event, Any, float]:
        memcg = yield call
        yield node.rmdir(memcg)
        yield node.freed(memcg)
        return env.now

    env.run(env.process(container()))
    assert_type(node.now_ns, int)


def performance() -> None:
    grown = gates.growth({10: 10, 20: 20, 40: 40}, unit="rows", at_most="linear")
    assert_type(grown, gates.Growth)
    assert_type(grown.held, bool | None)
    assert_type(grown.slope, float)
    assert_type(grown.fit, gates.Fit)
    counted = gates.count({"queries": 3}, exactly={"queries": 3})
    assert_type(counted, gates.Count)
    assert_type(counted.as_dict(), dict[str, Any])

    def work() -> None:
        pass

    assert_type(gates.ratio(work, work, cost="lines", at_most=1.5), gates.Ratio)


def embedding() -> None:
    assert_type(slabcore.get_include(), str)
    assert_type(slabcore.SLABCORE_ABI, int)


def comparisons() -> None:
    result = slabcore.compare("life", ["4.8", slabcore.find("4.11")])
    assert_type(result, Comparison)
    assert_type(result["4.8"], Result)
    assert_type(slabcore.ms(1.5), int)


RIGHT = (
    *(lists, files, queues, cache_lists),
    *(kernels, states, beside, comparisons, simulations, performance, embedding),
)

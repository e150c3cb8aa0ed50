"""Coroutines that await a kernel: its calls are futures of an asyncio loop.

The kernel has a time of its own, which passes while all coroutines wait: as fast as it
can be computed, or at *speed* virtual seconds a second beside a loop that also serves
sockets.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

import slabcore
from slabcore import Kernel, ms


class Driver:
    """Runs a kernel under an asyncio loop, and gives out futures of what it does."""

    def __init__(self, kernel: Kernel, speed: float = math.inf) -> None:
        self.kernel = kernel
        self.speed = speed
        self.futures: dict[int, asyncio.Future[Any]] = {}
        self.asked = asyncio.Event()

    def call(self, name: str, *operands: Any) -> asyncio.Future[Any]:
        """Begin a call of the kernel, to be awaited."""
        return self.await_number(self.kernel.begin(name, *operands))

    def watch(self, what: str, *operands: Any) -> asyncio.Future[Any]:
        """Watch for something of a cgroup, to be awaited."""
        return self.await_number(self.kernel.watch(what, *operands))

    def await_number(self, number: int) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        self.futures[number] = future
        self.asked.set()
        return future

    async def run(self) -> None:
        """Let the kernel's time pass until the task is cancelled."""
        kernel, loop = self.kernel, asyncio.get_running_loop()
        began_ns, began = kernel.now_ns, loop.time()
        while True:
            kernel.advance_to_finished(kernel.now_ns + ms(10))
            # A turn of the loop at least: others have their say, at any speed.
            due = began + (kernel.now_ns - began_ns) / 1e9 / self.speed
            await asyncio.sleep(max(due - loop.time(), 0))
            for finished in kernel.finished():
                future = self.futures.pop(finished.number)
                if future.cancelled():
                    continue
                if finished.error is None:
                    future.set_result(finished.value)
                else:
                    future.set_exception(finished.error)
            # What the coroutines ask next they ask at this instant.
            await asyncio.sleep(0)
            if kernel.at_rest or not self.futures:
                self.asked.clear()
                await self.asked.wait()


async def container(node: Driver, name: str) -> str:
    """Live in a cgroup for as long as its cache takes to be there, then go."""
    web = await node.call("mkdir", f"/{name}")
    await node.call("alloc", "dentry", web)
    await node.watch("cache", web, "dentry")
    served = node.kernel.now_ns
    await node.call("free", "dentry", web)
    await node.call("rmdir", web)
    removed = node.kernel.now_ns
    await node.watch("freed", web)
    freed = node.kernel.now_ns
    times = f"{served / 1e6:7.2f} {removed / 1e6:8.2f} {freed / 1e6:7.2f}"
    return f"{name} {times}"


async def main() -> None:
    for design in ("4.9", "4.11"):
        kernel = Kernel(design, machine=slabcore.Machine(cpus=2))
        kernel.create_cache("dentry", object_size=192, accounted=True)
        node = Driver(kernel)
        clock = asyncio.create_task(node.run())
        names = [f"web{n}" for n in range(4)]
        rows = await asyncio.gather(*(container(node, name) for name in names))
        print(f"Linux {design}, ms\n      served  removed   freed")
        print("\n".join(rows))
        await node.call("mkdir", "/web")
        await node.call("mkdir", "/web/inside")
        try:
            await node.call("rmdir", "/web")
        except slabcore.BusyError as error:
            print(error)
        clock.cancel()


if __name__ == "__main__":
    asyncio.run(main())

"""A kernel inside a SimPy simulation: its calls are events that processes wait for.

SimPy comes with the extra ``slabcore[sim]``.
"""

from __future__ import annotations

import math
import types as python_types
from typing import Any

try:
    import simpy
    from simpy.events import NORMAL, Event, EventPriority
except ModuleNotFoundError as error:
    text = "slabcore.simpy needs SimPy; expected pip install 'slabcore[sim]'"
    raise ModuleNotFoundError(text, name=error.name) from None

from slabcore.errors import InputError, LifecycleError
from slabcore.kernel import Cache, Finished, Kernel, Memcg

__all__ = ["Bridge", "Call", "Mutex", "Request"]

# What an environment's time may be in, in nanoseconds.
UNITS = python_types.MappingProxyType(
    {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
)
# Behind all that processes do at an instant.
LATE = EventPriority(NORMAL + 1)
# How far a kernel may run ahead of the environment at one go, if no event is before.
AHEAD_NS = 10_000_000_000


class Call(Event):
    """Happen when the kernel has gone through with a call, or what was watched is so.

    Its value is the call's; a call that failed raises its error where it is waited for.
    """

    def __init__(self, env: simpy.Environment, *call: object) -> None:
        super().__init__(env)
        self.call = call
        """The call as it was made: its name and its operands."""

    def _desc(self) -> str:
        return f"{type(self).__name__}({' '.join(map(_text, self.call))})"

    def _end(self, finished: Finished) -> None:
        if finished.error is None:
            self.succeed(finished.value)
        else:
            self.fail(finished.error)


class Request(Call):
    """Ask for a mutex of the kernel; in a ``with`` block it is given up at its end."""

    def __init__(self, mutex: Mutex, number: int) -> None:
        super().__init__(mutex._bridge.env, mutex.name)
        self.resource = mutex
        """The mutex, by the name that SimPy has for it."""
        self.number = number
        self.usage_since: float | None = None
        """When it was owned, or None."""

    def _end(self, finished: Finished) -> None:
        self.resource.queue.remove(self)
        self.resource.users.append(self)
        self.usage_since = self.env.now
        self.succeed()

    def __enter__(self) -> Request:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # As SimPy's: not when a generator is thrown away.
        if kind is not GeneratorExit:
            self.cancel()

    def cancel(self) -> None:
        """Give the mutex up, or the place in its line."""
        self.resource.release(self)


class Mutex:
    """A mutex of the kernel as a resource: kernel tasks and processes queue on it.

    It is taken as a ``simpy.Resource`` is: ``with mutex.request() as owned: yield
    owned``.
    """

    capacity = 1

    def __init__(self, bridge: Bridge, name: str) -> None:
        self._bridge = bridge
        self.name = name
        self.users: list[Request] = []
        """The request of a process that owns it."""
        self.queue: list[Request] = []
        """The requests of processes that wait for it."""

    def __repr__(self) -> str:
        return f"<{self.name}: owned {self.count}, {self.waiting} wait>"

    @property
    def count(self) -> int:
        """Return 1 if it is owned, by a task of the kernel or by a process, else 0.

        It is given up some microseconds after the ``with`` block, when the task that
        stands for the process has run; *users* tells of processes at once.
        """
        self._bridge.sync()
        return int(self._bridge.kernel.line(self.name)[0])

    @property
    def waiting(self) -> int:
        """Return how many wait for it, tasks of the kernel and processes."""
        self._bridge.sync()
        return self._bridge.kernel.line(self.name)[1]

    def request(self) -> Request:
        """Return the event of owning it; those in line before come first."""
        bridge = self._bridge
        bridge.sync()
        request = Request(self, bridge.kernel.hold(self.name))
        self.queue.append(request)
        bridge._wait_for(request.number, request)
        return request

    def release(self, request: Request) -> Event:
        """Give it up, or the place in its line; what is not there is not given up."""
        bridge = self._bridge
        mine = self.users if request in self.users else self.queue
        if request in mine:
            bridge.sync()
            # It may have come to own it at this very instant.
            mine = self.users if request in self.users else self.queue
            mine.remove(request)
            bridge._waiting.pop(request.number, None)
            bridge.kernel.let_go(request.number)
            bridge._look_now()
        return bridge.env.event().succeed()


class Bridge:
    """Keep a kernel's clock in step with a SimPy environment's.

    Calls of the kernel are made here, at the environment's time: each returns an event
    at once and runs beside all others. Reading counters, caches() and the like off the
    kernel is fine; sync() brings it to this instant first. While no process waits for
    the kernel it costs the environment nothing, and run() ends when nothing is left
    that can happen. Several kernels may share an environment.

    >>> import simpy
    >>> from slabcore import Kernel
    >>> from slabcore.simpy import Bridge
    >>> env = simpy.Environment()
    >>> node = Bridge(env, Kernel("4.11"), unit="ms")
    >>> dentry = node.kernel.create_cache("dentry", object_size=192, accounted=True)
    >>> def container():
    ...     web = yield node.mkdir("/web")
    ...     yield node.alloc(dentry, web)
    ...     yield node.cache(dentry, web)
    ...     yield env.timeout(100)
    ...     yield node.free(dentry, web)
    ...     yield node.rmdir(web)
    ...     removed = env.now
    ...     yield node.freed(web)
    ...     return round(removed), round(env.now)
    >>> env.run(env.process(container()))
    (101, 164)
    """

    def __init__(
        self, env: simpy.Environment, kernel: Kernel, *, unit: str | float = "s"
    ) -> None:
        """Tie *kernel* to *env*: from now on the environment moves its time.

        unit: what 1 of the environment's time is, "ns", "us", "ms", "s" or a number of
        nanoseconds. The kernel may have a past: its time now is the environment's now.
        Raises: InputError.
        """
        if not isinstance(env, simpy.Environment):
            raise InputError("Bridge", f"env is {env!r}", "a simpy.Environment")
        if not isinstance(kernel, Kernel):
            raise InputError("Bridge", f"kernel is {kernel!r}", "a Kernel")
        length = UNITS.get(unit, 0) if isinstance(unit, str) else unit
        number = isinstance(length, int | float) and not isinstance(length, bool)
        if not number or not 0 < length < math.inf:
            known = ", ".join(f'"{name}"' for name in UNITS)
            expected = f"{known} or a number of nanoseconds above 0"
            raise InputError("Bridge", f"unit is {unit!r}", expected)
        self.env = env
        self.kernel = kernel
        self.unit = length
        """Nanoseconds."""
        self.cgroup_mutex: Mutex = Mutex(self, "cgroup_mutex")
        self.slab_mutex: Mutex = Mutex(self, "slab_mutex")
        self._env_began = env.now
        self._kernel_began = self._reached = kernel.now_ns
        self._waiting: dict[int, Call] = {}
        self._ready: list[Finished] = []  # at an instant that is still to come
        self._next: Event | None = None  # when it looks at the kernel
        self._next_at = env.now
        self._next_ns = self._reached

    def __repr__(self) -> str:
        what = f"{self.kernel.design.name} at {self._reached} ns"
        return f"<Bridge to {what}, {len(self._waiting)} wait>"

    # --- calls ---

    def mkdir(self, path: str) -> Call:
        """Make a memory cgroup; the event's value is its Memcg."""
        return self._begin("mkdir", path)

    def rmdir(self, memcg: Memcg | str) -> Call:
        """Remove a cgroup; the event is the return of rmdir(2), long before freed().

        The event fails with BusyError if it has children or tasks.
        """
        return self._begin("rmdir", memcg)

    def join(self, memcg: Memcg | str) -> Call:
        """Move a process into a cgroup; the process is the caller's own, see Kernel."""
        return self._begin("join", memcg)

    def alloc(self, cache: Cache | str, memcg: Memcg | str, count: int = 1) -> Call:
        """Allocate objects as a task of the cgroup; it is busy meanwhile."""
        return self._begin("alloc", cache, memcg, count)

    def pin(self, cache: Cache | str, memcg: Memcg | str, count: int = 1) -> Call:
        """Allocate objects that stay until drop_caches."""
        return self._begin("pin", cache, memcg, count)

    def free(self, cache: Cache | str, memcg: Memcg | str, count: int = 1) -> Call:
        """Free objects as a task of the cgroup; it is busy meanwhile."""
        return self._begin("free", cache, memcg, count)

    def drop_caches(self) -> Call:
        """Free the pinned objects of reclaimable caches."""
        return self._begin("drop_caches")

    def hotplug(self, event: str) -> Call:
        """Let a CPU die, or memory come or go."""
        return self._begin("hotplug", event)

    def spawn(self, program: int, *, repeat: int = 1) -> Call:
        """Run a program of the kernel's *repeat* times."""
        self.sync()
        number = self.kernel.spawn(program, repeat=repeat)
        return self._wait_for(number, Call(self.env, "spawn", program))

    def _begin(self, call: str, *operands: Any) -> Call:
        self.sync()
        number = self.kernel.begin(call, *operands)
        return self._wait_for(number, Call(self.env, call, *operands))

    # --- what may be waited for ---

    def cache(self, cache: Cache | str, memcg: Memcg | str) -> Call:
        """Wait until a cgroup has its own cache of a root, or needs none.

        The value is False if the cgroup or the root went first.
        """
        return self._watch("cache", memcg, cache)

    def offline(self, memcg: Memcg | str) -> Call:
        """Wait until a removed cgroup is offline: it has given back its id."""
        return self._watch("offline", memcg)

    def freed(self, memcg: Memcg | str) -> Call:
        """Wait until nothing is left of a cgroup, its caches included."""
        return self._watch("freed", memcg)

    def at(self, when_ns: int) -> Event:
        """Wait for an instant of the kernel's time; what is past happens now."""
        return self.env.timeout(max(self._to_env(when_ns) - self.env.now, 0))

    def _watch(
        self, what: str, memcg: Memcg | str, cache: Cache | str | None = None
    ) -> Call:
        self.sync()
        number = self.kernel.watch(what, memcg, cache)
        return self._wait_for(number, Call(self.env, what, memcg))

    # --- time ---

    @property
    def now_ns(self) -> int:
        """Return this instant in the kernel's time."""
        passed = self.env.now - self._env_began
        return self._kernel_began + round(passed * self.unit)

    def sync(self) -> None:
        """Bring the kernel to this instant: what it says then is of now.

        Raises: LifecycleError if somebody else has moved the kernel's time.
        """
        self._sync(self.now_ns)

    def _sync(self, now: int) -> bool:
        """Run to an instant; tell whether somebody who waited was told something."""
        if self.kernel.now_ns != self._reached:
            what = f"the kernel's time went from {self._reached} to "
            what += f"{self.kernel.now_ns} ns past the bridge"
            hint = "all calls to be the bridge's; a new Bridge goes on from here"
            raise LifecycleError(f"{what}; expected {hint}")
        if now > self._reached:
            self.kernel.advance_to(now)
            self._reached = now
            self._take()
        told = len(self._waiting)
        while self._ready and self._ready[0].at_ns <= now:
            finished = self._ready.pop(0)
            call = self._waiting.pop(finished.number, None)
            if call is not None:
                call._end(finished)
        return len(self._waiting) < told

    def _take(self) -> None:
        """Take what has finished, of which only what somebody waits for matters."""
        ended = self.kernel.finished()
        self._ready += [one for one in ended if one.number in self._waiting]

    def _wait_for(self, number: int, call: Call) -> Call:
        self._waiting[number] = call
        self._look_now()
        return call

    def _look_now(self) -> None:
        """Let the kernel run on behind all that processes do at this instant."""
        if self._next is None or self._next_at != self.env.now:
            self._look_at(self._reached)

    def _look_at(self, when_ns: int) -> None:
        look = Event(self.env)
        look._ok = True
        look._value = None
        assert look.callbacks is not None
        look.callbacks.append(self._look)
        # Of several that are scheduled only the last one looks.
        self._next = look
        self._next_ns = when_ns
        delay = max(self._to_env(when_ns) - self.env.now, 0)
        self._next_at = self.env.now + delay
        self.env.schedule(look, LATE, delay)

    def _look(self, event: Event) -> None:
        """Deliver what is due, and find out when the next thing will be."""
        if event is not self._next:
            return
        self._next = None
        # A float may fall short of the instant that it stands for.
        told = self._sync(max(self.now_ns, self._next_ns))
        if not self._waiting:
            return
        if told:
            # Who was told something may ask for more at this instant.
            self._look_now()
            return
        if not self._ready:
            self._run_ahead()
        if self._ready:
            self._look_at(self._ready[0].at_ns)
        elif not self.kernel.at_rest:
            self._look_at(self.kernel.next_event_ns())

    def _run_ahead(self) -> None:
        """Run the kernel until something finishes, up to the environment's next event.

        Before that nobody can ask anything of it.
        """
        until = self._reached + AHEAD_NS
        event = self.env.peek()
        if event < math.inf:
            passed = math.floor((event - self._env_began) * self.unit)
            until = min(until, self._kernel_began + passed)
        self.kernel.advance_to_finished(max(until, self._reached))
        self._reached = self.kernel.now_ns
        # What is asked at an instant comes after all that the kernel does then, as it
        # does where the environment had an event of its own there.
        self.kernel.advance_to(self._reached)
        self._take()

    def _to_env(self, when_ns: int) -> float:
        passed = when_ns - self._kernel_began
        return self._env_began + (passed if self.unit == 1 else passed / self.unit)


def _text(operand: object) -> str:
    """Return what a call or its operand is called."""
    if isinstance(operand, Memcg):
        return operand.path
    return operand.name if isinstance(operand, Cache) else str(operand)

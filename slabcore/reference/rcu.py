"""Callbacks that wait for grace periods: what kernel/rcu/tree.c does with them.

A CPU's callbacks stand in four segments. `next` holds what nobody has numbered yet,
`wait` and `ready` what waits for the grace period of their number, `done` what may be
invoked. Time does not pass by itself here: who uses the queue says when a grace period
starts and when a CPU is in a quiescent state.

Read `RcuQueue` from `_look` on.
"""

from __future__ import annotations

import dataclasses
import operator
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence
from types import MappingProxyType
from typing import Any

from slabcore.errors import CorruptionError, InputError, LifecycleError

__all__ = ["KINDS", "MARKERS", "RcuQueue"]

MARKERS = ("queued", "entrained")
UNLIMITED = 1 << 62
KINDS: Mapping[str, Callable[[int], int]] = MappingProxyType(
    {
        "inc": lambda word: (word + 1) % (1 << 32),
        "dec": lambda word: (word - 1) % (1 << 32),
        "set": lambda word: word | 1,
        "clear": lambda word: word & ~1,
        "change": lambda word: word ^ 1,
    }
)


@dataclasses.dataclass
class _Callback:
    value: Any
    number: int  # of its CPU's callbacks, by the order of queueing
    after: int  # the grace period that has to be over
    marker: bool = False
    kind: str | None = None  # what becomes of the word that the value names


class _Cpu:
    def __init__(self, blimit: int) -> None:
        self.done: deque[_Callback] = deque()
        self.wait: list[_Callback] = []
        self.ready: list[_Callback] = []
        self.next: list[_Callback] = []
        self.wait_gp = 0
        self.ready_gp = 0
        self.blimit = blimit
        self.queued = 0
        self.invoked = 0

    @property
    def segments(self) -> tuple[deque[_Callback] | list[_Callback], ...]:
        return self.done, self.wait, self.ready, self.next

    @property
    def qlen(self) -> int:
        return sum(map(len, self.segments))


class RcuQueue:
    """Callbacks of CPUs, simulated: invoked when a grace period is over."""

    def __init__(
        self,
        cpus: int = 1,
        *,
        blimit: int = 10,
        qhimark: int = 10_000,
        qlowmark: int = 100,
        marker: str = "entrained",
        callback: Callable[[Any], object] | None = None,
        words: MutableSequence[int] | None = None,
    ) -> None:
        cpus, blimit = operator.index(cpus), operator.index(blimit)
        qhimark, qlowmark = operator.index(qhimark), operator.index(qlowmark)
        if not 1 <= cpus <= 4096:
            raise InputError("RcuQueue", f"cpus is {cpus}", "1 to 4096")
        if blimit < 1:
            raise InputError("RcuQueue", f"blimit is {blimit}", "1 or more")
        if qhimark < 0 or qlowmark < 0:
            mark = "qlowmark" if qhimark >= 0 else "qhimark"
            least = min(qhimark, qlowmark)
            raise InputError("RcuQueue", f"{mark} is {least}", "0 or more")
        if marker not in MARKERS:
            raise InputError("RcuQueue", f"marker is {marker!r}", "queued or entrained")
        if callback is not None and not callable(callback):
            raise TypeError(f"callback={callback!r}: expected a callable or None")
        if callback is not None and words is not None:
            raise TypeError("a queue has words or a callback")
        self.blimit, self.qhimark, self.qlowmark = blimit, qhimark, qlowmark
        self.marker = marker
        self.callback = callback
        self.words = words
        self.gpnum = self.completed = self.requested = 0
        self.invoked = self.longest = 0
        self._cpus = [_Cpu(blimit) for _ in range(cpus)]
        self._waits_for: set[int] = set()  # CPUs that the grace period still needs
        self._invoking = False

    # --- queueing ---

    def call(self, value: Any, cpu: int = 0, kind: str | None = None) -> None:
        on = self._cpu(cpu)
        if kind is not None or self.words is not None:
            self._check_kind(kind)
        plain = self.callback is None and self.words is None
        if plain and not hasattr(value, "__index__"):
            what = f"{type(value).__name__}: expected a whole number"
            raise TypeError(f"{what}, as the queue has no callback")
        if self.callback is None:
            value = operator.index(value)
            if not -(1 << 63) <= value < 1 << 63:
                raise OverflowError(f"{value} is not a number of 64 bits")
        if self.words is not None:
            self._check_word(value)
        self._call_rcu(on, value, kind=kind)

    def call_many(
        self, values: Iterable[Any], cpu: int = 0, kind: str | bytes | None = None
    ) -> None:
        """Queue each value; of numbers all or none.

        kind: of all, or bytes with the number of each one's.
        """
        on = self._cpu(cpu)
        if self.words is None:
            for value in values:
                self.call(value, cpu, kind)  # type: ignore[arg-type]  # refuses bytes
            return
        values = list(values)
        if isinstance(kind, bytes):
            if len(kind) != len(values):
                expected = f"{len(values)}, one a value"
                raise InputError("RcuQueue", f"kind has {len(kind)} numbers", expected)
            names = list(KINDS)
            kinds: list[Any] = [names[n] if n < len(names) else n for n in kind]
        else:
            self._check_kind(kind)
            kinds = [kind] * len(values)
        for value, each in zip(values, kinds, strict=True):
            if each not in KINDS:
                expected = f"0 to {len(KINDS) - 1}"
                raise InputError("RcuQueue", f"kind is {each}", expected)
            self._check_word(value)
        for value, each in zip(values, kinds, strict=True):
            self._call_rcu(on, value, kind=each)

    def _check_kind(self, kind: str | None) -> None:
        if self.words is None:
            raise TypeError(f"kind={kind!r}: expected none, as the queue has no words")
        if kind not in KINDS:
            expected = "inc, dec, set, clear or change"
            raise InputError("RcuQueue", f"kind is {kind!r}", expected)

    def _check_word(self, value: int) -> None:
        words = 0 if self.words is None else len(self.words)
        if not 0 <= value < words:
            there = f"0 to {words - 1}, an index of words"
            expected = there if words else "an index of words, of which there are none"
            raise InputError("RcuQueue", f"value is {value}", expected)

    def _call_rcu(
        self, on: _Cpu, value: Any, marker: bool = False, kind: str | None = None
    ) -> None:
        # The grace period that runs now, if one does, began too early.
        after = self.gpnum + 1
        self._enqueue(on, on.next, _Callback(value, on.queued, after, marker, kind))
        if on.qlen > self.qhimark:
            on.blimit = UNLIMITED

    def _entrain(self, on: _Cpu) -> None:
        """Put a marker behind the last callback, into its segment."""
        segment = [segment for segment in on.segments if segment][-1]
        after = segment[-1].after
        self._enqueue(on, segment, _Callback(None, on.queued, after, marker=True))

    def _enqueue(self, on: _Cpu, segment: Any, callback: _Callback) -> None:
        segment.append(callback)
        on.queued += 1
        self.longest = max(self.longest, on.qlen)

    # --- grace periods ---

    def _look(self, on: _Cpu) -> None:
        """See which grace periods are over, then number what has no number."""
        if on.wait and on.wait_gp <= self.completed:
            on.done.extend(on.wait)
            on.wait = []
        if on.ready and on.ready_gp <= self.completed:
            on.done.extend(on.ready)
            on.ready = []
        if not on.wait and on.ready:
            on.wait, on.wait_gp = on.ready, on.ready_gp
            on.ready = []
        if not on.next:
            return
        # A running grace period does not cover callbacks queued after it began.
        number = self.completed + (1 if self.gpnum == self.completed else 2)
        if on.wait and on.wait_gp < number:
            on.ready += on.next
            on.ready_gp = number
        else:
            on.wait += on.ready + on.next
            on.wait_gp = number
            on.ready = []
        on.next = []
        self.requested = max(self.requested, number)

    def start(self) -> int:
        if self.gpnum != self.completed:
            raise LifecycleError(f"grace period {self.gpnum} has not ended")
        for on in self._cpus:
            self._look(on)
        self.gpnum += 1
        self._waits_for = set(range(len(self._cpus)))
        return self.gpnum

    def quiescent(self, cpu: int | None = None) -> bool:
        ran = self.gpnum != self.completed
        for number in self._numbers(cpu):
            self._look(self._cpus[number])
            self._waits_for.discard(number)
        if not self._waits_for:
            self.completed = self.gpnum
        return ran and self.gpnum == self.completed

    def advance(self, cpu: int | None = None) -> int:
        due = 0
        for number in self._numbers(cpu):
            self._look(self._cpus[number])
            due += len(self._cpus[number].done)
        return due

    def grace_period(self) -> int:
        self.quiescent()
        self.start()
        self.quiescent()
        self.advance()
        return self.gpnum

    # --- invoking ---

    def invoke(
        self, cpu: int | None = None, batches: int | None = 1
    ) -> list[Any] | int:
        if batches is not None and operator.index(batches) < 1:
            raise InputError("RcuQueue", f"batches is {batches}", "1 or more, or None")
        numbers = self._numbers(cpu)
        with _Invoking(self):
            taken: list[Any] = []
            for number in numbers:
                on, left = self._cpus[number], batches
                self._look(on)
                while on.done and left != 0:
                    taken += self._batch(on)
                    left = None if left is None else left - 1
        return self._answer(taken)

    def _batch(self, on: _Cpu) -> Iterator[Any]:
        try:
            for _ in range(min(len(on.done), on.blimit)):
                callback = on.done.popleft()
                if callback.after > self.completed:
                    raise CorruptionError("a callback runs before its grace period")
                if callback.number != on.invoked:
                    raise CorruptionError("a callback overtakes an older one")
                on.invoked += 1
                if callback.marker:
                    continue
                self.invoked += 1
                if self.words is not None and callback.kind is not None:
                    word = int(self.words[callback.value])
                    self.words[callback.value] = KINDS[callback.kind](word)
                if self.callback is not None:
                    self.callback(callback.value)
                yield callback.value
        finally:
            if on.blimit != self.blimit and on.qlen <= self.qlowmark:
                on.blimit = self.blimit

    def _answer(self, taken: list[Any]) -> list[Any] | int:
        return taken if self.callback is None is self.words else len(taken)

    # --- waiting ---

    def synchronize(self, cpu: int = 0) -> list[Any] | int:
        on = self._cpu(cpu)
        with _Invoking(self):
            if len(self._cpus) == 1:
                return self._answer([])  # rcu_blocking_is_gp()
            self._call_rcu(on, None, marker=True)
            return self._answer(self._wait({cpu: on.queued}))

    def barrier(self) -> list[Any] | int:
        with _Invoking(self):
            until = {}
            for number, on in enumerate(self._cpus):
                if on.qlen:
                    if self.marker == "queued":
                        self._call_rcu(on, None, marker=True)
                    else:
                        self._entrain(on)
                    until[number] = on.queued
            return self._answer(self._wait(until))

    def _wait(self, until: dict[int, int]) -> list[Any]:
        """Let time pass until each of some CPUs has invoked so many in all."""
        taken: list[Any] = []
        while True:
            for number, count in until.items():
                on = self._cpus[number]
                if on.invoked < count:
                    self._look(on)
                while on.done and on.invoked < count:
                    taken += self._batch(on)
            if all(self._cpus[n].invoked >= count for n, count in until.items()):
                return taken
            if self.gpnum == self.completed:
                self.start()
            self.quiescent()

    # --- looking ---

    @property
    def cpus(self) -> int:
        return len(self._cpus)

    @property
    def pending(self) -> int:
        return sum(
            not callback.marker
            for on in self._cpus
            for segment in on.segments
            for callback in segment
        )

    def __len__(self) -> int:
        return self.pending

    def values(self, cpu: int = 0) -> list[Any]:
        """Return what is queued on a CPU, in its order."""
        return [
            callback.value
            for segment in self._cpu(cpu).segments
            for callback in segment
            if not callback.marker
        ]

    def segments(self, cpu: int = 0) -> tuple[int, ...]:
        return tuple(map(len, self._cpu(cpu).segments))

    def validate(self) -> None:
        for on in self._cpus:
            order = [callback for segment in on.segments for callback in segment]
            numbers = [callback.number for callback in order]
            if numbers != list(range(on.invoked, on.queued)):
                raise CorruptionError("callbacks stand in no order")
            if any(callback.after > self.completed for callback in on.done):
                raise CorruptionError("a callback is due before its grace period")

    def _cpu(self, cpu: int) -> _Cpu:
        cpu = operator.index(cpu)
        if not 0 <= cpu < len(self._cpus):
            expected = f"0 to {len(self._cpus) - 1}"
            raise InputError("RcuQueue", f"cpu is {cpu}", expected)
        return self._cpus[cpu]

    def _numbers(self, cpu: int | None) -> Iterable[int]:
        if cpu is None:
            return range(len(self._cpus))
        self._cpu(cpu)
        return [cpu]


class _Invoking:
    """Refuse that a callback waits for callbacks."""

    def __init__(self, queue: RcuQueue) -> None:
        self.queue = queue

    def __enter__(self) -> None:
        if self.queue._invoking:
            raise LifecycleError("a callback is being invoked")
        self.queue._invoking = True

    def __exit__(self, *exception: object) -> None:
        self.queue._invoking = False

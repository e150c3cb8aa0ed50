"""The errors that slabcore raises on purpose."""

from __future__ import annotations

__all__ = [
    "BusyError",
    "CorruptionError",
    "GateError",
    "InputError",
    "LifecycleError",
    "ListCorruptionError",
    "SlabcoreError",
    "StaleHandleError",
]


class SlabcoreError(Exception):
    """Base of everything with which slabcore refuses a value or a step.

    A wrong type is Python's TypeError, a file's error an OSError.

    >>> from slabcore import Kernel, SlabcoreError
    >>> try:
    ...     Kernel("9.9")
    ... except SlabcoreError as error:
    ...     print(type(error).__name__)
    InputError
    """

    done: int | None = None
    """Of a call on many: how many entries were gone through with before."""


class LifecycleError(SlabcoreError):
    """Report a step out of order.

    >>> from slabcore import LifecycleError, RcuQueue
    >>> queue = RcuQueue()
    >>> queue.start()
    1
    >>> try:
    ...     queue.start()
    ... except LifecycleError as error:
    ...     print(error)
    grace period 1 has not ended
    """


class BusyError(LifecycleError):
    """Report a removal of something that is still in use (EBUSY).

    >>> from slabcore import BusyError, Kernel
    >>> kernel = Kernel("4.11")
    >>> pods, web = kernel.mkdir("/pods"), kernel.mkdir("/pods/web")
    >>> try:
    ...     kernel.rmdir(pods)
    ... except BusyError as error:
    ...     print(error)
    rmdir('/pods'): the cgroup has children or tasks; rmdir needs none (EBUSY)
    """


class StaleHandleError(LifecycleError):
    """Report a handle that outlived what it named.

    >>> from slabcore import IntrusiveList, StaleHandleError
    >>> caches = IntrusiveList()
    >>> dentry = caches.add(192)
    >>> caches.remove(dentry)
    >>> try:
    ...     caches.value(dentry)
    ... except StaleHandleError as error:
    ...     print(error)
    handle 0: no entry of the list
    """


class CorruptionError(SlabcoreError):
    """Report a broken invariant found by ``validate()``.

    None is known of a kernel that was booted: a program that sees one there has found a
    fault of slabcore. One that was restored of bytes that somebody made up may break
    invariants as it goes on.

    >>> from slabcore import CorruptionError, Kernel
    >>> kernel = Kernel("4.9")
    >>> try:
    ...     kernel.validate()
    ... except CorruptionError as error:
    ...     print("please report:", error)
    """


class ListCorruptionError(CorruptionError):
    """Report links of a list that disagree, found by ``validate()``.

    >>> from slabcore import CorruptionError, ListCorruptionError
    >>> issubclass(ListCorruptionError, CorruptionError)
    True
    """


class GateError(SlabcoreError, AssertionError):
    """Report that something costs more than a gate allows, and how it was found."""


class InputError(SlabcoreError, ValueError):
    """Report bad input in one line: where it is, what it is, what was expected.

    >>> from slabcore import InputError
    >>> print(InputError("storm.toml:3", "cpus is 0", "1 to 4096"))
    storm.toml:3: cpus is 0; expected 1 to 4096
    """

    def __init__(self, where: str, what: str, expected: str = "") -> None:
        self.where = where
        self.what = what
        self.expected = expected
        text = f"{where}: {what}" if where else what
        if expected:
            text += f"; expected {expected}"
        super().__init__(" ".join(text.split()))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        return type(self), (self.where, self.what, self.expected)

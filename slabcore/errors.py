"""The errors that slabcore raises on purpose."""

from __future__ import annotations

__all__ = [
    "BusyError",
    "CorruptionError",
    "InputError",
    "LifecycleError",
    "ListCorruptionError",
    "SlabcoreError",
    "StaleHandleError",
]


class SlabcoreError(Exception):
    """Base of everything that slabcore raises on purpose."""

    done: int | None = None
    """Of a call on many: how many entries were gone through with before."""


class LifecycleError(SlabcoreError):
    """Report a step out of order."""


class BusyError(LifecycleError):
    """Report a removal of something that is still in use (EBUSY)."""


class StaleHandleError(LifecycleError):
    """Report a handle that outlived what it named."""


class CorruptionError(SlabcoreError):
    """Report a broken invariant found by ``validate()``."""


class ListCorruptionError(CorruptionError):
    """Report links of a list that disagree."""


class InputError(SlabcoreError, ValueError):
    """Report bad input in one line: where it is, what it is, what was expected.

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

"""Operands of calls on many: one value for all entries, or an array of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slabcore.errors import InputError, SlabcoreError

__all__ = ["Numbers", "Operand", "operand", "refusal", "spread", "stop", "together"]

Numbers = npt.NDArray[np.int64]


class Operand(NamedTuple):
    """What was given, and the number that the engine knows each value by."""

    values: Any
    """A sequence."""
    numbers: Numbers
    fit: int
    """How many values come before the first that is refused."""

    number: Callable[[Any], int]

    def value(self, entry: int, shape: tuple[int, ...]) -> Any:
        """Return the value that belongs to an entry of the broadcast shape."""
        places = np.arange(self.numbers.size).reshape(self.numbers.shape)
        value = self.values[int(np.broadcast_to(places, shape).flat[entry])]
        return value.item() if isinstance(value, np.generic) else value

    def refusal(self, entry: int, shape: tuple[int, ...]) -> SlabcoreError | None:
        """Return the error that refuses the value of an entry, if one does."""
        if self.entries(shape) > entry:
            return None
        return refusal(lambda: self.number(self.value(entry, shape)))

    def entries(self, shape: tuple[int, ...]) -> int:
        """Return how many entries of the broadcast shape come before that value's."""
        if self.fit == self.numbers.size:
            return int(np.prod(shape, dtype=np.int64))
        unfit = np.zeros(self.numbers.shape, np.bool_)
        unfit.flat[self.fit] = True
        found = np.flatnonzero(np.broadcast_to(unfit, shape))
        return int(found[0]) if found.size else 0


def operand(
    given: Any,
    one: type | tuple[type, ...],
    number: Callable[[Any], int],
    fit: Callable[[Numbers], npt.NDArray[np.bool_]] | None = None,
) -> Operand:
    """Return an operand of a call on many.

    one: types of a single value, of which some can be iterated over.
    number: what the engine knows a value by; its errors refuse the value.
    fit: tells which whole numbers of an array are not refused; None: all are fit.
    """
    if isinstance(given, np.ndarray) and given.dtype.kind in "iu":
        numbers = given.astype(np.int64)
        unfit = np.flatnonzero(~fit(numbers)) if fit else np.zeros(0)
        values: Any = given.ravel()
        return Operand(
            values, numbers, int(unfit[0]) if unfit.size else numbers.size, number
        )
    shape: tuple[int, ...] = ()
    if isinstance(given, np.ndarray):
        values, shape = given.ravel().tolist(), given.shape
    elif isinstance(given, one) or not isinstance(given, Iterable):
        values = [given]
    else:
        values = list(given)
        shape = (len(values),)
    found = np.zeros(len(values), np.int64)
    fit_values = 0
    try:
        for value in values:
            found[fit_values] = number(value)
            fit_values += 1
    except SlabcoreError:
        pass
    return Operand(values, found.reshape(shape), fit_values, number)


def together(
    where: str, operands: Sequence[Operand]
) -> tuple[tuple[int, ...], int, list[Numbers]]:
    """Return the shape of the entries, how many are fit, and the numbers of those."""
    shapes = [operand.numbers.shape for operand in operands]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        what = f"the shapes are {', '.join(map(str, shapes))}"
        expected = "arrays that broadcast against each other"
        raise InputError(where, what, expected) from None
    fit = min(operand.entries(shape) for operand in operands)
    return (
        shape,
        fit,
        [np.broadcast_to(each.numbers, shape).ravel()[:fit] for each in operands],
    )


def spread(where: str, what: str, given: Any, count: int) -> list[Any]:
    """Return one value for each of *count* entries."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return [given] * count
    values = given.tolist() if isinstance(given, np.ndarray) else list(given)
    if not isinstance(values, list):
        return [values] * count
    if len(values) != count:
        expected = f"{count}, or one for all"
        raise InputError(where, f"{what} has {len(values)} values", expected)
    return values


def refusal(call: Callable[[], object]) -> SlabcoreError | None:
    """Return the error with which a call refuses its operands."""
    try:
        call()
    except SlabcoreError as error:
        return error
    return None


def stop(where: str, error: BaseException | None, done: int, count: int) -> None:
    """Raise what stopped a call on many, if something did."""
    if error is not None:
        vars(error)["done"] = done
        error.add_note(f"{where}: {done} of {count} entries are done")
        raise error

"""What SeqFile reads that has no hooks: items by number, keys in order, entries."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Mapping, Set
from typing import Any

from slabcore.errors import InputError

__all__ = ["Entries", "Items", "Keys", "source_of"]

Show = Callable[[Any, Any], int | None]


class Items:
    """Show the items of a sequence. A place is how many items stand before it."""

    def __init__(self, items: Any, show: Show) -> None:
        self.items = items
        self.shows = show

    def start(self, pos: int) -> int | None:
        return pos if pos < len(self.items) else None

    def next(self, place: int, pos: int) -> tuple[int | None, int]:
        return self.start(place + 1), pos + 1

    def stop(self, place: int | None) -> None:
        pass

    def show(self, m: Any, place: int) -> int | None:
        return self.shows(m, self.items[place])


class Keys:
    """Show the keys of a mapping or a set, the least first. A place is a key."""

    def __init__(self, keys: Collection[Any], show: Show) -> None:
        self.keys = keys
        self.show = show
        self.ahead: list[Any] = []  # a heap of the keys behind the place

    def start(self, pos: int) -> Any | None:
        """Return the key that so many are less than."""
        self._look(list(self.keys))
        try:
            for _ in range(min(pos, len(self.ahead))):
                heapq.heappop(self.ahead)
        except TypeError as error:
            raise _unordered(error) from error
        return self._least(None)

    def find(self, place: Any) -> Any | None:
        """Return the least key that is not below a place, whether or not it is there.

        What is between two places comes once, whatever was added and removed.
        """
        # A list first: other threads may add keys while they are looked at.
        keys = list(self.keys)
        try:
            ahead = [key for key in keys if not key < place]
        except TypeError as error:
            raise _unordered(error) from error
        self._look(ahead)
        return self._least(place)

    def resume(self, pos: int) -> None:
        """Stay at the end, at no cost."""

    def next(self, place: Any, pos: int) -> tuple[Any | None, int]:
        return self._least(place), pos + 1

    def stop(self, place: Any | None) -> None:
        self.ahead = []

    def _look(self, keys: list[Any]) -> None:
        if None in keys:
            raise InputError("SeqFile", "None is a key", "keys that have an order")
        try:
            heapq.heapify(keys)
        except TypeError as error:
            raise _unordered(error) from error
        self.ahead = keys

    def _least(self, place: Any | None) -> Any | None:
        """Take out the least key; what show removed meanwhile is not shown.

        Keys of which neither is less, as NaN and subsets are, have no places.
        """
        while self.ahead:
            try:
                key = heapq.heappop(self.ahead)
            except TypeError as error:
                raise _unordered(error) from error
            if key not in self.keys:
                continue
            try:
                follows = place is None or key == place or place < key
            except TypeError as error:
                raise _unordered(error) from error
            if not follows:
                what = f"{place!r} and {key!r} are keys"
                raise InputError("SeqFile", what, "keys that have an order")
            return key
        return None


def _unordered(error: TypeError) -> InputError:
    """Return the error of keys that cannot be compared."""
    return InputError("SeqFile", str(error), "keys that have an order")


class Entries:
    """Show the entries of a list through a field. A place is an entry."""

    def __init__(self, entries: Any, show: Show) -> None:
        self.entries = entries
        self.cursor = entries.cursor()
        self.show = show

    def start(self, pos: int) -> int | None:
        self.cursor.seek(self.entries.first)
        for _ in range(pos):
            if self.cursor.entry is None:
                break  # from there it would step to the first
            self.cursor.next()
        place: int | None = self.cursor.entry
        return place

    def find(self, place: int) -> int | None:
        """Return the entry that the cursor stands on: the one behind, of one gone."""
        self.cursor.seek(self.cursor.entry)  # for good: next() is to step over it
        found: int | None = self.cursor.entry
        return found

    def resume(self, pos: int) -> None:
        """Stay at the end, at no cost."""

    def next(self, place: int, pos: int) -> tuple[int | None, int]:
        return self.cursor.next(), pos + 1

    def stop(self, place: int | None) -> None:
        pass


def source_of(source: Any, show: Show | None, cursor: bool, through_field: bool) -> Any:
    """Return what has the hooks of a source: itself, or what shows its items or keys.

    through_field: it is a FieldList. Raises: InputError.
    """
    if through_field and callable(show):
        return Entries(source, show)
    if any(callable(getattr(source, hook, None)) for hook in ("start", "next", "stop")):
        return source
    keyed = isinstance(source, Mapping | Set)
    placed = hasattr(source, "__len__") and hasattr(source, "__getitem__")
    kind = type(source).__name__
    if isinstance(source, str | bytes) or not (keyed or placed):
        raise InputError(
            "SeqFile",
            f"{kind} is nothing that has entries",
            "a list, a dict, a set, an IntrusiveList, or an object with start, next, "
            "stop and show",
        )
    if not callable(show):
        what = f"{kind} has no show()" if show is None else f"show is {show!r}"
        raise InputError("SeqFile", what, "show=, called with the file and an item")
    if keyed:
        return Keys(source, show)
    if cursor:
        raise InputError(
            "SeqFile",
            f"{kind} has numbers for places, and there is a cursor",
            "a mapping, a set, an IntrusiveList, or a source with start, next and stop",
        )
    return Items(source, show)

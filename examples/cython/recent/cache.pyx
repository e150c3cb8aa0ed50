"""The least recently used of many: what is used moves to the front, the last one goes."""

from libc.stdint cimport int64_t

from slabcore._core cimport IntrusiveList, require_abi
from slabcore.side_list cimport side_handle, side_move, side_settle, side_value

require_abi()


cdef class Recent:
    """Keep up to *room* keys; the one not used for longest makes place for another."""

    cdef IntrusiveList order
    cdef dict entries
    cdef Py_ssize_t room
    cdef readonly int64_t hits, misses

    def __init__(self, room: int) -> None:
        if room < 1:
            raise ValueError(f"room is {room}; expected 1 or more")
        self.order = IntrusiveList()
        self.entries = {}
        self.room = room

    def use(self, int64_t key) -> bool:
        """Use a key; tell whether it was there."""
        known = self.entries.get(key)
        if known is not None:
            # Compiled into this module: no call from Python.
            side_move(&self.order.entries, known, True)
            self.hits += 1
            return True
        if len(self.entries) == self.room:
            self.drop()
        self.entries[key] = self.order.add(key)
        self.misses += 1
        return False

    cdef int drop(self) except -1:
        """Forget the key that was not used for longest."""
        cdef int64_t last, key
        side_settle(&self.order.entries)
        last = side_handle(&self.order.entries, self.order.entries.head.last)
        if not side_value(&self.order.entries, last, &key):
            raise KeyError("nothing is kept")
        del self.entries[key]
        self.order.remove(last)
        return 0

    def keys(self) -> list:
        """Return the keys, the one used last first."""
        return self.order.to_array().tolist()

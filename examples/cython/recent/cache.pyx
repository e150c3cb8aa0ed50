"""The least recently used of many: what is used moves to the front, the last one goes."""

from libc.stdint cimport int64_t, uint32_t

from slabcore._core cimport IntrusiveList, require_abi
from slabcore.side_list cimport side_handle, side_move, side_settle

require_abi()


cdef class Recent:
    """Keep up to *room* keys; the one not used for longest makes place for another."""

    cdef IntrusiveList order
    cdef dict entries
    cdef Py_ssize_t room
    cdef readonly int64_t hits, misses

    def __init__(self, room: int) -> None:
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
        cdef uint32_t last
        side_settle(&self.order.entries)
        last = self.order.entries.head.last
        del self.entries[self.order.entries.values[last]]
        self.order.remove(side_handle(&self.order.entries, last))
        return 0

    def keys(self) -> list:
        """Return the keys, the one used last first."""
        return self.order.to_array().tolist()

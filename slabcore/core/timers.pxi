cimport cython
from libc.stdint cimport int64_t, uint32_t

from slabcore.clock cimport (
    FOREVER,
    clock_free,
    clock_init,
    clock_next,
    clock_pop,
    clock_push,
    clock_queue,
)

from slabcore.errors import LifecycleError


@cython.final
cdef class Timers:
    """A world's queue of timers alone: by time, then by number."""

    cdef clock_queue queue

    def __cinit__(self):
        clock_init(&self.queue)

    def __dealloc__(self):
        clock_free(&self.queue)

    def __len__(self) -> int:
        return self.queue.used

    @property
    def next(self) -> int | None:
        """Return when the earliest is due."""
        return clock_next(&self.queue) if self.queue.used else None

    def push(self, int64_t when, int64_t number, uint32_t item) -> None:
        """Set a timer for *item*. No two of one time may have one number."""
        if not 0 <= when < FOREVER:
            raise ValueError(f"when={when}; expected 0 to {FOREVER - 1}")
        clock_push(&self.queue, when, number, item)

    def pop(self) -> int:
        """Take out the earliest timer; return its item. Raises: LifecycleError."""
        if not self.queue.used:
            raise LifecycleError("there is no timer")
        return clock_pop(&self.queue)

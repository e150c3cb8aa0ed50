"""The model in plain Python: its specification, and the oracle of the tests.

Every list is walked hop by hop, every CPU ticks, tasks are generators. Nothing here is
fast and nothing is shared with the compiled core but the exceptions.
"""

from __future__ import annotations

from slabcore.reference.world import World

__all__ = ["World"]

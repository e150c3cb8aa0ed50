"""Gates on performance that no noise and no other machine can spoil.

In tests, with pytest-benchmark, they are the fixtures ``count_gate``, ``growth_gate``
and ``ratio_gate``. In scripts, `count`, `growth` and `ratio` measure the same and
return what they found. None of them knows anything of slabs.
"""

from __future__ import annotations

from slabcore.errors import GateError
from slabcore.gates.fitting import ORDERS, Fit, fit
from slabcore.gates.fixtures import CountGate, GrowthGate, RatioGate
from slabcore.gates.measuring import count, growth, ratio
from slabcore.gates.metering import Timing, lines
from slabcore.gates.results import SCHEMA, Count, Found, Growth, Ratio

__all__ = [
    "ORDERS",
    "SCHEMA",
    "Count",
    "CountGate",
    "Fit",
    "Found",
    "GateError",
    "Growth",
    "GrowthGate",
    "Ratio",
    "RatioGate",
    "Timing",
    "count",
    "fit",
    "growth",
    "lines",
    "ratio",
]

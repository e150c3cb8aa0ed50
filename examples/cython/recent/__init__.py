"""What cimports slabcore: a cache of the least recently used, and a loop of kernels."""

from recent.cache import Recent
from recent.pull import until_gone

__all__ = ["Recent", "until_gone"]

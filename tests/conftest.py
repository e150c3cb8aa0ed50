"""The two engines that a test may run on, and how far hypothesis looks."""

import gc
import os
from collections.abc import Callable

import pytest
from hypothesis import settings

# A verdict never depends on how long an example took: no deadlines.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("sanitize", max_examples=30, deadline=None, derandomize=True)
settings.register_profile("deep", max_examples=5_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(params=["core", "reference"])
def engine(request: pytest.FixtureRequest) -> str:
    """Name the engine: the compiled core, then its twin in plain Python."""
    return request.param


@pytest.fixture
def collecting() -> Callable[[Callable[[], object], Callable[[], object]], object]:
    """Return a call in which garbage is collected, at the first container it makes.

    Up to Python 3.11, that is; later ones collect between two lines of Python.
    """

    def collecting(make_garbage: Callable[[], object], call: Callable[[], object]):
        gc.collect()
        gc.disable()
        try:
            make_garbage()
            due = [[] for _ in range(gc.get_threshold()[0] + 1)]
            gc.enable()
            answer = call()
            due.clear()
            return answer
        finally:
            gc.enable()

    return collecting

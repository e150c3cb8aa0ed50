"""The two engines that a test may run on, and how far hypothesis looks."""

import os

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

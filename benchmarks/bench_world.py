"""Quick gates: the core against its twin in the same run; storms."""

import time

import pytest
from product import storm

from slabcore.comparison import compare

LOOP = ("workload.programs.job.repeat=4", "machine.cpus=4", "workload.settle_s=0")


@pytest.mark.benchmark(group="smythies under 4.9")
def test_the_core_is_far_ahead_of_its_twin(benchmark):
    def run(engine):
        return compare("smythies", ["4.9"], overrides=LOOP, engine=engine)["4.9"]

    core = benchmark(run, "core")
    began = time.perf_counter()
    reference = run("reference")
    twin = time.perf_counter() - began
    ratio = twin / benchmark.stats.stats.min
    benchmark.extra_info["reference_to_core"] = ratio
    assert core.counters["list_hops"] == reference.counters["list_hops"]
    assert ratio >= 10


@pytest.mark.benchmark(group="100 000 caches live and die")
@pytest.mark.parametrize("design", ["4.10", "4.11", "5.9"])
def test_a_storm(benchmark, design):
    counters = benchmark.pedantic(storm, (design, 10_000, 10), rounds=3)
    assert counters["caches"]["created"] == (0 if design == "5.9" else 100_000)
    assert counters["caches"]["live"] == 10
    benchmark.extra_info["list_hops"] = sum(counters["list_hops"].values())

"""Quick gates: the core against its twin in the same run; storms."""

from functools import partial

import pytest
from product import storm

from slabcore.comparison import compare

LOOP = ("workload.programs.job.repeat=4", "machine.cpus=4", "workload.settle_s=0")


@pytest.mark.benchmark(group="smythies under 4.9", min_rounds=3)
def test_the_core_is_far_ahead_of_its_twin(ratio_gate):
    hops = {}

    def run(engine):
        found = compare("smythies", ["4.9"], overrides=LOOP, engine=engine)["4.9"]
        hops[engine] = found.counters["list_hops"]

    core, reference = partial(run, "core"), partial(run, "reference")
    ratio_gate(core, reference, label="core", peer_label="reference", at_most=0.1)
    assert hops["core"] == hops["reference"]


@pytest.mark.benchmark(group="100 000 caches live and die")
@pytest.mark.parametrize("design", ["4.10", "4.11", "5.9"])
def test_a_storm(benchmark, design):
    counters = benchmark.pedantic(storm, (design, 10_000, 10), rounds=3)
    assert counters["caches"]["created"] == (0 if design == "5.9" else 100_000)
    assert counters["caches"]["live"] == 10
    benchmark.extra_info["list_hops"] = sum(counters["list_hops"].values())

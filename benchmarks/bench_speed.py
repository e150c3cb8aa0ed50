"""Quick gates: ratios to numpy and to a floor in C, with room for a busy machine.

benchmarks/speed.py has the whole table and the goals.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from rows import WORLDS
from running import Bench

PEERS = Path(__file__).with_name("peers.py")
PRODUCT = Path(__file__).with_name("product.py")


def told(*command) -> float:
    """Return what a side tells: nanoseconds an item, or bytes."""
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(ran.stdout)["ns"]


def test_the_package_is_imported_about_as_quickly_as_numpy():
    ours = told(sys.executable, PRODUCT, "import")
    numpy = told(sys.executable, PEERS, "import", "numpy")
    assert ours < 2 * numpy


def test_a_child_cache_takes_about_a_hundred_bytes():
    assert told(sys.executable, PRODUCT, "memory", "200000") < 150


def test_a_whole_world_costs_some_tens_of_times_its_list_work(tmp_path):
    bench = Bench(tmp_path)
    floor = bench.run(WORLDS.floors[0], 10_000, 60)
    if "missing" in floor:
        pytest.skip(floor["missing"])
    world = bench.run(WORLDS.ours[0], 10_000, 60)
    assert floor["ns"] < world["ns"] < 60 * floor["ns"]

"""The shipped costs are what the recordings of real kernels give."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from slabcore.machine import Costs, cost_presets

HERE = Path(__file__).parent
KERNELS = ("4.8.15", "4.10.17", "4.12.10")
SHIPPED = HERE.parent / "slabcore" / "costs"


@pytest.fixture(scope="module")
def calibrate() -> ModuleType:
    path = HERE.parent / "benchmarks" / "calibrate.py"
    spec = importlib.util.spec_from_file_location("calibrate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["calibrate"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def presets(calibrate: ModuleType) -> dict[str, str]:
    folder = HERE / "data" / "calibration"
    traces = {
        kernel: calibrate.Trace(folder / f"cgroup-life-{kernel}.txt.gz")
        for kernel in KERNELS
    }
    texts: dict[str, str] = calibrate.presets(traces)
    return texts


@pytest.mark.parametrize("name", ["rk", "default", "frolov"])
def test_preset_is_what_the_recordings_give(presets: dict[str, str], name: str) -> None:
    assert (SHIPPED / f"{name}.toml").read_text("utf-8") == presets[name]


@pytest.mark.parametrize("name", cost_presets())
def test_every_preset_says_where_each_figure_is_from(name: str) -> None:
    costs = Costs.preset(name)
    assert costs.title
    assert costs.host
    assert costs.method
    unsaid = [
        field
        for field, source in costs.sources.items()
        if not source or source.startswith("default:")
    ]
    assert unsaid == []


def test_the_real_host_is_faster_than_the_emulator_on_it() -> None:
    emulated, real = Costs.preset("rk").to_dict(), Costs.preset("default").to_dict()
    slower = {
        field
        for field, figure in real.items()
        if isinstance(figure, dict)
        and "ns" in figure
        and figure["ns"] >= emulated[field]["ns"]
    }
    assert slower == set()

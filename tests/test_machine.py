"""Machines and costs: what is refused, and where the figures come from."""

import dataclasses
import pickle
import subprocess
import sys

import pytest

from slabcore.errors import InputError
from slabcore.machine import Costs, Machine, cost_presets

FIELDS = [f.name for f in dataclasses.fields(Costs) if "cost" in f.metadata]


def test_a_machine_is_eight_cpus_at_250_hz():
    machine = Machine()
    assert (machine.cpus, machine.hz, machine.allocator) == (8, 250, "slub")
    assert machine.costs == Costs.preset("default")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"cpus": 0}, "machine.cpus: 0; expected a whole number from 1 to 4096"),
        ({"cpus": True}, "machine.cpus: True; expected a whole number from 1 to 4096"),
        ({"hz": "fast"}, "machine.hz: 'fast'; expected a whole number from 1 to 10000"),
        ({"page_size": 5000}, "machine.page_size: 5000; expected a power of two"),
        ({"allocator": "slob"}, "machine.allocator: 'slob'; expected slub or slab"),
        ({"kmem": "no"}, "machine.kmem: 'no'; expected default or on or off"),
        (
            {"charge_caches": 1},
            "machine.charge_caches: 1; expected true or false",
        ),
        ({"costs": None}, "machine.costs: None; expected a Costs"),
    ],
)
def test_a_machine_that_cannot_be_is_refused_in_one_line(fields, text):
    with pytest.raises(InputError) as refusal:
        Machine(**fields)
    assert str(refusal.value) == text


@pytest.mark.parametrize("value", [-1, 1.5, True, "fast", 10**15])
def test_a_cost_is_whole_nanoseconds(value):
    with pytest.raises(
        InputError, match=r"^costs\.ipi: .*; expected a whole number from"
    ):
        Costs(ipi=value)


@pytest.mark.parametrize(
    "points", [(), ((5, 1), (2, 3)), ((1, 2, 3),), ((1, -2),), 7, ((1, 2), (1, 3))]
)
def test_a_hop_curve_has_rising_lengths(points):
    with pytest.raises(InputError, match=r"^costs\.list_hop: .*; expected pairs"):
        Costs(list_hop=points)


@pytest.mark.parametrize("name", cost_presets())
def test_every_preset_gives_each_figure_a_source(name):
    costs = Costs.preset(name)
    assert costs.name == name
    assert costs.title
    assert set(costs.sources) == set(FIELDS)
    assert all(costs.sources.values())
    figures = costs.to_dict()
    assert [key for key in figures if key in FIELDS] == FIELDS
    assert all("\n" not in figures[field]["source"] for field in FIELDS)


def test_a_changed_cost_says_that_it_was_changed():
    costs = Costs.preset("rk").replace(ipi=5)
    assert costs.ipi == 5
    assert costs.sources["ipi"] == "set by hand"
    assert costs.sources["fork"] == Costs.preset("rk").sources["fork"]


def test_an_unknown_preset_is_answered_with_the_nearest():
    with pytest.raises(InputError) as refusal:
        Costs.preset("defualt")
    assert str(refusal.value) == (
        "costs: no preset 'defualt'; expected default (nearest)"
    )


def test_costs_come_from_a_file_too(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('title = "my host"\n[ipi]\nns = 900\nsource = "measured"\n')
    costs = Costs.preset(str(path))
    assert (costs.name, costs.title, costs.ipi) == ("mine", "my host", 900)
    assert costs.sources["ipi"] == "measured"
    assert costs.sources["fork"] == "preset default"
    assert costs.host == ""


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("[ipii]\nns = 1", ": no cost is called 'ipii'; expected ipi or ipi_halted"),
        ("[ipi]\nus = 1", ": ipi: no ns in it; expected a table with ns and source"),
        ("ipi = 1", ": ipi: no ns in it; expected a table with ns and source"),
        (
            "[list_hop]\nns = 1",
            "no points in it; expected a table with points and source",
        ),
        ("title = 1", ": title: 1 is no text; expected text"),
        (
            "[ipi]\nns = -1",
            "ipi: -1; expected a whole number from 0 to 3600000000000 ns",
        ),
        ("\n[ipi", ":2: expected ']' at the end of a table declaration"),
    ],
)
def test_a_bad_file_of_costs_is_refused_by_name(tmp_path, text, end):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        Costs.preset(str(path))
    assert str(refusal.value).startswith(str(path))
    assert str(refusal.value).endswith(end)


def test_a_file_of_costs_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or directory"):
        Costs.preset(str(tmp_path / "none.toml"))


def test_machines_travel_between_processes():
    machine = Machine(cpus=2, costs=Costs.preset("rk"))
    assert pickle.loads(pickle.dumps(machine)) == machine


def test_a_machine_needs_no_library_but_the_standard_one():
    program = "import sys, slabcore.machine; print(*sys.modules)"
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert not {"msgspec", "rich", "click", "plotille"} & set(output.split())

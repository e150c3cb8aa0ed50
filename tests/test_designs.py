"""Which design a kernel version has, and what the designs say of themselves."""

from __future__ import annotations

import dataclasses
import itertools
import re
import typing

import pytest

from slabcore.designs import Design, Designs, designs, find, steps
from slabcore.errors import InputError
from slabcore.mechanisms import KNOBS

# A commit, a posting, or a file of the kernel and the version it was read in.
SOURCE = r"[0-9a-f]{12}: |\d{10,14}[-.][\w.@-]+(: |$)|[a-z/_.]+\.[ch]\b.*\d"

RANGES = {
    "4.4": ["4.4", "4.5", "v4.4", "4.4.11", "4.4.0-116-generic"],
    "4.6": ["4.6", "4.6.2", "4.6.0+"],
    "4.7": ["4.7", "4.7.4", "4.8", "4.8.14", "v4.8-rc7"],
    "4.8.15": ["4.8.15", "4.8.17"],
    "4.9": ["4.9", "4.9.71", "v4.9-rc3", "4.9.0-0.bpo.3-amd64"],
    "4.10": ["4.10", "4.10.17", "4.10-rc2"],
    "4.11": ["4.11", "4.11.12"],
    "4.12": ["4.12", "4.12.3", "4.12.9", "4.12-rc1"],
    "4.12.10": ["4.12.10", "4.12.14", "v4.12.13"],
    "4.13": ["4.13", "4.14.8", "4.15.0-1021-aws", "4.17.19"],
    "4.18": ["4.18", "4.19", "4.19.0-6-amd64", "4.18.0-305.el8.x86_64"],
    "4.20": ["4.20", "5.0", "5.2.1"],
    "5.3": ["5.3", "5.4.0-29-generic"],
    "5.5": ["5.5", "5.6.19", "5.7"],
    "5.8": ["5.8", "5.8.18"],
    "5.9": ["5.9", "5.10.185", "5.15", "5.19"],
    "6.0": ["6.0", "6.1.4", "6.11"],
    "6.12": ["6.12", "6.12.0"],
    "series-v1": ["series-v1"],
    "series-v2": ["series-v2"],
}


def test_presets_are_in_order_of_age():
    assert list(designs) == list(RANGES)
    assert len(designs) == 20


@pytest.mark.parametrize(
    ("version", "name"),
    [(version, name) for name, versions in RANGES.items() for version in versions],
)
def test_any_version_in_a_range_finds_its_design(version, name):
    assert designs[version] is designs[name] is find(version)
    assert version in designs
    assert designs[version].name == name


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("4.3", "4.4"),
        ("3.10", "4.4"),
        ("4.21", "4.20 or 5.3"),
        ("5.20", "5.9 or 6.0"),
        ("6.13", "6.12"),
        ("7.1-rc1", "6.12"),
    ],
)
def test_a_kernel_without_a_design_names_the_nearest(name, nearest):
    assert name not in designs
    assert designs.get(name) is None
    with pytest.raises(InputError) as refusal:
        find(name)
    assert str(refusal.value) == (
        f"design: '{name}' is not known; expected {nearest} (nearest)"
    )


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("3.10.0-1160.el7", "4.4"), ("6.18.0-4-generic", "6.12")],
)
def test_a_vendors_kernel_without_a_design_says_that_it_carries_backports(
    name, nearest
):
    with pytest.raises(InputError) as refusal:
        find(name)
    assert str(refusal.value) == (
        f"design: '{name}' is not known; expected {nearest} "
        "(nearest; a vendor's kernel carries backports)"
    )


def test_a_range_may_begin_and_end_inside_a_stable_series():
    early = designs["4.9"].replace(name="early", kernels=("4.9", "4.9.9"))
    late = designs["4.9"].replace(name="late", kernels=("4.9.10", "4.9"))
    both = Designs((early, late))
    found = {version: both[version].name for version in VERSIONS}
    assert found == VERSIONS
    assert "4.10" not in both


VERSIONS = {
    "4.9": "early",
    "v4.9-rc1": "early",
    "4.9.3": "early",
    "4.9.9": "early",
    "4.9.10": "late",
    "4.9.76-1-lts": "late",
    "4.9.337": "late",
}


@pytest.mark.parametrize("name", ["4.1O", "four", "", "4", "-1.2", "4.11x", "4.9."])
def test_what_is_no_version_is_refused_in_one_line(name):
    assert name not in designs
    with pytest.raises(InputError) as refusal:
        find(name)
    assert str(refusal.value).startswith("design: ")
    assert "\n" not in str(refusal.value)
    with pytest.raises(KeyError):
        designs[name]


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(InputError, match=r"design: 4\.1 is no name; expected text"):
        find(4.10)  # type: ignore[arg-type]


def test_an_unknown_name_names_its_neighbours():
    with pytest.raises(KeyError, match=r"expected 4\.4 \(nearest\)"):
        designs["3.2"]
    with pytest.raises(InputError, match=r"'nope' is not known; expected one of"):
        find("nope")
    with pytest.raises(InputError, match=r"expected 4\.11, which is v3"):
        find("series-v3")


def test_what_is_no_text_is_no_design():
    assert 4.9 not in designs
    assert None not in designs


def test_the_mistyped_name_of_a_preset_names_it():
    with pytest.raises(InputError, match=r"expected .*4\.10.* \(nearest\)$"):
        find("4.1O")


def test_ranges_follow_one_another_without_overlap():
    def number(version: str) -> tuple[int, ...]:
        return tuple(map(int, version.split(".")))

    released = [design for design in designs.values() if design.kernels]
    ends = [tuple(map(number, design.kernels)) for design in released]
    for (first, last), (following, _) in itertools.pairwise(ends):
        assert first <= last < following


@pytest.mark.parametrize("name", designs)
def test_a_design_says_what_it_is_and_where_that_is_from(name):
    design = designs[name]
    assert design.title
    assert design.sources
    for source in design.sources:
        assert re.match(SOURCE, source), source


@pytest.mark.parametrize("name", designs)
def test_a_design_tells_its_own_story(name):
    texts = [design.text for design in designs.values()]
    assert texts.count(designs[name].text) == 1
    assert designs[name].text.endswith(".")


@pytest.mark.parametrize("knob", KNOBS)
def test_every_value_of_a_knob_is_explained_with_its_source(knob):
    hint = typing.get_type_hints(Design)[knob]
    values = typing.get_args(hint) or {bool: (False, True), int: (0, 1)}[hint]
    assert set(KNOBS[knob]) == set(values)
    for mechanism in KNOBS[knob].values():
        assert mechanism.text
        assert re.match(SOURCE, mechanism.source), mechanism.source
    assert list(KNOBS) == list(designs["4.10"].knobs)


def test_a_design_explains_its_mechanisms():
    mechanisms = designs["4.10"].mechanisms
    assert mechanisms["deactivation"].source.startswith("89e364db71fb")
    assert list(mechanisms) == list(designs["4.10"].knobs)


def knobs(name: str, *names: str) -> tuple[object, ...]:
    return tuple(designs[name].knobs[knob] for knob in names)


# The table of knobs that separate the generations, a row a knob: what each has from a
# preset on, until the next that is named.
KNOB_ROWS = {
    "accounting": {"4.4": "opt-in", "4.6": "always", "5.9": "objects"},
    "child_caches": {"4.4": True, "5.9": False},
    "root_list": {"4.4": False, "4.11": True, "5.9": False},
    "memcg_list": {"4.4": False, "4.11": True, "5.9": False},
    "slab_caches": {"4.4": "all"},
    "deactivation": {
        "4.4": "ipi",
        "4.7": "gp-per-cache",
        "4.10": "gp-per-memcg",
        "4.11": "rcu-per-cache",
        "5.9": "none",
    },
    "deactivate_queue": {"4.4": "none", "4.11": "per-cpu-1", "5.9": "none"},
    "reparenting": {"4.4": False, "5.3": True, "5.9": False},
    "typesafe_free": {
        "4.4": "barrier-batch",
        "4.11": "barrier-async",
        "6.12": "barrier-per-cache",
    },
    "root_destroy": {
        "4.4": "at-once",
        "4.18": "flush-first",
        "5.5": "flush-twice",
        "5.8": "flush-at-zero",
        "5.9": "at-once",
        "6.12": "unlink-first",
    },
    "busy_children": {"4.4": "parked"},
    "create_queue": {
        "4.4": "system",
        "4.10": "ordered",
        "4.11": "per-cpu-1",
        "5.9": "none",
    },
    "create_waits": {"4.4": False, "4.7": True, "4.8.15": False},
    "child_sysfs": {"4.4": True, "4.11": False},
    "sysfs_removal": {
        "4.4": "release",
        "4.11": "deactivation",
        "4.12": "work-leaks",
        "4.12.10": "work",
        "4.18": "shutdown",
        "6.0": "unlocked",
    },
    "memcg_name": {"4.4": "id", "4.7": "serial", "5.9": "none"},
    "memcg_ids": {"4.4": "css-id", "4.7": "own"},
    "barrier_marker": {"4.4": "queued", "4.13": "entrained"},
    "join_waits": {"4.4": True, "4.9": False},
    "fqs_late_tick": {"4.4": 0, "4.7": 1},
    "seq_file": {"4.4": "A", "4.20": "B", "5.3": "C", "6.0": "D"},
}


@pytest.mark.parametrize("knob", KNOB_ROWS)
def test_a_knob_is_as_the_table_of_generations_has_it(knob):
    assert set(KNOB_ROWS) == set(designs["4.10"].knobs)
    value = None
    for name, design in designs.items():
        if design.kernels:
            value = KNOB_ROWS[knob].get(name, value)
            assert design.knobs[knob] == value, name


KNOWN_FAULTS = {
    "4.4": {"work-on-destroyed-cache", "gp-under-cgroup_mutex"},
    "4.6": {"work-on-destroyed-cache", "gp-under-cgroup_mutex"},
    "4.7": {"work-on-destroyed-cache", "gp-under-slab_mutex", "gp-under-cgroup_mutex"},
    "4.8.15": {
        "work-on-destroyed-cache",
        "gp-under-slab_mutex",
        "gp-under-cgroup_mutex",
    },
    "4.9": {"work-on-destroyed-cache", "gp-under-slab_mutex", "gp-under-cgroup_mutex"},
    "4.10": {"work-on-destroyed-cache", "gp-under-cgroup_mutex"},
    "4.11": {"work-on-destroyed-cache", "kobject-under-slab_mutex"},
    "4.12": {"work-on-destroyed-cache", "cache-leaked"},
    "4.12.10": {"work-on-destroyed-cache"},
    "4.13": {"work-on-destroyed-cache"},
    "4.18": {"kobject-under-slab_mutex", "alias-marked-dying"},
    "4.20": {
        "kobject-under-slab_mutex",
        "alias-marked-dying",
        "seq_file-record-repeated",
    },
    "5.3": {
        "work-on-destroyed-cache",
        "kobject-under-slab_mutex",
        "alias-marked-dying",
    },
    "5.5": {"kobject-under-slab_mutex", "alias-marked-dying"},
    "5.8": {"kobject-under-slab_mutex"},
    "5.9": {"kobject-under-slab_mutex"},
    "6.0": set(),
    "6.12": set(),
    "series-v1": {
        "work-on-destroyed-cache",
        "kobject-under-slab_mutex",
        "cache-use-after-free",
        "busy-child-unusable",
        "children-missed-at-hotplug",
    },
    "series-v2": {
        "work-on-destroyed-cache",
        "kobject-under-slab_mutex",
        "cache-use-after-free",
    },
}


@pytest.mark.parametrize("name", designs)
def test_the_known_faults_of_a_design(name):
    assert set(designs[name].findings) == KNOWN_FAULTS[name]


def test_two_steps_not_one_led_from_4_9_to_4_11():
    def turned(old: str, new: str) -> set[str]:
        before, after = designs[old].knobs, designs[new].knobs
        return {knob for knob in before if before[knob] != after[knob]}

    assert turned("4.9", "4.10") == {"deactivation", "create_queue"}
    assert {"root_list", "memcg_list", "deactivation", "typesafe_free"} < turned(
        "4.10", "4.11"
    )
    assert turned("4.7", "4.9") == {"create_waits", "join_waits"}


def test_a_design_is_frozen_and_turned_by_replace():
    design = designs["4.9"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        design.child_sysfs = False  # type: ignore[misc]
    turned = design.replace(child_sysfs=False)
    assert isinstance(turned, Design)
    assert (design.child_sysfs, turned.child_sysfs) == (True, False)
    assert turned.knobs == {**design.knobs, "child_sysfs": False}
    with pytest.raises(TypeError, match=r"no knob of that name; expected deactivation"):
        design.replace(deactivations="ipi")


@pytest.mark.parametrize(
    ("knob", "value", "said"),
    [
        ("deactivation", "x", "'x'; expected 'ipi' or 'gp-per-cache' or "),
        ("root_list", 3, "3; expected False or True"),
        ("root_list", 1, "1; expected False or True"),
        ("typesafe_free", [], "[]; expected 'barrier-batch' or "),
        ("fqs_late_tick", -1, "-1; expected a whole number from 0"),
    ],
)
def test_a_knob_is_turned_to_a_value_that_it_has(knob, value, said):
    with pytest.raises(InputError, match=re.escape(f"design.{knob}: {said}")):
        designs["4.9"].replace(**{knob: value})


def test_a_design_is_a_value():
    assert designs["4.9"] == designs["4.9"].replace()
    assert hash(designs["4.9"]) == hash(designs["4.9"].replace())
    assert designs["4.7"] != designs["4.9"]


# --- what led from one to another ---


def test_the_way_from_one_kernel_to_another_passes_those_between():
    way = steps(designs["4.6"], designs["4.11"])
    assert [(s.before.name, s.after.name) for s in way] == [
        ("4.6", "4.7"),
        ("4.7", "4.8.15"),
        ("4.8.15", "4.9"),
        ("4.9", "4.10"),
        ("4.10", "4.11"),
    ]
    assert way[-1].patches == designs["4.11"].patches
    assert way[-1].by("sysfs_removal") == (
        "separate-sysfs-release",
        "early-sysfs-removal",
    )
    back = steps(designs["4.11"], designs["4.6"])
    assert [s.after.name for s in back] == ["4.10", "4.9", "4.8.15", "4.7", "4.6"]
    assert back[0].undone == designs["4.11"].patches


@pytest.mark.parametrize(
    ("old", "new"), [*itertools.permutations([*designs, "4.10+async-deactivation"], 2)]
)
def test_the_steps_add_up_to_what_differs(old, new):
    values = dict(find(old).knobs)
    for step in steps(find(old), find(new)):
        for knob, (before, after) in step.changes.items():
            assert values[knob] == before
            values[knob] = after
    assert values == find(new).knobs


def test_patches_are_the_last_step():
    way = steps(designs["4.9"], find("4.10+per-memcg-list"))
    assert [s.after.name for s in way] == ["4.10", "4.10+per-memcg-list"]
    assert way[-1].changes == {"memcg_list": (False, True)}
    assert steps(designs["4.9"], designs["4.9"]) == ()


def test_a_knob_that_goes_back_is_not_turned_by_the_patch_of_before():
    (step,) = steps(designs["5.8"], designs["5.9"])
    assert step.changes["root_list"] == (True, False)
    assert step.by("root_list") == ()

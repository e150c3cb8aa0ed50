"""The series as patches: what each turns, what it builds on, any subset as a design."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slabcore import series
from slabcore.designs import Design, designs, find
from slabcore.errors import InputError
from slabcore.kernel import FINDINGS, Kernel, ms
from slabcore.machine import Machine

NAMES = [patch.name for patch in series.PATCHES]
V3 = [patch.name for patch in series.version("v3")]


def turned(old: Design, new: Design) -> dict[str, tuple[Any, Any]]:
    before, after = old.knobs, new.knobs
    return {k: (before[k], after[k]) for k in before if before[k] != after[k]}


# --- the patches as data ---


@pytest.mark.parametrize("name", series.VERSIONS)
def test_each_version_has_its_patches_in_order_from_one(name):
    numbers = [patch.positions[name] for patch in series.version(name)]
    assert numbers == list(range(1, series.VERSIONS[name][2] + 1))


def test_the_versions_differ_as_the_postings_say():
    v1, v2, v3 = ([p.name for p in series.version(v)] for v in ("v1", "v2", "v3"))
    assert set(v1) - set(v2) == {"simplify-shutdown", "root-only-slab-caches"}
    assert set(v2) - set(v1) == {"slab-root-caches"}
    assert set(v2) - set(v3) == {"call-rcu-release"}
    assert set(v3) - set(v2) == {
        "separate-sysfs-release",
        "async-rcu-barrier",
        "limited-workqueue",
    }


def test_a_posting_is_a_message_id():
    barrier = series.patch("async-rcu-barrier")
    assert barrier.posting("v3") == "20170117235411.9408-4-tj@kernel.org"
    assert series.patch("call-rcu-release").posting("v1").startswith("20170114055449")


@pytest.mark.parametrize("patch", series.PATCHES, ids=NAMES)
def test_a_patch_says_what_it_does_and_where_that_is_from(patch):
    assert patch.title
    assert patch.text.endswith(".")
    for source in patch.sources:
        known = r"[0-9a-f]{12}: |\d{14}\.\w+(@[\w.]+)?: |mm/\w+\.[ch]\b"
        assert re.match(known, source), source
    assert set(patch.changes) <= set(designs["4.10"].knobs)
    assert set(patch.depends_on) < set(NAMES)
    assert patch.changes or "Turns no knob." in patch.text
    data = patch.to_dict()
    assert data["name"] == patch.name
    assert set(data["postings"]) == set(patch.positions)


@pytest.mark.parametrize("patch", series.PATCHES, ids=NAMES)
def test_a_patch_builds_on_those_before_it(patch):
    for name in ("v1", "v2", "v3"):
        present = [p.name for p in series.version(name)]
        if name in patch.positions:
            before = present[: present.index(patch.name)]
            assert series.needed(patch.name, before) == ()


def test_unknown_patches_and_series_name_their_neighbours():
    with pytest.raises(InputError, match=r"expected async-deactivation"):
        series.patch("async-deactivaton")
    with pytest.raises(InputError, match=r"'v4' is not known; expected v1 or v2 or v3"):
        series.version("v4")


# --- the whole ---


def test_4_11_is_4_10_with_v3_and_optional_directories():
    whole = designs["4.10"].with_(*V3, "optional-child-sysfs")
    assert whole.knobs == designs["4.11"].knobs
    assert whole.patches == designs["4.11"].patches
    assert designs["4.11"].without(*designs["4.11"].patches).knobs == (
        designs["4.10"].knobs
    )


@pytest.mark.parametrize("name", ["v1", "v2", "v3"])
def test_patches_apply_in_any_order(name):
    patches = [patch.name for patch in series.version(name)]
    whole = designs["4.10"].with_(*patches)
    assert list(whole.patches) == patches
    for chosen in (reversed(patches), sorted(patches)):
        design = designs["4.10"]
        for patch in chosen:
            design = design.with_(patch)
        assert (design.knobs, design.patches) == (whole.knobs, whole.patches)


@pytest.mark.parametrize(
    "taken", [*itertools.combinations(V3, 2)], ids=lambda taken: "+".join(taken)
)
def test_what_is_taken_out_can_be_put_in_again(taken):
    whole = designs["4.10"].with_(*V3)
    less = whole.without(*taken)
    assert not set(taken) & set(less.patches)
    assert less.with_(*V3).knobs == whole.knobs
    assert less.knobs == designs["4.10"].with_(*less.patches).knobs


@pytest.mark.parametrize("name", ["4.12", "4.14", "4.19", "5.2"])
def test_later_kernels_can_do_without_what_they_still_have(name):
    less = find(name).without("async-rcu-barrier", "per-memcg-list")
    assert turned(find(name), less) == {
        "typesafe_free": ("barrier-async", "barrier-batch"),
        "memcg_list": (True, False),
    }
    waits = find(name).without("async-deactivation")
    assert turned(find(name), waits) == {
        "deactivation": ("rcu-per-cache", "gp-per-cache"),
        "deactivate_queue": ("per-cpu-1", "none"),
    }
    assert turned(waits, waits.with_("async-deactivation")) == {
        "deactivation": ("gp-per-cache", "rcu-per-cache"),
        "deactivate_queue": ("none", "per-cpu-1"),
    }
    with pytest.raises(InputError, match="sysfs_removal has gone on to"):
        find(name).without("early-sysfs-removal")


@pytest.mark.parametrize("name", ["5.3", "5.7", "5.8"])
def test_caches_that_move_cannot_do_without_what_moves_them(name):
    for patch in ("per-memcg-list", "async-deactivation"):
        with pytest.raises(InputError, match=f"by what {patch} brought"):
            find(name).without(patch)
    less = find(name).without("slab-root-caches", "limited-workqueue")
    assert turned(find(name), less) == {
        "root_list": (True, False),
        "create_queue": ("per-cpu-1", "ordered"),
        "deactivate_queue": ("per-cpu-1", "system"),
    }


def test_what_a_later_kernel_has_gone_on_from_cannot_be_taken_out():
    later = designs["4.11"].replace(name="later", sysfs_removal="shutdown")
    with pytest.raises(InputError) as refusal:
        later.without("early-sysfs-removal")
    assert str(refusal.value) == (
        "later: sysfs_removal has gone on to 'shutdown' since early-sysfs-removal; "
        "expected another patch, or an older kernel"
    )
    assert "slab-root-caches" not in later.without("slab-root-caches").patches


# --- one patch ---


@pytest.mark.parametrize("name", NAMES)
def test_a_patch_alone_turns_its_knobs_and_those_of_what_it_builds_on(name):
    design = designs["4.10"].with_(name)
    along = series.needed(name, ())
    assert design.patches == series.in_order([*along, name])
    expected = {
        knob: series.turn(knob, designs["4.10"].knobs[knob], design.patches)
        for patch in design.patches
        for knob in series.patch(patch).changes
    }
    assert design.knobs == designs["4.10"].knobs | expected
    if not series.patch(name).changes:
        assert not set(expected) - {"deactivation"}


def test_a_patch_brings_what_it_builds_on():
    design = designs["4.10"].with_("async-deactivation")
    assert design.patches == (
        "revert-per-memcg-gp",
        "deactivate-hook",
        "async-deactivation",
    )
    assert turned(designs["4.10"], design) == {
        "deactivation": ("gp-per-memcg", "rcu-per-cache"),
        "deactivate_queue": ("none", "system"),
    }
    assert "revert-per-memcg-gp" not in find("4.9+async-deactivation").patches


def test_what_builds_on_a_patch_goes_with_it():
    whole = designs["4.10"].with_(*V3)
    without = whole.without("revert-per-memcg-gp")
    assert without.deactivation == "gp-per-memcg"
    assert set(whole.patches) - set(without.patches) == {
        "revert-per-memcg-gp",
        "deactivate-hook",
        "async-deactivation",
        "early-sysfs-removal",
    }
    # The series without its asynchronous step is 4.9's wait again.
    assert whole.without("async-deactivation").deactivation == "gp-per-cache"


def test_a_queue_for_deactivation_needs_works_of_deactivation():
    alone = designs["4.10"].with_("limited-workqueue")
    assert (alone.create_queue, alone.deactivate_queue) == ("per-cpu-1", "none")
    both = alone.with_("async-deactivation")
    assert both.deactivate_queue == "per-cpu-1"
    assert both.without("limited-workqueue").deactivate_queue == "system"


def test_patches_that_do_the_same_exclude_each_other():
    with pytest.raises(InputError, match="do the same in two ways"):
        designs["4.11"].with_("call-rcu-release")
    with pytest.raises(InputError, match="do the same in two ways"):
        designs["4.10"].with_("root-only-slab-caches", "slab-root-caches")
    swapped = designs["4.11"].without("async-rcu-barrier").with_("call-rcu-release")
    assert turned(designs["4.11"], swapped) == {
        "typesafe_free": ("barrier-async", "call-rcu")
    }
    # It holds what v3 split from it.
    assert "separate-sysfs-release" not in swapped.patches
    assert swapped.without("call-rcu-release").sysfs_removal == "release"


def test_what_is_there_already_changes_nothing():
    assert designs["4.11"].with_("async-deactivation") is designs["4.11"]
    assert designs["4.9"].without("async-deactivation") is designs["4.9"]
    assert designs["4.10"].with_() is designs["4.10"]


@pytest.mark.parametrize(
    ("name", "patch", "said"),
    [
        ("4.6", "async-deactivation", "deactivation is 'ipi'; expected 'gp-per-memcg'"),
        ("5.10", "slab-root-caches", "cgroups have no caches of their own"),
    ],
)
def test_a_kernel_that_a_patch_does_not_fit_says_why(name, patch, said):
    with pytest.raises(InputError, match=re.escape(said)):
        find(name).with_(patch)


def test_caches_that_move_to_the_parent_need_its_list():
    moving = designs["4.11"].replace(name="moving", reparenting=True)
    with pytest.raises(InputError, match="what per-memcg-list brought"):
        moving.without("per-memcg-list")
    assert not moving.without("slab-root-caches").root_list


# --- names ---


@pytest.mark.parametrize(
    ("name", "found", "patches"),
    [
        ("4.10+slab-root-caches", "4.10+slab-root-caches", 2),
        ("4.10.17+per-memcg-list+slab-root-caches", None, 3),
        ("4.11~early-sysfs-removal", "4.11~early-sysfs-removal", 10),
        ("4.11-early-sysfs-removal", "4.11~early-sysfs-removal", 10),
        ("v4.9-rc3+slab-root-caches", "4.9+slab-root-caches", 2),
        ("4.11~async-rcu-barrier+call-rcu-release", None, 10),
        ("4.10.0+", "4.10", 0),
    ],
)
def test_a_name_may_put_patches_in_and_leave_them_out(name, found, patches):
    design = find(name)
    assert design == designs[name]
    assert name in designs
    assert len(design.patches) == patches
    assert found in (None, design.name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("4.10+async-deactivaton", "expected async-deactivation"),
        ("4.11-early-sysf-removal", "expected early-sysfs-removal"),
        ("4.11~none-such", "patch: 'none-such' is not known"),
        ("3.2+slab-root-caches", "design: '3.2' is not known"),
        ("4.9+limited-workqueue", "create_queue is 'system'; expected 'ordered'"),
        ("4.11+root-only-slab-caches", "do the same in two ways"),
        ("4.11+async-deactivation", "4.11: it has what async-deactivation does"),
        ("4.10~async-deactivation", "4.10: async-deactivation is not in it"),
        ("4.9~async-deactivation", "4.9: async-deactivation is not in it"),
        ("5.9~per-memcg-list", "5.9: per-memcg-list is not in it"),
        ("4.10+", "no patch follows in '4.10+'; expected 4.10+PATCH or 4.10"),
        ("4.10~", "no patch follows in '4.10~'"),
        ("4.10+async-deactivation~deactivate-hook", "async-deactivation is not in it"),
    ],
)
def test_a_mistyped_name_is_refused_in_one_line(name, said):
    assert name not in designs
    with pytest.raises(InputError, match=re.escape(said)) as refusal:
        find(name)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["4.10.0-generic", "4.9-rc3", "4.18.0-80.el8+debug"])
def test_a_vendors_suffix_is_no_patch(name):
    assert find(name).patches in ((), designs["4.11"].patches)


def test_a_patched_design_says_so():
    design = find("4.10+async-deactivation")
    assert design.title == f"{designs['4.10'].title}; with async-deactivation"
    assert any(source.startswith("01fb58bcba63") for source in design.sources)
    assert find("4.11~slab-root-caches").title.endswith("; without slab-root-caches")


# --- findings ---


def test_the_wrong_versions_are_known_by_their_faults():
    of = {
        name: designs["4.10"].with_(*(p.name for p in series.version(name))).findings
        for name in ("v1", "v2", "v3")
    }
    assert set(of["v1"]) - set(of["v3"]) == {
        "cache-use-after-free",
        "busy-child-unusable",
        "children-missed-at-hotplug",
    }
    assert set(of["v2"]) - set(of["v3"]) == {"cache-use-after-free"}


@pytest.mark.parametrize("name", designs)
def test_a_design_names_findings_that_there_are(name):
    assert set(designs[name].findings) <= set(FINDINGS)


# --- any subset runs ---


@st.composite
def subsets(draw: st.DrawFn) -> Design:
    """Draw 4.10 with some patches, of those that do the same only one."""
    chosen = draw(st.sets(st.sampled_from(NAMES)))
    for name in sorted(chosen):
        for other in series.patch(name).instead_of:
            if name in chosen:
                chosen.discard(other)
    return designs["4.10"].with_(*chosen)


def life(engine: Any, design: Design) -> Kernel:
    """Let six cgroups with typesafe and ordinary caches live and go; some stay busy."""
    kernel = Kernel(design, machine=Machine(cpus=2), engine=engine)
    for number in range(4):
        kernel.create_cache(
            f"c{number}",
            object_size=192,
            accounted=True,
            typesafe=number % 2 == 0,
            reclaimable=True,
        )
    for number in range(6):
        kernel.mkdir(f"/{number}")
        for cache in range(4):
            kernel.alloc(f"c{cache}", f"/{number}", 3)
            kernel.advance(ms(20))
            kernel.pin(f"c{cache}", f"/{number}", 2)
            kernel.free(f"c{cache}", f"/{number}", 3)
    for number in range(6):
        kernel.rmdir(f"/{number}")
    kernel.advance(ms(50))
    kernel.drop_caches()
    kernel.drain()
    kernel.validate()
    return kernel


def counted(kernel: Kernel) -> dict[str, Any]:
    counters = kernel.counters
    return counters | {"creation_delays_ns": list(counters["creation_delays_ns"])}


@given(subsets())
def test_any_subset_runs_the_same_on_both_engines(design):
    core, plain = (life(engine, design) for engine in ("core", "reference"))
    assert counted(core) == counted(plain)
    found = {finding["id"] for finding in core.counters["findings"]}
    assert found <= set(design.findings)
    assert core.counters["caches"]["live"] == 4


@given(subsets(), st.sets(st.sampled_from(NAMES)))
def test_putting_in_and_leaving_out_gives_what_the_patches_give(design, names):
    left = design.without(*names)
    assert not names & set(left.patches)
    assert left.knobs == designs["4.10"].with_(*left.patches).knobs


LATER = [name for name, design in designs.items() if design.patches]


@given(st.sampled_from(LATER), st.sets(st.sampled_from(NAMES), max_size=3))
def test_a_later_kernel_without_patches_runs_the_same_on_both_engines(name, names):
    try:
        design = designs[name].without(*names)
    except InputError:
        assume(False)
    core, plain = (life(engine, design) for engine in ("core", "reference"))
    assert counted(core) == counted(plain)
    assert {f["id"] for f in core.counters["findings"]} <= set(design.findings)

"""Tejun Heo's series of January 2017, patch by patch, as data.

Facts: the postings of v1 (20170114055449.11044-N-tj@kernel.org), v2
(20170114184834.8658-N-tj) and v3 (20170117235411.9408-N-tj), N one more than the
patch's number; what was merged was read in 4.11.0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from slabcore.errors import InputError

# difflib is imported by what uses it, as machine.py says.
__all__ = [
    "PATCHES",
    "VERSIONS",
    "Patch",
    "dependents",
    "in_order",
    "needed",
    "patch",
    "version",
]

# The postings' message-ids, up to the number; when; how many patches.
VERSIONS: Mapping[str, tuple[str, str, int]] = MappingProxyType(
    {
        "v1": ("20170114055449.11044", "14 January 2017", 9),
        "v2": ("20170114184834.8658", "14 January 2017", 8),
        "v3": ("20170117235411.9408", "17 January 2017", 10),
    }
)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Describe one patch: what it turns, what it builds on, where it was posted."""

    name: str
    title: str
    text: str
    """What it does; of a patch that turns no knob, what it makes way for."""
    sources: tuple[str, ...]
    positions: Mapping[str, int]
    """Its number in each version of the series; none if posted by itself."""
    changes: Mapping[str, tuple[Any, Any]]
    """The knobs it turns, each from what to what."""
    depends_on: Mapping[str, str]
    """The patches it cannot be applied without, each with the reason."""
    holds: tuple[str, ...] = ()
    """Patches that were split from it in a later version."""
    instead_of: tuple[str, ...] = ()
    """Patches that do the same thing in another way."""

    def __post_init__(self) -> None:
        for field in ("positions", "changes", "depends_on"):
            frozen = MappingProxyType(dict(getattr(self, field)))
            object.__setattr__(self, field, frozen)

    def posting(self, version: str) -> str:
        """Return the message-id of the patch in a version of the series."""
        return f"{VERSIONS[version][0]}-{self.positions[version] + 1}-tj@kernel.org"

    def to_dict(self) -> dict[str, Any]:
        """Return the patch as plain data."""
        return {
            "name": self.name,
            "title": self.title,
            "text": self.text,
            "sources": list(self.sources),
            "postings": {
                version: {"number": number, "message_id": self.posting(version)}
                for version, number in self.positions.items()
            },
            "knobs": {
                knob: {"before": before, "after": after}
                for knob, (before, after) in self.changes.items()
            },
            "depends_on": dict(self.depends_on),
            "instead_of": list(self.instead_of),
        }


# In the order in which they apply, whatever the version.
PATCHES = (
    Patch(
        name="revert-per-memcg-gp",
        title="take back the one grace period a cgroup",
        text="Undoes 4.10's first repair for the length of the series: a grace period "
        "for each cache, with slab_mutex held, as in 4.9. The two walks around one "
        "wait stood in the way of a step that each cache makes by itself.",
        sources=("89e364db71fb: what is reverted",),
        positions={"v1": 1, "v2": 1, "v3": 1},
        changes={"deactivation": ("gp-per-memcg", "gp-per-cache")},
        depends_on={},
    ),
    Patch(
        name="separate-sysfs-release",
        title="remove a cache's directory apart from its release",
        text="The directory goes when the cache is shut down, with slab_mutex held; "
        "the kobject is dropped when the cache is freed. Before, both came last.",
        sources=("mm/slub.c, sysfs_slab_remove() and sysfs_slab_release(), 4.11.0",),
        positions={"v3": 2},
        changes={"sysfs_removal": ("release", "shutdown")},
        depends_on={},
    ),
    Patch(
        name="call-rcu-release",
        title="free typesafe caches by call_rcu() instead of rcu_barrier()",
        text="Nobody waits any more, and it is wrong: a page-free callback that waits "
        "in another CPU's longer list may run later and look into the freed cache. "
        "Davydov and Kim objected, Heo agreed on 17 January; v3 has the barrier.",
        sources=(
            "20170114131939.GA2668@esperanza: the barrier waits for page frees",
            "20170117170215.GC28948: Heo agrees",
        ),
        positions={"v1": 2, "v2": 2},
        changes={
            "typesafe_free": ("barrier-batch", "call-rcu"),
            "sysfs_removal": ("release", "shutdown"),
        },
        depends_on={},
        holds=("separate-sysfs-release",),
        instead_of=("async-rcu-barrier",),
    ),
    Patch(
        name="async-rcu-barrier",
        title="one rcu_barrier() for all of the machine, asynchronously",
        text="Typesafe caches that are shut down are put on a list, and a work item "
        "waits in rcu_barrier() and frees what was on it. Whoever destroys waits for "
        "nothing, and many destructions share a barrier.",
        sources=("657dc2f97220: slab_caches_to_rcu_destroy and its work",),
        positions={"v3": 3},
        changes={"typesafe_free": ("barrier-batch", "barrier-async")},
        depends_on={},
        instead_of=("call-rcu-release",),
    ),
    Patch(
        name="simplify-shutdown",
        title="shut the children of a root down in a single pass",
        text="Leaves out the second look at children that hold objects, and with it "
        "what kept them usable after a destruction that failed. Davydov objected, Heo "
        "dropped it.",
        sources=(
            "20170114132722.GB2668@esperanza: Davydov objects",
            "20170114155343.GA13589: Heo drops it",
        ),
        positions={"v1": 3},
        changes={"busy_children": ("parked", "single-pass")},
        depends_on={},
    ),
    Patch(
        name="null-root-cache",
        title="tell a root by its missing root_cache; reorganise memcg_params",
        text="Turns no knob. Gives roots and children a side each of one union, where "
        "the heads and links of the new lists find room.",
        sources=("mm/slab.h, is_root_cache(), 4.11.0",),
        positions={"v1": 4, "v2": 3, "v3": 4},
        changes={},
        depends_on={},
    ),
    Patch(
        name="per-memcg-list",
        title="put the caches of a cgroup on a list of its own",
        text="Freeing a cgroup walks its own caches instead of all of the machine's.",
        sources=("bc2791f857e1: memcg->kmem_caches",),
        positions={"v1": 5, "v2": 4, "v3": 5},
        changes={"memcg_list": (False, True)},
        depends_on={
            "null-root-cache": "the link has its place in the reorganised union"
        },
    ),
    Patch(
        name="root-only-slab-caches",
        title="keep children off slab_caches",
        text="Walks for the roots no longer pass the children, and neither do those of "
        "CPU and memory hotplug, which need them. Davydov objected; v2 has a list of "
        "roots beside slab_caches instead.",
        sources=(
            "20170114133918.GE2668@esperanza: hotplug walks slab_caches",
            "20170114153908.GC32693: Heo agrees",
        ),
        positions={"v1": 6},
        changes={"slab_caches": ("all", "roots")},
        depends_on={
            "per-memcg-list": "freeing a cgroup would find no caches on slab_caches"
        },
        instead_of=("slab-root-caches",),
    ),
    Patch(
        name="slab-root-caches",
        title="put root caches on a list of their own",
        text="Taking a cgroup offline, creating a root cache and growing the arrays "
        "walk the roots instead of all caches of the machine.",
        sources=("510ded33e075: slab_root_caches",),
        positions={"v2": 5, "v3": 6},
        changes={"root_list": (False, True)},
        depends_on={
            "null-root-cache": "the link has its place in the reorganised union"
        },
        instead_of=("root-only-slab-caches",),
    ),
    Patch(
        name="deactivate-hook",
        title="let SLUB and SLAB deactivate a cache each in its own function",
        text="Turns no knob. Takes deactivation out of __kmem_cache_shrink(), so that "
        "SLUB's can become two steps with a callback between them.",
        sources=("mm/slub.c and mm/slab.c, __kmemcg_cache_deactivate(), 4.11.0",),
        positions={"v1": 7, "v2": 6, "v3": 7},
        changes={},
        depends_on={"revert-per-memcg-gp": "it takes the step of one cache apart"},
    ),
    Patch(
        name="async-deactivation",
        title="deactivate a cache by call_rcu_sched() and a work item",
        text="Taking a cgroup offline waits for no grace period: each of its caches "
        "has a callback after one, which queues a work item that shrinks the cache.",
        sources=("01fb58bcba63: call_rcu_sched() in place of synchronize_sched()",),
        positions={"v1": 8, "v2": 7, "v3": 8},
        changes={
            "deactivation": ("gp-per-cache", "rcu-per-cache"),
            "deactivate_queue": ("none", "system"),
        },
        depends_on={
            "revert-per-memcg-gp": "its wait is for one cache, not for a cgroup's",
            "deactivate-hook": "the two steps are those of the hook",
        },
    ),
    Patch(
        name="early-sysfs-removal",
        title="remove the directory of a dying cache once it is empty",
        text="The work item that shrinks a deactivated cache also removes its "
        "directory if nothing is left in it, instead of leaving it until the cgroup is "
        "freed.",
        sources=("mm/slub.c, kmemcg_cache_deact_after_rcu(), 4.11.0",),
        positions={"v1": 9, "v2": 8, "v3": 9},
        changes={"sysfs_removal": ("shutdown", "deactivation")},
        depends_on={
            "separate-sysfs-release": "a directory must be able to go before its cache",
            "async-deactivation": "its work item does it",
        },
    ),
    Patch(
        name="limited-workqueue",
        title="create and deactivate on a queue of one item at a time on each CPU",
        text="4.10's ordered queue of creations becomes one for each CPU, and the "
        "deactivation works move to it from the system's queue, where each could have "
        "had a thread of its own. Kim asked for it.",
        sources=(
            "20170117164238.GA28948: Heo agrees",
            "mm/memcontrol.c, memcg_kmem_cache_wq, 4.11.0",
        ),
        positions={"v3": 10},
        changes={
            "create_queue": ("ordered", "per-cpu-1"),
            "deactivate_queue": ("system", "per-cpu-1"),
        },
        depends_on={},
    ),
    Patch(
        name="optional-child-sysfs",
        title="give children no directory in sysfs unless asked for",
        text="Posted by itself in February 2017, merged with the series: directories "
        "of children only with slub_memcg_sysfs=1.",
        sources=("20170204145203.GB26958@mtj.duckdns.org: slub_memcg_sysfs=",),
        positions={},
        changes={"child_sysfs": (True, False)},
        depends_on={},
    ),
)
_BY_NAME: Mapping[str, Patch] = MappingProxyType({p.name: p for p in PATCHES})


def patch(name: str) -> Patch:
    """Return a patch by its name. Raises: InputError naming the nearest."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    import difflib

    near = difflib.get_close_matches(name, _BY_NAME, n=2, cutoff=0.5)
    expected = " or ".join(near) if near else "one of " + ", ".join(_BY_NAME)
    raise InputError("patch", f"{name!r} is not known", expected)


def version(name: str) -> tuple[Patch, ...]:
    """Return the patches of v1, v2 or v3 in their order. Raises: InputError."""
    if name not in VERSIONS:
        raise InputError("series", f"{name!r} is not known", " or ".join(VERSIONS))
    posted = [p for p in PATCHES if name in p.positions]
    return tuple(sorted(posted, key=lambda p: p.positions[name]))


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of patches in the order in which they apply, each once."""
    chosen = {patch(name).name for name in names}
    return tuple(name for name in _BY_NAME if name in chosen)


def needed(name: str, present: Iterable[str]) -> tuple[str, ...]:
    """Return what must come along for a patch, in order; what is present need not."""
    found = set(_held(present))
    missing: list[str] = []
    for other in patch(name).depends_on:
        if other not in found:
            missing += [*needed(other, found), other]
    return in_order(missing)


def dependents(name: str, present: Iterable[str]) -> tuple[str, ...]:
    """Return which of the patches present cannot stay without one, in order."""
    left = [other for other in present if other != name]
    lost: list[str] = []
    while found := [o for o in left if not set(patch(o).depends_on) <= _held(left)]:
        lost += found
        left = [other for other in left if other not in found]
    return in_order(lost)


def _held(names: Iterable[str]) -> set[str]:
    """Return the names, and those of the patches that they hold."""
    return {held for name in names for held in (name, *patch(name).holds)}


def turn(knob: str, value: Any, names: Iterable[str]) -> Any:
    """Return what patches make of a knob's value.

    A patch leaves a knob alone that stands where the patch puts it, or that is "none":
    what it changes is not there.
    Raises: InputError naming the patch that expects another value.
    """
    for name in in_order(names):
        if knob not in patch(name).changes:
            continue
        before, after = patch(name).changes[knob]
        if value == before:
            value = after
        elif value not in (after, "none"):
            raise InputError(name, f"{knob} is {value!r}", repr(before))
    return value

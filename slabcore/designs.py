"""The designs that Linux kernels have had for per-memcg slab caches, as data."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from slabcore import series
from slabcore.errors import InputError

__all__ = ["Design", "Designs", "designs", "find"]


@dataclasses.dataclass(frozen=True, slots=True)
class Design:
    """Describe one way to create, deactivate and destroy per-memcg slab caches.

    Every field but the first five is a knob: the engine reads nothing else.
    """

    name: str
    kernels: tuple[str, str] | tuple[()]
    """The first and the last kernel that had it; none if it was never released."""
    title: str
    sources: tuple[str, ...]
    patches: tuple[str, ...]
    """The patches of the series in it, in the order in which they apply."""

    accounting: Literal["opt-in", "always", "objects"]
    """Whose kernel memory counts: cgroups with a kmem limit, all, or by object."""
    child_caches: bool
    """A cgroup gets its own copy of each cache it allocates from."""
    root_list: bool
    """Root caches are on a list of their own (slab_root_caches)."""
    memcg_list: bool
    """The caches of a cgroup are on a list of their own (memcg->kmem_caches)."""
    slab_caches: Literal["all", "roots"]
    """Which caches are on slab_caches, the list that CPU and memory hotplug walk."""
    deactivation: Literal[
        "ipi", "gp-per-cache", "gp-per-memcg", "rcu-per-cache", "none"
    ]
    """How an offline cgroup's caches learn that their per-CPU limits are zero."""
    deactivate_queue: Literal["none", "system", "per-cpu-1"]
    """The workqueue that shrinks a deactivated cache."""
    reparenting: bool
    """A cache counts its own references and moves to the parent cgroup at offline."""
    typesafe_free: Literal[
        "barrier-batch", "barrier-async", "call-rcu", "barrier-per-cache"
    ]
    """How a typesafe-by-RCU cache outlives its page-free callbacks."""
    root_destroy: Literal[
        "at-once", "flush-first", "flush-twice", "flush-at-zero", "unlink-first"
    ]
    """What kmem_cache_destroy() waits for before it takes a root cache apart."""
    busy_children: Literal["parked", "single-pass"]
    """How the destruction of a root passes children that hold objects."""
    create_queue: Literal["system", "ordered", "per-cpu-1", "none"]
    """The workqueue that creates child caches."""
    create_waits: bool
    """With SLAB a creation waits for a grace period per node, slab_mutex held."""
    child_sysfs: bool
    """A child cache has a directory in sysfs by default."""
    sysfs_removal: Literal[
        "release", "deactivation", "work-leaks", "work", "shutdown", "unlocked"
    ]
    """When, and under which locks, a cache's directory in sysfs goes."""
    memcg_name: Literal["id", "serial", "none"]
    """The number of the cgroup in the name of a child cache."""
    memcg_ids: Literal["css-id", "own"]
    """Whose number the 65,535 ids are: held until css free, or until offline."""
    barrier_marker: Literal["queued", "entrained"]
    """rcu_barrier() queues an ordinary callback, or joins the last waiting segment."""
    join_waits: bool
    """Moving a task into a cgroup waits for a grace period (rcu_sync idle)."""
    fqs_late_tick: int
    """Ticks that the timer wheel adds to a timeout armed between two ticks."""

    @property
    def knobs(self) -> dict[str, Any]:
        """Return the fields that the engine reads, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _DESCRIBED
        }

    @property
    def findings(self) -> tuple[str, ...]:
        """Return the faults that the design is known to have, by their ids.

        A run finds those that its workload leads to, and no others.
        """
        children = self.child_caches
        faults = {
            "gp-under-slab_mutex": self.deactivation == "gp-per-cache"
            or self.create_waits,
            "gp-under-cgroup_mutex": self.deactivation.startswith("gp-per-")
            or self.join_waits,
            "kobject-under-slab_mutex": self.sysfs_removal
            in ("deactivation", "shutdown")
            or (self.sysfs_removal == "release" and self.typesafe_free != _BATCH),
            "cache-leaked": self.sysfs_removal == "work-leaks",
            "cache-use-after-free": self.typesafe_free == "call-rcu",
            "alias-marked-dying": self.root_destroy in ("flush-first", "flush-twice"),
            "busy-child-unusable": children and self.busy_children == "single-pass",
            "children-missed-at-hotplug": children and self.slab_caches == "roots",
        }
        return tuple(name for name, known in faults.items() if known)

    def replace(self, **knobs: Any) -> Design:
        """Return the design with some knobs turned."""
        return dataclasses.replace(self, **knobs)

    def with_(self, *patches: str) -> Design:
        """Return the design with patches of the series applied.

        What they build on comes along. A patch whose knobs stand where it would put
        them changes nothing.
        Raises: InputError if the design is not what a patch applies to.
        """
        asked = [
            name
            for name in series.in_order(patches)
            if name not in self.patches and not self._has(name)
        ]
        if asked and not self.child_caches:
            what = f"{asked[0]} does not apply: cgroups have no caches of their own"
            raise InputError(self.name, what, "an older kernel")
        wanted = list(self.patches)
        for name in asked:
            along = series.needed(name, wanted)
            wanted += [other for other in along if not self._has(other)]
            wanted.append(name)
        held = {other for name in wanted for other in series.patch(name).holds}
        wanted = [name for name in wanted if name not in held]
        for name in asked:
            for other in series.patch(name).instead_of:
                if other in wanted:
                    what = f"{name} and {other} do the same in two ways"
                    raise InputError(self.name, what, "one of them")
        return self._patched(series.in_order(wanted), "+", asked)

    def without(self, *patches: str) -> Design:
        """Return the design with patches of the series taken out.

        What builds on them goes too. A patch that is not there changes nothing.
        Raises: InputError if a later kernel has gone on from a patch.
        """
        asked = [name for name in series.in_order(patches) if name in self.patches]
        left = list(self.patches)
        for name in asked:
            gone = (name, *series.dependents(name, left))
            left = [other for other in left if other not in gone]
        return self._patched(tuple(left), "~", asked)

    def _has(self, name: str) -> bool:
        """Tell whether every knob of a patch stands where the patch puts it."""
        changes = series.patch(name).changes
        values = self.knobs
        return bool(changes) and all(
            values[knob] == after for knob, (_, after) in changes.items()
        )

    def _patched(self, patches: tuple[str, ...], sign: str, asked: list[str]) -> Design:
        if not asked:
            return self
        moved = set(patches) ^ set(self.patches)
        turned = {
            knob: self._turned(knob, patches)
            for name in series.in_order(moved)
            for knob in series.patch(name).changes
        }
        stays = self.knobs | turned
        if self.reparenting and not (
            stays["memcg_list"] and stays["deactivation"] == "rcu-per-cache"
        ):
            what = f"caches move to the parent cgroup by what {asked[0]} brought"
            raise InputError(self.name, what, "a kernel before 5.3")
        word = {"+": "with", "~": "without"}[sign]
        added = [name for name in patches if name not in self.patches]
        return self.replace(
            name=self.name + "".join(sign + name for name in asked),
            title=f"{self.title}; {word} {', '.join(asked)}",
            sources=(
                *self.sources,
                *(line for name in added for line in series.patch(name).sources),
            ),
            patches=patches,
            **turned,
        )

    def _turned(self, knob: str, patches: tuple[str, ...]) -> Any:
        """Return a knob's value with other patches than the design has."""
        value = self.knobs[knob]
        own = [name for name in self.patches if knob in series.patch(name).changes]
        for root in (*(series.patch(name).changes[knob][0] for name in own), value):
            try:
                before = series.turn(knob, root, own)
            except InputError:
                continue
            if before == value:
                try:
                    return series.turn(knob, root, patches)
                except InputError as error:
                    what = f"{error.where} does not apply: {error.what}"
                    raise InputError(self.name, what, error.expected) from None
        what = f"{knob} has gone on to {value!r} since {own[-1]}"
        raise InputError(self.name, what, "another patch, or an older kernel")


# The fields that describe a design; all others are knobs.
_DESCRIBED = ("name", "kernels", "title", "sources", "patches")
_BATCH = "barrier-batch"

_BASE = Design(
    name="4.6",
    kernels=("4.6", "4.6"),
    title="accounting for every cgroup; an IPI broadcast per cache at offline",
    sources=(
        "b313aeee2509: kernel memory accounting for all version 1 cgroups",
        "mm/slab_common.c, memcg_deactivate_kmem_caches() and "
        "memcg_destroy_kmem_caches(), 4.6.2: walks of slab_caches",
        "mm/slub.c, __kmem_cache_shrink(), 4.6.2: kick_all_cpus_sync() per cache",
    ),
    patches=(),
    accounting="always",
    child_caches=True,
    root_list=False,
    memcg_list=False,
    slab_caches="all",
    deactivation="ipi",
    deactivate_queue="none",
    reparenting=False,
    typesafe_free="barrier-batch",
    root_destroy="at-once",
    busy_children="parked",
    create_queue="system",
    create_waits=False,
    child_sysfs=True,
    sysfs_removal="release",
    memcg_name="id",
    memcg_ids="css-id",
    barrier_marker="queued",
    join_waits=True,
    fqs_late_tick=0,
)

_GP_PER_CACHE = _BASE.replace(
    name="4.7",
    kernels=("4.7", "4.8"),
    title="a grace period per cache, slab_mutex and cgroup_mutex held",
    sources=(
        "81ae6d03952c: synchronize_sched() in place of the IPI broadcast",
        "mm/slub.c, __kmem_cache_shrink(), 4.8.15",
        "1ed1328792ff: a percpu rwsem whose writer waits for a grace period, at attach",
    ),
    deactivation="gp-per-cache",
    create_waits=True,
    memcg_name="serial",
    memcg_ids="own",
    fqs_late_tick=1,
)

_GP_PER_MEMCG = _GP_PER_CACHE.replace(
    name="4.10",
    kernels=("4.10", "4.10"),
    title="a grace period per cgroup outside slab_mutex; creations one at a time",
    sources=(
        "89e364db71fb: one synchronize_sched() per cgroup, slab_mutex free",
        "mm/memcontrol.c, memcg_kmem_cache_create queue, 4.10: ordered",
    ),
    deactivation="gp-per-memcg",
    create_queue="ordered",
    create_waits=False,
    join_waits=False,
)

_SERIES = _GP_PER_MEMCG.replace(
    name="4.11",
    kernels=("4.11", "5.2"),
    title="the series: own lists, call_rcu per cache, one asynchronous barrier",
    sources=(
        "510ded33e075: slab_root_caches",
        "bc2791f857e1: memcg->kmem_caches",
        "01fb58bcba63: call_rcu_sched() deactivation",
        "657dc2f97220: asynchronous rcu_barrier() over slab_caches_to_rcu_destroy",
        "mm/memcontrol.c, memcg_kmem_cache queue, 4.11: one item a CPU",
    ),
    patches=series.in_order(
        [*(patch.name for patch in series.version("v3")), "optional-child-sysfs"]
    ),
    root_list=True,
    memcg_list=True,
    deactivation="rcu-per-cache",
    deactivate_queue="per-cpu-1",
    typesafe_free="barrier-async",
    create_queue="per-cpu-1",
    child_sysfs=False,
    sysfs_removal="deactivation",
)

_OBJECTS = _SERIES.replace(
    name="5.9",
    kernels=("5.9", "6.11"),
    title="accounting per object: cgroups have no caches of their own",
    sources=("mm/slab.h and mm/memcontrol.c, 5.9.1: obj_cgroup vectors",),
    patches=(),
    accounting="objects",
    child_caches=False,
    root_list=False,
    memcg_list=False,
    deactivation="none",
    deactivate_queue="none",
    create_queue="none",
    sysfs_removal="shutdown",
    memcg_name="none",
    barrier_marker="entrained",
)


class Designs(Mapping[str, Design]):
    """Hold the presets in order of age; any version inside a range finds its design.

    ``designs["4.8"]`` is the design of 4.7, ``designs["4.10+async-deactivation"]`` has
    a patch more, ``designs["4.11~early-sysfs-removal"]`` one less; iteration gives the
    presets.
    """

    def __init__(self, presets: tuple[Design, ...]) -> None:
        self._presets = {design.name: design for design in presets}

    def __getitem__(self, name: str) -> Design:
        if name in self._presets:
            return self._presets[name]
        base, steps = _split(name)
        if steps:
            try:
                return _stepped(self[base], steps)
            except InputError:
                raise KeyError(name) from None
        version = _version(name)
        if version is not None and not _mistyped(name):
            for design in self._presets.values():
                if _spans(design, version):
                    return design
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._presets)

    def __len__(self) -> int:
        return len(self._presets)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None


def _split(name: str) -> tuple[str, list[tuple[str, str]]]:
    """Return what a name begins with, and the patches put in (+) or left out (~, -)."""
    steps: list[tuple[str, str]] = []
    known = "|".join(patch.name for patch in series.PATCHES)
    while match := re.fullmatch(rf"(.+?)([-+~])({known})", name):
        name = match[1]
        steps.insert(0, (match[2], match[3]))
    return name, steps


def _stepped(design: Design, steps: list[tuple[str, str]]) -> Design:
    for sign, patch in steps:
        design = design.with_(patch) if sign == "+" else design.without(patch)
    return design


def _mistyped(name: str) -> str:
    """Return what a name ends in that was meant as a patch; nothing if it was not."""
    match = re.fullmatch(r"[\w.]+([-+~])([a-z][a-z-]+)", name)
    if match is None:
        return ""
    known = [patch.name for patch in series.PATCHES]
    meant = match[1] != "-" or difflib.get_close_matches(match[2], known, cutoff=0.8)
    return match[2] if meant else ""


def _version(name: str) -> tuple[int, int, int] | None:
    """Return the three numbers of a released kernel's version: 5.4.0-29-generic."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:\.\d+)*(?:-.*|\+)?", name)
    if match is None:
        return None
    major, minor, patch = (int(part or 0) for part in match.groups())
    last_of_3_4_and_5 = ((3, 19), (4, 20), (5, 19))
    if any(major == ended and minor > last for ended, last in last_of_3_4_and_5):
        return None
    return major, minor, patch


def _spans(design: Design, version: tuple[int, int, int]) -> bool:
    """Tell whether a version is in a design's range; "4.12" ends with all of 4.12."""
    if not design.kernels:
        return False
    first, last = (tuple(map(int, end.split("."))) for end in design.kernels)
    return first <= version and version[: len(last)] <= last


def _is_a_vendors(name: str) -> bool:
    """Tell whether a version names a vendor's build: 3.10.0-1160.el7, no -rc."""
    return re.fullmatch(r"v?[\d.]+-(?!rc\d).*", name) is not None


designs = Designs(
    (
        _BASE.replace(
            name="4.4",
            kernels=("4.4", "4.5"),
            title="as 4.6, but only cgroups with a kernel memory limit are accounted",
            sources=("mm/memcontrol.c, memcg_activate_kmem(), 4.4.11",),
            accounting="opt-in",
        ),
        _BASE,
        _GP_PER_CACHE,
        _GP_PER_CACHE.replace(
            name="4.9",
            kernels=("4.9", "4.9"),
            title="as 4.7; joining a cgroup no longer waits",
            sources=(
                *_GP_PER_CACHE.sources[:2],
                "3942a9bd7b58: cgroup_threadgroup_rwsem kept in its slow mode",
            ),
            create_waits=False,
            join_waits=False,
        ),
        _GP_PER_MEMCG,
        _SERIES,
        _OBJECTS,
    )
)


def find(name: str) -> Design:
    """Return the design of a preset or kernel version, with patches or without.

    Raises: InputError naming the nearest presets or patches.
    """
    base, steps = _split(name)
    if steps:
        return _stepped(find(base), steps)
    if mistyped := _mistyped(name):
        series.patch(mistyped)
    try:
        return designs[name]
    except KeyError:
        pass
    version = _version(name)
    known = list(designs)
    note = "nearest"
    if version is None:
        near = difflib.get_close_matches(name, known, n=2, cutoff=0.4) or known
    else:
        ages = {d: _version(first) for d in known for first in designs[d].kernels[:1]}
        older = [d for d, age in ages.items() if age is not None and age < version]
        newer = [d for d, age in ages.items() if age is not None and age > version]
        near = older[-1:] + newer[:1]
        if _is_a_vendors(name):
            note += "; a vendor's kernel carries backports"
    expected = f"{' or '.join(near)} ({note})"
    raise InputError("design", f"{name!r} is not known", expected)

"""The designs that Linux kernels have had for per-memcg slab caches, as data."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from slabcore import series
from slabcore.errors import InputError
from slabcore.mechanisms import KNOBS, Mechanism, mechanism

# difflib is imported by what uses it, as machine.py says.
__all__ = ["Design", "Designs", "Step", "designs", "find", "is_a_vendors", "steps"]


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Design:
    """Describe one way to create, deactivate and destroy per-memcg slab caches.

    Every field but the first six is a knob: the engine reads nothing else.
    ``slabcore.designs`` has those of the kernels; ``with_`` and ``without`` put a patch
    of the series in and take one out.

    >>> from slabcore import designs
    >>> before = designs["4.10"]
    >>> before.memcg_list, before.with_("per-memcg-list").memcg_list
    (False, True)
    """

    name: str
    kernels: tuple[str, str] | tuple[()]
    """The first and the last kernel that had it; none if it was never released."""
    title: str
    text: str
    """What it does, and what came of it."""
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
    seq_file: Literal["A", "B", "C", "D"]
    """How a read() of /proc/slabinfo goes on where the one before it ended."""

    @property
    def knobs(self) -> dict[str, Any]:
        """Return the fields that the engine reads, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _DESCRIBED
        }

    @property
    def mechanisms(self) -> dict[str, Mechanism]:
        """Return what the value of each knob stands for, with its source."""
        return {knob: mechanism(knob, value) for knob, value in self.knobs.items()}

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
            or (
                self.sysfs_removal == "release"
                and self.typesafe_free not in (_BATCH, "barrier-per-cache")
            ),
            "cache-leaked": self.sysfs_removal == "work-leaks",
            "cache-use-after-free": self.typesafe_free == "call-rcu",
            "alias-marked-dying": self.root_destroy in ("flush-first", "flush-twice"),
            "work-on-destroyed-cache": children
            and (
                self.root_destroy in ("at-once", "unlink-first")
                or (self.reparenting and self.root_destroy == "flush-first")
            ),
            "busy-child-unusable": children and self.busy_children == "single-pass",
            "children-missed-at-hotplug": children and self.slab_caches == "roots",
            "seq_file-record-repeated": self.seq_file == "B",
        }
        return tuple(name for name, known in faults.items() if known)

    def __repr__(self) -> str:
        return f"Design({self.name!r}: {self.title})"

    def replace(self, **knobs: Any) -> Design:
        """Return the design with some knobs turned.

        The fields that describe it may be named too.
        Raises: InputError naming the values that a knob has; TypeError naming the
        nearest knobs.
        """
        for knob, value in knobs.items():
            if knob in KNOBS:
                _check(knob, value)
            elif knob not in _DESCRIBED:
                import difflib

                near = difflib.get_close_matches(knob, KNOBS, n=3) or list(KNOBS)
                expected = (
                    f"there is no knob of that name; expected {' or '.join(near)}"
                )
                raise TypeError(f"design.{knob}: {expected}")
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

        What builds on them goes too, but for what a later kernel has gone on from. A
        patch that is not there changes nothing.
        Raises: InputError if a later kernel has gone on from one of them.
        """
        asked = [name for name in series.in_order(patches) if name in self.patches]
        left = list(self.patches)
        for name in asked:
            along = series.dependents(name, left)
            gone = (name, *(other for other in along if not self._gone_on(other)))
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
        origin = self._origin(knob)
        if origin is None:
            by = [name for name in self.patches if knob in series.patch(name).changes]
            what = f"{knob} has gone on to {self.knobs[knob]!r} since {by[-1]}"
            raise InputError(self.name, what, "another patch, or an older kernel")
        try:
            return series.turn(knob, origin, patches)
        except InputError as error:
            what = f"{error.where} does not apply: {error.what}"
            raise InputError(self.name, what, error.expected) from None

    def _origin(self, knob: str) -> Any:
        """Return what the patches found a knob at; None if a later change hides it."""
        value = self.knobs[knob]
        own = [name for name in self.patches if knob in series.patch(name).changes]
        for origin in (*(series.patch(name).changes[knob][0] for name in own), value):
            with contextlib.suppress(InputError):
                if series.turn(knob, origin, own) == value:
                    return origin
        return None

    def _gone_on(self, name: str) -> bool:
        """Tell whether a later change hides what a patch did."""
        return any(self._origin(knob) is None for knob in series.patch(name).changes)


# The fields that describe a design; all others are knobs.
_DESCRIBED = ("name", "kernels", "title", "text", "sources", "patches")
_BATCH = "barrier-batch"


def _check(knob: str, value: Any) -> None:
    """Refuse what is no value of a knob; 1 and True are not the same."""
    values = list(KNOBS[knob])
    if any(type(value) is type(known) and value == known for known in values):
        return
    if type(values[0]) is int:
        if type(value) is int and value >= 0:
            return
        expected = "a whole number from 0"
    else:
        expected = " or ".join(repr(known) for known in values)
    raise InputError(f"design.{knob}", f"{value!r}", expected)


_MERGED = series.in_order(
    [*(patch.name for patch in series.version("v3")), "optional-child-sysfs"]
)

_G1 = Design(
    name="4.6",
    kernels=("4.6", "4.6"),
    title="accounting for every cgroup; an IPI broadcast per cache at offline",
    text="As 4.4, with accounting for every cgroup of version 1. Bug 190841's loop "
    "went from 13 s to 25 s here; that is not one of these mechanisms, and its "
    "workload takes those 4 ms a cgroup as an input.",
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
    seq_file="A",
)

_G0 = _G1.replace(
    name="4.4",
    kernels=("4.4", "4.5"),
    title="as 4.6, but only cgroups with a kernel memory limit are accounted",
    text="Every cache, root or child, is on one list, slab_caches. A work item of "
    "the system's queue makes a child after an allocation has missed it. When a"
    " cgroup goes offline the whole list is walked and each of its children is "
    "told to keep no empty slab, with an interrupt to all CPUs that makes it "
    "seen. When the cgroup is freed the list is walked again, its children are "
    "shut down, and if one of them is typesafe a single rcu_barrier() is waited"
    " for before they are freed. Only a cgroup with a kernel memory limit has "
    "children, so hardly anybody saw any of this.",
    sources=("mm/memcontrol.c, memcg_activate_kmem(), 4.4.11",),
    accounting="opt-in",
)

_G2 = _G1.replace(
    name="4.7",
    kernels=("4.7", "4.8.14"),
    title="a grace period per cache, slab_mutex and cgroup_mutex held",
    text="The regression. To spare large machines the interrupts, each child is "
    "followed by synchronize_sched(), with slab_mutex, cgroup_mutex and the "
    "hotplug locks held. A cgroup with 19 caches holds them for a third of a "
    "second, and meanwhile nobody makes a cache, makes or removes a cgroup, or "
    "reads slabinfo. Each allocation that misses adds a creation that blocks on"
    " slab_mutex; the system's queue lets 256 a CPU block, each in a thread of "
    "its own, and each thread counts in the load average: the two thousand "
    "kworkers of bugs 172981 and 172991. With one CPU the wait is nothing. SLAB"
    " got a wait of the same kind in every creation (4.8.15 no longer has it), "
    "and moving a task into a cgroup waits as well.",
    sources=(
        "81ae6d03952c: synchronize_sched() in place of the IPI broadcast",
        "801faf0db894: SLAB waits for a grace period where it sets a cache up",
        "mm/slub.c, __kmem_cache_shrink(), 4.8.15",
        "1ed1328792ff: a percpu rwsem whose writer waits for a grace period, at attach",
        "73f576c04b94: ids of the memory controller's own",
    ),
    deactivation="gp-per-cache",
    create_waits=True,
    memcg_name="serial",
    memcg_ids="own",
    fqs_late_tick=1,
)

_G2_SLAB = _G2.replace(
    name="4.8.15",
    kernels=("4.8.15", "4.8.99"),
    title="as 4.7; SLAB creates without waiting",
    text="The stable 4.8.15 has SLAB's repair: a creation waits only where an older "
    "shared array is to be replaced, which a new cache does not have. With SLUB it "
    "is 4.7.",
    sources=(
        "mm/slab.c, 4.8.15: the repair is in this stable release",
        "1475734855-4837-1-git-send-email-iamjoonsoo.kim@lge.com: SLAB's repair",
    ),
    create_waits=False,
)

_G2_LATE = _G2.replace(
    name="4.9",
    kernels=("4.9", "4.9"),
    title="as 4.7; joining a cgroup no longer waits",
    text="The regression still, but moving a task into a cgroup waits for nothing, "
    "and neither does SLAB when it creates. A 4.9.76 tree has the two repairs "
    "of 4.10 as well; the design is that of 4.9.0.",
    sources=(
        "81ae6d03952c: synchronize_sched() in place of the IPI broadcast",
        "mm/slub.c, __kmem_cache_shrink(), 4.9.0",
        "3942a9bd7b58: cgroup_threadgroup_rwsem kept in its slow mode",
        "1475734855-4837-1-git-send-email-iamjoonsoo.kim@lge.com: SLAB's repair",
    ),
    create_waits=False,
    join_waits=False,
)

_G3 = _G2_LATE.replace(
    name="4.10",
    kernels=("4.10", "4.10"),
    title="a grace period per cgroup outside slab_mutex; creations one at a time",
    text="Davydov's two repairs of October 2016. At offline all children are told "
    "first, under slab_mutex; then one synchronize_sched() is waited for, "
    "slab_mutex free but cgroup_mutex held; then all are shrunk, in one walk of"
    " the whole list more. And creations moved to an ordered queue, one at a "
    "time on the machine: they wait in a queue instead of each in a thread. "
    "Smythies tested it, and the kworkers were gone. The reviewer's doubt in "
    "2017 was about just this: a short list of kworkers does not say how long "
    "creations wait.",
    sources=(
        "89e364db71fb: one synchronize_sched() per cgroup, slab_mutex free",
        "mm/memcontrol.c, memcg_kmem_cache_create queue, 4.10: ordered",
    ),
    deactivation="gp-per-memcg",
    create_queue="ordered",
)

_G4 = _G3.replace(
    name="4.11",
    kernels=("4.11", "4.11"),
    title="the series: own lists, call_rcu per cache, one asynchronous barrier",
    text="Heo's third version of January 2017 (20170117235411.9408-1-tj@kernel.org)."
    " Root caches and the caches of each cgroup got lists of their own, so "
    "neither offline nor free walks all caches. Deactivation is a callback for "
    "each cache and a work item after it: nobody waits. Typesafe caches that "
    "are shut down are put on a list, and one work item for all of the machine "
    "waits in rcu_barrier() and frees them. Creations and deactivations run one"
    " at a time on each CPU. Children have no directories in sysfs unless asked"
    " for, and then those go early, with slab_mutex held: a reader of one that "
    "wants slab_mutex and the removal wait for each other.",
    sources=(
        "510ded33e075: slab_root_caches",
        "bc2791f857e1: memcg->kmem_caches",
        "01fb58bcba63: call_rcu_sched() deactivation",
        "657dc2f97220: asynchronous rcu_barrier() over slab_caches_to_rcu_destroy",
        "mm/memcontrol.c, memcg_kmem_cache queue, 4.11: one item a CPU",
    ),
    patches=_MERGED,
    root_list=True,
    memcg_list=True,
    deactivation="rcu-per-cache",
    deactivate_queue="per-cpu-1",
    typesafe_free="barrier-async",
    create_queue="per-cpu-1",
    child_sysfs=False,
    sysfs_removal="deactivation",
)

_G4B = _G4.replace(
    name="4.12",
    kernels=("4.12", "4.12.9"),
    title="directories go in a work item, which leaks caches without one",
    text="The removal of a directory moved to a work item, out of slab_mutex. It "
    "takes a reference to the cache first, and does not drop it if the cache "
    "has no directory: as children have none by default, every child that was "
    "ever deactivated stays in memory.",
    sources=(
        "3b7b314053d0: asynchronous removal of sysfs files",
        "mm/slub.c, sysfs_slab_remove_workfn(), 4.12.0",
    ),
    sysfs_removal="work-leaks",
)

_G4B_FIXED = _G4B.replace(
    name="4.12.10",
    kernels=("4.12.10", "4.12.99"),
    title="as 4.12, without the leak",
    text="The stable series got the repair of the leak: the work item drops its "
    "reference in any case.",
    sources=("20170812181134.25027: Davydov finds the leak",),
    sysfs_removal="work",
)

_G4C = _G4B_FIXED.replace(
    name="4.13",
    kernels=("4.13", "4.17"),
    title="rcu_barrier() joins the callbacks that wait already",
    text="No leak, and a cheaper barrier: its marker joins the last callbacks that "
    "wait on a CPU instead of queueing behind them for a grace period that "
    "begins later.",
    sources=(
        "kernel/rcu/tree.c, rcu_barrier_func(), 4.13",
        "mm/slub.c, sysfs_slab_remove_workfn(), 4.13.4",
    ),
    barrier_marker="entrained",
)

_G4D = _G4C.replace(
    name="4.18",
    kernels=("4.18", "4.19"),
    title="directories go at shutdown again; destruction of a root waits first",
    text="A cache that was deleted and made again under the same name failed, as the"
    " directory was still there; so it goes at shutdown, with slab_mutex held, "
    "and the early removal of the series is undone without a word. Destroying a"
    " root marks it dying, waits in rcu_barrier() and flushes the queue before "
    "it takes a lock, so that no callback or work of a child comes too late. It"
    " does so before it looks at the reference count: to destroy one alias of a"
    " shared cache marks the cache dying, and from then on no cgroup gets a "
    "copy of it.",
    sources=(
        "d50d82faa0c9: unlinked at shutdown",
        "92ee383f6daa: destroy against create and deactivate",
        "mm/slab_common.c, kmem_cache_destroy(), 4.19.0",
    ),
    sysfs_removal="shutdown",
    root_destroy="flush-first",
)

_G4E = _G4D.replace(
    name="4.20",
    kernels=("4.20", "5.2"),
    title="as 4.18; RCU has one flavour",
    text="call_rcu_sched() became call_rcu(). On the kernels that are modelled, "
    "those without preemption, both were the same before: no knob differs.",
    sources=(
        "include/linux/rcupdate.h, 4.20.0: the sched flavour is a name",
        "mm/slab_common.c, kmem_cache_destroy(), 5.2.1: rcu_barrier()",
    ),
    seq_file="B",
)

_G5 = _G4E.replace(
    name="5.3",
    kernels=("5.3", "5.4"),
    title="caches move to the parent cgroup and count their own references",
    text="Gushchin's life cycle. A child counts its own references, one for each "
    "page and each allocation under way; at offline it moves to the parent "
    "cgroup's list, so its pages no longer keep the dead cgroup. When its "
    "callback has come and it is shrunk, the count is killed, which takes a "
    "grace period more, and at zero a work item shuts the cache down. Freeing a"
    " cgroup frees no cache.",
    sources=(
        "f0a3a24b532d: a life cycle of its own for child caches",
        "mm/slab_common.c, kmemcg_cache_shutdown(), 5.4.0",
    ),
    reparenting=True,
    seq_file="C",
)

_G5B = _G5.replace(
    name="5.5",
    kernels=("5.5", "5.7"),
    title="as 5.3; destruction of a root waits twice",
    text="Killing the count of a child takes a grace period more than the first "
    "barrier waits for. If children are left after it, there is another.",
    sources=("mm/slab_common.c, kmem_cache_destroy(), 5.8.1: the second barrier",),
    root_destroy="flush-twice",
)

_G5C = _G5B.replace(
    name="5.8",
    kernels=("5.8", "5.8"),
    title="as 5.5; only a root whose last alias goes is marked dying",
    text="The reference count is looked at first. A root that goes is marked dying, "
    "all locks are dropped for barrier and flush, and it is no longer found as "
    "an alias.",
    sources=("d38a2b7a9c93: dying only at refcount zero",),
    root_destroy="flush-at-zero",
)

_G6 = _G5C.replace(
    name="5.9",
    kernels=("5.9", "5.19"),
    title="accounting per object: cgroups have no caches of their own",
    text="Each object of a root cache says which cgroup pays for it. Removing a "
    "cgroup touches no cache and waits for none: its obj_cgroup is handed to "
    "the parent. Typesafe root caches are still freed by the work item of 4.11.",
    sources=(
        "mm/slab.h and mm/memcontrol.c, 5.9.1: obj_cgroup vectors",
        "c7094406fcb7: slab_root_caches is gone",
    ),
    patches=(),
    accounting="objects",
    child_caches=False,
    root_list=False,
    memcg_list=False,
    deactivation="none",
    deactivate_queue="none",
    reparenting=False,
    root_destroy="at-once",
    create_queue="none",
    memcg_name="none",
)

_G6B = _G6.replace(
    name="6.0",
    kernels=("6.0", "6.11"),
    title="as 5.9; directories go outside slab_mutex",
    text="The kobject of a root that is destroyed is deleted after slab_mutex and "
    "the hotplug locks are dropped, which ends the deadlock with readers of its"
    " directory.",
    sources=("0495e337b703: kobjects deleted outside slab_mutex",),
    sysfs_removal="unlocked",
    seq_file="D",
)

_G7 = _G6B.replace(
    name="6.12",
    kernels=("6.12", "6.12"),
    title="destroying a typesafe root waits in rcu_barrier() again",
    text="Without copies for cgroups, destruction need not be fast. Whoever destroys"
    " a root waits for kvfree_rcu() and, if it is typesafe, in rcu_barrier(); "
    "it leaves every list and sysfs before that, even if objects are left in "
    "it. The list and the work item of 4.11 are gone.",
    sources=(
        "2eb14c1c2717: rcu_barrier() in kmem_cache_destroy()",
        "4ec10268ed98: unlinked at once",
        "6c6c47b063b5: kvfree_rcu_barrier()",
        "mm/slab_common.c, kmem_cache_destroy(), 6.12.0",
    ),
    typesafe_free="barrier-per-cache",
    root_destroy="unlink-first",
)

_V1 = _G3.with_(*(patch.name for patch in series.version("v1"))).replace(
    name="series-v1",
    kernels=(),
    title="the series as first posted, on 4.10",
    text="Never merged. A typesafe cache is freed by call_rcu(), which may come "
    "before the callbacks that free its pages on another CPU. slab_caches holds"
    " only the roots, so CPU and memory hotplug miss the children. The children"
    " of a root whose destruction fails can no longer be used.",
    sources=(
        "20170114055449.11044-1-tj@kernel.org: the series",
        "20170114131939.GA2668@esperanza: Davydov on call_rcu()",
        "20170114133918.GE2668@esperanza: Davydov on hotplug",
        "20170114132722.GB2668@esperanza: Davydov on busy children",
    ),
)

_V2 = _G3.with_(*(patch.name for patch in series.version("v2"))).replace(
    name="series-v2",
    kernels=(),
    title="the series as posted again the same day, on 4.10",
    text="Never merged. The list of roots is beside slab_caches, and busy children "
    "are left alone, but a typesafe cache is still freed by call_rcu(). Three "
    "days later Heo agreed that this is wrong.",
    sources=(
        "20170114184834.8658-1-tj@kernel.org: the series",
        "20170117170215.GC28948: Heo agrees",
    ),
)


class Designs(Mapping[str, Design]):
    """Hold the presets in order of age; any version inside a range finds its design.

    ``designs["4.8"]`` is the design of 4.7, ``designs["4.10+async-deactivation"]`` has
    a patch more, ``designs["4.11~early-sysfs-removal"]`` one less; iteration gives the
    presets.

    >>> from slabcore import designs
    >>> designs["4.8"].name, "4.14" in designs, len([*designs]) > 15
    ('4.7', True, True)
    >>> designs["4.9"].deactivation, designs["4.11"].deactivation
    ('gp-per-cache', 'rcu-per-cache')
    """

    def __init__(self, presets: tuple[Design, ...]) -> None:
        self._presets = {design.name: design for design in presets}

    def __getitem__(self, name: str) -> Design:
        """Return a design. Raises: KeyError naming the nearest presets or patches."""
        try:
            return _find(name, self)
        except InputError as error:
            raise KeyError(str(error)) from None

    def spanning(self, name: str) -> Design | None:
        """Return the preset of that name, or the one that spans a kernel version."""
        if name in self._presets:
            return self._presets[name]
        version = _version(name)
        if version and _was_released(version) and not _mistyped(name):
            for design in self._presets.values():
                if _spans(design, version):
                    return design
        return None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the presets in order of age."""
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
    """Return a design with patches put in and left out, each of which must tell."""
    for sign, patch in steps:
        if sign == "+":
            stepped, what = design.with_(patch), f"it has what {patch} does already"
        else:
            stepped, what = design.without(patch), f"{patch} is not in it"
        if stepped is design:
            raise InputError(design.name, what, "another patch, or none")
        design = stepped
    for sign, patch in steps:
        if (patch in design.patches) != (sign == "+"):
            went = "is not in it" if sign == "+" else "is in it"
            what = f"{patch} {went}: patches that build on one another come and go"
            raise InputError(design.name, what, "each patch put in or left out once")
    return design


def _mistyped(name: str) -> str:
    """Return what a name ends in that was meant as a patch; nothing if it was not."""
    match = re.fullmatch(r"[\w.]+([-+~])([a-z][a-z-]+)", name)
    if match is None:
        return ""
    known = [patch.name for patch in series.PATCHES]
    import difflib

    meant = match[1] != "-" or difflib.get_close_matches(match[2], known, cutoff=0.8)
    return match[2] if meant else ""


def _version(name: str) -> tuple[int, int, int] | None:
    """Return the three numbers of a kernel's version: 5.4.0-29-generic."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:\.\d+)*(?:-.*|\+)?", name)
    if match is None:
        return None
    major, minor, patch = (int(part or 0) for part in match.groups())
    return major, minor, patch


def _was_released(version: tuple[int, int, int]) -> bool:
    last_of_3_4_and_5 = ((3, 19), (4, 20), (5, 19))
    major, minor, _ = version
    return not any(major == ended and minor > last for ended, last in last_of_3_4_and_5)


def _spans(design: Design, version: tuple[int, int, int]) -> bool:
    """Tell whether a version is in a design's range; "4.12" ends with all of 4.12."""
    if not design.kernels:
        return False
    first, last = (tuple(map(int, end.split("."))) for end in design.kernels)
    return first <= version and version[: len(last)] <= last


def is_a_vendors(name: str) -> bool:
    """Tell whether a version names a vendor's build: 3.10.0-1160.el7, no -rc."""
    return re.fullmatch(r"v?[\d.]+-(?!rc\d).*", name) is not None


designs: Designs = Designs(
    (
        *(_G0, _G1, _G2, _G2_SLAB, _G2_LATE, _G3),
        *(_G4, _G4B, _G4B_FIXED, _G4C, _G4D, _G4E),
        *(_G5, _G5B, _G5C, _G6, _G6B, _G7),
        *(_V1, _V2),
    )
)
"""The presets by name: a Mapping, in the order of the kernels' releases."""


def find(name: str) -> Design:
    """Return the design of a preset or kernel version, with patches or without.

    >>> from slabcore import find
    >>> find("4.10+async-deactivation").deactivation
    'rcu-per-cache'

    Raises: InputError naming the nearest presets or patches.
    """
    return _find(name, designs)


def _find(name: Any, among: Designs) -> Design:
    if not isinstance(name, str):
        raise InputError("design", f"{name!r} is no name", 'text, such as "4.10"')
    base, steps = _split(name)
    if steps:
        return _stepped(_find(base, among), steps)
    if mistyped := _mistyped(name):
        series.patch(mistyped)
    # uname -r gives three numbers: 4.10.0+ is a kernel of somebody's own tree
    if re.fullmatch(r"v?\d+\.\d+[-+~]", name):
        what = f"no patch follows in {name!r}"
        raise InputError("design", what, f"{name}PATCH or {name[:-1]}")
    design = among.spanning(name)
    if design is None:
        raise InputError("design", f"{name!r} is not known", _neighbours(name, among))
    return design


def _neighbours(name: str, among: Designs) -> str:
    """Say what a name that is not known may have meant."""
    version = _version(name)
    known = list(among)
    if version is None:
        meant = name.translate(str.maketrans("OolI", "0011"))
        if among.spanning(meant) is not None:
            return f"{meant} (nearest)"
        if name in ("v3", "series-v3"):
            return "4.11, which is v3 as it was merged"
        import difflib

        near = difflib.get_close_matches(name, known, n=2, cutoff=0.4)
        return (
            f"{' or '.join(near)} (nearest)" if near else f"one of {', '.join(known)}"
        )
    ages = {d: _version(first) for d in known for first in among[d].kernels[:1]}
    older = [d for d, age in ages.items() if age and age < version]
    newer = [d for d, age in ages.items() if age and age > version]
    backports = "; a vendor's kernel carries backports" if is_a_vendors(name) else ""
    return f"{' or '.join(older[-1:] + newer[:1])} (nearest{backports})"


# --- what led from one to another -----------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """Hold what one kernel, or one set of patches, changed of the one before."""

    before: Design
    after: Design

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Return the knobs that differ, each from what to what."""
        old, new = self.before.knobs, self.after.knobs
        return {knob: (old[knob], new[knob]) for knob in old if old[knob] != new[knob]}

    @property
    def patches(self) -> tuple[str, ...]:
        """Return the patches of the series that came, in their order."""
        return tuple(p for p in self.after.patches if p not in self.before.patches)

    @property
    def undone(self) -> tuple[str, ...]:
        """Return the patches of the series that went."""
        return tuple(p for p in self.before.patches if p not in self.after.patches)

    def by(self, knob: str) -> tuple[str, ...]:
        """Return the patches that turned a knob, not those that no longer do."""
        return tuple(
            name for name in self.patches if knob in series.patch(name).changes
        )


def steps(old: Design, new: Design) -> tuple[Step, ...]:
    """Return what led from one design to another, kernel by kernel, patches last."""
    line = [design for design in designs.values() if design.kernels]
    first, last = (line.index(_released(design)) for design in (old, new))
    if first == last:
        chain = [old, new]
    else:
        way = line[first : last + 1] if first < last else line[last : first + 1][::-1]
        chain = [old, *(d for d in way if d not in (old, new)), new]
    pairs = itertools.pairwise(chain)
    return tuple(Step(before, after) for before, after in pairs if before != after)


def _released(design: Design) -> Design:
    """Return the released kernel that a design is, or that its patches apply to."""
    base = designs[_split(design.name)[0]]
    return base if base.kernels else designs["4.10"]

"""What each value of a design's knobs stands for, and where that was read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["KNOBS", "Mechanism", "mechanism"]


class Mechanism(NamedTuple):
    """Describe one value of a knob."""

    text: str
    source: str
    """A commit, a posting's message-id, or a file of the kernel and its version."""


_OBJECTS = "mm/slab.h and mm/memcontrol.c, 5.9.1"
_V3_10 = "20170117235411.9408-11-tj@kernel.org: memcg_kmem_cache_wq"

# By knob, by value, oldest first.
KNOBS: Mapping[str, Mapping[Any, Mechanism]] = MappingProxyType(
    {
        "accounting": {
            "opt-in": Mechanism(
                "only cgroups with a kernel memory limit are accounted",
                "mm/memcontrol.c, memcg_activate_kmem(), 4.4.11",
            ),
            "always": Mechanism(
                "every cgroup is accounted",
                "b313aeee2509: accounting for all cgroups of version 1",
            ),
            "objects": Mechanism(
                "every cgroup is accounted, object by object", _OBJECTS
            ),
        },
        "child_caches": {
            True: Mechanism(
                "a cgroup has a copy of each cache it allocates from",
                "mm/memcontrol.c, __memcg_kmem_get_cache(), 4.6.2",
            ),
            False: Mechanism("all cgroups allocate from the root caches", _OBJECTS),
        },
        "root_list": {
            False: Mechanism(
                "walks for the root caches take slab_caches",
                "mm/slab_common.c, 4.6.2; c7094406fcb7 since 5.9",
            ),
            True: Mechanism(
                "root caches are on a list of their own",
                "510ded33e075: slab_root_caches",
            ),
        },
        "memcg_list": {
            False: Mechanism(
                "the caches of a cgroup are found by walking all",
                "mm/slab_common.c, memcg_destroy_kmem_caches(), 4.6.2",
            ),
            True: Mechanism(
                "the caches of a cgroup are on a list of its own",
                "bc2791f857e1: memcg->kmem_caches",
            ),
        },
        "slab_caches": {
            "all": Mechanism(
                "slab_caches holds all caches, as CPU and memory hotplug need",
                "mm/slab_common.c, 4.6.2; 20170114133918.GE2668@esperanza",
            ),
            "roots": Mechanism(
                "slab_caches holds the roots; hotplug misses the children",
                "20170114055449.11044-7-tj@kernel.org: v1, patch 6",
            ),
        },
        "deactivation": {
            "ipi": Mechanism(
                "an interrupt to all other CPUs for each cache, slab_mutex held",
                "mm/slub.c, __kmem_cache_shrink(), 4.6.2: kick_all_cpus_sync()",
            ),
            "gp-per-cache": Mechanism(
                "a grace period waited for with each cache, slab_mutex held",
                "81ae6d03952c: synchronize_sched() instead of the interrupts",
            ),
            "gp-per-memcg": Mechanism(
                "a grace period waited for with each cgroup, slab_mutex free",
                "89e364db71fb: one synchronize_sched() a cgroup",
            ),
            "rcu-per-cache": Mechanism(
                "a callback after a grace period for each cache; nobody waits",
                "01fb58bcba63: call_rcu_sched()",
            ),
            "none": Mechanism("there is nothing to deactivate", _OBJECTS),
        },
        "deactivate_queue": {
            "none": Mechanism(
                "whoever deactivates a cache shrinks it",
                "mm/slab_common.c, memcg_deactivate_kmem_caches(), 4.10",
            ),
            "system": Mechanism(
                "a work item of the system's queue shrinks it, 256 at a time on a CPU",
                "20170114184834.8658-8-tj@kernel.org: v2, patch 7",
            ),
            "per-cpu-1": Mechanism(
                "a work item shrinks it, one at a time on a CPU", _V3_10
            ),
        },
        "reparenting": {
            False: Mechanism(
                "a cache stays its cgroup's until the cgroup is freed",
                "mm/memcontrol.c, mem_cgroup_css_free(), 5.2.1",
            ),
            True: Mechanism(
                "a cache counts its own references and moves to the parent cgroup",
                "f0a3a24b532d: percpu references of child caches",
            ),
        },
        "typesafe_free": {
            "barrier-batch": Mechanism(
                "whoever frees a batch of caches waits in one rcu_barrier()",
                "mm/slab_common.c, memcg_destroy_kmem_caches(), 4.6.2",
            ),
            "call-rcu": Mechanism(
                "a callback frees the cache, perhaps under its pages' callbacks",
                "20170114055449.11044-3-tj@kernel.org: v1, patch 2",
            ),
            "barrier-async": Mechanism(
                "one work item for all of the machine waits in rcu_barrier()",
                "657dc2f97220: slab_caches_to_rcu_destroy",
            ),
            "barrier-per-cache": Mechanism(
                "whoever destroys a root cache waits in rcu_barrier()",
                "2eb14c1c2717: rcu_barrier() in kmem_cache_destroy()",
            ),
        },
        "root_destroy": {
            "at-once": Mechanism(
                "a root is destroyed whatever works of it are pending",
                "mm/slab_common.c, kmem_cache_destroy(), 4.10",
            ),
            "flush-first": Mechanism(
                "a root is marked dying and its callbacks and works waited for",
                "92ee383f6daa: destroy against create and deactivate",
            ),
            "flush-twice": Mechanism(
                "as before 5.5, and again for the references of its children",
                "mm/slab_common.c, kmem_cache_destroy(), 5.8.1: the second barrier",
            ),
            "flush-at-zero": Mechanism(
                "the same, but only when the last alias of a root goes",
                "d38a2b7a9c93: dying only at refcount zero",
            ),
            "unlink-first": Mechanism(
                "a root leaves every list and sysfs before callbacks are waited for",
                "4ec10268ed98: unlinked at once, before the barrier",
            ),
        },
        "busy_children": {
            "parked": Mechanism(
                "children that hold objects are put aside and back again",
                "mm/slab_common.c, shutdown_memcg_caches(), 4.10",
            ),
            "single-pass": Mechanism(
                "children that hold objects lose their place in the root's array",
                "20170114055449.11044-4-tj@kernel.org: v1, patch 3",
            ),
        },
        "create_queue": {
            "system": Mechanism(
                "creations are works of the system's queue, 256 at a time on a CPU",
                "mm/memcontrol.c, __memcg_schedule_kmem_cache_create(), 4.6.2",
            ),
            "ordered": Mechanism(
                "creations are done one at a time on the machine",
                "mm/memcontrol.c, memcg_kmem_cache_create queue, 4.10",
            ),
            "per-cpu-1": Mechanism(
                "creations are done one at a time on each CPU", _V3_10
            ),
            "none": Mechanism("there is nothing to create", _OBJECTS),
        },
        "create_waits": {
            False: Mechanism(
                "a creation waits for no grace period",
                "1475734855-4837-1-git-send-email-iamjoonsoo.kim@lge.com",
            ),
            True: Mechanism(
                "with SLAB a creation waits for one per node, slab_mutex held",
                "801faf0db894: lockless decision to grow a cache",
            ),
        },
        "child_sysfs": {
            True: Mechanism(
                "a child cache has a directory in sysfs",
                "mm/slub.c, sysfs_slab_add(), 4.10",
            ),
            False: Mechanism(
                "a child cache has no directory unless slub_memcg_sysfs=1",
                "20170204145203.GB26958@mtj.duckdns.org",
            ),
        },
        "sysfs_removal": {
            "release": Mechanism(
                "a directory goes when its cache is freed, with no mutex held",
                "mm/slub.c, sysfs_slab_remove(), 4.10",
            ),
            "deactivation": Mechanism(
                "once a cache is deactivated and empty, with slab_mutex held",
                "mm/slub.c, kmemcg_cache_deact_after_rcu(), 4.11.0",
            ),
            "work-leaks": Mechanism(
                "in a work item that keeps a cache without a directory for ever",
                "3b7b314053d0: asynchronous removal",
            ),
            "work": Mechanism(
                "in a work item, once a cache is deactivated and empty",
                "20170812181134.25027: the leak at offline",
            ),
            "shutdown": Mechanism(
                "when a cache is shut down, with slab_mutex held",
                "d50d82faa0c9: unlinked at shutdown",
            ),
            "unlocked": Mechanism(
                "when a cache is shut down, after slab_mutex",
                "0495e337b703: outside slab_mutex",
            ),
        },
        "memcg_name": {
            "id": Mechanism(
                "a child is named by the css id",
                "mm/slab_common.c, memcg_create_kmem_cache(), 4.6.2",
            ),
            "serial": Mechanism(
                "by the css serial number, which never comes again",
                "mm/slab_common.c, memcg_create_kmem_cache(), 4.7.4",
            ),
            "none": Mechanism("there are no children", _OBJECTS),
        },
        "memcg_ids": {
            "css-id": Mechanism(
                "the 65,535 ids are held until a cgroup is freed",
                "mm/memcontrol.c, 4.6.2",
            ),
            "own": Mechanism(
                "the 65,535 ids are held until a cgroup goes offline",
                "73f576c04b94: an id of the memory controller's own",
            ),
        },
        "barrier_marker": {
            "queued": Mechanism(
                "rcu_barrier() queues a callback, which waits for a grace period",
                "kernel/rcu/tree.c, rcu_barrier_func(), 4.12",
            ),
            "entrained": Mechanism(
                "rcu_barrier() joins the callbacks that wait already",
                "kernel/rcu/tree.c, rcu_barrier_func(), 4.13",
            ),
        },
        "join_waits": {
            True: Mechanism(
                "moving a task into a cgroup waits for a grace period",
                "1ed1328792ff: a percpu rwsem at attach",
            ),
            False: Mechanism(
                "moving a task into a cgroup waits for nothing",
                "3942a9bd7b58: the rwsem kept in its slow mode",
            ),
        },
        "fqs_late_tick": {
            0: Mechanism(
                "RCU's scan comes at the tick it was set for",
                "kernel/time/timer.c, 4.6.2",
            ),
            1: Mechanism(
                "RCU's scan comes a tick later than it was set for",
                "kernel/time/timer.c, 4.8.15",
            ),
        },
        "seq_file": {
            "A": Mechanism(
                "a read() steps its record number when a record was copied out",
                "fs/seq_file.c, 4.10.1 and 4.12",
            ),
            "B": Mechanism(
                "next() steps it; a seek into a record delivers that record twice",
                "1f4aace60b0e: the rewrite of 4.19; fs/seq_file.c, 4.20 and 5.2.1",
            ),
            "C": Mechanism(
                "next() steps it, in a seek as well",
                "fs/seq_file.c, 5.4.6, 5.8.1 and 5.9.1",
            ),
            "D": Mechanism(
                "as before, and a read() of what just drained goes on with a record",
                "fs/seq_file.c, 6.12",
            ),
        },
    }
)


def mechanism(knob: str, value: Any) -> Mechanism:
    """Return what a value of a knob stands for."""
    return KNOBS[knob][value]

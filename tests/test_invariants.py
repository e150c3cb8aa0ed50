"""What may never happen is looked for, by validate() and while a world runs, and found.

Each test breaks one rule of the reference on purpose: a check that cannot fail is none.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slabcore.designs import Design, designs
from slabcore.errors import BusyError, CorruptionError
from slabcore.machine import Machine
from slabcore.reference.world import (
    Block,
    Cache,
    Hotplug,
    Lock,
    Memcg,
    Mutex,
    Run,
    Work,
    World,
)

# --- structures: validate() ---


class Scene:
    """Roots 0 and 1; cgroups 1, 2 and 3 with a child of each; 3 is removed and pinned.

    Caches are named by their serial numbers: 2 and 3, 4 and 5, 6 and 7 are children.
    """

    def __init__(self, design: Design) -> None:
        machine = Machine(cpus=2, kmem="on")
        self.world = new = World(design, machine, machine.costs)
        for typesafe in (False, True):
            new.boot_cache(192, True, typesafe, False)
        for number in range(1, 4):
            memcg = new.mkdir()
            for root in (0, 1):
                new.alloc(root, memcg, 1)
                new.drain()
                new.alloc(root, memcg, 100)
                new.free(root, memcg, 10 * number)
        new.rmdir(3)
        new.drain()
        new.validate()
        self.caches = {cache.serial: cache for cache in new.existing}
        self.memcgs = new.memcgs


Corruption = Callable[[Scene], None]
corruptions: list[Any] = []


SERIES = designs["4.11"]
REPARENTING = SERIES.replace(reparenting=True)
OBJECTS = designs["5.9"]


def breaks(
    complaint: str, design: Design = SERIES
) -> Callable[[Corruption], Corruption]:
    """Tell what validate() must say of a world that was corrupted so."""

    def collect(corrupt: Corruption) -> Corruption:
        name = corrupt.__name__
        corruptions.append(pytest.param(complaint, design, corrupt, id=name))
        return corrupt

    return collect


@breaks("slab_caches: cache 2 is missing")
def active_child_off_slab_caches(at: Scene) -> None:
    del at.world.slab_caches[at.caches[2]]


@breaks("slab_caches: cache 6 is missing")
def dying_child_off_slab_caches(at: Scene) -> None:
    del at.world.slab_caches[at.caches[6]]


@breaks("slab_root_caches: cache 1 is missing")
def root_off_slab_root_caches(at: Scene) -> None:
    del at.world.slab_root_caches[at.caches[1]]


@breaks("children of cache 0: cache 6 is missing")
def child_off_its_root_s_list(at: Scene) -> None:
    del at.caches[0].children[at.caches[6]]


@breaks("kmem_caches of cgroup 3: cache 6 is missing")
def child_off_its_cgroup_s_list(at: Scene) -> None:
    del at.memcgs[3].kmem_caches[at.caches[6]]


@breaks("slab_caches: cache 2 is shut down")
def shut_down_cache_on_lists(at: Scene) -> None:
    at.caches[2].live = False


@breaks("slab_caches: cache 7 stands behind an older one")
def older_cache_first_on_slab_caches(at: Scene) -> None:
    del at.world.slab_caches[at.caches[2]]
    at.world.slab_caches.add(at.caches[2])


@breaks("slab_root_caches: cache 1 stands behind an older one")
def older_root_first_on_slab_root_caches(at: Scene) -> None:
    del at.world.slab_root_caches[at.caches[0]]
    at.world.slab_root_caches.add(at.caches[0])


@breaks("children of cache 0: cache 6 stands behind an older one")
def older_child_first_on_its_root_s_list(at: Scene) -> None:
    del at.caches[0].children[at.caches[2]]
    at.caches[0].children.add(at.caches[2])


@breaks("kmem_caches of cgroup 1: cache 3 stands behind an older one")
def older_child_first_on_its_cgroup_s_list(at: Scene) -> None:
    del at.memcgs[1].kmem_caches[at.caches[2]]
    at.memcgs[1].kmem_caches.add(at.caches[2])


@breaks("kmem_caches of cgroup 1: cache 6 is another's")
def child_on_two_cgroups_lists(at: Scene) -> None:
    at.memcgs[1].kmem_caches.add(at.caches[6])


@breaks("the roots have 7 children, the cgroups 6 caches")
def child_that_is_no_cgroup_s(at: Scene) -> None:
    at.caches[0].children.add(at.world._new_cache(64))
    at.world.existing.popitem()


@breaks("slab_caches: 9 caches; 8 roots and children belong on it")
def cache_that_is_nobody_s_on_slab_caches(at: Scene) -> None:
    at.world.slab_caches.add(at.world._new_cache(64))
    at.world.existing.popitem()


@breaks("slab_caches_to_rcu_destroy: cache 2 is not shut down")
def live_cache_to_be_destroyed(at: Scene) -> None:
    at.world.rcu_destroy.append(at.caches[2])


@breaks("slab_caches_to_rcu_destroy: a cache is on it twice")
def cache_to_be_destroyed_twice(at: Scene) -> None:
    at.world.rcu_destroy += [at.caches[2]] * 2


@breaks("slab_caches_to_rcu_destroy: cache 9 stands behind a later one")
def caches_to_be_destroyed_in_another_order(at: Scene) -> None:
    for number in (2, 1):
        cache = at.world._new_cache(64)
        cache.live, cache.shut_down = False, number
        at.world.rcu_destroy.append(cache)


@breaks("slots of cache 0: cache 6 is of an offline cgroup")
def slot_of_an_offline_cgroup(at: Scene) -> None:
    at.memcgs[3].kmemcg_id = 2
    at.caches[0].slots[2] = at.caches[6]


@breaks("slots of cache 0: cache 4 is another cgroup's")
def slot_with_another_cgroup_s_cache(at: Scene) -> None:
    at.caches[0].slots[3] = at.caches[4]


@breaks("slots of cache 0: cache 3 is no child of it")
def slot_with_another_root_s_cache(at: Scene) -> None:
    at.caches[0].slots[0] = at.caches[3]
    at.caches[2].deactivated = True


@breaks("slots of cache 0: cache 2 is deactivated")
def slot_with_a_deactivated_cache(at: Scene) -> None:
    at.caches[2].deactivated = True


@breaks("slots of cache 0: cache 8 is shut down")
def slot_with_a_cache_that_is_shut_down(at: Scene) -> None:
    at.caches[0].slots[2] = at.world._new_cache(64)
    at.caches[0].slots[2].live = False


@breaks("slots of cache 0: active cache 2 is not in its own")
def active_cache_without_its_slot(at: Scene) -> None:
    del at.caches[0].slots[0]


@breaks("cache 2 is of a cgroup or of a root, and not of both")
def child_of_no_cgroup(at: Scene) -> None:
    at.caches[2].memcg = None


@breaks("cache 0 is of a cgroup or of a root, and not of both")
def root_that_charges_a_cgroup(at: Scene) -> None:
    at.caches[0].memcg = at.memcgs[1]


@breaks("cache 0: 2 of 1 users leave")
def root_given_up_by_more_users_than_it_has(at: Scene) -> None:
    at.caches[0].leaving = 2


@breaks("children of cache 0: some are parked and stay so")
def busy_child_not_put_back(at: Scene) -> None:
    del at.caches[0].children[at.caches[2]]
    at.caches[0].parked.add(at.caches[2])


@breaks("cache 2 has more objects than its slabs hold")
def objects_without_slabs(at: Scene) -> None:
    at.caches[2].slabs = 0


@breaks("cache 2 has 0 node structures")
def memory_that_a_cache_does_not_know(at: Scene) -> None:
    at.caches[2].memory_nodes = 0


@breaks("the hotplug lock has a writer and readers")
def hotplug_lock_held_both_ways(at: Scene) -> None:
    at.world.hotplug_lock.writer = at.world.cpus[0].softirq
    at.world.hotplug_lock.readers = 1


@breaks("the hotplug lock is free and waited for")
def hotplug_lock_nobody_hands_on(at: Scene) -> None:
    at.world.hotplug_lock.line.append(at.world.cpus[0].softirq)


@breaks("cache 2 has more pinned objects than objects")
def pinned_objects_that_are_none(at: Scene) -> None:
    at.caches[2].pinned = at.caches[2].inuse + 1


@breaks("cgroup 2 has id 0, as another has")
def id_given_twice(at: Scene) -> None:
    at.caches[0].slots.clear()
    at.caches[1].slots.clear()
    for cache in list(at.caches.values())[2:]:
        cache.deactivated = True
    at.memcgs[2].kmemcg_id = 0


@breaks("cgroup 2 has id 1, which is free")
def id_in_use_and_free(at: Scene) -> None:
    at.world.free_ids.append(1)


@breaks("1 ids are taken and no cgroup has them")
def id_lost(at: Scene) -> None:
    at.world.free_ids.clear()


@breaks("cgroup 3 is accounted without an id, or offline")
def offline_cgroup_still_accounted(at: Scene) -> None:
    at.memcgs[3].kmem_online = True


@breaks("cgroup 3 is removed but in use")
def removed_cgroup_with_a_task(at: Scene) -> None:
    at.memcgs[3].tasks = 1


@breaks("cgroup 3 has 7 references, its pages alone hold 8")
def page_that_holds_no_reference(at: Scene) -> None:
    at.memcgs[3].refs -= 1


@breaks("9 caches are counted, 8 are there")
def cache_counted_twice(at: Scene) -> None:
    at.world.caches += 1


@breaks("1 dying caches are counted, 2 are there")
def dying_cache_not_counted(at: Scene) -> None:
    at.world.caches_dying -= 1


@breaks("4 cgroups are counted, 3 are there")
def cgroup_counted_twice(at: Scene) -> None:
    at.world.cgroups += 1


@breaks("0 dying cgroups are counted, 1 are there")
def dying_cgroup_not_counted(at: Scene) -> None:
    at.world.cgroups_dying -= 1


@breaks("kernfs nodes are counted")
def directory_without_its_nodes(at: Scene) -> None:
    at.caches[0].nodes -= 1


@breaks("bytes of slabs are counted")
def slab_counted_twice(at: Scene) -> None:
    at.world.slab_bytes += 4096


@breaks("7 children created are counted, 6 are there")
def creation_without_a_miss(at: Scene) -> None:
    at.world.caches_created += 1


@breaks("more caches were created than were missed")
def more_misses_than_there_were(at: Scene) -> None:
    at.world.misses = 5


@breaks("misses and the creations they queued do not fit")
def creations_nobody_asked_for(at: Scene) -> None:
    at.world.creations_pending = at.world.misses + 1


@breaks("1 callbacks are counted, 0 are queued")
def callback_lost(at: Scene) -> None:
    at.world.callbacks += 1


@breaks("CPU 0: later callbacks do not wait longer")
def later_callbacks_for_an_earlier_grace_period(at: Scene) -> None:
    cpu = at.world.cpus[0]
    for segment in (cpu.wait, cpu.ready):
        at.world._call_rcu(cpu, "plain")
        segment.append(cpu.next.pop())
    cpu.wait_gp, cpu.ready_gp = 9, 8


@breaks("grace period 99 runs and")
def grace_period_that_runs_ahead(at: Scene) -> None:
    at.world.gpnum = 99


@breaks("slab_mutex is free and waited for")
def mutex_nobody_hands_on(at: Scene) -> None:
    at.world.slab_mutex.line.append(at.world.cpus[0].softirq)


@breaks("file 0 stands at cache 2, off its list")
def cursor_at_a_cache_that_is_not_walked(at: Scene) -> None:
    number = at.world.open(0, 0, True)
    at.world.files[number].place = at.caches[2]


@breaks("slab_caches_to_rcu_destroy: nobody comes for its caches")
def destroyed_cache_that_nobody_frees(at: Scene) -> None:
    at.world.rcu_destroy.append(at.world._new_cache(64))
    at.world.rcu_destroy[0].live = False


@breaks("the shared barrier's work is queued twice")
def second_barrier_work(at: Scene) -> None:
    queue = at.world.queues["events"][0]
    queue.pool.worklist += [(queue, at.world.destroy_work)] * 2


@breaks("cgroup 3 has 9 references, only 8 are held")
def reference_that_nobody_holds(at: Scene) -> None:
    at.memcgs[3].refs += 1


@breaks("cache 2 has more objects in flight than objects")
def allocation_in_flight_without_its_object(at: Scene) -> None:
    at.caches[2].in_flight = at.caches[2].inuse + 1


@breaks("a memory cgroup id is held twice, or is free")
def memory_cgroup_id_given_twice(at: Scene) -> None:
    at.memcgs[2].id = at.memcgs[1].id


@breaks("1 memory cgroup ids are taken and no cgroup has them")
def memory_cgroup_id_lost(at: Scene) -> None:
    at.world.taken_ids.add(99)


@breaks("cache 6 has 3 references, 4 are held", REPARENTING)
def slab_that_holds_no_reference_of_its_cache(at: Scene) -> None:
    at.caches[6].refs -= 1


@breaks("cache 2 has 7 references, 6 are held", REPARENTING)
def first_reference_held_twice(at: Scene) -> None:
    at.caches[2].refs += 1


@breaks("cgroup 3 is offline and has caches", REPARENTING)
def cache_left_to_an_offline_cgroup(at: Scene) -> None:
    # A program is still running, or the cgroup would be gone.
    heir = at.world.root_memcg
    at.world.memcgs[3] = gone = Memcg(3, heir)
    gone.dead, gone.refs, at.caches[6].memcg = True, 1, gone
    at.world.cgroups += 1
    at.world.cgroups_dying += 1
    del heir.kmem_caches[at.caches[6]]
    gone.kmem_caches.add(at.caches[6])


@breaks("obj_cgroups are there", OBJECTS)
def obj_cgroup_that_is_nobody_s(at: Scene) -> None:
    at.world.objcgs.append(at.memcgs[1].objcg)


@breaks("is not on the list of its cgroup", OBJECTS)
def obj_cgroup_of_another_cgroup(at: Scene) -> None:
    at.memcgs[1].objcg.memcg = at.memcgs[2]


@breaks("is left to cgroup 1, which is offline", OBJECTS)
def obj_cgroup_not_given_to_the_parent(at: Scene) -> None:
    at.memcgs[1].online = at.memcgs[1].kmem_online = False
    at.memcgs[1].refs -= 1


@breaks("obj_cgroup 1 has 182 references, 183 are held", OBJECTS)
def object_that_holds_no_reference(at: Scene) -> None:
    at.memcgs[1].objcg.refs -= 1


@breaks("more objects of cache 0 are charged than allocated", OBJECTS)
def object_charged_twice(at: Scene) -> None:
    at.memcgs[1].objcg.held[at.caches[0]] += 500
    at.memcgs[1].objcg.refs += 500


@pytest.mark.parametrize(("complaint", "design", "corrupt"), corruptions)
def test_validate_names_what_is_broken(
    complaint: str, design: Design, corrupt: Corruption
) -> None:
    scene = Scene(design)
    corrupt(scene)
    with pytest.raises(CorruptionError, match=re.escape(complaint)):
        scene.world.validate()


def test_each_corruption_has_its_place_in_the_table_of_invariants():
    tests = Path(__file__).parent
    page = (tests.parent / "docs" / "model.md").read_text("utf-8")
    table = page.partition("| what must hold |")[2].partition("\n\n")[0]
    shown = {
        name
        for row in table.splitlines()[2:]
        for name in re.findall(r"`(\w+)`", row.split("|")[4])
    }
    defined = {
        name
        for file in tests.glob("test_*.py")
        for name in re.findall(r"^def (\w+)\(", file.read_text("utf-8"), re.MULTILINE)
    }
    assert shown <= defined
    assert {parameters.id for parameters in corruptions} <= shown


@pytest.mark.parametrize("name", designs)
def test_validate_says_nothing_of_a_world_in_order(name: str) -> None:
    Scene(designs[name])


# --- promises: while a world runs ---


def world(make: type[World], design: str | Design) -> World:
    """Return a world of one typesafe root cache and a cgroup that used it."""
    machine = Machine(cpus=2)
    if isinstance(design, str):
        design = designs[design]
    new: World = make(design, machine, machine.costs)
    new.boot_cache(192, True, True, False)
    return new


def life(new: World) -> None:
    memcg = new.mkdir()
    new.alloc(0, memcg, 30)
    new.advance_to(new.now_ns + 50_000_000)
    new.free(0, memcg, 30)
    new.rmdir(memcg)
    new.drain()
    new.validate()


def test_nothing_is_found_in_a_world_that_keeps_the_rules():
    for name in designs:
        life(world(World, name))


def test_a_callback_before_its_grace_period_is_caught():
    class Hasty(World):
        def _accelerate(self, cpu: Any) -> None:
            super()._accelerate(cpu)
            cpu.done.extend(cpu.wait)
            cpu.wait = []

    with pytest.raises(CorruptionError, match="before its grace period"):
        life(world(Hasty, "4.10"))


def test_a_barrier_that_waits_for_nobody_is_caught():
    class Hasty(World):
        def _barrier(self, task: Any) -> Any:
            for step in super()._barrier(task):
                if not isinstance(step, Block):
                    yield step

    new = world(Hasty, "4.10")
    # Each millisecond a program queues a callback.
    new.spawn(new.program([(9, 1, 0, 0, 0), (7, 1_000_000, 0, 0, 0)]), 500)
    with pytest.raises(CorruptionError, match="before a callback ran"):
        life(new)


def test_cgroup_mutex_under_slab_mutex_is_caught():
    class Crossed(World):
        def _create_work(self, worker: Any, root: Any, memcg: Any) -> Any:
            yield Lock(self.slab_mutex)
            yield Lock(self.cgroup_mutex)

    with pytest.raises(CorruptionError, match="taken under slab_mutex"):
        life(world(Crossed, "4.10"))


def test_a_callback_that_overtakes_another_is_caught():
    class Unordered(World):
        def _advance(self, cpu: Any) -> None:
            super()._advance(cpu)
            cpu.done.rotate(1)

    new = world(Unordered, "4.10")
    new.spawn(new.program([(9, 3, 0, 0, 0), (7, 1_000_000, 0, 0, 0)]), 20)
    with pytest.raises(CorruptionError, match="overtakes an older one"):
        life(new)


def test_a_second_deactivation_is_caught():
    class Twice(World):
        def _mark_deactivated(self, cache: Cache) -> None:
            super()._mark_deactivated(cache)
            super()._mark_deactivated(cache)

    with pytest.raises(CorruptionError, match="cache 1 is deactivated twice"):
        life(world(Twice, "4.11"))


def test_a_child_shut_down_before_its_pages_are_uncharged_is_caught():
    class Impatient(World):
        def _offline_work(self, worker: Any, memcg: Memcg) -> Any:
            yield from super()._offline_work(worker, memcg)
            yield from self._destroy_caches(worker, memcg)

    with pytest.raises(CorruptionError, match="while its cgroup has references"):
        life(world(Impatient, "4.11"))


def test_a_child_shut_down_with_objects_is_caught():
    class Impatient(World):
        def _destroy_caches(self, worker: Any, memcg: Memcg) -> Any:
            for cache in memcg.kmem_caches:
                cache.inuse = cache.slabs = 1
            return super()._destroy_caches(worker, memcg)

    with pytest.raises(CorruptionError, match="shut down with objects left"):
        life(world(Impatient, "4.11"))


def destroy(new: World) -> None:
    """Destroy a root cache of which a cgroup has a child in use."""
    memcg = new.mkdir()
    new.alloc(0, memcg, 1)
    new.drain()
    new.alloc(0, memcg, 30)
    with contextlib.suppress(BusyError):
        new.destroy_cache(0)
    new.drain()
    new.validate()


@pytest.mark.parametrize("name", designs)
def test_a_destruction_that_fails_leaves_a_world_in_order(name):
    destroy(world(World, name))


def test_a_root_shut_down_before_its_children_is_caught():
    class Careless(World):
        def _shutdown_children(self, task: Any, root: Cache, later: Any) -> Any:
            yield from self._shutdown(task, root, later)

    new = world(Careless, "4.11")
    memcg = new.mkdir()
    new.alloc(0, memcg, 1)
    new.drain()
    new.alloc(0, memcg, 1)
    new.free(0, 0, 1)
    with pytest.raises(CorruptionError, match="cache 0 is shut down with children"):
        new.destroy_cache(0)


def test_a_shutdown_that_forgets_slabs_is_caught():
    class Careless(World):
        def _shrink(self, cpu: Any, cache: Cache) -> int:
            return 0

    new = world(Careless, "4.10")
    new.alloc(0, 0, 1)
    new.free(0, 0, 1)
    with pytest.raises(CorruptionError, match="cache 0 is shut down with slabs"):
        new.destroy_cache(0)


def test_sharing_a_child_is_caught():
    class Careless(World):
        def _find_mergeable(self, *kind: Any) -> Any:
            return 0, next(iter(self.roots[0].children))

    new = world(Careless, "4.10")
    new.alloc(0, new.mkdir(), 1)
    new.drain()
    with pytest.raises(CorruptionError, match="cache 1 is no root to share"):
        new.create_cache(192, False, False, False)


def test_a_cache_freed_while_its_kobject_is_held_is_caught():
    class Careless(World):
        def _put_kobject(self, cache: Cache, cpu: Any) -> None:
            self._last_reference(cache, cpu)

    with pytest.raises(CorruptionError, match="cache 1 is freed while it is in use"):
        life(world(Careless, "4.10"))


def test_a_child_of_a_dying_root_is_caught():
    class Careless(World):
        def _create_work(self, worker: Any, root: Cache, memcg: Memcg) -> Any:
            runs = 0
            for step in super()._create_work(worker, root, memcg):
                yield step
                runs += isinstance(step, Run)
                root.dying = runs == 2  # after the look at it, before the creation

    with pytest.raises(CorruptionError, match="cache 0 is dying and gets another"):
        life(world(Careless, "4.11"))


def test_a_deactivation_of_a_cache_that_is_gone_is_caught():
    class Forgetful(World):
        def _deactivate_work(self, worker: Any, cache: Cache) -> Any:
            cache.live = False
            yield from super()._deactivate_work(worker, cache)
            cache.live = True

    forgetful = world(Forgetful, "4.11")
    life(forgetful)
    (finding,) = forgetful.counters()["findings"]
    assert finding["id"] == "work-on-destroyed-cache"


def test_a_child_of_an_offline_cgroup_is_caught():
    class Careless(World):
        def _create_work(self, worker: Any, root: Cache, memcg: Memcg) -> Any:
            for step in super()._create_work(worker, root, memcg):
                memcg.online = False
                yield step

    with pytest.raises(CorruptionError, match="gets a cache of cache 0 offline"):
        life(world(Careless, "4.11"))


def test_a_second_child_of_one_cgroup_is_caught():
    class Careless(World):
        def _create_work(self, worker: Any, root: Cache, memcg: Memcg) -> Any:
            yield from super()._create_work(worker, root, memcg)
            memcg.refs += 1
            self.creations_pending += 1
            root.slots.clear()
            yield from super()._create_work(worker, root, memcg)

    with pytest.raises(CorruptionError, match="or a second one"):
        life(world(Careless, "4.11"))


def test_cgroup_mutex_under_the_hotplug_lock_is_caught():
    class Crossed(World):
        def _create_work(self, worker: Any, root: Any, memcg: Any) -> Any:
            yield Hotplug(write=False)
            yield Lock(self.cgroup_mutex)

    with pytest.raises(CorruptionError, match="taken under the hotplug lock"):
        life(world(Crossed, "4.10"))


def test_the_hotplug_lock_under_slab_mutex_is_caught():
    class Crossed(World):
        def _lock_caches(self) -> Any:
            yield Lock(self.slab_mutex)
            yield Hotplug(write=False)

    with pytest.raises(CorruptionError, match="hotplug lock is taken under slab_mutex"):
        life(world(Crossed, "4.10"))


def test_a_read_that_returns_with_a_mutex_held_is_caught():
    class Forgetful(World):
        def _unlock(self, mutex: Mutex) -> None:
            if mutex is not self.slab_mutex:
                super()._unlock(mutex)

    new = world(Forgetful, "4.10")
    with pytest.raises(CorruptionError, match="a read returns with slab_mutex held"):
        new.read(new.open(0), 4096)


def test_a_cache_shut_down_while_it_has_references_is_caught():
    class Impatient(World):
        def _kill(self, cpu: Any, cache: Cache) -> None:
            self._queue_work(cpu, self.deactivate_queue, Work("shutdown", cache))

    with pytest.raises(CorruptionError, match="cache 1 is shut down while it has"):
        life(world(Impatient, REPARENTING))


def test_a_cgroup_freed_with_caches_left_is_caught():
    class Forgetful(World):
        def _reparent(self, worker: Any, memcg: Memcg) -> Any:
            self._css_put(worker.cpu, memcg, len(memcg.kmem_caches))
            yield Run(0)

    new = world(Forgetful, REPARENTING)
    memcg = new.mkdir()
    new.alloc(0, memcg, 1)
    new.drain()
    new.alloc(0, memcg, 30)
    new.rmdir(memcg)
    with pytest.raises(CorruptionError, match="cgroup 1 is freed with caches left"):
        new.drain()


@pytest.mark.parametrize(
    ("design", "put", "complaint"),
    [
        (SERIES, "_css_put", "a css has fewer than no references"),
        (REPARENTING, "_cache_put", "a cache has fewer than no references"),
        (OBJECTS, "_objcg_put", "an obj_cgroup has fewer than no references"),
    ],
)
def test_a_reference_dropped_twice_is_caught(design, put, complaint):
    def twice(self: World, cpu: Any, thing: Any, count: int) -> None:
        for _ in range(2):
            getattr(World, put)(self, cpu, thing, count)

    careless = type("Careless", (World,), {put: twice})
    with pytest.raises(CorruptionError, match=complaint):
        life(world(careless, design))


@pytest.mark.parametrize("name", ["4.6", "4.10", "4.11"])
def test_no_slab_does_not_mean_no_page_on_its_way_back(name):
    """Why a typesafe cache's end waits for a barrier, not for its last slab."""
    new = world(World, name)
    memcg = new.mkdir()
    new.alloc(0, memcg, 1)
    new.drain()
    new.alloc(0, memcg, 30)
    (child,) = new.memcgs[memcg].kmem_caches
    new.rmdir(memcg)
    new.drain()
    new.free(0, memcg, 30)
    pending = [callback.arg for callback in new._callbacks() if callback.kind == "slab"]
    assert child.slabs == 0 and child.inuse == 0
    assert child in pending
    new.validate()

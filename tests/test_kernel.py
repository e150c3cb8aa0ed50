"""The face of a world: names and paths, and what it refuses in one line."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import slabcore
from slabcore import _core
from slabcore.designs import designs
from slabcore.errors import (
    BusyError,
    InputError,
    LifecycleError,
    SlabcoreError,
    StaleHandleError,
)
from slabcore.kernel import TIMELINE, Cache, Kernel, Memcg, ms, seconds, us
from slabcore.machine import Machine

MKDIR, RMDIR, FORK, JOIN, ALLOC, PIN, SLEEP, RUN, WAIT = 1, 2, 3, 4, 5, 6, 7, 8, 11


@pytest.fixture
def kernel(engine: Any) -> Kernel:
    kernel = Kernel("4.11", machine=Machine(cpus=2), engine=engine)
    kernel.create_cache("dentry", object_size=192, accounted=True, reclaimable=True)
    return kernel


# --- booting ---


def test_a_kernel_is_booted_at_time_0(engine):
    kernel = Kernel("4.8", engine=engine)
    assert kernel.now_ns == 0
    assert kernel.design is designs["4.7"]
    assert kernel.machine == Machine()
    assert kernel.seed == 0
    assert repr(kernel) == "<Kernel '4.7': 0 ns since boot>"


def test_a_design_may_be_a_name_or_one_of_your_own(engine):
    mine = designs["4.9"].replace(create_queue="ordered")
    assert Kernel(mine, engine=engine).design is mine


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"design": "6.18"},
            "design: '6.18' is not known; expected 6.12 (nearest)",
        ),
        (
            {"design": "4.9", "walk": "run"},
            "walk: 'run' is not known; expected counted or literal",
        ),
        (
            {"design": "4.9", "engine": "gpu"},
            "engine: 'gpu' is not known; expected core or reference",
        ),
        (
            {"design": "4.9", "machine": 3},
            "machine: 3 is none; expected a Machine",
        ),
        (
            {"design": "4.9", "sample_ns": 1.5},
            "Kernel: sample_ns is 1.5; expected a whole number",
        ),
        (
            {"design": "4.9", "sample_ns": 0},
            "sample_ns: 0 is no interval; expected over 0 ns",
        ),
    ],
)
def test_a_kernel_that_cannot_be_booted(arguments, text):
    with pytest.raises(InputError) as refusal:
        Kernel(**arguments)
    assert str(refusal.value) == text


# --- caches ---


def test_a_cache_is_of_boot_and_free_until_time_has_begun(kernel):
    kernel.create_cache("filp", object_size=256)
    assert kernel.now_ns == 0
    kernel.advance(1)
    filp = kernel.create_cache("late", object_size=256)
    assert kernel.now_ns > 1
    assert filp == Cache("late", 2)
    assert kernel.counters["caches"]["live"] == 3
    assert kernel.counters["list_hops"]["create"] == 2


@pytest.mark.parametrize("size", [8, 192, 1 << 22])
def test_an_object_is_8_bytes_to_4_mib(kernel, size):
    assert kernel.create_cache("odd", object_size=size).name == "odd"


@pytest.mark.parametrize("size", [0, 7, (1 << 22) + 1])
def test_a_size_that_no_object_has(kernel, size):
    with pytest.raises(InputError) as refusal:
        kernel.create_cache("odd", object_size=size)
    assert str(refusal.value) == (
        f"create_cache 'odd': object_size is {size}; expected 8 to 4194304 bytes"
    )


def test_a_cache_s_name_is_taken_once(kernel):
    with pytest.raises(InputError) as refusal:
        kernel.create_cache("dentry", object_size=64)
    assert str(refusal.value) == "create_cache: 'dentry' exists; expected a new name"


def test_a_cache_goes_by_its_name_or_itself(kernel):
    web = kernel.mkdir("/web")
    dentry = Cache("dentry", 0)
    kernel.alloc("dentry", "/web", 2)
    kernel.alloc(dentry, web)
    kernel.free(dentry, "/web", 3)
    with pytest.raises(LifecycleError) as refusal:
        kernel.alloc("dentri", web)
    assert str(refusal.value) == "'dentri' is no cache; alloc needs a root cache"


@pytest.mark.parametrize("call", ["alloc", "pin"])
def test_an_interrupt_ends_an_allocation_with_its_object(call):
    kernel = Kernel("4.11", machine=Machine(cpus=2))
    kernel.create_cache("dentry", object_size=192, accounted=True, reclaimable=True)
    kernel.mkdir("/web")
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            getattr(kernel, call)("dentry", "/web", 2**31 - 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    kernel.validate()
    kernel.drain()
    assert kernel.counters["virtual_ns"] <= kernel.now_ns
    held = sum(cache.objects for cache in kernel.caches())
    assert 0 < held < 2**31 - 1
    now = kernel.now_ns
    if call == "pin":
        kernel.drop_caches()
    else:
        kernel.free("dentry", "/web", held)
    kernel.alloc("dentry", "/web", 3)
    assert kernel.now_ns > now
    kernel.rmdir("/web")
    kernel.drain()
    kernel.validate()
    assert sum(cache.objects for cache in kernel.caches()) == 3


@pytest.mark.parametrize("what", ["alloc", "pin", "free"])
@pytest.mark.parametrize("count", [0, -1])
def test_no_objects_are_no_count(kernel, what, count):
    with pytest.raises(InputError) as refusal:
        getattr(kernel, what)("dentry", "/", count)
    assert str(refusal.value) == f"{what}: count is {count}; expected 1 or more objects"


@pytest.mark.parametrize("what", ["alloc", "pin", "free"])
@pytest.mark.parametrize("count", [1.5, "3", None])
def test_a_count_of_objects_is_a_whole_number(kernel, what, count):
    with pytest.raises(InputError) as refusal:
        getattr(kernel, what)("dentry", "/", count)
    assert str(refusal.value) == (
        f"{what}: count is {count!r}; expected a whole number"
    )


@pytest.mark.parametrize("what", ["alloc", "pin", "free"])
def test_no_call_is_for_2_31_objects(kernel, what):
    with pytest.raises(
        InputError, match=r"count is 2147483648; expected under 2\*\*31"
    ):
        getattr(kernel, what)("dentry", "/", 1 << 31)


@pytest.mark.parametrize("what", ["alloc", "pin", "free"])
def test_what_is_no_cache_and_no_cgroup(kernel, what):
    call = getattr(kernel, what)
    with pytest.raises(InputError) as refusal:
        call(None, "/")
    assert str(refusal.value) == (
        f"{what}: None is no cache; expected a Cache or its name"
    )
    with pytest.raises(InputError) as refusal:
        call("dentry", 0)
    assert str(refusal.value) == f"{what}: 0 is no cgroup; expected a Memcg or its path"


def test_a_handle_is_of_the_kernel_that_gave_it_out(kernel, engine):
    other = Kernel("4.11", machine=Machine(cpus=2), engine=engine)
    theirs = other.create_cache("dentry", object_size=192)
    web = other.mkdir("/web")
    mine = kernel.mkdir("/web")
    assert (theirs, web) == (Cache("dentry", 0), mine)
    assert "owner" not in repr(web)
    before = kernel.state()
    calls = {
        "alloc": lambda: kernel.alloc(theirs, mine),
        "pin": lambda: kernel.pin(theirs, mine),
        "free": lambda: kernel.free(theirs, mine),
        "destroy_cache": lambda: kernel.destroy_cache(theirs),
    }
    for what, call in calls.items():
        with pytest.raises(InputError) as refusal:
            call()
        assert str(refusal.value) == (
            f"{what}: Cache(name='dentry', number=0) is another kernel's; expected one "
            "of this one"
        )
    calls = {
        "alloc": lambda: kernel.alloc("dentry", web),
        "pin": lambda: kernel.pin("dentry", web),
        "free": lambda: kernel.free("dentry", web),
        "rmdir": lambda: kernel.rmdir(web),
    }
    for what, call in calls.items():
        with pytest.raises(InputError) as refusal:
            call()
        assert str(refusal.value) == (
            f"{what}: {web!r} is another kernel's; expected one of this one"
        )
    assert kernel.state() == before


def test_the_root_cgroup_has_no_caches_of_its_own(kernel):
    kernel.alloc("dentry", "/", 5)
    kernel.drain()
    assert kernel.counters["misses"] == 0
    kernel.free("dentry", "/", 5)


# --- cgroups ---


def test_paths_nest(kernel):
    kernel.mkdir("/web")
    inner = kernel.mkdir("/web/php")
    assert inner.path == "/web/php"
    with pytest.raises(BusyError):
        kernel.rmdir("/web")
    kernel.rmdir(inner)
    kernel.rmdir("/web")


@pytest.mark.parametrize("path", ["/", "web", "web/", "/web/", "//", "/a//b", "", None])
def test_a_path_begins_at_the_root_and_names_each_cgroup(kernel, path):
    with pytest.raises(InputError) as refusal:
        kernel.mkdir(path)
    assert str(refusal.value) == (
        f"mkdir: {path!r} is no path; expected a path such as /web"
    )


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        (".", "mkdir: '.' is there; expected a name of its own"),
        ("..", "mkdir: '..' is there; expected a name of its own"),
        ("cgroup.stat", "mkdir: 'cgroup.stat' is there; expected a name of its own"),
        (
            "a\0",
            "mkdir: 'a\\x00' is no name; expected no NUL and no end of a line in it",
        ),
        ("a\n", "mkdir: 'a\\n' is no name; expected no NUL and no end of a line in it"),
        ("ä" * 128, "mkdir: the name has 256 bytes; expected 1 to 255"),
    ],
)
def test_a_name_that_no_cgroup_has(kernel, name, refusal):
    kernel.mkdir("/web")
    for path in (f"/{name}", f"/web/{name}"):
        with pytest.raises(InputError) as refused:
            kernel.mkdir(path)
        assert str(refused.value) == refusal
    assert kernel.mkdir("/" + "ä" * 127 + "x").path.endswith("x")


def test_a_parent_must_be_there(kernel):
    with pytest.raises(InputError) as refusal:
        kernel.mkdir("/web/php")
    assert str(refusal.value) == (
        "mkdir: there is no cgroup '/web'; expected its parent"
    )


def test_a_path_is_taken_until_it_is_removed(kernel):
    first = kernel.mkdir("/web")
    with pytest.raises(InputError) as refusal:
        kernel.mkdir("/web")
    assert str(refusal.value) == "mkdir: '/web' exists; expected a new path"
    kernel.rmdir("/web")
    second = kernel.mkdir("/web")
    assert first.path == second.path
    assert first.handle != second.handle
    # The name is the new cgroup's; the old one answers to nothing.
    with pytest.raises(LifecycleError):
        kernel.alloc("dentry", first)
    kernel.drain()
    with pytest.raises(StaleHandleError):
        kernel.alloc("dentry", first)
    kernel.alloc("dentry", "/web")


def test_a_stale_cgroup_s_removal_leaves_its_path_to_the_next_one(kernel):
    first = kernel.mkdir("/web")
    kernel.rmdir(first)
    kernel.mkdir("/web")
    with pytest.raises(LifecycleError):
        kernel.rmdir(first)
    kernel.rmdir("/web")


def test_a_path_that_is_no_cgroup_s(kernel):
    for call in (kernel.rmdir, lambda path: kernel.alloc("dentry", path)):
        with pytest.raises(StaleHandleError) as refusal:
            call("/web")
        assert str(refusal.value) == "'/web' is no cgroup; expected a live one's path"


def test_a_refused_removal_leaves_the_path(kernel):
    kernel.mkdir("/web")
    kernel.mkdir("/web/php")
    with pytest.raises(BusyError):
        kernel.rmdir("/web")
    kernel.rmdir("/web/php")
    kernel.rmdir("/web")


# --- ids of memory cgroups ---

ENOSPC = "No space left on device (ENOSPC)"
ENOMEM = "Cannot allocate memory (ENOMEM)"


@pytest.mark.parametrize(("name", "error"), [("4.6", ENOSPC), ("4.7", ENOMEM)])
def test_there_are_65_535_ids_one_of_them_the_root_s(engine, name, error):
    """Kubernetes issue 61937 has the first error; since 73f576c04b94 it is another."""
    kernel = Kernel(name, machine=Machine(cpus=1), engine=engine)
    for number in range(65_534):
        kernel.mkdir(f"/{number}")
    with pytest.raises(LifecycleError) as refusal:
        kernel.mkdir("/more")
    assert str(refusal.value) == (
        f"mkdir: {error}: all 65535 memory cgroup ids are in use; 0 cgroups are dying"
    )
    kernel.rmdir("/700")
    kernel.drain()
    kernel.mkdir("/more")
    kernel.validate()


@pytest.mark.parametrize("kmem", ["default", "off"])
@pytest.mark.parametrize("name", designs)
def test_up_to_4_6_dying_cgroups_keep_their_ids(engine, name, kmem):
    machine = Machine(cpus=1, max_memcgs=40, kmem=kmem, charge_caches=False)
    kernel = Kernel(name, machine=machine, engine=engine)
    kernel.create_cache("dentry", object_size=192, accounted=True, reclaimable=True)

    def come_and_go(path: str) -> None:
        kernel.mkdir(path)
        kernel.alloc("dentry", path)
        kernel.drain()
        kernel.pin("dentry", path)
        kernel.rmdir(path)
        kernel.drain()

    come_and_go("/probe")
    die_slowly = kernel.counters["cgroups"]["dying"]
    if die_slowly and designs[name].memcg_ids == "css-id":
        for number in range(38):
            come_and_go(f"/{number}")
        with pytest.raises(LifecycleError) as refusal:
            kernel.mkdir("/more")
        assert str(refusal.value) == (
            f"mkdir: {ENOSPC}: all 40 memory cgroup ids are in use; "
            "39 cgroups are dying"
        )
        # One is there to be seen: the root. With the dentries the ids come back.
        assert kernel.counters["cgroups"]["live"] == 39
        kernel.drop_caches()
        kernel.drain()
        kernel.mkdir("/more")
    else:
        for number in range(100):
            come_and_go(f"/{number}")
        assert kernel.counters["cgroups"]["dying"] == 101 * die_slowly
    kernel.validate()


@pytest.mark.parametrize(("name", "failures"), [("4.6", 61), ("4.7", 0)])
def test_a_program_s_mkdir_fails_too(engine, name, failures):
    machine = Machine(cpus=1, max_memcgs=40, charge_caches=False)
    kernel = Kernel(name, machine=machine, engine=engine)
    kernel.create_cache("dentry", object_size=192, accounted=True, reclaimable=True)
    job = [(JOIN, 0, 0, 0, 0), (ALLOC, 0, 1, 1, 0), (SLEEP, ms(20), 0, 0, 0)]
    child = kernel.program([*job, (PIN, 0, 1, 1, 0)])
    life = [(MKDIR, 0, 0, 0, 0), (FORK, child, 0, 0, 0), (WAIT, 0, 0, 0, 0)]
    loop = kernel.program([*life, (RMDIR, 0, 0, 0, 0), (SLEEP, ms(200), 0, 0, 0)])
    kernel.spawn(loop, repeat=100)
    kernel.run()
    assert kernel.counters["mkdir_failures"] == failures


# --- names of caches ---


def test_caches_are_named_as_the_kernel_names_them(engine):
    """With the id of the css, which a later cgroup gets again; from 4.7, a serial."""

    def names(design: str) -> list[str]:
        kernel = Kernel(design, machine=Machine(cpus=1), engine=engine)
        kernel.create_cache("dentry", object_size=192, accounted=True)
        for path in ("/first", "/first/inner", "/second"):
            kernel.mkdir(path)
            kernel.alloc("dentry", path)
            kernel.drain()
        kernel.alloc("dentry", "/second", 2)
        for path in ("/first/inner", "/second"):
            kernel.rmdir(path)
        kernel.drain()
        for path in ("/third", "/second"):
            kernel.mkdir(path)
            kernel.alloc("dentry", path)
            kernel.drain()
        kernel.validate()
        caches = kernel.caches()
        assert [cache.root for cache in caches] == ["dentry"] * len(caches)
        assert [cache.cgroup for cache in caches] == [
            "/",
            "/first",
            "/second",  # the removed one, kept by its objects
            "/third",
            "/second",
        ]
        assert [cache.dying for cache in caches] == [False, False, True, False, False]
        assert [cache.objects for cache in caches] == [5, 0, 2, 0, 0]
        assert [cache.slabs > 0 for cache in caches] == [
            True,
            False,
            True,
            False,
            False,
        ]
        return [cache.name for cache in caches]

    assert names("4.6") == [
        "dentry",
        "dentry(2:first)",
        "dentry(4:second)",
        "dentry(3:third)",
        "dentry(5:second)",
    ]
    assert names("4.7") == [
        "dentry",
        "dentry(1:first)",
        "dentry(3:second)",
        "dentry(4:third)",
        "dentry(5:second)",
    ]


def test_the_cgroups_of_programs_are_called_by_their_number(engine):
    kernel = Kernel("4.11", machine=Machine(cpus=1), engine=engine)
    kernel.create_cache("dentry", object_size=192, accounted=True)
    kernel.mkdir("/mine")
    life = [(MKDIR, 0, 0, 0, 0), (JOIN, 0, 0, 0, 0), (ALLOC, 0, 1, 1, 0)]
    kernel.spawn(kernel.program(life))
    kernel.drain()
    assert [(cache.name, cache.cgroup) for cache in kernel.caches()] == [
        ("dentry", "/"),
        ("dentry(2:cgroup-2)", "/cgroup-2"),
    ]


def test_a_merged_cache_keeps_its_first_name(engine):
    kernel = Kernel("5.9", engine=engine)
    kernel.create_cache("dentry", object_size=192, mergeable=True)
    kernel.advance(ms(1))
    kernel.create_cache("names", object_size=192, mergeable=True)
    kernel.destroy_cache("dentry")
    assert [cache.name for cache in kernel.caches()] == ["dentry"]
    kernel.destroy_cache("names")
    assert kernel.caches() == []


def test_a_busy_cache_is_freed_by_its_name_and_taken_up_by_a_new_one(engine):
    kernel = Kernel("4.11", engine=engine)
    kernel.create_cache("dentry", object_size=192, mergeable=True)
    kernel.alloc("dentry", "/", 2)
    with pytest.raises(BusyError, match="the cache still has objects"):
        kernel.destroy_cache("dentry")
    with pytest.raises(LifecycleError, match="is destroyed; alloc needs"):
        kernel.alloc("dentry", "/")
    with pytest.raises(LifecycleError, match="is destroyed; destroy_cache"):
        kernel.destroy_cache("dentry")
    kernel.free("dentry", "/")
    dentry = kernel.create_cache("dentry", object_size=185, mergeable=True)
    assert dentry.number == 0
    kernel.free("dentry", "/")
    kernel.destroy_cache(dentry)
    kernel.drain()
    assert kernel.counters["caches"]["live"] == 0
    assert kernel.counters["roots"] == {
        "created": 1,
        "aliases": 1,
        "destroyed": 1,
        "destroy_failed": 1,
    }
    with pytest.raises(StaleHandleError, match="the root cache of this number is gone"):
        kernel.alloc(dentry, "/")
    with pytest.raises(LifecycleError, match="'dentry' is no cache"):
        kernel.destroy_cache("dentry")


@pytest.mark.parametrize(
    ("size", "kind", "mergeable", "hops", "shared"),
    [
        (192, {}, True, 2, True),  # the oldest is too small
        (187, {}, None, 2, True),
        (192, {}, False, 0, False),
        (200, {}, True, 2, False),
        (184, {}, True, 2, False),
        (192, {"reclaimable": True}, True, 2, False),
        (192, {"accounted": True}, True, 2, False),
        (192, {"typesafe": True}, True, 0, False),
    ],
)
def test_who_shares_a_cache(engine, size, kind, mergeable, hops, shared):
    kernel = Kernel("5.9", engine=engine)
    kernel.create_cache("old", object_size=64, mergeable=True)
    kernel.create_cache("dentry", object_size=192, mergeable=True)
    kernel.advance(ms(1))
    new = kernel.create_cache("new", object_size=size, mergeable=mergeable, **kind)
    assert kernel.counters["list_hops"]["create"] == hops
    assert (new.number == 1) == shared
    assert kernel.counters["roots"]["aliases"] == shared


def test_the_first_mergeable_from_the_oldest_on_is_shared(engine):
    kernel = Kernel("5.9", engine=engine)
    for name in ("a", "b", "c"):
        kernel.create_cache(name, object_size=192, mergeable=name != "a")
    kernel.advance(ms(1))
    assert kernel.create_cache("d", object_size=192).number == 1
    assert kernel.counters["list_hops"]["create"] == 2


def test_6_12_loses_a_root_that_is_destroyed_with_objects_left(engine):
    kernel = Kernel("6.12", engine=engine)
    kernel.create_cache("dentry", object_size=192, mergeable=True)
    kernel.alloc("dentry", "/", 2)
    with pytest.raises(BusyError):
        kernel.destroy_cache("dentry")
    assert kernel.state()["slab_caches"] == []
    caches = kernel.counters["caches"]
    assert (caches["live"], caches["leaked"]) == (1, 1)
    assert kernel.counters["kernfs_nodes"] == 0
    kernel.free("dentry", "/", 2)
    kernel.drain()
    kernel.validate()
    assert kernel.create_cache("dentry", object_size=192, mergeable=True).number == 1


def test_a_kernel_without_children_has_its_own_caches_only(engine):
    kernel = Kernel("5.9", engine=engine)
    kernel.create_cache("dentry", object_size=192, accounted=True)
    kernel.mkdir("/a")
    kernel.alloc("dentry", "/a")
    assert [cache.name for cache in kernel.caches()] == ["dentry"]


# --- time ---


def test_calls_take_the_time_of_the_kernel_s(kernel):
    before = kernel.now_ns
    kernel.mkdir("/web")
    assert kernel.now_ns - before >= kernel.machine.costs.cgroup_mkdir


def test_time_is_advanced_by_so_much_or_to_a_moment(kernel):
    kernel.advance(ms(20))
    assert kernel.now_ns == ms(20)
    kernel.advance_to(seconds(1))
    assert kernel.now_ns == seconds(1)
    kernel.advance_to(seconds(1))
    with pytest.raises(InputError) as refusal:
        kernel.advance_to(5)
    assert str(refusal.value) == (
        "advance_to: 5 ns is past; expected 1000000000 ns or later"
    )


def test_time_is_advanced_by_whole_nanoseconds_and_not_back(kernel):
    for call, error in {
        lambda: kernel.advance(-1): "advance: ns is -1; expected 0 ns or more",
        lambda: kernel.advance(1.5): "advance: ns is 1.5; expected a whole number",
        lambda: kernel.advance_to(1.5): (
            "advance_to: when_ns is 1.5; expected a whole number"
        ),
        lambda: kernel.create_cache("a", object_size=64.5): (
            "create_cache: object_size is 64.5; expected a whole number"
        ),
    }.items():
        with pytest.raises(InputError) as refusal:
            call()
        assert str(refusal.value) == error
    kernel.advance(np.int64(5))
    assert kernel.now_ns == 5


def test_time_ends(kernel):
    with pytest.raises(InputError) as refusal:
        kernel.advance_to(2**62)
    assert str(refusal.value) == (
        f"advance_to: when_ns is {2**62}; expected under 2**62 ns"
    )
    with pytest.raises(InputError, match=r"expected under 2\*\*62 ns"):
        kernel.advance(2**62)
    assert kernel.now_ns == 0


@pytest.mark.parametrize(
    ("program", "options", "error"),
    [
        (0.0, {}, "program is 0.0; expected a whole number"),
        (0, {"repeat": 1.5}, "repeat is 1.5; expected a whole number"),
        (0, {"repeat": -1}, "repeat is -1; expected 0 to 2**62 - 1"),
        (0, {"at_ns": -1}, "at_ns is -1; expected 0 to 2**62 - 1 ns"),
        (0, {"until_ns": 2**62}, f"until_ns is {2**62}; expected 0 to 2**62 - 1 ns"),
    ],
)
def test_a_program_is_started_at_a_time_and_so_often(kernel, program, options, error):
    kernel.program([(MKDIR, 0, 0, 0, 0)])
    with pytest.raises(InputError) as refusal:
        kernel.spawn(program, **options)
    assert str(refusal.value) == f"spawn: {error}"


def test_units_are_whole_nanoseconds():
    assert (us(1.5), ms(20), seconds(0.25)) == (1_500, 20_000_000, 250_000_000)
    assert all(type(unit(1)) is int for unit in (us, ms, seconds))


def test_what_is_due_at_a_moment_has_happened_then(kernel):
    kernel.spawn(kernel.program([(MKDIR, 0, 0, 0, 0)]), at_ns=ms(30))
    kernel.advance_to(ms(30) - 1)
    assert kernel.counters["locks"]["cgroup_mutex"]["holds"] == 0
    kernel.advance_to(ms(31))
    assert kernel.counters["cgroups"]["created"] == 1


# --- programs ---


def test_a_program_is_repeated(kernel):
    number = kernel.program([(SLEEP, ms(5), 0, 0, 0)])
    kernel.spawn(number, repeat=4)
    kernel.run()
    assert kernel.counters["iterations"] == 4
    assert ms(20) <= kernel.now_ns < ms(21)
    assert kernel.counters["virtual_ns"] == kernel.now_ns


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        (3, "program: 3 is no list; expected a list of steps (op, a, b, c, d)"),
        ([3], "program: step 0: 3 is none; expected whole numbers (op, a, b, c, d)"),
        (
            [(SLEEP, 1, 0, 0, 0), (SLEEP, 0.5, 0, 0, 0)],
            f"program: step 1: ({SLEEP}, 0.5, 0, 0, 0) is none; expected whole numbers "
            "(op, a, b, c, d)",
        ),
        (
            [(SLEEP, 1)],
            f"program: step 0: ({SLEEP}, 1) is none; expected whole numbers "
            "(op, a, b, c, d)",
        ),
        (
            [(999, 1, 0, 0, 0)],
            "program: (999, 1, 0, 0, 0) is no step; expected (op, a, b, c, d)",
        ),
    ],
)
def test_what_is_no_program_is_told(steps, error):
    with pytest.raises(InputError) as refusal:
        Kernel("4.9").program(steps)
    assert str(refusal.value) == error


def test_a_program_that_is_not_there_is_not_spawned(kernel):
    with pytest.raises(InputError) as refusal:
        kernel.spawn(0)
    text = "spawn: there is no program 0; expected a program's number"
    assert str(refusal.value) == text
    assert not kernel.counters["virtual_ns"]


def test_no_repetition_starts_after_until(kernel):
    number = kernel.program([(SLEEP, ms(5), 0, 0, 0)])
    kernel.spawn(number, repeat=100, at_ns=ms(10), until_ns=ms(31))
    kernel.run()
    # At 10, 15, 20, 25 and 30 ms, each a little late.
    assert kernel.counters["iterations"] == 5


def test_programs_are_numbered_from_0(kernel):
    assert [kernel.program([(RUN, 1, 0, 0, 0)]) for _ in range(3)] == [0, 1, 2]


# --- what comes out ---


def test_the_timeline_is_columns_sampled_on_virtual_time(engine):
    kernel = Kernel("4.11", engine=engine, sample_ns=ms(100))
    kernel.create_cache("dentry", object_size=192, accounted=True)
    kernel.mkdir("/web")
    kernel.alloc("dentry", "/web")
    kernel.advance_to(ms(950))
    timeline = kernel.timeline
    assert timeline.dtype == TIMELINE
    assert timeline["t_ns"].tolist() == [ms(100) * n for n in range(10)]
    assert timeline["cgroups"].tolist() == [0] + [1] * 9
    assert timeline["caches"].tolist() == [1] + [2] * 9
    assert kernel.counters["cgroups"]["live"] == timeline["cgroups"][-1]


def test_counters_are_whole_numbers_and_delays_an_array(kernel):
    kernel.mkdir("/web")
    kernel.alloc("dentry", "/web")
    kernel.drain()
    counters = kernel.counters
    assert isinstance(counters["creation_delays_ns"], np.ndarray)
    assert counters["creation_delays_ns"].dtype == np.int64
    assert len(counters["creation_delays_ns"]) == 1
    plain = {
        key: value
        for key, value in counters.items()
        if key != "creation_delays_ns" and not isinstance(value, (dict, list))
    }
    loads = {key for key, value in plain.items() if type(value) is float}
    assert loads == {"load1", "load5", "load15", "load1_peak"}
    assert all(type(value) is int for key, value in plain.items() if key not in loads)


def test_counters_are_a_copy(kernel):
    kernel.counters["locks"]["slab_mutex"]["holds"] = 77
    assert kernel.counters["locks"]["slab_mutex"]["holds"] == 0


def test_a_snapshot_validates(kernel):
    kernel.mkdir("/web")
    kernel.validate()
    assert kernel.state()["now"] == kernel.now_ns


def test_two_runs_of_one_world_are_one(engine):
    def run() -> Kernel:
        kernel = Kernel("4.9", machine=Machine(cpus=3), engine=engine)
        kernel.create_cache("dentry", object_size=192, accounted=True, typesafe=True)
        for number in range(5):
            kernel.mkdir(f"/{number}")
            kernel.alloc("dentry", f"/{number}", 3)
        for number in range(5):
            kernel.rmdir(f"/{number}")
        kernel.drain()
        return kernel

    one, other = run(), run()
    assert one.state() == other.state()
    assert one.timeline.tolist() == other.timeline.tolist()


def test_every_error_is_a_slabcore_error():
    for error in (BusyError, InputError, LifecycleError, StaleHandleError):
        assert issubclass(error, SlabcoreError)
    assert issubclass(InputError, ValueError)


def test_names_have_one_home():
    assert slabcore.Kernel is Kernel
    assert slabcore.designs is designs
    assert (slabcore.ms, slabcore.us, slabcore.seconds) == (ms, us, seconds)
    assert Memcg("/", 0) == Memcg("/", 0)


def test_a_kernel_of_the_core_does_not_load_the_reference():
    program = (
        "import sys, slabcore; slabcore.Kernel('4.9').mkdir('/web'); "
        "assert 'slabcore.reference' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_caches_of_a_cgroup_have_to_be_on_some_list():
    hidden = designs["4.10"].replace(slab_caches="roots")
    with pytest.raises(InputError, match="slab_caches is roots without memcg_list"):
        Kernel(hidden)


def test_an_unknown_hotplug_is_refused(engine):
    with pytest.raises(InputError) as refusal:
        Kernel("4.11", engine=engine).hotplug("cpu-up")
    assert str(refusal.value) == (
        "hotplug: 'cpu-up' is not known; expected cpu-dead or memory-online or "
        "memory-offline"
    )


def test_a_root_cache_that_a_program_made_has_a_name_too(engine):
    kernel = Kernel("4.10", machine=Machine(cpus=2), engine=engine)
    kernel.create_cache("dentry", object_size=192)
    kernel.spawn(kernel.program([(16, 256, 0, 0, 0)]))
    kernel.run()
    assert [cache.name for cache in kernel.caches()] == ["dentry", "cache-1"]


@pytest.mark.parametrize("name", ["", 3, "a\nb"])
def test_a_cache_has_a_name_that_can_be_printed(name):
    kernel = Kernel("4.10")
    with pytest.raises(InputError, match=r"is no name; expected a name of printable"):
        kernel.create_cache(name, object_size=64)


@pytest.mark.parametrize("name", ["a/b", "/", ".", ".."])
def test_a_cache_has_a_name_that_a_directory_can_have(name):
    with pytest.raises(InputError) as refusal:
        Kernel("4.10").create_cache(name, object_size=64)
    assert str(refusal.value) == (
        f"create_cache: {name!r} is no name; expected one that a directory in "
        "/sys/kernel/slab can have"
    )


@pytest.mark.parametrize("name", ["a b", " a", "x" * 128, "ä" * 64])
def test_a_cache_has_a_name_that_slabtop_reads(name):
    kernel = Kernel("4.10")
    kernel.create_cache("x" * 127, object_size=64)
    with pytest.raises(InputError, match=r"expected no blank and at most 127 bytes"):
        kernel.create_cache(name, object_size=64)


def test_a_world_that_was_never_made_refuses_calls():
    world = _core.World.__new__(_core.World)
    for use in (
        world.counters,
        world.drain,
        world.mkdir,
        world.state,
        world.validate,
        lambda: world.advance_to(5),
        lambda: world.boot_cache(64, True, False, False),
        lambda: world.close(0),
    ):
        with pytest.raises(LifecycleError, match="the world is not there"):
            use()


def test_whole_reads_of_slabinfo_are_an_array(engine):
    kernel = Kernel("4.10", engine=engine)
    for number in range(40):
        kernel.create_cache(f"c{number}", object_size=64)
    assert len(kernel.slabinfo_reads) == 0
    kernel.spawn(kernel.program([(44, 4096, ms(2), 0, 0), (44, 512, 0, 1, 0)]))
    kernel.run()
    reads = kernel.slabinfo_reads
    assert reads["rows"].tolist() == [40, 40]
    assert reads["cursor"].tolist() == [False, True]
    assert reads["took_ns"][0] == reads["held_ns"][0] + 2 * ms(2) + 2 * switch(kernel)
    # 36 rows, 4 rows and the end; a cursor looks at one entry a read, none at the end.
    assert reads["read_calls"].tolist() == [3, (204 + 40 * 107) // 512 + 2]
    assert reads["start_hops"].tolist() == [1 + 37 + 40, 9]
    kept = kernel.counters["slabinfo"]
    assert kept["files"] == 2 and kept["rows"] == 80
    assert kept["held_ns"] == reads["held_ns"].sum()


def switch(kernel):
    return kernel.machine.costs.context_switch

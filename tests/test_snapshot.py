"""A kernel as bytes: what is restored goes on as what was there would have."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
import random
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_random_programs import Ramble

import slabcore
from slabcore import (
    BusyError,
    InputError,
    Kernel,
    LifecycleError,
    Machine,
    StaleHandleError,
    World,
    ms,
    seconds,
)
from slabcore.designs import designs
from slabcore.machine import Costs

DESIGNS = sorted(designs)


def plain(counters: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name, value in counters.items()
    }


def all_of(world: World) -> tuple[Any, ...]:
    """Return all that can be seen of a world."""
    return (
        world.now_ns,
        world.state(),
        plain(world.counters()),
        world.timeline(),
        world.slabinfo_reads(),
        world.log(),
        world.next_event_ns(),
        world.snapshot(),
    )


def wander(ramble: Ramble, steps: int) -> None:
    for _ in range(steps):
        ramble.step()


def beside(ramble: Ramble) -> Ramble:
    """Return one who will do the same in a world restored from the other's."""
    other = object.__new__(Ramble)
    kept = {name: kept for name, kept in vars(ramble).items() if name != "world"}
    other.__dict__ = copy.deepcopy(kept)
    other.world = ramble.world.fork()
    return other


# --- it goes on the same ---


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(st.sampled_from(DESIGNS), st.integers(0, 2**32 - 1), st.integers(0, 90))
def test_a_restored_world_goes_on_the_same(name, seed, before):
    ramble = Ramble(designs[name], seed)
    wander(ramble, before)
    other = beside(ramble)
    assert all_of(other.world) == all_of(ramble.world)
    other.world.validate()
    wander(ramble, 40)
    wander(other, 40)
    assert all_of(other.world) == all_of(ramble.world)
    other.world.validate()


CHILD = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
import test_snapshot
test_snapshot.go_on(pickle.load(sys.stdin.buffer))
"""


def go_on(parcel: dict[str, Any]) -> None:
    """Restore in this process, take the steps, and print the digest of the end."""
    ramble = object.__new__(Ramble)
    ramble.__dict__ = parcel["ramble"]
    ramble.world = parcel["world"]
    wander(ramble, parcel["steps"])
    print(hashlib.sha256(repr(all_of(ramble.world)).encode()).hexdigest())


@pytest.mark.parametrize("name", DESIGNS)
def test_another_process_goes_on_the_same(name):
    ramble = Ramble(designs[name], 17)
    wander(ramble, 60)
    kept = {name: kept for name, kept in vars(ramble).items() if name != "world"}
    parcel = pickle.dumps({"ramble": kept, "world": ramble.world, "steps": 60})
    here = str(Path(__file__).parent)
    told = subprocess.run(
        [sys.executable, "-c", CHILD, here], input=parcel, capture_output=True
    )
    wander(ramble, 60)
    expected = hashlib.sha256(repr(all_of(ramble.world)).encode()).hexdigest()
    assert told.stdout.decode().strip() == expected, told.stderr.decode()


@pytest.mark.parametrize("name", ["4.6", "4.9", "4.11", "5.3", "6.12", "series-v1"])
def test_every_moment_of_a_busy_kernel_can_be_kept(name):
    """At each event of a storm of programs, with a log, from start to rest."""
    machine = Machine(cpus=3, charge_caches=True)
    steps = [
        [(4, 0, 0, 0, 0), (5, 0, 3, 2, 1000), (6, 0, 2, 30, 0), (10, 7, 0, 0, 0)],
        [(1, 0, 0, 0, 0), (3, 0, 2, 0, 0), (11, 0, 0, 0, 0), (2, 0, 0, 0, 0)],
        [(44, 200, 5000, 0, 0), (44, 512, 0, 1, 0), (30, 1, 0, 0, 0)],
        [(16, 64, 3, 0, 0), (14, 0, 9, 0, 0), (15, 0, 9, 0, 0), (17, 0, 0, 0, 0)],
        [(13, 0, 0, 0, 0), (7, ms(1), 0, 0, 0)],
    ]
    world = World(designs[name], machine, machine.costs, log=True)
    for size in (192, 600, 1000):
        world.boot_cache(size, True, size == 600, True)
    programs = [world.program(each) for each in steps]
    for number in programs[1:]:
        world.spawn(number, 4, ms(number), 0)
    moments = 0
    while world.busy and moments < 4000:
        if moments % 7 == 0:
            data = world.snapshot()
            other = World(designs[name], machine, machine.costs, log=True)
            other.restore(data)
            assert other.snapshot() == data
        world.advance_to(world.next_event_ns())
        moments += 1
    other.drain()
    world.drain()
    assert moments > 300
    assert all_of(other)[1:6] == all_of(world)[1:6]


# Costs at which no step ends before the next event: a task is met at each of them.
SLOW = Costs().replace(
    alloc=100_000, page_alloc=300_000, page_free=300_000, list_hop=((1, 10**9),)
)


def forked_at_each_event(kernel: Kernel) -> int:
    """Run until nothing moves; return how many events there were."""
    events = 0
    while not kernel.at_rest:
        kernel.advance_to(kernel.next_event_ns())
        assert kernel.fork().snapshot() == kernel.snapshot()
        events += 1
    return events


def test_a_cache_that_leaked_with_objects_in_flight_is_kept():
    """6.12 takes a cache off its lists while a task is about to free what is in it."""
    kernel = Kernel("6.12", machine=Machine(cpus=2, costs=SLOW))
    dentry = kernel.create_cache("dentry", object_size=192, reclaimable=True)
    kernel.pin(dentry, "/", 90)
    kernel.begin("drop_caches")
    kernel.begin("alloc", dentry, "/", 30)
    for _ in range(2):
        kernel.advance_to(kernel.next_event_ns())
    with pytest.raises(BusyError):
        kernel.destroy_cache(dentry)
    assert kernel.counters["caches"]["leaked"] == 1
    assert kernel.fork().snapshot() == kernel.snapshot()
    assert forked_at_each_event(kernel)


def test_a_cgroup_that_gives_its_objects_to_its_parent_is_kept():
    """It is not accounted any more, and has its obj_cgroup still."""
    kernel = Kernel("6.12", machine=Machine(cpus=2, costs=SLOW))
    dentry = kernel.create_cache("dentry", object_size=192, accounted=True)
    above = kernel.mkdir("/above")
    for name in map(str, range(5)):
        child = kernel.mkdir(f"/above/{name}")
        kernel.alloc(dentry, child, 2)
        kernel.rmdir(child)
        kernel.drain()
    kernel.begin("rmdir", above)
    assert forked_at_each_event(kernel) > 5


@pytest.mark.parametrize("name", ["4.11", "series-v2"])
def test_a_root_whose_children_are_taken_apart_is_kept(name):
    """A child is shut down, and in its slot until it is released."""
    machine = Machine(cpus=2, costs=SLOW.replace(release=500_000))
    world = World(designs[name], machine, machine.costs)
    create, hold, free, destroy = 16, 14, 15, 17
    child = [(4, 0, 0, 0, 0), (hold, 0, 9, 0, 0), (7, ms(9), 0, 0, 0)]
    child += [(hold, 0, 9, 0, 0), (free, 0, 18, 0, 0)]
    parent = [(1, 0, 0, 0, 0), (create, 192, 1, 0, 0)]
    parent += [(3, world.program(child), 0, 0, 0), (11, 0, 0, 0, 0)]
    world.spawn(world.program([*parent, (destroy, 0, 0, 0, 0)]), 1, 0, 0)
    while world.busy:
        world.advance_to(world.next_event_ns())
        world.validate()
        assert world.fork().snapshot() == world.snapshot()
    assert world.counters()["roots"]["destroyed"] == 1


def test_a_busy_kernel_has_all_in_it():
    """What is kept of a storm of programs is not a world at rest."""
    kernel = busy_kernel()
    assert kernel.state()["locks"]["cgroup_mutex"][0]
    assert kernel.snapshot() == Kernel.restore(kernel.snapshot()).snapshot()


def busy_kernel(design: str = "4.9") -> Kernel:
    """Return a kernel in the middle of removing cgroups, with an open file."""
    kernel = Kernel(design, machine=Machine(cpus=2), log=True)
    names = [f"cache{i}" for i in range(4)]
    numbers = kernel.create_caches(
        names,
        object_size=[64, 192, 600, 2000],
        accounted=True,
        reclaimable=True,
        typesafe=[False, True, False, True],
    )
    webs = kernel.mkdir_many([f"/web{i}" for i in range(5)])
    kernel.pin_many(numbers, webs[:, None], 3)
    kernel.advance(ms(20))
    kernel.drop_caches()
    for i in range(4):
        kernel.begin("rmdir", f"/web{i}")
    kernel.watch("freed", "/web0")
    while not kernel.state()["locks"]["cgroup_mutex"][0]:
        kernel.advance_to(kernel.next_event_ns())
    return kernel


# --- a kernel, its names and handles ---


def test_a_kernel_is_restored_with_its_names():
    kernel = Kernel("4.9", seed=7, log=True, sample_ns=ms(5))
    dentry = kernel.create_cache("dentry", object_size=192, accounted=True)
    web = kernel.mkdir("/web")
    kernel.alloc(dentry, web, 5)
    kernel.advance(ms(30))
    other = Kernel.restore(kernel.snapshot())
    assert other.design is designs["4.9"]
    assert (other.seed, other.machine) == (7, kernel.machine)
    assert other.caches() == kernel.caches()
    assert other.listdir("/") == kernel.listdir("/")
    assert list(other.ftrace()) == list(kernel.ftrace())
    for one in (kernel, other):
        one.free("dentry", "/web", 5)
        one.rmdir("/web")
        one.drain()
    assert plain(other.counters) == plain(kernel.counters)
    assert other.snapshot() == kernel.snapshot()
    with pytest.raises(InputError, match="another kernel's"):
        other.alloc(dentry, "/web")


def test_a_design_and_costs_of_ones_own_are_in_it():
    design = designs["4.10"].with_("async-deactivation")
    costs = Costs.preset("rk").replace(source="a guess", ipi=77)
    kernel = Kernel(design, machine=Machine(cpus=3, allocator="slab", costs=costs))
    other = Kernel.restore(kernel.snapshot())
    assert other.design == design
    assert other.machine == kernel.machine
    assert other.machine.costs.sources["ipi"] == "a guess"


def test_what_was_begun_is_told_by_both():
    kernel = busy_kernel()
    kernel.begin("mkdir", "/new")
    kernel.begin("rmdir", "/web4")
    for _ in range(200):
        kernel.advance_to(kernel.next_event_ns())
    kernel.listdir("/")  # what has finished is taken up
    other = Kernel.restore(kernel.snapshot())
    for one in (kernel, other):
        one.drain()
    told = [[*map(str, one.finished())] for one in (kernel, other)]
    assert told[0] == told[1] and len(told[0]) > 4
    assert other.listdir("/") == kernel.listdir("/")


def test_an_open_file_goes_on_where_it_was():
    kernel = Kernel("4.9")
    for i in range(80):
        kernel.create_cache(f"cache-{i}", object_size=192)
    web = kernel.mkdir("/web")
    files = [
        kernel.open("/proc/slabinfo"),
        kernel.open("/proc/slabinfo", reader="cursor"),
        kernel.open("/web/memory.kmem.slabinfo"),
        kernel.open("/proc/loadavg"),
    ]
    for file in files:
        file.read(600)
    closed = kernel.open("/proc/cgroups")
    kernel.rmdir(web)
    closed.close()
    other = Kernel.restore(kernel.snapshot())
    again = other.reopen()
    assert [file.name for file in again] == [file.name for file in files]
    assert other.reopen() == []
    for one in (kernel, other):
        one.destroy_cache("cache-79")
    for file, twin in zip(files[:2], again[:2], strict=True):
        assert file.read() == twin.read()
    assert other.snapshot() == kernel.snapshot()


@pytest.mark.parametrize("path", ["/proc/slabinfo", "/proc/cgroups", "/cgroup.stat"])
@pytest.mark.parametrize("reader", ["kernel", "cursor"])
def test_a_file_is_open_where_there_are_no_caches(path, reader):
    kernel = Kernel("4.14")
    file = kernel.open(path, reader=reader)
    (again,) = Kernel.restore(kernel.snapshot()).reopen()
    assert again.read() == file.read()


def test_handles_from_before_a_fork_are_good_for_both():
    kernel = Kernel("4.6")
    dentry = kernel.create_cache("dentry", object_size=192, accounted=True)
    web = kernel.mkdir("/web")
    other = kernel.fork()
    for one in (kernel, other):
        one.alloc(dentry, web)
    late = kernel.mkdir("/late")
    other.mkdir("/late")
    with pytest.raises(InputError, match="another kernel's"):
        other.alloc(dentry, late)
    kernel.rmdir(web)
    other.alloc(dentry, web)
    assert kernel.listdir("/") != other.listdir("/")


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, Kernel.fork])
def test_a_copy_goes_on_by_itself(way):
    kernel = busy_kernel()
    before = kernel.snapshot()
    other = way(kernel)
    assert other.snapshot() == before
    other.drain()
    assert kernel.snapshot() == before
    kernel.drain()
    assert kernel.snapshot() == other.snapshot()


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda all_: pickle.loads(pickle.dumps(all_))]
)
def test_handles_that_are_copied_along_are_the_copys(way, order):
    kernel = Kernel("4.6")
    dentry = kernel.create_cache("dentry", object_size=192, accounted=True)
    everything = {"kernel": kernel, "dentry": dentry, "web": kernel.mkdir("/web")}
    other = way(dict([*everything.items()][::order]))
    other["kernel"].alloc(other["dentry"], other["web"])
    assert len(other["kernel"].caches()) == len(kernel.caches())
    other["kernel"].rmdir(other["web"])
    assert kernel.listdir("/") != other["kernel"].listdir("/")


def test_the_reference_has_no_bytes():
    kernel = Kernel("4.6", engine="reference")
    for call in (kernel.snapshot, kernel.fork, lambda: pickle.dumps(kernel)):
        with pytest.raises(LifecycleError, match="needs engine"):
            call()


def test_a_kernel_that_runs_is_not_kept():
    machine = Machine()
    world = World(designs["4.6"], machine, machine.costs)
    world.mkdir()
    with pytest.raises(LifecycleError, match="in use"):
        world.restore(b"")
    with pytest.raises(StaleHandleError):
        world.rmdir(1 << 40)


# --- what is no snapshot is refused in one line ---


def resealed(data: bytes | bytearray) -> bytes:
    """Return a snapshot with the digest made right again."""
    digest = hashlib.sha256(bytes(data[:16]) + bytes(data[48:])).digest()
    return bytes(data[:16]) + digest + bytes(data[48:])


def refused(data: Any) -> str:
    with pytest.raises(InputError) as caught:
        Kernel.restore(data)
    text = str(caught.value)
    assert text.startswith("snapshot") and "\n" not in text
    return text


def test_what_is_no_snapshot_is_refused():
    data = Kernel("4.6").snapshot()
    assert refused("4.6") == "snapshot: data is a str; expected bytes"
    assert "0 bytes" in refused(b"")
    assert "what Kernel.snapshot() returned" in refused(b"\x80\x04pickle" * 20)
    assert "the digest does not fit" in refused(data[:-1])
    assert "the digest does not fit" in refused(data + b"\0")
    other = bytearray(data)
    other[8] = 2
    assert "format 2; expected format 1" in refused(other)
    other = bytearray(data)
    other[12:16] = other[12:16][::-1]
    assert "order" in refused(other)


def test_each_byte_that_changes_is_noticed():
    data = Kernel("4.6").snapshot()
    chance = random.Random(3)
    for at in [*range(60), *chance.choices(range(len(data)), k=300)]:
        other = bytearray(data)
        other[at] ^= 1 << chance.randrange(8)
        refused(other)


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack_from("=Q", data, 48)
    return json.loads(data[56 : 56 + length]), data[64 + length :]


def rebuilt(description: Any, body: bytes) -> bytes:
    text = json.dumps(description).encode()
    data = bytes(8 + 8 + 32) + struct.pack("=Q", len(text)) + text
    data = b"SLABCORE" + struct.pack("=II", 1, 0x01020304) + data[16:]
    return resealed(data + struct.pack("=Q", len(body)) + body)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("design", {}, "a table with the fields of a Design"),
        ("machine", None, "a table with the fields of a Machine"),
        ("costs", [], "a table with the fields of a Costs"),
        ("options", {"engine": "reference"}, "those of a kernel"),
        ("seed", "7", "those of a kernel"),
        ("caches", [["dentry"]], "pairs"),
        ("cgroups", [["/web", 1]], "the root is not there"),
        ("making", [3], "texts"),
        ("ended", [[1, "rmdir", 0, True, "", 0, "SystemExit", ""]], "is no error"),
    ],
)
def test_a_description_that_is_none_is_refused(name, value, says):
    description, body = parts(Kernel("4.6").snapshot())
    assert says in refused(rebuilt(description | {name: value}, body))


@pytest.mark.parametrize(
    ("table", "name", "value"),
    [
        ("design", "deactivation", "soon"),
        ("design", "reparenting", 1),
        ("design", "fqs_late_tick", 1 << 60),
        ("design", "sources", [1]),
        ("machine", "cpus", 0),
        ("machine", "hz", "250"),
        ("machine", "allocator", "slob"),
        ("costs", "ipi", -1),
        ("costs", "list_hop", [[1, 2**70]]),
        ("costs", "sources", {"ipi": 1}),
    ],
)
def test_a_figure_of_the_description_that_cannot_be_is_refused(table, name, value):
    description, body = parts(Kernel("4.6").snapshot())
    description[table][name] = value
    assert table in refused(rebuilt(description, body))


def test_a_world_of_another_machine_is_refused():
    one = parts(Kernel("4.6").snapshot())
    other = parts(Kernel("4.6", machine=Machine(cpus=3)).snapshot())
    for description, body in ((one[0], other[1]), (other[0], one[1])):
        assert "not as many records" in refused(rebuilt(description, body))


def test_a_kernel_is_the_same_after_an_hour():
    kernel = busy_kernel("4.11")
    other = Kernel.restore(kernel.snapshot())
    for one in (kernel, other):
        one.advance(seconds(4000))
    assert other.snapshot() == kernel.snapshot()


# --- forged: the digest is right ---

SIZES = {"u1": 1, "u2": 2, "u4": 4, "u8": 8, "i1": 1, "i2": 2, "i4": 4, "i8": 8}


def sections(body: bytes) -> list[tuple[str, int, int, list[tuple[str, int, int]]]]:
    """Return of each section its name, place, count and fields: name, offset, bytes."""
    at, found = 0, []
    while at < len(body):
        texts = []
        for _ in range(2):
            (length,) = struct.unpack_from("=I", body, at)
            texts.append(body[at + 4 : at + 4 + length].decode())
            at += 4 + length
        (count,) = struct.unpack_from("=q", body, at)
        at += 8
        fields, size = [], 0
        for field in texts[1].split():
            name, _, kind = field.rpartition(":")
            kind, _, times = kind.partition("[")
            for _ in range(int(times.rstrip("]") or 1)):
                fields.append((name, size, SIZES.get(kind, 8)))
                size += SIZES.get(kind, 8)
        found.append((texts[0], at, count, fields))
        at += count * size
    return found


def forged(body: bytes, chance: random.Random) -> bytes:
    """Return a world's bytes with one to three figures changed."""
    data = bytearray(body)
    there = [section for section in sections(body) if section[2]]
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        _, at, count, fields = chance.choice(there)
        last = fields[-1]
        _, offset, size = chance.choice(fields)
        at += chance.randrange(count) * (last[1] + last[2]) + offset
        old = int.from_bytes(data[at : at + size], "little")
        bits = 8 * size
        new = chance.choice(
            [
                *(old + 1, old - 1, old + chance.randrange(-9, 9)),
                old ^ 1 << chance.randrange(bits),
                *(0, 1, 2, 3, 5, 10, -1, 1 << 31, chance.getrandbits(bits)),
            ]
        )
        data[at : at + size] = (new % (1 << bits)).to_bytes(size, "little")
    return bytes(data)


def busy_ramble(name: str, seed: int) -> Ramble:
    ramble = Ramble(designs[name], seed)
    wander(ramble, 50)
    for number in ramble.programs:
        ramble.world.spawn(number, 3, 0, 0)
    ramble.world.advance_to(ramble.world.now_ns + ms(seed % 12))
    return ramble


@pytest.mark.parametrize("name", DESIGNS)
def test_a_forged_world_is_refused_or_goes_on(name):
    """In one line; and what passes is a world that can be looked at and run."""
    chance = random.Random(name)
    ramble = busy_ramble(name, chance.randrange(1000))
    (made_of, body) = ramble.world.__reduce__()[1]
    design, machine, costs, *_ = made_of
    refusals, told = 0, set()
    for _ in range(60):
        world = World(design, machine, costs)
        try:
            world.restore(forged(body, chance))
        except InputError as error:
            told.add(str(error).partition(":")[0])
            refusals += 1
            with pytest.raises(LifecycleError, match="not there"):
                world.validate()
            continue
        world.validate()
        world.state(), world.counters(), world.timeline(), world.caches_listed()
        for _ in range(30):
            world.advance_to(world.next_event_ns())
    assert refusals > 20
    assert told == {"snapshot"}


def records(body: bytes, name: str) -> list[dict[str, int]]:
    """Return the records of a section, each with its place in the bytes."""
    (found,) = [section for section in sections(body) if section[0] == name]
    _, start, count, fields = found
    size = fields[-1][1] + fields[-1][2]
    told = []
    for at in range(start, start + count * size, size):
        told.append({"": at})
        for field, offset, width in fields:
            place = at + offset
            figure = int.from_bytes(body[place : place + width], sys.byteorder)
            told[-1][field] = figure
    return told


def changed(body: bytes, name: str, at: int, field: str, value: int) -> bytes:
    """Return a world's bytes with one figure changed, of the record at a place."""
    (fields,) = [section[3] for section in sections(body) if section[0] == name]
    ((offset, width),) = [place for one, *place in fields if one == field]
    place, new = at + offset, value.to_bytes(width, sys.byteorder)
    return body[:place] + new + body[place + width :]


def test_an_obj_cgroup_is_killed_once_and_only_if_it_is_handed_up():
    """Otherwise a cgroup that is there would be freed."""
    kernel = Kernel("6.12", machine=Machine(cpus=2))
    dentry = kernel.create_cache("dentry", object_size=192, accounted=True)
    for name in ("/0", "/1", "/2"):
        kernel.alloc(dentry, kernel.mkdir(name))
        kernel.free(dentry, name)
    kernel.drain()
    kernel.begin("rmdir", "/0")
    kernel.begin("rmdir", "/1")
    while kernel.counters["cgroups"]["offlined"] < 2:
        kernel.advance_to(kernel.next_event_ns())
    description, body = parts(kernel.snapshot())
    obj_cgroup_is_killed = 10
    callbacks = [
        (one[""], one["arg"])
        for one in records(body, "callbacks")
        if one["kind"] == obj_cgroup_is_killed
    ]
    (_, first), (place, second) = callbacks
    assert {first, second} == {0, 1}
    for argument in (first, 2, 3):
        forgery = changed(body, "callbacks", place, "arg", argument)
        text = refused(rebuilt(description, forgery))
        assert text == "snapshot: callbacks 1: a callback of this CPU is about none"


def test_children_are_made_of_roots_that_have_some():
    """A root that is not accounted has no place for one."""
    kernel = Kernel("4.9", machine=Machine(cpus=1))
    plain = kernel.create_cache("plain", object_size=64)
    dentry = kernel.create_cache("dentry", object_size=192, accounted=True)
    kernel.mkdir("/web")
    kernel.begin("alloc", dentry, "/web")
    create_work, seen = 17, set()
    while not kernel.at_rest:
        kernel.advance_to(kernel.next_event_ns())
        description, body = parts(kernel.snapshot())
        spare = [[*one.values()][1] for one in records(body, "works.spare")]
        works = records(body, "works")[1:]  # behind the shared barrier's
        queued = [
            one
            for i, one in enumerate(works, 1)
            if i not in spare and not one["running"]
        ]
        frames = [
            one for one in records(body, "frames") if one["function"] == create_work
        ]
        for section, found in (("works", queued), ("frames", frames)):
            for one in found:
                assert (one["a"], one["b"]) == (dentry.number, 1)
                forgery = changed(body, section, one[""], "a", plain.number)
                refused(rebuilt(description, forgery))
                seen.add(section)
    assert seen == {"works", "frames"}


def test_arrays_of_children_grow_for_the_id_that_is_taken():
    """Otherwise the cgroup would have a place behind their end."""
    kernel = Kernel("4.9", machine=Machine(cpus=2))
    for number in range(4):
        kernel.mkdir(f"/{number}")
    kernel.hold("slab_mutex")
    kernel.advance(ms(1))
    kernel.begin("mkdir", "/4")
    kernel.advance(ms(1))
    description, body = parts(kernel.snapshot())
    mkdir = 4
    (frame,) = [one for one in records(body, "frames") if one["function"] == mkdir]
    assert frame["i"] == 4
    forgery = changed(body, "frames", frame[""], "i", 3)
    text = refused(rebuilt(description, forgery))
    assert text.endswith("a function is about what is not there")


def test_a_step_that_is_none_is_named_by_its_place_among_all():
    kernel, sleep = Kernel("4.9"), 7
    for steps in 2, 3:
        kernel.program([(sleep, 5, 0, 0, 0)] * steps)
    description, body = parts(kernel.snapshot())
    place = records(body, "steps")[-1][""]
    forgery = body[:place] + struct.pack("=q", 99) + body[place + 8 :]
    text = refused(rebuilt(description, forgery))
    assert text == "snapshot: steps 4: is no step; expected (op, a, b, c, d)"


@pytest.mark.parametrize("name", ["4.6", "4.9", "5.3", "6.12"])
def test_a_torn_world_is_refused(name):
    """Bytes are missing, doubled or of another place, in the sections' heads too."""
    chance = random.Random(name)
    body = busy_ramble(name, 5).world.snapshot()
    description, _ = parts(Kernel(name, machine=Machine(cpus=1)).snapshot())
    made_of = busy_ramble(name, 5).world.__reduce__()[1][0]
    for _ in range(150):
        at, end = sorted(chance.choices(range(len(body) + 1), k=2))
        torn = chance.choice(
            [
                body[:at],
                body[:at] + body[end:],
                body[:end] + body[at:],
                body[:at] + chance.randbytes(end - at) + body[end:],
            ]
        )
        world = World(*made_of[:3])
        if torn != body:
            with pytest.raises(InputError, match=r"^snapshot"):
                world.restore(torn)
        refused(rebuilt(description, torn))


def test_every_field_of_a_worlds_structs_is_kept_or_said_not_to_be():
    """What a struct of the engine gains has to be put into its layout."""
    package = Path(slabcore.__file__).parent
    text = (package / "snapshot.pxd").read_text()
    left = []
    for file, structs in KEPT.items():
        source = (package / f"{file}.pxd").read_text()
        for struct_name, made_again in structs.items():
            found = re.search(
                rf"^cdef struct {struct_name}:.*\n((?: .*\n|\n(?= ))+)", source, re.M
            )
            assert found, struct_name
            lines = [line.partition("#")[0].strip() for line in found[1].splitlines()]
            names = [re.sub(r"\[.*", "", line.split()[-1]) for line in lines if line]
            named = {name.lstrip("*") for name in names}
            kept = {
                name
                for name in named
                if re.search(rf"&\w+(\.\w+|\[i\])*\.{name}\b", text)
            }
            left += [
                f"{struct_name}.{name}"
                for name in sorted(named - kept - set(made_again.split()))
            ]
    assert left == []


# Fields that snapshot.pxd does not name: made again by a new world, or by what reads.
KEPT = {
    "engine": {
        "engine": "w tick_ns load_ns sample_ns",
        "sample": "",
    },
    "sched": {
        "frame": "",
        "task": "frames index",
        "cpu": "number",
        "mutex": "",
        "work": "",
        "worker_pool": "cpu",
        "sched": "ncpus cpus unsettled pools mutexes context_switch timers chunks "
        "nchunks",
    },
    "rcu": {
        "rcu_head": "",
        "rcu_stamp": "",
        "rcu_data": "ring stamps capacity mapped huge_pages",
        "rcu_state": "data stamped blimit qhimark qlowmark scan_ns",
    },
    "workqueue": {
        "pool_queue": "pool max_active",
        "workqueues": "works queues one_pool",
    },
    "slab": {
        "cache_links": "",
        "kmem_cache": "",
        "moved_cache": "",
        "plugged_cache": "",
        "queued_cache": "",
        "root_cache": "slots",
        "slab_caches": "links caches moved plugged queued missed roots accounted "
        "page_size min_objects",
    },
    "memcontrol": {
        "mem_cgroup": "",
        "obj_cgroup": "",
        "holding": "",
        "memcgs": "groups objcgs holdings",
    },
    "log": {"record": "", "event_log": "records on"},
    "world": {
        "tally": "",
        "mark": "n",
        "kept_memcg": "",
        "open_file": "w op era list",
        "slabinfo_read": "",
        "finished": "",
        "watch": "",
        "hold": "",
        "world": "s q r c m k cost log programs delays kept marks names files "
        "slabinfo_reads finished watches holds max_memcgs hz tick_ns destroy_work "
        "stock main main_done",
    },
}

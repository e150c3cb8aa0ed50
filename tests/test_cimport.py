"""What another project cimports: compiled outside of slabcore, and right."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import slabcore
from slabcore import IntrusiveList, Kernel

SOURCE = """
from libc.stdint cimport int64_t, uint32_t

from slabcore._core cimport ALLOC, FREE, PIN, IntrusiveList, World, require_abi
from slabcore.arena cimport NIL, arena, arena_at, arena_free, arena_init, arena_take
from slabcore.clock cimport clock_free, clock_init, clock_next, clock_pop
from slabcore.clock cimport clock_push, clock_queue
from slabcore.list cimport list_add_tail, list_del, list_head, list_init, list_link
from slabcore.list cimport list_walk
from slabcore.side_list cimport side_move, side_names, side_remove, side_value

require_abi()


def moved(IntrusiveList entries, int64_t first, int64_t gone):
    return (
        side_move(&entries.entries, first, True),
        side_remove(&entries.entries, gone),
        side_names(&entries.entries, gone),
    )


def values(IntrusiveList entries, handles):
    cdef int64_t value = -7         # stays, where a handle names nothing
    return [(side_value(&entries.entries, handle, &value), value) for handle in handles]


def objects(World world, str what, int64_t root, int64_t memcg, int64_t count):
    world.objects({"alloc": ALLOC, "pin": PIN, "free": FREE}[what], root, memcg, count)


def pulled(World world, int64_t end):
    cdef int64_t event = world.next_event()
    while event <= end:
        world.run_to(event)
        event = world.next_event()
    return world.now()


def run_to(World world, int64_t when):
    world.run_to(when)


cdef struct thing:
    int64_t size
    list_link link


def linked(sizes):
    cdef arena things
    cdef list_head head
    cdef uint32_t i = 0
    cdef thing *first
    arena_init(&things, sizeof(thing))
    list_init(&head)
    for size in sizes:
        arena_take(&things, &i)
        (<thing *>arena_at(&things, i)).size = size
        list_add_tail(&head, &(<thing *>things.entries).link, sizeof(thing), i)
    first = <thing *>things.entries
    list_del(&head, &first.link, sizeof(thing), 0)
    left = [list_walk(&head, &first.link, sizeof(thing))]
    i = head.first
    while i != NIL:
        left.append((<thing *>arena_at(&things, i)).size)
        i = (<thing *>arena_at(&things, i)).link.next
    arena_free(&things)
    return left


def sorted_(times):
    cdef clock_queue queue
    clock_init(&queue)
    for i, when in enumerate(times):
        clock_push(&queue, when, i, i)
    out = [(clock_next(&queue), clock_pop(&queue)) for _ in times]
    clock_free(&queue)
    return out
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with the module in it, of a project that is not slabcore."""
    pytest.importorskip("Cython", reason="Cython is not installed")
    place = tmp_path_factory.mktemp("cimport")
    (place / "outside.pyx").write_text(SOURCE)
    compiler = (os.environ.get("CC") or "cc").split()
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    python = sysconfig.get_path("include")
    flags = ["-O0", "-shared", "-fPIC", "-I", python, "-o", f"outside{suffix}"]
    for command in (
        [sys.executable, "-m", "cython", "-3", "outside.pyx"],
        [*compiler, *flags, "outside.c"],
    ):
        subprocess.run(command, cwd=place, env=plain(above()), check=True)
    return place


def plain(variables):
    """Return variables for a compiler, without a sanitizer's runtime."""
    return {k: v for k, v in variables.items() if k != "LD_PRELOAD"}


def above():
    """Return the environment; slabcore is found where this process found it."""
    parent = str(Path(slabcore.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": parent, "PYTHONSAFEPATH": "1"}


@pytest.fixture(scope="module")
def outside(place):
    sys.path.insert(0, str(place))
    try:
        import outside
    finally:
        sys.path.remove(str(place))
    return outside


def test_lists_are_worked_on(outside):
    entries = IntrusiveList([1, 2, 3])
    gone, _, last = entries.handles().tolist()
    assert outside.moved(entries, last, gone) == (True, True, False)
    assert outside.moved(entries, last, gone) == (True, False, False)
    assert entries.to_array().tolist() == [3, 2]
    entries.validate()


def test_a_value_is_read_by_a_checked_handle(outside):
    entries = IntrusiveList(range(100, 10_100))
    handles = entries.handles().tolist()
    gone = handles[:3]
    entries.remove_many(gone)
    again = entries.add(5)  # the index of one that is gone, another handle
    assert again not in gone and again & 0xFFFF_FFFF in gone
    nobody = [*gone, -1, len(handles), 1 << 62]
    assert outside.values(entries, nobody) == [(False, -7)] * len(nobody)
    live, expected = [*handles[3:], again], [*range(103, 10_100), 5]
    assert outside.values(entries, live) == [(True, value) for value in expected]


def test_lists_of_ones_own(outside):
    assert outside.linked([192, 600, 1024]) == [2, 600, 1024]
    assert outside.sorted_([30, 10, 20, 10]) == [(10, 1), (10, 3), (20, 2), (30, 0)]


def test_a_world_is_used_as_its_kernel_is(outside):
    kernel, twin = Kernel("4.8"), Kernel("4.8")
    for each in (kernel, twin):
        dentry = each.create_cache("dentry", object_size=192, accounted=True)
        web = each.mkdir("/web")
    place = dentry.number, web.handle
    for what, count in (("alloc", 3), ("pin", 2), ("free", 3)):
        outside.objects(kernel.world, what, *place, count)
        getattr(twin, what)("dentry", "/web", count)
    end = twin.now_ns + 10**9
    assert outside.pulled(kernel.world, end) <= end
    twin.advance_to(end)
    outside.run_to(kernel.world, end)
    assert kernel.world.state() == twin.world.state()
    assert kernel.world.counters()["time_ns"] == twin.world.counters()["time_ns"]


def test_a_world_refuses_what_its_methods_refuse(outside):
    kernel = Kernel("4.8")
    number = kernel.create_cache("dentry", object_size=192).number
    kernel.advance(10)
    for call, expected in {
        lambda: outside.objects(kernel.world, "alloc", number + 1, 0, 1): "root cache",
        lambda: outside.objects(kernel.world, "alloc", -1, 0, 1): "root cache",
        lambda: outside.objects(kernel.world, "alloc", number, 77, 1): "is gone",
        lambda: outside.objects(kernel.world, "free", number, -1, 1): "is gone",
        lambda: outside.objects(kernel.world, "free", number, 0, 1): "fewer objects",
        lambda: outside.objects(kernel.world, "pin", number, 0, 0): "count is 0",
        lambda: outside.objects(kernel.world, "pin", number, 0, 1 << 31): "count is",
        lambda: outside.run_to(kernel.world, 9): "9 ns is past",
        lambda: outside.run_to(kernel.world, 1 << 62): "under 2\\*\\*62 ns",
    }.items():
        with pytest.raises(slabcore.SlabcoreError, match=expected):
            call()
    made = slabcore.World.__new__(slabcore.World)
    with pytest.raises(slabcore.LifecycleError, match="World"):
        outside.pulled(made, 1)
    with pytest.raises(TypeError):
        outside.pulled(Kernel("4.8", engine="reference").world, 1)


def test_what_the_document_shows_compiles(tmp_path):
    pytest.importorskip("Cython", reason="Cython is not installed")
    page = Path(__file__).parents[1] / "docs" / "embedding.md"
    shown = re.findall(r"```cython\n(.*?)```", page.read_text("utf-8"), re.S)
    assert len(shown) == 1
    (tmp_path / "shown.pyx").write_text(shown[0], "utf-8")
    # The functions of the page's table take and return what it says.
    table = re.findall(r"^\| `(\w+) (side_\w+)\(l, (.*?)\)` \|", page.read_text(), re.M)
    assert len(table) == 6
    calls = "from slabcore.side_list cimport *\n"
    for kind, name, operands in table:
        words = [
            operand.rpartition(" ")[2].lstrip("*") for operand in operands.split(", ")
        ]
        calls += f"cdef {kind} _{name}(side_list *l, {operands}) noexcept nogil:\n"
        calls += f"    return {name}(l, {', '.join(words)})\n"
    (tmp_path / "table.pyx").write_text(
        "from libc.stdint cimport int64_t, uint32_t\n" + calls, "utf-8"
    )
    for file in "shown.pyx", "table.pyx":
        run = subprocess.run(
            [sys.executable, "-m", "cython", "-3", file],
            cwd=tmp_path,
            env=plain(above()),
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr


def test_another_abi_is_refused_at_import(place):
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from slabcore import _core\n"
        "_core.SLABCORE_ABI = 99\n"
        "import outside\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, place],
        env=above(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr.splitlines()[-1] == (
        "ImportError: slabcore: SLABCORE_ABI is 99; expected 1, which this was "
        "compiled for"
    )

"""slabcore.h: what C asks is done, or refused with a code and a text."""

import ctypes
import gc
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import weakref
from ctypes import byref, c_double, c_int64, c_size_t, c_void_p
from pathlib import Path

import pytest
from c_door import Cache, Door, End, Memcg, prototypes
from hypothesis import given
from hypothesis import strategies as st

import slabcore
from slabcore import (
    BusyError,
    IntrusiveList,
    Kernel,
    LifecycleError,
    Machine,
    RcuQueue,
    ms,
)
from slabcore import capi as module

OK, EINPUT, ESTALE, EBUSY, ELIFECYCLE = 0, -1, -2, -3, -4
EOS, EPYTHON = -7, -9
ACCOUNTED, RECLAIMABLE, MERGEABLE = 1, 4, 8
NONE = -1

# Handles of nothing: NULL, small numbers, addresses, one for each kind of a far place.
ODD = [0, 1, 7, 0xFFFFFFFF, 1 << 32, 1 << 40, (1 << 64) - 1, id(None)]
ODD += [kind << 32 | 0x00FFFFFF for kind in range(7)]


@pytest.fixture(scope="module")
def c():
    return Door()


@pytest.fixture
def kernel(c):
    handle = c.get("kernel_new", b"4.9", None, to=c_void_p)
    yield handle
    c.kernel_free(handle)


@pytest.fixture
def entries(c):
    handle = c.get("list_new", None, to=c_void_p)
    yield handle
    c.list_free(handle)


def refusal(c, code):
    """Return a code with what it said, in one line."""
    text = c.last_error().decode()
    assert text and "\n" not in text
    return code, text


def dentry(c, kernel, name=b"dentry", flags=ACCOUNTED | RECLAIMABLE):
    return c.get("create_cache", kernel, name, 192, flags, to=Cache)


# --- the header ---


def test_the_header_says_what_there_is():
    promised = {
        name: (result.strip(), operands)
        for name, (result, operands) in prototypes().items()
    }
    assert {*promised} == {*module.__pyx_capi__}
    for name, (result, operands) in promised.items():
        capsule = re.sub(
            r"(\w+) const \*", r"const \1 *", repr(module.__pyx_capi__[name])
        )
        operands = ", ".join(operands) or "void"
        signature = f"{result} ({operands})".replace("* (", "*(")
        assert f'"{signature}"' in capsule, (name, signature, capsule)


def test_the_number_is_one(c):
    header = (Path(slabcore.get_include()) / "slabcore.h").read_text("utf-8")
    (number,) = re.findall(r"#define SLABCORE_ABI (\d+)", header)
    assert int(number) == slabcore.SLABCORE_ABI == c.abi()


# --- kernels ---


def test_a_kernel_of_c_is_that_of_python(c):
    """The same calls have the same times and counters, from C and from Python."""
    settings = (ctypes.c_char_p * 4)(b"machine.cpus=2", b"costs.fork=500", b"log=true")
    handle = c.get("kernel_new", b"4.8", settings, to=c_void_p)
    cache = dentry(c, handle)
    web = c.get("mkdir", handle, b"/web", to=Memcg)
    assert c.alloc(handle, cache, web, 3) == OK
    assert c.pin(handle, cache, web, 2) == OK
    assert c.free(handle, cache, web, 3) == OK
    assert c.rmdir(handle, web) == OK
    end = c.get("now_ns", handle) + ms(100)
    while (event := c.get("next_event_ns", handle)) <= end:
        assert c.advance_to(handle, event) == OK
    assert c.drop_caches(handle) == OK
    assert c.drain(handle) == OK
    assert c.validate(handle) == OK

    machine = Machine(cpus=2)
    machine = machine.replace(costs=machine.costs.replace("test", fork=500))
    twin = Kernel("4.8", machine=machine, log=True)
    cache = twin.create_cache(
        "dentry", object_size=192, accounted=True, reclaimable=True
    )
    web = twin.mkdir("/web")
    twin.alloc(cache, web, 3)
    twin.pin(cache, web, 2)
    twin.free(cache, web, 3)
    twin.rmdir(web)
    end = twin.now_ns + ms(100)
    while (event := twin.next_event_ns()) <= end:
        twin.advance_to(event)
    twin.drop_caches()
    twin.drain()

    mine = c.get("kernel_object", handle, to=ctypes.py_object)
    assert isinstance(mine, Kernel)
    assert mine.now_ns == twin.now_ns == c.get("now_ns", handle)
    assert mine.state() == twin.state()
    assert (mine.log == twin.log).all()
    assert (
        c.get("counter", handle, b"list_hops.offline")
        == (twin.counters["list_hops"]["offline"])
    )
    assert (
        c.get("counter_real", handle, b"load1", to=c_double) == (twin.counters["load1"])
    )
    assert c.kernel_free(handle) == OK


def test_a_kernel_of_python_has_a_handle(c):
    kernel = Kernel("4.11")
    handle = c.get("kernel_of", ctypes.py_object(kernel), to=c_void_p)
    web = c.get("mkdir", handle, b"/web", to=Memcg)
    assert kernel.listdir("/") and c.get("now_ns", handle) == kernel.now_ns
    kernel.rmdir("/web")
    assert refusal(c, c.rmdir(handle, web))[0] == ELIFECYCLE
    gone = weakref.ref(kernel)
    del kernel
    gc.collect()
    assert gone() is not None
    assert c.kernel_free(handle) == OK
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("design", "settings", "text"),
    [
        (b"4.99", [], "4.99"),
        (b"\xff", [], "is not known"),
        (b"4.9", [b"machine.cpus=0"], "cpus"),
        (b"4.9", [b"machine.cpu=1"], "expected cpus"),
        (b"4.9", [b"design.root_list=7"], "design.root_list"),
        (b"4.9", [b"log"], "settings: 'log': this is no setting; expected PATH=VALUE"),
        (b"4.9", [b"log=no"], "log: it is 'no'; expected true or false"),
        (b"4.9", [b"huge_pages=0"], "huge_pages: it is 0; expected true or false"),
        (b"4.9", [b"machine=1"], "machine: there is nothing of that name"),
        (b"4.9", [b"walk=far"], "expected counted or literal"),
        (None, [], "an operand is NULL"),
    ],
)
def test_what_is_no_kernel_is_said(c, design, settings, text):
    texts = (ctypes.c_char_p * (len(settings) + 1))(*settings)
    kernel = c_void_p(7)
    code, said = refusal(c, c.kernel_new(design, texts, byref(kernel)))
    assert code == EINPUT and text in said and kernel.value == 7


def test_operands_of_another_kernel_are_refused(c, kernel):
    other = c.get("kernel_new", b"4.9", None, to=c_void_p)
    mine, its = dentry(c, kernel), dentry(c, other)
    web = c.get("mkdir", kernel, b"/web", to=Memcg)
    foreign = c.get("mkdir", other, b"/web", to=Memcg)
    assert (mine.number, web.handle) == (its.number, foreign.handle)
    assert refusal(c, c.alloc(kernel, its, web, 1)) == (
        ESTALE,
        "the cache is another kernel's",
    )
    assert refusal(c, c.free(kernel, mine, foreign, 1)) == (
        ESTALE,
        "the cgroup is another kernel's",
    )
    assert refusal(c, c.rmdir(kernel, foreign))[0] == ESTALE
    assert c.kernel_free(other) == OK
    assert refusal(c, c.kernel_free(other))[0] == ESTALE


def test_a_step_out_of_order_has_its_code(c, kernel):
    cache = dentry(c, kernel)
    web = c.get("mkdir", kernel, b"/web", to=Memcg)
    app = c.get("mkdir", kernel, b"/web/app", to=Memcg)
    assert refusal(c, c.rmdir(kernel, web))[0] == EBUSY
    assert refusal(c, c.free(kernel, cache, app, 1)) == (
        ELIFECYCLE,
        "fewer objects can be freed than were asked for: 0",
    )
    assert c.rmdir(kernel, app) == OK
    assert refusal(c, c.alloc(kernel, cache, app, 1))[0] == ELIFECYCLE
    assert c.drain(kernel) == OK
    assert refusal(c, c.alloc(kernel, cache, app, 1))[0] == ESTALE
    now = c.get("now_ns", kernel)
    assert refusal(c, c.advance_to(kernel, now - 1))[0] == EINPUT
    assert refusal(c, c.advance_to(kernel, 1 << 62))[0] == EINPUT
    for count in (0, -1, 1 << 31, (1 << 63) - 1):
        assert refusal(c, c.alloc(kernel, cache, web, count))[0] == EINPUT
    assert c.destroy_cache(kernel, b"dentry") == OK
    assert refusal(c, c.alloc(kernel, cache, web, 1))[0] in (ESTALE, ELIFECYCLE)
    assert refusal(c, c.create_cache(kernel, b"x", 4, 0, byref(cache)))[0] == EINPUT
    assert refusal(c, c.create_cache(kernel, b"x", 8, 64, byref(cache)))[0] == EINPUT


def test_a_held_mutex_refuses_calls_to_their_end(c):
    kernel = Kernel("4.9")
    handle = c.get("kernel_of", ctypes.py_object(kernel), to=c_void_p)
    cache = dentry(c, handle)
    number = kernel.hold("slab_mutex")
    for code in (
        c.alloc(handle, cache, Memcg(handle, 0), 1),
        c.mkdir(handle, b"/web", byref(Memcg())),
        c.drop_caches(handle),
    ):
        assert code == ELIFECYCLE and b"a mutex is held" in c.last_error()
    kernel.let_go(number)
    assert c.alloc(handle, cache, Memcg(handle, 0), 1) == OK
    assert c.kernel_free(handle) == OK


def ends(c, handle, room=8):
    """Return what has finished, told a row each."""
    rows, count = (End * room)(), c_size_t()
    assert c.finished(handle, rows, room, byref(count)) == OK
    return [(row.number, row.at_ns, row.value, row.code) for row in rows[: count.value]]


def test_calls_beside_one_another_are_those_of_python(c):
    """Begun from C, they end at the times and with the results that Python is told."""
    handle = c.get("kernel_new", b"4.9", None, to=c_void_p)
    cache = dentry(c, handle)
    web, busy = (c.get("mkdir", handle, path, to=Memcg) for path in (b"/a", b"/b"))
    began = [
        c.get("begin_alloc", handle, cache, web, 2),
        c.get("watch_cache", handle, cache, web),
        c.get("begin_join", handle, web),
        c.get("begin_mkdir", handle, b"/b/c"),
    ]
    assert c.advance_to(handle, c.get("now_ns", handle) + ms(50)) == OK
    told = ends(c, handle, 3)
    told += ends(c, handle, 3)
    assert ends(c, handle) == []
    began += [
        c.get("begin_free", handle, cache, web, 2),
        c.get("begin_free", handle, cache, web, 7),
        c.get("begin_pin", handle, cache, busy, 1),
    ]
    assert c.advance_to(handle, c.get("now_ns", handle) + ms(50)) == OK
    held = c.get("hold", handle, b"cgroup_mutex")
    began += [
        held,
        c.get("begin_rmdir", handle, web),
        c.get("begin_rmdir", handle, busy),
        c.get("watch_offline", handle, web),
        c.get("watch_freed", handle, web),
        c.get("begin_drop_caches", handle),
    ]
    now = c.get("now_ns", handle)
    while c.get("advance_to_finished", handle, now + ms(50), to=ctypes.c_int):
        told += ends(c, handle)
    assert c.advance_to(handle, now + ms(50)) == OK
    owned, waiting = ctypes.c_int(), c_size_t()
    assert c.line(handle, b"cgroup_mutex", byref(owned), byref(waiting)) == OK
    assert (owned.value, waiting.value) == (1, 2)
    assert c.let_go(handle, held) == OK
    assert refusal(c, c.let_go(handle, held))[0] == ESTALE
    while c.get("advance_to_finished", handle, now + ms(999), to=ctypes.c_int):
        told += ends(c, handle)

    twin = Kernel("4.9")
    cache = twin.create_cache(
        "dentry", object_size=192, accounted=True, reclaimable=True
    )
    web, busy = twin.mkdir("/a"), twin.mkdir("/b")
    twins = [
        twin.begin("alloc", cache, web, 2),
        twin.watch("cache", web, cache),
        twin.begin("join", web),
        twin.begin("mkdir", "/b/c"),
    ]
    twin.advance(ms(50))
    twins += [
        twin.begin("free", cache, web, 2),
        twin.begin("free", cache, web, 7),
        twin.begin("pin", cache, busy, 1),
    ]
    twin.advance(ms(50))
    number = twin.hold("cgroup_mutex")
    twins += [
        number,
        twin.begin("rmdir", web),
        twin.begin("rmdir", busy),
        twin.watch("offline", web),
        twin.watch("freed", web),
        twin.begin("drop_caches"),
    ]
    twin.advance(ms(50))
    twin.let_go(number)
    twin.advance_to(now + ms(999))
    done = [
        (
            *(end.number, end.at_ns),
            end.value.handle if end.call == "mkdir" else int(end.value or 0),
            {type(None): OK, BusyError: EBUSY, LifecycleError: ELIFECYCLE}[
                type(end.error)
            ],
        )
        for end in twin.finished()
    ]
    assert began == twins
    assert told == done
    assert sorted(code for *_, code in done) == [ELIFECYCLE, EBUSY, *[OK] * 11]
    assert c.advance_to(handle, twin.now_ns) == OK
    assert c.get("kernel_object", handle, to=ctypes.py_object).state() == twin.state()
    assert c.kernel_free(handle) == OK


def test_what_cannot_begin_is_refused_at_once(c, kernel):
    cache, number = dentry(c, kernel), byref(c_int64())
    root = Memcg(kernel, 0)
    for code, text, call, *operands in [
        (EINPUT, "'web'", c.begin_mkdir, b"web"),
        (EBUSY, "root", c.begin_rmdir, root),
        (ESTALE, "is gone", c.begin_join, Memcg(kernel, 99)),
        (EINPUT, "0", c.begin_alloc, cache, root, 0),
        (ESTALE, "another kernel", c.begin_pin, cache, Memcg(None, 0), 1),
        (ESTALE, "another kernel", c.watch_cache, Cache(None, 0), root),
        (EINPUT, "rtnl_mutex", c.hold, b"rtnl_mutex"),
    ]:
        found, said = refusal(c, call(kernel, *operands, number))
        assert found == code and text in said
    assert ends(c, kernel) == []


def test_a_counter_is_found_by_its_name(c, kernel):
    value, real = c_int64(7), c_double()
    for name, text in {
        b"list_hop": "there is no 'list_hop'",
        b"list_hops": "more of it",
        b"list_hops.offline.more": "there is no",
        b"load1": "slabcore_counter_real()",
        b"": "there is no ''",
    }.items():
        code, said = refusal(c, c.counter(kernel, name, byref(value)))
        assert code == EINPUT and text in said and value.value == 7
    assert c.counter_real(kernel, b"cgroups.live", byref(real)) == OK
    assert real.value == c.get("counter", kernel, b"cgroups.live")


# --- a kernel as bytes ---


def test_a_kernel_goes_on_from_its_bytes(c, kernel):
    cache = dentry(c, kernel)
    web = c.get("mkdir", kernel, b"/web", to=Memcg)
    assert c.alloc(kernel, cache, web, 5) == OK
    kept = c.get("snapshot", kernel, to=c_void_p)
    data, size = c_void_p(), c_size_t()
    assert c.bytes_get(kept, byref(data), byref(size)) == OK
    others = [
        c.get("kernel_fork", kernel, to=c_void_p),
        c.get("restore", data, size, to=c_void_p),
    ]
    for other in others:
        same = c.get("kernel_object", other, to=ctypes.py_object)
        assert same.snapshot() == ctypes.string_at(data, size.value)
        assert refusal(c, c.free(other, cache, web, 5))[0] == ESTALE
        its_cache, its_web = Cache(other, cache.number), Memcg(other, web.handle)
        assert c.free(other, its_cache, its_web, 5) == OK
        assert c.kernel_free(other) == OK
    assert c.free(kernel, cache, web, 5) == OK
    for wrong in (0, 1, size.value - 1):
        found = c_void_p(7)
        assert refusal(c, c.restore(data, wrong, byref(found)))[0] == EINPUT
        assert found.value == 7
    assert refusal(c, c.restore(data, (1 << 64) - 1, byref(found)))[0] == EINPUT
    assert c.bytes_free(kept) == OK
    assert refusal(c, c.bytes_free(kept))[0] == ESTALE


# --- files ---


def test_a_file_is_read_as_python_reads_it(c, kernel):
    for i in range(100):
        dentry(c, kernel, b"cache-%d" % i, 0)
    twin = Kernel("4.9")
    for i in range(100):
        twin.create_cache(f"cache-{i}", object_size=192)
    file = c.get("open", kernel, b"/proc/slabinfo", 0, to=c_void_p)
    text, room, size = b"", ctypes.create_string_buffer(1000), c_size_t()
    while c.read(file, room, len(room), byref(size)) == OK and size.value:
        assert size.value <= len(room)
        text += room.raw[: size.value]
    with twin.open("/proc/slabinfo") as same:
        assert text == b"".join(iter(lambda: same.read(1000), b""))
    assert c.get("lseek", file, 0, 0) == 0
    assert c.read(file, None, 0, byref(size)) == OK and size.value == 0
    assert refusal(c, c.read(file, None, 1, byref(size)))[0] == EINPUT
    assert refusal(c, c.lseek(file, -1, 0, byref(c_int64())))[0] == EOS
    assert c.kernel_free(kernel) == OK
    assert c.read(file, room, len(room), byref(size)) == OK and size.value
    assert c.close(file) == OK
    assert refusal(c, c.close(file)) == (
        ESTALE,
        "the handle names no file: it was freed, or never was one",
    )
    assert refusal(c, c.read(file, room, 1, byref(size)))[0] == ESTALE


def test_a_file_that_is_none_is_said(c, kernel):
    file = c_void_p()
    code, said = refusal(c, c.open(kernel, b"/proc/cpuinfo", 0, byref(file)))
    assert code == EOS and "/proc/slabinfo" in said
    assert refusal(c, c.open(kernel, b"/proc/slabinfo", 2, byref(file)))[0] == EINPUT
    assert refusal(c, c.open(kernel, None, 0, byref(file)))[0] == EINPUT


# --- lists ---


def walked(c, entries):
    values, entry = [], c.get("list_first", entries)
    while entry != NONE:
        values.append(c.get("list_value", entries, entry))
        entry = c.get("list_next", entries, entry)
    return values


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["add", "add_tail", "remove", "move", "move_tail", "insert_before"]
        ),
        st.integers(0, 30),
        st.integers(-(1 << 63), (1 << 63) - 1),
    ),
    max_size=60,
)


@given(steps)
def test_a_list_of_c_is_that_of_python(steps):
    c, twin = Door(), IntrusiveList()
    entries = c.get("list_new", None, to=c_void_p)
    handles = [NONE]
    for what, which, value in steps:
        handle, made = handles[which % len(handles)], c_int64()
        call = getattr(c, f"list_{what}")
        if what in ("add", "add_tail"):
            assert call(entries, value, byref(made)) == OK
            handles.append(getattr(twin, what)(value))
            assert made.value == handles[-1]
        elif handle not in twin:
            more = (value, byref(made)) if what == "insert_before" else ()
            code, said = refusal(c, call(entries, handle, *more))
            assert (code, said) == (ESTALE, f"handle {handle}: no entry of the list")
        elif what == "insert_before":
            assert call(entries, handle, value, byref(made)) == OK
            handles.append(twin.insert_before(handle, value))
            assert made.value == handles[-1]
        else:
            assert call(entries, handle) == OK
            getattr(twin, what)(handle)
    assert walked(c, entries) == twin.to_array().tolist()
    assert c.get("list_length", entries, to=c_size_t) == len(twin)
    last = c.get("list_last", entries)
    assert last == (NONE if twin.last is None else twin.last)
    if last != NONE:
        before = c.get("list_prev", entries, last)
        assert before == (NONE if twin.prev(last) is None else twin.prev(last))
    assert c.list_free(entries) == OK


@pytest.mark.parametrize("call", ["value", "next", "prev", "insert_before"])
def test_an_entry_that_is_refused_is_named(call):
    c, python = Door(), IntrusiveList([192])
    entries = c.get("list_of", ctypes.py_object(python), to=c_void_p)
    (gone,) = python.handles().tolist()
    python.remove(gone)
    given, result = (5,) * (call == "insert_before"), c_int64(77)
    refused = getattr(c, f"list_{call}")
    for handle in gone, python.add(600) + 1, NONE:
        said = refusal(c, refused(entries, handle, *given, byref(result)))
        assert said == (ESTALE, f"handle {handle}: no entry of the list")
    assert result.value == 77


def test_a_list_is_shared_with_python(c):
    sizes = IntrusiveList([192, 600])
    entries = c.get("list_of", ctypes.py_object(sizes), to=c_void_p)
    entry = c.get("list_add_tail", entries, 968)
    assert sizes.value(entry) == 968
    sizes.remove(entry)
    assert refusal(c, c.list_remove(entries, entry))[0] == ESTALE
    assert c.get("list_object", entries, to=ctypes.py_object) is sizes
    assert c.list_free(entries) == OK and sizes.to_array().tolist() == [192, 600]


def test_what_c_removes_is_off_every_list(c):
    sizes = IntrusiveList([192, 600], fields="large")
    large = sizes.list("large")
    large.extend(sizes.handles())
    entries = c.get("list_of", ctypes.py_object(sizes), to=c_void_p)
    assert c.list_remove(entries, large.last) == OK
    assert c.list_free(entries) == OK
    sizes.add_tail(1024)
    assert large.to_array().tolist() == [192] and len(sizes) == 2
    sizes.validate()


def test_lists_run_over_the_same_entries(c):
    """A job is on one list of each field, and on none once it is removed."""
    names = (ctypes.c_char_p * 2)(b"state")
    jobs = c.get("list_new", names, to=c_void_p)
    waiting, done = (c.get("field_new", jobs, b"state", to=c_void_p) for _ in "12")
    entries = [c.get("list_add_tail", jobs, value) for value in range(4)]
    for entry in entries[:3]:
        assert c.field_add_tail(waiting, entry) == OK
    assert c.field_add(done, entries[3]) == OK
    assert refusal(c, c.field_add(done, entries[0]))[0] == ELIFECYCLE
    assert c.field_move(waiting, entries[2]) == OK
    assert c.field_move_tail(done, entries[1]) == OK
    assert c.field_remove(waiting, entries[2]) == OK

    def listed(field):
        found, entry = [], c.get("field_first", field)
        while entry != NONE:
            found.append(entry)
            entry = c.get("field_next", field, entry)
        assert c.get("field_length", field, to=c_size_t) == len(found)
        return found

    assert listed(waiting) == entries[:1]
    assert listed(done) == [entries[3], entries[1]]
    assert c.field_splice(done, waiting) == OK
    assert listed(done) == [entries[0], entries[3], entries[1]]
    assert c.list_remove(jobs, entries[3]) == OK
    assert c.field_splice_tail(waiting, done) == OK
    assert (listed(waiting), listed(done)) == (entries[:2], [])
    assert refusal(c, c.field_remove(waiting, entries[3]))[0] == ESTALE
    assert refusal(c, c.field_splice(waiting, waiting))[0] == EINPUT
    assert refusal(c, c.field_splice(waiting, jobs))[0] == ESTALE
    assert refusal(c, c.field_new(jobs, b"size", byref(c_void_p())))[0] == EINPUT
    assert c.list_free(jobs) == OK
    assert listed(waiting) == entries[:2]
    assert c.field_free(waiting) == OK and c.field_free(done) == OK


# --- queues ---


def test_a_queue_of_c_is_that_of_python(c):
    queue, twin = c.get("queue_new", 2, to=c_void_p), RcuQueue(2)
    came, count = (c_int64 * 8)(), c_size_t()
    for value in (10, -11):
        assert c.queue_call(queue, value, 0) == OK
        twin.call(value)
    assert c.get("queue_start", queue) == twin.start()
    for cpu in (0, 1):
        over = c.get("queue_quiescent", queue, cpu, to=ctypes.c_int)
        assert bool(over) == twin.quiescent(cpu)
    code, said = refusal(c, c.queue_invoke(queue, came, 1, byref(count)))
    assert code == EINPUT and "expected 2" in said
    assert c.queue_invoke(queue, came, 8, byref(count)) == OK
    assert came[: count.value] == twin.invoke().tolist() == [10, -11]
    assert c.queue_call(queue, 12, 1) == OK
    assert c.get("queue_pending", queue, to=c_size_t) == 1
    assert c.queue_barrier(queue, came, 8, byref(count)) == OK
    assert came[: count.value] == [12]
    assert c.queue_invoke(queue, None, 0, byref(count)) == OK and count.value == 0
    assert refusal(c, c.queue_call(queue, 1, 2))[0] == EINPUT
    assert refusal(c, c.queue_new(0, byref(c_void_p())))[0] == EINPUT
    assert c.queue_free(queue) == OK


# --- what is refused ---


def operands(c, name, handle):
    """Return operands for a function with a handle first; the rest is in order."""
    _, kinds = prototypes()[f"slabcore_{name}"]
    made = [handle]
    for kind in kinds[1:]:
        if kind in ("slabcore_cache", "slabcore_memcg"):
            made.append({"slabcore_cache": Cache, "slabcore_memcg": Memcg}[kind]())
        elif kind in ("int", "int64_t", "size_t"):
            made.append(0)
        elif kind == "const char *":
            made.append(b"/proc/slabinfo")
        else:
            made.append(ctypes.create_string_buffer(64))
    function = getattr(c, name)
    return [
        ctypes.cast(one, kind) if isinstance(one, ctypes.Array) else one
        for one, kind in zip(made, function.argtypes or [], strict=True)
    ]


HANDLED = [
    name.removeprefix("slabcore_")
    for name, (_, kinds) in prototypes().items()
    if kinds and re.fullmatch(r"slabcore_\w+ \*", kinds[0])
]


@pytest.mark.parametrize("name", HANDLED)
def test_no_wrong_handle_gets_through(c, name):
    """NULL, freed, of another kind, made up: refused, and the process lives."""
    freed = [c.get("list_new", None, to=c_void_p), c.get("queue_new", 1, to=c_void_p)]
    freed.append(c.get("kernel_new", b"4.9", None, to=c_void_p))
    freed.append(c.get("open", freed[2], b"/proc/slabinfo", 0, to=c_void_p))
    freed.append(c.get("snapshot", freed[2], to=c_void_p))
    listed = c.get("list_new", (ctypes.c_char_p * 2)(b"f"), to=c_void_p)
    freed.append(c.get("field_new", listed, b"f", to=c_void_p))
    c.list_free(listed)
    kinds = ("list", "queue", "kernel", "file", "bytes", "field")
    frees = [f"{kind}_free" if kind != "file" else "close" for kind in kinds]
    first = prototypes()[f"slabcore_{name}"][1][0]
    others = [
        one
        for one, kind in zip(freed, kinds, strict=True)
        if first != f"slabcore_{kind} *"
    ]
    for handle in [*ODD, *others]:
        code, said = refusal(c, getattr(c, name)(*operands(c, name, handle)))
        assert code == ESTALE, (handle, said)
    for free, handle in zip(frees, freed, strict=True):
        assert getattr(c, free)(handle) == OK
    # Other things stand where these were.
    again = [c.get("list_new", None, to=c_void_p) for _ in freed]
    for handle in freed:
        code, said = refusal(c, getattr(c, name)(*operands(c, name, handle)))
        assert code == ESTALE, (handle, said)
    for handle in again:
        assert c.list_free(handle) == OK


@pytest.mark.parametrize("name", [*prototypes()])
def test_no_result_without_a_place(c, name):
    """A NULL where a result would go is an operand as bad as any other."""
    name = name.removeprefix("slabcore_")
    kinds = prototypes()[f"slabcore_{name}"][1]
    kernel = c.get("kernel_new", b"4.9", None, to=c_void_p)
    listed = c.get("list_new", (ctypes.c_char_p * 2)(b"f"), to=c_void_p)
    handles = {
        "slabcore_kernel *": kernel,
        "slabcore_file *": c.get("open", kernel, b"/proc/slabinfo", 0, to=c_void_p),
        "slabcore_list *": c.get("list_new", None, to=c_void_p),
        "slabcore_queue *": c.get("queue_new", 1, to=c_void_p),
        "slabcore_bytes *": c.get("snapshot", kernel, to=c_void_p),
        "slabcore_field *": c.get("field_new", listed, b"f", to=c_void_p),
    }
    c.list_free(listed)
    if name in ("abi", "last_error"):
        return
    given = [handles.get(kind, 1) for kind in kinds]
    for i, kind in enumerate(kinds):
        if kind.startswith(("slabcore_cache", "slabcore_memcg")):
            given[i] = {"c": Cache, "m": Memcg}[kind[9]](kernel, 0)
        if kind.endswith("*") and kind not in handles:
            given[i] = None
        if kind == "PyObject *":
            given[i] = ctypes.py_object(object())
    nulls = [one for one in given if one is None]
    code = getattr(c, name)(*given)
    if nulls:
        assert refusal(c, code)[0] == EINPUT
    for free, kind in {
        "list_free": "slabcore_list *",
        "queue_free": "slabcore_queue *",
        "close": "slabcore_file *",
        "bytes_free": "slabcore_bytes *",
        "field_free": "slabcore_field *",
        "kernel_free": "slabcore_kernel *",
    }.items():
        getattr(c, free)(handles[kind])


numbers = st.one_of(st.integers(-2, 5), st.integers(-(1 << 63), (1 << 63) - 1))
near = st.one_of(st.integers(-2, 5), st.integers(-(1 << 31), (1 << 31) - 1))
calls = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["alloc", "pin", "free"]),
            numbers,
            numbers,
            st.integers(1, 9),
        ),
        st.tuples(st.sampled_from(["alloc", "pin", "free"]), near, near, numbers),
        st.tuples(st.just("rmdir"), numbers),
        st.tuples(st.just("lseek"), numbers, near),
        st.tuples(st.just("create_cache"), numbers, near),
        st.tuples(st.just("mkdir"), st.binary(max_size=5)),
        st.tuples(st.just("destroy_cache"), st.binary(max_size=5)),
        st.tuples(st.just("counter"), st.binary(max_size=5)),
    ),
    max_size=20,
)


@given(calls)
def test_no_operand_breaks_a_kernel(calls):
    """Whatever numbers and texts come, the kernel is whole afterwards."""
    c = Door()
    kernel = c.get("kernel_new", b"4.9", None, to=c_void_p)
    file = c.get("open", kernel, b"/proc/slabinfo", 0, to=c_void_p)
    dentry(c, kernel)
    c.get("mkdir", kernel, b"/a", to=Memcg)
    for what, *operand in calls:
        call = getattr(c, what)
        if what in ("alloc", "pin", "free"):
            number, handle, count = operand
            if count > 1000:  # it would only take long
                count = (1 << 62) + count
            code = call(kernel, Cache(kernel, number), Memcg(kernel, handle), count)
        elif what == "rmdir":
            code = call(kernel, Memcg(kernel, *operand))
        elif what == "lseek":
            code = call(file, *operand, byref(c_int64()))
        elif what == "create_cache":
            code = call(kernel, b"cache", *operand, byref(Cache()))
        elif what == "mkdir":
            code = call(kernel, b"/" + operand[0].replace(b"\0", b""), byref(Memcg()))
        elif what == "destroy_cache":
            code = call(kernel, operand[0].replace(b"\0", b""))
        else:
            code = call(kernel, operand[0].replace(b"\0", b""), byref(c_int64()))
        assert code in (OK, EINPUT, ESTALE, EBUSY, ELIFECYCLE, EOS)
        assert code == OK or refusal(c, code)
    assert c.drain(kernel) == OK and c.validate(kernel) == OK
    assert c.close(file) == OK and c.kernel_free(kernel) == OK


def test_a_running_kernel_is_left_alone(c):
    """While one thread runs a kernel, others are refused, also to free it."""
    kernel = Kernel("4.9")
    for i in range(20):
        kernel.create_cache(f"cache-{i}", object_size=192, accounted=True)
    handle = c.get("kernel_of", ctypes.py_object(kernel), to=c_void_p)
    sleep = kernel.program([(7, ms(1), 0, 0, 0)])
    kernel.spawn(sleep, repeat=1_000_000)
    codes, over = set(), threading.Event()

    def run():
        codes.add(c.drain(handle))
        over.set()

    thread = threading.Thread(target=run)
    thread.start()
    refused = set()
    while not over.is_set():
        event = c_int64()
        refused.add(c.next_event_ns(handle, byref(event)))
        if ELIFECYCLE in refused:
            code = c.kernel_free(handle)
            refused.add(code)
            break
    thread.join()
    assert codes == {OK} and ELIFECYCLE in refused
    c.kernel_free(handle)


# --- compiled ---

EXTENSION = r"""
#include "slabcore.h"

/* A kernel is freed while an exception is set, as a destructor would. */
static PyObject *free_during(PyObject *self, PyObject *object)
{
    slabcore_kernel *kernel;
    (void)self;
    if (slabcore_kernel_of(object, &kernel) != SLABCORE_OK)
        return PyErr_Format(PyExc_RuntimeError, "%s", slabcore_last_error());
    PyErr_SetString(PyExc_KeyError, "set before");
    if (slabcore_drain(kernel) != SLABCORE_OK
        || slabcore_mkdir(kernel, "web", NULL) != SLABCORE_EINPUT
        || slabcore_kernel_free(kernel) != SLABCORE_OK
        || slabcore_kernel_free(kernel) != SLABCORE_ESTALE)
        PyErr_SetString(PyExc_RuntimeError, slabcore_last_error());
    return NULL;
}

static PyObject *without_the_gil(PyObject *self, PyObject *unused)
{
    slabcore_kernel *kernel = NULL;
    const char *text;
    int code;
    (void)self, (void)unused;
    Py_BEGIN_ALLOW_THREADS
    code = slabcore_kernel_new("4.9", NULL, &kernel);
    text = slabcore_last_error();
    Py_END_ALLOW_THREADS
    return Py_BuildValue("is", code, text);
}

static PyMethodDef methods[] = {
    {"free_during", free_during, METH_O, NULL},
    {"without_the_gil", without_the_gil, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL}
};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "door", NULL, -1, methods, NULL, NULL, NULL, NULL
};

PyMODINIT_FUNC PyInit_door(void)
{
    return slabcore_import() < 0 ? NULL : PyModule_Create(&definition);
}
"""


def compiler(variable, default):
    command = os.environ.get(variable) or default
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"{command} is not installed")
    return command.split()


def compiled(place, command, suffix, *flags):
    """Build the extension module; return its directory."""
    source = place / f"door.{suffix}"
    source.write_text(EXTENSION)
    subprocess.run(
        [
            *(*command, *flags, "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"),
            *("-I", sysconfig.get_path("include"), "-I", slabcore.get_include()),
            *("-o", place / f"door{sysconfig.get_config_var('EXT_SUFFIX')}", source),
        ],
        # A sanitizer's runtime is not for the compiler.
        env={k: v for k, v in os.environ.items() if k != "LD_PRELOAD"},
        check=True,
    )
    return place


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    place = tmp_path_factory.mktemp("door")
    return compiled(place, compiler("CC", "cc"), "c", "-std=c11")


def program(place, text):
    """Run a program that may import what is in a directory; return what it prints."""
    before = "import sys; sys.path.insert(0, sys.argv[1])\n"
    run = subprocess.run(
        [sys.executable, "-c", before + text, place],
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def test_an_exception_that_is_set_is_left_alone(door):
    program(
        door,
        """
import door, slabcore
kernel = slabcore.Kernel("4.9")
try:
    door.free_during(kernel)
except KeyError as error:
    assert error.args == ("set before",)
else:
    assert False
""",
    )


def test_a_call_without_the_gil_is_refused(door):
    out = program(door, "import door; print(*door.without_the_gil())")
    assert out == "-10 Python does not run, or this thread does not hold the GIL\n"


def test_another_abi_is_refused_in_one_line(door):
    out = program(
        door,
        """
from slabcore import _core
_core.SLABCORE_ABI = 99
try:
    import door
except ImportError as error:
    print(error)
del _core.SLABCORE_ABI
try:
    import door
except ImportError as error:
    print(error)
""",
    )
    expected = "expected 1, which this was compiled for"
    assert out.splitlines() == [
        f"slabcore: SLABCORE_ABI is {found}; {expected}" for found in (99, 0)
    ]


def test_the_header_is_cpp_as_well(tmp_path):
    place = compiled(tmp_path, compiler("CXX", "c++"), "cpp", "-std=c++17")
    assert program(place, "import door; print(door.without_the_gil()[0])") == "-10\n"

"""Files of a kernel, as Python reads files; and kernels that begin with a file."""

import copy
import csv
import errno
import gc
import io
import json
import os
import pickle
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slabcore import Kernel, Machine, SeqFile, slabinfo
from slabcore.designs import designs
from slabcore.errors import InputError, LifecycleError
from slabcore.files import CHUNK, KernelFile
from slabcore.kernel import seconds
from slabcore.reference import seq_file as reference

DATA = Path(__file__).parent / "data" / "slabinfo"
GOLDEN = Path(__file__).parent / "golden"
TEXT = (DATA / "6.18.44.txt").read_bytes()


class Lines:
    """Show the lines of a text as a kernel's list shows its records."""

    def __init__(self, text):
        self.lines = text.splitlines(keepends=True)

    def start(self, pos):
        return pos if pos < len(self.lines) else None

    def next(self, entry, pos):
        return self.start(pos + 1), pos + 1

    def stop(self, entry):
        pass

    def show(self, m, entry):
        m.write(self.lines[entry])


@pytest.fixture(params="ABCD")
def era(request):
    return request.param


@pytest.fixture
def file(engine, era):
    make = SeqFile if engine == "core" else reference.SeqFile
    return KernelFile(make(Lines(TEXT), era=era), "/proc/slabinfo")


# --- a file of Python's ---


def test_it_is_a_raw_file(file):
    assert isinstance(file, io.RawIOBase)
    assert file.readable() and file.seekable() and not file.writable()
    assert (file.name, file.mode, file.closed) == ("/proc/slabinfo", "rb", False)
    with pytest.raises(io.UnsupportedOperation):
        file.fileno()
    with pytest.raises(io.UnsupportedOperation):
        file.write(b"dentry 1 1 1")


def test_a_read_is_one_system_call(file):
    chunk = file.read(1 << 17)
    assert TEXT.startswith(chunk) and 3500 < len(chunk) < 4096
    assert file.source.calls["start"] == 1
    assert file.tell() == len(chunk)


def test_a_file_of_all_that_was_ever_printed_reads_back(engine, era):
    golden = json.loads((GOLDEN / "slabinfo-text-public.json").read_text())
    rows = [case["expect"][0]["row"] for case in golden["rows"]]
    text = slabinfo.header() + "".join(rows).encode()
    make = SeqFile if engine == "core" else reference.SeqFile
    for size in (1, 100, 4096):
        raw = KernelFile(make(Lines(text), era=era), "golden")
        lines = io.TextIOWrapper(io.BufferedReader(raw, size), "utf-8", newline="\n")
        assert lines.read().encode() == text


@pytest.mark.parametrize("size", [1, 7, 107, 4096, CHUNK, 1 << 17])
def test_chunks_of_any_size_make_up_the_text(file, size):
    chunks = iter(lambda: file.read(size), b"")
    assert b"".join(chunks) == TEXT
    assert file.read(size) == b""


def test_without_a_size_all_that_is_left_is_read(file):
    assert file.read(10) == TEXT[:10]
    assert file.read() == TEXT[10:]
    assert file.seek(0) == 0
    assert file.readall() == TEXT
    file.seek(0)
    assert file.read(None) == TEXT


def test_a_buffer_is_filled(file):
    buffer = bytearray(100)
    assert file.readinto(buffer) == 100 and buffer == TEXT[:100]
    assert file.readinto(memoryview(buffer)[:3]) == 3


def test_a_file_is_read_line_by_line(file):
    assert [*file] == TEXT.splitlines(keepends=True)


def test_pread_leaves_the_position(file):
    file.read(10)
    assert file.pread(50, 1000) == TEXT[1000:1050]
    assert file.tell() == 10
    assert file.read(5) == TEXT[10:15]


def test_seeks_are_the_kernels(file):
    assert file.seek(300) == 300
    assert file.seek(5, os.SEEK_CUR) == 305
    with pytest.raises(OSError, match="Invalid argument") as caught:
        file.seek(0, os.SEEK_END)  # nobody knows where that is
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("size", [1, 100, 4096, 65536])
def test_buffered_readers_read_it(file, size):
    buffered = io.BufferedReader(file, size)
    assert buffered.read(3) == TEXT[:3]
    assert buffered.peek(1)[:1] == TEXT[3:4]
    assert buffered.readline() == TEXT[3:].split(b"\n")[0] + b"\n"
    assert buffered.read() == TEXT.split(b"\n", 1)[1]


def test_the_text_layer_reads_it(file):
    with io.TextIOWrapper(file, encoding="ascii") as text:
        assert text.readline() == "slabinfo - version: 2.1\n"
        assert text.read().encode() == TEXT.split(b"\n", 1)[1]
    assert file.closed


def test_csv_reads_it(file):
    text = io.TextIOWrapper(file, encoding="ascii", newline="")
    rows = list(csv.reader(text, delimiter=" ", skipinitialspace=True))
    info = slabinfo.parse(TEXT)
    assert [row[0] for row in rows[2:]] == list(info.names)
    assert [int(row[1]) for row in rows[2:]] == info["active_objs"].tolist()


def test_pandas_reads_it(file):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(file, sep=r"\s+", skiprows=2, header=None)
    info = slabinfo.parse(TEXT)
    assert frame[0].tolist() == list(info.names)
    assert frame[2].tolist() == info["num_objs"].tolist()


def test_a_file_is_not_copied(file):
    for call in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            call(file)
    gc.collect()
    assert file.readall() and not file.closed


def test_what_does_not_read_as_a_file_of_the_kernels_is_refused():
    for source, missing in (("x", "read"), (io.BytesIO(), "pread"), (None, "read")):
        with pytest.raises(InputError) as refusal:
            KernelFile(source, "stock.csv")
        assert str(refusal.value) == (
            f"KernelFile: {type(source).__name__} has no {missing}(); "
            "expected a SeqFile, or what reads as one"
        )


def test_bytes_and_places_are_whole_numbers(file):
    for call in (
        lambda: file.read(1.5),
        lambda: file.pread(1, 1.5),
        lambda: file.pread(1.5, 1),
        lambda: file.seek(1.5),
        lambda: file.seek(1, 0.0),
    ):
        with pytest.raises(TypeError, match="float"):
            call()
    assert file.seek(np.int64(1)) == 1 and file.tell() == 1


def test_a_closed_file_is_read_no_more(file):
    with file:
        file.read(1)
    assert file.closed and "closed" in repr(file)
    file.close()
    for call in (file.read, file.readall, file.tell, lambda: file.pread(1, 0)):
        with pytest.raises(ValueError, match="closed"):
            call()
    with pytest.raises(ValueError, match="closed"):
        file.source.read(1)


# --- a kernel's ---

HEADER = slabinfo.header()
# Three children of boot caches in all, so that every file of 4.x has something to say.
OF_FILES = [
    "/proc/slabinfo",
    "/proc/cgroups",
    "/web/memory.kmem.slabinfo",
    "/web/cgroup.stat",
]
PREFIX = {"memory.kmem.slabinfo": "memory", "cgroup.stat": "unified"}


def boot(engine, design="4.14", **options):
    kernel = Kernel(design, machine=Machine(cpus=2, **options), engine=engine)
    for name, size in (("dentry", 192), ("kmalloc-64", 64), ("filp", 256)):
        kernel.create_cache(name, object_size=size, accounted=True)
    kernel.mkdir("/web")
    kernel.mkdir("/web/a")
    for cache in ("dentry", "filp"):
        kernel.alloc(cache, "/web")
    kernel.drain()
    for cache in ("dentry", "filp"):
        kernel.alloc(cache, "/web")
    return kernel


@pytest.mark.parametrize("path", OF_FILES)
@pytest.mark.parametrize("reader", ["kernel", "cursor"])
def test_every_file_is_read_raw_buffered_and_as_text(engine, path, reader):
    kernel = boot(engine)
    with kernel.open(path, reader=reader) as raw:
        assert isinstance(raw, io.RawIOBase) and raw.name == path
        text = raw.read()
    assert text
    with kernel.open(path, reader=reader, buffering=100) as buffered:
        assert isinstance(buffered, io.BufferedReader)
        assert buffered.read() == text
    with kernel.open(path, "r", reader=reader) as lines:
        assert "".join(lines).encode() == text
    with kernel.open(Path(path), "rt", reader=reader, buffering=1) as letters:
        assert letters.read().encode() == text


def test_the_load_average_is_the_kernels_line(engine):
    kernel = boot(engine)
    line = kernel.open("/proc/loadavg", "r").read()
    assert re.fullmatch(r"(\d+\.\d\d ){3}1/\d+ \d+\n", line)
    assert float(line.split()[0]) == round(kernel.counters["load1"], 2)


def test_a_run_is_alone_but_for_files_that_are_closed():
    kernel = boot("core")
    files = [kernel.open("/proc/slabinfo", reader="cursor") for _ in range(50)]
    for file in files:
        file.read(100)
    refusals = []

    def meddle():
        while files or not refusals:
            if files:
                files.pop().close()
            try:
                kernel.validate()
            except LifecycleError as error:
                refusals.append(str(error))

    meddler = threading.Thread(target=meddle)
    meddler.start()
    while meddler.is_alive():
        kernel.advance(seconds(10))
    assert set(refusals) == {"the kernel runs; one thread at a time may use it"}
    assert kernel.state()["files"] == {}
    kernel.validate()


def test_reading_takes_time_under_slab_mutex(engine):
    kernel = boot(engine)
    before = kernel.counters["locks"]["slab_mutex"]["holds"]
    began = kernel.now_ns
    text = kernel.open("/proc/slabinfo").read()
    assert slabinfo.parse(text).names == ("filp", "kmalloc-64", "dentry")
    assert kernel.now_ns > began
    # a section with the rows, and one that finds their end
    assert kernel.counters["locks"]["slab_mutex"]["holds"] == before + 2


@pytest.mark.parametrize(
    "path", ["/web/memory.kmem.slabinfo", "/web/cgroup.stat", "/cgroup.stat"]
)
def test_a_cgroups_file_is_found_where_it_is_mounted(engine, path):
    kernel = boot(engine)
    hierarchy = PREFIX[path.rpartition("/")[2]]
    short, long = kernel.open(path), kernel.open(f"/sys/fs/cgroup/{hierarchy}{path}")
    assert short.read() == long.read()


def test_a_file_has_its_caches_names(engine):
    kernel = boot(engine)
    info = slabinfo.parse(kernel.open("/web/memory.kmem.slabinfo").read())
    assert sorted(info.names) == ["dentry", "filp"]
    assert kernel.listdir("/web") == ["a", "cgroup.stat", "memory.kmem.slabinfo"]


def test_a_file_outlives_its_cgroup_as_an_error(engine):
    kernel = boot(engine)
    file = kernel.open("/web/a/memory.kmem.slabinfo")
    kernel.rmdir("/web/a")
    with pytest.raises(OSError, match="No such device") as caught:
        file.read()
    assert caught.value.errno == errno.ENODEV
    with pytest.raises(FileNotFoundError, match="there is no cgroup '/web/a'"):
        kernel.open("/web/a/memory.kmem.slabinfo")


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("/proc/meminfo", FileNotFoundError, "there are /proc/slabinfo, /proc/cgr"),
        ("/proc/slabinfo/", FileNotFoundError, "there are /proc/slabinfo"),
        ("/nope/memory.kmem.slabinfo", FileNotFoundError, "no cgroup '/nope'"),
        ("/sys/fs/cgroup/memory/web/cgroup.stat", FileNotFoundError, "/memory/web"),
        ("/proc", IsADirectoryError, r"listdir\(\) lists it"),
        ("/sys/kernel/slab", IsADirectoryError, r"listdir\(\) lists it"),
        ("/web", IsADirectoryError, r"listdir\(\) lists it"),
        ("/sys/fs/cgroup/unified/web/a/", IsADirectoryError, r"listdir\(\)"),
    ],
)
def test_what_cannot_be_opened_says_why(engine, path, error, message):
    kernel = boot(engine)
    with pytest.raises(error, match=message) as caught:
        kernel.open(path)
    assert caught.value.filename == path


@pytest.mark.parametrize("name", designs)
def test_cgroup_stat_came_in_4_14(name):
    kernel = Kernel(name)
    kernel.mkdir("/web")
    of_4_13 = list(designs).index("4.13")  # to 4.17
    if not designs[name].kernels or list(designs).index(name) < of_4_13:
        with pytest.raises(FileNotFoundError, match=r"no cgroup\.stat: .* 4\.14"):
            kernel.open("/web/cgroup.stat")
        assert "cgroup.stat" not in kernel.listdir("/")
    else:
        text = kernel.open("/web/cgroup.stat").read()
        assert text == b"nr_descendants 0\nnr_dying_descendants 0\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "w"}, "open: mode is 'w'; expected rb or r; nothing is written"),
        ({"reader": "cursors"}, "reader: 'cursors' is not known; expected kernel or "),
        ({"buffering": -1}, "open: buffering is -1; expected a number of bytes"),
        ({"mode": "r", "buffering": 0}, "open: a text has a buffer; expected mode rb"),
    ],
)
def test_what_open_cannot_do_is_refused(options, message):
    with pytest.raises(InputError) as caught:
        Kernel("4.10").open("/proc/slabinfo", **options)
    assert str(caught.value).startswith(message)


def test_directories_show_what_the_kernel_holds(engine):
    kernel = boot(engine, "4.10")
    assert kernel.listdir("/proc") == ["cgroups", "loadavg", "slabinfo"]
    assert kernel.listdir("/sys/kernel/slab") == ["dentry", "filp", "kmalloc-64"]
    assert kernel.listdir("/sys/kernel/slab/dentry/") == ["cgroup"]
    assert kernel.listdir("/sys/kernel/slab/dentry/cgroup") == ["dentry(1:web)"]
    assert kernel.listdir("/sys/kernel/slab/kmalloc-64/cgroup") == []
    assert kernel.listdir("/") == ["memory.kmem.slabinfo", "web"]
    assert kernel.listdir("/sys/fs/cgroup/unified/web") == ["a"]
    assert kernel.listdir("/sys/fs/cgroup/memory/web/a") == ["memory.kmem.slabinfo"]


def test_an_alias_is_a_link_of_its_own(engine):
    kernel = boot(engine, "4.10")
    for name in ("one", "two"):
        kernel.create_cache(name, object_size=40, mergeable=True)
    assert {"one", "two"} <= set(kernel.listdir("/sys/kernel/slab"))
    assert kernel.listdir("/sys/kernel/slab/two") == ["cgroup"]
    names = slabinfo.parse(kernel.open("/proc/slabinfo").read()).names
    assert names == ("one", "filp", "kmalloc-64", "dentry")
    kernel.destroy_cache("two")
    assert "two" not in kernel.listdir("/sys/kernel/slab")


def test_children_have_directories_until_4_11(engine):
    kernel = boot(engine, "4.11")
    assert kernel.listdir("/sys/kernel/slab/dentry") == []
    with pytest.raises(FileNotFoundError, match="a child has no directory on this"):
        kernel.listdir("/sys/kernel/slab/dentry/cgroup")


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("/proc/slabinfo", NotADirectoryError, r"open\(\) reads it"),
        ("/web/cgroup.stat", NotADirectoryError, r"open\(\) reads it"),
        ("/nope", FileNotFoundError, "there is no cgroup '/nope'"),
        ("/sys/kernel/slab/inode", FileNotFoundError, "no cache 'inode' has a dir"),
        ("/sys/kernel/slab/dentry/order", FileNotFoundError, "order"),
        ("/nope/cgroup.stat", FileNotFoundError, "there is no cgroup '/nope'"),
    ],
)
def test_what_cannot_be_listed_says_why(engine, path, error, message):
    with pytest.raises(error, match=message) as caught:
        boot(engine).listdir(path)
    assert caught.value.filename == path


def test_slab_has_no_directories(engine):
    kernel = boot(engine, "4.10", allocator="slab")
    with pytest.raises(FileNotFoundError, match="SLAB's caches have no directories"):
        kernel.listdir("/sys/kernel/slab")


# --- a kernel that begins with a file ---

WHOLE = sorted(path for path in DATA.glob("*.txt") if "-" not in path.stem)


def of_file(path):
    """Return the design of the kernel that a file was recorded on, or the last one."""
    return designs.get(path.stem) or designs["6.12"]


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
@pytest.mark.parametrize("reader", ["kernel", "cursor"])
def test_its_own_slabinfo_is_the_real_file(engine, path, reader):
    kernel = Kernel.from_slabinfo(of_file(path), path, engine=engine)
    kernel.validate()
    assert kernel.now_ns == 0 and kernel.start_changes == ()
    assert kernel.open("/proc/slabinfo", reader=reader).read() == path.read_bytes()
    kernel.validate()


@pytest.mark.parametrize("name", designs)
def test_any_design_can_begin_with_any_file(name):
    path = DATA / "5.4.0.txt"
    kernel = Kernel.from_slabinfo(name, path.read_text())
    assert kernel.open("/proc/slabinfo").read() == path.read_bytes()


def test_life_goes_on_from_there(engine):
    path = DATA / "4.8.15.txt"
    kernel = Kernel.from_slabinfo(
        "4.8",
        path,
        accounted=("dentry", "inode_cache"),
        reclaimable=["dentry"],
        engine=engine,
    )
    before = slabinfo.parse(path)
    at = before.names.index("dentry")
    kernel.mkdir("/web")
    kernel.pin("dentry", "/web", 1)
    kernel.drain()
    kernel.pin("dentry", "/web", 100)
    after = slabinfo.parse(kernel.open("/proc/slabinfo").read())
    assert after.names == before.names
    per_slab = int(before["objperslab"][at])
    slabs = -(-100 // per_slab)
    assert after["num_slabs"][at] >= before["num_slabs"][at] + slabs
    assert after["num_objs"][at] == after["num_slabs"][at] * per_slab
    child = slabinfo.parse(kernel.open("/web/memory.kmem.slabinfo").read())
    assert child["objperslab"].tolist() == [per_slab]
    kernel.free("dentry", "/", int(before["active_objs"][at]))
    kernel.rmdir("/web")
    kernel.drop_caches()
    kernel.drain()
    kernel.validate()
    assert kernel.open("/proc/slabinfo").read().count(b"\n") == len(before) + 2


@pytest.mark.parametrize("name", ["4.4", "4.10", "4.12", "5.3", "6.12"])
@pytest.mark.parametrize("allocator", ["slub", "slab"])
def test_both_engines_go_on_alike(name, allocator):
    machine = Machine(cpus=2, allocator=allocator, kmem="on")
    kernels = []
    for engine in ("core", "reference"):
        kernel = Kernel.from_slabinfo(
            name,
            DATA / "4.10.17.txt",
            accounted=["dentry", "inode_cache", "kmalloc-64"],
            typesafe=["inode_cache"],
            machine=machine,
            engine=engine,
        )
        kernel.mkdir("/web")
        for cache in ("dentry", "inode_cache", "kmalloc-64"):
            kernel.alloc(cache, "/web", 40)
            kernel.drain()
            kernel.alloc(cache, "/web", 40)
            kernel.free(cache, "/", 200)
        kernel.rmdir("/web")
        kernel.drain()
        kernel.validate()
        kernels.append(kernel)
    core, reference = kernels
    assert core.start_changes == reference.start_changes
    assert core.state() == reference.state()
    paths = ("/proc/slabinfo", "/proc/cgroups", "/proc/loadavg")
    for path in paths:
        assert core.open(path).read() == reference.open(path).read()
    assert core.now_ns == reference.now_ns


@st.composite
def tables(draw):
    """Draw rows that a kernel with SLUB can have, in any order."""
    word = st.from_regex(r"[a-z]{1,20}", fullmatch=True)
    names = draw(st.lists(word, min_size=1, unique=True))
    rows = []
    for name in names:
        order = draw(st.integers(0, 5))
        size = draw(st.integers(1, 4096 << order))
        per_slab = draw(st.integers(1, (4096 << order) // size))
        slabs = draw(st.integers(0, 1000))
        rows.append(
            slabinfo.row(
                name,
                active_objs=draw(st.integers(0, slabs * per_slab)),
                num_objs=slabs * per_slab,
                objsize=size,
                objects_per_slab=per_slab,
                cache_order=order,
                active_slabs=slabs,
                num_slabs=slabs,
            )
        )
    return text_of(*rows)


@given(text=tables(), name=st.sampled_from(["4.4", "4.10", "4.11", "5.8", "6.12"]))
@pytest.mark.parametrize("engine", ["core", "reference"])
def test_whatever_table_a_kernel_can_have_is_what_it_begins_with(engine, text, name):
    kernel = Kernel.from_slabinfo(name, text, engine=engine)
    kernel.validate()
    rows = slabinfo.parse(text)
    assert kernel.start_changes == ()
    # An empty list has no header either.
    assert kernel.open("/proc/slabinfo").read() == (text if len(rows) else b"")
    kernel.validate()


def text_of(*rows, statistics=False):
    return slabinfo.header(statistics=statistics) + b"".join(rows)


GOOD = {
    "active_objs": 30,
    "num_objs": 42,
    "objsize": 192,
    "objects_per_slab": 21,
    "active_slabs": 2,
    "num_slabs": 2,
}


def test_what_the_kernel_has_otherwise_is_said(engine):
    text = text_of(
        slabinfo.row("a", **GOOD, stats={}),
        slabinfo.row("b", **GOOD | {"num_objs": 41, "active_objs": 50}, stats={}),
        slabinfo.row("c", **GOOD | {"active_slabs": 1}, limit=120, stats={}),
        statistics=True,
    )
    kernel = Kernel.from_slabinfo("4.10", text, engine=engine)
    assert kernel.start_changes == (
        "statistics are not kept",
        "b: active_objs 50 becomes 42",
        "b: num_objs 41 becomes 42",
        "c: limit 120 becomes 0",
        "c: active_slabs 1 becomes 2",
    )


def test_slab_has_tunables_of_its_own(engine):
    machine = Machine(cpus=2, allocator="slab")
    text = text_of(slabinfo.row("a", **GOOD, limit=120, batchcount=60, shared=8))
    kernel = Kernel.from_slabinfo("4.10", text, machine=machine, engine=engine)
    assert kernel.start_changes == ()
    assert kernel.open("/proc/slabinfo").read() == text
    empty = slabinfo.row("a", **GOOD | {"active_objs": 3}, limit=54)
    kernel = Kernel.from_slabinfo(
        "4.10", text_of(empty), machine=machine, engine=engine
    )
    assert kernel.start_changes == (
        "a: limit 54 becomes 120",
        "a: batchcount 0 becomes 60",
        "a: sharedfactor 0 becomes 8",
        "a: active_slabs 2 becomes 1",
    )


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (
            [slabinfo.row("a", **GOOD), slabinfo.row("a", **GOOD)],
            {},
            "slabinfo:4: 'a' stands in line 3 already; expected one whole read",
        ),
        ([slabinfo.row("a b", **GOOD)], {}, "slabinfo:3: 'a b' is no name; expected "),
        ([slabinfo.row("a" * 128, **GOOD)], {}, "slabinfo:3: 'aaaa"),
        ([slabinfo.row("a")], {}, "slabinfo:3: 0 objects of 0 bytes are in a slab"),
        (
            [slabinfo.row("a", **GOOD | {"objects_per_slab": 22})],
            {},
            "slabinfo:3: 22 objects of 192 bytes are in a slab; expected what fits",
        ),
        (
            [slabinfo.row("a", **GOOD).replace(b"   1 :", b"   3 :")],
            {},
            "slabinfo:3: pagesperslab is 3; expected a power of two",
        ),
        (
            [slabinfo.row("a", **GOOD | {"num_slabs": 2**32})],
            {},
            "slabinfo:3: num_slabs is 4294967296; expected under 2**31 objects",
        ),
        (
            [slabinfo.row("a", **GOOD)],
            {"typesafe": ["dentry"]},
            "typesafe: 'dentry' has no row; expected a name in slabinfo",
        ),
    ],
)
def test_what_no_kernel_begins_with_is_refused(rows, options, message):
    with pytest.raises(InputError) as caught:
        Kernel.from_slabinfo("4.10", text_of(*rows), **options)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("text", ["", HEADER, slabinfo.parse(HEADER)])
def test_a_file_without_rows_boots_no_kernel(text):
    with pytest.raises(InputError) as refusal:
        Kernel.from_slabinfo("4.10", text)
    assert str(refusal.value) == (
        "slabinfo: no cache has a row; expected one or more; Kernel() boots without "
        "caches"
    )


@pytest.mark.parametrize("flag", ["accounted", "typesafe", "reclaimable"])
def test_a_name_is_no_collection_of_names(flag):
    with pytest.raises(InputError) as refusal:
        Kernel.from_slabinfo("4.10", text_of(slabinfo.row("a", **GOOD)), **{flag: "a"})
    assert str(refusal.value) == (
        f"{flag}: 'a' is no collection; expected a list or set of names"
    )


@pytest.mark.parametrize("path", [b"/proc/slabinfo", None, 3])
@pytest.mark.parametrize("call", ["open", "listdir"])
def test_a_path_is_text(call, path):
    with pytest.raises(InputError) as refusal:
        getattr(Kernel("4.10"), call)(path)
    assert str(refusal.value) == (
        f"{call}: {path!r} is no path; expected a str, or a Path"
    )


def test_a_corrupt_read_is_refused_with_its_line():
    path = DATA / "4.10.17-repeated.txt"
    with pytest.raises(InputError, match=r"repeated\.txt:39: 'mqueue_inode_cache' st"):
        Kernel.from_slabinfo("4.10", path)


def test_slabs_are_given_to_new_caches_before_time_begins(engine):
    world = Kernel("4.10", engine=engine)._world
    number = world.boot_cache(192, True, False, False)
    for bad in (
        (0, 21, 43, 2),
        (0, 22, 1, 1),
        (31, 1, 0, 0),
        (0, 0, 0, 0),
        (0, 21, -1, 2),
        (0, 21, 0, 1 << 31),
    ):
        with pytest.raises(ValueError, match="objects"):
            world.boot_slabs(number, *bad)
    world.boot_slabs(number, 1, 40, 41, 2)
    assert world.counters()["slab_bytes"] == 2 * 8192
    with pytest.raises(LifecycleError, match="the cache has slabs"):
        world.boot_slabs(number, 0, 21, 1, 1)
    world.mkdir()
    with pytest.raises(LifecycleError, match="time has begun"):
        world.boot_slabs(number, 0, 21, 1, 1)

"""Programs that read /proc/slabinfo read ours, as they read a kernel's."""

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from slabcore import mount
from slabcore.capture import Capture
from slabcore.comparison import boot, prepare
from slabcore.kernel import Kernel, seconds
from slabcore.slabinfo import header, parse

HERE = Path(__file__).parent
FILES = HERE / "data" / "slabinfo"
# Files of real kernels: whole, and one with rows twice.
WHOLE = sorted(path for path in FILES.glob("*.txt") if "-" not in path.stem)
REPEATED = FILES / "4.10.17-repeated.txt"
OLD, NEW = FILES / "4.10.17.txt", FILES / "6.18.44.txt"
GOLDEN = json.loads((HERE / "golden" / "slabinfo-text-public.json").read_text())

# What bounds a wait for a program that is stuck; no verdict depends on it.
PATIENCE_S = 60


def installed(program):
    """Skip what needs a program that this machine does not have."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    return program


@pytest.fixture(scope="session")
def mounts(tmp_path_factory):
    """Skip what reads /proc itself where nobody may mount over it."""
    directory = tmp_path_factory.mktemp("mounts")
    mount.write(directory, {"slabinfo": b""})
    try:
        mount.namespace(directory, ["slabinfo"])
    except mount.NamespaceError as error:
        pytest.skip(f"no mounts over /proc here: {error}")


def command_line(options, *client):
    """Return the words that run a client under ``slabcore exec``.

    A sanitizer's runtime, which is loaded before slabcore, is not the client's.
    """
    client = ("env", "-u", "LD_PRELOAD", *client)
    return [sys.executable, "-m", "slabcore", "exec", *map(str, options), "--", *client]


def execute(options, *client):
    """Run a client under ``slabcore exec``; return the bytes that come out."""
    command = command_line(options, *client)
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def golden_text():
    """Return a file of all golden rows that a reader of words can take apart."""
    rows = (
        row["expect"][0]["row"]
        for row in GOLDEN["rows"]
        if re.fullmatch(r"[^\s:]+", row["in"]["name"])
    )
    return header() + "".join(rows).encode()


@pytest.fixture(scope="session")
def golden(tmp_path_factory):
    path = tmp_path_factory.mktemp("golden") / "slabinfo"
    path.write_bytes(golden_text())
    return path


def rows_of(text):
    """Return each row as its name and eleven numbers, by our own parser."""
    info = parse(text)
    return list(zip(info.names, info.table.tolist(), strict=True))


# --- programs that copy ---


@pytest.mark.parametrize(
    "copy",
    [
        ["cat", "{proc}/slabinfo"],
        ["dd", "if={proc}/slabinfo", "bs=1", "status=none"],
        ["dd", "if={proc}/slabinfo", "bs=4095", "status=none"],
        ["sh", "-c", 'head -c 5000 "$1"; tail -c +5001 "$1"', "sh", "{proc}/slabinfo"],
        ["sh", "-c", 'cat "$SLABCORE_PROC/slabinfo"'],
    ],
    ids=["cat", "dd bs=1", "dd bs=4095", "head -c", "sh"],
)
def test_the_golden_text_comes_through(golden, copy, tmp_path):
    installed(copy[0])
    options = ("--proc", tmp_path / "proc", "--slabinfo", golden)
    assert execute(options, *copy) == golden_text()


def test_the_golden_text_comes_through_proc(golden, mounts):
    text = execute(("--slabinfo", golden), "cat", "/proc/slabinfo")
    assert text == golden_text()


def test_python_reads_the_golden_text(golden):
    with open(golden, encoding="ascii") as file:
        assert "".join(file).encode() == golden_text()


# --- libraries that parse ---


def test_pandas_reads_the_golden_text(golden):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(golden, sep=r"\s+", skiprows=2, header=None, dtype=str)
    frame = frame.drop(columns=[6, 7, 11, 12])
    read = [(name, [*map(int, counts)]) for name, *counts in frame.values.tolist()]
    assert read == rows_of(golden_text())


@pytest.mark.parametrize("path", [*WHOLE, REPEATED], ids=lambda path: path.stem)
def test_jc_reads_what_the_parser_reads(path):
    jc = pytest.importorskip("jc")
    read = [
        (
            row["name"],
            [
                *(row["active_objs"], row["num_objs"], row["obj_size"]),
                *(row["obj_per_slab"], row["pages_per_slab"]),
                *row["tunables"].values(),
                *row["slabdata"].values(),
            ],
        )
        for row in jc.parse("proc_slabinfo", path.read_text())
    ]
    assert read == rows_of(path)


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_insights_reads_what_the_parser_reads(path):
    slabinfo = pytest.importorskip("insights.parsers.slabinfo")
    context_wrap = pytest.importorskip("insights.tests").context_wrap
    read = slabinfo.SlabInfo(context_wrap(path.read_text())).data
    counts = {name: list(row.values())[1:] for name, row in read.items()}
    assert [(name, [*map(int, row)]) for name, row in counts.items()] == rows_of(path)


# --- slabtop and vmstat ---


def slabtop_rows(printed):
    """Return each row's name, objects and active objects."""
    table = printed.decode().partition(" NAME")[2].splitlines()[1:]
    return [(row[-1], int(row[0]), int(row[1])) for row in map(str.split, table)]


@pytest.mark.parametrize("path", [OLD, NEW, REPEATED], ids=lambda path: path.stem)
def test_slabtop_shows_every_row(path, mounts):
    installed("slabtop")
    shown = execute(("--slabinfo", path), "slabtop", "-o")
    rows = rows_of(path)
    objects = re.search(rb"Objects .*: (\d+) / (\d+)", shown)
    totals = [sum(counts[column] for _, counts in rows) for column in (0, 1)]
    assert [*map(int, objects.groups())] == totals
    seen = sorted(slabtop_rows(shown))
    assert seen == sorted((name, count[1], count[0]) for name, count in rows)


@pytest.mark.parametrize("path", [OLD, NEW, REPEATED], ids=lambda path: path.stem)
def test_vmstat_shows_every_row(path, mounts):
    installed("vmstat")
    shown = execute(("--slabinfo", path), "vmstat", "-m").decode()
    lines = [line.split() for line in shown.splitlines()]
    seen = sorted((row[0], *map(int, row[1:])) for row in lines if row[0] != "Cache")
    # vmstat cuts names at 24 characters and calls objects a slab pages.
    assert seen == sorted((name[:24], *counts[:4]) for name, counts in rows_of(path))


# --- node_exporter ---


# What users of node_exporter reported of kernels whose slabinfo repeats rows.
ONCE_MORE = "was collected before with the same name and label values"


class Scrape:
    """One scrape of node_exporter's slabinfo collector."""

    def __init__(self, *options):
        command = command_line(
            options,
            installed("prometheus-node-exporter"),
            "--path.procfs={proc}",
            "--collector.disable-defaults",
            "--collector.slabinfo",
            "--web.listen-address=127.0.0.1:0",
        )
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                # It says which port it got, and after the scrape what went wrong.
                for line in process.stderr:
                    if found := re.search(r"address=(127\.0\.0\.1:\d+)", line):
                        break
                else:
                    pytest.fail("node_exporter does not listen")
                url = f"http://{found[1]}/metrics"
                with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
                    self.status = answer.status
                    self.text = answer.read().decode()
            finally:
                process.terminate()  # slabcore hands it on
            self.log = process.stderr.read()
        self.exit_status = process.returncode

    def family(self, name):
        """Return the values of a metric by the caches' names."""
        lines = re.findall(rf'^{name}{{slab="(.*)"}} (.*)$', self.text, re.M)
        return {cache: float(value) for cache, value in lines}

    def twice(self, name):
        """Return how often the log says that a metric came again, by cache."""
        what = rf'"{name}" {{ label:<name:"slab" value:"([^"]*)" > [^}}]*}} {ONCE_MORE}'
        return Counter(re.findall(what, self.log.replace("\\", "")))


# A family a column.
FAMILIES = {
    "node_slabinfo_active_objects": 0,
    "node_slabinfo_objects": 1,
    "node_slabinfo_object_size_bytes": 2,
    "node_slabinfo_objects_per_slab": 3,
    "node_slabinfo_pages_per_slab": 4,
}


@pytest.mark.parametrize("path", [OLD, NEW], ids=lambda path: path.stem)
def test_node_exporter_exports_every_row(path):
    scrape = Scrape("--slabinfo", path)
    assert scrape.status == 200
    assert ONCE_MORE not in scrape.log
    rows = rows_of(path)
    for family, column in FAMILIES.items():
        exported = scrape.family(family)
        assert exported == {name: counts[column] for name, counts in rows}


def test_prometheus_parses_what_is_exported():
    parser = pytest.importorskip("prometheus_client.parser")
    scrape = Scrape("--slabinfo", OLD)
    exported = {
        family.name: {sample.labels["slab"]: sample.value for sample in family.samples}
        for family in parser.text_string_to_metric_families(scrape.text)
        if family.name in FAMILIES
    }
    assert exported == {name: scrape.family(name) for name in FAMILIES}


def test_node_exporter_complains_of_every_repeated_row():
    rows = rows_of(REPEATED)
    scrape = Scrape("--slabinfo", REPEATED)
    assert scrape.status == 200
    for family, column in FAMILIES.items():
        # the first row of a cache is what is exported
        first = {name: counts[column] for name, counts in reversed(rows)}
        assert scrape.family(family) == first
        assert scrape.twice(family) == Counter(name for name, _ in rows) - Counter(
            first.keys()
        )


def test_node_exporters_status_is_the_signals():
    assert Scrape("--slabinfo", OLD).exit_status == 128 + signal.SIGTERM


# --- what a modelled kernel's readers get ---

# Eight programs make cgroups; a file of 4.9 that is read then repeats rows, without any
# pause but those that its reads take.
BUSY = ("--design", "4.9", "--at", "1")


def busy(design="4.9", **how):
    """Return the same moment's files as one reader gets them."""
    workload, machine, found = prepare("storm", design, None, ())
    kernel = boot(workload, found[design], machine)
    kernel.advance_to(seconds(workload.begin_s + 1))
    return Capture(kernel, **how)


@pytest.mark.parametrize("size", [1, 512, 4096, 1 << 17])
def test_a_client_gets_what_a_read_of_that_size_gets(size):
    files = busy(size=size).files()
    names = ["{proc}/slabinfo", "{proc}/cgroups", "{proc}/loadavg"]
    read = execute((*BUSY, "--read", size), "cat", *names)
    assert read == b"".join(files.values())


def test_python_and_pandas_read_an_open_file():
    kernel = Kernel.from_slabinfo("4.10", OLD)  # where nothing goes on
    text = Capture(kernel).file("slabinfo").decode()
    with kernel.open("/proc/slabinfo", "r") as file:
        assert "".join(file) == text
    pandas = pytest.importorskip("pandas")
    with kernel.open("/proc/slabinfo", "r") as file:
        frame = pandas.read_csv(file, sep=r"\s+", skiprows=2, header=None)
    assert frame[0].tolist() == [name for name, _ in rows_of(text)]


def test_slabtop_shows_a_cache_again_and_the_cursor_shows_it_once(mounts):
    installed("slabtop")
    names = Counter(name for name, _ in rows_of(busy().file("slabinfo")))
    assert max(names.values()) > 1
    shown = slabtop_rows(execute(BUSY, "slabtop", "-o"))
    assert Counter(name for name, *_ in shown) == names
    shown = slabtop_rows(execute((*BUSY, "--reader", "cursor"), "slabtop", "-o"))
    assert sorted(name for name, *_ in shown) == sorted(names)


@pytest.mark.parametrize(
    "options",
    [("--design", "4.11", "--at", "1"), (*BUSY, "--reader", "cursor")],
    ids=["4.11", "cursor"],
)
def test_node_exporter_is_content_with(options):
    scrape = Scrape(*options)
    assert scrape.status == 200
    assert ONCE_MORE not in scrape.log
    assert set(scrape.family("node_slabinfo_objects")) == {
        name for name, _ in rows_of(busy().file("slabinfo"))
    }


def test_node_exporter_complains_of_4_9():
    names = Counter(name for name, _ in rows_of(busy().file("slabinfo")))
    scrape = Scrape(*BUSY)
    assert scrape.status == 200
    for family in FAMILIES:
        assert scrape.twice(family) == names - Counter(list(names))
    assert ONCE_MORE in scrape.log


def test_node_exporter_complains_as_the_page_says():
    page = (HERE.parent / "docs" / "clients.md").read_text()
    (complaint,) = re.findall(r"^collected metric .*$", page, re.M)
    assert complaint in Scrape(*BUSY).log.replace("\\", "")

"""Recordings read as four tools write them, folded into lives, and made workloads."""

import json
import os
import re
import statistics
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slabcore._core import TraceScanner
from slabcore.errors import InputError, LifecycleError
from slabcore.machine import Machine
from slabcore.traces import (
    LINES,
    Event,
    Replay,
    Trace,
    read_events,
    recording,
    recordings,
)
from slabcore.workloads import Program, Workload, load

DATA = Path(__file__).parent / "data" / "traces"
EXPECTED = json.loads((DATA / "expected.json").read_text())
OLDER = DATA / "constructed-older-kernels.txt"


def sample(name: str) -> Path:
    path = DATA / name
    return path if path.exists() else recording("ftrace-6.18").with_name(name)


def line(
    at: float, event: str, body: str, *, task: str = "init", pid: int = 1, cpu: int = 0
) -> str:
    return f"{task:>16}-{pid:<7} [{cpu:03}] d..1. {at:12.6f}: {event}: {body}\n"


def cgroup(at: float, what: str, number: int = 17, path: str = "/a", root: int = 4):
    return line(at, f"cgroup_{what}", f"root={root} id={number} level=1 path={path}")


def attach(
    at: float, pid: int, number: int = 17, path: str = "/a", root: int = 4, level=1
):
    body = f"dst_root={root} dst_id={number} dst_level={level} dst_path={path}"
    return line(at, "cgroup_attach_task", f"{body} pid={pid} comm=sh", pid=pid)


def alloc(at: float, pid: int, cache: str, size: int = 192, accounted: str = "true"):
    body = (
        f"call_site=f+0x1/0x2 ptr=00000000496989a5 name={cache} bytes_req={size} "
        f"bytes_alloc={size} gfp_flags=GFP_KERNEL|__GFP_ZERO node=-1 "
        f"accounted={accounted}"
    )
    return line(at, "kmem_cache_alloc", body, pid=pid)


def refusal(lines: list[str], where: str = "t.txt") -> str:
    with pytest.raises(InputError) as caught:
        Trace.fold(lines, where)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_scanner_writes_rows_where_they_may_stand():
    text = cgroup(1, "mkdir").encode()
    memory = np.zeros(LINES.itemsize + 8, np.uint8)
    for offset in range(1, 8):
        with pytest.raises(ValueError, match="expected LINES aligned"):
            TraceScanner().scan(text, memory[offset : offset + LINES.itemsize])
    assert TraceScanner().scan(text, memory[8:]) == 1


def test_a_scanner_is_one_threads_at_a_time():
    text = cgroup(1, "mkdir").encode() * 5000
    scanner, refusals = TraceScanner(), []

    def scan():
        rows = np.zeros(5000, LINES).view(np.uint8)
        while not refusals:
            try:
                assert scanner.scan(text, rows) == 5000
                assert scanner.names == ["cgroup_mkdir"]
            except LifecycleError as error:
                refusals.append(str(error))

    threads = [threading.Thread(target=scan) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(refusals) == {"the scanner is scanning; each thread needs its own"}


def scanned(text: bytes) -> list[Event | None]:
    """Return what the core's scanner tells of each line: an event, or nothing."""
    rows = np.zeros(text.count(b"\n"), LINES)
    scanner = TraceScanner()
    assert scanner.scan(text, rows.view(np.uint8)) == len(rows)
    names = scanner.names
    events: list[Event | None] = []
    for row in rows:
        line = text[row["start"] : row["end"]]

        def part(name: str, row=row, line=line) -> str:
            begin = row[name]
            return line[begin : begin + row[f"{name}_length"]].decode("ascii")

        if row["event"] < 0:
            events.append(None)
            continue
        assert part("name") == names[row["event"]]
        events.append(
            Event(
                at_ns=row["at_ns"],
                name=part("name"),
                comm=part("comm"),
                pid=row["pid"],
                cpu=row["cpu"],
                body=line[row["body"] :].decode("utf-8", "replace"),
                flags=part("flags"),
                system=part("system"),
                buffer=part("buffer"),
                tgid=row["tgid"] if row["tgid"] >= 0 else None,
            )
        )
    return events


# --- samples: every figure that is known of them --------------------------------------


@pytest.fixture(scope="module", params=EXPECTED)
def known(request: pytest.FixtureRequest) -> tuple[Trace, Mapping, Path]:
    path = sample(request.param)
    return Trace.read(path), EXPECTED[request.param], path


def test_every_event_is_counted_by_name(known):
    trace, expected, _ = known
    assert trace.events == expected["events"]
    assert sum(trace.events.values()) == expected["lines_parsed"]


def test_the_span_is_from_the_first_event_to_the_last(known):
    trace, expected, _ = known
    assert round(trace.span_ns / 1e9, 6) == expected["span_s"]


def test_releases_come_as_long_after_rmdir_as_they_did(known):
    trace, expected, _ = known
    waits = [ns / 1e6 for ns in trace.rmdir_to_release_ns]
    assert {
        "min": round(min(waits), 3),
        "median": round(statistics.median_high(waits), 3),
        "max": round(max(waits), 3),
    } == expected["rmdir_to_release_ms"]


def test_removals_without_a_release_are_counted(known):
    trace, expected, _ = known
    left = [c for c in trace.lives if c.rmdir_ns is not None and c.release_ns is None]
    assert len(left) == expected["rmdir_without_release"]


def test_as_many_caches_are_named(known):
    _, expected, path = known
    with open(path) as file:
        names = {event.fields().get("name") for event in read_events(file)} - {None}
    assert len(names) == expected.get("distinct_cache_names", 0)


def test_no_sample_lost_events_or_is_cut(known):
    trace, _, _ = known
    assert (trace.lost, trace.overwritten, trace.cut_off) == (0, 0, False)


@pytest.mark.parametrize(
    ("name", "root", "nodes"),
    [
        ("ftrace-6.18-cgroup1-memory.txt", 4, 33),
        ("perf-script-ns-6.18.txt", 4, 33),
        ("trace_pipe-6.18-cgroup2.txt", 0, 19),
    ],
)
def test_gaps_between_ids_tell_a_cgroups_kernfs_nodes(name, root, nodes):
    trace = Trace.read(sample(name))
    assert (trace.root, trace.kernfs_per_cgroup) == (root, nodes)


@pytest.mark.parametrize(
    ("name", "cpus"),
    [
        ("ftrace-6.18-kmem.txt", 2),  # #P:2
        ("trace-cmd-report-6.18.txt", 2),  # cpus=2
        ("perf-script-6.18.txt", 2),  # two are seen at work
        ("perf-script-ns-6.18.txt", None),  # one is, of who knows how many
    ],
)
def test_the_number_of_cpus_is_the_headers_or_what_is_seen(name, cpus):
    trace = Trace.read(sample(name))
    assert trace.cpus == cpus
    assert trace.workload().machine.cpus == cpus


# --- lines: what the tools' wordings have in common -----------------------------------


def test_older_wordings_are_read_by_the_fields_that_are_there():
    with open(OLDER) as file:
        events = list(read_events(file))
    assert len(events) == 10
    first, child, rt = events[0], events[3], events[-1]
    assert (first.comm, first.pid, first.flags) == ("systemd", 1, "d...")
    assert first.at_ns == 12345_678901_000
    assert (child.comm, child.pid, child.cpu) == ("runc:[1:CHILD]", 991, 1)
    assert child.fields()["call_site"] == "ffffffff811a2b3c"
    assert (rt.comm, rt.pid, rt.tgid, rt.flags) == ("<...>", 77, 77, "d..h2..")
    trace = Trace.read(OLDER)
    assert trace.lost == 37
    assert trace.caches == ()
    assert trace.cgroups.keys() == {(4, 17, 0), (0, 4294967313, 0)}
    assert trace.lives[0].path == "/system.slice/run-r1.scope"


@pytest.mark.parametrize("comm", ["a b", "x-1", "[k]", "a:b", "0/2:x", "a]", "-", "("])
@pytest.mark.parametrize("flags", ["", "d... ", "d..1. ", "dN.h2.. "])
def test_a_comm_may_hold_what_the_grammar_is_made_of(comm, flags):
    text = f"{comm:>16}-42      [007] {flags}    1.000001: kfree: ptr=(nil)\n"
    (event,) = read_events([text])
    assert (event.comm, event.pid, event.cpu) == (comm, 42, 7)
    assert event.flags == flags.strip()


def test_an_instance_a_tgid_a_system_and_nanoseconds_are_parts_of_their_own():
    (event,) = read_events(
        ["inst.1:  a-b-12    (-------) [001]  9.000000001: kmem:kfree:  (f) x=1\n"]
    )
    assert event == Event(
        at_ns=9_000_000_001,
        name="kfree",
        comm="a-b",
        pid=12,
        cpu=1,
        body="(f) x=1",
        system="kmem",
        buffer="inst.1",
    )
    (event,) = read_events([" a 7/8 [000] 1.5000000: x: y\n"])
    assert (event.comm, event.pid, event.at_ns) == ("a", 7, 1_500_000_000)


def test_kfree_of_null_is_an_event_like_any_other():
    text = line(1, "kfree", "call_site=vm_area_free+0x1c/0x90 ptr=0000000000000000")
    (event,) = read_events([text])
    assert event.fields()["ptr"] == "0" * 16


def test_events_of_no_interest_are_counted():
    text = [
        cgroup(1, "mkdir"),
        line(2, "sysfs_slab_add", "(sysfs_slab_add+0x0/0x1e0)"),
        line(3, "rcu_utilization", "Start context switch"),
        line(4, "cgroup_setup_root", "root=5 ss_mask=0x8 name="),
        line(5, "func.isra.0", ""),
    ]
    trace = Trace.fold(text)
    assert trace.events == {
        "cgroup_mkdir": 1,
        "sysfs_slab_add": 1,
        "rcu_utilization": 1,
        "cgroup_setup_root": 1,
        "func.isra.0": 1,
    }
    assert trace.caches_created == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (
            "root=4 id=1 level=1 path=/a b=c val=1",
            {"root": "4", "id": "1", "level": "1", "path": "/a b=c", "val": "1"},
        ),
        (
            "dst_path=/a pid=1 b pid=2 comm=x y",
            {"dst_path": "/a pid=1 b", "pid": "2", "comm": "x y"},
        ),
        (
            "(vm_area_free+0x1c) call_site=vm_area_free+0x1c ptr=(nil)",
            {"call_site": "vm_area_free+0x1c", "ptr": "(nil)"},
        ),
        ("name=kvm vcpu bytes_req=8", {"name": "kvm vcpu", "bytes_req": "8"}),
        ("Start scheduler-tick", {}),
    ],
)
def test_a_body_splits_into_its_fields(body, fields):
    (event,) = read_events([line(1, "x", body)])
    assert event.fields() == fields


COMM = st.text(st.sampled_from("abz019 -:[]/()<>.#é"), min_size=1, max_size=15).filter(
    lambda comm: comm == comm.strip()
)
# What trace-cmd would take for an instance: "name: ".
AS_INSTANCE = re.compile(r"[\w.-]+:\s", re.ASCII)
NAME = st.from_regex(r"[a-z_][a-z_0-9]{0,20}", fullmatch=True)
BODY = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\r\n"), max_size=60
).filter(lambda body: body == body.lstrip() and body)


@given(
    tool=st.sampled_from(["ftrace", "trace-cmd", "perf"]),
    comm=COMM,
    pid=st.integers(0, 4194304),
    cpu=st.integers(0, 8191),
    flags=st.sampled_from(["....", "d..h1.", ".N.s1", "dNZ2..1", "d..h2.."]),
    tgid=st.none() | st.integers(0, 4194304),
    at_us=st.integers(0, 10**13),
    more_ns=st.none() | st.integers(0, 999),
    name=NAME,
    body=BODY,
)
def test_what_a_tool_writes_is_what_is_read(
    tool, comm, pid, cpu, flags, tgid, at_us, more_ns, name, body
):
    seconds = f"{at_us // 10**6:5}.{at_us % 10**6:06}"
    at_ns = at_us * 1000
    system = buffer = ""
    if tool == "ftrace":
        if AS_INSTANCE.match(comm):
            comm = comm.replace(":", ";")
        column = "" if tgid is None else f"({tgid:7}) "
        text = f"{comm:>16}-{pid:<7} {column}[{cpu:03}] {flags} {seconds}: {name}: "
    else:
        flags, tgid = "", None
        if more_ns is not None:
            seconds, at_ns = f"{seconds}{more_ns:03}", at_ns + more_ns
        if tool == "trace-cmd":
            buffer = "demo"
            text = f"demo: {comm:>16}-{pid:<5} [{cpu:03}] {seconds}: {name + ':':<22} "
        else:
            system = "kmem"
            text = f"{comm:>16} {pid:>5} [{cpu:03}] {seconds}: {'kmem:' + name:>18}: "
            if AS_INSTANCE.match(comm):
                text = text.replace(comm, comm := comm.replace(":", ";"), 1)
    (event,) = read_events([f"{text}{body}\n"])
    assert event == Event(
        at_ns, name, comm, pid, cpu, body, flags, system, buffer, tgid
    )


# --- lines that are no events ---------------------------------------------------------


def test_headers_comments_and_blank_lines_are_passed_over():
    text = [
        "cpus=4\n",
        "version = 7\n",
        "CPU 3 is empty\n",
        "# tracer: nop\n",
        "##### CPU 1 buffer started ####\n",
        "\n",
        "  \n",
        cgroup(1, "mkdir").replace("\n", "\r\n"),
    ]
    trace = Trace.fold(text)
    assert trace.cpus == 4
    assert trace.lines == 8
    assert trace.lives[0].path == "/a"


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("CPU:1 [LOST 37 EVENTS]\n", 37),
        ("CPU:1 [LOST EVENTS]\n", 1),
        ("inst:  CPU:0 [12 EVENTS DROPPED]\n", 12),
        ("  sh  7 [000]  1.000000: PERF_RECORD_LOST lost 5\n", 5),
    ],
)
def test_lost_events_are_reported(text, lost):
    trace = Trace.fold([cgroup(1, "mkdir"), text, cgroup(2, "rmdir"), text])
    assert trace.lost == 2 * lost
    assert f"{2 * lost} events or more were lost while recording" in trace.notes()


def test_a_ring_buffer_that_ran_over_is_reported():
    header = "# entries-in-buffer/entries-written: 60/100   #P:2\n"
    trace = Trace.fold([header, cgroup(1, "mkdir")])
    assert (trace.overwritten, trace.cpus) == (40, 2)
    assert "the first 40 events were overwritten" in trace.notes()


def test_a_line_of_another_kind_is_refused_with_its_number():
    assert refusal([cgroup(1, "mkdir"), "\n", "hello world\n"]) == (
        "t.txt:3: 'hello world' is no event; expected TASK-PID [CPU] "
        "SECONDS.MICROSECONDS: EVENT: …, as ftrace or perf write it"
    )


@pytest.mark.parametrize(
    "text",
    [
        "0.1 ( 0.0 ms): sh/1 cgroup:cgroup_mkdir(root: 4, id: 17)",  # perf trace
        "sh-1 [000] d... 123456789: cgroup_mkdir: root=4",  # trace_clock counter
        "sh-1 [000] d... 1.000000: cat <-vfs_read",  # the function tracer
        "=> vfs_read",
        "sh [000] 1.000000: x: y",
        "sh-99999999999 [000] 1.000000: x: y",
        " " * 100_000 + "x",
        "x " * 50_000,
    ],
)
def test_a_near_miss_is_refused_too(text):
    assert refusal([text + "\n"]).startswith("t.txt:1: ")
    assert len(refusal([text + "\n"])) < 200


@pytest.mark.parametrize(
    ("event", "body", "answer"),
    [
        ("cgroup_mkdir", "root=4 id=x level=1 path=/a", "id=x; expected a number"),
        (
            "cgroup_rmdir",
            "root=4 level=1 path=/a",
            "cgroup_rmdir: 'root=4 level=1 path=/a'; "
            "expected root=… id=… level=… path=…",
        ),
        (
            "cgroup_attach_task",
            "",
            "cgroup_attach_task: ''; expected "
            "dst_root=… dst_id=… dst_level=… dst_path=… pid=… comm=…",
        ),
    ],
)
def test_a_cgroup_event_without_its_fields_is_refused(event, body, answer):
    text = [cgroup(1, "mkdir"), line(2, event, body)]
    assert refusal(text) == f"t.txt:2: {answer}"


def test_an_empty_recording_is_refused():
    assert refusal([]) == (
        "t.txt: the file is empty; "
        "expected cgroup_mkdir and cgroup_rmdir events (Linux 4.9 and newer)"
    )
    assert "there is no event in it" in refusal(["# tracer: nop\n"])


def test_a_recording_without_cgroups_is_refused():
    assert "no cgroup is made or removed in it" in refusal([alloc(1, 7, "dentry")])
    to_root = attach(1, 7, number=1, path="/", level=0)
    assert "no cgroup is made or removed in it" in refusal([to_root])


def test_a_recording_of_earlier_removals_only_has_nothing_to_replay():
    trace = Trace.fold([cgroup(1, "release")], "t.txt")
    assert trace.orphans == "1 removed before it began"
    with pytest.raises(InputError, match=r"^t\.txt: no cgroup is made or removed"):
        trace.workload()


@pytest.mark.parametrize("content", [b"tracing\0\x17", "# tracer".encode("utf-16")])
def test_a_binary_file_is_refused(tmp_path, content):
    path = tmp_path / "trace.dat"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not text; expected the text of a trace"):
        Trace.read(path)


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_what_cannot_be_opened_is_named(tmp_path, name):
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / name}: ")):
        Trace.read(tmp_path / name)


def test_bytes_that_are_not_utf8_are_replaced(tmp_path):
    path = tmp_path / "trace.txt"
    text = cgroup(1, "mkdir", path="/caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    path.write_bytes(text.encode("latin-1"))
    assert Trace.read(path).lives[0].path == "/caf\N{REPLACEMENT CHARACTER}"


def test_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(cgroup(1, "mkdir"),))
    writer.start()
    assert len(Trace.read(path).lives) == 1
    writer.join()


def test_lines_are_taken_one_at_a_time():
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for at in range(1, 100):
            taken += 1
            yield line(at, "kfree", "ptr=0")

    events = read_events(lines())
    assert [next(events).at_ns, next(events).at_ns] == [10**9, 2 * 10**9]
    assert taken == 2


# --- recordings that were cut off -----------------------------------------------------

LIFE = [cgroup(1, "mkdir"), attach(2, 7), alloc(3, 7, "dentry"), cgroup(4, "rmdir")]


@pytest.mark.parametrize("length", range(1, len(LIFE[3])))
def test_a_last_line_that_breaks_off_is_reported(length):
    trace = Trace.fold([*LIFE[:3], LIFE[3][:length]])
    assert trace.lines == 4
    assert trace.cut_off
    assert "line 4, the last, breaks off: all after it is missing" in trace.notes()
    (life,) = trace.lives
    complete = LIFE[3][:length].endswith(("path=/", "path=/a"))
    assert (life.rmdir_ns is not None) == complete


def test_a_recording_that_is_cut_anywhere_is_read():
    text = sample("ftrace-6.18-cgroup1-dying.txt").read_text()
    full = Trace.fold(text.splitlines(keepends=True))
    for end in range(len(text) - 400, len(text)):
        trace = Trace.fold(text[:end].splitlines(keepends=True))
        assert full.events["cgroup_release"] - trace.events["cgroup_release"] <= 5
        assert trace.cut_off == (text[end - 1] != "\n")
        assert len(trace.workload().programs) == 100


def test_only_the_last_line_may_break_off():
    assert refusal(["hello", *LIFE]).startswith("t.txt:1: 'hello' is no event")
    torn = LIFE[3][:75]
    assert refusal([*LIFE[:3], torn, LIFE[3]]).startswith("t.txt:4: id=; ")


def test_lines_without_ends_are_lines_too():
    trace = Trace.fold([text.rstrip("\n") for text in LIFE])
    assert not trace.cut_off
    assert trace.lives[0].rmdir_ns == 4 * 10**9


# --- lives ----------------------------------------------------------------------------


def test_a_life_has_its_times():
    trace = Trace.fold([cgroup(1, "mkdir"), attach(2, 7), cgroup(3, "rmdir")])
    (life,) = trace.lives
    assert trace.cgroups == {(4, 17, 0): life}
    assert life.key == (4, 17, 0)
    assert (life.mkdir_ns, life.rmdir_ns, life.release_ns) == (10**9, 3 * 10**9, None)
    assert [(a.at_ns, a.pid) for a in life.attaches] == [(2 * 10**9, 7)]
    assert life.rmdir_to_release_ns is None
    assert trace.orphans == "1 removed and not released"


def test_ids_are_used_again_up_to_5_4():
    trace = Trace.fold(
        [
            *(cgroup(1, "mkdir"), cgroup(2, "rmdir"), cgroup(3, "release")),
            *(cgroup(4, "mkdir", path="/b"), cgroup(5, "rmdir", path="/b")),
        ]
    )
    assert [life.key for life in trace.lives] == [(4, 17, 0), (4, 17, 1)]
    assert [life.path for life in trace.lives] == ["/a", "/b"]
    assert trace.rmdir_to_release_ns == [10**9]
    assert trace.kernfs_per_cgroup is None


def test_orphans_of_every_kind_are_told_in_one_line():
    trace = Trace.fold(
        [
            cgroup(1, "release", 1),
            *(cgroup(2, "rmdir", 2), cgroup(3, "release", 2)),
            attach(4, 7, 3),
            cgroup(5, "mkdir", 4),
            *(cgroup(6, "mkdir", 5), cgroup(7, "release", 5)),
            *(cgroup(8, "mkdir", 6), cgroup(9, "rmdir", 6)),
        ]
    )
    assert trace.orphans == (
        "2 made before it began, 1 removed before it began, "
        "1 removed unseen, 1 removed and not released"
    )
    assert trace.notes() == [f"of 6 cgroups: {trace.orphans}"]


def test_a_life_recorded_whole_is_no_orphan():
    whole = [cgroup(1, "mkdir"), cgroup(2, "rmdir"), cgroup(3, "release")]
    trace = Trace.fold([*whole, cgroup(4, "mkdir", 18)])
    assert (trace.orphans, trace.notes()) == ("", [])


def test_the_dying_sample_has_orphans_of_both_kinds():
    trace = Trace.read(sample("ftrace-6.18-cgroup1-dying.txt"))
    assert trace.orphans == "7 removed before it began, 6 removed and not released"
    assert len(trace.lives) == 107
    assert len(trace.programs()) == 100


def test_a_renamed_cgroup_lives_on():
    trace = Trace.fold(
        [cgroup(1, "mkdir"), cgroup(2, "rename", path="/b"), cgroup(3, "rmdir")]
    )
    assert [life.path for life in trace.lives] == ["/b"]
    assert Trace.fold([cgroup(1, "rename"), cgroup(2, "mkdir")]).lives[0].path == "/a"


@given(
    path=st.text(
        st.characters(exclude_categories=("Cs",), exclude_characters="/\r\n"),
        min_size=1,
    ),
    number=st.integers(-(2**31), 2**64 - 1),
    root=st.integers(0, 2**31 - 1),
    pid=st.integers(0, 4194304),
)
def test_whatever_a_path_holds_it_is_read_back(path, number, root, pid):
    path = f"/{path}"
    trace = Trace.fold(
        [
            cgroup(1, "mkdir", number, path, root),
            attach(2, pid, number, path, root),
            cgroup(3, "rmdir", number, path, root),
        ]
    )
    (life,) = trace.lives
    assert (life.path, life.id, life.root) == (path, number, root)
    assert [a.pid for a in life.attaches] == [pid]


# --- hierarchies ----------------------------------------------------------------------

TWO = [
    *(cgroup(1, "mkdir", root=4), cgroup(1, "mkdir", path="/v2", root=0)),
    *(attach(2, 7, root=4), attach(2, 7, path="/v2", root=0)),
    alloc(3, 7, "dentry"),
    cgroup(4, "rmdir", root=4),
]


def test_the_hierarchy_with_the_most_events_is_replayed():
    trace = Trace.fold(TWO)
    assert trace.root == 4
    assert [life.path for life in trace.lives] == ["/a"]
    assert "hierarchy 4 is replayed, not 0" in trace.notes()


def test_another_hierarchy_can_be_asked_for():
    trace = Trace.fold(TWO, root=0)
    assert [life.path for life in trace.lives] == ["/v2"]
    # The task is in a cgroup of each; whichever is memory's pays.
    assert trace.lives[0].allocations == {"dentry": 1}
    assert trace.select(4).lives[0].allocations == {"dentry": 1}
    assert trace.unattributed == 0


def test_a_hierarchy_without_cgroups_is_refused():
    with pytest.raises(
        InputError, match=r"of hierarchy 9 .* expected hierarchy 0 or 4"
    ):
        Trace.fold(TWO, root=9)


# --- caches ---------------------------------------------------------------------------


def test_an_allocation_is_paid_by_the_cgroup_its_task_came_into_last():
    trace = Trace.fold(
        [
            *(cgroup(1, "mkdir", 1, "/a"), cgroup(1, "mkdir", 2, "/b")),
            alloc(2, 7, "vm_area_struct"),
            attach(3, 7, 1, "/a"),
            alloc(4, 7, "dentry"),
            alloc(4, 8, "dentry"),
            attach(5, 7, 2, "/b"),
            *(alloc(6, 7, "dentry"), alloc(6, 7, "anon_vma", 104)),
            alloc(6, 7, "dentry"),
            alloc(7, 7, "kernfs_node_cache", accounted="false"),
            attach(8, 7, 1, "/", level=0),
            alloc(9, 7, "dentry"),
        ]
    )
    assert [life.allocations for life in trace.lives] == [
        {"dentry": 1},
        {"dentry": 2, "anon_vma": 1},
    ]
    assert [(c.name, c.object_size, c.allocations) for c in trace.caches] == [
        ("vm_area_struct", 192, 1),
        ("dentry", 192, 5),
        ("anon_vma", 104, 1),
    ]
    assert trace.unattributed == 3
    assert trace.notes()[-1].startswith("3 of 7 accounted allocations are left out")


def test_a_pid_that_comes_back_after_rmdir_is_another_task():
    trace = Trace.fold(
        [
            *(cgroup(1, "mkdir"), attach(2, 7), cgroup(3, "rmdir")),
            alloc(4, 7, "dentry"),
        ]
    )
    assert trace.lives[0].allocations == {}
    assert trace.unattributed == 1


def test_threads_pay_where_their_leader_came_in():
    thread = alloc(3, 8, "dentry").replace(" [000]", "(      7) [000]")
    trace = Trace.fold([cgroup(1, "mkdir"), attach(2, 7), thread])
    assert trace.lives[0].allocations == {"dentry": 1}


def test_older_wordings_name_no_caches():
    trace = Trace.read(OLDER)
    assert trace.caches == ()
    assert trace.workload().caches == load("smythies").caches


@pytest.mark.parametrize(
    "name", ["ftrace-6.18-kmem.txt", "trace_pipe-6.18-cgroup2.txt"]
)
def test_each_child_of_the_samples_allocates_alike(name):
    trace = Trace.read(sample(name))
    assert {sum(life.allocations.values()) for life in trace.lives} == {29}
    assert {len(life.allocations) for life in trace.lives} == {11}


# --- programs -------------------------------------------------------------------------

PLAIN = Replay(caches=2, count=3, gap_us=1.5, fork_callbacks=4, exit_callbacks=5)


def test_a_life_is_a_program_of_its_own():
    trace = Trace.fold(
        [
            line(0.5, "kfree", "ptr=0"),
            *(cgroup(1, "mkdir"), attach(2, 7), attach(3, 8)),
            *(cgroup(4, "rmdir"), cgroup(5, "release")),
        ]
    )
    child = [
        {"do": "join"},
        {"do": "alloc", "first": 0, "caches": 2, "count": 3, "gap_us": 1.5},
        {"do": "exit", "callbacks": 5},
    ]
    fork = {"do": "fork", "child": child, "callbacks": 4}
    assert trace.programs(PLAIN) == [
        {
            "name": "/a#17-0",
            "at_ms": 500,
            "steps": [
                {"do": "mkdir"},
                *({"do": "at", "ms": 1500}, fork),
                *({"do": "at", "ms": 2500}, fork),
                {"do": "wait"},
                *({"do": "at", "ms": 3500}, {"do": "rmdir"}),
            ],
        }
    ]


def test_recorded_caches_are_counted_from_0_by_first_use():
    trace = Trace.fold(
        [
            cgroup(1, "mkdir"),
            alloc(2, 1, "vm_area_struct"),
            attach(2, 7),
            *(alloc(3, 7, "anon_vma", 104), alloc(3, 7, "vm_area_struct")),
            alloc(3, 7, "anon_vma", 104),
        ]
    )
    fork = trace.programs(Replay(gap_us=0))[0]["steps"][2]
    assert fork["child"][1:-1] == [
        {"do": "alloc", "first": 1, "caches": 1, "count": 2, "gap_us": 0},
        {"do": "alloc", "first": 0, "caches": 1, "count": 1, "gap_us": 0},
    ]
    caches = trace.workload().caches
    assert [(c.name, c.object_size) for c in caches] == [
        ("vm_area_struct", 192),
        ("anon_vma", 104),
    ]
    assert [c.typesafe for c in caches] == [False, True]


def test_a_cgroup_made_before_the_recording_is_there_from_the_start():
    trace = Trace.fold([line(1, "kfree", "ptr=0"), cgroup(3, "rmdir")])
    (program,) = trace.programs()
    assert program["at_ms"] == 0
    # Nobody was seen to come in, anywhere: one comes in at once.
    assert [step["do"] for step in program["steps"]] == [
        *("mkdir", "at", "fork", "wait", "at", "rmdir"),
    ]
    assert program["steps"][4] == {"do": "at", "ms": 2000}


def test_a_cgroup_that_is_not_removed_stays():
    trace = Trace.fold([cgroup(1, "mkdir"), cgroup(2, "mkdir", 18), attach(3, 7, 18)])
    empty, used = (
        [step["do"] for step in program["steps"]] for program in trace.programs()
    )
    # Others were seen to come in, so into this one nobody did.
    assert empty == ["mkdir"]
    assert used == ["mkdir", "at", "fork", "wait"]


def test_a_release_tells_of_a_removal_that_was_lost():
    trace = Trace.fold([cgroup(1, "mkdir"), cgroup(3, "release")])
    assert trace.programs()[0]["steps"][-2:] == [
        {"do": "at", "ms": 2000},
        {"do": "rmdir"},
    ]


def test_the_real_4_10_made_19_caches_a_cgroup():
    trace = Trace.read(recording("life-4.10"))
    assert (trace.caches_created, len(trace.lives)) == (57, 3)
    assert [life.key for life in trace.lives] == [(1, 2, 0), (1, 3, 0), (1, 2, 1)]
    assert trace.rmdir_to_release_ns == [648_918_000, 649_849_000]
    workload = trace.workload()
    assert len(workload.caches) == 19
    assert workload.machine.cpus == 2
    assert len(trace.workload(Replay(caches=25)).caches) == 25


@pytest.mark.parametrize("name", [*EXPECTED, "constructed-older-kernels.txt"])
def test_every_sample_is_a_workload(name):
    trace = Trace.read(sample(name))
    workload = trace.workload()
    assert isinstance(workload, Workload)
    workload.host()
    replayed = [life for life in trace.lives if life.mkdir_ns is not None]
    assert len(workload.programs) == len(replayed) > 0
    for program, life in zip(workload.programs, replayed, strict=True):
        assert round(program.at_ms * 1e6) == life.mkdir_ns - trace.first_ns
    assert len(workload.roots()) == 58


def test_programs_are_plain_data():
    trace = Trace.read(recording("ftrace-6.18"))
    programs = json.loads(json.dumps(trace.programs()))
    assert msgspec.convert(programs, tuple[Program, ...]) == trace.workload().programs


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=4))
def test_times_come_back_to_the_nanosecond(offsets):
    first = 7 * 10**9
    text = [
        cgroup(0, "mkdir", number).replace(
            "0.000000:", f"{ns // 10**9}.{ns % 10**9:09}:"
        )
        for number, ns in enumerate([first, *(first + ns for ns in offsets)])
    ]
    _, spawns = Trace.fold(text).workload(PLAIN).compile(Machine())
    assert [spawn.at_ns for spawn in spawns] == [0, *offsets]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("caches", 0),
        ("caches", 10_001),
        ("count", 0),
        ("count", True),
        ("count", 1.5),
        ("gap_us", -1),
        ("gap_us", float("nan")),
        ("exit_callbacks", "many"),
        ("root_caches", None),
    ],
)
def test_what_makes_no_sense_is_refused(field, value):
    with pytest.raises(
        InputError, match=rf"^replay\.{field}: it is .*; expected a numb"
    ):
        Replay(**{field: value})


# --- recordings that come with slabcore -----------------------------------------------


def test_two_recordings_come_with_slabcore():
    assert recordings() == ["ftrace-6.18", "life-4.10"]
    assert len(Trace.read(recording("ftrace-6.18")).lives) == 300
    page = recording("life-4.10").with_name("README.md").read_text()
    assert all(f"`{name}`: {recording(name).name}" in page for name in recordings())


def test_an_unknown_recording_names_the_nearest():
    with pytest.raises(InputError, match=r"expected ftrace-6\.18 \(nearest\)"):
        recording("ftrace-6.1")
    with pytest.raises(InputError, match=r"expected one of ftrace-6\.18, life-4\.10"):
        recording("zzz")


# --- the core's scanner and the grammar -----------------------------------------------


@pytest.mark.parametrize("name", [*EXPECTED, OLDER.name])
def test_a_file_says_what_its_lines_say(name):
    path = sample(name)
    with open(path, encoding="utf-8", newline="\n") as lines:
        assert Trace.read(path) == Trace.fold(lines, str(path))


ODD = [
    cgroup(1, "mkdir", 2**63),
    cgroup(1, "mkdir", -(2**31)),
    cgroup(2, "mkdir", path="/a b root=1"),
    attach(3, 7, path="/x pid=9 comm=y"),
    attach(3, 7, number=-1, level=0),
    *(alloc(3, 7, "dentry"), alloc(3, 7, "kvm vcpu"), alloc(3, 8, "dentry")),
    *(alloc(3, 7, "caché"), alloc(3, 7, "dentry", accounted="false")),
    alloc(3, 7, "dentry").replace(" name=", " xname=y name="),
    alloc(3, 7, "dentry").replace("\n", " x=1\n"),
    alloc(3, 8, "filp").replace(" [000]", "(      7) [000]"),
    cgroup(123_456_789_012, "rename", path="/b"),
    *(cgroup(4, "rmdir"), alloc(5, 7, "filp"), cgroup(6, "release")),
    *(cgroup(7, "rmdir"), cgroup(8, "release"), cgroup(8, "release", root=5)),
]


@given(st.lists(st.sampled_from(ODD), min_size=1, max_size=40))
def test_what_the_core_folds_is_what_the_grammar_folds(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("odd") / "t.txt"
    text = [cgroup(0, "mkdir", 1), *text]
    path.write_text("".join(text), encoding="utf-8")
    assert Trace.read(path) == Trace.fold(text, str(path))


@pytest.mark.parametrize("name", EXPECTED)
def test_the_scanner_tells_nearly_every_event(name):
    path = sample(name)
    told = scanned(path.read_bytes())
    with open(path, encoding="utf-8", newline="\n") as lines:
        by_grammar = list(read_events(lines))
    by_scanner = [event for event in told if event is not None]
    assert set(by_scanner) <= set(by_grammar)
    assert len(by_scanner) >= 0.99 * len(by_grammar)


LINES_SEEN = [
    text
    for path in (sample(name) for name in (*EXPECTED, OLDER.name))
    for text in path.read_bytes().splitlines()[:: max(1, path.stat().st_size // 9000)]
]
PIECES = st.sampled_from(
    rb" ~  ~-~-7~/7~:~[~]~[000]~(~(-----)~.~#~d..1.~1.500000:~a~7~cgroup:~x.y: ~"
    b"runc:[1:CHILD]~12345678901~\xc3\xa9~\t~\r~\0~\x7f".split(b"~")
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a line of a recording with pieces put in, taken out, or doubled."""
    text = draw(st.sampled_from(LINES_SEEN))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, min(len(text), 90)))
        end = at + draw(st.integers(0, 6))
        piece = draw(st.one_of(st.just(b""), PIECES, st.just(text[at:end] * 2)))
        text = text[:at] + piece + text[end:]
    return text.replace(b"\n", b" ")


@given(damaged())
def test_what_the_scanner_tells_is_what_the_grammar_says(text):
    (told,) = scanned(text + b"\n")
    if told is not None:
        (event,) = read_events([text.decode("utf-8", "replace") + "\n"])
        assert told == event


@given(st.lists(damaged(), max_size=4), st.booleans())
def test_a_damaged_file_is_read_or_refused_as_its_lines_are(
    tmp_path_factory, more, end
):
    path = tmp_path_factory.mktemp("damaged") / "t.txt"
    text = b"\n".join([*LINES_SEEN[:40], *more]) + (b"\n" if end else b"")
    path.write_bytes(text.replace(b"\0", b""))

    def outcome(read) -> object:
        try:
            return read()
        except InputError as error:
            return str(error)

    with open(path, encoding="utf-8", errors="replace", newline="\n") as lines:
        by_lines = outcome(lambda: Trace.fold(lines, str(path)))
    assert outcome(lambda: Trace.read(path)) == by_lines

"""The text of /proc/slabinfo: printed to the byte, and read back."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slabcore import Kernel, inputs, slabinfo
from slabcore.errors import InputError
from slabcore.reference import slabinfo as reference
from slabcore.slabinfo import COLUMNS, STATISTICS, SlabInfo, parse

HERE = Path(__file__).parent
FILES = sorted((HERE / "data" / "slabinfo").glob("*.txt"))
# Rows that 4.10, 5.4 and 6.18 printed, the first two with SLAB's statistics as well.
GOLDEN = json.loads((HERE / "golden" / "slabinfo-text-public.json").read_text())
CHILDLESS = "6.18"


@pytest.fixture(params=[slabinfo, reference], ids=["core", "reference"])
def printer(request):
    return request.param


# --- printing ---


@pytest.mark.parametrize("case", GOLDEN["meta"]["headers"], ids=lambda h: h["builds"])
def test_headers_are_the_kernels(printer, case):
    statistics = case["builds"][0].endswith("debug_slab")
    assert printer.header(statistics=statistics) == case["header"].encode()


@pytest.mark.parametrize("case", GOLDEN["rows"], ids=lambda row: row["name"])
def test_rows_are_the_kernels(printer, case):
    words = dict(case["in"])
    children = words.pop("children", ())
    stats = words.pop("stats", {})
    words.pop("css_serial_nr", None), words.pop("cgroup_name", None)
    for expected in case["expect"]:
        for build in expected["builds"]:
            row = printer.row(
                **words,
                children=() if build == CHILDLESS else children,
                stats=stats if build.endswith("debug_slab") else None,
            )
            assert row == expected["row"].encode(), build


COUNTS = st.one_of(st.integers(0, 10**7), st.integers(0, 2**64 - 1))
CHILD_WORDS = slabinfo.ACCUMULATED
REST_WORDS = ("objsize", "objects_per_slab", "limit", "batchcount", "shared")
SMALL = st.one_of(st.integers(0, 10**5), st.integers(0, 2**32 - 1))
CHILD = st.fixed_dictionaries(dict.fromkeys(CHILD_WORDS, COUNTS))


@given(
    name=st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=40),
    counts=CHILD,
    rest=st.fixed_dictionaries(
        dict.fromkeys(REST_WORDS, SMALL) | {"cache_order": st.integers(0, 30)}
    ),
    children=st.lists(CHILD, max_size=4),
    stats=st.none() | st.fixed_dictionaries(dict.fromkeys(STATISTICS, COUNTS)),
)
def test_core_and_reference_print_the_same(name, counts, rest, children, stats):
    words = {**counts, **rest, "children": children, "stats": stats}
    assert slabinfo.row(name, **words) == reference.row(name, **words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"objsize": -1}, "row 'x': objsize is -1; expected 0 to 4294967295"),
        (
            {"limit": 2**32},
            "row 'x': limit is 4294967296; expected 0 to 4294967295",
        ),
        ({"cache_order": 31}, "row 'x': cache_order is 31; expected 0 to 30"),
        ({"objsize": 1.0}, "row 'x': objsize is 1.0; expected a whole number"),
        (
            {"children": [{"num_objs": -1}]},
            "row 'x': children: num_objs is -1; expected 0 to 18446744073709551615",
        ),
        (
            {"children": [{"slabs": 1}]},
            "row 'x': children: 'slabs' is no count; expected active_objs, num_objs, "
            "active_slabs, num_slabs, shared_avail",
        ),
        (
            {"stats": {"grow": 1}},
            "row 'x': stats: 'grow' is no count; expected listallocs, maxobjs, grown, "
            "reaped, error, maxfreeable, nodeallocs, remotefrees, alienoverflow, "
            "allochit, allocmiss, freehit, freemiss",
        ),
        ({"root_name": "a\nb"}, r"row: the name is b'a\nb'; expected one line"),
    ],
)
def test_a_row_that_no_kernel_has_is_refused(printer, words, message):
    with pytest.raises(InputError) as caught:
        printer.row("x", **words)
    assert str(caught.value) == message


BAD_COUNTS = st.sampled_from([-1, 2**31, 2**32, 2**64, 10**5000, 1.0, None, "1", 31])


@given(
    word=st.sampled_from([*CHILD_WORDS, *REST_WORDS, "cache_order"]),
    kind=st.sampled_from(["own", "children", "stats"]),
    column=st.sampled_from([*STATISTICS, *CHILD_WORDS, "num_obj", "", 3]),
    value=BAD_COUNTS,
)
def test_core_and_reference_refuse_the_same(word, kind, column, value):
    words = {
        "own": {word: value},
        "children": {"children": [{}, {column: value}]},
        "stats": {"stats": {column: value}},
    }[kind]
    outcomes = []
    for module in (slabinfo, reference):
        try:
            outcomes.append(module.row("x", **words))
        except InputError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


def test_numbers_may_be_numpys(printer):
    row = printer.row("x", num_objs=np.uint64(2**64 - 1), children=[{"num_objs": 3}])
    assert row == printer.row("x", num_objs=2)


@pytest.mark.parametrize("column", slabinfo.NARROW)
def test_a_column_is_not_cut_to_its_width(column):
    table = np.zeros((2, len(COLUMNS)), np.uint64)
    at = COLUMNS.index(column)
    table[1, at] = 2**31 if column == "pagesperslab" else 2**32
    with pytest.raises(InputError, match=rf"row 1: column {at} is .*; expected 0 to"):
        SlabInfo(("a", "b"), table).format()
    table[1, at] -= 1
    info = SlabInfo(("a", "b"), table)
    np.testing.assert_array_equal(parse(info.format()).table, table)


def test_a_name_is_on_one_line():
    table = np.zeros((1, len(COLUMNS)), np.uint64)
    with pytest.raises(InputError, match=r"the name is b'a\\nb'; expected one line"):
        SlabInfo(("a\nb",), table).format()


def test_no_child_is_left_over():
    table = np.zeros((1, len(COLUMNS)), np.uint64)
    children = np.ones((2, len(slabinfo.ACCUMULATED)), np.uint64)
    with pytest.raises(ValueError, match="2 children, 1 in families"):
        slabinfo.format_slabinfo([b"a"], table, None, children, np.array([1]))


def test_rows_are_printed_into_one_buffer_and_kept_nowhere_else():
    rows, name = 10_000, b"dentry"
    table = np.zeros((rows, len(COLUMNS)), np.uint64)
    names = [name] * rows
    tracemalloc.start()
    try:
        text = slabinfo.format_slabinfo(names, table, header=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    one = slabinfo.format_slabinfo(names[:1], table[:1], header=False)
    assert text == rows * one
    # ROW_ROOM and a name for each row, the text, a list of the names; the smallest
    # object for each row would take 16 bytes more.
    assert peak < rows * (640 + len(name) + 8) + len(text) + 8 * rows


# --- reading ---


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_real_file_is_read_and_printed_back(path):
    info = parse(path)
    assert info.format() == path.read_bytes()
    assert len(info) == len(path.read_text().splitlines()) - 2
    assert not info.statistics and info.version == "slabinfo - version: 2.1"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_on_slub_objects_are_slabs_times_objects_a_slab(path):
    info = parse(path)
    np.testing.assert_array_equal(
        info["num_objs"], info["num_slabs"] * info["objperslab"]
    )
    assert (info["active_slabs"] == info["num_slabs"]).all()
    assert (info["active_objs"] <= info["num_objs"]).all()


@pytest.mark.parametrize(
    ("file", "missing", "repeated"),
    [("4.10.17-repeated", 0, 63), ("4.10.17-missing", 9, 9)],
)
def test_missing_and_repeated_rows_are_counted(file, missing, repeated):
    reads = {
        path.stem: parse(path) for path in FILES if path.stem.startswith("4.10.17-")
    }
    whole = {name for info in reads.values() for name in info.names}
    lost, again = reads[file].missing_and_repeated(whole)
    assert (len(lost), sum(again.values())) == (missing, repeated)


def test_what_is_repeated_or_missing_has_a_name():
    info = SlabInfo(tuple("ababb"), np.zeros((5, len(COLUMNS)), np.uint64))
    assert info.missing_and_repeated(list("abcc")) == (["c", "c"], {"a": 1, "b": 2})
    assert info.missing_and_repeated(list("aabbb")) == ([], {})
    assert list(info) == list("ababb") and "a" in info and "c" not in info
    for name in ("abcc", b"a"):
        with pytest.raises(InputError) as refusal:
            info.missing_and_repeated(name)
        assert str(refusal.value) == (
            f"missing_and_repeated: {name!r} is no collection; expected a list or set "
            "of names"
        )


def test_a_source_is_text_or_a_path():
    for call in (parse, lambda source: Kernel.from_slabinfo("4.10", source)):
        with pytest.raises(InputError) as refusal:
            call(3)
        assert str(refusal.value) == (
            "slabinfo: 3 is no file; expected its text or its path"
        )


ROW = st.lists(SMALL, min_size=11, max_size=11)
NAMES = st.text(
    st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=40
).map(lambda name: name.rstrip(" "))


@given(
    st.lists(st.tuples(NAMES, ROW), max_size=5),
    st.booleans(),
)
def test_whatever_is_printed_is_read(rows, statistics):
    table = np.array([row for _, row in rows], np.uint64).reshape(len(rows), 11)
    table[:, 4] %= 2**31
    info = SlabInfo(
        tuple(name for name, _ in rows),
        table,
        np.full((len(rows), 13), 7, np.uint64) if statistics else None,
    )
    text = info.format()
    again = parse(text)
    assert again.names == info.names
    np.testing.assert_array_equal(again.table, info.table)
    assert again.statistics == statistics and again.format() == text


@pytest.mark.parametrize(
    "name",
    [
        "dentry(12:web)",
        "a: tunables 1 2 3",
        "x 1 2 3 4 5 : tunables 1 2 3 : slabdata 1 2 3",
        "x 1 2 3 4 5 : tunables 1 2 3 : slabdata 1 2 3 : globalstat",
        "twenty-three characters",
        "seventeen chars xy ",
        "",
        " leading",
    ],
)
@pytest.mark.parametrize("statistics", [False, True])
def test_a_row_is_read_from_its_right_end(name, statistics):
    row = slabinfo.row(name, active_objs=1, stats={} if statistics else None)
    info = parse(slabinfo.header(statistics=statistics) + row)
    assert info.names == (name,)
    assert info["active_objs"].tolist() == [1]


def test_blanks_that_an_editor_or_a_mail_lost_do_no_harm():
    path = next(path for path in FILES if path.stem == "6.18.44")
    lines = [" ".join(line.split()) for line in path.read_text().splitlines()]
    info = parse("\r\n".join(lines))
    assert info.format() == path.read_bytes()


def test_an_empty_file_has_no_header_and_no_rows():
    info = parse("")
    assert len(info) == 0 and info.format() == b""
    assert len(parse(b"")) == 0
    headed = parse(slabinfo.header())
    assert len(headed) == 0 and headed.format() == slabinfo.header()


PLAIN = slabinfo.header().decode()
DEBUG = slabinfo.header(statistics=True).decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "slabinfo - version: 1.1 (SMP)\n",
            "slabinfo:1: the line is 'slabinfo - version: 1.1 (SMP)'; expected "
            "'slabinfo - version: 2.1' or 'slabinfo - version: 2.1 (statistics)'",
        ),
        (PLAIN[:24], "slabinfo:2: the line is missing; expected '# name"),
        (
            PLAIN + "dentry 1 2 3\n",
            "slabinfo:3: the line is 'dentry 1 2 3'; expected a name, 5 numbers, "
            "': tunables' and 3, ': slabdata' and 3, as in a file without statistics",
        ),
        (
            DEBUG + slabinfo.row("dentry").decode(),
            "expected a name, 5 numbers, ': tunables' and 3, ': slabdata' and 3, "
            "': globalstat' and 9, ': cpustat' and 4",
        ),
        (
            PLAIN + slabinfo.row("x").decode().replace("  1 :", "9999999999 :"),
            "slabinfo:3: pagesperslab is 9999999999; expected 0 to 2147483647",
        ),
        (
            PLAIN + slabinfo.row("x").decode().replace("  1 :", "9" * 5000 + " :"),
            "slabinfo:3: the line is 'x ",
        ),
        (
            PLAIN + slabinfo.row("x").decode() + "\n",
            "slabinfo:4: the line is ''; expected a name",
        ),
    ],
)
def test_what_is_no_slabinfo_is_refused_with_its_line(text, message):
    with pytest.raises(InputError) as caught:
        parse(text)
    assert " ".join(message.split()) in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere: No such file or directory"):
        parse(tmp_path / "nowhere")
    (tmp_path / "cut").write_text(PLAIN + slabinfo.row("x").decode()[:-20])
    with pytest.raises(InputError, match="cut:3: the line is 'x 0"):
        parse(str(tmp_path / "cut"))


def test_a_path_with_a_nul_is_refused():
    with pytest.raises(InputError, match=r"'a.x00b': there is a NUL in the path"):
        parse("a\0b")


def test_an_unknown_column_names_those_that_there_are():
    with pytest.raises(InputError, match="no column 'grown'; expected active_objs"):
        parse(PLAIN)["grown"]
    assert parse(DEBUG)["grown"].tolist() == []


def test_what_has_no_end_is_refused_at_once(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="/dev/zero: byte 0 is a NUL; expected a slab"):
        parse(Path("/dev/zero"))
    path = tmp_path / "endless"
    path.write_bytes(b"x" * (3 << 20))
    with pytest.raises(
        InputError, match="endless: no line ends in its first 1048576 b"
    ):
        parse(path)
    monkeypatch.setattr(inputs, "LIMIT", 1 << 20)
    path.write_bytes(b"x\n" * (1 << 20))
    with pytest.raises(InputError, match="endless: more than 1 MiB; expected a slabin"):
        parse(path)

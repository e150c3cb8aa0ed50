"""The rows of /proc/slabinfo against printf, however they are printed and read."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slabcore import _core, slabinfo
from slabcore._core import ROW_PATHS, SlabInfoText, format_slabinfo
from slabcore.errors import InputError
from slabcore.reference import slabinfo as reference
from slabcore.slabinfo import COLUMNS, STATISTICS, SlabInfo, parse

SIXES = [0, 1, 2, 8, 9, 10]
FOURS = [3, 4, 5, 6, 7]
ROW = b"%-17s %6d %6d %6d %4d %4d : tunables %4d %4d %4d : slabdata %6d %6d %6d"
EXTRA = b" : globalstat %7d %6d %5d %4d %4d %4d %4d %4d %4d : cpustat %6d %6d %6d %6d"

every_path = pytest.mark.parametrize("path", ROW_PATHS)


def printf(names, table, stats=None):
    """Return rows as the kernel's format strings print them."""
    text = b""
    for i, name in enumerate(names):
        encoded = name.encode(errors="surrogateescape")
        text += ROW % (encoded, *table[i].tolist())
        text += b"" if stats is None else EXTRA % tuple(stats[i].tolist())
        text += b"\n"
    return text


def test_there_is_a_path_for_every_machine():
    assert ROW_PATHS[0] == "portable"
    with pytest.raises(InputError, match="path is 'sse'; expected portable"):
        format_slabinfo([], np.zeros((0, 11), np.uint64), path="sse")


# --- rows to text ---


@every_path
def test_every_number_of_six_digits(path):
    for first in range(0, 10**6, 10**5):
        numbers = np.arange(first, first + 10**5, dtype=np.uint64)
        table = np.zeros((10**5 // 5, 11), np.uint64)
        table[:, SIXES[:5]] = numbers.reshape(-1, 5)
        table[:, SIXES[5]] = numbers[::5]
        names = ["filp"] * len(table)
        text = format_slabinfo(names, table, header=False, path=path)
        rows = table.tolist()
        assert text == b"".join((ROW + b"\n") % (b"filp", *row) for row in rows)


@every_path
@pytest.mark.parametrize("column", range(11))
def test_every_number_of_four_digits_in_every_column(path, column):
    table = np.zeros((10**4, 11), np.uint64)
    table[:, column] = np.arange(10**4)
    text = format_slabinfo(["filp"] * 10**4, table, header=False, path=path)
    rows = table.tolist()
    assert text == b"".join((ROW + b"\n") % (b"filp", *row) for row in rows)


EDGES = [10**k + d for k in range(20) for d in (-1, 0, 1)] + [2**32, 2**63, 2**64 - 1]
NUMBER = st.one_of(st.sampled_from(EDGES), st.integers(0, 10**6), st.just(0))
NAME = st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=80)
NAME = st.one_of(st.sampled_from(["dentry", "kmalloc-192(12:web)", ""]), NAME)
COUNTS = st.lists(NUMBER, min_size=24, max_size=24)


def counts(numbers):
    """Return numbers as the columns of a row hold them."""
    row = list(numbers)
    for column in range(2, 8):
        row[column] %= 2**31
    return row


ROWS = st.lists(st.tuples(NAME, COUNTS.map(counts)), max_size=8)


def arrays(rows):
    table = np.array([row for _, row in rows], np.uint64).reshape(len(rows), 24)
    return (
        [name for name, _ in rows],
        np.ascontiguousarray(table[:, :11]),
        np.ascontiguousarray(table[:, 11:]),
    )


@every_path
@given(rows=ROWS, statistics=st.booleans())
def test_whatever_is_printed_is_what_printf_prints(path, rows, statistics):
    names, table, stats = arrays(rows)
    stats = stats if statistics else None
    text = format_slabinfo(names, table, stats, header=False, path=path)
    assert text == printf(names, table, stats)


@every_path
@pytest.mark.parametrize("column", range(11))
def test_a_number_too_wide_by_one_pushes_the_rest_to_the_right(path, column):
    limit = 10**4 if column in FOURS else 10**6
    table = np.zeros((3, 11), np.uint64)
    table[:, column] = [limit - 1, limit, limit - 1]
    names = ["a", "seventeen letters", "eighteen letters, "]
    text = format_slabinfo(names, table, header=False, path=path)
    assert text == printf(names, table)


# --- text that is read in chunks ---


def read_all(text, size):
    text.rewind()
    chunks = []
    while chunk := text.read(size):
        chunks.append(chunk)
    assert text.read(size) == b""
    return chunks


@every_path
@pytest.mark.parametrize("keep", [False, True])
@given(
    rows=ROWS,
    statistics=st.booleans(),
    header=st.booleans(),
    size=st.one_of(st.integers(1, 400), st.just(4096)),
    changes=st.lists(st.tuples(st.integers(0, 7), COUNTS.map(counts)), max_size=6),
)
def test_chunks_are_the_text_after_every_change(
    path, keep, rows, statistics, header, size, changes
):
    names, table, stats = arrays(rows)
    stats = stats if statistics else None
    text = SlabInfoText(names, table, stats, header=header, keep=keep, path=path)
    assert len(text) == len(rows)
    head = slabinfo.header(statistics=statistics) if header else b""
    assert b"".join(read_all(text, size)) == head + printf(names, table, stats)
    for at, row in changes:
        if at >= len(rows):
            continue
        numbers = np.array([row], np.uint64)
        table[at] = numbers[0, :11]
        extra = None
        if statistics:
            extra = np.ascontiguousarray(numbers[:, 11:])
            stats[at] = extra[0]
        text.update([at], np.ascontiguousarray(numbers[:, :11]), extra)
        assert b"".join(read_all(text, size)) == head + printf(names, table, stats)
    text.rewind()
    assert text.read(-1) == head + printf(names, table, stats)


@every_path
@pytest.mark.parametrize("keep", [False, True])
@given(data=st.data())
def test_rows_that_change_between_two_chunks_are_read_as_they_are_then(
    path, keep, data
):
    count = data.draw(st.integers(0, 150))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    names = ["x" * int(n) for n in rng.integers(0, 70, count)]
    wide = data.draw(st.sampled_from([10**4, 10**7]))
    table = rng.integers(0, wide, (count, 11)).astype(np.uint64)
    text = SlabInfoText(names, table, header=False, keep=keep, path=path)
    for _ in range(2):
        text.rewind()
        done = 0
        while chunk := text.read(data.draw(st.integers(700, 5000))):
            rows = chunk.count(b"\n")
            assert chunk == printf(names[done : done + rows], table[done:])
            done += rows
            changed = np.unique(rng.integers(0, count, rng.integers(0, 5)))
            numbers = rng.integers(0, wide, (len(changed), 11)).astype(np.uint64)
            text.update(changed, numbers)
            table[changed] = numbers
        assert done == count


@pytest.mark.parametrize("keep", [False, True])
def test_a_chunk_is_as_many_whole_rows_as_fit(keep):
    table = np.zeros((1000, 11), np.uint64)
    text = SlabInfoText([f"cache-{i}" for i in range(1000)], table, keep=keep)
    chunks = read_all(text, 4096)
    assert [len(chunk) for chunk in chunks[:2]] == [204 + 36 * 107, 38 * 107]
    buffer = bytearray(b"." * 4096)
    text.rewind()
    assert text.readinto(buffer) == len(chunks[0])
    assert bytes(buffer[: len(chunks[0])]) == chunks[0]
    assert text.readinto(memoryview(buffer)[:107]) == 107
    assert text.readinto(bytearray()) == 0 and text.read(0) == b""


@pytest.mark.parametrize("keep", [False, True])
def test_a_record_longer_than_the_buffer_comes_in_pieces(keep):
    table = np.full((2, 11), 7, np.uint64)
    text = SlabInfoText(["a" * 300, "b"], table, keep=keep)
    whole = text.read(-1)
    assert b"".join(read_all(text, 10)) == whole
    assert {len(chunk) for chunk in read_all(text, 10)} <= set(range(1, 11))


def test_nothing_is_written_behind_the_buffer():
    table = np.zeros((100, 11), np.uint64)
    for keep in (False, True):
        for path in ROW_PATHS:
            text = SlabInfoText(["x"] * 100, table, keep=keep, path=path)
            for size in range(1, 600):
                text.rewind()
                buffer = bytearray(b"." * 1024)
                came = text.readinto(memoryview(buffer)[:size])
                assert buffer[size:] == b"." * (1024 - size) and came <= size


def test_an_update_that_is_refused_changes_nothing():
    table = np.zeros((2, 11), np.uint64)
    text = SlabInfoText(["a", "b"], table)
    before = text.read(-1)
    for rows in ([0, 2], [0, -1]):
        with pytest.raises(InputError, match=r"row .* of 2; expected a row that"):
            text.update(rows, np.ones((2, 11), np.uint64))
    wrong = np.ones((2, 11), np.uint64)
    wrong[1, 4] = 2**31
    with pytest.raises(InputError, match="row 1: column 4 is 2147483648"):
        text.update([0, 1], wrong)
    with pytest.raises(ValueError, match="not 1 rows of 11 columns"):
        text.update([0], np.ones((2, 11), np.uint64))
    with pytest.raises(ValueError, match="statistics are of a text that has them"):
        text.update([0], wrong[:1], np.ones((1, 13), np.uint64))
    text.rewind()
    assert text.read(-1) == before


def test_a_text_is_of_rows_that_a_kernel_has():
    table = np.zeros((1, 11), np.uint64)
    with pytest.raises(InputError, match=r"the name is b'a\\nb'; expected one line"):
        SlabInfoText(["a\nb"], table)
    with pytest.raises(TypeError, match="a name is str or bytes, not int"):
        SlabInfoText([3], table)
    with pytest.raises(ValueError, match="not 2 rows of 11 columns"):
        SlabInfoText(["a", "b"], table)


def test_slabinfo_hands_out_its_text():
    info = parse(slabinfo.header() + slabinfo.row("dentry", active_objs=3))
    assert info.text().read(-1) == info.format()
    assert parse("").text().read() == b""


# --- text to rows ---


def told(read, text):
    """Return what a reader makes of a text: rows, or the error."""
    try:
        found = read(text)
    except InputError as error:
        return str(error)
    if isinstance(found, SlabInfo):
        numbers = found.table.tolist()
        if found.stats is not None:
            numbers = np.hstack([found.table, found.stats]).tolist()
        return list(found.names), numbers, found.statistics
    return found.names, found.numbers, found.statistics


PIECES = st.sampled_from(
    [b" ", b"  ", b"      ", b"\t", b"\r", b"\n", b"\x0b", b"0", b"9", b"1234567",
     b"99999999999999999999", b"18446744073709551615", b"18446744073709551616",
     b": tunables", b" : slabdata", b" : globalstat", b" : cpustat", b"\xff", b"\xca9",
     b"\xc3\xa9", b"x", b"\0", b":", b"000001"]
)  # fmt: skip


@given(
    rows=ROWS,
    statistics=st.booleans(),
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 12), st.none() | PIECES), max_size=3
    ),
)
@example([("dentry", [1] * 24)], False, [(1.0, 0, b"\n")])
@example([("dentry", [1] * 24)], False, [(1.0, 1, b"\r\n")])
def test_the_core_reads_what_the_reference_reads(rows, statistics, edits):
    names, table, stats = arrays(rows)
    head = slabinfo.header(statistics=statistics)
    text = head + printf(names, table, stats if statistics else None)
    for share, cut, piece in edits:
        at = len(head) + round(share * (len(text) - len(head)))
        text = text[:at] + (piece or b"") + text[at + cut :]
    assert told(parse, text) == told(reference.parse, text)


@given(text=st.binary(max_size=300), statistics=st.booleans())
def test_core_and_reference_refuse_the_same_text(text, statistics):
    for whole in (text, slabinfo.header(statistics=statistics) + text):
        assert told(parse, whole) == told(reference.parse, whole)


@pytest.mark.parametrize("statistics", [False, True])
def test_every_prefix_of_a_file_is_read_or_refused_alike(statistics):
    stats = dict.fromkeys(STATISTICS, 12345678) if statistics else None
    text = slabinfo.header(statistics=statistics) + b"".join(
        slabinfo.row(name, active_objs=n, objsize=n, limit=n // 10**15, stats=stats)
        for name, n in [("dentry", 0), ("a: b", 999999), ("x" * 20, 10**9 - 1)]
    )
    for end in range(len(text) + 1):
        assert told(parse, text[:end]) == told(reference.parse, text[:end])


def test_rows_are_scanned_below_a_header_only():
    with pytest.raises(ValueError, match="there is no header above the rows"):
        _core.scan_slabinfo(b"x" * 20, 3, np.zeros((1, 11), np.uint64))
    head, row, room = slabinfo.header(), slabinfo.row("a"), np.zeros((3, 11), np.uint64)
    for text, end in (
        (row, len(row)),
        (row.rstrip(), len(row)),
        (row + b"x", len(row)),
    ):
        found = _core.scan_slabinfo(head + text, len(head), room)
        assert found == (("a",), len(head) + end)


def test_the_shortest_rows_are_read():
    text = slabinfo.header() + 1000 * (
        b" 1 2 3 4 5 : tunables 6 7 8 : slabdata 9 0 1\n"
    )
    assert len(parse(text)) == 1000 and parse(text).names == ("",) * 1000
    np.testing.assert_array_equal(parse(text).table[999], [*range(1, 10), 0, 1])


def test_a_name_that_no_bytes_stand_for_is_refused():
    text = slabinfo.header().decode() + "a\ud800" + slabinfo.row("").decode()
    with pytest.raises(UnicodeEncodeError):
        parse(text)


def test_the_words_of_the_header_are_the_references():
    assert reference.COLUMNS == COLUMNS


def test_a_name_says_the_same_each_time_it_is_asked():
    class Name(str):
        def encode(self, *args, **keywords):
            return b"x" * next(lengths)

    lengths = iter([5, 1_000_000])
    text = SlabInfoText([Name("caf\xe9")], np.zeros((1, 11), np.uint64), header=False)
    assert text.read().startswith("caf\xe9 ".encode())


def test_a_block_of_rows_is_no_longer_than_32_bits_count():
    names = [bytes(134_217_725)] * 32  # one name, 32 times: 127 bytes short of 4 GiB
    with pytest.raises(MemoryError, match="less than 4 GiB"):
        SlabInfoText(names, np.zeros((32, 11), np.uint64))

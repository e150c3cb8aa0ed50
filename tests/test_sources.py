"""Lists, dicts and sets as files: pages by number, and pages by key."""

import bisect
import csv
import json
import threading
from collections import OrderedDict, UserDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slabcore import InputError, IntrusiveList, SeqFile
from slabcore.reference.seq_file import SeqFile as Twin
from slabcore.sources import Items, Keys

BOTH = pytest.mark.parametrize("kind", [SeqFile, Twin], ids=["core", "reference"])


def line(m, number):
    """Print a number in ten bytes."""
    m.write(f"{number:<9}\n")


def numbers(text):
    return [int(number) for number in text.split()]


def shown(file):
    """Return the numbers of each page to the end."""
    return [numbers(page) for page in file.pages()]


# --- pages ---


def test_a_page_is_as_many_rows_as_fit_with_a_byte_to_spare():
    file = SeqFile(range(10), show=line, page=41)
    assert shown(file) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert file.state["size"] == 41
    rows = [len(page) for page in shown(SeqFile(range(10), show=line, page=40))]
    assert rows == [3, 3, 3, 1]
    assert len(shown(SeqFile(range(1000), show=line))[0]) == 409


def test_pages_go_on_where_the_file_is():
    file = SeqFile(range(10), show=line, page=41)
    assert file.read(25) == b"0        \n1        \n2    "
    pages = file.pages()
    assert next(pages).startswith(b"    \n3 ")
    file.lseek(90)
    assert list(pages) == [b"9        \n"] and file.read(10) == b""


def test_a_row_that_fits_no_page_has_a_larger_one():
    file = SeqFile([5, 900, 6], show=lambda m, n: m.write("x" * n + "\n"), page=64)
    # The buffer stays large.
    assert [len(page) for page in file.pages()] == [6, 901 + 7]


@pytest.mark.parametrize("page", [1, 0, -1, (1 << 30) + 1])
@BOTH
def test_a_page_that_holds_no_byte_is_refused(kind, page):
    with pytest.raises(InputError) as refusal:
        kind(Items([1], line), page=page)
    assert str(refusal.value) == (
        f"SeqFile: page is {page}; expected 2 to 1073741824 bytes"
    )


@BOTH
def test_a_page_is_a_whole_number(kind):
    with pytest.raises(TypeError, match="float"):
        kind(Items([1], line), page=64.0)


# --- what a number for a place does, and a key ---


def pages_around(change, cursor):
    """Return what two readers' worth of pages show if a table changes after one."""
    table = dict.fromkeys(range(10, 20))
    file = SeqFile(table, cursor=cursor, show=line, page=41)
    first = file.read(4096)
    change(table)
    return numbers(first) + [number for page in shown(file) for number in page]


def test_a_place_that_is_a_number_loses_a_row_and_repeats_one():
    ten = list(range(10, 20))
    lost = pages_around(lambda table: table.pop(11), cursor=False)
    assert lost == [number for number in ten if number != 14]
    repeated = pages_around(lambda table: table.update({1: None}), cursor=False)
    assert repeated == [10, 11, 12, 13, *ten[3:]]


def test_a_place_that_is_a_key_loses_and_repeats_none():
    ten = list(range(10, 20))
    assert pages_around(lambda table: table.pop(11), cursor=True) == ten
    assert pages_around(lambda table: table.update({1: None}), cursor=True) == ten
    gone = pages_around(lambda table: table.pop(14), cursor=True)
    assert gone == [number for number in ten if number != 14]
    ahead = pages_around(lambda table: table.update({99: None}), cursor=True)
    assert ahead == [*ten, 99]
    assert pages_around(lambda table: table.clear(), cursor=True) == ten[:4]


KEYS = st.integers(0, 60)
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "read", "read"]), KEYS), max_size=40
)


@given(
    first=st.sets(KEYS),
    steps=STEPS,
    page=st.sampled_from([11, 41, 4096]),
    kind=st.sampled_from([dict.fromkeys, OrderedDict.fromkeys, set, UserDict.fromkeys]),
)
def test_what_stays_is_shown_once_whatever_else_comes_and_goes(
    first, steps, page, kind
):
    table = kind(first)
    file = SeqFile(table, cursor=True, show=line, page=page)
    twin = Twin(Keys(table, line), cursor=True, page=page)
    stays, text = set(first), b""
    for deed, key in steps:
        if deed == "read":
            chunk = file.read(key)
            assert chunk == twin.read(key)
            assert file.calls == twin.calls and file.state == twin.state
            text += chunk
        elif deed == "remove":
            table.discard(key) if kind is set else table.pop(key, None)
            stays.discard(key)
        else:
            table.add(key) if kind is set else table.setdefault(key)
    seen = numbers(text + b"".join(file.pages()))
    assert seen == sorted(set(seen))
    assert stays <= set(seen)
    assert file.read(100) == b""


@given(
    first=st.lists(KEYS, max_size=30),
    steps=st.lists(
        st.tuples(st.sampled_from(["insert", "delete", "read"]), st.integers(0, 99)),
        max_size=30,
    ),
    era=st.sampled_from("ABCD"),
    keyed=st.booleans(),
)
def test_places_that_are_numbers_are_the_twins(first, steps, era, keyed):
    held = set(first) if keyed else list(first)
    file = SeqFile(held, era=era, show=line, page=41)
    twin = Twin((Keys if keyed else Items)(held, line), era=era, page=41)
    for deed, number in steps:
        if deed == "read":
            assert file.read(number) == twin.read(number)
            assert file.calls == twin.calls and file.tell() == twin.tell()
        elif keyed:
            held.add(number) if deed == "insert" else held.discard(number)
        elif deed == "insert":
            held.insert(number, number)
        else:
            del held[number : number + 3]


def test_show_may_take_keys_out():
    table = dict.fromkeys(range(30))

    def show(m, key):
        line(m, key)
        table.pop(key)
        table.pop(key + 1, None)

    file = SeqFile(table, cursor=True, show=show)
    assert shown(file) == [list(range(0, 30, 2))]


def test_an_array_is_a_list():
    rows = np.array([(1, 2.5), (2, 0.5)], dtype=[("order", "i8"), ("price", "f8")])
    file = SeqFile(
        rows, show=lambda m, row: m.write(f"{row['order']} {row['price']}\n")
    )
    assert file.read(100) == b"1 2.5\n2 0.5\n"
    assert shown(SeqFile(np.arange(3), show=line)) == [[0, 1, 2]]
    assert shown(SeqFile((), show=line)) == []
    assert shown(SeqFile([None, 7], show=lambda m, n: line(m, n or 0))) == [[0, 7]]


def test_a_page_of_keys_is_found_without_putting_all_in_order():
    class Key(int):
        compared = 0

        def __lt__(self, other):
            Key.compared += 1
            return int(self) < int(other)

    keys = [Key(i * 7919 % 4096) for i in range(4096)]
    file = SeqFile(dict.fromkeys(keys), show=line, cursor=True, page=41)
    pages = file.pages()
    next(pages)
    Key.compared = 0
    assert numbers(next(pages)) == [4, 5, 6, 7]
    # once to drop what is behind, less than twice for a heap, and a few for each row;
    # to put 4096 in order takes ten each
    assert 4096 < Key.compared < 3.2 * 4096


def test_what_writes_to_files_writes_to_one():
    rows = {"a": [1, "x,y"], "b": [2, "z"]}

    def show(m, name):
        print(name, file=m)
        csv.writer(m, lineterminator="\n").writerow(rows[name])
        json.dump(rows[name], m)
        m.write(b"\n")

    assert SeqFile(rows, show=show).read(100) == (
        b'a\n1,"x,y"\n[1, "x,y"]\nb\n2,z\n[2, "z"]\n'
    )


# --- a list through a field ---


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["add", "remove", "take", "move", "read", "read"]), KEYS
        ),
        max_size=40,
    ),
    page=st.sampled_from([11, 41, 4096]),
)
def test_what_stays_on_a_list_through_a_field_is_shown_once(steps, page):
    entries = IntrusiveList(range(40), fields=["state"])
    waiting = entries.list("state")
    waiting.extend(entries.handles()[::2])

    def show(m, handle):
        line(m, entries.value(handle))

    file = SeqFile(waiting, cursor=True, show=show, page=page)
    stays, text = set(waiting.to_array().tolist()), b""
    for deed, number in steps:
        handles = waiting.handles().tolist()
        handle = handles[number % len(handles)] if handles else None
        if deed == "read":
            text += file.read(number)
            continue
        if deed == "add":
            waiting.add(entries.add_tail(100 + number))
        elif handle is not None:
            stays.discard(entries.value(handle))
            if deed == "remove":
                entries.remove(handle)
            elif deed == "take":
                waiting.remove(handle)
            else:
                waiting.move_tail(handle)
    seen = numbers(text + b"".join(file.pages()))
    assert all(seen.count(number) == 1 for number in stays)
    assert file.read(100) == b""
    entries.validate()


def test_a_list_through_a_field_is_read_by_numbers_too():
    entries = IntrusiveList(range(20), fields=["state"])
    waiting = entries.list("state")
    waiting.extend(entries.handles())
    show = lambda m, handle: line(m, entries.value(handle))  # noqa: E731
    file = SeqFile(waiting, show=show, page=41)
    text = file.read(4096)
    waiting.remove(waiting.first)
    rest = [number for page in shown(file) for number in page]
    assert numbers(text) + rest == [0, 1, 2, 3, *range(5, 20)]
    empty = SeqFile(entries.list("state"), show=show)
    assert empty.read(100) == b""
    with pytest.raises(InputError, match=r"FieldList has no start\(\)"):
        SeqFile(waiting)


# --- a source with places of its own ---


class Sorted:
    """Keep keys in order, behind a lock that is held for each section."""

    def __init__(self, keys):
        self.keys = sorted(keys)
        self.lock = threading.Lock()
        self.asked = []

    def at(self, index):
        return self.keys[index] if index < len(self.keys) else None

    def start(self, pos):
        assert self.lock.acquire(blocking=False)
        self.asked.append(("start", pos))
        return self.at(pos)

    def find(self, key):
        assert self.lock.acquire(blocking=False)
        self.asked.append(("find", key))
        return self.at(bisect.bisect_left(self.keys, key))

    def next(self, key, pos):
        return self.at(bisect.bisect_right(self.keys, key)), pos + 1

    def stop(self, key):
        self.lock.release()

    def show(self, m, key):
        assert self.lock.locked()
        line(m, key)


@BOTH
def test_a_source_is_asked_to_find_its_place(kind):
    source = Sorted(range(10))
    file = kind(source, cursor=True, page=41)
    text = file.read(4096)
    source.keys.remove(4)
    bisect.insort(source.keys, 100)
    del source.keys[:2]
    while chunk := file.read(4096):
        text += chunk
    assert numbers(text) == [0, 1, 2, 3, *range(5, 10), 100]
    assert source.asked == [("start", 0), ("find", 4), ("find", 9), ("start", 10)]
    assert not source.lock.locked()
    file.lseek(0)  # without its place, it starts
    assert numbers(file.read(4096)) == [2, 3, 5, 6]
    assert source.asked[-1] == ("start", 0)


class Pairs:
    """Show rows with keys of two parts, whose find knows no end of its own."""

    def __init__(self, rows):
        self.rows = sorted(rows)

    def start(self, pos):
        return self.rows[pos] if pos < len(self.rows) else None

    def find(self, place):
        user, number = place
        return next((row for row in self.rows if row >= (user, number)), None)

    def next(self, row, pos):
        return self.start(self.rows.index(row) + 1), pos + 1

    def stop(self, row):
        pass

    def show(self, m, row):
        line(m, row[1])


@BOTH
@pytest.mark.parametrize("resumes", [False, True])
def test_at_the_end_nothing_is_found(kind, resumes):
    source = Pairs([("ann", 1), ("ann", 2), ("bob", 3)])
    resumed = []
    if resumes:
        source.resume = resumed.append
    file = kind(source, cursor=True, page=21)
    assert numbers(b"".join(iter(lambda: file.read(4096), b""))) == [1, 2, 3]
    source.rows.append(("bob", 4))
    assert file.read(4096) == b""  # the end is final
    assert resumed == ([3, 3] if resumes else [])


@BOTH
def test_a_find_that_takes_nothing_for_the_beginning_meets_the_end(kind):
    source = Sorted(range(10))
    proper = source.find
    source.find = lambda key: proper(key or 0)
    file = kind(source, cursor=True, page=41)
    pages = [file.read(4096) for _ in range(5)]
    assert numbers(b"".join(pages)) == list(range(10)) and pages[3:] == [b"", b""]


@BOTH
def test_without_a_cursor_nothing_is_found(kind):
    source = Sorted(range(10))
    file = kind(source, page=41)
    while file.read(4096):
        pass
    assert source.asked == [("start", pos) for pos in (0, 4, 8, 10)]


@BOTH
def test_a_place_that_cannot_be_found_is_an_error_and_a_new_start(kind):
    source = Sorted(range(10))
    proper, failures = source.find, [ZeroDivisionError]

    def find(key):
        found = proper(key)
        if failures:
            raise failures.pop()
        return found

    source.find = find
    file = kind(source, cursor=True, page=41)
    text = file.read(4096)
    with pytest.raises(ZeroDivisionError):
        file.read(4096)
    assert not source.lock.locked() and file.tell() == len(text)
    while chunk := file.read(4096):
        text += chunk
    assert numbers(text) == list(range(10))


# --- what is refused ---


ENTRIES = (
    "entries; expected a list, a dict, a set, an IntrusiveList, or an object with "
    "start, next, stop and show"
)


@pytest.mark.parametrize(
    ("source", "options", "error"),
    [
        (
            [1],
            {},
            "list has no show(); expected show=, called with the file and an item",
        ),
        (
            {},
            {"show": 7},
            "show is 7; expected show=, called with the file and an item",
        ),
        (
            np.arange(2),
            {"show": line, "cursor": True},
            "ndarray has numbers for places, and there is a cursor; expected a "
            "mapping, a set, an IntrusiveList, or a source with start, next and stop",
        ),
        (
            "/proc/slabinfo",
            {"show": line},
            f"str is nothing that has {ENTRIES}",
        ),
        ({}.values(), {"show": line}, f"dict_values is nothing that has {ENTRIES}"),
        (iter([1]), {}, f"list_iterator is nothing that has {ENTRIES}"),
    ],
)
def test_what_has_no_places_is_refused(source, options, error):
    with pytest.raises(InputError) as refusal:
        SeqFile(source, **options)
    assert str(refusal.value) == f"SeqFile: {error}"


def test_keys_without_an_order_are_told_by_the_read():
    with pytest.raises(InputError, match="None is a key; expected keys that have"):
        SeqFile({None: 1}, show=line).read(10)
    for keys in ({float("nan"): 1, 2.0: 3}, {frozenset([1]), frozenset([2])}):
        for cursor in (False, True):
            file = SeqFile(keys, show=lambda m, key: m.write("row\n"), cursor=cursor)
            with pytest.raises(InputError, match="are keys; expected keys that have"):
                b"".join(file.pages())
    alone = SeqFile({float("nan")}, show=lambda m, key: m.write("row\n"), cursor=True)
    assert alone.read(100) == b"row\n"


@pytest.mark.parametrize("cursor", [False, True])
@pytest.mark.parametrize("keys", [{1, "a"}, {1: "b", (2,): "c"}, {1j, 2j}])
@BOTH
def test_keys_that_cannot_be_compared_are_told_in_one_line(kind, keys, cursor):
    text = r"^SeqFile: '<' not supported between .*; expected keys that have an order$"
    file = kind(Keys(keys, line), cursor=cursor)
    with pytest.raises(InputError, match=text):
        file.read(10)


@pytest.mark.parametrize("kept", [range(10), [9]], ids=["some", "one"])
def test_a_key_that_cannot_be_compared_may_come_while_a_file_is_read(kept):
    keys = set(range(10))
    file = SeqFile(keys, show=line, cursor=True, page=91)
    assert len(file.read(100).split()) == 9
    keys.intersection_update(kept)
    keys.add("a")
    with pytest.raises(InputError, match="expected keys that have an order"):
        b"".join(file.pages())


def test_an_intrusive_list_is_read_as_before():
    file = SeqFile(IntrusiveList(range(3)), show=lambda m, h: m.write(f"{h}\n"))
    assert len(file.read(100).split()) == 3

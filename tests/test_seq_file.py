"""seq_file: bytes, places and calls; the core beside its twin; the cursor's promise."""

import copy
import doctest
import errno
import gc
import inspect
import itertools
import pickle
import random
import threading
import weakref
from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from slabcore import InputError, IntrusiveList, KernelFile, LifecycleError, SeqFile
from slabcore.reference.seq_file import SeqFile as Twin

FILES = {"core": SeqFile, "reference": Twin}
ERAS = "ABCD"
SKIP = 1

LENGTHS = st.one_of(
    st.integers(1, 300), st.sampled_from([1000, 4094, 4095, 4096, 4097, 9000])
)
SIZES = st.one_of(
    st.integers(0, 300), st.sampled_from([1000, 4094, 4095, 4096, 9001, 65536])
)


def text(number, length):
    """Return a line that says which it is if there is room."""
    return f"{number:<{length}}"[: length - 1].encode() + b"\n"


class Record:
    """Stand on a list with what show is to print and to do."""

    def __init__(self, number, length, kind="norm"):
        self.text = text(number, length)
        self.kind = kind

    def show(self, m):
        if self.kind in ("norm", "skip", "error-printed"):
            m.write(self.text)
        if self.kind.startswith("error"):
            raise OSError(errno.EIO, "shown")
        if self.kind == "raise":
            raise KeyError(self)
        return SKIP if self.kind.startswith("skip") else None


class Source:
    """Show a Python list, position by position."""

    def __init__(self, records, header=b""):
        self.records = records
        self.header = header
        self.start_fails = self.next_fails = 0
        self.inside = 0

    def open(self, file, **options):
        self.file = file(self, **options)
        return self.file

    def start(self, pos):
        self.inside += 1
        if self.header and not pos:
            self.file.write(self.header)
        self.start_fails -= 1
        if self.start_fails == 0:
            raise OSError(errno.ENODEV, "start")
        self.file.visits += min(pos + 1, len(self.records))
        return self.records[pos] if pos < len(self.records) else None

    def resume(self, pos):
        self.inside += 1

    def next(self, record, pos):
        self.next_fails -= 1
        if self.next_fails == 0:
            raise OSError(errno.EINTR, "next")
        at = self.records.index(record) + 1
        return (self.records[at] if at < len(self.records) else None), pos + 1

    def stop(self, record):
        self.inside -= 1

    def show(self, m, record):
        return record.show(m)


def drained(file, sizes):
    """Read to the end, by sizes in turn."""
    chunks = []
    for n in itertools.cycle(sizes):
        chunks.append(file.read(n))
        if n and not chunks[-1]:
            return b"".join(chunks)


@pytest.fixture(params=FILES.values(), ids=FILES)
def file(request):
    """Name the file's type: the core's, then its twin's."""
    return request.param


def test_the_example_of_the_class_runs():
    runner = doctest.DocTestRunner()
    for example in doctest.DocTestFinder().find(SeqFile, "SeqFile"):
        runner.run(example)
    assert runner.tries and not runner.failures


# --- a list that stays as it is ---


@given(
    era=st.sampled_from(ERAS),
    lengths=st.lists(LENGTHS, max_size=30),
    sizes=st.lists(SIZES, min_size=1, max_size=5).filter(any),
)
def test_any_sizes_of_reads_give_the_same_bytes(era, lengths, sizes):
    records = [Record(*numbered) for numbered in enumerate(lengths)]
    whole = b"".join(record.text for record in records)
    assert drained(Source(records).open(SeqFile, era=era), sizes) == whole

    entries = IntrusiveList(range(len(records)))
    by_handle = dict(zip(entries, records, strict=True))
    show = lambda m, handle: by_handle[handle].show(m)  # noqa: E731
    assert drained(SeqFile(entries, era=era, show=show), sizes) == whole
    assert drained(SeqFile(entries, cursor=True, show=show), sizes) == whole


@given(
    era=st.sampled_from("ACD"),
    lengths=st.lists(LENGTHS, max_size=20),
    calls=st.lists(st.tuples(st.integers(0, 20_000), SIZES), max_size=10),
)
def test_any_place_gives_the_bytes_that_stand_there(era, lengths, calls):
    records = [Record(*numbered) for numbered in enumerate(lengths)]
    whole = b"".join(record.text for record in records)
    file = Source(records).open(SeqFile, era=era)
    for offset, n in calls:
        there = file.pread(n, offset)
        assert whole[offset:].startswith(there)
        assert there or not n or offset >= len(whole)
        assert file.lseek(offset) == offset
        assert file.read(n) == there or not there
        file.lseek(0)
        assert whole.startswith(file.read(n))


def test_a_seek_into_a_record_repeats_it_in_era_b_alone(file):
    records = [Record(number, 10) for number in range(3)]
    whole = b"".join(record.text for record in records)
    for era in ERAS:
        opened = Source(records).open(file, era=era)
        opened.lseek(15)
        repeated = records[1].text if era == "B" else b""
        assert drained(opened, [100]) == whole[15:20] + repeated + whole[20:]


# --- the cost of places that are numbers ---


def test_reading_a_list_visits_its_nodes_again_at_each_chunk(file):
    records = [Record(number, 100) for number in range(1000)]
    opened = Source(records).open(file)
    drained(opened, [65536])
    chunk = 4095 // 100
    starts = [*range(0, 1000, chunk), 1000]
    assert opened.calls["start"] == len(starts)
    assert opened.calls["visits"] == sum(min(pos + 1, 1000) for pos in starts)
    # each chunk shows the record that does not fit, and again
    assert opened.calls["show"] == 1000 + len(starts) - 2


def test_a_cursor_visits_one_node_a_chunk():
    entries = IntrusiveList(range(1000))
    opened = SeqFile(
        entries, cursor=True, show=lambda m, handle: m.write(text(handle, 100))
    )
    drained(opened, [65536])
    assert opened.calls["visits"] == opened.calls["start"] - 1  # none at the end
    assert opened.calls["next"] == 1000


def test_a_list_of_the_cores_is_read_as_any_source():
    records = [Record(number, 100) for number in range(300)]
    entries = IntrusiveList(range(300))
    by_handle = dict(zip(entries, records, strict=True))
    for era in ERAS:
        python = Source(records).open(SeqFile, era=era)
        native = SeqFile(entries, era=era, show=lambda m, h: by_handle[h].show(m))
        for n in (10, 5000, 0, 90, 65536):
            assert python.read(n) == native.read(n)
            assert python.state == native.state
            assert python.calls == native.calls


# --- rows lost and repeated between chunks ---


def numbers(chunk):
    return [int(line) for line in chunk.split()]


@pytest.mark.parametrize("era", ERAS)
def test_a_change_before_the_place_loses_or_repeats_a_row(file, era):
    records = [Record(number, 1000) for number in range(8)]
    opened = Source(records).open(file, era=era)
    assert numbers(opened.read(65536)) == [0, 1, 2, 3]
    del records[0]
    assert numbers(opened.read(65536)) == [5, 6, 7]
    records[:0] = [Record(8, 1000), Record(9, 1000)]
    assert numbers(opened.read(65536)) == [6, 7]


def test_a_cursor_stays_where_it_is():
    entries = IntrusiveList(range(8))
    opened = SeqFile(
        entries,
        cursor=True,
        show=lambda m, handle: m.write(text(entries.value(handle), 1000)),
    )
    assert numbers(opened.read(65536)) == [0, 1, 2, 3]
    fifth = entries.handles()[4]
    entries.remove(entries.first)
    entries.add(8)
    entries.remove(fifth)
    assert numbers(opened.read(65536)) == [5, 6, 7]
    assert opened.read(65536) == b""
    entries.add_tail(9)
    assert opened.read(65536) == b""  # the end is the end
    opened.lseek(0)
    assert numbers(opened.read(65536)) == [8, 1, 2, 3]


def test_show_may_take_entries_out():
    for cursor in (False, True):
        entries = IntrusiveList(range(20))

        def show(m, handle, entries=entries):
            m.write(text(entries.value(handle), 1000))
            following = entries.next(handle)
            entries.remove(handle)
            if following is not None:
                entries.remove(following)

        opened = SeqFile(entries, cursor=cursor, show=show)
        seen = numbers(drained(opened, [65536]))
        assert seen == sorted(set(seen)) and seen[:3] == [0, 2, 4]
        entries.validate()


@pytest.mark.parametrize("gone", [0, 3, 39, 40, 41, 99])
def test_what_show_takes_out_of_a_source_costs_no_other_row(file, gone):
    records = [Record(number, 100) for number in range(100)]
    source = Source(records)

    def take(m, record=records[gone]):
        m.write(record.text)
        at = records.index(record)
        del records[at]
        m.removed(record, records[at] if at < len(records) else None)

    records[gone].show = take
    opened = source.open(file, cursor=True)
    first = numbers(opened.read(65536))
    assert first == list(range(40))
    rest = set(range(40, 100))
    if gone == 40:  # it did not fit, and went
        rest.remove(40)
    assert numbers(drained(opened, [65536])) == sorted(rest)
    assert source.inside == 0


@pytest.mark.parametrize("resumes", [False, True])
def test_a_cursor_locks_its_source_for_each_chunk(file, resumes):
    class Locked:
        def __init__(self):
            self.lock = threading.Lock()
            self.starts = []

        def start(self, pos):
            assert self.lock.acquire(blocking=False)
            self.starts.append(pos)
            return pos if pos < 100 else None

        def next(self, entry, pos):
            return (entry + 1 if entry < 99 else None), pos + 1

        def stop(self, entry):
            self.lock.release()

        def show(self, m, entry):
            assert self.lock.locked()
            m.write(text(entry, 100))

    source, resumed = Locked(), []

    def resume(pos):
        assert source.lock.acquire(blocking=False)
        resumed.append(pos)

    if resumes:
        source.resume = resume
    opened = file(source, cursor=True)
    assert numbers(drained(opened, [65536])) == list(range(100))
    assert not source.lock.locked()
    places = [40, 80, 100]
    assert (source.starts, resumed) == (
        ([0], places) if resumes else ([0, *places], [])
    )
    assert opened.calls["start"] == opened.calls["stop"] == 4


def test_one_file_may_be_read_while_another_of_the_list_is():
    entries = IntrusiveList(range(60))
    inner = SeqFile(
        entries,
        cursor=True,
        show=lambda m, handle: m.write(text(entries.value(handle), 500)),
    )
    read = []

    def show(m, handle):
        read.append(inner.read(700))
        entries.remove(handle)
        entries.add_tail(100 + len(read))
        m.write("x")

    outer = SeqFile(entries, cursor=True, show=show)
    assert outer.read(30) == b"x" * 30
    entries.validate()
    seen = numbers(b"".join(read) + drained(inner, [4096]))
    assert len(set(seen)) == len(seen) and set(range(30, 60)) <= set(seen)


# --- errors ---


def test_errors_of_hooks_are_error_numbers(file):
    source = Source([Record(0, 100), Record(1, 100, "error"), Record(2, 100)])
    opened = source.open(file)
    assert len(opened.read(1000)) == 100
    for _ in range(2):
        with pytest.raises(OSError, match="shown") as raised:
            opened.read(1000)
        assert raised.value.errno == errno.EIO
    del source.records[1]
    assert opened.read(1000) == source.records[1].text
    for call in (
        lambda: opened.read(-1),
        lambda: opened.pread(1, -1),
        lambda: opened.lseek(-1),
        lambda: opened.lseek(0, 2),
    ):
        with pytest.raises(OSError, match="Invalid argument"):
            call()
    assert opened.tell() == 200


@pytest.mark.parametrize("hook", ["start", "next", "stop", "show"])
def test_any_other_error_passes_through_and_nothing_is_lost(file, hook):
    source = Source([Record(number, 100) for number in range(9)])
    whole = b"".join(record.text for record in source.records)
    opened = source.open(file)
    chunks = [opened.read(250)]
    proper = getattr(source, hook)

    def read_on():
        while sum(map(len, chunks)) < len(whole):
            chunks.append(opened.read(100))

    def broken(*arguments):
        if hook == "stop":
            proper(*arguments)
        if hook == "start":
            source.inside += 1
        raise ZeroDivisionError

    if hook == "show":
        source.records[3].show = broken
    else:
        setattr(source, hook, broken)
    with pytest.raises(ZeroDivisionError):
        read_on()
    assert source.inside == 0
    assert opened.tell() == sum(map(len, chunks))
    if hook == "show":
        del source.records[3].show
    else:
        setattr(source, hook, proper)
    read_on()
    assert b"".join(chunks) == whole


def test_an_error_without_a_number_passes_through(file):
    source = Source([Record(0, 10)])

    def fail(m):
        raise OSError("no number")

    source.records[0].show = fail
    with pytest.raises(OSError, match="no number"):
        source.open(file).read(1)


@pytest.mark.parametrize("hook", ["start", "next", "stop", "show"])
@pytest.mark.parametrize("number", ["no such", 2.0, 0, -5, 4096])
def test_an_error_whose_number_is_none_passes_through(file, hook, number):
    source = Source([Record(0, 10), Record(1, 10)])
    opened = source.open(file)
    broken = OSError(number, "record")
    proper = getattr(source, hook)

    def fail(*arguments):
        if hook == "stop":
            proper(*arguments)
        if hook == "start":
            source.inside += 1
        raise broken

    if hook == "show":
        source.records[0].show = fail
    else:
        setattr(source, hook, fail)
    with pytest.raises(OSError, match="record") as told:
        opened.read(20)
    assert told.value is broken
    if hook == "show":
        del source.records[0].show
    else:
        setattr(source, hook, proper)
    assert opened.read(20) == b"".join(record.text for record in source.records)


def test_show_may_answer_in_other_numbers(file):
    source = Source([Record(0, 10), Record(1, 10)])
    source.records[0].show = lambda m: m.write("lost") or 1.0
    source.records[1].show = lambda m: m.write("kept") or 0.0
    assert source.open(file).read(20) == b"kept"


def test_hooks_that_answer_nonsense_are_told(file):
    source = Source([Record(0, 10)])
    for answer in (None, 7, (source.records[0],), (1, 2, 3)):
        source.next = lambda record, pos, answer=answer: answer
        with pytest.raises(
            TypeError, match=r"^next returned .*: expected an entry and"
        ):
            source.open(file).read(20)
    source.records[0].show = lambda m: m.write(7)
    with pytest.raises(TypeError, match=r"^int: expected text, or bytes"):
        source.open(file).read(20)
    for nonsense in (2, -5, "text"):
        source.records[0].show = lambda m, nonsense=nonsense: nonsense
        with pytest.raises(InputError, match="expected None, 0 or 1"):
            source.open(file).read(20)


def test_a_file_cannot_be_read_while_it_is_read(file):
    source = Source([Record(0, 10)])
    source.records[0].show = lambda m: m.read(1)
    opened = source.open(file)
    with pytest.raises(LifecycleError, match="being read"):
        opened.read(1)
    source.records[0].show = lambda m: m.close()
    with pytest.raises(LifecycleError, match="being read"):
        opened.read(1)


def test_what_a_hook_injects_is_for_the_next_call(file):
    source = Source([Record(number, 100) for number in range(30)])
    whole = b"".join(record.text for record in source.records)
    opened = source.open(file)
    first = opened.read(50)
    for record in source.records:
        record.show = lambda m, r=record: [m.write(r.text), m.inject(fault=0)][0]
    # fifty bytes are delivered when the fault of none is said
    there = opened.read(65536)
    assert first + there == whole
    opened.lseek(0)  # a seek is a call
    assert opened.read(65536) == whole
    with pytest.raises(OSError, match="Bad address"):
        opened.pread(10, 0)


def test_only_a_hook_may_write(file):
    opened = Source([Record(0, 10)]).open(file)
    opened.read(5)
    with pytest.raises(LifecycleError, match="no record is being shown"):
        opened.write("x")


def test_a_closed_file_is_closed(file):
    opened = Source([Record(0, 10)]).open(file)
    opened.read(5)
    opened.close()
    opened.close()
    for call in (lambda: opened.read(5), lambda: opened.lseek(0)):
        with pytest.raises(ValueError, match="closed file"):
            call()


def test_a_file_says_where_it_is_and_is_not_copied():
    opened = Source([Record(0, 10), Record(1, 10)]).open(SeqFile)
    opened.read(15)
    assert repr(opened) == "<SeqFile: at byte 15>"
    for call in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"nor pickled; SeqFile\(source\) opens"):
            call(opened)
    opened.close()
    assert repr(opened) == "<SeqFile: closed>"
    assert repr(SeqFile.__new__(SeqFile)) == "<SeqFile: closed>"


HOOKS = "expected a source with start, next and stop, and show or show="


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (
            lambda file: file(Source([]), era="E"),
            "SeqFile: era is 'E'; expected A, B, C or D",
        ),
        (
            lambda file: file(Source([]), era="A", cursor=True),
            "SeqFile: era is 'A' and there is a cursor; expected D, which a reader "
            "with a cursor follows",
        ),
        (
            lambda file: file(SimpleNamespace(start=print, stop=print)),
            f"SeqFile: SimpleNamespace has no next(); {HOOKS}",
        ),
        (
            lambda file: SeqFile(IntrusiveList()),
            "SeqFile: IntrusiveList has no show(); expected show=, called with the "
            "file and a handle",
        ),
        (
            lambda file: file(Source([]), show=3),
            "SeqFile: show is 3; expected a callable",
        ),
        (
            lambda file: Source([]).open(file).inject(fault=-1),
            "inject: fault is -1; expected 0 bytes or more",
        ),
        (
            lambda file: Source([]).open(file).inject(alloc=0),
            "inject: alloc is 0; expected 1, the next one, or more",
        ),
    ],
)
def test_bad_arguments_are_told(file, call, error):
    with pytest.raises(InputError) as refusal:
        call(file)
    assert str(refusal.value) == error


def test_bytes_and_places_are_whole_numbers(file):
    opened = Source([Record(0, 10)]).open(file)
    for call in (
        lambda: opened.read(1.5),
        lambda: opened.pread(1.5, 0),
        lambda: opened.pread(1, 1.5),
        lambda: opened.lseek(1.5),
        lambda: opened.lseek(1, 1.0),
        lambda: opened.inject(fault=1.5),
        lambda: opened.inject(alloc=1.5),
    ):
        with pytest.raises(TypeError, match="float"):
            call()
    with pytest.raises(OSError, match="Invalid argument"):
        opened.lseek(1, 2**32)
    assert opened.read(20) == b"0        \n"


def test_its_signature_is_its_own():
    assert str(inspect.signature(SeqFile)) == (
        "(source, *, era='D', cursor=False, show=None, page=4096)"
    )
    assert SeqFile.__doc__.lstrip().startswith("An open file")


def test_a_file_of_a_kernel_reads_one():
    with KernelFile(Source([Record(0, 10), Record(1, 20)]).open(SeqFile), "rows") as f:
        assert f.readall() == text(0, 10) + text(1, 20)


def test_a_place_behind_the_end_is_delivered_at_when_rows_come(file):
    source = Source([Record(0, 10)])
    opened = source.open(file)
    far = 2**63 - 5
    assert opened.lseek(far) == far
    assert opened.read(100) == b""
    source.records.append(Record(1, 10))
    assert opened.read(100) == source.records[1].text
    assert opened.tell() == far + 10 - 2**64  # a loff_t wraps
    with pytest.raises(OSError, match="Invalid argument"):
        opened.read(1)
    assert opened.lseek(-(2**63), 1) == 5
    with pytest.raises(OSError, match="Invalid argument"):
        opened.lseek(far, 1)


# --- memory ---


def test_a_file_that_goes_away_leaves_the_list_in_order():
    entries = IntrusiveList(range(100))
    show = lambda m, handle: m.write(text(handle, 100))  # noqa: E731
    opened = [SeqFile(entries, cursor=True, show=show) for _ in range(5)]
    for file in opened:
        file.read(50)
    opened.pop(2).close()
    del opened[::2], file
    entries.clear()
    assert opened[0].read(100) == b" " * 0 + text(0, 100)[50:]
    entries.validate()


def test_a_file_keeps_its_list_alive():
    file = SeqFile(
        IntrusiveList(range(100)),
        cursor=True,
        show=lambda m, handle: m.write(text(handle, 100)),
    )
    assert len(drained(file, [4096])) == 100 * 100


def test_a_source_that_knows_its_file_is_collected():
    source = Source([Record(0, 10)])
    source.open(SeqFile).read(1)
    gone = weakref.ref(source)
    del source
    gc.collect()
    assert gone() is None


# --- the core beside its twin, and on a list of its own ---

KINDS = st.sampled_from(
    ["norm"] * 8 + ["skip", "skip-silent", "empty", "error", "error-printed", "raise"]
)


class Twins(RuleBasedStateMachine):
    """Do the same to files over one list: results, places and calls agree."""

    @initialize(
        era=st.sampled_from(ERAS),
        cursor=st.booleans(),
        header=st.sampled_from([b"", b"", b"header\n"]),
        records=st.lists(st.tuples(LENGTHS, KINDS), max_size=20),
    )
    def open(self, era, cursor, header, records):
        options = {"era": "D" if cursor else era, "cursor": cursor}
        self.numbers = itertools.count()
        self.records = []
        self.entries = IntrusiveList()
        self.handles = {}
        self.sources = [Source(self.records, header) for _ in FILES]
        self.files = [
            source.open(file, **options)
            for source, file in zip(self.sources, FILES.values(), strict=True)
        ]
        self.native = []
        if not header:  # which its start would have to print
            show = lambda m, handle: self.by_handle[handle].show(m)  # noqa: E731
            self.native = [SeqFile(self.entries, show=show, **options)]
        self.by_handle = {}
        for length, kind in records:
            self.insert(len(self.records), length, kind)

    def insert(self, index, length, kind):
        record = Record(next(self.numbers), length, kind)
        if index < len(self.records):
            handle = self.entries.insert_before(self.handles[self.records[index]])
        else:
            handle = self.entries.add_tail()
        self.records.insert(index, record)
        self.handles[record] = handle
        self.by_handle[handle] = record

    def agree(self, call):
        outcomes = []
        for file in self.files + self.native:
            try:
                outcome = call(file)
            except (OSError, KeyError) as error:
                outcome = type(error), getattr(error, "errno", None)
            state = file.state
            if not state["count"]:
                del state["from"]
            outcomes.append((outcome, file.tell(), state, file.calls))
        for other in outcomes[1:]:
            assert other == outcomes[0]
        assert all(source.inside == 0 for source in self.sources)

    @rule(n=SIZES)
    def read(self, n):
        self.agree(lambda file: file.read(n))

    @rule(n=SIZES, offset=st.integers(-1, 12_000))
    def pread(self, n, offset):
        self.agree(lambda file: file.pread(n, offset))

    @rule(offset=st.integers(-300, 12_000), whence=st.sampled_from([0, 0, 0, 1, 1, 2]))
    def lseek(self, offset, whence):
        self.agree(lambda file: file.lseek(offset, whence))

    @rule(data=st.data(), length=LENGTHS, kind=KINDS)
    def add(self, data, length, kind):
        self.insert(data.draw(st.integers(0, len(self.records))), length, kind)

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def remove(self, data):
        index = data.draw(st.integers(0, len(self.records) - 1))
        record = self.records.pop(index)
        following = self.records[index] if index < len(self.records) else None
        for file in self.files:
            file.removed(record, following)
        self.entries.remove(self.handles[record])

    @rule(fault=st.integers(0, 200))
    def fault(self, fault):
        for file in self.files + self.native:
            file.inject(fault=fault)

    @rule(alloc=st.integers(1, 3))
    def alloc(self, alloc):
        for file in self.files + self.native:
            file.inject(alloc=alloc)

    @precondition(lambda self: not self.native)
    @rule(hook=st.sampled_from(["start_fails", "next_fails"]), calls=st.integers(1, 5))
    def arm(self, hook, calls):
        for source in self.sources:
            setattr(source, hook, calls)


TestTwins = Twins.TestCase


# --- hooks that do as they like ---


class Wild:
    """Show numbers, and now and then do what a source had better not."""

    def __init__(self, seed, habits, numbers):
        self.dice = random.Random(seed)
        self.habits = habits
        self.numbers = numbers
        self.calls = []
        if "resume" in habits:
            self.resume = self.resumed
        if "find" in habits:
            self.find = self.found

    def does(self, habit):
        return habit in self.habits and self.dice.random() < 0.05

    def fails(self):
        if self.does("inject"):
            fault = self.dice.choice([None, 0, 7, 5000])
            self.file.inject(fault=fault, alloc=self.dice.choice([None, 1, 2]))
        if self.does("errno"):
            raise OSError(self.dice.choice([errno.EIO, errno.EAGAIN]), "wild")
        if self.does("no errno"):
            raise OSError("wild")
        if self.does("raise"):
            raise KeyError("wild")

    def start(self, pos):
        self.calls.append(("start", pos))
        if "header" in self.habits and not pos:
            self.file.write(b"header\n" * self.dice.choice([1, 700]))
        self.fails()
        return self.numbers[pos] if pos < len(self.numbers) else None

    def resumed(self, pos):
        self.calls.append(("resume", pos))
        self.fails()

    def found(self, number):
        self.calls.append(("find", number))
        self.fails()
        return number if number in self.numbers else None

    def next(self, number, pos):
        self.calls.append(("next", number, pos))
        self.fails()
        at = self.numbers.index(number) + 1
        after = self.numbers[at] if at < len(self.numbers) else None
        return after, pos + (not self.does("stay")) + 3 * self.does("jump")

    def stop(self, number):
        self.calls.append(("stop", number))

    def show(self, m, number):
        self.calls.append(("show", number))
        m.write(text(number, 4096 if self.does("large") else 40 + 7 * number % 90))
        if self.does("take"):
            self.take(number)
        if self.does("take others"):
            self.take(self.dice.choice(self.numbers or [number]))
        self.fails()
        return SKIP if self.does("skip") else 0

    def take(self, number):
        if number in self.numbers:
            at = self.numbers.index(number)
            following = self.numbers[at + 1] if at + 1 < len(self.numbers) else None
            del self.numbers[at]
            self.file.removed(number, following)


HABITS = [
    *("errno", "no errno", "raise", "inject", "take", "take others", "resume"),
    *("find", "header", "stay", "jump", "large", "skip"),
]


def wild(file, seed, habits, era, cursor):
    """Do by chance what can be done to a file; return all that came of it."""
    dice, numbers = random.Random(seed), list(range(seed % 120))
    source = Wild(seed, habits, numbers)
    source.file = opened = file(source, era="D" if cursor else era, cursor=cursor)
    last, outcomes = 1 << 63, []
    for number in range(1000, 1030):
        n, offset = dice.choice([0, 1, 99, 4096, 65536]), dice.randrange(9000)
        deed = dice.choice(["read", "read", "pread", "lseek", "far", "put", "take"])
        outcome = None
        try:
            match deed:
                case "read":
                    outcome = opened.read(n)
                case "pread":
                    outcome = opened.pread(n, offset)
                case "lseek":
                    outcome = opened.lseek(offset - 99, dice.choice([0, 1]))
                case "far":
                    outcome = opened.lseek(last - dice.choice([1, 50, 5000]))
                case "put":
                    numbers.insert(dice.randrange(len(numbers) + 1), number)
                case "take" if numbers:
                    source.take(dice.choice(numbers))
        except (OSError, KeyError) as error:
            outcome = type(error), str(error)
        state = opened.state
        if not state["count"]:
            del state["from"]
        outcomes.append((deed, outcome, opened.tell(), state, opened.calls))
    return outcomes, source.calls


@given(
    seed=st.integers(0, 1 << 32),
    habits=st.sets(st.sampled_from(HABITS)),
    era=st.sampled_from(ERAS),
    cursor=st.booleans(),
)
def test_whatever_hooks_do_both_files_do_the_same(seed, habits, era, cursor):
    core, twin = (wild(file, seed, habits, era, cursor) for file in FILES.values())
    assert core == twin


# --- what a cursor promises ---


class Cursor(RuleBasedStateMachine):
    """Change a list between the reads of several files with a cursor."""

    def __init__(self):
        super().__init__()
        self.numbers = itertools.count()
        self.entries = IntrusiveList()
        self.readers = []
        for _ in range(50):
            self.entries.add_tail(next(self.numbers))

    def show(self, m, handle):
        number = self.entries.value(handle)
        m.write(text(number, 30 + number * 37 % 300))

    @rule()
    def open(self):
        file = SeqFile(self.entries, cursor=True, show=self.show)
        there = set(self.entries.to_array().tolist())
        self.readers.append((file, [], there, Counter()))

    @precondition(lambda self: self.readers)
    @rule(reader=st.integers(0, 9), n=SIZES)
    def read(self, reader, n):
        file, chunks, *_ = self.readers[reader % len(self.readers)]
        before = file.calls
        chunks.append(file.read(n))
        starts = file.calls["start"] - before["start"]
        assert file.calls["visits"] - before["visits"] <= starts
        assert file.state["size"] <= 4096

    @rule(first=st.integers(0, 60), step=st.integers(1, 9), last=st.integers(0, 60))
    def remove(self, first, step, last):
        for handle in self.entries.handles()[first : last + 1 : step].tolist():
            number = self.entries.value(handle)
            self.entries.remove(handle)
            for _, _, there, _ in self.readers:
                there.discard(number)

    @rule(
        first=st.integers(0, 60),
        step=st.integers(1, 9),
        last=st.integers(0, 60),
        to=st.sampled_from(["move", "move_tail"]),
    )
    def move(self, first, step, last, to):
        for handle in self.entries.handles()[first : last + 1 : step].tolist():
            number = self.entries.value(handle)
            getattr(self.entries, to)(handle)
            for _, _, there, inserted in self.readers:  # it went, and came anew
                there.discard(number)
                inserted[number] += 1

    @rule(at=st.sampled_from(["add", "add_tail"]), count=st.integers(1, 20))
    def add(self, at, count):
        for _ in range(count):
            getattr(self.entries, at)(next(self.numbers))

    @rule(index=st.integers(0, 60))
    def insert(self, index):
        for handle in self.entries.handles()[index : index + 1].tolist():
            self.entries.insert_before(handle, next(self.numbers))

    def teardown(self):
        self.entries.validate()
        for file, chunks, there, inserted in self.readers:
            chunks.append(drained(file, [65536]))
            self.entries.add_tail(next(self.numbers))
            # at position 0, where nothing was read yet, a read begins anew
            assert not file.tell() or file.read(65536) == b""
            seen = numbers(b"".join(chunks))
            for number, times in Counter(seen).items():
                assert times <= 1 + inserted[number]
            assert there <= set(seen)


TestCursor = Cursor.TestCase

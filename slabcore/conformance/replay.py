"""Doing a vector's operations anew, and holding what comes of them against it."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from slabcore.conformance.vectors import CALLS, FAILING, FIELDS, IO, STATE
from slabcore.errors import InputError
from slabcore.reference.seq_file import SKIP

__all__ = ["Engine", "Found", "Opened", "replay"]

T = TypeVar("T")
RESULTS = ("returns", "f_pos", "data")
WHOLE = 200
"""Of longer data a vector holds the length, a digest and both ends."""
END = 40

# --- the list of a vector ---


class _Record:
    """One record, linked into the list."""

    def __init__(
        self,
        number: int,
        length: int,
        kind: str = "norm",
        error: int = 0,
        text: str | None = None,
    ) -> None:
        self.id = number
        self.kind = kind
        self.errno = error
        self._length = length
        self._text = text
        self.before: _Record = self
        self.after: _Record = self

    @property
    def text(self) -> bytes:
        if self._text is not None:
            return self._text.encode()
        if not self._length:
            return b""
        text = b"R%06d " % self.id
        first = (self.id * 7 + 8) % 26
        letters = bytes(range(97, 123)) * (self._length // 26 + 2)
        text += letters[first : first + self._length]
        return text[: self._length - 1] + b"\n"


def _records(entries: Iterable[Any]) -> Iterator[_Record]:
    for entry in entries:
        if isinstance(entry, list):
            yield _Record(*entry)
            continue
        kind, error = entry.get("kind", "norm"), entry.get("errno", 0)
        if "id" in entry:
            text = entry["text"]
            yield _Record(entry["id"], len(text), kind, error, text)
            continue
        for number in range(entry["first"], entry["first"] + entry["count"]):
            if "len" in entry:
                length = entry["len"]
            else:
                spread = number * entry["len_mul"] % entry["len_mod"]
                length = entry["len_base"] + spread
            yield _Record(number, length, kind, error)


class Opened(Protocol):
    """Stand for an open file: the core's, the reference's, or someone else's."""

    def read(self, n: int, /) -> bytes: ...
    def pread(self, n: int, offset: int, /) -> bytes: ...
    def lseek(self, offset: int, whence: int, /) -> int: ...
    def tell(self) -> int: ...
    def close(self) -> None: ...
    def inject(self, fault: int | None = ..., alloc: int | None = ...) -> None: ...
    def write(self, data: bytes, /) -> None: ...
    @property
    def state(self) -> Mapping[str, int]: ...
    @property
    def calls(self) -> Mapping[str, int]: ...
    @property
    def visits(self) -> int: ...
    @visits.setter
    def visits(self, count: int) -> None: ...


TOKEN = object()
"""The entry that is a header by itself."""


class Records:
    """The list of a vector, and the hooks that show it."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        header = setup["header"]
        self.mode: str = header["mode"]
        text = ("HDR " + "=" * header["len"])[: max(header["len"] - 1, 0)] + "\n"
        self.header = header.get("text", text).encode()
        self.stays_at_end: bool = setup.get("next_buggy_eof", False)
        self.armed: dict[str, tuple[int, int]] = {}
        self.file: Opened | None = None
        """Whose call is under way."""
        self._head = _Record(-1, 0)
        for record in _records(setup["records"]):
            self.link(record, self._head.before)

    # --- changes ---

    def link(self, record: _Record, before: _Record) -> None:
        """Put a record behind another, or first."""
        record.before, record.after = before, before.after
        before.after.before = record
        before.after = record

    def unlink(self, record: _Record) -> None:
        """Take a record out."""
        record.before.after, record.after.before = record.after, record.before

    def insert(self, record: _Record, op: Mapping[str, Any], where: str) -> None:
        """Put a record where an operation says."""
        at = op["at"]
        if at == "head":
            self.link(record, self._head)
        elif at == "tail":
            self.link(record, self._head.before)
        else:
            for old in self:
                if old.id == op["ref"]:
                    self.link(record, old if at == "after" else old.before)
                    return
            what = f"ref: record {op['ref']} is not on the list"
            raise InputError(where, what, "one that is")

    def remove(self, ids: range | None) -> None:
        """Take records out, all of them if *ids* is None."""
        for record in list(self):
            if ids is None or record.id in ids:
                self.unlink(record)

    def __iter__(self) -> Iterator[_Record]:
        record = self._head.after
        while record is not self._head:
            yield record
            record = record.after

    # --- hooks ---

    def _fail(self, what: str) -> None:
        if what in self.armed:
            left, error = self.armed.pop(what)
            if left == 1:
                raise OSError(error, os.strerror(error))
            self.armed[what] = left - 1, error

    def start(self, pos: int) -> Any:
        """Walk to a position from the head."""
        assert self.file is not None
        self._fail("start_err")
        if pos == 0 and self.mode == "start0":
            self.file.write(self.header)
        if self.mode == "token":
            if pos == 0:
                return TOKEN
            pos -= 1
        visited = 0
        found = None
        for record in self:
            visited += 1
            if visited > pos:
                found = record
                break
        self.file.visits += visited
        return found

    def next(self, entry: Any, pos: int) -> tuple[Any, int]:
        """Step on; at the end a faulty list forgets to say so."""
        self._fail("next_err")
        after = self._head.after if entry is TOKEN else entry.after
        if after is not self._head:
            return after, pos + 1
        return None, pos if self.stays_at_end else pos + 1

    def stop(self, entry: Any) -> None:
        """Do nothing: there is no lock here."""

    def show(self, m: Any, entry: Any) -> int:
        """Print a record as its kind does."""
        if entry is TOKEN:
            m.write(self.header)
            return 0
        if self.mode == "first" and entry is self._head.after:
            m.write(self.header)
        kind = entry.kind
        if kind not in ("skip0", "empty", "err"):
            m.write(entry.text)
        if kind in FAILING:
            if kind == "err1":
                entry.kind = "norm"
            raise OSError(entry.errno, os.strerror(entry.errno))
        return SKIP if kind in ("skip", "skip0") else 0


class NativeRecords(Records):
    """The same records on an IntrusiveList, which start and next walk by themselves."""

    def __init__(self, setup: Mapping[str, Any], entries: Any) -> None:
        self.entries = entries
        self._handles: dict[_Record, int] = {}
        self._named: dict[int, _Record] = {}
        super().__init__(setup)

    @staticmethod
    def can(vector: Mapping[str, Any]) -> bool:
        """Tell whether a vector has nothing that is its own start's or next's."""
        setup = vector["setup"]
        return (
            setup["header"]["mode"] in ("none", "first")
            and not setup.get("next_buggy_eof", False)
            and all(
                op["what"] == "alloc_fail" for op in vector["ops"] if op["op"] == "arm"
            )
        )

    def link(self, record: _Record, before: _Record) -> None:
        super().link(record, before)
        if before is self._head:
            handle = self.entries.add()
        else:
            handle = self.entries.insert_after(self._handles[before])
        self._handles[record] = handle
        self._named[handle] = record

    def unlink(self, record: _Record) -> None:
        super().unlink(record)
        handle = self._handles.pop(record)
        del self._named[handle]
        self.entries.remove(handle)

    def show(self, m: Any, entry: Any) -> int:
        return super().show(m, self._named[entry])


# --- a replay ---


class Engine(NamedTuple):
    """Say what is held against the vectors."""

    name: str
    seq_file: Callable[..., Opened]
    intrusive_list: Callable[[], Any] | None
    header: Callable[..., bytes]
    row: Callable[..., bytes]


@dataclasses.dataclass
class _Stream:
    """What a sequential reader saw since an open or a seek."""

    fd: int
    data: bytearray = dataclasses.field(default_factory=bytearray)
    eof: bool = False

    def to_dict(self) -> dict[str, Any]:
        digest = hashlib.sha256(self.data).hexdigest()
        size = len(self.data)
        return {"fd": self.fd, "bytes": size, "sha256": digest, "eof": self.eof}


class _Replay:
    """Do a vector's operations anew under an era."""

    def __init__(self, vector: Mapping[str, Any], era: str, engine: Engine) -> None:
        self.vector, self.era, self.engine = vector, era, engine
        setup = vector["setup"]
        self.records: Records
        if engine.intrusive_list is not None and NativeRecords.can(vector):
            self.records = NativeRecords(setup, engine.intrusive_list())
        else:
            self.records = Records(setup)
        self.streams: list[_Stream] = []
        self.open_streams: dict[int, _Stream] = {}
        self.files = [self._open(fd) for fd in range(setup.get("fds", 1))]

    def _open(self, fd: int) -> Opened:
        self._begin_stream(fd)
        if isinstance(self.records, NativeRecords):
            source: Any = self.records.entries
            return self.engine.seq_file(source, era=self.era, show=self.records.show)
        return self.engine.seq_file(self.records, era=self.era)

    def _begin_stream(self, fd: int) -> None:
        stream = self.open_streams[fd] = _Stream(fd)
        self.streams.append(stream)

    def run(self, where: str) -> Iterator[tuple[list[Any] | None, list[int] | None]]:
        """Yield what comes of each operation, and the file's state after it."""
        for number, op in enumerate(self.vector["ops"]):
            if op["op"] not in IO:
                self._change(op, f"{where}ops[{number}]")
                yield None, None
                continue
            fd = op.get("fd", 0)
            file = self.records.file = self.files[fd]
            before = file.calls
            if "fault" in op and op["op"] != "drain":
                file.inject(fault=op["fault"])
            result = self._io(op, file, fd)
            after = file.calls
            counts = [after[name] - before[name] for name in CALLS]
            yield result, [*(file.state[name] for name in FIELDS), *counts]

    def _io(self, op: Mapping[str, Any], file: Opened, fd: int) -> list[Any]:
        if op["op"] == "lseek":
            self._begin_stream(fd)
            answer = _or_errno(lambda: file.lseek(op["off"], op["whence"]))
            return [answer, file.tell()]
        if op["op"] == "pread":
            read = _or_errno(lambda: file.pread(op["n"], op["off"]))
            return [_length(read), file.tell(), _bytes(read)]
        if op["op"] == "read":
            read = self._read(op, file, fd)
            return [_length(read), file.tell(), _bytes(read)]
        answers: list[list[int]] = []
        data = bytearray()
        for _ in range(op["max"]):
            if "fault" in op:
                file.inject(fault=op["fault"])
            read = self._read(op, file, fd)
            answer = _length(read)
            data += _bytes(read)
            if answers and answers[-1][0] == answer:
                answers[-1][1] += 1
            else:
                answers.append([answer, 1])
            if answer <= 0:
                break
        return [answers, file.tell(), bytes(data)]

    def _read(self, op: Mapping[str, Any], file: Opened, fd: int) -> bytes | int:
        read = _or_errno(lambda: file.read(op["n"]))
        stream = self.open_streams[fd]
        stream.data += _bytes(read)
        stream.eof = read == b""
        return read

    def _change(self, op: Mapping[str, Any], where: str) -> None:
        """Do an operation that is none on a file."""
        records, kind = self.records, op.get("kind", "norm")
        error = op.get("errno", 0)
        match op["op"]:
            case "insert":
                text = op.get("text")
                length = op["len"] if text is None else len(text)
                new = _Record(op["id"], length, kind, error, text)
                records.insert(new, op, where)
            case "insert_many":
                for number in range(op["first"], op["first"] + op["count"]):
                    new = _Record(number, op["len"], kind, error)
                    records.insert(new, op, where)
            case "remove":
                records.remove(range(op["id"], op["id"] + 1))
            case "remove_range":
                records.remove(range(op["first"], op["last"] + 1, op["step"]))
            case "clear":
                records.remove(None)
            case "reopen":
                fd = op.get("fd", 0)
                self.files[fd].close()
                self.files[fd] = self._open(fd)
            case "arm" if op["what"] == "alloc_fail":
                self.files[op.get("fd", 0)].inject(alloc=op["in"])
            case "arm":
                records.armed[op["what"]] = op["in"], op["errno"]


def _or_errno(call: Callable[[], T]) -> T | int:
    try:
        return call()
    except OSError as error:
        return -(error.errno or errno.EIO)


def _length(read: bytes | int) -> int:
    return read if isinstance(read, int) else len(read)


def _bytes(read: bytes | int) -> bytes:
    return b"" if isinstance(read, int) else read


# --- what differs ---


def _told(data: bytes) -> str | dict[str, Any]:
    """Return data as a vector holds it: itself, or what long data is known by."""
    text = data.decode(errors="surrogateescape")
    if len(text) <= WHOLE:
        return text
    digest = hashlib.sha256(data).hexdigest()
    return {
        "len": len(data),
        "sha256": digest,
        "head": text[:END],
        "tail": text[-END:],
    }


def _number(value: Any) -> str:
    """Return a result in words: an error has a name."""
    if isinstance(value, list):
        runs = [
            _number(each) + (f" ({times} times)" if times > 1 else "")
            for each, times in value
        ]
        return ", ".join(runs[:8]) + (", ..." if len(runs) > 8 else "")
    if -4096 < value < 0:
        return f"{value} ({errno.errorcode.get(-value, 'an unknown error')})"
    return str(value)


def _piece(value: str | Mapping[str, Any]) -> str:
    if isinstance(value, str):
        return repr(value)
    ends = f"{value['head']!r} ... {value['tail']!r}"
    return f"{value['len']} bytes, {ends}, sha256 {value['sha256'][:12]}"


def _same_data(expected: str | Mapping[str, Any], data: bytes) -> bool:
    if isinstance(expected, str):
        return expected.encode(errors="surrogateescape") == data
    told = _told(data)
    return told == expected or (
        # a short one may be told as a long one is
        isinstance(told, str)
        and expected["len"] == len(data)
        and expected["sha256"] == hashlib.sha256(data).hexdigest()
    )


def _differing(
    expected: Sequence[Any] | None,
    result: Sequence[Any] | None,
    fields: Sequence[int] | None,
    state: Sequence[int] | None,
) -> dict[str, tuple[str, str]]:
    """Return what differs after one operation: what was expected, and what came."""
    found: dict[str, tuple[str, str]] = {}
    for name, want, got in zip(RESULTS, expected or (), result or (), strict=False):
        if name == "data":
            if not _same_data(want, got):
                found[name] = _piece(want), _piece(_told(got))
        elif want != got:
            found[name] = _number(want), _number(got)
    drained = fields is not None and state is not None and not (fields[1] or state[1])
    for name, want, got in zip(STATE, fields or (), state or (), strict=False):
        # where an empty buffer's bytes begin has no meaning
        if want != got and not (name == "from" and drained):
            found[_PHRASES.get(name, name)] = str(want), str(got)
    return found


_PHRASES = MappingProxyType(
    {
        **{name: f"calls of {name}" for name in ("start", "next", "show", "stop")},
        "visits": "nodes visited by start",
        "allocs": "buffers allocated",
    }
)


def _group(groups: Iterable[Mapping[str, Any]], era: str) -> Mapping[str, Any]:
    return next(group for group in groups if era in group["eras"])


Found: TypeAlias = tuple[str, Mapping[str, tuple[str, str]]]
"""Where a replay leaves its vector, and what was expected and came, by name."""


def replay(
    vector: Mapping[str, Any], era: str, engine: Engine, where: str = ""
) -> Found | None:
    """Replay a vector under an era; return where it differs first, and in what."""
    results = _group(vector["expect"], era)
    states = _group(vector["state"], era)["ops"]
    run = _Replay(vector, era, engine)
    for number, (result, state) in enumerate(run.run(where)):
        want = results["ops"][number]
        found = _differing(want, result, states[number], state)
        if found:
            return _operation_text(vector["ops"], number), found
    return _streams_differ(results.get("streams"), run.streams)


def _streams_differ(
    expected: Sequence[Mapping[str, Any]] | None, streams: Sequence[_Stream]
) -> Found | None:
    """Compare what readers saw, file by file: how files alternate says nothing."""
    if expected is None:
        return None
    told = [stream.to_dict() for stream in streams if stream.data]
    for fd in sorted({stream["fd"] for stream in (*expected, *told)}):
        wants = [stream for stream in expected if stream["fd"] == fd]
        gots = [stream for stream in told if stream["fd"] == fd]
        where = f"what the readers of file {fd} saw"
        if len(wants) != len(gots):
            counts = str(len(wants)), str(len(gots))
            return where, {"opens and seeks that were read after": counts}
        for number, (want, got) in enumerate(zip(wants, gots, strict=True), 1):
            found = {
                name: (str(want[name]), str(got[name]))
                for name in ("bytes", "sha256", "eof")
                if want[name] != got[name]
            }
            if found:
                rows = f", rows {want['rows']}" if "rows" in want else ""
                return f"what reader {number} of file {fd} saw{rows}", found
    return None


def _operation_text(ops: Sequence[Mapping[str, Any]], number: int) -> str:
    op = ops[number]
    words = " ".join(f"{key}={value}" for key, value in op.items() if key != "op")
    return f"operation {number + 1} of {len(ops)}: {op['op']} {words}".rstrip()

"""Files of vectors: what they may hold, and where one is wrong.

A file comes from anybody, so all of it is looked at before anything is replayed, and
the first thing that is not as it should be is refused with its place.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import msgspec

from slabcore import inputs, slabinfo
from slabcore.errors import InputError
from slabcore.reference.seq_file import PAGE

__all__ = [
    "BUILDS",
    "CALLS",
    "ERAS",
    "FAILING",
    "FIELDS",
    "IO",
    "SEQ_FILE",
    "STATE",
    "TEXT",
    "Vectors",
    "called",
    "read",
]

ERAS = ("A", "B", "C", "D")
BUILDS = ("4.10", "5.4", "6.18", "4.10+debug_slab", "5.4+debug_slab")
"""The kernels whose rows were recorded; debug_slab is SLAB with its statistics."""

FIELDS = ("index", "count", "from", "read_pos", "size")
CALLS = ("start", "next", "show", "stop", "visits", "allocs")
STATE = (*FIELDS, *CALLS)

SEQ_FILE, TEXT = "seqfile-golden", "slabinfo-text-golden"
IO = ("read", "pread", "lseek", "drain")
KINDS = ("norm", "skip", "skip0", "empty", "err", "errp", "err1")
FAILING = ("err", "errp", "err1")

# --- what a file may hold ---

Check: TypeAlias = Callable[[Any, str], None]
SIGNED = 1 << 63
ROWS = 1_000_000
"""Records that one entry of a file may make."""


def _shown(value: Any) -> str:
    """Return a value as JSON has it, cut if long."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _whole(low: int, high: int) -> Check:
    def check(value: Any, where: str) -> None:
        if type(value) is not int or not low <= value <= high:
            bounded = "" if high >= SIGNED - 1 else f" from {low} to {high}"
            expected = f"a whole number{bounded}"
            raise InputError(where, _shown(value), expected)

    return check


def _text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise InputError(where, _shown(value), "text")


def _flag(value: Any, where: str) -> None:
    if not isinstance(value, bool):
        raise InputError(where, _shown(value), "true or false")


def _one_of(*words: Any) -> Check:
    def check(value: Any, where: str) -> None:
        if value not in words or isinstance(value, bool):
            expected = " or ".join(map(_shown, words))
            raise InputError(where, _shown(value), expected)

    return check


def _list_of(item: Check, length: int | None = None) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, list):
            raise InputError(where, _shown(value), "a list")
        if length is not None and len(value) != length:
            raise InputError(where, f"a list of {len(value)}", f"a list of {length}")
        for number, each in enumerate(value):
            item(each, f"{where}[{number}]")

    return check


def _row_of(*items: Check) -> Check:
    """Check a list whose places differ."""

    def check(value: Any, where: str) -> None:
        _list_of(_anything, len(items))(value, where)
        for number, (item, each) in enumerate(zip(items, value, strict=True)):
            item(each, f"{where}[{number}]")

    return check


def _table(
    required: Mapping[str, Check],
    optional: Mapping[str, Check] = MappingProxyType({}),
    *,
    closed: bool = True,
) -> Check:
    """Check an object; a closed one has no other keys."""

    def check(value: Any, where: str) -> None:
        place = where.removesuffix(": ")
        if not isinstance(value, dict):
            raise InputError(place, _shown(value), "an object")
        for key in required:
            if key not in value:
                raise InputError(place, f"there is no {key!r}", ", ".join(required))
        for key, each in value.items():
            item = required.get(key) or optional.get(key)
            if item is not None:
                item(each, _below(where, key))
            elif closed:
                known = ", ".join((*required, *optional))
                raise InputError(place, f"there is no such key as {key!r}", known)

    return check


def _anything(value: Any, where: str) -> None:
    pass


def _below(where: str, key: str) -> str:
    return f"{where}{'' if where.endswith(': ') else '.'}{key}"


_ID = _whole(0, 999_999)
_LENGTH = _whole(0, 1 << 24)
_BYTES = _whole(0, 0x7FFFF000)  # MAX_RW_COUNT
_OFFSET = _whole(-SIGNED, SIGNED - 1)
_FD = _whole(0, 999)
_ERRNO = _whole(1, 4095)
_MANY = _whole(1, ROWS)
_TIMES = _whole(1, 10_000_000)
_KIND = _one_of(*KINDS)
_FACTOR = _whole(0, 1 << 24)

_LIST_RECORD = (_ID, _LENGTH, _KIND, _ERRNO)
_TEXT_RECORD = _table({"id": _ID, "text": _text}, {"kind": _KIND, "errno": _ERRNO})
_RUN = MappingProxyType({"first": _ID, "count": _MANY})
_OF_ONE_LENGTH = _table(_RUN | {"len": _LENGTH}, {"kind": _KIND, "errno": _ERRNO})
_OF_LENGTHS = _table(
    _RUN | {"len_base": _LENGTH, "len_mul": _FACTOR, "len_mod": _whole(1, 1 << 24)},
    {"kind": _KIND, "errno": _ERRNO},
)
_AT = _one_of("head", "tail", "after", "before")
_NEW = MappingProxyType({"kind": _KIND, "errno": _ERRNO, "ref": _ID})

# Of each operation: the keys it has, and those it may have.
_OPS: Mapping[str, tuple[Mapping[str, Check], Mapping[str, Check]]] = MappingProxyType(
    {
        "read": ({"n": _BYTES}, {"fd": _FD, "fault": _BYTES}),
        "pread": ({"off": _OFFSET, "n": _BYTES}, {"fd": _FD, "fault": _BYTES}),
        "lseek": ({"off": _OFFSET, "whence": _whole(-1 << 31, 1 << 31)}, {"fd": _FD}),
        "drain": (
            {"n": _BYTES, "max": _TIMES},
            {"fd": _FD, "fault": _BYTES},
        ),
        "insert": ({"id": _ID, "len": _LENGTH, "at": _AT}, _NEW | {"text": _text}),
        "insert_many": (
            _RUN | {"len": _LENGTH, "at": _AT},
            _NEW,
        ),
        "remove": ({"id": _ID}, {}),
        "remove_range": ({"first": _ID, "last": _ID, "step": _MANY}, {}),
        "clear": ({}, {}),
        "reopen": ({}, {"fd": _FD}),
        "arm": (
            {"what": _one_of("start_err", "next_err", "alloc_fail"), "in": _MANY},
            {"errno": _ERRNO, "fd": _FD},
        ),
    }
)


def _record(value: Any, where: str) -> None:
    if isinstance(value, list):
        if not 2 <= len(value) <= len(_LIST_RECORD):
            raise InputError(where, f"a list of {len(value)}", "id, len, kind, errno")
        for number, (check, each) in enumerate(zip(_LIST_RECORD, value, strict=False)):
            check(each, f"{where}[{number}]")
        kind = value[2] if len(value) > 2 else "norm"
        _said(kind, value[1], len(value) > 3, where)
        return
    if not isinstance(value, dict):
        raise InputError(where, _shown(value), "a list or an object")
    if "id" in value:
        _TEXT_RECORD(value, where)
        length = len(value["text"])
    elif "len_base" in value:
        _OF_LENGTHS(value, where)
        length = value["len_base"]
    else:
        _OF_ONE_LENGTH(value, where)
        length = value["len"]
    _said(value.get("kind", "norm"), length, "errno" in value, where)
    _numbered(value, where)


def _said(kind: str, length: int, error: bool, where: str) -> None:
    """Refuse a record that has not all that its kind needs."""
    if kind in FAILING and not error:
        raise InputError(where, f"kind {kind!r} without an errno", "one")
    if length == 0 and kind not in ("empty", "skip0", "err"):
        raise InputError(where, f"a record of kind {kind!r} and length 0", "1 or more")


def _numbered(value: Mapping[str, Any], where: str) -> None:
    if "count" in value:
        _whole(0, 999_999)(value["first"] + value["count"] - 1, f"{where}: its last id")


def _operation(value: Any, where: str) -> None:
    _table({"op": _one_of(*_OPS)}, closed=False)(value, where)
    required, optional = _OPS[value["op"]]
    _table({"op": _text, **required}, optional)(value, where)
    if value.get("at") in ("after", "before") and "ref" not in value:
        raise InputError(where, f"{value['at']!r} without a ref", "one")
    if value["op"] == "arm" and value["what"] != "alloc_fail":
        _table({"errno": _ERRNO}, closed=False)(value, where)
    if value["op"].startswith("insert"):
        length = len(value["text"]) if "text" in value else value["len"]
        _said(value.get("kind", "norm"), length, "errno" in value, where)
        _numbered(value, where)


_SETUP = _table(
    {
        "header": _table(
            {
                "mode": _one_of("none", "first", "start0", "token"),
                "len": _LENGTH,
            },
            {"text": _text},
        ),
        "records": _list_of(_record),
    },
    {"fds": _whole(1, 1000), "next_buggy_eof": _flag},
)
_NUMBER = _whole(-4095, SIGNED - 1)
_DIGEST = _table({"len": _BYTES, "sha256": _text, "head": _text, "tail": _text})
_STREAM = _table(
    {"fd": _FD, "bytes": _whole(0, SIGNED), "sha256": _text, "eof": _flag},
    {"rows": _text, "dup": _text, "missing": _text},
)


def _data(value: Any, where: str) -> None:
    if isinstance(value, dict):
        _DIGEST(value, where)
    elif not isinstance(value, str):
        raise InputError(where, _shown(value), "text, or len, sha256, head and tail")


_RESULT = MappingProxyType(
    {
        "read": _row_of(_NUMBER, _NUMBER, _data),
        "pread": _row_of(_NUMBER, _NUMBER, _data),
        "lseek": _row_of(_NUMBER, _NUMBER),
        "drain": _row_of(_list_of(_row_of(_NUMBER, _TIMES)), _NUMBER, _data),
    }
)
_STATE = _row_of(*[_whole(-SIGNED, SIGNED - 1)] * len(STATE))


def _groups(
    value: Any, where: str, names: Sequence[str], *, all_of_them: bool, key: str
) -> None:
    """Check that no two groups are about the same era or build."""
    _list_of(_table({key: _list_of(_one_of(*names))}, closed=False))(value, where)
    seen: set[str] = set()
    for number, group in enumerate(value):
        for place, name in enumerate(group[key]):
            if name in seen:
                what = f"{name!r} is in a group before"
                raise InputError(f"{where}[{number}].{key}[{place}]", what, "it once")
            seen.add(name)
    absent = [name for name in names if name not in seen]
    if all_of_them and absent:
        what = f"no group is about {' and '.join(absent)}"
        raise InputError(where, what, f"one group for each of {', '.join(names)}")


def _outcomes(
    value: Mapping[str, Any], where: str, result: Callable[[str], Check]
) -> None:
    """Check what a group expects of each operation of its vector."""
    ops, found = value["ops"], value["group"]
    _list_of(_anything, len(ops))(found, where)
    for number, (op, each) in enumerate(zip(ops, found, strict=True)):
        place = f"{where}[{number}]"
        if op["op"] in IO:
            result(op["op"])(each, place)
        elif each is not None:
            raise InputError(place, _shown(each), f"null, which {op['op']} gives")


def _seq_file_vector(value: Any, where: str) -> None:
    _table(
        {
            "name": _text,
            "tags": _list_of(_text),
            "setup": _SETUP,
            "ops": _list_of(_operation),
            "expect": _anything,
            "state": _anything,
        },
        closed=False,
    )(value, where)
    open_files = value["setup"].get("fds", 1)
    for number, op in enumerate(value["ops"]):
        _whole(0, open_files - 1)(op.get("fd", 0), f"{where}ops[{number}].fd")
    for key in ("expect", "state"):
        groups = f"{where}{key}"
        _groups(value[key], groups, ERAS, all_of_them=True, key="eras")
        for number, group in enumerate(value[key]):
            place = f"{groups}[{number}]"
            _table(
                {"eras": _anything, "ops": _anything},
                {"streams": _list_of(_STREAM)} if key == "expect" else {},
            )(group, place)
            _outcomes(
                {"ops": value["ops"], "group": group["ops"]},
                f"{place}.ops",
                _RESULT.__getitem__ if key == "expect" else lambda op: _STATE,
            )


_LONG = _whole(0, (1 << 64) - 1)
_INT = _whole(0, (1 << 32) - 1)
_COUNTS = MappingProxyType(dict.fromkeys(slabinfo.ACCUMULATED, _LONG))
_TEXT_INPUT = _table(
    {"name": _text},
    {
        **_COUNTS,
        **dict.fromkeys(("objsize", "objects_per_slab"), _INT),
        **dict.fromkeys(("limit", "batchcount", "shared"), _INT),
        "cache_order": _whole(0, 30),
        "children": _list_of(_table({}, _COUNTS)),
        "stats": _table({}, dict.fromkeys(slabinfo.STATISTICS, _LONG)),
        **dict.fromkeys(("root_name", "cgroup_name"), _text),
        "css_serial_nr": _LONG,
    },
)
_BUILT = _table({"builds": _list_of(_one_of(*BUILDS)), "row": _text})
_HEADER = _table({"builds": _list_of(_one_of(*BUILDS)), "header": _text})


def _text_row(value: Any, where: str) -> None:
    required = {"name": _text, "in": _TEXT_INPUT, "expect": _list_of(_BUILT)}
    _table(required, closed=False)(value, where)
    for key in ("name", "root_name"):
        if "\n" in value["in"].get(key, ""):
            shown = _shown(value["in"][key])
            raise InputError(f"{where}in.{key}", shown, "a name of one line")
    _groups(value["expect"], f"{where}expect", BUILDS, all_of_them=False, key="builds")


class Vectors(NamedTuple):
    """Hold one file that was found good."""

    name: str
    format: str
    releases: Mapping[str, Sequence[str]]
    headers: Sequence[Mapping[str, Any]]
    vectors: Sequence[Mapping[str, Any]]


def read(path: str | os.PathLike[str]) -> Vectors:
    """Read a file of vectors. Raises: InputError that says where it is wrong."""
    shown = os.fspath(path)
    kind = "a file of vectors"
    raw = inputs.read(path, kind)
    try:
        # as editors on Windows begin a file
        top = msgspec.json.decode(raw.removeprefix(codecs.BOM_UTF8))
    except UnicodeDecodeError:
        raise InputError(shown, "this is not UTF-8", kind) from None
    except RecursionError:
        raise InputError(shown, "nested too deeply", kind) from None
    except msgspec.DecodeError as error:
        message, _, place = str(error).partition(" (byte ")
        digits = place.rstrip(")")
        # of a file that ends too early no byte is named
        end = int(digits) if digits.isdecimal() else len(raw)
        line = raw.count(b"\n", 0, end) + 1
        raise InputError(f"{shown}:{line}", f"no JSON: {message}", kind) from None
    base = f"{shown}: "
    if isinstance(top, dict) and "meta" not in top:
        expected = f"one of {SEQ_FILE} or {TEXT}, as meta.format says"
        raise InputError(shown, "there is no 'meta'", expected)
    _table({"meta": _anything}, closed=False)(top, base)
    meta = top["meta"]
    form = {"format": _one_of(SEQ_FILE, TEXT), "format_version": _one_of(1)}
    _table(form, closed=False)(meta, f"{base}meta")
    if meta["format"] == TEXT:
        return _read_text(shown, top)
    form = {
        "versions": _table({}, dict.fromkeys(ERAS, _list_of(_text))),
        "state_fields": _list_of(_text, len(STATE)),
    }
    _table(form, {"page_size": _one_of(PAGE)}, closed=False)(meta, f"{base}meta")
    for number, (name, field) in enumerate(
        zip(STATE, meta["state_fields"], strict=True)
    ):
        _one_of(name)(field, f"{base}meta.state_fields[{number}]")
    _table({"vectors": _list_of(_anything)}, closed=False)(top, base)
    for where, vector in called(base, "vectors", top["vectors"]):
        _seq_file_vector(vector, where)
    _named_once(base, "vectors", top["vectors"])
    return Vectors(shown, SEQ_FILE, meta["versions"], (), top["vectors"])


def _read_text(shown: str, top: Any) -> Vectors:
    base = f"{shown}: "
    _table({"headers": _list_of(_HEADER)}, closed=False)(top["meta"], f"{base}meta")
    _groups(
        top["meta"]["headers"],
        f"{base}meta.headers",
        BUILDS,
        all_of_them=False,
        key="builds",
    )
    _table({"rows": _list_of(_anything)}, closed=False)(top, base)
    for where, row in called(base, "rows", top["rows"]):
        _text_row(row, where)
    _named_once(base, "rows", top["rows"])
    return Vectors(shown, TEXT, {}, top["meta"]["headers"], top["rows"])


def _named_once(base: str, key: str, values: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a file that holds nothing, or two vectors of one name."""
    if not values:
        raise InputError(f"{base}{key}", "a list of 0", "a vector at least")
    first: dict[str, int] = {}
    for number, value in enumerate(values):
        before = first.setdefault(value["name"], number)
        if before != number:
            what = f"{_shown(value['name'])} is the name of {key}[{before}]"
            raise InputError(f"{base}{key}[{number}].name", what, "another")


def called(base: str, key: str, values: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield each vector and what errors call it: by its place, and name if it can."""
    for number, value in enumerate(values):
        name = value.get("name") if isinstance(value, dict) else None
        called = f" ({name})" if isinstance(name, str) else ""
        yield f"{base}{key}[{number}]{called}: ", value

"""A snapshot's outside: what it is of, in words, and a digest around it all."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Callable, Mapping
from typing import Any, cast

from slabcore.designs import Design, designs
from slabcore.errors import InputError
from slabcore.machine import Costs, Machine

__all__ = ["FORMAT", "described", "design_of", "machine_of", "opened", "sealed"]

# hashlib is imported by what uses it, as machine.py says of others.

MAGIC = b"SLABCORE"
FORMAT = 1
"""Of what stands in front; each section of a world states its own layout."""
_ORDER = 0x01020304
_HEAD = struct.Struct("=8sII32s")
_LENGTH = struct.Struct("=Q")
_DIGEST_AT = 16
_MOST = 1 << 31  # a figure of a design, or picoseconds a hop


def _digest(data: memoryview) -> bytes:
    import hashlib

    digest = hashlib.sha256(data[:_DIGEST_AT])
    digest.update(data[_HEAD.size :])
    return digest.digest()


def sealed(description: Mapping[str, Any], body: bytes) -> bytes:
    """Return a snapshot: a header, the description as JSON, the world's bytes."""
    text = json.dumps(description, separators=(",", ":")).encode()
    parts = [
        _HEAD.pack(MAGIC, FORMAT, _ORDER, bytes(32)),
        _LENGTH.pack(len(text)),
        text,
        _LENGTH.pack(len(body)),
        body,
    ]
    data = bytearray().join(parts)
    with memoryview(data) as view:
        data[_DIGEST_AT : _HEAD.size] = _digest(view)
    return bytes(data)


def opened(data: Any) -> tuple[dict[str, Any], bytes]:
    """Return the description of a snapshot and the world's bytes.

    Raises: InputError for what is none, was made by another format or on another kind
    of machine, is cut short or was changed.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError("snapshot", f"data is a {type(data).__name__}", "bytes")
    data = bytes(data)
    if len(data) < _HEAD.size or data[:8] != MAGIC:
        what = f"{len(data)} bytes begin with {data[:8]!r}"
        raise InputError("snapshot", what, "what Kernel.snapshot() returned")
    _, version, order, digest = _HEAD.unpack_from(data)
    if order != _ORDER:
        raise InputError("snapshot", "the bytes of numbers stand in another order")
    if version != FORMAT:
        raise InputError("snapshot", f"format {version}", f"format {FORMAT}")
    with memoryview(data) as view:
        if _digest(view) != digest:
            expected = "what Kernel.snapshot() returned, unchanged and whole"
            raise InputError("snapshot", "the digest does not fit", expected)
    text, at = _part(data, _HEAD.size)
    body, at = _part(data, at)
    if at != len(data):
        raise InputError("snapshot", f"{len(data) - at} bytes follow its end")
    try:
        description = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("snapshot", "the description is no JSON") from None
    if not isinstance(description, dict):
        raise InputError("snapshot", "the description is no object of JSON")
    return description, body


def _part(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the bytes with a length before them, and where they end."""
    if len(data) - at < _LENGTH.size:
        raise InputError("snapshot", "it is cut short")
    (length,) = _LENGTH.unpack_from(data, at)
    at += _LENGTH.size
    if len(data) - at < length:
        raise InputError("snapshot", "it is cut short")
    return data[at : at + length], at + length


# --- what it says -------------------------------------------------------------------


def described(design: Design, machine: Machine) -> dict[str, Any]:
    """Return a design and a machine with its costs, ready for JSON."""
    fields = (field.name for field in dataclasses.fields(Design))
    costs = {
        field.name: getattr(machine.costs, field.name)
        for field in dataclasses.fields(Costs)
    }
    return {
        "design": {name: getattr(design, name) for name in fields},
        "machine": machine.to_dict(),
        "costs": costs | {"sources": dict(machine.costs.sources)},
    }


def _table(description: Mapping[str, Any], name: str, kind: type) -> dict[str, Any]:
    """Return a table of the description that has all fields of a class."""
    table = description.get(name)
    known = {field.name for field in dataclasses.fields(cast(Any, kind))} - {"costs"}
    if not isinstance(table, dict) or set(table) != known:
        expected = f"a table with the fields of a {kind.__name__}"
        raise InputError(f"snapshot: {name}", "it is none", expected)
    return table


def _checked(where: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except InputError as error:
        where = f"snapshot: {error.where}"
        raise InputError(where, error.what, error.expected) from None
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"snapshot: {where}", str(error)) from None


def design_of(description: Mapping[str, Any]) -> Design:
    """Return the design of a snapshot: the preset, if it is one. Raises: InputError."""
    table = _table(description, "design", Design)
    for name in ("kernels", "sources", "patches"):
        if not isinstance(table[name], list):
            raise InputError(f"snapshot: design.{name}", "it is no list", "a list")
        table[name] = tuple(table[name])
    texts = [
        *(table[name] for name in ("name", "title", "text")),
        *(text for name in ("kernels", "sources", "patches") for text in table[name]),
    ]
    if not all(isinstance(text, str) for text in texts) or (
        len(table["kernels"]) not in (0, 2)
    ):
        raise InputError("snapshot: design", "what describes it is no text", "text")
    late = table["fqs_late_tick"]
    if not isinstance(late, int) or late > _MOST:
        raise InputError("snapshot: design.fqs_late_tick", f"{late!r}", "a few ticks")
    first = next(iter(designs.values()))
    design: Design = _checked("design", lambda: first.replace(**table))
    return next((known for known in designs.values() if known == design), design)


def machine_of(description: Mapping[str, Any]) -> Machine:
    """Return the machine of a snapshot with its costs. Raises: InputError."""
    costs = dict(_table(description, "costs", Costs))
    table = _table(description, "machine", Machine)
    sources = costs["sources"]
    texts = [costs[name] for name in ("name", "title", "host", "method")]
    if not isinstance(sources, dict) or not all(
        isinstance(text, str) for text in (*texts, *sources.values())
    ):
        raise InputError("snapshot: costs", "what describes them is no text", "text")
    made: Costs = _checked("costs", lambda: Costs(**costs))
    if any(max(point) > _MOST for point in made.list_hop):
        raise InputError("snapshot: costs.list_hop", "a hop takes over 2 ms")
    machine: Machine = _checked("machine", lambda: Machine(**table, costs=made))
    return machine

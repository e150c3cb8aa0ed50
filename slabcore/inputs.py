"""Files that people name, read whole: each has a bound, and is text."""

from __future__ import annotations

import os

from slabcore.errors import InputError

__all__ = ["LIMIT", "read"]

LIMIT = 1 << 28
"""Bytes that a file may have: more than any slabinfo, and than any memory lacks."""

_CHUNK = 1 << 20


def read(
    path: str | os.PathLike[str], expected: str, *, in_lines: bool = False
) -> bytes:
    """Return what is in a file of text.

    expected: what it should have been, for the error. in_lines: refuse one whose first
    line has no end in a MiB, so that a stream without any is not read to the bound.
    Raises: InputError; MemoryError.
    """
    where = os.fspath(path) or "''"
    if "\0" in where:
        raise InputError(repr(where), "there is a NUL in the path", expected)
    chunks: list[bytes] = []
    size = 0
    try:
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                if b"\0" in chunk:
                    at = size + chunk.index(b"\0")
                    raise InputError(where, f"byte {at} is a NUL", expected)
                chunks.append(chunk)
                size += len(chunk)
                if size > LIMIT:
                    what = f"more than {LIMIT >> 20} MiB"
                    raise InputError(where, what, expected)
                if in_lines and size >= _CHUNK and not any(b"\n" in c for c in chunks):
                    what = f"no line ends in its first {size} bytes"
                    raise InputError(where, what, expected)
                in_lines = in_lines and size < _CHUNK
    except OSError as error:
        raise InputError(where, error.strerror or str(error), expected) from None
    return b"".join(chunks)

"""Files of a kernel as Python reads files: io.RawIOBase over what it has open."""

from __future__ import annotations

import io
import operator
import os
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn, Protocol

from slabcore.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["CHUNK", "KernelFile", "Source", "cgroup_path", "failed", "opened"]

# Where a hierarchy is mounted that has the file in each of its directories.
MOUNTS = MappingProxyType(
    {
        "memory.kmem.slabinfo": "/sys/fs/cgroup/memory",
        "cgroup.stat": "/sys/fs/cgroup/unified",
    }
)

CHUNK = 8192
"""Bytes that a read without a size asks for at a time, on every version of Python."""


class Source(Protocol):
    """Read an open file as the system calls do; slabcore.SeqFile is one.

    A failure is an OSError with the errno of the system call.
    """

    def read(self, size: int, /) -> bytes: ...
    def pread(self, size: int, offset: int, /) -> bytes: ...
    def lseek(self, offset: int, whence: int = 0, /) -> int: ...
    def close(self) -> None: ...


class KernelFile(io.RawIOBase):
    """Read a file of a kernel.

    Each call is one system call of the kernel's: read() may return less than it was
    asked for, b"" is the end, and what is created or destroyed between two of them
    tells. io.BufferedReader, io.TextIOWrapper, csv and pandas read it.
    Kernel.open() returns one; a file of your own is KernelFile(SeqFile(...), name).

    >>> import io
    >>> from slabcore import KernelFile, SeqFile
    >>> stock = {"pear": 3, "apple": 7}
    >>> file = SeqFile(stock, show=lambda m, name: m.write(f"{name},{stock[name]}\\n"))
    >>> list(io.TextIOWrapper(KernelFile(file, "stock.csv")))
    ['apple,7\\n', 'pear,3\\n']
    """

    def __init__(self, source: Source, name: str) -> None:
        super().__init__()
        for call in ("read", "pread", "lseek", "close"):
            if not callable(getattr(source, call, None)):
                super().close()  # there is nothing to close when it is collected
                what = f"{type(source).__name__} has no {call}()"
                raise InputError("KernelFile", what, "a SeqFile, or what reads as one")
        self.source = source
        self.name = name
        self.mode = "rb"

    def __repr__(self) -> str:
        closed = ", closed" if self.closed else ""
        return f"<KernelFile {self.name!r}{closed}>"

    def __reduce__(self) -> NoReturn:
        """Refuse: a copy would close what this one reads."""
        raise TypeError(f"{self!r} is neither copied nor pickled; open it once more")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: object, /) -> NoReturn:
        """Refuse: a cache's tunables are not changed through its file."""
        raise io.UnsupportedOperation("write")

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most *size* bytes, those of one read(2); all that are left if -1.

        Raises: OSError with the kernel's errno.
        """
        if size is None or (size := operator.index(size)) < 0:
            return self.readall()
        if self.closed:
            self._refuse()
        return self.source.read(size)

    def readall(self) -> bytes:
        """Return what is left, read in calls for 8192 bytes."""
        chunks = []
        while chunk := self._open.read(CHUNK):
            chunks.append(chunk)
        return b"".join(chunks)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer by one read(2); return how many bytes came."""
        view = memoryview(buffer).cast("B")
        read = self._open.read(len(view))
        view[: len(read)] = read
        return len(read)

    def pread(self, size: int, offset: int) -> bytes:
        """Return at most *size* bytes from *offset* on; the position stays."""
        return self._open.pread(operator.index(size), operator.index(offset))

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a position, or by a distance; a kernel's list has no known end."""
        return self._open.lseek(operator.index(offset), operator.index(whence))

    def close(self) -> None:
        if not self.closed:
            try:
                self.source.close()
            finally:
                super().close()

    @property
    def _open(self) -> Source:
        if self.closed:
            self._refuse()
        return self.source

    def _refuse(self) -> NoReturn:
        raise ValueError(f"{self.name} is closed")


def opened(
    file: Callable[[], KernelFile], mode: str, buffering: int | None
) -> KernelFile | io.BufferedReader | io.TextIOWrapper:
    """Return a file as open() would in this mode; text is UTF-8.

    buffering: bytes that a buffer asks for at a time. None: there is none in mode "rb",
    and one of CHUNK bytes in mode "r".
    Raises: InputError before the file is opened.
    """
    if mode not in ("rb", "r", "rt"):
        raise InputError("open", f"mode is {mode!r}", "rb or r; nothing is written")
    if buffering is not None and buffering < 0:
        raise InputError("open", f"buffering is {buffering}", "a number of bytes")
    if mode == "rb":
        return io.BufferedReader(file(), buffering) if buffering else file()
    if buffering == 0:
        raise InputError("open", "a text has a buffer", "mode rb, or 1 byte or more")
    return io.TextIOWrapper(
        io.BufferedReader(file(), buffering or CHUNK),
        encoding="utf-8",
        errors="surrogateescape",
        newline="\n",
    )


def cgroup_path(directory: str) -> tuple[str, tuple[str, ...]]:
    """Return which cgroup a directory is, and the files that its hierarchy has.

    A path without a mount point is a cgroup's own, with the files of both.
    """
    for name, mount in MOUNTS.items():
        if directory == mount or directory.startswith(f"{mount}/"):
            return directory[len(mount) :] or "/", (name,)
    return directory, tuple(MOUNTS)


def failed(number: int, path: str | None = None, why: str = "") -> OSError:
    """Return the error of a system call, by its errno, and the reason if one helps."""
    text = os.strerror(number)
    return OSError(number, f"{text}: {why}" if why else text, path)

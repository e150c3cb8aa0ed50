"""What a program that reads /proc sees of a kernel while its workload goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from slabcore.kernel import Kernel, ms
from slabcore.slabinfo import parse

__all__ = ["FILES", "Capture", "Wanted"]

SLABINFO = "slabinfo"
# What /proc has of a modelled kernel.
FILES = (SLABINFO, "cgroups", "loadavg")

Wanted = Literal["repeated", "missing"]


class Capture:
    """Read whole files of a kernel, a chunk at a time.

    size: bytes that each read() asks for. pause_ns: virtual time between two of them,
    in which the workload goes on. reader: "cursor" keeps its place.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        size: int = 4096,
        pause_ns: int = 0,
        reader: Literal["kernel", "cursor"] = "kernel",
    ) -> None:
        self.kernel = kernel
        self.size = size
        self.pause_ns = pause_ns
        self.reader = reader
        self.slabinfos = 0
        """Whole slabinfo files read so far."""

    def file(self, name: str) -> bytes:
        """Return one file of /proc, read from its start to its end."""
        chunks = []
        with self.kernel.open(f"/proc/{name}", reader=self.reader) as file:
            while chunk := file.read(self.size):
                chunks.append(chunk)
                self.kernel.advance(self.pause_ns)
        self.slabinfos += name == SLABINFO
        return b"".join(chunks)

    def files(self, names: Sequence[str] = FILES) -> dict[str, bytes]:
        """Return several files of /proc, read one after the other."""
        return {name: self.file(name) for name in names}

    def until(
        self, wanted: Wanted, end_ns: int, *, period_ns: int = ms(100)
    ) -> dict[str, bytes] | None:
        """Read on until a slabinfo has a row that is wanted; None if none came.

        wanted: "repeated", or "missing": of a cache that was there all the time.
        end_ns: no file is begun later. period_ns: from the end of a file to the next.
        """
        while self.kernel.now_ns <= end_ns:
            before = self._roots()
            text = self.file(SLABINFO)
            missing, repeated = parse(text).missing_and_repeated(
                (before & self._roots()).elements()
            )
            if repeated if wanted == "repeated" else missing:
                return {SLABINFO: text, **self.files(FILES[1:])}
            self.kernel.advance(period_ns)
        return None

    def _roots(self) -> Counter[str]:
        """Return the names that have a row of their own, if none is lost."""
        caches = self.kernel.caches()
        return Counter(cache.name for cache in caches if cache.name == cache.root)

"""The text of /proc/slabinfo, format 2.1: read into columns, and printed from them.

A name is printed as it is. It may hold a colon, a bracket or a blank, so a row is read
from its right end.
"""

from __future__ import annotations

import dataclasses
import operator
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from slabcore import inputs
from slabcore._core import (
    SlabInfoText,
    count_lines,
    format_slabinfo,
    scan_slabinfo,
)
from slabcore.errors import InputError

__all__ = [
    "COLUMNS",
    "STATISTICS",
    "SlabInfo",
    "SlabInfoText",
    "header",
    "parse",
    "row",
]

COLUMNS = (
    *("active_objs", "num_objs", "objsize", "objperslab", "pagesperslab"),
    *("limit", "batchcount", "sharedfactor"),
    *("active_slabs", "num_slabs", "sharedavail"),
)
"""The columns of a row behind its name, as the header calls them."""
STATISTICS = (
    *("listallocs", "maxobjs", "grown", "reaped", "error", "maxfreeable"),
    *("nodeallocs", "remotefrees", "alienoverflow"),
    *("allochit", "allocmiss", "freehit", "freemiss"),
)
"""Those that SLAB adds with CONFIG_DEBUG_SLAB, as the header calls them."""
# What the kernel adds of each child to its root's row, as struct slabinfo calls it.
ACCUMULATED = ("active_objs", "num_objs", "active_slabs", "num_slabs", "shared_avail")
# unsigned int, and pagesperslab is an int; the others are unsigned long.
NARROW = (
    *("objsize", "objperslab", "pagesperslab", "limit", "batchcount", "sharedfactor"),
)

# As many digits as 2**64 has: a row of longer ones is none.
NUMBER = r" +(\d{1,20})"
PLAIN = rf"{NUMBER * 5} +: tunables{NUMBER * 3} +: slabdata{NUMBER * 3}"
EXTRA = rf" +: globalstat{NUMBER * 9} +: cpustat{NUMBER * 4}"
ROW = rf"(.*?){PLAIN}\s*"
ROW_WITH_STATISTICS = rf"(.*?){PLAIN}{EXTRA}\s*"
Counts = npt.NDArray[np.uint64]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SlabInfo:
    """The rows of one whole read of /proc/slabinfo, in the file's order."""

    names: tuple[str, ...]
    """A name stands here as often as the file repeats it."""
    table: Counts
    """A row a cache, a column each word of COLUMNS."""
    stats: Counts | None = None
    """A column each word of STATISTICS, of a kernel that is built with them."""
    headed: bool = True
    """False: of a file that is empty, as of a list without caches."""

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        kind = ", statistics" if self.statistics else ""
        return f"<SlabInfo: {len(self)} rows{kind}>"

    def __iter__(self) -> Iterator[str]:
        """Yield the names, in the file's order."""
        return iter(self.names)

    def __getitem__(self, column: str) -> Counts:
        """Return a column by the word that the header has for it."""
        if column in COLUMNS:
            return self.table[:, COLUMNS.index(column)]
        if self.stats is not None and column in STATISTICS:
            return self.stats[:, STATISTICS.index(column)]
        known = COLUMNS if self.stats is None else COLUMNS + STATISTICS
        raise InputError("slabinfo", f"no column {column!r}", ", ".join(known))

    @property
    def statistics(self) -> bool:
        """Tell whether the kernel has SLAB's statistics."""
        return self.stats is not None

    @property
    def version(self) -> str:
        """Return the first line."""
        return header(statistics=self.statistics).split(b"\n")[0].decode()

    def format(self) -> bytes:
        """Return the text as a kernel prints it."""
        return format_slabinfo(
            self.names,
            self.table,
            self.stats,
            header=self.headed,
        )

    def text(self, *, keep: bool = True) -> SlabInfoText:
        """Return the text as what is read in chunks, again and again, and updated.

        keep: keep what has been printed, and copy what has not changed.
        """
        return SlabInfoText(
            self.names, self.table, self.stats, header=self.headed, keep=keep
        )

    def missing_and_repeated(
        self, truth: Iterable[str]
    ) -> tuple[list[str], dict[str, int]]:
        """Hold the rows against the names of the caches that there were.

        Returns: the names of *truth* without a row, and how many rows too many each
        name has, of those that have any.
        """
        if isinstance(truth, str | bytes):
            what = f"{truth!r} is no collection"
            raise InputError("missing_and_repeated", what, "a list or set of names")
        expected = Counter(truth)
        found = Counter(self.names)
        return list((expected - found).elements()), dict(
            found - (expected | Counter(dict.fromkeys(found, 1)))
        )


def parse(source: str | bytes | os.PathLike[str]) -> SlabInfo:
    """Read a slabinfo file of any kernel that prints version 2.1.

    source: the text, or a path: of bytes, and of a str that holds a line's end or
    nothing, it is the text.
    Raises: InputError, with the file, the line, and what was expected there.
    """
    where = described(source)
    if isinstance(source, os.PathLike) or source == where:
        source = inputs.read(source, "a slabinfo file", in_lines=True)
    if isinstance(source, str):
        source = source.encode(errors="surrogateescape")
    return _parsed(where, source)


def described(source: str | bytes | os.PathLike[str]) -> str:
    """Return the path that a source of parse() is, "slabinfo" if it is the text."""
    if isinstance(source, bytes) or (
        isinstance(source, str) and (not source or "\n" in source)
    ):
        return "slabinfo"
    try:
        return os.fspath(source)
    except TypeError:
        what = f"{source!r} is no file"
        raise InputError("slabinfo", what, "its text or its path") from None


def _parsed(where: str, text: bytes) -> SlabInfo:
    if not text:
        return SlabInfo((), np.zeros((0, len(COLUMNS)), np.uint64), headed=False)
    second = (text.find(b"\n") + 1) or len(text)
    begin = (text.find(b"\n", second) + 1) or len(text)
    above = text[:begin].removesuffix(b"\n").split(b"\n")
    statistics = _statistics(where, list(map(_decoded, above)))
    rows = count_lines(text, begin)
    table = np.empty((rows, len(COLUMNS)), np.uint64)
    stats = np.empty((rows, len(STATISTICS)), np.uint64) if statistics else None
    names, end = scan_slabinfo(text, begin, table, stats)
    if end < len(text):
        raise _no_row(f"{where}:{len(names) + 3}", text[end:], statistics)
    return SlabInfo(names, table, stats)


def _statistics(where: str, above: list[str]) -> bool:
    """Tell whether a file has statistics by the lines above its rows."""
    heads = [header(statistics=extra).decode().splitlines() for extra in (False, True)]
    versions = [head[0] for head in heads]
    if above[0] not in versions:
        expected = " or ".join(map(repr, versions))
        raise InputError(f"{where}:1", f"the line is {_quoted(above[0])}", expected)
    statistics = above[0] == versions[True]
    if len(above) < 2 or above[1].split() != heads[statistics][1].split():
        found = _quoted(above[1]) if len(above) > 1 else "missing"
        expected = _quoted(heads[statistics][1])
        raise InputError(f"{where}:2", f"the line is {found}", expected)
    return statistics


def _no_row(where: str, rest: bytes, statistics: bool) -> InputError:
    """Say what is wrong with a line that the core did not take for a row."""
    line = _decoded(rest.split(b"\n", 1)[0])
    # Compiled when a line is read so, which few are: it is a millisecond.
    match = re.fullmatch(ROW_WITH_STATISTICS if statistics else ROW, line, re.ASCII)
    numbers = map(int, match.groups()[1:]) if match else ()
    for column, value in zip(COLUMNS + STATISTICS, numbers, strict=False):
        if value >= _bound(column):
            expected = f"0 to {_bound(column) - 1}"
            return InputError(where, f"{column} is {value}", expected)
    return InputError(
        where,
        f"the line is {_quoted(line)}",
        "a name, 5 numbers, ': tunables' and 3, ': slabdata' and 3"
        + (
            ", ': globalstat' and 9, ': cpustat' and 4"
            if statistics
            else ", as in a file without statistics"
        ),
    )


def _decoded(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="surrogateescape")


def _quoted(line: str) -> str:
    return repr(line if len(line) <= 60 else line[:57] + "...")


def _encoded(name: str | bytes) -> bytes:
    return name if isinstance(name, bytes) else name.encode(errors="surrogateescape")


def _bound(column: str) -> int:
    """Return what the values of a column are below."""
    if column == "pagesperslab":
        return 1 << 31
    return 1 << (32 if column in NARROW else 64)


def header(*, statistics: bool = False) -> bytes:
    """Return the two lines above the rows.

    statistics: of a kernel that is built with SLAB's debugging.
    """
    nothing = np.zeros((0, len(COLUMNS)), np.uint64)
    return format_slabinfo([], nothing, statistics=statistics)


def row(
    name: str | bytes,
    *,
    active_objs: int = 0,
    num_objs: int = 0,
    objsize: int = 0,
    objects_per_slab: int = 0,
    cache_order: int = 0,
    limit: int = 0,
    batchcount: int = 0,
    shared: int = 0,
    active_slabs: int = 0,
    num_slabs: int = 0,
    shared_avail: int = 0,
    children: Iterable[Mapping[str, int]] = (),
    stats: Mapping[str, int] | None = None,
    root_name: str | bytes | None = None,
) -> bytes:
    """Return one cache's row.

    cache_order: of a slab, which is 2**cache_order pages.
    children: counts that are added to the root's, modulo 2**64: active_objs, num_objs,
    active_slabs, num_slabs, shared_avail.
    stats: of a kernel with SLAB's statistics, by the header's words; absent ones are 0.
    root_name: of a child, which is printed under its root's name.
    Raises: InputError.
    """
    where = f"row {name!r}"
    total = _counts(
        where,
        {
            "active_objs": active_objs,
            "num_objs": num_objs,
            "active_slabs": active_slabs,
            "num_slabs": num_slabs,
            "shared_avail": shared_avail,
        },
        ACCUMULATED,
    )
    active_objs, num_objs, active_slabs, num_slabs, shared_avail = total
    narrow = {
        "objsize": objsize,
        "objects_per_slab": objects_per_slab,
        "limit": limit,
        "batchcount": batchcount,
        "shared": shared,
    }
    sizes = _counts(where, narrow, narrow, 1 << 32)
    [order] = _counts(where, {"cache_order": cache_order}, ("cache_order",), 31)
    counts = [_counts(f"{where}: children", child, ACCUMULATED) for child in children]
    extra = None
    if stats is not None:
        extra = np.array([_counts(f"{where}: stats", stats, STATISTICS)], np.uint64)
    shown = _encoded(name if root_name is None else root_name)
    own = (
        *(active_objs, num_objs, *sizes[:2], 1 << order),
        *(*sizes[2:], active_slabs, num_slabs, shared_avail),
    )
    return format_slabinfo(
        [shown],
        np.array([own], np.uint64),
        extra,
        np.array(counts, np.uint64).reshape(len(counts), len(ACCUMULATED)),
        np.array([len(counts)]),
        header=False,
    )


def _counts(
    where: str,
    given: Mapping[str, Any],
    words: Iterable[str],
    bound: int = 1 << 64,
) -> list[int]:
    """Return the counts that are given for words, 0 for one that is not."""
    for word, value in given.items():
        if word not in words:
            raise InputError(where, f"{word!r} is no count", ", ".join(words))
        try:
            number = operator.index(value)
        except TypeError:
            what = f"{word} is {value!r}"
            raise InputError(where, what, "a whole number") from None
        if not 0 <= number < bound:
            # hexadecimal has no limit of digits
            shown = str(number) if abs(number) <= 1 << 64 else hex(number)
            raise InputError(where, f"{word} is {shown}", f"0 to {bound - 1}")
    return [operator.index(given.get(word, 0)) for word in words]

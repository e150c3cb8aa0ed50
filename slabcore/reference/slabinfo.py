"""A cache's row of /proc/slabinfo, format 2.1, as the kernels print it.

mm/slab_common.c: print_slabinfo_header(), memcg_accumulate_slabinfo(), cache_show();
mm/slab.c: slabinfo_show_stats(). Every width is a minimum, and sums are of unsigned
long: modulo 2**64.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from slabcore.errors import InputError

ACCUMULATED = ("active_objs", "num_objs", "active_slabs", "num_slabs", "shared_avail")
GLOBALSTAT = (
    ("listallocs", 7),
    ("maxobjs", 6),
    ("grown", 5),
    ("reaped", 4),
    ("error", 4),
    ("maxfreeable", 4),
    ("nodeallocs", 4),
    ("remotefrees", 4),
    ("alienoverflow", 4),
)
CPUSTAT = (("allochit", 6), ("allocmiss", 6), ("freehit", 6), ("freemiss", 6))


def header(*, statistics: bool = False) -> bytes:
    """Return the two lines above the rows."""
    version = "slabinfo - version: 2.1"
    columns = (
        "# name            <active_objs> <num_objs> <objsize> <objperslab> "
        "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> "
        ": slabdata <active_slabs> <num_slabs> <sharedavail>"
    )
    if statistics:
        version += " (statistics)"
        columns += " : globalstat" + "".join(f" <{name}>" for name, _ in GLOBALSTAT)
        columns += " : cpustat" + "".join(f" <{name}>" for name, _ in CPUSTAT)
    return f"{version}\n{columns}\n".encode()


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
    """Return a cache's row; the words mean what they do in slabcore.slabinfo.row()."""
    where = f"row {name!r}"
    total = {
        "active_objs": active_objs,
        "num_objs": num_objs,
        "active_slabs": active_slabs,
        "num_slabs": num_slabs,
        "shared_avail": shared_avail,
    }
    narrow = {
        "objsize": objsize,
        "objects_per_slab": objects_per_slab,
        "limit": limit,
        "batchcount": batchcount,
        "shared": shared,
    }
    total = _counts(where, total, total)
    narrow = _counts(where, narrow, narrow, 2**32)
    order = _counts(where, {"cache_order": cache_order}, ["cache_order"], 31)
    for child in children:
        for count, more in _counts(f"{where}: children", child, ACCUMULATED).items():
            total[count] = (total[count] + more) % 2**64
    printed = {}
    if stats is not None:
        known = [word for word, _ in GLOBALSTAT + CPUSTAT]
        printed = _counts(f"{where}: stats", stats, known)
    shown = _name(name if root_name is None else root_name)
    text = (
        f" {total['active_objs']:6} {total['num_objs']:6} {narrow['objsize']:6}"
        f" {narrow['objects_per_slab']:4} {2 ** order['cache_order']:4}"
        f" : tunables {narrow['limit']:4} {narrow['batchcount']:4}"
        f" {narrow['shared']:4}"
        f" : slabdata {total['active_slabs']:6} {total['num_slabs']:6}"
        f" {total['shared_avail']:6}"
    )
    if stats is not None:
        for title, columns in (("globalstat", GLOBALSTAT), ("cpustat", CPUSTAT)):
            text += f" : {title}"
            for column, width in columns:
                text += f" {printed[column]:{width}}"
    return shown.ljust(17) + text.encode() + b"\n"


def _counts(
    where: str, given: Mapping[str, Any], known: Iterable[str], bound: int = 2**64
) -> dict[str, int]:
    """Return what is given for each known word, 0 for none; refuse what is no count."""
    counts = dict.fromkeys(known, 0)
    for word, value in given.items():
        if word not in counts:
            raise InputError(where, f"{word!r} is no count", ", ".join(counts))
        try:
            counts[word] = operator.index(value)
        except TypeError:
            raise InputError(where, f"{word} is {value!r}", "a whole number") from None
        if not 0 <= counts[word] < bound:
            # Hexadecimal has no limit of digits.
            big = abs(counts[word]) > 2**64
            shown = hex(counts[word]) if big else str(counts[word])
            raise InputError(where, f"{word} is {shown}", f"0 to {bound - 1}")
    return counts


def _name(name: str | bytes) -> bytes:
    shown = name if isinstance(name, bytes) else name.encode(errors="surrogateescape")
    if b"\n" in shown:
        raise InputError("row", f"the name is {shown!r}", "one line")
    return shown


# --- the text read back ---

COLUMNS = (
    *("active_objs", "num_objs", "objsize", "objperslab", "pagesperslab"),
    *("limit", "batchcount", "sharedfactor"),
    *("active_slabs", "num_slabs", "sharedavail"),
)
NARROW = COLUMNS[2:8]
NUMBER = r" +(\d{1,20})"
PLAIN = rf"{NUMBER * 5} +: tunables{NUMBER * 3} +: slabdata{NUMBER * 3}"
EXTRA = rf" +: globalstat{NUMBER * 9} +: cpustat{NUMBER * 4}"


class Rows(NamedTuple):
    """What a text says: a list of numbers a row, those of statistics at its end."""

    names: list[str]
    numbers: list[list[int]]
    statistics: bool


def parse(text: bytes) -> Rows:
    """Read a text, from the right end of each row: a name may hold anything."""
    if not text:
        return Rows([], [], False)
    lines = text.decode(errors="surrogateescape").removesuffix("\n").split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    heads = [header(statistics=extra).decode().splitlines() for extra in (False, True)]
    versions = [head[0] for head in heads]
    if lines[0] not in versions:
        expected = " or ".join(map(repr, versions))
        raise InputError("slabinfo:1", f"the line is {_quoted(lines[0])}", expected)
    statistics = lines[0] == versions[True]
    if len(lines) < 2 or lines[1].split() != heads[statistics][1].split():
        found = _quoted(lines[1]) if len(lines) > 1 else "missing"
        expected = _quoted(heads[statistics][1])
        raise InputError("slabinfo:2", f"the line is {found}", expected)
    shape = re.compile(rf"(.*?){PLAIN}{EXTRA * statistics}\s*", re.ASCII)
    columns = COLUMNS + tuple(name for name, _ in GLOBALSTAT + CPUSTAT) * statistics
    rows = Rows([], [], statistics)
    for number, line in enumerate(lines[2:], 3):
        where = f"slabinfo:{number}"
        match = shape.fullmatch(line)
        if match is None:
            expected = "a name, 5 numbers, ': tunables' and 3, ': slabdata' and 3" + (
                ", ': globalstat' and 9, ': cpustat' and 4"
                if statistics
                else ", as in a file without statistics"
            )
            raise InputError(where, f"the line is {_quoted(line)}", expected)
        numbers = [int(digits) for digits in match.groups()[1:]]
        for column, value in zip(columns, numbers, strict=True):
            bits = 31 if column == "pagesperslab" else 32 if column in NARROW else 64
            if value >= 1 << bits:
                what = f"{column} is {value}"
                raise InputError(where, what, f"0 to {(1 << bits) - 1}")
        rows.names.append(_field(line, match))
        rows.numbers.append(numbers)
    return rows


def _field(line: str, match: re.Match[str]) -> str:
    """Return the name without what pads it, and with blanks that are its own."""
    digits = match.end(2) - match.start(2)
    field = line[: max(match.end(1), match.end(2) - max(digits, 6) - 1)]
    whole = len(field.encode(errors="surrogateescape")) > 17
    return field if whole else field.rstrip(" ")


def _quoted(line: str) -> str:
    return repr(line if len(line) <= 60 else line[:57] + "...")

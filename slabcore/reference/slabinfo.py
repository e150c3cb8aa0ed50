"""A cache's row of /proc/slabinfo, format 2.1, as the kernels print it.

mm/slab_common.c: print_slabinfo_header(), memcg_accumulate_slabinfo(), cache_show();
mm/slab.c: slabinfo_show_stats(). Every width is a minimum, and sums are of unsigned
long: modulo 2**64.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

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

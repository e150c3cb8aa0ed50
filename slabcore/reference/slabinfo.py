"""A cache's row of /proc/slabinfo, format 2.1, as the kernels print it.

mm/slab_common.c: print_slabinfo_header(), memcg_accumulate_slabinfo(), cache_show();
mm/slab.c: slabinfo_show_stats(). Every width is a minimum, and sums are of unsigned
long: modulo 2**64.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
    total = {
        "active_objs": active_objs,
        "num_objs": num_objs,
        "active_slabs": active_slabs,
        "num_slabs": num_slabs,
        "shared_avail": shared_avail,
    }
    for child in children:
        for count in ACCUMULATED:
            total[count] = (total[count] + child.get(count, 0)) % 2**64
    shown = name if root_name is None else root_name
    if isinstance(shown, str):
        shown = shown.encode(errors="surrogateescape")
    if b"\n" in shown:
        raise InputError("row", f"the name is {shown!r}", "one line")
    text = (
        f" {total['active_objs']:6} {total['num_objs']:6} {objsize:6}"
        f" {objects_per_slab:4} {2**cache_order:4}"
        f" : tunables {limit:4} {batchcount:4} {shared:4}"
        f" : slabdata {total['active_slabs']:6} {total['num_slabs']:6}"
        f" {total['shared_avail']:6}"
    )
    if stats is not None:
        for title, columns in (("globalstat", GLOBALSTAT), ("cpustat", CPUSTAT)):
            text += f" : {title}"
            for column, width in columns:
                text += f" {stats.get(column, 0):{width}}"
    return shown.ljust(17) + text.encode() + b"\n"

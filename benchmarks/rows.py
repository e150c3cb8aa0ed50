"""The rows of the table of speeds: what is timed, beside what, and what is aimed at.

A side is a command that prints one line of JSON with nanoseconds an item. The words
{n}, {trace}, {slabinfo} and {python} in it stand for the size, for files, and for the
interpreter; a word that names a source stands for what is built of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

EXTENSION = ("-shared", "-fPIC", "-I{python}")


class Group(NamedTuple):
    """What a row is about: an operation, of which mechanism, in what scenario."""

    operation: str
    mechanism: str
    scenario: str


class Source(NamedTuple):
    """A program to build: a file beside this one, and what the compiler is told."""

    file: str
    flags: tuple[str, ...] = ("-O3", "-march=native")
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Side:
    """Something that is timed."""

    name: str
    command: tuple[str | Source, ...]
    scale: float = 1
    """Items of the command in one of the row's."""
    sizes: tuple[int, ...] | None = None
    """Where it is run; None: at all the row's."""
    once: bool = False
    """It is long: run it in the first round only."""
    why: str = ""
    """Of a peer: why it is ahead of slabcore, told only where it is."""


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a goal says besides its figure."""

    side: str = ""
    """Whose goal it is, of the row's own sides; "": the product's."""
    why: str = ""
    """Why it is missed, told only while it is."""


@dataclass(frozen=True)
class AtMost(Aim):
    """It may take so many times what the best of others takes."""

    times: float
    others: tuple[str, ...]
    sizes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class AtLeast(Aim):
    """It is to be so many times as fast as another."""

    times: float
    other: str
    sizes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Growth(Aim):
    """An item may cost so many times as much at the larger size."""

    times: float
    small: int
    large: int


@dataclass(frozen=True)
class Within(Aim):
    """An item may cost so many nanoseconds, or bytes."""

    ns: float
    sizes: tuple[int, ...] | None = None
    said: str = ""


Goal = AtMost | AtLeast | Growth | Within


@dataclass(frozen=True)
class Row:
    """One kind of work."""

    title: str
    group: Group
    unit: str
    product: str | None
    """Which side is slabcore's; None: floors and peers only."""
    floors: tuple[Side, ...] = ()
    ours: tuple[Side, ...] = ()
    peers: tuple[Side, ...] = ()
    goals: tuple[Goal, ...] = ()
    gates: tuple[Goal, ...] = ()
    """What `make bench` holds it to, with room for noise, at sizes that are quick."""
    sizes: tuple[int, ...] = (0,)
    limit_s: int = 120
    """A side that takes longer is stopped, and named."""
    note: str = ""
    """What a reader must know to read the figures."""

    @property
    def sides(self) -> tuple[Side, ...]:
        return self.ours + self.floors + self.peers


def floor(name: str, file: str, *arguments: str, **more: float) -> Side:
    """Return a program under floor/ as a side."""
    libraries = ("-lm",) if file == "calendar_queue" else ()
    source = Source(f"floor/{file}.c", libraries=libraries)
    return Side(name, (source, *arguments), **more)


def peer(name: str, *arguments: str | Source, **more: object) -> Side:
    """Return one of peers.py as a side."""
    return Side(name, ("{python}", "peers.py", *arguments), **more)


def ours(name: str, *arguments: str | Source, **more: object) -> Side:
    """Return one of product.py as a side."""
    return Side(name, ("{python}", "product.py", *arguments), **more)


def native(
    name: str, file: str, *arguments: str, flags=(), libraries=(), **more: object
) -> Side:
    """Return a program under peer/ as a side."""
    source = Source(f"peer/{file}.c", ("-O3", "-march=native", *flags), libraries)
    return Side(name, (source, *arguments), **more)


def pointers(name: str, how: str, order: str) -> Side:
    """Return the destruction of caches from malloc; ten million take half a minute."""
    sizes = (10 * K, 100 * K, M)
    return native(name, "pointer_caches", how, "{n}", order, sizes=sizes)


def urcu_defer(name: str, order: str) -> Side:
    """Return liburcu's defer_rcu as a side."""
    libraries = ("-lurcu-memb", "-lurcu-common", "-lpthread")
    return native(name, "urcu_defer", "{n}", order, libraries=libraries)


def urcu(name: str, flavour: str, order: str) -> Side:
    """Return liburcu's call_rcu as a side."""
    return native(
        name,
        "urcu_call_rcu",
        "{n}",
        order,
        flags=(f"-DRCU_{flavour.upper()}",),
        libraries=(f"-lurcu-{flavour}", "-lurcu-common", "-lpthread"),
    )


K, M = 1_000, 1_000_000
METHOD = Source("floor/method.c", ("-O3", *EXTENSION))
PLUS_PLUS = (
    *("-O3", "-march=native", "-DNDEBUG", "-std=c++17", "-fvisibility=hidden"),
    *EXTENSION,
)
PYBIND11 = Source("peer/method_pybind11.cpp", (*PLUS_PLUS, "-I{pybind11}"))
NANOBIND = Source(
    "peer/method_nanobind.cpp",
    (
        *(*PLUS_PLUS, "-DNB_COMPACT_ASSERTIONS", "-fno-strict-aliasing"),
        "-I{nanobind}/include",
        *("-I{nanobind}/ext/robin_map/include", "{nanobind}/src/nb_combined.cpp"),
    ),
)
HOLD = Source("hold.pyx", ("-O2", *EXTENSION))

IMPORT = Row(
    title="import slabcore",
    group=Group("import", "package", "a new interpreter"),
    unit="s",
    product="slabcore",
    ours=(ours("slabcore", "import"),),
    peers=(peer("numpy", "import", "numpy", why="slabcore imports it"),),
    goals=(AtMost(1.3, ("numpy",)),),
    gates=(AtMost(2, ("numpy",)),),
    note="CPU time of the statement in a new interpreter.",
)
NO_CACHE = "it is on one list, and has neither a row nor a state"
MEMORY = Row(
    title="memory of a child cache",
    group=Group("hold", "caches", "a hundred a cgroup"),
    unit="bytes",
    product="slabcore",
    ours=(ours("slabcore", "memory", "{n}"),),
    peers=(
        peer("12-slot object in three llists", "memory", "objects", "100000"),
        peer("three nodes of llist", "memory", "nodes", "100000"),
        peer(
            "entry of a dict, with its int", *("memory", "dict", "100000"), why=NO_CACHE
        ),
    ),
    goals=(
        Within(110, said="110 bytes"),
        AtMost(0.3, ("12-slot object in three llists",)),
    ),
    gates=(Within(115, (200 * K,)),),
    sizes=(100 * K, M),
    note="Resident memory with 100 caches a cgroup, less that of the same cgroups "
    "without caches; no cache has a free callback or work under way.",
)
LISTS_MEMORY = Row(
    title="memory of a cache on its lists alone",
    group=Group("hold", "caches", "the list layer"),
    unit="bytes",
    product="CacheLists",
    ours=(ours("CacheLists", "lists-memory", "{n}"),),
    peers=(
        peer("three nodes of llist", "memory", "nodes", "100000"),
        peer("entry of a dict, with its int", "memory", "dict", "100000"),
    ),
    goals=(Within(161, (10 * M,), said="1.5 GiB for ten million"),),
    gates=(Within(60, (M,)),),
    sizes=(M, 10 * M),
    note="Resident memory, memcgs of ten caches included.",
)
HOT = ("hot records, plain", "hot records, prefetch")
POINTERS = ("list_del of pointers", (100 * K,))
DESTROY = tuple(
    Row(
        title=f"bulk destroy, {order}",
        group=Group("destroy", "caches", f"in bulk, {order}"),
        unit="ns a cache",
        product="CacheLists.destroy_many",
        ours=(ours("CacheLists.destroy_many", "destroy", "{n}", order),),
        floors=(
            floor("hot records, plain", "bulk_destroy", "plain", "{n}", order),
            floor("hot records, prefetch", "bulk_destroy", "prefetch", "{n}", order),
        ),
        peers=(
            pointers("list_del of pointers", "plain", order),
            pointers("the same, prefetch", "prefetch", order),
        ),
        goals=(AtMost(1.15, HOT, (10 * K, 100 * K, M)), *more),
        gates=(AtMost(2, HOT, (10 * K, 100 * K)), AtLeast(1, *POINTERS)),
        sizes=(10 * K, 100 * K, M, 10 * M),
        note="Each cache on three lists, ten caches a memcg.",
    )
    for order, more in (
        (
            "interleaved",
            (
                AtLeast(11, "list_del of pointers", (M,)),
                Growth(3.5, 10 * K, M),
                Growth(3.5, 10 * K, 10 * M),
            ),
        ),
        ("clustered", ()),
    )
)
ONE_MEMCG = Row(
    title="destroy, one memcg a call",
    group=Group("destroy", "caches", "one memcg a call"),
    unit="ns a cache",
    product="CacheLists.destroy",
    ours=(ours("CacheLists.destroy", "destroy-one", "{n}", "interleaved"),),
    floors=(
        floor("chain", "one_memcg_a_call", "chain", "{n}", "interleaved"),
        floor("own array", "one_memcg_a_call", "array", "{n}", "interleaved"),
    ),
    goals=(
        AtMost(1.2, ("own array",), (M,)),
        AtLeast(
            3,
            "chain",
            (M,),
            why="the floor with an array of its own, called from C, is no more than "
            "one and a half times as fast as the chain",
        ),
    ),
    gates=(AtMost(2, ("own array",), (10 * K, 100 * K)),),
    sizes=(10 * K, 100 * K, M),
    note="A call from Python, less the loop around it; the floors are called from C.",
)


NEAR_AT_HAND = (
    "all of it lies in near caches, where asking ahead gains nothing; ours writes or "
    "looks at twice as much"
)


def list_row(what: str, *, title: str, floors: tuple[Side, ...], **more) -> Row:
    """Return a row of bulk work on one list."""
    urcu_list = native(
        "liburcu cds_list",
        "pointer_list",
        what,
        "{n}",
        "shuffled",
        flags=("-DURCU",),
        why=NEAR_AT_HAND,
    )
    named = {"list_head in Python": "list-head"}
    named |= {name: name for name in ("llist", "dict", "OrderedDict")}
    if what == "add":
        named["cllist"] = "cllist"
    python = tuple(
        peer(name, side, what, "{n}", "shuffled") for name, side in named.items()
    )
    if what == "add":
        python += (peer("deque", "deque", "{n}", "shuffled"),)
    plain = ("list of pointers", "pointer_list", what, "{n}", "shuffled")
    pointers = (native(*plain, why=NEAR_AT_HAND),)
    if what == "remove":
        ahead = ("pointer_list", "remove-prefetch", "{n}", "shuffled")
        pointers += (native("list of pointers, prefetch", *ahead, why=NEAR_AT_HAND),)
    return Row(
        title=title,
        group=Group(what, "list", "in bulk"),
        unit="ns a node",
        floors=floors,
        peers=(*pointers, urcu_list, *python),
        sizes=(10 * K, 100 * K, M),
        **more,
    )


NO_FASTER = "the floor itself is no so many times as fast as this one here"
LISTS = (
    list_row(
        "add",
        title="list: bulk add",
        product="IntrusiveList.extend",
        ours=(
            ours("IntrusiveList.extend", "extend", "{n}"),
            ours("extend, a new list", "extend", "{n}", "new"),
        ),
        floors=(
            floor("side array", "side_list", "add", "{n}", "sequential"),
            floor("side array, shuffled", "side_list", "add", "{n}", "shuffled"),
        ),
        goals=(
            AtMost(
                1.2,
                ("side array",),
                (M,),
                why="18 bytes more an entry are written: its value, the handle that is "
                "returned, its generation",
            ),
            AtLeast(80, "llist", (M,), why=NO_FASTER),
        ),
        gates=(AtMost(10, ("side array",), (10 * K,)), AtLeast(4, "llist", (10 * K,))),
        note="extend also keeps a value an entry and returns handles; its entries lie "
        "in order, as those of the first floor do. Its memory has been in use before, "
        "as the floors' has, except in a new list.",
    ),
    list_row(
        "remove",
        title="list: remove in random order",
        product="IntrusiveList.remove_many",
        ours=(ours("IntrusiveList.remove_many", "remove-many", "{n}"),),
        goals=(
            AtMost(
                1.2,
                ("side array, plain", "side array, prefetch"),
                (M,),
                why="a generation is looked at and one index given back an entry: what "
                "makes a stale handle an error; the same floor with both takes 1.4",
            ),
            AtLeast(100, "llist", (M,), why=NO_FASTER),
            AtLeast(70, "dict", (M,), why=NO_FASTER),
            AtLeast(180, "OrderedDict", (M,), why=NO_FASTER),
        ),
        gates=(
            AtMost(5, ("side array, plain", "side array, prefetch"), (10 * K,)),
            AtLeast(4, "llist", (10 * K,)),
        ),
        note="Order and removals shuffled against memory; Python's ints are made in "
        "the order of their use. cllist removes by walking: it has no line here.",
        floors=(
            floor("side array, plain", "side_list", "remove", "{n}", "shuffled"),
            floor(
                "side array, prefetch",
                "side_list",
                "remove-prefetch",
                "{n}",
                "shuffled",
            ),
        ),
    ),
)
NOTHING, ANOTHER = "METH_O that does nothing", "METH_O that makes an int"
OF_ONE = "remove_many of one"
IDLE = "it does nothing, and so waits for no node's memory"
CALL = Row(
    title="one call from Python",
    group=Group("call", "list", "one a node"),
    unit="ns a call",
    product="IntrusiveList.remove",
    ours=(
        ours("IntrusiveList.remove", "remove", "{n}"),
        ours("IntrusiveList.add_tail", "add-tail", "{n}"),
        ours(OF_ONE, "remove-many-of-one", "{n}", sizes=(10 * K,)),
    ),
    goals=(
        AtMost(
            1.35,
            (NOTHING,),
            (10 * K,),
            why="reading the int, two checks and six stores to memory near at hand",
        ),
        AtMost(
            2,
            (NOTHING,),
            (M,),
            why="whether the handle is stale must be known at once: its generation is "
            "a miss that no one could ask for ahead",
        ),
        AtMost(
            1.35,
            (ANOTHER,),
            (10 * K,),
            side="IntrusiveList.add_tail",
            why="its value has a default and a name, which METH_O knows none of",
        ),
        AtMost(
            3,
            (NOTHING,),
            (10 * K,),
            side=OF_ONE,
            why="numpy takes 26 ns to lend an array and 15 more to say of what type it "
            "is, without which floats would pass for handles",
        ),
        AtLeast(1.5, "del of a dict", (10 * K,)),
        AtLeast(10, "del of a dict", (M,)),
    ),
    floors=(
        peer(NOTHING, "method", METHOD, "{n}"),
        peer(ANOTHER, "method", METHOD, "{n}", "another"),
    ),
    gates=(
        AtMost(4, (NOTHING,), (10 * K,)),
        AtMost(20, (NOTHING,), (10 * K,), side=OF_ONE),
        AtLeast(2, "del of a dict", (10 * K,)),
    ),
    note="Less the loop around it; ints made in the order of their use. add_tail fills "
    "a new list.",
    peers=(
        peer("method in Python", "python-method", "{n}", why=IDLE),
        peer("method by pybind11", "method", PYBIND11, "{n}", why=IDLE),
        peer("method by nanobind", "method", NANOBIND, "{n}", why=IDLE),
        peer("del of a dict", "dict-del", "{n}"),
    ),
    sizes=(10 * K, M),
)
IN_THE_CACHE = (
    "objects in order, or few, cost ck_epoch's links no miss, and the floor itself is "
    "no five times as fast here: checking, copying and writing take what they take"
)
ITS_CPU_TIME = (
    "the floor itself is not so many times as fast here; liburcu waits 10 ms between "
    "two looks and works off what came then at once"
)
APART = (
    "a million words that are written in random order lie in no near cache: the floor, "
    "whose addresses are known ahead as well, grows more"
)
BY_MAP = "it queues without a grace period, and the call itself is two thirds of both"
MEMORY_ONCE = (
    "a million records, their words and what names them go through the caches twice: "
    "the floor grows as much"
)
TWO_RINGS = "at a million what is timed is memory: the floor's lies in huge pages"
TWO_CALLS = (
    "a call from Python to queue it and the call of the callable are most of both "
    "sides, and only call_many saves the first"
)
RCU = tuple(
    Row(
        title=f"RCU queue, {order}",
        group=Group("call_rcu", "RCU queue", f"built-in kinds, {order}"),
        unit="ns a callback",
        product="RcuQueue of words",
        ours=(
            ours("RcuQueue of words", "callbacks", "words", "{n}", order),
            ours("RcuQueue of values", "callbacks", "values", "{n}", order),
        ),
        goals=(
            AtMost(2, ("ring of 8-byte records",), why=TWO_RINGS),
            AtLeast(5, "ck_epoch", why=IN_THE_CACHE),
            AtLeast(60, "liburcu memb", why=ITS_CPU_TIME),
            Growth(1.3, K, M, why=APART if order == "shuffled" else MEMORY_ONCE),
        ),
        gates=(
            AtMost(4, ("ring of 8-byte records",), (30 * K,)),
            AtLeast(1.5, "ck_epoch", (30 * K,)),
        ),
        floors=(floor("ring of 8-byte records", "rcu_ring", "{n}", order),),
        peers=(
            urcu("liburcu memb", "memb", order),
            urcu("liburcu qsbr", "qsbr", order),
            urcu_defer("liburcu memb, defer_rcu", order),
            native("ck_epoch", "ck_epoch", "{n}", order, libraries=("-lck",)),
            native(
                "ck_epoch, poll", "ck_epoch", "{n}", order, "64", libraries=("-lck",)
            ),
        ),
        sizes=(K, 30 * K, M),
        note="From enqueue to invoked, a whole grace period between. liburcu and ck "
        "have real readers and pay for atomic operations; slabcore and the floor are "
        "simulated, in one thread. slabcore's callbacks stand on two CPUs and are "
        "checked; values are handed out as an array and nothing is written by them.",
    )
    for order in ("sequential", "shuffled")
)
CALLABLES = Row(
    title="RCU queue, Python callables",
    group=Group("call_rcu", "RCU queue", "Python callables"),
    unit="ns a callback",
    product="RcuQueue.call_many",
    ours=(
        ours("RcuQueue.call_many", "callables", "call_many", "{n}"),
        ours("RcuQueue.call", "callables", "call", "{n}"),
    ),
    goals=(
        AtLeast(2, "deque"),
        AtLeast(2, "deque", side="RcuQueue.call", why=TWO_CALLS),
    ),
    gates=(AtLeast(1.5, "deque", (10 * K,)),),
    peers=(
        peer("deque", "callbacks-deque", "{n}"),
        peer("deque, extend and map", "callbacks-deque-bulk", "{n}", why=BY_MAP),
        peer("SimpleQueue", "callbacks-simple-queue", "{n}"),
    ),
    sizes=(100 * K,),
    note="A callable that does nothing and has no argument, queued and called; by "
    "RcuQueue after a grace period, by a deque at once.",
)
BARRIER = Row(
    title="RCU queue, barrier with nothing queued",
    group=Group("rcu_barrier", "RCU queue", "idle"),
    unit="ns a call",
    product="RcuQueue.barrier",
    ours=(ours("RcuQueue.barrier", "idle-barrier", "{n}"),),
    floors=(peer("METH_NOARGS that does nothing", "noargs", METHOD, "{n}"),),
    peers=(
        native(
            *("liburcu memb", "barrier", "20"),
            libraries=("-lurcu-memb", "-lurcu-common", "-lpthread"),
        ),
        native("ck_epoch", "barrier", "{n}", flags=("-DCK",), libraries=("-lck",)),
    ),
    goals=(
        AtMost(1.3, ("METH_NOARGS that does nothing",)),
        AtLeast(100_000, "liburcu memb"),
    ),
    gates=(AtMost(3, ("METH_NOARGS that does nothing",)),),
    sizes=(10 * K,),
    note="Called from Python, less the loop; the peers are C, and theirs is wall time: "
    "liburcu's worker looks every 10 ms.",
)
ITS_NAMES = (
    "three quarters of a row are its name as a str, made and freed, and the new pages "
    "of names and numbers; the peer keeps no row, and was made quicker by a quarter"
)
KEPT_WORK = (
    "beside the copy a chunk costs one call from Python and the search for its last "
    "row, some 70 ns of 140, and text of 11 MB comes from the L3 cache that others use"
)
MEMCPY = floor("memcpy of the text", "rows", "memcpy", "{n}", "sequential")
FORMAT = Row(
    title="slabinfo: rows to text",
    group=Group("format", "slabinfo", "all rows changed"),
    unit="ns a row",
    product="chunks of 4 KiB",
    ours=(
        ours("chunks of 4 KiB", "chunks", "anew", "{slabinfo}"),
        ours("into one buffer", "chunks", "one-buffer", "{slabinfo}"),
        ours("kept text, all changed", "chunks", "changed", "{slabinfo}"),
        ours("SlabInfo.format", "format", "{slabinfo}"),
    ),
    floors=(MEMCPY,),
    peers=(
        floor("sprintf", "rows", "sprintf", "{n}", "sequential"),
        peer("Python %", "percent", "{slabinfo}"),
        peer("this machine's kernel", "host"),
    ),
    goals=(
        AtMost(1 / 0.28, ("memcpy of the text",)),
        AtMost(1.1, ("into one buffer",)),
        AtLeast(25, "sprintf"),
        AtLeast(65, "Python %"),
        AtLeast(70, "this machine's kernel"),
    ),
    gates=(AtLeast(4, "sprintf", (10 * K,)), AtLeast(16, "Python %", (10 * K,))),
    sizes=(100 * K,),
    note="By the quickest path of this CPU: the share of memcpy is that of AVX-512. "
    "Chunks are read into one buffer, as the floor's; SlabInfo.format returns all in "
    "one new object, whose pages are new as well.",
)
PORTABLE = Row(
    title="slabinfo: rows to text, portable",
    group=Group("format", "slabinfo", "all rows changed, portable path"),
    unit="ns a row",
    product="chunks of 4 KiB",
    ours=(ours("chunks of 4 KiB", "chunks", "portable", "{slabinfo}"),),
    floors=(MEMCPY,),
    goals=(AtMost(10, ("memcpy of the text",)),),
    gates=(AtMost(40, ("memcpy of the text",), (10 * K,)),),
    sizes=(100 * K,),
    note="Without AVX-512, on whatever CPU.",
)
KEPT = Row(
    title="slabinfo: rows that did not change",
    group=Group("format", "slabinfo", "no row changed"),
    unit="ns a row",
    product="chunks of 4 KiB",
    ours=(ours("chunks of 4 KiB", "chunks", "kept", "{slabinfo}"),),
    floors=(
        MEMCPY,
        floor("rows kept as text", "rows", "cached", "{n}", "sequential"),
    ),
    goals=(AtMost(1 / 0.75, ("memcpy of the text",), why=KEPT_WORK),),
    gates=(AtMost(5, ("memcpy of the text",), (10 * K,)),),
    sizes=(100 * K,),
)
QUICKER_SEEK = (
    "huge pages made the seek from the head quicker as well, 0.9 ms for 2.9; a read of "
    "2 us is 38 rows of some 40 ns and 0.4 us around them"
)
RESUME = Row(
    title="the next 4 KiB of /proc/slabinfo, near its end",
    group=Group("read", "seq_file", "4 KiB near the end"),
    unit="ns a read",
    product="with a cursor",
    ours=(
        ours("with a cursor", "last-reads", "cursor", "{n}"),
        ours("4.11's seek from the head", "last-reads", "kernel", "{n}"),
    ),
    goals=(AtLeast(1_000, "4.11's seek from the head", (100 * K,), why=QUICKER_SEEK),),
    gates=(
        AtLeast(8, "4.11's seek from the head", (10 * K,)),
        Growth(1.5, 10 * K, 30 * K),
    ),
    sizes=(10 * K, 30 * K, 100 * K),
    note="A read of a world's file, its rows' text and the world's clock included.",
)
PARSE = Row(
    title="slabinfo: text to columns",
    group=Group("parse", "slabinfo", "rows in order"),
    unit="ns a row",
    product="slabcore",
    ours=(ours("slabcore", "parse", "{slabinfo}"),),
    peers=(
        peer("jc", "jc", "{slabinfo}"),
        peer("split and int", "split-int", "{slabinfo}"),
    ),
    goals=(
        AtLeast(20, "jc"),
        AtLeast(15, "split and int", why=ITS_NAMES),
    ),
    gates=(AtLeast(6, "split and int", (10 * K,)),),
    sizes=(100 * K,),
    note="jc fails at a colon in a name: it gets the rows without.",
)
WALK = Row(
    title="walk of a shuffled list",
    group=Group("walk", "list", "shuffled"),
    unit="ns a node",
    product="IntrusiveList.to_array",
    ours=(
        ours("IntrusiveList.to_array", "to-array", "{n}"),
        ours("to_array, a new array", "to-array", "{n}", "new"),
    ),
    goals=(
        AtMost(
            1.2,
            ("16 anchors", "order in an array"),
            (M,),
            why="a list that changes under its walks keeps no order in an array; and a "
            "value is 8 bytes where the floor's is 4, each written twice: how many "
            "entries lie between two anchors is known when they have been walked",
        ),
        AtLeast(12, "chase", (M,), why="see above"),
        AtLeast(
            25,
            "chase",
            (M,),
            why="that is the pace of the order in an array, see above",
        ),
    ),
    floors=(
        floor("16 anchors", "walk", "anchors", "{n}", "shuffled"),
        floor("order in an array", "walk", "array", "{n}", "shuffled"),
    ),
    peers=(floor("chase", "walk", "chase", "{n}", "shuffled", why=NEAR_AT_HAND),),
    gates=(AtMost(8, ("16 anchors",), (10 * K,)),),
    sizes=(10 * K, 100 * K, M),
    note="Values are 8 bytes in slabcore's list and 4 in the others. The array has "
    "been in use before, as theirs has, except a new one.",
)
EVENTS = Row(
    title="event engine",
    group=Group("hold model", "timers", "exponential delays"),
    unit="ns an event",
    product="slabcore's timers",
    ours=(ours("slabcore's timers", "hold", HOLD, "{n}"),),
    floors=(floor("calendar queue", "calendar_queue", "{n}"),),
    peers=(
        peer("heapq", "heapq", "{n}"),
        peer("SimPy", "simpy", "{n}", sizes=(K, 10 * K)),
        peer("SimPy, processes", "simpy-processes", "{n}", sizes=(K, 10 * K)),
        peer("cimba, processes", "cimba", "{n}", sizes=(K, 10 * K)),
    ),
    goals=(
        AtMost(1.3, ("calendar queue",), (K, 100 * K)),
        AtLeast(15, "heapq"),
        AtLeast(40, "SimPy"),
        AtLeast(
            12,
            "cimba, processes",
            why="a calendar queue in C with nothing around it is no more than ten "
            "times as fast",
        ),
    ),
    gates=(
        AtMost(2, ("calendar queue",), (K, 100 * K)),
        AtLeast(10, "heapq", (K,)),
    ),
    sizes=(K, 10 * K, 100 * K),
    note="Hold model: the earliest is taken and queued again. The core's queue of "
    "timers alone, cimported; SimPy's events are callbacks of timeouts, without its "
    "processes, if nothing else is said; cimba's are compiled and draw their delays.",
)
REPLAY = Row(
    title="replay of lifecycle events",
    group=Group("replay", "caches", "lives of memcgs"),
    unit="ns an event",
    product="CacheLists.replay",
    ours=(ours("CacheLists.replay", "replay", "{n}"),),
    floors=(
        floor("data plane, plain", "lifecycle", "plain", "{n}"),
        floor("data plane, prefetch", "lifecycle", "prefetch", "{n}"),
    ),
    peers=(
        peer("libcachesim, FIFO", "libcachesim", "FIFO", "{n}"),
        peer("libcachesim, Sieve", "libcachesim", "Sieve", "{n}"),
    ),
    goals=(
        AtMost(1 / 0.6, ("data plane, plain", "data plane, prefetch")),
        AtLeast(8, "libcachesim, FIFO"),
        AtLeast(8, "libcachesim, Sieve"),
    ),
    gates=(
        AtMost(3, ("data plane, plain", "data plane, prefetch"), (100,)),
        AtLeast(4, "libcachesim, FIFO", (100,)),
    ),
    sizes=(100, 10 * K, 100 * K),
    note="As many memcgs alive at once. libcachesim reads the allocations among the "
    "events as requests from a file of its own format and counts misses.",
)
SPREAD_OUT = (
    "7 800 instructions a cache at 10 000 for 15 ends of steps, 48 steps of functions "
    "and all counters, spread over all mechanisms (benchmarks/shares.py)"
)
OUT_OF_THE_CACHE = (
    "50 000 cgroups and 100 000 tasks that are all alive take some 150 MB: what is not "
    "known ahead, such as whom a timer wakes, comes from memory"
)
WORLDS = Row(
    title="whole worlds under 4.11",
    group=Group("live and die", "world", "under 4.11"),
    unit="ns a cache",
    product="slabcore",
    ours=(ours("slabcore", "lifecycles", "4.11", "{n}"),),
    floors=(floor("its list work alone", "lifecycle", "plain", "10000", scale=3.2),),
    goals=(
        Within(500, said="2 M caches/s", why=SPREAD_OUT),
        Growth(1.3, 10 * K, 500 * K, why=OUT_OF_THE_CACHE),
    ),
    gates=(AtMost(60, ("its list work alone",), (10 * K,)), Growth(2, 10 * K, 50 * K)),
    sizes=(10 * K, 100 * K, 500 * K),
    note="From mkdir until all is destroyed, ten caches a cgroup, all cgroups alive at "
    "once; every lock, queue and counter on.",
)
LITERAL = Row(
    title="4.10's walks, counted and literal",
    group=Group("live and die", "world", "under 4.10"),
    unit="ns a cache",
    product="counted",
    ours=(
        ours("counted", "lifecycles", "4.10", "{n}"),
        ours("literal", "lifecycles", "4.10", "{n}", "literal", once=True),
    ),
    gates=(AtLeast(2, "literal", (10 * K,)),),
    sizes=(K, 10 * K, 100 * K),
    note="Whole worlds, which differ in nothing but the walks. What literal takes more "
    "is what the hops take; beside destroying a cache by its own list, which takes a "
    "few ns (rows of bulk destruction), that is over 4 000 times as much at 100 000.",
)
STORM = Row(
    title="reclaim-storm, 300 000 caches",
    group=Group("compare", "world", "reclaim-storm"),
    unit="s",
    product="under 4.9",
    ours=(
        ours("under 4.9", "reclaim-storm", "4.9"),
        ours("under 4.11", "reclaim-storm", "4.11"),
    ),
    goals=(Within(2e9, said="2 s"),),
    gates=(Within(4e9),),
)
TRACES = Row(
    title="trace text to events",
    group=Group("scan", "traces", "lines of ftrace"),
    unit="ns a line",
    product="slabcore, scanner",
    ours=(
        ours("slabcore, scanner", "scan", "{trace}"),
        ours("slabcore, whole recording", "read-trace", "{trace}"),
    ),
    floors=(floor("scan by hand", "trace_lines", "{trace}"),),
    peers=(
        peer("re", "re", "{trace}"),
        peer("regex", "regex", "{trace}"),
        peer("str.split", "split", "{trace}"),
    ),
    goals=(Within(200, said="5 M lines/s"), AtLeast(14, "re")),
    gates=(AtLeast(10, "re", (10 * K,)), AtMost(5, ("scan by hand",), (10 * K,))),
    sizes=(100 * K,),
)
SHARED = (
    "two processes, which share no lock, gain as little: the two CPUs share the way "
    "to memory"
)
THREADS = Row(
    title="two worlds of 100 000 caches",
    group=Group("live and die", "world", "two threads"),
    unit="ns a cache",
    product="two threads",
    ours=(
        ours("two threads", "two-worlds", "at-once"),
        ours("in turn", "two-worlds", "in-turn"),
        ours("two processes", "two-worlds", "processes"),
    ),
    goals=(AtLeast(1.8, "in turn", why=SHARED),),
    gates=(),
    note="Elapsed time: it wants two idle CPUs. Two processes share no lock and no "
    "memory of the interpreter.",
)

CALLS = tuple(
    Row(
        title=f"calls from Python: {what}",
        group=Group(what, "world", "one object a call" if times > 2 else "one a call"),
        unit="ns a call",
        product=f"{what}_many",
        ours=(
            ours(f"{what}_many", "many", what, "many", "{n}"),
            ours("a loop of calls", "many", what, "each", "{n}"),
        ),
        gates=(AtLeast(times, "a loop of calls", (10 * K,)),),
        sizes=(10 * K, 50 * K),
        note="Under 4.11, with all that a call sets off before it returns; ten caches.",
    )
    for what, times in (("mkdir", 1.2), ("alloc", 4))
)

ROWS = MappingProxyType(
    {
        "import": IMPORT,
        "memory": MEMORY,
        "lists-memory": LISTS_MEMORY,
        "destroy-interleaved": DESTROY[0],
        "destroy-clustered": DESTROY[1],
        "one-memcg": ONE_MEMCG,
        "calls-mkdir": CALLS[0],
        "calls-alloc": CALLS[1],
        "list-add": LISTS[0],
        "list-remove": LISTS[1],
        "call": CALL,
        "rcu-sequential": RCU[0],
        "rcu-shuffled": RCU[1],
        "rcu-callables": CALLABLES,
        "rcu-barrier": BARRIER,
        "format": FORMAT,
        "format-portable": PORTABLE,
        "format-kept": KEPT,
        "resume": RESUME,
        "parse": PARSE,
        "walk": WALK,
        "events": EVENTS,
        "replay": REPLAY,
        "worlds": WORLDS,
        "literal": LITERAL,
        "reclaim-storm": STORM,
        "traces": TRACES,
        "threads": THREADS,
    }
)

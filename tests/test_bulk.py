"""Calls on many are the calls of one in a loop, to the nanosecond, errors included."""

import signal
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slabcore import Kernel, Machine, ms
from slabcore.errors import (
    BusyError,
    InputError,
    LifecycleError,
    SlabcoreError,
    StaleHandleError,
)
from slabcore.kernel import Cache, Memcg

KINDS = ("object_size", "accounted", "typesafe", "reclaimable", "mergeable")


def seen(kernel):
    """Return all that a kernel shows of itself."""
    counters = kernel.counters
    counters["creation_delays_ns"] = counters["creation_delays_ns"].tolist()
    return {
        "now_ns": kernel.now_ns,
        "counters": counters,
        "snapshot": kernel.state(),
        "caches": kernel.caches(),
        "timeline": kernel.timeline.tolist(),
        "log": kernel.log.tolist(),
        "listdir": kernel.listdir("/"),
    }


def one_by_one(call, rows):
    """Make calls in a loop; return what each gave, and what stopped it."""
    made = []
    for row in rows:
        try:
            made.append(call(*row))
        except SlabcoreError as error:
            return made, (type(error), str(error), len(made))
    return made, None


def at_once(call, *operands, **keywords):
    """Make one call on many; return what it gave, and what stopped it."""
    try:
        return call(*operands, **keywords), None
    except SlabcoreError as error:
        return None, (type(error), str(error), error.done)


# --- what is drawn ---

names = st.sampled_from(["a", "b", "c", "d", "e", "f", "a/b", "", "x y", 7])
sizes = st.sampled_from([8, 64, 192, 700, 5000, 70_000, 7, 1.5])
flags = st.booleans()
kinds = st.tuples(
    sizes, flags, flags, flags, st.sampled_from([None, None, True, False])
)
paths = st.sampled_from(
    [
        "/a",
        "/b",
        "/c",
        "/d",
        "/e",
        "/a/a",
        "/a/b",
        "/a/a/a",
        "/b/b",
        "a",
        "/",
        "/x/y",
        3,
    ]
)
counts = st.sampled_from([1, 1, 1, 2, 3, 40, 0, 1 << 31, 2.0])
which = st.integers(0, 8)  # of the cgroups made so far, or one that was not
steps = st.one_of(
    st.tuples(st.just("create"), st.lists(st.tuples(names, kinds), max_size=4)),
    st.tuples(st.just("mkdir"), st.lists(paths, max_size=5)),
    st.tuples(st.just("rmdir"), st.lists(st.one_of(which, paths), max_size=4)),
    st.tuples(
        st.sampled_from(["alloc", "alloc", "alloc", "pin", "free", "free"]),
        st.lists(
            st.tuples(st.one_of(which, names), st.one_of(which, paths), counts),
            max_size=6,
        ),
    ),
    st.tuples(st.just("advance"), st.sampled_from([0, 1, ms(4), ms(50)])),
    st.tuples(st.just("drain"), st.just(0)),
)
# Caches that cgroups have copies of, with objects.
BEGUN = [
    ("create", [(name, (192, True, name == "b", True, True)) for name in "abc"]),
    ("mkdir", ["/a", "/a/a", "/b"]),
    ("alloc", [(cache, memcg, 2) for memcg in range(3) for cache in "abc"]),
    ("drain", 0),
    ("alloc", [(cache, memcg, 9) for memcg in range(3) for cache in "abc"]),
]
kernels = st.sampled_from(["4.6", "4.9", "4.10", "4.11", "5.4", "5.8", "5.10", "6.12"])


class Pair:
    """A kernel asked call by call, and its twin that is asked for many at once."""

    def __init__(self, engine, design, machine):
        self.one, self.many = (
            Kernel(design, machine=machine, engine=engine, log=True) for _ in range(2)
        )
        self.memcgs = []

    def step(self, step, operands):
        if step == "create":
            self.create(operands)
        elif step == "mkdir":
            self.mkdir(operands)
        elif step == "rmdir":
            self.rmdir(operands)
        elif step in ("advance", "drain"):
            for kernel in (self.one, self.many):
                getattr(kernel, step)(*[operands] * (step == "advance"))
        else:
            self.objects(step, operands)

    def create(self, rows):
        made, stopped = one_by_one(
            lambda name, kind: self.one.create_cache(
                name, **dict(zip(KINDS, kind, strict=True))
            ),
            rows,
        )
        columns = map(list, zip(*[kind for _, kind in rows], strict=True))
        kinds = dict(zip(KINDS, columns, strict=True)) if rows else {"object_size": 8}
        called = [name for name, _ in rows]
        numbers, error = at_once(self.many.create_caches, called, **kinds)
        assert error == stopped
        if error is None:
            assert numbers.tolist() == [cache.number for cache in made]

    def mkdir(self, rows):
        made, stopped = one_by_one(self.one.mkdir, [[path] for path in rows])
        handles, error = at_once(self.many.mkdir_many, rows)
        assert error == stopped
        self.memcgs += made
        if error is None:
            assert handles.tolist() == [memcg.handle for memcg in made]

    def memcg(self, given):
        """Return a cgroup that was made, by whatever names it."""
        if not isinstance(given, int) or isinstance(given, bool):
            return given
        if given < len(self.memcgs):
            made = self.memcgs[given]
            return Memcg(made.path, made.handle)
        return Memcg("/never", 1 << 40)

    def rmdir(self, rows):
        rows = [self.memcg(given) for given in rows]
        _, stopped = one_by_one(self.one.rmdir, [[memcg] for memcg in rows])
        operand = rows
        if rows and all(isinstance(memcg, Memcg) for memcg in rows):
            operand = np.array([memcg.handle for memcg in rows])
        assert at_once(self.many.rmdir_many, operand) == (None, stopped)

    def objects(self, step, rows):
        rows = [
            (Cache("", c) if isinstance(c, int) else c, self.memcg(m), n)
            for c, m, n in rows
        ]
        _, stopped = one_by_one(getattr(self.one, step), rows)
        caches, memcgs, numbers = (
            map(list, zip(*rows, strict=True)) if rows else [()] * 3
        )
        if rows and all(isinstance(cache, Cache) for cache in caches):
            caches = np.array([cache.number for cache in caches], np.int32)
        if rows and all(isinstance(memcg, Memcg) for memcg in memcgs):
            memcgs = np.array([memcg.handle for memcg in memcgs])
        if rows and all(isinstance(number, int) for number in numbers):
            numbers = np.array(numbers)
        call = getattr(self.many, f"{step}_many")
        assert at_once(call, caches, memcgs, numbers) == (None, stopped)


@pytest.mark.parametrize("engine", ["core", "reference"])
@given(
    design=kernels,
    machine=st.builds(
        Machine,
        cpus=st.integers(1, 3),
        max_memcgs=st.sampled_from([65_535, 65_535, 4]),
        allocator=st.sampled_from(["slub", "slub", "slab"]),
        charge_caches=st.booleans(),
    ),
    begun=st.booleans(),
    program=st.lists(steps, max_size=12),
)
def test_a_call_on_many_is_the_loop(engine, design, machine, begun, program):
    pair = Pair(engine, design, machine)
    for step, operands in (BEGUN if begun else []) + program:
        pair.step(step, operands)
        assert seen(pair.many) == seen(pair.one), step
    pair.many.validate()


@pytest.fixture
def kernel(engine):
    return Kernel("4.11", machine=Machine(cpus=2), engine=engine)


def held(kernel):
    """Return each cache's objects, by its name."""
    return {cache.name: cache.objects for cache in kernel.caches() if cache.objects}


def test_operands_broadcast_and_are_gone_through_in_rows(kernel):
    caches = kernel.create_caches(["a", "b"], object_size=[64, 192], accounted=True)
    memcgs = kernel.mkdir_many(["/x", "/y", "/z"])
    kernel.alloc_many(caches, memcgs[:, None], np.array([[1, 2], [3, 4], [5, 6]]))
    kernel.drain()
    assert held(kernel) == {"a": 9, "b": 12}
    assert [cache.name for cache in kernel.caches()[2:]] == [
        f"{root}({number}:{memcg})"
        for number, memcg in enumerate("xyz", 1)
        for root in "ab"
    ]
    with pytest.raises(LifecycleError) as stopped:
        kernel.free_many("a", memcgs, [2, 9, 1])
    assert stopped.value.done == 1
    assert held(kernel) == {"a": 7, "b": 12}


@pytest.mark.parametrize(
    ("caches", "memcgs"),
    [
        (np.array([0, 1]), np.array([1, 2])),
        (["a", "b"], ["/x", "/x/y"]),
        (np.array(["a", "b"]), np.array(["/x", "/x/y"])),
        ((Cache("a", 0), "b"), dict.fromkeys([Memcg("/x", 1), "/x/y"])),
    ],
)
def test_caches_and_cgroups_are_named_in_any_way(kernel, caches, memcgs):
    kernel.create_caches(iter("ab"), object_size=64, accounted=[True, False])
    assert kernel.mkdir_many(["/x", "/x/y"]).tolist() == [1, 2]
    kernel.alloc_many(caches, memcgs, [1, 2])
    assert held(kernel) == {"a": 1, "b": 2}
    assert kernel.listdir("/x") == ["memory.kmem.slabinfo", "y"]


def test_an_error_tells_how_many_are_done(kernel):
    kernel.create_caches(["a"], object_size=64)
    with pytest.raises(InputError) as stopped:
        kernel.create_caches(["b", "c", "a", "d"], object_size=64)
    assert stopped.value.done == 2
    assert stopped.value.__notes__ == ["create_caches: 2 of 4 entries are done"]
    with pytest.raises(InputError, match="there is no cgroup '/y'") as stopped:
        kernel.mkdir_many(["/x", "/x/z", "/y/z", "/w"])
    assert stopped.value.done == 2
    with pytest.raises(BusyError) as stopped:
        kernel.rmdir_many(["/x/z", "/", "/x"])
    assert stopped.value.done == 1
    with pytest.raises(StaleHandleError) as stopped:
        kernel.rmdir_many(np.array([-1]))
    assert stopped.value.done == 0
    assert kernel.listdir("/") == ["memory.kmem.slabinfo", "x"]
    kernel.validate()


def test_an_error_of_one_call_tells_nothing(kernel):
    with pytest.raises(InputError) as stopped:
        kernel.mkdir("web")
    assert stopped.value.done is None


def test_what_is_said_of_caches_is_one_value_or_one_a_name(kernel):
    with pytest.raises(InputError) as stopped:
        kernel.create_caches("abc", object_size=64, accounted=[True, False])
    assert str(stopped.value) == (
        "create_caches: accounted has 2 values; expected 3, or one for all"
    )
    assert kernel.caches() == []


def test_shapes_that_do_not_fit(kernel):
    with pytest.raises(InputError) as stopped:
        kernel.alloc_many(np.arange(3), np.arange(2))
    assert str(stopped.value) == (
        "alloc_many: the shapes are (), (3,), (2,); "
        "expected arrays that broadcast against each other"
    )


@pytest.mark.parametrize("what", ["alloc_many", "pin_many", "free_many"])
def test_none_at_all_is_no_call(kernel, what):
    getattr(kernel, what)([], "/nowhere")
    getattr(kernel, what)(np.zeros((0, 3), int), np.zeros(3, int), 0)
    assert kernel.mkdir_many([]).tolist() == []
    assert kernel.create_caches([], object_size=1).tolist() == []
    kernel.rmdir_many(())
    assert kernel.now_ns == 0


def test_another_kernel_s_handles_are_refused(kernel):
    other = Kernel("4.11", machine=Machine(cpus=2))
    memcg = other.mkdir("/web")
    kernel.create_caches(["a"], object_size=64)
    with pytest.raises(InputError, match="another kernel's") as stopped:
        kernel.alloc_many("a", ["/", memcg])
    assert stopped.value.done == 1
    assert held(kernel) == {"a": 1}


@pytest.mark.parametrize("what", ["alloc_many", "pin_many", "free_many"])
def test_a_number_is_refused_outside_of_an_array(kernel, what):
    kernel.create_caches(["a"], object_size=64)
    call = getattr(kernel, what)
    with pytest.raises(InputError) as stopped:
        call([0], "/")
    assert str(stopped.value) == (
        f"{what}: 0 is no cache; expected Caches, names or an array of numbers"
    )
    with pytest.raises(InputError) as stopped:
        call(np.array([0]), np.int64(0))
    expected = "is no cgroup; expected Memcgs, paths or an array of handles"
    assert str(stopped.value).endswith(expected)
    with pytest.raises(InputError) as stopped:
        kernel.rmdir_many([1])
    assert str(stopped.value) == f"rmdir_many: 1 {expected}"


def test_ids_run_out_half_way(engine):
    kernel = Kernel("4.11", machine=Machine(max_memcgs=4), engine=engine)
    paths = [f"/{i}" for i in range(9)]
    with pytest.raises(LifecycleError, match="all 4 memory cgroup ids") as stopped:
        kernel.mkdir_many(paths)
    assert stopped.value.done == 3
    kernel.rmdir_many(paths[:3])
    assert kernel.listdir("/") == ["memory.kmem.slabinfo"]


# --- the core alone ---


@pytest.fixture
def busy():
    """Return a kernel with a cache and a cgroup, and many entries."""
    kernel = Kernel("4.11", machine=Machine(cpus=2))
    kernel.create_caches(["a"], object_size=192, accounted=True)
    kernel.mkdir_many(["/web"])
    kernel.alloc("a", "/web")
    kernel.drain()
    return kernel


def interrupt(call):
    """Interrupt a call in the engine, until it is met there; return what it raises."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        while True:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            try:
                while True:
                    call()
            except KeyboardInterrupt as stopped:
                if "done" in vars(stopped):
                    return stopped
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_interrupt_ends_with_an_object(busy):
    stopped = interrupt(lambda: busy.alloc_many("a", ["/web"] * 3, 2**31 - 1))
    assert stopped.done == 0
    busy.validate()
    had = sum(held(busy).values())
    assert 1 < had < 2**31 - 1
    busy.free("a", "/web", had)


def test_an_interrupt_ends_with_an_entry(busy):
    entries = np.full(200_000, 1)

    def allocate_and_free():
        busy.alloc_many("a", "/web", entries)
        busy.free_many("a", "/web", entries)

    stopped = interrupt(allocate_and_free)
    assert 0 < stopped.done < len(entries)
    assert stopped.__notes__[0].endswith(f": {stopped.done} of 200000 entries are done")
    had = sum(held(busy).values()) - 1
    assert 0 in ((had - stopped.done) % 200_000, (had + stopped.done) % 200_000)
    busy.validate()


def test_other_threads_run_meanwhile_and_are_refused(busy):
    refusals = []

    def meddle():
        while not refusals:
            try:
                busy.validate()
            except LifecycleError as error:
                refusals.append(str(error))

    meddler = threading.Thread(target=meddle)
    meddler.start()
    entries = np.full(1_000_000, 1)
    while meddler.is_alive():
        busy.alloc_many("a", "/web", entries)
    assert refusals == ["the kernel runs; one thread at a time may use it"]

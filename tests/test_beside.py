"""Calls that run beside one another, and what may be waited for."""

import itertools

import pytest

from slabcore import (
    BusyError,
    InputError,
    Kernel,
    LifecycleError,
    Machine,
    StaleHandleError,
    ms,
    seconds,
    us,
)


def boot(engine, design="4.9", **machine):
    kernel = Kernel(design, engine=engine, machine=Machine(**machine))
    kernel.create_cache("dentry", object_size=192, accounted=True, reclaimable=True)
    return kernel


def ends(kernel):
    """Run until all is at rest; return what finished, by number."""
    finished = []
    while kernel.advance_to_finished():
        finished += kernel.finished()
    return {one.number: one for one in finished}


def test_a_call_alone_takes_what_it_takes_by_itself(engine):
    beside, alone = boot(engine), boot(engine)
    memcg = alone.mkdir("/web")
    alone.alloc("dentry", memcg, 3)
    alone.rmdir(memcg)
    for call in (("mkdir", "/web"), ("alloc", "dentry", "/web", 3), ("rmdir", "/web")):
        beside.begin(*call)
        assert beside.advance_to_finished()
        (finished,) = beside.finished()
        assert finished.at_ns == beside.now_ns
    assert beside.now_ns == alone.now_ns
    assert beside.counters["time_ns"] == alone.counters["time_ns"]
    assert beside.state() == alone.state()


def test_calls_run_beside_one_another(engine):
    kernel = boot(engine, cpus=4)
    paths = [f"/web{n}" for n in range(4)]
    numbers = [kernel.begin("mkdir", path) for path in paths]
    assert kernel.finished() == []
    finished = ends(kernel)
    assert sorted(finished) == numbers
    assert [finished[n].result().path for n in numbers] == paths
    # One at a time holds cgroup_mutex, and the others wait for it meanwhile.
    assert kernel.counters["locks"]["cgroup_mutex"]["longest_queue"] == 3
    lapses = [b - a for a, b in itertools.pairwise(f.at_ns for f in finished.values())]
    assert min(lapses) > 0


def test_a_path_is_taken_while_its_cgroup_is_being_made(engine):
    kernel = boot(engine)
    kernel.begin("mkdir", "/web")
    with pytest.raises(InputError, match="'/web' is being made"):
        kernel.mkdir("/web")
    with pytest.raises(InputError, match="there is no cgroup '/web'"):
        kernel.begin("mkdir", "/web/inside")
    assert kernel.advance_to_finished()
    assert "web" in kernel.listdir("/")
    assert kernel.mkdir("/web/inside").path == "/web/inside"
    with pytest.raises(InputError, match="'/web' exists"):
        kernel.begin("mkdir", "/web")


def test_of_two_who_remove_a_cgroup_one_comes_too_late(engine):
    kernel = boot(engine)
    web = kernel.mkdir("/web")
    numbers = [kernel.begin("rmdir", web), kernel.begin("rmdir", web)]
    finished = ends(kernel)
    errors = [finished[number].error for number in numbers]
    assert sum(error is None for error in errors) == 1
    late = next(error for error in errors if error is not None)
    text = "rmdir('/web'): the cgroup was removed before the call was done"
    assert str(late) == text
    assert kernel.mkdir("/web").handle != web.handle


def test_a_cgroup_is_busy_while_somebody_allocates_for_it(engine):
    kernel = boot(engine, cpus=2)
    web = kernel.mkdir("/web")
    alloc = kernel.begin("alloc", "dentry", web, 10_000)
    busy = kernel.begin("rmdir", web)
    assert kernel.advance_to_finished()
    (first,) = kernel.finished()
    assert first.number == busy
    with pytest.raises(BusyError, match="children or tasks"):
        first.result()
    assert ends(kernel)[alloc].error is None
    kernel.begin("free", "dentry", web, 10_000)
    (freed,) = ends(kernel).values()
    assert freed.error is None
    kernel.rmdir(web)


def test_who_frees_too_many_learns_it_at_the_end(engine):
    kernel = boot(engine)
    kernel.begin("free", "dentry", kernel.mkdir("/web"), 7)
    (finished,) = ends(kernel).values()
    with pytest.raises(LifecycleError) as refusal:
        finished.result()
    assert str(refusal.value) == (
        "free('dentry', '/web', 7): fewer objects can be freed than were asked for: 0"
    )


def test_ids_run_out_for_whoever_comes_last(engine):
    kernel = boot(engine, max_memcgs=3)
    for n in range(3):
        kernel.begin("mkdir", f"/web{n}")
    errors = [finished.error for finished in ends(kernel).values()]
    assert [error is None for error in errors] == [True, True, False]
    assert "all 3 memory cgroup ids are in use" in str(errors[-1])


def test_a_held_mutex_keeps_others_waiting_until_it_is_let_go(engine):
    kernel = boot(engine)
    web = kernel.mkdir("/web")
    number = kernel.hold("cgroup_mutex")
    assert [done.value for done in ends(kernel).values()] == [True]
    assert kernel.line("cgroup_mutex") == (True, 0)
    kernel.begin("rmdir", web)
    assert not kernel.advance_to_finished()
    assert kernel.at_rest
    assert kernel.line("cgroup_mutex") == (True, 1)
    kernel.advance(seconds(3))
    kernel.let_go(number)
    (removed,) = ends(kernel).values()
    assert removed.at_ns > seconds(3)
    assert kernel.counters["locks"]["cgroup_mutex"]["longest_wait_ns"] >= seconds(3)
    kernel.validate()
    with pytest.raises(StaleHandleError):
        kernel.let_go(number)


def test_a_line_moves_as_time_passes(engine):
    kernel = boot(engine)
    owner = kernel.hold("slab_mutex")
    assert kernel.line("slab_mutex") == (False, 0)
    kernel.hold("slab_mutex")
    kernel.advance(us(100))
    assert kernel.line("slab_mutex") == (True, 1)
    kernel.let_go(owner)
    assert kernel.line("slab_mutex") == (True, 1)
    kernel.advance(us(100))
    assert kernel.line("slab_mutex") == (True, 0)
    with pytest.raises(StaleHandleError, match="no mutex is held under this number"):
        kernel.let_go(owner)


def test_a_place_in_line_is_given_up(engine):
    kernel = boot(engine)
    first, second = kernel.hold("slab_mutex"), kernel.hold("slab_mutex")
    (owned,) = ends(kernel)
    waits = ({first, second} - {owned}).pop()
    kernel.let_go(waits)
    assert kernel.line("slab_mutex") == (True, 1)
    kernel.let_go(owned)
    finished = ends(kernel)
    assert finished[waits].value is False
    assert kernel.line("slab_mutex") == (False, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda kernel: kernel.mkdir("/b"),
        lambda kernel: kernel.mkdir_many(["/b", "/c"]),
        lambda kernel: kernel.alloc("dentry", "/"),
        lambda kernel: kernel.open("/proc/slabinfo").read(),
        lambda kernel: kernel.drop_caches(),
    ],
    ids=["mkdir", "mkdir_many", "alloc", "read", "drop_caches"],
)
def test_calls_that_might_wait_for_a_held_mutex_are_refused(engine, call):
    kernel = boot(engine)
    number = kernel.hold("cgroup_mutex")
    kernel.advance(ms(1))
    with pytest.raises(LifecycleError, match=r"a mutex is held.*begin\(\)"):
        call(kernel)
    kernel.let_go(number)
    kernel.drain()
    call(kernel)


def test_what_would_never_end_is_told(engine):
    kernel = boot(engine)
    kernel.hold("cgroup_mutex")
    kernel.drain()
    kernel.begin("mkdir", "/web")
    for run in (kernel.drain, kernel.run):
        with pytest.raises(LifecycleError, match=r"expected let_go\(\) of it"):
            run()


@pytest.mark.parametrize("design", ["4.6", "4.9", "4.11", "5.3"])
def test_a_watch_tells_when_a_cache_is_there_and_changes_nothing(engine, design):
    watched, alone = boot(engine, design), boot(engine, design)
    for kernel in (watched, alone):
        kernel.mkdir("/web")
        kernel.alloc("dentry", "/web")
    number = watched.watch("cache", "/web", "dentry")
    assert watched.advance_to_finished()
    (finished,) = watched.finished()
    assert finished.number == number
    assert finished.value is True
    missed = watched.counters["creation_delays_ns"]
    assert len(missed) == 1
    assert [cache.cgroup for cache in watched.caches()] == ["/", "/web"]
    for kernel in (watched, alone):
        kernel.drain()
    assert watched.counters["time_ns"] == alone.counters["time_ns"]
    assert watched.now_ns == alone.now_ns
    # It is there: now it is told at once, and no time passes.
    watched.watch("cache", "/web", "dentry")
    assert watched.advance_to_finished()
    assert watched.now_ns == alone.now_ns


def test_where_cgroups_have_no_caches_of_their_own_none_is_waited_for(engine):
    kernel = boot(engine, "5.9")
    web = kernel.mkdir("/web")
    kernel.watch("cache", web, "dentry")
    kernel.watch("cache", "/", "dentry")
    assert [finished.value for finished in kernel.finished()] == [True, True]


def test_a_cgroup_that_goes_first_never_gets_its_cache(engine):
    kernel = boot(engine)
    web = kernel.mkdir("/web")
    cache = kernel.watch("cache", web, "dentry")
    offline, freed = kernel.watch("offline", web), kernel.watch("freed", web)
    kernel.begin("rmdir", web)
    finished = ends(kernel)
    assert finished[cache].value is False
    assert finished[offline].value is finished[freed].value is True
    assert finished[cache].at_ns == finished[offline].at_ns < finished[freed].at_ns
    assert kernel.counters["offlined_at_ns"] == finished[offline].at_ns
    assert kernel.counters["freed_at_ns"] == finished[freed].at_ns
    # What is past is told at once; of a path that is none's, nothing is known.
    kernel.watch("freed", web)
    kernel.watch("offline", web)
    assert [one.value for one in kernel.finished()] == [True, True]
    with pytest.raises(StaleHandleError):
        kernel.watch("freed", "/web")


def test_a_root_that_is_destroyed_serves_no_cgroup(engine):
    kernel = boot(engine)
    number = kernel.watch("cache", kernel.mkdir("/web"), "dentry")
    kernel.destroy_cache("dentry")
    (finished,) = kernel.finished()
    assert (finished.number, finished.value) == (number, False)


def test_the_end_of_a_program_is_told(engine):
    kernel = boot(engine)
    sleep = kernel.program([(7, ms(5), 0, 0, 0)])
    numbers = [kernel.spawn(sleep), kernel.spawn(sleep, repeat=3)]
    kernel.run()
    finished = kernel.finished()
    assert [one.number for one in finished] == numbers
    assert {one.call for one in finished} == {"spawn"}
    assert finished[1].at_ns >= ms(15)


def test_time_stops_where_something_finishes(engine):
    kernel = boot(engine)
    kernel.begin("mkdir", "/a")
    assert not kernel.advance_to_finished(1000)
    assert kernel.now_ns == 1000
    assert kernel.advance_to_finished(ms(10))
    at = kernel.now_ns
    assert at < ms(10)
    # Nobody has asked yet what it was.
    assert kernel.advance_to_finished(ms(10))
    assert kernel.now_ns == at
    assert [one.at_ns for one in kernel.finished()] == [at]
    with pytest.raises(InputError, match="is past"):
        kernel.advance_to_finished(0)


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda k: k.begin("rename", "/web"), "'rename' with 1 operands is no call"),
        (lambda k: k.begin("mkdir"), "'mkdir' with 0 operands is no call"),
        (lambda k: k.begin("hold", 0), "'hold' with 1 operands is no call"),
        (lambda k: k.begin("alloc", "dentry", "/", 0), "count is 0"),
        (lambda k: k.begin("hotplug", "rain"), "'rain' is not known"),
        (lambda k: k.hold("rtnl_mutex"), "'rtnl_mutex' is not known"),
        (lambda k: k.line("rtnl_mutex"), "'rtnl_mutex' is not known"),
        (lambda k: k.watch("cache", "/"), "'cache' cannot be watched so"),
        (lambda k: k.watch("freed", "/", "dentry"), "'freed' cannot be watched so"),
        (lambda k: k.let_go(1.5), "number is 1.5"),
    ],
    ids=range(10),
)
def test_bad_input_is_one_line(engine, call, what):
    kernel = boot(engine)
    with pytest.raises(InputError, match=what) as error:
        call(kernel)
    assert "\n" not in str(error.value)
    assert kernel.at_rest


def test_the_root_cgroup_is_not_removed(engine):
    with pytest.raises(BusyError, match="the root cgroup is busy"):
        boot(engine).begin("rmdir", "/")

"""A kernel inside SimPy: its clock is the environment's, its calls are events."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slabcore import BusyError, InputError, Kernel, LifecycleError, Machine, ms, us

simpy = pytest.importorskip("simpy")

from slabcore.simpy import UNITS, Bridge, Call, Request  # noqa: E402


def boot(design="4.9", engine="core", **machine):
    kernel = Kernel(design, engine=engine, machine=Machine(**machine))
    kernel.create_cache("dentry", object_size=192, accounted=True, reclaimable=True)
    return kernel


def bridge(design="4.9", *, unit="ms", engine="core", env=None, **machine):
    return Bridge(
        env or simpy.Environment(), boot(design, engine, **machine), unit=unit
    )


# --- calls ---


def test_a_process_lives_through_a_cgroup(engine):
    node = bridge(unit="ns", engine=engine)
    env, seen = node.env, []

    def life():
        for call in (
            lambda: node.mkdir("/web"),
            lambda: node.join("/web"),
            lambda: node.alloc("dentry", "/web", 3),
            lambda: node.cache("dentry", "/web"),
            lambda: node.free("dentry", "/web", 3),
            lambda: node.rmdir("/web"),
        ):
            yield call()
            node.sync()
            assert node.kernel.now_ns == env.now
            seen.append(env.now)

    web = env.process(life())
    env.run(web)
    assert seen == sorted(set(seen))
    assert seen[-1] == node.kernel.now_ns
    assert node.kernel.counters["cgroups"]["dying"] == 1


def test_an_event_happens_when_the_kernel_is_done_and_not_before():
    kernel, node = boot(), bridge(unit="ns")
    kernel.begin("mkdir", "/web")
    kernel.advance_to_finished()
    (alone,) = kernel.finished()
    call = node.mkdir("/web")
    assert repr(call).startswith("<Call(mkdir /web) object at")
    node.env.run(until=alone.at_ns)
    assert not call.triggered
    memcg = node.env.run(call)
    assert (node.env.now, memcg.path) == (alone.at_ns, "/web")


def test_the_environment_goes_on_while_a_call_waits():
    """The removal of an empty cgroup takes a grace period; a clock ticks meanwhile."""
    node = bridge(unit="ms")
    env, ticks = node.env, []

    def clock():
        while True:
            ticks.append(env.now)
            yield env.timeout(1)

    def remove():
        web = yield node.mkdir("/web")
        yield node.rmdir(web)
        yield node.freed(web)

    env.process(clock())
    env.run(env.process(remove()))
    assert len(ticks) > 10
    assert ticks == list(range(len(ticks)))
    assert env.now == pytest.approx(node.kernel.counters["freed_at_ns"] / 1e6)


def test_an_error_is_raised_where_the_event_is_waited_for():
    node = bridge()

    def remove():
        web = yield node.mkdir("/web")
        yield node.mkdir("/web/inside")
        with pytest.raises(BusyError, match="children or tasks"):
            yield node.rmdir(web)
        return "went on"

    assert node.env.run(node.env.process(remove())) == "went on"


def test_an_error_for_which_nobody_waits_stops_the_simulation():
    node = bridge()
    node.kernel.mkdir("/web")
    node = Bridge(node.env, node.kernel, unit="ms")
    node.alloc("dentry", "/web", 10_000)
    node.rmdir("/web")
    with pytest.raises(BusyError):
        node.env.run()


def test_bad_operands_are_refused_at_once():
    node = bridge()
    with pytest.raises(InputError, match="'web' is no path"):
        node.mkdir("web")
    with pytest.raises(LifecycleError, match="'inode' is no cache"):
        node.alloc("inode", "/")
    node.env.run()
    assert node.env.now == 0


def test_a_timeout_may_be_first():
    node = bridge()
    env = node.env
    web = node.mkdir("/web")

    def impatient():
        yield web
        gone = node.offline("/web")
        late = yield gone | env.timeout(5)
        assert gone not in late
        yield node.rmdir("/web")
        assert (yield gone | env.timeout(5000)).todict() == {gone: True}

    env.run(env.process(impatient()))


def test_who_is_interrupted_leaves_the_kernel_its_call():
    node = bridge()
    env = node.env

    def maker():
        try:
            yield node.mkdir("/web")
        except simpy.Interrupt:
            return "interrupted"

    process = env.process(maker())

    def nuisance():
        yield env.timeout(us(1) / 1e6)
        process.interrupt()

    env.process(nuisance())
    assert env.run(process) == "interrupted"
    env.run(until=10)
    node.sync()
    assert "web" in node.kernel.listdir("/")


# --- time ---


@pytest.mark.parametrize("unit", [*UNITS, 250_000_000, 0.5])
def test_the_unit_is_the_environments(unit):
    node = bridge(unit=unit)
    length = UNITS.get(unit, unit)

    def remove():
        web = yield node.mkdir("/web")
        yield node.rmdir(web)
        yield node.freed(web)
        yield node.at(ms(2000))
        assert node.env.now * length == pytest.approx(ms(2000))

    node.env.run(node.env.process(remove()))
    assert node.now_ns == ms(2000)


@pytest.mark.parametrize("unit", ["h", 0, -1, math.nan, math.inf, None, True, [1]])
def test_a_unit_that_is_none_is_refused(unit):
    with pytest.raises(InputError) as refused:
        bridge(unit=unit)
    assert str(refused.value) == (
        f'Bridge: unit is {unit!r}; expected "ns", "us", "ms", "s" or a number of '
        "nanoseconds above 0"
    )


def test_what_is_bridged_is_an_environment_and_a_kernel():
    env, kernel = simpy.Environment(), boot()
    with pytest.raises(InputError, match=r"env is .*; expected a simpy"):
        Bridge(kernel, env)
    with pytest.raises(InputError, match="kernel is None; expected a Kernel"):
        Bridge(env, None)


def test_the_kernel_may_have_a_past_and_the_environment_another():
    env = simpy.Environment(initial_time=1000)
    kernel = boot()
    kernel.mkdir("/web")
    kernel.advance(ms(7))
    began = kernel.now_ns
    node = Bridge(env, kernel, unit="ms")
    env.run(node.rmdir("/web"))
    assert 1000 < env.now < 1001
    assert kernel.now_ns - began == pytest.approx((env.now - 1000) * 1e6, abs=2)


def test_nothing_waits_nothing_is_asked():
    node = bridge(unit="s")
    node.env.run(until=3600)
    assert node.kernel.now_ns == 0
    node.sync()
    assert node.kernel.now_ns == 3600 * 10**9


def test_a_simulation_ends_when_nothing_can_happen():
    node = bridge(unit="s")
    env = node.env

    def waits_for_ever():
        yield node.cache("dentry", (yield node.mkdir("/web")))

    process = env.process(waits_for_ever())
    env.run()
    assert process.is_alive
    assert env.now < 1


def test_a_kernel_that_is_moved_by_another_is_told_of():
    node = bridge()
    node.kernel.mkdir("/web")
    with pytest.raises(LifecycleError, match="expected all calls to be the bridge's"):
        node.rmdir("/web")
    with pytest.raises(LifecycleError, match="a new Bridge goes on from here"):
        node.sync()


def test_a_new_bridge_goes_on_with_a_kernel_that_was_moved():
    node = bridge(unit="ns")
    env, kernel = node.env, node.kernel
    web = env.run(node.mkdir("/web"))
    waits = node.freed(web)
    kernel.advance(ms(5))
    with pytest.raises(LifecycleError, match="a new Bridge goes on from here"):
        env.run()
    again, came = Bridge(env, kernel, unit="ns"), env.now
    moved = kernel.now_ns - came
    env.run(again.rmdir(web))
    assert env.run(again.freed(web)) is True
    assert kernel.now_ns == env.now + moved
    assert not waits.triggered


def test_far_from_the_start_floats_are_good_enough():
    env = simpy.Environment(initial_time=1e6)
    node = bridge(unit="s", env=env)

    def life():
        for n in range(50):
            web = yield node.mkdir(f"/web{n}")
            yield node.rmdir(web)
            yield node.freed(web)
            yield env.timeout(0.1234567891)

    env.run(env.process(life()))
    assert node.kernel.counters["cgroups"]["live"] == 0


def test_real_time_needs_nothing_more():
    env = simpy.rt.RealtimeEnvironment(factor=1e-6, strict=False)
    node = bridge(unit="ms", env=env)
    env.run(node.rmdir(env.run(node.mkdir("/web"))))
    assert 0 < env.now < 1


def test_step_by_step_is_the_same():
    whole, stepped = bridge(), bridge()
    ends = []
    for node in (whole, stepped):

        def life(node=node):
            web = yield node.mkdir("/web")
            yield node.alloc("dentry", web)
            yield node.cache("dentry", web)
            yield node.free("dentry", web)
            yield node.rmdir(web)
            yield node.freed(web)
            ends.append(node.env.now)

        process = node.env.process(life())
        if node is whole:
            node.env.run()
        else:
            while process.is_alive:
                node.env.step()
    assert ends[0] == ends[1]


# --- several ---


def churn(node, name, count, seen):
    """Make, use and remove cgroups, a process each."""
    env = node.env

    def life(n):
        yield env.timeout(0.3 * n)
        web = yield node.mkdir(f"/{name}{n}")
        yield node.alloc("dentry", web)
        yield node.cache("dentry", web)
        yield node.free("dentry", web)
        yield node.rmdir(web)
        yield node.freed(web)
        seen.append((name, n, node.now_ns))

    return [env.process(life(n)) for n in range(count)]


def test_two_kernels_in_one_environment_are_as_each_alone():
    together, env = {"4.9": [], "4.11": []}, simpy.Environment()
    for design, seen in together.items():
        churn(bridge(design, env=env), "web", 12, seen)
    env.run()
    for design, seen in together.items():
        alone = []
        node = bridge(design)
        churn(node, "web", 12, alone)
        node.env.run()
        assert alone == seen
        assert len(seen) == 12


def test_the_core_and_the_reference_are_one():
    histories = []
    for engine in ("core", "reference"):
        node, seen = bridge(engine=engine, cpus=2), []
        churn(node, "web", 6, seen)
        node.env.run()
        histories.append((seen, node.kernel.counters["time_ns"]))
    assert histories[0] == histories[1]


def test_all_of_many_calls():
    node = bridge("4.11", cpus=4)
    env = node.env
    made = [node.mkdir(f"/web{n}") for n in range(100)]
    values = env.run(env.all_of(made))
    assert [memcg.path for memcg in values.values()] == [f"/web{n}" for n in range(100)]
    assert node.kernel.counters["cgroups"]["live"] == 100


LIFE = st.tuples(
    st.integers(0, 40) | st.integers(0, 40_000_000),  # ns until it begins
    st.lists(
        st.sampled_from(["alloc", "cache", "free", "pin", "join", "hold", "sleep"]),
        max_size=5,
    ),
    st.integers(0, 9_000_000),  # ns that it sleeps, or holds cgroup_mutex for
)
END = 400_000_000


def history(lives, design, engine="core", *, clock=0, slices=(), steps=False):
    """Run lives of cgroups to END; return all that happened, and when."""
    node = bridge(design, unit="ns", engine=engine, cpus=2)
    env, seen = node.env, []

    def live(n, begins, calls, length):
        yield env.timeout(begins)
        web = yield node.mkdir(f"/web{n}")
        held = 0
        for call in calls:
            if call == "sleep":
                yield env.timeout(length)
            elif call == "hold":
                with node.cgroup_mutex.request() as owned:
                    yield owned | env.timeout(length // 2)
                    yield env.timeout(length)
            elif call == "join":
                yield node.join(web)
            elif call == "free" and not held:
                continue
            else:
                held += (call == "alloc") - (call == "free")
                yield getattr(node, call)("dentry", web)
            seen.append((n, call, env.now))
        yield node.rmdir(web)
        seen.append((n, "rmdir", env.now))
        yield node.offline(web)
        seen.append((n, "offline", env.now))

    def tick():
        while True:
            yield env.timeout(clock)

    for n, life in enumerate(lives):
        env.process(live(n, *life))
    if clock:
        env.process(tick())
    for part in sorted(slices):
        env.run(until=part)
    while steps and env.peek() < END:
        env.step()
    env.run(until=END)
    node.sync()
    node.kernel.validate()
    counters = node.kernel.counters
    return seen, counters["time_ns"], counters["locks"], node.kernel.state()


@settings(max_examples=settings.default.max_examples // 2)
@given(
    lives=st.lists(LIFE, min_size=1, max_size=6),
    design=st.sampled_from(["4.6", "4.9", "4.11", "5.3"]),
    clock=st.integers(100_000, 30_000_000),
    slices=st.sets(st.integers(1, END - 1), max_size=4),
)
def test_what_happens_does_not_depend_on_who_looks(lives, design, clock, slices):
    """Neither on other events, nor on how the environment is run, nor on the engine."""
    whole = history(lives, design)
    assert whole == history(lives, design, clock=clock)
    assert whole == history(lives, design, slices=slices)
    assert whole == history(lives, design, steps=True)
    assert whole == history(lives, design, "reference")


# --- mutexes ---


def test_processes_and_tasks_of_the_kernel_queue_on_one_mutex():
    node = bridge()
    env, order = node.env, []
    node.kernel.mkdir("/web")
    node = Bridge(env, node.kernel, unit="ms")
    mutex = node.cgroup_mutex

    def holder(name, length):
        with mutex.request() as owned:
            yield owned
            order.append((name, round(env.now)))
            yield env.timeout(length)

    def remover():
        yield env.timeout(1)
        removing = node.rmdir("/web")
        yield env.timeout(1)
        assert (mutex.count, mutex.waiting) == (1, 1)
        yield removing
        order.append(("rmdir", round(env.now)))

    def late():
        yield env.timeout(5)
        yield from holder("second", 3)

    env.process(holder("first", 10))
    env.process(remover())
    env.process(late())
    env.run()
    assert order == [("first", 0), ("rmdir", 10), ("second", 10)]
    # Its owner is on its way out, and nobody waits for that.
    env.run(until=env.now + 1)
    assert (mutex.count, mutex.waiting, mutex.users, mutex.queue) == (0, 0, [], [])
    assert node.kernel.counters["locks"]["cgroup_mutex"]["holds"] >= 4
    assert repr(mutex) == "<cgroup_mutex: owned 0, 0 wait>"


def test_a_request_is_taken_back():
    node = bridge()
    env, mutex = node.env, node.slab_mutex

    def holder():
        with mutex.request() as owned:
            yield owned
            assert mutex.users == [owned]
            assert owned.usage_since == env.now
            yield env.timeout(10)

    def gives_up():
        yield env.timeout(1)
        with mutex.request() as wanted:
            assert wanted.resource.capacity == 1
            assert mutex.queue == [wanted]
            yield wanted | env.timeout(2)
            assert not wanted.triggered
        return env.now

    def patient():
        yield env.timeout(2)
        request = mutex.request()
        yield request
        yield mutex.release(request)
        # A second time there is nothing to give up.
        mutex.release(request)
        return round(env.now)

    env.process(holder())
    processes = [env.process(gives_up()), env.process(patient())]
    values = env.run(env.all_of(processes))
    assert list(values.values()) == [3, 10]


def test_a_mutex_that_is_never_given_up_ends_the_simulation():
    node = bridge()
    env = node.env
    request = env.run(node.cgroup_mutex.request() & env.timeout(0))
    assert [type(event) for event in request] == [Request, simpy.Timeout]
    stuck = node.mkdir("/web")
    env.run()
    assert not stuck.triggered
    with pytest.raises(LifecycleError, match="a mutex is held"):
        node.kernel.mkdir("/other")


def test_a_program_of_the_kernel_is_an_event():
    node = bridge()
    sleep = node.kernel.program([(7, ms(5), 0, 0, 0)])
    call = node.spawn(sleep, repeat=2)
    assert isinstance(call, Call)
    node.env.run(call)
    assert 10 < node.env.now < 11


def test_other_calls():
    node = bridge("4.11")
    env = node.env

    def work():
        web = yield node.mkdir("/web")
        yield node.pin("dentry", web, 5)
        yield node.cache("dentry", web)
        yield node.pin("dentry", web, 5)
        yield node.rmdir(web)
        yield node.offline(web)
        freed = node.freed(web)
        yield env.timeout(1000)
        assert not freed.triggered
        yield node.hotplug("cpu-dead")
        yield node.drop_caches()
        yield freed

    env.run(env.process(work()))
    assert repr(node).startswith("<Bridge to 4.11 at ")
    assert node.kernel.counters["caches"]["live"] == 1


# --- without SimPy ---


def test_without_simpy_one_line_says_what_to_install():
    program = "import sys; sys.modules['simpy'] = None; import slabcore.simpy"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: slabcore.simpy needs SimPy; "
        "expected pip install 'slabcore[sim]'"
    )


# --- the page ---


def test_the_page_shows_what_the_example_prints():
    root = Path(__file__).parents[1]
    shown = (root / "docs" / "simpy.md").read_text("utf-8")
    printed = root / "examples" / "kubernetes-node" / "expected.out"
    assert f"```text\n{printed.read_text('utf-8')}```" in shown

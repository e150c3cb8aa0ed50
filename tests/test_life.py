"""A cgroup's life: the model's own trace has the steps of real kernels' traces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from slabcore import life
from slabcore.cli import main
from slabcore.designs import find
from slabcore.errors import InputError
from slabcore.traces import read_events

TRACES = Path(__file__).parent / "data" / "calibration"
KERNELS = life.recorded_kernels()
TICK_US = 4000

every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_life = pytest.mark.parametrize("number", range(3))


def modelled(kernel: str, design: str = "", engine: str = "core") -> life.Lives:
    recorded = life.recorded(kernel)
    return life.model(
        find(design or kernel),
        caches=recorded.caches,
        names=recorded.names,
        engine=engine,
    )


def test_three_kernels_were_recorded() -> None:
    assert KERNELS == ["4.8.15", "4.10.17", "4.12.10"]


@every_kernel
def test_the_steps_that_come_with_slabcore_are_the_recordings(kernel: str) -> None:
    assert life.recorded(kernel) == life.read(TRACES / f"cgroup-life-{kernel}.txt.gz")


@every_kernel
@every_life
def test_the_model_lives_as_recorded(kernel: str, number: int) -> None:
    recorded, ours = life.recorded(kernel), modelled(kernel)
    assert life.differences(recorded.lives[number], ours.lives[number]) == []


@every_kernel
def test_no_cgroup_goes_before_the_next_one_charges(kernel: str) -> None:
    for lives in (life.recorded(kernel), modelled(kernel)):
        first, second, third = lives.lives
        assert first.phases[2]
        assert second.phases[2]
        assert not third.phases[2]
        for one in (first, second):
            assert one.phases[2][0].name == "css_release_work_fn"
            assert one.phases[2][0].queued_by == "program"


def waits(lives: life.Lives) -> dict[tuple[int, str, str], list[list[int]]]:
    """Return the lengths of all waits by phase, step and kind, one list a life."""
    found: dict[tuple[int, str, str], list[list[int]]] = {}
    for one in lives.lives:
        for phase, steps in enumerate(one.phases):
            for step in steps:
                if step.after_us is not None:
                    key = (phase, step.name, "called back")
                    found.setdefault(key, []).append([step.after_us])
                for wait in step.waits:
                    if not wait.what.endswith("mutex"):
                        key = (phase, step.name, wait.what)
                        found.setdefault(key, []).append(list(wait.us))
    return found


@every_kernel
def test_waits_are_as_long_within_a_tick(kernel: str) -> None:
    recorded, ours = waits(life.recorded(kernel)), waits(modelled(kernel))
    assert recorded.keys() == ours.keys()
    assert recorded
    for key, lives in ours.items():
        means = [sum(us) / len(us) / TICK_US for us in recorded[key]]
        for us in lives:
            ticks = sum(us) / len(us) / TICK_US
            assert round(min(means)) - 1 <= round(ticks) <= round(max(means)) + 1, key


@every_kernel
def test_both_engines_live_the_same_lives(kernel: str) -> None:
    assert modelled(kernel) == modelled(kernel, engine="reference")


@pytest.mark.parametrize(
    ("kernel", "design", "step"),
    [
        ("4.8.15", "4.10", "css_killed_work_fn: calls differ"),
        ("4.8.15", "4.6", "css_killed_work_fn: waits differ"),
        ("4.10.17", "4.8", "css_killed_work_fn: waits differ"),
        ("4.10.17", "4.9", "css_killed_work_fn: calls differ"),
        ("4.12.10", "4.10", "kmemcg_deactivate_workfn is in the recording only"),
        ("4.12.10", "4.10", "css_free_work_fn: waits differ"),
        ("4.10.17", "4.8", "memcg_kmem_cache_create_func: queues differ"),
    ],
)
def test_another_kernels_life_is_another(kernel: str, design: str, step: str) -> None:
    recorded, ours = life.recorded(kernel), modelled(kernel, design)
    lines = life.differences(recorded.lives[0], ours.lives[0])
    assert any(line.endswith(step) for line in lines), lines


# --- what can be reduced --------------------------------------------------------------

INIT = "            init-1     [000] ....     "
IDLE = "          <idle>-0     [000] d.s.     "
WORKER = "     kworker/0:1-22    [000] d...     "
OFFLINE = "function=css_killed_work_fn workqueue=ffff0002 req_cpu=16 cpu=0"
ONE = [
    f"{INIT}1.000000: tracing_mark_write: MARK mkdir\n",
    f"{INIT}1.500000: tracing_mark_write: MARK use\n",
    f"{INIT}2.000000: tracing_mark_write: MARK rmdir\n",
    f"{INIT}2.000300: tracing_mark_write: MARK rmdir done\n",
    f"{IDLE}2.016000: css_killed_ref_fn: (x+0x0/0x1)\n",
    f"{IDLE}2.016010: workqueue_queue_work: work struct=ffff0001 {OFFLINE}\n",
    f"{WORKER}2.016100: workqueue_execute_start: work struct ffff0001: "
    "function css_killed_work_fn\n",
    f"{WORKER}2.016200: synchronize_sched: (x+0x0/0x1)\n",
    f"{WORKER}2.020200: __kmem_cache_shrink: (x+0x0/0x1)\n",
    f"{WORKER}2.021100: workqueue_execute_end: work struct ffff0001\n",
]


def reduced(lines: list[str]) -> life.Lives:
    return life.reduce(read_events(lines), "trace")


def test_a_life_is_cut_into_steps() -> None:
    (one,) = reduced(ONE).lives
    (made,), (rmdir, callback, offline), freed = one.phases
    assert (made.name, made.at_us, made.took_us, made.by) == (
        *("mkdir", 0, 500_000, "program"),
    )
    assert (rmdir.name, rmdir.took_us) == ("rmdir", 300)
    assert (callback.by, callback.after_us) == ("softirq", 15_700)
    assert (offline.queue, offline.queued_by) == ("cgroup_destroy", "softirq")
    assert offline.after_us is None
    assert (offline.at_us, offline.took_us) == (16_100, 5_000)
    assert offline.waits == (life.Wait("grace period", (4000,)),)
    assert offline.variants == (
        life.Variant(1, "synchronize_sched, __kmem_cache_shrink"),
    )
    assert freed == ()
    assert one.began_us == (0, 1_000_000, None)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (ONE[:2], "trace: it has no workqueue_queue_work and no workqueue_execute"),
        (ONE[4:], "trace: it has no rmdir; expected cgroup and workqueue events"),
        (ONE[:2] * 2, "trace: a cgroup is made before the one before it is removed"),
    ],
)
def test_a_recording_that_does_not_suffice_is_refused(
    lines: list[str], text: str
) -> None:
    with pytest.raises(InputError) as refusal:
        reduced(lines)
    assert str(refusal.value).startswith(text)


def test_a_sequence_is_written_with_its_repetitions() -> None:
    def many(times: int, *names: str) -> Iterator[str]:
        for _ in range(times):
            yield from names

    calls = ["a", *many(3, "b"), *many(19, "c", "d"), "e"]
    lines = ONE[:8] + [
        f"{WORKER}2.020200: {name}: (x+0x0/0x1)\n"
        for name in ("mem_cgroup_css_offline", *many(3, *_TWO))
    ]
    offline = reduced([*lines, ONE[-1]]).lives[0].phases[1][2]
    assert offline.variants[0].calls == (
        "synchronize_sched, mem_cgroup_css_offline, "
        "3 x [__kmem_cache_shrink, rcu_barrier]"
    )
    assert life._pattern(calls) == "a, 3 x b, 19 x [c, d], e"


_TWO = ("__kmem_cache_shrink", "rcu_barrier")


# --- the command ----------------------------------------------------------------------


def run(*words: str) -> str:
    answer = CliRunner().invoke(main, ["life", *words], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_the_command_shows_every_recorded_kernel() -> None:
    text = run()
    for kernel in KERNELS:
        assert f"{kernel}: life 2 of 3" in text
    same = "steps in the same order, with the same waits"
    assert text.count(same) == len(KERNELS)
    assert max(map(len, text.splitlines())) <= 100


def test_a_design_is_held_against_its_kernels_recording() -> None:
    assert "recorded: cgroup-life-4.8.15.txt.gz" in run("4.8", "--life", "1")


def test_what_differs_is_said() -> None:
    trace = str(TRACES / "cgroup-life-4.10.17.txt.gz")
    text = run("4.8", "--recording", trace)
    assert "no such step" in text
    assert "memcg_kmem_cache_create_func: queues differ" in text


def test_json_has_both_sides_and_what_differs() -> None:
    table = json.loads(run("4.10", "--json"))
    assert table["schema"] == "slabcore.life/1"
    (one,) = table["comparisons"]
    assert one["design"] == "4.10"
    assert one["differences"] == [[], [], []]
    assert one["not_recorded"] == ["shutdown_cache"]
    recorded = msgspec.convert(one["recorded"], life.Lives)
    assert recorded == life.recorded("4.10.17")


@every_kernel
def test_steps_writes_what_comes_with_slabcore(kernel: str) -> None:
    trace = TRACES / f"cgroup-life-{kernel}.txt.gz"
    shipped = Path(life.__file__).parent / "recordings" / f"life-{kernel}.json"
    assert run("--steps", "--recording", str(trace)) == shipped.read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["5.10"], "life: no life was recorded on a kernel of design 5.9; expected "),
        (["4.8", "--life", "4"], "--life: cgroup-life-4.8.15.txt.gz has 3 lives; "),
        (["--recording", "x"], "--recording needs one DESIGN to hold it against"),
        (["--steps"], "--steps needs --recording FILE"),
        (["4.8", "--recording", ""], "'': no such file or directory; expected the "),
        (["4.8", "--recording", "/dev/zero"], "/dev/zero: not text; expected the text"),
        (["4.8", "--recording", "nowhere"], "nowhere: no such file or directory; "),
    ],
)
def test_bad_input_gets_one_line(words: list[str], line: str) -> None:
    answer = CliRunner().invoke(main, ["life", *words])
    assert answer.exit_code == 2
    assert answer.stderr.startswith(f"slabcore: {line}")

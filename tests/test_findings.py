"""The known violations of each design are found, and gone once the knob is turned."""

from __future__ import annotations

import pytest

from slabcore.designs import Design, designs
from slabcore.kernel import Kernel
from slabcore.machine import Machine


def findings(
    engine: str, design: str | Design, *, typesafe: bool = False, cpus: int = 2
) -> dict[str, int]:
    """Return what is found while three cgroups of two caches live and go."""
    kernel = Kernel(design, machine=Machine(cpus=cpus), engine=engine)  # type: ignore[arg-type]
    for number in range(2):
        kernel.create_cache(
            f"c{number}", object_size=192, accounted=True, typesafe=typesafe
        )
    for number in range(3):
        path = f"/{number}"
        kernel.mkdir(path)
        for cache in ("c0", "c1"):
            kernel.alloc(cache, path)
            kernel.drain()
            kernel.alloc(cache, path)
            kernel.free(cache, path)
    for number in range(3):
        kernel.rmdir(f"/{number}")
    kernel.drain()
    assert kernel.counters["caches"]["live"] == 2
    return {finding["id"]: finding["count"] for finding in kernel.counters["findings"]}


@pytest.mark.parametrize("typesafe", [False, True])
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("4.4", {}),
        ("4.6", {}),
        ("4.7", {"gp-under-cgroup_mutex": 6, "gp-under-slab_mutex": 6}),
        ("4.8", {"gp-under-cgroup_mutex": 6, "gp-under-slab_mutex": 6}),
        ("4.9", {"gp-under-cgroup_mutex": 6, "gp-under-slab_mutex": 6}),
        ("4.10", {"gp-under-cgroup_mutex": 3}),
        ("4.11", {}),
        ("5.9", {}),
    ],
)
def test_who_waits_for_a_grace_period_with_a_mutex_held(engine, name, typesafe, found):
    # rcu_barrier() is called with neither mutex held, so typesafe caches add nothing.
    assert findings(engine, name, typesafe=typesafe) == found


@pytest.mark.parametrize(
    ("name", "repaired"),
    [
        ("4.9", {"deactivation": "ipi"}),
        ("4.9", {"deactivation": "rcu-per-cache"}),
        ("4.10", {"deactivation": "rcu-per-cache"}),
    ],
)
def test_another_way_to_deactivate_repairs_it(engine, name, repaired):
    assert findings(engine, name)
    assert findings(engine, designs[name].replace(**repaired)) == {}


def test_4_11_deletes_kobjects_under_slab_mutex_if_children_have_any(engine):
    with_directories = designs["4.11"].replace(child_sysfs=True)
    assert findings(engine, with_directories) == {"kobject-under-slab_mutex": 6}
    repaired = with_directories.replace(
        sysfs_removal="release", typesafe_free="barrier-batch"
    )
    assert "kobject-under-slab_mutex" not in findings(engine, repaired)

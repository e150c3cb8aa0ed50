"""What a world holds memory for: what lives, and no backlog that is done."""

import tracemalloc

from slabcore import Kernel, Machine, ms, seconds


def backlog(engine, size, **keywords):
    """Return a kernel with a creation pending for each cache of each cgroup.

    slab_mutex is held through a grace period for each cache of a cgroup that is gone.
    """
    kernel = Kernel("4.9", machine=Machine(cpus=2), engine=engine, **keywords)
    names = [f"cache-{i}" for i in range(size)]
    caches = kernel.create_caches(names, object_size=64, accounted=True)
    kernel.mkdir("/old")
    memcgs = kernel.mkdir_many([f"/{i}" for i in range(size)])
    kernel.alloc_many(caches, "/old")
    kernel.drain()
    kernel.free_many(caches, "/old")
    kernel.rmdir("/old")
    kernel.advance(ms(20))
    kernel.alloc_many(caches, memcgs[:, None])
    assert kernel.counters["caches"]["created"] == size
    return kernel, caches, memcgs


def test_what_a_backlog_took_goes_back():
    size = 120
    tracemalloc.start()
    try:
        kernel, *_ = backlog("core", size, huge_pages=False)
        kernel.drain()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kernel.counters["caches"]["created"] == size + size**2
    # An item of work and a miss took 56 bytes and their indices; the creations that
    # came after most of them took half as much again, in arrays with room to spare.
    assert peak - after > 40 * size**2
    assert after < (1.5 * 110 + 40) * size**2


def test_one_backlog_after_another_is_no_other_history():
    size, seen = 45, []
    for engine in ("core", "reference"):
        kernel, caches, memcgs = backlog(engine, size)
        for i in range(2):
            kernel.drain()
            kernel.free_many(caches, memcgs[:, None])
            kernel.rmdir_many(memcgs)
            kernel.advance(ms(20))
            memcgs = kernel.mkdir_many([f"/{i}-{j}" for j in range(size)])
            kernel.alloc_many(caches, memcgs[:, None])
        kernel.advance(seconds(1))
        kernel.validate()
        counters = kernel.counters
        counters["creation_delays_ns"] = counters["creation_delays_ns"].tolist()
        seen.append((counters, kernel.state(), kernel.now_ns))
    assert seen[0] == seen[1]
    delays = seen[0][0]["creation_delays_ns"]
    assert min(delays) < ms(1) < ms(300) < max(delays)

"""What one cgroup costs on its way out, under every design."""

from slabcore import Kernel, Machine, designs, ms

NAMES = ("dentry", "inode_cache", "kmalloc-64", "anon_vma", "signal_cache")

for design in designs:
    kernel = Kernel(design, machine=Machine(cpus=4, kmem="on"))
    for name in NAMES:
        kernel.create_cache(
            name, object_size=256, accounted=True, typesafe=name == "anon_vma"
        )
    memcg = kernel.mkdir("/web")
    for name in NAMES:
        kernel.alloc(name, memcg)
    kernel.advance(ms(100))
    for name in NAMES:
        kernel.free(name, memcg)
    before = kernel.now_ns
    kernel.rmdir(memcg)
    kernel.drain()
    kernel.validate()
    counters = kernel.counters
    periods = counters["grace_periods"]
    print(
        f"{design:>9}: gone after {(counters['drained_ns'] - before) / ms(1):5.1f} ms;",
        f"grace periods waited for: {periods['synchronous']},",
        f"with slab_mutex held: {periods['under_slab_mutex']}",
    )

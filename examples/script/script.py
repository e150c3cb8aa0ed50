"""Remove a cgroup under four kernels: what is waited for, and under which mutex."""

from slabcore import IntrusiveList, Kernel, ms


def remove_one_cgroup(design: str) -> Kernel:
    """Return a kernel in which a cgroup with a cache of its own was removed."""
    kernel = Kernel(design)
    dentry = kernel.create_cache("dentry", object_size=192, accounted=True)
    web = kernel.mkdir("/web")
    kernel.alloc(dentry, web)
    kernel.advance(ms(20))
    kernel.free(dentry, web)
    kernel.rmdir(web)
    kernel.drain()
    kernel.validate()
    return kernel


print("kernel  waited for  under slab_mutex  under cgroup_mutex")
for name in ("4.6", "4.9", "4.10", "4.11"):
    periods = remove_one_cgroup(name).counters["grace_periods"]
    held = periods["under_slab_mutex"], periods["under_cgroup_mutex"]
    print(f"{name:6}  {periods['synchronous']:10}  {held[0]:16}  {held[1]:18}")

sizes = IntrusiveList([192, 600, 1024])
last = sizes.add(968)
for handle in sizes:
    if sizes.value(handle) > 700:
        sizes.remove(handle)
print("left of the list:", sizes.to_array().tolist(), last in sizes)

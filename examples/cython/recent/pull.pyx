"""A loop of one's own around kernels, each pulled to the same instant."""

from libc.stdint cimport int64_t

from slabcore._core cimport ALLOC, FREE, World, require_abi

require_abi()


def until_gone(kernel, int cgroups, int objects) -> tuple:
    """Fill and remove cgroups; return how many events that took, and when it was over."""
    cdef World world = kernel.world     # of the core; another engine's is refused
    cdef int64_t number, memcg, event, events = 0
    number = kernel.create_cache("dentry", object_size=192, accounted=True).number
    for i in range(cgroups):
        made = kernel.mkdir(f"/app-{i}")
        memcg = made.handle
        world.objects(ALLOC, number, memcg, objects)
        world.objects(FREE, number, memcg, objects)
        kernel.rmdir(made)
    while kernel.counters["cgroups"]["dying"]:
        event = world.next_event()
        world.run_to(event)
        events += 1
    return events, world.now()

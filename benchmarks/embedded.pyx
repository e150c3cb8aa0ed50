"""Calls into slabcore from C and from Cython, beside an empty one: what each takes.

What is called through slabcore.h is what a program in C calls, by the same pointers.
"""

from libc.stdint cimport int64_t, uint32_t

from slabcore._core cimport ALLOC, FREE, IntrusiveList, World, require_abi
from slabcore.side_list cimport side_names

cdef extern from *:
    """
    #include "slabcore.h"

    /* Its address gets out, as those that slabcore_import() fills: a pointer is read
     * before each call. */
    __attribute__((noinline)) static int empty(slabcore_kernel *kernel, int64_t *value)
    {
        (void)kernel, (void)value;
        return 0;
    }
    static int (*through)(slabcore_kernel *, int64_t *) = empty;
    static void *volatile shown;
    static int (**slabcore_show(void))(slabcore_kernel *, int64_t *)
    {
        shown = (void *)&through;
        return &through;
    }
    """
    ctypedef struct slabcore_kernel
    ctypedef struct slabcore_list
    ctypedef struct slabcore_cache:
        const slabcore_kernel *kernel
        int64_t number
    ctypedef struct slabcore_memcg:
        const slabcore_kernel *kernel
        int64_t handle
    int SLABCORE_ACCOUNTED
    int slabcore_import() except -1
    void *slabcore_show() noexcept nogil
    int through(slabcore_kernel *kernel, int64_t *value) noexcept nogil
    int slabcore_kernel_of(object kernel, slabcore_kernel **handle)
    int slabcore_list_of(object entries, slabcore_list **handle)
    int slabcore_kernel_free(slabcore_kernel *kernel)
    int slabcore_list_free(slabcore_list *entries)
    int slabcore_now_ns(slabcore_kernel *kernel, int64_t *value) noexcept
    int slabcore_next_event_ns(slabcore_kernel *kernel, int64_t *value) noexcept
    int slabcore_create_cache(
        slabcore_kernel *kernel, const char *name, int64_t size, int flags,
        slabcore_cache *cache,
    )
    int slabcore_mkdir(slabcore_kernel *kernel, const char *path, slabcore_memcg *memcg)
    int slabcore_alloc(
        slabcore_kernel *kernel, slabcore_cache cache, slabcore_memcg memcg,
        int64_t count,
    ) noexcept
    int slabcore_free(
        slabcore_kernel *kernel, slabcore_cache cache, slabcore_memcg memcg,
        int64_t count,
    ) noexcept
    int slabcore_list_value(
        slabcore_list *entries, int64_t entry, int64_t *value
    ) noexcept
    int slabcore_list_next(
        slabcore_list *entries, int64_t entry, int64_t *following
    ) noexcept

cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *now)
    int CLOCK_THREAD_CPUTIME_ID

require_abi()
slabcore_import()


cdef int64_t clock() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
    return now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef class Calls:
    """One kernel and one list, called in loops."""

    cdef World world
    cdef IntrusiveList entries
    cdef slabcore_kernel *kernel
    cdef slabcore_list *list_
    cdef slabcore_cache cache
    cdef slabcore_memcg memcg
    cdef int64_t entry
    cdef readonly int64_t seen

    def __init__(self, kernel, entries, int64_t entry):
        slabcore_show()
        self.world, self.entries, self.entry = kernel.world, entries, entry
        failed = slabcore_kernel_of(kernel, &self.kernel)
        failed |= slabcore_list_of(entries, &self.list_)
        failed |= slabcore_create_cache(
            self.kernel, b"dentry", 192, SLABCORE_ACCOUNTED, &self.cache
        )
        failed |= slabcore_mkdir(self.kernel, b"/web", &self.memcg)
        assert not failed

    def __dealloc__(self):
        slabcore_kernel_free(self.kernel)
        slabcore_list_free(self.list_)

    def empty(self, int count) -> int:
        cdef int64_t value = 0, began = clock()
        cdef int _, failed = 0
        for _ in range(count):
            failed |= through(self.kernel, &value)
            self.seen += value
        return clock() - began + failed

    def c_now(self, int count) -> int:
        cdef int64_t value = 0, began = clock()
        cdef int _, failed = 0
        for _ in range(count):
            failed |= slabcore_now_ns(self.kernel, &value)
            self.seen += value
        assert not failed
        return clock() - began

    def c_list_value(self, int count) -> int:
        cdef int64_t value = 0, began = clock()
        cdef int _, failed = 0
        for _ in range(count):
            failed |= slabcore_list_value(self.list_, self.entry, &value)
            self.seen += value
        assert not failed
        return clock() - began

    def c_list_next(self, int count) -> int:
        cdef int64_t value = 0, began = clock()
        cdef int _, failed = 0
        for _ in range(count):
            failed |= slabcore_list_next(self.list_, self.entry, &value)
            self.seen += value
        assert not failed
        return clock() - began

    def c_next_event(self, int count) -> int:
        cdef int64_t value = 0, began = clock()
        cdef int _, failed = 0
        for _ in range(count):
            failed |= slabcore_next_event_ns(self.kernel, &value)
            self.seen += value
        assert not failed
        return clock() - began

    def c_alloc_free(self, int count) -> int:
        cdef int64_t began = clock()
        cdef int _, failed = 0
        for _ in range(count):
            failed |= slabcore_alloc(self.kernel, self.cache, self.memcg, 1)
            failed |= slabcore_free(self.kernel, self.cache, self.memcg, 1)
        assert not failed
        return clock() - began

    def cython_now(self, int count) -> int:
        cdef int64_t began = clock()
        cdef int _
        for _ in range(count):
            self.seen += self.world.now()
        return clock() - began

    def cython_list_value(self, int count) -> int:
        cdef int64_t began = clock()
        cdef int64_t entry = self.entry
        cdef int _
        for _ in range(count):
            if side_names(&self.entries.entries, entry):
                self.seen += self.entries.entries.values[<uint32_t>entry]
        return clock() - began

    def cython_next_event(self, int count) -> int:
        cdef int64_t began = clock()
        cdef int _
        for _ in range(count):
            self.seen += self.world.next_event()
        return clock() - began

    def cython_alloc_free(self, int count) -> int:
        cdef int64_t began = clock()
        cdef int64_t number = self.cache.number, memcg = self.memcg.handle
        cdef int _
        for _ in range(count):
            self.world.objects(ALLOC, number, memcg, 1)
            self.world.objects(FREE, number, memcg, 1)
        return clock() - began

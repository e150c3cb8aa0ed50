"""The compiled module's types, for cimport."""

from slabcore.engine cimport engine


cdef class World:
    cdef engine e

    cdef int advance(self, long long when) except -1
    cdef int drain_or_run(self, bint drain) except -1
    cdef long long call(
        self, int function, unsigned int a, unsigned int b, unsigned int c,
        unsigned int d, long long n,
    ) except -1

from libc.stdint cimport int64_t

from cpython.buffer cimport (
    PyBUF_FORMAT,
    PyBUF_ND,
    PyBUF_SIMPLE,
    PyBuffer_Release,
    PyObject_CheckBuffer,
    PyObject_GetBuffer,
)

from slabcore.errors import InputError


cdef bint lent(numbers, int how, Py_buffer *given) except -1:
    """Look into what has 64-bit numbers side by side, as the machine has them."""
    if not PyObject_CheckBuffer(numbers):
        return False
    try:
        PyObject_GetBuffer(numbers, given, PyBUF_FORMAT | PyBUF_ND | how)
    except (BufferError, ValueError):
        return False
    if (
        given.itemsize == sizeof(int64_t)
        and given.format[0] in b"lq"
        and not given.format[1]
        and <size_t>given.buf % sizeof(int64_t) == 0
    ):
        return True
    PyBuffer_Release(given)
    return False


cdef int whole_numbers(numbers, str what, Py_buffer *given) except -1:
    """Look into an array of int64, or into what an array or a list is as one."""
    if lent(numbers, 0, given):
        return 0
    import numpy
    taken = numpy.asarray(numbers)
    whole = not taken.size or taken.dtype.kind in "biu"
    if whole and taken.size and taken.dtype == numpy.uint64:
        whole = taken.max() < 1 << 63
    if not whole or not taken.ndim:
        raise InputError(
            "IntrusiveList", f"the {what} are not whole numbers of 64 bits",
            "a list or an array of them",
        )
    numbers = numpy.require(taken, numpy.int64, "CA")
    PyObject_GetBuffer(numbers, given, PyBUF_SIMPLE)
    return 0


cdef object int64_array(where, what, values):
    """Return whole numbers as a contiguous array of int64."""
    import numpy
    taken = numpy.asarray(values)
    whole = not taken.size or taken.dtype.kind in "iu"
    if whole and taken.size and taken.dtype == numpy.uint64:
        whole = taken.max() < 1 << 63
    if not whole or taken.ndim != 1:
        raise InputError(where, f"{what} are no whole numbers", "an array of them")
    return numpy.require(taken, numpy.int64, "CA")


cdef enum:  # what a number in a buffer is
    OTHER
    UINT8
    UINT32
    INT64


cdef int numbers(values, int flags, Py_buffer *given) except -1:
    """Get an object's buffer, in C order, and tell what is in it.

    Nothing was got of OTHER.
    """
    cdef char format
    try:
        PyObject_GetBuffer(values, given, flags | PyBUF_ND | PyBUF_FORMAT)
    except (TypeError, ValueError, BufferError):
        return OTHER
    if given.format == NULL or not given.format[0]:
        format = b"B" if given.format == NULL else 0
    else:
        format = 0 if given.format[1] else given.format[0]
    if format == b"B":
        return UINT8
    if format in (b"I", b"L") and given.itemsize == 4:
        return UINT32
    if format in (b"l", b"q") and given.itemsize == 8:
        return INT64
    PyBuffer_Release(given)
    return OTHER

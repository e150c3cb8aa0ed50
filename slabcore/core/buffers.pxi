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


cdef enum:  # what a number in a buffer is
    OTHER
    UINT8
    UINT32
    INT64


cdef int numbers(values, int flags, Py_buffer *given) except -1:
    """Get an object's buffer, in C order, and tell what is in it.

    Nothing was got of OTHER, which is what does not lie as the machine has it, too.
    """
    cdef int kind = OTHER
    cdef char format
    if not PyObject_CheckBuffer(values):
        return OTHER
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
        kind = UINT32
    elif format in (b"l", b"q") and given.itemsize == 8:
        kind = INT64
    if kind != OTHER and <size_t>given.buf % <size_t>given.itemsize == 0:
        return kind
    PyBuffer_Release(given)
    return OTHER


cdef bint lent(values, int flags, Py_buffer *given) except -1:
    """Get the buffer of an array of int64."""
    cdef int kind = numbers(values, flags, given)
    if kind == INT64 and given.ndim:
        return True
    if kind != OTHER:
        PyBuffer_Release(given)
    return False


_FORMATS = {"int64": ("l", "q"), "uint32": ("I", "L")}


cdef str unsuited(values, str wanted):
    """Say what keeps an object from being a writable array of *wanted*, in C order."""
    cdef list faults = []
    try:
        view = memoryview(values)
    except (TypeError, ValueError, BufferError):
        return f"of type {type(values).__name__}"
    if view.readonly:
        faults.append("read-only")
    dtype = getattr(values, "dtype", None)
    if dtype is not None and str(dtype) != wanted:
        faults.append(f"of {dtype}")
    elif dtype is None and view.format not in _FORMATS[wanted]:
        faults.append(f"of format {view.format!r}")
    if not view.c_contiguous:
        faults.append("not in C order" if view.f_contiguous else "not contiguous")
    if not view.ndim:
        faults.append("without dimensions")
    return ", ".join(faults) or "not aligned"


cdef str container(values):
    """Say what it is that holds no row of numbers."""
    import numpy
    if isinstance(values, numpy.ndarray):
        return "an array without dimensions"
    return f"of type {type(values).__name__}"


cdef object as_array(str where, str what, values):
    """Return an array of what is one, or a list that can be."""
    import numpy
    try:
        return numpy.asarray(values)
    except ValueError as error:
        raise InputError(
            where, f"the {what} are no array", "a list or an array of whole numbers"
        ) from error


cdef int whole_numbers(str where, str what, values, Py_buffer *given) except -1:
    """Get the buffer of an array of int64, or of what an array or a list is as one."""
    if lent(values, PyBUF_SIMPLE, given):
        return 0
    if isinstance(values, IntrusiveList | FieldList):
        expected = "its handles()" if what == "handles" else "its to_array()"
        raise InputError(where, f"the {what} are {values!r}", expected)
    import numpy
    taken = as_array(where, what, values)
    if not taken.ndim:
        raise InputError(
            where, f"the {what} are {container(values)}",
            "a list or an array of whole numbers",
        )
    whole = taken.dtype.kind in "iu" or not taken.size
    if whole and taken.size and taken.dtype == numpy.uint64:
        whole = taken.max() < 1 << 63
    if not whole:
        raise InputError(
            where, f"the {what} are not whole numbers of 64 bits",
            "a list or an array of them",
        )
    PyObject_GetBuffer(numpy.require(taken, numpy.int64, "CA"), given, PyBUF_SIMPLE)
    return 0

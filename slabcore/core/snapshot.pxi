from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from cpython.mem cimport PyMem_RawFree
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF

from slabcore.admission cimport admit
from slabcore.engine cimport engine
from slabcore.invariants cimport breach
from slabcore.snapshot cimport (
    collect_timers,
    image,
    read_world,
    tidy,
    write_world,
)

from slabcore.errors import InputError


cdef object flawed(const image *m):
    """Return the error for what is wrong with a snapshot."""
    where = f"snapshot: {m.wrong.section.decode()}"
    if m.wrong.where >= 0:
        where += f" {m.wrong.where}"
    if m.wrong.what != NULL:
        return InputError(where, m.wrong.what.decode())
    expected = f"{m.wrong.low} to {m.wrong.high}"
    if m.wrong.low > m.wrong.high:
        expected = "none: there is nothing that it could name"
    return InputError(where, f"{m.wrong.name.decode()} is {m.wrong.value}", expected)


cdef bytes world_bytes(engine *e):
    """Return a world as the bytes that fill_world() takes."""
    cdef image m
    cdef PyObject *text = NULL
    memset(&m, 0, sizeof(image))
    tidy(e)
    try:
        collect_timers(&e.w.s.timers, &m)
        write_world(e, &m, NULL)
        text = new_bytes(NULL, m.size)
        write_world(e, &m, bytes_at(text))
        return <bytes>text
    finally:
        PyMem_RawFree(m.timers)
        Py_XDECREF(text)


cdef int fill_world(engine *e, bytes data) except -1:
    """Fill a new world in. Raises: InputError, and then the world is of no use."""
    cdef image m
    cdef breach b
    memset(&m, 0, sizeof(image))
    memset(&b, 0, sizeof(breach))
    try:
        read_world(e, &m, data, len(data))
        if m.wrong.section == NULL:
            # A name is text: the core asks for bytes only.
            cache_names(e)
            admit(e, &m, &b)
    finally:
        PyMem_RawFree(m.timers)
    if m.wrong.section != NULL:
        raise flawed(&m)
    if b.what != NULL:
        what = b.what.decode().format(where=b.where, which=b.which)
        raise InputError("snapshot", what)
    return 0


cdef int cache_names(const engine *e) except -1:
    """Refuse names of caches that are none. Raises: InputError."""
    cdef const uint8_t *names = <const uint8_t *>e.w.names.entries
    cdef uint32_t i = 0
    cdef uint32_t end
    while i < e.w.names.used:
        end = min(i + 1 + names[i], e.w.names.used)
        try:
            cache_name("snapshot: names", names[i + 1:end].decode())
        except UnicodeDecodeError:
            raise InputError("snapshot: names", "a name is not UTF-8") from None
        i = end
    return 0

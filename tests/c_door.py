"""slabcore.h's functions as ctypes sees them: what a program in C would call."""

from __future__ import annotations

import ctypes
import re
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_double,
    c_int,
    c_int64,
    c_size_t,
    c_void_p,
)
from pathlib import Path
from typing import Any

import slabcore
from slabcore import capi

HEADER = Path(slabcore.get_include()) / "slabcore.h"
PROTOTYPE = re.compile(r"^(int|const char \*) ?(slabcore_\w+)\(([^;]*)\);$", re.M)


class Cache(ctypes.Structure):
    _fields_ = (("kernel", c_void_p), ("number", c_int64))


class Memcg(ctypes.Structure):
    _fields_ = (("kernel", c_void_p), ("handle", c_int64))


class End(ctypes.Structure):
    _fields_ = (
        *(("number", c_int64), ("at_ns", c_int64), ("value", c_int64)),
        ("code", c_int),
    )


TYPES = {
    "const char *": c_char_p,
    "const char *const *": POINTER(c_char_p),
    "const void *": c_void_p,
    "const void **": POINTER(c_void_p),
    "double *": POINTER(c_double),
    "int": c_int,
    "int *": POINTER(c_int),
    "int64_t": c_int64,
    "int64_t *": POINTER(c_int64),
    "PyObject *": ctypes.py_object,
    "PyObject **": POINTER(ctypes.py_object),
    "size_t": c_size_t,
    "size_t *": POINTER(c_size_t),
    "slabcore_cache": Cache,
    "slabcore_cache *": POINTER(Cache),
    "slabcore_end *": POINTER(End),
    "slabcore_memcg": Memcg,
    "slabcore_memcg *": POINTER(Memcg),
    "void *": c_void_p,
}


def prototypes() -> dict[str, tuple[str, list[str]]]:
    """Return what slabcore.h says of each function: its result, its operands."""
    comment = re.sub(r"^ \* ?", "", HEADER.read_text("utf-8"), flags=re.M)
    comment = re.sub(r",\n +", ", ", comment)
    found = {}
    for result, name, operands in PROTOTYPE.findall(comment):
        each = [] if operands == "void" else operands.split(", ")
        found[name] = result, [re.sub(r"\w+$", "", one).strip() for one in each]
    del found["slabcore_import"]
    return found


def c_type(written: str) -> Any:
    """Return a type as ctypes has it; of handles, there is but the number."""
    if re.fullmatch(r"slabcore_\w+ \*\*", written):
        return POINTER(c_void_p)
    if re.fullmatch(r"slabcore_\w+ \*", written) and written not in TYPES:
        return c_void_p
    return TYPES[written]


class Door:
    """Every function of slabcore.h by its name without slabcore_."""

    def __init__(self) -> None:
        address = ctypes.pythonapi.PyCapsule_GetPointer
        address.restype, address.argtypes = c_void_p, [ctypes.py_object, c_char_p]
        signature = ctypes.pythonapi.PyCapsule_GetName
        signature.restype, signature.argtypes = c_char_p, [ctypes.py_object]
        for name, (result, operands) in prototypes().items():
            capsule = capi.__pyx_capi__[name]
            where = address(capsule, signature(capsule))
            kind = ctypes.PYFUNCTYPE(c_type(result), *map(c_type, operands))
            setattr(self, name.removeprefix("slabcore_"), kind(where))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"slabcore.h has no slabcore_{name}")

    def get(self, name: str, *operands: Any, to: Any = c_int64) -> Any:
        """Call what has one result, which is its last operand; return that."""
        found = to()
        code = getattr(self, name)(*operands, byref(found))
        assert code == 0, (name, code, self.last_error())
        return found.value if hasattr(found, "value") else found

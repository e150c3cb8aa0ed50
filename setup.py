"""Build slabcore._core and slabcore.capi. All else is in pyproject.toml.

SLABCORE_DEBUG=1       assertions, no optimisation, debug symbols
SLABCORE_SANITIZE=...  e.g. address,undefined
SLABCORE_TRACE=1       line tracing for coverage; the C file lies beside the .pyx
SLABCORE_ANNOTATE=1    write _core.html beside the C file
SLABCORE_STRICT=1      a warning of Cython's or of the C compiler's is an error

What is already built stays as it is: after a change of switches, build_ext --force.
"""

import glob
import os
from pathlib import Path

import setuptools
from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools.command.build_ext import build_ext


def switch(name):
    value = os.environ.get(f"SLABCORE_{name}", "")
    return value if value != "0" else ""


debug, trace, sanitize = switch("DEBUG"), switch("TRACE"), switch("SANITIZE")
# Cython remembers by its line where an error was raised, whatever the file. Lines of
# the C file are those of one; without them a traceback names what raised there first.
macros = [("CYTHON_CLINE_IN_TRACEBACK", "1")]
flags = ["-O2", "-g0"]
links = []
if debug:
    macros += [("SLABCORE_DEBUG", "1")]
    flags = ["-O0", "-g", "-UNDEBUG"]
if trace:
    macros += [("CYTHON_TRACE", "1"), ("CYTHON_TRACE_NOGIL", "1")]
if sanitize:
    # CPython is built with -fwrapv, which would hide signed overflow from UBSan.
    flags = ["-O1", "-g", "-UNDEBUG", "-fno-wrapv", "-fno-omit-frame-pointer"]
    flags += [f"-fsanitize={sanitize}", "-fno-sanitize-recover=all"]
    links = [f"-fsanitize={sanitize}"]
if switch("STRICT"):
    Options.warning_errors = True
    # Sanitizers' checks make GCC see uninitialised values where there are none.
    flags += [] if sanitize else ["-Wall", "-Werror"]


def extension(name, *depends):
    return setuptools.Extension(
        f"slabcore.{name}",
        [f"slabcore/{name}.pyx"],
        depends=[*glob.glob("slabcore/*.pxd"), *depends],
        include_dirs=["slabcore/include"],
        define_macros=macros,
        extra_compile_args=flags,
        extra_link_args=links,
    )


class BuildWithHeader(build_ext):
    """Puts the header that Cython writes for capi.pyx beside slabcore.h."""

    def run(self):
        super().run()
        place = Path(self.get_ext_fullpath("slabcore.capi")).parent / "include"
        self.mkpath(str(place))
        made = "slabcore" if trace else "build/slabcore"
        self.copy_file(f"{made}/capi_api.h", str(place))


setuptools.setup(
    cmdclass={"build_ext": BuildWithHeader},
    ext_modules=cythonize(
        [
            extension("_core", *glob.glob("slabcore/core/*.pxi")),
            extension("capi", "slabcore/include/slabcore.h"),
        ],
        build_dir=None if trace else "build",
        compiler_directives={"language_level": 3, "linetrace": bool(trace)},
        annotate=bool(switch("ANNOTATE")),
    ),
)

# What to type:   make demo      the story of the bug, from a fresh clone
#                 make test      the test suite            (ARGS="-k rcu" goes to pytest)
#                 make speed     slabcore, floors in C and peers in one table
# and to check a change as CI does: .ci/run, which is made of make test and of
#                 make lint types bench sanitize examples
# `make format` formats the Python files; `make clean` forgets all that was built.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SANITIZERS := address,undefined
ARGS ?=
# A process a CPU; ARGS="-n0" is one process, as a debugger wants it.
WORKERS := -n auto --dist worksteal

# One compiler builds the extension and names the sanitizers' runtime.
export CC
export PIP_DISABLE_PIP_VERSION_CHECK := 1

CORE := setup.py slabcore/include/slabcore.h \
  $(wildcard slabcore/*.pyx slabcore/*.pxd slabcore/core/*.pxi)
INSTALL = $(BIN)/pip install -qq --no-build-isolation -e

.NOTPARALLEL:
.PHONY: demo test clients peers lint types docs bench speed sanitize examples versions \
  format clean

demo: $(VENV)/run
	@$(BIN)/slabcore demo

test: $(VENV)/test
	@$(BIN)/pytest $(WORKERS) $(ARGS)

# Programs in Python that read /proc/slabinfo; their tests are skipped without them.
clients: $(VENV)/clients

# Libraries in Python that slabcore is timed beside; their sides are skipped without them.
peers: $(VENV)/bench

lint: $(VENV)/lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint slabcore tests

# mypy reads the package, and like pyright what users write: examples/, tests/typing.
types: $(VENV)/lint $(VENV)/test
	$(BIN)/mypy
	$(BIN)/pyright
	PATH="$(CURDIR)/$(BIN):$$PATH" python tests/typing/complete.py
	$(BIN)/stubtest slabcore._core slabcore.capi

docs: $(VENV)/test
	$(BIN)/pytest -q tests/test_docs.py $(ARGS)

# ARGS=--whole runs every side of a row at all its sizes, which takes minutes.
bench: $(VENV)/test
	$(BIN)/pytest -q benchmarks --benchmark-disable-gc --benchmark-max-time=0.5 \
	  --benchmark-columns=min,median,stddev,rounds --benchmark-sort=name $(ARGS)

# Names of rows and options of benchmarks/speed.py go into ARGS. liburcu and ck are the
# system's: liburcu-dev and libck-dev.
speed: $(VENV)/run $(VENV)/bench
	$(BIN)/python benchmarks/speed.py $(ARGS)

# The same C file compiled into a copy of the package of its own, and the same suite
# run on that copy. PYTHONMALLOC=malloc lets ASan see each block that Python hands out;
# with --capture=sys pytest does not swallow the report of the process that ends. The
# documents' tables are made anew in the plain suite only: they take minutes here. Real
# clients read there alone too: the sanitizers' runtime would go into them.
SANITIZED = LD_PRELOAD="$$runtime" PYTHONMALLOC=malloc PYTHONSAFEPATH=1 \
  PYTHONPATH="$(CURDIR)/build/sanitize/lib" HYPOTHESIS_PROFILE=sanitize \
  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1

sanitize: $(VENV)/test
	SLABCORE_SANITIZE=$(SANITIZERS) $(BIN)/python setup.py -q build \
	  --build-base build/sanitize --build-lib build/sanitize/lib
	@runtime=$$($(CC) -print-file-name=libasan.so); test -e "$$runtime" || \
	  { echo "make sanitize: $(CC) has no libasan.so; use GCC: make sanitize CC=gcc" >&2; \
	    exit 2; }; \
	$(SANITIZED) $(BIN)/python -c "$$INSTRUMENTED" && \
	$(SANITIZED) $(BIN)/pytest -q -p no:cacheprovider --capture=sys $(WORKERS) \
	  -k "not generated_blocks and not clients" $(ARGS)

# sdist and wheel, what is in them, and examples/ on the wheel in an empty environment.
# Names of examples and options of examples/run.py go into ARGS.
examples: $(VENV)/dist
	$(BIN)/python examples/run.py $(ARGS)

# The suite on each version that is here, each in an environment of its own in build/;
# PYTHONS="python3.13 /opt/python/bin/python3" names others.
PYTHONS ?= python3.11 python3.12 python3.13
versions: export SUITE := -q -k "not generated_blocks and not clients" $(ARGS)
versions:
	@ran=; missing=; for python in $(PYTHONS); do \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])' \
	    2>/dev/null) || { missing="$$missing $$python"; continue; }; \
	  echo "== Python $$version"; \
	  HYPOTHESIS_PROFILE=sanitize $(MAKE) --no-print-directory test \
	    PYTHON=$$python VENV=build/python$$version \
	    ARGS="$$SUITE" || exit 1; \
	  ran="$$ran $$version"; \
	done; \
	echo "make versions: ran on:$${ran:- none}; not here:$${missing:- none}"; test "$$ran"

format: $(VENV)/lint
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:
	rm -rf $(VENV) build dist *.egg-info slabcore/*.so slabcore/_core.c \
	  slabcore/_core.html slabcore/capi.c slabcore/capi.html slabcore/capi_api.h \
	  slabcore/include/capi_api.h .hypothesis .mypy_cache .pytest_cache .ruff_cache

# --- the environment: a file in $(VENV) says that a set of packages is there ---

# Requirements are written in pyproject.toml and nowhere else.
define REQUIREMENTS
import sys, tomllib
with open("pyproject.toml", "rb") as file:
    pyproject = tomllib.load(file)
extras = pyproject["project"]["optional-dependencies"]
groups = {"build": pyproject["build-system"]["requires"], **extras}
print(*groups[sys.argv[1]], sep="\n")
endef
export REQUIREMENTS

define INSTRUMENTED
import sys
from slabcore import _core
with open(_core.__file__, "rb") as file:
    if b"__asan_report" not in file.read():
        sys.exit("make sanitize: %s is not instrumented" % _core.__file__)
print("pytest on", _core.__file__)
endef
export INSTRUMENTED

define USABLE
import os, shlex, shutil, sys, sysconfig
if sys.version_info < (3, 11):
    sys.exit("make: %s is Python %d.%d, slabcore needs 3.11 or newer; name another with "
             "make PYTHON=..." % ((sys.executable,) + sys.version_info[:2]))
try:
    import ensurepip, venv
except ImportError:
    sys.exit("make: %s cannot make a virtual environment with pip in it; install the "
             "package python3-venv" % sys.executable)
header = os.path.join(sysconfig.get_path("include"), "Python.h")
if not os.path.exists(header):
    sys.exit("make: %s is not there; install the package python3-dev" % header)
compiler = shlex.split(os.environ["CC"])[0]
if not shutil.which(compiler):
    sys.exit("make: no C compiler %r; install one or name it with make CC=..." % compiler)
endef
export USABLE

$(VENV)/build: pyproject.toml
	@$(PYTHON) -c "$$USABLE"
	@echo "setting up $(VENV): about a minute, once"
	@test -x $(BIN)/pip || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -c "$$REQUIREMENTS" build > $@.txt
	@$(BIN)/pip install -qq -r $@.txt
	@touch $@

$(VENV)/run: $(VENV)/build $(CORE)
	@echo "building slabcore._core"
	@$(INSTALL) .
	@touch $@

$(VENV)/test: $(VENV)/build $(CORE)
	@echo "building slabcore._core"
	@$(INSTALL) '.[test]'
	@touch $(VENV)/run $@

$(VENV)/lint $(VENV)/clients $(VENV)/dist: $(VENV)/build
	@$(BIN)/python -c "$$REQUIREMENTS" $(@F) > $@.txt
	@$(BIN)/pip install -qq -r $@.txt
	@touch $@

# A peer that cannot be installed here is left out; the tables name it.
$(VENV)/bench: $(VENV)/build
	@$(BIN)/python -c "$$REQUIREMENTS" bench > $@.txt
	@$(BIN)/pip install -qq -r $@.txt || while read -r peer; do \
	  $(BIN)/pip install -qq "$$peer" || echo "goes on without $$peer"; done < $@.txt
	@touch $@

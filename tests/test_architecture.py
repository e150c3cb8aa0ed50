"""The house: who may know whom, what a C function owes its caller, no module state."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import slabcore

# An arrow points to a lower floor, or to an earlier file of its own floor.
FLOORS = (
    (
        *("errors", "arena", "list", "side_list", "field_list", "clock", "trace"),
        *("decimal", "seq_file", "sources"),
    ),
    ("loadavg", "sched", "log", "rcu", "mutex", "workqueue"),
    (
        *("slab", "memcontrol"),
        *("cache_show_avx512", "cache_show", "cache_scan", "cache_text"),
        "cache_lists",
    ),
    (
        *("world", "invariants", "rcupdate", "slab_common", "cgroup", "procfs"),
        *("programs", "paths", "engine", "bulk", "snapshot", "admission"),
        *("_core", "reference"),
    ),
    (
        *("inputs", "machine", "mechanisms", "series", "designs"),
        *("envelope", "slabinfo", "files", "operands", "kernel"),
    ),
    (
        *(
            "overrides",
            "workloads",
            "traces",
            "capture",
            "mount",
            "comparison",
            "report",
            "ablation",
            "plot",
            "monitor",
            "life",
            "conformance",
            "capi",
            "simpy",
            "gates",
        ),
        "__init__",
    ),
    ("cli", "__main__"),
)
HOUSE = [module for floor in FLOORS for module in floor]
DATA_PLANE = {
    *("list", "side_list", "field_list", "seq_file", "slab", "memcontrol"),
    *("cache_show_avx512", "cache_show", "cache_scan", "cache_text"),
    "cache_lists",
}
TIME_PLANE = {"clock", "rcu", "mutex", "workqueue", "loadavg", "sched", "log"}
ENGINES = {"_core", "reference"}

PACKAGE = Path(slabcore.__file__).parent
PYTHON = {path.relative_to(PACKAGE): path for path in PACKAGE.rglob("*.py")}
CYTHON = {
    path.relative_to(PACKAGE): path
    for pattern in ("*.pyx", "*.pxd", "*.pxi")
    for path in PACKAGE.rglob(pattern)
}


def statements(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the column and the words of each statement, Python's or Cython's."""
    column, words = 0, []
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT}
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.NEWLINE:
                yield column, words
                words = []
            elif token.type not in silent:
                column = column if words else token.start[1]
                words.append(token.string)


# --- floors ---


def module_of(file: Path) -> str:
    """Name the file's place in the house: cli for all that lies in cli/."""
    place = file.parts[0].partition(".")[0]
    return "_core" if place == "core" else place


def imports(file: Path, path: Path) -> Iterator[str]:
    """Yield each module of the house that a file imports or cimports."""
    parent = ".".join(("slabcore", *file.parent.parts))
    for _, words in statements(path):
        verbs = [word for word in words if word in ("import", "cimport")]
        if not verbs or words[0] not in ("from", *verbs):
            continue
        at = words.index(verbs[0])
        clauses = " ".join(words[at + 1 :]).strip("() ,").split(",")
        names = [clause.split(" as ")[0].replace(" ", "") for clause in clauses]
        if words[0] == "from":
            source = importlib.util.resolve_name("".join(words[1:at]), parent)
            names = [f"{source}.{name}" for name in names]
        for name in names:
            package, _, inside = name.partition(".")
            if package == "slabcore":
                module = inside.split(".")[0]
                yield module if module in HOUSE else "__init__"


ARROWS = sorted(
    {
        (str(file), module_of(file), target)
        for file, path in (PYTHON | CYTHON).items()
        for target in imports(file, path)
        if target != module_of(file)
    }
)


def test_the_house_has_arrows():
    assert {"kernel", "_core"} <= {module for _, module, _ in ARROWS}


@pytest.mark.parametrize("file", sorted(map(str, PYTHON | CYTHON)))
def test_every_file_stands_on_a_floor(file):
    assert module_of(Path(file)) in HOUSE


@pytest.mark.parametrize(("file", "module", "target"), ARROWS)
def test_arrows_point_down(file, module, target):
    assert HOUSE.index(target) < HOUSE.index(module)


@pytest.mark.parametrize(("file", "module", "target"), ARROWS)
def test_the_planes_do_not_know_each_other(file, module, target):
    assert not (module in DATA_PLANE and target in TIME_PLANE)
    assert not (module in TIME_PLANE and target in DATA_PLANE - {"list"})


def test_only_kernel_touches_an_engine():
    users = {module for _, module, target in ARROWS if target in ENGINES}
    # The front door hands the core on, and capi to C; slabinfo prints and traces reads
    # a text by it; conformance is a check of both engines.
    doors = {"capi", "__init__"}
    assert users == {"kernel", "slabinfo", "traces", "conformance"} | doors


def test_the_reference_owes_nothing_to_the_core():
    known = {target for _, module, target in ARROWS if module == "reference"}
    assert known == {"errors"}


@pytest.mark.parametrize("module", HOUSE)
def test_the_map_shows_every_module(module):
    page = Path(__file__).parents[1] / "CONTRIBUTING.md"
    assert re.search(rf"^\| .*`{module}[./]", page.read_text(), re.MULTILINE)


# --- signatures ---

# What may follow the parameters of a C function. A header's never needs the GIL;
# the core's may, and one that returns a Python object raises as Python does. C itself
# is never raised at: what it calls answers with a code.
IN_HEADERS = {"noexcept nogil", "except -1 nogil", "except NULL nogil"}
IN_THE_CORE = {*IN_HEADERS, "except -1", "except NULL"}
FOR_C = {*IN_THE_CORE, "noexcept"}
OBJECTS = {"object", "bytes", "dict", "list", "str", "tuple", "World"}
BLOCKS = ("class", "struct", "union", "enum", "extern")


def declarations(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the column and the words of each C declaration, without cdef and body."""
    block = None
    for column, words in statements(path):
        if block is not None and column <= block:
            block = None
        declares = words[0] in ("cdef", "cpdef", "ctypedef")
        if not declares and block is None:
            continue
        if declares and (words[1] == ":" or set(words[1:3]) & set(BLOCKS)):
            block = column if "class" not in words else block
            continue
        depth, declaration = 0, []
        for word in words[declares:]:
            depth += (word in "([{") - (word in ")]}")
            if word == ":" and not depth:
                break
            declaration.append(word)
        declaration = [word for word in declaration if word not in ("inline", "api")]
        if words[0] != "ctypedef" or is_function(declaration):
            yield column, declaration


def is_function(declaration: list[str]) -> bool:
    """Tell a function, or a pointer to one, from a variable and its first value."""
    before_value = declaration[: (*declaration, "=").index("=")]
    return "(" in before_value[1:]


def contract(declaration: list[str]) -> str:
    """Return what follows the parameters."""
    after = declaration[::-1][: declaration[::-1].index(")")][::-1]
    return " ".join(after).replace("- 1", "-1")


def promise_broken(module: str, declaration: list[str]) -> bool:
    if module not in ("_core", "capi"):
        return contract(declaration) not in IN_HEADERS
    if declaration[0] in OBJECTS:
        return contract(declaration) != ""
    known = IN_THE_CORE if module == "_core" else FOR_C
    return contract(declaration) not in known


NO_FUNCTIONS = {"__init__.pxd", "_core.pxd", "_core.pyx", "core/timers.pxi"}


@pytest.mark.parametrize("file", sorted(map(str, CYTHON)))
def test_a_signature_says_how_it_fails(file):
    functions = [
        declaration
        for _, declaration in declarations(PACKAGE / file)
        if is_function(declaration)
    ]
    assert functions or file in NO_FUNCTIONS
    silent = [
        " ".join(function)
        for function in functions
        if promise_broken(module_of(Path(file)), function)
    ]
    assert silent == []


# --- state ---

MUTABLE = {
    *("list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict"),
    *("Counter", "array", "zeros", "empty", "ones", "count", "iter", "Random"),
}


def is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        name = ast.unparse(value.func).partition("[")[0]
        return name.rpartition(".")[2] in MUTABLE
    if isinstance(value, ast.Tuple):
        return any(map(is_mutable, value.elts))
    displays = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    return isinstance(value, (*displays, ast.GeneratorExp))


@pytest.mark.parametrize("file", sorted(map(str, PYTHON)))
def test_a_module_keeps_no_state(file):
    tree = ast.parse((PACKAGE / file).read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)]
    state = [
        ast.unparse(node)
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign))
        and not ast.unparse(node).startswith("__all__ ")
        and is_mutable(node.value)
    ]
    assert state == []


@pytest.mark.parametrize("file", sorted(map(str, CYTHON)))
def test_a_compiled_module_keeps_no_state(file):
    variables = [
        " ".join(words)
        for column, words in declarations(PACKAGE / file)
        if column == 0 and not is_function(words) and words[0] != "const"
    ]
    # What C holds has no owner but the table of its handles.
    assert variables == (["arena places"] if file == "capi.pyx" else [])


# --- where an error was raised ---


@pytest.mark.parametrize("first", ["intrusive_list", "rcu_queue"])
def test_a_traceback_names_the_file_and_the_function(first):
    """Lines of two files may have one number, of which Cython remembers one place."""
    program = f"""
import json, traceback
from slabcore import IntrusiveList, RcuQueue, StaleHandleError
def told(call, *operands):
    try:
        call(*operands)
    except (ValueError, TypeError, StaleHandleError) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return place.filename, place.name
entries, queue = IntrusiveList([1]), RcuQueue()
lines = [(entries.value, "x"), (entries.move, 7), (entries.next, "x")]
others = [(queue.call, 1, 5), (queue.advance, 5), (queue.segments, 5)]
rooms = [lines, others] if {first!r} == "intrusive_list" else [others, lines]
print(json.dumps([told(*call) for room in rooms for call in room]))
"""
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    places = json.loads(output)
    assert len(places) == 6
    for filename, name in places:
        room = {"IntrusiveList": "intrusive_list", "RcuQueue": "rcu_queue"}
        assert room[name.split(".")[2]] == Path(filename).stem
        assert "_core.c:" in name


# --- weight ---


def test_import_loads_numpy_and_the_core_only():
    program = (
        "import json, sys; before = set(sys.modules); import slabcore; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    loaded = json.loads(output)
    packages = {
        package
        for package in (name.partition(".")[0] for name in loaded)
        if package not in sys.stdlib_module_names
        and not package.strip("_").startswith("cython_")  # made by the core itself
    }
    assert packages <= {"numpy", "slabcore"}
    assert "slabcore.cli" not in loaded
    assert not {"difflib", "tomllib"} & {*loaded}  # they are the slow part of it

"""Write docs/api.md: every public name, its signature and what its docstring says.

    python docs/api.py             write it
    python docs/api.py --check     write nothing; status 1 if it is stale

Signatures are read from the sources, or from the stub of the compiled module, so that
types stand there as they are checked, and no optional dependency is needed.
"""

from __future__ import annotations

import argparse
import ast
import functools
import importlib
import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"

# What users import, in the order of the page, what it is for, and its names if they are
# not all of them. A name that two modules have stands under the first.
MODULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("slabcore", "A script needs no other.", ()),
    ("slabcore.gates", "Gates on the performance of any code.", ()),
    ("slabcore.simpy", "A kernel in a SimPy simulation (`slabcore[sim]`).", ()),
    ("slabcore.kernel", "What a `Kernel` takes and gives.", ()),
    ("slabcore.slabinfo", "The text of /proc/slabinfo, read and printed.", ()),
    ("slabcore.workloads", "What a machine is asked to do, as data.", ()),
    ("slabcore.comparison", "What `compare()` returns.", ("Comparison", "Result")),
    ("slabcore.ablation", "What `ablate()` returns.", ("Ablation", "Trial")),
    ("slabcore.monitor", "What `watch()` returns.", ("Watch",)),
)
COMPILED = "slabcore._core"

HEAD = """\
# Reference

Every public name, its signature and what `help()` says of it, made from the sources by
`python docs/api.py`. What is not here is slabcore's own affair and may change.
"""
# What Python writes otherwise than as a call of a method.
SPECIAL = {
    "__len__": "`len()`",
    "__getitem__": "`[…]`",
    "__contains__": "`in`",
    "__iter__": "iteration",
    "__enter__": "`with`",
}
PARAMETER = re.compile(r"\*{0,2}(?P<names>\w+(, \w+)*): ")
OUTCOMES = frozenset({"Returns", "Yields", "Raises"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def tree(module: str) -> ast.Module:
    """Return a module's source, or its stub."""
    path = ROOT.joinpath(*module.split("."))
    files = (path.with_suffix(".pyi"), path.with_suffix(".py"), path / "__init__.py")
    return ast.parse(next(file for file in files if file.exists()).read_text("utf-8"))


def public(module: str) -> list[str]:
    """Return the names of a module's __all__."""
    for node in tree(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    raise LookupError(f"{module} has no __all__")


def made(module: str, name: str) -> tuple[str, list[ast.stmt]]:
    """Return the module in which a name is made, and what makes it; follow imports."""
    found: list[ast.stmt] = []
    body = tree(module).body
    # An import that may fail is in a try.
    tried = [inner for node in body if isinstance(node, ast.Try) for inner in node.body]
    for node in tried + body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name and node.module:
                    return made(node.module, alias.name)
        elif isinstance(node, Function | ast.ClassDef):
            found += [node] * (node.name == name)
        elif isinstance(node, ast.AnnAssign):
            found += [node] * (ast.unparse(node.target) == name)
        elif isinstance(node, ast.Assign):
            found += [node] * any(ast.unparse(at) == name for at in node.targets)
    if not found:
        raise LookupError(f"{module} does not make {name}")
    return module, found


# --- signatures ---


def decorators(node: Function | ast.ClassDef) -> set[str]:
    """Return the names of what decorates a definition."""
    return {ast.unparse(each).partition("(")[0] for each in node.decorator_list}


def parameter(node: ast.arg, default: ast.expr | None, stars: str = "") -> str:
    """Return a parameter as the sources write it."""
    text = stars + node.arg
    if node.annotation is not None:
        text += f": {ast.unparse(node.annotation)}"
    if default is None:
        return text
    equals = " = " if node.annotation is not None else "="
    return f"{text}{equals}{written(default)}"


def written(value: ast.expr) -> str:
    """Return a default as one reads it: 1_000_000 and "text"."""
    if isinstance(value, ast.Constant) and isinstance(value.value, int | str):
        if isinstance(value.value, str):
            return json.dumps(value.value)
        if not isinstance(value.value, bool):
            return f"{value.value:_}"
    return ast.unparse(value)


def signature(function: Function, *, bound: bool = False) -> str:
    """Return what stands behind a function's name; of a bound one, without self."""
    given = function.args
    first = [*given.posonlyargs, *given.args]
    missing = len(first) - len(given.defaults)
    defaults: list[ast.expr | None] = [*[None] * missing, *given.defaults]
    texts = list(map(parameter, first, defaults))
    if given.posonlyargs:
        texts.insert(len(given.posonlyargs), "/")
    if bound and "staticmethod" not in decorators(function):
        texts = texts[2:] if texts[1:2] == ["/"] else texts[1:]
    if given.vararg is not None:
        texts.append(parameter(given.vararg, None, "*"))
    elif given.kwonlyargs:
        texts.append("*")
    texts += map(parameter, given.kwonlyargs, given.kw_defaults)
    if given.kwarg is not None:
        texts.append(parameter(given.kwarg, None, "**"))
    returns = ""
    if function.returns is not None and function.name not in ("__init__", "__new__"):
        returns = f" -> {ast.unparse(function.returns)}"
    return f"({', '.join(texts)}){returns}"


def operands(functions: list[Function]) -> frozenset[str]:
    """Return the names that a docstring can say something of, a line each."""
    names = set(OUTCOMES)
    for function in functions:
        given = function.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        names |= {each.arg for each in [*every, given.vararg, given.kwarg] if each}
    return frozenset(names)


def made_by(node: ast.ClassDef) -> list[Function]:
    """Return what makes an object of a class, if the class says so."""
    return [
        each
        for each in node.body
        if isinstance(each, Function) and each.name in ("__init__", "__new__")
    ]


def constructor(node: ast.ClassDef) -> str:
    """Return what stands behind the name of a class when it is called."""
    for each in made_by(node):
        return signature(each, bound=True)
    if "dataclasses.dataclass" in decorators(node):
        return "(…)"
    return ""


# --- docstrings ---


def docstring(module: str, path: str, node: ast.stmt) -> str:
    """Return what is said of a name: a stub's is the compiled module's to say."""
    if module == COMPILED:
        said = importlib.import_module(module)
        for name in path.split("."):
            said = getattr(said, name)
        text = inspect.getdoc(said) or ""
        name = path.rpartition(".")[2]
        head = rf"\A(\w+\.)?{name}(\(.*\)( -> .*)?|: .*)\n(--\n)?\n*"
        return re.sub(head, "", text)
    if isinstance(node, Function | ast.ClassDef):
        return ast.get_docstring(node) or ""
    return ""


def prose(text: str, names: frozenset[str] = OUTCOMES) -> Iterator[str]:
    """Yield a docstring's lines as Markdown: operands as a list, sessions fenced.

    names: operands. "one: such a line" of another word goes on with a sentence.
    """
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = part.splitlines()
        at = next((i for i, line in enumerate(lines) if line.startswith(">>> ")), None)
        inside = False
        for line in lines[:at]:
            found = PARAMETER.match(line)
            begins = bool(found and names.issuperset(found["names"].split(", ")))
            inside = inside or begins
            yield f"* {line}" if begins else "  " * inside + line
        if at is not None:
            yield from ("", "```pycon", *lines[at:], "```")
        yield ""


def entry(name: str, text: str, names: frozenset[str] = OUTCOMES) -> Iterator[str]:
    """Yield an item of a list: a name, and what is said of it."""
    first, *rest = [*prose(text, names), ""]
    while rest and not rest[-1]:
        rest.pop()
    yield f"* {name}: {first}" if first else f"* {name}"
    for line in rest:
        yield f"  {line}".rstrip()


# --- the page ---


def members(module: str, node: ast.ClassDef) -> Iterator[str]:
    """Yield what a class has of its own, in the order of the source."""
    special = []
    methods: dict[str, list[Function]] = {}
    for each in node.body:
        if isinstance(each, Function):
            methods.setdefault(each.name, []).append(each)
    for i, each in enumerate(node.body):
        if isinstance(each, ast.AnnAssign):
            field = f"{ast.unparse(each.target)}: {ast.unparse(each.annotation)}"
            if not field.startswith("_"):
                yield from entry(f"`{field}`", literal(node.body[i + 1 : i + 2]))
        elif isinstance(each, Function) and each is methods[each.name][0]:
            if each.name in SPECIAL:
                special.append(SPECIAL[each.name])
            if not each.name.startswith("_") or each.name == "__call__":
                yield from method(module, node.name, methods[each.name])
    if special:
        yield from ("", f"And {', '.join(special)}.", "")


def method(module: str, of_class: str, nodes: list[Function]) -> Iterator[str]:
    """Yield what there is to say of a method or a property."""
    first, name = nodes[0], nodes[0].name
    if decorators(first) & {"property", "functools.cached_property"}:
        returns = f": {ast.unparse(first.returns)}" if first.returns else ""
        said = docstring(module, f"{of_class}.{name}", first)
        yield from entry(f"`{name}{returns}`", said)
        return
    overloads = [node for node in nodes if "overload" in decorators(node)] or nodes
    shown = "its call " if name == "__call__" else name
    titles = [f"`{shown}{signature(node, bound=True)}`" for node in overloads]
    said = docstring(module, f"{of_class}.{name}", nodes[-1])
    yield from entry(",\n  ".join(titles), said, operands(nodes))


def literal(nodes: list[ast.stmt]) -> str:
    """Return the text that stands alone below a field, if any."""
    for node in nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return inspect.cleandoc(str(node.value.value))
    return ""


def title(module: str, name: str) -> str:
    """Return a name as it is written after ``import slabcore``, without slabcore."""
    return f"{module}.{name}".removeprefix("slabcore.")


def block(module: str, name: str) -> Iterator[str]:
    """Yield what there is to say of a public name."""
    where, nodes = made(module, name)
    node = nodes[-1]
    yield from ("", f"### {title(module, name)}", "")
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(f"`{ast.unparse(base)}`" for base in node.bases)
        of = f", derived from {bases}" if bases else ""
        yield from (f"`{name}{constructor(node)}`{of}", "")
        names = operands(made_by(node))
        yield from prose(docstring(where, node.name, node), names)
        for each in made_by(node):
            yield from prose(ast.get_docstring(each) or "", names)
        yield from members(where, node)
    elif isinstance(node, Function):
        yield from (f"`{name}{signature(node)}`", "")
        yield from prose(docstring(where, node.name, node), operands([node]))
    else:
        at = tree(where).body.index(node)
        yield from prose(literal(tree(where).body[at + 1 : at + 2]))


def page() -> str:
    """Return the whole page. Raises: LookupError if nothing is said of a name."""
    index: list[str] = []
    lines: list[str] = []
    seen: set[tuple[str, str]] = set()
    anchors: Counter[str] = Counter()
    for module, purpose, names in MODULES:
        lines += ["", f"## {module}", "", purpose]
        links = []
        for name in names or public(module):
            place = made(module, name)[0], name
            if place in seen:
                continue
            seen.add(place)
            said = list(block(module, name))
            if not any(said[3:]):
                raise LookupError(f"{module}.{name}: nothing is said of it")
            lines += said
            anchor = title(module, name).replace(".", "").lower()
            # Headings that differ in capitals only are numbered.
            anchors[anchor] += 1
            again = f"-{anchors[anchor] - 1}" if anchors[anchor] > 1 else ""
            links.append(f"[{name}](#{anchor}{again})")
        joined = " ·\n  ".join(links)
        index += [f"* [{module}](#{module.replace('.', '')}):", f"  {joined}"]
    text = "\n".join((HEAD, *index, *lines)) + "\n"
    return re.sub(r"\n{3,}", "\n\n", text)


def main() -> int:
    """Write or check; return the status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    stale = not PAGE.exists() or PAGE.read_text("utf-8") != page()
    if stale:
        print(f"{PAGE.relative_to(ROOT)}: {'stale' if check else 'written'}")
        if not check:
            PAGE.write_text(page(), "utf-8")
    return int(check and stale)


if __name__ == "__main__":
    raise SystemExit(main())

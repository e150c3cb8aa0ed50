"""The small language of --fail-if: figures of the result, arithmetic, comparisons."""

from __future__ import annotations

import ast
import difflib
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from slabcore.errors import InputError

__all__ = ["Condition"]

_ARITHMETIC = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
    }
)
_COMPARISONS = MappingProxyType(
    {
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
    }
)
_EXAMPLE = "something like 4.11.virtual_s > 1.15 * 4.6.virtual_s"


class Condition:
    """Hold an expression over the figures of a comparison.

    ``4.10.kworkers_peak > 100`` is about one design; a path without a design, as in
    ``grace_periods.under_slab_mutex > 0``, is about each of them.
    Raises: InputError if the text is no such expression.
    """

    def __init__(self, text: str, designs: Sequence[str]) -> None:
        self.text = text
        self._designs = {f"design_{n}": name for n, name in enumerate(designs)}
        source = text.strip()
        for mark, name in sorted(self._designs.items(), key=lambda d: -len(d[1])):
            source = re.sub(
                rf"(?<![\w.]){re.escape(name)}\.(?=[A-Za-z_])", f"{mark}.", source
            )
        unknown = re.search(r"(?<![\w.])(v?\d+(?:\.\d+)+)\.(?=[A-Za-z_])", source)
        if unknown:
            what = f"design {unknown[1]} is not compared"
            raise self._error(what, "one of " + ", ".join(designs))
        try:
            self._tree = ast.parse(source, mode="eval").body
        except (SyntaxError, ValueError):
            raise self._error("this is no expression", _EXAMPLE) from None
        if not _is_truth(self._tree):
            raise self._error("this is neither true nor false", _EXAMPLE)
        self._check(self._tree)

    @property
    def is_about_each(self) -> bool:
        """Tell whether a path in it stands for the figure of each design."""
        names = [node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)]
        return any(name not in self._designs for name in names)

    def check(self, result: Mapping[str, Any]) -> None:
        """Look up every figure in a result of any design. Raises: InputError."""
        inner = [n.value for n in ast.walk(self._tree) if isinstance(n, ast.Attribute)]
        for node in ast.walk(self._tree):
            if node not in inner and _path(node):
                self._entry(_path(node), result)

    def holds(self, results: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return the designs under which the expression is true.

        results: as in ``slabcore.comparison/1``. An expression that names its designs
        itself is true of all of them or of none.
        Raises: InputError if a figure does not exist or has no value.
        """
        by_name = {result["design"]: result for result in results}
        if self.is_about_each:
            return [name for name in by_name if self._value(self._tree, by_name, name)]
        return list(by_name) if self._value(self._tree, by_name, "") else []

    def _check(self, node: ast.AST) -> None:
        match node:
            case ast.BoolOp(values=parts):
                pass
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=part):
                parts = [part]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                parts = [left, right]
            case ast.Compare(left=left, ops=ops, comparators=others) if all(
                type(op) in _COMPARISONS for op in ops
            ):
                parts = [left, *others]
            case ast.Constant(value=int() | float()) if not isinstance(
                node.value, bool
            ):
                parts = []
            case ast.Attribute() | ast.Name() if _path(node):
                parts = []
            case _:
                shown = ast.unparse(node)
                for mark, name in self._designs.items():
                    shown = shown.replace(f"{mark}.", f"{name}.")
                expected = "figures, numbers, + - * /, comparisons, and, or, not"
                raise self._error(f"{shown} is not allowed", expected)
        for part in parts:
            self._check(part)

    def _value(self, node: ast.AST, results: Mapping[str, Any], each: str) -> Any:
        match node:
            case ast.BoolOp(op=ast.And(), values=parts):
                return all(self._value(part, results, each) for part in parts)
            case ast.BoolOp(values=parts):
                return any(self._value(part, results, each) for part in parts)
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return not self._value(part, results, each)
            case ast.UnaryOp(operand=part):
                return -self._value(part, results, each)
            case ast.BinOp(left=left, op=op, right=right):
                sides = [self._value(part, results, each) for part in (left, right)]
                try:
                    return _ARITHMETIC[type(op)](*sides)
                except ZeroDivisionError:
                    raise self._error("it divides by zero", "another divisor") from None
            case ast.Compare(left=left, ops=ops, comparators=others):
                values = [self._value(part, results, each) for part in (left, *others)]
                pairs = zip(ops, values, values[1:], strict=False)
                return all(_COMPARISONS[type(op)](a, b) for op, a, b in pairs)
            case ast.Constant(value=number):
                return number
            case _:
                return self._figure(_path(node), results, each)

    def _figure(
        self, path: Sequence[str], results: Mapping[str, Any], each: str
    ) -> Any:
        design = self._designs.get(path[0], each)
        value = self._entry(path, results[design])
        if value is None:
            where = ".".join(path[1:] if path[0] in self._designs else path)
            what = f"{where} has no value under {design}"
            raise self._error(what, "a figure that has one")
        return value

    def _entry(self, path: Sequence[str], result: Mapping[str, Any]) -> Any:
        names = path[1:] if path[0] in self._designs else path
        value: Any = result
        for depth, name in enumerate(names):
            if not isinstance(value, Mapping) or name not in value:
                known = (
                    list(value) if isinstance(value, Mapping) else ["a number there"]
                )
                near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known
                what = f"there is no figure {'.'.join(names[: depth + 1])}"
                raise self._error(what, " or ".join(near))
            value = value[name]
        where = ".".join(names)
        if isinstance(value, Mapping):
            parts = " or ".join(f"{where}.{name}" for name in value)
            raise self._error(f"{where} is no figure", parts)
        if isinstance(value, str | list):
            raise self._error(f"{where} is no figure", "a number")
        return value

    def _error(self, what: str, expected: str) -> InputError:
        return InputError(f"--fail-if {self.text!r}", what, expected)


def _is_truth(node: ast.AST) -> bool:
    match node:
        case ast.Compare():
            return True
        case ast.BoolOp(values=parts):
            return all(_is_truth(part) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return _is_truth(part)
    return False


def _path(node: ast.AST) -> list[str]:
    """Return the names of a path a.b.c; nothing if it is none."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []

"""Changing one figure of a workload, machine, costs or design by its path."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from slabcore.designs import Design
from slabcore.errors import InputError
from slabcore.machine import Costs

__all__ = ["in_words", "override", "parse"]

T = TypeVar("T")


def parse(setting: str) -> tuple[str, Any]:
    """Split ``PATH=VALUE``; the value is read as TOML, or is a plain word.

    Raises: InputError.
    """
    path, equals, text = setting.partition("=")
    if not equals or not path.strip() or not text.strip():
        raise InputError(f"--set {setting}", "this is no setting", "PATH=VALUE")
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return path.strip(), text.strip()
    return path.strip(), table["value"] if len(table) == 1 else text.strip()


def override(target: T, path: str, value: Any, *, within: str = "") -> T:
    """Return *target* with the value at *path* replaced.

    path: names joined by dots; entries of a list by name or by number from 0, as in
    ``programs.loop.copies``. *within* comes before it in error texts.
    Raises: InputError naming the neighbours of an unknown name, or the type wanted.
    """
    return typing.cast(T, _replaced(target, path.split("."), value, within))


def _replaced(target: Any, parts: list[str], value: Any, within: str) -> Any:
    name, *rest = parts
    where = f"{within}.{name}" if within else name
    if isinstance(target, tuple):
        index = _index(target, name, where)
        entry = _replaced(target[index], rest, value, where) if rest else None
        if entry is None:
            raise InputError(where, "this is a table", _one_of(_names(target[index])))
        return (*target[:index], entry, *target[index + 1 :])
    names = _names(target)
    if name not in names:
        raise InputError(where, "there is nothing of that name", _nearest(name, names))
    if isinstance(target, dict):
        if rest:
            raise InputError(
                f"{where}.{rest[0]}", f"{where} has no parts", f"{where}=VALUE"
            )
        return {**target, name: value}
    current = getattr(target, name)
    if rest:
        if not _names(current):
            raise InputError(
                f"{where}.{rest[0]}", f"{where} has no parts", f"{where}=VALUE"
            )
        new = _replaced(current, rest, value, where)
        if isinstance(current, dict):
            hint = typing.get_type_hints(type(target), include_extras=True)[name]
            entries = typing.get_args(hint)[1]
            new[rest[0]] = _converted(new[rest[0]], entries, f"{where}.{rest[0]}")
    elif _names(current):
        raise InputError(where, "this is a table", _one_of(_names(current)))
    else:
        hint = typing.get_type_hints(type(target), include_extras=True)[name]
        new = _converted(value, hint, where)
    if isinstance(target, Costs):
        return target.replace("set for this run", **{name: new})
    if isinstance(target, msgspec.Struct):
        return msgspec.structs.replace(target, **{name: new})
    return dataclasses.replace(target, **{name: new})


def _names(target: Any) -> list[str]:
    """Return the names below *target*; none if it is a plain value."""
    if isinstance(target, Design):
        return list(target.knobs)
    if isinstance(target, Costs):
        return [f.name for f in dataclasses.fields(target) if "cost" in f.metadata]
    if isinstance(target, dict):
        return list(target)
    if isinstance(target, msgspec.Struct):
        return [field.name for field in msgspec.structs.fields(target)]
    if dataclasses.is_dataclass(target):
        return [field.name for field in dataclasses.fields(target)]
    if isinstance(target, tuple) and any(isinstance(e, msgspec.Struct) for e in target):
        return [
            getattr(entry, "name", str(index)) for index, entry in enumerate(target)
        ]
    return []


def _index(entries: tuple[Any, ...], name: str, where: str) -> int:
    names = _names(entries)
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(entries):
        return int(name)
    raise InputError(where, "there is nothing of that name", _nearest(name, names))


def _nearest(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return " or ".join(near) if near else _one_of(names)


def _one_of(names: Sequence[str]) -> str:
    return "one of " + ", ".join(names)


def _converted(value: Any, hint: Any, where: str) -> Any:
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError:
        raise InputError(where, f"{value!r}", in_words(hint)) from None


def in_words(hint: Any) -> str:
    """Say what values a type has: ``int``, ``'on' or 'off'``."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(repr(choice) for choice in arguments)
    if typing.get_origin(hint) is typing.Annotated:
        bounds = next(a for a in arguments if isinstance(a, msgspec.Meta))
        low = f" from {bounds.ge:g}" if bounds.ge is not None else ""
        high = f" to {bounds.le:g}" if bounds.le is not None else ""
        return in_words(arguments[0]) + low + high
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        wanted = [argument for argument in arguments if argument is not type(None)]
        return " or ".join(dict.fromkeys(in_words(argument) for argument in wanted))
    if typing.get_origin(hint) is tuple:
        return "a list of " + in_words(arguments[0]).replace("a table", "tables")
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return "a table"
    words = {
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
    }
    return words.get(hint, getattr(hint, "__name__", str(hint)))

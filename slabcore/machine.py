"""The machine a kernel runs on, and what each step of the kernel costs there."""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from slabcore.errors import InputError

__all__ = ["Costs", "Machine", "cost_presets"]

_PRESETS = Path(__file__).parent / "costs"
_MAX_NS = 3_600_000_000_000  # an hour for one step: surely a slip of units

_TRACES = "raw traces of emulated 4.8.15, 4.10.17 and 4.12.10 kernels, halved"
_GUESS = "estimate"


def _cost(ns: int, source: str) -> Any:
    return dataclasses.field(default=ns, metadata={"source": source})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Costs:
    """Say what each step of the kernel costs on one host, in nanoseconds.

    One set serves every kernel of its host. The defaults describe no host in
    particular; ``Costs.preset()`` reads those that were measured.
    """

    list_hop: tuple[tuple[int, int], ...] = dataclasses.field(
        default=((1_000, 3_000), (10_000, 8_500), (100_000, 200_000)),
        metadata={"source": "pointer chases of 64 to 512 byte strides, 6.18 host"},
    )
    """Picoseconds a hop by length of the list: points (length, picoseconds)."""
    context_switch: int = _cost(2_000, _GUESS)
    cgroup_mkdir: int = _cost(200_000, _TRACES)
    cgroup_rmdir: int = _cost(100_000, _TRACES)
    cgroup_attach: int = _cost(20_000, _GUESS)
    fork: int = _cost(100_000, _GUESS)
    exit: int = _cost(100_000, _GUESS)
    css_offline: int = _cost(30_000, _TRACES)
    css_release: int = _cost(20_000, _TRACES)
    css_free: int = _cost(100_000, _TRACES)
    cgroup_free: int = _cost(20_000, _GUESS)
    alloc: int = _cost(100, _GUESS)
    alloc_miss: int = _cost(1_000, _GUESS)
    create_check: int = _cost(1_500, _TRACES)
    cache_create: int = _cost(5_500, _TRACES)
    kernfs_add: int = _cost(2_500, _TRACES)
    kernfs_remove: int = _cost(1_500, _GUESS)
    shrink: int = _cost(15_000, _TRACES)
    shutdown: int = _cost(10_000, _TRACES)
    release: int = _cost(8_000, _TRACES)
    ipi: int = _cost(3_000, _GUESS)
    rcu_callback: int = _cost(500, _GUESS)
    worker_create: int = _cost(50_000, _GUESS)
    page_alloc: int = _cost(1_000, _GUESS)
    page_free: int = _cost(500, _GUESS)

    name: str = "default"
    title: str = "no host in particular"
    host: str = ""
    method: str = ""
    sources: Mapping[str, str] = dataclasses.field(
        default_factory=dict, compare=False, repr=False
    )
    """Where each figure comes from, by field."""

    def __post_init__(self) -> None:
        """Check every figure. Raises: InputError."""
        for field in _cost_fields():
            value = getattr(self, field.name)
            where = f"costs.{field.name}"
            if field.name == "list_hop":
                object.__setattr__(self, "list_hop", _points(value, where))
            else:
                _check_int(value, where, 0, _MAX_NS, "ns")
        if not self.sources:
            known = {f.name: f.metadata["source"] for f in _cost_fields()}
            object.__setattr__(self, "sources", known)

    @classmethod
    def preset(cls, name: str) -> Costs:
        """Read a set of costs: the name of a preset, or a TOML file.

        The file has name, title, host and method, and for each cost a table with
        ns (or points, pairs of length and picoseconds, for list_hop) and source.
        What a file leaves out keeps its default.
        Raises: InputError.
        """
        path = Path(name)
        if path.suffix != ".toml":
            path = _PRESETS / f"{name}.toml"
            if name not in cost_presets():
                raise InputError("costs", f"no preset {name!r}", _nearest(name))
        where = os.fspath(path)
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            text = error.strerror or str(error)
            raise InputError(where, text.lower(), "a TOML file of costs") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(where, str(error), "TOML") from None
        return cls._from_table(table, where, path.stem)

    @classmethod
    def _from_table(cls, table: dict[str, Any], where: str, stem: str) -> Costs:
        fields = {field.name: field for field in _cost_fields()}
        arguments: dict[str, Any] = {"name": stem}
        sources = {
            name: "default: " + f.metadata["source"] for name, f in fields.items()
        }
        for key, value in table.items():
            if key in ("name", "title", "host", "method"):
                if not isinstance(value, str):
                    raise InputError(f"{where}: {key}", f"{value!r} is no text", "text")
                arguments[key] = " ".join(value.split())
                continue
            if key not in fields:
                near = difflib.get_close_matches(key, fields, n=3, cutoff=0.4)
                expected = " or ".join(near) if near else "one of " + ", ".join(fields)
                raise InputError(where, f"no cost is called {key!r}", expected)
            unit = "points" if key == "list_hop" else "ns"
            if not isinstance(value, dict) or unit not in value:
                raise InputError(
                    f"{where}: {key}",
                    f"no {unit} in it",
                    f"a table with {unit} and source",
                )
            arguments[key] = value[unit]
            sources[key] = " ".join(str(value.get("source", "no source given")).split())
        try:
            return cls(**arguments, sources=sources)
        except InputError as error:
            at = error.where.removeprefix("costs.")
            raise InputError(f"{where}: {at}", error.what, error.expected) from None

    def replace(self, source: str = "set by hand", **costs: Any) -> Costs:
        """Return the costs with some figures changed, and said to be from *source*."""
        sources = {**self.sources, **dict.fromkeys(costs, source)}
        return dataclasses.replace(self, sources=sources, **costs)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures with their sources, ready for JSON."""
        described = {
            key: getattr(self, key) for key in ("name", "title", "host", "method")
        }
        figures: dict[str, Any] = {}
        for field in _cost_fields():
            value = getattr(self, field.name)
            unit = "points" if field.name == "list_hop" else "ns"
            if field.name == "list_hop":
                value = [list(point) for point in value]
            figures[field.name] = {
                unit: value,
                "source": self.sources.get(field.name, ""),
            }
        return described | figures


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """Describe the host: CPUs, timer frequency, kernel options, costs."""

    cpus: int = 8
    hz: int = 250
    allocator: Literal["slub"] = "slub"
    kmem: Literal["default", "on", "off"] = "default"
    """Kernel memory accounting: as the kernel has it, or switched (nokmem is off)."""
    kernfs_per_cache: int = 32
    """kernfs nodes of one cache's directory; the kernel's options decide."""
    kernfs_per_cgroup: int = 27
    page_size: int = 4096
    costs: Costs = dataclasses.field(default_factory=Costs)

    def __post_init__(self) -> None:
        """Check every field. Raises: InputError."""
        _check_int(self.cpus, "machine.cpus", 1, 4096)
        _check_int(self.hz, "machine.hz", 1, 10_000)
        _check_int(self.kernfs_per_cache, "machine.kernfs_per_cache", 0, 1_000)
        _check_int(self.kernfs_per_cgroup, "machine.kernfs_per_cgroup", 0, 10_000)
        _check_int(self.page_size, "machine.page_size", 4096, 65_536)
        if self.page_size & (self.page_size - 1):
            raise InputError("machine.page_size", f"{self.page_size}", "a power of two")
        _check_choice(self.allocator, "machine.allocator", ("slub",))
        _check_choice(self.kmem, "machine.kmem", ("default", "on", "off"))
        if not isinstance(self.costs, Costs):
            raise InputError("machine.costs", f"{self.costs!r}", "a Costs")

    def replace(self, **fields: Any) -> Machine:
        """Return the machine with some fields changed."""
        return dataclasses.replace(self, **fields)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the costs, ready for JSON."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "costs"
        }


def cost_presets() -> list[str]:
    """Return the names of the shipped sets of costs."""
    return sorted(path.stem for path in _PRESETS.glob("*.toml"))


def _cost_fields() -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(Costs) if "source" in f.metadata]


def _nearest(name: str) -> str:
    known = cost_presets()
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"{near[0]} (nearest)" if near else "one of " + ", ".join(known)


def _check_int(value: Any, where: str, low: int, high: int, unit: str = "") -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not low <= value <= high
    ):
        expected = f"a whole number from {low} to {high}"
        raise InputError(where, f"{value!r}", f"{expected} {unit}".strip())


def _check_choice(value: Any, where: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(where, f"{value!r}", " or ".join(choices))


def _points(value: Any, where: str) -> tuple[tuple[int, int], ...]:
    expected = "pairs (length, picoseconds) of whole numbers, lengths rising"
    try:
        points = tuple((length, cost) for length, cost in value)
    except (TypeError, ValueError):
        raise InputError(where, f"{value!r}", expected) from None
    flat = [number for point in points for number in point]
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in flat)
    lengths = [length for length, _ in points]
    if not points or not whole or sorted(set(lengths)) != lengths:
        raise InputError(where, f"{value!r}", expected)
    return points

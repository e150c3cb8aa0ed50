"""The machine a kernel runs on, and what each step of the kernel costs there."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from slabcore.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

# tomllib, pathlib and difflib are imported by what uses them: together they take a
# third of the time of `import slabcore`, and many a program needs none of them.

__all__ = ["Costs", "Machine", "cost_presets", "read_toml"]

_MAX_NS = 3_600_000_000_000  # an hour for one step: surely a slip of units


def _presets() -> Path:
    from pathlib import Path

    return Path(__file__).parent / "costs"


@functools.cache
def _default_table() -> dict[str, Any]:
    import tomllib

    return tomllib.loads((_presets() / "default.toml").read_text("utf-8"))


def _default(name: str) -> Any:
    """Return a figure of the preset "default"."""
    table = _default_table()[name]
    return table["points"] if name == "list_hop" else table["ns"]


def _cost(name: str) -> Any:
    return dataclasses.field(
        default_factory=functools.partial(_default, name), metadata={"cost": True}
    )


def _described(name: str) -> Any:
    return dataclasses.field(
        default_factory=lambda: _one_line(_default_table().get(name, ""))
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Costs:
    """Say what each step of the kernel costs on one host, in nanoseconds.

    One set serves every kernel of its host. ``Costs()`` is the preset "default", whose
    figures were measured, each with its source; what is given replaces one.

    >>> from slabcore import Costs, Machine
    >>> slow = Costs(context_switch=5_000)
    >>> slow.context_switch, Machine(costs=slow).costs.fork == Costs().fork
    (5000, True)
    """

    list_hop: tuple[tuple[int, int], ...] = _cost("list_hop")
    """Picoseconds a hop by length of the list: points (length, picoseconds)."""
    context_switch: int = _cost("context_switch")
    cgroup_mkdir: int = _cost("cgroup_mkdir")
    cgroup_rmdir: int = _cost("cgroup_rmdir")
    cgroup_attach: int = _cost("cgroup_attach")
    fork: int = _cost("fork")
    exit: int = _cost("exit")
    css_offline: int = _cost("css_offline")
    deactivate: int = _cost("deactivate")
    """On top of css_offline, for each cache of the cgroup."""
    css_release: int = _cost("css_release")
    css_free: int = _cost("css_free")
    """Without the caches: each takes shutdown and release."""
    cgroup_free: int = _cost("cgroup_free")
    alloc: int = _cost("alloc")
    alloc_miss: int = _cost("alloc_miss")
    """On top of alloc, when the cgroup has no cache of its own yet."""
    create_check: int = _cost("create_check")
    """A creation work that finds the cache there already."""
    cache_create: int = _cost("cache_create")
    """On top of create_check, without the sysfs directory."""
    kernfs_add: int = _cost("kernfs_add")
    kernfs_remove: int = _cost("kernfs_remove")
    shrink: int = _cost("shrink")
    shutdown: int = _cost("shutdown")
    release: int = _cost("release")
    ipi: int = _cost("ipi")
    ipi_halted: tuple[int, ...] = _cost("ipi_halted")
    """How long a CPU that has been idle for over a tick keeps those waiting who
    interrupt it: one after the other, and again from the first."""
    rcu_callback: int = _cost("rcu_callback")
    worker_create: int = _cost("worker_create")
    page_alloc: int = _cost("page_alloc")
    page_free: int = _cost("page_free")
    slabinfo_row: int = _cost("slabinfo_row")
    """A row of /proc/slabinfo but for its children."""
    slabinfo_child: int = _cost("slabinfo_child")

    name: str = "default"
    title: str = _described("title")
    host: str = _described("host")
    method: str = _described("method")
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
            elif field.name == "ipi_halted":
                object.__setattr__(self, "ipi_halted", _stalls(value, where))
            else:
                _check_int(value, where, 0, _MAX_NS, "ns")
        if not self.sources:
            table = _default_table()
            known = {f.name: _one_line(table[f.name]["source"]) for f in _cost_fields()}
            object.__setattr__(self, "sources", known)

    @classmethod
    def preset(cls, name: str) -> Costs:
        """Read a set of costs: the name of a preset, or a TOML file.

        The file has name, title, host and method, and for each cost a table with
        ns (or points, pairs of length and picoseconds, for list_hop) and source.
        What a file leaves out keeps its default.
        Raises: InputError.
        """
        from pathlib import Path

        path = Path(name)
        if path.suffix != ".toml":
            path = _presets() / f"{name}.toml"
            if name not in cost_presets():
                raise InputError("costs", f"no preset {name!r}", _nearest(name))
        where = os.fspath(path)
        _, table = read_toml(path, where, "a file of costs")
        return cls._from_table(table, where, path.stem)

    @classmethod
    def _from_table(cls, table: dict[str, Any], where: str, stem: str) -> Costs:
        fields = {field.name: field for field in _cost_fields()}
        arguments: dict[str, Any] = {
            **dict.fromkeys(("title", "host", "method"), ""),
            "name": stem,
        }
        sources = dict.fromkeys(fields, "preset default")
        for key, value in table.items():
            if key in ("name", "title", "host", "method"):
                if not isinstance(value, str):
                    raise InputError(f"{where}: {key}", f"{value!r} is no text", "text")
                arguments[key] = _one_line(value)
                continue
            if key not in fields:
                import difflib

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
            sources[key] = _one_line(str(value.get("source", "no source given")))
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
            if field.name == "ipi_halted":
                value = list(value)
            elif field.name == "list_hop":
                value = [list(point) for point in value]
            figures[field.name] = {
                unit: value,
                "source": self.sources.get(field.name, ""),
            }
        return described | figures


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """Describe the host: CPUs, timer frequency, kernel options, costs.

    >>> from slabcore import Kernel, Machine
    >>> small = Machine(cpus=2, hz=1000)
    >>> Kernel("4.9", machine=small).machine.hz, small.replace(cpus=4).cpus
    (1000, 4)
    """

    cpus: int = 8
    hz: int = 250
    allocator: Literal["slub", "slab"] = "slub"
    kmem: Literal["default", "on", "off"] = "default"
    """Kernel memory accounting: as the kernel has it, or switched (nokmem is off)."""
    kernfs_per_cache: int = 32
    """kernfs nodes of one cache's directory; the kernel's options decide."""
    kernfs_per_cgroup: int = 27
    page_size: int = 4096
    other_kworkers: int = 0
    """Workers for queues that are not modelled, and never go."""
    max_memcgs: int = 65_535
    """Ids of memory cgroups, one of them the root's (MEM_CGROUP_ID_MAX)."""
    charge_caches: bool = False
    """Each CPU keeps a reference to the cgroup that charged a page there last, until
    another one does (memcg_stock, as up to 4.19: later kernels drop it at offline)."""
    costs: Costs = dataclasses.field(default_factory=Costs)

    def __post_init__(self) -> None:
        """Check every field. Raises: InputError."""
        _check_int(self.cpus, "machine.cpus", 1, 4096)
        _check_int(self.hz, "machine.hz", 1, 10_000)
        _check_int(self.kernfs_per_cache, "machine.kernfs_per_cache", 0, 1_000)
        _check_int(self.kernfs_per_cgroup, "machine.kernfs_per_cgroup", 0, 10_000)
        _check_int(self.page_size, "machine.page_size", 4096, 65_536)
        _check_int(self.other_kworkers, "machine.other_kworkers", 0, 10_000)
        _check_int(self.max_memcgs, "machine.max_memcgs", 1, 65_535)
        if self.page_size & (self.page_size - 1):
            raise InputError("machine.page_size", f"{self.page_size}", "a power of two")
        if not isinstance(self.charge_caches, bool):
            where = "machine.charge_caches"
            raise InputError(where, f"{self.charge_caches!r}", "true or false")
        _check_choice(self.allocator, "machine.allocator", ("slub", "slab"))
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


def read_toml(path: Path, shown: str, what: str) -> tuple[str, dict[str, Any]]:
    """Return the text of a TOML file and its table.

    Raises: InputError that calls the file *shown*, with the line; *what* the file
    should have been.
    """
    import tomllib

    try:
        text = path.read_text("utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(shown, reason, what) from None
    except UnicodeDecodeError as error:
        raise InputError(shown, f"byte {error.start} is not UTF-8", "TOML") from None
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = r"(.*) \(at (?:line (\d+), column \d+|end of document)\)"
        match = re.fullmatch(place, str(error))
        assert match is not None
        line = match[2] or max(1, len(text.splitlines()))
        message = match[1][:1].lower() + match[1][1:]
        raise InputError(f"{shown}:{line}", message) from None


def cost_presets() -> list[str]:
    """Return the names of the shipped sets of costs."""
    return sorted(path.stem for path in _presets().glob("*.toml"))


def _cost_fields() -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(Costs) if "cost" in f.metadata]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _nearest(name: str) -> str:
    import difflib

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


def _stalls(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        raise InputError(where, f"{value!r}", "a list of ns")
    for ns in value:
        _check_int(ns, where, 0, _MAX_NS, "ns")
    return tuple(value)


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

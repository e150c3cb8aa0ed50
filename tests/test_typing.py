"""What tests/typing/uses.py asserts of types holds when it runs.

`make types` has mypy and pyright read the same file, and what they must refuse.
"""

import importlib.util
import types
import typing
from pathlib import Path

import pytest

PATH = Path(__file__).parent / "typing" / "uses.py"
spec = importlib.util.spec_from_file_location("uses", PATH)
uses = importlib.util.module_from_spec(spec)
spec.loader.exec_module(uses)


@pytest.fixture(autouse=True)
def assert_at_run_time(monkeypatch):
    """Let assert_type() look at the value, as far as a value can tell."""

    def check(value, kind):
        kinds = typing.get_args(kind) if is_union(kind) else (kind,)
        plain = tuple(typing.get_origin(each) or each for each in map(named, kinds))
        assert isinstance(value, plain), f"{value!r} is no {kind}"
        return value

    monkeypatch.setattr(uses, "assert_type", check)


def named(kind):
    """Return what an alias stands for; numpy's are aliases of their own kind now."""
    return named(kind.__value__) if hasattr(kind, "__value__") else kind


def is_union(kind):
    return isinstance(kind, types.UnionType)


@pytest.mark.parametrize("use", uses.RIGHT, ids=lambda use: use.__name__)
def test_typed_uses_run(use):
    use()

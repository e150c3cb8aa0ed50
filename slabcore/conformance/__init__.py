"""Recorded behaviour as input: what seq_file did, and what a slabinfo row looked like.

A file holds *vectors*. One of seq_file's is a list of records, operations on it (reads,
seeks, changes of the list) and what came of them under each era; one of slabinfo's text
is the numbers of a row, and the row. docs/seq_file.md describes both. A vector is
*replayed* under an era: the operations are done anew and everything is compared.
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

from slabcore import slabinfo
from slabcore._core import IntrusiveList, SeqFile
from slabcore.conformance.replay import Engine, Found, replay
from slabcore.conformance.vectors import (
    BUILDS,
    ERAS,
    SEQ_FILE,
    Vectors,
    called,
    read,
)
from slabcore.errors import InputError
from slabcore.reference import seq_file
from slabcore.reference import slabinfo as plain_slabinfo

__all__ = ["BUILDS", "ERAS", "Difference", "Engine", "Outcome", "Tally", "check"]

TAGS = ("fault", "enomem", "inject")
"""What vectors are tagged that another implementation may not be able to replay."""


def _engine(name: object) -> Engine:
    if name == "reference":
        plain = plain_slabinfo
        return Engine(
            "the reference in plain Python",
            *(seq_file.SeqFile, None, plain.header, plain.row),
        )
    if name != "core":
        raise InputError("engine", repr(name), "core, reference or an Engine")
    return Engine(
        "the compiled core", SeqFile, IntrusiveList, slabinfo.header, slabinfo.row
    )


class Difference(NamedTuple):
    """Hold where a replay leaves its vector, and all that differs there."""

    file: str
    vector: str
    era: str
    where: str
    columns: Mapping[str, tuple[str, str]]
    """What was expected and what came, by the name of what differs."""


@dataclasses.dataclass
class Tally:
    """Count replays: a vector under an era, or a row by a build, is one."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def to_dict(self) -> dict[str, int]:
        return dataclasses.asdict(self)


@dataclasses.dataclass
class Outcome:
    """Hold what came of all replays."""

    engine: str
    files: dict[str, int] = dataclasses.field(default_factory=dict)
    """How many vectors each file has."""
    releases: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """The releases that files name for an era."""
    all: Tally = dataclasses.field(default_factory=Tally)
    eras: dict[str, Tally] = dataclasses.field(default_factory=dict)
    tags: dict[str, Tally] = dataclasses.field(default_factory=dict)
    differences: list[Difference] = dataclasses.field(default_factory=list)

    def count(self, what: str, era: str, tags: Iterable[str]) -> None:
        """Count one replay: passed, failed or skipped."""
        for tally in (
            self.all,
            self.eras.setdefault(era, Tally()),
            *(self.tags.setdefault(tag, Tally()) for tag in set(tags)),
        ):
            setattr(tally, what, getattr(tally, what) + 1)


def check(
    paths: Sequence[str | os.PathLike[str]],
    *,
    engine: Literal["core", "reference"] | Engine = "core",
    eras: Sequence[str] = (),
    only: Sequence[str] = (),
    skip_tags: Iterable[str] = (),
) -> Outcome:
    """Replay files of vectors; return what passed and what did not.

    engine: the compiled core, the plain reference, or an Engine of your own.
    eras: those to replay, and of rows the builds; all that a file is about if empty.
    only: patterns of names, as a shell's; a vector is replayed if one of them matches.
    skip_tags: vectors that have one of them are counted as skipped.
    Raises: InputError for a file that is none, and if there is nothing to replay.
    """
    for era in eras:
        if era not in (*ERAS, *BUILDS):
            raise InputError("--era", repr(era), " or ".join((*ERAS, *BUILDS)))
    files = _read_once(paths)
    held = engine if isinstance(engine, Engine) else _engine(engine)
    skipped = _known_tags(files, skip_tags)
    outcome = Outcome(held.name)
    for vectors in files:
        outcome.files[vectors.name] = len(vectors.vectors)
        for era, releases in vectors.releases.items():
            known = outcome.releases.get(era, ())
            outcome.releases[era] = tuple(dict.fromkeys((*known, *releases)))
        chosen = [
            each
            for each in (ERAS if vectors.format == SEQ_FILE else BUILDS)
            if each in (eras or (*ERAS, *BUILDS))
        ]
        replays = _seq_file_replays if vectors.format == SEQ_FILE else _text_replays
        for name, era, tags, run in replays(vectors, held, chosen):
            if only and not any(fnmatch.fnmatchcase(name, each) for each in only):
                continue
            if skipped & {*tags}:
                outcome.count("skipped", era, tags)
                continue
            found = run()
            outcome.count("failed" if found else "passed", era, tags)
            if found:
                outcome.differences.append(Difference(vectors.name, name, era, *found))
    if outcome.all == Tally():
        where = "--only" if only else "--era" if eras else ", ".join(outcome.files)
        asked = " ".join((*only, *eras)) or "no vector"
        raise InputError(where, f"{asked}: nothing to replay", "a vector at least")
    if not outcome.all.passed + outcome.all.failed:
        what = f"{', '.join(sorted(skipped))}: nothing is left to replay"
        raise InputError("--skip-tags", what, "a vector without them at least")
    return outcome


def _read_once(paths: Sequence[str | os.PathLike[str]]) -> list[Vectors]:
    seen: dict[str, str] = {}
    files: list[Vectors] = []
    for path in paths:
        shown = os.fspath(path)
        first = seen.setdefault(os.path.realpath(shown) if shown else "", shown)
        if len(seen) == len(files):
            what = "the same file again" if first == shown else f"the file is {first}"
            raise InputError(shown, what, "each file once")
        files.append(read(path))
    return files


def _known_tags(files: Sequence[Vectors], tags: Iterable[str]) -> frozenset[str]:
    """Refuse a tag that no vector can have. Raises: InputError."""
    known = set(TAGS)
    for vectors in files:
        known.update(*(vector.get("tags", ()) for vector in vectors.vectors))
    asked = list(tags)
    for tag in asked:
        if tag not in known:
            near = difflib.get_close_matches(tag, sorted(known), n=3, cutoff=0.5)
            expected = " or ".join(near or sorted(known))
            raise InputError("--skip-tags", f"there is no tag {tag!r}", expected)
    return frozenset(asked)


Planned: TypeAlias = tuple[str, str, Sequence[str], Callable[[], Found | None]]


def _seq_file_replays(
    vectors: Vectors, engine: Engine, eras: Sequence[str]
) -> Iterator[Planned]:
    for where, vector in called(f"{vectors.name}: ", "vectors", vectors.vectors):
        for era in eras:
            run = partial(replay, vector, era, engine, where)
            yield vector["name"], era, vector["tags"], run


def _text_replays(
    vectors: Vectors, engine: Engine, builds: Sequence[str]
) -> Iterator[Planned]:
    for name, build, texts in _text_pairs(vectors, engine):
        if build in builds:
            yield name, build, (), partial(_texts_differ, texts)


def _texts_differ(texts: Callable[[], tuple[str, str]]) -> Found | None:
    want, got = texts()
    return None if want == got else ("its text", {"row": (repr(want), repr(got))})


def _text_pairs(
    vectors: Vectors, engine: Engine
) -> Iterator[tuple[str, str, Callable[[], tuple[str, str]]]]:
    """Yield the name of each header or row, a build, and how to get both texts."""

    def headed(want: str, statistics: bool) -> tuple[str, str]:
        return want, engine.header(statistics=statistics).decode()

    def rowed(entry: Mapping[str, Any], want: str, build: str) -> tuple[str, str]:
        words = dict(entry)
        for unprinted in ("css_serial_nr", "cgroup_name"):
            words.pop(unprinted, None)
        children, stats = words.pop("children", ()), words.pop("stats", {})
        row = engine.row(
            **words,
            # 6.18 has no caches of memory cgroups
            children=() if build == "6.18" else children,
            stats=stats if build.endswith("+debug_slab") else None,
        )
        return want, row.decode()

    for group in vectors.headers:
        for build in group["builds"]:
            statistics = build.endswith("+debug_slab")
            yield "header", build, partial(headed, group["header"], statistics)
    for vector in vectors.vectors:
        for group in vector["expect"]:
            for build in group["builds"]:
                pair = partial(rowed, vector["in"], group["row"], build)
                yield vector["name"], build, pair

"""What the documents show runs, resolves, and is what the model says today."""

import ast
import contextlib
import doctest
import importlib.util
import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from slabcore.cli import main
from slabcore.traces import recording

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "examples").rglob("*.md"),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.DOTALL | re.M)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.M)


def blocks(page, language):
    text = page.read_text("utf-8")
    return [m["code"] for m in FENCE.finditer(text) if m["language"] == language]


def command_lines():
    for page in PAGES:
        for block in blocks(page, "console"):
            for line in block.splitlines():
                if re.match(r"(\$ )?slabcore\b(?!:| exec\b)", line):
                    yield line.removeprefix("$ ")


def client_sessions():
    """Yield each ``slabcore exec`` that is shown, with what it prints there."""
    for page in PAGES:
        for block in blocks(page, "console"):
            lines = block.replace("\\\n", "")
            for session in re.split(r"^\$ ", lines, flags=re.M)[1:]:
                line, _, output = session.partition("\n")
                if line.startswith("slabcore exec "):
                    yield " ".join(line.split()), output


def module(name):
    """Import a program of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


tables = module("tables")


# --- what is shown runs ---


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_sessions_run(page):
    text = page.read_text("utf-8")
    # Only the code, each line where it stands in the page.
    lines = [""] * text.count("\n")
    for fence in FENCE.finditer(text):
        if fence["language"] == "python":
            first = text.count("\n", 0, fence.start("code"))
            code = fence["code"].splitlines()
            lines[first : first + len(code)] = code
    session = doctest.DocTestParser().get_doctest(
        "\n".join(lines), {}, page.name, str(page), 0
    )
    report = io.StringIO()
    runner = doctest.DocTestRunner(
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    runner.run(session, out=report.write)
    assert runner.failures == 0, report.getvalue()


def test_pages_have_sessions():
    shown = [page.name for page in PAGES if blocks(page, "python")]
    assert {"README.md", "tutorial.md", "model.md", "embedding.md"} <= set(shown)


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_commands_run(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(recording("ftrace-6.18"), tmp_path / "trace.txt")
    for vectors in (ROOT / "tests" / "golden").glob("*.json"):
        shutil.copy(vectors, tmp_path)
    workloads = blocks(ROOT / "docs" / "tutorial.md", "toml")
    for workload in workloads:
        name = tomllib.loads(workload)["name"]
        (tmp_path / f"{name}.toml").write_text(workload, "utf-8")
    result = CliRunner().invoke(main, shlex.split(line)[1:])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(("line", "shown"), sorted(set(client_sessions())))
def test_clients_print_what_is_shown(line, shown, tmp_path):
    if "LD_PRELOAD" in os.environ:
        pytest.skip("a sanitizer's runtime goes into every program that slabcore runs")
    words = shlex.split(line)[1:]
    client = words[words.index("--") + 1]
    if shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    ended = subprocess.run(
        [sys.executable, "-m", "slabcore", *words],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    if "--proc" not in words and "not over /proc" in ended.stdout:
        pytest.skip("nobody may mount over /proc here")
    printed = "\n".join(line.rstrip() for line in ended.stdout.splitlines()) + "\n"
    assert ended.returncode == 0, printed
    checker = doctest.OutputChecker()
    assert not shown or checker.check_output(shown, printed, doctest.ELLIPSIS), printed


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_print_what_stands_beside_them(example):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(example), run_name="__main__")
    assert printed.getvalue() == example.with_suffix(".out").read_text("utf-8")


# --- what is linked is there ---


def anchors(page):
    """Return the fragments that the headings of a page make; a second one is -1."""
    text = FENCE.sub("", page.read_text("utf-8"))
    headings = (m["text"].lower() for m in HEADING.finditer(text))
    made, times = set(), Counter()
    for heading in headings:
        anchor = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
        made.add(f"{anchor}-{times[anchor]}" if times[anchor] else anchor)
        times[anchor] += 1
    return made


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_resolve(page):
    broken = []
    for link in LINK.finditer(FENCE.sub("", page.read_text("utf-8"))):
        path, _, fragment = link["target"].partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (fragment and fragment not in anchors(target)):
            broken.append(link["target"])
    assert broken == []


def test_the_floors_in_the_readme_are_files():
    (floors,) = blocks(ROOT / "README.md", "text")
    shown = re.findall(r"\w+\.(?:pxd|pyx|py)\b", floors)
    assert shown
    assert [name for name in shown if not (ROOT / "slabcore" / name).exists()] == []


# --- what is generated is what the model says today ---


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.name)
def test_generated_blocks_are_fresh(page):
    text = page.read_text("utf-8")
    assert text == tables.page(text, timings=False), "run: python docs/tables.py"


def test_every_block_stands_somewhere():
    pages = "".join(page.read_text("utf-8") for page in tables.PAGES)
    standing = {block["name"] for block in tables.BLOCK.finditer(pages)}
    assert standing == {*tables.BLOCKS, *tables.TIMINGS}


figures = module("figures")


@pytest.mark.parametrize("path", figures.PICTURES, ids=lambda path: path.name)
def test_the_picture_is_fresh(path):
    picture = path.read_text("utf-8")
    assert picture == figures.PICTURES[path](), "run: python docs/figures.py"
    assert len(picture) < 150_000


api = module("api")


def test_the_reference_is_fresh():
    assert api.PAGE.read_text("utf-8") == api.page(), "run: python docs/api.py"


def test_a_word_and_a_colon_begin_an_operand_only_if_it_is_one():
    text = "Links may run through\none: a sentence.\n*rest: an operand.\nRaises: none."
    names = api.operands([ast.parse("def f(self, *rest): pass").body[0]])
    assert [*api.prose(text, names)][:4] == [
        "Links may run through",
        "one: a sentence.",
        "* *rest: an operand.",
        "* Raises: none.",
    ]


def test_the_reference_refuses_a_name_of_which_nothing_is_said(monkeypatch):
    monkeypatch.setattr(api, "MODULES", (("slabcore.files", "", ("MOUNTS",)),))
    with pytest.raises(LookupError, match=r"files\.MOUNTS: nothing is said of it"):
        api.page()

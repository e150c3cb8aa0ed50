"""Recorded behaviour of seq_file and of slabinfo rows, replayed; wrong files."""

import copy
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slabcore import SeqFile, conformance, slabinfo
from slabcore.cli import main
from slabcore.conformance import Engine
from slabcore.errors import InputError

GOLDEN = Path(__file__).parent / "golden"
SEQ_FILE = GOLDEN / "seqfile-public.json"
TEXT = GOLDEN / "slabinfo-text-public.json"
VECTORS = json.loads(SEQ_FILE.read_text("utf-8"))
ROWS = json.loads(TEXT.read_text("utf-8"))
EVERY = len(VECTORS["vectors"])


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(main, ["conformance", *map(str, arguments)])

    return run


def vector(name):
    """Return a copy of the vector of that name."""
    found = (entry for entry in VECTORS["vectors"] if entry["name"] == name)
    return copy.deepcopy(next(found))


def written(path, *vectors, **meta):
    """Write a file of vectors; return its path."""
    table = {"meta": VECTORS["meta"] | meta, "vectors": vectors}
    path.write_text(json.dumps(table))
    return path


# --- what was recorded is what happens ---


def test_every_vector_passes_in_every_era(engine):
    outcome = conformance.check([SEQ_FILE], engine=engine)
    assert outcome.differences == []
    assert {era: tally.passed for era, tally in outcome.eras.items()} == dict.fromkeys(
        "ABCD", EVERY
    )


def test_the_core_reads_a_source_in_python_as_it_reads_its_own_list():
    in_python = Engine("hooks", SeqFile, None, slabinfo.header, slabinfo.row)
    assert conformance.check([SEQ_FILE], engine=in_python).differences == []


def test_every_row_and_header_is_the_kernels(engine):
    outcome = conformance.check([TEXT], engine=engine)
    assert outcome.differences == []
    groups = [*ROWS["meta"]["headers"]]
    groups += [group for row in ROWS["rows"] for group in row["expect"]]
    assert outcome.all.passed == sum(len(group["builds"]) for group in groups)


# --- what differs is told ---


NAME = "exact-drain/remove-next-later"
DIGEST = {"len": 50, "sha256": "0" * 64, "head": "", "tail": ""}


def changed(key, column, value, *, operation=1, era="C"):
    """Return a vector of which one expected figure of one era is another."""
    entry = vector(NAME)
    for group in [*entry[key]]:
        if era in group["eras"]:
            group["eras"].remove(era)
            alone = copy.deepcopy(group) | {"eras": [era]}
            alone["ops"][operation][column] = value
            entry[key].append(alone)
    return entry


@pytest.mark.parametrize(
    ("key", "column", "value", "name", "expected", "got"),
    [
        ("expect", 0, -5, "returns", "-5 (EIO)", "50"),
        ("expect", 1, 7, "f_pos", "7", "4050"),
        ("expect", 2, "R000042 ", "data", "'R000042 '", "'R000041 jklmnop"),
        ("expect", 2, DIGEST, "data", "50 bytes, ''", "'R000041 jklmnop"),
        ("state", 0, 4242, "index", "4242", "41"),
        ("state", 1, 4242, "count", "4242", "50"),
        ("state", 2, 4242, "from", "4242", "50"),
        ("state", 3, 4242, "read_pos", "4242", "4050"),
        ("state", 4, 4242, "size", "4242", "4096"),
        ("state", 5, 4242, "calls of start", "4242", "1"),
        ("state", 6, 4242, "calls of next", "4242", "1"),
        ("state", 7, 4242, "calls of show", "4242", "1"),
        ("state", 8, 4242, "calls of stop", "4242", "1"),
        ("state", 9, 4242, "nodes visited by start", "4242", "41"),
        ("state", 10, 4242, "buffers allocated", "4242", "0"),
    ],
)
def test_any_figure_that_differs_is_told(
    tmp_path, engine, key, column, value, name, expected, got
):
    path = written(tmp_path / "mine.json", changed(key, column, value))
    outcome = conformance.check([path], engine=engine)
    (found,) = outcome.differences
    assert (found.file, found.vector, found.era) == (str(path), NAME, "C")
    assert found.where == "operation 2 of 8: read n=50"
    assert [*found.columns] == [name]
    assert found.columns[name][0].startswith(expected)
    assert found.columns[name][1].startswith(got)
    assert (outcome.all.passed, outcome.all.failed) == (3, 1)
    failed = {era: tally.failed for era, tally in outcome.eras.items()}
    assert failed == {"A": 0, "B": 0, "C": 1, "D": 0}


def test_where_an_empty_buffer_begins_is_not_compared(tmp_path):
    path = written(tmp_path / "mine.json", changed("state", 2, 77, operation=0))
    assert conformance.check([path]).all.failed == 0


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("bytes", 1, "what reader 1 of file 0 saw, rows 1-41,44-90"),
        ("sha256", "0" * 64, "what reader 1 of file 0 saw, rows 1-41,44-90"),
        ("eof", False, "what reader 1 of file 0 saw, rows 1-41,44-90"),
        ("fd", 1, "what the readers of file 0 saw"),
    ],
)
def test_what_a_sequential_reader_saw_is_compared(tmp_path, key, value, where):
    entry = vector(NAME)
    entry["expect"][0]["streams"][0][key] = value
    outcome = conformance.check([written(tmp_path / "mine.json", entry)])
    assert outcome.all.failed == 4
    assert outcome.differences[0].where == where


def test_a_row_that_differs_is_told(tmp_path, engine):
    table = copy.deepcopy({"meta": ROWS["meta"], "rows": ROWS["rows"][:2]})
    table["rows"][1]["expect"][0]["row"] = "task_struct\n"
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(table))
    outcome = conformance.check([path], engine=engine)
    assert [found.era for found in outcome.differences] == ["4.10", "5.4", "6.18"]
    assert outcome.differences[0].columns["row"][0] == r"'task_struct\n'"


def test_a_reader_of_another_era_is_found_out():
    """D's file given as B's: seeks into a record differ, and little else."""

    def opened(source, *, era, **more):
        return SeqFile(source, era="D" if era == "B" else era, **more)

    wrong = Engine("wrong", opened, None, slabinfo.header, slabinfo.row)
    outcome = conformance.check([SEQ_FILE], engine=wrong)
    assert outcome.eras["D"].failed == 0
    assert {found.era for found in outcome.differences} == {"B"}
    assert outcome.tags["seek"].failed > 0


# --- the command ---


def test_json_counts_by_era(run):
    tags = ("--skip-tags", "fault,enomem", "--skip-tags", "inject")
    result = run(SEQ_FILE, "--json", *tags)
    assert result.exit_code == 0
    table = json.loads(result.stdout)
    skipped = sum(
        not {"fault", "enomem", "inject"}.isdisjoint(entry["tags"])
        for entry in VECTORS["vectors"]
    )
    counts = {"passed": EVERY - skipped, "failed": 0, "skipped": skipped}
    assert table["eras"] == dict.fromkeys("ABCD", counts)
    totals = {name: 4 * count for name, count in counts.items()}
    assert {name: table[name] for name in counts} == totals
    assert table["tags"]["fault"]["passed"] == 0
    assert table["schema"] == "slabcore.conformance/1"


def test_the_eras_and_vectors_that_are_named_are_replayed(run):
    result = run(SEQ_FILE, "--json", "--era", "A", "--era", "D", "--only", "mutate/*")
    table = json.loads(result.stdout)
    names = [entry["name"] for entry in VECTORS["vectors"]]
    matching = sum(name.startswith("mutate/") for name in names)
    assert [*table["eras"]] == ["A", "D"]
    assert table["passed"] == 2 * matching
    assert table["skipped"] == 0


def test_the_text_names_eras_with_their_releases(run):
    result = run(SEQ_FILE, TEXT, "--only", "exact-drain/*", "--only", "typical/*")
    assert result.exit_code == 0
    assert re.search(r"^D 5\.10\.185, 6\.12, 6\.18 +4 +0 +0$", result.stdout, re.M)
    assert re.search(r"^4\.10\+debug_slab +\d+ +0 +0$", result.stdout, re.M)
    assert re.search(r"^exact-drain +16 +0 +0$", result.stdout, re.M)
    assert "not to be imitated" in result.stdout
    assert result.stdout.splitlines()[0].startswith("Vectors held against the compiled")
    assert "the reference" in run(SEQ_FILE, "--reference", "--only", "eof/*").stdout


def test_a_difference_ends_with_status_1(run, tmp_path):
    entry = changed("state", 0, 4242)
    other = changed("expect", 0, 9, era="A") | {"name": "another"}
    path = written(tmp_path / "mine.json", entry, other)
    result = run(path, "--show", "1")
    assert result.exit_code == 1
    assert "\n2 of 8 replays differ.\n" in result.stdout
    assert f"{path}: {NAME} under C, operation 2 of 8: read n=50\n" in result.stdout
    assert "  index  expected 4242\n         got      41\n" in result.stdout
    assert result.stdout.endswith("and 1 more; --show N tells N\n")
    result = run(path, "--json")
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)["differences"]
    assert first["differs"] == {"index": {"expected": "4242", "got": "41"}}
    assert second["era"] == "A"


def test_the_page_shows_what_is_printed(run, tmp_path):
    """As if era C still stepped its index when bytes are delivered."""
    entry = changed("state", 0, 40)
    entry["state"][-1]["ops"][1][6] = 0
    written(tmp_path / "mine.json", entry)
    page = Path(__file__).parents[1] / "docs" / "seq_file.md"
    (shown,) = re.findall(r"```text\n(mine\.json.*?)```", page.read_text(), re.DOTALL)
    assert shown in run("mine.json").stdout


# --- files that are wrong ---


def at(*path):
    """Return a way to put something at a place of a file, or to take it away."""

    def change(table, value):
        for key in path[:-1]:
            table = table[key]
        if value is ...:
            del table[path[-1]]
        else:
            table[path[-1]] = value

    return change


HERE = f"vectors[0] ({NAME})"
FIRST = ("vectors", 0)


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("meta",), ..., "there is no 'meta'; expected one of seqfile-gol"),
        (("vectors",), [], "vectors: a list of 0; expected a vector at least"),
        (("meta", "format"), "golden", 'meta.format: "golden"; expected "seqfile-g'),
        (("meta", "format_version"), 2, "meta.format_version: 2; expected 1"),
        (("meta", "format_version"), ..., "meta: there is no 'format_version'; exp"),
        (("meta", "page_size"), 8192, "meta.page_size: 8192; expected 4096"),
        (("meta", "versions", "E"), ["7.0"], "meta.versions: there is no such key as"),
        (("meta", "state_fields", 0), "x", 'meta.state_fields[0]: "x"; expected "ind'),
        (("vectors",), ..., "there is no 'vectors'; expected vectors"),
        (("vectors",), {}, "vectors: {}; expected a list"),
        (("vectors", 0), 7, "vectors[0]: 7; expected an object"),
        ((*FIRST, "name"), ..., "vectors[0]: there is no 'name'; expected name, tags,"),
        ((*FIRST, "name"), 7, "vectors[0]: name: 7; expected text"),
        ((*FIRST, "tags"), "seek", f'{HERE}: tags: "seek"; expected a list'),
        ((*FIRST, "ops"), ..., f"{HERE}: there is no 'ops'; expected name, tags, setu"),
        (
            (*FIRST, "ops", 2),
            {"op": "rewind"},
            f'{HERE}: ops[2].op: "rewind"; expected "read" or "pread" or "lseek" or ',
        ),
        (
            (*FIRST, "ops", 2, "size"),
            3,
            f"{HERE}: ops[2]: there is no such key as 'size'; expected op, id",
        ),
        ((*FIRST, "ops", 0, "n"), ..., f"{HERE}: ops[0]: there is no 'n'; expected "),
        ((*FIRST, "ops", 0, "n"), "4096", f'{HERE}: ops[0].n: "4096"; expected a who'),
        ((*FIRST, "ops", 0, "n"), -1, f"{HERE}: ops[0].n: -1; expected a whole numb"),
        ((*FIRST, "ops", 0, "n"), True, f"{HERE}: ops[0].n: true; expected a whole n"),
        ((*FIRST, "ops", 0, "fd"), 1, f"{HERE}: ops[0].fd: 1; expected a whole number"),
        (
            (*FIRST, "ops", 2),
            {"op": "insert", "id": 1, "len": 9, "at": "after"},
            f"{HERE}: ops[2]: 'after' without a ref; expected one",
        ),
        (
            (*FIRST, "ops", 2),
            {"op": "insert", "id": 1, "len": 9, "at": "after", "ref": 999},
            f"{HERE}: ops[2]: ref: record 999 is not on the list; expected one that is",
        ),
        (
            (*FIRST, "ops", 2),
            {"op": "arm", "what": "start_err", "in": 1},
            f"{HERE}: ops[2]: there is no 'errno'; expected errno",
        ),
        (
            (*FIRST, "setup", "header", "mode"),
            "last",
            f'{HERE}: setup.header.mode: "last"; expected "none" or "first" or ',
        ),
        (
            (*FIRST, "setup", "records"),
            [[1, 9, "odd"]],
            f'{HERE}: setup.records[0][2]: "odd"; expected "norm" or "skip" or "ski',
        ),
        (
            (*FIRST, "setup", "records"),
            [[1, 9, "err"]],
            f"{HERE}: setup.records[0]: kind 'err' without an errno; expected one",
        ),
        (
            (*FIRST, "setup", "records"),
            [[1]],
            f"{HERE}: setup.records[0]: a list of 1; expected id, len, kind, errno",
        ),
        (
            (*FIRST, "setup", "records"),
            [[1, 0]],
            f"{HERE}: setup.records[0]: a record of kind 'norm' and length 0; expect",
        ),
        (
            (*FIRST, "setup", "records"),
            [{"first": 1, "count": 10**9, "len": 5}],
            f"{HERE}: setup.records[0].count: 1000000000; expected a whole number fr",
        ),
        ((*FIRST, "expect"), ..., f"{HERE}: there is no 'expect'; expected name, ta"),
        (
            (*FIRST, "expect"),
            [],
            f"{HERE}: expect: no group is about A and B and C and D; expected one gr",
        ),
        (
            (*FIRST, "state", 0, "eras"),
            ["A", "B"],
            f"{HERE}: state[1].eras[0]: 'B' is in a group before; expected it once",
        ),
        (
            (*FIRST, "state", 1, "eras"),
            ["B", "D"],
            f"{HERE}: state: no group is about C; expected one group for each of A, B",
        ),
        (
            (*FIRST, "state", 1, "eras"),
            ["B", "C", "D", "E"],
            f'{HERE}: state[1].eras[3]: "E"; expected "A" or "B" or "C" or "D"',
        ),
        (
            (*FIRST, "expect", 0, "ops"),
            [],
            f"{HERE}: expect[0].ops: a list of 0; expected a list of 8",
        ),
        (
            (*FIRST, "expect", 0, "ops", 0),
            None,
            f"{HERE}: expect[0].ops[0]: null; expected a list",
        ),
        (
            (*FIRST, "expect", 0, "ops", 2),
            [0, 0, ""],
            f'{HERE}: expect[0].ops[2]: [0,0,""]; expected null, which remove gives',
        ),
        (
            (*FIRST, "expect", 0, "ops", 0, 2),
            5,
            f"{HERE}: expect[0].ops[0][2]: 5; expected text, or len, sha256, head an",
        ),
        (
            (*FIRST, "state", 0, "ops", 0),
            [1, 2, 3],
            f"{HERE}: state[0].ops[0]: a list of 3; expected a list of 11",
        ),
        (
            (*FIRST, "state", 0, "ops", 0, 4),
            4096.5,
            f"{HERE}: state[0].ops[0][4]: 4096.5; expected a whole number",
        ),
    ],
)
def test_a_wrong_file_gets_one_line_and_status_2(run, tmp_path, path, value, line):
    table = {"meta": copy.deepcopy(VECTORS["meta"]), "vectors": [vector(NAME)]}
    at(*path)(table, value)
    (tmp_path / "wrong.json").write_text(json.dumps(table))
    result = run("wrong.json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"slabcore: wrong.json: {line}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("meta", "headers"), ..., "meta: there is no 'headers'; expected headers"),
        (("rows",), ..., "there is no 'rows'; expected rows"),
        (("rows", 0, "in", "limit"), -1, "in.limit: -1; expected a whole number from"),
        (("rows", 0, "in", "cache_order"), 40, "in.cache_order: 40; expected a whole"),
        (("rows", 0, "in", "slabs"), 1, "in: there is no such key as 'slabs'; expect"),
        (("rows", 0, "in", "name"), "a\nb", r'in.name: "a\nb"; expected a name of on'),
        (("rows", 0, "expect", 0, "row"), 1, "expect[0].row: 1; expected text"),
        (
            ("rows", 0, "expect", 0, "builds", 0),
            "2.6",
            'expect[0].builds[0]: "2.6"; expected "4.10" or "5.4" or "6.18" or ',
        ),
        (
            ("rows", 0, "expect", 1, "builds"),
            ["4.10"],
            "expect[1].builds[0]: '4.10' is in a group before; expected it once",
        ),
    ],
)
def test_a_wrong_file_of_rows_gets_one_line(run, tmp_path, path, value, line):
    table = copy.deepcopy({"meta": ROWS["meta"], "rows": ROWS["rows"][:1]})
    at(*path)(table, value)
    (tmp_path / "wrong.json").write_text(json.dumps(table))
    result = run("wrong.json")
    assert result.exit_code == 2
    where = f"rows[0] ({ROWS['rows'][0]['name']}): " if len(path) > 1 else ""
    where = where if path[0] == "rows" else ""
    assert result.stderr.startswith(f"slabcore: wrong.json: {where}{line}")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "wrong.json:1: no JSON: "),
        (b'{"meta": {},\n "vectors": [}', "wrong.json:2: no JSON: "),
        (b'{"meta": {},\n "vectors": [\n', "wrong.json:3: no JSON: "),
        (b'{"meta": "\0"}', "wrong.json: byte 10 is a NUL; expected a file of vect"),
        (b"slabinfo - version: 2.1\n", "wrong.json:1: no JSON: "),
        (b'{"meta": "\xff"}', "wrong.json: this is not UTF-8; expected "),
        (b"[" * 100_000, "wrong.json: nested too deeply; expected "),
        (b"[1]", "wrong.json: [1]; expected an object"),
        (b"null", "wrong.json: null; expected an object"),
        (b'{"meta": 1}', "wrong.json: meta: 1; expected an object"),
    ],
)
def test_what_is_no_file_of_vectors_gets_one_line(run, tmp_path, content, line):
    (tmp_path / "wrong.json").write_bytes(content)
    result = run(SEQ_FILE, "wrong.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"slabcore: {line}")
    assert result.stderr.count("\n") == 1


def test_what_cannot_be_replayed_gets_one_line(run, tmp_path):
    lines = [
        (("none.json",), "none.json: No such file or directory; expected a file of "),
        ((tmp_path,), f"{tmp_path}: Is a directory; expected a file of vectors"),
        (("",), "'': No such file or directory; expected a file of vectors"),
        (("/dev/zero",), "/dev/zero: byte 0 is a NUL; expected a file of vectors"),
        ((TEXT, TEXT), f"{TEXT}: the same file again; expected each file once"),
        (
            (SEQ_FILE, "--skip-tags", "fualt"),
            "--skip-tags: there is no tag 'fualt'; expected fault",
        ),
        ((SEQ_FILE, "--skip-tags", ""), "--skip-tags: there is no tag ''; expected "),
        ((SEQ_FILE, "--skip-tags", ",,"), "--skip-tags: there is no tag ''; expected "),
        (
            (SEQ_FILE, "--only", "fault/*", "--skip-tags", "fault"),
            "--skip-tags: fault: nothing is left to replay; expected a vector with",
        ),
        (
            (SEQ_FILE, "--show", "-1"),
            "invalid value for '--show': '-1'; expected a whole",
        ),
        ((SEQ_FILE, "--only", "x/*"), "--only: x/*: nothing to replay; expected a vec"),
        ((TEXT, "--era", "A"), "--era: A: nothing to replay; expected a vector at l"),
        ((SEQ_FILE, "--era", "E"), "invalid value for '--era': 'E' is not one of 'A'"),
        ((), "missing argument 'FILE…'."),
    ]
    for arguments, line in lines:
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"slabcore: {line}")
    with pytest.raises(InputError, match="--era: 'E'; expected A or B"):
        conformance.check([SEQ_FILE], eras=["E"])
    with pytest.raises(InputError, match="engine: 'foo'; expected core, reference or"):
        conformance.check([SEQ_FILE], engine="foo")


def test_a_file_is_the_same_by_another_name(run, tmp_path):
    (tmp_path / "link.json").symlink_to(TEXT)
    result = run(TEXT, "link.json")
    assert result.stderr.startswith(f"slabcore: link.json: the file is {TEXT}; expect")


def test_two_vectors_of_one_name_are_refused(run, tmp_path):
    written(tmp_path / "twice.json", vector(NAME), vector(NAME))
    result = run("twice.json")
    assert (result.exit_code, result.stdout) == (2, "")
    what = f'vectors[1].name: "{NAME}" is the name of vectors[0]; expected another'
    assert result.stderr == f"slabcore: twice.json: {what}\n"


def test_a_byte_order_mark_is_passed_over(run, tmp_path):
    path = written(tmp_path / "mine.json", vector(NAME))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert run("mine.json").exit_code == 0


def test_tags_that_may_be_skipped_need_not_be_there(run):
    assert run(TEXT, "--skip-tags", "fault,enomem,inject").exit_code == 0


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.sampled_from([1.5, "", "read", "norm", "A", "é", [], {}, [1], [[1, 2]]]),
)
SMALL = sorted(VECTORS["vectors"], key=lambda entry: len(json.dumps(entry)))[:150]


def places(value, path=()):
    """Yield the path of all that is in a file."""
    if path:
        yield path
    pairs = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, each in pairs:
        yield from places(each, (*path, key))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_wrong_is_refused_or_differs(tmp_path, data):
    """A file with anything in any place never ends otherwise."""
    if data.draw(st.booleans()):
        table = {
            "meta": VECTORS["meta"],
            "vectors": [data.draw(st.sampled_from(SMALL))],
        }
    else:
        table = {
            "meta": ROWS["meta"],
            "rows": [data.draw(st.sampled_from(ROWS["rows"]))],
        }
    table = copy.deepcopy(table)
    value = data.draw(st.one_of(st.just(...), JUNK))
    at(*data.draw(st.sampled_from([*places(table)])))(table, value)
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(table))
    refusal = None
    try:
        conformance.check([path], eras=["A", "4.10"])
    except InputError as error:
        refusal = str(error)
    assert refusal is None or refusal.startswith(str(path))

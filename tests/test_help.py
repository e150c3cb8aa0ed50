"""What help() says: every public name, with an example that runs."""

import doctest
import inspect
import io
import re

import pytest

import slabcore

# A plain number has no help of its own.
NAMES = sorted(set(slabcore.__all__) - {"SLABCORE_ABI"})
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def documented(name):
    """Return what help() of a public name shows: of a value, its type."""
    thing = getattr(slabcore, name)
    return thing if inspect.isroutine(thing) or isinstance(thing, type) else type(thing)


def failures_of(text, name):
    """Run the examples of a docstring; return how many there are and what failed."""
    test = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    report = io.StringIO()
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.write)
    return len(test.examples), report.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_an_example_that_runs(name):
    examples, failures = failures_of(documented(name).__doc__, name)
    assert examples and not failures, failures


def test_the_package_has_a_tour_that_runs_and_names_everything():
    examples, failures = failures_of(slabcore.__doc__, "slabcore")
    assert examples and not failures, failures
    missing = [
        name
        for name in slabcore.__all__
        if not re.search(rf"\b{name}\b", slabcore.__doc__)
    ]
    assert missing == []


def test_the_tour_names_the_modules_that_are_for_users():
    named = set(re.findall(r"slabcore\.([a-z]+)\b(?![.(])", slabcore.__doc__))
    modules = {"gates", "reference", "simpy", "slabinfo", "traces", "workloads"}
    assert modules <= named


def test_what_is_refused_is_refused_as_help_says():
    entries = slabcore.IntrusiveList(range(3))
    queue = slabcore.RcuQueue()
    file = slabcore.SeqFile({1, "a"}, show=lambda m, key: None)
    for call in (
        lambda: entries.extend([2**64]),
        lambda: entries.list("state"),
        lambda: queue.call(1, cpu=5),
        lambda: queue.invoke(batches=0),
        lambda: file.read(1),
        lambda: slabcore.KernelFile("text", "name"),
        lambda: slabcore.Kernel("4.9").world.begin(99),
        lambda: slabcore.Kernel("4.9", engine="reference").world.begin(99),
    ):
        with pytest.raises(slabcore.InputError) as refusal:
            call()
        assert isinstance(refusal.value, ValueError)
        assert "\n" not in str(refusal.value)
    for call in (lambda: entries.add("1"), lambda: queue.call("1")):
        with pytest.raises(TypeError):
            call()
    for call in (lambda: entries.add(2**64), lambda: queue.call(2**64)):
        with pytest.raises(OverflowError):
            call()
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read(1)


KINDS = (property, classmethod, staticmethod)
METHODS = sorted(
    (f"{name}.{attribute}", member)
    for name in NAMES
    if isinstance(documented(name), type)
    for attribute, member in vars(documented(name)).items()
    if attribute == "__iter__" or not attribute.startswith("_")
    if callable(member) or isinstance(member, KINDS)
)


@pytest.mark.parametrize(("name", "member"), METHODS, ids=[name for name, _ in METHODS])
def test_every_public_method_says_in_a_sentence_what_it_does(name, member):
    text = inspect.getdoc(member) or ""
    # The first line may be the signature, which Cython writes there.
    lines = [line for line in text.splitlines() if not re.match(r"\w+\(.*\)", line)]
    sentence = " ".join(lines).strip().partition("\n\n")[0]
    assert re.match(r"[A-Z*].*?[.;:]", sentence), text

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

"""Calls of least work, from C and from Cython, cost little more than an empty one.

The loops and the goals are those of embedding.py. A goal that seems to be missed is
looked at again before that is believed.
"""

import pytest
from embedding import LOOPS, build, measure

AGAIN = 2
LEAST = [loop for loop in LOOPS if loop.of_least_work]


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    return build(tmp_path_factory.mktemp("embedding"))


@pytest.fixture(scope="module")
def figures(module):
    return measure(module, LEAST)


@pytest.mark.parametrize("name", [loop.name for loop in LEAST[1:]])
def test_a_call_costs_little_more_than_an_empty_one(module, figures, name):
    (figure,) = (figure for figure in figures if figure.call.name == name)
    for _ in range(AGAIN):
        if figure.met:
            break
        _, figure = measure(module, [LEAST[0], figure.call])
    assert figure.met, f"{figure.call.title}: {figure.times}"

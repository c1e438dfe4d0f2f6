"""The worked numbers of a first course: derivatives as formulas, values and words."""

from __future__ import annotations

import math

import pytest

from fallline.calculus.gradient import gradient, read
from fallline.objective.expression import parse
from fallline.objective.function import from_formula, from_torch


def test_a_derivative_in_one_variable() -> None:
    at = gradient(from_formula(parse("2x^2")), [1.0])
    assert at.formulas == ("4·x",)
    assert (at.value, at.gradient.tolist()) == (2.0, [4.0])  # at the point (1, 2)


def test_a_gradient_and_its_magnitude() -> None:
    at = gradient(from_formula(parse("w1**2 + w2**2")), [5, -4])
    assert at.gradient.tolist() == [10, -8]
    assert at.magnitude == math.sqrt(164)
    assert at.formulas == ("2·w1", "2·w2")
    assert "w1 decreases" in at.words[0]
    assert "w2 increases" in at.words[1]


def test_reading_the_gradient_of_biases() -> None:
    words = read(["b1", "b2", "b3", "b4"], [0.45, -0.30, 0.20, 0.0])
    assert words == (
        "b1 decreases: its slope is 0.45; the largest step.",
        "b2 increases: its slope is −0.3; a step 0.667 times that of b1.",
        "b3 decreases: its slope is 0.2; a step 0.444 times that of b1.",
        "b4 stays: its slope is 0, a small change of it does not change the value.",
    )


@pytest.mark.parametrize(("slopes", "word"), [([1.0, -1.0], "as large as any"), ([0.0, 0.0], "stays")])
def test_equal_slopes(slopes: list[float], word: str) -> None:
    assert all(word in line for line in read(["a", "b"], slopes))


def test_a_callable_has_no_formula() -> None:
    import torch

    objective, start = from_torch(lambda x: x.sum() ** 2, [1.0, 2.0], torch.float64)
    assert gradient(objective, start.tolist()).formulas is None

"""Texts become the functions they mean, and hostile ones an error that points at the character; nothing is executed."""

from __future__ import annotations

import contextlib
import random

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from fallline.objective.expression import ExpressionError, parse

x, y = sympy.symbols("x y", real=True)
MEANT = {
    "2x^2": 2 * x**2,
    "2x²": 2 * x**2,
    "2 x ** 2": 2 * x**2,
    "sin(x)*exp(-x/5)": sympy.sin(x) * sympy.exp(-x / 5),
    "(1-x)^2+100(y-x^2)^2": (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    "x(y+1)": x * (y + 1),
    "x y": x * y,
    "-x^2": -(x**2),
    "2^-x": 2 ** (-x),
    "x^2^3": x**8,
    "1/2x": x / 2,
    "--x": x,
    "3·x − y": 3 * x - y,
    "[x+1](x-1)": (x + 1) * (x - 1),
    "pi*x + e^y": sympy.pi * x + sympy.exp(y),
    "max(x, y, 1)": sympy.Max(x, y, 1),
    "1.5e-3x": sympy.Float("0.0015") * x,
    ".5x": sympy.Float("0.5") * x,
    "log2(x)": sympy.log(x) / sympy.log(2),
    "abs(x)": sympy.Abs(x),
    "arctan(x) - atan(x) + x": x,
}


@pytest.mark.parametrize("text", MEANT)
def test_what_a_text_means(text: str) -> None:
    assert sympy.simplify(parse(text).expression - MEANT[text]) == 0


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("w10 + w2 + w1", ("w1", "w2", "w10")),
        ("b_1 + a + α", ("a", "b_1", "α")),
        ("lambda + I + E", ("E", "I", "lambda")),  # only e and pi are constants
    ],
)
def test_variables_are_found(text: str, names: tuple[str, ...]) -> None:
    assert parse(text).variables == names


@pytest.mark.parametrize(
    ("text", "position", "what"),
    [
        ("", 0, "empty"),
        ("   ", 3, "empty"),
        ("5", 0, "no variable"),
        ("x + ", 4, "ends too early"),
        ("(x + 1", 6, r"'\)' is missing for the '\(' at character 1"),
        ("x + 1)", 5, "closes nothing"),
        ("x 2", 2, "operator is missing"),
        ("x * / 2", 4, "missing before '/'"),
        ("x = 2", 2, "without '='"),
        ("|x|", 0, r"write abs\(x\)"),
        ("foo(x)", 0, "no known function"),
        ("sinn(x)", 0, "did you mean sin"),
        ("sinx", 0, r"write sin\(x\)"),
        ("sin x", 0, "sin is a function"),
        ("sin(x, 2)", 0, "one argument, not 2"),
        ("x.real", 1, "'.' means nothing"),
        ("x + '1'", 4, "means nothing"),
        ("__x", 0, "no '__'"),
        ("x / 0", 4, "division by zero"),
        ("x / (y - y)", 4, "division by zero"),
        ("0^-1 x", 1, "division by zero"),
        ("sqrt(-1) x", 0, "not a real number: I"),
        ("x + log(-2)", 4, "not a real number"),
        ("asin(2) x", 0, "not a real number"),
        ("9^9^9^9 x", 3, "beyond the range"),
        ("x^1e10", 1, "exponent is too large"),
        ("1" * 301 + "x", 0, "too many digits"),
        ("1e999 x", 0, "domain"),
        ("(" * 60 + "x" + ")" * 60, 50, "more than 50 levels"),
        ("x" * 20_001, 20_000, "20001 characters"),
    ],
)
def test_errors_point_at_the_character(text: str, position: int, what: str) -> None:
    with pytest.raises(ExpressionError, match=what) as caught:
        parse(text)
    assert caught.value.position == position
    lines = str(caught.value).splitlines()
    assert lines[-1].strip() == "^"
    shown, caret = lines[-2], lines[-1].index("^")
    assert shown[caret : caret + 1] in (text[position : position + 1], "")


@pytest.mark.parametrize(
    "text",
    ["__import__('os').system('true')", "().__class__", "exec(x)", "lambda: x", "x if x else y", "open(x)", "f'{x}'"],
)
def test_code_is_only_text(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        assert set(parse(text).variables) <= {"x", "y", "if", "else"}  # names like any other


PIECES = [*"0123456789xyzew+-*/^()[],.²³ |='\"\\{}<>!@#$%&;:\n\t\0π−·√"]
PIECES += ["x", "y", "2", "(", ")", "+", "*", "^", "x)", "(x"] * 6
PIECES += """** sin( cos( exp( log( sqrt( max( min( tan( asin( erf( abs( 1e300 9^9 1/0 __ import eval( lambda (-1) pi
             1e-300 relu( sign( softplus( 0x1F .5. 1e 1e+ ⁻¹ x_1 nan inf True None""".split()


def survives(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        formula = parse(text)
        assert formula.variables
        assert len(formula.gradient) == len(formula.variables)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=30))
def test_nothing_but_its_own_error(text: str) -> None:
    survives(text)


def test_a_power_of_a_product_is_not_worked_out_to_millions_of_digits() -> None:
    with pytest.raises(ExpressionError, match="beyond the range"):
        parse("(9x)^(9^9)")
    assert parse("(9x)^2").variables == ("x",)
    assert parse("x^(9^9)").variables == ("x",)


@pytest.mark.slow
def test_nothing_but_its_own_error_on_many() -> None:
    dice = random.Random(7)
    for _ in range(100_000):
        survives("".join(dice.choice(PIECES) for _ in range(dice.randint(1, 24))))

"""A function as text, ``"(1-x)^2 + 100(y-x^2)^2"``, parsed into SymPy by a grammar of its own.

The text is never evaluated: every name is looked up in the tables below or becomes a real symbol. The grammar::

    sum    = term  {("+" | "-") term}
    term   = factor {("*" | "/" | nothing) factor}     nothing: before a name or "(", as in 2x, 3(x+1)
    factor = {"+" | "-"} power
    power  = atom [("^" | "**") factor]                 from the right; -x^2 is -(x^2)
    atom   = number | name | function "(" sum {"," sum} ")" | "(" sum ")"
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy

MOST_CHARACTERS = 20_000
DEEPEST = 50  # brackets, powers and functions inside each other
LARGEST = sympy.Float("1e300")  # of a constant: beyond it float64 overflows
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
SAME_AS = {"−": "-", "–": "-", "·": "*", "×": "*", "÷": "/", "**": "^", "[": "(", "]": ")"}

CONSTANTS = {"pi": sympy.pi, "π": sympy.pi, "e": sympy.E}
ONE_ARGUMENT: dict[str, Callable[[Any], Any]] = {
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "atan": sympy.atan,
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "exp": sympy.exp,
    "log": sympy.log,
    "ln": sympy.log,
    "log2": lambda x: sympy.log(x) / sympy.log(2),
    "log10": lambda x: sympy.log(x) / sympy.log(10),
    "sqrt": sympy.sqrt,
    "abs": sympy.Abs,
    "sign": sympy.sign,
    "erf": sympy.erf,
    "relu": lambda x: sympy.Max(x, 0),
    # in forms that neither overflow themselves nor in their derivatives
    "sigmoid": lambda x: (1 + sympy.tanh(x / 2)) / 2,
    "softplus": lambda x: sympy.Max(x, 0) + sympy.log(1 + sympy.exp(-sympy.Abs(x))),
}
MANY_ARGUMENTS: dict[str, Callable[..., Any]] = {"max": sympy.Max, "min": sympy.Min}
FUNCTIONS = [*ONE_ARGUMENT, *MANY_ARGUMENTS]

TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[^\W\d⁰¹²³⁴⁵⁶⁷⁸⁹][^\W⁰¹²³⁴⁵⁶⁷⁸⁹]*)"
    r"|(?P<superscript>[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    r"|(?P<operator>\*\*|[-+*/^(),−–·×÷\[\]])"
)


class ExpressionError(ValueError):
    """A text that is no function; the message shows the text with a caret under the character."""

    def __init__(self, what: str, text: str, position: int) -> None:
        self.what, self.text, self.position = what, text, position
        start = max(0, position - 60)
        line = text[start : start + 76].translate(dict.fromkeys(range(32), " "))
        super().__init__(f"{what}\n  {line}\n  {' ' * (position - start)}^")


@dataclass(frozen=True)
class Token:
    """A piece of the text."""

    kind: str  # number, name, operator, end
    text: str
    position: int


@dataclass(frozen=True)
class Formula:
    """A scalar function of real variables."""

    text: str
    expression: Any  # of SymPy
    symbols: tuple[Any, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, w2 before w10."""
        return tuple(symbol.name for symbol in self.symbols)

    @cached_property
    def gradient(self) -> tuple[Any, ...]:
        """One partial derivative a variable."""
        return tuple(derivative(self.expression, symbol) for symbol in self.symbols)


def derivative(expression: Any, symbol: Any) -> Any:
    """The derivative wherever it exists: the impulse at a jump or a kink is left out."""
    slope = expression.diff(symbol)
    if slope.has(sympy.DiracDelta):
        slope = slope.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)
    return slope


def parse(text: str) -> Formula:
    """Read a function of one or more variables.

    >>> parse("2x^2").gradient
    (4*x,)
    >>> parse("(1-x)^2 + 100(y-x^2)^2").variables
    ('x', 'y')

    Raises:
        ExpressionError: the text is no function, has no variable, or a constant in it is complex or not finite.
    """
    if len(text) > MOST_CHARACTERS:
        raise ExpressionError(f"{len(text)} characters are more than {MOST_CHARACTERS}", text, MOST_CHARACTERS)
    expression = _Parser(text, list(_tokens(text))).whole()
    if expression.has(sympy.I, sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
        raise ExpressionError("the function has no real values", text, 0)
    symbols = tuple(sorted(expression.free_symbols, key=_natural))
    if not symbols:
        raise ExpressionError("there is no variable in it", text, 0)
    return Formula(text, expression, symbols)


def _natural(symbol: Any) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", symbol.name)
    return [(0, int(part), "") if part.isdecimal() and part.isascii() else (1, 0, part) for part in parts]


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(_stranger(text[position]), text, position)
        kind, found = str(match.lastgroup), match.group()
        if kind == "superscript":
            yield Token("operator", "^", position)
            yield Token("number", found.translate(SUPERSCRIPTS), position)
        else:
            yield Token(kind, SAME_AS.get(found, found) if kind == "operator" else found, position)
        position = match.end()
    yield Token("end", "", len(text))


def _stranger(character: str) -> str:
    if character == "=":
        return "write the function alone, without '='"
    if character == "|":
        return "write abs(x) for |x|"
    return f"{character!r} means nothing here"


class _Parser:
    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text, self.tokens, self.index, self.depth = text, tokens, 0, 0

    @property
    def next(self) -> Token:
        return self.tokens[self.index]

    def take(self) -> Token:
        token = self.next
        self.index += token.kind != "end"
        return token

    def fail(self, what: str, token: Token) -> ExpressionError:
        return ExpressionError(what, self.text, token.position)

    def expect(self, text: str, why: str) -> None:
        if self.next.text != text or self.next.kind == "end":
            raise self.fail(why, self.next)
        self.take()

    def whole(self) -> Any:
        if self.next.kind == "end":
            raise self.fail("the text is empty", self.next)
        expression = self.sum()
        if self.next.kind != "end":
            what = "this ')' closes nothing" if self.next.text == ")" else "an operator is missing before this"
            raise self.fail(what, self.next)
        return expression

    def sum(self) -> Any:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fail(f"more than {DEEPEST} levels of brackets and powers", self.next)
        first, terms = self.next, [self.term()]
        while self.next.text in ("+", "-"):
            sign = self.take()
            terms.append(self.term() if sign.text == "+" else -self.term())
        self.depth -= 1
        return terms[0] if len(terms) == 1 else self.sound(sympy.Add(*terms), first)

    def term(self) -> Any:
        first, factors = self.next, [self.factor()]
        while self.next.text in ("*", "/", "(") or self.next.kind == "name":
            operator = self.take() if self.next.text in ("*", "/") else None
            position, factor = self.next, self.factor()
            divide = operator is not None and operator.text == "/"
            factors.append(self.power_of(factor, sympy.S.NegativeOne, position) if divide else factor)
        return factors[0] if len(factors) == 1 else self.sound(sympy.Mul(*factors), first)

    def factor(self) -> Any:
        negative = False
        while self.next.text in ("+", "-"):
            negative ^= self.take().text == "-"
        power = self.power()
        return -power if negative else power

    def power(self) -> Any:
        base = self.atom()
        if self.next.text != "^":
            return base
        operator = self.take()
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fail(f"more than {DEEPEST} levels of brackets and powers", operator)
        exponent = self.factor()
        self.depth -= 1
        return self.power_of(base, exponent, operator)

    def power_of(self, base: Any, exponent: Any, token: Token) -> Any:
        if base.is_number and base.is_zero and exponent.is_number and (exponent <= 0) == True:  # noqa: E712  # SymPy's
            raise self.fail("a division by zero", token)
        if exponent.is_number and abs(exponent) > 10**9:
            raise self.fail("this exponent is too large", token)
        if base.is_number and exponent.is_number and base > 0 and abs(exponent * sympy.log(base).evalf()) > 690:
            raise self.fail("this power is beyond the range of numbers", token)
        if base.is_number and exponent.is_number and base < 0 and abs(exponent * sympy.log(-base).evalf()) > 690:
            raise self.fail("this power is beyond the range of numbers", token)
        factor = abs(base.as_coeff_Mul()[0])  # SymPy raises the 9 of (9x)^n by itself
        raised = not base.is_number and exponent.is_number and factor not in (0, 1)
        if raised and abs(exponent * sympy.log(factor)).evalf() > 690:
            raise self.fail("this power is beyond the range of numbers", token)
        return self.sound(sympy.Pow(base, exponent), token)

    def atom(self) -> Any:
        token = self.take()
        if token.kind == "number":
            return self.number(token)
        if token.kind == "name":
            return self.name(token)
        if token.text == "(":
            inside = self.sum()
            self.expect(")", f"')' is missing for the '(' at character {token.position + 1}")
            return inside
        what = (
            "the text ends too early" if token.kind == "end" else f"a number or a name is missing before {token.text!r}"
        )
        raise self.fail(what, token)

    def number(self, token: Token) -> Any:
        if len(token.text) > 300:
            raise self.fail("this number has too many digits", token)
        value = sympy.Integer(token.text) if token.text.isdecimal() else sympy.Float(float(token.text))
        return self.sound(value, token)

    def name(self, token: Token) -> Any:
        called = self.next.text == "(" and self.next.position == token.position + len(token.text)
        if token.text in FUNCTIONS:
            if not called:
                raise self.fail(f"{token.text} is a function: write {token.text}(…)", token)
            return self.call(token)
        if token.text in CONSTANTS:
            return CONSTANTS[token.text]
        if called and len(token.text) > 1 and token.text.isalpha():
            near = difflib.get_close_matches(token.text, FUNCTIONS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(FUNCTIONS)}; a product is a*(b)"
            raise self.fail(f"{token.text} is no known function; {hint}", token)
        if (
            glued := re.fullmatch(r"(a?sin|a?cos|a?tan|sinh|cosh|tanh|exp|log|ln|sqrt|abs)([a-z])", token.text)
        ) is not None:
            raise self.fail(f"write {glued[1]}({glued[2]}) for {token.text}", token)
        if "__" in token.text:
            raise self.fail("a name has no '__' in it", token)
        return sympy.Symbol(token.text, real=True)

    def call(self, token: Token) -> Any:
        self.expect("(", f"'(' is missing after {token.text}")
        arguments = [self.sum()]
        while self.next.text == ",":
            self.take()
            arguments.append(self.sum())
        self.expect(")", f"')' is missing after the argument of {token.text}")
        if token.text in MANY_ARGUMENTS:
            return self.sound(MANY_ARGUMENTS[token.text](*arguments), token)
        if len(arguments) != 1:
            raise self.fail(f"{token.text} takes one argument, not {len(arguments)}", token)
        return self.sound(ONE_ARGUMENT[token.text](arguments[0]), token)

    def sound(self, value: Any, token: Token) -> Any:
        """``value``, if it is real and finite; only constants can be told here."""
        if not value.is_number:
            return value
        if value.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
            raise self.fail("a division by zero, or a function outside its domain", token)
        size = value.evalf(15)
        if not size.is_real or value.has(sympy.I):
            raise self.fail(f"this is not a real number: {sympy.sstr(value)[:40]}", token)
        if abs(size) > LARGEST:
            raise self.fail("this number is too large", token)
        return value

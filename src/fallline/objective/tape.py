"""SymPy expressions as a list of torch operations, so that a population of points is one computation.

No source text is generated and none is executed: common subexpressions are computed once, in order, by the operations
in the tables here, on columns of any shape. What comes out can be differentiated by autograd.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
import torch
from torch import Tensor

Column = Tensor | float
Operation = Callable[..., Any]


def _heaviside(x: Tensor, _: float = 0.5) -> Tensor:
    return (torch.sign(x) + 1) / 2  # ½ at a kink, the middle of its slopes


def _cube(x: Tensor) -> Tensor:
    return x * x * x


def _extreme(pick: Operation) -> Operation:
    def fold(*columns: Column) -> Column:
        like = next(c for c in columns if isinstance(c, Tensor))
        return functools.reduce(pick, [c if isinstance(c, Tensor) else torch.full_like(like, c) for c in columns])

    return fold


FUNCTIONS: dict[Any, Operation] = {
    sympy.sin: torch.sin,
    sympy.cos: torch.cos,
    sympy.tan: torch.tan,
    sympy.asin: torch.asin,
    sympy.acos: torch.acos,
    sympy.atan: torch.atan,
    sympy.sinh: torch.sinh,
    sympy.cosh: torch.cosh,
    sympy.tanh: torch.tanh,
    sympy.exp: torch.exp,
    sympy.log: torch.log,
    sympy.Abs: torch.abs,
    sympy.sign: torch.sign,
    sympy.erf: torch.erf,
    sympy.Heaviside: _heaviside,
    sympy.Max: _extreme(torch.maximum),
    sympy.Min: _extreme(torch.minimum),
    # SymPy's own simplifications bring these in
    sympy.cot: lambda x: 1 / torch.tan(x),
    sympy.sec: lambda x: 1 / torch.cos(x),
    sympy.csc: lambda x: 1 / torch.sin(x),
    sympy.coth: lambda x: 1 / torch.tanh(x),
    sympy.sech: lambda x: 1 / torch.cosh(x),
    sympy.csch: lambda x: 1 / torch.sinh(x),
    sympy.acosh: torch.acosh,
    sympy.asinh: torch.asinh,
    sympy.atanh: torch.atanh,
}
POWERS: dict[float, Operation] = {
    -1.0: torch.reciprocal,
    -0.5: torch.rsqrt,
    0.5: torch.sqrt,
    2.0: torch.square,
    3.0: _cube,
}


@dataclass(frozen=True)
class Tape:
    """A straight-line program over columns."""

    inputs: int
    constants: tuple[float, ...]  # they follow the inputs in the list of values
    steps: tuple[tuple[Operation, tuple[int, ...]], ...]  # each appends one value
    outputs: tuple[int, ...]

    def __call__(self, columns: Sequence[Tensor]) -> list[Tensor]:
        """The outputs, each of the shape of one column."""
        values: list[Column] = [*columns, *self.constants]
        for operation, arguments in self.steps:
            values.append(operation(*[values[i] for i in arguments]))
        found = [values[i] for i in self.outputs]
        return [x if isinstance(x, Tensor) else torch.full_like(columns[0], x) for x in found]


def compile(expressions: Sequence[Any], symbols: Sequence[Any]) -> Tape:  # as re.compile
    """Make a tape of SymPy expressions in real ``symbols``.

    Raises:
        ValueError: a function that has no torch operation here.
    """
    shared, reduced = sympy.cse(list(expressions), symbols=sympy.numbered_symbols("_t", real=True))
    writer = _Writer({symbol: i for i, symbol in enumerate(symbols)})
    for symbol, expression in shared:
        writer.known[symbol] = writer.write(expression)
    outputs = [writer.write(expression) for expression in reduced]
    return writer.tape(len(symbols), outputs)


class _Writer:
    """Values are numbered −1, −2, … for constants until their count is known."""

    def __init__(self, known: dict[Any, int]) -> None:
        self.known = known
        self.constants: dict[float, int] = {}
        self.steps: list[tuple[Operation, tuple[int, ...]]] = []
        self.inputs = len(known)

    def tape(self, inputs: int, outputs: list[int]) -> Tape:
        def place(index: int) -> int:
            if index < 0:
                return inputs - index - 1
            return index if index < inputs else index + len(self.constants)

        steps = tuple((operation, tuple(map(place, arguments))) for operation, arguments in self.steps)
        return Tape(inputs, tuple(self.constants), steps, tuple(map(place, outputs)))

    def constant(self, value: float) -> int:
        return self.constants.setdefault(value, -len(self.constants) - 1)

    def step(self, operation: Operation, *arguments: int) -> int:
        self.steps.append((operation, arguments))
        return self.inputs + len(self.steps) - 1

    def write(self, node: Any) -> int:
        if node in self.known:
            return self.known[node]
        if node.is_number:
            return self.constant(float(node))
        if node.is_Add:
            return self.fold(operator.add, [self.signed(term) for term in node.args])
        if node.is_Mul:
            return self.product(node)
        if node.is_Pow:
            return self.power(*node.args)
        if node.func not in FUNCTIONS:
            raise ValueError(f"{node.func.__name__} cannot be computed here, in {sympy.sstr(node)}")
        return self.step(FUNCTIONS[node.func], *[self.write(argument) for argument in node.args])

    def signed(self, term: Any) -> tuple[int, bool]:
        """A summand without its sign, and whether it is to be subtracted."""
        if term.is_Mul and term.args[0] == -1:
            return self.write(-term), True
        return self.write(term), False

    def fold(self, add: Operation, terms: list[tuple[int, bool]]) -> int:
        terms = sorted(terms, key=lambda term: term[1])  # a plus first
        total, negative = terms[0]
        if negative:
            total = self.step(operator.neg, total)
        for index, subtract in terms[1:]:
            total = self.step(operator.sub if subtract else add, total, index)
        return total

    def product(self, node: Any) -> int:
        below: list[Any] = []
        above: list[Any] = []
        for factor in node.args:
            inverted = factor.is_Pow and factor.exp.is_number and factor.exp.is_negative
            (below if inverted else above).append(1 / factor if inverted else factor)
        negative = bool(above) and above[0] == -1
        above = above[1:] if negative else above
        top = [self.write(factor) for factor in above] or [self.constant(1.0)]
        total = functools.reduce(lambda a, b: self.step(operator.mul, a, b), top)
        for factor in below:
            total = self.step(operator.truediv, total, self.write(factor))
        return self.step(operator.neg, total) if negative else total

    def power(self, base: Any, exponent: Any) -> int:
        if exponent.is_number and float(exponent) in POWERS:
            return self.step(POWERS[float(exponent)], self.write(base))
        return self.step(torch.pow, self.write(base), self.write(exponent))

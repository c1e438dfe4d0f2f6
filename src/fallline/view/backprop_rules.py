"""How single operations are written in a calculation by hand: their formulas and the rules of their derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fallline.calculus.backprop import Input, Step

LINEAR = ("neg", "mul", "div", "clone", "sum", "mean", "tocopy")  # elementwise operations written as products
CLOSE = 1e-6  # relative distance within which terms add up to a value

Labels = list[str]  # a name for every number of a tensor, row by row


@dataclass
class Term:
    """One input of an operation, as far as the calculation needs it."""

    labels: Labels
    values: tuple[float, ...]
    jacobian: list[list[float]]  # outputs × inputs
    gradient: tuple[float, ...]


def alone(step: Step, term: Term, row: int, value: float) -> str:
    """An operation with one input and plain numbers, number by number; empty where it is another."""
    short = short_name(step)
    if short == "mseloss" and "target" in step.constants and len(term.jacobian) == 1:
        return squared_error(term, step.constants["target"], value)
    if len(term.labels) != len(term.jacobian) or not diagonal(term.jacobian):
        return ""
    name, x, d = term.labels[row], term.values[row], term.jacobian[row][row]
    if short in ("add", "sub", "rsub") and abs(d) == 1:
        sign, rest = ("−" if d < 0 else ""), value - d * x  # the constant is not kept, but follows
        return f"{sign}{name} + {factor(rest)} = {sign}{factor(x)} + {factor(rest)}"
    if short == "pow" and "exponent" in step.constants:
        n = step.constants["exponent"][0]
        mark = "²" if n == 2 else "³" if n == 3 else f"^{num(n)}"
        return f"{name}{mark} = {factor(x)}{mark}"
    given = step.constants.get("other", ())
    if short not in ("mul", "div") or len(given) not in (1, len(term.labels)):
        return ""
    c = factor(given[row if len(given) > 1 else 0])
    return f"{c}·{name} = {c}·{factor(x)}" if short == "mul" else f"{name}/{c} = {factor(x)}/{c}"


def pair(short: str, terms: list[Term], row: int) -> str:
    """Two inputs of the same shape, joined number by number."""
    if any(len(t.labels) != len(t.jacobian) for t in terms):
        return ""
    sign = {"add": " + ", "sub": " − ", "mul": "·", "div": "/"}[short]
    names = sign.join(t.labels[row] for t in terms)
    return f"{names} = {sign.join(factor(t.values[row]) for t in terms)}"


def sum_of_products(terms: list[Term], row: int, value: float) -> str:
    """An operation that is linear in some of its inputs: derivative times input, where that adds up to the output."""
    for chosen in (terms, [t for t in terms if t is not terms[1]] if len(terms) == 3 else terms[:1], terms[-1:]):
        parts = [(d, t.labels[i], t.values[i]) for t in chosen for i, d in enumerate(t.jacobian[row]) if d != 0]
        total = sum(d * v for d, _, v in parts)
        if parts and abs(total - value) <= CLOSE * max(abs(value), abs(total), 1e-300):
            names = " + ".join(n if d == 1 else f"{factor(d)}·{n}" for d, n, _ in parts)
            numbers = " + ".join(factor(v) if d == 1 else f"{factor(d)}·{factor(v)}" for d, _, v in parts)
            return names if len(parts) == 1 and parts[0][0] == 1 else f"{names} = {numbers}"
    return ""


def squared_error(term: Term, target: tuple[float, ...], value: float) -> str:
    n, pairs = len(term.labels), list(zip(term.labels, term.values, target, strict=False))
    names = " + ".join(f"({name} − target)²" for name, _, _ in pairs)
    numbers = " + ".join(f"({num(x)} − {factor(wanted)})²" for _, x, wanted in pairs)
    mark = f"/{n}" if math.isclose(sum((v - t) ** 2 for _, v, t in pairs) / n, value, rel_tol=CLOSE) else ""
    return f"{names} = {numbers}" if n == 1 or not mark else f"[{names}]{mark} = [{numbers}]{mark}"


def rule_with_constant(step: Step, term: Term) -> str:
    """The rule for one scalar input and a plain number."""
    short, constants, a = short_name(step), step.constants, term.labels[0]
    if short == "pow" and "exponent" in constants:
        n = constants["exponent"][0]
        power = "" if n == 2 else f"^{num(n - 1)}"
        return f"{num(n)}·{a}{power} = {num(n)}·{factor(term.values[0])}{power}"
    if short in ("mul", "div") and "other" in constants:
        return num(constants["other"][0]) if short == "mul" else f"1/{num(constants['other'][0])}"
    if short == "relu":
        return f"({a} > 0)" if term.values[0] > 0 else f"({a} ≤ 0)"
    return ""


def error_rule(step: Step, term: Term, place: int) -> str:
    """The derivative of a squared error by one prediction; empty for other operations."""
    target = step.constants.get("target", ()) if short_name(step) == "mseloss" else ()
    if len(target) != len(term.labels) or len(term.jacobian) != 1:
        return ""
    name, value, n = term.labels[place], term.values[place], len(target)
    for share, mark in ((n, f"/{n}"), (1, "")):  # the mean, the sum
        if math.isclose(term.jacobian[0][place], 2 * (value - target[place]) / share, rel_tol=CLOSE, abs_tol=1e-12):
            return f"2·({name} − target){mark} = 2·({num(value)} − {factor(target[place])}){mark}"
    return ""


def short_name(step: Step) -> str:
    return step.operation.rstrip("0123456789").removesuffix("Backward").lower()


def jacobian(given: Input) -> list[list[float]]:
    found = given.local
    if found is None:
        return []
    if found.diagonal is not None:
        return [[d if i == k else 0.0 for k in range(len(found.diagonal))] for i, d in enumerate(found.diagonal)]
    return [list(row) for row in found.matrix or ()]


def diagonal(jacobian: list[list[float]]) -> bool:
    return all(value == 0 for i, row in enumerate(jacobian) for k, value in enumerate(row) if i != k)


def num(value: float) -> str:
    """A number with up to six figures and a proper minus."""
    return f"{value:.6g}".replace("-", "−")


def factor(value: float) -> str:
    """The same as a factor or a term: in brackets where it is negative."""
    return f"({num(value)})" if value < 0 else num(value)

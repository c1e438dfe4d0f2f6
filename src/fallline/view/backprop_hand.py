"""A small backpropagation written out with every number, so that it can be followed with a pencil."""

from __future__ import annotations

import math

from fallline.calculus.backprop import Input, Spread, Step, Trace
from fallline.calculus.vocabulary import RULES
from fallline.view.backprop_rules import (
    LINEAR,
    Labels,
    Term,
    alone,
    diagonal,
    error_rule,
    factor,
    jacobian,
    num,
    pair,
    rule_with_constant,
    short_name,
    sum_of_products,
)

MOST = 40  # operations that are written out

Place = tuple[int, int]  # a step, and which of its outputs


def calculation(trace: Trace) -> str:
    """The calculation, line by line; empty where the tensors hold more than a few numbers."""
    if len(trace.steps) > MOST or not all(_few(step) for step in trace.steps):
        return ""
    if any(leaf.gradient is None or leaf.gradient.values is None for leaf in trace.leaves):
        return ""
    return "\n".join(_Hand(trace).lines())


def _few(step: Step) -> bool:
    known = all(o.gradient is None or (o.gradient.values is not None and o.value is not None) for o in step.outputs)
    small = all(o.value is None or o.value.values is not None for o in step.outputs)
    return (
        known
        and small
        and all(
            i.gradient is None or (i.local is not None and (i.local.matrix is not None or i.local.diagonal is not None))
            for i in step.inputs
        )
    )


def elements(name: str, shape: tuple[int, ...]) -> Labels:
    """A name for every number of a tensor: ``w`` for a single one, ``W[0,1]`` for those of a matrix."""
    if math.prod(shape) == 1:
        return [name]
    places: list[tuple[int, ...]] = [()]
    for size in shape:
        places = [(*place, i) for place in places for i in range(size)]
    return [f"{name}[{','.join(map(str, place))}]" for place in places]


class _Hand:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.steps = {step.index: step for step in trace.steps}
        self.leaves = {leaf.name: leaf for leaf in trace.leaves}
        self.labels: dict[Place, Labels] = {}
        self.names: dict[int, str] = {}
        self.parts: dict[str, list[float]] = {}  # what flows to each number from each of its uses
        self._name_all()

    def lines(self) -> list[str]:
        shown = [step for step in self.trace.steps if not self._silent(step)]
        lines = ["Forward"]
        for leaf in self.trace.leaves:
            lines += [f"  {n} = {num(v)}" for n, v in zip(self._leaf(leaf.name), leaf.value.values or (), strict=True)]
        for step in reversed(shown):
            lines += [f"  {line}" for line in self._forward(step)]
        lines += ["Backward", f"  ∂L/∂L = {num(1.0)}"]
        for step in shown:
            lines += [f"  {line}" for line in self._backward(step)]
        return [*lines, *self._sums()]

    # -- names -------------------------------------------------------------------------------------------------------

    def _name_all(self) -> None:
        counts: dict[str, int] = {}
        for step in reversed(self.trace.steps):
            for place, output in enumerate(step.outputs):
                if output.value is None:
                    continue
                self.labels[step.index, place] = self._seen_through(step) or elements(
                    self._symbol(step, place, counts), output.value.shape
                )

    def _symbol(self, step: Step, place: int, counts: dict[str, int]) -> str:
        if step.index == 0:
            return "L"
        if step.index not in self.names:
            letter = {"weights": "z", "activation": "a"}.get(step.role, "h")
            counts[letter] = counts.get(letter, 0) + 1
            while f"{letter}{counts[letter]}" in self.leaves:
                counts[letter] += 1
            self.names[step.index] = f"{letter}{counts[letter]}"
        return self.names[step.index] + ("" if len(step.outputs) == 1 else "'" * place)

    def _seen_through(self, step: Step) -> Labels | None:
        """The names of the same numbers before a view moved them."""
        if not self._silent(step):
            return None
        before, rows = self._input_labels(step.inputs[0]), jacobian(step.inputs[0])
        return [before[row.index(1.0)] for row in rows]

    def _silent(self, step: Step) -> bool:
        """Whether an operation only moves numbers about."""
        if step.index == 0 or len(step.inputs) != 1 or step.inputs[0].local is None or len(step.outputs) != 1:
            return False
        rows = jacobian(step.inputs[0])
        moved = all(sorted(row)[-1] == 1.0 and sum(map(abs, row)) == 1.0 for row in rows)
        return moved and step.role == "view"

    def _leaf(self, name: str) -> Labels:
        return elements(name, self.leaves[name].value.shape)

    def _input_labels(self, given: Input) -> Labels:
        return self._leaf(given.name) if given.source is None else self.labels[given.source, given.output]

    def _input_values(self, given: Input) -> tuple[float, ...]:
        found: Spread | None
        if given.source is None:
            found = self.leaves[given.name].value
        else:
            found = self.steps[given.source].outputs[given.output].value
        return found.values or () if found is not None else ()

    def _terms(self, step: Step) -> list[Term]:
        return [
            Term(self._input_labels(i), self._input_values(i), jacobian(i), i.gradient.values or ())
            for i in step.inputs
            if i.gradient is not None
        ]

    # -- forward -----------------------------------------------------------------------------------------------------

    def _forward(self, step: Step) -> Labels:
        lines = []
        for place, output in enumerate(step.outputs):
            if output.value is None or output.value.values is None or output.gradient is None:
                continue
            labels = self.labels[step.index, place]
            for row, (label, value) in enumerate(zip(labels, output.value.values, strict=True)):
                how = self._how(step, row, value) if len(step.outputs) == 1 else step.name
                lines.append(f"{label} = {how} = {num(value)}")
        return lines

    def _how(self, step: Step, row: int, value: float) -> str:
        """How one number of an output comes from the inputs, in names and in numbers."""
        terms, short = self._terms(step), short_name(step)
        if len(terms) == 1 and (said := alone(step, terms[0], row, value)):
            return said
        if short in ("add", "sub", "mul", "div") and len(terms) == 2 and (said := pair(short, terms, row)):
            return said
        by_itself = len(terms) == 1 and diagonal(terms[0].jacobian) and short not in LINEAR
        if not by_itself and (said := sum_of_products(terms, row, value)):
            return said
        used = [self._used(term, row) for term in terms]
        return f"{step.name}({', '.join(name for name, _ in used)}) = {step.name}({', '.join(v for _, v in used)})"

    @staticmethod
    def _used(term: Term, row: int) -> tuple[str, str]:
        """The inputs that an output depends on, in names and in numbers."""
        n = len(term.labels)
        places = [row] if n == len(term.jacobian) and diagonal(term.jacobian) else range(n)
        return ", ".join(term.labels[i] for i in places), ", ".join(num(term.values[i]) for i in places)

    # -- backward ----------------------------------------------------------------------------------------------------

    def _backward(self, step: Step) -> Labels:
        outputs = [(p, o.gradient) for p, o in enumerate(step.outputs) if o.gradient is not None]
        labels = [label for place, _ in outputs for label in self.labels[step.index, place]]
        deltas = [value for _, gradient in outputs for value in gradient.values or ()]
        lines = [f"through {self._title(step)}"]
        lines += [f"  {line}" for label in labels for line in self._sum(label)]
        for position, term in enumerate(self._terms(step)):
            for i, name in enumerate(term.labels):
                rule = self._rule(step, position, labels)
                if target := error_rule(step, term, i):
                    rule = target
                chain = [(k, term.jacobian[k][i]) for k in range(len(labels)) if term.jacobian[k][i] != 0]
                lines.append("  " + self._chain(name, chain, labels, deltas, rule, term.gradient[i]))
        return lines

    def _chain(
        self, name: str, chain: list[tuple[int, float]], labels: Labels, deltas: list[float], rule: str, result: float
    ) -> str:
        self.parts.setdefault(name, []).append(result)
        if not chain:
            return f"∂L/∂{name} = 0, nothing depends on it here"
        letters = " + ".join(f"∂L/∂{labels[k]}·∂{labels[k]}/∂{name}" for k, _ in chain)
        numbers = " + ".join(f"{factor(deltas[k])}·{factor(d)}" for k, d in chain)
        if labels == ["L"]:
            return f"∂L/∂{name} = " + (f"{rule} = {num(result)}" if rule and rule != num(result) else num(result))
        said = f"∂{labels[chain[0][0]]}/∂{name} = {rule} = {num(chain[0][1])};  " if rule and len(chain) == 1 else ""
        return f"{said}∂L/∂{name} = {letters} = {numbers} = {num(result)}"

    def _rule(self, step: Step, position: int, labels: Labels) -> str:
        """The textbook's rule for a scalar operation, in names and then in numbers."""
        terms = self._terms(step)
        if len(labels) != 1 or any(len(term.labels) != 1 for term in terms):
            return ""
        if len(terms) == 1 and (said := rule_with_constant(step, terms[0])):
            return said
        rules = RULES.get(short_name(step), ())
        if position >= len(rules) or ("{b}" in rules[position] and len(terms) < 2):
            return ""
        value = self.steps[step.index].outputs[0].value
        y = num(value.values[0]) if value is not None and value.values else "?"
        names = {"a": terms[0].labels[0], "b": terms[-1].labels[0], "y": labels[0]}
        numbers = {"a": num(terms[0].values[0]), "b": num(terms[-1].values[0]), "y": y}
        symbols, digits = (rules[position].format(**which) for which in (names, numbers))
        slope = num(terms[position].jacobian[0][0])
        if not any(mark in digits for mark in "·/ ") and digits != slope:
            return ""  # the rule is of the plain operation, this one has a factor of its own
        return symbols if symbols == digits or digits == slope else f"{symbols} = {digits}"

    def _title(self, step: Step) -> str:
        labels = self.labels.get((step.index, 0), ["?"])
        return f"{labels[0].partition('[')[0]}, the {step.name}"

    def _sum(self, name: str) -> Labels:
        """A number that is used more than once: its gradient is the sum over the uses."""
        parts = self.parts.get(name, [])
        if len(parts) < 2:
            return []
        return [f"{name} is used {len(parts)} times: ∂L/∂{name} = {' + '.join(map(factor, parts))} = {num(sum(parts))}"]

    def _sums(self) -> Labels:
        """The sums of parameters and data."""
        names = [name for leaf in self.trace.leaves for name in self._leaf(leaf.name)]
        lines = [f"  {line}" for name in names for line in self._sum(name)]
        return ["Sums over several uses", *lines] if lines else []

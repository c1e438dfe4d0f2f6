"""The dense measurements of one update, and the rows of the record that they become."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fallline.record import measure
from fallline.record.operations import STREAK
from fallline.record.store import Row, cell

TINY = torch.finfo(torch.float32).tiny


@dataclass
class Sample:
    """The dense measurements of one update, still on their device."""

    layers: dict[int, dict[str, list[Tensor]]] = field(default_factory=dict)
    dead: dict[int, Tensor] = field(default_factory=dict)  # batches in a row without a gradient, for each unit
    parameters: list[tuple[int, weakref.ref[Tensor]]] = field(default_factory=list)  # the program may drop them
    before: list[Tensor] = field(default_factory=list)  # copies of the parameters before the update
    gradients: list[Tensor] = field(default_factory=list)  # norms
    twins: dict[int, Tensor] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)  # steps in time that a fused layer makes in one use
    sights: list[dict[str, Any]] = field(default_factory=list)
    reverses: list[Tensor] = field(default_factory=list)  # whether functions of the program's turn the gradient round

    def add(self, layer: int, name: str, value: Tensor) -> None:
        """One number of one use of a layer."""
        self.layers.setdefault(layer, {}).setdefault(name, []).append(value)

    def rows(self, start: Mapping[int, Tensor]) -> tuple[list[Row], list[Row]]:
        """The rows of ``layer_stats`` and of ``parameter_stats`` without step and optimizer; empties the sample.

        All numbers are fetched from the device at once, and what is computed from them is computed afterwards.

        Args:
            start: the sketch of each parameter when it was first met.
        """
        for layer, streak in self.dead.items():
            self.add(layer, "window", (streak >= STREAK).double().mean())
        found = [(reference(), before) for (_, reference), before in zip(self.parameters, self.before, strict=True)]
        held = [p if p is not None and p.shape == before.shape else None for p, before in found]  # or made larger
        parameters = [before if p is None else p.detach() for p, before in zip(held, self.before, strict=True)]
        sketches = [measure.sketch(parameter) for parameter in parameters]
        pairs = [(sketch, start[key]) for (key, _), sketch in zip(self.parameters, sketches, strict=True)]
        moved = [sketch - old if sketch.shape == old.shape else _unknown(sketch) for sketch, old in pairs]
        lengths = measure.norms(parameters)
        if self.before:
            torch._foreach_sub_(self.before, parameters)
        columns = [self.gradients, lengths, measure.norms(self.before), measure.norms(moved)]
        tensors = [t for numbers in self.layers.values() for uses in numbers.values() for t in uses]
        tensors += [t for column in (*columns, self.twins.values()) for t in column]
        values = iter(measure.to_floats(tensors))
        layers = [
            _layer_row(layer, {name: [next(values) for _ in uses] for name, uses in numbers.items()}, self.times)
            for layer, numbers in self.layers.items()
        ]
        gradients, weights, updates, far = ([next(values) for _ in column] for column in columns)
        twins = {key: cell(next(values)) for key in self.twins}
        rows: list[Row] = []
        for i, (key, _) in enumerate(self.parameters):
            whole = (parameters[i].numel() / max(sketches[i].numel(), 1)) ** 0.5
            travel = (None, None) if held[i] is None else (cell(updates[i]), cell(far[i] * whole))
            rows.append((key, cell(gradients[i]), cell(weights[i]), *travel, twins.get(key)))
        return layers, rows


def _unknown(sketch: Tensor) -> Tensor:
    """How far a tensor moved that the program made larger or smaller."""
    return torch.full_like(sketch[:1], math.nan)


def _layer_row(layer: int, read: Mapping[str, Sequence[float]], times: Mapping[int, int]) -> Row:
    out = read.get("grad_out", ())
    first, last = (out[-1], out[0]) if len(out) > 1 else (_length(read.get("first")), _length(read.get("last")))
    numbers = (
        _mean(read.get("in_rms")), _mean(read.get("in_spread")), _length(out), _length(read.get("grad_in")),
        first, last, _slope(read),
        _mean(read.get("flat")), _mean(read.get("dead")), _mean(read.get("window")),
    )  # fmt: skip
    return (layer, times.get(layer, len(out)), *(None if number is None else cell(number) for number in numbers))


def _mean(values: Sequence[float] | None) -> float | None:
    return sum(values) / len(values) if values else None


def _length(values: Sequence[float] | None) -> float | None:
    return math.hypot(*values) if values else None


def _slope(read: Mapping[str, Sequence[float]]) -> float | None:
    """How much of the gradient's length the activation lets pass."""
    before, after = _length(read.get("slope_before")), _length(read.get("slope_after"))
    return None if before is None or after is None else before / max(after, TINY)

"""Gradients limited unit by unit, or number by number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription, text
from fallline.record.run import Run
from fallline.treatment.patient import Patient

SHARE = 0.01  # of a unit's weights that its gradient may be long
LEAST = 1e-3  # length that weights count with at least, so that those at zero can leave it


@dataclass(frozen=True)
class AdaptiveClip:
    """Cut each unit's gradient to a share of the length of its weights (Brock et al. 2021)."""

    name: str = "adaptive-clip"
    treats: frozenset[str] = frozenset({"exploding-gradient", "learning-rate-too-high", "loss-spike"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """One dose, with the share that the authors use; the output layer is left out, as they do."""
        output = [p.name for layer in run.layers if layer.output for p in run.parameters if p.id == layer.parameter]
        why = f"each unit's gradient cut to {SHARE:g} times its weights"
        return [Prescription(self.name, {"share": SHARE, "output": output}, why)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Cut before every update."""
        spared: list[Tensor] = []
        for name in args["output"]:
            patient.when_ready([name], spared.extend)
        patient.before_update(lambda parameters: _cut(parameters, float(args["share"]), spared))

    def change(self, args: dict[str, Any], run: Run) -> str:
        """A loop between backward and step."""
        return (
            "After loss.backward() and before the step, for all weights but those of the last layer:\n"
            "    def length(t):  # of each unit's part\n"
            "        return t.detach().norm(dim=tuple(range(1, t.ndim)), keepdim=True) if t.ndim > 1 else t.abs()\n"
            "    with torch.no_grad():\n"
            "        for p in model.parameters():\n"
            f"            limit = {args['share']:g} * length(p).clamp(min={LEAST:g})\n"
            "            p.grad.mul_((limit / length(p.grad).clamp(min=1e-12)).clamp(max=1))"
        )


@dataclass(frozen=True)
class ClipValue:
    """Cut every number of the gradient to a range, which keeps one wild weight from slowing all others down."""

    name: str = "clip-value"
    treats: frozenset[str] = frozenset({"exploding-gradient", "loss-spike"})
    percentile: float = 10.0  # of the root mean squares of the gradients seen, as for clipping by norm

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """One threshold from the run's own gradients; none where no finite one was seen."""
        count = sum(p.numel for p in run.parameters if p.trainable)
        norms = [g for t in run.trainings for g in t.total("grad")[1] if np.isfinite(g) and g > 0]
        if not norms or not count:
            return []
        threshold = float(f"{np.percentile(norms, self.percentile) / math.sqrt(count):.2g}")
        why = f"every number of the gradient cut to ±{text(threshold)}"
        return [Prescription(self.name, {"value": threshold}, why)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Cut before every update."""
        value = float(args["value"])
        patient.before_update(lambda parameters: torch.nn.utils.clip_grad_value_(parameters, value))

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The line between backward and step."""
        return (
            "After loss.backward() and before the step:\n"
            f"    torch.nn.utils.clip_grad_value_(model.parameters(), clip_value={args['value']:g})"
        )


def _length(tensor: Tensor) -> Tensor:
    """Norm of each unit's part of a parameter, in a shape that broadcasts against it."""
    if tensor.ndim < 2:
        return tensor.detach().abs()
    length: Tensor = torch.linalg.vector_norm(tensor.detach(), dim=tuple(range(1, tensor.ndim)), keepdim=True)
    return length


def _cut(parameters: list[Tensor], share: float, spared: list[Tensor]) -> None:
    for parameter in parameters:
        if parameter.grad is not None and not any(parameter is s for s in spared):
            limit = share * _length(parameter).clamp(min=LEAST)
            parameter.grad.mul_((limit / _length(parameter.grad).clamp(min=1e-12)).clamp(max=1))

"""Units that died, brought back while the training goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient
from fallline.treatment.remedies import layers

IDLE = 20  # updates in a row without any gradient before a unit is drawn again


@dataclass(frozen=True)
class Revive:
    """Draw the weights of a dead unit again, at the scale of its layer; the units that live are left alone."""

    name: str = "revive"
    treats: frozenset[str] = frozenset({"dead-units"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """For every hidden layer that feeds an activation."""
        touched = [layer for layer in layers.hidden(run) if layer.activation]
        pairs = [(layers.weight(run, layer), layers.bias(run, layer)) for layer in touched]
        why = f"units without a gradient for {IDLE} updates drawn again, one by one"
        return [Prescription(self.name, {"layers": pairs}, why)] if pairs else []

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Count before every update, and draw where the count is full."""
        generator = torch.Generator().manual_seed(0)
        for weight, bias in args["layers"]:
            watched: list[Tensor] = []
            patient.when_ready([weight] if bias is None else [weight, bias], watched.extend)
            patient.before_update(_Watch(watched, generator))

    def change(self, args: dict[str, Any], run: Run) -> str:
        """A count and a draw between backward and step."""
        names = ", ".join(layers.attribute("model", w).removesuffix(".weight") for w, _ in args["layers"])
        return (
            f"Before the loop:\n    hidden = [{names}]\n"
            "    idle = [torch.zeros(len(layer.weight)) for layer in hidden]\n"
            "After loss.backward() and before the step:\n"
            "    for layer, count in zip(hidden, idle):\n"
            "        count += 1\n"
            "        count[layer.weight.grad.flatten(1).abs().sum(1) > 0] = 0\n"
            f"        for unit in (count >= {IDLE}).nonzero():\n"
            "            with torch.no_grad():\n"
            "                layer.weight[unit] = layer.weight.std() * torch.randn_like(layer.weight[unit])\n"
            "                layer.bias[unit] = 0\n"
            "            count[unit] = 0"
        )


class _Watch:
    """Counts the updates that each unit of one layer stands still for."""

    def __init__(self, watched: list[Tensor], generator: torch.Generator) -> None:
        self.watched = watched  # the weight and, where there is one, the bias
        self.generator = generator
        self.idle: Tensor | None = None

    def __call__(self, parameters: list[Tensor]) -> None:
        weight = self.watched[0] if self.watched else None
        if weight is None or weight.grad is None or not any(weight is p for p in parameters):
            return
        still = weight.grad.flatten(1).abs().amax(1) == 0
        self.idle = torch.where(still, (self.idle if self.idle is not None else torch.zeros_like(still.int())) + 1, 0)
        with torch.no_grad():
            for unit in torch.nonzero(self.idle >= IDLE).flatten().tolist():
                drawn = torch.randn(weight[unit].shape, generator=self.generator).to(weight)
                weight[unit] = weight.std() * drawn
                for bias in self.watched[1:]:
                    bias[unit] = 0
                self.idle[unit] = 0

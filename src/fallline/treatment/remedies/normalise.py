"""Normalisation layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient
from fallline.treatment.remedies import layers


@dataclass(frozen=True)
class Normalise:
    """Normalise the output of each hidden layer over its units, before the activation (Ba et al. 2016)."""

    name: str = "normalise"
    treats: frozenset[str] = frozenset(
        {
            "vanishing-gradient", "exploding-gradient", "bad-initialisation", "saturated-units", "dead-units",
            "plateau", "learning-rate-too-high", "unscaled-data",
        }
    )  # fmt: skip
    least_units: int = 4  # with fewer, normalising over the units leaves too little of the signal

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """All hidden layers that are wide enough and not normalised yet."""
        touched = [layer for layer in layers.hidden(run) if layer.units >= self.least_units and layer.activation]
        if not touched or any("norm" in op for layer in run.layers for op in layer.ops):
            return []
        names = [layers.weight(run, layer) for layer in touched]
        units = [layer.units for layer in touched]
        return [
            Prescription(self.name, {"weights": names, "units": units}, "layer normalisation after each hidden layer")
        ]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Normalise by surgery."""

        def insert(tensors: list[Tensor]) -> None:
            for tensor in tensors:
                patient.surgery.edit(tensor).normalise = True

        patient.when_each_ready(args["weights"], insert)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Where to put which layer."""
        images = {layers.weight(run, layer) for layer in run.layers if layer.kind == "conv"}
        places = [
            f"{f'nn.GroupNorm(1, {u})' if n in images else f'nn.LayerNorm({u})'} after {n.removesuffix('.weight')}"
            for n, u in zip(args["weights"], args["units"], strict=True)
        ]
        return f"Put a normalisation layer between each hidden layer and its activation: {layers.listed(places)}."

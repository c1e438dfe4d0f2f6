"""An activation between linear layers that follow each other directly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fallline.diagnosis.chain import bare
from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import ACTIVATIONS, Patient
from fallline.treatment.remedies import layers


@dataclass(frozen=True)
class InsertActivation:
    """ReLU after each layer whose output goes straight into the next one: a chain of linear maps is one linear map."""

    name: str = "insert-activation"
    treats: frozenset[str] = frozenset({"plateau", "local-minimum", "saddle-point"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Only where there is such a chain."""
        names = [layers.weight(run, layer) for layer in bare(run.layers)]
        listed = layers.listed([name.removesuffix(".weight") for name in names])
        return [Prescription(self.name, {"weights": names}, f"nn.ReLU() after {listed}")] if names else []

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """By surgery on the output of each layer."""

        def insert(tensors: list[Tensor]) -> None:
            for tensor in tensors:
                patient.surgery.edit(tensor).insert = ACTIVATIONS["relu"]

        patient.when_each_ready(args["weights"], insert)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Where to write it."""
        listed = layers.listed([name.removesuffix(".weight") for name in args["weights"]])
        return f"nn.ReLU()  # after {listed}: without one, layers in a row are one linear layer"

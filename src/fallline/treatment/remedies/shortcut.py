"""Shortcuts that make a network shallower for the signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import ACTIVATIONS, Patient
from fallline.treatment.remedies import layers


@dataclass(frozen=True)
class Shortcut:
    """Add each hidden layer's input to its output where the shapes agree (He et al. 2016), or bridge the layer."""

    name: str = "shortcut"
    treats: frozenset[str] = frozenset({"vanishing-gradient", "bad-initialisation", "plateau", "exploding-gradient"})
    least_depth: int = 4

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Shortcuts around all square hidden layers, then bridging all but the first of them."""
        square = [layer for layer in layers.hidden(run) if layer.units == layer.fan_in and layer.kind == "linear"]
        if len(square) < 2 or len(run.layers) < self.least_depth:
            return []
        names = [layers.weight(run, layer) for layer in square]
        return [
            Prescription(
                self.name,
                {"weights": names, "bridge": False},
                "add each hidden layer's input to its output (shortcuts)",
            ),
            Prescription(
                self.name,
                {"weights": names[1:], "bridge": True},
                f"a shallower network: leave out {len(names) - 1} hidden layers",
            ),
        ]  # fmt: skip

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Bridge by surgery."""

        def bridge(tensors: list[Tensor]) -> None:
            for tensor in tensors:
                edit = patient.surgery.edit(tensor)
                edit.shortcut, edit.bridge = not args["bridge"], bool(args["bridge"])
                if args["bridge"]:
                    edit.activation = ACTIVATIONS["identity"]

        patient.when_each_ready(args["weights"], bridge)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """What to write in forward."""
        names = layers.listed([n.removesuffix(".weight") for n in args["weights"]])
        if args["bridge"]:
            return f"Take the hidden layers {names} and their activations out of the model."
        return f"In forward, write activation(layer(h) + h) instead of activation(layer(h)) for the layers {names}."

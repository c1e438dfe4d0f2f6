"""Initial weights that are fitted to the data."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient
from fallline.treatment.remedies import layers
from fallline.treatment.remedies.initialise import clear, fill


@dataclass(frozen=True)
class UnitVariance:
    """Orthogonal weights, each layer scaled so that its output on the first batch varies by one (LSUV, Mishkin 2016).

    Where the activation is odd, or the layers differ, no formula knows the right scale; the data do.
    """

    name: str = "unit-variance"
    treats: frozenset[str] = frozenset({"bad-initialisation", "vanishing-gradient", "exploding-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """One dose, for all hidden layers."""
        touched = layers.hidden(run)
        if not touched:
            return []
        weights = [layers.weight(run, layer) for layer in touched]
        biases = [b for layer in touched if (b := layers.bias(run, layer)) is not None]
        why = "orthogonal weights, scaled to outputs of variance 1 on the first batch (LSUV)"
        return [Prescription(self.name, {"weights": weights, "biases": biases}, why)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Overwrite the weights before the first forward pass, and scale them in it by surgery."""

        def mark(tensors: list[Tensor]) -> None:
            patient.surgery.edit(tensors[0]).unit_variance = True

        for name in args["weights"]:
            patient.when_ready([name], functools.partial(fill, "orthogonal", "linear", name))
            patient.when_ready([name], mark)
        for name in args["biases"]:
            patient.when_ready([name], clear)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """A pass over one batch with a hook on each layer."""
        names = ", ".join(layers.attribute("model", n).removesuffix(".weight") for n in args["weights"])
        return (
            "def scale(layer, inputs, output):\n"
            "    layer.weight.div_(output.std())\n"
            "    return output / output.std()\n"
            "with torch.no_grad():  # once, after the model is made; x is one batch\n"
            f"    hidden = [{names}]\n"
            "    for layer in hidden:\n"
            "        torch.nn.init.orthogonal_(layer.weight)\n"
            "        torch.nn.init.zeros_(layer.bias)\n"
            "    hooks = [layer.register_forward_hook(scale) for layer in hidden]\n"
            "    model(x)\n"
            "    for hook in hooks:\n"
            "        hook.remove()"
        )

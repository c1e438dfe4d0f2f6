"""Another activation, with the weights that suit it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import ACTIVATIONS, Patient
from fallline.treatment.remedies import layers
from fallline.treatment.remedies.initialise import clear, fill

MODULES = {"relu": "nn.ReLU()", "leaky_relu": "nn.LeakyReLU()", "selu": "nn.SELU()", "tanh": "nn.Tanh()"}
WEIGHTS = {
    "relu": ("kaiming", "relu"), "leaky_relu": ("kaiming", "leaky_relu"), "selu": ("lecun", "linear"),
    "tanh": ("kaiming", "linear"),
}  # fmt: skip


@dataclass(frozen=True)
class SwapActivation:
    """Replace the activation of the hidden layers, wherever it stands, and start from the weights that suit it.

    ReLU's slope is 1 where it is active (Glorot et al. 2011); SELU keeps mean and variance by itself (Klambauer et al.
    2017), which helps in narrow layers.
    """

    name: str = "activation"
    treats: frozenset[str] = frozenset(
        {
            "vanishing-gradient", "exploding-gradient", "dead-units", "saturated-units", "plateau",
            "bad-initialisation", "non-finite", "no-gradient",
        }
    )  # fmt: skip

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """ReLU for what saturates, SELU for both, leaky ReLU for what is dead, tanh for sigmoid or a slope to bend."""
        bends = finding.code == "no-gradient"
        # a derivative within the loss uses the layers once more
        touched = [layer for layer in (run.layers if bends else layers.hidden(run)) if layer.activation]
        if not touched or (bends and "piecewise" not in finding.evidence):
            return []
        present = {layer.activation for layer in touched}
        wanted = ["leaky_relu", "selu"] if present <= {"relu"} else ["relu", "selu"]
        wanted += ["tanh"] if present == {"sigmoid"} else []
        if finding.code in ("bad-initialisation", "non-finite") and present <= {"relu"}:
            wanted = ["selu"]
        if bends or next(run.events_of("derivative"), None) is not None:  # those of the others are constant, or jump
            wanted = ["tanh"] if present != {"tanh"} else []
        names = [layers.weight(run, layer) for layer in touched]
        every = [layers.weight(run, layer) for layer in run.layers if layer.kind in ("linear", "conv")]
        biases = [b for layer in run.layers if (b := layers.bias(run, layer)) is not None]
        return [
            Prescription(
                self.name,
                {"to": to, "weights": names, "all": every, "biases": biases, "instead_of": sorted(present)},
                f"{MODULES[to]} for {' and '.join(sorted(present))} with {WEIGHTS[to][0].capitalize()} weights",
            )
            for to in wanted
        ]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Swap by surgery, and overwrite the weights before the first forward pass."""

        def swap(tensors: list[Tensor]) -> None:
            for tensor in tensors:
                patient.surgery.edit(tensor).activation = ACTIVATIONS[args["to"]]

        patient.when_each_ready(args["weights"], swap)
        for name in args["all"]:
            scheme = WEIGHTS[args["to"]] if name in args["weights"] else ("xavier", "linear")
            patient.when_ready([name], functools.partial(fill, *scheme, name))
        patient.when_each_ready(args["biases"], clear)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Which activation to write, and the initialisation to go with it."""
        scheme, activation = WEIGHTS[args["to"]]
        init = (
            "torch.nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)"
            if scheme == "lecun"
            else f"torch.nn.init.{scheme}_normal_(module.weight"
            + (
                f", nonlinearity={activation!r})"
                if scheme == "kaiming"
                else f", gain=torch.nn.init.calculate_gain({activation!r}))"
            )
        )
        return (
            f"Write {MODULES[args['to']]} for {' and '.join(args['instead_of'])} after the layers "
            f"{layers.listed([n.removesuffix('.weight') for n in args['weights']])} (the output stays as it is), and "
            "once, after "
            f"the model is made:\n"
            "    for module in model.modules():\n"
            "        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):\n"
            f"            {init}\n"
            "            torch.nn.init.zeros_(module.bias)"
        )

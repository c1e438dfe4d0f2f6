"""New initial weights."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Layer, Run
from fallline.treatment.patient import Patient
from fallline.treatment.remedies import layers

# Scheme that keeps the variance through each activation, with torch's name for the activation.
SCHEMES = {
    "relu": ("kaiming", "relu"), "leakyrelu": ("kaiming", "leaky_relu"), "gelu": ("kaiming", "relu"),
    "silu": ("kaiming", "relu"), "elu": ("kaiming", "linear"), "tanh": ("kaiming", "linear"),
    "sigmoid": ("xavier", "sigmoid"), "hardtanh": ("kaiming", "linear"),
}  # fmt: skip


@dataclass(frozen=True)
class Initialise:
    """Start every layer from weights whose variance suits the activation that follows; biases from zero.

    Kaiming: He et al. 2015; Xavier: Glorot and Bengio 2010; orthogonal: Saxe et al. 2014; the identity for recurrence
    through ReLU: Le, Jaitly and Hinton 2015. Before tanh the variance is 1 / fan_in: the signal of deep networks then
    neither dies nor becomes chaotic (Poole et al. 2016).
    """

    name: str = "initialise"
    treats: frozenset[str] = frozenset(
        {
            "bad-initialisation", "symmetric-units", "vanishing-gradient", "exploding-gradient", "dead-units",
            "saturated-units", "saddle-point", "plateau", "non-finite", "unscaled-data",
        }
    )  # fmt: skip

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """The scheme that fits each activation, then orthogonal weights."""
        touched = [layer for layer in run.layers if layer.kind in ("linear", "conv")]
        if not touched:
            return []
        fitting = {layers.weight(run, layer): list(_scheme(layer)) for layer in touched}
        biases = [b for layer in touched if (b := layers.bias(run, layer)) is not None]
        kinds = sorted({scheme.capitalize() for scheme, _ in fitting.values()})
        said = f"start from {' and '.join(kinds)} weights (by the activation after each layer), biases from 0"
        orthogonal = {name: ["orthogonal", gain] for name, (_, gain) in fitting.items()}
        return [
            Prescription(self.name, {"weights": fitting, "biases": biases}, said),
            Prescription(
                self.name, {"weights": orthogonal, "biases": biases}, "start from orthogonal weights, biases from 0"
            ),
        ]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Overwrite the weights before the first forward pass, with a random generator of their own."""
        for name, (scheme, activation) in args["weights"].items():
            patient.when_ready([name], functools.partial(fill, scheme, activation, name))
        patient.when_each_ready(args["biases"], clear)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """A function for ``model.apply``."""
        schemes = {(scheme, activation) for scheme, activation in args["weights"].values()}
        if len(schemes) == 1:
            scheme, activation = next(iter(schemes))
            return (
                _function([f"        {_call(scheme, activation, 'module.weight')}"])
                + "\nmodel.apply(initialise)  # once, after the model is made"
            )
        weights = args["weights"].items()
        lines = [_call(scheme, activation, layers.attribute("model", name)) for name, (scheme, activation) in weights]
        return "with torch.no_grad():  # once, after the model is made\n    " + "\n    ".join(lines)


def _function(lines: list[str]) -> str:
    head = "def initialise(module):\n    if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):\n"
    tail = "\n        if module.bias is not None:\n            torch.nn.init.zeros_(module.bias)"
    return head + "\n".join(lines) + tail


def _call(scheme: str, activation: str, target: str) -> str:
    if scheme == "kaiming":
        return f"torch.nn.init.kaiming_normal_({target}, nonlinearity={activation!r})"
    gain = f"torch.nn.init.calculate_gain({activation!r})"
    if scheme == "identity":
        return f"torch.nn.init.eye_({target})"
    if scheme == "orthogonal":
        return f"torch.nn.init.orthogonal_({target}, gain={gain})"
    return f"torch.nn.init.xavier_normal_({target}, gain={gain})"


def _scheme(layer: Layer) -> tuple[str, str]:
    if layer.recurrent:
        if layer.activation == "relu" and layer.units == layer.fan_in:
            return "identity", "linear"  # what is positive passes from one time step to the next as it is
        return "orthogonal", "linear"  # keeps the length of the signal from one time step to the next
    if layer.output or not layer.activation:
        return "xavier", "linear"
    return SCHEMES.get(layer.activation, ("xavier", "linear"))


def clear(tensors: list[Tensor]) -> None:
    """Set a bias to zero."""
    tensors[0].zero_()


def fill(scheme: str, activation: Any, name: str, tensors: list[Tensor]) -> None:
    weight = tensors[0] if tensors[0].ndim > 1 else tensors[0].view(1, -1)  # a vector is the weights of one unit
    generator = torch.Generator(device=weight.device).manual_seed(torch.initial_seed() % 2**31 + len(name))
    generator.manual_seed(generator.initial_seed() + sum(map(ord, name)))
    gain = torch.nn.init.calculate_gain(activation)
    if scheme == "identity":
        torch.nn.init.eye_(weight)
    elif scheme == "orthogonal":
        torch.nn.init.orthogonal_(weight, gain, generator=generator)
    elif scheme == "kaiming":
        torch.nn.init.kaiming_normal_(weight, nonlinearity=activation, generator=generator)
    elif scheme == "lecun":
        weight.normal_(0, 1 / math.sqrt(weight[0].numel()), generator=generator)
    else:
        torch.nn.init.xavier_normal_(weight, gain, generator=generator)

"""Biases that start where they should."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.diagnosis.outcome import judge
from fallline.record.run import Run
from fallline.treatment.patient import Patient
from fallline.treatment.remedies import layers

ABOVE = 1.5  # times the loss of a constant prediction that the first loss must be
GATES = (4, 3)  # parts of an LSTM's bias: input, forget, cell, output; of a GRU's: reset, update, new
KEPT = (1.0, 4.0)  # bias of the gate that keeps the state: it is kept for about eᵇ steps


@dataclass(frozen=True)
class OutputBias:
    """Start from the best constant prediction: the mean of the targets, or the logarithms of the classes' shares."""

    name: str = "output-bias"
    treats: frozenset[str] = frozenset({"bad-initialisation", "learning-rate-too-low", "unscaled-data"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Where the first loss is far above that of a constant, and one output layer has a bias."""
        judged = [judge(t) for t in run.trainings if len(t.loss)]
        outputs = [layer for layer in run.layers if layer.output and not layer.activation]
        if len(outputs) != 1 or not any(o.trivial is not None and o.first > ABOVE * o.trivial for o in judged):
            return []
        bias, values = layers.bias(run, outputs[0]), _constant(run)
        if bias is None or len(values) not in (1, outputs[0].units):
            return []
        said = "the mean of the targets" if len(values) == 1 else "the logarithms of the classes' shares"
        return [Prescription(self.name, {"bias": bias, "values": values}, f"the output's bias starts at {said}")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Overwrite it before the first forward pass."""

        def put(tensors: list[Tensor]) -> None:
            tensors[0].copy_(torch.tensor(args["values"]).to(tensors[0]).expand_as(tensors[0]))

        patient.when_ready([args["bias"]], put)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """After the model is made."""
        values = ", ".join(f"{value:g}" for value in args["values"])
        return (
            f"with torch.no_grad():  # once, after the model is made\n"
            f"    {layers.attribute('model', args['bias'])}.copy_(torch.tensor([{values}]))"
        )


@dataclass(frozen=True)
class ForgetBias:
    """Start the gate that keeps the state open: the forget gate of an LSTM, the update gate of a GRU.

    By a bias of one (Gers et al. 2000; Jozefowicz et al. 2015), or for a longer memory by its logarithm (Tallec and
    Ollivier 2018).
    """

    name: str = "forget-bias"
    treats: frozenset[str] = frozenset({"vanishing-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """For every layer of ``nn.LSTM`` or ``nn.GRU``, told by the sizes of its tensors."""
        sizes = {p.name: p.numel for p in run.parameters}
        found = {}
        for name, numel in sizes.items():
            weight = sizes.get(name.replace("bias_ih_l", "weight_hh_l"), 0)
            units = weight // numel
            if "bias_ih_l" in name and weight % numel == 0 and numel in [gates * units for gates in GATES]:
                found[name] = units
        why = "the gate that keeps the recurrent state starts open"
        return [
            Prescription(self.name, {"biases": found, "value": value}, f"{why} (bias {value:g})")
            for value in KEPT if found
        ]  # fmt: skip

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Overwrite the gate's part of both biases, which are added."""
        for name, units in args["biases"].items():
            patient.when_ready([name], functools.partial(_open, int(units), args["value"]))
            patient.when_ready([name.replace("bias_ih", "bias_hh")], functools.partial(_open, int(units), 0.0))

    def change(self, args: dict[str, Any], run: Run) -> str:
        """A line for each recurrent layer."""
        lines = [
            f"torch.nn.init.constant_({layers.attribute('model', name)}[{units}:{2 * units}], {args['value']:g})"
            for name, units in args["biases"].items()
        ]
        return "# once, after the model is made\n" + "\n".join(lines)


def _constant(run: Run) -> list[float]:
    """The best constant output by the targets that were seen; empty where the loss is none of the known ones."""
    sights = [s.detail for s in run.sights if s.detail["kind"] is not None]
    counts = [s["classes"] for s in sights if s["kind"] == "nll" and s.get("classes")]
    if counts:
        total = [sum(column) for column in zip(*counts, strict=True)]
        return [float(f"{math.log((n + 1) / (sum(total) + len(total))):.4g}") for n in total]  # no class is impossible
    means = [s["target"]["mean"] for s in sights if s.get("target")]
    if not means or not math.isfinite(sum(means)):
        return []
    mean = sum(means) / len(means)
    if sights[0]["kind"] == "bce-logits":
        return [float(f"{math.log(mean / (1 - mean)):.4g}")] if 0 < mean < 1 else []
    return [float(f"{mean:.4g}")] if sights[0]["kind"] in ("mse", "smooth-l1", "huber") else []


def _open(units: int, value: float, tensors: list[Tensor]) -> None:
    tensors[0][units : 2 * units] = value

"""Inputs and targets brought to scale."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription, text
from fallline.record.operations import REGRESSION
from fallline.record.run import Layer, Run
from fallline.treatment.patient import RECURRENT, Call, Patient
from fallline.treatment.remedies import layers
from fallline.treatment.scaler import Scaler


@dataclass(frozen=True)
class ScaleInputs:
    """Standardise the inputs by statistics of the training batches; the second dose decorrelates them, too."""

    name: str = "scale-inputs"
    treats: frozenset[str] = frozenset(
        {"unscaled-data", "ill-conditioned", "saturated-units", "learning-rate-too-high"}
    )
    excess: float = 5.0  # the curvature that raw inputs bring, over that of standardised ones
    condition: float = 100.0  # of their second moments

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """For the layers that data flows into, where their inputs are out of scale or nearly collinear."""
        found = {i["layer"]: i for s in run.sights for i in s.detail.get("inputs", [])}
        off = {
            number: i
            for number, i in found.items()
            if i["most"] > 0
            and (i["top"] > self.excess * i["level"] or i["condition"] > self.condition or i["rms"] < 0.1)
        }
        first = [layer for layer in run.layers if layer.id in off and layer.kind in ("linear", "conv")]
        if finding.code == "unscaled-data" and run.layers and run.layers[0].kind == "rnn":
            first = [run.layers[0]]  # whose inputs are not measured
        if not first:
            return []
        args = {"weights": [layers.weight(run, x) for x in first], "channels": [_channel(x) for x in first]}
        doses = [Prescription(self.name, {**args, "whiten": False}, "standardised inputs (mean 0, variance 1)")]
        if all(x.kind == "linear" and x.id in off for x in first) and any(
            off[x.id]["condition"] > self.condition for x in first
        ):
            doses.append(Prescription(self.name, {**args, "whiten": True}, "decorrelated inputs (whitened)"))
        return doses if finding.code != "ill-conditioned" else doses[::-1]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Scale what flows into the layers, in training and in evaluation."""
        for name, channel in zip(args["weights"], args["channels"], strict=True):
            scaler = Scaler(bool(args["whiten"]), int(channel))

            def put(tensors: list[Tensor], scaler: Scaler = scaler) -> None:
                patient.surgery.edit(tensors[0]).scaler = scaler
                patient.surgery.on(dict.fromkeys(RECURRENT, functools.partial(_scaled, scaler, tensors[0])))

            patient.when_ready([name], put)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Two lines before the loop."""
        if args["whiten"]:
            return (
                "from sklearn.decomposition import PCA\n"
                "scale = PCA(whiten=True).fit(x_train)  # on the training data alone\n"
                "x_train, x_test = scale.transform(x_train), scale.transform(x_test)"
            )
        columns = any(i.get("columns") for s in run.sights for i in s.detail.get("inputs", []))
        over = "1, keepdim=True" if columns else "0"  # the dimension that counts samples
        return (
            f"mean, std = x_train.mean({over}), x_train.std({over})  # of the training data alone\n"
            "x_train, x_test = (x_train - mean) / std, (x_test - mean) / std"
        )


@dataclass(frozen=True)
class ScaleTargets:
    """Train on targets with mean 0 and variance 1, and give predictions in the targets' own units."""

    name: str = "scale-targets"
    treats: frozenset[str] = frozenset({"unscaled-data"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """By the mean and variance of the targets seen, where they are out of scale."""
        targets = [s.detail["target"] for s in run.sights if s.detail["kind"] in REGRESSION]
        outputs = [layer for layer in run.layers if layer.output and not layer.activation]
        if "target_rms" not in finding.evidence or not targets or not outputs:
            return []
        mean = sum(t["mean"] for t in targets) / len(targets)
        variances = [t["variance"] + (t["mean"] - mean) ** 2 for t in targets if math.isfinite(t["variance"])]
        std = math.sqrt(sum(variances) / len(variances)) if variances else 1.0
        args = {"weights": [layers.weight(run, x) for x in outputs], "mean": mean, "std": std}
        why = f"targets with {text(mean)} subtracted and divided by {text(std)}, undone on the predictions"
        return [Prescription(self.name, args, why)] if std > 0 else []

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Scale the output to the targets' units, and the gradient as if the loss were in units of variance 1."""
        std = float(args["std"])

        def put(tensors: list[Tensor]) -> None:
            for tensor in tensors:
                patient.surgery.edit(tensor).affine = (std, float(args["mean"]))

        def shrink(parameters: list[Tensor]) -> None:
            torch._foreach_mul_([p.grad for p in parameters if p.grad is not None], 1 / std**2)

        patient.when_each_ready(args["weights"], put)
        patient.before_update(shrink)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Before the loop and after the prediction."""
        return (
            "mean, std = y_train.mean(), y_train.std()\n"
            "loss = criterion(model(x), (y - mean) / std)\n"
            "prediction = model(x) * std + mean"
        )


def _scaled(scaler: Scaler, weight: Tensor, call: Call) -> Call:
    """The call of a recurrent network, which gets its weights in a list, with its input scaled if this is one."""
    function, args, kwargs = call
    held = any(isinstance(a, list) and any(w is weight for w in a) for a in args)
    return (function, (scaler(args[0]), *args[1:]), kwargs) if held else call


def _channel(layer: Layer) -> int:
    return 1 if layer.kind == "conv" else -1

"""The output that the loss expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.operations import VIEWS
from fallline.record.run import Layer, Run
from fallline.treatment.patient import ACTIVATIONS, FLOOR, Call, Patient
from fallline.treatment.remedies import layers

POSITIVE = frozenset(("log", "log2", "log10", "sqrt", "rsqrt", "div", "reciprocal", "pow"))  # what 0 is no good for
PAIRING = (  # functions that stretch two tensors over each other
    "add", "sub", "rsub", "mul", "div", "subtract", "multiply", "divide", "true_divide", "mse_loss", "l1_loss",
    "smooth_l1_loss", "huber_loss", "soft_margin_loss", "poisson_nll_loss",
)  # fmt: skip


@dataclass(frozen=True)
class OutputActivation:
    """Leave the activation at the output out, or put sigmoid there where a single unit went through softmax.

    Or softplus instead of ReLU, where a logarithm, a root or a quotient needs a positive number.
    """

    name: str = "output-activation"
    treats: frozenset[str] = frozenset({"output-mismatch", "dead-units", "non-finite"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """What stands last before the loss, replaced by what the loss expects; against dead units, where it is that."""
        outputs = [layer for layer in run.layers if layer.output]
        if finding.code == "non-finite":
            return self._positive(outputs, run)
        if finding.code == "dead-units" and not any(layer.name in finding.layers for layer in outputs):
            return []
        seen = [s.detail for s in run.sights]
        term = int(finding.evidence.get("term", 0))  # of a sum of losses
        sights = [s for d in seen for s in ([d] if d["kind"] is not None else d.get("terms", [])[term:] or [d])]
        if not outputs or not sights or _logarithm(sights[0]):
            return []
        ops = [op for op in sights[0]["ops"] if op not in VIEWS]
        last = next(
            (op for op in ops if op in ("softmax", "sigmoid", "tanh", "relu", "hardtanh", "softplus", "exp")), None
        )
        if last is None:
            return []
        to = "sigmoid" if sights[0]["kind"] == "bce" else "identity"
        ended = [layer for layer in outputs if layer.activation == last] if len(outputs) > 1 else []
        weights = [layers.weight(run, layer) for layer in ended or outputs]
        why = f"sigmoid instead of {last} at the output" if to == "sigmoid" else f"no {last} at the output"
        return [Prescription(self.name, {"weights": weights, "to": to, "instead_of": last}, why)]

    def _positive(self, outputs: list[Layer], run: Run) -> list[Prescription]:
        event = next(run.events_of("non-finite"), None)
        detail = event.detail if event is not None else {}
        operations = {detail.get("operation"), detail.get("suspect"), *detail.get("suspects", ())}
        ended = [layer for layer in outputs if layer.activation == "relu"]
        if POSITIVE.isdisjoint(operations) or not ended:
            return []
        args = {"weights": [layers.weight(run, layer) for layer in ended], "to": "softplus", "instead_of": "relu"}
        return [Prescription(self.name, args, "softplus instead of relu at the output")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Swap by surgery."""

        def swap(tensors: list[Tensor]) -> None:
            for tensor in tensors:
                patient.surgery.edit(tensor).activation = ACTIVATIONS[args["to"]]

        patient.when_each_ready(args["weights"], swap)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Where to take it away."""
        place = layers.listed([n.removesuffix(".weight") for n in args["weights"]])
        if args["to"] != "identity":
            written = "torch.sigmoid(…)" if args["to"] == "sigmoid" else f"F.softplus(…) + {FLOOR:g}"
            return f"After the last layer ({place}) write {written} instead of {args['instead_of']}."
        return f"Take {args['instead_of']} after the last layer ({place}) away; the loss gets what that layer gives."


def _logarithm(sight: dict[str, Any]) -> bool:
    """Whether the loss expects logarithms of probabilities: to leave softmax out would leave raw scores."""
    return sight["kind"] == "kl" or (sight["kind"] == "nll" and "logsoftmax" not in sight["ops"])


@dataclass(frozen=True)
class MatchShapes:
    """Give the prediction the shape of the target, while training."""

    name: str = "match-shapes"
    treats: frozenset[str] = frozenset({"shape-mismatch"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Take the dimension of size 1 away from the prediction, or add one."""
        seen = next((s.detail["broadcast"] for s in run.sights if s.detail.get("broadcast")), None)
        if seen is None:
            return []
        squeeze = 1 in seen[0]
        why = "prediction.squeeze(-1) in the loss" if squeeze else "prediction.unsqueeze(-1) in the loss"
        return [Prescription(self.name, {"squeeze": squeeze}, why)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """By surgery on arithmetic and losses that would make pairs."""
        patient.surgery.on(dict.fromkeys(PAIRING, _alike))

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The call of the loss."""
        how = "squeeze(-1)" if args["squeeze"] else "unsqueeze(-1)"
        return f"loss = criterion(prediction.{how}, target)  # both of one shape"


def _alike(call: Call) -> Call:
    """Where a prediction and a constant hold equally many numbers and would be stretched: the shape of the constant."""
    function, args, kwargs = call
    if len(args) < 2 or not (isinstance(args[0], Tensor) and isinstance(args[1], Tensor)):
        return call
    a, b = args[:2]
    if a.shape == b.shape or a.numel() != b.numel() or a.requires_grad == b.requires_grad:
        return call
    if torch.broadcast_tensors(a, b)[0].numel() <= a.numel():  # type: ignore[no-untyped-call]
        return call
    a, b = (a.reshape(b.shape), b) if a.requires_grad else (a, b.reshape(a.shape))
    return function, (a, b, *args[2:]), kwargs

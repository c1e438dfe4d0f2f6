"""Inputs and targets brought to scale."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription, text
from fallline.diagnosis.outcome import compared
from fallline.record.operations import REGRESSION
from fallline.record.run import Layer, Run
from fallline.treatment.patient import RECURRENT, Call, Patient, in_units
from fallline.treatment.remedies import layers
from fallline.treatment.scaler import Scaler

MARGIN = 1.25  # half the range of what is stretched, over half that of the targets: its very ends are out of reach
OUTWEIGHED = "explained"  # told of the finding that one target outweighs another


@dataclass(frozen=True)
class ScaleInputs:
    """Standardise the inputs by statistics of the training batches; the second dose decorrelates them, too."""

    name: str = "scale-inputs"
    treats: frozenset[str] = frozenset(
        {"unscaled-data", "ill-conditioned", "saturated-units", "learning-rate-too-high", "non-finite"}
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
            and (i["top"] > self.excess * i["level"] or finding.code != "non-finite")  # what overflows is too large
        }
        first = [layer for layer in run.layers if layer.id in off and layer.kind in ("linear", "conv")]
        if finding.code == "unscaled-data" and run.layers and run.layers[0].kind == "rnn":
            first = [run.layers[0]]  # whose inputs are not measured
        if not first:
            return []
        args = {"weights": [layers.weight(run, x) for x in first], "channels": [_channel(x) for x in first]}
        doses = [Prescription(self.name, {**args, "whiten": False}, "standardised inputs (mean 0, variance 1)")]
        linear = all(x.kind == "linear" and x.id in off for x in first) and finding.code != "non-finite"
        if linear and any(off[x.id]["condition"] > self.condition for x in first):
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
    """Train on targets with mean 0 and variance 1, and give predictions in the targets' own units.

    Where the output is a cosine or a recurrent state, on targets within its range of −1 to 1.
    """

    name: str = "scale-targets"
    treats: frozenset[str] = frozenset({"unscaled-data", "output-mismatch"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """By the mean and variance of the targets seen, where they are out of scale; of several each by its own."""
        if finding.code == "output-mismatch":
            return self._stretch(finding, run)
        outputs = [layers.weight(run, layer) for layer in run.layers if layer.output and not layer.activation]
        targets = _targets(run)
        if (
            {"target_rms", OUTWEIGHED}.isdisjoint(finding.evidence)
            or not targets
            or len(targets) not in (1, len(outputs))
        ):
            return []
        spreads = [_spread(seen) for seen in targets]
        columns = [s.detail["columns"] for s in run.sights if s.detail.get("columns")]
        if OUTWEIGHED in finding.evidence and len(outputs) == 1 and columns:
            spreads = [(m, math.sqrt(v)) for m, v in zip(columns[-1]["means"], columns[-1]["variances"], strict=True)]
        means, stds = zip(*spreads, strict=True)
        if not min(stds) > 0:
            return []
        if len(spreads) > 1:
            args = {"weights": outputs, "mean": list(means), "std": list(stds)}
            return [Prescription(self.name, args, "each target standardised, undone on the predictions")]
        why = f"targets with {text(means[0])} subtracted and divided by {text(stds[0])}, undone on the predictions"
        return [Prescription(self.name, {"weights": outputs, "mean": means[0], "std": stds[0]}, why)] if outputs else []

    def _stretch(self, finding: Finding, run: Run) -> list[Prescription]:
        """The range of the targets for an output that no layer makes and that cannot be left out."""
        if not finding.evidence.get("stands_at_one"):
            return []
        least, most = finding.evidence["target_min"], finding.evidence["target_max"]
        states = [layers.weight(run, x) for x in run.layers if x.output and (x.recurrent or x.kind == "rnn")]
        args = {"states": states, "mean": (least + most) / 2, "std": MARGIN * (most - least) / 2}
        what = "recurrent state" if states else "cosine"
        return [
            Prescription(
                self.name, args, f"{text((least + most) / 2)} + {text(MARGIN * (most - least) / 2)} times the {what}"
            )
        ]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Scale the output to the targets' units, and its gradient as if the loss were in units of variance 1."""
        if "states" in args:
            _apply_stretch(patient, args)
            return
        weights = args["weights"]
        paired = isinstance(args["std"], list) and len(weights) > 1  # else numbers of one output
        for place, name in enumerate(weights):
            affine = (args["std"][place], args["mean"][place]) if paired else (args["std"], args["mean"])

            def put(tensors: list[Tensor], affine: tuple[Any, Any] = affine) -> None:
                patient.surgery.edit(tensors[0]).affine = affine

            patient.when_ready([name], put)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Before the loop and after the prediction."""
        if "states" in args:
            return f"prediction = {text(args['mean'])} + {text(args['std'])} * model(x)  # in the loss, and afterwards"
        each = "0" if isinstance(args["std"], list) else ""
        return (
            f"mean, std = y_train.mean({each}), y_train.std({each})\n"
            "loss = criterion(model(x), (y - mean) / std)\n"
            "prediction = model(x) * std + mean"
        )


def _targets(run: Run) -> list[list[dict[str, Any]]]:
    """What was seen of the targets of a regression, or of each of several that are added up."""
    found = [compared(training) for training in run.trainings]
    each = [[s["target"] for s in sights if s["kind"] in REGRESSION] for sights in max(found, key=len, default=[])]
    return each if all(each) else []


def _spread(targets: list[dict[str, Any]]) -> tuple[float, float]:
    """Mean and standard deviation over batches."""
    mean = sum(t["mean"] for t in targets) / len(targets)
    variances = [t["variance"] + (t["mean"] - mean) ** 2 for t in targets if math.isfinite(t["variance"])]
    return mean, math.sqrt(sum(variances) / len(variances)) if variances else 1.0


def _apply_stretch(patient: Patient, args: dict[str, Any]) -> None:
    mean, std = args["mean"], args["std"]
    if not args["states"]:
        patient.surgery.on({"cosine_similarity": functools.partial(_stretched, mean, std, None)})
    for name in args["states"]:

        def put(tensors: list[Tensor]) -> None:
            patient.surgery.on(dict.fromkeys(RECURRENT, functools.partial(_stretched, mean, std, tensors[0])))

        patient.when_ready([name], put)


def _stretched(mean: float, std: float, weight: Tensor | None, call: Call) -> Call:
    """The call of a cosine, or of the recurrent network that has this weight, with its first result in other units."""
    function, args, kwargs = call
    if weight is not None and not _holds(args, weight):
        return call

    @functools.wraps(function)
    def stretched(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if isinstance(result, Tensor):
            return in_units(result, std, mean)
        return in_units(result[0], std, mean), *result[1:]

    return stretched, args, kwargs


def _holds(args: Sequence[Any], weight: Tensor) -> bool:
    """Whether these arguments of a recurrent network, which gets its weights in a list, have this one among them."""
    return any(isinstance(a, list) and any(w is weight for w in a) for a in args)


def _scaled(scaler: Scaler, weight: Tensor, call: Call) -> Call:
    """The call of a recurrent network, which gets its weights in a list, with its input scaled if this is one."""
    function, args, kwargs = call
    return (function, (scaler(args[0]), *args[1:]), kwargs) if _holds(args, weight) else call


def _channel(layer: Layer) -> int:
    return 1 if layer.kind == "conv" else -1

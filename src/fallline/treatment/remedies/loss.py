"""The arguments that a loss expects."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.record.signs import PLACES
from fallline.treatment.patient import Call, Patient

SMALLEST = 1e-12  # probability whose logarithm is taken at least
NONE = {"min": math.nan, "max": math.nan}  # of a target that was not seen
SIGNED = {**PLACES, "soft_margin_loss": 1}  # losses on −1 and 1, and which argument holds these


@dataclass(frozen=True)
class Way:
    """One way to give a loss what it expects."""

    why: str
    change: str  # what the user writes
    calls: dict[str, Callable[[Call], Call]]  # for functions of torch.nn.functional, by their names


def _on(place: int, name: str, change: Callable[[Any], Any]) -> Callable[[Call], Call]:
    """Change one argument, given by its place or by its name."""

    def changed(call: Call) -> Call:
        function, args, kwargs = call
        if name in kwargs:
            return function, args, {**kwargs, name: change(kwargs[name])}
        if len(args) > place:
            return function, (*args[:place], change(args[place]), *args[place + 1 :]), kwargs
        return function, args, {**kwargs, name: change(None)}

    return changed


def _log_softmax(scores: Tensor) -> Tensor:
    return functional.log_softmax(scores, dim=min(1, scores.ndim - 1))


def _log(probabilities: Tensor) -> Tensor:
    return probabilities.clamp(min=SMALLEST).log()


def _by_class(call: Call) -> Call:
    """Cross entropy of what a regression on the number of the class got."""
    _, (scores, numbers, *_), _ = call
    return functional.cross_entropy, (scores, numbers.reshape(len(scores), -1)[:, 0].long()), {}


def _by_unit(call: Call) -> Call:
    """Cross entropy with one unit: of its sigmoid, not of a softmax over itself."""
    _, args, kwargs = call
    scores, target = (*args, *([kwargs["target"]] if "target" in kwargs else []))[:2]
    if scores.shape != target.shape:
        return call
    reduction = {key: value for key, value in kwargs.items() if key == "reduction"}
    return functional.binary_cross_entropy_with_logits, (scores, target.to(scores.dtype)), reduction


def _labelled(call: Call) -> Call:
    """A product of scores and labels of 0 and 1, with labels of -1 and 1."""
    function, args, kwargs = call
    scored = any(isinstance(value, Tensor) and value.requires_grad for value in args)
    return function, tuple(_signed(value) if scored else value for value in args), kwargs


def _signed(value: Any) -> Any:
    labels = isinstance(value, Tensor) and not value.requires_grad and value.numel() > 1
    return 2 * value - 1 if labels and bool(((value == 0) | (value == 1)).all()) else value


def _scaled(least: float, most: float, data: Tensor) -> Tensor:
    """Data that go from ``least`` to ``most``, such as labels 1 and 2 or pixels to 255, from 0 to 1; others as is."""
    if data.numel() < 2 or data.is_complex() or data.dtype is torch.bool or data.layout is not torch.strided:
        return data
    low, high = data.aminmax()
    whole = data.is_floating_point() or bool(((data == low) | (data == high)).all())
    if not whole or float(low) != least or float(high) != most:
        return data
    return ((data - least) / (most - least)).to(data.dtype)


WAYS = {
    "log-softmax": Way(
        "log_softmax of the scores in nll_loss",
        "loss = F.cross_entropy(scores, target)  # log_softmax and nll_loss in one",
        {"nll_loss": _on(0, "input", _log_softmax)},
    ),
    "log": Way(
        "the logarithm of the probabilities in the loss",
        "log_probabilities = F.log_softmax(scores, dim=1)  # instead of softmax: nll_loss and kl_div take logarithms",
        {"nll_loss": _on(0, "input", _log), "kl_div": _on(0, "input", _log)},
    ),
    "signed": Way(
        "labels of -1 and 1 for the loss",
        "target = 2 * target - 1  # 0 and 1 become -1 and 1",
        {name: _on(place, "target", lambda labels: 2 * labels - 1) for name, place in SIGNED.items()},
    ),
    "hinge": Way(
        "labels of -1 and 1 in the hinge loss",
        "target = 2 * target - 1  # 0 and 1 become -1 and 1",
        {"mul": _labelled},
    ),
    "zero-one": Way(
        "labels of 0 and 1 for the loss",
        "target = (target + 1) / 2  # -1 and 1 become 0 and 1",
        {"binary_cross_entropy_with_logits": _on(1, "target", lambda labels: (labels + 1) / 2)},
    ),
    "scaled": Way(
        "targets from 0 to 1",
        "Where the data are made, for training and test alike:\n"
        "    y = (y - {least:g}) / {range:g}  # {least:g} becomes 0, {most:g} becomes 1",
        {},  # it is the data that change, wherever they are used
    ),
    "rate": Way(
        "the rate itself in the Poisson loss",
        "nn.PoissonNLLLoss(log_input=False)  # the model gives the rate, not its logarithm",
        {"poisson_nll_loss": _on(2, "log_input", lambda _: False)},
    ),
    "classes": Way(
        "cross entropy with the numbers of the classes",
        "loss = F.cross_entropy(outputs, numbers)  # numbers: one whole number a sample, shape (N,), dtype int64",
        dict.fromkeys(("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"), _by_class),
    ),
    "unit": Way(
        "binary cross entropy for the one unit",
        "criterion = nn.BCEWithLogitsLoss()  # of one unit: CrossEntropyLoss takes one for each class",
        {"cross_entropy": _by_unit},
    ),
    "dim": Way(
        "softmax over the classes",
        "torch.softmax(scores, dim=-1)  # over the classes of a sample, not over the samples",
        dict.fromkeys(("softmax", "log_softmax"), _on(1, "dim", lambda dim: -1 if dim == 0 else dim)),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class MatchLoss:
    """Give the loss what it is made for: logarithms of probabilities, labels of its kind, classes in their dimension.

    The loss is another one afterwards, so a trial is held against a constant prediction under that, not against the
    program as it is.
    """

    name: str = "match-loss"
    treats: frozenset[str] = frozenset({"output-mismatch"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """The one way that fits what was seen at the loss."""
        way = _way(run)
        if way is None:
            return []
        least, most = _ends(run)
        ends = {"least": least, "most": most} if way == "scaled" else {}
        return [Prescription(self.name, {"way": way, **ends}, WAYS[way].why)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """By surgery on the loss function's call, or on what any function gets."""
        patient.surgery.on(WAYS[args["way"]].calls)
        if args["way"] == "scaled":
            patient.surgery.data = functools.partial(_scaled, float(args["least"]), float(args["most"]))

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The call of the loss, or what goes into it."""
        change = WAYS[args["way"]].change
        return change.format(**args, range=args["most"] - args["least"]) if args["way"] == "scaled" else change


def _ends(run: Run) -> tuple[float, float]:
    """The least and the largest target of those that were looked at."""
    targets = [sight.detail.get("target", NONE) for sight in run.sights]
    return min(t["min"] for t in targets), max(t["max"] for t in targets)


def _way(run: Run) -> str | None:
    if any(event.detail["least"] == 0 for event in run.events_of("labels")):
        return "signed"
    sights = [sight.detail for sight in run.sights]
    if not sights:
        return None
    kind, ops, (least, most) = sights[0]["kind"], set(sights[0]["ops"]), _ends(run)
    found = {
        "dim": sights[0].get("softmax_dim") == 0,
        "classes": bool(sights[0].get("numbered")),
        "unit": kind == "soft-nll" and sights[0]["prediction"]["shape"][-1] == 1,
        "signed": kind == "soft-margin" and least == 0,
        "hinge": any(sight.get("hinge") == [0, 1] for sight in sights),
        "zero-one": kind == "bce-logits" and (least, most) == (-1, 1),
        "scaled": kind in ("bce", "bce-logits") and (least < 0 or most > 1),
        "rate": kind is None and "exp" in ops,
        "log": kind == "kl" or (kind == "nll" and "softmax" in ops and "logsoftmax" not in ops),
        "log-softmax": kind == "nll" and ops.isdisjoint(("logsoftmax", "logsigmoid", "log")),
    }
    return next((way for way, fits in found.items() if fits), None)

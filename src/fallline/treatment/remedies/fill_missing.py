"""Inputs without NaN and Inf."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import MULTIPLICATIONS, RECURRENT, Call, Patient

FIRST = (*MULTIPLICATIONS, *RECURRENT, "batch_norm", "layer_norm")  # what data may flow into


@dataclass(frozen=True)
class FillMissing:
    """Put the mean of its feature where an input is NaN or infinite."""

    name: str = "fill-missing"
    treats: frozenset[str] = frozenset({"non-finite"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Where the numbers came in with the data."""
        event = next(run.events_of("non-finite"), None)
        if event is None or event.detail.get("origin") != "data":
            return []
        return [Prescription(self.name, {}, "the feature's mean for NaN and Inf in the inputs")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """By surgery on every call that data may flow into, in training and in evaluation."""
        patient.surgery.on(dict.fromkeys(FIRST, functools.partial(_filled, {})))

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Before the loop."""
        return (
            "Before the loop, by the training data alone:\n"
            "    mean = x_train.nanmean(dim=0).nan_to_num()\n"
            "    x_train, x_test = (torch.where(x.isnan(), mean, x) for x in (x_train, x_test))\n"
            "Where a standardisation made them, divide by the standard deviation of a constant feature no more:\n"
            "    x = (x - x.mean(0)) / x.std(0).clamp(min=1e-6)"
        )


@dataclass
class _Means:
    """Of the finite numbers of each feature in the training batches so far; 0 where there was none."""

    sums: Tensor
    counts: Tensor

    def learn(self, data: Tensor, finite: Tensor) -> None:
        rows = range(data.ndim - 1)
        self.sums = self.sums + torch.where(finite, data, 0.0).sum(dim=tuple(rows))
        self.counts = self.counts + finite.sum(dim=tuple(rows))

    def value(self) -> Tensor:
        return self.sums / self.counts.clamp(min=1)


def _filled(known: dict[int, _Means], call: Call) -> Call:
    """The call with data (what has no gradient) made finite; features stand in the last dimension."""
    function, args, kwargs = call
    return function, tuple(_finite(known, value) for value in args), kwargs


def _finite(known: dict[int, _Means], value: Any) -> Any:
    if not isinstance(value, Tensor) or value.requires_grad or not value.is_floating_point() or value.ndim < 2:
        return value
    finite = torch.isfinite(value)
    width = value.shape[-1]
    means = known.setdefault(width, _Means(value.new_zeros(width), value.new_zeros(width)))
    if torch.is_grad_enabled():
        means.learn(value, finite)
    return torch.where(finite, value, means.value())

"""Back to the last good state when the loss jumps."""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient

RECENT = 20  # losses that the usual one is taken from, and updates between two copies of the weights
JUMP = 5.0  # times the usual loss
HALF = 0.5  # what the rate is multiplied by each time


@dataclass(frozen=True)
class Rollback:
    """Put the weights of the last good moment back when the loss jumps, and go on with half the step."""

    name: str = "rollback"
    treats: frozenset[str] = frozenset({"loss-spike", "learning-rate-too-high"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """There is one dose."""
        why = f"back to the last good weights at {JUMP:g} times the usual loss, then half the step"
        return [Prescription(self.name, {"jump": JUMP}, why)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Look at the loss before every update; an update after a jump is left out."""
        watch = _Watch(patient, float(args["jump"]))

        def scale(optimizer: Optimizer) -> None:
            watch.used = watch.factor
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] * watch.used

        def restore(optimizer: Optimizer) -> None:
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] / watch.used

        patient.before_update(watch)
        patient.around_step(scale, restore)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Before the step."""
        return (
            "Before the loop:\n"
            f"    recent, good = collections.deque(maxlen={RECENT}), copy.deepcopy(model.state_dict())\n"
            "In the loop, in the place of optimizer.step():\n"
            f"    if len(recent) == {RECENT} and not loss.item() <= {args['jump']:g} * statistics.median(recent):\n"
            "        model.load_state_dict(good)\n"
            "        for group in optimizer.param_groups:\n"
            f"            group['lr'] *= {HALF:g}\n"
            "    else:\n"
            "        recent.append(loss.item())\n"
            f"        if step % {RECENT} == 0:\n"
            "            good = copy.deepcopy(model.state_dict())\n"
            "        optimizer.step()"
        )


class _Watch:
    """Keeps a copy of the weights, and puts it back when the loss jumps."""

    def __init__(self, patient: Patient, jump: float) -> None:
        self.patient, self.jump = patient, jump
        self.factor, self.used = 1.0, 1.0
        self.recent: deque[float] = deque(maxlen=RECENT)
        self.good: list[tuple[Tensor, Tensor]] = []
        self.updates = 0

    def __call__(self, parameters: list[Tensor]) -> None:
        loss = self.patient.loss
        if not loss <= self._limit() or not math.isfinite(loss):
            with torch.no_grad():
                for parameter, kept in self.good:
                    parameter.copy_(kept)
            for parameter in parameters:
                parameter.grad = None
            self.factor *= HALF
            return
        self.recent.append(loss)
        if self.updates % RECENT == 0:
            self.good = [(p, p.detach().clone()) for p in parameters]
        self.updates += 1

    def _limit(self) -> float:
        usual = statistics.median(self.recent) if len(self.recent) == RECENT else math.inf
        return usual * self.jump if usual > 0 else math.inf

"""A learning rate that changes with the updates."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient

SHARE = 0.1  # of the run's updates that the rate rises over
MOST = 1000  # updates that it rises over at most
FEWEST = 50  # updates of a run that is worth a schedule
HALF = 0.5  # what the rate is multiplied by on a plateau
PATIENCE = 0.05  # share of the run's updates without a new lowest loss
THRESHOLD = 1e-4  # share of the lowest loss by which a new one must be lower, as in torch's ReduceLROnPlateau


@dataclass(frozen=True)
class WarmUp:
    """Raise the learning rate in a line from nearly nothing to its value (Goyal et al. 2017)."""

    name: str = "warm-up"
    treats: frozenset[str] = frozenset({"loss-spike", "learning-rate-too-high", "exploding-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Over the first tenth of the run, where an optimizer has a rate."""
        updates = _updates(run)
        if updates < FEWEST:
            return []
        steps = min(MOST, int(SHARE * updates))
        return [Prescription(self.name, {"steps": steps}, f"the learning rate raised over the first {steps} updates")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Scale the rate around every step."""
        made: Counter[int] = Counter()

        def factor(optimizer: Optimizer) -> float:
            return min(1.0, (made[id(optimizer)] + 1) / int(args["steps"]))

        def restore(optimizer: Optimizer) -> None:
            _scale(optimizer, 1 / factor(optimizer))
            made[id(optimizer)] += 1

        patient.around_step(lambda optimizer: _scale(optimizer, factor(optimizer)), restore)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Torch's own schedule."""
        steps = args["steps"]
        return (
            f"warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / {steps}, "
            f"total_iters={steps - 1})\nwarm_up.step()  # after each optimizer.step()"
        )


@dataclass(frozen=True)
class HoldRate:
    """Keep the learning rate at its highest so far, whatever a schedule does; at its own where it has been 0 only."""

    name: str = "hold-rate"
    treats: frozenset[str] = frozenset({"learning-rate-too-low"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Where the finding says that a schedule takes the rate away."""
        if "late" not in finding.evidence:
            return []
        return [Prescription(self.name, {}, "the learning rate held, without its schedule")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Raise the rate around every step."""
        own: dict[tuple[int, int], float] = {}
        highest: dict[tuple[int, int], float] = {}

        def hold(optimizer: Optimizer) -> None:
            for number, group in enumerate(optimizer.param_groups):
                key = (id(optimizer), number)
                own[key] = float(group["lr"])
                highest[key] = max(highest.get(key, 0.0), own[key])
                group["lr"] = highest[key] or group.get("initial_lr", 0.0)

        def give_back(optimizer: Optimizer) -> None:
            for number, group in enumerate(optimizer.param_groups):
                group["lr"] = own[id(optimizer), number]

        patient.around_step(hold, give_back)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The line to look for."""
        if not any(t.steps["lr"].any() for t in run.trainings):
            return "Call scheduler.step() after each optimizer.step(), or leave the schedule out."
        return "Take scheduler.step() out of the loop over the batches: once an epoch, or not at all."


@dataclass(frozen=True)
class DecayOnPlateau:
    """Halve the learning rate whenever the loss has made no new low for a while, to get below the noise."""

    name: str = "decay-on-plateau"
    treats: frozenset[str] = frozenset({"oscillating-loss", "learning-rate-too-high"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """One dose, for runs that are long enough to wait."""
        updates = _updates(run)
        if updates < FEWEST:
            return []
        patience = max(10, int(PATIENCE * updates))
        why = f"half the learning rate after every {patience} updates without a new lowest loss"
        return [Prescription(self.name, {"patience": patience}, why)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Scale the rate around every step, by the losses of the backward passes."""
        best, waited, factor = math.inf, 0, 1.0

        def restore(optimizer: Optimizer) -> None:
            nonlocal best, waited, factor
            _scale(optimizer, 1 / factor)
            waited += 1
            if patient.loss < best - THRESHOLD * abs(best) or math.isinf(best):
                best, waited = patient.loss, 0
            if waited > args["patience"]:
                factor, waited = factor * HALF, 0

        patient.around_step(lambda optimizer: _scale(optimizer, factor), restore)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Torch's own schedule."""
        return (
            f"decay = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor={HALF:g}, "
            f"patience={args['patience']})\ndecay.step(loss.item())  # after each optimizer.step()"
        )


def _updates(run: Run) -> int:
    return max((len(t.loss) for t in run.trainings if t.optimizer.id), default=0)


def _scale(optimizer: Optimizer, factor: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * factor

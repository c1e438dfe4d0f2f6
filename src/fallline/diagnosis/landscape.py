"""The loss around the weights, as the curvature measured while the training went on tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.finding import Finding, NotApplicable
from fallline.record.hessian import NEGATIVE
from fallline.record.run import Event, Floats, Run, Training

CERTAIN = 1e-3  # in the place of NEGATIVE where all curvatures are known


@dataclass(frozen=True)
class Landscape:
    """The quadratic model of one batch's loss at one update.

    For Adam and its like everything is in the coordinates in which the optimizer makes plain steps.
    """

    step: int
    loss: float
    gradient: float  # norm
    values: Floats  # (k,) Ritz values of the Hessian, ascending
    weights: Floats  # (k,) squared length of the gradient along each
    rayleigh: float  # curvature along the gradient
    size: int  # parameters
    error: tuple[float, float]  # of the smallest and of the largest value
    preconditioned: bool
    witness: dict[str, float]  # share of each parameter in the direction of the smallest curvature, the largest three

    @property
    def complete(self) -> bool:
        """Whether these are all the eigenvalues."""
        return len(self.values) >= self.size

    @property
    def largest(self) -> float:
        return float(self.values[-1])

    @property
    def smallest(self) -> float:
        return float(self.values[0])

    @property
    def negative(self) -> bool:
        """Whether negative curvature is proved: a Ritz value is never below the smallest eigenvalue."""
        least = CERTAIN if self.complete else NEGATIVE
        return self.smallest + self.error[0] < -least * max(abs(self.largest), abs(self.smallest))

    @property
    def convex(self) -> bool:
        """Whether no curvature seen is negative."""
        return self.smallest >= -1e-3 * self.largest

    @property
    def gains(self) -> Floats:
        """(k,) what the loss would lose at the bottom of each direction that curves upwards, as shares of it."""
        upward = self.values > 1e-12 * abs(self.largest)
        with np.errstate(divide="ignore", invalid="ignore"):
            gains = np.where(upward, self.weights / (2 * self.values), 0.0)
        return np.asarray(gains / abs(self.loss) if self.loss else np.zeros_like(gains))

    @property
    def one_step(self) -> float:
        """What one step of the best length for the steepest curvature gains, as a share of the loss."""
        steepest = max(abs(self.largest), abs(self.smallest))
        return float(self.weights.sum() / (2 * steepest * abs(self.loss))) if steepest and self.loss else 0.0


def landscapes(training: Training) -> list[Landscape]:
    """Every look at the curvature of a training, the latest last; none of what is maximized, which curves downwards."""
    found: list[Landscape] = []
    if training.optimizer.maximizes:
        return found
    for event in training.run.events_of("curvature"):
        detail = event.detail
        if _is_of(event, training) and "values" in detail and detail["loss"] is not None:
            found.append(
                Landscape(
                    event.step, float(detail["loss"]), float(detail["gradient"]), np.array(detail["values"]),
                    np.array(detail["weights"]), float(detail["rayleigh"]), int(detail["size"]),
                    (float(detail["error"][0]), float(detail["error"][1])), bool(detail["preconditioned"]),
                    dict(detail["witness"]),
                )
            )  # fmt: skip
    return found


def ask(run: Run, judge: Callable[[Training, Landscape], Finding | None]) -> Finding | None:
    """The first finding that ``judge`` makes of a training and the last look at its curvature.

    Raises:
        NotApplicable: no curvature was measured; the message says why.
    """
    looks = [(training, seen[-1]) for training in run.trainings if (seen := landscapes(training))]
    if not looks:
        raise NotApplicable(why_none(run.trainings[-1]) if run.trainings else "no training was recorded")
    return next((finding for training, look in looks if (finding := judge(training, look)) is not None), None)


def _is_of(event: Event, training: Training) -> bool:
    """Whether a look was at this training; before the first step no optimizer is known yet, which is number 0."""
    alone = len(training.run.trainings) == 1
    return event.detail["optimizer"] in ((training.optimizer.id, 0) if alone else (training.optimizer.id,))


def why_none(training: Training) -> str:
    """Why the curvature of a training was not measured."""
    if training.optimizer.maximizes:
        return "the optimizer maximizes: no curvature is judged"
    refused = [
        event.detail["refused"]
        for event in training.run.events_of("curvature")
        if _is_of(event, training) and "refused" in event.detail
    ]
    return refused[-1] if refused else "the curvature was not measured: the loss did not stall, or time did not allow"


def pace(training: Training) -> float:
    """How far one update goes along the gradient, in the coordinates of :class:`Landscape`: η / (1 − β), for Adam η."""
    rates = training.steps["lr"]
    rates = rates[np.isfinite(rates)]
    rate = float(np.median(rates)) if len(rates) else np.nan
    settings = training.optimizer.settings
    momentum = float(settings.get("momentum", 0.0) or 0.0)
    return rate * (1 - float(settings.get("dampening", 0.0) or 0.0)) / (1 - min(momentum, 0.9999))

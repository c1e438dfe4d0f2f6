"""Updates too small to arrive."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.chain import typical
from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.outcome import Outcome, judge
from fallline.record.run import Run, Training


@dataclass(frozen=True)
class LearningRateTooLow:
    """The weights hardly left their start although there is a gradient to follow, and the loss shows it."""

    code: str = "learning-rate-too-low"
    least: int = 50  # updates; a shorter run is a beginning
    fewest: int = 8  # updates, from which a run that goes down steadily and is still at a guess is too short
    steady: float = 0.7  # of its losses that must be below the first one, for that …
    flowing: float = 0.5  # … while this share of the largest gradient is left
    moved: float = 0.30  # distance from the start over the norm of the weights at the end
    straight: float = 0.25  # distance from the start over the length of the path: 1 is a straight line
    gradient: float = 0.05  # of the largest gradient norm that must be left at the end, for there is a way to go
    still: float = 0.01  # weights that moved less than this hardly moved, however straight
    tiny: float = 1e-4  # share of the weights that is one update, on a plateau of a loss of unknown worth
    begun: float = 0.1  # a training that explained more than this must still be falling
    gain: float = 0.3  # what the second half of the updates must gain of what the first did, for that
    early: float = 0.2  # of the updates, after which …
    throttle: float = 0.01  # … a schedule has left less than this of the rate …
    reached: float = 0.8  # … in a training that has not explained this share
    sure: float = 2.0  # standard errors of that gain where a training has learned what the noise hides
    open: float = 0.30  # a training that explained more than this is on its way, unless it …
    way: float = 0.60  # … explained no more than this, …
    crept: float = 0.10  # … the weights moved less than this, …
    along: float = 0.50  # … as straight as this, and the second half gained much
    creeping: float = 0.05  # weights that moved less, as straight, at an undiminished gradient, have hardly begun
    far: float = 0.50  # weights that moved less than this, on a way as straight as …
    line: float = 0.70  # … this, are on their way, too, …
    reach: float = (
        1e-3  # of a loss without layers, that weights moved by their norm (or 1) gain by their largest gradient
    )
    pace: float = 0.5  # … where the second half of the updates gained this much of what the first did

    def look(self, run: Run) -> Finding | None:
        if not any(len(t.parameter_stats) and len(t.loss) >= self.fewest for t in run.trainings):
            raise NotApplicable(f"fewer than {self.fewest} updates were recorded")
        for training in run.trainings:
            finding = self._judge(training)
            if finding is not None:
                return finding
        if not any(len(t.loss) >= self.least for t in run.trainings):
            raise NotApplicable(f"fewer than {self.least} updates were recorded, and they do not tell")
        return None

    def _goes_on(self, training: Training, gain: float, sure: float = 0.0) -> bool:
        """Whether the second half of the updates still gains much of what the first gained: else the end is a floor.

        ``sure``: standard errors by which it must gain.
        """
        loss = training.loss
        part = max(1, len(loss) // 10)
        start, middle, end = (
            float(np.median(loss[at : at + part])) for at in (0, len(loss) // 2 - part // 2, len(loss) - part)
        )
        return bool(middle - end > max(gain * (start - middle), sure * _noise(training)))

    def _judge(self, training: Training) -> Finding | None:
        outcome = judge(training)
        return (
            self._few(training, outcome)
            or self._zero(training)
            or self._throttled(training, outcome)
            or self._slow(training, outcome)
        )

    def _few(self, training: Training, outcome: Outcome) -> Finding | None:
        """A short run that goes down, and ends at a constant prediction all the same."""
        loss = training.loss
        if not self.fewest <= len(loss) < self.least or outcome.trivial is None or not outcome.idle:
            return None
        _, gradient = training.total("grad")
        falling = loss[-1] < loss[0] and bool((loss[1:] < loss[0]).mean() >= self.steady)
        moved, straight = _way(training)
        begun = falling or (moved < self.still and straight >= self.along)
        if not begun or not len(gradient) or not gradient[-1] >= self.flowing * gradient.max():
            return None
        return Finding(
            code=self.code,
            severity="warning",
            title=f"only {len(loss)} updates",
            message=f"The loss goes from {text(float(loss[0]))} to {text(float(loss[-1]))} in {len(loss)} "
            f"updates, at an undiminished gradient; {outcome.meaning} gives {text(outcome.trivial)}.",
            why="The way down has only begun when the training ends. More epochs, smaller batches (more updates for "
            "the same data) or longer steps bring it further.",
            disproof="The loss stays where it is when training goes on ten times as long.",
            steps=(int(training.steps["step"][0]), int(training.steps["step"][-1])),
            evidence={"updates": float(len(loss)), "learning_rate": typical(training.steps["lr"])},
        )

    def _zero(self, training: Training) -> Finding | None:
        """A rate that a schedule has set to 0, and that nothing raises."""
        rates = training.steps["lr"]
        if len(rates) < self.least or not np.isfinite(rates).all() or rates.any():
            return None
        return Finding(
            code=self.code,
            severity="error",
            title="the learning rate is 0",
            message=f"In all {len(rates)} updates the learning rate is exactly 0: no weight moves.",
            why="A schedule that starts from 0, as a warm-up does, sets the rate to 0 when it is made, and raises it "
            "only when scheduler.step() is called.",
            disproof="The weights differ after an update from what they were before.",
            steps=(int(training.steps["step"][0]), int(training.steps["step"][-1])),
            evidence={"learning_rate": 0.0, "late": 0.0},
        )

    def _throttled(self, training: Training, outcome: Outcome) -> Finding | None:
        """A schedule that takes the rate away long before anything is reached."""
        rates, loss = training.steps["lr"], training.loss
        early = int(self.early * len(rates))
        if outcome.explained >= self.reached or outcome.contested or len(loss) < self.least or early < 5:
            return None
        first, late = float(np.median(rates[:3])), float(np.max(rates[early:]))
        if not 0 <= late < self.throttle * first:
            return None
        since = int(training.steps["step"][int(np.argmax(rates < self.throttle * first))])
        return Finding(
            code=self.code,
            severity="error" if outcome.failed else "warning",
            title="learning rate too low",
            message=f"The learning rate falls from {text(first)} to below {text(self.throttle * first)} by step "
            f"{since} of {len(loss)} and stays there; the loss went from {text(outcome.first)} to "
            f"{text(outcome.last)}.",
            why="A schedule multiplies the rate again and again. Stepped at every batch although it was meant for "
            "epochs, or with too little patience, it takes the rate away before training has got anywhere.",
            disproof="The loss takes the same course with the first rate all along.",
            steps=(since, int(training.steps["step"][-1])),
            evidence={"learning_rate": first, "late": late, "since": float(since)},
        )

    def _slow(self, training: Training, outcome: Outcome) -> Finding | None:
        if not outcome.finite or outcome.explained >= self.way or len(training.loss) < self.least:
            return None
        steps, update = training.total("update_norm")
        _, weight = training.total("weight")
        _, gradient = training.total("grad")
        if not len(steps) or not np.isfinite(update).any() or not (weight[0] > 0 and gradient.max() > 0):
            return None
        moved, straight = _way(training)
        slow = moved < self.still or (moved < self.moved and straight >= self.straight)
        head = float(np.median(training.loss[: max(5, len(training.loss) // 10)]))
        falling = outcome.last <= head + max(0.02 * abs(head), self.sure * _noise(training))
        slow = slow or (moved < self.far and straight >= self.line and self._goes_on(training, self.pace))
        if outcome.trivial is None:  # what the loss is worth is not known
            tiny = outcome.idle and typical(update / weight) < self.tiny
            slow = moved < self.still or (tiny and moved < self.crept)
        if outcome.explained >= self.open:
            slow = slow and moved < self.crept and straight >= self.along
        if outcome.explained > self.begun and not self._goes_on(training, self.gain):
            return None
        left = float(np.median(gradient[-max(3, len(gradient) // 5) :]))  # a single batch's may be small by chance
        largest = float(gradient.max())
        creeps = moved < self.creeping and straight >= self.along and left >= self.flowing * largest
        sure = creeps or moved < self.still or outcome.idle or self._goes_on(training, self.gain, self.sure)
        flat = not training.layers and largest * max(1.0, float(weight[0])) < self.reach * abs(outcome.last)
        flows = left >= self.gradient * largest and not flat
        if not slow or not falling or not flows or not sure:
            return None
        return Finding(
            code=self.code,
            severity="warning" if outcome.explained > 0.1 else "error",
            title="learning rate too low",
            message=f"After {len(training.loss)} updates the weights stand {text(100 * moved)} % of their norm away "
            f"from where they began; one update is {text(typical(update / weight))} of the weights (usual: 0.001), and "
            f"the loss went from {text(outcome.first)} to {text(outcome.last)}.",
            why="Each update is the gradient times the learning rate. The gradient is there, but the steps are so "
            "short that the weights cannot get to where the loss is low in the time they are given.",
            disproof="The loss stays where it is with ten times the learning rate.",
            steps=(int(training.steps["step"][0]), int(training.steps["step"][-1])),
            evidence={
                "moved": moved, "straightness": straight, "update_ratio": typical(update / weight),
                "learning_rate": typical(training.steps["lr"]),
                **_pace(training, outcome.last, outcome.trivial),
            },
        )  # fmt: skip


def _way(training: Training) -> tuple[float, float]:
    """How far the weights went, as a share of their norm at the start, and over the length of their path."""
    steps, update = training.total("update_norm")
    _, weight = training.total("weight")
    _, distance = training.total("displacement")
    if not len(steps) or not weight[0] > 0:
        return math.nan, math.nan
    path = float(np.trapezoid(update, steps)) + float(update[-1])
    straight = min(1.0, float(distance[-1]) / path) if path > 0 else 0.0
    unseen = float(update[-1]) * (int(training.steps["step"][-1]) - steps[-1])  # path after the last measurement
    return (float(distance[-1]) + straight * unseen) / float(weight[0]), straight


def _noise(training: Training) -> float:
    """Standard error of the difference between two tenths of the losses."""
    part = max(1, len(training.loss) // 10)
    last = training.loss[-part:]
    return float(last[np.isfinite(last)].std()) * math.sqrt(2 / part)


def _pace(training: Training, last: float, trivial: float | None) -> dict[str, float]:
    """How many updates are left at the pace of the second half, until half of a constant prediction's loss is gone."""
    half = training.loss[len(training.loss) // 2 :]
    slope = float(np.polyfit(np.arange(len(half)), half, 1)[0])
    if slope >= 0 or trivial is None:
        return {}
    return {"updates_left": (last - trivial / 2) / -slope}

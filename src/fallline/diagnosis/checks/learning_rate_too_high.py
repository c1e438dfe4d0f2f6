"""The step is longer than the curvature of the loss allows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fallline.calculus import stability
from fallline.diagnosis.chain import MAPS, chain
from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.landscape import landscapes, why_none
from fallline.diagnosis.outcome import DOUBT, LEARNED, Outcome, drawn_in, judge
from fallline.record.run import Floats, Run, Training

FEW = 3  # measured updates
OVERSHOOT = (
    "A gradient step overshoots the valley when the learning rate exceeds 2 / λ, λ the largest curvature of the loss: "
    "each step then lands farther out on the other side than the one before."
)


@dataclass(frozen=True)
class LearningRateTooHigh:
    """The loss grows by a steady factor, jumps early under huge updates, or loses what it had learned.

    From a steady factor the largest curvature and the limit of the learning rate follow exactly (see
    ``calculus.stability``); otherwise the size of the updates beside the weights is the evidence. A loss that wanders
    at the edge of stability but falls is not this.
    """

    code: str = "learning-rate-too-high"
    above: float = 10.0  # end of a growing stretch over the largest loss before it
    jump: float = 3.0  # an early loss over the first one
    early: float = 0.3  # share of the run that is early
    first: int = 5  # updates of which a leap, `above` times the losses after it, is no batch's fault, …
    regained: float = 0.5  # … where the loss ends above this share of it
    update: float = 0.10  # update norm / weight norm: 1e-3 is usual, 5e-2 too much (cs231n)
    travelled: float = 1.0  # distance from the start over the norm of the weights there
    rise: float = 1.15  # of the loss, meanwhile; of one that ends a little below a constant's …
    height: float = 1.5  # … this much
    far: float = 2.0  # as travelled: with SGD, whose steps are as long as the gradient, enough without a rise
    wild: float = 0.03  # the same, where the loss also swings
    alike: float = 0.1  # spread of the samples before the last layer, beside that at the start
    apart: float = 0.05  # … which is this share of their size at least
    small: float = 0.1  # fan_in·Var(W) (the median), from which on weights are of a usual size
    passed: float = 1e-2  # first layer's gradient over the last one's, at the first update
    undone: float = 0.01  # update norm / weight norm (the median), where what was learned is lost again
    ahead: float = (
        2.0  # times the limit, before training: up to 4 / λ networks often find flatter ground (Lewkowycz 2020)
    )

    def look(self, run: Run) -> Finding | None:
        if run.meta.get("forecast"):
            return self._ahead(run)
        if not any(len(t.loss) >= 2 for t in run.trainings):
            raise NotApplicable("fewer than two updates were recorded")
        for training in run.trainings:
            outcome = judge(training)
            finding = (
                self._diverging(training, outcome)
                or self._thrown(training, outcome)
                or self._wandered(training, outcome)
                or self._washed_out(training, outcome)
                or self._undone(training, outcome)
            )
            if finding is not None:
                return finding
        return None

    def _ahead(self, run: Run) -> Finding | None:
        """The rate against the limit that the first batch's curvature sets."""
        measured = [(t, looks[-1]) for t in run.trainings if t.optimizer.kind == "SGD" and (looks := landscapes(t))]
        if not measured:
            others = run.trainings and all(t.optimizer.kind not in ("SGD", "by hand") for t in run.trainings)
            reason = why_none(run.trainings[0]) if run.trainings else "no update was recorded"
            raise NotApplicable("what it divides by is not known before the first update" if others else reason)
        for training, look in measured:
            settings, lr = training.optimizer.settings, _rate(training)
            momentum, dampening = float(settings.get("momentum", 0.0)), float(settings.get("dampening", 0.0))
            limit = stability.limit(look.largest, momentum, dampening, bool(settings.get("nesterov", False)))
            if lr > self.ahead * limit:
                return self._finding(
                    training, (look.step, look.step),
                    f"The largest curvature of the first batch's loss is {text(look.largest)}, which allows a learning "
                    f"rate of {text(limit)}. The rate {text(lr)} is {text(lr / limit)} times that.",
                    OVERSHOOT,
                    {"learning_rate": lr, "limit": limit, "curvature": look.largest, "times_over": lr / limit},
                )  # fmt: skip
        return None

    def _diverging(self, training: Training, outcome: Outcome) -> Finding | None:
        found = stability.divergence(training.loss)
        if found is None or outcome.learned or (outcome.contested and outcome.finite):
            return None
        known = np.abs(training.loss[: found.start + 1]).max()
        if not training.loss[found.end] > self.above * known:
            return None  # it only came back from near zero
        settings, lr = training.optimizer.settings, _rate(training)
        evidence = {"loss_ratio": found.ratio, "learning_rate": lr}
        at = "at every step" if found.steady else "from step to step (the median)"
        said = f"From step {found.start} on the loss grows ×{text(found.ratio)} {at}"
        reach = ""
        alike = found.steady or len(training.layers) == 1  # curvature all the way: else it says nothing of the start
        if alike and training.optimizer.kind in ("SGD", "by hand") and lr > 0 and np.isfinite(lr):
            momentum, dampening = float(settings.get("momentum", 0.0)), float(settings.get("dampening", 0.0))
            nesterov = bool(settings.get("nesterov", False))
            curvature = stability.curvature_from_growth(found.ratio**0.5, lr, momentum, dampening, nesterov)
            limit = stability.limit(curvature, momentum, dampening, nesterov)
            evidence |= {"curvature": curvature, "limit": limit, "times_over": lr / limit}
            reach = f" The rate {text(lr)} is {text(lr / limit)} times over the limit {text(limit)}."
        return self._finding(
            training, (found.start, found.end), f"{said}.{reach}",
            OVERSHOOT,
            evidence,
        )  # fmt: skip

    def _thrown(self, training: Training, outcome: Outcome) -> Finding | None:
        loss = training.loss
        steps, update = training.total("update_norm")
        _, weight = training.total("weight")
        sound = np.isfinite(loss).all() or self._grew(loss, steps, weight)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = update / np.maximum(weight, 1e-12)
        share = np.where(np.isfinite(share), share, np.inf)
        if not len(share) or not len(loss) or not sound:
            return None
        window = loss[: max(10, int(self.early * len(loss)))]
        finite = window[np.isfinite(window)]
        peak = float(finite.max()) if len(finite) else np.inf
        if np.isfinite(loss[0]) and not np.isfinite(window).all():
            peak = np.inf
        reference = max(float(loss[0]) if np.isfinite(loss[0]) else 0.0, outcome.trivial or 0.0)
        jumped = peak > self.jump * reference > 0
        middle = float(np.median(share[np.isfinite(share)])) if np.isfinite(share).any() else np.inf
        top = float(share[: max(5, len(share) // 3)].max())
        at = int(np.argmax(np.where(np.isfinite(window), window, np.inf)))
        leapt = outcome.trivial is not None and not outcome.contested and top >= self.update and 0 < at <= self.first
        around = float(np.median(loss[at + 1 : at + 16])) if leapt else np.inf
        leapt = leapt and jumped and peak > self.above * around and outcome.last > self.regained * reference
        worse = leapt or (outcome.failed and not outcome.learned)
        if not worse or not ((jumped and top >= self.wild) or (middle >= self.update and not outcome.flat)):
            return None
        lr = _rate(training)
        return self._finding(
            training, (int(steps[0]), int(training.steps["step"][-1])),
            f"The updates are up to {text(min(top, 1e9))} of the weights' size (usual: 0.001); the loss goes from "
            f"{text(float(loss[0]))} to {text(peak)} at step {at} and ends at {text(outcome.last)}.",
            "The gradient describes the loss only near the point where it was taken. A step this long leaves that "
            "neighbourhood: the loss jumps, and units may be thrown to where they get no gradient any more.",
            {"learning_rate": lr, "update_ratio": min(top, 1e9), "peak_loss": peak, "first_loss": float(loss[0])},
        )  # fmt: skip

    def _wandered(self, training: Training, outcome: Outcome) -> Finding | None:
        """The loss went up while the weights travelled farther than their own norm, and nothing was learnt."""
        steps, distance = training.total("displacement")
        _, weight = training.total("weight")
        loss = training.loss[np.isfinite(training.loss)]
        little = outcome.explained < LEARNED and not outcome.diverged
        if not (outcome.stuck or little) or len(distance) < 3 or len(loss) < 20 or not weight[0] > 0:
            return None
        travelled = float(max(distance[np.isfinite(distance)], default=0.0) / weight[0])
        smooth = np.median(np.lib.stride_tricks.sliding_window_view(loss, 5), axis=1)
        peak = float(smooth.max())
        reference = max(float(loss[0]), outcome.trivial or 0.0)
        _, update = training.total("update_norm")
        top = float(np.nanmax(np.where(weight > 0, update / np.maximum(weight, 1e-12), np.nan)))
        far = travelled >= self.far and top >= self.update and training.optimizer.kind == "SGD"
        far = far and len(training.layers) > 1  # a linear model may start from near 0
        far, rise = (far, self.rise) if outcome.stuck else (False, self.height)
        if travelled < self.travelled or (peak < rise * reference and not far):
            return None
        lr = _rate(training)
        return self._finding(
            training, (int(steps[0]), int(training.steps["step"][-1])),
            f"The weights travelled {text(travelled)} times their own norm. The loss began at {text(float(loss[0]))}, "
            f"its running median of five rose to {text(peak)}, and it ended at {text(outcome.last)}.",
            "Steps this long, or carried on by this much momentum, overshoot every valley they meet: the weights grow, "
            "the outputs saturate, and the way back is lost.",
            {"learning_rate": lr, "travelled": travelled, "peak_loss": peak, "first_loss": float(loss[0])},
        )  # fmt: skip

    def _washed_out(self, training: Training, outcome: Outcome) -> Finding | None:
        """First updates so long that the layers lose what they began with: for good, as the loss shows."""
        share = _shares(training)
        early = float(np.median(share[:FEW])) if len(share) >= FEW else 0.0
        if outcome.trivial is None or not outcome.stuck or early < self.wild or drawn_in(training) is not None:
            return None
        seen = self._alike(training) or self._torn(training, early)
        if seen is None:
            return None
        return self._finding(
            training, (int(training.steps["step"][0]), int(training.steps["step"][-1])),
            f"The first updates are {text(early)} of the weights' size (usual: 0.001). {seen[0]}; the loss ends at "
            f"{text(outcome.last)}, {outcome.meaning}.",
            "The first updates of Adam are as long as the learning rate in every weight, however small the gradient. "
            "Updates this long throw the layers far from the weights that let the samples through: what told them "
            "apart is lost, and with it the gradient that could bring it back.",
            {"learning_rate": _rate(training), "update_ratio": early, **seen[1]},
        )  # fmt: skip

    def _alike(self, training: Training) -> tuple[str, dict[str, float]] | None:
        """Whether the samples look alike to the last layer, though they did not at the start."""
        outputs = [layer for layer in training.layers if layer.output]
        rows = training.layer_stats.where(layer=outputs[0].id) if len(outputs) == 1 else {"in_spread": (), "in_rms": ()}
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.divide(rows["in_spread"], rows["in_rms"])
        spread = spread[np.isfinite(spread)]
        late = float(np.median(spread[-(len(spread) // 3) :])) if len(spread) >= 2 * FEW else np.inf
        if not late <= self.alike * spread[:1].sum() or spread[0] < self.apart:
            return None
        return (
            f"What layer {outputs[0].name} gets differs from sample to sample by {text(float(spread[0]))} of its size "
            f"at the start and by {text(late)} later",
            {"spread": late, "first_spread": float(spread[0])},
        )

    def _torn(self, training: Training, early: float) -> tuple[str, dict[str, float]] | None:
        """Whether the updates are so long, though the weights are of a usual size and pass the gradient on."""
        links = chain(training, updates=1)
        sizes = [layer.fan_in * layer.weight_variance for layer in training.layers if layer.kind in MAPS]
        if early < self.update or links is None or not np.median(sizes) >= self.small or not links.gain >= self.passed:
            return None
        said = f"The gradient reached the first layer with {text(links.gain)} of its size at the last"
        return said, {"gain": links.gain}

    def _undone(self, training: Training, outcome: Outcome) -> Finding | None:
        """A loss that had fallen and climbs back to that of a constant, under large updates."""
        share, loss, tenth = _shares(training), training.loss, len(training.loss) // 10
        if outcome.trivial is None or not outcome.stuck or tenth < FEW or not len(share) or not np.isfinite(loss).all():
            return None
        course = loss[: 10 * tenth].reshape(10, tenth)
        course = course[np.argmin(np.median(course, axis=1))]
        best, usual = float(np.median(course)), float(np.median(share))
        noise = DOUBT * float(course.std()) / math.sqrt(tenth)
        if best + noise > (1 - LEARNED) * outcome.trivial or usual < self.undone or drawn_in(training) is not None:
            return None
        return self._finding(
            training, (int(training.steps["step"][0]), int(training.steps["step"][-1])),
            f"The loss had come down to {text(best)} and climbed back to {text(outcome.last)}, {outcome.meaning}. The "
            f"updates are {text(usual)} of the weights' size (usual: 0.001).",
            "The gradient describes the loss only near the point where it was taken. Steps this long leave the good "
            "region that they had found, and throw the weights to where the gradient does not lead back.",
            {"learning_rate": _rate(training), "update_ratio": usual, "best_loss": best},
        )  # fmt: skip

    def _grew(self, loss: Floats, steps: Floats, weight: Floats) -> bool:
        """Whether loss or weights had grown before the first loss that is not finite: else that is another matter."""
        good = loss[: int(np.argmin(np.isfinite(loss)))]
        before = weight[(steps <= len(good)) & np.isfinite(weight) & (weight > 0)]
        return bool(len(good) > 1 and good.max() > self.jump * good[0] > 0) or bool(
            len(before) > 1 and before.max() > self.jump * before[0]
        )

    def _finding(
        self, training: Training, steps: tuple[int, int], message: str, why: str, evidence: dict[str, float]
    ) -> Finding:
        return Finding(
            code=self.code,
            severity="error",
            title="learning rate too high",
            message=message,
            why=why,
            disproof="The loss takes the same course with a tenth of the learning rate.",
            steps=steps,
            evidence=evidence,
        )


def _shares(training: Training) -> Floats:
    """Update norm over weight norm at each measured update, where both are known."""
    update, weight = training.total("update_norm")[1], training.total("weight")[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = update / weight
    return share[np.isfinite(share)]


def _rate(training: Training) -> float:
    """Largest learning rate that was used; for an update by hand what update and gradient tell, or NaN."""
    rates = training.steps["lr"]
    rates = rates[np.isfinite(rates)]
    if len(rates):
        return float(rates.max())
    _, update = training.total("update_norm")
    _, gradient = training.total("grad")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = update / gradient
    ratio = ratio[np.isfinite(ratio) & (ratio > 0)]
    steady = len(ratio) >= 2 and float(ratio.std()) < 0.01 * float(ratio.mean())
    return float(ratio.mean()) if steady else float("nan")

"""The loss is so much steeper in some directions than in others that the flat ones hardly move."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fallline.calculus import stability
from fallline.diagnosis.finding import Finding, text
from fallline.diagnosis.landscape import Landscape, ask, landscapes, pace
from fallline.diagnosis.outcome import Outcome, judge, same_targets
from fallline.record.run import Run, Training

LOSSES = ("mse", "smooth-l1", "huber", None)  # a cross entropy has no bottom for its quadratic model to stand on …
ENTROPIES = ("logsoftmax", "nllloss", "logsigmoid", "binarycrossentropywithlogits")  # … even if it is a part of a loss
AHEAD = 6  # losses from a look on, of which the length of a step is taken


@dataclass(frozen=True)
class IllConditioned:
    r"""Much of the loss lies in directions that even the largest stable learning rate would not finish in time.

    After N updates a direction of curvature λ has kept the share :math:`(1 - \eta\lambda)^N` of its way; at the limit
    η = 2/λmax that is most of it where :math:`N \lambda / \lambda_{max} < 1`. What descending there would gain is
    ½ (gᵀv)² / λ (the Newton decrement, by Lanczos from the gradient); for a linear model the best fit tells it.
    """

    code: str = "ill-conditioned"
    gain: float = 0.3  # of the loss, that lies in such directions
    explained: float = 0.8  # of the trivial loss
    looks: int = 3  # the latest, of which the median must show it: the gradient of one batch is noise in part
    late: float = 0.25  # of the run, before which a look says nothing about its end
    early: float = 0.1  # of the updates of a function without layers, after which its steep directions are done
    least: float = 0.01  # of its whole fall, that is left to gain
    near: float = 0.2  # of 2 / λmax: with steps this long it is not the rate that is too low

    def look(self, run: Run) -> Finding | None:
        return ask(run, self._judge)

    def _judge(self, training: Training, look: Landscape) -> Finding | None:
        outcome = judge(training)
        updates = len(training.loss)
        kinds = {"nll" if {*sight["ops"]} & {*ENTROPIES} else sight["kind"] for sight in training.sights}
        first = int(training.steps["step"][0])
        if not training.layers and (found := self._unfinished(training, look, outcome)) is not None:
            return found
        judgeable = look.convex and look.largest > 0 and look.step - first >= self.late * updates
        if not judgeable or not kinds <= set(LOSSES) or not outcome.explained < self.explained or not outcome.finite:
            return None
        samples = max((s.get("elements", 0) for s in training.sights), default=0)
        fitted = look.size / samples if samples else 0.0  # what any direction of a batch would gain by its noise
        looks = [seen for seen in landscapes(training) if seen.step - first >= self.late * updates]
        share, usual = _share(look, updates), float(np.median([_share(seen, updates) for seen in looks[-self.looks :]]))
        share, usual = (max(s, _solved(training, outcome, look, updates)) for s in (share, usual))
        if min(share, usual) - fitted < self.gain or not _slow(look, updates).any():
            return None
        rate = known if (known := pace(training)) > 0 else 1 / look.largest
        return self._finding(training, look, _slow(look, updates), min(share, 1), rate)

    def _unfinished(self, training: Training, look: Landscape, outcome: Outcome) -> Finding | None:
        """A function of the parameters alone, far from its bottom at the end, though its steps are long enough."""
        loss, updates, steps = training.loss, len(training.loss), training.steps["step"]
        if not look.gradient or look.preconditioned or not look.convex or outcome.contested or not outcome.finite:
            return None
        at, late = int(np.searchsorted(steps, look.step)), look.step - int(steps[0]) >= self.late * updates
        ahead = loss[at : at + AHEAD]
        rate = -float(np.diff(ahead).mean()) / look.gradient**2 if len(ahead) > 1 else np.nan  # what a step gains
        if not late or not rate * look.largest >= 2 * self.near:
            return None
        slow = (look.values > 0) & (rate * look.values * updates < 1)
        left = float(look.gains[slow].sum()) * abs(look.loss) - (look.loss - outcome.last)
        fall = float(loss[int(self.early * updates)]) - outcome.last
        if not left >= max(self.gain * fall, self.least * (outcome.first - outcome.last)) > 0:
            return None
        finding = self._finding(training, look, slow, left / (left + fall), rate)
        return replace(finding, evidence=finding.evidence | {"times_over": rate * look.largest / 2})

    def _finding(
        self, training: Training, look: Landscape, slow: NDArray[np.bool_], share: float, rate: float
    ) -> Finding:
        """``slow``: which directions would not be finished; ``share``: of the loss, that lies there."""
        updates = len(training.loss)
        flattest = float(look.values[slow][np.argmax(look.gains[slow])])
        ratio = look.largest / flattest
        settings = training.optimizer.settings
        limit = stability.limit(look.largest, float(settings.get("momentum", 0.0) or 0.0))
        needed = 2.3 / (rate * flattest)
        matrix = "the preconditioned Hessian" if look.preconditioned else "the Hessian"
        return Finding(
            self.code, "warning", f"ill-conditioned, κ = {text(ratio)}",
            f"At step {look.step} the curvatures of the loss ({matrix} of {look.size} parameters) go from "
            f"{text(flattest)} to {text(look.largest)}: κ = {text(ratio)}. {100 * share:.0f} % of the loss "
            f"lies along directions so flat that they need about {text(needed)} updates for a tenth to be left; there "
            f"were {updates}.",
            f"The steepest direction allows a learning rate of {text(limit)} at most, and with that the flattest ones "
            "need κ times as many updates. Nearly equal or badly scaled columns cause it. Standardise and decorrelate "
            "the inputs, or use an optimizer with momentum or a rate of its own for each weight.",
            "The loss falls as slowly along the flattest direction with decorrelated inputs.",
            tuple(layer.name for layer in training.layers[:1]), (look.step, int(training.steps["step"][-1])),
            {
                "condition": ratio, "largest": look.largest, "smallest": flattest, "share": share, "limit": limit,
                "updates_needed": needed,
            },
        )  # fmt: skip


def _slow(look: Landscape, updates: int) -> NDArray[np.bool_]:
    """(k,) which directions the largest stable learning rate would not finish in so many updates."""
    return np.asarray((look.values > 0) & (look.values * updates < look.largest))


def _solved(training: Training, outcome: Outcome, look: Landscape, updates: int) -> float:
    """What the best linear fit is below the loss of a linear model, as a share, but for what fast directions gain.

    Single precision does not resolve curvatures below 1e-7 of the largest, where much of it may lie.
    """
    fits = [(s["floor"], s["target"]["variance"]) for s in training.sights if "floor" in s]
    if not outcome.trivial or not fits or len(fits) < len(training.sights) or not same_targets(training.sights):
        return 0.0
    least, variance = fits[-1]
    fast = float(look.gains.sum()) - _share(look, updates)
    return float(1 - least / variance * outcome.trivial / outcome.last - fast) if variance > 0 else 0.0


def _share(look: Landscape, updates: int) -> float:
    """What descending along those would gain, as a share of the loss."""
    return float(look.gains[_slow(look, updates)].sum())

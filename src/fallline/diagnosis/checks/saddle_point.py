"""The gradient is about zero, and yet there is a way down."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fallline.diagnosis.finding import Finding, text
from fallline.diagnosis.landscape import Landscape, ask, pace
from fallline.diagnosis.outcome import Outcome, drawn_in, judge
from fallline.record.run import Run, Training

LEAVING = math.log(1e7)  # from a distance of rounding to one of the size of the weights


@dataclass(frozen=True)
class SaddlePoint:
    r"""A loss that stays where it is, with hardly any gradient and a direction of negative curvature.

    A Ritz value of Lanczos is never below the smallest eigenvalue, so a negative one proves the saddle, and its vector
    is the witness. From a distance δ a direction of curvature −λ is left within about
    :math:`\ln(1/\delta) / \ln(1 + \eta\lambda)` updates: a training that felt it and stayed for much longer stands at
    no saddle, but where the curvature of every batch is another.
    """

    code: str = "saddle-point"
    step: float = 5e-4  # of the loss, that one step of the best length gains at most: the gradient is about zero
    rest: float = (
        1e-6  # of the loss, or of its whole fall; below it descent has stopped, whatever it had reached before
    )
    explained: float = 0.9  # of the trivial loss
    late: float = 0.2  # of the run, before which a look says nothing about its end
    touched: float = 1e-10  # of the squared gradient that must lie along the direction, for descent feels it
    plain: float = 1e5  # times the training that leaving it would take: a curvature of rounding errors, on flat ground
    patience: float = 3.0  # times the updates in which it is left: who is still there stands on the noise of batches

    def look(self, run: Run) -> Finding | None:
        return ask(run, self._judge)

    def _judge(self, training: Training, look: Landscape) -> Finding | None:
        if drawn_in(training) is not None:  # it rests where the decay balances the loss
            return None
        outcome = judge(training)
        late = look.step - int(training.steps["step"][0]) >= self.late * len(training.loss)
        arrived = outcome.flat and look.one_step < self.rest and not outcome.explained >= self.explained
        level = (arrived and not outcome.contested) or (outcome.idle and late)
        at_rest = (level and look.one_step < self.step) or self._settled(look, outcome)
        if not at_rest or not look.negative:
            return None
        growth = pace(training) * abs(look.smallest)  # of the distance, at each update
        left = LEAVING / math.log1p(growth) if growth > 0 else math.inf
        if self._stayed(training, look, left) or self.plain * len(training.loss) < left < math.inf:
            return None
        where = ", ".join(f"{name} ({100 * share:.0f} %)" for name, share in look.witness.items() if share > 0.05)
        return Finding(
            self.code, "error", "saddle point",
            f"At step {look.step} the gradient is {text(look.gradient)}: one step of the best length would gain "
            f"{text(look.one_step * abs(look.loss))} of a loss of {text(look.loss)}. The curvatures go from "
            f"{text(look.smallest)} to {text(look.largest)}: along {where or 'one direction'} the loss falls to both "
            "sides.",
            "Along some directions this point is a minimum, along others a maximum; seen along the first it looks as "
            "if training had arrived. The gradient vanishes at such a point, and descent leaves it only as fast as the "
            "tiny part of it along the falling direction grows. A larger learning rate, momentum, noise or weights "
            "that start farther from zero get it away.",
            "No direction of negative curvature is left when Lanczos starts from a random vector.",
            tuple(name for name, share in look.witness.items() if share > 0.05),
            (look.step, int(training.steps["step"][-1])),
            {
                "smallest": look.smallest, "largest": look.largest, "gradient": look.gradient,
                "one_step": look.one_step, "growth": 1 + growth if growth > 0 else math.nan,
            },
        )  # fmt: skip

    def _settled(self, look: Landscape, outcome: Outcome) -> bool:
        """Whether nothing is left to gain of the whole fall, with so few parameters that all curvatures are known."""
        least = self.rest * (outcome.first - outcome.last)
        here = look.loss - outcome.last < least  # it has not left since
        return look.complete and here and not outcome.contested and look.one_step * abs(look.loss) < least

    def _stayed(self, training: Training, look: Landscape, left: float) -> bool:
        """Whether the second half of the updates was enough to leave a saddle several times."""
        felt = float(look.weights[0]) > self.touched * float(look.weights.sum())
        return felt and len(training.loss) / 2 > self.patience * left

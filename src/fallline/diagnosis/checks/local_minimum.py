"""Descent has arrived, at a minimum that is no good."""

from __future__ import annotations

from dataclasses import dataclass

from fallline.diagnosis.finding import Finding, text
from fallline.diagnosis.landscape import Landscape, ask
from fallline.diagnosis.outcome import LEARNED, Outcome, drawn_in, judge, same_targets
from fallline.record.run import Run, Training


@dataclass(frozen=True)
class LocalMinimum:
    """Gradient zero and every curvature positive, at a loss hardly below that of a constant prediction, or with errors
    that are no noise.

    Lanczos shows every eigenvalue only where the parameters are as few as its steps; with more of them the smallest one
    seen must still be clearly positive. A linear model's only minimum is the global one.
    """

    code: str = "local-minimum"
    gain: float = 0.005  # of the loss, that the quadratic model still promises
    positive: float = 1e-4  # smallest curvature over the largest
    half: float = 0.5  # of the constant loss, up to which …
    row: float = 0.5  # … errors that correlate so much from one sample to the next show that it is no floor of noise
    late: float = 0.3  # of the run, before which a look says nothing about its end

    def look(self, run: Run) -> Finding | None:
        return ask(run, self._judge)

    def _judge(self, training: Training, look: Landscape) -> Finding | None:
        if drawn_in(training) is not None:  # it rests where the decay balances the loss
            return None
        outcome = judge(training)
        late = look.step - int(training.steps["step"][0]) >= self.late * len(training.loss)
        linear = len(training.layers) == 1 and not any(layer.activation for layer in training.layers)
        arrived = look.smallest > self.positive * look.largest > 0 and float(look.gains.sum()) < self.gain
        poor = outcome.stuck or (outcome.finite and outcome.trivial is not None and outcome.explained < LEARNED)
        poor = poor or (look.complete and self._structured(training, outcome))
        if not poor or outcome.contested or outcome.diverged or linear or not late or not arrived:
            return None
        return Finding(
            self.code, "error", f"local minimum at {text(outcome.last)}",
            f"At step {look.step} the gradient is {text(look.gradient)} and the curvatures, {text(look.smallest)} to "
            f"{text(look.largest)}, are all positive: the loss of {text(outcome.last)} is the lowest around. "
            f"{_yardstick(outcome)}{_left(training, outcome)}, so a better minimum must lie elsewhere.",
            "The loss has several valleys, and descent ends at the bottom of the one it starts in. More updates or "
            "another learning rate change nothing. Start from several places, or from values that are known to be "
            "near.",
            "Starts from other places end at the same loss.",
            (), (look.step, int(training.steps["step"][-1])),
            {
                "loss": outcome.last, "smallest": look.smallest,
                "largest": look.largest, "gradient": look.gradient, "gain": float(look.gains.sum()),
            },
        )  # fmt: skip

    def _structured(self, training: Training, outcome: Outcome) -> bool:
        """Whether what is left is no noise: on the same samples each time, their errors follow from their neighbours'.

        The lag-one correlation of the residuals, as in Durbin and Watson (1950); it is 0 for samples in any other order
        than that of a curve.
        """
        row = training.sights[-1].get("row") if training.sights else None
        known = outcome.finite and outcome.trivial is not None and outcome.explained < self.half
        return known and row is not None and row >= self.row and same_targets(training.sights)


def _left(training: Training, outcome: Outcome) -> str:
    """What shows that the rest is no noise, where it is not the level of the loss."""
    learned = outcome.explained >= LEARNED
    return f"; what is left correlates by {text(training.sights[-1]['row'])} from sample to sample" if learned else ""


def _yardstick(outcome: Outcome) -> str:
    """What shows that the loss is poor."""
    if outcome.trivial is None:
        return f"It began at {text(outcome.first)}"
    meaning = outcome.meaning[:1].upper() + outcome.meaning[1:]
    return f"{meaning} gives {text(outcome.trivial)}"

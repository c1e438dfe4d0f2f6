"""The loss is flat where it should not be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.chain import bare
from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.outcome import LEARNED, NOTHING, Outcome, drawn_in, judge
from fallline.record.run import Layer, Run, Training


def _named(layers: Sequence[Layer]) -> str:
    names = [f"layer {layer.name}" for layer in layers]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@dataclass(frozen=True)
class Plateau:
    """A loss that ends no lower than that of a constant prediction, and does not move.

    A loss floor (noise, label smoothing, a finished training) is lower than that and no plateau.
    """

    code: str = "plateau"
    least: int = 20  # updates

    def look(self, run: Run) -> Finding | None:
        if not any(len(t.loss) >= self.least for t in run.trainings):
            raise NotApplicable(f"fewer than {self.least} updates were recorded")
        for training in run.trainings:
            outcome = judge(training)
            waited = "" if outcome.idle else self._waited(training, outcome)
            if len(training.loss) < self.least or not (outcome.idle or waited) or outcome.diverged:
                continue
            known = outcome.trivial is not None and abs(outcome.explained) < 0.1
            drawn = drawn_in(training)
            decay = "" if drawn is None else (
                f" Weight decay has drawn the weights to {text(100 * drawn)} % of their first norm: it pulls harder "
                "than the loss."
            )  # fmt: skip
            chain = bare(training.layers)
            linear = (
                chain and f" No activation follows {_named(chain)}: in a row with the next they are one linear layer."
            )
            meaning = f", {outcome.meaning} ({text(outcome.trivial)})" if known and outcome.trivial else ""
            return Finding(
                code=self.code,
                severity="error",
                title=f"plateau at {text(outcome.last)}",
                message=f"The loss ends at {text(outcome.last)}{meaning}, after {outcome.updates} updates; it began at "
                f"{text(outcome.first)}.{waited}{decay}{linear or ''}",
                why="At this value the outputs carry nothing of the inputs. The network sits where the loss is flat: "
                "no signal reaches it, or the way down is too long for steps of this size.",
                disproof="The loss falls when training simply goes on ten times as long.",
                steps=(int(training.steps["step"][0]), int(training.steps["step"][-1])),
                evidence={
                    "loss": outcome.last, "explained": outcome.explained,
                    **({"trivial": outcome.trivial} if outcome.trivial is not None else {}),
                },
            )  # fmt: skip
        return None

    def _waited(self, training: Training, outcome: Outcome) -> str:
        """What to say of a loss without noise that lay at that of a constant all the time and began to fall at last."""
        loss, trivial = training.loss, outcome.trivial
        middle = loss[len(loss) // 4 : 3 * len(loss) // 4]
        if trivial is None or outcome.unsure or outcome.explained >= LEARNED or len(middle) < 2:
            return ""
        level, noise = float(np.median(middle)), float(np.median(np.abs(np.diff(middle))))
        if not (abs(level / trivial - 1) <= NOTHING and noise <= NOTHING**2 * trivial):
            return ""
        return f" All through the middle half of the run it lay at {text(level)}, and it has only begun to fall."

"""Gradients that are carried over a step."""

from __future__ import annotations

from dataclasses import dataclass

from fallline.diagnosis.finding import Finding, NotApplicable
from fallline.record.run import Run


@dataclass(frozen=True)
class StaleGradient:
    """The gradient used by one step is still there, not zeroed, when the next one accumulates onto it.

    Exact: real accumulation has no step between its backwards, and a gradient that was cleared is not counted.
    """

    code: str = "stale-gradient"
    share: float = 0.5  # of the steps looked at
    least: int = 3  # steps looked at

    def look(self, run: Run) -> Finding | None:
        last = {event.detail["optimizer"]: event for event in run.events_of("carried")}
        if not last:
            raise NotApplicable("too few steps of an optimizer were looked at")
        for event in last.values():
            checked, stale = event.detail["checked"], event.detail["stale"]
            if checked >= self.least and stale >= self.share * checked:
                return Finding(
                    code=self.code,
                    severity="error",
                    title="old gradients are carried into every step",
                    message=f"In {stale} of {checked} steps looked at, the gradient still held the one of the step "
                    "before: zero_grad() is missing in the loop.",
                    why="backward() adds to .grad, it does not replace it. Without optimizer.zero_grad() every step "
                    "follows the sum of all gradients so far, like momentum without friction: too far, and long after "
                    "the turn.",
                    disproof="The sum over several batches is wanted (then step only after the last of them).",
                    steps=(0, event.step),
                    evidence={"checked": float(checked), "stale": float(stale)},
                )
        return None

"""Prediction and target broadcast against each other."""

from __future__ import annotations

from dataclasses import dataclass

from fallline.diagnosis.finding import Finding, NotApplicable
from fallline.record.run import Run


@dataclass(frozen=True)
class ShapeMismatch:
    """N predictions meet N constant targets as N × N pairs, because one has a dimension of size 1 more."""

    code: str = "shape-mismatch"
    share: float = 0.5  # of the losses looked at

    def look(self, run: Run) -> Finding | None:
        if not run.sights:
            raise NotApplicable("no loss with a graph was seen")
        seen = [s.detail["broadcast"] for s in run.sights if s.detail.get("broadcast")]
        if len(seen) < self.share * len(run.sights):
            return None
        before, after = (tuple(shape) for shape in seen[0])
        return Finding(
            code=self.code,
            severity="error",
            title=f"prediction {before} and target broadcast to {after}",
            message=f"The prediction has shape {before}, the loss is taken over shape {after}: every prediction is "
            f"compared with all {after[0]} targets of the batch, not with its own.",
            why="Subtracting (N) from (N, 1) does not fail in PyTorch: both are stretched to (N, N). The best answer "
            "to such a loss is the mean of the targets for every input, so the network learns to ignore its input.",
            disproof="All pairs of predictions and targets are meant to be compared.",
            steps=(run.sights[0].step, run.sights[-1].step),
            evidence={"samples": float(after[0])},
        )

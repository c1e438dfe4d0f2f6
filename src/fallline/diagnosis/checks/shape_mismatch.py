"""Prediction and target broadcast against each other, or the batch stands where time is expected."""

from __future__ import annotations

from dataclasses import dataclass

from fallline.diagnosis.finding import Finding, NotApplicable
from fallline.diagnosis.outcome import judge
from fallline.record.run import Run, Training


@dataclass(frozen=True)
class ShapeMismatch:
    """N predictions meet N constant targets as N × N pairs, because one has a dimension of size 1 more.

    Or a recurrent layer makes N steps, each of another number of rows, for a loss of N samples.
    """

    code: str = "shape-mismatch"
    share: float = 0.5  # of the losses looked at
    learned: float = 0.5  # of the trivial loss: a recurrence that explained more stands as it is meant

    def look(self, run: Run) -> Finding | None:
        if not run.sights:
            raise NotApplicable("no loss with a graph was seen")
        seen = [s.detail["broadcast"] for s in run.sights if s.detail.get("broadcast")]
        if len(seen) < self.share * len(run.sights):
            return next((found for t in run.trainings if (found := self._turned(t)) is not None), None)
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

    def _turned(self, training: Training) -> Finding | None:
        """The samples of a batch are read as the steps of one sequence."""
        looked = [sight["turned"] for sight in training.sights if "turned" in sight]
        seen = [turned for turned in looked if turned]
        if len(seen) < max(1.0, self.share * len(looked)) or judge(training).explained >= self.learned:
            return None
        steps, rows = seen[0]
        said = training.steps["step"]
        return Finding(
            code=self.code,
            severity="error",
            title="the batch stands where time is expected",
            message=f"A recurrent layer makes {steps} steps of {rows} rows each, for a loss of {steps} samples: it "
            "reads the samples of the batch as the steps of one sequence.",
            why="nn.RNN, nn.LSTM and nn.GRU take inputs of shape (time, batch, features), unless they are made with "
            "batch_first=True. With the two exchanged nothing fails: the state is carried from one sample to the next, "
            "and the last of states[:, -1] is that of one time step, not of the whole sequence.",
            disproof="The first dimension of the input is meant to be time.",
            steps=(int(said[0]), int(said[-1])),
            evidence={"time_steps": float(steps), "rows": float(rows), "turned": 1.0},
        )

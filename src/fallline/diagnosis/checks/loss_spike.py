"""Single batches whose loss stands far above the rest and throws the training back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.outcome import judge
from fallline.record.run import Floats, Run, Training


@dataclass(frozen=True)
class LossSpike:
    """Losses far above those of the updates around them and above where training began, which it does not get over.

    A spike that training recovers from is weather.
    """

    code: str = "loss-spike"
    least: int = 30  # updates
    window: int = 15  # updates on either side
    above: float = 10.0  # times the median around
    start: float = 3.0  # times the first losses, or the loss of a constant prediction
    share: float = 0.25  # of all updates: more than this are no exceptions
    explained: float = 0.5  # of the usual batch's trivial loss

    def look(self, run: Run) -> Finding | None:
        if not any(len(t.loss) >= self.least for t in run.trainings):
            raise NotApplicable(f"fewer than {self.least} updates were recorded")
        for training in run.trainings:
            finding = self._judge(training) if len(training.loss) >= self.least else None
            if finding is not None:
                return finding
        return None

    def _judge(self, training: Training) -> Finding | None:
        loss, outcome = training.loss, judge(training)
        usual = _around(loss, self.window)
        reference = max(_usual_trivial(training), _first(loss))
        with np.errstate(invalid="ignore"):
            spikes = np.flatnonzero(
                (usual > 0) & (loss > self.above * usual) & (loss > self.start * reference) & np.isfinite(loss)
            )
        after_others = [i for i in spikes if i > 0 and self._passes(loss, int(i))]
        spikes = np.array(after_others, dtype=int)
        if outcome.contested or not len(spikes) or len(spikes) > self.share * len(loss):
            return None
        late = len(loss) - max(1, len(loss) // 5)
        after = int(spikes[-1]) + 1  # what came before it tells nothing of how it ended
        settled = float(np.median(loss[max(late, after) if after + self.window <= len(loss) else late :]))
        said = self._batches(training)
        constant = outcome.trivial if said and outcome.trivial is not None and settled >= outcome.trivial else None
        if settled <= (1 - self.explained) * reference and constant is None:
            return None  # it got over them
        than = (
            f"{text(reference)}, where they began" if constant is None else f"{text(constant)}, a constant prediction"
        )
        steps = training.steps["step"][spikes]
        highest = int(spikes[np.argmax(loss[spikes])])
        ended = (
            f"Usual batches end at {text(settled)}, no better than {than}."
            if np.isfinite(settled)
            else "The loss ends at NaN or Inf."
        )
        return Finding(
            code=self.code,
            severity="error",
            title=f"loss spikes in {len(spikes)} of {len(loss)} updates",
            message=f"The loss jumps to {text(float(loss[highest]))} at step {int(training.steps['step'][highest])}, "
            f"{text(float(loss[highest] / usual[highest]))} times that of the updates around "
            f"it{', and in ' + str(len(spikes) - 1) + ' more' if len(spikes) > 1 else ''}. {ended}{said}",
            why="A few samples with wrong values pull with a force that grows with their error: one such batch undoes "
            "what hundreds of others taught. If the samples are wrong, take them out; if they are right, a robust loss "
            "(smooth L1), clipped gradients or a lower learning rate keep them from throwing the weights.",
            disproof="Without these batches, or with clipped gradients, the loss stays where it is.",
            steps=(int(steps[0]), int(steps[-1])),
            evidence={
                "spikes": float(len(spikes)), "highest": float(loss[highest]),
                "times": float(loss[highest] / usual[highest]),
                "settled": settled, "reference": reference, "data": float(bool(said)),
            },
        )  # fmt: skip

    def _passes(self, loss: Floats, spike: int) -> bool:
        """Whether the loss comes down again soon, or ends in NaN: else it is no spike but the way up."""
        after = loss[spike + 1 : spike + 1 + self.window]
        return bool((~(after >= loss[spike] / self.above)).any())

    def _batches(self, training: Training) -> str:
        """What the recorder saw in the batches of the spikes."""
        spikes = [event.detail for event in training.run.events_of("spike")]
        targets = [s["target"] for s in training.sights if s.get("target")]
        size = float(np.median([max(abs(t["min"]), abs(t["max"])) for t in targets])) if targets else 0.0
        for spike in spikes:
            rows, target, inputs = spike.get("rows"), spike.get("target"), spike.get("inputs") or {}
            where = f"sample {rows[0]} of the batch" if rows else "a sample of the batch"
            if target and size and (reach := max(abs(target["min"]), abs(target["max"]))) > 10 * size:
                return f" There {where} has a target of size {text(reach)}; in usual batches they reach {text(size)}."
            if inputs.get("times", 0.0) > 10:
                return f" There {where} has inputs {text(inputs['times'])} times as large as the others'."
            if inputs.get("rms", 0.0) > 10 * (usual := _usual_inputs(training)) > 0:
                return f" There the inputs of the batch are of size {text(inputs['rms'])}; usual are {text(usual)}."
        return ""


def _usual_inputs(training: Training) -> float:
    """Root mean square of what flows into the first layers in a usual batch; 0 where it was not measured."""
    rows = training.layer_stats
    sizes = [rows.where(layer=layer.id)["in_rms"] for layer in training.layers if not layer.sources]
    known = [float(np.median(size[np.isfinite(size)])) for size in sizes if np.isfinite(size).any()]
    return max(known, default=0.0)


def _around(loss: Floats, window: int) -> Floats:
    """Median of the losses around each update, shape (n,)."""
    padded = np.pad(loss, window, mode="reflect") if len(loss) > window else np.pad(loss, window, mode="edge")
    view = np.lib.stride_tricks.sliding_window_view(padded, 2 * window + 1)
    finite = np.where(np.isfinite(view), view, np.nan)
    some = np.isfinite(view).any(axis=1)
    medians = np.full(len(loss), np.inf)
    medians[some] = np.nanmedian(finite[some], axis=1)
    return medians


def _first(loss: Floats) -> float:
    finite = loss[:10][np.isfinite(loss[:10])]
    return float(np.median(finite)) if len(finite) else 0.0


def _usual_trivial(training: Training) -> float:
    """Variance of the targets of a usual batch, where the loss is a squared error; else 0."""
    variances = [s["target"]["variance"] * (s["factor"] or 1.0) for s in training.sights if s["kind"] == "mse"]
    finite = [v for v in variances if np.isfinite(v)]
    return float(np.median(finite)) if finite else 0.0

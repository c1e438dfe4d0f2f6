"""Inputs or targets whose scale is far from 1."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import Any

from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.outcome import LEARNED, Outcome, compared, judge
from fallline.record.operations import REGRESSION
from fallline.record.run import Run, Training

ADAPTIVE = ("Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "Rprop", "SparseAdam")


@dataclass(frozen=True)
class UnscaledData:
    """Features or regression targets that are not brought to a scale of about 1, in a training that fails.

    The curvature of a first layer's loss is proportional to the second moments of its inputs, so the limit of the
    learning rate falls with the square of their scale. Where the network trains well on raw data there is no finding.
    """

    code: str = "unscaled-data"
    curvature: float = 100.0  # times that of the same features with mean 0 and variance 1
    large: float = 10.0  # RMS of the inputs
    apart: float = 30.0  # times the median sample's norm, that the largest of a batch has
    small: float = 0.01  # RMS of the inputs
    target: float = 30.0  # RMS of the targets of a regression
    tiny_target: float = 1e-3  # RMS of the targets of a regression
    beyond: float = 3.0  # times the size of targets that are too small, that the outputs still have at the end
    outweighed: float = 1e4  # times the least variance of a few targets, that the largest is
    latest: int = 3  # looks, of which the median must show that the least one is not learned
    explained: float = 0.5  # of the trivial loss
    sane: tuple[float, float] = (1.0, 0.02)  # learning rates (η / (1 − β); adaptive) that fit scaled data

    def look(self, run: Run) -> Finding | None:
        looked = False
        for training in run.trainings:
            sights = [s for s in training.sights if s.get("inputs") or s.get("target") or s.get("terms")]
            looked = looked or bool(sights)
            outcome = judge(training)
            if (finding := self._outweighed(training, outcome)) is not None:
                return finding
            if not sights or outcome.contested or outcome.explained >= self.explained:
                continue
            found = [f for look in (self._inputs, self._targets) if (f := look(training, outcome)) is not None]
            if found:
                return _together(found)
        if not looked:
            raise NotApplicable("neither the inputs nor the targets were seen")
        return None

    def _inputs(self, training: Training, outcome: Outcome) -> Finding | None:
        seen = [i for s in training.sights for i in s.get("inputs", []) if i["most"] > 0 and math.isfinite(i["rms"])]
        if not seen:
            return None
        worst = max(seen, key=lambda i: float(i["top"] / i["level"]))
        excess = worst["top"] / worst["level"]
        if excess < self.curvature or worst["rms"] < self.large:
            if excess >= self.curvature and worst.get("apart", 1.0) >= self.apart:
                return self._outliers(training, outcome, worst)
            largest = max(i["rms"] for i in seen)
            return self._tiny(training, outcome, largest) if 0 < largest < self.small else None
        name = _layer(training, worst["layer"])
        apart = worst["most"] / worst["least"] if worst["least"] > 0 else math.inf
        spread = (
            f", with standard deviations from {text(worst['least'])} to {text(worst['most'])}"
            if worst["features"] > 1 and apart > 10
            else f" around a mean of up to {text(worst['offset'])}" if worst["offset"] > 3 * worst["most"] else ""
        )  # fmt: skip
        return self._finding(
            training, outcome, "inputs are not scaled",
            f"The inputs of layer {name} have an RMS of {text(worst['rms'])}{spread}. That makes the loss "
            f"{text(excess)} times as steeply curved as the same features with mean 0 and variance 1.",
            "The gradient of a first layer's weight is proportional to its input, and the curvature to the input's "
            "square. With raw features the steps that the largest allow are far too short for the small ones, and the "
            "first layer's outputs are so large that activations saturate or die. Subtract each feature's mean and "
            "divide by its standard deviation, both taken from the training set.",
            {"rms": worst["rms"], "curvature": excess, "spread": min(apart, 1e12)}, (name,),
        )  # fmt: skip

    def _outliers(self, training: Training, outcome: Outcome, worst: dict[str, Any]) -> Finding:
        name, excess = _layer(training, worst["layer"]), worst["top"] / worst["level"]
        return self._finding(
            training, outcome, "single inputs are far larger than the others",
            f"In one batch the largest input of layer {name} is {text(worst['apart'])} times as large as the median "
            f"one. Such samples make the loss {text(excess)} times as steeply curved as features with mean 0 and "
            "variance 1.",
            "The gradient of a first layer's weight is proportional to its input, and the curvature to the input's "
            "square: the step that such a sample causes throws the weights that all others need. Look where it comes "
            "from (a division by a small number, another unit, a faulty sensor) and bound it, or clip the gradient.",
            {"rms": worst["rms"], "curvature": excess, "apart": worst["apart"]}, (name,),
        )  # fmt: skip

    def _tiny(self, training: Training, outcome: Outcome, rms: float) -> Finding | None:
        if not outcome.stuck:
            return None
        return self._finding(
            training, outcome, "inputs are scaled down too far",
            f"The inputs have an RMS of {text(rms)}: the network sees hardly more than its biases.",
            "The gradient of a first layer's weight is proportional to its input. With inputs this small the weights "
            "would have to grow by the inverse of their scale before the outputs depend on them (data divided by 255 "
            "twice is a common cause). Bring each feature to a variance of 1.",
            {"rms": rms}, (),
        )  # fmt: skip

    def _targets(self, training: Training, outcome: Outcome) -> Finding | None:
        each = [[s["target"] for s in sights if s["kind"] in REGRESSION] for sights in compared(training)]
        adaptive = training.optimizer.kind in ADAPTIVE
        if not any(each) or (len(training.layers) < 2 and not adaptive):
            return None  # a linear model's curvature does not depend on its targets
        sizes = [statistics.median(map(_rms, targets)) for targets in each if targets]  # a few are another matter
        size = max(sizes)
        if not size >= self.target:
            small = len(each) == 1 and 0 < size <= self.tiny_target
            return self._tiny_targets(training, outcome, size) if small else None
        targets = [targets for targets in each if targets][sizes.index(size)]
        mean = sum(t["mean"] for t in targets) / len(targets)
        reach = (
            "An optimizer that divides by the gradient's size moves each weight by about the learning rate an update, "
            "however far off the targets are: it would take very many updates to get there."
            if adaptive
            else "The gradient of a squared error grows with the error: the first updates throw the weights far away."
        )
        return self._finding(
            training, outcome, "targets are not scaled",
            f"The targets have an RMS of {text(size)} (mean {text(mean)}), while a freshly initialised network puts "
            f"out numbers of about 1 or less. The loss ends at {text(outcome.last)}.",
            f"{reach} Train on targets with their mean subtracted and divided by their standard deviation, and undo "
            "that on the predictions.",
            {"target_rms": size, "target_mean": mean}, (),
        )  # fmt: skip

    def _outweighed(self, training: Training, outcome: Outcome) -> Finding | None:
        """One of a few targets that has no weight beside the others in a common squared error."""
        columns = [s["columns"] for s in training.sights if s.get("columns")][-self.latest :]
        if len(columns) < self.latest or outcome.contested:
            return None
        apart, explained = (statistics.median(c[name] for c in columns) for name in ("apart", "explained"))
        if apart < self.outweighed or not explained < LEARNED:
            return None
        return self._finding(
            training, outcome, "one target outweighs another",
            f"The variances of the targets are {text(apart)} times apart, in one squared error; at the end the least "
            f"varied one is predicted {'worse than' if explained < 0 else 'hardly better than'} by its mean.",
            "A squared error weighs each target by its variance: the gradient that the least one sends back is lost "
            "beside the noise of the largest. Bring each target to mean 0 and variance 1 (fitted on the training "
            "data), or weigh the errors by the inverse of the variances.",
            {"apart": apart, "explained": explained}, (),
        )  # fmt: skip

    def _tiny_targets(self, training: Training, outcome: Outcome, size: float) -> Finding | None:
        predictions = [s["prediction"] for s in training.sights if s["kind"] in REGRESSION]
        out = statistics.median(_rms(p) for p in predictions[-3:])
        if not outcome.stuck or out < self.beyond * size:
            return None
        return self._finding(
            training, outcome, "targets are scaled down too far",
            f"The targets have an RMS of {text(size)}; at the last look the network still puts out {text(out)}.",
            "A network's outputs begin at about 0.1 to 1, and each update moves them by about the learning rate. To "
            "tell apart targets this small the outputs would have to be exact to as many digits. Train on targets "
            "with their mean subtracted and divided by their standard deviation, and undo that on the predictions.",
            {"target_rms": size, "output_rms": out}, (),
        )  # fmt: skip

    def _finding(
        self, training: Training, outcome: Outcome, title: str, message: str, why: str, evidence: dict[str, float],
        layers: tuple[str, ...],
    ) -> Finding:  # fmt: skip
        settings = training.optimizer.settings
        rates = training.steps["lr"]
        momentum = min(float(settings.get("momentum", 0.0) or 0.0), 0.9999)
        rate = float(rates[0]) / (1 - momentum) if len(rates) else math.nan
        adaptive = training.optimizer.kind in ADAPTIVE
        sane = not rate > self.sane[adaptive] * (1 + 1e-9)  # 0.1 / (1 − 0.9) is a little above 1
        return Finding(
            self.code, "error" if outcome.failed and sane else "warning", title, message, why,
            "The loss takes the same course with standardised data.", layers,
            (int(training.steps["step"][0]), int(training.steps["step"][-1])), {**evidence, "rate_fits": float(sane)},
        )  # fmt: skip


def _together(found: list[Finding]) -> Finding:
    """What is wrong with the inputs and what is wrong with the targets as one finding."""
    return replace(
        found[0],
        title="; ".join(f.title for f in found),
        message=" ".join(f.message for f in found),
        evidence={key: value for f in reversed(found) for key, value in f.evidence.items()},
    )


def _rms(target: dict[str, Any]) -> float:
    variance = target["variance"] if math.isfinite(target["variance"]) else 0.0
    return math.sqrt(target["mean"] ** 2 + variance) if math.isfinite(target["mean"]) else 0.0


def _layer(training: Training, number: int) -> str:
    return next((layer.name for layer in training.run.layers if layer.id == number), "")

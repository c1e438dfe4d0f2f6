"""The output or the loss cannot express the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.outcome import compared, judge
from fallline.record.operations import REGRESSION, VIEWS
from fallline.record.run import Run, Training

COSINE = "cosine"  # a sum of products of vectors of length 1
STATE = "recurrent state"  # of an LSTM or GRU: a gate times tanh, or a mean of such
ENDS = 0.9  # of what these two can be at most, where they have nowhere to go
RANGES = {
    "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, float("inf")),
    COSINE: (-1.0, 1.0), STATE: (-1.0, 1.0), "hardtanh": (-1.0, 1.0), "hardsigmoid": (0.0, 1.0),
    "softplus": (0.0, float("inf")), "exp": (0.0, float("inf")),
}  # fmt: skip
PICKS = frozenset(("gather", "index", "indexselect", "maskedselect", "stack"))  # of outputs, as the value of an action


SIGNED = {  # the losses that are made for −1 and 1 and are seen by their labels alone
    "cosine_embedding_loss": "1 − cos for t = 1 and max(0, cos − margin) for t = −1",
    "hinge_embedding_loss": "x for t = 1 and max(0, margin − x) for t = −1",
    "margin_ranking_loss": "max(0, −t (x₁ − x₂) + margin)",
}


@dataclass(frozen=True)
class OutputMismatch:
    """The last activation and the loss do not fit the targets: seen from the operations and ranges at the loss."""

    code: str = "output-mismatch"
    often: float = 0.5  # of the losses looked at, in which a softmax is taken of a softmax
    outside: float = 0.1  # of the targets' range, that the output cannot reach
    labels: float = 1.2  # of a sample, on average; their number less 1, or 1 less that, is 0.2 on average
    part: float = 0.5  # of the first loss, where several losses are added up
    explained: float = 0.9  # of the trivial loss: a training that explained more expresses its targets well enough

    def look(self, run: Run) -> Finding | None:
        looked = False
        labels = [event.detail for event in run.events_of("labels")]
        for loss in dict.fromkeys(str(seen["loss"]) for seen in labels):
            looked = True
            ends = [(seen["least"], seen["most"]) for seen in labels if seen["loss"] == loss]
            if min(least for least, _ in ends) == 0:
                return self._unsigned(loss, max(most for _, most in ends), SIGNED[loss])
        for training in run.trainings:
            for sight in training.sights[:1]:
                looked = looked or sight["kind"] is not None
                finding = self._judge(training, sight)
                if finding is not None:
                    return finding
        if not looked:
            raise NotApplicable("the loss is none of the kinds whose targets can be seen")
        return None

    def _judge(self, training: Training, sight: dict[str, Any]) -> Finding | None:
        outcome = judge(training)
        impossible = sight["kind"] in ("nll", "bce", "bce-logits") and outcome.last < 0  # neither can be negative
        ops = [op for op in sight["ops"] if op not in VIEWS]
        if sight["kind"] is None:
            terms = None if outcome.explained >= self.part else self._of_terms(training)
            return self._twice_exponential(ops) or self._hinge(training) or terms or self._softened(training)
        certain = self._one_unit(sight, ops) or self._numbered(sight) or self._zeros(training, sight)
        if certain or (outcome.explained >= self.explained and not impossible):
            return certain
        return (
            self._across(sight)
            or self._several(training.sights, sight, ops)
            or self._off(training, sight, ops)
            or self._twice(sight, ops)
            or self._scores(sight, ops)
            or self._probabilities(sight)
            or self._range(training, training.sights, sight, ops)
            or self._labels(training.sights, sight)
        )

    def _of_terms(self, training: Training) -> Finding | None:
        """The same of each of the losses that are added up, of which none alone says how the training went."""
        for term, sights in enumerate(compared(training)):
            sight, ops = sights[0], [op for op in sights[0]["ops"] if op not in VIEWS]
            found = (
                self._several(sights, sight, ops) or self._twice(sight, ops) or self._scores(sight, ops)
                or self._probabilities(sight) or self._range(training, sights, sight, ops)
                or self._labels(sights, sight)
            )  # fmt: skip
            if found is not None:
                return replace(found, evidence=found.evidence | {"term": float(term)})
        return None

    def _one_unit(self, sight: dict[str, Any], ops: list[str]) -> Finding | None:
        prediction = sight["prediction"]
        normalised = "softmax" in ops or "logsoftmax" in ops
        constant = prediction["min"] == prediction["max"] and prediction["max"] in (0.0, 1.0)
        if not (normalised and constant and prediction["shape"][-1:] == [1]):
            return None
        return self._finding(
            "softmax over a single unit",
            f"The prediction is {prediction['max']:g} for every sample: softmax over an output of shape "
            f"{tuple(prediction['shape'])} divides one number by itself.",
            "Softmax shares out 1 among the units of a sample. With one unit it gives 1 whatever the weights are, and "
            "its gradient is exactly 0. One unit needs sigmoid with binary cross entropy; softmax needs a unit a "
            "class.",
        )

    def _twice_exponential(self, ops: list[str]) -> Finding | None:
        """exp(x) − t x of an x that is a rate already, as ``PoissonNLLLoss`` takes a logarithm by default."""
        inner = ops[: ops.index("exp")] if ops[-1:] in (["mean"], ["sum"], ["sub"]) and "exp" in ops else []
        rest = [op for op in ops[len(inner) + 1 :] if op not in ("mean", "sum", "div")]
        if inner[-1:] not in (["softplus"], ["relu"], ["exp"]) or rest != ["sub"]:
            return None
        return self._finding(
            "the rate is exponentiated again",
            f"The output passes through {inner[-1]}, which makes it a rate, and the loss exponentiates it: a rate "
            "below 1 cannot be said, and one of 10 is taken for 22,000.",
            "PoissonNLLLoss takes the logarithm of the rate unless it is told log_input=False. Leave the activation at "
            "the output out, or pass log_input=False.",
        )

    def _numbered(self, sight: dict[str, Any]) -> Finding | None:
        """A regression of every output on the number of the class."""
        if not sight.get("numbered"):
            return None
        shape = tuple(sight["prediction"]["shape"])
        return self._finding(
            "every output is fitted to the number of the class",
            f"The {shape[1]} outputs of a sample are all compared with one target, a whole number from 0 to "
            f"{text(sight['target']['max'])}: the target was broadcast over them.",
            "The number of a class has no size. A squared error with one output a class needs one-hot targets; "
            "cross_entropy takes the outputs and the numbers as they are.",
            {"outputs": float(shape[1])},
        )

    def _zeros(self, training: Training, sight: dict[str, Any]) -> Finding | None:
        """Labels 0 and 1 where the loss is made for −1 and 1."""
        targets = [s["target"] for s in training.sights if s["kind"] == "soft-margin"]
        if not targets or min(t["min"] for t in targets) < 0:
            return None
        return self._unsigned("soft_margin_loss", max(t["max"] for t in targets), "log(1 + exp(−t x))")

    def _hinge(self, training: Training) -> Finding | None:
        """A hinge loss by hand, on labels 0 and 1."""
        ends = [s["hinge"] for s in training.sights if "hinge" in s]
        if not ends or min(least for least, _ in ends) != 0 or max(most for _, most in ends) != 1:
            return None
        return self._unsigned("hinge loss", 1.0, "max(0, 1 − t x)")

    def _unsigned(self, loss: str, most: float, formula: str) -> Finding:
        return self._finding(
            "labels of 0 where the loss expects −1",
            f"{loss} got targets from 0 to {text(most)}; it is made for −1 and 1.",
            f"The loss is {formula}. Where the target t is 0 it is the same whatever the outputs are, and has no "
            "gradient: those samples teach nothing. Labels y of 0 and 1 become 2 y − 1.",
        )

    def _several(self, sights: Sequence[dict[str, Any]], sight: dict[str, Any], ops: list[str]) -> Finding | None:
        """Softmax where a sample has several labels."""
        targets = [s["target"] for s in sights if s["kind"] == "bce"]
        if sight["kind"] != "bce" or ops[-2:-1] != ["softmax"] or len(sight["prediction"]["shape"]) < 2:
            return None
        columns = sight["prediction"]["shape"][sight.get("softmax_dim", -1)]
        labels = columns * sum(t["mean"] for t in targets) / len(targets)
        if labels < self.labels:
            return self._apart(float(np.mean([s.get("from_one", 0.0) for s in sights])), columns)
        return self._finding(
            "softmax where a sample has several labels",
            f"The outputs of a sample pass through softmax and so sum to 1, but a sample has {text(labels)} of the "
            f"{columns} labels on average.",
            "Softmax lets the labels of a sample compete: at most one of them can pass one half. Labels that do not "
            "exclude each other need a sigmoid each, as in binary_cross_entropy_with_logits on the raw outputs.",
            {"labels": labels},
        )

    def _apart(self, distance: float, columns: int) -> Finding | None:
        """Softmax where a sample has no label, one, or several."""
        if not distance >= self.labels - 1:
            return None
        return self._finding(
            "softmax where labels do not exclude each other",
            f"The {columns} outputs of a sample pass through softmax and so sum to 1; the number of its labels differs "
            f"from 1 by {text(distance)} on average.",
            "Softmax lets the labels of a sample compete: one of them has to be there, and at most one can pass one "
            "half. Labels of which a sample may have none or several need a sigmoid each, as in "
            "binary_cross_entropy_with_logits on the raw outputs.",
            {"distance": distance},
        )

    def _off(self, training: Training, sight: dict[str, Any], ops: list[str]) -> Finding | None:
        """Classes whose score is a ReLU that is off for every sample."""
        if sight["kind"] != "nll" or ops[-3:-1] != ["relu", "logsoftmax"]:
            return None
        rows = [training.layer_stats.where(layer=layer.id)["dead_window"] for layer in training.layers if layer.output]
        off = max((float(dead[np.isfinite(dead)][-1]) for dead in rows if np.isfinite(dead).any()), default=0.0)
        classes = sight["prediction"]["shape"][:2][-1]  # of a single sample without a batch the only one
        if not off * classes >= 1:
            return None
        return self._finding(
            "ReLU on the scores of the classes",
            f"The scores pass through relu before the cross entropy; at the end {text(off * classes)} of the {classes} "
            "are 0 for every sample.",
            "A score that is 0 for every sample gets no gradient any more: its class can no longer be learned, and the "
            "loss keeps the floor that this leaves. Cross entropy takes raw scores, negative ones too.",
            {"off": off},
        )

    def _across(self, sight: dict[str, Any]) -> Finding | None:
        """Softmax over the samples instead of the classes."""
        shape = tuple(sight["prediction"]["shape"])
        if sight.get("softmax_dim") != 0 or len(shape) != 2 or shape[0] == 1:
            return None
        return self._finding(
            "softmax over the batch",
            f"The outputs of shape {shape} pass through a softmax over dimension 0, the {shape[0]} samples, not over "
            f"their {shape[1]} classes.",
            "Softmax shares out 1 along its dimension. Along the batch the samples of one class compete with each "
            "other, and what one sample gets depends on all others. The classes are dimension 1 (dim=-1).",
            {"dim": 0.0, "samples": float(shape[0])},
        )

    def _twice(self, sight: dict[str, Any], ops: list[str]) -> Finding | None:
        softened = ops[-3:-2] if ops[-2:-1] == ["logsoftmax"] else ops[-2:-1]
        before = {"nll": softened, "soft-nll": softened, "bce-logits": ops[-2:-1]}
        first = before.get(sight["kind"], [])
        if first not in (["softmax"], ["sigmoid"], ["logsoftmax"]) or (ops[-2:-1] == ["logsoftmax"] == first):
            return None
        if sight["kind"] == "bce-logits" and first != ["sigmoid"]:
            return None
        loss = "cross_entropy" if sight["kind"] != "bce-logits" else "binary_cross_entropy_with_logits"
        if sight["kind"] == "nll" and ops[-2:-1] != ["logsoftmax"]:
            return None if first == ["logsoftmax"] else self._finding(
                f"{first[0]} where the loss expects log-probabilities",
                f"The loss is nll_loss, and what comes in are probabilities from {first[0]}, not their logarithms.",
                "nll_loss takes log_softmax of the outputs. On probabilities it has no minimum where they are right, "
                "and its gradient nearly vanishes.",
            )  # fmt: skip
        return self._finding(
            f"{first[0]} applied before a loss that applies it again",
            f"The output passes through {first[0]}, and {loss} applies it a second time: what it gets lies between 0 "
            "and 1.",
            "The loss takes raw scores (logits). Squeezed into 0 to 1 they can never say more than e : 1, so the loss "
            "has a floor far above 0 and the gradient is small everywhere. Leave the activation at the output out.",
        )

    def _softened(self, training: Training) -> Finding | None:
        """Probabilities where a distribution expects logits."""
        seen = [sight.get("softened", False) for sight in training.sights]
        if sum(seen) < self.often * len(seen):
            return None
        return self._finding(
            "softmax applied to probabilities",
            "The output passes through softmax, and the logarithm of its softmax is taken again, as "
            "Categorical(logits=…) and log_softmax do.",
            "They take raw scores (logits). Squeezed into 0 to 1 these can never say more than e : 1, so no choice "
            "gets more than a little above its share. Leave the softmax at the output out, or give what it puts out as "
            "probabilities: Categorical(probs=…).",
        )

    def _scores(self, sight: dict[str, Any], ops: list[str]) -> Finding | None:
        """Raw scores where log-probabilities are expected: these are never above 0."""
        most = sight["prediction"]["max"] if sight["kind"] == "nll" else 0.0
        if "logsoftmax" in ops or "logsigmoid" in ops or not most > 1e-3:
            return None
        return self._finding(
            "raw scores where the loss expects log-probabilities",
            f"The loss is nll_loss, and what comes in goes up to {text(most)}: a logarithm of a probability is never "
            "above 0.",
            "nll_loss takes log_softmax of the outputs and returns minus the entry of the right class. On raw scores "
            "it has no lower bound: it falls for ever while the scores of all classes grow. cross_entropy does both "
            "steps.",
            {"prediction_max": most},
        )

    def _probabilities(self, sight: dict[str, Any]) -> Finding | None:
        """Probabilities where kl_div expects their logarithms."""
        least, most = sight["prediction"]["min"], sight["prediction"]["max"]
        if sight["kind"] != "kl" or not most > 1e-3:
            return None
        return self._finding(
            "kl_div gets no log-probabilities",
            f"The loss is kl_div, and what comes in lies between {text(least)} and {text(most)}: a logarithm of a "
            "probability is never above 0.",
            "kl_div takes log_softmax of the outputs as its first argument. On probabilities it is linear in them and "
            "negative, and its minimum puts all on one class.",
            {"prediction_max": most},
        )

    def _range(
        self, training: Training, sights: Sequence[dict[str, Any]], sight: dict[str, Any], ops: list[str]
    ) -> Finding | None:
        ops = [op for op in ops if op not in PICKS]
        last = ops[-2] if len(ops) >= 2 else ""
        if last not in RANGES and _at_one(sights):
            last = COSINE if last == "sum" and "mul" in ops else STATE if _recurrent(training) else last
        if sight["kind"] not in REGRESSION or last not in RANGES:
            return None
        low, high = sight["bounds"] if last == "hardtanh" and "bounds" in sight else RANGES[last]
        targets = [s["target"] for s in sights if s["kind"] in REGRESSION]
        least, most = min(t["min"] for t in targets), max(t["max"] for t in targets)
        beyond = max(0.0, most - high) + max(0.0, low - least)
        if most <= least or beyond < self.outside * (most - least):
            return None
        return self._finding(
            f"{last} output for targets from {text(least)} to {text(most)}",
            f"{'The output is a' if last in (COSINE, STATE) else 'The last operation is'} {last}, whose values lie "
            f"between {text(low)} and {text(high)}; the targets go from {text(least)} to {text(most)}.",
            "The network cannot express such targets: it drives its output to the end of the range, where the "
            "activation is flat and the gradient dies. Leave the activation out, or scale the targets into its range.",
            {
                "target_min": least,
                "target_max": most,
                "beyond": beyond,
                "stands_at_one": float(last in (COSINE, STATE)),
            },
        )

    def _labels(self, sights: Sequence[dict[str, Any]], sight: dict[str, Any]) -> Finding | None:
        targets = [s["target"] for s in sights if s["kind"] in ("bce", "bce-logits")]
        if not targets:
            return None
        least, most = min(t["min"] for t in targets), max(t["max"] for t in targets)
        if least >= 0 and most <= 1:
            return None
        return self._finding(
            f"binary cross entropy on targets from {text(least)} to {text(most)}",
            f"The targets of the cross entropy go from {text(least)} to {text(most)}; it is made for 0 to 1.",
            "With a target outside 0 to 1 this loss has no lower bound: the outputs run away instead of settling.",
            {"target_min": least, "target_max": most},
        )

    def _finding(self, title: str, message: str, why: str, evidence: dict[str, float] | None = None) -> Finding:
        return Finding(
            code=self.code,
            severity="error",
            title=title,
            message=message,
            why=why,
            disproof="The loss reaches its floor on a few samples that are trained on alone.",
            evidence=evidence or {},
        )


def _recurrent(training: Training) -> bool:
    """Whether the state of a recurrent layer is the output."""
    return any(layer.output and (layer.recurrent or layer.kind == "rnn") for layer in training.layers)


def _at_one(sights: Sequence[dict[str, Any]]) -> bool:
    """Whether the predictions never leave −1 to 1, and at the end all stand at 1, or all at −1."""
    seen = [s["prediction"] for s in sights if s["kind"] in REGRESSION]
    within = all(max(-p["min"], p["max"]) <= 1 + 1e-4 for p in seen)
    return within and len(seen) > 1 and abs(seen[-1]["mean"]) >= ENDS

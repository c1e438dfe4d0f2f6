"""The signal dies or blows up at the very first step, because of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.chain import Chain, chain, recurrences
from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.outcome import Outcome, judge
from fallline.record.operations import REGRESSION
from fallline.record.run import Layer, Run, Training


@dataclass(frozen=True)
class BadInitialisation:
    """Initial weights far from every scheme that keeps the signal, in a training that fails.

    The scale of a layer is fan_in · Var(W): 2 keeps the variance through ReLU (He et al. 2015), 1 through tanh and
    linear layers (Glorot and Bengio 2010), 1/3 is the default of ``nn.Linear``.
    """

    code: str = "bad-initialisation"
    small: float = 0.1  # fan_in · Var(W) below this is weaker than every common scheme
    large: float = 10.0  # … and above this stronger
    lost: float = 1e-2  # the spread between samples, or the gradient, that is left after all layers
    nothing: float = 1e-6  # … at which even a training that learned something was held up by its start
    half: float = 0.5  # of the trivial loss; of the layers
    part: float = 0.8  # a training that explained more than this has undone whatever its start was
    certain: float = 50.0  # the very first loss over that of a constant prediction, for a classifier
    first_loss: float = 5.0  # first loss over the loss of a constant prediction

    def look(self, run: Run) -> Finding | None:
        looked = False
        for training in run.trainings:
            links = chain(training, updates=1)
            if links is None or len(links.layers) < 2:
                continue
            looked = True
            outcome = judge(training)
            scale = np.array([layer.fan_in * layer.weight_variance for layer in links.layers])
            finding = (
                self._small(training, links, outcome, scale)
                or self._large(training, links, outcome, scale)
                or self._certain(training, links, outcome, scale)
                or self._uneven(training, outcome)
            )
            if finding is not None:
                return finding
        if not looked:
            raise NotApplicable("no hidden layers were measured")
        return None

    def _small(self, training: Training, links: Chain, outcome: Outcome, scale: np.ndarray) -> Finding | None:
        weak = scale < self.small
        if not outcome.explained < self.half or weak[:-1].mean() < 0.5:
            return None
        start, end = links.spread[0], links.spread[-1]
        forward = float(end / start) if np.isfinite(start) and start > 0 else 1.0
        backward = links.gain if np.isfinite(links.gain) else 1.0
        by_activation = links.activation_factor ** (len(links.layers) - 1)
        lost = self.lost if outcome.stuck else self.nothing
        if min(forward, backward) > lost * by_activation:
            return None
        return self._finding(
            training, links.layers, scale,
            f"Weights are too small: fan_in·Var(W) is {text(float(np.median(scale)))}. The difference between samples "
            f"shrinks to ×{text(forward)} on the way to the last layer, the gradient to ×{text(backward)} on the way "
            "back.",
            "Every layer multiplies the signal by about √(fan_in·Var(W)). With weights this small neither the inputs "
            "reach the output nor the gradient the first layer; the network starts on a flat plain around the origin.",
            {"forward": forward, "backward": backward},
        )  # fmt: skip

    def _large(self, training: Training, links: Chain, outcome: Outcome, scale: np.ndarray) -> Finding | None:
        strong = scale > self.large
        if outcome.explained >= self.part or not strong.any() or outcome.trivial is None:
            return None
        first = outcome.first if np.isfinite(outcome.first) else float(training.loss[0])
        ratio = first / outcome.trivial
        harmed = (ratio >= self.first_loss and not outcome.learned and _outsized(training)) or bool(
            (links.flat[strong] > 0.5).any()
        )
        if not (harmed or max([links.gain, *(r.gain for r in recurrences(training))]) > 1 / self.lost):
            return None
        return self._finding(
            training, links.layers, scale,
            f"Weights are too large: fan_in·Var(W) is {text(float(scale[strong].max()))}. The first loss is "
            f"{text(first)}, ×{text(ratio)} that of a constant prediction ({text(outcome.trivial)}), and "
            f"{100 * float(np.nan_to_num(links.flat[strong]).max()):.0f} % of the activations behind them are flat.",
            "Every layer multiplies the signal by about √(fan_in·Var(W)). With weights this large the network starts "
            "out certain and wrong: activations saturate or outputs are huge, and training has to undo that first.",
            {"first_loss_ratio": ratio},
        )  # fmt: skip

    def _certain(self, training: Training, links: Chain, outcome: Outcome, scale: np.ndarray) -> Finding | None:
        """A classifier that starts out certain and wrong, on inputs of a usual size."""
        seen = [s for s in training.sights[:1] if s["kind"] in ("nll", "bce-logits")]
        inputs = [layer["rms"] for s in seen for layer in s.get("inputs", [])]
        scaled = bool(inputs) and max(inputs) <= self.large
        if not seen or not scaled or outcome.trivial is None or not outcome.learned or outcome.explained >= self.part:
            return None  # one that learned nothing shows in the signal itself
        ratio = float(training.loss[0]) / outcome.trivial
        if not ratio >= self.certain:
            return None
        return self._finding(
            training, links.layers, scale,
            f"The first loss is {text(float(training.loss[0]))}, ×{text(ratio)} that of a constant prediction "
            f"({text(outcome.trivial)}), on inputs of size {text(max(inputs))}; after {len(training.loss)} updates it "
            f"is {text(outcome.last)}.",
            "The scores of the classes are sums of many terms. With weights that are too large, or all of one sign so "
            "that nothing cancels, they start in the hundreds: the network is certain and wrong, and training has to "
            "undo that first.",
            {"first_loss_ratio": ratio},
        )  # fmt: skip

    def _uneven(self, training: Training, outcome: Outcome) -> Finding | None:
        """Strong weights, also off the main chain as of attention, with gradients many powers of ten apart."""
        layers = [layer for layer in training.layers if layer.kind in ("linear", "conv")]
        scale = np.array([layer.fan_in * layer.weight_variance for layer in layers])
        if outcome.explained >= self.part or outcome.trivial is None or not (scale > self.large).mean() > self.half:
            return None
        sizes = {}
        for layer in layers:
            gradients = training.layer_stats.where(layer=layer.id)["grad_out"]
            gradients = gradients[np.isfinite(gradients)]
            if len(gradients):
                sizes[layer.name] = float(np.median(gradients))
        least, most = min(sizes, key=sizes.__getitem__, default=""), max(sizes.values(), default=0.0)
        if not sizes or sizes[least] > self.nothing * most:
            return None
        return self._finding(
            training, layers, scale,
            f"Weights are too large: fan_in·Var(W) is {text(float(scale.max()))}. The gradient is {text(most)} where "
            f"it is largest and {text(sizes[least])} at {least}; after {len(training.loss)} updates the loss is "
            f"{text(outcome.last)}, that of a constant prediction {text(outcome.trivial)}.",
            "Every layer multiplies the signal by about √(fan_in·Var(W)), and a softmax over scores in the hundreds, "
            "as of attention, picks one entry and passes nothing back. Some layers then get no gradient at all beside "
            "the others.",
            {"gradient_share": sizes[least] / most},
        )  # fmt: skip

    def _finding(
        self, training: Training, layers: Sequence[Layer], scale: np.ndarray, message: str, why: str,
        evidence: dict[str, float],
    ) -> Finding:  # fmt: skip
        return Finding(
            code=self.code,
            severity="error",
            title="bad initialisation",
            message=message,
            why=why,
            disproof="With Kaiming or Xavier weights from the same seed the loss takes the same course.",
            layers=tuple(
                layer.name
                for layer, value in zip(layers, scale, strict=True)
                if value < self.small or value > self.large
            ),
            steps=(int(training.steps["step"][0]), int(training.layer_stats["step"].min())),
            evidence={"scale": float(np.median(scale)), **evidence},
        )


def _outsized(training: Training) -> bool:
    """Whether outputs make the first loss large, not targets far from 0 that no weights know of."""
    seen = [(s["prediction"], s["target"]) for s in training.sights[:1] if s["kind"] in REGRESSION]
    return all(output["mean"] ** 2 + output["variance"] >= target["mean"] ** 2 for output, target in seen)

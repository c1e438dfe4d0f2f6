"""Factors above one: gradients grow over depth or time, and updates tear the weights apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.chain import Chain, chain, recurrences
from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.outcome import judge
from fallline.record.run import Run, Training


@dataclass(frozen=True)
class ExplodingGradient:
    """Backward or forward gain per layer above one over the depth, or over time, in a training that fails."""

    code: str = "exploding-gradient"
    toss: float = 3.0  # the loss's upper decile over its median
    gain: float = 1e3  # first layer's gradient over the last one's, or growth of the signal from input to output
    factor: float = 1.5  # a layer; below, and below gain², a deep network may grow so in passing and still train
    lost: float = 1.2  # loss at the end over the loss before a burst
    burst: float = 100.0  # a gradient norm over the run's own median, for growth over steps
    fall: float = 1e6  # size of a loss below zero over the size it began with

    def look(self, run: Run) -> Finding | None:
        looked = False
        for training in run.trainings:
            finding = (
                self._without_floor(training) or self._over_depth(training) or self._over_time(training)
                or self._over_steps(training)
            )  # fmt: skip
            if finding is not None:
                return finding
            looked = looked or len(training.parameter_stats) + len(training.layer_stats) > 0
        if not looked:
            raise NotApplicable("no gradient was measured")
        return None

    def _without_floor(self, training: Training) -> Finding | None:
        """A loss that falls below zero by powers of ten."""
        loss = training.loss[np.isfinite(training.loss)]
        if not len(loss) or not loss[-1] < 0:
            return None
        first, last = float(np.abs(loss[:5]).max()), float(loss[-1])
        if abs(last) < self.fall * first:
            return None
        return Finding(
            code=self.code,
            severity="error",
            title="a loss without a floor",
            message=f"The loss falls from {text(float(loss[0]))} to {text(last)}, ×{text(abs(last) / first)} in size, "
            f"and on.",
            why="Some term of the loss can be made as negative as one likes, so descent follows it for ever, with ever "
            "larger gradients, and forgets the rest. Mostly a sign is wrong: of a KL divergence, an entropy or a "
            "distance that should be small, or of log probabilities that should be large.",
            disproof="The loss settles when the training goes on.",
            steps=(int(training.steps["step"][0]), int(training.steps["step"][-1])),
            evidence={"first": first, "last": last, "floorless": 1.0},
        )

    def _over_depth(self, training: Training) -> Finding | None:
        links, outcome = chain(training), judge(training)
        if links is None or outcome.learned or len(links.layers) < 3:
            return None
        backward, forward, reached = _growth(links)
        strongest = max(backward ** (1 / (len(links.layers) - 1)), forward ** (1 / reached))
        overflow = reached < len(links.layers) - 1 and not outcome.finite
        if not (max(backward, forward) > self.gain or (overflow and forward > self.gain**0.5)):
            return None
        mild = strongest < self.factor and max(backward, forward) <= self.gain**2
        if mild or not (outcome.failed or overflow):
            return None
        before = chain(training, 1)
        grown = before is not None and max(_growth(before)[:2]) < self.gain**0.5
        first, last = links.layers[0].name, links.layers[-1].name
        seen = (
            f"What flows forward grows ×{text(forward)} from the input to layer {links.layers[reached].name}"
            if forward >= backward
            else f"Layer {first} gets a gradient of {text(links.signal[0])}, layer {last} only {text(links.signal[-1])}"
        )
        return Finding(
            code=self.code,
            severity="error",
            title="exploding gradient",
            message=f"{seen}: ×{text(strongest)} at every layer.",
            why="Each layer multiplies the signal by a factor above one; over the depth the factors multiply, updates "
            "become larger than the weights themselves, and in the end the numbers overflow.",
            disproof="The update is small beside the weights in every layer (update norm / weight norm below 0.01).",
            layers=tuple(layer.name for layer in links.layers),
            steps=links.steps,
            evidence={
                "backward_gain": backward,
                "forward_gain": forward,
                "factor_per_layer": strongest,
                "grown": float(grown),  # by the first updates
            },
        )

    def _over_time(self, training: Training) -> Finding | None:
        outcome = judge(training)
        unsure = outcome.trivial is None  # a loss that falls from far too high has not learned yet
        failed = not outcome.learned or (unsure and (self._tossed(training) or _swamped(training)))
        for through in recurrences(training):
            if through.gain > (self.gain if failed else self.gain**2 if unsure else np.inf):
                return Finding(
                    code=self.code,
                    severity="error",
                    title="exploding gradient through time",
                    message=f"The gradient of layer {through.layer.name} grows ×{text(through.gain)} over "
                    f"{through.uses:.0f} time steps, ×{text(through.factor)} each.",
                    why="A recurrent layer multiplies the gradient by the same weights at every time step; with a "
                    "factor above one the oldest time step dominates and one batch can throw the weights far away.",
                    disproof="The gradient's norm is the same when the sequences are cut to half their length.",
                    layers=(through.layer.name,),
                    steps=(0, int(training.steps["step"][-1])),
                    evidence={"gain": through.gain, "time_steps": through.uses},
                )
        return None

    def _tossed(self, training: Training) -> bool:
        """Whether the loss is still thrown about in the second half, far above where it mostly is."""
        half = training.loss[len(training.loss) // 2 :]
        if len(half) < 10 or not np.median(half) > 0:
            return False
        risen = half / np.minimum.accumulate(half)  # one that falls steadily never rises
        return bool(np.quantile(half, 0.9) > self.toss * np.median(half) and np.quantile(risen, 0.9) > self.toss)

    def _over_steps(self, training: Training) -> Finding | None:
        """Bursts: single gradients far above the run's own median, each followed by a jump of the weights."""
        outcome = judge(training)
        if not outcome.failed:
            return None
        steps, gradient = training.total("grad")
        _, weight = training.total("weight")
        good = np.isfinite(gradient) & np.isfinite(weight) & (gradient > 0)
        if good.sum() < 8 or weight[good][0] <= 0:
            return None
        steps, gradient, weight = steps[good], gradient[good], weight[good]
        peak = int(np.argmax(gradient))
        ratio = float(gradient[peak] / np.median(gradient))
        moved = float(weight[min(peak + 1, len(weight) - 1) :].max() / weight[0])
        if peak < 2 or ratio < self.burst or moved < 2:
            return None
        if not outcome.last > self.lost * np.median(training.loss[training.steps["step"] < steps[peak]]):
            return None
        return Finding(
            code=self.code,
            severity="error",
            title="exploding gradient",
            message=f"At step {int(steps[peak])} the gradient's norm is {text(gradient[peak])}, ×{text(ratio)} its "
            f"median; the weights then stand at ×{text(moved)} of their start.",
            why="The loss has a cliff: where it is steep, one step along the gradient throws the weights far away, and "
            "what was learned before is lost.",
            disproof="The batch of that step holds wrong values, and without it the norm stays at its median.",
            steps=(int(steps[peak]), int(steps[peak])),
            evidence={"peak": float(gradient[peak]), "median": float(np.median(gradient)), "ratio": ratio},
        )


def _swamped(training: Training) -> bool:
    """Whether the outputs are to the end so large that the difference from the targets has lost these to rounding."""
    last = training.layer_stats["step"].max() if len(training.layer_stats) else np.inf
    return any(event.step >= last for event in training.run.events_of("swamped"))


def _growth(links: Chain) -> tuple[float, float, int]:
    """What the signal grows by backward and forward, and the last layer that a finite signal reaches."""
    backward = links.gain if np.isfinite(links.gain) else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = links.spread / links.spread[0]
    finite = np.flatnonzero(np.isfinite(growth))
    forward, reached = (float(growth[finite[-1]]), int(finite[-1])) if len(finite) > 1 else (1.0, 1)
    return backward, forward, reached

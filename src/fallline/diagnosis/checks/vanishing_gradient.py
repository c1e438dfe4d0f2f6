"""The gradient of early layers is a product of many factors below one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.chain import chain, recurrences
from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.outcome import judge
from fallline.record.operations import ACTIVATIONS
from fallline.record.run import Run, Training


@dataclass(frozen=True)
class VanishingGradient:
    """Backward gain per layer below one, over depth or over time, in a training that learns nothing.

    The gain is measured, not predicted: the ratio of the gradient norms at the outputs of the first and the last
    layer. A finished training has small gradients everywhere and the same ratio, so the loss decides.
    """

    code: str = "vanishing-gradient"
    gain: float = 1e-3  # first layer's gradient over the last one's; at this ratio Adam still moves both, SGD only one
    severe: float = 1e-6  # from here on a training that learned a part is concerned too
    part: float = 0.5  # share of the trivial loss

    def look(self, run: Run) -> Finding | None:
        looked = False
        for training in run.trainings:
            finding = self._over_depth(training) or self._over_time(training)
            if finding is not None:
                return finding
            looked = looked or len(training.layers) > 1
        if not looked:
            raise NotApplicable("no chain of layers was measured")
        return None

    def _over_depth(self, training: Training) -> Finding | None:
        links, outcome = chain(training), judge(training)
        if links is None or not np.isfinite(links.gain) or links.signal[0] <= 0:
            return None
        concerned = outcome.stuck or (links.gain < self.severe and outcome.explained < self.part)
        if outcome.trivial is None and links.gain < self.severe:  # the loss does not say: does the gradient ever come?
            late = chain(training, late=True)
            concerned = concerned or (late is not None and late.gain < self.severe)
        if links.gain >= self.gain or not concerned or len(links.layers) < 3:
            return None
        first, last = links.layers[0].name, links.layers[-1].name
        activation = _name_of_activation(training)
        slope = links.activation_factor
        steepest = ACTIVATIONS.get(activation)
        weak = [
            layer.name for layer, s in zip(links.layers, links.signal, strict=True) if s < self.gain * links.signal[-1]
        ]
        because = (
            f"{activation}'s slope is at most {steepest:g} (measured {text(slope)})"
            if (activation and steepest and slope < 0.9)
            else f"the activations pass ×{text(slope)}"
        )
        return Finding(
            code=self.code,
            severity="error",
            title="vanishing gradient",
            message=f"Layer {first} gets a gradient of {text(links.signal[0])} where layer {last} gets "
            f"{text(links.signal[-1])}: the signal shrinks ×{text(links.factor)} at every layer.",
            why="By the chain rule the gradient of an early layer is a product of one factor for every layer behind "
            f"it. Here {because} and the weights contribute ×{text(links.weight_factor)}; {len(links.layers) - 1} such "
            "factors multiply, so the first layers hardly learn.",
            disproof="The loss falls at the same pace when the first half of the layers is frozen.",
            layers=tuple(weak),
            steps=(links.steps[0], int(training.steps["step"][-1])),
            evidence={
                "gain": links.gain, "factor_per_layer": links.factor, "activation_factor": slope,
                "weight_factor": links.weight_factor, "first": float(links.signal[0]), "last": float(links.signal[-1]),
                "depth": float(len(links.layers)),
            },
        )  # fmt: skip

    def _over_time(self, training: Training) -> Finding | None:
        outcome = judge(training)
        if not outcome.stuck:
            return None
        for through in recurrences(training):
            if not through.gain < (
                self.gain if through.layer.recurrent or through.layer.kind == "rnn" else self.severe
            ):
                continue
            layer, factor = through.layer, through.factor
            return Finding(
                code=self.code,
                severity="error",
                title="vanishing gradient through time",
                message=f"The gradient that layer {layer.name} gets at the first of {through.uses:.0f} time steps is "
                f"×{text(through.gain)} of the one at the last"
                + (f": ×{text(factor)} a time step." if factor else ", below the smallest number of the format."),
                why="A recurrent layer multiplies the gradient by the same weights and slopes at every time step; with "
                "a factor below one what happened early cannot be learned, and the loss stays at a guess.",
                disproof="The task needs only the last few time steps, and the loss falls when earlier ones are cut "
                "off.",
                layers=(layer.name,),
                steps=(0, int(training.steps["step"][-1])),
                evidence={"gain": through.gain, "factor_per_step": factor, "time_steps": through.uses},
            )
        return None


def _name_of_activation(training: Training) -> str:
    names = [layer.activation for layer in training.layers if layer.activation and not layer.output]
    return max(set(names), key=names.count) if names else ""

"""Activations at their flat ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.chain import chain
from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.outcome import judge
from fallline.record.operations import FLAT, SATURATING
from fallline.record.run import Run, Training


@dataclass(frozen=True)
class SaturatedUnits:
    """Hidden activations whose local derivative is below ``FLAT`` of its largest value, in a training that fails."""

    code: str = "saturated-units"
    share: float = 0.5  # of a hidden layer's activations
    most: float = 0.8  # from here on, at the start, also a training that learned a part is concerned
    part: float = 0.8  # of the trivial loss

    def look(self, run: Run) -> Finding | None:
        looked = False
        for training in run.trainings:
            judged = self._judge(training)
            looked = looked or judged is not None
            if isinstance(judged, Finding):
                return judged
        if not looked:
            raise NotApplicable("no hidden layer has an activation that can saturate")
        return None

    def _judge(self, training: Training) -> Finding | bool | None:
        links = chain(training)
        hidden = [
            layer.id
            for layer in training.layers
            if layer.activation in SATURATING and not layer.output and not layer.recurrent
        ]
        if links is None or not hidden:
            return None
        late = chain(training, late=True) or links
        concerned = [
            (position, layer, float(links.flat[position]), float(late.flat[position]))
            for position, layer in enumerate(links.layers)
            if layer.id in hidden
        ]
        for position, layer, start, end in sorted(concerned, key=lambda row: not row[2] >= self.share):  # born so first
            if not max(start, end) >= self.share:
                continue
            outcome = judge(training)
            if outcome.learned and not (start >= self.most and outcome.explained < self.part):
                continue
            born = bool(start >= self.share)
            scale = float(np.nan_to_num(links.spread[position]))
            return Finding(
                code=self.code,
                severity="error" if outcome.failed else "warning",
                title=f"saturated units in layer {layer.name}",
                message=f"{100 * max(start, end):.0f} % of the {layer.activation} outputs of layer {layer.name} stand "
                f"at the flat ends {'from the first step on' if born else 'at the end, not at the start'}: their slope "
                f"is below {FLAT:g} of its largest (measured mean "
                f"{text(float((links if born else late).slope[position]))}).",
                why=f"{layer.activation} is flat far from 0. There its slope is nearly 0, and the gradient of "
                "everything before it is multiplied by that. "
                + (
                    f"The inputs of the layer vary by {text(scale)} and its weights are too large for that: scale the "
                    "inputs, or start from smaller weights."
                    if born
                    else "Large updates drove the layer there."
                ),
                disproof="The inputs of the activation lie between −2 and 2 for most samples.",
                layers=(layer.name,),
                steps=(int(training.steps["step"][0]), int(training.steps["step"][-1])),
                evidence={"start": start, "end": end, "from_start": float(born), "input_spread": scale},
            )
        return True

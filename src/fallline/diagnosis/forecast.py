"""What one batch foretells, before there is a course of the loss to judge.

A record that was made to look ahead (``meta["forecast"]``) holds a single update. The same checks read it; what they
ask of the outcome is answered as if the training were to fail, so that they speak of what stands already. Checks that
need a course are not applicable, and what is only likely is a warning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fallline.calculus.signal import backward_factor
from fallline.diagnosis.chain import chain, typical
from fallline.record.run import Training

FORETOLD = frozenset(
    {
        "non-finite", "no-gradient", "shape-mismatch", "output-mismatch", "wrong-mode", "unscaled-data",
        "symmetric-units", "bad-initialisation", "learning-rate-too-high", "exploding-gradient", "saturated-units",
        "vanishing-gradient",
    }
)  # fmt: skip
CERTAIN = frozenset({"non-finite", "no-gradient", "shape-mismatch", "output-mismatch", "symmetric-units"})
REASON = "one batch does not tell: it takes a training"


@dataclass(frozen=True)
class Factor:
    """What happens to the backward signal between the outputs of two layers that follow each other."""

    layer: str
    following: str
    activation: str
    measured: float  # norm of the gradient at the output of ``layer`` over that at the output of ``following``
    predicted: float  # the same by the mean-field theory of wide layers; NaN where it has no answer


def factors(training: Training) -> list[Factor]:
    """The factor of every layer, the last one first, as backpropagation meets them."""
    links = chain(training, updates=1)
    if links is None:
        return []
    found = []
    for i in range(len(links.layers) - 2, -1, -1):
        layer, after = links.layers[i], links.layers[i + 1]
        size = typical(training.layer_stats.where(layer=layer.id)["in_rms"])
        q = layer.fan_in * layer.weight_variance * size**2
        predicted = backward_factor(layer.activation or "linear", after.fan_in * after.weight_variance, q)
        with np.errstate(divide="ignore", invalid="ignore"):
            measured = float(links.signal[i] / links.signal[i + 1])
        found.append(Factor(layer.name, after.name, layer.activation, measured, predicted))
    return found

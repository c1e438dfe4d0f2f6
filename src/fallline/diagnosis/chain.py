"""The backward signal along the depth of a network, as the record holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fallline.record.operations import VIEWS
from fallline.record.run import Floats, Layer, Training

MAPS = ("linear", "conv")
PASSIVE = VIEWS | {"nativebatchnorm"}  # what keeps a chain of linear maps linear
OFTEN = 10  # uses in one update, from which on a layer feeds a state

EARLY = 5  # measured updates that count as the start


@dataclass(frozen=True)
class Chain:
    """Layers from the input to the loss, with what was measured of each over some updates (medians)."""

    layers: tuple[Layer, ...]
    signal: Floats  # (n,) norm of the gradient at each layer's output
    slope: Floats  # (n,) local derivative of the activation after it, NaN where there is none
    spread: Floats  # (n,) standard deviation between samples of what flows in
    flat: Floats  # (n,) share of the activation at its flat ends
    dead: Floats  # (n,) share of units without gradient for the whole batch
    steps: tuple[int, int]

    @property
    def gain(self) -> float:
        """Factor by which the backward signal changes from the last layer to the first."""
        return float(self.signal[0] / self.signal[-1]) if self.signal[-1] > 0 else np.nan

    @property
    def factor(self) -> float:
        """The same for a single layer, as a geometric mean."""
        return float(self.gain ** (1 / (len(self.layers) - 1)))

    @property
    def activation_factor(self) -> float:
        """The share of ``factor`` that activations contribute."""
        slopes = self.slope[:-1]
        slopes = slopes[np.isfinite(slopes) & (slopes > 0)]
        return float(np.exp(np.log(slopes).sum() / (len(self.layers) - 1))) if len(slopes) else 1.0

    @property
    def weight_factor(self) -> float:
        """The share of ``factor`` that weights (and whatever else lies between) contribute."""
        return self.factor / self.activation_factor


def chain(training: Training, updates: int = EARLY, late: bool = False) -> Chain | None:
    """The chain of a training's layers over its first (or last) measured updates; None with fewer than two layers.

    Embeddings are left out (few of their rows get a gradient), and updates without any gradient.
    """
    table = training.layer_stats
    layers = [layer for layer in training.layers if layer.kind != "embedding"]
    if len(layers) < 2:
        return None
    layers = _in_order(layers)
    steps = np.unique(table["step"])
    chosen = steps[-updates:] if late else steps[:updates]

    def column(name: str) -> Floats:
        rows = []
        for layer in layers:
            here = table.where(layer=layer.id)
            values = here[name][np.isin(here["step"], chosen)]
            rows.append(typical(values))
        return np.array(rows)

    return Chain(
        tuple(layers),
        column("grad_out"), column("slope"), column("in_spread"), column("flat"), column("dead"),
        (int(chosen[0]), int(chosen[-1])),
    )  # fmt: skip


def _in_order(layers: list[Layer]) -> list[Layer]:
    """The order of first use, with the layers that feed the loss at the end."""
    return [layer for layer in layers if not layer.output] + [layer for layer in layers if layer.output]


def bare(layers: Sequence[Layer]) -> list[Layer]:
    """The layers whose output goes straight into the next one, with no activation between."""
    known = {layer.id: layer for layer in layers}
    found = []
    for after in layers:
        first = known.get(after.sources[0]) if len(after.sources) == 1 else None
        linear = first is not None and after.kind in MAPS and first.kind in MAPS and PASSIVE.issuperset(after.ops)
        if first is not None and linear and not (first.activation or first.recurrent or first.output):
            found.append(first)
    return list({layer.id: layer for layer in found}.values())


@dataclass(frozen=True)
class Recurrence:
    """A layer that is used at every time step."""

    layer: Layer
    gain: float  # gradient at its first use in time over that at its last, median over the measured updates
    uses: float

    @property
    def factor(self) -> float:
        """The gain of a single time step."""
        return float(self.gain ** (1 / (self.uses - 1)))


def recurrences(training: Training, least_uses: int = 3) -> list[Recurrence]:
    """The recurrent layers of a training with their gain over time, where it was measured.

    And the layers that feed a state kept without weights: all that are used as often as ``OFTEN`` before the output.
    """
    found = []
    for layer in training.layers:
        recurrent = layer.recurrent or layer.kind == "rnn"
        if layer.output and not recurrent:
            continue
        rows = training.layer_stats.where(layer=layer.id)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain, uses = typical(rows["grad_first"] / rows["grad_last"]), typical(rows["calls"])
        if np.isfinite(gain) and uses >= (least_uses if recurrent else OFTEN):
            found.append(Recurrence(layer, gain, uses))
    return found


def typical(values: Floats) -> float:
    """Median of what is finite; NaN where nothing is."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan

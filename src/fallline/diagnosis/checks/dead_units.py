"""Units that get no gradient from any sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.chain import typical
from fallline.diagnosis.finding import Finding, NotApplicable
from fallline.diagnosis.outcome import judge
from fallline.record.operations import SATURATING, STREAK
from fallline.record.run import Layer, Run, Training


@dataclass(frozen=True)
class DeadUnits:
    """Units whose activation passes no gradient for any sample over several measured batches.

    Read off the gradient before and after the activation, so modules, functions and in-place operations count alike.
    The sparsity of ReLU on single samples is not death, and a few dead units in a network that learns are no fault.
    """

    code: str = "dead-units"
    share: float = 0.5  # of a layer's units
    most: float = 0.9  # from here on even a training that learned a little is concerned
    whole: float = 0.999  # nothing at all passes
    born: float = 0.9  # of that share, that must have been dead in the first batch for it to be so from the start
    silent: float = 0.97  # of all pairs of a unit and a sample: ordinary sparsity is 0.3 to 0.9

    def look(self, run: Run) -> Finding | None:
        looked = False
        for training in run.trainings:
            worst: tuple[float, Layer, int, bool] | None = None
            for layer in training.layers:
                judged = None if layer.activation in SATURATING else self._dead(training, layer)
                if judged is None:
                    continue
                looked = True
                if worst is None or judged[0] > worst[0]:
                    worst = (judged[0], layer, judged[1], judged[2])
            if worst is not None and self._concerns(training, worst[0]):
                return self._finding(training, *worst)
        if not looked:
            raise NotApplicable("no activation that can pass nothing back was measured often enough")
        return None

    def _concerns(self, training: Training, share: float) -> bool:
        outcome = judge(training)
        if share >= self.whole and outcome.trivial is None:
            return True  # what the loss is worth is not known, but nothing before this layer can have helped
        if outcome.learned:
            return False
        return share >= self.share and (outcome.failed or share >= self.most)

    def _dead(self, training: Training, layer: Layer) -> tuple[float, int, bool] | None:
        """(share that is dead at the end, step since when, whether it was so from the start)."""
        rows = training.layer_stats.where(layer=layer.id)
        window = rows["dead_window"]
        seen = np.isfinite(window) & np.isfinite(rows["grad_out"])
        if seen.sum() < STREAK:
            return None
        share = float(np.median(window[seen][-3:]))
        hardly = typical(rows["flat"][seen])
        share = hardly if hardly >= self.silent else share
        if share < self.share:
            return share, 0, False
        now = rows["dead"][seen]
        steps = rows["step"][seen]
        living = np.flatnonzero((now < self.share) | ((steps == steps[0]) & (now < self.born * share)))
        since = int(living[-1]) + 1 if len(living) else 0
        born = since == 0 and steps[0] == training.run.layer_stats.where(layer=layer.id)["step"].min()
        return share, int(steps[min(since, len(steps) - 1)]), bool(born)

    def _finding(self, training: Training, share: float, layer: Layer, since: int, born: bool) -> Finding:
        end = int(training.steps["step"][-1])
        whole = "every unit" if share > 0.999 else f"{100 * share:.0f} % of the units"
        start = "from the first step on" if born else f"since step {since}"
        return Finding(
            code=self.code,
            severity="error",
            title=f"dead units in layer {layer.name}",
            message=f"{whole[0].upper()}{whole[1:]} of layer {layer.name} {'gets' if share > 0.999 else 'get'} no "
            f"gradient from any sample {start}: its {layer.activation or 'activation'} passes nothing back.",
            why="Where ReLU's input is negative its slope is 0. A unit that is negative for every sample gets no "
            "gradient, so it can never come back; " + (
                "the initial weights and biases put it there."
                if born
                else "a large update threw its weights and bias there."
            ),
            disproof="The units answer to other samples: some of them are positive on the rest of the data.",
            layers=(layer.name,),
            steps=(since, end),
            evidence={"share": share, "since": float(since), "from_start": float(born)},
        )  # fmt: skip

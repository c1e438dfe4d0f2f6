"""Units that start equal and stay equal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.finding import Finding, NotApplicable
from fallline.record.run import Layer, Run, Training


@dataclass(frozen=True)
class SymmetricUnits:
    """Hidden units with the same weights and the same gradient, at the first measured update and at the last."""

    code: str = "symmetric-units"
    share: float = 0.9  # of a layer's units that have an identical twin

    def look(self, run: Run) -> Finding | None:
        looked = False
        for training in run.trainings:
            found = []
            for layer in training.layers:
                if layer.units < 2 or (layer.output and layer.kind != "embedding"):
                    continue
                judged = self._twins(training, layer)
                looked = looked or judged is not None
                if judged is not None and judged >= self.share:
                    found.append(layer)
            if found:
                return self._finding(training, found)
        if not looked:
            raise NotApplicable("there is no hidden layer with two or more units")
        return None

    def _twins(self, training: Training, layer: Layer) -> float | None:
        rows = training.parameter_stats.where(parameter=layer.parameter)
        twins = rows["twins"][np.isfinite(rows["twins"]) & np.isfinite(rows["weight"])]
        return float(min(twins[0], twins[-1])) if len(twins) >= 2 else None

    def _finding(self, training: Training, layers: list[Layer]) -> Finding:
        names = tuple(layer.name for layer in layers)
        units = sum(layer.units for layer in layers)
        constant = all(layer.weight_variance == 0 for layer in layers)
        return Finding(
            code=self.code,
            severity="error",
            title=f"identical units in {'layer' if len(names) == 1 else 'layers'} {', '.join(names)}",
            message=f"{units} units in {len(names)} layer(s) have the same weights and get the same gradient as "
            "another unit of their layer, at the first update and at the "
            "last" + (": all weights start equal." if constant else "."),
            why="Units that start equal compute the same output, get the same gradient, and stay equal for ever: such "
            "a layer is worth one unit however wide it is. Random initial weights break the symmetry.",
            disproof="The rows of the weight matrix differ.",
            layers=names,
            steps=(int(training.steps["step"][0]), int(training.steps["step"][-1])),
            evidence={"units": float(units), "layers": float(len(names))},
        )

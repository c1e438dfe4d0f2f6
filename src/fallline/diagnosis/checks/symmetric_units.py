"""Units that start equal and stay equal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.finding import Finding, NotApplicable
from fallline.diagnosis.outcome import judge
from fallline.record.run import Layer, Parameter, Run, Training

FIRST = 2  # comparisons: of the first two updates, which are always measured


@dataclass(frozen=True)
class SymmetricUnits:
    """Hidden units with the same weights and the same gradient, at the first measured update and at the last."""

    code: str = "symmetric-units"
    share: float = 0.9  # of a layer's units that have an identical twin
    explained: float = 0.8  # of the trivial loss: entries of vectors that explained more did part

    def look(self, run: Run) -> Finding | None:
        looked = wide = False
        for training in run.trainings:
            found = []
            for layer in training.layers:
                if layer.units < 2 or (layer.output and layer.kind != "embedding"):
                    continue
                wide, judged = True, self._twins(training, layer)
                looked = looked or judged is not None
                if judged is not None and judged >= self.share:
                    found.append(layer)
            if found:
                return self._finding(training, found)
            for event in run.events_of("factors"):
                factors = [p for p in run.parameters if p.id in event.detail["parameters"]]
                if all(self._paired(training, p) for p in factors) and self._alike(training, factors):
                    return self._of_factors(training, factors, event.detail["units"])
            maps = {layer.parameter for layer in training.layers if layer.units > 1}
            measured = set(training.parameter_stats["parameter"]) - maps if len(training.parameter_stats) else set()
            tensors = [p for p in run.parameters if p.id in measured and p.ndim and self._paired(training, p)]
            if self._together(tensors) and self._alike(training, tensors):
                return self._of_tensors(training, tensors)
        if not looked:
            raise NotApplicable(
                "the units of a layer were compared less than twice"
                if wide
                else "there is no hidden layer with two or more units"
            )
        return None

    def _twins(self, training: Training, layer: Layer) -> float | None:
        rows = training.parameter_stats.where(parameter=layer.parameter)
        twins = rows["twins"][np.isfinite(rows["twins"]) & np.isfinite(rows["weight"])]
        return float(min(twins[0], twins[-1])) if len(twins) >= 2 else None

    def _paired(self, training: Training, parameter: Parameter) -> list[float]:
        """The shares of twins among entries or rows at the first comparisons."""
        rows = training.parameter_stats.where(parameter=parameter.id)
        return [float(twin) for twin in rows["twins"][rows["twins"] >= 0][:FIRST]]

    def _together(self, tensors: list[Parameter]) -> bool:
        """Whether each tensor holds an entry or a row of each unit."""
        vectors = {p.numel for p in tensors if p.ndim == 1}
        return len(tensors) > 1 and len(vectors) == 1 and all(p.numel % min(vectors) == 0 for p in tensors)

    def _alike(self, training: Training, tensors: list[Parameter]) -> bool:
        """Whether all units began alike and learned little."""
        twins = [self._paired(training, p) for p in tensors]
        equal = all(len(shares) > 1 and min(shares) >= self.share for shares in twins)
        pulled = any((training.parameter_stats.where(parameter=p.id)["grad"][:FIRST] > 0).all() for p in tensors)
        return equal and pulled and judge(training).explained < self.explained

    def _of_tensors(self, training: Training, tensors: list[Parameter]) -> Finding:
        """Units that are given by numbers in several tensors: bumps by their centres, widths and heights."""
        names = tuple(p.name for p in tensors)
        units = min(p.numel for p in tensors)
        return self._found(
            training, f"identical units in {', '.join(names)}",
            f"The {units} entries or rows of each of the tensors {', '.join(names)} start equal and get the same "
            "gradient as another one.",
            "Units that start equal compute the same output, get the same gradient, and stay equal but for rounding: "
            "however many there are, they do the work of one. Different first values break the symmetry.",
            names, units,
        )  # fmt: skip

    def _of_factors(self, training: Training, factors: list[Parameter], units: int) -> Finding:
        """Columns of the matrices whose product is the output."""
        names = tuple(p.name for p in factors)
        return self._found(
            training, f"identical columns in the factors {', '.join(names)}",
            f"The {units} columns that the factors {', '.join(names)} have in common start equal and get the same "
            "gradient.",
            "Columns that start equal stay equal but for rounding: however many there are, the product has rank one. "
            "Different first values break the symmetry.",
            names, units,
        )  # fmt: skip

    def _finding(self, training: Training, layers: list[Layer]) -> Finding:
        names = tuple(layer.name for layer in layers)
        units = sum(layer.units for layer in layers)
        constant = all(layer.weight_variance == 0 for layer in layers)
        return self._found(
            training, f"identical units in {'layer' if len(names) == 1 else 'layers'} {', '.join(names)}",
            f"{units} units in {len(names)} layer(s) have the same weights and get the same gradient as "
            "another unit of their layer, at the first update and at the "
            "last" + (": all weights start equal." if constant else "."),
            "Units that start equal compute the same output, get the same gradient, and stay equal for ever: such "
            "a layer is worth one unit however wide it is. Random initial weights break the symmetry.",
            names, units,
        )  # fmt: skip

    def _found(
        self, training: Training, title: str, message: str, why: str, names: tuple[str, ...], units: int
    ) -> Finding:
        return Finding(
            code=self.code,
            severity="error",
            title=title,
            message=message,
            why=why,
            disproof="The rows of the weight matrix, or the entries and rows of the tensors, differ.",
            layers=names,
            steps=(int(training.steps["step"][0]), int(training.steps["step"][-1])),
            evidence={"units": float(units), "layers": float(len(names))},
        )

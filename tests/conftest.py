"""Records made by hand: a few numbers are enough to try a check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings

from fallline.record.run import Event, Layer, Model, Optimizer, Parameter, Run, Sight, Table
from fallline.record.schema import columns

Rows = Sequence[dict[str, float]]

settings.register_profile("same", derandomize=True)  # the same examples in every run: what fails, fails for everyone
settings.load_profile("same")


def table(name: str, rows: Rows) -> Table:
    """A table of the record; what a row does not say is not measured."""
    names = columns(name)
    data = np.array([[row.get(column, np.nan) for column in names] for row in rows], dtype=float)
    return Table({column: data.reshape(len(rows), len(names))[:, i] for i, column in enumerate(names)})


class Builder:
    """Builds the record of a chain of layers ``0 … n-1`` trained by one optimizer."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.events: list[Event] = []
        self.sights: list[Sight] = []
        self.layer_rows: list[dict[str, float]] = []
        self.parameter_rows: list[dict[str, float]] = []
        self.loss: list[float] = []
        self.lr = 0.1
        self.optimizer = "SGD"
        self.settings: dict[str, Any] = {"lr": 0.1, "momentum": 0.0}
        self.meta: dict[str, Any] = {}

    def chain(self, count: int, activation: str = "relu", units: int = 8, variance: float = 0.04) -> Builder:
        for i in range(count):
            last = i == count - 1
            self.layers.append(
                Layer(i, f"layer{i}", "linear", i, units, 8, "" if last else activation, (), (i - 1,) if i else (),
                      variance, last, False)
            )  # fmt: skip
        return self

    def measure(self, steps: Sequence[int], per_layer: dict[str, Sequence[float]], **same: float) -> Builder:
        """Rows of ``layer_stats``: ``per_layer`` holds one number a layer, ``same`` one for all."""
        for step in steps:
            for layer in self.layers:
                row = {"step": step, "optimizer": 1, "layer": layer.id, "calls": 1, **same}
                row |= {name: values[layer.id] for name, values in per_layer.items()}
                self.layer_rows.append(row)
        return self

    def weigh(self, steps: Sequence[int], **numbers: float | Sequence[float]) -> Builder:
        """Rows of ``parameter_stats`` of every layer's weight: a number, or one a step."""
        for position, step in enumerate(steps):
            values = {k: v if isinstance(v, (int, float)) else v[position] for k, v in numbers.items()}
            for layer in self.layers:
                self.parameter_rows.append({"step": step, "optimizer": 1, "parameter": layer.id, **values})
        return self

    def losses(self, values: Sequence[float]) -> Builder:
        self.loss = list(values)
        return self

    def classes(self, counts: Sequence[int]) -> Builder:
        """A cross entropy over these class counts."""
        spread = {"min": -1.0, "max": 1.0, "mean": 0.0, "variance": 1.0}
        detail = {"kind": "nll", "ops": ["logsoftmax", "nllloss"], "factor": 1.0, "reduction": "mean",
                  "elements": sum(counts), "classes": list(counts), "weighted": False,
                  "prediction": {"shape": [sum(counts), len(counts)], **spread}, "broadcast": None}  # fmt: skip
        self.sights.append(Sight(0, 1, detail))
        return self

    def event(self, step: int, kind: str, **detail: Any) -> Builder:
        self.events.append(Event(step, kind, detail))
        return self

    def run(self) -> Run:
        steps: Rows = [
            {"step": i, "optimizer": 1, "loss": value, "lr": self.lr, "backwards": 1, "time": i / 100}
            for i, value in enumerate(self.loss)
        ]
        parameters = tuple(Parameter(x.id, f"{x.name}.weight", "model", 64, 2, True) for x in self.layers)
        optimizer = Optimizer(1, self.optimizer, self.settings, frozenset(x.id for x in self.layers), "optimizer")
        return Run(
            Path("runs/made-1"), self.meta, (Model(0, "model", "Sequential", 64 * len(self.layers)),),
            tuple(self.layers), parameters, (optimizer,), table("steps", steps),
            table("layer_stats", self.layer_rows), table("parameter_stats", self.parameter_rows),
            tuple(self.sights), tuple(self.events),
        )  # fmt: skip


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test draws the same numbers in whatever order the tests run."""
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def no_check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user is told in the report of a check that fails itself is raised here."""

    def fail(error: Exception) -> str:
        raise error

    monkeypatch.setattr("fallline.diagnosis.diagnose._own_fault", fail)


@pytest.fixture
def record() -> Callable[[], Builder]:
    return Builder


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Runs a training under a recorder that measures every update densely, and reads what it recorded."""
    from fallline.record import lookout, schedule
    from fallline.watch.session import Session

    def watched(train: Callable[[], object], budget: float = 1e9, **models: Any) -> Run:
        if budget > 1:
            monkeypatch.setattr(schedule, "SPACING", 0.0)
            monkeypatch.setattr(lookout, "ALLOWANCE", 1e9)  # however busy the machine is
        with Session("test", tmp_path / "runs", budget, models=models) as session:
            train()
        assert session.notes == []
        assert not torch.is_anomaly_enabled()  # nothing of the watching stays
        return session.read()

    return watched

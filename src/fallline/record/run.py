"""A run as it was recorded: a plain object that every later stage reads."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fallline.record.schema import SCHEMA, columns
from fallline.record.store import FILE

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A root module that took part."""

    id: int
    name: str
    kind: str  # class name
    parameters: int


@dataclass(frozen=True)
class Layer:
    """A weight with the operation that uses it."""

    id: int
    name: str
    kind: str  # "linear", "conv", "embedding" or "rnn"
    parameter: int
    units: int
    fan_in: int
    activation: str  # operation on its output, "" for none
    ops: tuple[str, ...]  # operations between the layer before and this one
    sources: tuple[int, ...]  # layers whose output flows in
    weight_variance: float  # at the first measured update
    output: bool  # its output flows into the loss through no other layer
    recurrent: bool  # its own output flows back in


@dataclass(frozen=True)
class Parameter:
    """A tensor that is trained, or could be."""

    id: int
    name: str
    model: str  # root module's name, "" for a plain tensor
    numel: int
    ndim: int
    registered: bool  # False: model.parameters() does not see it
    trainable: bool = True  # requires_grad, when it was first met


@dataclass(frozen=True)
class Optimizer:
    """An optimizer of the program; id 0 is an update written by hand."""

    id: int
    kind: str  # class name
    settings: dict[str, Any]  # of the first parameter group, as they were at its first step
    parameters: frozenset[int]
    name: str  # its variable in the program, "" if unknown

    @property
    def maximizes(self) -> bool:
        """Whether it goes up: then the loss that it descends on is the negative of what backward is called on."""
        return bool(self.settings.get("maximize"))


@dataclass(frozen=True)
class Event:
    """Something that happened once."""

    step: int
    kind: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class Sight:
    """What stood at the loss in one measured backward."""

    step: int
    optimizer: int
    detail: dict[str, Any]


class Table:
    """Named columns of equal length; every column is a float array (n,) with NaN for "not measured"."""

    def __init__(self, data: dict[str, Floats]) -> None:
        self.data = data

    def __getitem__(self, column: str) -> Floats:
        return self.data[column]

    def __len__(self) -> int:
        return len(next(iter(self.data.values()))) if self.data else 0

    def where(self, **equal: float) -> Table:
        """The rows whose columns have these values."""
        keep = np.ones(len(self), dtype=bool)
        for column, value in equal.items():
            keep &= self.data[column] == value
        return self._rows(keep)

    def before(self, step: int) -> Table:
        """The rows of earlier updates."""
        return self._rows(self.data["step"] < step)

    def _rows(self, keep: NDArray[np.bool_]) -> Table:
        return Table({name: values[keep] for name, values in self.data.items()})


@dataclass(frozen=True)
class Run:
    """Everything that was recorded of one run."""

    folder: Path
    meta: dict[str, Any]
    models: tuple[Model, ...]
    layers: tuple[Layer, ...]
    parameters: tuple[Parameter, ...]
    optimizers: tuple[Optimizer, ...]
    steps: Table
    layer_stats: Table
    parameter_stats: Table
    sights: tuple[Sight, ...]
    events: tuple[Event, ...] = field(default=())

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def trainings(self) -> tuple[Training, ...]:
        """One training for each optimizer that made an update."""
        made = {int(i) for i in np.unique(self.steps["optimizer"])} if len(self.steps) else set()
        return tuple(Training(self, o) for o in self.optimizers if o.id in made)

    @cached_property
    def crowded(self) -> bool:
        """Whether optimizers took part that were not told apart, as those made anew for each task."""
        return len(self.steps) > 0 and bool((self.steps["optimizer"] < 0).any())

    def events_of(self, kind: str) -> Iterator[Event]:
        return (event for event in self.events if event.kind == kind)

    def until(self, updates: int) -> Run:
        """The record as it stood after so many updates; how the program ended is not known yet.

        The lists of models, layers and parameters bear no dates: they stay whole.
        """
        known = ("schema", "argv", "started", "torch", "python", "threads", "forecast")
        steps = self.steps.before(updates)
        meta = {key: self.meta[key] for key in known if key in self.meta}
        meta |= {"steps": len(steps), "training_seconds": float(steps["time"][-1]) if len(steps) else 0.0}
        return replace(
            self, meta=meta, steps=steps,
            optimizers=tuple(o for o in self.optimizers if o.id in steps["optimizer"]),
            layer_stats=self.layer_stats.before(updates), parameter_stats=self.parameter_stats.before(updates),
            sights=tuple(s for s in self.sights if s.step < updates),
            events=tuple(e for e in self.events if e.step < updates),
        )  # fmt: skip


@dataclass(frozen=True)
class Training:
    """The updates that one optimizer made."""

    run: Run
    optimizer: Optimizer

    @cached_property
    def steps(self) -> Table:
        return self.run.steps.where(optimizer=self.optimizer.id)

    @property
    def loss(self) -> Floats:
        """Loss at each update, shape (n,); of what is maximized the negative."""
        return -self.steps["loss"] if self.optimizer.maximizes else self.steps["loss"]

    @cached_property
    def layer_stats(self) -> Table:
        return self.run.layer_stats.where(optimizer=self.optimizer.id)

    @cached_property
    def parameter_stats(self) -> Table:
        return self.run.parameter_stats.where(optimizer=self.optimizer.id)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers its loss flowed through, in the order of the forward pass."""
        seen = set(self.layer_stats["layer"].astype(int)) if len(self.layer_stats) else set()
        return tuple(layer for layer in self.run.layers if layer.id in seen)

    @cached_property
    def sights(self) -> tuple[dict[str, Any], ...]:
        return tuple(detail for _, detail in self.sighted)

    @cached_property
    def sighted(self) -> tuple[tuple[int, dict[str, Any]], ...]:
        """The same, each with its step."""
        seen = [(s.step, s.detail) for s in self.run.sights if s.optimizer == self.optimizer.id]
        return tuple((step, _negative(detail)) for step, detail in seen) if self.optimizer.maximizes else tuple(seen)

    @cached_property
    def contested(self) -> bool:
        """Whether its loss and that of another optimizer pull at the same parameters, as in a GAN or actor-critic.

        So do the parts of one loss where a gradient is turned round on its way, as in domain-adversarial training.
        """
        if any(sight.get("reversed") for sight in self.sights):
            return True
        return any(_crosses(a, b) for other in self.run.trainings for a, b in ((self, other), (other, self)))

    @cached_property
    def beside_another(self) -> bool:
        """Whether another optimizer with a loss of its own steps in turns with this one."""
        others = (other for other in self.run.trainings if other is not self)
        return self._own_backward and any(other._own_backward and _overlap(self, other) for other in others)

    @cached_property
    def _own_backward(self) -> bool:
        return bool(np.median(self.steps["backwards"]) >= 1) if len(self.steps) else False

    def total(self, column: str) -> tuple[Floats, Floats]:
        """Norm over all parameters of one column of ``parameter_stats``: (steps, norms), each of shape (m,)."""
        table = self.parameter_stats
        steps = np.unique(table["step"])
        norms = [table[column][table["step"] == s] for s in steps]
        return steps, np.array([np.hypot.reduce(n[~np.isnan(n)]) for n in norms])  # a square may overflow


def _negative(sight: dict[str, Any]) -> dict[str, Any]:
    """What stands at a loss, of its negative."""
    turned = {"factor": -sight["factor"]} if sight.get("factor") is not None else {}
    return sight | turned | ({"terms": [_negative(term) for term in sight["terms"]]} if "terms" in sight else {})


def _crosses(a: Training, b: Training) -> bool:
    """Whether the loss of ``a`` flows through parameters that belong to ``b`` alone, which has a loss of its own."""
    if a is b or not (a._own_backward and b._own_backward) or not _overlap(a, b):
        return False
    theirs = b.optimizer.parameters - a.optimizer.parameters
    return any(layer.parameter in theirs for layer in a.layers)


def _overlap(a: Training, b: Training) -> bool:
    """Whether two trainings run in turns, not one after the other."""
    return bool(a.steps["step"][0] < b.steps["step"][-1] and b.steps["step"][0] < a.steps["step"][-1])


class RunError(Exception):
    """A run that cannot be read; the message says why and what to do."""


def read(path: Path | str) -> Run:
    """Read the run in a folder, finished or still being written.

    Raises:
        RunError: no run there, or written by a newer fallline.
    """
    folder = Path(path)
    file = folder / FILE if folder.is_dir() else folder
    if not file.is_file():
        raise RunError(f"no run at {folder}: there is no {FILE} in it (`fallline runs` lists the runs)")
    try:
        return _open(file, "ro")
    except sqlite3.DatabaseError as error:
        if "readonly" not in str(error):
            raise RunError(f"{file} is not a record of fallline, or it is damaged: {error}") from error
    try:
        return _open(file, "rw")  # its writer was killed in the middle of a transaction, which is to be rolled back
    except sqlite3.DatabaseError as error:
        raise RunError(
            f"{file} cannot be read as its writer left it: {error}; copy it to where it can be written"
        ) from error


def _open(file: Path, mode: str) -> Run:
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True)) as db:
        db.execute("BEGIN")  # one moment of a run that may still be going on
        return _read(db, file.parent)


def runs(root: Path | str = "runs") -> list[Path]:
    """The folders of all runs under ``root``, oldest first."""
    return sorted((p.parent for p in Path(root).glob(f"*/{FILE}")), key=lambda p: (p / FILE).stat().st_mtime)


def _read(db: sqlite3.Connection, folder: Path) -> Run:
    meta = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM meta")}
    if meta.get("schema", 0) > SCHEMA:
        raise RunError(
            f"{folder} was written with schema {meta['schema']}, this fallline reads up to {SCHEMA}: upgrade it"
        )

    def rows(table: str) -> Iterator[tuple[Any, ...]]:
        return iter(db.execute(f"SELECT {', '.join(columns(table))} FROM {table} ORDER BY rowid"))

    return Run(
        folder=folder,
        meta=meta,
        models=tuple(Model(*row) for row in rows("models")),
        layers=tuple(_layer(row) for row in rows("layers")),
        parameters=tuple(
            Parameter(row[0], row[1], row[2], row[3], row[4], bool(row[5]), bool(row[6])) for row in rows("parameters")
        ),
        optimizers=tuple(
            Optimizer(row[0], row[1], json.loads(row[2]), frozenset(json.loads(row[3])), row[4])
            for row in rows("optimizers")
        ),
        steps=_table(rows("steps"), columns("steps")),
        layer_stats=_table(rows("layer_stats"), columns("layer_stats")),
        parameter_stats=_table(rows("parameter_stats"), columns("parameter_stats")),
        sights=tuple(Sight(step, optimizer, json.loads(detail)) for step, optimizer, detail in rows("losses")),
        events=tuple(Event(step, kind, json.loads(detail)) for step, kind, detail in rows("events")),
    )


def _layer(row: tuple[Any, ...]) -> Layer:
    *plain, ops, sources, variance, output, recurrent = row
    lists = tuple(json.loads(ops)), tuple(json.loads(sources))
    return Layer(*(*plain, *lists, variance or 0.0, bool(output), bool(recurrent)))


def _table(rows: Iterator[tuple[Any, ...]], names: tuple[str, ...]) -> Table:
    data = [[math.nan if cell is None else float(cell) for cell in row] for row in rows]
    matrix = np.array(data, dtype=np.float64).reshape(len(data), len(names))
    return Table({name: matrix[:, i] for i, name in enumerate(names)})

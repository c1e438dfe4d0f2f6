"""From the columns of a table to the inputs of a network, by statistics of the training part only.

scikit-learn's transformers find the statistics; they are kept as plain numbers and texts, so that a saved model is read
without unpickling anything, and they are applied here, the same way in training and in prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fallline.objective import table
from fallline.objective.mistake import InputError, listed, nearest
from fallline.objective.table import CATEGORIES, ColumnKind

Floats = NDArray[np.float64]

MISSING = "(missing)"
DAY = 86_400.0  # seconds


@dataclass(frozen=True)
class Column:
    """One column of the table and what becomes of it."""

    name: str
    kind: ColumnKind
    fill: float = 0.0  # for a missing number, or date in days: the median
    mean: float = 0.0
    scale: float = 1.0
    flagged: bool = False  # an input of its own says where a value was missing
    clock: bool = False  # a date with a time of day
    categories: tuple[str, ...] = ()  # one input each
    others: bool = False  # one more input for every other text

    @property
    def inputs(self) -> list[str]:
        """Names of the network's inputs that it gives."""
        if self.kind == "category":
            names = [*self.categories, "(other)"] if self.others else list(self.categories)
            return [f"{self.name}={name}" for name in names]
        names = [self.name]
        if self.kind == "date":
            cycles = ["year", "week", "day"] if self.clock else ["year", "week"]
            names += [f"{self.name} {wave} of the {cycle}" for cycle in cycles for wave in ("sine", "cosine")]
        return [*names, f"{self.name} missing"] if self.flagged else names


@dataclass(frozen=True)
class Preparation:
    """How a table becomes inputs."""

    columns: tuple[Column, ...]

    @property
    def inputs(self) -> list[str]:
        """Names of the network's inputs, in their order."""
        return [name for column in self.columns for name in column.inputs]

    def transform(self, frame: Any) -> NDArray[np.float32]:
        """The inputs of these rows, shape (rows, inputs).

        Raises:
            InputError: a column is not there; the message names the nearest.
        """
        names = [str(name) for name in frame.columns]
        lost = [column.name for column in self.columns if column.name not in names]
        if lost:
            unused = set(names) - {column.name for column in self.columns}
            raise InputError(
                f"the table has no column {lost[0]!r}, which the model was trained on{nearest(lost[0], unused)} "
                f"(columns: {listed(names)})"
            )
        parts = [part for column in self.columns for part in _parts(column, frame[column.name])]
        return np.stack(parts, axis=1).astype(np.float32) if parts else np.zeros((len(frame), 0), np.float32)

    def unread(self, frame: Any) -> list[str]:
        """What stands in these rows but tells the network nothing: one sentence a column."""
        return [note for column in self.columns if (note := _unread(column, frame[column.name]))]

    def as_json(self) -> dict[str, Any]:
        """For :meth:`from_json`."""
        return {"columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Preparation:
        """What :meth:`as_json` gave."""
        return cls(tuple(Column(**{**c, "categories": tuple(c["categories"])}) for c in data["columns"]))


@dataclass(frozen=True)
class Scaling:
    """How an array becomes inputs: missing numbers filled, then (x − mean) / scale, each of the shape of an example."""

    shape: tuple[int, ...]
    fill: Sequence[float]
    mean: Sequence[float]
    scale: Sequence[float]

    @property
    def inputs(self) -> list[str]:
        """Names of the network's inputs."""
        return [f"x{place}" for place in range(len(self.mean))]

    def transform(self, x: Any) -> NDArray[np.float32]:
        """The inputs of these examples, shape (n, …).

        Raises:
            InputError: the examples have another shape than those the model was trained on.
        """
        values = np.array(x, dtype=np.float64)
        if values.shape[1:] != self.shape:
            raise InputError(f"examples have the shape {values.shape[1:]}, the model was trained on {self.shape}")
        fill, mean, scale = (np.array(part).reshape(self.shape) for part in (self.fill, self.mean, self.scale))
        values = np.where(np.isfinite(values), values, fill)
        scaled: NDArray[np.float32] = ((values - mean) / scale).astype(np.float32)
        return scaled

    def as_json(self) -> dict[str, Any]:
        """For :meth:`from_json`."""
        return {"shape": list(self.shape), "fill": self.fill, "mean": self.mean, "scale": self.scale}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Scaling:
        """What :meth:`as_json` gave."""
        return cls(tuple(data["shape"]), data["fill"], data["mean"], data["scale"])


def fit_array(x: NDArray[Any], scale: bool = True) -> Scaling:
    """The scaling by these training examples, shape (n, …)."""
    values = np.where(np.isfinite(x), x, np.nan).reshape(len(x), -1).astype(np.float64)
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    fill = np.where(known, values, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (values - fill) ** 2, 0.0).sum(axis=0) / len(x))
    mean = fill if scale else np.zeros_like(fill)
    spread = np.where(spread > 0, spread, 1.0) if scale else np.ones_like(fill)
    return Scaling(x.shape[1:], fill.tolist(), mean.tolist(), spread.tolist())


def from_json(data: dict[str, Any] | None) -> Preparation | Scaling | None:
    """Whatever was saved."""
    if data is None:
        return None
    return Preparation.from_json(data) if "columns" in data else Scaling.from_json(data)


def fit(frame: Any, kinds: dict[str, ColumnKind], scale: bool = True) -> Preparation:
    """The preparation for the training part of a table.

    Args:
        frame: the training rows.
        kinds: what the used columns hold.
        scale: bring numbers to mean 0 and variance 1.
    """
    plain = {name: _numbers(frame[name], kind) for name, kind in kinds.items() if kind != "category"}
    fill, mean, spread = _statistics(list(plain.values()), scale)
    columns: list[Column] = []
    for name, kind in kinds.items():
        if kind == "category":
            columns.append(_category(str(name), table.texts(frame[name], MISSING)))
            continue
        place = list(plain).index(name)
        clock = kind == "date" and bool((np.nan_to_num(plain[name]) % 1 != 0).any())
        flagged = bool(np.isnan(plain[name]).any())
        columns.append(Column(str(name), kind, fill[place], mean[place], spread[place], flagged, clock))
    return Preparation(tuple(columns))


def _statistics(columns: Sequence[Floats], scale: bool) -> tuple[list[float], list[float], list[float]]:
    """Median, mean and standard deviation of each column; the last two after the missing ones were filled."""
    if not columns:
        return [], [], []
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    filled = imputer.fit_transform(np.stack(columns, axis=1))
    fill = [float(value) for value in imputer.statistics_]
    if not scale:
        return fill, [0.0] * len(fill), [1.0] * len(fill)
    scaler = StandardScaler().fit(filled)
    return fill, scaler.mean_.tolist(), scaler.scale_.tolist()


def _category(name: str, values: NDArray[Any]) -> Column:
    from sklearn.preprocessing import OneHotEncoder

    encoder = OneHotEncoder(max_categories=CATEGORIES, handle_unknown="infrequent_if_exist").fit(values[:, None])
    rare = encoder.infrequent_categories_[0]
    rare = set() if rare is None else set(rare)
    kept = tuple(str(value) for value in encoder.categories_[0] if value not in rare)
    return Column(name, "category", categories=kept, others=bool(rare))


def _numbers(column: Any, kind: ColumnKind) -> Floats:
    """Numbers, or dates in days since 1970, NaN where missing."""
    if kind == "number":
        numbers: Floats = table.numbers(column)
        return numbers
    moments = table.dates(column)
    days = (moments - table.pandas().Timestamp("1970-01-01", tz="UTC")).dt.total_seconds() / DAY
    found: Floats = days.to_numpy(dtype=np.float64)
    return found


def _unread(column: Column, values: Any) -> str | None:
    present = values.notna().to_numpy()
    if column.kind == "category":
        lost = present & ~np.isin(table.texts(values, MISSING), column.categories) & (not column.others)
        what = "were not among those of the training"
    else:
        lost = present & np.isnan(_numbers(values, column.kind))
        what = f"cannot be read as {column.kind}s and count as missing"
    first = values.iloc[int(lost.argmax())] if lost.any() else None
    return f"column {column.name!r}: {lost.sum()} of {len(lost)} values {what}, as {first!r}" if lost.any() else None


def _parts(column: Column, values: Any) -> list[Floats]:
    """The inputs that a column gives, each of shape (rows,)."""
    if column.kind == "category":
        texts = table.texts(values, MISSING)
        parts = [(texts == category).astype(np.float64) for category in column.categories]
        if column.others:
            parts.append(1.0 - sum(parts, np.zeros(len(texts))))
        return parts
    numbers = _numbers(values, column.kind)
    filled = np.where(np.isnan(numbers), column.fill, numbers)
    parts = [(filled - column.mean) / column.scale]
    if column.kind == "date":
        periods = [365.2425, 7.0, 1.0] if column.clock else [365.2425, 7.0]
        turns = [2 * np.pi * filled / period for period in periods]
        parts += [wave(turn) for turn in turns for wave in (np.sin, np.cos)]
    if column.flagged:
        parts.append(np.isnan(numbers).astype(np.float64))
    return parts

"""The user's data, whatever it comes in, as examples for training, validation and test."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from fallline.objective import prepare, table
from fallline.objective import task as tasks
from fallline.objective.batches import Examples, Source, Stream, pair
from fallline.objective.mistake import InputError, nearest
from fallline.objective.prepare import Preparation, Scaling
from fallline.objective.task import Kind, Task

BUNDLED = {"digits": "digits", "iris": "iris", "wine": "wine", "breast_cancer": "breast_cancer", "diabetes": "diabetes"}
FEWEST = 4  # rows

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """How much is kept back: shares of all examples, chosen at random by ``seed``."""

    validation: float = 0.15
    test: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, share in (("validation", self.validation), ("test", self.test)):
            if not 0 <= share < 1:
                raise InputError(f"{name} is the share of the examples to keep back, from 0 to below 1; got {share}")
        if self.validation + self.test >= 1:
            raise InputError(
                f"validation and test together take {self.validation + self.test:g} of the data, nothing is left"
            )


@dataclass(frozen=True)
class Data:
    """Examples ready for a network."""

    name: str
    train: Source
    validation: Source | None
    test: Source | None
    task: Task
    inputs: tuple[int, ...]  # shape of one example
    preparation: Preparation | Scaling | None  # of a table
    notes: tuple[str, ...]  # what was found and decided, in sentences

    @property
    def width(self) -> int:
        """Numbers in one example."""
        return int(np.prod(self.inputs))


def load(
    source: Any, target: str | None = None, kind: Kind | None = None, split: Split | None = None, scale: bool = True
) -> Data:
    """Read the user's data.

    Args:
        source: the path of a CSV or Parquet file, the name of a set that scikit-learn brings, a data frame,
            a pair (X, y) of arrays or tensors, a torch ``Dataset`` or ``DataLoader``.
        target: the column of a table to predict.
        kind: "classes" or "numbers"; found out unless given.
        split: what is kept back; by default 15 % for validation, and of tables 20 % for the test.
        scale: bring inputs, and targets that are numbers, to mean 0 and variance 1.

    Raises:
        InputError: nothing can be learned from it; the message says why and what to do.
    """
    if isinstance(source, (str, Path)):
        name, frame, target, kind = _named(str(source), target, kind)
        return from_frame(frame, target, kind, split or Split(), scale, name)
    if hasattr(source, "columns") and hasattr(source, "iloc"):
        return from_frame(source, target, kind, split or Split(), scale)
    plain = split or Split(test=0.0)
    if isinstance(source, DataLoader):
        return _from_loader(source, kind)
    if isinstance(source, TensorDataset) and len(source.tensors) == 2:
        return from_arrays(*source.tensors, kind, plain, scale=False)
    if isinstance(source, Dataset):
        return _from_dataset(source, kind, plain)
    if isinstance(source, (tuple, list)) and len(source) == 2:
        return from_arrays(source[0], source[1], kind, plain, scale)
    raise InputError(
        "data must be a CSV or Parquet file, the name of a bundled set "
        f"({', '.join(BUNDLED)}), a data frame, a pair (X, y), a Dataset or a DataLoader, not {type(source).__name__}"
    )


def _named(source: str, target: str | None, kind: Kind | None) -> tuple[str, Any, str | None, Kind | None]:
    if source in BUNDLED:
        frame = bundled(source)
        return source, frame, target or "target", kind or ("numbers" if source == "diabetes" else "classes")
    path = Path(source)
    if not path.suffix and not path.exists():
        raise InputError(
            f"there is no file and no bundled set {source!r}{nearest(source, BUNDLED)} ({', '.join(BUNDLED)})"
        )
    return path.stem, table.read(path), target, kind


def bundled(name: str) -> Any:
    """One of scikit-learn's sets as a data frame; its target is the column ``target``."""
    try:
        import sklearn.datasets
    except ImportError as error:
        raise InputError("bundled sets need scikit-learn: pip install 'fallline[tables]'") from error
    table.pandas()
    return getattr(sklearn.datasets, f"load_{BUNDLED[name]}")(as_frame=True).frame


def from_frame(
    frame: Any, target: str | None, kind: Kind | None, split: Split, scale: bool, name: str = "table"
) -> Data:
    """A table's examples."""
    table.check_names([str(column) for column in frame.columns], "the table")
    frame = frame.rename(columns=str)
    if not len(frame):
        raise InputError(f"the table {name!r} has no rows")
    column = table.target_column(list(frame.columns), target)
    values, kept, notes = table.targets(frame[column], column)
    rows = frame[kept].drop(columns=column).reset_index(drop=True)
    _enough(len(rows))
    found, said = tasks.infer(values, column, kind)
    held = divide(len(rows), split, values if found.kind == "classes" else None)
    kinds = table.kinds(rows)
    if not kinds.columns:
        raise InputError(f"there is no column to predict {column!r} from; left out: {'; '.join(kinds.notes) or 'none'}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn's on columns without a value in this part
        preparation = prepare.fit(rows.iloc[held[0]], kinds.columns, scale)
    x = torch.from_numpy(preparation.transform(rows))
    found = tasks.fitted(found, values[held[0]], scale)
    said += [f"{len(kinds.columns)} columns become {x.shape[1]} inputs", *kinds.notes]
    return _divided(name, x, found.encode(values), held, found, preparation, (*notes, *said))


def from_arrays(
    x: Any, y: Any, kind: Kind | None = None, split: Split | None = None, scale: bool = True, name: str = "arrays"
) -> Data:
    """Examples from arrays: ``x`` of shape (n, …), ``y`` of shape (n,) or (n, k)."""
    x, y = _array(x), _array(y)
    if x.ndim < 2:
        raise InputError(f"X must have a row for each example and at least two dimensions; its shape is {x.shape}")
    if len(x) != len(y):
        raise InputError(f"X has {len(x)} rows, y has {len(y)}")
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 and kind != "numbers" and y.dtype.kind not in "f" else y
    lost = ~np.isfinite(y.reshape(len(y), -1)).all(axis=1) if y.dtype.kind == "f" else np.zeros(len(y), bool)
    notes = (
        [f"{int(lost.sum())} of {len(y)} examples left out: their target is missing or not finite"]
        if lost.any()
        else []
    )
    x, y = x[~lost], y[~lost]
    _enough(len(x))
    task, said = tasks.infer(y, "y", kind)
    held = divide(len(x), split or Split(test=0.0), y if task.kind == "classes" else None)
    inputs, scaling, note = _inputs(x, held[0], scale)
    task = tasks.fitted(task, y[held[0]], scale)
    return _divided(name, inputs, task.encode(y), held, task, scaling, (*notes, *said, *note))


def _inputs(x: NDArray[Any], train: Integers, scale: bool) -> tuple[Tensor, Scaling | None, list[str]]:
    """Inputs as floats, scaled by the training rows; missing ones take the training mean."""
    if x.dtype.kind not in "biuf":
        raise InputError(f"X holds {x.dtype}, not numbers")
    if x.dtype.kind in "iu" and not scale:
        return torch.from_numpy(x), None, []  # as an embedding wants them
    broken = int((~np.isfinite(x)).sum())
    notes = [f"{broken} numbers in X are missing or infinite; they take their column's mean"] if broken else []
    scaling = prepare.fit_array(x[train], scale)
    return torch.from_numpy(scaling.transform(x)), scaling, notes


def _divided(
    name: str, x: Tensor, y: Tensor, held: tuple[Integers, Integers, Integers], task: Task,
    preparation: Preparation | Scaling | None, notes: Iterable[str],
) -> Data:  # fmt: skip
    train, validation, test = (Examples(x[rows], y[rows]) if len(rows) else None for rows in held)
    if train is None:
        raise InputError(f"the split leaves nothing of the {len(x)} examples to train on")
    sizes = ", ".join(
        f"{len(rows)} {to}"
        for rows, to in zip(held, ("to train on", "for validation", "for the test"), strict=True)
        if len(rows)
    )
    said = f"{len(x)} examples, split at random: {sizes}"
    return Data(name, train, validation, test, task, tuple(x.shape[1:]), preparation, (said, *notes))


def divide(count: int, split: Split, labels: Any = None) -> tuple[Integers, Integers, Integers]:
    """Rows for training, validation and test, at random; where ``labels`` are given each class in equal shares."""
    generator = np.random.default_rng(split.seed)
    order = generator.permutation(count)
    if labels is not None:  # classes one after the other, in turns of one over the count of each
        _, code = np.unique(np.asarray(labels)[order].astype(str), return_inverse=True)
        rank = np.zeros(count)
        for label in range(code.max() + 1):
            members = np.flatnonzero(code == label)
            rank[members] = (np.arange(len(members)) + generator.random()) / len(members)
        order = order[np.argsort(rank, kind="stable")]
        # a stretch of this order holds every class in its share; the stretches are taken from the end
    tests = round(count * split.test)
    validations = round(count * split.validation)
    cut = count - tests - validations
    return tuple(np.sort(part) for part in (order[:cut], order[cut : cut + validations], order[cut + validations :]))  # type: ignore[return-value]


def _from_loader(loader: DataLoader[Any], kind: Kind | None) -> Data:
    x, y = _first(loader, "the DataLoader gives no batch")
    task, notes = _task_of(y, kind, loader)
    return Data("loader", Stream(loader), None, None, task, tuple(x.shape[1:]), None, tuple(notes))


def _from_dataset(source: Dataset[Any], kind: Kind | None, split: Split) -> Data:
    """A map-style set whose items may change from one epoch to the next stays a stream; its split is by index."""
    try:
        count = len(source)  # type: ignore[arg-type]
    except TypeError:
        return _from_loader(DataLoader(source, batch_size=64), kind)
    _enough(count)
    rows = divide(count, split)
    train, validation, test = (
        Stream(DataLoader(torch.utils.data.Subset(source, part.tolist()), batch_size=64, shuffle=place == 0))
        if len(part) else None
        for place, part in enumerate(rows)
    )  # fmt: skip
    if train is None:
        raise InputError(f"the split leaves nothing of the {count} examples to train on")
    x, y = _first(train.loader, "the Dataset is empty")
    task, notes = _task_of(y, kind, train.loader)
    said = f"{count} examples, split at random: {', '.join(str(len(part)) for part in rows if len(part))}"
    return Data("dataset", train, validation, test, task, tuple(x.shape[1:]), None, (said, *notes))


def _first(loader: Iterable[Any], otherwise: str) -> tuple[Tensor, Tensor]:
    with torch.random.fork_rng(devices=[]):  # a look at the data uses up no random numbers
        for batch in loader:
            return pair(batch)
    raise InputError(otherwise)


def _task_of(y: Tensor, kind: Kind | None, loader: Iterable[Any]) -> tuple[Task, list[str]]:
    """Whole-number targets of shape (n,) are class numbers."""
    if (kind or ("numbers" if y.is_floating_point() else "classes")) == "numbers":
        outputs = 1 if y.ndim == 1 else y.shape[1]
        return Task("numbers", "y", outputs, (), (0.0,) * outputs, (1.0,) * outputs, y.ndim == 1), [
            "targets are numbers"
        ]
    with torch.random.fork_rng(devices=[]):
        highest = max(int(pair(batch)[1].max()) for batch in loader)
    if highest < 1:
        raise InputError("every example has the class 0: a network needs at least two classes")
    return Task("classes", "y", highest + 1, tuple(range(highest + 1))), [f"targets are {highest + 1} classes"]


def _array(values: Any) -> NDArray[Any]:
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    return np.asarray(values)


def _enough(count: int) -> None:
    if count < FEWEST:
        raise InputError(f"{count} sample{'s' * (count != 1)} with a target: at least {FEWEST} are needed")


def resized(data: Data, size: int) -> Data:
    """The same data where streams made here give batches of this size; a DataLoader of the user's keeps its own."""
    if data.name != "dataset":
        return data
    parts: Mapping[str, Source | None] = {"train": data.train, "validation": data.validation, "test": data.test}
    streams: dict[str, Any] = {
        name: Stream(DataLoader(part.loader.dataset, batch_size=size, shuffle=name == "train"))
        for name, part in parts.items()
        if isinstance(part, Stream)
    }
    return replace(data, **streams)

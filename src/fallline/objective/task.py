"""What is predicted: classes or numbers, and how they stand in a tensor."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fallline.objective.mistake import InputError, listed

Kind = Literal["classes", "numbers"]
Array = NDArray[Any]

FEW = 20  # whole numbers with at most this many different values are taken for classes …
REPEATED = 5  # … where each value comes this often on average


@dataclass(frozen=True)
class Task:
    """What is predicted.

    Numbers are learned as (y − ``mean``) / ``scale``, fitted on the training part, and predictions are scaled back.
    """

    kind: Kind
    target: str
    outputs: int  # width of the network's last layer
    classes: tuple[Any, ...] = ()  # labels, in the order of the outputs
    mean: tuple[float, ...] = ()  # (outputs,)
    scale: tuple[float, ...] = ()  # (outputs,)
    flat: bool = True  # numbers: a target of shape (n,), not (n, outputs)

    def encode(self, values: Array) -> Tensor:
        """Targets as the loss wants them: class numbers (n,), or scaled numbers (n, outputs)."""
        if self.kind == "classes":
            place = {label: position for position, label in enumerate(self.classes)}
            return torch.tensor([place[_plain(value)] for value in values], dtype=torch.long)
        numbers = np.asarray(values, dtype=np.float64).reshape(len(values), self.outputs)
        return torch.from_numpy((numbers - np.array(self.mean)) / np.array(self.scale)).float()

    def decode(self, outputs: Tensor) -> Array:
        """Predictions from the network's outputs, shape (n, outputs): labels, or numbers in the target's own unit."""
        if self.kind == "classes":
            return self.labels(predicted(outputs).numpy())
        numbers: Array = outputs.double().numpy() * np.array(self.scale) + np.array(self.mean)
        return numbers[:, 0] if self.flat else numbers

    def labels(self, places: Array) -> Array:
        """The labels of class numbers."""
        return np.array(self.classes)[places]

    def as_json(self) -> dict[str, Any]:
        """For :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Task:
        """What :meth:`as_json` gave."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)


def infer(values: Array, target: str, kind: Kind | None = None) -> tuple[Task, list[str]]:
    """Find out whether a target is classes or numbers.

    Args:
        values: targets without missing ones, shape (n,), or (n, k) for several numbers.
        target: its name.
        kind: what the user says it is; found out unless given.

    Returns the task, with the numbers' mean and scale left open, and what to say about it.

    Raises:
        InputError: nothing can be learned from this target.
    """
    found = kind or ("classes" if values.ndim == 1 and _looks_like_classes(values) else "numbers")
    if found == "numbers":
        return _numbers(values, target)
    if values.ndim > 1:
        raise InputError(f"classes are one column, the target {target!r} has shape {values.shape}")
    labels = sorted({_plain(value) for value in values}, key=lambda label: (isinstance(label, str), label))
    if len(labels) < 2:
        raise InputError(f"every row has the same {target!r}, {labels[0]!r}: a network needs at least two classes")
    if len(labels) > len(values) / 2 and len(labels) > FEW:
        raise InputError(
            f"the target {target!r} is text with {len(labels)} different values in {len(values)} rows: that is "
            "no set of classes; choose another column"
        )
    known = "" if kind else f" (say --task numbers where {target!r} is a quantity)" if _is_number(labels[0]) else ""
    return Task("classes", target, len(labels), tuple(labels)), [
        f"{target!r} is {len(labels)} classes: {listed(map(str, labels), 10)}{known}"
    ]


def _numbers(values: Array, target: str) -> tuple[Task, list[str]]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"the target {target!r} holds text, not numbers: {error}") from error
    if len(np.unique(numbers.reshape(len(numbers), -1), axis=0)) < 2:
        raise InputError(f"every row has the same {target!r}, {values.flat[0]}: there is nothing to learn")
    outputs = 1 if numbers.ndim == 1 else numbers.shape[1]
    return Task("numbers", target, outputs, flat=numbers.ndim == 1), [f"{target!r} is a number"]


def fitted(task: Task, values: Array, scale: bool) -> Task:
    """The task with the mean and scale of these training targets (0 and 1 unless ``scale``)."""
    if task.kind == "classes":
        return task
    numbers = np.asarray(values, dtype=np.float64).reshape(len(values), task.outputs)
    deviation = np.where((spread := numbers.std(axis=0)) > 0, spread, 1.0)
    mean = tuple(numbers.mean(axis=0).tolist()) if scale else (0.0,) * task.outputs
    return Task(
        "numbers", task.target, task.outputs, (), mean,
        tuple(deviation.tolist()) if scale else (1.0,) * task.outputs, task.flat,
    )  # fmt: skip


def _looks_like_classes(values: Array) -> bool:
    if values.dtype.kind in "OUSb":
        return True
    different = np.unique(values)
    whole = values.dtype.kind in "iu" or bool(np.all(different == np.round(different)))
    return whole and len(different) <= FEW and len(values) >= REPEATED * len(different)


def _is_number(label: Any) -> bool:
    return isinstance(label, (int, float)) and not isinstance(label, bool)


def _plain(value: Any) -> Any:
    """A label as JSON holds it: whole numbers as int, NumPy's types as Python's."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return int(value)
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def predicted(outputs: Tensor) -> Tensor:
    """Class numbers; one output alone decides between two classes by its sign."""
    if outputs.ndim == 1 or outputs.shape[-1] == 1:
        return (outputs.reshape(-1) > 0).long()
    return outputs.argmax(dim=1)


def probabilities(outputs: Tensor) -> Tensor:
    """Of each class, shape (n, classes)."""
    if outputs.ndim == 1 or outputs.shape[-1] == 1:
        positive = torch.sigmoid(outputs.reshape(-1))
        return torch.stack([1 - positive, positive], dim=1)
    return torch.softmax(outputs, dim=1)

"""Losses by name, each the mean over a batch, and how well a network does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from fallline.objective.mistake import InputError, nearest
from fallline.objective.task import Task, predicted

Loss = Callable[[Tensor, Tensor], Tensor]


def binary_cross_entropy(outputs: Tensor, y: Tensor) -> Tensor:
    """Of one output with classes 0 and 1, or of many outputs with targets between 0 and 1."""
    outputs = outputs.squeeze(-1) if outputs.ndim == y.ndim + 1 else outputs
    return F.binary_cross_entropy_with_logits(outputs, y.to(outputs.dtype))


def mse(outputs: Tensor, y: Tensor) -> Tensor:
    """Mean squared error; a target of shape (n,) stands for (n, 1)."""
    return F.mse_loss(outputs, _like(y, outputs))


def l1(outputs: Tensor, y: Tensor) -> Tensor:
    """Mean absolute error."""
    return F.l1_loss(outputs, _like(y, outputs))


def smooth_l1(outputs: Tensor, y: Tensor) -> Tensor:
    """Huber's loss with δ = 1 (Huber 1964)."""
    return F.smooth_l1_loss(outputs, _like(y, outputs))


def _like(y: Tensor, outputs: Tensor) -> Tensor:
    return y.reshape(outputs.shape) if y.numel() == outputs.numel() else y


LOSSES: dict[str, Loss] = {
    "cross_entropy": F.cross_entropy, "bce_with_logits": binary_cross_entropy, "mse": mse, "l1": l1,
    "smooth_l1": smooth_l1,
}  # fmt: skip


def named(name: str | Loss | None, task: Task) -> tuple[str, Loss]:
    """A loss and its name; the one that fits the task unless given.

    Raises:
        InputError: there is none of this name, or it is made for the other kind of target.
    """
    if callable(name):
        return getattr(name, "__name__", type(name).__name__), name
    name = name or ("cross_entropy" if task.kind == "classes" else "mse")
    if name not in LOSSES:
        raise InputError(f"there is no loss {name!r}{nearest(name, LOSSES)} ({', '.join(LOSSES)})")
    if task.kind == "numbers" and name == "cross_entropy":
        raise InputError(f"cross_entropy is for classes, and {task.target!r} is a number: take mse, l1 or smooth_l1")
    if task.kind == "classes" and name not in ("cross_entropy", "bce_with_logits"):
        raise InputError(f"{name} is for numbers, and {task.target!r} is classes: take cross_entropy")
    if name == "bce_with_logits" and task.kind == "classes" and len(task.classes) > 2:
        raise InputError(
            f"bce_with_logits is for two classes, {task.target!r} has {len(task.classes)}: take cross_entropy"
        )
    return name, LOSSES[name]


class Score:
    """Accuracy of classes, or R² of numbers, added up batch by batch."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.count = 0
        self.hits: Any = 0.0
        self.squares: Any = 0.0
        self.sum: Any = 0.0

    @property
    def name(self) -> str:
        return "accuracy" if self.task.kind == "classes" else "R²"

    def add(self, outputs: Tensor, y: Tensor) -> None:
        """Take a batch into account."""
        self.count += len(y)
        if self.task.kind == "classes":
            self.hits += float((predicted(outputs) == y).sum())
            return
        y = y.reshape(len(y), -1).double()
        self.hits += ((outputs.reshape(y.shape).double() - y) ** 2).sum(dim=0)
        self.squares = self.squares + (y**2).sum(dim=0)
        self.sum = self.sum + y.sum(dim=0)

    def value(self) -> float:
        """The score: 1 is perfect; NaN of no example, or where R² has no meaning."""
        if not self.count:
            return float("nan")
        if self.task.kind == "classes":
            return float(self.hits / self.count)
        total = self.squares - self.sum**2 / self.count
        return float((1 - torch.as_tensor(self.hits) / total).mean())

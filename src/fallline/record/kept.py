"""A gradient of the last step, kept unread until the loss says that something went wrong."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

SMALL = 2**16  # entries of a gradient that may live on until the next step


@dataclass(slots=True)
class Used:
    """A gradient, as an optimizer used it last."""

    optimizer: weakref.ref[Optimizer]
    gradient: Tensor
    version: int = 0
    step: int = 0
    left: bool = True  # whether the program leaves it alone afterwards, so that it can still be read later


class Kept:
    """One small gradient of the last step of each optimizer.

    To read a gradient in every step would cost more than everything else that is done in every step of a small network.
    It is needed only when the loss has become non-finite, to tell whether the backward pass before it was the cause.
    """

    def __init__(self) -> None:
        self._used: dict[int, Used] = {}

    def keep(self, optimizer: Optimizer, gradient: Tensor | None, step: int) -> None:
        """Remember the gradient that an optimizer has just used."""
        key = id(optimizer)
        if gradient is None or not gradient.is_cpu or gradient.numel() > SMALL:
            self._used.pop(key, None)
            return
        used = self._used.get(key)
        if used is None or used.optimizer() is not optimizer:
            self._used = {key: used for key, used in self._used.items() if used.optimizer() is not None}
            used = self._used[key] = Used(weakref.ref(optimizer), gradient)
        else:
            used.left = used.gradient is not gradient  # otherwise it is cleared in place, or not at all
            used.gradient = gradient
        used.version, used.step = gradient._version, step

    def suffices(self, optimizer: Optimizer) -> bool:
        """Whether this optimizer's gradients need not be read before a step because they can be read after it."""
        last = self._used.get(id(optimizer))
        return last is not None and last.left and last.optimizer() is optimizer

    def not_finite(self) -> tuple[Optimizer, int] | None:
        """The first optimizer that used NaN or Inf in its last step, with the number of that step."""
        for used in sorted(self._used.values(), key=lambda used: used.step):
            optimizer, unchanged = used.optimizer(), used.gradient._version == used.version
            if optimizer is not None and unchanged and not bool(torch.isfinite(used.gradient).all()):
                return optimizer, used.step
        return None

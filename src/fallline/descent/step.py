"""One update of a network through autograd."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer

from fallline.objective.loss import Loss
from fallline.record.loop import LoopRecorder


class NotFinite(Exception):  # noqa: N818 - an ending, not an error
    """The loss of an update is NaN or infinite; the update was not made."""

    def __init__(self, value: float) -> None:
        super().__init__(f"the loss became {value}")
        self.value = value


class Step(Protocol):
    """Makes updates; ``optimizer`` holds its state, ``recorded`` names the parameters that are trained."""

    optimizer: Optimizer
    recorded: Optimizer

    def __call__(self, x: Tensor, y: Tensor) -> float:
        """Make one update with this batch; the loss before it.

        Raises:
            NotFinite: the loss is NaN or infinite; nothing was changed.
        """
        ...

    def release(self) -> None:
        """Leave the model as if it had been trained by any other loop."""
        ...


class AutogradStep:
    """Forward pass, loss, backward pass and update of any module.

    ``clip``: largest norm of the whole gradient.
    """

    def __init__(
        self, model: nn.Module, loss: Loss, optimizer: Optimizer, clip: float | None, recorder: LoopRecorder | None
    ) -> None:
        self.model, self.loss, self.optimizer, self.recorded = model, loss, optimizer, optimizer
        self.clip, self.recorder = clip, recorder
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self._several = isinstance(optimizer, LBFGS)  # evaluations for one update

    def __call__(self, x: Tensor, y: Tensor) -> float:
        recorder = self.recorder
        if recorder is None:
            return self._update(x, y)
        rate = float(self.optimizer.param_groups[0]["lr"])
        if recorder.measures:
            with recorder.listening():
                return self._update(x, y)
        try:
            value = self._update(x, y)
        except NotFinite as ended:
            recorder.note(ended.value, rate)
            raise
        recorder.note(value, rate)
        return value

    def _update(self, x: Tensor, y: Tensor) -> float:
        if self._several:
            return self._update_by_closure(x, y)
        loss = self.loss(self.model(x), y)
        value = loss.item()
        if not math.isfinite(value):
            self._report(loss, value)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        return value

    def _update_by_closure(self, x: Tensor, y: Tensor) -> float:
        def closure() -> Tensor:
            loss = self.loss(self.model(x), y)
            if not math.isfinite(value := loss.item()):
                self._report(loss, value)
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            if self.clip is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
            return loss

        loss: Tensor = self.optimizer.step(closure)  # type: ignore[arg-type, assignment]
        return float(loss.detach())

    def release(self) -> None:
        """Gradients are no part of a trained model."""
        self.optimizer.zero_grad()

    def _report(self, loss: Tensor, value: float) -> None:
        if self.recorder is not None:
            self.recorder.broken(loss, value, [(p, p.grad) for p in self.parameters if p.grad is not None])
        raise NotFinite(value)

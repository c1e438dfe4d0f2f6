"""What is taken of every update: the row that it leaves, and, where nothing has to be decided, no more than that.

The update of a small network takes a tenth of a millisecond, of which every call of a method and every attribute is a
share. So the hooks of updates in which nothing has to be decided are closures over the few things that they need; what
is out of the ordinary they leave to the careful ones.
"""

from __future__ import annotations

import cmath
import functools
import math
import threading
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, _compile
from torch._C import _are_functorch_transforms_active as _transforming
from torch.optim.optimizer import Optimizer

from fallline.record.inquiry import Inquiry

Hook = Callable[..., Any]
Row = tuple[int, int, Any, float, int, float]  # step, optimizer, loss, learning rate, losses, seconds

_compiling = torch.compiler.is_dynamo_compiling
_here = threading.get_ident


class Tally:
    """Counts the updates, with the losses and the time of each.

    ``inquiry``: is told the last loss, and knows the parameter whose gradient is read before an optimizer's step.
    ``fail``: takes an error of a hook, after which there is no update in which nothing has to be decided.
    """

    def __init__(self, inquiry: Inquiry, fail: Callable[[Exception], None]) -> None:
        self.step = 0
        self.spent = 0.0  # seconds that watching took
        self.began = math.nan  # the time of the first loss
        # the losses of the update under way, of which two may share it and accumulation brings many
        self.count = 0
        self.sum: Any = 0.0
        self.loss: Any = math.nan  # the last one
        self.mean: Any = math.nan  # loss of the last update that had one
        self.rows = list[Row]()  # not handed over yet
        self.unheard = list[float]()  # losses that the lookout has not been told
        self.inside = False  # a backward pass: what it does is none of the training's
        self._inquiry, self._fail = inquiry, fail
        # while nothing has to be decided: the updates before which step, the losses below which limit, the time before
        # which, and the seconds that watching takes of each, as measured in the first of them
        self._until, self._limit, self._due, self._each = 0, -math.inf, 0.0, 0.0
        self._timed = False
        self._key = 0  # of the optimizer that is stepping

    def begin(self, now: float) -> None:
        """The training runs from here on, unless it did before."""
        if math.isnan(self.began):
            self.began = now

    def add(self, loss: Any) -> None:
        """Take the next loss."""
        self.count, self.sum, self.loss = self.count + 1, self.sum + loss, loss

    def close(self, optimizer: int, rate: float, now: float) -> None:
        """Keep the row of an update."""
        self.begin(now)
        if self.count:
            self.mean = self.sum / self.count
        self.rows.append((self.step, optimizer, self.mean, rate, self.count, now - self.began))
        self.count, self.sum = 0, 0.0

    def coast(self, until: int, limit: float, due: float) -> None:
        """Before the update ``until`` and the time ``due`` nothing has to be decided, unless a loss reaches a limit."""
        self._until, self._limit, self._due, self._each, self._timed = until, limit, due, 0.0, True

    def halt(self) -> None:
        """From here on every update is looked at."""
        self._until = 0

    def backward(self, original: Hook, careful: Hook, clock: Callable[[], float]) -> Hook:
        """What stands in the place of ``torch.autograd.backward``."""
        calls, inquiry = self._inquiry.calls, self._inquiry
        unheard, reference = self.unheard, weakref.ref

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if _compiling() or self.step >= self._until or type(tensors) is not Tensor or self.inside:
                return careful(tensors, *args, **kwargs)
            start = clock() if self._timed else 0.0
            try:
                ordinary = _here() == calls.thread and not _transforming() and tensors.is_cpu and tensors.numel() == 1
                if ordinary:
                    value = tensors.item()
                    ordinary = value < self._limit
            except Exception as error:  # the training must go on whatever happens here
                self._fail(error)
                ordinary = False
            if not ordinary:
                return careful(tensors, *args, **kwargs)
            self.count, self.sum, self.loss = self.count + 1, self.sum + value, value
            unheard.append(value)
            inquiry.seen = reference(tensors)
            self.inside = True
            if start:
                self._each += clock() - start
            try:
                return original(tensors, *args, **kwargs)
            finally:
                self.inside, calls.used = False, True

        return backward

    def before_step(self, careful: Hook, clock: Callable[[], float]) -> Hook:
        """What is called before each step of an optimizer."""
        read = self._inquiry.read

        def before_step(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if _compiling() or self.step >= self._until:
                return careful(optimizer, args, kwargs)
            start = clock() if self._timed else 0.0
            fine = False
            try:
                known = read.get(id(optimizer))
                if known is not None and known[0]() is optimizer and (parameter := known[1]()) is not None:
                    gradient, self._key = parameter.grad, known[2]
                    fine = gradient is not None and (not gradient.is_cpu or cmath.isfinite(total(gradient)))
            except Exception as error:  # the training must go on whatever happens here
                self._fail(error)
            if not fine:
                return careful(optimizer, args, kwargs)
            if start:
                self._each += clock() - start
            return None

        return before_step

    def after_step(self, careful: Hook, clock: Callable[[], float], latest: dict[int, int]) -> Hook:
        """What is called after each step of an optimizer, whose number then stands with its step in ``latest``."""
        calls, rows = self._inquiry.calls, self.rows
        clear = calls.clear

        def after_step(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            step = self.step
            if _compiling() or step + 1 >= self._until or _here() != calls.thread:
                return careful(optimizer, args, kwargs)
            now = clock()
            if now >= self._due:
                return careful(optimizer, args, kwargs)
            try:
                count, key = self.count, self._key
                if count:
                    self.mean, self.count, self.sum = self.sum / count, 0, 0.0
                rows.append((step, key, self.mean, rate(optimizer), count, now - self.began))
                latest[key] = step
                self.step = step + 1
                clear()
                if self._timed:
                    self._each, self._timed = self._each + clock() - now, False
                self.spent += self._each
            except Exception as error:  # the training must go on whatever happens here
                self._fail(error)
            return None

        return after_step


def total(tensor: Tensor) -> Any:
    """The sum of all entries; of a few it is taken by Python, which costs less than to launch a kernel."""
    if tensor.dim() == 1 and tensor.numel() <= 32 and type(tensor) is Tensor:
        return sum(tensor.tolist())
    return tensor.sum().item()


def rate(optimizer: Optimizer) -> float:
    """The learning rate of the first group; NaN where it has none, or none that is known before the step."""
    value = optimizer.param_groups[0].get("lr")
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError, RuntimeError):  # an optimizer of the program's own may keep anything there
        return math.nan


def untraced(hook: Hook) -> Hook:
    """The same hook, but ``torch.compile`` does not look into it where it compiles a whole training step."""

    def plain(*args: Any, **kwargs: Any) -> Any:
        return hook(*args, **kwargs)

    @functools.wraps(hook)
    def called(*args: Any, **kwargs: Any) -> Any:
        if _compiling():
            return _compile._disable_dynamo(plain)(*args, **kwargs)
        return hook(*args, **kwargs)

    return called

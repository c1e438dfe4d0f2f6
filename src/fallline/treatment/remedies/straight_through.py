"""Slopes for operations that have none: straight-through estimators (Bengio, Léonard and Courville 2013)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary

from fallline.treatment.patient import Call

ORDERS = {"gt": 1.0, "ge": 1.0, "lt": -1.0, "le": -1.0}
EQUALITIES = {"eq": 1.0, "__eq__": 1.0, "ne": -1.0, "__ne__": -1.0}
CHOICES = ("argmax", "max")
SIGNS = ("sign", "sgn")
STEEP = 4.0  # slope of the stand-in of a comparison
USES = (  # what is done with the outcome of a comparison or a choice on its way to a loss
    "float", "double", "half", "to", "type", "type_as", "int", "long", "sum", "mean", "add", "sub", "rsub", "__rsub__",
    "mul", "div", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss",
)  # fmt: skip
WHOLE = ("int", "long")  # uses that keep whole numbers


class StraightThrough:
    """Gives comparisons, argmax and sign the slope of a smooth stand-in; their values stay as they are.

    The stand-in of a > b is sigmoid(4 (a − b)), of sign tanh, of the class chosen from scores the mean of the softmax's
    distribution; of "the chosen class is the right one" the logarithm of its probability, whose slope is that of cross
    entropy; of other equalities −(a − b)².
    """

    def __init__(self) -> None:
        self._smooth = WeakTensorKeyDictionary()  # by a tensor without a slope: its stand-in
        self._scores = WeakTensorKeyDictionary()  # by chosen classes: what they were chosen from, and its dimension

    def calls(self) -> dict[str, Callable[[Call], Call]]:
        """What becomes of the functions concerned."""
        return {
            **dict.fromkeys((*ORDERS, *EQUALITIES), self._compared), **dict.fromkeys(CHOICES, self._chosen),
            **dict.fromkeys(SIGNS, self._signed), **dict.fromkeys(USES, self._used),
        }  # fmt: skip

    def _compared(self, call: Call) -> Call:
        function, args, _ = call
        if not torch.is_grad_enabled() or len(args) < 2:
            return call
        a, b = (self._through(x) if isinstance(x, Tensor) and x not in self._scores else x for x in args[:2])
        sloping = any(isinstance(x, Tensor) and x.requires_grad for x in (a, b))
        name = function.__name__
        if name in ORDERS:
            return self._marking(call, torch.sigmoid(STEEP * ORDERS[name] * (a - b))) if sloping else call
        right = self._right(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else None
        if right is None and sloping:
            right = -(a - b).square()
        return call if right is None else self._marking(call, EQUALITIES[name] * right)

    def _right(self, a: Tensor, b: Tensor) -> Tensor | None:
        """Of classes chosen from scores: the logarithm of the probability of those that they are compared with."""
        classes, labels = (a, b) if a in self._scores else (b, a)
        if classes not in self._scores or classes.shape != labels.shape:
            return None
        scores, dim = self._scores[classes]
        labels = labels.long() if labels.ndim == scores.ndim else labels.long().unsqueeze(dim)
        return functional.log_softmax(scores, dim).gather(dim, labels).reshape(classes.shape)

    def _chosen(self, call: Call) -> Call:
        _, args, kwargs = call
        dim = args[1] if len(args) > 1 else kwargs.get("dim")
        if not _sloping(args) or not isinstance(dim, int):
            return call

        def choose(call: Call) -> Any:
            chosen, scores = call[0](*call[1], **call[2]), call[1][0]
            classes = chosen if isinstance(chosen, Tensor) else chosen[1]
            numbers = torch.arange(scores.shape[dim], device=scores.device, dtype=scores.dtype)
            share = functional.softmax(scores, dim).movedim(dim, -1)
            self._scores[classes] = scores, dim
            self._smooth[classes] = (share @ numbers).reshape(classes.shape)
            return chosen

        return choose, (call,), {}

    def _signed(self, call: Call) -> Call:
        function, args, kwargs = call
        if not _sloping(args):
            return call
        return lambda: _sloped(function(*args, **kwargs), torch.tanh(args[0])), (), {}

    def _used(self, call: Call) -> Call:
        function, args, kwargs = call
        marked = [self._smooth[x] for x in args if isinstance(x, Tensor) and x in self._smooth]
        if not marked or not torch.is_grad_enabled():
            return call
        if function.__name__ in WHOLE:
            return self._marking(call, marked[0])
        return function, [self._through(x) if isinstance(x, Tensor) else x for x in args], kwargs

    def _through(self, tensor: Tensor) -> Tensor:
        """Its value with the slope of what stands for it, if anything does."""
        smooth: Tensor | None = self._smooth.get(tensor)  # type: ignore[no-untyped-call]
        return tensor if smooth is None else _sloped(tensor, smooth)

    def _marking(self, call: Call, smooth: Tensor) -> Call:
        """The call, after which its result is known to stand for something smooth."""

        def mark(call: Call) -> Tensor:
            result: Tensor = call[0](*call[1], **call[2])
            self._smooth[result] = smooth
            return result

        return mark, (call,), {}


def _sloping(args: Any) -> bool:
    return bool(args) and isinstance(args[0], Tensor) and args[0].requires_grad and torch.is_grad_enabled()


def _sloped(value: Tensor, smooth: Tensor) -> Tensor:
    return value.detach().to(smooth.dtype) + (smooth - smooth.detach())

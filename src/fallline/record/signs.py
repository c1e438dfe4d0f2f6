"""The labels of losses that are made for −1 and 1 and consist of many operations in the graph."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

LOSSES = ("cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss")
PLACES = {name: list(inspect.signature(getattr(functional, name)).parameters).index("target") for name in LOSSES}


class Labels:
    """Shows the arguments of these losses to ``look(name, args, kwargs)`` while it listens.

    It listens during a few updates only: TorchScript cannot read a function that was replaced.
    """

    def __init__(self, look: Callable[[str, tuple[Any, ...], dict[str, Any]], None]) -> None:
        self._look = look
        self._originals: dict[str, Callable[..., Any]] = {}

    def listen(self) -> None:
        """Put a function that looks first in the place of each loss."""
        for name in LOSSES:
            original = self._originals[name] = getattr(functional, name)
            called = functools.partial(self._called, name, original)
            setattr(functional, name, functools.update_wrapper(called, original))

    def leave(self) -> None:
        """Put the losses back."""
        while self._originals:
            setattr(functional, *self._originals.popitem())

    def _called(self, name: str, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # under a mode the original asks that first, and comes here again with what the mode makes of the arguments
        if not torch.compiler.is_compiling() and not torch._C._len_torch_function_stack():
            self._look(name, args, kwargs)
        return original(*args, **kwargs)


def ends(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[float, float] | None:
    """The least and the largest label in a call of one of these losses; None where there is none."""
    target = kwargs.get("target", args[PLACES[name]] if len(args) > PLACES[name] else None)
    if not isinstance(target, Tensor) or not target.numel():
        return None
    low, high = target.detach().aminmax()
    return float(low), float(high)

"""The labels of losses that are made for −1 and 1 and consist of many operations in the graph."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor
from torch.nn import functional

LOSSES = ("cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss")
PLACES = {name: list(inspect.signature(getattr(functional, name)).parameters).index("target") for name in LOSSES}


def ends(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[float, float] | None:
    """The least and the largest label in a call of one of these losses; None where there is none."""
    target = kwargs.get("target", args[PLACES[name]] if len(args) > PLACES[name] else None)
    if not isinstance(target, Tensor) or not target.numel():
        return None
    low, high = target.detach().aminmax()
    return float(low), float(high)

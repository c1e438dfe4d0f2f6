"""Dropout and batch norm as they acted in one forward pass, read off the autograd graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fallline.record import graph as autograd

Mode = dict[str, Any]
SMALL = 16  # entries of a mask below which its zeros could be chance
CHANCE = 0.2  # the share of zeros in a mask may differ by this from what its scale says


def modes(graph: autograd.Graph) -> Iterator[tuple[Mode, Tensor | None]]:
    """Every dropout and batch norm of a forward pass, in its order, with the weight of the layer before it.

    A dropout has ``p``, the share it takes away. A batch norm has ``training``, whether it uses the statistics of the
    batch; ``values``, how many numbers a channel gives to them, from how many ``samples``; ``fresh``, whether its
    running statistics are those it was made with (mean 0, variance 1), as before the first update of them.
    """
    weights = {id(call.node): call.weight for call in graph.calls}
    weight: Tensor | None = None
    for node in graph.nodes:
        weight = weights.get(id(node), weight)
        name = autograd.op_name(node)
        if "dropout" in name or name == "mul":
            share = _dropped(node, name)
            if share is not None:
                yield {"kind": "dropout", "p": share}, weight
        elif "batchnorm" in name or "batch_norm" in name:
            yield _batch_norm(node), weight


def _dropped(node: autograd.Node, name: str) -> float | None:
    """The share that a node drops: on a CPU dropout is a product with a mask of 0 and 1 / (1 − p)."""
    if name != "mul":
        p = autograd.saved(node, "_saved_p")
        return float(p) if p and autograd.saved(node, "_saved_train") is not False else None
    mask = autograd.saved(node, "_saved_other")
    if not isinstance(mask, Tensor) or mask.requires_grad or mask.numel() < SMALL or not mask.is_floating_point():
        return None
    top, zeros = mask.max(), mask == 0
    if not float(top) > 1 or not bool((zeros | (mask == top)).all()):
        return None
    p = 1 - 1 / float(top)  # a weighting by 0 and another number drops some other share
    return p if abs(float(zeros.float().mean()) - p) < CHANCE else None


def _batch_norm(node: autograd.Node) -> Mode:
    data = autograd.saved(node, "_saved_input")
    mean, variance = (autograd.saved(node, f"_saved_running_{name}") for name in ("mean", "var"))
    held = isinstance(mean, Tensor) and isinstance(variance, Tensor) and mean.numel() > 0
    return {
        "kind": "batch-norm",
        "training": bool(autograd.saved(node, "_saved_training")),
        "values": data.numel() // max(1, data.shape[1]) if isinstance(data, Tensor) and data.ndim >= 2 else 0,
        "samples": len(data) if isinstance(data, Tensor) else 0,
        "fresh": bool(held and torch.equal(mean, torch.zeros_like(mean)) and bool((variance == 1).all())),
    }

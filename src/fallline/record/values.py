"""What an operation put out, evaluated again from what the autograd graph holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fallline.record import graph as autograd
from fallline.record.operations import VIEWS

TURNS = ("t", "transpose", "permute")
OPERATIONS: dict[str, tuple[int, Callable[..., Tensor]]] = {  # by how many inputs
    "add": (2, torch.add), "sub": (2, torch.sub), "mul": (2, torch.mul), "div": (2, torch.div), "pow": (1, torch.pow),
    "sin": (1, torch.sin), "cos": (1, torch.cos), "log": (1, torch.log), "abs": (1, torch.abs), "neg": (1, torch.neg),
}  # fmt: skip
PARTS: dict[str, Callable[[Tensor, Any, int], Tensor]] = {  # of what was put out before
    "select": lambda whole, node, _: whole.select(autograd.signed(node._saved_dim), autograd.signed(node._saved_index)),
    "unbind": lambda whole, node, number: whole.unbind(autograd.signed(node._saved_dim))[number],
}
JOINS: dict[str, Callable[..., Tensor]] = {"cat": torch.cat, "stack": torch.stack}
DEPTH = 12  # of the operations that are evaluated again, from the last one back


def output(graph: autograd.Graph, node: autograd.Node | None, depth: int = DEPTH, number: int = 0) -> Tensor | None:
    """The value that an operation put out, or None where the graph does not hold enough to tell.

    ``number``: which of several, as of the entries of a vector.
    """
    found = _output(graph, node, depth, number) if node is not None else None
    if found is None or found.layout != torch.strided or found.shape != _shape(node, number):
        return None
    return found


def _shape(node: autograd.Node, number: int = 0) -> torch.Size:
    return torch.Size(node._input_metadata[number].shape)


def _output(graph: autograd.Graph, node: autograd.Node, depth: int, number: int) -> Tensor | None:
    if isinstance(result := autograd.saved(node, "_saved_result"), Tensor):
        return result.detach()
    call = next((c for c in graph.calls if c.node is node and c.kind == "linear"), None)
    if call is not None:
        return _product(graph, call, depth)
    leaf = getattr(node, "variable", None)
    if isinstance(leaf, Tensor):
        return leaf.detach()
    if depth and autograd.op_name(node) in PARTS:
        whole = output(graph, node.next_functions[0][0], depth - 1)
        return None if whole is None else PARTS[autograd.op_name(node)](whole, node, number)
    return _evaluated(graph, node, depth) if depth else None


def _taken_in(graph: autograd.Graph, node: autograd.Node) -> Tensor | None:
    """What a layer kept of it, as of the state of a recurrence that goes on from there."""
    shape = tuple(node._input_metadata[0].shape) if hasattr(node, "_input_metadata") else None
    takers = (c for c in graph.calls if any(c.node.next_functions[place][0] is node for place in c.data))
    held = (call.input() for call in takers)
    return next((data.detach() for data in held if data is not None and tuple(data.shape) == shape), None)


def _evaluated(graph: autograd.Graph, node: autograd.Node, depth: int) -> Tensor | None:
    if (kept := _taken_in(graph, node)) is not None:
        return kept
    name = autograd.op_name(node)
    if name in JOINS:
        parts = [output(graph, source, depth - 1) for source, _ in node.next_functions]
        known = [part for part in parts if part is not None]
        return JOINS[name](known, autograd.signed(node._saved_dim)) if len(known) == len(parts) else None
    count, function = (1, None) if name in VIEWS else OPERATIONS.get(name, (0, None))
    sides = [_side(graph, node, place, depth) for place in range(count)]
    if not count or any(side is None for side in sides) or autograd.saved(node, "_saved_alpha") not in (1, None):
        return None
    if name == "pow":
        sides.append(autograd.saved(node, "_saved_exponent"))
    return _viewed(sides[0], node, name) if function is None else function(*sides)


def _side(graph: autograd.Graph, node: autograd.Node, place: int, depth: int) -> Any:
    """A tensor or number that went into an operation, as it was saved or as what put it out tells."""
    held = autograd.saved(node, "_saved_other" if place else "_saved_self")
    if held is not None:
        return held.detach() if isinstance(held, Tensor) else held
    if place >= len(node.next_functions):
        return None
    source, number = node.next_functions[place]
    return output(graph, source, depth - 1, number)


def _viewed(inner: Tensor, node: autograd.Node, name: str) -> Tensor | None:
    """The values in another shape, but in the same order."""
    shape = node._input_metadata[0].shape
    turned = name in TURNS and inner.squeeze().ndim > 1
    return None if turned or inner.numel() != math.prod(shape) else inner.reshape(shape)


def _product(graph: autograd.Graph, call: autograd.Call, depth: int) -> Tensor | None:
    """The output of a linear layer, with the bias that it holds."""
    data = call.input()
    if data is None or call.weight.ndim > 2:
        return None
    weight = call.weight.detach().to(data.dtype)
    matrix = weight.T if weight.ndim == 2 and call.unit_axis == 0 else weight
    if data.shape[-1] != matrix.shape[0]:
        return None
    product = data.detach() @ matrix
    product = product.mT if call.channel == -2 else product  # in w @ x the columns are the samples
    inputs = call.node.next_functions
    place = 0 if autograd.op_name(call.node) in ("addmm", "addmv", "baddbmm") else 2
    source = inputs[place][0] if place < len(inputs) else None
    if source is None:  # a bias that is not trained is kept nowhere
        return product if place else None
    bias = output(graph, source, depth - 1) if depth else None
    return None if bias is None or product.shape != _shape(call.node) else product + bias.to(product.dtype)

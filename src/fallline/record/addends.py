"""What a loss is the sum of: penalties on the weights, and losses of the data."""

from __future__ import annotations

from fallline.record import graph as autograd
from fallline.record.operations import NORMS
from fallline.record.values import output

SHORT = 4  # operations from a parameter to its norm
STEPS = 1000  # losses of a sum that are looked at

Addend = tuple[autograd.Node, float | None]  # a loss, and its factor in the sum (None: unknown)


def without_penalty(
    graph: autograd.Graph, node: autograd.Node, factor: float | None
) -> tuple[autograd.Node, float | None, float | None]:
    """The loss beside penalties on the weights, its factor, and what the penalties are; None without any."""
    found: float | None = None
    while autograd.op_name(node) == "add" and factor is not None:
        sides = [source for source, _ in node.next_functions if source is not None]
        values = [_penalty(graph, side) for side in sides]
        known = [value for value in values if value is not None]
        if len(sides) != 2 or len(known) != 1:
            break
        found = (found or 0.0) + factor * known[0]
        node, more = autograd.unwrap_loss(sides[values.index(None)])
        factor = None if more is None else factor * more
    return node, factor, found


def _penalty(graph: autograd.Graph, root: autograd.Node) -> float | None:
    """The value of a sum of norms, squares or sizes of parameters; None of anything else."""
    total = 0.0
    for node, factor in addends(root, 1.0):
        value = output(graph, node) if factor is not None and _of_a_leaf(node) else None
        if value is None or factor is None:
            return None
        total += factor * float(value.double().mean())
    return total


def _of_a_leaf(node: autograd.Node) -> bool:
    """Whether a node is a power, a size or a norm of one parameter and of nothing else."""
    for _ in range(SHORT):
        inputs = {source for source, _ in node.next_functions if source is not None}
        if len(inputs) != 1 or autograd.op_name(node) not in {*NORMS, "mul"}:
            return False
        (node,) = inputs
        if autograd.parameter_behind(node) is not None:
            return True
    return False


def addends(loss: autograd.Node, factor: float | None) -> list[Addend]:
    """The losses of which a loss is the sum or the mean, as they were taken, each with its factor (None: unknown)."""
    found: list[Addend] = []
    waiting = [(loss, factor)]
    while waiting and len(found) + len(waiting) <= STEPS:
        node, before = waiting.pop(0)
        node, more = autograd.unwrap_loss(node)
        times = None if before is None or more is None else before * more
        inputs = [source for source, _ in node.next_functions if source is not None]
        if autograd.op_name(node) == "add":  # of one: Python's sum begins with 0
            waiting += [(source, times) for source in inputs]
        elif autograd.op_name(node) == "stack":
            waiting += [(source, None if times is None else times / len(node.next_functions)) for source in inputs]
        else:
            found.append((node, times))
    return sorted(found, key=lambda addend: int(addend[0]._sequence_nr()))

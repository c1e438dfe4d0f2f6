"""The autograd graph of a loss, read without running anything.

Everything the recorder knows about a network's structure comes from here: which parameters are used, in which
order, which operation follows which layer, and what the loss compares. Reading the graph instead of hooking
modules makes functional, in-place and hand-written layers look the same as ``torch.nn`` modules.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction

from fallline.record.operations import ACTIVATIONS, LAYER_FAMILIES, LAYERS, LOSSES, SINGULAR, VIEWS

Node = Any  # torch.autograd.graph.Node; its attributes depend on the operation

LOGARITHMS = frozenset(("log", "log2", "log10", "log1p"))
EXPONENTIALS = frozenset(("exp", "softmax", "sigmoid"))
NODE_LIMIT = 50_000  # nodes read of one graph; a longer one (very long recurrences) is read from the loss backwards


def op_name(node: Node) -> str:
    """``ReluBackward0`` → ``relu``, ``torch::autograd::AccumulateGrad`` → ``accumulategrad``."""
    return _short(node.name())


@functools.cache
def _short(name: str) -> str:
    own = "()" if name.endswith("Backward") else ""  # a Function of the program's, which may be called Softmax, too
    return re.sub(r"Backward\d*$", "", name.rpartition("::")[2]).lower() + own


def signed(number: int) -> int:
    """A number that autograd gives without its sign: −1 comes as 2⁶⁴ − 1."""
    return number - 2**64 if number >= 2**63 else number


def saved(node: Node, name: str) -> Any:
    """A value the forward pass saved for backward, or None where it is not there or must not be unpacked twice."""
    raw = getattr(node, f"_raw{name}", None)
    if raw is not None and not isinstance(raw, tuple) and getattr(raw, "unpack_hook", None) is not None:
        return None  # activation checkpointing or offloading: unpacking would recompute
    try:
        return getattr(node, name, None)
    except RuntimeError:  # already freed, or modified in place since: backward itself will say so
        return None


def packed(node: Node) -> bool:
    """Whether asking the node for what it saved would run hooks or recompute a forward pass."""
    if "checkpoint" in op_name(node):
        return True
    found = (getattr(node, name, None) for name in dir(node) if name.startswith("_raw_saved_"))
    flat = (raw for item in found for raw in (item if isinstance(item, (tuple, list)) else (item,)))
    return any(getattr(raw, "unpack_hook", None) is not None for raw in flat)


def saved_tensors(node: Node) -> Iterator[tuple[str, Tensor]]:
    """The tensors of one node saved for backward, with their names (``self``, ``result``, ``mat1``, …)."""
    for name in dir(node):
        if name.startswith("_saved_") and isinstance(value := saved(node, name), Tensor):
            yield name[len("_saved_") :], value


@dataclass(eq=False)
class Call:
    """One use of a weight in one forward pass: the node that multiplies by it."""

    node: Node
    weight: Tensor
    place: int  # which of the node's inputs the weight is
    data: tuple[int, ...]  # which of them carry data that has a gradient
    sources: tuple[Call, ...] = ()  # the uses whose output flows in
    ops: tuple[str, ...] = ()  # operations between the latest source and this use
    activations: list[Node] = field(default_factory=list)  # elementwise operations on this use's output

    @property
    def kind(self) -> str:
        name = op_name(self.node)
        if "conv" in name:
            return "conv"
        if "embedding" in name:
            return "embedding"
        return "rnn" if "rnn" in name or "lstm" in name or "gru" in name else "linear"

    @property
    def unit_axis(self) -> int:
        """The dimension of the weight that counts the layer's units."""
        name, ndim = op_name(self.node), self.weight.ndim
        if self.kind == "conv":
            return int(bool(saved(self.node, "_saved_transposed")))
        if self.kind == "rnn" or name in ("linear", "trilinear"):
            return 0
        if self.kind == "embedding" or name not in LAYERS:
            return ndim - 1
        side = -2 if self._left else -1
        output = self.node._input_metadata[0].shape
        fitting = [i for i, size in enumerate(self.weight.shape) if size == output[max(side, -len(output))]]
        if len(fitting) == 1:
            return fitting[0]
        views = _views(self.node.next_functions[self.place][0])
        flipped = sum(view in ("t", "transpose", "permute") for view in views) % 2 == 1
        return ndim + (-3 - side if flipped else side)

    @property
    def channel(self) -> int:
        """The dimension of the output that counts the layer's units."""
        return 1 if self.kind == "conv" else -2 if self._left else -1

    @property
    def _left(self) -> bool:
        """Whether the weight is the left factor of a matrix product: w @ x."""
        names = LAYERS.get(op_name(self.node), ())
        return "mat2" in names[self.place + 1 :] or bool({"vec", "batch2"} & set(names[self.place + 1 :]))

    def factors(self) -> list[tuple[Tensor, int]]:
        """Of a product of two parameters (``u @ v.T``): both, and the dimension of each that is summed over."""
        behind = [parameter_behind(source) for source, _ in self.node.next_functions]
        pair = [
            replace(self, weight=leaf, place=i) for i, leaf in enumerate(behind) if leaf is not None and leaf.ndim == 2
        ]
        return [
            (factor.weight, 1 - factor.unit_axis) for factor in pair if op_name(self.node) == "mm" and len(pair) > 1
        ]

    def input(self) -> Tensor | None:
        """The data that flowed in, where the forward pass kept it, samples first; shape (n, …)."""
        for position, name in enumerate(LAYERS.get(op_name(self.node), ("input",))):
            tensor = saved(self.node, f"_saved_{name}") if position != self.place else None
            if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
                continue
            if tensor.is_floating_point() or tensor.is_complex():
                if tensor.ndim == 1:
                    return tensor.unsqueeze(0)
                tensor = tensor.mT if self._left else tensor
                return tensor.flatten(0, 1) if "bmm" in op_name(self.node) else tensor
        return None


@dataclass(eq=False)
class Graph:
    """What the graph of one loss holds, in the order of the forward pass."""

    nodes: list[Node]
    calls: list[Call]
    leaves: list[Tensor]  # every parameter the loss depends on
    last: tuple[Call, ...]  # the uses whose output flows into the loss
    tail: tuple[str, ...]  # operations between the latest of them and the loss
    complete: bool  # False where NODE_LIMIT cut it off


def _views(node: Node | None) -> Iterator[str]:
    """The operations between a parameter and its use."""
    while node is not None and (name := op_name(node)) != "accumulategrad":
        yield name
        node = node.next_functions[0][0]


def parameter_behind(node: Node | None) -> Tensor | None:
    """The leaf tensor that reaches this input through nothing but views, if it is one."""
    while node is not None:
        name = op_name(node)
        if name == "accumulategrad":
            leaf = node.variable
            return leaf if isinstance(leaf, Tensor) else None
        if name != "weightnorminterface" and (name not in VIEWS or len(node.next_functions) != 1):
            return None
        node = node.next_functions[0][0]
    return None


def _weight(node: Node, leaves: list[Tensor | None]) -> int | None:
    """Which input of a node is the weight of a layer, given the leaves behind its inputs; None where none is."""
    name, custom = op_name(node), isinstance(node, BackwardCFunction)
    least = 1 if name == "mv" else 2  # a vector is the weight of one unit
    places = [i for i, leaf in enumerate(leaves) if leaf is not None and leaf.ndim >= least]
    if not places:
        return None
    if not (custom or name in LAYERS or any(family in name for family in LAYER_FAMILIES)):
        return None
    named = [i for i in places if isinstance(leaves[i], nn.Parameter)]  # data may ask for a gradient, too
    if custom or named:
        places = named
    if not places:
        return None
    return places[0] if "rnn" in name else places[-1]


def _data(node: Node, leaves: list[Tensor | None], weight: int | None) -> tuple[int, ...]:
    """Which inputs of a node carry data: results of operations, and at a layer also data that asks for a gradient."""
    found = []
    for position, ((source, _), leaf) in enumerate(zip(node.next_functions, leaves, strict=True)):
        asking = weight is not None and leaf is not None and leaf.ndim >= 2 and not isinstance(leaf, nn.Parameter)
        if source is not None and (leaf is None or (asking and position != weight)):
            found.append(position)
    return tuple(found)


def _reachable(root: Node) -> tuple[list[Node], bool]:
    seen: dict[Node, None] = {root: None}
    frontier = [root]
    while frontier and len(seen) < NODE_LIMIT:
        for node, _ in frontier.pop().next_functions:
            if node is not None and node not in seen:
                seen[node] = None
                frontier.append(node)
    return sorted(seen, key=lambda node: node._sequence_nr()), not frontier


def read(loss: Tensor) -> Graph | None:
    """Read the graph of ``loss``; None where it has none (a leaf, or a loss cut off from the graph)."""
    if loss.grad_fn is None:
        return None
    nodes, complete = _reachable(loss.grad_fn)
    calls: list[Call] = []
    leaves: dict[int, Tensor] = {}
    flow: dict[Node, tuple[tuple[Call, ...], tuple[str, ...]]] = {}
    gates = _gates(nodes)
    for node in nodes:
        name = op_name(node)
        if name == "accumulategrad":
            continue
        behind = [parameter_behind(source) for source, _ in node.next_functions]
        leaves.update({id(leaf): leaf for leaf in behind if leaf is not None})
        place = _weight(node, behind)
        data = _data(node, behind, place)
        sources, ops = _merge([flow[s] for p in data if (s := node.next_functions[p][0]) in flow])
        if place is not None and (weight := behind[place]) is not None:
            call = Call(node, weight, place, data, sources, ops)
            calls.append(call)
            flow[node] = ((call,), ())
            continue
        flow[node] = (sources, (*ops, name)[-16:])
        if name in ACTIVATIONS and sources and node not in gates and sources[-1].weight.ndim > 1:
            sources[-1].activations.append(node)
    last, tail = flow.get(loss.grad_fn, ((), ()))
    return Graph(nodes, calls, list(leaves.values()), last, tail, complete)


def _merge(flows: list[tuple[tuple[Call, ...], tuple[str, ...]]]) -> tuple[tuple[Call, ...], tuple[str, ...]]:
    """Join what flows into one node; the operations are those behind the latest source."""
    if len(flows) == 1:
        return flows[0]
    calls = sorted({c for sources, _ in flows for c in sources}, key=lambda c: int(c.node._sequence_nr()))[-4:]
    ops = next((ops for sources, ops in flows if calls and calls[-1] in sources), ())
    return tuple(calls), ops


def _gates(nodes: list[Node]) -> set[Node]:
    """Activations that multiply another signal (gates of an LSTM, attention, squeeze-and-excite) are no layer's own."""
    gates: set[Node] = set()
    for node in nodes:
        signals = [source for source, _ in node.next_functions if source is not None]
        if op_name(node) == "mul" and len(signals) == 2:  # of a product with a number there is one
            gates.update(signals)
    return gates


def unwrap_loss(root: Node) -> tuple[Node, float | None]:
    """Step through the scaling and averaging on top of a loss.

    Returns the node beneath, and the factor by which the final loss differs from it (None where that is unknown).
    """
    node, factor = root, 1.0
    while (name := op_name(node)) in ("div", "mul", "mean", "sum", "squeeze", "view", "neg"):
        inputs = [source for source, _ in node.next_functions if source is not None]
        if len(inputs) != 1:
            square = len(inputs) == 2 and inputs[0] is inputs[1]
            return node, factor if square else None
        if name in ("div", "mul"):
            other = saved(node, "_saved_other")
            if other is None and name == "mul":  # the constant stands before it
                other = saved(node, "_saved_self")
            if other is None or (isinstance(other, Tensor) and other.numel() != 1):
                return node, factor if isinstance(other, Tensor) else None
            if not float(other):
                return node, None
            factor = factor / float(other) if name == "div" else factor * float(other)
        elif name == "neg":
            factor = -factor
        elif name == "sum":  # of so many terms a mean would have been taken
            terms, sums = (math.prod(part._input_metadata[0].shape) for part in (inputs[0], node))
            factor *= terms / max(sums, 1)
        node = inputs[0]
    return node, factor


def softened(nodes: Sequence[Node]) -> bool:
    """Whether a softmax is taken of the very numbers that a softmax gave, as of probabilities given as logits."""
    sources = (node.next_functions[0][0] for node in nodes if op_name(node) in ("logsumexp", "logsoftmax"))
    return any(source is not None and op_name(source) == "softmax" for source in sources)


def exponentials(graph: Graph) -> list[str]:
    """The operations with an exponential that a logarithm is taken of, with no layer in between."""
    layers = {call.node for call in graph.calls}
    frontier = [node for node in graph.nodes if op_name(node) in LOGARITHMS]
    found, seen = set[str](), set(frontier)
    while frontier:
        for source, _ in frontier.pop().next_functions:
            if source is None or source in seen or source in layers:
                continue
            seen.add(source)
            if op_name(source) in EXPONENTIALS:
                found.add(op_name(source))
            else:
                frontier.append(source)
    return sorted(found)


def broadcast(root: Node, depth: int = 24) -> tuple[list[int], list[int]] | None:
    """Where N predictions meet N constant targets as N × N pairs: the two shapes, or None.

    Looks at the last operations before the loss, and before each of the terms that it adds up or divides, as long as
    they are a chain: with two inputs that need a gradient, pairs may be meant.
    """
    node: Node | None = root
    for left in range(depth, 0, -1):
        if node is None:
            return None
        inputs = [source for source, _ in node.next_functions if source is not None]
        terms = op_name(node) in ("add", "sub") and not any(map(_shape, (node, *inputs)))
        share = op_name(node) == "div" and all(_shape(source) == _shape(node) for source in inputs)  # as of a Dice loss
        if len(inputs) == 2 and (terms or share):
            return broadcast(inputs[0], left - 1) or broadcast(inputs[1], left - 1)
        if len(inputs) == 2 and (fork := _fork(inputs[0], inputs[1], _shape(node))) is not None:
            node = fork
            continue
        if len(inputs) == 2:  # t log p + (1 - t) log(1 - p)
            one, other = (broadcast(source, left - 1) for source in inputs)
            return one if one == other and one is not None and one[1] == _shape(node) else None
        if len(inputs) != 1 or not hasattr(inputs[0], "_input_metadata"):
            return None
        before, after = _shape(inputs[0]), _shape(node)
        pairs = len(after) >= 2 and after[0] == after[1] and math.prod(after) == math.prod(before) * after[0]
        if pairs and after[0] > 1 and after[0] in before:
            return before, after
        node = inputs[0]
    return None


def _fork(left: Node, right: Node, shape: list[int], depth: int = 8) -> Node | None:
    """The operation that both inputs come from, element by element: log(cosh e) is e + softplus(−2e) − ln 2."""
    ways = []
    for node in (left, right):
        way = [node]
        while len(way) < depth and _shape(way[-1]) == shape:
            inputs = [source for source, _ in way[-1].next_functions if source is not None]
            if len(inputs) != 1:
                break
            way.append(inputs[0])
        ways.append([node for node in way if _shape(node) == shape])
    return next((node for node in ways[0] if node in ways[1]), None)


def _shape(node: Node) -> list[int]:
    """Of what an operation put out; empty for one number, and for a parameter itself."""
    return list(node._input_metadata[0].shape) if hasattr(node, "_input_metadata") else []


# -- where a non-finite number was born ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Birth:
    """The first place of a forward pass whose inputs are finite and whose output is not."""

    origin: str  # "data", "parameter", "forward" or "loss"
    operation: str
    parameter: Tensor | None  # the weight of the layer concerned
    rows: tuple[int, ...] = ()  # rows of the batch, for data
    share: float = 0.0  # share of elements that are not finite
    node: Node | None = None  # the operation concerned


def birth(loss: Tensor) -> Birth | None:
    """Find where a non-finite loss came from, from the tensors the forward pass saved.

    Walks the graph in the order of the forward pass and stops at the first saved tensor that is not finite.
    """
    graph = read(loss)
    if graph is None:
        return None
    for leaf in graph.leaves:
        if not bool(torch.isfinite(leaf).all()):
            return Birth("parameter", "", leaf, share=_share(leaf))
    weights = {id(call.node): call.weight for call in graph.calls}
    nearest: Tensor | None = None
    for node in graph.nodes:
        nearest = weights.get(id(node), nearest)
        for name, tensor in sorted(saved_tensors(node), key=lambda item: item[0] in ("result", "output")):
            if not tensor.is_floating_point() or bool(torch.isfinite(tensor).all()):
                continue
            born_here = name in ("result", "output", "result1")
            producer = node if born_here else _producer(node, tensor)
            if producer is None:
                return Birth("data", op_name(node), nearest, bad_rows(tensor), _share(tensor), node)
            producer = _culprit(producer)
            where = "loss" if op_name(producer) in LOSSES or producer is loss.grad_fn else "forward"
            return Birth(where, op_name(producer), nearest, (), _share(tensor), producer)
    operations = [node for node in graph.nodes if op_name(node) != "accumulategrad"]
    singular = [node for node in operations if op_name(node) in SINGULAR]
    singular = [node for node in singular if _outside(node)] or singular
    last = (singular or [node for node in operations if _by_zero(node)] or operations)[-1]
    return Birth("loss", op_name(last), nearest, (), 1.0, last)


def _outside(node: Node) -> bool:
    """Whether the argument that an operation saved is one of which it has no finite value."""
    name = op_name(node)
    kept = saved(node, "_saved_other" if name == "div" else "_saved_self")
    if name not in ("log", "log2", "log10", "log1p", "div") or not isinstance(kept, Tensor):
        return False
    if kept.is_complex():
        return bool((kept == (-1 if name == "log1p" else 0)).any())
    return bool((kept == 0).any()) if name == "div" else bool((kept <= (-1 if name == "log1p" else 0)).any())


def _culprit(producer: Node) -> Node:
    """The operation that gave it what is not finite, through those that keep nothing of what they get."""
    frontier = [producer]
    while frontier:
        node = frontier.pop()
        if _outside(node):
            return node
        if op_name(node) in ("add", "sub", "neg", "mean", "sum", *VIEWS):
            frontier += [source for source, _ in node.next_functions if source is not None]
    return producer


def _by_zero(node: Node) -> bool:
    """Whether this is a product with a constant that holds zeros: 0 times infinity is NaN, and no one keeps it."""
    return op_name(node) == "mul" and any(bool((constant == 0).any()) for _, constant in saved_tensors(node))


def _producer(node: Node, tensor: Tensor) -> Node | None:
    """The operation that computed a saved input; None where it is data from outside the graph."""
    if tensor.grad_fn is not None:
        return tensor.grad_fn
    if tensor.requires_grad:
        return None
    inputs = [source for source, _ in node.next_functions if source is not None]
    data = [source for source in inputs if parameter_behind(source) is None]
    return data[0] if data and len(inputs) == len(node.next_functions) and not tensor.is_leaf else None


def nearest_weight(graph: Graph, node: Node) -> Tensor | None:
    """The weight of the layer that a node of the graph belongs to: the latest used before it."""
    weights = {id(call.node): call.weight for call in graph.calls}
    nearest: Tensor | None = None
    for earlier in graph.nodes:
        nearest = weights.get(id(earlier), nearest)
        if earlier is node:
            break
    return nearest


def bad_rows(tensor: Tensor, most: int = 5) -> tuple[int, ...]:
    """The first rows of a batch that hold NaN or Inf."""
    if tensor.ndim < 2:
        return ()
    bad = (~torch.isfinite(tensor)).flatten(1).any(1).nonzero().flatten()
    return tuple(int(i) for i in bad[:most])


def _share(tensor: Tensor) -> float:
    return float((~torch.isfinite(tensor.detach())).float().mean())

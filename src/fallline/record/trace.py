"""The backpropagation trace: every operation of a graph with the gradients that PyTorch itself sends through it.

One backward pass runs with a hook on every node. It writes to no ``.grad``. The values of the forward pass come from a
:class:`~fallline.record.tape.Tape`; the local derivatives from the nodes, which are asked again.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.utils._python_dispatch import _disable_current_modes

from fallline.calculus.backprop import Input, LayerFactor, Leaf, Output, Spread, Step, Trace, ratio, spread
from fallline.calculus.local import Gradients, Local, local_derivatives
from fallline.calculus.vocabulary import human
from fallline.record import graph as autograd
from fallline.record import names
from fallline.record.differences import verify
from fallline.record.graph import Call, Graph, Node
from fallline.record.operations import VIEWS
from fallline.record.tape import Key, Tape

PACKED = "what it saved lies behind a hook (activation checkpointing or offloading), and is not unpacked"


class TraceError(ValueError):
    """There is no backward pass to trace; the message says why."""


@dataclass
class Passed:
    """The gradients that went through one node: at its outputs and at its inputs."""

    incoming: Gradients
    outgoing: Gradients


def leaf_names(leaves: Sequence[Tensor], given: Mapping[int, str], roots: Mapping[str, nn.Module]) -> dict[int, str]:
    """A name for every leaf: ``given`` by id, else of a module's parameter, else the variable that holds it."""
    known = names.named_leaves(roots)
    for search in (names.find_modules, names.find_all_modules):
        if all(id(leaf) in known or id(leaf) in given or not isinstance(leaf, nn.Parameter) for leaf in leaves):
            break
        known = names.named_leaves(search()) | known
    several = len({root for leaf in leaves if (root := known.get(id(leaf), ("",))[0])}) > 1
    found: dict[int, str] = {}
    for leaf in leaves:
        root, name, _ = known.get(id(leaf), ("", "", True))
        name = f"{root}.{name}" if several and name else name
        name = given.get(id(leaf)) or name or names.variable_name(leaf) or ""
        found[id(leaf)] = name or f"tensor {len(found)} {tuple(leaf.shape)}"
    return found


def trace(loss: Tensor, tape: Tape, naming: Callable[[Sequence[Tensor]], Mapping[int, str]]) -> Trace:
    """Trace the backward pass of a loss.

    Args:
        loss: a single number with a graph.
        tape: what watched its forward pass; one that keeps the operations has every gradient checked.
        naming: gives the leaves of the graph names, by id.

    Raises:
        TraceError: the loss has no graph, or is not one number.
        RuntimeError: PyTorch cannot go backward through this graph; the message is its own.
    """
    if loss.numel() != 1:
        raise TraceError(f"the loss must be a single number; it has shape {tuple(loss.shape)}: take its mean or sum")
    tape.note(loss)
    with _disable_current_modes():  # the tape among them: a saved plain number reaches a mode as int, and fails there
        graph = autograd.read(loss)
        if graph is None:
            raise TraceError("the loss has no graph: no operation leads to it from a tensor with requires_grad=True")
        tracer = _Tracer(loss, graph, tape.values, naming(graph.leaves))
        traced = tracer.trace()
        return replace(traced, verification=verify(tape, loss, tracer.claims())) if tape.keep else traced


class _Tracer:
    """What the steps of one trace have in common."""

    def __init__(self, loss: Tensor, graph: Graph, values: Mapping[Key, Spread], known: Mapping[int, str]) -> None:
        self.loss, self.graph, self.values, self.known = loss, graph, values, known
        self.nodes = [n for n in reversed(graph.nodes) if autograd.op_name(n) != "accumulategrad"]
        self.index = {node: i for i, node in enumerate(self.nodes)}
        self.places = _places(graph, known)
        self.notes: list[str] = []
        self.passed: dict[Node, Passed] = {}
        self.gradients: dict[int, Tensor] = {}

    def trace(self) -> Trace:
        self._run()
        steps = tuple(self._step(node) for node in self.nodes if node in self.passed)
        skipped = len(self.nodes) - len(steps)
        if not self.graph.complete:
            self.notes.append(f"only the last {len(self.graph.nodes)} operations before the loss were read")
        if skipped:
            self.notes.append(f"{skipped} operation{'s' * (skipped > 1)} of the graph got no gradient")
        unseen = sum(o.gradient is not None and o.value is None for s in steps for o in s.outputs)
        if unseen:
            self.notes.append(f"{unseen} forward value{'s were' if unseen > 1 else ' was'} computed out of sight")
        if any(autograd.packed(node) for node in self.passed):
            self.notes.append(f"some local derivatives are missing: {PACKED}")
        value = float(self.loss.detach().double().reshape(()))
        return Trace(value, steps, self._layers(), self._leaves(), tuple(self.notes))

    def _run(self) -> None:
        handles = [node.register_hook(functools.partial(self._note, node)) for node in self.nodes]
        try:
            found: tuple[Tensor | None, ...] = torch.autograd.grad(
                self.loss, self.graph.leaves, retain_graph=True, allow_unused=True
            )
        finally:
            for handle in handles:
                handle.remove()
        self.gradients = {id(leaf): g for leaf, g in zip(self.graph.leaves, found, strict=True) if g is not None}

    def _note(self, node: Node, outgoing: Gradients, incoming: Gradients) -> None:
        self.passed[node] = Passed(incoming, outgoing)

    def _step(self, node: Node) -> Step:
        passed, short = self.passed[node], autograd.op_name(node)
        layer, role = self.places.get(node, ("", "view" if short in VIEWS else ""))
        outputs = tuple(self._output(node, i, g) for i, g in enumerate(passed.incoming))
        came = math.sqrt(sum(o.gradient.norm**2 for o in outputs if o.gradient is not None))
        local = derivatives(node, passed)
        inputs = tuple(
            self._input(source, number, passed.outgoing[i], local[i], came)
            for i, (source, number) in enumerate(node.next_functions)
            if source is not None and i < len(passed.outgoing)
        )
        title = human(node.name(), short)
        return Step(self.index[node], node.name(), title, layer, role, outputs, inputs, _constants(node))

    def _output(self, node: Node, place: int, gradient: Tensor | None) -> Output:
        value = self.values.get((int(node._sequence_nr()), place))
        known = getattr(node, "_input_metadata", None)
        if value is not None and known is not None and place < len(known) and tuple(known[place].shape) != value.shape:
            value = None  # a node of another thread bears the same number
        return Output(value, None if gradient is None else spread(gradient))

    def _input(self, source: Node, number: int, went: Tensor | None, local: Local | None, came: float) -> Input:
        leaf = source.variable if autograd.op_name(source) == "accumulategrad" else None
        name = "" if leaf is None else self.known.get(id(leaf), "")
        gradient = None if went is None else spread(went)
        step = self.index.get(source) if leaf is None else None
        return Input(name, step, number, gradient, local, None if gradient is None else ratio(gradient.norm, came))

    def _leaves(self) -> tuple[Leaf, ...]:
        return tuple(
            Leaf(
                self.known[id(leaf)],
                isinstance(leaf, nn.Parameter),
                spread(leaf),
                spread(self.gradients[id(leaf)]) if id(leaf) in self.gradients else None,
            )
            for leaf in self.graph.leaves
        )

    def claims(self) -> dict[Key | int, tuple[str, Tensor]]:
        """Every gradient that can be checked, with the name of its value."""
        claimed: dict[Key | int, tuple[str, Tensor]] = {
            id(leaf): (self.known[id(leaf)], self.gradients[id(leaf)])
            for leaf in self.graph.leaves
            if id(leaf) in self.gradients
        }
        for node, passed in self.passed.items():
            name = f"output of step {self.index[node]}, {human(node.name(), autograd.op_name(node))}"
            for place, gradient in enumerate(passed.incoming):
                if gradient is not None:
                    claimed[int(node._sequence_nr()), place] = (name, gradient)
        return claimed

    # -- layers ------------------------------------------------------------------------------------------------------

    def _layers(self) -> tuple[LayerFactor, ...]:
        groups: dict[int, list[Call]] = {}
        for call in self.graph.calls:
            if call.node in self.passed:
                groups.setdefault(id(call.weight), []).append(call)
        last = {id(call.weight) for call in self.graph.last}
        ordered = sorted(groups.values(), key=lambda calls: id(calls[0].weight) in last)  # stable: else by first use
        signals = [_norm(g for call in calls for g in self.passed[call.node].incoming) for calls in ordered]
        rows: list[LayerFactor] = []
        for place in reversed(range(len(ordered))):
            after = (rows[-1].weights or 1.0, signals[place + 1]) if rows else None
            rows.append(self._layer(ordered[place], signals[place], after, first=place == 0))
        return tuple(reversed(rows))

    def _layer(self, calls: list[Call], signal: float, after: tuple[float, float] | None, first: bool) -> LayerFactor:
        weights = None if first else self._through_weights(calls, signal)
        name = self.places[calls[0].node][0]
        if after is None:
            return LayerFactor(name, calls[0].kind, signal, "", None, weights, None)
        activations = [call.activations[0] for call in calls if call.activations and call.activations[0] in self.passed]
        before = _norm(g for node in activations for g in self.passed[node].outgoing)
        behind = _norm(g for node in activations for g in self.passed[node].incoming)
        slope = ratio(before, behind) if activations else None
        known = after[0] * after[1] * (1.0 if slope is None else slope)
        title = autograd.op_name(activations[0]) if activations else ""
        return LayerFactor(name, calls[0].kind, signal, title, slope, weights, ratio(signal, known))

    def _through_weights(self, calls: list[Call], signal: float) -> float | None:
        gone = [self.passed[call.node].outgoing[p] for call in calls for p in call.data]
        return ratio(_norm(gone), signal) if any(g is not None for g in gone) else None


def _places(graph: Graph, known: Mapping[int, str]) -> dict[Node, tuple[str, str]]:
    """The layer and the role of the operations that belong to a layer."""
    places: dict[Node, tuple[str, str]] = {}
    for call in graph.calls:
        layer = known.get(id(call.weight), "").removesuffix(".weight")
        places[call.node] = (layer, "weights")
        for node in call.activations:
            places[node] = (layer, "activation")
    for node in graph.nodes:
        if node in places or autograd.op_name(node) == "accumulategrad":
            continue
        behind = [autograd.parameter_behind(source) for source, _ in node.next_functions]
        owned = [known[id(leaf)] for leaf in behind if leaf is not None and "." in known.get(id(leaf), "")]
        if owned:  # a bias, a normalisation's scale, a weight that is only turned round
            role = "view" if autograd.op_name(node) in VIEWS else "weights"
            places[node] = (owned[0].rpartition(".")[0], role)
    return places


def _constants(node: Node) -> dict[str, tuple[float, ...]]:
    """The plain numbers among what a node saved, where they are few."""
    found: dict[str, tuple[float, ...]] = {}
    for name in ("exponent", "other", "self", "target"):
        value = autograd.saved(node, f"_saved_{name}")
        if isinstance(value, (int, float)):
            found[name] = (float(value),)
        elif isinstance(value, Tensor) and not value.requires_grad and (numbers := spread(value).values):
            found[name] = numbers
    return found


def derivatives(node: Node, passed: Passed) -> list[Local | None]:
    """The local derivatives of one operation, by asking its backward again."""
    if autograd.packed(node):
        return [None if g is None else Local("unread", reason=PACKED) for g in passed.outgoing]
    return local_derivatives(functools.partial(_ask, node), passed.incoming, passed.outgoing)


def _ask(node: Node, gradients: Gradients) -> Gradients:
    ask: Callable[..., Any] = node.apply if isinstance(node, BackwardCFunction) else node
    result = ask(*gradients)
    return result if isinstance(result, tuple) else (result,)


def _norm(gradients: Any) -> float:
    """Euclidean norm over several tensors, in float64 so that a vanished one is not lost."""
    squares = [float(torch.linalg.vector_norm(_wide(g))) ** 2 for g in gradients if g is not None]
    return math.sqrt(sum(squares))


def _wide(gradient: Tensor) -> Tensor:
    dense = gradient.detach() if gradient.layout == torch.strided else gradient.detach().to_dense()
    return dense.to(torch.complex128 if dense.is_complex() else torch.float64)

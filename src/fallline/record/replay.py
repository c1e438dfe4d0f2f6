"""Doing a forward pass again, operation by operation, to see where a number that is not finite is born.

Below autograd every operation passes one place. There each tensor that is not finite gets an origin: the operation
whose inputs are finite and whose output is not, or what came in from outside (an input, a parameter, a buffer). Who
reads such a tensor inherits its origin. Infinities that the program writes on purpose (a mask of −inf before a softmax)
are told apart: they count only where they make NaN.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.grad_mode import _unsafe_preserve_version_counter
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fallline.record import graph as autograd
from fallline.record import places
from fallline.record.operations import VIEWS
from fallline.record.places import Place
from fallline.record.tape import PLAIN

STEPS = 20_000  # operations that are listed
MASKED = ("softmax", "logsoftmax", "logsumexp", "attention")  # NaN where everything is masked: that is their own
MOVES = VIEWS | {"detach"}  # they change no number, and are not listed
UNFILLED = ("empty", "newempty", "emptylike", "emptystrided", "newemptystrided", "resize")  # memory as it lay there


@dataclass(frozen=True)
class Range:
    """The numbers of one or more tensors."""

    shape: tuple[int, ...]  # of the first
    min: float  # over what is finite; NaN where nothing is
    max: float
    bad: int  # entries that are NaN or Inf


@dataclass(frozen=True)
class Step:
    """One operation of a forward pass."""

    index: int
    operation: str
    layer: str
    place: Place | None
    inputs: Range | None  # None where no numbers with a fraction came in
    output: Range
    rows: tuple[int, ...]  # of the output that hold NaN or Inf


@dataclass(frozen=True)
class Origin:
    """Where a number that is not finite comes from."""

    kind: str  # "operation", "input", "parameter", "buffer" or "constant"
    name: str  # of the operation, or of the tensor from outside
    share: float  # of the entries that are not finite
    rows: tuple[int, ...]
    step: Step | None = None


@dataclass(frozen=True)
class Mark:
    """What is known of a tensor that is not finite."""

    origin: Origin
    nan: bool
    meant: bool  # an infinity that the program wrote


class Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]  # of its __init_subclass__
    """Watches a forward pass for numbers that are not finite; use it in a ``with`` statement around it.

    ``outside``: tensors that come from outside, each with its kind and name. ``listed``: list every operation with
    the ranges of its numbers. ``until``: the frame beyond which the program's lines belong to something else, and
    ``caller``: the place that stands for what has no line within it.
    """

    def __init__(
        self,
        outside: Sequence[tuple[Tensor, str, str]],
        listed: bool = False,
        until: FrameType | None = None,
        caller: Place | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.listed, self.until, self.caller = listed, until, caller
        self._outside: dict[int, tuple[str, str]] = {}  # by the id of a tensor
        self._outside_storages: dict[int, tuple[str, str]] = {}
        self.steps: list[Step] = []
        self.layer: Callable[[], str] = str
        self.paused = False
        self._count = 0
        self._marks: dict[int, Mark] = {}
        self._storages: dict[int, Mark] = {}  # of what was written through a view
        self._held: list[Tensor] = []  # so that no id is given twice
        self.know(outside)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.paused:
            return func(*args, **kwargs)
        sources = list(numbers((args, kwargs)))
        marks = [mark for tensor in sources if (mark := self.mark(tensor)) is not None]
        filled = torch.Tag.nondeterministic_seeded in func.tags and func._schema.is_mutable
        before = _range(sources) if self.listed and sources and not filled else None
        result = func(*args, **kwargs)
        self._look(func, (args, kwargs), result, marks, before)
        return result

    def know(self, outside: Iterable[tuple[Any, str, str]]) -> None:
        """Take the kind and name of tensors from outside."""
        for tensor, kind, name in outside:
            for plain in numbers(tensor):
                self._held.append(plain)
                self._outside[id(plain)] = self._outside_storages[_storage(plain)] = (kind, name)

    def mark(self, tensor: Tensor) -> Mark | None:
        """What is known of a tensor; None where it is finite."""
        known = self._marks.get(id(tensor))
        if known is not None:
            return known
        if _finite(tensor):
            return None
        known = self._storages.get(_storage(tensor))
        if known is not None:
            return known
        there = self._outside_storages.get(_storage(tensor), ("constant", ""))
        kind, name = self._outside.get(id(tensor), there)
        origin = Origin(kind, name, _share(tensor), autograd.bad_rows(tensor))
        nan = bool(torch.isnan(tensor).any())
        return self._put(tensor, Mark(origin, nan, meant=not nan and kind != "parameter"))

    def origin(self, results: Any) -> Origin | None:
        """Where the first tensor among results that is not finite comes from; None where all are finite."""
        for tensor in numbers(results):
            known = self.mark(tensor)
            if known is not None and not known.meant:
                return known.origin
        return None

    def _put(self, tensor: Tensor, mark: Mark) -> Mark:
        self._marks[id(tensor)] = self._storages[_storage(tensor)] = mark
        self._held.append(tensor)
        return mark

    def _look(self, func: Any, given: Any, result: Any, marks: list[Mark], before: Range | None) -> None:
        name = _name(func)
        outputs = list(numbers(result))
        if name in UNFILLED or not outputs:
            return
        bad = [tensor for tensor in outputs if not _finite(tensor)]
        for tensor in outputs:
            if id(tensor) in self._marks and all(tensor is not other for other in bad):
                del self._marks[id(tensor)]  # written over
        self._count += 1
        step = None
        if bad or (self.listed and len(self.steps) < STEPS and name not in MOVES):
            step = self._step(name, before, bad or outputs)
        if self.listed and step is not None:
            self.steps.append(step)
        if step is not None and bad:
            mark = _judge(step, bad, marks, meant=_fills(given))
            for tensor in bad:
                self._put(tensor, mark)

    def _step(self, name: str, before: Range | None, outputs: list[Tensor]) -> Step:
        place = places.innermost(sys._getframe(3), self.until) or self.caller
        rows = autograd.bad_rows(outputs[0])
        return Step(self._count - 1, name, self.layer(), place, before, _range(outputs), rows)


def _judge(step: Step, bad: list[Tensor], marks: list[Mark], meant: bool) -> Mark:
    nan = any(bool(torch.isnan(tensor).any()) for tensor in bad)
    for mark in marks:
        if not mark.meant:
            return Mark(mark.origin, nan, meant=False)
    own = Origin("operation", step.operation, _share(bad[0]), step.rows, step)
    if not nan:
        return Mark(marks[0].origin if marks else own, nan, meant=meant or bool(marks))
    inherited = marks and not any(word in step.operation for word in MASKED)
    return Mark(marks[0].origin if inherited else own, nan, meant=False)


def numbers(values: Any) -> Iterator[Tensor]:
    """The tensors among values that can hold NaN."""
    for leaf in tree_leaves(values):
        plain = type(leaf) in PLAIN and not leaf.is_meta and leaf.layout == torch.strided
        if plain and leaf.numel() and (leaf.is_floating_point() or leaf.is_complex()):
            yield leaf


def _name(func: Any) -> str:
    """``aten::_log_softmax.out`` → ``logsoftmax``, as the autograd graph names operations."""
    return str(func._schema.name).rpartition("::")[2].replace("_", "")


def _finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _fills(given: Any) -> bool:
    """Whether the program itself hands an infinity to an operation, as to ``masked_fill``."""
    return any(isinstance(leaf, float) and math.isinf(leaf) for leaf in tree_leaves(given))


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _share(tensor: Tensor) -> float:
    return float((~torch.isfinite(tensor)).double().mean())


def _range(tensors: Sequence[Tensor]) -> Range:
    low, high, bad = math.nan, math.nan, 0
    for tensor in tensors:
        plain = tensor.detach().abs() if tensor.is_complex() else tensor.detach()
        finite = plain[torch.isfinite(plain)]
        bad += plain.numel() - finite.numel()
        if finite.numel():
            low, high = min(float(finite.min()), low), max(float(finite.max()), high)
    return Range(tuple(tensors[0].shape), low, high, bad)


def parts(model: nn.Module) -> Iterator[tuple[Tensor, str, str]]:
    """The parameters and buffers of a model, as a tracer wants to know them."""
    yield from ((p, "parameter", name) for name, p in model.named_parameters())
    yield from ((b, "buffer", name) for name, b in model.named_buffers())


@contextmanager
def layers_named(tracer: Tracer, roots: Mapping[str, nn.Module]) -> Iterator[None]:
    """Let a tracer know the layer at work; the names are those within the roots."""
    several = len(roots) > 1
    known = {
        id(module): f"{root}.{path}".rstrip(".") if several else path
        for root, model in roots.items()
        for path, module in model.named_modules()
    }
    stack: list[str] = []

    def enter(module: nn.Module, args: Any) -> None:
        stack.append(known.get(id(module), stack[-1] if stack else ""))

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        if stack:
            stack.pop()

    handles = register_module_forward_pre_hook(enter), register_module_forward_hook(leave, always_call=True)
    tracer.layer = lambda: stack[-1] if stack else ""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


# -- the backward pass ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slope:
    """The first operation of a backward pass whose incoming gradient is finite and whose outgoing one is not."""

    operation: str
    place: Place | None
    weight: Tensor | None  # of the nearest layer before it


def slope(outputs: Sequence[Tensor], seeds: Sequence[Tensor] | None = None) -> Slope | None:
    """Go backward from outputs, writing to no ``.grad``, to where a gradient stops being finite.

    The graph must have been made under anomaly mode for the place to be known. ``seeds``: the gradients that come in,
    ones unless given.
    """
    graphs = [graph for output in outputs if (graph := autograd.read(output)) is not None]
    leaves = list({id(leaf): leaf for graph in graphs for leaf in graph.leaves}.values())
    nodes = {node: None for graph in graphs for node in graph.nodes if autograd.op_name(node) != "accumulategrad"}
    found: list[autograd.Node] = []

    def note(node: autograd.Node, outgoing: Any, incoming: Any) -> None:
        fine = all(_finite(g) for g in numbers(incoming))
        if fine and not all(_finite(g) for g in numbers(outgoing)):
            found.append(node)

    handles = [node.register_hook(lambda out, came, node=node: note(node, out, came)) for node in nodes]
    try:
        given = [torch.ones_like(output) for output in outputs] if seeds is None else list(seeds)
        torch.autograd.grad(list(outputs), leaves, given, allow_unused=True, retain_graph=True)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        return None
    graph = next(graph for graph in graphs if found[0] in graph.nodes)
    return Slope(autograd.op_name(found[0]), place_of(found[0]), autograd.nearest_weight(graph, found[0]))


def place_of(node: autograd.Node) -> Place | None:
    """Where the program made a node, if that was under anomaly mode."""
    return places.listed(node.metadata.get("traceback_", ()))


@contextmanager
def tracebacks() -> Iterator[None]:
    """Let each node of the graph know where it was made."""
    before = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
    torch.set_anomaly_enabled(True, check_nan=False)
    try:
        yield
    finally:
        torch.set_anomaly_enabled(*before)


# -- leaving no trace ------------------------------------------------------------------------------------------------


@contextmanager
def untouched(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Afterwards the modules' numbers and attributes, the random numbers and standard output are as they were."""
    inner = list({id(module): module for root in modules for module in root.modules()}.values())
    held = [t for m in inner for t in (*m._parameters.values(), *m._buffers.values()) if t is not None]
    state = list({id(tensor): tensor for tensor in held}.values())
    copies = [tensor.detach().clone() for tensor in state]
    attributes = [(vars(module), _copied(vars(module))) for module in inner]
    own = {id(g): g for module in inner for g in vars(module).values() if isinstance(g, torch.Generator)}.values()
    drawn = [(generator, generator.get_state()) for generator in own]
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(StringIO()))
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(_foreign_random())
        stack.enter_context(_unsafe_preserve_version_counter(tuple(state)))
        try:
            yield
        finally:
            for live, before in attributes:
                _put_back(live, before)
            for generator, state_before in drawn:
                generator.set_state(state_before)
            with torch.no_grad():
                for tensor, copy in zip(state, copies, strict=True):
                    tensor.copy_(copy)


def _copied(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a module; plain containers among them are copied."""
    return {name: value.copy() if type(value) in (list, dict, set) else value for name, value in attributes.items()}


def _put_back(live: dict[str, Any], before: dict[str, Any]) -> None:
    for name in [name for name in live if name not in before]:
        del live[name]
    for name, value in before.items():
        held = live.get(name)
        if type(value) is list and type(held) is list:
            held[:] = value
        elif isinstance(held, (dict, set)) and type(value) is type(held) in (dict, set):
            held.clear()
            held.update(value)
        else:
            live[name] = value


@contextmanager
def _foreign_random() -> Iterator[None]:
    """Python's and NumPy's random numbers, for models that draw from them."""
    import random

    numpy = sys.modules.get("numpy.random")
    before = random.getstate(), numpy.get_state() if numpy is not None else None
    try:
        yield
    finally:
        random.setstate(before[0])
        if numpy is not None:
            numpy.set_state(before[1])

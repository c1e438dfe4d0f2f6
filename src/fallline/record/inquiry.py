"""What is done when a loss or gradient is not finite for the first time: the forward pass is done again.

The parameters are then still those of the forward pass, and the inputs are at hand. Where the fault lies outside the
models' calls, in the program's own lines, these cannot be done again: PyTorch is asked to note in the next forward pass
where each operation stands, and the same operation is looked up there.
"""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from torch.utils._pytree import tree_leaves, tree_map_only

from fallline.record import evaluation, kept, names, places, replay
from fallline.record import graph as autograd
from fallline.record.calls import Call, Calls
from fallline.record.catalog import Catalog
from fallline.record.operations import EDGED, SINGULAR
from fallline.record.replay import Origin, Slope, Tracer
from fallline.record.store import Store

NODES = 20_000  # of a graph; a larger one is not asked where its operations stand
ORIGINS = {"operation": "forward", "input": "data", "buffer": "data", "constant": "data", "parameter": "parameter"}

Detail = dict[str, Any]


class NotReplayed(Exception):  # noqa: N818 - an answer, not an error
    """A call cannot be done again; the message says why."""


class Inquiry:
    """Finds where in the program a number that is not finite was born, and keeps the batch."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self.store, self.catalog, self.calls = store, catalog, Calls()
        # step, operations of a graph, and which of them are to be found in the next one
        self.wanted: tuple[int, list[str], list[int]] | None = None
        self._before = (False, True)
        self.seen: weakref.ref[Tensor] | None = None  # the last loss
        # by the id of an optimizer: itself, the parameter whose gradient is read before each of its steps, its number
        self.read: dict[int, tuple[weakref.ref[Optimizer], weakref.ref[Tensor], int]] = {}
        self.suspect: Detail | None = None  # what was found of a gradient that no update has used yet
        self.patience = 3  # gradients that no update may use are looked into so often at most

    def loss(self, step: int, loss: Tensor, birth: autograd.Birth | None, detail: Detail) -> None:
        """The loss is not finite; ``birth`` and ``detail`` say what its graph told; more is added to ``detail``."""
        graph = autograd.read(loss)
        detail["exponentials"] = autograd.exponentials(graph) if graph is not None else []
        if not self._again(detail, backward=False) and birth is not None and birth.node is not None:
            detail |= _bad_variable(birth.node) if birth.origin in ("forward", "loss") else {}
            self._ask(step, loss, [birth.node], detail)
        self._keep(step, detail)

    def gradient(self, step: int, detail: Detail) -> None:
        """A gradient is not finite and the loss is; the graph of the loss has gone already, but for its nodes."""
        loss = self.seen() if self.seen is not None else None
        graph = autograd.read(loss) if loss is not None else None
        detail["exponentials"] = autograd.exponentials(graph) if graph is not None else []
        if not self._again(detail, backward=True) and loss is not None and graph is not None:
            singular = sorted(filter(_singular, graph.nodes), key=lambda node: autograd.op_name(node) in EDGED)
            detail["suspects"] = list(dict.fromkeys(autograd.op_name(node) for node in reversed(singular)))
            self._ask(step, loss, singular[-1:], detail)
        self._keep(step, detail)

    def last(self, step: int) -> Detail | None:
        """The program ended after a forward pass in training that it never used: was it not finite?"""
        calls, detail = self.calls, Detail(loss="", origin="forward", operation="")
        if calls.used or not calls.held or not calls.held[-1].module.training or not self._again(detail, False):
            return None
        self._keep(step, detail)
        return detail

    def evaluations(self, step: int, dropped: bool) -> None:
        """Do the program's last calls without gradients again, and record what eval mode would change."""
        self.calls.paused(True)
        try:
            for calls in self.calls.free.values():
                refusal = next((reason for call in calls if (reason := _refusal(call)) is not None), None)
                changes = evaluation.difference(calls, dropped) if refusal is None else None
                if changes is not None:
                    self.store.event(step, "evaluation", **changes)
        except Exception as error:  # the program's own code, where it is not made to run twice
            self.store.event(step, "not-evaluated", reason=f"{type(error).__name__}: {str(error)[:200]}")
        finally:
            self.calls.paused(False)

    # -- doing the calls again --------------------------------------------------------------------------------------

    def _again(self, detail: Detail, backward: bool) -> bool:
        """Whether the birth was found within the models' calls."""
        detail["called"] = _detail(places.innermost(sys._getframe(1)))
        for call in reversed(self.calls.held) if backward else self.calls.held:
            self.calls.paused(True)
            try:
                origin, slope = _replay(call, backward)
            except NotReplayed as reason:
                detail["not_replayed"] = str(reason)
                return False
            except Exception as error:  # the program's own code, where it is not made to run twice
                detail["not_replayed"] = f"the forward pass raised {type(error).__name__}: {str(error)[:200]}"
                return False
            finally:
                self.calls.paused(False)
            if origin is not None:  # under a finite loss, too, that leaves out where it stands
                detail |= self._told(origin, call)
            elif slope is not None:
                detail |= {"operation": slope.operation, "place": _detail(slope.place), "how": "replay"}
                detail["parameter"] = self.catalog.name_of(slope.weight)
            if origin is not None or slope is not None:
                return True
        detail["replayed"] = len(self.calls.held)  # and finite
        if self.calls.fault:
            detail["not_replayed"] = f"fallline could not hold the inputs, by a fault of its own: {self.calls.fault}"
        return False

    def _told(self, origin: Origin, call: Call) -> Detail:
        found: Detail = {"origin": ORIGINS[origin.kind], "share": origin.share, "rows": list(origin.rows)}
        found |= {"how": "replay", "operation": origin.name, "parameter": ""}
        first = next(iter(call.module.named_parameters()), None)
        root = self.catalog.name_of(first[1]).removesuffix(first[0]) if first is not None else ""
        if origin.step is not None:
            return {**found, "parameter": root + origin.step.layer, "place": _detail(origin.step.place)}
        if origin.kind == "parameter":
            return {**found, "operation": "", "parameter": root + origin.name}
        place = places.of_code(call.known.code, call.known.instruction)
        return {**found, "operation": "", "what": f"{origin.kind} {origin.name}", "place": _detail(place)}

    # -- asking the next forward pass --------------------------------------------------------------------------------

    def _ask(self, step: int, loss: Tensor, nodes: list[autograd.Node], detail: Detail) -> None:
        """Where these operations stand: known already under anomaly mode, else asked of the next forward pass."""
        graph = autograd.read(loss)
        if graph is None or not nodes:
            return
        detail["suspect"] = autograd.op_name(nodes[0])
        place = replay.place_of(nodes[0])
        if place is not None:
            detail |= {"place": _detail(place), "how": "anomaly mode"}
        elif graph.complete and len(graph.nodes) <= NODES:
            self.drop()  # at a loss and at its gradient
            self.wanted = step, _operations(graph), [graph.nodes.index(node) for node in nodes]
            self._before = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
            torch.set_anomaly_enabled(True, check_nan=False)

    def answer(self, loss: Tensor) -> None:
        """Look up in the graph of the next loss what was asked."""
        if self.wanted is None:
            return
        (step, operations, wanted), graph = self.wanted, autograd.read(loss)
        self.drop()
        if graph is None or _operations(graph) != operations:
            return  # another forward pass than the one in question
        place = next((place for i in wanted if (place := replay.place_of(graph.nodes[i])) is not None), None)
        if place is not None:
            self.store.event(step, "place", **place.as_detail())

    def drop(self) -> None:
        """Ask no more."""
        if self.wanted is not None:
            self.wanted = None
            torch.set_anomaly_enabled(*self._before)

    # -- keeping the batch -------------------------------------------------------------------------------------------

    def _keep(self, step: int, detail: Detail) -> None:
        owned = {id(t) for call in self.calls.held for t in nn.Module.parameters(call.module)}
        leaves = {self.catalog.name_of(t): t for t in self.catalog.leaves() if id(t) not in owned}
        about = {"step": step, "birth": {k: v for k, v in detail.items() if k != "called"}}
        try:
            detail["left_out"] = kept.keep(
                self.store.folder, self.calls.held[:4], _namer(self.calls.held), leaves,
                dict(_variables(owned)), about,
            )  # fmt: skip
            detail["kept"] = kept.FILE
        except Exception as error:  # a full disk, a kind of number that the file cannot hold
            detail["not_kept"] = f"{type(error).__name__}: {str(error)[:200]}"


def _singular(node: autograd.Node) -> bool:
    exponent = autograd.saved(node, "_saved_exponent")
    return autograd.op_name(node) in SINGULAR and not (isinstance(exponent, (int, float)) and exponent >= 1)


def _operations(graph: autograd.Graph) -> list[str]:
    return [autograd.op_name(node) for node in graph.nodes]


def _detail(place: places.Place | None) -> Detail | None:
    return None if place is None else place.as_detail()


def _namer(calls: Sequence[Call]) -> Callable[[nn.Module], str]:
    """Names for the models that were called: their variables in the program, or their classes."""
    known = {id(module): name for name, module in names.find_modules().items()}
    for call in calls:
        plain = type(call.module).__name__.lower()
        known.setdefault(id(call.module), plain if plain not in known.values() else f"{plain} {len(known)}")
    return lambda module: known[id(module)]


def _variables(owned: set[int]) -> Iterator[tuple[str, Tensor]]:
    """The tensors among the program's variables that nothing computed with gradients, innermost function first."""
    seen: set[int | str] = set(owned)
    for variables in names.caller_variables():
        for name, value in list(variables.items()):
            for inner, tensor in _within(name, value):
                plain = type(tensor) is Tensor and not tensor.requires_grad and tensor.layout == torch.strided
                if plain and inner not in seen and id(tensor) not in seen:
                    seen |= {inner, id(tensor)}
                    yield inner, tensor


def _bad_variable(node: autograd.Node) -> Detail:
    """A variable with NaN and a row for each of the operation's, as targets have: they are in no graph."""
    rows = next(iter(getattr(node, "_input_metadata", ())), None)
    for name, tensor in _variables(set()):
        fits = rows is not None and tensor.ndim and len(rows.shape) and tensor.shape[0] == rows.shape[0] > 1
        if fits and tensor.is_floating_point() and bool(torch.isnan(tensor).any()):
            share = float(torch.isnan(tensor).double().mean())
            bad = autograd.bad_rows(tensor.reshape(len(tensor), -1))
            return {"origin": "data", "variable": name, "rows": list(bad), "share": share}
    return {}


def _within(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A variable and what it holds, as ``batch`` and ``batch['label']``."""
    yield name, value
    items = value.items() if type(value) is dict else enumerate(value) if type(value) in (list, tuple) else ()
    yield from ((f"{name}[{key!r}]", inner) for key, inner in itertools.islice(items, 64))


# -- one call ------------------------------------------------------------------------------------------------------


def _replay(call: Call, backward: bool) -> tuple[Origin | None, Slope | None]:
    """Do a call again, and leave no trace of it."""
    if (refusal := _refusal(call)) is not None:
        raise NotReplayed(refusal)
    module = call.module
    args, kwargs = tree_map_only(Tensor, _copy, (call.args, call.kwargs))
    outside = [(t, "input", str(i)) for i, t in enumerate(tree_leaves((args, kwargs))) if isinstance(t, Tensor)]
    tracer = Tracer(
        [*outside, *replay.parts(module)],
        until=sys._getframe(),
        caller=places.of_code(call.known.code, call.known.instruction),
    )
    with replay.untouched([module]), _as_it_was(call), replay.layers_named(tracer, {"": module}):
        with ExitStack() as stack:
            if backward:
                stack.enter_context(replay.tracebacks())
            with tracer:
                result = module(*args, **kwargs)
            origin = tracer.origin(result)
        if origin is not None and origin.kind == "input" and _computed(call, int(origin.name)):
            raise NotReplayed(
                "done again it gives other numbers: the program draws some that fallline does not restore"
            )
        if origin is not None or not backward:
            return origin, None
        outputs = [t for t in replay.numbers(result) if t.requires_grad]
        losses = [t for t in outputs if t.numel() == 1]
        return None, replay.slope(losses or outputs)


def _computed(call: Call, place: int) -> bool:
    """Whether an input is the result of an operation before the call."""
    leaf = tree_leaves((call.args, call.kwargs))[place]
    return isinstance(leaf, Tensor) and leaf.grad_fn is not None


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


def _refusal(call: Call) -> str | None:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return "in distributed training a forward pass on one process alone would wait for the others"
    if any(isinstance(leaf, Iterator) for leaf in tree_leaves((call.args, call.kwargs))):
        return "an input is an iterator, which can be read only once"
    if call.version >= 0 and call.args[0]._version != call.version:
        return "its input was changed in place since"
    return None


@contextmanager
def _as_it_was(call: Call) -> Iterator[None]:
    """Random numbers, buffers, and mixed precision as they were when the call began; nothing is compiled anew."""
    with ExitStack() as stack:
        if call.random is not None:
            torch.default_generator.set_state(call.random)
        with torch.no_grad():
            for name, buffer in call.module.named_buffers():
                if name in call.buffers and call.buffers[name].shape == buffer.shape:
                    buffer.copy_(call.buffers[name])
        if call.known.autocast is not None:
            stack.enter_context(torch.autocast("cpu", call.known.autocast))
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(torch.enable_grad())
        yield

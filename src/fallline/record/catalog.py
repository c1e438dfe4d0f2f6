"""What takes part in a training: its models, layers, parameters and optimizers, each with a number and a name."""

from __future__ import annotations

import json
import weakref
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.optim.optimizer import Optimizer
from torch.utils.weak import WeakTensorKeyDictionary

from fallline.record import graph as autograd
from fallline.record import measure, names
from fallline.record.store import Store

FEW = 16  # entries of a parameter that are compared with what they were when it was met
SAME = 64  # optimizers of one kind on parameters of the same shapes that are told apart
OTHERS = -1  # the number of all further ones, as those that are made anew for each task of meta-learning
LASTING = 100  # times that such a one is asked about, twice a step, before it gets a number after all
FORMER = 1024  # parameters, from which on a new one may take the number of one of its shape that is gone
SEARCHES = 3  # times the whole process is searched for modules, or all objects for tensors, when names are missing


class Catalog:
    """Numbers for tensors and optimizers, written to the store when they are first met."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._parameters: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._names: list[str] = []
        self._shapes: list[tuple[int, ...]] = []
        self._free = defaultdict[tuple[int, ...], list[int]](list)  # by shape: numbers whose parameters are gone
        self._registered: list[bool] = []
        self._layers: dict[int, int] = {}  # parameter number → layer number
        self._axes: dict[int, int] = {}  # parameter number → dimension that counts units
        self._begun: dict[int, Tensor] = {}  # parameter number → some entries as it was met, until they moved
        self._coordinates = WeakTensorKeyDictionary()  # tensors that the program differentiates by, as in an equation
        self._optimizers: dict[int, tuple[weakref.ref[Optimizer], int]] = {}
        self._optimizer_count = 0
        self._same = Counter[tuple[Any, ...]]()  # optimizers by their kind and the shapes of their parameters
        self._asked = Counter[int]()  # how often one of the others was asked about
        self._known: dict[str, weakref.ref[nn.Module]] = {}  # a model the program drops must be free to go
        self._searches = self._fruitless = 0
        self._models: dict[str, int] = {}
        self._has_hand = False
        self._derived = False  # whether a loss held a derivative of the network

    def know(self, models: dict[str, nn.Module]) -> None:
        """Take the names of modules that the caller has at hand."""
        self._known.update({name: weakref.ref(module) for name, module in models.items()})

    # -- parameters ------------------------------------------------------------------------------------------------

    def parameter(self, tensor: Tensor) -> int:
        """The number of a parameter; it is named and written when first met."""
        entry = self._parameters.get(id(tensor))
        if entry is not None and entry[0]() is tensor:
            return entry[1]
        return self._add(tensor, self._leaves([tensor])) if self._inherit([tensor]) else self.parameter(tensor)

    def name_of(self, tensor: Tensor | None) -> str:
        """The name of a parameter, or an empty string."""
        return "" if tensor is None else self._names[self.parameter(tensor)]

    def leaves(self) -> list[Tensor]:
        """All parameters met so far that still exist."""
        return [tensor for reference, _ in self._parameters.values() if (tensor := reference()) is not None]

    def alive(self) -> set[int]:
        """The numbers of the parameters that still exist."""
        return {number for reference, number in self._parameters.values() if reference() is not None}

    def _add(self, tensor: Tensor, known: dict[int, tuple[str, str, bool]]) -> int:
        model, name, registered = known.get(id(tensor), ("", "", True))
        if not registered and tensor in self._coordinates:
            model, name, registered = "", "", True
        if not model and (stale := self._reborn(tensor, name)) is not None:
            return stale
        self._release(id(tensor))
        number = len(self._names)
        name = name or f"parameter {number} {tuple(tensor.shape)}"
        if model and sum(module is None or _has_parameters(module) for module in self._modules()) > 1:
            name = f"{model}.{name}"
        self._parameters[id(tensor)] = (weakref.ref(tensor), number)
        self._names.append(name)
        self._shapes.append(tuple(tensor.shape))
        self._registered.append(registered)
        if not registered or (isinstance(tensor, nn.Parameter) and tensor.numel() <= FEW):
            self._begun[number] = _some(tensor).clone()
        self.store.put(
            "parameters", (number, name, model, tensor.numel(), tensor.ndim, int(registered), int(tensor.requires_grad))
        )
        return number

    def _reborn(self, tensor: Tensor, name: str) -> int | None:
        """Code like ``w = w - lr * w.grad`` makes a new tensor at every step: it stays the same parameter."""
        for key, (reference, number) in list(self._parameters.items()):
            if reference() is None and name and (self._names[number], self._shapes[number]) == (name, tensor.shape):
                del self._parameters[key]
                self._parameters[id(tensor)] = (weakref.ref(tensor), number)
                return number
        return None

    def _inherit(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Once there are many: give new tensors the numbers of gone ones of their shape. Returns those left over."""
        if len(self._names) < FORMER:
            return list(tensors)
        for key in [key for key, (reference, _) in self._parameters.items() if reference() is None]:
            self._release(key)
        left = []
        for tensor in tensors:
            numbers = self._free[tuple(tensor.shape)]
            if numbers:
                self._parameters[id(tensor)] = (weakref.ref(tensor), numbers.pop())
            else:
                left.append(tensor)
        return left

    def _release(self, key: int) -> None:
        """Free the number of a parameter that is gone."""
        entry = self._parameters.pop(key, None)
        if entry is not None:
            self._free[self._shapes[entry[1]]].append(entry[1])

    def _leaves(self, tensors: list[Tensor]) -> dict[int, tuple[str, str, bool]]:
        """Model, name and whether it is registered, of all that is known of the models and of these tensors, by id."""
        known = names.named_leaves(self._roots(tensors))
        missing = [tensor for tensor in tensors if id(tensor) not in known]
        found = names.variable_names(missing, deep=self._fruitless < SEARCHES) if missing else {}
        self._fruitless += len(found) < len(missing)
        return known | {key: ("", name, True) for key, name in found.items()}

    def _roots(self, tensors: list[Tensor]) -> dict[str, nn.Module]:
        """The root modules, searched for again where a tensor belongs to none of the known ones."""
        for search in (names.find_modules, names.find_all_modules):
            have = names.named_leaves(self._alive())
            if all(id(tensor) in have for tensor in tensors):
                break
            if search is names.find_all_modules:
                if self._searches >= SEARCHES:
                    break
                self._searches += 1
            for name, module in search().items():
                if all(module is not known for known in self._modules()):
                    self._known[name if name not in self._known else f"{name}_{len(self._known)}"] = weakref.ref(module)
        return self._alive()

    def _modules(self) -> list[nn.Module | None]:
        """Every root module met so far; None for one that is gone."""
        return [reference() for reference in self._known.values()]

    def _alive(self) -> dict[str, nn.Module]:
        return {name: module for name, module in zip(self._known, self._modules(), strict=True) if module is not None}

    def differentiated(self, inputs: Any) -> None:
        """Note the tensors by which derivatives are taken for the loss to be made of: data, wherever they are kept."""
        for tensor in [inputs] if isinstance(inputs, Tensor) else inputs:
            self._coordinates[tensor] = True

    # -- layers --------------------------------------------------------------------------------------------------------

    def learn(self, graph: autograd.Graph, step: int) -> None:
        """Meet the parameters and layers of a graph."""
        if new := self._inherit([leaf for leaf in graph.leaves if not self._met(leaf)]):
            known, roots = self._leaves(new), self._alive()
            used = {known[id(leaf)][0] for leaf in graph.leaves if id(leaf) in known}
            for name in sorted((used & set(roots)) - set(self._models)):
                self._add_model(name, roots[name])
            for leaf in new:
                self._add(leaf, known)
        for call in graph.calls:
            if self.parameter(call.weight) not in self._layers:
                self._add_layer(call, graph)
        if not self._derived and any(map(_differentiates, graph.calls)):
            self._derived = True
            self.store.event(step, "derivative")
        self._compare(graph, step)

    def _compare(self, graph: autograd.Graph, step: int) -> None:
        """Note which of the parameters that are compared have moved since they were met."""
        held = {number: leaf for leaf in graph.leaves if (number := self.parameter(leaf)) in self._begun}
        pairs = {number: (_some(leaf), self._begun[number]) for number, leaf in held.items()}
        moved = [number for number, (now, begun) in pairs.items() if now.shape != begun.shape]
        alike = {
            number: (now - begun).abs().sum() for number, (now, begun) in pairs.items() if now.shape == begun.shape
        }
        apart = measure.to_floats(list(alike.values()))
        moved += [number for number, distance in zip(alike, apart, strict=True) if distance != 0]
        for number in moved:
            del self._begun[number]
        if moved:
            self.store.event(step, "moved", parameters=moved)

    def _met(self, tensor: Tensor) -> bool:
        entry = self._parameters.get(id(tensor))
        return entry is not None and entry[0]() is tensor

    def layer(self, weight: Tensor) -> int:
        """The number of the layer that a weight belongs to."""
        return self._layers[self.parameter(weight)]

    def unit_axis(self, parameter: Tensor) -> int | None:
        """The dimension of a weight that counts the layer's units; None where symmetry has no meaning."""
        return self._axes.get(self.parameter(parameter))

    def _add_model(self, name: str, module: nn.Module) -> None:
        number = self._models[name] = len(self._models)
        parameters: list[Tensor] = list(nn.Module.parameters(module))  # the program's may be a list of that name
        count = sum(p.numel() for p in parameters if not isinstance(p, UninitializedParameter))
        self.store.put("models", (number, name, type(module).__name__, count))
        plain = [
            f"{path}.{held}" if path else held for path, m in module.named_modules() for held in names.plain_weights(m)
        ]
        if plain:
            self.store.event(0, "plain-weights", model=name, names=plain)
        if names.is_compiled(module):
            self.store.event(0, "compiled", model=name)

    def _add_layer(self, call: autograd.Call, graph: autograd.Graph) -> None:
        parameter = self.parameter(call.weight)
        number = self._layers[parameter] = len(self._layers)
        weight = call.weight
        axis = call.unit_axis
        output = any(last.weight is weight for last in graph.last)
        if weight.ndim > 1 and weight.shape[axis] > 1:
            self._axes[parameter] = axis
        if output and (factors := {self.parameter(factor): axis for factor, axis in call.factors()}):
            self._axes.update(factors)  # their units are the columns that they have in common
            self.store.event(0, "factors", parameters=list(factors), units=weight.shape[1 - axis])
        hidden = autograd.saved(call.node, "_saved_hidden_size")  # a recurrent layer's weight has a row a gate
        units = (hidden or weight.shape[axis]) if weight.ndim > 1 else 1
        name = self._names[parameter].removesuffix(".weight")
        sources = [s for c in call.sources if (s := self._layers.get(self.parameter(c.weight))) is not None]
        activation = autograd.op_name(call.activations[0]) if call.activations else ""
        recurrent = any(c.weight is weight and not _differentiates(c) and _returns(c) for c in graph.calls)
        self.store.put(
            "layers",
            (
                number, name, call.kind, parameter, units, weight.numel() // max(units, 1), activation,
                json.dumps(call.ops), json.dumps(sources), float(measure.real(weight).var(correction=0)),
                int(output), int(recurrent),
            ),
        )  # fmt: skip

    # -- optimizers --------------------------------------------------------------------------------------------------

    def optimizer(self, optimizer: Optimizer) -> tuple[int, bool]:
        """The number of an optimizer (from 1), and whether it is met for the first time.

        Of many that are alike only the first ones have a number of their own, and those that last.
        """
        entry = self._optimizers.get(id(optimizer))
        met = entry is not None and entry[0]() is optimizer
        if entry is not None and met and entry[1] != OTHERS:
            return entry[1], False
        tensors = [
            p for group in optimizer.param_groups for p in group["params"] if not isinstance(p, UninitializedParameter)
        ]
        alike = type(optimizer), *(p.shape for p in tensors)
        self._same[alike] += not met
        self._asked[id(optimizer)] = self._asked[id(optimizer)] + 1 if met else 1
        if self._same[alike] > SAME and self._asked[id(optimizer)] <= LASTING:
            self._optimizers[id(optimizer)] = (weakref.ref(optimizer), OTHERS)
            return OTHERS, False
        self._optimizer_count += 1  # not the length of the dict: Python gives the id of a dead object to a new one
        number = self._optimizer_count
        self._optimizers[id(optimizer)] = (weakref.ref(optimizer), number)
        known = self._leaves(tensors)
        parameters = [self.parameter(p) if self._met(p) else self._add(p, known) for p in tensors]
        settings = {k: v for k, v in optimizer.param_groups[0].items() if isinstance(v, (int, float, tuple, bool))}
        settings["groups"] = len(optimizer.param_groups)
        row = (number, type(optimizer).__name__, json.dumps(settings, default=str), json.dumps(parameters))
        self.store.put("optimizers", (*row, names.object_name(optimizer) or ""))
        return number, True

    def by_hand(self) -> None:
        """Note that parameters are updated without an optimizer."""
        if not self._has_hand:
            self._has_hand = True
            row: tuple[Any, ...] = (0, "by hand", "{}", json.dumps(list(range(len(self._names)))), "")
            self.store.put("optimizers", row)


def _some(tensor: Tensor) -> Tensor:
    """At most so many entries from all over it."""
    flat = tensor.detach().reshape(-1)
    return flat[:: max(1, -(-len(flat) // FEW))]


def _differentiates(call: autograd.Call) -> bool:
    """Whether a layer is used in a derivative that is part of the loss, as of an equation: it is the chain rule's."""
    return any(op.endswith("backward") for op in call.ops)


def _returns(call: autograd.Call, depth: int = 3) -> bool:
    """Whether a layer's own output flows back into it, through at most so many others."""
    frontier = call.sources
    for _ in range(depth):
        if any(source.weight is call.weight for source in frontier):
            return True
        frontier = tuple(before for source in frontier for before in source.sources)
    return False


def _has_parameters(module: nn.Module) -> bool:
    return any(True for _ in nn.Module.parameters(module))

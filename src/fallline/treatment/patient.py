"""The live objects of a program that is about to run, as far as remedies reach them."""

from __future__ import annotations

import functools
import math
import re
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from fallline.record import graph, names
from fallline.treatment import copies
from fallline.treatment.scaler import Scaler

Activation = Callable[[Tensor], Tensor]
Call = tuple[Callable[..., Any], Sequence[Any], dict[str, Any]]  # a function with its arguments
Change = Callable[[Call], Call]

BATCH = 32  # samples that stand for a batch, where batch norm gets them one by one
FLOOR = 1e-6  # which softplus keeps above 0, also where it underflows
ACTIVATIONS: dict[str, Activation] = {
    "relu": torch.nn.functional.relu,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "gelu": torch.nn.functional.gelu,
    "selu": torch.nn.functional.selu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": lambda x: torch.nn.functional.softplus(x) + FLOOR,
    "identity": lambda x: x,
}
ACTIVATION_CALLS = frozenset(
    (
        "relu relu_ sigmoid sigmoid_ tanh tanh_ exp exp_ gelu elu elu_ selu selu_ celu silu mish softplus "
        "hardtanh relu6 hardsigmoid hardswish leaky_relu leaky_relu_ rrelu threshold softsign logsigmoid prelu softmax"
    ).split()
)
DROPOUTS = frozenset(("dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout").split())
NORM = "batch_norm"
MULTIPLICATIONS = frozenset(("linear conv1d conv2d conv3d matmul __matmul__ __rmatmul__ mm mv addmm").split())

OWN = re.compile(r"\w*[^_]_|__i\w+__|__\w*[gs]et__|__setitem__")  # names of functions that need the very tensor
AGAIN = re.compile(r"_(\d+)\.")  # in the name of a parameter: its model is made again, under the same name
SEARCHES = 8  # times that modules are looked for that no variable holds
RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")  # whole networks, as one function


@dataclass
class Edit:
    """What happens to the output of one layer on its way to the next."""

    activation: Activation | None = None  # instead of the program's own
    insert: Activation | None = None  # after the layer, where there was none
    normalise: bool = False
    shortcut: bool = False  # add the layer's input to its output
    bridge: bool = False  # pass the layer's input on instead of its output
    scaler: Scaler | None = None  # what its input goes through
    unit_variance: bool = False  # scale the weight, once, so that the output varies by one
    affine: tuple[Any, Any] | None = None  # factor and shift of its output, or of each of its units: see in_units


class Surgery(TorchFunctionMode):
    """Changes what follows a layer while the program's forward pass runs, be it a module or a function."""

    def __init__(self) -> None:
        super().__init__()
        self.edits: dict[int, Edit] = {}
        self.copies: dict[int, Tensor] = {}  # weights that have the edit of another; kept, for no id to be used again
        self.calls: dict[str, Change] = {}  # what becomes of calls of a function, by its name
        self.dropout: float | None = None  # share that every dropout drops, instead of the program's own
        self.norm = ""  # instead of batch norm: "group", "none", or "running" statistics
        self._normalised = WeakTensorKeyDictionary()  # by the running mean of a batch norm: how often it was used
        self.resting = False  # while an optimizer steps
        self.data: Callable[[Tensor], Tensor] | None = None  # what becomes of data wherever a function gets them
        self.evaluate = False  # without gradients no dropout, and batch norm by its running statistics
        self.begin: Callable[[], None] | None = None  # called once, before a weight is used for the first time
        self._current: int | None = None

    def on(self, changes: Mapping[str, Change]) -> None:
        """Let the calls of functions, by their names, go through a change, after those that are there already."""
        for name, change in changes.items():
            earlier = self.calls.get(name)
            self.calls[name] = change if earlier is None else functools.partial(_in_turn, earlier, change)

    def edit(self, weight: Tensor) -> Edit:
        """The edit of the layer that multiplies by this weight."""
        return self.edits.setdefault(id(weight), Edit())

    def share(self, weight: Tensor, others: Iterable[Tensor]) -> None:
        """Let these have the same edit, if there is one."""
        if id(weight) in self.edits:
            for other in others:
                self.edits[id(other)], self.copies[id(other)] = self.edits[id(weight)], other

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self.resting:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if self.data is not None and not OWN.fullmatch(name):
            args = [_changed(self.data, value) for value in args]
            kwargs = {key: _changed(self.data, value) for key, value in kwargs.items()}
        if name in self.calls:
            func, args, kwargs = self.calls[name]((func, args, kwargs))
        if name in ACTIVATION_CALLS and args and (replacement := self._replacement()) is not None:
            return replacement(args[0])
        if name in DROPOUTS and self.dropout is not None and "p" in kwargs:
            kwargs = {**kwargs, "p": self.dropout}
        if self.evaluate and "training" in kwargs and not torch.is_grad_enabled() and name in (*DROPOUTS, NORM):
            kwargs = {**kwargs, "training": False}
        if name == NORM and self.norm and len(args) >= 1 and "weight" in kwargs:
            return self._other_norm(func, args, kwargs)
        if not self._multiplies(name, args):
            return func(*args, **kwargs)
        bias, args = (args[:1], args[1:]) if name == "addmm" else ((), args)  # its bias comes first
        args = self._before(args)
        output = func(*bias, *args, **kwargs)
        if self._fitted(args, output):
            output = func(*bias, *args, **kwargs)
        return self._after(args, output)

    def _other_norm(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """What stands for batch norm."""
        if self.norm == "none":
            return args[0]
        if self.norm == "group":
            return torch.nn.functional.group_norm(args[0], 1, kwargs["weight"], kwargs["bias"], kwargs["eps"])
        if not kwargs["training"] or args[1] is None:
            return func(*args, **kwargs)
        data, mean, variance = args[:3]
        others = [d for d in range(data.ndim) if d != 1]
        uses = self._normalised[mean] = self._normalised.get(mean, 0) + 1  # type: ignore[no-untyped-call]
        share = max(1 / BATCH, 1 / uses)
        with torch.no_grad():
            apart = data.mean(others) - mean
            mean.add_(share * apart)
            spread = data.var(others, unbiased=False) + (1 - share) * apart**2
            variance.mul_(1 - share).add_(share * spread)
        return func(data, mean.clone(), variance.clone(), **{**kwargs, "training": False})

    def _replacement(self) -> Activation | None:
        """What stands for the activation after the layer that was used last."""
        edit = self.edits.get(self._current) if self._current is not None else None
        replacement = edit.activation if edit is not None else None
        if replacement is ACTIVATIONS["identity"]:  # what follows is the loss's own
            self._current = None
        return replacement

    def _multiplies(self, name: str, args: Sequence[Any]) -> bool:
        """Whether this may be a layer to edit; plain tensors have no module that says when they are first used."""
        if name not in MULTIPLICATIONS:
            return False
        if self.begin is not None and torch.is_grad_enabled() and any(_leaf(a) is not None for a in args):
            begin, self.begin = self.begin, None
            begin()
        return bool(self.edits)

    def _parts(self, args: Sequence[Any]) -> tuple[Tensor | None, int]:
        """The weight of a multiplication, and which argument is the data: the second in w @ x.

        Data may be leaves that require a gradient, too, as where an equation is differentiated by them.
        """
        leaves = [(leaf, place) for place, a in enumerate(args[:2]) if (leaf := _leaf(a)) is not None]
        frozen = [(a, place) for place, a in enumerate(args[:2]) if id(a) in self.copies]
        known = [pair for pair in leaves if id(pair[0]) in self.edits] or frozen or leaves
        if not known:
            return None, 0
        weight, place = known[0]
        return weight, 1 if place == 0 and len(args) > 1 and isinstance(args[1], Tensor) else 0

    def _fitted(self, args: Sequence[Any], output: Tensor) -> bool:
        """Whether the weight was scaled just now, by the spread of what the layer gives for its first batch."""
        weight, _ = self._parts(args)
        edit = self.edits.get(id(weight))
        if weight is None or edit is None or not edit.unit_variance:
            return False
        edit.unit_variance = False
        spread = output.detach().std()
        if not 0 < float(spread) < math.inf:
            return False
        with torch.no_grad():
            weight.div_(spread)
        return True

    def _before(self, args: Sequence[Any]) -> Sequence[Any]:
        weight, place = self._parts(args)
        edit = self.edits.get(id(weight))
        if weight is None or edit is None or edit.scaler is None:
            return args
        data = edit.scaler(_upright(args[place], place))
        return *args[:place], _upright(data, place), *args[place + 1 :]

    def _after(self, args: Sequence[Any], output: Any) -> Any:
        weight, place = self._parts(args)
        if weight is None:
            return output
        self._current = id(weight)
        edit = self.edits.get(self._current)
        if edit is None:
            return output
        if (edit.shortcut or edit.bridge) and args[place].shape == output.shape:
            output = args[place] if edit.bridge else output + args[place]
        if edit.normalise:
            output = _upright(_normalised(_upright(output, place)), place)
        if edit.insert is not None:
            output = edit.insert(output)
        if edit.affine is not None:
            output = _upright(in_units(_upright(output, place), *edit.affine), place)
        return output


def _changed(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """An argument of a function, changed where it is data."""
    return change(value) if isinstance(value, Tensor) and not value.requires_grad else value


def _in_turn(first: Change, second: Change, call: Call) -> Call:
    return second(first(call))


def _upright(tensor: Tensor, place: int) -> Tensor:
    """With samples first; in w @ x they are columns. The same again puts them back."""
    return tensor.mT if place == 1 and tensor.ndim > 1 else tensor


def in_units(output: Tensor, factor: Any, shift: Any) -> Tensor:
    """An output in the units of its targets, with the gradient that it gets where the loss is taken without them."""
    std, mean = (torch.as_tensor(value, dtype=output.dtype, device=output.device) for value in (factor, shift))
    if output.requires_grad:
        output.register_hook(lambda gradient: gradient / std**2)  # type: ignore[no-untyped-call]
    return output * std + mean


def _leaf(value: Any) -> Tensor | None:
    """The weight itself, or the weight that this is a view of."""
    if not isinstance(value, Tensor):
        return None
    base = value if value.is_leaf else value._base
    return base if base is not None and base.is_leaf and base.requires_grad and base.ndim >= 1 else None


def _normalised(output: Tensor) -> Tensor:
    """Layer normalisation without parameters, over the units (and positions, for images)."""
    shape = output.shape[1:] if output.ndim > 2 else output.shape[-1:]
    return torch.nn.functional.layer_norm(output, tuple(shape))


class Patient:
    """Hooks into a program that has not started yet.

    Remedies register here what they want to do; ``operate`` puts the hooks in place. This belongs to the processes of
    trials only: unlike the recorder, it changes the training, and that is its purpose.
    """

    def __init__(self) -> None:
        self.surgery = Surgery()
        self.optimizers: list[weakref.ref[Optimizer]] = []
        self.loss = float("nan")  # of the last backward
        self.waiting = False  # whether there was a backward since the last step
        self.retain = False  # whether the losses of several optimizers may share a part of their graphs
        self._replaced: list[tuple[Any, str, Callable[..., Any]]] = []
        self._asking = False
        self._looks = self._due = 0
        self._met: weakref.WeakSet[torch.nn.Module] = weakref.WeakSet()
        self._taken = WeakTensorKeyDictionary()  # by a parameter: the name that it was found by
        self._searches = SEARCHES
        self._unmet: list[weakref.ref[Optimizer]] = []
        self._asked_for, self._guessed = set[str](), set[str]()  # names of parameters: by remedies; of further models
        self._ready: list[tuple[Sequence[str], Callable[[list[Tensor]], None]]] = []
        self._first_sight: list[Callable[[Optimizer], None]] = []
        self._before_forward: list[Callable[[torch.nn.Module], None]] = []
        self._before_update: list[Callable[[list[Tensor]], None]] = []
        self._before_backward: list[Callable[[], None]] = []
        self._before_step: list[Callable[[Optimizer], None]] = []
        self._after_step: list[Callable[[Optimizer], None]] = []

    # -- what remedies ask for ----------------------------------------------------------------------------------

    def when_ready(self, parameters: Sequence[str], act: Callable[[list[Tensor]], None]) -> None:
        """Call ``act`` with these parameters, once, before the first training forward pass that uses them."""
        self._asked_for.update(parameters)
        self._ready.append((parameters, act))

    def when_each_ready(self, parameters: Sequence[str], act: Callable[[list[Tensor]], None]) -> None:
        """Call ``act`` with each of these parameters by itself, as :meth:`when_ready` does."""
        for name in parameters:
            self.when_ready([name], act)

    def for_each_optimizer(self, act: Callable[[Optimizer], None]) -> None:
        """Call ``act`` with every optimizer, once, before its first step."""
        self._first_sight.append(act)

    def before_forward(self, act: Callable[[torch.nn.Module], None]) -> None:
        """Call ``act`` with every module that is about to be used in a forward pass with gradients."""
        self._before_forward.append(act)

    def before_update(self, act: Callable[[list[Tensor]], None]) -> None:
        """Call ``act`` before every update with the parameters that have a gradient, also where no optimizer steps."""
        self._before_update.append(act)

    def before_backward(self, act: Callable[[], None]) -> None:
        """Call ``act`` before every backward pass."""
        self._before_backward.append(act)

    def around_step(
        self, before: Callable[[Optimizer], None] | None, after: Callable[[Optimizer], None] | None
    ) -> None:
        """Call ``before`` and ``after`` at every optimizer step."""
        self._before_step += [before] if before else []
        self._after_step += [after] if after else []

    def replace(self, owner: Any, name: str, new: Callable[..., Any]) -> None:
        """Put another function in the place of an attribute while the program runs."""
        self._replaced.append((owner, name, new))

    # -- putting it in place ------------------------------------------------------------------------------------------

    def operate(self) -> ExitStack:
        """Put every hook in place; closing what is returned removes them."""
        placed = ExitStack()
        self.surgery.begin = self._attend
        placed.enter_context(self.surgery)
        for handle in (
            register_module_forward_pre_hook(self._module_begins),
            register_optimizer_step_pre_hook(self._step_begins),
            register_optimizer_step_post_hook(self._step_ends),
        ):
            placed.callback(handle.remove)
        backward = torch.autograd.backward

        @functools.wraps(backward)
        def attended(tensors: Any, *args: Any, **kwargs: Any) -> None:
            self._meet_optimizers()
            for begin in self._before_backward:
                begin()
            if isinstance(tensors, Tensor) and tensors.numel() == 1:
                self.loss = float(tensors.detach())
            if self.retain and len(self.optimizers) > 1:
                named = dict(zip(("grad_tensors", "retain_graph", "create_graph"), args, strict=False))
                args, kwargs = (), {**named, **kwargs, "retain_graph": True}
            by_hand = graph.read(tensors) if not self.optimizers and isinstance(tensors, Tensor) else None
            backward(tensors, *args, **kwargs)
            self.waiting = True
            self._attend()
            if by_hand is not None:
                leaves = [leaf for leaf in by_hand.leaves if leaf.grad is not None]
                for act in self._before_update:
                    act(leaves)

        grad = torch.autograd.grad
        asked = functools.update_wrapper(functools.partial(self._asked, grad), grad)
        make = Optimizer.__init__

        @functools.wraps(make)
        def noticed(optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
            make(optimizer, *args, **kwargs)
            self._unmet.append(weakref.ref(optimizer))

        for owner, name, new in (
            (torch.autograd, "backward", attended),
            (torch.autograd, "grad", asked),
            (Optimizer, "__init__", noticed),
            *self._replaced,
        ):
            placed.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, new)
        return placed

    def _asked(self, grad: Callable[..., Any], outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """``torch.autograd.grad``, which an update by hand may take its gradients from."""
        inside, self._asking = self._asking, True  # on its way through the surgery it calls itself
        try:
            gradients = grad(outputs, inputs, *args, **kwargs)
        finally:
            self._asking = inside
        leaves = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
        trained = all(isinstance(leaf, Tensor) and leaf.is_leaf for leaf in leaves)
        if inside or self.optimizers or self._unmet or kwargs.get("create_graph") or not trained:
            return gradients
        if isinstance(outputs, Tensor) and outputs.numel() == 1:
            self.loss = float(outputs.detach())
        self._attend()
        return self._treated(leaves, gradients)

    def _treated(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
        """The gradients that ``torch.autograd.grad`` returns to an update by hand, as remedies leave them."""
        own = [leaf.grad for leaf in leaves]
        for leaf, gradient in zip(leaves, gradients, strict=True):
            leaf.grad = None if gradient is None else gradient.detach()
        held = [leaf for leaf in leaves if leaf.grad is not None]
        for act in self._before_update:
            act(held)
        treated = tuple(leaf.grad for leaf in leaves)
        for leaf, gradient in zip(leaves, own, strict=True):
            leaf.grad = gradient
        return treated

    def _attend(self, module: torch.nn.Module | None = None) -> None:
        """Do what waits for parameters, for those that can be found by now.

        To look for them takes long; it is done where a module is called for the first time, and else more and more
        seldom.
        """
        self._looks += 1
        new = module is not None and module not in self._met
        if module is not None and new:
            self._met.add(module)
        if not self._ready or not (new or self._looks >= self._due):
            return
        self._due = self._looks + 1 + self._looks // 10
        waiting, self._ready = self._ready, []
        alike: dict[int, list[Tensor]] | None = None
        wanted = {name: AGAIN.sub(".", name, count=1) for listed, _ in waiting for name in listed}
        found = names.find_parameters([*wanted, *wanted.values()], deep=self._searches > 0)
        self._searches -= any(name not in found for name in wanted)
        for listed, act in waiting:
            tensors = [p for name in listed if (p := self._take(name, wanted[name], found)) is not None]
            if len(tensors) < len(listed):
                self._ready.append((listed, act))
                continue
            alike = self._copies() if alike is None else alike
            with torch.no_grad():
                act(tensors)
            for tensor in tensors:
                self.surgery.share(tensor, alike[id(tensor)])
            further = [AGAIN.sub(lambda number: f"_{int(number[1]) + 1}.", name, count=1) for name in listed]
            if self._asked_for.isdisjoint(further) and self._guessed.isdisjoint(further):
                self._guessed.update(further)  # a model may be made again more often than was seen
                self._ready.append((further, act))

    def _copies(self) -> dict[int, list[Tensor]]:
        """The same parameters of networks that follow the trained one, as they stand before anything is changed."""
        known = [optimizer for r in (*self.optimizers, *self._unmet) if (optimizer := r()) is not None]
        return copies.untrained({id(p) for o in known for group in o.param_groups for p in group["params"]})

    def _take(self, name: str, first: str, found: dict[str, Tensor]) -> Tensor | None:
        """The parameter of this name; of a model made again, as for each fold, what its variable holds by now."""
        tensor = found.get(name, found.get(first))
        if tensor is None or (name in self._guessed and name in found):  # a layer's own number is no model's
            return None
        if tensor not in self._taken:
            self._taken[tensor] = name
        return tensor if self._taken[tensor] == name else None

    def _module_begins(self, module: torch.nn.Module, args: Any) -> None:
        self._attend(module)
        if torch.is_grad_enabled():
            for act in self._before_forward:
                act(module)

    def _meet_optimizers(self) -> None:
        while self._unmet:
            optimizer = self._unmet.pop(0)()
            if optimizer is not None:
                self.optimizers.append(weakref.ref(optimizer))
                for act in self._first_sight:
                    act(optimizer)

    def _step_begins(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._meet_optimizers()
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        for update in self._before_update:
            update(parameters)
        for before in self._before_step:
            before(optimizer)
        self.surgery.resting = not (kwargs.get("closure") or any(args[1:]))  # a closure is the program's forward pass

    def _step_ends(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self.waiting = self.surgery.resting = False
        for act in reversed(self._after_step):  # what was done last is undone first
            act(optimizer)


def exchange(optimizer: Optimizer, kind: str) -> None:
    """Make an optimizer one of another class, in place, so that every reference to it stays good.

    Its parameter groups keep their learning rate and weight decay and take the other settings of the new class.
    """
    new_class: type[Optimizer] = getattr(torch.optim, kind)
    # making one also makes torch wrap the class's step with its hooks
    template: Optimizer = getattr(torch.optim, kind)([torch.zeros(1, requires_grad=True)])
    scheduled = "step" in vars(optimizer)
    optimizer.__class__ = new_class
    optimizer.defaults = template.defaults
    for group in optimizer.param_groups:
        group.update({key: value for key, value in template.defaults.items() if key not in ("lr", "weight_decay")})
    optimizer.state.clear()
    if scheduled:  # a schedule counts steps through a wrapper of its own; keep it content

        def step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
            self._opt_called = True  # type: ignore[attr-defined]
            return new_class.step(self, *args, **kwargs)

        step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
        optimizer.step = MethodType(step, optimizer)  # type: ignore[method-assign]

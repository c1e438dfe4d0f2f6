"""Showing a kept batch again: the program runs to its first call of the model, and goes on with what was kept."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from fallline.record import names, replay
from fallline.record.kept import Batch
from fallline.record.recorder import StopTraining
from fallline.record.replay import Origin, Slope, Step, Tracer
from fallline.watch import script
from fallline.watch.script import Ending


@dataclass(frozen=True)
class Again:
    """A forward pass that was done again with a kept batch."""

    steps: tuple[Step, ...]  # in the order of the forward pass
    origin: Origin | None  # of what is not finite in its result; None where that is finite
    slope: Slope | None  # where a gradient stops being finite, if all of the forward pass is
    loss: float | None  # None where the program ended before it went backward
    notes: tuple[str, ...]


class Replay:
    """Waits for a program's call of the model, puts the kept batch in its place, and stops the program at backward.

    Attributes:
        result: what was seen; None while nothing was.
        problem: why there is none, in a sentence.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.result: Again | None = None
        self.problem = ""
        self._calls: list[dict[str, Any]] = batch.about["calls"]
        self._loaded = set[str]()  # models that have the kept parameters
        self._done = 0  # calls so far that got the inputs that were kept
        self._inside = False
        self._stack = ExitStack()
        self._tracer: Tracer | None = None
        self._outputs: list[Any] = []
        self._notes = [f"not kept: {what}, {why}" for what, why in batch.about["left_out"].items()]

    def run(self, program: Callable[[], None]) -> Ending:
        """Run a loaded program until then."""
        if not any(name.startswith("state/") for name in self.batch.tensors):
            self.problem = "; ".join(["the parameters were not kept", *self._notes])
            return Ending(0)
        with self._listening():
            ending = script.execute(program)
            if self._tracer is not None and self.result is None and not self.problem:
                self._conclude(None)
        if self.result is None and not self.problem:
            model = ", ".join(f"{name} ({kind})" for name, kind in self.batch.about["models"].items())
            self.problem = f"the program never {f'called the model {model}' if model else 'used the kept parameters'}"
            self.problem += f"; it ended with {ending.error}" if ending.error else ""
        return ending

    @contextmanager
    def _listening(self) -> Iterator[None]:
        originals = torch.autograd.backward, torch.autograd.grad, nn.Module.__call__
        torch.autograd.backward = functools.partial(self._backward, originals[0])
        torch.autograd.grad = functools.partial(self._backward, originals[1])
        called = originals[2]
        nn.Module.__call__ = lambda module, *args, **kwargs: self._call(called, module, args, kwargs)  # type: ignore[method-assign]
        try:
            with ExitStack() as stack:
                if not self._calls:
                    stack.enter_context(_FirstUse(self._begin_plain))
                yield
        finally:
            self._stack.close()
            torch.autograd.backward, torch.autograd.grad = originals[:2]
            nn.Module.__call__ = called  # type: ignore[method-assign]

    # -- the forward pass --------------------------------------------------------------------------------------------

    def _call(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        if self._inside or not self._calls or not torch.is_grad_enabled():
            return original(module, *args, **kwargs)
        told = self._calls[self._done] if self._done < len(self._calls) else None
        if told is not None and self._is_meant(told["model"], module):
            args, kwargs = self._given(told, module, args, kwargs)
            self._done += 1
        self._inside = True
        try:
            result = original(module, *args, **kwargs)
        finally:
            self._inside = False
        if self._tracer is not None:
            self._outputs.append(result)
        return result

    def _is_meant(self, name: str, module: nn.Module) -> bool:
        """Whether this is the model of the run; one of its name and class that does not fit ends the replay."""
        if type(module).__name__ != self.batch.about["models"][name]:
            return False
        problem = _misfit(self.batch.parameters(name), _state(module))
        if problem and names.find_modules().get(name) is module:
            self._stop(problem if self._notes else f"the program has changed since: {problem}")
        return not problem

    def _given(self, told: dict[str, Any], module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The inputs that were kept, in the place of the program's; before the first, everything else is put back."""
        if self._tracer is not None:
            self._tracer.paused = True
        if told["model"] not in self._loaded:
            self._loaded.add(told["model"])
            _load(self.batch.parameters(told["model"]), _state(module))
        args, kwargs = self.batch.given(told["args"], args), self.batch.given(told["kwargs"], kwargs)
        tracer = self._tracer or self._begin({told["model"]: module})
        tracer.know((t, "input", str(i)) for i, t in enumerate(tree_leaves((args, kwargs))))
        tracer.know(replay.parts(module))
        tracer.paused = False
        return args, kwargs

    def _begin_plain(self) -> bool:
        """Begin where the program first uses its parameters, which belong to no module."""
        leaves = self.batch.about["leaves"]
        if len(names.find_parameters(leaves)) < len(leaves):
            return False
        self._begin({})
        return True

    def _begin(self, models: dict[str, nn.Module]) -> Tracer:
        self._restore_leaves()
        variables = self._restore_variables()
        if "random" in self.batch.tensors:
            torch.set_rng_state(self.batch.tensors["random"])
        self._tracer = tracer = Tracer([(value, "variable", name) for name, value in variables.items()], listed=True)
        self._stack.enter_context(replay.layers_named(tracer, models))
        self._stack.enter_context(replay.tracebacks())
        if "torch._dynamo" in sys.modules:
            self._stack.enter_context(torch.compiler.set_stance("force_eager"))
        self._stack.enter_context(tracer)
        return tracer

    def _restore_leaves(self) -> None:
        """Put the kept numbers into parameters outside the models that are called."""
        saved = self.batch.parameters("")
        for name in self.batch.about["leaves"]:
            found = names.find_parameters([name]) if name in saved else {}
            if not found:
                self._notes.append(f"not put back: the parameter {name}")
            elif problem := _misfit({name: saved[name]}, found):
                self._stop(f"the program has changed since: {problem}")
            else:
                _load(saved, found)

    def _restore_variables(self) -> dict[str, Tensor]:
        """Put the kept numbers into the program's variables, such as the targets; the variables."""
        found = {}
        for name, value in self.batch.variables.items():
            held = names.find_tensor(name)
            if held is None or held.requires_grad or held.dtype != value.dtype:
                continue
            if held.shape != value.shape or not torch.equal(held, value):
                held.data = value.clone()
            found[name] = held
        return found

    # -- the end -----------------------------------------------------------------------------------------------------

    def _backward(self, original: Callable[..., Any], tensors: Any, *args: Any, **kwargs: Any) -> Any:
        if self._tracer is None or kwargs.get("create_graph"):
            return original(tensors, *args, **kwargs)
        try:
            self._conclude([tensors] if isinstance(tensors, Tensor) else list(tensors))
        except RuntimeError as error:  # PyTorch cannot go backward through this graph
            self.problem = str(error).partition("\n")[0]
        raise StopTraining

    def _conclude(self, losses: list[Tensor] | None) -> None:
        tracer, self._tracer = self._tracer, None
        self._calls = []
        self._stack.close()
        if tracer is None:
            return
        origin = tracer.origin(self._outputs if losses is None else losses)
        slope = None
        if losses is not None and origin is None and all(loss.grad_fn is not None for loss in losses):
            slope = replay.slope(losses)
        value = float(losses[0].detach().sum()) if losses else None
        self.result = Again(tuple(tracer.steps), origin, slope, value, tuple(self._notes))

    def _stop(self, problem: str) -> None:
        self.problem = problem
        raise StopTraining


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _load(saved: dict[str, Tensor], state: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, now in state.items():
            now.copy_(saved[name])


def _misfit(saved: dict[str, Tensor], state: dict[str, Tensor]) -> str:
    """Why kept numbers do not fit parameters and buffers; "" where they do."""
    if state and not saved:
        return "the parameters were not kept"
    for name, now in state.items():
        before = saved.get(name)
        if before is None or before.shape != now.shape:
            then = "was not there" if before is None else f"was {tuple(before.shape)}"
            return f"{name} is {tuple(now.shape)} and {then} in the run"
    gone = sorted(set(saved) - set(state))
    return f"{gone[0]} is there no more" if gone else ""


class _FirstUse(TorchFunctionMode):
    """Calls ``begin`` at the program's operations on leaves with gradients, until it has begun."""

    def __init__(self, begin: Callable[[], bool]) -> None:
        super().__init__()
        self.begin, self.begun = begin, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not self.begun and torch.is_grad_enabled() and getattr(func, "__name__", "") not in _NO_USE:
            leaves = (t for t in tree_leaves((args, kwargs or {})) if isinstance(t, Tensor))
            if any(t.is_leaf and t.requires_grad for t in leaves):
                self.begun = self.begin()
        return func(*args, **(kwargs or {}))


_NO_USE = (
    "__get__",
    "__set__",
    "__delete__",
    "requires_grad_",
    "__repr__",
    "__hash__",
    "detach",
    "size",
    "dim",
    "numel",
)

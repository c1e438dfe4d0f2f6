"""Tracing one backward pass: of a model on a batch, or the first one of somebody's program."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from fallline.calculus.backprop import Trace
from fallline.record import graph as autograd
from fallline.record import names
from fallline.record.recorder import StopTraining
from fallline.record.tape import Tape
from fallline.record.trace import TraceError, leaf_names, trace
from fallline.watch import script
from fallline.watch.script import Ending

Model = Callable[..., Any]


def trace_call(model: Model, args: Sequence[Any], finish: Callable[[Any], Any], verify: bool) -> Trace:
    """Trace ``finish(model(*args))``.

    The model, its gradients, its buffers (running statistics) and the random numbers are afterwards as they were.

    Raises:
        TraceError: the result is not one number with a graph.
    """
    inputs = [_asking(value) if not isinstance(model, nn.Module) else value for value in args]
    given = {id(value): name for name, value in zip(_argument_names(model, len(inputs)), inputs, strict=True)}
    roots = {"model": model} if isinstance(model, nn.Module) else {}
    with torch.random.fork_rng(), _buffers_kept(model), torch.enable_grad():
        with (tape := Tape(keep=verify)):
            loss = finish(model(*inputs))
        if not isinstance(loss, Tensor):
            raise TraceError(f"the loss must be a tensor; it is {type(loss).__name__}: give a loss_fn that returns one")
        return trace(loss, tape, lambda leaves: leaf_names(leaves, given, roots))


def _asking(value: Any) -> Any:
    """A function's own arguments are what its gradient is asked for; numbers become float64."""
    if isinstance(value, (int, float)):
        value = torch.tensor(float(value), dtype=torch.float64)
    elif isinstance(value, list):
        value = torch.tensor(value, dtype=torch.float64)
    if not isinstance(value, Tensor) or not (value.is_floating_point() or value.is_complex()):
        return value
    return value if value.requires_grad else value.detach().clone().requires_grad_()


def _argument_names(model: Model, count: int) -> list[str]:
    """The names that the model gives its arguments."""
    function = model.forward if isinstance(model, nn.Module) else model
    try:
        found = [
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):  # a built-in function has no signature
        found = []
    if isinstance(model, nn.Sequential):
        found = ["x"]  # the signature of Sequential says "input", everybody says x
    return (found + [f"x{i}" for i in range(len(found), count)])[:count]


@contextmanager
def _buffers_kept(model: Model) -> Iterator[None]:
    buffers = [(b, b.detach().clone()) for b in model.buffers()] if isinstance(model, nn.Module) else []
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


class FirstBackward:
    """Waits for a program's first backward pass, traces it and stops the program there.

    Attributes:
        trace: what was seen; None while nothing was.
        problem: why there is none, in a sentence; "" while there was no backward pass.
    """

    def __init__(self, verify: bool) -> None:
        self.trace: Trace | None = None
        self.problem = ""
        self._tape = Tape(keep=verify)

    def run(self, program: Callable[[], None]) -> Ending:
        """Run a loaded program until then."""
        backward, grad = torch.autograd.backward, torch.autograd.grad
        torch.autograd.backward = functools.partial(self._backward, backward)
        torch.autograd.grad = functools.partial(self._grad, grad)
        self._originals = backward, grad
        try:
            with self._tape:
                return script.execute(program)
        finally:
            self._restore()

    def _restore(self) -> None:
        torch.autograd.backward, torch.autograd.grad = self._originals

    def _backward(
        self, original: Callable[..., Any], tensors: Any, grad_tensors: Any = None, *args: Any, **kw: Any
    ) -> Any:
        losses = [tensors] if isinstance(tensors, Tensor) else list(tensors)
        seeds = [grad_tensors] if grad_tensors is None or isinstance(grad_tensors, Tensor) else list(grad_tensors)
        if all(loss.grad_fn is None for loss in losses):
            return original(tensors, grad_tensors, *args, **kw)  # PyTorch says what is wrong with that
        self._stop_at(losses, seeds)

    def _grad(self, original: Callable[..., Any], outputs: Any, inputs: Any, *args: Any, **kw: Any) -> Any:
        """``torch.autograd.grad`` counts where it asks for the gradients of parameters."""
        if not isinstance(inputs, (Tensor, tuple, list, dict)):
            inputs = tuple(inputs)  # a generator, such as model.parameters(), can be read only once
        losses = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        if _trains(losses, inputs):
            seeds = args[0] if args else kw.get("grad_outputs")
            self._stop_at(losses, [seeds] if seeds is None or isinstance(seeds, Tensor) else list(seeds))
        return original(outputs, inputs, *args, **kw)

    def _stop_at(self, losses: list[Tensor], seeds: list[Any]) -> None:
        self._restore()
        if self.trace is None and not self.problem:
            try:
                loss, note = _one(losses, seeds)
                found = trace(loss, self._tape, lambda leaves: leaf_names(leaves, {}, names.find_modules()))
                self.trace = _noted(found, note)
            except (TraceError, RuntimeError) as error:
                self.problem = str(error).partition("\n")[0]
        self._tape.paused = True
        self._tape.forget()
        raise StopTraining


def _one(losses: list[Tensor], seeds: list[Any]) -> tuple[Tensor, str]:
    """The one number whose gradient a call of backward computes, and what to say of it."""
    if len(losses) == 1 and losses[0].numel() == 1 and seeds[0] is None:
        return losses[0], ""
    seeds = seeds if len(seeds) == len(losses) else [None] * len(losses)
    parts = [
        (loss if seed is None else loss * seed).sum()
        for loss, seed in zip(losses, seeds, strict=True)
        if loss.requires_grad
    ]
    total = functools.reduce(torch.add, parts)
    return total, "backward was called on more than one number: the trace is of their sum, weighted as the call asked"


def _noted(found: Trace, note: str) -> Trace:
    return replace(found, notes=(note, *found.notes)) if note else found


def _trains(losses: list[Tensor], inputs: Any) -> bool:
    """Whether the gradients asked for are those of parameters, not those of data (an attack, a penalty)."""
    asked = [inputs] if isinstance(inputs, Tensor) else list(inputs.values() if isinstance(inputs, dict) else inputs)
    if not asked or not all(isinstance(t, Tensor) and t.is_leaf for t in asked) or losses[0].grad_fn is None:
        return False
    if any(isinstance(t, nn.Parameter) for t in asked):
        return True
    graph = autograd.read(losses[0])
    return graph is not None and not any(isinstance(leaf, nn.Parameter) for leaf in graph.leaves)

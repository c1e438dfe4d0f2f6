"""The calls of a program's models in the forward pass under way, held so that they can be done again.

What a call needs besides the parameters is held by reference, and let go at the update: its inputs, the state of the
random numbers, and copies of those buffers that a forward pass changes.

While models are looked for, ``torch.nn.Module.__call__`` is replaced. That costs in every call of every module, so once
the models are known only they are listened to, in the place where a compiled module keeps its own way of being called:
no copy, pickle or state of the module takes it along.
"""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._C._dynamo import eval_frame

MOST = 8  # calls held at once, the latest
FREE = 64  # calls without gradients held at once, the latest of each model
PROBES = 3  # first calls of a model, in which it is seen whether it draws random numbers and changes buffers
SPARE = 2**22  # entries of changing buffers that are copied at each call, and of inputs of calls without gradients

PLACE = "_compiled_call_impl"  # of a module, looked up at each call

_compiling = torch.compiler.is_dynamo_compiling
_is_any_autocast: Callable[[], bool] = torch._C._is_any_autocast_enabled


@dataclass(slots=True)
class Known:
    """A model that was called, and what its calls showed while models were looked for."""

    module: weakref.ref[nn.Module]
    training: bool
    code: CodeType  # of the caller
    instruction: int
    autocast: torch.dtype | None = None
    probes: int = 0
    draws: bool = False  # random numbers
    moving: set[str] = field(default_factory=set)  # names of the buffers that it changes


class Call(NamedTuple):
    """One call of a model from outside any other model."""

    known: Known
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    version: int  # of the first input, -1 where that is no tensor
    random: Tensor | None
    buffers: Mapping[str, Tensor]  # as they were, those that change
    training: bool = True  # the model's mode


class Calls:
    """The latest calls from outside any module, with gradients on, since the last backward pass or update."""

    def __init__(self) -> None:
        self._held: list[tuple[Any, ...]] = []  # the fields of a Call; to make one takes longer
        self.used = False  # whether a backward pass came since: the next call begins a new forward pass
        self.fault = ""  # of holding a call, the last
        self.thread: int | None = None  # the one that trains; any while it is not known
        self._inside = self._listening = False
        self._original: Callable[..., Any] | None = None  # of Module.__call__, while models are looked for
        self._called: Callable[..., Any] | None = None  # what stands in its place
        self.free: dict[int, list[Call]] = {}  # the last calls without gradients since the last update
        self._known: dict[int, Known] = {}
        self._heard: list[weakref.ref[nn.Module]] = []  # models with a listener

    def install(self) -> Callable[[], None]:
        """Begin to listen; what is returned ends it."""
        self._listening = True
        self.settle()
        if not self._heard:
            self.search()
        return self._remove

    def search(self) -> None:
        """Look for models, in every call of every module."""
        if self._original is not None or not self._listening:
            return
        original = nn.Module.__call__

        @functools.wraps(original)
        def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if _compiling() or self._inside or self._called is not called:
                return original(module, *args, **kwargs)
            if not torch.is_grad_enabled():
                known = self._known.get(id(module))
                if known is not None and known.module() is module:
                    self.let_go(known, module, args, kwargs)
                return original(module, *args, **kwargs)
            return self._look(original, module, args, kwargs)

        _skip(called)
        self._original, self._called = original, called
        self._leave()
        nn.Module.__call__ = called  # type: ignore[method-assign]

    def settle(self) -> None:
        """Listen to the models found so far only, if there are any."""
        models = [(model, k) for k in self._known.values() if (model := k.module()) is not None]
        if self._heard or not models or not self._listening:
            return
        self._stop_search()
        for model, known in models:
            self._heard.append(known.module)
            before = vars(model).get(PLACE)
            vars(model)[PLACE] = Listener(self, known, None if type(before) is Listener else before)

    def _leave(self) -> None:
        """Listen to no model any more."""
        for reference in self._heard:
            model = reference()
            listener = vars(model).get(PLACE) if model is not None else None
            if model is None or type(listener) is not Listener or listener.calls is not self:
                continue
            if listener.before is None:
                del vars(model)[PLACE]
            else:
                vars(model)[PLACE] = listener.before
        self._heard.clear()

    def _stop_search(self) -> None:
        if self._original is not None:
            if nn.Module.__call__ is self._called:  # else the program has put its own around it
                nn.Module.__call__ = self._original  # type: ignore[method-assign]
            self._original = self._called = None

    def _remove(self) -> None:
        self._listening = False
        self._leave()
        self._stop_search()
        self.clear()

    @property
    def held(self) -> list[Call]:
        """The calls, in their order."""
        return [Call(*fields) for fields in self._held]

    def clear(self) -> None:
        """Let go of all calls."""
        self._held.clear()
        if self.free:
            self.free.clear()
        self.used = self._inside = False

    def paused(self, paused: bool) -> None:
        """While paused, no call is held: those of a replay are none of the program's."""
        self._inside = paused

    def _look(self, original: Callable[..., Any], module: nn.Module, args: tuple[Any, ...], kwargs: Any) -> Any:
        """Call a model while models are looked for."""
        if self.thread is not None and threading.get_ident() != self.thread:
            return original(module, *args, **kwargs)
        known = None
        try:
            known = self._meet(module)
            self.hold(known, module, args, kwargs)
        except Exception as error:  # the program's call must go on whatever happens here
            self.fault = f"{type(error).__name__}: {error}"
        self._inside = True
        try:
            return original(module, *args, **kwargs)
        finally:
            self._inside = False
            if known is not None and known.probes < PROBES and self._held:
                self._probe(Call(*self._held[-1]))

    def _meet(self, module: nn.Module) -> Known:
        caller = sys._getframe(3)
        known = self._known.get(id(module))
        if known is None or known.module() is not module or known.training is not module.training:
            self._known = {key: known for key, known in self._known.items() if known.module() is not None}
            known = Known(weakref.ref(module), module.training, caller.f_code, caller.f_lasti)
            self._known[id(module)] = known
        known.code, known.instruction = caller.f_code, caller.f_lasti
        known.autocast = torch.get_autocast_dtype("cpu") if _is_any_autocast() else None
        return known

    def hold(self, known: Known, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hold a call that is about to be made."""
        if self.used:
            self.clear()
        elif len(self._held) >= MOST:
            del self._held[0]
        probing = known.probes < PROBES
        self._held.append((
            known, module, args, kwargs,
            args[0]._version if args and type(args[0]) is Tensor else -1,
            torch.default_generator.get_state() if probing or known.draws else None,
            _copies(module, None if probing else known.moving) if probing or known.moving else {},
        ))  # fmt: skip

    def let_go(self, known: Known, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Take note of a call without gradients."""
        try:
            size = args[0].numel() if args and type(args[0]) is Tensor else None
            if type(size) is int and size <= SPARE:  # a tensor while torch.jit traces
                calls = self.free.setdefault(id(module), [])
                if calls and calls[-1].training is not module.training:
                    calls.clear()
                calls.append(Call(known, module, args, kwargs, -1, None, {}, module.training))
                del calls[: -FREE if size <= SPARE // FREE else -1]
        except Exception as error:  # the program's call must go on whatever happens here
            self.fault = f"{type(error).__name__}: {error}"

    def _probe(self, call: Call) -> None:
        """See what one of the first calls drew and changed: later only that is copied."""
        try:
            known, random, buffers = call.known, call.random, dict(call.module.named_buffers())
            known.probes += 1
            if random is not None and not torch.equal(random, torch.default_generator.get_state()):
                known.draws = True
            for name, copy in call.buffers.items():
                if name in buffers and (buffers[name].shape != copy.shape or not torch.equal(buffers[name], copy)):
                    known.moving.add(name)
        except Exception as error:
            self.fault = f"{type(error).__name__}: {error}"


class Listener:
    """What a model is called by while it is listened to; little is done, since this is in every update."""

    __slots__ = ("before", "calls", "known", "module")

    def __init__(self, calls: Calls, known: Known, before: Callable[..., Any] | None) -> None:
        self.calls, self.known, self.before = calls, known, before
        self.module = known.module

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy of the module, or its pickle, holds what the program put in this place, as a rule nothing."""
        return (type(None), ()) if self.before is None else (_same, (self.before,))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        compiling, calls, module = _compiling(), self.calls, self.module()
        caller = sys._getframe(1).f_locals.get("self")
        if caller is not None and caller is not module:  # a clone that took over the attributes as they are
            return caller._call_impl(*args, **kwargs)
        assert module is not None  # it is calling
        go = self.before or module._call_impl
        if compiling or calls._inside:
            return go(*args, **kwargs)
        if not torch.is_grad_enabled():
            calls.let_go(self.known, module, args, kwargs)
            return go(*args, **kwargs)
        try:
            calls.hold(self.known, module, args, kwargs)
        except Exception as error:  # the program's call must go on whatever happens here
            calls.fault = f"{type(error).__name__}: {error}"
        calls._inside = True  # until the call ends; after one that fails, until the next update
        result = go(*args, **kwargs)
        calls._inside = False
        return result


def _same(value: Any) -> Any:
    return value


def _copies(module: nn.Module, names: set[str] | None) -> dict[str, Tensor]:
    """Copies of the buffers that may change (``names``: those that do), as long as they are small together."""
    copies, room = {}, SPARE
    for name, buffer in module.named_buffers():
        if (names is None or name in names) and type(buffer) is Tensor and buffer.numel() <= room:
            room -= buffer.numel()
            copies[name] = buffer.detach().clone()
    return copies


def _skip(function: Any) -> None:
    """Let ``torch.compile`` compile what a function calls, but not the function, as it does with PyTorch's own."""
    code, skip = function.__code__, getattr(eval_frame, "skip_code", None)
    if skip is not None:  # in older PyTorch
        skip(code)
    else:
        action = eval_frame._FrameAction
        eval_frame.set_code_exec_strategy(code, eval_frame._FrameExecStrategy(action.SKIP, action.DEFAULT))


for _function in (
    Calls._look,
    Calls._meet,
    Calls.hold,
    Calls.let_go,
    Calls._probe,
    Calls.clear,
    Listener.__call__,
    _copies,
):
    _skip(_function)

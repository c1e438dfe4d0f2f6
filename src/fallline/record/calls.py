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
from typing import Any

import torch
from torch import Tensor, nn

MOST = 8  # calls held at once, the latest
PROBES = 3  # first calls of a model, in which it is seen whether it draws random numbers and changes buffers
SPARE = 2**22  # entries of changing buffers that are copied at each call

PLACE = "_compiled_call_impl"  # of a module, looked up at each call

_is_any_autocast: Callable[[], bool] = torch._C._is_any_autocast_enabled


@dataclass(slots=True)
class Known:
    """A model that was called, and what its first calls showed."""

    module: weakref.ref[nn.Module]
    training: bool
    probes: int = 0
    draws: bool = False  # random numbers
    moving: set[str] = field(default_factory=set)  # names of the buffers that it changes


@dataclass(slots=True)
class Call:
    """One call of a model from outside any other model."""

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    code: CodeType  # of the caller
    instruction: int
    versions: tuple[int, ...]  # of the tensors among ``args``
    autocast: torch.dtype | None
    random: Tensor | None = None
    buffers: Mapping[str, Tensor] = field(default_factory=dict)
    probed: bool = False  # one of the first calls


class Calls:
    """The latest calls from outside any module, with gradients on, since the last backward pass or update."""

    def __init__(self) -> None:
        self.held: list[Call] = []
        self.used = False  # whether a backward pass came since: the next call begins a new forward pass
        self.fault = ""  # of holding a call, the last
        self.thread: int | None = None  # the one that trains; any while it is not known
        self._inside = self._listening = False
        self._original: Callable[..., Any] | None = None  # of Module.__call__, while models are looked for
        self._known: dict[int, Known] = {}

    def install(self) -> Callable[[], None]:
        """Begin to listen; what is returned ends it."""
        self._listening = True
        self.search()
        return self._remove

    def search(self) -> None:
        """Look for models, in every call of every module."""
        if self._original is not None or not self._listening:
            return
        original, compiling = nn.Module.__call__, torch.compiler.is_dynamo_compiling

        @functools.wraps(original)
        def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if compiling() or self._inside or not torch.is_grad_enabled():
                return original(module, *args, **kwargs)
            return self.listen(functools.partial(original, module), module, args, kwargs, 2)

        self._original = original
        self._leave()
        nn.Module.__call__ = called  # type: ignore[method-assign]

    def settle(self) -> None:
        """Listen to the models found so far only."""
        known = [model for k in self._known.values() if (model := k.module()) is not None]
        if self._original is None or not known:
            return
        nn.Module.__call__ = self._original  # type: ignore[method-assign]
        self._original = None
        for model in known:
            vars(model)[PLACE] = Listener(self, weakref.ref(model), vars(model).get(PLACE))

    def _leave(self) -> None:
        """Listen to no model any more."""
        for known in self._known.values():
            model = known.module()
            listener = vars(model).get(PLACE) if model is not None else None
            if model is None or type(listener) is not Listener or listener.calls is not self:
                continue
            if listener.before is None:
                del vars(model)[PLACE]
            else:
                vars(model)[PLACE] = listener.before

    def _remove(self) -> None:
        self._listening = False
        self._leave()
        if self._original is not None:
            nn.Module.__call__ = self._original  # type: ignore[method-assign]
            self._original = None
        self.clear()

    def clear(self) -> None:
        """Let go of all calls."""
        self.held.clear()
        self.used = False

    def paused(self, paused: bool) -> None:
        """While paused, no call is held: those of a replay are none of the program's."""
        self._inside = paused

    def listen(self, go: Callable[..., Any], module: nn.Module, args: tuple[Any, ...], kwargs: Any, depth: int) -> Any:
        """Call a model by ``go``, and hold what it was called with; its caller is ``depth`` frames above."""
        if self.thread is not None and threading.get_ident() != self.thread:
            return go(*args, **kwargs)
        call = self._hold(module, args, kwargs, depth + 1)
        self._inside = True
        try:
            return go(*args, **kwargs)
        finally:
            self._inside = False
            if call is not None and call.probed:
                self._probe(call)

    def _hold(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], depth: int) -> Call | None:
        try:
            if self.used:
                self.clear()
            elif len(self.held) >= MOST:
                del self.held[0]
            known = self._known.get(id(module))
            if known is None or known.module() is not module or known.training is not module.training:
                known = self._meet(module)
            caller, probing = sys._getframe(depth), known.probes < PROBES
            call = Call(
                module, args, kwargs, caller.f_code, caller.f_lasti,
                tuple([a._version for a in args if type(a) is Tensor]),
                torch.get_autocast_dtype("cpu") if _is_any_autocast() else None,
                torch.default_generator.get_state() if probing or known.draws else None,
                _copies(module, None if probing else known.moving) if probing or known.moving else {},
                probing,
            )  # fmt: skip
            self.held.append(call)
            return call
        except Exception as error:  # the program's call must go on whatever happens here
            self.fault = f"{type(error).__name__}: {error}"
            return None

    def _probe(self, call: Call) -> None:
        """See what one of the first calls drew and changed: later only that is copied."""
        try:
            known = self._known[id(call.module)]
            known.probes += 1
            random, buffers = call.random, dict(call.module.named_buffers())
            if random is not None and not torch.equal(random, torch.default_generator.get_state()):
                known.draws = True
            for name, copy in call.buffers.items():
                if name in buffers and (buffers[name].shape != copy.shape or not torch.equal(buffers[name], copy)):
                    known.moving.add(name)
        except Exception as error:
            self.fault = f"{type(error).__name__}: {error}"

    def _meet(self, module: nn.Module) -> Known:
        self._known = {key: known for key, known in self._known.items() if known.module() is not None}
        known = self._known[id(module)] = Known(weakref.ref(module), module.training)
        return known


class Listener:
    """What a model is called by while it is listened to."""

    __slots__ = ("before", "calls", "module")

    def __init__(self, calls: Calls, module: weakref.ref[nn.Module], before: Callable[..., Any] | None) -> None:
        self.calls, self.module, self.before = calls, module, before

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        module = self.module()
        assert module is not None  # it is calling
        go = self.before or module._call_impl
        if self.calls._inside or not torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return go(*args, **kwargs)
        return self.calls.listen(go, module, args, kwargs, 3)


def _copies(module: nn.Module, names: set[str] | None) -> dict[str, Tensor]:
    """Copies of the buffers that may change (``names``: those that do), as long as they are small together."""
    copies, room = {}, SPARE
    for name, buffer in module.named_buffers():
        if (names is None or name in names) and type(buffer) is Tensor and buffer.numel() <= room:
            room -= buffer.numel()
            copies[name] = buffer.detach().clone()
    return copies

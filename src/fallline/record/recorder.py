"""The recorder: sees every update of a running training and measures it within a time budget."""

from __future__ import annotations

import cmath
import functools
import itertools
import json
import math
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import _are_functorch_transforms_active as _transforming
from torch._C import _len_torch_dispatch_stack as _counted
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils._python_dispatch import _disable_current_modes

from fallline.record import graph as autograd
from fallline.record import measure, signs
from fallline.record.carried import Carried
from fallline.record.catalog import OTHERS, Catalog
from fallline.record.inquiry import Inquiry
from fallline.record.lookout import Lookout
from fallline.record.observer import Observer
from fallline.record.operations import PIECEWISE
from fallline.record.race import Race
from fallline.record.sample import Sample
from fallline.record.schedule import FIRST, Schedule
from fallline.record.store import FLUSH_SECONDS, Store, cell
from fallline.record.tally import Hook, Tally, rate, total, untraced

BUDGET = 0.03  # share of the training's time that watching may take
BACKWARDS = 64  # most of one update that are measured densely
STARTS = 1000  # parameters whose start is kept also when they are gone
SPARE = 2**24  # entries of memory kept for the next copies of the parameters
LARGEST = 4_000_000  # entries of a weight whose units are compared
UNITS = 256  # longer vectors are not searched for equal entries
ROUNDED = 1e-5  # of the largest: entries of a vector that are equal but for rounding, which the lanes of a CPU do apart
CAREFUL = 50  # updates at the start that are looked at more closely
TOGETHER = 64  # updates handed over at once


class StopTraining(BaseException):
    """Raised inside the program's loop when a trial has seen the updates it wanted."""


class Recorder:
    """Records one process's training into a store.

    It listens to every ``backward`` and every optimizer step of the process. Between those two it adds hooks to the
    nodes of the autograd graph, only for the updates it measures densely, and removes them when backward is over.
    Nothing it does changes a number of the training. A fault of its own stops the recorder, not the training; one in a
    look at a single loss, layer or batch leaves that out.

    ``limit``: raise :class:`StopTraining` after this many updates, ``seconds``: after this much training. ``ahead``:
    take the curvature of the first batch's loss. ``bars``: see :class:`Race`.
    """

    _kept: tuple[int, list[tuple[Tensor, Tensor, int]]] | None = None  # gradients that an update by hand left there
    inquires = True  # whether the program's own lines are looked for, and the batch is kept, when a loss is not finite

    def __init__(
        self,
        store: Store,
        budget: float = BUDGET,
        limit: int | None = None,
        seconds: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
        ahead: bool = False,
        bars: Sequence[tuple[int, float]] = (),
    ) -> None:
        self.store, self.clock = store, clock
        self.limit, self.seconds, self.race = limit, seconds, Race(bars)
        self.catalog = Catalog(store)
        self._lookout = Lookout(store, self.catalog, ahead)
        self.fault: str | None = None
        self.lapse: str | None = None  # the first fault that only left something out
        self._thread: int | None = None  # the one that trains first is listened to
        self._undo: list[Callable[[], None]] = []
        # the update under way
        self._schedule = Schedule(budget)
        self._sample: Sample | None = Sample()
        self._samples = 0
        self._start: dict[int, Tensor] = {}
        self._settled = -math.inf  # when rows were last handed over
        self._carried = Carried(store)
        # updates written by hand
        self._stepped = False
        self._hand: list[tuple[weakref.ref[Tensor], int, Tensor]] = []
        self._asked: dict[tuple[Any, ...], bool] = {}
        self._scaled: tuple[weakref.ref[Tensor], Tensor, Tensor | None] | None = None
        self._broken = False  # whether a number was not finite
        self._inquiry, self._labels = Inquiry(store, self.catalog), signs.Labels(self._see_labels)
        self._tally = Tally(self._inquiry, self._give_up)
        self._observer = Observer(self.catalog, self._inquiry.calls, self._safely)
        # copies of the parameters while a closure runs, and memory for the next ones
        self._copies, self._spare = list[Tensor](), list[Tensor]()

    @property
    def step(self) -> int:
        """The update under way: so many were made."""
        return self._tally.step

    @property
    def spent(self) -> float:
        """Seconds that watching took."""
        return self._tally.spent

    # -- being there and gone again ------------------------------------------------------------------------------

    def start(self) -> Recorder:
        """Begin to listen."""
        tally, latest = self._tally, self._schedule.last
        tally.halt()
        self._replace(torch.autograd, "backward", self._backward, tally.backward)
        self._replace(torch.autograd, "grad", self._grad)
        self._replace(torch.amp.GradScaler, "scale", self._scale)
        before = register_optimizer_step_pre_hook(tally.before_step(untraced(self._before_any_step), self.clock))
        after = register_optimizer_step_post_hook(tally.after_step(untraced(self._after_any_step), self.clock, latest))
        self._undo += [before.remove, after.remove, self._inquiry.calls.install()]
        return self

    def release(self) -> None:
        """Remove everything that was put in place; :meth:`start` puts it back."""
        self._labels.leave()
        self._tally.halt()
        while self._undo:
            self._undo.pop()()

    def stop(self) -> None:
        """Remove everything that was put in place, and hand over what is still pending."""
        if self.inquires and not self._broken:
            self._guard(self._look_at_the_last)
        self.release()
        if self._hand and not self._stepped and self._tally.count:
            self._guard(self._hand_step, True)
        self._inquiry.drop()
        try:
            self._settle(self.clock())
        except Exception as error:  # a device that failed keeps its numbers
            self._give_up(error)
        now = self.clock()
        self._tally.begin(now)
        seconds = now - self._tally.began
        own = {"fault": self.fault} | ({"lapse": self.lapse} if self.lapse else {})
        self.store.meta(steps=self.step, overhead_seconds=self.spent, training_seconds=seconds, **own)

    def _look_at_the_last(self) -> None:
        """A program that sees a loss that is not finite may end without going backward."""
        detail = self._inquiry.last(self.step)
        if detail is not None:
            self._broken = True
            self.store.event(self.step, "non-finite", **detail)
        self._inquiry.evaluations(self.step, self._observer.dropped)

    def _replace(self, owner: Any, name: str, replacement: Hook, light: Callable[..., Hook] | None = None) -> None:
        """Put a hook around a function; ``light`` makes of both the one that is called first."""
        original = getattr(owner, name)
        hook = untraced(functools.partial(replacement, original))
        hook = light(original, hook, self.clock) if light is not None else hook
        setattr(owner, name, functools.update_wrapper(hook, original))

        def undo() -> None:
            if getattr(owner, name) is hook:  # else the program has put its own around it, which stays
                setattr(owner, name, original)

        self._undo.append(undo)

    def _safely(self, hook: Hook) -> Hook:
        """The same hook, timed, and with its faults kept away from the training."""
        return functools.partial(self._guard, self._try, hook)

    def _try(self, look: Hook, *args: Any) -> Any:
        """What a look at one thing shows; None where it fails, and then the watching goes on without it."""
        try:
            return look(*args)
        except Exception as error:
            if self.lapse is None:
                self.lapse = _told(error)
                self.store.event(self.step, "lapse", message=self.lapse)
            return None

    def _guard(self, hook: Hook, *args: Any) -> Any:
        if self.fault is not None:
            return None
        start = self.clock()
        try:
            if _counted():  # by a mode of the program's own, to which these operations are none
                with _disable_current_modes():
                    return hook(*args)
            return hook(*args)
        except Exception as error:  # the training must go on whatever happens here
            self._give_up(error)
            return None
        finally:
            self._tally.spent += self.clock() - start

    def _give_up(self, error: Exception) -> None:
        self.fault = _told(error)
        self.store.event(self.step, "fault", message=self.fault)
        self._sample = None
        self._tally.halt()

    @property
    def notes(self) -> list[str]:
        """Its own faults, in sentences for the user."""
        said = []
        if self.lapse:
            said.append(f"fallline left out what it could not read, by a fault of its own: {self.lapse}")
        if self.fault:
            said.append(f"fallline stopped watching at step {self.step} by a fault of its own: {self.fault}")
        return said

    # -- backward ----------------------------------------------------------------------------------------------------

    def _listening(self) -> bool:
        if self._tally.inside or self.fault is not None or not self._undo:
            return False
        return self._in_thread() and not _transforming()  # inside vmap and its like no tensor has a value

    def _in_thread(self) -> bool:
        """Whether this is the thread that trains."""
        here = threading.get_ident()
        if self._thread is None:
            self._thread = self._inquiry.calls.thread = here
        return self._thread == here

    def _backward(self, original: Hook, tensors: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._listening():
            return original(tensors, *args, **kwargs)
        self._tally.halt()
        handles = self._guard(self._before_backward, tensors)
        if not self._stepped:
            self._stop_if_enough()
        self._tally.inside = True
        try:
            return original(tensors, *args, **kwargs)
        finally:
            self._tally.inside, self._inquiry.calls.used = False, True
            for handle in handles or ():
                handle.remove()
            if not self._stepped:
                self._guard(self._after_hand_backward, None)
            elif self.step < CAREFUL:
                self._guard(self._carried.fill)

    def _grad(self, original: Hook, outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """``torch.autograd.grad`` counts as a training's backward only where no optimizer steps."""
        if kwargs.get("create_graph") and self._sample is not None and self._listening():
            derivatives = original(outputs, inputs, *args, **kwargs)
            self._guard(self._note_derivatives, outputs, inputs, derivatives)
            return derivatives
        if not self._listening() or self._stepped or kwargs.get("create_graph") or _of_functional():
            return original(outputs, inputs, *args, **kwargs)
        if not isinstance(inputs, (Tensor, tuple, list, dict)):
            inputs = tuple(inputs)  # a generator, such as model.parameters(), can be read only once
        leaves = self._guard(self._trained_by, outputs, inputs)
        if not leaves:
            return original(outputs, inputs, *args, **kwargs)
        handles = self._guard(self._before_backward, outputs)
        self._tally.inside = True
        try:
            gradients = original(outputs, inputs, *args, **kwargs)
        finally:
            self._tally.inside, self._inquiry.calls.used = False, True
            for handle in handles or ():
                handle.remove()
        values = gradients.values() if isinstance(gradients, dict) else gradients
        self._guard(self._after_hand_backward, list(zip(leaves, values, strict=False)))
        return gradients

    def _note_derivatives(self, outputs: Any, inputs: Any, derivatives: Any) -> None:
        """Note by what is differentiated, and that a derivative of a derivative for the loss is exactly zero."""
        if isinstance(inputs, (Tensor, list, tuple)):
            self.catalog.differentiated(inputs)
        tensors = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        found = derivatives.values() if isinstance(derivatives, dict) else derivatives
        if any(value is None or value.any() for value in found):
            return
        graphs = [graph for tensor in tensors if (graph := autograd.read(tensor)) is not None]
        bent = {PIECEWISE.get(autograd.op_name(node)) for graph in graphs for node in graph.nodes} - {None}
        if bent:
            self.store.event(self.step, "zero-derivative", activations=sorted(map(str, bent)))

    def _trained_by(self, outputs: Any, inputs: Any) -> list[Tensor]:
        """The parameters whose gradients are asked for; none where it is data's gradient, as for an attack."""
        leaves = (
            [inputs] if isinstance(inputs, Tensor) else list(inputs.values() if isinstance(inputs, dict) else inputs)
        )
        if not all(isinstance(leaf, Tensor) and leaf.is_leaf for leaf in leaves):
            return []
        losses = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
        if len(losses) != 1 or any(isinstance(leaf, nn.Parameter) for leaf in leaves):
            return leaves
        key = tuple(leaf.shape for leaf in leaves)
        if key not in self._asked:
            graph = autograd.read(losses[0])
            self._asked[key] = graph is None or not any(isinstance(leaf, nn.Parameter) for leaf in graph.leaves)
        return leaves if self._asked[key] else []

    def _scale(self, original: Hook, scaler: Any, outputs: Any) -> Any:
        """Remember which loss a ``GradScaler`` scaled, so that the record holds the unscaled one."""
        scaled = original(scaler, outputs)
        if isinstance(scaled, Tensor) and isinstance(outputs, Tensor):
            self._scaled = (weakref.ref(scaled), outputs.detach(), scaler._get_scale_async())
        return scaled

    def _see_labels(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note the labels of a loss that is made for −1 and 1."""
        if self._sample is not None and self._listening() and torch.is_grad_enabled():
            self._guard(self._note_labels, name, args, kwargs)

    def _note_labels(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        found = signs.ends(name, args, kwargs)
        if found is not None:
            self.store.event(self.step, "labels", loss=name, least=found[0], most=found[1])

    def _before_backward(self, tensors: Any) -> list[Any]:
        loss = tensors[0] if isinstance(tensors, (tuple, list)) and len(tensors) == 1 else tensors
        if not isinstance(loss, Tensor):
            return []
        self._tally.begin(self.clock())
        self._inquiry.answer(loss)
        if self._hand and not self._stepped:
            self._hand_step(False)
        if self._sample is not None or self.step < CAREFUL:
            self._carried.look()
        scale = self._note_loss(loss) if loss.numel() == 1 and not loss.is_complex() else None
        if loss.grad_fn is None:
            if self.step == 0:
                self.store.event(self.step, "cut-loss", message="the loss has no graph: it was detached and marked")
            return []
        if self._lookout.spiked:
            self._try(self._lookout.describe_spike, loss, self.step)
        if scale is None and loss.numel() == 1 and self._lookout.due(self.step):
            self._try(self._look_at_curvature, loss)
        if self._sample is None or len(self._sample.sights) >= BACKWARDS:
            return []
        return self._try(self._observe, loss, self._sample, scale) or []

    def _note_loss(self, loss: Tensor) -> Tensor | None:
        """Keep the value of a loss; returns the scale that a ``GradScaler`` put on it."""
        unscaled, scale = loss, None
        if self._scaled is not None and self._scaled[0]() is loss:
            _, unscaled, scale = self._scaled
        value: Any = unscaled.item() if loss.is_cpu else unscaled.detach().clone()
        self._tally.add(value)
        if not isinstance(value, float):
            return scale
        self._tally.unheard.append(value)
        if not value < self._lookout.limit or self._sample is not None or self.step < CAREFUL:
            self._tell_lookout()  # of an ordinary one it hears later, with the next ones
        if not self._broken:
            if not math.isfinite(value):
                self._report_birth(loss, value)
            self._inquiry.seen = weakref.ref(loss)
        return scale

    def _tell_lookout(self) -> None:
        self._lookout.hear(self._tally.unheard)
        self._tally.unheard.clear()

    def _observe(self, loss: Tensor, sample: Sample, scale: Tensor | None) -> list[Any]:
        graph = autograd.read(loss)
        if graph is None:
            return []
        self.catalog.learn(graph, self.step)
        self._lookout.weigh(graph)
        if not loss.is_cpu:
            self._lookout.hear([float(loss.detach())])
            self._lookout.spiked = False  # it is too late to describe its batch
        handles: list[Any] = []
        self._try(self._observer.listen, graph, sample, scale, handles)
        sight = self._try(self._observer.sight, graph, loss, scale, self._samples < FIRST)
        if sight is not None and sight.get("lost"):  # it would say that there is nothing to predict
            self.store.event(self.step, "swamped")
        elif sight is not None:
            sample.sights.append(sight)
        return handles

    def _look_at_curvature(self, loss: Tensor) -> None:
        self._tally.inside = True  # the gradients it takes are none of the training's
        try:
            with torch._C.DisableTorchFunction(), _disable_current_modes():  # the program's would see the products
                self._lookout.curvature(loss, self.step)
        finally:
            self._tally.inside = False

    def _report_birth(self, loss: Tensor, value: float) -> None:
        self._broken = True
        found: autograd.Birth | None = self._try(autograd.birth, loss)
        detail: dict[str, Any] = {"loss": str(value)}
        if found is not None:
            detail |= {"origin": found.origin, "operation": found.operation, "share": found.share}
            detail["rows"] = list(found.rows)
            detail["parameter"] = self.catalog.name_of(found.parameter)
        if self.inquires:
            self._inquiry.loss(self.step, loss, found, detail)
        self.store.event(self.step, "non-finite", **detail)

    # -- gradients -----------------------------------------------------------------------------------------------------

    def _watch_sentinel(self, key: int, optimizer: Optimizer) -> None:
        """Check one small parameter: its gradient shows NaN and stale accumulation early."""
        sentinel = self._carried.sentinel(key, optimizer)
        gradient = sentinel.grad if sentinel is not None else None
        if sentinel is None or gradient is None:
            if self._tally.count and all(p.grad is None for p in _parameters(optimizer)):
                self._carried.rest(key, self.step)
            return
        self._carried.work(key, self.step)
        self._inquiry.read[id(optimizer)] = weakref.ref(optimizer), weakref.ref(sentinel), key
        if not self._broken and gradient.is_cpu and not cmath.isfinite(total(gradient)):
            self._breaks([(p, p.grad) for p in _parameters(optimizer) if p.grad is not None])
        if self._sample is not None or self.step < CAREFUL:
            self._carried.check(key, gradient, self.step)

    def _breaks(self, held: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Take down the first gradients that are not finite, before they are used."""
        self._broken = True
        self.store.event(self.step, "non-finite", **self._examine(held))

    def _examine(self, held: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Any]:
        """What can be known of a gradient that is not finite, before it is used."""
        spoilt = any(not measure.finite(p) for p, _ in held)
        loss = self._tally.loss if self._tally.count else ""
        detail = self._bad_gradient(loss, "parameter" if spoilt else "backward", held)
        detail["batches"] = self._tally.count
        if not spoilt:
            self._inquiry.gradient(self.step, detail)
        return detail

    def _bad_gradient(self, loss: Any, origin: str, held: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Any]:
        """``held``: the parameters with their gradients."""
        bad = {id(p) for p, gradient in held if not measure.finite(gradient)}
        return {
            "origin": origin, "loss": str(loss), "operation": "",
            "parameters": [self.catalog.name_of(p) for p, _ in held if id(p) in bad],
            "finite": [self.catalog.name_of(p) for p, _ in held if id(p) not in bad],
        }  # fmt: skip

    # -- optimizer steps -----------------------------------------------------------------------------------------------

    def _before_any_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._in_thread():
            self._tally.halt()
            self._guard(self._before_step, optimizer, args, kwargs)

    def _before_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._stepped = True
        key, new = self.catalog.optimizer(optimizer)
        if key == OTHERS:
            return
        if new:
            self._lookout.meet(key, optimizer)
            self._schedule.force()
            self._sample = self._sample or Sample()
        closure = kwargs.get("closure") or (args[1] if len(args) > 1 else None)
        if closure is None:
            self._watch_sentinel(key, optimizer)
        else:
            self._carried.searching.add(key)
        if self._sample is None:
            return
        parameters = _parameters(optimizer)
        if closure is None:
            self._try(self._weigh, self._sample, [(p, p.grad) for p in parameters])
            self._check_norms(self._sample, [(p, p.grad) for p in parameters if p.grad is not None])
        else:  # the gradients are yet to come
            self._copies = [p.detach().clone() for p in parameters]

    def _check_norms(self, sample: Sample, held: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Where all norms are taken anyway, they show a gradient that is not finite; on a GPU it would have to wait."""
        if self._broken or not any(norm.is_cpu and not cmath.isfinite(float(norm)) for norm in sample.gradients):
            return
        if not all(measure.finite(gradient) for _, gradient in held):  # a norm may overflow, too
            self._breaks(held)

    def _weigh(
        self, sample: Sample, pairs: Sequence[tuple[Tensor, Tensor | None]], copies: Sequence[Tensor] = ()
    ) -> None:
        """Norms of gradients, and copies of the parameters to tell the update by (made here unless given)."""
        held = [
            (self.catalog.parameter(p), p, g, copy)
            for (p, g), copy in itertools.zip_longest(pairs, copies)
            if g is not None
        ]
        sample.parameters = [(key, weakref.ref(p)) for key, p, _, _ in held]
        sample.gradients = measure.norms([g for _, _, g, _ in held])
        sample.before = [copy for *_, copy in held if copy is not None] or self._copy([p for _, p, _, _ in held])
        for (key, *_), before in zip(held, sample.before, strict=True):
            if key not in self._start:
                self._start[key] = measure.sketch(before).clone()
        if len(self._start) > STARTS:
            alive = self.catalog.alive()
            self._start = {key: start for key, start in self._start.items() if key in alive}
        self._samples += 1
        if self._samples == 1:
            self._labels.listen()
        elif self._samples == FIRST:
            self._labels.leave()
        if self._samples <= 3 or self._samples % 8 == 0:
            self._compare_units(sample, [(key, p, g) for key, p, g, _ in held])

    def _compare_units(self, sample: Sample, held: Sequence[tuple[int, Tensor, Tensor]]) -> None:
        """The share of units that equal another one; with no layer known, of entries of vectors, rows of matrices."""
        axes = [self.catalog.unit_axis(p) for _, p, _ in held]
        raw = all(p.ndim <= 2 and axis is None for (_, p, _), axis in zip(held, axes, strict=True))
        for (key, p, gradient), axis, before in zip(held, axes, sample.before, strict=True):
            if gradient.is_sparse or not 0 < p.numel() <= LARGEST:
                continue
            if raw and p.ndim and 1 < len(p) <= UNITS:
                sample.twins[key] = measure.twins(before, gradient, 0, ROUNDED)
            elif axis is not None:
                sample.twins[key] = measure.twins(before, gradient, axis)

    def _copy(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Copies of parameters, in the memory of the last ones where they fit: to get new memory takes much longer."""
        originals = [p.detach() for p in parameters]
        spare, self._spare = self._spare, []
        if [(t.shape, t.dtype, t.device) for t in spare] != [(t.shape, t.dtype, t.device) for t in originals]:
            return [original.clone() for original in originals]
        if spare:
            torch._foreach_copy_(spare, originals)
        return spare

    def _after_any_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._in_thread():
            return
        self._guard(self._after_step, optimizer)
        self._inquiry.calls.clear()
        if self.limit is not None or self.seconds is not None or self.race:
            self._stop_if_enough()

    def _stop_if_enough(self) -> None:
        enough = self.limit is not None and self.step >= self.limit
        if self.seconds is not None:
            enough = enough or self.clock() - self._tally.began > self.seconds
        lost = bool(self.race) and self.race.lost(self.step)
        if enough or lost:
            self.store.meta(stopped=True, lost=lost)
            raise StopTraining

    def _after_step(self, optimizer: Optimizer) -> None:
        key, _ = self.catalog.optimizer(optimizer)
        if self._copies and self._sample is not None:
            self._watch_sentinel(key, optimizer)
            self._try(self._weigh, self._sample, [(p, p.grad) for p in _parameters(optimizer)], self._copies)
            self._copies = []
        self._carried.stepped(key)
        self._finish(key, rate(optimizer))

    def _finish(self, optimizer: int, rate: float) -> None:
        """Close the update: write its rows and decide how the next ones are measured."""
        tally, now = self._tally, self.clock()
        tally.close(optimizer, rate, now)
        if self.race:
            self.race.note(tally.mean)
        if self._sample is not None and optimizer != OTHERS:
            self._try(self._write_sample, self._sample, optimizer)
        if len(tally.rows) >= TOGETHER or self._sample is not None or now >= self._settled + FLUSH_SECONDS:
            self._settle(now)
        dense = self._schedule.dense(self._sample is not None, optimizer, tally.step, tally.spent, now - tally.began)
        if dense or self._sample is not None:
            (self._inquiry.calls.search if dense else self._inquiry.calls.settle)()
        self._sample = Sample() if dense else None
        tally.step += 1
        tally.coast(0 if dense else self._undecided(), self._lookout.limit, self._settled + FLUSH_SECONDS)

    def _undecided(self) -> int:
        """The update before which nothing has to be decided, unless a loss or a gradient is out of the ordinary."""
        stops = self.race or self.limit is not None or self.seconds is not None or _counted()
        if stops or not self._stepped or self._inquiry.wanted is not None or self._scaled is not None:
            return 0
        most = self.step + min(TOGETHER - len(self._tally.rows), self.step // CAREFUL)
        return int(min(most, self._schedule.coming(self.step), self._lookout.coming))

    def _settle(self, now: float) -> None:
        """Hand the rows over, with the losses that were left on their device."""
        rows, self._settled = self._tally.rows[:], now
        self._tally.rows.clear()
        values = iter(measure.to_floats([row[2] for row in rows if isinstance(row[2], Tensor)]))
        for step, optimizer, loss, *rest in rows:
            value = next(values) if isinstance(loss, Tensor) else loss
            self.store.put("steps", (step, optimizer, cell(value), *rest))
        if self._tally.unheard:
            self._tell_lookout()
            self._lookout.spiked = False  # it is too late to describe its batch
        self.store.tick()

    def _write_sample(self, sample: Sample, optimizer: int) -> None:
        layers, parameters = sample.rows(self._start)
        for row in layers:
            self.store.put("layer_stats", (self.step, optimizer, *row))
        for row in parameters:
            self.store.put("parameter_stats", (self.step, optimizer, *row))
        turned = {"reversed": True} if any(sample.reverses) else {}
        for sight in sample.sights:
            self.store.put("losses", (self.step, optimizer, json.dumps(sight | turned)))
        if sum(copy.numel() for copy in sample.before) <= SPARE:
            self._spare = sample.before

    # -- updates written by hand --------------------------------------------------------------------------------------

    def _after_hand_backward(self, gradients: list[tuple[Tensor, Tensor | None]] | None) -> None:
        """Remember the parameters as they are, to see at the next backward whether someone moved them."""
        if self._kept is not None:
            (step, kept), self._kept = self._kept, None
            self._carried.count(0, any(p.grad is g and g._version != version for p, g, version in kept), step)
        if gradients is None:
            leaves = self.catalog.leaves()
            gradients = [(leaf, leaf.grad) for leaf in leaves if leaf.grad is not None]
        if any(isinstance(p, nn.Parameter) for p, _ in gradients):  # what else has a gradient then is data
            gradients = [(p, g) for p, g in gradients if isinstance(p, nn.Parameter)]
        self._hand = [(weakref.ref(p), p._version, measure.sketch(p).clone()) for p, _ in gradients]
        held = [(p, g) for p, g in gradients if g is not None]
        read = min((g for _, g in held[:2]), key=Tensor.numel, default=None)
        if read is not None and self._inquiry.patience and not self._broken and self._scaled is None and _bad(read):
            self._inquiry.patience -= 1
            self._inquiry.suspect = self._examine(held)
        if self._sample is not None:
            self._try(self._weigh, self._sample, gradients)

    def _hand_step(self, last: bool) -> None:
        """The parameters moved since the last backward and no optimizer did it: that was an update by hand."""
        careful = not last and (self._sample is not None or self.step < CAREFUL)
        held = [(reference(), version, before) for reference, version, before in self._hand]
        used = (  # a gradient of 0 moves nothing, but the tensor knows that it was written to
            p for p, version, before in held
            if p is None or p._version != version or not torch.equal(measure.sketch(p), before)
        )  # fmt: skip
        changed = list(used) if careful else list(itertools.islice(used, 1))
        moved = last or bool(changed)
        suspect, self._inquiry.suspect = self._inquiry.suspect, None
        if moved:
            self.catalog.by_hand()
            if suspect is not None:
                self._broken = True
                self.store.event(self.step, "non-finite", **suspect)
            if careful:
                filled = [(p, g) for p in changed if p is not None and (g := p.grad) is not None and bool(g.any())]
                self._kept = self.step, [(p, g, g._version) for p, g in filled]
            self._finish(0, math.nan)


def _told(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({where.filename.rpartition('/')[2]}:{where.lineno})"


def _bad(gradient: Tensor) -> bool:
    """Whether a gradient is known not to be finite."""
    return gradient.is_cpu and not gradient.is_sparse and not cmath.isfinite(total(gradient))


def _of_functional() -> bool:
    """Whether ``torch.autograd.functional`` asks, for a Jacobian or a Hessian, two calls above."""
    return sys._getframe(3).f_globals.get("__name__") == "torch.autograd.functional"


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]

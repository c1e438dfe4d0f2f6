"""Recording a loop of fallline's own, which says itself what happens and needs hooks for measured updates only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from fallline.record import graph as autograd
from fallline.record import measure
from fallline.record.recorder import Recorder
from fallline.record.sample import Sample
from fallline.record.schedule import FIRST
from fallline.record.store import cell


@dataclass(frozen=True, slots=True)
class Link:
    """One layer in a chain rule that was written out, with every factor it had in one update."""

    weight: Tensor
    input: Tensor  # (n, fan_in)
    grad_out: Tensor  # (n, units) ∂L/∂z of z = W·input + b
    grad_in: Tensor | None  # (n, fan_in) ∂L/∂input; None for the first layer
    activation: str  # of z, as autograd calls it; "" for none
    grad_activated: Tensor | None  # (n, units) ∂L/∂φ(z)


class LoopRecorder(Recorder):
    """Writes the same record as :class:`Recorder`, of a loop that calls it.

    An update that is not measured costs one row. One that is, either runs inside :meth:`listening`, where the hooks are
    in place, or is handed over in :class:`Link` s by a chain rule that was written out by hand.
    """

    inquires = False  # the lines are fallline's

    def begin(self, optimizer: Optimizer, step: int = 0, seconds: float = 0.0) -> None:
        """Start at this update, after this much training; ``optimizer`` is the one that the record names."""
        self._tally.step = step
        self._stepped = True  # it does not update by hand
        self._tally.began = self.clock() - seconds
        self._number = self._guard(self.catalog.optimizer, optimizer)[0] if self.fault is None else 0

    @property
    def measures(self) -> bool:
        """Whether the coming update is to be measured."""
        return self._sample is not None and self.fault is None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Measure an update through autograd; it is recorded when its optimizer has stepped."""
        self.start()
        try:
            yield
        finally:
            self.release()

    def note(self, loss: float, rate: float) -> None:
        """Record an update that was not measured."""
        elapsed = self.clock() - self._tally.began
        self.store.put("steps", (self.step, self._number, cell(loss), rate, 1, elapsed))
        self._tally.mean = loss
        if self._schedule.dense(False, self._number, self.step, self.spent, elapsed):
            self._sample = Sample()
        self._tally.step += 1
        self.store.tick()

    def weigh(self, loss: Tensor, links: Sequence[Link], pairs: Sequence[tuple[Tensor, Tensor | None]]) -> None:
        """Take the factors of a measured update before the optimizer steps.

        Args:
            loss: the loss of this update as autograd would have it, for what stands around it; no backward is run.
            links: the layers, from the first to the last.
            pairs: parameters and their gradients.
        """
        self._guard(self._weigh_links, loss, links, pairs)

    def _weigh_links(self, loss: Tensor, links: Sequence[Link], pairs: Sequence[tuple[Tensor, Tensor | None]]) -> None:
        sample, graph = self._sample, autograd.read(loss)
        if sample is None or graph is None:
            return
        self.catalog.learn(graph, self.step)
        for link in links:
            layer = self.catalog.layer(link.weight)
            rms, std = measure.spread(link.input)
            sample.add(layer, "in_rms", rms)
            sample.add(layer, "in_spread", std)
            sample.add(layer, "grad_out", measure.norm(link.grad_out))
            if link.grad_in is not None:
                sample.add(layer, "grad_in", measure.norm(link.grad_in))
            if link.grad_activated is not None:
                self._observer.activation(sample, layer, -1, link.activation, (link.grad_out,), (link.grad_activated,))
        sample.sights.append(self._observer.sight(graph, loss, None, self._samples < FIRST))
        self._weigh(sample, pairs)

    def stepped(self, loss: float, rate: float) -> None:
        """Record an update that was weighed, once the optimizer has stepped."""
        self._tally.add(loss)
        self._guard(self._finish, self._number, rate)

    def broken(self, loss: Tensor, value: float, gradients: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Record where a loss that is not finite comes from.

        Args:
            loss: with its graph.
            value: what it is.
            gradients: parameters with the gradients of the update before.
        """
        if self._broken:
            return
        if any(not bool(torch.isfinite(gradient).all()) for _, gradient in gradients):
            self._guard(self._report_gradient, gradients)
        else:
            self._guard(self._report_birth, loss, value)

    def _report_gradient(self, gradients: Sequence[tuple[Tensor, Tensor]]) -> None:
        self._broken = True
        detail = self._bad_gradient(self._tally.mean, "backward", gradients)
        self.store.event(self.step - 1, "non-finite", **detail)

    def mend(self) -> None:
        """Look for numbers that are not finite again, after the weights went back to good ones."""
        self._broken = False
        self._tally.mean = math.nan

    def starts(self) -> dict[str, Tensor]:
        """A sketch of each parameter as it was at its first measured update, by the parameter's number."""
        return {str(number): sketch for number, sketch in self._start.items()}

    def start_from(self, starts: dict[str, Tensor]) -> None:
        """Go on with what :meth:`starts` gave."""
        self._start = {int(number): sketch for number, sketch in starts.items()}

"""Looks closer when the loss goes badly: at the batch of a spike, and at the curvature where descent stalls."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from time import thread_time as clock  # what other processes take of a busy machine must not decide what is looked at
from typing import Any

from torch import Tensor
from torch.optim.optimizer import Optimizer

from fallline.record import batch, hessian
from fallline.record import graph as autograd
from fallline.record.catalog import Catalog
from fallline.record.modes import modes
from fallline.record.pace import Pace
from fallline.record.sight import loss_sight
from fallline.record.store import Store

SPIKES = 20  # most batches with a spike of the loss that are described
ALLOWANCE = 0.10  # seconds that curvature may take on top of its share, so that a short training is seen too
FEW = 100  # parameters of which all curvatures can be known, so that they are looked at where descent is only slow
SHARE = 0.01  # of the training's time that curvature may take
FIRST = 32  # updates after which a training without layers is looked at
SPACING = 1.25  # factor between the updates at which it is taken
PATIENCE = 0.05  # share of the updates so far to wait where time does not allow it


class Lookout:
    """What is looked at only when there is a reason."""

    def __init__(self, store: Store, catalog: Catalog, ahead: bool = False) -> None:
        """``ahead``: look at the curvature of the very first loss, whatever it costs."""
        self.store, self.catalog = store, catalog
        self.ahead = ahead
        self.pace = Pace()
        self.spiked = False  # whether the last loss was a spike
        self._spikes = 0
        self._optimizers: dict[int, weakref.ref[Optimizer]] = {}
        self._began: float | None = None
        self._spent = 0.0
        self._next = 0.0  # no look at the curvature before this update
        self.limit = math.inf  # a loss from here on is to be heard at once
        self._stalled = False  # whether descent stalls
        self._few = self._plain = False  # whether the model has few parameters, and whether it has no layer at all
        self._heard, self._gap = -math.inf, math.inf  # when the last loss came, and the shortest time between two
        self._cost: float | None = None  # seconds that the last look at the curvature took

    def hear(self, losses: Sequence[float]) -> None:
        """Take the next losses; the last one may be a spike."""
        for loss in losses:
            self.spiked = self.pace.add(loss)
        self.limit, self._stalled = self.pace.limit, self.pace.stalled(slow=self._few)
        now = clock()
        self._began = now if self._began is None else self._began
        self._gap, self._heard = min(self._gap, (now - self._heard) / len(losses)), now

    def weigh(self, graph: autograd.Graph) -> None:
        """Take note of how many parameters a loss depends on, and whether it is a function of them alone."""
        self._few, self._plain = sum(leaf.numel() for leaf in graph.leaves) <= FEW, not graph.calls

    def meet(self, key: int, optimizer: Optimizer) -> None:
        """Take note of an optimizer and its number."""
        self._optimizers[key] = weakref.ref(optimizer)

    def describe_spike(self, loss: Tensor, step: int) -> None:
        """Write down what is unusual about the batch whose loss was a spike."""
        self.spiked, self._spikes = False, self._spikes + 1
        graph = autograd.read(loss) if self._spikes <= SPIKES else None
        if graph is None:
            return
        self.store.event(
            step, "spike", loss=float(loss.detach()), usual=self.pace.level, rows=batch.worst_rows(loss),
            target=loss_sight(graph, loss).get("target"), inputs=batch.unusual_rows(graph),
        )  # fmt: skip

    def due(self, step: int) -> bool:
        """Whether the curvature should be looked at: it may tell something, and the last look is some time ago."""
        return step >= self.coming

    @property
    def coming(self) -> float:
        """The first update at which the curvature should be looked at, as things stand."""
        if self._stalled or self.ahead:
            return self._next
        return max(self._next, FIRST) if self._plain else math.inf

    def curvature(self, loss: Tensor, step: int) -> None:
        """Take the curvature of this batch's loss, if its share of the time allows.

        To be called while there are no hooks on the nodes of the graph: each product would call them.
        """
        start = clock()
        elapsed = 0.0 if self._began is None else start - self._began
        cost = self._cost or 3 * hessian.STEPS * self._gap
        if not self.ahead and self._spent + cost > ALLOWANCE + SHARE * elapsed:
            self._next = step + 1 + step * PATIENCE
            return
        self._next = max(step + 1, step * SPACING)
        graph = autograd.read(loss)
        if graph is None:
            return
        self.catalog.learn(graph, step)
        acting = [mode for mode, _ in modes(graph)]
        optimizers = [(key, o) for key, reference in self._optimizers.items() if (o := reference()) is not None]
        held = {id(p): (key, o) for key, o in optimizers for group in o.param_groups for p in group["params"]}
        key, optimizer = next((held[id(leaf)] for leaf in graph.leaves if id(leaf) in held), (0, None))
        trained = [leaf for leaf in graph.leaves if optimizer is None or held.get(id(leaf), (None,))[0] == key]
        reason = hessian.refusal(graph, acting, sum(p.numel() for p in trained))
        found: dict[str, Any] = {"refused": reason} if reason else hessian.look(loss, trained, optimizer)
        if "witness" in found:
            shares = sorted(zip(found["witness"], trained, strict=True), key=lambda pair: -pair[0])[:3]
            found["witness"] = {self.catalog.name_of(p): share for share, p in shares}
        self.store.event(step, "curvature", optimizer=key, loss=float(loss.detach()), **found)
        self._cost = clock() - start
        self._spent += self._cost

"""Gradients carried over a step, or cleared before one: told by one small parameter of each optimizer."""

from __future__ import annotations

import weakref

from torch import Tensor
from torch.optim.optimizer import Optimizer

from fallline.record.store import Store

RESTING = 3  # steps in a row without any gradient, from which on it is told


class Carried:
    """Sees whether an optimizer steps with its last gradient, to which more was added, or with none."""

    def __init__(self, store: Store) -> None:
        self.store = store
        # by the number of an optimizer
        self._sentinels = dict[int, weakref.ref[Tensor]]()
        self._stale = dict[int, bool]()
        self._used = dict[int, tuple[int, int]]()  # the gradient of its last step: object and version
        self._counts = dict[int, tuple[int, int]]()
        self.searching = set[int]()  # those that evaluate a closure, as often as they like: its gradients are used
        self._filled = set[int]()  # those that a backward pass since the last step has given a gradient
        self._resting = dict[int, tuple[int, int]]()  # steps in a row without any gradient: the first, how many
        self._thrown = dict[int, int]()  # gradients that no step had used when they were cleared

    def sentinel(self, key: int, optimizer: Optimizer) -> Tensor | None:
        """The parameter that is looked at: what goes bad later comes back to the first layer."""
        sentinel = self._alive(key)
        if sentinel is None or sentinel.grad is None:
            candidates = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            candidates = [p for p in candidates if not p.grad.is_sparse]
            if not candidates:
                return None
            sentinel = min(candidates[:2], key=lambda p: p.numel())
            self._sentinels[key] = weakref.ref(sentinel)
        return sentinel

    def look(self) -> None:
        """Before an accumulation: does a parameter still hold the very gradient of its last step?"""
        for key in self._sentinels:
            gradient = self._gradient(key)
            if gradient is None or not bool(gradient.any()):
                self._stale[key] = False
                self._thrown[key] = self._thrown.get(key, 0) + (key in self._filled)
            elif self._used.get(key) == (id(gradient), gradient._version):
                self._stale[key] = True  # unless it is cleared before the next step

    def fill(self) -> None:
        """After a backward pass."""
        grads = ((key, self._gradient(key)) for key in self._sentinels if key not in self.searching)
        self._filled = {key for key, gradient in grads if gradient is not None and bool(gradient.any())}

    def check(self, key: int, gradient: Tensor, step: int) -> None:
        """Before an optimizer steps with this gradient of its sentinel."""
        used = self._used.get(key)
        if used is not None:
            carried = self._stale.get(key, False) and used[0] == id(gradient) and used[1] != gradient._version
            self.count(key, carried, step)

    def count(self, key: int, carried: bool, step: int) -> None:
        """Keep count of the steps looked at and of those that used a carried-over gradient."""
        checked, stale = self._counts.get(key, (0, 0))
        checked, stale = checked + 1, stale + carried
        self._counts[key] = (checked, stale)
        if checked in (3, 10, 30) or checked % 100 == 0:
            thrown = self._thrown.get(key, 0)
            self.store.event(step, "carried", optimizer=key, checked=checked, stale=stale, thrown=thrown)

    def rest(self, key: int, step: int) -> None:
        """An optimizer steps, after a backward pass, and none of its parameters has a gradient."""
        since, count = self._resting.get(key, (step, 0))
        self._resting[key] = since, count + 1
        if count + 1 == RESTING:
            self.store.event(step, "resting", optimizer=key, since=since)

    def work(self, key: int, step: int) -> None:
        """One of them has."""
        if self._resting.pop(key, (0, 0))[1] >= RESTING:
            self.store.event(step, "working", optimizer=key)

    def stepped(self, key: int) -> None:
        """After an optimizer has stepped."""
        self._filled.discard(key)
        if key in self._sentinels:
            gradient = self._gradient(key)
            self._used[key] = (id(gradient), gradient._version) if gradient is not None else (0, 0)
            self._stale[key] = False

    def _alive(self, key: int) -> Tensor | None:
        reference = self._sentinels.get(key)
        return reference() if reference is not None else None

    def _gradient(self, key: int) -> Tensor | None:
        sentinel = self._alive(key)
        return None if sentinel is None else sentinel.grad

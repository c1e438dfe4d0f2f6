"""Descent on whole populations: one row a descent, each with its own start, learning rate and momentum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fallline.descent import rate
from fallline.descent.schedule import Schedule
from fallline.descent.update import Options, Rule, State
from fallline.objective.function import Objective
from fallline.record.descent import Stop

LOOK = 16  # steps between two looks at what need not be looked at every step
STOPS = list(Stop)
Callback = Callable[[Tensor, Tensor], bool]  # rows and values of the live descents; True ends them


@dataclass(frozen=True)
class Plan:
    """How to descend."""

    rule: Rule
    lr: float | Tensor | str  # a number, one a row (batch, 1), or "auto", "armijo", "bb"
    options: Options = field(default_factory=dict)  # settings of the rule besides its own defaults
    schedule: Schedule | None = None
    max_iter: int = 1000
    gtol: float = 1e-6
    ftol: float = 0.0
    xtol: float = 0.0
    target: float | None = None
    far: float = 1e12  # a descent that goes this far, relative to its start, has run away
    callback: Callback | None = None
    record: bool = True


@dataclass(frozen=True)
class Flight:
    """How the descents of a population went."""

    x: Tensor  # (batch, n) last points
    fun: Tensor  # (batch,)
    jac: Tensor  # (batch, n)
    best_x: Tensor  # (batch, n)
    best_fun: Tensor  # (batch,)
    nit: Tensor  # (batch,)
    stop: Tensor  # (batch,) index of the Stop
    nfev: int  # of one row: evaluations that a descent alone would have made
    rates: list[Any]  # (nit,) of numbers or (live, 1)
    points: list[tuple[Tensor, Tensor, Tensor, Tensor]]  # (rows, x, f, g) of every step, where recorded
    state: State  # the rules' memory at the end, of a population of one
    options: Options

    def path(self, row: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Points ``(nit + 1, n)``, values ``(nit + 1,)`` and gradients ``(nit + 1, n)`` of one descent."""
        picked = []
        for rows, x, f, g in self.points:
            place = int(torch.searchsorted(rows, row)) if len(self.x) > 1 else 0
            if place == len(rows) or rows[place] != row:
                break
            picked.append((x[place], f[place], g[place]))
        return (
            torch.stack([x for x, _, _ in picked]),
            torch.stack([f for _, f, _ in picked]),
            torch.stack([g for _, _, g in picked]),
        )


class _Ends:
    """The last state of every descent, filled in as they stop."""

    def __init__(self, x: Tensor) -> None:
        count = len(x)
        self.values = {"x": x.clone(), "jac": torch.zeros_like(x), "best_x": x.clone()}
        self.values |= {name: torch.full((count,), torch.nan, dtype=x.dtype) for name in ("fun", "best_fun")}
        self.nit = torch.zeros(count, dtype=torch.long)
        self.stop = torch.full((count,), STOPS.index(Stop.MAX_ITER))


class _Population:
    """The descents that go on."""

    def __init__(self, objective: Objective, start: Tensor, plan: Plan) -> None:
        # the columns of a population lie side by side in memory: what is computed column by column is then fastest
        self.x = start.T.contiguous().T
        self.objective, self.plan, self.t = objective, plan, 0
        self.rows = torch.arange(len(start))
        self.bound = plan.far * (1 + self.x.abs().amax(dim=1))
        self.f, self.g = objective.slope(self.x)
        self.control = rate.control(objective, plan.rule, plan.lr, plan.options, self.x, self.f, self.g)
        self.state = plan.rule.start(self.x)
        self.best_x, self.best_fun = self.x, self.f

    def step(self) -> Any:
        """Move all; the learning rate they moved with."""
        self.t += 1
        lr = self.control.rate(self.t, self.x, self.f, self.g)
        lr = lr if self.plan.schedule is None else lr * self.plan.schedule(self.t)
        options = {**self.control.options, "lr": lr}
        self.x, self.state = self.plan.rule.step(self.x, self.g, self.state, self.t, options)
        self.f, self.g = self.objective.slope(self.x)
        lower = self.f < self.best_fun
        if len(self.rows) == 1:
            if bool(lower):
                self.best_x, self.best_fun = self.x, self.f
        else:
            self.best_x = torch.where(lower[:, None], self.x, self.best_x)
            self.best_fun = torch.where(lower, self.f, self.best_fun)
        return lr

    def leave(self, codes: Tensor, ends: _Ends) -> None:
        """Take out the rows whose code is not −1, and keep their ends."""
        done = (codes >= 0).nonzero()[:, 0]
        rows = self.rows[done]
        live = {"x": self.x, "fun": self.f, "jac": self.g, "best_x": self.best_x, "best_fun": self.best_fun}
        for name, values in ends.values.items():
            values[rows] = live[name][done]
        ends.nit[rows], ends.stop[rows] = self.t, codes[done]
        stay = (codes < 0).nonzero()[:, 0]
        if not len(stay):  # the settings of the last stay readable
            self.rows = stay
            return
        self.rows, self.bound = self.rows[stay], self.bound[stay]
        self.x, self.f, self.g = _pick(self.x, stay), self.f[stay], _pick(self.g, stay)
        self.best_x, self.best_fun = _pick(self.best_x, stay), self.best_fun[stay]
        self.control.keep(stay)
        self.state = {name: _pick(value, stay) for name, value in self.state.items()}


def descend(objective: Objective, start: Tensor, plan: Plan) -> Flight:
    """Descend from every row of ``start`` ``(batch, n)`` until each has a reason to stop.

    A row that has stopped takes no further part.
    """
    population, ends = _Population(objective, start, plan), _Ends(start)
    points: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    rates: list[Any] = []
    state, before, nfev = population.state, None, 1
    while True:
        if plan.record:
            points.append((population.rows, population.x, population.f, population.g))
        codes = _stops(population, before)
        if population.t == plan.max_iter:
            codes = torch.full((len(population.rows),), -1) if codes is None else codes
            codes = torch.where(codes < 0, STOPS.index(Stop.MAX_ITER), codes)
        if codes is not None:
            state = population.state
            population.leave(codes, ends)
            if not len(population.rows):
                break
        before = (population.x, population.f)
        lr = population.step()
        nfev += 1
        if plan.record:
            rates.append(lr)
    v = ends.values
    return Flight(
        v["x"], v["fun"], v["jac"], v["best_x"], v["best_fun"], ends.nit, ends.stop,
        nfev + population.control.nfev, rates, points, state, population.control.options,
    )  # fmt: skip


def _pick(values: Tensor, keep: Tensor) -> Tensor:
    return values.T[:, keep].T  # columns stay side by side


def _stops(population: _Population, before: tuple[Tensor, Tensor] | None) -> Tensor | None:
    """The index of its Stop for each row, −1 to go on; None where all go on. The first that holds is the one."""
    plan, f, look = population.plan, population.f, population.t % LOOK == 0
    norm = torch.linalg.vector_norm(population.g, dim=1)
    found: list[tuple[Stop, Tensor]] = [(Stop.NON_FINITE, ~torch.isfinite(f + norm)), (Stop.GTOL, norm <= plan.gtol)]
    if plan.target is not None:
        found.append((Stop.TARGET, f <= plan.target))
    if look:
        found.append((Stop.FAR, population.x.abs().amax(dim=1) > population.bound))
    if before is not None:
        found += _changes(population, *before, look)
    if plan.callback is not None and plan.callback(population.x, f):
        found.append((Stop.CALLBACK, torch.ones_like(f, dtype=torch.bool)))
    if not any(bool(mask.any()) for _, mask in found):
        return None
    codes = torch.full((len(f),), -1)
    for stop, mask in reversed(found):
        codes[mask] = STOPS.index(stop)
    return codes


def _changes(population: _Population, x0: Tensor, f0: Tensor, look: bool) -> list[tuple[Stop, Tensor]]:
    """Stops by what the last step changed."""
    plan, x, f, found = population.plan, population.x, population.f, []
    if plan.ftol > 0:
        found.append((Stop.FTOL, (f - f0).abs() <= plan.ftol * torch.maximum(f.abs(), f0.abs()).clamp(min=1.0)))
    if plan.xtol > 0:
        step = torch.linalg.vector_norm(x - x0, dim=1)
        found.append((Stop.XTOL, step <= plan.xtol * (plan.xtol + torch.linalg.vector_norm(x, dim=1))))
    elif look:
        found.append((Stop.STALLED, (x == x0).all(dim=1)))
    return found

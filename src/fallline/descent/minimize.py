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
from fallline.record.trace import Stop

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
        if len(self.x) == 1:
            picked = [(x[0], f[0], g[0]) for _, x, f, g in self.points]
        else:
            picked = []
            for rows, x, f, g in self.points:
                place = int(torch.searchsorted(rows, row))
                if place == len(rows) or rows[place] != row:
                    break
                picked.append((x[place], f[place], g[place]))
        x, f, g = zip(*picked, strict=True)
        return torch.stack(x), torch.stack(f), torch.stack(g)


class _Population:
    """The descents that go on, and the ends of those that do not."""

    def __init__(self, x: Tensor, plan: Plan) -> None:
        count = len(x)
        self.plan = plan
        self.rows = torch.arange(count)
        self.ends = {"x": x.clone(), "jac": torch.zeros_like(x), "best_x": x.clone()}
        self.ends |= {name: torch.full((count,), torch.nan, dtype=x.dtype) for name in ("fun", "best_fun")}
        self.nit = torch.zeros(count, dtype=torch.long)
        self.stop = torch.full((count,), STOPS.index(Stop.MAX_ITER))
        self.bound = plan.far * (1 + x.abs().amax(dim=1))

    def finish(self, done: Tensor, codes: Tensor, t: int, live: dict[str, Tensor]) -> None:
        """Keep the ends of the rows ``done`` (indices among the live)."""
        rows = self.rows[done]
        for name, values in self.ends.items():
            values[rows] = live[name][done]
        self.nit[rows], self.stop[rows] = t, codes


def descend(objective: Objective, start: Tensor, plan: Plan) -> Flight:
    """Descend from every row of ``start`` ``(batch, n)`` until each has a reason to stop.

    The state of a row that has stopped is kept, and it takes no further part.
    """
    # the columns of a population lie side by side in memory: what is computed column by column is then fastest
    x = start.T.contiguous().T
    population = _Population(x, plan)
    f, g = objective.slope(x)
    control = rate.control(objective, plan.rule, plan.lr, plan.options, x, f, g)
    state = plan.rule.start(x)
    best_x, best_fun = x, f
    points, rates, nfev, t, alone = [], [], 1, 0, len(x) == 1
    codes = _stops(plan, population, t, x, f, g, None, None)
    while True:
        if plan.record:
            points.append((population.rows, x, f, g))
        over = t == plan.max_iter
        if over or codes is not None:
            live = {"x": x, "fun": f, "jac": g, "best_x": best_x, "best_fun": best_fun}
            codes = torch.full((len(x),), -1) if codes is None else codes
            done = torch.ones_like(codes, dtype=torch.bool) if over else codes >= 0
            ends = torch.where(codes >= 0, codes, STOPS.index(Stop.MAX_ITER))
            population.finish(done.nonzero()[:, 0], ends[done], t, live)
            if bool(done.all()):
                break
            keep = (~done).nonzero()[:, 0]
            population.rows, population.bound = population.rows[keep], population.bound[keep]
            x, f, g, best_x, best_fun = (_pick(v, keep) for v in (x, f, g, best_x, best_fun))
            state = {name: _pick(value, keep) for name, value in state.items()}
            control.keep(keep)
        t += 1
        lr = control.rate(t, x, f, g)
        options = {**control.options, "lr": lr if plan.schedule is None else lr * plan.schedule(t)}
        new, state = plan.rule.step(x, g, state, t, options)
        value, slope = objective.slope(new)
        nfev += 1
        if plan.record:
            rates.append(options["lr"])
        codes = _stops(plan, population, t, new, value, slope, x, f)
        x, f, g = new, value, slope
        lower = f < best_fun
        if alone:
            best_x, best_fun = (x, f) if bool(lower) else (best_x, best_fun)
        else:
            best_x, best_fun = torch.where(lower[:, None], x, best_x), torch.where(lower, f, best_fun)
    ends = population.ends
    return Flight(
        ends["x"], ends["fun"], ends["jac"], ends["best_x"], ends["best_fun"], population.nit, population.stop,
        nfev + control.nfev, rates, points, state, control.options,
    )  # fmt: skip


def _pick(values: Tensor, keep: Tensor) -> Tensor:
    if values.ndim == 1:
        return values[keep]
    return values.T[:, keep].T  # columns stay side by side


def _stops(
    plan: Plan, population: _Population, t: int, x: Tensor, f: Tensor, g: Tensor, x0: Tensor | None, f0: Tensor | None
) -> Tensor | None:
    """The index of its Stop for each row, −1 to go on; None where all go on. The first that holds is the one."""
    norm = torch.linalg.vector_norm(g, dim=1)
    found: list[tuple[Stop, Tensor]] = [(Stop.NON_FINITE, ~torch.isfinite(f + norm)), (Stop.GTOL, norm <= plan.gtol)]
    if plan.target is not None:
        found.append((Stop.TARGET, f <= plan.target))
    if t % LOOK == 0:
        found.append((Stop.FAR, x.abs().amax(dim=1) > population.bound))
    if x0 is not None and f0 is not None:
        if plan.ftol > 0:
            found.append((Stop.FTOL, (f - f0).abs() <= plan.ftol * torch.maximum(f.abs(), f0.abs()).clamp(min=1.0)))
        if plan.xtol > 0:
            step = torch.linalg.vector_norm(x - x0, dim=1)
            found.append((Stop.XTOL, step <= plan.xtol * (plan.xtol + torch.linalg.vector_norm(x, dim=1))))
        elif t % LOOK == 0:
            found.append((Stop.STALLED, (x == x0).all(dim=1)))
    if plan.callback is not None and plan.callback(x, f):
        found.append((Stop.CALLBACK, torch.ones_like(f, dtype=torch.bool)))
    any_stop = found[0][1]
    for _, mask in found[1:]:
        any_stop = any_stop | mask
    if not bool(any_stop.any()):
        return None
    codes = torch.full((len(f),), -1)
    for stop, mask in reversed(found):
        codes[mask] = STOPS.index(stop)
    return codes

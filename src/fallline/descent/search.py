"""Off a saddle, out of a poor local minimum: perturbed descent, many starts, basin hopping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fallline.descent.minimize import STOPS, Flight, Plan
from fallline.objective.function import Objective
from fallline.record.descent import Stop

Fly = Callable[[Objective, Tensor, Plan], Flight]
SEARCHES = ("multi-start", "basin-hopping")


@dataclass(frozen=True)
class Search:
    """What a search for the global minimum found."""

    kind: str
    start: Tensor  # (n,) from where the best was reached
    values: Tensor  # (tries,) where each try ended
    nfev: int

    @property
    def best(self) -> float:
        """The lowest finite value."""
        return float(torch.where(torch.isfinite(self.values), self.values, torch.inf).min())

    @property
    def reached(self) -> int:
        """How many tries ended there."""
        return int((self.values <= self.best + 1e-6 * max(1.0, abs(self.best))).sum())


def box(start: Tensor, bounds: tuple[float, float] | None) -> tuple[Tensor, Tensor]:
    """Where starts are drawn: the user's bounds for every variable, else 5·max(1, |x|) around the start."""
    if bounds is not None:
        low, high = bounds
        if not low < high:
            raise ValueError(f"the box needs its lower bound first; got {low}, {high}")
        return torch.full_like(start, low), torch.full_like(start, high)
    reach = 5 * start.abs().clamp(min=1.0)
    return start - reach, start + reach


def multi_start(
    fly: Fly, objective: Objective, start: Tensor, plan: Plan, tries: int, bounds: tuple[float, float] | None, seed: int
) -> Search:
    """Descend from ``start`` ``(n,)`` and from ``tries − 1`` points drawn evenly from a box, all as one population."""
    low, high = box(start, bounds)
    generator = torch.Generator().manual_seed(seed)
    drawn = low + (high - low) * torch.rand(tries - 1, len(start), generator=generator, dtype=start.dtype)
    starts = torch.cat([start[None], drawn])
    flight = fly(objective, starts, replace(plan, record=False))
    values = torch.where(flight.stop == STOPS.index(Stop.GTOL), flight.fun, torch.inf)
    if not bool(torch.isfinite(values).any()):  # none arrived: the lowest will do
        values = flight.fun
    best = int(torch.where(torch.isfinite(values), values, torch.inf).argmin())
    return Search("multi-start", starts[best], values, flight.nfev * tries)


def basin_hopping(
    fly: Fly, objective: Objective, start: Tensor, plan: Plan, tries: int, bounds: tuple[float, float] | None, seed: int
) -> Search:
    """Jump at random, descend, and keep the lower of the two ends, now and then the higher (Wales and Doye 1997).

    A jump is up to a fifth of the box in every variable; a rise is kept with Metropolis' chance at a temperature of
    a tenth of the spread of the values so far.
    """
    low, high = box(start, bounds)
    generator = torch.Generator().manual_seed(seed)
    quiet = replace(plan, record=False)
    origin, best_start, ends, nfev = start, start, [], 0
    now, best = torch.inf, torch.inf
    for hop in range(tries):
        jump = (2 * torch.rand(len(start), generator=generator, dtype=start.dtype) - 1) * (high - low) / 5
        begin = start if hop == 0 else (origin + jump).clamp(low, high)
        flight = fly(objective, begin[None], quiet)
        value = float(flight.fun[0])
        nfev += flight.nfev
        ends.append(value)
        finite = [v for v in ends if abs(v) < torch.inf]
        warmth = 0.1 * (max(finite) - min(finite)) if finite else 0.0
        chance = float(torch.rand(1, generator=generator))
        if value < now or (warmth > 0 and chance < float(torch.exp(torch.tensor((now - value) / warmth)))):
            origin, now = flight.x[0], value
        if value < best:
            best, best_start = value, begin
    return Search("basin-hopping", best_start, torch.tensor(ends, dtype=torch.float64), nfev)


@dataclass(frozen=True)
class Noise:
    """The constants of perturbed descent, as plain numbers in place of Jin et al.'s bounds."""

    radius: float = 1e-3  # of the ball, relative to 1 + ‖x‖
    wait: int = 100  # steps after which the value must have fallen
    fall: float = 1e-8  # by this, relative to 1 + |f|
    most: int = 20  # perturbations


def perturbed(
    fly: Fly, objective: Objective, start: Tensor, plan: Plan, noise: Noise | None = None, seed: int = 0
) -> Flight:
    """Gradient descent that, where the gradient is short, steps to a random point of a small ball and goes on.

    It ends when that does not lower the value: the point is then second-order stationary with high probability (Jin et
    al. 2017, arXiv 1703.00887, algorithm 4).
    """
    noise, generator = noise or Noise(), torch.Generator().manual_seed(seed)
    whole = fly(objective, start, plan)
    for _ in range(noise.most):
        left = plan.max_iter - int(whole.nit[0])
        if STOPS[int(whole.stop[0])] is not Stop.GTOL or left <= 0:
            break
        x, value = whole.x, float(whole.fun[0])
        ball = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        ball *= torch.rand(1, generator=generator, dtype=torch.float64) ** (1 / x.shape[1]) / ball.norm()
        beside = x + (noise.radius * (1 + float(x.norm())) * ball).to(x.dtype)
        trial = fly(objective, beside, replace(plan, max_iter=min(noise.wait, left), gtol=0.0))
        if not float(trial.fun[0]) < value - noise.fall * (1 + abs(value)):
            break
        rest = fly(objective, trial.x, replace(plan, max_iter=max(0, left - int(trial.nit[0]))))
        whole = _joined(whole, trial, rest)
    return whole


def _joined(first: Flight, *others: Flight) -> Flight:
    points, rates, nit, nfev = list(first.points), list(first.rates), int(first.nit[0]), first.nfev
    for i, other in enumerate(others):
        points += other.points[i:]  # the second one starts where the first ended
        rates += ([other.rates[0] if other.rates else 1.0] if i == 0 else []) + other.rates
        nit += int(other.nit[0]) + (i == 0)  # the jump is a step
        nfev += other.nfev
    last = others[-1]
    lowest = min((first, *others), key=lambda flight: float(flight.best_fun[0]))
    return replace(
        last, points=points, rates=rates, nit=torch.tensor([nit]), nfev=nfev,
        best_x=lowest.best_x, best_fun=lowest.best_fun,
    )  # fmt: skip

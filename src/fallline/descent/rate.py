"""Where the learning rate comes from: given, measured from the curvature, searched for, or taken from the last step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from fallline.calculus import stability
from fallline.descent.update import Options, Rule
from fallline.objective.function import Objective

SEARCHED = ("armijo", "bb")  # steps along −g only
NAMES = ("auto", *SEARCHED)
REMEASURE = 25  # steps between two measurements of the curvature, where it is cheap
ARMIJO = 1e-4  # share of the decrease that the slope promises (Nocedal and Wright 2006, section 3.1)
MEMORY = 10  # values among which a Barzilai–Borwein step must beat the worst (Raydan 1997)


class Control(Protocol):
    """Gives the learning rate of every step."""

    options: Options
    nfev: int  # evaluations made for it

    def rate(self, t: int, x: Tensor, f: Tensor, g: Tensor) -> Any:
        """The rate of step ``t`` from these rows."""

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only."""


def control(
    objective: Objective, rule: Rule, lr: float | Tensor | str, options: Options, x: Tensor, f: Tensor, g: Tensor
) -> Control:
    """The control for a learning rate as the user gives it.

    Raises:
        ValueError: a rate that is not positive, an unknown name, or one that does not suit the rule.
    """
    options = {**rule.defaults, **options}
    if not isinstance(lr, str):
        if not bool((torch.as_tensor(lr) > 0).all()):
            raise ValueError(
                f"the learning rate must be above 0; got {lr if not isinstance(lr, Tensor) else lr.min().item()}"
            )
        return Given(lr, options)
    if lr not in NAMES:
        raise ValueError(f"the learning rate is a number or one of {', '.join(NAMES)}; got {lr!r}")
    if lr == "auto":
        if rule.name not in stability.LINEAR:
            raise ValueError(f"lr='auto' is for {', '.join(stability.LINEAR)}; give {rule.name} a number")
        return Auto(objective, rule, options, x)
    if rule.name != "gd":
        raise ValueError(f"lr={lr!r} steps along the gradient, so it goes with optimizer='gd', not {rule.name!r}")
    return Searched(objective, options, lr, x)


class Given:
    """The rate that was given, a number or one a row."""

    def __init__(self, lr: float | Tensor, options: Options) -> None:
        self.lr, self.options, self.nfev = lr, options, 0

    def rate(self, t: int, x: Tensor, f: Tensor, g: Tensor) -> Any:
        return self.lr

    def keep(self, rows: Tensor) -> None:
        if isinstance(self.lr, Tensor) and len(self.lr) > 1:
            self.lr = self.lr[rows]
        self.options = {
            name: value[rows] if isinstance(value, Tensor) and value.ndim == 2 and len(value) > 1 else value
            for name, value in self.options.items()
        }


class Auto:
    """From the curvature where the descent is: at the start, at steps 2, 4, 8, … or, where cheap, more often.

    Gradient descent takes 2/(m+L), at most 1.5/L, where all curvatures are positive m … L, else 1/|λ|max. Momentum
    takes the best β for κ and the rate 1/L (over 1−β for the moving average), a quarter of Polyak's for large κ: that
    one stands at the edge of stability, and a function that is not quadratic falls over it. It measures again as soon
    as a value rises. No step is longer than 1 + ‖x‖.
    """

    def __init__(self, objective: Objective, rule: Rule, options: Options, x: Tensor) -> None:
        self.objective, self.rule, self.nfev = objective, rule, 0
        self.given = options.get("momentum") if options.get("momentum") != rule.defaults.get("momentum") else None
        self.options: Options = dict(options)
        self.lr = torch.zeros(len(x), 1, dtype=x.dtype)
        self.ceiling = torch.full((len(x), 1), torch.inf, dtype=x.dtype)
        self.last: tuple[Tensor, Tensor, Tensor] | None = None

    def rate(self, t: int, x: Tensor, f: Tensor, g: Tensor) -> Any:
        cheap = self.objective.second is not None
        rose = self.last is not None and (cheap or self.rule.name == "gd") and bool((f > self.last[1]).any())
        regular = t % REMEASURE == 1 if cheap else t & (t - 1) == 0
        if regular:
            self.ceiling = self.ceiling * 2
        if rose and self.last is not None:
            self.lower(x, f, g, *self.last)
        if regular or rose:
            self.measure(x, g)
        self.last = (x, f, g)
        return torch.minimum(self.lr, self.ceiling)

    def lower(self, x: Tensor, f: Tensor, g: Tensor, x0: Tensor, f0: Tensor, g0: Tensor) -> None:
        """Where a value rose, the mean curvature over that step bounds the rate."""
        secant = torch.linalg.vector_norm(x - x0, dim=1) / torch.linalg.vector_norm(g - g0, dim=1)
        bound = torch.where((f > f0) & (secant > 0), secant, torch.inf)[:, None]
        self.ceiling = torch.minimum(self.ceiling, bound)

    def measure(self, x: Tensor, g: Tensor) -> None:
        from fallline.descent.measure import extremes

        smallest, largest, products = extremes(self.objective, x)
        self.nfev += products
        rates, momenta = zip(*(self.settings(m, L) for m, L in zip(smallest, largest, strict=True)), strict=True)
        reach = (1 + torch.linalg.vector_norm(x, dim=1)) / torch.linalg.vector_norm(g, dim=1).clamp(min=1e-300)
        self.lr = torch.minimum(torch.tensor(rates, dtype=x.dtype), reach)[:, None]
        if self.rule.name != "gd":
            self.options = {**self.options, "momentum": torch.tensor(momenta, dtype=x.dtype)[:, None]}

    def settings(self, smallest: float, largest: float) -> tuple[float, float]:
        size = max(abs(smallest), abs(largest))
        if size == 0:
            return 1.0, 0.0 if self.rule.name == "gd" else float(self.given or 0.9)
        if smallest > 0 and self.given is None:
            best = stability.tuned(self.rule.name, smallest, largest)
            if self.rule.name == "gd":
                return min(best.lr, 1.5 / largest), 0.0
            return 1 / largest / (1 - best.momentum if self.rule.name == "momentum" else 1), best.momentum
        momentum = 0.0 if self.rule.name == "gd" else float(0.9 if self.given is None else self.given)
        return 1 / size / (1 - momentum if self.rule.name == "momentum" else 1), momentum

    def keep(self, rows: Tensor) -> None:
        self.lr, self.ceiling, self.last = self.lr[rows], self.ceiling[rows], None
        momentum = self.options.get("momentum")
        if isinstance(momentum, Tensor):
            self.options = {**self.options, "momentum": momentum[rows]}


class Searched:
    """Armijo's backtracking, or Barzilai and Borwein's (1988) rate with a backtracking that may rise for a while."""

    def __init__(self, objective: Objective, options: Options, name: str, x: Tensor) -> None:
        self.objective, self.options, self.name, self.nfev = objective, options, name, 0
        self.lr = torch.ones(len(x), 1, dtype=x.dtype)
        self.before: tuple[Tensor, Tensor] | None = None
        self.values: list[Tensor] = []

    def rate(self, t: int, x: Tensor, f: Tensor, g: Tensor) -> Any:
        first = self.lr * 2 if self.name == "armijo" else self.secant(x, g)
        if t == 1:
            first = 1 / torch.linalg.vector_norm(g, dim=1, keepdim=True).clamp(min=1.0)
        self.before, self.values = (x, g), [*self.values[1 - MEMORY :], f] if self.name == "bb" else [f]
        self.lr = self.backtrack(x, torch.stack(self.values).amax(dim=0), g, first)
        return self.lr

    def secant(self, x: Tensor, g: Tensor) -> Tensor:
        if self.before is None:
            return self.lr
        s, y = x - self.before[0], g - self.before[1]
        along = (s * y).sum(dim=1, keepdim=True)
        found = (s * s).sum(dim=1, keepdim=True) / along
        return torch.where((along > 0) & torch.isfinite(found), found, 10 * self.lr).clamp(1e-12, 1e12)

    def backtrack(self, x: Tensor, reference: Tensor, g: Tensor, lr: Tensor) -> Tensor:
        slope = (g * g).sum(dim=1)
        rounding = 4 * torch.finfo(x.dtype).eps * reference.abs()  # near the minimum no decrease can be seen
        for _ in range(60):
            value = self.objective.value(x - lr * g)
            self.nfev += 1
            good = value <= reference - ARMIJO * lr[:, 0] * slope + rounding
            if bool(good.all()):
                break
            lr = torch.where(good[:, None], lr, lr / 2)
        return lr

    def keep(self, rows: Tensor) -> None:
        self.lr = self.lr[rows]
        self.before = self.before and (self.before[0][rows], self.before[1][rows])
        self.values = [values[rows] for values in self.values]


def columns(values: Sequence[float] | float | Tensor, like: Tensor) -> float | Tensor:
    """A number as it is; a sequence as a column ``(batch, 1)``."""
    if isinstance(values, (int, float)):
        return float(values)
    return torch.as_tensor(values, dtype=like.dtype).reshape(-1, 1)

"""How large a learning rate may be: limits of the update rules on a quadratic, and curvature read off a divergence.

On a quadratic with largest curvature λ, gradient descent with momentum in torch's form,
``v ← βv + (1 − d)g``, ``w ← w − ηv``, is stable below the limits here. Sources: Polyak (1964); Goh, "Why momentum
really works", Distill (2017); Cohen et al. (2021), arXiv 2103.00065, appendix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def limit(curvature: float, momentum: float = 0.0, dampening: float = 0.0, nesterov: bool = False) -> float:
    r"""Largest stable learning rate for torch's SGD on a quadratic.

    .. math:: \eta < \frac{2(1+\beta)}{(1-d)\lambda}, \qquad
              \text{Nesterov: } \eta < \frac{2(1+\beta)}{(1+2\beta)\lambda}

    >>> limit(4.0)
    0.5
    >>> round(limit(1.0, momentum=0.9), 6), round(limit(1.0, momentum=0.9, nesterov=True), 6)
    (3.8, 1.357143)
    """
    if curvature <= 0:
        return math.inf
    if nesterov:
        return 2 * (1 + momentum) / ((1 + 2 * momentum) * curvature)
    return 2 * (1 + momentum) / ((1 - dampening) * curvature)


def curvature_from_growth(
    growth: float, lr: float, momentum: float = 0.0, dampening: float = 0.0, nesterov: bool = False
) -> float:
    r"""Curvature λ of the mode that diverges, from the factor ``growth`` > 1 by which its distance grows a step.

    The mode flips its sign at every step, so z = −growth solves the characteristic polynomial
    :math:`z^2 - (1 + \beta - \eta_1\lambda) z + \beta - \eta_2\lambda = 0`, with
    :math:`\eta_1 = (1-d)\eta, \eta_2 = 0` for heavy ball and
    :math:`\eta_1 = (1+\beta)\eta, \eta_2 = \beta\eta` for Nesterov. Without momentum: λ = (1 + growth)/η.

    >>> curvature_from_growth(2.0, lr=0.5)
    6.0
    """
    r, b = growth, momentum
    polynomial = r * r + (1 + b) * r + b
    if nesterov:
        return polynomial / (lr * ((1 + b) * r + b))
    return polynomial / (lr * (1 - dampening) * r)


# -- the update rules by their names ---------------------------------------------------------------------------------

LINEAR = ("gd", "momentum", "heavy-ball", "nesterov")  # rules whose step is linear in the gradients
PRECONDITIONED = ("adam", "adamw", "nadam", "rmsprop")  # linear once their scaling P has settled


def _torch_form(rule: str, momentum: float) -> Mapping[str, Any]:
    """The settings of torch's SGD that make this rule."""
    if rule == "gd":
        return {}
    if rule == "nesterov":
        return {"momentum": momentum, "nesterov": True}
    return {"momentum": momentum, "dampening": momentum if rule == "momentum" else 0.0}


def rate_limit(rule: str, curvature: float, momentum: float = 0.0) -> float | None:
    r"""Largest stable learning rate of a rule at the largest curvature; None where no formula is known.

    For Adam and its kin ``curvature`` is that of the preconditioned Hessian :math:`P^{-1}H`,
    :math:`P = \mathrm{diag}(\sqrt{\hat v} + \epsilon)`, with ``momentum`` as β₁: :math:`\eta < (2 + 2\beta_1) /
    ((1 - \beta_1)\lambda_{\max}(P^{-1}H))` (Cohen et al. 2022, arXiv 2207.14484); 38/λ at β₁ = 0.9.

    >>> rate_limit("gd", 2.0), round(rate_limit("adam", 1.0, momentum=0.9), 6)
    (1.0, 38.0)
    """
    if rule in LINEAR:
        return limit(curvature, **_torch_form(rule, momentum))
    if rule in PRECONDITIONED:
        return limit(curvature, momentum=momentum, dampening=momentum)
    return None


def contraction(rule: str, lr: float | Floats, curvature: float | Floats, momentum: float | Floats = 0.0) -> Floats:
    r"""Factor a step by which the distance along an eigenvector of a quadratic shrinks in the long run (> 1: grows).

    The larger root, in magnitude, of :math:`z^2 - (1 + \beta - \eta_1\lambda) z + \beta - \eta_2\lambda = 0` (see
    :func:`curvature_from_growth`). Arguments broadcast.

    >>> float(contraction("gd", 0.1, 2.0))
    0.8
    """
    lr, curvature = np.asarray(lr, dtype=float), np.asarray(curvature, dtype=float)
    beta = np.zeros(()) if rule == "gd" else np.asarray(momentum, dtype=float)
    first = lr * (1 + beta if rule == "nesterov" else 1 - beta if rule == "momentum" else 1)
    second = lr * beta if rule == "nesterov" else np.zeros(())
    trace, product = 1 + beta - first * curvature, beta - second * curvature
    inside = trace**2 / 4 - product
    root = np.sqrt(np.abs(inside))
    real = np.abs(trace) / 2 + root
    return np.where(inside >= 0, real, np.sqrt(np.abs(product)))


@dataclass(frozen=True)
class Tuning:
    """The best settings of a rule for a quadratic with curvatures from m to L."""

    rule: str
    lr: float
    momentum: float
    rate: float  # factor a step

    def steps(self, factor: float) -> int:
        """Steps until the distance has shrunk by ``factor`` < 1."""
        return math.ceil(math.log(factor) / math.log(self.rate)) if 0 < self.rate < 1 else 1


def tuned(rule: str, smallest: float, largest: float) -> Tuning:
    r"""Best learning rate and momentum for curvatures 0 < m ≤ L.

    Gradient descent: η = 2/(m+L), factor (κ−1)/(κ+1). Heavy ball: η = 4/(√L+√m)², β = ((√κ−1)/(√κ+1))², factor
    (√κ−1)/(√κ+1) (Polyak 1964); the moving average with η/(1−β). Nesterov: η = 1/L, β = (√κ−1)/(√κ+1), factor 1−1/√κ.

    Raises:
        ValueError: not 0 < m ≤ L, or a rule that has no such formula.
    """
    if not 0 < smallest <= largest:
        raise ValueError(f"the curvatures must be positive and in order; got {smallest} and {largest}")
    root = math.sqrt(largest / smallest)
    if rule == "gd":
        kappa = largest / smallest
        return Tuning(rule, 2 / (smallest + largest), 0.0, (kappa - 1) / (kappa + 1))
    if rule == "nesterov":
        return Tuning(rule, 1 / largest, (root - 1) / (root + 1), 1 - 1 / root)
    if rule not in LINEAR:
        raise ValueError(f"no best rate is known for {rule}; it is for {', '.join(LINEAR)}")
    beta = ((root - 1) / (root + 1)) ** 2
    lr = 4 / (math.sqrt(largest) + math.sqrt(smallest)) ** 2
    return Tuning(rule, lr / (1 - beta) if rule == "momentum" else lr, beta, (root - 1) / (root + 1))


# -- divergence read off the losses ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Divergence:
    """A stretch of updates over which the loss grows by a steady factor."""

    start: int  # index of its first loss
    end: int  # index of its last loss
    ratio: float  # factor a step
    steady: bool  # whether the factor hardly changes, as on a quadratic


def divergence(
    loss: Sequence[float] | NDArray[np.float64], least_steps: int = 4, least_growth: float = 100.0
) -> Divergence | None:
    """The longest stretch over which a loss rises at every step, by ``least_growth`` altogether; None if there is none.

    Non-finite losses end a stretch.
    """
    values = np.asarray(loss, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = np.diff(np.log(np.where(values > 0, values, np.nan)))
    rising = np.isfinite(rise) & (rise > 0)
    best: tuple[int, int] | None = None
    start = 0
    for i in range(len(rise) + 1):
        if i < len(rise) and rising[i]:
            continue
        if i - start >= least_steps and (best is None or i - start > best[1] - best[0]):
            best = (start, i)
        start = i + 1
    if best is None:
        return None
    steps = rise[best[0] : best[1]]
    if steps.sum() < math.log(least_growth):
        return None
    late = steps[len(steps) // 2 :]
    middle = float(np.median(late))
    steady = bool(np.abs(late - middle).max() < 0.02 * middle + 1e-3)
    return Divergence(best[0], best[1], math.exp(middle), steady)


def curvature_from_period(period: float, lr: float, momentum: float) -> float:
    r"""Curvature λ of the mode that rings with a period under heavy-ball momentum, from the period of the *loss*.

    The distance w from the bottom rings with period :math:`T = 2\pi / \arccos((1 + \beta - \eta\lambda) /
    (2\sqrt\beta))` (Goh, Distill 2017), and the loss, which rises on both sides, twice as fast.

    >>> round(curvature_from_period(9.764, lr=0.1, momentum=0.9), 2)
    1.0
    """
    return (1 + momentum - 2 * math.sqrt(momentum) * math.cos(math.pi / period)) / lr

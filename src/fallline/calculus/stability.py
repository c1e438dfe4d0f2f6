"""How large a learning rate may be: limits of the update rules on a quadratic, and curvature read off a divergence.

On a quadratic with largest curvature λ, gradient descent with momentum in torch's form,
``v ← βv + (1 − d)g``, ``w ← w − ηv``, is stable below the limits here. Sources: Polyak (1964); Goh, "Why momentum
really works", Distill (2017); Cohen et al. (2021), arXiv 2103.00065, appendix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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

"""How a signal fares in a deep network at its start: the mean-field theory of wide layers with random weights.

Sources: Poole et al. (2016), "Exponential expressivity in deep neural networks through transient chaos"; Schoenholz
et al. (2017), "Deep information propagation", arXiv 1611.01232.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Expectations over z ~ N(0, 1) are sums over a dense grid: Gauss–Hermite points are wrong where a slope has a jump.
GRID: Floats = np.linspace(-10.0, 10.0, 8001)
WEIGHTS: Floats = np.exp(-(GRID**2) / 2) / np.exp(-(GRID**2) / 2).sum()

Function = Callable[[Floats], Floats]


def _sigmoid(x: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(x / 2))


def _normal_cdf(x: Floats) -> Floats:
    return np.array([0.5 * (1 + math.erf(value / math.sqrt(2))) for value in x])


# φ and φ' under the names that PyTorch gives the operations
ACTIVATIONS: dict[str, tuple[Function, Function]] = {
    "linear": (lambda x: x, np.ones_like),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * (1 - _sigmoid(x))),
    "silu": (lambda x: x * _sigmoid(x), lambda x: _sigmoid(x) * (1 + x * (1 - _sigmoid(x)))),
    "gelu": (
        lambda x: x * _normal_cdf(x),
        lambda x: _normal_cdf(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi),
    ),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), lambda x: np.exp(np.minimum(x, 0))),
}
# Piecewise linear ones have closed forms: the slope on the negative side.
PIECEWISE = {"relu": 0.0, "leakyrelu": 0.01}


@dataclass(frozen=True)
class MeanField:
    """What a network of infinite width does to a signal on its way through."""

    q: Floats  # (depth,) variance of the pre-activations of each layer
    chi: Floats  # (depth − 1,) factor of the gradient's variance from each layer to the one before

    @property
    def ratio(self) -> float:
        """Variance of the gradient at the first layer's pre-activations over that at the last layer's."""
        return float(np.exp(np.log(self.chi).sum()))


def mean_field(activation: str, weight_variance: float, bias_variance: float, depth: int, q0: float) -> MeanField:
    r"""Predict how signal and gradient grow or shrink over the layers of a plain network with random weights.

    .. math:: q_1 = \sigma_w^2 q_0 + \sigma_b^2, \qquad
              q_{l+1} = \sigma_w^2\, E[\varphi(\sqrt{q_l} z)^2] + \sigma_b^2, \qquad
              \chi_l = \sigma_w^2\, E[\varphi'(\sqrt{q_l} z)^2], \qquad
              \frac{E\lVert\delta_1\rVert^2}{E\lVert\delta_L\rVert^2} = \prod_{l=1}^{L-1} \chi_l

    The product runs over the layers' own :math:`q_l`: near the critical point the fixed point is a wrong guess at any
    depth that is used. Exact for infinite width; measured widths of 512 agree within a few per cent for smooth
    activations.

    Args:
        activation: name of the operation, one of ``ACTIVATIONS`` and ``PIECEWISE``.
        weight_variance: fan_in · Var(W), σ_w²; PyTorch's ``nn.Linear`` starts with 1/3, He et al. with 2.
        bias_variance: Var(b), σ_b².
        depth: number of layers with weights, L.
        q0: mean square of the inputs.

    Raises:
        ValueError: an unknown activation, or fewer than one layer.

    >>> mean_field("relu", 2.0, 0.0, depth=30, q0=1.0).ratio
    1.0
    """
    if activation not in ACTIVATIONS and activation not in PIECEWISE:
        raise ValueError(f"activation is one of {', '.join([*ACTIVATIONS, *PIECEWISE])}; got {activation!r}")
    if depth < 1:
        raise ValueError(f"depth counts layers, at least 1; got {depth}")
    q, chi = [weight_variance * q0 + bias_variance], []
    for _ in range(depth - 1):
        square, slope = _moments(activation, q[-1])
        chi.append(weight_variance * slope)
        q.append(weight_variance * square + bias_variance)
    return MeanField(np.array(q), np.array(chi))


def backward_factor(activation: str, weight_variance: float, q: float) -> float:
    r"""Factor of the gradient's norm from the output of a layer back to that of the layer before, √χ.

    Args:
        activation: name of the operation between the two.
        weight_variance: fan_in · Var(W) of the later layer.
        q: variance of the pre-activations of the earlier one.

    NaN for an activation whose moments are not known, and where q is not a number.

    >>> round(backward_factor("relu", 2.0, 1.0), 6)
    1.0
    """
    if (activation not in ACTIVATIONS and activation not in PIECEWISE) or not q >= 0:
        return math.nan
    return math.sqrt(weight_variance * _moments(activation, q)[1])


def _moments(activation: str, q: float) -> tuple[float, float]:
    """E[φ(√q z)²] and E[φ'(√q z)²]."""
    if activation in PIECEWISE:
        kept = (1 + PIECEWISE[activation] ** 2) / 2
        return q * kept, kept
    function, slope = ACTIVATIONS[activation]
    x = math.sqrt(q) * GRID
    return float(WEIGHTS @ function(x) ** 2), float(WEIGHTS @ slope(x) ** 2)

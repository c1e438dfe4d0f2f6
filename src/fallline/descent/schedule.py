"""Learning rates that change: a schedule gives the factor of step t = 1, 2, …, of at most ``steps``."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def fixed(steps: int) -> Schedule:
    """Always 1."""
    return lambda t: 1.0


def inverse(steps: int) -> Schedule:
    """1/(1 + 9(t−1)/steps): a tenth at the end; sums without bound, its squares do not (Robbins and Monro 1951)."""
    return lambda t: 1 / (1 + 9 * (t - 1) / steps)


def exponential(steps: int) -> Schedule:
    """Falls evenly on a logarithmic scale, to a hundredth at the end."""
    return lambda t: 0.01 ** ((t - 1) / steps)


def halving(steps: int) -> Schedule:
    """Half after each fifth of the steps."""
    return lambda t: 0.5 ** ((t - 1) * 5 // steps)


def cosine(steps: int) -> Schedule:
    """Half a cosine, from 1 to 0 (Loshchilov and Hutter 2017)."""
    return lambda t: 0.5 * (1 + math.cos(math.pi * min((t - 1) / steps, 1.0)))


def cyclic(steps: int, cycles: int = 5) -> Schedule:
    """Triangles between a tenth and 1 (Smith 2017)."""

    def factor(t: int) -> float:
        phase = ((t - 1) * cycles / steps) % 1.0
        return 0.1 + 0.9 * (1 - abs(2 * phase - 1))

    return factor


SCHEDULES: dict[str, Callable[[int], Schedule]] = {
    "fixed": fixed,
    "inverse": inverse,
    "exponential": exponential,
    "halving": halving,
    "cosine": cosine,
    "cyclic": cyclic,
}

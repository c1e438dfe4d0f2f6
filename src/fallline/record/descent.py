"""A descent on a function as plain numbers: its path, what was measured at its end, and why it stopped."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


ENDLESS = 1e8  # a fall by this much, relative to 1 + |f|, counts as without end


class Stop(Enum):
    """What ended a descent; the value is the sentence a user reads."""

    GTOL = "the gradient is shorter than gtol"
    FTOL = "the value changes by less than ftol"
    XTOL = "the step is shorter than xtol"
    TARGET = "the target value is reached"
    CALLBACK = "the callback asked to stop"
    STALLED = "the steps are too small to change any variable"
    NON_FINITE = "the value or the gradient is not finite"
    FAR = "the variables ran away"
    MAX_ITER = "max_iter steps are made"

    @property
    def status(self) -> int:
        """A number for ``status``."""
        return list(Stop).index(self)


@dataclass(frozen=True)
class Bend:
    """The curvature measured at one point."""

    step: int  # of the path
    smallest: float  # eigenvalues of the Hessian
    largest: float
    error: float  # each is an eigenvalue to within this, rounding included
    unseen: float  # an eigenvalue may lie this far beyond them, but for a chance of 1 %; 0 where all are known
    direction: Floats  # (n,) unit eigenvector of the smallest
    steepest: Floats  # (n,) of the largest
    values: Floats  # all measured eigenvalues, ascending
    flat: Floats | None = None  # (n, k) eigenvectors of the curvatures about zero; None where there are none
    steep: float = 0.0  # largest eigenvalue of the Hessian as the rule's own scaling sees it; 0 where not measured

    @property
    def size(self) -> float:
        """Largest curvature in magnitude."""
        return max(abs(self.smallest), abs(self.largest))

    @property
    def condition(self) -> float:
        """κ, infinite unless all curvatures are positive."""
        return self.largest / self.smallest if self.smallest > 0 else float("inf")


@dataclass(frozen=True)
class Probe:
    """What lies around the last point."""

    settled: Bend | None  # curvature at the point to which a few Newton steps lead from there
    settled_x: Floats  # (n,) that point
    shift: float  # its distance; NaN where the Hessian is not finite
    ratio: float  # length of the gradient there, over that at the end
    newton_steps: int  # made; next to a plain minimum one to three suffice for a ratio below 1e-3
    shrink: float  # length of the last of them over that of the first
    rest: float  # decrease that these steps promised, the smallest curvature left out
    sag: float  # least mean of the values at equal distances to both sides of the smallest curvature, minus the value
    radius: float  # of the ball that was searched
    lowest: float  # least value on the ball, minus the value at its centre
    highest: float  # greatest one, likewise
    rounding: float  # differences of values below this are rounding
    down: Floats  # (n,) unit vector to the least value
    ray: Floats  # (k,) distances ahead along the last steps
    ahead: Floats  # (k,) values there, minus the value at the end
    beyond: float = float("nan")  # value that a descent reaches from just beside the point, down the negative curvature
    beyond_x: Floats | None = None  # (n,) where


@dataclass(frozen=True)
class Trace:
    """One descent."""

    objective: str
    variables: tuple[str, ...]
    optimizer: str
    momentum: float
    path: Floats  # (nit + 1, n)
    values: Floats  # (nit + 1,)
    gradients: Floats  # (nit + 1, n)
    rates: Floats  # (nit,) learning rate of each step
    nfev: int  # evaluations of the function, with or without its gradient
    stop: Stop
    gtol: float
    max_iter: int
    resolution: float  # relative spacing of the numbers it computed in
    known: float | None = None  # value of the global minimum
    start: Bend | None = None
    end: Bend | None = None
    probe: Probe | None = None
    decay: float = 0.0  # weight decay, which moves the point of rest

    @property
    def nit(self) -> int:
        """Steps made."""
        return len(self.path) - 1

    @property
    def norms(self) -> Floats:
        """Length of the gradient at every point ``(nit + 1,)``."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(np.linalg.norm(self.gradients, axis=1))

    @property
    def lr(self) -> float:
        """The learning rate at the end; NaN where no step was made."""
        return float(self.rates[-1]) if len(self.rates) else float("nan")

    @property
    def best(self) -> int:
        """The step with the lowest finite value; 0 where there is none."""
        finite = np.isfinite(self.values)
        return int(np.where(finite, self.values, np.inf).argmin()) if finite.any() else 0

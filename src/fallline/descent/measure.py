"""What is measured at the points of a descent, so that the verdict can read it: curvature, and what lies around."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fallline.calculus import curvature
from fallline.calculus.curvature import Product, Spectrum
from fallline.objective.function import Objective
from fallline.record.descent import Bend, Probe

DENSE = 100  # most variables whose whole Hessian is computed
STEPS = 80  # of Lanczos beyond
MORE_STEPS = 320  # where these leave it open whether there is negative curvature
RADIUS = 1e-2  # of the ball that is searched, relative to the point
DIRECTIONS = 2000
FEW_DIRECTIONS = 200  # where each costs a call of the user's function, or there are many variables
FLAT = 1e-6  # a curvature below this share of the largest counts as flat when directions are drawn
SETTLING = 12  # most Newton steps to the stationary point next to the end of a descent
SETTLED = 1e-3  # factor by which they must shrink the gradient
SEED = 0


def product(objective: Objective, x: Tensor) -> Product:
    """Products with the Hessian at ``x`` ``(n,)``."""
    if objective.second is not None:
        matrix = objective.second(x[None])[0]
        return lambda v: matrix @ v
    if objective.traced:
        return curvature.product(lambda point: objective.value(point[None])[0], x)
    return curvature.difference_product(lambda point: objective.slope(point[None])[1][0], x, objective.noise)


def spectrum(objective: Objective, x: Tensor, steps: int = STEPS) -> Spectrum:
    """Eigenvalues of the Hessian at ``x`` ``(n,)``: all where there are few variables, else by Lanczos.

    Raises:
        ArithmeticError: the Hessian is not finite there.
    """
    n = len(x)
    if objective.second is not None:
        return curvature.dense(objective.second(x[None])[0])
    multiply = product(objective, x)
    if n <= DENSE:
        return curvature.dense(torch.stack([multiply(row) for row in torch.eye(n, dtype=x.dtype)]))
    found = curvature.lanczos(multiply, n, steps=steps, tolerance=1e-3, dtype=x.dtype)
    if found.smallest > 0 >= found.smallest - found.unseen() and steps == STEPS:
        found = curvature.lanczos(multiply, n, steps=MORE_STEPS, dtype=x.dtype)  # to exclude a negative one
    return found


def extremes(objective: Objective, x: Tensor) -> tuple[list[float], list[float], int]:
    """Smallest and largest curvature at every row of ``x``, and how many gradients it cost. Not finite counts as 0."""
    if objective.second is not None:
        matrices = objective.second(x)
        good = torch.isfinite(matrices).all(dim=2).all(dim=1)
        values = torch.linalg.eigvalsh(torch.where(good[:, None, None], matrices, torch.zeros_like(matrices)))
        return values[:, 0].tolist(), values[:, -1].tolist(), 1
    found = [_ends(objective, row) for row in x]
    return [m for m, _ in found], [L for _, L in found], 2 * min(x.shape[1], 30)


def _ends(objective: Objective, x: Tensor) -> tuple[float, float]:
    try:
        at = spectrum(objective, x, 30)
    except ArithmeticError:
        return 0.0, 0.0
    return at.smallest - at.unseen(0.5) * (at.smallest > 0), at.largest + float(at.residuals[-1])


def bend(objective: Objective, x: Tensor, step: int, scaling: Tensor | None = None) -> Bend | None:
    """The curvature at ``x`` ``(n,)``; None where it is not finite.

    Args:
        scaling: P of a rule that divides the gradient by it, entry by entry ``(n,)``.
    """
    try:
        at = spectrum(objective, x)
        steep = _preconditioned(objective, x, scaling) if scaling is not None else 0.0
    except ArithmeticError:
        return None
    exact = objective.second is not None or objective.traced
    size = max(abs(at.smallest), abs(at.largest))
    noise = torch.finfo(x.dtype).eps * len(x) if exact else 10 * objective.noise ** (2 / 3) * len(x) ** 0.5
    error = float(at.residuals[[0, -1]].max()) + 8 * noise * size
    vectors, flat = at.vectors.double().numpy(), (at.values.abs() <= error + FLAT * size).numpy()
    return Bend(
        step, at.smallest, at.largest, error, at.unseen(), vectors[:, 0], vectors[:, -1], at.values.numpy(),
        vectors[:, flat] if flat.any() else None, steep,
    )  # fmt: skip


def _preconditioned(objective: Objective, x: Tensor, scaling: Tensor) -> float:
    """Largest eigenvalue of P^(−1/2) H P^(−1/2)."""
    multiply, root = product(objective, x), scaling.rsqrt()

    def scaled(v: Tensor) -> Tensor:
        return root * multiply(root * v)

    return curvature.lanczos(scaled, len(x), steps=40, tolerance=1e-4, dtype=x.dtype).largest


def probe(objective: Objective, x: Tensor, g: Tensor, at: Bend | None, last: Tensor) -> Probe:
    """Look around ``x`` ``(n,)``: Newton steps, a ball, and the line ahead along ``last``, the latest displacement."""
    value = float(objective.value(x[None])[0])
    settled = _settle(objective, x, g, at)
    radius = RADIUS * max(1.0, float(torch.linalg.vector_norm(x)) / math.sqrt(len(x)))
    cheap = objective.traced and len(x) <= DENSE  # a batch is one call
    directions = _directions(DIRECTIONS if cheap else FEW_DIRECTIONS, len(x), settled.bend or at, x.dtype)
    around = objective.value(x + radius * directions).double() - value
    around = torch.where(torch.isfinite(around), around, torch.inf)
    low = int(around.argmin())
    finite = around[torch.isfinite(around)]
    ray, ahead = _ahead(objective, x, value, last, -g)
    return Probe(
        settled.bend, settled.x.double().numpy(), settled.shift, settled.ratio,
        settled.steps, settled.shrink, settled.rest,
        _sag(objective, x, value, settled.bend or at, radius), radius, float(around[low]),
        float(finite.max()) if len(finite) else math.inf, 8 * torch.finfo(x.dtype).eps * abs(value),
        directions[low].double().numpy(), ray.double().numpy(), ahead.double().numpy(),
    )  # fmt: skip


@dataclass(frozen=True)
class _Settled:
    bend: Bend | None
    x: Tensor
    shift: float
    ratio: float
    steps: int
    shrink: float
    rest: float


def _settle(objective: Objective, x: Tensor, g: Tensor, at: Bend | None) -> _Settled:
    """Go to the stationary point next to ``x``, whatever its kind, by plain Newton steps."""
    before = float(torch.linalg.vector_norm(g))
    if at is None or not math.isfinite(before):
        return _Settled(None, x, math.nan, math.nan, 0, 1.0, 0.0)
    if before == 0:
        return _Settled(at, x, 0.0, 0.0, 0, 1.0, 0.0)
    point, slope, rest, steps, ratio = x, g, 0.0, 0, 1.0
    lengths: list[float] = []
    for _ in range(SETTLING if len(at.values) == len(x) else 1):
        floor = 100 * torch.finfo(x.dtype).eps * at.size * max(float(torch.linalg.vector_norm(point)), 1e-300)
        step, gain = _newton(objective, point, slope, at)
        if step is None:
            break
        new = point + step
        new_slope = objective.slope(new[None])[1][0]
        after = float(torch.linalg.vector_norm(new_slope))
        if not after < before * ratio:
            ratio = 0.0 if after <= floor else ratio
            break
        moved = bend(objective, new, at.step)
        if moved is None:
            break
        rest = gain if steps == 0 else rest
        lengths.append(float(torch.linalg.vector_norm(step)))
        point, slope, at, steps, ratio = new, new_slope, moved, steps + 1, after / before
        if ratio <= SETTLED or after <= floor:
            ratio = ratio if after > floor else 0.0
            break
    shrink = lengths[-1] / lengths[0] if lengths and lengths[0] > 0 else 1.0
    return _Settled(at, point, float(torch.linalg.vector_norm(point - x)), ratio, steps, shrink, rest)


def _newton(objective: Objective, x: Tensor, g: Tensor, at: Bend) -> tuple[Tensor | None, float]:
    """The Newton step within the curvatures that are not about zero, and the decrease promised without the smallest."""
    if len(at.values) < len(x):
        step = _conjugate(product(objective, x), -g)
        return step, 0.0 if step is None else float(-g @ step) / 2
    found = spectrum(objective, x)
    values, vectors = found.values.to(x.dtype), found.vectors.to(x.dtype)
    along = vectors.T @ g
    parts = torch.where(values.abs() > at.error, -along / values, torch.zeros_like(values))
    return vectors @ parts, float((along * parts).abs()[1:].sum()) / 2


def _conjugate(multiply: Product, right: Tensor) -> Tensor | None:
    """The solution of H s = right by conjugate gradients; None where they meet negative curvature."""
    s, r, p = torch.zeros_like(right), right, right
    for _ in range(500):
        q = multiply(p)
        bent = float(p @ q)
        if not bent > 0:
            return None
        step = float(r @ r) / bent
        s, new = s + step * p, r - step * q
        if float(torch.linalg.vector_norm(new)) <= 1e-4 * float(torch.linalg.vector_norm(right)):
            return s
        p = new + float(new @ new) / float(r @ r) * p
        r = new
    return s


def _sag(objective: Objective, x: Tensor, value: float, at: Bend | None, radius: float) -> float:
    """How far the value sinks on both sides of ``x`` along the smallest curvature; slopes cancel."""
    if at is None:
        return 0.0
    steps = radius * torch.tensor([10.0, 3.0, 1.0, 0.3, 0.1, 0.01], dtype=x.dtype)[:, None]
    direction = torch.from_numpy(at.direction).to(x.dtype)
    both = (objective.value(x + steps * direction) + objective.value(x - steps * direction)).double() / 2 - value
    return float(both[torch.isfinite(both)].amin()) if bool(torch.isfinite(both).any()) else 0.0


def _directions(count: int, n: int, at: Bend | None, dtype: torch.dtype) -> Tensor:
    """Unit vectors over the sphere; a half of them in the flat directions, where the Hessian says nothing."""
    generator = torch.Generator().manual_seed(SEED)
    free = torch.randn(count, n, generator=generator, dtype=torch.float64)
    if at is not None:
        if at.flat is not None:
            free[count // 2 :] = free[count // 2 :] @ torch.from_numpy(at.flat @ at.flat.T)
        extreme = torch.from_numpy(at.direction)
        free[0], free[1] = extreme, -extreme
    return free.div(torch.linalg.vector_norm(free, dim=1, keepdim=True)).to(dtype)


def _ahead(objective: Objective, x: Tensor, value: float, last: Tensor, downhill: Tensor) -> tuple[Tensor, Tensor]:
    """Distances along the latest displacement (down the slope where there is none), doubling, and the rise there."""
    direction = last if bool((last != 0).any()) and bool(torch.isfinite(last).all()) else downhill
    length = float(torch.linalg.vector_norm(direction))
    if length == 0 or not math.isfinite(length):
        return torch.zeros(0), torch.zeros(0)
    unit = direction / length
    first = max(length, 1e-3 * (1 + float(torch.linalg.vector_norm(x))))
    distances = first * 2.0 ** torch.arange(0, 40, dtype=x.dtype)
    return distances, objective.value(x + distances[:, None] * unit) - value


Descent = Callable[[Tensor], tuple[Tensor, float]]  # from a start (n,) to a point and its value


def beyond(x: Tensor, at: Bend, radius: float, descend: Descent) -> tuple[Tensor, float]:
    """Where a descent ends that starts just beside ``x``, to the better of the two sides of the smallest curvature."""
    direction = torch.from_numpy(at.direction).to(x.dtype)
    ends = [descend(x + sign * radius * direction) for sign in (1.0, -1.0)]
    return min(ends, key=lambda end: end[1] if not math.isnan(end[1]) else math.inf)

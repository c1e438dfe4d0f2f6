"""Newton's method in a trust region, which walks off saddles and maxima along negative curvature.

Sources: Conn, Gould and Toint, "Trust-region methods" (2000), algorithms 7.3.4 (the exact step, with the hard case)
and 7.5.1 (Steihaug's truncated conjugate gradients, for many variables).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fallline.calculus.curvature import Product
from fallline.descent import measure
from fallline.descent.minimize import STOPS, Flight, Plan
from fallline.objective.function import Objective
from fallline.record.descent import Stop

BEND = 1e-8  # negative curvature above this share of the largest is worth walking down


def newton(objective: Objective, start: Tensor, plan: Plan) -> Flight:
    """Descend from one start ``(1, n)``; ends on a short gradient only where no negative curvature is found.

    The step of each iteration minimises the quadratic model within the trust region; steps that do not lower the value
    are rejected, and not in the path.
    """
    x = start[0]
    value, slope = (v[0] for v in objective.slope(start))
    points = [(x, value, slope)]
    radius, nfev, stop = max(1.0, float(torch.linalg.vector_norm(x))) / 2, 1, Stop.MAX_ITER
    for _ in range(4 * plan.max_iter):
        ended = _ended(plan, points)
        if ended is not None and ended is not Stop.GTOL:
            stop = ended
            break
        step, promised, curved = _step(objective, x, slope, radius)
        if ended is Stop.GTOL and not curved:
            stop = ended
            break
        new = x + step
        new_value, new_slope = (v[0] for v in objective.slope(new[None]))
        nfev += 1
        taken, radius = _judge(value - new_value, promised, value, (slope, new_slope), step, radius)
        if taken:
            x, value, slope = new, new_value, new_slope
            points.append((x, value, slope))
        elif radius <= 4 * torch.finfo(x.dtype).eps * max(1e-300, float(x.abs().max())):
            stop = Stop.STALLED
            break
    rows, count = torch.zeros(1, dtype=torch.long), len(points) - 1
    return Flight(
        x[None], value[None], slope[None], x[None], value[None], torch.tensor([count]),
        torch.tensor([STOPS.index(stop)]), nfev, [1.0] * count,
        [(rows, p[None], f[None], g[None]) for p, f, g in points], {}, {},
    )  # fmt: skip


def _judge(
    gain: Tensor, promised: float, value: Tensor, slopes: tuple[Tensor, Tensor], step: Tensor, radius: float
) -> tuple[bool, float]:
    """Whether to take a step, by its share of the decrease that the model promised, and the next radius."""
    gained, rounding = float(gain), 10 * torch.finfo(step.dtype).eps * abs(float(value))
    calmer = abs(gained) <= rounding and float(slopes[1].norm()) < float(slopes[0].norm())
    share = gained / promised if promised > 0 and math.isfinite(gained) else -1.0
    length = float(torch.linalg.vector_norm(step))
    if share < 0.25 and not calmer:
        radius = length / 4
    elif share > 0.75 and length > 0.99 * radius:
        radius *= 2
    return share > 1e-4 or calmer, radius


def _ended(plan: Plan, points: list[tuple[Tensor, Tensor, Tensor]]) -> Stop | None:
    """Why to end, if to end; the first that holds."""
    x, value, slope = points[-1]
    norm = float(torch.linalg.vector_norm(slope))
    found = {
        Stop.NON_FINITE: not math.isfinite(norm + float(value)),
        Stop.TARGET: plan.target is not None and float(value) <= plan.target,
        Stop.GTOL: norm <= plan.gtol,
        Stop.CALLBACK: plan.callback is not None and plan.callback(x[None], value[None]),
        Stop.MAX_ITER: len(points) > plan.max_iter,
    }
    if len(points) > 1:
        before, old = points[-2][0], float(points[-2][1])
        found[Stop.FTOL] = plan.ftol > 0 and abs(float(value) - old) <= plan.ftol * max(1.0, abs(old))
        found[Stop.XTOL] = plan.xtol > 0 and float((x - before).norm()) <= plan.xtol * (plan.xtol + float(x.norm()))
    return next((stop for stop, holds in found.items() if holds), None)


def _step(objective: Objective, x: Tensor, g: Tensor, radius: float) -> tuple[Tensor, float, bool]:
    """The step, the decrease that the quadratic model promises, and whether there is negative curvature."""
    if objective.second is None and len(x) > measure.DENSE:
        return _truncated(measure.product(objective, x), g, radius)
    try:
        at = measure.spectrum(objective, x)
    except ArithmeticError:  # a pole: one short step along the slope
        step = -g * min(1.0, radius / float(g.norm()))
        return step, -float(g @ step) / 2, False
    values, vectors = at.values.to(x.dtype), at.vectors.to(x.dtype)
    along = vectors.T @ g
    moved = _in_region(values, along, radius)
    promised = -float(along @ moved + moved @ (values * moved) / 2)
    return vectors @ moved, promised, at.smallest < -BEND * max(abs(at.smallest), abs(at.largest))


def _in_region(values: Tensor, along: Tensor, radius: float) -> Tensor:
    """The minimiser of ½ Σ λs² + Σ gs with ‖s‖ ≤ radius, in the eigenvectors' coordinates."""
    smallest = float(values[0])
    if smallest > 0:
        inside = -along / values
        if float(inside.norm()) <= radius:
            return inside
    low = max(0.0, -smallest)
    tiny = 1e-14 * max(1e-300, float(values.abs().max()))

    def at(shift: float) -> Tensor:
        return -along / (values + shift).clamp(min=tiny)

    first = at(low + tiny)
    flat = (values - values[0]).abs() <= tiny * 10
    if float(first[~flat].norm()) < radius and float(along[flat].norm()) <= tiny:  # the hard case
        first[flat] = 0.0
        rest = math.sqrt(max(0.0, radius**2 - float(first @ first)))
        first[0] = rest if smallest <= 0 else 0.0
        return first
    lower, upper = low + tiny, low + float(along.norm()) / radius + tiny
    for _ in range(40):
        middle = math.sqrt(lower * upper) if lower > 0 and upper / lower > 4 else (lower + upper) / 2
        length = float(at(middle).norm())
        if abs(length - radius) <= 0.05 * radius:
            break
        lower, upper = (middle, upper) if length > radius else (lower, middle)
    return at(middle)


def _truncated(multiply: Product, g: Tensor, radius: float) -> tuple[Tensor, float, bool]:
    """Conjugate gradients until the edge of the region, negative curvature, or enough accuracy."""
    s, r, p = torch.zeros_like(g), -g, -g
    scale = float(g.norm())
    enough, bend, curved = scale * min(0.1, math.sqrt(scale)), torch.zeros_like(g), False
    for _ in range(200):
        q = multiply(p)
        curve = float(p @ q)
        curved = curve < 0
        step = float(r @ r) / curve if curve > 0 else math.inf
        if curve <= 0 or float((s + step * p).norm()) >= radius:
            a, b, c = float(p @ p), 2 * float(s @ p), float(s @ s) - radius**2
            step = (-b + math.sqrt(max(0.0, b * b - 4 * a * c))) / (2 * a) if a > 0 else 0.0
            s, bend = s + step * p, bend + step * q
            break
        s, bend, new = s + step * p, bend + step * q, r - step * q
        if float(new.norm()) <= enough:
            break
        p = new + float(new @ new) / float(r @ r) * p
        r = new
    return s, -float(g @ s + s @ bend / 2), curved

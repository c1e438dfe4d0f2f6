"""Descents whose numbers ended: not finite, diverged, unbounded."""

from __future__ import annotations

import math

import numpy as np

from fallline.diagnosis.kinds import (
    Verdict,
    limit_formula,
    limits,
    number,
    plateau,
    point,
    recommended,
    rule_in_words,
)
from fallline.record.descent import Stop, Trace


def not_finite(trace: Trace) -> Verdict | None:
    if trace.stop is not Stop.NON_FINITE:
        return None
    last = _last_finite(trace)
    if last is not None and trace.nit > 0:
        if _fell_without_end(trace, last):
            return _unbounded(trace, last)
        if _blew_up(trace, last):
            return diverged(trace, last)
    at = trace.path[-1]
    evidence = {"step": float(trace.nit), "value": float(trace.values[-1])}
    what = f"At step {trace.nit}, at {point(at)}, {_what_is_not_finite(trace)}."
    if trace.nit == 0:
        return Verdict("non-finite", (what,), evidence, ("Start where the function and its gradient are finite.",))
    before = f"The step before it stood at {point(trace.path[-2])} with the value {number(float(trace.values[-2]))}."
    shorter = (
        "A lower learning rate keeps the step inside the domain" if trace.optimizer != "newton" else "Start nearer"
    )
    return Verdict("non-finite", (what, before), evidence, (f"{shorter}, or the function has no minimum in there.",))


def _what_is_not_finite(trace: Trace) -> str:
    if not math.isfinite(trace.values[-1]):
        return f"the value is {trace.values[-1]:g}"
    bad = [name for name, g in zip(trace.variables, trace.gradients[-1], strict=True) if not math.isfinite(g)]
    return f"the value is {number(float(trace.values[-1]))} but the gradient is not finite along {', '.join(bad[:5])}"


def _last_finite(trace: Trace) -> int | None:
    good = np.isfinite(trace.values) & np.isfinite(trace.norms)
    return int(good.nonzero()[0][-1]) if good.any() else None


def _fell_without_end(trace: Trace, last: int) -> bool:
    values = trace.values[max(0, last - 10) : last + 1]
    end = trace.values[-1]
    falling = len(values) > 1 and bool((np.diff(values) < 0).mean() > 0.8) and values[-1] < trace.values[0]
    return falling and (end < values[-1] or trace.stop is Stop.FAR or abs(values[-1]) > 1e100)


def _blew_up(trace: Trace, last: int) -> bool:
    values, norms = trace.values[: last + 1], trace.norms[: last + 1]
    scale = max(abs(values[0]), 1e-300)
    return bool(values[-1] > values[0] and (values[-1] > 1e3 * scale or norms[-1] > 1e3 * norms[0] > 0))


def ran_away(trace: Trace) -> Verdict | None:
    if trace.stop is not Stop.FAR:
        return None
    if trace.values[-1] > trace.values[0]:
        return diverged(trace, trace.nit)
    if _fell_without_end(trace, trace.nit) and not _levels_off(trace):
        return _unbounded(trace, trace.nit)
    return plateau(trace, f"The variables ran away to {point(trace.path[-1])}, where the function is nearly flat.")


def _levels_off(trace: Trace) -> bool:
    drops = -np.diff(trace.values[-12:])
    return len(drops) > 3 and bool(drops[-1] < 0.5 * drops[0])


def _unbounded(trace: Trace, last: int) -> Verdict:
    away = float(np.linalg.norm(trace.path[last] - trace.path[0]))
    evidence = {"value": float(trace.values[last]), "distance": away}
    reasons = [
        f"The value falls without end: it is {number(float(trace.values[last]))} after {last} steps, "
        f"{number(away)} away from the start, and nothing stops it."
    ]
    if trace.start is not None and trace.start.smallest < 0:
        evidence["smallest_curvature"] = trace.start.smallest
        reasons.append(f"At the start the curvature along one direction is {number(trace.start.smallest)}, below zero.")
    change = ("The function has no minimum this way: bound the variables, or add a term that grows.",)
    return Verdict("unbounded", tuple(reasons), evidence, change)


def diverged(trace: Trace, last: int) -> Verdict:
    growth = _growth(trace.norms[: last + 1])
    evidence = {"growth": growth, "value": float(trace.values[last]), "lr": trace.lr}
    reasons = [
        f"The value grew from {number(float(trace.values[0]))} to {number(float(trace.values[last]))} in {last} "
        f"step{'s' * (last != 1)}" + (f", the gradient ×{number(growth)} a step." if growth > 1 else ".")
    ]
    known = limits(trace)
    if known is None:
        return Verdict("diverged", tuple(reasons), evidence, ("Try a learning rate ten times lower.",))
    limit, curvature, where = known
    evidence |= {"limit": limit, "over": trace.lr / limit, "largest_curvature": curvature}
    said = f"For {rule_in_words(trace)} the learning rate must be below {number(limit)} = {limit_formula(trace)}"
    said += f", with λ = {number(curvature)}, the largest curvature {where}"
    if trace.lr >= limit:
        reasons.append(f"{said}; {number(trace.lr)} is {number(trace.lr / limit)} times that.")
        change = f"Lower the learning rate below {number(limit)}; {recommended(trace, where)}."
    else:
        reasons.append(f"{said}: {number(trace.lr)} is below it there, so the curvature grew on the way.")
        change = (
            f"Lower the learning rate, to {number(trace.lr / 10)} say, or use lr='armijo', which measures each step."
        )
    return Verdict("diverged", tuple(reasons), evidence, (change,))


def _growth(norms: np.ndarray) -> float:
    """Factor a step over the last half."""
    positive = norms[len(norms) // 2 :]
    positive = positive[positive > 0]
    if len(positive) < 2:
        return math.nan
    return float(np.exp(np.polyfit(np.arange(len(positive)), np.log(positive), 1)[0]))

"""Where a descent came to rest: minimum, saddle, maximum, or a point that the curvature does not decide."""

from __future__ import annotations

import math

import numpy as np

from fallline.calculus import stability
from fallline.diagnosis.kinds import (
    BETTER,
    PLAIN,
    SETTLED,
    Verdict,
    curvatures,
    number,
    plateau,
    point,
)
from fallline.record.descent import ENDLESS, Bend, Probe, Stop, Trace

NEAR = 0.1  # farthest that point may lie, relative to 1 + ‖x‖
CLOSE = 1e-3  # the same, for a descent that ended for another reason than its gradient
SHRINKS = 0.6  # of Newton's steps, from the first to the last: on a plateau they do not shrink
FADES = 0.1  # a curvature that shrinks to this share over the Newton steps is zero at their end


def stationary(trace: Trace) -> Verdict | None:
    probe, by_gradient = trace.probe, trace.stop is Stop.GTOL
    if probe is None or trace.stop is Stop.MAX_ITER or (probe.settled is None and not by_gradient):
        return None
    if probe.settled is None:
        said = f"The gradient is {number(float(trace.norms[-1]))}, but there is no finite second derivative here."
        return _singular(trace, probe, said)
    if _flat(trace, probe):
        return plateau(trace, "The gradient is short because the function is flat here, not because it has a minimum.")
    near = probe.shift <= (NEAR if by_gradient else CLOSE) * (1 + float(np.linalg.norm(trace.path[-1])))
    settles = probe.ratio <= SETTLED and (probe.newton_steps <= PLAIN or probe.shrink <= SHRINKS)
    if near and settles:
        return _kind_of_point(trace, probe, probe.settled)
    if not by_gradient:
        return None
    said = f"The gradient is below gtol, but Newton's steps find no stationary point near: {_newton(probe)}."
    return plateau(trace, said)


def _newton(probe: Probe) -> str:
    if probe.newton_steps == 0:
        return "none of them shortens the gradient"
    return (
        f"after {probe.newton_steps} of them, {number(probe.shift)} away, the gradient is ×{number(probe.ratio)}, "
        f"and the last is ×{number(probe.shrink)} as long as the first"
    )


def _flat(trace: Trace, probe: Probe) -> bool:
    """Whether nothing at all can be seen here: no slope, no curvature, no other value around."""
    silent = max(abs(probe.lowest), abs(probe.highest)) <= probe.rounding
    return silent and probe.settled is not None and probe.settled.size == 0


def _kind_of_point(trace: Trace, probe: Probe, bend: Bend) -> Verdict:
    smallest = bend.smallest
    fades = probe.newton_steps > PLAIN or (
        trace.end is not None and abs(smallest) < FADES * abs(trace.end.smallest) and probe.newton_steps > 0
    )
    if fades or abs(smallest) <= bend.error:
        return _singular(trace, probe, _about_zero(bend))
    if smallest < 0:
        if probe.sag >= -(2 * probe.rest + probe.rounding):
            said = f"The smallest curvature is {number(smallest)}, too weak to show in the values around."
            return _singular(trace, probe, said)
        return (
            _maximum(trace, probe, bend)
            if bend.largest < -bend.error and not bend.unseen
            else _saddle(trace, probe, bend)
        )
    if smallest <= bend.unseen:
        said = f"No negative curvature was found ({number(smallest)} is the smallest of {len(bend.values)} measured), "
        said += f"but the true one may lie {number(bend.unseen)} lower."
        return _singular(trace, probe, said)
    return _minimum(trace, probe, bend)


def _about_zero(bend: Bend) -> str:
    return f"The smallest curvature is {number(bend.smallest)}, zero to what can be measured; it decides nothing."


def _minimum(trace: Trace, probe: Probe, bend: Bend) -> Verdict:
    value, gap = float(trace.values[-1]), float(trace.norms[-1]) * probe.shift
    evidence = curvatures(bend) | {"gradient": float(trace.norms[-1]), "distance": probe.shift, "gap": gap / 2}
    passed = f"The gradient is zero (‖g‖ = {number(float(trace.norms[-1]))}) and every curvature is positive: "
    passed += f"the smallest is {number(bend.smallest)} ± {number(bend.error + bend.unseen)}, "
    passed += f"the largest {number(bend.largest)}."
    near = f"The stationary point is {number(probe.shift)} away, and at most {number(gap / 2)} lower."
    lowest = trace.values[trace.best]
    tolerance = BETTER * max(1.0, abs(value)) + 10 * gap
    if trace.known is not None and value > trace.known + tolerance:
        better = f"But the global minimum is known to be {number(trace.known)}; this one is {number(value)}."
        return _local(better, (passed, near), evidence | {"known": trace.known})
    if lowest < value - tolerance:
        better = f"But step {trace.best} on the way stood lower: {number(float(lowest))} against {number(value)}."
        return _local(better, (passed, near), evidence | {"known": float(lowest)})
    change = "It is the global minimum only if no other is lower: search='multi-start' looks for one." * (
        trace.known is None
    )
    return Verdict("minimum", (passed, near), evidence, (change,) if change else ())


def _local(better: str, passed: tuple[str, ...], evidence: dict[str, float]) -> Verdict:
    change = "Start elsewhere, add momentum, or search='multi-start' or 'basin-hopping'."
    return Verdict("local-minimum", (better, *passed), evidence, (change,))


def _saddle(trace: Trace, probe: Probe, bend: Bend) -> Verdict:
    evidence = curvatures(bend) | {"gradient": float(trace.norms[-1]), "sag": probe.sag, "beyond": probe.beyond}
    reasons = [
        f"The gradient is zero, but the curvature is {number(bend.smallest)} along {point(bend.direction)}"
        + (f" and {number(bend.largest)} along {point(bend.steepest)}" if bend.largest > bend.error else "")
        + ": a minimum one way and a maximum the other."
        if bend.largest > bend.error
        else f"The gradient is zero, but the curvature is {number(bend.smallest)} along {point(bend.direction)}.",
    ]
    return Verdict("saddle", (*reasons, *_beyond(trace, probe)), evidence, (_escape(trace, bend),))


def _maximum(trace: Trace, probe: Probe, bend: Bend) -> Verdict:
    evidence = curvatures(bend) | {"gradient": float(trace.norms[-1]), "beyond": probe.beyond}
    span = f"{number(bend.smallest)} to {number(bend.largest)}"
    said = f"The gradient is zero and every curvature is negative, {span}: "
    return Verdict(
        "maximum", (f"{said}every way leads down.", *_beyond(trace, probe)), evidence, (_escape(trace, bend),)
    )


def _beyond(trace: Trace, probe: Probe) -> tuple[str, ...]:
    value = float(trace.values[-1])
    if not math.isfinite(probe.beyond) or probe.beyond <= value - ENDLESS * (1 + abs(value)):
        return ("A descent from just beside it falls without end.",)
    here = number(float(trace.values[-1]))
    where = f" at {point(probe.beyond_x)}" if probe.beyond_x is not None else ""
    return (f"A descent from just beside it, down that way, ends at {number(probe.beyond)}{where}; here it is {here}.",)


def _escape(trace: Trace, bend: Bend) -> str:
    if trace.optimizer in stability.LINEAR and trace.lr > 0:
        factor = float(stability.contraction(trace.optimizer, trace.lr, bend.smallest, trace.momentum))
        if factor > 1:
            steps = math.ceil(math.log(1e8) / math.log(factor))
            return (
                f"escape=True goes on from beside it. A nudge grows ×{number(factor)} a step here: "
                f"one of 1e-8 needs about {steps} steps to grow to 1."
            )
    return "escape=True goes on from beside it, and so does optimizer='newton'."


def _singular(trace: Trace, probe: Probe, said: str) -> Verdict:
    evidence = {"gradient": float(trace.norms[-1]), "lowest_around": probe.lowest, "highest_around": probe.highest}
    evidence["radius"] = probe.radius
    if probe.settled is not None:
        evidence |= curvatures(probe.settled)
    slope = 2 * float(trace.norms[-1]) * probe.radius + 2 * probe.rest + probe.rounding
    if probe.lowest < -slope:
        found = (
            f"It is not a minimum: {number(probe.radius)} away, along {point(probe.down)}, the value is lower by "
            f"{number(-probe.lowest)}, more than the slope explains."
        )
        return Verdict("degenerate", (said, found), evidence, ("escape=True goes on from the lower point.",))
    found = (
        f"On a ball of radius {number(probe.radius)} around it no value is lower beyond what the slope explains: "
        "a minimum, or a valley floor, as far as sampling can tell."
    )
    return Verdict(
        "degenerate", (said, found), evidence, ("Higher derivatives would decide; sampling cannot prove it.",)
    )

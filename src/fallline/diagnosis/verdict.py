"""How a descent on a function ended: one word, the sentences and numbers behind it, and what would change it.

Only a minimum whose second-order test passed is a success. A gradient below a tolerance is never enough: it is as short
on saddles, maxima and plateaus. So what is asked is whether a few Newton steps find a stationary point next to the end,
and what the curvature is there. The order of the questions: not finite, run away, stationary, and only then the pace.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from fallline.calculus import stability
from fallline.record.trace import Bend, Probe, Stop, Trace

KINDS = (
    "minimum", "local-minimum", "saddle", "maximum", "degenerate", "plateau", "diverged", "unbounded", "oscillating",
    "too-slow", "budget", "non-finite",
)  # fmt: skip

SETTLED = 1e-3  # factor of the gradient over the Newton steps that tells a stationary point
PLAIN = 3  # most Newton steps for it next to a point whose Hessian is not singular
NEAR = 0.1  # farthest that point may lie, relative to 1 + ‖x‖
CLOSE = 1e-3  # the same, for a descent that ended for another reason than its gradient
SHRINKS = 0.6  # of Newton's steps, from the first to the last: on a plateau they do not shrink
FADES = 0.1  # a curvature that shrinks to this share over the Newton steps is zero at their end
BETTER = 1e-6  # a known value lower by this, relative above 1, makes a minimum a local one
WINDOW = 60  # last steps that tell the pace


@dataclass(frozen=True)
class Verdict:
    """How a descent ended."""

    kind: str  # one of KINDS
    reasons: tuple[str, ...]  # sentences, the most telling first
    evidence: dict[str, float] = field(default_factory=dict)
    change: tuple[str, ...] = ()  # what to do, or what would change the verdict

    @property
    def success(self) -> bool:
        """Whether a minimum was found whose second-order test passed."""
        return self.kind == "minimum"

    @property
    def message(self) -> str:
        """The reasons as one text."""
        return " ".join(self.reasons)


def verdict(trace: Trace) -> Verdict:
    """Judge a descent by its trace, and nothing else."""
    for judge in JUDGES:
        found = judge(trace)
        if found is not None:
            return found
    return _pace(trace)


def number(value: float) -> str:
    """A number as it stands in a sentence."""
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def point(values: np.ndarray) -> str:
    """A point as it stands in a sentence; of a long one the beginning."""
    shown = ", ".join(number(float(v) + 0.0) for v in values[:4])
    return f"({shown}{', …' if len(values) > 4 else ''})"


# -- what is not finite, or ran away ---------------------------------------------------------------------------------


def _not_finite(trace: Trace) -> Verdict | None:
    if trace.stop is not Stop.NON_FINITE:
        return None
    last = _last_finite(trace)
    if last is not None and trace.nit > 0:
        if _fell_without_end(trace, last):
            return _unbounded(trace, last)
        if _blew_up(trace, last):
            return _diverged(trace, last)
    at = trace.path[-1]
    evidence = {"step": float(trace.nit), "value": float(trace.values[-1])}
    what = f"At step {trace.nit}, at {point(at)}, {_what_is_not_finite(trace)}."
    if trace.nit == 0:
        return Verdict("non-finite", (what,), evidence, ("Start where the function and its gradient are finite.",))
    before = f"The step before it stood at {point(trace.path[-2])} with the value {number(float(trace.values[-2]))}."
    shorter = "A lower learning rate keeps the step inside the domain" if trace.optimizer != "newton" else "Start nearer"
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


def _ran_away(trace: Trace) -> Verdict | None:
    if trace.stop is not Stop.FAR:
        return None
    if trace.values[-1] > trace.values[0]:
        return _diverged(trace, trace.nit)
    if _fell_without_end(trace, trace.nit) and not _levels_off(trace):
        return _unbounded(trace, trace.nit)
    return _plateau(trace, f"The variables ran away to {point(trace.path[-1])}, where the function is nearly flat.")


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


def _diverged(trace: Trace, last: int) -> Verdict:
    growth = _growth(trace.norms[: last + 1])
    evidence = {"growth": growth, "value": float(trace.values[last]), "lr": trace.lr}
    reasons = [
        f"The value grew from {number(float(trace.values[0]))} to {number(float(trace.values[last]))} in {last} "
        f"step{'s' * (last != 1)}" + (f", the gradient ×{number(growth)} a step." if growth > 1 else ".")
    ]
    limits = _limits(trace)
    if limits is None:
        return Verdict("diverged", tuple(reasons), evidence, ("Try a learning rate ten times lower.",))
    limit, curvature, where = limits
    evidence |= {"limit": limit, "over": trace.lr / limit, "largest_curvature": curvature}
    said = f"For {_rule(trace)} the learning rate must be below {number(limit)} = {_formula(trace)}"
    said += f", with λ = {number(curvature)}, the largest curvature {where}"
    if trace.lr >= limit:
        reasons.append(f"{said}; {number(trace.lr)} is {number(trace.lr / limit)} times that.")
        change = f"Lower the learning rate below {number(limit)}; {_recommended(trace, where)}."
    else:
        reasons.append(f"{said}: {number(trace.lr)} is below it there, so the curvature grew on the way.")
        change = f"Lower the learning rate, to {number(trace.lr / 10)} say, or use lr='armijo', which measures each step."
    return Verdict("diverged", tuple(reasons), evidence, (change,))


def _growth(norms: np.ndarray) -> float:
    """Factor a step over the last half."""
    positive = norms[len(norms) // 2 :]
    positive = positive[positive > 0]
    if len(positive) < 2:
        return math.nan
    return float(np.exp(np.polyfit(np.arange(len(positive)), np.log(positive), 1)[0]))


def _rule(trace: Trace) -> str:
    beta = f" (β = {number(trace.momentum)})" if trace.optimizer != "gd" else ""
    return {"gd": "gradient descent", "heavy-ball": "the heavy ball", "nesterov": "Nesterov's momentum"}.get(
        trace.optimizer, trace.optimizer
    ) + beta


def _formula(trace: Trace) -> str:
    return {
        "gd": "2/λ",
        "heavy-ball": "2(1+β)/λ",
        "nesterov": "2(1+β)/((1+2β)λ)",
    }.get(trace.optimizer, "2(1+β)/((1−β)λ)")


def _limits(trace: Trace) -> tuple[float, float, str] | None:
    """Largest stable rate, the curvature it rests on, and where that was measured."""
    if trace.optimizer in stability.LINEAR:
        bends = [(b, "at the start" if b.step == 0 else f"at step {b.step}") for b in (trace.start, trace.end) if b]
        bends = [(b, w) for b, w in bends if 0 < b.largest < math.inf]
        if not bends:
            return None
        first, where = bends[0]
        if trace.stop not in (Stop.NON_FINITE, Stop.FAR):
            first, where = bends[-1]
        limit = stability.rate_limit(trace.optimizer, first.largest, trace.momentum)
        return None if limit is None else (limit, first.largest, where)
    if trace.optimizer in stability.PRECONDITIONED and trace.end is not None and trace.end.steep > 0:
        limit = stability.rate_limit(trace.optimizer, trace.end.steep, trace.momentum)
        return None if limit is None else (limit, trace.end.steep, f"of P⁻¹H at step {trace.end.step}")
    return None


def _recommended(trace: Trace, where: str) -> str:
    bend = trace.start if where == "at the start" else trace.end
    if bend is None or trace.optimizer not in stability.LINEAR:
        return "half of it is safe"
    if bend.smallest <= bend.error:
        safe = stability.rate_limit(trace.optimizer, bend.largest, trace.momentum) or math.nan
        return f"half of it, {number(safe / 2)}, is safe"
    best = stability.tuned(trace.optimizer, bend.smallest, bend.largest)
    beta = f" with momentum {number(best.momentum)}" if trace.optimizer != "gd" else ""
    return f"best for these curvatures is {number(best.lr)}{beta}"


# -- stationary points -----------------------------------------------------------------------------------------------


def _stationary(trace: Trace) -> Verdict | None:
    probe = trace.probe
    if probe is None or trace.stop is Stop.MAX_ITER:
        return None
    by_gradient = trace.stop is Stop.GTOL
    if probe.settled is None:
        if not by_gradient:
            return None
        said = f"The gradient is {number(float(trace.norms[-1]))}, but there is no finite second derivative here."
        return _singular(trace, probe, said)
    if _flat(trace, probe):
        return _plateau(trace, "The gradient is short because the function is flat here, not because it has a minimum.")
    near = probe.shift <= (NEAR if by_gradient else CLOSE) * (1 + float(np.linalg.norm(trace.path[-1])))
    settles = probe.ratio <= SETTLED and (probe.newton_steps <= PLAIN or probe.shrink <= SHRINKS)
    if near and settles:
        return _kind_of_point(trace, probe, probe.settled)
    if not by_gradient:
        return None
    said = f"The gradient is below gtol, but Newton's steps find no stationary point near: {_newton(probe)}."
    return _plateau(trace, said)


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
        return _maximum(trace, probe, bend) if bend.largest < -bend.error and not bend.unseen else _saddle(trace, probe, bend)
    if smallest <= bend.unseen:
        said = f"No negative curvature was found ({number(smallest)} is the smallest of {len(bend.values)} measured), "
        said += f"but the true one may lie {number(bend.unseen)} lower."
        return _singular(trace, probe, said)
    return _minimum(trace, probe, bend)


def _about_zero(bend: Bend) -> str:
    return f"The smallest curvature is {number(bend.smallest)}, zero to what can be measured; it decides nothing."


def _curvatures(bend: Bend) -> dict[str, float]:
    return {
        "smallest_curvature": bend.smallest,
        "largest_curvature": bend.largest,
        "curvature_error": bend.error + bend.unseen,
        "condition": bend.condition,
    }


def _minimum(trace: Trace, probe: Probe, bend: Bend) -> Verdict:
    value, gap = float(trace.values[-1]), float(trace.norms[-1]) * probe.shift
    evidence = _curvatures(bend) | {"gradient": float(trace.norms[-1]), "distance": probe.shift, "gap": gap / 2}
    passed = f"The gradient is zero (‖g‖ = {number(float(trace.norms[-1]))}) and every curvature is positive: the smallest is "
    passed += f"{number(bend.smallest)} ± {number(bend.error + bend.unseen)}, the largest {number(bend.largest)}."
    near = f"The stationary point is {number(probe.shift)} away, and at most {number(gap / 2)} lower."
    lowest = trace.values[trace.best]
    tolerance = BETTER * max(1.0, abs(value)) + 10 * gap
    if trace.known is not None and value > trace.known + tolerance:
        better = f"But the global minimum is known to be {number(trace.known)}; this one is {number(value)}."
        return _local(better, (passed, near), evidence | {"known": trace.known})
    if lowest < value - tolerance:
        better = f"But step {trace.best} on the way stood lower: {number(float(lowest))} against {number(value)}."
        return _local(better, (passed, near), evidence | {"known": float(lowest)})
    change = f"It is the global minimum only if no other is lower: search='multi-start' looks for one." * (trace.known is None)
    return Verdict("minimum", (passed, near), evidence, (change,) if change else ())


def _local(better: str, passed: tuple[str, ...], evidence: dict[str, float]) -> Verdict:
    change = "Start elsewhere, add momentum, or search='multi-start' or 'basin-hopping'."
    return Verdict("local-minimum", (better, *passed), evidence, (change,))


def _saddle(trace: Trace, probe: Probe, bend: Bend) -> Verdict:
    evidence = _curvatures(bend) | {"gradient": float(trace.norms[-1]), "sag": probe.sag, "beyond": probe.beyond}
    reasons = [
        f"The gradient is zero, but the curvature is {number(bend.smallest)} along {point(bend.direction)}"
        + (f" and {number(bend.largest)} along {point(bend.steepest)}" if bend.largest > bend.error else "")
        + ": a minimum one way and a maximum the other."
        if bend.largest > bend.error
        else f"The gradient is zero, but the curvature is {number(bend.smallest)} along {point(bend.direction)}.",
    ]
    return Verdict("saddle", (*reasons, *_beyond(trace, probe)), evidence, (_escape(trace, bend),))


def _maximum(trace: Trace, probe: Probe, bend: Bend) -> Verdict:
    evidence = _curvatures(bend) | {"gradient": float(trace.norms[-1]), "beyond": probe.beyond}
    said = f"The gradient is zero and every curvature is negative, from {number(bend.smallest)} to {number(bend.largest)}: "
    return Verdict("maximum", (f"{said}every way leads down.", *_beyond(trace, probe)), evidence, (_escape(trace, bend),))


def _beyond(trace: Trace, probe: Probe) -> tuple[str, ...]:
    if not math.isfinite(probe.beyond) or probe.beyond < -1e100:
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
        evidence |= _curvatures(probe.settled)
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
    return Verdict("degenerate", (said, found), evidence, ("Higher derivatives would decide; sampling cannot prove it.",))


def _plateau(trace: Trace, said: str) -> Verdict:
    evidence = {"gradient": float(trace.norms[-1]), "value": float(trace.values[-1])}
    if trace.end is not None:
        evidence |= _curvatures(trace.end)
    change = ["Start nearer to where the function varies, or lower gtol with it: the scale here is far below 1."]
    if trace.known is not None and trace.values[-1] > trace.known + BETTER:
        evidence["known"] = trace.known
        change.append(f"The known minimum is {number(trace.known)}; here it is {number(float(trace.values[-1]))}.")
    size = f"‖g‖ = {number(float(trace.norms[-1]))}"
    bent = f" and the largest curvature is {number(trace.end.size)}" if trace.end is not None else ""
    return Verdict("plateau", (said, f"Here {size}{bent}."), evidence, tuple(change))


# -- the pace of a descent that did not arrive -----------------------------------------------------------------------


def _growing(trace: Trace) -> Verdict | None:
    """Diverging, though still within the range of numbers."""
    if trace.nit < 3 or trace.optimizer == "newton" or not trace.values[-1] > trace.values[0]:
        return None
    norms = trace.norms[-3 * max(1, min(WINDOW, trace.nit) // 3) :]
    early, late = norms[: len(norms) // 3].max(), norms[-(len(norms) // 3) :].max()
    limits = _limits(trace)
    over = limits is not None and trace.lr > limits[0]
    return _diverged(trace, trace.nit) if late > early * (1.0 + 1e-9 if over else 1.5) else None


def _endless(trace: Trace) -> Verdict | None:
    """Falling along a line that does not end."""
    probe = trace.probe
    if probe is None or len(probe.ahead) < 20 or not np.isfinite(probe.ahead).any() or probe.lowest >= 0:
        return None
    finite = np.isfinite(probe.ahead)
    if not finite.all() and probe.ahead[int(finite.argmin())] != -math.inf:  # it rises beyond all numbers, or has a pole
        return None
    values = np.concatenate([[0.0], probe.ahead[: int(finite.argmin()) if not finite.all() else len(finite)]])
    drops = -np.diff(values)
    if len(drops) < 10 or not (drops > 0).all():
        return None
    if drops[-1] < 0.75 * drops[-2]:  # each doubling gains less: it levels off
        return None
    evidence = {"value": float(trace.values[-1]), "ahead": float(values[-1]), "distance": float(probe.ray[len(values) - 2])}
    said = (
        f"The value falls without end: {number(evidence['distance'])} ahead along the last steps it would still be "
        f"falling, {number(-evidence['ahead'])} below the value here, {number(evidence['value'])}."
    )
    change = ("The function has no minimum this way: bound the variables, or add a term that grows.",)
    return Verdict("unbounded", (said,), evidence, change)


def _oscillating(trace: Trace) -> Verdict | None:
    steps = np.diff(trace.path[-WINDOW - 1 :], axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    if len(steps) < 12 or not (lengths > 0).all() or trace.optimizer == "newton":
        return None
    third = len(lengths) // 3
    steady = lengths[-third:].max() > 0.95 * lengths[:third].max()
    path = float(lengths.sum())
    went = float(np.linalg.norm(trace.path[-1] - trace.path[-len(steps) - 1]))
    gained = trace.values[-len(steps) - 1 :]
    falls = float(gained[:third].min() - gained[-third:].min()) > 1e-3 * float(np.ptp(gained))
    if not steady or went > 0.2 * path or falls:
        return None
    turns = (steps[1:] * steps[:-1]).sum(axis=1) / (lengths[1:] * lengths[:-1])
    evidence = {"turn": float(turns.mean()), "amplitude": float(lengths[-third:].mean()), "lr": trace.lr}
    if turns.mean() < -0.5:
        said = f"The steps jump to and fro: each of the last {len(steps)} turns back against the one before"
    else:
        said = f"The point circles: the last {len(steps)} steps lead {number(path)} far and {number(went)} away"
    reasons = [f"{said}, and they do not get shorter (about {number(evidence['amplitude'])})."]
    change = "A lower or decaying learning rate lets it settle: schedule='cosine', or half the rate."
    limits = _limits(trace)
    if limits is not None:
        limit, curvature, where = limits
        evidence |= {"limit": limit, "over": trace.lr / limit, "largest_curvature": curvature}
        reasons.append(
            f"The limit for {_rule(trace)} is {_formula(trace)} = {number(limit)} for the curvature {number(curvature)} "
            f"{where}; the rate {number(trace.lr)} is {number(trace.lr / limit)} times that."
        )
        change = f"Lower the learning rate: {_recommended(trace, where)}."
    return Verdict("oscillating", tuple(reasons), evidence, (change,))


JUDGES: tuple[Callable[[Trace], Verdict | None], ...] = (
    _not_finite, _ran_away, _stationary, _growing, _endless, _oscillating,
)  # fmt: skip


def _pace(trace: Trace) -> Verdict:
    """It was still on its way: how many steps are left at this pace?"""
    gradient = float(trace.norms[-1])
    rate = _contraction(trace)
    left = math.log(trace.gtol / gradient) / math.log(rate) if 0 < rate < 1 and gradient > trace.gtol > 0 else math.inf
    evidence = {"gradient": gradient, "contraction": rate, "steps_left": left, "lr": trace.lr}
    reasons = [f"Stopped because {trace.stop.value}, with ‖g‖ = {number(gradient)} above gtol = {number(trace.gtol)}."]
    if trace.stop is Stop.STALLED:
        reasons.append(_unresolved(trace))
        return Verdict("too-slow", tuple(reasons), evidence, ("Compute in float64, or raise the learning rate.",))
    leaving = trace.end is not None and trace.end.smallest < -trace.end.error
    if rate < 1:
        reasons.append(f"The gradient shrinks ×{rate:.6g} a step: about {_count(left)} more steps at this pace.")
    elif leaving and trace.end is not None:
        reasons.append(f"The gradient does not shrink: negative curvature ({number(trace.end.smallest)}) leads on down.")
    else:
        reasons.append("The gradient does not shrink at a steady pace.")
    change = list(_faster(trace, evidence))
    asked = trace.stop in (Stop.TARGET, Stop.CALLBACK)
    slow = trace.stop in (Stop.XTOL, Stop.FTOL) or left > max(trace.nit, 1)
    if asked or not slow:
        more = "" if asked or not math.isfinite(left) else f"max_iter={trace.nit + math.ceil(1.2 * left)} would be enough."
        return Verdict("budget", tuple(reasons), evidence, tuple(x for x in (more, *change) if x))
    return Verdict("too-slow", tuple(reasons), evidence, tuple(change))


def _count(steps: float) -> str:
    return f"{math.ceil(steps):,}" if steps < 1e6 else number(steps)


def _contraction(trace: Trace) -> float:
    """Factor a step of the gradient's length, over the last third of the steps."""
    norms = trace.norms[-max(10, trace.nit // 3) - 1 :]
    norms = norms[np.isfinite(norms) & (norms > 0)]
    if len(norms) < 4:
        return math.nan
    return float(np.exp(np.polyfit(np.arange(len(norms)), np.log(norms), 1)[0]))


def _unresolved(trace: Trace) -> str:
    kind = "float32" if trace.resolution > 1e-10 else "float64"
    size = float(np.abs(trace.path[-1]).max())
    step = trace.lr * float(trace.norms[-1])
    return (
        f"{kind} cannot resolve the step: it is about {number(step)}, and numbers of the size {number(size)} lie "
        f"{number(size * trace.resolution)} apart."
    )


def _faster(trace: Trace, evidence: dict[str, float]) -> list[str]:
    """What the measured curvatures recommend."""
    bend = trace.end
    if bend is None or bend.smallest <= bend.error or trace.optimizer not in stability.LINEAR:
        limits = _limits(trace)
        if limits is not None and trace.lr < 0.1 * limits[0]:
            return [f"The learning rate {number(trace.lr)} is far below the limit {number(limits[0])}: raise it."]
        return ["Try lr='auto', momentum, or optimizer='newton'."]
    if trace.probe is None or trace.probe.ratio > SETTLED or trace.probe.newton_steps > PLAIN:
        said = f"The curvature here, {number(bend.smallest)} to {number(bend.largest)}, changes on the way to the minimum, "
        return [said + "so no fixed rate is the best: try lr='armijo', 'bb', or optimizer='newton'."]
    evidence |= {"condition": bend.condition, "smallest_curvature": bend.smallest, "largest_curvature": bend.largest}
    factor = trace.gtol / float(trace.norms[-1])
    said = [f"The curvatures are {number(bend.smallest)} to {number(bend.largest)}, κ = {number(bend.condition)}."]
    names = dict.fromkeys(["gd", trace.optimizer if trace.optimizer != "gd" else "heavy-ball"])
    for name in names:
        best = stability.tuned(name, bend.smallest, bend.largest)
        beta = f", momentum {number(best.momentum)}" if name != "gd" else ""
        evidence |= {f"best_lr_{name}": best.lr, f"best_momentum_{name}": best.momentum}
        said.append(
            f"{name} with lr {number(best.lr)}{beta} would shrink the distance ×{best.rate:.6g} a step, "
            f"about {_count(best.steps(min(factor, 0.999)))} steps."
        )
    return said

"""Descents that did not arrive: still growing, endless, going round, too slow, or simply not done."""

from __future__ import annotations

import math

import numpy as np

from fallline.calculus import stability
from fallline.diagnosis.kinds import (
    PLAIN,
    SETTLED,
    Verdict,
    limit_formula,
    limits,
    number,
    recommended,
    rule_in_words,
)
from fallline.diagnosis.runaway import diverged
from fallline.record.descent import Stop, Trace

WINDOW = 60  # last steps that tell the pace


def growing(trace: Trace) -> Verdict | None:
    """Diverging, though still within the range of numbers."""
    if trace.nit < 3 or trace.optimizer == "newton" or not trace.values[-1] > trace.values[0]:
        return None
    norms = trace.norms[-3 * max(1, min(WINDOW, trace.nit) // 3) :]
    early, late = norms[: len(norms) // 3].max(), norms[-(len(norms) // 3) :].max()
    known = limits(trace)
    over = known is not None and trace.lr > known[0]
    return diverged(trace, trace.nit) if late > early * (1.0 + 1e-9 if over else 1.5) else None


def endless(trace: Trace) -> Verdict | None:
    """Falling along a line that does not end."""
    probe = trace.probe
    if probe is None or len(probe.ahead) < 20 or not np.isfinite(probe.ahead).any() or probe.lowest >= 0:
        return None
    finite = np.isfinite(probe.ahead)
    if (
        not finite.all() and probe.ahead[int(finite.argmin())] != -math.inf
    ):  # it rises beyond all numbers, or has a pole
        return None
    values = np.concatenate([[0.0], probe.ahead[: int(finite.argmin()) if not finite.all() else len(finite)]])
    drops = -np.diff(values)
    if len(drops) < 10 or not (drops > 0).all():
        return None
    if drops[-1] < 0.75 * drops[-2]:  # each doubling gains less: it levels off
        return None
    evidence = {
        "value": float(trace.values[-1]),
        "ahead": float(values[-1]),
        "distance": float(probe.ray[len(values) - 2]),
    }
    said = (
        f"The value falls without end: {number(evidence['distance'])} ahead along the last steps it would still be "
        f"falling, {number(-evidence['ahead'])} below the value here, {number(evidence['value'])}."
    )
    change = ("The function has no minimum this way: bound the variables, or add a term that grows.",)
    return Verdict("unbounded", (said,), evidence, change)


def oscillating(trace: Trace) -> Verdict | None:
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
    known = limits(trace)
    if known is not None:
        limit, curvature, where = known
        evidence |= {"limit": limit, "over": trace.lr / limit, "largest_curvature": curvature}
        reasons.append(
            f"The limit for {rule_in_words(trace)} is {limit_formula(trace)} = {number(limit)} for the curvature "
            f"{number(curvature)} {where}; the rate {number(trace.lr)} is {number(trace.lr / limit)} times that."
        )
        change = f"Lower the learning rate: {recommended(trace, where)}."
    return Verdict("oscillating", tuple(reasons), evidence, (change,))


def pace(trace: Trace) -> Verdict:
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
        reasons.append(
            f"The gradient does not shrink: negative curvature ({number(trace.end.smallest)}) leads on down."
        )
    else:
        reasons.append("The gradient does not shrink at a steady pace.")
    change = list(_faster(trace, evidence))
    asked = trace.stop in (Stop.TARGET, Stop.CALLBACK)
    slow = trace.stop in (Stop.XTOL, Stop.FTOL) or left > max(trace.nit, 1)
    if asked or not slow:
        more = (
            "" if asked or not math.isfinite(left) else f"max_iter={trace.nit + math.ceil(1.2 * left)} would be enough."
        )
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
        known = limits(trace)
        if known is not None and trace.lr < 0.1 * known[0]:
            return [f"The learning rate {number(trace.lr)} is far below the limit {number(known[0])}: raise it."]
        return ["Try lr='auto', momentum, or optimizer='newton'."]
    if trace.probe is None or trace.probe.ratio > SETTLED or trace.probe.newton_steps > PLAIN:
        span = f"{number(bend.smallest)} to {number(bend.largest)}"
        changes = f"The curvature here, {span}, changes on the way to the minimum, so no fixed rate is the best: "
        return [changes + "try lr='armijo', 'bb', or optimizer='newton'."]
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

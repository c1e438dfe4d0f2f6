"""The kinds of endings of a descent on a function, and what their judges share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from fallline.calculus import stability
from fallline.record.descent import Bend, Stop, Trace

KINDS = (
    "minimum", "local-minimum", "saddle", "maximum", "degenerate", "plateau", "diverged", "unbounded", "oscillating",
    "too-slow", "budget", "non-finite",
)  # fmt: skip

SETTLED = 1e-3  # factor of the gradient over the Newton steps that tells a stationary point
PLAIN = 3  # most Newton steps for it next to a point whose Hessian is not singular
BETTER = 1e-6  # a known value lower by this, relative above 1, makes a minimum a local one


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


def number(value: float) -> str:
    """A number as it stands in a sentence."""
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e").replace("-", "−")


def point(values: np.ndarray) -> str:
    """A point as it stands in a sentence; of a long one the beginning."""
    shown = ", ".join(number(float(v) + 0.0) for v in values[:4])
    return f"({shown}{', …' if len(values) > 4 else ''})"


def rule_in_words(trace: Trace) -> str:
    beta = f" (β = {number(trace.momentum)})" if trace.optimizer != "gd" else ""
    return {"gd": "gradient descent", "heavy-ball": "the heavy ball", "nesterov": "Nesterov's momentum"}.get(
        trace.optimizer, trace.optimizer
    ) + beta


def limit_formula(trace: Trace) -> str:
    return {
        "gd": "2/λ",
        "heavy-ball": "2(1+β)/λ",
        "nesterov": "2(1+β)/((1+2β)λ)",
    }.get(trace.optimizer, "2(1+β)/((1−β)λ)")


def limits(trace: Trace) -> tuple[float, float, str] | None:
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


def recommended(trace: Trace, where: str) -> str:
    bend = trace.start if where == "at the start" else trace.end
    if bend is None or trace.optimizer not in stability.LINEAR:
        return "half of it is safe"
    if bend.smallest <= bend.error:
        safe = stability.rate_limit(trace.optimizer, bend.largest, trace.momentum) or math.nan
        return f"half of it, {number(safe / 2)}, is safe"
    best = stability.tuned(trace.optimizer, bend.smallest, bend.largest)
    beta = f" with momentum {number(best.momentum)}" if trace.optimizer != "gd" else ""
    return f"best for these curvatures is {number(best.lr)}{beta}"


def curvatures(bend: Bend) -> dict[str, float]:
    return {
        "smallest_curvature": bend.smallest,
        "largest_curvature": bend.largest,
        "curvature_error": bend.error + bend.unseen,
        "condition": bend.condition,
    }


def plateau(trace: Trace, said: str) -> Verdict:
    evidence = {"gradient": float(trace.norms[-1]), "value": float(trace.values[-1])}
    if trace.end is not None:
        evidence |= curvatures(trace.end)
    change = ["Start nearer to where the function varies, or lower gtol with it: the scale here is far below 1."]
    if trace.known is not None and trace.values[-1] > trace.known + BETTER:
        evidence["known"] = trace.known
        change.append(f"The known minimum is {number(trace.known)}; here it is {number(float(trace.values[-1]))}.")
    size = f"‖g‖ = {number(float(trace.norms[-1]))}"
    bent = f" and the largest curvature is {number(trace.end.size)}" if trace.end is not None else ""
    return Verdict("plateau", (said, f"Here {size}{bent}."), evidence, tuple(change))

"""How a descent on a function ended: one word, the sentences and numbers behind it, and what would change it.

Only a minimum whose second-order test passed is a success. A gradient below a tolerance is never enough: it is as short
on saddles, maxima and plateaus. So what is asked is whether a few Newton steps find a stationary point next to the end,
and what the curvature is there. The order of the questions: not finite, run away, stationary, and only then the pace.
"""

from __future__ import annotations

from collections.abc import Callable

from fallline.diagnosis import pace, runaway, stationary
from fallline.diagnosis.kinds import KINDS as KINDS
from fallline.diagnosis.kinds import Verdict as Verdict
from fallline.record.descent import Trace

JUDGES: tuple[Callable[[Trace], Verdict | None], ...] = (
    runaway.not_finite, runaway.ran_away, stationary.stationary, pace.growing, pace.endless, pace.oscillating,
)  # fmt: skip


def verdict(trace: Trace) -> Verdict:
    """Judge a descent by its trace, and nothing else."""
    for judge in JUDGES:
        found = judge(trace)
        if found is not None:
            return found
    return pace.pace(trace)

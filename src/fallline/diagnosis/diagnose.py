"""All checks on one record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fallline.diagnosis.causes import rank
from fallline.diagnosis.checks import CHECKS
from fallline.diagnosis.finding import Check, Finding, NotApplicable
from fallline.diagnosis.forecast import CERTAIN, FORETOLD, REASON
from fallline.record.run import Run

COURSE = frozenset(  # the checks that follow the loss or the gradient as they go
    {
        "loss-spike", "oscillating-loss", "learning-rate-too-high", "learning-rate-too-low", "exploding-gradient",
        "vanishing-gradient", "plateau",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Diagnosis:
    """What the checks said of a run: every check stands in exactly one of the three."""

    findings: tuple[Finding, ...]  # the root cause first
    passed: tuple[str, ...]
    not_applicable: dict[str, str]  # code → reason


def _own_fault(error: Exception) -> str:
    """What is said where a check itself fails."""
    return f"by a fault of fallline's own: {type(error).__name__}: {error}"


def diagnose(run: Run, checks: Sequence[Check] = CHECKS) -> Diagnosis:
    """Apply every check to a recorded run, and rank what they find by cause."""
    findings: list[Finding] = []
    passed: list[str] = []
    not_applicable: dict[str, str] = {}
    ahead = bool(run.meta.get("forecast"))
    blind = bool(run.trainings) and not any(np.isfinite(training.loss).any() for training in run.trainings)
    for check in checks:
        if ahead and check.code not in FORETOLD:
            not_applicable[check.code] = REASON
            continue
        if blind and not ahead and check.code in COURSE:
            not_applicable[check.code] = "no loss is a finite number"
            continue
        try:
            with np.errstate(all="ignore"):  # a training that failed is full of infinities
                finding = check.look(run)
        except NotApplicable as reason:
            not_applicable[check.code] = str(reason)
            continue
        except Exception as error:  # the other checks are worth no less for it
            not_applicable[check.code] = _own_fault(error)
            continue
        if finding is None:
            passed.append(check.code)
        else:
            likely = ahead and check.code not in CERTAIN and finding.severity == "error"
            findings.append(replace(finding, severity="warning") if likely else finding)
    return Diagnosis(rank(findings, [check.code for check in checks]), tuple(passed), not_applicable)

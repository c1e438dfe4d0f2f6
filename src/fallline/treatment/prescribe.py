"""Remedies for the findings of a diagnosis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fallline.diagnosis.diagnose import Diagnosis
from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.remedies import COMMON, RARE
from fallline.treatment.remedy import Remedy


def prescribe(diagnosis: Diagnosis, run: Run) -> Diagnosis:
    """The same diagnosis, every finding with what may help against it, the first doses of each remedy first."""
    return replace(diagnosis, findings=tuple(replace(f, remedies=remedies_for(f, run)) for f in diagnosis.findings))


def remedies_for(finding: Finding, run: Run) -> tuple[Prescription, ...]:
    """Every remedy that treats the finding's code: the first dose of each, the second ones, then the rare remedies."""
    return (*_doses(COMMON, finding, run), *_doses(RARE, finding, run))


def _doses(remedies: Iterable[Remedy], finding: Finding, run: Run) -> tuple[Prescription, ...]:
    doses = [remedy.propose(finding, run) for remedy in remedies if finding.code in remedy.treats]
    longest = max((len(d) for d in doses), default=0)
    return tuple(dose[i] for i in range(longest) for dose in doses if i < len(dose))

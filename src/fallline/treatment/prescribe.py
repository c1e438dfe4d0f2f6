"""Remedies for the findings of a diagnosis."""

from __future__ import annotations

from dataclasses import replace

from fallline.diagnosis.diagnose import Diagnosis
from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.remedies import REMEDIES


def prescribe(diagnosis: Diagnosis, run: Run) -> Diagnosis:
    """The same diagnosis, every finding with what may help against it, the first doses of each remedy first."""
    return replace(diagnosis, findings=tuple(replace(f, remedies=remedies_for(f, run)) for f in diagnosis.findings))


def remedies_for(finding: Finding, run: Run) -> tuple[Prescription, ...]:
    """Every remedy that treats the finding's code: first the first dose of each, then the second ones."""
    doses = [remedy.propose(finding, run) for remedy in REMEDIES if finding.code in remedy.treats]
    longest = max((len(d) for d in doses), default=0)
    return tuple(dose[i] for i in range(longest) for dose in doses if i < len(dose))

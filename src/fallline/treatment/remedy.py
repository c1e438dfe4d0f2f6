"""What a remedy is."""

from __future__ import annotations

import itertools
from typing import Any, Protocol

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient


def failing(finding: Finding, run: Run) -> int | None:
    """The number of the training in which a finding stands, of several that come one after the other; else None."""
    spans = [(int(t.steps["step"][0]), int(t.steps["step"][-1])) for t in run.trainings]
    apart = len(spans) > 1 and all(a[1] < b[0] for a, b in itertools.pairwise(spans))
    if not apart or finding.steps is None:
        return None
    at = finding.steps[1]  # some begin with the run
    return next((number for number, (first, last) in enumerate(spans) if first <= at <= last), None)


class Remedy(Protocol):
    """One kind of change, applied to the live objects of an unchanged program."""

    @property
    def name(self) -> str: ...

    @property
    def treats(self) -> frozenset[str]:
        """The codes it helps against."""
        ...

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Doses for this finding, the mildest first, their arguments read off the run; none where it does not apply."""
        ...

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Arrange for the change in the program that is about to run."""
        ...

    def change(self, args: dict[str, Any], run: Run) -> str:
        """What the user writes in the program to get the same."""
        ...

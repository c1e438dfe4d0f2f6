"""Clearing gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient


@dataclass(frozen=True)
class ZeroGrad:
    """Clear the gradients after every step."""

    name: str = "zero-grad"
    treats: frozenset[str] = frozenset({"stale-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """There is one dose."""
        return [Prescription(self.name, {}, "call optimizer.zero_grad() in every round of the loop")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Zero after each step."""
        patient.around_step(None, lambda optimizer: optimizer.zero_grad())

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The missing line."""
        return "In the loop, before loss.backward():\n    optimizer.zero_grad()"

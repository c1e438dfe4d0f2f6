"""Clearing gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient


@dataclass(frozen=True)
class ZeroGrad:
    """Clear the gradients before they are taken anew."""

    name: str = "zero-grad"
    treats: frozenset[str] = frozenset({"stale-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """There is one dose."""
        return [Prescription(self.name, {}, "call optimizer.zero_grad() in every round of the loop")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Zero after each step, and within a step before every backward pass, as of LBFGS' closure."""
        stepping: list[Optimizer] = []

        def clear() -> None:
            for optimizer in stepping:
                optimizer.zero_grad()

        def end(optimizer: Optimizer) -> None:
            stepping.clear()
            optimizer.zero_grad()

        patient.around_step(stepping.append, end)
        patient.before_backward(clear)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The missing line."""
        return "In the loop (or the closure), before loss.backward():\n    optimizer.zero_grad()"

"""A larger ε in the divisor of an adaptive optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient

EPSILON = 1e-4  # 0 in no half precision; 1e-8, the usual one, is 0 in float16
KINDS = ("Adam", "AdamW", "NAdam", "RAdam", "RMSprop")


@dataclass(frozen=True)
class Epsilon:
    """ε = 1e-4 where an update makes parameters NaN: in float16 a small squared gradient and 1e-8 both are 0."""

    name: str = "epsilon"
    treats: frozenset[str] = frozenset({"non-finite"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Only where an update by such an optimizer wrote the first number that is not finite."""
        settings = [t.optimizer.settings for t in run.trainings if t.optimizer.kind in KINDS]
        least = min((float(s.get("eps") or 0.0) for s in settings), default=EPSILON)
        born = [event.detail.get("origin") for event in run.events_of("non-finite") if event.step > 0][:1]
        if born != ["parameter"] or least >= EPSILON:
            return []
        return [Prescription(self.name, {"eps": EPSILON}, f"ε = {EPSILON:g} instead of {least:g} in the optimizer")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Set it before the first step."""

        def change(optimizer: Optimizer) -> None:
            for group in optimizer.param_groups:
                if "eps" in group:
                    group["eps"] = max(float(group["eps"]), args["eps"])

        patient.for_each_optimizer(change)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The new number."""
        kind = next(t.optimizer.kind for t in run.trainings if t.optimizer.kind in KINDS)
        return f"torch.optim.{kind}(…, eps={args['eps']:g})"

"""Momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient


@dataclass(frozen=True)
class Momentum:
    """Set SGD's momentum: 0.9 where a slow descent has none (Polyak 1964), 0.9 or 0.5 where it rings with more."""

    name: str = "momentum"
    treats: frozenset[str] = frozenset(
        {
            "learning-rate-too-low", "plateau", "ill-conditioned", "saddle-point", "oscillating-loss",
            "learning-rate-too-high", "local-minimum",
        }
    )  # fmt: skip

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Only for SGD, upward for slow descents and downward for wild ones."""
        settings = next((t.optimizer.settings for t in run.trainings if t.optimizer.kind == "SGD"), None)
        if settings is None:
            return []
        now = float(settings.get("momentum", 0.0))
        down = finding.code in ("oscillating-loss", "learning-rate-too-high")
        doses = [m for m in (0.9, 0.5) if m < now] if down else [0.9] if now < 0.5 else []
        return [Prescription(self.name, {"momentum": m}, f"momentum {m:g} instead of {now:g}") for m in doses]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Set it before the first step."""

        def change(optimizer: Optimizer) -> None:
            for group in optimizer.param_groups:
                if "momentum" in group:
                    group["momentum"] = args["momentum"]

        patient.for_each_optimizer(change)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The new number."""
        return f"torch.optim.SGD(…, momentum={args['momentum']:g})"

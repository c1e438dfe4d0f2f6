"""Momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
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
        """Only for SGD and updates by hand, upward for slow descents and downward for wild ones."""
        plain = ("SGD", "by hand")
        settings = next((t.optimizer.settings for t in run.trainings if t.optimizer.kind in plain), None)
        if settings is None:
            return []
        now = float(settings.get("momentum", 0.0))
        down = finding.code in ("oscillating-loss", "learning-rate-too-high")
        doses = [m for m in (0.9, 0.5) if m < now] if down else [0.9] if now < 0.5 else []
        return [Prescription(self.name, {"momentum": m}, f"momentum {m:g} instead of {now:g}") for m in doses]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Set it before the first step; to gradients that an update by hand will use, those before are added."""
        velocities = dict[int, Tensor]()  # by the place of a parameter: it may be a new tensor after each update

        def change(optimizer: Optimizer) -> None:
            for group in optimizer.param_groups:
                if "momentum" in group:
                    group["momentum"] = args["momentum"]

        def carry(parameters: list[Tensor]) -> None:
            if patient.optimizers:
                return
            for place, p in enumerate(parameters):
                velocity, gradient = velocities.get(place), p.grad
                if gradient is not None and velocity is not None and velocity.shape == gradient.shape:
                    p.grad = gradient.add(velocity, alpha=args["momentum"])
                if p.grad is not None:
                    velocities[place] = p.grad.clone()

        patient.for_each_optimizer(change)
        patient.before_update(carry)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The new number, or the lines of an update."""
        if all(t.optimizer.kind == "by hand" for t in run.trainings):
            return f"velocity = {args['momentum']:g} * velocity + gradient  # from zeros\nw -= lr * velocity"
        return f"torch.optim.SGD(…, momentum={args['momentum']:g})"

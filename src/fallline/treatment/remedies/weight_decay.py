"""Less weight decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription
from fallline.diagnosis.outcome import drawn_in
from fallline.record.run import Run, Training
from fallline.treatment.patient import Patient

PULL = 0.5  # of the gradient's length at the end: a decay that pulls as hard decides where descent stops
LESS = 0.01  # what is left of it
DECOUPLED = ("AdamW", "NAdamW")  # their decay does not pass through the moments


@dataclass(frozen=True)
class WeightDecay:
    """A hundredth of the weight decay, where it decides where descent stops (Krogh and Hertz 1991)."""

    name: str = "weight-decay"
    treats: frozenset[str] = frozenset({"plateau", "learning-rate-too-low", "vanishing-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Only where the decay decides."""
        for training in run.trainings:
            now = float(training.optimizer.settings.get("weight_decay") or 0.0)
            if now > 0 and (_pull(training, now) >= PULL or drawn_in(training) is not None):
                why = f"weight decay {now * LESS:g} instead of {now:g}"
                return [Prescription(self.name, {"weight_decay": now * LESS}, why)]
        return []

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Set it before the first step, where there is any."""

        def change(optimizer: Optimizer) -> None:
            for group in optimizer.param_groups:
                if group.get("weight_decay"):
                    group["weight_decay"] = args["weight_decay"]

        patient.for_each_optimizer(change)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The new number."""
        kind = next((t.optimizer.kind for t in run.trainings if t.optimizer.settings.get("weight_decay")), "SGD")
        return f"torch.optim.{kind}(…, weight_decay={args['weight_decay']:g})"


def _pull(training: Training, decay: float) -> float:
    """Length of the decay over that of the gradient, or of the update where it is decoupled, as last measured."""
    weight = training.total("weight")[1]
    against = training.total("update_norm" if training.optimizer.kind in DECOUPLED else "grad")[1]
    rate = float(training.steps["lr"][-1]) if training.optimizer.kind in DECOUPLED else 1.0
    if not len(weight) or not against[-1] > 0:
        return 0.0
    return float(rate * decay * weight[-1] / against[-1])

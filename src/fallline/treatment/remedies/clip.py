"""Gradient clipping by norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from fallline.diagnosis.finding import Finding, Prescription, text
from fallline.record.run import Run
from fallline.treatment.patient import Patient


@dataclass(frozen=True)
class Clip:
    """Scale the gradient down where its norm exceeds a threshold that most of the run's own gradients stay below.

    The threshold is a percentile of the norms seen, as in AutoClip (Seetharaman et al. 2020, arXiv 2007.14469).
    """

    name: str = "clip-gradient"
    treats: frozenset[str] = frozenset({"exploding-gradient", "learning-rate-too-high", "loss-spike"})
    percentile: float = 10.0  # as AutoClip's authors recommend

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """One threshold for the whole run; none where no finite gradient was seen."""
        norms = [g for t in run.trainings for g in t.total("grad")[1] if np.isfinite(g) and g > 0]
        if not norms:
            return []
        threshold = float(f"{np.percentile(norms, self.percentile):.2g}")
        why = f"clip the gradient's norm at {text(threshold)}, a value that most of this run's gradients exceed"
        return [Prescription(self.name, {"max_norm": threshold}, why)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Clip before every update."""
        patient.before_update(lambda parameters: _clip(parameters, args["max_norm"]))

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The line between backward and step."""
        return (
            "After loss.backward() and before the step:\n"
            f"    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm={args['max_norm']})"
        )


def _clip(parameters: list[torch.Tensor], max_norm: float) -> None:
    torch.nn.utils.clip_grad_norm_(parameters, max_norm)

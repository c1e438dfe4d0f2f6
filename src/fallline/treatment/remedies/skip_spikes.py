"""Updates without the batches that would throw the weights."""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient

RECENT = 100  # gradient norms that the usual one is taken from
WARM = 5  # updates before anything is left out
TIMES = 5.0  # of the usual norm


@dataclass(frozen=True)
class SkipSpikes:
    """Leave out an update whose gradient is several times as long as those before it, by the run's own history."""

    name: str = "skip-spikes"
    treats: frozenset[str] = frozenset({"loss-spike", "non-finite"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """There is one dose; against NaN only where loss spikes came before it."""
        if finding.code == "non-finite" and not any(True for _ in run.events_of("spike")):
            return []
        return [Prescription(self.name, {"times": TIMES}, f"leave out updates with {TIMES:g} times the usual gradient")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Take the gradients away before the optimizer sees them."""
        seen: deque[float] = deque(maxlen=RECENT)

        def drop(parameters: list[Tensor]) -> None:
            gradients = [p.grad for p in parameters if p.grad is not None]
            norm = float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))) if gradients else 0.0
            limit = args["times"] * statistics.median(seen) if len(seen) >= WARM else math.inf
            if not norm <= limit:
                for parameter in parameters:
                    parameter.grad = None
            if math.isfinite(norm):
                seen.append(min(norm, limit))  # where it grows for good, the usual one follows

        patient.before_update(drop)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Better data, or a condition in front of the step."""
        return (
            "Better: look at the samples named above and take out what is wrong.\n"
            "The same effect in the loop, after loss.backward() (norms = collections.deque(maxlen=100) before it):\n"
            '    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), float("inf")))\n'
            f'    limit = {args["times"]:g} * statistics.median(norms) if len(norms) >= {WARM} else float("inf")\n'
            "    if norm <= limit:\n"
            "        optimizer.step()\n"
            "    norms.append(min(norm, limit))"
        )

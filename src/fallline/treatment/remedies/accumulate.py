"""Larger batches, made of those that the program has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient

BATCHES = 4  # whose gradients make one update: half the noise


@dataclass(frozen=True)
class Accumulate:
    """One update by the mean gradient of several batches (McCandlish et al. 2018 say when that pays)."""

    name: str = "larger-batch"
    treats: frozenset[str] = frozenset({"oscillating-loss"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """One dose."""
        why = f"{BATCHES} times the batch size"
        return [Prescription(self.name, {"batches": BATCHES}, why)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Keep the gradients back, and give the optimizer their mean at every fourth of its steps."""
        batches = int(args["batches"])
        sums: dict[Tensor, Tensor] = {}
        seen: Counter[int] = Counter()

        def gather(parameters: list[Tensor]) -> None:
            if not parameters:
                return
            seen[id(parameters[0])] += 1
            full = seen[id(parameters[0])] % batches == 0
            for parameter in parameters:
                assert parameter.grad is not None
                total = parameter.grad + sums[parameter] if parameter in sums else parameter.grad.clone()
                if full:
                    sums.pop(parameter, None)
                    parameter.grad = total / batches
                else:
                    sums[parameter] = total
                    parameter.grad = None

        patient.before_update(gather)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The batch size."""
        return f"DataLoader(…, batch_size={args['batches']} * batch_size)  # {args['batches']} times what it is now"

"""Updates without NaN and Inf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient


@dataclass(frozen=True)
class SkipNonFinite:
    """Leave out an update whose gradient is not finite; the batch that caused it changes nothing, no buffer either."""

    name: str = "skip-non-finite"
    treats: frozenset[str] = frozenset({"non-finite"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """There is one dose."""
        return [Prescription(self.name, {}, "leave out updates whose gradient is not finite")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Take the gradients away before the optimizer sees them, and what went bad in the modules' buffers."""
        good: dict[tuple[int, str], tuple[Tensor, Tensor]] = {}  # a module's buffer, and a copy made before its forward

        def keep(module: nn.Module) -> None:
            for name, buffer in module.named_buffers(recurse=False):
                if buffer.is_floating_point() and bool(torch.isfinite(buffer).all()):
                    good[id(module), name] = buffer, buffer.detach().clone()

        def drop(parameters: list[Tensor]) -> None:
            gradients = [p.grad for p in parameters if p.grad is not None]
            if all(bool(torch.isfinite(g).all()) for g in gradients):
                return
            for parameter in parameters:
                parameter.grad = None
            with torch.no_grad():
                for buffer, copy in good.values():
                    if not bool(torch.isfinite(buffer).all()):
                        buffer.copy_(copy)

        patient.before_forward(keep)
        patient.before_update(drop)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """A condition in front of the step, or better, clean data."""
        return (
            "Better: drop the rows that hold NaN or Inf before training, for example\n"
            "    keep = torch.isfinite(x).all(dim=1)\n"
            "The same effect in the loop, after loss.backward():\n"
            "    if all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None):\n"
            "        optimizer.step()"
        )

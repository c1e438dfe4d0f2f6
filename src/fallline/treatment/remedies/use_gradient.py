"""Gradients that reach the optimizer's step, and parameters that may have one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient
from fallline.treatment.remedies import layers

SAYS = {
    "cleared": "zero_grad() before backward(), not between backward() and step()",
    "thrown": "optimizer.step() after every backward()",
}
WRITE = {
    "cleared": "optimizer.zero_grad()\nloss.backward()\noptimizer.step()  # nothing clears the gradient before it",
    "thrown": "loss.backward()\noptimizer.step()  # in the loop over the batches, not after it",
}


@dataclass(frozen=True)
class UseGradient:
    """Let every gradient reach a step: nothing clears it before, and what would be cleared unused is used first."""

    name: str = "use-gradient"
    treats: frozenset[str] = frozenset({"no-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """What the finding saw."""
        return [
            Prescription(self.name, {"order": order}, why) for order, why in SAYS.items() if order in finding.evidence
        ]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """In ``zero_grad``: it waits for the step, or it steps."""
        original, step = Optimizer.zero_grad, args["order"] == "thrown"

        @functools.wraps(original)
        def zero_grad(optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
            if patient.waiting and step:
                optimizer.step()
            if not patient.waiting:
                original(optimizer, *args, **kwargs)

        patient.replace(Optimizer, "zero_grad", zero_grad)
        patient.around_step(None, lambda optimizer: original(optimizer))

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The order of the lines."""
        return WRITE[args["order"]]


@dataclass(frozen=True)
class Unfreeze:
    """Let parameters that an optimizer holds have a gradient."""

    name: str = "unfreeze"
    treats: frozenset[str] = frozenset({"no-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """The frozen ones that the finding names."""
        if "frozen" not in finding.evidence:
            return []
        listed = layers.listed(list(finding.layers))
        return [Prescription(self.name, {"parameters": listed}, f"requires_grad_(True) for {listed}")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """In every optimizer, as soon as it is met."""

        def thaw(optimizer: Optimizer) -> None:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.requires_grad_(True)

        patient.for_each_optimizer(thaw)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The line before the optimizer is made."""
        return f"model.requires_grad_(True)  # before the optimizer is made; frozen are {args['parameters']}"

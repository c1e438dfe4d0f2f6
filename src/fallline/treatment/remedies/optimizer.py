"""Another optimizer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient, exchange


@dataclass(frozen=True)
class ExchangeOptimizer:
    """Adam (Kingma and Ba 2015), whose step does not depend on the scale of the gradient."""

    name: str = "optimizer"
    treats: frozenset[str] = frozenset(
        {
            "plateau", "learning-rate-too-low", "learning-rate-too-high", "vanishing-gradient",
            "exploding-gradient", "ill-conditioned", "saddle-point", "unscaled-data", "saturated-units",
            "oscillating-loss", "bad-initialisation",
        }
    )  # fmt: skip

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Adam at its default rate, then at ten times that."""
        kinds = {t.optimizer.kind for t in run.trainings}
        if not kinds or kinds & {"Adam", "AdamW", "by hand", "LBFGS"}:
            return []
        old = sorted(kinds)[0]
        return [
            Prescription(
                self.name, {"to": "Adam", "lr": lr, "instead_of": old}, f"Adam with lr {lr:g} instead of {old}"
            )
            for lr in (1e-3, 1e-2)
        ]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Exchange the class in place; the learning rate follows the program's schedule from the new value."""
        first: dict[int, float] = {}

        def swap(optimizer: Optimizer) -> None:
            rate = optimizer.param_groups[0].get("initial_lr", optimizer.param_groups[0]["lr"])
            first[id(optimizer)] = float(rate) or math.inf
            exchange(optimizer, args["to"])

        def scale(optimizer: Optimizer) -> None:
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] / first[id(optimizer)] * args["lr"]

        def restore(optimizer: Optimizer) -> None:
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] * first[id(optimizer)] / args["lr"]

        patient.for_each_optimizer(swap)
        patient.around_step(scale, restore)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The new line."""
        line = f"optimizer = torch.optim.{args['to']}(model.parameters(), lr={args['lr']:g})"
        return f"{line}  # instead of {args['instead_of']}"

"""Clearing gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient


@dataclass(frozen=True)
class ZeroGrad:
    """Clear the gradients before they are taken anew."""

    name: str = "zero-grad"
    treats: frozenset[str] = frozenset({"stale-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """There is one dose."""
        return [Prescription(self.name, {}, "call optimizer.zero_grad() in every round of the loop")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Zero after each step, and within a step before every backward pass, as of LBFGS' closure.

        Once each of several optimizers has stepped, all are zeroed: the loss of one reaches what another one holds.
        Of an update by hand, what has moved since the last backward pass loses its gradient before the next one.
        """
        stepping: list[Optimizer] = []
        stepped: set[int] = set()
        by_hand: list[tuple[Tensor, Tensor]] = []

        def clear() -> None:
            alive = [optimizer for reference in patient.optimizers if (optimizer := reference()) is not None]
            ended = len(alive) > 1 and stepped.issuperset(map(id, alive))
            for optimizer in alive if ended else stepping:
                optimizer.zero_grad()
            if ended:
                stepped.clear()
            for parameter, before in by_hand:
                if not torch.equal(parameter.detach(), before):
                    parameter.grad = None

        def note(parameters: list[Tensor]) -> None:
            if not patient.optimizers:
                by_hand[:] = [(p, p.detach().clone()) for p in parameters]

        def end(optimizer: Optimizer) -> None:
            stepping.clear()
            stepped.add(id(optimizer))
            optimizer.zero_grad()

        patient.around_step(stepping.append, end)
        patient.before_update(note)
        patient.before_backward(clear)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The missing line."""
        if not any(training.optimizer.id for training in run.trainings):
            return "In the loop, before loss.backward(), for every parameter p:\n    p.grad = None"
        if len(run.trainings) > 1:
            return "Before the backward() that comes before each optimizer's step():\n    optimizer.zero_grad()"
        return "In the loop (or the closure), before loss.backward():\n    optimizer.zero_grad()"

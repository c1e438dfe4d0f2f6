"""The order of the batch and of time in what a recurrent network gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient
from fallline.treatment.remedies.pool_states import RECURRENT


@dataclass(frozen=True)
class BatchFirst:
    """Read the first dimension of a recurrent network's input as the batch: by default it is time.

    With the two exchanged, the samples of a batch are the steps of one sequence, and ``states[:, -1]`` is the state at
    one time step of each, not at the end of its sequence: nothing fails, and hardly anything is learned.
    """

    name: str = "batch-first"
    treats: frozenset[str] = frozenset({"shape-mismatch", "plateau"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """For programs with ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``."""
        if not any(RECURRENT.search(parameter.name) for parameter in run.parameters):
            return []
        return [Prescription(self.name, {}, "batch_first=True in the recurrent layers")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Before each forward pass."""

        def turn(module: nn.Module) -> None:
            if isinstance(module, nn.RNNBase):
                module.batch_first = True

        patient.before_forward(turn)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The argument of the layer."""
        return "nn.LSTM(…, batch_first=True)  # or nn.GRU, nn.RNN; for inputs of shape (batch, time, features)"

"""Memory of a sequence without the last state."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient

RECURRENT = re.compile(r"weight_hh_l\d+(_reverse)?$")


@dataclass(frozen=True)
class PoolStates:
    """Take the maximum of each unit over all time steps in place of the last state of a recurrent network.

    So the gradient reaches every time step directly, whatever the recurrence does to it.
    """

    name: str = "pool-states"
    treats: frozenset[str] = frozenset({"vanishing-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """For gradients that vanish through time in ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``."""
        if "time_steps" not in finding.evidence or not any(RECURRENT.search(p.name) for p in run.parameters):
            return []
        return [Prescription(self.name, {}, "the maximum over all time steps in place of the last state")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Where the modules return: the last time step, and the last layer's final state."""
        for kind in (nn.RNN, nn.LSTM, nn.GRU):
            patient.replace(kind, "forward", functools.wraps(kind.forward)(_pooling(kind.forward)))

    def change(self, args: dict[str, Any], run: Run) -> str:
        """What to hand on."""
        return (
            "states, _ = self.rnn(x)  # of (batch, time, units), with batch_first=True\n"
            "summary = states.amax(dim=1)  # in place of states[:, -1] or the last h_n"
        )


def _pooling(forward: Callable[..., Any]) -> Callable[..., Any]:
    def pooled(module: nn.RNNBase, *args: Any, **kwargs: Any) -> Any:
        states, final = forward(module, *args, **kwargs)
        if not isinstance(states, Tensor) or not torch.is_floating_point(states):
            return states, final  # of a packed sequence
        time = 1 if module.batch_first and states.ndim == 3 else 0
        most = states.amax(dim=time, keepdim=True)
        states = torch.cat([states.narrow(time, 0, states.shape[time] - 1), most], dim=time)
        hidden = final[0] if isinstance(final, tuple) else final
        ways = 2 if module.bidirectional else 1
        last = torch.stack(most.squeeze(time).chunk(ways, dim=-1))
        hidden = torch.cat([hidden[:-ways], last])
        return states, (hidden, *final[1:]) if isinstance(final, tuple) else hidden

    return pooled

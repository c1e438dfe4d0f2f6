"""The graph from the parameters to the loss, where the program cuts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributions, nn
from torch.autograd.variable import VariableMeta
from torch.distributions import Distribution

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Call, Patient
from fallline.treatment.remedies.remembering import Memory, from_numpy
from fallline.treatment.remedies.straight_through import StraightThrough

SAYS = {
    "tensors": "the loss from the model's own output, not from a detached copy of it",
    "numbers": "torch in place of NumPy and of Python's numbers on the way to the loss",
    "layers": "no torch.no_grad() in the model's forward pass",
    "steps": "a slope for comparisons, argmax and sign on the way to the loss (straight-through)",
}
WRITE = {
    "tensors": "Take .detach(), .data, torch.tensor(…), Variable(…) and rounding between the model's output and the "
    "loss away, and write rsample() for sample():\n    loss = criterion(output, target)\nWhere two optimizers take "
    "turns (a GAN), detach in the loss of the other one only: discriminator(fake.detach()).",
    "numbers": "Compute with tensors from the parameters to the loss: torch.log for np.log, x.max(dim=1).values for "
    "np.max(x, axis=1), the parameter itself for parameter.item() or .tolist(), and no torch.tensor(…) around the "
    "result.",
    "layers": "Take torch.no_grad() (also as a decorator) out of what forward() calls.",
    "steps": "Train on a loss that has a slope, and keep the other as a metric: F.cross_entropy(scores, labels) for\n"
    "scores.argmax(1) != labels, torch.sigmoid(4 * x) for x > 0, torch.tanh(x) for torch.sign(x).",
}
COPIES = ("detach", "tensor", "as_tensor", "round", "floor", "ceil")


@dataclass(frozen=True)
class KeepGraph:
    """Keep the graph where the program detaches, copies, rounds, compares or samples, or forbids gradients."""

    name: str = "keep-graph"
    treats: frozenset[str] = frozenset({"no-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Where the finding says that the graph is cut."""
        return (
            [Prescription(self.name, {"at": at}, why) for at, why in SAYS.items()] if "cut" in finding.evidence else []
        )

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """By surgery on the functions that cut, with gradients enabled and on what is no parameter itself."""
        if args["at"] == "layers":
            _gradients_in_modules(patient)
            return
        if args["at"] == "steps":
            patient.surgery.on(StraightThrough().calls())
        if args["at"] == "numbers":
            _remember(patient)
        patient.retain = True
        patient.surgery.on({**dict.fromkeys(COPIES, _kept), "__get__": _kept_data, "__set__": _required})
        patient.replace(VariableMeta, "__call__", _variable)
        kinds = [k for k in vars(distributions).values() if isinstance(k, type) and issubclass(k, Distribution)]
        for kind in kinds:
            if "sample" in vars(kind) and (kind is Distribution or kind.has_rsample is True):
                patient.replace(kind, "sample", _reparametrised)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """What to take away."""
        return WRITE[args["at"]]


def _remember(patient: Patient) -> None:
    memory = Memory()
    patient.surgery.on(memory.calls())
    patient.replace(torch, "from_numpy", from_numpy(torch.from_numpy))
    patient.around_step(None, memory.forget)
    patient.before_update(memory.forget)


def _cuts(args: Any) -> bool:
    """Whether a call would cut off a tensor that was computed from parameters."""
    tensor = args[0] if args else None
    return isinstance(tensor, Tensor) and tensor.requires_grad and not tensor.is_leaf and torch.is_grad_enabled()


def _itself(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return tensor.view_as(tensor)


def _kept(call: Call) -> Call:
    return (_itself, *call[1:]) if _cuts(call[1]) else call


def _kept_data(call: Call) -> Call:
    """``tensor.data``, among all attributes that a tensor is asked for."""
    return _kept(call) if call[0] == Tensor.data.__get__ else call  # type: ignore[attr-defined]


def _required(call: Call) -> Call:
    """``tensor.requires_grad = True``, which is true already of what was kept in the graph."""
    wanted = call[0] == Tensor.requires_grad.__set__ and _cuts(call[1])  # type: ignore[attr-defined]
    return (lambda tensor, value: None, *call[1:]) if wanted else call


def _reparametrised(distribution: Distribution, shape: Sequence[int] = ()) -> Tensor:
    """A sample through which gradients flow."""
    return distribution.rsample(torch.Size(shape))


def _variable(kind: type, *args: Any, **kwargs: Any) -> Any:
    """``Variable(tensor)`` gives the tensor, where that would cut it off."""
    return _itself(*args[:1]) if _cuts(args) else type.__call__(kind, *args, **kwargs)


def _gradients_in_modules(patient: Patient) -> None:
    """``torch.no_grad()`` does nothing while a module that was called with gradients enabled runs."""
    inside = [0]
    call, enter = nn.Module.__call__, torch.no_grad.__enter__

    def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        counts = torch.is_grad_enabled()
        inside[0] += counts
        try:
            return call(module, *args, **kwargs)
        finally:
            inside[0] -= counts

    def entered(context: torch.no_grad) -> None:
        enter(context)
        if inside[0]:
            torch.set_grad_enabled(True)

    patient.replace(nn.Module, "__call__", called)
    patient.replace(torch.no_grad, "__enter__", entered)

"""Layers that a forward pass makes anew, made once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient


@dataclass(frozen=True)
class KeepLayers:
    """Let a layer that is made in a forward pass be the one that was made in the first."""

    name: str = "keep-layers"
    treats: frozenset[str] = frozenset({"no-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Where the finding says that the forward pass makes layers."""
        return [Prescription(self.name, {}, "layers made once, in __init__")] if "made" in finding.evidence else []

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """In place of :meth:`torch.nn.Module.__call__`; the optimizer that steps next gets their parameters."""
        first = _First()
        patient.replace(nn.Module, "__call__", first.calling(nn.Module.__call__))

        def add(optimizer: Optimizer) -> None:
            new = [p for module in first.unheld for p in module.parameters() if p.grad is not None]
            if new:
                first.unheld.clear()
                optimizer.add_param_group({"params": new})

        patient.around_step(add, lambda optimizer: optimizer.zero_grad())  # a loop may clear only what it knows

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Where the layer has to go."""
        return (
            "Make the layer in __init__() and use it in forward():\n"
            "    self.layer = nn.Linear(…)    # in __init__()\n    x = self.layer(x)            # in forward()"
        )


@dataclass
class _First:
    """The layers that the first forward pass of each model made."""

    made: dict[tuple[Any, ...], nn.Module] = field(default_factory=dict)  # by their model, kind, shapes and number
    unheld: list[nn.Module] = field(default_factory=list)  # by an optimizer
    _model: nn.Module | None = None
    _own: list[nn.Module] = field(default_factory=list)  # layers of the model, and what was met in this forward pass
    _seen: Counter[tuple[Any, ...]] = field(default_factory=Counter)

    def calling(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """What :meth:`torch.nn.Module.__call__` becomes."""

        def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if self._model is not None:
                self._meet(module)
                return call(module, *args, **kwargs)
            self._model, self._own = module, list(module.modules())
            self._seen.clear()
            try:
                return call(module, *args, **kwargs)
            finally:
                self._model = None

        return called

    def _meet(self, module: nn.Module) -> None:
        """Let a layer that is not the model's own work with the parameters of the first one of its kind."""
        if any(module is own for own in self._own) or not any(True for _ in module.parameters()):
            return
        self._own += module.modules()
        kind = (id(self._model), type(module), *(tuple(p.shape) for p in module.parameters()))
        self._seen[kind] += 1
        key = (*kind, self._seen[kind])
        first = self.made.setdefault(key, module)
        if first is module:
            self.unheld += [module] if torch.is_grad_enabled() else []
            return
        for new, kept in zip(module.modules(), first.modules(), strict=True):
            new._parameters, new._buffers = kept._parameters, kept._buffers

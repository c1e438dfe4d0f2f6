"""Dropout and batch norm as they should act while training and afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import BATCH, Patient

MILD = 0.1  # dropout that hardly any network fails to learn under
USUAL = 0.1  # torch's momentum for running statistics

SAYS = {
    "dropout": f"dropout {MILD:g} everywhere",
    "train": "model.train() before the training loop",
    "group": "group norm instead of batch norm",
    "none": "no batch norm",
    "running": f"batch norm by the statistics of the last {BATCH} samples",
    "momentum": f"momentum {USUAL:g} for the running statistics of batch norm",
    "eval": "model.eval() before the evaluation",
    "told": "dropout that ends in eval mode",
}
WRITE = {
    "dropout": f"nn.Dropout({MILD:g})  # the share that is dropped, not the one that is kept",
    "train": "model.train()  # before the loop, and again after every evaluation",
    "group": "nn.GroupNorm(1, channels)  # instead of nn.BatchNorm: it needs no other samples; or use larger batches",
    "running": f"DataLoader(…, batch_size={BATCH})  # a batch instead of gradients that are accumulated sample by "
    f"sample; tried as batch norm by statistics that run over the last {BATCH} samples",
    "none": "nn.Identity()  # instead of nn.BatchNorm, which makes single samples alike; or use larger batches",
    "momentum": f"nn.BatchNorm1d(features, momentum={USUAL:g})  # and nothing that puts the statistics back",
    "eval": "model.eval()  # before every evaluation, and model.train() when training goes on",
    "told": "F.dropout(x, p, training=self.training)  # or nn.Dropout(p), made once in __init__",
}


@dataclass(frozen=True)
class Modes:
    """Mild dropout, batch norm in train mode, over more samples, group norm or none for it, or eval mode."""

    name: str = "mode"
    treats: frozenset[str] = frozenset({"wrong-mode"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """What the finding names, as its evidence says which mode it is."""
        seen = [mode for sight in run.sights for mode in sight.detail.get("modes", [])]
        if "signal_to_noise" in finding.evidence:
            doses = ["dropout"]
        elif "distance" in finding.evidence:
            asked = "told" if finding.evidence.get("told") else "eval"
            doses = ["momentum" if "momentum" in finding.evidence else asked]
        elif "values" in finding.evidence or not seen:
            doses = ["none", "running", "group"] if "samples" in finding.evidence else ["group", "none"]
        else:
            last = [m for m in run.sights[-1].detail.get("modes", []) if m["kind"] == "batch-norm"]
            doses = ["momentum"] if any(m["training"] for m in last) else ["train"]
        return [Prescription(self.name, {"set": dose}, SAYS[dose]) for dose in doses]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """By surgery on the functions, or on the modules before they are used."""
        if args["set"] == "dropout":
            patient.surgery.dropout = MILD
        elif args["set"] in ("group", "none", "running"):
            patient.surgery.norm = args["set"]
        elif args["set"] in ("eval", "told"):
            patient.surgery.evaluate = True
        else:
            patient.before_forward(_run_statistics if args["set"] == "momentum" else _train)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The line to write."""
        return WRITE[args["set"]]


def _train(module: nn.Module) -> None:
    if isinstance(module, _BatchNorm):
        module.train()


def _run_statistics(module: nn.Module) -> None:
    if isinstance(module, _BatchNorm) and module.momentum is not None and not 0 < module.momentum <= 0.5:
        module.momentum = USUAL

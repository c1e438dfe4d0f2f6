"""Batches in a random order."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Patient


@dataclass(frozen=True)
class Shuffle:
    """Draw the samples of a ``DataLoader`` in a new random order in every epoch."""

    name: str = "shuffle"
    treats: frozenset[str] = frozenset({"oscillating-loss"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Where the batches are sorted."""
        if not finding.evidence.get("ordered"):
            return []
        return [Prescription(self.name, {}, "samples in a new random order in every epoch")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Another sampler for a loader that goes through its data in order, when it is used with gradients enabled."""
        begin = DataLoader.__iter__

        @functools.wraps(begin)
        def shuffled(loader: DataLoader[Any]) -> Any:
            batches = loader.batch_sampler
            if torch.is_grad_enabled() and isinstance(getattr(batches, "sampler", None), SequentialSampler):
                batches.sampler = RandomSampler(loader.dataset)  # type: ignore[union-attr, arg-type]
            return begin(loader)

        patient.replace(DataLoader, "__iter__", shuffled)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Where the loader is made, or the order."""
        return "DataLoader(…, shuffle=True), or for batches by hand: for i in torch.randperm(len(x)).split(batch_size)"

"""Another learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription, text
from fallline.record.run import Run
from fallline.treatment.patient import Patient
from fallline.treatment.remedy import failing

USUAL = 1e-3  # an update's share of the weights


@dataclass(frozen=True)
class LearningRate:
    """Multiply the learning rate by a factor: half the measured limit of stability, or steps of ten."""

    name: str = "learning-rate"
    treats: frozenset[str] = frozenset(
        {
            "learning-rate-too-high", "learning-rate-too-low", "plateau", "dead-units", "exploding-gradient",
            "oscillating-loss", "saddle-point", "ill-conditioned", "non-finite", "unscaled-data", "saturated-units",
            "loss-spike",
        }
    )  # fmt: skip

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Doses in the direction the finding asks for, the smallest change first."""
        only = failing(finding, run)
        lr = _rate(run, only)
        born = finding.code == "dead-units" and finding.evidence.get("from_start")
        born = born or (finding.code == "non-finite" and finding.evidence.get("step") == 0)
        if lr == 0 or born:  # no factor changes it, or what was wrong before any update
            return []
        limit = finding.evidence.get("limit")
        over = finding.evidence.get("times_over", lr / limit if limit else math.nan)
        if limit is not None and math.isfinite(over):
            factors = [0.5 / over] if finding.code != "ill-conditioned" or over < 0.5 else []
        elif finding.code in ("learning-rate-too-low", "plateau", "saddle-point", "ill-conditioned"):
            most = max(100.0, USUAL / (finding.evidence.get("update_ratio") or USUAL))
            factors = [most / 10, most] if finding.code != "ill-conditioned" else [3.0, 10.0]
        else:
            factors = [0.1, 0.01]
        return [_dose(f, lr, limit, only) for f in factors]

    def further(self, taken: Prescription, other: Prescription) -> Prescription | None:
        """Two doses in the same direction as one."""
        first, second = (float(p.args["factor"]) for p in (taken, other))
        if (first > 1) != (second > 1):
            return None
        rate = taken.args["lr"]
        return _dose(first * second, math.nan if rate is None else rate / first, None, taken.args.get("only"))

    def faster(self, run: Run) -> list[Prescription]:
        """Larger rates for a training that is on its way, and not there yet."""
        return [_dose(factor, _rate(run, None), None, None) for factor in (3.0, 10.0)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Scale the rate around every step, so that schedules keep their shape, or the gradient of updates by hand."""
        factor, only = float(args["factor"]), args.get("only")

        def treated(optimizer: Optimizer) -> list[dict[str, Any]]:
            chosen = patient.optimizers if only is None else patient.optimizers[only : only + 1]
            return optimizer.param_groups if any(known() is optimizer for known in chosen) else []

        def scale(optimizer: Optimizer) -> None:
            for group in treated(optimizer):
                group["lr"] = group["lr"] * factor

        def restore(optimizer: Optimizer) -> None:
            for group in treated(optimizer):
                group["lr"] = group["lr"] / factor

        def shrink(parameters: list[torch.Tensor]) -> None:
            if not patient.optimizers:
                torch._foreach_mul_([p.grad for p in parameters if p.grad is not None], factor)

        patient.around_step(scale, restore)
        patient.before_update(shrink)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The new number."""
        if args["lr"] is None:
            return f"Multiply the learning rate of your update by {args['factor']:g}."
        only = args.get("only")
        training = run.trainings[only or 0].optimizer
        line = f"torch.optim.{training.kind}(…, lr={args['lr']:g})"
        which = f" in training {only + 1} of {len(run.trainings)}" if only is not None else ""
        return f"{line}  # instead of lr={_rate(run, only):g}{which}; a schedule keeps its shape"


def _dose(factor: float, lr: float, limit: float | None, only: int | None) -> Prescription:
    args = {"factor": _short(factor), "lr": _short(factor * lr) if math.isfinite(lr) else None}
    return Prescription(LearningRate.name, args | ({"only": only} if only is not None else {}), _why(factor, lr, limit))


def _rate(run: Run, only: int | None) -> float:
    trainings = run.trainings if only is None else run.trainings[only : only + 1]
    rates = [float(r) for t in trainings for r in t.steps["lr"] if math.isfinite(r)]
    return max(rates) if rates else math.nan


def _short(value: float) -> float:
    return float(f"{value:.2g}") if math.isfinite(value) else value


def _why(factor: float, lr: float, limit: float | None) -> str:
    known = (
        f"lr {text(_short(lr * factor))} instead of {text(lr)}"
        if math.isfinite(lr)
        else f"the learning rate times {factor:g}"
    )
    return known + (f", half the limit of stability {text(limit)}" if limit is not None else "")

"""NaN or Inf, and where it was born."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.finding import Finding, NotApplicable
from fallline.record.operations import SINGULAR
from fallline.record.run import Event, Run

RULES = {
    "sqrt": "the slope of sqrt is infinite at 0: add a small number inside, sqrt(x + 1e-8)",
    "log": "log is infinite at 0: use log(x + 1e-8), or a loss on logits such as BCEWithLogitsLoss",
    "div": "a division by 0: add a small number below the line, or mask before dividing",
    "pow": "x ** p has an infinite slope at 0 for p < 1",
    "exp": "exp overflows above 88 in float32: subtract the largest value first, or use an activation that is bounded",
    "linalgvectornorm": "a norm has no slope at 0: add a small number inside the square root",
}


@dataclass(frozen=True)
class NonFinite:
    """The first place whose inputs are finite and whose output is not."""

    code: str = "non-finite"

    def look(self, run: Run) -> Finding | None:
        event = next(run.events_of("non-finite"), None)
        if event is None:
            step = first_bad_loss(run)
            if step is None:
                if not len(run.steps):
                    raise NotApplicable("no update was recorded")
                return None
            event = Event(step, "non-finite", {"origin": "loss", "operation": "", "loss": "not finite"})
        detail = event.detail
        origin = str(detail.get("origin", "loss"))
        operation = str(detail.get("operation", ""))
        message, why = _describe(run, event, origin, operation)
        layer = str(detail.get("parameter", "")).removesuffix(".weight")
        return Finding(
            code=self.code,
            severity="error",
            title=f"NaN or Inf, born in {_PLACES[origin]} at step {event.step}",
            message=message,
            why=why,
            disproof="Every tensor is finite when this very batch is run again from the parameters before the step.",
            layers=(layer,) if layer else (),
            steps=(event.step, event.step),
            evidence={"step": float(event.step), "share": float(detail.get("share", 0.0))},
        )


_PLACES = {
    "data": "the data", "parameter": "a parameter", "forward": "the forward pass", "loss": "the loss",
    "backward": "the backward pass",
}  # fmt: skip


def _describe(run: Run, event: Event, origin: str, operation: str) -> tuple[str, str]:
    detail, step = event.detail, event.step
    rule = RULES.get(operation, "")
    where = f" in layer {detail['parameter'].removesuffix('.weight')}" if detail.get("parameter") else ""
    if origin == "data":
        rows = ", ".join(str(r) for r in detail.get("rows", ())) or "unknown"
        side = "the targets" if "loss" in operation or "entropy" in operation else "the inputs"
        return (
            f"At step {step} {side} hold NaN or Inf (rows {rows} of the batch, {100 * detail['share']:.2g} % of the "
            "numbers) while all parameters are finite.",
            "One number that is not finite spreads through every sum it enters; after the next update all weights are "
            "NaN. Drop or fill such rows before training.",
        )
    if origin == "parameter":
        name = detail.get("parameter") or ", ".join(detail.get("parameters", ())[:3])
        return (
            f"At step {step} the parameter {name} is not finite before the forward pass begins.",
            "The update before this one, or the code that made the parameter, wrote NaN or Inf into it.",
        )
    if origin == "backward":
        bad, finite = detail.get("parameters", []), detail.get("finite", [])
        suspects = [op for op in _tail(run) if op in SINGULAR]
        rule = next((RULES[op] for op in suspects if op in RULES), "")
        place = "between the last layer and the loss" if not finite else f"before {finite[0]}"
        return (
            f"At step {step} the loss is finite ({detail.get('loss')}), but the gradient of {len(bad)} parameters is "
            "not; it was born "
            f"{place}" + (f", where the operations are {', '.join(_tail(run))}." if not finite else "."),
            "An operation has an infinite or undefined slope at a value that occurred, and 0 · inf = NaN. "
            + (f"Suspect: {suspects[0]}; {rule}." if suspects and rule else ""),
        )
    return (
        f"At step {step} every input and parameter is finite, and {operation or 'the loss'}{where} gives NaN or Inf.",
        (f"{rule[0].upper()}{rule[1:]}." if rule else "The numbers left the range of the floating-point format.")
        + " From there it reaches the loss, and through the gradient every weight.",
    )


def _tail(run: Run) -> list[str]:
    return list(run.sights[0].detail["ops"]) if run.sights else []


def first_bad_loss(run: Run) -> int | None:
    """The step of the first loss that is not finite; updates before any backward have no loss."""
    if not len(run.steps):
        return None
    bad = run.steps["step"][~np.isfinite(run.steps["loss"]) & (run.steps["backwards"].cumsum() > 0)]
    return int(bad[0]) if len(bad) else None

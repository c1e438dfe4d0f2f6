"""NaN or Inf, and where it was born."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fallline.diagnosis.finding import Finding, NotApplicable, text
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
# The same for a forward pass that goes wrong on finite numbers: these lie outside the operation's domain.
DOMAINS = {
    "sqrt": "sqrt of a negative number is NaN: clamp what goes in, x.clamp(min=1e-8)",
    "rsqrt": "1 / sqrt is Inf at 0 and NaN below: clamp what goes in, x.clamp(min=1e-8)",
    "log": "log of 0 is -Inf and of a negative number NaN: use log(x.clamp(min=1e-8)), or a loss on logits such as "
    "BCEWithLogitsLoss",
    "pow": "a negative number to a broken power is NaN, and 0 to a negative power Inf: clamp the base",
    "mul": "0 times infinity is NaN: torch.xlogy(t, t) for t * log(t), or 1e9 for infinity in a mask",
    **dict.fromkeys(
        ("softmax", "logsoftmax"),
        "the logarithm of the softmax of a score of -Inf, as in a mask, is -Inf, and of a row of nothing else NaN; 0 "
        "times it is NaN, too: write -1e9 for -Inf in the mask",
    ),
    "acos": "acos is NaN outside -1 to 1: clamp what goes in",
    "asin": "asin is NaN outside -1 to 1: clamp what goes in",
    "atanh": "atanh is Inf at -1 and 1 and NaN beyond: clamp what goes in",
}
COMPUTED = " Computed along the way, a std() over one number is NaN, and so is a mean() over none."
SMALLEST = 6e-8  # number of float16 above 0


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
        origin, operation = str(detail.get("origin", "loss")), str(detail.get("operation", ""))
        place = _place(run, event)
        message, why = _describe(run, event, origin, operation)
        layer = str(detail.get("parameter", "")).removesuffix(".weight")
        evidence = {"step": float(event.step), "share": float(detail.get("share", 0.0))}
        if place is not None:
            evidence["line"] = float(place["line"])
        return Finding(
            code=self.code,
            severity="error",
            title=f"NaN or Inf, born in {_PLACES[origin]} at step {event.step}",
            message=" ".join(part for part in (message, _line(place, detail), _kept(run, detail)) if part),
            why=why,
            disproof="Every tensor is finite when this very batch is run again from the parameters before the step.",
            layers=(layer,) if layer else (),
            steps=(event.step, event.step),
            evidence=evidence,
        )


def _place(run: Run, event: Event) -> dict[str, Any] | None:
    """The line of the program: seen in a replay, or looked up in the forward pass after."""
    later = (e.detail for e in run.events_of("place") if e.step == event.step)
    return event.detail.get("place") or next(later, None)


def _line(place: dict[str, Any] | None, detail: dict[str, Any]) -> str:
    """The sentence that names the line."""
    backward, operation = detail.get("origin") == "backward", detail.get("operation")
    if place is not None:
        stands = f"{_where(place)}."
        if detail.get("origin") == "data":
            return f"They come in at {stands}"
        if backward and not operation:
            return f"The last operation with such a slope, {detail.get('suspect')}, stands at {stands}"
        return f"It stands at {stands}"
    called = detail.get("called")
    if called is None or detail.get("origin") == "parameter":
        return ""
    return f"Its line is not known; the program was at {_where(called)}."


def _where(place: dict[str, Any]) -> str:
    return f"{Path(place['file']).name}:{place['line']} `{place['code']}`"


def _kept(run: Run, detail: dict[str, Any]) -> str:
    """The sentences on doing the forward pass again, in the training and later."""
    said = []
    if detail.get("not_replayed"):
        said.append(f"The forward pass was not done again at once: {detail['not_replayed']}.")
    if detail.get("kept"):
        without = f", without {detail['left_out']}" if detail.get("left_out") else ""
        said.append(f"The batch is kept{without}: `fallline replay {run.name}` shows it.")
    elif detail.get("not_kept"):
        said.append(f"The batch could not be kept: {detail['not_kept']}.")
    return " ".join(said)


_PLACES = {
    "data": "the data", "parameter": "a parameter", "forward": "the forward pass", "loss": "the loss",
    "backward": "the backward pass",
}  # fmt: skip


def _describe(run: Run, event: Event, origin: str, operation: str) -> tuple[str, str]:
    detail, step = event.detail, event.step
    rule = RULES.get(operation, "")
    rule = DOMAINS.get(operation, rule) if origin in ("forward", "loss") else rule
    where = f" in layer {detail['parameter'].removesuffix('.weight')}" if detail.get("parameter") else ""
    if origin == "data":
        rows = ", ".join(str(r) for r in detail.get("rows", ()))
        share = f"{text(100 * detail['share'])} % of the numbers"
        side = "the targets" if "loss" in operation or "entropy" in operation else "the inputs"
        side = f"the values of the variable {detail['variable']}" if "variable" in detail else side
        return (
            f"At step {step} {side} hold NaN or Inf ({f'rows {rows} of the batch, ' if rows else ''}{share}) while all "
            "parameters are finite.",
            "One number that is not finite spreads through every sum it enters; after the next update all weights are "
            f"NaN. Drop or fill such rows before training.{'' if rows else COMPUTED}",
        )
    if origin == "parameter":
        name = detail.get("parameter") or ", ".join(detail.get("parameters", ())[:3])
        return (
            f"At step {step} the parameter {name} is not finite before the forward pass begins.",
            "The update before this one, or the code that made the parameter, wrote NaN or Inf into it."
            + (_divided(run) if step > 0 else ""),
        )
    if origin == "backward":
        if operation:
            return (
                f"At step {step} every number of the forward pass is finite, but the backward of {operation}{where} "
                "turns a finite gradient into one that is not.",
                "An operation has an infinite or undefined slope at a value that occurred, and 0 · inf = NaN."
                + (f" {rule[0].upper()}{rule[1:]}." if rule else ""),
            )
        bad, finite = detail.get("parameters", []), detail.get("finite", [])
        suspects = [detail["suspect"]] if "suspect" in detail else [op for op in _tail(run) if op in SINGULAR]
        rule = next((RULES[op] for op in suspects if op in RULES), "")
        place = "between the last layer and the loss" if not finite else f"before {finite[0]}"
        return (
            f"At step {step} the loss is finite ({detail.get('loss')}), but the gradient of {len(bad)} "
            f"parameter{'s' * (len(bad) > 1)} is not; it was born {place}"
            + (f", where the operations are {', '.join(_tail(run))}." if not finite else "."),
            "An operation has an infinite or undefined slope at a value that occurred, and 0 · inf = NaN. "
            + (f"Suspect: {suspects[0]}; {rule}." if suspects and rule else ""),
        )
    return (
        f"At step {step} every input and parameter is finite, and {operation or 'the loss'}{where} gives NaN or Inf.",
        (f"{rule[0].upper()}{rule[1:]}." if rule else "The numbers left the range of the floating-point format.")
        + " From there it reaches the loss, and through the gradient every weight.",
    )


def _divided(run: Run) -> str:
    """What an optimizer that divides by the gradient's size does in half precision."""
    least = min((float(t.optimizer.settings.get("eps") or 1.0) for t in run.trainings), default=1.0)
    if least >= SMALLEST:
        return ""
    return (
        f" The optimizer divides by the root of the squared gradients plus ε = {least:g}: in float16 both may be 0, "
        "and 0 / 0 is NaN."
    )


def _tail(run: Run) -> list[str]:
    return list(run.sights[0].detail["ops"]) if run.sights else []


def first_bad_loss(run: Run) -> int | None:
    """The step of the first loss that is not finite; updates before any backward have no loss."""
    if not len(run.steps):
        return None
    bad = run.steps["step"][~np.isfinite(run.steps["loss"]) & (run.steps["backwards"].cumsum() > 0)]
    return int(bad[0]) if len(bad) else None

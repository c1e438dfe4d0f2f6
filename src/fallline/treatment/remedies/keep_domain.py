"""Arguments kept where an operation is finite, with a finite slope."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Call, Patient

LEAST = 1e-8  # what a positive argument is raised to
MOST = 80.0  # exponent below which exp is finite in float32
HUGE = 1e9  # what stands for infinity in a mask: its product with 0 is 0, and a softmax of nothing else is uniform
WITHIN = 1e-6  # distance from −1 and 1, beyond which acos has no value and at which it has no slope
DIVISIONS = ("div", "reciprocal")
EVERY = "every"  # in the place of an operation's name
SPREADS = ("std", "var")  # 0 / 0 over a single number
INVERSES = ("pow", "rsqrt")  # infinite at 0, where the exponent is negative
MASKS = ("mul", "softmax", "logsoftmax")
DOMAINS: dict[str, tuple[float | None, float | None]] = {  # of each operation in the graph, by its name there
    **dict.fromkeys(("sqrt", "rsqrt", "log", "log2", "log10", "pow"), (LEAST, None)),
    "log1p": (LEAST - 1, None),
    "exp": (None, MOST),
    **dict.fromkeys((*DIVISIONS, "xlogy"), (LEAST, None)),
    **dict.fromkeys(("acos", "asin", "atanh"), (WITHIN - 1, 1 - WITHIN)),
    "mul": (-HUGE, HUGE),
    "softmax": (-HUGE, None), "logsoftmax": (-HUGE, None),
}  # fmt: skip
CALLED = {  # where it is not the operation's own name
    "pow": ("pow", "__pow__"), "div": ("div", "true_divide", "__truediv__"),
    "reciprocal": ("reciprocal", "__rdiv__"), "mul": ("mul", "__mul__", "__rmul__"),
    "logsoftmax": ("log_softmax",),
}  # fmt: skip
WORDS = {  # what to write, where it is not a clamp of the operation's argument
    EVERY: "Look at what the operation gets besides the network's output: write torch.log(x.clamp(min="
    f"{LEAST:g})) for the logarithm of data that can be 0, and likewise for roots and quotients.",
    "zero": "Write torch.where(b == 0, 0, a / b.where(b != 0, 1)) for a / b: 0 where b is 0, also in backward; and "
    "x.std(correction=0) for x.std() where x may be a single number.",
    **dict.fromkeys(
        DIVISIONS, f"Write a / b.clamp(min={LEAST:g}) for a / b where b can be 0, or mask before dividing."
    ),
    "xlogy": f"a log b is infinite where b is 0 and a is not: write torch.xlogy(a, b.clamp(min={LEAST:g})), or "
    f"log_prob(y.clamp({WITHIN:g}, 1 - {WITHIN:g})) where it stands in a distribution.",
    "pow": f"Write x.clamp(min={LEAST:g}) ** p for x ** p.",
    **dict.fromkeys(
        MASKS,
        f"0 times infinity is NaN: write {HUGE:g} for float('inf') in the mask, or torch.xlogy(t, t) for t * log(t).",
    ),
}


@dataclass(frozen=True)
class KeepDomain:
    """Clamp what goes into the operation in which NaN or Inf was born."""

    name: str = "keep-domain"
    treats: frozenset[str] = frozenset({"non-finite"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Where the operation is known, and has such a domain."""
        event = next(run.events_of("non-finite"), None)
        detail = event.detail if event is not None else {}
        operations = detail.get("suspects") or [detail.get("operation") or detail.get("suspect")]
        if detail.get("origin") == "parameter":
            return []
        data = detail.get("origin") == "data"
        known = [operation for operation in operations if operation in DOMAINS and not data]
        zero = [Prescription(self.name, {"operation": "div", "zero": True}, "0 for what is divided by 0")]
        divides = data or not set(known).isdisjoint(DIVISIONS)  # data may be computed
        kept = [Prescription(self.name, {"operation": op}, f"{_bounds(op)} in {op}") for op in known]
        if not known and not data:  # what it got besides was computed of the data
            kept = [
                Prescription(self.name, {"operation": EVERY}, "every logarithm, root, quotient and exp kept finite")
            ]
        return (zero if divides else []) + kept

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """By surgery on every call of the operation; what is masked by infinity goes through several."""
        if args["operation"] == EVERY:
            for operation in ("div", "log", "log2", "log10", "sqrt", "exp"):
                self.apply(patient, {"operation": operation, "zero": operation == "div"})
            return
        if args.get("zero"):
            patient.surgery.on(dict.fromkeys(SPREADS, _alone))
        together = next((ops for ops in (MASKS, DIVISIONS) if args["operation"] in ops), (args["operation"],))
        for operation in (*DIVISIONS, *INVERSES) if args.get("zero") else together:
            low, high = DOMAINS[operation]
            inside = functools.partial(torch.clamp, min=low, max=high)
            if args.get("zero") or operation in DIVISIONS:
                inside = functools.partial(_from_zero, math.inf if args.get("zero") else LEAST)
            places = {"div": (1,), "xlogy": (1,), "mul": (0, 1)}.get(operation, (0,))
            kept = _inverted if args.get("zero") and operation in INVERSES else _kept
            patient.surgery.on(
                dict.fromkeys(CALLED.get(operation, (operation,)), functools.partial(kept, inside, places))
            )

    def change(self, args: dict[str, Any], run: Run) -> str:
        """What to write around the argument."""
        operation = args["operation"]
        written = WORDS["zero" if args.get("zero") else operation] if operation in WORDS else ""
        return written or f"Write torch.{operation}(x{clamp(operation)}) for torch.{operation}(x)."


def _bounds(operation: str) -> str:
    low, high = DOMAINS[operation]
    if operation in DIVISIONS:
        return f"no divisor nearer to 0 than {LEAST:g}"
    ends = [f"{word} {end:g}" for word, end in (("below", low), ("above", high)) if end is not None]
    return f"nothing {' or '.join(ends)}"


def clamp(operation: str) -> str:
    """How the argument is written to stay where it should."""
    low, high = DOMAINS[operation]
    ends = [f"{name}={end:g}" for name, end in (("min", low), ("max", high)) if end is not None]
    return f".clamp({', '.join(ends)})"


def _kept(inside: Callable[[Tensor], Tensor], places: Sequence[int], call: Call) -> Call:
    function, args, kwargs = call
    exponent = args[1] if function.__name__ in CALLED["pow"] and args[1:] else 0.5
    if isinstance(exponent, (int, float)) and exponent in (1, 2, 3, 4):  # it has a slope everywhere
        return call
    changed = [_inside(inside, value) if place in places else value for place, value in enumerate(args)]
    return function, changed, kwargs


def _inverted(inside: Callable[[Tensor], Tensor], places: Sequence[int], call: Call) -> Call:
    function, args, _ = call
    exponent = args[1] if function.__name__ in CALLED["pow"] and args[1:] else -0.5
    return _kept(inside, places, call) if isinstance(exponent, (int, float)) and exponent < 0 else call


def _alone(call: Call) -> Call:
    """Of single numbers a deviation of 0."""
    function, args, kwargs = call

    def spread(data: Tensor, *rest: Any, **named: Any) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is 0 / 0
            found: Tensor = function(data, *rest, **named)
        return torch.zeros_like(found) if found.numel() == data.numel() else found

    return spread, args, kwargs


def _inside(inside: Callable[[Tensor], Tensor], value: Any) -> Any:
    if isinstance(value, float):
        return max(-HUGE, min(HUGE, value))
    return inside(value) if isinstance(value, Tensor) and value.is_floating_point() else value


def _from_zero(instead: float, divisor: Tensor) -> Tensor:
    return torch.where(divisor.detach().abs() < LEAST, instead, divisor)

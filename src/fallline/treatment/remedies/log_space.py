"""Logarithms of exponentials, without the exponential."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment.patient import Call, Patient

BORN = frozenset(("log", "log2", "log10", "log1p", "exp", "div"))  # operations that lose a number beyond its range
WORDS = {  # by what the logarithm is taken of
    "softmax": "F.log_softmax(z, dim) for torch.log(torch.softmax(z, dim))",
    "sigmoid": "F.logsigmoid(z) for torch.log(torch.sigmoid(z)), F.logsigmoid(-z) for torch.log(1 - torch.sigmoid(z))",
    "exp": "z - torch.logsumexp(z, dim, keepdim=True) for the logarithm of torch.exp(z) / torch.exp(z).sum(dim), "
    "F.softplus(z) for torch.log(1 + torch.exp(z))",
}
CARRIED = (
    "Where probabilities are multiplied up, carry their logarithms instead: a + b for p * q, and "
    "torch.logsumexp(a.unsqueeze(-1) + b, dim=-2) for p @ q."
)
SELECTIONS = (
    "__getitem__ gather index_select masked_select take_along_dim squeeze unsqueeze view reshape flatten transpose "
    "permute contiguous clone float double half bfloat16 to type"
).split()
TURNED = (Tensor.T, Tensor.mT)
LARGEST = 4_000_000  # terms of a product of matrices whose logarithms are taken


@dataclass(frozen=True)
class LogSpace:
    """Take the logarithm of an exponential, a softmax or a sigmoid from what went into it."""

    name: str = "log-space"
    treats: frozenset[str] = frozenset({"non-finite"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """Where NaN or Inf was born in a logarithm, an exponential or a quotient, and one of the others is near."""
        event = next(run.events_of("non-finite"), None)
        detail = event.detail if event is not None else {}
        born = {*detail.get("suspects", ()), detail.get("operation"), detail.get("suspect")}
        if BORN.isdisjoint(born) or detail.get("origin") in ("data", "parameter") or not _inner(run):
            return []
        return [Prescription(self.name, {}, f"the logarithm of {' and of '.join(_inner(run))} in one step")]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """By surgery on the functions, which remember the logarithms of what they give until it is gone."""
        patient.surgery.on(Logarithms().calls())

    def change(self, args: dict[str, Any], run: Run) -> str:
        """The function that does both."""
        return f"Write {'; '.join(WORDS[op] for op in _inner(run))}. {CARRIED}"


def _inner(run: Run) -> list[str]:
    event = next(run.events_of("non-finite"), None)
    found = event.detail.get("exponentials", ()) if event is not None else ()
    return [op for op in WORDS if op in found]


class Logarithms:
    """Knows the logarithm of what an exponential, a softmax or a sigmoid gave, and of what was made of that.

    log softmax(z) = z − log Σ exp(z), log sigmoid(z) = −softplus(−z), log(1 − sigmoid(z)) = −softplus(z),
    log(1 + exp(z)) = softplus(z), log(a b) = log a + log b, log(a / b) = log a − log b,
    log(a + b) = log(exp(log a) + exp(log b)), log max(a, c) = max(log a, log c), log Σ a b = log Σ exp(log a + log b).
    """

    def __init__(self) -> None:
        self._known = WeakTensorKeyDictionary()  # by a tensor: what gives its logarithm
        self._rest = WeakTensorKeyDictionary()  # by a tensor: what gives the logarithm of one minus it

    def calls(self) -> dict[str, Callable[[Call], Call]]:
        """What becomes of the functions concerned."""
        return {
            "exp": self._exponential, "softmax": self._softmax, "sigmoid": self._sigmoid,
            "sum": self._sum, "mean": self._sum, "__rsub__": self._one_minus, "rsub": self._one_minus,
            **dict.fromkeys(("mul", "__mul__", "__rmul__"), self._product),
            **dict.fromkeys(("div", "true_divide", "__truediv__"), self._quotient),
            **dict.fromkeys(("add", "__add__", "__radd__"), self._total),
            **dict.fromkeys(("clamp", "clamp_min", "clip"), self._clamped),
            **dict.fromkeys(("matmul", "__matmul__", "mm"), self._matrix_product),
            **dict.fromkeys(("stack", "cat"), self._joined),
            **dict.fromkeys(("log", "log1p", "log2", "log10"), self._logarithm),
            **dict.fromkeys(SELECTIONS, self._selected), "__get__": self._turned,
        }  # fmt: skip

    def _exponential(self, call: Call) -> Call:
        z = call[1][0]
        return self._marked(call, lambda: z) if _sloping(call) else call

    def _softmax(self, call: Call) -> Call:
        _, args, kwargs = call
        dim = args[1] if len(args) > 1 else kwargs.get("dim")
        return (
            self._marked(call, lambda: functional.log_softmax(args[0], dim))
            if _sloping(call) and dim is not None
            else call
        )

    def _sigmoid(self, call: Call) -> Call:
        z = call[1][0]
        if not _sloping(call):
            return call
        return self._marked(call, lambda: functional.logsigmoid(z), lambda: functional.logsigmoid(-z))

    def _product(self, call: Call) -> Call:
        logs = [self._log(value) for value in call[1][:2]]
        if None in logs or not any(self._of(value) for value in call[1][:2]):
            return call
        return self._marked(call, lambda: logs[0]() + logs[1]())  # type: ignore[misc]

    def _matrix_product(self, call: Call) -> Call:
        a, b = call[1][:2]
        logs = [self._log(value) for value in (a, b)]
        small = 1 <= a.ndim <= 2 == b.ndim and a.numel() * b.shape[-1] <= LARGEST
        if None in logs or not small or not (self._of(a) or self._of(b)):
            return call
        return self._marked(call, lambda: (logs[0]().unsqueeze(-1) + logs[1]()).logsumexp(-2))  # type: ignore[misc]

    def _quotient(self, call: Call) -> Call:
        a, b = call[1][:2]
        above, below = self._of(a), self._log(b)
        return call if above is None or below is None else self._marked(call, lambda: above() - below())

    def _sum(self, call: Call) -> Call:
        function, args, kwargs = call
        terms = self._of(args[0])
        if terms is None:
            return call
        dim = args[1] if len(args) > 1 else kwargs.get("dim", tuple(range(args[0].ndim)))
        dims = dim if isinstance(dim, (tuple, list)) else (dim,)
        count = math.prod(args[0].shape[d] for d in dims) if function.__name__ == "mean" else 1
        return self._marked(call, lambda: terms().logsumexp(dim, kwargs.get("keepdim", False)) - math.log(count))

    def _total(self, call: Call) -> Call:
        args = call[1]
        logs = [self._log(value) for value in args[:2]]
        if not any(self._of(value) for value in args[:2]):
            return call
        if args[1] == 0 if isinstance(args[1], (int, float)) else False:  # where Python's sum begins
            return self._marked(call, logs[0]) if logs[0] else call
        return call if None in logs else self._marked(call, lambda: torch.logaddexp(logs[0](), logs[1]()))  # type: ignore[misc]

    def _clamped(self, call: Call) -> Call:
        _, args, kwargs = call
        known = self._of(args[0])
        ends = [kwargs.get(end, args[place] if len(args) > place else None) for end, place in (("min", 1), ("max", 2))]
        if known is None or not all(end is None or (isinstance(end, (int, float)) and end > 0) for end in ends):
            return call
        return self._marked(call, lambda: known().clamp(*(None if end is None else math.log(end) for end in ends)))

    def _joined(self, call: Call) -> Call:
        function, args, kwargs = call
        known = [self._of(part) for part in args[0]]
        if None in known:
            return call
        return self._marked(call, lambda: function([part() for part in known if part], *args[1:], **kwargs))

    def _one_minus(self, call: Call) -> Call:
        _, args, _ = call
        known = self._of(args[0], self._rest) if args[1] == 1 else None
        return self._marked(call, known) if known else call

    def _selected(self, call: Call) -> Call:
        function, args, kwargs = call
        known = self._of(args[0])
        return self._marked(call, lambda: function(known(), *args[1:], **kwargs)) if known else call

    def _turned(self, call: Call) -> Call:
        """Properties that are the tensor itself, turned; others, as its shape, are as they are."""
        return self._selected(call) if getattr(call[0], "__self__", None) in TURNED else call

    def _logarithm(self, call: Call) -> Call:
        function, args, _ = call
        known = self._of(args[0])
        if known is None:
            return call
        if function.__name__ == "log1p":
            return lambda: functional.softplus(known()), (), {}
        base = {"log2": 2.0, "log10": 10.0}.get(function.__name__, math.e)
        return lambda: known() / math.log(base), (), {}

    def _log(self, value: Any) -> Callable[[], Tensor] | None:
        """What gives the logarithm of a tensor that is known, or of anything else that is positive."""
        known = self._of(value)
        if known is not None:
            return known
        if isinstance(value, (int, float)):
            return (lambda: torch.tensor(math.log(value))) if value > 0 else None
        return value.log if isinstance(value, Tensor) and bool((value > 0).all()) else None

    def _of(self, value: Any, known: WeakTensorKeyDictionary | None = None) -> Callable[[], Tensor] | None:
        if not isinstance(value, Tensor) or not torch.is_grad_enabled():
            return None
        found: Callable[[], Tensor] | None = (self._known if known is None else known).get(value)  # type: ignore[no-untyped-call]
        return found

    def _marked(self, call: Call, known: Callable[[], Tensor], rest: Callable[[], Tensor] | None = None) -> Call:
        """The call, after which the logarithm of its result is known; it is taken once at most."""
        known, rest = functools.cache(known), functools.cache(rest) if rest is not None else None

        def mark(call: Call) -> Tensor:
            result: Tensor = call[0](*call[1], **call[2])
            self._known[result] = known
            if rest is not None:
                self._rest[result] = rest
            return result

        return mark, (call,), {}


def _sloping(call: Call) -> bool:
    args = call[1]
    return bool(args) and isinstance(args[0], Tensor) and args[0].requires_grad and torch.is_grad_enabled()

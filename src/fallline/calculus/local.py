"""The derivative of one operation, found from nothing but its backward function.

The backward function of an operation is the map v ↦ Jᵀv with the Jacobian J of its outputs by one of its inputs.
Asking it for a few v gives J itself where it is small, its diagonal where the operation works element by element, and
its operator norm otherwise. So no operation needs a rule of its own, and hand-written ones are read like PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

SMALL = 8  # tensors of at most this many numbers are shown number by number
ITERATIONS = 16  # of the power method; a gap of 10 % between the two largest singular values leaves an error of 2 %
ROUNDING = 64  # multiples of a type's machine epsilon within which two results count as equal

Gradients = Sequence[Tensor | None]  # one an output, or one an input; None where there is none
Backward = Callable[[Gradients], Gradients]

Kind = Literal["elementwise", "matrix", "linear", "unread"]


@dataclass(frozen=True)
class Local:
    """The derivative of one operation by one of its inputs, at the point of the forward pass."""

    kind: Kind
    norm: float | None = None  # largest gain ‖Jᵀv‖/‖v‖; None where it cannot be had
    residual: float | None = None  # ‖Jᵀ·incoming − outgoing‖ / ‖outgoing‖: the chain rule, checked
    mean: float | None = None  # of the diagonal, where kind is "elementwise"
    min: float | None = None
    max: float | None = None
    diagonal: tuple[float, ...] | None = None  # (n,) the same number by number, where it is small
    matrix: tuple[tuple[float, ...], ...] | None = None  # (outputs, inputs) J, where it is small
    reason: str = ""  # why it is unread, or why the norm is missing


def local_derivatives(backward: Backward, incoming: Gradients, outgoing: Gradients) -> list[Local | None]:
    """The local derivative by each input that has a gradient.

    Args:
        backward: the operation's backward function, Jᵀv for each input; it must allow being called again.
        incoming: the gradients of the loss by the outputs.
        outgoing: what backward made of them; an input whose entry is None is left out.
    """
    seen = [v for v in (*incoming, *outgoing) if v is not None]

    def fitted(v: Gradients) -> Gradients:
        """PyTorch sums what was broadcast after the backward function itself."""
        return [
            x if x is None or like is None or x.shape == like.shape else x.sum_to_size(like.shape)
            for x, like in zip(backward(v), outgoing, strict=False)
        ]

    if any(v.is_complex() for v in seen):
        return [None if v is None else Local("unread", reason="complex numbers") for v in outgoing]
    sizes = sum(v.numel() for v in incoming if v is not None)
    try:
        if sizes <= SMALL:
            rows = _rows(fitted, incoming)
            return [None if v is None else _small(rows, i, incoming, v) for i, v in enumerate(outgoing)]
        return [None if v is None else _large(fitted, i, incoming, v) for i, v in enumerate(outgoing)]
    except Exception as error:  # a backward written by hand may refuse any v but its own; it is quoted
        reason = f"its backward cannot be asked again: {str(error).partition(chr(10))[0] or type(error).__name__}"
        return [None if v is None else Local("unread", reason=reason) for v in outgoing]


def _copies(gradients: Gradients) -> list[Tensor | None]:
    """A backward written by hand may change what it is given."""
    return [None if v is None else v.clone() for v in gradients]


def _rows(backward: Backward, incoming: Gradients) -> list[list[Tensor | None]]:
    """Row k of J by each input, from the k-th unit vector over all outputs."""
    rows = []
    for place, like in enumerate(incoming):
        for k in range(0 if like is None else like.numel()):
            units = [None if v is None else torch.zeros_like(v).contiguous() for v in incoming]
            unit = units[place]
            assert unit is not None  # like is not None
            unit.view(-1)[k] = 1
            rows.append([None if v is None else _dense(v).detach().double() for v in backward(units)])
    return rows


def _small(rows: list[list[Tensor | None]], place: int, incoming: Gradients, outgoing: Tensor) -> Local:
    flat = [row[place] for row in rows]
    size = outgoing.numel()
    J = torch.stack([outgoing.new_zeros(size, dtype=torch.float64) if v is None else v.reshape(-1) for v in flat])
    g = torch.cat([v.detach().double().reshape(-1) for v in incoming if v is not None])
    residual = _relative(J.T @ g, _dense(outgoing).double().reshape(-1))
    norm = float(torch.linalg.matrix_norm(J, 2)) if torch.isfinite(J).all() and J.numel() else None
    shapes = [v.shape for v in incoming if v is not None]
    if len(shapes) == 1 and shapes[0] == outgoing.shape and bool(torch.equal(J, torch.diag(J.diagonal()))):
        diagonal = J.diagonal()
        return _elementwise(diagonal, norm, residual)
    matrix = tuple(tuple(row) for row in J.tolist()) if size <= SMALL else None
    return Local("matrix" if matrix is not None else "linear", norm, residual, matrix=matrix)


def _elementwise(diagonal: Tensor, norm: float | None, residual: float | None) -> Local:
    numbers = tuple(diagonal.flatten().tolist()) if diagonal.numel() <= SMALL else None
    mean, low, high = float(diagonal.mean()), float(diagonal.min()), float(diagonal.max())
    return Local("elementwise", norm, residual, mean, low, high, numbers)


def _large(backward: Backward, place: int, incoming: Gradients, outgoing: Tensor) -> Local:
    def transposed(v: Gradients) -> Tensor:
        result = backward(v)[place]
        return torch.zeros_like(outgoing) if result is None else _dense(result)

    again = transposed(_copies(incoming)).detach()
    target = _dense(outgoing)
    residual = _relative(again, target)
    shapes = [v.shape for v in incoming if v is not None]
    if len(shapes) == 1 and shapes[0] == outgoing.shape:
        diagonal = transposed([None if v is None else torch.ones_like(v) for v in incoming]).detach()
        probe = _probe(incoming)
        answer = transposed(_copies(probe)).detach()
        expected = diagonal * next(v for v in probe if v is not None)
        close = (answer - expected).abs() <= ROUNDING * torch.finfo(answer.dtype).eps * expected.abs()
        if bool(close.all()):
            came = next(v for v in incoming if v is not None)
            diagonal, residual = diagonal.double(), _relative(diagonal * came.detach(), target)
            return _elementwise(diagonal, float(diagonal.abs().max()), residual)
    norm, reason = _operator_norm(transposed, incoming)
    return Local("linear", norm, residual, reason=reason)


def _probe(like: Gradients) -> list[Tensor | None]:
    """Random numbers of the same shapes, always the same ones, from a generator of their own."""
    generator = torch.Generator().manual_seed(0)
    return [
        None if v is None else torch.randn(v.shape, generator=generator, dtype=torch.float64).to(v.device, v.dtype)
        for v in like
    ]


def _operator_norm(transposed: Callable[[Gradients], Tensor], incoming: Gradients) -> tuple[float | None, str]:
    """The power method on J Jᵀ; J comes from differentiating v ↦ Jᵀv, which is linear."""
    v, norm = _unit(_probe(incoming)), 0.0
    for _ in range(ITERATIONS):
        asking = [None if x is None else x.clone().requires_grad_() for x in v]
        wanted = [x for x in asking if x is not None]
        try:
            with torch.enable_grad():
                down = transposed(asking)
            norm = float(down.detach().double().norm())
            if norm == 0 or not math.isfinite(norm):
                return norm, ""
            up = torch.autograd.grad(down, wanted, down.detach() / norm, allow_unused=True)
        except RuntimeError:  # it has no second derivative: the gain of a random direction is all there is
            return norm or None, "the gain of one random direction; its backward has no derivative"
        back = iter(up)
        v = _unit([None if x is None else next(back) for x in v])
    return norm, ""


def _unit(v: Gradients) -> list[Tensor | None]:
    size = math.sqrt(sum(float(x.double().pow(2).sum()) for x in v if x is not None)) or 1.0
    return [None if x is None else x / size for x in v]


def _relative(a: Tensor, b: Tensor) -> float:
    """‖a − b‖ / ‖b‖, and ‖a‖ where b is 0."""
    size = float(b.double().norm())
    return float((a.double() - b.double()).norm()) / (size or 1.0)


def _dense(tensor: Tensor) -> Tensor:
    return tensor if tensor.layout == torch.strided else tensor.to_dense()

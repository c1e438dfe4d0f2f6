"""Curvature: Hessians, products with them, and their extreme eigenvalues with bounds on the error.

A Ritz value of Lanczos never leaves the interval [λmin, λmax]. So a negative one *proves* negative curvature, with its
vector as the witness, while a positive smallest one proves nothing: :meth:`Spectrum.unseen` says how far below it the
true smallest eigenvalue may lie. Sources: Lanczos (1950); Parlett, "The symmetric eigenvalue problem" (1980);
Pearlmutter (1994), "Fast exact multiplication by the Hessian"; Kuczyński and Woźniakowski (1992).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
BREAKDOWN = 1e-12  # a new Lanczos vector shorter than this, relative to the operator's size, is rounding error


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of a symmetric operator of ``size`` rows: all of them, or the Ritz values of ``steps`` products."""

    values: Tensor  # (k,) ascending, float64
    vectors: Tensor  # (size, k), of unit length
    residuals: Tensor  # (k,) ‖Av − λv‖: an eigenvalue lies within this of the value
    size: int
    steps: int  # products with the operator

    @property
    def complete(self) -> bool:
        """Whether these are all the eigenvalues."""
        return len(self.values) == self.size

    @property
    def smallest(self) -> float:
        """Smallest value; never below the true smallest eigenvalue by more than rounding."""
        return float(self.values[0])

    @property
    def largest(self) -> float:
        """Largest value; never above the true largest eigenvalue by more than rounding."""
        return float(self.values[-1])

    @property
    def condition(self) -> float:
        """κ = λmax/λmin, infinite unless all values are positive."""
        return self.largest / self.smallest if self.smallest > 0 else math.inf

    def unseen(self, risk: float = 0.01) -> float:
        r"""How far beyond the extreme values an eigenvalue may lie, but for a chance of ``risk``.

        For a start that is uniformly random on the sphere, after k steps

        .. math:: P\left[\frac{\lambda_{\max} - \theta_{\max}}{\lambda_{\max} - \lambda_{\min}} > \varepsilon\right]
                  \le 1.648 \sqrt{n}\, e^{-\sqrt{\varepsilon}(2k - 1)}

        (Kuczyński and Woźniakowski 1992, theorem 4.2), and the same at the lower end; zero where all are known.
        """
        if self.complete:
            return 0.0
        share = (math.log(1.648 * math.sqrt(self.size) / risk) / (2 * len(self.values) - 1)) ** 2
        return math.inf if share >= 0.5 else share / (1 - 2 * share) * (self.largest - self.smallest)


def dense(matrix: Tensor) -> Spectrum:
    """All eigenvalues of a symmetric matrix (its symmetric part, where rounding made it lopsided).

    Raises:
        ArithmeticError: an entry is not finite.
    """
    if not torch.isfinite(matrix).all():
        raise ArithmeticError("the matrix has entries that are not finite")
    symmetric = (matrix + matrix.T).double() / 2
    values, vectors = torch.linalg.eigh(symmetric)
    residuals = torch.linalg.vector_norm(symmetric @ vectors - vectors * values, dim=0)
    return Spectrum(values, vectors, residuals, len(matrix), len(matrix))


def lanczos(
    matvec: Product,
    size: int,
    *,
    steps: int = 40,
    start: Tensor | None = None,
    generator: torch.Generator | None = None,
    tolerance: float = 0.0,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Spectrum:
    """Ritz values of a symmetric operator from ``steps`` products with it, by Lanczos with full re-orthogonalisation.

    Where the Krylov space is exhausted (the start was orthogonal to the rest, or an eigenvalue is multiple), it goes on
    from a new random direction, so that ``steps >= size`` yields every eigenvalue with its multiplicity.

    Args:
        matvec: the product, from ``(size,)`` to ``(size,)``, of ``dtype`` on ``device``.
        size: number of rows.
        steps: most products; at most ``size`` are made.
        start: first direction ``(size,)``; random unless given.
        generator: of the random directions; seeded with 0 unless given.
        tolerance: stop when the residuals of the smallest and the largest value are below this share of the largest
            magnitude; 0 makes all steps.
        dtype: of the vectors; the small eigenproblem is solved in float64.
        device: of the vectors.

    Raises:
        ValueError: ``size`` or ``steps`` is below 1, or ``start`` is zero or of the wrong shape.
        ArithmeticError: a product is not finite.
    """
    if size < 1 or steps < 1:
        raise ValueError(f"lanczos needs a size and a number of steps of at least 1; got {size} and {steps}")
    generator = generator or torch.Generator().manual_seed(0)
    steps = min(steps, size)
    basis = torch.zeros(steps, size, dtype=dtype, device=device)  # (k, n), rows orthonormal
    basis[0] = _first(start, size, generator).to(dtype=dtype, device=device)
    diagonal, side, scale = [], [], 0.0
    for k in range(steps):
        w = matvec(basis[k])
        if not torch.isfinite(w).all():
            raise ArithmeticError(f"product {k + 1} with the operator is not finite")
        diagonal.append(float(w @ basis[k]))
        scale = max(scale, float(torch.linalg.vector_norm(w)))
        rest = _orthogonal(w, basis[: k + 1])
        length = float(torch.linalg.vector_norm(rest))
        exhausted = length <= max(BREAKDOWN, 10 * torch.finfo(dtype).eps) * scale
        side.append(0.0 if exhausted else length)
        if k + 1 == steps or (tolerance > 0 and k % 5 == 4 and _settled(diagonal, side, tolerance)):
            break
        basis[k + 1] = _fresh(basis[: k + 1], generator) if exhausted else rest / length
    values, small = _tridiagonal(diagonal, side)
    vectors = basis[: len(diagonal)].T @ small.to(dtype=dtype, device=device)
    floor = torch.finfo(dtype).eps * scale  # what rounding leaves in any case
    residuals = side[-1] * small[-1].abs() if len(diagonal) < size else torch.zeros_like(values)
    return Spectrum(values, vectors, residuals.clamp(min=floor), size, len(diagonal))


def _first(start: Tensor | None, size: int, generator: torch.Generator) -> Tensor:
    if start is None:
        start = torch.randn(size, generator=generator, dtype=torch.float64)
    length = float(torch.linalg.vector_norm(start.double()))
    if start.shape != (size,) or not 0 < length < math.inf:
        raise ValueError(f"start must be a vector of {size} numbers, not all zero; got shape {tuple(start.shape)}")
    return start.double() / length


def _orthogonal(w: Tensor, basis: Tensor) -> Tensor:
    """``w`` without its part in the rows of ``basis``; twice is enough (Kahan, in Parlett 1980)."""
    for _ in range(2):
        w = w - basis.T @ (basis @ w)
    return w


def _fresh(basis: Tensor, generator: torch.Generator) -> Tensor:
    w = torch.randn(basis.shape[1], generator=generator, dtype=torch.float64).to(basis)
    w = _orthogonal(w / torch.linalg.vector_norm(w), basis)
    w = _orthogonal(w / torch.linalg.vector_norm(w), basis)  # little may be left of it where the basis is nearly full
    return w.div(torch.linalg.vector_norm(w))


def _tridiagonal(diagonal: list[float], side: list[float]) -> tuple[Tensor, Tensor]:
    off = torch.tensor(side[:-1], dtype=torch.float64)
    matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64)) + torch.diag(off, 1) + torch.diag(off, -1)
    values, vectors = torch.linalg.eigh(matrix)
    return values, vectors


def _settled(diagonal: list[float], side: list[float], tolerance: float) -> bool:
    values, vectors = _tridiagonal(diagonal, side)
    ends = side[-1] * vectors[-1, [0, -1]].abs()
    return side[-1] > 0 and bool((ends <= tolerance * values.abs().max()).all())


# -- Hessians of functions -------------------------------------------------------------------------------------------


def product(function: Callable[[Tensor], Tensor], x: Tensor) -> Product:
    """Products with the Hessian of a scalar ``function`` at ``x`` of shape ``(n,)``, each at the cost of one gradient.

    Raises:
        RuntimeError: by autograd, where an operation of ``function`` has no second derivative.
    """
    point = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(function(point), point, create_graph=True, materialize_grads=True)

    def multiply(v: Tensor) -> Tensor:
        if not slope.requires_grad:  # a linear function
            return torch.zeros_like(v)
        (row,) = torch.autograd.grad(slope, point, v, retain_graph=True, materialize_grads=True)
        return row

    return multiply


def hessian(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The Hessian ``(n, n)`` of a scalar ``function`` at ``x`` of shape ``(n,)``."""
    multiply = product(function, x)
    return torch.stack([multiply(row) for row in torch.eye(len(x), dtype=x.dtype, device=x.device)])


def difference_product(gradient: Callable[[Tensor], Tensor], x: Tensor, noise: float = 2.0**-52) -> Product:
    r"""Products with the Hessian where only gradients can be evaluated, by central differences of them.

    .. math:: H v \approx \frac{g(x + hv) - g(x - hv)}{2h}, \qquad h = (3\,\mathrm{noise})^{1/3} \max(1, \lVert x
              \rVert_\infty) / \lVert v \rVert

    Args:
        gradient: from ``(n,)`` to ``(n,)``.
        noise: relative error of the gradient; larger where it is itself a difference.
    """
    size = (3 * noise) ** (1 / 3) * max(1.0, float(x.abs().max()))

    def multiply(v: Tensor) -> Tensor:
        length = float(torch.linalg.vector_norm(v))
        if length == 0:
            return torch.zeros_like(v)
        h = size / length
        return (gradient(x + h * v) - gradient(x - h * v)).div(2 * h)

    return multiply

"""Eigenvalues against dense linear algebra, Hessians against formulas, SymPy, autograd and finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from fallline.calculus.curvature import dense, difference_product, hessian, lanczos, product


def symmetric(spectrum: Tensor, seed: int = 0) -> Tensor:
    """A matrix with these eigenvalues and random eigenvectors."""
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(len(spectrum), len(spectrum), generator=generator, dtype=torch.float64))
    return basis @ torch.diag(spectrum.double()) @ basis.T


SPECTRA = {
    "spread": torch.linspace(-3, 7, 12),
    "wide": torch.logspace(-6, 6, 12),
    "multiple": torch.tensor([-1.0, 2, 2, 2, 2, 5, 5, 9]),
    "identity": torch.ones(6),
    "zero": torch.zeros(5),
    "one": torch.tensor([-4.0]),
    "rank one": torch.tensor([0.0] * 9 + [1e8]),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_as_many_steps_as_rows_give_every_eigenvalue(name: str) -> None:
    values = SPECTRA[name].double().sort().values
    matrix = symmetric(values)
    found = lanczos(lambda v: matrix @ v, len(values), steps=100)
    scale = max(float(values.abs().max()), 1e-300)
    assert found.complete
    assert torch.allclose(found.values, values, atol=1e-11 * scale)
    assert torch.allclose(found.values, dense(matrix).values, atol=1e-11 * scale)
    identity = torch.eye(len(values), dtype=torch.float64)
    assert torch.allclose(found.vectors.T @ found.vectors, identity, atol=1e-10)
    assert found.unseen() == 0


@pytest.mark.parametrize("steps", [1, 2, 5, 20, 60])
def test_ritz_values_stay_inside_and_their_residuals_are_true(steps: int) -> None:
    matrix = symmetric(torch.randn(150, generator=torch.Generator().manual_seed(5)))
    exact = torch.linalg.eigvalsh(matrix)
    found = lanczos(lambda v: matrix @ v, 150, steps=steps)
    assert exact[0] - 1e-12 <= found.smallest <= found.largest <= exact[-1] + 1e-12
    measured = torch.linalg.vector_norm(matrix @ found.vectors - found.vectors * found.values, dim=0)
    assert torch.allclose(measured, found.residuals, atol=1e-12)
    nearest = (found.values[:, None] - exact[None, :]).abs().min(dim=1).values
    assert bool((nearest <= found.residuals + 1e-12).all())


def test_a_witness_of_negative_curvature() -> None:
    matrix = symmetric(torch.cat([torch.linspace(0.1, 5, 299), torch.tensor([-0.5])]))
    found = lanczos(lambda v: matrix @ v, 300, steps=30)
    v = found.vectors[:, 0]
    assert float(v @ matrix @ v) == pytest.approx(found.smallest)
    assert found.smallest == pytest.approx(-0.5, abs=1e-3)


def test_full_orthogonality_after_many_steps_on_a_wide_spectrum() -> None:
    matrix = symmetric(torch.logspace(-8, 8, 120))
    found = lanczos(lambda v: matrix @ v, 120, steps=119)
    gram = found.vectors.T @ found.vectors
    assert float((gram - torch.eye(119, dtype=torch.float64)).abs().max()) < 1e-10


def test_a_start_without_a_part_in_the_extreme_directions_still_finds_them() -> None:
    matrix = torch.diag(torch.tensor([-9.0, 1, 2, 3, 9], dtype=torch.float64))
    found = lanczos(lambda v: matrix @ v, 5, steps=5, start=torch.tensor([0.0, 1, 1, 1, 0]))
    assert (found.smallest, found.largest) == pytest.approx((-9, 9))


@pytest.mark.parametrize("shape", ["uniform", "clustered", "outlier"])
def test_what_may_lie_beyond_is_bounded(shape: str) -> None:
    n = 200
    values = {
        "uniform": torch.linspace(-1, 1, n),
        "clustered": torch.cat([torch.tensor([-1.0]), torch.linspace(0, 1, n - 1)]),
        "outlier": torch.cat([torch.tensor([-1.0]), torch.linspace(-0.99, 1, n - 1)]),
    }[shape].double()
    for steps in (10, 20, 40):
        for seed in range(20):  # a risk of 1 % each, and the bound is generous
            found = lanczos(lambda v: values * v, n, steps=steps, generator=torch.Generator().manual_seed(seed))
            assert found.smallest - float(values.min()) <= found.unseen(0.01)
            assert float(values.max()) - found.largest <= found.unseen(0.01)


def test_a_tolerance_saves_products() -> None:
    values = torch.cat([torch.tensor([-5.0, 50.0]), torch.linspace(1, 2, 998)]).double()
    found = lanczos(lambda v: values * v, 1000, steps=200, tolerance=1e-6)
    assert found.steps < 30
    assert (found.smallest, found.largest) == pytest.approx((-5, 50), rel=1e-6)
    assert found.condition == math.inf


def test_single_precision() -> None:
    matrix = symmetric(torch.linspace(1, 100, 50)).float()
    found = lanczos(lambda v: matrix @ v, 50, steps=50, dtype=torch.float32)
    assert found.vectors.dtype == torch.float32
    assert found.condition == pytest.approx(100, rel=1e-3)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="at least 1; got 0 and 40"):
        lanczos(lambda v: v, 0)
    with pytest.raises(ValueError, match=r"a vector of 3 numbers.*shape \(2,\)"):
        lanczos(lambda v: v, 3, start=torch.ones(2))
    with pytest.raises(ValueError, match="not all zero"):
        lanczos(lambda v: v, 2, start=torch.zeros(2))
    with pytest.raises(ArithmeticError, match="product 1"):
        lanczos(lambda v: v / 0, 2)
    with pytest.raises(ArithmeticError, match="not finite"):
        dense(torch.full((2, 2), math.nan))


# -- Hessians --------------------------------------------------------------------------------------------------------


def rosenbrock(x: Tensor) -> Tensor:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], list[float]]] = {
    "rosenbrock": (rosenbrock, [-1.2, 1.0, 0.3]),
    "waves": (lambda x: torch.sin(x[0] * x[1]) * torch.exp(-x[2] / 5), [0.4, -1.1, 2.0]),
    "linear": (lambda x: 3 * x[0] - x[1], [1.0, 2.0]),
    "constant": (lambda x: x.sum() * 0 + 4.0, [1.0, 2.0]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_hessians_in_three_ways(name: str) -> None:
    function, start = FUNCTIONS[name]
    x = torch.tensor(start, dtype=torch.float64)
    ours = hessian(function, x)
    assert torch.allclose(ours, torch.func.hessian(function)(x), atol=1e-12)
    multiply, differences = product(function, x), difference_product(torch.func.grad(function), x)
    for v in torch.randn(4, len(x), generator=torch.Generator().manual_seed(1), dtype=torch.float64):
        assert torch.allclose(multiply(v), ours @ v, atol=1e-10)
        assert torch.allclose(differences(v), ours @ v, rtol=1e-6, atol=1e-6)
    assert float(differences(torch.zeros_like(x)).abs().max()) == 0


def test_rosenbrock_at_its_minimum() -> None:
    at = dense(hessian(rosenbrock, torch.ones(2, dtype=torch.float64)))
    # [[802, −400], [−400, 200]]: trace 1002, determinant 400
    root = math.sqrt(501**2 - 400)
    assert (at.smallest, at.largest) == pytest.approx((501 - root, 501 + root))
    assert at.condition == pytest.approx(2508.01, rel=1e-5)

"""The named functions: their gradients and Hessians in several ways, and what is said of their points."""

from __future__ import annotations

import pytest
import torch

from fallline.objective.catalog import NAMED, Named, find, suggestion
from fallline.objective.expression import parse
from fallline.objective.function import from_formula

KINKED = {"ackley"}  # has no derivative at its minimum
SINGULAR = {"flat-bottom", "wine-bottle", "linear-net", "powell-singular"}
each = pytest.mark.parametrize("named", NAMED, ids=[named.name for named in NAMED])


def points(named: Named) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    start = torch.tensor(named.start, dtype=torch.float64)
    return start + 0.1 * torch.randn(5, len(start), generator=generator, dtype=torch.float64)


@each
def test_derivatives_in_three_ways(named: Named) -> None:
    objective, x = named.objective(), points(named)
    value, slope = objective.slope(x)
    assert torch.allclose(value, objective.value(x), rtol=1e-13)
    point = x.clone().requires_grad_()
    (by_autograd,) = torch.autograd.grad(objective.value(point).sum(), point)
    assert torch.allclose(slope, by_autograd, rtol=1e-9, atol=1e-12 * float(by_autograd.abs().max()))
    assert objective.second is not None
    second = objective.second(x)
    for row, matrix in zip(x, second, strict=True):
        exact = torch.func.hessian(lambda v: objective.value(v[None])[0])(row)
        assert torch.allclose(matrix, exact, rtol=1e-8, atol=1e-10 * float(exact.abs().max()))
    for i in range(x.shape[1]):
        h = torch.zeros_like(x)
        h[:, i] = 1e-6
        difference = (objective.value(x + h) - objective.value(x - h)) / 2e-6
        assert torch.allclose(difference, slope[:, i], rtol=1e-4, atol=1e-6 * float(1 + value.abs().max()))


@each
def test_its_points_are_what_they_are_called(named: Named) -> None:
    objective = named.objective()
    assert objective.second is not None
    kinds = [(known.x, "minimum") for known in named.minima + named.local]
    kinds += [(x, "saddle") for x in named.saddles] + [(x, "maximum") for x in named.maxima]
    for x, kind in kinds if named.name not in KINKED else []:
        point = torch.tensor([x], dtype=torch.float64)
        curvature = torch.linalg.eigvalsh(objective.second(point)[0])
        assert float(objective.slope(point)[1].abs().max()) < 1e-4 * max(1.0, float(curvature.abs().max()))
        low, high = float(curvature[0]), float(curvature[-1])
        expected = {"minimum": low > 0, "saddle": low < 0 < high, "maximum": high < 0}[kind]
        assert expected or (named.name in SINGULAR and kind == "minimum" and low >= 0)
    for known in named.minima + named.local:
        value = float(objective.value(torch.tensor([known.x], dtype=torch.float64)))
        assert value == pytest.approx(known.fun, abs=1e-7 * max(1, abs(known.fun)))


@each
def test_no_value_around_is_below_the_minimum(named: Named) -> None:
    objective = named.objective()
    if not named.minima:
        return
    generator = torch.Generator().manual_seed(1)
    centre = torch.tensor(named.minima[0].x, dtype=torch.float64)
    around = centre + 5 * torch.randn(5000, len(centre), generator=generator, dtype=torch.float64)
    assert float(objective.value(around).min()) >= named.minima[0].fun - 1e-7 * max(1, abs(named.minima[0].fun))


def test_names() -> None:
    assert find("rosenbrock") is not None
    assert find("nothing") is None
    assert suggestion("rosenbrok") == "rosenbrock"
    assert suggestion("x+y") is None
    assert len({named.name for named in NAMED}) == len(NAMED)


@pytest.mark.parametrize(
    "text", ["sigmoid(x)", "softplus(x)", "relu(x)", "sign(x)*x", "max(x, 1)", "min(x, -1)", "abs(x)^1.5", "erf(x)"]
)
def test_functions_far_out_stay_finite(text: str) -> None:
    objective = from_formula(parse(text))
    x = torch.tensor([[-800.0], [-3.0], [0.5], [3.0], [800.0]], dtype=torch.float64)
    value, slope = objective.slope(x)
    assert bool(torch.isfinite(value + slope[:, 0]).all())
    h = 1e-6
    difference = (objective.value(x + h) - objective.value(x - h)) / (2 * h)
    assert torch.allclose(slope[:, 0], difference, atol=1e-5)

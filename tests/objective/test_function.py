"""Callables of torch and NumPy as objectives, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fallline.objective.function import ObjectiveError, finite, from_numpy, from_torch, names, row

F64 = torch.float64


def bowl(x: Tensor) -> Tensor:
    return (x**2).sum() + x.prod()


def branching(x: Tensor) -> Tensor:
    return x.sum() ** 2 if bool(x.sum() > 0) else (x**2).sum()


@pytest.mark.parametrize("function", [bowl, branching])
def test_a_population_of_a_torch_callable(function: Any) -> None:
    objective, start = from_torch(function, [1.0, 2.0], F64)
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    value, slope = objective.slope(x)
    for point, f, g in zip(x, value, slope, strict=True):
        assert float(f) == pytest.approx(float(function(point)))
        assert torch.allclose(g, torch.autograd.functional.jacobian(function, point))
    assert torch.allclose(objective.value(x), value)
    assert start.tolist() == [1.0, 2.0]


def test_shapes_and_several_arguments() -> None:
    objective, start = from_torch(lambda w: (w @ w.T).sum(), torch.ones(2, 3), F64)
    assert (objective.size, objective.shape, len(start)) == (6, (2, 3), 6)
    objective, start = from_torch(lambda a, b: (a * b.sum()).sum(), (torch.ones(2), 3.0), F64)
    assert (objective.size, objective.shape, start.tolist()) == (3, None, [1, 1, 3])
    assert objective.slope(start[None])[1].tolist() == [[3, 3, 2]]


def test_numpy_with_its_gradient_or_by_differences() -> None:
    def value(x: Any) -> Any:
        return float((x**4).sum())

    at = torch.tensor([[1.0, -2.0]], dtype=F64)
    for jac in (lambda x: 4 * x**3, "3-point"):
        objective, _ = from_numpy(value, jac, [1.0, -2.0])
        assert objective.slope(at)[1].numpy() == pytest.approx(np.array([[4, -32]]), rel=1e-8)
    objective, _ = from_numpy(lambda x: (value(x), 4 * x**3), True, [1.0, -2.0])
    assert objective.slope(at)[0].tolist() == [17]
    objective, _ = from_numpy(lambda x, c: c * value(x), lambda x, c: c * 4 * x**3, [1.0, 1.0], (3.0,))
    assert objective.value(at).tolist() == [51]


@pytest.mark.parametrize(
    ("function", "start", "what"),
    [
        (lambda x: x * 2, [1.0, 2.0], r"must give one number; it gave a tensor of shape \(2,\)"),
        (lambda x: (x * 1j).sum(), [1.0], "complex"),
        (lambda x: 1.0, [1.0], "gave float, not a tensor"),
        (lambda x: x.detach().sum(), [1.0], "does not depend on its argument"),
        (lambda x, y: x + y, [1.0], "takes 2 arguments"),
        (lambda x: x.sum(), "abc", "start must be numbers"),
    ],
)
def test_what_a_torch_callable_must_not(function: Any, start: Any, what: str) -> None:
    with pytest.raises(ObjectiveError, match=what):
        from_torch(function, start, F64)


@pytest.mark.parametrize(
    ("function", "jac", "what"),
    [
        (lambda x: x, lambda x: x, r"array of shape \(2,\)"),
        (lambda x: 1j, lambda x: x, "complex"),
        (lambda x: 1.0, lambda x: np.ones(3), "must be 2 real numbers"),
        (lambda x: 1.0, lambda x: x * 1j, "must be 2 real numbers"),
        (lambda x: 1.0, 3, "jac must be"),
    ],
)
def test_what_a_numpy_callable_must_not(function: Any, jac: Any, what: str) -> None:
    def evaluate() -> None:
        objective, start = from_numpy(function, jac, [1.0, 2.0])
        objective.slope(start[None])

    with pytest.raises(ObjectiveError, match=what):
        evaluate()


def test_starts() -> None:
    assert row(3, ("x",), F64).tolist() == [3]
    assert row(np.zeros((4, 2)), ("x", "y"), F64).shape == (4, 2)
    with pytest.raises(ObjectiveError, match=r"2 numbers, one each for x, y; got shape \(3,\): 1, 2, 3"):
        row([1, 2, 3], ("x", "y"), F64)
    with pytest.raises(ObjectiveError, match="finite; got nan"):
        finite(torch.tensor([float("nan")]))
    assert names(1) == ("x",)
    assert names(3) == ("x1", "x2", "x3")


def test_a_start_keeps_its_digits() -> None:
    _, row = from_torch(lambda x: x.sum(), [0.1, 2.8476959582232233], torch.float64)
    assert row.tolist() == [0.1, 2.8476959582232233]

"""The derivative of an operation from its backward function, against matrices that are known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from fallline.calculus.local import local_derivatives

Gradients = Sequence[Tensor | None]


def linear(J: Tensor) -> object:
    return lambda v: [J.T @ v[0]]


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_small_matrix_is_given_number_by_number() -> None:
    J = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=torch.float64)
    g = torch.tensor([1.0, -1.0], dtype=torch.float64)
    (found,) = local_derivatives(linear(J), [g], [J.T @ g])  # type: ignore[arg-type]
    assert found is not None
    assert found.matrix == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert found.norm == pytest.approx(float(torch.linalg.matrix_norm(J, 2)))
    assert found.residual == 0.0


@pytest.mark.parametrize("size", [4, 30])
def test_elementwise_operation_is_recognised(size: int) -> None:
    d = torch.randn(size, generator=generator(), dtype=torch.float64)
    g = torch.randn(size, generator=generator(), dtype=torch.float64)
    (found,) = local_derivatives(lambda v: [None if v[0] is None else v[0] * d], [g], [g * d])
    assert found is not None
    assert found.kind == "elementwise"
    assert (found.mean, found.min, found.max) == pytest.approx((float(d.mean()), float(d.min()), float(d.max())))
    assert found.norm == pytest.approx(float(d.abs().max()))
    assert (found.diagonal is not None) == (size <= 8)


def test_operator_norm_of_a_large_map() -> None:
    J = torch.randn(20, 30, generator=generator(), dtype=torch.float64)
    J[0] *= 5  # a gap, so that the power method arrives
    g = torch.randn(20, generator=generator(), dtype=torch.float64)
    (found,) = local_derivatives(linear(J), [g], [J.T @ g])  # type: ignore[arg-type]
    assert found is not None
    assert found.kind == "linear"
    assert found.norm == pytest.approx(float(torch.linalg.matrix_norm(J, 2)), rel=1e-6)


def test_a_wrong_outgoing_gradient_shows_in_the_residual() -> None:
    g = torch.tensor([2.0], dtype=torch.float64)
    (found,) = local_derivatives(lambda v: [None if v[0] is None else 3 * v[0]], [g], [g * 4])
    assert found is not None
    assert found.residual == pytest.approx(0.25)


def test_a_backward_that_refuses_is_quoted() -> None:
    def backward(v: Gradients) -> Gradients:
        raise ValueError("only once")

    g = torch.ones(3)
    (found, none) = local_derivatives(backward, [g], [g, None])
    assert none is None
    assert found is not None
    assert found.kind == "unread"
    assert "only once" in found.reason

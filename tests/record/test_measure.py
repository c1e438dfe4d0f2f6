"""Every number read off a tensor, against a plain formula or autograd."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fallline.record import measure


def random(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(sum(shape)))


def length(tensor: Tensor) -> float:
    return math.sqrt(sum(abs(complex(v)) ** 2 for v in tensor.reshape(-1).tolist()))


TENSORS = {
    "float64": random(3, 4),
    "float32": random(3, 4, dtype=torch.float32),
    "bfloat16": random(3, 4).bfloat16(),
    "float16": random(3, 4).half() * 300,  # its square does not fit in half precision
    "complex64": random(3, 4, dtype=torch.complex64),
    "complex128, conjugate view": random(3, 4, dtype=torch.complex128).conj(),
    "sparse": torch.sparse_coo_tensor(torch.tensor([[0, 0, 2]]), random(3, 4), (5, 4), check_invariants=True),
    "scalar": random(1)[0],
    "not contiguous": random(3, 4).T,
    "asks for a gradient": random(3, 4).requires_grad_(),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_norm(kind: str) -> None:
    tensor = TENSORS[kind]
    reference = length(tensor.detach().to_dense())
    (together,) = measure.norms([tensor])
    for result in (measure.norm(tensor), together):
        assert float(result) == pytest.approx(reference, rel=1e-6)
        double = tensor.dtype in (torch.float64, torch.complex128)
        assert result.dtype == (torch.float64 if double else torch.float32)
        assert not result.requires_grad


@pytest.mark.parametrize("size", [1e-38, 1e-30, 1e-20, 1.0, 1e20, 1e30])
def test_norm_of_numbers_whose_squares_do_not_fit(size: float) -> None:
    tensor = torch.full((20, 20), size)
    for result in (measure.norm(tensor), *measure.norms([tensor])):
        assert float(result) == pytest.approx(20 * size, rel=1e-5)
    zero, broken = torch.zeros(3), torch.tensor([1.0, math.nan])
    assert [float(n) for n in measure.norms([zero, broken])] == pytest.approx([0.0, math.nan], nan_ok=True)


def test_norms_of_a_mixed_list() -> None:
    results = measure.norms(list(TENSORS.values()))
    assert [float(r) for r in results] == pytest.approx([length(t.detach().to_dense()) for t in TENSORS.values()])
    assert measure.norms([]) == []


def test_spread_against_the_formula() -> None:
    data = random(7, 3, 5)
    rms, between = measure.spread(data)
    array = data.numpy()
    assert float(rms) == pytest.approx(math.sqrt((array**2).mean()))
    assert float(between) == pytest.approx(math.sqrt(array.var(axis=0).mean()))


def test_spread_of_equal_samples_is_exactly_zero() -> None:
    rms, between = measure.spread(torch.full((64, 3), 0.1))
    assert float(rms) == pytest.approx(0.1)
    assert float(between) == 0.0


def test_spread_of_one_sample_is_unknown() -> None:
    rms, between = measure.spread(random(1, 4))
    assert math.isfinite(float(rms))
    assert math.isnan(float(between))


# -- activations -----------------------------------------------------------------------------------------------------

ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], float | None]] = {
    "relu": (F.relu, 1.0),
    "sigmoid": (torch.sigmoid, 0.25),
    "tanh": (torch.tanh, 1.0),
    "gelu": (F.gelu, 1.13),
    "exp": (torch.exp, None),
}


def through(activation: Callable[[Tensor], Tensor], x: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """(∂L/∂x, ∂L/∂y) of L = Σ upstream · φ(x), by autograd."""
    x = x.clone().requires_grad_()
    (before,) = torch.autograd.grad((activation(x) * upstream).sum(), x)
    return before, upstream


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slope_is_the_ratio_of_gradients(name: str) -> None:
    activation, steepest = ACTIVATIONS[name]
    x = 3 * random(50, 8)
    before, after = through(activation, x, random(50, 8) + 2)
    slope = measure.Slope(before, after, -1, steepest)
    assert float(slope.before) == pytest.approx(length(before))
    assert float(slope.after) == pytest.approx(length(after))
    if steepest is None:
        assert slope.flat is None
        return
    h = 1e-6
    derivative = (activation(x + h) - activation(x - h)) / (2 * h)
    assert slope.flat is not None
    assert float(slope.flat) == pytest.approx(float((derivative.abs() < 0.05 * steepest).double().mean()))


def test_dead_units_by_construction() -> None:
    x = random(20, 4).abs()
    x[:, 1] *= -1  # never positive
    upstream = torch.ones(20, 4, dtype=torch.float64)
    upstream[:, 3] = 0  # receives nothing, so nobody knows
    slope = measure.Slope(*through(F.relu, x, upstream), -1, 1.0)
    assert slope.alive.tolist() == [True, False, True, False]
    assert slope.informative.tolist() == [True, True, True, False]


def test_dead_channels_of_a_convolution() -> None:
    x = random(2, 3, 4, 4).abs()
    x[:, 2] *= -1
    slope = measure.Slope(*through(F.relu, x, torch.ones_like(x)), 1, 1.0)
    assert slope.alive.tolist() == [True, True, False]


def test_one_sample_without_a_batch_dimension() -> None:
    slope = measure.Slope(*through(F.relu, torch.tensor([1.0, -1.0]), torch.ones(2)), -1, 1.0)
    assert slope.alive.tolist() == [True, False]
    assert float(slope.flat or 0) == 0.5


# -- units that are equal --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
def test_twins(axis: int) -> None:
    weight, gradient = random(6, 5), random(6, 5) + 1
    weight[4] = weight[1]
    gradient[4] = gradient[1]
    weight[5] = weight[0]  # equal weights, but their gradients differ
    if axis:
        weight, gradient = weight.T, gradient.T
    assert float(measure.twins(weight, gradient, axis)) == pytest.approx(2 / 6)


def test_twins_of_special_weights() -> None:
    assert float(measure.twins(torch.full((4, 3), 0.1), torch.ones(4, 3), 0)) == 1.0
    assert float(measure.twins(torch.zeros(4, 3), torch.zeros(4, 3), 0)) == 1.0
    assert float(measure.twins(random(1, 3), random(1, 3), 0)) == 0.0
    assert float(measure.twins(random(4, 3), torch.zeros(4, 3), 0)) == 0.0
    assert float(measure.twins(random(8, 3, 2, 2), random(8, 3, 2, 2), 0)) == 0.0
    z = random(4, 3, dtype=torch.complex64)
    z[1] = z[2]
    assert float(measure.twins(z, z, 0)) == 0.5


# -- the rest --------------------------------------------------------------------------------------------------------


def test_sketch_is_a_bounded_view() -> None:
    small, large = random(3, 4), random(100, 1000)
    assert torch.equal(measure.sketch(small), small.flatten())
    assert 0 < measure.sketch(large).numel() <= measure.SKETCH
    before = float(measure.sketch(large)[1])
    large += 1
    assert float(measure.sketch(large)[1]) == before + 1


def test_to_floats_keeps_the_order_of_mixed_types() -> None:
    values = [torch.tensor(1.5), torch.tensor(2.5, dtype=torch.float64), torch.tensor(3), torch.tensor(4.5)]
    assert measure.to_floats(values) == [1.5, 2.5, 3.0, 4.5]
    assert measure.to_floats([]) == []

"""Scaling on the way into a layer, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from fallline.treatment.scaler import BATCHES, Scaler


def data(rows: int = 400) -> Tensor:
    """Three correlated features far from mean 0 and of sizes from 0.001 to 1000, in float64."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.tensor([[1000.0, 0.5, 0.0], [0.0, 1.0, 0.0005], [300.0, 0.0, 0.001]]).double()
    return torch.randn(rows, 3, generator=generator).double() @ mixing + torch.tensor([5e4, -3.0, 0.02]).double()


@pytest.mark.parametrize("batches", [1, 8])
def test_standardised_as_scikit_learn_does(batches: int) -> None:
    x, scaler = data(), Scaler()
    for batch in x.chunk(batches):
        scaler(batch)
    scaler.batches = BATCHES  # it has learned enough
    assert np.allclose(scaler(x), StandardScaler().fit_transform(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("batches", [1, 8])
def test_whitened_as_by_principal_components_but_for_a_rotation(batches: int) -> None:
    x, scaler = data(), Scaler(whiten=True)
    for batch in x.chunk(batches):
        scaler(batch)
    scaler.batches = BATCHES
    white = scaler(x).numpy()
    assert np.allclose(white.mean(axis=0), 0, atol=1e-9)
    assert np.allclose(np.cov(white.T, bias=True), np.eye(3), atol=1e-8)
    components = PCA(whiten=True, svd_solver="full").fit_transform(x) * np.sqrt(len(x) / (len(x) - 1))
    distances = [np.linalg.norm(rows[:, None] - rows[None], axis=2) for rows in (white[:50], components[:50])]
    assert np.allclose(*distances, rtol=1e-6)  # the same points, turned


def test_a_large_mean_costs_no_digits() -> None:
    time = 1.7e9 + torch.arange(1000, dtype=torch.float64).unsqueeze(1)  # seconds since 1970
    assert np.allclose(Scaler()(time), StandardScaler().fit_transform(time), atol=1e-6)


def test_a_feature_that_does_not_vary_is_centred_only() -> None:
    x = torch.cat([data(), torch.full((400, 1), 7.0).double()], dim=1)
    for whiten in (False, True):
        scaled = Scaler(whiten)(x)
        assert torch.equal(scaled[:, 3], torch.zeros(400).double())
        assert torch.allclose(scaled[:, :3].var(dim=0, correction=0), torch.ones(3).double())


def test_equal_features_are_whitened_to_one_direction() -> None:
    x = data()[:, :1].expand(-1, 2)
    values = torch.linalg.eigvalsh(torch.cov(Scaler(whiten=True)(x).T, correction=0))
    assert torch.allclose(values, torch.tensor([0.0, 1.0]).double(), atol=1e-6)


def test_channels_of_images() -> None:
    generator = torch.Generator().manual_seed(0)
    x = 100 + 30 * torch.rand(8, 3, 5, 5, generator=generator).double()
    scaled = Scaler(channel=1)(x)
    assert scaled.shape == x.shape
    assert torch.allclose(scaled.mean(dim=(0, 2, 3)), torch.zeros(3).double(), atol=1e-9)
    assert torch.allclose(scaled.var(dim=(0, 2, 3), correction=0), torch.ones(3).double())


def test_evaluation_uses_what_training_left() -> None:
    x, scaler = data(), Scaler()
    with torch.no_grad():
        assert torch.equal(scaler(x), x)  # nothing is known yet
    scaler(x)
    other = 2 * x + 1
    with torch.no_grad():
        scaled = scaler(other)
    assert torch.allclose(scaled, (other - x.mean(dim=0)) / x.std(dim=0, correction=0))
    assert scaler.count == len(x)


def test_rows_that_are_not_finite_are_passed_on_and_not_learned() -> None:
    x = data()
    spoilt = x.clone()
    spoilt[3, 1] = torch.nan
    scaled = Scaler()(spoilt)
    whole = torch.cat([x[:3], x[4:]])
    assert torch.isnan(scaled[3, 1])
    assert torch.allclose(scaled[5], (x[5] - whole.mean(dim=0)) / whole.std(dim=0, correction=0))


def test_the_scale_stands_after_the_first_batches() -> None:
    scaler, x = Scaler(), data()
    for _ in range(BATCHES):
        scaler(x)
    assert torch.equal(scaler(100 * x[:10]), (100 * x[:10] - scaler.mean) * scaler._matrix)  # type: ignore[operator]
    assert scaler.count == BATCHES * len(x)

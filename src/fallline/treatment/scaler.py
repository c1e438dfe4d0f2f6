"""Inputs brought to mean 0 and variance 1 on their way into a layer."""

from __future__ import annotations

import torch
from torch import Tensor

BATCHES = 50  # training batches whose statistics are taken together; later ones change them no more
FLAT = 1e-7  # of the largest variance: a direction below this holds nothing but rounding


class Scaler:
    """Standardises features by the mean and variance of the training batches seen so far, or decorrelates them.

    ``whiten``: multiply by the inverse square root of the covariance (ZCA), so that no direction is larger than
    another. ``channel``: the dimension that counts features. Evaluation uses what training left.
    """

    def __init__(self, whiten: bool = False, channel: int = -1) -> None:
        self.whiten, self.channel = whiten, channel
        self.count, self.batches = 0, 0
        self.mean = self.second = torch.zeros(0)
        self._matrix: Tensor | None = None

    def __call__(self, data: Tensor) -> Tensor:
        """The data scaled; the same shape."""
        if torch.is_grad_enabled() and self.batches < BATCHES:
            self._learn(data.detach())
        if self._matrix is None:
            return data
        mean, matrix = self.mean.to(data), self._matrix.to(data)
        rows = data.movedim(self.channel, -1) - mean
        rows = rows @ matrix if self.whiten else rows * matrix
        return rows.movedim(-1, self.channel)

    def _learn(self, data: Tensor) -> None:
        rows = data.movedim(self.channel, -1).reshape(-1, data.shape[self.channel]).double()
        rows = rows[torch.isfinite(rows).all(dim=1)]
        if len(rows) < 2:
            return
        products = rows.T @ rows if self.whiten else rows.square().sum(dim=0)
        self.mean = (self.mean * self.count + rows.sum(dim=0)) / (self.count + len(rows)) if self.count else (
            rows.mean(dim=0))  # fmt: skip
        self.second = self.second + products if self.count else products
        self.count, self.batches = self.count + len(rows), self.batches + 1
        self._matrix = self._inverse_root()

    def _inverse_root(self) -> Tensor:
        if not self.whiten:
            variance = self.second / self.count - self.mean.square()
            least = FLAT * self.second.max() / self.count
            return torch.where(variance > least, variance, torch.ones_like(variance)).rsqrt()
        covariance = self.second / self.count - torch.outer(self.mean, self.mean)
        values, vectors = torch.linalg.eigh(covariance)
        held = values > FLAT * values.max()
        roots = torch.where(held, values.clamp(min=1e-300).rsqrt(), torch.zeros_like(values))
        root: Tensor = (vectors * roots) @ vectors.T
        return root

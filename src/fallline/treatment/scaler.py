"""Inputs brought to mean 0 and variance 1 on their way into a layer."""

from __future__ import annotations

import torch
from torch import Tensor

BATCHES = 50  # training batches whose statistics are taken together; later ones change them no more
FLAT = 1e-7  # of a feature's size: a standard deviation below this is rounding
TINY = 1e-10  # of the largest eigenvalue of the correlations: a direction below this is none


class Scaler:
    """Standardises features by the mean and variance of the training batches seen so far, or decorrelates them.

    ``whiten``: multiply the standardised features by the inverse square root of their correlations (ZCA), so that no
    direction is larger than another. ``channel``: the dimension that counts features. Evaluation uses what training
    left.
    """

    def __init__(self, whiten: bool = False, channel: int = -1) -> None:
        self.whiten, self.channel = whiten, channel
        self.count, self.batches = 0, 0
        self.mean = self.products = torch.zeros(0)
        self._matrix: Tensor | None = None

    def __call__(self, data: Tensor) -> Tensor:
        """The data scaled; the same shape."""
        if torch.is_grad_enabled() and self.batches < BATCHES:
            self._learn(data.detach())
        if self._matrix is None:
            return data
        rows = (data.movedim(self.channel, -1).double() - self.mean.to(data.device)).to(
            data
        )  # in double: it may be large
        matrix = self._matrix.to(data)
        rows = rows @ matrix if self.whiten else rows * matrix
        return rows.movedim(-1, self.channel)

    def _learn(self, data: Tensor) -> None:
        """Add a batch: sums of products about the mean, so that a large mean costs no digits (Chan et al. 1983)."""
        rows = data.movedim(self.channel, -1).reshape(-1, data.shape[self.channel]).double()
        rows = rows[torch.isfinite(rows).all(dim=1)]
        if len(rows) < 2:
            return
        mean = rows.mean(dim=0)
        rest = rows - mean
        products = rest.T @ rest if self.whiten else rest.square().sum(dim=0)
        if self.count:
            apart = mean - self.mean
            weight = self.count * len(rows) / (self.count + len(rows))
            products = (
                self.products + products + weight * (torch.outer(apart, apart) if self.whiten else apart.square())
            )
            mean = self.mean + apart * len(rows) / (self.count + len(rows))
        self.mean, self.products = mean, products
        self.count, self.batches = self.count + len(rows), self.batches + 1
        self._matrix = self._inverse_root()

    def _inverse_root(self) -> Tensor:
        variance = (self.products.diagonal() if self.whiten else self.products) / self.count
        varies = variance > FLAT**2 * (variance + self.mean.square())
        scale = torch.where(varies, variance, torch.ones_like(variance)).rsqrt()
        if not self.whiten:
            return scale
        correlation = torch.outer(scale, scale) * self.products / self.count
        values, vectors = torch.linalg.eigh(correlation)
        held = values > TINY * values.max()
        roots = torch.where(held, values.clamp(min=1e-300).rsqrt(), torch.zeros_like(values))
        root: Tensor = scale.unsqueeze(1) * ((vectors * roots) @ vectors.T)
        return root

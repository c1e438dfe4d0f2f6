"""Numbers read off tensors. Every function returns tensors on their own device: nothing here waits for a GPU."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fallline.record.operations import FLAT

TWIN_TOLERANCE = 1e-7  # of the largest row; two rows that differ for real are rarely this close in both
SKETCH = 4096  # at most this many entries of a parameter are compared with their start
PARCEL = 2**16  # entries that are worked on at a time on a CPU, in memory it has at hand: new pages cost more than sums
OPPOSITE = 1e-4  # one minus the cosine of the angle that gradients may be away from pointing against one another
EXACT = 2**20  # predictions and targets up to this size are described in double precision


def real(tensor: Tensor) -> Tensor:
    """The entries as real numbers in at least single precision; a complex number counts as two."""
    tensor = _parts(tensor)
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def _parts(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def norm(tensor: Tensor) -> Tensor:
    """Euclidean norm of all entries; shape ().

    Right also for numbers whose squares single precision cannot hold, below 1e-22 or above 1e19, as gradients that
    vanish or explode are: these are summed in double precision.
    """
    tensor = tensor.coalesce().values() if tensor.is_sparse else tensor
    parts = _parts(tensor)
    double = parts.is_cuda or parts.dtype == torch.float64
    length: Tensor = torch.linalg.vector_norm(parts, dtype=torch.float64 if double else torch.float32)
    if not double and parts.is_cpu and not _held(length):
        length = torch.linalg.vector_norm(parts, dtype=torch.float64)  # seven times as slow on a CPU
    return length


def finite(tensor: Tensor) -> bool:
    """Whether no entry is NaN or Inf."""
    return bool(torch.isfinite(tensor.coalesce().values() if tensor.is_sparse else tensor).all())


def norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Euclidean norm of each tensor, fused where they allow it; each of shape ()."""
    dense = [t for t in tensors if not t.is_sparse and t.dtype in (torch.float32, torch.float64)]
    if len(dense) == len(tensors) and dense:
        double = torch.float64 if all(t.is_cuda for t in dense) else None
        found = torch._foreach_norm([t.detach() for t in dense], dtype=double)
        return [n if _held(n) or not t.is_cpu else norm(t) for n, t in zip(found, dense, strict=True)]
    return [norm(t) for t in tensors]


def _held(length: Tensor) -> bool:
    """Whether a norm was within the range of its type; asked on a CPU only, where it waits for nothing."""
    return length.is_cpu and 0 < float(length) < math.inf


def spread(data: Tensor) -> tuple[Tensor, Tensor]:
    """RMS of all entries, and the standard deviation between samples (dimension 0), averaged in square; shapes ()."""
    data = real(data)
    root = max(data.numel(), 1) ** 0.5
    rms = torch.linalg.vector_norm(data) / root
    if data.shape[0] < 2:
        return rms, torch.full_like(rms, math.nan)
    return rms, torch.linalg.vector_norm(centred(data)) / root


def centred(data: Tensor) -> Tensor:
    """What is left of each sample without the mean of the samples; ``Tensor.var`` takes twenty times as long.

    Equal samples leave exactly 0: the first of them is subtracted before the mean.
    """
    shifted = data - data[:1]
    return shifted.sub_(shifted.mean(dim=0))


class Slope:
    """What the gradient before and after an activation tells about it.

    With ``y = φ(x)`` elementwise, ∂L/∂x = φ'(x)·∂L/∂y, so the ratio of the two gradients is the local derivative,
    whatever the activation is called and whether it is a module, a function or in place.
    """

    __slots__ = ("after", "alive", "before", "flat", "informative")

    def __init__(self, before: Tensor, after: Tensor, channel: int, steepest: float | None) -> None:
        """``before`` = ∂L/∂x, ``after`` = ∂L/∂y, of one shape; ``channel``: the dimension that counts units."""
        self.before, self.after = norm(before), norm(after)
        others = [d for d in range(before.ndim) if d != channel % before.ndim]
        alive: list[Tensor] = []
        informative: list[Tensor] = []
        low: list[Tensor] = []
        known: list[Tensor] = []
        for some_before, some_after in zip(_parcels(before.detach()), _parcels(after.detach()), strict=True):
            passed, received = _sizes(some_before), _sizes(some_after)
            alive.append((passed.amax(dim=others) if others else passed) != 0)
            informative.append((received.amax(dim=others) if others else received) != 0)
            if steepest is not None:  # in place the answers are 0.0 and 1.0, far faster than a tensor of bools
                low.append(passed.lt_(received * (FLAT * steepest)).sum())
                known.append(received.ne_(0).sum())
        one = len(alive) == 1
        self.alive = alive[0] if one else torch.stack(alive).any(dim=0)
        self.informative = informative[0] if one else torch.stack(informative).any(dim=0)
        self.flat = torch.stack(low).sum() / torch.stack(known).sum().clamp(min=1) if known else None


def _parcels(tensor: Tensor) -> Sequence[Tensor]:
    """The tensor as views of some samples (dimension 0) each."""
    if tensor.ndim < 2 or tensor.numel() <= PARCEL or not tensor.is_cpu:
        return (tensor,)
    return torch.split(tensor, max(1, PARCEL * tensor.shape[0] // tensor.numel()))


def _sizes(tensor: Tensor) -> Tensor:
    """A new tensor of the absolute values, in at least single precision."""
    sizes = tensor.abs()
    return sizes if sizes.dtype in (torch.float32, torch.float64) else sizes.float()


def opposite(a: Tensor, b: Tensor) -> Tensor:
    """Whether one points against the other, ``b = −c a`` with c > 0; shape ()."""
    a, b = real(a).flatten().double(), real(b).flatten().double()
    lengths: Tensor = torch.linalg.vector_norm(a) * torch.linalg.vector_norm(b)
    return (torch.dot(a, b) < (OPPOSITE - 1) * lengths) & (lengths > 0)


def sketch(parameter: Tensor) -> Tensor:
    """At most ``SKETCH`` evenly spaced entries, as a view; shape (k,)."""
    flat = parameter.detach().reshape(-1)
    return flat if flat.numel() <= SKETCH else flat[:: math.ceil(flat.numel() / SKETCH)]


def twins(weight: Tensor, gradient: Tensor, unit_axis: int, tolerance: float = TWIN_TOLERANCE) -> Tensor:
    """Share of units whose weights and whose gradients both equal those of another unit; shape ().

    Rows are compared through their product with one fixed vector: equal rows give equal products.
    """
    key = _unit_keys(weight, unit_axis)
    order = key.argsort()
    same = key[order].diff().abs() < tolerance
    if not same.is_cpu or bool(same.any()):  # hardly ever, so the gradient is hardly ever looked at
        same &= _unit_keys(gradient, unit_axis)[order].diff().abs() < tolerance
    end = same.new_zeros(1)
    return (torch.cat([end, same]) | torch.cat([same, end])).double().mean()


def _unit_keys(tensor: Tensor, unit_axis: int) -> Tensor:
    """The product of each unit's numbers with the vector, over the largest sum of a unit's absolute values."""
    units = real(tensor).movedim(unit_axis, 0)
    vector = torch.sin(torch.arange(1.0, units[0].numel() + 1, dtype=torch.float64, device=units.device))
    rows = [some.reshape(len(some), -1).double() for some in _parcels(units)]
    scale = torch.stack([some.abs().sum(dim=1).max() for some in rows]).max().clamp(min=1e-300)
    return torch.cat([some @ vector for some in rows]) / scale


def to_floats(tensors: Sequence[Tensor]) -> list[float]:
    """All values at once: one wait for the device, however many tensors."""
    kinds: dict[tuple[torch.dtype, torch.device], list[int]] = {}
    for place, tensor in enumerate(tensors):
        kinds.setdefault((tensor.dtype, tensor.device), []).append(place)
    values = [0.0] * len(tensors)
    for places in kinds.values():
        for place, value in zip(places, torch.stack([tensors[i] for i in places]).tolist(), strict=True):
            values[place] = float(value)
    return values

"""Examples in batches: tensors in memory, or a stream that somebody else's DataLoader gives."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from fallline.objective.mistake import InputError

GATHERED = 2**26  # bytes of inputs that are brought into the epoch's order at once; larger sets batch by batch
HASHED = 2**26  # bytes at most that tell one set of examples from another
MANY = 4096  # examples that are predicted at once

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Examples:
    """Inputs and targets of one length, in memory."""

    x: Tensor  # (n, …)
    y: Tensor  # (n,) or (n, outputs)

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, size: int, order: Tensor | None, start: int = 0) -> Iterator[Batch]:
        """Batches of ``size``, the last may be smaller; from batch ``start`` on.

        Args:
            order: the examples' order, shape (n,); as they lie unless given.
        """
        x, y = self.x, self.y
        gather = order is not None and x.numel() * x.element_size() > GATHERED
        if order is not None and not gather:
            x, y = x.index_select(0, order), y.index_select(0, order)
        for begin in range(start * size, len(x), size):
            if gather and order is not None:
                some = order[begin : begin + size]
                yield x.index_select(0, some), y.index_select(0, some)
            else:
                yield x[begin : begin + size], y[begin : begin + size]

    def fingerprint(self) -> str:
        """Tells these examples from others."""
        digest = hashlib.sha256(repr((tuple(self.x.shape), tuple(self.y.shape))).encode())
        for tensor in (self.x, self.y):
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            step = max(1, flat.numel() * flat.element_size() // HASHED)
            digest.update(flat[::step].contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Stream:
    """Examples that a DataLoader gives, in its own batches and order."""

    loader: DataLoader[Any]

    def __len__(self) -> int:
        """Batches of one epoch."""
        try:
            return len(self.loader)
        except TypeError:
            return 0  # an iterable set does not know

    def batches(self, skipped: int = 0, then: Callable[[], None] = lambda: None) -> Iterator[Batch]:
        """The batches of one epoch.

        Args:
            skipped: so many of them are read and dropped first, as they use up random numbers.
            then: called after that.
        """
        batches = iter(self.loader)
        for _ in range(skipped):
            next(batches, None)
        then()
        return map(pair, batches)

    def fingerprint(self) -> str:
        """Streams are not told from one another."""
        return ""


Source = Examples | Stream


def pair(batch: Any) -> Batch:
    """Inputs and targets of a loader's batch.

    Raises:
        InputError: it is no pair of tensors.
    """
    if isinstance(batch, Sequence) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch):
        return batch[0], batch[1]
    what = [type(part).__name__ for part in batch] if isinstance(batch, (list, tuple)) else type(batch).__name__
    raise InputError(f"a batch must be a pair (inputs, targets) of tensors, this one is {what}")


def parts(source: Source) -> Iterator[Batch]:
    """All examples once, in large batches, in the order they lie."""
    return source.batches(MANY, None) if isinstance(source, Examples) else source.batches()


def shuffled(count: int, seed: int, epoch: int) -> Tensor:
    """The order of an epoch: it depends on the seed and on the epoch's number alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(count, generator=generator)

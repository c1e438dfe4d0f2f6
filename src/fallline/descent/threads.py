"""How many threads a training takes: small networks are far faster on one than on two."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fallline.objective.loss import Loss

SMALL = 20e6  # multiplications of one update below which one thread is faster in any case
TRIES = 4  # timed updates, of which the fastest counts
GAIN = 0.85  # of the time with one thread that more must get below


@contextmanager
def using(count: int) -> Iterator[None]:
    """PyTorch works with this many threads within the ``with`` statement."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose(model: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> int:
    """The number of threads with which this network is trained fastest.

    A network so small that it is known needs no measurement; another is copied, and the copy timed for a moment.
    """
    most = min(torch.get_num_threads(), os.cpu_count() or 1)
    work = 3.0 * sum(p.numel() for p in model.parameters()) * len(x)
    if most < 2 or (work < SMALL and all(p.ndim <= 2 for p in model.parameters())):
        return 1
    with torch.random.fork_rng(devices=[]):
        twin = copy.deepcopy(model)
        times = {count: _seconds(twin, x, y, loss, count) for count in (1, most)}
    return most if times[most] < GAIN * times[1] else 1


def _seconds(model: nn.Module, x: Tensor, y: Tensor, loss: Loss, count: int) -> float:
    with using(count):
        times = []
        for _ in range(TRIES):
            start = time.perf_counter()
            torch.autograd.backward(loss(model(x), y))
            times.append(time.perf_counter() - start)
    return min(times)

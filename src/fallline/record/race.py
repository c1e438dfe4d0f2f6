"""A training that is one of several, and ends early where it falls behind them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

LEAST = 5  # losses of which the median is taken


def tail(updates: int) -> int:
    """How many of the last losses say where a training stands after so many updates: a tenth of them."""
    return max(LEAST, updates // 10)


class Race:
    """Holds the recent losses against bars.

    Args:
        bars: at this many updates the median of the recent losses must not be above this loss; in rising order.
    """

    def __init__(self, bars: Sequence[tuple[int, float]] = ()) -> None:
        self._bars = deque(bars)
        self._recent: deque[Any] = deque(maxlen=max((tail(updates) for updates, _ in bars), default=0))

    def __bool__(self) -> bool:
        return bool(self._bars)

    def note(self, loss: Any) -> None:
        """Take the loss of the next update, a number or a tensor of one."""
        self._recent.append(loss)

    def lost(self, updates: int) -> bool:
        """Whether the training is behind, after so many updates."""
        behind = False
        while self._bars and updates >= self._bars[0][0]:
            at, bar = self._bars.popleft()
            losses = np.array([float(loss) for loss in list(self._recent)[-tail(at) :]])
            behind = behind or not np.median(losses) <= bar
        return behind

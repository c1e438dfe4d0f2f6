"""The level of the loss as it goes, from one update to the next: whether a loss is a spike, whether descent stalls."""

from __future__ import annotations

import math
import sys

WARM = 16  # losses before anything is said
RATE = 0.05  # weight of the newest loss in the level
SPIKE = math.log(10.0)  # of a loss over the level; batches of a healthy training rarely differ by as much
STALL = math.log(0.8)  # the level must fall to this while the number of updates doubles, else descent stalls
SLOW = math.log(0.2)  # the same for descent that is slow
REST = 0.01  # of the whole fall so far, that a loss below zero must gain in the same time
LARGEST = math.log(sys.float_info.max)  # so that no limit overflows
CLIP = math.log(2.0)  # of what one loss may add: a spike hardly moves the level


class Pace:
    """A running mean of the logarithm of the loss, and of the loss itself for those that are not positive.

    Losses that are not positive numbers take no part in the first, and are no spikes.
    """

    def __init__(self) -> None:
        self.count = 0  # losses taken
        self._level = 0.0
        self._mark = WARM // 2  # the number of losses at the last doubling
        self._marked = self._before = math.inf  # the levels at the last doubling and at the one before
        self._signed = _Mean()

    def add(self, loss: float) -> bool:
        """Take the next loss; whether it is a spike."""
        if math.isfinite(loss):
            self._signed.add(loss)
        if not 0 < loss < math.inf:
            return False
        spike, above = loss > self.limit, math.log(loss) - self._level
        if self.count == 0:
            self._level = above
        else:
            self._level += max(RATE, 1 / (self.count + 1)) * min(above, CLIP)
        self.count += 1
        if self.count == 2 * self._mark:
            self._mark, self._before, self._marked = self.count, self._marked, self._level
        return spike

    @property
    def level(self) -> float:
        """The usual loss at present."""
        return math.exp(self._level)

    @property
    def limit(self) -> float:
        """A loss above this is a spike."""
        return math.exp(min(self._level + SPIKE, LARGEST)) if self.count >= WARM else math.inf

    def stalled(self, slow: bool = False) -> bool:
        """Whether the loss has hardly fallen since the number of updates was a quarter to a half of what it is.

        ``slow``: or has, but not as fast as by a constant factor an update, or hardly beside its whole fall.
        """
        resting = self._signed.stalled(10 * REST if slow else REST)
        if self._signed.lowest <= 0 or (slow and resting):
            return resting
        return self.count >= 2 * WARM and self._level > self._before + (SLOW if slow else STALL)


class _Mean:
    """A running mean of losses of either sign: without a floor, what they gain is held against the whole fall."""

    def __init__(self) -> None:
        self.count, self.lowest = 0, math.inf
        self._level = self._first = 0.0
        self._mark, self._marked, self._before = WARM // 2, math.inf, math.inf

    def add(self, loss: float) -> None:
        self._first = self._first if self.count else loss
        self._level += max(RATE, 1 / (self.count + 1)) * (loss - self._level)
        self.count, self.lowest = self.count + 1, min(self.lowest, loss)
        if self.count == 2 * self._mark:
            self._mark, self._before, self._marked = self.count, self._marked, self._level

    def stalled(self, rest: float) -> bool:
        return self.count >= 2 * WARM and self._level > self._before - rest * max(0.0, self._first - self._level)

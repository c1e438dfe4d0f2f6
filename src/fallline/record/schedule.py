"""When updates are measured densely: all of the first ones, and then as many as the time budget allows."""

from __future__ import annotations

import math

ALLOWANCE = 0.10  # seconds that watching may take on top of its share, so that a short training is seen too
FIRST = 5  # updates measured densely at the start, and when a new optimizer appears
SPACING = 0.05  # dense measurements keep at least this distance, as a share of the updates so far
RECENT = 20  # updates within which an optimizer counts as active


class Schedule:
    """Decides from one update to the next; dense measurements come in cycles, one update of every active optimizer.

    ``budget``: share of the training's time that watching may take.
    """

    def __init__(self, budget: float) -> None:
        self.budget = budget
        self.last: dict[int, int] = {}  # optimizer → its last step
        self._forced = FIRST
        self._start = 0  # first step of the cycle
        self._next = 0  # the next cycle starts at this step, not before
        self._spent = 0.0  # seconds that watching had taken when the cycle began
        self._cost = 0.0  # seconds that a cycle takes

    def force(self) -> None:
        """Measure the next updates whatever they cost."""
        self._forced = max(self._forced, FIRST)

    def dense(self, measured: bool, optimizer: int, step: int, spent: float, elapsed: float) -> bool:
        """Whether the update after ``step`` is measured densely.

        Args:
            measured: whether the one at ``step`` was.
            optimizer: the one that made it.
            step: number of the update that just ended.
            spent: seconds that watching has taken so far.
            elapsed: seconds that the training has taken so far.
        """
        self.last[optimizer] = step
        if measured:
            active = [last for last in self.last.values() if last > step - RECENT]
            if min(active) < self._start and step - self._start < RECENT:
                return True  # the cycle goes on with the next optimizer
            self._cost = spent - self._spent
            self._forced = max(0, self._forced - 1)
            self._next = self._start + max(1, int(step * SPACING))
        if self._forced or (step + 1 >= self._next and self._affordable(step, spent, elapsed)):
            self._start, self._spent = step + 1, spent
            return True
        return False

    def coming(self, step: int) -> float:
        """The first update after ``step`` that may be measured densely, unless that hangs on the time."""
        return min((at for at in (self._next, self._doubled) if at > step), default=math.inf)

    @property
    def _doubled(self) -> int:
        return 2 * max(self._start, FIRST)

    def _affordable(self, step: int, spent: float, elapsed: float) -> bool:
        """Whether the budget allows one more cycle; at every doubling of the updates it always does."""
        if step + 1 >= self._doubled:
            return True
        return spent + self._cost <= ALLOWANCE + self.budget * elapsed

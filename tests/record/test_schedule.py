"""When updates are measured densely, on made-up times."""

from __future__ import annotations

import numpy as np
import pytest

from fallline.record.schedule import ALLOWANCE, FIRST, SPACING, Schedule


def plan(
    budget: float, updates: int, each: float = 1.0, cheap: float = 0.001, dense: float = 0.1, optimizers: int = 1
) -> tuple[list[int], float, float]:
    """Steps measured densely, seconds that watching took, and all seconds: an update takes ``each`` without it."""
    schedule, measured, spent, elapsed = Schedule(budget), True, 0.0, 0.0
    steps = []
    for step in range(updates):
        cost = dense if measured else cheap
        spent, elapsed = spent + cost, elapsed + each + cost
        if measured:
            steps.append(step)
        measured = schedule.dense(measured, step % optimizers, step, spent, elapsed)
    return steps, spent, elapsed


@pytest.mark.parametrize("budget", [0.003, 0.01, 0.03, 0.1])
def test_the_budget_is_kept(budget: float) -> None:
    steps, spent, elapsed = plan(budget, 10_000)
    unavoidable = 0.001 * 10_000 + FIRST * 0.1
    doublings = 0.1 * np.log2(10_000)
    assert spent <= ALLOWANCE + budget * elapsed + unavoidable + doublings
    assert steps[:FIRST] == list(range(FIRST))


def test_with_time_to_spare_they_spread_out_evenly_in_the_logarithm() -> None:
    steps, _, _ = plan(1e9, 10_000)
    gaps = np.diff(steps)
    assert (gaps[: int(1 / SPACING)] == 1).all()
    assert (gaps <= np.maximum(1, SPACING * np.array(steps[1:]))).all()
    assert len(steps) < 200


def test_without_any_budget_there_is_one_at_every_doubling() -> None:
    steps, _, _ = plan(1e-9, 10_000)
    assert 10 <= len(steps) <= FIRST + 16
    late = np.array([step for step in steps if step > 2 * FIRST])
    assert (late[1:] / late[:-1] < 2.2).all()


def test_a_short_training_is_seen_whole() -> None:
    steps, _, _ = plan(0.03, 10, each=0.001, cheap=1e-5, dense=0.005)
    assert steps == list(range(10))


def test_optimizers_in_turns_are_measured_together() -> None:
    steps, _, _ = plan(1e9, 3_000, optimizers=2)
    parities = [step % 2 for step in steps]
    assert abs(parities.count(0) - parities.count(1)) <= 2
    late = [step for step in steps if step > 1000]
    assert all(b - a == 1 for a, b in zip(late[::2], late[1::2], strict=False))


def test_an_optimizer_that_has_stopped_is_not_waited_for() -> None:
    schedule, measured = Schedule(1e9), True
    for step in range(20):
        measured = schedule.dense(measured, step % 2, step, 0.0, float(step))
    counts = []
    for step in range(20, 2000):
        measured = schedule.dense(measured, 0, step, 0.0, float(step))
        counts.append(measured)
    assert 0 < sum(counts[100:]) < 200


def test_what_is_forced_is_measured() -> None:
    schedule = Schedule(1e-9)
    measured = True
    for step in range(100):
        measured = schedule.dense(measured, 0, step, 100.0, float(step))
    schedule.force()
    forced = []
    for step in range(100, 110):
        measured = schedule.dense(measured, 0, step, 100.0, float(step))
        forced.append(measured)
    assert sum(forced) >= FIRST

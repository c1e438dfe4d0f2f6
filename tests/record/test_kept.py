"""Where a gradient went bad long after the first steps, when gradients are read only once the loss tells."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from fallline.record.recorder import CAREFUL, Recorder
from fallline.record.run import Event, Run, read
from fallline.record.store import Store

LATE = CAREFUL + 30


def train(folder: Path, updates: int, in_place: bool, dense: bool = False) -> Run:
    """Descend on a function whose slope is 0/0 at update ``LATE`` in ``a`` alone, where its value is finite."""
    a, b = (torch.ones(2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.SGD([a, b], lr=1e-3)
    folder.mkdir(exist_ok=True)
    store = Store(folder)
    recorder = Recorder(store, budget=100.0 if dense else 1e-9).start()
    for update in range(updates):
        optimizer.zero_grad(set_to_none=not in_place)
        loss = b.square().sum() + (a * (0.0 if update == LATE else 1.0)).square().sum().sqrt()
        loss.backward()
        optimizer.step()
    recorder.stop()
    store.close()
    assert recorder.fault is None
    return read(folder)


def born(run: Run) -> Event:
    (event,) = run.events_of("non-finite")
    return event


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("more", [0, 5])
def test_a_bad_gradient_is_told_with_its_own_step(tmp_path: Path, in_place: bool, more: int) -> None:
    event = born(train(tmp_path, LATE + 1 + more, in_place))
    assert event.step == LATE
    assert event.detail["origin"] == "backward"
    assert event.detail["parameters"] == ["a"]
    assert event.detail["finite"] == ["b"]
    assert float(event.detail["loss"]) == pytest.approx(2.0, rel=0.5)


def test_both_ways_of_reading_say_the_same(tmp_path: Path) -> None:
    late, at_once = (born(train(tmp_path / str(i), LATE + 5, in_place=bool(i))) for i in range(2))
    assert late == at_once


def test_a_good_training_leaves_no_event(tmp_path: Path) -> None:
    assert not list(train(tmp_path, LATE, in_place=False).events_of("non-finite"))


def optimizer_of(parameter: Tensor) -> torch.optim.SGD:
    return torch.optim.SGD([parameter], lr=0.1)


def test_gradients_that_live_on_are_read_at_once() -> None:
    kept, parameter = Kept(), torch.ones(2)
    optimizer, gradient = optimizer_of(parameter), torch.ones(2)
    kept.keep(optimizer, gradient, 0)
    assert kept.suffices(optimizer)
    kept.keep(optimizer, gradient, 1)
    assert not kept.suffices(optimizer)
    kept.keep(optimizer, gradient, 2)
    assert not kept.suffices(optimizer)
    kept.keep(optimizer, torch.ones(2), 3)
    assert kept.suffices(optimizer)
    kept.keep(optimizer, None, 4)
    assert not kept.suffices(optimizer)


def test_large_gradients_are_not_kept_alive() -> None:
    kept = Kept()
    optimizer = optimizer_of(torch.ones(SMALL + 1))
    kept.keep(optimizer, torch.full((SMALL + 1,), torch.nan), 0)
    assert not kept.suffices(optimizer)
    assert kept.not_finite() is None


def test_a_gradient_overwritten_since_says_nothing() -> None:
    kept, gradient = Kept(), torch.full((2,), torch.nan)
    optimizer = optimizer_of(torch.ones(2))
    kept.keep(optimizer, gradient, 7)
    assert kept.not_finite() == (optimizer, 7)
    gradient.zero_()
    assert kept.not_finite() is None


def test_an_optimizer_that_is_gone_says_nothing() -> None:
    kept = Kept()
    optimizer = optimizer_of(torch.ones(2))
    kept.keep(optimizer, torch.full((2,), torch.nan), 0)
    del optimizer
    assert kept.not_finite() is None

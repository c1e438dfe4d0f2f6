"""A training that is given up where it falls behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from fallline.record.race import Race, tail
from fallline.record.recorder import StopTraining
from fallline.watch.session import Session


def behind(losses: list[float], bars: list[tuple[int, float]]) -> int | None:
    race = Race(bars)
    for updates, loss in enumerate(losses, 1):
        race.note(torch.tensor(loss))
        if race.lost(updates):
            return updates
    return None


def test_the_median_of_the_recent_losses_counts() -> None:
    falling = [1.0 - i / 100 for i in range(100)]
    assert behind(falling, [(40, 0.6), (80, 0.2)]) == 40
    assert behind(falling, [(40, 0.7), (80, 0.2)]) == 80
    assert behind(falling, [(40, 0.7), (80, 0.3)]) is None
    assert behind([*falling[:39], 100.0, *falling[40:]], [(40, 0.7), (80, 0.3)]) is None
    assert behind([float("nan")] * 50, [(40, 0.7)]) == 40
    assert not Race()
    assert (tail(20), tail(1000)) == (5, 100)


def test_a_training_that_is_behind_is_ended(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    session = Session("race", tmp_path, bars=[(20, 0.5)]).start([])

    def train() -> None:
        for _ in range(100):
            optimizer.zero_grad()
            (model(torch.ones(4, 2)) * 0 + 1).mean().backward()
            optimizer.step()

    with pytest.raises(StopTraining):
        train()
    session.stop(0)
    run = session.read()
    assert len(run.steps) == 20
    assert run.meta["lost"] is True

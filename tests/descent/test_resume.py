"""A training that was killed and gone on with ends with the very weights of one that was not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

import fallline
from fallline import training
from fallline.descent import checkpoint
from fallline.descent.fit import Trainer
from fallline.objective.mistake import InputError

KILLED = Path(__file__).with_name("killed.py")


def killed(folder: Path, kills: int) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(KILLED), str(folder), str(kills)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the trainings are forks")
@pytest.mark.slow
@pytest.mark.parametrize("kills", [20])
def test_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    said = killed(tmp_path, kills)
    assert f"dense: equal after {kills} kills" in said
    assert f"dropout: equal after {kills} kills" in said


class Noisy(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Draws noise for each example from the global random numbers, as an augmentation does."""

    def __len__(self) -> int:
        return 60

    def __getitem__(self, place: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.full((3,), place / 60) + 0.1 * torch.randn(3)
        return x, torch.tensor([place / 60])


class Interrupted(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("stop", [1, 7, 12, 20, 33])
@pytest.mark.parametrize("kind", ["arrays", "stream"])
def test_stopped_in_the_middle_of_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, stop: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 3, generator=generator)
    data = (x, x.sum(dim=1)) if kind == "arrays" else Noisy()

    def train(resume: Path | None = None) -> fallline.fitting.Fitted:
        torch.manual_seed(5)
        model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.ReLU(), nn.Linear(8, 1))
        return fallline.fit(
            model, data, epochs=5, batch_size=8, schedule="onecycle", optimizer="rmsprop", momentum=0.5, root=tmp_path,
            resume=resume, validation=0.1, threads=1, heal=False,
        )  # fmt: skip

    whole = train()
    advance = Trainer.advance

    def few(trainer: Trainer, seconds: float, updates: float) -> None:
        advance(trainer, 0.0)  # one update at a time
        if trainer.position.updates == stop and trainer.history == trainer.history[: stop // 7]:
            raise Interrupted

    monkeypatch.setattr(Trainer, "advance", few)
    with pytest.raises(Interrupted):
        train()
    monkeypatch.setattr(Trainer, "advance", advance)
    folder = tmp_path / f"fit-{'arrays' if kind == 'arrays' else 'dataset'}-2"
    assert checkpoint.load(folder / checkpoint.FILE)["position"]["updates"] == stop
    resumed = train(folder)
    for mine, theirs in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert resumed.record.steps["loss"].tolist() == whole.record.steps["loss"].tolist()
    assert resumed.record.steps["step"].tolist() == whole.record.steps["step"].tolist()
    assert resumed.record.layers == whole.record.layers
    assert [e.loss for e in resumed.history] == [e.loss for e in whole.history]


def test_other_data_are_refused(tmp_path: Path) -> None:
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    first = fallline.fit(None, (x, x[:, 0]), epochs=1, root=tmp_path)
    with pytest.raises(InputError, match="the data are not those"):
        fallline.fit(None, (x + 1, x[:, 1]), epochs=2, root=tmp_path, resume=first.folder)


def test_a_finished_training_can_be_made_longer(tmp_path: Path) -> None:
    arguments = {"patience": None, "root": tmp_path, "threads": 1}
    short = fallline.fit(None, "iris", epochs=2, **arguments)
    whole = fallline.fit(None, "iris", epochs=4, **arguments)
    longer = fallline.fit(None, "iris", epochs=4, resume=short.folder, **arguments)
    assert len(longer.history) == 4
    for mine, theirs in zip(longer.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_run_that_is_none_of_fit_cannot_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no training that can be gone on with"):
        training.requested(tmp_path)

"""``fix`` from end to end, on programs written to a folder of the test's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import torch

HEAD = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(200, 3)
y = (x @ torch.tensor([1.0, -2.0, 0.5])).unsqueeze(1)
model = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr={lr})
for step in range({steps}):
    {zero}
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
print("loss", loss.item())
"""


def fix(folder: Path, program: str, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, object]]:
    script = folder / "train.py"
    script.write_text(program)
    command = [sys.executable, "-m", "fallline", "fix", "--json", "fix.json", *options, "train.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done, json.loads((folder / "fix.json").read_text())


def test_a_forgotten_zero_grad_is_found_and_cured(tmp_path: Path) -> None:
    program = HEAD.format(lr=0.05, steps=150, zero="pass")
    done, report = fix(tmp_path, program, "--apply", "--diff", "fix.patch")
    assert done.returncode == 0, done.stderr
    assert report["chosen"] == [{"name": "zero-grad", "args": {}}]
    assert "optimizer.zero_grad()" in str(report["change"])
    trials = report["trials"]
    assert isinstance(trials, list)
    first = trials[0]
    assert first["better"]
    assert "stale-gradient" in first["cleared"]
    assert first["loss"]["after"] < 0.2 * first["loss"]["before"]
    assert done.stdout.startswith("loss ")  # the program's own output under the remedy, and nothing else
    assert float(done.stdout.split()[1]) < 0.1
    assert {"seed": 1}.items() <= trials[-1].items()  # confirmed with another seed
    assert (tmp_path / "train.py").read_text() == program
    assert report["diff_verified"], report["diff_note"]
    assert (tmp_path / "fix.patch").read_text() == report["diff"]
    assert "+    optimizer.zero_grad()\n     loss.backward()\n" in str(report["diff"])
    assert "+    optimizer.zero_grad()" in done.stderr.splitlines()


BY_HAND = """
import torch
torch.manual_seed(0)
x = torch.randn(200, 3)
y = (x @ torch.tensor([1.0, -2.0, 0.5])).unsqueeze(1)
w = torch.randn(3, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for step in range(150):
    b.grad = None
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= 0.05 * p.grad
print("loss", loss.item())
"""


def test_gradients_of_an_update_by_hand_are_cleared(tmp_path: Path) -> None:
    done, report = fix(tmp_path, BY_HAND, "--apply")
    assert done.returncode == 0, done.stderr
    assert report["chosen"] == [{"name": "zero-grad", "args": {}}]
    assert "p.grad = None" in str(report["change"])
    assert report["diff_verified"], report["diff_note"]
    assert "+    for parameter in [w, b]:\n+        parameter.grad = None\n     loss.backward()\n" in str(
        report["diff"]
    )
    assert float(done.stdout.split()[1]) < 1e-3


ONCE = "\nimport os\nprint('run', os.urandom(4).hex())\n"


def shown(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """What the chosen trial's last line was, and that of the program's run under the remedy."""
    said = "and with the change it is"
    in_trial = next(line for line in done.stderr.splitlines() if said in line).partition(said)[2]
    return in_trial.strip(), done.stdout.strip().splitlines()[-1]


def test_a_trial_that_left_nothing_behind_is_not_run_again(tmp_path: Path) -> None:
    done, _ = fix(tmp_path, HEAD.format(lr=0.05, steps=150, zero="pass") + ONCE, "--apply")
    assert done.returncode == 0, done.stderr
    in_trial, at_last = shown(done)
    assert at_last == in_trial
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["train-1", "train-2"]


@pytest.mark.parametrize(
    "save", ["torch.save(loss.item(), 'loss.pt')", "open('loss.txt', 'w').write(str(loss.item()))"]
)
def test_a_program_that_writes_files_has_the_last_word(tmp_path: Path, save: str) -> None:
    done, _ = fix(tmp_path, HEAD.format(lr=0.05, steps=150, zero="pass") + save + ONCE, "--apply")
    assert done.returncode == 0, done.stderr
    in_trial, at_last = shown(done)
    assert at_last != in_trial
    text, weights = tmp_path / "loss.txt", tmp_path / "loss.pt"
    saved = float(text.read_text()) if text.exists() else torch.load(weights, weights_only=True)
    assert saved == float(done.stdout.split()[1])
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["train-1", "train-2"]


def test_a_program_that_goes_on_from_its_checkpoint_is_told_so_at_once(tmp_path: Path) -> None:
    program = HEAD.format(lr=0.05, steps="steps", zero="pass").replace('print("loss", loss.item())\n', "")
    begun = "import os\nsteps = 0 if os.path.exists('last.pt') else 150\n"
    done, report = fix(tmp_path, begun + program + "torch.save(model.state_dict(), 'last.pt')\n")
    assert done.returncode == 4, done.stderr
    assert len(report["trials"]) <= 2  # type: ignore[arg-type]
    assert "The trials made no update" in done.stderr
    assert "such as a checkpoint" in done.stderr


def test_a_healthy_program_is_left_alone(tmp_path: Path) -> None:
    done, report = fix(tmp_path, HEAD.format(lr=0.05, steps=150, zero="optimizer.zero_grad()"))
    assert done.returncode == 4
    assert report["chosen"] is None
    assert report["trials"] == []
    assert report["diff"] is None
    assert not report["diff_verified"]
    assert "left alone" in done.stderr


def test_of_two_trainings_the_one_that_fails_is_treated(tmp_path: Path) -> None:
    first = HEAD.format(lr=0.05, steps=150, zero="optimizer.zero_grad()")
    second = """
        other = torch.optim.SGD(model.parameters(), lr=3.0)
        for step in range(100):
            other.zero_grad()
            again = nn.functional.mse_loss(model(x), 2 * y)
            again.backward()
            other.step()
        print("again", again.item())
    """
    done, report = fix(tmp_path, first + dedent(second), "--apply")
    assert done.returncode == 0, done.stderr
    assert report["chosen"] == [{"name": "learning-rate", "args": {"factor": 0.01, "lr": 0.03, "only": 1}}]
    assert "instead of lr=3 in training 2 of 2" in str(report["change"])
    alone = subprocess.run([sys.executable, "-c", first], capture_output=True, text=True, check=True)
    at_first, at_last = done.stdout.splitlines()
    assert at_first == alone.stdout.strip()
    assert float(at_last.split()[1]) < 0.3


@pytest.mark.slow
def test_a_learning_rate_over_the_limit_is_set_below_it(tmp_path: Path) -> None:
    program = HEAD.format(lr=50.0, steps=150, zero="optimizer.zero_grad()").replace("nn.Tanh()", "nn.Identity()")
    done, report = fix(tmp_path, program)
    assert done.returncode == 0, done.stderr
    chosen = report["chosen"]
    assert isinstance(chosen, list)
    assert chosen[0]["name"] in ("learning-rate", "optimizer")


def test_no_such_program_is_said_in_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fallline", "fix", "missing.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("fallline: cannot read missing.py")
    assert "Traceback" not in done.stderr

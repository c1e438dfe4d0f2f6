"""`fallline replay`: a real script, run and shown again."""

from __future__ import annotations

import json
import linecache
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch

from fallline import api, commands
from fallline.record import kept
from fallline.watch.session import Session

HEAD = """\
import sys
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
"""
IN_A_MODULE = """
class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(8, 3)

    def forward(self, h):
        p = F.relu(self.out(h))
        return torch.log(p)

net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Tanh(), Head())
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(4):
    x, y = torch.randn(16, 4), torch.randint(3, (16,))
    optimizer.zero_grad()
    scores = net(x) if step == 2 else net[:4](x)
    F.nll_loss(scores, y).backward()
    optimizer.step()
"""
IN_THE_LOSS = """
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(6):
    x, y = torch.randn(16, 4), torch.rand(16, 1)
    if step == 3:
        y[5] = -1.0
    optimizer.zero_grad()
    out = net(x)
    i = slice(None)
    loss = (out[i] - y[i].log()).square().mean()
    loss.backward()
    optimizer.step()
"""
BACKWARD_OF_PLAIN_TENSORS = """
def length(z):
    return z.square().sum(1).sqrt()

w = torch.randn(4, 3, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
for step in range(6):
    x = torch.randn(16, 4)
    if step == 4:
        x[3] = 0
    optimizer.zero_grad()
    length(x @ w).mean().backward()
    optimizer.step()
"""
BAD_ROW = """
net = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(4):
    x = torch.randn(16, 4)
    if step == 1:
        x[7, 2] = float("nan")
    optimizer.zero_grad()
    loss = net(x).square().mean()
    loss.backward()
    optimizer.step()
    if step == 1:
        raise RuntimeError("enough")
"""


@pytest.fixture
def undisturbed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What a program that runs in this process changes is put back."""
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        yield


def recorded(program: str, *args: str) -> str:
    """Run a program as `fallline run` does; what it prints."""
    Path("train.py").write_text(HEAD + program)
    with redirect_stderr(StringIO()) as said, pytest.raises(SystemExit):
        commands.run("train.py", list(args), False, 0.03, Path("runs"), None, None, None)
    return " ".join(said.getvalue().split())


def shown_again(name: str = "train-1") -> tuple[int, str]:
    """The exit status of `fallline replay`, and what it prints."""
    linecache.checkcache()
    with redirect_stderr(StringIO()) as said:
        status = commands.replay(api.find_run(name, Path("runs")), Path("again.json"), False)
    return status, said.getvalue()


def replayed(program: str, *args: str) -> tuple[str, dict[str, Any]]:
    """What `fallline replay` prints and writes for a program."""
    said = recorded(program, *args)
    assert "`fallline replay train-1` shows it" in said
    status, shown = shown_again()
    assert status == 0, shown
    assert (place := json.loads(Path("again.json").read_text())["recorded"].get("place")) is None or (
        f"train.py:{place['line']} `{place['code']}`" in said
    )
    assert max(map(len, shown.splitlines())) <= 80
    return shown, json.loads(Path("again.json").read_text())


def test_an_operation_of_a_module(undisturbed: None) -> None:
    shown, data = replayed(IN_A_MODULE, "5")
    assert "\ntrain.py:15  return torch.log(p)\n" in shown[shown.index("born here: log in layer 4, ") :]
    born = data["born"]
    assert (born["name"], born["step"]["place"]["line"]) == ("log", 15)
    assert born["share"] == data["recorded"]["share"]  # the same dropout, the same batch: the very same numbers
    assert born["rows"] == data["recorded"]["rows"]
    assert data["steps"][0]["operation"] == "addmm"
    assert shown.index("train.py:15  return torch.log(p)") < shown.index("log · 4 ") < shown.index("born here")
    assert "nllloss" not in shown  # what comes after the birth


def test_a_loss_with_its_targets(undisturbed: None) -> None:
    shown, data = replayed(IN_THE_LOSS)
    assert (
        "born here: log, 6.25 % of its output, rows 5\ntrain.py:17  loss = (out[i] - y[i].log()).square().mean()"
        in shown
    )
    assert data["born"]["rows"] == [5]
    assert data["step"] == 3


def test_the_backward_of_plain_tensors(undisturbed: None) -> None:
    shown, data = replayed(BACKWARD_OF_PLAIN_TENSORS)
    assert "born in the backward pass" in shown
    assert data["backward"]["operation"] == "sqrt"
    assert data["backward"]["place"]["code"] == "return z.square().sum(1).sqrt()"
    assert str(data["loss"]) == data["recorded"]["loss"]


def test_data_of_a_script_that_died(undisturbed: None) -> None:
    shown, data = replayed(BAD_ROW)
    assert "it came in: input 0 holds NaN or Inf, 1.56 %, rows 7" in shown
    assert data["born"]["kind"] == "input"


PAIRS = """
def distance(a, b):
    return (a - b).square().sum(dim=1).sqrt()

net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh())
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(4):
    a, b = torch.randn(16, 4), torch.randn(16, 4)
    if step == 2:
        b = a.clone()
    optimizer.zero_grad()
    distance(net(a), net(b)).mean().backward()
    optimizer.step()
"""


def test_a_model_that_is_called_twice(undisturbed: None) -> None:
    shown, data = replayed(PAIRS)
    assert shown.endswith("train.py:9  return (a - b).square().sum(dim=1).sqrt()\n")
    assert data["backward"]["operation"] == "sqrt"
    assert str(data["loss"]) == data["recorded"]["loss"]
    assert [step["operation"] for step in data["steps"]].count("addmm") == 2


TWO_MODELS = """
class Loss(nn.Module):
    def forward(self, score, label):
        chance = score.sigmoid()
        return -(label * chance.log()).mean()

maker, judge, criterion = nn.Linear(2, 4), nn.Linear(4, 1), Loss()
scale = torch.ones(1, requires_grad=True)
optimizers = [torch.optim.SGD([*maker.parameters(), scale], lr=0.1), torch.optim.SGD(judge.parameters(), lr=0.1)]
for step in range(4):
    noise, label, factor = torch.randn(8, 2), torch.ones(8, 1), torch.tensor(1e30 if step == 2 else 1.0)
    for optimizer in optimizers:
        optimizer.zero_grad()
    made = maker(noise) * scale * factor
    loss = criterion(judge(made), label)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
"""


def test_several_models_and_a_loss_that_is_one(undisturbed: None) -> None:
    shown, data = replayed(TWO_MODELS)
    assert data["step"] == 4  # two optimizers step in turns
    assert "train.py:11  return -(label * chance.log()).mean()" in shown[shown.index("born here: log") :]
    assert data["recorded"]["place"]["line"] == 11
    assert data["recorded"]["share"] == data["born"]["share"]
    assert data["notes"] == []


def test_what_cannot_be_replayed_says_why(undisturbed: None) -> None:
    recorded(BAD_ROW)
    Path("train.py").write_text(HEAD + BAD_ROW.replace("nn.Linear(4, 1)", "nn.Linear(4, 2)"))
    changed = shown_again()
    Path("train.py").write_text(HEAD + "net = nn.Bilinear(2, 2, 2)")
    gone = shown_again()
    Path("runs", "train-1", kept.FILE).unlink()
    lost = shown_again()
    recorded(BAD_ROW.replace('float("nan")', "0.0"))
    healthy = shown_again("train-2")
    with Session("watched", "runs") as session:
        model = torch.nn.Linear(4, 1)
        model(torch.full((2, 4), torch.nan)).mean().backward()
        torch.optim.SGD(model.parameters(), lr=0.1).step()
    unknown = shown_again(session.folder.name)
    for (status, said), why in zip(
        (changed, gone, lost, healthy, unknown),
        (
            "the program has changed since: weight is (2, 4) and was (1, 4) in the run",
            "the program never called the model net (Linear)",
            "no batch was kept",
            "it holds no loss or gradient that is NaN or Inf",
            "it was not made by `fallline run`",
        ),
        strict=True,
    ):
        assert (status, why in said) == (2, True), said


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(HEAD + BAD_ROW)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"}

    def fallline(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fallline", *args]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)

    assert "RuntimeError: enough" in fallline("run", "train.py").stderr
    again = fallline("replay", "train-1")
    assert (again.returncode, again.stdout) == (0, "")
    assert "it came in: input 0" in again.stderr


@pytest.mark.slow
def test_a_compiled_model(undisturbed: None) -> None:
    program = IN_THE_LOSS.replace("optimizer =", "net = torch.compile(net, backend='aot_eager')\noptimizer =")
    shown, data = replayed(program)
    assert "born here: log, 6.25 % of its output, rows 5\ntrain.py:18 " in shown
    assert data["born"]["rows"] == [5]

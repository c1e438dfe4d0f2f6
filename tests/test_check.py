"""What one batch foretells: ``fallline.check`` and ``fallline check``."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import fallline
from fallline.calculus.signal import mean_field


def batch(samples: int = 64, features: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(samples, features, generator=generator)
    return x, torch.randn(samples, 1, generator=generator)


def deep(activation: type[nn.Module], width: int = 256, depth: int = 10) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        hidden = [m for _ in range(depth) for m in (nn.Linear(width, width), activation())]
        return nn.Sequential(*hidden, nn.Linear(width, 1))


def test_the_factor_of_every_layer_is_what_theory_says() -> None:
    forecast = fallline.check(deep(nn.Sigmoid), batch(features=256), nn.functional.mse_loss)
    assert [finding.code for finding in forecast] == ["vanishing-gradient"]
    assert len(forecast.factors) == 10
    for factor in forecast.factors:
        assert factor.activation == "sigmoid"
        assert factor.measured == pytest.approx(factor.predicted, rel=0.2)
    # σ_w² = fan_in · Var(W) = 1/3 and φ' ≈ 1/4 deep inside
    assert forecast.factors[0].predicted == pytest.approx(
        math.sqrt(mean_field("sigmoid", 1 / 3, 0, 9, 1).chi[-1]), rel=0.05
    )


def test_a_sound_network_gets_no_finding() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    forecast = fallline.check(model, batch(), nn.functional.mse_loss, optimizer)
    assert list(forecast) == []
    assert "learning-rate-too-high" in forecast.diagnosis.passed
    assert forecast.diagnosis.not_applicable["plateau"].startswith("one batch")


def test_the_limit_of_the_learning_rate_is_that_of_the_quadratic() -> None:
    x, y = batch()
    model = nn.Linear(8, 1)
    whole = torch.cat([x, torch.ones(64, 1)], dim=1).double()
    limit = 2 / float(torch.linalg.eigvalsh(2 * whole.T @ whole / 64)[-1])
    high = fallline.check(model, (x, y), nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=3 * limit))
    assert [f.code for f in high] == ["learning-rate-too-high"]
    assert high[0].evidence["limit"] == pytest.approx(limit, rel=1e-4)
    assert high[0].evidence["times_over"] == pytest.approx(3, rel=1e-4)
    ringing = torch.optim.SGD(model.parameters(), lr=3 * limit, momentum=0.9)  # allows 2 · 1.9 / λ
    assert list(fallline.check(model, (x, y), nn.functional.mse_loss, ringing)) == []


def test_what_stands_before_training_is_certain() -> None:
    x, y = batch()
    with pytest.warns(UserWarning, match="target size"):
        broadcast = fallline.check(nn.Linear(8, 1), (x, y.squeeze(1)), nn.functional.mse_loss)
    assert (broadcast[0].code, broadcast[0].severity) == ("shape-mismatch", "error")
    raw = fallline.check(
        nn.Sequential(nn.Linear(8, 9), nn.ReLU(), nn.Linear(9, 1)), (1000 * x, y), nn.functional.mse_loss
    )
    assert (raw[0].code, raw[0].severity) == ("unscaled-data", "warning")
    model = nn.Sequential(nn.Linear(8, 9), nn.ReLU(), nn.Linear(9, 1))
    part = torch.optim.SGD(model[2].parameters(), lr=0.01)
    assert "no-gradient" in {f.code for f in fallline.check(model, (x, y), nn.functional.mse_loss, part)}


def test_nothing_is_changed() -> None:
    model = nn.Sequential(nn.Linear(8, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.5), nn.Linear(9, 1))
    optimizer = torch.optim.Adam(model.parameters())
    before, random = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    fallline.check(model, batch(), nn.functional.mse_loss, optimizer)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(random, torch.random.get_rng_state())
    assert optimizer.state == {}
    assert all(p.grad is None for p in model.parameters())


def test_takes_a_module_and_a_pair() -> None:
    with pytest.raises(TypeError, match="not int"):
        fallline.check(3, batch(), nn.functional.mse_loss)
    with pytest.raises(TypeError, match="inputs, targets"):
        fallline.check(nn.Linear(8, 1), batch()[0], nn.functional.mse_loss)


PROGRAM = """
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(*[m for _ in range(10) for m in (nn.Linear(32, 32), nn.Sigmoid())], nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(64, 32), torch.randn(64, 1)
for step in range(10**9):
    print("step", step, flush=True)
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()
"""


@pytest.mark.parametrize("command", [["check"], ["run", "--check-only"]])
def test_a_program_is_stopped_after_its_first_update(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "fallline", *command, "--json", "r.json", "train.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "step 0\n")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["steps"] == 1
    assert [finding["code"] for finding in report["findings"]] == ["vanishing-gradient"]
    assert "wide-layer theory" in done.stderr

"""Trainings that are sick from the start come back to what the good one reaches; healthy ones are left alone."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

import fallline
from fallline.descent.fit import Settings
from fallline.diagnosis.finding import Prescription
from fallline.fitting import Fitted
from fallline.objective.network import Description
from fallline.record.run import read
from fallline.treatment import heal
from fallline.treatment.heal import Plan
from fallline.view import fit_summary

GOOD = 0.983  # test accuracy of the defaults on digits
POINTS = 0.02

BAD: dict[str, dict[str, Any]] = {
    "deep sigmoid": {"model": Description((64,) * 8, "sigmoid")},
    "lr 10": {"lr": 10.0},
    "lr 1e-6": {"lr": 1e-6},
    "zero weights": {"model": Description(init="zeros")},
    "40 plain layers": {"model": Description((64,) * 40)},
    "unscaled inputs": {"scale": False},
    "momentum 0.999": {"optimizer": "sgd", "lr": 0.1, "momentum": 0.999},
    "ReLU output": {"model": Description(output="relu")},
}


def digits(root: Path, **arguments: Any) -> Fitted:
    return fallline.fit(arguments.pop("model", None), "digits", root=root, threads=1, **arguments)


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_bad_configurations_come_back(name: str, tmp_path: Path) -> None:
    run = digits(tmp_path, **BAD[name])
    assert run.score > GOOD - POINTS
    assert [f for f in run.findings if f.severity == "error"] == []


def test_a_healthy_training_is_left_alone(tmp_path: Path) -> None:
    runs = [digits(tmp_path, heal=healed, epochs=20) for healed in (True, False)]
    assert runs[0].interventions == []
    for mine, theirs in zip(runs[0].model.parameters(), runs[1].model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_story_is_told_with_numbers(tmp_path: Path) -> None:
    run = digits(tmp_path, epochs=12, **BAD["zero weights"])
    assert run.score > 0.9
    assert run.folder is not None
    (story,) = run.interventions
    assert story["back_to"] == 0
    assert any("identical units" in title for title in story["findings"])
    assert story["untreated"] == pytest.approx(math.log(10), rel=0.01)  # a uniform guess
    assert min(trial["regret"] for trial in story["trials"] if isinstance(trial["regret"], float)) < 1
    assert story["chosen"] in [trial["why"] for trial in story["trials"]]
    assert read(run.folder).meta["interventions"] == run.interventions
    before = read(run.folder / "before-1")
    assert 100 <= len(before.steps) < len(run.record.steps)
    assert json.loads((run.folder / "fit.json").read_text())["request"]["origin"]["description"]["init"] != "zeros"
    out = io.StringIO()
    run.report(out)
    assert "Healed after" in out.getvalue()
    assert str(story["chosen"])[:20] in out.getvalue()
    again = fallline.load(run.folder)
    x = torch.randn(3, run.data.width).numpy()
    assert again.outputs is not None
    assert torch.equal(*(m.eval()(torch.from_numpy(x)) for m in (again.model, run.model)))


def test_a_network_of_the_users_own_keeps_its_layers(tmp_path: Path) -> None:
    from fallline.objective.data import load

    data = load("digits")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(data.width, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    run = digits(tmp_path, model=model, optimizer="sgd", lr=1e-7, epochs=15)
    assert run.model is model
    assert run.score > 0.9
    assert run.interventions[0]["chosen"] is not None


def test_going_on_with_a_run_that_was_healed(tmp_path: Path) -> None:
    whole = digits(tmp_path, epochs=12, **BAD["zero weights"])
    again = digits(tmp_path, epochs=13, resume=whole.folder, **BAD["zero weights"])
    assert again.interventions == whole.interventions
    assert len(again.history) == 13
    assert again.score > 0.9


def plan(**settings: Any) -> Plan:
    return Plan(Description((8,), "sigmoid", output="relu"), Settings(**settings), False)


@pytest.mark.parametrize(
    ("remedy", "args", "changed"),
    [
        ("learning-rate", {"factor": 0.1}, lambda p: p.settings.lr == pytest.approx(0.05)),
        ("clip-gradient", {"max_norm": 2.0}, lambda p: p.settings.clip == 2.0),
        ("momentum", {"momentum": 0.5}, lambda p: p.settings.options == {"momentum": 0.5, "nesterov": True}),
        ("optimizer", {"to": "Adam", "lr": 0.01}, lambda p: (p.settings.optimizer, p.settings.options) == ("adam", {})),
        ("initialise", {"weights": {"0.weight": ["orthogonal", "relu"]}}, lambda p: p.description.init == "orthogonal"),
        ("activation", {"to": "selu"}, lambda p: p.description.activation == "selu"),
        ("normalise", {}, lambda p: p.description.normalise == "layer"),
    ],
)
def test_remedies_change_the_plan(remedy: str, args: dict[str, Any], changed: Any) -> None:
    before = plan(options={"momentum": 0.9, "nesterov": True}, optimizer="sgd")
    option = heal.translate(Prescription(remedy, args, "why"), before, 0.5)
    assert option is not None
    assert changed(option.plan)
    assert heal.translate(Prescription("zero-grad", {}, ""), before, 0.5) is None


def test_what_is_in_the_way_from_the_start_is_known() -> None:
    assert [option.name for option in heal.suspicions(plan())] == ["output-activation", "scale"]
    assert heal.suspicions(Plan(Description(), Settings(), True)) == []
    assert heal.suspicions(Plan(None, Settings(), False)) == []


def test_the_summary_of_a_round_that_found_nothing() -> None:
    story = heal.Intervention(7, 0, 50, ("plateau",), math.inf, (heal.Tried("momentum", "momentum 0.9", 2.0),), None)
    said = json.loads(json.dumps(story.as_json()))
    assert said["untreated"] == "inf"
    console = Console(file=io.StringIO(), width=80)
    console.print(fit_summary.story(said))
    assert "nothing was clearly better" in " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]

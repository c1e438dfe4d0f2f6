"""The benchmark of the corpus: its rows, its tables, the policies and tools it compares with."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import autotrainer
import peers
import pytest
import report
import torch
from programs import Done, Program, checked, execute
from rows import Journal, Judged, Row
from torch import nn
from warm import LATE, Warm

from fallline.diagnosis.diagnose import Diagnosis
from fallline.diagnosis.finding import Finding
from fallline.record.run import Run
from fallline.treatment.trial import Trial

SICK = Program("s1", "faulty", ("plateau",), ("dead-units",), (0.1, 0.2), (0.9, 1.0), 0.1)
WELL = Program("h1", "healthy", (), ("dead-units",), (0.9,), (), 0.5)


def row(program: Program = SICK, seed: int = 0, **values: Any) -> Row:
    done = Done(0, 0.1, 2.0)
    return Row(program, seed, **{"plain": done, "watched": done, "report": {}, **values})


# -- rows --------------------------------------------------------------------------------------------------------------


def test_the_way_to_the_cure() -> None:
    assert SICK.way(0.5, 0) == pytest.approx(0.5)
    assert SICK.way(0.2, 1) == 0
    assert math.isnan(SICK.way(None, 0))
    assert math.isnan(SICK.way(math.nan, 0))
    assert WELL.way(0.9, 2) == 1
    assert WELL.way(0.5, 0) == 0


def test_how_soon_the_cause_is_known() -> None:
    found = row(
        alarms=("plateau",), timeline={1: (), 2: ("dead-units", "plateau"), 3: ("dead-units",), 5: ("plateau",)}
    )
    assert (found.since(first=False), found.since(first=True)) == (2, 5)
    assert row(timeline={1: ("dead-units",)}).since(first=False) is None


def test_a_treatment_that_chose_nothing_left_the_program_alone() -> None:
    assert row(watched=Done(4, None, 9.0)).left(Done(4, None, 9.0)) == Done(4, 0.1, 9.0)
    assert row().left(Done(1, None, 9.0)).metric is None  # it broke the program
    assert row().left(None) == Done(0, 0.1, 2.0)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_process_that_begins_with_pytorch_loaded_is_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 0.25")
    program = tmp_path / "train.py"
    program.write_text(
        "import os, pathlib, sys, time, torch, beside\n"
        "if 'wait' in sys.argv: time.sleep(600)\n"
        "print('metric=here value=', beside.VALUE * (str(pathlib.Path.cwd()) == sys.argv[1]), sep='')\n"
        "torch.manual_seed(0)\n"
        "sys.exit(f\"{__name__} {os.environ['SEED']} {torch.get_num_threads()} {torch.rand(1).item()}\")\n"
    )
    command, warm = [sys.executable, str(program), str(tmp_path)], Warm()
    cold, forked = (execute(command, 3, str(tmp_path), 300, begin) for begin in (None, warm))
    assert (cold.exit, cold.metric) == (1, 0.25)
    assert cold.stderr.startswith("__main__ 3 1 0.")
    assert replace(forked, seconds=cold.seconds) == cold
    assert execute([*command, "wait"], 3, str(tmp_path), 1, warm).exit == LATE


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    judged = Judged(Done(1, None, 3.0, "broke"), ("Loss plateau",), "ValueError")
    whole = row(
        alarms=("plateau",), timeline={1: (), 2: ("plateau",)}, peers={"gradsnitch": judged}, random=Done(0, 0.3, 1.0)
    )
    Journal(file, "run", resume=False).add(whole)
    with file.open("a") as out:
        out.write('{"program": "s1", "se')  # killed while it wrote
    journal = Journal(file, "run", resume=True)
    assert journal.rows([SICK, WELL]) == [whole]
    assert journal.rows([WELL]) == []
    journal.add(row(WELL))
    journal.add(row(WELL, alarms=("plateau",)))
    assert Journal(file, "run", resume=True).rows([SICK, WELL]) == [whole, row(WELL, alarms=("plateau",))]
    with pytest.raises(SystemExit, match="holds rows of `run`"):
        Journal(file, "fix", resume=True)
    Journal(file, "fix", resume=False)
    assert file.read_text() == ""


# -- tables ------------------------------------------------------------------------------------------------------------


def cells(sheets: list[report.Sheet], name: str) -> dict[str, tuple[str, ...]]:
    sheet = next(sheet for sheet in sheets if sheet.name == name)
    assert {len(line) for line in sheet.rows} <= {len(sheet.columns)}
    return {line[0]: line[1:] for line in sheet.rows}


def test_the_tables_of_a_diagnosis() -> None:
    noisy = Judged(Done(0, 0.1, 4.0), ("Gradient-norm spike", "Loss plateau"))
    broken = Judged(Done(1, None, 1.0), (), "RuntimeError")
    calm = Judged(Done(0, 0.1, 1.0), ("overfitting",))
    late = ("dead-units", "plateau")
    rows = [
        row(alarms=("plateau",), timeline={1: (), 2: ("plateau",), 4: ("plateau",)}, peers={"gradsnitch": noisy}),
        row(seed=1, alarms=late, timeline={4: late}, peers={"gradsnitch": broken}),
        row(WELL, alarms=("dead-units",), peers={"gradsnitch": noisy}),
        row(WELL, seed=1, alarms=("plateau",), peers={"gradsnitch": calm}),
    ]  # fmt: skip
    sheets, numbers = report.diagnosis(rows)
    assert (numbers["first"], numbers["anywhere"], numbers["false"], numbers["passed"]) == (1, 2, 1, False)
    summary = cells(sheets, "diagnosis")
    assert summary["sick: the cause first"] == ("1/1 (100%)", "0/1 (0%)", "1/2 (50%)")
    assert summary["healthy: a false alarm"] == ("0/1 (0%)", "1/1 (100%)", "1/2 (50%)")
    assert cells(sheets, "codes") == {"plateau": ("2", "1", "2", "3 (75%)", "2 (50%)", "1", "0")}
    assert set(cells(sheets, "missed")) == {"s1", "h1"}
    tools = cells(sheets, "tools")
    assert tools["fallline"][:6] == ("1/2 (50%)", "2/2 (100%)", "2/2 (100%)", "1/2 (50%)", "0", "0")
    assert tools["gradsnitch 0.1.0"][:6] == ("0/2 (0%)", "1/2 (50%)", "1/2 (50%)", "1/2 (50%)", "1", "0")


def test_the_tables_of_a_treatment() -> None:
    good = {"chosen": [{"name": "learning-rate"}], "seconds": 6.0}
    rows = [
        row(watched=Done(0, 0.9, 8.0), report=good, random=Done(0, 0.5, 2.0), autotrainer=Done(4, None, 6.0)),
        row(watched=Done(4, None, 8.0), report={"chosen": None, "seconds": 6.0}, random=Done(1, None, 2.0)),
        row(WELL, plain=Done(0, 0.9, 2.0), watched=Done(0, 0.7, 4.0), report=good),
    ]
    sheets, numbers = report.treatment(rows)
    assert numbers == {"sick": 2, "cured": 1, "healthy": 1, "worse": 1, "healthy_worse": 1, "passed": False}
    policies = cells(sheets, "treatment")
    assert policies["fallline fix"] == ("1/2 (50%)", "1", "0", "4.00 [4.00–4.00]")
    assert policies["a random remedy"][:3] == ("0/2 (0%)", "1", "1")
    assert policies["AUTOTRAINER's order"][:3] == ("0/2 (0%)", "0", "0")
    assert cells(sheets, "healthy")["the metric got worse"] == ("1/1 (100%)",)
    assert cells(sheets, "time")["its trials alone"] == ("3.00 [3.00–3.00]", "3.00")
    assert cells(sheets, "uncured")["s1"] == ("0", "plateau", "nothing", "0.1 → 0.1", "0%")


def test_tables_go_into_their_places(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    sheet = report.Sheet("codes", "Codes", ("code", "n"), (("a|b", "1"),))
    report.publish(page, [sheet])
    assert "## Codes" in page.read_text()
    page.write_text("before\n<!-- corpus: codes -->\nold\n<!-- end -->\nafter\n")
    for _ in range(2):
        report.publish(page, [sheet])
    text = page.read_text()
    assert text.startswith(
        "before\n<!-- corpus: codes -->\n\n| code | n |\n| --- | --- |\n| a&#124;b | 1 |\n\n<!-- end -->"
    )
    assert text.endswith("after\n")
    with pytest.raises(SystemExit, match="corpus: tools"):
        report.publish(page, [report.Sheet("tools", "", ("a",), ())])


# -- other tools -------------------------------------------------------------------------------------------------------


def test_the_table_of_alarms_knows_only_our_codes() -> None:
    assert set(peers.CODES) == set(peers.TOOLS) == set(peers.TITLES)
    for tool, alarms in peers.CODES.items():
        assert set().union(*filter(None, alarms.values())) <= checked()
        for part, codes in alarms.items():
            assert peers.meaning(tool, part) == codes  # none is hidden by one before it
    assert peers.meaning("gradsnitch", "something new") == ()


class Note(peers.Peer):
    """Writes down what it is told."""

    made: list[Note]

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        super().__init__(model, optimizer)
        self.told: list[str] = []
        self.made.append(self)

    def batch(self, inputs: Any, targets: Any) -> None:
        self.told.append(f"batch {tuple(inputs[0].shape)} {tuple(targets.shape)}")

    def before_step(self, loss: float) -> None:
        seen = all(p.grad is not None for p in self.model.parameters())
        self.told.append(f"before {loss:g} {seen}")

    def after_step(self, loss: float) -> None:
        self.told.append("after")


@pytest.fixture
def attended() -> Iterator[list[Note]]:
    Note.made = []
    before = torch.autograd.backward, nn.Module.__call__, nn.functional.mse_loss
    with peers.Attendant(Note).attending():
        yield Note.made
    assert (torch.autograd.backward, nn.Module.__call__, nn.functional.mse_loss) == before


def test_a_tool_is_told_what_happens(attended: list[Note]) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    model(torch.ones(1, 2).double())  # before there is an optimizer
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    torch.optim.lr_scheduler.StepLR(optimizer, 1)
    for _ in range(2):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(input=model(torch.zeros(4, 2).double()), target=torch.ones(4, 1).double())
        loss.backward()
        optimizer.step()
    (note,) = attended
    assert note.model is model
    assert note.told == ["batch (4, 2) (4, 1)", f"before {loss.item():g} True", "after"] * 2


def test_each_optimizer_has_its_own(attended: list[Note]) -> None:
    layers = [nn.Linear(2, 2), nn.Linear(2, 1)]  # in no module
    loose = torch.ones(2, requires_grad=True)
    optimizers = [torch.optim.SGD([p for x in layers for p in x.parameters()]), torch.optim.SGD([loose])]
    layers[1](layers[0](loose.expand(3, 2))).sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    assert [type(note.model) for note in attended] == [nn.ModuleList, peers.Loose]
    assert [len(list(note.model.parameters())) for note in attended] == [4, 1]
    assert [note.told[-1] for note in attended] == ["after", "after"]


def test_updates_by_hand_of_a_model(attended: list[Note]) -> None:
    model = nn.Linear(1, 1)
    for _ in range(3):
        model(torch.ones(1, 1)).sum().backward()
    (note,) = attended
    assert note.optimizer is None
    assert note.model is model
    assert note.steps == 3


def test_updates_by_hand_of_tensors(attended: list[Note]) -> None:
    a, b = (torch.ones(2, requires_grad=True) for _ in range(2))
    for _ in range(3):
        gradients = torch.autograd.grad((a * b).sum(), (tensor for tensor in (a, b)))
        assert [g.tolist() for g in gradients] == [[1, 1], [1, 1]]
    (note,) = attended
    assert {id(p) for p in note.model.parameters()} == {id(a), id(b)}
    assert note.steps == 3


def test_a_scaled_loss_is_told_as_it_is(attended: list[Note]) -> None:
    model, scaler = nn.Linear(1, 1), torch.amp.GradScaler("cpu", init_scale=1024.0)
    optimizer = torch.optim.SGD(model.parameters())
    loss = model(torch.ones(1, 1)).sum()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    (note,) = attended
    assert note.told == [f"before {loss.item():g} True", "after"]


@pytest.mark.slow
@pytest.mark.parametrize("tool", peers.TOOLS)
def test_an_unmodified_script_under_a_tool(tool: str, tmp_path: Path) -> None:
    pytest.importorskip(tool.replace("-", "_"))
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\nif __name__ != '__main__': raise SystemExit(9)\ntorch.manual_seed(0)\n"
        "model = torch.nn.Linear(3, 1)\nopt = torch.optim.SGD(model.parameters(), lr=0.3)\n"
        "for _ in range(60):\n    opt.zero_grad()\n    loss = (model(torch.ones(8, 3)) ** 2).mean()\n"
        "    loss.backward()\n    opt.step()\nprint(f'metric=loss value={loss.item()}')\n"
    )
    file = tmp_path / "out.json"
    command = [sys.executable, str(Path(peers.__file__)), tool, str(file), str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("metric=loss value=")
    said = json.loads(file.read_text())
    assert said["error"] is None
    assert any(peers.meaning(tool, alarm) for alarm in said["alarms"])


# -- AUTOTRAINER's order -----------------------------------------------------------------------------------------------


class Ward:
    """Trainings whose symptoms are given by their remedies."""

    def __init__(self, run: Run, answer: Callable[[list[str]], str | None]) -> None:
        self.run, self.answer, self.tried = run, answer, list[list[str]]()

    def retrain(self, change: autotrainer.Change) -> Trial:
        names = [_told(dose.args) or dose.name for dose in change]
        self.tried.append(names)
        code = self.answer(names)
        findings = (Finding(code, "error", "", "", "", ""),) if code else ()
        return Trial(change, 0, self.run, Diagnosis(findings, (), {}), 0, 1.0)


def _told(args: dict[str, Any]) -> str:
    return " ".join(str(args[key]) for key in ("to", "factor", "max_norm", "momentum") if key in args)


@pytest.fixture
def network(record: Callable[[], Any]) -> Run:
    run: Run = record().chain(4, "sigmoid").losses([1.0, 1.0]).run()
    return run


def test_its_repairs_are_tried_in_its_order(network: Run) -> None:
    ward = Ward(network, lambda names: "exploding-gradient")
    assert autotrainer.repair(ward.retrain, 0).change is None
    assert ward.tried == [[], ["selu"], ["relu"], ["10.0"], ["9.0"], ["tanh"], ["normalise"]]


def test_the_first_without_symptom_is_taken(network: Run) -> None:
    ward = Ward(network, lambda names: None if names == ["relu"] else "vanishing-gradient")
    found = autotrainer.repair(ward.retrain, 0)
    assert found.change is not None
    assert [dose.args["to"] for dose in found.change] == ["relu"]
    assert found.tried == 2


def test_another_symptom_is_treated_on_top(network: Run) -> None:
    def answer(names: list[str]) -> str | None:
        if names == ["normalise", "0.01"]:
            return None
        return "oscillating-loss" if names[:1] == ["normalise"] else "vanishing-gradient"

    ward = Ward(network, answer)
    found = autotrainer.repair(ward.retrain, 0)
    assert found.change is not None
    assert [dose.name for dose in found.change] == ["normalise", "learning-rate"]
    assert ward.tried[4:] == [["normalise", "Adam"], ["normalise", "0.1"], ["normalise", "0.01"]]


def test_what_shows_no_symptom_is_left_alone(network: Run) -> None:
    ward = Ward(network, lambda names: "output-mismatch")
    assert autotrainer.repair(ward.retrain, 0) == autotrainer.Repaired(None, 0)


def test_every_repair_can_be_applied(network: Run) -> None:
    draw = random.Random(0)
    changes = {name: [repair(network, draw) for repair in repairs] for name, repairs in autotrainer.REPAIRS.items()}
    assert {name: [len(c) for c in found] for name, found in changes.items()} == {
        "vanishing gradient": [1, 1, 1], "exploding gradient": [1, 1, 2, 1, 1], "dying ReLU": [1, 1, 3, 1],
        "oscillating loss": [1, 3, 3], "slow convergence": [3, 3],
    }  # fmt: skip
    assert set(autotrainer.SYMPTOMS) == set(autotrainer.REPAIRS)
    assert set().union(*autotrainer.SYMPTOMS.values()) <= checked()

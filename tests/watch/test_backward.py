"""`fallline backprop SCRIPT`: the program runs unchanged until its first backward pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import fallline
from fallline.cli import app
from fallline.watch.backward import FirstBackward, _one

HEAD = "import torch\ntorch.manual_seed(0)\nw = torch.tensor([5.0, -4.0], requires_grad=True)\n"


def run(text: str, *, verify: bool = False) -> FirstBackward:
    waiting = FirstBackward(verify)
    waiting.ending = waiting.run(lambda: exec(compile(HEAD + text, "program", "exec"), {"__name__": "program"}))  # type: ignore[attr-defined]
    return waiting


def test_stops_at_the_first_backward_and_lets_the_program_clean_up(capsys: pytest.CaptureFixture[str]) -> None:
    before = torch.autograd.backward, torch.autograd.grad
    found = run("try:\n    (w ** 2).sum().backward()\n    print('after')\nfinally:\n    print('closing')\n")
    assert capsys.readouterr().out == "closing\n"
    assert (torch.autograd.backward, torch.autograd.grad) == before
    assert found.trace is not None
    assert found.trace.loss == 41.0
    (leaf,) = found.trace.leaves
    assert leaf.name == "w"
    assert leaf.gradient is not None
    assert leaf.gradient.values == (10.0, -8.0)


def test_program_that_asks_by_grad() -> None:
    found = run("torch.autograd.grad((w ** 2).sum(), [w])\n")
    assert found.trace is not None
    assert found.trace.loss == 41.0


def test_gradient_of_the_data_is_not_the_training(capsys: pytest.CaptureFixture[str]) -> None:
    found = run(
        "m = torch.nn.Linear(2, 1)\ntorch.autograd.grad(m(w).sum(), w)\nprint('on')\n(m(w) * 3).sum().backward()\n"
    )
    assert capsys.readouterr().out == "on\n"
    assert found.trace is not None
    assert {leaf.name for leaf in found.trace.leaves} == {"weight", "bias", "w"}


def test_several_losses_are_traced_as_their_sum() -> None:
    found = run("torch.autograd.backward([(w ** 2), w.sum()], [torch.ones(2), None])\n", verify=True)
    assert found.trace is not None
    assert found.trace.loss == 42.0
    assert "sum" in found.trace.notes[0]
    assert found.trace.verification is not None
    assert found.trace.verification.largest is not None
    assert found.trace.verification.largest < 1e-6  # the program is in float32


def test_parameters_that_the_program_initialises_are_verified() -> None:
    found = run(
        "m = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()\n"
        "torch.nn.init.normal_(m[0].weight)\n"
        "m(torch.randn(5, 2).double()).pow(2).mean().backward()\n",
        verify=True,
    )
    assert found.trace is not None
    checked = found.trace.verification
    assert checked is not None
    assert {"0.weight", "2.bias"} <= {check.name for check in checked.checks if check.error is not None}
    assert checked.largest is not None
    assert checked.largest < 1e-6


def test_weights_of_several_losses() -> None:
    a, b = torch.tensor(2.0, requires_grad=True), torch.tensor([1.0, 3.0], requires_grad=True)
    total, note = _one([a * 1, b * 1], [torch.tensor(5.0), torch.tensor([1.0, 10.0])])
    assert total.item() == 5 * 2 + 1 + 30
    assert note


def test_compiled_model_is_seen_in_single_operations() -> None:
    model = torch.compile(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), backend="eager")
    found = fallline.backprop(lambda x: model(x).sum(), torch.ones(4, 2))
    assert [step.name for step in found.steps][:2] == ["sum", "matrix product plus bias"]
    assert not [note for note in found.trace.notes if "out of sight" in note]


def invoke(tmp_path: Path, text: str, *options: str) -> Any:
    program = tmp_path / "program.py"
    program.write_text(text)
    return CliRunner().invoke(app, ["backprop", *options, str(program)])


@pytest.fixture(autouse=True)
def _own_process_state(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def test_command_reports_and_writes(tmp_path: Path) -> None:
    data, picture = tmp_path / "trace.json", tmp_path / "trace.svg"
    done = invoke(
        tmp_path, HEAD + "print('out')\n(w ** 2).sum().backward()\nprint('never')\n",
        "--verify", "--json", str(data), "--plot", str(picture),
    )  # fmt: skip
    assert done.exit_code == 0
    assert done.stdout == "out\n"
    assert "w[0]² = 5²" in done.stderr
    assert "verified: 3 gradients" in done.stderr
    report = json.loads(data.read_text())
    assert report["schema"] == 1
    assert report["loss"] == 41.0
    assert [step["name"] for step in report["steps"]] == ["sum", "power"]
    assert report["verification"]["largest"] < 1e-6
    assert picture.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("print('hello')", 2, "it never called backward"),
        ("raise ValueError('no data')", 1, "it ended with ValueError: no data before its first backward"),
        ("import sys; sys.exit(5)", 5, "it never called backward"),
        ("import torch\nw = torch.ones(2)\nw.sum().backward()", 1, "does not require grad"),
    ],
)
def test_program_without_a_backward_gets_a_sentence(tmp_path: Path, text: str, status: int, said: str) -> None:
    done = invoke(tmp_path, text)
    assert done.exit_code == status
    assert said in done.stderr
    assert "fallline: no trace of program.py" in done.stderr


def test_wrong_uses_are_refused() -> None:
    with pytest.raises(TypeError, match="no loss_fn"):
        fallline.backprop(nn.Linear(2, 1), torch.ones(1, 2), torch.ones(1, 1))
    with pytest.raises(TypeError, match="a module or a function; got int"):
        fallline.backprop(3, torch.ones(1))
    with pytest.raises(ValueError, match=r"single number; it has shape \(4, 1\)"):
        fallline.backprop(nn.Linear(2, 1), torch.ones(4, 2))
    with pytest.raises(ValueError, match="no graph"):
        fallline.backprop(lambda x: x.detach().sum(), torch.ones(2))


def test_picture_needs_a_known_ending(tmp_path: Path) -> None:
    done = invoke(tmp_path, HEAD + "(w ** 2).sum().backward()", "--plot", str(tmp_path / "x.bmp"))
    assert done.exit_code == 2
    assert "the ending must be one of svg, png, pdf" in done.stderr

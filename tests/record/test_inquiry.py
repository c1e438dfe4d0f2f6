"""A training meets a number that is not finite: where in the program it was born, and what is kept of its batch."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from fallline.record import inquiry, kept
from fallline.record.recorder import CAREFUL, Recorder
from fallline.record.run import Run, read
from fallline.record.store import Store

LATE = CAREFUL + 30


class Recording:
    """A recorder around a training, and the run that it leaves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recorder = Recorder(Store(folder), budget=1e-9)

    def __enter__(self) -> None:
        self.recorder.start()

    def __exit__(self, *_: object) -> None:
        self.recorder.stop()
        self.recorder.store.close()
        assert self.recorder.fault is None

    @property
    def run(self) -> Run:
        return read(self.folder)

    @property
    def birth(self) -> dict[str, Any]:
        """The one event of a birth, with its place whenever that was found."""
        (event,) = self.run.events_of("non-finite")
        later = [e.detail for e in self.run.events_of("place") if e.step == event.step]
        return {**event.detail, "step": event.step, "place": event.detail.get("place") or next(iter(later), None)}


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


def batches(count: int, *shape: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(3)
    for _ in range(count):
        yield torch.randn(*shape, generator=generator, dtype=torch.float64)


class Head(nn.Module):
    """Takes the logarithm of numbers that are 0 where its input is negative."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        p = self.out(x).relu()
        return p.log()


class Length(nn.Module):
    """The length of each row, whose slope at 0 is infinite."""

    def forward(self, x: Tensor) -> Tensor:
        squares = x.square().sum(dim=1)
        return squares.sqrt()


def train(model: nn.Module, loss_of: Callable[[Tensor], Tensor], inputs: Iterator[Tensor]) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for x in inputs:
        optimizer.zero_grad()
        loss = loss_of(model(x))
        loss.backward()
        optimizer.step()


def network(*after: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4, bias=False), *after).double()


def test_an_operation_of_a_module(recording: Recording) -> None:
    with recording:
        train(network(nn.Tanh(), Head()), lambda y: y.mean(), batches(3, 8, 3))
    birth = recording.birth
    assert (birth["origin"], birth["operation"], birth["parameter"], birth["how"]) == ("forward", "log", "2", "replay")
    assert birth["place"]["code"] == "return p.log()"
    assert birth["place"]["file"] == __file__
    assert birth["rows"]


def test_a_library_s_module_is_told_by_the_line_that_calls_it(recording: Recording) -> None:
    with recording:
        train(network(nn.LogSigmoid(), nn.Softplus(beta=1e-320)), lambda y: y.sum(), batches(1, 8, 3))
    assert recording.birth["place"]["code"] == "loss = loss_of(model(x))"


def test_rows_of_the_data(recording: Recording) -> None:
    inputs = list(batches(3, 8, 3))
    inputs[1][5, 1] = math.nan
    with recording:
        train(network(nn.Tanh(), nn.Linear(4, 1)), lambda y: y.square().mean(), iter(inputs))
    birth = recording.birth
    assert (birth["step"], birth["origin"], birth["rows"], birth["share"]) == (1, "data", [5], 1 / 24)
    assert birth["place"]["code"] == "loss = loss_of(model(x))"


def test_a_parameter(recording: Recording) -> None:
    model = network(nn.Tanh(), nn.Linear(4, 1))
    with torch.no_grad():
        model[2].weight[0, 0] = math.nan
    with recording:
        train(model, lambda y: y.square().mean(), batches(2, 8, 3))
    assert (recording.birth["origin"], recording.birth["parameter"]) == ("parameter", "2.weight")


def test_a_loss_outside_the_model_is_looked_up_in_the_next_forward_pass(recording: Recording) -> None:
    def loss_of(y: Tensor) -> Tensor:
        scaled = y * 0
        return scaled.log().mean()

    with recording:
        train(network(), loss_of, batches(3, 8, 3))
        assert not torch.is_anomaly_enabled()
    birth = recording.birth
    assert (birth["operation"], birth["replayed"]) == ("log", 1)
    assert birth["place"]["code"] == "return scaled.log().mean()"
    assert birth["called"]["code"] == "loss.backward()"


def test_targets_that_are_in_no_graph(recording: Recording) -> None:
    model = network(nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with recording:
        for i, x in enumerate(batches(4, 8, 3)):
            y = x.sum(dim=1)
            if i == 2:
                y[6] = math.nan
            optimizer.zero_grad()
            (model(x)[:, 0] - y).pow(2).mean().backward()
            optimizer.step()
    birth = recording.birth
    assert (birth["step"], birth["origin"], birth["variable"]) == (2, "data", "y")
    assert (birth["rows"], birth["share"]) == ([6], 1 / 8)
    assert birth["place"]["code"] == "(model(x)[:, 0] - y).pow(2).mean().backward()"


def test_without_a_next_forward_pass_the_line_of_backward_is_told(recording: Recording) -> None:
    with recording:
        train(network(), lambda y: (y * 0).log().mean(), batches(1, 8, 3))
    assert recording.birth["place"] is None
    assert recording.birth["called"]["code"] == "loss.backward()"
    assert not torch.is_anomaly_enabled()


@pytest.mark.parametrize("step", [1, LATE])
def test_the_backward_of_an_operation_in_the_model(recording: Recording, step: int) -> None:
    inputs = list(batches(LATE + 3, 8, 3))
    inputs[step][2] = 0.0
    with recording:
        train(network(Length()), lambda y: y.mean(), iter(inputs))
    birth = recording.birth
    assert (birth["step"], birth["origin"], birth["operation"], birth["how"]) == (step, "backward", "sqrt", "replay")
    assert birth["place"]["code"] == "return squares.sqrt()"
    assert birth["parameters"] == ["0.weight"]


def test_rows_that_the_loss_leaves_out(recording: Recording) -> None:
    """A softmax over nothing but padding is NaN; the loss does not see it, and the gradient does."""

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score, self.value = nn.Linear(3, 4).double(), nn.Linear(4, 2).double()

        def forward(self, x: Tensor) -> Tensor:
            padding = (x == 0).all(dim=1, keepdim=True)
            return self.value(self.score(x).masked_fill(padding, -math.inf).softmax(1))

    inputs = list(batches(6, 8, 3))
    inputs[2][5] = 0.0
    with recording:
        train(Masked(), lambda y: torch.where(torch.arange(8)[:, None] == 5, 0.0, y).square().mean(), iter(inputs))
    birth = recording.birth
    assert (birth["step"], birth["origin"], birth["operation"]) == (2, "forward", "softmax")
    assert birth["rows"] == [5]


def test_raw_tensors(recording: Recording) -> None:
    w = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1e-3)
    with recording:
        for i, x in enumerate(batches(6, 4, 3)):
            optimizer.zero_grad()
            length = (x * (i != 3) @ w).square().sum(dim=1)
            loss = length.sqrt().sum() / 4  # a quotient that is finite has a finite slope
            loss.backward()
            optimizer.step()
    birth = recording.birth
    assert (birth["step"], birth["origin"], birth["suspect"]) == (3, "backward", "sqrt")
    assert birth["suspects"] == ["sqrt", "div"]
    assert birth["parameters"] == ["w"]
    assert birth["place"]["code"] == "loss = length.sqrt().sum() / 4  # a quotient that is finite has a finite slope"


def test_updates_by_hand(recording: Recording) -> None:
    w = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    with recording:
        for i, x in enumerate(batches(6, 4, 3)):
            loss = (x * (i != 3) @ w).square().sum(dim=1).sqrt().mean()
            loss.backward()
            assert w.grad is not None
            with torch.no_grad():
                w -= 1e-3 * w.grad
                w.grad.zero_()
    birth = recording.birth
    assert (birth["step"], birth["origin"], birth["suspect"]) == (3, "backward", "sqrt")
    assert birth["place"]["code"] == "loss = (x * (i != 3) @ w).square().sum(dim=1).sqrt().mean()"


def test_a_gradient_that_no_update_uses_is_no_finding(recording: Recording) -> None:
    model = network(Length())
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with recording:
        for i, x in enumerate(batches(LATE, 8, 3)):
            optimizer.zero_grad()
            model(x * (i % 10 != 1)).mean().backward()
            if all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None):
                optimizer.step()
    assert not list(recording.run.events_of("non-finite"))


def test_a_program_that_stops_at_a_bad_loss_before_backward(recording: Recording) -> None:
    model = network(nn.Tanh(), Head())
    with recording:
        for x in batches(3, 8, 3):
            if not math.isfinite(float(model(x).mean().detach())):
                break
    assert recording.birth["place"]["code"] == "return p.log()"


def test_an_evaluation_at_the_end_is_none_of_its_business(recording: Recording) -> None:
    model = network(nn.Tanh(), Head())
    with recording:
        model.eval()(next(batches(1, 8, 3)))
    assert not list(recording.run.events_of("non-finite"))


# -- where it cannot be done again ------------------------------------------------------------------------------------


class Reader(nn.Module):
    """Reads its input from an iterator."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(3, 1).double()

    def forward(self, source: Iterator[Tensor]) -> Tensor:
        return self.out(next(source)).sub(100).log()


SHIFTS: list[float] = []


class Once(nn.Module):
    """Uses up something that is no part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(3, 1).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x).sub(SHIFTS.pop()).log()


def with_a_shift(x: Tensor) -> Tensor:
    SHIFTS.append(100.0)
    return x


@pytest.mark.parametrize(
    ("model", "given", "why"),
    [(Reader(), lambda x: iter([x]), "iterator"), (Once(), with_a_shift, "IndexError: pop from empty list")],
)
def test_what_cannot_be_done_again_says_why(
    recording: Recording, model: nn.Module, given: Callable[[Tensor], Any], why: str
) -> None:
    with recording:
        train(model, lambda y: y.mean(), (given(x) for x in batches(2, 8, 3)))
    assert why in recording.birth["not_replayed"]
    assert recording.birth["place"]["code"].endswith(".log()")  # from the next forward pass


def test_an_input_changed_since_is_not_replayed(recording: Recording) -> None:
    model = network(nn.Tanh(), nn.Linear(4, 2), nn.ReLU(), nn.Threshold(1e9, math.nan))
    with recording:
        x = next(batches(1, 8, 3))
        loss = model(x).mean()
        x.zero_()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()
    assert "changed in place" in recording.birth["not_replayed"]


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_the_batch_is_kept(recording: Recording) -> None:
    model = network(nn.BatchNorm1d(4), nn.Dropout(0.5), Head())
    y = torch.arange(8)
    with recording:
        train(model, lambda out: (out[:, 0] * y).mean(), batches(3, 8, 3))
    batch = kept.load(recording.folder)
    (call,) = batch.about["calls"]
    x = batch.given(call["args"], None)[0]
    assert torch.equal(x, next(batches(1, 8, 3)))
    state = batch.parameters(call["model"])
    assert set(state) == set(model.state_dict())
    assert torch.equal(state["1.running_mean"], torch.zeros(4, dtype=torch.float64))  # as it was before the pass
    assert batch.tensors["random"].shape == torch.get_rng_state().shape
    assert torch.equal(batch.variables["y"], y)
    assert torch.equal(batch.variables["x"], x)
    assert batch.about["left_out"] == {}


def test_what_is_too_large_is_left_out_and_said(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept._Box, "__init__", lambda self: self.__dict__.update(tensors={}, left_out={}, room=250))
    with recording:
        train(network(nn.Tanh(), Head()), lambda y: y.mean(), batches(1, 8, 3))
    assert recording.birth["left_out"].count("MiB were left") == 2  # random numbers and parameters
    with safe_open(recording.folder / kept.FILE, framework="pt") as file:
        assert sum(file.get_tensor(name).nbytes for name in file.keys()) <= 250  # noqa: SIM118 - no mapping


def test_a_disk_that_refuses_does_not_reach_the_training(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(inquiry.kept, "save_file", refuse)
    with recording:
        train(network(nn.Tanh(), Head()), lambda y: y.mean(), batches(2, 8, 3))
    assert "no space left" in recording.birth["not_kept"]
    assert len(recording.run.steps) == 2


def test_inputs_of_any_form_come_back() -> None:
    tensors: dict[str, Tensor] = {}
    value = {"x": torch.ones(2), "sizes": (1, [2.5, None]), "more": {"mask": torch.zeros(1, dtype=torch.bool)}}
    structure = kept._pack(value, "input/0", tensors)
    own = object()
    batch = kept.Batch({}, tensors)
    found = batch.given(structure, {})
    assert torch.equal(found["x"], value["x"])
    assert (found["sizes"], found["more"]["mask"].dtype) == (value["sizes"], torch.bool)
    assert batch.given(kept._pack(own, "input/1", tensors), own) is own


@pytest.mark.parametrize("content", [None, b"", b"not safetensors"])
def test_a_file_that_is_no_batch(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / kept.FILE).write_bytes(content)
    with pytest.raises(kept.KeptError, match=r"no batch was kept|is not a batch"):
        kept.load(tmp_path)


def test_healthy_trainings_keep_nothing(recording: Recording) -> None:
    with recording:
        train(network(nn.Tanh(), nn.Linear(4, 1)), lambda y: F.softplus(y).mean(), batches(LATE, 8, 3))
    assert not (recording.folder / kept.FILE).exists()
    assert not list(recording.run.events_of("non-finite"))

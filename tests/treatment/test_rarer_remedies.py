"""Schedules, limits, starts and ways back: each does to a live program what its words say, and helps one in need."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_pre_hook

from fallline.diagnosis.finding import Finding
from fallline.record.run import Run
from fallline.treatment.patient import Patient
from fallline.treatment.remedies import BY_NAME

Each = Callable[[torch.optim.Optimizer, Tensor], None]


def under(name: str, args: dict[str, Any]) -> ExitStack:
    """The hooks of one remedy in place."""
    patient = Patient()
    BY_NAME[name].apply(patient, args)
    return patient.operate()


def finding(code: str, **evidence: float) -> Finding:
    return Finding(code, "error", code, "seen", "why", "disproof", evidence=evidence)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def perceptron(*sizes: int, activation: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [part for a, b in itertools.pairwise(sizes) for part in (nn.Linear(a, b), activation())]
    return nn.Sequential(*layers[:-1]).double()


def train(
    model: nn.Module,
    batches: list[tuple[Tensor, Tensor]],
    lr: float = 0.1,
    before: Each | None = None,
    after: Each | None = None,
    schedule: Callable[[torch.optim.Optimizer], Any] | None = None,
) -> list[float]:
    """Losses of a training by SGD with momentum; ``before`` and ``after`` are called around each step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.5)
    made = schedule(optimizer) if schedule is not None else None
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        if before is not None:
            before(optimizer, loss)
        optimizer.step()
        if isinstance(made, torch.optim.lr_scheduler.ReduceLROnPlateau):
            made.step(loss.item())
        elif made is not None:
            made.step()
        losses.append(loss.item())
    return losses


def equal(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.allclose(p, q, rtol=1e-9, atol=1e-12) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def noisy(count: int, rows: int = 8) -> list[tuple[Tensor, Tensor]]:
    """Batches of a linear task with noise."""
    return [
        (x, x @ torch.tensor([[1.0], [-2.0]]).double() + 0.5 * normal(rows, 1, seed=1000 + i))
        for i in range(count)
        for x in [normal(rows, 2, seed=i)]
    ]


# -- schedules


def test_warm_up_is_torchs_linear_schedule() -> None:
    plain, treated, data = perceptron(2, 8, 1), perceptron(2, 8, 1), noisy(40)
    train(plain, data, schedule=lambda o: torch.optim.lr_scheduler.LinearLR(o, 1 / 20, total_iters=19))
    with under("warm-up", {"steps": 20}):
        train(treated, data)
    assert equal(plain, treated)


def test_warm_up_calms_steps_that_are_too_large_at_first() -> None:
    data = [(x, y + 10) for x, y in noisy(200, rows=32)]  # the mean has to be learned first
    plain = train(perceptron(2, 32, 32, 1, activation=nn.ReLU), data)
    with under("warm-up", {"steps": 60}):
        treated = train(perceptron(2, 32, 32, 1, activation=nn.ReLU), data)
    assert plain[-1] > 1e6
    assert max(treated[-50:]) < 1


@pytest.mark.parametrize("names", [("hold-rate",), ("hold-rate", "learning-rate"), ("learning-rate", "hold-rate")])
def test_a_held_rate_is_no_schedule_also_at_another_rate(names: tuple[str, ...]) -> None:
    plain, treated, data = perceptron(2, 8, 1), perceptron(2, 8, 1), noisy(40)
    train(plain, data, lr=0.05 if len(names) == 2 else 0.1)
    patient = Patient()
    for name in names:
        BY_NAME[name].apply(patient, {"factor": 0.5})
    with patient.operate():
        train(treated, data, schedule=lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.5))
    assert equal(plain, treated)


def test_a_rate_that_a_warm_up_never_raises_is_held_at_its_own() -> None:
    plain, treated, data = perceptron(2, 8, 1), perceptron(2, 8, 1), noisy(40)
    train(plain, data)
    with under("hold-rate", {}):
        train(treated, data, schedule=lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda step: 0.0))
    assert equal(plain, treated)


def test_holding_is_for_a_rate_that_a_schedule_took_away(record: Callable[[], Any]) -> None:
    run = record().chain(2).losses([1.0] * 100).run()
    propose = BY_NAME["hold-rate"].propose
    assert len(propose(finding("learning-rate-too-low", late=1e-9), run)) == 1
    assert propose(finding("learning-rate-too-low", moved=0.1), run) == []


def test_decay_is_torchs_on_a_plateau() -> None:
    plain, treated, data = perceptron(2, 8, 1), perceptron(2, 8, 1), noisy(200)
    train(
        plain, data, schedule=lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=10)
    )  # fmt: skip
    with under("decay-on-plateau", {"patience": 10}):
        train(treated, data)
    assert equal(plain, treated)


def test_decay_gets_below_the_noise() -> None:
    data, x = noisy(400, rows=2), normal(500, 2, seed=7)
    y = x @ torch.tensor([[1.0], [-2.0]]).double()
    plain, treated = perceptron(2, 1), perceptron(2, 1)
    train(plain, data, lr=0.2)
    with under("decay-on-plateau", {"patience": 20}):
        train(treated, data, lr=0.2)
    assert F.mse_loss(treated(x), y) < 0.3 * F.mse_loss(plain(x), y)


def test_schedules_are_for_runs_that_are_long_enough(record: Callable[[], Any]) -> None:
    short, long = (record().chain(1).losses([1.0] * n).run() for n in (20, 400))
    for name, code in (("warm-up", "loss-spike"), ("decay-on-plateau", "oscillating-loss")):
        assert BY_NAME[name].propose(finding(code), short) == []
    assert BY_NAME["warm-up"].propose(finding("loss-spike"), long)[0].args == {"steps": 40}
    assert BY_NAME["decay-on-plateau"].propose(finding("oscillating-loss"), long)[0].args == {"patience": 20}


# -- limits


def test_adaptive_clipping_leaves_each_unit_a_share_of_its_weights() -> None:
    model, (x, y) = perceptron(2, 8, 1), noisy(1)[0]
    seen: list[tuple[Tensor, Tensor]] = []

    def look(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        seen.extend((p.detach().clone(), p.grad.clone()) for g in optimizer.param_groups for p in g["params"])

    with under("adaptive-clip", {"share": 0.01, "output": ["2.weight"]}):
        handle = register_optimizer_step_pre_hook(look)
        train(model, [(x, 1e3 * y)])
        handle.remove()
    for weight, gradient in (seen[0], seen[1]):
        rows = [t.reshape(len(t), -1).norm(dim=1) for t in (weight, gradient)]
        assert (rows[1] <= 0.01 * rows[0].clamp(min=1e-3) * (1 + 1e-9)).all()
    assert seen[2][1].norm() > 1  # the output layer's weight is left alone


@pytest.mark.parametrize(
    ("name", "args"), [("adaptive-clip", {"share": 0.01, "output": []}), ("clip-value", {"value": 0.05})]
)
def test_a_limit_keeps_an_exploding_training_finite(name: str, args: dict[str, Any]) -> None:
    data = [(x, 100 * y) for x, y in noisy(60)]
    plain = train(perceptron(2, 16, 16, 1, activation=nn.ReLU), data, lr=0.05)
    with under(name, args):
        treated = train(perceptron(2, 16, 16, 1, activation=nn.ReLU), data, lr=0.05)
    assert not math.isfinite(plain[-1])
    assert treated[-1] < 2 * treated[0]


def test_clipping_by_value_is_torchs() -> None:
    plain, treated, data = perceptron(2, 8, 1), perceptron(2, 8, 1), noisy(20)
    train(plain, data, before=lambda o, loss: torch.nn.utils.clip_grad_value_(plain.parameters(), 0.01))
    with under("clip-value", {"value": 0.01}):
        train(treated, data)
    assert equal(plain, treated)


def test_the_value_is_a_root_mean_square_of_the_run(record: Callable[[], Any]) -> None:
    run = record().chain(1).losses([1.0] * 10).weigh(range(10), grad=16.0, weight=1.0).run()  # of 64 weights
    assert BY_NAME["clip-value"].propose(finding("loss-spike"), run)[0].args == {"value": 2.0}


# -- batches and ways back


def test_accumulated_batches_are_one_large_batch() -> None:
    plain, treated, data = perceptron(2, 8, 1), perceptron(2, 8, 1), noisy(40)
    large = [tuple(torch.cat(part) for part in zip(*data[i : i + 4], strict=True)) for i in range(0, 40, 4)]
    train(plain, large)  # type: ignore[arg-type]
    with under("larger-batch", {"batches": 4}):
        train(treated, data)
    assert equal(plain, treated)


def test_larger_batches_swing_less() -> None:
    data = noisy(600, rows=2)
    plain = train(perceptron(2, 1), data, lr=0.2)
    with under("larger-batch", {"batches": 4}):
        treated = train(perceptron(2, 1), data, lr=0.2)
    floor = 0.25  # the noise of the targets
    assert sum(treated[-200:]) / 200 - floor < 0.5 * (sum(plain[-200:]) / 200 - floor)


def test_a_jump_is_undone() -> None:
    data = noisy(100, rows=32)
    data[50] = (1e3 * data[50][0], -1e3 * data[50][1])
    plain = train(perceptron(2, 8, 1), data, lr=0.05)
    with under("rollback", {"jump": 5.0}):
        treated = train(perceptron(2, 8, 1), data, lr=0.05)
    clean = train(perceptron(2, 8, 1), noisy(100, rows=32), lr=0.05)
    assert treated[:50] == plain[:50]  # nothing is done before
    assert sum(plain[60:80]) > 10 * sum(clean[60:80])
    assert sum(treated[60:80]) < 2 * sum(clean[60:80])


# -- starts


def test_dead_units_are_drawn_again_and_live_ones_are_not() -> None:
    model, data = perceptron(2, 6, 1, activation=nn.ReLU), noisy(60)
    with torch.no_grad():
        model[0].bias[:5] = -100.0
    alive = model[0].weight[5].detach().clone()
    with under("revive", {"layers": [["0.weight", "0.bias"]]}):
        train(model, data[:19], lr=1e-6)
        assert (model[0].bias[:5] == -100.0).all()  # not yet
        train(model, data[:25], lr=1e-6)
    assert (model[0].bias[:5].abs() < 1e-3).all()
    assert torch.allclose(model[0].weight[5], alive, atol=1e-3)


def test_revived_units_learn() -> None:
    losses = []
    for treated in (False, True):
        model = perceptron(2, 16, 1, activation=nn.ReLU)
        with torch.no_grad():
            model[0].bias.fill_(-100.0)
        with under("revive", {"layers": [["0.weight", "0.bias"]]}) if treated else ExitStack():
            losses.append(sum(train(model, noisy(200), lr=0.05)[-50:]))
    assert losses[1] < 0.5 * losses[0]


def test_each_layers_output_varies_by_one() -> None:
    model, x = perceptron(4, 16, 16, 16, 1), 50 * normal(64, 4)
    seen: list[float] = []
    for layer in (model[0], model[2], model[4]):
        layer.register_forward_hook(lambda module, args, output: seen.append(output.std().item()))
    names = ["0", "2", "4"]
    args = {"weights": [f"{n}.weight" for n in names], "biases": [f"{n}.bias" for n in names]}
    with under("unit-variance", args):
        loss = model(x).pow(2).mean()
        loss.backward()  # the weights were changed before the pass that the graph is of
        model(x)
    assert seen == pytest.approx([1.0] * 6, rel=1e-9)


def test_a_deep_network_of_tiny_weights_learns_from_unit_variance() -> None:
    losses = []
    for treated in (False, True):
        model = perceptron(2, *[16] * 8, 1)
        names = [str(2 * i) for i in range(8)]
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(0.1)
        args = {"weights": [f"{n}.weight" for n in names], "biases": [f"{n}.bias" for n in names]}
        with under("unit-variance", args) if treated else ExitStack():
            losses.append(sum(train(model, noisy(150, rows=32), lr=0.05)[-30:]) / 30)
    assert losses[0] > 4  # the variance of the targets is 5
    assert losses[1] < 1


def test_the_output_starts_at_the_mean_of_the_targets(watched: Callable[..., Run]) -> None:
    x, y = normal(50, 2), 100 + normal(50, 1, seed=1)
    run = watched(lambda: train(perceptron(2, 8, 1), [(x, y)] * 3, lr=1e-6))
    proposed = BY_NAME["output-bias"].propose(finding("bad-initialisation"), run)
    assert proposed[0].args["values"] == [pytest.approx(float(y.mean()), rel=1e-3)]
    with under("output-bias", proposed[0].args):
        first = train(perceptron(2, 8, 1), [(x, y)], lr=1e-6)[0]
    assert first < 3
    assert "model[2].bias.copy_" in BY_NAME["output-bias"].change(proposed[0].args, run)


def test_the_output_starts_at_the_shares_of_the_classes(watched: Callable[..., Run]) -> None:
    labels = torch.tensor([0] * 95 + [1] * 5)
    x = normal(100, 2)
    model = perceptron(2, 8, 2)
    with torch.no_grad():
        model[2].bias.copy_(torch.tensor([-3.0, 3.0]))

    def once() -> float:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    run = watched(once)
    proposed = BY_NAME["output-bias"].propose(finding("bad-initialisation"), run)[0]
    assert torch.tensor(proposed.args["values"]).exp() == pytest.approx([96 / 102, 6 / 102], rel=1e-3)
    before = once()
    with under("output-bias", proposed.args):
        assert once() < 0.2 * before


def test_an_output_near_its_targets_is_left_alone(watched: Callable[..., Run]) -> None:
    run = watched(lambda: train(perceptron(2, 8, 1), noisy(3)))
    assert BY_NAME["output-bias"].propose(finding("bad-initialisation"), run) == []


class Memory(nn.Module):
    def __init__(self, cell: type[nn.RNNBase]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cell = cell(1, 12, batch_first=True).double()  # type: ignore[call-arg]
        self.out = nn.Linear(12, 1).double()

    def forward(self, x: Tensor) -> Tensor:
        last: Tensor = self.out(self.cell(x)[0][:, -1])
        return last


@pytest.mark.parametrize(("cell", "value"), [(nn.LSTM, 1.0), (nn.GRU, 4.0)])
def test_the_forget_gate_starts_open(cell: type[nn.RNNBase], value: float, watched: Callable[..., Run]) -> None:
    x, y = normal(16, 40, 1), normal(16, 1, seed=1)
    run = watched(lambda: train(Memory(cell), [(x, y)] * 2))
    proposals = BY_NAME["forget-bias"].propose(finding("vanishing-gradient"), run)
    assert [p.args for p in proposals] == [{"biases": {"cell.bias_ih_l0": 12}, "value": dose} for dose in (1.0, 4.0)]
    args = next(p.args for p in proposals if p.args["value"] == value)
    slopes = []
    for treated in (False, True):
        model = Memory(cell)
        steps = x.clone().requires_grad_()
        with under("forget-bias", args) if treated else ExitStack():
            model(steps).sum().backward()
        assert steps.grad is not None
        slopes.append(steps.grad[:, 0].norm().item())
    biases = dict(model.cell.named_parameters())
    both = biases["bias_ih_l0"] + biases["bias_hh_l0"]
    assert (both[12:24] == value).all()
    assert not (both[:12] == value).any()
    assert slopes[1] > 100 * slopes[0]  # after forty steps the first input still counts


def test_a_plain_cell_has_no_such_gate(watched: Callable[..., Run]) -> None:
    run = watched(lambda: train(Memory(nn.RNN), [(normal(4, 5, 1), normal(4, 1))] * 2))
    assert BY_NAME["forget-bias"].propose(finding("vanishing-gradient"), run) == []

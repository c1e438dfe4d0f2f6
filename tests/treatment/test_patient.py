from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fallline.treatment.patient import ACTIVATIONS, Patient, Surgery, exchange
from fallline.treatment.remedies import BY_NAME
from fallline.treatment.scaler import Scaler


def network(activation: nn.Module, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), activation, nn.Linear(6, 6), activation, nn.Linear(6, 2)).double()


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(8, 4, generator=generator).double(), torch.randn(8, 2, generator=generator).double()


class Functional(nn.Module):
    """The same network as ``network``, with a function that may work in place."""

    def __init__(self, net: nn.Sequential, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.a, self.b, self.c = net[0], net[2], net[4]
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.activation(self.b(self.activation(self.a(x)))))


FORMS: dict[str, Callable[[nn.Sequential], nn.Module]] = {
    "module": lambda net: net,
    "function": lambda net: Functional(net, torch.sigmoid),
    "method": lambda net: Functional(net, lambda x: x.sigmoid()),
    "in place": lambda net: Functional(net, torch.sigmoid_),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_activation_is_swapped_wherever_it_stands(form: str) -> None:
    net, (x, _) = network(nn.Sigmoid()), data()
    surgery = Surgery()
    for layer in (net[0], net[2]):
        surgery.edit(layer.weight).activation = ACTIVATIONS["relu"]
    with surgery:
        treated = FORMS[form](net)(x)
    assert torch.equal(treated, network(nn.ReLU())(x))


def test_a_softmax_that_is_taken_away_leaves_that_of_the_loss() -> None:
    net, (x, _) = network(nn.Tanh()), data()
    surgery = Surgery()
    surgery.edit(net[4].weight).activation = ACTIVATIONS["identity"]
    with surgery:
        choice = torch.distributions.Categorical(logits=net(x).softmax(1))
        chances = choice.probs
    torch.testing.assert_close(chances, net(x).softmax(1))


def test_data_that_asks_for_a_gradient_is_no_weight() -> None:
    net, (x, _) = network(nn.Sigmoid()), data()
    surgery = Surgery()
    for layer in (net[0], net[2]):
        surgery.edit(layer.weight).activation = ACTIVATIONS["relu"]
    with surgery:
        treated = net(x.requires_grad_())
        by_hand = torch.sigmoid(x @ net[0].weight.T + net[0].bias)
    assert torch.equal(treated, network(nn.ReLU())(x))
    assert torch.allclose(by_hand, torch.relu(net[0](x)))


def test_only_the_activations_of_edited_layers_are_swapped() -> None:
    net, (x, _) = network(nn.Sigmoid()), data()
    surgery = Surgery()
    surgery.edit(net[0].weight).activation = ACTIVATIONS["relu"]
    with surgery:
        treated = torch.sigmoid(net(x))
    expected = torch.sigmoid(net[4](torch.sigmoid(net[2](F.relu(net[0](x))))))
    assert torch.equal(treated, expected)


@pytest.mark.parametrize("kind", ["normalise", "shortcut", "bridge"])
def test_what_surgery_does_to_a_layers_output(kind: str) -> None:
    net, (x, _) = network(nn.Tanh()), data()
    surgery = Surgery()
    setattr(surgery.edit(net[2].weight), kind, True)
    with surgery:
        treated = net(x)
    h = torch.tanh(net[0](x))
    out = {"normalise": F.layer_norm(net[2](h), (6,)), "shortcut": net[2](h) + h, "bridge": h}[kind]
    assert torch.equal(treated, net[4](torch.tanh(out)))


@pytest.mark.parametrize("scheduled", [False, True])
def test_an_exchanged_optimizer_steps_like_the_real_one(scheduled: bool) -> None:
    runs = []
    for exchanged in (False, True):
        net, (x, y) = network(nn.Tanh()), data()
        optimizer: Any = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9) if exchanged else None
        optimizer = optimizer or torch.optim.Adam(net.parameters(), lr=0.01)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9) if scheduled else None
        if exchanged:
            exchange(optimizer, "Adam")
        for _ in range(20):
            optimizer.zero_grad()
            F.mse_loss(net(x), y).backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()
        runs.append([p.detach().clone() for p in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def train(
    patient: Patient | None, optimizer: str = "SGD", steps: int = 5, lr: float = 0.1, **settings: Any
) -> nn.Module:
    """A training under a patient's hooks, or a plain one."""
    model, (x, y) = network(nn.Tanh()), data()
    placed = patient.operate() if patient is not None else None
    made = getattr(torch.optim, optimizer)(model.parameters(), lr=lr, **settings)
    for _ in range(steps):
        made.zero_grad()
        F.mse_loss(model(x), y).backward()
        made.step()
    if placed is not None:
        placed.close()
    return model


def treated(name: str, args: dict[str, Any], **how: Any) -> nn.Module:
    patient = Patient()
    BY_NAME[name].apply(patient, args)
    return train(patient, **how)


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.allclose(p, q, rtol=1e-12, atol=0) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_learning_rate() -> None:
    assert same(treated("learning-rate", {"factor": 0.5, "lr": 0.05}, lr=0.1), train(None, lr=0.05))


def test_momentum() -> None:
    assert same(treated("momentum", {"momentum": 0.9}), train(None, momentum=0.9))


@pytest.mark.parametrize("asked", [False, True])
def test_momentum_of_an_update_by_hand(asked: bool, watched: Callable[..., Any]) -> None:
    """Beside the recorder, whose products with the Hessian are no updates."""
    curvature = torch.linspace(1, 100, 20, dtype=torch.float64)

    def descended(momentum: float) -> Tensor:
        w, velocity = torch.ones(20, dtype=torch.float64), torch.zeros(20, dtype=torch.float64)
        for _ in range(100):
            w.requires_grad_(True)
            loss = (curvature * w**2).sum() / 2
            if asked:
                (gradient,) = torch.autograd.grad(loss, w)
            else:
                loss.backward()
                gradient = w.grad
            velocity = momentum * velocity + gradient
            w = (w - 0.015 * velocity).detach()
        return w

    expected, found = descended(0.9), list[Tensor]()
    patient = Patient()
    BY_NAME["momentum"].apply(patient, {"momentum": 0.9})
    with patient.operate():
        run = watched(lambda: found.append(descended(0.0)))
    torch.testing.assert_close(found[0], expected, rtol=1e-9, atol=1e-12)
    assert any("values" in event.detail for event in run.events_of("curvature"))


def test_optimizer() -> None:
    args = {"to": "Adam", "lr": 0.01, "instead_of": "SGD"}
    assert same(treated("optimizer", args), train(None, optimizer="Adam", lr=0.01))


def test_clipping_bounds_every_update() -> None:
    """Plain gradient descent moves by lr times the clipped gradient's norm."""
    before = train(None, steps=0)
    after = treated("clip-gradient", {"max_norm": 1e-3}, steps=1, lr=1.0)
    moved = torch.cat([(q - p).flatten() for p, q in zip(before.parameters(), after.parameters(), strict=True)])
    assert float(moved.detach().norm()) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(("scheme", "std"), [("kaiming", 2 / 64), ("xavier", 2 / 128), ("lecun", 1 / 64)])
def test_initial_weights_have_the_variance_of_their_scheme(scheme: str, std: float) -> None:
    model = nn.Sequential(nn.Linear(64, 64))
    patient = Patient()
    activation = "relu" if scheme == "kaiming" else "linear"
    args = {"weights": {"0.weight": [scheme, activation]}, "biases": ["0.bias"]}
    BY_NAME["initialise"].apply(patient, args)
    state = torch.get_rng_state()
    with patient.operate():
        model(torch.zeros(1, 64))
    assert torch.equal(torch.get_rng_state(), state)  # the order of the data stays as it was
    assert float(model[0].weight.detach().var()) == pytest.approx(std, rel=0.1)
    assert not model[0].bias.any()


def test_plain_tensors_start_anew_before_they_are_used() -> None:
    """Else the gradient of the old weights would reach the optimizer, which may remember it for long."""
    torch.manual_seed(0)
    recurrence, x = torch.full((4, 4), 1e6, requires_grad=True), torch.randn(8, 4)
    patient = Patient()
    BY_NAME["initialise"].apply(patient, {"weights": {"recurrence": ["identity", "linear"]}, "biases": []})
    with patient.operate():
        (x @ recurrence).square().sum().backward()
    torch.testing.assert_close(recurrence.detach(), torch.eye(4))
    torch.testing.assert_close(recurrence.grad, 2 * x.T @ x)


class Plain(nn.Module):
    """Its weight is no parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.w_p = torch.ones(4, 2).double()
        self.bias = nn.Parameter(torch.zeros(2).double())

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.w_p + self.bias


def test_plain_weights_are_trained() -> None:
    model, (x, y) = Plain(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    patient = Patient()
    BY_NAME["register-parameters"].apply(patient, {"parameters": ["w_p"], "hidden": True, "plain": True})
    with patient.operate():
        F.mse_loss(model(x), y).backward()
        optimizer.step()
    assert model.w_p.grad is None  # cleared after the step
    assert not torch.equal(model.w_p.detach(), torch.ones(4, 2).double())


def test_zero_grad_after_every_step() -> None:
    model, (x, y) = network(nn.Tanh()), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    patient = Patient()
    BY_NAME["zero-grad"].apply(patient, {})
    with patient.operate():
        F.mse_loss(model(x), y).backward()
        optimizer.step()
    assert all(p.grad is None for p in model.parameters())


def test_gradients_by_hand_are_kept_while_they_are_gathered() -> None:
    w, (x, y) = torch.ones(4, 2, dtype=torch.float64, requires_grad=True), data()
    patient = Patient()
    BY_NAME["zero-grad"].apply(patient, {})
    with patient.operate():
        for _ in range(2):
            F.mse_loss(x @ w, y).backward()
        gathered = w.grad
        assert gathered is not None
        (once,) = torch.autograd.grad(F.mse_loss(x @ w, y), w)
        assert torch.allclose(gathered, 2 * once)
        with torch.no_grad():
            w -= 0.1 * gathered
        F.mse_loss(x @ w, y).backward()
        (once,) = torch.autograd.grad(F.mse_loss(x @ w, y), w)
        assert w.grad is not None
        assert torch.allclose(w.grad, once)


class Hiding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = [nn.Linear(4, 4)]
        self.out = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(self.hidden[0](x)))


def test_hidden_parameters_are_handed_to_the_optimizer() -> None:
    torch.manual_seed(0)
    model, (x, y) = Hiding().double(), data()
    model.hidden[0].double()
    start = model.hidden[0].weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    patient = Patient()
    BY_NAME["register-parameters"].apply(
        patient, {"parameters": ["hidden[0].weight", "hidden[0].bias"], "hidden": True}
    )
    with patient.operate():
        for _ in range(2):
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            optimizer.step()
    assert not torch.equal(model.hidden[0].weight, start)


def test_a_layer_that_takes_the_place_of_a_known_one_is_handed_to_the_optimizer() -> None:
    torch.manual_seed(0)
    model, (x, y) = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)).double(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    patient = Patient()
    BY_NAME["register-parameters"].apply(patient, {"parameters": ["1.weight", "1.bias"], "hidden": False})
    with patient.operate():
        for update in range(6):
            if update == 2:
                start = nn.Linear(4, 2).double()
                model[1] = copy.deepcopy(start)
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            optimizer.step()
    assert not torch.equal(model[1].weight, start.weight)


def test_an_update_that_is_left_out_leaves_no_trace_in_a_buffer() -> None:
    model, patient = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)), Patient()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    BY_NAME["skip-non-finite"].apply(patient, {})
    with patient.operate():
        for x in (torch.randn(4, 2), torch.full((4, 2), math.nan), torch.randn(4, 2)):
            before = model[1].running_mean.clone()
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
            assert torch.equal(model[1].running_mean, before) == bool(x.isnan().any())
    assert all(bool(torch.isfinite(value).all()) for value in model.state_dict().values())


def test_everything_is_removed_again() -> None:
    backward = torch.autograd.backward
    with Patient().operate():
        assert torch.autograd.backward is not backward
    assert torch.autograd.backward is backward
    x = torch.ones(1)
    assert torch.equal(torch.sigmoid(x), 1 / (1 + torch.exp(-x)))


def test_changes_of_the_same_calls_come_in_turn() -> None:
    surgery = Surgery()
    for factor in (2.0, 3.0):
        surgery.on({"relu": lambda call, factor=factor: (call[0], (call[1][0] * factor + 1, *call[1][1:]), call[2])})
    with surgery:
        assert float(F.relu(torch.tensor(1.0))) == 3 * (2 * 1 + 1) + 1


def test_softmax_over_one_unit_becomes_sigmoid() -> None:
    layer, (x, _) = nn.Linear(4, 1).double(), data()
    surgery = Surgery()
    surgery.edit(layer.weight).activation = ACTIVATIONS["sigmoid"]
    with surgery:
        treated = F.softmax(layer(x), dim=1)
    assert torch.equal(treated, torch.sigmoid(layer(x)))


def test_gradients_that_are_asked_for_are_treated_too() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    plain = torch.autograd.grad((w**2).sum(), w)[0]
    patient = Patient()
    BY_NAME["learning-rate"].apply(patient, {"factor": 0.1})
    with patient.operate():
        (treated,) = torch.autograd.grad((w**2).sum(), [w])
        second = torch.autograd.grad((w**2).sum(), w, create_graph=True)[0]
    assert torch.equal(treated, 0.1 * plain)
    assert torch.equal(second, plain)
    assert w.grad is None
    assert torch.equal(torch.autograd.grad((w**2).sum(), w)[0], plain)


@pytest.mark.parametrize("name", ["scale-inputs", "normalise", "shortcut"])
def test_samples_may_be_columns(name: str) -> None:
    x, _ = data()
    w = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
    outputs = []
    for product in (lambda: x @ w.T, lambda: (w @ x.T).T):
        patient = Patient()
        edit = patient.surgery.edit(w)
        edit.scaler = Scaler() if name == "scale-inputs" else None
        edit.normalise, edit.shortcut = name == "normalise", name == "shortcut"
        with patient.operate():
            outputs.append(product())
    assert torch.allclose(*outputs)
    assert not torch.allclose(outputs[0], x @ w.T)


def test_a_closure_is_treated_too() -> None:
    net, (x, y) = network(nn.Sigmoid()), data()
    other = network(nn.ReLU())
    for model, weights in ((net, (net[0], net[2])), (other, ())):
        patient = Patient()
        for layer in weights:
            patient.surgery.edit(layer.weight).activation = ACTIVATIONS["relu"]
        with patient.operate():
            optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)

            def closure(model: nn.Module = model, optimizer: torch.optim.Optimizer = optimizer) -> float:
                optimizer.zero_grad()
                loss = F.mse_loss(model(x), y)
                loss.backward()
                return loss.item()

            optimizer.step(closure)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))


def test_a_model_that_is_made_again_is_found_again() -> None:
    patient, found = Patient(), list[Tensor]()
    patient.when_each_ready(["0.weight", "model_2.0.weight", "model_3.0.weight"], found.extend)
    held = []
    with patient.operate():
        for seed in range(5):  # also more often than was seen
            model = network(nn.Tanh(), seed)
            held.append(model[0].weight)
            for _ in range(2):
                model(data()[0])
    assert [id(weight) for weight in found] == [id(weight) for weight in held]


class Numbered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc_1, self.fc_2 = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc_2(torch.tanh(self.fc_1(x)))


def test_a_layer_s_own_number_is_no_model_s() -> None:
    patient, found = Patient(), list[Tensor]()
    patient.when_each_ready(["fc_1.weight"], found.extend)
    with patient.operate():
        numbered = Numbered()
        for _ in range(3):
            numbered(torch.ones(2, 4))
    assert [id(weight) for weight in found] == [id(numbered.fc_1.weight)]


def test_each_fold_s_model_is_handed_to_the_optimizer_of_the_first() -> None:
    patient = Patient()
    names = [f"{root}{layer}.weight" for root in ("", "model_2.") for layer in (0, 2, 4)]
    BY_NAME["register-parameters"].apply(patient, {"parameters": names, "hidden": False})
    x, y = data()
    with patient.operate():
        model = network(nn.Tanh())
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for seed in (1, 2, 3):  # the third was not seen
            model = network(nn.Tanh(), seed)
            for _ in range(3):
                optimizer.zero_grad()
                F.mse_loss(model(x), y).backward()
                optimizer.step()
            held = {id(p) for group in optimizer.param_groups for p in group["params"]}
            assert {id(model[layer].weight) for layer in (0, 2, 4)} <= held
            assert not torch.equal(model[0].weight, network(nn.Tanh(), seed)[0].weight)

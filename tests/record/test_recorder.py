"""What the recorder writes, against autograd in double precision."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import contextlib
import copy
import gc
import itertools
import math
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from torch.utils.checkpoint import checkpoint

from fallline.diagnosis.diagnose import diagnose
from fallline.record import catalog, recorder
from fallline.record.observer import Observer
from fallline.record.recorder import Recorder, StopTraining
from fallline.record.run import Run, Training, read
from fallline.record.schedule import ALLOWANCE, FIRST
from fallline.record.store import FLUSH_SECONDS, Store

Watched = Callable[..., Run]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + sum(shape)))


X, Y = random(12, 3), random(12, 2)
SIZES = (3, 5, 4, 2)


def weights() -> list[tuple[Tensor, Tensor]]:
    """Weights (in, out) and biases of three layers."""
    return [(random(a, b) / a**0.5, 0.1 * random(b)) for a, b in itertools.pairwise(SIZES)]


def cell(run: Run, column: str, layer: int, step: int = 0) -> float:
    rows = run.layer_stats.where(layer=layer, step=step)
    assert len(rows) == 1
    return float(rows[column][0])


def parameter_cell(run: Run, column: str, name: str, step: int = 0) -> float:
    (number,) = (p.id for p in run.parameters if p.name == name)
    rows = run.parameter_stats.where(parameter=number, step=step)
    assert len(rows) == 1
    return float(rows[column][0])


def only(run: Run) -> Training:
    (training,) = run.trainings
    return training


def norm(tensor: Tensor) -> float:
    return float(tensor.detach().norm())


# -- one network, written in five ways, and its reference ------------------------------------------------------------


def reference(activation: Callable[[Tensor], Tensor]) -> list[dict[str, float]]:
    """For each layer, by autograd from the definition: gradients, slope, dead share, input sizes."""
    h, steps = X, []
    for i, (w, b) in enumerate(weights()):
        h = h.detach().requires_grad_() if i == 0 else h
        z = h @ w + b
        z.retain_grad()
        a = activation(z) if i < 2 else z
        a.retain_grad()
        steps.append((h, z, a))
        h = a
    F.mse_loss(h, Y).backward()
    found = []
    for i, (h, z, a) in enumerate(steps):
        assert h.grad is not None
        assert z.grad is not None
        assert a.grad is not None
        row = {"grad_out": norm(z.grad), "in_rms": norm(h) / h.numel() ** 0.5}
        row["in_spread"] = float(np.sqrt(h.detach().numpy().var(axis=0).mean()))
        row["grad_in"] = norm(h.grad) if i else math.nan  # the data asks for no gradient
        if i < 2:
            row["slope"] = norm(z.grad) / norm(a.grad)
            row["dead"] = float(((z.grad == 0).all(0) & (a.grad != 0).any(0)).double().mean())
        found.append(row)
    return found


Write = Callable[[str], tuple[Callable[[Tensor], Tensor], list[Tensor]]]
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
}


def as_modules(activation: str, inplace: bool = False) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    kind: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}
    acts = [kind[activation](**({"inplace": True} if inplace else {})) for _ in range(2)]
    linears = [nn.Linear(a, b).double() for a, b in itertools.pairwise(SIZES)]
    with torch.no_grad():
        for linear, (w, b) in zip(linears, weights(), strict=True):
            linear.weight.copy_(w.T)
            linear.bias.copy_(b)
    model = nn.Sequential(linears[0], acts[0], linears[1], acts[1], linears[2])
    return model, list(model.parameters())


def in_place(activation: str) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    if activation == "relu":
        return as_modules(activation, inplace=True)
    params = [t.clone().requires_grad_() for pair in weights() for t in pair]
    change: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh_, "sigmoid": torch.sigmoid_}

    def forward(x: Tensor) -> Tensor:
        h = change[activation](x @ params[0] + params[1])
        return change[activation](h @ params[2] + params[3]) @ params[4] + params[5]

    return forward, params


def functional(activation: str) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    params = [t.clone().requires_grad_() for w, b in weights() for t in (w.T, b)]

    def forward(x: Tensor) -> Tensor:
        h = FUNCTIONS[activation](F.linear(x, params[0], params[1]))
        h = FUNCTIONS[activation](F.linear(h, params[2], params[3]))
        return F.linear(h, params[4], params[5])

    return forward, params


def by_hand(activation: str) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    params = [t.clone().requires_grad_() for pair in weights() for t in pair]

    def forward(x: Tensor) -> Tensor:
        h = FUNCTIONS[activation](x @ params[0] + params[1])
        return FUNCTIONS[activation](h @ params[2] + params[3]) @ params[4] + params[5]

    return forward, params


def checkpointed(activation: str) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    model, params = as_modules(activation)
    return lambda x: checkpoint(model, x, use_reentrant=False), params


def cases() -> Iterator[Any]:
    for write in (as_modules, functional, by_hand, in_place, checkpointed):
        for activation in FUNCTIONS:
            if not (write is in_place and activation == "gelu"):
                yield pytest.param(write, activation, id=f"{write.__name__}-{activation}")


@pytest.mark.parametrize(("write", "activation"), list(cases()))
def test_every_number_of_every_layer(write: Write, activation: str, watched: Watched) -> None:
    forward, params = write(activation)
    optimizer = torch.optim.SGD(params, lr=0.1)

    def train() -> None:
        F.mse_loss(forward(X), Y).backward()
        optimizer.step()

    run = watched(train)
    assert len(run.layers) == 3
    for layer, expected in enumerate(reference(FUNCTIONS[activation])):
        assert run.layers[layer].activation == (activation if layer < 2 else "")
        assert run.layers[layer].sources == ((layer - 1,) if layer else ())
        assert run.layers[layer].units == SIZES[layer + 1]
        assert run.layers[layer].fan_in == SIZES[layer]
        assert run.layers[layer].output == (layer == 2)
        assert cell(run, "calls", layer) == 1
        if write is checkpointed:
            expected |= {"in_rms": math.nan, "in_spread": math.nan}  # not kept, and never recomputed for this
        for name, value in expected.items():
            assert cell(run, name, layer) == pytest.approx(value, rel=1e-12, nan_ok=True), name


def test_dead_units_and_their_window(watched: Watched) -> None:
    model: Any = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        model[0].bias.copy_(torch.tensor([9.0, -9.0, 9.0, 9.0]))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)

    def train() -> None:
        for i in range(9):
            if i == 8:
                with torch.no_grad():
                    model[0].bias[1] = 9.0
            optimizer.zero_grad()
            F.mse_loss(model(X), Y).backward()
            optimizer.step()

    run = watched(train)
    assert [cell(run, "dead", 0, s) for s in range(9)] == [0.25] * 8 + [0]
    window = [cell(run, "dead_window", 0, s) for s in range(9)]
    assert window == [0.0] * 4 + [0.25] * 4 + [0.0]  # dead once it got nothing in five measured updates in a row


def test_flat_share(watched: Watched) -> None:
    model: Any = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        model[0].weight *= 10
    z = model[0](X).detach()

    def train() -> None:
        F.mse_loss(model(X), Y).backward()
        torch.optim.SGD(model.parameters(), lr=0.1).step()

    slope = torch.sigmoid(z) * (1 - torch.sigmoid(z))
    assert 0.1 < float((slope < 0.05 / 4).double().mean()) < 0.9
    assert cell(watched(train), "flat", 0) == pytest.approx(float((slope < 0.05 / 4).double().mean()))


# -- other layers ----------------------------------------------------------------------------------------------------


def test_convolutions(watched: Watched) -> None:
    torch.manual_seed(0)
    model: Any = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(3, 4, 2), nn.Tanh(),
        nn.Flatten(), nn.Linear(64, 3),
    ).double()  # fmt: skip
    x, y = random(5, 2, 12, 12), torch.tensor([0, 1, 2, 1, 0])
    values: list[Tensor] = []

    def keep(h: Tensor) -> Tensor:
        h.retain_grad()
        values.append(h)
        return h

    h = model[3](torch.relu(model[1](keep(model[0](x)))))
    h = torch.tanh(keep(model[4](keep(h))))
    F.cross_entropy(keep(model[7](keep(h).flatten(1))), y).backward()
    model.zero_grad()
    conv1, pooled, conv2, tanh, linear = (norm(value.grad) for value in values if value.grad is not None)
    optimizer = torch.optim.Adam(model.parameters())

    def train() -> None:
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    run = watched(train, model=model)
    assert [layer.kind for layer in run.layers] == ["conv", "conv", "linear"]
    assert [cell(run, "grad_out", i) for i in range(3)] == pytest.approx([conv1, conv2, linear], rel=1e-10)
    assert [cell(run, "grad_in", i) for i in (1, 2)] == pytest.approx([pooled, tanh], rel=1e-10)
    assert cell(run, "in_rms", 0) == pytest.approx(norm(x) / x.numel() ** 0.5)
    assert cell(run, "slope", 1) == pytest.approx(conv2 / tanh, rel=1e-10)
    assert [(layer.units, layer.fan_in) for layer in run.layers[:2]] == [(3, 18), (4, 12)]
    assert run.layers[0].ops == ()
    assert "maxpool2dwithindices" in run.layers[1].ops


def test_gradient_through_time(watched: Watched) -> None:
    steps, x = 7, random(7, 4, 3)
    rnn: Any = nn.RNN(3, 5).double()
    head = nn.Linear(5, 1).double()
    params = [*rnn.parameters(), *head.parameters()]

    def loss(hidden: Tensor) -> Tensor:
        value: Tensor = head(hidden).square().mean()
        return value

    h, sums = torch.zeros(4, 5, dtype=torch.float64), []
    for t in range(steps):  # the definition of nn.RNN
        recurrent = h @ rnn.weight_hh_l0.T + rnn.bias_hh_l0
        recurrent.retain_grad()
        sums.append(recurrent)
        h = torch.tanh(x[t] @ rnn.weight_ih_l0.T + rnn.bias_ih_l0 + recurrent)
    loss(h).backward()
    grads = [norm(s.grad) for s in sums if s.grad is not None]
    for p in params:
        p.grad = None
    optimizer = torch.optim.SGD(params, lr=0.1)

    def train() -> None:
        loss(rnn(x)[0][-1]).backward()
        optimizer.step()

    run = watched(train)
    (layer,) = (layer for layer in run.layers if layer.recurrent)
    assert layer.name.endswith("weight_hh_l0")
    assert cell(run, "calls", layer.id) == steps
    assert cell(run, "grad_first", layer.id) == pytest.approx(grads[0], rel=1e-10)
    assert cell(run, "grad_last", layer.id) == pytest.approx(grads[-1], rel=1e-10)
    assert cell(run, "grad_out", layer.id) == pytest.approx(math.hypot(*grads), rel=1e-10)
    assert cell(run, "grad_first", layer.id) < cell(run, "grad_last", layer.id)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gradient_through_gated_time(kind: str, watched: Watched) -> None:
    """Against the definition of the cell, written out: the gradient at what the recurrent weight adds at each step."""
    torch.manual_seed(0)
    net = getattr(nn, kind)(3, 4).double()
    x = random(6, 2, 3)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def train() -> None:
        net(x)[0][-1].square().sum().backward()
        optimizer.step()

    h, sums = (torch.zeros(2, 4, dtype=torch.float64),) * 2, []
    for t in range(6):
        gates = h[0] @ net.weight_hh_l0.T + net.bias_hh_l0
        gates.retain_grad()
        sums.append(gates)
        i = x[t] @ net.weight_ih_l0.T + net.bias_ih_l0
        if kind == "LSTM":
            a, f, g, o = (i + gates).chunk(4, 1)
            c = f.sigmoid() * h[1] + a.sigmoid() * g.tanh()
            h = (o.sigmoid() * c.tanh(), c)
        else:
            (ri, zi, ni), (rh, zh, nh) = i.chunk(3, 1), gates.chunk(3, 1)
            n, z = (ni + (ri + rh).sigmoid() * nh).tanh(), (zi + zh).sigmoid()
            h = ((1 - z) * n + z * h[0],) * 2
    h[0].square().sum().backward()
    net.zero_grad()
    grads = [norm(s.grad) for s in sums if s.grad is not None]
    run = watched(train)
    (layer,) = (layer for layer in run.layers if layer.recurrent)
    assert cell(run, "calls", layer.id) == 6
    assert cell(run, "grad_first", layer.id) == pytest.approx(grads[0], rel=1e-10)
    assert cell(run, "grad_last", layer.id) == pytest.approx(grads[-1], rel=1e-10)


def test_a_weight_used_twice_counts_both_uses(watched: Watched) -> None:
    w = random(3, 3).requires_grad_()
    a = X @ w
    b = torch.tanh(a) @ w
    grads = torch.autograd.grad(b.square().mean(), [a, b])

    def train() -> None:
        (torch.tanh(X @ w) @ w).square().mean().backward()
        torch.optim.SGD([w], lr=0.1).step()

    run = watched(train)
    assert cell(run, "calls", 0) == 2
    assert cell(run, "grad_out", 0) == pytest.approx(math.hypot(*map(norm, grads)), rel=1e-12)


def test_input_that_asks_for_a_gradient(watched: Watched) -> None:
    x = X.clone().requires_grad_()
    model: Any = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    (expected,) = torch.autograd.grad(F.mse_loss(model(x), Y), x)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train() -> None:
        F.mse_loss(model(x), Y).backward()
        optimizer.step()

    run = watched(train)
    assert [layer.units for layer in run.layers] == [4, 2]
    assert cell(run, "grad_in", 0) == pytest.approx(norm(expected), rel=1e-12)


# -- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda p: torch.optim.Adam(p, lr=0.05),
        lambda p: torch.optim.AdamW(p, lr=0.05),
        lambda p: torch.optim.RMSprop(p, lr=0.01),
        lambda p: torch.optim.Adagrad(p, lr=0.1),
        lambda p: torch.optim.Rprop(p),
    ],
)
def test_norms_of_parameters(make: Callable[[list[Tensor]], Optimizer], watched: Watched) -> None:
    torch.manual_seed(0)
    model: Any = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    optimizer = make(list(model.parameters()))
    grads, weights, starts = [], [], [p.detach().clone() for p in model.parameters()]

    def train() -> None:
        for _ in range(4):
            optimizer.zero_grad()
            F.mse_loss(model(X), Y).backward()
            grads.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
            optimizer.step()
            weights.append([p.detach().clone() for p in model.parameters()])

    run = watched(train, model=model)
    for step in range(4):
        before = weights[step - 1] if step else starts
        for i, (name, _) in enumerate(model.named_parameters()):
            assert parameter_cell(run, "grad", name, step) == pytest.approx(norm(grads[step][i]), rel=1e-12)
            assert parameter_cell(run, "weight", name, step) == pytest.approx(norm(weights[step][i]), rel=1e-12)
            update, moved = norm(weights[step][i] - before[i]), norm(weights[step][i] - starts[i])
            assert parameter_cell(run, "update_norm", name, step) == pytest.approx(update, rel=1e-9)
            assert parameter_cell(run, "displacement", name, step) == pytest.approx(moved, rel=1e-9)
    steps, total = run.trainings[0].total("grad")
    assert total == pytest.approx([math.hypot(*(norm(g) for g in row)) for row in grads])
    assert steps.tolist() == [0, 1, 2, 3]


def test_displacement_of_a_large_parameter_is_estimated(watched: Watched) -> None:
    w = random(100, 1000).requires_grad_()
    target = random(100, 1000, seed=1)
    start = w.detach().clone()

    def train() -> None:
        ((w - target) ** 2).sum().backward()
        torch.optim.SGD([w], lr=0.1).step()

    run = watched(train)
    assert run.parameter_stats["displacement"][0] == pytest.approx(norm(w.detach() - start), rel=0.05)


def test_twins_of_symmetric_units(watched: Watched) -> None:
    model: Any = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        model[0].weight[1] = model[0].weight[0]
        model[0].bias[1] = model[0].bias[0]
        model[2].weight[:, 1] = model[2].weight[:, 0]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train() -> None:
        F.mse_loss(model(X), Y).backward()
        optimizer.step()

    run = watched(train, model=model)
    assert parameter_cell(run, "twins", "0.weight") == 0.5
    assert parameter_cell(run, "twins", "2.weight") == 0.0  # its units are its rows
    assert math.isnan(parameter_cell(run, "twins", "0.bias"))


def test_complex_and_half_and_sparse_parameters(watched: Watched) -> None:
    torch.manual_seed(0)
    table = nn.Embedding(9, 4, sparse=True)
    mix = nn.Parameter(torch.randn(4, 4, dtype=torch.cfloat))
    head = nn.Linear(4, 1).bfloat16()
    optimizers = [torch.optim.SGD([mix, *head.parameters()], lr=0.1), torch.optim.SparseAdam(table.parameters())]
    seen = {}

    def train() -> None:
        h = table(torch.tensor([1, 2, 2, 5])).to(torch.cfloat) @ mix
        head(h.abs().bfloat16()).square().mean().backward()
        assert table.weight.grad is not None
        assert mix.grad is not None
        seen["sparse"] = norm(table.weight.grad.to_dense())
        seen["mix"] = math.hypot(norm(mix.grad.real), norm(mix.grad.imag))
        for optimizer in optimizers:
            optimizer.step()

    run = watched(train)
    names = {p.name: p.id for p in run.parameters}
    stats = {
        int(i): float(g) for i, g in zip(run.parameter_stats["parameter"], run.parameter_stats["grad"], strict=True)
    }
    assert stats[names["mix"]] == pytest.approx(seen["mix"], rel=1e-5)
    assert stats[next(i for n, i in names.items() if n.startswith("table"))] == pytest.approx(seen["sparse"], rel=1e-5)
    assert np.isfinite(run.layer_stats["grad_out"]).all()


# -- losses and updates ----------------------------------------------------------------------------------------------


def linear_model() -> tuple[nn.Linear, Optimizer]:
    torch.manual_seed(0)
    model = nn.Linear(3, 2).double()
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def test_losses_are_those_of_the_program(watched: Watched) -> None:
    model, optimizer = linear_model()
    losses = []

    def train() -> None:
        for _ in range(100):
            optimizer.zero_grad()
            loss = F.mse_loss(model(X), Y)
            loss.backward()
            losses.append(loss.item())
            optimizer.step()

    run = watched(train, budget=0.03)
    assert only(run).loss.tolist() == losses
    assert run.steps["step"].tolist() == list(range(100))
    assert set(run.steps["lr"]) == {0.1}
    assert set(run.steps["backwards"]) == {1}
    assert only(run).optimizer.kind == "SGD"
    assert only(run).optimizer.name == "optimizer"
    assert only(run).optimizer.settings["lr"] == 0.1


def test_gradient_accumulation(watched: Watched) -> None:
    model, optimizer = linear_model()

    def train() -> None:
        for part in (0, 1):
            (F.mse_loss(model(X[6 * part : 6 * part + 6]), Y[6 * part : 6 * part + 6]) / 2).backward()
        optimizer.step()

    grads = []
    for part in (0, 1):
        out = model(X[6 * part : 6 * part + 6])
        grads.append(torch.autograd.grad(F.mse_loss(out, Y[6 * part : 6 * part + 6]) / 2, out)[0])
    whole = torch.autograd.grad(F.mse_loss(model(X), Y), list(model.parameters()))
    run = watched(train, model=model)
    assert run.steps["backwards"].tolist() == [2]
    assert cell(run, "grad_out", 0) == pytest.approx(math.hypot(*map(norm, grads)), rel=1e-12)
    assert parameter_cell(run, "grad", "weight") == pytest.approx(norm(whole[0]), rel=1e-12)


def test_a_scaler_leaves_no_trace_in_the_numbers(watched: Watched) -> None:
    model, optimizer = linear_model()
    twin, plain = linear_model()
    scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)

    def scaled() -> None:
        for _ in range(3):
            optimizer.zero_grad()
            scaler.scale(F.mse_loss(model(X), Y)).backward()
            scaler.step(optimizer)
            scaler.update()

    def unscaled() -> None:
        for _ in range(3):
            plain.zero_grad()
            F.mse_loss(twin(X), Y).backward()
            plain.step()

    with_scaler, without = watched(scaled, model=model), watched(unscaled, model=twin)
    assert with_scaler.steps["loss"] == pytest.approx(without.steps["loss"], rel=1e-12)
    for column in ("grad_out", "in_rms"):
        assert with_scaler.layer_stats[column] == pytest.approx(without.layer_stats[column], rel=1e-12)
    for column in ("grad", "update_norm", "weight"):
        assert with_scaler.parameter_stats[column] == pytest.approx(without.parameter_stats[column], rel=1e-12)
    assert [s.detail["factor"] for s in with_scaler.sights] == [1.0] * 3


def test_a_step_the_scaler_skips_is_no_update(watched: Watched) -> None:
    model, optimizer = linear_model()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)

    def train() -> None:
        for factor in (1.0, math.inf, 1.0):
            optimizer.zero_grad()
            scaler.scale(F.mse_loss(model(X), Y) * factor).backward()
            scaler.step(optimizer)
            scaler.update()

    assert len(watched(train).steps) == 2


def test_lbfgs_counts_its_evaluations(watched: Watched) -> None:
    model, _ = linear_model()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
    losses: list[float] = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(model(X), Y)
        loss.backward()
        losses.append(loss.item())
        return loss

    def train() -> None:
        for _ in range(2):
            optimizer.step(closure)

    run = watched(train)
    assert len(run.steps) == 2
    assert run.steps["backwards"].sum() == len(losses)


@pytest.mark.parametrize("keyword", [True, False])
def test_gradients_of_a_closure_are_those_of_its_own_step(keyword: bool, watched: Watched) -> None:
    """Lightning hands a closure to every optimizer; before the step the gradients are still those of the last one."""
    model, optimizer = linear_model()
    twin, plain = linear_model()

    def closure() -> Any:
        optimizer.zero_grad()
        loss = F.mse_loss(model(X), Y)
        loss.backward()
        return loss

    def with_closure() -> None:
        for _ in range(12):
            _ = optimizer.step(closure=closure) if keyword else optimizer.step(closure)

    def without() -> None:
        for _ in range(12):
            plain.zero_grad()
            F.mse_loss(twin(X), Y).backward()
            plain.step()

    a, b = watched(with_closure, model=model), watched(without, model=twin)
    assert a.steps["loss"].tolist() == b.steps["loss"].tolist()
    for column in ("step", "grad", "weight", "update_norm", "displacement"):
        assert a.parameter_stats[column] == pytest.approx(b.parameter_stats[column], rel=1e-12), column
    assert [e.detail for e in a.events_of("carried")] == [e.detail for e in b.events_of("carried")]


@pytest.mark.parametrize("equation", [True, False])
def test_a_layer_in_a_derivative_is_not_used_once_more_in_time(equation: bool, watched: Watched) -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def train() -> None:
        for _ in range(4):
            x = torch.rand(6, 2, dtype=torch.float64, requires_grad=True)
            u = model(x)
            optimizer.zero_grad()
            if equation:
                (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
                (bent,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
                u = u + bent.sum(1, keepdim=True)
            u.square().mean().backward()
            optimizer.step()

    run = watched(train, model=model)
    assert [event.step for event in run.events_of("derivative")] == [0] * equation
    assert [layer.recurrent for layer in run.layers] == [False] * 3
    assert [layer.activation for layer in run.layers] == ["tanh", "tanh", ""]


def test_two_optimizers_in_turns_are_two_trainings(watched: Watched) -> None:
    model, first = linear_model()
    other, second = linear_model()

    def train() -> None:
        for _ in range(6):
            for net, optimizer, sign in ((model, first, 1), (other, second, 2)):
                optimizer.zero_grad()
                (sign * F.mse_loss(net(X), Y)).backward()
                optimizer.step()

    a, b = watched(train).trainings
    assert (len(a.loss), len(b.loss)) == (6, 6)
    assert b.loss[0] == 2 * a.loss[0]
    assert [layer.id for layer in a.layers] == [0]
    assert [layer.id for layer in b.layers] == [1]
    assert not a.contested


@pytest.mark.parametrize("first", [True, False])
def test_learners_that_are_made_anew_for_each_task_do_not_fill_the_record(
    first: bool, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "SAME", 16)
    monkeypatch.setattr(catalog, "FORMER", 60)
    meta, optimizer = linear_model()

    def train() -> None:
        for task in range(100):
            learner = copy.deepcopy(meta)
            inner = torch.optim.SGD(learner.parameters(), lr=0.1)
            for _ in range(2):
                inner.zero_grad()
                F.mse_loss(learner(X), Y).backward()
                inner.step()
            if first or task >= 20:
                optimizer.zero_grad()
                F.mse_loss(meta(X), Y).backward()
                optimizer.step()

    run = watched(train, model=meta)
    made, lasting = (300, 100) if first else (280, 80 - catalog.LASTING // 2)  # of the one that learns from all tasks
    assert sorted(len(t.loss) for t in run.trainings) == [2] * (catalog.SAME - first) + [lasting]
    assert (run.steps["optimizer"] == catalog.OTHERS).sum() == made - lasting - 2 * (catalog.SAME - first)
    assert len(run.parameters) <= 60 + 2 * len(list(meta.parameters()))
    assert len(run.models) <= len(run.parameters)
    assert run.crowded


def test_optimizer_steps_without_a_backward(watched: Watched) -> None:
    """Gradients set by hand, as in evolution strategies: no loss is seen, and none is invented."""
    model, optimizer = linear_model()

    def train() -> None:
        for _ in range(3):
            for p in model.parameters():
                p.grad = torch.ones_like(p)
            optimizer.step()

    run = watched(train, model=model)
    assert len(run.steps) == 3
    assert np.isnan(run.steps["loss"]).all()
    assert run.steps["backwards"].tolist() == [0, 0, 0]
    assert parameter_cell(run, "update_norm", "weight") == pytest.approx(0.1 * 6**0.5)
    assert not list(run.events_of("non-finite"))


# -- updates by hand -------------------------------------------------------------------------------------------------


def start() -> tuple[Tensor, Tensor]:
    return random(3, 2).requires_grad_(), random(2).requires_grad_()


def hand_in_place() -> None:
    w, b = start()
    for _ in range(5):
        F.mse_loss(X @ w + b, Y).backward()
        with torch.no_grad():
            for p in (w, b):
                assert p.grad is not None
                p -= 0.1 * p.grad
                p.grad.zero_()


def hand_through_data() -> None:
    w, b = start()
    for _ in range(5):
        F.mse_loss(X @ w + b, Y).backward()
        for p in (w, b):
            assert p.grad is not None
            p.data = p.data - 0.1 * p.grad
            p.grad = None


def hand_with_new_tensors() -> None:
    w, b = start()
    for _ in range(5):
        F.mse_loss(X @ w + b, Y).backward()
        assert w.grad is not None
        assert b.grad is not None
        w = (w - 0.1 * w.grad).detach().requires_grad_()
        b = (b - 0.1 * b.grad).detach().requires_grad_()


def hand_with_grad() -> None:
    w, b = start()
    for _ in range(5):
        grads = torch.autograd.grad(F.mse_loss(X @ w + b, Y), [w, b])
        with torch.no_grad():
            for p, g in zip((w, b), grads, strict=True):
                p -= 0.1 * g


@pytest.mark.parametrize("train", [hand_in_place, hand_through_data, hand_with_new_tensors, hand_with_grad])
def test_updates_by_hand(train: Callable[[], None], watched: Watched) -> None:
    w, b = start()
    optimizer = torch.optim.SGD([w, b], lr=0.1)
    losses, updates = [], []
    for _ in range(5):
        optimizer.zero_grad()
        loss = F.mse_loss(X @ w + b, Y)
        loss.backward()
        before = w.detach().clone()
        optimizer.step()
        losses.append(loss.item())
        updates.append(norm(w - before))
    run = watched(train)
    assert only(run).optimizer.id == 0
    assert only(run).optimizer.kind == "by hand"
    assert only(run).loss.tolist() == pytest.approx(losses, rel=1e-12)
    assert [p.name for p in run.parameters] == ["w", "b"]
    if train is not hand_with_new_tensors:  # there the tensor that was measured no longer exists
        weight = run.parameter_stats.where(parameter=run.parameters[0].id)
        assert weight["update_norm"][:4] == pytest.approx(updates[:4], rel=1e-9)


def test_autograd_grad_takes_what_torch_takes(watched: Watched) -> None:
    """A generator can be read only once, a dict answers with a dict."""
    model = nn.Linear(3, 2).double()
    expected = torch.autograd.grad(F.mse_loss(model(X), Y), list(model.parameters()))
    answers: list[Any] = []

    def train() -> None:
        def loss() -> Tensor:
            return F.mse_loss(model(X), Y)

        out = model(X)
        edge = torch.autograd.graph.get_gradient_edge(out)
        answers.append(torch.autograd.grad(loss(), model.parameters()))  # type: ignore[call-overload]
        answers.append(torch.autograd.grad([loss()], tuple(model.parameters())))
        answers.append(torch.autograd.grad(outputs=loss(), inputs=list(model.parameters())))
        answers.append(torch.autograd.grad((t for t in [loss()]), model.parameters()))  # type: ignore[call-overload]
        answers.append([torch.autograd.grad(loss(), model.weight)[0], torch.autograd.grad(loss(), [model.bias])[0]])
        torch.autograd.grad(F.mse_loss(out, Y), edge)
        torch.autograd.backward(t for t in [loss()])  # type: ignore[arg-type]
        torch.autograd.backward([loss() / 2, loss() / 2])
        answers.append([p.grad / 2 for p in model.parameters() if p.grad is not None])

    watched(train)
    assert len(answers) == 6
    for answer in answers:
        assert all(torch.allclose(a, b) for a, b in zip(answer, expected, strict=True))


def test_a_hessian_is_no_update(watched: Watched) -> None:
    p = random(2).requires_grad_()

    def value(point: Tensor) -> Tensor:
        return (point**4).sum()

    def train() -> None:
        for _ in range(6):
            value(p).backward()
            hessian = torch.autograd.functional.hessian(value, p.detach())  # type: ignore[no-untyped-call]
            assert p.grad is not None
            with torch.no_grad():
                p.sub_(torch.linalg.solve(hessian, p.grad))
            p.grad = None

    run = watched(train)
    assert [parameter.name for parameter in run.parameters] == ["p"]
    assert len(run.steps) == 6


def test_unused_parameters_are_allowed_in_grad(watched: Watched) -> None:
    w, unused = random(3, 2).requires_grad_(), random(4).requires_grad_()

    def train() -> None:
        for _ in range(3):
            g, none = torch.autograd.grad(F.mse_loss(X @ w, Y), [w, unused], allow_unused=True)
            assert none is None
            with torch.no_grad():
                w.sub_(g)

    assert len(watched(train).steps) == 3


def test_gradients_of_data_are_no_updates(watched: Watched) -> None:
    """Adversarial examples before the first step: they move no parameter."""
    model, optimizer = linear_model()

    def train() -> None:
        for attack in (True, False):
            for _ in range(3):
                x = X.clone().requires_grad_()
                loss = F.mse_loss(model(x), Y)
                if attack:
                    (g,) = torch.autograd.grad(loss, x)
                else:
                    loss.backward()
                    assert x.grad is not None
                    g = x.grad
                x = (x + 0.1 * g.sign()).detach()
            optimizer.zero_grad()
            F.mse_loss(model(x), Y).backward()
            optimizer.step()

    run = watched(train)
    assert only(run).optimizer.kind == "SGD"
    assert len(run.steps) == 2


# -- gradients carried over a step, and non-finite numbers -----------------------------------------------------------


@pytest.mark.parametrize("clear", ["not", "to none", "to zero", "after step"])
def test_carried_gradients(clear: str, watched: Watched) -> None:
    model, optimizer = linear_model()

    def train() -> None:
        for _ in range(30):
            if clear.startswith("to"):
                optimizer.zero_grad(set_to_none=clear == "to none")
            F.mse_loss(model(X), Y).backward()
            optimizer.step()
            if clear == "after step":
                model.zero_grad()

    events = list(watched(train).events_of("carried"))
    assert events[-1].detail["checked"] >= 10
    assert events[-1].detail["stale"] == (events[-1].detail["checked"] if clear == "not" else 0)


def test_a_non_finite_loss_is_reported_once_with_its_place(watched: Watched) -> None:
    model, optimizer = linear_model()
    x = X.clone()
    x[3, 1] = math.nan

    def train() -> None:
        for i in range(6):
            optimizer.zero_grad()
            F.mse_loss(model(x if i == 3 else X), Y).backward()
            optimizer.step()

    run = watched(train)
    (event,) = run.events_of("non-finite")
    assert event.step == 3
    assert event.detail["origin"] == "data"
    assert event.detail["rows"] == [3]
    assert np.isnan(run.steps["loss"]).tolist() == [False] * 3 + [True] * 3


def test_a_gradient_that_is_bad_in_the_first_layer_alone_is_seen_before_it_is_used(watched: Watched) -> None:
    first, last = nn.Linear(4, 4, bias=False), nn.Linear(4, 1)
    optimizer = torch.optim.SGD([*first.parameters(), *last.parameters()], lr=0.1)

    def train() -> None:
        for _ in range(3):
            optimizer.zero_grad()
            last((first(torch.zeros(2, 4)).square()).sqrt()).sum().backward()
            optimizer.step()

    (event,) = watched(train).events_of("non-finite")
    assert (event.step, event.detail["origin"]) == (0, "backward")
    assert len(event.detail["parameters"]) == 1


def test_a_non_finite_gradient_under_a_finite_loss(watched: Watched) -> None:
    w = torch.zeros(3, 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)

    def train() -> None:
        (X @ w).square().sum().sqrt().backward()
        optimizer.step()

    (event,) = watched(train).events_of("non-finite")
    assert event.detail["origin"] == "backward"
    assert event.detail["parameters"] == ["w"]


def test_a_loss_cut_off_from_its_graph(watched: Watched) -> None:
    model, optimizer = linear_model()

    def train() -> None:
        loss = F.mse_loss(model(X).detach(), Y).requires_grad_()
        loss.backward()
        optimizer.step()

    assert list(watched(train).events_of("cut-loss"))


# -- programs that do something unusual ------------------------------------------------------------------------------


class Proxy:
    """Like a lazily loaded library: any look at it fails."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"loaded for {name}")


def beside_a_proxy(train: Callable[[], None]) -> None:
    proxy, box = Proxy(), {"proxy": Proxy()}  # noqa: F841
    train()


def in_a_thread(train: Callable[[], None]) -> None:
    threads = [threading.Thread(target=train) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def with_offloading(train: Callable[[], None]) -> None:
    with torch.autograd.graph.save_on_cpu():
        train()


def after_a_vmap(train: Callable[[], None]) -> None:
    def gradient(x: Tensor) -> Any:
        return torch.func.grad(lambda x: (x**2).sum())(x)

    torch.func.vmap(gradient)(X)
    with contextlib.suppress(RuntimeError):
        torch.func.vmap(lambda x: torch.autograd.grad((x * 2).sum(), x))(X.clone().requires_grad_())
    train()


def with_a_lazy_neighbour(train: Callable[[], None]) -> None:
    model = nn.ModuleDict({"used": nn.LazyLinear(2), "unused": nn.LazyLinear(2)})
    model["used"](X.float())
    model["used"](X.float()).mean().backward()
    train()


@pytest.mark.parametrize("around", [beside_a_proxy, in_a_thread, with_offloading, after_a_vmap, with_a_lazy_neighbour])
def test_surroundings(around: Callable[[Callable[[], None]], None], watched: Watched) -> None:
    def train() -> None:
        model, optimizer = linear_model()
        for _ in range(5):
            F.mse_loss(model(X), Y).backward()
            optimizer.step()

    run = watched(lambda: around(train))
    assert [len(training.loss) for training in run.trainings if training.optimizer.kind == "SGD"] == [5]
    assert np.isfinite(run.steps["loss"]).all()


def test_a_gradient_in_the_place_of_a_loss(watched: Watched) -> None:
    """``y.backward(v)``: there is no loss, but layers and parameters are measured."""
    model, optimizer = linear_model()

    def train() -> None:
        for _ in range(3):
            model(X).backward(torch.ones(12, 2, dtype=torch.float64))
            optimizer.step()

    run = watched(train)
    assert np.isnan(run.steps["loss"]).all()
    assert [cell(run, "grad_out", 0, s) for s in range(3)] == pytest.approx([24**0.5] * 3)


def test_parametrized_layers(watched: Watched) -> None:
    torch.manual_seed(0)
    parametrizations = torch.nn.utils.parametrizations
    model: Any = nn.Sequential(
        parametrizations.weight_norm(nn.Linear(3, 4)), nn.Tanh(), parametrizations.spectral_norm(nn.Linear(4, 4)),
        parametrizations.orthogonal(nn.Linear(4, 4)), nn.Linear(4, 2),
    ).double()  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=torch.tensor(0.1))

    def train() -> None:
        F.mse_loss(model(X), Y).backward()
        optimizer.step()

    run = watched(train)
    assert run.steps["lr"] == pytest.approx([0.1])
    h = model[0](X)
    last = [layer.id for layer in run.layers if layer.output]
    assert len(last) == 1
    assert run.layers[last[0]].name.endswith("4")
    assert len(h) == 12


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch hides it, as a warning
def test_a_whole_step_under_torch_compile(watched: Watched) -> None:
    model, optimizer = linear_model()
    twin, plain = linear_model()

    @torch.compile(backend="eager")
    def step() -> None:
        optimizer.zero_grad()
        F.mse_loss(model(X), Y).backward()
        optimizer.step()

    losses = []
    for _ in range(4):
        plain.zero_grad()
        loss = F.mse_loss(twin(X), Y)
        loss.backward()
        losses.append(loss.item())
        plain.step()
    run = watched(lambda: [step() for _ in range(4)])
    assert run.steps["loss"].tolist() == pytest.approx(losses, rel=1e-12)
    assert len(run.layer_stats) == 4
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))


# -- time and memory -------------------------------------------------------------------------------------------------


class Clock:
    """Advances by itself, a little at every look."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def recording(tmp_path: Path, clock: Clock, budget: float, **options: Any) -> Recorder:
    return Recorder(Store(tmp_path), budget, clock=clock, **options)


def run_for(recorder: Recorder, clock: Clock, updates: int, seconds: float) -> None:
    model, optimizer = linear_model()
    recorder.start()
    try:
        for _ in range(updates):
            clock.now += seconds
            optimizer.zero_grad()
            F.mse_loss(model(X), Y).backward()
            optimizer.step()
    finally:
        recorder.stop()
        recorder.store.close()


def test_slow_updates_are_handed_over_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most ``FLUSH_SECONDS`` of the record wait, also where no update needs a closer look."""
    clock = Clock(tick=0.0001)
    watch = recording(tmp_path, clock, budget=1e-9)
    waiting: list[float] = []
    made = watch._tally.after_step

    def after_step(*args: Any) -> Callable[..., None]:
        ended = made(*args)

        def watched(*args: Any) -> None:
            ended(*args)
            waiting.append(clock.now - watch._settled if watch._tally.rows else 0.0)

        return watched

    monkeypatch.setattr(watch._tally, "after_step", after_step)
    run_for(watch, clock, updates=400, seconds=0.7)
    assert len(waiting) == 400
    assert max(waiting) < FLUSH_SECONDS


def test_the_time_budget_is_kept(tmp_path: Path) -> None:
    clock = Clock(tick=0.0001)
    watch = recording(tmp_path, clock, budget=0.01)
    run_for(watch, clock, updates=600, seconds=0.1)
    run = read(tmp_path)
    dense = sorted(set(run.layer_stats["step"]))
    took = run.meta["training_seconds"]
    assert took == pytest.approx(60, rel=0.1)
    assert run.meta["overhead_seconds"] <= ALLOWANCE + 0.02 * took
    assert dense[:FIRST] == list(range(FIRST))
    assert np.diff(dense)[-1] >= 0.04 * 500  # wider and wider apart


def test_a_limit_of_updates(tmp_path: Path) -> None:
    clock = Clock(tick=0.0)
    watch = recording(tmp_path, clock, 1e9, limit=7)
    with pytest.raises(StopTraining):
        run_for(watch, clock, updates=100, seconds=0.1)
    assert len(read(tmp_path).steps) == 7
    assert read(tmp_path).meta["stopped"] is True


def test_a_limit_of_seconds(tmp_path: Path) -> None:
    clock = Clock(tick=0.0)
    watch = recording(tmp_path, clock, 1e9, seconds=1.05)
    with pytest.raises(StopTraining):
        run_for(watch, clock, updates=100, seconds=0.1)
    assert len(read(tmp_path).steps) == 12  # it counts from the first backward


def test_memory_is_bounded_without_an_update(tmp_path: Path) -> None:
    """Hundreds of backwards that lead to no update, as in a loop over saliency maps, leave nothing behind."""
    model, _ = linear_model()
    watch = Recorder(Store(tmp_path), budget=1e9).start()
    try:
        for _ in range(500):
            F.mse_loss(model(X), Y).backward()
    finally:
        watch.stop()
        watch.store.close()
    run = read(tmp_path)
    assert run.steps["backwards"].tolist() == [500]
    assert run.layer_stats["calls"].max() <= recorder.BACKWARDS
    assert len(run.sights) <= recorder.BACKWARDS


@pytest.mark.parametrize("budget", [0.0, 1e9])
def test_the_buffers_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: float) -> None:
    monkeypatch.setattr("fallline.record.store.FLUSH_SECONDS", 0.0)
    model, optimizer = linear_model()
    watch = Recorder(Store(tmp_path), budget=budget).start()
    largest = 0
    try:
        for _ in range(400):
            optimizer.zero_grad()
            F.mse_loss(model(X), Y).backward()
            optimizer.step()
            waiting = sum(len(rows) for rows in watch.store._rows.values()) + len(watch._tally.rows)
            largest = max(largest, waiting)
    finally:
        watch.stop()
        watch.store.close()
    assert largest <= 64
    assert len(read(tmp_path).steps) == 400


def test_many_models_in_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search over settings makes a model after the other; what is remembered of them stays bounded."""
    monkeypatch.setattr(recorder, "STARTS", 10)
    watch = Recorder(Store(tmp_path), budget=1e9).start()
    try:
        for _ in range(30):
            model, optimizer = linear_model()
            for _ in range(2):
                F.mse_loss(model(X), Y).backward()
                optimizer.step()
            assert len(watch._start) <= 12
        gc.collect()
        assert len(watch.catalog.leaves()) <= 4
    finally:
        watch.stop()
        watch.store.close()
    run = read(tmp_path)
    assert [len(training.loss) for training in run.trainings] == [2] * 30
    assert np.isfinite(run.parameter_stats["displacement"]).all()


def test_nothing_of_the_program_is_kept_alive(tmp_path: Path) -> None:
    """Models, optimizers and activations the program lets go of are freed while the recorder still listens."""

    def train() -> list[weakref.ref[Any]]:
        model, optimizer = linear_model()
        out = model(X)
        loss = F.mse_loss(out, Y)
        loss.backward()
        optimizer.step()
        return [weakref.ref(model), weakref.ref(optimizer), weakref.ref(out), weakref.ref(loss)]

    def train_in_one_function() -> list[bool]:
        model, optimizer = linear_model()
        freed = []
        for _ in range(3):
            out = model(X)
            out_gone = weakref.ref(out)
            loss = F.mse_loss(out, Y)
            loss.backward()
            optimizer.step()
            del out, loss
            freed.append(out_gone() is None)
        return freed

    watch = Recorder(Store(tmp_path), budget=1e9).start()
    try:
        references = train()
        freed = train_in_one_function()
        gc.collect()
        assert [reference() for reference in references] == [None] * 4
        assert freed == [True] * 3
    finally:
        watch.stop()
        watch.store.close()


# -- its own faults --------------------------------------------------------------------------------------------------


def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, place: str) -> Recorder:
    """A recorder of which one part fails, after a training that it must not have changed."""

    def train() -> list[Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(4):
            optimizer.zero_grad()
            F.mse_loss(model(X), Y).backward()
            optimizer.step()
        return list(model.parameters())

    def fails(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("a bug of our own")

    expected = train()
    monkeypatch.setattr(owner, place, fails)
    watch = Recorder(Store(tmp_path), budget=1e9).start()
    found = train()
    watch.stop()
    watch.store.close()
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    return watch


@pytest.mark.parametrize("place", ["_before_backward", "_before_step", "_finish"])
def test_a_fault_stops_the_recorder_and_not_the_training(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = broken(tmp_path, monkeypatch, Recorder, place)
    assert watch.fault is not None
    assert "a bug of our own" in watch.fault
    assert "stopped watching" in watch.notes[0]
    run = read(tmp_path)
    assert run.meta["fault"] == watch.fault
    assert len(list(run.events_of("fault"))) == 1


@pytest.mark.parametrize(
    ("owner", "place"),
    [
        *((Recorder, name) for name in ("_observe", "_weigh", "_write_sample")),
        *((Observer, name) for name in ("listen", "sight", "_call", "activation")),
    ],
)
def test_a_fault_in_a_look_leaves_that_out(
    owner: type, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = broken(tmp_path, monkeypatch, owner, place)
    assert watch.fault is None
    assert watch.lapse is not None
    assert "a bug of our own" in watch.lapse
    assert "left out" in watch.notes[0]
    run = read(tmp_path)
    assert run.meta["lapse"] == watch.lapse
    assert len(list(run.events_of("lapse"))) == 1
    assert len(run.steps) == 4
    assert not any("fault of fallline" in reason for reason in diagnose(run).not_applicable.values())


def test_the_recorder_is_deaf_after_its_end(tmp_path: Path) -> None:
    watch = Recorder(Store(tmp_path), budget=1e9).start()
    backward = torch.autograd.backward  # as `from torch.autograd import backward` inside the program
    model, optimizer = linear_model()
    backward(F.mse_loss(model(X), Y))
    optimizer.step()
    watch.stop()
    watch.store.close()
    backward(F.mse_loss(model(X), Y))
    optimizer.step()
    assert watch.step == 1
    assert watch._tally.count == 0


# -- a deep sigmoid network ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_vanishing_gradient_of_twenty_sigmoids(seed: int, watched: Watched) -> None:
    """github.com/juebrauer/code_jb: mean |gradient| 1e-18 in the first layer, 1 in the last, ×0.14 a layer."""
    torch.manual_seed(seed)
    parts = [part for _ in range(20) for part in (nn.Linear(100, 100), nn.Sigmoid())]
    model = nn.Sequential(*parts, nn.Linear(100, 1))
    x = torch.rand(16, 100)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    means: list[float] = []

    def train() -> None:
        F.mse_loss(model(x), torch.ones(16, 1)).backward()
        means.extend(float(p.grad.abs().mean()) for p in model.parameters() if p.ndim == 2 and p.grad is not None)
        optimizer.step()

    run = watched(train, model=model)
    gradients = run.layer_stats["grad_out"]
    assert len(gradients) == 21
    assert np.median(gradients[:-1] / gradients[1:]) == pytest.approx(0.14, abs=0.02)
    assert 1e-19 < means[0] < 1e-17
    assert 0.3 < means[-1] < 3
    weights = [p.id for p in run.parameters if p.ndim == 2]
    recorded = [float(run.parameter_stats.where(parameter=i)["grad"][0]) for i in weights]
    reference = [float(p.grad.double().norm()) for p in model.parameters() if p.ndim == 2 and p.grad is not None]
    assert recorded == pytest.approx(reference, rel=1e-4)

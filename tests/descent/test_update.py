"""Every update rule beside its own optimizer of torch, and the momentum of a first course beside a literal twin."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from fallline.descent.schedule import SCHEDULES
from fallline.descent.update import RULES

F64 = torch.float64
TORCH: dict[str, dict[str, Any]] = {"heavy-ball": {"momentum": 0.9}, "nesterov": {"momentum": 0.9, "nesterov": True}}
STEPS = 200
# torch keeps one number of the rule in float32 unless the default is float64
with_torch = pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.torch])


@pytest.fixture(autouse=True)
def double() -> Any:
    torch.set_default_dtype(F64)
    yield
    torch.set_default_dtype(torch.float32)


def slope(x: Tensor) -> Tensor:
    """Of a bowl with waves on it; at a minimum, rules that follow signs would amplify rounding without end."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(x.shape[-1], x.shape[-1], generator=generator, dtype=F64)
    return x @ (a @ a.T) / 3 + torch.sin(x) + 5


def ours(name: str, x: Tensor, lr: Any, **options: Any) -> Tensor:
    rule = RULES[name]
    state, path = rule.start(x), [x]
    for t in range(1, STEPS + 1):
        x, state = rule.step(x, slope(x), state, t, {**rule.defaults, **options, "lr": lr})
        path.append(x)
    return torch.stack(path)


def torchs(name: str, x: Tensor, lr: float, **options: Any) -> Tensor:
    point = x.clone().requires_grad_()
    optimizer = getattr(torch.optim, str(RULES[name].torch))([point], lr=lr, foreach=False, **options)
    path = [x]
    for _ in range(STEPS):
        point.grad = slope(point.detach())
        optimizer.step()
        path.append(point.detach().clone())
    return torch.stack(path)


def start(rows: int) -> Tensor:
    return torch.randn(rows, 6, generator=torch.Generator().manual_seed(1), dtype=F64)


@with_torch
@pytest.mark.parametrize("lr", [0.002, 0.01])
def test_equal_to_torch_step_by_step(name: str, lr: float) -> None:
    x = start(1)
    theirs = torchs(name, x[0], lr, **TORCH.get(name, {}))
    assert torch.allclose(ours(name, x, lr)[:, 0], theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("name", "options", "translated"),
    [
        ("adam", {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3}, {"betas": (0.5, 0.9), "eps": 1e-3}),
        ("adamw", {"weight_decay": 0.3}, {"weight_decay": 0.3}),
        ("rmsprop", {"momentum": 0.7, "alpha": 0.9}, {"momentum": 0.7, "alpha": 0.9}),
        ("adagrad", {"lr_decay": 0.1}, {"lr_decay": 0.1}),
        ("heavy-ball", {"momentum": 0.3}, {"momentum": 0.3}),
        ("rprop", {"grow": 1.5, "shrink": 0.3}, {"etas": (0.3, 1.5)}),
    ],
)
def test_settings_mean_the_same(name: str, options: dict[str, Any], translated: dict[str, Any]) -> None:
    x = start(1)
    theirs = torchs(name, x[0], 0.005, **translated)
    assert torch.allclose(ours(name, x, 0.005, **options)[:, 0], theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", RULES)
def test_rows_do_not_touch_each_other(name: str) -> None:
    x, rates = start(3), torch.tensor([[0.002], [0.01], [0.03]], dtype=F64)
    together = ours(name, x, rates)
    for row in range(3):
        assert torch.allclose(together[:, row], ours(name, x[row : row + 1], float(rates[row]))[:, 0], atol=1e-12)


def test_momentum_is_a_moving_average_of_the_gradients() -> None:
    x, v, beta, lr = start(1), torch.zeros(1, 6, dtype=F64), 0.9, 0.05
    path = ours("momentum", x, lr, momentum=beta)
    for t in range(STEPS):
        v = beta * v + (1 - beta) * slope(x)
        x = x - lr * v
        assert torch.allclose(path[t + 1], x, atol=1e-13)
    assert torch.allclose(path, ours("heavy-ball", start(1), lr * (1 - beta), momentum=beta), atol=1e-10)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_stay_between_zero_and_one(name: str) -> None:
    factors = [SCHEDULES[name](100)(t) for t in range(1, 101)]
    assert max(factors) <= 1
    assert min(factors) >= 0
    if name == "cyclic":
        assert factors.count(min(factors)) == 5
    else:
        assert factors[0] == 1
        assert factors == sorted(factors, reverse=True)

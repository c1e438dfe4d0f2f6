"""Limits of the learning rate, against ``torch.optim.SGD`` on quadratics and against real divergences."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fallline.calculus import stability
from fallline.calculus.stability import curvature_from_growth, divergence, limit
from fallline.record.run import Run

RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "heavy ball 0.5": {"momentum": 0.5},
    "heavy ball 0.9": {"momentum": 0.9},
    "average 0.9": {"momentum": 0.9, "dampening": 0.9},
    "dampening 0.3": {"momentum": 0.8, "dampening": 0.3},
    "nesterov 0.5": {"momentum": 0.5, "nesterov": True},
    "nesterov 0.9": {"momentum": 0.9, "nesterov": True},
}
CURVATURES = (7.0, 2.0, 0.3)


def descend(rate: float, steps: int, rule: dict[str, Any], curvatures: tuple[float, ...] = CURVATURES) -> list[float]:
    """Distances from the minimum of ½ Σ λ w² under torch's own SGD."""
    scale = torch.tensor(curvatures, dtype=torch.float64)
    w = torch.ones(len(curvatures), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=rate, foreach=False, **rule)
    distances = []
    for _ in range(steps):
        w.grad = scale * w.detach()
        optimizer.step()
        distances.append(float(w.detach().norm()))
    return distances


@pytest.mark.parametrize("name", RULES)
def test_limits_by_bisection(name: str) -> None:
    rule = RULES[name]
    low, high = 0.0, 3 * limit(max(CURVATURES), **rule)
    for _ in range(8):  # down to 0.6 % of the limit either way
        middle = (low + high) / 2
        distances = descend(middle, 200, rule)
        if distances[-1] < distances[100] or distances[-1] < 1e-9:
            low = middle
        else:
            high = middle
    assert limit(max(CURVATURES), **rule) == pytest.approx((low + high) / 2, rel=0.01)


@pytest.mark.parametrize("over", [1.05, 4.0, 100.0])
@pytest.mark.parametrize("name", RULES)
def test_curvature_from_a_divergence(name: str, over: float) -> None:
    rule = RULES[name]
    rate = over * limit(7.0, **rule)
    good = [d for d in descend(rate, 500 if over < 2 else 60, rule, (7.0,)) if d < 1e250]
    growth = (good[-1] / good[-11]) ** 0.1
    assert growth > 1
    assert curvature_from_growth(growth, rate, **rule) == pytest.approx(7.0, rel=1e-3)


def test_a_flat_or_concave_direction_has_no_limit() -> None:
    assert limit(0.0) == limit(-1.0, momentum=0.9) == math.inf


# -- stretches of divergence -----------------------------------------------------------------------------------------


def test_a_steady_divergence_is_found() -> None:
    loss = [5.0, 4.0, 4.5] + [2.0**i for i in range(3, 40)] + [math.inf, math.nan]
    found = divergence(loss)
    assert found is not None
    assert (found.start, found.end) == (1, 39)
    assert found.ratio == pytest.approx(2.0)
    assert found.steady


@pytest.mark.parametrize(
    "loss",
    [
        [1 / (i + 1) for i in range(50)],
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],  # rises, but only sixfold
        [1.0, 1e9, 1.0, 1e9, 1.0],
        [0.0] * 10,
        [-1.0, -10.0, -100.0, -1000.0, -1e4, -1e5],
        [1.0],
        [],
        [math.nan] * 10,
        [1.0, math.nan, 10.0, math.nan, 100.0, math.nan, 1000.0],
    ],
)
def test_no_divergence(loss: list[float]) -> None:
    assert divergence(loss) is None


def test_an_uneven_divergence_is_not_steady() -> None:
    rises = np.exp(np.random.default_rng(0).uniform(0.1, 3, 30).cumsum())
    found = divergence(rises.tolist())
    assert found is not None
    assert not found.steady


# -- the limit of two programs from forums, found in the record of their failure -------------------------------------


@dataclass(frozen=True)
class Program:
    """A linear model that is trained with a learning rate far too high."""

    params: list[Tensor]
    loss: Callable[[], Tensor]
    rate: float
    curvature: float  # largest eigenvalue of the loss's Hessian, from the data


def forum_line() -> Program:
    """mejorcodigo.com/p/45698: unscaled inputs."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(500, 1, generator=generator, dtype=torch.float64) * 100
    y = 5 * x + 3 + 0.1 * torch.randn(500, 1, generator=generator, dtype=torch.float64)
    model = nn.Linear(1, 1).double()
    with torch.no_grad():
        model.weight.zero_()
        model.bias.zero_()
    design = torch.cat([x, torch.ones_like(x)], dim=1)
    curvature = float(torch.linalg.eigvalsh(2 / 500 * design.T @ design)[-1])
    return Program(list(model.parameters()), lambda: F.mse_loss(model(x), y), 0.01, curvature)


def forum_window() -> Program:
    """stats.stackexchange.com/questions/594738: 80 points of a cubic predict the next 20."""
    grid = torch.linspace(-10, 10, 100, dtype=torch.float64)
    series = grid**3 + grid**2 + grid
    x, y = series[:80, None], series[80:, None]
    w = 3**0.5 * torch.randn(20, 80, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    w.requires_grad_()
    return Program([w], lambda: ((w @ x - y) ** 2).sum(), 1e-6, float(2 * x.square().sum()))  # H = 2 x xᵀ for each row


def test_the_curvatures_are_those_of_the_forum() -> None:
    assert forum_window().curvature * 1e-6 == pytest.approx(12.879, rel=1e-4)
    program = forum_line()
    (value,) = torch.autograd.grad(program.loss(), program.params[:1], create_graph=True)
    (second,) = torch.autograd.grad(value.sum(), program.params[:1])
    assert program.curvature == pytest.approx(float(second), rel=1e-3)  # the bias adds little


@pytest.mark.parametrize("program", [forum_line, forum_window])
@pytest.mark.parametrize("rule", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}], ids=str)
def test_limit_found_in_the_record_of_a_failure(
    program: Callable[[], Program], rule: dict[str, Any], watched: Callable[..., Run]
) -> None:
    from fallline.diagnosis.diagnose import diagnose

    made = program()
    optimizer = torch.optim.SGD(made.params, lr=made.rate, **rule)

    def train() -> None:
        for _ in range(150):
            optimizer.zero_grad()
            made.loss().backward()
            optimizer.step()

    found = {finding.code: finding for finding in diagnose(watched(train)).findings}
    evidence = found["learning-rate-too-high"].evidence
    assert evidence["limit"] == pytest.approx(limit(made.curvature, **rule), rel=0.01)
    if not rule:
        assert evidence["limit"] == pytest.approx(2 / made.curvature, rel=0.01)
        assert evidence["loss_ratio"] == pytest.approx((made.rate * made.curvature - 1) ** 2, rel=0.01)


# -- the rules by their names ----------------------------------------------------------------------------------------


def radius_by_iteration(rule: str, lr: float, curvature: float, momentum: float) -> float:
    """Factor a step over many steps of our own update rule on ½λx²."""
    from fallline.descent.update import RULES

    x = torch.tensor([[1.0]], dtype=torch.float64)
    update, state, sizes = RULES[rule], RULES[rule].start(x), []
    for t in range(1, 401):
        x, state = update.step(x, curvature * x, state, t, {"lr": lr, "momentum": momentum})
        sizes.append(abs(float(x)) + 1e-300)
    return float(np.exp(np.polyfit(np.arange(200), np.log(sizes[200:]), 1)[0]))


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("rule", stability.LINEAR)
def test_limit_of_our_own_rules_by_bisection(rule: str, momentum: float) -> None:
    formula = stability.rate_limit(rule, 5.0, momentum)
    assert formula is not None
    low, high = 0.0, 3 * formula
    for _ in range(9):
        middle = (low + high) / 2
        low, high = (middle, high) if radius_by_iteration(rule, middle, 5.0, momentum) < 1 else (low, middle)
    assert formula == pytest.approx((low + high) / 2, rel=0.01)


@pytest.mark.parametrize("beta", [0.5, 0.9])
@pytest.mark.parametrize("rule", ["adam", "adamw"])
def test_limit_of_a_settled_adam_by_bisection(rule: str, beta: float) -> None:
    from fallline.descent.update import RULES

    scales, curvatures = torch.tensor([0.1, 2.0], dtype=torch.float64), torch.tensor([3.0, 7.0], dtype=torch.float64)
    formula = stability.rate_limit(rule, float((curvatures / scales).max()), beta)  # of P⁻¹H
    assert formula is not None

    def grows(lr: float) -> bool:
        x = torch.full((1, 2), 1e-100, dtype=torch.float64)  # its gradients do not change v, which has settled
        state = {"m": torch.zeros_like(x), "v": scales[None] ** 2}
        options = {"lr": lr, "beta1": beta, "beta2": 1 - 1e-7, "eps": 0.0, "weight_decay": 0.0}
        sizes = []
        for t in range(10**9, 10**9 + 300):
            x, state = RULES[rule].step(x, curvatures * x, state, t, options)
            sizes.append(float(x.abs().max()))
            if sizes[-1] > 1e-20:
                return True
        return max(sizes[200:]) > max(sizes[100:200])

    low, high = 0.0, 3 * formula
    for _ in range(9):
        middle = (low + high) / 2
        low, high = (low, middle) if grows(middle) else (middle, high)
    assert formula == pytest.approx((low + high) / 2, rel=0.01)


@pytest.mark.parametrize("rule", stability.LINEAR)
def test_contraction_is_what_is_measured(rule: str) -> None:
    for lr, momentum in [(0.02, 0.5), (0.1, 0.9), (0.35, 0.2), (0.6, 0.0)]:
        predicted = float(stability.contraction(rule, lr, 5.0, momentum))
        assert radius_by_iteration(rule, lr, 5.0, momentum) == pytest.approx(predicted, rel=0.01)


@pytest.mark.parametrize("kappa", [1.0, 10.0, 1000.0])
@pytest.mark.parametrize("rule", stability.LINEAR)
def test_the_best_settings_have_the_rate_they_promise(rule: str, kappa: float) -> None:
    best = stability.tuned(rule, 2.0, 2.0 * kappa)
    worst = max(float(stability.contraction(rule, best.lr, c, best.momentum)) for c in np.geomspace(2, 2 * kappa, 50))
    assert worst == pytest.approx(best.rate, abs=1e-5)
    assert best.steps(1e-6) == (1 if kappa == 1 else math.ceil(math.log(1e-6) / math.log(best.rate)))


def test_rules_without_a_formula() -> None:
    assert stability.rate_limit("adagrad", 1.0) is None
    with pytest.raises(ValueError, match="positive and in order; got 2 and 1"):
        stability.tuned("gd", 2, 1)
    with pytest.raises(ValueError, match="no best rate is known for adam"):
        stability.tuned("adam", 1, 2)

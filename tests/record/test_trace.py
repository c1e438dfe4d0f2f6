"""The backpropagation trace against torch.autograd.grad, finite differences and numbers worked out by hand."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import fallline
from fallline.calculus.backprop import Trace
from fallline.record.tape import Tape, key_of
from fallline.record.trace import leaf_names, trace

DTYPE = torch.float64
ERROR = 1e-5  # of a central difference in float64 over networks of this size


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 3 * x * x * g


class WrongCube(Cube):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * x * x * g


def mlp() -> Callable[[], Tensor]:
    model = nn.Sequential(nn.Linear(4, 9), nn.Sigmoid(), nn.Linear(9, 9), nn.Sigmoid(), nn.Linear(9, 3)).to(DTYPE)
    x, y = torch.randn(6, 4, dtype=DTYPE), torch.randint(0, 3, (6,))
    return lambda: F.cross_entropy(model(x), y)


def convolutions() -> Callable[[], Tensor]:
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.AvgPool2d(2), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(36, 3)).to(DTYPE)
    x, y = torch.randn(5, 1, 8, 8, dtype=DTYPE), torch.randint(0, 3, (5,))
    return lambda: F.cross_entropy(model(x), y)


def lstm() -> Callable[[], Tensor]:
    model, x = nn.LSTM(3, 2).to(DTYPE), torch.randn(3, 2, 3, dtype=DTYPE)
    return lambda: model(x)[0][-1].pow(2).mean()


def attention() -> Callable[[], Tensor]:
    model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True).to(DTYPE)
    x = torch.randn(2, 5, 8, dtype=DTYPE)
    return lambda: model(x).pow(3).sum()


def plain() -> Callable[[], Tensor]:
    W, b = torch.randn(3, 4, dtype=DTYPE, requires_grad=True), torch.zeros(3, dtype=DTYPE, requires_grad=True)
    x = torch.randn(5, 4, dtype=DTYPE)

    def run() -> Tensor:
        h = torch.tanh(x @ W.t() + b)
        return (h[:, 0] * h[:, 1]).sum() + h[:, 2].exp().mean() + 0.1 * W.abs().sum()

    return run


def in_place() -> Callable[[], Tensor]:
    w, x = torch.randn(4, 6, dtype=DTYPE, requires_grad=True), torch.randn(7, 4, dtype=DTYPE)

    def run() -> Tensor:
        h = x @ w
        F.relu_(h)
        h = h * 2
        h[:, 0] += 1.0  # writes into a view
        gathered = torch.zeros(7, 6, dtype=DTYPE)
        gathered[:, 2] = h[:, 1] * 2  # and into one of a constant
        gathered[0] += h[1]
        return (h + gathered).pow(2).mean()

    return run


def cut() -> Callable[[], Tensor]:
    """No gradient flows through what is detached, compared or computed under no_grad."""
    w, x = torch.randn(4, 3, dtype=DTYPE, requires_grad=True), torch.randn(5, 4, dtype=DTYPE)

    def run() -> Tensor:
        h = x @ w
        with torch.no_grad():
            scale = h.pow(2).mean()
        return (h / scale + h * h.detach() + torch.where(h > 0, h, 2 * h)).pow(2).mean()

    return run


def by_hand() -> Callable[[], Tensor]:
    w, x = torch.randn(3, 3, dtype=DTYPE, requires_grad=True), torch.randn(4, 3, dtype=DTYPE)
    return lambda: Cube.apply(x @ w).mean()


PROGRAMS = [mlp, convolutions, lstm, attention, plain, in_place, cut, by_hand]


def traced(run: Callable[[], Tensor], keep: bool = False, model: nn.Module | None = None) -> tuple[Trace, Tensor]:
    with (tape := Tape(keep=keep)):
        loss = run()
    roots = {"model": model} if model is not None else {}
    return trace(loss, tape, functools.partial(leaf_names, given={}, roots=roots)), loss


class Keeping(torch.overrides.TorchFunctionMode):
    """Keeps every tensor of the program's own, with its place in the graph and its value at that moment."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and func is not Tensor.grad_fn.__get__ and torch.is_grad_enabled():
            with torch._C.DisableTorchFunction():
                if (key := key_of(result)) is not None and result._version == 0:
                    self.seen[key] = (result, result.detach().clone())
        return result


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_step_obeys_the_chain_rule(program: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    found, loss = traced(program())
    assert found.notes == ()
    assert found.loss == loss.item()
    assert found.residual is not None
    assert found.residual < 1e-14
    edges = [i for s in found.steps for i in s.inputs if i.gradient is not None]
    assert all(i.local is not None and i.local.kind != "unread" for i in edges)
    for step in found.steps:
        for given in step.inputs:
            if given.gradient is not None and step.incoming:
                assert given.ratio == pytest.approx(given.gradient.norm / step.incoming)
                assert given.local is not None
                assert given.local.norm is not None
                # the power method comes from below, and may stop a little short of the largest gain
                assert given.ratio <= given.local.norm * (1 + 1e-9) or given.local.kind == "linear"
                assert given.ratio <= given.local.norm * 1.05


@pytest.mark.parametrize("program", PROGRAMS)
def test_gradients_and_values_are_those_of_autograd(program: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    with (tape := Tape()), Keeping() as keeping:
        loss = program()()
    found = trace(loss, tape, functools.partial(leaf_names, given={}, roots={}))
    outputs = {(s.index, p): o for s in found.steps for p, o in enumerate(s.outputs)}
    order = _order(loss)
    compared = 0
    for (number, place), (tensor, value) in keeping.seen.items():
        if number not in order or tensor._version:
            continue
        output = outputs.get((order[number], place))
        (expected,) = torch.autograd.grad(loss, [tensor], retain_graph=True, allow_unused=True)
        if expected is None or output is None:
            continue
        assert output.gradient is not None
        assert output.value is not None
        assert output.gradient.norm == pytest.approx(float(expected.norm()), rel=1e-12)
        assert output.value.norm == pytest.approx(float(value.norm()), rel=1e-12)
        assert output.value.mean == pytest.approx(float(value.mean()), rel=1e-12, abs=1e-15)
        compared += 1
    assert compared >= 2


def _order(loss: Tensor) -> dict[int, int]:
    from fallline.record import graph as autograd

    graph = autograd.read(loss)
    assert graph is not None
    nodes = [n for n in reversed(graph.nodes) if autograd.op_name(n) != "accumulategrad"]
    return {int(n._sequence_nr()): i for i, n in enumerate(nodes)}


@pytest.mark.parametrize("program", PROGRAMS)
def test_gradients_are_those_of_finite_differences(program: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    found, _ = traced(program(), keep=True)
    checked = found.verification
    assert checked is not None
    assert checked.left_out == ()
    told = [c for c in checked.checks if c.error is not None]
    assert len(told) >= len(checked.checks) - 3 > 0
    assert checked.largest is not None
    assert checked.largest < ERROR


def test_a_wrong_derivative_is_found() -> None:
    w = torch.randn(3, 3, dtype=DTYPE, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found, _ = traced(lambda: WrongCube.apply(w).sum(), keep=True)
    assert found.verification is not None
    assert found.verification.largest == pytest.approx(1 / 3, rel=1e-6)
    assert found.verification.worst == "w"


def test_the_chain_rule_holds_beside_a_hook_that_changes_the_gradient() -> None:
    w = torch.tensor(3.0, dtype=DTYPE, requires_grad=True)

    def run() -> Tensor:
        h = w * w
        h.register_hook(lambda g: g * 10)
        return h * 2

    found, _ = traced(run)
    assert [leaf.gradient.mean for leaf in found.leaves if leaf.gradient] == [120.0]


@pytest.mark.parametrize("program", [mlp, convolutions])
def test_factors_of_the_layers_multiply_to_the_measured_ratio(program: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    found, _ = traced(program())
    first, last = found.layers[0], found.layers[-1]
    assert found.product == pytest.approx(first.signal / last.signal, rel=1e-12)
    assert found.total == pytest.approx(first.signal / last.signal, rel=1e-12)
    assert last.activation is None
    assert first.weights is None


def test_vanishing_factor_of_twenty_sigmoid_layers() -> None:
    """USERS 2.2: mean |gradient| 1.1e-18 at the first layer, 1.0 at the last, median factor 0.14 a layer."""
    torch.manual_seed(0)
    layers = [module for _ in range(20) for module in (nn.Linear(100, 100), nn.Sigmoid())]
    model = nn.Sequential(*layers, nn.Linear(100, 1))
    x = torch.randn(64, 100)
    found, _ = traced(lambda: F.mse_loss(model(x), torch.ones(64, 1)), model=model)
    assert [layer.name for layer in found.layers] == [str(2 * i) for i in range(21)]
    factors = [a.signal / b.signal for a, b in zip(found.layers, found.layers[1:], strict=False)]
    assert sorted(factors)[10] == pytest.approx(0.14, abs=0.01)
    assert found.total is not None
    assert 1e-19 < found.total < 1e-16
    assert found.product == pytest.approx(found.total, rel=1e-9)
    for layer in found.layers[:-1]:
        assert layer.activation_name == "sigmoid"
        assert layer.activation == pytest.approx(0.24, abs=0.015)
        assert layer.between == pytest.approx(1.0, rel=1e-6)
    weights = [layer.weights for layer in found.layers[1:] if layer.weights is not None]
    assert len(weights) == 20
    assert math.prod(weights) ** (1 / 20) == pytest.approx(0.57, abs=0.03)


def test_dead_relu_gives_factor_zero() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1)).to(DTYPE)
    with torch.no_grad():
        model[2].bias.fill_(-100.0)  # type: ignore[operator,union-attr]
    x = torch.ones(4, 2, dtype=DTYPE)
    found, _ = traced(lambda: model(x).sum(), model=model)
    assert found.layers[1].activation == 0.0
    assert found.product == found.total == 0.0


def test_checkpointing_is_said_not_invented() -> None:
    from torch.utils.checkpoint import checkpoint

    w = torch.randn(4, 4, dtype=DTYPE, requires_grad=True)
    x = torch.ones(2, 4, dtype=DTYPE)
    found, _ = traced(lambda: checkpoint(lambda h: torch.tanh(h @ w), x, use_reentrant=False).sum())
    assert any("checkpointing" in note for note in found.notes)
    unread = [i.local for s in found.steps for i in s.inputs if i.local is not None and i.local.kind == "unread"]
    assert unread


def test_nothing_of_the_model_changes() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    model[0].weight.grad = torch.ones(4, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    fallline.backprop(
        model, torch.randn(8, 3, generator=torch.Generator().manual_seed(1)), torch.zeros(8, 1), F.mse_loss
    )
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(model[0].weight.grad, torch.ones(4, 3))
    assert model[3].weight.grad is None

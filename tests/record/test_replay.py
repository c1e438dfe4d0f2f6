"""Where a number that is not finite is born, in a forward pass that is watched, and in its backward."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fallline.record import replay
from fallline.record.replay import Origin, Tracer

INF = math.inf


def trace(function: Callable[[Tensor], Tensor], x: Tensor, listed: bool = False) -> tuple[Tracer, Origin | None]:
    tracer = Tracer([(x, "input", "0")], listed)
    with tracer:
        result = function(x)
    return tracer, tracer.origin(result)


def born(function: Callable[[Tensor], Tensor], x: Tensor) -> Origin:
    origin = trace(function, x)[1]
    assert origin is not None
    return origin


def line_of(function: Callable[[Tensor], Tensor]) -> int:
    return function.__code__.co_firstlineno + 1


def overflow(x: Tensor) -> Tensor:
    big = (x * 1000).exp()
    return big / big.sum()


def written_through_a_view(x: Tensor) -> Tensor:
    out = torch.zeros_like(x)
    out[:, 0] = x[:, 0].log()
    return out.sum(dim=1) * 2


def zero_by_zero(x: Tensor) -> Tensor:
    return (x - x) / (x - x).norm()


@pytest.mark.parametrize(
    ("function", "operation"),
    [(overflow, "exp"), (written_through_a_view, "log"), (zero_by_zero, "div")],
)
def test_the_first_operation_is_told_with_its_line(function: Callable[[Tensor], Tensor], operation: str) -> None:
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).view(3, 2)
    origin = born(function, x)
    assert (origin.kind, origin.name) == ("operation", operation)
    assert origin.step is not None
    assert origin.step.place is not None
    assert origin.step.place.file == __file__
    assert operation in origin.step.place.code or operation == "div"
    assert origin.step.place.line >= line_of(function)


def test_what_comes_in_from_outside_is_told_with_its_rows() -> None:
    x = torch.zeros(4, 2)
    x[2, 0] = math.nan
    origin = born(lambda x: x.exp().sum(), x)
    assert (origin.kind, origin.name, origin.rows, origin.share) == ("input", "0", (2,), 1 / 8)


def test_an_infinity_in_the_data_counts_once_it_spoils_something() -> None:
    x = torch.zeros(4, 2)
    x[1] = INF
    origin = born(nn.Linear(2, 2, bias=False), x)
    assert (origin.kind, origin.rows) == ("input", (1,))


def masked(scores: Tensor, whole_row: bool) -> Tensor:
    mask = torch.triu(torch.ones(3, 3, dtype=torch.bool), diagonal=0 if whole_row else 1)
    return scores.masked_fill(mask, -INF).softmax(dim=-1)


def test_a_mask_of_infinities_is_no_birth() -> None:
    scores = torch.ones(3, 3)
    assert trace(lambda s: masked(s, whole_row=False), scores)[1] is None
    assert trace(lambda s: s.masked_fill(s > 0, -INF), scores)[1] is None  # logits that are masked on purpose


def test_a_row_that_is_masked_everywhere_is_the_softmax_s() -> None:
    origin = born(lambda s: masked(s, whole_row=True), torch.ones(3, 3))
    assert (origin.name, origin.rows) == ("softmax", (0,))


def test_a_mask_does_not_hide_another_birth() -> None:
    origin = born(lambda s: (s * 1e15).square().tril() + masked(s, whole_row=False), torch.full((3, 3), 1e10))
    assert origin.name == "pow"


def test_memory_that_was_not_written_yet_says_nothing() -> None:
    def fill(x: Tensor) -> Tensor:
        out = torch.empty(2, 3)
        out.fill_(1.0)
        return out + x

    assert trace(fill, torch.ones(2, 3))[1] is None


def test_operations_are_listed_with_their_ranges() -> None:
    tracer, _ = trace(lambda x: (x * 2).t().log(), torch.tensor([[1.0, 0.0]]), listed=True)
    assert [step.operation for step in tracer.steps] == ["mul", "log"]  # a transpose moves numbers about
    mul, log = tracer.steps
    assert mul.inputs is not None
    assert (mul.inputs.min, mul.inputs.max, mul.output.max, mul.output.bad) == (0, 1, 2, 0)
    assert (log.output.bad, log.output.min) == (1, pytest.approx(math.log(2)))


def test_layers_are_named() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Tanh()))
    tracer = Tracer([], listed=True)
    x = torch.ones(1, 2)
    with replay.layers_named(tracer, {"": model}), tracer:
        model(x).exp()
    assert [(step.operation, step.layer) for step in tracer.steps] == [("addmm", "0"), ("tanh", "1.0"), ("exp", "")]


# -- backward ---------------------------------------------------------------------------------------------------------


def root_of_zero(x: Tensor) -> Tensor:
    y = x.square().sum().sqrt()
    return y * 3


def test_the_operation_whose_slope_is_not_finite() -> None:
    x = torch.zeros(3, requires_grad=True)
    with replay.tracebacks():
        y = root_of_zero(x)
    slope = replay.slope([y])
    assert slope is not None
    assert slope.operation == "sqrt"
    assert slope.place is not None
    assert slope.place.code == "y = x.square().sum().sqrt()"
    assert x.grad is None
    assert not torch.is_anomaly_enabled()


def test_a_gradient_that_is_finite_has_no_such_operation() -> None:
    x = torch.ones(3, requires_grad=True)
    assert replay.slope([root_of_zero(x)]) is None


# -- leaving no trace -------------------------------------------------------------------------------------------------


class Counting(nn.Module):
    """Changes everything that a forward pass can change."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.calls, self.log = nn.BatchNorm1d(3), 0, list[float]()
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.log.append(1.0)
        self.seen += 1
        self.cache = x
        print("forward")
        return F.dropout(self.norm(x) * self.seen)


def test_nothing_of_a_forward_pass_stays(capsys: pytest.CaptureFixture[str]) -> None:
    model, x = Counting(), torch.randn(5, 3)
    model(x)
    capsys.readouterr()
    cache, random = model.cache, torch.get_rng_state()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    versions = [tensor._version for tensor in model.state_dict().values()]
    with replay.untouched([model]):
        model(torch.ones(5, 3))
    assert (model.calls, model.log, model.cache) == (1, [1.0], cache)
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert [tensor._version for tensor in model.state_dict().values()] == versions
    assert torch.equal(torch.get_rng_state(), random)
    assert capsys.readouterr().out == ""

"""The graph of a loss is read the same way however the network was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fallline.record import graph


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


X = random(6, 3)
W1, B1, W2 = random(3, 4), random(4), random(4, 2)


def raw() -> tuple[Tensor, Tensor, Tensor]:
    return tuple(t.clone().requires_grad_() for t in (W1, B1, W2))  # type: ignore[return-value]


def modules() -> tuple[Tensor, list[Tensor]]:
    model: Any = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    return model(X), [model[0].weight, model[2].weight]


def in_place() -> tuple[Tensor, list[Tensor]]:
    model: Any = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)).double()
    return model(X), [model[0].weight, model[2].weight]


def functional() -> tuple[Tensor, list[Tensor]]:
    w1, b1, w2 = raw()
    return F.linear(F.relu(F.linear(X, w1.T, b1)), w2.T), [w1, w2]


def by_hand() -> tuple[Tensor, list[Tensor]]:
    w1, b1, w2 = raw()
    return torch.relu(X @ w1 + b1) @ w2, [w1, w2]


def weight_first() -> tuple[Tensor, list[Tensor]]:
    w1, b1, w2 = raw()
    return w2.T @ torch.relu(w1.T @ X.T + b1[:, None]), [w1, w2]


def einsum() -> tuple[Tensor, list[Tensor]]:
    w1, b1, w2 = raw()
    return torch.einsum("bi,io->bo", torch.relu(torch.einsum("bi,ij->bj", X, w1) + b1), w2), [w1, w2]


def batched() -> tuple[Tensor, list[Tensor]]:
    w1, b1, w2 = raw()
    return torch.relu(X.view(2, 3, 3) @ w1 + b1) @ w2, [w1, w2]


def one_sample() -> tuple[Tensor, list[Tensor]]:
    w1, b1, w2 = raw()
    return w2.T @ torch.relu(w1.T @ X[0] + b1), [w1, w2]


WRITINGS = [modules, in_place, functional, by_hand, weight_first, einsum, batched, one_sample]


def read(tensor: Tensor) -> graph.Graph:
    found = graph.read(tensor)
    assert found is not None
    return found


def kinds(found: graph.Graph) -> list[str]:
    return [graph.op_name(call.node) for call in found.calls]


@pytest.mark.parametrize("write", WRITINGS)
def test_one_network_in_eight_writings(write: Callable[[], tuple[Tensor, list[Tensor]]]) -> None:
    output, weights = write()
    found = read(output.square().mean())
    first, second = found.calls
    assert first.weight is weights[0]
    assert second.weight is weights[1]
    assert first.sources == ()
    assert second.sources == (first,)
    assert [graph.op_name(node) for node in first.activations] == ["relu"]
    assert second.activations == []
    assert "relu" in second.ops
    assert found.last == (second,)
    assert found.tail[-2:] == ("pow", "mean")
    assert first.data == ()  # the data of the first layer asks for no gradient
    assert len(second.data) == 1
    assert found.complete


@pytest.mark.parametrize("write", WRITINGS)
def test_units_and_input_of_a_layer(write: Callable[[], tuple[Tensor, list[Tensor]]]) -> None:
    output, _ = write()
    first, second = read(output.square().mean()).calls
    assert first.weight.shape[first.unit_axis] == 4
    assert second.weight.shape[second.unit_axis] == 2
    data = first.input()
    assert data is not None
    assert torch.equal(data, X[:1] if write is one_sample else X)


@pytest.mark.parametrize("transposed", [False, True])
def test_square_weights_know_their_units(transposed: bool) -> None:
    w = random(3, 3).requires_grad_()
    (call,) = read((X @ (w.T if transposed else w)).sum()).calls
    assert call.unit_axis == (0 if transposed else 1)
    (left,) = read(((w.T if transposed else w) @ X.T).sum()).calls
    assert left.unit_axis == (1 if transposed else 0)


def test_linear_without_bias_on_sequences() -> None:
    layer = nn.Linear(3, 5, bias=False).double()
    (call,) = read(layer(random(2, 4, 3)).tanh().mean()).calls
    data = call.input()
    assert data is not None
    assert data.shape == (8, 3)
    assert call.unit_axis == 0


@pytest.mark.parametrize(
    ("layer", "shape", "axis"),
    [
        (nn.Conv1d(3, 5, 2), (2, 3, 7), 0),
        (nn.Conv2d(3, 5, 2), (2, 3, 7, 7), 0),
        (nn.Conv3d(3, 5, 2), (1, 3, 4, 4, 4), 0),
        (nn.ConvTranspose2d(3, 5, 2), (2, 3, 4, 4), 1),
    ],
)
def test_convolutions(layer: nn.Module, shape: tuple[int, ...], axis: int) -> None:
    x = random(*shape).float()
    (call,) = read(torch.relu_(layer(x)).mean()).calls
    assert call.kind == "conv"
    assert call.unit_axis == axis
    assert call.weight.shape[call.unit_axis] == 5
    assert [graph.op_name(node) for node in call.activations] == ["relu"]
    data = call.input()
    assert data is not None
    assert torch.equal(data, x)


def test_embedding_feeds_a_layer() -> None:
    model = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 2))
    table, linear = read(model(torch.tensor([[1, 2], [3, 1]])).mean()).calls
    assert (table.kind, linear.kind) == ("embedding", "linear")
    assert table.weight is model[0].weight
    assert table.weight.shape[table.unit_axis] == 4
    assert table.input() is None
    assert linear.sources == (table,)


def test_recurrence_shows_as_repeated_calls_of_one_weight() -> None:
    rnn = nn.RNN(3, 4).double()
    calls = read(rnn(random(5, 2, 3))[0][-1].sum()).calls
    assert [call.weight is rnn.weight_hh_l0 for call in calls] == [False] + [True] * 5
    assert all(calls[i] in calls[i + 1].sources for i in range(1, 5))


def test_gates_are_no_layers_activation() -> None:
    x, linear, gate = random(6, 3), nn.Linear(3, 4).double(), nn.Linear(3, 4).double()
    calls = read((linear(x).tanh() * gate(x).sigmoid()).sum()).calls
    assert [call.activations for call in calls] == [[], []]
    (call,) = read((1.7 * linear(x).tanh()).sum()).calls  # a number is no signal
    assert [graph.op_name(node) for node in call.activations] == ["tanh"]


def test_skip_connections_have_two_sources() -> None:
    a, b, c = (nn.Linear(3, 3).double() for _ in range(3))
    h = a(X).relu()
    calls = read(c(h + b(h).relu()).sum()).calls
    assert calls[2].sources == (calls[0], calls[1])


def test_data_that_asks_for_a_gradient_is_no_weight() -> None:
    x = X.clone().requires_grad_()
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    first, second = read(model(x).sum()).calls
    assert first.weight is model[0].weight
    assert second.weight is model[2].weight
    assert first.data == (1,)
    w = W1.clone().requires_grad_()
    (call,) = read((x @ w).sum()).calls  # two plain tensors: the right factor is the weight
    assert call.weight is w


def test_penalties_and_norms_are_no_layers() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 4), nn.LayerNorm([1, 4])).double()
    penalty = sum(p.pow(2).sum() + p.abs().sum() for p in model.parameters())
    found = read(model(X[:, None]).mean() + penalty)
    assert [call.weight for call in found.calls] == [model[0].weight, model[2].weight]
    assert found.last == (found.calls[1],)
    assert {id(leaf) for leaf in found.leaves} == {id(p) for p in model.parameters()}


def test_weight_norm_is_seen_through() -> None:
    layer = torch.nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)).double()
    found = read(layer(X).sum())
    (call,) = found.calls
    assert call.weight is layer.parametrizations.weight.original1
    assert graph.op_name(call.node) == "addmm"
    assert len(found.leaves) == 3


def test_autocast_is_seen_through() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = read(model(X.float()).float().mean())
    assert [call.weight for call in found.calls] == [model[0].weight, model[2].weight]


def test_custom_functions_with_a_parameter_are_layers() -> None:
    class Multiply(torch.autograd.Function):
        @staticmethod
        def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, w: Tensor) -> Tensor:
            return x @ w

        @staticmethod
        def backward(ctx: torch.autograd.function.FunctionCtx, *g: Tensor) -> Tensor:
            raise NotImplementedError

    w = nn.Parameter(W1)
    (call,) = read(Multiply.apply(X, w).sum()).calls  # type: ignore[no-untyped-call]
    assert call.weight is w


def test_reading_does_not_recompute_a_checkpoint() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    count = []

    def forward(x: Tensor) -> Tensor:
        count.append(1)
        result: Tensor = model(x)
        return result

    loss = checkpoint(forward, X, use_reentrant=False).square().mean()
    calls = read(loss).calls
    assert [call.input() for call in calls] == [None, None]
    assert graph.birth(loss) is not None
    assert len(count) == 1


def test_a_loss_without_a_graph() -> None:
    assert graph.read(torch.ones(())) is None
    assert graph.read(torch.ones((), requires_grad=True)) is None
    assert graph.birth(torch.ones(())) is None


def test_a_very_long_graph_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "NODE_LIMIT", 50)
    w, h = random(3, 3).requires_grad_(), X
    for _ in range(100):
        h = h @ w
    found = read(h.sum())
    assert not found.complete
    assert 50 <= len(found.nodes) <= 52
    assert found.last[0] is found.calls[-1]


@pytest.mark.parametrize(
    ("scale", "factor"),
    [
        (lambda loss: loss, 1.0),
        (lambda loss: loss / 4, 0.25),
        (lambda loss: 3 * loss, 3.0),
        (lambda loss: -loss / 2, -0.5),
        (lambda loss: loss * torch.tensor(65536.0), 65536.0),
        (lambda loss: loss + 1, None),
        (lambda loss: loss * loss, None),
    ],
)
def test_scaling_of_a_loss(scale: Callable[[Tensor], Tensor], factor: float | None) -> None:
    loss = F.mse_loss(X @ W1.clone().requires_grad_(), torch.zeros(6, 4, dtype=torch.float64))
    node, found = graph.unwrap_loss(scale(loss).grad_fn)
    assert found == factor or graph.op_name(node) != "mseloss"
    assert (graph.op_name(node) == "mseloss") == (factor is not None)


# -- where a non-finite number was born ------------------------------------------------------------------------------


def model() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()


def birth(loss: Tensor) -> graph.Birth:
    assert not torch.isfinite(loss)
    found = graph.birth(loss)
    assert found is not None
    return found


def test_birth_in_the_data() -> None:
    net, x = model(), X.clone()
    x[2, 1] = x[4, 0] = torch.nan
    found = birth(net(x).mean())
    assert found.origin == "data"
    assert found.parameter is net[0].weight
    assert found.rows == (2, 4)
    assert found.share == pytest.approx(2 / 18)


def test_birth_in_the_targets() -> None:
    y = torch.zeros(6, 2, dtype=torch.float64)
    y[3] = torch.inf
    found = birth(F.mse_loss(model()(X), y))
    assert (found.origin, found.rows) == ("data", (3,))


def test_birth_in_a_parameter() -> None:
    net = model()
    with torch.no_grad():
        net[2].bias[1] = torch.inf
    found = birth(net(X).mean())
    assert found.origin == "parameter"
    assert found.parameter is net[2].bias
    assert found.share == 0.5


def test_birth_in_the_forward_pass() -> None:
    net = model()
    hidden = net[:2](X)  # ReLU leaves zeros
    for name, broken in (("log", hidden.log()), ("div", hidden / (0 * hidden.sum()))):
        found = birth(net[2](broken).mean())
        assert (found.origin, found.operation) == ("forward", name)
        assert found.parameter is net[2].weight


@pytest.mark.parametrize("link", [lambda z: z - 1, lambda z: (1 + z).mean(1), lambda z: -z.view(-1)])
def test_birth_behind_operations_that_keep_nothing(link: Callable[[Tensor], Tensor]) -> None:
    found = birth(link((model()(X) - 1e3).log()).square().mean())
    assert (found.origin, found.operation) == ("forward", "log")


def test_birth_in_the_loss() -> None:
    found = birth((model()(X) * 0).sum().log())
    assert (found.origin, found.operation) == ("loss", "log")

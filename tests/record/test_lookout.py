"""What is looked at when the loss goes badly: modes, features, spikes and curvature, each against a plain formula."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fallline.record import batch, graph, hessian
from fallline.record.modes import modes
from fallline.record.pace import WARM, Pace
from fallline.record.run import Run

Watched = Callable[..., Run]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def read(loss: Tensor) -> graph.Graph:
    found = graph.read(loss)
    assert found is not None
    return found


# -- modes


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_is_read_off_its_mask(p: float) -> None:
    layer = nn.Linear(8, 64)
    loss = F.dropout(layer(torch.randn(32, 8)), p).sum()
    ((mode, weight),) = modes(read(loss))
    assert mode == {"kind": "dropout", "p": pytest.approx(p, abs=1e-6)}
    assert weight is layer.weight


def test_a_padding_mask_and_a_weighting_are_no_dropout() -> None:
    x = nn.Linear(8, 64)(torch.randn(32, 8))
    padding = (torch.rand(32, 64) > 0.5).float()
    assert list(modes(read((x * padding).sum()))) == []
    assert list(modes(read((x * torch.rand(32, 64)).sum()))) == []
    assert list(modes(read((x * torch.full((32, 64), 2.0)).sum()))) == []
    assert list(modes(read((x * (20 * padding)).sum()))) == []  # half of the entries, not 95 %


def test_batch_norm_says_how_it_acts() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3))
    first = next(modes(read(net(torch.randn(4, 1, 8, 8)).sum())))[0]
    assert first == {"kind": "batch-norm", "training": True, "values": 4 * 6 * 6, "samples": 4, "fresh": False}
    net[1].reset_running_stats()
    net.eval()
    ((mode, weight),) = modes(read(net(torch.randn(4, 1, 8, 8)).sum()))
    assert (mode["training"], mode["fresh"]) == (False, True)
    assert weight is net[0].weight


# -- features


def test_the_largest_second_moment_is_that_of_the_matrix() -> None:
    data = torch.randn(200, 5, dtype=torch.float64) * torch.tensor([1.0, 2.0, 30.0, 0.1, 5.0]) + 7
    said = batch.features(data, "linear")
    whole = torch.cat([data, torch.ones(200, 1)], dim=1)
    values = torch.linalg.eigvalsh(whole.T @ whole / 200)
    assert said["top"] == pytest.approx(float(values[-1]), rel=1e-3)
    assert said["condition"] == pytest.approx(float(values[-1] / values[0]), rel=1e-6)
    scaled = (data - data.mean(0)) / data.std(0, correction=0)
    assert said["level"] == pytest.approx(float(torch.linalg.eigvalsh(scaled.T @ scaled / 200)[-1]), rel=0.05)
    assert said["rms"] == pytest.approx(float(data.square().mean().sqrt()))
    assert said["most"] == pytest.approx(float(data.std(0, correction=0).max()))


def test_the_largest_sample_is_held_against_the_median_one() -> None:
    data = torch.ones(9, 4)
    data[3] *= 50
    assert batch.features(data, "linear")["apart"] == pytest.approx(50.0)
    assert batch.features(torch.zeros(9, 4), "linear")["apart"] == 0.0


def test_a_constant_feature_does_not_count_as_a_small_one() -> None:
    data = torch.randn(50, 3)
    data[:, 1] = 4.0
    assert batch.features(data, "linear")["least"] > 0.5


def test_factors_of_a_matrix_are_no_data() -> None:
    left, right = torch.randn(6, 2, requires_grad=True), torch.randn(2, 6, requires_grad=True)
    assert list(batch.inputs(read((left @ right).square().sum()))) == []
    net = nn.Linear(3, 2)
    (((_, said)),) = batch.inputs(read(net(torch.randn(9, 3)).sum()))
    assert (said["count"], said["features"]) == (9, 3)


def test_worst_and_unusual_rows() -> None:
    net, data, target = nn.Linear(3, 1), torch.randn(10, 3), torch.zeros(10, 1)
    data[4] *= 1000
    target[7] = 1e6
    loss = F.mse_loss(net(data), target)
    assert batch.worst_rows(loss)[0] == 7
    assert batch.unusual_rows(read(loss))["rows"][0] == 4
    logits = torch.zeros(5, 2, requires_grad=True)
    shifted = logits + torch.tensor([[9.0, 0.0]] * 5)
    assert batch.worst_rows(F.cross_entropy(shifted, torch.tensor([0, 0, 1, 0, 0])))[0] == 2


# -- pace


def test_a_spike_is_ten_times_the_usual_loss() -> None:
    pace = Pace()
    assert not any(pace.add(1.0 + 0.5 * math.sin(i)) for i in range(100))
    assert not pace.add(5.0)
    assert pace.add(20.0)
    assert not pace.add(math.nan)
    assert pace.level < 2


def test_descent_that_falls_does_not_stall() -> None:
    falling, flat = Pace(), Pace()
    for i in range(40 * WARM):
        falling.add(1 / (1 + i))
        flat.add(2.3 + 0.01 * math.sin(i))
        assert not falling.stalled()
    assert flat.stalled()
    assert falling.stalled(slow=True)


def test_a_loss_below_zero_stalls_where_it_gains_nothing_of_its_whole_fall() -> None:
    falling, arrived = Pace(), Pace()
    for i in range(40 * WARM):
        falling.add(-float(i))
        arrived.add(-2.9 + math.exp(-i / 5))
        assert not falling.stalled()
        assert not falling.stalled(slow=True)
    assert arrived.stalled()


# -- curvature


def quadratic(values: list[float]) -> tuple[nn.Parameter, Tensor]:
    w = nn.Parameter(torch.arange(1.0, len(values) + 1, dtype=torch.float64))
    return w, (0.5 * torch.tensor(values, dtype=torch.float64) * w.square()).sum()


def test_curvature_of_a_quadratic_is_exact() -> None:
    values = [-2.0, 0.5, 3.0, 40.0]
    w, loss = quadratic(values)
    found = hessian.look(loss, [w], None)
    assert found["values"] == pytest.approx(values)
    assert found["weights"] == pytest.approx([(v * (i + 1)) ** 2 for i, v in enumerate(values)])
    slope = torch.tensor(values) * torch.arange(1.0, 5)
    assert found["rayleigh"] == pytest.approx(
        float((slope.square() * torch.tensor(values)).sum() / slope.square().sum())
    )
    assert found["witness"] == pytest.approx([1.0])
    loss.backward()  # the graph is still there
    assert w.grad is not None


def test_what_parts_equal_units_is_seen_where_descent_has_stopped() -> None:
    """The gradient of equal units is equal, and so is every product of it with the Hessian."""
    scale = torch.linspace(1.0, 2.0, 16, dtype=torch.float64)
    for distance, negative in ((1e-6, True), (1.0, False)):
        units = nn.Parameter(torch.full((4, 16), 0.25, dtype=torch.float64) + distance)
        loss = 1 + (scale * (units.sum(dim=0) - 1).square()).sum() - 0.1 * (units - units.mean(dim=0)).square().sum()
        found = hessian.look(loss, [units], None)
        assert (found["values"][0] < -0.19) == negative  # away from the bottom what the gradient is made of counts
        assert found["values"][-1] == pytest.approx(16.0, rel=0.05)


def test_preconditioned_as_adam_does() -> None:
    values = [1.0, 100.0]
    w, _ = quadratic(values)
    adam = torch.optim.Adam([w], lr=1e-9)
    for _ in range(20):
        adam.zero_grad()
        (0.5 * torch.tensor(values, dtype=torch.float64) * w.square()).sum().backward()
        adam.step()
    loss = (0.5 * torch.tensor(values, dtype=torch.float64) * w.square()).sum()
    found = hessian.look(loss, [w], adam)
    assert found["preconditioned"]
    # √v̂ is |gradient| = λ·w, so P^(-1/2) H P^(-1/2) has the eigenvalues 1 / w
    assert found["values"] == pytest.approx([1 / 2, 1.0], rel=1e-4)


def test_refuses_what_would_falsify_it() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    loss = net(torch.randn(64, 4)).square().mean()
    acting = [mode for mode, _ in modes(read(loss))]
    assert "dropout" in str(hessian.refusal(read(loss), acting, 50))
    assert "batch norm" in str(hessian.refusal(read(loss), acting[:1], 50))
    plain = nn.Linear(4, 1)
    called: list[Tensor] = []
    plain.weight.register_hook(called.append)
    loss = plain(torch.randn(64, 4)).square().mean()
    assert "hooks" in str(hessian.refusal(read(loss), [], 5))
    assert hessian.refusal(read(nn.Linear(4, 1)(torch.randn(8, 4)).sum()), [], 5) is None
    assert called == []


def test_says_why_where_there_is_no_second_derivative() -> None:
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
            return gradient * 2

    w = nn.Parameter(torch.ones(3))
    loss = Once.apply(w).square().sum()
    assert "once_differentiable" in str(hessian.refusal(read(loss), [], 3))

    scores = nn.Parameter(torch.randn(5, 1, 3))
    length = torch.tensor([5]), torch.tensor([2])
    loss = F.ctc_loss((scores * 1).log_softmax(2), torch.tensor([[1, 2]]), *length)
    assert "derivative" in hessian.look(loss, [scores], None)["refused"]

    rows = nn.Embedding(5, 3, sparse=True)
    assert "sparse" in hessian.look(rows(torch.tensor([1, 2])).square().sum(), [rows.weight], None)["refused"]


def test_a_stalled_training_is_looked_at_and_not_changed(watched: Watched) -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 3)
    y = torch.randn(64, 1)

    def train(seen: list[float]) -> None:
        torch.manual_seed(1)
        net = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        for _ in range(200):
            optimizer.zero_grad()
            loss = F.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            seen.append(loss.item())

    alone: list[float] = []
    beside: list[float] = []
    train(alone)
    run = watched(lambda: train(beside))
    assert alone == beside
    looks = list(run.events_of("curvature"))
    assert looks
    assert all(b.step >= 1.25 * a.step for a, b in itertools.pairwise(looks))
    whole = torch.cat([x, torch.ones(64, 1)], dim=1).double()
    values = torch.linalg.eigvalsh(2 * whole.T @ whole / 64)
    assert looks[-1].detail["values"] == pytest.approx(values.tolist(), rel=1e-4)


def test_the_batch_of_a_spike_is_described(watched: Watched) -> None:
    def train() -> None:
        net = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-6)
        for i in range(60):
            x, y = torch.randn(16, 3), torch.randn(16, 1)
            if i == 50:
                y[3] = 1e4
            optimizer.zero_grad()
            F.mse_loss(net(x), y).backward()
            optimizer.step()

    (spike,) = watched(train).events_of("spike")
    assert spike.step == 50
    assert spike.detail["rows"][0] == 3
    assert spike.detail["target"]["max"] == pytest.approx(1e4)

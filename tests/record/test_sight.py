"""What stands at a loss: its kind, what it compares, and what a constant prediction would cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fallline.record import graph
from fallline.record.sight import loss_sight


def random(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(sum(shape)))


LABELS = torch.tensor([0, 1, 1, 2, 1, 0])
TARGETS = random(6, 4)
SHARES = torch.sigmoid(TARGETS)


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (lambda y: F.mse_loss(y, TARGETS), "mse"),
        (lambda y: F.cross_entropy(y, LABELS), "nll"),
        (lambda y: F.nll_loss(y.log_softmax(1), LABELS, reduction="sum"), "nll"),
        (lambda y: F.binary_cross_entropy(y.sigmoid(), SHARES), "bce"),
        (lambda y: F.binary_cross_entropy_with_logits(y, SHARES), "bce-logits"),
        (lambda y: F.smooth_l1_loss(y, TARGETS), "smooth-l1"),
        (lambda y: F.huber_loss(y, TARGETS), "huber"),
        (lambda y: ((y - y.flip(0)) ** 2).mean(), None),
        (lambda y: (y - TARGETS).pow(3).mean(), None),
    ],
)
def test_kind_of_loss(loss: Callable[[Tensor], Tensor], kind: str | None) -> None:
    torch.manual_seed(0)
    value = loss(nn.Linear(3, 4).double()(random(6, 3)))
    found = graph.read(value)
    assert found is not None
    assert loss_sight(found, value)["kind"] == kind


@pytest.mark.parametrize(("size", "target", "lost"), [(1e16, 2e5, True), (2e5, 1e5, False), (1.0, 0.0, False)])
def test_a_target_that_rounding_has_eaten_is_not_taken_for_zero(size: float, target: float, lost: bool) -> None:
    prediction = torch.tensor([[size], [-size]], requires_grad=True) * 1.0
    found = sight(((prediction - target) ** 2).mean())
    assert found.get("lost", False) is lost
    assert lost or found["target"]["mean"] == pytest.approx(target)


def sight(loss: Tensor, scale: Tensor | None = None) -> dict[str, Any]:
    found = graph.read(loss)
    assert found is not None
    return loss_sight(found, loss, scale)


def test_sight_of_a_regression() -> None:
    y = nn.Linear(3, 4).double()(random(6, 3))
    seen = sight(F.mse_loss(y, TARGETS, reduction="sum") / 3)
    assert seen["reduction"] == "sum"
    assert seen["elements"] == 24
    assert seen["factor"] == pytest.approx(1 / 3)
    target = TARGETS.numpy()
    assert seen["target"] == {
        "shape": [6, 4],
        "min": target.min(),
        "max": target.max(),
        "mean": pytest.approx(target.mean()),
        "variance": pytest.approx(target.var(axis=0, ddof=1).mean()),
    }
    assert seen["weighted"] is False


@pytest.mark.parametrize(
    "penalty",
    [
        lambda layer: 0.1 * sum(p.pow(2).sum() for p in layer.parameters()),
        lambda layer: 0.1 * layer.weight.norm() + 0.2 * layer.bias.abs().sum(),
        lambda layer: torch.sum(layer.weight * layer.weight) / 7,
        lambda layer: (layer.weight**2).mean(),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_a_penalty_on_the_weights_is_taken_off(penalty: Callable[[nn.Module], Tensor], scale: float) -> None:
    layer = nn.Linear(3, 4).double()
    y, extra = layer(random(6, 3)), penalty(layer)
    for main in (2 * F.mse_loss(y, TARGETS), 2 * ((y - TARGETS) ** 2).mean()):
        for total in (main + extra, extra + main):
            seen = sight(scale * total)
            assert seen["kind"] == "mse"
            assert seen["factor"] == pytest.approx(2 * scale)
            assert seen["penalties"] == pytest.approx(scale * float(extra.detach()))
            assert seen["ops"][-1] in ("mseloss", "mse")


def test_frozen_weights_are_a_number_that_is_added() -> None:
    layer = nn.Linear(3, 4).double()
    frozen = nn.Linear(4, 4).double().requires_grad_(False)
    extra = torch.stack([p.square().sum() for p in (*layer.parameters(), *frozen.parameters())]).sum()
    seen = sight(F.mse_loss(frozen(layer(random(6, 3))), TARGETS) + extra)
    assert seen["kind"] == "mse"
    assert seen["penalties"] == pytest.approx(float(extra.detach()))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("together", [sum, lambda each: torch.stack(each).mean(), lambda each: torch.stack(each).sum()])
def test_a_loss_of_each_step_is_one_over_all(reduction: str, together: Callable[[list[Tensor]], Tensor]) -> None:
    layer, steps = nn.Linear(3, 4).double(), random(5, 6, 3)
    total = together([F.cross_entropy(layer(x), LABELS, reduction=reduction) for x in steps])
    seen = sight(total)
    assert (seen["kind"], seen["classes"]) == ("nll", [10, 15, 5, 0])
    scores = layer(steps.reshape(30, 3))
    assert seen["factor"] * float(F.cross_entropy(scores, LABELS.repeat(5), reduction=reduction).detach()) == (
        pytest.approx(float(total.detach()))
    )
    assert sight(total + 3.0)["kind"] is None


@pytest.mark.parametrize(
    "loss",
    [
        lambda y: F.cross_entropy(y[0], torch.tensor(1)),
        lambda y: F.cross_entropy(y, torch.tensor([0, -100, 1, 2, -100, 0])),
        lambda y: F.cross_entropy(y, LABELS, ignore_index=0),
        lambda y: F.cross_entropy(y, LABELS, weight=torch.ones(4).double()),
        lambda y: F.cross_entropy(y, SHARES),
    ],
)
def test_a_penalty_beside_a_loss_that_cannot_be_taken_again(loss: Callable[[Tensor], Tensor]) -> None:
    layer = nn.Linear(3, 4).double()
    seen = sight(loss(layer(random(6, 3))) + 0.1 * layer.weight.square().sum())
    assert seen["kind"] is not None
    assert seen["penalties"] == pytest.approx(0.1 * float(layer.weight.detach().square().sum()))


def test_losses_without_a_sum_are_seen() -> None:
    y = nn.Linear(3, 4).double()(random(6, 3))
    assert sight(F.mse_loss(y, TARGETS, reduction="none"))["kind"] == "mse"


def test_what_depends_on_the_data_is_no_penalty() -> None:
    y, w = nn.Linear(3, 4).double()(random(6, 3)), torch.ones(3, requires_grad=True)
    for extra in (y.square().mean(), (w - torch.ones(3)).square().sum(), y.abs().sum()):
        seen = sight(F.mse_loss(y, TARGETS) + extra)
        assert seen["kind"] is None
        assert [term["kind"] for term in seen["terms"]] == ["mse"]


def test_the_losses_that_are_added_up_are_seen() -> None:
    y = nn.Linear(3, 4).double()(random(6, 3)).softmax(dim=-1)
    several = torch.tensor([[1.0, 1, 0, 0]] * 3 + [[0.0] * 4] * 3).double()
    seen = sight(F.binary_cross_entropy(y, several) + 0.5 * F.mse_loss(y, TARGETS) + y.std())
    assert sorted(term["kind"] for term in seen["terms"]) == ["bce", "mse"]
    (term,) = (term for term in seen["terms"] if term["kind"] == "bce")
    assert term["ops"][-2:] == ["softmax", "binarycrossentropy"]
    assert (term["softmax_dim"], term["from_one"]) == (1, 1.0)


def test_sight_counts_the_classes() -> None:
    y = nn.Linear(3, 4).double()(random(6, 3))
    assert sight(F.cross_entropy(y, LABELS))["classes"] == [2, 3, 1, 0]
    assert sight(F.cross_entropy(y, LABELS, ignore_index=1))["classes"] == [2, 0, 1, 0]
    assert sight(F.cross_entropy(y, LABELS, weight=torch.ones(4, dtype=torch.float64)))["weighted"] is True
    weighted = F.binary_cross_entropy_with_logits(y, SHARES, pos_weight=torch.tensor(3.0))
    assert sight(weighted)["pos_weight"] == 3.0


def test_sight_takes_the_scale_of_a_scaler_out() -> None:
    y = nn.Linear(3, 4).double()(random(6, 3))
    scale = torch.tensor(65536.0)
    assert sight(F.mse_loss(y, TARGETS) * scale, scale)["factor"] == 1.0
    assert sight(F.mse_loss(y, TARGETS) * scale / 4, scale)["factor"] == 0.25


@pytest.mark.parametrize("target", [torch.zeros((), dtype=torch.float64), torch.zeros(1, dtype=torch.float64)])
def test_sight_of_one_number(target: Tensor) -> None:
    w = torch.ones(target.shape, dtype=torch.float64, requires_grad=True)
    described = sight(F.mse_loss(2 * w, target))["prediction"]
    assert isinstance(described, dict)
    assert described["mean"] == 2.0
    assert math.isnan(described["variance"])


ROWS = torch.arange(6)
SCALES = torch.tensor([1.0, 2.0, 0.5, 10.0], dtype=torch.float64)
SOFT = TARGETS.softmax(1)


@pytest.mark.parametrize(
    ("library", "written"),
    [
        (lambda y: F.mse_loss(y, TARGETS), lambda y: ((y - TARGETS) ** 2).mean()),
        (lambda y: F.mse_loss(y, TARGETS), lambda y: (TARGETS - y).square().mean(1).mean()),
        (lambda y: F.mse_loss(y.sigmoid(), TARGETS), lambda y: ((1.0 * TARGETS - y.sigmoid()) ** 2).mean()),
        (
            lambda y: F.mse_loss(y[:, :1].tanh(), SHARES[:, :1]),
            lambda y: (y[:, :1].tanh() - SHARES[:, :1]).pow(2).mean(),
        ),
        (lambda y: 12 * F.mse_loss(y, TARGETS), lambda y: 0.5 * (lambda e: e * e)(y - TARGETS).sum()),
        (
            lambda y: F.mse_loss(y / SCALES, TARGETS / SCALES),
            lambda y: (((y - TARGETS) / SCALES) ** 2).mean(),
        ),
        (lambda y: F.mse_loss(3 * y, 3 * TARGETS), lambda y: (3.0 * (TARGETS - y)).square().mean()),
        (lambda y: 4 * F.l1_loss(y, TARGETS), lambda y: (y - TARGETS).abs().sum(1).mean()),
        (lambda y: F.cross_entropy(y, LABELS), lambda y: -y.log_softmax(1)[ROWS, LABELS].mean()),
        (lambda y: 6 * F.cross_entropy(y, LABELS), lambda y: -y.log_softmax(1).gather(1, LABELS[:, None]).sum()),
        (lambda y: F.cross_entropy(y, LABELS), lambda y: -(y.softmax(1) + 1e-15).log()[ROWS, LABELS].mean()),
        (lambda y: F.cross_entropy(y, LABELS), lambda y: -y.softmax(1)[ROWS, LABELS].clamp(min=1e-15).log().mean()),
        (
            lambda y: F.binary_cross_entropy(y.sigmoid(), SHARES),
            lambda y: -(SHARES * y.sigmoid().log() + (1 - SHARES) * (1 - y.sigmoid()).log()).mean(),
        ),
        (
            lambda y: F.binary_cross_entropy(y.sigmoid(), SHARES),
            lambda y: (-SHARES * y.sigmoid().log() - (1 - SHARES) * (1 - y.sigmoid()).log()).mean(),
        ),
        *(
            (logistic, written)
            for logistic in [lambda y: F.binary_cross_entropy_with_logits(y, SHARES)]
            for written in (
                lambda y: -(SHARES * F.logsigmoid(y) + (1 - SHARES) * F.logsigmoid(-y)).mean(),
                lambda y: -(SHARES * -F.softplus(-y) + (1 - SHARES) * -F.softplus(y)).mean(),
                lambda y: (SHARES * F.softplus(-y) + (1 - SHARES) * F.softplus(y)).mean(),
                lambda y: -(F.logsigmoid(y) * SHARES - F.softplus(y) * (1 - SHARES)).mean(),
                lambda y: (F.softplus(y) - SHARES * y).mean(),
                lambda y: ((1 + y.exp()).log() - y * SHARES).mean(),
                lambda y: (y.exp().log1p() - SHARES * y).mean(),
            )
        ),
        (
            lambda y: F.binary_cross_entropy_with_logits(y.sigmoid(), SHARES),
            lambda y: (lambda z: F.softplus(z) - SHARES * z)(y.sigmoid()).mean(),
        ),
    ],
)
def test_a_loss_written_by_hand(library: Callable[[Tensor], Tensor], written: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    y = nn.Linear(3, 4).double()(random(6, 3))
    theirs, ours = sight(library(y)), sight(written(y))
    assert library(y).item() == pytest.approx(written(y).item())
    assert ours["factor"] == pytest.approx(theirs["factor"])
    for key in ("kind", "classes", "weighted"):
        assert ours.get(key) == theirs.get(key)
    assert ours["elements"] == theirs["elements"]
    for side in ("prediction", "target"):
        for key, value in theirs[side].items():
            assert ours[side][key] == (value if key == "shape" else pytest.approx(value))
    before = [op for op in theirs["ops"] if op in ("sigmoid", "tanh", "logsoftmax")]
    assert [op for op in ours["ops"] if op in ("sigmoid", "tanh", "logsoftmax")][: len(before)] == before


def test_errors_with_a_weight_for_each_sample_are_no_squared_error() -> None:
    y = nn.Linear(3, 4).double()(random(6, 3))
    assert sight(((torch.arange(6.0).reshape(6, 1) * (y - TARGETS)) ** 2).mean())["kind"] is None


def test_targets_of_different_scale() -> None:
    y, aims = nn.Linear(3, 2).double()(random(6, 3)), random(6, 2) * torch.tensor([1000.0, 1.0])
    columns = sight(F.mse_loss(y, aims))["columns"]
    variances = aims.var(0, correction=0)
    assert columns["apart"] == pytest.approx((variances[0] / variances[1]).item())
    assert columns["explained"] == pytest.approx((1 - (y - aims)[:, 1].square().mean() / variances[1]).item())
    assert sight(F.mse_loss(y[:, :1], aims[:, :1]))["columns"] == {}


def test_what_is_no_cross_entropy() -> None:
    y = nn.Linear(3, 4).double()(random(6, 3))
    for loss in (
        (F.softplus(y) - SHARES * y.sin()).mean(),
        (SHARES * F.logsigmoid(y) + (1 - SHARES) * F.logsigmoid(y)).mean(),
        (SHARES * F.logsigmoid(y) + (2 - SHARES) * F.logsigmoid(-y)).mean(),
        (SHARES * F.logsigmoid(y) + (1 - SHARES) * y.sigmoid().log()).mean(),
        ((2 + y.exp()).log() - SHARES * y.exp()).mean(),
    ):
        assert sight(loss)["kind"] is None


def test_a_linear_model_written_out() -> None:
    torch.manual_seed(0)
    x, y = random(6, 3), random(6)
    w, b = random(3).requires_grad_(), random(1).requires_grad_()
    row = w.detach()[None].clone().requires_grad_()
    for loss in (((x @ w + b - y) ** 2).mean(), ((y[None] - (row @ x.T + b)) ** 2).mean()):
        seen = sight(loss)
        assert seen["kind"] == "mse"
        assert seen["prediction"]["mean"] == pytest.approx((x @ w + b).mean().item())
        assert seen["target"]["max"] == pytest.approx(y.max().item())
    assert sight(((b + torch.erf(w[0]) * x[:, 0] - y) ** 2).mean())["kind"] is None  # no operation that is known


@pytest.mark.parametrize(
    "parts", [lambda p: (p[0], p[1]), lambda p: p, lambda p: p.unbind(-1), lambda p: (p.view(2, 1)[0, 0], p[-1])]
)
def test_a_curve_of_the_entries_of_a_vector(parts: Callable[[Tensor], Sequence[Tensor]]) -> None:
    x, y, p = random(6), random(6), random(2).requires_grad_()
    a, b = parts(p)
    seen = sight(((a * torch.exp(b * x) - y) ** 2).mean())
    assert seen["kind"] == "mse"
    assert seen["prediction"]["mean"] == pytest.approx((p[0] * torch.exp(p[1] * x)).mean().item())
    assert seen["target"]["max"] == pytest.approx(y.max().item())


@pytest.mark.parametrize(
    ("loss", "kind", "factor", "before"),
    [
        (lambda y: F.cross_entropy(y, SOFT), "soft-nll", 4.0, ["logsoftmax"]),
        (lambda y: F.cross_entropy(y.softmax(1), SOFT), "soft-nll", 4.0, ["softmax", "logsoftmax"]),
        (lambda y: -(SOFT * (y.softmax(1) + 1e-15).log()).sum(1).mean(), "soft-nll", 4.0, ["logsoftmax"]),
        (lambda y: F.kl_div(y.softmax(1), SOFT, reduction="batchmean"), "kl", 4.0, ["softmax"]),
        (lambda y: F.kl_div(y.log_softmax(1), SOFT, reduction="sum"), "kl", 24.0, ["logsoftmax"]),
    ],
)
def test_shares_as_targets(loss: Callable[[Tensor], Tensor], kind: str, factor: float, before: list[str]) -> None:
    seen = sight(loss(nn.Linear(3, 4).double()(random(6, 3))))
    assert seen["kind"] == kind
    assert seen["factor"] == pytest.approx(factor)
    assert seen["ops"] == [*before, kind]
    assert seen["target"]["mean"] == pytest.approx(SOFT.mean().item())
    assert seen.get("shares", SOFT.mean(0).tolist()) == pytest.approx(SOFT.mean(0).tolist())


def test_the_dimension_of_a_softmax() -> None:
    for dim in (0, 1):
        assert sight(F.nll_loss(nn.Linear(3, 4).double()(random(6, 3)).log_softmax(dim), LABELS))["softmax_dim"] == dim


def test_the_cost_of_a_constant() -> None:
    y = nn.Linear(3, 4).double()(random(6, 3))
    middle = TARGETS.median(dim=0, keepdim=True).values.expand_as(TARGETS)
    for loss, options in ((F.l1_loss, {}), (F.smooth_l1_loss, {"beta": 0.3}), (F.huber_loss, {"delta": 0.3})):
        assert sight(loss(y, TARGETS, **options))["constant"] == pytest.approx(loss(middle, TARGETS, **options).item())


def test_a_summed_cross_entropy_counts_its_targets() -> None:
    y = nn.Linear(3, 4).double()(random(6, 3))
    assert sight(F.cross_entropy(y, LABELS, reduction="sum"))["elements"] == 6

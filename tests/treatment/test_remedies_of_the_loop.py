"""Remedies for the loop, the graph and the loss: under each, a sick loop trains as the cured one does."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd import Variable
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from fallline.diagnosis.diagnose import diagnose
from fallline.diagnosis.finding import Finding
from fallline.record.run import Run
from fallline.treatment.patient import Patient
from fallline.treatment.remedies import BY_NAME
from fallline.treatment.remedies.initialise import fill

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
MSE: Loss = lambda model, x, y: F.mse_loss(model(x), y)  # noqa: E731


class Guarded(nn.Module):
    """Its encoder runs without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.head = nn.Linear(4, 6), nn.Linear(6, 2)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        return torch.tanh(self.encoder(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encode(x))


class Open(Guarded):
    def encode(self, x: Tensor) -> Tensor:
        return torch.tanh(self.encoder(x))


def data(low: int = 0, high: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(8, 4, generator=generator), torch.randint(low, high, (8, 2), generator=generator).float()


def trained(
    loss: Loss,
    name: str = "",
    args: dict[str, Any] | None = None,
    loop: str = "usual",
    kind: type[nn.Module] = Open,
    updates: int = 5,
) -> list[Tensor]:
    """The weights after some updates, under a remedy."""
    torch.manual_seed(0)
    model, (x, y) = kind(), data()
    if loop == "frozen":
        model.requires_grad_(False)
        model.head.requires_grad_(True)
    patient = Patient()
    if name:
        BY_NAME[name].apply(patient, args or {})
    with patient.operate():
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(updates):
            if loop in ("usual", "late", "frozen"):
                optimizer.zero_grad()
            loss(model, x, y).backward()
            if loop == "cleared":
                optimizer.zero_grad()
            if loop != "late":
                optimizer.step()
        if loop == "late":
            optimizer.step()
    return [p.detach() for p in model.parameters()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def said(output: Tensor, y: Tensor) -> Tensor:
    loss = F.mse_loss(output, y)
    loss.requires_grad = True
    return loss


CUTS: dict[str, Loss] = {
    "detach": lambda model, x, y: F.mse_loss(model(x).detach().requires_grad_(), y),
    "data": lambda model, x, y: F.mse_loss(model(x).data.requires_grad_(), y),
    "said to have a gradient": lambda model, x, y: said(model(x).detach(), y),
    "Variable": lambda model, x, y: F.mse_loss(Variable(model(x), requires_grad=True), y),
    "Variable of data": lambda model, x, y: F.mse_loss(Variable(model(x).data, requires_grad=True), y),
    "round": lambda model, x, y: F.mse_loss(model(x).round(), y),
}


@pytest.mark.filterwarnings("ignore:To copy construct")
@pytest.mark.parametrize("cut", CUTS)
def test_the_graph_is_kept_where_it_was_cut(cut: str) -> None:
    assert not same(trained(CUTS[cut]), trained(MSE))
    assert same(trained(CUTS[cut], "keep-graph", {"at": "tensors"}), trained(MSE))


def numbers(loss: Loss) -> Loss:
    """Loss functions end in a tensor without a graph, which is told that it has a gradient."""
    return lambda model, x, y: torch.tensor(loss(model, x, y), requires_grad=True)


def one_by_one(model: nn.Module, x: Tensor, y: Tensor) -> Any:
    errors = [F.mse_loss(model(row), target).item() for row, target in zip(x, y, strict=True)]
    return sum(2.0 * error - error * 1.0 for error in errors) / len(errors)


NUMBERS: dict[str, Loss] = {
    "a number": numbers(lambda model, x, y: F.mse_loss(model(x), y).item()),
    "numbers": numbers(one_by_one),
    "a list of numbers": lambda model, x, y: torch.tensor(
        [F.mse_loss(model(row), target).item() for row, target in zip(x, y, strict=True)], requires_grad=True
    ).mean(),
    "nested lists": numbers(
        lambda model, x, y: sum(
            (value - target) ** 2 / y.numel()
            for values, targets in zip(model(x).tolist(), y.tolist(), strict=True)
            for value, target in zip(values, targets, strict=True)
        )
    ),
    "NumPy": numbers(lambda model, x, y: np.mean((model(x).detach().numpy() - y.numpy()) ** 2)),
    "methods of NumPy": numbers(
        lambda model, x, y: np.square(model(x).detach().numpy() - y.numpy()).mean(axis=1).mean()
    ),
    "an index": numbers(
        lambda model, x, y: ((model(x).detach().numpy()[np.arange(len(x))] - y.numpy()).copy().reshape(-1) ** 2).mean()
    ),
    "back from NumPy": lambda model, x, y: F.mse_loss(torch.from_numpy(model(x).detach().numpy()).requires_grad_(), y),
    "a number in torch": lambda model, x, y: silenced(
        torch.stack([
            (torch.ones(()) * (0.5 * F.mse_loss(model(row), target).item()) * 2 - 0.0)
            for row, target in zip(x, y, strict=True)
        ]).mean()
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:To copy construct")
@pytest.mark.parametrize("cut", NUMBERS)
def test_numbers_and_arrays_remember_their_tensors(cut: str) -> None:
    assert not any(torch.allclose(p, q) for p, q in zip(trained(NUMBERS[cut]), trained(MSE), strict=True))
    treated = trained(NUMBERS[cut], "keep-graph", {"at": "numbers"})
    assert all(torch.allclose(p, q, atol=1e-6) for p, q in zip(treated, trained(MSE), strict=True))


def test_what_was_remembered_is_forgotten_at_the_update() -> None:
    kept: list[Any] = []

    def logged(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        loss = F.mse_loss(model(x), y)
        kept.extend([loss.item(), model(x).detach().numpy(), sum(v for v in kept if isinstance(v, float))])
        return loss

    assert same(trained(logged, "keep-graph", {"at": "numbers"}), trained(MSE))
    assert kept
    assert not any(hasattr(value.source, "tensor") for value in kept if getattr(value, "source", None) is not None)
    array = kept[1]
    assert type(array.mean()) is np.float32
    assert type(array[0]) is type(array + 1) is type(array.ravel()) is np.ndarray


def labels(x: Tensor) -> Tensor:
    return (x[:, 0] > 0).long()


def silenced(loss: Tensor) -> Tensor:
    return loss if loss.requires_grad else loss.requires_grad_()


STEPS: dict[str, Loss] = {
    "wrong classes": lambda model, x, y: (model(x).argmax(1) != labels(x)).float().mean(),
    "accuracy": lambda model, x, y: 1 - (model(x).max(1)[1] == labels(x)).sum() / len(x),
    "kept dimension": lambda model, x, y: 1 - model(x).argmax(1, keepdim=True).eq(labels(x)[:, None]).double().mean(),
    "numbers of classes": lambda model, x, y: F.mse_loss(torch.argmax(model(x), dim=1).float(), labels(x).float()),
    "threshold": lambda model, x, y: F.l1_loss((torch.sigmoid(model(x)[:, 0]) > 0.5).float(), labels(x).float()),
    "sign": lambda model, x, y: (1 - torch.sign(model(x)[:, 0]) * (2.0 * labels(x) - 1)).mean(),
    "equal numbers": lambda model, x, y: ((model(x)[:, 0] > 0).long() != labels(x)).float().mean(),
}


@pytest.mark.parametrize("case", STEPS)
def test_steps_get_a_slope_and_keep_their_value(case: str) -> None:
    def right(weights: list[Tensor]) -> float:
        model, (x, _) = Open(), data()
        for parameter, trained_to in zip(model.parameters(), weights, strict=True):
            parameter.data = trained_to
        scores = model(x)
        chosen = scores[:, 0] > 0 if case in ("threshold", "sign", "equal numbers") else scores.argmax(1)
        return float((chosen.long() == labels(x)).double().mean())

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        value = STEPS[case](model, x, y)
        values.append(value.item())
        return silenced(value)

    values: list[float] = []
    start = trained(loss)
    first = values[0]
    assert len(set(values)) == 1  # it learns nothing
    values.clear()
    treated = trained(loss, "keep-graph", {"at": "steps"}, updates=400)
    assert values[0] == pytest.approx(first, abs=1e-6)
    assert right(treated) == 1.0 > right(start)


def test_samples_let_gradients_through() -> None:
    def loss(model: nn.Module, x: Tensor, y: Tensor, method: str = "sample") -> Tensor:
        torch.manual_seed(3)
        laplace = getattr(torch.distributions.Laplace(model(x), 1.0), method)()
        return F.mse_loss(getattr(torch.distributions.Normal(model(x), 1.0), method)((2,)).mean(0) + laplace, y)

    cured = trained(lambda model, x, y: loss(model, x, y, "rsample"))
    assert same(trained(loss, "keep-graph", {"at": "tensors"}), cured)
    patient = Patient()
    BY_NAME["keep-graph"].apply(patient, {"at": "tensors"})
    with patient.operate():
        assert torch.distributions.Categorical(torch.ones(3)).sample().dtype == torch.int64  # it has no other


def test_parameters_are_detached_as_before() -> None:
    weight = nn.Parameter(torch.ones(2))
    patient = Patient()
    BY_NAME["keep-graph"].apply(patient, {"at": "tensors"})
    with patient.operate():
        assert not weight.detach().requires_grad
        assert not weight.data.requires_grad
        with torch.no_grad():
            assert not (weight * 2).detach().requires_grad
        assert (weight * 2).shape == (2,)  # other attributes of a tensor are what they were


def test_gradients_flow_through_a_module_that_forbids_them() -> None:
    assert not same(trained(MSE, kind=Guarded), trained(MSE))
    assert same(trained(MSE, "keep-graph", {"at": "layers"}, kind=Guarded), trained(MSE))
    model, x = Guarded(), data()[0]
    patient = Patient()
    BY_NAME["keep-graph"].apply(patient, {"at": "layers"})
    with patient.operate(), torch.no_grad():
        assert not model(x).requires_grad  # an evaluation stays one
    assert not model.encode(x).requires_grad  # and everything is put back


def test_a_gradient_that_was_cleared_too_early_is_used() -> None:
    assert same(trained(MSE, "use-gradient", {"order": "cleared"}, loop="cleared"), trained(MSE))


def test_every_backward_gets_its_step() -> None:
    assert same(trained(MSE, "use-gradient", {"order": "thrown"}, loop="late"), trained(MSE))


def test_frozen_parameters_are_released() -> None:
    """From the second update on: the first forward pass ran before the optimizer was met."""
    frozen, released = trained(MSE, loop="frozen"), trained(MSE, "unfreeze", {"parameters": "encoder"}, loop="frozen")
    assert not same(frozen[:2], released[:2])


def picked(model: nn.Module, x: Tensor, change: Callable[[Tensor], Tensor], loss: Callable[..., Tensor]) -> Tensor:
    return loss(change(model(x)), torch.tensor([0, 1] * 4))


LOSSES: dict[str, tuple[str, Loss, Loss]] = {
    "scores in nll_loss": (
        "log-softmax",
        lambda model, x, y: picked(model, x, lambda out: out, nn.NLLLoss()),
        lambda model, x, y: picked(model, x, lambda out: out.log_softmax(1), F.nll_loss),
    ),
    "probabilities in nll_loss": (
        "log",
        lambda model, x, y: picked(model, x, lambda out: out.softmax(1), F.nll_loss),
        lambda model, x, y: picked(model, x, lambda out: out.softmax(1).clamp(min=1e-12).log(), F.nll_loss),
    ),
    "softmax over the batch": (
        "dim",
        lambda model, x, y: picked(model, x, nn.LogSoftmax(dim=0), F.nll_loss),
        lambda model, x, y: picked(model, x, nn.LogSoftmax(dim=1), F.nll_loss),
    ),
    "labels 0 and 1": (
        "signed",
        lambda model, x, y: nn.SoftMarginLoss()(model(x), y),
        lambda model, x, y: F.soft_margin_loss(model(x), 2 * y - 1),
    ),
    "pairs": (
        "signed",
        lambda model, x, y: F.hinge_embedding_loss(model(x).square(), target=y),
        lambda model, x, y: F.hinge_embedding_loss(model(x).square(), 2 * y - 1),
    ),
    "a hinge by hand": (
        "hinge",
        lambda model, x, y: torch.clamp(1 - model(x) * y, min=0).mean(),
        lambda model, x, y: torch.clamp(1 - model(x) * (2 * y - 1), min=0).mean(),
    ),
    "labels -1 and 1": (
        "zero-one",
        lambda model, x, y: nn.BCEWithLogitsLoss()(model(x), 2 * y - 1),
        lambda model, x, y: F.binary_cross_entropy_with_logits(model(x), y),
    ),
    "a rate": (
        "rate",
        lambda model, x, y: nn.PoissonNLLLoss()(F.softplus(model(x)), y),
        lambda model, x, y: F.poisson_nll_loss(F.softplus(model(x)), y, log_input=False),
    ),
    "cross entropy of one unit": (
        "unit",
        lambda model, x, y: nn.CrossEntropyLoss()(model(x)[:, :1], y[:, :1]),
        lambda model, x, y: F.binary_cross_entropy_with_logits(model(x)[:, :1], y[:, :1]),
    ),
    "numbers of classes": (
        "classes",
        lambda model, x, y: F.mse_loss(model(x), y[:, :1].expand(-1, 2)),
        lambda model, x, y: F.cross_entropy(model(x), y[:, 0].long()),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LOSSES)
def test_the_loss_gets_what_it_expects(case: str) -> None:
    way, sick, cured = LOSSES[case]
    assert not same(trained(sick), trained(cured))
    assert same(trained(sick, "match-loss", {"way": way}), trained(cured))


@pytest.mark.parametrize("case", LOSSES)
def test_the_way_is_read_off_the_record(case: str, watched: Callable[..., Run]) -> None:
    way, sick, _ = LOSSES[case]
    torch.manual_seed(0)
    model, (x, y) = Open(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train() -> None:
        for _ in range(5):
            optimizer.zero_grad()
            sick(model, x, y).backward()
            optimizer.step()

    found = BY_NAME["match-loss"].propose(Finding("output-mismatch", "error", "", "", "", ""), watched(train))
    assert [proposal.args["way"] for proposal in found] == [way]


BETWEEN: dict[str, tuple[Tensor, float, float]] = {
    "labels 1 and 2": (data()[1] + 1, 1.0, 2.0),
    "whole numbers": (2 * data()[1].long(), 0.0, 2.0),
    "pixels": (torch.cat([torch.tensor([[0.0, 16.0]]), 16 * data()[0].abs()[:7, :2].clamp(max=1)]), 0.0, 16.0),
}  # fmt: skip


@pytest.mark.parametrize("case", BETWEEN)
def test_targets_outside_0_to_1_are_brought_there(case: str, watched: Callable[..., Run]) -> None:
    target, least, most = BETWEEN[case]
    entropy = F.binary_cross_entropy_with_logits
    args = {"way": "scaled", "least": least, "most": most}
    expected = (target - least) / (most - least)
    scaled = trained(lambda model, x, y: entropy(model(x), target[:].float()), "match-loss", args)
    assert same(scaled, trained(lambda model, x, y: entropy(model(x), expected)))
    patient = Patient()
    BY_NAME["match-loss"].apply(patient, args)
    with patient.operate():  # as where the program compares its answers with its labels, which it may change in place
        read, kept = torch.tensor(target.tolist()), target.clone().zero_()
        assert torch.equal(read[:].float(), expected)
        assert kept.sum() == 0
    model, (x, _) = Open(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train() -> None:
        entropy(model(x), target.float()).backward()
        optimizer.step()

    found = BY_NAME["match-loss"].propose(Finding("output-mismatch", "error", "", "", "", ""), watched(train))
    assert [proposal.args for proposal in found] == [args]


def test_a_loss_that_is_right_is_left_alone(watched: Callable[..., Run]) -> None:
    model, (x, _) = Open(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train() -> None:
        F.cross_entropy(model(x), torch.tensor([0, 1] * 4)).backward()
        optimizer.step()

    assert not BY_NAME["match-loss"].propose(Finding("output-mismatch", "error", "", "", "", ""), watched(train))


DOMAINS: dict[str, tuple[Loss, str]] = {
    "sqrt": (lambda model, x, y: torch.sqrt(y * model(x).square()).mean(), "sqrt"),
    "method": (lambda model, x, y: (y * model(x).square()).sqrt().mean(), "sqrt"),
    "negative": (lambda model, x, y: model(x).sqrt().mean(), "sqrt"),
    "log": (lambda model, x, y: torch.log(F.relu(model(x))).mean(), "log"),
    "pow": (lambda model, x, y: ((y * model(x).square()) ** 0.5).mean() + (model(x) ** 2).mean(), "pow"),
    "exponents in a tensor": (
        lambda model, x, y: ((y * model(x).square()) ** torch.full((2,), 0.5)).mean(),
        "pow",
    ),
    "exp": (lambda model, x, y: torch.exp(1e4 * model(x)).mean(), "exp"),
    "div": (lambda model, x, y: (model(x) / F.relu(model(x))).mean(), "div"),
    "reciprocal": (lambda model, x, y: (1 / F.relu(model(x))).mean(), "reciprocal"),
    "mul": (lambda model, x, y: (model(x) + y * float("-inf")).softmax(1).square().mean(), "softmax"),
    "softmax": (
        lambda model, x, y: model(x).masked_fill(x[:, :1] > -9, float("-inf")).softmax(1).square().mean(),
        "softmax",
    ),
    "log_softmax": (
        lambda model, x, y: F.log_softmax(model(x) - torch.inf, dim=1).clamp(min=-9).mean(),
        "logsoftmax",
    ),
    "acos": (lambda model, x, y: torch.acos(4 * model(x)).mean(), "acos"),
    "xlogy": (lambda model, x, y: torch.xlogy(model(x), 0 * y).mean(), "xlogy"),
    "of the data": (lambda model, x, y: (model(x) - torch.log(0 * y)).mean() + (1 / (0 * y)).mean(), "every"),
}


@pytest.mark.parametrize("case", DOMAINS)
def test_an_argument_stays_in_its_domain(case: str, watched: Callable[..., Run]) -> None:
    loss, operation = DOMAINS[case]
    torch.manual_seed(0)
    model, (x, y) = Open(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-12)

    def train() -> None:
        optimizer.zero_grad()
        loss(model, x, y).backward()
        optimizer.step()

    run = watched(train)
    found = BY_NAME["keep-domain"].propose(Finding("non-finite", "error", "", "", "", ""), run)
    zero = [proposal for proposal in found if proposal.args.get("zero")]
    assert bool(zero) == (operation in ("div", "reciprocal"))
    assert [proposal.args["operation"] for proposal in found if proposal not in zero] == [operation]
    for proposal in found:
        patient = Patient()
        BY_NAME["keep-domain"].apply(patient, proposal.args)
        torch.manual_seed(0)
        fresh = Open()
        with patient.operate():
            value = loss(fresh, x, y)
            value.backward()
        assert torch.isfinite(value)
        assert all(torch.isfinite(p.grad).all() for p in fresh.parameters() if p.grad is not None)


def test_a_quotient_by_zero_is_zero() -> None:
    a, b = torch.ones(3, requires_grad=True), torch.tensor([0.0, 2.0, 4.0], requires_grad=True)
    patient = Patient()
    BY_NAME["keep-domain"].apply(patient, {"operation": "div", "zero": True})
    with patient.operate():
        quotients = [a / b, torch.div(a, b), 1 / b, b**-1, b.square().rsqrt(), (b**2) ** -0.5]
        sum(quotients).sum().backward()  # type: ignore[union-attr]
    assert all(torch.equal(quotient, torch.tensor([0.0, 0.5, 0.25])) for quotient in quotients)
    for leaf in (a, b):
        assert leaf.grad is not None
        assert leaf.grad[0] == 0


def test_a_deviation_of_one_number_is_zero() -> None:
    one, two = torch.tensor([3.0]), torch.tensor([[1.0, 3.0], [2.0, 2.0]])
    patient = Patient()
    BY_NAME["keep-domain"].apply(patient, {"operation": "div", "zero": True})
    with patient.operate():
        spreads = one.std(), torch.var(one), two[:1].std(0), two.std(1), two.std()
    expected = torch.tensor(0.0), torch.tensor(0.0), torch.zeros(2), two.std(1), two.std()
    assert all(torch.equal(found, spread) for found, spread in zip(spreads, expected, strict=True))


class Spread(nn.Module):
    """A mean and a variance that a ReLU may make 0."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.spread = nn.Linear(4, 1), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean(x), F.relu(self.spread(x))


def test_a_variance_out_of_relu_is_kept_above_zero(watched: Callable[..., Run]) -> None:
    torch.manual_seed(0)
    model, (x, y) = Spread(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-12)

    def loss() -> Tensor:
        mean, variance = model(x)
        value: Tensor = (variance.log() + (y[:, :1] - mean) ** 2 / variance).mean()
        return value

    def train() -> None:
        loss().backward()
        optimizer.step()

    run = watched(train)
    model = Spread()
    (found,) = BY_NAME["output-activation"].propose(Finding("non-finite", "error", "", "", "", ""), run)
    assert found.args == {"weights": ["spread.weight"], "to": "softplus", "instead_of": "relu"}
    assert "F.softplus(…) + 1e-06" in BY_NAME["output-activation"].change(found.args, run)
    patient = Patient()
    BY_NAME["output-activation"].apply(patient, found.args)
    with patient.operate():
        assert torch.isfinite(loss())


LOGARITHMS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "softmax": (lambda z: z.softmax(0).log(), lambda z: F.log_softmax(z, 0)),
    "base two": (lambda z: F.softmax(z, dim=1).log2(), lambda z: F.log_softmax(z, 1) / math.log(2)),
    "an entry": (lambda z: -torch.log(torch.softmax(z, 1)[range(8), [0] * 8]), lambda z: -F.log_softmax(z, 1)[:, 0]),
    "sigmoid": (lambda z: torch.log(torch.sigmoid(z)), F.logsigmoid),
    "one minus": (lambda z: (1 - z.sigmoid()).log(), lambda z: F.logsigmoid(-z)),
    "by hand": (lambda z: torch.log(z.exp() / z.exp().sum(1, keepdim=True)), lambda z: F.log_softmax(z, 1)),
    "all": (lambda z: z.exp().sum().log(), lambda z: z.flatten().logsumexp(0)),
    "plus one": (lambda z: torch.log(1 + z.exp()), F.softplus),
    "log1p": (lambda z: z.exp().log1p(), F.softplus),
    "of something else": (lambda z: (z.square() + 1).log(), lambda z: (z.square() + 1).log()),
    "of a difference": (lambda z: (z.exp() - 5).square().log(), lambda z: (z.exp() - 5).square().log()),
    "two more": (lambda z: torch.log(2 + z.exp()), lambda z: torch.logaddexp(z, torch.tensor(math.log(2)).to(z))),
    "a little more": (
        lambda z: torch.log(z.softmax(1) + 1e-4),
        lambda z: torch.logaddexp(F.log_softmax(z, 1), torch.tensor(math.log(1e-4)).to(z)),
    ),
    "at least": (lambda z: z.softmax(1).clamp(min=1e-6).log(), lambda z: F.log_softmax(z, 1).clamp(min=math.log(1e-6))),
    "at most": (
        lambda z: z.softmax(1).clamp(1e-6, 0.5).log(),
        lambda z: F.log_softmax(z, 1).clamp(math.log(1e-6), math.log(0.5)),
    ),
    "of parts": (
        lambda z: torch.log(z.softmax(1) * torch.exp(-(z**2))),
        lambda z: F.log_softmax(z, 1) - z**2,
    ),
    "times a constant": (lambda z: torch.log((0.5 * z.exp()).sum(1)), lambda z: z.logsumexp(1) - math.log(2)),
    "mean": (lambda z: z.exp().mean(1).log(), lambda z: z.logsumexp(1) - math.log(3)),
    "added up": (lambda z: sum(z[:, i].exp() for i in range(3)).log(), lambda z: z.logsumexp(1)),
    "stacked": (lambda z: torch.stack([z[:, 0].exp(), z[:, 1].exp()]).sum(0).log(), lambda z: z[:, :2].logsumexp(1)),
    "matrices": (lambda z: (z.exp() @ z.exp().T).log(), lambda z: (z.unsqueeze(1) + z).logsumexp(2)),
    "a matrix and its transpose": (
        lambda z: z.exp().mT.mm(z.exp()).log(),
        lambda z: (z.mT.unsqueeze(-1) + z).logsumexp(1),
    ),
    "a chain": (  # the forward recursion of a hidden Markov model
        lambda z: torch.log(((z[0].softmax(0) @ z[:3].softmax(1)) * z[4].exp() @ z[5:].softmax(1)).sum()),
        lambda z: torch.logsumexp(
            ((z[0].log_softmax(0)[:, None] + z[:3].log_softmax(1)).logsumexp(0) + z[4])[:, None] + z[5:].log_softmax(1),
            dim=(0, 1),
        ),
    ),
    "another precision": (lambda z: z.exp().to(torch.float64).log(), lambda z: z),
}


@pytest.mark.parametrize("case", LOGARITHMS)
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_logarithms_are_taken_in_one_step(case: str, scale: float) -> None:
    plain, stable = LOGARITHMS[case]
    generator = torch.Generator().manual_seed(0)
    z = (scale * torch.randn(8, 3, generator=generator, dtype=torch.float64)).requires_grad_()
    patient = Patient()
    BY_NAME["log-space"].apply(patient, {})
    with patient.operate():
        value = plain(z)
        (gradient,) = torch.autograd.grad(value.sum(), z)
    expected = stable(z)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), z)[0], equal_nan=True)
    if scale == 1.0:
        torch.testing.assert_close(value, plain(z))


@pytest.mark.parametrize(("loss", "found"), [
    (lambda model, x, y: -torch.log(torch.softmax(1e5 * model(x), 1)).mean(), [{}]),
    (lambda model, x, y: torch.log(F.relu(model(x))).mean(), []),
    (lambda model, x, y: torch.log(torch.softmax(1e5 * model(x), 1) * model(x).square()).mean(), [{}]),
    (lambda model, x, y: torch.log(model.head(torch.sigmoid(model.encoder(x))) - 1e3).mean(), []),  # a layer between
])  # fmt: skip
def test_log_space_is_proposed_where_an_exponential_is(
    loss: Loss, found: list[dict[str, Any]], watched: Callable[..., Run]
) -> None:
    model, (x, y) = Open(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-12)

    def train() -> None:
        loss(model, x, y).backward()
        optimizer.step()

    proposed = BY_NAME["log-space"].propose(Finding("non-finite", "error", "", "", "", ""), watched(train))
    assert [proposal.args for proposal in proposed] == found
    assert all("F.log_softmax(z, dim)" in BY_NAME["log-space"].change({}, watched(train)) for _ in proposed)


def test_the_optimizer_divides_as_before() -> None:
    weights = []
    for name in ("", "keep-domain"):
        torch.manual_seed(0)
        model, (x, y) = Open(), data()
        patient = Patient()
        if name:
            BY_NAME[name].apply(patient, {"operation": "sqrt"})
        with patient.operate():
            optimizer = torch.optim.Adam(model.parameters(), lr=0.1, foreach=False)
            for _ in range(3):
                optimizer.zero_grad()
                (1e-3 * MSE(model, x, y)).backward()
                optimizer.step()
        weights.append([p.detach() for p in model.parameters()])
    assert same(*weights)


def test_a_twin_is_given_what_no_optimizer_holds() -> None:
    generator, judge = nn.Linear(2, 3), nn.Linear(3, 1)
    own = [p.detach().clone() for p in judge.parameters()]
    patient = Patient()
    BY_NAME["register-parameters"].apply(
        patient, {"parameters": ["generator.weight", "generator.bias"], "hidden": False, "twice": True}
    )
    with patient.operate():
        first, second = (torch.optim.SGD(judge.parameters(), lr=0.1) for _ in range(2))
        judge(generator(torch.ones(4, 2))).square().mean().backward()
        second.step()
    held = [p for group in second.param_groups for p in group["params"]]
    assert [id(p) for p in held] == [id(p) for p in generator.parameters()]
    assert [id(p) for p in first.param_groups[0]["params"]] == [id(p) for p in judge.parameters()]
    assert all(torch.equal(p, q) for p, q in zip(judge.parameters(), own, strict=True))


def test_missing_inputs_take_the_mean_of_their_feature(watched: Callable[..., Run]) -> None:
    def holed(model: nn.Module, x: Tensor, y: Tensor, fill: float | None = None) -> Tensor:
        x = x.clone()
        x[::2, 0], x[:, 3] = torch.nan if fill is None else fill, torch.inf if fill is None else 0.0
        return F.mse_loss(model(x), y)

    mean = float(data()[0][1::2, 0].mean())
    run = watched(lambda: trained(holed))
    found = BY_NAME["fill-missing"].propose(Finding("non-finite", "error", "", "", "", ""), run)
    assert [proposal.args for proposal in found] == [{}]
    treated, cured = trained(holed, "fill-missing"), trained(lambda model, x, y: holed(model, x, y, mean))
    assert all(torch.allclose(p, q, rtol=0, atol=1e-6) for p, q in zip(treated, cured, strict=True))


def test_inputs_that_are_there_stay_as_they_are() -> None:
    assert same(trained(MSE, "fill-missing"), trained(MSE))


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("both", [False, True])
def test_every_time_step_reaches_the_end(kind: type[nn.RNNBase], both: bool) -> None:
    torch.manual_seed(0)
    net, x = kind(3, 4, num_layers=2, batch_first=True, bidirectional=both), torch.randn(5, 7, 3)
    plain, _ = net(x)
    patient = Patient()
    BY_NAME["pool-states"].apply(patient, {})
    with patient.operate():
        states, final = net(x)
        alone, _ = net(x[0])
    hidden = final[0] if kind is nn.LSTM else final
    most = plain.amax(dim=1)
    assert torch.equal(states[:, :-1], plain[:, :-1])
    assert torch.equal(states[:, -1], most)
    assert torch.equal(torch.cat([*hidden[-2 if both else -1 :]], dim=1), most)
    assert torch.allclose(alone, states[0], atol=1e-6)
    assert torch.equal(net(x)[0], plain)  # put back


def test_samples_come_in_another_order_in_every_epoch() -> None:
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(torch.arange(32)), batch_size=8)

    def order() -> list[int]:
        return [int(i) for (batch,) in loader for i in batch]

    patient = Patient()
    BY_NAME["shuffle"].apply(patient, {})
    with patient.operate():
        with torch.no_grad():
            assert order() == list(range(32))
        first, second = order(), order()
    assert sorted(first) == sorted(second) == list(range(32))
    assert len({tuple(first), tuple(second), tuple(range(32))}) == 3


PAIRS: dict[str, tuple[Loss, Loss]] = {
    "mse": (
        lambda model, x, y: F.mse_loss(model(x)[:, :1], y[:, 0]),
        lambda model, x, y: F.mse_loss(model(x)[:, 0], y[:, 0]),
    ),
    "by hand": (
        lambda model, x, y: (y[:, :1] - model(x)[:, 0]).square().mean(),
        lambda model, x, y: (y[:, 0] - model(x)[:, 0]).square().mean(),
    ),
    "rows": (
        lambda model, x, y: (y[:, :1].T - model(x)[:, :1]).square().mean(),
        lambda model, x, y: (y[:, 0] - model(x)[:, 0]).square().mean(),
    ),
    "a policy's loss": (
        lambda model, x, y: -(torch.distributions.Normal(model(x)[:, :1], 1.0).log_prob(y[:, :1]) * y[:, 1]).mean(),
        lambda model, x, y: -(torch.distributions.Normal(model(x)[:, 0], 1.0).log_prob(y[:, 0]) * y[:, 1]).mean(),
    ),
}


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("case", PAIRS)
def test_a_prediction_takes_the_shape_of_its_target(case: str) -> None:
    sick, well = PAIRS[case]
    treated, cured = trained(sick, "match-shapes", {"squeeze": True}), trained(well)
    assert all(torch.allclose(p, q, rtol=0, atol=1e-6) for p, q in zip(treated, cured, strict=True))
    assert not any(torch.allclose(p, q, atol=1e-3) for p, q in zip(trained(sick)[2:], cured[2:], strict=True))


def test_pairs_that_are_meant_stay_pairs() -> None:
    def contrast(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        out = model(x)[:, 0]
        return ((out[:, None] - out[None]) * (y[:, :1] - y[:, 0])).square().mean() + model(x).sum(
            1, keepdim=True
        ).mean()

    assert same(trained(contrast, "match-shapes", {"squeeze": True}), trained(contrast))


class Anew(Open):
    """Makes its hidden layers and their norm in each forward pass."""

    def encode(self, x: Tensor) -> Tensor:
        middle = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6))
        again = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6))
        made.append(middle[1])
        return again(middle(torch.tanh(self.encoder(x))))


made: list[nn.Module] = []


def test_layers_of_the_forward_pass_are_made_once() -> None:
    losses: list[float] = []

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        value = F.mse_loss(model(x), y)
        losses.append(value.item())
        return value

    made.clear()
    trained(loss, "keep-layers", kind=Anew, updates=60)
    assert losses[-1] < 0.5 * losses[0]
    assert all(a > b for a, b in itertools.pairwise(losses[:6]))  # it is the same network at each update
    first, last = made[0], made[-1]
    assert first is not last
    assert last.weight is first.weight
    assert int(first.num_batches_tracked) == 60
    assert BY_NAME["keep-layers"].propose(Finding("no-gradient", "error", "", "", "", ""), None) == []  # type: ignore[arg-type]
    patient = Patient()
    BY_NAME["keep-layers"].apply(patient, {})
    with patient.operate():  # layers that a model has are its own, also beside one another
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        x = torch.randn(2, 3)
        assert torch.equal(model(x), model[1](model[0](x)))


@pytest.mark.parametrize("name", ["", "zero-grad"])
def test_a_closure_that_clears_nothing_is_cleared(name: str) -> None:
    def fitted(clears: bool) -> list[Tensor]:
        torch.manual_seed(0)
        model, (x, y) = Open(), data()
        patient = Patient()
        if name:
            BY_NAME[name].apply(patient, {})
        with patient.operate():
            optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)

            def closure() -> Tensor:
                if clears:
                    optimizer.zero_grad()
                loss = F.mse_loss(model(x), y)
                loss.backward()
                return loss

            for _ in range(3):
                optimizer.step(closure)
        return [p.detach() for p in model.parameters()]

    assert same(fitted(False), fitted(True)) == bool(name)


@pytest.mark.parametrize("name", ["", "zero-grad"])
def test_what_the_loss_of_another_optimizer_leaves_is_cleared(name: str) -> None:
    """An actor's loss goes through the critic, whose gradients are cleared before its own loss."""

    def fitted(clears: bool) -> list[Tensor]:
        torch.manual_seed(0)
        critic, actor, (x, _) = nn.Linear(5, 1), nn.Linear(4, 1), data()
        patient = Patient()
        if name:
            BY_NAME[name].apply(patient, {})
        with patient.operate():
            judged = torch.optim.SGD(critic.parameters(), lr=0.1)
            acting = torch.optim.SGD(actor.parameters(), lr=0.1)
            for _ in range(5):
                if clears:
                    judged.zero_grad()
                critic(torch.cat([x, x[:, :1]], 1)).sub(1).square().mean().backward()
                judged.step()
                acting.zero_grad()
                (-critic(torch.cat([x, actor(x)], 1)).mean()).backward()
                acting.step()
        return [p.detach() for p in (*critic.parameters(), *actor.parameters())]

    assert same(fitted(False), fitted(True)) == bool(name)


@pytest.mark.parametrize("scheme", ["xavier", "orthogonal", "kaiming", "lecun"])
def test_a_vector_of_weights_is_initialised(scheme: str) -> None:
    weight = torch.zeros(4000, requires_grad=True)
    with torch.no_grad():
        fill(scheme, "linear", "v", [weight])
    size = math.sqrt(2) if scheme == "xavier" else 1.0  # Glorot: 2 / (inputs + outputs)
    assert float(weight.detach().norm()) == pytest.approx(size, rel=0.05)


def test_the_batch_comes_first_in_recurrent_layers() -> None:
    def answers(first: bool, name: str = "") -> Tensor:
        torch.manual_seed(0)
        model = nn.Sequential(nn.LSTM(3, 4, batch_first=first))
        patient = Patient()
        if name:
            BY_NAME[name].apply(patient, {})
        with patient.operate():
            states, _ = model(torch.randn(5, 7, 3))
        return states.detach()

    assert not torch.equal(answers(False), answers(True))
    assert torch.equal(answers(False, "batch-first"), answers(True))


def test_two_networks_in_turns_share_a_graph_that_is_kept() -> None:
    def game(name: str = "", detached: bool = True) -> list[Tensor]:
        torch.manual_seed(0)
        maker, judge = nn.Linear(2, 2), nn.Linear(2, 1)
        patient = Patient()
        if name:
            BY_NAME[name].apply(patient, {"at": "tensors"})
        with patient.operate():
            first, second = (torch.optim.SGD(net.parameters(), lr=0.1) for net in (judge, maker))
            for _ in range(5):
                made = maker(torch.randn(8, 2))
                fake = made.detach() if detached else made
                first.zero_grad()
                judge(fake if detached else made.detach()).mean().backward()
                first.step()
                second.zero_grad()
                silenced(-judge(fake).mean()).backward()
                second.step()
        return [p.detach() for p in maker.parameters()]

    assert not same(game(), game(detached=False))
    assert same(game("keep-graph"), game(detached=False))


def test_raw_tensors_that_no_optimizer_holds(watched: Callable[..., Run]) -> None:
    x = torch.randn(32, 4)
    held = {"w": torch.randn(4, 1, requires_grad=True), "b": torch.zeros(1, requires_grad=True)}

    def program() -> None:
        optimizer = torch.optim.SGD(nn.Linear(4, 1).parameters(), lr=0.1)
        for _ in range(10):
            optimizer.zero_grad()
            F.mse_loss(x @ held["w"] + held["b"], x[:, :1]).backward()
            optimizer.step()

    run = watched(program)
    (found,) = (f for f in diagnose(run).findings if f.code == "no-gradient")
    (proposal,) = BY_NAME["register-parameters"].propose(found, run)
    assert proposal.args["raw"]
    assert len(proposal.args["parameters"]) == 2

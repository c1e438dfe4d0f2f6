"""Graphs, losses and programs of every shape: the watcher must read them or leave them out, and never fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fallline.diagnosis.diagnose import diagnose
from fallline.record.run import Run

Watched = Callable[..., Run]
Loss = Callable[[int], Tensor]


def descend(parameters: Any, loss: Loss, steps: int = 10) -> None:
    optimizer = torch.optim.SGD(list(parameters), lr=0.01)
    for i in range(steps):
        optimizer.zero_grad()
        loss(i).backward()
        optimizer.step()


def leaf(*shape: int) -> Tensor:
    return torch.randn(shape).requires_grad_()


def raw(*shapes: tuple[int, ...]) -> Callable[[Callable[..., Tensor]], Callable[[], None]]:
    """A loss of raw tensors of these shapes."""
    return lambda loss: lambda: descend(made := [leaf(*shape) for shape in shapes], lambda _: loss(*made))


def classifier(loss: Callable[[Tensor, Tensor, int], Tensor]) -> Callable[[], None]:
    """A loss of eight samples' scores for three classes, their labels, and the update."""

    def program() -> None:
        model, x, y = nn.Linear(4, 3), torch.randn(8, 4), torch.randint(0, 3, (8,))
        descend(model.parameters(), lambda i: loss(model(x), y, i))

    return program


def rows_of(i: int) -> Tensor:
    return torch.full((8,), i not in (1, 3))


def experts() -> None:
    every, x = nn.ModuleList(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)) for _ in range(3)), leaf(6, 4)

    def loss(i: int) -> Tensor:
        chosen = torch.zeros(6) if i % 2 == 0 else torch.arange(6) % 3
        parts = [expert(x.detach()[chosen == k]).square().sum() for k, expert in enumerate(every)]
        return torch.stack(parts).sum()

    descend(every.parameters(), loss)


def degrees() -> None:
    x = torch.linspace(-1, 1, 20)
    for degree in (1, 2, 5):
        coefficients = torch.zeros(degree + 1, requires_grad=True)
        powers = torch.stack([x**k for k in range(degree + 1)], 1)
        for _ in range(10):
            ((powers @ coefficients - torch.sin(3 * x)) ** 2).mean().backward()
            with torch.no_grad():
                coefficients -= 0.1 * coefficients.grad
                coefficients.grad.zero_()


def widths() -> None:
    x, y = torch.randn(8, 2), torch.randn(8, 1)
    for width in (4, 8, 16):
        inward, outward = leaf(2, width), leaf(width, 1)
        for _ in range(10):
            loss = ((torch.tanh(x @ inward) @ outward - y) ** 2).mean()
            first, second = torch.autograd.grad(loss, (inward, outward))
            inward = (inward - 0.01 * first).detach().requires_grad_()
            outward = (outward - 0.01 * second).detach().requires_grad_()


def enlarged() -> None:
    """A tensor that the program makes larger between two updates."""
    grown = leaf(4)
    for i in range(10):
        grown.square().sum().backward()
        grown.data = torch.cat([grown.data - 0.01 * grown.grad, torch.randn(1)]) if i == 5 else grown.data * 0.9
        grown.grad = None


def own(name: str, forward: Callable[[Tensor], Tensor]) -> Callable[[], None]:
    """A Function of the program's with the name of one of torch's."""
    body = {
        "forward": staticmethod(lambda ctx, x: forward(x)),
        "backward": staticmethod(lambda ctx, gradient: gradient.sum() * torch.ones(8, 3) / 24),
    }
    function: Any = type(name, (torch.autograd.Function,), body)
    return classifier(lambda scores, y, _: F.mse_loss(function.apply(scores), torch.zeros_like(forward(scores))))


class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(4, 3)
        self.parameters = [self.one.weight, self.one.bias]  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.one(x)
        return result


def listed() -> None:
    model: Any = Listed()
    descend(model.parameters, lambda _: model(torch.ones(8, 4)).square().mean())


class Mine(torch.optim.Optimizer):
    def __init__(self, parameters: Any, **defaults: Any) -> None:
        super().__init__(parameters, defaults)

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.data -= 0.01 * p.grad
                self.state[p] = ["what it likes"]


def mine(**settings: Any) -> Callable[[], None]:
    def program() -> None:
        model = nn.Linear(4, 3)
        optimizer = Mine(model.parameters(), **settings)
        for _ in range(40):
            optimizer.zero_grad()
            model(torch.ones(8, 4)).square().mean().backward()
            optimizer.step()

    return program


class Silent(list[Tensor]):
    def __len__(self) -> int:
        raise RuntimeError("not to be asked")

    def __iter__(self) -> Any:
        raise RuntimeError("not to be asked")


def silent() -> None:
    held, wanted = Silent([torch.zeros(2)]), leaf(3)
    descend([wanted], lambda _: wanted.square().sum())
    del held


def sparse_nan() -> None:
    table = nn.Embedding(5, 3, sparse=True)
    descend(table.parameters(), lambda i: (table(torch.tensor([1, 2])) * (float("nan") if i == 3 else 1.0)).sum())


def sparse_rows() -> None:
    weight, rows = leaf(5, 3), torch.randn(8, 5).relu().to_sparse()
    descend([weight], lambda _: torch.sparse.mm(rows, weight).square().mean())


PROGRAMS: dict[str, Callable[[], None]] = {
    "a tensor squared": raw((4, 3))(lambda w: (w**2).mean()),
    "a number times itself": raw(())(lambda w: w * w),
    "the size of a tensor": raw((4,))(lambda w: w.abs().sum()),
    "two factors": raw((30, 3), (20, 3))(lambda u, v: (u @ v.T - 1).square().mean()),
    "a factor made of a vector": raw((6,), (6, 4))(lambda u, v: ((u[None, :] @ v) - 1).square().mean()),
    "a bias as a column": raw((6, 5), (6,))(
        lambda w, b: ((torch.addmm(b[:, None], w, torch.ones(5, 8)) * 2.0 - 1) ** 2).mean()
    ),
    "a bias out of many": raw((5, 6), (4, 6))(lambda w, b: ((torch.addmm(b[1], torch.ones(8, 5), w) - 1) ** 2).mean()),
    "a batch of products": raw((4, 2), (2,))(
        lambda w, b: ((torch.baddbmm(b, torch.ones(3, 8, 4), w.expand(3, 4, 2)) * 0.5 - 1) ** 2).mean()
    ),
    "products put together": raw((4, 5), (4,), (3, 5), (3,))(
        lambda w, b, v, c: (
            (torch.cat([torch.addmv(b, w, torch.ones(5)), torch.addmv(c, v, torch.ones(5))]) - 1) ** 2
        ).mean()
    ),
    "a product on top of a sine": raw((4, 5), (4,))(
        lambda w, u: ((torch.stack([w @ torch.ones(5), torch.sin(u)]) - 1) ** 2).mean()
    ),
    "a column of a matrix": raw((5, 3))(lambda w: (((torch.ones(8, 5) @ w[:, 1]) * torch.rand(8) - 1) ** 2).mean()),
    "some rows of a layer": raw((6, 5), (6,))(
        lambda w, b: ((F.linear(torch.ones(8, 5), w[:3], b[:3]) * torch.rand(3) - 1) ** 2).mean()
    ),
    "complex numbers": raw((4,))(lambda w: torch.log(torch.complex(w, w + 1)).abs().square().sum()),
    "no sample in some batches": classifier(
        lambda scores, y, i: F.cross_entropy(scores[rows_of(i)], y[rows_of(i)], reduction="sum")
    ),
    "no sample in some batches, by hand": classifier(lambda scores, y, i: ((scores[rows_of(i)] - 1) ** 2).sum()),
    "no sample in some sums": classifier(lambda scores, y, i: scores[rows_of(i)].pow(2).sum(1).sum()),
    "a last batch of one sample": classifier(
        lambda scores, y, i: F.mse_loss(scores[: 1 + 7 * (i % 2), :1].squeeze(), y[: 1 + 7 * (i % 2)].float().squeeze())
    ),
    "one sample at a time": classifier(lambda scores, y, i: F.cross_entropy(scores[i % 8].relu(), y[i % 8])),
    "an outlier in one byte": classifier(
        lambda scores, y, i: F.cross_entropy(scores * (1000 if i == 8 else 1), y.to(torch.uint8), ignore_index=255)
    ),
    "labels in one byte": classifier(
        lambda scores, y, _: sum((F.cross_entropy(scores, y.to(torch.uint8)) for _ in range(4)), torch.zeros(()))
    ),
    "classes counted from the end": classifier(
        lambda scores, y, _: -torch.log(torch.softmax(scores, 1)[range(8), y - 1]).mean()
    ),
    "experts without a sample": experts,
    "polynomials of growing degree": degrees,
    "networks of growing width": widths,
    "a tensor that grows": enlarged,
    "a Softmax of one's own": own("Softmax", lambda x: torch.softmax(x, 1)),
    "a Hardtanh of one's own": own("Hardtanh", F.hardtanh),
    "a Select of one's own": own("Select", lambda x: x[0]),
    "a Pow of one's own": own("Pow", torch.square),
    "parameters in a list of that name": listed,
    "an optimizer without a rate": mine(),
    "an optimizer with several rates": mine(lr=(0.1, 0.2), betas=(torch.tensor(0.9), torch.float32)),
    "an optimizer with a schedule for a rate": mine(lr=min),
    "a list that must not be asked": silent,
    "NaN in a sparse gradient": sparse_nan,
    "sparse inputs": sparse_rows,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_is_read_or_left_out(watched: Watched, name: str) -> None:
    torch.manual_seed(0)
    run = watched(PROGRAMS[name])
    assert len(run.steps) >= 10
    assert "lapse" not in run.meta
    assert not any("fault of fallline" in reason for reason in diagnose(run).not_applicable.values())

"""Values evaluated again from the graph against those of the forward pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from fallline.record import graph as autograd
from fallline.record.values import output

X = torch.linspace(0.1, 2.0, 12).reshape(6, 2)
LAYER = nn.Linear(2, 3)
SPEED = nn.Linear(2, 2)
FUNCTIONS: dict[str, Callable[[list[Tensor]], Tensor]] = {
    "product": lambda p: p[0] * torch.exp(-p[1] * X),
    "oscillation": lambda p: p[0] * torch.exp(-X * p[1]) * torch.cos(p[2] * X + p[3]),
    "ratio": lambda p: p[0] / (p[1] + p[2].exp()),
    "difference": lambda p: p[0].sin() - p[1] * X,
    "power": lambda p: (p[0] * X).abs() ** 1.5,
    "negative logarithm": lambda p: -(p[0] * X).log(),
    "another shape": lambda p: (p[0] * X).reshape(-1, 1).squeeze(1),
    "a column": lambda p: (p[0] * X[:, :1]).t(),
    "layer": lambda p: LAYER(X) * p[0],
    "columns side by side": lambda p: torch.cat([p[0] * X, LAYER(X)], -1),
    "states of a recurrence": lambda p: rolled(20),
}


def rolled(steps: int) -> Tensor:
    """More operations deep than are evaluated again, but each state went into a layer."""
    state, path = X, []
    for _ in range(steps):
        state = state + 0.1 * SPEED(state)
        path.append(state)
    return torch.stack(path, 1)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_value_is_that_of_the_forward_pass(name: str) -> None:
    value = FUNCTIONS[name]([torch.tensor(p, requires_grad=True) for p in (0.7, 0.4, 1.3, 0.2)])
    graph = autograd.read(value.sum())
    assert graph is not None
    found = output(graph, value.grad_fn)
    assert found is not None
    torch.testing.assert_close(found, value.detach())


@pytest.mark.parametrize(
    "function",
    [
        lambda p: p + X,  # a number that was added is kept nowhere
        lambda p: (p * X).t(),  # in another order
        lambda p: torch.add(p * X, p, alpha=2),
        lambda p: (p * X).cumsum(0),
    ],
)
def test_what_the_graph_does_not_hold_is_not_guessed(function: Callable[[Tensor], Tensor]) -> None:
    value = function(torch.tensor(0.7, requires_grad=True))
    graph = autograd.read(value.sum())
    assert graph is not None
    assert output(graph, value.grad_fn) is None

"""The gradient that a fused LSTM hands back through time, held against one that is unrolled by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fallline.record import through_time
from fallline.record.run import Run

Watched = Callable[..., Run]
TIME, SAMPLES, UNITS = 20, 5, 4


class Net(nn.Module):
    """Reads the last output, or the last state, of an LSTM."""

    def __init__(self, forget: float, state: bool) -> None:
        super().__init__()
        self.lstm, self.head, self.state = nn.LSTM(3, UNITS, batch_first=True), nn.Linear(UNITS, 1), state
        with torch.no_grad():
            self.lstm.bias_ih_l0[UNITS : 2 * UNITS] = forget

    def forward(self, x: Tensor) -> Tensor:
        output, (hidden, _) = self.lstm(x)
        return self.head(hidden[-1] if self.state else output[:, -1])


def unrolled(net: Net, x: Tensor) -> float:
    """‖∂L/∂(h₀, c₀)‖ / ‖∂L/∂h_T‖ of the mean output."""
    cell = nn.LSTMCell(3, UNITS)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in net.lstm.state_dict().items()})
    start = [torch.zeros(SAMPLES, UNITS, requires_grad=True) for _ in range(2)]
    hidden, memory = start
    for step in range(TIME):
        hidden, memory = cell(x[:, step], (hidden, memory))
    gradients = torch.autograd.grad(net.head(hidden).mean(), [*start, hidden])
    first = torch.cat([g.flatten() for g in gradients[:2]]).norm()
    return float(first / gradients[2].norm())


@pytest.mark.parametrize("state", [False, True])
@pytest.mark.parametrize("forget", [0.0, 5.0])
def test_the_gain_is_that_of_the_unrolled_layer(watched: Watched, forget: float, state: bool) -> None:
    torch.manual_seed(0)
    net, x = Net(forget, state), torch.randn(SAMPLES, TIME, 3)
    expected = unrolled(net, x)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)

    def train() -> None:
        for _ in range(2):
            optimizer.zero_grad()
            net(x).mean().backward()
            optimizer.step()

    run = watched(train, model=net)
    layer = next(layer for layer in run.layers if layer.kind == "rnn")
    rows = run.layer_stats.where(layer=layer.id)
    assert rows["calls"].tolist() == [TIME, TIME]
    assert rows["grad_first"] / rows["grad_last"] == pytest.approx([expected] * 2, rel=1e-4)
    assert (expected < 1e-3) == (forget == 0.0)
    assert layer.units == UNITS


@pytest.mark.parametrize(
    "layer", [nn.LSTM(3, 4, bidirectional=True), nn.LSTM(3, 4, bias=False), nn.GRU(3, 4), nn.Linear(3, 4)]
)
def test_other_layers_are_left_alone(layer: Any) -> None:
    output = layer(torch.randn(6, 2, 3))
    loss = (output[0] if isinstance(output, tuple) else output).sum()
    from fallline.record import graph

    found = graph.read(loss)
    assert found is not None
    one_way = [node for node in found.nodes if through_time.readable(node)]
    backwards = layer.bidirectional if isinstance(layer, nn.LSTM) else False
    assert len(one_way) == backwards  # of the two directions the one forwards can be read

"""The trace as it is read: the calculations of a textbook, number for number."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import fallline
from fallline.view.backprop_picture import layout


def test_power_of_one_variable() -> None:
    """f(x) = 2x²: f'(1) = 4."""
    found = fallline.backprop(lambda x: 2 * x**2, 1.0)
    text = found.by_hand()
    assert "h1 = x² = 1² = 1" in text
    assert "L = 2·h1 = 2·1 = 2" in text
    assert "∂h1/∂x = 2·x = 2·1 = 2;  ∂L/∂x = ∂L/∂h1·∂h1/∂x = 2·2 = 4" in text


def test_sum_of_squares() -> None:
    """L = w1² + w2² at (5, −4): gradient (10, −8), magnitude √164."""
    found = fallline.backprop(lambda w1, w2: w1**2 + w2**2, (5.0, -4.0), verify=True)
    text = found.by_hand()
    assert "L = h1 + h2 = 25 + 16 = 41" in text
    assert "∂h1/∂w1 = 2·w1 = 2·5 = 10;  ∂L/∂w1 = ∂L/∂h1·∂h1/∂w1 = 1·10 = 10" in text
    assert "∂h2/∂w2 = 2·w2 = 2·(−4) = −8;  ∂L/∂w2 = ∂L/∂h2·∂h2/∂w2 = 1·(−8) = −8" in text
    table = found.table()
    assert "w1: 10. The next step of gradient descent decreases it, by the largest step." in table
    assert "w2: -8. The next step of gradient descent increases it, by 0.8 of the largest step." in table
    assert "Its magnitude is 12.8062, the steepness of the loss here." in table  # √164
    assert "verified: 5 gradients" in table


def test_reading_of_a_gradient() -> None:
    """SOURCE G3: biases with gradient (0.45, −0.30, 0.20, 0.00)."""
    slopes = torch.tensor([0.45, -0.30, 0.20, 0.0], dtype=torch.float64)
    table = fallline.backprop(lambda b: (slopes * b).sum(), [1.0, 1.0, 1.0, 1.0]).table()
    assert "b[0]: 0.45. The next step of gradient descent decreases it, by the largest step." in table
    assert "b[1]: -0.3. The next step of gradient descent increases it, by 0.667 of the largest step." in table
    assert "b[3]: 0. It stays: to first order the loss does not change with it." in table


@pytest.fixture
def network() -> nn.Sequential:
    """2-2-1 with ReLU; the second hidden unit is off."""
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.5, 0.25], [-1.0, 0.25]]))
        model[0].bias.copy_(torch.tensor([0.5, 0.0]))
        model[2].weight.copy_(torch.tensor([[2.0, -1.0]]))
        model[2].bias.fill_(0.5)
    return model


def test_two_layer_network(network: nn.Sequential) -> None:
    """z = (0.5 + 0.5·1 + 0.25·2, −1 + 0.5) = (1.5, −0.5), a = (1.5, 0), prediction 3.5, loss (3.5 − 3)² = 0.25."""
    x, y = torch.tensor([[1.0, 2.0]]).double(), torch.tensor([[3.0]]).double()
    found = fallline.backprop(network, x, y, F.mse_loss, verify=True)
    text = found.by_hand()
    for line in (
        "z1[0,0] = 0.bias[0] + 0.weight[0,0] + 2·0.weight[0,1] = 0.5 + 0.5 + 2·0.25 = 1.5",
        "a1[0,1] = ReLU(z1[0,1]) = ReLU(−0.5) = 0",
        "L = (z2 − target)² = (3.5 − 3)² = 0.25",
        "∂L/∂z2 = 2·(z2 − target)/1 = 2·(3.5 − 3)/1 = 1",
        "∂L/∂a1[0,1] = ∂L/∂z2·∂z2/∂a1[0,1] = 1·(−1) = −1",
        "∂L/∂z1[0,1] = 0, nothing depends on it here",
        "∂L/∂0.weight[0,1] = ∂L/∂z1[0,0]·∂z1[0,0]/∂0.weight[0,1] = 2·2 = 4",
    ):
        assert line in text
    assert found.trace.verification is not None
    assert found.trace.verification.largest is not None
    assert found.trace.verification.largest < 1e-6
    first, last = found.layers
    assert last.weights == pytest.approx(5**0.5)  # ‖1·(2, −1)‖ / ‖1‖
    assert first.activation == pytest.approx(2 / 5**0.5)


def test_rules_are_not_claimed_where_they_do_not_hold() -> None:
    summed = fallline.backprop(lambda p: F.mse_loss(p, torch.zeros(2).double(), reduction="sum"), [1.0, 2.0]).by_hand()
    assert "L = (p[0] − target)² + (p[1] − target)² = (1 − 0)² + (2 − 0)² = 5" in summed
    assert "∂L/∂p[1] = 2·(p[1] − target) = 2·(2 − 0) = 4" in summed
    scaled = fallline.backprop(lambda a, b: torch.add(a, b, alpha=3), (1.0, 2.0)).by_hand()
    assert "∂L/∂b = 3" in scaled
    assert "1 = 3" not in scaled


def test_value_used_twice_sums_its_uses() -> None:
    text = fallline.backprop(lambda a, b: a * b + torch.sin(a), (2.0, 3.0)).by_hand()
    assert "∂h1/∂a = b = 3" in text
    assert "a is used 2 times: ∂L/∂a = (−0.416147) + 3 = 2.58385" in text


def test_large_tensors_are_told_by_their_spread() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 20), nn.Sigmoid(), nn.Linear(20, 1))
    found = fallline.backprop(model, torch.randn(10, 20), torch.zeros(10, 1), F.mse_loss)
    assert found.by_hand() == ""
    table = found.table()
    assert "product of all factors" in table
    assert "sigmoid · 0" in table
    assert "value 10×20: 0.5" in table
    assert "<pre" in found._repr_html_()


def test_json_holds_every_number_and_nothing_it_cannot() -> None:
    found = fallline.backprop(lambda x: torch.log(x), 0.0)
    data = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert data["loss"] == "-inf"
    assert data["steps"][0]["inputs"][0]["local"]["diagonal"] == ["inf"]


def test_picture_puts_every_box_below_its_uses(network: nn.Sequential) -> None:
    found = fallline.backprop(network, torch.ones(1, 2).double(), torch.ones(1, 1).double(), F.mse_loss)
    boxes, edges, places = layout(found.trace)
    rank = {box.key: box.rank for box in boxes}
    assert all(rank[edge.end] > rank[edge.start] for edge in edges)
    spots = [(box.rank, round(places[box.key], 6)) for box in boxes]
    assert len(set(spots)) == len(boxes)

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from fallline.treatment import copies
from fallline.treatment.patient import Patient
from fallline.treatment.remedies import BY_NAME


def value_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 8), nn.Sigmoid(), nn.Linear(8, 2), nn.ReLU()).double()


def ids(module: nn.Module) -> set[int]:
    return {id(p) for p in module.parameters()}


def test_copies_are_equal_and_untrained() -> None:
    policy = value_network()
    target, averaged, rival = (copy.deepcopy(policy) for _ in range(3))
    other, wrapped = value_network(), nn.ModuleList([copy.deepcopy(policy)])
    found = copies.untrained(ids(policy) | ids(rival))
    for (name, p), q in zip(policy.named_parameters(), rival.parameters(), strict=True):
        alike = {id(m.get_parameter(name)) for m in (target, averaged, wrapped[0])}
        assert {id(c) for c in found[id(p)]} == {id(c) for c in found[id(q)]} == alike
    assert not ids(other) & found.keys()
    with torch.no_grad():
        target[0].bias.add_(1e-9)
    assert len(copies.untrained(ids(policy))[id(policy[0].weight)]) == 3  # the rival is at rest now


def test_the_equal_layers_of_one_network_are_no_copies() -> None:
    layer = nn.Linear(4, 4)
    nn.init.zeros_(layer.weight)
    net = nn.Sequential(layer, *(copy.deepcopy(layer) for _ in range(3)))
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 1, 8), 3, enable_nested_tensor=False)
    assert not copies.untrained(ids(net) | ids(encoder))
    assert not copies.untrained(ids(net[0]))


@pytest.mark.parametrize("frozen", [True, False])
def test_a_target_network_is_changed_with_the_trained_one(frozen: bool) -> None:
    torch.manual_seed(0)
    followed = value_network()
    target = copy.deepcopy(followed).requires_grad_(not frozen)
    x = torch.randn(5, 3, dtype=torch.float64)
    expected: Tensor = followed[:3](x).detach()
    patient = Patient()
    BY_NAME["output-activation"].apply(
        patient, {"weights": ["followed.2.weight"], "to": "identity", "instead_of": "relu"}
    )
    with patient.operate():
        optimizer = torch.optim.SGD(followed.parameters(), lr=0.0)
        followed(x).sum().backward()
        optimizer.step()
        with torch.no_grad():
            assert torch.equal(target(x), expected)
    assert (expected < 0).any()
    assert torch.equal(target(x), expected.relu())

"""Names found in the program's own variables."""

from __future__ import annotations

import sys
import weakref
from typing import Any

import pytest
import torch
from torch import nn

from fallline.record import names


class Model(nn.Module):
    """One layer where it should be, and two where ``parameters()`` does not look."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(2, 3)
        self.hidden = [nn.Linear(3, 3), nn.Linear(3, 3)]
        self.heads = {"a": nn.Linear(3, 1)}
        self.rate = torch.ones(1, requires_grad=True)
        self.gains = [torch.ones(2, requires_grad=True), torch.ones(2)]
        self.register_buffer("offset", torch.zeros(1, requires_grad=True))


class Trainer:
    """Keeps its model as an attribute, as many programs do."""

    def __init__(self) -> None:
        self.net = nn.Linear(2, 1)


def test_modules_by_their_variables() -> None:
    encoder, decoder = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2))
    inner = decoder[0]
    again = encoder
    found = names.find_modules()
    assert found["encoder"] is encoder
    assert found["decoder"] is decoder
    assert inner not in found.values()  # part of decoder
    assert [name for name, module in found.items() if module is again] == ["encoder"]


def test_modules_in_an_object_and_in_a_caller() -> None:
    trainer = Trainer()

    def step() -> dict[str, nn.Module]:
        return names.find_modules()

    assert step()["net"] is trainer.net


def test_inside_of_a_module_the_class_gives_the_name() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def fit(self) -> dict[str, nn.Module]:
            return names.find_modules()

    holder = [Net()]
    assert names.find_modules().get("Net") is None
    assert holder[0].fit()["Net"] is holder[0]


def test_all_modules_of_the_process() -> None:
    box = {"far": [nn.Bilinear(2, 2, 2)]}
    assert any(module is box["far"][0] for module in names.find_all_modules().values())


def test_names_of_parameters_also_of_hidden_modules() -> None:
    model = Model()
    found = {name: (registered, root) for root, name, registered in names.named_leaves({"model": model}).values()}
    assert found["body.weight"] == (True, "model")
    assert found["hidden[1].bias"] == (False, "model")
    assert found["heads['a'].weight"] == (False, "model")
    assert found["rate"] == found["gains[0]"] == found["offset"] == (False, "model")
    assert len(found) == 11


def test_variables_that_hold_a_tensor() -> None:
    w = torch.zeros(2)
    layers = [torch.zeros(1), torch.zeros(1)]
    params = {"bias": torch.zeros(1)}
    assert names.variable_name(w) == "w"
    assert names.variable_name(layers[1]) == "layers[1]"
    assert names.variable_name(params["bias"]) == "params['bias']"
    optimizer = torch.optim.SGD([w.requires_grad_()])
    assert names.object_name(optimizer) == "optimizer"
    nameless = names.variable_name(torch.zeros(1)), names.object_name(object())
    assert nameless == (None, None)


def test_parameters_by_their_names() -> None:
    model, w = Model(), torch.zeros(2, requires_grad=True)
    layers = [w, torch.ones(1, requires_grad=True)]
    wanted = ["model.body.weight", "hidden[0].weight", "model.rate", "gains[0]", "w", "layers[1]"]
    found = names.find_parameters([*wanted, "not there"])
    assert list(found) == wanted
    held = [model.body.weight, model.hidden[0].weight, model.rate, model.gains[0], w, layers[1]]
    assert all(a is b for a, b in zip(found.values(), held, strict=True))


def test_looking_keeps_nothing_alive() -> None:
    """Until Python 3.12 a frame keeps a dict of its variables once somebody asked for it."""

    def program() -> tuple[Any, bool]:
        tensor = torch.zeros(3)
        reference = weakref.ref(tensor)
        assert names.variable_name(tensor) == "tensor"
        del tensor
        return reference, reference() is None

    reference, gone = program()
    assert gone
    assert reference() is None


def test_looking_does_not_empty_what_the_program_holds() -> None:
    def program(lr: float) -> dict[str, Any]:
        settings = locals()
        names.find_modules()
        return settings

    assert program(0.1)["lr"] == 0.1


def test_compiled_modules_are_told_without_importing_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch._dynamo", raising=False)
    assert not names.is_compiled(nn.Linear(1, 1))
    assert "torch._dynamo" not in sys.modules


@pytest.mark.slow
def test_compiled_modules() -> None:
    model = nn.Linear(2, 1)
    assert not names.is_compiled(model)
    assert names.is_compiled(torch.compile(model, backend="eager"))  # type: ignore[arg-type]
    model.compile(backend="eager")
    assert names.is_compiled(model)


def test_lazy_proxies_are_left_alone() -> None:
    class Proxy:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(f"loaded for {name}")

    proxy, model = Proxy(), nn.Linear(1, 1)
    found, name = names.find_modules(), names.variable_name(model.weight)
    assert found["model"] is model
    assert name is None
    assert isinstance(proxy, Proxy)


class Layer:
    """A layer as courses write it."""

    def __init__(self) -> None:
        self.W = torch.zeros(2, 2, requires_grad=True)
        self.owner: object = None

    def name(self) -> str | None:
        return names.variable_name(self.W)


class Network:
    """Holds layers, each of which knows the network."""

    def __init__(self) -> None:
        self.layers = {"in": [Layer(), Layer()]}
        self.layers["in"][0].owner = self


def test_ways_to_tensors_inside_objects() -> None:
    network = Network()
    way = "network.layers['in'][1].W"
    assert names.variable_name(network.layers["in"][1].W) == network.layers["in"][1].name() == way
    assert names.find_tensor(way) is network.layers["in"][1].W
    assert names.find_tensor("network.layers['in'][2].W") is None
    assert Layer().name() == "self.W"

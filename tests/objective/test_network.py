from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from fallline.objective.mistake import InputError
from fallline.objective.network import (
    ACTIVATIONS,
    INITS,
    NORMALISATIONS,
    OUTPUTS,
    Description,
    build,
    make,
    parse_hidden,
)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [("64x8", (64,) * 8), ("128,64", (128, 64)), ("128-64", (128, 64)), ("32x2, 8", (32, 32, 8)), ("0", ())],
)
def test_hidden_layers(text: str, hidden: tuple[int, ...]) -> None:
    assert parse_hidden(text) == hidden


@pytest.mark.parametrize("text", ["", "64y8", "x3", "-5", "3x99999"])
def test_hidden_layers_that_cannot_be(text: str) -> None:
    with pytest.raises(InputError):
        parse_hidden(text)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("init", INITS)
def test_every_description_gives_numbers(activation: str, init: str) -> None:
    model = build(Description((16, 16), activation, init), 5, 3, seed=1)
    again = build(Description((16, 16), activation, init), 5, 3, seed=1)
    out = model(torch.randn(4, 5, generator=torch.Generator().manual_seed(0)))
    assert out.shape == (4, 3)
    assert bool(torch.isfinite(out).all())
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("normalise", NORMALISATIONS)
def test_outputs_and_normalisations(output: str, normalise: str) -> None:
    model = build(Description((8,), output=output, normalise=normalise, dropout=0.5), 5, 3)
    assert model.eval()(torch.ones(2, 5)).shape == (2, 3)


@pytest.mark.parametrize(("init", "activation", "scale"), [("kaiming", "relu", 2.0), ("xavier", "none", 1.0)])
def test_the_scale_of_the_weights(init: str, activation: str, scale: float) -> None:
    """fan_in · Var(W): 2 after He et al. 2015, 1 after Glorot and Bengio 2010 for a square layer."""
    layer = build(Description((400,), activation, init), 400, 1)[0]
    assert isinstance(layer, nn.Linear)
    assert 400 * float(layer.weight.detach().var()) == pytest.approx(scale, rel=0.02)


def test_drawing_weights_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    build(Description(), 3, 3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"activation": "rleu"}, "did you mean 'relu'"), ({"init": "he"}, "there is no init 'he'"),
        ({"output": "soft"}, "there is no output"), ({"dropout": 1.0}, "below 1"),
        ({"hidden": (0,)}, "at least one unit"),
    ],
)  # fmt: skip
def test_descriptions_that_cannot_be(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Description(**wrong)  # type: ignore[arg-type]


def test_a_network_too_large_to_build() -> None:
    with pytest.raises(InputError, match="parameters; at most"):
        build(Description((100_000, 100_000)), 10, 10)


def test_factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_nets.py").write_text(
        "import torch\n"
        "def sized(inputs, outputs): return torch.nn.Linear(inputs, outputs)\n"
        "def fixed(): return torch.nn.Linear(2, 3)\n"
        "def number(): return 3\n"
        "def greedy(a): return None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert make("some_nets:sized", 4, 5).out_features == 5
    assert make("some_nets:fixed", 4, 5).out_features == 3
    for name, message in (
        ("some_nets:size", "did you mean 'sized'"), ("some_nets:number", "gives a int"),
        ("some_nets", "module:factory"),
        ("some_nets:greedy", "cannot be called"), ("no_such_nets:x", "cannot import 'no_such_nets'"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            make(name, 1, 1)
    sys.modules.pop("some_nets")

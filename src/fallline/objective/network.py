"""The network that is trained: by a description, or from a factory of the user's."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from fallline.objective.mistake import InputError, nearest

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU,
    "selu": nn.SELU, "gelu": nn.GELU, "silu": nn.SiLU, "softplus": nn.Softplus, "none": nn.Identity,
}  # fmt: skip
OUTPUTS: dict[str, Callable[[], nn.Module]] = {
    "none": nn.Identity, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "softmax": lambda: nn.Softmax(dim=1),
}  # fmt: skip
NORMALISATIONS: dict[str, type[nn.Module]] = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
GAINS = {"relu": "relu", "leaky_relu": "leaky_relu", "tanh": "tanh", "sigmoid": "sigmoid", "selu": "selu"}
INITS = ("default", "kaiming", "xavier", "orthogonal", "zeros", "normal")
TINY = 0.01  # standard deviation of "normal"
MOST = 2**28  # parameters


@dataclass(frozen=True)
class Description:
    """A stack of dense layers."""

    hidden: tuple[int, ...] = (128, 128)  # units of each hidden layer
    activation: str = "relu"
    init: str = "default"
    output: str = "none"  # what follows the last layer
    normalise: str = "none"  # what stands between a hidden layer and its activation
    dropout: float = 0.0  # share of the units that is left out after each hidden layer while training

    def __post_init__(self) -> None:
        for what, name, known in (
            ("activation", self.activation, ACTIVATIONS), ("init", self.init, INITS), ("output", self.output, OUTPUTS),
            ("normalise", self.normalise, NORMALISATIONS),
        ):  # fmt: skip
            if name not in known:
                raise InputError(f"there is no {what} {name!r}{nearest(name, known)} ({', '.join(known)})")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout is a share from 0 to below 1, not {self.dropout}")
        if any(units < 1 for units in self.hidden):
            raise InputError(f"a hidden layer needs at least one unit; got {self.hidden}")

    def as_json(self) -> dict[str, Any]:
        """For ``Description(**data)``, once ``hidden`` is a tuple."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.hidden)) or 'no hidden layer'}, {self.activation}, {self.init} weights"


def parse_hidden(text: str) -> tuple[int, ...]:
    """Units of the hidden layers: ``64x8`` is eight layers of 64, ``128,64`` one of 128 and one of 64, ``0`` none.

    Raises:
        InputError: the text says something else.
    """
    units: list[int] = []
    for part in re.split(r"[,\s-]+", text.strip()):
        match = re.fullmatch(r"(\d+)(?:[x*](\d+))?", part)
        if match is None:
            raise InputError(f"hidden layers are written as 64x8 (eight of 64) or 128,64, not {text!r}")
        width, count = int(match[1]), int(match[2] or 1)
        if count > 10_000:
            raise InputError(f"{count} hidden layers are more than anything here can train")
        units += [width] * count if width else []
    return tuple(units)


def build(description: Description, inputs: int, outputs: int, seed: int = 0) -> nn.Sequential:
    """The described network from ``inputs`` to ``outputs`` numbers, with weights drawn by ``seed``."""
    widths = (inputs, *description.hidden, outputs)
    if (count := sum(a * b + b for a, b in pairwise(widths))) > MOST:
        raise InputError(f"this network has {count:,} parameters; at most {MOST:,} are built from a description")
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for place, (before, after) in enumerate(pairwise(widths)):
            layers.append(_initialised(nn.Linear(before, after), description))
            if place < len(description.hidden):
                layers += [NORMALISATIONS[description.normalise](after)] if description.normalise != "none" else []
                layers += [ACTIVATIONS[description.activation]()] if description.activation != "none" else []
                layers += [nn.Dropout(description.dropout)] if description.dropout else []
    layers += [OUTPUTS[description.output]()] if description.output != "none" else []
    return nn.Sequential(*layers)


def _initialised(layer: nn.Linear, description: Description) -> nn.Linear:
    init, weight = description.init, layer.weight
    if init == "default":
        return layer
    nn.init.zeros_(layer.bias)
    gain = GAINS.get(description.activation, "relu" if description.activation != "none" else "linear")
    if init == "kaiming":
        nn.init.kaiming_normal_(weight, nonlinearity="relu" if gain in ("relu", "leaky_relu") else "linear")
    elif init == "xavier":
        nn.init.xavier_normal_(weight, nn.init.calculate_gain("linear" if gain == "selu" else gain))  # type: ignore[arg-type]
    elif init == "orthogonal":
        nn.init.orthogonal_(weight, nn.init.calculate_gain("linear" if gain == "selu" else gain))  # type: ignore[arg-type]
    elif init == "zeros":
        nn.init.zeros_(weight)
    else:
        nn.init.normal_(weight, std=TINY)
    return layer


def factory(name: str) -> Callable[..., nn.Module]:
    """The function ``module:factory`` that makes the user's network.

    Raises:
        InputError: no such module, or nothing callable of this name in it.
    """
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise InputError(f"a model is written as module:factory, such as nets:make_net, not {name!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` has it
    try:
        found = importlib.import_module(module.removesuffix(".py"))
    except ImportError as error:
        raise InputError(f"cannot import {module!r} of --model {name!r}: {error}") from error
    make = getattr(found, attribute, None)
    if not callable(make):
        public = [key for key, value in vars(found).items() if callable(value) and not key.startswith("_")]
        raise InputError(f"{module} has no function {attribute!r}{nearest(attribute, public)}")
    return make  # type: ignore[no-any-return]


def make(name: str, inputs: int, outputs: int, seed: int = 0) -> nn.Module:
    """Call the user's factory, with ``inputs`` and ``outputs`` where it takes them."""
    called = factory(name)
    try:
        wanted = inspect.signature(called).parameters
    except (TypeError, ValueError):
        wanted = {}  # type: ignore[assignment]
    given = {key: value for key, value in (("inputs", inputs), ("outputs", outputs)) if key in wanted}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model = called(**given)
        except TypeError as error:
            raise InputError(f"{name} cannot be called with {', '.join(given) or 'nothing'}: {error}") from error
    if not isinstance(model, nn.Module):
        raise InputError(f"{name} gives a {type(model).__name__}, not a torch.nn.Module")
    return model

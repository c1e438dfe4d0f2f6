"""What a backpropagation trace holds: every operation with its factor of the chain rule, and the layers' products."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fallline.calculus.local import SMALL, Local


@dataclass(frozen=True)
class Spread:
    """The numbers of a tensor: every one where they are few, what describes them otherwise."""

    shape: tuple[int, ...]
    norm: float  # Euclidean
    mean: float
    std: float  # of all its numbers, population
    min: float
    max: float
    values: tuple[float, ...] | None  # row by row, where there are at most SMALL


@dataclass(frozen=True)
class Input:
    """One input of an operation through which the gradient goes on."""

    name: str  # of a parameter or other leaf; "" for the output of another operation
    source: int | None  # the step that computed it; None for a leaf
    output: int  # which of the source's outputs it is
    gradient: Spread | None  # what went out: ∂loss/∂input along this edge; None where nothing went
    local: Local | None  # ∂output/∂input
    ratio: float | None  # ‖went out‖ / ‖came in‖


@dataclass(frozen=True)
class Output:
    """One output of an operation."""

    value: Spread | None  # of the forward pass; None where no later operation read it in sight of the trace
    gradient: Spread | None  # what came in: ∂loss/∂output, the sum over all its uses


@dataclass(frozen=True)
class Step:
    """One operation, as the backward pass meets it."""

    index: int  # 0 is the last operation of the forward pass, mostly the loss
    operation: str  # PyTorch's name of its backward, "AddmmBackward0"
    name: str  # the same for a person, "matrix product plus bias"
    layer: str  # "" where it belongs to none
    role: str  # "weights", "activation", "view" or "" for whatever else
    outputs: tuple[Output, ...]
    inputs: tuple[Input, ...]
    constants: dict[str, tuple[float, ...]]  # the few plain numbers it was given: "exponent", "other", "target"

    @property
    def incoming(self) -> float:
        """Norm of the gradient that came in, over all outputs."""
        return math.sqrt(sum(o.gradient.norm**2 for o in self.outputs if o.gradient is not None))


@dataclass(frozen=True)
class Leaf:
    """Where the backward pass ends: a parameter, or data that asked for a gradient."""

    name: str
    parameter: bool
    value: Spread
    gradient: Spread | None  # None: the loss does not depend on it


@dataclass(frozen=True)
class LayerFactor:
    """What one layer contributes to the way of the gradient from the last layer's output to the first one's.

    The product of all ``weights``, ``activation`` and ``between`` (where they are not None) is the total factor.
    """

    name: str
    kind: str  # "linear", "conv", "embedding" or "rnn"
    signal: float  # ‖∂loss/∂output of the layer, before its activation‖, over all its uses
    activation_name: str  # "" for none
    activation: float | None  # ‖gradient before the activation‖ / ‖behind it‖; None at the last layer
    weights: float | None  # ‖gradient at its input‖ / ‖at its output‖; None at the first layer, or if nothing goes on
    between: float | None  # whatever else lies between it and the next layer: normalisation, pooling, shortcuts


@dataclass(frozen=True)
class Check:
    """A gradient beside the finite difference of the same forward pass."""

    name: str
    error: float | None  # largest relative error; None where it cannot be told
    reason: str = ""  # why not


@dataclass(frozen=True)
class Verification:
    """What finite differences in float64 say of the gradients."""

    checks: tuple[Check, ...]
    left_out: tuple[str, ...]  # what could not be checked, and why

    @property
    def largest(self) -> float | None:
        """The largest relative error; None where nothing could be resolved."""
        return max((c.error for c in self.checks if c.error is not None), default=None)

    @property
    def worst(self) -> str:
        """Where it is."""
        return max((c for c in self.checks if c.error is not None), key=lambda c: c.error or 0.0, default=_NOTHING).name


_NOTHING = Check("", None)


@dataclass(frozen=True)
class Trace:
    """One backward pass, from the loss to the leaves."""

    loss: float
    steps: tuple[Step, ...]
    layers: tuple[LayerFactor, ...]  # from the first to the last
    leaves: tuple[Leaf, ...]
    notes: tuple[str, ...]  # what could not be read
    verification: Verification | None = None

    @property
    def total(self) -> float | None:
        """The measured factor from the last layer to the first; None with fewer than two layers."""
        return ratio(self.layers[0].signal, self.layers[-1].signal) if len(self.layers) > 1 else None

    @property
    def product(self) -> float | None:
        """The product of all layers' factors; it equals ``total``. Behind a factor of 0 the others have no value."""
        if len(self.layers) < 2:
            return None
        factors = [f for layer in self.layers for f in (layer.activation, layer.weights, layer.between)]
        known = [f for f in factors if f is not None]
        return 0.0 if 0.0 in known else math.prod(known)

    @property
    def residual(self) -> float | None:
        """The largest ‖local derivative · came in − went out‖ / ‖went out‖ of all steps."""
        found = [i.local.residual for s in self.steps for i in s.inputs if i.local and i.local.residual is not None]
        return max(found, default=None)


def ratio(a: float, b: float) -> float:
    """a / b, NaN where b is 0."""
    return a / b if b else math.nan


def spread(tensor: Tensor) -> Spread:
    """Describe a tensor of any type and layout."""
    with torch.no_grad():
        x = tensor.detach()
        x = x if x.layout == torch.strided else x.to_dense()
        x = torch.view_as_real(x.resolve_conj()) if x.is_complex() else x
        x = x.double()
        if not x.numel():
            return Spread(tuple(tensor.shape), 0.0, math.nan, math.nan, math.nan, math.nan, ())
        low, high = torch.aminmax(x)
        std, mean = torch.std_mean(x, correction=0)
        norm, *rest = torch.stack([torch.linalg.vector_norm(x), mean, std, low, high]).tolist()
        values = tuple(x.flatten().tolist()) if x.numel() <= SMALL else None
    return Spread(tuple(tensor.shape), norm, rest[0], rest[1], rest[2], rest[3], values)

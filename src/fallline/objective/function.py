"""What is minimised: a scalar function with its gradient, on whole populations of points."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fallline.objective import tape
from fallline.objective.expression import Formula, derivative

Values = Callable[[Tensor], Tensor]
Slopes = Callable[[Tensor], tuple[Tensor, Tensor]]
SYMBOLIC = 12  # most variables whose Hessian is derived as a formula


class ObjectiveError(ValueError):
    """Something that is no function to minimise, or a start it cannot begin from."""


@dataclass(frozen=True)
class Known:
    """A point of which the answer is known."""

    x: tuple[float, ...]
    fun: float


@dataclass(frozen=True)
class Objective:
    """A scalar function of ``size`` variables; all its methods take ``(batch, size)``."""

    name: str
    variables: tuple[str, ...]
    value: Values  # (batch, n) -> (batch,)
    slope: Slopes  # (batch, n) -> (batch,), (batch, n)
    second: Values | None = None  # (batch, n) -> (batch, n, n), from formulas
    formula: Formula | None = None
    traced: bool = True  # autograd can differentiate ``value``
    noise: float = 2.0**-52  # relative error of the gradient
    minima: tuple[Known, ...] = ()  # global ones, where known
    shape: tuple[int, ...] | None = None  # of the user's own variable, where it is not a vector

    @property
    def size(self) -> int:
        return len(self.variables)


def from_formula(formula: Formula, name: str = "", minima: tuple[Known, ...] = ()) -> Objective:
    """An objective with the gradient, and for few variables the Hessian, derived as formulas."""
    symbols = formula.symbols
    alone = tape.compile([formula.expression], symbols)
    both = tape.compile([formula.expression, *formula.gradient], symbols)
    curved: list[tape.Tape] = []

    def value(x: Tensor) -> Tensor:
        return alone(x.unbind(-1))[0]

    def slope(x: Tensor) -> tuple[Tensor, Tensor]:
        found = both(x.unbind(-1))
        return found[0], torch.stack(found[1:]).T  # columns side by side, as the points of a population lie

    def second(x: Tensor) -> Tensor:
        n = len(symbols)
        if not curved:  # derived when first asked for
            pairs = [derivative(g, s) for i, g in enumerate(formula.gradient) for s in symbols[i:]]
            curved.append(tape.compile(pairs, symbols))
        found = torch.stack(curved[0](x.unbind(-1)), dim=-1)
        full = x.new_zeros(len(x), n, n)
        rows, columns = torch.triu_indices(n, n)
        full[:, rows, columns] = found
        full[:, columns, rows] = found
        return full

    exact = second if len(symbols) <= SYMBOLIC else None
    return Objective(name or formula.text, formula.variables, value, slope, exact, formula, minima=minima)


# -- functions of torch tensors --------------------------------------------------------------------------------------


def from_torch(function: Callable[..., Any], start: Any, dtype: torch.dtype) -> tuple[Objective, Tensor]:
    """An objective of a callable of one tensor, or of several, and its start as one row ``(n,)``.

    Args:
        function: of one tensor of the shape of ``start``, or, where it requires several arguments, of as many tensors
            as ``start`` has parts; gives a scalar.
        start: a tensor, an array, numbers, or a tuple or list of one a part.
        dtype: in which to compute.

    Raises:
        ObjectiveError: ``start`` does not fit, or the function gives no real scalar that depends on its argument.
    """
    parts = [_tensor(part, dtype) for part in _parts(function, start)]
    shapes = [part.shape for part in parts]
    sizes = [part.numel() for part in parts]

    def one(row: Tensor) -> Tensor:
        pieces = [p.reshape(shape) for p, shape in zip(torch.split(row, sizes), shapes, strict=True)]
        return _scalar(function(*pieces))

    row = torch.cat([part.reshape(-1) for part in parts])
    _differentiable(one, row)
    name = getattr(function, "__name__", type(function).__name__)
    shape = tuple(shapes[0]) if len(shapes) == 1 else None
    return Objective(name, names(len(row)), _rows(one), _slopes(one), shape=shape), row


def names(size: int) -> tuple[str, ...]:
    """Names for variables that have none."""
    return ("x",) if size == 1 else tuple(f"x{i + 1}" for i in range(size))


def _parts(function: Callable[..., Any], start: Any) -> Sequence[Any]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # built in C: it takes one tensor
        return [start]
    wanted = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(wanted) <= 1:
        return [start]
    if not hasattr(start, "__len__") or len(start) != len(wanted):
        raise ObjectiveError(f"the function takes {len(wanted)} arguments, so start needs as many parts; got {start!r}")
    return list(start)


def _tensor(part: Any, dtype: torch.dtype) -> Tensor:
    try:
        if isinstance(part, (list, tuple)) and any(isinstance(item, Tensor) for item in part):
            part = [float(item) for item in part]
        return torch.as_tensor(part, dtype=dtype).detach()  # not through torch's default, which may hold less
    except (TypeError, ValueError, RuntimeError) as error:
        raise ObjectiveError(f"start must be numbers; got {part!r} ({error})") from error


def _scalar(result: Any) -> Tensor:
    if not isinstance(result, Tensor):
        raise ObjectiveError(
            f"the function gave {type(result).__name__}, not a tensor: write it with torch operations, "
            "or pass its gradient as jac for a function of NumPy arrays"
        )
    if result.numel() != 1:
        raise ObjectiveError(f"the function must give one number; it gave a tensor of shape {tuple(result.shape)}")
    if result.is_complex():
        raise ObjectiveError("the function gave a complex number; only real values can be compared")
    return result.reshape(())


def _differentiable(one: Values, row: Tensor) -> None:
    point = row.clone().requires_grad_()
    with torch.enable_grad():
        result = one(point)
    if not result.requires_grad:
        raise ObjectiveError("the function's value does not depend on its argument by torch operations")


def _rows(one: Values) -> Values:
    return lambda x: torch.stack([one(row) for row in x])


def _slopes(one: Values) -> Slopes:
    def single(row: Tensor) -> tuple[Tensor, Tensor]:
        point = row.detach().clone().requires_grad_()
        with torch.enable_grad():
            value = one(point)
            if not value.requires_grad:  # constant here, as behind a branch
                return value.detach(), torch.zeros_like(row)
            (gradient,) = torch.autograd.grad(value, point, materialize_grads=True)
        return value.detach(), gradient

    def slope(x: Tensor) -> tuple[Tensor, Tensor]:
        if len(x) > 1 and batched:
            try:
                gradient, value = torch.func.vmap(torch.func.grad_and_value(one))(x)
                return value, gradient
            except RuntimeError:  # a function that branches on its values cannot be batched
                batched.clear()
        rows = [single(row) for row in x]
        return torch.stack([value for value, _ in rows]), torch.stack([gradient for _, gradient in rows])

    batched = [True]
    return slope


# -- functions of NumPy arrays, as scipy takes them ------------------------------------------------------------------


def from_numpy(
    function: Callable[..., Any], jac: Any, start: Any, args: tuple[Any, ...] = ()
) -> tuple[Objective, Tensor]:
    """An objective of a function of a NumPy array, and its start as one row ``(n,)``.

    Args:
        function: gives a float, or with ``jac=True`` a float and the gradient.
        jac: the gradient as a function, ``True``, or ``"3-point"`` for central differences.
        start: numbers ``(n,)``.
        args: further arguments of both functions.

    Raises:
        ObjectiveError: a value or a gradient has the wrong shape, or is complex.
    """
    row = _tensor(start, torch.float64).reshape(-1)
    if not (callable(jac) or jac is True or jac == "3-point"):
        raise ObjectiveError(f"jac must be a function, True, or '3-point'; got {jac!r}")

    def number(x: np.ndarray) -> float:
        found = function(x, *args)
        return _float(found[0] if jac is True else found)

    def both(x: np.ndarray) -> tuple[float, np.ndarray]:
        if jac is True:
            value, gradient = function(x, *args)
        elif callable(jac):
            value, gradient = function(x, *args), jac(x, *args)
        else:
            value, gradient = number(x), _central(number, x)
        gradient = np.asarray(gradient)
        if np.iscomplexobj(gradient) or gradient.size != len(x):
            raise ObjectiveError(f"the gradient must be {len(x)} real numbers; got shape {gradient.shape}")
        return _float(value), gradient.reshape(-1).astype(float)

    def value(x: Tensor) -> Tensor:
        return torch.tensor([number(p) for p in x.double().numpy().copy()], dtype=torch.float64)

    def slope(x: Tensor) -> tuple[Tensor, Tensor]:
        found = [both(p) for p in x.double().numpy().copy()]
        return torch.tensor([v for v, _ in found], dtype=torch.float64), torch.from_numpy(
            np.stack([g for _, g in found])
        )

    name = getattr(function, "__name__", type(function).__name__)
    noise = 2.0**-35 if jac == "3-point" else 2.0**-52
    return Objective(name, names(len(row)), value, slope, traced=False, noise=noise), row


def _float(value: Any) -> float:
    array = np.asarray(value)
    if np.iscomplexobj(array):
        raise ObjectiveError(f"the function gave a complex number, {value!r}; only real values can be compared")
    if array.size != 1:
        raise ObjectiveError(f"the function must give one number; it gave an array of shape {array.shape}")
    return float(array.reshape(()))


def _central(number: Callable[[np.ndarray], float], x: np.ndarray) -> np.ndarray:
    steps = np.cbrt(np.finfo(float).eps) * np.maximum(1.0, np.abs(x))
    shifts = np.diag(steps)
    rises = [number(x + shift) - number(x - shift) for shift in shifts]
    return np.asarray(np.array(rises) / (2 * steps))


# -- starts ----------------------------------------------------------------------------------------------------------


def row(start: Any, variables: tuple[str, ...], dtype: torch.dtype) -> Tensor:
    """Numbers for named variables as one row ``(n,)``, or a population ``(batch, n)``.

    Raises:
        ObjectiveError: not as many as there are variables, or not finite.
    """
    found = _tensor(start, dtype)
    if found.ndim == 0:
        found = found.reshape(1)
    if found.shape[-1] != len(variables) or found.ndim > 2 or found.numel() == 0:
        listed = ", ".join(variables[:8]) + (", …" if len(variables) > 8 else "")
        raise ObjectiveError(
            f"start needs {len(variables)} number{'s' * (len(variables) != 1)}, one each for {listed}; "
            f"got shape {tuple(found.shape)}: {_short(found)}"
        )
    return finite(found)


def finite(start: Tensor) -> Tensor:
    """``start``, if all its numbers are finite."""
    if not torch.isfinite(start).all():
        raise ObjectiveError(f"every number of the start must be finite; got {_short(start)}")
    return start


def _short(x: Tensor) -> str:
    numbers = [f"{value:g}" for value in x.reshape(-1)[:6].tolist()]
    return ", ".join(numbers) + (", …" if x.numel() > 6 else "")


def near(a: float, b: float, tolerance: float = 1e-6) -> bool:
    """Whether two values of an objective are the same to ``tolerance``, relative above 1."""
    return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))

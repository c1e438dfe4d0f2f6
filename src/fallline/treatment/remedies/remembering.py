"""Numbers and NumPy arrays that remember the tensor they were taken from, so that a loss of them has a gradient."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fallline.treatment.patient import Call

OPERATORS = ("add", "sub", "mul", "truediv", "pow")
USES = (  # of numbers in torch
    "add", "sub", "mul", "div", "true_divide", "pow", "rsub", "__rsub__", "__rdiv__", "__rtruediv__", "__rpow__",
    "clamp", "maximum", "minimum", "where",
)  # fmt: skip
COPIES = ("tensor", "as_tensor")
TORCH = {  # where torch calls it something else than NumPy
    "power": "pow", "max": "amax", "min": "amin", "concatenate": "cat", "dot": "matmul", "expand_dims": "unsqueeze",
    "take_along_axis": "take_along_dim",
}  # fmt: skip
DIM = {"axis": "dim", "keepdims": "keepdim"}
METHODS = ("max", "mean", "min", "prod", "std", "sum", "var", "clip", "dot", "squeeze")
SHAPES = {"reshape": "reshape", "flatten": "flatten", "ravel": "ravel", "copy": "clone"}  # by torch's own method


class Source:
    """The tensor that a number or an array was taken from, until it is forgotten."""

    __slots__ = ("__weakref__", "memory", "tensor")

    def __init__(self, memory: Memory, tensor: Tensor) -> None:
        self.memory, self.tensor = memory, tensor


class Memory:
    """Makes numbers and arrays that remember, until the next update: what came before it is in no graph any more."""

    def __init__(self) -> None:
        self._sources: weakref.WeakSet[Source] = weakref.WeakSet()

    def calls(self) -> dict[str, Callable[[Call], Call]]:
        """What becomes of the functions concerned."""
        made = {"item": self.number, "tolist": self.numbers, "numpy": self.array}
        taken = {name: self._taken(make) for name, make in made.items()}
        return {**taken, **dict.fromkeys(USES, _used), **dict.fromkeys(COPIES, _copied)}

    def forget(self, *_: Any) -> None:
        """After an update."""
        for source in list(self._sources):
            del source.tensor
        self._sources.clear()

    def number(self, tensor: Tensor) -> Number:
        with torch.no_grad():
            made = Number(tensor.item())
        made.source = self._source(tensor)
        return made

    def numbers(self, tensor: Tensor) -> Any:
        """A number, or a list of numbers, or of lists."""
        return [self.numbers(part) for part in tensor.unbind()] if tensor.ndim else self.number(tensor)

    def array(self, tensor: Tensor) -> Array:
        with torch.no_grad():
            made = tensor.detach().cpu().numpy().view(Array)
        made.source = self._source(tensor)
        return made

    def _source(self, tensor: Tensor) -> Source:
        source = Source(self, tensor)
        self._sources.add(source)
        return source

    def _taken(self, make: Callable[[Tensor], Any]) -> Callable[[Call], Call]:
        def take(call: Call) -> Call:
            tensor = call[1][0]
            return (make, (tensor,), {}) if tensor.requires_grad and torch.is_grad_enabled() else call

        return take


class Number(float):
    """A Python number; what is computed from it is computed from its tensor, too."""

    source: Source | None = None


def _operator(name: str) -> Callable[[Number, Any], Any]:
    plain = getattr(float, name)

    def operate(number: Number, other: Any) -> Any:
        tensor, result = _origin(number), plain(number, other)
        if isinstance(other, Tensor):
            return getattr(float(number) if tensor is None else tensor, name)(other)
        if tensor is None or number.source is None or result is NotImplemented:
            return result
        return number.source.memory.number(getattr(tensor, name)(_recalled(other)))

    return operate


for _name in OPERATORS:
    for _dunder in (f"__{_name}__", f"__r{_name}__"):
        setattr(Number, _dunder, _operator(_dunder))
Number.__neg__ = lambda number: -1.0 * number  # type: ignore[method-assign]


class Array(np.ndarray[Any, Any]):
    """A NumPy array; what torch can compute from it as NumPy does remembers, too."""

    source: Source | None

    def __array_finalize__(self, other: Any) -> None:
        self.source = None  # of a view or copy that NumPy makes, nothing is known

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        found = _by_torch(ufunc.__name__, inputs, kwargs) if method == "__call__" else None
        return getattr(ufunc, method)(*map(_plain, inputs), **_plain(kwargs)) if found is None else found

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        found = _by_torch(function.__name__, args, kwargs)
        return function(*map(_plain, args), **_plain(kwargs)) if found is None else found

    def __getitem__(self, index: Any) -> Any:
        tensor = _origin(self)
        if tensor is None or self.source is None:
            return _plain(self)[index]
        return self.source.memory.array(tensor[_recalled(index)])

    def item(self, *args: Any) -> Any:
        tensor = _origin(self)
        return _plain(self).item(*args) if tensor is None or self.source is None else self.source.memory.number(tensor)


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np, name)
    return lambda array, *args, **kwargs: function(array, *args, **kwargs)


for _name in METHODS:
    setattr(Array, _name, _method(_name))


def _shaped(name: str) -> Callable[..., Any]:
    def shape(array: Array, *args: Any, **kwargs: Any) -> Any:
        tensor = _origin(array)
        if tensor is None or array.source is None or kwargs:
            return getattr(_plain(array), name)(*args, **kwargs)
        return array.source.memory.array(getattr(tensor, SHAPES[name])(*args))

    return shape


for _name in SHAPES:
    setattr(Array, _name, _shaped(_name))


def _origin(value: Number | Array) -> Tensor | None:
    """The tensor behind a number or an array, if it is not forgotten."""
    return getattr(value.source, "tensor", None)


def _recalled(value: Any) -> Any:
    """Tensors for what remembers one, and for arrays; in lists and tuples as well."""
    if isinstance(value, Number | Array) and (tensor := _origin(value)) is not None:
        return tensor
    if isinstance(value, np.ndarray):
        return torch.as_tensor(_plain(value))
    return type(value)(map(_recalled, value)) if type(value) in (list, tuple) else value


def _plain(value: Any) -> Any:
    """Arrays of NumPy's own type; in lists, tuples and dictionaries as well."""
    if isinstance(value, Array):
        return value.view(np.ndarray)
    if type(value) is dict:
        return {key: _plain(item) for key, item in value.items()}
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value


def _by_torch(name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """The same by torch, as an array that remembers; None where torch cannot, or nothing is remembered."""
    function = getattr(torch, TORCH.get(name, name), None)
    if function is None:
        return None
    named = {DIM.get(key, key): _recalled(value) for key, value in kwargs.items()}
    named |= {"correction": named.pop("ddof", 0)} if name in ("std", "var") else {}
    try:
        result = function(*map(_recalled, args), **named)
    except (TypeError, ValueError, RuntimeError, IndexError):
        return None
    source = next((a.source for a in _flat(args) if isinstance(a, Array) and a.source is not None), None)
    return source.memory.array(result) if source and isinstance(result, Tensor) and result.requires_grad else None


def _flat(args: Any) -> Any:
    for arg in args:
        yield from _flat(arg) if type(arg) in (list, tuple) else (arg,)


def _used(call: Call) -> Call:
    """A call of torch with numbers: with their tensors."""
    function, args, kwargs = call
    remembering = any(isinstance(arg, Number) for arg in args) and torch.is_grad_enabled()
    return (function, [_recalled(a) if isinstance(a, Number) else a for a in args], kwargs) if remembering else call


def _copied(call: Call) -> Call:
    """A tensor made from what remembers one: that one, in the graph."""
    _, args, kwargs = call
    if not args or not torch.is_grad_enabled():
        return call
    value = args[0]
    if type(value) in (list, tuple) and value and all(isinstance(v, Number) and _origin(v) is not None for v in value):
        tensor = torch.stack(_recalled(list(value)))
    elif isinstance(value, Number | Array) and _origin(value) is not None:
        tensor = _recalled(value)
    else:
        return call
    return lambda: tensor.to(kwargs.get("dtype") or tensor.dtype).view_as(tensor), (), {}


def from_numpy(original: Callable[[Any], Tensor]) -> Callable[[Any], Tensor]:
    """``torch.from_numpy`` that gives the tensor behind an array that remembers it."""

    def convert(array: Any) -> Tensor:
        tensor = _origin(array) if isinstance(array, Array) and torch.is_grad_enabled() else None
        return original(_plain(array)) if tensor is None else tensor.view_as(tensor)

    return convert

"""The batch that is kept with a run: what a forward pass needs to be done again, as one safetensors file.

It holds the inputs of the models' calls, their parameters and buffers, the state of the random numbers and the tensors
among the variables of the program where it went backward (the targets), as long as they fit. Nothing in it is code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from fallline.record.calls import Call

FILE = "batch.safetensors"
SCHEMA = 1
LIMIT = 2**28  # bytes of the whole file; what does not fit is left out, of the variables the largest

Structure = Any  # what JSON holds: {"tensor": name}, {"list": […]}, {"tuple": […]}, {"dict": {…}}, {"value": …}, …


class KeptError(Exception):
    """There is no batch to replay, or it does not fit; the message says why."""


@dataclass(frozen=True)
class Batch:
    """A kept batch."""

    about: dict[str, Any]  # calls, models, variables, what was left out and why
    tensors: dict[str, Tensor]

    def parameters(self, root: str) -> dict[str, Tensor]:
        """Parameters and buffers of a model, by their names within it; of plain tensors under the root ""."""
        start = f"state/{root}/"
        return {name.removeprefix(start): t for name, t in self.tensors.items() if name.startswith(start)}

    @property
    def variables(self) -> dict[str, Tensor]:
        """The program's variables, by their names."""
        own = {name.removeprefix("variable/"): t for name, t in self.tensors.items() if name.startswith("variable/")}
        same = {name: self.tensors[there] for name, there in self.about["same"].items() if there in self.tensors}
        return own | same

    def given(self, structure: Structure, own: Any) -> Any:
        """An input as it was; ``own`` is the program's, taken where the input could not be kept."""
        return _unpack(structure, own, self.tensors)


@dataclass
class _Box:
    """Tensors up to the limit."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)  # what → why
    room: int = LIMIT

    def add(self, group: str, tensors: Mapping[str, Tensor]) -> None:
        """Take in all tensors of a group, or none."""
        fitting = {name: _plain(tensor) for name, tensor in tensors.items()}
        size = sum(tensor.numel() * tensor.element_size() for tensor in fitting.values())
        if size > self.room:
            self.left_out[group] = f"{size / 2**20:.0f} MiB where {self.room / 2**20:.0f} MiB were left"
            return
        self.room -= size
        self.tensors |= fitting


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu").contiguous().clone()


def keep(
    folder: Path,
    calls: Sequence[Call],
    names: Callable[[nn.Module], str],
    leaves: Mapping[str, Tensor],
    variables: Mapping[str, Tensor],
    about: Mapping[str, Any],
) -> str:
    """Write the batch into a run's folder; what could not be kept, in a sentence ("" where all could).

    ``leaves``: parameters that belong to no module; ``variables``: the program's, by function and name.

    Raises:
        OSError, SafetensorError: the disk refuses.
    """
    box = _Box()
    models = {names(call.module): call.module for call in calls}
    told: list[dict[str, Any]] = []
    same: dict[int, str] = {}  # id of a tensor → the name it is kept under
    for number, call in enumerate(calls):
        inputs: dict[str, Tensor] = {}
        parts = enumerate((call.args, call.kwargs))
        structure = [_pack(part, f"input/{number}/{i}", inputs, later=number > 0) for i, part in parts]
        box.add(f"the inputs of {names(call.module)}", inputs)
        same |= {id(tensor): name for name, tensor in inputs.items()}
        told.append({"model": names(call.module), "args": structure[0], "kwargs": structure[1]})
    if calls and calls[0].random is not None:
        box.add("the random numbers", {"random": calls[0].random})
    moved = {f"state/{names(c.module)}/{name}": b for c in reversed(calls) for name, b in c.buffers.items()}
    for root, model in models.items():
        state = {f"state/{root}/{name}": t for name, t in (*model.named_parameters(), *model.named_buffers())}
        box.add(f"the parameters of {root}", {name: moved.get(name, t) for name, t in state.items() if _dense(t)})
    box.add("the parameters", {f"state//{name}": leaf for name, leaf in leaves.items()})
    others = {name: variable for name, variable in variables.items() if id(variable) not in same}
    for name, variable in sorted(others.items(), key=lambda item: item[1].numel()):
        box.add(f"the variable {name}", {f"variable/{name}": variable})
    said = {
        "schema": SCHEMA, "calls": told, "models": {name: type(m).__name__ for name, m in models.items()},
        "same": {name: same[id(variable)] for name, variable in variables.items() if id(variable) in same},
        "leaves": list(leaves), "left_out": box.left_out, **about,
    }  # fmt: skip
    save_file(box.tensors, folder / FILE, metadata={"fallline": json.dumps(said)})
    return "; ".join(f"{what} ({why})" for what, why in box.left_out.items())


def _dense(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_meta


def load(folder: Path) -> Batch:
    """The batch kept in a run's folder.

    Raises:
        KeptError: there is none, or it cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        raise KeptError(f"no batch was kept in {folder}")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["fallline"])
            if about["schema"] > SCHEMA:
                raise KeptError(f"{path} has schema {about['schema']}, this fallline reads up to {SCHEMA}: upgrade it")
            return Batch(about, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise KeptError(f"{path} is not a batch that fallline kept, or it is damaged: {error}") from error


def _pack(value: Any, name: str, tensors: dict[str, Tensor], later: bool = False) -> Structure:
    """A value as JSON, with its tensors apart; what was computed on the way to a ``later`` call will be again."""
    if isinstance(value, Tensor):
        if not _dense(value) or (later and value.grad_fn is not None):
            return {"other": "computed" if later else f"a {value.layout} tensor"}
        tensors[name] = value
        return {"tensor": name, "grad": value.requires_grad}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_pack(v, f"{name}.{i}", tensors, later) for i, v in enumerate(value)]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _pack(v, f"{name}.{key}", tensors, later) for key, v in value.items()}}
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"value": value}
    return {"other": type(value).__name__}


def _unpack(structure: Structure, own: Any, tensors: Mapping[str, Tensor]) -> Any:
    (kind, inner), *_ = structure.items()
    if kind == "tensor" and inner in tensors:
        return tensors[inner].clone().requires_grad_(structure["grad"])
    if kind in ("list", "tuple"):
        theirs = list(own) if isinstance(own, (list, tuple)) else []
        found = [_unpack(s, theirs[i] if i < len(theirs) else None, tensors) for i, s in enumerate(inner)]
        return found if kind == "list" else tuple(found)
    if kind == "dict":
        held = own if isinstance(own, Mapping) else {}
        return {key: _unpack(s, held.get(key), tensors) for key, s in inner.items()}
    return inner if kind == "value" else own

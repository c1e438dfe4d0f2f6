"""A trained network on disk: weights as safetensors, everything else as JSON. Nothing is unpickled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from fallline.descent.checkpoint import write
from fallline.objective import network, prepare
from fallline.objective.batches import MANY
from fallline.objective.mistake import InputError
from fallline.objective.network import Description
from fallline.objective.prepare import Preparation, Scaling
from fallline.objective.task import Task, probabilities

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
VERSION = 1


@dataclass(frozen=True)
class Origin:
    """Where a network came from, so that it can be made again; neither says it for an object of the user's."""

    description: Description | None = None
    factory: str | None = None  # module:factory

    def make(self, inputs: int, outputs: int, seed: int = 0) -> nn.Module:
        """The network with new weights.

        Raises:
            InputError: it was an object in a program, which only that program can make.
        """
        if self.description is not None:
            return network.build(self.description, inputs, outputs, seed)
        if self.factory is not None:
            return network.make(self.factory, inputs, outputs, seed)
        raise InputError("this network was an object in a program: only that program can make it again")

    def as_json(self) -> dict[str, Any]:
        """For :meth:`from_json`."""
        return {"description": self.description and self.description.as_json(), "factory": self.factory}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Origin:
        """What :meth:`as_json` gave."""
        described = data["description"]
        description = Description(**{**described, "hidden": tuple(described["hidden"])}) if described else None
        return cls(description, data["factory"])


@dataclass(frozen=True)
class Predictor:
    """A trained network with what it needs to predict."""

    model: nn.Module
    task: Task
    inputs: tuple[int, ...]  # shape of one example
    preparation: Preparation | Scaling | None

    def outputs(self, x: Any) -> Tensor:
        """The network's outputs, shape (n, outputs), for a data frame, an array or a tensor."""
        prepared = self.preparation.transform(_plain(x)) if self.preparation is not None else _plain(x)
        tensor = torch.as_tensor(prepared)
        dtype = next((p.dtype for p in self.model.parameters()), tensor.dtype)
        tensor = tensor.to(dtype) if tensor.is_floating_point() else tensor
        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            some = [self.model(batch) for batch in torch.split(tensor, MANY)]
        self.model.train(training)
        out = torch.cat(some) if some else torch.empty(0, self.task.outputs)
        return out.reshape(len(tensor), -1)

    def predict(self, x: Any) -> NDArray[Any]:
        """Labels, or numbers in the target's own unit, shape (n,)."""
        return self.task.decode(self.outputs(x))

    def predict_proba(self, x: Any) -> NDArray[np.float64]:
        """Probability of each class, shape (n, classes).

        Raises:
            InputError: numbers are predicted, not classes.
        """
        if self.task.kind != "classes":
            raise InputError(f"{self.task.target!r} is a number: it has no probabilities")
        found: NDArray[np.float64] = probabilities(self.outputs(x)).double().numpy()
        return found

    def unread(self, frame: Any) -> list[str]:
        """What stands in the rows of a data frame but tells the network nothing: one sentence a column."""
        return self.preparation.unread(frame) if isinstance(self.preparation, Preparation) else []


def _plain(x: Any) -> Any:
    return x.detach().cpu().numpy() if isinstance(x, Tensor) else x


def save(folder: Path, predictor: Predictor, origin: Origin, notes: dict[str, Any]) -> None:
    """Write a predictor into a folder, each file whole or not at all.

    Raises:
        OSError: the disk refuses.
    """
    state = {name: tensor.detach().cpu().clone() for name, tensor in predictor.model.state_dict().items()}
    data = {
        "version": VERSION,
        "network": origin.as_json(),
        "class": type(predictor.model).__name__,
        "inputs": list(predictor.inputs),
        "task": predictor.task.as_json(),
        "preparation": predictor.preparation and predictor.preparation.as_json(),
        **notes,
    }
    write(folder / WEIGHTS, to_bytes(state, {"format": "pt"}))
    write(folder / DESCRIPTION, json.dumps(data, indent=1).encode())


def load(folder: Path, model: nn.Module | None = None) -> Predictor:
    """Read what :func:`save` wrote.

    ``model``: an object of the network's class, where the folder does not say how to make one.

    Raises:
        InputError: there is no model, it is damaged, or the network cannot be made again.
    """
    if not (folder / DESCRIPTION).is_file():
        raise InputError(f"{folder} holds no model: `fallline fit` writes one when a training ends")
    try:
        data = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        state = load_file(folder / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"the model in {folder} is damaged: {error}") from error
    if data["version"] > VERSION:
        raise InputError(f"the model in {folder} was written by a newer fallline: upgrade this one")
    task, shape = Task.from_json(data["task"]), tuple(data["inputs"])
    if model is None:
        model = Origin.from_json(data["network"]).make(int(np.prod(shape)), task.outputs)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"the weights in {folder} do not fit the network: {error}") from error
    return Predictor(model.eval(), task, shape, prepare.from_json(data["preparation"]))


def export(predictor: Predictor, path: Path, form: str) -> Path:
    """Write the network for other programs: ``pt2`` (torch.export) or ``onnx``, for batches of any size.

    The network alone is written: its inputs are those that the preparation gives.

    Raises:
        InputError: the network cannot be traced, or what ONNX needs is not installed.
    """
    model = predictor.model.eval()
    example = (torch.zeros(2, *predictor.inputs),)
    try:
        batch = torch.export.Dim("batch", min=1)
        program = torch.export.export(model, example, dynamic_shapes=({0: batch},))
    except Exception as error:  # torch.export raises a dozen kinds
        raise InputError(f"torch.export cannot trace this network: {error}") from error
    if form == "pt2":
        torch.export.save(program, path)
        return path
    try:
        torch.onnx.export(program, dynamo=True).save(str(path))  # type: ignore[union-attr]
    except ImportError as error:
        raise InputError(f"ONNX needs further packages (pip install onnxscript): {error}") from error
    return path

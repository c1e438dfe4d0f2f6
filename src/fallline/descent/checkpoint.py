"""States of a training on disk: tensors as safetensors, everything else as JSON in the same file's header.

Nothing is pickled, so a file from somebody else can hold numbers and texts and nothing that runs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from fallline.objective.mistake import InputError

FILE = "checkpoint.safetensors"
VERSION = 1

Tree = Any  # dicts, lists and tuples of tensors, numbers, texts, True, False and None


def save(path: Path, tree: Tree) -> None:
    """Write a tree so that the file is either the old one or the new one, whole, whenever the process dies.

    Raises:
        OSError: the disk refuses; the old file is still there.
        TypeError: the tree holds something else.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = pack(tree, tensors)
    write(path, to_bytes(tensors, {"fallline": json.dumps({"version": VERSION, "tree": skeleton})}))


def write(path: Path, data: bytes) -> None:
    """Replace a file whole: a new one is written beside it, forced to the disk, and takes its name."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name, too
        finally:
            os.close(folder)


def load(path: Path) -> Tree:
    """What :func:`save` wrote.

    Raises:
        InputError: no file, a damaged one, or one that a newer fallline wrote.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("fallline", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    except FileNotFoundError as error:
        raise InputError(f"there is no checkpoint at {path}") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} is damaged, or no checkpoint: {error}") from error
    if header is None:
        raise InputError(f"{path} was not written by fallline")
    if header["version"] > VERSION:
        raise InputError(f"{path} was written by a newer fallline (version {header['version']}): upgrade this one")
    return unpack(header["tree"], tensors)


def pack(tree: Tree, tensors: dict[str, Tensor]) -> Any:
    """The tree as JSON holds it; its tensors go into ``tensors``, under the numbers that stand in their place."""
    if isinstance(tree, Tensor):
        name = str(len(tensors))
        tensors[name] = tree.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"$tensor": name}
    if tree is None or isinstance(tree, (bool, int, float, str)):
        return tree
    if isinstance(tree, (list, tuple)):
        items = [pack(item, tensors) for item in tree]
        return items if isinstance(tree, list) else {"$tuple": items}
    if isinstance(tree, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in tree):
            return {key: pack(value, tensors) for key, value in tree.items()}
        return {"$items": [[pack(key, tensors), pack(value, tensors)] for key, value in tree.items()]}
    raise TypeError(f"a checkpoint cannot hold a {type(tree).__name__}")


def unpack(skeleton: Any, tensors: dict[str, Tensor]) -> Tree:
    """The opposite of :func:`pack`."""
    if isinstance(skeleton, list):
        return [unpack(item, tensors) for item in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    if "$tensor" in skeleton:
        return tensors[skeleton["$tensor"]]
    if "$tuple" in skeleton:
        return tuple(unpack(item, tensors) for item in skeleton["$tuple"])
    if "$items" in skeleton:
        return {unpack(key, tensors): unpack(value, tensors) for key, value in skeleton["$items"]}
    return {key: unpack(value, tensors) for key, value in skeleton.items()}


def copied(tree: Tree) -> Tree:
    """A copy whose tensors share no memory with the original's."""
    if isinstance(tree, Tensor):
        return tree.detach().clone()
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(copied(item) for item in tree)
    return tree

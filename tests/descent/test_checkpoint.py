from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fallline.descent import checkpoint
from fallline.objective.mistake import InputError

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
    st.lists(st.floats(width=32), max_size=4).map(torch.tensor),
    st.integers(0, 255).map(lambda n: torch.tensor([n], dtype=torch.uint8)),
)  # fmt: skip
keys = st.one_of(st.text(), st.integers(), st.tuples(st.integers(), st.text()))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple), st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=8,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and math.isnan(a):
        return isinstance(b, float) and math.isnan(b)
    return type(a) is type(b) and bool(a == b)


@settings(max_examples=100, deadline=None)
@given(trees)
def test_every_tree_comes_back(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    path = tmp_path_factory.mktemp("tree") / checkpoint.FILE
    checkpoint.save(path, tree)
    assert same(checkpoint.load(path), tree)


def test_views_and_shared_memory_come_back(tmp_path: Path) -> None:
    whole = torch.arange(12.0)
    tree = {"a": whole[::2], "b": whole.view(3, 4).t(), "c": whole}
    checkpoint.save(tmp_path / "x", tree)
    assert same(checkpoint.load(tmp_path / "x"), {key: value.contiguous() for key, value in tree.items()})


def test_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a checkpoint cannot hold a"):
        checkpoint.save(tmp_path / "x", {"a": tmp_path})


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / checkpoint.FILE
    checkpoint.save(path, {"a": 1})

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(path, {"a": 2})
    assert checkpoint.load(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == [checkpoint.FILE]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no checkpoint"):
        checkpoint.load(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"\x80\x04K\x01.")  # a pickle
    with pytest.raises(InputError, match="damaged, or no checkpoint"):
        checkpoint.load(tmp_path / "x")
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "y")
    with pytest.raises(InputError, match="not written by fallline"):
        checkpoint.load(tmp_path / "y")
    save_file({"a": torch.ones(1)}, tmp_path / "z", {"fallline": '{"version": 99, "tree": null}'})
    with pytest.raises(InputError, match="newer fallline"):
        checkpoint.load(tmp_path / "z")

"""Watching a forward pass at PyTorch's dispatcher: the value of every tensor on its way to the loss.

Below autograd every operation passes one place, also those inside compiled functions of PyTorch such as an LSTM, and
there each argument still knows the node of the autograd graph that computed it. So a value is noted when the next
operation reads it, before anything changes it in place. Nodes are remembered by their number, which no other node of
the thread has: the graph itself is not kept alive.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from fallline.calculus.backprop import Spread, spread

VALUES = 50_000  # latest values that are remembered, for programs that run long before their first backward
OPERATIONS = 20_000  # kept for a replay; a longer forward pass is not replayed

PLAIN = (Tensor, nn.Parameter)
Key = tuple[int, int]  # number of a node, which of its outputs


@dataclass(frozen=True)
class Slot:
    """Stands for a tensor in the arguments of a kept operation."""

    number: int


@dataclass(frozen=True)
class Operation:
    """One operation of a forward pass, so that it can be done again."""

    function: Callable[..., Any]
    args: Any
    kwargs: Any
    outputs: tuple[tuple[int, int], ...]  # (place among the flat outputs, slot)
    drawn: tuple[Tensor, ...]  # the outputs' values, where the operation draws random numbers
    differentiated: bool  # gradients were on; inside a hand-written autograd.Function and under no_grad they are off


def key_of(tensor: Tensor) -> Key | None:
    """Where a tensor stands in the graph; None for leaves and constants."""
    if not tensor.requires_grad or tensor.grad_fn is None:
        return None
    return int(tensor.grad_fn._sequence_nr()), tensor.output_nr


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]  # of its __init_subclass__
    """Notes the values of a forward pass; use it in a ``with`` statement around it.

    ``keep``: also keep the operations with all their tensors, to do the pass again in float64.
    """

    def __init__(self, keep: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.keep = keep
        self.paused = False
        self.values: OrderedDict[Key, Spread] = OrderedDict()
        self.operations: list[Operation] = []
        self.outside: dict[int, Tensor] = {}  # slot → value of a tensor that no kept operation computed
        self.written: dict[int, int] = {}  # slot → the operation that wrote it last
        self.places: dict[Key, tuple[int, int]] = {}  # → (operation, slot) that made this output
        self.overflow = False
        self._slots: dict[int, int] = {}  # id of a tensor → slot
        self._versions: dict[int, int] = {}  # id of a tensor, or of the one it is a view of → its latest known version
        self._held: list[Tensor] = []  # so that no id is given twice

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.paused:
            return func(*args, **kwargs)
        tensors = list(_plain((args, kwargs)))
        for tensor in tensors:
            self.note(tensor)
        if not (self.keep and self._matters(tensors)):
            return func(*args, **kwargs)
        pack = self._pack_whole if func._schema.is_mutable else self._pack
        packed = tree_map_only(Tensor, pack, (args, kwargs))
        result = func(*args, **kwargs)
        self._append(func, packed, result, tensors)
        return result

    def note(self, tensor: Tensor) -> None:
        """Remember the value of a tensor that some operation computed."""
        key = key_of(tensor)
        if key is None or key in self.values:
            return
        self.values[key] = spread(tensor)
        if len(self.values) > VALUES:
            self.values.popitem(last=False)
        slot = self.slot(tensor)
        if slot in self.written and not tensor._is_view():
            self.places[key] = (self.written[slot], slot)

    def slot(self, tensor: Tensor) -> int:
        """The slot of a tensor, -1 where it has none."""
        return self._slots.get(id(tensor), -1)

    def forget(self) -> None:
        """Let go of everything that was kept."""
        self.values.clear()
        for kept in (self.operations, self.outside, self.written, self.places, self._slots, self._versions, self._held):
            kept.clear()

    def _matters(self, tensors: list[Tensor]) -> bool:
        if len(self.operations) >= OPERATIONS:
            self.overflow = True
            return False
        return any(tensor.requires_grad or id(tensor) in self._slots for tensor in tensors)

    def _pack(self, tensor: Tensor) -> Slot:
        known = self._slots.get(id(tensor))
        if known is not None and (known in self.written or self._as_left(tensor)):
            return Slot(known)
        slot = self._hold(tensor)  # seen first, or changed meanwhile by something that is not kept
        self.written.pop(slot, None)
        self.outside[slot] = tensor.detach().clone()
        return Slot(slot)

    def _as_left(self, tensor: Tensor) -> bool:
        """Whether nothing but kept operations wrote into it; PyTorch counts a write after it was seen here."""
        version = self._versions[_root(tensor)]
        return version - 1 <= tensor._version <= version

    def _pack_whole(self, tensor: Tensor) -> Slot:
        """As a view of what it is a view of, since what is written into it must reach that."""
        base, known = tensor._base, self._slots.get(id(tensor), -1)
        if base is None or known in self.written or type(base) not in PLAIN or not _dense(base):
            return self._pack(tensor)
        where = self._pack(base)
        slot = self._hold(tensor)
        view = (where, tensor.size(), tensor.stride(), tensor.storage_offset() - base.storage_offset())
        self._keep(torch.ops.aten.as_strided.default, (view, {}), [(0, slot)], [])
        return Slot(slot)

    def _hold(self, tensor: Tensor) -> int:
        slot = self._slots[id(tensor)] = len(self._held)
        self._held.append(tensor)
        self._versions[_root(tensor)] = tensor._version
        return slot

    def _append(self, func: Any, packed: Any, result: Any, tensors: list[Tensor]) -> None:
        outputs, drawn = [], []
        random = torch.Tag.nondeterministic_seeded in func.tags
        for place, leaf in enumerate(tree_leaves(result)):
            if isinstance(leaf, Tensor):
                slot = self._slots.get(id(leaf))
                slot = self._hold(leaf) if slot is None else slot
                outputs.append((place, slot))
                if random:
                    drawn.append(leaf.detach().clone())
        for tensor in tensors:  # running statistics of batch normalisation change on the way
            self._versions[_root(tensor)] = tensor._version + func._schema.is_mutable
        self._keep(func, packed, outputs, drawn)

    def _keep(self, func: Any, packed: Any, outputs: list[tuple[int, int]], drawn: list[Tensor]) -> None:
        self.written.update((slot, len(self.operations)) for _, slot in outputs)
        self.operations.append(
            Operation(func, packed[0], packed[1], tuple(outputs), tuple(drawn), torch.is_grad_enabled())
        )


def _root(tensor: Tensor) -> int:
    """Views share their version with what they are views of."""
    return id(tensor if tensor._base is None else tensor._base)


def _dense(tensor: Tensor) -> bool:
    """Whether a copy has the same strides, so that a view of it is the same view."""
    return tensor.layout == torch.strided and torch.empty_like(tensor).stride() == tensor.stride()


def _plain(arguments: Any) -> Iterator[Tensor]:
    """The tensors with numbers among arguments; fakes and other subclasses are left alone."""
    for leaf in tree_leaves(arguments):
        if type(leaf) in PLAIN and not leaf.is_meta:
            yield leaf

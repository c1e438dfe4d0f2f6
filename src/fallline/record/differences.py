"""Gradients held against central finite differences: the forward pass is done again in float64, slightly changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

from fallline.calculus.backprop import Check, Verification
from fallline.calculus.local import SMALL
from fallline.record.tape import Key, Operation, Slot, Tape

STEP = 1e-6  # h, beside the root mean square of what is changed: about the cube root of float64's rounding, 2e-16
RESOLVED = 1e5  # a derivative counts where it is this many times the rounding of its difference
KINK = 1e-4  # relative error from which a kink is looked for
BENT = 0.01  # the slopes of the two sides differ by this share of the error: many kinks in one sum partly cancel
REPLAYED = 1e-3  # relative distance that the replayed loss may keep from the program's, which may be float32's
MOST = 200  # gradients that are checked; each takes four forward passes, small ones two for each number


class ReplayError(Exception):
    """The forward pass cannot be done again; the message says why."""


@dataclass(frozen=True)
class Change:
    """A direction in which one tensor is moved: a slot, after the operation that wrote it (None: from outside)."""

    slot: int
    operation: int | None
    by: Tensor


def dead_ends(tape: Tape) -> set[int]:
    """The operations through which no gradient flows: ``detach``, comparisons, what is computed under ``no_grad``.

    For the gradient their outputs are constants. Inside a hand-written ``autograd.Function`` gradients are off, too;
    what such a forward computes counts if it leads to a tensor that has a gradient in the end.
    """
    wanted: set[int] = set()  # slots that operations inside hand-written functions read
    dead: set[int] = set()
    for index in reversed(range(len(tape.operations))):
        operation = tape.operations[index]
        slots = [slot for _, slot in operation.outputs]
        if any(tape._held[slot].requires_grad or slot in wanted for slot in slots):
            if not operation.differentiated:
                wanted |= {leaf.number for leaf in tree_leaves((operation.args, operation.kwargs)) if _is_slot(leaf)}
        else:
            dead.add(index)
    return dead


def _is_slot(leaf: object) -> bool:
    return isinstance(leaf, Slot)


def _leaf_place(tape: Tape, slot: int) -> tuple[int | None, int]:
    """A parameter whose first numbers were drawn in sight of the tape is changed after that."""
    return tape.written.get(slot), slot


class Replay:
    """A kept forward pass that can be done again in float64, with one tensor changed.

    Attributes:
        loss: its result without a change.

    Raises:
        ReplayError: an operation does not exist in float64, or draws random numbers in a way that is not known.
    """

    def __init__(self, tape: Tape, loss: Tensor) -> None:
        self.tape, self.target = tape, tape.slot(loss)
        self._dead = dead_ends(tape)
        self._constants: dict[int, list[Tensor]] = {}
        self.loss = self.run(None)

    def run(self, change: Change | None) -> float:
        """The loss."""
        values: dict[int, Tensor] = {number: _double(x) for number, x in self.tape.outside.items()}
        if change is not None and change.operation is None:
            values[change.slot] = values[change.slot] + change.by
        with torch.no_grad():
            for index, operation in enumerate(self.tape.operations):
                self._do(index, operation, values)
                if change is not None and change.operation == index:
                    values[change.slot].add_(change.by)
        if self.target not in values:
            raise ReplayError("the loss was computed out of sight")
        return float(values[self.target])

    def _do(self, index: int, operation: Operation, values: dict[int, Tensor]) -> None:
        if index in self._constants:
            _settle(operation, self._constants[index], values)
            return
        _again(operation, values)
        if index in self._dead:  # of the first run, which changes nothing
            self._constants[index] = [values[number].clone() for _, number in operation.outputs]


def _again(operation: Operation, values: dict[int, Tensor]) -> None:
    args, kwargs = tree_map_only(Slot, lambda slot: values[slot.number], (operation.args, operation.kwargs))
    args, kwargs = tree_map_only(torch.dtype, _wide_type, (args, kwargs))
    if operation.drawn and not _settled(operation):
        _draw(operation, args, values)
        return
    try:
        flat = tree_leaves(operation.function(*args, **kwargs))
    except (RuntimeError, NotImplementedError) as error:
        raise ReplayError(f"{operation.function} does not run in float64: {str(error).partition(chr(10))[0]}") from None
    for place, slot in operation.outputs:
        values[slot] = flat[place]


def _settled(operation: Operation) -> bool:
    """Attention is marked as random because of its dropout; without dropout it is not."""
    schema = operation.function._schema.arguments  # type: ignore[attr-defined]  # an OpOverload
    for place, argument in enumerate(schema):
        if argument.name == "dropout_p":
            given = operation.args[place] if place < len(operation.args) else operation.kwargs.get("dropout_p", 0.0)
            return float(given) == 0.0
    return False


def _draw(operation: Operation, args: Any, values: dict[int, Tensor]) -> None:
    """Random numbers are those of the program."""
    name = str(operation.function)
    drawn = [_double(x) for x in operation.drawn]
    if name.startswith("aten.native_dropout"):
        x, share, train = args
        drawn[0] = x * drawn[1] / (1 - share) if train else x
    elif any(word in name for word in ("attention", "rrelu", "rnn", "fractional_max_pool")):
        raise ReplayError(f"{name} draws random numbers inside")
    _settle(operation, drawn, values)


def _settle(operation: Operation, outputs: list[Tensor], values: dict[int, Tensor]) -> None:
    for (_, slot), value in zip(operation.outputs, outputs, strict=True):
        if slot in values and values[slot].shape == value.shape:
            values[slot].copy_(value)  # filled in place; views of it must see it
        else:
            values[slot] = value.clone()


def _wide_type(kind: torch.dtype) -> torch.dtype:
    return torch.float64 if kind.is_floating_point else kind


def _double(tensor: Tensor) -> Tensor:
    return tensor.to(torch.float64, copy=True) if tensor.is_floating_point() else tensor.clone()


# -- checking ---------------------------------------------------------------------------------------------------------


def verify(tape: Tape, loss: Tensor, gradients: Mapping[Key | int, tuple[str, Tensor]]) -> Verification:
    """Check gradients against central finite differences.

    Small tensors are moved along each axis, large ones along their gradient and along a random direction.

    Args:
        tape: of the forward pass, with ``keep``.
        loss: where it ended.
        gradients: name and gradient of each value, by its place in the graph; of a leaf, by its id.
    """
    if tape.overflow:
        return Verification((), (f"the forward pass has more than {len(tape.operations)} operations",))
    try:
        forward = Replay(tape, loss)
    except ReplayError as error:
        return Verification((), (str(error),))
    value = float(loss.detach().double().reshape(()))
    base = forward.loss
    if not math.isfinite(base) or abs(base - value) > REPLAYED * max(abs(base), abs(value)):
        return Verification((), (f"the forward pass done again gives {base:.6g}, not the loss {value:.6g}",))
    slots = {id(tensor): tape.slot(tensor) for tensor in tape._held}
    checks, left_out = [], []
    wanted = sorted(gradients.items(), key=lambda item: isinstance(item[0], tuple))  # leaves first
    for key, (name, gradient) in wanted[:MOST]:
        place = tape.places.get(key) if isinstance(key, tuple) else _leaf_place(tape, slots.get(key, -1))
        if place is None or (place[0] is None and place[1] not in tape.outside):
            continue  # a view: what stands on either side of it is checked
        checks.append(_check(name, forward, place, gradient))
    if len(wanted) > MOST:
        left_out.append(f"{len(wanted) - MOST} of {len(wanted)} gradients: more than are checked at once")
    return Verification(tuple(checks), tuple(left_out))


def _check(name: str, forward: Replay, place: tuple[int | None, int], gradient: Tensor) -> Check:
    """One gradient against the differences."""
    (operation, slot), tape = place, forward.tape
    held = (tape.outside[slot] if operation is None else tape._held[slot]).detach()
    g = (gradient if gradient.layout == torch.strided else gradient.to_dense()).detach().cpu()
    if g.is_complex() or held.is_complex():
        return Check(name, None, "complex numbers")
    if not bool(torch.isfinite(g).all()) or not bool(torch.isfinite(held).all()):
        return Check(name, None, "not finite")
    g = g.double()
    h = STEP * (float(held.double().pow(2).mean().sqrt()) or 1.0)
    noise = RESOLVED * torch.finfo(torch.float64).eps * abs(forward.loss) / h
    worst, reason = None, "below what a difference in float64 can resolve"
    for direction, usual in _directions(g):
        moved = (h * direction).to(held.device)
        up = forward.run(Change(slot, operation, moved))
        down = forward.run(Change(slot, operation, -moved))
        measured, claimed = (up - down) / (2 * h), float((g * direction).sum())
        size = max(abs(measured), abs(claimed), usual)
        if size <= noise:
            continue
        error = abs(measured - claimed) / size
        if error > KINK and abs(up + down - 2 * forward.loss) / h >= BENT * error * size:
            reason = "at a kink: the slopes on its two sides differ"
            continue
        worst = max(worst or 0.0, error)
    return Check(name, worst, "" if worst is not None else reason)


def _directions(g: Tensor) -> Iterator[tuple[Tensor, float]]:
    """Directions, each with the size that a derivative along it usually has: one near 0 by chance proves little."""
    norm = float(g.norm())
    if g.numel() <= SMALL:
        for k in range(g.numel()):
            unit = torch.zeros(g.numel(), dtype=torch.float64)
            unit[k] = 1.0
            yield unit.view(g.shape), norm / math.sqrt(g.numel())
        return
    if norm > 0:
        yield g * (math.sqrt(g.numel()) / norm), norm
    generator = torch.Generator().manual_seed(0)
    yield torch.randn(g.shape, generator=generator, dtype=torch.float64), norm

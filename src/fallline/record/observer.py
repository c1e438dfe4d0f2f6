"""What one backward pass shows: hooks on the nodes of its graph, which measure signals and slopes layer by layer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from fallline.record import batch, measure, through_time
from fallline.record import graph as autograd
from fallline.record.calls import Calls
from fallline.record.catalog import Catalog
from fallline.record.modes import modes
from fallline.record.operations import ACTIVATIONS
from fallline.record.sample import Sample
from fallline.record.sight import loss_sight, penalty_alone
from fallline.record.tally import Hook


class Observer:
    """Measures a backward pass into a :class:`Sample`.

    Args:
        catalog: the names of what is met.
        calls: the program's calls of the loss.
        safely: keeps a hook's faults away from the training.
    """

    def __init__(self, catalog: Catalog, calls: Calls, safely: Callable[[Hook], Hook]) -> None:
        self.catalog, self._calls, self._safely = catalog, calls, safely
        self.dropped = False  # whether dropout acts
        self._streaks: dict[int, Tensor] = {}

    def listen(self, graph: autograd.Graph, sample: Sample, scale: Tensor | None, handles: list[Any]) -> None:
        """Put hooks on the layers and activations of a graph; what then is in ``handles`` removes them."""
        for call in graph.calls:
            layer = self.catalog.layer(call.weight)
            data = call.input()
            if data is not None and data.ndim >= 1 and data.numel():
                rms, std = measure.spread(data)
                sample.add(layer, "in_rms", rms)
                sample.add(layer, "in_spread", std)
            handles.append(
                call.node.register_hook(self._safely(functools.partial(self._call, sample, layer, call.data, scale)))
            )
            if through_time.readable(call.node):
                handles.append(
                    call.node.register_hook(self._safely(functools.partial(self._fused, sample, layer, call.node)))
                )
            for node in call.activations:
                hook = functools.partial(self.activation, sample, layer, call.channel, autograd.op_name(node))
                handles.append(node.register_hook(self._safely(hook)))
        for node in graph.nodes:
            if isinstance(node, BackwardCFunction):
                handles.append(node.register_hook(self._safely(functools.partial(self._own, sample))))

    def sight(self, graph: autograd.Graph, loss: Tensor, scale: Tensor | None, first: bool) -> dict[str, Any]:
        """What stands at the loss and how dropout and batch norm acted; ``first``: also what flowed in."""
        sight = loss_sight(graph, loss, scale)
        if penalty_alone(graph):
            sight["penalty"] = any(isinstance(value, Tensor) for call in self._calls.held for value in call.args)
        sight["modes"] = [{**mode, "after": self.catalog.name_of(weight)} for mode, weight in modes(graph)]
        self.dropped = any(mode["kind"] == "dropout" for mode in sight["modes"])
        if first:
            sight["inputs"] = [
                {"layer": self.catalog.layer(call.weight), **features} for call, features in batch.inputs(graph)
            ]
            shape = sight["prediction"]["shape"] if "prediction" in sight else ()
            sight |= {"turned": batch.turned(graph, shape[0])} if shape else {}
        return sight

    def _call(
        self,
        sample: Sample,
        layer: int,
        data: tuple[int, ...],
        scale: Tensor | None,
        after: Sequence[Any],
        before: Sequence[Any],
    ) -> None:
        """One use of a layer: ``before`` holds the gradient at its output, ``after`` those at its inputs."""
        found = [("grad_out", next((gradient for gradient in before if gradient is not None), None))]
        found += [("grad_in", after[position]) for position in data if position < len(after)]
        for name, gradient in found:
            if gradient is not None:
                norm = measure.norm(gradient)
                sample.add(layer, name, norm if scale is None else norm / scale.to(norm.device))

    def _own(self, sample: Sample, after: Sequence[Any], before: Sequence[Any]) -> None:
        """One use of an ``autograd.Function`` of the program's: whether it turns the gradient round."""
        a, b = before[0], after[0]
        if a is not None and b is not None and a.shape == b.shape and not a.is_sparse and not b.is_sparse:
            sample.reverses.append(measure.opposite(a, b))

    def _fused(
        self, sample: Sample, layer: int, node: autograd.Node, after: Sequence[Any], before: Sequence[Any]
    ) -> None:
        found = through_time.gains(node, before)
        if found is not None:
            uses, first, last = found
            sample.times[layer] = uses
            sample.add(layer, "first", first)
            sample.add(layer, "last", last)

    def activation(
        self, sample: Sample, layer: int, channel: int, name: str, after: Sequence[Any], before: Sequence[Any]
    ) -> None:
        """One use of an activation: ``before`` holds the gradient behind it, ``after`` the one before it."""
        if not after or after[0] is None or before[0] is None or after[0].shape != before[0].shape:
            return
        gradient = after[0]
        channel = channel if channel != 1 or gradient.ndim >= 3 else -1
        channel = max(channel, -gradient.ndim)
        if gradient.ndim == 0 or not gradient.numel():
            return
        slope = measure.Slope(gradient, before[0], channel, ACTIVATIONS[name])
        sample.add(layer, "slope_before", slope.before)
        sample.add(layer, "slope_after", slope.after)
        if slope.flat is not None:
            sample.add(layer, "flat", slope.flat)
        dead = slope.informative & ~slope.alive
        sample.add(layer, "dead", dead.sum() / slope.informative.sum().clamp(min=1))
        streak = self._streaks.get(layer)
        if streak is None or streak.shape != dead.shape or streak.device != dead.device:
            streak = torch.zeros_like(dead, dtype=torch.int32)
        if layer not in sample.dead:  # otherwise it was used before in this update: alive once is alive
            streak = streak + slope.informative
        self._streaks[layer] = sample.dead[layer] = streak.masked_fill(slope.alive, 0)

"""How much of the gradient a fused recurrent layer hands back through time.

A layer that a loop unrolls shows it in its own graph. A fused one (``nn.LSTM``) is one operation, which asks for no
gradient of its initial state. It is run once more on a few samples of the batch, with one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fallline.record import graph as autograd

LSTM = 2  # the number by which the operation calls it
SAMPLES = 8  # of the batch
SAVED = ("input", "weight0", "weight1", "weight2", "weight3", "hx_", "cx_")


def readable(node: autograd.Node) -> bool:
    """Whether this is a fused layer whose operation can be run again: one direction of an LSTM on a CPU."""
    if autograd.op_name(node) != "mkldnnrnnlayer":
        return False
    if autograd.saved(node, "_saved_reverse") or autograd.saved(node, "_saved_batch_sizes"):  # backwards, or packed
        return False
    return bool(autograd.saved(node, "_saved_has_biases")) and autograd.saved(node, "_saved_mode") == LSTM


def gains(node: autograd.Node, upstream: Sequence[Tensor | None]) -> tuple[int, Tensor, Tensor] | None:
    """Steps in time, ‖∂L/∂(h₀, c₀)‖, and the length of what came in, over the first few samples.

    Args:
        node: of the layer; its saved tensors are read.
        upstream: ∂L/∂ each output: of all steps (time, n, units), and the last states.
    """
    tensors = [autograd.saved(node, f"_saved_{name}") for name in SAVED]
    if not all(isinstance(tensor, Tensor) for tensor in tensors):
        return None
    data, *weights, hidden, cell = (tensor.detach() for tensor in tensors)
    try:
        return _again(data, weights, [hidden, cell], upstream)
    except RuntimeError:  # a way of calling it that is not known here: then this layer is not measured
        return None


def _again(
    data: Tensor, weights: list[Tensor], states: list[Tensor], upstream: Sequence[Tensor | None]
) -> tuple[int, Tensor, Tensor] | None:
    few = slice(0, SAMPLES)
    with torch.enable_grad():
        state = [part.reshape(1, -1, part.shape[-1])[:, few].clone().requires_grad_() for part in states]
        outputs = torch.lstm(data[:, few], state, weights, True, 1, 0.0, False, False, False)
        came = [
            (output, gradient.reshape(-1, *gradient.shape[-2:])[:, few])
            for output, gradient in zip(outputs, upstream, strict=False)
            if gradient is not None
        ]
        if not came or any(output.shape != gradient.shape for output, gradient in came):
            return None
        back = torch.autograd.grad([output for output, _ in came], state, [gradient for _, gradient in came])
    return len(outputs[0]), _length(back), _length([gradient for _, gradient in came])


def _length(tensors: Sequence[Tensor]) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(torch.cat([tensor.double().reshape(-1) for tensor in tensors]))
    return length

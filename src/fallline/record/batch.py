"""What is in a batch: the scale of its features, and the samples of it that stand out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fallline.record import graph as autograd
from fallline.record.measure import EXACT, centred, real, to_floats

NEAR = 100  # operations before a layer in which parameters are looked for
SPECTRUM = 64  # features up to which all eigenvalues of their second moments are taken


def inputs(graph: autograd.Graph) -> Iterator[tuple[autograd.Call, dict[str, Any]]]:
    """Every layer that data flows into, with what :func:`features` says of the data, and if samples are its columns."""
    for call in graph.calls:
        data = call.input() if not call.sources and call.kind != "rnn" else None
        if data is not None and data.numel() and data.ndim >= 2 and not _trained(data) and not _made(call):
            yield call, features(data, call.kind) | {"columns": call.channel == -2}


def turned(graph: autograd.Graph, samples: int) -> tuple[int, int] | None:
    """The time steps of a recurrent layer and the rows of each, where batch and time are exchanged; else None.

    Then it makes as many steps as the loss has samples, each of another number of rows than these.
    """
    uses = Counter(id(call.weight) for call in graph.calls)
    for call in graph.calls:
        data = call.input()
        if data is None or data.ndim < 2:
            continue
        recurs = any(source.weight is call.weight for source in call.sources)
        steps, rows = (uses[id(call.weight)], len(data)) if recurs else (0, 0)
        if call.kind == "rnn" and data.ndim == 3:  # a whole sequence in one operation
            steps, rows = data.shape[:2]
            turned_already = autograd.op_name(call.node).startswith("mkldnn")
            if autograd.saved(call.node, "_saved_batch_first") and not turned_already:  # cuDNN keeps it as it came
                steps, rows = rows, steps
        if steps == samples > 1 and 1 < rows != samples:
            return steps, rows
    return None


def _trained(data: Tensor) -> bool:
    """Whether it is a parameter, or a view of one, as the factors of a matrix are."""
    origin = data._base if data._base is not None else data
    return origin.is_leaf and origin.requires_grad


def _made(call: autograd.Call) -> bool:
    """Whether it is computed of several parameters, as where a tensor is written by three factors."""
    frontier = [call.node.next_functions[place][0] for place in call.data]
    seen, leaves = set(frontier), set[int]()
    while frontier and len(seen) < NEAR:
        node = frontier.pop()
        leaf = getattr(node, "variable", None)
        leaves |= {id(leaf)} if leaf is not None else set()
        before = [source for source, _ in node.next_functions if source is not None and source not in seen]
        seen.update(before)
        frontier += before
    return len(leaves) > 1


def features(data: Tensor, kind: str) -> dict[str, Any]:
    r"""The scale of the features that flow into a first layer, and of the curvature they bring.

    The Hessian of a linear layer's loss is a product with the second moments of its inputs,
    :math:`M = E[\tilde x \tilde x^T]` with :math:`\tilde x = (x, 1)`.

    Args:
        data: shape (n, …, features), for a convolution (n, channels, …).

    Returns ``count`` of samples, ``features``, ``rms``, ``offset``: largest absolute mean, ``least``, ``middle`` and
    ``most``: standard deviations of the features (of those that vary), ``top``: largest eigenvalue of M, ``level``: the
    same had every feature mean 0 and variance 1, ``apart``: norm of the largest sample over the median one, and
    ``condition`` of M where there are few features (else NaN).
    """
    values = real(data.movedim(1, -1) if kind == "conv" and data.ndim >= 3 else data)
    values = values.reshape(-1, values.shape[-1])
    values = values.double() if values.numel() <= EXACT else values
    mean, rest = values.mean(dim=0), centred(values)
    spreads = rest.square().mean(dim=0).sqrt()
    varying = spreads[spreads > 1e-7 * values.abs().amax(dim=0)]
    scaled = rest[:, spreads > 1e-7 * values.abs().amax(dim=0)] / varying
    moving = torch.cat([values, values.new_ones(len(values), 1)], dim=1)
    sizes = torch.linalg.vector_norm(values, dim=1)
    ratio = sizes.max() / sizes.median().clamp(min=torch.finfo(sizes.dtype).tiny)
    numbers = [values.square().mean().sqrt(), mean.abs().max(), _top(moving), _top(scaled), ratio]
    numbers += [varying.min(), varying.median(), varying.max()] if len(varying) else [values.new_zeros(())] * 3
    rms, offset, top, level, apart, least, middle, most = to_floats(numbers)
    return {
        "count": len(values), "features": values.shape[1], "rms": rms, "offset": offset, "least": least,
        "middle": middle, "most": most, "top": top, "level": max(level, 1.0), "apart": apart,
        "condition": _condition(moving),
    }  # fmt: skip


def _top(rows: Tensor, rounds: int = 8) -> Tensor:
    """Largest eigenvalue of the second moments of some rows, by power iteration from the longest of them."""
    if not rows.numel():
        return rows.new_zeros(())
    vector: Tensor = rows[rows.square().sum(dim=1).argmax()]
    length: Tensor = torch.linalg.vector_norm(vector)
    for _ in range(rounds):
        vector = rows.T @ (rows @ (vector / length.clamp(min=1e-30))) / len(rows)
        length = torch.linalg.vector_norm(vector)
    return length


def _condition(rows: Tensor) -> float:
    if rows.shape[1] > SPECTRUM or len(rows) < 2 * rows.shape[1] or not bool(torch.isfinite(rows).all()):
        return math.nan
    values = torch.linalg.eigvalsh(rows.T.double() @ rows.double() / len(rows))
    return float(values[-1] / values[0].clamp(min=1e-16 * float(values[-1]) + 1e-300))


def worst_rows(loss: Tensor, most: int = 3) -> list[int]:
    """The samples of the batch that contribute most to a loss of a known kind, the worst first."""
    node, _ = autograd.unwrap_loss(loss.grad_fn)
    prediction, target = autograd.saved(node, "_saved_self"), autograd.saved(node, "_saved_target")
    if not isinstance(prediction, Tensor) or not isinstance(target, Tensor) or not prediction.ndim:
        return []
    prediction, target = prediction.detach(), target.detach()
    if autograd.op_name(node).startswith("nllloss") and prediction.ndim == 2 and target.ndim == 1:
        labels = target.long().clamp(0, prediction.shape[1] - 1)  # one that is left out may be any number
        error = -prediction.gather(1, labels.unsqueeze(1)).squeeze(1)
    elif prediction.shape == target.shape:
        error = (real(prediction) - real(target)).abs().flatten(1).amax(dim=1) if prediction.ndim > 1 else (
            real(prediction) - real(target)).abs()  # fmt: skip
    else:
        return []
    return [int(i) for i in error.topk(min(most, len(error))).indices]


def unusual_rows(graph: autograd.Graph, most: int = 3) -> dict[str, Any]:
    """Samples with the largest inputs to the first layer, how far they are above the median, and the size of all."""
    data = next((d for call in graph.calls if not call.sources and (d := call.input()) is not None), None)
    if data is None or data.ndim < 2 or not data.numel():
        return {}
    sizes = torch.linalg.vector_norm(real(data).flatten(1), dim=1)
    top = sizes.topk(min(most, len(sizes)))
    times, rms = top.values[0] / sizes.median().clamp(min=1e-30), torch.linalg.vector_norm(sizes) / data.numel() ** 0.5
    return {"rows": top.indices.tolist(), "times": float(times), "rms": float(rms)}

"""A model that is asked for answers while dropout or batch norm act: how much the answers change without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils._pytree import tree_leaves

from fallline.record import replay
from fallline.record.calls import Call

HASTY = 0.5  # a momentum of running statistics above which they are those of the last batches
ENOUGH = 64  # samples whose own statistics are better
AGAIN = 3  # answers to the very same input: they are drawn on purpose (Gal and Ghahramani, ICML 2016)


def difference(calls: Sequence[Call], dropped: bool) -> dict[str, Any] | None:
    """What calls of one model in its last mode would give without dropout, and with the statistics of batch norm.

    Args:
        calls: without gradients, after the last update.
        dropped: whether dropout acted while the model trained. If no layer did it, eval mode does not end it: the same
            calls are made twice then.

    Returns:
        None where nothing acts; ``training``: the mode; ``dropout``, ``batch_norm``: how many such layers act;
        ``hasty``: the largest momentum of running statistics that forget, against which the batch's own are held;
        ``answers``: how many were compared; ``changed``: the share of them whose largest entry is another one (None
        where an answer is one number); ``distance``: root mean square of the change over the standard deviation of the
        answers.
    """
    model, training = calls[-1].module, calls[-1].training
    dropouts = [m for m in model.modules() if isinstance(m, _DropoutNd) and m.p > 0]
    acting = sum(m.training for m in dropouts)
    kept = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    norms = sum(m.training for m in kept)
    hasty = [m for m in kept if not m.training and (m.momentum or 0.0) > HASTY and len(calls[-1].args[0]) >= ENOUGH]
    drawn = len(calls) >= AGAIN and len({id(call.args[0]) for call in calls[-AGAIN:]}) == 1
    if drawn or not (acting or norms or hasty or (dropped and not dropouts)):
        return None
    with replay.untouched([model]), torch.no_grad():
        given = _answers(calls)
        model.eval()
        for module in hasty:
            module.train()
        right = _answers(calls)
    if given is None or right is None or len(right) < 2:
        return None
    classes = right.ndim > 1 and right.shape[-1] > 1
    changed = float((given.argmax(-1) != right.argmax(-1)).double().mean()) if classes else None
    spread = float((right - right.mean(0)).square().mean().sqrt())
    distance = float((given - right).square().mean().sqrt())
    return {
        "training": training, "dropout": acting, "batch_norm": norms, "answers": len(right), "changed": changed,
        "distance": distance / spread if spread > 0 else None,
        "hasty": max((m.momentum or 0.0 for m in hasty), default=0.0),
    }  # fmt: skip


def _answers(calls: Sequence[Call]) -> Tensor | None:
    """The first outputs of the calls, one under the other; None where they have no rows."""
    found = []
    for call in calls:
        leaves = tree_leaves(call.module(*call.args, **call.kwargs))
        outputs = [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.ndim]
        found += outputs[:1]
    alike = found and len({output.shape[1:] for output in found}) == 1
    return torch.cat(found).double() if alike else None

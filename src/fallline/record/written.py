"""What a loss compares that was written by hand, read off its last operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fallline.record import graph as autograd
from fallline.record.values import output

# The first operation of each; a softmax belongs to what comes before.
STARTS = {"mse": "sub", "l1": "sub", "nll": "logsoftmax", "bce": "log", "soft-nll": "logsoftmax", "kl": "mul"}
LOGISTIC = ("softplus", "logsigmoid", "exp", "neg")  # what a cross entropy of logits begins with
HINGES = ("clamp", "clampmin", "relu")
HUGE = 10.0  # size of predictions from which on …
DIGITS = 1e-3  # … the error that rounding leaves in a target is held against the target itself
CLOSE = 1e-4  # difference of two shares from 1, and of two logits from 0

_name = autograd.op_name


@dataclass(frozen=True)
class Pair:
    """What meets at a loss."""

    kind: str
    prediction: Tensor
    target: Tensor
    sign: float = 1.0  # of the loss's node, by the loss of this kind
    lost: bool = False  # the target is what rounding left of it: it was read off a difference from a huge prediction


def written(graph: autograd.Graph, node: autograd.Node) -> Pair | None:
    """A loss before it is averaged, by what its last operations are.

    (p − t)², |p − t|, −log p of the right class, −t log p, t log(t / p), −(t log p + (1 − t) log(1 − p)), also of
    p = σ(z), or log(1 + exp z) − t z.
    """
    name = _name(node)
    if name in ("index", "gather", "log"):
        return _picked(node)
    if (pair := _product(graph, node)) is not None:
        return pair
    if name in ("add", "sub"):
        return _cross_entropy(node) or (_logistic(node) if name == "sub" else None)
    return _difference(graph, node)


def _difference(graph: autograd.Graph, node: autograd.Node) -> Pair | None:
    """The square, or the absolute value, of a difference of which one side depends on parameters."""
    name, difference = _name(node), autograd.saved(node, "_saved_self")
    exponent = autograd.saved(node, "_saved_exponent")  # a number, or a tensor of them
    squared = (name == "pow" and not isinstance(exponent, Tensor) and exponent == 2) or (
        name == "mul" and difference is not None and difference is autograd.saved(node, "_saved_other")
    )
    below = node.next_functions[0][0] if node.next_functions else None
    if not (squared or name == "abs") or not isinstance(difference, Tensor) or below is None:
        return None
    if difference.layout != torch.strided:
        return None
    below, scale = _scaled(below, difference)
    sides = [source for source, _ in below.next_functions]
    of = [source for source in sides if source is not None]
    prediction = output(graph, of[0]) if _name(below) in ("sub", "rsub") and len(of) == 1 else None
    if prediction is None or prediction.shape != difference.shape:
        return None
    prediction = prediction * scale
    minuend = sides[0] is not None and _name(below) == "sub"
    target = prediction - difference.detach() if minuend else prediction + difference.detach()
    return Pair("mse" if squared else "l1", prediction, target, lost=_eaten(prediction, target))


def _eaten(prediction: Tensor, target: Tensor) -> bool:
    """Whether a sum or a difference with such predictions does not hold the target to three digits."""
    most = float(prediction.detach().abs().max()) if prediction.numel() and prediction.is_floating_point() else 0.0
    error = torch.finfo(prediction.dtype).eps * most if most else 0.0
    return most > HUGE and error > DIGITS * float(target.abs().max())


def _scaled(node: autograd.Node, difference: Tensor) -> tuple[autograd.Node, Any]:
    """A difference that is brought to another scale, the same for all samples, and the factor that brings it there."""
    divided = _name(node) == "div"
    other = autograd.saved(node, "_saved_other") if divided or _name(node) == "mul" else None
    below = node.next_functions[0][0] if other is not None else None
    if below is None or other is None:
        return node, 1.0
    known = not isinstance(other, Tensor) or not (
        other.requires_grad or (other.ndim == difference.ndim > 0 and len(other) == len(difference) > 1)
    )
    return (below, 1 / other if divided else other) if known else (node, 1.0)


def _product(graph: autograd.Graph, node: autograd.Node) -> Pair | None:
    """t log p of shares t, as cross_entropy takes them; or t (log t − log p), whose graph holds the second part."""
    inner = [source for source, _ in node.next_functions if source is not None]
    divergence = _name(node) == "sub" and len(inner) == 1 and node.next_functions[0][0] is None
    product = inner[0] if divergence else node
    if _name(product) != "mul":
        return None
    places = [place for place, (source, _) in enumerate(product.next_functions) if source is not None]
    if len(places) != 1:
        return None
    shares = autograd.saved(product, "_saved_self" if places[0] else "_saved_other")
    source = product.next_functions[places[0]][0]
    logs = _log_probabilities(source)
    if not isinstance(shares, Tensor) or shares.is_complex() or shares.ndim != 2 or bool((shares < 0).any()):
        return None
    scores = logs if logs is not None else output(graph, source) if divergence else None
    if scores is None or scores.shape != shares.shape:
        return None
    return Pair("kl" if divergence else "soft-nll", scores, shares, 1.0 if divergence else -1.0)


def _picked(node: autograd.Node) -> Pair | None:
    """The entry of the right class out of log-probabilities, or the log of that out of probabilities."""
    entry = _guarded(node) if _name(node) == "log" else node
    source = entry.next_functions[0][0] if _name(entry) in ("index", "gather") else None
    if source is None:
        return None
    if entry is node:
        scores = _log_probabilities(source)
    else:
        chances = autograd.saved(source, "_saved_result") if _name(source) == "softmax" else None
        scores = chances.detach().log() if isinstance(chances, Tensor) else None
    picked = autograd.saved(entry, "_saved_index")
    if picked is None:
        indices = autograd.saved(entry, "_saved_indices")
        picked = indices[-1] if isinstance(indices, Sequence) and len(indices) == 2 else None
    if scores is None or scores.ndim != 2 or not isinstance(picked, Tensor):
        return None
    labels = picked.reshape(-1)
    return Pair("nll", scores, labels, -1.0) if len(labels) == len(scores) else None


def _log_probabilities(node: autograd.Node) -> Tensor | None:
    """What a log-softmax puts out, or the log of a softmax."""
    if _name(node) == "log" and _name(_guarded(node)) == "softmax":
        chances = autograd.saved(node, "_saved_self")
        return chances.detach().log() if isinstance(chances, Tensor) else None
    result = autograd.saved(node, "_saved_result") if _name(node) == "logsoftmax" else None
    return result.detach() if isinstance(result, Tensor) else None


def _guarded(log: autograd.Node) -> autograd.Node:
    """What a log is taken of, without the small number that guards it."""
    node: autograd.Node = log.next_functions[0][0]
    while _name(node) in ("add", "clamp", "clampmin"):
        inputs = [source for source, _ in node.next_functions if source is not None]
        if len(inputs) != 1:
            break
        node = inputs[0]
    return node


def _cross_entropy(node: autograd.Node) -> Pair | None:
    """t log p + (1 − t) log(1 − p), each with its sign; of logarithms of a sigmoid the logits are told."""
    places = [source for source, _ in node.next_functions]
    if len(places) != 2 or any(source is None for source in places):
        return None
    halves = [_share(source, sign) for source, sign in zip(places, (1, 1 if _name(node) == "add" else -1), strict=True)]
    if (one := halves[0]) is None or (other := halves[1]) is None or one.kind != other.kind:
        return None
    total, logits = one.share + other.share, one.kind == "bce-logits"
    ends = one.of + other.of if logits else torch.zeros_like(one.of)  # log(1 − p) is log σ(−z)
    shapes = {t.shape for t in (one.of, other.of, one.share, other.share)}
    if (
        len(shapes) > 1
        or not total.numel()
        or not bool((total.abs() - 1).abs().max() < CLOSE)
        or not bool(ends.abs().max() < CLOSE)
    ):
        return None
    sign = float(total.reshape(-1)[0])  # in front of a log-likelihood
    return Pair(one.kind, one.of, one.share * sign, -round(sign)) if bool((total * sign > 0).all()) else None


class _Half(NamedTuple):
    """A share times the logarithm of a probability."""

    kind: str
    share: Tensor
    of: Tensor  # the probability, or of a sigmoid's its logit


def _share(node: autograd.Node, sign: int) -> _Half | None:
    node, sign = _unsigned(node, sign)
    places = [place for place, (source, _) in enumerate(node.next_functions) if source is not None]
    if _name(node) != "mul" or len(places) != 1:
        return None
    share = autograd.saved(node, "_saved_self" if places[0] else "_saved_other")
    log, sign = _unsigned(node.next_functions[places[0]][0], sign)
    kind, of = _logarithm(log)
    if not isinstance(share, Tensor) or of is None:
        return None
    if _name(log) == "softplus":  # −log σ(−z)
        sign, of = -sign, -of
    return _Half(kind, sign * share.detach(), of.detach())


def _logarithm(node: autograd.Node) -> tuple[str, Tensor | None]:
    """What a logarithm is taken of: a probability, or a sigmoid, then its logit."""
    of = autograd.saved(node, "_saved_self") if _name(node) in ("log", "logsigmoid", "softplus") else None
    return "bce" if _name(node) == "log" else "bce-logits", of if isinstance(of, Tensor) else None


def _unsigned(node: autograd.Node, sign: int) -> tuple[autograd.Node, int]:
    while _name(node) == "neg":
        node, sign = node.next_functions[0][0], -sign
    return node, sign


def _logistic(node: autograd.Node) -> Pair | None:
    """log(1 + exp z) − t z."""
    sides = [source for source, _ in node.next_functions if source is not None]
    if len(sides) != 2 or _name(sides[1]) != "mul":
        return None
    log, product = sides
    places = [place for place, (source, _) in enumerate(product.next_functions) if source is not None]
    target = autograd.saved(product, "_saved_self" if places[0] else "_saved_other") if len(places) == 1 else None
    if not isinstance(target, Tensor):
        return None
    logits = _softened(log, product.next_functions[places[0]][0])
    return Pair("bce-logits", logits.detach(), target) if logits is not None else None


def _softened(node: autograd.Node, source: autograd.Node) -> Tensor | None:
    """The z of log(1 + exp z) that comes from ``source``."""
    inside, name = autograd.saved(node, "_saved_self"), _name(node)
    if not isinstance(inside, Tensor):
        return None
    if name == "softplus":
        return inside if node.next_functions[0][0] is source else None
    below = node.next_functions[0][0]
    if name == "log" and _name(below) == "add":
        below, inside = below.next_functions[0][0] or below.next_functions[1][0], inside - 1
    if name not in ("log", "log1p") or _name(below) != "exp" or below.next_functions[0][0] is not source:
        return None
    return inside.detach().log()


def before(tail: Sequence[str], kind: str) -> list[str]:
    """The operations before those that make up a loss written by hand."""
    if kind == "bce-logits":
        return list(tail[: next((i for i, name in enumerate(tail) if name in LOGISTIC), len(tail))])
    start = STARTS[kind]
    last = max((i for i, name in enumerate(tail) if name.endswith(start)), default=len(tail))
    if start == "logsoftmax":
        softmax = max((i for i, name in enumerate(tail) if name.endswith("softmax")), default=-1)
        return [*tail[: max(softmax, 0)], start]  # a softmax whose log is taken is one
    return list(tail[:last])


def hinged(node: autograd.Node) -> Tensor | None:
    """The labels t in max(0, 1 − t x), written by hand."""
    way = [node]
    while len(way) < 4 and (inputs := [source for source, _ in way[-1].next_functions if source is not None]):
        way.append(inputs[0])
    names = [_name(inner) for inner in way]
    if len(way) < 3 or names[0] not in HINGES or names[1:3] not in (["rsub", "mul"], ["sub", "mul"]):
        return None
    found = [autograd.saved(way[2], f"_saved_{side}") for side in ("self", "other")]
    labels = [t for t in found if isinstance(t, Tensor) and not t.requires_grad and t.numel() > 1]
    return labels[0] if len(labels) == 1 else None

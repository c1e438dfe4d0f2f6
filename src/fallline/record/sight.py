"""What the loss compares: the prediction and the target, also where the loss was written by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fallline.record import graph as autograd
from fallline.record.addends import Addend, addends, without_penalty
from fallline.record.measure import EXACT, centred, to_floats
from fallline.record.operations import LOSSES, NORMS, REGRESSION
from fallline.record.written import Pair, before, hinged, written

SOLVABLE = 4_000_000  # samples times features squared, up to which the best linear fit is solved for
CLOSE = 1e-3  # relative difference of the loss from what was read of it
AGAIN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {  # not by the functions, of which a remedy may change the calls
    "mse": lambda p, t: (p - t).square().mean(),
    "l1": lambda p, t: (p - t).abs().mean(),
    "nll": lambda p, t: -p.gather(1, t.long().unsqueeze(1)).mean(),
    "bce": lambda p, t: -(t * p.log().clamp(min=-100) + (1 - t) * (-p).log1p().clamp(min=-100)).mean(),
    "bce-logits": lambda p, t: (p.clamp(min=0) - p * t + (-p.abs()).exp().log1p()).mean(),
}
IGNORED = -100  # the index of no class, unless another is given
EQUAL = 1e-5  # relative difference of the factors of losses that are taken together
FEWEST = 3  # of two losses the second often is that of the same pairs the other way round (contrastive learning)
MOST = 2**22  # predictions of losses that are taken together
TERMS = 4  # of a sum of losses that are looked at
LONGEST = 40  # operations from a layer to a loss that are named
COLUMNS = 4  # targets of which each can be told
ROBUST = {"l1", "smooth-l1", "huber"}
ROW = 20  # least errors of which the correlation with the next one's is taken


def loss_sight(graph: autograd.Graph, loss: Tensor, scale: Tensor | None = None) -> dict[str, Any]:
    """What stands at the loss: its kind, the operations before it, and the ranges of prediction and target.

    ``scale``: what a ``GradScaler`` multiplied the loss by.
    """
    node, factor = autograd.unwrap_loss(loss.grad_fn)
    total = float(loss.detach()) if loss.numel() == 1 and not loss.is_complex() else math.nan
    if scale is not None:
        total, factor = total / float(scale), None if factor is None else factor / float(scale)
    node, factor, penalty = without_penalty(graph, node, factor)
    tail = graph.tail if penalty is None else tuple(_way(graph, node))
    sight: dict[str, Any] = {"kind": None, "ops": list(tail), "factor": factor}
    sight["broadcast"] = autograd.broadcast(loss.grad_fn)
    sight["softened"] = autograd.softened(graph.nodes)
    pair = _library(node) or written(graph, node)
    if pair is not None and not _real(pair):
        return sight
    terms = addends(node, factor) if pair is None else []
    if (several := _alike(terms, total)) is not None:
        node, pair, sight["factor"] = several
        sight["ops"] = _way(graph, node)
    if pair is not None and pair.lost:
        return sight | {"lost": True}
    if pair is None:
        labels = hinged(node)
        hinge = {} if labels is None else {"hinge": [float(labels.min()), float(labels.max())]}
        return sight | hinge | _terms(graph, terms, total)
    if autograd.op_name(node) not in LOSSES:  # so that what comes before the loss stands at the same place
        sight["ops"] = [*before(tail, pair.kind), pair.kind]
        sight["factor"] = None if factor is None else factor * pair.sign
    if penalty is not None:
        value = _value(node, pair)
        known = value is not None and sight["factor"] is not None and math.isfinite(total)
        sight["penalties"] = total - sight["factor"] * value if known else penalty  # with numbers that were added
    elif pair.kind == "mse" and (least := _floor(graph, pair)) is not None:
        sight["floor"] = least
    return sight | _compared(graph, node, pair)


def _alike(terms: Sequence[Addend], loss: float) -> tuple[autograd.Node, Pair, float] | None:
    """One loss of torch.nn.functional that is taken again and again, as at each time step, as one over all of them."""
    pairs = [pair for node, _ in terms if (pair := _library(node)) is not None]
    shapes = {(p.kind, p.prediction.shape, p.target.shape, p.target.dtype) for p in pairs}
    factors = [times for _, times in terms if times is not None]
    if (
        len(pairs) < FEWEST
        or not len(pairs) == len(terms) == len(factors)
        or len(shapes) > 1
        or not pairs[0].target.ndim
    ):
        return None
    size = sum(p.prediction.numel() for p in pairs)
    if max(factors) - min(factors) > EQUAL * max(map(abs, factors)) or size > MOST:
        return None
    node = terms[0][0]
    prediction, target = torch.cat([p.prediction.detach() for p in pairs]), torch.cat([p.target for p in pairs])
    pair = Pair(pairs[0].kind, prediction, target)
    summed = len(pairs) if autograd.saved(node, "_saved_reduction") == 2 else 1  # the factor is that of an element
    value = _value(node, pair)
    if value is None or not math.isclose(sum(factors) / summed * value, loss, rel_tol=CLOSE):
        return None  # a number was added
    return node, pair, sum(factors) / summed


def _value(node: autograd.Node, pair: Pair) -> float | None:
    """The loss of a pair, taken again; None where not all of it is known."""
    prediction, target = pair.prediction.detach(), pair.target.detach()
    weighted = any(isinstance(autograd.saved(node, f"_saved_{name}"), Tensor) for name in ("weight", "pos_weight"))
    left_out = pair.kind == "nll" and (
        prediction.ndim < 2 or _ignored(node) not in (None, IGNORED) or bool((target < 0).any())
    )
    if weighted or left_out or pair.kind not in AGAIN:
        return None
    value = float(AGAIN[pair.kind](prediction, target))
    return value * (pair.target.numel() if autograd.saved(node, "_saved_reduction") == 2 else 1)


def _terms(graph: autograd.Graph, terms: Sequence[Addend], loss: float) -> dict[str, Any]:
    """Those of torch.nn.functional among the losses that are added up, and whether they are the whole loss."""
    pairs = [(node, times, pair) for node, times in terms if (pair := _library(node)) is not None]
    known = [(node, times, pair) for node, times, pair in pairs if _real(pair)][:TERMS]
    values = [(times, _value(node, pair)) for node, times, pair in known if len(known) == len(terms)]
    sum_ = sum(math.nan if times is None or value is None else times * value for times, value in values)
    return {
        "terms": [{"ops": _way(graph, node), "factor": times} | _compared(graph, node, p) for node, times, p in known],
        "whole": bool(values) and math.isclose(sum_, loss, rel_tol=CLOSE),
    }


def _way(graph: autograd.Graph, loss: autograd.Node) -> list[str]:
    """The operations from the last layer to one of the losses."""
    layers, node, names = {id(call.node) for call in graph.calls}, loss, [autograd.op_name(loss)]
    while (inputs := [source for source, _ in node.next_functions if source is not None]) and len(names) < LONGEST:
        node = inputs[0]
        if id(node) in layers:
            break
        names.append(autograd.op_name(node))
    return names[::-1]


def _compared(graph: autograd.Graph, node: autograd.Node, pair: Pair) -> dict[str, Any]:
    """The kind of a loss, and the ranges of the prediction and the target that meet there."""
    prediction, target = pair.prediction, pair.target
    weight, pos_weight = autograd.saved(node, "_saved_weight"), autograd.saved(node, "_saved_pos_weight")
    seen: dict[str, Any] = {
        "kind": pair.kind,
        "reduction": {0: "none", 1: "mean", 2: "sum"}.get(autograd.saved(node, "_saved_reduction"), "none"),
        "elements": target.numel() if pair.kind == "nll" else prediction.numel(),
        "prediction": _describe(prediction),
        "target": _describe(target),
        "weighted": isinstance(weight, Tensor),
    }
    clamps = [inner for inner in graph.nodes if autograd.op_name(inner) == "hardtanh"]  # ReLU6 is one, too
    if clamps:
        seen["bounds"] = [float(autograd.saved(clamps[-1], f"_saved_{end}_val")) for end in ("min", "max")]
    if isinstance(pos_weight, Tensor) and pos_weight.numel() == 1:
        seen["pos_weight"] = float(pos_weight)
    return seen | _about_targets(node, pair)


def _about_targets(node: autograd.Node, pair: Pair) -> dict[str, Any]:
    """What the loss of a constant prediction follows from, and along what a softmax goes."""
    found: dict[str, Any] = {}
    prediction, target = pair.prediction, pair.target
    if pair.kind in REGRESSION:
        found |= {"numbered": _numbers(target)} if _stretched(prediction, target) else {}
        found |= {"columns": _columns(prediction.detach(), target.detach())} if pair.kind == "mse" else {}
        found["row"] = _in_a_row(prediction.detach() - target.detach())
    source = node.next_functions[0][0] if pair.kind in ("nll", "bce") and node.next_functions else None
    if source is not None and prediction.ndim and autograd.op_name(source) in ("softmax", "logsoftmax"):
        dim = found["softmax_dim"] = autograd.signed(autograd.saved(source, "_saved_dim")) % prediction.ndim
        if pair.kind == "bce" and target.shape == prediction.shape:
            found["from_one"] = float(((target > 0.5).sum(dim) - 1).abs().double().mean())
    if pair.kind == "soft-nll" and target.shape[1] <= 10_000:
        found["shares"] = target.detach().double().mean(dim=0).tolist()
    if pair.kind in ROBUST:
        found["constant"] = _constant(node, pair)
    if pair.kind == "nll" and prediction.ndim >= 2 and prediction.shape[1] <= 10_000:
        ignored = _ignored(node)
        labels = target[target != ignored] if ignored is not None else target
        if labels.numel():
            labels = labels.reshape(-1).long() % prediction.shape[1]  # an index may count from the end
            found["classes"] = torch.bincount(labels, minlength=prediction.shape[1]).tolist()
    return found


def _ignored(node: autograd.Node) -> int | None:
    """The index of a class that takes no part in a cross entropy."""
    index = autograd.saved(node, "_saved_ignore_index")
    return autograd.signed(index) if isinstance(index, int) else None


def _floor(graph: autograd.Graph, pair: Pair) -> float | None:
    """The least mean square that a model of one linear layer can reach on this batch, where it is quickly found."""
    call = graph.calls[0] if len(graph.calls) == 1 and graph.calls[0].kind == "linear" else None
    data = call.input() if call is not None and not call.activations else None
    if data is None or not data.is_cpu or data.ndim != 2 or not len(data) > data.shape[1]:
        return None
    target = pair.target.detach().double()
    if data.numel() * data.shape[1] > SOLVABLE or target.numel() % len(data) or target.shape != pair.prediction.shape:
        return None
    columns = torch.cat([data.detach().double(), data.new_ones(len(data), 1, dtype=torch.float64)], dim=1)
    aims = target.reshape(len(data), -1)
    if not bool(torch.isfinite(columns).all() & torch.isfinite(aims).all()):
        return None
    try:
        solution = torch.linalg.lstsq(columns, aims, driver="gelsd").solution
    except RuntimeError:  # it did not converge
        return None
    return float((columns @ solution - aims).square().mean())


def _columns(prediction: Tensor, target: Tensor) -> dict[str, Any]:
    """How far apart the variances of a few targets are, and what of the least one's is explained."""
    if target.ndim != 2 or target.shape != prediction.shape or not 1 < target.shape[1] <= COLUMNS or len(target) < 2:
        return {}
    variances, errors = target.double().var(0, correction=0), (prediction - target).double().square().mean(0)
    least, most = to_floats([variances.min(), variances.max()])
    if not 0 < least < most:
        return {}
    return {
        "apart": most / least, "explained": 1 - float(errors[variances.argmin()]) / least,
        "means": target.double().mean(0).tolist(), "variances": variances.tolist(),
    }  # fmt: skip


def _in_a_row(errors: Tensor) -> float:
    """The correlation of each sample's error with the next one's, where there is one error a sample: 0 for noise."""
    if errors.numel() < ROW or errors.numel() > EXACT or errors.numel() != len(errors):
        return math.nan
    errors = centred(errors.reshape(-1).double())
    length = float(errors.square().sum())
    return float(errors[1:] @ errors[:-1]) / length if length > 0 else math.nan


def _stretched(prediction: Tensor, target: Tensor) -> bool:
    """Whether one target was broadcast over the outputs of a sample."""
    several = target.ndim == 2 and target.shape == prediction.shape and min(target.shape) >= 2
    return several and target.stride(1) == 0 != prediction.stride(1)


def _numbers(target: Tensor) -> bool:
    """Whether the targets are whole numbers that could number as many classes as there are outputs."""
    values = target[:, 0].detach()
    return bool(((values == values.round()) & (values >= 0) & (values < target.shape[1])).all())


def penalty_alone(graph: autograd.Graph) -> bool:
    """Whether the loss depends on parameters by norms alone, as a penalty on the weights does, and not by a layer."""
    consumers = [
        (autograd.op_name(node), source.variable.ndim)
        for node in graph.nodes for source, _ in node.next_functions
        if source is not None and autograd.op_name(source) == "accumulategrad"
        and isinstance(source.variable, nn.Parameter)
    ]  # fmt: skip
    matrices = any(ndim >= 2 for _, ndim in consumers)
    return graph.complete and not graph.calls and matrices and all(name in NORMS for name, _ in consumers)


def _library(node: autograd.Node) -> Pair | None:
    """A loss of torch.nn.functional."""
    kind = LOSSES.get(autograd.op_name(node))
    prediction, target = autograd.saved(node, "_saved_self"), autograd.saved(node, "_saved_target")
    if kind is None or not isinstance(prediction, Tensor) or not isinstance(target, Tensor):
        return None
    return Pair(kind, prediction, target)


def _real(pair: Pair) -> bool:
    """Whether there is something to compare, and real numbers say what."""
    return bool(pair.prediction.numel() and pair.target.numel()) and not (
        pair.prediction.is_complex() or pair.target.is_complex()
    )


# -- ranges ------------------------------------------------------------------------------------------------------------


def _describe(tensor: Tensor) -> dict[str, Any]:
    values = tensor.detach()
    values = values.double() if values.numel() <= EXACT else values.float()
    samples = values.shape[0] if values.ndim else 1
    deviation = torch.linalg.vector_norm(centred(values)) if samples > 1 else values.new_full((), math.nan)
    low, high, mean, length = to_floats([*values.aminmax(), values.mean(), deviation])
    variance = length * length / (values.numel() / samples * (samples - 1)) if samples > 1 else math.nan
    return {"shape": list(tensor.shape), "min": low, "max": high, "mean": mean, "variance": variance}


def _constant(node: autograd.Node, pair: Pair) -> float:
    """Mean of |e|, or of Huber's function of it, where the prediction is each target's median over the samples."""
    target = pair.target.detach().double()
    if target.ndim == 0 or len(target) < 2:
        return math.nan
    error = (target - target.median(dim=0, keepdim=True).values).abs()
    knee = next(
        (float(k) for name in ("delta", "beta") if (k := autograd.saved(node, f"_saved_{name}")) is not None), 0.0
    )
    if not knee:
        return float(error.mean())
    value = torch.where(error < knee, error.square() / (2 * knee), error - knee / 2).mean()
    return float(value) * (knee if pair.kind == "huber" else 1.0)

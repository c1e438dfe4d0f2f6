"""Curvature of a running training's loss: Lanczos on the graph of its own batch, just before it is used for backward.

No closure and no second forward pass is needed, so this works in any loop. For an optimizer that divides the gradient
by a running root mean square (Adam, RMSprop, Adagrad) the operator is P^(-1/2) H P^(-1/2) with that root as P, since
its eigenvalues are what the limit of the learning rate rests on (Cohen et al. 2022, arXiv 2207.14484). Lanczos starts
from the gradient g where it is not zero: its first vector then weighs the Ritz values, and ½ Σ weight / value is what
the loss would lose if the quadratic model were descended to its bottom (the conjugate gradient estimate of ½ gᵀH⁻¹g).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import grad  # as it is now: what stands in its place later would take a product for an update
from torch.optim.optimizer import Optimizer

from fallline.calculus.curvature import Spectrum, lanczos
from fallline.record import graph as autograd
from fallline.record.modes import Mode

MANY = 100  # products where the gradient is zero and does not say where to look
STEPS = 12  # products with the Hessian; each costs about two gradients
NEGATIVE = 0.01  # of the largest curvature: a negative one beyond this is no rounding error
REST = 1e-6  # of the loss: what is left to gain where descent has stopped
LARGEST = 2**23  # parameters up to which their Lanczos vectors are held in memory


def refusal(graph: autograd.Graph, modes: Sequence[Mode], size: int) -> str | None:
    """Why the curvature of this batch's loss would say nothing about the training, or cannot be had; None if neither.

    Gradient hooks of the program's own would be called once more by every product.
    """
    nodes, hooked = graph.nodes, any(leaf._backward_hooks for leaf in graph.leaves)
    reasons = {
        "dropout: the curvature under one mask is not that of the loss": any(m["kind"] == "dropout" for m in modes),
        "batch norm in training mode: the loss depends on the other samples of the batch": any(
            mode["kind"] == "batch-norm" and mode["training"] for mode in modes
        ),
        "the program has gradient hooks of its own, which would be called again": hooked
        or any("hookfunction" in autograd.op_name(node) for node in nodes),
        "a torch.autograd.Function of the program is once_differentiable": any(map(_once, nodes)),
        "a torch.autograd.Function of the program would be called again": any(
            hasattr(node, "_forward_cls") for node in nodes
        ),
        "what was saved for backward is held by hooks (checkpointing, offloading), which would be called again": any(
            map(autograd.packed, nodes)
        ),
        f"{size} parameters: their Lanczos vectors would not fit in memory": size > LARGEST,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _once(node: autograd.Node) -> bool:
    """Whether a custom function's backward cannot be differentiated: its graph is cut off, and zeros would come out."""
    return hasattr(getattr(getattr(node, "_forward_cls", None), "backward", None), "__wrapped__")


def look(loss: Tensor, parameters: Sequence[Tensor], optimizer: Optimizer | None) -> dict[str, Any]:
    """Ritz values of the Hessian of ``loss``, preconditioned as the optimizer does, and their weight in the gradient.

    The graph of ``loss`` stays usable, no ``.grad`` is touched, and no random number of the program's is drawn.

    Returns ``refused``, the reason, where an operation has no second derivative; else ``values`` (k,) ascending,
    ``weights`` (k,) with Σ weights = ‖P^(-1/2) g‖², ``rayleigh``: the curvature along the gradient, ``gradient``: ‖g‖,
    ``error``: residuals of the smallest and the largest value, ``size``, ``preconditioned``, and ``witness``: the share
    of each parameter in the vector of the smallest value.
    """
    try:
        gradients: Sequence[Tensor | None] = grad(loss, parameters, create_graph=True, allow_unused=True)
    except RuntimeError as error:
        return {"refused": _first_line(error)}
    used = [(p, g) for p, g in zip(parameters, gradients, strict=True) if g is not None]
    if any(g.layout != torch.strided for _, g in used):
        return {"refused": "a gradient is sparse"}
    gradient = _flat([g.detach() for _, g in used])
    curved = [(p, g) for p, g in used if g.requires_grad]
    size = gradient.numel()
    length = float(torch.linalg.vector_norm(gradient))
    if not curved or not length < float("inf"):
        return {"refused": "the gradient is not finite, or does not depend on the parameters"}
    roots = _roots([p for p, _ in used], optimizer)
    scaling = None if roots is None else _flat(roots).rsqrt()
    start = gradient if scaling is None else gradient * scaling

    def multiply(vector: Tensor) -> Tensor:
        direction = vector if scaling is None else vector * scaling
        pieces = torch.split_with_sizes(direction, [p.numel() for p, _ in used])
        aims = [piece.view_as(p).to(p.dtype) for piece, (p, _) in zip(pieces, used, strict=True)]
        # of a number: where autograd is given vectors for the outputs, it first imports SymPy to compare their sizes
        along = [(g * aim.conj()).real.sum() for aim, (_, g) in zip(aims, used, strict=True) if g.requires_grad]
        rows: Sequence[Tensor | None] = grad(
            torch.stack(along).sum(), [p for p, _ in used], retain_graph=True, allow_unused=True
        )
        row = _flat([torch.zeros_like(p) if r is None else r for r, (p, _) in zip(rows, used, strict=True)])
        return row if scaling is None else row * scaling

    def spectrum(first: Tensor | None) -> Spectrum:
        steps = STEPS if length else MANY
        return lanczos(multiply, size, steps=steps, start=first, dtype=gradient.dtype, device=gradient.device)

    try:
        found = spectrum(start if length else None)
        arrived = length > 0 and _arrived(found, start, loss)
        if arrived and len(found.values) < size:  # the gradient of units that are equal is equal, and so is all that
            aside = spectrum(None)  # follows from it: what parts them shows from elsewhere only
            found = aside if float(aside.values[0]) < -NEGATIVE * float(aside.values.abs().max()) else found
    except (RuntimeError, ArithmeticError, ValueError) as error:
        return {"refused": _first_line(error)}
    return {"gradient": length, "preconditioned": scaling is not None, **_described(found, start, [p for p, _ in used])}


def _arrived(found: Spectrum, start: Tensor, loss: Tensor) -> bool:
    """Whether nothing is left to gain in the quadratic model, which curves upwards wherever the gradient leads."""
    gain = (start @ found.vectors).double().square() / (2 * found.values)
    return float(found.values[0]) > 0 and float(gain.sum()) < REST * abs(float(loss.detach()))


def _described(found: Spectrum, start: Tensor, parameters: Sequence[Tensor]) -> dict[str, Any]:
    weights = (start @ found.vectors).double().square()
    rayleigh = float((weights * found.values).sum() / weights.sum()) if weights.any() else 0.0
    lowest: Tensor = found.vectors[:, 0]
    parts = torch.split_with_sizes(lowest, [p.numel() for p in parameters])
    shares = [float(part.double().square().sum()) for part in parts]
    return {
        "values": found.values.tolist(), "weights": weights.tolist(), "rayleigh": rayleigh, "size": found.size,
        "error": [float(found.residuals[0]), float(found.residuals[-1])], "witness": shares,
    }  # fmt: skip


def _roots(parameters: Sequence[Tensor], optimizer: Optimizer | None) -> list[Tensor] | None:
    """What the optimizer divides each gradient by; None where it divides by nothing, or has not begun."""
    if optimizer is None:
        return None
    options = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    roots = []
    for parameter in parameters:
        state, group = optimizer.state.get(parameter, {}), options.get(id(parameter), {})
        if not isinstance(state, Mapping):  # an optimizer of the program's own keeps what it likes
            return None
        square = next((state[k] for k in ("exp_avg_sq", "square_avg", "sum") if isinstance(state.get(k), Tensor)), None)
        if square is None or square.shape != parameter.shape:
            return None
        if "exp_avg_sq" in state and isinstance(betas := group.get("betas"), (tuple, list)):
            square = square / (1 - betas[1] ** max(1.0, float(state.get("step", 1))))
        roots.append(square.sqrt() + float(group.get("eps", 1e-8)) + torch.finfo(parameter.dtype).tiny)
    return roots


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    flat = torch.cat([t.detach().reshape(-1) for t in tensors])
    return flat if flat.dtype in (torch.float32, torch.float64) else flat.float()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__

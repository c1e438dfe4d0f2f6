r"""Update rules as pure functions: from a point, its gradient and the rule's memory to the next point.

All act on rows: ``x`` and ``g`` are ``(batch, n)``; the learning rate and the momentum are numbers or ``(batch, 1)``,
so that every row may have its own. Each is equal, step by step, to the optimizer of ``torch.optim`` named in its
docstring. ``t`` counts from 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]
Options = Mapping[str, Any]
Step = Callable[[Tensor, Tensor, State, int, Options], tuple[Tensor, State]]


@dataclass(frozen=True)
class Rule:
    """An update rule, its memory and its settings."""

    name: str
    step: Step
    memory: tuple[str, ...] = ()  # what it remembers, zero at the start
    defaults: Options = field(default_factory=dict)  # besides the learning rate
    lr: float | None = None  # torch's default; None where torch demands one or has no such rule
    torch: str | None = None  # class of torch.optim
    momentum: str | None = None  # the option that is its momentum

    def start(self, x: Tensor) -> State:
        """The memory before the first step."""
        return {name: torch.zeros_like(x) for name in self.memory}


def gd(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r"""Gradient descent, :math:`x \leftarrow x - \eta g` (Cauchy 1847); ``SGD``."""
    return x - o["lr"] * g, state


def momentum(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r"""A moving average of the gradients, :math:`v \leftarrow \beta v + (1-\beta) g,\ x \leftarrow x - \eta v`.

    Heavy ball with the rate :math:`(1-\beta)\eta`. (``SGD`` with dampening β takes its first gradient whole.)
    """
    v = o["momentum"] * state["v"] + (1 - o["momentum"]) * g
    return x - o["lr"] * v, {"v": v}


def heavy_ball(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r"""Heavy ball, :math:`v \leftarrow \beta v + g,\ x \leftarrow x - \eta v` (Polyak 1964); ``SGD`` with momentum."""
    v = o["momentum"] * state["v"] + g
    return x - o["lr"] * v, {"v": v}


def nesterov(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r""":math:`v \leftarrow \beta v + g,\ x \leftarrow x - \eta (g + \beta v)` (Nesterov 1983); ``SGD`` so set."""
    v = o["momentum"] * state["v"] + g
    return x - o["lr"] * (g + o["momentum"] * v), {"v": v}


def adagrad(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r""":math:`s \leftarrow s + g^2,\ x \leftarrow x - \eta g/(\sqrt s + \epsilon)` (Duchi et al. 2011); ``Adagrad``."""
    s = state["s"] + g * g
    return x - o["lr"] / (1 + (t - 1) * o["lr_decay"]) * g / (s.sqrt() + o["eps"]), {"s": s}


def rmsprop(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r""":math:`s \leftarrow \alpha s + (1-\alpha) g^2,\ x \leftarrow x - \eta g/(\sqrt s + \epsilon)` (Hinton 2012).

    ``RMSprop``. With momentum the scaled gradients drive a heavy ball.
    """
    s = o["alpha"] * state["s"] + (1 - o["alpha"]) * g * g
    v = o["momentum"] * state["v"] + g / (s.sqrt() + o["eps"])
    return x - o["lr"] * v, {"s": s, "v": v}


def _moments(g: Tensor, state: State, o: Options) -> State:
    m = o["beta1"] * state["m"] + (1 - o["beta1"]) * g
    return {"m": m, "v": o["beta2"] * state["v"] + (1 - o["beta2"]) * g * g}


def adam(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r""":math:`x \leftarrow x - \eta \hat m / (\sqrt{\hat v} + \epsilon)` (Kingma and Ba 2015); ``Adam``."""
    new = _moments(g, state, o)
    scale = (new["v"] / (1 - o["beta2"] ** t)).sqrt() + o["eps"]
    return x - o["lr"] / (1 - o["beta1"] ** t) * new["m"] / scale, new


def adamw(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r"""Adam after :math:`x \leftarrow (1 - \eta\lambda) x` (Loshchilov and Hutter 2019); ``AdamW``.

    The decay pulls towards 0, so it does not end where the gradient is zero unless ``weight_decay=0``.
    """
    return adam(x * (1 - o["lr"] * o["weight_decay"]), g, state, t, o)


def adamax(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r""":math:`u \leftarrow \max(\beta_2 u, |g| + \epsilon),\ x \leftarrow x - \eta \hat m/u`; ``Adamax``."""
    m = o["beta1"] * state["m"] + (1 - o["beta1"]) * g
    u = torch.maximum(o["beta2"] * state["u"], g.abs() + o["eps"])
    return x - o["lr"] / (1 - o["beta1"] ** t) * m / u, {"m": m, "u": u}


def nadam(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r"""Adam with Nesterov's look ahead (Dozat 2016); ``NAdam``."""
    new = _moments(g, state, o)
    now, following = (o["beta1"] * (1 - 0.5 * 0.96 ** (k * o["momentum_decay"])) for k in (t, t + 1))
    product = (state["product"] if t > 1 else torch.ones_like(x[:, :1])) * now
    scale = (new["v"] / (1 - o["beta2"] ** t)).sqrt() + o["eps"]
    ahead = (1 - now) / (1 - product) * g + following / (1 - product * following) * new["m"]
    return x - o["lr"] * ahead / scale, {**new, "product": product}


def radam(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r"""Adam that leaves the scaling out until its variance is known (Liu et al. 2020); ``RAdam``."""
    new = _moments(g, state, o)
    mean = new["m"] / (1 - o["beta1"] ** t)
    last = 2 / (1 - o["beta2"]) - 1
    length = last - 2 * t * o["beta2"] ** t / (1 - o["beta2"] ** t)
    if length <= 5:
        return x - o["lr"] * mean, new
    rectified = math.sqrt((length - 4) * (length - 2) * last / ((last - 4) * (last - 2) * length))
    scale = math.sqrt(1 - o["beta2"] ** t) / (new["v"].sqrt() + o["eps"])
    return x - o["lr"] * mean * scale * rectified, new


def adadelta(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r""":math:`x \leftarrow x - \eta\,\mathrm{rms}(\Delta x)/\mathrm{rms}(g)\,g` (Zeiler 2012); ``Adadelta``."""
    s = o["rho"] * state["s"] + (1 - o["rho"]) * g * g
    move = (state["d"] + o["eps"]).sqrt() / (s + o["eps"]).sqrt() * g
    return x - o["lr"] * move, {"s": s, "d": o["rho"] * state["d"] + (1 - o["rho"]) * move * move}


def rprop(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r"""Steps by signs alone, longer while the sign stays (Riedmiller and Braun 1993); ``Rprop``."""
    size = state["size"] if t > 1 else torch.zeros_like(x) + o["lr"]
    agree = torch.sign(g * state["g"])
    factor = torch.ones_like(x).masked_fill(agree > 0, o["grow"]).masked_fill(agree < 0, o["shrink"])
    size = (size * factor).clamp(o["smallest"], o["largest"])
    g = torch.where(agree < 0, torch.zeros_like(g), g)
    return x - torch.sign(g) * size, {"size": size, "g": g}


def asgd(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r"""A decaying rate and a little decay (Polyak and Juditsky 1992); ``ASGD`` before its averaging."""
    rate = o["lr"] if t == 1 else o["lr"] / (1 + o["lambd"] * o["lr"] * (t - 1)) ** o["alpha"]
    return x * (1 - o["lambd"] * rate) - rate * g, state


def adafactor(x: Tensor, g: Tensor, state: State, t: int, o: Options) -> tuple[Tensor, State]:
    r"""Steps relative to the size of ``x`` (Shazeer and Stern 2018); ``Adafactor`` of a vector."""
    share, root = float(t) ** o["beta2_decay"], math.sqrt(x.shape[-1])
    v = state["v"] + share * (g * g - state["v"])
    rate = o["lr"] if isinstance(o["lr"], Tensor) else torch.as_tensor(o["lr"], dtype=x.dtype)
    size = (x.norm(dim=-1, keepdim=True) / root).clamp(min=o["eps2"]) * rate.clamp(max=1 / math.sqrt(t))
    move = v.clamp(min=torch.finfo(x.dtype).eps ** 2).rsqrt() * g
    return x - size / (move.norm(dim=-1, keepdim=True) / (root * o["d"])).clamp(min=1.0) * move, {"v": v}


RPROP: Options = {"shrink": 0.5, "grow": 1.2, "smallest": 1e-6, "largest": 50.0}
ADAM: Options = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("gd", gd, torch="SGD"),
        Rule("momentum", momentum, ("v",), {"momentum": 0.9}, momentum="momentum"),
        Rule("heavy-ball", heavy_ball, ("v",), {"momentum": 0.9}, torch="SGD", momentum="momentum"),
        Rule("nesterov", nesterov, ("v",), {"momentum": 0.9}, torch="SGD", momentum="momentum"),
        Rule("adagrad", adagrad, ("s",), {"eps": 1e-10, "lr_decay": 0.0}, 1e-2, "Adagrad"),
        Rule(
            "rmsprop", rmsprop, ("s", "v"), {"alpha": 0.99, "eps": 1e-8, "momentum": 0.0}, 1e-2, "RMSprop", "momentum"
        ),
        Rule("adam", adam, ("m", "v"), ADAM, 1e-3, "Adam", "beta1"),
        Rule("adamw", adamw, ("m", "v"), {**ADAM, "weight_decay": 1e-2}, 1e-3, "AdamW", "beta1"),
        Rule("adamax", adamax, ("m", "u"), ADAM, 2e-3, "Adamax", "beta1"),
        Rule("nadam", nadam, ("m", "v"), {**ADAM, "momentum_decay": 4e-3}, 2e-3, "NAdam", "beta1"),
        Rule("radam", radam, ("m", "v"), ADAM, 1e-3, "RAdam", "beta1"),
        Rule("adadelta", adadelta, ("s", "d"), {"rho": 0.9, "eps": 1e-6}, 1.0, "Adadelta"),
        Rule(
            "rprop",
            rprop,
            ("size", "g"),
            {"shrink": 0.5, "grow": 1.2, "smallest": 1e-6, "largest": 50.0},
            1e-2,
            "Rprop",
        ),
        Rule("asgd", asgd, (), {"lambd": 1e-4, "alpha": 0.75}, 1e-2, "ASGD"),
        Rule("adafactor", adafactor, ("v",), {"beta2_decay": -0.8, "eps2": 1e-3, "d": 1.0}, 1e-2, "Adafactor"),
    )
}
SAME = {"sgd": "gd", "gradient-descent": "gd", "polyak": "heavy-ball"}

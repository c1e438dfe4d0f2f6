"""One descent from start to trace: move, then measure at its ends what the verdict will read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fallline.calculus import stability
from fallline.descent import measure
from fallline.descent.minimize import STOPS, Flight, Plan, descend
from fallline.descent.newton import newton
from fallline.descent.update import RULES, SAME, Options, Rule
from fallline.objective.function import Objective
from fallline.record.trace import Bend, Probe, Stop, Trace

NEWTON = Rule("newton", lambda x, g, state, t, o: (x, state))  # steps by its own loop
OPTIMIZERS = (*RULES, "newton")


def rule(name: str, momentum: Any = None) -> Rule:
    """The rule of this name; plain gradient descent with momentum is torch's SGD, the heavy ball.

    Raises:
        ValueError: there is none.
    """
    name = SAME.get(name.lower(), name.lower())
    if name == "newton":
        return NEWTON
    if name not in RULES:
        raise ValueError(f"there is no optimizer {name!r}; there are {', '.join(OPTIMIZERS)}")
    moved = momentum is not None and bool((torch.as_tensor(momentum) != 0).any())
    if name == "gd" and moved:
        return RULES["heavy-ball"]
    if moved and RULES[name].momentum is None:
        raise ValueError(f"{name} has no momentum; {', '.join(r.name for r in RULES.values() if r.momentum)} have")
    return RULES[name]


def fly(objective: Objective, start: Tensor, plan: Plan) -> Flight:
    """Descend from every row of ``start`` ``(batch, n)``."""
    return newton(objective, start, plan) if plan.rule is NEWTON else descend(objective, start, plan)


def solve(objective: Objective, start: Tensor, plan: Plan) -> Trace:
    """Descend from one start ``(1, n)`` and measure at its ends."""
    return measured(objective, fly(objective, start, plan), plan)


def measured(objective: Objective, flight: Flight, plan: Plan) -> Trace:
    """The trace of a population of one, with curvature at its start and end and what lies around its end."""
    path, values, gradients = flight.path()
    stop = STOPS[int(flight.stop[0])]
    nit = len(path) - 1
    rates = np.array([float(torch.as_tensor(r).reshape(-1)[0]) for r in flight.rates])
    trace = Trace(
        objective.name, objective.variables, plan.rule.name, _momentum(plan.rule, flight.options), _array(path),
        _array(values), _array(gradients), rates, flight.nfev, stop, plan.gtol, plan.max_iter,
        float(torch.finfo(path.dtype).eps), objective.minima[0].fun if objective.minima else None,
        decay=float(flight.options.get("weight_decay", 0.0)),
    )  # fmt: skip
    finite = torch.isfinite(values) & torch.isfinite(gradients).all(dim=1) & torch.isfinite(path).all(dim=1)
    first = measure.bend(objective, path[0], 0) if bool(finite[0]) else None
    last = int(finite.nonzero()[-1]) if bool(finite.any()) else 0
    if stop in (Stop.NON_FINITE, Stop.FAR) or not bool(finite[-1]):
        at = measure.bend(objective, path[last], last) if bool(finite.any()) else None
        return replace(trace, start=first, end=at)
    at = measure.bend(objective, path[-1], nit, _scaling(plan.rule, flight, nit))
    back = max(0, nit - 20)
    found = measure.probe(objective, path[-1], gradients[-1], at, path[-1] - path[back])
    if at is not None and at.smallest < -at.error:
        found = _beyond(objective, path[-1], at, found, plan)
    return replace(trace, start=first, end=at, probe=found)


def _beyond(objective: Objective, x: Tensor, at: Bend, found: Probe, plan: Plan) -> Probe:
    """Look down the negative curvature, by Newton's method."""
    look = Plan(NEWTON, 1.0, max_iter=300, gtol=plan.gtol)

    def down(start: Tensor) -> tuple[Tensor, float]:
        flight = newton(objective, start[None], look)
        return flight.x[0], float(flight.fun[0])

    where, value = measure.beyond(x, at, found.radius, down)
    return replace(found, beyond=value, beyond_x=_array(where))


def _scaling(rule: Rule, flight: Flight, nit: int) -> Tensor | None:
    """P of a rule of Adam's kin at its last step."""
    if rule.name not in stability.PRECONDITIONED or nit == 0:
        return None
    o = {**rule.defaults, **flight.options}
    v = flight.state["s"] if rule.name == "rmsprop" else flight.state["v"] / (1 - o["beta2"] ** nit)
    return (v.sqrt() + o["eps"])[0]


def _momentum(rule: Rule, options: Options) -> float:
    if rule.momentum is None:
        return 0.0
    return float(torch.as_tensor(options.get(rule.momentum, rule.defaults[rule.momentum])).reshape(-1)[0])


def _array(values: Tensor) -> Any:
    return values.detach().double().numpy()

"""One descent from start to trace: move, then measure at its ends what the verdict will read."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fallline.calculus import stability
from fallline.descent import measure
from fallline.descent.minimize import STOPS as STOPS
from fallline.descent.minimize import Flight, Plan, descend
from fallline.descent.newton import newton
from fallline.descent.search import SEARCHES, Search, basin_hopping, multi_start, perturbed
from fallline.descent.update import RULES, SAME, Options, Rule
from fallline.objective.function import Objective
from fallline.record.descent import ENDLESS, Bend, Probe, Stop, Trace

NEWTON = Rule("newton", lambda x, g, state, t, o: (x, state))  # steps by its own loop
PERTURBED = replace(RULES["gd"], name="perturbed-gd")
OPTIMIZERS = (*RULES, "perturbed-gd", "newton")
ESCAPES = 10  # most descents one after the other


def rule(name: str, momentum: Any = None) -> Rule:
    """The rule of this name; plain gradient descent with momentum is torch's SGD, the heavy ball.

    Raises:
        ValueError: there is none.
    """
    name = SAME.get(name.lower(), name.lower())
    if name in ("newton", "perturbed-gd"):
        return NEWTON if name == "newton" else PERTURBED
    if name not in RULES:
        raise ValueError(f"there is no optimizer {name!r}; there are {', '.join(OPTIMIZERS)}")
    moved = momentum is not None and bool((torch.as_tensor(momentum) != 0).any())
    if name == "gd" and moved:
        return RULES["heavy-ball"]
    if moved and RULES[name].momentum is None:
        raise ValueError(f"{name} has no momentum; {', '.join(r.name for r in RULES.values() if r.momentum)} have")
    return RULES[name]


def fly(objective: Objective, start: Tensor, plan: Plan) -> Flight:
    """Descend from every row of ``start`` ``(batch, n)``.

    Raises:
        ValueError: the optimizer takes one start at a time, and there are more.
    """
    if plan.rule not in (NEWTON, PERTURBED):
        return descend(objective, start, plan)
    if len(start) > 1:
        return _gathered([fly(objective, row[None], plan) for row in start])
    if plan.rule is NEWTON:
        return newton(objective, start, plan)
    return perturbed(descend, objective, start, replace(plan, rule=RULES["gd"]))


def _gathered(flights: list[Flight]) -> Flight:
    """Single flights as one population, without their paths."""
    names = ("x", "fun", "jac", "best_x", "best_fun", "nit", "stop")
    together: dict[str, Any] = {name: torch.cat([getattr(flight, name) for flight in flights]) for name in names}
    together |= {"nfev": sum(flight.nfev for flight in flights) // len(flights), "rates": [], "points": []}
    return replace(flights[0], **together)


def solve(objective: Objective, start: Tensor, plan: Plan, known: float | None = None) -> Trace:
    """Descend from one start ``(1, n)`` and measure at its ends.

    Args:
        known: a value that was reached elsewhere.
    """
    trace = measured(objective, fly(objective, start, plan), plan)
    values = [v for v in (trace.known, known) if v is not None and math.isfinite(v)]
    return replace(trace, known=min(values, default=None))


def search(
    objective: Objective,
    start: Tensor,
    plan: Plan,
    kind: str,
    tries: int,
    bounds: tuple[float, float] | None,
    seed: int,
) -> Search:
    """Where to start for the lowest value.

    Raises:
        ValueError: an unknown kind, or fewer than one try.
    """
    if kind not in SEARCHES:
        raise ValueError(f"search is one of {', '.join(SEARCHES)}; got {kind!r}")
    if tries < 1:
        raise ValueError(f"tries must be at least 1; got {tries}")
    return (multi_start if kind == SEARCHES[0] else basin_hopping)(fly, objective, start, plan, tries, bounds, seed)


def one(rows: Tensor, plan: Plan, row: int) -> tuple[Tensor, Plan]:
    """The start ``(1, n)`` and the plan of one descent of a population."""

    def own(value: Any) -> Any:
        many = isinstance(value, Tensor) and value.ndim == 2 and len(value) > 1
        return float(value[row]) if many else value

    options = {name: own(value) for name, value in plan.options.items()}
    return rows[row : row + 1], replace(plan, lr=own(plan.lr), options=options, record=True)


def beside(trace: Trace) -> Tensor | None:
    """A point ``(1, n)`` just beside the end of a descent, from which it goes on down; None where it need not."""
    probe, bend = trace.probe, trace.end
    if probe is None or bend is None or trace.stop is Stop.MAX_ITER:
        return None
    if bend.smallest < -bend.error and probe.sag < -(2 * probe.rest + probe.rounding) and probe.beyond_x is not None:
        towards = float((probe.beyond_x - trace.path[-1]) @ bend.direction)
        direction = bend.direction if towards >= 0 else -bend.direction
    elif probe.lowest < -(2 * trace.norms[-1] * probe.radius + 2 * probe.rest + probe.rounding):
        direction = probe.down
    else:
        return None
    return torch.tensor(trace.path[-1] + probe.radius * direction).reshape(1, -1)


def measured(objective: Objective, flight: Flight, plan: Plan) -> Trace:
    """The trace of a population of one, with curvature at its start and end and what lies around its end."""
    path, values, gradients = flight.path()
    stop = STOPS[int(flight.stop[0])]
    nit = len(path) - 1
    rates = np.array([float(torch.as_tensor(r, dtype=torch.float64).reshape(-1)[0]) for r in flight.rates])
    trace = Trace(
        objective.name, objective.variables, plan.rule.name, _momentum(plan.rule, flight.options), _array(path),
        _array(values), _array(gradients), rates, flight.nfev, stop, plan.gtol, plan.max_iter,
        float(torch.finfo(path.dtype).eps), float(objective.minima[0].fun) if objective.minima else None,
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
    here = float(objective.value(x[None])[0])
    look = Plan(NEWTON, 1.0, max_iter=200, gtol=plan.gtol, target=here - ENDLESS * (1 + abs(here)))

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
    scaling: Tensor = v.sqrt() + o["eps"]
    return scaling[0]


def _momentum(rule: Rule, options: Options) -> float:
    if rule.momentum is None:
        return 0.0
    found = options.get(rule.momentum, rule.defaults[rule.momentum])
    return float(torch.as_tensor(found, dtype=torch.float64).reshape(-1)[0])


def _array(values: Tensor) -> Any:
    return values.detach().double().numpy()

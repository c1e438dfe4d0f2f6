"""What the user gave, as an objective, starts and a plan."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from fallline.descent.minimize import Callback, Plan
from fallline.descent.rate import columns
from fallline.descent.schedule import SCHEDULES, Schedule
from fallline.descent.solve import NEWTON, rule
from fallline.objective import catalog, function
from fallline.objective.expression import ExpressionError, parse
from fallline.objective.function import Objective, ObjectiveError

DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class Problem:
    """A function and where to start: one row, or a population."""

    objective: Objective
    start: Tensor  # (batch, n)
    alone: bool  # one descent was asked for


def pose(fun: Any, start: Any, jac: Any = None, args: tuple[Any, ...] = (), dtype: str = "float64") -> Problem:
    """The problem that ``fun`` and ``start`` describe.

    Args:
        fun: a text or the name of a function of the catalogue, an objective, a torch callable, or with ``jac`` a
            callable of a NumPy array.
        start: numbers; ``(batch, n)`` for a population where the variables are known by name. Named functions have one.

    Raises:
        ExpressionError: the text is no function.
        ObjectiveError: a start is missing or does not fit, or the callable gives no real number.
    """
    if dtype not in DTYPES:
        raise ObjectiveError(f"dtype is float64 or float32; got {dtype!r}")
    if isinstance(fun, (str, Objective)):
        objective, usual = (fun, None) if isinstance(fun, Objective) else text(fun)
        start = usual if start is None else start
        if start is None:
            listed = ", ".join(objective.variables)
            raise ObjectiveError(f"give a start: one number for each of {listed}")
        rows = function.row(start, objective.variables, DTYPES[dtype])
        return Problem(objective, rows.reshape(-1, objective.size), rows.ndim == 1)
    if not callable(fun):
        raise ObjectiveError(f"a function is a text, a name, or something to call; got {type(fun).__name__}")
    if start is None:
        raise ObjectiveError("give a start: the function does not say how many variables it has")
    if jac is not None:
        objective, row = function.from_numpy(fun, jac, start, args)
    else:
        given = (lambda *x: fun(*x, *args)) if args else fun
        objective, row = function.from_torch(given, start, DTYPES[dtype])
    return Problem(objective, function.finite(row)[None], True)


def text(fun: str) -> tuple[Objective, tuple[float, ...] | None]:
    """The objective of a name or an expression, and its usual start."""
    named = catalog.find(fun.strip())
    if named is not None:
        return named.objective(), named.start
    near = catalog.suggestion(fun.strip())
    try:
        formula = parse(fun)
    except ExpressionError as error:
        hint = f"; or did you mean the function named {near!r}?" if near else ""
        raise ExpressionError(error.what + hint, error.text, error.position) from None
    if near and len(formula.symbols) == 1:
        raise ExpressionError(f"did you mean the function named {near!r}?", fun, 0)
    return function.from_formula(formula), None


def plan(
    problem: Problem,
    optimizer: str,
    lr: Any,
    momentum: Any,
    options: Mapping[str, Any] | None,
    schedule: str | Schedule | None,
    max_iter: int,
    callback: Callable[..., Any] | None,
    **stops: Any,
) -> tuple[Plan, Tensor]:
    """The plan, and the starts with one row for each learning rate and momentum.

    A sequence of learning rates or of momenta makes a population of every start with every pair of them.

    Raises:
        ValueError: a setting out of its range, or one that the optimizer does not have.
    """
    chosen = rule(optimizer, momentum)
    if max_iter < 0:
        raise ValueError(f"max_iter is a number of steps, 0 or more; got {max_iter}")
    for name in ("gtol", "ftol", "xtol"):
        if not stops.get(name, 0) >= 0:
            raise ValueError(f"{name} must be 0 or more; got {stops[name]}")
    settings = dict(options or {})
    unknown = sorted(set(settings) - set(chosen.defaults))
    if unknown:
        raise ValueError(f"{chosen.name} has no setting {unknown[0]!r}; it has {', '.join(chosen.defaults) or 'none'}")
    rows, lr, momentum = _grid(problem.start, lr, momentum)
    if momentum is not None and chosen.momentum is not None:
        beta = torch.as_tensor(momentum)
        if not bool(((beta >= 0) & (beta < 1)).all()):
            raise ValueError(f"the momentum must be at least 0 and below 1; got {momentum}")
        settings[chosen.momentum] = momentum
    if lr is None:
        lr = "auto" if chosen.lr is None and chosen is not NEWTON else chosen.lr or 1.0
    if isinstance(schedule, str):
        if schedule not in SCHEDULES:
            raise ValueError(f"the schedule is one of {', '.join(SCHEDULES)}; got {schedule!r}")
        schedule = SCHEDULES[schedule](max(1, max_iter))
    ready = None if callback is None else calls(callback, problem.objective)
    return Plan(chosen, lr, settings, schedule, max_iter, callback=ready, **stops), rows


def _grid(start: Tensor, lr: Any, momentum: Any) -> tuple[Tensor, Any, Any]:
    lrs = [lr] if lr is None or isinstance(lr, (str, int, float)) else [float(v) for v in lr]
    momenta = [momentum] if momentum is None or isinstance(momentum, (int, float)) else [float(v) for v in momentum]
    count, pairs = len(start), len(lrs) * len(momenta)
    rows = start.repeat_interleave(pairs, dim=0)

    def column(values: Sequence[Any], each: int) -> Any:
        if len(values) == 1:
            return values[0]
        return columns([v for v in values for _ in range(each)] * (count * pairs // (len(values) * each)), start)

    return rows, column(lrs, len(momenta)), column(momenta, 1)


def calls(callback: Callable[..., Any], objective: Objective) -> Callback:
    """A callback as scipy takes it: of ``intermediate_result`` or of the point; True or StopIteration ends it."""
    wants = list(inspect.signature(callback).parameters) == ["intermediate_result"]

    def call(x: Tensor, f: Tensor) -> bool:
        point = x[0].detach().numpy().copy()
        point = point.reshape(objective.shape) if objective.shape is not None else point
        try:
            if wants:
                return bool(callback(intermediate_result=SimpleNamespace(x=point, fun=float(f[0]))))
            return bool(callback(point))
        except StopIteration:
            return True

    return call

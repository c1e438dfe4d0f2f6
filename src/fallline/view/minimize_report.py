"""A descent on a function for a person at a terminal: the gradient, the steps with their arithmetic, the verdict."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TextIO

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fallline.calculus import gradient, stability
from fallline.objective.catalog import NAMED
from fallline.view.result import Result

FIRST, LAST = 6, 3  # steps shown at each end
SPELLED = 3  # most variables whose arithmetic is spelled out
MARKS = {
    "minimum": ("✓", "bold green"),
    "local-minimum": ("!", "bold yellow"),
    "budget": ("!", "bold yellow"),
    "too-slow": ("!", "bold yellow"),
}
BAD = ("✗", "bold red")
SPELLED_RULES = ("gd", "perturbed-gd", "momentum", "heavy-ball", "nesterov")


def show(parts: RenderableType, file: TextIO | None = None) -> None:
    """Print to standard output, or ``file``."""
    console = Console(file=file, highlight=False, soft_wrap=False)
    console.print(parts, width=min(console.width, 100) if console.is_terminal else 80)


def render(parts: RenderableType, width: int = 80) -> str:
    """As plain text."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    console.print(parts)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def n(value: float, digits: int = 6) -> str:
    """A number as it is written by hand."""
    if value != value:
        return "nan"
    text = f"{value + 0.0:.{digits}g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")


def report(result: Result) -> RenderableType:
    """The whole report on one descent."""
    parts: list[RenderableType] = []
    if result.before is not None:
        parts.append(report(result.before))
        parts.append(Text("\nOn from just beside it:", style="bold"))
    parts += [Text(), _heading(result), Text(), _steps(result), Text(), _verdict(result)]
    if result.tries is not None:
        lowest = np.nanmin(result.tries)
        same = int((result.tries <= lowest + 1e-6 * max(1.0, abs(lowest))).sum())
        parts.append(Text(f"  {len(result.tries)} tries; {same} of them ended at the lowest value, {n(lowest)}."))
    return Group(*parts)


def _heading(result: Result) -> RenderableType:
    trace, objective = result.trace, result.objective
    rows = Table.grid(padding=(0, 1))
    rows.add_column(no_wrap=True, style="bold")
    rows.add_column(ratio=1)
    formula = objective.formula
    names = ", ".join(trace.variables[:6]) + (", …" if len(trace.variables) > 6 else "")
    rows.add_row(f"f({names}) =", gradient.text(formula.expression) if formula is not None else objective.name)
    for name, slope in zip(trace.variables[:6], gradient.formulas(objective) or (), strict=False):
        rows.add_row("f'(" + name + ") =" if len(trace.variables) == 1 else f"∂f/∂{name} =", slope)
    parts: list[RenderableType] = [rows, Text()]
    at = "(" + ", ".join(n(v) for v in trace.path[0][:6]) + (", …)" if len(trace.variables) > 6 else ")")
    slope = "(" + ", ".join(n(v) for v in trace.gradients[0][:6]) + (", …)" if len(trace.variables) > 6 else ")")
    if len(trace.variables) == 1:
        parts.append(Text(
            f"At {trace.variables[0]} = {n(trace.path[0][0])} the value is {n(trace.values[0])} and the slope "
            f"{n(trace.gradients[0][0])}: a small change of {trace.variables[0]} changes the value by "
            f"{n(abs(trace.gradients[0][0]))} times as much."
        ))  # fmt: skip
    else:
        parts.append(
            Text(f"At {at} the value is {n(trace.values[0])}, the gradient {slope}, its length {n(trace.norms[0])}.")
        )
    if 1 < len(trace.variables) <= 6 and np.isfinite(trace.gradients[0]).all():
        parts += [Text(f"  {line}") for line in gradient.read(trace.variables, trace.gradients[0])]
    parts.append(Text(_settings(result), style="dim"))
    return Group(*parts)


def _settings(result: Result) -> str:
    trace = result.trace
    beta = f", momentum {n(trace.momentum)}" if trace.momentum else ""
    if not len(trace.rates) or trace.optimizer == "newton":
        return f"{trace.optimizer}{beta}"
    low, high = trace.rates.min(), trace.rates.max()
    rate = n(low) if low == high else f"{n(low, 4)} … {n(high, 4)}"
    return f"{trace.optimizer}, learning rate {rate}{beta}"


def _steps(result: Result) -> RenderableType:
    trace = result.trace
    minima = _minima(result)
    spelled = len(trace.variables) <= SPELLED
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("step", justify="right", no_wrap=True, min_width=4)
    table.add_column(trace.variables[0] if len(trace.variables) == 1 else "point", no_wrap=True)
    for title in ("value", "‖g‖", *(["distance"] if len(minima) else [])):
        table.add_column(title, justify="right", no_wrap=True, min_width=8)
    shown = [*range(min(FIRST, trace.nit + 1)), *range(max(FIRST, trace.nit + 1 - LAST), trace.nit + 1)]
    for i, step in enumerate(shown):
        if i and step != shown[i - 1] + 1:
            table.add_row("…")
        table.add_row(str(step), _point(result, step, spelled), n(trace.values[step], 4), n(trace.norms[step], 4),
                      *([n(_distance(trace.path[step], minima), 5)] if len(minima) else []))  # fmt: skip
    return table


def _minima(result: Result) -> np.ndarray:
    """The known minima, else the one that was found; ``(k, n)``, k = 0 where there is none."""
    if result.objective.minima:
        return np.array([known.x for known in result.objective.minima], dtype=float)
    if result.verdict.kind in ("minimum", "local-minimum") and result.trace.probe is not None:
        return result.trace.probe.settled_x[None]
    return np.zeros((0, len(result.trace.variables)))


def _distance(x: np.ndarray, minima: np.ndarray) -> float:
    return float(np.linalg.norm(minima - x, axis=1).min())


def _point(result: Result, step: int, spelled: bool) -> str:
    trace = result.trace
    if not spelled:
        return "(" + ", ".join(n(v, 4) for v in trace.path[step][:4]) + (", …)" if len(trace.variables) > 4 else ")")
    count = len(trace.variables)
    digits = 5 if count == 1 else 4
    lines = [n(v) for v in trace.path[0]] if step == 0 else [_arithmetic(result, step, j, digits) for j in range(count)]
    if count == 1:
        return lines[0]
    return "\n".join(f"{name} = {line}" for name, line in zip(trace.variables, lines, strict=True))


def _arithmetic(result: Result, step: int, j: int, digits: int) -> str:
    """``5 − 0.1·10 = 4``: what was there, less the rate times the slope (or the velocity that momentum makes of it)."""
    trace = result.trace
    old, new, rate = trace.path[step - 1][j], trace.path[step][j], trace.rates[step - 1]
    end = f"= {n(new, digits)}"
    if trace.optimizer not in SPELLED_RULES:
        move = new - old
        return f"{n(old, digits)} {'−' if move < 0 else '+'} {n(abs(move), digits)} {end}"
    factor = trace.gradients[step - 1][j] if trace.optimizer == "gd" else (old - new) / rate
    shown = n(factor, digits)
    return f"{n(old, digits)} − {n(rate, 4)}·{f'({shown})' if factor < 0 else shown} {end}"


def _verdict(result: Result) -> RenderableType:
    verdict, trace = result.verdict, result.trace
    mark, style = MARKS.get(verdict.kind, BAD)
    steps = f"{trace.nit} step{'s' * (trace.nit != 1)}, {trace.nfev} evaluations"
    title = Text.assemble((f"{mark} {verdict.kind}", style), (f"  after {steps}: {trace.stop.value}", "dim"))
    rows = Table.grid(padding=(0, 2))
    rows.add_column(width=6, style="dim")
    rows.add_column(ratio=1)
    where = "(" + ", ".join(n(v) for v in trace.path[-1][:6]) + (", …)" if len(trace.variables) > 6 else ")")
    rows.add_row("Ended", f"at {where if len(trace.variables) > 1 else where[1:-1]} with the value {n(result.fun)}")
    if result.best_fun < result.fun:
        rows.add_row("Best", f"{n(result.best_fun)}, at step {trace.best}")
    for i, reason in enumerate(verdict.reasons):
        rows.add_row("Why" if i == 0 else "", reason)
    for i, change in enumerate(verdict.change):
        rows.add_row("Do" if i == 0 else "", change)
    return Group(title, Padding(rows, (0, 0, 0, 2)))


def compare(results: Sequence[tuple[str, Result]]) -> RenderableType:
    """Several descents side by side."""
    first = results[0][1]
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("")
    for title in ("steps", "value", "‖gradient‖"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for label, result in results:
        mark, style = MARKS.get(result.verdict.kind, BAD)
        table.add_row(label, str(result.nit), n(result.fun, 4), n(float(result.trace.norms[-1]), 3),
                      Text(f"{mark} {result.verdict.kind}", style=style))  # fmt: skip
    path = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    path.add_column("step", justify="right")
    for label, _ in results:
        path.add_column(label, justify="right", no_wrap=True)
    longest = max(result.nit for _, result in results)
    steps = sorted({s for s in (0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, longest) if s <= longest})
    for step in steps:
        path.add_row(str(step), *[_place(result, step) for _, result in results])
    parts: list[RenderableType] = [Text(), _function(first), Text(), table, Text()]
    parts += [Text("Where each stood" + (", by its value" if len(first.trace.variables) > 1 else "")), path, Text()]
    for label, result in results:
        parts.append(Text.assemble((f"{label}: ", "bold"), result.verdict.message))
    if (limit := _limit(first)) is not None:
        parts += [Text(), Text(limit)]
    return Group(*parts)


def _function(result: Result) -> Text:
    formula = result.objective.formula
    written = gradient.text(formula.expression) if formula is not None else result.objective.name
    return Text(f"f({', '.join(result.trace.variables[:6])}) = {written}", style="bold")


def _place(result: Result, step: int) -> str:
    if step > result.nit:
        return ""
    trace = result.trace
    return n(float(trace.path[step][0] if len(trace.variables) == 1 else trace.values[step]), 4)


def _limit(result: Result) -> str | None:
    bend, trace = result.trace.start, result.trace
    if bend is None or bend.largest <= 0 or trace.optimizer not in stability.LINEAR:
        return None
    limit = stability.rate_limit(trace.optimizer, bend.largest, trace.momentum)
    if limit is None:
        return None
    largest = f"The largest curvature at the start is {n(bend.largest)}"
    return f"{largest}: rates up to {n(limit)} are stable for {trace.optimizer} there."


def functions() -> RenderableType:
    """The catalogue."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("name", no_wrap=True, style="bold")
    table.add_column("start", no_wrap=True, overflow="ellipsis", max_width=16)
    table.add_column("minimum", justify="right", no_wrap=True)
    table.add_column("what it is good for", ratio=1)
    for named in NAMED:
        start = ", ".join(n(v) for v in named.start[:4]) + (", …" if len(named.start) > 4 else "")
        table.add_row(named.name, start, n(named.minima[0].fun) if named.minima else "–", named.says)
    return table

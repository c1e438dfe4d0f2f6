"""Pictures of descents: the curve, the contour, the surface, the saddle, the history, and several side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fallline.calculus import gradient
from fallline.objective.function import Objective
from fallline.record.descent import Floats, Trace
from fallline.view.figures import maps
from fallline.view.figures.style import BLUE, COLOURS, GREEN, GREY, HEIGHT_MAP, INK, RED, figure, quiet
from fallline.view.result import Result

KINDS = ("curve", "contour", "surface", "saddle", "history", "basins", "phase")
TANGENTS = 4  # first steps that get a tangent
ARROWS = 5  # first points that get a gradient arrow
GRID = 161
FEW = 30  # steps up to which each is marked in a history


def picture(result: Result, kind: str | None = None) -> Figure:
    """The picture of one descent: of one variable its curve, of two the contour, of more its history.

    Raises:
        ValueError: an unknown kind, or one that needs another number of variables.
    """
    count = len(result.trace.variables)
    if kind is None:
        kind = {1: "curve", 2: "saddle" if result.verdict.kind == "saddle" else "contour"}.get(count, "history")
    if kind not in KINDS:
        raise ValueError(f"the picture is one of {', '.join(KINDS)}; got {kind!r}")
    if kind == "history":
        return history([("", result)])
    if kind == "phase":
        return maps.phase(result)
    wanted = 1 if kind == "curve" else 2
    if count != wanted:
        raise ValueError(f"{kind} shows {wanted} variable{'s' * (wanted > 1)}; this function has {count}: take history")
    if kind == "curve":
        drawn = figure()
        curve(drawn.add_subplot(), result)
        return drawn
    if kind == "basins":
        return maps.basins(result, *_frame(result, 1.0))
    return {"contour": contour, "surface": surface, "saddle": saddle}[kind](result)


def save(path: Path, results: Sequence[tuple[str, Result]], kind: str | None = None) -> None:
    """Draw one descent, or several side by side, to a .png or .svg file.

    Raises:
        ValueError: another ending, or a file that cannot be written.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise ValueError(f"--plot writes .png or .svg; got {path.name!r}")
    drawn = picture(results[0][1], kind) if len(results) == 1 else side_by_side(results, kind)
    try:
        drawn.savefig(path)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror}") from None


def png(drawn: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png")
    return buffer.getvalue()


def heights(objective: Objective, points: Floats) -> Floats:
    """Values at ``(…, n)`` points."""
    flat = torch.as_tensor(points.reshape(-1, points.shape[-1]))
    with np.errstate(all="ignore"):
        return np.asarray(objective.value(flat).double().numpy().reshape(points.shape[:-1]))


def _visible(trace: Trace) -> Floats:
    """The part of the path worth drawing: of one that ran away, up to 30 times its first stride."""
    path = trace.path[np.isfinite(trace.path).all(axis=1)]
    if len(path) < 3:
        return path
    scale = max(float(np.abs(path[0]).max()), float(np.linalg.norm(path[1] - path[0])))
    far = np.linalg.norm(path - path[0], axis=1) > 4 * max(scale, 1e-12)
    return path[: int(far.argmax())] if far.any() and far.argmax() > 2 and trace.values[-1] > trace.values[0] else path


def _frame(result: Result, margin: float = 0.25) -> tuple[Floats, Floats]:
    """Lower and upper corners that hold the path and the known minima near it."""
    path = _visible(result.trace)
    points = [path]
    spread = max(float(np.ptp(path, axis=0).max()), 1e-3)
    for known in result.objective.minima:
        at = np.array(known.x, dtype=float)
        if np.abs(at - path[-1]).max() < 2 * spread:
            points.append(at[None])
    if result.trace.probe is not None and result.trace.probe.beyond_x is not None:
        beyond = result.trace.probe.beyond_x
        if np.abs(beyond - path[-1]).max() < 4 * spread + 4:
            points += [beyond[None], (2 * path[-1] - beyond)[None]]
    every = np.concatenate(points)
    low, high = every.min(axis=0), every.max(axis=0)
    reach = np.maximum(high - low, 0.35 * max(float((high - low).max()), 1e-2 * (1 + np.abs(every).max())))
    middle = (low + high) / 2
    return middle - reach * (0.5 + margin), middle + reach * (0.5 + margin)


# -- one variable ----------------------------------------------------------------------------------------------------


def curve(axes: Any, result: Result, title: str = "") -> None:
    """The curve with the steps on it: down a tangent to the next place, and from there to the curve."""
    trace, name = result.trace, result.trace.variables[0]
    path = _visible(trace)[:, 0]
    low, high = (float(v[0]) for v in _frame(result))
    end, wide = float(path[-1]), 0.6 * float(np.ptp(path))
    low, high = min(low, end - wide), max(high, end + wide)  # the other side of the valley too
    grid = np.linspace(low, high, 500)
    values, at = heights(result.objective, grid[:, None]), heights(result.objective, path[:, None])
    axes.plot(grid, values, color=INK, linewidth=1.4, zorder=2)
    _strides(axes, path, at, trace.gradients[:, 0])
    axes.plot(path, at, "o", color=BLUE, markersize=4.0, zorder=4)
    axes.plot(path[:1], at[:1], "o", color="white", markeredgecolor=BLUE, markersize=8, markeredgewidth=1.6, zorder=5)
    bottom, top = float(np.nanmin(values[np.isfinite(values)])), float(np.nanmax(at[np.isfinite(at)]))
    axes.set_ylim(bottom - 0.12 * (top - bottom + 1e-12), top + 0.15 * (top - bottom + 1e-12))
    axes.set_xlim(low, high)
    quiet(axes, name, f"f({name})", title or _title(result))


def _strides(axes: Any, path: Floats, at: Floats, slopes: Floats) -> None:
    """The first steps down their tangents; jumps to the other side of the valley as chords."""
    for i in range(min(len(path) - 1, 60)):
        x, y, new = path[i], at[i], path[i + 1]
        if slopes[i] * slopes[i + 1] < 0:
            look = {"arrowstyle": "-|>", "color": BLUE, "alpha": 0.7, "linewidth": 1.0, "mutation_scale": 9}
            axes.annotate("", (new, at[i + 1]), (x, y), arrowprops=look, zorder=3)
        elif i < TANGENTS:
            foot = y + slopes[i] * (new - x)
            axes.plot([x, new], [y, foot], color=GREEN, linewidth=1.6, zorder=3)
            axes.plot([new, new], [foot, at[i + 1]], color=GREEN, linewidth=1.0, linestyle=":", zorder=3)


def _title(result: Result) -> str:
    return f"{_written(result)}\n{_rate(result.trace)}: {result.verdict.kind}, {result.nit} steps"


def _written(result: Result) -> str:
    formula = result.objective.formula
    text = gradient.text(formula.expression) if formula is not None else result.objective.name
    name = ", ".join(result.trace.variables)
    return f"f({name}) = {text}" if len(text) < 42 else result.objective.name[:42]


def _number(value: float) -> str:
    return f"{value + 0.0:.3g}".replace("-", "−")


def _rate(trace: Trace) -> str:
    if trace.optimizer == "newton" or not len(trace.rates):
        return trace.optimizer
    low, high = trace.rates.min(), trace.rates.max()
    return f"{trace.optimizer}, η = {low:.4g}" + (f" … {high:.4g}" if high > low else "")


# -- two variables ---------------------------------------------------------------------------------------------------


def _mesh(result: Result, corners: tuple[Floats, Floats], points: int = GRID) -> tuple[Floats, Floats, Floats]:
    low, high = corners
    x, y = np.meshgrid(np.linspace(low[0], high[0], points), np.linspace(low[1], high[1], points))
    return x, y, heights(result.objective, np.stack([x, y], axis=-1))


def _levels(z: Floats, path_values: Floats) -> Floats:
    """Contour levels: even for a mild function, closer near the bottom for a steep one."""
    finite = z[np.isfinite(z)]
    low, high = float(finite.min()), float(np.quantile(finite, 0.98))
    middle = float(np.median(finite))
    power = 1.0 if middle - low > 0.35 * (high - low) else 2.0 if middle - low > 0.08 * (high - low) else 4.0
    return low + (high - low + 1e-300) * np.linspace(0.0, 1.0, 18) ** power


def terrain(axes: Any, result: Result, title: str = "") -> None:
    """Contour lines, the path, and the gradient as an arrow at the first points."""
    trace = result.trace
    corners = _frame(result)
    x, y, z = _mesh(result, corners)
    z = np.where(np.isfinite(z), z, np.nan)
    levels = np.unique(_levels(z, trace.values))
    axes.contourf(x, y, z, levels=levels, cmap=HEIGHT_MAP, alpha=0.55, extend="max")
    axes.contour(x, y, z, levels=levels, colors=[GREY], linewidths=0.5)
    path = _visible(trace)
    axes.plot(*path.T, "-", color=INK, linewidth=1.2, zorder=3)
    axes.plot(*path[:400].T, "o", color=INK, markersize=2.6, zorder=4)
    _slopes(axes, trace, path, corners)
    axes.plot(*path[0], "o", color="white", markeredgecolor=INK, markersize=8, markeredgewidth=1.6, zorder=6)
    end = {"marker": "*", "color": GREEN, "markersize": 13} if result.success else {"marker": "s", "color": RED}
    axes.plot(*path[-1], linestyle="none", markeredgecolor="white", zorder=7, **end)
    axes.set_xlim(corners[0][0], corners[1][0])
    axes.set_ylim(corners[0][1], corners[1][1])
    quiet(axes, trace.variables[0], trace.variables[1], title)


def _slopes(axes: Any, trace: Trace, path: Floats, corners: tuple[Floats, Floats]) -> None:
    """Gradients, uphill, at the first points that stand apart; short ones are drawn longer than to scale."""
    size = float((corners[1] - corners[0]).max())
    apart = [0]
    for i in range(1, len(path)):
        if len(apart) < ARROWS and np.linalg.norm(path[i] - path[apart[-1]]) > 0.06 * size:
            apart.append(i)
    longest = max(float(trace.norms[i]) for i in apart)
    if longest == 0:
        return
    for i in apart:
        if trace.norms[i] == 0:
            continue
        length = size / 7 * max(0.4, float(trace.norms[i]) / longest)
        tip = path[i] + trace.gradients[i] / trace.norms[i] * length
        look = {"arrowstyle": "-|>", "color": RED, "linewidth": 1.5, "mutation_scale": 11}
        axes.annotate("", tip, path[i], zorder=5, arrowprops=look)


def contour(result: Result) -> Figure:
    """The plane of the two variables from above."""
    drawn = figure(6.2, 5.0)
    axes = drawn.add_subplot()
    terrain(axes, result, _title(result))
    axes.plot([], [], "-o", color=INK, markersize=3, label="path from the ring")
    axes.plot([], [], "-", color=RED, label="gradient (direction)")
    axes.legend(fontsize=8, frameon=True, framealpha=0.85, edgecolor="none", loc="best")
    return drawn


def surface(result: Result) -> Figure:
    """The function as a landscape, with the path on it."""
    drawn = figure(6.4, 5.2)
    axes: Any = drawn.add_subplot(projection="3d")
    _landscape(axes, result)
    axes.view_init(elev=34, azim=-58)
    axes.set_title(_title(result), fontsize=10.5, loc="left")
    return drawn


def _landscape(axes: Any, result: Result, corners: tuple[Floats, Floats] | None = None) -> None:
    x, y, z = _mesh(result, corners or _frame(result, 0.15), 81)
    top = float(np.quantile(z[np.isfinite(z)], 0.97))
    z = np.where(z <= top, z, np.nan) if top > 8 * float(np.nanmedian(np.abs(z))) else z
    axes.plot_surface(x, y, z, cmap=HEIGHT_MAP, alpha=0.75, rstride=2, cstride=2, linewidth=0.15, edgecolor=GREY)
    path = _visible(result.trace)[:300]
    share = np.linspace(0.0, 1.0, 12, endpoint=False)[None, :, None]  # between the points the path lies on the surface
    between = np.concatenate([(path[:-1, None] * (1 - share) + path[1:, None] * share).reshape(-1, 2), path[-1:]])
    lift = 0.012 * float(np.nanmax(z) - np.nanmin(z))
    axes.plot(*between.T, heights(result.objective, between) + lift, color=RED, linewidth=1.6, zorder=10)
    axes.plot(*path.T, heights(result.objective, path) + lift, "o", color=RED, markersize=3, zorder=11)
    axes.set_xlabel(result.trace.variables[0])
    axes.set_ylabel(result.trace.variables[1])
    axes.tick_params(labelsize=7)
    for pane in (axes.xaxis, axes.yaxis, axes.zaxis):
        pane.set_pane_color((1, 1, 1, 0))
        pane.set_major_locator(MaxNLocator(5))


def saddle(result: Result) -> Figure:
    """The last point from both perspectives: a minimum along the largest curvature, a maximum along the smallest."""
    bend, trace = result.trace.end, result.trace
    if bend is None:
        raise ValueError("the curvature at the end is not finite, so there are no two perspectives to show")
    drawn = figure(9.6, 3.5)
    grid = drawn.add_gridspec(1, 3, width_ratios=[1.3, 1, 1])
    at, probe = trace.path[-1], trace.probe
    reach = 1.0
    if probe is not None and probe.beyond_x is not None and probe.beyond > -1e6:
        reach = 1.15 * float(np.linalg.norm(probe.beyond_x - at))
    landscape: Any = drawn.add_subplot(grid[0], projection="3d")
    _landscape(landscape, result, (at - reach, at + reach))
    landscape.view_init(elev=28, azim=-50)
    views = [(bend.steepest, bend.largest, GREEN, "across"), (bend.direction, bend.smallest, RED, "along")]
    for column, (direction, curvature, colour, word) in enumerate(views, start=1):
        axes = drawn.add_subplot(grid[column])
        s = np.linspace(-reach, reach, 201)
        axes.plot(s, heights(result.objective, at + s[:, None] * direction), color=colour, linewidth=1.8)
        axes.plot([0], [trace.values[-1]], "o", color=INK, markersize=6, zorder=4)
        shape = "a minimum" if curvature > 0 else "a maximum"
        where = ", ".join(_number(v) for v in direction)
        title = f"{word}: {shape}, curvature {_number(curvature)}"
        quiet(axes, f"distance along ({where})", "f" if column == 1 else "", title)
    return drawn


# -- over the steps --------------------------------------------------------------------------------------------------


def history(results: Sequence[tuple[str, Result]]) -> Figure:
    """Value, length of the gradient and distance from the minimum, step by step."""
    minima = results[0][1].objective.minima
    drawn = figure(9.6 if minima else 6.8, 3.4)
    panels = drawn.subplots(1, 3 if minima else 2)
    for (label, result), colour in zip(results, COLOURS * len(results), strict=False):
        trace = result.trace
        steps = np.arange(trace.nit + 1)
        base = minima[0].fun if minima else None
        values = trace.values - base if base is not None else trace.values
        look: dict[str, Any] = {"color": colour, "linewidth": 1.5, "label": label or None}
        look |= {"marker": "."} if trace.nit <= FEW else {}
        panels[0].plot(steps, np.where(np.isfinite(values), values, np.nan), **look)
        panels[1].plot(steps, np.where(np.isfinite(trace.norms), trace.norms, np.nan), **look)
        if minima:
            points = np.array([known.x for known in minima], dtype=float)
            distance = np.linalg.norm(trace.path[:, None] - points[None], axis=2).min(axis=1)
            panels[2].plot(steps, np.where(np.isfinite(distance), distance, np.nan), **look)
    _scale(panels[0], [result.trace.values - (minima[0].fun if minima else 0.0) for _, result in results])
    quiet(panels[0], "step", "", "value above the minimum" if minima else "value")
    quiet(panels[1], "step", "", "length of the gradient")
    panels[1].axhline(results[0][1].trace.gtol, color=GREY, linewidth=0.8, linestyle=":")
    if minima:
        quiet(panels[2], "step", "", "distance from the minimum")
    for axes in panels[1:]:
        _logarithmic(axes)
    for axes in panels:
        axes.xaxis.get_major_locator().set_params(integer=True)
    if any(label for label, _ in results):
        panels[0].legend(fontsize=8, frameon=False)
    return drawn


def _logarithmic(axes: Any) -> None:
    """A logarithmic axis; below the smallest number above zero a linear one, where something is exactly zero."""
    drawn = np.concatenate([line.get_ydata() for line in axes.get_lines()])
    if not (drawn == 0).any():
        axes.set_yscale("log")
    elif (drawn > 0).any():
        axes.set_yscale("symlog", linthresh=float(drawn[drawn > 0].min()))
        axes.set_ylim(bottom=0)


def _scale(axes: Any, curves: Sequence[Floats]) -> None:
    """Logarithmic where all values are positive and span more than two powers of ten."""
    every = np.concatenate(curves)
    every = every[np.isfinite(every)]
    positive = every[every > 0]
    if len(positive) and (every >= 0).all() and positive.max() > 100 * positive.min():
        axes.set_yscale("log")


def side_by_side(results: Sequence[tuple[str, Result]], kind: str | None = None) -> Figure:
    """Several descents on one function: for one or two variables a panel each, else their histories in one."""
    count = len(results[0][1].trace.variables)
    if count > 2 or kind == "history":
        return history(results)
    drawn = figure(3.6 * len(results), 3.4)
    for axes, (label, result) in zip(np.atleast_1d(drawn.subplots(1, len(results))), results, strict=True):
        title = f"{label}: {result.verdict.kind}, {result.nit} steps"
        curve(axes, result, title) if count == 1 else terrain(axes, result, title)
    return drawn

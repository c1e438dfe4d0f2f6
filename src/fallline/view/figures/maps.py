"""Maps that take thousands of descents: which start ends where, and which learning rate and momentum hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fallline.calculus import stability
from fallline.descent.minimize import STOPS, Flight, Plan, descend
from fallline.descent.update import RULES
from fallline.record.descent import Floats, Stop
from fallline.view.figures.style import COLOURS, GREY, INK, figure, quiet
from fallline.view.result import Result

ARRIVED = STOPS.index(Stop.GTOL)
AWAY = (STOPS.index(Stop.FAR), STOPS.index(Stop.NON_FINITE))
STARTS = 140  # along each side of the basin map
RATES, MOMENTA = 160, 100  # of the phase diagram
STEPS = 1000
HALVED = 4  # rates tried until a descent arrives: that of the result, its half, …


def basins(result: Result, low: Floats, high: Floats) -> Figure:
    """Every point of the plane in the colour of the minimum that a descent from it ends in, by the same rule."""
    trace = result.trace
    x, y = np.meshgrid(np.linspace(low[0], high[0], STARTS), np.linspace(low[1], high[1], STARTS))
    starts = torch.as_tensor(np.stack([x.ravel(), y.ravel()], axis=1))
    rule = RULES.get(trace.optimizer, RULES["gd"])
    rates: list[Any] = [trace.lr / 2**n for n in range(HALVED)] if trace.optimizer in RULES and trace.lr > 0 else ["bb"]
    options = {rule.momentum: trace.momentum} if rule.momentum else {}
    for lr in rates:
        flight = descend(result.objective, starts, Plan(rule, lr, options, max_iter=STEPS, record=False))
        if (flight.stop == ARRIVED).any():
            break
    ends, label = _ends(flight, float((high - low).max()))
    shown = min(len(ends), len(COLOURS))
    label = np.where(label >= shown, -1, label)
    drawn = figure(6.6, 5.0)
    axes = drawn.add_subplot()
    colours = ListedColormap(["#eeeeee", *COLOURS[:shown]])
    edges = np.arange(-1.5, shown + 0.5)
    axes.pcolormesh(x, y, label.reshape(x.shape), cmap=colours, norm=BoundaryNorm(edges, colours.N), alpha=0.55)
    told = np.where(abs(ends[:shown]) < 1e-4 * float((high - low).max()), 0.0, ends[:shown])
    names = [f"({end[0]:.3g}, {end[1]:.3g})".replace("-", "−") for end in told]
    axes.plot(*ends[:shown].T, "*", color="white", markeredgecolor=INK, markersize=13, linestyle="none")
    patches = [Patch(color=colour, alpha=0.55, label=name) for colour, name in zip(COLOURS, names, strict=False)]
    patches.append(Patch(color="#eeeeee", label=f"elsewhere, or not in {STEPS:,} steps"))
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    drawn.legend(handles=patches, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    rate = "Barzilai–Borwein rates" if lr == "bb" else f"learning rate {lr:.4g}"
    rate += f"; with {trace.lr:.4g} none arrives" if lr not in ("bb", trace.lr) else ""
    quiet(axes, trace.variables[0], trace.variables[1], f"where a descent ends, by its start ({rule.name}, {rate})")
    return drawn


def _ends(flight: Flight, size: float) -> tuple[Floats, Floats]:
    """The distinct ends, the most frequent first, and the index of its end for each start (−1: none)."""
    arrived = (flight.stop == ARRIVED).numpy()
    label = np.full(len(arrived), -1.0)
    if not arrived.any():
        return np.zeros((0, 2)), label
    _, first, inverse, counts = np.unique(
        np.round(flight.x.numpy()[arrived] / (1e-3 * size)),
        axis=0,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    order = np.argsort(-counts)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    label[arrived] = rank[inverse.reshape(-1)]
    return flight.x.numpy()[arrived][first[order]], label


def phase(result: Result) -> Figure:
    """Learning rate against momentum from the same start: arrives, goes on, or diverges, and the limit of theory."""
    trace, bend = result.trace, result.trace.end or result.trace.start
    name = trace.optimizer if trace.optimizer in stability.LINEAR and trace.optimizer != "gd" else "heavy-ball"
    if bend is None or bend.largest <= 0:
        raise ValueError("no positive curvature was measured at the end, so there is no limit to draw")
    base = stability.limit(bend.largest)
    rates = np.geomspace(base / 100, base * (40 if name == "momentum" else 6), RATES)
    momenta = np.linspace(0.0, 0.98, MOMENTA)
    grid_rate, grid_beta = np.meshgrid(rates, momenta)
    columns = {"lr": torch.as_tensor(grid_rate.reshape(-1, 1)), "momentum": torch.as_tensor(grid_beta.reshape(-1, 1))}
    start = torch.as_tensor(trace.path[:1]).expand(grid_rate.size, -1)
    plan = Plan(RULES[name], columns["lr"], {"momentum": columns["momentum"]}, max_iter=STEPS, record=False)
    flight = descend(result.objective, start, plan)
    stop, steps = flight.stop.numpy().reshape(grid_rate.shape), flight.nit.numpy().reshape(grid_rate.shape)
    drawn = figure(6.6, 4.6)
    axes = drawn.add_subplot()
    needed = np.where(stop == ARRIVED, steps, np.nan)
    mesh = axes.pcolormesh(grid_rate, grid_beta, needed, cmap="Blues_r", vmin=0, vmax=STEPS)
    outcome = np.where(np.isin(stop, AWAY), 1.0, np.where(stop == ARRIVED, np.nan, 0.0))
    axes.pcolormesh(grid_rate, grid_beta, outcome, cmap=ListedColormap(["#f3e6c8", "#e8b9a0"]), vmin=0, vmax=1)
    limits = [stability.rate_limit(name, bend.largest, float(beta)) or np.nan for beta in momenta]
    axes.plot(limits, momenta, color=INK, linewidth=1.8)
    axes.text(limits[6], momenta[6], "  limit of theory", fontsize=8, color=INK, va="bottom")
    axes.set_xscale("log")
    axes.set_xlim(rates[0], rates[-1])
    axes.set_ylim(0.0, 0.98)
    drawn.colorbar(mesh, ax=axes, label="steps to arrive", shrink=0.8)
    patches = [Patch(color="#f3e6c8", label=f"not in {STEPS:,} steps"), Patch(color="#e8b9a0", label="diverges")]
    axes.legend(handles=patches, fontsize=8, loc="lower left", framealpha=0.9, edgecolor=GREY)
    quiet(axes, "learning rate", "momentum β", f"{name} from the same start, λ = {bend.largest:.4g}")
    return drawn

"""The graph of a backpropagation trace as a picture: the loss on top, the parameters at the bottom."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fallline.calculus.backprop import Trace
from fallline.diagnosis.finding import text

MOST = 150  # operations drawn, from the loss down
FORMATS = ("svg", "png", "pdf")


@dataclass(frozen=True)
class Box:
    """A node of the picture."""

    key: str
    title: str
    below: str  # a second line
    rank: int  # 0 on top
    leaf: bool


@dataclass(frozen=True)
class Edge:
    """The gradient's way from an operation to one of its inputs."""

    start: str
    end: str
    ratio: float | None


def layout(trace: Trace) -> tuple[list[Box], list[Edge], dict[str, float]]:
    """Boxes, edges and the horizontal place of each box; ranks are longest ways from the loss."""
    steps = trace.steps[:MOST]
    drawn = {step.index for step in steps}
    edges: list[Edge] = []
    ranks: dict[str, int] = {str(step.index): 0 for step in steps[:1]}
    boxes: dict[str, Box] = {}
    for step in steps:  # in an order in which every use of a value comes before it
        key = str(step.index)
        rank = ranks.get(key, 0)
        boxes[key] = Box(key, step.name, f"{step.layer}  ‖δ‖ {text(step.incoming)}".strip(), rank, False)
        for given in step.inputs:
            end = given.name if given.source is None else str(given.source)
            if given.gradient is None or (given.source is not None and given.source not in drawn):
                continue
            ranks[end] = max(ranks.get(end, 0), rank + 1)
            edges.append(Edge(key, end, given.ratio))
    for leaf in trace.leaves:
        if leaf.name in ranks:
            size = "" if leaf.gradient is None else f"‖∂L‖ {text(leaf.gradient.norm)}"
            boxes[leaf.name] = Box(leaf.name, leaf.name, size, ranks[leaf.name], True)
    return list(boxes.values()), edges, _places(list(boxes.values()), edges)


def _places(boxes: list[Box], edges: list[Edge]) -> dict[str, float]:
    """Each box stands below the middle of the boxes it gets its gradient from, at least 1 from its neighbours."""
    above: dict[str, list[str]] = {}
    for edge in edges:
        above.setdefault(edge.end, []).append(edge.start)
    places: dict[str, float] = {}
    for rank in sorted({box.rank for box in boxes}):
        row = [box for box in boxes if box.rank == rank]
        wish = {b.key: _mean([places[k] for k in above.get(b.key, []) if k in places]) for b in row}
        row.sort(key=lambda box: (wish[box.key], box.leaf))
        middle = _mean(list(wish.values()))
        for number, box in enumerate(row):
            places[box.key] = middle + number - (len(row) - 1) / 2
    return places


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def save(trace: Trace, path: Path) -> None:
    """Draw the graph to a file.

    Raises:
        ValueError: the ending of ``path`` is no format that can be drawn.
        ImportError: matplotlib is not installed.
    """
    form = path.suffix.lstrip(".").lower()
    if form not in FORMATS:
        raise ValueError(f"{path.name}: the ending must be one of {', '.join(FORMATS)}")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("drawing needs matplotlib: pip install 'fallline[plot]'") from error
    boxes, edges, places = layout(trace)
    ranks = max((box.rank for box in boxes), default=0) + 1
    left, right = min(places.values(), default=0.0), max(places.values(), default=0.0)
    figure = Figure(figsize=(min(2.3 * (right - left + 1.4), 60), min(0.95 * ranks + 0.8, 160)))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(left - 0.7, right + 0.7)
    axes.set_ylim(-ranks + 0.3, 0.7)
    axes.set_axis_off()
    heights = {box.key: -float(box.rank) for box in boxes}
    for edge in edges:
        _arrow(axes, (places[edge.start], heights[edge.start]), (places[edge.end], heights[edge.end]), edge.ratio)
    for box in boxes:
        _box(axes, box, places[box.key])
    hidden = len(trace.steps) - MOST
    if hidden > 0:
        axes.text(left - 0.6, -ranks + 0.4, f"{hidden} more operations are not drawn", fontsize=8)
    figure.savefig(path, format=form, dpi=110)


def _box(axes: Any, box: Box, x: float) -> None:
    color = "#e8f2e4" if box.leaf else "#eef3fb"
    style = {"boxstyle": "round,pad=0.35", "facecolor": color, "edgecolor": "#5b6b82", "linewidth": 0.8}
    words = f"{box.title}\n{box.below}" if box.below else box.title
    axes.text(x, -box.rank, words.replace("$", r"\$"), ha="center", va="center", fontsize=7.5, bbox=style, zorder=3)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], ratio: float | None) -> None:
    color = "#888888"
    if ratio is not None and math.isfinite(ratio):
        color = "#b03a2e" if ratio < 0.3 or ratio > 3 else "#3b6ea5"  # a factor that matters when it is repeated
    axes.annotate(
        "", end, start, arrowprops={"arrowstyle": "->", "color": color, "shrinkA": 12, "shrinkB": 14}, zorder=1
    )
    if ratio is not None and math.isfinite(ratio):
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        axes.text(x, y, f"×{text(ratio)}", fontsize=6.5, color=color, ha="left", va="center", zorder=2)

"""How the pictures look: quiet axes, colours that also differ in grey and to the colour-blind, no title decoration."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with any colour vision
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442",
)  # fmt: skip
COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
INK, GREY = "#222222", "#888888"
HEIGHT_MAP = "Blues_r"  # low is dark


def figure(width: float = 6.4, height: float = 4.4) -> Figure:
    """An empty figure; sizes in inches."""
    return Figure(figsize=(width, height), dpi=130, layout="constrained", facecolor="white")


def quiet(axes: Any, xlabel: str = "", ylabel: str = "", title: str = "") -> Any:
    """Labels, and no frame at the top and the right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=9)
    axes.set_xlabel(xlabel, color=INK)
    axes.set_ylabel(ylabel, color=INK)
    if title:
        axes.set_title(title, fontsize=10.5, color=INK, loc="left")
    return axes

"""What came of a training, for a person."""

from __future__ import annotations

import math
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

NAMES = {"train": "training", "validation": "validation", "test": "test"}


def show(summary: dict[str, Any], file: TextIO | None = None) -> None:
    """Print a summary, as :meth:`Fitted.summary` gives it."""
    console = Console(file=file, highlight=False)
    width = min(console.width, 100) if console.is_terminal else 80
    console.print(_summary(summary), width=width)


def _summary(summary: dict[str, Any]) -> Table:
    training, network = summary["training"], summary["network"]
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(ratio=1)
    for place, note in enumerate(summary["data"]["notes"]):
        rows.add_row(summary["data"]["name"] if place == 0 else "", Text(note))
    threads = f"{training['threads']} thread{'s' * (training['threads'] > 1)}"
    rows.add_row("network", f"{network['text']} · {network['parameters']:,} parameters")
    rows.add_row(
        "training",
        f"{training['optimizer']} on {training['loss']}, batches of {training['batch_size']}, {threads} · "
        f"{training['epochs']} epochs, {training['updates']} updates, {training['seconds']:.1f} s",
    )
    best = f"; the weights are those of epoch {training['best_epoch']}" if training["best_epoch"] else ""
    rows.add_row("ended", Text(training["ended"] + best))
    for note in summary["notes"]:
        rows.add_row("note", Text(note, style="yellow"))
    for name, part in summary["scores"].items():
        style = "bold green" if name == "test" else ""
        rows.add_row(
            NAMES[name], Text(f"{summary['score']} {number(part['score'])}   loss {part['loss']:.4g}", style=style)
        )
    return rows


def story(intervention: dict[str, Any]) -> Text:
    """One round of healing, as sentences."""
    done = "Healed" if intervention["chosen"] else "Not healed"
    said = Text(f"{done} after {intervention['step']} updates: {'; '.join(intervention['findings'])}. ")
    trials = sorted(intervention["trials"], key=lambda trial: float(trial["regret"]))
    said.append(
        f"Back to update {intervention['back_to']}, {len(trials)} remedies tried for {intervention['updates']} "
        f"updates: loss {float(intervention['untreated']):.3g} without, "
    )
    said.append("; ".join(f"{float(trial['regret']):.3g} with {trial['why']}" for trial in trials[:3]) + ". ")
    if intervention["chosen"]:
        said.append(f"Went on with: {intervention['chosen']}.", style="bold")
    else:
        said.append("Went on as before: nothing was clearly better.")
    return said


def number(score: float) -> str:
    """A score in three digits."""
    return "–" if math.isnan(score) else f"{score:.3f}"

"""A diagnosis for a person at a terminal: 80 columns, readable without colour."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fallline.diagnosis.chain import Chain, chain
from fallline.diagnosis.diagnose import Diagnosis
from fallline.diagnosis.finding import Finding, text
from fallline.diagnosis.forecast import Factor, factors
from fallline.record.run import Run
from fallline.view.fit_summary import story

BARS = 14  # most layers drawn
LONGEST = 20  # most rows of a forecast
BAR_WIDTH = 34
MARKS = {"error": ("✗", "bold red"), "warning": ("!", "bold yellow"), "info": ("i", "bold blue")}
SIGNAL_CODES = {"vanishing-gradient", "exploding-gradient", "bad-initialisation", "dead-units", "saturated-units"}


def show(run: Run, diagnosis: Diagnosis, file: TextIO | None = None, program: str = "") -> None:
    """Print the report to ``file`` (standard error unless given)."""
    console = Console(file=file, stderr=file is None, highlight=False, soft_wrap=False)
    width = min(console.width, 100) if console.is_terminal else 80
    console.print(report(run, diagnosis, program), width=width)


def render(run: Run, diagnosis: Diagnosis, width: int = 80, program: str = "") -> str:
    """The report as plain text."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    console.print(report(run, diagnosis, program))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def html(run: Run, diagnosis: Diagnosis, program: str = "") -> str:
    """The report as one HTML page that needs nothing else."""
    console = Console(
        file=io.StringIO(), width=100, record=True, highlight=False, color_system="truecolor", force_terminal=True
    )
    console.print(report(run, diagnosis, program))
    return console.export_html(inline_styles=True, code_format=_PAGE)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>fallline report</title>
<body style="background:#fff;color:#111">
<pre style="font-family:ui-monospace,Menlo,Consolas,monospace;line-height:1.35">
<code style="font-family:inherit">{code}</code></pre></body></html>
"""


def report(run: Run, diagnosis: Diagnosis, program: str = "") -> RenderableType:
    """The whole report, as Rich renders it."""
    parts: list[RenderableType] = [Text(), _heading(run, program)]
    parts += [Text(f"  {note}", style="yellow") for note in run.meta.get("notes", [])]
    parts += [Padding(story(healing), (0, 0, 0, 2)) for healing in run.meta.get("interventions", [])]
    roots = [f for f in diagnosis.findings if f.because_of is None]
    drawn = False
    for finding in roots:
        consequences = _descendants(finding, diagnosis.findings)
        bars = None if drawn or not ({finding.code, *(c.code for c in consequences)} & SIGNAL_CODES) else _bars(run)
        drawn = drawn or bars is not None
        parts += [Text(), _finding(finding, consequences, bars)]
    if run.meta.get("forecast") and run.trainings and (foretold := factors(run.trainings[0])):
        parts += [Text(), _factors(foretold)]
    elif not drawn and (bars := _bars(run)) is not None:
        parts += [
            Text(),
            Text("Gradient at each layer's output, first updates", style="dim"),
            Padding(bars, (0, 0, 0, 2)),
        ]
    parts += [Text(), _checks(diagnosis)]
    if run.folder.exists():  # that of a forecast is gone with it
        parts.append(Text(_where(run), style="dim"))
    return Group(*parts)


def _factors(foretold: Sequence[Factor]) -> RenderableType:
    """The factor of the backward signal from layer to layer, beside what theory expects."""
    table = Table(
        title="Backward signal, from each layer to the one before", title_justify="left", title_style="dim", box=None
    )
    for name in ("from", "to", "through"):
        table.add_column(name)
    for name in ("measured", "wide-layer theory"):
        table.add_column(name, justify="right")
    shown = foretold if len(foretold) <= LONGEST else [*foretold[: LONGEST // 2], *foretold[-LONGEST // 2 :]]
    for factor in shown:
        theory = "–" if math.isnan(factor.predicted) else f"×{text(factor.predicted)}"
        through = factor.activation or "–"
        table.add_row(factor.following, factor.layer, through, f"×{text(factor.measured)}", theory)
    whole, expected = (float(np.prod([getattr(f, name) for f in foretold])) for name in ("measured", "predicted"))
    table.add_row("all", "", "", f"×{text(whole)}", "–" if math.isnan(expected) else f"×{text(expected)}")
    return table


def _heading(run: Run, program: str) -> Text:
    argv = run.meta.get("argv") or []
    name = program or (run.name if not argv else " ".join(argv) if argv[0] == "fit" else Path(argv[0]).name)
    steps = len(run.steps)
    seconds, training = run.meta.get("seconds"), float(run.meta.get("training_seconds", 0.0))
    said = Text(name, style="bold")
    said.append(f" · {steps} update{'s' * (steps != 1)}")
    said.append(f" in {seconds:.1f} s" if seconds is not None else " so far (the program is running, or was killed)")
    if training > 0 and not run.meta.get("forecast"):
        overhead = float(run.meta.get("overhead_seconds", 0.0))
        said.append(f" · fallline {overhead:.2f} s, {100 * overhead / training:.1f} % of the training")
    if run.meta.get("error"):
        said.append(f"\nThe program ended with {run.meta['error']}", style="red")
    if not steps:
        said.append("\n" + _why_nothing(run), style="yellow")
    elif run.meta.get("forecast"):
        said.append("\nStopped after its first update: this is what one batch foretells.", style="yellow")
    elif steps == 1:
        said.append("\nOne update is too little to tell how a training goes.", style="yellow")
    if len(run.trainings) > 1:
        said.append(f"\n{_trainings(run)}")
    if any(training.optimizer.maximizes for training in run.trainings):
        said.append("\nThe optimizer maximizes: what is said of the loss holds for the negative of it.")
    return said


def _trainings(run: Run) -> str:
    alike = Counter((t.optimizer.kind, len(t.loss)) for t in run.trainings)
    each = ", ".join(f"{f'{n} × ' * (n > 1)}{kind} ({updates} updates)" for (kind, updates), n in alike.items())
    further = len(run.steps) - sum(len(t.loss) for t in run.trainings)
    rest = f"; {further} updates by further optimizers like these, which were not told apart" if further else ""
    return f"{len(run.trainings)} trainings: {each}{rest}"


def _why_nothing(run: Run) -> str:
    if run.meta.get("error"):
        return "No update was recorded before that."
    return "No update was recorded: the program never called backward() and never stepped an optimizer."


def _descendants(root: Finding, findings: Sequence[Finding]) -> list[Finding]:
    codes, found = {root.code}, []
    for _ in findings:
        for finding in findings:
            if finding.because_of in codes and finding.code not in codes:
                codes.add(finding.code)
                found.append(finding)
    return found


def _finding(finding: Finding, consequences: Sequence[Finding], bars: RenderableType | None) -> RenderableType:
    mark, style = MARKS[finding.severity]
    title = Text.assemble((f"{mark} {finding.title}", style), (f"  [{finding.code}]", "dim"))
    rows = Table.grid(padding=(0, 2))
    rows.add_column(width=7, style="dim")
    rows.add_column(ratio=1)
    rows.add_row("Seen", Text(finding.message))  # a line of the program may look like markup, as x[i] does
    if bars is not None:
        rows.add_row("", bars)
    rows.add_row("Why", finding.why)
    for number, remedy in enumerate(finding.remedies[:4]):
        rows.add_row("Do" if number == 0 else "", f"{number + 1}. {remedy.why}")
    rows.add_row("Not it", f"if: {finding.disproof[0].lower()}{finding.disproof[1:]}")
    for number, other in enumerate(consequences):
        rows.add_row("Follows" if number == 0 else "", Text(f"{other.title}: {other.message}", style="dim"))
    return Group(title, Padding(rows, (0, 0, 0, 2)))


def _bars(run: Run) -> RenderableType | None:
    chains = [links for training in run.trainings if (links := chain(training)) is not None]
    links = max(chains, key=lambda c: len(c.layers), default=None)
    if links is None or not (links.signal > 0).any():
        return None
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", no_wrap=True, max_width=22)
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    drawn = np.flatnonzero(~(np.isnan(links.signal) & np.isnan(links.spread)))  # of the others nothing was measured
    for position in (drawn[i] for i in _chosen(len(drawn))):
        value = float(links.signal[position])
        grid.add_row(links.layers[position].name, Text("█" * _length(links, value), style="cyan"), text(value))
    return grid


def _chosen(count: int) -> list[int]:
    """Layers to draw, from the loss to the input."""
    if count <= BARS:
        return list(reversed(range(count)))
    return [round(i * (count - 1) / (BARS - 1)) for i in reversed(range(BARS))]


def _length(links: Chain, value: float) -> int:
    """Bars are logarithmic over at least three powers of ten, so that equal layers look equal."""
    positive = [float(s) for s in links.signal if s > 0 and math.isfinite(s)]
    top, low = math.log10(max(positive)), math.log10(min(positive))
    low = min(low, top - 3)
    if not (value > 0 and math.isfinite(value)):
        return 0
    return 1 + round((BAR_WIDTH - 1) * (math.log10(value) - low) / (top - low))


def _checks(diagnosis: Diagnosis) -> RenderableType:
    lines = Table.grid(padding=(0, 1))
    lines.add_column(width=1)
    lines.add_column(ratio=1)
    if diagnosis.passed:
        lines.add_row("✓", Text(f"{len(diagnosis.passed)} checks passed: {', '.join(diagnosis.passed)}", style="green"))
    for reason in sorted(set(diagnosis.not_applicable.values())):
        codes = [code for code, why in diagnosis.not_applicable.items() if why == reason]
        lines.add_row("–", Text(f"not applicable: {', '.join(codes)} ({reason})", style="dim"))
    return lines


def _where(run: Run) -> str:
    here = Path.cwd()
    folder = run.folder.relative_to(here) if run.folder.is_relative_to(here) else run.folder
    return f"record: {folder}   ·   fallline report {run.name}"

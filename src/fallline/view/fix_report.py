"""What came of trying remedies: for a terminal and as JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fallline.diagnosis.finding import text
from fallline.treatment.candidates import describe
from fallline.treatment.fix import Fix
from fallline.treatment.trial import Comparison, Trial
from fallline.view import json_report, terminal

SIGNS = {"+++": "bold", "---": "bold", "@@": "cyan", "+": "green", "-": "red"}  # of the lines of a diff

IDLE = (
    "The trials made no update: the program goes on from what its run before left behind, such as a checkpoint. Run "
    "fix with the option of the program that begins anew, or without the lines that load it."
)


def as_json(fix: Fix) -> dict[str, Any]:
    """The report in the schema that other tools read."""
    return {
        "schema": json_report.SCHEMA,
        "before": _trial(fix.before),
        "trials": [_comparison(c) for c in (*fix.comparisons, *fix.confirmations)],
        "chosen": None if fix.chosen is None else [{"name": r.name, "args": r.args} for r in fix.chosen],
        "after": None if fix.after is None else _trial(fix.after),
        "change": fix.change,
        "diff": None if fix.rewrite is None else fix.rewrite.diff,
        "diff_verified": fix.rewrite is not None and fix.rewrite.verified,
        "diff_note": None if fix.rewrite is None else fix.rewrite.note,
        "seconds": fix.seconds,
    }


def _trial(trial: Trial) -> dict[str, Any]:
    if trial.run is None or trial.diagnosis is None:
        return {"schema": json_report.SCHEMA, "error": trial.error, "program": {"exit": trial.exit}}
    return json_report.report(trial.run, trial.diagnosis)


def _comparison(comparison: Comparison) -> dict[str, Any]:
    finite = {
        k: v if math.isfinite(v) else None for k, v in (("before", comparison.before), ("after", comparison.after))
    }
    return {
        "remedies": [{"name": r.name, "args": asdict(r)["args"]} for r in comparison.trial.remedies],
        "seed": comparison.trial.seed, "steps": comparison.updates, "loss": finite, "cleared": list(comparison.cleared),
        "new": list(comparison.new), "better": comparison.better, "given_up": comparison.lost,
        "seconds": comparison.trial.seconds,
    }  # fmt: skip


def show(fix: Fix, program: str) -> None:
    """Print the report to standard error."""
    console = Console(stderr=True, highlight=False)
    width = min(console.width, 100) if console.is_terminal else 80
    if fix.before.run is not None and fix.before.diagnosis is not None:
        console.print(terminal.report(fix.before.run, fix.before.diagnosis, program), width=width)
    else:
        console.print(Text(f"{program} could not be recorded: {fix.before.error.strip()}", style="red"), width=width)
    if fix.comparisons:
        console.print(_table(fix), width=width)
    console.print(_verdict(fix), width=width)
    if fix.change and not (fix.rewrite is not None and fix.rewrite.verified):
        console.print(Padding(Text(fix.change), (1, 0, 1, 2)), width=width)
    show_rewrite(fix, program)


def show_rewrite(fix: Fix, program: str) -> None:
    """Print the edit of the program's file, once it was run, or why there is none."""
    console, written = Console(stderr=True, highlight=False), fix.rewrite
    width = min(console.width, 100) if console.is_terminal else 80
    if written is None or written.untried:
        return
    if written.diff is None:
        console.print(Text(f"  No diff of {program}: {written.note}."), width=width)
        return
    said = f"As a change of {program} ({written.note})" if written.verified else (
        f"Not verified as a change of {program}, take the words above ({written.note})"
    )  # fmt: skip
    console.print(Text(f"\n{said}:\n", style="" if written.verified else "bold yellow"), width=width)
    for line in written.diff.splitlines():
        style = next((style for sign, style in SIGNS.items() if line.startswith(sign)), "")
        console.print(Text(line, style=style), soft_wrap=True)  # whole lines: a patch must stay one


def _table(fix: Fix) -> Table:
    updates = fix.comparisons[0].updates
    table = Table(
        title=f"\nTrials: the loss after {updates} updates", title_justify="left", box=None, padding=(0, 1), expand=True
    )
    table.add_column("", width=1)
    table.add_column("change", ratio=1)
    table.add_column("without", justify="right", no_wrap=True)
    table.add_column("with", justify="right", no_wrap=True)
    for comparison in (*fix.comparisons, *fix.confirmations):
        chosen = fix.chosen is not None and comparison.trial.remedies == fix.chosen
        name = describe(comparison.trial.remedies) + (
            f" (seed {comparison.trial.seed})" if comparison.trial.seed else ""
        )
        if comparison.trial.other:
            name += " (another loss: without it, that of a constant prediction)"
        if comparison.mended:
            name += " (another loss pulls at the same parameters, so this one means nothing: the cause is gone)"
        if comparison.new:
            name += f"; new: {', '.join(comparison.new)}"
        style = "bold green" if chosen else "" if comparison.better else "dim"
        mark = "✓" if comparison.better else "–"
        table.add_row(mark, name, _loss(comparison.before), _after(comparison), style=style)
    return table


def _after(comparison: Comparison) -> str:
    """The loss under the remedies, or why there is none."""
    if comparison.trial.idle:
        return "no update"
    return "given up" if comparison.lost and not math.isfinite(comparison.after) else _loss(comparison.after)


def _loss(value: float) -> str:
    return text(value) if math.isfinite(value) else "not finite"


def _verdict(fix: Fix) -> Text:
    findings = fix.before.findings
    said = Text("\n")
    if fix.chosen is not None:
        seeds = 1 + len([c for c in fix.confirmations if c.better])
        said.append(
            f"✓ Change this ({seeds} seed{'s' * (seeds > 1)}, {fix.seconds:.0f} s of trials): ", style="bold green"
        )
        said.append(describe(fix.chosen))
        if fix.after is not None and fix.after.last_line != fix.before.last_line:
            said.append("\n  The program's last line was   ").append(fix.before.last_line, style="bold")
            said.append("\n  and with the change it is     ").append(fix.after.last_line, style="bold")
    elif fix.before.run is not None and not len(fix.before.run.steps):
        said.append("There is no training that could be treated.", style="bold yellow")
    elif not findings:
        said.append("✓ Nothing is wrong with this training: it is left alone.", style="bold green")
    elif not fix.comparisons:
        said.append("No remedy is known for this that a running program could take.", style="bold yellow")
    elif any(comparison.trial.idle for comparison in fix.comparisons):
        said.append(IDLE, style="bold yellow")
    else:
        said.append("Nothing that was tried is clearly better than leaving the program alone.", style="bold yellow")
    return said

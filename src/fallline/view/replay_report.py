"""A forward pass that was done again, for a person and for other programs."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.text import Text

from fallline.diagnosis.finding import text
from fallline.record.kept import KeptError
from fallline.record.places import Place
from fallline.record.replay import Range, Step
from fallline.record.run import Event, Run
from fallline.watch.replay import Again

SCHEMA = 1
MOST = 40  # operations listed unless all are asked for, the last before the birth


def event(run: Run) -> Event:
    """What the run says of its first number that is not finite.

    Raises:
        KeptError: there is none, or its batch was not kept; the message says why.
    """
    found = next(run.events_of("non-finite"), None)
    if found is None:
        raise KeptError("it holds no loss or gradient that is NaN or Inf and whose batch was at hand")
    if "kept" not in found.detail:
        raise KeptError(f"its batch could not be kept: {found.detail.get('not_kept', 'fallline did not see it')}")
    return found


def as_json(run: Run, found: Event, again: Again) -> dict[str, Any]:
    """The replay as plain values; numbers that JSON cannot hold become text."""
    slope = again.slope
    data = {
        "schema": SCHEMA, "run": str(run.folder), "step": found.step, "loss": again.loss,
        "steps": [asdict(step) for step in again.steps],
        "born": None if again.origin is None else asdict(again.origin),
        "backward": None if slope is None else {"operation": slope.operation, "place": _plain_place(slope.place)},
        "recorded": found.detail, "notes": list(again.notes),
    }  # fmt: skip
    return dict(_plain(data))


def _plain_place(place: Place | None) -> dict[str, Any] | None:
    return None if place is None else asdict(place)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def render(run: Run, found: Event, again: Again, everything: bool = False, width: int = 80) -> str:
    """The report as plain text."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    console.print(report(run, found, again, everything))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def show(run: Run, found: Event, again: Again, everything: bool, file: TextIO | None = None) -> None:
    """Print the report to ``file`` (standard error unless given)."""
    console = Console(file=file, stderr=file is None, highlight=False)
    width = min(console.width, 100) if console.is_terminal else 80
    console.print(report(run, found, again, everything), width=width)


def report(run: Run, found: Event, again: Again, everything: bool) -> RenderableType:
    """The whole report, as Rich renders it."""
    title = f"\n{run.name} · the forward pass of step {found.step}, done again with the batch that was kept\n"
    parts: list[RenderableType] = [Text(title, style="bold"), _table(_until_birth(again), everything), Text()]
    parts.append(Text(_verdict(again), style="bold red" if again.origin or again.slope else "yellow"))
    if (differs := _differs(found, again)) is not None:
        parts.append(Text(differs, style="yellow"))
    return Group(*parts, *(Text(f"note: {note}", style="yellow") for note in again.notes))


def _until_birth(again: Again) -> Sequence[Step]:
    """The operations up to the one that gives the first number that is not finite."""
    if again.origin is None:
        return again.steps
    if again.origin.step is not None:
        return [step for step in again.steps if step.index <= again.origin.step.index]
    spoilt = (n for n, step in enumerate(again.steps) if step.output.bad and step.inputs and step.inputs.bad)
    return again.steps[: next(spoilt, len(again.steps) - 1) + 1]


def _table(steps: Sequence[Step], everything: bool) -> RenderableType:
    """One line an operation, under the line of the program that asks for it."""
    shown = steps if everything else steps[-MOST:]
    lines = [Text(_row("operation", "in", "out", "NaN, Inf"), style="dim")]
    if hidden := len(steps) - len(shown):
        lines.append(Text(f"… {hidden} operations before (--all shows them)", style="dim"))
    last: Place | None = None
    for step in shown:
        if step.place is not None and step.place != last:
            last = step.place
            lines.append(Text(_line(last), style="cyan"))
        name = f"  {step.operation}{' · ' if step.layer else ''}{step.layer}"
        bad = str(step.output.bad) if step.output.bad else ""
        lines.append(Text(_row(name, _range(step.inputs), _range(step.output), bad)))
    return Group(*(_cut(line) for line in lines))


def _row(name: str, before: str, after: str, bad: str) -> str:
    return f"{name if len(name) <= 28 else name[:27] + '…':<28}{before:>21}{after:>21}{bad:>10}".rstrip()


def _cut(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _line(place: Place) -> str:
    return f"{Path(place.file).name}:{place.line}  {place.code}"


def _range(found: Range | None) -> str:
    if found is None:
        return "–"
    if math.isnan(found.min):
        return "none finite"
    return text(found.min) if found.min == found.max else f"{text(found.min)} to {text(found.max)}"


def _verdict(again: Again) -> str:
    origin, slope = again.origin, again.slope
    if origin is not None:
        rows = f", rows {', '.join(map(str, origin.rows))}" if origin.rows else ""
        share = f"{100 * origin.share:.3g} %"
        if origin.step is None:
            return f"it came in: {origin.kind} {origin.name}".rstrip() + f" holds NaN or Inf, {share}{rows}"
        layer = f" in layer {origin.step.layer}" if origin.step.layer else ""
        return f"born here: {origin.name}{layer}, {share} of its output{rows}{_at(origin.step.place)}"
    if slope is not None:
        return (
            "every number of the forward pass is finite; born in the backward pass:\n"
            f"{slope.operation} turns a finite gradient into one that is not{_at(slope.place)}"
        )
    return "every number of this forward pass is finite, and so is its gradient"


def _at(place: Place | None) -> str:
    return "" if place is None else f"\n{_line(place)}"


def _differs(found: Event, again: Again) -> str | None:
    """What to say where the replay shows something else than the training."""
    if again.origin is not None or again.slope is not None:
        return None
    return (
        f"In the training the loss was {found.detail.get('loss')}. Something that was not kept made the difference: "
        "what the program computes from the number of the step, or random numbers of Python or NumPy."
    )

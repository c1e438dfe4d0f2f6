"""The chosen remedies as an edit of the program's file, which counts only where the edited copy trains as well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fallline.diagnosis.finding import Prescription, text
from fallline.record.run import Run
from fallline.treatment.trial import CLEARLY, Comparison, Program


@dataclass(frozen=True)
class Rewrite:
    """An edit of the program's file, or why there is none."""

    source: bytes | None  # the edited copy
    diff: str | None  # against the file as it is
    verified: bool  # the edited copy, run, was as good as the remedies on the live program
    note: str  # the losses that show it, or the reason why there is no diff

    @property
    def untried(self) -> bool:
        """There is an edited copy that has not been run."""
        return self.source is not None and not self.note


def rewrite(program: Program, remedies: Sequence[Prescription], run: Run) -> Rewrite:
    """Write the remedies into a copy of the program's source; not verified yet."""
    if program.module:
        return Rewrite(None, None, False, "the program was started as a module")
    from fallline.treatment import edits  # brings a parser, which takes a moment to load
    from fallline.treatment.edits.script import Unclear

    try:
        path = Path(program.path)
        before = path.read_bytes()
        after = edits.edit(before, remedies, run)
    except (Unclear, OSError) as reason:
        return Rewrite(None, None, False, str(reason))
    except Exception as error:  # what the trials have shown is worth more than the diff: say it, and go on
        return Rewrite(None, None, False, f"editing the file failed ({type(error).__name__}: {error})")
    return Rewrite(after, edits.diff(before, after, edits.shown_name(path)), False, "")


def judge(written: Rewrite, live: Comparison, edited: Comparison) -> Rewrite:
    """Verified is an edit whose copy is better than the program and not clearly worse than the live remedies.

    A copy that does not train to the end leaves no diff.
    """
    if not math.isfinite(edited.after):
        return replace(written, source=None, diff=None, note="an edited copy was run and did not train to the end")
    verified = edited.better and edited.after <= live.after + CLEARLY * live.scale
    losses = f"loss {text(edited.after)}, in the trial {text(live.after)}, as it is {text(edited.before)}"
    note = f"an edited copy was run: {losses}"
    return replace(written, verified=verified, note=note)

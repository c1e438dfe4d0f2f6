"""``fix``: tries remedies on a program and says which one to take, with the measured effect."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from fallline.diagnosis.finding import Prescription
from fallline.treatment import trial as trials
from fallline.treatment.candidates import candidates
from fallline.treatment.clinic import SEEDS, Clinic, Progress, forget, judged
from fallline.treatment.remedies import BY_NAME
from fallline.treatment.rewrite import Rewrite
from fallline.treatment.trial import Comparison, Limits, Program, Trial
from fallline.treatment.ward import Ward

SECONDS = 30.0  # of training that the untreated program may take before it is stopped
TRIAL_SECONDS = 12.0  # of training that a trial may take, measured on the untreated program


@dataclass(frozen=True)
class Fix:
    """What came of it."""

    before: Trial
    comparisons: tuple[Comparison, ...]
    confirmations: tuple[Comparison, ...]  # of the chosen remedies with further seeds
    best: Comparison | None  # of the chosen remedies
    change: str
    rewrite: Rewrite | None  # the same as an edit of the program's file
    seconds: float

    @property
    def chosen(self) -> tuple[Prescription, ...] | None:
        return self.best.trial.remedies if self.best is not None else None

    @property
    def after(self) -> Trial | None:
        return self.best.trial if self.best is not None else None


def fix(
    program: Program, root: Path, ward: Ward, progress: Progress = lambda message: None, applied: bool = False
) -> Fix:
    """Run the program as it is, then under each candidate in the ward, and choose.

    A remedy is chosen only if the loss at equal updates is clearly lower than without it, with every seed that the
    program lets itself be given. ``applied``: :func:`apply` comes next, and can verify the edit of the program's file.
    """
    started = time.perf_counter()
    workers = max(1, min(2, os.cpu_count() or 1))
    with ThreadPoolExecutor(workers) as pool:
        try:
            progress("running the program as it is")
            first = Limits(seconds=SECONDS, wall=SECONDS * 4 + trials.GRACE)
            running = pool.map(
                lambda seed: trials.run(program, (), seed, first, root, seed == SEEDS[0], ward.run), SEEDS
            )
            importlib.import_module("fallline.treatment.edits")  # its parser takes a moment to load
            untreated = list(running)
            untreated = [replace(trial, ill=untreated[0].failing) for trial in untreated]
            limits = _limits(untreated[0])
            clinic = Clinic(
                program, root, limits, untreated, pool, ward, workers, progress, applied and limits.updates is None
            )
            comparisons = clinic.singles(candidates(untreated[0]))
            comparisons += clinic.pairs(comparisons)
            chosen, confirmations, written = clinic.choose(comparisons)
            if chosen is None and confirmations:  # what was better with one seed alone ended the trials too early
                tried = [c.trial.remedies for c in comparisons]
                further = clinic.singles([r for r in candidates(untreated[0]) if (r,) not in tried])
                further += clinic.pairs([*comparisons, *further])
                chosen, again, written = clinic.choose(further)
                comparisons, confirmations = comparisons + further, confirmations + again
            if clinic.whole is not None and (chosen is None or chosen.trial is not clinic.whole[0].trial):
                forget(clinic.whole[0].trial)
        except BaseException:  # the pool waits for its trials, so they have to end first
            ward.close()
            raise
    change = "\n\n".join(_change(r, untreated[0]) for r in chosen.trial.remedies) if chosen is not None else ""
    seconds = time.perf_counter() - started
    return Fix(untreated[0], tuple(comparisons), tuple(confirmations), chosen, change, written, seconds)


def apply(program: Program, fixed: Fix, root: Path, ward: Ward) -> tuple[Fix, int]:
    """Run the whole program under what was chosen, its output passed through; also gives its exit status.

    An edit of the program's file that has not been run yet is run in its place, and so verified; where it is not as
    good, the program under the remedies follows. A trial that was that very run, to its end, and left nothing behind
    but what it printed is not repeated: its output is passed on.

    Raises:
        ValueError: nothing was chosen.
    """
    if fixed.best is None:
        raise ValueError("there is nothing to apply: no remedy was chosen")
    trial, remedies, written = fixed.best.trial, fixed.best.trial.remedies, fixed.rewrite
    if trial.whole is not None and not trial.whole.acted:
        sys.stdout.write(trial.whole.printed)
        sys.stdout.flush()
        sys.stderr.write(trial.whole.complaint)
        return fixed, trial.exit
    forget(trial)
    full = functools.partial(ward.run, passthrough=True)
    if written is not None and written.untried:
        edited = replace(program, source=written.source)
        trial = trials.run(edited, (), SEEDS[0], Limits(), root, keep=True, start=full)
        fixed = replace(fixed, rewrite=judged(written, fixed.best, fixed.before, trial))
        if fixed.rewrite is not None and fixed.rewrite.verified:
            return fixed, trial.exit
    return fixed, trials.run(program, remedies, SEEDS[0], Limits(), root, keep=True, start=full).exit


def _limits(untreated: Trial) -> Limits:
    training = untreated.main
    if untreated.run is None or training is None:
        return Limits(wall=trials.GRACE)
    updates = len(untreated.run.steps)
    seconds = float(untreated.run.meta.get("training_seconds", 0.0))
    stopped = untreated.run.meta.get("stopped", False)
    findings = untreated.findings
    evaluated = any(
        f.code in trials.UNSEEN and "distance" in f.evidence for f in findings
    )  # seen after the last update
    if (seconds > TRIAL_SECONDS or stopped) and not evaluated:
        updates = max(50, int(updates * min(1.0, TRIAL_SECONDS / max(seconds, 1e-9))))
        return Limits(updates=updates, wall=5 * TRIAL_SECONDS + trials.GRACE)
    return Limits(wall=5 * untreated.seconds + trials.GRACE)


def _change(remedy: Prescription, untreated: Trial) -> str:
    assert untreated.run is not None
    return BY_NAME[remedy.name].change(remedy.args, untreated.run)

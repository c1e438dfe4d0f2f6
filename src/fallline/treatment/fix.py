"""``fix``: tries remedies on a program and says which one to take, with the measured effect."""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fallline.diagnosis.finding import Prescription
from fallline.treatment import effects
from fallline.treatment import trial as trials
from fallline.treatment.remedies import BY_NAME, RARE
from fallline.treatment.remedies.learning_rate import LearningRate
from fallline.treatment.rewrite import Rewrite, judge, rewrite
from fallline.treatment.trial import Comparison, Limits, Program, Trial
from fallline.treatment.ward import Ward

SECONDS = 30.0  # of training that the untreated program may take before it is stopped
TRIAL_SECONDS = 12.0  # of training that a trial may take, measured on the untreated program
SINGLES = 16  # remedies tried one by one
PATIENCE = 100.0  # seconds after which no further one is begun
PAIRS = 4  # combinations of two
AMENDS = 2  # remedies against what another one that cleared the cause broke
HEALTHY = 4  # further ones that are tried once nothing is found any more under one
ADDED = 0.02  # of the scale, by which a remedy that is added to others must lower the loss
BACK = 0.1  # of the way that a remedy led what the program says last: what one more takes of it back, it overdoes
SEEDS = (0, 1)
RUNG = 20  # least updates after which a trial may be given up
CLOSE = 0.005  # of the scale: among remedies this close to the best the mildest is chosen

RATE = LearningRate()
LAST = frozenset(remedy.name for remedy in RARE)  # tried only where none before is better than no remedy

Progress = Callable[[str], None]

# Remedies that set the same thing: no use together.
RIVALS = (
    {"initialise", "activation"}, {"optimizer", "learning-rate"}, {"optimizer", "momentum"}, {"shortcut", "normalise"},
    {"initialise", "unit-variance"}, {"activation", "unit-variance"}, {"clip-gradient", "clip-value"},
    {"clip-gradient", "adaptive-clip"}, {"clip-value", "adaptive-clip"},
)  # fmt: skip


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
            clinic = _Clinic(
                program, root, limits, untreated, pool, ward, workers, progress, applied and limits.updates is None
            )
            comparisons = clinic.singles(candidates(untreated[0]))
            if not any(c.healthy or clinic.enough(c) for c in comparisons):
                comparisons += clinic.pairs(comparisons)
            chosen, confirmations, written = clinic.choose(comparisons)
            if chosen is None and confirmations:  # what was better with one seed alone ended the trials too early
                tried = [c.trial.remedies for c in comparisons]
                further = clinic.singles([r for r in candidates(untreated[0]) if (r,) not in tried])
                chosen, again, written = clinic.choose(further)
                comparisons, confirmations = comparisons + further, confirmations + again
            if clinic.whole is not None and (chosen is None or chosen.trial is not clinic.whole[0].trial):
                _forget(clinic.whole[0].trial)
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
    _forget(trial)
    full = functools.partial(ward.run, passthrough=True)
    if written is not None and written.untried:
        edited = replace(program, source=written.source)
        trial = trials.run(edited, (), SEEDS[0], Limits(), root, keep=True, start=full)
        fixed = replace(fixed, rewrite=_judged(written, fixed.best, fixed.before, trial))
        if fixed.rewrite is not None and fixed.rewrite.verified:
            return fixed, trial.exit
    return fixed, trials.run(program, remedies, SEEDS[0], Limits(), root, keep=True, start=full).exit


def _forget(trial: Trial) -> None:
    """Remove the record that was kept of a trial which does not stand for the program's run after all."""
    if trial.whole is not None and trial.run is not None:
        shutil.rmtree(trial.run.folder, ignore_errors=True)


def _judged(written: Rewrite, chosen: Comparison, untreated: Trial, edited: Trial) -> Rewrite:
    held = replace(edited, remedies=chosen.trial.remedies)  # it holds them in its source
    return judge(written, chosen, trials.compare(untreated, held))


def candidates(untreated: Trial) -> list[Prescription]:
    """The remedies of all findings: those of the root cause first, then of what follows from it, then the rare ones."""
    findings = untreated.diagnosis.findings if untreated.diagnosis is not None else ()
    found: dict[str, Prescription] = {}
    for finding in findings:
        if finding.severity == "info":
            continue
        for remedy in finding.remedies:
            found.setdefault(f"{remedy.name} {sorted(remedy.args.items(), key=str)}", remedy)
    return sorted(found.values(), key=lambda remedy: remedy.name in LAST)[:SINGLES]


def _with_companions(remedies: Sequence[Prescription]) -> list[tuple[Prescription, ...]]:
    """Each alone, and inputs and targets scaled together right after each of them alone."""
    both = [next((r for r in remedies if r.name == name), None) for name in ("scale-inputs", "scale-targets")]
    found: list[tuple[Prescription, ...]] = [(r,) for r in remedies]
    pair = tuple(r for r in both if r is not None)
    if len(pair) == len(both):
        found.insert(1 + max(found.index((r,)) for r in pair), pair)
    return found


def _further(best: Comparison) -> list[tuple[Prescription, ...]]:
    """A remedy with one against what is wrong under it; a better one with more of the same learning rate, or faster."""
    taken, run = best.trial.remedies, best.trial.run
    names = {remedy.name for remedy in taken}
    found: list[tuple[Prescription, ...]] = []
    for remedy in candidates(best.trial) if best.better or best.new else ():
        if remedy.name == RATE.name and remedy.name in names:
            more = [RATE.further(r, remedy) if r.name == RATE.name else r for r in taken]
            found += [tuple(r for r in more if r is not None)] if None not in more else []
        elif remedy.name not in names | LAST and all({name, remedy.name} not in RIVALS for name in names):
            found.append((*taken, remedy))
    rival = RATE.name in names or any({name, RATE.name} in RIVALS for name in names)
    if not best.better or best.healthy or run is None or rival:
        return found
    return [*found[: PAIRS - 2], *((*taken, faster) for faster in RATE.faster(run))]


def _faster(best: Comparison) -> list[tuple[Prescription, ...]]:
    """A remedy that raised the learning rate, not far enough yet, with still larger ones."""
    taken, run = best.trial.remedies, best.trial.run
    if not best.raised or best.enough or run is None:
        return []
    doses = [[RATE.further(r, dose) if r.name == RATE.name else r for r in taken] for dose in RATE.faster(run)]
    return [tuple(r for r in more if r is not None) for more in doses if None not in more]


def _overdone(untreated: Trial, shorter: Comparison, longer: Comparison) -> bool:
    """Whether remedies added to others do little more, or take back what those did to the number that is said last.

    The loss they lower is that of the training samples alone, and so may be overfitted.
    """
    said = [trial.told for trial in (untreated, shorter.trial, longer.trial)]
    added = {r.name for r in shorter.trial.remedies} < {r.name for r in longer.trial.remedies}
    if not added or not shorter.better:
        return False
    if shorter.rest - longer.rest < ADDED:
        return True
    if None in said or len({told[0] for told in said if told}) > 1:
        return False
    first, once, twice = (told[1] for told in said if told)
    return (once - twice) * (once - first) > BACK * (once - first) ** 2


def _limits(untreated: Trial) -> Limits:
    training = untreated.main
    if untreated.run is None or training is None:
        return Limits(wall=trials.GRACE)
    updates = len(untreated.run.steps)
    seconds = float(untreated.run.meta.get("training_seconds", 0.0))
    stopped = untreated.run.meta.get("stopped", False)
    findings = untreated.diagnosis.findings if untreated.diagnosis is not None else ()
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


@dataclass
class _Clinic:
    program: Program
    root: Path
    limits: Limits
    untreated: list[Trial]
    pool: ThreadPoolExecutor
    ward: Ward
    workers: int
    progress: Progress
    later: bool  # the edit of the program's file is run when it is applied
    again: list[Comparison] = field(default_factory=list)  # of remedies, with another seed
    whole: tuple[Comparison, Rewrite] | None = None  # of the first remedy, run as it will be applied

    @property
    def cause(self) -> str:
        """The first finding of the program as it is."""
        found = self.untreated[0].diagnosis
        return found.findings[0].code if found is not None and found.findings else ""

    def singles(self, remedies: Sequence[Prescription]) -> list[Comparison]:
        """Try one after the other, as many at a time as there are cores; stop when one leaves nothing to gain."""
        until = time.perf_counter() + PATIENCE
        results = self._try(_with_companions([r for r in remedies if r.name not in LAST]), until)
        if not any(c.better for c in results):
            results += self._try([(r,) for r in remedies if r.name in LAST], until)
        return results

    def pairs(self, comparisons: Sequence[Comparison]) -> list[Comparison]:
        """Add to the best what is proposed for what it leaves behind, and combine the best two by two."""
        best = sorted((c for c in comparisons if math.isfinite(c.after)), key=lambda c: c.rest)
        if not best:
            return []
        doses: dict[str, Prescription] = {}
        for comparison in best:
            for remedy in comparison.trial.remedies:
                doses.setdefault(remedy.name, remedy)
        both = [
            pair
            for pair in itertools.combinations(list(doses.values())[:4], 2)
            if {pair[0].name, pair[1].name} not in RIVALS
        ]
        tried = [c.trial.remedies for c in comparisons]
        broken = next((c for c in best if self.cause in c.cleared and c.new), None)
        amended = _further(broken)[:AMENDS] if broken is not None else []
        further = [r for r in (*_further(best[0])[:PAIRS], *amended, *both[:PAIRS]) if r not in tried]
        return self._try(further, time.perf_counter() + PATIENCE)

    def _try(self, combinations: Sequence[tuple[Prescription, ...]], until: float) -> list[Comparison]:
        results: list[Comparison] = []
        waiting, healthy = list(combinations), False
        ahead: Comparison | None = None  # the best of those that cleared the cause
        while waiting and time.perf_counter() <= until:
            jobs = [(remedies, SEEDS[0]) for remedies in waiting[: self.workers]]
            if not self.again and self.workers > 1 and self._seedable():
                jobs = [(waiting[0], seed) for seed in SEEDS]  # the first is the likeliest: both seeds at once
            for number, (remedies, seed) in enumerate(jobs, len(results) + 1):
                trial = f"trial {number} of {len(results) + len(waiting)}" if seed == SEEDS[0] else "with another seed"
                self.progress(f"{trial}: {describe(remedies)}")
            limits = replace(self.limits, bars=self._bars(results))
            first = self.later and len(jobs) > 1 and jobs[0][0] is jobs[1][0]  # with both seeds
            before = self._files() if first else None
            run = functools.partial(self._first if first else self._run, limits=limits)
            for compared in self.pool.map(run, *zip(*jobs, strict=True)):
                (results if compared.trial.seed == SEEDS[0] else self.again).append(compared)
            if first and self.whole is not None:
                results[-1] = self._held(before)
            if any(map(self.enough, results)):
                break
            waiting = waiting[sum(seed == SEEDS[0] for _, seed in jobs) :]
            if not healthy and (healthy := any(c.healthy for c in results)):
                waiting = waiting[:HEALTHY]
            leading = [c for c in results if c.better and self.cause in c.cleared]
            best = min(leading, key=lambda c: c.rest, default=None)
            if best is not None and best is not ahead:  # it is against the cause: first see what it leaves behind
                further = [*_faster(best), *(_further(best)[:PAIRS] if ahead is None else ())]
                tried, ahead = [c.trial.remedies for c in results], best
                waiting = [r for r in (*further, *waiting) if r not in tried]
        return results

    def enough(self, compared: Comparison) -> bool:
        """It leaves nothing to gain, and did not fail with another seed."""
        return compared.enough and all(c.better for c in self._repeated(compared.trial.remedies))

    def _repeated(self, remedies: tuple[Prescription, ...]) -> list[Comparison]:
        return [c for c in self.again if c.trial.remedies == remedies]

    def _bars(self, results: Sequence[Comparison]) -> tuple[tuple[int, float], ...]:
        """Successive halving: who is behind most of the others on the way is given up, once anything helps."""
        if not any(c.better for c in results):
            return ()
        whole = results[0].updates
        main = self.untreated[0].main
        start = int(main.steps["step"][0]) if main is not None else 0
        ahead = [self.untreated[0], *(c.trial for c in results if not c.lost)]
        return tuple(
            (
                start + updates,
                statistics.median(trials.end_loss(t, updates) for t in ahead) + trials.CLEARLY * results[0].scale,
            )
            for updates in (whole // 4, whole // 2)
            if updates >= RUNG
        )

    def _run(self, remedies: tuple[Prescription, ...], seed: int, limits: Limits) -> Comparison:
        trial = trials.run(self.program, remedies, seed, limits, self.root, start=self.ward.run)
        return trials.compare(self.untreated[SEEDS.index(seed)], trial)

    def _first(self, remedies: tuple[Prescription, ...], seed: int, limits: Limits) -> Comparison:
        """As :meth:`_run`, but with the first seed as it will be applied: the edited program where there is an edit."""
        if seed != SEEDS[0]:
            return self._run(remedies, seed, limits)
        untreated = self.untreated[0]
        assert untreated.run is not None
        written = rewrite(self.program, remedies, untreated.run)
        program = replace(self.program, source=written.source) if written.untried else self.program
        live = () if written.untried else remedies
        trial = trials.run(program, live, seed, limits, self.root, keep=True, start=self.ward.run, whole=True)
        compared = trials.compare(untreated, replace(trial, remedies=remedies))
        self.whole = compared, judge(written, compared, compared) if written.untried else written
        return compared

    def _files(self) -> dict[str, tuple[int, int]] | None:
        return effects.snapshot({Path.cwd(), Path(self.program.path).absolute().parent}, self.root)

    def _held(self, before: dict[str, tuple[int, int]] | None) -> Comparison:
        """The edited program's trial, unless it is no better where the remedies are: then that under the remedies."""
        assert self.whole is not None
        compared, written = self.whole
        trial = compared.trial
        edited = trial.whole is not None and trial.whole.edited
        if edited and not compared.better and all(c.better for c in self._repeated(trial.remedies)):
            _forget(trial)
            self.whole = None
            return self._run(trial.remedies, SEEDS[0], self.limits)
        if trial.whole is not None and (before is None or before != self._files()):
            trial = replace(trial, whole=replace(trial.whole, acted=True))
            self.whole = replace(compared, trial=trial), written
        return self.whole[0]

    def choose(self, comparisons: Sequence[Comparison]) -> tuple[Comparison | None, list[Comparison], Rewrite | None]:
        """The mildest of the best (or of those that solve it) that is better with every seed, and the edit of that."""
        first = self.untreated[0]
        better = [c for c in comparisons if c.better and not any(_overdone(first, other, c) for other in comparisons)]
        confirmations: list[Comparison] = []
        while better:
            best = min(c.rest for c in better)
            chosen = next(c for c in better if c.rest <= best + CLOSE or c.solved)
            written = self.pool.submit(self._rewrite, chosen)  # its trial runs beside that with another seed
            if not self._seedable():
                return chosen, confirmations, written.result()
            if not self._repeated(chosen.trial.remedies):
                self.progress(f"with another seed: {describe(chosen.trial.remedies)}")
                self.again.append(self._run(chosen.trial.remedies, SEEDS[1], self.limits))
            confirmations += self._repeated(chosen.trial.remedies)
            if confirmations[-1].better:
                return chosen, confirmations, written.result()
            better.remove(chosen)
        return None, confirmations, None

    def _rewrite(self, chosen: Comparison) -> Rewrite:
        untreated = self.untreated[0]
        assert untreated.run is not None
        if self.whole is not None and chosen is self.whole[0]:
            return self.whole[1]
        written = rewrite(self.program, chosen.trial.remedies, untreated.run)
        if not written.untried or self.later:
            return written
        edited = replace(self.program, source=written.source)
        trial = trials.run(edited, (), SEEDS[0], self.limits, self.root, start=self.ward.run)
        return _judged(written, chosen, untreated, trial)

    def _seedable(self) -> bool:
        """Whether another seed gives another run."""
        a, b = (t.main for t in self.untreated)
        if a is None or b is None or len(a.loss) != len(b.loss):
            return a is not None and b is not None
        return not np.isfinite(a.loss).any() or not np.array_equal(a.loss, b.loss, equal_nan=True)


def describe(remedies: Sequence[Prescription]) -> str:
    """The remedies in a few words."""
    return " + ".join(remedy.why for remedy in remedies)

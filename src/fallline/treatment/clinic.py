"""Tries remedies on a program side by side, and chooses."""

from __future__ import annotations

import functools
import itertools
import math
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fallline.diagnosis.finding import Prescription
from fallline.treatment import effects
from fallline.treatment import trial as trials
from fallline.treatment.candidates import LAST, PAIRS, RIVALS, describe, faster, further, with_companions
from fallline.treatment.rewrite import Rewrite, judge, rewrite
from fallline.treatment.trial import Comparison, Limits, Program, Trial
from fallline.treatment.ward import Ward

PATIENCE = 100.0  # seconds after which no further one is begun
AMENDS = 2  # remedies against what another one that cleared the cause broke
HEALTHY = 4  # further ones that are tried once nothing is found any more under one
ADDED = 0.02  # of the scale, by which a remedy that is added to others must lower the loss
BACK = 0.05  # of the way that a remedy led what the program says last: what one more takes of it back, it overdoes
SEEDS = (0, 1)
RUNG = 20  # least updates after which a trial may be given up
CLOSE = 0.005  # of the scale: among remedies this close to the best the mildest is chosen

Progress = Callable[[str], None]


@dataclass
class Clinic:
    """The trials of one program, and what came of them."""

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
        return next((finding.code for finding in self.untreated[0].findings), "")

    def singles(self, remedies: Sequence[Prescription]) -> list[Comparison]:
        """Try one after the other, as many at a time as there are cores; stop when one leaves nothing to gain."""
        until = time.perf_counter() + PATIENCE
        results = self._try(with_companions([r for r in remedies if r.name not in LAST]), until)
        if not any(c.better or c.trial.idle for c in results):
            results += self._try([(r,) for r in remedies if r.name in LAST], until)
        return results

    def pairs(self, comparisons: Sequence[Comparison]) -> list[Comparison]:
        """Add to the best what is proposed for what it leaves behind, and combine the best two by two.

        Nothing where one of them leaves nothing to gain. What the best combination is made of is tried by itself.
        """
        if any(self.enough(c) or c.trial.idle or (c.healthy and self.held(c)) for c in comparisons):
            return self._parts(comparisons)
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
        amended = further(broken)[:AMENDS] if broken is not None else []
        added = [r for r in (*further(best[0])[:PAIRS], *amended, *both[:PAIRS]) if r not in tried]
        paired = self._try(added, time.perf_counter() + PATIENCE)
        return paired + self._parts([*comparisons, *paired])

    def _parts(self, comparisons: Sequence[Comparison]) -> list[Comparison]:
        """Each remedy of the best combination by itself, where that was not tried: it may do as well alone."""
        best = min((c for c in comparisons if c.better), key=lambda c: c.rest, default=None)
        tried = [c.trial.remedies for c in comparisons]
        alone = [(r,) for r in best.trial.remedies if (r,) not in tried] if best is not None else []
        for remedies in alone:
            self.progress(f"by itself: {describe(remedies)}")
        return list(self.pool.map(lambda remedies: self._run(remedies, SEEDS[0], self.limits), alone))

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
            if any(self.enough(c) or c.trial.idle for c in results):
                break
            waiting = waiting[sum(seed == SEEDS[0] for _, seed in jobs) :]
            if not healthy and (healthy := any(c.healthy for c in results)):
                waiting = waiting[:HEALTHY]
            leading = [c for c in results if c.better and self.cause in c.cleared]
            best = min(leading, key=lambda c: c.rest, default=None)
            if best is not None and best is not ahead:  # it is against the cause: first see what it leaves behind
                added = [*faster(best), *(further(best)[:PAIRS] if ahead is None else ())]
                tried, ahead = [c.trial.remedies for c in results], best
                waiting = [r for r in (*added, *waiting) if r not in tried]
        return results

    def enough(self, compared: Comparison) -> bool:
        """It leaves nothing to gain, and did not fail with another seed."""
        return compared.enough and self.held(compared)

    def held(self, compared: Comparison) -> bool:
        """It did not fail with another seed."""
        return all(c.better for c in self._repeated(compared.trial.remedies))

    def _repeated(self, remedies: tuple[Prescription, ...]) -> list[Comparison]:
        return [c for c in self.again if c.trial.remedies == remedies]

    def _bars(self, results: Sequence[Comparison]) -> tuple[tuple[int, float], ...]:
        """Successive halving: who is behind most of the others on the way is given up, once anything helps."""
        if not any(c.better for c in results):
            return ()
        whole = results[0].updates
        main = self.untreated[0].main
        if main is not None and main.optimizer.maximizes:  # the bars are for what backward is called on
            return ()
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
            forget(trial)
            self.whole = None
            return self._run(trial.remedies, SEEDS[0], self.limits)
        if trial.whole is not None and (before is None or before != self._files()):
            trial = replace(trial, whole=replace(trial.whole, acted=True))
            self.whole = replace(compared, trial=trial), written
        return self.whole[0]

    def choose(self, comparisons: Sequence[Comparison]) -> tuple[Comparison | None, list[Comparison], Rewrite | None]:
        """The mildest of the best (or of those that solve it) that is better with every seed, and the edit of that."""
        first = self.untreated[0]
        better = [c for c in comparisons if c.better and not any(overdone(first, other, c) for other in comparisons)]
        confirmations: list[Comparison] = []
        while better:
            best = min(c.rest for c in better)
            chosen = next(c for c in better if c.rest <= best + (ADDED if c.solved else CLOSE))
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
        return judged(written, chosen, untreated, trial)

    def _seedable(self) -> bool:
        """Whether another seed gives another run."""
        a, b = (t.main for t in self.untreated)
        if a is None or b is None or len(a.loss) != len(b.loss):
            return a is not None and b is not None
        return not np.isfinite(a.loss).any() or not np.array_equal(a.loss, b.loss, equal_nan=True)


def forget(trial: Trial) -> None:
    """Remove the record that was kept of a trial which does not stand for the program's run after all."""
    if trial.whole is not None and trial.run is not None:
        shutil.rmtree(trial.run.folder, ignore_errors=True)


def judged(written: Rewrite, chosen: Comparison, untreated: Trial, edited: Trial) -> Rewrite:
    held = replace(edited, remedies=chosen.trial.remedies)  # it holds them in its source
    return judge(written, chosen, trials.compare(untreated, held))


def overdone(untreated: Trial, shorter: Comparison, longer: Comparison) -> bool:
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

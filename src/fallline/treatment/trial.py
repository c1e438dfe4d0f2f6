"""Paired trials: the same program, seed, data order and number of updates, with and without a change."""

from __future__ import annotations

import json
import math
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from fallline.diagnosis.diagnose import Diagnosis, diagnose
from fallline.diagnosis.finding import Finding, Prescription
from fallline.diagnosis.outcome import judge
from fallline.record.race import tail
from fallline.record.run import Run, Training, read
from fallline.treatment import child
from fallline.treatment.prescribe import prescribe
from fallline.treatment.remedy import failing
from fallline.treatment.ward import Ending, alone

BUDGET = 0.10  # a trial may measure more often than a normal run: evidence is its purpose
CLEARLY = 0.05  # a loss is clearly better when it is lower by this share of the constant prediction's loss (or its own)
SOLVED = 0.1  # share of the scale of which hardly anything is left to gain
LITTLE = 0.2  # share of the scale that may be left where nothing is found any more
SQUARES = 0.5  # of these shares for a mean of squares, of which 1 − R² is the rest
MOST = 0.5  # of the updates that must be left to a remedy that leaves out some
SOUND = 0.8  # share of the last losses that must be finite: a batch that is skipped may still give NaN
UNSEEN = frozenset({"wrong-mode"})  # faults that may spoil the evaluation alone: a cure need not lower the loss
PLAIN = frozenset(  # faults to be cured also where the loss means nothing, as in a game or of a policy
    {"no-gradient", "stale-gradient", "shape-mismatch", "output-mismatch"}
)
OTHER = frozenset({"match-loss"})  # remedies under which the loss is another one
MORE = frozenset({"use-gradient"})  # remedies under which the same program may make more updates
UNDERWAY = frozenset({"plateau", "learning-rate-too-low"})  # what the loss itself tells: it is not down yet
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
DURATION = re.compile(r"\b(s|sec|seconds?|min|minutes?|time|took|elapsed)\b", re.IGNORECASE)
GRACE = 60.0  # seconds a trial may take beyond five times the untreated program


Start = Callable[[Path, float | None], Ending]


@dataclass(frozen=True)
class Program:
    """A program on disk and its arguments."""

    path: str  # of the script, or the name of a module
    args: tuple[str, ...] = ()
    module: bool = False
    source: bytes | None = None  # an edited copy, to be run in the place of what the file holds

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2] if self.module else Path(self.path).stem


@dataclass(frozen=True)
class Limits:
    """How far a trial goes; None: to the end of the program."""

    updates: int | None = None
    seconds: float | None = None  # of training
    wall: float | None = None  # of the whole process, after which it is ended
    bars: tuple[tuple[int, float], ...] = ()  # updates, and the loss above which a trial is given up there


@dataclass(frozen=True)
class Whole:
    """What the program wrote that was run to its end as it will be applied, and whether it did anything else."""

    printed: str
    complaint: str  # to standard error
    acted: bool
    edited: bool  # a copy of its source, not the live program under remedies


@dataclass(frozen=True)
class Trial:
    """One run of the program under some remedies (none: the program as it is)."""

    remedies: tuple[Prescription, ...]
    seed: int
    run: Run | None  # None where the process left no record
    diagnosis: Diagnosis | None
    exit: int
    seconds: float
    error: str = ""
    last_line: str = ""  # of what the program printed
    whole: Whole | None = None  # where it may stand for the program's run under what was chosen
    ill: int | None = None  # the number of the training that the program as it is fails in; None: the longest

    @property
    def main(self) -> Training | None:
        """The training that is held against the others'."""
        trainings = self.run.trainings if self.run is not None else ()
        if self.ill is not None:
            return trainings[self.ill] if self.ill < len(trainings) else None
        return max(trainings, key=lambda t: len(t.loss), default=None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found in it, the first cause first."""
        return self.diagnosis.findings if self.diagnosis is not None else ()

    @property
    def failing(self) -> int | None:
        """The number of the training in which the first finding stands, of several that come one after the other."""
        return failing(self.findings[0], self.run) if self.findings and self.run is not None else None

    @property
    def told(self) -> tuple[str, float] | None:
        """What the program said last: its words, and the last number among them; None without one, or of a duration."""
        numbers = NUMBER.findall(self.last_line)
        words = NUMBER.sub("", self.last_line)
        return (words, float(numbers[-1])) if numbers and not DURATION.search(words) else None

    @property
    def idle(self) -> bool:
        """The program ended well without any update, as one does that finds its training done by an earlier run."""
        return self.run is not None and not self.exit and not len(self.run.steps)

    @property
    def other(self) -> bool:
        """Its loss is another one than the program's."""
        return any(remedy.name in OTHER for remedy in self.remedies)

    @property
    def floorless(self) -> bool:
        """Its loss falls below every bound."""
        return any("floorless" in finding.evidence for finding in self.findings)

    def codes(self, *severities: str) -> set[str]:
        return {f.code for f in self.findings if not severities or f.severity in severities}


def run(
    program: Program,
    remedies: Sequence[Prescription],
    seed: int,
    limits: Limits,
    root: Path,
    keep: bool = False,
    start: Start = alone,
    whole: bool = False,
) -> Trial:
    """Run one trial in a process of its own and read what it recorded.

    ``keep``: leave its record under ``root``. ``start``: what runs the process, given a description and a time limit.
    ``whole``: keep what it printed, and see whether it does anything else.
    """
    spec = {
        "program": program.path, "args": list(program.args), "module": program.module, "seed": seed,
        "remedies": [asdict(r) for r in remedies], "limit": limits.updates, "seconds": limits.seconds,
        "budget": BUDGET, "name": program.name, "bars": limits.bars,
        "whole": whole,
    }  # fmt: skip
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fallline-") as folder:
        spec["root"] = str(root.absolute()) if keep else folder
        file = Path(folder) / "spec.json"
        file.write_text(json.dumps(spec))
        if program.source is not None:
            file.with_name(child.EDITED).write_bytes(program.source)
        ended = start(file, limits.wall)
        seconds = time.perf_counter() - started
        where = file.with_name(child.FOLDER)
        recorded = read(where.read_text()) if where.is_file() else None
        acted = file.with_name(child.EFFECTS).exists()
        kept = Whole(ended.printed, ended.complaint, acted, program.source is not None) if whole else None
    judged = prescribe(diagnose(recorded), recorded) if recorded is not None else None
    last = ended.printed.strip().rpartition("\n")[2][:200]
    return Trial(tuple(remedies), seed, recorded, judged, ended.status, seconds, ended.complaint[-2000:], last, kept)


def end_loss(trial: Trial, updates: int, most: int | None = None) -> float:
    """Median loss over the last tenth of the first ``updates`` updates; infinite where there is no finite one.

    ``most``: over so many at most.
    """
    training = trial.main
    if training is None or not len(training.loss):
        return math.inf
    loss = training.loss[:updates]
    if len(loss) < 0.9 * updates:
        return math.inf
    last = loss[-min(tail(len(loss)), most or len(loss)) :]
    finite = last[np.isfinite(last)]
    return float(np.median(finite)) if len(finite) >= SOUND * len(last) else math.inf


@dataclass(frozen=True)
class Comparison:
    """A trial held against the untreated program with the same seed.

    Where a remedy makes the loss another one, against a constant prediction under that loss, or where it began.
    """

    trial: Trial
    updates: int
    before: float  # loss at the end, untreated
    after: float  # the same under the remedies
    scale: float  # what a difference is measured by
    cleared: tuple[str, ...]
    new: tuple[str, ...]
    strict: float = 1.0  # factor of what may be left
    mended: bool | None = None  # where the loss means nothing and the cause is plain without it: whether that is gone
    unseen: bool = False  # the fault may spoil the evaluation alone

    @property
    def rest(self) -> float:
        """What is left of the loss, as a share of the scale; nothing of one that means nothing, once mended."""
        return 0.0 if self.mended and self.better else self.after / self.scale

    @property
    def lost(self) -> bool:
        """It was given up on the way, because others were ahead."""
        return self.trial.run is not None and bool(self.trial.run.meta.get("lost"))

    @property
    def better(self) -> bool:
        """Clearly lower at the same number of updates, and nothing new broke."""
        if self.lost or (self.trial.other and not self.cleared):
            return False
        if self.mended is not None:
            return self.mended and math.isfinite(self.after) and not self.new
        broke = self.new and not self.solved
        unseen = self.unseen and not self.new and self.gain > -CLEARLY and not UNSEEN.isdisjoint(self.cleared)
        return (self.gain > CLEARLY and not broke) or unseen

    @property
    def gain(self) -> float:
        """Improvement as a share of the scale; infinite losses count as one scale above it."""
        if not math.isfinite(self.after):
            return -math.inf
        before = self.before if math.isfinite(self.before) else 2 * self.scale
        return (min(before, 2 * self.scale) - self.after) / self.scale

    @property
    def enough(self) -> bool:
        """It is better, and there is hardly anything left to gain, or to find; a larger rate may be larger still."""
        rest = LITTLE * self.strict
        return self.better and (self.solved or (self.healthy and self.rest < rest and not self.raised))

    @property
    def raised(self) -> bool:
        """Whether the remedies raise the learning rate."""
        return any(remedy.args.get("factor", 0.0) > 1 for remedy in self.trial.remedies)

    @property
    def healthy(self) -> bool:
        """It is better, nothing is found any more, and the last quarter of the updates made it hardly any better."""
        falls = end_loss(self.trial, 3 * self.updates // 4) - self.after > CLEARLY * self.scale
        return self.better and not falls and not self.trial.codes("error", "warning")

    @property
    def solved(self) -> bool:
        """Hardly anything of the loss is left to gain."""
        return math.isfinite(self.after) and self.rest < SOLVED * self.strict


def _since_spikes(untreated: Trial, updates: int) -> int | None:
    """Updates after the last spike, where spikes are a finding: those before it do not tell how it ended."""
    training = untreated.main
    last = max((f.steps[1] for f in untreated.findings if f.code == "loss-spike" and f.steps is not None), default=None)
    if last is None or training is None:
        return None
    after = updates - 1 - int(np.searchsorted(training.steps["step"], last))
    return after if after > 0 else None


def _mended(untreated: Trial, trial: Trial) -> bool | None:
    """Whether the first fault went by a remedy for it; None where it is not plain without the loss."""
    first = next(iter(untreated.findings), None)
    if first is None or first.code not in PLAIN:
        return None
    aimed = not {r.name for r in trial.remedies}.isdisjoint(r.name for r in first.remedies)
    return aimed and first.code not in trial.codes("error", "warning")


def _unseen(untreated: Trial) -> bool:
    """Whether a fault may not show in the loss; that of a batch norm over few samples does."""
    return any(f.code in UNSEEN and "values" not in f.evidence for f in untreated.findings)


def compare(untreated: Trial, trial: Trial) -> Comparison:
    """Hold a trial against the untreated program."""
    trial = replace(trial, ill=untreated.ill)
    base, other = untreated.main, trial.main
    lengths = [len(t.loss) for t in (base, other) if t is not None and len(t.loss)]
    few = other is not None and base is not None and len(other.loss) < MOST * len(base.loss)
    if other is not None and few:  # a program may stop once it has arrived
        few = not end_loss(trial, len(other.loss)) < SOLVED * end_loss(untreated, len(other.loss))
    whole = trial.exit != 0 or few or not MORE.isdisjoint(remedy.name for remedy in trial.remedies)
    updates = max(lengths, default=0) if whole else min(lengths, default=0)
    most = _since_spikes(untreated, updates)
    before = end_loss(untreated, len(base.loss) if base is not None else 0, most)
    if base is not None and len(base.loss) >= updates > 0:
        before = end_loss(untreated, updates, most)
    judged = other if trial.other else base
    outcome = judge(judged) if judged is not None and len(judged.loss) else None
    trivial, first = (outcome.trivial, outcome.first) if outcome is not None else (None, 1.0)
    if trial.other:
        before = trivial or first
    if not math.isfinite(first) and other is not None and len(other.loss):  # it never was: then where the trial began
        first = judge(other).first
    reference = trivial or (before if math.isfinite(before) else first)
    scale = abs(reference) if math.isfinite(reference) and reference else 1.0
    squares = judged is not None and any(sight["kind"] == "mse" for sight in judged.sights)
    after = end_loss(trial, updates, most)
    if untreated.floorless:  # less is not better there
        scale = abs(first) or 1.0
        slower = bool(trial.remedies) and all(r.args.get("factor", 1.0) < 1 for r in trial.remedies)  # it falls later
        before, after = math.inf, math.inf if slower or after < -scale else after
    now, then = trial.codes("error", "warning"), untreated.codes("error", "warning")
    return Comparison(
        trial, updates, before, after, scale,
        tuple(sorted(then - now)), tuple(sorted(trial.codes("error") - then - UNDERWAY)),
        SQUARES if squares else 1.0,
        _mended(untreated, trial) if outcome is not None and outcome.contested else None, _unseen(untreated),
    )  # fmt: skip

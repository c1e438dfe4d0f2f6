"""What may be tried on a program: the remedies of its findings, and what is added to those that help."""

from __future__ import annotations

from collections.abc import Sequence

from fallline.diagnosis.finding import Prescription
from fallline.treatment.remedies import RARE
from fallline.treatment.remedies.learning_rate import LearningRate
from fallline.treatment.trial import Comparison, Trial

SINGLES = 16  # remedies tried one by one
PAIRS = 4  # combinations of two

RATE = LearningRate()
LAST = frozenset(remedy.name for remedy in RARE)  # tried only where none before is better than no remedy

# Remedies that set the same thing: no use together.
RIVALS = (
    {"initialise", "activation"}, {"optimizer", "learning-rate"}, {"optimizer", "momentum"}, {"shortcut", "normalise"},
    {"initialise", "unit-variance"}, {"activation", "unit-variance"}, {"clip-gradient", "clip-value"},
    {"clip-gradient", "adaptive-clip"}, {"clip-value", "adaptive-clip"},
)  # fmt: skip


def candidates(untreated: Trial) -> list[Prescription]:
    """The remedies of all findings: those of the root cause first, then of what follows from it, then the rare ones."""
    findings = untreated.findings
    found: dict[str, Prescription] = {}
    for finding in findings:
        if finding.severity == "info":
            continue
        for remedy in finding.remedies:
            found.setdefault(f"{remedy.name} {sorted(remedy.args.items(), key=str)}", remedy)
    return sorted(found.values(), key=lambda remedy: remedy.name in LAST)[:SINGLES]


def with_companions(remedies: Sequence[Prescription]) -> list[tuple[Prescription, ...]]:
    """Each alone, and inputs and targets scaled together right after each of them alone."""
    both = [next((r for r in remedies if r.name == name), None) for name in ("scale-inputs", "scale-targets")]
    found: list[tuple[Prescription, ...]] = [(r,) for r in remedies]
    pair = tuple(r for r in both if r is not None)
    if len(pair) == len(both):
        found.insert(1 + max(found.index((r,)) for r in pair), pair)
    return found


def further(best: Comparison) -> list[tuple[Prescription, ...]]:
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


def faster(best: Comparison) -> list[tuple[Prescription, ...]]:
    """A remedy that raised the learning rate, not far enough yet, with still larger ones."""
    taken, run = best.trial.remedies, best.trial.run
    if not best.raised or best.enough or run is None:
        return []
    doses = [[RATE.further(r, dose) if r.name == RATE.name else r for r in taken] for dose in RATE.faster(run)]
    return [tuple(r for r in more if r is not None) for more in doses if None not in more]


def describe(remedies: Sequence[Prescription]) -> str:
    """The remedies in a few words."""
    return " + ".join(remedy.why for remedy in remedies)

"""AUTOTRAINER's policy on an unmodified program, as a baseline for ``fallline fix``.

usage: python benchmarks/autotrainer.py SCRIPT

Zhang, Zhai, Ma and Shen, "AUTOTRAINER: An Automatic DNN Training Problem Detection and Repair System", ICSE 2021. It
knows five symptoms and has a fixed list of repairs for each, which it tries in order, each in a full retraining from
scratch, until a training shows no symptom any more. Its default order, "balance" in the code that the authors
published (github.com/shiningrain/AUTOTRAINER, utils/repair.py), with the tries of each repair:

    vanishing gradient   SELU, ReLU, batch normalisation
    exploding gradient   SELU, ReLU, clipping ×2, tanh, batch normalisation
    dying ReLU           SELU, batch normalisation, other initial weights ×3, leaky ReLU and its kin ×3
    oscillating loss     Adam, learning rate ×0.1, ×0.01, ×0.001, rate reduced on a plateau, larger batches ×3,
                         SGD with momentum ×3, Gaussian noise on the inputs
    slow convergence     another optimizer ×3, learning rate ×10, ×100, ×1000

The first three go before the other two. Where no repair leaves the training without symptom, but some take away the one
at hand and show another, the best of these is kept and the list of the other symptom tried on top of it, no symptom
twice. A program that is not repaired is left alone: exit status 4, as of ``fallline fix``.

Only this policy is AUTOTRAINER's. Its thresholds on accuracy cannot be read off a program from outside: a symptom is
here an alarm of fallline's, which finds more of them than it does. Repairs go through fallline's remedies: layer for
batch normalisation, clipping by norm for clipping by value; what cannot be done from outside (the rate reduced on a
plateau, batch size, noise) and ELU and thresholded ReLU are left out.
"""

from __future__ import annotations

import functools
import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Run
from fallline.treatment import trial as trials
from fallline.treatment.remedies import BY_NAME, layers
from fallline.treatment.trial import Limits, Program, Trial, end_loss
from fallline.treatment.ward import Ward, alone

Change = tuple[Prescription, ...]

SYMPTOMS = {  # in the order in which they are taken up; which alarms of fallline's are it
    "vanishing gradient": {"vanishing-gradient", "saturated-units", "bad-initialisation"},
    "exploding gradient": {"exploding-gradient", "non-finite"},
    "dying ReLU": {"dead-units"},
    "oscillating loss": {"oscillating-loss", "loss-spike", "learning-rate-too-high"},
    "slow convergence": {
        "learning-rate-too-low", "plateau", "saddle-point", "local-minimum", "ill-conditioned", "symmetric-units",
    },
}  # fmt: skip
CLIP = (10.0, 9.0)  # its draw is from 9 to 10
DEFAULTS = {"SGD": 0.01, "Adam": 1e-3, "NAdam": 2e-3, "Adamax": 2e-3, "RMSprop": 1e-3}  # rates, those of Keras
LEFT_ALONE = 4
SCHEMES = (("kaiming", "relu"), ("xavier", "linear"), ("lecun", "linear"))


def symptom(trial: Trial) -> str | None:
    """The symptom that a training shows, the most important one where there are several."""
    alarms = trial.codes("error", "warning")
    return next((name for name, codes in SYMPTOMS.items() if codes & alarms), None)


# -- its repairs, each a list of tries ---------------------------------------------------------------------------------


def _dose(remedy: str, code: str, run: Run) -> Prescription | None:
    """The first dose of a remedy as fallline would prescribe it: the layers that it concerns stand in it."""
    finding = Finding(code, "error", "", "", "", "")
    return next(iter(BY_NAME[remedy].propose(finding, run)), None)


def _activation(to: str, run: Run, draw: random.Random) -> list[Change]:
    dose = _dose("activation", "vanishing-gradient", run)
    return [(replace(dose, args=dose.args | {"to": to}),)] if dose is not None else []


def _normalisation(run: Run, draw: random.Random) -> list[Change]:
    dose = _dose("normalise", "vanishing-gradient", run)
    return [(dose,)] if dose is not None else []


def _clipping(run: Run, draw: random.Random) -> list[Change]:
    return [(Prescription("clip-gradient", {"max_norm": norm}, f"clipping at {norm:g}"),) for norm in CLIP]


def _weights(run: Run, draw: random.Random) -> list[Change]:
    dose = _dose("initialise", "dead-units", run)
    if dose is None:
        return []
    schemes = draw.sample(SCHEMES, len(SCHEMES))
    hidden = {layers.weight(run, layer) for layer in layers.hidden(run)}  # it leaves the last layer as it is
    return [
        (replace(dose, args=dose.args | {"weights": {name: list(scheme) for name in hidden}}),) for scheme in schemes
    ]


def _exchange(to: str, run: Run) -> list[Change]:
    kinds = {training.optimizer.kind for training in run.trainings}
    if not kinds or kinds & {to, "by hand"}:
        return []
    args = {"to": to, "lr": DEFAULTS[to], "instead_of": sorted(kinds)[0]}
    return [(Prescription("optimizer", args, f"{to} with its defaults"),)]


def _adam(run: Run, draw: random.Random) -> list[Change]:
    return _exchange("Adam", run)


def _another_optimizer(run: Run, draw: random.Random) -> list[Change]:
    return [change for kind in draw.sample(sorted(DEFAULTS), len(DEFAULTS)) for change in _exchange(kind, run)][:3]


def _rate(power: int, run: Run, draw: random.Random) -> list[Change]:
    factors = [10.0 ** (power * i) for i in (1, 2, 3)]
    return [(Prescription("learning-rate", {"factor": f, "lr": None}, f"learning rate ×{f:g}"),) for f in factors]


def _momentum(run: Run, draw: random.Random) -> list[Change]:
    sgd = _exchange("SGD", run)
    if not sgd and {training.optimizer.kind for training in run.trainings} != {"SGD"}:
        return []
    values = [round(draw.uniform(0.01, 0.9), 2) for _ in range(3)]
    return [
        (*(sgd[0] if sgd else ()), Prescription("momentum", {"momentum": value}, f"momentum {value}"))
        for value in values
    ]


Repair = Callable[[Run, random.Random], list[Change]]
SELU, RELU, TANH, LEAKY = (functools.partial(_activation, name) for name in ("selu", "relu", "tanh", "leaky_relu"))
LOWER, HIGHER = functools.partial(_rate, -1), functools.partial(_rate, 1)
REPAIRS: dict[str, tuple[Repair, ...]] = {
    "vanishing gradient": (SELU, RELU, _normalisation),
    "exploding gradient": (SELU, RELU, _clipping, TANH, _normalisation),
    "dying ReLU": (SELU, _normalisation, _weights, LEAKY),
    "oscillating loss": (_adam, LOWER, _momentum),
    "slow convergence": (_another_optimizer, HIGHER),
}


# -- its policy --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Repaired:
    """What came of it."""

    change: Change | None  # None: not repaired
    tried: int  # trainings


def repair(retrain: Callable[[Change], Trial], seed: int) -> Repaired:
    """Try its repairs in its order; ``retrain`` makes a full training with a change."""
    base, treated = retrain(()), list[str]()
    tried, draw = 0, random.Random(seed)
    while (now := symptom(base)) is not None and now not in treated and base.run is not None:
        treated.append(now)
        without: list[Trial] = []  # this symptom, but with another
        for change in (change for repair in REPAIRS[now] for change in repair(base.run, draw)):
            trial = retrain(base.remedies + change)
            tried += 1
            left = symptom(trial)
            if trial.run is not None and trial.exit == 0 and left is None:
                return Repaired(trial.remedies, tried)
            if trial.run is not None and trial.exit == 0 and left != now:
                without.append(trial)
        if not without:
            break
        base = min(without, key=_final_loss)
    return Repaired(None, tried)


def _final_loss(trial: Trial) -> float:
    return end_loss(trial, len(trial.main.loss) if trial.main is not None else 0)


def main(arguments: Sequence[str]) -> int:
    """Repair a script, then run it whole; its output is this one's, and what was done goes to standard error.

    The random draws follow the environment's SEED, as the programs of the corpus do.
    """
    program = Program(arguments[0])
    limits = Limits()

    with tempfile.TemporaryDirectory() as folder, Ward(Path(program.path)) as ward:

        def retrain(change: Change) -> Trial:
            nonlocal limits
            done = trials.run(program, change, 0, limits, Path(folder), start=ward.run)
            if limits.wall is None:
                limits = Limits(wall=5 * done.seconds + trials.GRACE)
            return done

        found = repair(retrain, int(os.environ.get("SEED", "0")))
        names = " + ".join(dose.why for dose in found.change) if found.change else "nothing"
        print(f"AUTOTRAINER: {found.tried} trainings, then {names}", file=sys.stderr)
        if not found.change:
            return LEFT_ALONE
        full = functools.partial(alone, passthrough=True)
        return trials.run(program, found.change, 0, Limits(), Path(folder), start=full).exit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

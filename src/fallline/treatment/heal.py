"""Healing while training: go back to the last good state, try remedies from there on copies, go on with the best.

A remedy is taken only if after the same number of updates from the same state it does clearly better than going on
without it. So a finding that is a false alarm costs time and changes nothing.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from fallline.descent.fit import Settings, Trainer, evaluate, random_state, set_random_state
from fallline.diagnosis.finding import Finding, Prescription, text
from fallline.objective.batches import Examples
from fallline.objective.network import Description

FIRST, GROWTH = 100, 3  # updates before the first look at the record, and the factor from one look to the next
UPDATES = (100, 500)  # of a trial, at least and at most
SHARE = 0.5  # of the training's time so far that one round of trials may take, and
GRACE = 30.0  # seconds more
OPTIONS = 8  # prescribed remedies tried in one round
ROUNDS = 4  # in one training
CLEARLY = 0.9  # of the regret without a remedy: one that is taken leaves no more
USUAL = "adam"
DEEP, SHALLOW = 12, 3  # hidden layers from which on a shallower network is tried, and those it has


@dataclass(frozen=True)
class Plan:
    """What of a training can be changed."""

    description: Description | None  # None: the network is the user's own
    settings: Settings
    scale: bool


@dataclass(frozen=True)
class Option:
    """One change of the plan."""

    name: str
    why: str
    plan: Plan
    fresh: bool = False  # with new weights


@dataclass(frozen=True)
class Tried:
    """How an option did: ``regret`` is the loss of classes, or 1 − R² of numbers, after the trial."""

    name: str
    why: str
    regret: float


@dataclass(frozen=True)
class Intervention:
    """One round of healing."""

    step: int  # updates made when the findings arose
    back_to: int  # updates of the state from which the remedies were tried
    updates: int  # of each trial
    findings: tuple[str, ...]  # titles
    untreated: float  # regret without a remedy
    trials: tuple[Tried, ...]
    chosen: str | None  # what was changed; None: nothing was clearly better

    def as_json(self) -> dict[str, Any]:
        """Numbers that JSON cannot hold become text."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples become lists, as they do in the record
        for part in (data, *data["trials"]):
            part.update({k: str(v) for k, v in part.items() if isinstance(v, float) and not math.isfinite(v)})
        return data


# -- what can be tried -------------------------------------------------------------------------------------------------


def options(findings: Iterable[Finding], plan: Plan, rate: float) -> list[Option]:
    """What may help: what this training's own settings suggest, then the remedies, those of the root cause first.

    Args:
        findings: with their remedies.
        plan: as it is.
        rate: the learning rate now.
    """
    known = suspicions(plan) + _usual(plan)
    prescribed = [translate(remedy, plan, rate) for finding in findings for remedy in finding.remedies]
    different: dict[str, Option] = {}
    for option in known + [option for option in prescribed if option is not None]:
        if option.plan != plan:
            different.setdefault(repr(option.plan), option)
    return list(different.values())[: len(known) + OPTIONS]


def suspicions(plan: Plan) -> list[Option]:
    """What is known to be in the way before anything was trained."""
    described, found = plan.description, []
    if described is not None and described.output != "none":
        without = replace(plan, description=replace(described, output="none"))
        found.append(Option("output-activation", f"no {described.output} after the last layer", without, True))
    if described is not None and not plan.scale:  # a network of the user's own expects what its program gives it
        found.append(Option("scale", "inputs brought to mean 0 and variance 1", replace(plan, scale=True), True))
    return found


def _usual(plan: Plan) -> list[Option]:
    """Another optimizer at the rate that suits most networks."""
    settings = replace(plan.settings, optimizer=USUAL, lr=None, options={})
    found = [Option("optimizer", "Adam with its usual learning rate", replace(plan, settings=settings), True)]
    if plan.description is not None:
        described = replace(plan.description, activation="relu", init="kaiming", normalise="batch")
        both = Plan(described, settings, plan.scale)
        found.append(
            Option("network", "batch normalisation, ReLU and Kaiming weights, Adam with its usual rate", both, True)
        )
        if len(plan.description.hidden) >= DEEP:
            less = replace(plan.description, hidden=plan.description.hidden[:SHALLOW])
            why = f"a shallower network: {SHALLOW} of the {len(plan.description.hidden)} hidden layers"
            found.append(Option("depth", why, replace(plan, description=less), True))
    return found


def translate(remedy: Prescription, plan: Plan, rate: float) -> Option | None:
    """A remedy as a change of the plan; None where it has no meaning here."""
    change = _CHANGES.get(remedy.name)
    return change(remedy, plan, rate) if change is not None else None


def _rate(remedy: Prescription, plan: Plan, rate: float) -> Option:
    lr = rate * float(remedy.args["factor"])
    why = f"learning rate {text(lr)} instead of {text(rate)}"
    return Option(remedy.name, why, replace(plan, settings=replace(plan.settings, lr=lr)))


def _clip(remedy: Prescription, plan: Plan, rate: float) -> Option:
    return Option(
        remedy.name, remedy.why, replace(plan, settings=replace(plan.settings, clip=float(remedy.args["max_norm"])))
    )


def _momentum(remedy: Prescription, plan: Plan, rate: float) -> Option:
    changed = {**plan.settings.options, "momentum": float(remedy.args["momentum"])}
    return Option(remedy.name, remedy.why, replace(plan, settings=replace(plan.settings, options=changed)))


def _optimizer(remedy: Prescription, plan: Plan, rate: float) -> Option:
    settings = replace(plan.settings, optimizer=str(remedy.args["to"]).lower(), lr=float(remedy.args["lr"]), options={})
    return Option(remedy.name, remedy.why, replace(plan, settings=settings))


def _initialise(remedy: Prescription, plan: Plan, rate: float) -> Option | None:
    if plan.description is None:
        return None
    kinds = {str(kind[0]) for kind in remedy.args["weights"].values()}
    init = next((known for known in ("kaiming", "orthogonal", "xavier") if known in kinds), "xavier")
    return Option(remedy.name, remedy.why, replace(plan, description=replace(plan.description, init=init)), True)


def _activation(remedy: Prescription, plan: Plan, rate: float) -> Option | None:
    if plan.description is None:
        return None
    described = replace(plan.description, activation=str(remedy.args["to"]), init="kaiming")
    return Option(remedy.name, remedy.why, replace(plan, description=described), True)


def _normalise(remedy: Prescription, plan: Plan, rate: float) -> Option | None:
    if plan.description is None:
        return None
    described = replace(plan.description, normalise="layer")
    return Option(remedy.name, remedy.why, replace(plan, description=described), True)


_CHANGES: dict[str, Callable[[Prescription, Plan, float], Option | None]] = {
    "learning-rate": _rate, "clip-gradient": _clip, "momentum": _momentum, "optimizer": _optimizer,
    "initialise": _initialise, "activation": _activation, "normalise": _normalise,
}  # fmt: skip


# -- trying ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Good:
    """A state to go back to, with copies of its tensors."""

    state: dict[str, Any]
    plan: Plan

    @property
    def updates(self) -> int:
        """Made before it."""
        return int(self.state["position"]["updates"])


def carry(trainer: Trainer, good: Good, option: Option | None) -> None:
    """Bring a new trainer to a good state, as far as the option keeps it."""
    if option is not None and option.fresh:
        return
    if option is None or option.plan.settings.optimizer == good.plan.settings.optimizer:
        wanted = [{k: v for k, v in group.items() if k != "params"} for group in trainer.optimizer.param_groups]
        trainer.restore(good.state)
        for group, settings in zip(trainer.optimizer.param_groups, wanted, strict=True):
            if option is not None:
                group.update(settings)
        return
    schedule = trainer.schedule.state() if trainer.schedule is not None else None
    trainer.restore({**good.state, "optimizer": trainer.optimizer.state_dict(), "schedule": schedule})


def regret(trainer: Trainer) -> float:
    """Loss of classes, or 1 − R² of numbers, of the validation part (or some of the training part): less is better."""
    data = trainer.data
    part = data.validation
    if part is None:
        part = Examples(data.train.x[:2000], data.train.y[:2000]) if isinstance(data.train, Examples) else data.train
    loss, score = evaluate(trainer.model, part, trainer.loss, data)
    value = loss if data.task.kind == "classes" else 1 - score
    return value if math.isfinite(value) else math.inf


def attempt(make: Callable[[Plan], Trainer], good: Good, option: Option | None, updates: int) -> float:
    """The regret after so many updates from the good state; infinite where the loss is not finite."""
    now = random_state()
    try:
        trainer = make(option.plan if option is not None else good.plan)
        carry(trainer, good, option)
        target = trainer.position.updates + updates
        while trainer.ended is None and trainer.position.updates < target:
            trainer.advance(updates=target)
        if trainer.ended is not None and trainer.ended.startswith("the loss became"):
            return math.inf
        return regret(trainer)
    finally:
        set_random_state(now)  # the training goes on as if nothing had been tried


def heal(
    make: Callable[[Plan], Trainer], trainer: Trainer, good: Good, plan: Plan, findings: Iterable[Finding]
) -> tuple[Intervention, Option | None]:
    """One round: try what may help from the good state on, and choose.

    Args:
        make: gives a new trainer for a plan, on copies of everything, that records nothing.
        trainer: the sick one; it is left alone.
        good: where it was last well.
        plan: its own.
        findings: errors and warnings, with their remedies.

    Returns what was tried, and what to change; None where nothing is clearly better.
    """
    found = list(findings)
    rate = float(trainer.optimizer.param_groups[0]["lr"])
    ways = options(found, plan, rate)
    started = time.perf_counter()
    updates = UPDATES[0]
    untreated = attempt(make, good, None, updates)
    longer = _length(trainer, good, (time.perf_counter() - started) / updates * (len(ways) + 1))
    if longer != updates:
        updates, untreated = longer, attempt(make, good, None, longer)
    tried = [Tried(way.name, way.why, attempt(make, good, way, updates)) for way in ways]
    best = min(range(len(tried)), key=lambda place: tried[place].regret, default=None)
    chosen = None
    if best is not None and math.isfinite(tried[best].regret) and tried[best].regret <= CLEARLY * untreated:
        chosen = ways[best]
    titles = tuple(dict.fromkeys(finding.title for finding in found)) or tuple(way.why for way in suspicions(plan))
    return Intervention(
        trainer.position.updates, good.updates, updates, titles, untreated, tuple(tried), chosen.why if chosen else None
    ), chosen


def _length(trainer: Trainer, good: Good, each: float) -> int:
    """Updates of a trial, so that a round stays within its share of the time; ``each``: seconds of one, all trials."""
    fewest, most = UPDATES
    position = trainer.position
    wanted = min(most, max(fewest, position.updates - good.updates))
    affordable = (SHARE * position.seconds + GRACE) / max(each, 1e-9)
    return int(max(fewest / 4, min(wanted, affordable)))

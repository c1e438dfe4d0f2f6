"""The course of a training: checkpoints, a look at its health now and then, and healing."""

from __future__ import annotations

import copy
import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from fallline.descent import checkpoint, journal
from fallline.descent.fit import Settings, Trainer
from fallline.descent.journal import Journal
from fallline.descent.saved import Origin
from fallline.diagnosis.diagnose import diagnose
from fallline.diagnosis.finding import Finding
from fallline.objective.data import Data, Split
from fallline.objective.loss import Loss
from fallline.objective.mistake import InputError
from fallline.objective.task import Kind
from fallline.record.run import read
from fallline.record.store import FILE as RECORD
from fallline.record.store import append
from fallline.treatment import heal
from fallline.treatment.heal import Good, Option, Plan
from fallline.treatment.prescribe import prescribe

REQUEST = "fit.json"
BEFORE = "before"  # folders in the run's own that hold the record before each intervention
STRETCH = 0.1  # seconds of training between two looks at it
SAVE_EVERY = 1.0  # seconds at least between two checkpoints …
SHARE = 0.03  # … and of the training's time that they may take
VERSION = 1

Look = Callable[[Trainer], None]
Load = Callable[[bool], Data]  # whether to scale


@dataclass(frozen=True)
class Request:
    """What a user asked for, as far as it can be written down."""

    source: str | None = None  # a file or a bundled set; None for objects of a program
    target: str | None = None
    kind: Kind | None = None
    validation: float | None = None
    test: float | None = None
    scale: bool | None = None
    origin: Origin = field(default_factory=Origin)
    settings: Settings = field(default_factory=Settings)
    heal: bool = False

    def split(self, table: bool) -> Split:
        """What is kept back, by default."""
        test = self.test if self.test is not None else (Split.test if table else 0.0)
        held = self.validation if self.validation is not None else Split.validation
        return Split(held, test, self.settings.seed)

    def as_json(self) -> dict[str, Any]:
        """For :meth:`from_json`."""
        return {**asdict(self), "origin": self.origin.as_json(), "settings": self.settings.as_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Request:
        """What :meth:`as_json` gave."""
        origin, settings = Origin.from_json(data["origin"]), Settings(**data["settings"])
        return cls(**{**data, "origin": origin, "settings": settings})


def write_request(folder: Path, request: Request) -> None:
    data = {"version": VERSION, "request": request.as_json()}
    checkpoint.write(folder / REQUEST, json.dumps(data, indent=1).encode())


def keep(folder: Path, **values: Any) -> None:
    """Add entries to a finished run."""
    append(folder, "meta", [(key, json.dumps(value)) for key, value in values.items()])


def requested(folder: Path) -> Request:
    """What the run in a folder was asked for.

    Raises:
        InputError: it is no run of ``fallline fit``.
    """
    try:
        data = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no training that can be gone on with: {error}") from error
    return Request.from_json(data["request"])


def resumed(request: Request, folder: Path | None) -> Request:
    """A request with what healing changed in the run that is gone on with."""
    if folder is None:
        return request
    before = requested(folder)
    if before.origin == request.origin and before.settings == request.settings:
        return request
    settings = replace(before.settings, epochs=request.settings.epochs or before.settings.epochs)
    return replace(request, origin=before.origin, settings=settings, scale=before.scale)


class _Health:
    """What the checks say while the training goes on, as often as its share of the time allows."""

    def __init__(self, writer: Journal) -> None:
        self.writer = writer
        self._due = time.perf_counter() + 0.5

    def look(self, trainer: Trainer) -> None:
        """Say it in ``trainer.health`` if it is time."""
        started = time.perf_counter()
        if started < self._due:
            return
        self.writer.store.sync()
        found = [f for f in diagnose(read(self.writer.folder)).findings if f.severity != "info"]
        trainer.health = f"! {found[0].title}" if found else "✓ healthy"
        self._due = time.perf_counter() + max(1.0, (time.perf_counter() - started) / SHARE)


class _Saver:
    """Writes checkpoints, as often as their share of the time allows."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.fingerprint = course.trainer.data.train.fingerprint()
        self._due = time.perf_counter() + SAVE_EVERY / 4
        self._failed = False

    def save_if_due(self) -> None:
        """Write one if it is time."""
        if self.course.writer is not None and time.perf_counter() >= self._due:
            self.save()

    def save(self) -> None:
        """Write one now; what the record holds up to here is on the disk before it."""
        trainer, writer = self.course.trainer, self.course.writer
        if writer is None or self._failed:
            return
        started = time.perf_counter()
        tree = {**trainer.state(), "fingerprint": self.fingerprint, "interventions": self.course.interventions}
        tree["healer"] = self.course.healer.state() if self.course.healer is not None else None
        writer.store.sync()
        try:
            checkpoint.save(writer.folder / checkpoint.FILE, tree)
        except OSError as error:
            self._failed = True
            trainer.notes.append(f"no further checkpoint: {error}; the training cannot be gone on with from here")
        cost = time.perf_counter() - started
        self._due = time.perf_counter() + max(SAVE_EVERY, cost / SHARE)


class Course:
    """One training from its beginning, or from a checkpoint, to its end; healing may replace its trainer.

    Args:
        request: what was asked for; healing changes it.
        load: gives the data, scaled or as they are.
        scale: whether ``data`` are scaled.
        data: what is trained on at first.
        model: the network, where it is an object of the user's.
        loss: of the user's own.
        writer: of the record; None records nothing, and heals nothing.
        budget: share of the training's time that watching may take.
    """

    def __init__(
        self, request: Request, load: Load, scale: bool, data: Data, model: nn.Module | None, loss: Loss | None,
        writer: Journal | None, budget: float,
    ) -> None:  # fmt: skip
        self.request, self.writer, self.model, self.loss, self.budget = request, writer, model, loss, budget
        self._load, self._data = load, {scale: data}
        self.plan = Plan(request.origin.description, request.settings, scale)
        self._pristine = copy.deepcopy(model) if model is not None and request.heal and writer is not None else None
        self.interventions: list[dict[str, Any]] = []
        self.healer: _Healer | None = None
        self.trainer = self._trainer(self.plan, writer, model)

    def data(self, scale: bool) -> Data:
        """The data, scaled or as they are."""
        if scale not in self._data:
            self._data[scale] = self._load(scale)
        return self._data[scale]

    def _trainer(self, plan: Plan, writer: Journal | None, model: nn.Module | None) -> Trainer:
        data = self.data(plan.scale)
        if model is None:
            origin = Origin(plan.description, self.request.origin.factory)
            model = origin.make(data.width, data.task.outputs, plan.settings.seed)
        return Trainer(model, data, plan.settings, writer, self.loss)

    def _copy(self, plan: Plan) -> Trainer:
        """A trainer for a trial."""
        settings = replace(plan.settings, threads=self.trainer.threads)
        return self._trainer(replace(plan, settings=settings), None, copy.deepcopy(self._pristine))

    def run(self, state: Any, argv: list[str], look: Look | None) -> None:
        """Train to the end, a stretch at a time; whatever ends it, the last state is on the disk."""
        if state is not None:
            self.trainer.restore(state)
            self.interventions = state["interventions"]
        self._begin(argv)
        if self.writer is not None and state is None:
            write_request(self.writer.folder, self.request)
        self.healer = healer = _Healer(self) if self.request.heal and self.writer is not None else None
        if healer is not None and state is not None and state["healer"] is not None:
            healer.restore(state["healer"])
        error = None
        try:
            self._advance(healer, look)
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"
            if self.writer is not None:
                done, name = self.trainer.position.updates, self.writer.folder.name
                raised.add_note(f"stopped after {done} updates; go on with --resume {name}")
            raise
        finally:
            self._saver.save()
            self.trainer.finish()
            if self.writer is not None:
                self.writer.end(error)
                keep(self.writer.folder, notes=self.writer.notes, interventions=self.interventions)

    def _begin(self, argv: list[str]) -> None:
        self._argv = argv
        self._saver = _Saver(self)
        self._health = _Health(self.writer) if self.writer is not None else None
        if self.writer is not None:
            trainer, position = self.trainer, self.trainer.position
            self.writer.begin(argv, trainer.model, trainer.step.recorded, position.updates, position.seconds)

    def _advance(self, healer: _Healer | None, look: Look | None) -> None:
        while self.trainer.ended is None:
            self.trainer.advance(STRETCH, healer.next if healer is not None else math.inf)
            if healer is not None:
                healer.look()
            self._saver.save_if_due()
            if look is not None:
                if self._health is not None:
                    self._health.look(self.trainer)
                look(self.trainer)

    def change(self, option: Option, good: Good) -> None:
        """Go back to a good state and on from there with a remedy; the record so far is put aside."""
        assert self.writer is not None
        self.trainer.step.release()
        folder = self._put_aside(None if option.fresh or not good.updates else good.updates)
        self.plan = option.plan
        origin = Origin(option.plan.description, self.request.origin.factory)
        self.request = replace(self.request, origin=origin, settings=option.plan.settings, scale=option.plan.scale)
        if self.model is not None and self._pristine is not None:
            self.model.load_state_dict(self._pristine.state_dict())
        (folder / checkpoint.FILE).unlink(missing_ok=True)  # it belongs to the plan before
        write_request(folder, self.request)
        self.trainer = self._trainer(self.plan, self.writer, self.model)
        heal.carry(self.trainer, good, option)
        self._begin(self._argv)

    def _put_aside(self, step: int | None) -> Path:
        """Keep the record as it is in a folder of its own; go on from ``step``, or with an empty one."""
        assert self.writer is not None
        folder = self.writer.folder
        self.writer.end("put aside: a remedy was applied")
        aside = folder / f"{BEFORE}-{len(list(folder.glob(f'{BEFORE}-*'))) + 1}"
        aside.mkdir()
        if step is None:
            shutil.move(folder / RECORD, aside / RECORD)
        else:
            shutil.copy2(folder / RECORD, aside / RECORD)
            journal.cut(folder, step)
        self.writer = Journal(folder.parent, folder.name, self.budget, folder, resumed=step is not None)
        return folder


class _Healer:
    """Looks at the record at every so many updates and at the end, and lets :mod:`heal` act on what it finds."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.rounds = 0
        self.next = math.inf  # updates at which to look
        self.tried: set[str] = set()  # plans that were suspect and were looked at
        self._remember()

    def state(self) -> dict[str, Any]:
        """For :meth:`restore`: what a training that is gone on with goes back to."""
        return {"good": self.good.state, "next": self.next, "rounds": self.rounds, "tried": sorted(self.tried)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with what :meth:`state` gave."""
        self.good = Good(state["good"], self.course.plan)
        self.next = state["next"]
        self.rounds, self.tried = state["rounds"], set(state["tried"])

    def _remember(self) -> None:
        """The state now is one to go back to."""
        trainer = self.course.trainer
        self.good = Good(checkpoint.copied(trainer.state()), self.course.plan)
        self.next = trainer.position.updates + heal.FIRST

    def look(self) -> None:
        """Look if it is time, and heal where something is wrong."""
        trainer = self.course.trainer
        if trainer.ended is None and trainer.position.updates < self.next:
            return
        found = self._findings()
        if not found and not self._suspect():
            if trainer.ended is None:
                begun = trainer.position.updates
                self._remember()
                self.next = max(begun * heal.GROWTH, heal.FIRST)
            return
        self.next = trainer.position.updates * heal.GROWTH
        if self.rounds < heal.ROUNDS:
            self._heal(found)

    def _findings(self) -> list[Finding]:
        writer = self.course.writer
        assert writer is not None
        writer.store.sync()
        run = read(writer.folder)
        return [f for f in prescribe(diagnose(run), run).findings if f.severity != "info"]

    def _suspect(self) -> bool:
        """Whether the plan itself holds something that is known to be in the way; each plan is suspect once."""
        plan = self.course.plan
        first = repr(plan) not in self.tried
        self.tried.add(repr(plan))
        return first and bool(heal.suspicions(plan))

    def _heal(self, found: list[Finding]) -> None:
        course = self.course
        self.rounds += 1
        self.tried.add(repr(course.plan))
        story, option = heal.heal(course._copy, course.trainer, self.good, course.plan, found)
        course.interventions.append(story.as_json())
        if option is not None:
            course.change(option, self.good)
            self._remember()

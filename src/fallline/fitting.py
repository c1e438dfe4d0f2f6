"""``fit``: a training with its record, its checkpoints and its diagnosis."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import nn

from fallline import training
from fallline.descent import checkpoint, journal, saved
from fallline.descent.fit import Epoch, Settings, Trainer, evaluate
from fallline.descent.journal import Journal
from fallline.descent.optimizers import parse_value
from fallline.descent.saved import Origin, Predictor
from fallline.diagnosis.diagnose import Diagnosis
from fallline.diagnosis.diagnose import diagnose as _diagnose
from fallline.diagnosis.finding import Finding
from fallline.objective import data as datas
from fallline.objective.batches import Examples
from fallline.objective.data import Data
from fallline.objective.loss import Loss
from fallline.objective.mistake import InputError
from fallline.objective.network import Description, parse_hidden
from fallline.objective.task import Kind
from fallline.record.recorder import BUDGET
from fallline.record.run import Run, read
from fallline.record.store import append
from fallline.training import Course, Look, Request, requested
from fallline.treatment.prescribe import prescribe
from fallline.view import json_report, terminal

VERSION = 1


class Fitted:
    """A training that has ended.

    Attributes:
        model: the network, with its best weights.
        data: what it was trained on, with what was found out about it.
        history: one :class:`Epoch` each.
        ended: why it ended.
        folder: of the run; None where nothing was recorded.
        interventions: what healing saw, tried and changed, one entry a round.
    """

    def __init__(self, course: Course) -> None:
        trainer, writer = course.trainer, course.writer
        self.model, self.data = trainer.model, trainer.data
        self.history: tuple[Epoch, ...] = tuple(trainer.history)
        self.ended = trainer.ended or "it was stopped"
        self.folder = writer.folder if writer is not None else None
        self.notes = [*trainer.notes, *(writer.notes if writer is not None else [])]
        self.interventions = course.interventions
        self._heading, self._trainer = f"fit {self.data.name}", trainer

    @cached_property
    def predictor(self) -> Predictor:
        """The network with what it needs to predict."""
        data = self.data
        return Predictor(self.model, data.task, data.inputs, data.preparation)

    def predict(self, x: Any) -> NDArray[Any]:
        """Labels, or numbers in the target's own unit, for a data frame, an array or a tensor."""
        return self.predictor.predict(x)

    def predict_proba(self, x: Any) -> NDArray[Any]:
        """Probability of each class, shape (n, classes)."""
        return self.predictor.predict_proba(x)

    @cached_property
    def scores(self) -> dict[str, tuple[float, float]]:
        """Loss and score (accuracy or R²) of the final weights on each part: train, validation, test."""
        parts = {"train": self.data.train, "validation": self.data.validation, "test": self.data.test}
        return {
            name: evaluate(self.model, part, self._trainer.loss, self.data)
            for name, part in parts.items()
            if part is not None
        }

    @property
    def score(self) -> float:
        """Of the test part; of the validation part, or the training part, where there is none."""
        return next(self.scores[name][1] for name in ("test", "validation", "train") if name in self.scores)

    @cached_property
    def record(self) -> Run:
        """Everything that was recorded.

        Raises:
            InputError: ``root`` was None.
        """
        if self.folder is None:
            raise InputError("this training was not recorded: give fit a root folder")
        return read(self.folder)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What every check said."""
        return prescribe(_diagnose(self.record), self.record)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, the root cause first."""
        return self.diagnosis.findings

    def report(self, file: Any = None) -> None:
        """Print the report (to standard output unless ``file`` is given)."""
        terminal.show(self.record, self.diagnosis, file or sys.stdout, self._heading)

    def summary(self) -> dict[str, Any]:
        """Everything in one object that JSON holds."""
        trainer, position = self._trainer, self._trainer.position
        report = json_report.report(self.record, self.diagnosis) if self.folder is not None else None
        return {
            "schema": VERSION,
            "run": str(self.folder) if self.folder is not None else None,
            "data": {"name": self.data.name, "notes": list(self.data.notes)},
            "network": {"text": network_text(self.model), "parameters": _count(self.model)},
            "training": {
                "loss": trainer.loss_name, "optimizer": type(trainer.optimizer).__name__,
                "batch_size": trainer.batch_size, "threads": trainer.threads, "epochs": len(self.history),
                "updates": position.updates, "seconds": position.seconds, "ended": self.ended,
                "best_epoch": position.best_epoch or None,
            },
            "score": "accuracy" if self.data.task.kind == "classes" else "R²",
            "scores": {name: {"loss": loss, "score": score} for name, (loss, score) in self.scores.items()},
            "interventions": self.interventions,
            "notes": self.notes,
            "report": report,
        }  # fmt: skip


def network_text(model: nn.Module) -> str:
    """A network in a few words."""
    layers = [m for m in model.modules() if isinstance(m, nn.Linear)]
    if isinstance(model, nn.Sequential) and layers:
        return "-".join(str(width) for width in [layers[0].in_features, *(m.out_features for m in layers)])
    return type(model).__name__


def _count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def fit(
    request: Request,
    source: Any = None,
    model: nn.Module | None = None,
    loss: Loss | None = None,
    root: Path | None = Path("runs"),
    resume: Path | None = None,
    budget: float = BUDGET,
    argv: list[str] | None = None,
    look: Look | None = None,
) -> Fitted:
    """Train a network.

    Args:
        request: what is asked for.
        source: the data, where they are objects and no file.
        model: the network, where it is an object.
        loss: of the user's own.
        root: where the run's folder is made; None records nothing.
        resume: folder of a run that was interrupted, to go on with.
        budget: share of the training's time that watching may take.
        argv: the command line, for the record.
        look: called in between with the trainer.

    Raises:
        InputError: a mistake in what was asked for.
    """
    if not budget > 0:
        raise InputError(f"budget is a share of the training's time above 0, not {budget}")
    raw = source if source is not None else request.source
    table = isinstance(raw, (str, Path)) or hasattr(raw, "iloc")
    state = _last_state(resume)
    request = training.resumed(request, resume)
    scale = request.scale if request.scale is not None else (table or model is None)

    def load(scale: bool) -> Data:
        data = datas.load(raw, request.target, request.kind, request.split(table), scale)
        size = request.settings.batch_size
        return datas.resized(data, size) if size else data

    writer = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.settings.seed)
        data = load(scale)
        if state is not None and state["fingerprint"] != data.train.fingerprint():
            raise InputError(
                f"the data are not those that {resume} was trained on: a training goes on with the same data"
            )
        network = (
            model if model is not None else request.origin.make(data.width, data.task.outputs, request.settings.seed)
        )
        _try_out(network, data)
        Trainer(
            copy.deepcopy(network), data, request.settings, None, loss
        )  # what cannot be is said before a run is made
        writer = _journal(root, resume, data.name, budget, state)
        course = Course(request, load, scale, data, model, loss, writer, budget)
        course.run(state, argv or [], look)
    fitted = Fitted(course)
    if writer is not None:
        _finish(fitted, course.request)
    return fitted


def _last_state(resume: Path | None) -> Any:
    """The last state of a run; None where it ended before there was one, and begins again."""
    if resume is None:
        return None
    if not (resume / checkpoint.FILE).exists():
        requested(resume)  # it was a training, at least
        return None
    return checkpoint.load(resume / checkpoint.FILE)


def _try_out(model: nn.Module, data: Data) -> None:
    """One example through the network, so that what does not fit is said before a run is made."""
    if not isinstance(data.train, Examples):
        return
    x = data.train.x[:2]
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            out = model(x)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"the network does not take examples of shape {tuple(x.shape[1:])} and type {x.dtype}: {error}"
        ) from error
    finally:
        model.train(training)
    outputs, wanted = out.shape[-1] if out.ndim > 1 else 1, data.task.outputs
    two = data.task.kind == "classes" and wanted == 2 and outputs == 1  # decided by the sign
    if outputs != wanted and not two:
        what = f"{wanted} classes" if data.task.kind == "classes" else f"{wanted} number{'s' * (wanted > 1)}"
        raise InputError(f"the network has {outputs} outputs, the target {data.task.target!r} is {what}")


def _journal(root: Path | None, resume: Path | None, name: str, budget: float, state: Any) -> Journal | None:
    if resume is not None:
        journal.cut(resume, state["position"]["updates"] if state is not None else 0)
        return Journal(resume.parent, resume.name, budget, resume)
    return Journal(root, f"fit-{name}", budget) if root is not None else None


def _finish(fitted: Fitted, request: Request) -> None:
    """Keep the model and the findings with the run."""
    assert fitted.folder is not None
    saved.save(fitted.folder, fitted.predictor, request.origin, {"ended": fitted.ended, "score": fitted.score})
    append(fitted.folder, "findings", json_report.rows(fitted.findings), replace=True)


def asked(
    source: str | None, *, target: str | None, task: str | None, model: str | None, hidden: str | None,
    activation: str, init: str, output: str, normalise: str, dropout: float, loss: str | None, optimizer: str,
    lr: float | None, momentum: float | None, weight_decay: float | None, option: list[str] | None,
    schedule: str | None, epochs: int | None, batch_size: int | None, validation: float | None, test: float | None,
    patience: int, clip: float | None, scale: bool, seed: int, threads: int | None,
    heal: bool,
) -> Request:  # fmt: skip
    """What a command line asks for.

    Raises:
        InputError: a value that cannot be.
    """
    if task not in (None, "classes", "numbers"):
        raise InputError(f"--task takes classes or numbers, not {task!r}")
    options: dict[str, Any] = {"momentum": momentum, "weight_decay": weight_decay}
    for pair in option or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--option takes NAME=VALUE, not {pair!r}")
        options[name] = parse_value(value)
    shape = parse_hidden(hidden) if hidden is not None else Description.hidden
    described = Description(shape, activation, init, output, normalise, dropout) if model is None else None
    settings = Settings(
        loss, optimizer, lr, {k: v for k, v in options.items() if v is not None}, schedule, epochs, batch_size,
        patience or None, clip, seed, threads,
    )  # fmt: skip
    kind = cast("Kind | None", task)
    return Request(source, target, kind, validation, test, scale, Origin(described, model), settings, heal)


def longer(request: Request, epochs: int | None) -> Request:
    """The same request with another length."""
    return replace(request, settings=replace(request.settings, epochs=epochs)) if epochs else request


def describe(model: Any) -> tuple[nn.Module | None, Origin]:
    """What ``fallline.fit`` takes as a model: a module, a description, or the name of a factory."""
    if isinstance(model, nn.Module):
        return model, Origin()
    if isinstance(model, Description):
        return None, Origin(description=model)
    if isinstance(model, str):
        return None, Origin(factory=model)
    if model is None:
        return None, Origin(description=Description())
    raise InputError(
        f"a model is a torch.nn.Module, a Description, or a text module:factory, not {type(model).__name__}"
    )

"""Training a network: batches, epochs, validation, early stopping, and a state that can be saved at any update."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fallline.descent import checkpoint, threads
from fallline.descent.dense import DenseStep, served
from fallline.descent.journal import Journal
from fallline.descent.optimizers import Schedule, make_optimizer, make_schedule
from fallline.descent.step import AutogradStep, NotFinite, Step
from fallline.objective import loss as losses
from fallline.objective.batches import Batch, Examples, Source, parts, shuffled
from fallline.objective.data import Data
from fallline.objective.loss import Loss, Score
from fallline.objective.mistake import InputError

UPDATES = 2500  # of a training whose length is left to us, at least …
EPOCHS = (100, 1000)  # … in so many epochs at least and at most
BATCH = 64
PATIENCE = 20  # epochs without a better validation loss


@dataclass(frozen=True)
class Settings:
    """How a network is trained; everything is a number or a text, so that a run can be gone on with."""

    loss: str | None = None
    optimizer: str = "adam"
    lr: float | None = None
    options: dict[str, Any] = field(default_factory=dict)  # of the optimizer
    schedule: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    patience: int | None = PATIENCE  # None: no early stopping
    clip: float | None = None  # largest norm of the gradient
    seed: int = 0
    threads: int | None = None
    dense: bool = True  # dense stacks may go by the chain rule written out

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch_size", 1), ("patience", 1), ("threads", 1)):
            value = getattr(self, name)
            if value is not None and value < low:
                raise InputError(f"{name} must be at least {low}, not {value}")
        for name in ("lr", "clip"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name} must be above 0, not {value}")

    def as_json(self) -> dict[str, Any]:
        """For ``Settings(**data)``."""
        return asdict(self)


@dataclass(frozen=True)
class Epoch:
    """One pass over the training examples."""

    number: int  # from 1
    updates: int  # so far
    loss: float  # mean over its batches
    lr: float  # at its end
    seconds: float  # so far
    validation: float | None  # loss
    score: float | None  # accuracy or R² of the validation part


@dataclass
class Position:
    """Where a training stands."""

    epoch: int = 0  # finished ones
    batch: int = 0  # of the epoch under way
    updates: int = 0
    sum: float = 0.0  # of the losses of the epoch under way, each times its examples
    count: int = 0  # examples of the epoch under way
    stale: int = 0  # epochs since the validation loss was best
    best: float | None = None  # validation loss
    best_epoch: int = 0
    seconds: float = 0.0


class Trainer:
    """Trains a network, a stretch at a time, so that its caller can look in between.

    ``custom``: a loss of the user's own, instead of one by name.
    """

    def __init__(
        self, model: nn.Module, data: Data, settings: Settings, journal: Journal | None = None,
        custom: Loss | None = None,
    ) -> None:  # fmt: skip
        self.model, self.data, self.settings, self.journal = model, data, settings, journal
        self.notes: list[str] = []
        self.loss_name, self.loss = losses.named(custom or settings.loss, data.task)
        self.batch_size = self._size()
        self.batches = self._per_epoch()
        self.epochs = settings.epochs or self._usual_epochs()
        self.threads = settings.threads or self._threads()
        self.position = Position()
        self.history: list[Epoch] = []
        self.ended: str | None = None  # why
        self.health = ""  # what the last look at the record said
        self.best: dict[str, Tensor] | None = None
        self.step = self._make_step()
        self.optimizer = self.step.optimizer
        self.schedule = self._make_schedule()
        self._random = random_state()
        self._iterator: Iterator[Batch] | None = None

    # -- before the first update ---------------------------------------------------------------------------------

    def _size(self) -> int:
        train = self.data.train
        if not isinstance(train, Examples):
            return self.settings.batch_size or BATCH
        whole = self.settings.optimizer.lower() == "lbfgs"
        size = self.settings.batch_size or (len(train) if whole else min(BATCH, max(8, len(train) // 8)))
        if size > len(train):
            self.notes.append(
                f"batch size {size} is above the {len(train)} training examples: all of them are one batch"
            )
        return min(size, len(train))

    def _per_epoch(self) -> int:
        train = self.data.train
        return -(-len(train) // self.batch_size) if isinstance(train, Examples) else len(train)

    def _usual_epochs(self) -> int:
        fewest, most = EPOCHS
        return min(most, max(fewest, -(-UPDATES // max(self.batches, 1))))

    def _threads(self) -> int:
        train = self.data.train
        if not isinstance(train, Examples):
            return torch.get_num_threads()
        return threads.choose(self.model, train.x[: self.batch_size], train.y[: self.batch_size], self.loss)

    def _make_step(self) -> Step:
        settings = self.settings
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        if not parameters:
            raise InputError("the network has no parameter to train: all are frozen, or there is none")
        recorder = self.journal.recorder if self.journal is not None else None
        name, lr, options, train = settings.optimizer, settings.lr, settings.options, self.data.train
        if settings.dense and name.lower() != "lbfgs" and isinstance(train, Examples):
            some = slice(0, self.batch_size)
            if served(self.model, self.loss_name, self.loss, train.x[some], train.y[some]):
                return DenseStep(self.model, self.loss_name, name, lr, options, settings.clip, recorder)
        optimizer = make_optimizer(name, parameters, lr, options)
        return AutogradStep(self.model, self.loss, optimizer, settings.clip, recorder)

    def _make_schedule(self) -> Schedule | None:
        text = self.settings.schedule
        return make_schedule(text, self.optimizer, self.epochs, self.batches) if text else None

    # -- training ------------------------------------------------------------------------------------------------------

    def advance(self, seconds: float = math.inf, updates: float = math.inf) -> None:
        """Train until this much time has passed, so many updates are made, an epoch has ended, or all is over.

        Args:
            seconds: from now.
            updates: since the beginning of the training.
        """
        if self.ended is not None:
            return
        start = time.perf_counter()
        with threads.using(self.threads):
            if self._iterator is None:
                self._iterator = self._begin_epoch()
            try:
                finished = self._train(self._iterator, start + seconds, updates)
                if finished:
                    self._iterator = None
                    self._end_epoch(time.perf_counter() - start)
            except NotFinite as ended:
                self.ended = f"{ended} in update {self.position.updates + 1}"
        self.position.seconds += time.perf_counter() - start

    def _train(self, batches: Iterator[Batch], until: float, updates: float) -> bool:
        """Make updates until it is time, at least one; whether the epoch has ended."""
        position, step, clock = self.position, self.step, time.perf_counter
        schedule = self.schedule.scheduler if self.schedule is not None and self.schedule.each_batch else None
        for x, y in batches:
            value = step(x, y)
            count = len(x)
            position.sum += value * count
            position.count += count
            position.batch += 1
            position.updates += 1
            if schedule is not None and position.updates < self.epochs * self.batches:
                schedule.step()
            if clock() >= until or position.updates >= updates:
                return False
        return True

    def _begin_epoch(self) -> Iterator[Batch]:
        """The batches of the epoch under way that are still to come."""
        self.model.train()
        position, train = self.position, self.data.train
        if isinstance(train, Examples):
            order = shuffled(len(train), self.settings.seed, position.epoch)
            return train.batches(self.batch_size, order, position.batch)
        if position.batch == 0:
            self._random = random_state()
            return train.batches()
        now = random_state()
        set_random_state(self._random)  # the loader starts over with the numbers it had when the epoch began
        return train.batches(position.batch, lambda: set_random_state(now))

    def _end_epoch(self, seconds: float) -> None:
        position = self.position
        if not position.count:
            raise InputError("an epoch had no batch: the training data are empty")
        position.epoch += 1
        mean = position.sum / position.count
        validation, score = (
            evaluate(self.model, self.data.validation, self.loss, self.data) if self.data.validation else (None, None)
        )
        rate = float(self.optimizer.param_groups[0]["lr"])
        self.history.append(
            Epoch(position.epoch, position.updates, mean, rate, position.seconds + seconds, validation, score)
        )
        position.batch, position.sum, position.count = 0, 0.0, 0
        if self.schedule is not None:
            self.schedule.after_epoch(mean if validation is None else validation)
        self._judge(validation)
        if self.ended is None and position.epoch >= self.epochs:
            self.ended = f"all {self.epochs} epochs are done"

    def _judge(self, validation: float | None) -> None:
        """Keep the weights with the best validation loss; end where it does not get better any more."""
        position, patience = self.position, self.settings.patience
        if validation is None or patience is None:
            return
        if position.best is None or validation < position.best:
            position.best, position.best_epoch, position.stale = validation, position.epoch, 0
            self.best = checkpoint.copied(self.model.state_dict())
            return
        position.stale += 1
        if position.stale >= patience:
            self.ended = f"early stopping: no better validation loss in the last {patience} epochs"

    def finish(self) -> None:
        """Give the model its best weights; afterwards nothing can be trained here any more."""
        if self.best is not None:
            self.model.load_state_dict(self.best)
        self.step.release()
        self.model.eval()

    # -- state ---------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that the coming updates depend on; tensors are the live ones."""
        stream = not isinstance(self.data.train, Examples)
        return {
            "model": dict(self.model.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state() if self.schedule is not None else None,
            "best": self.best,
            "position": asdict(self.position),
            "history": [asdict(epoch) for epoch in self.history],
            "ended": self.ended,
            "threads": self.threads,
            "random": random_state(),
            "epoch_random": self._random if stream else None,
            "starts": self.journal.recorder.starts() if self.journal is not None else {},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave."""
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise InputError(f"this state belongs to another network or optimizer: {error}") from error
        if self.schedule is not None:
            self.schedule.restore(state["schedule"])
            self.optimizer._opt_called = state["position"]["updates"] > 0  # type: ignore[attr-defined]  # it has stepped
        self.best = state["best"]
        self.position = Position(**state["position"])
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        more = self.position.epoch < self.epochs and self.position.stale < (self.settings.patience or self.epochs)
        self.ended = None if more else state["ended"]  # it may have been asked to go on for longer
        self.threads = state["threads"]
        set_random_state(state["random"])
        self._random = state["epoch_random"] or self._random
        self._iterator = None
        if self.journal is not None:
            self.journal.recorder.start_from(state["starts"])


def evaluate(model: nn.Module, source: Source, loss: Loss, data: Data) -> tuple[float, float]:
    """Mean loss and score over examples, in evaluation mode; the random numbers go on as if nothing had been."""
    training = model.training
    model.eval()
    score, total, count = Score(data.task), 0.0, 0
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for x, y in parts(source):
            outputs = model(x)
            total += float(loss(outputs, y)) * len(x)
            count += len(x)
            score.add(outputs, y)
    model.train(training)
    return total / max(count, 1), score.value()


def random_state() -> dict[str, Any]:
    """The random numbers of PyTorch, NumPy and Python, as JSON and tensors hold them."""
    kind, keys, place, gauss, cached = np.random.get_state()
    version, words, normal = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), int(place), int(gauss), float(cached)],
        "python": [version, torch.tensor(words), normal],
    }


def set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    kind, keys, place, gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), place, gauss, cached))
    version, words, normal = state["python"]
    random.setstate((version, tuple(words.tolist()), normal))

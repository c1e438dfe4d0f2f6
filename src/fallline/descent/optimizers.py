"""Optimizers and learning-rate schedules of torch.optim, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from fallline.objective.mistake import InputError, nearest

Value = float | int | bool | str | tuple[float, ...] | None

OPTIMIZERS: dict[str, type[Optimizer]] = {
    name.lower(): found
    for name, found in vars(torch.optim).items()
    if isinstance(found, type) and issubclass(found, Optimizer) and found not in (Optimizer, torch.optim.SparseAdam)
}
RATES = {"sgd": 0.1, "asgd": 0.1}  # where torch's own default is too small to get anywhere in a usual training
# These move every number by its own gradient alone, so all parameters may lie in one tensor.
ELEMENTWISE = frozenset("sgd adam adamw rmsprop adagrad adadelta adamax nadam radam rprop asgd".split())
COMPOSED = ("LRScheduler", "_LRScheduler", "LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler")
SCHEDULES: dict[str, type[LRScheduler]] = {
    name.lower(): found
    for name, found in vars(lr_scheduler).items()
    if isinstance(found, type) and issubclass(found, LRScheduler) and name not in COMPOSED
}
SHORT = {
    "cosine": "CosineAnnealingLR", "onecycle": "OneCycleLR", "plateau": "ReduceLROnPlateau", "step": "StepLR",
    "exponential": "ExponentialLR", "linear": "LinearLR", "polynomial": "PolynomialLR", "cyclic": "CyclicLR",
}  # fmt: skip
EACH_BATCH = ("OneCycleLR", "CyclicLR")  # the others go on once an epoch


def make_optimizer(
    name: str, parameters: Iterable[Tensor], lr: float | None = None, options: dict[str, Any] | None = None
) -> Optimizer:
    """An optimizer of torch.optim, with its fused implementation where there is one.

    Args:
        name: such as "sgd" or "AdamW".
        parameters: what it moves.
        lr: learning rate; the class's own unless given (0.1 for SGD).
        options: further arguments of the class.

    Raises:
        InputError: no such optimizer or option, or a value that it refuses.
    """
    kind = OPTIMIZERS.get(name.lower())
    if kind is None:
        raise InputError(f"there is no optimizer {name!r}{nearest(name, OPTIMIZERS)} ({', '.join(OPTIMIZERS)})")
    wanted = {key: value for key, value in (options or {}).items() if value is not None}
    known = inspect.signature(kind.__init__).parameters
    _known_options(wanted, known, kind.__name__, ("self", "params", "lr"))
    rate = lr if lr is not None else RATES.get(name.lower())
    wanted |= {"lr": rate} if rate is not None else {}
    tensors = list(parameters)
    if "fused" in known and "fused" not in wanted and all(p.is_floating_point() and p.is_cpu for p in tensors):
        wanted["fused"] = True
    try:
        return kind(tensors, **wanted)
    except (TypeError, ValueError) as error:
        raise InputError(f"{kind.__name__} refuses its settings: {error}") from error


def _known_options(given: Iterable[str], known: Iterable[str], owner: str, own: tuple[str, ...]) -> None:
    allowed = [name for name in known if name not in own]
    for key in given:
        if key not in allowed:
            raise InputError(f"{owner} has no option {key!r}{nearest(key, allowed)} ({', '.join(allowed)})")


@dataclass
class Schedule:
    """A schedule of the learning rate, and when it goes on."""

    scheduler: LRScheduler

    @property
    def each_batch(self) -> bool:
        """Whether it goes on with every batch."""
        return type(self.scheduler).__name__ in EACH_BATCH

    def after_epoch(self, loss: float) -> None:
        """Go on; ``loss``: what a plateau is judged by."""
        if isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(loss)
        elif not self.each_batch:
            self.scheduler.step()

    def state(self) -> dict[str, Any]:
        """For :meth:`restore`; functions are made anew."""
        return {key: value for key, value in self.scheduler.state_dict().items() if not callable(value)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave."""
        self.scheduler.load_state_dict(state)


def make_schedule(text: str, optimizer: Optimizer, epochs: int, batches: int) -> Schedule:
    """A schedule of torch.optim.lr_scheduler over a training.

    Args:
        text: a name ("cosine", "StepLR") with options after commas ("StepLR,step_size=10,gamma=0.5").
        optimizer: whose rate it sets.
        epochs: length of the training.
        batches: batches of one epoch; 0 if that is unknown.

    Raises:
        InputError: no such schedule or option, or a value that it refuses.
    """
    name, *pairs = (part.strip() for part in text.split(","))
    kind = SCHEDULES.get(SHORT.get(name.lower(), name).lower())
    if kind is None:
        known = [*SHORT, *(found.__name__ for found in SCHEDULES.values())]
        raise InputError(f"there is no schedule {name!r}{nearest(name, known)} ({', '.join(known)})")
    given = dict(_option(pair, kind.__name__) for pair in pairs)
    known_options = inspect.signature(kind.__init__).parameters
    _known_options(given, known_options, kind.__name__, ("self", "optimizer"))
    arguments = {**_usual(kind.__name__, optimizer, epochs, batches), **given}
    try:
        return Schedule(kind(optimizer, **arguments))
    except (TypeError, ValueError) as error:
        raise InputError(f"{kind.__name__} refuses its settings: {error}") from error


def _usual(name: str, optimizer: Optimizer, epochs: int, batches: int) -> dict[str, Any]:
    """What a schedule needs and the user need not say, from the length of the training."""
    rate = float(optimizer.param_groups[0]["lr"])
    cycled = any(key in optimizer.defaults for key in ("momentum", "betas"))
    steps = max(epochs * batches, 2)
    usual: dict[str, Callable[[], dict[str, Any]]] = {
        "CosineAnnealingLR": lambda: {"T_max": epochs},
        "CosineAnnealingWarmRestarts": lambda: {"T_0": max(1, epochs // 10)},
        "StepLR": lambda: {"step_size": max(1, epochs // 3)},
        "MultiStepLR": lambda: {"milestones": [max(1, epochs // 2), max(1, 3 * epochs // 4)]},
        "ExponentialLR": lambda: {"gamma": 0.01 ** (1 / epochs)},
        "PolynomialLR": lambda: {"total_iters": epochs},
        "OneCycleLR": lambda: {"max_lr": rate, "total_steps": steps, "cycle_momentum": cycled},
        "CyclicLR": lambda: {
            "base_lr": rate / 10, "max_lr": rate, "step_size_up": max(1, steps // 20), "cycle_momentum": cycled
        },
    }  # fmt: skip
    return usual.get(name, dict)()


def _option(text: str, owner: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"an option of {owner} is written as name=value, not {text!r}")
    return name.strip(), parse_value(value.strip())


def parse_value(text: str) -> Any:
    """A number, True, False, None, several numbers joined by ":", or the text itself."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    if ":" in text:
        return tuple(parse_value(part) for part in text.split(":"))
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text

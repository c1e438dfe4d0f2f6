"""A line that says what is going on: one that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def line(title: str) -> Iterator[Callable[[str], None]]:
    """Within the ``with`` statement, call what it gives with a message to show."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda message: console.print(f"{title}: {message}", style="dim", soft_wrap=True)
        return
    with console.status(title) as status:
        yield lambda message: status.update(f"{title}: {message}")


@contextmanager
def training(shown: bool = True) -> Iterator[Callable[[Any], None] | None]:
    """Within the ``with`` statement, call what it gives with a trainer to show its loss and its health.

    On a terminal a bar that moves; elsewhere, or unless ``shown``, nothing.
    """
    console = Console(stderr=True, highlight=False)
    if not shown or not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("epoch {task.completed}/{task.total}"),
        TextColumn("{task.fields[loss]}"), TextColumn("{task.fields[health]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("training", total=None, loss="", health="")

        def look(trainer: Any) -> None:
            bar.update(
                task, total=trainer.epochs, completed=trainer.position.epoch, loss=_losses(trainer),
                health=trainer.health,
            )  # fmt: skip

        yield look


def _losses(trainer: Any) -> str:
    if not trainer.history:
        return f"update {trainer.position.updates}"
    last = trainer.history[-1]
    checked = f"  validation {last.validation:.4g}" if last.validation is not None else ""
    return f"loss {last.loss:.4g}{checked}"

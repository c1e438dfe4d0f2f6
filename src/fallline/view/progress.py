"""A line that says what is going on: one that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def line(title: str) -> Iterator[Callable[[str], None]]:
    """Within the ``with`` statement, call what it gives with a message to show."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda message: console.print(f"{title}: {message}", style="dim", soft_wrap=True)
        return
    with console.status(title) as status:
        yield lambda message: status.update(f"{title}: {message}")

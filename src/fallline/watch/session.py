"""One recording, from its first moment to its last, whoever drives the training."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import torch
from torch import nn

from fallline.record.recorder import BUDGET, Recorder
from fallline.record.run import Run, read
from fallline.record.store import Store, new_folder


class Session:
    """A folder, a store and a recorder, opened and closed together.

    ``budget``: share of the training's time that watching may take. ``limit``: stop the program after this many
    updates; ``seconds``: after this much training. ``ahead``: stop it after the first, for a
    forecast. ``bars``: see :class:`fallline.record.race.Race`. ``models``: modules whose names are known already.
    """

    def __init__(
        self,
        name: str,
        root: Path | str = "runs",
        budget: float = BUDGET,
        limit: int | None = None,
        models: dict[str, nn.Module] | None = None,
        seconds: float | None = None,
        ahead: bool = False,
        bars: Sequence[tuple[int, float]] = (),
    ) -> None:
        if not isinstance(budget, (int, float)):
            raise TypeError(f"budget is the share of the training's time to use, a number above 0; got {budget!r}")
        if not budget > 0:
            raise ValueError(f"budget is the share of the training's time to use, above 0; got {budget}")
        folder, self.note = new_folder(Path(root).absolute(), name)  # the program may change directory
        self.store = Store(folder)
        self.recorder = Recorder(self.store, budget, 1 if ahead else limit, seconds, ahead=ahead, bars=bars)
        if ahead:
            self.store.meta(forecast=True)
        self.recorder.catalog.know(models or {})
        self._started = 0.0

    def __enter__(self) -> Session:
        return self.start([])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(0 if error is None else 1, None if error is None else f"{type(error).__name__}: {error}")

    def start(self, argv: list[str]) -> Session:
        """Begin to record."""
        self._started = time.perf_counter()
        self.store.meta(
            argv=argv, started=time.time(), torch=torch.__version__, python=platform.python_version(),
            threads=torch.get_num_threads(),
        )  # fmt: skip
        self.store.flush()
        self.recorder.start()
        return self

    def stop(self, exit_status: int, error: str | None = None) -> None:
        """End the recording and write everything out; how the program ended is kept with it."""
        self.recorder.stop()
        seconds = time.perf_counter() - self._started
        self.store.meta(exit=exit_status, error=error, seconds=seconds)
        self.store.close()

    @property
    def folder(self) -> Path:
        """Where the record lies; it moves when the disk refuses."""
        return self.store.folder

    @property
    def notes(self) -> list[str]:
        """What went wrong with the recording itself, in sentences for the user."""
        return [note for note in (self.note, self.store.error, *self.recorder.notes) if note]

    def read(self) -> Run:
        """The record so far."""
        return read(self.folder)

"""The record of a training of fallline's own: a run folder that every other command opens."""

from __future__ import annotations

import platform
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from fallline.record.loop import LoopRecorder
from fallline.record.recorder import BUDGET
from fallline.record.store import FILE, Row, Store, connect, new_folder

CATALOG = ("models", "layers", "parameters", "optimizers")  # written once, when something is first met
PER_STEP = ("steps", "layer_stats", "parameter_stats", "losses", "events")


class Journal:
    """A folder, a store and a recorder.

    ``root``: where a folder for a new run is made. ``folder``: the folder to use instead, ``resumed``: with the record
    that lies in it.
    """

    def __init__(
        self, root: Path, name: str, budget: float = BUDGET, folder: Path | None = None, resumed: bool = True
    ) -> None:
        self.note: str | None = None
        self.resumed = folder is not None and resumed
        if folder is None:
            folder, self.note = new_folder(root.absolute(), name)
        self.store = _Continued(folder) if self.resumed else Store(folder)
        self.recorder = LoopRecorder(self.store, budget)
        self._began = time.perf_counter()

    def begin(self, argv: list[str], model: nn.Module, optimizer: Optimizer, step: int, seconds: float) -> None:
        """Start to record at this update, after this much training."""
        self._began = time.perf_counter() - seconds
        self.recorder.catalog.know({"model": model})
        if not self.resumed:
            self.store.meta(
                argv=argv, started=time.time(), torch=torch.__version__, python=platform.python_version(),
                threads=torch.get_num_threads(),
            )  # fmt: skip
        self.recorder.begin(optimizer, step, seconds)
        self.store.flush()

    def end(self, error: str | None = None) -> None:
        """Write everything out; ``error``: what ended the training."""
        self.recorder.stop()
        self.store.meta(exit=0 if error is None else 1, error=error, seconds=time.perf_counter() - self._began)
        self.store.close()

    @property
    def folder(self) -> Path:
        """Where the record lies; it moves when the disk refuses."""
        return self.store.folder

    @property
    def notes(self) -> list[str]:
        """What went wrong with the recording itself, in sentences for the user."""
        return [note for note in (self.note, self.store.error, *self.recorder.notes) if note]


def cut(folder: Path, step: int) -> None:
    """Take out of a record what came at ``step`` and after it: it is about to happen again."""
    with closing(connect(folder / FILE)) as db, db:
        for table in PER_STEP:
            db.execute(f"DELETE FROM {table} WHERE step >= ?", (step,))
        db.execute("DELETE FROM meta WHERE key IN ('exit', 'error', 'seconds')")


class _Continued(Store):
    """A store of a record that holds a beginning: what was met before is met again, and not written twice."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        with closing(sqlite3.connect(folder / FILE)) as db:
            self._met = {t: {row[0] for row in db.execute(f"SELECT id FROM {t}")} for t in CATALOG}

    def put(self, table: str, row: Row) -> None:
        if table not in CATALOG or row[0] not in self._met[table]:
            super().put(table, row)

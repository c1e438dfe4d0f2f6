"""Writing a run's file: rows are buffered by the training thread and written by a thread of their own."""

from __future__ import annotations

import json
import math
import os
import queue
import shutil
import sqlite3
import tempfile
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from fallline.record.schema import SCHEMA, TABLES

FLUSH_SECONDS = 0.5  # at most this much of the record is lost when the process is killed
FILE = "record.sqlite"
TOGETHER = 64  # rows written by one statement: each costs the training a handover of the interpreter's lock

Row = tuple[Any, ...]


def new_folder(root: Path, name: str) -> tuple[Path, str | None]:
    """Make ``root/name-1`` (or the next free number).

    Returns the folder, and why it is a temporary one where ``root`` cannot be written to.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1_000_000):
            folder = root / f"{name}-{number}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            _try_out(folder)
            return folder, None
        raise OSError(f"{root} already holds 999,999 runs named {name}")
    except (OSError, sqlite3.Error) as error:
        folder = _temporary(f"{name}-1")
        reason = getattr(error, "strerror", None) or error
        return folder, f"cannot write to {root} ({reason}); the record is in {folder}"


def _temporary(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fallline-")) / name
    folder.mkdir()
    return folder


def _try_out(folder: Path) -> None:
    """Make the file of a run; where that fails, as on a full disk, nothing is left behind."""
    try:
        with closing(connect(folder / FILE)) as db:
            db.execute("PRAGMA journal_mode=DELETE")  # so that all of it is in the file
    except (OSError, sqlite3.Error):
        shutil.rmtree(folder, ignore_errors=True)
        raise


def connect(path: Path) -> sqlite3.Connection:
    """Open a run's file for writing, with its tables made."""
    db = _open(path)
    try:
        with db:
            db.execute("BEGIN")
            for table, spec in TABLES.items():
                db.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(spec)})")
            db.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (json.dumps(SCHEMA),))
    except sqlite3.Error:
        db.close()
        raise
    return db


def _open(path: Path, source: sqlite3.Connection | None = None) -> sqlite3.Connection:
    """Open a database, as a copy of ``source`` where one is given."""
    db = sqlite3.connect(path, check_same_thread=False)
    if source is not None:
        source.backup(db)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=OFF")  # survives the death of the process; only a power cut can lose the tail
    return db


def _close(db: sqlite3.Connection) -> None:
    """Close a file as one plain file, which can be read from a disk that cannot be written to."""
    db.execute("PRAGMA busy_timeout=100")
    with suppress(sqlite3.OperationalError):  # somebody else has it open: it stays as it is
        db.execute("PRAGMA journal_mode=DELETE")
    db.close()


class Store:
    """Appends rows to a run's file without making the training wait.

    ``put`` only appends to a list; every ``FLUSH_SECONDS`` the lists are handed to a background thread that writes
    them in one transaction. When the disk refuses (full, read-only, gone) the record moves to a temporary folder and
    ``error`` says so; when that refuses, too, what is on the disk stays readable, and later rows are dropped.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE
        self.error: str | None = None
        self._lost = False
        self._pid = os.getpid()
        self._rows: dict[str, list[Row]] = {}
        self._due = time.monotonic() + FLUSH_SECONDS
        self._queue: queue.SimpleQueue[dict[str, list[Row]] | threading.Event | None] = queue.SimpleQueue()
        try:
            self._db = connect(self.path)
        except (sqlite3.Error, OSError) as error:
            self._db = connect(Path(":memory:"))
            self._write({}, error)
        self._thread = threading.Thread(target=self._write_batches, name="fallline-store", daemon=True)
        self._thread.start()

    def put(self, table: str, row: Row) -> None:
        """Add one row, in the order of the table's columns."""
        self._rows.setdefault(table, []).append(row)

    def meta(self, **values: Any) -> None:
        """Set entries of the ``meta`` table."""
        for key, value in values.items():
            self.put("meta", (key, json.dumps(value)))

    def event(self, step: int, kind: str, **detail: Any) -> None:
        """Add an event with its details; it may be the only row for a while."""
        self.put("events", (step, kind, json.dumps(detail)))
        self.tick()

    @property
    def due(self) -> bool:
        """Whether it is time to hand the buffered rows over."""
        return time.monotonic() >= self._due

    def tick(self) -> None:
        """Hand the buffered rows over if it is time; cheap enough for every step."""
        if self.due:
            self.flush()

    def flush(self) -> None:
        """Hand the buffered rows to the writing thread."""
        self._due = time.monotonic() + FLUSH_SECONDS
        rows, self._rows = self._rows, {}
        if rows and os.getpid() == self._pid:  # a forked child owns no thread and no file: its rows are dropped
            self._queue.put(rows)

    def sync(self) -> None:
        """Wait until everything so far is in the file, where a killed process leaves it."""
        if os.getpid() != self._pid:
            return
        self.flush()
        written = threading.Event()
        self._queue.put(written)
        written.wait()

    def close(self) -> None:
        """Write everything and close the file."""
        if os.getpid() != self._pid:
            return
        self.flush()
        self._queue.put(None)
        self._thread.join()
        try:
            _close(self._db)
        except sqlite3.Error as error:
            self._fail(error)

    def _write_batches(self) -> None:
        while (batch := self._queue.get()) is not None:
            if isinstance(batch, threading.Event):
                batch.set()
            elif not self._lost:
                self._write(batch)

    def _write(self, batch: dict[str, list[Row]], refused: Exception | None = None) -> None:
        """Write a batch, in another place where this one refuses, or ``refused`` before."""
        try:
            if refused is not None:
                self._move(refused)
            insert(self._db, batch)
        except (sqlite3.Error, OSError) as error:
            if refused is None:
                self._write(batch, error)
            else:
                self._fail(refused)

    def _move(self, reason: Exception) -> None:
        """Go on in a temporary folder with a copy of what was written so far."""
        if self.error is not None:
            raise reason
        folder = _temporary(self.folder.name)
        db = _open(folder / FILE, self._db)
        self._db.close()
        self.error = f"the record in {self.folder} could not be written further: {reason}; it goes on in {folder}"
        self._db, self.folder, self.path = db, folder, folder / FILE

    def _fail(self, error: Exception) -> None:
        self._lost = True
        self.error = self.error or f"the record in {self.folder} could not be written further: {error}"


def insert(db: sqlite3.Connection, batch: dict[str, list[Row]]) -> None:
    """Write rows, by table, in one transaction."""
    with db:
        for table, rows in batch.items():
            marks = f"({','.join('?' * len(TABLES[table]))})"
            for some in (rows[start : start + TOGETHER] for start in range(0, len(rows), TOGETHER)):
                values = [value for row in some for value in row]
                db.execute(f"INSERT OR REPLACE INTO {table} VALUES {','.join([marks] * len(some))}", values)


def cell(value: float) -> float | str:
    """SQLite keeps no NaN: non-finite numbers are stored as text."""
    return value if math.isfinite(value) else str(value)


def append(folder: Path, table: str, rows: list[Row], replace: bool = False) -> str | None:
    """Add rows to a finished run (``replace``: instead of those there); the reason where the disk refuses."""
    try:
        db = connect(folder / FILE)
        try:
            if replace:
                db.execute(f"DELETE FROM {table}")
            insert(db, {table: rows})
        finally:
            _close(db)
    except (sqlite3.Error, OSError) as error:
        return f"could not write to {folder}: {error}"
    return None

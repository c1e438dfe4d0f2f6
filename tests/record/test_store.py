"""Rows go to the disk in the background, are readable at once, and a disk that refuses stops nothing."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fallline.record import store as module
from fallline.record.run import read
from fallline.record.schema import SCHEMA, TABLES, columns
from fallline.record.store import FILE, Store, append, new_folder


def rows(folder: Path, table: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(folder / FILE)
    found = db.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()
    db.close()
    return found


def eventually(check: Callable[[], bool]) -> bool:
    """Wait for the writing thread; a limit only so that a failure ends."""
    for _ in range(2000):
        if check():
            return True
        time.sleep(0.005)
    return False


def step(number: int) -> tuple[float, ...]:
    return (number, 1, 0.5, 0.1, 1, 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


def test_what_is_put_is_read(store: Store, tmp_path: Path) -> None:
    for i in range(300):
        store.put("steps", step(i))
    store.meta(argv=["train.py", "--lr", "0.1"], seconds=1.5)
    store.event(3, "stopped", reason="enough", values=[1, 2])
    store.close()
    run = read(tmp_path)
    assert run.steps["step"].tolist() == list(range(300))
    assert run.meta == {"schema": SCHEMA, "argv": ["train.py", "--lr", "0.1"], "seconds": 1.5}
    assert run.events[0].detail == {"reason": "enough", "values": [1, 2]}
    assert store.error is None


def test_meta_is_replaced(store: Store, tmp_path: Path) -> None:
    store.meta(exit=1)
    store.meta(exit=0)
    store.close()
    assert read(tmp_path).meta["exit"] == 0


@settings(max_examples=10, deadline=None)
@given(values=st.lists(st.floats(), min_size=30))
def test_every_number_comes_back(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    folder = tmp_path_factory.mktemp("run")
    store = Store(folder)
    for value in [*values, 5e-324, -0.0, math.nan, math.inf, -math.inf]:
        store.put("steps", (0, 1, module.cell(value), 0.1, 1, 0.0))
    store.close()
    assert np.array_equal(read(folder).steps["loss"][: len(values)], values, equal_nan=True)


def test_readable_while_it_is_written(store: Store, tmp_path: Path) -> None:
    """A second connection sees what was flushed, and does not disturb the writer."""
    for i in range(5):
        store.put("steps", step(i))
        store.flush()
        assert eventually(lambda: len(read(tmp_path).steps) == i + 1)  # noqa: B023
    reader = sqlite3.connect(tmp_path / FILE)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM steps").fetchone() == (5,)
    store.put("steps", step(5))
    store.flush()
    assert eventually(lambda: len(read(tmp_path).steps) == 6)
    assert reader.execute("SELECT count(*) FROM steps").fetchone() == (5,)  # its own moment
    reader.close()
    assert store.error is None


def test_a_finished_record_is_one_plain_file(store: Store, tmp_path: Path) -> None:
    store.put("steps", step(0))
    store.close()
    append(tmp_path, "findings", [(0, "{}")])
    read(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [FILE]


def test_rows_are_handed_over_when_it_is_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    store = Store(tmp_path)
    store.put("steps", step(0))
    store.tick()
    assert store._rows
    assert not store.due
    now += module.FLUSH_SECONDS
    assert store.due
    store.tick()
    assert not store._rows
    assert not store.due
    store.close()


def test_a_process_killed_leaves_a_readable_record(tmp_path: Path) -> None:
    program = (
        "import os, sys, time\nfrom pathlib import Path\nfrom fallline.record.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "for i in range(1000):\n    store.put('steps', (i, 1, 0.5, 0.1, 1, 0.0))\n"
        "store.flush()\n"
        "while not store._queue.empty(): time.sleep(0.01)\n"
        "store.put('steps', (1000, 1, 0.5, 0.1, 1, 0.0))\n"  # never flushed
        "while store._db.in_transaction: time.sleep(0.01)\n"
        "time.sleep(0.2)\nos.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert ended.returncode == -9
    assert len(read(tmp_path).steps) == 1000


# -- a disk that refuses ---------------------------------------------------------------------------------------------


def filled(store: Store) -> None:
    """Some rows are written; then SQLite gets no more pages, and says that the disk is full."""
    store.put("steps", step(0))
    store.flush()
    assert eventually(lambda: len(rows(store.folder, "steps")) == 1)
    store._db.execute("PRAGMA max_page_count=1")


def test_a_full_disk_moves_the_record(tmp_path: Path) -> None:
    store = Store(tmp_path)
    filled(store)
    for i in range(1, 1000):
        store.put("steps", step(i))
    store.close()
    assert store.folder != tmp_path
    assert read(store.folder).steps["step"].tolist() == list(range(1000))
    assert store.error is not None
    assert "disk is full" in store.error
    assert str(tmp_path) in store.error
    assert str(store.folder) in store.error
    assert len(read(tmp_path).steps) == 1  # what was written before stays readable


def test_nowhere_left_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    filled(store)
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(tmp_path / "not" / "there"))
    for i in range(1, 3000):
        store.put("steps", step(i))
        if i % 1000 == 0:
            store.flush()
    store.close()
    assert store.folder == tmp_path
    assert store.error is not None
    assert "could not be written further" in store.error
    assert len(read(tmp_path).steps) == 1


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path / "gone")
    store.put("steps", step(0))
    store.close()
    assert store.error is not None
    assert "unable to open database file; it goes on in " in store.error
    assert len(read(store.folder).steps) == 1


def test_rows_of_a_forked_child_are_dropped(store: Store, tmp_path: Path) -> None:
    store.put("steps", step(0))
    child = os.fork()
    if child == 0:  # pragma: no cover
        for i in range(100):
            store.put("steps", step(i))
        store.flush()
        store.close()
        os._exit(len(store._rows))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    store.close()
    assert len(read(tmp_path).steps) == 1


# -- folders ---------------------------------------------------------------------------------------------------------


def test_folders_are_counted(tmp_path: Path) -> None:
    names = [new_folder(tmp_path / "runs", "train")[0].name for _ in range(3)]
    assert names == ["train-1", "train-2", "train-3"]
    assert new_folder(tmp_path / "runs", "other") == (tmp_path / "runs" / "other-1", None)


@pytest.mark.parametrize("root", ["/proc/runs", "file/runs", "file"])
def test_a_root_that_cannot_be_written(root: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    folder, note = new_folder(tmp_path / root, "train")
    assert folder.is_dir()
    assert note is not None
    assert note.startswith(f"cannot write to {tmp_path / root} (")
    assert note.endswith(f"the record is in {folder}")


def test_a_root_that_is_full_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> sqlite3.Connection:
        path.write_bytes(b"half a file")
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(module, "connect", full)
    folder, note = new_folder(tmp_path, "train")
    assert note is not None
    assert "(database or disk is full)" in note
    assert folder.parent.parent != tmp_path
    assert list(tmp_path.iterdir()) == []  # nothing half-made stays behind


# -- later additions -------------------------------------------------------------------------------------------------


def test_append_and_replace(store: Store, tmp_path: Path) -> None:
    store.close()
    assert append(tmp_path, "findings", [(0, json.dumps({"code": "a"})), (1, "{}")]) is None
    assert append(tmp_path, "findings", [(0, "{}")], replace=True) is None
    assert rows(tmp_path, "findings") == [(0, "{}")]
    assert append(tmp_path, "findings", [], replace=True) is None
    assert rows(tmp_path, "findings") == []


def test_append_says_why_it_cannot(tmp_path: Path) -> None:
    said = append(tmp_path / "nowhere", "findings", [])
    assert said is not None
    assert str(tmp_path / "nowhere") in said


def test_columns_are_those_of_the_tables(store: Store, tmp_path: Path) -> None:
    store.close()
    db = sqlite3.connect(tmp_path / FILE)
    for table in TABLES:
        assert tuple(row[1] for row in db.execute(f"PRAGMA table_info({table})")) == columns(table)
    db.close()

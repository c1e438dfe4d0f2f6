"""Reading a recorded run."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fallline.record.run import Event, Run, RunError, Table, read, runs
from fallline.record.schema import SCHEMA
from fallline.record.store import FILE, Store


def small(folder: Path) -> Path:
    folder.mkdir(parents=True)
    store = Store(folder)
    store.put("models", (0, "net", "Sequential", 10))
    store.put("optimizers", (1, "SGD", json.dumps({"lr": 0.1, "betas": [0.9, 0.99]}), "[0, 2]", "opt"))
    for i, loss in enumerate([2.0, 1.0, "nan", "inf", None]):
        store.put("steps", (i, 1, loss, 0.1, 1, 0.0))
    store.event(2, "compiled", model="net")
    store.event(3, "fault", message="x")
    store.close()
    return folder


def test_reads_what_was_written(tmp_path: Path) -> None:
    run = read(small(tmp_path / "net-1"))
    assert run.name == "net-1"
    assert run.models[0].kind == "Sequential"
    assert run.optimizers[0].settings == {"lr": 0.1, "betas": [0.9, 0.99]}
    assert run.optimizers[0].parameters == {0, 2}
    assert run.steps["loss"].tolist()[:2] == [2.0, 1.0]
    assert np.isnan(run.steps["loss"][[2, 4]]).all()
    assert run.steps["loss"][3] == np.inf
    assert [event.step for event in run.events_of("fault")] == [3]
    assert run.events[0] == Event(2, "compiled", {"model": "net"})
    assert len(run.trainings) == 1
    assert len(run.layer_stats) == 0


def test_a_file_can_be_named_instead_of_its_folder(tmp_path: Path) -> None:
    folder = small(tmp_path / "net-1")
    assert read(folder / FILE).name == "net-1"


@pytest.mark.parametrize("name", ["a b", "100%20", "what?", "a#b", "ü", "mode=rw"])
def test_any_folder_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(read(Path(name)).steps) == 5
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed by Linux only")
def test_reading_closes_the_file(tmp_path: Path) -> None:
    folder = small(tmp_path / "net-1")
    for _ in range(3):
        read(folder)
    held = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _exists(fd)]
    assert not [path for path in held if str(folder) in path]


def _exists(fd: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{fd}")


def test_reading_writes_nothing(tmp_path: Path) -> None:
    folder = small(tmp_path / "net-1")
    before = (folder / FILE).read_bytes()
    read(folder)
    assert (folder / FILE).read_bytes() == before
    assert [p.name for p in folder.iterdir()] == [FILE]


DIES_IN_A_TRANSACTION = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA journal_mode=DELETE")
db.execute("PRAGMA cache_size=1")  # so that what is not committed is in the file already
db.execute("DELETE FROM steps")
db.executemany("INSERT INTO meta VALUES (?, ?)", [(f"key {i}", '"' + 100 * "x" + '"') for i in range(1000)])
os._exit(9)
"""


def test_a_transaction_that_its_writer_did_not_end_is_rolled_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("steps", (0, 1, 2.5, 0.1, 1, 0.0))
    store.close()
    done = subprocess.run([sys.executable, "-c", DIES_IN_A_TRANSACTION, str(tmp_path / FILE)], check=False)
    assert done.returncode == 9
    assert (tmp_path / f"{FILE}-journal").stat().st_size > 0
    assert read(tmp_path).steps["loss"].tolist() == [2.5]


def test_no_run_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run at .*nowhere.*fallline runs"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b""])
def test_not_a_record(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RunError, match="not a record of fallline, or it is damaged"):
        read(tmp_path)


def test_a_record_of_a_newer_fallline(tmp_path: Path) -> None:
    folder = small(tmp_path / "net-1")
    db = sqlite3.connect(folder / FILE)
    db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(SCHEMA + 1),))
    db.commit()
    db.close()
    with pytest.raises(RunError, match="upgrade"):
        read(folder)


def test_runs_are_listed_oldest_first(tmp_path: Path) -> None:
    for i, name in enumerate(["b-1", "a-1", "c-1"]):
        os.utime(small(tmp_path / name) / FILE, (i, i))
    (tmp_path / "no run").mkdir()
    assert [p.name for p in runs(tmp_path)] == ["b-1", "a-1", "c-1"]
    assert runs(tmp_path / "nowhere") == []


def test_rows_of_a_table() -> None:
    table = Table({"step": np.array([0.0, 0, 1]), "layer": np.array([0.0, 1, 1]), "dead": np.array([0.5, np.nan, 0])})
    assert len(table) == 3
    assert table.where(layer=1)["step"].tolist() == [0, 1]
    assert table.where(layer=1, step=1)["dead"].tolist() == [0]
    assert len(table.where(layer=7)) == 0
    assert len(Table({})) == 0


def test_totals_and_trainings(record: Callable[[], Any]) -> None:
    run = record().chain(2).losses([3.0, 2.0]).weigh([0, 1], grad=[3.0, 4.0], weight=1.0).run()
    (training,) = run.trainings
    steps, norms = training.total("grad")
    assert steps.tolist() == [0, 1]
    assert norms == pytest.approx([3 * 2**0.5, 4 * 2**0.5])
    assert training.loss.tolist() == [3.0, 2.0]
    assert not training.contested


def test_until_is_the_record_as_it_stood_then(tmp_path: Path) -> None:
    run = read(small(tmp_path / "net-1"))
    early = run.until(3)
    assert early.steps["loss"].tolist()[:2] == [2.0, 1.0]
    assert len(early.steps) == early.meta["steps"] == 3
    assert [event.step for event in early.events] == [2]
    assert early.optimizers == run.optimizers
    assert run.until(0).optimizers == ()
    assert run.until(0).trainings == ()
    assert len(run.steps) == 5


def test_until_is_what_a_shorter_run_records(watched: Callable[..., Run]) -> None:
    def train(updates: int) -> Run:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        x = torch.randn(8, 2, dtype=torch.float64)

        def loop() -> None:
            for _ in range(updates):
                optimizer.zero_grad()
                (model(x) - 1).square().mean().backward()
                optimizer.step()

        return watched(loop, model=model)

    short, cut = train(6), train(12).until(6)
    assert cut.steps["loss"].tolist() == short.steps["loss"].tolist()
    for name in ("layer_stats", "parameter_stats"):
        mine, theirs = getattr(cut, name), getattr(short, name)
        assert all(np.array_equal(mine[c], theirs[c], equal_nan=True) for c in mine.data)
    assert cut.sights == short.sights
    assert "exit" in short.meta
    assert "exit" not in cut.meta

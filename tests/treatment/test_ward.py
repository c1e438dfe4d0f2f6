"""Trials in forked processes: what they record and how they end is as in fresh ones."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fallline.record.run import read
from fallline.treatment import child
from fallline.treatment.ward import FORKS, Ending, Ward, _await, _imports, alone

pytestmark = pytest.mark.skipif(not FORKS, reason="trials are forked on Linux only")

TRAINING = """
import random
import numpy as np
import torch

x = torch.randn(64, 3)
y = x.sum(dim=1, keepdim=True) + 0.1 * torch.from_numpy(np.random.randn(64, 1)).float()
model = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.Tanh(), torch.nn.Dropout(0.2), torch.nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(30):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
print("threads", torch.get_num_threads(), "drawn", random.random())
print("loss", loss.item())
"""


@pytest.fixture(scope="module")
def ward() -> Iterator[Ward]:
    with Ward() as ward:
        yield ward


def trial(folder: Path, program: str, seed: int = 0) -> Path:
    """The description of a trial of a program."""
    folder.mkdir()
    (folder / "train.py").write_text(program)
    spec = {
        "program": str(folder / "train.py"), "args": [], "module": False, "seed": seed, "remedies": [], "limit": None,
        "seconds": None, "budget": 0.1, "bars": [], "name": "train", "root": str(folder / "runs"), "whole": False,
    }  # fmt: skip
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    return path


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and waits to be asked for its status does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(process: int) -> bool:
    """Whether a process that was killed is gone; the kernel may need a moment."""
    for _ in range(500):
        if not alive(process):
            return True
        time.sleep(0.01)
    return False


def test_a_fork_records_what_a_fresh_process_does(tmp_path: Path, ward: Ward) -> None:
    forked, fresh = trial(tmp_path / "a", TRAINING, seed=1), trial(tmp_path / "b", TRAINING, seed=1)
    endings = [ward.run(forked, 60), alone(fresh, 60)]
    assert endings[0] == endings[1]
    assert endings[0].status == 0
    assert endings[0].printed.startswith("threads 1 drawn")
    records = [read(spec.with_name(child.FOLDER).read_text()) for spec in (forked, fresh)]
    losses = [record.steps["loss"].tolist() for record in records]
    assert len(losses[0]) == 30
    assert losses[0] == losses[1]
    assert records[0].meta["exit"] == 0
    assert [p.name for p in records[0].parameters] == [p.name for p in records[1].parameters]


def test_trials_leave_nothing_behind_for_the_next(tmp_path: Path, ward: Ward) -> None:
    first = ward.run(trial(tmp_path / "a", TRAINING), 60)
    ward.run(trial(tmp_path / "b", "import torch\ntorch.set_default_dtype(torch.float64)\ntorch.manual_seed(7)"), 60)
    assert ward.run(trial(tmp_path / "c", TRAINING), 60) == first


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("import sys\nprint('so far')\nsys.exit(3)", 3),
        ("print('so far')\nraise ValueError('no more data')", 1),
        ("print('so far')\nraise SystemExit('no more data')", 1),
        ("import os\nprint('so far', flush=True)\nos._exit(5)", 5),
        ("import os, signal\nprint('so far', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)", -9),
        ("import sys\nprint('so far')\nsys.exit(124)", 124),  # its own, not that of a time limit
    ],
)
def test_the_status_is_the_programs_own(tmp_path: Path, ward: Ward, program: str, status: int) -> None:
    ended = ward.run(trial(tmp_path / "a", program), None)
    assert (ended.status, ended.printed) == (status, "so far\n")
    assert ("no more data" in ended.complaint) == ("no more data" in program)
    assert "ward" not in ended.complaint  # no traceback of ours
    assert "child" not in ended.complaint


def test_exit_handlers_and_threads_come_to_their_end(tmp_path: Path, ward: Ward) -> None:
    program = (
        "import atexit, threading, time\natexit.register(print, 'last')\n"
        "threading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()\nprint('first')"
    )
    assert ward.run(trial(tmp_path / "a", program), 60) == Ending(0, "first\nthread\nlast\n", "")


def test_a_trial_over_its_time_is_ended_with_its_children(tmp_path: Path, ward: Ward) -> None:
    program = (
        "import os, pathlib, subprocess, sys, time\nhere = pathlib.Path(sys.argv[0]).parent\n"
        "started = subprocess.Popen(['sleep', '600'])\n"
        "(here / 'new').write_text(f'{os.getpid()} {started.pid}')\n(here / 'new').rename(here / 'pids')\n"
        "time.sleep(600)"
    )
    ended = ward.run(trial(tmp_path / "a", program), 1.0)
    assert ended == Ending(124, "", "ended after 1 s")
    processes = [int(pid) for pid in (tmp_path / "a" / "pids").read_text().split()]
    assert all(gone(process) for process in processes)


def test_a_program_that_cannot_be_read(tmp_path: Path, ward: Ward) -> None:
    ended = ward.run(trial(tmp_path / "a", "this is no program"), 60)
    assert ended.status == 1
    assert "ScriptError" in ended.complaint


def test_without_its_server_a_trial_gets_a_fresh_process(tmp_path: Path) -> None:
    with Ward() as ward:
        assert ward._server is not None
        os.kill(ward._server.pid, signal.SIGKILL)
        ward._server.wait()
        ended = ward.run(trial(tmp_path / "a", "print('so far')"), 60)
    assert ended == Ending(0, "so far\n", "")


def test_trials_begun_by_a_server_that_died_are_ended(tmp_path: Path) -> None:
    """Else it would go on beside the fresh process that takes its place, and write the same record."""
    orphan = subprocess.Popen(["sleep", "600"], start_new_session=True)
    answers: queue.Queue[dict[str, int]] = queue.Queue()
    answers.put({"process": orphan.pid})
    answers.put({"gone": 1})
    assert _await(answers, 60) is None
    assert orphan.wait() == -signal.SIGKILL


def test_after_its_end_no_trial_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fallline.treatment.ward.FORKS", False)
    with Ward() as ward:
        assert ward._server is None
    assert ward.run(trial(tmp_path / "a", "print('so far')"), 60).printed == ""
    assert not (tmp_path / "a" / "runs").exists()


def test_what_is_loaded_beforehand(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import numpy as np, os\nfrom sklearn.datasets import load_digits\nfrom . import other\n")
    assert _imports(script) == {"numpy", "sklearn.datasets"}
    script.write_text("this is no program")
    assert _imports(script) == set()
    assert _imports(tmp_path / "missing.py") == set()


def test_the_server_draws_no_random_number_for_its_trials(tmp_path: Path, ward: Ward) -> None:
    """A program that never seeds starts from the trial's seed, not from the server's state."""
    program = "import torch\nprint(torch.rand(1).item())"
    torch.manual_seed(1)
    assert float(ward.run(trial(tmp_path / "a", program, seed=1), 60).printed) == torch.rand(1).item()

"""``python -m fallline run`` beside plain ``python``: the same output, the same ending, and then a report.

Each process that loads PyTorch costs seconds: endings are held against plain Python in processes of their own, what
the report says of peculiar programs is tried in this one.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fallline.cli import app
from fallline.record.run import RunError, read

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "80"}
FALLLINE = ("-m", "fallline", "run")


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: bytes
    err: str

    @property
    def said(self) -> str:
        """What it said on stderr, as one line."""
        return " ".join(self.err.split())


def start(*args: str, cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *args], cwd=cwd, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[bytes], stdin: bytes = b"") -> Ended:
    try:
        out, err = process.communicate(stdin, timeout=120)
    finally:
        process.kill()
    return Ended(process.returncode, out, err.decode())


def run(*args: str, cwd: Path, stdin: bytes = b"") -> Ended:
    return finish(start(*args, cwd=cwd), stdin)


def both(cwd: Path, *args: str, stdin: bytes = b"") -> tuple[Ended, str]:
    """Run a program under fallline and without: hold the two against each other, and return what fallline said."""
    watched = start(*FALLLINE, *args, cwd=cwd)
    plain = run(*args, cwd=cwd, stdin=stdin)
    return compare(plain, finish(watched, stdin))


def compare(plain: Ended, watched: Ended) -> tuple[Ended, str]:
    assert watched.code == plain.code, watched.err
    assert watched.out == plain.out
    assert watched.err.startswith(plain.err)
    report = watched.err[len(plain.err) :]
    assert "Traceback" not in report
    return plain, " ".join(report.split())


TRAIN = """
import sys, torch
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x = torch.randn(32, 3)
y = x.sum(1, keepdim=True)
for step in range({steps}):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
print(loss.item(), *[p.detach().double().sum().item() for p in model.parameters()])
"""

FAILING = TRAIN.format(steps=7) + "(model(x) - y).backward()\n"


@pytest.fixture(scope="module")
def plain_training(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Seven updates in plain Python, and then an error inside of backward."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "train.py").write_text(FAILING)
    return run("train.py", cwd=folder)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Ended]]:
    """``fallline run`` in this process: changes directory to ``tmp_path`` and gives back what a program changes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fallline"])
    monkeypatch.setattr(sys, "path", sys.path[:])
    main = sys.modules["__main__"]

    def here(*args: str) -> Ended:
        ended = CliRunner().invoke(app, ["run", *args])
        return Ended(ended.exit_code, ended.stdout_bytes, ended.stderr)

    yield here
    sys.modules["__main__"] = main


def test_a_report_that_could_not_be_written_is_refused_at_the_start(here: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("print('hello')\n")
    for option, path, reason in (
        ("--json", "no/such.json", "there is no folder no"),
        ("--html", ".", "it is a folder"),
        ("--budget", "2", "at most 1"),
    ):
        ended = here(option, path, "hello.py")
        assert ended.code == 2
        assert reason in ended.said
        assert b"hello" not in ended.out


def test_the_version() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert shown.exit_code == 0
    assert shown.stdout == f"fallline {importlib.metadata.version('fallline')}\n"


# -- endings, in processes of their own ------------------------------------------------------------------------------

LOOK_AROUND = """
'''A program that looks at everything it can see.'''
import atexit, json, os, pickle, sys
import helper
import __main__

class Thing:
    def __eq__(self, other):
        return type(self) is type(other)

atexit.register(print, 'good bye')
print(sys.argv, __name__, __file__, __doc__, __package__, __spec__, __cached__)
print(sorted(globals()), type(__loader__).__name__, __loader__.path)
print(sys.path[0], os.getcwd(), helper.__file__)
print(pickle.loads(pickle.dumps(Thing())) == Thing(), __main__.Thing is Thing)
print(sys.stdin.read(), os.environ.get('OMP_NUM_THREADS'), __builtins__.__name__)
sys.stdout.flush()
sys.stdout.buffer.write(bytes(range(256)))
print('to stderr', file=sys.stderr)
sys.exit(3)
"""


def test_a_program_sees_what_python_gives_it_and_ends_with_its_own_status(tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "helper.py").write_text("")
    (folder / "look.py").write_text(LOOK_AROUND)
    plain, report = both(tmp_path, "sub/look.py", "--lr", "0.1", "-m", "--json", "x", stdin=b"some input")
    assert plain.code == 3
    assert "No update was recorded: the program never called backward() and never stepped an optimizer." in report


def test_an_exit_with_a_text(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import sys\nprint('before')\nsys.exit('no data')\n")
    plain, report = both(tmp_path, "train.py")
    assert (plain.code, plain.err) == (1, "no data\n")
    assert "0 updates" in report


def test_an_error_inside_of_backward_after_some_training(plain_training: Ended, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(FAILING)
    ended = run(*FALLLINE, "train.py", cwd=tmp_path)
    folder = plain_training.err.partition('File "')[2].partition("train.py")[0]
    plain = Ended(plain_training.code, plain_training.out, plain_training.err.replace(folder, f"{tmp_path}/"))
    _, report = compare(plain, ended)
    assert "grad can be implicitly created only for scalar outputs" in plain.err
    assert "7 updates" in report
    assert "The program ended with RuntimeError: grad can be implicitly" in report


@pytest.mark.parametrize(
    ("module", "place", "said"),
    [
        ("observer", "Observer._call", "fallline left out what it could not read, by a fault of its own"),
        ("recorder", "Recorder._finish", "fallline stopped watching at step 0 by a fault of its own"),
    ],
)
def test_a_fault_of_fallline_is_told_once_and_changes_nothing(
    plain_training: Ended, tmp_path: Path, module: str, place: str, said: str
) -> None:
    sabotage = (
        f"from fallline.record.{module} import {place.partition('.')[0]}\n"
        "def broken(*args): raise ZeroDivisionError('a bug of our own')\n"
        f"{place} = broken\n"
    )
    (tmp_path / "train.py").write_text(sabotage + FAILING)
    ended = run(*FALLLINE, "train.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (plain_training.code, plain_training.out)
    assert ended.said.count("a bug of our own") == 1
    assert f"{said}: ZeroDivisionError" in ended.said
    assert ended.err.count("Traceback") == 1  # the program's


def test_control_c(tmp_path: Path) -> None:
    text = (
        "import atexit, os, signal\natexit.register(print, 'cleaned up')\nprint('not flushed')\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "os.kill(os.getpid(), signal.SIGINT)\nprint('not reached')\n"
    )
    (tmp_path / "train.py").write_text(text)
    plain, report = both(tmp_path, "train.py")
    assert plain.code == -signal.SIGINT
    assert plain.out == b"not flushed\ncleaned up\n"
    assert "The program ended with KeyboardInterrupt" in report


def test_a_module(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("value = 7\n")
    (package / "train.py").write_text(
        "import pickle, sys\nfrom .helper import value\nclass Thing: pass\n"
        "print(sys.argv, __name__, __package__, __spec__.name, __file__, sys.path[0], value)\n"
        "print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)\n"
    )
    plain, _ = both(tmp_path, "-m", "pack.train", "--lr", "0.1", "-m")
    assert plain.code == 0
    assert f"['{package}/train.py', '--lr', '0.1', '-m'] __main__ pack".encode() in plain.out


@pytest.mark.slow
def test_killed_and_read_while_it_ran(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN.format(steps=10**9))
    process = start(*FALLLINE, "train.py", cwd=tmp_path)
    folder = tmp_path / "runs" / "train-1"
    updates = 0
    for _ in range(6000):  # a limit only so that a failure ends
        try:
            updates = len(read(folder).steps)
        except RunError:
            assert process.poll() is None
        if updates > 10:
            break
        time.sleep(0.01)
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    assert updates > 10
    assert len(read(folder).steps) >= updates
    report = run("-m", "fallline", "report", "train-1", cwd=tmp_path)
    assert report.code == 0
    assert report.err == ""
    shown = " ".join(report.out.decode().split())
    assert f"{len(read(folder).steps)} updates so far (the program is running, or was killed)" in shown
    assert "checks passed" in shown


# -- disks -----------------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="only root can mount a small disk")
@pytest.mark.parametrize("size", ["100k", "160k"])
def test_a_full_disk(size: str, here: Callable[..., Ended], tmp_path: Path) -> None:
    """Full from the start, or before the training is over: the record goes on in a temporary folder."""
    (tmp_path / "train.py").write_text(TRAIN.format(steps=3000))
    with small_disk(tmp_path / "runs", size):
        ended = here("train.py")
    assert ended.code == 0
    assert "3000 updates" in ended.said
    note = "could not be written further: database or disk is full; it goes on in "
    if size == "100k":
        note = f"cannot write to {tmp_path}/runs (database or disk is full); the record is in "
    assert note in ended.said
    folder = Path(ended.said.partition(note)[2].split()[0])
    assert len(read(folder).steps) == 3000
    shutil.rmtree(folder.parent)


def test_a_folder_that_cannot_be_written(here: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('trained')\n")
    ended = here("--runs", "/proc/runs", "train.py")
    assert (ended.code, ended.out) == (0, b"trained\n")
    assert "cannot write to /proc/runs (" in ended.said
    folder = Path(ended.said.partition("the record is in ")[2].split()[0])
    assert read(folder).meta["exit"] == 0
    shutil.rmtree(folder.parent)


def test_a_program_that_changes_directory(here: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "train.py").write_text(TRAIN.format(steps=3) + "import os; os.chdir('elsewhere')\n")
    ended = here("--json", "report.json", "--html", "report.html", "train.py")
    assert ended.code == 0
    assert "3 updates" in ended.said
    assert json.loads((tmp_path / "report.json").read_text())["steps"] == 3
    assert "<!doctype html>" in (tmp_path / "report.html").read_text()
    assert len(read(tmp_path / "runs" / "train-1").steps) == 3


def test_a_program_that_removes_the_runs(here: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import shutil, sys\nshutil.rmtree('runs')\nprint('done')\nsys.exit(3)\n")
    ended = here("train.py")
    assert (ended.code, ended.out) == (3, b"done\n")
    assert ended.said.startswith(f"fallline: no run at {tmp_path}/runs/train-1: ")
    assert "Traceback" not in ended.err


# -- peculiar programs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["missing.py"], "fallline: cannot read missing.py: No such file or directory\n"),
        (["-m", "missing.module"], "fallline: cannot run module missing.module: No module named 'missing'\n"),
        (["wrong.py"], "fallline: wrong.py is not valid Python at line 2: invalid syntax\n"),
    ],
)
def test_what_cannot_be_run(args: list[str], message: str, here: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("import torch\nfor = 1\n")
    ended = here(*args)
    assert ended.code != 0
    assert ended.out == b""
    assert ended.err == message
    assert not (tmp_path / "runs").exists()


def test_parameters_that_change_without_backward(here: Callable[..., Ended], tmp_path: Path) -> None:
    """Evolution by random search: there is no loss to be seen."""
    text = (
        "import torch\nw = torch.zeros(3, requires_grad=True)\n"
        "for _ in range(30):\n    with torch.no_grad():\n        w += 0.5\nprint(w.tolist())\n"
    )
    (tmp_path / "train.py").write_text(text)
    ended = here("train.py")
    assert (ended.code, ended.out) == (0, b"[15.0, 15.0, 15.0]\n")
    assert "No update was recorded: the program never called backward() and never stepped an optimizer." in ended.said


def test_gradients_set_without_backward(here: Callable[..., Ended], tmp_path: Path) -> None:
    """An optimizer steps, but no loss is ever seen: nothing may be said about a loss."""
    text = (
        "import torch\nmodel = torch.nn.Linear(3, 1)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.01)\n"
        "for _ in range(30):\n    for p in model.parameters():\n        p.grad = torch.ones_like(p)\n"
        "    optimizer.step()\n"
    )
    (tmp_path / "train.py").write_text(text)
    ended = here("--json", "report.json", "train.py")
    assert ended.code == 0
    assert "30 updates" in ended.said
    report = json.loads((tmp_path / "report.json").read_text())
    assert [finding["code"] for finding in report["findings"]] == []


def test_one_update(here: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN.format(steps=1))
    ended = here("train.py")
    assert ended.code == 0
    assert "1 update in" in ended.said
    assert "One update is too little to tell how a training goes." in ended.said


def test_two_trainings_in_one_program(here: Callable[..., Ended], tmp_path: Path) -> None:
    second = TRAIN.format(steps=30).replace("SGD(model.parameters(), lr=0.05)", "Adam(model.parameters())")
    (tmp_path / "train.py").write_text(TRAIN.format(steps=20) + second)
    ended = here("train.py")
    assert ended.code == 0
    assert "50 updates" in ended.said
    assert "2 trainings: SGD (20 updates), Adam (30 updates)" in ended.said


# -- other processes -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_module_by_the_installed_command(tmp_path: Path) -> None:
    """The command's own folder stands first in sys.path, not the working directory."""
    command = Path(sys.executable).with_name("fallline")
    if not command.exists():
        pytest.skip("fallline is not installed as a command")
    (tmp_path / "train.py").write_text("import sys\nprint(sys.path[0], sys.argv[1:])\n")
    ended = subprocess.run(
        [command, "run", "-m", "train", "x"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, f"{tmp_path} ['x']\n".encode())


WORKERS = """
import torch, torch.multiprocessing
from torch.utils.data import DataLoader, Dataset

class Squares(Dataset):
    def __len__(self):
        return 64
    def __getitem__(self, i):
        return torch.tensor([i / 64.0]), torch.tensor([(i / 64.0) ** 2])

if __name__ == '__main__':
    torch.manual_seed(0)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(
        Squares(), 16, shuffle=True, num_workers=2, generator=generator, multiprocessing_context='{how}'
    )
    for epoch in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    print(model.weight.item(), model.bias.item())
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_workers_of_a_data_loader(how: str, tmp_path: Path) -> None:
    """Spawned workers import the program again and unpickle a class of its ``__main__``."""
    (tmp_path / "train.py").write_text(WORKERS.format(how=how))
    _, report = both(tmp_path, "train.py")
    assert "8 updates" in report
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["train-1"]


@pytest.mark.slow
def test_a_program_that_forks_itself(tmp_path: Path) -> None:
    text = (
        "import os, sys\nchild = os.fork()\nif child == 0:\n    print('child', flush=True)\n    sys.exit(4)\n"
        "_, status = os.waitpid(child, 0)\nprint('parent', os.waitstatus_to_exitcode(status))\n"
    )
    (tmp_path / "train.py").write_text(text)
    plain, report = both(tmp_path, "train.py")
    assert plain.out == b"child\nparent 4\n"
    assert report.count("train.py · 0 updates in") == 1
    assert "killed" not in report

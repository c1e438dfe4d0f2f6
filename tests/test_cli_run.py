"""``python -m fallline run`` beside plain ``python``: the same output, the same ending, and then a report."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

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


# -- endings ---------------------------------------------------------------------------------------------------------

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
print(sys.path[0], os.getcwd(), helper.__file__)
print(pickle.loads(pickle.dumps(Thing())) == Thing(), __main__.Thing is Thing)
print(sys.stdin.read(), os.environ.get('OMP_NUM_THREADS'), __builtins__.__name__)
sys.stdout.flush()
sys.stdout.buffer.write(bytes(range(256)))
print('to stderr', file=sys.stderr)
"""


def test_a_program_sees_what_python_gives_it(tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "helper.py").write_text("")
    (folder / "look.py").write_text(LOOK_AROUND)
    _, report = both(tmp_path, "sub/look.py", "--lr", "0.1", "-m", "--json", "x", stdin=b"some input")
    assert "No update was recorded: the program never called backward() and never stepped an optimizer." in report


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("def f(n):\n    return 1 / n\nprint('before')\nf(0)\n", 1, "ended with ZeroDivisionError: division by zero"),
        ("import sys\nprint('before')\nsys.exit(3)\n", 3, "0 updates"),
        ("import sys\nprint('before')\nsys.exit('no data')\n", 1, "0 updates"),
    ],
    ids=["exception", "exit status", "exit text"],
)
def test_endings(text: str, code: int, says: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(text)
    plain, report = both(tmp_path, "train.py")
    assert plain.code == code
    assert says in report


def test_an_error_inside_of_backward_after_some_training(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN.format(steps=7) + "(model(x) - y).backward()\n")
    plain, report = both(tmp_path, "train.py")
    assert "grad can be implicitly created only for scalar outputs" in plain.err
    assert "7 updates" in report


def test_control_c(tmp_path: Path) -> None:
    text = (
        "import atexit, time\natexit.register(print, 'cleaned up')\nprint('ready', flush=True)\n"
        "print('not flushed')\nwhile True:\n    time.sleep(60)\n"
    )
    (tmp_path / "train.py").write_text(text)
    ended = []
    for args in (["train.py"], [*FALLLINE, "train.py"]):
        process = start(*args, cwd=tmp_path)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        ended.append(finish(process))
    plain, report = compare(*ended)
    assert plain.code == -signal.SIGINT
    assert plain.out == b"not flushed\ncleaned up\n"
    assert "The program ended with KeyboardInterrupt" in report


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
    assert f"{len(read(folder).steps)} updates, and the record ends there" in shown
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
def test_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN.format(steps=2000))
    with small_disk(tmp_path / "runs", "160k"):
        _, report = both(tmp_path, "train.py")
    assert "2000 updates" in report
    assert f"the record in {tmp_path}/runs/train-1 could not be written further: database or disk is full" in report
    folder = Path(report.partition("it goes on in ")[2].split()[0])
    assert len(read(folder).steps) == 2000
    shutil.rmtree(folder.parent)


@pytest.mark.parametrize("root", ["/proc/runs", "taken"])
def test_a_folder_that_cannot_be_written(root: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file in the place of the folder")
    (tmp_path / "train.py").write_text("print('trained')\n")
    ended = run(*FALLLINE, "--runs", root, "train.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, b"trained\n")
    assert f"cannot write to {tmp_path / root} (" in ended.said
    assert "Traceback" not in ended.err
    folder = Path(ended.said.partition("the record is in ")[2].split()[0])
    assert read(folder).meta["exit"] == 0
    shutil.rmtree(folder.parent)


def test_a_program_that_changes_directory_and_removes_the_runs(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    text = "import os, shutil\nshutil.rmtree('runs', ignore_errors=True)\nos.chdir('elsewhere')\nprint('done')\n"
    (tmp_path / "train.py").write_text(text)
    ended = run(*FALLLINE, "--json", "report.json", "train.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, b"done\n")
    assert "Traceback" not in ended.err


def test_a_program_that_changes_directory(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "train.py").write_text(TRAIN.format(steps=3) + "import os; os.chdir('elsewhere')\n")
    ended = run(*FALLLINE, "--json", "report.json", "--html", "report.html", "train.py", cwd=tmp_path)
    assert ended.code == 0
    assert "3 updates" in ended.said
    assert json.loads((tmp_path / "report.json").read_text())["steps"] == 3
    assert "<!doctype html>" in (tmp_path / "report.html").read_text()
    assert len(read(tmp_path / "runs" / "train-1").steps) == 3


# -- faults and peculiar programs ------------------------------------------------------------------------------------


def test_a_fault_of_fallline_is_told_once_and_changes_nothing(tmp_path: Path) -> None:
    sabotage = (
        "from fallline.record.recorder import Recorder\n"
        "def broken(*args): raise ZeroDivisionError('a bug of our own')\n"
        "Recorder._on_call = broken\n"
    )
    (tmp_path / "train.py").write_text(sabotage + TRAIN.format(steps=20))
    _, report = both(tmp_path, "train.py")
    assert report.count("fallline stopped watching at step 0 by a fault of its own: ZeroDivisionError") == 1


def test_no_such_script_and_no_such_module(tmp_path: Path) -> None:
    ended = run(*FALLLINE, "missing.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, b"")
    assert ended.err == "fallline: cannot read missing.py: No such file or directory\n"
    ended = run(*FALLLINE, "-m", "missing.module", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, b"")
    assert ended.err.startswith("fallline: cannot run module missing.module: ")
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_syntax_error(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\nfor = 1\n")
    ended = run(*FALLLINE, "train.py", cwd=tmp_path)
    assert ended.code != 0
    assert ended.err == "fallline: train.py is not valid Python at line 2: invalid syntax\n"


def test_parameters_that_change_without_backward(tmp_path: Path) -> None:
    """Evolution by random search: there is no loss to be seen."""
    text = (
        "import torch\nw = torch.zeros(3, requires_grad=True)\n"
        "for _ in range(30):\n    with torch.no_grad():\n        w += 0.1\nprint(w.tolist())\n"
    )
    (tmp_path / "train.py").write_text(text)
    _, report = both(tmp_path, "train.py")
    assert "No update was recorded: the program never called backward() and never stepped an optimizer." in report


def test_one_update(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN.format(steps=1))
    _, report = both(tmp_path, "train.py")
    assert "1 update in" in report
    assert "One update is too little to tell how a training goes." in report


def test_two_trainings_in_one_program(tmp_path: Path) -> None:
    second = TRAIN.format(steps=30).replace("SGD(model.parameters(), lr=0.05)", "Adam(model.parameters())")
    (tmp_path / "train.py").write_text(TRAIN.format(steps=20) + second)
    _, report = both(tmp_path, "train.py")
    assert "50 updates" in report
    assert "2 trainings: SGD (20 updates), Adam (30 updates)" in report


# -- modules and processes -------------------------------------------------------------------------------------------


def test_a_module(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("value = 7\n")
    (package / "train.py").write_text(
        "import pickle, sys\nfrom .helper import value\nclass Thing: pass\n"
        "print(sys.argv, __name__, __package__, __spec__.name, __file__, sys.path[0], value)\n"
        "print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)\nsys.exit(5)\n"
    )
    plain, _ = both(tmp_path, "-m", "pack.train", "--lr", "0.1", "-m")
    assert plain.code == 5
    assert b"['--lr', '0.1', '-m']" in plain.out.replace(str(package / "train.py").encode() + b"', '", b"")


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
    loader = DataLoader(Squares(), 16, shuffle=True, num_workers=2, generator=generator, multiprocessing_context='{how}')
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
    assert report.count("0 updates") == 1

"""Processes of this interpreter that begin with PyTorch loaded, which takes longer than most programs of the corpus."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

LOADED = (
    "__main__", "numpy", "torch", "torch._dynamo", "safetensors.torch", "sqlite3", "typer", "rich.console",
    "rich.table",
)  # fmt: skip
LATE = 124  # exit status of a process that was ended, as the command timeout has it


class Warm:
    """Forks each process from one that has loaded what all need, but nothing of fallline."""

    def __init__(self) -> None:
        os.environ["OMP_NUM_THREADS"] = "1"  # read when PyTorch is loaded
        self._fork = multiprocessing.get_context("forkserver")
        self._fork.set_forkserver_preload(list(LOADED))

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: str, timeout: float
    ) -> tuple[int, str, str]:
        """Run ``python ARGUMENTS`` (a file or ``-m`` a module) in a folder; its exit status and what it wrote.

        After ``timeout`` seconds it is ended with all that it started, and its status is ``LATE``.
        """
        with tempfile.TemporaryDirectory() as place:
            out, err = (Path(place) / name for name in ("out", "err"))
            process = self._fork.Process(target=_be, args=(list(arguments), dict(environment), folder, out, err))
            process.start()
            process.join(timeout)
            late = process.is_alive()
            if late:
                os.killpg(process.pid or 0, signal.SIGKILL)
                process.join()
            printed, complaint = (path.read_text(errors="replace") for path in (out, err))
            status = LATE if late else process.exitcode
            assert status is not None
            return status, printed, f"ended after {timeout:.0f} s" if late else complaint


def _be(arguments: list[str], environment: dict[str, str], folder: str, out: Path, err: Path) -> None:
    """In the forked process: be ``python ARGUMENTS``."""
    os.setsid()  # so that it can be ended with everything it started
    for stream, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if arguments[0] == "-m":
        sys.argv, sys.path[0] = arguments[1:], folder
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = arguments, str(Path(arguments[0]).parent)
        runpy.run_path(arguments[0], run_name="__main__")

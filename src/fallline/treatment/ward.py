"""Processes for trials: one that has PyTorch loaded and forks itself for each, where that is safe.

Loading PyTorch takes longer than many a small training. ``python -m fallline.treatment.ward MODULES`` loads it once and
then reads one line of JSON for each trial, forks, and answers with the process's number and later with its status.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import importlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

FORKS = sys.platform == "linux"  # elsewhere system libraries may not survive it
PRELOADED = ("numpy", "scipy", "sklearn", "pandas")  # slow to import, and the same in every process
LAZY = ("torch._dynamo",)  # what torch loads at the first optimizer, which takes as long as torch itself
POLL = 0.02  # seconds between two looks at the trials that have ended
LOADING = 60.0  # seconds that a trial may wait for the server to have PyTorch loaded
DYING = 5.0  # seconds that a process takes to end at most once it was killed


@dataclass(frozen=True)
class Ending:
    """How the process of a trial ended."""

    status: int
    printed: str
    complaint: str  # what it wrote to standard error


class Ward:
    """A place to run trials in; use it in a ``with`` statement. Its methods may be called from several threads."""

    def __init__(self, program: Path | None = None) -> None:
        self._modules = sorted(_imports(program)) if program is not None else []
        self._server: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None
        self._answers: dict[str, queue.Queue[dict[str, int]]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._streams: list[int] = []  # where this process writes to

    def __enter__(self) -> Ward:
        if FORKS:
            command = [sys.executable, "-m", __name__, *self._modules]
            self._streams = [os.dup(1), os.dup(2)]
            self._server = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                env=dict(os.environ, OMP_NUM_THREADS="1"), pass_fds=self._streams,
            )  # fmt: skip
            self._listener = threading.Thread(target=self._listen, args=(self._server.stdout,), daemon=True)
            self._listener.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the trials that still run, and the process that they came from."""
        if self._closed:
            return
        self._closed = True
        if self._server is not None and self._listener is not None:
            assert self._server.stdin is not None
            with contextlib.suppress(OSError):
                self._server.stdin.close()
            if not self._answers:  # it may still be loading
                self._server.kill()
            self._server.wait()
            self._listener.join()
        for stream in self._streams:
            os.close(stream)

    def run(self, spec: Path, wall: float | None, passthrough: bool = False) -> Ending:
        """Run the trial that a file describes; after ``wall`` seconds it is ended (status 124).

        Each has one thread. ``passthrough``: it writes where this process does, and has as many as a program has.
        """
        if self._server is None or self._closed:
            return self._without(spec, wall, passthrough)
        out, err = spec.with_name("out"), spec.with_name("err")
        job: dict[str, Any] = {"spec": str(spec), "out": str(out), "err": str(err)}
        if passthrough:
            job |= {"streams": self._streams, "threads": os.environ.get("OMP_NUM_THREADS")}
        answers = self._ask(self._server, job)
        try:
            status = _await(answers, wall) if answers is not None else None
        except TimeoutError as late:
            return Ending(124, "", str(late))
        if status is None:
            return self._without(spec, wall, passthrough)
        printed, complaint = (path.read_text(errors="replace") if path.exists() else "" for path in (out, err))
        return Ending(status, printed, complaint)

    def _without(self, spec: Path, wall: float | None, passthrough: bool) -> Ending:
        """Do without the server; after the end (as by Ctrl-C) trials that still wait are not begun."""
        return Ending(1, "", "not begun: the ward is closed") if self._closed else alone(spec, wall, passthrough)

    def _ask(self, server: subprocess.Popen[str], job: dict[str, Any]) -> queue.Queue[dict[str, int]] | None:
        """Hand a trial to the server; where its answers will come, or None where it is gone."""
        answers: queue.Queue[dict[str, int]] = queue.Queue()
        assert server.stdin is not None
        with self._lock:
            self._answers[job["spec"]] = answers
            try:
                server.stdin.write(json.dumps(job) + "\n")
                server.stdin.flush()
            except (OSError, ValueError):  # it died, or its pipe was closed here
                return None
        return answers

    def _listen(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                answer = json.loads(line)
                self._answers[answer.pop("spec")].put(answer)
        with self._lock:
            for answers in self._answers.values():
                answers.put({"gone": 1})


def _await(answers: queue.Queue[dict[str, int]], wall: float | None) -> int | None:
    """The status of a trial's process; None where the server is gone.

    Raises:
        TimeoutError: the process was still there after ``wall`` seconds, and was ended with all it had started.
    """
    process: int | None = None
    try:
        while True:
            answer = answers.get(timeout=LOADING if process is None else wall)
            if "status" in answer:
                return answer["status"]
            if "gone" in answer:
                _end(process)
                return None
            process = answer["process"]
    except queue.Empty:
        _end(process)
        with contextlib.suppress(queue.Empty):  # until then it may still write
            answers.get(timeout=DYING)
        raise TimeoutError(f"ended after {LOADING if process is None else wall:.0f} s") from None


def _end(process: int | None) -> None:
    if process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)


def alone(spec: Path, wall: float | None, passthrough: bool = False) -> Ending:
    """Run a trial in a fresh process. ``passthrough``: its output is the user's, and it may use every core."""
    environment = dict(os.environ) | ({} if passthrough else {"OMP_NUM_THREADS": "1"})
    output = None if passthrough else subprocess.PIPE
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fallline.treatment.child", str(spec)],
            env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL, timeout=wall, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        return Ending(124, "", f"ended after {late.timeout:.0f} s")
    printed, complaint = ((text or b"").decode(errors="replace") for text in (done.stdout, done.stderr))
    return Ending(done.returncode, printed, complaint)


def _imports(program: Path) -> set[str]:
    """What a program imports of the modules that are worth loading beforehand."""
    try:
        tree = ast.parse(program.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name for name in found if name.partition(".")[0] in PRELOADED}


# -- the server's side -------------------------------------------------------------------------------------------------


def serve(modules: Iterable[str]) -> None:
    """Load everything that trials need, then fork for each line of standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says what ends
    importlib.import_module("fallline.treatment.child")
    for module in (*LAZY, *modules):
        with contextlib.suppress(ImportError):  # the program will say so itself
            importlib.import_module(module)
    running: dict[int, str] = {}
    pending = b""
    while True:
        ready, _, _ = select.select([0], [], [], POLL if running else None)
        if ready:
            data = os.read(0, 65536)
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                job = json.loads(line)
                process = os.fork()
                if not process:
                    _be_a_trial(job)
                running[process] = job["spec"]
                _answer(spec=job["spec"], process=process)
        _collect(running)
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
    os._exit(0)  # to take down what was loaded takes as long as a small trial


def _collect(running: dict[int, str]) -> None:
    for process in list(running):
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            _answer(spec=running.pop(process), status=os.waitstatus_to_exitcode(status))


def _answer(**what: Any) -> None:
    os.write(1, (json.dumps(what) + "\n").encode())


def _be_a_trial(job: dict[str, Any]) -> None:
    """What the forked process does: be the trial, and end as a program of its own would."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if "streams" in job:
            _be_the_program(job)
        else:
            os.setsid()  # so that it can be ended with everything it started
            for stream, path in ((1, job["out"]), (2, job["err"])):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
        from fallline.treatment import child

        status = child.main(job["spec"])
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):  # a program's exit handlers may do anything
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status & 0xFF)


def _be_the_program(job: dict[str, Any]) -> None:
    """Write where the user's program would, with as many threads; Ctrl-C reaches it as it would reach that."""
    for stream, inherited in zip((1, 2), job["streams"], strict=True):
        os.dup2(inherited, stream)
    os.environ.pop("OMP_NUM_THREADS")
    if job["threads"] is not None:
        os.environ["OMP_NUM_THREADS"] = job["threads"]
    import torch

    torch.set_num_threads(int(job["threads"] or os.cpu_count() or 1))


if __name__ == "__main__":
    serve(sys.argv[1:])

"""Trains in child processes that are killed, goes on in others, and compares the weights with those of a whole run.

Run by test_resume.py as ``python killed.py FOLDER KILLS``: PyTorch is loaded once, and every training is a fork.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import torch

from fallline import fitting, training
from fallline.descent.fit import Settings
from fallline.descent.saved import WEIGHTS, Origin
from fallline.objective.network import Description
from fallline.record.run import read
from fallline.training import Request

KINDS = {
    "dense": Description((32, 32), "tanh"),
    "dropout": Description((32, 32), "relu", normalise="batch", dropout=0.2),  # random numbers, and buffers
}
EPOCHS = {"dense": 40, "dropout": 10}


def request(kind: str) -> Request:
    settings = Settings(
        optimizer="adamw", lr=3e-3, schedule="cosine", epochs=EPOCHS[kind], batch_size=16, threads=1, patience=None
    )
    return Request("digits", origin=Origin(KINDS[kind]), settings=settings)


def train(folder: Path, kind: str, resume: bool) -> None:
    fitting.fit(request(kind), root=folder.parent, resume=folder if resume else None)


def in_child(folder: Path, kind: str, resume: bool, seconds: float | None) -> bool:
    """Train in a fork; kill it after ``seconds``. Whether it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            train(folder, kind, resume)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return False
    assert os.WEXITSTATUS(status) == 0, f"the training failed with {status}"
    return True


def steps(folder: Path) -> list[tuple[float, float]]:
    table = read(folder).steps
    return list(zip(table["step"].tolist(), table["loss"].tolist(), strict=True))


def main(root: Path, kills: int) -> None:
    torch.set_num_threads(1)
    training.SAVE_EVERY, training.SHARE = 0.05, 0.5
    fitting.fit(replace(request("dense"), settings=Settings(epochs=1)), root=None)  # loads everything before the forks
    moments = random.Random(kills)
    for kind in KINDS:
        started = time.perf_counter()
        whole = root / kind / "whole" / "fit-digits-1"
        assert in_child(whole, kind, resume=False, seconds=None)
        lasted = time.perf_counter() - started
        expected = (whole / WEIGHTS).read_bytes()
        killed = 0
        attempt = 0
        while killed < kills:
            attempt += 1
            folder = root / kind / f"cut{attempt}" / "fit-digits-1"
            ended = in_child(folder, kind, resume=False, seconds=moments.uniform(0.05, 0.9) * lasted)
            before: set[float] = set()
            while not ended:
                if not (folder / training.REQUEST).exists():
                    break  # killed before there was anything to go on with
                killed += 1
                before = {step for step, _ in steps(folder)}
                ended = in_child(folder, kind, True, moments.uniform(0.1, 1.0) * lasted if killed < kills else None)
            else:
                assert (folder / WEIGHTS).read_bytes() == expected, f"other weights: {folder}"
                assert steps(folder) == steps(whole), f"another record: {folder}"
                assert before <= {step for step, _ in steps(folder)}
                print(f"{kind}: equal after {killed} kills", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""The programs of corpus/ and how one is run to its end."""

from __future__ import annotations

import functools
import json
import math
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from warm import LATE, Warm

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
METRIC = re.compile(r"metric=(\S+) value=(\S+)")


@cache
def checked() -> frozenset[str]:
    """The codes that have a check in this version."""
    from fallline.diagnosis.checks import CHECKS

    return frozenset(check.code for check in CHECKS)


@dataclass(frozen=True)
class Program:
    """An entry of a manifest."""

    id: str
    kind: str
    root: tuple[str, ...]
    also: tuple[str, ...]
    before: tuple[float | None, ...]  # metric as it is, at seeds 0, 1, 2
    after: tuple[float | None, ...]  # metric with the known cure; none for a healthy program
    chance: float | None

    @property
    def sick(self) -> bool:
        return self.kind == "faulty"

    @property
    def later(self) -> bool:
        """Whether no check knows any of its causes yet."""
        return self.sick and not checked() & set(self.root)

    @property
    def script(self) -> Path:
        return CORPUS / self.id / "train.py"

    def way(self, value: float | None, seed: int) -> float:
        """How far a metric came: 0 as it is (or at chance, where that is better), 1 as with the known cure.

        A healthy program needs no cure: 0 is chance, 1 its metric as it is.
        """
        at = [numbers[seed if seed < len(numbers) else 0] if numbers else None for numbers in (self.before, self.after)]
        floor = self.chance if self.chance is not None else 0.0
        before, goal = at if self.sick else (None, at[0])
        start = floor if before is None or math.isnan(before) else max(before, floor)
        if value is None or not math.isfinite(value) or goal is None or goal == start:
            return math.nan
        return (value - start) / (goal - start)


def programs(only: Sequence[str] = ()) -> list[Program]:
    """All programs of the manifests, or those asked for."""
    entries = [entry for file in sorted(CORPUS.glob("manifest*.json")) for entry in json.loads(file.read_text())]
    found = [
        Program(
            e["id"], e["kind"], tuple(e["root"]), tuple(e["also"]),
            tuple(e.get("before") or ()), tuple(e.get("after") or ()), e.get("chance"),
        )
        for e in entries
    ]  # fmt: skip
    unknown = set(only) - {program.id for program in found}
    if unknown:
        raise SystemExit(f"no manifest of {CORPUS} has {', '.join(sorted(unknown))}")
    return [program for program in found if not only or program.id in only]


@dataclass(frozen=True)
class Done:
    """A process that ended."""

    exit: int
    metric: float | None
    seconds: float
    stderr: str = ""


def _cold(command: Sequence[str], environment: Mapping[str, str], folder: str, timeout: float) -> tuple[int, str, str]:
    try:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return LATE, "", f"ended after {timeout:.0f} s"
    return done.returncode, done.stdout, done.stderr


def execute(command: Sequence[str], seed: int, folder: str, timeout: float, warm: Warm | None = None) -> Done:
    """Run a process to its end, with one thread; ``warm``: the interpreter it begins in."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", SEED=str(seed), COLUMNS="100")
    started = time.perf_counter()
    run = functools.partial(warm.run, command[1:]) if warm is not None else functools.partial(_cold, command)
    status, out, err = run(environment, folder, timeout)
    values = METRIC.findall(out)
    return Done(status, float(values[-1][1]) if values else None, time.perf_counter() - started, err[-2000:])

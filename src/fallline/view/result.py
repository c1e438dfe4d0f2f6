"""What ``fallline.minimize`` hands back: scipy's names, the path, the verdict, and pictures of it."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fallline.diagnosis.verdict import Verdict
from fallline.objective.function import Objective
from fallline.record.descent import Floats, Stop, Trace

SCHEMA = 1


@dataclass(frozen=True)
class Result:
    """One descent and its verdict. Names are those of scipy's OptimizeResult; ``r["x"]`` works like ``r.x``."""

    objective: Objective
    trace: Trace
    verdict: Verdict
    before: Result | None = None  # the descent whose end this one escaped from
    tries: NDArray[np.float64] | None = None  # (tries,) values where the tries of a search ended

    @property
    def depth(self) -> int:
        """How many descents came before it."""
        return 0 if self.before is None else 1 + self.before.depth

    @property
    def x(self) -> Floats:
        """The last point, in the shape of the start."""
        return self._shaped(self.trace.path[-1])

    @property
    def fun(self) -> float:
        """The value there."""
        return float(self.trace.values[-1])

    @property
    def jac(self) -> Floats:
        """The gradient there."""
        return self._shaped(self.trace.gradients[-1])

    @property
    def best_x(self) -> Floats:
        """The point with the lowest value on the way."""
        return self._shaped(self.trace.path[self.trace.best])

    @property
    def best_fun(self) -> float:
        """The lowest value."""
        return float(self.trace.values[self.trace.best])

    @property
    def nit(self) -> int:
        """Steps."""
        return self.trace.nit

    @property
    def nfev(self) -> int:
        """Evaluations of the function, those for its gradient included."""
        return self.trace.nfev

    @property
    def success(self) -> bool:
        """Whether a minimum was found whose second-order test passed."""
        return self.verdict.success

    @property
    def status(self) -> int:
        """Number of the stop, in the order of :class:`fallline.record.descent.Stop`."""
        return self.trace.stop.status

    @property
    def stop(self) -> Stop:
        """What ended it."""
        return self.trace.stop

    @property
    def message(self) -> str:
        """What ended it, and what the verdict says."""
        return f"{self.verdict.kind}: {self.verdict.message} (Ended because {self.trace.stop.value}.)"

    @property
    def path(self) -> Floats:
        """All points ``(nit + 1, n)``."""
        return self.trace.path

    @property
    def values(self) -> Floats:
        """The value at every point ``(nit + 1,)``."""
        return self.trace.values

    @property
    def gradients(self) -> Floats:
        """The gradient at every point ``(nit + 1, n)``."""
        return self.trace.gradients

    def plot(self, kind: str | None = None) -> Any:
        """A matplotlib figure: what fits, or a kind of :data:`fallline.view.figures.descent.KINDS`."""
        from fallline.view.figures import descent

        return descent.picture(self, kind)

    def keys(self) -> tuple[str, ...]:
        """The names that scipy's result has, and ``verdict``."""
        return ("x", "fun", "jac", "nit", "nfev", "success", "status", "message", "verdict")

    def __getitem__(self, name: str) -> Any:
        if name not in (*self.keys(), "path", "values", "gradients", "best_x", "best_fun"):
            raise KeyError(name)
        return getattr(self, name)

    def __repr__(self) -> str:
        lines = [f"{name:>8}: {getattr(self, name)}" for name in self.keys()[:-1]]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        text = html.escape(f"{self.verdict.kind}: {self.verdict.message}")
        try:
            image = base64.b64encode(self._repr_png_()).decode()
        except ImportError:  # without matplotlib the words must do
            return f"<p>{text}</p>"
        return f'<p>{text}</p><img alt="{html.escape(self.verdict.kind)}" src="data:image/png;base64,{image}">'

    def _repr_png_(self) -> bytes:
        from fallline.view.figures import descent

        return descent.png(self.plot())

    def _shaped(self, row: Floats) -> Floats:
        return row.reshape(self.objective.shape) if self.objective.shape is not None else row


@dataclass(frozen=True)
class Population:
    """Many descents, run as one: a row each. ``population[i]`` descends once more from that row, and judges it."""

    x: Floats  # (batch, n)
    fun: Floats  # (batch,)
    jac: Floats  # (batch, n)
    nit: NDArray[np.int64]  # (batch,)
    stops: tuple[Stop, ...]  # (batch,)
    best_x: Floats  # (batch, n)
    best_fun: Floats  # (batch,)
    nfev: int  # evaluations that one of them made
    again: Callable[[int], Result]

    def __len__(self) -> int:
        return len(self.fun)

    def __getitem__(self, row: int) -> Result:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return self.again(row % len(self))

    def __iter__(self) -> Iterator[Result]:
        return (self[row] for row in range(len(self)))


def as_json(result: Result) -> dict[str, Any]:
    """A result as plain data; what is not finite is null."""
    trace, verdict = result.trace, result.verdict
    return {
        "schema": SCHEMA,
        "objective": trace.objective,
        "variables": list(trace.variables),
        "optimizer": trace.optimizer,
        "lr": plain(trace.lr),
        "momentum": trace.momentum,
        "x": plain(result.x),
        "fun": plain(result.fun),
        "jac": plain(result.jac),
        "best_x": plain(result.best_x),
        "best_fun": plain(result.best_fun),
        "nit": result.nit,
        "nfev": result.nfev,
        "success": result.success,
        "status": result.status,
        "stop": trace.stop.name.lower().replace("_", "-"),
        "message": result.message,
        "verdict": {
            "kind": verdict.kind,
            "reasons": list(verdict.reasons),
            "evidence": {name: plain(value) for name, value in verdict.evidence.items()},
            "change": list(verdict.change),
        },
        "path": plain(result.path),
        "values": plain(result.values),
        "gradients": plain(result.gradients),
        "rates": plain(trace.rates),
        "tries": None if result.tries is None else plain(result.tries),
        "before": None if result.before is None else as_json(result.before),
    }


def plain(value: Any) -> Any:
    """Numbers and arrays as JSON takes them."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, list):
        return [plain(item) for item in value]
    number = float(value)
    return number if math.isfinite(number) else None

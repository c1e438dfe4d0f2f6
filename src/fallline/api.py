"""The public verbs: each composes the stages in a few lines."""

from __future__ import annotations

import copy
import difflib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from fallline import fitting
from fallline.descent.fit import Settings
from fallline.descent.saved import Predictor
from fallline.diagnosis.diagnose import Diagnosis
from fallline.diagnosis.diagnose import diagnose as _diagnose
from fallline.diagnosis.finding import Finding
from fallline.diagnosis.forecast import Factor, factors
from fallline.fitting import Fitted
from fallline.objective.task import Kind
from fallline.record.run import Run, RunError, read, runs
from fallline.record.store import append
from fallline.training import Request
from fallline.treatment.prescribe import prescribe
from fallline.view import terminal


def diagnose(run: Run) -> Diagnosis:
    """All checks on a record, with the remedies that may help."""
    return prescribe(_diagnose(run), run)


class Watch:
    """A recording of a training in this process; use it in a ``with`` statement.

    Attributes:
        model: what was given to :func:`watch`.
    """

    def __init__(
        self, model: Any, optimizer: Any, loss_fn: Callable[..., Any] | None, budget: float, root: Path
    ) -> None:
        from torch import nn
        from torch.optim import Optimizer

        from fallline.watch.session import Session

        models = model if isinstance(model, dict) else {"model": model}
        for name, module in models.items():
            if not isinstance(module, nn.Module):
                raise TypeError(f"watch takes a torch.nn.Module, or a dict of them; {name} is {type(module).__name__}")
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be a torch.optim.Optimizer or None, not {type(optimizer).__name__}")
        self.model = model
        name = type(model).__name__.lower() if not isinstance(model, dict) else "watch"
        self._session = Session(name, root, budget, models=models)
        if loss_fn is not None:
            self._session.store.meta(loss=getattr(loss_fn, "__name__", type(loss_fn).__name__))

    @property
    def folder(self) -> Path:
        """Where the record lies."""
        return self._session.folder

    def __enter__(self) -> Watch:
        self._session.start([])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.__exit__(kind, error, trace)
        append(self.folder, "meta", [("notes", json.dumps(self._session.notes))])

    @cached_property
    def record(self) -> Run:
        """Everything that was recorded; complete once the ``with`` statement has ended."""
        return read(self.folder)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What every check said."""
        return diagnose(self.record)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, the root cause first."""
        return self.diagnosis.findings

    def report(self, file: Any = None) -> None:
        """Print the report (to standard output unless ``file`` is given)."""
        terminal.show(self.record, self.diagnosis, file or sys.stdout)


def watch(
    model: Any,
    optimizer: Any = None,
    loss_fn: Callable[..., Any] | None = None,
    budget: float = 0.03,
    root: Path | str = "runs",
) -> Watch:
    """Watch a training loop.

    Args:
        model: a ``torch.nn.Module``, or a dict of names and modules.
        optimizer: the optimizer, only checked here; every optimizer that steps is seen.
        loss_fn: the loss, noted by its name in the record.
        budget: share of the training's time that watching may take.
        root: folder in which the run's own folder is made.

    Raises:
        TypeError: ``model`` is no module, or ``optimizer`` no optimizer.
        ValueError: ``budget`` is not above 0.
    """
    return Watch(model, optimizer, loss_fn, budget, Path(root))


def fit(
    model: Any,
    data: Any,
    *,
    target: str | None = None,
    task: Kind | None = None,
    loss: str | Callable[..., Any] | None = None,
    optimizer: str = "adam",
    lr: float | None = None,
    momentum: float | None = None,
    weight_decay: float | None = None,
    options: dict[str, Any] | None = None,
    schedule: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    validation: float | None = None,
    test: float | None = None,
    patience: int | None = 20,
    clip: float | None = None,
    scale: bool | None = None,
    seed: int = 0,
    threads: int | None = None,
    budget: float = 0.03,
    root: Path | str | None = "runs",
    resume: Path | str | None = None,
    heal: bool = True,
    progress: bool = False,
) -> Fitted:
    """Train a network and diagnose its training.

    Args:
        model: a ``torch.nn.Module``, a :class:`Description`, a text ``module:factory``, or None for a network of usual
            size.
        data: the path of a CSV or Parquet file, the name of a set that scikit-learn brings ("digits"), a data frame,
            a pair (X, y) of arrays or tensors, a torch ``Dataset`` or ``DataLoader``.
        target: the column of a table to predict.
        task: "classes" or "numbers"; found out unless given.
        loss: a name ("cross_entropy", "mse", …) or a function of outputs and targets; fits the task unless given.
        optimizer: any of torch.optim, by name.
        lr: learning rate; the optimizer's own unless given.
        momentum: of the optimizer.
        weight_decay: of the optimizer.
        options: further arguments of the optimizer.
        schedule: any of torch.optim.lr_scheduler, by name, with options after commas ("StepLR,step_size=10").
        epochs: at most so many passes over the data; by the size of the data unless given.
        batch_size: examples in one update; by the size of the data unless given.
        validation: share of the data kept back to stop in time (0.15).
        test: share kept back for the test (0.2 of tables, none of arrays).
        patience: epochs without a better validation loss before training stops; None: no early stopping.
        clip: largest norm of the gradient.
        scale: bring inputs, and targets that are numbers, to mean 0 and variance 1; done for tables and for networks
            by description unless given.
        seed: of the weights, the split and the order of the batches.
        threads: of the computation; chosen by a short measurement unless given.
        budget: share of the training's time that watching may take.
        root: folder in which the run's own folder is made; None records nothing and writes nothing.
        resume: folder of an interrupted run to go on with; everything else as it was given the first time.
        heal: act on what is found while training goes on: go back, try remedies on copies, go on with the best.
        progress: show a progress bar on standard error.

    Raises:
        InputError: a mistake in what was given, a ``ValueError``; the message says what to do.
    """
    from fallline.view import progress as bars

    module, origin = fitting.describe(model)
    named = str(data) if isinstance(data, (str, Path)) else None
    every = {**(options or {}), "momentum": momentum, "weight_decay": weight_decay}
    settings = Settings(
        loss if isinstance(loss, str) else None, optimizer, lr, {k: v for k, v in every.items() if v is not None},
        schedule, epochs, batch_size, patience, clip, seed, threads,
    )  # fmt: skip
    request = Request(named, target, task, validation, test, scale, origin, settings, heal)
    with bars.training(shown=progress) as look:
        return fitting.fit(
            request, None if named else data, module, loss if callable(loss) else None,
            Path(root) if root is not None else None, Path(resume) if resume is not None else None, budget, look=look,
        )  # fmt: skip


def load(run: Path | str, model: Any = None, root: Path | str = "runs") -> Predictor:
    """The trained network of a run of ``fit``, ready to predict.

    Args:
        run: its name under ``root``, or its folder.
        model: a module of the same class, where the network was an object of a program.
        root: folder that holds the runs.

    Raises:
        InputError: there is no model in it.
    """
    from fallline.descent import saved

    folder = Path(root) / str(run)
    return saved.load(folder if folder.is_dir() else Path(run), model)


def backprop(model: Any, x: Any, y: Any = None, loss_fn: Callable[..., Any] | None = None, verify: bool = False) -> Any:
    """Trace one backward pass, operation by operation.

    Args:
        model: a ``torch.nn.Module`` or any function of torch.
        x: what it is called with: a tensor, a tuple of several arguments, a number or a list of numbers.
        y: the target, given to ``loss_fn`` as its second argument.
        loss_fn: makes the loss from the model's output; without it the output is the loss.
        verify: check every gradient against central finite differences in float64.

    Returns:
        A :class:`fallline.view.backprop_report.Backprop`, with ``steps``, ``layers``, ``table()``, ``as_json()``.

    Raises:
        TypeError: ``model`` cannot be called, or there is a target and no ``loss_fn``.
        ValueError: the loss is not one number, or no tensor with ``requires_grad`` leads to it.
        RuntimeError: PyTorch cannot go backward through this graph; the message is its own.
    """
    from fallline.view.backprop_report import Backprop
    from fallline.watch.backward import trace_call

    if not callable(model):
        raise TypeError(f"backprop takes a module or a function; got {type(model).__name__}")
    if y is not None and loss_fn is None:
        raise TypeError("there is a target y but no loss_fn to compare it with; give one, such as F.mse_loss")

    def finish(output: Any) -> Any:
        if loss_fn is None:
            return output
        return loss_fn(output) if y is None else loss_fn(output, y)

    return Backprop(trace_call(model, x if isinstance(x, tuple) else (x,), finish, verify))


@dataclass(frozen=True)
class Forecast:
    """What one batch foretells; as a sequence, its findings."""

    run: Run
    diagnosis: Diagnosis

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong or likely to go wrong, the root cause first."""
        return self.diagnosis.findings

    @property
    def factors(self) -> list[Factor]:
        """The factor of the backward signal from layer to layer, measured and predicted, the last layer first."""
        return factors(self.run.trainings[0]) if self.run.trainings else []

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, position: int) -> Finding:
        return self.findings[position]

    def __repr__(self) -> str:
        return f"Forecast({', '.join(finding.code for finding in self) or 'nothing found'})"

    def report(self, file: Any = None) -> None:
        """Print the report (to standard output unless ``file`` is given)."""
        terminal.show(self.run, self.diagnosis, file or sys.stdout)


def check(model: Any, batch: Any, loss_fn: Callable[..., Any], optimizer: Any = None) -> Forecast:
    """Say before training what one batch foretells: one update of a copy is made and looked at.

    Model, optimizer and random numbers stay as they are.

    Args:
        model: a ``torch.nn.Module``.
        batch: ``(inputs, targets)``; a tuple or dict of inputs is passed on as several arguments.
        loss_fn: called with the output and the targets.
        optimizer: the optimizer of ``model``; with it the learning rate is judged, and which parameters it holds.

    Raises:
        TypeError: ``model`` is no module, or ``batch`` is no pair.
    """
    import torch

    from fallline.record.recorder import StopTraining
    from fallline.watch.session import Session

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"check takes a torch.nn.Module, not {type(model).__name__}")
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise TypeError(f"batch is (inputs, targets), not {type(batch).__name__}")
    inputs, targets = batch
    model, optimizer = copy.deepcopy((model, optimizer))  # together, so that the copies belong together
    with tempfile.TemporaryDirectory(prefix="fallline-") as root, torch.random.fork_rng():
        session = Session("check", root, models={"model": model}, ahead=True)
        session.start([])
        with suppress(StopTraining):
            given = (inputs,) if not isinstance(inputs, (tuple, list, dict)) else inputs
            output = model(**given) if isinstance(given, dict) else model(*given)
            model.zero_grad()
            loss_fn(output, targets).backward()
            if optimizer is not None:
                optimizer.step()
        session.stop(0)
        run = read(session.folder)
    return Forecast(run, diagnose(run))


def find_run(name: str, root: Path) -> Run:
    """The run of this name under ``root``, or in this folder.

    Raises:
        RunError: there is none; the message names the nearest.
    """
    for folder in (root / name, Path(name)):
        if folder.exists():
            return read(folder)
    known = [folder.name for folder in runs(root)]
    near = difflib.get_close_matches(name, known, 1) or known[-1:]
    raise RunError(f"there is no run {name!r} in {root}" + (f"; did you mean {near[0]}?" if near else ""))


def minimize(
    fun: Any,
    start: Any = None,
    *,
    optimizer: str = "gd",
    lr: Any = None,
    momentum: Any = None,
    schedule: Any = None,
    options: dict[str, Any] | None = None,
    max_iter: int = 1000,
    gtol: float = 1e-6,
    ftol: float = 0.0,
    xtol: float = 0.0,
    target: float | None = None,
    callback: Callable[..., Any] | None = None,
    jac: Any = None,
    args: tuple[Any, ...] = (),
    escape: bool = False,
    search: str | None = None,
    tries: int = 32,
    box: tuple[float, float] | None = None,
    seed: int = 0,
    dtype: str = "float64",
    record: bool = True,
) -> Any:
    """Descend on a function, and say whether where it ended is a minimum.

    Args:
        fun: a text (``"w1**2 + w2**2"``), a name of ``fallline functions``, a callable of one or several tensors, or
            with ``jac`` a callable of a NumPy array.
        start: one number a variable; ``(batch, n)`` makes a population.
        optimizer: a name of ``fallline.descent.solve.OPTIMIZERS``.
        lr: a number, ``"auto"`` (measured from the curvature), ``"armijo"``, ``"bb"``, or several numbers for a
            population; by default the optimizer's own, or ``"auto"``.
        momentum: at least 0, below 1; several for a population.
        schedule: a name (``cosine``, ``cyclic``, …) or a function from the step to a factor of the learning rate.
        options: further settings of the optimizer, as ``{"beta2": 0.99}``.
        max_iter: most steps.
        gtol: end when the gradient is shorter; likewise ``ftol`` for the change of the value, relative above 1, and
            ``xtol`` for the length of the step, relative to the point.
        target: end when the value is as low.
        callback: called at every point, with ``intermediate_result`` (``x``, ``fun``) if that is its argument's name,
            else with the point; True or StopIteration ends the descent.
        jac: gradient of a function of NumPy arrays; ``True`` if ``fun`` gives both, ``"3-point"`` for differences.
        args: further arguments of ``fun`` (and ``jac``).
        escape: go on from beside a saddle, a maximum or a degenerate point that is no minimum.
        search: ``"multi-start"`` or ``"basin-hopping"``, for the global minimum.
        tries: descents of the search.
        box: bounds of every variable for the starts of the search; around ``start`` unless given.
        seed: of the search.
        dtype: ``float64`` or ``float32``, for texts and torch callables.
        record: keep the path of every descent of a population in memory.

    Returns:
        A :class:`fallline.view.result.Result`; for several starts, rates or momenta a ``Population``.

    Raises:
        ValueError: something given is out of its range or does not fit; the message says what to give.
    """
    from fallline.descent import problem, solve

    posed = problem.pose(fun, start, jac, args, dtype)
    stops = {"gtol": gtol, "ftol": ftol, "xtol": xtol, "target": target, "record": record}
    plan, rows = problem.plan(posed, optimizer, lr, momentum, options, schedule, max_iter, callback, **stops)
    if len(rows) > 1 or not posed.alone:
        return _population(posed.objective, rows, plan)
    ends = None
    if search is not None:
        found = solve.search(posed.objective, rows[0], plan, search, tries, box, seed)
        rows, ends = found.start[None], found.values.double().numpy()
    result = _judged(posed.objective, rows, plan, None, ends)
    while escape and (beside := solve.beside(result.trace)) is not None and result.depth < solve.ESCAPES:
        result = _judged(posed.objective, beside.to(rows.dtype), plan, result, ends)
    return result


def _judged(objective: Any, rows: Any, plan: Any, before: Any = None, ends: Any = None) -> Any:
    from fallline.descent import solve
    from fallline.diagnosis.verdict import verdict
    from fallline.view.result import Result

    known = None if ends is None else float(min((v for v in ends if v == v), default=float("nan")))
    trace = solve.solve(objective, rows, plan, known)
    return Result(objective, trace, verdict(trace), before, ends)


def _population(objective: Any, rows: Any, plan: Any) -> Any:
    from fallline.descent import solve
    from fallline.view.result import Population

    flight = solve.fly(objective, rows, plan)
    stops = tuple(solve.STOPS[code] for code in flight.stop.tolist())
    return Population(
        flight.x.numpy(), flight.fun.numpy(), flight.jac.numpy(), flight.nit.numpy(), stops,
        flight.best_x.numpy(), flight.best_fun.numpy(), flight.nfev,
        lambda row: _judged(objective, *solve.one(rows, plan, row)),
    )  # fmt: skip

"""What the commands of the terminal do: each composes the stages, and reports."""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from fallline import api, fitting
from fallline.diagnosis.diagnose import Diagnosis
from fallline.objective.mistake import InputError
from fallline.record.run import Run, RunError, read
from fallline.record.run import runs as recorded
from fallline.record.store import append
from fallline.training import requested
from fallline.treatment.ward import Ward
from fallline.view import json_report, terminal
from fallline.view.export import export as _export

COMPARED = ("lr", "momentum", "optimizer")  # what `minimize --compare` takes


def run(
    script: str,
    args: list[str],
    module: bool,
    budget: float,
    root: Path,
    json_file: Path | None,
    html_file: Path | None,
    fail_on: str | None,
    check_only: bool = False,
) -> None:
    """Run a program in this process under a recorder, report to standard error, and end as the program ended.

    ``check_only``: stop it after its first update, and say what that foretells.
    """
    from fallline.watch import script as runner
    from fallline.watch.session import Session

    sys.argv = [script, *args]
    try:
        program = runner.load_module(script) if module else runner.load(Path(script))
    except runner.ScriptError as error:
        print(f"fallline: {error}", file=sys.stderr)
        sys.exit(2)
    session = Session(Path(script).stem if not module else script.rpartition(".")[2], root, budget, ahead=check_only)
    json_file, html_file = (f and f.absolute() for f in (json_file, html_file))  # the program may change directory
    process = os.getpid()
    session.store.meta(cwd=os.getcwd(), module=script if module else None)
    session.start(list(sys.argv))
    ending = runner.execute(program)
    if os.getpid() != process:
        sys.exit(ending.exit)  # a child that the program forked
    session.stop(ending.exit, ending.error)
    worst = _worst(session, json_file, html_file)
    if ending.interrupted:
        _die_of_interrupt()
    if fail_on and worst & ({"error"} if fail_on == "error" else {"error", "warning"}):
        sys.exit(3)
    sys.exit(ending.exit)


def _die_of_interrupt() -> None:
    """End as Python does after Ctrl-C: the program's exit handlers run, then the signal itself."""
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def _worst(session: Any, json_file: Path | None, html_file: Path | None) -> set[str]:
    """Report on a session; the severities of what was found. Whatever goes wrong here is said and goes no further."""
    try:
        diagnosis = report_on(session.folder, session.notes, json_file, html_file)
    except RunError as error:  # the program removed the record
        print(f"fallline: {error}", file=sys.stderr)
    except Exception as error:  # a fault of fallline's own must not change how the program ends
        what = f"{type(error).__name__}: {error}"
        print(
            f"fallline: no report, by a fault of its own ({what}); the record is in {session.folder}", file=sys.stderr
        )
    else:
        return {finding.severity for finding in diagnosis.findings}
    return set()


def report_on(folder: Path, notes: list[str], json_file: Path | None, html_file: Path | None = None) -> Diagnosis:
    """Diagnose a finished run, keep what was found with it, and write the reports."""
    append(folder, "meta", [("notes", json.dumps(notes))])
    run = read(folder)
    run.meta["notes"] = notes  # also where the disk took no more
    diagnosis = api.diagnose(run)
    append(run.folder, "findings", json_report.rows(diagnosis.findings), replace=True)
    with suppress(OSError, ValueError):  # the program may have closed it
        sys.stdout.flush()
    terminal.show(run, diagnosis)
    _write_json(json_file, json_report.report(run, diagnosis))
    if html_file is not None:
        _write(html_file, terminal.html(run, diagnosis))
    return diagnosis


def fix(
    script: str,
    args: list[str],
    module: bool,
    json_file: Path | None,
    diff_file: Path | None,
    apply: bool,
    root: Path,
) -> int:
    """Try remedies on a program and report; the exit status is 4 when nothing is better than leaving it alone."""
    with Ward(None if module else Path(script)) as ward:  # it loads PyTorch while this process does
        from fallline.treatment import fix as treatment
        from fallline.treatment import trial
        from fallline.view import fix_report, progress
        from fallline.watch import script as runner

        try:
            runner.load_module(script) if module else runner.load(Path(script))
        except runner.ScriptError as error:
            print(f"fallline: {error}", file=sys.stderr)
            return 2
        program = trial.Program(script, tuple(args), module)
        with progress.line(Path(script).name) as say:
            result = treatment.fix(program, root, ward, say, apply)
        if result.before.run is not None:
            compared = enumerate(fix_report.as_json(result)["trials"])
            append(result.before.run.folder, "trials", [(i, json.dumps(c)) for i, c in compared], replace=True)
        fix_report.show(result, Path(script).name)
        _tell(result, json_file)
        status = 0 if result.chosen is not None else 4
        if apply and result.chosen is not None:
            found = result.rewrite
            result, status = treatment.apply(program, result, root, ward)
            if result.rewrite is not found:  # it was verified by the way
                fix_report.show_rewrite(result, Path(script).name)
                _tell(result, json_file)
    if diff_file is not None:
        _write_patch(result.rewrite, diff_file)
    return status


def _write_patch(written: Any, diff_file: Path) -> None:
    if written is not None and written.diff is not None and written.verified:
        _write(diff_file, written.diff)
        return
    reason = written.note if written is not None else "no remedy was chosen"
    print(f"fallline: no patch in {diff_file}: {reason}", file=sys.stderr)


def _tell(result: Any, json_file: Path | None) -> None:
    from fallline.view import fix_report

    _write_json(json_file, fix_report.as_json(result))


def backprop(
    script: str,
    args: list[str],
    module: bool,
    json_file: Path | None,
    plot: Path | None,
    verify: bool,
    everything: bool,
) -> int:
    """Run a program until its first backward pass, and report on that; the exit status is 2 where there was none."""
    from fallline.view import backprop_report
    from fallline.watch import script as runner
    from fallline.watch.backward import FirstBackward

    sys.argv = [script, *args]
    json_file, plot = (path and path.absolute() for path in (json_file, plot))
    try:
        program = runner.load_module(script) if module else runner.load(Path(script))
    except runner.ScriptError as error:
        print(f"fallline: {error}", file=sys.stderr)
        return 2
    waiting = FirstBackward(verify)
    ending = waiting.run(program)
    if waiting.trace is None:
        before = f"it ended with {ending.error} before its first backward" if ending.error else ""
        why = waiting.problem or before or "it never called backward, so there is no gradient to trace"
        print(f"fallline: no trace of {Path(script).name}: {why}", file=sys.stderr)
        return ending.exit or 2
    with suppress(OSError, ValueError):  # the program may have closed it
        sys.stdout.flush()
    backprop_report.show(waiting.trace, Path(script).name, everything)
    _write_json(json_file, backprop_report.as_json(waiting.trace))
    return _plot(waiting.trace, plot) if plot is not None else 0


def _plot(trace: Any, path: Path) -> int:
    from fallline.view import backprop_picture

    try:
        backprop_picture.save(trace, path)
    except (ImportError, OSError, ValueError) as error:
        print(f"fallline: no picture: {error}", file=sys.stderr)
        return 2
    return 0


def replay(run: Run, json_file: Path | None, everything: bool) -> int:
    """Show the forward pass in which a number that is not finite was born; the exit status is 2 where that cannot be.

    ``everything``: list every operation.
    """
    from fallline.record import kept
    from fallline.view import replay_report
    from fallline.watch import script as runner
    from fallline.watch.replay import Replay

    json_file = json_file and json_file.absolute()
    try:
        event = replay_report.event(run)
        waiting = Replay(kept.load(run.folder))
        waiting.run(_program(run))
    except (kept.KeptError, runner.ScriptError) as error:
        print(f"fallline: cannot replay {run.name}: {error}", file=sys.stderr)
        return 2
    if waiting.result is None:
        print(f"fallline: cannot replay {run.name}: {waiting.problem}", file=sys.stderr)
        return 2
    with suppress(OSError, ValueError):  # the program may have closed it
        sys.stdout.flush()
    replay_report.show(run, event, waiting.result, everything)
    _write_json(json_file, replay_report.as_json(run, event, waiting.result))
    return 0


def _program(run: Run) -> Callable[[], None]:
    """The program of a run, loaded, with its arguments and its working directory.

    Raises:
        ScriptError: it is not known, or cannot be loaded.
    """
    from fallline.watch import script as runner

    argv, module = list(run.meta.get("argv") or []), run.meta.get("module")
    if not argv or "cwd" not in run.meta:
        raise runner.ScriptError("it was not made by `fallline run`, so its program is not known")
    try:
        os.chdir(run.meta["cwd"])
    except OSError as error:
        raise runner.ScriptError(f"its working directory {run.meta['cwd']} is gone: {error.strerror}") from error
    sys.argv = argv
    return runner.load_module(module) if module else runner.load(Path(argv[0]))


def fit(
    source: str | None, resume: str | None, root: Path, budget: float, json_file: Path | None, quiet: bool, **given: Any
) -> None:
    """``fallline fit``: train with a progress bar, and report; ``given``: what :func:`fallline.fitting.asked` takes."""
    from fallline.view import fit_summary
    from fallline.view import progress as bars

    if (source is None) == (resume is None):
        raise InputError("give a file or the name of a set to train on, or --resume RUN")
    folder = api.find_run(resume, root).folder if resume is not None else None
    if folder is not None:
        request = fitting.longer(requested(folder), given["epochs"])
    else:
        request = fitting.asked(source, **given)
    try:
        with bars.training(shown=not quiet) as look:
            fitted = fitting.fit(request, root=root, resume=folder, budget=budget, argv=sys.argv[1:], look=look)
    except KeyboardInterrupt as stopped:
        print("fallline:", *getattr(stopped, "__notes__", ["stopped"]), file=sys.stderr)
        sys.exit(130)
    summary = fitted.summary()
    fit_summary.show(summary, sys.stdout)
    fitted.report()
    _write_json(json_file, summary)


def predict(name: str, table: Path, out: Path | None, root: Path) -> None:
    """``fallline predict``: write the table's predictions as CSV."""
    from fallline.objective import table as tables

    predictor = api.load(api.find_run(name, root).folder)
    frame = tables.read(table)
    predicted = tables.pandas().DataFrame({predictor.task.target: predictor.predict(frame)})
    if predictor.task.kind == "classes":
        probability = predictor.predict_proba(frame)
        for place, label in enumerate(predictor.task.classes):
            predicted[f"p({label})"] = probability[:, place]
    for note in predictor.unread(frame):
        print(f"fallline: {note}", file=sys.stderr)
    predicted.to_csv(out or sys.stdout, index=False)


def runs(root: Path) -> list[str]:
    """One line for each run under ``root``."""
    lines = []
    for folder in recorded(root):
        run = read(folder)
        loss = run.steps["loss"]
        ended = f"exit {run.meta['exit']}" if "exit" in run.meta else "running, or killed"
        last = f"loss {loss[-1]:.4g}" if len(loss) else "no loss"
        done = f"{len(run.steps):>8} update{'s' if len(run.steps) != 1 else ' '}"
        lines.append(f"{run.name:24} {done}   {last:16} {ended}")
    return lines or [f"no runs in {root}; `fallline run SCRIPT` makes one"]


def report(run: Run, json_file: Path | None, keep: bool = False) -> None:
    """Print the report of a recorded run; ``keep``: store the findings with it."""
    diagnosis = api.diagnose(run)
    if keep:
        append(run.folder, "findings", json_report.rows(diagnosis.findings), replace=True)
    terminal.show(run, diagnosis, sys.stdout)
    _write_json(json_file, json_report.report(run, diagnosis))


def export(run: Run, form: str, to: Path | None) -> list[Path]:
    """Write a run's tables as text files, or its trained network for other programs."""
    if form in ("pt2", "onnx"):
        from fallline.descent import saved

        folder = to or run.folder
        folder.mkdir(parents=True, exist_ok=True)
        return [saved.export(saved.load(run.folder), folder / f"model.{form}", form)]
    return _export(run, form, to or run.folder / form)


def minimize(
    expression: str,
    start: str | None,
    settings: dict[str, Any],
    compare: str | None,
    json_file: Path | None,
    plot: Path | None,
    picture: str | None,
) -> None:
    """Descend as the command line asks, and report.

    Raises:
        ValueError: something given does not fit; the message says what to give.
    """
    from fallline.view import minimize_report
    from fallline.view.result import as_json

    point = None if start is None else _numbers("--start", start)
    settings = {**settings, "lr": _rate(settings["lr"])}
    if compare is None:
        results = [("", api.minimize(expression, point, **settings))]
        minimize_report.show(minimize_report.report(results[0][1]))
        data = as_json(results[0][1])
    else:
        name, values = _compared(compare)
        each = [api.minimize(expression, point, **{**settings, name: value}) for value in values]
        results = [(f"{name} {value}", result) for value, result in zip(values, each, strict=True)]
        minimize_report.show(minimize_report.compare(results))
        data = {"schema": 1, "compared": name, "results": [as_json(result) for _, result in results]}
    _write_json(json_file, data)
    if plot is not None:
        _draw(plot, picture, results)


def _draw(plot: Path, picture: str | None, results: list[tuple[str, Any]]) -> None:
    try:
        from fallline.view.figures import descent
    except ImportError:
        raise ValueError("--plot needs matplotlib: pip install 'fallline[plot]'") from None
    descent.save(plot, results, picture)


def functions() -> None:
    """Print the catalogue of named functions."""
    from fallline.view import minimize_report

    minimize_report.show(minimize_report.functions())


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.replace("−", "-").split(",")]
    except ValueError:
        raise ValueError(f"{option} takes numbers with commas between them, as 5,-4; got {text!r}") from None


def _rate(text: str | None) -> Any:
    if text is None or text in ("auto", "armijo", "bb"):
        return text
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--lr takes a number, auto, armijo or bb; got {text!r}") from None


def _compared(text: str) -> tuple[str, list[Any]]:
    name, _, values = text.partition("=")
    if name not in COMPARED or not values:
        raise ValueError(f"--compare takes {', '.join(f'{n}=A,B,…' for n in COMPARED)}; got {text!r}")
    parts = values.split(",")
    if name == "lr":
        return name, [_rate(part) for part in parts]
    return name, parts if name == "optimizer" else _numbers("--compare momentum", values)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"fallline: cannot write {path}: {error.strerror}", file=sys.stderr)


def _write_json(path: Path | None, data: Any) -> None:
    if path is not None:
        _write(path, json.dumps(data, indent=1))

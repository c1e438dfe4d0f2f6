"""The command line: one function a command, no logic of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="The debugger for gradient descent: says where and why training goes wrong, and proves which change helps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
PASS_ON = {"allow_interspersed_args": False}  # what follows SCRIPT belongs to the program

Script = Annotated[str, typer.Argument(metavar="SCRIPT [ARGS]...", help="The program, as python would run it.")]
Arguments = Annotated[list[str] | None, typer.Argument(hidden=True)]
AsModule = Annotated[bool, typer.Option("-m", help="SCRIPT is the name of a module, as for python -m.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="F", help="Write the report as JSON to this file.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name or folder (see: fallline runs).")]
Root = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Folder that holds the runs.")]


@app.command(context_settings=PASS_ON)
def run(
    script: Script,
    args: Arguments = None,
    module: AsModule = False,
    json_file: JsonFile = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="F", help="Write the report as one HTML file.")] = None,
    fail_on: Annotated[str | None, typer.Option(metavar="error|warning", help="Exit with 3 on such a finding.")] = None,
    budget: Annotated[float, typer.Option(help="Share of the training's time that watching may take.")] = 0.03,
    check_only: Annotated[bool, typer.Option("--check-only", help="Stop after the first update: a forecast.")] = False,
    root: Root = Path("runs"),
) -> None:
    """Run a program unchanged, and end with a diagnosis of its training."""
    from fallline import api

    if fail_on not in (None, "error", "warning"):
        _fail(f"--fail-on takes error or warning, not {fail_on!r}")
    if not budget > 0:
        _fail(f"--budget is a share of the training's time above 0, not {budget}")
    api.run(script, args or [], module, budget, root, json_file, html, fail_on, check_only)


@app.command(context_settings=PASS_ON)
def check(
    script: Script,
    args: Arguments = None,
    module: AsModule = False,
    json_file: JsonFile = None,
    root: Root = Path("runs"),
) -> None:
    """Run a program up to its first update, and say what that foretells (as run --check-only)."""
    from fallline import api

    api.run(script, args or [], module, 0.03, root, json_file, None, None, True)


@app.command(context_settings=PASS_ON)
def fix(
    script: Script,
    args: Arguments = None,
    module: AsModule = False,
    json_file: JsonFile = None,
    apply: Annotated[bool, typer.Option(help="End with a full run of the program under the chosen remedies.")] = False,
    root: Root = Path("runs"),
) -> None:
    """Try remedies on a program, and say which change to make, with the measured effect."""
    from fallline import api

    sys.exit(api.fix(script, args or [], module, json_file, apply, root))


@app.command(context_settings=PASS_ON)
def backprop(
    script: Script,
    args: Arguments = None,
    module: AsModule = False,
    json_file: JsonFile = None,
    plot: Annotated[Path | None, typer.Option(metavar="F", help="Draw the graph to this file (svg or png).")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check each gradient against finite differences.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="List every operation, however many.")] = False,
) -> None:
    """Run a program until its first backward pass, and show every factor of the chain rule in it."""
    from fallline import api

    sys.exit(api.backprop_program(script, args or [], module, json_file, plot, verify, everything))


@app.command()
def runs(root: Root = Path("runs")) -> None:
    """List the recorded runs."""
    from fallline import api

    for line in api.list_runs(root):
        typer.echo(line)


@app.command()
def report(name: RunName, root: Root = Path("runs"), json_file: JsonFile = None) -> None:
    """Show the report of a recorded run, also while it goes on."""
    from fallline import api

    api.show(_find(name, root), json_file)


@app.command()
def diagnose(name: RunName, root: Root = Path("runs"), json_file: JsonFile = None) -> None:
    """Apply all checks to a recorded run again, and keep what they find with it."""
    from fallline import api

    api.show(_find(name, root), json_file, keep=True)


@app.command()
def explain(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="A finding's code; without it all are listed.")
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="Print only the sick program.")] = False,
) -> None:
    """Explain a finding: what it sees, why it matters, what to do, and a program that has it."""
    from fallline.view import explain as pages

    try:
        typer.echo(pages.listing() if code is None else pages.example(code) if example else pages.explain(code))
    except pages.UnknownCodeError as error:
        _fail(str(error))


@app.command()
def export(
    name: RunName,
    form: Annotated[str, typer.Option("--format", metavar="jsonl|csv")] = "jsonl",
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the files (default: in the run).")] = None,
    root: Root = Path("runs"),
) -> None:
    """Write a recorded run as text files, one a table."""
    from fallline import api

    if form not in ("jsonl", "csv"):
        _fail(f"--format takes jsonl or csv, not {form!r}")
    for path in api.export(_find(name, root), form, to):
        typer.echo(path)


@app.command(context_settings={"ignore_unknown_options": True})  # EXPR may begin with a minus
def minimize(
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="A function, as 'w1^2 + w2^2', or its name.")],
    start: Annotated[str | None, typer.Option(metavar="A,B", help="Where to start, a number a variable.")] = None,
    optimizer: Annotated[str, typer.Option(metavar="NAME", help="gd, momentum, adam, newton, …")] = "gd",
    lr: Annotated[str | None, typer.Option(metavar="RATE", help="A number, or auto, armijo, bb.")] = None,
    momentum: Annotated[float | None, typer.Option(metavar="B", help="At least 0, below 1.")] = None,
    schedule: Annotated[str | None, typer.Option(metavar="NAME", help="fixed, cosine, cyclic, …")] = None,
    max_iter: Annotated[int, typer.Option(metavar="N", help="Most steps.")] = 1000,
    gtol: Annotated[float, typer.Option(metavar="G", help="End when the gradient is shorter.")] = 1e-6,
    target: Annotated[float | None, typer.Option(metavar="F", help="End when the value is as low.")] = None,
    escape: Annotated[bool, typer.Option("--escape", help="Go on from beside a saddle or a maximum.")] = False,
    search: Annotated[str | None, typer.Option(metavar="KIND", help="multi-start or basin-hopping.")] = None,
    tries: Annotated[int, typer.Option(metavar="N", help="Descents of the search.")] = 32,
    compare: Annotated[
        str | None, typer.Option(metavar="NAME=A,B,…", help="Side by side: lr=…, momentum=… or optimizer=….")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="F", help="Write the result as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="F", help="Draw it to this .png or .svg file.")] = None,
    picture: Annotated[str | None, typer.Option(metavar="KIND", help="Of --plot: curve, contour, history, …")] = None,
) -> None:
    """Descend on a function, step by step, and say whether where it ended is a minimum."""
    from fallline import api

    settings = {"optimizer": optimizer, "lr": lr, "momentum": momentum, "schedule": schedule, "max_iter": max_iter}
    settings |= {"gtol": gtol, "target": target, "escape": escape, "search": search, "tries": tries}
    try:
        api.show_descent(expression, start, settings, compare, json_file, plot, picture)
    except ValueError as error:
        _fail(str(error))


@app.command()
def functions() -> None:
    """List the functions that have a name."""
    from fallline import api

    api.show_functions()


def _find(name: str, root: Path) -> Any:
    from fallline import api
    from fallline.record.run import RunError

    try:
        return api.find_run(name, root)
    except RunError as error:
        _fail(str(error))


def _fail(message: str) -> None:
    typer.echo(f"fallline: {message}", err=True)
    raise typer.Exit(2)


def main() -> None:
    """The entry point."""
    app()

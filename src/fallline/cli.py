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


def _fail(message: str) -> None:
    typer.echo(f"fallline: {message}", err=True)
    raise typer.Exit(2)


def _writable(path: Path | None) -> Path | None:
    """A file to be written at the end: that it cannot be is said before the program runs for hours."""
    if path is not None and not path.absolute().parent.is_dir():
        _fail(f"cannot write {path}: there is no folder {path.parent}; make it first")
    if path is not None and path.is_dir():
        _fail(f"cannot write {path}: it is a folder; name a file in it")
    return path


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"fallline {version('fallline')}")
        raise typer.Exit


Script = Annotated[str, typer.Argument(metavar="SCRIPT [ARGS]...", help="The program, as python would run it.")]
Arguments = Annotated[list[str] | None, typer.Argument(hidden=True)]
AsModule = Annotated[bool, typer.Option("-m", help="SCRIPT is the name of a module, as for python -m.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="F", callback=_writable, help="Write the report as JSON to this file.")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name or folder (see: fallline runs).")]
Root = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Folder that holds the runs.")]


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command(context_settings=PASS_ON)
def run(
    script: Script,
    args: Arguments = None,
    module: AsModule = False,
    json_file: JsonFile = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="F", callback=_writable, help="Write the report as one HTML file.")
    ] = None,
    fail_on: Annotated[str | None, typer.Option(metavar="error|warning", help="Exit with 3 on such a finding.")] = None,
    budget: Annotated[float, typer.Option(help="Share of the training's time that watching may take.")] = 0.03,
    check_only: Annotated[bool, typer.Option("--check-only", help="Stop after the first update: a forecast.")] = False,
    root: Root = Path("runs"),
) -> None:
    """Run a program unchanged, and end with a diagnosis of its training."""
    from fallline import commands

    if fail_on not in (None, "error", "warning"):
        _fail(f"--fail-on takes error or warning, not {fail_on!r}")
    if not 0 < budget <= 1:
        _fail(f"--budget is a share of the training's time, above 0 and at most 1, not {budget}")
    commands.run(script, args or [], module, budget, root, json_file, html, fail_on, check_only)


@app.command(context_settings=PASS_ON)
def check(
    script: Script,
    args: Arguments = None,
    module: AsModule = False,
    json_file: JsonFile = None,
    root: Root = Path("runs"),
) -> None:
    """Run a program up to its first update, and say what that foretells (as run --check-only)."""
    from fallline import commands

    commands.run(script, args or [], module, 0.03, root, json_file, None, None, True)


@app.command(context_settings=PASS_ON)
def fix(
    script: Script,
    args: Arguments = None,
    module: AsModule = False,
    json_file: JsonFile = None,
    diff_file: Annotated[
        Path | None,
        typer.Option("--diff", metavar="F", callback=_writable, help="Write the change as a patch to this file."),
    ] = None,
    apply: Annotated[bool, typer.Option(help="End with a full run of the program under the chosen remedies.")] = False,
    root: Root = Path("runs"),
) -> None:
    """Try remedies on a program, and say which change to make, with the measured effect."""
    from fallline import commands
    from fallline.record.run import RunError

    try:
        status = commands.fix(script, args or [], module, json_file, diff_file, apply, root)
    except RunError as error:
        _fail(f"{error}; where the program clears that folder itself, keep the runs elsewhere: --runs DIR")
    sys.exit(status)


@app.command(context_settings=PASS_ON)
def backprop(
    script: Script,
    args: Arguments = None,
    module: AsModule = False,
    json_file: JsonFile = None,
    plot: Annotated[Path | None, typer.Option(metavar="F", help="Draw the graph to this file (svg, png, pdf).")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check each gradient against finite differences.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="List every operation, however many.")] = False,
) -> None:
    """Run a program until its first backward pass, and show every factor of the chain rule in it."""
    from fallline import commands

    sys.exit(commands.backprop(script, args or [], module, json_file, plot, verify, everything))


RESUMED = {
    "source",
    "resume",
    "epochs",
    "budget",
    "quiet",
    "root",
    "json_file",
}  # options of fit that may go with --resume


@app.command()
def fit(
    context: typer.Context,
    source: Annotated[str | None, typer.Argument(help="A CSV or Parquet file, or digits, iris, wine, …")] = None,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column to predict.")] = None,
    task: Annotated[str | None, typer.Option(metavar="classes|numbers", help="What the target is.")] = None,
    model: Annotated[str | None, typer.Option(metavar="MODULE:FACTORY", help="A function that makes the net.")] = None,
    hidden: Annotated[
        str | None, typer.Option(metavar="64x8", help="Units of the hidden layers: 128,64; 64x8.")
    ] = None,
    activation: Annotated[str, typer.Option(help="After each hidden layer.")] = "relu",
    init: Annotated[str, typer.Option(help="How the weights begin.")] = "default",
    output: Annotated[str, typer.Option(help="What follows the last layer.")] = "none",
    normalise: Annotated[str, typer.Option(metavar="none|batch|layer", help="Before each activation.")] = "none",
    dropout: Annotated[float, typer.Option(help="Share of the units left out after each hidden layer.")] = 0.0,
    loss: Annotated[str | None, typer.Option(help="The loss by name.")] = None,
    optimizer: Annotated[str, typer.Option(help="Any of torch.optim.")] = "adam",
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    momentum: Annotated[float | None, typer.Option(help="Of the optimizer.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of the optimizer.")] = None,
    option: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="More of the optimizer.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help="Any of torch.optim.lr_scheduler: cosine, StepLR,gamma=0.5.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data, at most.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples in one update.")] = None,
    validation: Annotated[float | None, typer.Option(help="Share kept back to stop in time.")] = None,
    test: Annotated[float | None, typer.Option(help="Share kept back for the test.")] = None,
    patience: Annotated[int, typer.Option(help="Epochs without a better validation loss; 0: never stop early.")] = 20,
    clip: Annotated[float | None, typer.Option(help="Largest norm of the gradient.")] = None,
    scale: Annotated[bool, typer.Option("--scale/--no-scale", help="Inputs to mean 0 and variance 1.")] = True,
    seed: Annotated[int, typer.Option(help="Of weights, split and batches.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Of the computation; measured unless given.")] = None,
    budget: Annotated[float, typer.Option(help="Share of the training's time that watching may take.")] = 0.03,
    heal: Annotated[bool, typer.Option("--heal/--no-heal", help="Act on what is found while training goes on.")] = True,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with an interrupted run.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress bar.")] = False,
    root: Root = Path("runs"),
    json_file: JsonFile = None,
) -> None:
    """Train a network on your data, and say how its training went."""
    options = {name: value for name, value in locals().items() if name != "context"}
    from fallline import commands
    from fallline.objective.mistake import InputError
    from fallline.record.run import RunError

    sources = {name: context.get_parameter_source(name) for name in options.keys() - RESUMED}
    given = [name for name, origin in sources.items() if origin is not None and origin.name == "COMMANDLINE"]
    if resume is not None and given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
        _fail(
            f"--resume goes on with what the run was begun with: leave out {names}, or begin a new run without --resume"
        )
    try:
        commands.fit(**options)
    except (InputError, RunError) as error:
        _fail(str(error))


@app.command()
def predict(
    name: RunName,
    table: Annotated[Path, typer.Argument(help="A CSV or Parquet file with the columns of the training.")],
    out: Annotated[Path | None, typer.Option(metavar="F", help="Write to this file, not to standard output.")] = None,
    root: Root = Path("runs"),
) -> None:
    """Predict with the network of a run of fit."""
    from fallline import commands
    from fallline.objective.mistake import InputError
    from fallline.record.run import RunError

    try:
        commands.predict(name, table, out, root)
    except (InputError, RunError) as error:
        _fail(str(error))


@app.command()
def runs(root: Root = Path("runs")) -> None:
    """List the recorded runs."""
    from fallline import commands

    for line in commands.runs(root):
        typer.echo(line)


@app.command()
def report(name: RunName, root: Root = Path("runs"), json_file: JsonFile = None) -> None:
    """Show the report of a recorded run, also while it goes on."""
    from fallline import commands

    commands.report(_find(name, root), json_file)


@app.command()
def diagnose(name: RunName, root: Root = Path("runs"), json_file: JsonFile = None) -> None:
    """Apply all checks to a recorded run again, and keep what they find with it."""
    from fallline import commands

    commands.report(_find(name, root), json_file, keep=True)


@app.command()
def replay(
    name: RunName,
    everything: Annotated[bool, typer.Option("--all", help="List every operation, however many.")] = False,
    root: Root = Path("runs"),
    json_file: JsonFile = None,
) -> None:
    """Do the forward pass in which NaN or Inf was born again, operation by operation, with the batch that was kept."""
    from fallline import commands

    sys.exit(commands.replay(_find(name, root), json_file, everything))


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
    form: Annotated[str, typer.Option("--format", metavar="jsonl|csv|pt2|onnx")] = "jsonl",
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the files (default: in the run).")] = None,
    root: Root = Path("runs"),
) -> None:
    """Write a recorded run as text files, one a table, or the network that was trained."""
    from fallline import commands
    from fallline.objective.mistake import InputError

    if form not in ("jsonl", "csv", "pt2", "onnx"):
        _fail(f"--format takes jsonl or csv, pt2 or onnx, not {form!r}")
    try:
        for path in commands.export(_find(name, root), form, to):
            typer.echo(path)
    except InputError as error:
        _fail(str(error))


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
    from fallline import commands

    settings = {"optimizer": optimizer, "lr": lr, "momentum": momentum, "schedule": schedule, "max_iter": max_iter}
    settings |= {"gtol": gtol, "target": target, "escape": escape, "search": search, "tries": tries}
    try:
        commands.minimize(expression, start, settings, compare, json_file, plot, picture)
    except ValueError as error:
        _fail(str(error))


@app.command()
def functions() -> None:
    """List the functions that have a name."""
    from fallline import commands

    commands.functions()


def _find(name: str, root: Path) -> Any:
    from fallline import api
    from fallline.record.run import RunError

    try:
        return api.find_run(name, root)
    except RunError as error:
        _fail(str(error))


def main() -> None:
    """The entry point."""
    app()

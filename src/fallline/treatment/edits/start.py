"""Edits of what the model starts from."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fallline.record.run import Run
from fallline.treatment.edits import places
from fallline.treatment.edits.script import Script, Unclear
from fallline.treatment.remedies import activation, layers, perturb

FEW = 3  # weights up to which each gets a line of its own
MODULES = ("Linear", "Conv1d", "Conv2d", "Conv3d")

Schemes = dict[str, tuple[str, str]]  # scheme and activation for each weight


def initialise(script: Script, args: dict[str, Any], run: Run) -> None:
    """Lines after the model is made, by name or over all modules."""
    start_from(script, {name: (s, a) for name, (s, a) in args["weights"].items()}, args["biases"], run)


def for_activation(script: Script, args: dict[str, Any], run: Run) -> None:
    """The same for the weights that go with another activation."""
    suits = activation.WEIGHTS[args["to"]]
    hidden = set(args["weights"])
    start_from(script, {n: suits if n in hidden else ("xavier", "linear") for n in args["all"]}, args["biases"], run)


def noise(script: Script, args: dict[str, Any], run: Run) -> None:
    """Noise on all weights, after the model is made."""
    like = script.spelled("torch.randn_like")
    places.once_made(
        script,
        run,
        f"with {script.spelled('torch.no_grad')}():\n    for p in {places.model(script, run)}.parameters():\n"
        f"        p.add_({args.get('noise', perturb.NOISE[0]):g} * {like}(p))\n",
    )


def output_bias(script: Script, args: dict[str, Any], run: Run) -> None:
    """A line after the model is made."""
    target = layers.attribute(places.model(script, run), args["bias"])
    values = [f"{value:g}" for value in args["values"]]
    if len(values) == 1:
        places.once_made(script, run, f"{script.spelled('torch.nn.init.constant_')}({target}, {values[0]})")
    else:
        made = f"{script.spelled('torch.tensor')}([{', '.join(values)}])"
        places.once_made(script, run, f"with {script.spelled('torch.no_grad')}():\n    {target}.copy_({made})\n")


def forget_bias(script: Script, args: dict[str, Any], run: Run) -> None:
    """A line for each recurrent layer after the model is made."""
    fill, model, value = script.spelled("torch.nn.init.constant_"), places.model(script, run), args["value"]
    lines = [f"{fill}({layers.attribute(model, name)}[{n}:{2 * n}], {value:g})" for name, n in args["biases"].items()]
    places.once_made(script, run, *lines)


def start_from(script: Script, schemes: Schemes, biases: list[str], run: Run) -> None:
    """Give each weight the start of its scheme, and each bias zero."""
    owners = {p.model for p in run.parameters if p.name in schemes}
    if len(owners) != 1 or "" in owners:
        raise Unclear("the weights belong to several models" if len(owners) > 1 else "no module holds the weights")
    model = places.model(script, run)
    schemes = {name: (s, "linear" if a == "sigmoid" else a) for name, (s, a) in schemes.items()}  # their gain is 1
    common = Counter(schemes.values()).most_common(1)[0][0]
    others = {name: scheme for name, scheme in schemes.items() if scheme != common}
    by_name = len(schemes) <= FEW
    if not by_name and len(others) > FEW:
        raise Unclear(f"{len(schemes)} layers need different weights")
    named = schemes if by_name else others
    lines = [_call(script, *scheme, layers.attribute(model, name)) for name, scheme in named.items()]
    zeros = script.spelled("torch.nn.init.zeros_")
    if by_name:
        places.once_made(script, run, *lines, *(f"{zeros}({layers.attribute(model, name)})" for name in biases))
        return
    bias = f"        if module.bias is not None:\n            {zeros}(module.bias)\n" if biases else ""
    loop = (
        f"for module in {model}.modules():\n    if isinstance(module, {_kinds(script, run)}):\n"
        f"        {_call(script, *common, 'module.weight')}\n{bias}"
    )
    places.once_made(script, run, loop, *lines)


def _kinds(script: Script, run: Run) -> str:
    """The classes of module that the loop is for: those that the program names."""
    written = [k for k in MODULES if script.calls(f"torch.nn.{k}".__eq__)]
    kinds = [script.spelled(f"torch.nn.{k}") for k in written or ("Linear", "Conv2d")]
    return kinds[0] if len(kinds) == 1 else f"({', '.join(kinds)})"


def _call(script: Script, scheme: str, nonlinearity: str, target: str) -> str:
    def name(function: str) -> str:
        return script.spelled(f"torch.nn.init.{function}")

    if scheme in ("kaiming", "lecun"):
        usual = nonlinearity == "leaky_relu"  # torch's own default
        how = "" if usual else f', nonlinearity="{nonlinearity}"'
        return f"{name('kaiming_normal_')}({target}{how})"
    if scheme == "identity":
        return f"{name('eye_')}({target})"
    function = "orthogonal_" if scheme == "orthogonal" else "xavier_normal_"
    gain = "" if nonlinearity == "linear" else f', gain={name("calculate_gain")}("{nonlinearity}")'
    return f"{name(function)}({target}{gain})"

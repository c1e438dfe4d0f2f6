"""Edits of what the network is made of: its activations, its output, its normalisation and its modes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import libcst as cst

from fallline.record.run import Run
from fallline.treatment.edits import loop, places, start
from fallline.treatment.edits.arguments import argument, rewritten, with_argument
from fallline.treatment.edits.script import Script, Unclear
from fallline.treatment.remedies import modes

# Module and function of each activation, by the name of its operation.
WRITTEN = {
    "relu": ("ReLU", "torch.relu"), "leakyrelu": ("LeakyReLU", "torch.nn.functional.leaky_relu"),
    "sigmoid": ("Sigmoid", "torch.sigmoid"), "tanh": ("Tanh", "torch.tanh"), "selu": ("SELU", "torch.selu"),
    "elu": ("ELU", "torch.nn.functional.elu"), "gelu": ("GELU", "torch.nn.functional.gelu"),
    "silu": ("SiLU", "torch.nn.functional.silu"), "softplus": ("Softplus", "torch.nn.functional.softplus"),
    "hardtanh": ("Hardtanh", "torch.nn.functional.hardtanh"), "softmax": ("Softmax", "torch.softmax"),
    "exp": ("", "torch.exp"),
}  # fmt: skip
NO_GRADIENT = ("torch.no_grad", "torch.inference_mode")


def swap_activation(script: Script, args: dict[str, Any], run: Run) -> None:
    """Another activation wherever the hidden layers use the old one, and weights that suit it."""
    module, function = WRITTEN[args["to"].replace("_", "")]
    output = {layer.activation for layer in run.layers if layer.output}
    for old in args["instead_of"]:
        found = _written(script, run, old)
        last = [use for use in found if old in output and _at_output(script, use)]
        hidden = [use for use in found if use not in last]
        if not hidden or (old in output and not last):
            raise Unclear(f"it is not plain where the hidden layers' {old} is written")
        for use in hidden:
            _put(script, use, module, function)
    start.for_activation(script, args, run)


def insert_activation(script: Script, args: dict[str, Any], run: Run) -> None:
    """ReLU as a module between two layers in a list, or around the one call of each layer."""
    prefixes = ("torch.nn.Linear", "torch.nn.Conv")
    layers = script.calls(lambda name: name.startswith(prefixes))
    followed = [
        layer for layer in layers
        if isinstance(script.parent(script.parent(layer)), (cst.Call, cst.List))
        and (after := script.beside(script.parent(layer), 1)) is not None and after.value in layers
    ]  # fmt: skip
    names = [name.removesuffix(".weight") for name in args["weights"]]
    if len(followed) == len(names):
        for layer in followed:
            script.follow(script.parent(layer), f"{script.spelled('torch.nn.ReLU')}()")
        return
    relu = script.spelled("torch.relu")
    for name in names:
        calls = [call for call in script.all(cst.Call) if script.code(call.func) in (name, f"self.{name}")]
        if len(calls) != 1:
            raise Unclear(f"it is not plain where {name} is called")
        script.replace(calls[0], lambda new: cst.parse_expression(f"{relu}({script.code(new)})"))


def output_activation(script: Script, args: dict[str, Any], run: Run) -> None:
    """No activation at the output, or sigmoid in its place."""
    if args["to"] == "softplus":
        raise Unclear("a hidden ReLU may be written the same way")
    last = _output(script, run, args["instead_of"])
    if args["to"] == "sigmoid":
        _put(script, last, *WRITTEN["sigmoid"])
    elif _is_module(script, last):
        _remove_module(script, last)
    else:
        script.replace(last, lambda new: cst.parse_expression(_argument(script, new)))


def log_softmax(script: Script, run: Run) -> None:
    """log_softmax in the place of the softmax at the output, along the same dimension."""
    last = _output(script, run, "softmax")
    name = script.code(last.func).rpartition(".")[2].replace("Softmax", "LogSoftmax").replace("softmax", "log_softmax")
    script.replace(last.func, lambda new: cst.parse_expression(".".join([*script.code(new).split(".")[:-1], name])))


def _output(script: Script, run: Run, kind: str) -> cst.Call:
    """The one place where the activation at the output is written."""
    found = _written(script, run, kind)
    last = [use for use in found if _at_output(script, use)]
    hidden = any(layer.activation == kind and not layer.output for layer in run.layers)  # have it from there, too
    if len(last) != 1 and len(found) == 1 and not hidden:
        last = found
    if len(last) != 1:
        raise Unclear(f"it is not plain where the output's {kind} is written")
    return last[0]


def normalise(script: Script, args: dict[str, Any], run: Run) -> None:
    """A normalisation between each hidden layer and its activation: as a module in a list, or around an argument."""
    ends = {f"torch.nn.{WRITTEN[x.activation][0]}" for x in run.layers if x.output and x.activation in WRITTEN}
    listed = [
        layer
        for layer in script.calls(lambda name: name.startswith(("torch.nn.Linear", "torch.nn.Conv")))
        if _feeds_activation(script, script.beside(script.parent(layer), 1), ends)
    ]
    for layer in listed:
        image = script.qualified(layer.func) != "torch.nn.Linear"
        units = script.code(layer.args[1].value)
        name = script.spelled("torch.nn.GroupNorm" if image else "torch.nn.LayerNorm")
        script.follow(script.parent(layer), f"{name}(1, {units})" if image else f"{name}({units})")
    if not listed:
        _normalise_arguments(script, args, run)


def _feeds_activation(script: Script, follower: cst.Arg | cst.Element | None, ends: set[str]) -> bool:
    """Whether what follows a layer is an activation, and not that at the output, of which the run knows the kind."""
    call = follower.value if follower is not None else None
    if not isinstance(call, cst.Call) or not _activation(script, call):
        return False
    return script.qualified(call.func) not in ends or not _at_output(script, call)


def _normalise_arguments(script: Script, args: dict[str, Any], run: Run) -> None:
    units = set(args["units"])
    hidden = {layer.activation for layer in run.layers if not layer.output and layer.activation}
    if len(units) != 1 or len(hidden) != 1 or any(layer.kind == "conv" for layer in run.layers):
        raise Unclear("the layers and their activations do not stand in one list, and differ")
    uses = [use for use in _written(script, run, hidden.pop()) if not _at_output(script, use)]
    if not uses or any(_is_module(script, use) or not script.qualified(use.func) for use in uses):
        raise Unclear("the layers and their activations do not stand in one list")
    name = script.spelled("torch.nn.functional.layer_norm")
    size = units.pop()
    for use in uses:
        script.replace(
            use.args[0].value, lambda new: cst.parse_expression(f"{name}({script.code(new)}, ({size},))")
        )  # fmt: skip


def batch_first(script: Script, args: dict[str, Any], run: Run) -> None:
    """The batch in the first dimension of recurrent layers."""
    calls = script.calls({f"torch.nn.{kind}" for kind in ("RNN", "LSTM", "GRU")}.__contains__)
    if not calls:
        raise Unclear("it is not plain where the recurrent layer is made")
    for call in calls:
        script.replace(call, functools.partial(with_argument, position=4, keyword="batch_first", value="True"))


def mode(script: Script, args: dict[str, Any], run: Run) -> None:
    """Milder dropout, batch norm in train mode, group norm or none, running statistics that run, or eval mode."""
    kind = args["set"]
    if kind in ("train", "eval"):
        (loop.train_mode if kind == "train" else loop.eval_mode)(script, run)
        return
    if kind == "told":
        _tell_dropouts(script)
        return
    if kind == "running":
        raise Unclear("how the batches are made is the program's own affair")
    prefix = "torch.nn.Dropout" if kind == "dropout" else "torch.nn.BatchNorm"
    found = script.calls(lambda name: name.startswith(prefix))
    if not found:
        raise Unclear(f"no {prefix.removeprefix('torch.')} is written in the program")
    for call in found:
        if kind == "dropout":
            _set(script, found, call, 0, "p", modes.MILD, run)
        elif kind == "momentum":
            _set(script, found, call, 2, "momentum", modes.USUAL, run)
        elif kind == "none":
            script.replace(call, f"{script.spelled('torch.nn.Identity')}()")
        else:
            name = script.spelled("torch.nn.GroupNorm")
            script.replace(call, f"{name}(1, {script.code(call.args[0].value)})")


def _tell_dropouts(script: Script) -> None:
    """Every function of dropout in a module's method is told the module's mode."""
    calls = script.calls(lambda name: name.startswith("torch.nn.functional.") and "dropout" in name)
    if not calls:
        raise Unclear("no function of dropout is called in the program")
    for call in calls:
        method = script.function(call)
        inside = any(isinstance(node, cst.ClassDef) for node in script.above(call))
        if not inside or not isinstance(method, cst.FunctionDef) or not method.params.params:
            raise Unclear("dropout is called outside the methods of a module")
        mode = f"{method.params.params[0].name.value}.training"
        script.replace(call, functools.partial(with_argument, position=2, keyword="training", value=mode))


# -- where it is written -----------------------------------------------------------------------------------------------


def _written(script: Script, run: Run, old: str) -> list[cst.Call]:
    """Calls that make or apply an activation in the training's forward pass.

    Raises:
        Unclear: it is chosen by a name or from a table.
    """
    if old not in WRITTEN:
        raise Unclear(f"{old} is no activation of torch.nn")
    module, function = WRITTEN[old]
    short = function.rpartition(".")[2]
    names = {f"torch.nn.{module}", f"torch.{short}", f"torch.nn.functional.{short}", "torch.special.expit"}
    if module:
        bare = [n for n in script.all(cst.Attribute) if script.qualified(n) == f"torch.nn.{module}"]
        if any(not isinstance(script.parent(n), cst.Call) for n in bare):
            raise Unclear(f"{module} is handed on by its class")
    found = script.calls(lambda name: name in names)
    found += [c for c in script.methods(short) if not script.qualified(c.func) and not (old == "exp" and c.args)]
    return [call for call in found if _trained(script, run, call)]


def _trained(script: Script, run: Run, call: cst.Call) -> bool:
    """Whether this is part of the model, or of the loop's forward pass, and not of an evaluation."""
    above = list(script.above(call))
    if any(isinstance(node, (cst.Dict, cst.DictComp)) for node in above):
        raise Unclear("activations are kept in a table")
    for node in above:
        if isinstance(node, cst.With) and any(
            isinstance(item.item, cst.Call) and script.qualified(item.item.func) in NO_GRADIENT for item in node.items
        ):
            return False
    if any(isinstance(node, (cst.ClassDef, cst.FunctionDef)) for node in above) or _is_module(script, call):
        return True
    loops = script.loops(places.backward(script))
    return any(node in loops for node in above)


def _at_output(script: Script, call: cst.Call) -> bool:
    """Whether what an activation gives is what the model gives: the end of a Sequential, of forward, or the loss."""
    parent = script.parent(call)
    if isinstance(parent, cst.Arg):
        outer = script.parent(parent)
        if isinstance(outer, cst.Call) and script.qualified(outer.func) == "torch.nn.Sequential":
            return outer.args[-1] is parent
        loops = script.loops(places.backward(script))  # in them it is an argument of the loss
        return isinstance(outer, cst.Call) and any(node in loops for node in script.above(call))
    if isinstance(parent, cst.Element):  # the end of a list that is added to the others after the loop
        listed = script.parent(parent)
        return isinstance(listed, cst.List) and listed.elements[-1] is parent and not script.loops(call)
    function = script.function(call)
    if _is_module(script, call) or not isinstance(function, cst.FunctionDef):
        return False
    return any(isinstance(node, cst.Return) for node in script.above(call)) and not any(
        isinstance(node, cst.Call) and node is not call for node in _until(script, call, cst.Return)
    )


def _until(script: Script, node: cst.CSTNode, kind: type[cst.CSTNode]) -> list[cst.CSTNode]:
    found = []
    for outer in script.above(node):
        if isinstance(outer, kind):
            break
        found.append(outer)
    return found


def _is_module(script: Script, call: cst.Call) -> bool:
    last = script.qualified(call.func).rpartition(".")[2]
    return last[:1].isupper()


def _activation(script: Script, call: cst.Call) -> bool:
    name = script.qualified(call.func)
    return any(module and name == f"torch.nn.{module}" for module, _ in WRITTEN.values())


def _argument(script: Script, call: cst.Call) -> str:
    """What a function or a method is applied to, of a call whose parts may have been changed already."""
    imported = script.code(call.func).partition(".")[0] in script.imports()
    method = isinstance(call.func, cst.Attribute) and not imported
    return script.code(call.func.value if method and isinstance(call.func, cst.Attribute) else call.args[0].value)


def _put(script: Script, use: cst.Call, module: str, function: str) -> None:
    """Another activation, as a module or as a function, whichever the old one was."""
    if _is_module(script, use):
        script.replace(use, f"{script.spelled(f'torch.nn.{module}')}()")
    else:
        name = script.spelled(function)
        script.replace(use, lambda new: cst.parse_expression(f"{name}({_argument(script, new)})"))


def _remove_module(script: Script, use: cst.Call) -> None:
    """Out of its Sequential or list; where it is an attribute, its calls give what they get."""
    parent = script.parent(use)
    owner = script.parent(parent)
    if isinstance(owner, cst.Tuple):  # with its name
        parent = script.parent(owner)
    if isinstance(owner, cst.Call) and script.code(owner.func).rpartition(".")[2] in ("add_module", "append"):
        script.remove(script.statement(use))
        return
    if isinstance(parent, (cst.Arg, cst.Element)):
        script.remove_element(parent)
        return
    name = script.target(use)
    calls = [c for c in script.all(cst.Call) if name is not None and script.code(c.func) == name and len(c.args) == 1]
    if not calls:
        raise Unclear(f"it is not plain where `{script.code(use)}` is applied")
    script.remove(script.statement(use))
    for call in calls:
        script.replace(call, lambda new: new.args[0].value)


def _set(
    script: Script, found: Sequence[cst.Call], call: cst.Call, position: int, keyword: str, value: float, run: Run
) -> None:
    """Write a number where it is given: at the call, or where the calls that are found have it from."""
    given = [argument(other, position, keyword) for other in found]
    own = argument(call, position, keyword)
    same = [a for a in given if a is not None and own is not None and script.code(a.value) == script.code(own.value)]
    if own is None or not rewritten(script, own.value, lambda _: value, run, len(same)):
        script.replace(call, lambda new: with_argument(new, position, keyword, f"{value:g}"))

"""Edits of the data: their scale, where the program makes them, and their order."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import libcst as cst

from fallline.record.run import Run
from fallline.treatment.edits import optimizers, places
from fallline.treatment.edits.arguments import with_argument
from fallline.treatment.edits.script import Script, Statement, Unclear

LOADER, DATASET = "torch.utils.data.DataLoader", "torch.utils.data.TensorDataset"
MADE_OF = frozenset({"torch.tensor", "torch.as_tensor", "torch.from_numpy", "torch.Tensor", "torch.FloatTensor"})
LEAST = "1e-6"  # below it a feature is taken for a constant, which is only centred


def scale_inputs(script: Script, args: dict[str, Any], run: Run) -> None:
    """Mean 0 and variance 1 by the training data, for every table or image that the model is called with."""
    if args["whiten"] or len(args["weights"]) != 1:
        raise Unclear("decorrelated inputs are best made by the library that made the data")
    if any(script.assignments(name) for name in ("mean", "std")):
        raise Unclear("mean and std are names of the program's own")
    backward = places.backward(script)
    calls = [call for call in places.model_calls(script, run) if call.args]
    tables = {call: _tensor(script, call.args[0].value) for call in calls}
    trained = {script.code(t): t for call, t in tables.items() if _in_loop(script, call, backward)}
    if len(trained) != 1:
        raise Unclear("the model is not called with one input in the loop")
    train = next(iter(trained.values()))
    root = _root(script, train)
    names = dict.fromkeys([root, *(_root(script, table) for table in tables.values())])
    place = _before(script, train, backward)
    for name in names:
        _check(script, name, place, [*calls, *_datasets(script)])
    axes = "(0, 2, 3), keepdim=True" if args["channels"][0] == 1 and _is_image(run) else "0"
    text = _portion(script, train, backward)
    script.insert_before(
        place,
        f"mean, std = {text}.mean({axes}), {text}.std({axes}).clip({LEAST})",
        *(f"{name} = ({name} - mean) / std" for name in names),
    )


def scale_targets(script: Script, args: dict[str, Any], run: Run) -> None:
    """The output in the targets' units, where the model returns it or is called; SGD's rate by the variance.

    So the loss and all predictions keep their units, and the weights take the course they take on scaled targets. An
    optimizer of Adam's kind does not feel the scale of the gradient.
    """
    if isinstance(args["std"], list):
        raise Unclear("each target has a scale of its own")
    mean, std = float(args["mean"]), float(args["std"])

    def scaled(old: cst.BaseExpression, alone: bool) -> cst.BaseExpression:
        code = script.code(old) if isinstance(old, (cst.Call, cst.Name)) else f"({script.code(old)})"
        text = f"{code} * {std:.4g} + {mean:.4g}"
        return cst.parse_expression(text if alone else f"({text})")

    kinds = {model.kind for model in run.models}
    classes = [c for c in script.all(cst.ClassDef) if c.name.value in kinds]
    returned = [
        r.value for c in classes for f in script.all(cst.FunctionDef, c) if f.name.value == "forward"
        for r in script.all(cst.Return, f) if r.value is not None
    ]  # fmt: skip
    values: list[cst.BaseExpression] = list(returned) if classes else list(places.model_calls(script, run))
    if not values or (classes and len(values) != 1):
        raise Unclear("the model's output is not returned in one place")
    for value in values:
        alone = isinstance(script.parent(value), (cst.Arg, cst.Assign, cst.Return))
        script.replace(value, functools.partial(scaled, alone=alone))
    if any(t.optimizer.kind == "SGD" for t in run.trainings):
        optimizers.scale_rate(script, 1 / std**2, run)


def shuffle(script: Script, args: dict[str, Any], run: Run) -> None:
    """``shuffle=True`` for the loader that the training loop goes through."""
    loops = [loop.iter for loop in script.loops(places.backward(script)) if isinstance(loop, cst.For)]
    made = [script.assigned(value) if isinstance(value, cst.Name) else value for value in loops]
    loaders = [call for call in made if isinstance(call, cst.Call) and script.qualified(call.func) == LOADER]
    if len(loaders) != 1:
        raise Unclear("the training loop does not go through a DataLoader that is made in one place")
    script.replace(loaders[0], lambda old: with_argument(cst.ensure_type(old, cst.Call), 2, "shuffle", "True"))


def _in_loop(script: Script, call: cst.Call, backward: cst.Call) -> bool:
    loops = script.loops(backward)
    return bool(loops) and loops[0] in script.above(call)


def _tensor(script: Script, value: cst.BaseExpression) -> cst.BaseExpression:
    """The table that a batch is taken from: of a loader, the first of its dataset."""
    if isinstance(value, cst.Call) and value.args and script.qualified(value.func) in MADE_OF:
        return _tensor(script, value.args[0].value)
    if isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute) and not script.qualified(value.func):
        return _tensor(script, value.func.value)  # .float(), .to(device)
    loop = next((n for n in script.above(value) if isinstance(n, cst.For) and _first(n) == script.code(value)), None)
    return value if loop is None else _dataset(script, loop.iter)


def _first(loop: cst.For) -> str:
    target = loop.target
    first = target.elements[0].value if isinstance(target, cst.Tuple) else target
    return first.value if isinstance(first, cst.Name) else ""


def _dataset(script: Script, loader: cst.BaseExpression) -> cst.BaseExpression:
    made = script.assigned(loader) if isinstance(loader, cst.Name) else loader
    if isinstance(made, cst.Call) and script.qualified(made.func).endswith(LOADER.rpartition(".")[2]) and made.args:
        return _dataset(script, made.args[0].value)
    if isinstance(made, cst.Call) and script.qualified(made.func).endswith(DATASET.rpartition(".")[2]) and made.args:
        return _tensor(script, made.args[0].value)
    raise Unclear("the batches come from something else than a table")


def _root(script: Script, value: cst.BaseExpression) -> str:
    inner = value.value if isinstance(value, cst.Subscript) else value
    if not isinstance(inner, cst.Name):
        raise Unclear(f"`{script.code(value)}` is no variable")
    return inner.value


def _before(script: Script, train: cst.BaseExpression, backward: cst.Call) -> Statement:
    """The statement before which the data are ready: their dataset is made in it, or it is the training loop."""
    loops = script.loops(backward)
    return loops[-1] if loops[-1] in script.above(train) else script.statement(train)


def _check(script: Script, name: str, place: Statement, readers: Sequence[cst.Call]) -> None:
    """That from a place on a variable is there, keeps its value, and is read as an input of the model alone."""
    stored = script.assignments(name)
    body = script.function(place)
    if not any(script.function(n) is body and script.follows(place, n) for n in stored):
        raise Unclear(f"{name} is not made before the loop")
    reads = [n for n in script.all(cst.Name) if n.value == name and not script.follows(place, n)]
    allowed = [n for n in reads if _measured(script, n) or any(r in script.above(n) for r in readers)]
    if len(allowed) < len(reads):
        raise Unclear(f"{name} is used for something else, too")


def _measured(script: Script, name: cst.Name) -> bool:
    """Whether only the size of a table is asked for."""
    parent = script.parent(name)
    if isinstance(parent, cst.Attribute) and parent.attr.value in ("shape", "size"):
        return True
    call = script.parent(parent)
    return isinstance(call, cst.Call) and script.code(call.func) == "len"


def _datasets(script: Script) -> list[cst.Call]:
    return script.calls(lambda name: name.endswith(".TensorDataset"))


def _portion(script: Script, train: cst.BaseExpression, backward: cst.Call) -> str:
    """The part of the table that is trained on: ``x[:800]`` of ``x[torch.randperm(800)]``, else all of it."""
    if not isinstance(train, cst.Subscript):
        return script.code(train)
    index = script.code(train.slice[0])
    for loop in script.loops(backward):
        if isinstance(loop, cst.For) and isinstance(loop.iter, cst.Call) and script.code(loop.target) == index:
            sizes = [c for c in script.all(cst.Call, loop.iter) if script.qualified(c.func) == "torch.randperm"]
            if len(sizes) == 1 and isinstance(sizes[0].args[0].value, cst.Integer):
                return f"{script.code(train.value)}[:{script.code(sizes[0].args[0].value)}]"
            return script.code(train.value)
    inside = {n.value for n in script.all(cst.Name, train.slice[0])}
    assigned = [n for name in inside for n in script.assignments(name)]
    return script.code(train.value) if any(script.loops(n) for n in assigned) else script.code(train)


def _is_image(run: Run) -> bool:
    return any(layer.kind == "conv" for layer in run.layers)

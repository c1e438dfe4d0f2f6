"""Edits of the optimizer: its rate, its momentum, its class, and what it gets."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import libcst as cst

from fallline.record.run import Run
from fallline.treatment.edits import places
from fallline.treatment.edits.arguments import argument, number, rewritten, with_argument
from fallline.treatment.edits.script import Script, Unclear

KEPT = ("params", "weight_decay")  # arguments that Adam takes over from another optimizer


def learning_rate(script: Script, args: dict[str, Any], run: Run) -> None:
    """Another rate: where the number is written, or else a factor where the rate is used."""
    if args["lr"] is None:
        _rate_by_hand(script, float(args["factor"]))
        return
    if argument(places.optimizer(script, run), 1, "lr") is None:
        script.replace(places.optimizer(script, run), lambda new: with_argument(new, 1, "lr", f"{args['lr']:g}"))
    else:
        scale_rate(script, float(args["factor"]), run)


def scale_rate(script: Script, factor: float, run: Run) -> None:
    """A rate that is given, times a factor: a new number where it is written, or else the factor where it is used."""
    call = places.optimizer(script, run)
    given = argument(call, 1, "lr")
    groups = [e for e in script.all(cst.DictElement, call) if script.code(e.key).strip("'\"") == "lr"]
    if groups or given is None:
        raise Unclear("parameter groups have rates of their own" if groups else "the learning rate is not given")
    if not rewritten(script, given.value, lambda old: _short(old * factor), run):
        code = script.code(given.value)
        plain = isinstance(given.value, (cst.Name, cst.Attribute, cst.Subscript, cst.Call))
        text = f"{_short(factor):g} * {code}" if plain else f"{_short(factor):g} * ({code})"
        script.replace(call, lambda new: with_argument(new, 1, "lr", text))


def setting(place: int, name: str) -> Callable[[Script, dict[str, Any], Run], None]:
    """Another value of a setting, that is the argument at this place of the optimizers that have it."""

    def change(script: Script, args: dict[str, Any], run: Run) -> None:
        call = places.optimizer(script, run)
        given = argument(call, place, name)
        if given is None or not rewritten(script, given.value, lambda _: args[name], run):
            script.replace(call, lambda new: with_argument(new, place, name, f"{args[name]:g}"))

    return change


def exchange(script: Script, args: dict[str, Any], run: Run) -> None:
    """Adam at its own rate, with the parameters and the weight decay of the other optimizer."""
    call = places.optimizer(script, run)
    given = argument(call, 1, "lr")
    value = f"{args['lr']:g}"
    if given is not None and number(given.value) is None and rewritten(script, given.value, lambda _: args["lr"], run):
        value = script.code(given.value)
    kind = args["to"]
    if isinstance(call.func, cst.Name):
        name = script.spelled(f"torch.optim.{kind}") if "torch" in script.imports() else _imported(script, call, kind)
    else:
        name = f"{script.code(call.func).rpartition('.')[0]}.{kind}"

    def change(new: cst.Call) -> cst.Call:
        kept = [a for i, a in enumerate(new.args) if (a.keyword.value if a.keyword else "") in KEPT or not i]
        return with_argument(new.with_changes(func=cst.parse_expression(name), args=kept), 1, "lr", value)

    script.replace(call, change)


def register(script: Script, args: dict[str, Any], run: Run) -> None:
    """A list or a tensor that ``parameters()`` sees, or an optimizer that is given the whole model."""
    if args["hidden"]:
        _registered(script, args["parameters"])
        return
    if args.get("twice"):
        raise Unclear("it is not plain which of the two optimizers it is")
    call = places.optimizer(script, run)
    if args.get("raw"):
        script.replace(call.args[0].value, _tensors(args["parameters"]))
        return
    owner = places.model(script, run)
    root = owner.partition(".")[0]
    if root != owner and any(m.name == root for m in run.models):
        first = call.args[0]
        script.replace(first.value, f"{root}.parameters()")
        return
    later = [n for n in script.assignments(owner) if script.follows(n, call)]
    if len(later) != 1 or script.function(later[0]) is not script.function(call):
        raise Unclear(f"it is not plain why {owner} does not hold them")
    statement = script.statement(call)
    script.insert_after(later[0], script.code(statement).strip())
    script.remove(statement)


# -- updates by hand ---------------------------------------------------------------------------------------------------


def _rate_by_hand(script: Script, factor: float) -> None:
    """The number, or the constant, that every ``w -= lr * …`` in a loop begins with."""
    updates = [a for a in script.all(cst.AugAssign) if isinstance(a.operator, cst.SubtractAssign) and script.loops(a)]
    rates = [a.value.left for a in updates if isinstance(a.value, cst.BinaryOperation) and _times(a.value)]
    texts = {script.code(rate) for rate in rates}
    if not updates or len(rates) < len(updates) or len(texts) != 1:
        raise Unclear("the update by hand has no one rate")
    first = rates[0]
    origin = script.assigned(first) if isinstance(first, cst.Name) else first
    value = number(origin) if origin is not None else None
    if value is None:
        raise Unclear(f"{texts.pop()} is not a plain number")
    for place in rates if origin is first else [origin]:
        assert place is not None
        script.replace(place, f"{_short(value * factor):g}")


def _short(value: float) -> float:
    return float(f"{value:.2g}")


def _times(value: cst.BinaryOperation) -> bool:
    return isinstance(value.operator, cst.Multiply) and isinstance(value.left, (cst.Name, cst.Float, cst.Integer))


# -- what it gets ------------------------------------------------------------------------------------------------------


def _tensors(names: list[str]) -> str:
    """A list of raw tensors by their names: all of a dictionary's or of a list's, or one by one."""
    owners = {name.partition("[")[0] for name in names}
    if len(owners) > 1 or owners == set(names):
        return f"[{', '.join(names)}]"
    owner, quoted = owners.pop(), names[0].partition("[")[2][:1] in "'\""
    return f"list({owner}.values())" if quoted else f"list({owner})"


def _registered(script: Script, parameters: list[str]) -> None:
    """``nn.ModuleList`` around the list that hides modules, ``nn.Parameter`` around a tensor."""
    owners = {re.sub(r"\[.*", "", name).rpartition(".")[2]: name for name in parameters}
    for owner, name in sorted(owners.items()):
        found = [
            a for a in script.all(cst.Assign) if len(a.targets) == 1
            and script.code(a.targets[0].target) == f"self.{owner}"
        ]  # fmt: skip
        if len(found) != 1:
            raise Unclear(f"self.{owner} is not assigned in one place")
        value = found[0].value
        kind = "Module" if "]." in name else "Parameter"
        if "[" in name:
            kind += "Dict" if isinstance(value, (cst.Dict, cst.DictComp)) else "List"
        empty = isinstance(value, (cst.List, cst.Dict)) and not value.elements
        script.replace(value, _wrapped(f"{script.spelled(f'torch.nn.{kind}')}", empty))


def _wrapped(name: str, empty: bool) -> Callable[[cst.BaseExpression], cst.Call]:
    function = cst.parse_expression(name)
    return lambda old: cst.Call(function, [] if empty else [cst.Arg(old)])


def _imported(script: Script, call: cst.Call, kind: str) -> str:
    """Import another class instead of the one that this call alone uses."""
    assert isinstance(call.func, cst.Name)
    old = call.func.value
    for alias in script.all(cst.ImportAlias):
        if alias.evaluated_name == old and alias.asname is None and script.uses(call.func) == 1:
            script.replace(alias.name, kind)
            return kind
    raise Unclear(f"{old} is not imported in a plain way")

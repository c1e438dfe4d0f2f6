"""Edits of the optimizer: its rate, its momentum, its class, and what it gets."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import libcst as cst

from fallline.record.run import Run
from fallline.treatment.edits import places
from fallline.treatment.edits.script import Script, Unclear

KEPT = ("params", "weight_decay")  # arguments that Adam takes over from another optimizer


def learning_rate(script: Script, args: dict[str, Any], run: Run) -> None:
    """Another rate: where the number is written, or else a factor where the rate is used."""
    if args["lr"] is None:
        _rate_by_hand(script, float(args["factor"]))
        return
    call = places.optimizer(script, run)
    groups = [e for e in script.all(cst.DictElement, call) if script.code(e.key).strip("'\"") == "lr"]
    if groups:
        raise Unclear("parameter groups have rates of their own")
    _give_rate(script, call, args["lr"], f"{args['factor']:g}", run)


def momentum(script: Script, args: dict[str, Any], run: Run) -> None:
    """Another momentum of SGD."""
    call = places.optimizer(script, run)
    given = argument(call, 2, "momentum")
    if given is not None and _rewritten(script, given.value, args["momentum"], run):
        return
    script.replace(call, lambda new: with_argument(new, 2, "momentum", f"{args['momentum']:g}"))


def exchange(script: Script, args: dict[str, Any], run: Run) -> None:
    """Adam at its own rate, with the parameters and the weight decay of the other optimizer."""
    call = places.optimizer(script, run)
    given = argument(call, 1, "lr")
    value = f"{args['lr']:g}"
    if given is not None and _rewritten(script, given.value, args["lr"], run):
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
    """A list that ``parameters()`` sees, or an optimizer that is given the whole model."""
    if args["hidden"]:
        _registered_list(script, args["parameters"])
        return
    call = places.optimizer(script, run)
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


# -- arguments ---------------------------------------------------------------------------------------------------------


def argument(call: cst.Call, position: int, keyword: str) -> cst.Arg | None:
    """An argument by its keyword, or by its position."""
    named = next((a for a in call.args if a.keyword is not None and a.keyword.value == keyword), None)
    if named is not None or len(call.args) <= position or any(a.keyword or a.star for a in call.args[: position + 1]):
        return named
    return call.args[position]


def with_argument(call: cst.Call, position: int, keyword: str, value: str) -> cst.Call:
    """The call with another value for one argument, put last where the call has none."""
    parsed = cst.parse_expression(value)
    old = argument(call, position, keyword)
    if old is not None:
        return call.with_changes(args=[a.with_changes(value=parsed) if a is old else a for a in call.args])
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    last = [call.args[-1].with_changes(comma=comma)] if call.args else []
    new = cst.Arg(parsed, keyword=cst.Name(keyword), equal=equal)
    return call.with_changes(args=[*call.args[:-1], *last, new])


def number(node: cst.CSTNode) -> float | None:
    """The value of a number as it is written, such as ``1e-3`` or ``1 / 8``; None for anything else."""
    if isinstance(node, (cst.Integer, cst.Float)):
        return float(node.evaluated_value)
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        inner = number(node.expression)
        return None if inner is None else -inner
    return None


def _give_rate(script: Script, call: cst.Call, lr: float, factor: str, run: Run) -> None:
    given = argument(call, 1, "lr")
    if given is None or number(given.value) is not None:
        script.replace(call, lambda new: with_argument(new, 1, "lr", f"{lr:g}"))
    elif not _rewritten(script, given.value, lr, run):
        code = script.code(given.value)
        plain = isinstance(given.value, (cst.Name, cst.Attribute, cst.Subscript, cst.Call))
        text = f"{factor} * {code}" if plain else f"{factor} * ({code})"
        script.replace(call, lambda new: with_argument(new, 1, "lr", text))


def _rewritten(script: Script, value: cst.BaseExpression, new: float, run: Run) -> bool:
    """Write a new number where a variable, a setting or an option gets the old one; False where that is not plain."""
    place = _origin(script, value, run)
    if place is None or number(place) is None:
        return False
    script.replace(place, f"{new:g}")
    return True


def _origin(script: Script, value: cst.BaseExpression, run: Run) -> cst.CSTNode | None:
    """Where a value is written that is used in this place alone: a constant, a key of settings, a default option."""
    if isinstance(value, cst.Name):
        return script.assigned(value) if script.uses(value) == 1 else None
    if isinstance(value, cst.Subscript) and isinstance(value.value, cst.Name):
        settings, key = script.assigned(value.value), script.code(value.slice[0])
        same = [s for s in script.all(cst.Subscript) if script.code(s) == script.code(value)]
        if isinstance(settings, cst.Dict) and len(same) == 1:
            elements = (e for e in settings.elements if isinstance(e, cst.DictElement) and script.code(e.key) == key)
            return next((e.value for e in elements), None)
    if isinstance(value, cst.Attribute):
        return _default(script, value.attr.value, run)
    return None


def _default(script: Script, option: str, run: Run) -> cst.CSTNode | None:
    """The default of an option of argparse that was not given when the program ran."""
    given = [str(a).partition("=")[0] for a in run.meta.get("argv", [])]
    for call in script.methods("add_argument"):
        names = [script.code(a.value).strip("'\"") for a in call.args if a.keyword is None]
        default = next((a.value for a in call.args if a.keyword and a.keyword.value == "default"), None)
        if f"--{option.replace('_', '-')}" in (n.replace("_", "-") for n in names) and default is not None:
            return default if not set(given) & set(names) else None
    return None


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
        script.replace(place, f"{float(f'{value * factor:.2g}'):g}")


def _times(value: cst.BinaryOperation) -> bool:
    return isinstance(value.operator, cst.Multiply) and isinstance(value.left, (cst.Name, cst.Float, cst.Integer))


# -- what it gets ------------------------------------------------------------------------------------------------------


def _registered_list(script: Script, parameters: list[str]) -> None:
    """``nn.ModuleList`` around the list that hides modules."""
    owners = {re.sub(r"\[.*", "", name).rpartition(".")[2] for name in parameters}
    for owner in sorted(owners):
        found = [
            a for a in script.all(cst.Assign) if len(a.targets) == 1
            and script.code(a.targets[0].target) == f"self.{owner}"
        ]  # fmt: skip
        if len(found) != 1:
            raise Unclear(f"self.{owner} is not assigned in one place")
        value = found[0].value
        kind = "ModuleDict" if isinstance(value, (cst.Dict, cst.DictComp)) else "ModuleList"
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

"""Arguments of a call, and the numbers that reach them from elsewhere in the program."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from fallline.record.run import Run
from fallline.treatment.edits.script import Script


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


def rewritten(
    script: Script, value: cst.BaseExpression, new: Callable[[float], float], run: Run, readers: int = 1
) -> bool:
    """Write a new number where an argument has the old one from: here, a variable, a setting or an option.

    Args:
        script: in which.
        value: the expression whose number is to change.
        new: gives the new number for the old one.
        run: tells the options that were given.
        readers: how many places may read the number, since all of them are to get the new one.

    Returns:
        Whether it could be done: the number is written in one place, and nothing else depends on it.
    """
    place = _origin(script, value, run, readers)
    old = number(place) if place is not None else None
    if place is None or old is None:
        return False
    script.replace(place, f"{new(old):g}")
    return True


def _origin(script: Script, value: cst.CSTNode, run: Run, readers: int) -> cst.CSTNode | None:
    """Where a value is written: a constant, what a function is called with, a key of settings, a default option."""
    if isinstance(value, cst.Name):
        if script.uses(value) != readers:
            return None
        passed = _passed(script, value)
        return script.assigned(value) if passed is None else _origin(script, passed, run, 1)
    if isinstance(value, cst.Subscript) and isinstance(value.value, cst.Name):
        settings, key = script.assigned(value.value), script.code(value.slice[0])
        same = [s for s in script.all(cst.Subscript) if script.code(s) == script.code(value)]
        if isinstance(settings, cst.Dict) and len(same) == 1:
            elements = (e for e in settings.elements if isinstance(e, cst.DictElement) and script.code(e.key) == key)
            return next((e.value for e in elements), None)
    if isinstance(value, cst.Attribute):
        return _default(script, value.attr.value, run)
    return value


def _passed(script: Script, name: cst.Name) -> cst.CSTNode | None:
    """What the one call of a function, or of a class, gives for a parameter; its default where it gives nothing."""
    parameter = script.parameter(name)
    if parameter is None:
        return None
    function = script.function(parameter)
    if not isinstance(function, cst.FunctionDef):
        return None
    owner = next(n for n in script.above(function) if isinstance(n, (cst.ClassDef, cst.Module, cst.FunctionDef)))
    initial = isinstance(owner, cst.ClassDef) and function.name.value == "__init__"
    called = owner.name.value if initial and isinstance(owner, cst.ClassDef) else function.name.value
    calls = [call for call in script.all(cst.Call) if script.code(call.func) == called]
    position = list(function.params.params).index(parameter) - initial if parameter in function.params.params else 99
    given = argument(calls[0], position, name.value) if len(calls) == 1 else None
    return given.value if given is not None else parameter.default if len(calls) == 1 else None


def _default(script: Script, option: str, run: Run) -> cst.CSTNode | None:
    """The default of an option of argparse that was not given when the program ran."""
    given = [str(a).partition("=")[0] for a in run.meta.get("argv", [])]
    for call in script.methods("add_argument"):
        names = [script.code(a.value).strip("'\"") for a in call.args if a.keyword is None]
        default = next((a.value for a in call.args if a.keyword and a.keyword.value == "default"), None)
        if f"--{option.replace('_', '-')}" in (n.replace("_", "-") for n in names) and default is not None:
            return default if not set(given) & set(names) else None
    return None

"""The edit that keeps an argument in an operation's domain."""

from __future__ import annotations

from typing import Any

import libcst as cst

from fallline.record.run import Run
from fallline.treatment.edits.arguments import number
from fallline.treatment.edits.script import Script, Unclear
from fallline.treatment.remedies.keep_domain import DIVISIONS, EVERY, HUGE, MASKS, clamp


def keep(script: Script, args: dict[str, Any], run: Run) -> None:
    """``clamp`` around the argument of the operation, where it is written in one place."""
    operation = args["operation"]
    if operation == EVERY:
        raise Unclear("it is not plain which operation it is")
    if operation in DIVISIONS:
        raise Unclear("a divisor may be kept from 0 in several ways")
    if operation in MASKS:
        _finite(script)
        return
    functions = [call for call in script.calls({f"torch.{operation}"}.__contains__) if call.args]
    methods = [call for call in script.methods(operation) if not script.qualified(call.func)]
    powers = [node for node in script.all(cst.BinaryOperation) if operation == "pow" and _broken(node)]
    found: list[cst.BaseExpression] = [call.args[0].value for call in functions]
    found += [call.func.value for call in methods if isinstance(call.func, cst.Attribute)]
    found += [node.left for node in powers]
    if len(found) != 1:
        raise Unclear(f"it is not plain which {operation} it is")

    def clamped(old: cst.BaseExpression) -> cst.BaseExpression:
        plain = isinstance(old, (cst.Name, cst.Attribute, cst.Subscript, cst.Call)) or old.lpar
        code = script.code(old) if plain else f"({script.code(old)})"
        return cst.parse_expression(code + clamp(operation))

    script.replace(found[0], clamped)


def in_one_step(script: Script, args: dict[str, Any], run: Run) -> None:
    """``log_softmax`` for the logarithm of a softmax, ``logsigmoid`` for that of a sigmoid, wherever they stand so."""
    taken = [(call, call.args[0].value) for call in script.calls({"torch.log"}.__contains__) if call.args]
    taken += [(call, call.func.value) for call in script.methods("log") if isinstance(call.func, cst.Attribute)]
    found = [(call, new) for call, inner in taken if isinstance(inner, cst.Call) and (new := _both(script, inner))]
    if not found:
        raise Unclear("the logarithm is taken far from the exponential")
    for call, new in found:
        script.replace(call, new)


def _both(script: Script, call: cst.Call) -> str:
    """The logarithm of this call; "" where it is no softmax and no sigmoid."""
    given, full = [script.code(arg).rstrip(", ") for arg in call.args], script.qualified(call.func)
    name = full.rpartition(".")[2]
    if not full.startswith("torch.") and isinstance(call.func, cst.Attribute):
        given, name = [script.code(call.func.value), *given], call.func.attr.value
    if name not in ("softmax", "sigmoid"):
        return ""
    both = "torch.nn.functional.log_softmax" if name == "softmax" else "torch.nn.functional.logsigmoid"
    return f"{script.spelled(both)}({', '.join(given)})"


def _finite(script: Script) -> None:
    """A large number for the one infinity."""
    infinite = [call for call in script.all(cst.Call) if script.code(call.func) == "float" and call.args]
    infinite = [call for call in infinite if "inf" in script.code(call.args[0].value)]
    if len(infinite) != 1:
        raise Unclear("it is not plain where the infinity is written")
    sign = "-" if "-" in script.code(infinite[0].args[0].value) else ""
    script.replace(infinite[0], f"{sign}{HUGE:g}")


def _broken(node: cst.BinaryOperation) -> bool:
    """Whether this is a power with an exponent that is no whole number."""
    exponent = number(node.right) if isinstance(node.operator, cst.Power) else 1.0
    return exponent is not None and exponent != int(exponent)

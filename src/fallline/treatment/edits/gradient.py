"""Edits that let gradients reach the parameters and the step: cuts taken away, lines put in their order."""

from __future__ import annotations

from typing import Any

import libcst as cst

from fallline.record.run import Run
from fallline.treatment.edits import places
from fallline.treatment.edits.script import Script, Unclear
from fallline.treatment.remedies.keep_graph import COPIES

FORBID = ("torch.no_grad", "torch.inference_mode")
VARIABLE = "torch.autograd.Variable"


def keep_graph(script: Script, args: dict[str, Any], run: Run) -> None:
    """Take away what cuts the graph in the loop or in a method, where it is one thing."""
    if args["at"] == "layers":
        _allow(script)
        return
    if args["at"] == "steps":
        raise Unclear("another loss has to be chosen")
    found = [
        node
        for node in (*script.all(cst.Call), *script.all(cst.Attribute))
        if _cuts(script, node) and _trained(script, node)
    ]
    inner = [node for node in found if not any(other in found for other in script.above(node))]
    if len(inner) != 1:
        raise Unclear("it is not plain what cuts the graph")
    for node in found:
        script.replace(node, _inside)


def _cuts(script: Script, node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.Attribute):
        return node.attr.value == "data" and not script.qualified(node)
    if not isinstance(node, cst.Call):
        return False
    full = script.qualified(node.func)
    if full:
        return bool(node.args) and (full == VARIABLE or full in {f"torch.{name}" for name in COPIES})
    return isinstance(node.func, cst.Attribute) and node.func.attr.value in COPIES and not node.args


def _inside(node: Any) -> Any:
    """What a cut is applied to."""
    if isinstance(node, cst.Attribute):
        return node.value
    return node.args[0].value if node.args else node.func.value


def _trained(script: Script, node: cst.CSTNode) -> bool:
    """Whether this stands in the training loop's forward pass, or in a method."""
    above, backward = list(script.above(node)), places.backward(script)
    if any(isinstance(outer, cst.With) and _forbids(script, outer) for outer in above):
        return False
    if script.function(node) is not script.function(backward):
        return any(isinstance(outer, cst.ClassDef) for outer in above)
    inside = script.function(node) is not script.module or any(loop in above for loop in script.loops(backward)[:1])
    return inside and script.follows(backward, node)


def _forbids(script: Script, block: cst.With) -> bool:
    return any(script.qualified(node) in FORBID for node in script.all(cst.Attribute, block.items[0]))


def _allow(script: Script) -> None:
    """No decorator and no block that forbids gradients in a class."""
    classes = script.all(cst.ClassDef)
    decorators = [
        node for owner in classes for node in script.all(cst.Decorator, owner)
        if any(script.qualified(part) in FORBID for part in script.all(cst.Attribute, node))
    ]  # fmt: skip
    blocks = [block for owner in classes for block in script.all(cst.With, owner) if _forbids(script, block)]
    if len(decorators) + len(blocks) != 1:
        raise Unclear("it is not plain where the forward pass forbids gradients")
    for decorator in decorators:
        script.remove(decorator)
    for block in blocks:
        script.replace(block, lambda new: cst.FlattenSentinel(new.body.body))


def use_gradient(script: Script, args: dict[str, Any], run: Run) -> None:
    """zero_grad before the backward pass, or the step right after it."""
    backward = places.backward(script)
    step = places.step(script)
    if args["order"] == "thrown":
        line = script.code(script.statement(step)).strip()
        script.remove(script.statement(step))
        script.insert_after(backward, line)
        return
    between = [
        call for call in script.methods("zero_grad")
        if script.parent(script.statement(call)) is script.parent(script.statement(step))
        and script.follows(call, backward) and script.follows(step, call)
    ]  # fmt: skip
    if len(between) != 1:
        raise Unclear("it is not plain what clears the gradient")
    line = script.code(script.statement(between[0])).strip()
    script.remove(script.statement(between[0]))
    script.insert_before(backward, line)


def unfreeze(script: Script, args: dict[str, Any], run: Run) -> None:
    """A line before the optimizer is made."""
    script.insert_before(places.optimizer(script, run), f"{places.model(script, run)}.requires_grad_(True)")

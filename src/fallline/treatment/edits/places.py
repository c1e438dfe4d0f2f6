"""Where a training loop has its optimizer, its model, its backward pass and its step."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import libcst as cst

from fallline.record.run import Run
from fallline.treatment.edits.script import Script, Statement, Unclear

SCHEDULER = "torch.optim.lr_scheduler."
DEFINED = (cst.FunctionDef, cst.ClassDef)


def optimizer(script: Script, run: Run) -> cst.Call:
    """The call that makes the one optimizer.

    Raises:
        Unclear: there is none, or more than one.
    """
    kinds = {t.optimizer.kind for t in run.trainings}
    names = {t.optimizer.name for t in run.trainings}
    if len(run.trainings) > 1 or len(kinds) != 1:
        raise Unclear("the program has several optimizers")
    pattern = re.compile(rf"torch\.optim\.(\w+\.)?{re.escape(kinds.pop())}")
    calls = script.calls(lambda name: pattern.fullmatch(name) is not None)
    named = [call for call in calls if script.target(call) in names]
    made: cst.Call = _only(calls if len(calls) == 1 else named, "call that makes the optimizer")
    return made


def model(script: Script, run: Run) -> str:
    """The expression whose parameters the optimizer gets, as it is written where the optimizer is made.

    Raises:
        Unclear: the optimizer gets something else than the parameters of one module.
    """
    made = optimizer(script, run)
    methods = [call.func for call in script.all(cst.Call, made) if isinstance(call.func, cst.Attribute)]
    owners = {script.code(func.value) for func in methods if func.attr.value in ("parameters", "named_parameters")}
    if len(owners) != 1:
        raise Unclear("the optimizer does not get the parameters of one model")
    return owners.pop()


def step(script: Script) -> cst.Call:
    """The one call of the optimizer's step.

    Raises:
        Unclear: there is none, or more than one, or it takes a closure.
    """
    only: cst.Call = _only(steps(script), "call of optimizer.step()")
    if only.args:
        raise Unclear(f"`{script.code(only)}` does more than a step")
    return only


def steps(script: Script) -> list[cst.Call]:
    """Every call of an optimizer's step, those of schedules left out, and of an environment, which takes an action."""
    calls = [call for call in script.methods("step") if not schedules(script, call)]
    return [call for call in calls if not call.args] or calls


def backward(script: Script) -> cst.Call:
    """The one call of backward."""
    only: cst.Call = _only(script.methods("backward"), "call of backward()")
    return only


def owner(script: Script, call: cst.Call) -> str:
    """The object that a method is called on."""
    assert isinstance(call.func, cst.Attribute)
    return script.code(call.func.value)


def parameters(script: Script, run: Run, made: cst.Call) -> str:
    """What the optimizer trains, written so that it can be read where its step is called."""
    here = script.function(made)
    given = {p.name.value for p in script.all(cst.Param, here)} if isinstance(here, cst.FunctionDef) else set()
    with contextlib.suppress(Unclear):
        there = script.function(optimizer(script, run))
        name = model(script, run)
        if there is here or name in given or (there is script.module and owner(script, made) not in given):
            return f"{name}.parameters()"
    return f'[p for group in {owner(script, made)}.param_groups for p in group["params"]]'


def once_made(script: Script, run: Run, *lines: str) -> None:
    """Put lines where the model stands ready: after what is last said of it before the optimizer is made.

    Raises:
        Unclear: the optimizer, or its model, is not made in one place.
    """
    made = script.statement(optimizer(script, run))
    root = model(script, run).partition(".")[0]
    block: cst.CSTNode = script.parent(made)
    before = [s for s in block.children if isinstance(s, Statement) and script.follows(made, s)]
    said = [s for s in before if any(n.value == root for n in script.all(cst.Name, s)) and not isinstance(s, DEFINED)]
    if said:
        script.insert_after(said[-1], *lines)
    else:
        script.insert_before(made, *lines)


def loss(script: Script) -> cst.BaseExpression:
    """The expression that makes the loss on which backward is called.

    Raises:
        Unclear: it is not written in one place.
    """
    call = backward(script)
    assert isinstance(call.func, cst.Attribute)
    value = call.func.value
    if not isinstance(value, cst.Name):
        return value
    line = script.statement(call)
    block = script.parent(line)
    targets = [n for n in script.assignments(value.value, block) if script.parent(script.statement(n)) is block]
    assigns = [script.parent(script.parent(target)) for target in targets]
    found = [a.value for a in assigns if isinstance(a, cst.Assign)]
    made: cst.BaseExpression = _only(found, f"place where {value.value} is made")
    return made


def model_calls(script: Script, run: Run) -> list[cst.Call]:
    """Calls of a root model of the run, by the name of its variable."""
    names = {m.name for m in run.models}
    with contextlib.suppress(Unclear):
        names.add(model(script, run))
    return [call for call in script.all(cst.Call) if script.code(call.func) in names]


def schedules(script: Script, call: cst.Call) -> bool:
    """Whether the object that a method is called on is a schedule of the learning rate."""
    assert isinstance(call.func, cst.Attribute)
    value = call.func.value
    made = script.assigned(value) if isinstance(value, cst.Name) else None
    kind = script.qualified(made.func) if isinstance(made, cst.Call) else ""
    return kind.startswith(SCHEDULER) or "sched" in script.code(value).lower()


def _only(found: list[Any], what: str) -> Any:
    if len(found) != 1:
        raise Unclear(f"there is no {what}" if not found else f"there is more than one {what}")
    return found[0]

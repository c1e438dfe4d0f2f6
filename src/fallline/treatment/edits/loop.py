"""Edits of the training loop: lines around the backward pass and the step, and the call of the loss."""

from __future__ import annotations

from typing import Any

import libcst as cst

from fallline.record.run import Run
from fallline.treatment.edits import places
from fallline.treatment.edits.arguments import with_argument
from fallline.treatment.edits.script import Script, Unclear
from fallline.treatment.remedies import schedule
from fallline.treatment.remedies import skip_spikes as spikes

CLIP = "torch.nn.utils.clip_grad_norm_"


def zero_grad(script: Script, args: dict[str, Any], run: Run) -> None:
    """``zero_grad`` before the backward pass, or after the step where several backward passes may belong to one.

    Of an update by hand the gradients themselves are taken away before the backward pass.
    """
    if not any(training.optimizer.id for training in run.trainings):
        script.insert_before(places.backward(script), _without_gradients(run))
        return
    step = _unzeroed(script)
    line = f"{places.owner(script, step)}.zero_grad()"
    block = script.parent(script.statement(step))
    passes, steps = (
        [c for c in script.methods(name) if script.parent(script.statement(c)) is block and script.follows(step, c)]
        for name in ("backward", "step")
    )
    if not passes:
        script.insert_after(step, line)
        return
    ended = [call for call in steps if script.follows(passes[-1], call)]  # those of other optimizers
    script.insert_before(next(call for call in passes if not ended or script.follows(call, ended[-1])), line)


def _without_gradients(run: Run) -> str:
    """The line that clears the gradients of all parameters."""
    models = {parameter.model for parameter in run.parameters}
    if len(models) == 1 and all(models):
        return f"{models.pop()}.zero_grad()"
    if any(models) or not run.parameters:
        raise Unclear("the parameters belong to several models")
    names = ", ".join(parameter.name for parameter in run.parameters)
    return f"for parameter in [{names}]:\n    parameter.grad = None"


def _unzeroed(script: Script) -> cst.Call:
    """The step of the optimizer that is not zeroed anywhere, where several step."""
    steps = places.steps(script)
    zeroed = {places.owner(script, call) for call in script.methods("zero_grad")}
    forgotten = [step for step in steps if places.owner(script, step) not in zeroed]
    return forgotten[0] if len(steps) > 1 and len(forgotten) == 1 else places.step(script)


def clip(script: Script, args: dict[str, Any], run: Run) -> None:
    """Another threshold where the gradient is clipped already; else a line before the step."""
    limit = f"{args['max_norm']:g}"
    there = script.calls(lambda name: name == CLIP)
    if len(there) == 1:
        script.replace(there[0], lambda new: with_argument(new, 1, "max_norm", limit))
        return
    step = places.step(script)
    script.insert_before(
        step, f"{script.spelled(CLIP)}({places.parameters(script, run, step)}, max_norm={limit})"
    )  # fmt: skip


def clip_value(script: Script, args: dict[str, Any], run: Run) -> None:
    """A line before the step."""
    step = places.step(script)
    name = script.spelled("torch.nn.utils.clip_grad_value_")
    script.insert_before(step, f"{name}({places.parameters(script, run, step)}, clip_value={args['value']:g})")


def warm_up(script: Script, args: dict[str, Any], run: Run) -> None:
    """Torch's schedule after the optimizer, and its step after the optimizer's."""
    steps = args["steps"]
    _schedule(script, run, "warm_up", f"LinearLR({{}}, start_factor=1 / {steps}, total_iters={steps - 1})", "")


def decay(script: Script, args: dict[str, Any], run: Run) -> None:
    """The same for a decay, which is told the loss."""
    call = places.backward(script)
    told = f"{places.owner(script, call)}.item()"
    if "(" in places.owner(script, call):
        raise Unclear("the loss has no name")
    made = f"ReduceLROnPlateau({{}}, factor={schedule.HALF:g}, patience={args['patience']})"
    _schedule(script, run, "decay", made, told)


def _schedule(script: Script, run: Run, name: str, made: str, told: str) -> None:
    made_by, step = places.optimizer(script, run), places.step(script)
    optimizer = script.target(made_by)
    if script.calls(lambda full: full.startswith(places.SCHEDULER)):
        raise Unclear("the program has a schedule of its own")
    if optimizer is None or script.function(made_by) is not script.function(step):
        raise Unclear("the optimizer is made and used in two functions")
    maker = script.spelled(places.SCHEDULER.rstrip("."))
    script.insert_after(made_by, f"{name} = {maker}.{made.format(optimizer)}")
    script.insert_after(step, f"{name}.step({told})")


def hold_rate(script: Script, args: dict[str, Any], run: Run) -> None:
    """No step of the one schedule."""
    steps = [call for call in script.methods("step") if places.schedules(script, call)]
    if len(steps) != 1:
        raise Unclear("it is not plain which schedule it is")
    script.remove(script.statement(steps[0]))


def skip_non_finite(script: Script, args: dict[str, Any], run: Run) -> None:
    """A condition around the step; buffers, as running statistics are, would stay as a bad batch leaves them."""
    kept = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LazyBatchNorm1d", "LazyBatchNorm2d")
    if script.methods("register_buffer") or script.calls(lambda name: name.rpartition(".")[2] in kept):
        raise Unclear("the modules have buffers, in which what is not finite would stay")
    step = places.step(script)
    finite = script.spelled("torch.isfinite")
    parameters = places.parameters(script, run, step)
    _guard(script, step, f"all({finite}(p.grad).all() for p in {parameters} if p.grad is not None)")


def skip_spikes(script: Script, args: dict[str, Any], run: Run) -> None:
    """A condition around the step, by the norms seen so far."""
    step = places.step(script)
    loops = script.loops(step)
    if not loops:
        raise Unclear("there is no loop around the step")
    recent, warm = spikes.RECENT, spikes.WARM
    infinite = 'float("inf")'
    parameters = places.parameters(script, run, step)
    script.insert_before(loops[-1], f"norms = collections.deque(maxlen={recent})")
    script.insert_before(
        step,
        f"norm = {script.spelled(CLIP)}({parameters}, {infinite}).item()",
        f"limit = {args['times']:g} * statistics.median(norms) if len(norms) >= {warm} else {infinite}",
        "norms.append(min(norm, limit))",
    )
    _guard(script, step, "norm <= limit")
    script.need("collections")
    script.need("statistics")


def train_mode(script: Script, run: Run) -> None:
    """``model.train()`` before the loop over the batches, or in it where the evaluation stands in it, too."""
    backward = places.backward(script)
    loops = script.loops(backward)
    names = {places.model(script, run)} if script.function(backward) is script.module else {
        m.name for m in run.models
    }  # fmt: skip
    if len(names) != 1 or not loops:
        raise Unclear("the model has no one name in the loop")
    line = f"{names.pop()}.train()"
    inside = any(isinstance(call.func, cst.Attribute) and call.func.attr.value == "eval" for call in script.all(
        cst.Call, loops[0]
    ))  # fmt: skip
    body = loops[0].body.body
    if inside or len(loops) == 1:
        script.insert_before(body[0], line)
    else:
        script.insert_before(loops[0], line)


def eval_mode(script: Script, run: Run) -> None:
    """``model.eval()`` before each evaluation without gradients, and ``train()`` after it where training may go on."""
    name, plain = places.model(script, run), ("torch.no_grad", "torch.inference_mode")
    asked = [
        block for block in script.all(cst.With)
        if any(script.qualified(node) in plain for node in script.all(cst.Attribute, block.items[0]))
        and any(script.code(call.func) == name for call in script.all(cst.Call, block))
    ]  # fmt: skip
    if not asked:
        raise Unclear("no evaluation under torch.no_grad() calls the model")
    for block in asked:
        script.insert_before(block, f"{name}.eval()")
        if script.loops(block) or script.function(block) is not script.module:
            script.insert_after(block, f"{name}.train()")


def match_shapes(script: Script, args: dict[str, Any], run: Run) -> None:
    """``squeeze`` or ``unsqueeze`` on the one prediction in the loss."""
    expression = places.loss(script)
    prediction = _prediction(script, run, expression)
    call = "squeeze(-1)" if args["squeeze"] else "unsqueeze(-1)"
    plain = isinstance(prediction, (cst.Name, cst.Call, cst.Attribute, cst.Subscript))

    def change(old: cst.BaseExpression) -> cst.BaseExpression:
        code = script.code(old)
        return cst.parse_expression(f"{code}.{call}" if plain else f"({code}).{call}")

    script.replace(prediction, change)


def _prediction(script: Script, run: Run, expression: cst.BaseExpression) -> cst.BaseExpression:
    """What in the loss comes from the model: a call of it, or a name that was given one."""
    calls = places.model_calls(script, run)
    direct = [call for call in script.all(cst.Call, expression) if call in calls]
    if len(direct) == 1:
        return direct[0]
    found = []
    for name in script.all(cst.Name, expression):
        loops = script.loops(script.statement(places.backward(script)))
        block = loops[0] if loops else script.function(expression)
        targets = script.assignments(name.value, block)
        values = [script.parent(script.parent(t)) for t in targets]
        if any(isinstance(v, cst.Assign) and v.value in calls for v in values):
            found.append(name)
    if direct or len(found) != 1:
        raise Unclear("the prediction cannot be told from the target in the loss")
    return found[0]


def _guard(script: Script, step: cst.Call, condition: str) -> None:
    statement = script.statement(step)
    if not isinstance(statement, cst.SimpleStatementLine):
        raise Unclear("the step is part of a compound statement")

    def change(line: cst.SimpleStatementLine) -> cst.If:
        body = cst.IndentedBlock([line.with_changes(leading_lines=[])])
        return cst.If(cst.parse_expression(condition), body, leading_lines=line.leading_lines)

    script.replace(statement, change)

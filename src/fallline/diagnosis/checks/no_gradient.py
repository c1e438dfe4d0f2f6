"""Parameters that get no gradient or are in no optimizer, and losses cut off from the graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.landscape import landscapes
from fallline.diagnosis.outcome import judge
from fallline.record.run import Layer, Parameter, Run, Training


@dataclass(frozen=True)
class NoGradient:
    """A loss without a graph, parameters outside every optimizer, and parameters that never get a gradient."""

    code: str = "no-gradient"
    part: float = 0.8  # of the trivial loss: a training that explained more can do without the parameters left out
    empty: int = 20  # updates with a loss of exactly 0 from the first on
    seen: int = 3  # updates that were looked at
    thrown: float = 3.0  # gradients cleared unused for each that an update used
    portion: float = 0.5  # of the trained numbers that must be left out before a registered layer counts as forgotten
    part_of_stuck: float = 0.1  # the same where nothing is learned
    early: float = 0.1  # of the updates, after which gradients may be expected to differ from 0
    few: int = 16  # entries of a parameter of its own, such as a temperature or a coefficient
    late: float = 0.9  # of the gradients measured after those that must be exactly 0

    def look(self, run: Run) -> Finding | None:
        if not len(run.steps) and not run.events:
            raise NotApplicable("no update was recorded")
        looks = (
            self._cut, self._penalty, self._hidden, self._no_parameter, self._made_anew, self._left_out,
            self._stranded, self._single, self._frozen, self._nothing, self._cleared, self._thrown_away, self._never,
            self._all_zero, self._died, self._piecewise,
        )  # fmt: skip
        return next((finding for look in looks if (finding := look(run)) is not None), None)

    def _cut(self, run: Run) -> Finding | None:
        event = next(run.events_of("cut-loss"), None)
        error = str(run.meta.get("error") or "")
        raised = "does not require grad" in error
        if event is None and not raised:
            return None
        return self._finding(
            "the loss is cut off from the parameters",
            "backward() was called on a tensor without a graph"
            + (f"; the program ended with: {error}" if raised else ": it was detached and then marked requires_grad."),
            "A graph is cut by .detach(), .data, .item(), .numpy(), torch.no_grad() or argmax between the parameters "
            "and the loss. Setting requires_grad on the loss silences the error, but no parameter is behind it any "
            "more.",
            (), 0.0, "cut",
        )  # fmt: skip

    def _penalty(self, run: Run) -> Finding | None:
        """The model was called, and only a penalty on its weights reaches the loss."""
        if not run.sights or not all(sight.detail.get("penalty") for sight in run.sights):
            return None
        return self._finding(
            "only a penalty on the weights reaches the parameters",
            "The model is called, and no layer of it stands in the graph of the loss: the loss depends on the weights "
            "by their norms alone.",
            "The graph is cut by .detach(), .data, .item(), .numpy(), torch.no_grad() or argmax between the output and "
            "the loss. A penalty on the weights keeps backward() from failing: every parameter gets a gradient, and "
            "all that it does is to draw the weights to zero.",
            (), 0.0, "cut",
        )  # fmt: skip

    def _thrown_away(self, run: Run) -> Finding | None:
        """Most backward passes end in ``zero_grad()``, not in a step."""
        last = {e.detail["optimizer"]: e.detail for e in run.events_of("carried")}
        for training in run.trainings:
            seen = last.get(training.optimizer.id, {})
            checked, thrown = seen.get("checked", 0), seen.get("thrown", 0)
            if checked >= self.seen and thrown >= self.thrown * checked and judge(training).failed:
                return self._finding(
                    "gradients are cleared before an update uses them",
                    f"In {checked} updates that were looked at, {thrown} gradients were cleared unused: only every "
                    f"{thrown / checked + 1:.0f}th backward pass ends in an update.",
                    "zero_grad() throws away what backward() has found. An optimizer.step() that stands after the loop "
                    "over the batches, not in it, uses the gradient of the last batch alone.",
                    (), float(thrown), "thrown", training,
                )  # fmt: skip
        return None

    def _hidden(self, run: Run) -> Finding | None:
        outside = [p for p in run.parameters if not p.registered and _left(run, p.id)]
        names = [p.name for p in outside if "]." in p.name]
        plain = self._plain(run, [p for p in outside if p.name not in names])
        if plain is not None or not names:
            return plain
        owner = names[0].partition("[")[0]
        return self._finding(
            "parameters that no optimizer knows",
            f"{len(names)} parameters get a gradient but are never updated: {_some(names)}. They sit in a plain "
            f"Python list or dict ({owner}), which model.parameters() does not see.",
            "nn.Module registers modules that are attributes, or are in nn.ModuleList or nn.ModuleDict. Layers in a "
            "plain list take part in the forward pass with their random start weights and stay at them.",
            tuple(names), float(len(names)),
        )  # fmt: skip

    def _plain(self, run: Run, plain: list[Parameter]) -> Finding | None:
        """Tensors of a module that ask for a gradient, are no ``nn.Parameter``, and stay as they are."""
        moved = _ever_moved(run)
        learned = any(judge(t).explained >= self.part for t in run.trainings)
        still = [p for p in plain if p.id not in moved and (p.numel <= self.few or not learned)]
        made_again = len({p.name for p in plain}) < len(plain)  # as a picture that is changed to fool a network
        if not still or made_again or len(run.sights) < self.seen:
            return None
        names = [p.name for p in still]
        return self._finding(
            "parameters that no optimizer knows",
            f"{_some(names)} got a gradient in every update and stayed as they were: plain tensors with "
            "requires_grad=True, which model.parameters() does not see.",
            "nn.Module registers what is an nn.Parameter. A tensor that only asks for a gradient takes part in the "
            "forward pass and keeps the value it was made with; it is not moved to a device or saved with the model "
            "either.",
            tuple(names), float(len(names)),
        )  # fmt: skip

    def _no_parameter(self, run: Run) -> Finding | None:
        """Weights that are plain tensors, beside biases that are parameters, in a training that learned little."""
        found = [name for event in run.events_of("plain-weights") for name in event.detail["names"]]
        if not found or not run.trainings or any(judge(t).explained >= self.part for t in run.trainings):
            return None
        return self._finding(
            "weights that are no parameters",
            f"{_some(found)} are plain tensors: they ask for no gradient, and model.parameters() does not see them. "
            "Only the biases beside them are trained.",
            "nn.Module registers what is an nn.Parameter. A tensor that is only assigned to an attribute is a "
            "constant: the layer stays the random projection it was made as.",
            tuple(found), float(len(found)), "plain",
        )  # fmt: skip

    def _made_anew(self, run: Run) -> Finding | None:
        """Layers that take part in one update each, and no optimizer holds: the forward pass makes them."""
        if not all(o.id for o in run.optimizers) or any(judge(t).explained >= self.part for t in run.trainings):
            return None
        stats = run.layer_stats
        passing = [
            layer for layer in run.layers
            if _left(run, layer.parameter) and len(np.unique(stats.where(layer=layer.id)["step"])) == 1
        ]  # fmt: skip
        steps = np.unique(stats["step"])
        made = np.unique(stats["step"][np.isin(stats["layer"], [layer.id for layer in passing])])
        if len(made) < max(self.seen, len(steps) / 2):  # a model for each fold is new in a few
            return None
        return self._finding(
            "a layer is made anew in every forward pass",
            f"In {len(steps)} updates that were looked at, {len(passing)} layers took part once and never again; no "
            f"optimizer holds them. The first has {passing[0].units} units of {passing[0].fan_in} inputs.",
            "A layer that is made in forward() begins with random weights at every call, and what training would teach "
            "it is thrown away with it. Make it once, in __init__().",
            (), float(len(passing)), "made",
        )  # fmt: skip

    def _left_out(self, run: Run) -> Finding | None:
        if not any(o.id for o in run.optimizers):
            return None
        used = [p for p in run.parameters if p.model and p.trainable]
        outside = [p for p in used if _left(run, p.id)]
        inside = [p for p in run.parameters if _trained(run, p.id)]
        orphans = [p for p in inside if not _moved(run, p.id)]
        total = sum(p.numel for p in outside + [p for p in inside if _moved(run, p.id)])
        share = sum(p.numel for p in outside) / total if total else 0.0
        outcomes = [judge(t) for t in run.trainings]
        strangers = bool(orphans) and not any(_moved(run, p.id) for p in inside)
        forgotten = share >= self.portion and not any(o.learned for o in outcomes)
        if not outside or not (strangers or forgotten or _twice(run)):
            return None
        names = [p.name for p in outside]
        return self._finding(
            "parameters that no optimizer knows",
            f"{len(outside)} parameters ({100 * share:.0f} % of the numbers that take part) get a gradient but are in "
            f"no optimizer: {_some(names)}."
            + (" The optimizer holds other parameters, which get none: it was made for another "
            "model." if strangers else " Two optimizers hold the very same parameters." if _twice(run) else ""),
            "An optimizer updates only the tensors it was given. Layers made later, of another copy of the model, or "
            "left out of the list keep their random start weights.",
            tuple(names), float(len(names)), "twice" if _twice(run) else "",
        )  # fmt: skip

    def _stranded(self, run: Run) -> Finding | None:
        """From some update on every gradient comes to layers that no optimizer holds: they were made anew."""
        told = [event for event in run.events if event.kind in ("resting", "working")]
        if not told or told[-1].kind == "working" or not all(o.id for o in run.optimizers) or len(run.trainings) > 1:
            return None
        rows, since = run.layer_stats, told[-1].detail["since"]
        late = (rows["step"] >= since) & (rows["grad_out"] > 0)
        reached = [layer for layer in run.layers if (late & (rows["layer"] == layer.id)).any()]
        if since == 0 or not reached or not all(_left(run, layer.parameter) for layer in reached):
            return None
        names = [layer.name for layer in reached]
        return self._finding(
            "from some update on no optimizer knows the parameters",
            f"From step {since} on no parameter of the optimizer got a gradient, only layers that are in no optimizer "
            f"({_some(names)}): nothing is trained any more.",
            "An optimizer updates only the tensors it was given. A layer that is exchanged after the optimizer was "
            "made keeps its random start weights; make the optimizer anew, or give it the new layer by "
            "add_param_group().",
            tuple(names), float(len(names)),
        )  # fmt: skip

    def _single(self, run: Run) -> Finding | None:
        """Numbers of a module of which all layers are trained: nobody leaves these out on purpose."""
        moved = _ever_moved(run)
        still = [p for p in run.parameters if p.model and p.trainable and p.numel <= self.few and p.id not in moved]
        single = [p for p in still if _left(run, p.id) and _alone(run, p)]
        if not single or not all(o.id for o in run.optimizers) or len(run.sights) < self.seen:
            return None
        names = [p.name for p in single]
        return self._finding(
            "parameters that no optimizer knows",
            f"{_some(names)} got a gradient in every update and stayed as they were; the optimizer holds all layers of "
            "the module they belong to.",
            "An optimizer updates only the tensors it was given. A number that is an nn.Parameter of its own is left "
            "out when the optimizer is made of the parameters of a submodule: give it model.parameters().",
            tuple(names), float(len(names)),
        )  # fmt: skip

    def _never(self, run: Run) -> Finding | None:
        """Weights of an optimizer that got no gradient at all although the forward pass is theirs to make."""
        stats = run.parameter_stats
        if not len(stats) or any(judge(t).explained >= self.part for t in run.trainings):
            return None
        silent = [p for p in run.parameters if p.trainable and _trained(run, p.id) and not _moved(run, p.id)]
        moving = [p for p in run.parameters if _trained(run, p.id) and _moved(run, p.id)]
        share = sum(p.numel for p in silent) / max(1, sum(p.numel for p in silent + moving))
        stuck = all(judge(t).idle for t in run.trainings)
        if not silent or share < (self.part_of_stuck if stuck else self.portion):
            return None
        names = [p.name for p in silent]
        return self._finding(
            "parameters that never get a gradient",
            f"{len(silent)} parameters of the optimizer ({100 * share:.0f} % of its numbers) never got a gradient: "
            f"{_some(names)}.",
            "Between these parameters and the loss the graph is cut: by .detach(), .data, torch.no_grad(), a "
            "conversion to NumPy, or because the layer's output is not used.",
            tuple(names), float(len(names)), "cut",
        )  # fmt: skip

    def _frozen(self, run: Run) -> Finding | None:
        """Parameters handed to the optimizer that require no gradient, in a training that learns nothing."""
        for training in run.trainings:
            held = [p for p in run.parameters if p.id in training.optimizer.parameters]
            frozen = [p for p in held if not p.trainable and not _moved(run, p.id)]
            share = sum(p.numel for p in frozen) / max(1, sum(p.numel for p in held))
            if share >= self.portion and judge(training).stuck:
                names = [p.name for p in frozen]
                return self._finding(
                    "frozen parameters in the optimizer",
                    f"{len(frozen)} parameters ({100 * share:.0f} % of the optimizer's numbers) have "
                    f"requires_grad=False and get no gradient: {_some(names)}.",
                    "A frozen parameter stays as it is although the optimizer holds it. Where it was frozen for a "
                    "first phase of training, it has to be released with requires_grad_(True) for the second.",
                    tuple(names), float(len(names)), "frozen", training,
                )  # fmt: skip
        return None

    def _nothing(self, run: Run) -> Finding | None:
        """An optimizer none of whose parameters any backward pass reaches."""
        for training in run.trainings:
            counts = training.steps["backwards"]
            if not training.optimizer.id or len(counts) < 3 or not np.median(counts) >= 1:
                continue
            if not len(training.parameter_stats) and not any(_held(training, layer) for layer in training.layers):
                names = [p.name for p in run.parameters if p.id in training.optimizer.parameters]
                return self._finding(
                    "no parameter of the optimizer gets a gradient",
                    f"In {len(counts)} updates backward() never reached a parameter of the optimizer: {_some(names)}.",
                    "The loss has a graph, but not to these parameters: it was cut by .data, .detach() or "
                    "torch.no_grad() and marked requires_grad behind the cut, or the optimizer holds the parameters of "
                    "another model.",
                    tuple(names), float(len(names)), "cut", training,
                )  # fmt: skip
        return None

    def _cleared(self, run: Run) -> Finding | None:
        """Layers that got a gradient in backward, of which nothing was left when the optimizer stepped."""
        for training in run.trainings:
            own = [layer for layer in training.layers if _held(training, layer)]
            rows, at = training.layer_stats, training.parameter_stats
            reached = (
                np.isin(rows["layer"], [layer.id for layer in own]) & (rows["grad_out"] > 0) & (rows["in_rms"] > 0)
            )
            steps = np.unique(rows["step"][reached])
            left = at["grad"][np.isin(at["step"], steps)]
            if training.optimizer.id and len(steps) >= 3 and not (left != 0).any():
                return self._finding(
                    "the gradient is gone when the optimizer steps",
                    f"In all {len(steps)} measured updates backward() brought a gradient to {len(own)} layers, and "
                    "none was there when the optimizer stepped.",
                    "zero_grad() (or .grad = None) between backward() and step() throws away what backward() found, "
                    "so the step changes nothing. Call zero_grad() before backward(), or after step().",
                    (), float(len(own)), "cleared", training,
                )  # fmt: skip
        return None

    def _all_zero(self, run: Run) -> Finding | None:
        for training in run.trainings:
            _, gradient = training.total("grad")
            loss = training.loss
            still = not loss.any() and len(loss) >= self.empty  # a loss that has come down to 0 began above it
            zero = len(gradient) >= 3 and bool(np.all(gradient == 0)) and bool(np.isfinite(loss).all())
            falls = any(look.negative for look in landscapes(training))  # to both sides: it stands on a saddle
            if zero and not falls and (np.abs(loss).min() > 0 or still):
                return self._finding(
                    "the gradient is exactly zero",
                    f"In all {len(gradient)} measured updates the gradient of every parameter is exactly 0 while the "
                    f"loss is {loss[-1]:.4g}.",
                    "Something between the parameters and the loss is constant: an activation that passes nothing "
                    "back, a softmax over a single unit, a rounding. No learning rate can help.",
                    (), float(len(gradient)), "cut", training,
                )  # fmt: skip
        return None

    def _died(self, run: Run) -> Finding | None:
        """From some update on the gradient is exactly zero, on batches whose losses differ and are not zero."""
        for training in run.trainings:
            steps, gradient = training.total("grad")
            loss, at = training.loss, np.searchsorted(training.steps["step"], steps)
            late = at >= self.early * len(loss)
            if late.sum() < self.seen or not np.isfinite(loss[at[late]]).all():
                continue
            zero = gradient[late] == 0
            held = loss[at[late]][zero]
            if zero.mean() < self.late or not len(held) or np.abs(held).min() == 0 or not held.std() > 0:
                continue
            return self._finding(
                "the gradient has become exactly zero",
                f"In {int(zero.sum())} of {len(zero)} late measured updates the gradient of every "
                f"parameter is exactly 0, while the loss goes from {text(held.min())} to {text(held.max())} from batch "
                "to batch.",
                "What is left of the loss does not hang on the parameters any more: every unit that could change it is "
                "off, a clamp or a margin is passed, or the targets are such that part of the samples never counts "
                "(as labels 0 and 1 in a hinge loss, which takes -1 and 1). No learning rate can help.",
                (), float(len(zero)), "died", training,
            )  # fmt: skip
        return None

    def _piecewise(self, run: Run) -> Finding | None:
        """A second derivative in the loss that is zero, for the network is linear piece by piece."""
        events = list(run.events_of("zero-derivative"))
        looked = {sight.step for sight in run.sights}
        steps = {event.step for event in events} & looked
        if len(steps) < self.seen or len(steps) < len(looked):
            return None
        names = " and ".join(events[0].detail["activations"])
        return self._finding(
            "a derivative in the loss is exactly zero",
            f"In all {len(steps)} updates looked at, the derivative of a derivative, taken with create_graph=True, is "
            f"exactly 0 for every sample: {names} is linear piece by piece.",
            "The slope of such an activation is constant on each piece, so its own slope is 0. A term of the loss that "
            "is made of it, as the residual of a differential equation, tells the parameters nothing. Take an "
            "activation with a second derivative: tanh, sin, GELU or softplus.",
            (), float(len(steps)), "piecewise",
        )  # fmt: skip

    def _finding(
        self,
        title: str,
        message: str,
        why: str,
        names: tuple[str, ...],
        count: float,
        kind: str = "",
        training: Training | None = None,
    ) -> Finding:
        """``training``: the only one that it is about."""
        steps = training.steps["step"] if training is not None else (0,)
        return Finding(
            code=self.code,
            severity="error",
            title=title,
            message=message,
            why=why,
            disproof="These parameters are meant to stay as they are (then say so: requires_grad_(False)).",
            layers=names,
            steps=(int(steps[0]), int(steps[-1])),
            evidence={"parameters": count} | ({kind: 1.0} if kind else {}),
        )


def _held(training: Training, layer: Layer) -> bool:
    return layer.parameter in training.optimizer.parameters


def _trained(run: Run, parameter: int) -> bool:
    return any(parameter in optimizer.parameters for optimizer in run.optimizers)


def _left(run: Run, parameter: int) -> bool:
    """Whether no optimizer holds it: where some were not told apart, one of those may."""
    return not run.crowded and not _trained(run, parameter)


def _moved(run: Run, parameter: int) -> bool:
    return len(run.parameter_stats) > 0 and bool((run.parameter_stats["parameter"] == parameter).any())


def _ever_moved(run: Run) -> set[int]:
    """Of the parameters of which some entries are compared."""
    return {number for event in run.events_of("moved") for number in event.detail["parameters"]}


def _alone(run: Run, parameter: Parameter) -> bool:
    """Whether all parameters of the modules below the one that a parameter belongs to are trained, but not itself."""
    owner = parameter.name.rpartition(".")[0]
    start = f"{owner}." if owner else ""
    below = [
        p for p in run.parameters
        if p.model == parameter.model and p.name.startswith(start) and "." in p.name.removeprefix(start)
    ]  # fmt: skip
    return bool(below) and all(_trained(run, p.id) for p in below if p.trainable)


def _twice(run: Run) -> bool:
    """Whether two optimizers that take turns hold the very same parameters."""
    held = [frozenset(t.optimizer.parameters) for t in run.trainings if t.optimizer.id and len(t.loss)]
    return len(run.trainings) > 1 and _interleaved(run) and len(set(held)) < len(held)


def _interleaved(run: Run) -> bool:
    order = run.steps["optimizer"]
    return bool((order[1:] != order[:-1]).sum() >= 2 * len(run.trainings))


def _some(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

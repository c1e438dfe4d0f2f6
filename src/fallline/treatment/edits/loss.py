"""The edit that gives the loss what it expects."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import libcst as cst

from fallline.record.run import Run
from fallline.treatment.edits import network
from fallline.treatment.edits.arguments import argument, with_argument
from fallline.treatment.edits.script import Script, Unclear
from fallline.treatment.remedies.loss import SIGNED

FUNCTIONS = "torch.nn.functional."
CROSS_ENTROPY = "cross_entropy", "CrossEntropyLoss"
MODULES = {"soft_margin_loss": "SoftMarginLoss", "binary_cross_entropy_with_logits": "BCEWithLogitsLoss"} | {
    f"{kind}_loss": "".join(part.title() for part in kind.split("_")) + "Loss"
    for kind in ("cosine_embedding", "hinge_embedding", "margin_ranking")
}


def match(script: Script, args: dict[str, Any], run: Run) -> None:
    """Another loss, another argument of it, or other labels where it is called."""
    if args["way"] not in WAYS:
        raise Unclear("the loss is written by hand")
    WAYS[args["way"]](script, run)


def _instead(old: tuple[str, str], new: tuple[str, str]) -> Callable[[Script, Run], None]:
    """Another loss, as a function and as a module."""

    def change(script: Script, run: Run) -> None:
        for before, after, home in zip(old, new, (FUNCTIONS, "torch.nn."), strict=True):
            for call in script.calls({home + before}.__contains__):
                script.replace(call.func, script.spelled(home + after))

    return change


def _labels(written: str) -> Callable[[Script, Run], None]:
    def change(script: Script, run: Run) -> None:
        calls = [(call, place) for name, place in LABELS.items() for call in _called(script, name)]
        if len(calls) != 1:
            raise Unclear("it is not plain where the loss is called")
        call, place = calls[0]
        target = argument(call, place, "target")
        if target is None:
            raise Unclear("the loss is not called with its target")
        code = script.code(target.value)
        plain = isinstance(target.value, (cst.Name, cst.Attribute, cst.Subscript, cst.Call))
        script.replace(target.value, written.format(code if plain else f"({code})"))

    return change


def _called(script: Script, name: str) -> list[cst.Call]:
    """Calls of a loss, as a function or as a module that was given a name."""
    made = script.calls(lambda full: full == f"torch.nn.{MODULES[name]}")
    names = {script.target(call) for call in made if isinstance(script.parent(call), cst.Assign)}
    applied = [call for call in script.all(cst.Call) if call.func in made or script.code(call.func) in names]
    return applied + script.calls(lambda full: full == FUNCTIONS + name)


def _rate(script: Script, run: Run) -> None:
    for full, place in (("torch.nn.PoissonNLLLoss", 0), (f"{FUNCTIONS}poisson_nll_loss", 2)):
        for call in script.calls({full}.__contains__):
            script.replace(call, functools.partial(with_argument, position=place, keyword="log_input", value="False"))


def _dim(script: Script, run: Run) -> None:
    functions = script.calls(lambda name: name in ("torch.softmax", f"{FUNCTIONS}softmax", f"{FUNCTIONS}log_softmax"))
    modules = script.calls(lambda name: name in ("torch.nn.Softmax", "torch.nn.LogSoftmax"))
    methods = [call for call in script.methods("softmax") if not script.qualified(call.func)]
    for calls, place in ((functions, 1), (modules, 0), (methods, 0)):
        for call in calls:
            given = argument(call, place, "dim")
            if given is not None and script.code(given.value) == "0":
                script.replace(given.value, "-1")


def _in_words(reason: str) -> Callable[[Script, Run], None]:
    def change(script: Script, run: Run) -> None:
        raise Unclear(reason)

    return change


LABELS = {**SIGNED, "binary_cross_entropy_with_logits": 1}
WAYS: dict[str, Callable[[Script, Run], None]] = {
    "log-softmax": _instead(("nll_loss", "NLLLoss"), CROSS_ENTROPY),
    "unit": _instead(CROSS_ENTROPY, ("binary_cross_entropy_with_logits", "BCEWithLogitsLoss")),
    "log": network.log_softmax,
    "signed": _labels("2 * {} - 1"),
    "zero-one": _labels("({} + 1) / 2"),
    "rate": _rate,
    "classes": _in_words("the targets are made in another shape as well"),
    "scaled": _in_words("the data may be made in several places"),
    "dim": _dim,
}

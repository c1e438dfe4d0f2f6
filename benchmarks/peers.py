"""Other tools on a program that does not know them: attached from outside, in a process of its own.

usage: python benchmarks/peers.py TOOL FILE SCRIPT

Runs SCRIPT under a tool and writes its alarms to FILE, in the tool's own order: {"alarms": [...], "error": null}.
The program's output and exit status are its own, unless the tool breaks it.

Each tool is attached as its own manual shows, with its own defaults (torch-audit looks every 20 steps instead of every
1000, of which these programs make too few): just before the first forward pass of an optimizer's model, with its first
step where no module is called, or with the first backward pass where there is no optimizer. What the hooks of a loop
are told elsewhere comes from torch: the loss from ``backward``, before a GradScaler scales it; batches from the root
module's arguments and from the loss functions.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import logging
import runpy
import sys
import traceback
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook

TITLES = {
    "torchmortem": "torchmortem 0.1.1", "torch-audit": "torch-audit 0.3.0, every 20 steps",
    "traintools": "traintools 0.6.2", "gradsnitch": "gradsnitch 0.1.0",
}  # fmt: skip
UNRANKED = frozenset({"traintools"})  # it gives its warnings no order
AUDIT_EVERY = 20
ALL_FLAT = ("plateau", "saddle-point", "local-minimum", "learning-rate-too-low")

# What each alarm of a tool may mean, by a part of its text; the first that fits holds. The doubt is the tool's: an
# alarm is right when any of its codes is, and codes that the tool's own text names as likely causes are among them.
# None: advice on style, speed or the data, which says nothing of the training and counts neither for nor against it.
CODES: dict[str, dict[str, tuple[str, ...] | None]] = {
    "torchmortem": {
        "Vanishing gradients": ("vanishing-gradient", "bad-initialisation", "saturated-units"),
        "Exploding gradients": ("exploding-gradient", "bad-initialisation", "learning-rate-too-high", "non-finite"),
        "Gradient stalling": ("no-gradient", "vanishing-gradient", "dead-units", "saturated-units"),
        "Dead units": ("dead-units",),
        "High gradient noise": ("oscillating-loss", "loss-spike", "learning-rate-too-high"),
        "Training divergence": ("learning-rate-too-high", "exploding-gradient", "non-finite"),
        "Loss plateau": ALL_FLAT,
        "Rank collapse": ("symmetric-units", "dead-units", "saturated-units"),
        "Activation saturation": ("saturated-units",),
        "Update ratio too low": ("learning-rate-too-low", "no-gradient", "vanishing-gradient"),
        "Update ratio too high": ("learning-rate-too-high", "exploding-gradient"),
        "Weight norm explosion": ("exploding-gradient", "learning-rate-too-high"),
        "Stagnant weight norms": ("learning-rate-too-low", "no-gradient", "vanishing-gradient", "plateau"),
        "Inter-layer weight norm imbalance": ("bad-initialisation", "unscaled-data"),
    },
    "torch-audit": {
        "TA000": None,  # a check of its own broke
        "TA100": ("non-finite", "exploding-gradient", "learning-rate-too-high"),
        "TA102": ("exploding-gradient", "learning-rate-too-high", "loss-spike", "unscaled-data", "bad-initialisation"),
        "TA103": ("dead-units", "no-gradient"),
        "TA104": ("no-gradient",),
        "TA105": ("dead-units",),
        "TA2": None,  # speed of the hardware
        "TA300": None,
        "TA301": ("unscaled-data",),
        "TA302": ("unscaled-data",),
        "TA303": ("shape-mismatch", "unscaled-data"),
        "TA304": ("wrong-mode",),
        "TA305": ("non-finite", "unscaled-data"),
        "TA405": ("dead-units", "bad-initialisation"),
        "TA4": None,  # architecture and weight decay, as a matter of style
        "TA500": ("no-gradient", "wrong-mode"),
        "TA501": ("wrong-mode",),
    },
    "traintools": {
        "has non-finite values": ("non-finite",),
        "abs max": ("unscaled-data",),
        "nearly constant": ("unscaled-data",),
        "dominant class": None,
        "is empty": None,
        "non-finite gradients": ("non-finite", "exploding-gradient", "learning-rate-too-high"),
        "gradient appears vanished": ("vanishing-gradient", "no-gradient", "dead-units", "saturated-units", *ALL_FLAT),
        "gradient is very large": ("exploding-gradient", "learning-rate-too-high", "unscaled-data", "non-finite"),
        "update/weight ratio is high": ("learning-rate-too-high", "exploding-gradient"),
        "update/weight ratio is tiny": ("learning-rate-too-low", "vanishing-gradient", "plateau", "saddle-point"),
        "no gradients found": ("no-gradient",),
        "DORMANT": ("dead-units",),
        "dormant": ("dead-units",),
        "rank": ("symmetric-units", "dead-units", "saturated-units"),
    },
    "gradsnitch": {
        "Loss became NaN/Inf": ("non-finite", "learning-rate-too-high"),
        "Gradient norm exploded": ("exploding-gradient", "learning-rate-too-high", "non-finite"),
        "Gradient-norm spike": ("loss-spike", "exploding-gradient", "learning-rate-too-high"),
        "overfitting": None,
        "Loss plateau": (*ALL_FLAT, "dead-units", "bad-initialisation", "no-gradient"),
        "Loss divergence": ("learning-rate-too-high", "exploding-gradient"),
        "Vanishing gradients": ("vanishing-gradient", "dead-units", "saturated-units", "learning-rate-too-low"),
        "LR too high": ("learning-rate-too-high",),
        "LR too low": ("learning-rate-too-low", "no-gradient"),
        "Loss oscillation": ("oscillating-loss", "learning-rate-too-high"),
        "LR schedule collapsed": ("learning-rate-too-low",),
    },
}


def meaning(tool: str, alarm: str) -> tuple[str, ...] | None:
    """The codes that an alarm may mean; none of ours where the table does not know it."""
    return next((codes for part, codes in CODES[tool].items() if part in alarm), ())


# -- the tools, each as its own manual shows it ------------------------------------------------------------------------


class Peer:
    """What a tool asks to be called in a loop."""

    def __init__(self, model: nn.Module, optimizer: Optimizer | None) -> None:
        self.model, self.optimizer, self.steps = model, optimizer, 0

    def batch(self, inputs: Any, targets: Any) -> None:
        """Called when the loss of a batch is computed."""

    def before_step(self, loss: float) -> None:
        """Called with the gradients still there."""

    def after_step(self, loss: float) -> None:
        """Called when the parameters have moved."""

    def alarms(self) -> list[tuple[int, str]]:
        """Called once, after the program: findings of severity warning or worse, each with the rank of its severity.

        Those of one severity stand in the tool's own order.
        """
        raise NotImplementedError


class Torchmortem(Peer):
    def __init__(self, model: nn.Module, optimizer: Optimizer | None) -> None:
        super().__init__(model, optimizer)
        from torchmortem import Autopsy

        self.autopsy = Autopsy(model, optimizer=optimizer)
        self.autopsy.attach()

    def after_step(self, loss: float) -> None:
        self.autopsy.step(loss=loss)

    def alarms(self) -> list[tuple[int, str]]:
        from torchmortem import Severity

        self.autopsy.detach()
        report = self.autopsy.get_report()
        findings = report.findings if report is not None else []
        return [(int(f.severity), f.title) for f in findings if f.severity >= Severity.WARNING]


class TorchAudit(Peer):
    def __init__(self, model: nn.Module, optimizer: Optimizer | None) -> None:
        super().__init__(model, optimizer)
        from torch_audit import autopatch

        self.auditor = autopatch(model, optimizer=optimizer, every_n_steps=AUDIT_EVERY)

    def alarms(self) -> list[tuple[int, str]]:
        from torch_audit.core import Severity

        self.auditor.unpatch()
        ranks = {Severity.WARN: 1, Severity.ERROR: 2, Severity.FATAL: 3}
        found = [f for f in self.auditor.findings if f.severity in ranks]
        return [(ranks[f.severity], f"{f.rule_id} {f.message}") for f in found]


class Traintools(Peer):
    def __init__(self, model: nn.Module, optimizer: Optimizer | None) -> None:
        super().__init__(model, optimizer)
        from traintools import BatchInspector, GradientHealthMonitor
        from traintools.callbacks.pytorch import TraintoolsTracker

        self.tracker = TraintoolsTracker(
            model, loss_fn=nn.functional.mse_loss, verbose=False
        )  # without a batch: unused
        self.inspector, self.health = BatchInspector(), GradientHealthMonitor()
        self.said: list[str] = []

    def batch(self, inputs: Any, targets: Any) -> None:
        self.said += self.inspector.inspect(inputs, targets, step=self.steps).warnings

    def before_step(self, loss: float) -> None:
        rate = self.optimizer.param_groups[0]["lr"] if self.optimizer is not None else None
        rate = float(rate) if rate is not None else None
        self.said += self.health.inspect(self.model, step=self.steps, lr=rate).warnings

    def after_step(self, loss: float) -> None:
        self.tracker.step(step=self.steps)

    def alarms(self) -> list[tuple[int, str]]:
        for result in self.tracker.plasticity_history.results:
            self.said += [flag for layer in result.layers if layer.is_critical() for flag in layer.flags]
        return [(0, said) for said in self.said]


class Gradsnitch(Peer):
    def __init__(self, model: nn.Module, optimizer: Optimizer | None) -> None:
        super().__init__(model, optimizer)
        import gradsnitch

        self.monitor = gradsnitch.watch(model, optimizer)

    def before_step(self, loss: float) -> None:
        self.monitor.log(self.steps, loss)

    def alarms(self) -> list[tuple[int, str]]:
        import gradsnitch

        return [(int(f.severity == "error"), f.name) for f in gradsnitch.lint(self.monitor.df())]


TOOLS: dict[str, type[Peer]] = {
    "torchmortem": Torchmortem, "torch-audit": TorchAudit, "traintools": Traintools, "gradsnitch": Gradsnitch,
}  # fmt: skip


# -- attaching them ----------------------------------------------------------------------------------------------------

LOSSES = ("cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy "
          "binary_cross_entropy_with_logits kl_div").split()  # fmt: skip


class Loose(nn.Module):
    """Parameters that no module holds, as one."""

    def __init__(self, tensors: list[Tensor]) -> None:
        super().__init__()
        self._loose = tensors

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, Any]]:
        yield from ((f"tensor{i}", tensor) for i, tensor in enumerate(self._loose))


class Attendant:
    """Notices the optimizers, models, losses and steps of a program, and attaches a peer to each training."""

    def __init__(self, kind: type[Peer]) -> None:
        self.kind = kind
        self.optimizers: list[weakref.ref[Optimizer]] = []
        self.peers: dict[int, Peer] = {}  # by the optimizer's id; 0: there is none
        self.loss: float | None = None
        self.inputs: Any = None
        self._root: nn.Module | None = None  # called last
        self._scaled: tuple[Any, Any] = None, None  # by a GradScaler, and the loss itself
        self._depth = 0

    @contextlib.contextmanager
    def attending(self) -> Iterator[None]:
        """Listen to everything that torch does meanwhile."""
        with contextlib.ExitStack() as stack:
            for hook in (
                register_optimizer_step_pre_hook(self._step_begins), register_optimizer_step_post_hook(self._step_ends),
            ):  # fmt: skip
                stack.callback(hook.remove)
            self._wrap(stack, Optimizer, "__init__", self._made)
            self._wrap(stack, nn.Module, "__call__", self._called)
            self._wrap(stack, torch.autograd, "backward", self._backward)
            self._wrap(stack, torch.autograd, "grad", self._grad)
            self._wrap(stack, torch.amp.GradScaler, "scale", self._scale)
            for name in LOSSES:
                self._wrap(stack, nn.functional, name, self._compared)
            yield

    def _wrap(self, stack: contextlib.ExitStack, owner: Any, name: str, around: Callable[..., Any]) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return around(original, *args, **kwargs)

        setattr(owner, name, wrapper)
        stack.callback(setattr, owner, name, original)

    def _made(self, original: Callable[..., Any], optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
        original(optimizer, *args, **kwargs)
        self.optimizers.append(weakref.ref(optimizer))

    def _called(self, original: Callable[..., Any], module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not self._depth and torch.is_grad_enabled() and next(module.parameters(), None) is not None:
            self._attach_to(module)
            self.inputs = [a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]
        self._depth += 1
        try:
            return original(module, *args, **kwargs)
        finally:
            self._depth -= 1

    def _compared(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if torch.is_grad_enabled() and self.inputs:
            for peer in self.peers.values():
                peer.batch(self.inputs, args[1] if len(args) > 1 else kwargs.get("target"))
            self.inputs = None
        return original(*args, **kwargs)

    def _scale(self, original: Callable[..., Any], scaler: Any, outputs: Any) -> Any:
        self._scaled = original(scaler, outputs), outputs
        return self._scaled[0]

    def _backward(self, original: Callable[..., Any], tensors: Any, *args: Any, **kwargs: Any) -> None:
        self._begin_by_hand(tensors)
        original(tensors, *args, **kwargs)
        self._take(tensors)

    def _grad(self, original: Callable[..., Any], outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """``torch.autograd.grad`` is a backward pass where an update by hand asks for the gradients of its leaves."""
        inputs = inputs if isinstance(inputs, Tensor) else tuple(inputs)
        leaves = all(t.is_leaf for t in ([inputs] if isinstance(inputs, Tensor) else inputs))
        by_hand = leaves and not self.optimizers
        if by_hand:
            self._begin_by_hand(outputs)
        gradients = original(outputs, inputs, *args, **kwargs)
        if by_hand:
            self._take(outputs)
        return gradients

    def _begin_by_hand(self, tensors: Any) -> None:
        """Attach to a training without optimizer, that of the model called last or of the loss's leaves."""
        if not self.peers and not self.optimizers:
            model = _one(_roots(self._root)) if self._root is not None else Loose(_leaves(_first(tensors)))
            self.peers[0] = self.kind(model, None)

    def _take(self, tensors: Any) -> None:
        scaled, own = self._scaled
        loss = own if tensors is scaled and own is not None else _first(tensors)
        self.loss = float(loss.detach().float().sum())
        if 0 in self.peers:  # nobody says when an update by hand is made
            self._before(self.peers[0])
            self._after(self.peers[0])

    def _attach_to(self, module: nn.Module) -> None:
        """Attach to the training of a module that is about to be called."""
        self._root = module
        for optimizer in filter(None, (reference() for reference in self.optimizers)):
            if id(optimizer) not in self.peers and _shared(module, optimizer):
                self._attach(optimizer)

    def _attach(self, optimizer: Optimizer) -> None:
        roots = [root for root in _all_roots() if _shared(root, optimizer)]
        held = [p for group in optimizer.param_groups for p in group["params"]]
        self.peers[id(optimizer)] = self.kind(_one(roots) if roots else Loose(held), optimizer)

    def _step_begins(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if id(optimizer) not in self.peers:
            self._attach(optimizer)
        self._before(self.peers[id(optimizer)])

    def _step_ends(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._after(self.peers[id(optimizer)])

    def _before(self, peer: Peer) -> None:
        if self.loss is not None:
            peer.before_step(self.loss)

    def _after(self, peer: Peer) -> None:
        if self.loss is not None:
            peer.after_step(self.loss)
            peer.steps += 1


def _all_roots() -> list[nn.Module]:
    """The modules that no other module holds."""
    modules = [found for found in gc.get_objects() if issubclass(type(found), nn.Module)]  # wakes no lazy object
    held = {id(child) for module in modules for child in module.children()}
    return [module for module in modules if id(module) not in held]


def _roots(module: nn.Module) -> list[nn.Module]:
    return [root for root in _all_roots() if any(part is module for part in root.modules())]


def _one(roots: list[nn.Module]) -> nn.Module:
    """Several models of one training, as their user would hand them over."""
    return roots[0] if len(roots) == 1 else nn.ModuleList(roots)


def _first(tensors: Any) -> Tensor:
    loss: Tensor = tensors if isinstance(tensors, Tensor) else next(iter(tensors))
    return loss


def _leaves(loss: Tensor) -> list[Tensor]:
    """The tensors that a loss is to be differentiated by."""
    found: dict[int, Tensor] = {}
    seen, waiting = set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            if hasattr(node, "variable"):
                found[id(node.variable)] = node.variable
            waiting += [before for before, _ in node.next_functions]
    return list(found.values())


def _shared(module: nn.Module, optimizer: Optimizer) -> bool:
    own = {id(p) for p in module.parameters()}
    return any(id(p) in own for group in optimizer.param_groups for p in group["params"])


# -- the program -------------------------------------------------------------------------------------------------------


def _status(end: SystemExit) -> int:
    return end.code if isinstance(end.code, int) else int(end.code is not None)


def main(tool: str, file: str, script: str) -> int:
    """Run the script under the tool; the exit status is the script's."""
    out = Path(file).absolute()
    sys.argv, sys.path[0] = [script], str(Path(script).resolve().parent)
    logging.disable(logging.WARNING)
    attendant, status, error = Attendant(TOOLS[tool]), 0, None
    with attendant.attending():
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            status = _status(end)
        except BaseException as fault:
            traceback.print_exc()
            status, error = 1, traceback.format_exception_only(fault)[-1].strip()
    said = [alarm for peer in attendant.peers.values() for alarm in peer.alarms()]
    said.sort(key=lambda alarm: -alarm[0])
    alarms = list(dict.fromkeys(_short(tool, text) for _, text in said))
    out.write_text(json.dumps({"alarms": alarms, "error": error}))
    return status


def _short(tool: str, alarm: str) -> str:
    """The part of an alarm that the table knows it by."""
    return next((part for part in CODES[tool] if part in alarm), alarm)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

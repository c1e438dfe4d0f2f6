"""Parameters handed to the optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.names import plain_weights
from fallline.record.run import Run
from fallline.treatment.patient import Patient
from fallline.treatment.remedies import layers


@dataclass(frozen=True)
class Register:
    """Give the optimizer the parameters that it does not know."""

    name: str = "register-parameters"
    treats: frozenset[str] = frozenset({"no-gradient"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """All parameters that took part and are in no optimizer; raw tensors where nothing reaches what is in one.

        None where some optimizers were not told apart: nobody knows what those hold.
        """
        if "plain" in finding.evidence:
            why = "keep what is to be trained in nn.Parameter, so that model.parameters() holds it"
            args = {"parameters": list(finding.layers), "hidden": True, "plain": True}
            return [Prescription(self.name, args, why)]
        known = {p for o in run.optimizers for p in o.parameters}
        missing = [p for p in run.parameters if (p.model or "cut" in finding.evidence) and p.id not in known]
        if run.crowded or not missing or not any(o.id for o in run.optimizers):
            return []
        listed = [p.name for p in missing]
        hidden = any(not p.registered for p in missing)
        if "twice" in finding.evidence:
            why = "the second of two optimizers for what none of them holds"
            return [Prescription(self.name, {"parameters": listed, "hidden": False, "twice": True}, why)]
        if not any(p.model for p in missing):
            why = "give the optimizer the tensors that the loss depends on"
            return [Prescription(self.name, {"parameters": listed, "hidden": False, "raw": True}, why)]
        why = "give all parameters of the model to the optimizer"
        if hidden:
            kind = "nn.Parameter" if _plain(listed) else "nn.ModuleList"
            why = f"keep what is to be trained in {kind}, so that model.parameters() holds it"
        return [Prescription(self.name, {"parameters": listed, "hidden": hidden}, why)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Add them to the optimizer that steps when they have a gradient; it gives up what a twin of it holds."""
        waiting: dict[str, Tensor] = {}

        def wait(name: str) -> None:
            patient.when_ready([name], lambda tensors: waiting.update({name: tensors[0]}))

        def add(optimizer: Optimizer) -> None:
            ready = {name: p for name, p in waiting.items() if p.grad is not None}
            if not ready:
                return
            met = [optimizer, *(o for reference in patient.optimizers if (o := reference()) is not None)]
            held = {id(p) for o in met for group in o.param_groups for p in group["params"]}
            new = [p for p in ready.values() if id(p) not in held]
            for name, parameter in ready.items():
                del waiting[name]
                if id(parameter) in held:  # another one may come to stand under this name
                    wait(name)
            if new:
                optimizer.add_param_group({"params": new})
            if new and args.get("twice"):
                optimizer.param_groups[:-1] = []

        for name in args["parameters"]:
            wait(name)
        if args.get("plain"):
            patient.before_forward(_trainable)
        patient.around_step(add, lambda optimizer: optimizer.zero_grad())  # a loop may clear only what it knows

    def change(self, args: dict[str, Any], run: Run) -> str:
        """Where the parameters have to go."""
        listed = layers.listed(args["parameters"])
        if args.get("twice"):
            return f"Two optimizers hold the same parameters. Give the second one those that none holds: {listed}."
        if args["hidden"] and _plain(args["parameters"]):
            return f"self.{args['parameters'][0]} = nn.Parameter(…)  # instead of a plain tensor"
        if args["hidden"]:
            owner = args["parameters"][0].partition("[")[0]
            return f"self.{owner} = nn.ModuleList(…)  # instead of a plain list; it holds {listed}"
        if args.get("raw"):
            return f"Make the optimizer with the tensors that the loss depends on: {listed}."
        return f"Make the optimizer after the model, with all of its parameters; missing are {listed}."


def _trainable(module: nn.Module) -> None:
    for weight in plain_weights(module).values():
        weight.requires_grad_()


def _plain(names: list[str]) -> bool:
    """Whether these are tensors by themselves, not those of modules in a list."""
    return not any("]." in name for name in names)

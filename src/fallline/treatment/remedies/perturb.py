"""Another place to start from."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.diagnosis.finding import Finding, Prescription
from fallline.record.run import Parameter, Run
from fallline.treatment.patient import Patient

NOISE = (0.1, 1.0)  # standard deviations of what is added: at a saddle, and where raw tensors hold each unit's numbers
SEARCH = 0.4  # share of the updates that the search for a start takes
WIDE = 0.2  # of the search: every number is another; then one unit after the other, in the best start so far
SPREAD = 1.0  # standard deviation of the logarithm of the factor on every parameter
SHIFT = 0.5  # standard deviation of what is added to it
TURNED = 0.25  # share of the numbers that a random start puts to the other side of zero
FEW = 64  # parameters up to which a random search is worth its time


@dataclass(frozen=True)
class Perturb:
    """Noise on the first weights, which leaves a saddle (Jin et al. 2017)."""

    name: str = "perturb"
    treats: frozenset[str] = frozenset({"saddle-point", "symmetric-units"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """On everything that is trained; where that is raw tensors, whose scale nobody knows, also strong noise."""
        trained, weights = _trained(run), {layer.parameter for layer in run.layers if layer.units > 1}
        doses = NOISE if trained and all(p.ndim <= 2 and p.id not in weights for p in trained) else NOISE[:1]
        return [
            Prescription(
                self.name, {"weights": [p.name for p in trained], "noise": noise},
                f"first weights with noise of {noise:g} added",
            )
            for noise in doses if trained
        ]  # fmt: skip

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Before the first forward pass, with a random generator of its own."""
        for position, name in enumerate(args["weights"]):
            patient.when_ready([name], functools.partial(_shake, position, args.get("noise", NOISE[0])))

    def change(self, args: dict[str, Any], run: Run) -> str:
        """After the model is made."""
        return (
            "with torch.no_grad():  # once, before training\n    for p in model.parameters():\n"
            f"        p.add_({args.get('noise', NOISE[0]):g} * torch.randn_like(p))"
        )


@dataclass(frozen=True)
class Search:
    """A better start for a model of few parameters: the best of many random ones, by their loss, is descended from.

    Where the loss is a sum over units that hardly know of each other, as spots or waves, a start in which all of them
    stand well is rare; so the best one is improved unit by unit: numbers of a vector, rows of a matrix.
    """

    name: str = "search-start"
    treats: frozenset[str] = frozenset({"local-minimum", "plateau"})

    def propose(self, finding: Finding, run: Run) -> list[Prescription]:
        """One dose: a share of the program's own updates is spent on the search."""
        trained = _trained(run)
        starts = int(SEARCH * max((len(t.loss) for t in run.trainings), default=0))
        if not trained or sum(p.numel for p in trained) > FEW or starts < 2:
            return []
        why = f"descent from the best of {starts} random starts"
        return [Prescription(self.name, {"weights": [p.name for p in trained], "starts": starts}, why)]

    def apply(self, patient: Patient, args: dict[str, Any]) -> None:
        """Try another start at each of the first updates, in place of the update, then go on from the best."""
        first: list[Tensor] = []
        best: list[Tensor] = []
        held: list[Tensor] = []
        tried = {"count": 0, "loss": math.inf}
        generator = torch.Generator().manual_seed(0)

        def hold(tensors: list[Tensor]) -> None:
            held.extend(tensors)
            first.extend(t.detach().clone() for t in tensors)

        def search(parameters: list[Tensor]) -> None:
            if not held or tried["count"] > args["starts"]:
                return
            tried["count"] += 1
            if patient.loss < tried["loss"]:
                tried["loss"] = patient.loss
                best[:] = [t.detach().clone() for t in held]
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad.zero_()
            last = tried["count"] > args["starts"]
            wide = tried["count"] <= WIDE * args["starts"]
            chosen = None if wide or last else _unit(first, generator)
            with torch.no_grad():
                for place, (tensor, origin, good) in enumerate(zip(held, first, best or first, strict=True)):
                    other = good if last else _elsewhere(origin, generator)
                    tensor.copy_(other if chosen is None else good)
                    if chosen is not None and chosen[0] == place:
                        tensor[chosen[1]] = other[chosen[1]]

        patient.when_ready(args["weights"], hold)
        patient.before_update(search)

    def change(self, args: dict[str, Any], run: Run) -> str:
        """A loop before the training loop."""
        return (
            "start, best, least = [p.detach().clone() for p in model.parameters()], None, float('inf')\n"
            f"with torch.no_grad():  # before training: the best of {args['starts']} random starts\n"
            f"    for i in range({args['starts']}):\n"
            "        one = random.randrange(len(start))\n"
            "        for k, (p, s) in enumerate(zip(model.parameters(), start)):\n"
            f"            s = torch.where(torch.rand_like(s) < {TURNED:g}, -s, s)\n"
            f"            s = s * torch.exp({SPREAD:g} * torch.randn_like(s)) + {SHIFT:g} * torch.randn_like(s)\n"
            f"            if i < {int(WIDE * args['starts'])}:  # everything\n"
            "                p.copy_(s)\n"
            "            else:  # one row in the best so far\n"
            "                p.copy_(best[k])\n"
            "                if k == one:\n"
            "                    row = random.randrange(len(p)) if p.ndim else ()\n"
            "                    p[row] = s[row]\n"
            "        if (loss := float(criterion(model(x), y))) < least:\n"
            "            least, best = loss, [p.clone() for p in model.parameters()]\n"
            "    for p, value in zip(model.parameters(), best):\n"
            "        p.copy_(value)"
        )


def _trained(run: Run) -> list[Parameter]:
    held = set().union(*(o.parameters for o in run.optimizers))
    return [p for p in run.parameters if p.trainable and p.id in held]


def _shake(seed: int, size: float, tensors: list[Tensor]) -> None:
    for tensor in tensors:
        generator = torch.Generator(device=tensor.device).manual_seed(seed)
        noise = torch.randn(tensor.shape, generator=generator, device=tensor.device, dtype=tensor.dtype)
        tensor.add_(size * noise)


def _elsewhere(origin: Tensor, generator: torch.Generator) -> Tensor:
    factor, shift = (torch.randn(origin.shape, generator=generator).to(origin) for _ in range(2))
    turned = torch.rand(origin.shape, generator=generator).to(origin) < TURNED
    return torch.where(turned, -origin, origin) * torch.exp(SPREAD * factor) + SHIFT * shift


def _unit(tensors: list[Tensor], generator: torch.Generator) -> tuple[int, Any]:
    """One of the tensors, and one of its rows."""
    place = int(torch.randint(len(tensors), (), generator=generator))
    chosen = tensors[place]
    return place, int(torch.randint(len(chosen), (), generator=generator)) if chosen.ndim else ()

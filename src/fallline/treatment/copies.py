"""Networks that no optimizer trains and that equal one that is trained, as a target network does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import torch
from torch import Tensor, nn

from fallline.record import names


def untrained(trained: Collection[int]) -> dict[int, list[Tensor]]:
    """The parameters of equal networks, by the id of the trained one's.

    ``trained``: the ids of all parameters that an optimizer holds. A network is a root module, or a part of one; a
    single layer is none, for those that begin at 0 are all equal.
    """
    alike = defaultdict[tuple[object, ...], list[nn.Module]](list)
    for root in names.find_all_modules().values():
        for module in (root, *root.children()):
            held = list(module.named_parameters())
            if sum(p.ndim > 1 for _, p in held) > 1:
                alike[type(module), *((name, p.shape) for name, p in held)].append(module)
    copies = defaultdict[int, list[Tensor]](list)
    for modules in alike.values():
        if len(modules) > 1:
            active = [any(id(p) in trained for p in module.parameters()) for module in modules]
            resting = [module for module, here in zip(modules, active, strict=True) if not here]
            for module in (module for module, here in zip(modules, active, strict=True) if here):
                for pairs in (list(zip(module.parameters(), other.parameters(), strict=True)) for other in resting):
                    if all(torch.equal(p, q) for p, q in pairs):
                        for p, q in pairs:
                            copies[id(p)].append(q)
    return copies

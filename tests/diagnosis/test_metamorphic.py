"""What must change no finding: the scale and sign of the loss, a penalty, names, order, batch size and precision."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from fallline.diagnosis.diagnose import diagnose
from fallline.record.run import Run

Watched = Callable[..., Run]

VARIANTS: dict[str, dict[str, Any]] = {
    "a loss ten times as large": {"scale": 10.0},
    "a loss a tenth as large": {"scale": 0.1},
    "other names": {"prefix": "stage_"},
    "parameters in another order": {"backwards": True},
    "half the batch": {"samples": 64},
    "double precision": {"dtype": torch.float64},
    "the device named": {"device": "cpu"},
    "the negative maximized": {"maximize": True},
    "a penalty on the squares of the weights": {"penalty": lambda p: 1e-4 * p.square().sum()},
    "a penalty on the sizes of the weights": {"penalty": lambda p: p.abs().mean() / 1e3},
    "a penalty on the norms of the weights": {"penalty": lambda p: 1e-3 * p.norm()},
}


def train(
    layers: Callable[[], list[nn.Module]], lr: float, scale: float = 1.0, prefix: str = "", backwards: bool = False,
    samples: int = 128, dtype: torch.dtype = torch.float32, device: str | None = None,
    penalty: Callable[[torch.Tensor], torch.Tensor] | None = None, maximize: bool = False,
) -> None:  # fmt: skip
    torch.manual_seed(0)
    named = OrderedDict((f"{prefix}{i}", layer) for i, layer in enumerate(layers()))
    model = nn.Sequential(named).to(dtype=dtype, device=device)
    x = torch.randn(samples, 8, dtype=dtype, device=device)
    y = torch.where(x[:, 0] * x[:, 1] > 0, 1, 0)
    parameters = list(model.parameters())
    # the step does not change with the scale of the loss
    optimizer = torch.optim.SGD(parameters[::-1] if backwards else parameters, lr=lr / scale, maximize=maximize)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        whole = scale * (loss if penalty is None else loss + sum(map(penalty, parameters)))
        (-whole if maximize else whole).backward()
        optimizer.step()


def vanishing() -> list[nn.Module]:
    return [*(m for _ in range(8) for m in (nn.Linear(8, 8), nn.Sigmoid())), nn.Linear(8, 2)]


def symmetric() -> list[nn.Module]:
    layers = [nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)]
    for layer in (layers[0], layers[2]):
        nn.init.constant_(layer.weight, 0.1)  # type: ignore[arg-type]
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layers


def learning() -> list[nn.Module]:
    return [nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2)]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("layers", "lr", "first"),
    [(vanishing, 0.1, "vanishing-gradient"), (symmetric, 0.1, "symmetric-units"), (learning, 0.5, "")],
)
def test_no_finding_changes(layers: Any, lr: float, first: str, variant: str, watched: Watched) -> None:
    with torch.random.fork_rng():
        run = watched(lambda: train(layers, lr, **VARIANTS[variant]), budget=0.03)
    alarms = [f.code for f in diagnose(run).findings if f.severity != "info"]
    assert alarms[:1] == ([first] if first else [])

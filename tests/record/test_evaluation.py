"""A trained model that is asked for answers while dropout or batch norm act."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fallline.record.run import Run

Watched = Callable[..., Run]


class Net(nn.Module):
    """Three classes; dropout as a module, as a function that is told the mode, as one that is not, or batch norm."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.a, self.b = nn.Linear(4, 32).double(), nn.Linear(32, 3).double()
        norms = {"norm": 0.1, "hasty": 0.99}
        self.layer: nn.Module = nn.Dropout(0.8) if kind == "module" else nn.Identity()
        if kind in norms:
            self.layer = nn.BatchNorm1d(32, momentum=norms[kind]).double()

    def forward(self, x: Tensor) -> Tensor:
        h = self.layer(F.relu(self.a(x)))
        if self.kind in ("told", "untold"):
            h = F.dropout(h, 0.8, training=self.training or self.kind == "untold")
        return self.b(h)


def asking(kind: str, ask: Callable[[Net, Tensor], Any], then: int = 0) -> Callable[[], Net]:
    """A training of 20 updates, the questions, and further updates."""

    def program() -> Net:
        model, x = Net(kind), torch.randn(200, 4).double()
        y = x[:, :3].argmax(dim=1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(20 + then):
            if step == 20:
                ask(model, x)
            rows = torch.randint(200, (3 if kind == "hasty" else 32,))
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        if not then:
            ask(model, x)
        return model

    return program


def plain(model: Net, x: Tensor) -> Tensor:
    with torch.no_grad():
        return model(x)


def in_eval_mode(model: Net, x: Tensor) -> Tensor:
    model.eval()
    return plain(model, x)


def one_by_one(model: Net, x: Tensor) -> list[Tensor]:
    return [plain(model, row[None].expand(2, -1)) for row in x]


def many_masks(model: Net, x: Tensor) -> Tensor:
    return torch.stack([plain(model, x) for _ in range(10)]).mean(dim=0)


@pytest.mark.parametrize(
    ("kind", "ask", "seen"),
    [
        ("module", plain, {"training": True, "dropout": 1, "batch_norm": 0, "answers": 200}),
        ("told", plain, {"training": True, "dropout": 0, "answers": 200}),
        ("untold", in_eval_mode, {"training": False, "dropout": 0, "answers": 200}),
        ("hasty", in_eval_mode, {"training": False, "batch_norm": 0, "hasty": 0.99, "answers": 200}),
        ("norm", one_by_one, {"training": True, "batch_norm": 1, "answers": 128}),  # the last 64 calls
    ],
)
def test_what_acts_and_how_much_it_changes(
    watched: Watched, kind: str, ask: Callable[[Net, Tensor], Any], seen: dict[str, Any]
) -> None:
    (event,) = watched(asking(kind, ask)).events_of("evaluation")
    assert {name: event.detail[name] for name in seen} == seen
    assert 0.1 < event.detail["changed"] < 0.9
    assert event.detail["distance"] > 0.5


def test_a_second_call_without_a_change(watched: Watched) -> None:
    (event,) = watched(asking("told", in_eval_mode)).events_of("evaluation")
    assert (event.detail["changed"], event.detail["distance"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "ask", "then"),
    [
        ("module", in_eval_mode, 0),
        ("norm", in_eval_mode, 0),
        ("module", plain, 5),  # the training went on: the last word is not said
        ("module", many_masks, 0),  # drawn on purpose
        ("none", plain, 0),
    ],
)
def test_nothing_acts(watched: Watched, kind: str, ask: Callable[[Net, Tensor], Any], then: int) -> None:
    assert list(watched(asking(kind, ask, then)).events_of("evaluation")) == []


def test_a_model_that_cannot_be_asked_twice_is_no_fault(watched: Watched) -> None:
    class Once(Net):
        def forward(self, x: Tensor) -> Tensor:
            if not torch.is_grad_enabled():
                self.asked = getattr(self, "asked", 0) + 1
                if self.asked > 1:
                    raise RuntimeError("once only")
            return super().forward(x)

    def program() -> None:
        model, x = Once("module"), torch.randn(40, 4).double()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(20):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
        plain(model, x)

    run = watched(program)
    (event,) = run.events_of("not-evaluated")
    assert "once only" in event.detail["reason"]
    assert not run.meta["fault"]


def test_asking_leaves_no_trace(watched: Watched) -> None:
    left: list[tuple[Net, Tensor]] = []

    def program() -> None:
        left.append((asking("norm", one_by_one)(), torch.get_rng_state()))

    torch.manual_seed(5)
    program()
    torch.manual_seed(5)
    assert list(watched(program).events_of("evaluation"))
    (alone, _), (seen, drawn) = left
    assert seen.training
    assert torch.equal(drawn, torch.get_rng_state())
    for name, value in alone.state_dict().items():
        assert torch.equal(value, seen.state_dict()[name]), name

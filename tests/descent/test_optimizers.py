from __future__ import annotations

import pytest
import torch
from torch import nn

from fallline.descent.optimizers import OPTIMIZERS, SCHEDULES, make_optimizer, make_schedule, parse_value
from fallline.objective.mistake import InputError


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_torch_steps(name: str) -> None:
    weight = nn.Parameter(torch.ones(3, 2, dtype=torch.float32 if name == "muon" else torch.float64))
    optimizer = make_optimizer(name, [weight], 0.01)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (weight**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert bool((weight.abs() < 1).all())


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_runs_over_a_training_and_comes_back(name: str) -> None:
    def made() -> tuple[torch.optim.Optimizer, object]:
        optimizer = make_optimizer("sgd", [nn.Parameter(torch.ones(2))], 0.1)
        return optimizer, make_schedule(name, optimizer, epochs=6, batches=2)

    def advance(optimizer: torch.optim.Optimizer, schedule: object, epochs: range) -> list[float]:
        rates = []
        for _ in epochs:
            for _ in range(2):
                optimizer.step()
                if schedule.each_batch:  # type: ignore[attr-defined]
                    schedule.scheduler.step()  # type: ignore[attr-defined]
            schedule.after_epoch(1.0)  # type: ignore[attr-defined]
            rates.append(optimizer.param_groups[0]["lr"])
        return rates

    whole = advance(*made(), range(5))
    first = made()
    rates = advance(*first, range(3))
    second = made()
    second[0].step()
    second[0].load_state_dict(first[0].state_dict())
    second[1].restore(first[1].state())  # type: ignore[attr-defined]
    assert [*rates, *advance(*second, range(2))] == whole


@pytest.mark.parametrize(
    ("text", "message"),
    [("cosin", "did you mean 'cosine'"), ("StepLR,stepsize=3", "did you mean 'step_size'"), ("StepLR,3", "name=value")],
)
def test_mistakes_in_schedules(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_schedule(text, make_optimizer("sgd", [nn.Parameter(torch.ones(2))]), 3, 3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adm", {}, "there is no optimizer 'adm'"),
        ("sgd", {"momentun": 0.9}, "did you mean 'momentum'"),
        ("sgd", {"momentum": -1.0}, "SGD refuses its settings"),
        ("muon", {}, "Muon refuses its settings"),
    ],
)
def test_mistakes_in_optimizers(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_optimizer(name, [nn.Parameter(torch.ones(2))], None, options)


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("1e-3", 1e-3), ("true", True), ("None", None), ("0.9:0.99", (0.9, 0.99)), ("cos", "cos")],
)
def test_values_of_options(text: str, value: object) -> None:
    assert parse_value(text) == value

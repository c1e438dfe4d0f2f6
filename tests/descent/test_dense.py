"""The chain rule written out is what autograd computes."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from fallline.descent.dense import ACTIVATIONS, GRADIENTS, DenseStep, served
from fallline.descent.optimizers import ELEMENTWISE, OPTIMIZERS, make_optimizer
from fallline.descent.step import AutogradStep, NotFinite
from fallline.objective.loss import LOSSES
from fallline.record.loop import LoopRecorder
from fallline.record.run import Run, read
from fallline.record.store import Store

OUTPUTS = {"cross_entropy": 4, "bce_with_logits": 1, "mse": 3, "l1": 2, "smooth_l1": 2}


def examples(loss: str, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(11, 3, generator=generator, dtype=dtype)
    if loss == "cross_entropy":
        return x, torch.randint(0, OUTPUTS[loss], (11,), generator=generator)
    if loss == "bce_with_logits":
        return x, torch.randint(0, 2, (11,), generator=generator)
    return x, 3 * torch.randn(11, OUTPUTS[loss], generator=generator, dtype=dtype)


def stack(loss: str, *between: nn.Module, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(1)
    layers: list[nn.Module] = [nn.Linear(3, 7, bias), *between, nn.Linear(7, 6), *between, nn.Linear(6, OUTPUTS[loss])]
    return nn.Sequential(*layers).double()


def step(model: nn.Module, loss: str, optimizer: str = "sgd", clip: float | None = None, **options: float) -> DenseStep:
    return DenseStep(model, loss, optimizer, None, options, clip, None)


@pytest.mark.parametrize("loss", GRADIENTS)
@pytest.mark.parametrize("activation", [*ACTIVATIONS, nn.Identity], ids=lambda kind: kind.__name__)
def test_gradients_are_those_of_autograd(activation: type[nn.Module], loss: str) -> None:
    between = () if activation is nn.Identity else (activation(),)
    model, (x, y) = stack(loss, *between), examples(loss)
    twin = copy.deepcopy(model)
    assert served(model, loss, LOSSES[loss], x, y)
    expected = LOSSES[loss](twin(x), y)
    expected.backward()
    value = step(model, loss)(x, y)
    assert value == pytest.approx(expected.item(), rel=1e-14)
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert theirs.grad is not None
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-13, atol=1e-15)


def test_gradients_are_finite_differences() -> None:
    model, (x, y) = stack("cross_entropy", nn.Tanh(), bias=False), examples("cross_entropy")
    dense = step(model, "cross_entropy")
    start = dense.flat.detach().clone()
    dense(x, y)
    gradient = dense.flat_grad.clone()
    width = 1e-6
    for place in range(0, len(start), 7):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                dense.flat.copy_(start)
                dense.flat[place] += sign * width
                values.append(float(LOSSES["cross_entropy"](model(x), y)))
        assert float(gradient[place]) == pytest.approx((values[0] - values[1]) / (2 * width), abs=1e-8)


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"lbfgs", "muon"}))
@pytest.mark.parametrize("clip", [None, 0.1])
def test_updates_are_those_of_torch(name: str, clip: float | None) -> None:
    model, (x, y) = stack("mse", nn.Sigmoid()), examples("mse")
    twin = copy.deepcopy(model)
    mine = step(model, "mse", name, clip, weight_decay=0.01) if name != "rprop" else step(model, "mse", name, clip)
    options = {} if name == "rprop" else {"weight_decay": 0.01}
    theirs = AutogradStep(twin, LOSSES["mse"], make_optimizer(name, twin.parameters(), None, options), clip, None)
    for _ in range(5):
        assert mine(x, y) == pytest.approx(theirs(x, y), rel=1e-10)
    assert (name in ELEMENTWISE) == (len(mine.optimizer.param_groups[0]["params"]) == 1)


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_the_kernel_alone_is_a_step_of_the_optimizer(name: str, amsgrad: bool) -> None:
    """The shortcut around ``optimizer.step`` changes no bit."""
    (x, y), results = examples("cross_entropy", torch.float32), []
    for hooked in (False, True):  # a hook makes it take the long way
        model = stack("cross_entropy", nn.ReLU()).float()
        dense = step(model, "cross_entropy", name, amsgrad=amsgrad, weight_decay=0.1)
        handle = register_optimizer_step_post_hook(lambda *a: None) if hooked else None
        for _ in range(20):
            dense(x, y)
        if handle is not None:
            handle.remove()
        results.append(dense.flat.detach().clone())
    assert torch.equal(*results)


def test_the_model_has_its_own_parameters_afterwards() -> None:
    model, (x, y) = stack("mse", nn.ReLU()), examples("mse")
    dense = step(model, "mse")
    dense(x, y)
    trained = [p.detach().clone() for p in model.parameters()]
    dense.release()
    assert all(p.grad is None and p._base is None for p in model.parameters())
    assert len({p.untyped_storage().data_ptr() for p in model.parameters()}) == len(trained)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), trained, strict=True))


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 3)),
        nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.ReLU(), nn.Linear(4, 3)),
        nn.Sequential(nn.ReLU(), nn.Linear(3, 3)),
        nn.Sequential(nn.Sequential(nn.Linear(3, 3))),
        nn.Linear(3, 3),
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))),
    ],
    ids=["dropout", "two activations", "activation first", "nested", "no stack", "parametrised"],
)
def test_anything_else_goes_through_autograd(model: nn.Module) -> None:
    assert not served(model.double(), "mse", LOSSES["mse"], *examples("mse"))


def test_what_autograd_would_be_asked_about_is_not_served() -> None:
    x, y = examples("mse")
    hooked, frozen, shared = stack("mse"), stack("mse"), stack("mse", nn.ReLU())
    hooked[0].register_forward_hook(lambda *a: None)
    frozen[0].weight.requires_grad_(False)
    shared[2] = nn.Linear(7, 7).double()
    shared[2].weight = nn.Parameter(torch.zeros(7, 7, dtype=torch.float64))
    assert not served(hooked, "mse", LOSSES["mse"], x, y)
    assert not served(frozen, "mse", LOSSES["mse"], x, y)
    assert not served(stack("mse"), "mse", lambda a, b: (a - b).sum(), x, y)
    assert not served(stack("mse").float(), "mse", LOSSES["mse"], x, y)
    assert served(stack("mse"), "mse", LOSSES["mse"], x, y)


def recorded(folder: Path, by_hand: bool) -> Run:
    """Five measured updates."""
    model, (x, y) = stack("cross_entropy", nn.Sigmoid()), examples("cross_entropy")
    folder.mkdir()
    store = Store(folder)
    recorder = LoopRecorder(store, budget=1e9)
    recorder.catalog.know({"model": model})
    maker = (
        DenseStep(model, "cross_entropy", "sgd", 0.5, {}, None, recorder)
        if by_hand
        else AutogradStep(
            model, LOSSES["cross_entropy"], make_optimizer("sgd", model.parameters(), 0.5), None, recorder
        )
    )
    recorder.begin(maker.recorded)
    for _ in range(5):
        maker(x, y)
    recorder.stop()
    store.close()
    assert recorder.fault is None
    return read(folder)


def test_the_record_is_the_one_that_autograd_gives(tmp_path: Path) -> None:
    mine, theirs = (recorded(tmp_path / name, name == "hand") for name in ("hand", "autograd"))
    assert mine.layers == theirs.layers
    assert mine.parameters == theirs.parameters
    assert [o.settings for o in mine.optimizers] == [o.settings for o in theirs.optimizers]
    assert len(mine.steps) == 5
    for table in ("steps", "layer_stats", "parameter_stats"):
        left, right = getattr(mine, table), getattr(theirs, table)
        assert len(left) == len(right) > 0
        for column in left.data:
            if column != "time":
                assert left[column] == pytest.approx(right[column], rel=1e-9, abs=1e-12, nan_ok=True), column
    assert [s.detail for s in mine.sights] == [s.detail for s in theirs.sights]


def test_a_loss_that_is_not_finite_ends_it_and_says_where_it_comes_from(tmp_path: Path) -> None:
    model, (x, y) = stack("mse", nn.ReLU()), examples("mse")
    store = Store(tmp_path)
    recorder = LoopRecorder(store)
    dense = DenseStep(model, "mse", "sgd", 1e30, {}, None, recorder)
    recorder.begin(dense.recorded)

    def train() -> None:
        for _ in range(20):
            dense(x, y)

    with pytest.raises(NotFinite):
        train()
    recorder.stop()
    store.close()
    run = read(tmp_path)
    assert recorder.fault is None
    assert len(list(run.events_of("non-finite"))) == 1
    assert not torch.isfinite(torch.as_tensor(run.steps["loss"][-1]))

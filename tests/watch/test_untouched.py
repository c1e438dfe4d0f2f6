"""Watching changes nothing: not one bit of the weights, no random number, and no hook stays behind."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import copy
import importlib
import io
import math
import pickle
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks
from torch.optim import optimizer as optim_hooks
from torch.optim.optimizer import Optimizer
from torch.utils.checkpoint import checkpoint

import fallline
from fallline.record import recorder, schedule
from fallline.record.observer import Observer
from fallline.watch.session import Session


def patched() -> tuple[Any, ...]:
    """What the recorder puts something else in the place of."""
    return torch.autograd.backward, torch.autograd.grad, torch.amp.GradScaler.scale, nn.Module.__call__


ORIGINALS = patched()
STEPS = 12
Outcome = tuple[list[nn.Module], list[Optimizer], list[Tensor]]


def data(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def fit(model: nn.Module, x: Tensor, loss_of: Callable[[Any], Tensor], optimizer: Optimizer) -> Outcome:
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss_of(model(x)).backward()
        optimizer.step()
    return [model], [optimizer], []


LABELS = torch.tensor([0, 1, 2, 1, 0, 2])


def mlp() -> Outcome:
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(inplace=True), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return fit(model, data(6, 5), lambda y: F.cross_entropy(y, LABELS), optimizer)


def conv_with_batch_norm() -> Outcome:
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(4, 4, 2),
        nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(16, 3),
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return fit(model, data(6, 2, 8, 8), lambda y: F.cross_entropy(y, LABELS), optimizer)


def lstm() -> Outcome:
    model = nn.LSTM(3, 6, num_layers=2, dropout=0.2)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
    return fit(model, data(9, 4, 3), lambda y: y[0][-1].square().mean(), optimizer)


def transformer_with_dropout() -> Outcome:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    return fit(model, data(4, 6, 8), lambda y: F.mse_loss(y.mean(1), data(4, 1)), optimizer)


def lbfgs() -> Outcome:
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=5, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(model(data(6, 5)), data(6, 1))
        loss.backward()
        return loss

    for _ in range(4):
        optimizer.step(closure)
    return [model], [optimizer], []


def accumulation() -> Outcome:
    model, optimizer = _small()
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=False)
        for part in data(6, 5).split(2):
            (model(part).square().mean() / 3).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    return [model], [optimizer], []


def scaler() -> Outcome:
    model, optimizer = _small()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20, growth_interval=3)
    scales = []
    for i in range(STEPS):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(data(6, 5)).float().square().mean()
        scaler.scale(loss * (torch.inf if i == 4 else 1.0)).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        scales.append(torch.tensor(scaler.get_scale()))
    return [model], [optimizer], scales


def _checkpointed(use_reentrant: bool) -> Outcome:
    model = nn.Sequential(nn.Linear(5, 6), nn.Dropout(0.3), nn.ReLU(), nn.Linear(6, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = data(6, 5).requires_grad_()
    for _ in range(STEPS):
        optimizer.zero_grad()
        y: Any = checkpoint(model, x, use_reentrant=use_reentrant)
        F.cross_entropy(y, LABELS).backward()
        optimizer.step()
    return [model], [optimizer], []


def checkpointing() -> Outcome:
    return _checkpointed(False)


def reentrant_checkpointing() -> Outcome:
    return _checkpointed(True)


def by_hand() -> Outcome:
    w, b = data(5, 3).requires_grad_(), torch.zeros(3, requires_grad=True)
    for _ in range(STEPS):
        F.cross_entropy(data(6, 5) @ w + b, LABELS).backward()
        with torch.no_grad():
            for p in (w, b):
                assert p.grad is not None
                p -= 0.1 * p.grad
                p.grad.zero_()
    return [], [], [w, b]


def by_hand_with_new_tensors() -> Outcome:
    w = data(5, 3).requires_grad_()
    for _ in range(STEPS):
        F.cross_entropy(data(6, 5) @ w, LABELS).backward()
        assert w.grad is not None
        w = (w - 0.1 * w.grad).detach().requires_grad_()
    return [], [], [w]


def by_hand_with_grad() -> Outcome:
    model = nn.Linear(5, 3)
    for _ in range(STEPS):
        grads = torch.autograd.grad(F.cross_entropy(model(data(6, 5)), LABELS), model.parameters())  # type: ignore[call-overload]
        for p, g in zip(model.parameters(), grads, strict=True):
            p.data.sub_(0.1 * g)
    return [model], [], []


def second_derivatives() -> Outcome:
    """A physics-informed loss: u'' = -u."""
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(STEPS):
        x = data(16, 1).requires_grad_()
        u = model(x)
        (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (ddu,) = torch.autograd.grad(du.sum(), x, create_graph=True)
        optimizer.zero_grad()
        (ddu + u).square().mean().backward()
        optimizer.step()
    return [model], [optimizer], []


def two_in_turns() -> Outcome:
    """A small GAN: one backward goes through both networks, and one graph is used twice."""
    g, d = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3)), nn.Sequential(nn.Linear(3, 1))
    og, od = torch.optim.Adam(g.parameters(), 0.01), torch.optim.Adam(d.parameters(), 0.01)
    for _ in range(STEPS):
        fake = g(torch.randn(6, 2))
        loss_d = F.softplus(d(fake.detach())).mean() + F.softplus(-d(data(6, 3))).mean()
        od.zero_grad()
        loss_d.backward(retain_graph=True)
        loss_d.backward()
        od.step()
        og.zero_grad()
        F.softplus(-d(fake)).mean().backward()
        og.step()
    return [g, d], [og, od], []


def sparse_embedding() -> Outcome:
    table, head = nn.Embedding(20, 4, sparse=True), nn.Linear(4, 1)
    optimizers = [torch.optim.SparseAdam(table.parameters(), 0.01), torch.optim.SGD(head.parameters(), 0.1)]
    for _ in range(STEPS):
        for optimizer in optimizers:
            optimizer.zero_grad()
        head(table(torch.randint(20, (6,)))).square().mean().backward()
        for optimizer in optimizers:
            optimizer.step()
    return [table, head], optimizers, []


def with_losses_that_are_not_finite() -> Outcome:
    """The forward pass is done again at step 5, beneath dropout and batch norm; the program leaves that update out."""
    model = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.ReLU(), nn.Linear(6, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(STEPS):
        optimizer.zero_grad()
        chance = model(data(6, 5)).softmax(dim=1)
        loss = F.nll_loss((chance * (step != 5)).log(), LABELS)
        loss.backward()
        if math.isfinite(loss.item()):
            optimizer.step()
    return [model], [optimizer], []


class Length(nn.Module):
    """Its slope at 0 is infinite."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x).square().sum(dim=1).sqrt()


def with_gradients_that_are_not_finite() -> Outcome:
    model = nn.Sequential(nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6, affine=False), Length())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(STEPS):
        optimizer.zero_grad()
        model(data(6, 5) * (step != 5)).mean().backward()
        optimizer.step()
    return [model], [optimizer], []


def _small() -> tuple[nn.Sequential, Optimizer]:
    model = nn.Sequential(nn.Linear(5, 6), nn.GELU(), nn.Linear(6, 2))
    return model, torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)


class Own(nn.Sequential):
    """It says by itself what a copy of it holds, as many of before PyTorch 2 do."""

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()


def saving_itself() -> Outcome:
    model = Own(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(model(data(6, 5)), LABELS).backward()
        optimizer.step()
        saved = pickle.loads(pickle.dumps(model))
        assert torch.equal(saved(data(6, 5)), model(data(6, 5)))
        copy.deepcopy(model)(data(6, 5))
    return [model], [optimizer], []


def clones_by_their_attributes() -> Outcome:
    """A teacher that is made anew now and then, as meta-learning clones a model: other tensors, the same attributes."""
    model = nn.Linear(5, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(STEPS):
        if step % 4 == 0:
            teacher = nn.Linear.__new__(nn.Linear)
            teacher.__dict__ = model.__dict__.copy()
            teacher._parameters = {name: p.detach() * 0.5 for name, p in model._parameters.items() if p is not None}
        optimizer.zero_grad()
        (F.cross_entropy(model(data(6, 5)), LABELS) + F.mse_loss(model(data(6, 5)), teacher(data(6, 5)))).backward()
        optimizer.step()
    return [model], [optimizer], []


class Noisy(torch.autograd.Function):
    """Its slope is drawn."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 1

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Tensor:
        return g[0] * (1 + 0.1 * torch.randn_like(g[0]))


def _bowl(loss_of: Callable[[Tensor], Tensor]) -> Outcome:
    """A function of raw numbers, of which the curvature is looked at."""
    w = torch.linspace(1, 2, 4).requires_grad_()
    optimizer = torch.optim.SGD([w], lr=0.01)
    for _ in range(6 * STEPS):
        optimizer.zero_grad()
        loss_of(w).backward()
        optimizer.step()
    return [], [optimizer], [w]


def slopes_that_are_drawn() -> Outcome:
    return _bowl(lambda w: Noisy.apply(w).square().sum())


def offloading_by_hand() -> Outcome:
    """What is saved for backward is kept elsewhere, and can be fetched once."""
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> int:
        kept[len(kept)] = tensor.detach().clone()
        return len(kept) - 1

    def loss(w: Tensor) -> Tensor:
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda number: kept.pop(number)):
            return (w * w * w).square().sum()

    return _bowl(loss)


class Drawing(nn.Module):
    """It draws from a generator of its own, and gives NaN once."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.generator, self.calls = nn.Linear(5, 3), torch.Generator().manual_seed(3), 0

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.randn(x.shape, generator=self.generator)
        return self.linear(x + noise).sqrt() if x.isinf().any() else self.linear(x + noise)


def with_a_generator_of_its_own() -> Outcome:
    model = Drawing()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data(6, 5) / (step != 7)), LABELS)
        if math.isfinite(loss.item()):
            loss.backward()
            optimizer.step()
        else:
            loss.backward()
    return [model], [optimizer], [model.generator.get_state()]


PROGRAMS = [
    saving_itself, clones_by_their_attributes, slopes_that_are_drawn, offloading_by_hand, with_a_generator_of_its_own,
    mlp, conv_with_batch_norm, lstm, transformer_with_dropout, lbfgs, accumulation, scaler, checkpointing,
    reentrant_checkpointing, by_hand, by_hand_with_new_tensors, by_hand_with_grad, second_derivatives, two_in_turns,
    sparse_embedding, with_losses_that_are_not_finite, with_gradients_that_are_not_finite,
]  # fmt: skip


def run(program: Callable[[], Outcome]) -> tuple[Outcome, list[bytes]]:
    """What a program leaves behind: every number it made, and the state of every random generator."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    outcome = program()
    models, optimizers, tensors = outcome
    found: list[Any] = [t.detach() for t in tensors]
    found += [value for model in models for value in model.state_dict().values()]
    found += [p.grad for model in models for p in model.parameters()]
    found += [optimizer.state_dict() for optimizer in optimizers]
    found += [torch.get_rng_state(), random.getstate(), np.random.get_state()]
    return outcome, [_bits(value) for value in found]


def _bits(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return pickle.dumps(_plain(value))


def _plain(value: Any) -> Any:
    """Down to bytes, so that equality means: the same bits."""
    if isinstance(value, Tensor):
        dense = value.detach().to_dense() if value.is_sparse else value.detach()
        return (str(value.dtype), tuple(value.shape), dense.contiguous().view(-1).numpy().tobytes())
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value.tobytes() if isinstance(value, np.ndarray) else value


def hooks_of(models: Sequence[nn.Module], optimizers: Sequence[Optimizer]) -> dict[str, Any]:
    """Every place where PyTorch keeps hooks, if there is one in it."""
    places: dict[str, Any] = {
        name: value for name, value in vars(global_hooks).items() if name.startswith("_global_") and "hook" in name
    }
    places |= {name: value for name, value in vars(optim_hooks).items() if name.startswith("_global_")}
    for owner in [part for model in models for part in model.modules()] + list(optimizers):
        for name, value in vars(owner).items():
            if "hook" in name and isinstance(value, dict):
                places[f"{type(owner).__name__}.{name}"] = value
    for tensor in (p for model in models for p in model.parameters()):
        places[f"{id(tensor)} backward"] = tensor._backward_hooks
        places[f"{id(tensor)} accumulate"] = getattr(tensor, "_post_accumulate_grad_hooks", None)
    return {name: value for name, value in places.items() if value and name != "_global_is_full_backward_hook"}


@pytest.mark.parametrize("dense", [True, False], ids=["every step", "default budget"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_bit_for_bit(
    program: Callable[[], Outcome], dense: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dense:
        monkeypatch.setattr(schedule, "SPACING", 0.0)
    (_, optimizers, _), expected = run(program)
    patterns = [set(vars(optimizer)) for optimizer in optimizers]
    with Session("test", tmp_path, budget=1e9 if dense else recorder.BUDGET) as session:
        (models, optimizers, _), found = run(program)
    assert session.notes == []
    assert found == expected
    if "not_finite" in program.__name__:
        (event,) = session.read().events_of("non-finite")
        assert (event.step, event.detail["kept"], "not_replayed" in event.detail) == (5, "batch.safetensors", False)
    if dense:
        steps = session.read().steps["step"]
        assert len(set(session.read().parameter_stats["step"])) == len(steps)
    assert hooks_of(models, optimizers) == {}
    assert patched() == ORIGINALS
    assert [set(vars(optimizer)) for optimizer in optimizers] == patterns


def test_what_a_program_puts_around_a_call_stays(tmp_path: Path) -> None:
    """A patch of Module.__call__ or of backward that was made while fallline's stood there."""
    count = {"call": 0, "backward": 0}
    with fallline.watch(nn.Linear(1, 1), root=tmp_path):
        inner, before = nn.Module.__call__, torch.autograd.backward

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            count["call"] += 1
            return inner(module, *args, **kwargs)

        def backward(*args: Any, **kwargs: Any) -> Any:
            count["backward"] += 1
            return before(*args, **kwargs)

        nn.Module.__call__, torch.autograd.backward = call, backward  # type: ignore[method-assign]
        try:
            fit(nn.Linear(5, 3), data(6, 5), lambda y: F.cross_entropy(y, LABELS), _small()[1])
            during = nn.Module.__call__ is call, torch.autograd.backward is backward
        except BaseException:
            nn.Module.__call__, torch.autograd.backward = ORIGINALS[3], ORIGINALS[0]  # type: ignore[method-assign]
            raise
    try:
        after = nn.Module.__call__ is call, torch.autograd.backward is backward
        fit(nn.Linear(5, 3), data(6, 5), lambda y: F.cross_entropy(y, LABELS), _small()[1])
    finally:
        nn.Module.__call__, torch.autograd.backward = ORIGINALS[3], ORIGINALS[0]  # type: ignore[method-assign]
    assert during == after == (True, True)
    assert count == {"call": 2 * STEPS, "backward": 2 * STEPS}
    assert patched() == ORIGINALS


def test_models_and_optimizers_pickle_while_watched(tmp_path: Path) -> None:
    with fallline.watch(nn.Linear(1, 1), root=tmp_path):
        models, optimizers, _ = conv_with_batch_norm()
        assert set(hooks_of(models, [])) == {"_global_optimizer_pre_hooks", "_global_optimizer_post_hooks"}
        for thing in (*models, *optimizers):
            pickle.loads(pickle.dumps(thing))
            copy.deepcopy(thing)
            torch.save(thing, io.BytesIO())
    for thing in (*models, *optimizers):
        pickle.loads(pickle.dumps(thing))


class Broken(torch.autograd.Function):
    """Fails in its backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Tensor:
        raise RuntimeError("broken backward")


def test_a_training_that_fails_leaves_no_hook(tmp_path: Path) -> None:
    model, optimizer = _small()
    hidden: list[Tensor] = []

    def failing() -> None:
        hidden.append(model(data(6, 5)))
        Broken.apply(hidden[0]).sum().backward()

    with pytest.raises(RuntimeError, match="broken backward"), fallline.watch(model, root=tmp_path):
        failing()
    assert hooks_of([model], [optimizer]) == {}
    assert patched() == ORIGINALS


def test_no_hook_stays_on_a_graph_that_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(Observer, "_call", lambda *args: calls.append(args))
    model, _ = _small()
    with Session("test", tmp_path, budget=1e9):
        loss = model(data(6, 5)).square().mean()
        loss.backward(retain_graph=True)
    seen = len(calls)
    assert seen == 2
    loss.backward()
    assert len(calls) == seen


def test_watch_stays_a_verb() -> None:
    """There is a folder of this name, too, and importing from it must not put the module there."""
    importlib.import_module("fallline.watch.script")
    assert callable(fallline.watch)
    assert Session.__module__ == "fallline.watch.session"


def test_watches_inside_each_other(tmp_path: Path) -> None:
    model, optimizer = _small()
    with fallline.watch(model, root=tmp_path / "outer") as outer:
        with fallline.watch(model, root=tmp_path / "inner") as inner:
            for _ in range(3):
                optimizer.zero_grad()
                model(data(6, 5)).square().mean().backward()
                optimizer.step()
        model(data(6, 5)).square().mean().backward()
        optimizer.step()
    assert (len(inner.record.steps), len(outer.record.steps)) == (3, 4)
    assert patched() == ORIGINALS
    assert hooks_of([model], [optimizer]) == {}


@pytest.mark.slow
def test_a_compiled_model(tmp_path: Path) -> None:
    def compiled() -> Outcome:
        model, optimizer = _small()
        forward: Any = torch.compile(model, backend="aot_eager")
        for _ in range(STEPS):
            optimizer.zero_grad()
            forward(data(6, 5)).square().mean().backward()
            optimizer.step()
        return [model], [optimizer], []

    _, expected = run(compiled)
    with Session("test", tmp_path, budget=1e9) as session:
        _, found = run(compiled)
    assert session.notes == []
    assert found == expected
    assert len(session.read().steps) == STEPS
    assert len(session.read().parameter_stats) > 0


@pytest.mark.slow
def test_torch_compile_compiles_what_it_would_without(tmp_path: Path) -> None:
    from torch._dynamo.testing import CompileCounter

    def frames() -> list[int]:
        torch.compiler.reset()
        whole, model, method = (CompileCounter() for _ in range(3))
        forwards: list[tuple[Any, Callable[[Tensor], Tensor]]] = []
        inner, _ = _small()
        forwards.append((inner, torch.compile(lambda x: inner(x).square().mean(), backend=whole, fullgraph=True)))
        wrapped, _ = _small()
        outer: Any = torch.compile(wrapped, backend=model, fullgraph=True)
        forwards.append((wrapped, lambda x: outer(x).square().mean()))
        own, _ = _small()
        own.compile(backend=method)
        forwards.append((own, lambda x: own(x).square().mean()))
        for _ in range(STEPS):
            for module, forward in forwards:
                optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
                forward(data(6, 5)).backward()
                optimizer.step()
        return [counter.frame_count for counter in (whole, model, method)]

    expected = frames()
    with Session("test", tmp_path, budget=1e-9) as session:
        found = frames()
    assert session.notes == []
    assert found == expected

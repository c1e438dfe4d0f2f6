"""``fallline.fit``: the training, its record, and the model that comes of it."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import fallline
from fallline import fitting, training
from fallline.descent import threads
from fallline.descent.dense import DenseStep
from fallline.descent.fit import Settings, Trainer
from fallline.descent.saved import DESCRIPTION, WEIGHTS, Origin
from fallline.descent.step import AutogradStep
from fallline.objective.data import load
from fallline.objective.loss import LOSSES, Score
from fallline.objective.mistake import InputError
from fallline.objective.network import build
from fallline.record.run import read


def table(rows: int = 300) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    city = generator.choice(["Oslo", "Rome"], rows)
    a = generator.normal(size=rows)
    price = 100 + 20 * a + np.where(city == "Oslo", 30, 0) + generator.normal(size=rows)
    frame = pd.DataFrame({"a": a, "city": city, "price": price})
    frame.loc[:20, "a"] = np.nan
    return frame


def two_moons(rows: int = 200) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    angle, side = torch.rand(rows, generator=generator) * 3.14, torch.arange(rows) % 2
    x = torch.stack([angle.cos() + side, angle.sin() * (1 - 2 * side) + 0.4 * side], dim=1)
    return x + 0.1 * torch.randn(rows, 2, generator=generator), side


def test_digits_are_learned_and_the_run_is_like_any_other(tmp_path: Path) -> None:
    run = fallline.fit(None, "digits", epochs=15, root=tmp_path)
    assert run.score > 0.95
    assert run.folder is not None
    record = read(run.folder)
    assert len(record.steps) == run.history[-1].updates
    assert [layer.kind for layer in record.layers] == ["linear"] * 3
    assert run.findings == ()
    assert len(run.diagnosis.passed) > 8
    out = io.StringIO()
    run.report(out)
    assert "fit digits" in out.getvalue()


def test_numbers_are_predicted_in_their_own_unit(tmp_path: Path) -> None:
    frame = table()
    run = fallline.fit(None, frame, target="price", root=tmp_path, epochs=60)
    assert run.score > 0.9
    predicted = run.predict(frame)
    assert abs(predicted - frame["price"]).mean() < 10
    again = fallline.load(run.folder)
    np.testing.assert_array_equal(again.predict(frame), predicted)
    with pytest.raises(InputError, match="has no probabilities"):
        again.predict_proba(frame)


@pytest.mark.parametrize("form", ["tensors", "arrays", "dataset", "loader"])
def test_every_form_of_data(tmp_path: Path, form: str) -> None:
    x, y = two_moons()
    data: Any = {
        "tensors": (x, y), "arrays": (x.numpy(), y.numpy()), "dataset": TensorDataset(x, y),
        "loader": DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True),
    }[form]  # fmt: skip
    model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
    run = fallline.fit(model, data, lr=0.01, epochs=60, root=tmp_path)
    assert run.model is model
    assert run.score > 0.95
    assert run.predict_proba(x).sum(axis=1) == pytest.approx(1.0)
    assert (run.predict(x) == y.numpy()).mean() > 0.95


def test_a_model_of_the_users_own_is_loaded_with_its_class(tmp_path: Path) -> None:
    x, y = two_moons()
    run = fallline.fit(nn.Sequential(nn.Linear(2, 2)), (x, y), epochs=1, root=tmp_path)
    with pytest.raises(InputError, match="was an object in a program"):
        fallline.load(run.folder)
    again = fallline.load(run.folder, nn.Sequential(nn.Linear(2, 2)))
    np.testing.assert_array_equal(again.predict(x), run.predict(x))
    with pytest.raises(InputError, match="do not fit the network"):
        fallline.load(run.folder, nn.Linear(3, 3))


def test_nothing_is_pickled(tmp_path: Path) -> None:
    run = fallline.fit(None, "iris", epochs=2, root=tmp_path)
    assert run.folder is not None
    assert sorted(p.name for p in run.folder.iterdir()) == [
        "checkpoint.safetensors", "fit.json", DESCRIPTION, WEIGHTS, "record.sqlite",
    ]  # fmt: skip
    for path in run.folder.glob("*.safetensors"):
        with pytest.raises((pickle.UnpicklingError, ValueError, KeyError, IndexError, EOFError, AttributeError)):
            pickle.loads(path.read_bytes())
    assert json.loads((run.folder / DESCRIPTION).read_text())["task"]["classes"] == [0, 1, 2]


def test_without_a_root_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = fallline.fit(None, "iris", epochs=2, root=None)
    assert run.folder is None
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="was not recorded"):
        _ = run.findings


def test_one_seed_one_result() -> None:
    results = [fallline.fit(None, "wine", epochs=5, seed=seed, root=None).predictor for seed in (1, 1, 2)]
    weights = [torch.cat([p.detach().flatten() for p in result.model.parameters()]) for result in results]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_random_numbers_and_threads_of_the_caller_are_left_alone() -> None:
    torch.manual_seed(3)
    before, count = torch.get_rng_state(), torch.get_num_threads()
    fallline.fit(fallline.Description((8,), dropout=0.5), "iris", epochs=2, threads=2, root=None)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == count


def test_the_two_ways_of_training_agree() -> None:
    data, weights = load("wine"), []
    for dense in (True, False):
        model = build(fallline.Description((16,), "tanh"), data.width, 3)
        trainer = Trainer(model, data, Settings(epochs=5, dense=dense, patience=None, clip=1.0))
        assert isinstance(trainer.step, DenseStep if dense else AutogradStep)
        while trainer.ended is None:
            trainer.advance()
        trainer.finish()
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-5)


def test_training_stops_in_time_and_takes_its_best_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = (torch.randn(60, 5, generator=generator), torch.randn(60, generator=generator))
    run = fallline.fit(None, noise, validation=0.3, epochs=400, patience=5, root=None)
    assert "early stopping" in run.ended
    losses = [epoch.validation for epoch in run.history if epoch.validation is not None]
    assert len(losses) < 400
    assert run.scores["validation"][0] == pytest.approx(min(losses), rel=1e-5)
    assert losses.index(min(losses)) == len(losses) - 6


@pytest.mark.parametrize("dense", [True, False])
def test_a_loss_that_is_not_finite_ends_it(tmp_path: Path, dense: bool) -> None:
    middle = [] if dense else [nn.Dropout(0.0)]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), *middle, nn.Linear(16, 1))
    run = fallline.fit(model, "diabetes", optimizer="sgd", lr=1e12, root=tmp_path, heal=False)
    assert run.ended.startswith("the loss became")
    assert "non-finite" in [finding.code for finding in run.findings]
    assert run.record.meta["exit"] == 0


def test_batches_above_the_data_are_said() -> None:
    run = fallline.fit(None, "iris", batch_size=10_000, epochs=1, root=None)
    assert "batch size 10000 is above the 98 training examples" in run.notes[0]
    assert run.history[0].updates == 1


@pytest.mark.parametrize("name", ["lbfgs", "adafactor", "sgd", "rprop"])
def test_optimizers(name: str, tmp_path: Path) -> None:
    run = fallline.fit(None, "iris", optimizer=name, epochs=20, root=tmp_path)
    assert run.score > 0.8
    assert run.record.optimizers[0].kind.lower() == name


def test_losses_of_the_users_own() -> None:
    def cubic(outputs: Tensor, y: Tensor) -> Tensor:
        return ((outputs - y).abs() ** 3).mean()

    run = fallline.fit(None, "diabetes", loss=cubic, epochs=30, root=None)
    assert run.summary()["training"]["loss"] == "cubic"
    assert run.score > 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "mes"}, "did you mean 'mse'"),
        ({"loss": "cross_entropy"}, "is for classes"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"lr": -0.1}, "lr must be above 0"),
        ({"model": nn.Linear(3, 1)}, "does not take examples of shape \\(10,\\)"),
        ({"model": nn.Linear(10, 2)}, "the network has 2 outputs, the target 'target' is 1 number"),
        ({"model": 3}, "not int"),
        ({"model": nn.Linear(10, 1).requires_grad_(False)}, "no parameter to train"),
    ],
)
def test_mistakes(arguments: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        fallline.fit(arguments.pop("model", None), "diabetes", root=tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []  # no empty run is left


def test_health_is_looked_at_while_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = set()
    looked = training._Health.look

    def at_once(health: Any, trainer: Trainer) -> None:
        health._due = 0.0
        looked(health, trainer)

    monkeypatch.setattr(training._Health, "look", at_once)
    request = training.Request(
        "iris", origin=Origin(fallline.Description()), settings=Settings(lr=1e-7, epochs=60, patience=None)
    )
    fitting.fit(request, root=tmp_path, look=lambda trainer: said.add(trainer.health))
    assert any(text.startswith("! ") and "learning rate" in text for text in said)


def test_scores_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, r2_score

    data = load("diabetes")
    generator = torch.Generator().manual_seed(0)
    outputs, y = torch.randn(50, 1, generator=generator), torch.randn(50, 1, generator=generator)
    score = Score(data.task)
    score.add(outputs[:20], y[:20])
    score.add(outputs[20:], y[20:])
    assert score.value() == pytest.approx(r2_score(y, outputs))
    labels = Score(load("iris").task)
    logits, classes = torch.randn(50, 3, generator=generator), torch.arange(50) % 3
    labels.add(logits, classes)
    assert labels.value() == pytest.approx(accuracy_score(classes, logits.argmax(dim=1)))


def test_small_networks_take_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)

    def seconds(model: Any, x: Any, y: Any, loss: Any, count: int) -> float:
        timed.append(count)
        return {1: 1.0, 2: 0.5}[count]

    monkeypatch.setattr(threads, "_seconds", seconds)
    x, y = torch.randn(64, 8), torch.zeros(64, 1)
    assert threads.choose(nn.Linear(8, 1), x, y, LOSSES["mse"]) == 1
    assert timed == []
    assert threads.choose(nn.Sequential(nn.Linear(8, 500_000), nn.Linear(500_000, 1)), x, y, LOSSES["mse"]) == 2
    assert timed == [1, 2]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_network_is_exported(tmp_path: Path) -> None:
    from fallline import commands

    run = fallline.fit(None, "iris", epochs=2, root=tmp_path)
    (path,) = commands.export(run.record, "pt2", tmp_path / "out")
    again = torch.export.load(path).module()
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(again(x), run.model(x))

"""The user's data: what is found out about them, what becomes of them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch.utils.data import DataLoader, TensorDataset

from fallline.objective import prepare, table
from fallline.objective.batches import Examples, Stream, shuffled
from fallline.objective.data import BUNDLED, Data, Split, divide, load
from fallline.objective.mistake import InputError
from fallline.objective.prepare import Preparation, Scaling
from fallline.objective.task import Task, fitted, infer

ROWS = 400


def frame(**columns: Any) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    plain = {"a": generator.normal(size=ROWS), "b": generator.integers(0, 1000, ROWS)}
    return pd.DataFrame({**plain, **columns})


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def written(folder: Path, data: pd.DataFrame, form: str) -> Path:
    path = folder / f"data.{form}"
    if form == "parquet":
        data.to_parquet(path)
    else:
        data.to_csv(path, index=False, sep=";" if form == "csv" else "\t")
    return path


def x_of(data: Data) -> torch.Tensor:
    assert isinstance(data.train, Examples)
    return data.train.x


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets(name: str) -> None:
    data = load(name)
    assert data.task.kind == ("numbers" if name == "diabetes" else "classes")
    assert isinstance(data.train, Examples)
    assert isinstance(data.test, Examples)
    assert abs(float(data.train.x.mean())) < 1e-6
    assert data.train.x.dtype == torch.float32
    assert any("split at random" in note for note in data.notes)


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet"])
def test_files_of_every_form_give_the_same(tmp_path: Path, form: str) -> None:
    data = frame(
        city=rng().choice(["Oslo", "Rome", "Köln"], ROWS), day=pd.date_range("2024-01-01", periods=ROWS),
        y=rng().normal(size=ROWS),
    )  # fmt: skip
    data.loc[rng().choice(ROWS, 40, replace=False), ["a", "city"]] = None
    direct, read = load(data, "y"), load(written(tmp_path, data, form), "y")
    assert x_of(read).shape[1] == 1 + 1 + 1 + 4 + 5  # a and whether it is missing, b, city, day
    torch.testing.assert_close(x_of(read), x_of(direct))


def test_the_inputs_are_those_of_scikit_learn() -> None:
    data = frame(city=np.where(rng().random(ROWS) < 0.2, None, rng().choice(["Oslo", "Rome"], ROWS)))
    data.loc[:30, "a"] = np.nan
    train = data.iloc[:300]
    made = prepare.fit(train, table.kinds(data).columns)
    mine = made.transform(data)
    imputer = SimpleImputer().set_params(strategy="median").fit(train[["a", "b"]])
    scaler = StandardScaler().fit(imputer.transform(train[["a", "b"]]))
    numbers = scaler.transform(imputer.transform(data[["a", "b"]]))
    np.testing.assert_allclose(mine[:, [0, 2]], numbers, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(mine[:, 1], data["a"].isna())
    cities = data[["city"]].fillna("(missing)")
    encoder = OneHotEncoder(sparse_output=False).fit(cities.iloc[:300])
    np.testing.assert_array_equal(mine[:, 3:], encoder.transform(cities))
    assert made.inputs[:3] == ["a", "a missing", "b"]


def test_statistics_are_of_the_training_part_only() -> None:
    data = frame(y=rng().normal(size=ROWS))
    loaded = load(data, "y")
    assert isinstance(loaded.preparation, Preparation)
    column = loaded.preparation.columns[0]
    train, *_ = divide(ROWS, Split())
    assert column.mean == pytest.approx(data["a"].iloc[train].mean())
    assert column.mean != pytest.approx(data["a"].mean(), rel=1e-6)
    assert loaded.task.mean[0] == pytest.approx(data["y"].iloc[train].mean())


def test_preparations_come_back_from_json() -> None:
    import json

    data = frame(
        city=rng().choice(["Oslo", "Rome"], ROWS), day=pd.date_range("2024-01-01 07:30", periods=ROWS, freq="h")
    )
    made = prepare.fit(data, table.kinds(data).columns)
    again = prepare.from_json(json.loads(json.dumps(made.as_json())))
    assert again == made
    scaling = prepare.fit_array(rng().normal(size=(20, 2, 3)))
    back = prepare.from_json(json.loads(json.dumps(scaling.as_json())))
    assert isinstance(back, Scaling)
    x = rng().normal(size=(4, 2, 3))
    np.testing.assert_array_equal(back.transform(x), scaling.transform(x))


def test_what_was_not_seen_in_training() -> None:
    data = frame(city=rng().choice(["Oslo", "Rome"], ROWS))
    made = prepare.fit(data, table.kinds(data).columns)
    new = pd.DataFrame({"city": ["Paris"], "a": [np.inf], "b": ["no number"], "more": [1]})
    row = made.transform(new)[0]
    assert np.isfinite(row).all()
    assert row[2:].tolist() == [0.0, 0.0]  # neither Oslo nor Rome
    with pytest.raises(InputError, match="no column 'city', which the model was trained on; did you mean 'City'"):
        made.transform(new.rename(columns={"city": "City"}))


def test_many_texts_share_an_input() -> None:
    names = [f"name {i}" for i in range(80)]
    data = frame(who=rng().choice(names, ROWS))
    made = prepare.fit(data, table.kinds(data).columns)
    assert next(c for c in made.columns if c.name == "who").others
    assert len(made.inputs) == 2 + 50
    assert np.all(made.transform(data)[:, 2:].sum(axis=1) == 1)


@pytest.mark.parametrize(
    ("column", "kind", "note"),
    [
        (["1", "2.5", " 3", None] * 100, "number", ""),
        (["1", "2", "3", "?x"] + ["4"] * 396, "number", "1 texts in it count as missing"),
        ([f"2024-0{i % 9 + 1}-11" for i in range(ROWS)], "date", "read as dates"),
        ([f"{i % 28 + 1}/03/2024" for i in range(ROWS)], "date", "read as dates"),
        ([f"12-34-{i % 7}" for i in range(ROWS)], "category", ""),
        (["yes", "no"] * 200, "category", ""),
        ([True, False] * 200, "number", ""),
        ([f"text {i}" for i in range(ROWS)], None, f"left out: text with {ROWS} different values"),
        (list(range(1, ROWS + 1)), None, "it counts the rows"),
        (list(range(1950, 1950 + ROWS)), "number", ""),
        ([7] * ROWS, None, "the same in every row"),
        ([None] * ROWS, None, "the same in every row"),
    ],
)
def test_kinds_of_columns(column: list[Any], kind: str | None, note: str) -> None:
    found = table.kinds(frame(c=column))
    assert found.columns.get("c") == kind
    assert note in "; ".join(found.notes)


@pytest.mark.parametrize(
    ("values", "kind", "classes"),
    [
        (np.array([0, 1] * 50), "classes", (0, 1)),
        (np.array(["b", "a"] * 50), "classes", ("a", "b")),
        (np.array([True, False] * 50), "classes", (False, True)),
        (np.array([1.0, 2.0, 3.0] * 50), "classes", (1, 2, 3)),
        (np.arange(100), "numbers", ()),
        (np.linspace(0, 1, 7).repeat(20), "numbers", ()),
        (np.array([3, 1, 2]), "numbers", ()),
    ],
)
def test_kinds_of_targets(values: Any, kind: str, classes: tuple[Any, ...]) -> None:
    task, _ = infer(values, "y")
    assert (task.kind, task.classes) == (kind, classes)


def test_targets_come_back() -> None:
    import json

    numbers = rng().normal(50, 7, size=(30, 2))
    task = fitted(infer(numbers, "y")[0], numbers, scale=True)
    again = Task.from_json(json.loads(json.dumps(task.as_json())))
    assert again == task
    np.testing.assert_allclose(again.decode(again.encode(numbers)), numbers, rtol=1e-5)
    labels = np.array(["x", "y", "z"])
    task, _ = infer(labels.repeat(20), "y")
    assert task.decode(torch.eye(3)).tolist() == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("data", "target", "message"),
    [
        (frame(), "y", "there is no column 'y'"),
        (frame(price=1.0), "prise", "did you mean 'price'"),
        (frame(), None, "say which column to predict with --target"),
        (frame().iloc[:0], "a", "has no rows"),
        (frame(y=1.5), "y", "every row has the same 'y', 1.5: there is nothing to learn"),
        (frame(y="cat"), "y", "every row has the same 'y', 'cat'"),
        (frame(y=np.nan), "y", "no row has a value of 'y'"),
        (frame(y=[f"text {i}" for i in range(ROWS)]), "y", f"text with {ROWS} different values"),
        (frame(y=0.5).iloc[:3], "y", "3 samples with a target"),
        (frame(y=rng().normal(size=ROWS))[["y"]], "y", "there is no column to predict 'y' from"),
        (pd.DataFrame([[1, 2, 3]] * 9, columns=["a", "a", "y"]), "y", "2 columns named 'a' \\(columns 1, 2\\)"),
    ],
)
def test_tables_that_are_refused(data: pd.DataFrame, target: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(data, target)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b,a\n1,2,3\n", "columns named 'a'"),
        ("a,y\n", "has no rows"),
        ("a,y\n1,2\n1,2,3,4,5\n", "cannot read"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        load(tmp_path / "x.csv", "y")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("digit", "did you mean 'digits'"),
        ("nothing.csv", "there is no file"),
        (3, "not int"),
        ((np.zeros((5, 2)), np.zeros(4)), "X has 5 rows, y has 4"),
        ((np.zeros(5), np.zeros(5)), "at least two dimensions"),
        ((np.array([["a"]] * 9), np.arange(9)), "not numbers"),
        ((np.zeros((9, 2)), np.full(9, np.nan)), "0 samples with a target"),
    ],
)
def test_sources_that_are_refused(source: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(source)


def test_what_is_treated_is_said() -> None:
    y = rng().normal(size=ROWS)
    y[:7] = np.nan
    y[7] = np.inf
    data = frame(y=y, same=3)
    data.loc[9, "a"] = np.inf
    notes = "; ".join(load(data, "y").notes)
    assert "8 of 400 rows left out: their 'y' is missing or not finite" in notes
    assert "column 'a': 1 infinite value count as missing" in notes
    assert "1 column left out, the same in every row: same" in notes
    x = rng().normal(size=(50, 3))
    x[3, 1] = np.nan
    assert "1 numbers in X are missing or infinite" in "; ".join(load((x, x[:, 0])).notes)


def test_every_class_is_in_every_part() -> None:
    labels = np.array([0] * 80 + [1] * 20)
    parts = divide(100, Split(0.2, 0.25), labels)
    assert [len(part) for part in parts] == [55, 20, 25]
    assert sorted(np.concatenate(parts).tolist()) == list(range(100))
    assert all(abs(labels[part].mean() - 0.2) < 0.05 for part in parts)
    assert not np.array_equal(parts[0], divide(100, Split(0.2, 0.25, seed=1), labels)[0])


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.0), (1.0, 0.0), (0.6, 0.5)])
def test_splits_that_cannot_be(validation: float, test: float) -> None:
    with pytest.raises(InputError):
        Split(validation, test)


def test_datasets_and_loaders() -> None:
    x, y = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 3
    held = load(TensorDataset(x, y), split=Split(0.25, 0.0))
    assert isinstance(held.train, Examples)
    assert len(held.train) == 30
    assert (held.task.kind, held.task.outputs) == ("classes", 3)
    loader: DataLoader[Any] = DataLoader(TensorDataset(x, y.float()), batch_size=7)
    stream = load(loader)
    assert isinstance(stream.train, Stream)
    assert (stream.task.kind, stream.inputs) == ("numbers", (3,))
    assert [len(a) for a, _ in stream.train.batches(4)] == [7, 5]
    with pytest.raises(InputError, match="a batch must be a pair"):
        load(DataLoader(TensorDataset(x), batch_size=7))


def test_batches_hold_every_example_once_in_the_order_of_the_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.arange(10.0)[:, None]
    examples, order = Examples(x, x[:, 0]), shuffled(10, seed=3, epoch=2)
    assert not torch.equal(order, shuffled(10, seed=3, epoch=1))
    batches = list(examples.batches(4, order))
    assert [len(a) for a, _ in batches] == [4, 4, 2]
    assert torch.equal(torch.cat([b for _, b in batches]), order.float())
    monkeypatch.setattr("fallline.objective.batches.GATHERED", 0)
    late = list(examples.batches(4, order, start=1))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(late, batches[1:], strict=True))
    assert examples.fingerprint() != Examples(x + 1, x[:, 0]).fingerprint()

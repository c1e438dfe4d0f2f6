"""``fallline fit`` and ``fallline predict`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from fallline.cli import app

ROWS = 120


def run(*words: object, status: int = 0) -> Any:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    from sklearn.datasets import load_iris

    frame = load_iris(as_frame=True).frame
    frame["target"] = frame["target"].map({0: "setosa", 1: "versicolor", 2: "virginica"})
    path = tmp_path / "flowers.csv"
    frame.to_csv(path, index=False)
    return path


def test_fit_then_everything_else(flowers: Path, tmp_path: Path) -> None:
    root, report = tmp_path / "runs", tmp_path / "report.json"
    said = run(
        "fit", flowers, "--target", "target", "--hidden", "16x2", "--lr", "0.01", "--runs", root, "--json", report
    )
    assert "3 classes: setosa, versicolor, virginica" in said.stdout
    assert "checks passed" in said.stdout
    summary = json.loads(report.read_text())
    assert summary["network"]["text"] == "4-16-16-3"
    assert summary["scores"]["test"]["score"] > 0.85
    assert "fit-flowers-1" in run("runs", "--runs", root).stdout
    assert "fit" in run("report", "fit-flowers-1", "--runs", root).stdout
    run("diagnose", "fit-flowers-1", "--runs", root)
    out = tmp_path / "predicted.csv"
    run("predict", "fit-flowers-1", flowers, "--out", out, "--runs", root)
    predicted, truth = pd.read_csv(out), pd.read_csv(flowers)
    assert (predicted["target"] == truth["target"]).mean() > 0.9
    assert list(predicted.columns) == ["target", "p(setosa)", "p(versicolor)", "p(virginica)"]
    assert "setosa" in run("predict", "fit-flowers-1", flowers, "--runs", root).stdout


def test_going_on(tmp_path: Path) -> None:
    run("fit", "wine", "--epochs", "3", "--patience", "0", "--quiet", "--runs", tmp_path)
    said = run("fit", "--resume", "fit-wine-1", "--epochs", "5", "--quiet", "--runs", tmp_path)
    assert "5 epochs" in said.stdout
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit"], "give a file or the name of a set"),
        (["fit", "digits", "--resume", "x"], "give a file or the name of a set"),
        (["fit", "--resume", "x"], "there is no run 'x'"),
        (["fit", "--resume", "x", "--lr", "0.1", "--batch-size", "8"], "leave out --batch-size, --lr"),
        (["fit", "digit"], "did you mean 'digits'"),
        (["fit", "digits", "--target", "targt"], "did you mean 'target'"),
        (["fit", "digits", "--task", "text"], "--task takes classes or numbers"),
        (["fit", "digits", "--hidden", "3y"], "hidden layers are written as"),
        (["fit", "digits", "--option", "betas"], "--option takes NAME=VALUE"),
        (["fit", "digits", "--option", "betta=1"], "Adam has no option 'betta'; did you mean 'betas'"),
        (["fit", "digits", "--schedule", "cosin"], "did you mean 'cosine'"),
        (["fit", "digits", "--model", "net"], "module:factory"),
        (["fit", "digits", "--budget", "0"], "budget"),
        (["predict", "x", "y.csv"], "there is no run 'x'"),
    ],
)
def test_mistakes_are_one_sentence(words: list[str], message: str, tmp_path: Path) -> None:
    result = run(*words, "--runs", tmp_path, status=2)
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.strip().splitlines()) == 1


def test_values_that_a_prediction_cannot_read(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"age": range(3, 43), "colour": ["red", "blue"] * 20, "born": pd.date_range("2020-01-01", periods=40)}
    )
    table.assign(target=table["age"] * 2.0).to_csv(tmp_path / "t.csv", index=False)
    run("fit", tmp_path / "t.csv", "--epochs", "1", "--quiet", "--runs", tmp_path / "runs")
    assert run("predict", "fit-t-1", tmp_path / "t.csv", "--runs", tmp_path / "runs").stderr == ""
    few = table.head(4).assign(
        age=["7", "old", "9", None], colour=["red", "pink", "blue", None], born=["2020-01-05", "soon", "later", None]
    )
    few.to_csv(tmp_path / "few.csv", index=False)
    said = run("predict", "fit-t-1", tmp_path / "few.csv", "--runs", tmp_path / "runs").stderr.splitlines()
    assert said == [
        "fallline: column 'age': 1 of 4 values cannot be read as numbers and count as missing, as 'old'",
        "fallline: column 'colour': 1 of 4 values were not among those of the training, as 'pink'",
        "fallline: column 'born': 2 of 4 values cannot be read as dates and count as missing, as 'soon'",
    ]


def test_columns_that_a_prediction_needs(flowers: Path, tmp_path: Path) -> None:
    run("fit", flowers, "--epochs", "1", "--quiet", "--runs", tmp_path / "runs")
    frame = pd.read_csv(flowers).rename(columns={"petal width (cm)": "petal width"})
    frame.to_csv(flowers, index=False)
    said = run("predict", "fit-flowers-1", flowers, "--runs", tmp_path / "runs", status=2).stderr
    assert "has no column 'petal width (cm)'" in said
    assert "did you mean 'petal width'" in said

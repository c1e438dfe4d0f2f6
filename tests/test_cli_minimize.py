"""The command as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fallline.cli import app


def run(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["minimize", *args])
    return result.exit_code, result.stdout, result.stderr


def test_the_arithmetic_is_spelled_out() -> None:
    status, out, _ = run("w^2", "--start", "5", "--lr", "0.1")
    assert status == 0
    assert "f'(w) = 2·w" in out
    assert "5 − 0.1·10 = 4" in out
    assert "4 − 0.1·8 = 3.2" in out
    assert "✓ minimum  after 73 steps" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_two_variables_and_their_distance() -> None:
    _, out, _ = run("w1**2 + w2**2", "--start", "5,-4", "--lr", "0.1")
    assert "w2 = −4 − 0.1·(−8) = −3.2" in out
    assert "6.4031" in out  # √41
    assert "5.1225" in out  # √26.24
    assert "w1 decreases: its slope is 10; the largest step." in out


def test_json(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    run("two-wells", "--json", str(file))
    data = json.loads(file.read_text())
    assert {"x", "fun", "jac", "nit", "nfev", "success", "status", "message", "path", "values", "gradients"} <= set(
        data
    )
    assert data["schema"] == 1
    assert data["verdict"]["kind"] == "saddle"
    assert data["success"] is False
    run("-x^2", "--start", "1", "--lr", "1", "--compare", "lr=0.1,1.5", "--json", str(file))
    assert [result["verdict"]["kind"] for result in json.loads(file.read_text())["results"]] == ["unbounded"] * 2


def test_side_by_side() -> None:
    _, out, _ = run("w^2", "--start", "5", "--compare", "lr=0.01,0.1,1.05")
    assert "✗ diverged" in out
    assert out.count("✓ minimum") == 2
    _, out, _ = run("valley", "--compare", "optimizer=gd,momentum,adam", "--max-iter", "50")
    assert "optimizer adam" in out


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_pictures(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"p.{ending}"
    assert run("w^2", "--start", "5", "--lr", "0.1", "--plot", str(file))[0] == 0
    assert file.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["2x^", "--start", "1"], "ends too early"),
        (["w^2"], "give a start"),
        (["w^2", "--start", "a"], "--start takes numbers"),
        (["w^2", "--start", "1", "--lr", "fast"], "--lr takes a number"),
        (["w^2", "--start", "1", "--lr", "0"], "above 0; got 0"),
        (["w^2", "--start", "1", "--compare", "speed=1"], "--compare takes"),
        (["w^2", "--start", "1", "--plot", "p.gif"], ".png or .svg"),
        (["w^2", "--start", "1", "--plot", "p.png", "--picture", "contour"], "2 variables"),
        (["w^2", "--start", "1", "--optimizer", "x"], "no optimizer 'x'"),
    ],
)
def test_mistakes(args: list[str], what: str) -> None:
    status, _, error = run(*args)
    assert status == 2
    assert what in error
    assert "Traceback" not in error


def test_the_catalogue() -> None:
    result = CliRunner().invoke(app, ["functions"])
    assert result.exit_code == 0
    assert "rosenbrock" in result.stdout

"""`fallline explain`: every page is there without a network, and its sick program has what it says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from fallline.cli import app
from fallline.diagnosis.diagnose import diagnose
from fallline.record.run import Run
from fallline.view import explain


@pytest.mark.parametrize("code", explain.codes())
def test_example_has_the_finding_of_its_page(code: str, watched: Callable[..., Run]) -> None:
    program = explain.example(code)
    assert 10 <= len([line for line in program.splitlines() if line.strip()]) <= 25
    run = watched(lambda: exec(compile(program, f"{code}.py", "exec"), {"__name__": "__main__"}), budget=0.03)
    findings = diagnose(run).findings
    assert [finding.code for finding in findings][:1] == [code]  # the root cause, not one of several


def test_page_for_a_terminal() -> None:
    done = CliRunner().invoke(app, ["explain", "vanishing-gradient"])
    assert done.exit_code == 0
    assert all(f"## {part}" in done.stdout for part in explain.PARTS)
    assert "](" not in done.stdout
    assert "| `gain` | 0.001 |" in done.stdout


@pytest.mark.parametrize("code", [*explain.codes(), explain.TERMS])
def test_a_page_fits_a_terminal(code: str) -> None:
    text, program = explain.explain(code), explain.page(code).split("```")[1::2]
    assert text.split("```")[1::2] == program
    for part in program:
        text = text.replace(part, "")
    assert max(map(len, text.splitlines())) <= 80


def test_example_alone_is_a_program() -> None:
    done = CliRunner().invoke(app, ["explain", "plateau", "--example"])
    assert done.exit_code == 0
    compile(done.stdout, "plateau.py", "exec")


def test_list_names_every_code() -> None:
    done = CliRunner().invoke(app, ["explain"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == explain.codes()


@pytest.mark.parametrize(
    ("code", "near"), [("vanishing", "vanishing-gradient"), ("Dead_Units", "dead-units"), ("xyz", "it is one of")]
)
def test_unknown_code_names_the_nearest(code: str, near: str) -> None:
    done = CliRunner().invoke(app, ["explain", code])
    assert done.exit_code == 2
    assert near in done.stderr
    assert "Traceback" not in done.output

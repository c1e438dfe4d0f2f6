"""The pages say what the code holds: every check, remedy, command and column is described, with the numbers it has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer.main

from fallline.cli import app
from fallline.diagnosis.checks import CHECKS
from fallline.diagnosis.finding import Check
from fallline.record.schema import TABLES, columns
from fallline.treatment.remedies import REMEDIES
from fallline.treatment.remedy import Remedy
from fallline.view import explain

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = ROOT / "src" / "fallline" / "view" / "pages"
PARTS = ["Changes", "Applied", "Doses", "For", "Source"]  # of a remedy
BESIDES = ["The checks", "Terms"]  # sections of checks.md
CODES = [check.code for check in CHECKS]
ROOTS = {
    code
    for manifest in (ROOT / "corpus").glob("manifest*.json")
    for program in json.loads(manifest.read_text())
    for code in program["root"]
}
COMMANDS = sorted(typer.main.get_command(app).commands.items())  # type: ignore[attr-defined]  # it is a group


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str, level: int = 2) -> dict[str, str]:
    """What stands under each heading of a level, by the heading."""
    parts = re.split(rf"^{'#' * level} (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def cells(text: str) -> Iterator[list[str]]:
    """The rows of all tables, as the texts of their cells."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def named(text: str) -> set[str]:
    """What stands between backquotes in the first column of a table."""
    return {name for row in cells(text) for name in re.findall(r"`([^`]+)`", row[0])}


def thresholds(check: Check) -> dict[str, list[float]]:
    """The fields of a check, as lists of one number, or of more where a field has more."""
    values: dict[str, Any] = {field.name: getattr(check, field.name) for field in fields(check)}  # type: ignore[arg-type]
    return {
        name: [float(x) for x in (value if isinstance(value, tuple) else (value,))]
        for name, value in values.items()
        if name != "code"
    }


CHECK_PAGE = {code: explain.page(code) for code in CODES}
REMEDY_PAGE = sections(page("remedies.md"))


def test_every_page_is_of_a_check() -> None:
    pages = {path.stem for path in PAGES.glob("*.md")}
    assert pages == {*CODES, explain.TERMS}
    assert list(sections(page("checks.md"))) == BESIDES


@pytest.mark.parametrize("check", CHECKS, ids=CODES)
def test_check_is_described(check: Check) -> None:
    parts = sections(CHECK_PAGE[check.code])
    assert CHECK_PAGE[check.code].startswith(f"# {check.code}\n\n")
    assert explain.summary(check.code).endswith(".")
    assert tuple(parts) == explain.PARTS
    assert all(text.strip() for text in parts.values())


@pytest.mark.parametrize("check", CHECKS, ids=CODES)
def test_thresholds_are_those_of_the_class(check: Check) -> None:
    rows = {row[0].strip("`"): row[1] for row in cells(CHECK_PAGE[check.code]) if row[0].startswith("`")}
    assert {name: [float(x) for x in value.split(",")] for name, value in rows.items()} == thresholds(check)


@pytest.mark.parametrize("code", CODES)
def test_check_names_its_remedies(code: str) -> None:
    written = re.findall(r"remedies\.md#([\w-]+)", sections(CHECK_PAGE[code])["What to do"])
    assert written == [remedy.name for remedy in REMEDIES if code in remedy.treats]


@pytest.mark.parametrize("code", CODES)
def test_check_has_a_program(code: str) -> None:
    assert code in ROOTS


def test_remedies_page_has_no_other_section() -> None:
    assert list(REMEDY_PAGE) == [remedy.name for remedy in REMEDIES]


@pytest.mark.parametrize("remedy", REMEDIES, ids=[remedy.name for remedy in REMEDIES])
def test_remedy_is_described(remedy: Remedy) -> None:
    text = REMEDY_PAGE[remedy.name]
    assert re.findall(r"^- \*\*(\w+):\*\*", text, flags=re.MULTILINE) == PARTS
    assert re.findall(r"checks/([\w-]+)\.md", text) == [code for code in CODES if code in remedy.treats]


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_command_is_described(name: str, command: Any) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md")))
    assert command.help
    assert f"`fallline {name}" in text
    options = [max(option.opts, key=len) for option in command.params if option.param_type_name == "option"]
    assert [option for option in options if f"`{option}" not in text] == []


@pytest.mark.parametrize("table", TABLES)
def test_columns_are_described(table: str) -> None:
    described = sections(page("record.md"), level=3)[table]
    assert set(columns(table)) <= named(described)

"""Programs, sick and healthy, that state what must be said of them. One test runs them all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from warm import Warm

from fallline.diagnosis.checks import CHECKS

CORPUS = Path(__file__).parent.parent / "corpus"
CASES: list[dict[str, Any]] = [
    case for manifest in sorted(CORPUS.glob("manifest*.json")) for case in json.loads(manifest.read_text())
]
CODES = {check.code for check in CHECKS}
STEADY = str(Path(__file__).with_name("steady.py"))  # so that the tests say the same on every machine
QUICK = {"f04", "f05", "f24", "f48", "f54", "f69", "h14", "h31"}  # of every kind, a few seconds each
ALARMS = ("error", "warning")
WARM = Warm()


def marks(case: dict[str, Any]) -> list[pytest.MarkDecorator]:
    """What no check can name yet is expected to be missed, not left out."""
    slow = [] if case["id"] in QUICK else [pytest.mark.slow]
    if case["kind"] == "healthy":
        return slow
    if "missed" in case:  # known, and why; "unsteady": in some runs only, as its dense measurements fall
        return [*slow, pytest.mark.xfail(reason=case["missed"], strict=not case.get("unsteady"))]
    if case["root"][0] not in CODES:  # its main cause; another of its codes may be found instead
        return [*slow, pytest.mark.xfail(reason=f"no check yet for {case['root'][0]}", strict=False)]
    return slow


@pytest.mark.parametrize("case", [pytest.param(case, marks=marks(case), id=case["id"]) for case in CASES])
def test_program(case: dict[str, Any], tmp_path: Path) -> None:
    program = CORPUS / case["id"] / "train.py"
    environment = dict(os.environ, OMP_NUM_THREADS="1", SEED="0")
    command = [STEADY, "run", "--json", "report.json", str(program)]
    status, _, _ = WARM.run(command, environment, str(tmp_path), 600)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["notes"] == []
    assert not any("fault of fallline's own" in reason for reason in report["checks"]["not_applicable"].values())
    assert status == report["program"]["exit"]
    alarms = [finding["code"] for finding in report["findings"] if finding["severity"] in ALARMS]
    if case["kind"] == "faulty":
        assert alarms
        assert alarms[0] in case["root"]
    else:
        assert set(alarms) <= set(case["also"])

"""A diagnosis as JSON: the schema that other tools read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fallline.diagnosis.diagnose import Diagnosis
from fallline.diagnosis.finding import Finding
from fallline.record.run import Run

SCHEMA = 1


def report(run: Run, diagnosis: Diagnosis) -> dict[str, Any]:
    """The report of a run; ``checks`` and ``findings`` together hold every check exactly once."""
    overhead = float(run.meta.get("overhead_seconds", 0.0))
    training = float(run.meta.get("training_seconds", 0.0))
    return {
        "schema": SCHEMA,
        "run": str(run.folder),
        "program": {
            "argv": run.meta.get("argv", []),
            "exit": run.meta.get("exit"),
            "error": run.meta.get("error"),
            "seconds": run.meta.get("seconds", training),
        },
        "models": [{"name": m.name, "class": m.kind, "parameters": m.parameters} for m in run.models],
        "steps": len(run.steps),
        "overhead": {"seconds": overhead, "share": overhead / training if training > 0 else 0.0},
        "notes": run.meta.get("notes", []),
        "findings": [finding(f) for f in diagnosis.findings],
        "checks": {"passed": list(diagnosis.passed), "not_applicable": diagnosis.not_applicable},
    }


def finding(found: Finding) -> dict[str, Any]:
    """One finding; numbers that JSON cannot hold become text."""
    data = asdict(found)
    data["evidence"] = {name: _finite(value) for name, value in found.evidence.items()}
    return {**data, "layers": list(found.layers), "steps": list(found.steps), "remedies": list(data["remedies"])}


def rows(findings: Sequence[Finding]) -> list[tuple[int, str]]:
    """Findings as the record keeps them: their place and their text."""
    return [(place, json.dumps(finding(found))) for place, found in enumerate(findings)]


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from fallline.diagnosis import causes
from fallline.diagnosis.checks import CHECKS
from fallline.diagnosis.diagnose import COURSE, _own_fault, diagnose
from fallline.diagnosis.finding import Finding, Severity
from fallline.diagnosis.outcome import judge

Record = Callable[[], Any]
ORDER = [check.code for check in CHECKS]


def finding(code: str, severity: Severity = "error", steps: tuple[int, int] = (0, 10), **evidence: float) -> Finding:
    return Finding(code, severity, code, "seen", "why", "disproof", steps=steps, evidence=evidence)


def test_every_check_stands_exactly_once(record: Record) -> None:
    diagnosis = diagnose(record().chain(3).losses([2.3] * 50).run())
    said = [f.code for f in diagnosis.findings] + list(diagnosis.passed) + list(diagnosis.not_applicable)
    assert sorted(said) == sorted(ORDER)


def test_an_empty_record_raises_nothing(record: Record) -> None:
    diagnosis = diagnose(record().run())
    assert diagnosis.findings == ()
    assert diagnosis.not_applicable


def test_nothing_that_follows_the_loss_passes_where_it_is_never_a_number(record: Record) -> None:
    diagnosis = diagnose(record().chain(3).losses([math.nan] * 50).run())
    assert "non-finite" in {f.code for f in diagnosis.findings}
    assert not COURSE & set(diagnosis.passed)
    assert diagnosis.not_applicable["plateau"] == "no loss is a finite number"


def test_a_check_that_fails_itself_does_not_take_the_others_with_it(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        code = "plateau"

        def look(self, run: Any) -> None:
            raise IndexError("index 6 is out of bounds")

    monkeypatch.setattr("fallline.diagnosis.diagnose._own_fault", _own_fault)
    checks = [Broken(), *(check for check in CHECKS if check.code != "plateau")]
    run = record().chain(3).losses([math.nan, 1.0] * 25).run()
    assert [f.code for f in diagnose(run, checks).findings] == [f.code for f in diagnose(run).findings] != []
    reason = diagnose(run, checks).not_applicable["plateau"]
    assert reason == "by a fault of fallline's own: IndexError: index 6 is out of bounds"


def test_one_cause_with_its_consequences_under_it() -> None:
    ranked = causes.rank(
        [
            finding("plateau"),
            finding("dead-units", from_start=0.0, share=1.0),
            finding("learning-rate-too-high"),
        ],
        ORDER,
    )
    assert [(f.code, f.because_of) for f in ranked] == [
        ("learning-rate-too-high", None),
        ("dead-units", "learning-rate-too-high"),
        ("plateau", "learning-rate-too-high"),
    ]


@pytest.mark.parametrize(
    ("consequence", "cause"),
    [
        (finding("learning-rate-too-high"), finding("dead-units", from_start=1.0, share=1.0)),
        (finding("non-finite", steps=(50, 50)), finding("learning-rate-too-high", steps=(0, 40))),
        (finding("learning-rate-too-high", steps=(1, 9)), finding("non-finite", steps=(0, 0))),
        (finding("vanishing-gradient"), finding("bad-initialisation", forward=1e-4)),
        (finding("learning-rate-too-high"), finding("stale-gradient")),
        (finding("plateau"), finding("vanishing-gradient")),
        (finding("learning-rate-too-low"), finding("symmetric-units")),
        (finding("learning-rate-too-low"), finding("vanishing-gradient")),
        (finding("vanishing-gradient"), finding("learning-rate-too-low", since=24.0)),
        (finding("exploding-gradient"), finding("oscillating-loss", ordered=1.0)),
        (finding("non-finite", steps=(60, 60)), finding("loss-spike", steps=(50, 62), data=1.0)),
        (finding("no-gradient", parameters=4.0), finding("unscaled-data", rate_fits=1.0)),
    ],
)
def test_what_follows_from_what(consequence: Finding, cause: Finding) -> None:
    ranked = causes.rank([consequence, cause], ORDER)
    assert (ranked[0].code, ranked[0].because_of) == (cause.code, None)
    assert (ranked[1].code, ranked[1].because_of) == (consequence.code, cause.code)


def test_causes_never_close_a_circle() -> None:
    everything = [
        finding(code, from_start=float(i % 2), forward=1.0, share=1.0, rate_fits=1.0, data=1.0, parameters=1.0)
        for i, code in enumerate(ORDER)
    ]
    ranked = causes.rank(everything, ORDER)
    parents = {f.code: f.because_of for f in ranked}
    assert any(parent is None for parent in parents.values())
    for code in parents:
        seen, at = set(), parents[code]
        while at is not None:
            assert at not in seen
            seen.add(at)
            at = parents[at]


def test_rules_name_known_codes() -> None:
    assert {code for consequence, cause, _ in causes.RULES for code in (consequence, cause)} <= set(ORDER)


@pytest.mark.parametrize(
    ("counts", "trivial"), [([10] * 10, math.log(10)), ([50, 50], math.log(2)), ([90, 10], 0.3250829733914482)]
)
def test_loss_of_a_constant_prediction(record: Record, counts: list[int], trivial: float) -> None:
    outcome = judge(record().losses([3.0] * 30).classes(counts).run().trainings[0])
    assert outcome.trivial == pytest.approx(trivial)


def test_variance_of_the_targets_is_the_trivial_squared_error(record: Record) -> None:
    made = record().losses([3.0] * 30)
    detail = {"kind": "mse", "ops": ["mseloss"], "factor": 0.5, "reduction": "mean", "elements": 4, "weighted": False,
              "target": {"shape": [4, 1], "mean": 1.0, "variance": 4.0}}  # fmt: skip
    made.sights = [made.classes([1]).sights[0].__class__(0, 1, detail)]
    assert judge(made.run().trainings[0]).trivial == pytest.approx(2.0)  # times the factor in front of the loss


def test_an_unknown_loss_is_stuck_only_when_it_is_flat(record: Record) -> None:
    noisy = [1.0 + 0.3 * math.sin(3 * i) for i in range(200)]
    assert not judge(record().losses(noisy).run().trainings[0]).stuck
    assert judge(record().losses([1.0] * 200).run().trainings[0]).stuck

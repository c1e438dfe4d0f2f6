from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fallline.diagnosis.checks import CHECKS
from fallline.diagnosis.diagnose import Diagnosis, diagnose
from fallline.diagnosis.finding import Finding, Prescription
from fallline.treatment.candidates import candidates, further, with_companions
from fallline.treatment.clinic import overdone
from fallline.treatment.prescribe import prescribe, remedies_for
from fallline.treatment.remedies import BY_NAME, RARE, REMEDIES
from fallline.treatment.remedies.learning_rate import LearningRate
from fallline.treatment.remedy import failing
from fallline.treatment.trial import SQUARES, Comparison, Trial, _mended, compare, end_loss

Record = Callable[[], Any]


def finding(code: str, **evidence: float) -> Finding:
    return Finding(code, "error", code, "seen", "why", "disproof", evidence=evidence)


def sick(record: Record) -> Any:
    made = record().chain(5, "sigmoid").losses([2.303] * 100).classes([10] * 10)
    made.measure(range(10), {"grad_out": [1e-8, 1e-6, 1e-4, 1e-2, 1.0]}, slope=0.24, in_spread=1.0, flat=0.0, dead=0.0)
    return made.weigh(range(10), grad=1.0, weight=1.0, update_norm=1e-3, displacement=1e-3).run()


def test_an_equation_asks_for_an_activation_whose_derivatives_bend(record: Record) -> None:
    propose = BY_NAME["activation"].propose
    for activation, plain, derived in (("sigmoid", ["relu", "selu", "tanh"], ["tanh"]), ("tanh", ["relu", "selu"], [])):
        made = record().chain(3, activation).losses([1.0] * 20)
        assert [p.args["to"] for p in propose(finding("plateau"), made.run())] == plain
        made.event(0, "derivative")
        assert [p.args["to"] for p in propose(finding("plateau"), made.run())] == derived


def test_every_code_has_a_remedy() -> None:
    treated = {code for remedy in REMEDIES for code in remedy.treats}
    assert {check.code for check in CHECKS} <= treated


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(REMEDIES)


def test_the_first_dose_of_every_remedy_comes_before_second_ones(record: Record) -> None:
    rare = {remedy.name for remedy in RARE}
    every = [r.name for r in remedies_for(finding("vanishing-gradient"), sick(record))]
    names = [name for name in every if name not in rare]
    assert every[: len(names)] == names  # what is seldom the best comes last
    firsts = list(dict.fromkeys(names))
    assert names[: len(firsts)] == firsts


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.name)
def test_a_proposal_says_why_and_what_to_write(record: Record, remedy: Any) -> None:
    run = sick(record)
    for code in remedy.treats:
        for proposal in remedy.propose(finding(code), run):
            assert proposal.name == remedy.name
            assert proposal.why
            assert remedy.change(proposal.args, run)


def test_no_rate_wakes_what_was_dead_before_any_update(record: Record) -> None:
    propose = BY_NAME["learning-rate"].propose
    assert propose(finding("dead-units", from_start=1.0), sick(record)) == []
    assert len(propose(finding("dead-units", from_start=0.0), sick(record))) == 2


def test_nobody_knows_what_is_missing_where_optimizers_were_not_told_apart(record: Record) -> None:
    propose = BY_NAME["register-parameters"].propose
    made = record().chain(3).losses([1.0] * 20)
    run = replace(made.run(), optimizers=(replace(made.run().optimizers[0], parameters=frozenset({0})),))
    assert [p.args["parameters"] for p in propose(finding("no-gradient"), run)] == [["layer1.weight", "layer2.weight"]]
    crowded = replace(run)
    crowded.steps["optimizer"][10:] = -1
    assert crowded.crowded
    assert propose(finding("no-gradient"), crowded) == []


def test_half_the_measured_limit(record: Record) -> None:
    proposal = BY_NAME["learning-rate"].propose(finding("learning-rate-too-high", limit=0.02), sick(record))
    assert [p.args["lr"] for p in proposal] == [0.01]


def test_clipping_takes_its_threshold_from_the_run(record: Record) -> None:
    made = record().chain(1).losses([1.0] * 10).weigh(range(10), grad=list(np.linspace(1, 10, 10)), weight=1.0)
    proposal = BY_NAME["clip-gradient"].propose(finding("exploding-gradient"), made.run())
    assert proposal[0].args["max_norm"] == pytest.approx(np.percentile(np.linspace(1, 10, 10), 10), rel=0.05)


def test_what_is_seldom_the_best_is_tried_last(record: Record) -> None:
    names = [remedy.name for remedy in candidates(trial(sick(record)))]
    rare = {remedy.name for remedy in RARE}
    last = [name for name in names if name in rare]
    assert last
    assert names[-len(last) :] == last


def trial(run: Any, remedies: tuple[Any, ...] = ()) -> Trial:
    return Trial(remedies, 0, run, prescribe(diagnose(run), run), 0, 1.0)


def held(record: Record, before: list[float], after: list[float]) -> Comparison:
    runs = [record().chain(2).losses(values).classes([10] * 10).run() for values in (before, after)]
    return compare(trial(runs[0]), trial(runs[1]))


def test_better_is_a_clear_difference_at_equal_updates(record: Record) -> None:
    assert held(record, [2.3] * 100, [0.5] * 100).better
    assert not held(record, [2.3] * 100, [2.25] * 100).better  # within five per cent of the guess
    assert not held(record, [2.3] * 100, [2.3] * 80 + [float("nan")] * 20).better
    assert held(record, [float("nan")] * 100, [0.5] * 100).better


def test_what_was_never_finite_is_measured_by_where_the_trial_began(record: Record) -> None:
    def compared(losses: list[float]) -> Comparison:
        runs = [record().chain(2).losses(values).run() for values in ([float("nan")] * 60, losses)]
        return compare(trial(runs[0]), trial(runs[1]))

    assert compared([90.0] * 10 + [20.0] * 50).better
    assert not compared([90.0] * 10 + [400.0] * 50).better


def test_a_program_that_stops_early_is_better_only_where_it_has_arrived(record: Record) -> None:
    assert held(record, [2.3] * 100, [2.3] * 10 + [0.01] * 20).better
    assert not held(record, [2.3] * 100, [1.0] * 30).better


def test_a_loss_without_a_floor_is_not_better_for_being_lower(record: Record) -> None:
    falling = [1.0, *(-(10.0**i) for i in range(12))]
    assert not held(record, falling, [1.0, *(-(2 * 10.0**i) for i in range(12))]).better
    assert not held(record, falling, [1.0, *(-(4.0**i) for i in range(12))]).better
    assert held(record, falling, [1.0, *([-0.2] * 12)]).better
    runs = [record().chain(2).losses(values).classes([10] * 10).run() for values in (falling, [1.0, *([-0.2] * 12)])]
    lower = Prescription("learning-rate", {"factor": 0.01, "lr": 1e-5}, "")
    assert not compare(trial(runs[0]), trial(runs[1], (lower,))).better  # it only falls later


def test_a_cut_that_is_mended_is_better_where_the_loss_means_nothing(record: Record) -> None:
    risen = held(record, [0.5] * 100, [2.3] * 100)
    assert not risen.better
    mended = replace(risen, mended=True)
    assert mended.better
    assert mended.rest == 0
    assert not replace(mended, new=("non-finite",)).better
    assert not replace(mended, after=math.inf).better  # it did not come to the end
    assert not replace(held(record, [2.3] * 100, [0.5] * 100), mended=False).better


def test_the_first_fault_is_mended_by_a_remedy_for_it(record: Record) -> None:
    run = sick(record)
    remedy, lower = Prescription("zero-grad", {}, ""), Prescription("learning-rate", {"factor": 0.1}, "")
    first = replace(finding("stale-gradient"), remedies=(remedy,))
    untreated = replace(trial(run), diagnosis=Diagnosis((first, finding("plateau")), (), {}))
    assert _mended(untreated, trial(run, (remedy,))) is True
    assert _mended(untreated, trial(run, (lower,))) is False  # nothing was put right
    assert _mended(untreated, replace(untreated, remedies=(remedy,))) is False  # it is still there
    assert _mended(replace(untreated, diagnosis=Diagnosis((finding("plateau"),), (), {})), untreated) is None


@pytest.mark.parametrize(("steps", "number"), [((0, 191), 1), ((60, 60), 1), ((3, 59), 0), ((0, 500), None)])
def test_a_finding_belongs_to_the_training_that_it_ends_in(steps: tuple[int, int], number: int | None) -> None:
    spans: Any = [SimpleNamespace(steps={"step": np.arange(first, last)}) for first, last in ((0, 60), (60, 192))]
    run: Any = SimpleNamespace(trainings=spans)
    assert failing(replace(finding("stale-gradient"), steps=steps), run) == number


def test_enough_is_solved_or_healthy(record: Record) -> None:
    nearly = list(np.linspace(2.3, 0.3, 50)) + [0.3] * 50
    assert held(record, [2.3] * 100, [0.1] * 100).enough
    assert not held(record, [0.31] * 100, nearly).enough  # no better than before
    assert not held(record, [2.3] * 100, [0.6] * 100).enough
    tenth = held(record, [2.3] * 100, [0.2] * 100)
    assert tenth.solved
    assert not replace(tenth, strict=SQUARES).solved
    sore = record().chain(2).losses(nearly).classes([10] * 10)
    sore.weigh(range(10), grad=1.0, weight=1.0)
    run = sore.run()
    found = Trial((), 0, run, Diagnosis((finding("stale-gradient"),), (), {}), 0, 1.0)
    base = trial(record().chain(2).losses([2.3] * 100).classes([10] * 10).run())
    assert compare(base, replace(found, diagnosis=Diagnosis((), (), {}))).enough
    assert not compare(base, found).enough


def test_a_loss_that_still_falls_is_not_healthy(record: Record) -> None:
    down, falling = (held(record, [2.3] * 100, after) for after in ([1.0] * 100, list(np.linspace(2.3, 1.0, 100))))
    for compared, healthy in ((down, True), (falling, False)):
        quiet = replace(compared.trial, diagnosis=Diagnosis((), (), {}))
        assert replace(compared, trial=quiet).healthy is healthy
        named = replace(compared.trial, diagnosis=Diagnosis((finding("plateau"),), (), {}))
        assert not replace(compared, trial=named).healthy


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("metric=r2 value=-1.5e-3", ("metric=r value=", -1.5e-3)),
        ("epoch 3: 97.5%", ("epoch : %", 97.5)),
        ("done", None),
        ("training took 12.5", None),
        ("finished in 3.2 s", None),
    ],
)
def test_what_a_program_says_last(line: str, told: tuple[str, float] | None) -> None:
    assert Trial((), 0, None, None, 0, 1.0, last_line=line).told == told


def test_what_leads_the_result_back_overdoes_it(record: Record) -> None:
    one, two = (Prescription(name, {}, name) for name in ("match-shapes", "learning-rate"))
    base = replace(trial(sick(record)), last_line="r2 0.02")

    def after(loss: float, line: str, *remedies: Prescription) -> Comparison:
        compared = held(record, [2.3] * 100, [loss] * 100)
        return replace(compared, trial=replace(compared.trial, remedies=remedies, last_line=line))

    cured = after(0.8, "r2 0.34", one)
    assert overdone(base, cured, after(0.4, "r2 0.14", one, two))
    assert not overdone(base, cured, after(0.4, "r2 0.33", one, two))  # the noise of a test set
    assert not overdone(base, cured, after(0.4, "r2 0.50", one, two))
    assert not overdone(base, cured, after(0.4, "loss 0.14", one, two))  # another number
    assert overdone(base, cured, after(0.78, "r2 0.50", one, two))  # hardly any lower
    assert not overdone(base, cured, after(0.4, "r2 0.14", two))  # another remedy, not one more
    assert not overdone(base, after(2.3, "r2 0.34", one), after(0.4, "r2 0.14", one, two))  # which was no cure


def test_a_trial_that_stops_early_is_held_against_the_same_number_of_updates(record: Record) -> None:
    falling = list(np.linspace(2.3, 0.1, 100))
    comparison = held(record, falling, falling[:50])
    assert comparison.updates == 50
    assert comparison.before == comparison.after
    assert not held(record, list(np.linspace(2.3, 2.0, 100)), [1.0] * 10).better  # a tenth of the updates shows nothing


def test_a_dead_process_has_an_infinite_loss() -> None:
    assert end_loss(Trial((), 0, None, None, 1, 1.0), 100) == float("inf")


def test_candidates_come_from_the_root_cause_first(record: Record) -> None:
    found = candidates(trial(sick(record)))
    assert found[0].name in {r.name for r in remedies_for(finding("vanishing-gradient"), sick(record))}
    assert len({(r.name, str(r.args)) for r in found}) == len(found)


def test_inputs_and_targets_are_scaled_together_after_each_alone() -> None:
    inputs, targets, rate = (
        Prescription(name, {}, name) for name in ("scale-inputs", "scale-targets", "learning-rate")
    )
    assert with_companions([inputs, targets, rate]) == [(inputs,), (targets,), (inputs, targets), (rate,)]
    assert with_companions([targets, rate]) == [(targets,), (rate,)]


def test_a_rate_that_helped_and_is_still_too_low_is_raised_again(record: Record) -> None:
    slow = record().chain(2).losses(list(np.linspace(2.3, 2.0, 100))).classes([10] * 10)
    slow.weigh(range(0, 100, 5), grad=1.0, weight=1.0, update_norm=1e-4, displacement=list(np.linspace(0, 0.01, 20)))
    rate = BY_NAME["learning-rate"].propose(finding("learning-rate-too-low"), sick(record))[1]
    base, helped = trial(sick(record)), trial(slow.run(), (rate,))
    added = further(compare(base, helped))
    assert [p.args["factor"] for p in added[0]] == [1000.0]
    assert [p.args["lr"] for p in added[0]] == [pytest.approx(10 * rate.args["lr"])]
    better = trial(sick(record), tuple(BY_NAME["activation"].propose(finding("vanishing-gradient"), sick(record))[:1]))
    better = compare(base, replace(better, run=slow.run()))
    assert [p.args.get("factor") for pair in further(better) for p in pair[1:]][-2:] == [3.0, 10.0]
    down = BY_NAME["learning-rate"].propose(finding("exploding-gradient"), sick(record))[0]
    assert LearningRate().further(rate, down) is None

"""Every check on numbers made by hand: what it must say, and what must not alarm it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fallline.diagnosis.checks.bad_initialisation import BadInitialisation
from fallline.diagnosis.checks.dead_units import DeadUnits
from fallline.diagnosis.checks.exploding_gradient import ExplodingGradient
from fallline.diagnosis.checks.learning_rate_too_high import LearningRateTooHigh
from fallline.diagnosis.checks.learning_rate_too_low import LearningRateTooLow
from fallline.diagnosis.checks.no_gradient import NoGradient
from fallline.diagnosis.checks.non_finite import NonFinite
from fallline.diagnosis.checks.output_mismatch import OutputMismatch
from fallline.diagnosis.checks.plateau import Plateau
from fallline.diagnosis.checks.saturated_units import SaturatedUnits
from fallline.diagnosis.checks.shape_mismatch import ShapeMismatch
from fallline.diagnosis.checks.stale_gradient import StaleGradient
from fallline.diagnosis.checks.symmetric_units import SymmetricUnits
from fallline.diagnosis.checks.unscaled_data import UnscaledData
from fallline.diagnosis.checks.vanishing_gradient import VanishingGradient
from fallline.diagnosis.diagnose import diagnose
from fallline.diagnosis.finding import Finding, NotApplicable
from fallline.diagnosis.outcome import judge
from fallline.record.run import Sight

Record = Callable[[], Any]

STUCK = [math.log(10)] * 100  # a uniform guess over ten classes
LEARNT = [math.log(10) * 0.97**i for i in range(100)]
TEN = [10] * 10
STEPS = range(10)


def found(finding: Finding | None) -> Finding:
    assert finding is not None
    assert finding.title
    assert finding.message
    assert finding.why
    assert finding.disproof
    return finding


# -- vanishing and exploding


def shrinking(record: Record, losses: list[float]) -> Any:
    signal = [0.1**k for k in (5, 4, 3, 2, 1, 0)]
    made = record().chain(6, "sigmoid").losses(losses).classes(TEN)
    return made.measure(STEPS, {"grad_out": signal}, slope=0.2, in_spread=1.0, flat=0.0, dead=0.0).run()


def test_vanishing_gives_the_factor_a_layer_and_its_two_parts(record: Record) -> None:
    finding = found(VanishingGradient().look(shrinking(record, STUCK)))
    assert finding.evidence["factor_per_layer"] == pytest.approx(0.1)
    assert finding.evidence["activation_factor"] == pytest.approx(0.2)
    assert finding.evidence["weight_factor"] == pytest.approx(0.5)
    assert finding.layers == ("layer0", "layer1")  # a thousandth of the last layer's gradient, or less


def test_convergence_is_not_vanishing(record: Record) -> None:
    assert VanishingGradient().look(shrinking(record, LEARNT)) is None


def test_vanishing_needs_a_chain(record: Record) -> None:
    with pytest.raises(NotApplicable, match="chain"):
        VanishingGradient().look(record().chain(1).losses(STUCK).run())


def test_vanishing_through_time(record: Record) -> None:
    made = record().chain(2, "tanh").losses(STUCK).classes(TEN)
    made.layers[0] = made.layers[0].__class__(**{**vars(made.layers[0]), "recurrent": True})
    made.measure(STEPS, {"grad_out": [1.0, 1.0]}, grad_first=1e-9, grad_last=1.0, calls=10, in_spread=1.0)
    finding = found(VanishingGradient().look(made.run()))
    assert finding.evidence["factor_per_step"] == pytest.approx(0.1)


def growing(record: Record, losses: list[float]) -> Any:
    signal = [10.0**k for k in (5, 4, 3, 2, 1, 0)]
    made = record().chain(6, "relu").losses(losses).classes(TEN)
    return made.measure(STEPS, {"grad_out": signal}, slope=0.7, in_spread=1.0, flat=0.0, dead=0.0).run()


def test_exploding_over_depth(record: Record) -> None:
    finding = found(ExplodingGradient().look(growing(record, STUCK)))
    assert finding.evidence["factor_per_layer"] == pytest.approx(10.0)


def test_large_gains_that_train_are_no_fault(record: Record) -> None:
    assert ExplodingGradient().look(growing(record, LEARNT)) is None


# -- units


@pytest.mark.parametrize(
    ("now", "born"), [([1.0] * 10, True), ([0.1] * 5 + [1.0] * 5, False), ([0.6] + [1.0] * 9, False)]
)
def test_dead_units_and_since_when(record: Record, now: list[float], born: bool) -> None:
    made = record().chain(3).losses(STUCK).classes(TEN)
    for step, dead in enumerate(now):
        window = 1.0 if step >= 6 else 0.0
        made.measure([step], {"dead": [dead, 0, 0], "dead_window": [window, 0, 0]}, grad_out=1.0)
    finding = found(DeadUnits().look(made.run()))
    assert finding.layers == ("layer0",)
    assert finding.evidence["from_start"] == float(born)


def test_some_dead_units_in_a_network_that_learns_are_no_fault(record: Record) -> None:
    made = record().chain(3).losses(LEARNT).classes(TEN)
    made.measure(STEPS, {"dead_window": [0.95, 0.6, 0.0]}, dead=0.9, grad_out=1.0)
    assert DeadUnits().look(made.run()) is None


def test_saturated_units(record: Record) -> None:
    made = record().chain(3, "tanh").losses(STUCK).classes(TEN)
    made.measure(STEPS, {"flat": [0.9, 0.1, 0.0]}, grad_out=1.0, slope=0.02, in_spread=100.0, dead=0.0)
    finding = found(SaturatedUnits().look(made.run()))
    assert finding.layers == ("layer0",)
    assert finding.evidence["from_start"] == 1.0


def test_saturation_at_the_output_or_in_a_network_that_learns_is_no_fault(record: Record) -> None:
    made = record().chain(3, "tanh").losses(LEARNT).classes(TEN)
    made.measure(STEPS, {"flat": [0.9, 0.1, 0.9]}, grad_out=1.0, slope=0.02, in_spread=1.0, dead=0.0)
    assert SaturatedUnits().look(made.run()) is None


@pytest.mark.parametrize(("late", "alarms"), [(1.0, True), (0.0, False)])
def test_units_are_symmetric_only_if_they_stay_so(record: Record, late: float, alarms: bool) -> None:
    made = record().chain(3, variance=0.0).losses(STUCK).classes(TEN)
    made.weigh([0, 1], twins=[1.0, late], weight=1.0, grad=1.0).measure([0, 1], {}, grad_out=1.0)
    finding = SymmetricUnits().look(made.run())
    assert (finding is not None) == alarms
    if finding is not None:
        assert finding.layers == ("layer0", "layer1")  # equal rows of the output layer are no symmetry


# -- start


def test_weights_too_small(record: Record) -> None:
    made = record().chain(5, "relu", variance=1e-4).losses(STUCK).classes(TEN)
    falling = [1.0, 0.1, 0.01, 1e-3, 1e-4]
    made.measure(STEPS, {"in_spread": falling, "grad_out": falling[::-1]}, slope=0.7, flat=0.0, dead=0.0)
    finding = found(BadInitialisation().look(made.run()))
    assert finding.evidence["scale"] == pytest.approx(8e-4)
    assert finding.evidence["forward"] == pytest.approx(1e-4)


def test_torchs_default_weights_are_not_bad(record: Record) -> None:
    made = record().chain(5, "relu", variance=1 / 24).losses(STUCK).classes(TEN)
    falling = [1.0, 0.1, 0.01, 1e-3, 1e-4]
    made.measure(STEPS, {"in_spread": falling, "grad_out": falling[::-1]}, slope=0.7, flat=0.0, dead=0.0)
    assert BadInitialisation().look(made.run()) is None


def test_first_loss_far_above_chance(record: Record) -> None:
    made = record().chain(3, variance=4.0).losses([60.0] * 5 + [2.5] * 95).classes(TEN)
    made.measure(STEPS, {}, grad_out=1.0, in_spread=1.0, slope=0.7, flat=0.0, dead=0.0)
    finding = found(BadInitialisation().look(made.run()))
    assert finding.evidence["first_loss_ratio"] == pytest.approx(60 / math.log(10))


# -- gradients that are not there, or not new


def test_parameters_in_a_plain_list(record: Record) -> None:
    made = record().chain(2).losses(STUCK).weigh(STEPS, grad=1.0, weight=1.0).run()
    lost = made.parameters[0].__class__(9, "hidden[0].weight", "model", 64, 2, False)
    finding = found(NoGradient().look(made.__class__(**{**vars(made), "parameters": (*made.parameters, lost)})))
    assert finding.layers == ("hidden[0].weight",)


def test_a_loss_cut_off(record: Record) -> None:
    finding = found(NoGradient().look(record().losses([1.0]).event(0, "cut-loss").run()))
    assert "graph" in finding.message


def test_gradient_exactly_zero(record: Record) -> None:
    made = record().chain(2).losses(STUCK).weigh(STEPS, grad=0.0, weight=1.0, update_norm=0.0)
    assert "exactly 0" in found(NoGradient().look(made.run())).message


def test_all_parameters_trained_is_fine(record: Record) -> None:
    assert NoGradient().look(record().chain(2).losses(STUCK).weigh(STEPS, grad=1.0, weight=1.0).run()) is None


@pytest.mark.parametrize(("stale", "alarms"), [(10, True), (2, False), (0, False)])
def test_stale_gradient_is_counted(record: Record, stale: int, alarms: bool) -> None:
    made = record().losses(STUCK).event(10, "carried", optimizer=1, checked=10, stale=stale)
    assert (StaleGradient().look(made.run()) is not None) == alarms


def test_stale_gradient_needs_steps(record: Record) -> None:
    with pytest.raises(NotApplicable):
        StaleGradient().look(record().losses([1.0]).run())


# -- the learning rate


def test_limit_from_the_loss_ratio_of_usersmd(record: Record) -> None:
    """Ratio 5179.4 at lr 0.01 is lambda 7296.8, limit 2.74e-4 (linear regression on x in 0..100)."""
    made = record().chain(1).losses([1e3 * 5179.4**i for i in range(20)]).weigh(STEPS, weight=1.0, update_norm=10.0)
    made.lr, made.settings = 0.01, {"lr": 0.01, "momentum": 0.0}
    finding = found(LearningRateTooHigh().look(made.run()))
    assert finding.evidence["curvature"] == pytest.approx(7296.8, rel=1e-3)
    assert finding.evidence["limit"] == pytest.approx(2.74e-4, rel=1e-2)


def test_no_limit_is_read_off_a_growth_that_itself_grows(record: Record) -> None:
    """The weights of a deep network grow, and the curvature with them: what it was at the start is not known."""
    made = record().chain(3).losses([1.0, 3.0, 1e2, 1e7, 1e18, 1e30]).weigh(range(6), weight=1.0, update_norm=10.0)
    made.lr, made.settings = 0.05, {"lr": 0.05, "momentum": 0.0}
    finding = found(LearningRateTooHigh().look(made.run()))
    assert "limit" not in finding.evidence
    assert "the median" in finding.message


def test_a_jump_under_huge_updates_that_never_comes_back(record: Record) -> None:
    losses = [2.3, 50.0, 8.0] + [2.31] * 97
    made = record().chain(2).losses(losses).classes(TEN).weigh(STEPS, weight=1.0, update_norm=0.8, grad=1.0)
    assert found(LearningRateTooHigh().look(made.run())).evidence["update_ratio"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("second", "end", "update", "named"),
    [(99.0, 1.5, 0.8, True), (99.0, 1.0, 0.8, False), (19.0, 1.5, 0.8, False), (99.0, 1.5, 0.05, False)],
)
def test_a_leap_at_the_first_updates_is_the_rates_and_no_batchs(
    record: Record, second: float, end: float, update: float, named: bool
) -> None:
    """A third of the loss is gone: it learned, but it began by being thrown far out."""
    course = [2.3, second, 2.5, *np.linspace(2.3, end, 40), *[end] * 57]
    made = record().chain(2).losses(course).classes(TEN).weigh(STEPS, weight=1.0, update_norm=update, grad=1.0)
    codes = [f.code for f in diagnose(made.run()).findings if f.because_of is None]
    assert ("learning-rate-too-high" in codes) is named
    assert "loss-spike" not in codes or not named


def test_the_edge_of_stability_is_not_divergence(record: Record) -> None:
    """Non-monotone, yet falling (Cohen et al. 2021)."""
    losses = [2.3 * 0.97**i * (1.5 if i % 2 else 1.0) for i in range(100)]
    made = record().chain(2).losses(losses).classes(TEN).weigh(STEPS, weight=1.0, update_norm=0.2, grad=1.0)
    assert LearningRateTooHigh().look(made.run()) is None


def slow(record: Record, distance: float, losses: list[float]) -> Any:
    made = record().chain(2).losses(losses).classes(TEN)
    along = [distance * (i + 1) / 10 for i in range(10)]
    steps = range(0, 100, 10)
    return made.weigh(steps, weight=1.0, grad=1.0, update_norm=distance / 100, displacement=along).run()


def test_weights_that_hardly_leave_their_start(record: Record) -> None:
    falling = list(np.linspace(2.31, 2.29, 100))
    finding = found(LearningRateTooLow().look(slow(record, 1e-3, falling)))
    assert finding.evidence["straightness"] == pytest.approx(1.0, rel=0.2)


def test_gradients_that_are_clipped_to_almost_nothing_are_no_flat_ground(record: Record) -> None:
    made = record().chain(2).losses(list(np.linspace(2.31, 2.29, 100))).classes(TEN)
    along = [1e-4 * (i + 1) for i in range(10)]
    made.measure([0], {"grad_out": [1.0, 1.0]}).weigh(
        range(0, 100, 10), weight=1.0, grad=1e-4, update_norm=1e-5, displacement=along
    )
    assert found(LearningRateTooLow().look(made.run()))


@pytest.mark.parametrize(("updates", "end", "named"), [(12, 2.28, True), (12, 1.5, False), (6, 2.28, False)])
def test_a_run_that_ends_when_it_has_only_begun(record: Record, updates: int, end: float, named: bool) -> None:
    falling = list(np.linspace(2.31, end, updates))
    made = record().chain(2).losses(falling).classes(TEN).weigh(range(5), weight=1.0, grad=1.0, update_norm=1e-3).run()
    findings = diagnose(made).findings
    assert [f.title for f in findings if f.code == "learning-rate-too-low"] == [f"only {updates} updates"] * named


def test_a_short_run_that_tells_nothing_is_not_said_to_have_passed(record: Record) -> None:
    made = record().chain(2).losses(list(np.linspace(2.31, 1.5, 12))).classes(TEN)
    with pytest.raises(NotApplicable, match="fewer than 50 updates"):
        LearningRateTooLow().look(made.weigh(range(5), weight=1.0, grad=1.0, update_norm=1e-3).run())


def test_the_noise_of_the_batches_hides_no_slow_weights(record: Record) -> None:
    losses = [2.7 + 0.15 * (-1) ** i for i in range(90)] + [2.8] * 6 + [2.5] * 4
    assert found(LearningRateTooLow().look(slow(record, 1e-3, losses))).evidence["moved"] < 0.01


@pytest.mark.parametrize(("distance", "named"), [(0.03, True), (0.2, False)])
def test_weights_that_creep_are_slow_whatever_the_noise_hides(record: Record, distance: float, named: bool) -> None:
    """The loss is a fiftieth below that of a guess, for sure; of its second half's gain the noise leaves doubt."""
    noise = np.random.default_rng(0).normal(0, 0.02, 100)
    losses = list(np.concatenate([np.linspace(2.29, 2.255, 50), np.linspace(2.255, 2.262, 50)]) + noise)
    made = slow(record, distance, losses)
    assert not judge(made.trainings[0]).idle
    assert (LearningRateTooLow().look(made) is not None) is named


def test_a_short_run_whose_weights_hardly_moved(record: Record) -> None:
    tossed = [2.30 + 0.02 * (-1) ** i for i in range(20)]
    for distance, named in ((1e-3, True), (0.5, False)):
        made = record().chain(2).losses(tossed).classes(TEN)
        along = [distance * (i + 1) / 5 for i in range(5)]
        made.weigh(range(0, 20, 4), weight=1.0, grad=1.0, update_norm=distance / 20, displacement=along)
        findings = diagnose(made.run()).findings
        assert [f.title for f in findings if f.code == "learning-rate-too-low"] == ["only 20 updates"] * named


@pytest.mark.parametrize(("peak", "named"), [(4.0, True), (2.8, False)])
def test_weights_that_were_thrown_far_for_a_little(record: Record, peak: float, named: bool) -> None:
    """A fifteenth of the loss is gone: more than nothing, and no more than chance gives back."""
    course = [2.3, *[peak] * 10, *np.linspace(peak, 2.15, 30), *[2.15] * 59]
    made = record().chain(2).losses(course).classes(TEN)
    along = [1.5 * (i + 1) / 10 for i in range(10)]
    made.weigh(range(0, 100, 10), weight=1.0, grad=1.0, update_norm=0.05, displacement=along)
    run = made.run()
    assert not judge(run.trainings[0]).stuck
    assert (LearningRateTooHigh().look(run) is not None) is named


def test_tiny_updates_on_a_plateau_of_unknown_worth(record: Record) -> None:
    for update, named in ((5e-5, True), (5e-4, False)):
        made = record().chain(2).losses(list(np.linspace(4.1589, 4.1588, 100)))
        along = [0.02 * (i + 1) / 10 for i in range(10)]
        made.weigh(range(0, 100, 10), weight=1.0, grad=1.0, update_norm=update, displacement=along)
        assert (LearningRateTooLow().look(made.run()) is not None) is named


@pytest.mark.filterwarnings("error")
def test_losses_that_are_partly_infinite_are_judged_without_a_warning(record: Record) -> None:
    made = slow(record, 1e-3, list(np.linspace(2.31, 2.29, 97)) + [math.inf] * 3)
    assert judge(made.trainings[0]).finite
    diagnose(made)


def test_slow_weights_that_learn_are_no_fault(record: Record) -> None:
    assert LearningRateTooLow().look(slow(record, 1e-3, LEARNT)) is None


def test_weights_that_wander_are_not_slow(record: Record) -> None:
    assert LearningRateTooLow().look(slow(record, 2.0, STUCK)) is None


@pytest.mark.parametrize(("update", "spread", "named"), [(0.05, 0.01, True), (0.05, 0.5, False), (0.005, 0.01, False)])
def test_samples_that_look_alike_after_huge_first_updates(
    record: Record, update: float, spread: float, named: bool
) -> None:
    made = record().chain(2).losses(STUCK).classes(TEN)
    made.weigh(range(0, 100, 10), weight=1.0, grad=1.0, update_norm=[update] * 4 + [1e-3] * 6, displacement=0.2)
    for i, step in enumerate(range(0, 100, 10)):
        made.measure([step], {}, in_rms=1.0, in_spread=0.5 if i < 2 else spread)
    finding = LearningRateTooHigh().look(made.run())
    assert (finding is not None) is named
    assert finding is None or finding.evidence["first_spread"] == 0.5


@pytest.mark.parametrize(("update", "named"), [(0.02, True), (0.002, False)])
def test_a_loss_that_climbs_back_to_chance_under_large_updates(record: Record, update: float, named: bool) -> None:
    course = [*np.linspace(2.3, 1.8, 30), *np.linspace(1.8, 2.3, 40), *STUCK[:30]]
    made = record().chain(2).losses(course).classes(TEN)
    made.weigh(range(0, 100, 10), weight=1.0, grad=1.0, update_norm=update, displacement=0.2)
    finding = LearningRateTooHigh().look(made.run())
    assert (finding is not None) is named
    assert finding is None or finding.evidence["best_loss"] == pytest.approx(1.8, abs=0.1)


# -- the loss


def test_plateau_names_the_value(record: Record) -> None:
    assert "ln 10" in found(Plateau().look(record().losses(STUCK).classes(TEN).run())).message


def test_a_floor_below_chance_is_no_plateau(record: Record) -> None:
    assert Plateau().look(record().losses([2.3] * 5 + [0.6] * 95).classes(TEN).run()) is None


def test_a_plateau_that_is_left_at_the_very_end(record: Record) -> None:
    flat, uniform = [math.log(10)] * 900, math.log(10)
    for end, stays in ((0.87, True), (0.6, False)):
        last = [uniform * (1 - (1 - end) * i / 100) for i in range(100)]
        finding = Plateau().look(record().losses(flat + last).classes(TEN).run())
        assert (finding is not None and "only begun to fall" in finding.message) == stays


def test_plateau_needs_updates(record: Record) -> None:
    with pytest.raises(NotApplicable, match="20"):
        Plateau().look(record().losses([1.0] * 5).run())


# -- NaN and Inf


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ({"origin": "data", "operation": "addmm", "share": 0.01, "rows": [3]}, "rows 3"),
        ({"origin": "forward", "operation": "exp", "parameter": "2.weight"}, "exp in layer 2"),
        (
            {"origin": "backward", "parameters": ["0.weight"], "finite": [], "loss": "1.0"},
            "gradient of 1 parameter is not",
        ),
        ({"origin": "parameter", "parameter": "0.weight"}, "before the forward pass"),
        ({"origin": "loss", "operation": "log"}, "log"),
    ],
)
def test_where_nan_was_born(record: Record, detail: dict[str, Any], said: str) -> None:
    finding = found(NonFinite().look(record().losses([1.0, math.nan]).event(1, "non-finite", **detail).run()))
    assert said in finding.message
    assert finding.steps == (1, 1)


PLACE = {"file": "/home/me/train.py", "line": 41, "function": "forward", "code": "return torch.log(p)"}


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ({"origin": "forward", "operation": "log", "place": PLACE}, "It stands at train.py:41 `return torch.log(p)`."),
        ({"origin": "data", "share": 0.1, "rows": [3], "place": PLACE}, "They come in at train.py:41 "),
        ({"origin": "backward", "operation": "sqrt", "place": PLACE}, "the backward of sqrt turns a finite gradient"),
        (
            {"origin": "backward", "suspect": "sqrt", "loss": "1.0"},
            "The last operation with such a slope, sqrt, stands",
        ),
        (
            {"origin": "loss", "operation": "log", "called": PLACE},
            "Its line is not known; the program was at train.py:41",
        ),
        ({"origin": "loss", "not_replayed": "it failed"}, "was not done again at once: it failed."),
        (
            {"origin": "loss", "kept": "f", "left_out": "x (9 MiB)"},
            "The batch is kept, without x (9 MiB): `fallline replay",
        ),
        ({"origin": "loss", "not_kept": "disk full"}, "The batch could not be kept: disk full."),
    ],
)
def test_the_line_and_the_batch_are_told(record: Record, detail: dict[str, Any], said: str) -> None:
    made = record().losses([1.0, math.nan]).event(1, "non-finite", **detail)
    if "suspect" in detail:  # it was looked up in the next forward pass
        made = made.event(1, "place", **PLACE)
    finding = found(NonFinite().look(made.run()))
    assert said in finding.message
    assert finding.evidence.get("line") == (41.0 if "place" in detail or "suspect" in detail else None)


def test_finite_numbers_pass(record: Record) -> None:
    assert NonFinite().look(record().losses([1.0, 0.5]).run()) is None


# -- what stands at the loss


def at_the_loss(record: Record, kind: str, ops: list[str], losses: list[float], **ranges: float) -> Any:
    made = record().losses(losses).classes(TEN)
    target = {"shape": [32], "min": ranges["least"], "max": ranges["most"], "mean": 0.0, "variance": 1.0}
    prediction = {
        "shape": [32, 1],
        "min": ranges.get("low", 0.2),
        "max": ranges.get("high", 0.8),
        "mean": 0.5,
        "variance": 0.1,
    }
    detail = {**made.sights[0].detail, "kind": kind, "ops": ops, "target": target, "prediction": prediction}
    made.sights = [Sight(0, 1, detail)]
    return made.run()


@pytest.mark.parametrize(
    ("kind", "ops", "ranges", "said"),
    [
        ("bce", ["softmax", "binarycrossentropy"], {"least": 0, "most": 1, "low": 1.0, "high": 1.0}, "single unit"),
        ("nll", ["softmax", "logsoftmax", "nllloss"], {"least": 0, "most": 9}, "applies it again"),
        ("nll", ["softmax", "nllloss"], {"least": 0, "most": 9}, "log-probabilities"),
        ("bce-logits", ["sigmoid", "binarycrossentropywithlogits"], {"least": 0, "most": 1}, "applies it again"),
        ("mse", ["sigmoid", "view", "mseloss"], {"least": 5, "most": 35}, "targets from 5 to 35"),
        ("mse", ["relu", "mseloss"], {"least": -3, "most": 9}, "targets from -3 to 9"),
        ("bce-logits", ["binarycrossentropywithlogits"], {"least": -1, "most": 1}, "targets from -1 to 1"),
    ],
)
def test_output_and_loss_that_do_not_fit(
    record: Record, kind: str, ops: list[str], ranges: dict[str, float], said: str
) -> None:
    assert said in found(OutputMismatch().look(at_the_loss(record, kind, ops, STUCK, **ranges))).title


@pytest.mark.parametrize(
    ("kind", "ops", "ranges"),
    [
        ("nll", ["logsoftmax", "nllloss"], {"least": 0, "most": 9}),
        ("bce", ["sigmoid", "binarycrossentropy"], {"least": 0, "most": 1}),
        ("mse", ["sigmoid", "mseloss"], {"least": 0, "most": 1}),
        ("mse", ["relu", "mseloss"], {"least": 0, "most": 50}),
        ("mse", ["mseloss"], {"least": -50, "most": 50}),
    ],
)
def test_output_and_loss_that_fit(record: Record, kind: str, ops: list[str], ranges: dict[str, float]) -> None:
    assert OutputMismatch().look(at_the_loss(record, kind, ops, STUCK, **ranges)) is None


def test_raw_scores_are_no_log_probabilities(record: Record) -> None:
    falling = [-0.1 * i for i in range(100)]  # it has no floor, so that it looks like a success
    made = record().losses(falling).classes(TEN)
    scores = {
        "ops": ["nllloss"],
        "prediction": {"shape": [100, 10], "min": -9.0, "max": 7.0, "mean": 0.0, "variance": 1.0},
    }
    made.sights = [Sight(0, 1, {**made.sights[0].detail, **scores})]
    assert found(OutputMismatch().look(made.run())).evidence == {"prediction_max": 7.0}
    scores["prediction"] = {"shape": [100, 10], "min": -9.0, "max": -0.1, "mean": -2.0, "variance": 1.0}  # made by hand
    made.sights = [Sight(0, 1, {**made.sights[0].detail, **scores})]
    assert OutputMismatch().look(made.run()) is None


def test_pairs_instead_of_single_predictions(record: Record) -> None:
    made = record().losses(STUCK).classes(TEN)
    made.sights = [Sight(0, 1, {**made.sights[0].detail, "broadcast": [[32, 1], [32, 32]]})]
    assert "(32, 32)" in found(ShapeMismatch().look(made.run())).title
    assert ShapeMismatch().look(record().losses(STUCK).classes(TEN).run()) is None


# -- what a loss of unknown worth leaves open


FALLING = [1.0] * 5 + [0.3] * 95  # to the level of the output's bias, for all one knows


def test_no_gradient_at_either_end_of_the_run_vanishes_whatever_the_loss_says(record: Record) -> None:
    signal = [0.02**k for k in (5, 4, 3, 2, 1, 0)]
    made = record().chain(6, "sigmoid").losses(FALLING)
    run = made.measure(STEPS, {"grad_out": signal}, slope=0.2, in_spread=1.0, flat=0.0, dead=0.0).run()
    assert found(VanishingGradient().look(run)).evidence["gain"] == pytest.approx(0.02**5)
    made = record().chain(6, "sigmoid").losses(FALLING)
    made.measure(range(5), {"grad_out": signal}, slope=0.2, in_spread=1.0, flat=0.0, dead=0.0)
    run = made.measure(range(50, 60), {"grad_out": [1.0] * 6}, slope=0.2, in_spread=1.0, flat=0.0, dead=0.0).run()
    assert VanishingGradient().look(run) is None


def test_a_layer_that_passes_nothing_is_dead_whatever_the_loss_says(record: Record) -> None:
    for dead, alarms in ((1.0, True), (0.95, False)):
        made = record().chain(3).losses(FALLING)
        made.measure(STEPS, {"dead": [dead, 0, 0], "dead_window": [dead, 0, 0]}, grad_out=1.0)
        assert (DeadUnits().look(made.run()) is not None) == alarms


def test_death_by_a_second_optimizer_is_not_from_the_start(record: Record) -> None:
    made = record().chain(3).losses(STUCK).classes(TEN)
    made.measure(STEPS, {"dead": [1, 0, 0], "dead_window": [1, 0, 0]}, grad_out=1.0)
    made.layer_rows.insert(0, {"step": -1, "optimizer": 7, "layer": 0, "dead": 0.0})
    assert found(DeadUnits().look(made.run())).evidence["from_start"] == 0.0


@pytest.mark.parametrize(("left", "alarms"), [(0.0, True), (0.1, False)])
def test_a_gradient_cleared_before_the_step(record: Record, left: float, alarms: bool) -> None:
    made = record().chain(3).losses(STUCK).classes(TEN).measure(STEPS, {}, grad_out=0.1, in_rms=1.0)
    if left:
        made.weigh(STEPS, grad=left, weight=1.0)
    finding = NoGradient().look(made.run())
    assert (finding is not None) == alarms
    assert finding is None or "gone when the optimizer steps" in finding.title


def moving(record: Record, means: list[float], losses: list[float]) -> Any:
    made = record().chain(2).losses(losses)
    spread = {"min": -1.0, "max": 1.0, "variance": 1.0, "shape": [32, 1]}
    for step, mean in enumerate(means):
        detail = {"kind": "mse", "ops": ["mseloss"], "factor": 1.0, "reduction": "mean", "elements": 32,
                  "weighted": False, "prediction": {**spread, "mean": 0.0}, "target": {**spread, "mean": mean},
                  "broadcast": None}  # fmt: skip
        made.sights.append(Sight(step, 1, detail))
    return made.run()


def test_a_loss_about_targets_that_move_says_nothing(record: Record) -> None:
    still, drifting = [0.1 * (-1) ** i for i in range(12)], [0.3 * i for i in range(12)]
    for means, contested in ((still, False), (drifting, True)):
        (training,) = moving(record, means, [1.0] * 100).trainings
        assert judge(training).contested is contested


def test_a_flat_loss_of_unknown_worth_that_fell_is_not_stuck(record: Record) -> None:
    for first, stuck in ((5.6, False), (5.4, True)):  # to 5.3: 5 % and 2 % of it
        (training,) = record().chain(2).losses([first] * 10 + [5.33] * 90).run().trainings
        assert judge(training).stuck is stuck


def test_a_loss_about_zero_says_nothing(record: Record) -> None:
    swings = [math.sin(i) for i in range(100)]
    falling = list(np.linspace(0.1, -0.1, 20)) + [-0.1] * 80
    later = [2.0] * 15 + [0.1 * s for s in swings[15:]]
    for losses, contested in ((swings, True), ([2.0 + s for s in swings], False), (falling, False), (later, True)):
        (training,) = record().chain(2).losses(losses).run().trainings
        assert judge(training).contested is contested


def test_exploding_through_time_in_a_loss_that_is_tossed_about(record: Record) -> None:
    def run(losses: list[float]) -> Any:
        made = record().chain(2, "tanh").losses(losses)
        made.layers[0] = made.layers[0].__class__(**{**vars(made.layers[0]), "recurrent": True})
        return made.measure(STEPS, {"grad_out": [1.0, 1.0]}, grad_first=1e5, grad_last=1.0, calls=10).run()

    assert ExplodingGradient().look(run([1e6] * 5 + [10.0, 20.0, 1000.0, 30.0] * 20)) is not None
    assert ExplodingGradient().look(run([1e6] * 5 + [10.0, 11.0, 12.0, 9.0] * 20)) is None


def test_a_loss_that_comes_down_from_far_too_high_has_not_learned(record: Record) -> None:
    def run(gain: float) -> Any:
        made = record().chain(2).losses([1e13 * 0.9**i for i in range(100)])
        made.layers[0] = made.layers[0].__class__(**{**vars(made.layers[0]), "recurrent": True})
        return made.measure(STEPS, {"grad_out": [1.0, 1.0]}, grad_first=gain, grad_last=1.0, calls=24).run()

    assert found(ExplodingGradient().look(run(1e7))).evidence["gain"] == pytest.approx(1e7)
    assert ExplodingGradient().look(run(1e5)) is None


def test_a_floor_of_noise_is_no_plateau(record: Record) -> None:
    """A coin that is nearly fair: what can be known gains 2 % of ln 2."""
    noise = [0.01 * math.sin(7.3 * i) for i in range(400)]
    for level, stays in ((0.978, False), (0.999, True), (1.0, True)):
        made = record().chain(2).losses([math.log(10) * (level + n) for n in noise]).classes(TEN)
        assert (Plateau().look(made.run()) is not None) == stays


def test_what_few_noisy_batches_tell_of_the_targets_is_no_proof_of_a_plateau(record: Record) -> None:
    """The variance of heavy-tailed targets varies by a third; predictions of a small variance may follow them."""
    loss, noisy, alike = [1.6] * 400, [1.0, 2.4, 1.2, 2.2, 1.3, 1.5, 1.6, 1.6], [1.6] * 8
    for variances, spread, stays in ((noisy, 0.04, False), (noisy, 0.0, True), (alike, 0.04, True)):
        made = record().chain(2).losses(loss)
        for step, variance in zip((0, 1, 2, 3, 4, 50, 100, 300), variances, strict=True):
            made.sights.append(Sight(step, 1, {
                "kind": "mse", "ops": ["mseloss"], "factor": 1.0, "reduction": "mean", "elements": 100,
                "broadcast": None, "weighted": False,
                "prediction": {"shape": [100], "min": -1.0, "max": 1.0, "mean": 0.0, "variance": spread},
                "target": {"shape": [100], "min": -4.0, "max": 4.0, "mean": 1e-4 * step, "variance": variance},
            }))  # fmt: skip
        assert judge(made.run().trainings[0]).unsure != stays
        assert (Plateau().look(made.run()) is not None) == stays


def test_a_schedule_that_takes_the_rate_away(record: Record) -> None:
    losses = [math.log(10)] * 10 + [1.4] * 90
    for rates, alarms in (([0.1] * 8 + [1e-5] * 92, True), ([0.1] * 60 + [1e-5] * 40, False)):
        made = (
            record()
            .chain(2)
            .losses(losses)
            .classes(TEN)
            .weigh(STEPS, grad=1.0, weight=1.0, update_norm=0.1, displacement=0.5)
        )
        run = made.run()
        run.steps["lr"][:] = rates
        finding = LearningRateTooLow().look(run)
        assert (finding is not None) == alarms
        assert finding is None or finding.evidence["since"] == 8


def test_a_training_at_its_floor_is_not_slow(record: Record) -> None:
    def run(losses: list[float]) -> Any:
        made = record().chain(2).losses(losses).classes(TEN)
        return made.weigh(range(0, 100, 10), grad=1.0, weight=1.0, update_norm=1e-3, displacement=0.05).run()

    falling = [2.3 - 0.004 * i for i in range(100)]
    assert LearningRateTooLow().look(run(falling)) is not None
    assert LearningRateTooLow().look(run([2.3 - 0.04 * i for i in range(10)] + [1.9] * 90)) is None


def test_softmax_over_the_batch(record: Record) -> None:
    made = record().chain(2).losses([3.7] * 100).classes(TEN)
    for dim, alarms in ((0, True), (1, False)):
        made.sights[0].detail["softmax_dim"] = dim
        finding = OutputMismatch().look(made.run())
        assert (finding is not None) == alarms


def test_targets_far_below_what_a_network_puts_out(record: Record) -> None:
    for out, alarms in ((1e-3, True), (2e-6, False)):
        made = record().chain(3).losses([1e-6] * 100).measure(STEPS, {}, grad_out=1.0)
        detail = {"kind": "mse", "ops": ["mseloss"], "factor": 1.0, "reduction": "mean", "elements": 32,
                  "weighted": False, "broadcast": None,
                  "prediction": {"min": -1.0, "max": 1.0, "mean": 0.0, "variance": out**2, "shape": [32, 1]},
                  "target": {"min": -4e-6, "max": 4e-6, "mean": 0.0, "variance": 1e-12, "shape": [32, 1]}}  # fmt: skip
        made.sights.append(Sight(0, 1, detail))
        assert (UnscaledData().look(made.run()) is not None) == alarms

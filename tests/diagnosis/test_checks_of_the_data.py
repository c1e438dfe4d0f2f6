"""Checks of data, modes, spikes and swings, on numbers made by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fallline.diagnosis.checks.loss_spike import LossSpike
from fallline.diagnosis.checks.oscillating_loss import OscillatingLoss
from fallline.diagnosis.checks.unscaled_data import UnscaledData
from fallline.diagnosis.checks.wrong_mode import WrongMode
from fallline.diagnosis.finding import Finding, NotApplicable
from fallline.record.run import Sight

Record = Callable[[], Any]
STUCK = [math.log(10)] * 100
LEARNT = [math.log(10) * 0.97**i for i in range(100)]
SCALED = {
    "layer": 0, "count": 500, "features": 4, "rms": 1.0, "offset": 0.1, "least": 0.9, "middle": 1.0, "most": 1.1,
    "top": 1.6, "level": 1.5, "condition": 3.0,
}  # fmt: skip


def found(finding: Finding | None) -> Finding:
    assert finding is not None
    assert finding.title
    assert finding.message
    assert finding.why
    assert finding.disproof
    return finding


def seeing(record: Record, losses: list[float], step: int = 0, **detail: Any) -> Any:
    """A record whose sight at the loss holds ``detail``, too."""
    made = record().chain(3).losses(losses).classes([10] * 10).measure([0], {"grad_out": [1.0] * 3})
    made.sights = [Sight(step, 1, {**made.sights[0].detail, **detail})]
    return made


# -- wrong mode


def dropouts(*shares: float) -> dict[str, Any]:
    return {"modes": [{"kind": "dropout", "p": p, "after": f"layer{i}"} for i, p in enumerate(shares)]}


def norm(**mode: Any) -> dict[str, Any]:
    return {"modes": [{"kind": "batch-norm", "training": True, "values": 32, "fresh": False, "after": "layer0"} | mode]}


@pytest.mark.parametrize(
    ("losses", "training", "changed", "distance", "title"),
    [
        (LEARNT, True, 0.2, 0.3, "evaluated in train mode"),
        (LEARNT, False, None, 0.7, "dropout that eval leaves on"),
        (LEARNT, True, 0.05, 3.0, ""),  # the classes are the same
        (LEARNT, True, None, 0.3, ""),
        (STUCK, True, 0.2, 0.3, ""),  # the training is at fault
    ],
)
def test_an_evaluation_with_dropout(
    record: Record, losses: list[float], training: bool, changed: float | None, distance: float, title: str
) -> None:
    made = seeing(record, losses, **dropouts(0.3)).event(
        99, "evaluation", training=training, dropout=int(training), batch_norm=0, answers=64, changed=changed,
        distance=distance, hasty=0.0,
    )  # fmt: skip
    finding = WrongMode().look(made.run())
    assert (finding.title if finding is not None else "") == title


def test_dropout_is_judged_by_the_signal_it_leaves(record: Record) -> None:
    finding = found(WrongMode().look(seeing(record, STUCK, **dropouts(0.9, 0.9)).run()))
    assert finding.evidence["signal_to_noise"] == pytest.approx(1 / (100 - 1))
    assert finding.layers == ("layer0", "layer1")
    assert WrongMode().look(seeing(record, STUCK, **dropouts(0.5, 0.5)).run()) is None
    assert WrongMode().look(seeing(record, LEARNT, **dropouts(0.9, 0.9)).run()) is None


def test_batch_norm_over_two_values(record: Record) -> None:
    assert found(WrongMode().look(seeing(record, STUCK, **norm(values=2)).run())).evidence["values"] == 2
    assert WrongMode().look(seeing(record, STUCK, **norm(values=32)).run()) is None
    assert WrongMode().look(seeing(record, LEARNT, **norm(values=2)).run()) is None


def test_batch_norm_that_never_saw_data(record: Record) -> None:
    assert "eval mode" in found(WrongMode().look(seeing(record, STUCK, **norm(training=False, fresh=True)).run())).title
    pretrained = seeing(record, STUCK, **norm(training=False, fresh=False)).run()
    assert WrongMode().look(pretrained) is None


def test_running_statistics_that_stand_still_matter_even_where_training_went_well(record: Record) -> None:
    assert "never move" in found(WrongMode().look(seeing(record, LEARNT, step=50, **norm(fresh=True)).run())).title
    assert WrongMode().look(seeing(record, LEARNT, step=0, **norm(fresh=True)).run()) is None  # not yet


def test_one_sample(record: Record) -> None:
    made = record().losses([])
    made.meta["error"] = "ValueError: Expected more than 1 value per channel when training, got input size [1, 4]"
    assert "one sample" in found(WrongMode().look(made.run())).title


def test_wrong_mode_needs_a_mode(record: Record) -> None:
    with pytest.raises(NotApplicable):
        WrongMode().look(seeing(record, STUCK).run())


# -- unscaled data


@pytest.mark.parametrize("change", [{"rms": 500.0, "top": 1e6}, {"rms": 0.003, "top": 1.0, "most": 0.003}])
def test_inputs_out_of_scale(record: Record, change: dict[str, float]) -> None:
    made = seeing(record, STUCK, inputs=[SCALED | change])
    finding = found(UnscaledData().look(made.run()))
    assert finding.severity == "error"
    assert finding.evidence["rate_fits"] == 1
    assert UnscaledData().look(seeing(record, STUCK, inputs=[SCALED]).run()) is None
    assert UnscaledData().look(seeing(record, LEARNT, inputs=[SCALED | change]).run()) is None


def test_single_inputs_that_are_far_too_large(record: Record) -> None:
    change = {"rms": 8.0, "top": 4e3, "apart": 97.0}
    finding = found(UnscaledData().look(seeing(record, STUCK, inputs=[SCALED | change]).run()))
    assert finding.title == "single inputs are far larger than the others"
    assert finding.evidence["apart"] == 97.0
    for sound in ({"apart": 3.0}, {"top": 50.0}):
        assert UnscaledData().look(seeing(record, STUCK, inputs=[SCALED | change | sound]).run()) is None


def test_a_rate_that_is_absurd_for_scaled_data_is_no_fault_of_the_data(record: Record) -> None:
    made = seeing(record, STUCK, inputs=[SCALED | {"rms": 500.0, "top": 1e6}])
    made.lr = 5.0
    finding = found(UnscaledData().look(made.run()))
    assert (finding.evidence["rate_fits"], finding.severity) == (0, "warning")


def targets(mean: float, variance: float) -> dict[str, Any]:
    target = {"shape": [50, 1], "min": mean - 3 * variance**0.5, "max": mean + 3 * variance**0.5}
    return {"kind": "mse", "ops": ["mseloss"], "target": target | {"mean": mean, "variance": variance}}


def test_targets_out_of_scale(record: Record) -> None:
    far = seeing(record, [200.0**2] * 100, **targets(200.0, 100.0))
    assert found(UnscaledData().look(far.run())).evidence["target_rms"] == pytest.approx(math.sqrt(200**2 + 100))
    assert UnscaledData().look(seeing(record, [2.0] * 100, **targets(0.5, 1.0)).run()) is None
    linear = record().chain(1).losses([200.0**2] * 100).measure([0], {"grad_out": [1.0]})
    linear.sights = far.sights
    assert UnscaledData().look(linear.run()) is None  # its curvature does not depend on the targets
    linear.optimizer = "Adam"
    assert found(UnscaledData().look(linear.run()))


# -- spikes


def spiky(size: float, every: int, end: float = 1.0) -> list[float]:
    random = np.random.default_rng(0)
    level = np.linspace(1.0, end, 300) * (1 + 0.1 * random.standard_normal(300))
    level[40::every] = size
    return [float(v) for v in level]


def test_spikes_that_training_does_not_get_over(record: Record) -> None:
    finding = found(LossSpike().look(seeing(record, spiky(5000.0, 40)).run()))
    assert finding.evidence["spikes"] == 7
    assert finding.evidence["times"] == pytest.approx(5000, rel=0.1)
    assert LossSpike().look(seeing(record, spiky(5000.0, 40, end=0.05)).run()) is None  # it got over them
    assert LossSpike().look(seeing(record, spiky(5.0, 40)).run()) is None  # a hard batch
    assert LossSpike().look(seeing(record, spiky(5000.0, 3)).run()) is None  # no exceptions


def test_a_spike_names_the_sample(record: Record) -> None:
    made = seeing(record, spiky(5000.0, 40), **targets(0.0, 1.0))
    made.event(40, "spike", loss=5000.0, usual=1.0, rows=[3], target={"min": -1.0, "max": 1e4}, inputs={})
    finding = found(LossSpike().look(made.run()))
    assert "sample 3 of the batch has a target of size 10000" in finding.message
    assert finding.evidence["data"] == 1


def test_a_spike_names_a_batch_of_another_scale(record: Record) -> None:
    made, usual = seeing(record, spiky(5000.0, 40)).chain(2).measure([0, 1], {}, in_rms=0.5), 0.5
    for times, named in ((64, True), (5, False)):
        made.events.clear()
        made.event(
            40, "spike", loss=5000.0, usual=1.0, rows=[3], inputs={"rows": [3], "times": 1.1, "rms": times * usual}
        )
        assert ("inputs of the batch are of size" in found(LossSpike().look(made.run())).message) == named


def test_spikes_and_usual_batches_that_end_above_a_constant(record: Record) -> None:
    losses = spiky(5000.0, 40, end=0.4)  # lower than it began
    assert LossSpike().look(seeing(record, losses, **targets(0.0, 1.0)).run()) is None
    made = seeing(record, losses, **targets(0.0, 0.01))
    assert LossSpike().look(made.run()) is None  # nothing is known against the samples
    made.event(40, "spike", loss=5000.0, usual=1.0, rows=[3], target={"min": -1.0, "max": 1e4}, inputs={})
    finding = found(LossSpike().look(made.run()))
    assert "no better than 0.01, a constant prediction" in finding.message


# -- swings


def heavy_ball(momentum: float, lr: float, curvature: float, steps: int, floor: float = 0.0) -> list[float]:
    w, v, losses = 10.0, 0.0, []
    for _ in range(steps):
        losses.append(0.5 * curvature * w * w + floor)
        v = momentum * v + curvature * w
        w -= lr * v
    return losses


def swinging(record: Record, losses: list[float], momentum: float, trivial: float = 1.0) -> Any:
    made = seeing(record, losses, **targets(0.0, trivial))
    made.sights = [Sight(step, 1, made.sights[0].detail) for step in range(3)]
    made.settings = {"lr": 0.05, "momentum": momentum}
    made.lr = 0.05
    return made.run()


def test_the_ring_of_momentum_tells_its_curvature(record: Record) -> None:
    losses = heavy_ball(0.99, 0.05, 0.4, 300, floor=1.0)
    finding = found(OscillatingLoss().look(swinging(record, losses, 0.99)))
    assert finding.evidence["curvature"] == pytest.approx(0.4, rel=0.1)
    assert finding.evidence["halving"] == pytest.approx(137.9, abs=0.1)  # ln ½ / (½ ln 0.99)


def test_swings_that_outlast_the_ring_are_not_called_one(record: Record) -> None:
    losses = heavy_ball(0.99, 0.05, 0.4, 300, floor=1.0)
    assert "ring of momentum" in found(OscillatingLoss().look(swinging(record, losses, 0.99))).message
    slow = [float(v) for v in np.exp(np.sin(np.linspace(0, 20, 900)))]  # 282 updates around, where 13 halve a ring
    finding = found(OscillatingLoss().look(swinging(record, slow, 0.9)))
    assert "ring of momentum" not in finding.message
    assert "curvature" not in finding.evidence


def test_a_ring_that_dies_out_is_none(record: Record) -> None:
    assert OscillatingLoss().look(swinging(record, heavy_ball(0.5, 0.05, 0.4, 300), 0.5)) is None


def test_noise_is_no_swing(record: Record) -> None:
    random = np.random.default_rng(1)
    for size in (0.1, 0.5, 1.0):
        losses = [float(v) for v in np.exp(size * random.standard_normal(600))]
        assert OscillatingLoss().look(seeing(record, losses).run()) is None


def test_zigzag(record: Record) -> None:
    losses = [2.0 + (-1.0) ** i for i in range(100)]
    assert found(OscillatingLoss().look(seeing(record, losses).run())).evidence["turning"] == 1.0
    falling = [(2.0 + (-1.0) ** i) * 0.9**i for i in range(100)]  # the edge of stability
    assert OscillatingLoss().look(seeing(record, falling).run()) is None


@pytest.mark.parametrize(("first", "size", "alarm"), [(10, 30, False), (1, 30, True), (10, 2, False), (10, 8, False)])
def test_sorted_batches(record: Record, first: int, size: int, alarm: bool) -> None:
    """Batches of ten classes: of all, or of one class and the next."""
    made = record().chain(2).losses(STUCK).classes([3] * 10)
    (sight,) = made.sights
    drawn = np.random.default_rng(0)
    shares = [np.roll([1.0] * first + [0.0] * (10 - first), i) for i in range(20)]
    counts = [[int(n) for n in drawn.multinomial(size, share / share.sum())] for share in shares]
    made.sights = [Sight(i, 1, {**sight.detail, "classes": count}) for i, count in enumerate(counts)]
    finding = OscillatingLoss().look(made.run())
    assert (finding is not None) == alarm
    if finding is not None:
        assert finding.evidence["entropy"] == 0.0
        assert finding.evidence["shuffled"] == pytest.approx(math.log(10) - 9 / 60)


def test_a_cyclic_schedule_swings_by_itself(record: Record) -> None:
    made = seeing(record, heavy_ball(0.99, 0.05, 0.4, 300, floor=1.0), **targets(0.0, 1.0)).run()
    made.steps.data["lr"][::2] = 0.001
    assert OscillatingLoss().look(made) is None

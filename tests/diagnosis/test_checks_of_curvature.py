"""Checks that rest on measured curvature, on quadratics whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fallline.diagnosis.checks.ill_conditioned import IllConditioned
from fallline.diagnosis.checks.local_minimum import LocalMinimum
from fallline.diagnosis.checks.saddle_point import SaddlePoint
from fallline.diagnosis.finding import Finding, NotApplicable
from fallline.record.run import Sight

Record = Callable[[], Any]


def looked(
    record: Record, values: list[float], gradient: list[float], loss: float = 1.0, end: float = 1.0, layers: int = 3,
    **other: Any,
) -> Any:  # fmt: skip
    """A training on squared errors of variance 1, with one look at its curvature in the coordinates of ``values``."""
    made = record().chain(layers).losses(list(np.linspace(1.01, end, 100)))
    made.measure([0], {"grad_out": [1.0] * layers})
    spread = {"min": -2.0, "max": 2.0, "mean": 0.0, "variance": 1.0}
    made.sights = [
        Sight(0, 1, {"kind": "mse", "ops": ["mseloss"], "factor": 1.0, "reduction": "mean", "elements": 500,
                     "weighted": False, "prediction": {"shape": [500, 1], **spread},
                     "target": {"shape": [500, 1], **spread}, "broadcast": None})
    ]  # fmt: skip
    squares = np.square(gradient)
    detail = {
        "optimizer": 1, "loss": loss, "gradient": float(np.sqrt(squares.sum())), "values": values,
        "weights": squares.tolist(), "rayleigh": float(squares @ np.array(values) / max(squares.sum(), 1e-300)),
        "size": len(values), "error": [0.0, 0.0], "preconditioned": False, "witness": {"layer0.weight": 1.0},
    }  # fmt: skip
    return made.event(80, "curvature", **(detail | other))


def found(finding: Finding | None) -> Finding:
    assert finding is not None
    assert finding.message
    assert finding.why
    return finding


def test_saddle_point_needs_no_gradient_and_a_way_down(record: Record) -> None:
    finding = found(SaddlePoint().look(looked(record, [-1.0, 2.0], [1e-4, 1e-4]).run()))
    assert finding.layers == ("layer0.weight",)
    assert finding.evidence["growth"] == pytest.approx(1.1)  # 1 + 0.1 · 1
    assert SaddlePoint().look(looked(record, [0.5, 2.0], [1e-4, 1e-4]).run()) is None  # a minimum
    assert SaddlePoint().look(looked(record, [-1.0, 2.0], [0.5, 0.5]).run()) is None  # a slope to follow
    assert SaddlePoint().look(looked(record, [-1.0, 2.0], [1e-4, 1e-4], end=0.2).run()) is None  # it got away
    assert SaddlePoint().look(looked(record, [-1e-5, 2.0], [1e-4, 1e-4]).run()) is None  # rounding
    assert SaddlePoint().look(looked(record, [-1e-8, 1e-8], [1e-12, 1e-12]).run()) is None  # flat ground
    assert found(SaddlePoint().look(looked(record, [-1e-4, 1e-4], [1e-9, 1e-9]).run()))
    at_zero = looked(record, [-1.0, 1.0], [0.0, 4e-20], loss=8e-40, end=0.0)
    assert found(SaddlePoint().look(at_zero.run()))  # the loss went to 0 there
    assert SaddlePoint().look(looked(record, [1.0, 1.0], [0.0, 4e-20], loss=8e-40, end=0.0).run()) is None
    wide = looked(record, [-1.0, 1.0], [0.0, 4e-20], loss=8e-40, end=0.0, size=3)
    assert SaddlePoint().look(wide.run()) is None  # one curvature is not known


def test_local_minimum_has_arrived_where_nothing_was_learnt(record: Record) -> None:
    finding = found(LocalMinimum().look(looked(record, [0.5, 2.0], [1e-5, 1e-5]).run()))
    assert finding.evidence["gain"] == pytest.approx(1e-10 / 2 * (1 / 0.5 + 1 / 2.0))
    assert LocalMinimum().look(looked(record, [-0.5, 2.0], [1e-5, 1e-5]).run()) is None
    assert LocalMinimum().look(looked(record, [0.0, 2.0], [0.0, 1e-5]).run()) is None  # a plateau
    assert LocalMinimum().look(looked(record, [0.5, 2.0], [0.5, 0.5]).run()) is None  # on its way
    assert LocalMinimum().look(looked(record, [0.5, 2.0], [1e-5, 1e-5], end=0.4).run()) is None  # noise is left
    assert LocalMinimum().look(looked(record, [0.5, 2.0], [1e-5, 1e-5], layers=1).run()) is None  # the global one


def test_ill_conditioned_by_what_the_flat_directions_would_gain(record: Record) -> None:
    loss = 0.5
    steep = [1e-4, 1.0, 20.0]
    gradient = [np.sqrt(2 * 1e-4 * 0.8 * loss), 0.0, 1e-6]  # 80 % of the loss lies along the flattest
    finding = found(IllConditioned().look(looked(record, steep, gradient, loss, end=loss).run()))
    assert finding.evidence["share"] == pytest.approx(0.8, abs=0.01)
    assert finding.evidence["condition"] == pytest.approx(2e5)
    assert finding.evidence["updates_needed"] == pytest.approx(2.3 / (0.1 * 1e-4))
    assert IllConditioned().look(looked(record, steep, [1e-6] * 3, loss, end=loss).run()) is None  # only noise is left
    even = [1.0, 2.0, 20.0]
    wide = [np.sqrt(2 * 1.0 * 0.8 * loss), 0.0, 1e-6]
    assert IllConditioned().look(looked(record, even, wide, loss, end=loss).run()) is None  # the learning rate is low
    for ops, alarms in ((["sub", "pow", "mul", "add"], True), (["logsoftmax", "nllloss", "mul", "add"], False)):
        made = looked(record, steep, gradient, loss, end=loss)
        made.sights = [Sight(0, 1, {**made.sights[0].detail, "kind": None, "ops": ops})]
        assert (IllConditioned().look(made.run()) is not None) == alarms


@pytest.mark.parametrize("check", [SaddlePoint(), LocalMinimum(), IllConditioned()])
def test_a_refusal_gives_its_reason(record: Record, check: Any) -> None:
    made = record().chain(2).losses([1.0] * 50).event(40, "curvature", optimizer=1, loss=1.0, refused="dropout: so")
    with pytest.raises(NotApplicable, match="dropout: so"):
        check.look(made.run())

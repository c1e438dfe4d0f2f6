"""The worked numbers of a first course, stopping, populations, rates, searches, and what is refused."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import fallline
from fallline.record.descent import Stop

minimize: Any = fallline.minimize

# -- the numbers of a first course -----------------------------------------------------------------------------------


def test_one_variable_step_by_step() -> None:
    r = minimize("w^2", start=5, lr=0.1)
    assert r.path[:3, 0].tolist() == pytest.approx([5, 4, 3.2], abs=1e-15)
    assert r.gradients[:2, 0].tolist() == [10, 8]


def test_two_variables_with_the_distance_to_the_minimum() -> None:
    r = minimize("w1**2 + w2**2", start=[5, -4], lr=0.1)
    assert r.path[1].tolist() == pytest.approx([4, -3.2], abs=1e-15)
    distances = np.linalg.norm(r.path, axis=1)
    assert distances[:2].tolist() == pytest.approx([math.sqrt(41), math.sqrt(26.24)])
    assert r.gradients[0].tolist() == [10, -8]
    assert (r.path.shape, r.values.shape, r.gradients.shape) == ((r.nit + 1, 2), (r.nit + 1,), (r.nit + 1, 2))


def test_small_good_and_large_rates() -> None:
    slow, good, wild = (minimize("w^2", start=5, lr=lr) for lr in (0.01, 0.1, 1.05))
    assert slow.nit > 10 * good.nit
    assert slow.path[1, 0] == pytest.approx(4.9)
    assert wild.path[:3, 0].tolist() == pytest.approx([5, -5.5, 6.05])
    assert [r.verdict.kind for r in (slow, good, wild)] == ["minimum", "minimum", "diverged"]


def test_momentum_is_faster_in_a_valley_and_passes_a_small_minimum() -> None:
    plain = minimize("valley", lr=0.015, max_iter=5000)
    driven = minimize("valley", lr=0.1, momentum=0.8, optimizer="momentum", max_iter=5000)
    assert driven.nit < plain.nit / 2
    bumpy = "x^2/20 - 0.2cos(4x)"
    stuck = minimize(bumpy, start=5, lr=0.05)
    rolled = minimize(bumpy, start=5, lr=0.05, momentum=0.95, optimizer="heavy-ball")
    assert stuck.fun > 0.5
    assert rolled.fun == pytest.approx(-0.2)


# -- stopping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "stop", "steps"),
    [
        ({"gtol": 1.0}, Stop.GTOL, 11),
        ({"ftol": 1e-3}, Stop.FTOL, None),
        ({"xtol": 1e-2}, Stop.XTOL, None),
        ({"target": 0.5}, Stop.TARGET, 9),
        ({"max_iter": 7}, Stop.MAX_ITER, 7),
        ({"max_iter": 0}, Stop.MAX_ITER, 0),
    ],
)
def test_it_says_what_stopped_it(settings: dict[str, Any], stop: Stop, steps: int | None) -> None:
    r = minimize("w^2", start=5, lr=0.1, **settings)
    assert r.stop is stop
    assert stop.value in r.message
    assert r.status == stop.status
    if steps is not None:
        assert r.nit == steps
        w = 5 * 0.8**steps  # by hand: each step takes a fifth off
        assert r.x[0] == pytest.approx(w)
        if "gtol" in settings:
            assert 2 * w <= 1 < 2 * w / 0.8
        if "target" in settings:
            assert w**2 <= 0.5 < (w / 0.8) ** 2


def test_callbacks() -> None:
    seen: list[float] = []

    def scipys(intermediate_result: SimpleNamespace) -> None:
        seen.append(intermediate_result.fun)
        if len(seen) == 4:
            raise StopIteration

    r = minimize("w^2", start=5, lr=0.1, callback=scipys)
    assert (r.stop, r.nit) == (Stop.CALLBACK, 3)
    assert seen == pytest.approx(r.values.tolist())
    assert minimize("w^2", start=5, lr=0.1, callback=lambda x: x[0] < 1).x[0] < 1
    assert minimize("w^2", start=5, optimizer="newton", callback=lambda x: True).nit == 0


def test_the_best_point_is_kept_beside_the_last() -> None:
    r = minimize("w^2", start=1, lr=1.05, max_iter=10)
    assert (r.best_x[0], r.best_fun) == (1, 1)
    assert r.fun > 5
    assert r["best_x"][0] == 1
    with pytest.raises(KeyError):
        r["nothing"]


# -- populations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "nesterov", "adam", "radam", "rprop"])
def test_a_population_is_its_descents(optimizer: str) -> None:
    starts = np.random.default_rng(0).uniform(-3, 3, (3, 2))
    rates = {"lr": [0.003, 0.01]} | ({"momentum": [0.5, 0.9]} if optimizer in ("momentum", "nesterov", "adam") else {})
    many = minimize("himmelblau", starts, optimizer=optimizer, max_iter=300, gtol=1e-4, **rates)
    assert len(many) == 3 * 2 * len(rates.get("momentum", [0]))
    row = 0
    for start in starts:
        for lr in rates["lr"]:
            for momentum in rates.get("momentum", [None]):
                one = minimize(
                    "himmelblau", start, optimizer=optimizer, lr=lr, momentum=momentum, max_iter=300, gtol=1e-4
                )
                assert (many.nit[row], many.stops[row]) == (one.nit, one.stop)
                assert many.x[row] == pytest.approx(one.x, abs=1e-9)
                assert many.best_fun[row] == pytest.approx(one.best_fun, abs=1e-9)
                assert many[row].path == pytest.approx(one.path, abs=1e-9)
                row += 1
    with pytest.raises(IndexError):
        many[row]


# -- rates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lr", ["auto", "armijo", "bb"])
@pytest.mark.parametrize(
    "name", ["parabola", "valley", "booth", "himmelblau", "three-hump-camel", "softplus-well", "beale"]
)
def test_rates_that_need_no_number(name: str, lr: str) -> None:
    r = minimize(name, lr=lr, max_iter=5000)
    assert r.verdict.kind in ("minimum", "local-minimum")


@pytest.mark.parametrize("optimizer", ["momentum", "heavy-ball", "nesterov"])
def test_momentum_from_the_measured_condition(optimizer: str) -> None:
    r = minimize("x^2 + 500y^2", start=[3, 1], optimizer=optimizer, max_iter=5000)
    assert r.success
    assert r.nit < minimize("x^2 + 500y^2", start=[3, 1], max_iter=9000).nit / 2


def test_many_variables_by_lanczos() -> None:
    curvature = torch.logspace(0, 2, 300, dtype=torch.float64)
    r = minimize(
        lambda x: (curvature * x**2).sum() / 2, torch.ones(300), lr="auto", optimizer="nesterov", max_iter=3000
    )
    assert r.success
    assert r.verdict.evidence["largest_curvature"] == pytest.approx(100, rel=1e-3)
    assert minimize(lambda x: (curvature * x**2).sum() / 2, torch.ones(300), optimizer="newton").success


def test_schedules_change_the_rate() -> None:
    cosine = minimize("w^2", start=5, lr=0.1, schedule="cosine", max_iter=50)
    assert cosine.trace.rates[0] == pytest.approx(0.1)
    assert cosine.trace.rates[-1] < 1e-3
    half = minimize("w^2", start=5, lr=0.1, schedule=lambda t: 0.5, max_iter=3)
    assert half.path[1, 0] == pytest.approx(4.5)


# -- off saddles and out of local minima -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "start", "fun"),
    [
        ("two-wells", (1, 0), -1),
        ("hill", (0, 0), -5),
        ("linear-net", (0, 0), 0),
        ("egg-box", (math.pi / 2, math.pi / 2), -1),
        ("wine-bottle", (0, 0), 0),
        ("himmelblau", (0.0866775, 2.8842547), 0),
    ],
)
@pytest.mark.parametrize(
    "way", [{"escape": True}, {"optimizer": "newton"}, {"optimizer": "perturbed-gd", "max_iter": 5000}]
)
def test_ways_off_a_saddle(name: str, start: tuple[float, float], fun: float, way: dict[str, Any]) -> None:
    r = minimize(name, start, **way)
    assert r.fun == pytest.approx(fun, abs=1e-6)
    if "escape" in way:
        assert r.before.verdict.kind in ("saddle", "maximum")
        assert r.before.verdict.evidence["beyond"] == pytest.approx(fun, abs=1e-6)


@pytest.mark.parametrize("search", ["multi-start", "basin-hopping"])
@pytest.mark.parametrize("name", ["two-valleys", "three-hump-camel", "styblinski-tang", "freudenstein-roth"])
def test_searches_find_the_global_minimum(name: str, search: str) -> None:
    r = minimize(name, search=search, tries=40, optimizer="newton", box=(-15, 15), max_iter=200)
    assert r.verdict.kind == "minimum"
    assert len(r.tries) == 40
    assert r.fun <= np.nanmin(r.tries) + 1e-6


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"fun": "x^2"}, "give a start: one number for each of x"),
        ({"fun": "x^2", "start": [1, 2]}, "start needs 1 number"),
        ({"fun": "x^2", "start": [math.nan]}, "must be finite; got nan"),
        ({"fun": "x^2", "start": "a"}, "start must be numbers"),
        ({"fun": "rosenbrok"}, "did you mean the function named 'rosenbrock'"),
        ({"fun": "x +* 2", "start": 1}, "missing before"),
        ({"fun": 3, "start": 1}, "got int"),
        ({"fun": lambda x: x.sum()}, "give a start"),
        ({"fun": "x^2", "start": 1, "lr": 0}, "must be above 0; got 0"),
        ({"fun": "x^2", "start": 1, "lr": -0.1}, "must be above 0; got -0.1"),
        ({"fun": "x^2", "start": 1, "lr": math.nan}, "must be above 0; got nan"),
        ({"fun": "x^2", "start": 1, "lr": "fast"}, "a number or one of auto"),
        ({"fun": "x^2", "start": 1, "lr": "auto", "optimizer": "adam"}, "lr='auto' is for gd"),
        ({"fun": "x^2", "start": 1, "lr": "bb", "optimizer": "adam"}, "goes with optimizer='gd'"),
        ({"fun": "x^2", "start": 1, "momentum": 1.0}, "at least 0 and below 1; got 1.0"),
        ({"fun": "x^2", "start": 1, "momentum": 0.5, "optimizer": "adagrad"}, "adagrad has no momentum"),
        ({"fun": "x^2", "start": 1, "optimizer": "fast"}, "there is no optimizer 'fast'"),
        ({"fun": "x^2", "start": 1, "max_iter": -1}, "0 or more; got -1"),
        ({"fun": "x^2", "start": 1, "gtol": -1.0}, "gtol must be 0 or more"),
        ({"fun": "x^2", "start": 1, "schedule": "slow"}, "the schedule is one of"),
        ({"fun": "x^2", "start": 1, "options": {"a": 1}}, "gd has no setting 'a'"),
        ({"fun": "x^2", "start": 1, "search": "luck"}, "search is one of"),
        ({"fun": "x^2", "start": 1, "search": "multi-start", "tries": 0}, "at least 1; got 0"),
        ({"fun": "x^2", "start": 1, "search": "multi-start", "box": (1, 0)}, "lower bound first"),
        ({"fun": "x^2", "start": 1, "dtype": "float16"}, "float64 or float32"),
    ],
)
def test_what_is_refused(given: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        minimize(**given)


def test_shapes_come_back() -> None:
    r = minimize(lambda w: ((w - 1) ** 2).sum(), torch.zeros(2, 3), lr=0.4)
    assert (r.x.shape, r.jac.shape, r.path.shape[1]) == ((2, 3), (2, 3), 6)
    assert r.x == pytest.approx(np.ones((2, 3)), abs=1e-5)
    assert "success" in repr(r)

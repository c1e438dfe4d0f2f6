"""The verdict: right on points whose kind is known, at every rate of a quadratic, and unmoved by a change of scale."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fallline
from fallline.calculus import stability
from fallline.diagnosis.verdict import KINDS, verdict

minimize: Any = fallline.minimize
KNOWN: list[tuple[str, Any, dict[str, Any], str]] = [
    ("w^2", 5, {"lr": 0.1}, "minimum"),
    ("w^2", 5, {"lr": 1.05}, "diverged"),
    ("w^2", 5, {"lr": 1.05, "max_iter": 30}, "diverged"),
    ("w^2", 5, {"lr": 1.0}, "oscillating"),
    ("w^2", 5, {"lr": 1e-5}, "too-slow"),
    ("w^2", 5, {"lr": 0.1, "max_iter": 60}, "budget"),
    ("abs(x)", 1.05, {"lr": 0.1}, "oscillating"),
    ("valley", (10, 1), {"lr": 0.0201}, "diverged"),
    ("x^2 - y^2", (1, 0), {}, "saddle"),
    ("x^2 - y^2", (1, 1e-3), {"lr": 0.1}, "unbounded"),
    ("two-wells", (1, 0), {"lr": 0.1}, "saddle"),
    ("two-wells", (1, 0), {"optimizer": "adam", "lr": 0.05, "max_iter": 5000}, "saddle"),
    ("linear-net", (0, 0), {}, "saddle"),
    ("linear-net", (2, 1), {}, "degenerate"),
    ("wine-bottle", (0, 0), {}, "maximum"),
    ("wine-bottle", (0.3, 1), {}, "degenerate"),
    ("hill", (0, 0), {}, "maximum"),
    ("-x^2 - y^2", (1, 1), {}, "unbounded"),
    ("egg-box", (math.pi, 0), {}, "maximum"),
    ("egg-box", (math.pi / 2, math.pi / 2), {}, "saddle"),
    ("monkey-saddle", (0, 0), {}, "degenerate"),
    ("monkey-saddle", (1, 0), {}, "degenerate"),
    ("half-stable", (1, 1), {}, "degenerate"),
    ("half-stable", (-1, 1), {"lr": 0.1}, "unbounded"),
    ("flat-bottom", (1, 1), {}, "degenerate"),
    ("powell-singular", (3, -1, 0, 1), {"optimizer": "newton"}, "degenerate"),
    ("plateau", (6, 6), {}, "plateau"),
    ("exp(-x)", 14, {"lr": 1.0}, "plateau"),
    ("0*x + 3 + x*0", None, {}, "refused"),
    ("x + y", (0, 0), {"lr": 0.1}, "unbounded"),
    ("-log(x)", 1, {"lr": 0.1}, "unbounded"),
    ("two-valleys", 2, {}, "local-minimum"),
    ("freudenstein-roth", (0.5, -2), {"optimizer": "newton"}, "local-minimum"),
    ("rosenbrock", (-1.2, 1), {"lr": 1e-3}, "too-slow"),
    ("rosenbrock", (-1.2, 1), {"optimizer": "newton"}, "minimum"),
    ("brown-badly-scaled", (1, 1), {"optimizer": "newton"}, "minimum"),
    ("1/x", 0, {}, "non-finite"),
    ("log(x)", -1, {}, "non-finite"),
    ("sqrt(x) + x", 1, {"lr": 0.1}, "non-finite"),
    ("cliff", (0, -1), {"lr": 1.0}, "unbounded"),
]
KNOWN = [case for case in KNOWN if case[3] != "refused" and case[0] != "cliff"]


@pytest.mark.parametrize(("fun", "start", "given", "kind"), KNOWN, ids=[f"{c[0]} {c[1]} {c[2]}" for c in KNOWN])
def test_points_whose_kind_is_known(fun: str, start: Any, given: dict[str, Any], kind: str) -> None:
    r = minimize(fun, start, **given)
    assert r.verdict.kind == kind, r.message
    assert kind in KINDS
    assert r.success == (kind == "minimum")
    assert r.verdict.reasons
    assert all(reason.endswith(".") for reason in r.verdict.reasons)
    assert all(isinstance(value, float) for value in r.verdict.evidence.values())
    assert verdict(r.trace).reasons == r.verdict.reasons  # by the trace alone


def test_a_saddle_says_where_it_leads() -> None:
    evidence = minimize("two-wells").verdict.evidence
    assert evidence["smallest_curvature"] == pytest.approx(-2)
    assert evidence["beyond"] == pytest.approx(-1)


@pytest.mark.parametrize(
    ("rule", "momentum"), [("gd", None), ("heavy-ball", 0.9), ("momentum", 0.9), ("nesterov", 0.9), ("nesterov", 0.5)]
)
def test_diverging_names_the_limit_of_exactly_this_rule(rule: str, momentum: float | None) -> None:
    limit = stability.rate_limit(rule, 100.0, momentum or 0.0)
    assert limit is not None
    r = minimize("valley", optimizer=rule, momentum=momentum, lr=1.1 * limit)
    assert r.verdict.kind == "diverged"
    assert r.verdict.evidence["limit"] == pytest.approx(limit)
    assert r.verdict.evidence["over"] == pytest.approx(1.1)
    assert minimize("valley", optimizer=rule, momentum=momentum, lr=0.9 * limit, max_iter=20_000).success


def test_too_slow_counts_the_steps_left_and_recommends() -> None:
    r = minimize("x^2 + 500y^2", [1, 1], lr=5e-4, max_iter=1000)
    evidence = r.verdict.evidence
    assert r.verdict.kind == "too-slow"
    assert evidence["contraction"] == pytest.approx(1 - 1e-3, abs=1e-8)
    arrived = minimize("x^2 + 500y^2", [1, 1], lr=5e-4, max_iter=30_000)
    assert arrived.nit == pytest.approx(1000 + evidence["steps_left"], abs=2)
    assert evidence["condition"] == pytest.approx(500)
    better = minimize("x^2 + 500y^2", [1, 1], lr=evidence["best_lr_gd"], max_iter=10_000)
    fast = minimize("x^2 + 500y^2", [1, 1], lr=evidence["best_lr_heavy-ball"], optimizer="heavy-ball",
                    momentum=evidence["best_momentum_heavy-ball"], max_iter=10_000)  # fmt: skip
    assert fast.nit < better.nit < arrived.nit / 2


def test_a_step_that_single_precision_cannot_resolve() -> None:
    r = minimize("(x-1)^2 + 1e4", 3e6, lr=1e-9, dtype="float32")
    assert (r.verdict.kind, r.stop.name) == ("too-slow", "STALLED")
    assert "float32 cannot resolve the step" in r.message


def test_where_a_number_ceased_to_be_finite() -> None:
    r = minimize("log(x)", 1, lr=0.1)
    assert r.verdict.kind == "non-finite"
    assert r.verdict.evidence["step"] == r.nit == 6
    assert "At step 6, at (−0.00157)" in r.message


def test_a_trace_that_went_lower_is_only_a_local_minimum() -> None:
    r = minimize("w^2", 5, lr=0.1)
    lower = r.trace.values.copy()
    lower[3] = -1.0
    assert verdict(replace(r.trace, values=lower)).kind == "local-minimum"


# -- random quadratics -----------------------------------------------------------------------------------------------

angles = st.floats(0, math.pi)
rules = st.sampled_from(["gd", "momentum", "heavy-ball", "nesterov"])


def quadratic(
    low: float, high: float, angle: float, shift: tuple[float, float] = (0.0, 0.0), scale: float = 1.0
) -> Any:
    c, s = math.cos(angle), math.sin(angle)
    basis = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    matrix = basis @ torch.diag(torch.tensor([low, high], dtype=torch.float64)) @ basis.T * scale
    centre = torch.tensor(shift, dtype=torch.float64)
    return lambda x: (x - centre) @ matrix @ (x - centre) / 2


@settings(max_examples=12, deadline=None)
@given(st.floats(0.05, 5), st.floats(1, 50), angles, rules, st.floats(0, 0.95), st.floats(0.02, 3))
def test_a_bowl_at_every_rate_and_momentum(
    low: float, kappa: float, angle: float, rule: str, beta: float, share: float
) -> None:
    """With λ known, theory says whether it arrives, by its factor a step."""
    beta = 0.0 if rule == "gd" else beta
    limit = stability.rate_limit(rule, low * kappa, beta)
    assert limit is not None
    lr = share * limit
    factor = max(float(stability.contraction(rule, lr, c, beta)) for c in (low, low * kappa))
    assume(abs(factor - 1) > 2e-3)
    ways: dict[str, Any] = {"optimizer": rule, "lr": lr, "momentum": None if rule == "gd" else beta}
    r = minimize(quadratic(low, low * kappa, angle), [2.0, -1.3], **ways, max_iter=400)
    needed = math.log(1e-7 / 10) / math.log(factor) if factor < 1 else math.inf
    if factor > 1:
        assert r.verdict.kind == "diverged", r.message
        assert r.verdict.evidence["limit"] == pytest.approx(limit, rel=1e-6)
    elif needed < 250:
        assert r.verdict.kind == "minimum", r.message
    else:
        assert r.verdict.kind in ("minimum", "too-slow", "budget", "oscillating"), r.message


@settings(max_examples=5, deadline=None)
@given(st.floats(0.05, 5), st.floats(0.05, 5), angles, st.floats(0.05, 0.9))
def test_a_saddle_is_never_a_success(up: float, down: float, angle: float, share: float) -> None:
    function = quadratic(-down, up, angle)
    fallen = minimize(function, [2.0, -1.3], lr=share / max(up, down), max_iter=2000)
    assert fallen.verdict.kind in ("unbounded", "saddle"), fallen.message
    across = [math.sin(angle) * -1.5, math.cos(angle) * 1.5]  # exactly along the valley
    kept = minimize(function, across, lr=share / up, max_iter=2000)
    assert not kept.success
    assert minimize(function, [0.0, 0.0]).verdict.kind == "saddle"


@settings(max_examples=12, deadline=None)
@given(angles, st.floats(-3, 3), st.floats(-3, 3), st.floats(0.1, 10), st.sampled_from(["saddle", "minimum"]))
def test_moving_turning_and_scaling_change_no_verdict(
    angle: float, right: float, up: float, scale: float, kind: str
) -> None:
    low, high = {"saddle": (-1.0, 2.0), "minimum": (1.0, 2.0)}[kind]
    function = quadratic(low, high, angle, (right, up), scale)
    assert minimize(function, [right, up], lr=0.1 / scale).verdict.kind == kind
    if kind == "minimum":
        assert minimize(function, [right + 1, up - 2], lr=0.3 / scale, gtol=1e-6 * scale).verdict.kind == kind
        assert minimize(function, [right + 1, up - 2], lr=1.2 / scale, gtol=1e-6 * scale).verdict.kind == "diverged"


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("monkey-saddle", (0, 0), "degenerate"),
        ("flat-bottom", (0.0122, 0.0122), "degenerate"),
        ("plateau", (6, 6), "plateau"),
        ("two-wells", (1, 0), "saddle"),
    ],
)
@pytest.mark.parametrize("angle", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_moved_turned_and_scaled_singular_points(name: str, start: Any, kind: str, angle: float, scale: float) -> None:
    from fallline.objective.catalog import find

    named = find(name)
    assert named is not None
    objective, centre = named.objective(), torch.tensor([0.3, -0.2], dtype=torch.float64)
    c, s = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)

    def moved(x: torch.Tensor) -> torch.Tensor:
        return scale * objective.value(((x - centre) @ turn)[None])[0]

    begin = torch.tensor(start, dtype=torch.float64) @ turn.T + centre
    r = minimize(moved, begin, lr=0.1 / scale, max_iter=3000, gtol=1e-5 * scale)
    assert r.verdict.kind == kind, r.message
    assert np.isfinite(r.fun)

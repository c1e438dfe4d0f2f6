"""Which finding follows from which: a small, explicit causal order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fallline.diagnosis.finding import Finding

Findings = dict[str, Finding]


def _starts(finding: Finding) -> bool:
    """Whether the fault was there before the first update."""
    return finding.evidence.get("from_start", 0.0) > 0


def _too_small(finding: Finding) -> bool:
    return "forward" in finding.evidence


def _weights_shrink(found: Findings) -> bool:
    """Vanishing because the weights are weak, not because the activation is flat."""
    return "bad-initialisation" in found and _too_small(found["bad-initialisation"])


def _over_depth(found: Findings) -> bool:
    """Exploding from layer to layer from the first update on, not in bursts over the steps."""
    evidence = found["exploding-gradient"].evidence
    return "backward_gain" in evidence and not evidence["grown"]


def _all_zero(found: Findings) -> bool:
    """There is a gradient, and it is zero: that follows from whatever is flat."""
    return not found["no-gradient"].layers and found["no-gradient"].evidence["parameters"] > 0


def _grew(found: Findings) -> bool:
    """A loss that had been growing before it became NaN: the divergence is the cause, not the operation."""
    high, bad = found.get("learning-rate-too-high"), found["non-finite"]
    return high is not None and bad.steps[0] > high.steps[0]


def _rate_fits(found: Findings) -> bool:
    """A learning rate that would do for scaled data."""
    return found["unscaled-data"].evidence["rate_fits"] > 0


def _bad_data(found: Findings) -> bool:
    """The recorder saw samples of another size in the batches of the spikes."""
    return found["loss-spike"].evidence["data"] > 0


def _recurs(found: Findings) -> bool:
    """Spikes again and again: the batches throw the gradient, not one cliff."""
    return found["loss-spike"].evidence["spikes"] >= MANY and "ratio" in found["exploding-gradient"].evidence


def _while_training(found: Findings) -> bool:
    """Not in an evaluation afterwards."""
    return "distance" not in found["wrong-mode"].evidence


def _taken_away(found: Findings) -> bool:
    """A schedule took the rate away early: a weak gradient had no time to show what it can do."""
    return "since" in found["learning-rate-too-low"].evidence


def _rings(found: Findings) -> bool:
    """The loss swings as momentum makes it swing on a quadratic, and as it cannot throw a linear model off for good."""
    return found["oscillating-loss"].evidence.get("linear", 0.0) > 0


def _ordered(found: Findings) -> bool:
    """The loss swings with the order of the samples."""
    return found["oscillating-loss"].evidence.get("ordered", 0.0) > 0


def _born_in_data(found: Findings) -> bool:
    return found["non-finite"].steps[0] == 0


MANY = 10  # spikes
NOTHING_PASSES = 0.9  # share of dead units from which on a layer itself stops the signal

# (consequence, cause, when). The first row that applies names the cause.
RULES: tuple[tuple[str, str, Callable[[Findings], bool]], ...] = (
    *((code, cause, lambda found: True)
      for cause in ("shape-mismatch", "output-mismatch", "stale-gradient") for code in (
        "unscaled-data", "wrong-mode", "loss-spike", "oscillating-loss", "saddle-point", "local-minimum",
        "ill-conditioned",
    )),
    ("unscaled-data", "non-finite", _born_in_data),
    ("no-gradient", "unscaled-data", _all_zero),
    *((code, "unscaled-data", _rate_fits) for code in (
        "oscillating-loss", "learning-rate-too-high", "exploding-gradient", "dead-units", "saturated-units",
        "vanishing-gradient", "bad-initialisation", "ill-conditioned", "saddle-point", "local-minimum", "non-finite",
    )),
    *((code, "unscaled-data", lambda found: True) for code in ("learning-rate-too-low", "plateau")),
    *((code, "wrong-mode", _while_training) for code in (
        "dead-units", "no-gradient", "vanishing-gradient", "oscillating-loss", "loss-spike", "learning-rate-too-high",
        "learning-rate-too-low", "bad-initialisation", "plateau",
    )),
    ("learning-rate-too-high", "loss-spike", _bad_data),
    ("non-finite", "loss-spike", lambda found: (
        _bad_data(found) and found["loss-spike"].steps[0] < found["non-finite"].steps[0]
    )),
    ("bad-initialisation", "loss-spike", lambda found: _bad_data(found) and _too_small(found["bad-initialisation"])),
    ("exploding-gradient", "loss-spike", lambda found: _bad_data(found) or _recurs(found)),
    *(("loss-spike", cause, lambda found: True) for cause in (
        "learning-rate-too-high", "exploding-gradient", "non-finite", "symmetric-units", "bad-initialisation",
    )),
    ("learning-rate-too-high", "oscillating-loss", _rings),
    *((code, "oscillating-loss", _ordered) for code in ("learning-rate-too-high", "loss-spike", "plateau")),
    ("exploding-gradient", "oscillating-loss", lambda found: _ordered(found) and not _over_depth(found)),
    ("dead-units", "oscillating-loss", lambda found: _ordered(found) and not _starts(found["dead-units"])),
    *(("oscillating-loss", cause, lambda found: True) for cause in (
        "learning-rate-too-high", "exploding-gradient", "loss-spike", "non-finite", "dead-units", "symmetric-units",
        "bad-initialisation", "saturated-units", "vanishing-gradient",
    )),
    *((code, cause, lambda found: True) for code in ("saddle-point", "local-minimum", "ill-conditioned") for cause in (
        "non-finite", "no-gradient", "symmetric-units", "bad-initialisation", "learning-rate-too-high",
        "exploding-gradient", "dead-units", "saturated-units", "vanishing-gradient",
    )),
    *(("learning-rate-too-low", cause, lambda found: True) for cause in (
        "saddle-point", "local-minimum", "ill-conditioned",
    )),
    *((code, cause, lambda found: True) for cause in ("shape-mismatch", "output-mismatch") for code in (
        "plateau", "no-gradient", "vanishing-gradient", "saturated-units", "dead-units", "learning-rate-too-low",
        "learning-rate-too-high", "bad-initialisation", "exploding-gradient",
    )),
    ("learning-rate-too-high", "stale-gradient", lambda found: True),
    ("exploding-gradient", "stale-gradient", lambda found: True),
    ("non-finite", "stale-gradient", lambda found: found["non-finite"].steps[0] > 0),
    ("saturated-units", "stale-gradient", lambda found: not _starts(found["saturated-units"])),
    ("learning-rate-too-high", "non-finite", lambda found: not _grew(found)),
    ("exploding-gradient", "learning-rate-too-high", lambda found: not _over_depth(found)),
    ("non-finite", "exploding-gradient", lambda found: True),
    ("non-finite", "learning-rate-too-high", _grew),
    ("learning-rate-too-high", "exploding-gradient", lambda found: _over_depth(found)),
    ("dead-units", "learning-rate-too-high", lambda found: not _starts(found["dead-units"])),
    ("saturated-units", "learning-rate-too-high", lambda found: not _starts(found["saturated-units"])),
    ("learning-rate-too-high", "dead-units", lambda found: _starts(found["dead-units"])),
    ("learning-rate-too-high", "saturated-units", lambda found: _starts(found["saturated-units"])),
    ("bad-initialisation", "symmetric-units", lambda found: True),
    ("vanishing-gradient", "symmetric-units", lambda found: True),
    ("vanishing-gradient", "learning-rate-too-low", _taken_away),
    ("vanishing-gradient", "bad-initialisation", _weights_shrink),
    ("vanishing-gradient", "dead-units", lambda found: found["dead-units"].evidence["share"] >= NOTHING_PASSES),
    ("dead-units", "vanishing-gradient", lambda found: True),
    ("vanishing-gradient", "saturated-units", lambda found: _starts(found["saturated-units"])),
    ("saturated-units", "vanishing-gradient", lambda found: not _starts(found["saturated-units"])),
    ("vanishing-gradient", "learning-rate-too-high", lambda found: True),
    ("dead-units", "bad-initialisation", lambda found: _too_small(found["bad-initialisation"])),
    *(("no-gradient", cause, _all_zero) for cause in ("dead-units", "symmetric-units", "bad-initialisation")),
    ("dead-units", "no-gradient", lambda found: not (_starts(found["dead-units"]) and _all_zero(found))),
    ("vanishing-gradient", "no-gradient", lambda found: not _all_zero(found)),
    ("learning-rate-too-low", "no-gradient", lambda found: True),
    ("learning-rate-too-low", "exploding-gradient", lambda found: True),
    ("learning-rate-too-low", "symmetric-units", lambda found: True),
    ("learning-rate-too-low", "dead-units", lambda found: True),
    ("learning-rate-too-low", "bad-initialisation", lambda found: True),
    ("learning-rate-too-low", "saturated-units", lambda found: True),
    ("learning-rate-too-low", "vanishing-gradient", lambda found: True),
    *(("plateau", cause, lambda found: True) for cause in (
        "no-gradient", "stale-gradient", "symmetric-units", "bad-initialisation", "learning-rate-too-high",
        "exploding-gradient", "dead-units", "saturated-units", "vanishing-gradient", "saddle-point", "local-minimum",
        "ill-conditioned", "learning-rate-too-low", "loss-spike", "oscillating-loss",
    )),
)  # fmt: skip

SEVERITIES = ("error", "warning", "info")


def rank(findings: Sequence[Finding], order: Sequence[str]) -> tuple[Finding, ...]:
    """Hang consequences under their causes and put the root cause first.

    ``order``: the codes in the order of the checks, which decides between causes of one severity.
    """
    found = {finding.code: finding for finding in findings}
    for consequence, cause, applies in RULES:
        free = consequence in found and cause in found and found[consequence].because_of is None
        if free and applies(found) and not _follows(found, cause, consequence):
            found[consequence] = found[consequence].following(cause)
    return tuple(
        sorted(
            found.values(),
            key=lambda f: (f.because_of is not None, SEVERITIES.index(f.severity), order.index(f.code)),
        )
    )


def _follows(found: Findings, consequence: str, cause: str) -> bool:
    """Whether ``consequence`` already hangs under ``cause``, so that no circle closes."""
    parent = found[consequence].because_of
    while parent is not None:
        if parent == cause:
            return True
        parent = found[parent].because_of
    return False

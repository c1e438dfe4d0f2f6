"""How a training went, judged by its loss: the yardstick that tells a fault from a peculiarity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fallline.record.operations import REGRESSION
from fallline.record.run import Floats, Training

LEARNED = 0.10  # share of the loss of a constant prediction that must be gone before anything counts as learned
STUCK = 0.05  # below this share nothing was learned that the mean of the targets does not give
NOTHING = 0.01  # below this share it is nothing, however sure
DOUBT = 5.0  # standard errors
THROWN = 3.0  # times the very first loss
OUTLIER = 100.0  # times the variance of a usual batch's targets
DRIFT = 0.2  # of the targets' standard deviation: their mean moves when it moves by three times this
DRAWN = 0.3  # of the weights' first norm: hardly anything but a decay draws them in so far
PENALTY = 0.1  # of a constant prediction's loss: beside a stronger penalty the loss does not tell what was learned
SAME = 1e-4  # of the targets' standard deviation: their means differ by more from batch to batch
FLAT = 0.02  # relative change over the second half, and below the first loss, at which one of unknown scale is flat
LONG = 10  # losses
ROUNDED = 1e-12  # of the square of the targets' mean: a variance that is the rounding of equal numbers
FLIPS = 0.1  # of the updates, at which a loss changes its sign
UPS = 0.2  # of the steps of a loss that is noise go up at least


@dataclass(frozen=True)
class Outcome:
    """Where the loss of one training began, where it ended, and what that is worth."""

    updates: int
    first: float  # median of the first losses
    last: float  # median of the last tenth; infinite if that is not finite
    trivial: float | None  # loss of the best constant prediction, where the loss is one of the known kinds
    meaning: str  # what the trivial loss is: "ln 10, a uniform guess over 10 classes", …
    finite: bool
    flat: bool  # the second half neither falls nor rises beyond its noise
    below: float = 0.0  # the second half's mean below the trivial loss, in standard errors
    contested: bool = False  # its level means nothing: another loss pulls at the same parameters, or the targets move
    unsure: bool = False  # the trivial loss is known from batches so few and different that it may have learned

    @property
    def explained(self) -> float:
        """Share of the trivial loss that training removed; of the first loss where no trivial one is known."""
        reference = self.trivial if self.trivial is not None else self.first
        if not self.finite:
            return -math.inf
        if self.contested or not reference > 0:
            return math.nan
        return 1 - self.last / reference

    @property
    def diverged(self) -> bool:
        """It ended clearly above where it began and above a constant prediction."""
        if self.contested:
            return not self.finite
        return not self.finite or self.last > 2 * max(self.first, self.trivial or 0.0) > 0

    @property
    def learned(self) -> bool:
        """It ended clearly better than a constant prediction."""
        return self.finite and self.explained >= LEARNED

    @property
    def stuck(self) -> bool:
        """It ended no better than a constant prediction, or moves nowhere where none is known."""
        if not self.finite or self.contested:
            return False
        if self.trivial is not None:
            return self.explained < STUCK
        return self.flat and self.explained < FLAT  # it may hold a constant that no training takes away

    @property
    def idle(self) -> bool:
        """It is stuck, and not at a floor of noise: no lower than a constant prediction beyond all doubt."""
        if self.trivial is None or not self.stuck:
            return self.stuck
        return not self.unsure and (self.explained < NOTHING or self.below < DOUBT)

    @property
    def failed(self) -> bool:
        """It is stuck or diverged."""
        return self.stuck or self.diverged


def judge(training: Training) -> Outcome:
    """Judge one training by its losses; one that only looks ahead as if it were to fail."""
    loss = training.loss
    if training.run.meta.get("forecast"):
        return _pessimist(training)
    tenth = max(1, len(loss) // 10)
    with np.errstate(invalid="ignore"):
        first = float(np.median(loss[: max(1, min(5, tenth))]))
        if first > THROWN * loss[0] > 0:  # the first steps threw it far up
            first = float(loss[0])
        tail = loss[-tenth:]
        finite = bool(np.isfinite(tail).mean() > 0.5)
        last = float(np.median(tail[np.isfinite(tail)])) if finite else math.inf
        noise = float(tail[np.isfinite(tail)].std()) / math.sqrt(tenth) if finite else 0.0
    trivial, meaning = trivial_loss(training)
    contested = training.contested or (trivial is None and (training.beside_another or _around_zero(loss)))
    contested = contested or _drifts(training)
    half = loss[len(loss) // 2 :]
    with np.errstate(invalid="ignore"):
        below = (trivial - half.mean()) / (half.std() / math.sqrt(len(half)) + 1e-300) if trivial and finite else 0.0
    # an update that searches along its line may arrive with the first: where it arrived, nothing tells then
    flat = _flat(loss) and not (trivial is None and training.optimizer.kind == "LBFGS")
    unsure = trivial is not None and _unsure(training, 1 - last / trivial, noise / trivial)
    return Outcome(len(loss), first, last, trivial, meaning, finite, flat, float(below), contested, unsure)


def _pessimist(training: Training) -> Outcome:
    trivial, meaning = trivial_loss(training)
    first = float(training.loss[0]) if len(training.loss) else math.nan
    return Outcome(
        len(training.loss), first, trivial or first, trivial, meaning, math.isfinite(first), True,
        contested=training.contested,
    )  # fmt: skip


def _unsure(training: Training, explained: float, noise: float) -> bool:
    """Whether a regression may have learned, for all that is known of its targets: they vary from batch to batch.

    On the same batch the gain over a constant is known better than on different ones: its standard error over N targets
    is 2 sd(prediction) sd(target) / √N. Where different batches leave room for a training that learned, it is enough
    that the same ones do not exclude it; else they must show it. ``noise`` is the standard error of the last losses.
    """
    loss, steps = training.loss, training.steps["step"]
    sights = [(s, int(np.searchsorted(steps, step))) for step, s in training.sighted if s["kind"] == "mse"]
    sights = [(s, at) for s, at in sights if s["target"]["shape"]]  # a batch of one may be a number
    if len(sights) < 2:
        return False
    variances = np.array([s["target"]["variance"] for s, _ in sights])
    centre = float(np.mean([s["target"]["mean"] for s, _ in sights]))
    late = [
        (
            s["elements"],
            s["target"]["variance"] * (1 - 1 / s["target"]["shape"][0]) + (s["target"]["mean"] - centre) ** 2,
            s["prediction"]["variance"],
            loss[at] - s.get("penalties", 0.0),
        )
        for s, at in sights
        if len(loss) // 2 <= at < len(loss) and s["factor"] == 1.0 and s["reduction"] == "mean"
    ]
    if not late:
        return False
    count, constant, spread, reached = (np.array(column, dtype=float) for column in zip(*late, strict=True))
    gain = float((count * (constant - reached)).sum() / count.sum())
    doubt = 2 * math.sqrt(float((count * spread * constant).sum())) / float(count.sum())
    known = variances.std() / math.sqrt(len(variances)) / variances.mean()
    vague = explained + 2 * math.hypot(known, noise) > LEARNED
    return bool(gain + (2 if vague else -2) * doubt > NOTHING * constant.mean())


def _flat(loss: Floats) -> bool:
    half = loss[len(loss) // 2 :]
    if len(half) < 4 or not np.isfinite(half).all():
        return False
    early, late = np.median(half[: len(half) // 2]), np.median(half[len(half) // 2 :])
    level = abs(early) or 1.0
    return bool(abs(late - early) < FLAT * level and half.std() < 2.5 * FLAT * level)


def _around_zero(loss: Floats) -> bool:
    """Whether it begins as noise about zero, as a policy gradient does."""
    known = loss[np.isfinite(loss)]
    if len(known) >= 2 * LONG and (np.diff(np.sign(known)) != 0).mean() >= FLIPS:
        return True  # so does it all along, as the energy of data less that of samples
    head = loss[: max(LONG, len(loss) // 10)]
    head = head[np.isfinite(head)]
    if len(head) < LONG or not head.min() < 0 < head.max() or (np.diff(head) > 0).mean() < UPS:
        return False
    return bool(abs(np.median(head)) < head.std())


def _drifts(training: Training) -> bool:
    """Whether a regression's targets move while it trains, as those do that a network makes itself (Q-learning)."""
    return any(len(s) == len(training.sights) and _moves(s) for s in compared(training))


def _moves(sights: Sequence[dict[str, Any]]) -> bool:
    targets = [s["target"] for s in sights if s["kind"] in REGRESSION]
    if len(targets) < 12 or len(targets) < len(sights):
        return False
    means, variances = (np.array([t[name] for t in targets]) for name in ("mean", "variance"))
    late = max(3, len(targets) // 20)  # most are of the first updates
    shift = abs(np.median(means[-late:]) - np.median(means[: len(means) // 2]))
    known = variances[np.isfinite(variances)]
    spread = math.sqrt(float(np.median(known))) if len(known) else 0.0
    noise = max(float(np.median(np.abs(np.diff(means)))), DRIFT * spread)
    return bool(shift > 3 * noise)


def drawn_in(training: Training) -> float | None:
    """Norm of the weights at the end over that at the start, where weight decay has shrunk them below ``DRAWN``."""
    weight = training.total("weight")[1]
    decay = float(training.optimizer.settings.get("weight_decay") or 0.0)
    shrunk = float(weight[-1] / weight[0]) if len(weight) > 1 and weight[0] > 0 else 1.0
    return shrunk if decay > 0 and shrunk < DRAWN else None


def trivial_loss(training: Training) -> tuple[float | None, str]:
    """Loss of the best constant prediction on the targets seen, and its meaning; None where that is not known."""
    if all(s.get("whole") for s in training.sights):
        parts = [_trivial(sights)[0] for sights in compared(training)]
        known = [part for part in parts if part is not None]
        if known and len(known) == len(parts):
            return sum(known), "what constant predictions get in all of the losses together"
    sights = [s for s in training.sights if s["kind"] is not None and s["factor"] is not None]
    return _trivial(sights) if len(sights) == len(training.sights) else (None, "")


def compared(training: Training) -> list[list[dict[str, Any]]]:
    """What was seen at the loss, and where several losses are added up, at each of those."""
    known = [s for s in training.sights if s["kind"] is not None]
    if known:
        return [known]
    return [list(sights) for sights in zip(*(s.get("terms", ()) for s in training.sights), strict=False)]


def _trivial(sights: list[dict[str, Any]]) -> tuple[float | None, str]:
    if len({s["kind"] for s in sights}) != 1:
        return None, ""
    sight = sights[0]
    value, meaning = _KINDS.get(sight["kind"], _unknown)(sights)
    if value is None or not math.isfinite(value) or value <= 0 or sight["weighted"]:
        return None, ""
    count = float(np.median([s["elements"] for s in sights])) if sight["reduction"] == "sum" else 1.0
    value, penalty = value * sight["factor"] * count, float(sights[-1].get("penalties", 0.0))
    return (value + penalty, meaning) if penalty <= PENALTY * value else (None, "")


def _unknown(sights: list[dict[str, Any]]) -> tuple[float | None, str]:
    return None, ""


def _nll(sights: list[dict[str, Any]]) -> tuple[float | None, str]:
    counts = [s["classes"] for s in sights if "classes" in s]
    if not counts or len({len(c) for c in counts}) > 1:
        return None, ""
    total = np.sum(counts, axis=0)
    value = entropy(total / total.sum())
    classes = len(total)
    uniform = math.log(classes)
    if abs(value - uniform) < 0.01 * uniform:
        return value, f"ln {classes}, a uniform guess over {classes} classes"
    return value, "the entropy of the class frequencies, a guess that ignores the input"


def _mse(sights: list[dict[str, Any]]) -> tuple[float | None, str]:
    if any("expand" in s["ops"] for s in sights):
        return None, ""
    variances = [s["target"]["variance"] for s in sights]
    if np.isnan(variances).all():
        return None, ""
    rows = max(next(iter(s["target"]["shape"]), 1) for s in sights)
    whole = len(sights) > 1 and same_targets(sights)  # every batch is the whole data set
    usual = float(np.nanmedian(variances))
    wild = np.nanmax(variances) > OUTLIER * usual > 0  # a few wrong targets say nothing about the others
    value = usual if wild else float(np.nanmean(variances))
    mean = float(np.nanmean([abs(s["target"]["mean"]) for s in sights]))
    if value <= ROUNDED * mean**2:  # they are all the same
        return None, ""
    return value * ((rows - 1) / rows if whole else 1.0), "the variance of the targets, a prediction of their mean"


def same_targets(sights: Sequence[dict[str, Any]]) -> bool:
    """Whether it is the same targets each time, but for the rounding of those that are told by the loss."""
    means, variances = (np.array([s["target"][name] for s in sights if "target" in s]) for name in ("mean", "variance"))
    with np.errstate(invalid="ignore"):
        return len(means) > 0 and bool(np.ptp(means) <= SAME * math.sqrt(variances.max()))


def _bce(sights: list[dict[str, Any]]) -> tuple[float | None, str]:
    mean = float(np.mean([s["target"]["mean"] for s in sights]))
    if not 0 < mean < 1:
        return None, ""
    weight = float(sights[0].get("pos_weight", 1.0))
    ones, zeros = weight * mean, 1 - mean
    value = (ones + zeros) * entropy(np.array([ones, zeros]) / (ones + zeros))
    if abs(value - math.log(2)) < 0.01:
        return value, "ln 2, a coin toss"
    return value, "the entropy of the target's mean, a guess that ignores the input"


def entropy(shares: Floats) -> float:
    """Entropy in nats of a distribution, shape (classes,)."""
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())


def _soft(sights: list[dict[str, Any]]) -> tuple[float | None, str]:
    shares = [s["shares"] for s in sights if "shares" in s]
    if not shares or len({len(s) for s in shares}) > 1:
        return None, ""
    mean = np.mean(shares, axis=0)
    return entropy(mean) / len(mean), "the entropy of the targets' mean, a guess that ignores the input"


def _robust(sights: list[dict[str, Any]]) -> tuple[float | None, str]:
    if any("expand" in s["ops"] for s in sights):
        return None, ""
    value = float(np.mean([s.get("constant", math.nan) for s in sights]))
    return value, "the spread of the targets, a prediction of their median"


_KINDS = {
    "nll": _nll, "mse": _mse, "bce": _bce, "bce-logits": _bce, "l1": _robust, "smooth-l1": _robust, "huber": _robust,
    "soft-nll": _soft,
}  # fmt: skip

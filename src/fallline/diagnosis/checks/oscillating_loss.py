"""The loss swings up and down instead of going down."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fallline.calculus import stability
from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.outcome import Outcome, judge
from fallline.record.run import Floats, Run, Training


@dataclass(frozen=True)
class OscillatingLoss:
    r"""Wide swings of the loss, over many updates or from each to the next, that keep it above what it had reached.

    Noise of the batches is no swing: the loss is smoothed first, and a swing must stand far above what is left of the
    noise. With momentum β a mode of curvature λ rings with period
    :math:`2\pi / \arccos((1 + \beta - \eta\lambda) / (2\sqrt\beta))` updates and is damped by :math:`\sqrt\beta` an
    update (Goh, Distill 2017), from which λ follows.
    """

    code: str = "oscillating-loss"
    least: int = 40  # updates
    swing: float = 1.5  # factor between a low and the next high
    count: int = 3  # lows and highs after the first fifth of the run
    noise: float = 10.0  # times the noise of the smoothed loss, in logarithms
    runs: float = 0.33  # share of updates after which the loss turns, below which it is not noise that moves it
    rings: float = 2.0  # most of its halving times that a period may last: after more no ring is left to be seen
    ring: float = 1.2  # as swing, where momentum keeps a ring up for a quarter of the run or longer
    lost: float = 1.2  # the last third's median over the lowest smoothed loss
    explained: float = 0.8  # of the trivial loss: a training that explained more gets on in spite of it
    zigzag: float = 0.9  # share of updates after which the loss turns; 2/3 by chance
    steady: float = 0.2  # the learning rate may change by this share, else its schedule is what swings
    sorted: float = 0.5  # of the variety that shuffled batches would have
    batches: int = 10  # of which the targets were measured
    size: int = 8  # samples in each: with fewer, any batch holds few classes

    def look(self, run: Run) -> Finding | None:
        if not any(len(t.loss) >= self.least for t in run.trainings):
            raise NotApplicable(f"fewer than {self.least} updates were recorded")
        for training in run.trainings:
            outcome = judge(training)
            if len(training.loss) < self.least or outcome.contested or not outcome.finite:
                continue
            if not outcome.explained < self.explained or not self._steady(training):
                continue
            finding = (
                self._order(training, outcome) or self._swings(training, outcome) or self._turns(training, outcome)
            )
            if finding is not None:
                return finding
        return None

    def _order(self, training: Training, outcome: Outcome) -> Finding | None:
        """Batches that hold one class after the other: each stretch of updates undoes what the last one taught."""
        batches = [np.array(s["classes"], dtype=float) for s in training.sights if s.get("classes")]
        if len(batches) < self.batches or len({len(counts) for counts in batches}) > 1:
            return None
        within, size = float(np.mean([_entropy(counts) for counts in batches])), np.mean([c.sum() for c in batches])
        if size < self.size:
            return None
        overall = np.sum(batches, axis=0)
        shuffled = _entropy(overall) - (np.count_nonzero(overall) - 1) / (2 * size)
        if shuffled < self.sorted * _entropy(overall) or within > self.sorted * shuffled:
            return None
        kinds = text(float(np.mean([np.count_nonzero(counts) for counts in batches])))
        return self._finding(
            training, outcome,
            f"The batches are sorted: one of {text(float(size))} samples holds {kinds} of the "
            f"{np.count_nonzero(overall)} classes seen on average. The loss ends at {text(outcome.last)}.",
            "While one class comes, the net learns to answer just that; when the next one comes, it forgets it. The "
            "gradient of a batch points to the minimum of all data only where the batch looks like all data. Shuffle "
            "the samples in every epoch (DataLoader(..., shuffle=True), or an order from torch.randperm).",
            {"ordered": 1.0, "entropy": within, "shuffled": float(shuffled)},
            "The classes of a batch are as mixed as those of all data, and the loss swings all the same.",
        )  # fmt: skip

    def _steady(self, training: Training) -> bool:
        rates = training.steps["lr"][np.isfinite(training.steps["lr"])]
        return len(rates) == 0 or bool(np.ptp(rates) <= self.steady * rates.max())

    def _swings(self, training: Training, outcome: Outcome) -> Finding | None:
        loss = training.loss
        if not (np.isfinite(loss).all() and loss.min() > 0):
            return None
        level = np.log(loss)
        width = max(1, len(level) // 60)
        smooth = np.convolve(level, np.ones(width) / width, mode="valid") if width > 1 else level
        change = np.diff(level)
        smooth_already = np.mean(change[1:] * change[:-1] < 0) < self.runs or _same_batch(training)
        rough = 0.0 if smooth_already else float(np.median(np.abs(change))) / math.sqrt(width)
        swing = self.ring if 4 * _halving(training) > len(loss) else self.swing
        least = max(math.log(swing), self.noise * rough)
        begin = len(smooth) // 5
        turns = _turning_points(smooth[begin:], least)
        late = float(np.median(loss[-len(loss) // 3 :]))
        lowest = float(np.exp(smooth.min()))
        if len(turns) < self.count or late < self.lost * lowest:
            return None
        period = 2 * float(np.median(np.diff(turns))) if len(turns) > 1 else math.nan
        highs = np.exp([smooth[begin + t] for t in turns])
        evidence = {
            "swings": float(len(turns)),
            "period": period,
            "low": float(highs.min()),
            "high": float(highs.max()),
        }
        said, why = self._ringing(training, period, evidence)
        return self._finding(
            training, outcome,
            f"The loss goes up and down between {text(float(highs.min()))} and {text(float(highs.max()))}, "
            f"{len(turns)} turns with a period of about {text(period)} updates.{said} It ends at {text(outcome.last)}; "
            f"it had been at {text(lowest)}.",
            why, evidence,
        )  # fmt: skip

    def _ringing(self, training: Training, period: float, evidence: dict[str, float]) -> tuple[str, str]:
        """What momentum has to do with a period, in two sentences."""
        settings = training.optimizer.settings
        momentum = float(settings.get("momentum", 0.0) or 0.0)
        lr = float(settings.get("lr", math.nan))
        halving = _halving(training)
        if training.optimizer.kind != "SGD" or momentum < 0.5 or not 4 < period <= self.rings * halving:
            return "", (
                "Each step overshoots the bottom of the valley that the gradient points to, or the batches pull in "
                "turns into different directions, so what one stretch of updates gains the next one loses."
            )
        curvature = stability.curvature_from_period(period, lr, momentum)
        evidence |= {"momentum": momentum, "curvature": curvature, "halving": halving}
        evidence["linear"] = float(len(training.layers) <= 1)
        return (
            f" That is the ring of momentum {text(momentum)} in a direction of curvature {text(curvature)}; it takes "
            f"{text(halving)} updates to halve.",
            "Momentum carries the weights past the bottom of the valley and up the other side, like a ball that hardly "
            "feels friction. Each update keeps √β of the swing, so with β near 1 the ring outlasts the training. A "
            "smaller momentum damps it sooner.",
        )

    def _turns(self, training: Training, outcome: Outcome) -> Finding | None:
        """Zigzag: the loss turns at nearly every update, by much more than it falls."""
        half = training.loss[len(training.loss) // 2 :]
        if not np.isfinite(half).all() or not half.min() > 0:
            return None
        change = np.diff(np.log(half))
        turning = float(np.mean(change[1:] * change[:-1] < 0))
        size = float(np.median(np.abs(change)))
        if turning < self.zigzag or size < math.log(self.swing):
            return None
        return self._finding(
            training, outcome,
            f"The loss turns after {100 * turning:.0f} % of the updates, by a factor of {text(math.exp(size))} each "
            f"time; it ends at {text(outcome.last)}.",
            "Every step lands on the other side of the valley, about as high as before: the learning rate is near the "
            "limit 2 / λ, λ the largest curvature.",
            {"turning": turning, "factor": math.exp(size)},
        )  # fmt: skip

    def _finding(
        self, training: Training, outcome: Outcome, message: str, why: str, evidence: dict[str, float],
        disproof: str = "The loss swings as much with a tenth of the learning rate and half the momentum.",
    ) -> Finding:  # fmt: skip
        steps = training.steps["step"]
        return Finding(
            self.code, "error" if outcome.failed else "warning", "oscillating loss", message, why, disproof, (),
            (int(steps[0]), int(steps[-1])), evidence,
        )  # fmt: skip


def _entropy(counts: Floats) -> float:
    """Of the shares of classes, in nats."""
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def _halving(training: Training) -> float:
    """Updates after which half of a ring is left under heavy-ball momentum: it is damped by √β an update."""
    momentum = float(training.optimizer.settings.get("momentum", 0.0) or 0.0)
    return math.log(0.5) / (0.5 * math.log(momentum)) if 0 < momentum < 1 else 0.0


def _same_batch(training: Training) -> bool:
    """Whether every update saw the same targets, so that nothing in the loss is noise of the batches."""
    means = {s["target"]["mean"] for s in training.sights if s.get("target")}
    return len(means) == 1 and len(training.sights) > 2


def _turning_points(level: Floats, least: float) -> list[int]:
    """Positions of the lows and highs that lie at least ``least`` apart, in turns."""
    points: list[int] = []
    low = high = 0
    direction = 0  # 1: on the way up since the last low
    for i, value in enumerate(level):
        low = i if value < level[low] else low
        high = i if value > level[high] else high
        if direction <= 0 and value > level[low] + least:
            points += [low]
            direction, high = 1, i
        elif direction >= 0 and value < level[high] - least:
            points += [high]
            direction, low = -1, i
    return points

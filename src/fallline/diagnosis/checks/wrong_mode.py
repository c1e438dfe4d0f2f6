"""Dropout or batch norm act as they should not while the network trains, or is asked after it has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fallline.diagnosis.finding import Finding, NotApplicable, text
from fallline.diagnosis.outcome import Outcome, judge
from fallline.record.operations import REGRESSION, VIEWS
from fallline.record.run import Run, Training


@dataclass(frozen=True)
class WrongMode:
    r"""Dropout too strong to learn under, batch norm over too few values, in eval mode, or with frozen statistics.

    And a trained network that answers in train mode, where eval mode gives other answers.

    Dropout with share p leaves of a sum of independent terms a signal-to-noise ratio of (1 − p) / p; through several
    dropouts it is :math:`1 / (\prod 1 / (1 - p) - 1)`. Batch norm over two values knows only which one is larger.
    """

    code: str = "wrong-mode"
    signal: float = 0.12  # signal-to-noise ratio; twice 0.5 leaves 0.33, once 0.9 leaves 0.11
    values: int = 4  # of a channel that batch norm takes its statistics from
    part: float = 0.9  # … its dropout on the output
    little: float = 0.1  # of the first loss, where that of a constant is not known
    learned: float = 0.5  # of the trivial loss: a training that explained more can live with its dropout
    moved: int = 10  # updates after which running statistics have moved, unless they never will
    changed: float = 0.1  # of the answers after training are others in eval mode
    distance: float = 0.5  # standard deviations between the answers in train mode and in eval mode

    def look(self, run: Run) -> Finding | None:
        looked, outcomes = False, [judge(training) for training in run.trainings]
        for training, outcome in zip(run.trainings, outcomes, strict=True):
            seen = [mode for sight in training.sights for mode in sight.get("modes", [])]
            looked = looked or bool(seen)
            finding = seen and (
                self._at_output(training, outcome)
                or self._dropout(training, outcome)
                or self._batch_norm(training, outcome)
                or self._frozen(training)
            )
            if finding:
                return finding
        if not looked and _refused(run):
            return self._one_sample(run)
        if not looked:
            raise NotApplicable("neither dropout nor batch norm took part")
        sound = not any(outcome.failed or outcome.contested for outcome in outcomes)
        return self._evaluated(run) if sound else None

    def _evaluated(self, run: Run) -> Finding | None:
        """The network trained well, and is then asked without ``model.eval()``."""
        for event in run.events_of("evaluation"):
            seen = event.detail
            changed, distance = seen["changed"], seen["distance"] or 0.0
            if (distance if changed is None else changed) <= (self.distance if changed is None else self.changed):
                continue
            evidence = {"changed": math.nan if changed is None else changed, "distance": distance}
            differ = (
                f"lie {text(distance)} standard deviations from"
                if changed is None
                else f"are other classes, for {100 * changed:.0f} % of the samples, than"
            )
            return (self._hasty if seen["hasty"] else self._answers)(event.step, seen, differ, evidence)
        return None

    def _hasty(self, step: int, seen: dict[str, Any], differ: str, evidence: dict[str, float]) -> Finding:
        momentum = seen["hasty"]
        return Finding(
            self.code, "warning", f"running statistics of batch norm forget: momentum {text(momentum)}",
            f"Batch norm keeps {text(1 - momentum)} of its running statistics at each update (momentum "
            f"{text(momentum)}). In eval mode the last {seen['answers']} answers {differ} those by the statistics of "
            "the evaluated batch itself.",
            "PyTorch's momentum is the share of the new batch, Keras' that of the old: 0.99 there is 0.01 here. "
            "With nearly 1, the network is evaluated with the mean and variance of its very last batch. The "
            "training itself is not at fault.",
            "The answers are the same with momentum 0.1.", (), (step, step), {**evidence, "momentum": momentum},
        )  # fmt: skip

    def _answers(self, step: int, seen: dict[str, Any], differ: str, evidence: dict[str, float]) -> Finding:
        layers = {"dropout": seen["dropout"], "batch norm": seen["batch_norm"]}
        acting = " and ".join(f"{name} ({count}×)" for name, count in layers.items() if count)
        others = "in eval mode" if seen["training"] else "of a second call"
        why = (
            "In train mode dropout still drops units at random, and batch norm takes mean and variance from the very "
            "batch it is asked about, however small that is. The training itself is not at fault. Call model.eval() "
            "before the evaluation, and model.train() when training goes on."
            if seen["training"] else "torch.nn.functional.dropout drops units in eval mode, too, unless it is told: "
            "call it with training=self.training, or use nn.Dropout. The training itself is not at fault."
        )  # fmt: skip
        return Finding(
            self.code, "warning", "evaluated in train mode" if seen["training"] else "dropout that eval leaves on",
            f"After its last update the network is asked in {'train' if seen['training'] else 'eval'} mode, with "
            f"{acting or 'dropout'} at work: the last {seen['answers']} answers {differ} those {others}.",
            why, "The evaluation is as good without them.", (), (step, step),
            {**evidence, "told": float(not seen["training"])},
        )  # fmt: skip

    def _at_output(self, training: Training, outcome: Outcome) -> Finding | None:
        """Dropout between the last layer and the loss."""
        sight = training.sights[-1]
        ops = [op for op in sight["ops"] if op not in VIEWS]
        last = {layer.name for layer in training.layers if layer.output}
        modes = [m for m in _modes(sight, "dropout") if m["after"].rpartition(".")[0] in last or m["after"] in last]
        direct = sight["kind"] in REGRESSION and ops[-2:-1] == ["mul"]
        if not modes or not direct or outcome.explained >= self.part:
            return None
        mode = max(modes, key=lambda m: float(m["p"]))
        return self._finding(
            training, "dropout on the output",
            f"Dropout takes away {100 * mode['p']:.0f} % of the predictions themselves, after {mode['after']}. The "
            f"loss ends at {text(outcome.last)}.",
            "A prediction that is set to 0 at random has an error that nothing can lower, and the others are scaled "
            "up: the best output under a squared error is 1 − p of the target. Dropout belongs between hidden layers.",
            "The loss takes the same course without it.",
            {"kept": 1 - mode["p"], "signal_to_noise": (1 - mode["p"]) / mode["p"]},
            (mode["after"],),
        )  # fmt: skip

    def _dropout(self, training: Training, outcome: Outcome) -> Finding | None:
        modes = _modes(training.sights[-1], "dropout")
        kept = 1.0
        for mode in modes:
            kept *= 1 - mode["p"]
        ratio = kept / (1 - kept) if kept < 1 else float("inf")
        if not modes or ratio >= self.signal or outcome.explained >= self.learned:
            return None
        shares = ", ".join(f"{mode['p']:.2g} after {mode['after'] or 'the input'}" for mode in modes)
        return self._finding(
            training, f"dropout leaves {100 * kept:.2g} % of the signal",
            f"Dropout takes away {shares}: what is left of a signal on its way through stands to the noise of the "
            f"dropping as {text(ratio)} to 1. The loss ends at {text(outcome.last)}.",
            "Dropout sets a random share p of the units to zero and scales up the rest, which adds noise to every sum "
            "of them. With so much noise the outputs vary more from mask to mask than from input to input, and the "
            "best the network can do is to ignore its input. nn.Dropout takes the share that is dropped, not the one "
            "kept.",
            "The loss stays where it is with the dropout at 0.1.",
            {"kept": kept, "signal_to_noise": ratio, "dropouts": float(len(modes))},
            tuple(mode["after"] for mode in modes if mode["after"]),
        )  # fmt: skip

    def _batch_norm(self, training: Training, outcome: Outcome) -> Finding | None:
        if outcome.explained >= self.learned:
            return None
        modes = _modes(training.sights[-1], "batch-norm")
        few = [mode for mode in modes if mode["training"] and 0 < mode["values"] <= self.values]
        off = [mode for mode in modes if not mode["training"] and mode["fresh"]]
        lone = [mode for mode in modes if mode["training"] and mode.get("samples") == 1]
        idle = outcome.trivial is None and not outcome.contested and outcome.explained < self.little
        if lone and not few and (outcome.stuck or idle):
            return self._finding(
                training, "batch norm over a single sample",
                f"{len(lone)} batch norm layers take mean and variance of each channel from one sample. The loss ends "
                f"at {text(outcome.last)}.",
                "Batch norm subtracts the batch's mean and divides by its standard deviation. Where the batch is one "
                "sample, every sample comes out with the same mean and spread in each channel: what lay in its "
                "brightness, loudness or size is gone. Gradients that are accumulated over several backward passes do "
                "not change that. Larger batches, or layer or group norm, keep it.",
                "The loss stays where it is with a batch of 32.",
                {"values": float(lone[0]["values"]), "samples": 1.0, "layers": float(len(lone))},
                tuple(m["after"] for m in lone if m["after"]),
            )  # fmt: skip
        if few:
            mode = min(few, key=lambda m: int(m["values"]))
            return self._finding(
                training, f"batch norm over {mode['values']} values",
                f"The batch norm after {mode['after'] or 'the input'} takes mean and variance of each channel from "
                f"{mode['values']} values.",
                "Batch norm subtracts the batch's mean and divides by its standard deviation. Over so few values "
                "little of them is left: over one nothing, over two only which is the larger. Larger batches, or layer "
                "or group norm, keep the information.",
                "The loss stays where it is with a batch of 32.",
                {"values": float(mode["values"]), "layers": float(len(few))},
                tuple(m["after"] for m in few if m["after"]),
            )  # fmt: skip
        if off:
            return self._finding(
                training, "batch norm in eval mode while training",
                f"{len(off)} batch norm layers run in eval mode with the running statistics they were made with (mean "
                f"0, variance 1): they normalise nothing. The loss ends at {text(outcome.last)}.",
                "In eval mode batch norm uses its running statistics, which only forward passes in train mode update. "
                "Here there never was one, so it passes everything on as it comes. Call model.train() before the loop, "
                "and again after every evaluation.",
                "The loss takes the same course after model.train().",
                {"layers": float(len(off))}, tuple(m["after"] for m in off if m["after"]),
            )  # fmt: skip
        return None

    def _frozen(self, training: Training) -> Finding | None:
        """Running statistics that stand still in train mode: training goes well, and evaluation will not."""
        late = [s.detail for s in training.run.sights if s.optimizer == training.optimizer.id and s.step >= self.moved]
        still = [mode for mode in _modes(late[-1], "batch-norm") if mode["training"] and mode["fresh"]] if late else []
        if not still:
            return None
        return self._finding(
            training, "running statistics of batch norm never move",
            f"{len(still)} batch norm layers train with the statistics of the batch, but their running mean and "
            f"variance are still 0 and 1 after {int(training.steps['step'][-1]) + 1} updates.",
            "In eval mode batch norm uses its running statistics. Where they were never updated (momentum 0, or put "
            "back), the network behaves in evaluation as it never did in training. The usual momentum is 0.1.",
            "In eval mode the loss of a training batch is what it is in train mode.",
            {"layers": float(len(still))}, tuple(m["after"] for m in still if m["after"]),
        )  # fmt: skip

    def _one_sample(self, run: Run) -> Finding:
        return Finding(
            self.code, "error", "batch norm on one sample",
            f"The program ended with: {run.meta.get('error')}",
            "Batch norm in train mode takes mean and variance from the batch. One sample has no variance: PyTorch "
            "refuses. It is often the last, smaller batch (drop_last=True leaves it out), or an evaluation of single "
            "samples without model.eval().",
            "The program gets on with batches of two.",
        )  # fmt: skip

    def _finding(
        self, training: Training, title: str, message: str, why: str, disproof: str, evidence: dict[str, float],
        layers: tuple[str, ...],
    ) -> Finding:  # fmt: skip
        steps = training.steps["step"]
        return Finding(
            self.code, "error", title, message, why, disproof, tuple(dict.fromkeys(layers)),
            (int(steps[0]), int(steps[-1])), evidence,
        )  # fmt: skip


def _modes(sight: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [mode for mode in sight.get("modes", []) if mode["kind"] == kind]


def _refused(run: Run) -> bool:
    return "Expected more than 1 value per channel" in str(run.meta.get("error") or "")

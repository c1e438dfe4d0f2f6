"""Remedies as edits of the program's source. Importing this loads a parser: import it where an edit is made."""

from __future__ import annotations

import difflib
import io
import tokenize
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fallline.diagnosis.finding import Prescription
from fallline.record.run import Run
from fallline.treatment.edits import data, domain, gradient, loop, loss, network, optimizers, start
from fallline.treatment.edits.script import Script, Unclear

EDITS: dict[str, Callable[[Script, dict[str, Any], Run], None]] = {
    "zero-grad": loop.zero_grad,
    "use-gradient": gradient.use_gradient,
    "unfreeze": gradient.unfreeze,
    "keep-graph": gradient.keep_graph,
    "register-parameters": optimizers.register,
    "batch-first": network.batch_first,
    "log-space": domain.in_one_step,
    "keep-domain": domain.keep,
    "skip-non-finite": loop.skip_non_finite,
    "skip-spikes": loop.skip_spikes,
    "shuffle": data.shuffle,
    "mode": network.mode,
    "insert-activation": network.insert_activation,
    "scale-inputs": data.scale_inputs,
    "scale-targets": data.scale_targets,
    "match-shapes": loop.match_shapes,
    "match-loss": loss.match,
    "output-activation": network.output_activation,
    "hold-rate": loop.hold_rate,
    "learning-rate": optimizers.learning_rate,
    "momentum": optimizers.setting(2, "momentum"),
    "weight-decay": optimizers.setting(4, "weight_decay"),
    "epsilon": optimizers.setting(3, "eps"),
    "clip-gradient": loop.clip,
    "initialise": start.initialise,
    "perturb": start.noise,
    "activation": network.swap_activation,
    "normalise": network.normalise,
    "optimizer": optimizers.exchange,
    "output-bias": start.output_bias,
    "forget-bias": start.forget_bias,
    "warm-up": loop.warm_up,
    "decay-on-plateau": loop.decay,
    "clip-value": loop.clip_value,
}
# Remedies whose edit has no one shape, and why.
IN_WORDS = {
    "fill-missing": "it depends on what the missing numbers mean",
    "search-start": "the search needs the loss of a whole batch before the loop",
    "keep-layers": "the layer may be made in any way",
    "pool-states": "forward has to be written anew",
    "shortcut": "forward has to be written anew",
    "adaptive-clip": "it is a function of its own",
    "larger-batch": "the batches may be made in any way",
    "rollback": "the loop has to keep a copy of the weights",
    "revive": "the loop has to count for each unit",
    "unit-variance": "it needs a batch before the loop",
}


def edit(source: bytes, remedies: Sequence[Prescription], run: Run) -> bytes:
    """The source with every remedy written into it.

    Args:
        source: of the program that was run.
        remedies: that were chosen.
        run: of the unedited program.

    Raises:
        Unclear: there is no single right place for one of them; the message says why.
    """
    for remedy in sorted(remedies, key=lambda r: r.name == "output-activation"):  # last: the output is told by it
        if remedy.name not in EDITS:
            raise Unclear(IN_WORDS[remedy.name])
        script = Script(source)
        EDITS[remedy.name](script, remedy.args, run)
        source = script.edited()
    return source


def diff(before: bytes, after: bytes, name: str) -> str:
    """A unified diff, as ``patch -p0`` and ``git apply -p0`` take it."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(before).readline)
    old, new = (list(io.StringIO(text.decode(encoding), newline="\n")) for text in (before, after))
    lines = difflib.unified_diff(old, new, name, name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def shown_name(path: Path) -> str:
    """How a patch names a file: from the working directory where it lies in it, else by its name alone."""
    absolute, here = path.absolute(), Path.cwd()
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else absolute.name

"""One trial in a process of its own: ``python -m fallline.treatment.child SPEC`` runs a program under remedies."""

from __future__ import annotations

import functools
import json
import random
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from fallline.treatment import effects
from fallline.treatment.patient import Patient
from fallline.treatment.remedies import BY_NAME
from fallline.watch import script
from fallline.watch.session import Session

FOLDER = "folder"  # file beside the description in which the trial says where its record is
EFFECTS = "effects"  # file beside it that is there if the program left anything behind, where that is asked for
EDITED = "edited.py"  # file beside it that is run in the program's place, under its name and from its folder


def main(path: str) -> int:
    """Run the trial that the file at ``path`` describes; the exit status is the program's own."""
    spec = json.loads(Path(path).read_text())
    sys.argv = [spec["program"], *spec["args"]]
    edited = Path(path).with_name(EDITED)
    source = edited.read_bytes() if edited.is_file() else None
    program = script.load_module(spec["program"]) if spec["module"] else script.load(Path(spec["program"]), source)
    _seed(int(spec["seed"]))
    patient = Patient()
    for remedy in spec["remedies"]:
        BY_NAME[remedy["name"]].apply(patient, remedy["args"])
    session = Session(
        spec["name"], spec["root"], spec["budget"], spec["limit"], seconds=spec["seconds"], bars=spec["bars"]
    )
    Path(path).with_name(FOLDER).write_text(str(session.folder))
    if spec["whole"]:
        effects.watch(Path(path).with_name(EFFECTS), [session.folder])
    with patient.operate() if spec["remedies"] else nullcontext():
        session.start(sys.argv)
        ending = script.execute(program)
        session.stop(ending.exit, ending.error)
    return ending.exit


def _seed(offset: int) -> None:
    """Another seed for a program that seeds itself, and one for a program that does not; the data order follows it.

    Offset 0 leaves a program's own seeds as they are.
    """
    import numpy as np
    import torch

    torch.manual_seed(offset)
    np.random.seed(offset)
    random.seed(offset)
    if offset:
        for owner, name in ((torch, "manual_seed"), (np.random, "seed"), (random, "seed")):
            setattr(owner, name, _shifted(getattr(owner, name), offset))


def _shifted(seed: Callable[..., Any], offset: int) -> Callable[..., Any]:
    @functools.wraps(seed)
    def shifted(value: Any = None, *args: Any, **kwargs: Any) -> Any:
        return seed(value + offset if isinstance(value, int) else value, *args, **kwargs)

    return shifted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

"""When an edit counts as verified, and what is said where it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fallline.diagnosis.finding import Prescription
from fallline.treatment.rewrite import Rewrite, judge, rewrite
from fallline.treatment.trial import Comparison, Program, Trial, compare

ZERO = (Prescription("zero-grad", {}, "zero the gradients"),)
WRITTEN = Rewrite(b"", "--- train.py\n", False, "")


@pytest.fixture
def held(record: Callable[[], Any]) -> Callable[[float], Comparison]:
    def held(after: float) -> Comparison:
        runs = [record().chain(2).losses([loss] * 50).classes([10] * 10).run() for loss in (2.3, after)]
        before, now = (Trial((), 0, run, None, 0, 1.0) for run in runs)
        return compare(before, now)

    return held


@pytest.mark.parametrize(("loss", "verified"), [(0.5, True), (0.6, True), (0.7, False), (2.3, False)])
def test_verified_is_what_trains_as_well_as_the_live_remedy(
    held: Callable[[float], Comparison], loss: float, verified: bool
) -> None:
    judged = judge(WRITTEN, held(0.5), held(loss))  # the scale is ln 10: 5 per cent of it are 0.115
    assert judged.verified is verified
    assert judged.diff == WRITTEN.diff
    assert f"loss {loss}, in the trial 0.5, as it is 2.3" in judged.note


def test_what_is_not_better_than_the_program_is_not_verified(held: Callable[[float], Comparison]) -> None:
    assert not judge(WRITTEN, held(2.25), held(2.28)).verified


def test_a_copy_that_breaks_leaves_no_diff(held: Callable[[float], Comparison]) -> None:
    judged = judge(WRITTEN, held(0.5), held(float("nan")))
    assert judged.diff is None
    assert "did not train to the end" in judged.note


def test_the_file_itself_is_not_touched(record: Callable[[], Any], tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    source = b"for i in range(3):\n    loss.backward()\n    optimizer.step()\n"
    file.write_bytes(source)
    written = rewrite(Program(str(file)), ZERO, record().chain(1).losses([1.0]).run())
    assert written.source == source.replace(b"    loss", b"    optimizer.zero_grad()\n    loss")
    assert file.read_bytes() == source
    assert written.diff is not None
    assert written.diff.startswith("--- train.py\n+++ train.py\n")
    assert not written.verified


def test_why_there_is_no_diff(record: Callable[[], Any], tmp_path: Path) -> None:
    run = record().chain(1).losses([1.0]).run()
    assert "as a module" in rewrite(Program("train", module=True), ZERO, run).note
    file = tmp_path / "train.py"
    file.write_text("trainer.fit(model)\n")
    written = rewrite(Program(str(file)), ZERO, run)
    assert (written.source, written.diff) == (None, None)
    assert written.note == "there is no call of optimizer.step()"

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fallline.diagnosis.diagnose import diagnose
from fallline.treatment.prescribe import prescribe
from fallline.view import json_report, terminal

Record = Callable[[], Any]


def sick(record: Record, layers: int = 6) -> Any:
    signal = [10.0 ** (i + 1 - layers) for i in range(layers)]
    made = record().chain(layers, "sigmoid").losses([2.303] * 100).classes([10] * 10)
    made.measure(range(10), {"grad_out": signal}, slope=0.24, in_spread=1.0, flat=0.0, dead=0.0)
    made.meta |= {"argv": ["train.py"], "exit": 0, "seconds": 4.1, "training_seconds": 4.0, "overhead_seconds": 0.08}
    return made.weigh(range(10), grad=1.0, weight=1.0, update_norm=1e-2, displacement=1.0).run()


def shown(run: Any, **how: Any) -> str:
    return terminal.render(run, prescribe(diagnose(run), run), **how)


def test_the_root_cause_stands_first_with_numbers_reason_and_advice(record: Record) -> None:
    text = shown(sick(record))
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines[0].startswith("train.py · 100 updates in 4.1 s · fallline 0.08 s, 2.0 % of the training")
    assert "vanishing gradient" in lines[1]
    order = [text.index(word) for word in ("Seen", "Why", "Do", "Not it", "Follows", "checks passed")]
    assert order == sorted(order)
    assert "ln 10" in text


def test_it_fits_80_columns_without_colour(record: Record) -> None:
    text = shown(sick(record, layers=40))
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_bars_grow_with_the_signal_and_deep_networks_are_thinned(record: Record) -> None:
    bars = [line.count("█") for line in shown(sick(record, layers=40)).splitlines() if "█" in line]
    assert len(bars) == terminal.BARS
    assert bars == sorted(bars, reverse=True)


def test_layers_of_which_nothing_was_measured_have_no_bar(record: Record) -> None:
    made = record().chain(40).losses([1.0] * 20)
    used = [layer for layer in made.layers if layer.id % 10 == 0]  # as of learners made anew for each task
    every, made.layers = made.layers, used
    made.measure(range(10), {"grad_out": [1.0] * 40}, in_spread=1.0)
    made.layers = every
    text = shown(made.run())
    bars = [line.split()[0] for line in text.splitlines() if "█" in line]
    assert bars == [layer.name for layer in reversed(used)]
    assert "nan" not in text


def test_nothing_to_say_is_said(record: Record) -> None:
    assert "never called backward()" in shown(record().run())
    assert "too little to tell" in shown(record().losses([1.0]).run())


def test_a_killed_run_says_so(record: Record) -> None:
    run = sick(record)
    run.meta.pop("seconds")
    assert "killed" in shown(run)


def test_html_needs_nothing_else(record: Record) -> None:
    run = sick(record)
    page = terminal.html(run, prescribe(diagnose(run), run))
    assert "vanishing gradient" in page
    assert "http" not in page


def test_json_has_the_schema(record: Record) -> None:
    run = sick(record)
    report = json.loads(json.dumps(json_report.report(run, prescribe(diagnose(run), run)), allow_nan=False))
    assert {"schema", "program", "models", "steps", "overhead", "findings", "checks"} <= set(report)
    assert report["schema"] == 1
    assert report["overhead"]["share"] == 0.02
    first = report["findings"][0]
    wanted = {"code", "severity", "title", "message", "layers", "steps", "evidence", "because_of", "remedies"}
    assert wanted <= set(first)
    assert {"name", "args", "why"} == set(first["remedies"][0])

"""How often fallline is right: the programs of corpus/, sick and healthy, unchanged.

usage: python benchmarks/corpus.py [--fix] [--seeds 0,1,2] [--only s01,h02] [--jobs 1] [--out F]

Every program runs alone and under `fallline run`. Of the sick ones: is a code of `root` the first alarm (a finding of
severity error or warning), or among the alarms, and at which rank? Of the healthy ones: is there an alarm outside
`also`? Of both: are the program's own metric and its exit status the same as without fallline? A sick program none of
whose causes has a check yet is listed and counted apart.

--fix: `fallline fix --apply` on the sick programs. Cured means that the metric got 95 % of the way from the program as
it is to the program with the known cure. Beside it two baselines of the same run: leaving the program alone, and a
random remedy out of all that the findings propose.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
METRIC = re.compile(r"metric=(\S+) value=(\S+)")
CURED = 0.95  # of the way from the sick metric to the cured one
GOAL = {"first": 0.95, "cured": 0.90}


@cache
def checked() -> frozenset[str]:
    """The codes that have a check in this version."""
    from fallline.diagnosis.checks import CHECKS

    return frozenset(check.code for check in CHECKS)


@dataclass(frozen=True)
class Program:
    """An entry of a manifest."""

    id: str
    kind: str
    root: tuple[str, ...]
    also: tuple[str, ...]
    before: tuple[float | None, ...]  # metric as it is, at seeds 0, 1, 2
    after: tuple[float | None, ...]  # metric with the known cure
    chance: float | None

    @property
    def sick(self) -> bool:
        return self.kind == "faulty"

    @property
    def later(self) -> bool:
        """Whether no check knows any of its causes yet."""
        return self.sick and not checked() & set(self.root)

    @property
    def script(self) -> Path:
        return CORPUS / self.id / "train.py"

    def way(self, value: float | None, seed: int) -> float:
        """How far a metric came: 0 as it is (or at chance, where that is better), 1 as with the known cure."""
        sick, cure = (numbers[seed if seed < len(numbers) else 0] for numbers in (self.before, self.after))
        floor = self.chance if self.chance is not None else 0.0
        start = floor if sick is None or math.isnan(sick) else max(sick, floor)
        if value is None or not math.isfinite(value) or cure is None or cure == start:
            return math.nan
        return (value - start) / (cure - start)


def programs(only: Sequence[str]) -> list[Program]:
    """All programs of the manifests, or those asked for."""
    entries = [entry for file in sorted(CORPUS.glob("manifest*.json")) for entry in json.loads(file.read_text())]
    found = [
        Program(
            e["id"], e["kind"], tuple(e["root"]), tuple(e["also"]),
            tuple(e.get("before") or ()), tuple(e.get("after") or ()), e.get("chance"),
        )
        for e in entries
    ]  # fmt: skip
    unknown = set(only) - {program.id for program in found}
    if unknown:
        raise SystemExit(f"no manifest of {CORPUS} has {', '.join(sorted(unknown))}")
    return [program for program in found if not only or program.id in only]


@dataclass(frozen=True)
class Done:
    """A process that ended."""

    exit: int
    metric: float | None
    seconds: float
    stderr: str = ""


@dataclass(frozen=True)
class Row:
    """What came of one program with one seed."""

    program: Program
    seed: int
    plain: Done
    watched: Done
    report: dict[str, Any]
    drawn: dict[str, Any] | None = None  # the random remedy
    random: Done | None = None
    alarms: tuple[str, ...] = field(default=())

    @property
    def rank(self) -> int | None:
        """Place of the true cause among the alarms, from 1."""
        return next((i for i, code in enumerate(self.alarms, 1) if code in self.program.root), None)

    @property
    def false(self) -> tuple[str, ...]:
        """Alarms that neither are the cause nor may stand beside it."""
        return tuple(code for code in self.alarms if code not in self.program.root + self.program.also)

    @property
    def metric_kept(self) -> bool:
        a, b = self.plain.metric, self.watched.metric
        return a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))


def execute(command: Sequence[str], seed: int, folder: str, timeout: float) -> Done:
    """Run a process to its end, with one thread."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", SEED=str(seed), COLUMNS="100")
    started = time.perf_counter()
    try:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False
        )
        status, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        status, out, err = 124, "", f"ended after {timeout:.0f} s"
    values = METRIC.findall(out)
    return Done(status, float(values[-1][1]) if values else None, time.perf_counter() - started, err[-2000:])


@dataclass(frozen=True)
class Bench:
    """How programs are run."""

    python: str
    timeout: float

    def diagnose(self, program: Program, seed: int) -> Row:
        """Alone and under ``fallline run``."""
        return self._fallline("run", program, seed)

    def treat(self, program: Program, seed: int) -> Row:
        """Alone, under ``fallline fix --apply``, and under a random remedy."""
        row = self._fallline("fix", program, seed)
        findings = row.report.get("before", {}).get("findings", [])
        proposed = [remedy for finding in findings for remedy in finding["remedies"]]
        if not proposed:
            return row
        drawn = random.Random(f"{program.id} {seed}").choice(proposed)
        with tempfile.TemporaryDirectory() as folder:
            spec = json.dumps({"script": str(program.script), "remedy": drawn, "wall": self.timeout})
            done = execute(
                [self.python, str(Path(__file__).resolve()), "--trial", spec], seed, folder, self.timeout + 60
            )
        return Row(program, seed, row.plain, row.watched, row.report, drawn, done)

    def _fallline(self, verb: str, program: Program, seed: int) -> Row:
        with tempfile.TemporaryDirectory() as folder:
            plain = execute([self.python, str(program.script)], seed, folder, self.timeout)
            file = Path(folder) / "report.json"
            options = ["--json", str(file), *(["--apply"] if verb == "fix" else [])]
            command = [self.python, "-m", "fallline", verb, *options, str(program.script)]
            watched = execute(command, seed, folder, self.timeout * (10 if verb == "fix" else 1))
            try:
                report = json.loads(file.read_text())
            except (OSError, ValueError) as error:  # that there is no report is itself the result
                report = {"error": f"{type(error).__name__}: {error}"}
        alarms = tuple(f["code"] for f in report.get("findings", []) if f["severity"] in ("error", "warning"))
        return Row(program, seed, plain, watched, report, alarms=alarms)


def trial(spec: dict[str, Any]) -> int:
    """Run a program under one remedy in a process of its own; its output is this one's."""
    from fallline.diagnosis.finding import Prescription
    from fallline.treatment import trial as trials

    remedy = Prescription(**spec["remedy"])
    limits = trials.Limits(wall=spec["wall"])
    with tempfile.TemporaryDirectory() as root:
        program = trials.Program(spec["script"])
        return trials.run(program, [remedy], 0, limits, Path(root), passthrough=True).exit


# -- what is printed ---------------------------------------------------------------------------------------------------


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _diagnosis_line(row: Row) -> str:
    program = row.program
    if program.sick:
        mark = "first" if row.rank == 1 else f"rank {row.rank}" if row.rank else "later" if program.later else "MISSED"
        what = f"root {'|'.join(program.root)}"
    else:
        mark, what = "FALSE" if row.false else "quiet", "healthy"
    changed = "" if row.metric_kept else f"  METRIC {_number(row.plain.metric)} → {_number(row.watched.metric)}"
    changed += "" if row.plain.exit == row.watched.exit else f"  EXIT {row.plain.exit} → {row.watched.exit}"
    changed += f"  NO REPORT {row.report['error']}" if "error" in row.report else ""
    got = ", ".join(row.alarms[:6]) or "nothing"
    return f"{program.id} seed {row.seed}  {mark:7} {what}; got {got}{changed}"


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole}" + (f" ({part / whole:.0%})" if whole else "")


def show_diagnosis(console: Console, rows: Sequence[Row]) -> dict[str, Any]:
    """Print the tables; the numbers of the summary."""
    sick = [r for r in rows if r.program.sick and not r.program.later]
    later = [r for r in rows if r.program.later]
    healthy = [r for r in rows if not r.program.sick]
    console.print(_codes(rows))
    ranks = Counter(r.rank for r in sick)
    result: dict[str, Any] = {
        "sick": len(sick), "first": ranks[1], "anywhere": len(sick) - ranks[None],
        "healthy": len(healthy), "false": sum(bool(r.false) for r in healthy),
        "later": len(later), "later_with_alarm": sum(bool(r.alarms) for r in later),
        "metric_changed": sum(not r.metric_kept for r in rows),
        "exit_changed": sum(r.plain.exit != r.watched.exit for r in rows),
        "no_report": sum("error" in r.report for r in rows),
        "time_ratio": statistics.median(r.watched.seconds / r.plain.seconds for r in rows),
    }  # fmt: skip
    places = ", ".join(f"rank {rank} {n}" for rank, n in sorted((k, v) for k, v in ranks.items() if k))
    console.print(f"cause first      {_share(result['first'], len(sick))}   (goal {GOAL['first']:.0%})")
    console.print(f"cause anywhere   {_share(result['anywhere'], len(sick))}   {places}, not found {ranks[None]}")
    console.print(f"false alarms     {_share(result['false'], len(healthy))}   (goal 0)")
    metric, status = (_share(len(rows) - result[f"{name}_changed"], len(rows)) for name in ("metric", "exit"))
    console.print(f"unchanged        metric {metric}, exit status {status}; no report {result['no_report']}")
    console.print(f"time of a process with fallline ÷ without: median {result['time_ratio']:.2f}")
    if later:
        names = ", ".join(f"{r.program.id} ({'|'.join(r.program.root)})" for r in later)
        console.print(f"expected from a later version, not counted above: {len(later)}, "
                      f"{result['later_with_alarm']} of them with some alarm: {names}")  # fmt: skip
    good = len(sick) and result["first"] >= GOAL["first"] * len(sick)
    calm = not (result["false"] or result["metric_changed"] or result["exit_changed"] or result["no_report"])
    return {**result, "passed": bool(good and calm)}


def _codes(rows: Sequence[Row]) -> Table:
    """One line a code: how often it was the cause and seen, and how often it was said in vain."""
    table = Table(title="By code", title_justify="left")
    for column in ("code", "is the cause of", "said first", "said", "false on healthy", "out of place on sick"):
        table.add_column(column, justify="left" if column == "code" else "right")
    named = {code for r in rows for code in (*r.program.root, *r.alarms)}
    for code in sorted(checked() | named):
        cause = [r for r in rows if code in r.program.root]
        false = [r for r in rows if code in r.false]
        first = sum(r.alarms[:1] == (code,) for r in cause)
        table.add_row(
            code + ("" if code in checked() else " (no check yet)"), str(len(cause)), str(first),
            str(sum(code in r.alarms for r in cause)), str(sum(not r.program.sick for r in false)),
            str(sum(r.program.sick for r in false)),
        )  # fmt: skip
    return table


def _treatment_line(row: Row) -> str:
    way = row.program.way(row.watched.metric, row.seed)
    mark = "cured" if way >= CURED else "SICK"
    chosen = row.report.get("chosen")
    names = " + ".join(remedy["name"] for remedy in chosen) if chosen else "nothing"
    lucky = "none"
    if row.drawn is not None and row.random is not None:
        lucky = f"{row.drawn['name']} {row.program.way(row.random.metric, row.seed):.0%}"
    return (
        f"{row.program.id} seed {row.seed}  {mark:5} {_number(row.plain.metric)} → {_number(row.watched.metric)} "
        f"({way:.0%} of the way) by {names}, ×{row.watched.seconds / row.plain.seconds:.1f}; random {lucky}"
    )


def show_treatment(console: Console, rows: Sequence[Row]) -> dict[str, Any]:
    """Print fallline beside the two baselines; the numbers of the summary."""
    ways: dict[str, Callable[[Row], Done]] = {
        "fallline fix": lambda row: row.watched,
        "left alone": lambda row: row.plain,
        "a random remedy": lambda row: row.random or row.plain,  # nothing proposed: nothing done
    }
    table = Table(title="Sick programs", title_justify="left")
    for column in ("", "cured", "better", "worse", "time ÷ plain, median"):
        table.add_column(column, justify="left" if not column else "right")
    result: dict[str, Any] = {"programs": len(rows)}
    for name, way in ways.items():
        went = [tuple(r.program.way(done.metric, r.seed) for done in (way(r), r.plain)) for r in rows]
        ratio = statistics.median(way(row).seconds / row.plain.seconds for row in rows)
        cured = sum(now >= CURED for now, _ in went)
        better = sum(_or_worst(now) > _or_worst(then) + 0.05 for now, then in went)
        worse = sum(_or_worst(now) < _or_worst(then) - 0.05 for now, then in went)
        result[name] = {"cured": cured, "better": better, "worse": worse, "time_ratio": ratio}
        table.add_row(name, _share(cured, len(rows)), str(better), str(worse), f"{ratio:.1f}")
    console.print(table)
    done = result["fallline fix"]
    return {**result, "passed": done["cured"] >= GOAL["cured"] * len(rows) and not done["worse"]}


def _or_worst(way: float) -> float:
    return way if math.isfinite(way) else -1.0


def collect(console: Console, rows: Iterable[Row], line: Callable[[Row], str], whole: int) -> Iterator[Row]:
    """Print a line as each program ends."""
    for number, row in enumerate(rows, 1):
        console.print(f"[{number}/{whole}] {line(row)}", markup=False, soft_wrap=True)
        yield row


def main() -> int:
    """Run, print, write; the exit status is 0 when the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fix", action="store_true", help="treat the sick programs instead of diagnosing all")
    parser.add_argument("--seeds", default="0", help="separated by commas (0)")
    parser.add_argument("--only", default="", help="ids, separated by commas")
    parser.add_argument("--jobs", type=int, default=1, help="programs at a time (1)")
    parser.add_argument("--timeout", type=float, default=300, help="seconds a process may take (300)")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has fallline")
    parser.add_argument("--out", type=Path, metavar="F", help="write everything to this file, as JSON")
    parser.add_argument("--trial", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.trial:
        return trial(json.loads(args.trial))
    chosen = programs([name for name in args.only.split(",") if name])
    missing = [program.id for program in chosen if not program.script.is_file()]
    chosen = [p for p in chosen if p.id not in missing and (p.sick or not args.fix)]
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    bench = Bench(args.python, args.timeout)
    work, line = (bench.treat, _treatment_line) if args.fix else (bench.diagnose, _diagnosis_line)
    jobs = [(program, int(seed)) for program in chosen for seed in args.seeds.split(",")]
    with ThreadPoolExecutor(args.jobs) as pool:
        rows = list(collect(console, pool.map(lambda job: work(*job), jobs), line, len(jobs)))
    if missing:
        console.print(f"in a manifest but not in the corpus: {', '.join(missing)}")
    if not rows:
        console.print("nothing to run")
        return 1
    summary = show_treatment(console, rows) if args.fix else show_diagnosis(console, rows)
    if args.out:
        args.out.write_text(json.dumps({"summary": summary, "rows": [asdict(row) for row in rows]}, indent=1))
    return 0 if summary["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())

"""How often fallline names the cause, stays silent on healthy programs, and cures sick ones.

python benchmarks/corpus.py [--fix] [--seeds 0,1,2] [--only f51,h09] [--jobs 2] [--out rows.json]

Every program of corpus/ runs as it is and under ``fallline run``. With ``--fix`` the sick ones also run under
``fallline fix --apply``, beside two baselines on the same programs: leaving them alone, and one remedy drawn at random
from all that the findings propose.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fallline.diagnosis.checks import CHECKS
from fallline.diagnosis.finding import Prescription
from fallline.treatment import trial

CORPUS = Path(__file__).parent.parent / "corpus"
CODES = {check.code for check in CHECKS}
ALARMS = ("error", "warning")
CURED = 0.95  # of the way from the sick metric to the cured one
TIMEOUT = 900.0
Row = dict[str, Any]


def main() -> None:
    """Run the programs and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fix", action="store_true", help="also cure the sick programs")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--only", default="", help="ids, separated by commas")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write every row as JSON")
    options = parser.parse_args()
    wanted = set(options.only.split(",")) - {""}
    cases = [c for m in sorted(CORPUS.glob("manifest*.json")) for c in json.loads(m.read_text())]
    cases = [c for c in cases if not wanted or c["id"] in wanted]
    if options.fix:
        cases = [c for c in cases if c["kind"] == "faulty"]
    jobs = [(case, int(seed), options.fix) for case in cases for seed in options.seeds.split(",")]
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(lambda job: measure(*job), jobs))
    if options.out is not None:
        options.out.write_text(json.dumps(rows, indent=1))
    console = Console(width=110)
    show_diagnosis(rows, console)
    if options.fix:
        show_cures(rows, console)


def measure(case: Row, seed: int, cure: bool) -> Row:
    """One program with one seed: plain, watched, and, if wanted, cured and treated at random."""
    script = str(CORPUS / case["id"] / "train.py")
    row: Row = {"id": case["id"], "seed": seed, "case": case}
    with tempfile.TemporaryDirectory() as folder:
        row["plain"] = call([script], seed, folder)
        row["watched"] = call(["-m", "fallline", "run", "--json", "run.json", script], seed, folder)
        report = json.loads((Path(folder) / "run.json").read_text())
        row["codes"] = [f["code"] for f in report["findings"] if f["severity"] in ALARMS]
        row["notes"] = report["notes"]
        if cure:
            row["fixed"] = call(["-m", "fallline", "fix", "--apply", "--json", "fix.json", script], seed, folder)
            chosen = json.loads((Path(folder) / "fix.json").read_text())["chosen"]
            row["chosen"] = [remedy["name"] for remedy in chosen] if chosen else None
            row["random"] = at_random(report, script, seed, Path(folder))
    print(
        f"{row['id']} seed {seed}: {row['codes'][:3]}" + (f" chosen {row['chosen']}" if cure else ""), file=sys.stderr
    )
    return row


def call(argv: list[str], seed: int, folder: str) -> Row:
    """Run Python with these arguments: exit status, the metric it printed last, and the seconds it took."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", SEED=str(seed))
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *argv],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    return {"exit": done.returncode, "metric": metric(done.stdout), "seconds": time.perf_counter() - started}


def metric(printed: str) -> float | None:
    """The number after ``value=`` in what a program printed."""
    found = re.findall(r"metric=\S+ value=(\S+)", printed)
    return float(found[-1]) if found else None


def at_random(report: Row, script: str, seed: int, folder: Path) -> Row | None:
    """The metric under one remedy drawn from all that the findings propose."""
    proposed = [remedy for finding in report["findings"] for remedy in finding["remedies"]]
    if not proposed:
        return None
    drawn = Prescription(**random.Random(f"{script.rpartition('/')[0][-3:]} {seed}").choice(proposed))
    os.environ["SEED"] = str(seed)
    done = trial.run(trial.Program(script), (drawn,), 0, trial.Limits(wall=TIMEOUT), folder)
    return {"remedy": drawn.name, "metric": metric(done.last_line)}


def show_diagnosis(rows: list[Row], console: Console) -> None:
    """Recall, rank of the true cause and false alarms, over all and a code."""
    sick = [r for r in rows if r["case"]["kind"] == "faulty"]
    known = [r for r in sick if set(r["case"]["root"]) & CODES]
    healthy = [r for r in rows if r["case"]["kind"] == "healthy"]
    table = Table(title="Diagnosis", title_justify="left")
    for column in ("programs", "runs", "cause first", "cause among findings", "mean rank of the cause"):
        table.add_column(column, justify="left" if column == "programs" else "right")
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in sick:
        groups[row["case"]["root"][0]].append(row)
    for code in sorted(groups):
        name = code if any(set(r["case"]["root"]) & CODES for r in groups[code]) else f"{code} (no check yet)"
        table.add_row(name, *recall(groups[code]))
    table.add_section()
    table.add_row("all with a check", *recall(known))
    table.add_row("all sick", *recall(sick))
    console.print(table)
    false = [r for r in healthy if set(r["codes"]) - set(r["case"]["also"])]
    console.print(
        f"false alarms: {len(false)} of {len(healthy)} healthy runs {[(r['id'], r['seed']) for r in false] or ''}"
    )
    changed = [r["id"] for r in rows if not same(r["plain"]["metric"], r["watched"]["metric"])]
    ends = [r["id"] for r in rows if r["plain"]["exit"] != r["watched"]["exit"]]
    console.print(f"metric changed by watching: {changed or 'none'}; exit status changed: {ends or 'none'}")
    console.print(f"notes of fallline about itself: {[(r['id'], r['notes']) for r in rows if r['notes']] or 'none'}")


def recall(rows: list[Row]) -> tuple[str, ...]:
    ranks = [next((i for i, code in enumerate(r["codes"], 1) if code in r["case"]["root"]), None) for r in rows]
    found = [rank for rank in ranks if rank is not None]
    share = [f"{count}/{len(rows)}" for count in (ranks.count(1), len(found))]
    return str(len(rows)), *share, f"{sum(found) / len(found):.2f}" if found else "–"


def same(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))


def show_cures(rows: list[Row], console: Console) -> None:
    """Share of sick programs that get most of the way to the cured metric."""
    table = Table(
        title=f"\nCured: at least {CURED:.0%} of the way to the metric of the known cure", title_justify="left"
    )
    table.add_column("treatment")
    table.add_column("cured", justify="right")
    for name, key in (("left alone", "plain"), ("a random remedy", "random"), ("fallline fix", "fixed")):
        table.add_row(name, f"{sum(way(row, key) >= CURED for row in rows)}/{len(rows)}")
    console.print(table)
    ratios = sorted(r["fixed"]["seconds"] / r["plain"]["seconds"] for r in rows)
    console.print(f"time of fix --apply over one plain run: median {ratios[len(ratios) // 2]:.1f}")
    sick = [f"{r['id']} ({', '.join(r['chosen'] or ['nothing chosen'])})" for r in rows if way(r, "fixed") < CURED]
    console.print(f"not cured: {', '.join(sick) or 'none'}")


def way(row: Row, key: str) -> float:
    """How far a treatment got from the sick metric (0) to that of the known cure (1)."""
    case, index = row["case"], min(row["seed"], 2)
    before, after = case["before"][index], case["after"][index]
    chance = case.get("chance") or 0.0
    before = chance if before is None or math.isnan(before) else max(before, chance)
    reached = (row[key] or {}).get("metric")
    if reached is None or math.isnan(reached) or after is None or after == before:
        return -math.inf
    return float((reached - before) / (after - before))


if __name__ == "__main__":
    main()

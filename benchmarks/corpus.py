"""How often fallline is right: the programs of corpus/, sick and healthy, unchanged.

usage: python benchmarks/corpus.py [--peers] [--seeds 0,1,2] [--only s01,h02] [--jobs 1] [--out F | --resume F]
       python benchmarks/corpus.py --fix [--healthy] [--seeds 0,1,2] …
       python benchmarks/corpus.py [--fix] --resume F --markdown docs/accuracy.md

Every program runs alone and under `fallline run`. Of the sick ones: is a code of `root` the first alarm (a finding of
severity error or warning), or among the alarms, and after how many updates does the record say so? Of the healthy
ones: is there an alarm outside `also`? Of both: are the program's own metric and its exit status the same as alone?

--peers: the same programs in the same run under other tools (peers.py), each in a process of its own.

--fix: `fallline fix --apply` on the sick programs. Cured means that the metric got 95 % of the way from the program as
it is to the program with the known cure. Beside it three baselines of the same run: leaving the program alone, a random
remedy out of all that the findings propose, and AUTOTRAINER's fixed order of repairs (autotrainer.py). --healthy: then
`fix --apply` on the healthy programs, too, which it must leave as good as they are.

A row is written as soon as a program is done: --resume F goes on where --out F was interrupted, and alone prints the
tables of what is there. A program that is diagnosed begins in a process that has PyTorch loaded (on Linux): to load it
takes longer than most of them do. With --jobs 2 two programs run at a time; their findings are the same, and since a
program's processes run one after the other the ratios of their times are those of a busier machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import report
from programs import Program, programs
from report import number
from rich.console import Console
from rows import Bench, Journal, Row, trial
from warm import Warm


def _diagnosis_line(row: Row) -> str:
    program = row.program
    if program.sick:
        mark = "first" if row.rank == 1 else f"rank {row.rank}" if row.rank else "later" if program.later else "MISSED"
        what = f"root {'|'.join(program.root)}"
        since = row.since(first=row.rank == 1)
        what += f" after {since} of {max(row.timeline)} updates" if since is not None else ""
    else:
        mark, what = "FALSE" if row.false else "quiet", "healthy"
    changed = "" if row.metric_kept else f"  METRIC {number(row.plain.metric)} → {number(row.watched.metric)}"
    changed += "" if row.plain.exit == row.watched.exit else f"  EXIT {row.plain.exit} → {row.watched.exit}"
    changed += f"  NO REPORT {row.report['error']}" if "error" in row.report else ""
    got = ", ".join(row.alarms[:6]) or "nothing"
    return f"{program.id} seed {row.seed}  {mark:7} {what}; got {got}{changed}"


def _treatment_line(row: Row) -> str:
    def went(name: str) -> str:
        return f"{report.way(row, report.POLICIES[name](row)):.0%}"

    done = report.POLICIES[report.FIX](row)
    mark = ("cured" if report.cured(row, done) else "SICK") if row.program.sick else "healthy"
    names = report.chosen(row)
    lucky = f"{row.drawn['name']} {went(report.RANDOM)}" if row.drawn is not None else "none"
    repaired = row.autotrainer.stderr.rpartition("AUTOTRAINER: ")[2].partition("\n")[0] if row.autotrainer else ""
    beside = f"; random {lucky}; AUTOTRAINER {went(report.AUTOTRAINER)} ({repaired})" if row.program.sick else ""
    return (
        f"{row.program.id} seed {row.seed}  {mark:7} {number(row.plain.metric)} → {number(done.metric)} "
        f"({went(report.FIX)} of the way) by {names}, ×{done.seconds / row.plain.seconds:.1f}{beside}"
    )


def _judge(work: Callable[[Program, int], Row], jobs: Sequence[tuple[Program, int]], at_a_time: int) -> Iterator[Row]:
    """Rows in the order in which they are done; an interruption lets none begin."""
    with ThreadPoolExecutor(at_a_time) as pool:
        try:
            yield from (done.result() for done in as_completed([pool.submit(work, *job) for job in jobs]))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fix", action="store_true", help="treat the sick programs instead of diagnosing all")
    parser.add_argument("--healthy", action="store_true", help="with --fix: the healthy ones, too, at the end")
    parser.add_argument(
        "--peers", action="store_true", help="diagnose with other tools, too (`make bench` installs them)"
    )
    parser.add_argument("--seeds", default="0", help="separated by commas (0)")
    parser.add_argument("--only", default="", help="ids, separated by commas")
    parser.add_argument("--jobs", type=int, default=1, help="programs at a time (1)")
    parser.add_argument("--timeout", type=float, default=300, help="seconds a process may take (300)")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has fallline")
    file = parser.add_mutually_exclusive_group()
    file.add_argument("--out", type=Path, metavar="F", help="write the rows to this file, one JSON object a line")
    file.add_argument("--resume", type=Path, metavar="F", help="the same, but keep its rows and run what is missing")
    parser.add_argument(
        "--markdown", type=Path, metavar="F", help="write the tables into the places marked in this page"
    )
    parser.add_argument("--trial", help=argparse.SUPPRESS)
    return parser.parse_args()


def _tools(wanted: bool) -> tuple[str, ...]:
    if not wanted:
        return ()
    from peers import TOOLS

    return tuple(TOOLS)


def _chosen(args: argparse.Namespace) -> list[Program]:
    """The programs asked for; when they are to be treated, the healthy ones last or not at all."""
    found = programs([name for name in args.only.split(",") if name])
    if not args.fix:
        return found
    return sorted((p for p in found if p.sick or args.healthy), key=lambda program: not program.sick)


def main() -> int:
    """Run, print, write; the exit status is 0 when the goals are met."""
    args = _arguments()
    if args.trial:
        return trial(json.loads(args.trial))
    chosen = _chosen(args)
    console = Console(width=None if sys.stdout.isatty() else 130, highlight=False)
    warm = Warm() if not args.fix and sys.platform == "linux" and args.python == sys.executable else None
    bench = Bench(args.python, args.timeout, _tools(args.peers), warm)
    work, line = (bench.treat, _treatment_line) if args.fix else (bench.diagnose, _diagnosis_line)
    journal = Journal(args.resume or args.out, "fix" if args.fix else "run", resume=args.resume is not None)
    seeds = [int(seed) for seed in args.seeds.split(",")]
    rows = [row for row in journal.rows(chosen) if row.seed in seeds and row.peers.keys() >= set(bench.peers)]
    known = {(row.program.id, row.seed) for row in rows}
    jobs = [(p, seed) for p, seed in itertools.product(chosen, seeds) if (p.id, seed) not in known]
    began = time.perf_counter()
    try:
        for count, row in enumerate(_judge(work, jobs, args.jobs), 1):
            journal.add(row)
            rows.append(row)
            left = (time.perf_counter() - began) / count * (len(jobs) - count) / 60
            console.print(f"[{count}/{len(jobs)}, {left:.0f} min left] {line(row)}", markup=False, soft_wrap=True)
    except KeyboardInterrupt:
        console.print(
            f"interrupted with {len(rows)} rows" + f"; go on with --resume {journal.file}" * bool(journal.file)
        )
        return 130
    if not rows:
        console.print("nothing to run")
        return 1
    rows.sort(key=lambda row: (chosen.index(row.program), row.seed))
    sheets, summary = report.treatment(rows) if args.fix else report.diagnosis(rows)
    for sheet in sheets:
        console.print(sheet.rich())
    console.print(" ".join(f"{name}={value}" for name, value in summary.items()))
    if args.markdown:
        report.publish(args.markdown, sheets)
    return 0 if summary["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())

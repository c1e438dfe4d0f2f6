"""The tables of the corpus benchmark: on the terminal, and in a page of the documentation."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from programs import Done, checked
from rich.table import Table
from rich.text import Text
from rows import Judged, Row, same

CURED = 0.95  # of the way from the sick metric to the cured one
CLEARLY = 0.05  # of that way: what counts as better or worse
GOAL = {"first": 0.95, "cured": 0.90}


@dataclass(frozen=True)
class Sheet:
    """A table, and the name of its place in the documentation."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def rich(self) -> Table:
        """For the terminal; the first column is text, the others are numbers."""
        table = Table(title=Text(self.title), title_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def markdown(self) -> str:
        """For a page."""
        cells = [self.columns, ("---",) * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in cells)


def publish(page: Path, sheets: Sequence[Sheet]) -> None:
    """Write the tables into the places of a page that bear their names.

    A place is what stands between ``<!-- corpus: name -->`` and ``<!-- end -->``. A page that does not exist is made.
    """
    text = "\n".join(f"## {s.title}\n\n<!-- corpus: {s.name} -->\n<!-- end -->\n" for s in sheets)
    text = page.read_text() if page.exists() else text
    for sheet in sheets:
        before, mark, rest = text.partition(f"<!-- corpus: {sheet.name} -->\n")
        old, end, after = rest.partition("<!-- end -->")
        if not (mark and end) or "<!-- corpus:" in old:
            raise SystemExit(f"{page} has no `<!-- corpus: {sheet.name} -->` with an `<!-- end -->` after it")
        text = f"{before}{mark}\n{sheet.markdown()}\n\n{end}{after}"
    page.write_text(text)


# -- numbers as text ---------------------------------------------------------------------------------------------------


def number(value: float | None) -> str:
    """A metric."""
    return "none" if value is None else f"{value:.4g}"


def share(part: int, whole: int) -> str:
    """A part of a whole, with its percentage."""
    return f"{part}/{whole}" + (f" ({part / whole:.0%})" if whole else "")


def quartiles(values: Sequence[float]) -> str:
    """Median with the quartiles beside it."""
    if len(values) < 2:
        return f"{values[0]:.2f}" if values else ""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.2f} [{low:.2f}–{high:.2f}]"


def _by_seed(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each seed, and all of them."""
    seeds = sorted({row.seed for row in rows})
    parts = {f"seed {seed}": [row for row in rows if row.seed == seed] for seed in seeds} if len(seeds) > 1 else {}
    return {**parts, "all": list(rows)}


# -- diagnosis ---------------------------------------------------------------------------------------------------------


def diagnosis(rows: Sequence[Row]) -> tuple[list[Sheet], dict[str, Any]]:
    """The tables, and the numbers that decide."""
    known = [row for row in rows if not row.program.later]
    sheets = [_summary(known), _codes(rows), _missed(known)]
    if any(row.peers for row in known):
        sheets.append(_tools([row for row in known if row.peers]))
    sick, healthy = [r for r in known if r.program.sick], [r for r in known if not r.program.sick]
    result = {
        "sick": len(sick), "first": sum(r.rank == 1 for r in sick), "anywhere": sum(r.rank is not None for r in sick),
        "healthy": len(healthy), "false": sum(bool(r.false) for r in healthy),
        "metric_changed": sum(not r.metric_kept for r in rows),
        "exit_changed": sum(r.plain.exit != r.watched.exit for r in rows),
        "no_report": sum("error" in r.report for r in rows),
    }  # fmt: skip
    good = bool(sick) and result["first"] >= GOAL["first"] * len(sick)
    calm = not any(result[name] for name in ("false", "metric_changed", "exit_changed", "no_report"))
    return sheets, {**result, "passed": good and calm}


def _summary(rows: Sequence[Row]) -> Sheet:
    """The whole, by seed."""
    parts = _by_seed(rows)

    def line(name: str, among: Callable[[Row], bool], so: Callable[[Row], bool]) -> tuple[str, ...]:
        groups = [[row for row in part if among(row)] for part in parts.values()]
        return (name, *(share(sum(map(so, group)), len(group)) for group in groups))

    def sick(row: Row) -> bool:
        return row.program.sick

    lines = (
        line("sick: the cause first", sick, lambda r: r.rank == 1),
        line("sick: the cause among the alarms", sick, lambda r: r.rank is not None),
        line("healthy: a false alarm", lambda r: not sick(r), lambda r: bool(r.false)),
        line("the program's own metric unchanged", lambda r: True, lambda r: r.metric_kept),
        line("its exit status unchanged", lambda r: True, lambda r: r.plain.exit == r.watched.exit),
        line("a report was written", lambda r: True, lambda r: "error" not in r.report),
        ("time with ÷ without, PyTorch loaded", *(quartiles(_ratios(part)) for part in parts.values())),
    )
    return Sheet("diagnosis", "Diagnosis", ("", *parts), lines)


def _ratios(rows: Sequence[Row]) -> list[float]:
    return [row.watched.seconds / row.plain.seconds for row in rows]


def _codes(rows: Sequence[Row]) -> Sheet:
    """One line a code: how often it was the main cause and seen, how soon, and how often it was said in vain."""
    lines = []
    for code in sorted(checked() | {row.program.root[0] for row in rows if row.program.sick}):
        cause = [row for row in rows if row.program.root[:1] == (code,)]
        false = [row for row in rows if code in row.false]
        if not cause and not false:
            continue
        lines.append((
            code + ("" if code in checked() else " (no check yet)"), str(len(cause)),
            str(sum(row.rank == 1 for row in cause)), str(sum(row.rank is not None for row in cause)),
            _soon([row for row in cause if row.rank is not None], first=False),
            _soon([row for row in cause if row.rank == 1], first=True),
            str(sum(not row.program.sick for row in false)), str(sum(row.program.sick for row in false)),
        ))  # fmt: skip
    columns = (
        "main cause", "runs", "first", "said", "said after updates", "first after updates", "false on healthy",
        "out of place on sick",
    )  # fmt: skip
    return Sheet("codes", "By main cause; updates: median, and its share of the run", columns, tuple(lines))


def _soon(rows: Sequence[Row], first: bool) -> str:
    """Median of the updates after which the record shows the cause, and of their share of all updates."""
    since = [(at, max(row.timeline)) for row in rows if (at := row.since(first)) is not None]
    if not since:
        return ""
    median = statistics.median(at for at, _ in since)
    return f"{median:g} ({statistics.median(at / whole for at, whole in since):.0%})"


def _missed(rows: Sequence[Row]) -> Sheet:
    """What went wrong, run by run."""
    wrong = [row for row in rows if (row.program.sick and row.rank != 1) or (row.false and not row.program.sick)]
    lines = [
        (
            row.program.id,
            str(row.seed),
            " or ".join(row.program.root) or "healthy",
            ", ".join(row.alarms[:4]) or "nothing",
        )
        for row in wrong
    ]
    return Sheet("missed", "Not first, or false", ("program", "seed", "cause", "said"), tuple(lines))


def _tools(rows: Sequence[Row]) -> Sheet:
    """One line a tool, on the same programs in the same run."""
    from peers import TITLES, UNRANKED

    sick, healthy = [r for r in rows if r.program.sick], [r for r in rows if not r.program.sick]
    lines = [(
        "fallline", share(sum(r.rank == 1 for r in sick), len(sick)),
        share(sum(r.rank is not None for r in sick), len(sick)),
        share(sum(bool(r.alarms) for r in sick), len(sick)), share(sum(bool(r.false) for r in healthy), len(healthy)),
        str(sum(r.watched.exit != r.plain.exit for r in rows)), str(sum(not r.metric_kept for r in rows)),
        quartiles(_ratios(rows)),
    )]  # fmt: skip
    for tool, title in TITLES.items():
        judged = [(row, row.peers[tool]) for row in rows if tool in row.peers]
        heard = [(row, *_heard(row, tool, peer)) for row, peer in judged]
        ill, well = [h for h in heard if h[0].program.sick], [h for h in heard if not h[0].program.sick]
        crashed = [row for row, peer in judged if peer.done.exit != row.plain.exit]
        changed = [row for row, peer in judged if row not in crashed and not same(row.plain.metric, peer.done.metric)]
        first = share(sum(right[:1] == [True] for _, right, _ in ill), len(ill))
        lines.append((
            title, "not ranked" if tool in UNRANKED else first, share(sum(any(right) for _, right, _ in ill), len(ill)),
            share(sum(bool(right) for _, right, _ in ill), len(ill)), share(sum(bad for *_, bad in well), len(well)),
            str(len(crashed)), str(len(changed)),
            quartiles([peer.done.seconds / row.plain.seconds for row, peer in judged]),
        ))  # fmt: skip
    columns = (
        "tool", "cause first", "cause among the alarms", "any alarm on sick", "false alarm on healthy", "crashed",
        "metric changed", "time ÷ without",
    )  # fmt: skip
    return Sheet("tools", "The same programs under other tools", columns, tuple(lines))


def _heard(row: Row, tool: str, peer: Judged) -> tuple[list[bool], bool]:
    """Which alarms of a tool may mean the cause, in its order; and whether one means nothing that is allowed."""
    from peers import meaning

    said = [codes for alarm in peer.alarms if (codes := meaning(tool, alarm)) is not None]
    allowed = set(row.program.root + row.program.also)
    return [bool(set(codes) & set(row.program.root)) for codes in said], any(not set(c) & allowed for c in said)


# -- treatment ---------------------------------------------------------------------------------------------------------

FIX, ALONE, RANDOM, AUTOTRAINER = "fallline fix", "left alone", "a random remedy", "AUTOTRAINER's order"
POLICIES: dict[str, Callable[[Row], Done]] = {
    FIX: lambda row: row.left(row.watched),
    ALONE: lambda row: row.plain,
    RANDOM: lambda row: row.left(row.random),
    AUTOTRAINER: lambda row: row.left(row.autotrainer),
}


def way(row: Row, done: Done) -> float:
    """How far a treatment brought the program's metric; what left no number is below all others."""
    found = row.program.way(done.metric, row.seed)
    return found if math.isfinite(found) else -1.0


def cured(row: Row, done: Done) -> bool:
    """Whether hardly anything is left to the known cure."""
    return way(row, done) >= CURED


def treatment(rows: Sequence[Row]) -> tuple[list[Sheet], dict[str, Any]]:
    """The tables, and the numbers that decide."""
    sick, healthy = [r for r in rows if r.program.sick], [r for r in rows if not r.program.sick]
    fix = POLICIES[FIX]
    worse = [row for row in rows if way(row, fix(row)) < way(row, row.plain) - CLEARLY]
    result = {
        "sick": len(sick), "cured": sum(cured(r, fix(r)) for r in sick), "healthy": len(healthy),
        "worse": len(worse), "healthy_worse": sum(not r.program.sick for r in worse),
    }  # fmt: skip
    passed = result["cured"] >= GOAL["cured"] * len(sick) and not worse
    return [_policies(sick), _healthy(healthy), _times(sick, healthy), _uncured(sick)], {**result, "passed": passed}


def _policies(rows: Sequence[Row]) -> Sheet:
    """fallline beside the baselines."""
    parts = _by_seed(rows)
    lines = []
    for name, policy in POLICIES.items():
        healed = [share(sum(cured(r, policy(r)) for r in part), len(part)) for part in parts.values()]
        gains = [way(row, policy(row)) - way(row, row.plain) for row in rows]
        ratios = [policy(row).seconds / row.plain.seconds for row in rows]
        better, worse = sum(gain > CLEARLY for gain in gains), sum(gain < -CLEARLY for gain in gains)
        lines.append((name, *healed, str(better), str(worse), quartiles(ratios)))
    columns = ("sick programs", *(f"cured, {part}" for part in parts), "better", "worse", "time ÷ plain")
    return Sheet("treatment", "Sick programs", columns, tuple(lines))


def _healthy(rows: Sequence[Row]) -> Sheet:
    """What fix does to programs that need no cure."""
    parts = _by_seed(rows)
    gains = {name: [way(r, POLICIES[FIX](r)) - way(r, r.plain) for r in part] for name, part in parts.items()}
    lines = (
        ("a change was chosen", *(share(sum(bool(r.report.get("chosen")) for r in p), len(p)) for p in parts.values())),
        ("the metric got worse", *(share(sum(g < -CLEARLY for g in gain), len(gain)) for gain in gains.values())),
        ("the metric got better", *(share(sum(g > CLEARLY for g in gain), len(gain)) for gain in gains.values())),
    )
    return Sheet("healthy", "Healthy programs under fix", ("healthy programs", *parts), lines)


def _times(sick: Sequence[Row], healthy: Sequence[Row]) -> Sheet:
    """What fix costs, in plain runs of the program."""

    def ratios(rows: Sequence[Row], seconds: Callable[[Row], float]) -> str:
        return quartiles([seconds(row) / row.plain.seconds for row in rows if "seconds" in row.report])

    processes = tuple(ratios(rows, lambda row: row.watched.seconds) for rows in (sick, healthy))
    trials = tuple(ratios(rows, lambda row: row.report["seconds"]) for rows in (sick, healthy))
    lines = (("`fix --apply`, the whole process", *processes), ("its trials alone", *trials))
    columns = ("time ÷ that of one plain run", "sick", "healthy")
    return Sheet("time", "Time of fix ÷ time of one plain run: median [quartiles]", columns, lines)


def _uncured(rows: Sequence[Row]) -> Sheet:
    """What fix did not cure, run by run."""
    left = [(row, POLICIES[FIX](row)) for row in rows]
    lines = [
        (
            row.program.id, str(row.seed), " or ".join(row.program.root), chosen(row),
            f"{number(row.plain.metric)} → {number(done.metric)}", f"{way(row, done):.0%}",
        )
        for row, done in left if not cured(row, done)
    ]  # fmt: skip
    columns = ("not cured", "seed", "cause", "by", "metric", "of the way")
    return Sheet("uncured", "Not cured", columns, tuple(lines))


def chosen(row: Row) -> str:
    """The names of the remedies that fix chose."""
    return " + ".join(remedy["name"] for remedy in row.report.get("chosen") or ()) or "nothing"

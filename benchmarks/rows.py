"""What came of the programs: one row each, written down as soon as it is known."""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from programs import Done, Program, execute
from warm import Warm

HERE = Path(__file__).resolve().parent
LEFT_ALONE = 4  # exit status of a treatment that found nothing better
FIX_TIMES = 10  # of the time limit of one process, for one that runs many trials


@dataclass(frozen=True)
class Judged:
    """What another tool said of a program."""

    done: Done
    alarms: tuple[str, ...]
    error: str | None = None  # of the tool, or of the program under it


@dataclass(frozen=True)
class Row:
    """What came of one program with one seed."""

    program: Program
    seed: int
    plain: Done
    watched: Done  # under fallline run, or fix
    report: dict[str, Any]
    alarms: tuple[str, ...] = ()
    timeline: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # updates → alarms of the record until then
    peers: Mapping[str, Judged] = field(default_factory=dict)
    drawn: dict[str, Any] | None = None  # the random remedy
    random: Done | None = None
    autotrainer: Done | None = None

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
        return same(self.plain.metric, self.watched.metric)

    def since(self, first: bool) -> int | None:
        """After how many updates the true cause is among the alarms, or the first of them."""
        for updates, alarms in sorted(self.timeline.items()):
            if set(alarms[:1] if first else alarms) & set(self.program.root):
                return updates
        return None

    def left(self, done: Done | None) -> Done:
        """What a treatment leaves behind: where it was not made, or changed nothing, the program as it is."""
        if done is None:
            return self.plain
        return replace(done, metric=self.plain.metric) if done.exit == LEFT_ALONE else done


def same(a: float | None, b: float | None) -> bool:
    """Whether two metrics are equal; NaN equals NaN, and nothing nothing."""
    return a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))


# -- written down ------------------------------------------------------------------------------------------------------


class Journal:
    """A file of rows, one JSON object a line, so that nothing is lost when the benchmark is interrupted."""

    def __init__(self, file: Path | None, mode: str, resume: bool) -> None:
        self.file, self.mode = file, mode
        lines = file.read_text().splitlines(keepends=True) if file is not None and resume and file.exists() else []
        whole = [line for line in lines if line.endswith("\n")]  # the last one may have been cut off
        self._entries = [json.loads(line) for line in whole]
        if any(entry["mode"] != mode for entry in self._entries):
            raise SystemExit(f"{file} holds rows of `{self._entries[0]['mode']}`, these would be of `{mode}`")
        if file is not None:
            file.write_text("".join(whole))

    def rows(self, chosen: Sequence[Program]) -> list[Row]:
        """The rows of these programs that are in the file, the last one of each program and seed."""
        by_id = {program.id: program for program in chosen}
        found = [_row(by_id[entry["program"]], entry) for entry in self._entries if entry["program"] in by_id]
        return list({(row.program.id, row.seed): row for row in found}.values())

    def add(self, row: Row) -> None:
        """Append a row."""
        if self.file is not None:
            with self.file.open("a") as out:
                out.write(json.dumps({**asdict(row), "program": row.program.id, "mode": self.mode}) + "\n")


def _row(program: Program, entry: dict[str, Any]) -> Row:
    def done(name: str) -> Done | None:
        return Done(**entry[name]) if entry[name] is not None else None

    peers = {
        tool: Judged(Done(**judged["done"]), tuple(judged["alarms"]), judged["error"])
        for tool, judged in entry["peers"].items()
    }
    return Row(
        program, entry["seed"], Done(**entry["plain"]), Done(**entry["watched"]), entry["report"],
        tuple(entry["alarms"]), {int(k): tuple(v) for k, v in entry["timeline"].items()}, peers,
        entry["drawn"], done("random"), done("autotrainer"),
    )  # fmt: skip


# -- made --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bench:
    """How programs are run."""

    python: str
    timeout: float
    peers: tuple[str, ...] = ()
    warm: Warm | None = None  # where programs begin that are diagnosed; times of treatments are those of a user's

    def diagnose(self, program: Program, seed: int) -> Row:
        """Alone, under ``fallline run``, and under other tools."""
        with tempfile.TemporaryDirectory() as folder:
            row = self._fallline(program, seed, folder, ["run"], 1, self.warm)
            alarms = _alarms(row.report.get("findings", []))
            timeline = _timeline(Path(folder) / "runs") if program.sick else {}
        judged = {tool: self._judge(tool, program, seed) for tool in self.peers}
        return replace(row, alarms=alarms, timeline=timeline, peers=judged)

    def treat(self, program: Program, seed: int) -> Row:
        """Alone and under ``fallline fix --apply``; a sick one also under a random remedy and AUTOTRAINER's order."""
        with tempfile.TemporaryDirectory() as folder:
            row = self._fallline(program, seed, folder, ["fix", "--apply"], FIX_TIMES)
        findings = row.report.get("before", {}).get("findings", [])
        row = replace(row, alarms=_alarms(findings))
        if not program.sick:
            return row
        proposed = [remedy for finding in findings for remedy in finding["remedies"]]
        drawn = random.Random(f"{program.id} {seed}").choice(proposed) if proposed else None
        lucky = None
        if drawn is not None:
            spec = json.dumps({"script": str(program.script), "remedy": drawn, "wall": self.timeout})
            lucky = self._alone("corpus.py", "--trial", spec, seed=seed, times=1)
        fixed = self._alone("autotrainer.py", str(program.script), seed=seed, times=FIX_TIMES)
        return replace(row, drawn=drawn, random=lucky, autotrainer=fixed)

    def _fallline(
        self, program: Program, seed: int, folder: str, verb: Sequence[str], times: int, warm: Warm | None = None
    ) -> Row:
        plain = execute([self.python, str(program.script)], seed, folder, self.timeout, warm)
        file = Path(folder) / "report.json"
        command = [self.python, "-m", "fallline", *verb, "--json", str(file), str(program.script)]
        watched = execute(command, seed, folder, self.timeout * times, warm)
        return Row(program, seed, plain, watched, _load(file))

    def _judge(self, tool: str, program: Program, seed: int) -> Judged:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "alarms.json"
            command = [self.python, str(HERE / "peers.py"), tool, str(file), str(program.script)]
            done = execute(command, seed, folder, self.timeout, self.warm)
            said = _load(file)
        return Judged(done, tuple(said.get("alarms", ())), said["error"])

    def _alone(self, script: str, *args: str, seed: int, times: int) -> Done:
        with tempfile.TemporaryDirectory() as folder:
            return execute([self.python, str(HERE / script), *args], seed, folder, self.timeout * times + 60)


def _alarms(findings: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(f["code"] for f in findings if f["severity"] in ("error", "warning"))


def _load(file: Path) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError) as error:  # that there is no report is itself the result
        return {"error": f"{type(error).__name__}: {error}"}
    return loaded


def _timeline(root: Path) -> dict[int, tuple[str, ...]]:
    """The alarms of a run's record, cut after 1, 2, 3, 5, 8, … updates; at last those of the whole."""
    from fallline.diagnosis.diagnose import diagnose
    from fallline.record.run import read, runs

    folders = runs(root)
    if not folders:
        return {}
    run = read(folders[0])
    cuts, following = [1], 2
    while following < len(run.steps):
        cuts.append(following)
        following += cuts[-2]
    at = {updates: run.until(updates) for updates in cuts if updates < len(run.steps)} | {len(run.steps): run}
    return {
        updates: tuple(f.code for f in diagnose(part).findings if f.severity in ("error", "warning"))
        for updates, part in at.items()
    }


def trial(spec: dict[str, Any]) -> int:
    """Run a program under one remedy in a process of its own; its output is this one's."""
    import functools

    from fallline.diagnosis.finding import Prescription
    from fallline.treatment import trial as trials
    from fallline.treatment.ward import alone

    remedy = Prescription(**spec["remedy"])
    limits = trials.Limits(wall=spec["wall"])
    with tempfile.TemporaryDirectory() as root:
        start = functools.partial(alone, passthrough=True)
        return trials.run(trials.Program(spec["script"]), [remedy], 0, limits, Path(root), start=start).exit


if __name__ == "__main__":
    sys.exit("this is no benchmark: run benchmarks/corpus.py")

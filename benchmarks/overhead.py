"""What watching costs: the time of a training step with a tool, divided by its time without.

usage: python benchmarks/overhead.py [--quick] [--only mlp,tiny] [--tools fallline,gradsnitch] [--threads 1] [--json F]
       python benchmarks/overhead.py --memory [--quick] [--json F]

Two twins of a network train in turns, block by block, in one process: one is watched, the other is not. Every pair of
tool and workload gets a process of its own. `ratio` is the median over the blocks with its quartiles: what one step
costs, blind to what happens rarely. `total` is the sum of the watched blocks over the sum of the others, in wall time
and in CPU time of the process (all its threads): what a run costs. The first updates are reported apart, because
fallline measures them densely. Tools that are not installed (`make bench` installs them) are left out.

--memory: fallline on 100,000 steps of the tiny network: growth of the process and size of the record.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Batch = tuple[Tensor, Tensor]
BATCHES = 16  # different batches that a workload goes through in turns
SECONDS = {"fallline": 240.0, "others": 60.0}  # a pair of tool and workload ends early after this long


# -- what is trained -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Workload:
    """A network with its data and how it is measured."""

    title: str
    goal: float  # what fallline's ratio should be at most
    build: Callable[[], nn.Module]
    batch: Callable[[], Batch]
    loss: Callable[[Tensor, Tensor], Tensor]
    block: int  # updates between two looks at the clock
    adam: bool = False
    loader: bool = False  # whether a DataLoader shuffles and hands out the batches


def _mlp() -> nn.Module:
    hidden = [layer for _ in range(6) for layer in (nn.Linear(512, 512), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(512, 10))


def _cnn() -> nn.Module:
    def stage(fan_in: int, fan_out: int) -> list[nn.Module]:
        return [nn.Conv2d(fan_in, fan_out, 3, padding=1), nn.BatchNorm2d(fan_out), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(*stage(3, 16), *stage(16, 32), *stage(32, 64), nn.Flatten(), nn.Linear(64 * 16, 10))


class Transformer(nn.Module):
    """Four layers, causal, predicting the next of 64 tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(64, 128), nn.Embedding(64, 128)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True, norm_first=True) for _ in range(4)
        )
        self.head = nn.Linear(128, 64)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(64))

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.token(tokens) + self.place.weight
        for block in self.blocks:
            hidden = block(hidden, src_mask=self.mask, is_causal=True)
        return self.head(hidden).flatten(0, 1)


def _tiny() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))


cross_entropy, mse = nn.functional.cross_entropy, nn.functional.mse_loss
WORKLOADS = {
    "mlp": Workload(
        "7-layer MLP, 512 wide, batch 128", 1.03, _mlp,
        lambda: (torch.randn(128, 512), torch.randint(10, (128,))), cross_entropy, 5,
    ),
    "cnn": Workload(
        "batch-norm CNN, 32×32, batch 32", 1.03, _cnn,
        lambda: (torch.randn(32, 3, 32, 32), torch.randint(10, (32,))), cross_entropy, 5,
    ),
    "transformer": Workload(
        "4-layer transformer, d 128, T 64, batch 16", 1.03, Transformer,
        lambda: (torch.randint(64, (16, 64)), torch.randint(64, (16 * 64,))), cross_entropy, 2, adam=True,
    ),
    "tiny": Workload(
        "2-16-16-1 MLP, batch 32", 1.10, _tiny,
        lambda: (torch.randn(32, 2), torch.randn(32, 1)), mse, 100,
    ),
    "tiny-adam": Workload(
        "2-16-16-1 MLP, batch 32, Adam, a DataLoader", 1.10, _tiny,
        lambda: (torch.randn(32, 2), torch.randn(32, 1)), mse, 100, adam=True, loader=True,
    ),
}  # fmt: skip


def _loader(batches: list[Batch]) -> Iterable[Batch]:
    x, y = map(torch.cat, zip(*batches, strict=True))
    return DataLoader(TensorDataset(x, y), batch_size=len(batches[0][0]), shuffle=True)


def _endless(batches: Iterable[Batch]) -> Iterator[Batch]:
    while True:
        yield from batches


class Watcher:
    """What a tool asks to be called in the loop; nothing here."""

    def __init__(self, training: Training) -> None:
        self.training = training

    def before_forward(self, x: Tensor, y: Tensor) -> None: ...
    def after_backward(self, loss: Tensor) -> None: ...
    def after_step(self, x: Tensor, y: Tensor, loss: Tensor) -> None: ...

    @contextlib.contextmanager
    def block(self) -> Iterator[None]:
        """Around every block of the watched twin."""
        yield

    def close(self) -> dict[str, float]:
        """Take the tool away; what it says of itself."""
        return {}


class Training:
    """One of the twins: equal networks on equal data."""

    def __init__(self, workload: Workload) -> None:
        torch.manual_seed(0)
        self.model = workload.build()
        self.loss_fn = workload.loss
        kind = torch.optim.Adam if workload.adam else torch.optim.SGD
        self.optimizer = kind(self.model.parameters(), lr=1e-3)
        batches = [workload.batch() for _ in range(BATCHES)]
        self.source = _endless(_loader(batches) if workload.loader else batches)
        self.step = 0

    def run(self, updates: int, watcher: Watcher) -> None:
        """Train."""
        for _ in range(updates):
            x, y = next(self.source)
            watcher.before_forward(x, y)
            self.optimizer.zero_grad()
            loss = self.loss_fn(self.model(x), y)
            loss.backward()
            watcher.after_backward(loss)
            self.optimizer.step()
            watcher.after_step(x, y, loss)
            self.step += 1


# -- the tools, each as its own manual shows it ------------------------------------------------------------------------


class Stopwatch:
    """A clock that stands still while the other twin trains: the budget counts the watched training only."""

    def __init__(self) -> None:
        self.away, self.left = 0.0, time.perf_counter()

    def __call__(self) -> float:
        return time.perf_counter() - self.away

    def stop(self) -> None:
        self.left = time.perf_counter()

    def go_on(self) -> None:
        self.away += time.perf_counter() - self.left


class Fallline(Watcher):
    """Its hooks see every training of the process, so they are taken away while the other twin trains."""

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        from fallline.watch.session import Session

        self.root = tempfile.TemporaryDirectory()
        self.session = Session("bench", self.root.name, models={"model": training.model})
        self.recorder = self.session.recorder
        self.clock = self.recorder.clock = Stopwatch()
        self.session.start([])
        self.recorder.release()

    @contextlib.contextmanager
    def block(self) -> Iterator[None]:
        self.clock.go_on()
        self.recorder.start()
        yield
        self.recorder.release()
        self.clock.stop()

    def close(self) -> dict[str, float]:
        self.clock.go_on()
        self.session.stop(0)
        run = self.session.read()
        self.root.cleanup()
        told = run.meta["overhead_seconds"] / run.meta["training_seconds"]
        return {"told": told, "dense": len(run.sights), "updates": len(run.steps)}


class Torchmortem(Watcher):
    def __init__(self, training: Training) -> None:
        super().__init__(training)
        from torchmortem import Autopsy

        self.autopsy = Autopsy(training.model, optimizer=training.optimizer)
        self.autopsy.attach()

    def after_step(self, x: Tensor, y: Tensor, loss: Tensor) -> None:
        self.autopsy.step(loss=loss.item())

    def close(self) -> dict[str, float]:
        self.autopsy.detach()
        return {}


class TorchAudit(Watcher):
    every: int | None = None

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        from torch_audit import autopatch

        options = {} if self.every is None else {"every_n_steps": self.every}
        self.auditor = autopatch(training.model, optimizer=training.optimizer, **options)

    def close(self) -> dict[str, float]:
        self.auditor.unpatch()
        return {}


class TorchAudit20(TorchAudit):
    """As often as it must look to find what it found in the comparison of diagnoses."""

    every = 20


class Traintools(Watcher):
    def __init__(self, training: Training) -> None:
        super().__init__(training)
        from traintools import BatchInspector, GradientHealthMonitor
        from traintools.callbacks.pytorch import TraintoolsTracker

        self.tracker = TraintoolsTracker(training.model, training.loss_fn)
        self.inspector, self.health = BatchInspector(), GradientHealthMonitor()

    def before_forward(self, x: Tensor, y: Tensor) -> None:
        self.inspector.inspect(x, y, step=self.training.step)

    def after_backward(self, loss: Tensor) -> None:
        training = self.training
        self.health.inspect(training.model, step=training.step, lr=training.optimizer.param_groups[0]["lr"])

    def after_step(self, x: Tensor, y: Tensor, loss: Tensor) -> None:
        self.tracker.step(step=self.training.step, inputs=x, targets=y)


class Gradsnitch(Watcher):
    def __init__(self, training: Training) -> None:
        super().__init__(training)
        import gradsnitch

        self.monitor = gradsnitch.watch(training.model, training.optimizer)

    def after_backward(self, loss: Tensor) -> None:
        self.monitor.log(self.training.step, loss.item())


TOOLS: dict[str, tuple[str, str, type[Watcher]]] = {  # name → title, module, watcher
    "fallline": ("fallline", "fallline", Fallline),
    "torchmortem": ("torchmortem 0.1.1", "torchmortem", Torchmortem),
    "torch-audit": ("torch-audit 0.3.0 (every 1000)", "torch_audit", TorchAudit),
    "torch-audit-20": ("torch-audit 0.3.0, every 20", "torch_audit", TorchAudit20),
    "traintools": ("traintools 0.6.2", "traintools", Traintools),
    "gradsnitch": ("gradsnitch 0.1.0", "gradsnitch", Gradsnitch),
}


# -- measuring ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """Of one stretch of training."""

    updates: int
    step: float  # ms, median without the tool
    ratio: tuple[float, float, float]  # quartiles over the blocks
    wall: float  # whole stretch with ÷ whole stretch without
    cpu: float


class Pair:
    """A watched twin and one that is not."""

    def __init__(self, workload: Workload, tool: type[Watcher]) -> None:
        self.block = workload.block
        self.plain, self.watched = Training(workload), Training(workload)
        for twin in (self.plain, self.watched):  # the first steps of a process are slow for reasons of their own
            twin.run(3, Watcher(twin))
        self.nobody, self.watcher = Watcher(self.plain), tool(self.watched)
        self.blocks = 0

    def stretch(self, updates: int, seconds: float) -> Cost | None:
        """Train both in turns for so many updates, or so long; the order alternates. None where time is too short."""
        deadline = time.perf_counter() + seconds
        plain: list[tuple[float, float]] = []
        watched: list[tuple[float, float]] = []
        while len(plain) * self.block < updates and time.perf_counter() < deadline:
            for with_tool in (True, False) if self.blocks % 2 else (False, True):
                if with_tool:
                    with self.watcher.block():
                        watched.append(_timed(self.watched, self.block, self.watcher))
                else:
                    plain.append(_timed(self.plain, self.block, self.nobody))
            self.blocks += 1
        if len(plain) < 2:
            return None
        ratios = [w[0] / p[0] for w, p in zip(watched, plain, strict=True)]
        q1, median, q3 = statistics.quantiles(ratios, n=4)
        wall, cpu = (sum(w[i] for w in watched) / sum(p[i] for p in plain) for i in (0, 1))
        step = statistics.median(p[0] for p in plain) / self.block * 1e3
        return Cost(len(plain) * self.block, step, (q1, median, q3), wall, cpu)


def _timed(training: Training, updates: int, watcher: Watcher) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    training.run(updates, watcher)
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(tool: str, name: str, first: int, steady: int, seconds: float) -> dict[str, Any]:
    """Measure one pair of tool and workload in this process."""
    pair = Pair(WORKLOADS[name], TOOLS[tool][2])
    start, rest = (pair.stretch(updates, seconds / 2) for updates in (first, steady))
    costs = {"first": start and asdict(start), "steady": rest and asdict(rest)}
    return {"tool": tool, "workload": name, **costs, **pair.watcher.close()}


def memory(watch: bool, steps: int) -> dict[str, Any]:
    """Train the tiny network; how the process grew, and how large the record is."""
    training = Training(WORKLOADS["tiny"])
    training.run(100, Watcher(training))
    with tempfile.TemporaryDirectory() as root:
        watcher = Fallline(training) if watch else Watcher(training)
        with watcher.block():
            training.run(1000, watcher)
            early = _rss()
            started = time.perf_counter()
            training.run(steps - 1000, watcher)
            seconds = time.perf_counter() - started
        size = 0
        if isinstance(watcher, Fallline):
            watcher.session.stop(0)
            size = sum(file.stat().st_size for file in watcher.session.folder.iterdir())
        return {"root": root, "growth": _rss() - early, "record": size, "seconds": seconds}


def _rss() -> int:
    """Resident memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status tells no VmRSS; --memory needs Linux")


# -- the program -------------------------------------------------------------------------------------------------------


def _worker(threads: int, *argv: str) -> dict[str, Any]:
    """Run a measurement in a process of its own."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    command = [sys.executable, __file__, "--worker", json.dumps(argv)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _work(argv: list[str]) -> dict[str, Any]:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with contextlib.redirect_stdout(io.StringIO()):  # the tools talk
        if argv[0] == "memory":
            return memory(argv[1] == "watched", int(argv[2]))
        return measure(argv[0], argv[1], int(argv[2]), int(argv[3]), float(argv[4]))


def _extent(tool: str, workload: str, quick: bool) -> tuple[str, ...]:
    """First and steady updates, and seconds at most."""
    seconds = SECONDS.get(tool, SECONDS["others"])
    first, steady = 1000 if tool == "fallline" else 100, 2000
    steady *= 10 if WORKLOADS[workload].block >= 100 else 1
    return (
        (str(first), str(steady), str(seconds)) if not quick else (str(first // 5), str(steady // 5), str(seconds / 4))
    )


def _installed(module: str) -> bool:
    try:
        return importlib.import_module(module) is not None
    except ImportError:
        return False


def _span(cost: dict[str, Any] | None) -> tuple[str, str]:
    if cost is None:
        return "no time", ""
    q1, median, q3 = cost["ratio"]
    return f"{median:.3f} [{q1:.3f}–{q3:.3f}]", f"{cost['wall']:.3f} / {cost['cpu']:.3f}"


def _show(console: Console, name: str, rows: list[dict[str, Any]]) -> None:
    workload = WORKLOADS[name]
    steps = [row["steady"]["step"] for row in rows if row["steady"]]
    took = f"{statistics.median(steps):.2f} ms a step" if steps else ""
    title = f"{workload.title}: {took}, goal {workload.goal}"
    table = Table(title=title, title_justify="left")
    for column in ("tool", "ratio [quartiles]", "total wall / cpu", "first", "total wall / cpu", "updates"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        counts = [str(row[part]["updates"]) if row[part] else "0" for part in ("first", "steady")]
        table.add_row(
            TOOLS[row["tool"]][0], *_span(row["steady"]), *_span(row["first"]), "+".join(counts)
        )  # fmt: skip
    console.print(table)
    for row in rows:
        if "told" in row:
            console.print(
                f"  fallline itself says {row['told']:.1%} over all; {row['dense']} of {row['updates']} updates dense"
            )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few minutes instead of half an hour, and less sure")
    parser.add_argument("--memory", action="store_true", help="growth of the process and the record over 100,000 steps")
    parser.add_argument("--only", default=",".join(WORKLOADS), help="workloads, separated by commas")
    parser.add_argument("--tools", default=",".join(TOOLS), help="tools, separated by commas")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="F", help="write all numbers to this file")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(_work(json.loads(args.worker))))
        return
    console = Console(width=None if sys.stdout.isatty() else 130, highlight=False)
    result: dict[str, Any] = {
        "machine": {"cpu": platform.processor(), "cores": os.cpu_count(), "load": os.getloadavg()},
        "threads": args.threads,
        "torch": torch.__version__,
        "quick": args.quick,
    }  # fmt: skip
    if args.memory:
        steps = 10_000 if args.quick else 100_000
        plain, watched = (_worker(args.threads, "memory", kind, str(steps)) for kind in ("plain", "watched"))
        result["memory"] = {"steps": steps, "plain": plain, "watched": watched}
        console.print(f"{steps:,} updates: the process grew by {watched['growth'] / 2**20:.1f} MiB watched, "
                      f"{plain['growth'] / 2**20:.1f} MiB alone; the record has {watched['record'] / 2**20:.1f} MiB; "
                      f"{watched['seconds'] / plain['seconds']:.3f}× the time, not interleaved")  # fmt: skip
    else:
        tools = [tool for tool in args.tools.split(",") if _installed(TOOLS[tool][1])]
        result["rows"] = []
        for name in args.only.split(","):
            rows = [_worker(args.threads, tool, name, *_extent(tool, name, args.quick)) for tool in tools]
            result["rows"] += rows
            _show(console, name, rows)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

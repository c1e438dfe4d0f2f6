"""Time of ``fallline fit`` beside other ways to train the same network on the same data; scores beside other models.

    python benchmarks/fit.py            # times, in one run: what is not installed is left out
    python benchmarks/fit.py --scores   # test scores on scikit-learn's sets and on a table with gaps and categories

Same network, batches and epochs, Adam at its defaults, one thread each. Each tool trains once before anything is timed,
to load and to compile. Then they train in turns, and of several rounds the fastest counts. What is measured is the time
of the processor, of all threads together: on a machine with other work the clock on the wall says little.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np
import torch
from torch import nn

ROUNDS = 5
RATE = 1e-3


@dataclass(frozen=True)
class Case:
    """A network and data of its shape."""

    name: str
    widths: tuple[int, ...]
    batch: int
    epochs: int
    x: np.ndarray
    y: np.ndarray


def cases() -> list[Case]:
    from sklearn.datasets import load_digits, make_moons

    x, y = load_digits(return_X_y=True)
    moons, sides = make_moons(1000, noise=0.1, random_state=0)
    generator = np.random.default_rng(0)
    images = generator.normal(size=(6000, 784))
    labels = (images @ generator.normal(size=(784, 10))).argmax(axis=1)
    return [
        Case("digits", (64, 128, 128, 10), 64, 20, (x / 16).astype(np.float32), y),
        Case("two moons", (2, 16, 16, 2), 32, 40, moons.astype(np.float32), sides),
        Case("image-sized", (784, 512, 256, 10), 128, 3, images.astype(np.float32), labels),
    ]


def network(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Wrapped(nn.Module):
    """The same network as a module that is no plain stack, so that fit goes through autograd."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.net = network(widths)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def by_fit(model: nn.Module, case: Case, root: Path | None) -> None:
    import fallline

    data = torch.from_numpy(case.x), torch.from_numpy(case.y)
    fallline.fit(
        model,
        data,
        lr=RATE,
        epochs=case.epochs,
        batch_size=case.batch,
        validation=0.0,
        patience=None,
        threads=1,
        root=root,
    )


def loop_over_tensors(case: Case) -> None:
    x, y, model = torch.from_numpy(case.x), torch.from_numpy(case.y), network(case.widths)
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=RATE), nn.CrossEntropyLoss()
    for _ in range(case.epochs):
        order = torch.randperm(len(x))
        for begin in range(0, len(x), case.batch):
            some = order[begin : begin + case.batch]
            optimizer.zero_grad()
            loss = loss_fn(model(x[some]), y[some])
            loss.backward()
            optimizer.step()


def loop_over_loader(case: Case) -> None:
    from torch.utils.data import DataLoader, TensorDataset

    model = network(case.widths)
    loader = DataLoader(TensorDataset(torch.from_numpy(case.x), torch.from_numpy(case.y)), case.batch, shuffle=True)
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=RATE), nn.CrossEntropyLoss()
    for _ in range(case.epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss_fn(model(x), y).backward()
            optimizer.step()


def sklearn_mlp(case: Case) -> None:
    from sklearn.neural_network import MLPClassifier

    hidden = case.widths[1:-1]
    model = MLPClassifier(hidden, alpha=0, batch_size=case.batch, max_iter=case.epochs, tol=0, n_iter_no_change=10**6)
    model.fit(case.x, case.y)


def skorch(case: Case) -> None:
    from skorch import NeuralNetClassifier

    NeuralNetClassifier(
        network(case.widths), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=RATE, verbose=0,
        max_epochs=case.epochs, batch_size=case.batch, train_split=None, iterator_train__shuffle=True,
    ).fit(case.x, case.y)  # fmt: skip


def lightning(case: Case) -> None:
    import lightning
    from torch.utils.data import DataLoader, TensorDataset

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = network(case.widths)

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=RATE)

    loader = DataLoader(TensorDataset(torch.from_numpy(case.x), torch.from_numpy(case.y)), case.batch, shuffle=True)
    lightning.Trainer(
        max_epochs=case.epochs, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu",
    ).fit(Module(), loader)  # fmt: skip


_COMPILED: dict[str, Any] = {}


def jax_optax(case: Case) -> None:
    import jax
    import jax.numpy as jnp
    import optax

    optimizer = optax.adam(RATE)

    def loss(weights: Any, x: Any, y: Any) -> Any:
        for w, b in weights[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = weights[-1]
        return optax.softmax_cross_entropy_with_integer_labels(x @ w + b, y).mean()

    def epoch(weights: Any, state: Any, x: Any, y: Any) -> Any:
        def step(carry: Any, batch: Any) -> Any:
            value, slope = jax.value_and_grad(loss)(carry[0], *batch)
            update, after = optimizer.update(slope, carry[1])
            return (optax.apply_updates(carry[0], update), after), value

        return jax.lax.scan(step, (weights, state), (x, y))

    run = _COMPILED.setdefault(case.name, jax.jit(epoch))
    generator, count = np.random.default_rng(0), len(case.x) // case.batch * case.batch
    weights = [
        (jnp.asarray(generator.normal(size=(a, b)).astype(np.float32) * (2 / a) ** 0.5), jnp.zeros(b))
        for a, b in pairwise(case.widths)
    ]
    state = optimizer.init(weights)
    for _ in range(case.epochs):
        order = generator.permutation(len(case.x))[:count].reshape(-1, case.batch)
        (weights, state), losses = run(weights, state, case.x[order], case.y[order])
    losses.block_until_ready()


def tools(root: Path) -> dict[str, Callable[[Case], None]]:
    found: dict[str, Callable[[Case], None]] = {
        "fallline fit, a stack of dense layers": lambda case: by_fit(network(case.widths), case, root),
        "fallline fit, any module": lambda case: by_fit(Wrapped(case.widths), case, root),
        "fallline fit, any module, nothing recorded": lambda case: by_fit(Wrapped(case.widths), case, None),
        "a loop over tensors": loop_over_tensors,
        "a loop over a DataLoader": loop_over_loader,
        "scikit-learn's MLPClassifier": sklearn_mlp,
        "skorch": skorch,
        "Lightning": lightning,
        "JAX and optax, a jitted epoch": jax_optax,
    }
    needs = {"skorch": "skorch", "Lightning": "lightning", "JAX and optax, a jitted epoch": "optax"}
    return {k: f for k, f in found.items() if k not in needs or importlib.util.find_spec(needs[k]) is not None}


def times(rounds: int) -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, Python {platform.python_version()}, one thread each, fastest of {rounds}\n")
    with tempfile.TemporaryDirectory() as folder:
        every, measured = cases(), {}
        ways = tools(Path(folder))
        for case in every:
            for name, train in ways.items():
                train(case)  # loads and compiles
                measured[name, case.name] = float("inf")
            for _ in range(rounds):  # in turns, so that a busy moment of the machine meets all of them
                for name, train in ways.items():
                    started = time.process_time()
                    train(case)
                    measured[name, case.name] = min(measured[name, case.name], time.process_time() - started)
    heads = [f"{c.name} {'-'.join(map(str, c.widths))}, batch {c.batch}, {c.epochs} epochs" for c in every]
    print("| | " + " | ".join(heads) + " |")
    print("|---|" + "---|" * len(every))
    for name in ways:
        cells = [
            f"{measured[name, c.name]:.3f} s (×{measured[name, c.name] / measured['a loop over tensors', c.name]:.2f})"
            for c in every
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")


# -- scores ----------------------------------------------------------------------------------------------------------


def messy_table(folder: Path) -> Path:
    """Prices with gaps, categories, dates and a column of remarks; 5 % of each is noise."""
    import pandas as pd

    generator, rows = np.random.default_rng(0), 3000
    day = pd.Timestamp("2019-01-01") + pd.to_timedelta(generator.integers(0, 2000, rows), unit="D")
    city = generator.choice(["Oslo", "Rome", "Lima", "Pune"], rows, p=[0.4, 0.3, 0.2, 0.1])
    size, rooms = generator.lognormal(4, 0.4, rows), generator.integers(1, 7, rows)
    worth = {"Oslo": 1.4, "Rome": 1.1, "Lima": 0.7, "Pune": 0.5}
    season = 1 + 0.2 * np.sin(2 * np.pi * day.day_of_year / 365)
    price = 3000 * size * np.array([worth[c] for c in city]) * season * (1 + 0.03 * rooms)
    price = price * generator.normal(1, 0.05, rows)
    frame = pd.DataFrame(
        {"sold": day.strftime("%Y-%m-%d"), "city": city, "size": size, "rooms": rooms.astype(float),
         "remark": [f"remark {i}" for i in range(rows)], "price": price.round()}
    )  # fmt: skip
    for column, share in (("city", 0.05), ("size", 0.03), ("rooms", 0.1)):
        frame.loc[generator.random(rows) < share, column] = None
    path = folder / "prices.csv"
    frame.to_csv(path, index=False)
    return path


def scores(seeds: int) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    import fallline
    from fallline.objective.batches import Examples
    from fallline.objective.data import Split, load

    print("| data | fallline fit | MLP, scaled | MLP | gradient boosting |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        sources = ["digits", "breast_cancer", "wine", "diabetes", str(messy_table(Path(folder)))]
        for source in sources:
            target = "price" if source.endswith("csv") else None
            rows = []
            for seed in range(seeds):
                run = fallline.fit(None, source, target=target, seed=seed, root=None)
                found = [run.score]
                for scale in (True, False):
                    data = load(source, target, split=Split(0.0, 0.2, seed), scale=scale)
                    assert isinstance(data.train, Examples)
                    assert isinstance(data.test, Examples)
                    classes = data.task.kind == "classes"
                    models = [MLPClassifier(random_state=seed) if classes else MLPRegressor(random_state=seed)]
                    if not scale:
                        kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
                        models.append(kind(random_state=seed))
                    for model in models:
                        model.fit(data.train.x.numpy(), data.train.y.numpy().reshape(len(data.train)))
                        y = data.test.y.numpy().reshape(len(data.test))
                        found.append(model.score(data.test.x.numpy(), y))
                rows.append(found)
            cells = [f"{np.mean(c):.3f} ± {np.std(c):.3f}" for c in zip(*rows, strict=True)]
            print(f"| {Path(source).stem} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    if given.scores:
        scores(given.rounds)
    else:
        times(given.rounds)


if __name__ == "__main__":
    main()

"""How fast TwoLayerNet trains in NumPy against its twins in torch: equal parameters, the same batches, in turns within one process.

The notebook's net (784-50-10, batch 100, learning rate 0.1) takes a block of steps, then each twin takes the same block, and so on: a
ratio of neighbouring blocks says more than seconds on a machine that others use as well. The twins are what one would write
(Sequential, cross_entropy, backward, SGD, zero_grad) and a leaner one (autograd.grad and an update in place), each with torch's own
number of threads and with one. NumPy's BLAS is taken as it comes; `OPENBLAS_NUM_THREADS=1 python benchmarks/training.py` gives it one
thread, which is the comparison to look at where other processes hold the cores: threads that wait for each other then take ten times
as long, on either side. Steps are timed without and with the notebook's loss after the update. Run with
`python benchmarks/training.py [--help]`; the images are MNIST's where $MNIST_DIR is set.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import click
import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from torch.nn import functional

from reference import TwoLayerNet

RATE = 0.1
"""The notebook's learning rate."""
IMAGES = 10_000
"""How many random ones."""
PAUSE = 0.05
"""Seconds between two turns: idle threads of OpenBLAS spin for about half of that after a product."""
THREADS = torch.get_num_threads()
AGREEMENT = {"float64": 1e-9, "float32": 1e-2}
"""How far parameters may be apart after the warm-up: what rounding grows to in some hundred steps, with room."""

Array = np.ndarray[Any, Any]
Batches = list[tuple[Array, Array]]


class Side(Protocol):
    """A net that is trained: one update on a batch, the loss of a batch, and where its parameters are."""

    def update(self, x: Any, t: Any) -> None: ...
    def loss(self, x: Any, t: Any) -> float: ...
    def params(self) -> dict[str, Array]: ...


class Numpy:
    """The layers of `reference`, trained by the notebook's loop."""

    def __init__(self, start: dict[str, Array]) -> None:
        self.net = TwoLayerNet(*start["W1"].shape, start["b2"].size, dtype=start["W1"].dtype)
        self.net.params = {name: array.copy() for name, array in start.items()}

    def update(self, x: Array, t: Array) -> None:
        grad = self.net.gradient(x, t)
        for key in ("W1", "b1", "W2", "b2"):
            self.net.params[key] -= RATE * grad[key]

    def loss(self, x: Array, t: Array) -> float:
        return float(self.net.loss(x, t))

    def params(self) -> dict[str, Array]:
        return dict(self.net.params)


class Modules:
    """The twin that one would write in torch."""

    def __init__(self, start: dict[str, Array]) -> None:
        first, second = (torch.nn.Linear(*start[name].shape, dtype=torch.from_numpy(start[name]).dtype) for name in ("W1", "W2"))
        self.net = torch.nn.Sequential(first, torch.nn.ReLU(), second)
        with torch.no_grad():
            for layer, n in ((first, "1"), (second, "2")):
                layer.weight.copy_(torch.from_numpy(start["W" + n]).T)
                layer.bias.copy_(torch.from_numpy(start["b" + n]))
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=RATE)

    def update(self, x: torch.Tensor, t: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        functional.cross_entropy(self.net(x), t).backward()
        self.optimizer.step()

    def loss(self, x: torch.Tensor, t: torch.Tensor) -> float:
        with torch.no_grad():
            return functional.cross_entropy(self.net(x), t).item()

    def params(self) -> dict[str, Array]:
        tensors = dict(
            zip(("W1", "b1", "W2", "b2"), (p.detach().T if p.ndim == 2 else p.detach() for p in self.net.parameters()), strict=True)
        )
        return {name: tensor.numpy() for name, tensor in tensors.items()}


class Lean:
    """The twin without modules and optimizer: the least that torch can be asked for."""

    def __init__(self, start: dict[str, Array]) -> None:
        self.leaves = [torch.from_numpy(array.copy()).requires_grad_() for array in start.values()]

    def _loss(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        w1, b1, w2, b2 = self.leaves
        return functional.cross_entropy(torch.addmm(b2, torch.relu(torch.addmm(b1, x, w1)), w2), t)

    def update(self, x: torch.Tensor, t: torch.Tensor) -> None:
        grads = torch.autograd.grad(self._loss(x, t), self.leaves)
        with torch.no_grad():
            for leaf, grad in zip(self.leaves, grads, strict=True):
                leaf.sub_(grad, alpha=RATE)

    def loss(self, x: torch.Tensor, t: torch.Tensor) -> float:
        with torch.no_grad():
            return self._loss(x, t).item()

    def params(self) -> dict[str, Array]:
        return dict(zip(("W1", "b1", "W2", "b2"), (leaf.detach().numpy() for leaf in self.leaves), strict=True))


CONTENDERS: dict[str, tuple[Callable[[dict[str, Array]], Side], int | None]] = {
    "NumPy": (Numpy, None),
    "modules": (Modules, 0),
    "lean": (Lean, 0),
    "modules, 1 thread": (Modules, 1),
    "lean, 1 thread": (Lean, 1),
}

TWINS = tuple(list(CONTENDERS)[1:])


@dataclass(frozen=True)
class Data:
    """Images as rows in [0, 1] and their labels, and where they are from."""

    x: Array
    t: Array
    source: str

    def batches(self, rng: np.random.Generator, steps: int, size: int, dtype: str) -> Batches:
        """Draw the batches of a block, as the notebook does: with replacement."""
        picked = rng.integers(0, len(self.x), (steps, size))
        return [(self.x[rows].astype(dtype), self.t[rows]) for rows in picked]


def data() -> Data:
    """MNIST from $MNIST_DIR, or random images of its shape: products of dense matrices take the same time on either."""
    if os.environ.get("MNIST_DIR"):
        from reference import load_mnist

        try:
            (x, t), _ = load_mnist()
        except (OSError, ValueError) as error:
            raise click.ClickException(str(error)) from error
        return Data(x, t.astype(np.int64), "MNIST from $MNIST_DIR")
    rng = np.random.default_rng(0)
    # A fifth of the pixels is lit, as in MNIST, and the labels can be learnt: with noise, rounding would grow beyond comparing.
    x = rng.random((IMAGES, 784), np.float32) * (rng.random((IMAGES, 784)) < 0.2)
    t = (x @ rng.standard_normal((784, 10))).argmax(axis=1)
    return Data(x, t, "random images of MNIST's shape, as $MNIST_DIR is not set")


def seconds(side: Side, batches: list[tuple[Any, Any]], with_loss: bool) -> float:
    """Train a block of steps."""
    began = time.perf_counter()
    for x, t in batches:
        side.update(x, t)
        if with_loss:
            side.loss(x, t)
    return time.perf_counter() - began


@dataclass
class Race:
    """The contenders of one dtype and one loop, each at the same step, and the seconds of their blocks."""

    dtype: str
    with_loss: bool
    sides: dict[str, Side]
    times: dict[str, list[float]] = field(default_factory=dict)

    @property
    def loop(self) -> str:
        """What a step consists of."""
        return "update, loss" if self.with_loss else "update"

    def run(self, batches: Batches, turn: int, timed: bool) -> None:
        """Let everybody train the same block; who begins changes from block to block."""
        tensors = [(torch.from_numpy(x), torch.from_numpy(t)) for x, t in batches]
        names = list(self.sides)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            threads = CONTENDERS[name][1]
            if threads is not None:
                torch.set_num_threads(threads or THREADS)
            time.sleep(PAUSE)
            took = seconds(self.sides[name], batches if threads is None else tensors, self.with_loss)
            if timed:
                self.times.setdefault(name, []).append(took)

    def distance(self, name: str) -> float:
        """The largest difference of a parameter from NumPy's, as a share of the largest of its array."""
        ours, theirs = self.sides["NumPy"].params(), self.sides[name].params()
        return max(float(abs(ours[key] - theirs[key]).max() / abs(ours[key]).max()) for key in ours)

    def check(self) -> None:
        """Refuse to compare the speed of nets that do not do the same: after the warm-up only rounding may lie between them."""
        for name in self.sides:
            distance = self.distance(name)
            if not distance <= AGREEMENT[self.dtype]:
                raise click.ClickException(f"{name} has left NumPy in {self.dtype}: parameters differ by {distance:.1e} after the warm-up")

    def rows(self, steps: int) -> list[list[str]]:
        """Rows of the table: NumPy, then each twin with the seconds of NumPy's block over its own."""
        ours = self.times["NumPy"]
        rows = [[f"{self.dtype}, {self.loop}", "NumPy", f"{steps / statistics.median(ours):,.0f}", "", "", "", ""]]
        for name in list(self.sides)[1:]:
            theirs = self.times[name]
            low, middle, high = statistics.quantiles((a / b for a, b in zip(ours, theirs, strict=True)), n=4)
            ratios = [f"{middle:.2f}", f"{low:.2f} to {high:.2f}", f"{min(ours) / min(theirs):.2f}"]
            rows.append(["", name, f"{steps / statistics.median(theirs):,.0f}", *ratios, f"{self.distance(name):.0e}"])
        return rows


def beginning(seed: int, dtype: str) -> dict[str, Array]:
    """The notebook's initial parameters."""
    rng = np.random.default_rng(seed)
    shapes = {"W1": (784, 50), "b1": (50,), "W2": (50, 10), "b2": (10,)}
    return {name: (0.01 * rng.standard_normal(s) if len(s) == 2 else np.zeros(s)).astype(dtype) for name, s in shapes.items()}


def race(dtype: str, with_loss: bool, seed: int, twins: tuple[str, ...]) -> Race:
    """NumPy and the twins that were asked for, at the start."""
    start = beginning(seed, dtype)
    return Race(dtype, with_loss, {name: CONTENDERS[name][0](start) for name in ("NumPy", *twins)})


@click.command()
@click.option("--steps", type=click.IntRange(2), default=10_000, show_default=True, help="Timed steps of each contender.")
@click.option("--block", type=click.IntRange(1), default=100, show_default=True, help="Steps until the next one's turn; divides --steps.")
@click.option("--warm-up", type=click.IntRange(1, 1000), default=200, show_default=True, help="Steps before, which are not timed.")
@click.option("--batch", type=click.IntRange(1), default=100, show_default=True, help="Images in a batch.")
@click.option(
    "--dtype", "dtypes", type=click.Choice(list(AGREEMENT)), multiple=True, help="One dtype; may be given twice. Both by default."
)
@click.option("--twin", "twins", type=click.Choice(TWINS), multiple=True, help="One twin; may be given several times. All by default.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the initial parameters and the batches.")
def main(steps: int, block: int, warm_up: int, batch: int, dtypes: tuple[str, ...], twins: tuple[str, ...], seed: int) -> None:
    """Time the training of 784-50-10 in NumPy and in torch, side by side."""
    if steps % block or steps // block < 2:
        raise click.UsageError(f"--steps {steps} is not two or more blocks of --block {block}: ratios are taken block by block")
    found = data()
    click.echo(
        f"{found.source}; batch {batch}, {steps:,} steps in blocks of {block} after {warm_up}; torch has {THREADS} threads where not said"
    )
    table = Table(
        Column("step", no_wrap=True), "twin in torch", "steps/s", "NumPy / twin", "quartiles", "fastest", "apart", box=SIMPLE_HEAD
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        races = [race(dtype, with_loss, seed, twins or TWINS) for dtype in dtypes or AGREEMENT for with_loss in (False, True)]
        task = progress.add_task("", total=len(races) * (steps + warm_up))
        for runner in races:
            progress.update(task, description=f"{runner.dtype}, {runner.loop}")
            rng = np.random.default_rng(seed)
            runner.run(found.batches(rng, warm_up, batch, runner.dtype), 0, timed=False)
            runner.check()
            progress.advance(task, warm_up)
            for turn in range(steps // block):
                runner.run(found.batches(rng, block, batch, runner.dtype), turn, timed=True)
                progress.advance(task, block)
            for row in runner.rows(block):
                table.add_row(*row)
            table.add_section()
    console = Console(width=max(Console().width, 105))
    console.print(table)
    click.echo("NumPy / twin: the time of NumPy's block over the twin's, over all blocks median and quartiles; below 1 NumPy is faster")
    click.echo("fastest: the same of the fastest block of both, the one least disturbed; apart: the parameters, at the end")


if __name__ == "__main__":
    main()

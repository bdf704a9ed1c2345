"""What the commands about nets share: which net, which data."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from oracle.cli.shared import usage

if TYPE_CHECKING:
    from oracle.nets.batches import Data
    from oracle.subjects.isolated_net import IsolatedNet
    from oracle.subjects.nets import NetSubject

DATA = ("auto", "mnist", "digits", "random")
HIDDEN = 50
OUR_OWN = "TwoLayerNet"


class Numbers(click.ParamType[tuple[int | float, ...]]):
    """Numbers with commas between them."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(_number(part) for part in str(value).split(",") if part.strip())
        except ValueError:
            self.fail(f"{value!r} is no list of numbers; write them with commas between them, such as 784,50,10.", param, ctx)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


class NetChoice(NamedTuple):
    """Which net, what it is built from, what torch's side of it is, and what its process may use."""

    target: str | None
    args: tuple[int | float, ...]
    torch: str | None
    activation: str
    data: str
    search_path: tuple[str, ...]
    timeout: float
    time_limit: float
    memory: int


def net_options(time_limit: float) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options of every command about a net; the command is given them as one, `choice`. time_limit: the default of that option."""
    options = (
        click.argument("target", required=False),
        click.option(
            "--args", type=Numbers(), default=(), metavar="N,N", help="What the net is built from.  [default: nothing, or inputs,50,10]"
        ),
        click.option("--torch", "torch", metavar="EXPR", help="Its loss as a torch expression over x, t and its parameters' names."),
        click.option(
            "--activation",
            type=click.Choice(("relu", "sigmoid", "tanh")),
            default="relu",
            show_default=True,
            help="Between the layers of a net with W1, b1 ... Wn, bn, where no --torch is given.",
        ),
        click.option(
            "--data",
            type=click.Choice(DATA),
            default="auto",
            show_default=True,
            help="mnist: four files, see docs/datasets.md; digits: scikit-learn's; random: noise; auto: the first that is here.",
        ),
        click.option(
            "--path", "search_path", multiple=True, type=click.Path(exists=True, file_okay=False), help="Where its imports are looked for."
        ),
        click.option("--timeout", type=click.FloatRange(0.01), default=5.0, show_default=True, help="Seconds for one call of the net."),
        click.option("--time-limit", type=click.FloatRange(0.1), default=time_limit, show_default=True, help="Seconds for all its calls."),
        click.option("--memory", type=click.IntRange(64), default=4096, show_default=True, metavar="MB", help="Memory of its process."),
    )

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def taking(*given: Any, **found: Any) -> None:
            command(*given, choice=NetChoice(**{name: found.pop(name) for name in NetChoice._fields}), **found)

        for option in reversed(options):
            taking = option(taking)
        return taking

    return decorated


def data_of(kind: str, seed: int) -> Data:
    """The images and labels of `kind`, or of the first kind that is here. Raises UsageError where they cannot be had."""
    from reference.dataset_errors import DatasetMissingError
    from reference.datasets import load_digits, load_mnist

    try:
        if kind in ("auto", "mnist"):
            try:
                return _data(load_mnist(), "MNIST")
            except DatasetMissingError:
                if kind == "mnist":
                    raise
        if kind in ("auto", "digits"):
            try:
                return _data(load_digits(), "scikit-learn's digits, 8 x 8")
            except ImportError:
                if kind == "digits":
                    raise
    except (OSError, ValueError, ImportError) as error:
        raise usage(f"--data {kind}: {error}") from error
    return _noise(seed)


def _data(halves: Any, text: str) -> Data:
    from oracle.nets.batches import Data

    (x_train, t_train), (x_test, t_test) = halves
    return Data(x_train, t_train, x_test, t_test, f"{text}: {len(x_train):,} to train on, {len(x_test):,} to test on")


def _noise(seed: int) -> Data:
    """Images of MNIST's shape and share of black, with labels that mean nothing."""
    import numpy as np

    draw = np.random.default_rng((seed, 784))
    x = (draw.random((6_000, 784)) * (draw.random((6_000, 784)) < 0.2)).astype(np.float32)
    return _data(((x[:5_000], draw.integers(0, 10, 5_000)), (x[5_000:], draw.integers(0, 10, 1_000))), "random images of MNIST's shape")


def net_of(choice: NetChoice, dtype: str, inputs: int, seed: int) -> NetSubject | IsolatedNet:
    """The net in `dtype`, drawn from `seed`: ours in this process, the user's in one of its own. Raises UsageError.

    inputs: the width of the data, where it is not said what the net is built from.
    """
    from oracle.subjects.isolated_net import IsolatedNet
    from oracle.subjects.net_values import NetError
    from oracle.subjects.process import Limits
    from oracle.subjects.target import TargetError, parse_target

    default = (inputs, HIDDEN, 10)
    try:
        if choice.target is None or choice.target == OUR_OWN:
            return _ours(choice.args or default, dtype, seed)
        limits = Limits()._replace(case_seconds=choice.timeout, total_seconds=choice.time_limit, memory_mb=choice.memory)
        places = tuple(str(Path(p).resolve()) for p in (*choice.search_path, "."))
        target = parse_target(choice.target)
        try:
            return IsolatedNet(target, None, choice.args, dtype, places, limits, seed)
        except NetError as error:
            # a net that is there already, or is made of nothing, needs no arguments; any other says so like this
            if choice.args or "raised TypeError" not in str(error):
                raise
            return IsolatedNet(target, None, default, dtype, places, limits, seed)
    except (NetError, TargetError) as error:
        raise usage(str(error)) from error


def _ours(args: tuple[int | float, ...], dtype: str, seed: int) -> NetSubject:
    import numpy as np

    from oracle.subjects.nets import made
    from reference.networks import TwoLayerNet

    before = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        return made(TwoLayerNet, args, dtype)
    finally:
        np.random.set_state(before)


def name_of(choice: NetChoice) -> str:
    """What the net is called in what is written."""
    return choice.target or OUR_OWN


def source_of(choice: NetChoice) -> str:
    """The digest of the net's code; empty where it cannot be had."""
    from oracle.search.source import source_at, source_of_ours
    from oracle.subjects.target import parse_target
    from reference import networks

    if choice.target is None or choice.target == OUR_OWN:
        return source_of_ours(networks)
    return source_at(parse_target(choice.target), (*choice.search_path, "."))

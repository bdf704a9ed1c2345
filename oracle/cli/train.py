"""`gradconform train`: a net and its torch twin, step by step beside each other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from oracle.cli.nets import NetChoice, data_of, name_of, net_of, net_options, source_of
from oracle.cli.outputs import alone
from oracle.cli.shared import BUILD, DTYPES, EXIT_CODES, command_line, need_torch, usage

if TYPE_CHECKING:
    from oracle.nets.plan import TrainingPlan
    from oracle.results.training import TrainingSettings

TRAINING, TRAINING_PAGE = "training.jsonl", "training.html"
FASTEST = 1e30
"""The largest learning rate: it has to be a number in float32."""


@click.command(epilog=EXIT_CODES)
@net_options(time_limit=3600.0)
@click.option("--steps", type=click.IntRange(1, 10_000_000), default=10_000, show_default=True, help="Updates of each side.")
@click.option("--batch", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Rows of a batch, drawn with replacement.")
@click.option("--lr", type=click.FloatRange(0, FASTEST, min_open=True), default=0.1, show_default=True, help="Learning rate of SGD.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the first parameters, and the batches.")
@click.option("--dtype", "dtypes", multiple=True, type=click.Choice(DTYPES[:2]), help="May be given twice.  [default: float64, float32]")
@click.option("--shadows", type=click.IntRange(0, 16), default=2, show_default=True, help="Twins that show how rounding grows.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in the folder; --steps may be larger than before.")
@click.option("--label", default="", metavar="NAME", help="What this training is called among others.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=BUILD, show_default=True, help="Folder for results and report."
)
def train(
    choice: NetChoice,
    steps: int,
    batch: int,
    lr: float,
    seed: int,
    dtypes: tuple[str, ...],
    shadows: int,
    resume: bool,
    label: str,
    out: Path,
) -> None:
    """Train a net beside its torch twin, and judge every step.

    Both start from the same parameters and see the same batches. At each step torch is asked for the gradient at the net's own
    parameters, and each element of the net's gradient is held against what rounding can explain; so is the loss. Where many such steps
    lead is followed too: the distance of both sides, how far such steps can have led them apart, and shadows, twins that are pushed by
    as much as the steps can have been off.

    TARGET is a file, a notebook or a module, with or without the name of a net in it; without TARGET it is our TwoLayerNet. A net has
    `params`, a dict of arrays, `loss(x, t)` and `gradient(x, t)`, which gives a dict by the same names. See docs/nets.md.

    \b
    gradconform train                              784-50-10 on MNIST: 10,000 steps in float64, then in float32
    gradconform train --steps 500 --dtype float64  less of it
    gradconform train mynet.py:MyNet               a net of your own with W1, b1, W2, b2, built from (inputs, 50, 10)
    gradconform train mynet.py --args 64,100,10 --data digits --activation sigmoid
    gradconform train mynet.py --torch "F.cross_entropy(F.linear(x, W.T, b), t)"
    gradconform train --resume                     go on after Ctrl-C
    """
    need_torch()
    if lr != lr:
        raise usage("--lr: nan is no learning rate. Give a number above 0, such as 0.1.")
    from oracle.results.training import TrainingSettings

    data = data_of(choice.data, seed)
    settings = TrainingSettings(
        dtypes=tuple(dict.fromkeys(dtypes)) or DTYPES[:2],
        steps=steps,
        batch=batch,
        lr=lr,
        seed=seed,
        epoch=max(1, -(-len(data.x_train) // batch)),
        shadows=shadows,
        data=data.text,
        n_train=len(data.x_train),
        n_test=len(data.x_test),
    )
    _train(_plan(choice, data, settings, label), resume, out)


def _plan(choice: NetChoice, data: Any, settings: TrainingSettings, label: str) -> TrainingPlan:
    from oracle.nets.plan import TrainingPlan, shapes
    from oracle.nets.twin import TwinError, scores_of, twin_of, wrong_order_of
    from oracle.search.environment import environment
    from oracle.subjects.nets import NetError

    inputs = data.x_train.shape[1]
    try:
        # made once to see what it has, and that it can be had in every dtype
        for dtype in reversed(settings.dtypes):
            with net_of(choice, dtype, inputs, settings.seed) as net:
                params = net.params()
        described = (params, choice.torch, choice.activation)
        _fitting(twin_of(*described), data, params)
        return TrainingPlan(
            name=name_of(choice),
            net_of=lambda dtype: net_of(choice, dtype, inputs, settings.seed),
            parameters=shapes(params),
            spec=twin_of(*described),
            scores=scores_of(*described),
            wrong_order=wrong_order_of(*described),
            data=data,
            settings=settings,
            environment=environment(),
            command=command_line(),
            target=choice.target or "",
            source=source_of(choice),
            label=label,
        )
    except (NetError, TwinError) as error:
        raise usage(str(error)) from error


def _fitting(spec: Any, data: Any, params: Any) -> None:
    """Whether the twin computes on the data at all; asked of the row with the largest label. Raises UsageError."""
    from oracle.nets.twin import TwinError, answer, case_of

    row = [int(data.t_train.argmax())]
    x, t = data.x_train[row], data.t_train[row]
    try:
        answer(spec, case_of(spec, x, t, params))
    except TwinError as error:
        told = f"It was asked for an input of {x.shape[1]:,} numbers with the label {int(t[0])}, from {data.text}."
        raise usage(f"{error}\n{told} Build a net that fits with --args, give its loss with --torch, or choose other --data.") from error


def _train(plan: TrainingPlan, resume: bool, out: Path) -> NoReturn:
    from oracle.nets.resuming import Resumption, resumption
    from oracle.nets.training import train as trained
    from oracle.progress import progress_bar
    from oracle.results import ResultsError, WritingStopped
    from oracle.results.training import TrainingWriter, read_training

    path = out / TRAINING
    trouble = ""
    with alone(out):
        found = resumption(path, plan) if resume else Resumption((), {})
        if resume and not found.resumed:
            click.echo(f"There is no whole checkpoint in {out}: the training begins again.", err=True)
        try:
            with (
                progress_bar(plan.settings.dtypes, plan.settings.steps, "steps") as advance,
                TrainingWriter(path, plan.header(), found.kept) as writer,
            ):
                for dtype, resumed in found.resumed.items():
                    advance(dtype, resumed.state.step)
                trained(plan, writer, found.resumed, advance)
        except WritingStopped as stopped:
            trouble = str(stopped)
        _conclude(read_training(path), path, out / TRAINING_PAGE, trouble, ResultsError)


def _conclude(found: Any, path: Path, page: Path, trouble: str, error: type[Exception]) -> NoReturn:
    """Print what came of it, write the page, and exit."""
    from oracle.cli.shared import print_with
    from oracle.results.training import training_verdict
    from reports import reporter

    print_with("training", found)
    click.echo("")
    troubles = [trouble] if trouble else []
    try:
        click.echo(f"Report:   {reporter('training-page')(found, page)}")
    except OSError as caught:
        troubles.append(f"cannot write the report to {page}: {caught.strerror or caught}. Choose another place with --out.")
    except error as caught:
        troubles.append(str(caught))
    click.echo(f"Results:  {path}")
    if troubles:
        raise usage("\n".join(troubles))
    sys.exit(training_verdict(found).exit_code)

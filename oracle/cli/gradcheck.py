"""`gradconform gradcheck`: backprop, torch.autograd and differences of a net's own loss, for every parameter."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from oracle.cli.nets import NetChoice, data_of, name_of, net_of, net_options
from oracle.cli.outputs import Writing
from oracle.cli.shared import BUILD, DTYPES, EXIT_CODES, UsageError, command_line, need_torch, usage

if TYPE_CHECKING:
    from oracle.core.spec import LayerSpec
    from oracle.nets.batches import Data
    from oracle.nets.gradcheck import Net, Part, Question
    from oracle.results.gradcheck import GradCheck, GradSettings

GRADCHECK_PAGE = "gradcheck.html"
SAMPLES = 64


class _Entry(NamedTuple):
    """A net to check, its twin with its scores, and the same net in float64 where it is in another dtype."""

    net: Net
    spec: LayerSpec
    scores: str
    wide: Net | None


@click.command(epilog=EXIT_CODES)
@net_options(time_limit=600.0)
@click.option("--batch", type=click.IntRange(1, 10_000), default=3, show_default=True, help="Rows of the batch: the first of the data.")
@click.option(
    "--samples",
    type=click.IntRange(1, 100_000_000),
    default=None,
    metavar="N",
    help=f"Elements of each parameter that differences are taken of.  [default: {SAMPLES}]",
)
@click.option("--full", is_flag=True, help="Take differences of every element, as the notebook does. Ctrl-C keeps what is done.")
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the net's parameters, and of the elements drawn."
)
@click.option(
    "--dtype", "dtypes", multiple=True, type=click.Choice(DTYPES), help="May be given more than once.  [default: float64, float32]"
)
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write what was found as JSON as well.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=BUILD, show_default=True, help="Folder for the page.")
def gradcheck(
    choice: NetChoice,
    batch: int,
    samples: int | None,
    full: bool,
    seed: int,
    dtypes: tuple[str, ...],
    json_path: Path | None,
    out: Path,
) -> None:
    """Check the gradients of a net three ways.

    backprop is what the net's `gradient` returns. autograd is torch's gradient at the same parameters. numerical is taken by differences of
    the loss that the net itself gives. For each parameter: how far the three are apart, held against what rounding and the step can
    explain, and which of them stands alone. backprop alone: the backward is wrong. numerical alone: the loss is not what the gradient
    is of. autograd alone: torch's side is another net; see --torch and --activation. Elements whose step crosses a kink of relu are
    counted, not charged.

    TARGET is a file, a notebook or a module, with or without the name of a net in it; without TARGET it is our TwoLayerNet. A net has
    `params`, a dict of arrays, `loss(x, t)` and `gradient(x, t)`, which gives a dict by the same names.

    \b
    gradconform gradcheck                           784-50-10 on three images of MNIST, or of what is here
    gradconform gradcheck --full                    every element: seconds to a minute
    gradconform gradcheck mynet.py:MyNet            a net of your own with W1, b1, W2, b2, built from (inputs, 50, 10)
    gradconform gradcheck backprop.ipynb:TwoLayerNet --dtype float64
    gradconform gradcheck mynet.py --torch "F.cross_entropy(F.linear(x, W.T, b), t)"
    """
    need_torch()
    if full and samples is not None:
        raise usage("--samples and --full: every element, or a sample of them; leave one out.")
    from oracle.nets.gradcheck import Question
    from oracle.results.gradcheck import GradSettings

    data = data_of(choice.data, seed)
    first, before = _batches(data, batch)
    question = Question(first, before, None if full else samples or SAMPLES, seed)
    asked = GradSettings(dtypes=_wanted(dtypes), samples=question.samples, seed=seed, batch=batch, data=data.text)
    with ExitStack() as held:
        entries, notes = _entries(choice, data.x_train.shape[1], asked, bool(dtypes), held)
        asked = asked.model_copy(update={"dtypes": tuple(entries)})
        found = _checked(entries, question, _facts(choice, asked, entries, notes))
    _conclude(found, json_path, out)


def _wanted(dtypes: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(dtypes)) or DTYPES[:2]


def _batches(data: Data, size: int) -> tuple[Any, Any]:
    """The first rows of the data, and those behind them, which the net is given before."""
    from oracle.nets.gradcheck import Batch

    if len(data.x_train) < 2 * size:
        raise usage(f"--batch: {size:,} rows and as many before them are more than the {len(data.x_train):,} that the data has.")
    parts = [slice(0, size), slice(size, 2 * size)]
    first, before = (Batch(data.x_train[rows], data.t_train[rows].astype("int64")) for rows in parts)
    return first, before


def _entries(
    choice: NetChoice, inputs: int, asked: GradSettings, chosen: bool, held: ExitStack
) -> tuple[dict[str, _Entry], tuple[str, ...]]:
    """The net in every dtype. One that it cannot be had in is left out with a note, unless it was chosen or is the only one."""
    from oracle.nets.twin import TwinError, scores_of, twin_of

    entries: dict[str, _Entry] = {}
    notes: list[str] = []
    for dtype in asked.dtypes:
        try:
            net: Any = held.enter_context(net_of(choice, dtype, inputs, asked.seed))
        except UsageError as error:
            if chosen or (dtype == asked.dtypes[-1] and not entries):
                raise
            notes.append(f"{dtype} is left out: {error.message}")
            continue
        try:
            described = (net.params(), choice.torch, choice.activation)
            spec, scores = twin_of(*described), scores_of(*described)
        except TwinError as error:
            raise usage(str(error)) from error
        wide, note = (None, "") if dtype == "float64" else _wide(choice, inputs, asked.seed, net, held)
        notes += [note] if note else []
        entries[dtype] = _Entry(net, spec, scores, wide)
    return entries, tuple(notes)


def _wide(choice: NetChoice, inputs: int, seed: int, net: Net, held: ExitStack) -> tuple[Net | None, str]:
    """The same net in float64, to take differences of; None and why where there is none."""
    from oracle.subjects.nets import NetError

    try:
        wide: Any = held.enter_context(net_of(choice, "float64", inputs, seed))
        wide.assign({name: a.astype("float64") for name, a in net.params().items()})
    except (UsageError, NetError) as error:
        return None, f"Differences are taken in the net's own dtype, as it cannot be had in float64: {error}"
    return wide, ""


def _facts(choice: NetChoice, asked: GradSettings, entries: dict[str, _Entry], notes: tuple[str, ...]) -> Callable[..., GradCheck]:
    """The record of the check, but for what is found."""
    from oracle.results.gradcheck import GradCheck
    from oracle.search.environment import environment

    spec = next(iter(entries.values())).spec
    return functools.partial(
        GradCheck,
        started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=command_line()[:20_000],
        environment=environment(),
        settings=asked,
        net=name_of(choice)[-200:],
        target=choice.target or "",
        torch=spec.expression("index"),
        notes=notes,
    )


def _checked(entries: dict[str, _Entry], question: Question, record: Callable[..., GradCheck]) -> GradCheck:
    """All dtypes, one after the other; none after an interrupt."""
    from oracle.nets.gradcheck import gradcheck as check
    from oracle.nets.twin import TwinError, estimated
    from oracle.progress import counting
    from oracle.subjects.nets import NetError

    parts: list[Part] = []
    started = time.monotonic()
    sizes = [a.size for entry in entries.values() for a in entry.net.params().values()]
    total = sum(size if question.samples is None else min(size, question.samples) for size in sizes)
    interrupted = False
    try:
        with counting("differences", total) as advance:
            for entry in entries.values():
                parts.append(check(entry.net, entry.spec, question._replace(scores=entry.scores), entry.wide, advance))
                if parts[-1].interrupted:
                    break
    except KeyboardInterrupt:
        interrupted = True
    except (NetError, TwinError) as error:
        raise usage(str(error)) from error
    return record(
        estimated=next((text for entry in entries.values() if (text := estimated(entry.spec))), ""),
        steps=tuple(part.step for part in parts),
        losses=tuple(part.loss for part in parts),
        rows=tuple(row for part in parts for row in part.rows),
        broken=tuple(b for part in parts for b in part.broken),
        seconds=time.monotonic() - started,
        interrupted=interrupted or any(part.interrupted for part in parts),
    )


def _conclude(found: GradCheck, json_path: Path | None, out: Path) -> None:
    """Print what was found, write the page and the JSON, and exit."""
    from rich.console import Console

    from oracle.results.gradcheck import grad_verdict
    from reports import reporter

    reporter("gradcheck")(found, Console(highlight=False))
    click.echo("")
    writings: list[Writing] = [("Report", lambda: reporter("gradcheck-page")(found, out / GRADCHECK_PAGE))]
    if json_path is not None:
        writings.append(("JSON", lambda: reporter("gradcheck-json")(found, json_path)))
    troubles = []
    for kind, write in writings:
        try:
            click.echo(f"{kind + ':':10}{write()}")
        except OSError as error:
            option = "--out" if kind == "Report" else "--json"
            troubles.append(f"{option}: {kind} cannot be written: {error.strerror or error}. Choose another place.")
    if troubles:
        raise usage("\n".join(troubles))
    sys.exit(grad_verdict(found).exit_code)

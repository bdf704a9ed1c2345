"""`gradconform check`: judge layers of the user's own."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oracle.cli.entering import convention_name, entered, nothing_in, spec_name
from oracle.cli.outputs import Outputs, Writing, alone, conclude, output_options, written_to
from oracle.cli.shared import (
    DTYPES,
    EXIT_CODES,
    PAGE,
    RESULTS,
    command_line,
    need_torch,
    processors,
    progress_bar,
    search_options,
    usage,
    write_page,
)

if TYPE_CHECKING:
    from oracle.results import Run
    from oracle.search.introduce import Introduced, Request

CSV = "subjects.csv"


@click.command(epilog=EXIT_CODES)
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--as", "like", metavar="SPEC", help="Judge it as this layer, whatever its name: see `gradconform list`.")
@click.option("--convention", metavar="NAME", help="How it is called, where that is not found out: see docs/conventions.md.")
@click.option("--not-claimed", multiple=True, metavar="WORD[,WORD]", help="What it does not promise: dout, broadcasting, float32, nan ...")
@click.option(
    "--path", "search_path", multiple=True, type=click.Path(exists=True, file_okay=False), help="Where its imports are looked for."
)
@click.option("--timeout", type=click.FloatRange(0.01), default=5.0, show_default=True, help="Seconds for one case.")
@click.option("--time-limit", type=click.FloatRange(0.1), default=600.0, show_default=True, help="Seconds for all cases of a layer.")
@click.option("--memory", type=click.IntRange(64), default=4096, show_default=True, metavar="MB", help="Memory of its process.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome as JSON as well.")
@search_options
@output_options
def check(
    targets: tuple[str, ...],
    like: str | None,
    convention: str | None,
    not_claimed: tuple[str, ...],
    search_path: tuple[str, ...],
    timeout: float,
    time_limit: float,
    memory: int,
    json_path: Path | None,
    examples: int,
    seed: int,
    dtypes: tuple[str, ...],
    workers: int | None,
    shard: tuple[int, int] | None,
    label: str,
    out: Path,
    outputs: Outputs,
) -> None:
    """Judge layers of your own against PyTorch.

    TARGET is a file, a notebook or a module, with or without the name of a class or function in it. Without a name, everything is judged
    that is called like a layer we know: ReLU, Dense, affine_forward, SoftmaxCrossEntropy ... Each runs in a process of its own, with
    limits on time and memory; see docs/isolation.md.

    \b
    gradconform check layers.py                        all layers in it
    gradconform check layers.py:MyDense --as Affine    one, by name, as what it is
    gradconform check backprop.ipynb                   the definitions of a notebook
    gradconform check mypackage.layers:Relu            out of a module
    gradconform check submissions/*.py --as Affine     one row a file, and a CSV
    gradconform check layers.py --not-claimed dout,nan what it does not promise is not judged
    """
    need_torch()
    from oracle.results import Settings
    from oracle.subjects.isolated import Limits

    limits = Limits()._replace(case_seconds=timeout, total_seconds=time_limit, memory_mb=memory)
    workers = workers or (1 if len(targets) == 1 else processors())
    requests = _requests(targets, like, convention, not_claimed, search_path, limits)
    dtypes = tuple(dict.fromkeys(dtypes)) or DTYPES[:2]
    introduced = entered(requests, workers, dtypes)
    if not introduced.entrants and not introduced.rejected:
        raise usage(nothing_in(targets, introduced))
    settings = Settings(
        layers=tuple(e.label for e in introduced.entrants),
        examples=examples,
        seed=seed,
        dtypes=dtypes,
        workers=workers,
        shard=shard,
    )
    _judge(introduced, settings, label, out, json_path, len(targets) > 1, outputs)


def _judge(introduced: Introduced, settings: object, label: str, out: Path, json_path: Path | None, many: bool, outputs: Outputs) -> None:
    from oracle.search.campaign import campaign
    from oracle.search.declaration import Plan
    from oracle.search.environment import environment

    results = out / RESULTS
    plan = Plan(
        tuple(introduced.entrants),
        settings,  # type: ignore[arg-type]
        environment(),
        command_line(),
        tuple(introduced.rejected),
        tuple(introduced.notes),
        label,
    )
    with alone(out):
        with progress_bar(settings.layers, settings.examples) as advance:  # type: ignore[attr-defined]
            found, trouble = written_to(results, lambda: campaign(plan, results, advance))
        writings: list[Writing] = [("Report", lambda: write_page(found, out / PAGE)), ("Results", lambda: results)]
        writings += _tables(found, out, json_path, many)
        conclude(found, "grades" if many else "check", outputs, writings, trouble)


def _tables(found: Run, out: Path, json_path: Path | None, many: bool) -> list[Writing]:
    from reports import reporter

    wanted = (("csv", out / CSV if many else None), ("json", json_path))
    return [(kind.upper(), functools.partial(reporter(kind), found, path)) for kind, path in wanted if path is not None]


def _requests(
    targets: tuple[str, ...],
    like: str | None,
    convention: str | None,
    not_claimed: tuple[str, ...],
    search_path: tuple[str, ...],
    limits: object,
) -> list[Request]:
    """What is asked for, each word of it checked before anything runs."""
    from oracle.config import ConfigError, read_config
    from oracle.search.introduce import Request
    from oracle.subjects.target import TargetError, parse_target

    like, convention = spec_name(like), convention_name(convention)
    try:
        config = read_config(Path.cwd())
        requests = []
        for text in dict.fromkeys(targets):
            words = (*not_claimed, *config.not_claimed_by(text))
            places = tuple(str(Path(p).resolve()) for p in (*search_path, "."))
            as_, called = like or spec_name(config.like(text), "as"), convention or convention_name(config.convention(text), "convention")
            requests.append(Request(parse_target(text), as_, called, places, words, limits))  # type: ignore[arg-type]
    except (ConfigError, TargetError) as error:
        raise usage(str(error)) from error
    return requests

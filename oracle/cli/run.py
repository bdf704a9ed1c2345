"""`gradconform run`: judge our own layers, or whatever a gate names."""

from __future__ import annotations

from pathlib import Path

import click

from oracle.cli.outputs import Outputs, alone, conclude, output_options, written_to
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


@click.command(epilog=EXIT_CODES)
@click.argument("layers", nargs=-1, metavar="[LAYER]...")
@search_options
@output_options
def run(
    layers: tuple[str, ...],
    examples: int,
    seed: int,
    dtypes: tuple[str, ...],
    workers: int | None,
    shard: tuple[int, int] | None,
    label: str,
    out: Path,
    outputs: Outputs,
) -> None:
    """Judge reference layers against PyTorch and write a conformance report.

    Every LAYER (all, if none is named) is swept with the same number of cases, shared out over its branches and the dtypes. Results
    are written as they are found to OUT/results.jsonl, the report to OUT/index.html. Ctrl-C keeps what is done.

    \b
    gradconform run --examples 100000          a thorough run
    gradconform run Relu --dtype float32       one layer, one dtype
    """
    need_torch()
    from oracle.results import Settings
    from oracle.search.campaign import campaign
    from oracle.search.declaration import Plan
    from oracle.search.entrant import own
    from oracle.search.environment import environment

    settings = Settings(
        layers=_layer_names(layers),
        examples=examples,
        seed=seed,
        dtypes=tuple(dict.fromkeys(dtypes)) or DTYPES[:2],
        workers=workers or processors(),
        shard=shard,
    )
    path = out / RESULTS
    plan = Plan(own(settings.layers), settings, environment(), command_line(), label=label)
    with alone(out):
        with progress_bar(settings.layers, examples) as advance:
            found, trouble = written_to(path, lambda: campaign(plan, path, advance))
        writings = [("Report", lambda: write_page(found, out / PAGE)), ("Results", lambda: path)]
        conclude(found, "summary", outputs, writings, trouble)


def _layer_names(layers: tuple[str, ...]) -> tuple[str, ...]:
    from oracle.specs import UnknownLayerError, all_specs, spec_named

    try:
        return tuple(dict.fromkeys(spec_named(name).name for name in layers)) or tuple(all_specs())
    except UnknownLayerError as error:
        raise usage(str(error)) from error

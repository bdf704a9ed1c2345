"""`gradconform run`: judge our own layers, or whatever a gate names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

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
    from oracle.search.declaration import Plan


@click.command(epilog=EXIT_CODES)
@click.argument("layers", nargs=-1, metavar="[LAYER]...")
@click.option("--gate", is_flag=True, help="Judge and hold to account what [tool.gradconform] names: see docs/gate.md.")
@search_options
@output_options
def run(
    layers: tuple[str, ...],
    gate: bool,
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

    With --gate the layers are those of [tool.gradconform] in pyproject.toml, or of gradconform.toml: ours or your own. Its stored cases
    are judged first, then fresh ones from a seed that is recorded; a divergence is accepted where it is listed there as known. Options
    on the command line override the file.

    \b
    gradconform run --examples 100000          a thorough run
    gradconform run Relu --dtype float32       one layer, one dtype
    gradconform run --gate                     what the project's gate names: for CI
    """
    need_torch()
    dtypes = tuple(dict.fromkeys(dtypes))
    if gate:
        options = {"examples": examples, "seed": seed, "dtypes": dtypes, "workers": workers, "shard": shard}
        _through_gate(layers, options, label, out, outputs)
    from oracle.results import Settings
    from oracle.search.declaration import Plan
    from oracle.search.entrant import own
    from oracle.search.environment import environment

    settings = Settings(
        layers=_layer_names(layers),
        examples=examples,
        seed=seed,
        dtypes=dtypes or DTYPES[:2],
        workers=workers or processors(),
        shard=shard,
    )
    with alone(out):
        found, trouble = _found(Plan(own(settings.layers), settings, environment(), command_line(), label=label), out)
        conclude(found, "summary", outputs, _written(found, out), trouble)


def _through_gate(layers: tuple[str, ...], options: dict[str, Any], label: str, out: Path, outputs: Outputs) -> NoReturn:
    from oracle.cli.gate import FINDS, gated, offered
    from oracle.search.corpus import finds

    context = click.get_current_context()
    for name in ("examples", "seed"):
        if context.get_parameter_source(name) is ParameterSource.DEFAULT:
            options[name] = None
    planned = gated(layers, options, label)
    with alone(out):
        found, trouble = _found(planned.plan, out)
        new = finds(found, planned.corpus.cases)
        offers: list[Writing] = [("Finds", lambda: offered(new, planned.folder, out / FINDS))] if new else []
        conclude(found, "summary", outputs, [*_written(found, out), *offers], trouble)


def _found(plan: Plan, out: Path) -> tuple[Run, str]:
    """The run that `plan` asks for, written to OUT and read again, and what stopped it."""
    from oracle.search.campaign import campaign

    path = out / RESULTS
    with progress_bar(plan.settings.layers, plan.settings.examples) as advance:
        return written_to(path, lambda: campaign(plan, path, advance))


def _written(found: Run, out: Path) -> list[Writing]:
    return [("Report", lambda: write_page(found, out / PAGE)), ("Results", lambda: out / RESULTS)]


def _layer_names(layers: tuple[str, ...]) -> tuple[str, ...]:
    from oracle.specs import UnknownLayerError, all_specs, spec_named

    try:
        return tuple(dict.fromkeys(spec_named(name).name for name in layers)) or tuple(all_specs())
    except UnknownLayerError as error:
        raise usage(str(error)) from error

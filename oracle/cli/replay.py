"""`gradconform replay`: stored cases judged again - counterexamples of a run, or recorded vectors where there is no torch."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from oracle.cli.outputs import Outputs, output_options
from oracle.cli.shared import BUILD, RESULTS, need_torch, read, usage

EXIT_CODES = "Exit codes: 0 nothing fails any more, 1 something fails, 2 wrong usage, 3 less was judged than declared."


@click.command(epilog=EXIT_CODES)
@click.argument("what", metavar="[FILE|ID|TARGET]", required=False)
@click.option("--corpus", is_flag=False, flag_value="", default=None, metavar="[FOLDER]", help="Judge by vectors: ours, or FOLDER's.")
@click.option(
    "--results",
    type=click.Path(dir_okay=False, path_type=Path),
    default=BUILD / RESULTS,
    show_default=True,
    help="Where to look an ID up.",
)
@click.option("--raw", is_flag=True, help="The case as it was drawn, not the minimised one.")
@click.option("--target", help="Where the layer of your own is now; code is never loaded from where a results file says.")
@click.option("--as", "like", metavar="SPEC", help="With --corpus: judge the target as this layer.")
@click.option("--convention", metavar="NAME", help="With --corpus: how the target is called.")
@click.option("--not-claimed", multiple=True, metavar="WORD[,WORD]", help="With --corpus: what the target does not promise.")
@click.option("--label", default="", metavar="NAME", help="With --corpus: what `gradconform merge` calls this run.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=BUILD,
    show_default=True,
    help="With --corpus: where to write.",
)
@output_options
def replay(
    what: str | None,
    corpus: str | None,
    results: Path,
    raw: bool,
    target: str | None,
    like: str | None,
    convention: str | None,
    not_claimed: tuple[str, ...],
    label: str,
    out: Path,
    outputs: Outputs,
) -> None:
    """Judge stored cases again with the code as it is now.

    FILE is a results file: all its counterexamples are run. ID names one of them, as the report shows it.

    With --corpus layers are judged by recorded vectors instead: by those that come with gradconform, or by those in FOLDER. That needs
    neither torch nor Hypothesis. TARGET is a layer of your own, as for `gradconform check`; without one our own layers are judged.

    \b
    gradconform replay Relu-matrix-float32-backward.dx-s0     one counterexample
    gradconform replay --corpus                               our layers, without torch
    gradconform replay --corpus vectors layers.py:MyDense     yours, by the vectors in a folder
    """
    if corpus is not None:
        from oracle.cli.by_vectors import Asked, by_vectors

        by_vectors(corpus, Asked(what, like, convention, not_claimed, label, out), outputs)
    if what is None:
        raise usage("what is to be replayed? Name a results FILE or the ID of a counterexample, or judge by vectors with --corpus.")
    _counterexamples(what, results, raw, target)


def _counterexamples(what: str, results: Path, raw: bool, target: str | None) -> None:
    need_torch()
    from oracle.results import ResultsError
    from oracle.search.replay import replayed
    from oracle.subjects.target import TargetError, parse_target
    from reports.words import visible

    try:
        where = None if target is None else parse_target(target)
    except TargetError as error:
        raise usage(f"--target: {error}") from error

    path = Path(what)
    by_file = path.is_file()
    try:
        run = read(path if by_file else results)
    except ResultsError as error:
        raise usage(f"{what!r} is no results file, and as an ID it cannot be looked up: {error}" if not by_file else str(error)) from error
    chosen = [c for c in run.counterexamples if by_file or c.id == what]
    if not chosen and not by_file:
        known = "\n".join(f"  {c.id}" for c in run.counterexamples[:20]) or "  (none)"
        raise usage(f"{results} has no counterexample {what!r}. It has:\n{known}")
    if not chosen:
        click.echo("No counterexamples in this file: nothing to replay.")
    failing = 0
    layers = {layer.name: layer for layer in run.header.layers}
    for counterexample in chosen:
        answer = replayed(counterexample, layers.get(counterexample.layer), where, raw)
        failing += not answer.holds
        click.echo(f"{'holds   ' if answer.holds else 'DIVERGES'}  {visible(counterexample.id)}")
        for line in answer.lines:
            click.echo(f"          {visible(line)}")
    sys.exit(1 if failing else 0)

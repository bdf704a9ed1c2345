"""`gradconform keep`: add to the cases that every gate judges again."""

from __future__ import annotations

from pathlib import Path

import click

from oracle.cli.shared import usage


@click.command(epilog="Exit codes: 0 they are all in the corpus, 2 wrong usage, or a file that is no case.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--corpus", type=click.Path(file_okay=False, path_type=Path), help="Folder of stored cases.  [default: the configuration's]")
def keep(files: tuple[Path, ...], corpus: Path | None) -> None:
    """Add failing cases to the corpus, so that every gate judges them again.

    FILE is one that `gradconform run --gate` has written to OUT/finds. Each is checked and copied under a name of its own; a case that is
    there already is left alone, and nothing is overwritten. Nothing in a file is executed.

    \b
    gradconform keep reports/_build/finds/*.json --corpus tests/corpus
    """
    from oracle.cli.gate import corpus_folder
    from oracle.progress import printable
    from oracle.search.corpus import CorpusError
    from oracle.search.corpus import keep as kept

    folder = corpus or corpus_folder()
    try:
        for path, new in kept(files, folder):
            click.echo(printable(f"there already  {path}" if new is None else f"added          {new}"))
    except CorpusError as error:
        raise usage(printable(str(error))) from error

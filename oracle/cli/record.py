"""`gradconform record`: the oracle's answers, written down to be used where there is no torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from oracle.cli.shared import need_torch, usage

if TYPE_CHECKING:
    from oracle.core.spec import LayerSpec

PER_BRANCH = 56


@click.command(epilog="Exit codes: 0 recorded, or everything is still as recorded; 1 torch answers otherwise now; 2 wrong usage.")
@click.argument("layers", nargs=-1, metavar="[LAYER]...")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=None, help="Folder for the vectors.  [default with --check: ours]"
)
@click.option(
    "--per-branch", type=click.IntRange(1, 100_000), default=PER_BRANCH, show_default=True, help="Cases of each branch, over the dtypes."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=5, show_default=True, help="What the cases are drawn from.")
@click.option(
    "--add",
    "added",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take in a stored case too: see docs/gate.md.",
)
@click.option("--check", "check_only", is_flag=True, help="Record nothing; prove that --out still holds torch's answers.")
def record(layers: tuple[str, ...], out: Path | None, per_branch: int, seed: int, added: tuple[Path, ...], check_only: bool) -> None:
    """Record conformance vectors: cases with torch's answers and the error allowed in every element.

    `gradconform replay --corpus FOLDER` judges layers by them without torch, on any Python; docs/vectors.md tells how to read them in
    other languages. The cases are chosen for coverage: every protocol, memory layout, boundary, value profile and kind of bad input.

    \b
    gradconform record --out vectors                    all layers
    gradconform record Relu --out vectors --per-branch 200
    gradconform record --out vectors --add reports/_build/finds/Relu-backward.dx-1f0c5a0e9b7d2c34.json
    gradconform record --check                          are the vectors that come with gradconform still torch's answers?
    """
    need_torch()
    from oracle.progress import counting
    from oracle.search.corpus import CorpusError, read_kept
    from oracle.specs import UnknownLayerError, all_specs, spec_named
    from oracle.vectors.reading import VectorsError, shipped

    try:
        specs = [spec_named(name) for name in dict.fromkeys(layers)] or list(all_specs().values())
        with counting("asking torch", len(specs)) as done:
            if check_only:
                _check(out or shipped(), {spec.name: spec for spec in specs}, done)
            if out is None:
                raise usage("--out is missing: the folder to write the vectors to.")
            from oracle.vectors.recording import record as written

            manifest = written(out, specs, per_branch, seed, done, [read_kept(path) for path in dict.fromkeys(added)])
    except (CorpusError, UnknownLayerError, VectorsError) as error:
        raise usage(str(error)) from error
    except OSError as error:
        raise usage(f"cannot write vectors to {out}: {error.strerror or error}. Choose another folder with --out.") from error
    size = sum(layer.size for layer in manifest.layers)
    click.echo(f"{manifest.n_cases:,} cases of {len(manifest.layers)} layers, {size / 1e6:.1f} MB, in {out}")


def _check(folder: Path, specs: Mapping[str, LayerSpec], done: Callable[[str], None]) -> NoReturn:
    from oracle.vectors.recording import checked

    found = checked(folder, specs, done)
    for sentence in found.different:
        click.echo(sentence)
    click.echo(
        f"{found.equal:,} cases have the bits that were recorded, {found.within:,} are within the allowed error, "
        f"{len(found.different):,} differ: {folder}"
    )
    sys.exit(1 if found.different or not found.equal + found.within else 0)
